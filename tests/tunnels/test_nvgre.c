/* SPDX-License-Identifier: Apache-2.0 */
/* NVGRE on the wire: what makes it more than keyed GRE, both ways, and frames of specs/vectors. */
#include "tests/tunnels/kit.h"

static const struct tun_type *
nvgre(void)
{
	return tun_type_find("nvgre");
}

static void
overhead_is_42_and_62(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001");

	(void)state;
	assert_int_equal(tun_overhead(nvgre(), &c, false), 42);
	assert_int_equal(tun_overhead(nvgre(), &c, true), 62);
}

static void
pop_after_push_is_identity(void **state)
{
	struct tun_conf low = KIT_CONF(nvgre(), "vsid=4096"), high = KIT_CONF(nvgre(), "vsid=16777214");

	(void)state;
	kit_identity(nvgre(), &low, false);
	kit_identity(nvgre(), &high, true);
}

static void
flow_id_is_entropy_and_the_same_for_a_flow(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001");
	struct tun_hdr h = kit_hdr(nvgre(), &c, false);
	unsigned seen = 0, before[2] = { 0 };
	uint8_t inner[60] = { 0 };

	(void)state;
	memcpy(inner, kit_arp, sizeof kit_arp);
	for (unsigned i = 0; i < 64; i++) {
		uint8_t id[2];

		inner[11] = (uint8_t)i;
		for (unsigned k = 0; k < 2; k++) {
			struct rte_mbuf *m = kit_push(nvgre(), &h, inner, sizeof inner);

			id[k] = rte_pktmbuf_mtod(m, uint8_t *)[34 + 7];
			assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 34, "\x20\x00\x65\x58\x00\x13\x89", 7);
			frame_free(m);
		}
		assert_int_equal(id[0], id[1]);
		seen += i && id[0] != before[0];
		before[0] = id[0];
	}
	assert_true(seen > 48);
}

static void
flow_id_is_0_when_asked(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001", "flow-id=false");
	struct tun_hdr h = kit_hdr(nvgre(), &c, false);
	uint8_t inner[60] = { 0 };

	(void)state;
	memcpy(inner, kit_arp, sizeof kit_arp);
	for (unsigned i = 0; i < 64; i++) {
		inner[11] = (uint8_t)i;

		struct rte_mbuf *m = kit_push(nvgre(), &h, inner, sizeof inner);

		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 34, "\x20\x00\x65\x58\x00\x13\x89\x00", 8);
		frame_free(m);
	}
}

static void
tags_are_taken_off_on_the_way_out(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001");
	struct tun_hdr h = kit_hdr(nvgre(), &c, false);
	uint8_t tagged[sizeof kit_arp + 8];

	(void)state;
	for (unsigned tags = 1; tags < 3; tags++) {
		memcpy(tagged, kit_arp, 12);
		memcpy(tagged + 12, tags == 2 ? "\x88\xa8\x00\x07" "\x81\x00\x60\x2a" : "\x81\x00\x60\x2a", tags * 4);
		memcpy(tagged + 12 + tags * 4, kit_arp + 12, sizeof kit_arp - 12);

		struct rte_mbuf *m = kit_push(nvgre(), &h, tagged, sizeof kit_arp + tags * 4);

		assert_int_equal(m->pkt_len, h.len + sizeof kit_arp);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + h.len, kit_arp, sizeof kit_arp);
		frame_free(m);
	}
}

static void
lengths_of_an_unfinished_frame_follow_its_tag(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001");
	struct tun_hdr h = kit_hdr(nvgre(), &c, false);
	uint8_t tagged[100] = { [12] = 0x81, [16] = 0x08 };
	struct rte_mbuf *m = frame_room(tagged, sizeof tagged, h.len);
	struct tun_batch b = { .n = 1, .pkt = { m }, .hdr = &h };

	(void)state;
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	m->l2_len = 18;
	tun_push(nvgre(), &b);
	assert_int_equal(m->l2_len, 14);
	frame_free(m);
}

static void
what_is_not_nvgre_is_dropped_by_reason(void **state)
{
	static const struct { uint8_t hdr[20]; const char *why; uint8_t kind; } rows[] = {
		{ { 0x20, 0, 0x65, 0x58, 0x00, 0x13, 0x89 }, "keep", 0 },
		{ { 0x00, 0, 0x65, 0x58 }, "no-vsid", TUN_DROP_HEADER },
		{ { 0x30, 0, 0x65, 0x58, 0x00, 0x13, 0x89 }, "flags", TUN_DROP_HEADER },
		{ { 0x20, 0, 0x08, 0x00, 0x00, 0x13, 0x89 }, "payload", TUN_DROP_PAYLOAD },
		{ { 0x20, 1, 0x65, 0x58, 0x00, 0x13, 0x89 }, "version", TUN_DROP_HEADER },
		{ { 0x20, 0, 0x65, 0x58, 0x00, 0x0f, 0xff }, "reserved-vsid", TUN_DROP_KEY },
		{ { 0x20, 0, 0x65, 0x58, 0x00, 0x00, 0x00 }, "reserved-vsid", TUN_DROP_KEY },
		{ { 0x20, 0, 0x65, 0x58, 0xff, 0xff, 0xff }, "reserved-vsid", TUN_DROP_KEY },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = frame(rows[i].hdr, sizeof rows[i].hdr);
		struct tun_batch b = { .n = 1, .pkt = { m } };

		nvgre()->pop(&b);
		assert_string_equal(nvgre()->drops[b.drop[0]], rows[i].why);
		assert_int_equal(nvgre()->drop_kinds[b.drop[0]], rows[i].kind);
		frame_free(m);
	}
	kit_truncations(nvgre(), rows[0].hdr, 8, "short");
}

static void
reserved_vsids_are_refused_as_options(void **state)
{
	struct tun_conf c = KIT_CONF(nvgre(), "vsid=5001");

	(void)state;
	assert_non_null(kit_refused(nvgre(), &c, "vsid", "4095"));
	assert_non_null(kit_refused(nvgre(), &c, "vsid", "16777215"));
	assert_null(kit_refused(nvgre(), &c, "vsid", "4096"));
	assert_null(kit_refused(nvgre(), &c, "vsid", "flow"));
	assert_non_null(kit_refused(nvgre(), &c, "csum", "on"));
	assert_non_null(kit_refused(nvgre(), &c, "seq", "true"));
}

static void
vsid_of_a_flow_is_as_if_the_port_had_it(void **state)
{
	struct tun_conf fixed = KIT_CONF(nvgre(), "vsid=0xabcdef"), flow = KIT_CONF(nvgre(), "vsid=flow");
	struct tun_hdr want = kit_hdr(nvgre(), &fixed, true), got = kit_hdr(nvgre(), &flow, true);

	(void)state;
	tun_hdr_set(nvgre(), &got, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 0xabcdef });
	assert_memory_equal(got.b, want.b, want.len);
}

static void
check(const struct kit_vector *v)
{
	static const char *const want[] = { "", "keep", "keep", "keep", "flags", "flags", "tagged", "reserved-vsid", "no-vsid" };
	struct tun_meta meta = kit_expect(nvgre(), v, want[v->n]);
	char vsid[32];

	if (v->n > 3)
		return;
	assert_int_equal(meta.key, json_integer_value(json_object_get(v->about, "vsid")));
	snprintf(vsid, sizeof vsid, "vsid=%u", (unsigned)meta.key);

	struct tun_conf c = KIT_CONF(nvgre(), vsid);

	/* Number 2 is to a multicast address. */
	if (v->n != 2)
		kit_expect_same(nvgre(), &c, v, 7, 1);
}

static void
vectors_are_read_and_made(void **state)
{
	(void)state;
	kit_vectors("nvgre", 8, check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overhead_is_42_and_62),
		cmocka_unit_test(pop_after_push_is_identity),
		cmocka_unit_test(flow_id_is_entropy_and_the_same_for_a_flow),
		cmocka_unit_test(flow_id_is_0_when_asked),
		cmocka_unit_test(tags_are_taken_off_on_the_way_out),
		cmocka_unit_test(lengths_of_an_unfinished_frame_follow_its_tag),
		cmocka_unit_test(what_is_not_nvgre_is_dropped_by_reason),
		cmocka_unit_test(reserved_vsids_are_refused_as_options),
		cmocka_unit_test(vsid_of_a_flow_is_as_if_the_port_had_it),
		cmocka_unit_test(vectors_are_read_and_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
