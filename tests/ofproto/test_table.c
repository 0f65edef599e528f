/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW_MOD in every version, and what the tables say afterwards. */
#include "tests/ofproto/ofsim.h"

static bool
count_row(void *arg, const struct of_flow_row *row)
{
	(void)row;
	++*(unsigned *)arg;
	return true;
}

static unsigned
n_rows(const struct of_pipe *p, uint8_t table)
{
	struct of_flow_request rq = { .table_id = table, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	unsigned n = 0;
	uint64_t c = 0;

	do
		c = of_flows_each(p, &rq, c, 3, count_row, &n);
	while (c);
	return n;
}

static bool
take_row(void *arg, const struct of_flow_row *row)
{
	*(struct of_flow_row *)arg = *row;
	return true;
}

/* The one rule that is there. */
static struct of_flow_row
only_row(const struct of_pipe *p)
{
	struct of_flow_request rq = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct of_flow_row row;

	memset(&row, 0, sizeof row);
	assert_int_equal(n_rows(p, OFTT_ALL), 1);
	of_flows_each(p, &rq, 0, 1, take_row, &row);
	return row;
}

static const struct of_rule *
find(const struct of_pipe *p, const struct omatch *m, uint16_t priority)
{
	return of_find_exact(p, of_pipe_version(p), 0, m, priority);
}

static void
an_identical_rule_replaces_and_keeps_counters_from_1_3_on(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF15; v++) {
		struct of_pipe *p = pipe_new();
		struct omatch m = match_in_port(1);
		struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));
		bool kept = v >= OF13;

		assert_int_equal(apply_as(p, v, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		of_pipe_credit(p, of_ref_rule(p, find(p, &m, 5)), 10, 1000, 1);
		fm.acts = acts_output(2);
		assert_int_equal(apply_as(p, v, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		assert_int_equal(only_row(p).packets, kept ? 10 : 0);
		assert_int_equal(only_row(p).bytes, kept ? 1000 : 0);
		fm.flags = OFFF_RESET_COUNTS;
		assert_int_equal(apply_as(p, v, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		assert_int_equal(only_row(p).packets, 0);
		of_pipe_destroy(p);
	}
}

static void
a_modification_keeps_what_is_not_an_action(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF15; v++) {
		struct of_pipe *p = pipe_new();
		struct omatch m = match_in_port(1), any = match_any();
		struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));
		struct of_flow_row row;

		fm.cookie = 0x11;
		fm.idle_timeout = 10;
		fm.hard_timeout = 20;
		fm.flags = OFFF_SEND_FLOW_REM;
		assert_int_equal(apply_as(p, v, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		of_pipe_credit(p, of_ref_rule(p, find(p, &m, 5)), 3, 300, 1);
		fm = flow_mod(OFFC_MODIFY, 0, 9, &any, acts_output(2));
		fm.cookie = 0x22;
		fm.cookie_given = true;
		assert_int_equal(apply_as(p, v, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		row = only_row(p);
		assert_int_equal(row.priority, 5);
		assert_int_equal(row.idle_timeout, 10);
		assert_int_equal(row.hard_timeout, 20);
		assert_int_equal(row.flags, OFFF_SEND_FLOW_REM);
		assert_int_equal(row.packets, 3);
		assert_int_equal(row.cookie, v == OF10 ? 0x22 : 0x11);
		assert_int_equal(((const struct of_act_output *)row.acts.a)->port, 2);
		of_pipe_destroy(p);
	}
}

static void
a_modification_of_nothing_adds_up_to_1_2(void **state)
{
	(void)state;
	for (uint8_t v = OF10; v <= OF15; v++) {
		for (unsigned strict = 0; strict < 2; strict++) {
			struct of_pipe *p = pipe_new();
			struct omatch m = match_in_port(1);
			struct of_flow_mod fm = flow_mod(strict ? OFFC_MODIFY_STRICT : OFFC_MODIFY, 0, 5, &m,
							 acts_output(1));

			fm.cookie = 0x33;
			fm.cookie_given = true;
			assert_int_equal(apply_as(p, v, &fm), OFE_OK);
			assert_int_equal(n_rows(p, OFTT_ALL), v <= OF12);
			if (v <= OF12)
				assert_int_equal(only_row(p).cookie, 0x33);
			of_pipe_destroy(p);
		}
	}
}

static void
strict_commands_mean_one_rule(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch a = match_nw_dst(0x0a000000, 8), b = match_nw_dst(0x0a000000, 24), ip = match_ip();
	struct of_flow_mod fm;

	(void)state;
	add_rule(p, 0, 1, &a, acts_output(1));
	add_rule(p, 0, 2, &a, acts_output(2));
	add_rule(p, 0, 1, &b, acts_output(3));
	add_rule(p, 3, 1, &b, acts_output(3));
	fm = flow_mod(OFFC_DELETE_STRICT, 0, 1, &a, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 2);
	fm = flow_mod(OFFC_DELETE_STRICT, 0, 1, &ip, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 2);
	fm = flow_mod(OFFC_DELETE, 0, 9, &b, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 1);
	fm = flow_mod(OFFC_DELETE, OFTT_ALL, 9, &ip, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, OFTT_ALL), 0);
	of_pipe_destroy(p);
}

static void
cookies_and_outputs_filter_what_is_deleted(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch any = match_any();
	struct of_flow_mod fm;

	(void)state;
	for (uint32_t i = 1; i <= 8; i++) {
		struct omatch m = match_in_port(i);

		fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(i & 1 ? 1 : 2));
		fm.cookie = i;
		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
	fm = flow_mod(OFFC_DELETE, 0, 0, &any, (struct of_acts){ 0 });
	fm.cookie = 0x4;
	fm.cookie_mask = 0xc;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 4);
	fm.cookie_mask = 0;
	fm.out_port = 2;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 2);
	fm.out_port = (uint32_t)OFPP_ANY;
	fm.out_group = 1;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 2);
	fm.out_group = OFG_ANY;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 0);
	of_pipe_destroy(p);
}

static void
overlap_is_refused_when_asked(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch a = match_nw_dst(0x0a000000, 8), b = match_in_port(1), c = match_nw_dst(0x0b000000, 16);
	struct of_flow_mod fm;

	(void)state;
	add_rule(p, 0, 5, &a, acts_output(1));
	fm = flow_mod(OFFC_ADD, 0, 5, &b, acts_output(2));
	fm.flags = OFFF_CHECK_OVERLAP;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_OVERLAP);
	assert_int_equal(n_rows(p, 0), 1);
	fm.priority = 6;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	fm = flow_mod(OFFC_ADD, 0, 5, &c, acts_output(2));
	fm.flags = OFFF_CHECK_OVERLAP;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	/* Its own like is replaced. */
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 3);
	of_pipe_destroy(p);
}

static void
table_255_is_all_of_them_only_to_delete(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm = flow_mod(OFFC_ADD, OFTT_ALL, 5, &m, acts_output(1));

	(void)state;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_BAD_TABLE_ID);
	fm.table_id = 254;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_BAD_TABLE_ID);
	fm.command = OFFC_DELETE;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_BAD_TABLE_ID);
	fm = flow_mod(OFFC_ADD, OFTT_ALL, 5, &m, acts_output(1));
	assert_int_equal(apply_as(p, OF10, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 1);
	fm.table_id = 253;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	fm.command = OFFC_DELETE;
	fm.table_id = OFTT_ALL;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(n_rows(p, OFTT_ALL), 0);
	of_pipe_destroy(p);
}

static void
bad_flow_mods_change_nothing(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));

	(void)state;
	fm.flags = 1 << 9;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_BAD_FLAGS);
	fm.flags = OFFF_EMERG;
	assert_int_equal(apply_as(p, OF10, &fm), OFE_FMFC_TABLE_FULL);
	fm.flags = 0;
	fm.command = 5;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_FMFC_BAD_COMMAND);
	fm.command = OFFC_ADD;
	fm.acts = acts_output(0xff00);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_BAC_BAD_OUT_PORT);
	fm.acts = acts_group(OFA_GROUP, 1);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_BAC_BAD_OUT_GROUP);
	fm.acts = acts_group(OFA_METER, 1);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_MMFC_INVALID_METER);
	fm.acts = acts_group(OFA_GOTO_TABLE, 0);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_BIC_BAD_TABLE_ID);
	fm.acts = acts_group(OFA_GOTO_TABLE, 254);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_BIC_BAD_TABLE_ID);
	fm.acts = acts_group(OFA_DEC_NW_TTL, 0);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_BAC_MATCH_INCONSISTENT);
	assert_int_equal(n_rows(p, OFTT_ALL), 0);
	assert_false(of_pipe_dirty(p));
	of_pipe_destroy(p);
}

static void
an_exact_1_0_rule_comes_first(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_any();
	struct of_flow_mod fm;

	(void)state;
	m.mask.in_port = m.mask.nw_src = m.mask.nw_dst = UINT32_MAX;
	m.mask.dl_type = m.mask.tp_src = m.mask.tp_dst = 0xffff;
	memset(&m.mask.dl_src, 0xff, 6);
	memset(&m.mask.dl_dst, 0xff, 6);
	m.mask.vlan[0].tci = 0xffff;
	m.mask.nw_tos = 0xfc;
	m.mask.nw_proto = 0xff;
	m.flow.dl_type = be16(0x0800);
	m.flow.nw_proto = 6;
	fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));
	assert_int_equal(apply_as(p, OF10, &fm), OFE_OK);
	assert_int_equal(only_row(p).priority, 65535);
	fm.command = OFFC_DELETE_STRICT;
	assert_int_equal(apply_as(p, OF10, &fm), OFE_OK);
	assert_int_equal(n_rows(p, 0), 0);
	fm.command = OFFC_ADD;
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	assert_int_equal(only_row(p).priority, 5);
	of_pipe_destroy(p);
}

static void
a_pipeline_of_the_default_rule_is_normal(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm;
	uint64_t v;

	(void)state;
	assert_false(of_pipe_is_normal(p, of_pipe_version(p)));
	of_pipe_add_default(p);
	of_pipe_publish(p, NULL);
	v = of_pipe_version(p);
	assert_true(of_pipe_is_normal(p, v));
	add_rule(p, 1, 5, &m, acts_output(1));
	of_pipe_publish(p, NULL);
	assert_true(of_pipe_is_normal(p, v));
	assert_false(of_pipe_is_normal(p, of_pipe_version(p)));
	fm = flow_mod(OFFC_DELETE, 1, 5, &m, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	of_pipe_publish(p, NULL);
	assert_true(of_pipe_is_normal(p, of_pipe_version(p)));
	of_pipe_destroy(p);
}

static void
match_bits_follow_the_rules(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_nw_dst(0x0a000000, 8);
	struct of_flow_mod fm;
	struct oflow bits;
	bool changed;

	(void)state;
	add_rule(p, 9, 5, &m, acts_output(1));
	assert_true(of_pipe_publish(p, &changed));
	assert_true(changed);
	of_pipe_match_bits(p, &bits);
	assert_memory_equal(&bits, &m.mask, sizeof bits);
	add_rule(p, 10, 5, &m, acts_output(1));
	assert_true(of_pipe_publish(p, &changed));
	assert_false(changed);
	fm = flow_mod(OFFC_DELETE, OFTT_ALL, 5, &m, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	of_pipe_publish(p, NULL);
	/* Narrowed when the last reader has let go. */
	of_pipe_publish(p, NULL);
	of_pipe_match_bits(p, &bits);
	assert_int_equal(bits.nw_dst, 0);
	assert_true(of_table_empty(p, 9));
	of_pipe_destroy(p);
}

static void
references_of_what_is_gone_count_nothing(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm = flow_mod(OFFC_DELETE, 0, 5, &m, (struct of_acts){ 0 });
	uint64_t ref;

	(void)state;
	add_rule(p, 0, 5, &m, acts_output(1));
	of_pipe_publish(p, NULL);
	ref = of_ref_rule(p, find(p, &m, 5));
	assert_int_equal(of_ref_bridge(ref), 1);
	of_pipe_credit(p, ref, 1, 64, 5);
	assert_int_equal(only_row(p).packets, 1);
	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	of_pipe_publish(p, NULL);
	add_rule(p, 0, 5, &m, acts_output(1));
	of_pipe_publish(p, NULL);
	of_pipe_credit(p, ref, 1, 64, 5);
	assert_int_equal(only_row(p).packets, 0);
	of_pipe_credit(p, 0, 1, 1, 1);
	of_pipe_credit(p, UINT64_MAX, 1, 1, 1);
	of_pipe_destroy(p);
}

static void
what_is_asked_for_is_told(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_in_port(1);
	struct of_flow_request rq = { .table_id = 2, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct of_table_row row;
	struct of_aggregate a;
	uint64_t ref;

	(void)state;
	add_rule(p, 2, 5, &m, acts_output(1));
	of_pipe_publish(p, NULL);
	ref = of_ref_rule(p, of_find_exact(p, of_pipe_version(p), 2, &m, 5));
	of_pipe_credit(p, ref, 4, 400, 1);
	of_pipe_credit(p, of_ref_miss(p, 2), 3, 300, 1);
	of_table_row(p, 2, &row);
	assert_int_equal(row.active, 1);
	assert_int_equal(row.matches, 4);
	assert_int_equal(row.lookups, 7);
	of_flows_sum(p, &rq, &a);
	assert_int_equal(a.flows, 1);
	assert_int_equal(a.packets, 4);
	assert_int_equal(a.bytes, 400);
	rq.table_id = 3;
	of_flows_sum(p, &rq, &a);
	assert_int_equal(a.flows, 0);
	of_pipe_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identical_rule_replaces_and_keeps_counters_from_1_3_on),
		cmocka_unit_test(a_modification_keeps_what_is_not_an_action),
		cmocka_unit_test(a_modification_of_nothing_adds_up_to_1_2),
		cmocka_unit_test(strict_commands_mean_one_rule),
		cmocka_unit_test(cookies_and_outputs_filter_what_is_deleted),
		cmocka_unit_test(overlap_is_refused_when_asked),
		cmocka_unit_test(table_255_is_all_of_them_only_to_delete),
		cmocka_unit_test(bad_flow_mods_change_nothing),
		cmocka_unit_test(an_exact_1_0_rule_comes_first),
		cmocka_unit_test(a_pipeline_of_the_default_rule_is_normal),
		cmocka_unit_test(match_bits_follow_the_rules),
		cmocka_unit_test(references_of_what_is_gone_count_nothing),
		cmocka_unit_test(what_is_asked_for_is_told),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
