/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: which of its buckets a packet goes through.  Each bucket is an action set of its own, run on a copy. */
#include "ofproto/pipe_priv.h"

#include "base/hash.h"

enum { MAX_WATCH = 8 };                 /* Groups that watch groups. */

static bool bucket_live(struct walk *, const struct of_bucket *, unsigned depth);

static bool
group_live(struct walk *w, uint32_t id, unsigned depth)
{
	struct of_group_view g;

	xl_tag(w->x, of_tag_group(w->bridge, id));
	if (depth == MAX_WATCH || !of_group_find(w->pipe, w->version, id, &g))
		return false;
	for (uint32_t i = 0; i < g.n_buckets; i++)
		if (bucket_live(w, &g.buckets[i], depth + 1))
			return true;
	return false;
}

/* A bucket that watches nothing is always there. */
static bool
bucket_live(struct walk *w, const struct of_bucket *b, unsigned depth)
{
	bool port = b->watch_port != (uint32_t)OFPP_ANY, group = b->watch_group != OFG_ANY;

	if (!port && !group)
		return true;
	return (port && pipe_port_live(w, b->watch_port)) || (group && group_live(w, b->watch_group, depth));
}

static void
run_bucket(struct walk *w, const struct of_group_view *g, uint32_t i)
{
	struct pipe_saved saved;
	struct pipe_branch b;
	uint8_t reason = w->reason;
	bool stop = w->stop, dead = w->dead;

	xlate_ref(w->x->out, of_ref_bucket(w->pipe, g->group, i));
	pipe_save(w, &saved);
	pipe_branch_begin(w->t, &b);
	if (UNLIKELY(w->x->trace))
		trace_bucket(w->x->trace, i);
	w->reason = OFPR_GROUP;
	pipe_action_set(w, &g->buckets[i].acts, 1);
	pipe_branch_end(w->t, &b);
	pipe_restore(w, &saved);
	/* An EXIT ends its bucket, and so does whatever does not fit. */
	w->stop = stop;
	w->dead = dead;
	w->reason = reason;
}

/* The logarithm of a number from 1 to 2^32, to a hundredth or so. */
static float
log2_about(uint32_t n)
{
	unsigned whole = 31 - (unsigned)__builtin_clz(n | 1);
	float rest = (float)(n - (1u << whole)) / (float)(1u << whole);

	return (float)whole + rest * (1.3465f - 0.3465f * rest);
}

/* Each bucket draws a number from the packet's hash; with log(number) / weight the chances are in proportion to the
 * weights (weighted rendezvous hashing).  A bucket that comes or goes moves only packets that are its own. */
static uint32_t
select_bucket(struct walk *w, const struct of_group_view *g)
{
	uint32_t hash = g->hash_fields ? pipe_hash_fields(w, g->hash_fields, g->hash_basis) :
					 pipe_hash(w, PIPE_HASH_ALL, g->id), best = UINT32_MAX;
	float best_score = 0;

	for (uint32_t i = 0; i < g->n_buckets; i++) {
		const struct of_bucket *b = &g->buckets[i];
		uint32_t draw = (uint32_t)hash_mix((uint64_t)hash << 32 | (b->id + 1));
		float score = b->weight ? (log2_about(draw | 1) - 32) / (float)b->weight : 0;

		if (!b->weight || (best != UINT32_MAX && score <= best_score) || !bucket_live(w, b, 0))
			continue;
		best = i;
		best_score = score;
	}
	return best;
}

static uint32_t
first_live(struct walk *w, const struct of_group_view *g)
{
	for (uint32_t i = 0; i < g->n_buckets; i++)
		if (bucket_live(w, &g->buckets[i], 0))
			return i;
	return UINT32_MAX;
}

static void
run(struct walk *w, const struct of_group_view *g)
{
	uint32_t one = UINT32_MAX;

	switch ((enum of_group_type)g->type) {
	case OFGT_ALL:
		for (uint32_t i = 0; i < g->n_buckets && !w->x->loop && !w->x->too_much; i++)
			run_bucket(w, g, i);
		return;
	case OFGT_SELECT:
		one = select_bucket(w, g);
		break;
	case OFGT_INDIRECT:
		one = g->n_buckets ? 0 : UINT32_MAX;
		break;
	case OFGT_FF:
		one = first_live(w, g);
		break;
	}
	if (one == UINT32_MAX)
		pipe_why(w, DROP_OF_GROUP);
	else
		run_bucket(w, g, one);
}

void
pipe_group(struct walk *w, uint32_t id)
{
	struct of_group_view g;

	xl_tag(w->x, of_tag_group(w->bridge, id));
	if (!of_group_find(w->pipe, w->version, id, &g)) {
		pipe_why(w, DROP_OF_GROUP);
		return;
	}
	if (++w->t->depth > PIPE_MAX_DEPTH || ++w->t->n_resubmits > PIPE_MAX_RESUBMITS) {
		w->x->too_much = true;
		return;
	}
	xlate_ref(w->x->out, of_ref_group(w->pipe, g.group));
	if (UNLIKELY(w->x->trace))
		trace_in(w->x->trace);
	run(w, &g);
	if (UNLIKELY(w->x->trace))
		trace_out(w->x->trace);
	w->t->depth--;
}
