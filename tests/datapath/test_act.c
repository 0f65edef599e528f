/* SPDX-License-Identifier: Apache-2.0 */
/* Text of action programs, names of drop reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/act.h"
#include "datapath/drop.h"

static const char *
name_of(void *arg, uint16_t port)
{
	(void)arg;
	return port == 2 ? "vm2" : NULL;
}

static void
assert_text(const struct act *a, unsigned n, const char *want)
{
	char buf[256];

	assert_int_equal(act_format(a, n, name_of, NULL, buf, sizeof buf), strlen(want));
	assert_string_equal(buf, want);
}

static void
each_instruction_has_its_words(void **state)
{
	static const struct {
		struct act a;
		const char *want;
	} t[] = {
		{ { .op = ACT_OUTPUT, .port = 2 }, "output:vm2" },
		{ { .op = ACT_OUTPUT, .port = 3 }, "output:3" },
		{ { .op = ACT_PUSH_VLAN, .arg = 0x8100000a }, "push_vlan(10)" },
		{ { .op = ACT_PUSH_VLAN, .arg = 0x88a8b00a }, "push_vlan(10,pcp=5,dei,tpid=0x88a8)" },
		{ { .op = ACT_POP_VLAN }, "pop_vlan" },
		{ { .op = ACT_SET_VLAN, .arg = 0x6014 }, "set_vlan(20,pcp=3)" },
		{ { .op = ACT_TUN_PUSH, .port = 2, .arg = 7 }, "tun_push(vm2,dst=7)" },
		{ { .op = ACT_DROP, .arg = DROP_PROTECTED }, "drop(protected)" },
		{ { .op = ACT_DROP, .arg = 9999 }, "drop(?)" },
		{ { .op = ACT_PUSH_MPLS, .port = 0x8847, .arg = 100 << 12 | 3 << 9 | 1 << 8 | 63 },
		  "push_mpls(0x8847,label=100,tc=3,bos=1,ttl=63)" },
		{ { .op = ACT_POP_MPLS, .port = 0x0800 }, "pop_mpls(0x0800)" },
		{ { .op = ACT_PUSH_PBB, .arg = 0x123456 }, "push_pbb(isid=0x123456)" },
		{ { .op = ACT_PUSH_PBB, .arg = 0x60000001 }, "push_pbb(isid=0x1,flags=0x60)" },
		{ { .op = ACT_POP_PBB }, "pop_pbb" },
		{ { .op = ACT_TRUNC, .arg = 100 }, "trunc(100)" },
		{ { .op = ACT_METER, .arg = 5 }, "meter:5" },
		{ { .op = ACT_PUNT, .port = 128 }, "punt(128)" },
		{ { .op = ACT_PUNT, .port = 0xffff, .arg = 2000 }, "punt" },
		{ { .op = ACT_SET, .port = ACT_F_IP_TTL, .arg = 2 }, "set(nw_ttl=...)" },
		{ { .op = ACT_SET, .port = ACT_N_FIELDS, .arg = 2 }, "set(?)" },
		{ { .op = 200 }, "?200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_text(&t[i].a, 1, t[i].want);
	assert_text(NULL, 0, "");
}

static void
a_set_shows_its_value_and_a_mask_that_is_not_whole(void **state)
{
	static const uint8_t v[16] = { 0x20, 1, 0x0d, 0xb8 }, ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
									   255, 255, 255, 255, 255, 255 };
	static const struct {
		enum act_field f;
		uint8_t mask;
		const char *want;
	} t[] = {
		{ ACT_F_ETH_DST, 0xff, "set(eth_dst=20:01:0d:b8:00:00)" },
		{ ACT_F_ETH_SRC, 0x0f, "set(eth_src=20:01:0d:b8:00:00/0f:ff:ff:ff:ff:ff)" },
		{ ACT_F_VLAN_TCI, 0xf0, "set(vlan_tci=0x2001/0xf0ff)" },
		{ ACT_F_MPLS_LSE, 0xff, "set(mpls_lse=0x20010db8)" },
		{ ACT_F_IPV4_SRC, 0xff, "set(ip_src=32.1.13.184)" },
		{ ACT_F_ARP_TPA, 0, "set(arp_tpa=32.1.13.184/0.255.255.255)" },
		{ ACT_F_IPV6_DST, 0xff, "set(ipv6_dst=2001:db8::)" },
		{ ACT_F_IP_TTL, 0xff, "set(nw_ttl=32)" },
		{ ACT_F_IP_TOS, 0x03, "set(nw_tos=32/0x3)" },
		{ ACT_F_TP_SRC, 0xff, "set(tp_src=8193)" },
	};
	static struct act_list l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint8_t mask[16];

		memcpy(mask, ones, sizeof mask);
		mask[0] = t[i].mask;
		l.n = 0;
		act_add_set(&l, t[i].f, v, mask);
		assert_text(l.a, l.n, t[i].want);
	}
}

/* Data that looks like instructions is none. */
static void
data_behind_an_instruction_is_stepped_over(void **state)
{
	struct act fake = { .op = ACT_OUTPUT, .port = 3 };
	static struct act_list l;

	(void)state;
	act_add(&l, ACT_CLONE, 0, 5);
	act_add_set(&l, ACT_F_ETH_TYPE, &fake, &(uint16_t){ 0xffff });
	act_add_data(&l, ACT_PUNT, 0xffff, &fake, sizeof fake);
	act_add(&l, ACT_OUTPUT, 2, 0);
	assert_int_equal(l.n, 7);
	assert_text(l.a, l.n, "clone(set(eth_type=0x0000),punt),output:vm2");
	/* Shown in part. */
	assert_text(l.a, 5, "clone(set(eth_type=0x0000),punt)");
	assert_text(l.a, 3, "clone(set(eth_type=...))");
}

static void
a_clone_brackets_the_instructions_it_runs(void **state)
{
	struct act a[] = {
		{ .op = ACT_CLONE, .arg = 3 }, { .op = ACT_POP_VLAN }, { .op = ACT_CLONE, .arg = 1 },
		{ .op = ACT_OUTPUT, .port = 1 }, { .op = ACT_OUTPUT, .port = 2 },
	};

	(void)state;
	assert_text(a, 5, "clone(pop_vlan,clone(output:1)),output:vm2");
	/* A count beyond the end takes what is there. */
	assert_text(a, 2, "clone(pop_vlan)");
	a[0].arg = UINT32_MAX;
	assert_text(a, 5, "clone(pop_vlan,clone(output:1),output:vm2)");
}

static void
a_short_buffer_is_filled_and_the_length_told(void **state)
{
	struct act a[] = { { .op = ACT_PUSH_VLAN, .arg = 0x8100000a }, { .op = ACT_OUTPUT, .port = 2 } };
	const char *want = "push_vlan(10),output:vm2";

	(void)state;
	for (size_t len = 0; len <= strlen(want); len++) {
		char *buf = malloc(len ? len : 1);

		assert_int_equal(act_format(a, 2, name_of, NULL, len ? buf : NULL, len), strlen(want));
		if (len) {
			assert_memory_equal(buf, want, len - 1);
			assert_int_equal(buf[len - 1], 0);
		}
		free(buf);
	}
}

static void
each_drop_reason_has_a_name_and_a_sentence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DP_N_DROPS; i++) {
		assert_non_null(dp_drop_info[i].name);
		assert_non_null(dp_drop_info[i].text);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(dp_drop_info[i].name, dp_drop_info[j].name);
	}
	assert_string_equal(dp_drop_info[DROP_TUN_UNKNOWN_KEY].name, "tun-unknown-key");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_has_its_words),
		cmocka_unit_test(a_set_shows_its_value_and_a_mask_that_is_not_whole),
		cmocka_unit_test(data_behind_an_instruction_is_stepped_over),
		cmocka_unit_test(a_clone_brackets_the_instructions_it_runs),
		cmocka_unit_test(a_short_buffer_is_filled_and_the_length_told),
		cmocka_unit_test(each_drop_reason_has_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
