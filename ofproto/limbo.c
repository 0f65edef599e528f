/* SPDX-License-Identifier: Apache-2.0 */
/* What was removed, on its way out.  In stages, each after the one before has let go:
 *
 *   published    readers that took the version before may still match the rule: it stays linked
 *   unseen       a grace period later no packet follows it: unlinked; whoever holds it does so for one more period.
 *                What caches counted for it is fetched now, where somebody wants to know
 *   counted      its numbers are final: flow-removed is sent, references to it mean nothing any more
 *   freed        another grace period later
 *
 * Rules go this way in batches, one for each publication.  Of a large one each stage is done in slices, with a grace period
 * between two of them, in which the control thread sees to other things. */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

enum { SLICE = 4096 };                  /* Rules: a millisecond or two. */

struct batch {
	struct of_pipe *p;
	struct batch *prev, *next;      /* Of the pipeline's. */
	bool unlinked;                  /* Groups and meters are in no table any more. */
	bool fold;                      /* Somebody wants to know what was counted. */
	uint32_t at;                    /* Rules that are through the stage under way. */
	uint64_t ms;                    /* When it was published. */
	struct gone_list gone;
	struct ptr_list groups, meters;
	struct ptr_list garbage;
};

void
ptr_push(struct ptr_list *l, void *ptr)
{
	if (l->n == l->cap) {
		l->cap = MAX_OF(l->cap * 2, 16u);
		l->p = xrealloc(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n++] = ptr;
}

void
pipe_retire(struct of_pipe *p, void *ptr)
{
	ptr_push(&p->garbage, ptr);
}

void
gone_group(struct of_pipe *p, struct of_group *g)
{
	ptr_push(&p->gone_groups, g);
}

void
gone_meter(struct of_pipe *p, struct of_meter *m)
{
	ptr_push(&p->gone_meters, m);
}

void
gone_push(struct of_pipe *p, uint32_t rule, bool counts)
{
	struct gone_list *l = &p->gone;

	if (l->n == l->cap) {
		l->cap = MAX_OF(l->cap * 2, 16u);
		l->g = xrealloc(l->g, l->cap * sizeof *l->g);
	}
	l->g[l->n++] = (struct gone){ .rule = rule, .counts = counts };
}

/* What is no address is the number of a node, with the lowest bit set. */
void
pipe_retire_node(struct of_pipe *p, uint32_t node)
{
	ptr_push(&p->garbage, (void *)((uintptr_t)node << 1 | 1));
}

static void
free_ptrs(struct of_pipe *p, struct ptr_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uintptr_t v = (uintptr_t)l->p[i];

		if (!(v & 1))
			free(l->p[i]);
		else if (!p->dead)
			trie_node_give(p, (uint32_t)(v >> 1));
	}
	free(l->p);
	*l = (struct ptr_list){ 0 };
}

static void
batch_free(struct batch *b)
{
	struct of_pipe *p = b->p;

	if (b->prev)
		b->prev->next = b->next;
	else
		p->batches = b->next;
	if (b->next)
		b->next->prev = b->prev;
	free_ptrs(p, &b->garbage);
	free(b->groups.p);
	free(b->meters.p);
	free(b->gone.g);
	free(b);
}

/* A call of the sink has come back.  True: the pipeline is gone, and so is the batch. */
static bool
is_over(struct batch *b)
{
	struct of_pipe *p = b->p;

	p->pending--;
	if (!p->dead)
		return false;
	batch_free(b);
	if (!p->pending)
		free(p);
	return true;
}

static void
defer(struct batch *b, void (*fn)(void *))
{
	struct of_pipe *p = b->p;

	p->pending++;
	if (p->sink.defer)
		p->sink.defer(p->sink.arg, fn, b);
	else
		fn(b);
}

/* Of the stage under way, the rules from b->at on that are done now end there.  Then, with slice_end(): whether that was all;
 * if not, 'stage' goes on after another grace period. */
static uint32_t
slice_until(const struct batch *b)
{
	return MIN_OF(b->gone.n - b->at, (uint32_t)SLICE) + b->at;
}

static bool
slice_end(struct batch *b, void (*stage)(void *))
{
	if (b->at < b->gone.n) {
		/* The period begins with a publication that nobody asked for. */
		pipe_wake(b->p);
		defer(b, stage);
		return false;
	}
	b->at = 0;
	return true;
}

static void
refresh_tables(struct of_pipe *p)
{
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		if (p->tbl[t].cls.stale)
			cls_refresh(p, (uint8_t)t);
}

static void
batch_freed(void *arg)
{
	struct batch *b = arg;
	struct of_pipe *p = b->p;

	if (is_over(b))
		return;
	for (uint32_t end = slice_until(b); b->at < end; b->at++)
		rule_free(p, b->gone.g[b->at].rule);
	if (!slice_end(b, batch_freed))
		return;
	for (uint32_t i = 0; i < b->groups.n; i++)
		group_free(p, b->groups.p[i]);
	for (uint32_t i = 0; i < b->meters.n; i++)
		meter_free(p, b->meters.p[i]);
	batch_free(b);
	/* Subtables whose last rule that was. */
	refresh_tables(p);
}

static bool
wants_removed(const struct of_pipe *p, const struct gone *g)
{
	const struct of_rule *r = rule_at(p, g->rule);

	return g->counts && r->flags & OFFF_SEND_FLOW_REM && !(r->state & RULE_SILENT) && p->ev.flow_removed;
}

static void
send_removed(struct of_pipe *p, const struct of_rule *r, const struct rule_stat *st, uint64_t now)
{
	struct of_flow_removed m = {
		.cookie = r->cookie, .packets = __atomic_load_n(&st->packets, __ATOMIC_RELAXED),
		.bytes = __atomic_load_n(&st->bytes, __ATOMIC_RELAXED),
		.priority = r->priority, .idle_timeout = r->idle, .hard_timeout = r->hard, .reason = r->reason,
		.table_id = r->table,
	};

	pipe_duration(st->created_ms, now, &m.duration_s, &m.duration_ns);
	cls_match_out(r, &m.match);
	p->ev.flow_removed(p->ev.arg, p->bridge, &m);
}

static void
batch_counted(void *arg)
{
	struct batch *b = arg;
	struct of_pipe *p = b->p;

	if (is_over(b))
		return;
	for (uint32_t end = slice_until(b); b->at < end; b->at++) {
		const struct gone *g = &b->gone.g[b->at];
		struct rule_stat *st;

		if (!g->counts)
			continue;
		st = stat_at(p, rule_at(p, g->rule)->stat);
		if (wants_removed(p, g))
			send_removed(p, rule_at(p, g->rule), st, b->ms);
		__atomic_store_n(&st->gen, st->gen + 1, __ATOMIC_RELEASE);
	}
	if (!slice_end(b, batch_counted))
		return;
	b->garbage = p->garbage;
	p->garbage = (struct ptr_list){ 0 };
	/* The next period begins with a publication that nobody asked for. */
	pipe_wake(p);
	defer(b, batch_freed);
}

static void
batch_unseen(void *arg)
{
	struct batch *b = arg;
	struct of_pipe *p = b->p;

	if (is_over(b))
		return;
	free_ptrs(p, &b->garbage);
	for (uint32_t end = slice_until(b); b->at < end; b->at++) {
		struct of_rule *r = rule_at(p, b->gone.g[b->at].rule);

		if (!(r->state & RULE_UNLINKED))
			cls_unlink(p, r);
		b->fold |= wants_removed(p, &b->gone.g[b->at]);
	}
	if (!slice_end(b, batch_unseen))
		return;
	for (uint32_t i = 0; i < b->groups.n; i++)
		group_unlink(p, b->groups.p[i]);
	for (uint32_t i = 0; i < b->meters.n; i++)
		meter_unlink(p, b->meters.p[i]);
	b->unlinked = true;
	refresh_tables(p);
	p->pending++;
	if (b->fold && p->sink.fold)
		p->sink.fold(p->sink.arg, batch_counted, b);
	else
		batch_counted(b);
}

void
limbo_start(struct of_pipe *p)
{
	struct batch *b;

	if (!p->gone.n && !p->gone_groups.n && !p->gone_meters.n && !p->garbage.n)
		return;
	b = xcalloc(1, sizeof *b);
	*b = (struct batch){ .p = p, .ms = pipe_now(p), .gone = p->gone, .groups = p->gone_groups,
			     .meters = p->gone_meters, .garbage = p->garbage };
	p->gone = (struct gone_list){ 0 };
	p->gone_groups = p->gone_meters = (struct ptr_list){ 0 };
	b->next = p->batches;
	if (b->next)
		b->next->prev = b;
	p->batches = b;
	p->garbage = (struct ptr_list){ 0 };
	defer(b, batch_unseen);
}

void
limbo_fini(struct of_pipe *p)
{
	/* The batches themselves are the sink's for now. */
	for (struct batch *b = p->batches; b; b = b->next) {
		for (uint32_t i = 0; b->unlinked && i < b->groups.n; i++)
			group_free(p, b->groups.p[i]);
		for (uint32_t i = 0; b->unlinked && i < b->meters.n; i++)
			meter_free(p, b->meters.p[i]);
	}
	free(p->gone.g);
	/* They are still in their tables. */
	free(p->gone_groups.p);
	free(p->gone_meters.p);
	free_ptrs(p, &p->garbage);
}
