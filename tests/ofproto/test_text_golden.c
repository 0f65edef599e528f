/* SPDX-License-Identifier: Apache-2.0 */
/* Flows in, and out as ovs-ofctl prints them (golden/flows.golden, made by golden/make-golden).  What comes out also
 * reads back as the same flow. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/text.h"
#include "tests/ofproto/golden.h"

static void
parse(const char *s, size_t len, struct of_act_buf *acts, struct of_flow_mod *fm)
{
	struct err err = { 0 };

	if (of_parse_flow_mod(s, len, OFFC_ADD, NULL, acts, fm, &err))
		fail_msg("%.*s: %s", (int)len, s, err.msg);
}

/* Through the form that dump-flows has and back. */
static void
read_back(const struct of_flow_mod *fm)
{
	struct of_flow_row row = { .table_id = fm->table_id, .priority = fm->priority, .flags = fm->flags,
				   .idle_timeout = fm->idle_timeout, .hard_timeout = fm->hard_timeout,
				   .importance = fm->importance, .cookie = fm->cookie, .match = &fm->match,
				   .acts = fm->acts };
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod back;

	of_print_flow_row(&t, &row, OF_ROW_STATS, NULL);
	parse(of_text_str(&t), t.len, &acts, &back);
	assert_true(omatch_equal(&back.match, &fm->match));
	assert_int_equal(back.acts.len, fm->acts.len);
	if (fm->acts.len)
		assert_memory_equal(back.acts.a, fm->acts.a, fm->acts.len);
	assert_int_equal(back.table_id, fm->table_id);
	assert_int_equal(back.priority, fm->priority);
	assert_int_equal(back.flags, fm->flags);
	assert_int_equal(back.idle_timeout, fm->idle_timeout);
	assert_int_equal(back.hard_timeout, fm->hard_timeout);
	assert_int_equal(back.importance, fm->importance);
	assert_true(back.cookie == fm->cookie);
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

static void
check_flow(void *arg, const char *in, size_t len, char *want)
{
	struct of_act_buf *acts = arg;
	struct of_text t = { 0 };
	struct of_flow_mod fm;

	parse(in, len, acts, &fm);
	of_print_flow_mod(&t, &fm, NULL);
	assert_string_equal(of_text_str(&t), want);
	read_back(&fm);
	of_text_fini(&t);
}

static void
flows_print_as_ovs_ofctl_prints_them(void **state)
{
	struct of_act_buf acts = { 0 };

	(void)state;
	golden_each("flows.golden", 150, check_flow, &acts);
	of_act_buf_fini(&acts);
}

/* A line of the howto, in a block of that kind. */
static int
parse_example(const char *kind, const char *line, size_t len, struct err *err)
{
	struct of_arena *arena = of_arena_create();
	struct of_act_buf acts = { 0 };
	struct of_group_mod gm;
	struct of_meter_mod mm;
	struct of_flow_mod fm;
	int rc;

	if (!strncmp(kind, "flows", 5))
		rc = of_parse_flow_mod(line, len, OFFC_ADD, NULL, &acts, &fm, err);
	else if (!strncmp(kind, "groups", 6))
		rc = of_parse_group_mod(line, len, OFGC_ADD, NULL, arena, &gm, err);
	else
		rc = of_parse_meter_mod(line, len, OFMC_ADD, arena, &mm, err);
	of_act_buf_fini(&acts);
	of_arena_destroy(arena);
	return rc;
}

static void
examples_of_the_howto_are_accepted(void **state)
{
	FILE *f = fopen(HOWTO, "r");
	char *line = NULL, kind[16] = "";
	size_t cap = 0;
	ssize_t n;
	unsigned examples = 0;

	(void)state;
	assert_non_null(f);
	while ((n = getline(&line, &cap, f)) > 0) {
		struct err err = { 0 };

		if (!strncmp(line, "```", 3)) {
			snprintf(kind, sizeof kind, "%s", kind[0] ? "" : line[3] == '\n' ? "other" : line + 3);
			continue;
		}
		if (!kind[0] || !strcmp(kind, "other"))
			continue;
		if (parse_example(kind, line, (size_t)n, &err))
			fail_msg("%s%s", line, err.msg);
		examples++;
	}
	assert_true(examples > 40);
	fclose(f);
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_print_as_ovs_ofctl_prints_them),
		cmocka_unit_test(examples_of_the_howto_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
