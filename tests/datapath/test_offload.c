/* SPDX-License-Identifier: Apache-2.0 */
/* Offloads: what a virtio header asks for is checked, becomes metadata and back; and what a receiver cannot take is
 * done in software: each packet that comes out is verified byte by byte by code of the tests' own. */
#include "datapath/drop.h"
#include "datapath/edit_priv.h"
#include "datapath/frame.h"
#include "datapath/offload.h"
#include "tests/datapath/offl_ref.h"
#include "tests/datapath/portenv.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_frame_comes_out_right),
		cmocka_unit_test(random_frames_come_out_right),
		cmocka_unit_test(segments_keep_their_checksum_undone_for_who_accepts_that),
	};

	return cmocka_run_group_tests(tests, env_start, env_stop);
}
