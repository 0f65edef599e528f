/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that look up while one changes: what a version shows is whole.  Run under TSan as well. */
#include "tests/ofproto/ofsim.h"

#include <pthread.h>

enum { N_READERS = 2, N_STEPS = 1500, N_CHURN = 24, N_PORTS = 400 };

struct reader {
	pthread_t thread;
	struct world *w;
	uint64_t seen;                  /* Atomic: the epoch of its last quiescent state. */
	uint64_t n, acts_len;
};

struct waiting {
	void (*fn)(void *);
	void *obj;
	uint64_t epoch;
};

struct world {
	struct of_pipe *p;
	uint64_t epoch;                 /* Atomic. */
	bool stop;                      /* Atomic. */
	struct reader r[N_READERS];
	struct waiting wait[4096];
	unsigned first, last;
};

/* --- Grace periods --------------------------------------------------------------------------------------- */

static void
race_defer(void *arg, void (*fn)(void *), void *obj)
{
	struct world *w = arg;

	assert_true(w->last - w->first < ARRAY_SIZE(w->wait));
	w->wait[w->last++ % ARRAY_SIZE(w->wait)] = (struct waiting){
		fn, obj, __atomic_add_fetch(&w->epoch, 1, __ATOMIC_ACQ_REL),
	};
}

static void
run_due(struct world *w)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < N_READERS; i++) {
		uint64_t s = __atomic_load_n(&w->r[i].seen, __ATOMIC_ACQUIRE);

		least = MIN_OF(least, s);
	}
	while (w->first != w->last && w->wait[w->first % ARRAY_SIZE(w->wait)].epoch <= least) {
		struct waiting d = w->wait[w->first++ % ARRAY_SIZE(w->wait)];

		d.fn(d.obj);
	}
}

static void
race_fold(void *arg, void (*done)(void *), void *done_arg)
{
	race_defer(arg, done, done_arg);
}

/* --- Readers ------------------------------------------------------------------------------------------------ */

/* Tables 0 and 1 are changed together: the cookies tell the same generation, and so does the group. */
static void
look(struct world *w, struct reader *r, unsigned n)
{
	struct oflow f = { .in_port = be32(1 + n % N_PORTS), .dl_type = be16(0x0800), .nw_dst = be32(0x0a000000 + n % 64) };
	struct oflow wc = { 0 };
	uint64_t v = of_pipe_version(w->p);
	const struct of_rule *a = of_lookup(w->p, v, 0, &f, &wc, NULL), *b = of_lookup(w->p, v, 1, &f, &wc, NULL), *c;
	struct of_group_view g;
	uint32_t dp;

	if (!a || !b || of_rule_cookie(a) != of_rule_cookie(b) || !of_group_find(w->p, v, 1, &g))
		abort();
	if (g.buckets[0].weight != (uint16_t)of_rule_cookie(a))
		abort();
	c = of_lookup(w->p, v, 2, &f, &wc, NULL);
	if (c) {
		of_pipe_credit(w->p, of_ref_rule(w->p, c), 1, 64, n);
		of_pipe_credit(w->p, of_ref_group(w->p, g.group), 1, 64, n);
		of_pipe_credit(w->p, of_ref_bucket(w->p, g.group, 0), 1, 64, n);
		r->acts_len += of_rule_acts(c).len;
	}
	of_pipe_match_bits(w->p, &wc);
	of_meter_find(w->p, 1 + n % 4, &dp);
	of_pipe_is_normal(w->p, v);
}

static void *
read_on(void *arg)
{
	struct reader *r = arg;

	while (!__atomic_load_n(&r->w->stop, __ATOMIC_ACQUIRE)) {
		uint64_t e = __atomic_load_n(&r->w->epoch, __ATOMIC_ACQUIRE);

		for (unsigned i = 0; i < 8; i++)
			look(r->w, r, (unsigned)r->n++);
		__atomic_store_n(&r->seen, e, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&r->seen, UINT64_MAX, __ATOMIC_RELEASE);
	return NULL;
}

/* --- The one that changes --------------------------------------------------------------------------------------- */

static void
replace_pair(struct of_pipe *p, uint16_t generation)
{
	struct omatch any = match_any();
	struct of_bucket b = bucket(0, generation, acts_output(1));

	assert_int_equal(group_mod(p, OF15, OFGC_ADD_OR_MOD, OFGT_SELECT, 1, &b, 1), OFE_OK);
	for (uint8_t t = 0; t < 2; t++) {
		struct of_flow_mod fm = flow_mod(OFFC_ADD, t, 1, &any, acts_group(OFA_GROUP, 1));

		fm.cookie = generation;
		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
}

static void
churn(struct of_pipe *p)
{
	static const struct of_band band = { .type = OFMBT_DROP, .rate = 1 };

	for (unsigned i = 0; i < N_CHURN; i++) {
		struct omatch m = rnd(2) ? match_in_port(1 + rnd(N_PORTS)) : match_nw_dst(0x0a000000 + rnd(64), 24 + rnd(9));
		struct of_flow_mod fm;

		if (!rnd(3))
			match_prefix(&m.flow.in_port, &m.mask.in_port, 1 + rnd(N_PORTS), 32);
		fm = flow_mod(rnd(5) < 3 ? OFFC_ADD : OFFC_DELETE_STRICT, 2, (uint16_t)rnd(3), &m,
			      acts_output(1 + rnd(100)));
		fm.flags = rnd(2) ? OFFF_SEND_FLOW_REM : 0;
		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
	if (!rnd(64)) {
		struct omatch any = match_any();
		struct of_flow_mod fm = flow_mod(OFFC_DELETE, 2, 0, &any, (struct of_acts){ 0 });

		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
	}
	meter_mod(p, rnd(2) ? OFMC_ADD : OFMC_DELETE, OFMF_KBPS, 1 + rnd(4), &band, 1);
}

static void
what_a_version_shows_is_whole(void **state)
{
	static struct world w;
	static struct sim_events ev;
	struct ofp_sink sink = { .defer = race_defer, .fold = race_fold, .arg = &w };
	struct of_pipe_events tell = sim_events(&ev);

	(void)state;
	tell.flow_changed = NULL;
	w.p = of_pipe_create(1, &sink, ignore_mark, NULL);
	of_pipe_set_events(w.p, &tell);
	replace_pair(w.p, 1);
	of_pipe_publish(w.p, NULL);
	for (unsigned i = 0; i < N_READERS; i++) {
		w.r[i].w = &w;
		assert_int_equal(pthread_create(&w.r[i].thread, NULL, read_on, &w.r[i]), 0);
	}
	for (unsigned step = 2; step < N_STEPS; step++) {
		if (!(step % 3)) {
			of_pipe_begin(w.p);
			churn(w.p);
			if (step & 1)
				of_pipe_abort(w.p);
			else
				of_pipe_commit(w.p);
		}
		replace_pair(w.p, (uint16_t)step);
		churn(w.p);
		of_pipe_publish(w.p, NULL);
		run_due(&w);
		while (w.last - w.first > ARRAY_SIZE(w.wait) / 2)
			run_due(&w);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < N_READERS; i++) {
		pthread_join(w.r[i].thread, NULL);
		assert_true(w.r[i].n > 0);
	}
	while (w.first != w.last)
		run_due(&w);
	of_pipe_destroy(w.p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_a_version_shows_is_whole) };

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
