/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path of a polling thread: translation of new flows within each port's budget, re-translation
 * of flows whose answer may have changed, and the sweep that expires what is idle. */
#include "datapath/dp_priv.h"

#include "base/clock.h"

enum {
	EXPIRE_S = 10,                  /* Idle flows go after this. */
	SWEEP_MAX = 4096,               /* Flows looked at per turn, at most... */
	SWEEP_BUSY = 64,                /* ...and while packets wait. */
	SWEEP_US = 20,                  /* The time that may take. */
	SWEEP_LOOK = 32,                /* Flows between two looks at the clock. */
	HINT_ROUND_S = 10,              /* The slow hand of the hint index. */
	BUDGET_BURST_DIV = 8,           /* A port may save up an eighth of a second. */
};

/* Whether the port may have one more new flow. */
static bool
budget_take(struct lcore *lc, uint16_t port)
{
	struct upcall_budget *b = &lc->budget[port];
	uint32_t rate = lc->dp->conf.upcall_rate, burst = rate / BUDGET_BURST_DIV + 64;
	uint64_t tsc = rte_rdtsc(), dt = tsc - b->tsc;

	if (!rate)
		return true;
	if (dt >= lc->tsc_hz) {
		b->tokens = burst;
		b->tsc = tsc;
	} else if (dt * rate >= lc->tsc_hz) {
		uint64_t add = dt * rate / lc->tsc_hz;

		b->tokens = (uint32_t)MIN_OF(b->tokens + add, burst);
		b->tsc += add * lc->tsc_hz / rate;
	}
	if (!b->tokens)
		return false;
	b->tokens--;
	return true;
}

/* Asks the translator.  The answer is in lc->out; nobody was told of it yet. */
static void
translate(struct lcore *lc, const struct flow_key *key, const struct xlate_pkt *pkt)
{
	struct xlate_out *out = &lc->out;
	uint64_t start = rte_rdtsc();

	memset(out, 0, offsetof(struct xlate_out, refs));
	out->acts.n = 0;
	out->acts.overflow = false;
	if (lc->view->xlate)
		lc->dp->conf.xlate->translate(lc->view->xlate, key, pkt, out);
	else
		out->drop = DROP_NO_BRIDGE;
	if (UNLIKELY(out->acts.overflow)) {
		out->acts.n = 0;
		out->drop = DROP_RECURSION;
	}
	if (!out->acts.n && out->drop == DROP_NONE)
		out->drop = DROP_NO_DEST;
	/* What cannot be told now must be told another time: the answer is not kept. */
	if (UNLIKELY((out->learn.wanted && !lcore_event_room(lc)) || !tell_notes_room(lc, out)))
		out->no_cache = true;
	ctr_add(&lc->stats.upcall_cycles, rte_rdtsc() - start);
}

/* Tells the control thread what the answer wants it to know, once the answer is used. */
static void
tell(struct lcore *lc)
{
	const struct xlate_out *out = &lc->out;

	if (out->learn.wanted && lcore_event_room(lc))
		lcore_event(lc, &(struct dp_event){ .kind = EV_LEARN, .learn = out->learn });
	if (UNLIKELY(out->n_notes) && tell_notes_room(lc, out))
		tell_notes(lc, out);
}

void
upcall_credit(void *lcore, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint32_t used)
{
	struct lcore *lc = lcore;
	uint64_t idle = (uint64_t)(lc->now - used) << TICK_SHIFT;

	if (lc->view && lc->view->xlate && lc->dp->conf.xlate->credit)
		lc->dp->conf.xlate->credit(lc->view->xlate, refs, n, packets, bytes, lc->ms - idle * 1000 / lc->tsc_hz);
}

bool
upcall_answer(struct lcore *lc, const struct flow_key *key, const struct xlate_pkt *pkt, uint64_t since, bool may,
	      struct upcall_answer *ans)
{
	const flow_block *k = (const flow_block *)key;
	struct cache *c = &lc->cache;
	uint32_t f = cache_lookup_since(c, since, key->in_port, &k[0], &k[1]);

	/* An earlier miss of the same burst may have installed it. */
	if (f != CACHE_NONE && c->flows[f].epoch == lc->epoch) {
		struct cflow *fl = &c->flows[f];

		flow_hit(lc, fl, 1, pkt->len);
		ctr_add(&lc->stats.mega_hits, 1);
		*ans = (struct upcall_answer){ fl->out_port, fl->n_acts, cache_acts(c, fl), fl->drop };
		return true;
	}
	if (!may)
		return false;
	if (!budget_take(lc, key->in_port)) {
		ctr_add(&lc->stats.upcall_drops, 1);
		*ans = (struct upcall_answer){ .drop = DROP_UPCALL_BUDGET };
		return true;
	}
	ctr_add(&lc->stats.upcalls, 1);
	translate(lc, key, pkt);
	if (f != CACHE_NONE)
		f = cache_update(c, f, key, &lc->ports->mask[key->in_port], &lc->out, lc->epoch, lc->now);
	else if (!lc->out.no_cache)
		f = cache_insert(c, key, &lc->ports->mask[key->in_port], &lc->out, lc->epoch, lc->now);
	if (f != CACHE_NONE)
		flow_hit(lc, &c->flows[f], 1, pkt->len);
	else if (lc->out.n_refs)
		upcall_credit(lc, lc->out.refs, lc->out.n_refs, 1, pkt->len, lc->now);
	tell(lc);
	*ans = (struct upcall_answer){ 0, lc->out.acts.n, lc->out.acts.a, lc->out.drop };
	if (lc->out.acts.n == 1 && lc->out.acts.a[0].op == ACT_OUTPUT)
		ans->out_port = lc->out.acts.a[0].port;
	return true;
}

bool
upcall_packet(struct lcore *lc, const struct flow_key *key, uint64_t since, bool may, struct rte_mbuf *m)
{
	struct xlate_pkt pkt = pkt_of(key, m);
	struct upcall_answer ans;

	if (!upcall_answer(lc, key, &pkt, since, may, &ans))
		return false;
	if (ans.out_port)
		output(lc, ans.out_port, &m, 1);
	else if (ans.n_acts)
		exec_acts(lc, key, ans.acts, ans.n_acts, &m, 1);
	else
		exec_drop(lc, key->in_port, ans.drop, &m, 1);
	return true;
}

uint32_t
upcall_revalidate(struct lcore *lc, uint32_t f, const struct flow_key *key, const struct xlate_pkt *pkt)
{
	struct cflow *fl = &lc->cache.flows[f];
	const uint64_t *tag_epoch = lc->dp->tag_epoch;
	bool marked = __atomic_load_n(&tag_epoch[dp_tag_make(TAG_ALL, 0)], __ATOMIC_RELAXED) > fl->epoch;

	for (unsigned i = 0; i < fl->n_tags && !marked; i++)
		marked = fl->tags[i] == dp_tag_make(TAG_ALL, 0) ||
			 __atomic_load_n(&tag_epoch[fl->tags[i]], __ATOMIC_RELAXED) > fl->epoch;
	if (!marked) {
		fl->epoch = lc->epoch;
		return f;
	}
	ctr_add(&lc->stats.retranslated, 1);
	translate(lc, key, pkt);
	f = cache_update(&lc->cache, f, key, &lc->ports->mask[key->in_port], &lc->out, lc->epoch, lc->now);
	/* If it is not kept it is not used: the packets are translated one by one. */
	if (f != CACHE_NONE)
		tell(lc);
	return f;
}

/* Whether there was something to do for the flow. */
static bool
sweep_one(struct lcore *lc, uint32_t f, uint32_t expire)
{
	struct cache *c = &lc->cache;
	struct cflow *fl = &c->flows[f];

	if (!(fl->flags & CFLOW_LIVE))
		return false;
	if (lc->now - fl->used > expire) {
		cache_remove(c, f);
		ctr_add(&lc->stats.expired, 1);
		return true;
	}
	if (!(fl->flags & CFLOW_TOUCHED))
		return false;
	fl->flags &= (uint8_t)~CFLOW_TOUCHED;
	cache_settle(c, f);
	if (c->cold[f].touch && lc->view->xlate)
		lc->dp->conf.xlate->touch(lc->view->xlate, c->cold[f].touch);
	return true;
}

/* A few buckets of the hint index. */
static void
sweep_hints(struct lcore *lc, bool busy, uint64_t until)
{
	uint32_t n = MIN_OF(lc->hints_left, (uint32_t)(busy ? SWEEP_BUSY : SWEEP_MAX));

	for (unsigned k = 1; n; n--, k++) {
		lc->hints_left--;
		hints_age(&lc->cache.hints);
		if (!(k % SWEEP_LOOK) && rte_rdtsc() > until)
			break;
	}
}

/* Looks at a few flows: the idle ones go, what the used ones depend on is kept fresh.  Every flow is seen
 * about once a second. */
void
upcall_sweep(struct lcore *lc, bool busy)
{
	struct cache *c = &lc->cache;
	uint64_t kilo_tsc = (lc->tsc - lc->sweep_tsc) * 1000;
	uint32_t expire = (uint32_t)(EXPIRE_S * lc->tsc_hz >> TICK_SHIFT), n;
	uint64_t until;

	/* Comes by in every turn, so a turn too early costs no division. */
	if (LIKELY(kilo_tsc < lc->tsc_hz && !lc->sweep_left && !lc->hints_left))
		return;
	if (kilo_tsc >= lc->tsc_hz) {
		uint64_t due = c->high * (kilo_tsc / lc->tsc_hz) / 1000 + 1;

		lc->sweep_left = (uint32_t)MIN_OF(lc->sweep_left + due, (uint64_t)c->high);
		due = c->hints.n * (kilo_tsc / lc->tsc_hz) / (1000 * HINT_ROUND_S) + 1;
		lc->hints_left = (uint32_t)MIN_OF(lc->hints_left + due, (uint64_t)c->hints.n);
		lc->sweep_tsc = lc->tsc;
		lc->ms = clock_ms();
	}
	n = MIN_OF(lc->sweep_left, (uint32_t)(busy ? SWEEP_BUSY : SWEEP_MAX));
	until = rte_rdtsc() + SWEEP_US * lc->tsc_hz / 1000000;
	for (unsigned k = 1; n; n--, k++) {
		lc->sweep_left--;
		if (++lc->sweep_at >= c->high)
			lc->sweep_at = 1;
		/* What there is nothing to do for costs a cache miss, other flows any number of counters. */
		if ((sweep_one(lc, lc->sweep_at, expire) || !(k % SWEEP_LOOK)) && rte_rdtsc() > until)
			break;
	}
	sweep_hints(lc, busy, until);
	ctr_set(&lc->stats.n_flows, c->n_flows);
	ctr_set(&lc->stats.n_masks, c->n_masks);
	ctr_set(&lc->stats.evicted, c->evicted);
}
