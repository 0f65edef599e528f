/* SPDX-License-Identifier: Apache-2.0 */
/* Offloads: what a virtio header asks for is checked, becomes metadata and back; and what a receiver cannot take is
 * done in software: each packet that comes out is verified byte by byte by code of the tests' own. */
#include "datapath/drop.h"
#include "datapath/edit_priv.h"
#include "datapath/frame.h"
#include "datapath/offload.h"
#include "tests/datapath/offl_ref.h"
#include "tests/datapath/portenv.h"
#include "tunnels/tun.h"

static struct ref_frame f;

static uint16_t
need_of(const struct ref_frame *r, struct virtio_net_hdr *v)
{
	uint16_t need = 0;

	*v = r->v;
	assert_true(offl_check(v, r->b, r->len, r->len, &need));
	return need;
}

static struct rte_mbuf *
to_mbuf(const struct ref_frame *r)
{
	struct virtio_net_hdr v;
	uint16_t need = need_of(r, &v);
	struct rte_mbuf *m = env_frame(r->b, r->len);

	offl_to_mbuf(m, &v, need);
	return m;
}

static void
resolve_and_verify(const struct ref_conf *c, uint16_t accepts, bool partial)
{
	struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
	uint32_t wire, longest = 0, mss = c->mss;
	const char *wrong;
	unsigned n;
	int why = 0;

	ref_build(&f, c);
	m = to_mbuf(&f);
	wire = offl_wire_len(m);
	n = offl_resolve(m, accepts, env_pool, out, OFFL_MAX_SEGS, &why);
	assert_int_not_equal(n, 0);
	if (!c->gso || (c->payload + (f.fragments ? 8 : 0) <= (c->mss & (f.fragments ? ~7u : ~0u)) && !c->tunnel))
		mss = UINT32_MAX;
	wrong = ref_verify(&f, out, n, mss, partial);
	if (wrong)
		fail_msg("tunnel %u outer v6 %d csum %d, v6 %d gso %u udp %d tags %u opts %u/%u payload %u mss %u, %u packets: %s",
			 c->tunnel, c->outer_v6, c->outer_csum, c->v6, c->gso, c->udp, c->tags, c->ip_opts, c->tcp_opts,
			 c->payload, c->mss, n, wrong);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(offl_need(out[i]) & ~accepts, 0);
		longest = MAX_OF(longest, out[i]->pkt_len);
	}
	assert_int_equal(wire, longest);
	rte_pktmbuf_free_bulk(out, n);
	env_no_mbuf_is_lost();
}

static const uint8_t gso_types[] = { VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP,
				     REF_GSO_UDP_L4 };

static void
every_kind_of_frame_comes_out_right(void **state UNUSED)
{
	static const struct { uint32_t payload; uint16_t mss; } size[] = {
		{ 5000, 1448 }, { 1449, 1448 }, { 1448, 1448 }, { 60000, 1399 }, { 20001, 8900 }, { 33, 8 }, { 65000, 256 },
	};

	for (unsigned bits = 0; bits < 6 * 2 * 2 * 2 * 4; bits++)
		for (unsigned k = 0; k < ARRAY_SIZE(size); k++) {
			struct ref_conf c = { .tunnel = bits % 6, .outer_v6 = bits / 6 & 1, .outer_csum = bits / 12 & 1,
				.v6 = bits / 24 & 1, .gso = gso_types[bits / 48], .tags = k % 3, .ip_opts = k % 4,
				.tcp_opts = k % 11, .cwr = k & 1, .udp = k & 1, .payload = size[k].payload, .mss = size[k].mss };

			if (c.gso == VIRTIO_NET_HDR_GSO_TCPV4 && c.v6)
				c.gso = VIRTIO_NET_HDR_GSO_TCPV6;
			if (!c.gso && c.tunnel)
				continue;
			resolve_and_verify(&c, 0, false);
		}
}

static void
random_frames_come_out_right(void **state UNUSED)
{
	srand(7);
	for (unsigned i = 0; i < 3000; i++) {
		struct ref_conf c = { .tunnel = rand() % 6, .outer_v6 = rand() & 1, .outer_csum = rand() & 1, .v6 = rand() & 1,
			.gso = gso_types[1 + rand() % 3], .tags = rand() % 4, .ip_opts = rand() % 4, .tcp_opts = rand() % 11,
			.cwr = rand() & 1, .mss = (uint16_t)(8 + rand() % 3000) };

		if (c.gso == VIRTIO_NET_HDR_GSO_TCPV4 && c.v6)
			c.gso = VIRTIO_NET_HDR_GSO_TCPV6;
		c.payload = 1 + rand() % MIN_OF(c.mss * 40u, 64000u);
		resolve_and_verify(&c, 0, false);
	}
}

static void
segments_keep_their_checksum_undone_for_who_accepts_that(void **state UNUSED)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct ref_conf c = { .v6 = bits & 1, .gso = bits & 2 ? REF_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_TCPV4 + (bits & 1) * 3,
			.payload = 9000, .mss = 1448 };

		resolve_and_verify(&c, OFFL_CSUM, true);
	}
}

/* --- In tunnels ----------------------------------------------------------------------------- */

static struct tun_hdr
template(const struct tun_type *t, bool v6, const char *csum)
{
	struct tun_path p = { .src_mac = { { 2, 0, 0, 0, 0, 1 } }, .dst_mac = { { 2, 0, 0, 0, 0, 2 } } };
	struct tun_conf c;
	struct tun_hdr h;
	struct err e;

	opt_defaults(t->opts, &c);
	c.key = 5001;
	if (csum)
		assert_int_equal(opt_set(t->opts, &c, "csum", csum, &e), 0);
	ip_parse(v6 ? "2001:db8::1" : "172.16.0.1", &p.local);
	ip_parse(v6 ? "2001:db8::2" : "172.16.0.2", &p.remote);
	assert_int_equal(tun_hdr_build(t, &c, &p, &h, &e), 0);
	return h;
}

static struct rte_mbuf *
push(const struct tun_type *t, struct rte_mbuf *m, const struct tun_hdr *h)
{
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = h };

	tun_push(t, &b);
	assert_int_equal(b.drop[0], 0);
	if (t->caps & TUN_CAP_WHOLE)
		return m;
	assert_true(offl_tunnel_on(m, h->l3_off, h->l4_off - h->l3_off, h->len - h->l4_off, h->v6));
	return m;
}

/* What the far end does.  The frame; NULL: it is kept until it is whole. */
static struct rte_mbuf *
pop(const struct tun_type *t, struct rte_mbuf *m, bool csum, struct tun_meta *meta)
{
	struct tun_batch b = { .n = 1, .pkt = { m } };
	uint16_t start = m->data_off;
	struct tun_outer o;

	assert_true(tun_outer_peek(m, &o));
	assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
	if (t->ip_proto == 17)
		assert_int_equal(o.csum_zero, !csum);
	assert_int_equal(o.total_len, m->pkt_len);
	pkt_pull(m, o.len);
	b.meta[0] = (struct tun_meta){ .src = o.src, .dst = o.dst, .tos = o.tos, .ttl = o.ttl };
	t->pop(&b);
	if (b.drop[0] == TUN_HELD)
		return NULL;
	assert_int_equal(b.drop[0], 0);
	if (meta)
		*meta = b.meta[0];
	if (!(t->caps & TUN_CAP_WHOLE))
		offl_tunnel_off(m, (uint32_t)m->data_off - start);
	return b.pkt[0];
}

/* Types whose frames are cut before they leave, with a checksum of their own or without. */
static const struct {
	const char *type, *csum;
} kinds[] = {
	{ "vxlan", "off" }, { "vxlan", "on" }, { "geneve", "off" }, { "geneve", "on" }, { "gre", "off" }, { "gre", "on" },
	{ "nvgre", NULL }, { "vxlan-gpe", "off" }, { "vxlan-gpe", "on" },
};

static void
frames_are_cut_behind_the_tunnel_headers_that_were_put_on(void **state UNUSED)
{
	for (unsigned bits = 0; bits < 16 * ARRAY_SIZE(kinds); bits++) {
		const struct tun_type *t = tun_type_find(kinds[bits / 16].type);
		bool v6 = bits & 1, csum = kinds[bits / 16].csum && !strcmp(kinds[bits / 16].csum, "on");
		struct tun_hdr h = template(t, v6, kinds[bits / 16].csum);
		struct ref_conf c = { .v6 = bits & 2, .gso = gso_types[bits >> 2 & 3], .tags = t->caps & TUN_CAP_UNTAGGED ? 0 : bits & 1,
			.payload = bits >> 2 & 3 ? 60001 : 1001, .mss = 1336 };
		struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
		const char *wrong;
		unsigned n;
		int why;

		if (c.gso == VIRTIO_NET_HDR_GSO_TCPV4 && c.v6)
			c.gso = VIRTIO_NET_HDR_GSO_TCPV6;
		ref_build(&f, &c);
		m = push(t, to_mbuf(&f), &h);
		assert_true(offl_need(m) & OFFL_TUNNEL);
		/* Who takes long frames does not take them in tunnels. */
		n = offl_resolve(m, OFFL_ALL & ~OFFL_TUNNEL, env_pool, out, OFFL_MAX_SEGS, &why);
		assert_int_not_equal(n, 0);
		for (unsigned i = 0; i < n; i++)
			pop(t, out[i], csum, NULL);
		wrong = ref_verify(&f, out, n, c.gso ? c.mss : UINT32_MAX, false);
		if (wrong)
			fail_msg("%s %u: %s", t->name, bits, wrong);
		rte_pktmbuf_free_bulk(out, n);
	}
	env_no_mbuf_is_lost();
}

static void
a_long_frame_comes_out_of_its_tunnel_whole(void **state UNUSED)
{
	for (unsigned bits = 0; bits < 4 * ARRAY_SIZE(kinds); bits++) {
		const struct tun_type *t = tun_type_find(kinds[bits / 4].type);
		struct ref_conf c = { .v6 = bits & 1, .gso = bits & 1 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
			.payload = 60001, .mss = 1336 };
		struct tun_hdr h = template(t, bits & 2, kinds[bits / 4].csum);
		bool csum = h.csum;
		struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
		struct virtio_net_hdr v;
		unsigned n;
		int why;

		ref_build(&f, &c);
		/* GRE's own checksum cannot be there before the frame is cut. */
		if (!strcmp(t->name, "gre") && !strcmp(kinds[bits / 4].csum, "on"))
			continue;
		m = push(t, to_mbuf(&f), &h);
		pop(t, m, csum, NULL);
		assert_int_equal(offl_need(m), OFFL_CSUM | (bits & 1 ? OFFL_TSO6 : OFFL_TSO4));
		offl_from_mbuf(m, &v);
		assert_int_equal(v.csum_start, f.l4);
		assert_int_equal(v.gso_size, 1336);
		n = offl_resolve(m, 0, env_pool, out, OFFL_MAX_SEGS, &why);
		assert_null(ref_verify(&f, out, n, c.mss, false));
		rte_pktmbuf_free_bulk(out, n);
	}
	env_no_mbuf_is_lost();
}

/* STT: the long frame becomes a TCP packet that is cut, and is whole again at the far end, with what was left undone. */
static void
a_frame_that_stt_carries_is_as_its_sender_left_it(void **state UNUSED)
{
	const struct tun_type *t = tun_type_find("stt");

	for (unsigned bits = 0; bits < 8; bits++) {
		struct ref_conf c = { .v6 = bits & 1, .gso = bits & 4 ? VIRTIO_NET_HDR_GSO_NONE : bits & 1 ? VIRTIO_NET_HDR_GSO_TCPV6
									: VIRTIO_NET_HDR_GSO_TCPV4,
			.payload = bits & 4 ? 1001 : 60001, .mss = 1336 };
		struct tun_hdr h = template(t, bits & 2, NULL);
		struct rte_mbuf *m, *out[OFFL_MAX_SEGS], *whole = NULL;
		struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
		struct tun_meta meta = { 0 };
		const char *wrong;
		uint16_t need;
		unsigned n;
		int why;

		h.seg_len = 1400;
		ref_build(&f, &c);
		m = push(t, to_mbuf(&f), &h);
		n = offl_resolve(m, 0, env_pool, out, OFFL_MAX_SEGS, &why);
		assert_true(n >= (bits & 4 ? 1 : 40));
		for (unsigned i = 0; i < n; i++) {
			assert_null(whole);
			whole = pop(t, out[i], true, &meta);
		}
		assert_non_null(whole);
		assert_int_equal(whole->pkt_len, f.len);
		assert_int_equal(meta.key, 5001);
		assert_int_equal(meta.offl & (TUN_OFFL_PARTIAL | TUN_OFFL_TCP), TUN_OFFL_PARTIAL | TUN_OFFL_TCP);
		assert_int_equal(!!(meta.offl & TUN_OFFL_IP4), !c.v6);
		assert_int_equal(meta.offl_l4, f.l4);
		assert_int_equal(meta.offl_mss, c.gso ? 1336 : 0);
		v.csum_start = meta.offl_l4;
		v.csum_offset = 16;
		v.gso_size = meta.offl_mss;
		v.gso_type = (uint8_t)c.gso;
		assert_true(offl_check(&v, rte_pktmbuf_mtod(whole, const uint8_t *), whole->data_len, whole->pkt_len, &need));
		offl_to_mbuf(whole, &v, need);
		n = offl_resolve(whole, 0, env_pool, out, OFFL_MAX_SEGS, &why);
		wrong = ref_verify(&f, out, n, c.gso ? c.mss : UINT32_MAX, false);
		if (wrong)
			fail_msg("%u: %s", bits, wrong);
		rte_pktmbuf_free_bulk(out, n);
	}
	env_no_mbuf_is_lost();
}

static void
tags_and_labels_put_on_later_are_on_each_segment(void **state UNUSED)
{
	struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 9000, .mss = 1448, .tags = 1 };
	struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
	unsigned n;
	int why;

	ref_build(&f, &c);
	m = to_mbuf(&f);
	assert_true(edit_push_pbb(m, 42));
	/* Nobody else finds the IP header behind it. */
	assert_true(offl_need(m) & OFFL_TUNNEL);
	n = offl_resolve(m, OFFL_ALL & ~OFFL_TUNNEL, env_pool, out, OFFL_MAX_SEGS, &why);
	assert_int_equal(n, 7);
	for (unsigned i = 0; i < n; i++)
		assert_true(edit_pop_pbb(out[i]));
	assert_null(ref_verify(&f, out, n, c.mss, false));
	rte_pktmbuf_free_bulk(out, n);
	env_no_mbuf_is_lost();
}

/* --- Sharing -------------------------------------------------------------------------------- */

static void
a_checksum_is_completed_in_a_copy_while_others_hold_the_packet(void **state UNUSED)
{
	struct ref_conf c = { .udp = true, .payload = 3001 };
	struct rte_mbuf *m, *out[1];
	int why;

	ref_build(&f, &c);
	m = to_mbuf(&f);
	rte_pktmbuf_refcnt_update(m, 1);
	assert_int_equal(offl_resolve(m, 0, env_pool, out, 1, &why), 1);
	assert_ptr_not_equal(out[0], m);
	assert_null(ref_verify(&f, out, 1, UINT32_MAX, false));
	assert_int_equal(offl_need(m), OFFL_CSUM);
	assert_null(ref_verify(&f, &m, 1, UINT32_MAX, true));
	rte_pktmbuf_free(out[0]);
	assert_int_equal(offl_resolve(m, 0, env_pool, out, 1, &why), 1);
	assert_ptr_equal(out[0], m);
	rte_pktmbuf_free(m);
	env_no_mbuf_is_lost();
}

static void
what_cannot_be_cut_is_dropped_with_a_reason(void **state UNUSED)
{
	struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 1000, .mss = 1 };
	struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
	int why = 0;

	ref_build(&f, &c);
	assert_int_equal(offl_resolve(to_mbuf(&f), 0, env_pool, out, OFFL_MAX_SEGS, &why), 0);
	assert_int_equal(why, DROP_TX_SEGMENT);
	/* Something wrote over the header that metadata speaks of. */
	c.mss = 100;
	ref_build(&f, &c);
	m = to_mbuf(&f);
	memset(rte_pktmbuf_mtod_offset(m, uint8_t *, f.l3), 0, 20);
	assert_int_equal(offl_resolve(m, 0, env_pool, out, OFFL_MAX_SEGS, &why), 0);
	assert_int_equal(why, DROP_TX_SEGMENT);
	env_no_mbuf_is_lost();
}

/* --- Virtio headers ------------------------------------------------------------------------- */

static bool
check(struct virtio_net_hdr v)
{
	/* A block of exactly its length: a sanitizer sees each byte read beyond. */
	uint32_t room = MIN_OF(f.len, 128u);
	uint8_t *b = malloc(room);
	uint16_t need;
	bool ok;

	memcpy(b, f.b, room);
	ok = offl_check(&v, b, room, f.len, &need);
	free(b);
	return ok;
}

static void
headers_that_contradict_their_frame_are_refused(void **state UNUSED)
{
	struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 5000, .mss = 1448 };
	struct virtio_net_hdr v;

	ref_build(&f, &c);
	assert_true(check(f.v));
	v = f.v, v.flags = 0;
	assert_false(check(v));
	v = f.v, v.gso_size = 0;
	assert_false(check(v));
	v = f.v, v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_false(check(v));
	v = f.v, v.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_false(check(v));
	v = f.v, v.gso_type = 2;
	assert_false(check(v));
	v = f.v, v.gso_type = VIRTIO_NET_HDR_GSO_ECN;
	assert_false(check(v));
	v = f.v, v.csum_offset = 6;
	assert_false(check(v));
	for (unsigned start = 0; start < 65536; start += start < 200 ? 1 : 97) {
		v = f.v;
		v.csum_start = (uint16_t)start;
		assert_int_equal(check(v), start == f.l4);
	}
	/* Lengths of the IP header, fragments, a TCP header that ends too early or too late. */
	f.b[f.l3 + 3]++;
	assert_false(check(f.v));
	f.b[f.l3 + 3] -= 2;
	assert_false(check(f.v));
	f.b[f.l3 + 3]++;
	f.b[f.l3 + 6] |= 0x20;
	assert_false(check(f.v));
	f.b[f.l3 + 6] &= 0xdf;
	f.b[f.l4 + 12] = 0x40;
	assert_false(check(f.v));
	f.b[f.l4 + 12] = 0x50;
	assert_true(check(f.v));
}

/* A guest may not show us one address and send another. */
static void
no_checksum_is_written_where_the_parser_looks(void **state UNUSED)
{
	struct ref_conf c = { .payload = 500 };

	for (unsigned k = 0; k < 4; k++) {
		c.v6 = k & 1;
		c.udp = k & 2;
		ref_build(&f, &c);
		for (unsigned start = 0; start < f.l4 + 20; start++)
			for (unsigned off = 0; off < 40; off++) {
				struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = (uint16_t)start,
							    .csum_offset = (uint16_t)off };

				if (start + off < f.l4 + (c.udp ? 6u : 16u))
					assert_false(check(v));
			}
	}
}

static void
a_hint_that_is_wrong_does_no_harm(void **state UNUSED)
{
	struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 5000, .mss = 1448, .tcp_opts = 3, .tags = 1 };
	static const uint16_t hints[] = { 0, 1, 54, 1000, 65535 };

	ref_build(&f, &c);
	for (unsigned i = 0; i < ARRAY_SIZE(hints); i++) {
		struct virtio_net_hdr v;

		f.v.hdr_len = hints[i];
		f.v.flags |= 0xfe;
		assert_int_equal(need_of(&f, &v), OFFL_CSUM | OFFL_TSO4);
		assert_int_equal(v.hdr_len, f.hdr_len);
		assert_int_equal(v.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	}
}

static void
a_frame_that_is_short_enough_is_not_cut(void **state UNUSED)
{
	struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 1448, .mss = 1448, .cwr = true };
	struct virtio_net_hdr v;

	ref_build(&f, &c);
	assert_int_equal(need_of(&f, &v), OFFL_CSUM);
	assert_int_equal(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	c.payload++;
	ref_build(&f, &c);
	assert_int_equal(need_of(&f, &v), OFFL_CSUM | OFFL_TSO4 | OFFL_ECN);
	assert_int_equal(v.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
}

/* A guest's own VXLAN: its kernel leaves the checksum of the packet inside. */
static void
checksums_without_words_in_metadata_are_completed_at_once(void **state UNUSED)
{
	struct ref_conf c = { .tunnel = REF_VXLAN, .payload = 901 };
	struct virtio_net_hdr v;
	struct rte_mbuf *m;

	ref_build(&f, &c);
	assert_int_equal(need_of(&f, &v), OFFL_CSUM);
	assert_int_equal(v.hdr_len, 0);
	m = to_mbuf(&f);
	assert_int_equal(offl_need(m), 0);
	assert_null(ref_verify(&f, &m, 1, UINT32_MAX, false));
	rte_pktmbuf_free(m);
	/* SCTP means its CRC. */
	c = (struct ref_conf){ .payload = 101, .udp = true };
	ref_build(&f, &c);
	f.b[f.l3 + 9] = 132;
	f.v.csum_offset = 8;
	m = to_mbuf(&f);
	assert_int_equal(offl_need(m), 0);
	assert_int_equal(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, f.l4 + 8)), edit_sctp_crc(m, f.l4, f.len));
	rte_pktmbuf_free(m);
	env_no_mbuf_is_lost();
}

static void
metadata_becomes_the_header_it_came_from(void **state UNUSED)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		struct ref_conf c = { .v6 = bits & 1, .gso = gso_types[bits >> 1], .payload = 9000, .mss = 1448, .tags = bits & 1,
			.tcp_opts = 3, .cwr = bits & 1 };
		struct virtio_net_hdr want, v;
		struct rte_mbuf *m;

		if (c.gso == VIRTIO_NET_HDR_GSO_TCPV4 && c.v6)
			c.gso = VIRTIO_NET_HDR_GSO_TCPV6;
		ref_build(&f, &c);
		need_of(&f, &want);
		m = to_mbuf(&f);
		/* An action may have written what it liked into the field. */
		ref_put16(rte_pktmbuf_mtod_offset(m, uint8_t *, f.l4 + f.v.csum_offset), 0x1234);
		offl_from_mbuf(m, &v);
		assert_memory_equal(&v, &want, sizeof v);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), f.b, f.hdr_len);
		rte_pktmbuf_free(m);
	}
	env_no_mbuf_is_lost();
}

static void
a_frame_in_pieces_becomes_buffers(void **state UNUSED)
{
	static const uint32_t first[] = { 60000, 14, 1, 128, 129, 2048, 5 };
	static struct frames fs;

	for (unsigned k = 0; k < ARRAY_SIZE(first); k++) {
		struct ref_conf c = { .gso = VIRTIO_NET_HDR_GSO_TCPV4, .payload = 20000, .mss = 1448 };
		uint32_t off, n = 0;
		struct rte_mbuf *m, *out[OFFL_MAX_SEGS];
		unsigned segs;
		int why;

		ref_build(&f, &c);
		fs.f[3] = (struct frame){ .first = { f.b, MIN_OF(first[k], f.len) }, .len = f.len, .more_at = 7 };
		for (off = fs.f[3].first.len; off < f.len; off += fs.more[7 + n++].len)
			fs.more[7 + n] = (struct frame_buf){ f.b + off, MIN_OF(100 + 50 * n, f.len - off) };
		fs.f[3].n_more = (uint16_t)n;
		fs.f[3].need = need_of(&f, &fs.f[3].vnet);
		frame_begin(&fs.f[3]);
		memcpy(fs.row[3] + FRAME_ROOM, f.b, FRAME_HDR);
		/* The sender writes to it after it was looked at. */
		f.b[3] ^= 0xff;
		m = frame_to_mbuf(&fs, 3, env_pool);
		f.b[3] ^= 0xff;
		assert_non_null(m);
		assert_true(m->data_len >= FRAME_HDR);
		segs = offl_resolve(m, 0, env_pool, out, OFFL_MAX_SEGS, &why);
		assert_null(ref_verify(&f, out, segs, c.mss, false));
		rte_pktmbuf_free_bulk(out, segs);
	}
	env_no_mbuf_is_lost();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_frame_comes_out_right),
		cmocka_unit_test(random_frames_come_out_right),
		cmocka_unit_test(segments_keep_their_checksum_undone_for_who_accepts_that),
		cmocka_unit_test(frames_are_cut_behind_the_tunnel_headers_that_were_put_on),
		cmocka_unit_test(a_long_frame_comes_out_of_its_tunnel_whole),
		cmocka_unit_test(a_frame_that_stt_carries_is_as_its_sender_left_it),
		cmocka_unit_test(tags_and_labels_put_on_later_are_on_each_segment),
		cmocka_unit_test(a_checksum_is_completed_in_a_copy_while_others_hold_the_packet),
		cmocka_unit_test(what_cannot_be_cut_is_dropped_with_a_reason),
		cmocka_unit_test(headers_that_contradict_their_frame_are_refused),
		cmocka_unit_test(no_checksum_is_written_where_the_parser_looks),
		cmocka_unit_test(a_hint_that_is_wrong_does_no_harm),
		cmocka_unit_test(a_frame_that_is_short_enough_is_not_cut),
		cmocka_unit_test(checksums_without_words_in_metadata_are_completed_at_once),
		cmocka_unit_test(metadata_becomes_the_header_it_came_from),
		cmocka_unit_test(a_frame_in_pieces_becomes_buffers),
	};

	return cmocka_run_group_tests(tests, env_start, env_stop);
}
