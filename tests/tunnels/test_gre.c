/* SPDX-License-Identifier: Apache-2.0 */
/* GRE on the wire: golden bytes, both ways, truncations, flags, drop reasons, and frames captured from other
 * implementations (specs/vectors). */
#include "tests/tunnels/kit.h"

static const struct tun_type *
gre(void)
{
	return tun_type_find("gre");
}

static void
overhead_follows_from_options(void **state)
{
	struct tun_conf plain = KIT_CONF(gre()), key = KIT_CONF(gre(), "key=5");
	struct tun_conf all = KIT_CONF(gre(), "key=5", "csum=on", "seq=true"), zero = KIT_CONF(gre(), "zero-key=true");

	(void)state;
	assert_int_equal(tun_overhead(gre(), &plain, false), 38);
	assert_int_equal(tun_overhead(gre(), &key, false), 42);
	assert_int_equal(tun_overhead(gre(), &zero, false), 42);
	assert_int_equal(tun_overhead(gre(), &all, false), 50);
	assert_int_equal(tun_overhead(gre(), &all, true), 70);
}

static void
header_has_the_golden_bytes(void **state)
{
	static const uint8_t golden[] = {
		0x02, 0xaa, 0x00, 0x00, 0x00, 0x02, 0x02, 0xaa, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,
		0x45, 0x00, 0x00, 0x46, 0x00, 0x00, 0x40, 0x00, 0x40, 0x2f, 0xb6, 0x85, 0xc0, 0x00,
		0x02, 0x01, 0xc0, 0x00, 0x02, 0x02, 0x20, 0x00, 0x65, 0x58, 0x00, 0xbe, 0xef, 0x01,
	};
	struct tun_conf c = KIT_CONF(gre(), "key=0xbeef01");
	struct tun_hdr h = kit_hdr(gre(), &c, false);
	struct rte_mbuf *m = kit_push(gre(), &h, kit_arp, sizeof kit_arp);

	(void)state;
	assert_int_equal(m->pkt_len, sizeof golden + sizeof kit_arp);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), golden, sizeof golden);
	frame_free(m);
}

static void
pop_after_push_is_identity(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		struct tun_conf c = KIT_CONF(gre(), i & 1 ? "key=0xfffffffe" : "key=0", i & 2 ? "csum=on" : "csum=off",
					     i & 4 ? "seq=true" : "seq=false", i & 8 ? "zero-key=true" : "zero-key=false");

		kit_identity(gre(), &c, i & 16);
	}
}

static void
key_of_a_flow_is_as_if_the_port_had_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *csum = i ? "csum=on" : "csum=off";
		struct tun_conf fixed = KIT_CONF(gre(), "key=0x12345678", csum), flow = KIT_CONF(gre(), "key=flow", csum);
		struct tun_hdr want = kit_hdr(gre(), &fixed, i), got = kit_hdr(gre(), &flow, i);

		tun_hdr_set(gre(), &got, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 0x12345678 });
		assert_memory_equal(got.b, want.b, want.len);
		assert_int_equal(got.len, want.len);
	}
}

static void
flags_tell_what_there_was(void **state)
{
	struct tun_conf c = KIT_CONF(gre(), "csum=on", "zero-key=true");
	struct tun_hdr h = kit_hdr(gre(), &c, false);
	struct rte_mbuf *m = kit_push(gre(), &h, kit_arp, sizeof kit_arp);
	struct tun_meta meta;
	struct tun_outer o;

	(void)state;
	assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[34], 0xa0);
	assert_string_equal(kit_decap(gre(), m, &o, &meta), "keep");
	assert_int_equal(meta.flags, TUN_META_CSUM | TUN_META_KEY);
	frame_free(m);
}

static void
sequence_numbers_rise_by_one(void **state)
{
	struct tun_conf c = KIT_CONF(gre(), "key=7", "seq=true");
	struct tun_hdr h = kit_hdr(gre(), &c, false);
	uint32_t last = 0, n = 0;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		struct tun_batch b = { .n = 5, .hdr = &h };

		for (uint16_t i = 0; i < b.n; i++)
			b.pkt[i] = frame_room(kit_arp, sizeof kit_arp, i == 2 ? 0 : h.len);
		tun_push(gre(), &b);
		for (uint16_t i = 0; i < b.n; i++) {
			/* The third has no headroom; it takes no number. */
			assert_int_equal(b.drop[i], i == 2);
			if (i != 2) {
				uint32_t seq = host32(load_be32(rte_pktmbuf_mtod_offset(b.pkt[i], uint8_t *, 34 + 8)));

				assert_true(!n++ || seq == last + 1);
				last = seq;
			}
			frame_free(b.pkt[i]);
		}
	}
}

static void
frames_to_be_cut_take_a_number_for_each_segment(void **state)
{
	struct tun_conf c = KIT_CONF(gre(), "key=8", "seq=true", "csum=on");
	struct tun_hdr h = kit_hdr(gre(), &c, false);
	uint8_t inner[2000] = { 0 };
	struct tun_batch b = { .n = 2, .hdr = &h };
	uint32_t first, second;

	(void)state;
	for (uint16_t i = 0; i < 2; i++)
		b.pkt[i] = frame_room(inner, sizeof inner, h.len);
	b.pkt[0]->ol_flags = RTE_MBUF_F_TX_TCP_SEG;
	b.pkt[0]->tso_segsz = 500;
	tun_push(gre(), &b);
	first = host32(load_be32(rte_pktmbuf_mtod_offset(b.pkt[0], uint8_t *, 34 + 12)));
	second = host32(load_be32(rte_pktmbuf_mtod_offset(b.pkt[1], uint8_t *, 34 + 12)));
	assert_true(second - first >= 4 && second - first < 10);
	/* Its checksum is for whoever cuts it. */
	assert_int_equal(load_be16(rte_pktmbuf_mtod_offset(b.pkt[0], uint8_t *, 34 + 4)), 0);
	frame_free(b.pkt[0]);
	frame_free(b.pkt[1]);
}

static void
truncated_header_is_dropped(void **state)
{
	static const uint8_t plain[] = { 0, 0, 0x65, 0x58 }, all[16] = { 0xb0, 0, 0x65, 0x58 },
			     key[8] = { 0x20, 0, 0x65, 0x58 };

	(void)state;
	kit_truncations(gre(), plain, sizeof plain, "short");
	kit_truncations(gre(), key, sizeof key, "short");
	kit_truncations(gre(), all, sizeof all, "short");
}

static void
flags_are_strict_where_the_rfc_is(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 16; bit++) {
		uint8_t hdr[16] = { 0, 0, 0x65, 0x58 };
		const char *want = "keep";
		struct tun_meta meta;

		store_be16(hdr, be16((uint16_t)(1u << bit)));
		/* Routing, strict source route, and the highest bit of "recur"; three bits of version. */
		if (bit == 14 || bit == 11 || bit == 10)
			want = "flags";
		else if (bit < 3)
			want = "version";
		else if (bit == 15)
			store_be16(hdr + 4, (uint16_t)~csum_fold(csum_add(0, hdr, sizeof hdr)));

		struct rte_mbuf *m = frame(hdr, sizeof hdr);

		assert_string_equal(kit_pop(gre(), m, &meta), want);
		frame_free(m);
	}
}

static void
wrong_checksum_and_other_payload_are_counted_apart(void **state)
{
	static const uint8_t bad_sum[] = { 0x80, 0, 0x65, 0x58, 0x12, 0x34, 0, 0 }, ip[] = { 0, 0, 0x08, 0x00 };
	struct rte_mbuf *m = frame(bad_sum, sizeof bad_sum);
	struct tun_meta meta;

	(void)state;
	assert_string_equal(kit_pop(gre(), m, &meta), "checksum");
	frame_free(m);
	m = frame(ip, sizeof ip);
	assert_string_equal(kit_pop(gre(), m, &meta), "payload");
	frame_free(m);
	assert_int_equal(gre()->drop_kinds[4], TUN_DROP_CSUM);
	assert_int_equal(gre()->drop_kinds[5], TUN_DROP_PAYLOAD);
}

static void
checksum_over_segments_of_odd_length_is_right(void **state)
{
	struct tun_conf c = KIT_CONF(gre(), "csum=on");
	struct tun_hdr h = kit_hdr(gre(), &c, true);
	struct rte_mbuf *m = frame_room(kit_arp, 41, h.len);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };
	struct tun_meta meta;
	struct tun_outer o;

	(void)state;
	frame_chain(m, frame("odd", 3));
	frame_chain(m, frame("even", 4));
	tun_push(gre(), &b);
	assert_string_equal(kit_decap(gre(), m, &o, &meta), "keep");
	rte_pktmbuf_mtod(m->next, uint8_t *)[1]++;
	frame_free(m);
}

static void
options_are_checked(void **state)
{
	struct tun_conf c = KIT_CONF(gre());

	(void)state;
	assert_null(kit_refused(gre(), &c, "key", "4294967294"));
	assert_null(kit_refused(gre(), &c, "key", "flow"));
	/* All ones stand for "flow"; as a key only rules can ask for them. */
	assert_non_null(kit_refused(gre(), &c, "key", "4294967295"));
	assert_non_null(kit_refused(gre(), &c, "csum", "maybe"));
	assert_non_null(kit_refused(gre(), &c, "dst-port", "47"));
	assert_non_null(kit_refused(gre(), &c, "tos", "3"));
}

/* Linux's ip6gretap sends destination options in front of GRE; other extension headers are told from them. */
static void
destination_options_are_skipped_and_routing_is_not(void **state)
{
	struct tun_conf c = KIT_CONF(gre(), "key=0x77");
	struct tun_hdr h = kit_hdr(gre(), &c, true);
	struct rte_mbuf *m = kit_push(gre(), &h, kit_arp, sizeof kit_arp);
	static const uint8_t opts[] = { 0x2f, 0x00, 0x04, 0x01, 0x04, 0x01, 0x01, 0x00 };
	uint8_t with[200];
	uint32_t len = m->pkt_len + sizeof opts;

	(void)state;
	memcpy(with, rte_pktmbuf_mtod(m, uint8_t *), 54);
	memcpy(with + 54, opts, sizeof opts);
	memcpy(with + 62, rte_pktmbuf_mtod(m, uint8_t *) + 54, m->pkt_len - 54);
	store_be16(with + 18, be16((uint16_t)(len - 54)));
	frame_free(m);
	for (unsigned next = 0; next < 256; next++) {
		struct tun_outer o;
		struct tun_meta meta;
		bool skipped = next == 60 || next == 0;

		with[20] = (uint8_t)next;
		m = frame(with, len);
		/* 43: routing.  44: what follows looks like a fragment header, and its reserved bits like an offset. */
		assert_int_equal(!strcmp(kit_decap(gre(), m, &o, &meta), "keep"), skipped);
		if (skipped) {
			assert_int_equal(meta.key, 0x77);
			assert_memory_equal(rte_pktmbuf_mtod(m, void *), kit_arp, sizeof kit_arp);
		}
		frame_free(m);
	}
	/* Every length of the options that lies, and every truncation. */
	with[20] = 60;
	for (uint32_t cut = 0; cut < len; cut++) {
		struct tun_outer o;
		struct tun_meta meta;

		m = frame(with, cut);
		assert_string_not_equal(kit_decap(gre(), m, &o, &meta), "keep");
		frame_free(m);
	}
	for (unsigned l = 1; l < 256; l++) {
		struct tun_outer o;
		struct tun_meta meta;

		with[55] = (uint8_t)l;
		m = frame(with, len);
		assert_string_not_equal(kit_decap(gre(), m, &o, &meta), "keep");
		frame_free(m);
	}
}

static void
check_gretap(const struct kit_vector *v)
{
	struct tun_meta meta = kit_expect(gre(), v, "keep");
	uint64_t key = meta.key;
	char key_opt[32];

	snprintf(key_opt, sizeof key_opt, "key=%u", (unsigned)key);
	if (json_object_get(json_object_get(v->about, "fields"), "gre.key"))
		assert_int_equal(key, kit_field(v, "gre.key"));
	/* Number 5 has a key of 0; number 3 checksum and sequence; number 6 destination options, which we do not send. */
	if (v->n != 6) {
		struct tun_conf c = KIT_CONF(gre(), key_opt, v->n == 5 ? "zero-key=true" : "zero-key=false",
					     v->n == 3 ? "csum=on" : "csum=off", v->n == 3 ? "seq=true" : "seq=false");

		if (v->n == 3) {
			/* The sequence number, and the checksum that covers it. */
			struct tun_hdr h = kit_hdr(gre(), &c, v->v6);

			assert_int_equal(host16(load_be16(h.b + h.own_off)), 0xb000);
			return;
		}
		kit_expect_same(gre(), &c, v, 0, 0);
	}
}

static void
vectors_of_gretap_are_read_and_made(void **state)
{
	(void)state;
	kit_vectors("gretap", 7, check_gretap);
}

static void
check_l3(const struct kit_vector *v)
{
	static const char *const want[] = { "", "payload", "payload", "payload", "payload", "flags", "version", "checksum" };

	kit_expect(gre(), v, want[v->n]);
}

static void
vectors_of_bare_gre_are_refused_by_reason(void **state)
{
	(void)state;
	kit_vectors("gre", 7, check_l3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overhead_follows_from_options),
		cmocka_unit_test(header_has_the_golden_bytes),
		cmocka_unit_test(pop_after_push_is_identity),
		cmocka_unit_test(key_of_a_flow_is_as_if_the_port_had_it),
		cmocka_unit_test(flags_tell_what_there_was),
		cmocka_unit_test(sequence_numbers_rise_by_one),
		cmocka_unit_test(frames_to_be_cut_take_a_number_for_each_segment),
		cmocka_unit_test(truncated_header_is_dropped),
		cmocka_unit_test(flags_are_strict_where_the_rfc_is),
		cmocka_unit_test(wrong_checksum_and_other_payload_are_counted_apart),
		cmocka_unit_test(checksum_over_segments_of_odd_length_is_right),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(destination_options_are_skipped_and_routing_is_not),
		cmocka_unit_test(vectors_of_gretap_are_read_and_made),
		cmocka_unit_test(vectors_of_bare_gre_are_refused_by_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
