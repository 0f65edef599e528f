/* SPDX-License-Identifier: Apache-2.0 */
/* Geneve on the wire: options and their lengths, the bits that forbid delivery, both ways, and frames of specs/vectors. */
#include "tests/tunnels/kit.h"
#include "tunnels/tlv.h"

static const struct tun_type *
geneve(void)
{
	return tun_type_find("geneve");
}

static void
pop_after_push_is_identity(void **state)
{
	struct tun_conf c = KIT_CONF(geneve(), "vni=0"), d = KIT_CONF(geneve(), "vni=16777215", "csum=on");

	(void)state;
	kit_identity(geneve(), &c, false);
	kit_identity(geneve(), &d, false);
	kit_identity(geneve(), &c, true);
	assert_int_equal(tun_overhead(geneve(), &c, false), 50);
	assert_int_equal(tun_overhead(geneve(), &c, true), 70);
}

static void
bits_that_forbid_delivery_are_counted_apart(void **state)
{
	static const struct { uint8_t hdr[16]; const char *why; uint8_t kind; } rows[] = {
		{ { 0x00, 0x00, 0x65, 0x58, 0, 0, 42, 0 }, "keep", 0 },
		/* Reserved bits, and the critical bit without a critical option, are nothing to us. */
		{ { 0x00, 0x7f, 0x65, 0x58, 0, 0, 42, 0xff }, "keep", 0 },
		{ { 0x40, 0x00, 0x65, 0x58, 0, 0, 42, 0 }, "version", TUN_DROP_HEADER },
		{ { 0xc0, 0x00, 0x65, 0x58, 0, 0, 42, 0 }, "version", TUN_DROP_HEADER },
		{ { 0x00, 0x80, 0x65, 0x58, 0, 0, 42, 0 }, "keep", 0 },
		{ { 0x00, 0x00, 0x08, 0x00, 0, 0, 42, 0 }, "payload", TUN_DROP_PAYLOAD },
		{ { 0x02, 0x40, 0x65, 0x58, 0, 0, 42, 0, 0, 1, 0x80, 1 }, "keep", 0 },
		{ { 0x02, 0x00, 0x65, 0x58, 0, 0, 42, 0, 0, 1, 0x7f, 0xe1 }, "keep", 0 },
		/* Lengths: past the end, and short of it. */
		{ { 0x02, 0x00, 0x65, 0x58, 0, 0, 42, 0, 0, 1, 0, 2 }, "options", TUN_DROP_HEADER },
		{ { 0x01, 0x00, 0x65, 0x58, 0, 0, 42, 0, 0, 1, 0, 1 }, "options", TUN_DROP_HEADER },
		{ { 0x02, 0x00, 0x65, 0x58, 0, 0, 42, 0, 0, 1, 0, 0, 0, 1, 0, 1 }, "options", TUN_DROP_HEADER },
		{ { 0x03, 0x00, 0x65, 0x58, 0, 0, 42, 0 }, "short", TUN_DROP_HEADER },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rte_mbuf *m = frame(rows[i].hdr, sizeof rows[i].hdr);
		struct tun_batch b = { .n = 1, .pkt = { m } };

		geneve()->pop(&b);
		assert_string_equal(geneve()->drops[b.drop[0]], rows[i].why);
		assert_int_equal(geneve()->drop_kinds[b.drop[0]], rows[i].kind);
		if (!b.drop[0])
			assert_int_equal(b.meta[0].key, 42);
		/* Which options are known is for the port's bridge to say. */
		assert_int_equal(b.meta[0].flags & TUN_META_CRITICAL, i == 6 ? TUN_META_CRITICAL : 0);
		/* And whether a message for the endpoint is wanted, its rules. */
		assert_int_equal(b.meta[0].flags & TUN_META_OAM, b.drop[0] || !(rows[i].hdr[1] & 0x80) ? 0 : TUN_META_OAM);
		frame_free(m);
	}
	kit_truncations(geneve(), rows[0].hdr, 8, "short");
	kit_truncations(geneve(), rows[7].hdr, 16, "short");
}

static void
options_of_any_length_are_left_in_front_of_the_frame(void **state)
{
	(void)state;
	for (unsigned words = 0; words <= 63; words++) {
		uint8_t b[8 + 252 + 1] = { (uint8_t)words, 0, 0x65, 0x58, 0, 0, 42, 0 };
		struct tun_meta meta;
		uint32_t off = 8, left = words;

		/* Options of 32, 31, ... words, as they fit. */
		for (unsigned one = 32; left; one = one > 1 ? one - 1 : 1) {
			uint32_t take = one < left ? one : left;

			b[off + 2] = (uint8_t)words;
			b[off + 3] = (uint8_t)(take - 1);
			off += take * 4;
			left -= take;
		}

		struct rte_mbuf *m = frame(b, 8 + words * 4 + 1);

		assert_string_equal(kit_pop(geneve(), m, &meta), "keep");
		assert_int_equal(m->pkt_len, 1);
		assert_int_equal(meta.opts_len, words * 4);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) - meta.opts_len, b + 8, words * 4);
		frame_free(m);
	}
}

static void
key_and_flags_of_a_flow_are_written(void **state)
{
	struct tun_conf fixed = KIT_CONF(geneve(), "vni=0xabcdef"), flow = KIT_CONF(geneve(), "vni=flow");
	struct tun_hdr want = kit_hdr(geneve(), &fixed, true), got = kit_hdr(geneve(), &flow, true);

	(void)state;
	tun_hdr_set(geneve(), &got, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 0xabcdef });
	assert_memory_equal(got.b, want.b, want.len);
	tun_hdr_set(geneve(), &got, &(struct tun_set){ .bits = TUN_SET_FLAGS, .flags = TUN_F_OAM });
	assert_int_equal(got.b[got.own_off + 1], 0x80);
	tun_hdr_set(geneve(), &got, &(struct tun_set){ .bits = TUN_SET_FLAGS });
	assert_int_equal(got.b[got.own_off + 1], 0);
}

static void
options_of_a_flow_follow_the_header(void **state)
{
	static const uint8_t opts[] = { 1, 2, 0x80, 1, 1, 2, 3, 4, 1, 2, 1, 0 };
	struct tun_set set = { .bits = TUN_SET_OPTS, .opts_len = sizeof opts };
	static const uint8_t inner[60] = { 2 };

	(void)state;
	memcpy(set.opts, opts, sizeof opts);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct tun_conf c = KIT_CONF(geneve(), "vni=42");
		struct tun_hdr h = kit_hdr(geneve(), &c, v6);
		uint16_t len = h.len;
		struct rte_mbuf *m;
		struct tun_meta meta;
		struct tun_outer o;

		tun_hdr_set(geneve(), &h, &set);
		assert_int_equal(h.len, len + sizeof opts);
		assert_memory_equal(h.b + h.own_off, "\x03\x40\x65\x58\0\0\x2a\0", 8);
		m = kit_push(geneve(), &h, inner, sizeof inner);
		assert_string_equal(kit_decap(geneve(), m, &o, &meta), "keep");
		assert_int_equal(meta.opts_len, sizeof opts);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) - sizeof opts, opts, sizeof opts);
		assert_int_equal(m->pkt_len, sizeof inner);
		frame_free(m);
		/* More than there is room for, or not in order: none of it. */
		h = kit_hdr(geneve(), &c, v6);
		set.opts_len = TUN_OPTS_MAX + 4;
		tun_hdr_set(geneve(), &h, &set);
		assert_int_equal(h.len, len);
		set.opts_len = 10;
		tun_hdr_set(geneve(), &h, &set);
		assert_int_equal(h.len, len);
		set.opts_len = sizeof opts;
	}
}

static void
options_are_checked(void **state)
{
	struct tun_conf c = KIT_CONF(geneve(), "vni=1");

	(void)state;
	assert_non_null(kit_refused(geneve(), &c, "vni", "16777216"));
	assert_non_null(kit_refused(geneve(), &c, "dst-port", "0"));
	assert_null(kit_refused(geneve(), &c, "dst-port", "6082"));
	assert_int_equal(c.dst_port, 6081);
}

static void
check(const struct kit_vector *v)
{
	static const char *const want[] = { "", "keep", "keep", "keep", "keep", "keep", "keep", "version", "options",
					    "payload" };
	const char *opts = json_string_value(json_object_get(v->about, "opts"));
	struct tun_meta meta;
	char vni[32];

	/* An unknown option that must be known, a message for the endpoint: the switch drops it once it knows whose it is. */
	if (v->n == 3 || v->n == 5) {
		struct rte_mbuf *m = frame(v->bytes, v->len);
		struct tun_outer o;

		assert_string_equal(kit_decap(geneve(), m, &o, &meta), "keep");
		assert_int_equal(meta.flags, v->n == 3 ? TUN_META_CRITICAL : TUN_META_OAM);
		if (v->n == 3)
			assert_false(tlv_known(NULL, rte_pktmbuf_mtod(m, uint8_t *) - meta.opts_len, meta.opts_len));
		frame_free(m);
		return;
	}
	meta = kit_expect(geneve(), v, want[v->n]);
	if (strcmp(want[v->n], "keep"))
		return;
	if (opts)
		assert_int_equal(meta.opts_len, strlen(opts) / 2);
	snprintf(vni, sizeof vni, "vni=%u", (unsigned)meta.key);

	struct tun_conf c = KIT_CONF(geneve(), vni);

	if (!meta.opts_len)
		kit_expect_same(geneve(), &c, v, 0, 0);
}

static void
vectors_are_read_and_made(void **state)
{
	(void)state;
	kit_vectors("geneve", 9, check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop_after_push_is_identity),
		cmocka_unit_test(bits_that_forbid_delivery_are_counted_apart),
		cmocka_unit_test(options_of_a_flow_follow_the_header),
		cmocka_unit_test(options_of_any_length_are_left_in_front_of_the_frame),
		cmocka_unit_test(key_and_flags_of_a_flow_are_written),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(vectors_are_read_and_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
