/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW_MOD in every version, and what the tables say afterwards. */
#include "tests/ofproto/ofsim.h"

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

/* --- Limits, eviction, vacancy ------------------------------------------------------------------------- */

static uint16_t
table_mod(struct of_pipe *p, uint8_t version, struct of_table_mod m)
{
	struct of_who who = { .version = version };
	struct of_error e = { 0 };
	int rc = of_table_mod(p, &who, &m, &e);

	assert_int_equal(rc, e.id ? -1 : 0);
	return e.id;
}

static void
limit(struct of_pipe *p, uint8_t table, uint32_t max_entries)
{
	struct of_table_features f = { .table_id = table, .max_entries = max_entries, .name = "small" };
	struct of_table_features_request rq = { .n = 1, .tables = &f };
	struct of_who who = { .version = OF13 };

	assert_int_equal(of_table_set_features(p, &who, &rq, NULL), 0);
}

static uint16_t
add_numbered(struct of_pipe *p, uint32_t n, uint16_t importance, uint16_t hard)
{
	struct omatch m = match_in_port(n);
	struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));

	fm.cookie = n;
	fm.importance = importance;
	fm.hard_timeout = hard;
	return apply_as(p, OF14, &fm);
}

static void
a_full_table_refuses(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_table_row row;

	(void)state;
	limit(p, 0, 2);
	assert_int_equal(add_numbered(p, 1, 0, 0), OFE_OK);
	assert_int_equal(add_numbered(p, 2, 0, 0), OFE_OK);
	assert_int_equal(add_numbered(p, 3, 0, 0), OFE_FMFC_TABLE_FULL);
	/* In the place of its like there is room. */
	assert_int_equal(add_numbered(p, 2, 0, 0), OFE_OK);
	assert_int_equal(n_rows(p, 0), 2);
	of_table_row(p, 0, &row);
	assert_int_equal(row.max_entries, 2);
	assert_string_equal(row.name, "small");
	of_pipe_destroy(p);
}

static void
a_full_table_evicts_what_matters_least(void **state)
{
	static struct sim_events ev;
	struct of_pipe *p = pipe_new();
	struct of_pipe_events tell = sim_events(&ev);

	(void)state;
	memset(&ev, 0, sizeof ev);
	of_pipe_set_events(p, &tell);
	limit(p, 0, 3);
	assert_int_equal(table_mod(p, OF14, (struct of_table_mod){ .table_id = 0, .config = OFTC_EVICTION }), OFE_OK);
	assert_int_equal(add_numbered(p, 1, 5, 0), OFE_OK);
	assert_int_equal(add_numbered(p, 2, 1, 100), OFE_OK);
	assert_int_equal(add_numbered(p, 3, 1, 50), OFE_OK);
	assert_int_equal(add_numbered(p, 4, 0, 0), OFE_FMFC_TABLE_FULL);
	ev.n = 0;
	assert_int_equal(add_numbered(p, 4, 2, 0), OFE_OK);
	assert_int_equal(ev.n, 2);
	assert_int_equal(ev.e[0].event, OFME_REMOVED);
	assert_int_equal(ev.e[0].reason, OFRR_EVICTION);
	assert_int_equal(ev.e[0].cookie, 3);
	assert_int_equal(ev.e[1].event, OFME_ADDED);
	ev.n = 0;
	assert_int_equal(add_numbered(p, 5, 9, 0), OFE_OK);
	assert_int_equal(ev.e[0].cookie, 2);
	ev.n = 0;
	assert_int_equal(add_numbered(p, 6, 9, 0), OFE_OK);
	assert_int_equal(ev.e[0].cookie, 4);
	assert_int_equal(n_rows(p, 0), 3);
	of_pipe_destroy(p);
}

static void
eviction_goes_by_rank_through_thousands(void **state)
{
	static struct sim_events ev;
	struct of_pipe *p = pipe_new();
	struct of_pipe_events tell = sim_events(&ev);
	enum { N = 2999 };              /* No multiple of 7: each rank once. */

	(void)state;
	memset(&ev, 0, sizeof ev);
	limit(p, 0, N);
	assert_int_equal(table_mod(p, OF14, (struct of_table_mod){ .table_id = 0, .config = OFTC_EVICTION }), OFE_OK);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(add_numbered(p, i + 1, (uint16_t)(1 + (i * 7) % N), 0), OFE_OK);
	of_pipe_set_events(p, &tell);
	for (uint32_t i = 0; i < N; i++) {
		ev.n = 0;
		assert_int_equal(add_numbered(p, N + 1 + i, 20000, 0), OFE_OK);
		/* Rank 1 + i went. */
		assert_int_equal(ev.e[0].event, OFME_REMOVED);
		assert_int_equal(1 + ((ev.e[0].cookie - 1) * 7) % N, i + 1);
	}
	assert_int_equal(n_rows(p, 0), N);
	of_pipe_destroy(p);
}

static void
vacancy_is_told_when_it_crosses_a_mark(void **state)
{
	static struct sim_events ev;
	struct of_pipe *p = pipe_new();
	struct of_pipe_events tell = sim_events(&ev);
	struct of_table_mod m = { .table_id = 0, .config = OFTC_VACANCY_EVENTS, .has_vacancy = true,
				  .vacancy_down = 20, .vacancy_up = 50 };

	(void)state;
	memset(&ev, 0, sizeof ev);
	of_pipe_set_events(p, &tell);
	limit(p, 0, 10);
	assert_int_equal(table_mod(p, OF14, m), OFE_OK);
	for (uint32_t i = 1; i <= 10; i++) {
		assert_int_equal(add_numbered(p, i, 0, 0), OFE_OK);
		of_pipe_publish(p, NULL);
		assert_int_equal(ev.n_status, i >= 9);
	}
	assert_int_equal(ev.status[0].reason, OFTR_VACANCY_DOWN);
	assert_int_equal(ev.status[0].vacancy, 10);
	for (uint32_t i = 1; i <= 10; i++) {
		struct omatch in = match_in_port(i);
		struct of_flow_mod fm = flow_mod(OFFC_DELETE, 0, 5, &in, (struct of_acts){ 0 });

		assert_int_equal(apply_as(p, OF14, &fm), OFE_OK);
		of_pipe_publish(p, NULL);
		assert_int_equal(ev.n_status, 1 + (i >= 6));
	}
	assert_int_equal(ev.status[1].reason, OFTR_VACANCY_UP);
	m.config = 0;
	assert_int_equal(table_mod(p, OF14, m), OFE_OK);
	for (uint32_t i = 1; i <= 10; i++)
		assert_int_equal(add_numbered(p, i, 0, 0), OFE_OK);
	of_pipe_publish(p, NULL);
	assert_int_equal(ev.n_status, 2);
	of_pipe_destroy(p);
}

static void
bad_table_mods_are_refused(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_table_features f[2] = { { .table_id = 3, .max_entries = 7 }, { .table_id = 254 } };
	struct of_table_features_request rq = { .n = 2, .tables = f };
	struct of_who who = { .version = OF13 };
	struct of_error e = { 0 };
	struct of_table_row row;

	(void)state;
	assert_int_equal(table_mod(p, OF13, (struct of_table_mod){ .table_id = 254 }), OFE_TMFC_BAD_TABLE);
	assert_int_equal(table_mod(p, OF13, (struct of_table_mod){ .table_id = 1, .config = 4 }), OFE_TMFC_BAD_CONFIG);
	assert_int_equal(table_mod(p, OF12, (struct of_table_mod){ .table_id = 1, .config = 3 }), OFE_TMFC_BAD_CONFIG);
	assert_int_equal(table_mod(p, OF14, (struct of_table_mod){ .table_id = 1, .config = 1 }), OFE_TMFC_BAD_CONFIG);
	assert_int_equal(table_mod(p, OF14, (struct of_table_mod){ .table_id = 1, .has_vacancy = true,
								   .vacancy_up = 101 }), OFE_BPC_BAD_VALUE);
	assert_int_equal(table_mod(p, OF14, (struct of_table_mod){ .table_id = 1, .has_eviction = true,
								   .eviction_flags = 8 }), OFE_BPC_BAD_VALUE);
	assert_int_equal(table_mod(p, OF12, (struct of_table_mod){ .table_id = OFTT_ALL, .config = 2 }), OFE_OK);
	assert_int_equal(of_table_config(p, 253), 2);
	assert_int_equal(of_table_set_features(p, &who, &rq, &e), -1);
	assert_int_equal(e.id, OFE_TFFC_BAD_TABLE);
	f[1].table_id = 4;
	f[1].next_tables[0] = 1 << 4;
	assert_int_equal(of_table_set_features(p, &who, &rq, &e), -1);
	assert_int_equal(e.id, OFE_TFFC_BAD_ARGUMENT);
	of_table_row(p, 3, &row);
	assert_int_equal(row.max_entries, OF_MAX_RULES);
	f[1].next_tables[0] = 1 << 5;
	assert_int_equal(of_table_set_features(p, &who, &rq, &e), 0);
	of_table_row(p, 3, &row);
	assert_int_equal(row.max_entries, 7);
	of_pipe_destroy(p);
}

static bool
names(const struct of_field_set *s, enum of_field f)
{
	return s->bits[f / 64] >> f % 64 & 1;
}

static void
features_say_what_a_table_can_do(void **state)
{
	struct of_pipe *p = pipe_new();
	struct of_table_features f;

	(void)state;
	of_table_features(p, 7, &f);
	assert_int_equal(f.instructions, 0x7e);
	assert_int_equal(f.next_tables[0], ~0xffull);
	assert_int_equal(f.next_tables[3], ~0ull >> 2);
	assert_int_equal(f.write_actions, 0x3fff9801);
	assert_true(names(&f.match, OFF_ETH_TYPE) && names(&f.wildcards, OFF_CT_STATE));
	assert_true(names(&f.apply_setfield, OFF_ETH_DST) && names(&f.write_setfield, OFF_REG0));
	assert_false(names(&f.apply_setfield, OFF_ETH_TYPE));
	assert_false(names(&f.apply_setfield, OFF_CT_MARK));
	assert_memory_equal(f.miss_next_tables, f.next_tables, sizeof f.next_tables);
	assert_memory_equal(&f.miss_apply_setfield, &f.apply_setfield, sizeof f.apply_setfield);
	/* Nowhere to go from the last one. */
	of_table_features(p, OF_N_TABLES - 1, &f);
	assert_int_equal(f.instructions, 0x7c);
	assert_false(f.next_tables[3]);
	of_pipe_destroy(p);
}

/* A rule that is modified again and again before anything is freed. */
static void
counters_live_as_long_as_all_records_of_their_rule(void **state)
{
	static struct sim_sink sink;
	struct ofp_sink s = sim_sink(&sink);
	struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);
	struct omatch any = match_any();
	struct of_flow_mod gone = flow_mod(OFFC_DELETE, 1, 1, &any, (struct of_acts){ 0 });
	struct oflow flow = { .in_port = be32(1) };
	struct of_flow_row row;
	uint64_t ref;

	(void)state;
	add_rule(p, 0, 1, &any, acts_output(1));
	for (unsigned i = 0; i < 65536 + 100; i++) {
		struct of_flow_mod fm = flow_mod(OFFC_MODIFY, 0, 1, &any, acts_output(1 + i % 2));

		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
	of_pipe_publish(p, NULL);
	sim_settle(&sink);
	ref = of_ref_rule(p, of_lookup(p, of_pipe_version(p), 0, &flow, NULL, NULL));
	/* Whose are they? */
	add_rule(p, 1, 1, &any, acts_output(1));
	of_pipe_publish(p, NULL);
	of_pipe_credit(p, ref, 5, 500, 1);
	assert_int_equal(n_rows(p, OFTT_ALL), 2);
	assert_int_equal(apply_as(p, OF13, &gone), OFE_OK);
	of_pipe_publish(p, NULL);
	sim_settle(&sink);
	row = only_row(p);
	assert_int_equal(row.packets, 5);
	of_pipe_destroy(p);
	sim_settle(&sink);
}

static uint64_t
rule_bytes(const struct of_pipe *p)
{
	struct of_pipe_stats st;

	of_pipe_stats(p, &st);
	return st.rule_bytes;
}

/* What is done between two grace periods keeps the control thread for a moment only. */
static void
many_rules_are_freed_bit_by_bit(void **state)
{
	enum { N = 20000 };
	static struct sim_sink sink;
	static struct sim_events ev;
	struct ofp_sink s = sim_sink(&sink);
	struct of_pipe_events e = sim_events(&ev);
	struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);
	struct omatch any = match_any();
	struct of_flow_mod gone = flow_mod(OFFC_DELETE, OFTT_ALL, 0, &any, (struct of_acts){ 0 });
	uint64_t empty = rule_bytes(p);
	unsigned steps = 0;

	(void)state;
	of_pipe_set_events(p, &e);
	for (uint32_t i = 0; i < N; i++) {
		struct omatch m = match_in_port(i + 1);
		struct of_flow_mod fm = flow_mod(OFFC_ADD, (uint8_t)(i % 3), 1, &m, acts_output(1));

		fm.flags = OFFF_SEND_FLOW_REM;
		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
	of_pipe_publish(p, NULL);
	sim_settle(&sink);
	assert_int_equal(apply_as(p, OF13, &gone), OFE_OK);
	of_pipe_publish(p, NULL);
	while (sink.n_defers || sink.n_folds) {
		unsigned removed = ev.n_removed;

		sim_grace(&sink);
		sim_folded(&sink);
		assert_true(ev.n_removed - removed <= N / 4);
		steps++;
	}
	assert_true(steps >= 12);
	assert_int_equal(ev.n_removed, N);
	assert_true(rule_bytes(p) < empty + N * 100);
	/* One that goes in the midst of it takes what is left along. */
	for (uint32_t i = 0; i < N; i++) {
		struct omatch m = match_in_port(i + 1);

		add_rule(p, 0, 1, &m, acts_output(1));
	}
	of_pipe_publish(p, NULL);
	assert_int_equal(apply_as(p, OF13, &gone), OFE_OK);
	of_pipe_publish(p, NULL);
	sim_grace(&sink);
	sim_grace(&sink);
	of_pipe_destroy(p);
	sim_settle(&sink);
}

/* --- Random commands against a list --------------------------------------------------------------------- */

enum { N_MODEL = 64 };

struct model {
	bool there;
	struct omatch m;
	uint16_t priority;
	uint64_t cookie, packets;
	uint32_t port;
};

static struct omatch
model_match(void)
{
	struct omatch m = rnd(2) ? match_nw_dst(0x0a000000 | rnd(2) << 8, rnd(2) ? 24 : 23) : match_any();

	if (rnd(2))
		match_prefix(&m.flow.in_port, &m.mask.in_port, 1 + rnd(2), 32);
	return m;
}

static void
model_apply(struct model *t, const struct of_flow_mod *fm, uint8_t v)
{
	bool strict = fm->command == OFFC_MODIFY_STRICT || fm->command == OFFC_DELETE_STRICT;
	struct model *free_one = NULL;
	unsigned n = 0;

	for (struct model *r = t; r < t + N_MODEL; r++) {
		bool same = r->there && omatch_equal(&r->m, &fm->match) && r->priority == fm->priority;

		if (!r->there) {
			free_one = r;
			continue;
		}
		if (fm->command == OFFC_ADD ? !same : strict ? !same : !omatch_within(&r->m, &fm->match))
			continue;
		if (fm->command != OFFC_ADD && (r->cookie ^ fm->cookie) & fm->cookie_mask)
			continue;
		if (fm->command >= OFFC_DELETE && fm->out_port != (uint32_t)OFPP_ANY && fm->out_port != r->port)
			continue;
		n++;
		if (fm->command >= OFFC_DELETE) {
			r->there = false;
			continue;
		}
		r->port = ((const struct of_act_output *)fm->acts.a)->port;
		if (fm->command == OFFC_ADD || (v == OF10 && !fm->cookie_mask))
			r->cookie = fm->cookie;
		if (fm->flags & OFFF_RESET_COUNTS || (fm->command == OFFC_ADD && v < OF13))
			r->packets = 0;
	}
	if (n || fm->command >= OFFC_DELETE || (fm->command != OFFC_ADD && (v > OF12 || fm->cookie_mask)))
		return;
	assert_non_null(free_one);
	*free_one = (struct model){
		.there = true, .m = fm->match, .priority = fm->priority, .cookie = fm->cookie,
		.port = ((const struct of_act_output *)fm->acts.a)->port,
	};
}

static bool
check_row(void *arg, const struct of_flow_row *row)
{
	struct model *t = arg;

	for (unsigned i = 0; i < N_MODEL; i++) {
		if (!t[i].there || t[i].priority != row->priority || !omatch_equal(&t[i].m, row->match))
			continue;
		assert_int_equal(row->cookie, t[i].cookie);
		assert_int_equal(row->packets, t[i].packets);
		assert_int_equal(((const struct of_act_output *)row->acts.a)->port, t[i].port);
		return true;
	}
	fail();
	return false;
}

static unsigned
model_size(const struct model *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_MODEL; i++)
		n += t[i].there;
	return n;
}

static void
use_one(struct of_pipe *p, struct model *t)
{
	unsigned i = rnd(N_MODEL);
	const struct of_rule *r;

	if (!t[i].there)
		return;
	r = of_find_exact(p, of_pipe_version(p), 0, &t[i].m, t[i].priority);
	assert_non_null(r);
	of_pipe_credit(p, of_ref_rule(p, r), 3, 180, 1);
	t[i].packets += 3;
}

static void
random_commands_agree_with_a_list(void **state)
{
	static struct model t[N_MODEL];
	static struct sim_sink sink;
	struct of_flow_request all = { .table_id = 0, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };

	(void)state;
	for (uint8_t v = OF10; v <= OF15; v++) {
		struct ofp_sink s = sim_sink(&sink);
		struct of_pipe *p = of_pipe_create(1, &s, ignore_mark, NULL);

		memset(t, 0, sizeof t);
		for (unsigned i = 0; i < 1500; i++) {
			struct omatch m = model_match();
			struct of_flow_mod fm = flow_mod(rnd(3) ? OFFC_ADD : (enum of_flow_mod_command)rnd(5), 0,
							 (uint16_t)rnd(2), &m, acts_output(1 + rnd(3)));

			fm.cookie = rnd(4);
			fm.cookie_given = true;
			fm.cookie_mask = fm.command != OFFC_ADD && v > OF10 && !rnd(3) ? 3 : 0;
			fm.flags = rnd(6) ? 0 : OFFF_RESET_COUNTS;
			fm.out_port = rnd(4) ? (uint32_t)OFPP_ANY : 1 + rnd(3);
			assert_int_equal(apply_as(p, v, &fm), OFE_OK);
			model_apply(t, &fm, v);
			assert_int_equal(n_rows(p, 0), model_size(t));
			of_flows_each(p, &all, 0, N_MODEL, check_row, t);
			if (rnd(3))
				continue;
			of_pipe_publish(p, NULL);
			use_one(p, t);
			if (!rnd(3))
				sim_grace(&sink);
		}
		of_pipe_publish(p, NULL);
		sim_settle(&sink);
		of_pipe_destroy(p);
	}
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
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(a_full_table_evicts_what_matters_least),
		cmocka_unit_test(eviction_goes_by_rank_through_thousands),
		cmocka_unit_test(vacancy_is_told_when_it_crosses_a_mark),
		cmocka_unit_test(bad_table_mods_are_refused),
		cmocka_unit_test(features_say_what_a_table_can_do),
		cmocka_unit_test(many_rules_are_freed_bit_by_bit),
		cmocka_unit_test(counters_live_as_long_as_all_records_of_their_rule),
		cmocka_unit_test(random_commands_agree_with_a_list),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
