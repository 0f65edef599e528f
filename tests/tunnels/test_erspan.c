/* SPDX-License-Identifier: Apache-2.0 */
/* ERSPAN on the wire: types I to III, their fields, sub-header and truncations, and frames of specs/vectors. */
#include "tests/tunnels/kit.h"

static const struct tun_type *
erspan(void)
{
	return tun_type_find("erspan");
}

static void
pop_after_push_is_identity(void **state)
{
	struct tun_conf two = KIT_CONF(erspan(), "session=0"), three = KIT_CONF(erspan(), "session=1023", "version=III");

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		kit_identity(erspan(), &two, v6);
		kit_identity(erspan(), &three, v6);
		assert_int_equal(tun_overhead(erspan(), &two, v6), v6 ? 70 : 50);
		assert_int_equal(tun_overhead(erspan(), &three, v6), v6 ? 74 : 54);
	}
}

static void
fields_come_out_as_they_went_in(void **state)
{
	struct tun_conf two = KIT_CONF(erspan(), "session=5", "index=0xfffff"),
			three = KIT_CONF(erspan(), "session=5", "version=III", "direction=egress", "hwid=0x3f");
	struct tun_hdr h2 = kit_hdr(erspan(), &two, false), h3 = kit_hdr(erspan(), &three, true);
	struct rte_mbuf *m = kit_push(erspan(), &h2, kit_arp, sizeof kit_arp);
	struct tun_meta meta = { 0 };
	struct tun_outer o;

	(void)state;
	assert_string_equal(kit_decap(erspan(), m, &o, &meta), "keep");
	assert_memory_equal(meta.ext, "\1\0\0\0\x00\x0f\xff\xff", 8);
	assert_int_equal(meta.flags & TUN_META_NO_LEARN, TUN_META_NO_LEARN);
	frame_free(m);
	m = kit_push(erspan(), &h3, kit_arp, sizeof kit_arp);
	/* The time is set. */
	assert_int_not_equal(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, h3.own_off + 12)), 0);
	assert_string_equal(kit_decap(erspan(), m, &o, &meta), "keep");
	assert_memory_equal(meta.ext, "\2\1\x3f\0", 4);
	frame_free(m);
}

static void
sub_header_is_skipped_and_every_truncation_dropped(void **state)
{
	static const uint8_t one[] = { 0x00, 0, 0x88, 0xbe },
			     two[16] = { 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 100 },
			     three[20] = { 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 100 },
			     platform[28] = { 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 100, [19] = 1 };
	static const struct { const uint8_t *hdr; uint16_t len; } rows[] = {
		{ one, sizeof one }, { two, sizeof two }, { three, sizeof three }, { platform, sizeof platform },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = frame(rows[i].hdr, rows[i].len);
		struct tun_meta meta;

		assert_string_equal(kit_pop(erspan(), m, &meta), "keep");
		assert_int_equal(m->pkt_len, 0);
		assert_int_equal(meta.key, i ? 100 : 0);
		frame_free(m);
		kit_truncations(erspan(), rows[i].hdr, rows[i].len, "short");
	}
}

static void
other_versions_and_payloads_are_dropped(void **state)
{
	static const struct { uint8_t hdr[28]; const char *why; } rows[] = {
		/* The version of the other type, and of none. */
		{ { 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x20 }, "erspan-version" },
		{ { 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x10 }, "erspan-version" },
		{ { 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x30 }, "erspan-version" },
		{ { 0x00, 0, 0x22, 0xeb, 0, 0, 0, 1 }, "erspan-version" },
		/* An IP packet in type III. */
		{ { 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, [18] = 0x08 }, "payload" },
		{ { 0x10, 0, 0x65, 0x58 }, "payload" },
		{ { 0x50, 0, 0x88, 0xbe }, "flags" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = frame(rows[i].hdr, sizeof rows[i].hdr);
		struct tun_meta meta;

		assert_string_equal(kit_pop(erspan(), m, &meta), rows[i].why);
		frame_free(m);
	}
}

static void
options_are_checked(void **state)
{
	struct tun_conf c = KIT_CONF(erspan(), "session=1"), flow = KIT_CONF(erspan(), "session=flow", "version=III"),
			fixed = KIT_CONF(erspan(), "session=700", "version=III");
	struct tun_hdr want = kit_hdr(erspan(), &fixed, false), got = kit_hdr(erspan(), &flow, false);

	(void)state;
	assert_non_null(kit_refused(erspan(), &c, "session", "1024"));
	assert_non_null(kit_refused(erspan(), &c, "index", "0x100000"));
	assert_non_null(kit_refused(erspan(), &c, "hwid", "64"));
	assert_non_null(kit_refused(erspan(), &c, "version", "1"));
	tun_hdr_set(erspan(), &got, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 700 });
	assert_memory_equal(got.b, want.b, want.len);
}

static void
check(const struct kit_vector *v)
{
	struct tun_meta meta = kit_expect(erspan(), v, "keep");
	char session[32], index[32];

	if (v->n != 4 && v->n != 3)
		assert_int_equal(meta.key, kit_field(v, "erspan.spanid"));
	snprintf(session, sizeof session, "session=%u", (unsigned)meta.key);
	snprintf(index, sizeof index, "index=%u", host32(load_be32(meta.ext + 4)));
	if (v->n == 1)
		assert_int_equal(host32(load_be32(meta.ext + 4)), kit_field(v, "erspan.index"));

	struct tun_conf c = KIT_CONF(erspan(), session, index);

	/* Type II: all but the sequence number, and the VLAN of the original frame that we leave in the frame. */
	if (v->n == 1)
		kit_expect_same(erspan(), &c, v, 4, 7);
	if (v->n == 5)
		kit_expect_same(erspan(), &c, v, 4, 6);
	if (v->n == 3)
		assert_int_equal(meta.ext[0], 2);
	if (v->n == 2) {
		assert_int_equal(meta.ext[1], kit_field(v, "erspan.direction"));
		assert_int_equal(meta.ext[2], kit_field(v, "erspan.hw"));
	}
}

static void
vectors_are_read_and_made(void **state)
{
	(void)state;
	kit_vectors("erspan", 5, check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop_after_push_is_identity),
		cmocka_unit_test(fields_come_out_as_they_went_in),
		cmocka_unit_test(sub_header_is_skipped_and_every_truncation_dropped),
		cmocka_unit_test(other_versions_and_payloads_are_dropped),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(vectors_are_read_and_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
