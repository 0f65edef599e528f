/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: all of it or nothing, and nothing seen before. */
#include "tests/ofproto/ofsim.h"

struct world {
	struct sim_sink sink;
	struct sim_events ev;
	struct of_pipe *p;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct ofp_sink s;
	struct of_pipe_events ev;

	assert_non_null(w);
	s = sim_sink(&w->sink);
	ev = sim_events(&w->ev);
	w->p = of_pipe_create(1, &s, ignore_mark, NULL);
	of_pipe_set_events(w->p, &ev);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	of_pipe_destroy(w->p);
	sim_settle(&w->sink);
	free(w);
	return 0;
}

static const struct of_band drop = { .type = OFMBT_DROP, .rate = 1000 };

static void
a_commit_shows_everything_at_once(void **state)
{
	struct world *w = *state;
	struct omatch m = match_in_port(1), n = match_in_port(2);
	struct of_bucket b = bucket(0, 0, acts_output(1));
	struct oflow flow = { .in_port = be32(1) };
	uint32_t dp;

	add_rule(w->p, 0, 1, &n, acts_output(2));
	of_pipe_publish(w->p, NULL);
	w->ev.n = 0;
	of_pipe_begin(w->p);
	assert_int_equal(group_mod(w->p, OF13, OFGC_ADD, OFGT_ALL, 1, &b, 1), OFE_OK);
	/* Later messages see earlier ones. */
	add_rule(w->p, 0, 1, &m, acts_group(OFA_GROUP, 1));
	assert_int_equal(meter_mod(w->p, OFMC_ADD, OFMF_KBPS, 5, &drop, 1), OFE_OK);
	assert_int_equal(w->sink.n_meters, 0);
	assert_int_equal(w->ev.n, 0);
	assert_int_equal(w->ev.n_forwarded, 0);
	assert_false(of_pipe_publish(w->p, NULL));
	assert_null(of_lookup(w->p, of_pipe_version(w->p), 0, &flow, NULL, NULL));
	of_pipe_commit(w->p);
	assert_int_equal(w->sink.n_meters, 1);
	assert_true(of_meter_find(w->p, 5, &dp));
	assert_int_equal(w->ev.n, 1);
	assert_int_equal(w->ev.e[0].event, OFME_ADDED);
	assert_int_equal(w->ev.n_forwarded, 2);
	assert_true(of_pipe_publish(w->p, NULL));
	assert_non_null(of_lookup(w->p, of_pipe_version(w->p), 0, &flow, NULL, NULL));
}

static void
an_abort_leaves_no_trace(void **state)
{
	struct world *w = *state;
	struct omatch m = match_in_port(1), n = match_in_port(2), any = match_any();
	struct of_bucket b = bucket(0, 0, acts_output(1)), c = bucket(0, 0, acts_output(3));
	struct of_flow_mod del = flow_mod(OFFC_DELETE, OFTT_ALL, 0, &any, (struct of_acts){ 0 });
	struct of_flow_mod mod = flow_mod(OFFC_MODIFY, 0, 0, &any, acts_output(9));
	struct of_table_mod tm = { .table_id = 0, .config = OFTC_EVICTION };
	struct of_who who = { .version = OF14 };
	struct oflow flow = { .in_port = be32(1) };
	struct of_group_view v;
	struct of_pipe_stats before, after;
	uint32_t dp;

	assert_int_equal(group_mod(w->p, OF13, OFGC_ADD, OFGT_ALL, 1, &b, 1), OFE_OK);
	assert_int_equal(meter_mod(w->p, OFMC_ADD, OFMF_KBPS, 5, &drop, 1), OFE_OK);
	add_rule(w->p, 0, 1, &m, acts_output(1));
	add_rule(w->p, 0, 1, &n, acts_group(OFA_GROUP, 1));
	of_pipe_publish(w->p, NULL);
	of_pipe_credit(w->p, of_ref_rule(w->p, of_find_exact(w->p, of_pipe_version(w->p), 0, &m, 1)), 4, 400, 1);
	/* A change of nobody's bundle, not yet published. */
	add_rule(w->p, 3, 1, &n, acts_output(1));
	of_pipe_stats(w->p, &before);
	w->ev.n = w->ev.n_forwarded = 0;

	of_pipe_begin(w->p);
	assert_int_equal(apply_as(w->p, OF13, &mod), OFE_OK);
	add_rule(w->p, 1, 1, &m, acts_output(1));
	add_rule(w->p, 1, 1, &m, acts_output(2));
	assert_int_equal(meter_mod(w->p, OFMC_MODIFY, OFMF_PKTPS, 5, &drop, 1), OFE_OK);
	assert_int_equal(meter_mod(w->p, OFMC_ADD, OFMF_KBPS, 6, &drop, 1), OFE_OK);
	assert_int_equal(group_mod(w->p, OF13, OFGC_MODIFY, OFGT_ALL, 1, &c, 1), OFE_OK);
	assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
	assert_int_equal(meter_mod(w->p, OFMC_DELETE, 0, OFM_ALL, NULL, 0), OFE_OK);
	assert_int_equal(group_mod(w->p, OF13, OFGC_DELETE, OFGT_ALL, OFG_ALL, NULL, 0), OFE_OK);
	add_rule(w->p, 0, 1, &m, acts_output(7));
	assert_int_equal(of_table_mod(w->p, &who, &tm, NULL), 0);
	of_pipe_abort(w->p);

	assert_int_equal(w->ev.n, 0);
	assert_int_equal(w->ev.n_forwarded, 0);
	assert_int_equal(n_rows(w->p, OFTT_ALL), 3);
	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	of_pipe_stats(w->p, &after);
	assert_int_equal(before.n_rules, after.n_rules);
	assert_int_equal(before.n_progs, after.n_progs);
	assert_int_equal(before.n_groups, after.n_groups);
	assert_int_equal(before.n_meters, after.n_meters);
	assert_int_equal(before.n_subtables, after.n_subtables);
	assert_int_equal(looked_up(w->p, 0, &flow, NULL), 1);
	assert_int_equal(looked_up(w->p, 1, &flow, NULL), 0);
	assert_true(of_group_find(w->p, of_pipe_version(w->p), 1, &v));
	assert_int_equal(((const struct of_act_output *)v.buckets[0].acts.a)->port, 1);
	assert_true(of_meter_find(w->p, 5, &dp));
	assert_false(w->sink.meter[dp].pktps);
	assert_false(of_meter_find(w->p, 6, &dp));
	assert_int_equal(of_table_config(w->p, 0), 0);
	assert_int_equal(w->ev.n_removed, 0);
	/* Counters and references are the old ones. */
	of_pipe_credit(w->p, of_ref_rule(w->p, of_find_exact(w->p, of_pipe_version(w->p), 0, &m, 1)), 1, 100, 1);
	del = flow_mod(OFFC_DELETE, 3, 0, &any, (struct of_acts){ 0 });
	assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
	del = flow_mod(OFFC_DELETE, 0, 0, &n, (struct of_acts){ 0 });
	assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
	assert_int_equal(only_row(w->p).packets, 5);
}

static void
a_rule_may_come_and_go_within(void **state)
{
	struct world *w = *state;
	struct omatch m = match_in_port(1);
	struct of_flow_mod del = flow_mod(OFFC_DELETE_STRICT, 0, 1, &m, (struct of_acts){ 0 });

	for (unsigned commits = 0; commits < 2; commits++) {
		of_pipe_begin(w->p);
		add_rule(w->p, 0, 1, &m, acts_output(1));
		assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
		add_rule(w->p, 0, 1, &m, acts_output(2));
		assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
		if (commits)
			of_pipe_commit(w->p);
		else
			of_pipe_abort(w->p);
		assert_int_equal(w->ev.n, commits ? 4 : 0);
		assert_int_equal(n_rows(w->p, 0), 0);
		of_pipe_publish(w->p, NULL);
		sim_settle(&w->sink);
	}
}

/* --- Random bundles: what is aborted never was ------------------------------------------------------------ */

struct dump {
	unsigned n;
	struct {
		uint8_t table;
		uint16_t priority;
		uint64_t cookie, packets;
		uint32_t port, in_port;
	} r[64];
};

static bool
note_row(void *arg, const struct of_flow_row *row)
{
	struct dump *d = arg;

	assert_true(d->n < ARRAY_SIZE(d->r));
	memset(&d->r[d->n], 0, sizeof d->r[0]);
	d->r[d->n].table = row->table_id;
	d->r[d->n].priority = row->priority;
	d->r[d->n].cookie = row->cookie;
	d->r[d->n].packets = row->packets;
	d->r[d->n].in_port = row->match->flow.in_port;
	d->r[d->n++].port = ((const struct of_act_output *)row->acts.a)->port;
	return true;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof ((struct dump *)0)->r[0]);
}

static void
dump(struct of_pipe *p, struct dump *d)
{
	struct of_flow_request rq = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };

	memset(d, 0, sizeof *d);
	of_flows_each(p, &rq, 0, 64, note_row, d);
	qsort(d->r, d->n, sizeof d->r[0], by_bytes);
}

static void
random_mods(struct of_pipe *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct omatch m = rnd(5) ? match_in_port(rnd(8)) : match_any();
		struct of_flow_mod fm = flow_mod(rnd(3) ? OFFC_ADD : (enum of_flow_mod_command)rnd(5), (uint8_t)rnd(2),
						 (uint16_t)rnd(2), &m, acts_output(1 + rnd(3)));

		fm.cookie = rnd(8);
		fm.idle_timeout = (uint16_t)(rnd(2) * 60);
		fm.flags = rnd(4) ? 0 : OFFF_RESET_COUNTS;
		assert_int_equal(apply_as(p, (uint8_t)(rnd(2) ? OF13 : OF10), &fm), OFE_OK);
	}
}

static void
aborted_bundles_never_were(void **state)
{
	struct world *w = *state;
	struct dump before, after;

	for (unsigned i = 0; i < 300; i++) {
		random_mods(w->p, rnd(6));
		if (rnd(2))
			of_pipe_publish(w->p, NULL);
		if (!rnd(4))
			sim_grace(&w->sink);
		dump(w->p, &before);
		of_pipe_begin(w->p);
		random_mods(w->p, rnd(12));
		of_pipe_abort(w->p);
		dump(w->p, &after);
		assert_int_equal(before.n, after.n);
		assert_memory_equal(&before, &after, sizeof before);
		of_pipe_begin(w->p);
		random_mods(w->p, rnd(6));
		of_pipe_commit(w->p);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_commit_shows_everything_at_once),
		T(an_abort_leaves_no_trace),
		T(a_rule_may_come_and_go_within),
		T(aborted_bundles_never_were),
	};

	return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
