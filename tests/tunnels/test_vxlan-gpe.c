/* SPDX-License-Identifier: Apache-2.0 */
/* VXLAN-GPE on the wire: both ways, each bit of the first byte, next protocols, and frames of specs/vectors. */
#include "tests/tunnels/kit.h"

static const struct tun_type *
gpe(void)
{
	return tun_type_find("vxlan-gpe");
}

static void
pop_after_push_is_identity(void **state)
{
	struct tun_conf c = KIT_CONF(gpe(), "vni=0"), d = KIT_CONF(gpe(), "vni=16777215", "csum=on");

	(void)state;
	kit_identity(gpe(), &c, false);
	kit_identity(gpe(), &d, false);
	kit_identity(gpe(), &d, true);
	assert_int_equal(tun_overhead(gpe(), &c, false), 50);
	assert_int_equal(c.dst_port, 4790);
}

static void
each_first_byte_is_taken_or_refused_by_reason(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++)
		for (unsigned proto = 0; proto < 256; proto++) {
			uint8_t hdr[8] = { (uint8_t)first, 0xff, 0xff, (uint8_t)proto, 0, 0, 42, 0xff };
			const char *want = first & 0x30 ? "version" : !(first & 8) ? "no-vni" : first & 1 ? "control"
					   : first & 4 && proto != 3 ? "payload" : "keep";
			struct rte_mbuf *m = frame(hdr, sizeof hdr);
			struct tun_meta meta;

			assert_string_equal(kit_pop(gpe(), m, &meta), want);
			if (!strcmp(want, "keep"))
				assert_int_equal(meta.key, 42);
			frame_free(m);
		}
}

static void
truncated_header_is_dropped(void **state)
{
	static const uint8_t hdr[] = { 0x0c, 0, 0, 3, 0, 0, 42, 0 };

	(void)state;
	kit_truncations(gpe(), hdr, sizeof hdr, "short");
}

static void
options_are_checked(void **state)
{
	struct tun_conf c = KIT_CONF(gpe(), "vni=1"), flow = KIT_CONF(gpe(), "vni=flow"), fixed = KIT_CONF(gpe(), "vni=77");
	struct tun_hdr want = kit_hdr(gpe(), &fixed, false), got = kit_hdr(gpe(), &flow, false);

	(void)state;
	assert_non_null(kit_refused(gpe(), &c, "vni", "16777216"));
	assert_non_null(kit_refused(gpe(), &c, "gbp", "true"));
	tun_hdr_set(gpe(), &got, &(struct tun_set){ .bits = TUN_SET_KEY, .key = 77 });
	assert_memory_equal(got.b, want.b, want.len);
}

static void
check(const struct kit_vector *v)
{
	static const char *const want[] = { "", "keep", "payload", "payload", "payload", "control", "version", "payload" };
	struct tun_conf c = KIT_CONF(gpe(), "vni=5001");

	kit_expect(gpe(), v, want[v->n]);
	if (v->n == 1)
		kit_expect_same(gpe(), &c, v, 0, 0);
}

static void
vectors_are_read_and_made(void **state)
{
	(void)state;
	kit_vectors("vxlan-gpe", 7, check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop_after_push_is_identity),
		cmocka_unit_test(each_first_byte_is_taken_or_refused_by_reason),
		cmocka_unit_test(truncated_header_is_dropped),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(vectors_are_read_and_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
