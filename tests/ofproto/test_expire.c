/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts, and what happens between a rule's removal and the end of its memory. */
#include "tests/ofproto/ofsim.h"

struct world {
	struct sim_sink sink;
	struct sim_events ev;
	struct of_pipe *p;
	uint64_t start;
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
	/* Far ahead of the clock, so that only the test moves it. */
	w->start = clock_ms() + 1000000000;
	of_pipe_tick(w->p, w->start);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	sim_settle(&w->sink);
	of_pipe_destroy(w->p);
	sim_settle(&w->sink);
	free(w);
	return 0;
}

static void
add_timed(struct world *w, uint32_t port, uint16_t idle, uint16_t hard)
{
	struct omatch m = match_in_port(port);
	struct of_flow_mod fm = flow_mod(OFFC_ADD, 0, 5, &m, acts_output(1));

	fm.idle_timeout = idle;
	fm.hard_timeout = hard;
	fm.flags = OFFF_SEND_FLOW_REM;
	fm.cookie = port;
	assert_int_equal(apply_as(w->p, OF13, &fm), OFE_OK);
	of_pipe_publish(w->p, NULL);
}

static uint64_t
ref_of(struct world *w, uint32_t port)
{
	struct omatch m = match_in_port(port);
	const struct of_rule *r = of_find_exact(w->p, of_pipe_version(w->p), 0, &m, 5);

	assert_non_null(r);
	return of_ref_rule(w->p, r);
}

/* Time passes in steps of a tenth of a second; grace periods and folds end at once. */
static void
pass(struct world *w, uint64_t *now, uint64_t ms)
{
	for (uint64_t to = *now + ms; *now < to;) {
		*now += 100;
		of_pipe_tick(w->p, *now);
		sim_folded(&w->sink);
		of_pipe_publish(w->p, NULL);
		sim_settle(&w->sink);
	}
}

static void
hard_timeouts_end_rules_whatever_passes(void **state)
{
	struct world *w = *state;
	uint64_t now = w->start;

	add_timed(w, 1, 0, 3);
	pass(w, &now, 2800);
	of_pipe_credit(w->p, ref_of(w, 1), 1, 64, now);
	assert_int_equal(w->ev.n_removed, 0);
	pass(w, &now, 1500);
	assert_int_equal(w->ev.n_removed, 1);
	assert_int_equal(w->ev.removed[0].reason, OFRR_HARD_TIMEOUT);
	assert_int_equal(w->ev.removed[0].packets, 1);
	assert_int_equal(w->ev.removed[0].hard_timeout, 3);
	assert_in_range(w->ev.removed[0].duration_s, 3, 4);
	assert_int_equal(n_rows(w->p, 0), 0);
	assert_int_equal(w->ev.e[1].event, OFME_REMOVED);
	assert_int_equal(w->ev.e[1].reason, OFRR_HARD_TIMEOUT);
}

static void
idle_timeouts_wait_for_the_last_packet(void **state)
{
	struct world *w = *state;
	uint64_t now = w->start;

	add_timed(w, 1, 2, 0);
	for (unsigned i = 0; i < 5; i++) {
		pass(w, &now, 1500);
		of_pipe_credit(w->p, ref_of(w, 1), 1, 64, now);
	}
	assert_int_equal(w->ev.n_removed, 0);
	pass(w, &now, 1900);
	assert_int_equal(w->ev.n_removed, 0);
	pass(w, &now, 1500);
	assert_int_equal(w->ev.n_removed, 1);
	assert_int_equal(w->ev.removed[0].reason, OFRR_IDLE_TIMEOUT);
	assert_int_equal(w->ev.removed[0].packets, 5);
}

static void
caches_are_asked_before_a_rule_idles_out(void **state)
{
	struct world *w = *state;
	uint64_t ref;

	add_timed(w, 1, 2, 0);
	ref = ref_of(w, 1);
	of_pipe_tick(w->p, w->start + 2600);
	assert_int_equal(w->sink.n_folds, 1);
	assert_int_equal(n_rows(w->p, 0), 1);
	/* A cache has seen packets that nobody else knew of. */
	of_pipe_credit(w->p, ref, 1, 64, w->start + 2000);
	sim_folded(&w->sink);
	assert_int_equal(n_rows(w->p, 0), 1);
	of_pipe_tick(w->p, w->start + 4600);
	assert_int_equal(w->sink.n_folds, 1);
	sim_folded(&w->sink);
	assert_int_equal(n_rows(w->p, 0), 0);
	assert_true(w->sink.n_dirty > 0);
}

static void
long_timeouts_are_longer_than_the_wheel(void **state)
{
	struct world *w = *state;
	uint64_t now = w->start;

	add_timed(w, 1, 0, 3000);
	for (unsigned i = 0; i < 299; i++) {
		now += 10000;
		of_pipe_tick(w->p, now);
		assert_int_equal(n_rows(w->p, 0), 1);
	}
	pass(w, &now, 11000);
	assert_int_equal(n_rows(w->p, 0), 0);
	assert_int_equal(w->ev.removed[0].duration_s, 3000);
	/* And after a pause longer than it. */
	add_timed(w, 2, 0, 60000);
	of_pipe_tick(w->p, now + 60001000);
	assert_int_equal(n_rows(w->p, 0), 0);
}

static void
fin_timeout_shortens(void **state)
{
	struct world *w = *state;
	uint64_t now = w->start;
	struct of_flow_row row;

	add_timed(w, 1, 60, 0);
	of_rule_shorten(w->p, ref_of(w, 1), 10, 20);
	row = only_row(w->p);
	assert_int_equal(row.idle_timeout, 10);
	assert_int_equal(row.hard_timeout, 20);
	of_rule_shorten(w->p, ref_of(w, 1), 30, 2);
	assert_int_equal(only_row(w->p).idle_timeout, 10);
	pass(w, &now, 3500);
	assert_int_equal(n_rows(w->p, 0), 0);
	of_rule_shorten(w->p, 12345, 1, 1);
}

static void
learn_renews_hard_timeouts(void **state)
{
	struct world *w = *state;
	struct omatch m = match_in_port(1);
	uint64_t now = w->start;

	add_timed(w, 1, 0, 3);
	pass(w, &now, 2000);
	of_pipe_credit(w->p, of_ref_refresh(w->p, of_find_exact(w->p, of_pipe_version(w->p), 0, &m, 5)), 1, 64, now);
	pass(w, &now, 2500);
	assert_int_equal(n_rows(w->p, 0), 1);
	assert_int_equal(only_row(w->p).packets, 0);
	pass(w, &now, 2000);
	assert_int_equal(n_rows(w->p, 0), 0);
}

static void
a_modification_renews_hard_timeouts_and_replacement_both(void **state)
{
	struct world *w = *state;
	struct omatch m = match_in_port(1);
	struct of_flow_mod fm = flow_mod(OFFC_MODIFY, 0, 5, &m, acts_output(2));
	uint64_t now = w->start;

	add_timed(w, 1, 0, 3);
	pass(w, &now, 2000);
	assert_int_equal(apply_as(w->p, OF13, &fm), OFE_OK);
	pass(w, &now, 2500);
	assert_int_equal(n_rows(w->p, 0), 1);
	assert_int_equal(only_row(w->p).duration_s, 4);
	add_timed(w, 1, 0, 3);
	pass(w, &now, 2500);
	assert_int_equal(only_row(w->p).duration_s, 2);
	/* Without timeouts, it stays. */
	add_timed(w, 1, 0, 0);
	pass(w, &now, 10000);
	assert_int_equal(n_rows(w->p, 0), 1);
}

/* --- Limbo --------------------------------------------------------------------------------------------- */

static void
flow_removed_waits_for_the_last_packets(void **state)
{
	struct world *w = *state;
	struct omatch any = match_any();
	struct of_flow_mod fm = flow_mod(OFFC_DELETE, 0, 5, &any, (struct of_acts){ 0 });
	uint64_t ref;

	add_timed(w, 1, 0, 0);
	ref = ref_of(w, 1);
	sim_settle(&w->sink);
	assert_int_equal(apply_as(w->p, OF13, &fm), OFE_OK);
	of_pipe_publish(w->p, NULL);
	assert_int_equal(w->sink.n_defers, 1);
	of_pipe_credit(w->p, ref, 1, 100, w->start);
	sim_grace(&w->sink);
	assert_int_equal(w->sink.n_folds, 1);
	assert_int_equal(w->ev.n_removed, 0);
	of_pipe_credit(w->p, ref, 2, 200, w->start);
	sim_folded(&w->sink);
	assert_int_equal(w->ev.n_removed, 1);
	assert_int_equal(w->ev.removed[0].packets, 3);
	assert_int_equal(w->ev.removed[0].bytes, 300);
	assert_int_equal(w->ev.removed[0].cookie, 1);
	assert_int_equal(w->ev.removed[0].reason, OFRR_DELETE);
	assert_int_equal(w->ev.removed[0].match.flow.in_port, be32(1));
}

static void
flow_removed_is_for_those_who_asked(void **state)
{
	struct world *w = *state;
	struct omatch any = match_any(), m = match_in_port(9);
	struct of_flow_mod fm = flow_mod(OFFC_DELETE, 0, 5, &any, (struct of_acts){ 0 });

	add_rule(w->p, 0, 5, &m, acts_output(1));
	/* A replaced rule is not removed. */
	add_timed(w, 1, 0, 0);
	add_timed(w, 1, 0, 0);
	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	assert_int_equal(w->ev.n_removed, 0);
	assert_int_equal(apply_as(w->p, OF13, &fm), OFE_OK);
	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	assert_int_equal(w->ev.n_removed, 1);
	add_timed(w, 1, 0, 0);
	of_pipe_flush(w->p, true);
	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	assert_int_equal(w->ev.n_removed, 1);
	add_timed(w, 1, 0, 0);
	of_pipe_flush(w->p, false);
	of_pipe_publish(w->p, NULL);
	sim_settle(&w->sink);
	assert_int_equal(w->ev.n_removed, 2);
}

static void
readers_of_the_version_before_still_match(void **state)
{
	struct world *w = *state;
	struct omatch any = match_any();
	struct of_flow_mod fm = flow_mod(OFFC_DELETE, 0, 5, &any, (struct of_acts){ 0 });
	struct oflow flow = { .in_port = be32(1) };
	uint64_t before;

	add_timed(w, 1, 0, 0);
	before = of_pipe_version(w->p);
	assert_int_equal(apply_as(w->p, OF13, &fm), OFE_OK);
	of_pipe_publish(w->p, NULL);
	assert_non_null(of_lookup(w->p, before, 0, &flow, NULL, NULL));
	assert_null(of_lookup(w->p, of_pipe_version(w->p), 0, &flow, NULL, NULL));
}

static void
memory_comes_back(void **state)
{
	struct world *w = *state;
	struct omatch any = match_any();
	struct of_flow_mod del = flow_mod(OFFC_DELETE, OFTT_ALL, 5, &any, (struct of_acts){ 0 });
	struct of_pipe_stats s;
	uint64_t most = 0;

	for (unsigned round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 500; i++) {
			struct omatch m = match_nw_dst(i, 32 - round % 8);

			add_rule(w->p, (uint8_t)(round % 5), (uint16_t)i, &m, acts_output(1 + i % 50));
		}
		of_pipe_publish(w->p, NULL);
		of_pipe_stats(w->p, &s);
		if (round < 10)
			most = MAX_OF(most, s.rule_bytes);
		assert_true(s.rule_bytes <= most * 2);
		assert_int_equal(apply_as(w->p, OF13, &del), OFE_OK);
		of_pipe_publish(w->p, NULL);
		sim_settle(&w->sink);
	}
	of_pipe_stats(w->p, &s);
	assert_int_equal(s.n_rules, 0);
	assert_int_equal(s.n_progs, 0);
	assert_int_equal(s.n_subtables, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(hard_timeouts_end_rules_whatever_passes),
		T(idle_timeouts_wait_for_the_last_packet),
		T(caches_are_asked_before_a_rule_idles_out),
		T(long_timeouts_are_longer_than_the_wheel),
		T(fin_timeout_shortens),
		T(learn_renews_hard_timeouts),
		T(a_modification_renews_hard_timeouts_and_replacement_both),
		T(flow_removed_waits_for_the_last_packets),
		T(flow_removed_is_for_those_who_asked),
		T(readers_of_the_version_before_still_match),
		T(memory_comes_back),
	};

	return cmocka_run_group_tests_name("expire", tests, NULL, NULL);
}
