/* SPDX-License-Identifier: Apache-2.0 */
/* Setting fields against a plain model: it knows where each field of a frame is because it made the frame, writes the
 * bytes, and computes every checksum from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "datapath/edit_priv.h"
#include "frames.h"
#include "tests/tunnels/frame.h"

static uint64_t seed;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 32) % n;
}

enum kind {
	K_TCP4, K_UDP4, K_UDP4_NO_CSUM, K_ICMP4, K_SCTP4, K_OTHER4, K_TCP6, K_UDP6, K_ECHO6, K_NS, K_NA, K_SCTP6, K_ROUTED6,
	K_ARP, K_MPLS, K_PBB, K_UNKNOWN, K_SNAP_UDP4, K_N
};

enum frag { F_WHOLE, F_FIRST, F_LATER };

/* A frame and what is known of it. */
struct made {
	struct fb f;
	uint32_t at[ACT_N_FIELDS];      /* Where the field is; 0: not there. */
	bool eth;                       /* at[ACT_F_ETH_DST] is 0, and is there. */
	uint8_t ip, proto;
	bool l4;                        /* There is an L4 header, at f.l4. */
	bool frag, no_csum;
	uint8_t final_dst[16];          /* Of a routed IPv6 packet. */
	bool routed;
	uint8_t hidden[64];             /* What the other fragments carry. */
	uint32_t n_hidden;
	uint32_t l4_end;
};

/* --- Checksums from the start -------------------------------------------------------------- */

static uint32_t
plain_sum(uint32_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t
plain_csum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t
plain_crc32c(const uint8_t *p, uint32_t n)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (unsigned b = 0; b < 8; b++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
l4_checksum(struct made *x)
{
	static const uint8_t at[256] = { [6] = 16, [17] = 6, [1] = 2, [58] = 2, [132] = 8 };
	uint8_t *l4 = x->f.b + x->f.l4, *l3 = x->f.b + x->f.l3;
	uint32_t n = x->l4_end - x->f.l4, sum = 0;
	uint8_t all[2200];
	uint16_t c;

	if (!at[x->proto])
		return;
	if (x->proto == 132) {
		if (x->frag)
			return;
		memset(l4 + 8, 0, 4);
		store_be32(l4 + 8, plain_crc32c(l4, n));
		return;
	}
	if (x->no_csum) {
		put16(l4 + 6, 0);
		return;
	}
	put16(l4 + at[x->proto], 0);
	memcpy(all, l4, n);
	memcpy(all + n, x->hidden, x->n_hidden);
	n += x->n_hidden;
	if (x->proto != 1) {
		sum = plain_sum(sum, x->ip == 4 ? l3 + 12 : l3 + 8, x->ip == 4 ? 8 : 16);
		if (x->ip == 6)
			sum = plain_sum(sum, x->routed ? x->final_dst : l3 + 24, 16);
		sum += x->proto + n;
	}
	c = plain_csum(plain_sum(sum, all, n));
	put16(l4 + at[x->proto], x->proto == 17 && !c ? 0xffff : c);
}

static void
checksums(struct made *x)
{
	uint8_t *l3 = x->f.b + x->f.l3;

	if (x->ip == 4) {
		put16(l3 + 10, 0);
		put16(l3 + 10, plain_csum(plain_sum(0, l3, (l3[0] & 15) * 4u)));
	}
	if (x->l4)
		l4_checksum(x);
}

/* --- Frames -------------------------------------------------------------------------------- */

static void
random_bytes(struct made *x, uint32_t n)
{
	for (; n; n--)
		FB_BYTES(&x->f, (uint8_t)rnd(256));
}

static void
make_l4(struct made *x, enum kind k, enum frag frag)
{
	struct fb *f = &x->f;

	x->f.l4 = f->n;
	if (frag == F_LATER) {
		random_bytes(x, 16 + 8 * rnd(8));
		return;
	}
	if (frag == F_FIRST) {
		x->n_hidden = rnd(sizeof x->hidden + 1);
		for (unsigned i = 0; i < x->n_hidden; i++)
			x->hidden[i] = (uint8_t)rnd(256);
	}
	x->l4 = true;
	switch (x->proto) {
	case 6:
		fb_tcp(f, (uint16_t)rnd(65536), (uint16_t)rnd(65536), 0x10);
		x->at[ACT_F_TP_SRC] = x->f.l4;
		x->at[ACT_F_TP_DST] = x->f.l4 + 2;
		random_bytes(x, frag == F_FIRST ? 4 + 8 * rnd(9) : rnd(99));
		break;
	case 17: {
		uint32_t len = frag == F_FIRST ? 8 * rnd(9) : rnd(99);

		fb_udp(f, (uint16_t)rnd(65536), (uint16_t)rnd(65536), 0);
		random_bytes(x, len);
		put16(f->b + f->l4 + 4, (uint16_t)(8 + len + x->n_hidden));
		x->at[ACT_F_TP_SRC] = x->f.l4;
		x->at[ACT_F_TP_DST] = x->f.l4 + 2;
		x->no_csum = k == K_UDP4_NO_CSUM;
		break;
	}
	case 132:
		fb_sctp(f, (uint16_t)rnd(65536), (uint16_t)rnd(65536));
		random_bytes(x, 4 * rnd(30));
		if (!x->frag) {
			x->at[ACT_F_TP_SRC] = x->f.l4;
			x->at[ACT_F_TP_DST] = x->f.l4 + 2;
		}
		break;
	case 1:
		fb_icmp(f, (uint8_t)rnd(256), (uint8_t)rnd(4));
		random_bytes(x, rnd(64));
		x->at[ACT_F_ICMP_TYPE] = x->f.l4;
		x->at[ACT_F_ICMP_CODE] = x->f.l4 + 1;
		break;
	case 58:
		x->at[ACT_F_ICMP_TYPE] = x->f.l4;
		x->at[ACT_F_ICMP_CODE] = x->f.l4 + 1;
		if (k == K_ECHO6) {
			fb_icmp(f, 128, (uint8_t)rnd(4));
			random_bytes(x, rnd(64));
			break;
		}
		FB_BYTES(f, k == K_NS ? 135 : 136, 0, 0, 0, 0, 0, 0, 0);
		random_bytes(x, 16);
		x->at[ACT_F_ND_TARGET] = x->f.l4 + 8;
		if (rnd(2))
			FB_BYTES(f, 14, 1, 1, 2, 3, 4, 5, 6);   /* A nonce, in front. */
		for (unsigned n = rnd(3); n; n--) {
			enum act_field lladdr = k == K_NS ? ACT_F_ND_SLL : ACT_F_ND_TLL;

			if (!x->at[lladdr])
				x->at[lladdr] = f->n + 2;
			FB_BYTES(f, k == K_NS ? 1 : 2, 1, 2, 0, 0, 0, 0, (uint8_t)rnd(256));
		}
		break;
	default:
		x->l4 = false;
		random_bytes(x, rnd(40));
	}
}

static void
make_ip4(struct made *x, enum kind k, enum frag frag)
{
	static const uint8_t proto[K_N] = { [K_TCP4] = 6, [K_UDP4] = 17, [K_UDP4_NO_CSUM] = 17, [K_ICMP4] = 1,
					    [K_SCTP4] = 132, [K_OTHER4] = 89, [K_SNAP_UDP4] = 17 };

	x->ip = 4;
	x->proto = proto[k];
	x->frag = frag != F_WHOLE;
	fb_ip(&x->f, x->proto, (uint8_t)(4 * rnd(3)), frag == F_LATER ? 0x2010 : frag == F_FIRST ? 0x2000 : 0x4000);
	make_l4(x, k, frag);
	put16(x->f.b + x->f.l3 + 2, (uint16_t)(x->f.n - x->f.l3));
	x->at[ACT_F_IPV4_SRC] = x->f.l3 + 12;
	x->at[ACT_F_IPV4_DST] = x->f.l3 + 16;
	x->at[ACT_F_IP_TOS] = x->f.l3 + 1;
	x->at[ACT_F_IP_TTL] = x->f.l3 + 8;
}

static void
make_ip6(struct made *x, enum kind k, enum frag frag)
{
	static const uint8_t proto[K_N] = { [K_TCP6] = 6, [K_UDP6] = 17, [K_ECHO6] = 58, [K_NS] = 58, [K_NA] = 58,
					    [K_SCTP6] = 132, [K_ROUTED6] = 6 };
	uint8_t next = proto[k];

	x->ip = 6;
	x->proto = next;
	x->frag = frag != F_WHOLE;
	x->routed = k == K_ROUTED6;
	fb_ip6(&x->f, x->routed ? 0 : x->frag ? 44 : next);
	if (x->routed) {
		FB_BYTES(&x->f, 43, 0, 1, 4, 0, 0, 0, 0);
		FB_BYTES(&x->f, x->frag ? 44 : next, 2, 0, 1, 0, 0, 0, 0);
		random_bytes(x, 16);
		memcpy(x->final_dst, x->f.b + x->f.n - 16, 16);
	}
	if (x->frag)
		FB_BYTES(&x->f, next, 0, 0, frag == F_LATER ? 0x41 : 1, 1, 2, 3, 4);
	make_l4(x, k, frag);
	fb_ip6_done(&x->f);
	x->at[ACT_F_IPV6_SRC] = x->f.l3 + 8;
	x->at[ACT_F_IPV6_DST] = x->f.l3 + 24;
	x->at[ACT_F_IPV6_LABEL] = x->f.l3;
	x->at[ACT_F_IP_TOS] = x->f.l3;
	x->at[ACT_F_IP_TTL] = x->f.l3 + 7;
}

static void
make_other(struct made *x, enum kind k)
{
	struct fb *f = &x->f;

	switch (k) {
	case K_ARP:
		fb_arp(f, rnd(2) ? 0x0806 : 0x8035, 1);
		x->at[ACT_F_ARP_OP] = f->l3 + 6;
		x->at[ACT_F_ARP_SHA] = f->l3 + 8;
		x->at[ACT_F_ARP_SPA] = f->l3 + 14;
		x->at[ACT_F_ARP_THA] = f->l3 + 18;
		x->at[ACT_F_ARP_TPA] = f->l3 + 24;
		break;
	case K_MPLS:
		fb_be16(f, rnd(2) ? 0x8847 : 0x8848);
		x->at[ACT_F_MPLS_LSE] = f->n;
		random_bytes(x, 4);
		break;
	case K_PBB:
		fb_be16(f, 0x88e7);
		x->at[ACT_F_PBB_ITAG] = f->n;
		random_bytes(x, 18);
		break;
	default:
		fb_be16(f, 0x1234);
	}
	random_bytes(x, rnd(40));
}

static void
make(struct made *x, enum kind k, unsigned tags, enum frag frag)
{
	memset(x, 0, sizeof *x);
	fb_macs(&x->f, 2, 1);
	for (unsigned i = 0; i < tags; i++)
		fb_tag(&x->f, i ? 0x8100 : 0x88a8, (uint16_t)rnd(65536));
	x->at[ACT_F_ETH_TYPE] = x->f.n;
	if (k == K_SNAP_UDP4) {
		FB_BYTES(&x->f, 0, 100, 0xaa, 0xaa, 3, 0, 0, 0);
		x->at[ACT_F_ETH_TYPE] = x->f.n;
	}
	if (k <= K_OTHER4 || k == K_SNAP_UDP4)
		make_ip4(x, k, frag);
	else if (k <= K_ROUTED6)
		make_ip6(x, k, frag);
	else
		make_other(x, k);
	x->l4_end = x->f.n;
	x->at[ACT_F_ETH_SRC] = 6;
	x->at[ACT_F_VLAN_TCI] = tags ? 14 : 0;
	x->eth = true;
	checksums(x);
	/* Behind the packet: Ethernet's own padding, which no checksum covers. */
	if (rnd(2))
		random_bytes(x, rnd(20));
}

/* --- The model ----------------------------------------------------------------------------- */

static void
model_set(struct made *x, enum act_field f, const uint8_t *value, const uint8_t *mask)
{
	uint8_t *p = x->f.b + x->at[f];
	unsigned len = act_field_info[f].len;

	if (!x->at[f] && f != ACT_F_ETH_DST)
		return;
	for (unsigned i = 0; i < len; i++) {
		uint8_t m = mask[i];

		if (f == ACT_F_IPV6_LABEL)
			m &= (uint8_t[]){ 0, 0x0f, 0xff, 0xff }[i];
		if (f == ACT_F_IP_TOS && x->ip == 6) {
			uint8_t tos = (uint8_t)(p[0] << 4 | p[1] >> 4);

			tos = (uint8_t)((tos & ~m) | (value[i] & m));
			p[0] = (uint8_t)((p[0] & 0xf0) | tos >> 4);
			p[1] = (uint8_t)((p[1] & 0x0f) | tos << 4);
			return;
		}
		p[i] = (uint8_t)((p[i] & ~m) | (value[i] & m));
	}
}

static void
random_value(uint8_t *value, uint8_t *mask, enum act_field f)
{
	unsigned style = rnd(4);

	for (unsigned i = 0; i < act_field_info[f].len; i++) {
		value[i] = style == 3 ? 0 : (uint8_t)rnd(256);
		mask[i] = style ? 0xff : (uint8_t)rnd(256);
	}
}

/* An mbuf of the bytes, in several segments at times. */
static struct rte_mbuf *
mbuf_of(const struct fb *f, bool split)
{
	uint32_t first = split && f->n > 30 ? 14 + rnd(f->n - 20) : f->n;
	struct rte_mbuf *m = frame(f->b, first);

	for (uint32_t at = first, part; at < f->n; at += part) {
		part = 1 + rnd(f->n - at);
		frame_chain(m, frame(f->b + at, part));
	}
	return m;
}

static void
assert_bytes(const struct rte_mbuf *m, const struct fb *want)
{
	uint8_t got[2048];
	uint32_t n = 0;

	assert_int_equal(m->pkt_len, want->n);
	for (; m; m = m->next) {
		memcpy(got + n, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		n += m->data_len;
	}
	assert_int_equal(n, want->n);
	for (uint32_t i = 0; i < n; i++)
		if (got[i] != want->b[i])
			fail_msg("byte %u is %02x, not %02x", i, got[i], want->b[i]);
}

static void
try_sets(struct made *x, bool split)
{
	struct rte_mbuf *m = mbuf_of(&x->f, split);
	static struct act_list l;

	l.n = 0;
	l.overflow = false;
	for (unsigned n = 1 + rnd(4); n; n--) {
		enum act_field f = rnd(ACT_N_FIELDS);
		uint8_t value[16], mask[16];

		/* What a new type makes of the bytes behind it is not for this model; nor what a new ICMP type does. */
		if (f == ACT_F_ETH_TYPE || (f == ACT_F_ICMP_TYPE && x->proto == 58) || f == ACT_F_ICMP_CODE)
			continue;
		random_value(value, mask, f);
		act_add_set(&l, f, value, mask);
		model_set(x, f, value, mask);
	}
	checksums(x);
	if (!edit_set(m, l.a, l.n)) {
		uint8_t copy[2048];
		struct rte_mbuf *whole;
		uint32_t n = 0;

		assert_true(m->nb_segs > 1);
		for (struct rte_mbuf *s = m; s; s = s->next) {
			memcpy(copy + n, rte_pktmbuf_mtod(s, uint8_t *), s->data_len);
			n += s->data_len;
		}
		whole = frame(copy, m->pkt_len);
		frame_free(m);
		m = whole;
		assert_true(edit_set(m, l.a, l.n));
	}
	assert_bytes(m, &x->f);
	frame_free(m);
}

static void
random_sets_leave_every_checksum_as_if_computed_anew(void **state)
{
	static struct made x;

	(void)state;
	seed = hash_random_seed();
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < 30000; i++) {
		enum kind k = i % K_N;
		enum frag frag = rnd(3) ? F_WHOLE : rnd(2) ? F_FIRST : F_LATER;

		/* ICMP and neighbour discovery are not sent in fragments here. */
		if (k == K_ICMP4 || k == K_ECHO6 || k == K_NS || k == K_NA || k > K_ROUTED6)
			frag = F_WHOLE;
		make(&x, k, rnd(3), frag);
		if (x.frag && x.proto == 132 && frag == F_FIRST)
			continue;
		try_sets(&x, !rnd(3));
	}
}

static void
set_one(struct rte_mbuf *m, enum act_field f, const void *value)
{
	static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	static struct act_list l;

	l.n = 0;
	act_add_set(&l, f, value, ones);
	assert_true(edit_set(m, l.a, l.n));
}

static void
icmp_types_and_codes_change_their_checksum(void **state)
{
	static struct made x;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum act_field f = i & 1 ? ACT_F_ICMP_CODE : ACT_F_ICMP_TYPE;
		struct rte_mbuf *m;

		make(&x, i & 2 ? K_ECHO6 : K_ICMP4, 0, F_WHOLE);
		m = frame(x.f.b, x.f.n);
		set_one(m, f, (uint8_t[]){ 77 });
		x.f.b[x.at[f]] = 77;
		checksums(&x);
		assert_bytes(m, &x.f);
		frame_free(m);
	}
}

/* RFC 768: a checksum that comes to zero is sent as all ones; zero would say that there is none. */
static void
a_udp_checksum_never_becomes_zero(void **state)
{
	static struct made x;
	struct rte_mbuf *m;
	uint8_t port[2];

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		make(&x, v6 ? K_UDP6 : K_UDP4, 0, F_WHOLE);
		put16(x.f.b + x.f.l4, 0);
		checksums(&x);
		/* This source port makes the sum all ones. */
		memcpy(port, x.f.b + x.f.l4 + 6, 2);
		m = frame(x.f.b, x.f.n);
		set_one(m, ACT_F_TP_SRC, port);
		assert_int_equal(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, x.f.l4 + 6)), 0xffff);
		frame_free(m);
	}
}

static void
a_wrong_checksum_stays_wrong(void **state)
{
	static struct made x;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		enum kind k = i ? K_SCTP4 : K_TCP4;
		uint32_t at;
		struct rte_mbuf *m;

		make(&x, k, 0, F_WHOLE);
		at = x.f.l4 + (i ? 8 : 16);
		x.f.b[at] ^= 0x40;
		m = frame(x.f.b, x.f.n);
		set_one(m, ACT_F_TP_DST, (uint8_t[]){ 1, 2 });
		put16(x.f.b + x.f.l4 + 2, 0x0102);
		checksums(&x);
		assert_int_not_equal(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, at)), load_be32(x.f.b + at));
		frame_free(m);
	}
}

static void
ports_of_an_sctp_fragment_are_refused(void **state)
{
	static const uint8_t ones[2] = { 255, 255 };
	static struct act_list l;
	static struct made x;
	struct rte_mbuf *m;

	(void)state;
	make(&x, K_SCTP4, 0, F_FIRST);
	m = frame(x.f.b, x.f.n);
	act_add_set(&l, ACT_F_TP_DST, ones, ones);
	assert_false(edit_set(m, l.a, l.n));
	frame_free(m);
}

static void
a_new_ethernet_type_tells_what_follows_it(void **state)
{
	static const uint8_t ones[4] = { 255, 255, 255, 255 };
	static struct act_list l;
	static struct made x;
	struct rte_mbuf *m;

	(void)state;
	make(&x, K_TCP4, 1, F_WHOLE);
	m = frame(x.f.b, x.f.n);
	act_add_set(&l, ACT_F_ETH_TYPE, (uint8_t[]){ 0x88, 0x47 }, ones);
	act_add_set(&l, ACT_F_IPV4_SRC, (uint8_t[]){ 1, 1, 1, 1 }, ones);
	act_add_set(&l, ACT_F_MPLS_LSE, (uint8_t[]){ 1, 2, 3, 4 }, ones);
	assert_true(edit_set(m, l.a, l.n));
	put16(x.f.b + 16, 0x8847);
	memcpy(x.f.b + 18, (uint8_t[]){ 1, 2, 3, 4 }, 4);
	assert_bytes(m, &x.f);
	frame_free(m);
}

/* The sanitizer sees each byte that is touched and not there. */
static void
each_truncation_of_each_kind_is_survived(void **state)
{
	static const uint8_t value[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	static struct act_list l;
	static struct made x;

	(void)state;
	seed = 1;
	for (enum act_field f = 0; f < ACT_N_FIELDS; f++)
		act_add_set(&l, f, value, ones);
	for (unsigned i = 0; i < 4 * K_N; i++) {
		make(&x, i % K_N, i / K_N % 3, i >= 3 * K_N ? F_FIRST : F_WHOLE);
		for (uint32_t n = 0; n <= x.f.n; n++)
			for (unsigned j = 0; j < l.n; j += 1 + l.a[j].arg) {
				struct rte_mbuf *m = frame(x.f.b, n);

				edit_set(m, &l.a[j], 1 + l.a[j].arg);
				frame_free(m);
				/* More than this segment has. */
				m = frame(x.f.b, n);
				frame_chain(m, frame(x.f.b + n, x.f.n - n));
				edit_set(m, &l.a[j], 1 + l.a[j].arg);
				frame_free(m);
			}
	}
}

static void
mutated_frames_are_survived(void **state)
{
	static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	static const uint8_t nasty[] = { 0, 1, 2, 4, 6, 17, 43, 44, 51, 58, 60, 132, 135, 0x81, 0x86, 0x88, 0xa8, 255 };
	static struct act_list l;
	static struct made x;

	(void)state;
	seed = hash_random_seed();
	print_message("seed %llu\n", (unsigned long long)seed);
	for (enum act_field f = 0; f < ACT_N_FIELDS; f++)
		if (f != ACT_F_ETH_TYPE)
			act_add_set(&l, f, ones, ones);
	for (unsigned i = 0; i < 30000; i++) {
		struct rte_mbuf *m;

		make(&x, rnd(K_N), rnd(3), rnd(3));
		for (unsigned n = rnd(8); n; n--)
			x.f.b[12 + rnd(x.f.n - 12)] = nasty[rnd(sizeof nasty)];
		if (rnd(2))
			x.f.n = 14 + rnd(x.f.n - 13);
		m = mbuf_of(&x.f, rnd(2));
		edit_set(m, l.a, l.n);
		frame_free(m);
	}
}

/* --- MPLS and PBB -------------------------------------------------------------------------- */

static struct rte_mbuf *
with_room(const struct fb *f)
{
	return frame_room(f->b, f->n, 64);
}

static void
a_label_goes_behind_the_tags(void **state)
{
	(void)state;
	for (unsigned tags = 0; tags < 3; tags++) {
		uint32_t at = 12 + 4 * tags;
		struct fb want;
		struct rte_mbuf *m;
		static struct made x;

		make(&x, K_UDP4, tags, F_WHOLE);
		m = with_room(&x.f);
		assert_true(edit_push_mpls(m, 0x8848, 0x12345678));
		want = (struct fb){ .n = x.f.n + 4 };
		memcpy(want.b, x.f.b, at);
		memcpy(want.b + at, (uint8_t[]){ 0x88, 0x48, 0x12, 0x34, 0x56, 0x78 }, 6);
		memcpy(want.b + at + 6, x.f.b + at + 2, x.f.n - at - 2);
		assert_bytes(m, &want);
		assert_true(edit_push_mpls(m, 0x8847, 1));
		assert_true(edit_pop_mpls(m, 0x8848));
		assert_bytes(m, &want);
		assert_true(edit_pop_mpls(m, 0x0800));
		assert_bytes(m, &x.f);
		assert_false(edit_pop_mpls(m, 0x0800));
		assert_bytes(m, &x.f);
		frame_free(m);
	}
}

static void
a_backbone_header_has_the_addresses_of_its_frame(void **state)
{
	(void)state;
	for (unsigned tags = 0; tags < 3; tags++) {
		static const uint8_t itag[6] = { 0x88, 0xe7, 0x51, 0xab, 0xcd, 0xef };
		static struct made x;
		struct rte_mbuf *m;
		struct fb want;

		make(&x, K_UDP6, tags, F_WHOLE);
		m = with_room(&x.f);
		assert_true(edit_push_pbb(m, 0x51abcdef));
		want = (struct fb){ .n = x.f.n + 18 };
		memcpy(want.b, x.f.b, 12);
		memcpy(want.b + 12, itag, 6);
		memcpy(want.b + 18, x.f.b, x.f.n);
		assert_bytes(m, &want);
		assert_true(edit_pop_pbb(m));
		assert_bytes(m, &x.f);
		assert_false(edit_pop_pbb(m));
		frame_free(m);
	}
}

static void
backbone_tags_stay_when_the_header_goes(void **state)
{
	static const uint8_t in[] = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xa8, 0, 7, 0x88, 0xe7, 0, 0, 0, 9,
				      3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 0x12, 0x34, 5 };
	static const uint8_t out[] = { 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 0x88, 0xa8, 0, 7, 0x12, 0x34, 5 };
	struct rte_mbuf *m = frame(in, sizeof in);

	(void)state;
	assert_true(edit_pop_pbb(m));
	assert_int_equal(m->data_len, sizeof out);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), out, sizeof out);
	frame_free(m);
}

static void
headers_that_do_not_fit_are_refused(void **state)
{
	static struct made x;

	(void)state;
	for (unsigned k = 0; k < K_N; k++) {
		struct rte_mbuf *m;

		make(&x, k, 1, F_WHOLE);
		for (uint32_t n = 0; n <= x.f.n; n++) {
			/* No room in front. */
			m = frame(x.f.b, n);
			assert_false(edit_push_mpls(m, 0x8847, 0));
			assert_false(edit_push_pbb(m, 0));
			if (k != K_MPLS)
				assert_false(edit_pop_mpls(m, 0x0800));
			if (k != K_PBB || n < 36)
				assert_false(edit_pop_pbb(m));
			frame_free(m);
		}
	}
	/* 802.3 tells a length: a label is not for such frames. */
	make(&x, K_SNAP_UDP4, 0, F_WHOLE);
	struct rte_mbuf *m = with_room(&x.f);

	assert_false(edit_push_mpls(m, 0x8847, 0));
	frame_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sets_leave_every_checksum_as_if_computed_anew),
		cmocka_unit_test(icmp_types_and_codes_change_their_checksum),
		cmocka_unit_test(a_udp_checksum_never_becomes_zero),
		cmocka_unit_test(a_wrong_checksum_stays_wrong),
		cmocka_unit_test(ports_of_an_sctp_fragment_are_refused),
		cmocka_unit_test(a_new_ethernet_type_tells_what_follows_it),
		cmocka_unit_test(each_truncation_of_each_kind_is_survived),
		cmocka_unit_test(mutated_frames_are_survived),
		cmocka_unit_test(a_label_goes_behind_the_tags),
		cmocka_unit_test(a_backbone_header_has_the_addresses_of_its_frame),
		cmocka_unit_test(backbone_tags_stay_when_the_header_goes),
		cmocka_unit_test(headers_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
