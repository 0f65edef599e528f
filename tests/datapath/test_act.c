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
		{ { .op = 200 }, "?200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_text(&t[i].a, 1, t[i].want);
	assert_text(NULL, 0, "");
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
		cmocka_unit_test(a_clone_brackets_the_instructions_it_runs),
		cmocka_unit_test(a_short_buffer_is_filled_and_the_length_told),
		cmocka_unit_test(each_drop_reason_has_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
