/* SPDX-License-Identifier: Apache-2.0 */
/* Outer headers of packets that come in: what passes, and each way to be refused. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/csum.h"
#include "tests/tunnels/frame.h"
#include "tunnels/tun.h"

enum { V4_LEN = 14 + 20 + 8, V6_LEN = 14 + 40 + 8, PAYLOAD = 30, MAX = 256 };

/* A frame under construction. */
struct draft {
	uint8_t b[MAX];
	uint32_t len, l4;
	bool v6;
};

static void
draft_csum(struct draft *d)
{
	uint32_t len = d->len - d->l4;
	uint64_t sum = (uint64_t)be16(len) + be16(IPPROTO_UDP);
	uint16_t c;

	store_be16(d->b + d->l4 + 6, 0);
	sum = csum_add(sum, d->b + 14 + (d->v6 ? 8 : 12), d->v6 ? 32 : 8);
	c = ~csum_fold(csum_add(sum, d->b + d->l4, len));
	store_be16(d->b + d->l4 + 6, c ? c : 0xffff);
}

static void
draft_ip_csum(struct draft *d)
{
	uint32_t hlen = d->l4 - 14;

	if (d->v6)
		return;
	store_be16(d->b + 24, 0);
	store_be16(d->b + 24, ~csum_fold(csum_add(0, d->b + 14, hlen)));
}

/* 'ext' bytes of IP options or extension headers in front of UDP. */
static struct draft
draft(bool v6, const void *ext, uint32_t ext_len)
{
	struct draft d = { .v6 = v6, .l4 = 14 + (v6 ? 40 : 20) + ext_len };
	uint8_t *ip = d.b + 14, *udp = d.b + d.l4;

	d.len = d.l4 + 8 + PAYLOAD;
	memcpy(d.b, "\x02\xaa\0\0\0\x02\x02\xaa\0\0\0\x01", 12);
	store_be16(d.b + 12, be16(v6 ? 0x86dd : 0x0800));
	if (v6) {
		ip[0] = 0x6b;
		ip[1] = 0x90;           /* Traffic class 0xb9. */
		store_be16(ip + 4, be16(d.len - 54));
		ip[6] = ext_len ? 60 : IPPROTO_UDP;
		ip[7] = 61;
		memcpy(ip + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
		memcpy(ip + 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
		memcpy(ip + 40, ext, ext_len);
	} else {
		ip[0] = 0x45 + ext_len / 4;
		ip[1] = 0xb9;
		store_be16(ip + 2, be16(d.len - 14));
		ip[6] = 0x40;
		ip[8] = 61;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, "\xac\x10\0\1\xac\x10\0\2", 8);
		memcpy(ip + 20, ext, ext_len);
	}
	store_be16(udp, be16(50000));
	store_be16(udp + 2, be16(4789));
	store_be16(udp + 4, be16(8 + PAYLOAD));
	for (unsigned i = 0; i < PAYLOAD; i++)
		udp[8 + i] = i * 7;
	draft_ip_csum(&d);
	draft_csum(&d);
	return d;
}

/* The answer of check() for the first 'len' bytes. */
static int
check_len(const struct draft *d, uint32_t len)
{
	struct rte_mbuf *m = frame(d->b, len);
	struct tun_outer o;
	int rc = tun_outer_check(m, &o);

	frame_free(m);
	return rc;
}

static int
check(const struct draft *d)
{
	return check_len(d, d->len);
}

static bool
peek(const struct draft *d, uint32_t len)
{
	struct rte_mbuf *m = frame(d->b, len);
	struct tun_outer o;
	bool yes = tun_outer_peek(m, &o);

	frame_free(m);
	return yes;
}

/* --- What passes --------------------------------------------------------------------------- */

static void
good_packet_yields_all_its_fields(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct draft d = draft(v6, "", 0);
		struct rte_mbuf *m = frame(d.b, d.len);
		struct tun_outer o;
		char src[IP_STR_LEN], dst[IP_STR_LEN];

		memset(&o, 0x55, sizeof o);
		assert_true(tun_outer_peek(m, &o));
		assert_int_equal(o.port, 4789);
		assert_int_equal(o.ip_proto, IPPROTO_UDP);
		assert_memory_equal(&o.eth_dst, d.b, 6);
		assert_string_equal(ip_format(o.dst, dst), v6 ? "2001:db8::2" : "172.16.0.2");
		assert_int_equal(o.v6, v6);

		memset(&o, 0x55, sizeof o);
		assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
		assert_memory_equal(&o.eth_dst, d.b, 6);
		assert_memory_equal(&o.eth_src, d.b + 6, 6);
		assert_string_equal(ip_format(o.src, src), v6 ? "2001:db8::1" : "172.16.0.1");
		assert_string_equal(ip_format(o.dst, dst), v6 ? "2001:db8::2" : "172.16.0.2");
		assert_int_equal(o.v6, v6);
		assert_int_equal(o.tos, 0xb9);
		assert_int_equal(o.ttl, 61);
		assert_int_equal(o.port, 4789);
		assert_false(o.csum_zero);
		assert_int_equal(o.len, v6 ? V6_LEN : V4_LEN);
		assert_int_equal(o.total_len, d.len);
		assert_int_equal(m->pkt_len, d.len);
		frame_free(m);
	}
}

static void
options_and_harmless_extension_headers_are_skipped(void **state)
{
	static const uint8_t rr[8] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	/* Destination options, then hop-by-hop, then UDP. */
	static const uint8_t ext[24] = { [0] = 0, [1] = 1, [16] = IPPROTO_UDP, [17] = 0 };
	struct draft v4 = draft(false, rr, sizeof rr), v6 = draft(true, ext, sizeof ext);

	(void)state;
	assert_true(peek(&v4, v4.len));
	assert_int_equal(check(&v4), TUN_OUTER_OK);
	assert_true(peek(&v6, v6.len));
	assert_int_equal(check(&v6), TUN_OUTER_OK);
}

static void
zero_checksum_passes_and_is_reported(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct draft d = draft(v6, "", 0);
		struct tun_outer o;

		store_be16(d.b + d.l4 + 6, 0);

		struct rte_mbuf *m = frame(d.b, d.len);

		assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
		assert_true(o.csum_zero);
		frame_free(m);
	}
}

static void
link_padding_is_cut_off_over_segments(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (uint32_t first = V6_LEN; first < 72; first++) {
			struct draft d = draft(v6, "", 0);
			uint8_t rest[60] = { 0 };
			struct rte_mbuf *m = frame(d.b, first), *tail;
			struct tun_outer o;

			/* The padding starts inside the second segment: none is freed. */
			memcpy(rest, d.b + first, d.len - first);
			tail = frame(rest, sizeof rest);
			frame_chain(m, tail);
			assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
			assert_int_equal(m->pkt_len, d.len);
			assert_int_equal(m->nb_segs, 2);
			assert_int_equal(tail->data_len, d.len - first);
			frame_free(m);
		}
}

static void
padding_of_one_segment_is_cut_off(void **state)
{
	struct draft d = draft(false, "", 0);
	struct rte_mbuf *m = frame(d.b, d.len + 18);
	struct tun_outer o;

	(void)state;
	assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
	assert_int_equal(m->pkt_len, d.len);
	assert_int_equal(m->data_len, d.len);
	frame_free(m);
}

static void
checksum_flags_are_believed_and_cleared(void **state)
{
	struct draft d = draft(true, "", 0);
	const uint64_t flags[] = { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE };

	(void)state;
	d.b[d.len - 1] ^= 1;
	assert_int_equal(check(&d), TUN_OUTER_CSUM);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct rte_mbuf *m = frame(d.b, d.len);
		struct tun_outer o;

		m->ol_flags = flags[i];
		assert_int_equal(tun_outer_check(m, &o), TUN_OUTER_OK);
		assert_int_equal(m->ol_flags, 0);
		frame_free(m);
	}
}

/* --- What does not ------------------------------------------------------------------------- */

static void
every_truncation_is_short(void **state)
{
	static const uint8_t ext[8] = { IPPROTO_UDP };

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct draft d = draft(kind & 1, ext, kind & 2 ? 8 : 0);

		for (uint32_t len = 0; len < d.len; len++) {
			assert_int_equal(peek(&d, len), len >= d.l4 + 8);
			assert_int_equal(check_len(&d, len), TUN_OUTER_SHORT);
		}
		assert_int_equal(check(&d), TUN_OUTER_OK);
	}
}

static void
lengths_that_disagree_are_short(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct draft good = draft(v6, "", 0);
		uint32_t ip_len_at = v6 ? 18 : 16;

		for (int delta = -40; delta <= 40; delta++) {
			struct draft d = good;

			if (!delta)
				continue;
			store_be16(d.b + d.l4 + 4, be16(8 + PAYLOAD + delta));
			draft_csum(&d);
			assert_int_equal(check(&d), TUN_OUTER_SHORT);

			d = good;
			store_be16(d.b + ip_len_at, be16(host16(load_be16(d.b + ip_len_at)) + delta));
			draft_ip_csum(&d);
			assert_int_equal(check(&d), TUN_OUTER_SHORT);
		}
		/* Both agree on more than there is. */
		struct draft d = good;

		store_be16(d.b + d.l4 + 4, be16(8 + PAYLOAD + 1));
		store_be16(d.b + ip_len_at, be16(host16(load_be16(d.b + ip_len_at)) + 1));
		draft_ip_csum(&d);
		assert_int_equal(check(&d), TUN_OUTER_SHORT);
	}
}

static void
every_flipped_bit_of_what_is_summed_is_found(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct draft d = draft(v6, "", 0);
		/* IPv6 leaves its own header but for the addresses unsummed. */
		uint32_t from = v6 ? 22 : 14;

		for (uint32_t bit = from * 8; bit < d.len * 8; bit++) {
			d.b[bit / 8] ^= 1 << bit % 8;
			assert_int_not_equal(check(&d), TUN_OUTER_OK);
			d.b[bit / 8] ^= 1 << bit % 8;
		}
		assert_int_equal(check(&d), TUN_OUTER_OK);
		d.b[d.len - 1] ^= 0x80;
		assert_int_equal(check(&d), TUN_OUTER_CSUM);
	}
}

static void
wrong_ipv4_header_checksum_is_told(void **state)
{
	struct draft d = draft(false, "", 0);

	(void)state;
	d.b[14 + 8]--;
	assert_int_equal(check(&d), TUN_OUTER_CSUM);
}

static void
fragments_are_told_and_later_ones_are_nobodys(void **state)
{
	static const uint8_t first[8] = { IPPROTO_UDP, 0, 0, 1 }, later[8] = { IPPROTO_UDP, 0, 0, 9 };
	struct draft d = draft(false, "", 0);

	(void)state;
	store_be16(d.b + 20, be16(0x2000));
	draft_ip_csum(&d);
	assert_true(peek(&d, d.len));
	assert_int_equal(check(&d), TUN_OUTER_FRAGMENT);
	store_be16(d.b + 20, be16(0x0001));
	draft_ip_csum(&d);
	assert_false(peek(&d, d.len));
	assert_int_equal(check(&d), TUN_OUTER_FRAGMENT);

	d = draft(true, first, sizeof first);
	d.b[20] = IPPROTO_FRAGMENT;
	assert_true(peek(&d, d.len));
	assert_int_equal(check(&d), TUN_OUTER_FRAGMENT);
	d = draft(true, later, sizeof later);
	d.b[20] = IPPROTO_FRAGMENT;
	assert_false(peek(&d, d.len));
	assert_int_equal(check(&d), TUN_OUTER_FRAGMENT);
}

static void
routing_headers_and_endless_chains_are_refused(void **state)
{
	static const uint8_t rh[8] = { IPPROTO_UDP };
	uint8_t chain[48] = { 0 };
	struct draft d = draft(true, rh, sizeof rh);

	(void)state;
	d.b[20] = IPPROTO_ROUTING;
	assert_int_equal(check(&d), TUN_OUTER_OPTIONS);
	for (unsigned i = 0; i < sizeof chain; i += 8)
		chain[i] = i + 8 < sizeof chain ? IPPROTO_DSTOPTS : IPPROTO_UDP;
	d = draft(true, chain, sizeof chain);
	assert_false(peek(&d, d.len));
	assert_int_not_equal(check(&d), TUN_OUTER_OK);
	/* A header that claims to reach far beyond the packet. */
	chain[1] = 255;
	d = draft(true, chain, 8);
	assert_false(peek(&d, d.len));
}

static void
sources_that_are_no_unicast_are_refused(void **state)
{
	static const uint8_t bad4[][4] = { { 0 }, { 127, 0, 0, 1 }, { 224, 0, 0, 1 }, { 255, 255, 255, 255 } };
	static const uint8_t bad6[][16] = { { 0 }, { [15] = 1 }, { 0xff, 2, [15] = 1 },
					{ [10] = 0xff, 0xff, 192, 0, 2, 2 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad4); i++) {
		struct draft d = draft(false, "", 0);

		memcpy(d.b + 26, bad4[i], 4);
		draft_ip_csum(&d);
		draft_csum(&d);
		assert_int_equal(check(&d), TUN_OUTER_SOURCE);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad6); i++) {
		struct draft d = draft(true, "", 0);

		memcpy(d.b + 22, bad6[i], 16);
		draft_csum(&d);
		assert_int_equal(check(&d), TUN_OUTER_SOURCE);
	}
}

static void
other_protocols_and_versions_are_not_ours(void **state)
{
	struct draft d = draft(false, "", 0);

	(void)state;
	d.b[23] = IPPROTO_ICMP;
	assert_false(peek(&d, d.len));
	d = draft(false, "", 0);
	d.b[14] = 0x44;
	assert_false(peek(&d, d.len));
	d.b[14] = 0x65;
	assert_false(peek(&d, d.len));
	d = draft(false, "", 0);
	store_be16(d.b + 12, be16(0x0806));
	assert_false(peek(&d, d.len));
	d = draft(true, "", 0);
	d.b[14] = 0x45;
	assert_false(peek(&d, d.len));
	d = draft(true, "", 0);
	d.b[20] = IPPROTO_ICMPV6;
	assert_false(peek(&d, d.len));
}

/* --- ECN ----------------------------------------------------------------------------------- */

/* RFC 6040, figure 4, as it is printed: rows by inner, columns by outer, in the order 00 10 01 11.  'd'
 * stands for drop. */
static const char figure4[4][5] = { "000d", "2213", "1113", "3333" };
static const uint8_t order[4] = { 0, 2, 1, 3 };

static void
ecn_follows_figure_4_in_both_families_and_behind_tags(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4 * 4 * 2 * 3; n++) {
		unsigned inner = n % 4, outer = n / 4 % 4, tags = n / 32;
		bool v6 = n / 16 % 2;
		struct draft d = draft(v6, "", 0);
		uint8_t b[MAX];
		uint32_t l3 = 14 + tags * 4;
		uint8_t *ip = b + l3, tos = 0xb8 | order[inner];
		struct rte_mbuf *m;
		bool kept;

		/* The draft plays the inner frame. */
		if (v6)
			d.b[15] = (tos & 15) << 4;
		else
			d.b[15] = tos;
		draft_ip_csum(&d);
		memcpy(b, d.b, 12);
		for (unsigned t = 0; t < tags; t++)
			memcpy(b + 12 + t * 4, t ? "\x81\x00\x00\x0a" : "\x88\xa8\x00\x0b", 4);
		memcpy(b + 12 + tags * 4, d.b + 12, d.len - 12);

		m = frame(b, d.len + tags * 4);
		kept = tun_ecn_decap(m, 0x04 | order[outer]);
		memcpy(b, rte_pktmbuf_mtod(m, void *), m->data_len);
		assert_int_equal(kept, figure4[inner][outer] != 'd');
		if (kept) {
			unsigned want = figure4[inner][outer] - '0';

			assert_int_equal(v6 ? host16(load_be16(ip)) >> 4 & 0xff : ip[1], 0xb8 | want);
			if (!v6)
				assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0xffff);
			else
				assert_int_equal(ip[0] << 8 | (ip[1] & 15), 0x6b00);
		}
		frame_free(m);
	}
}

static void
congestion_mark_on_what_is_not_ip_changes_nothing(void **state)
{
	struct draft d = draft(false, "", 0);

	(void)state;
	d.b[15] = 0;
	for (uint32_t len = 0; len < 14 + 20; len++) {
		struct rte_mbuf *m = frame(d.b, len);

		assert_true(tun_ecn_decap(m, 3));
		if (len)
			assert_memory_equal(rte_pktmbuf_mtod(m, void *), d.b, len);
		frame_free(m);
	}
	store_be16(d.b + 12, be16(0x0806));

	struct rte_mbuf *m = frame(d.b, d.len);

	assert_true(tun_ecn_decap(m, 3));
	frame_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_packet_yields_all_its_fields),
		cmocka_unit_test(options_and_harmless_extension_headers_are_skipped),
		cmocka_unit_test(zero_checksum_passes_and_is_reported),
		cmocka_unit_test(link_padding_is_cut_off_over_segments),
		cmocka_unit_test(padding_of_one_segment_is_cut_off),
		cmocka_unit_test(checksum_flags_are_believed_and_cleared),
		cmocka_unit_test(every_truncation_is_short),
		cmocka_unit_test(lengths_that_disagree_are_short),
		cmocka_unit_test(every_flipped_bit_of_what_is_summed_is_found),
		cmocka_unit_test(wrong_ipv4_header_checksum_is_told),
		cmocka_unit_test(fragments_are_told_and_later_ones_are_nobodys),
		cmocka_unit_test(routing_headers_and_endless_chains_are_refused),
		cmocka_unit_test(sources_that_are_no_unicast_are_refused),
		cmocka_unit_test(other_protocols_and_versions_are_not_ours),
		cmocka_unit_test(ecn_follows_figure_4_in_both_families_and_behind_tags),
		cmocka_unit_test(congestion_mark_on_what_is_not_ip_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
