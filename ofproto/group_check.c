/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups are refused: bad buckets, chains that come back, what is not there. */
#include "ofproto/group.h"

#include <stdlib.h>

static int
check_weight_and_watch(const struct of_pipe *p, uint8_t type, const struct of_bucket *b, struct of_error *e)
{
	bool watches = b->watch_port != (uint32_t)OFPP_ANY || b->watch_group != OFG_ANY;

	if (b->weight && type != OFGT_SELECT)
		return of_error_set(e, OFE_GMFC_INVALID_GROUP, "weight %u in a group of a type without", b->weight);
	if (watches && (type == OFGT_ALL || type == OFGT_INDIRECT))
		return of_error_set(e, OFE_GMFC_WATCH_UNSUPPORTED, "a watch in a group of a type without");
	if (!watches && type == OFGT_FF)
		return of_error_set(e, OFE_GMFC_INVALID_GROUP, "a fast-failover bucket that watches nothing");
	if (b->watch_port != (uint32_t)OFPP_ANY && b->watch_port != (uint32_t)OFPP_LOCAL &&
	    b->watch_port != (uint32_t)OFPP_CONTROLLER && (!b->watch_port || b->watch_port > OF_MAX_PORT_NO))
		return of_error_set(e, OFE_GMFC_BAD_WATCH, "watch of port %u", b->watch_port);
	if (b->watch_group != OFG_ANY && !pipe_has_group(p, b->watch_group))
		return of_error_set(e, OFE_GMFC_BAD_WATCH, "watch of group %u", b->watch_group);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
check_ids(uint8_t version, const struct of_bucket *b, uint32_t n, struct of_error *e)
{
	uint32_t *id;
	int rc = 0;

	if (version < OF15 || !n)
		return 0;
	id = xcalloc(n, sizeof *id);
	for (uint32_t i = 0; i < n; i++)
		id[i] = b[i].id;
	qsort(id, n, sizeof *id, by_number);
	if (id[n - 1] > OFG_BUCKET_MAX)
		rc = of_error_set(e, OFE_GMFC_BAD_BUCKET, "bucket id %u is reserved", id[n - 1]);
	for (uint32_t i = 1; i < n && !rc; i++)
		if (id[i] == id[i - 1])
			rc = of_error_set(e, OFE_GMFC_BUCKET_EXISTS, "bucket %u is there twice", id[i]);
	free(id);
	return rc;
}

/* --- Chains -------------------------------------------------------------------------------------------- */

struct walk {
	struct of_pipe *p;
	struct of_group **todo;
	uint32_t n, cap;
	uint32_t target;
	bool loops;
};

static void
reach(struct walk *w, uint32_t id)
{
	struct of_group *g = group_live(w->p, id);

	w->loops |= id == w->target;
	if (!g || g->mark == w->p->groups.mark)
		return;
	g->mark = w->p->groups.mark;
	if (w->n == w->cap) {
		w->cap = MAX_OF(w->cap * 2, 16u);
		w->todo = xrealloc(w->todo, w->cap * sizeof *w->todo);
	}
	w->todo[w->n++] = g;
}

static void
reach_acts(struct walk *w, struct of_acts acts)
{
	OF_ACTS_EACH(a, acts) {
		if (a->kind == OFA_GROUP)
			reach(w, ((const struct of_act_u32 *)a)->value);
		else if (a->kind == OFA_CLONE)
			reach_acts(w, of_acts_nested(a));
	}
}

static void
reach_buckets(struct walk *w, const struct of_bucket *b, uint32_t n)
{
	for (uint32_t i = 0; i < n && !w->loops; i++) {
		reach_acts(w, b[i].acts);
		if (b[i].watch_group != OFG_ANY)
			reach(w, b[i].watch_group);
	}
}

/* Whether a group 'id' with these buckets could be reached from itself. */
static bool
loops(struct of_pipe *p, uint32_t id, const struct of_bucket *b, uint32_t n)
{
	struct walk w = { .p = p, .target = id };

	p->groups.mark++;
	reach_buckets(&w, b, n);
	while (w.n && !w.loops) {
		const struct of_group *g = w.todo[--w.n];

		reach_buckets(&w, g->bucket, g->n_buckets);
	}
	free(w.todo);
	return w.loops;
}

/* --- All ------------------------------------------------------------------------------------------------- */

static int
check_method(const struct of_group_mod *m, struct of_error *e)
{
	if (!m->selection_method[0] || !strncmp(m->selection_method, "hash", sizeof m->selection_method) ||
	    !strncmp(m->selection_method, "dp_hash", sizeof m->selection_method))
		return 0;
	return of_error_set(e, OFE_BPC_BAD_VALUE, "selection method \"%.16s\"", m->selection_method);
}

int
group_check(struct of_pipe *p, uint8_t version, const struct of_group_mod *m, uint8_t type, const struct of_bucket *b,
	    uint32_t n, struct of_error *e)
{
	uint64_t bytes = p->groups.bytes;

	if (type > OFGT_FF)
		return of_error_set(e, OFE_GMFC_BAD_TYPE, "group type %u", type);
	if (n > OF_MAX_BUCKETS)
		return of_error_set(e, OFE_GMFC_OUT_OF_BUCKETS, "%u buckets", n);
	if (type == OFGT_INDIRECT && n != 1)
		return of_error_set(e, OFE_GMFC_INVALID_GROUP, "an indirect group has one bucket, not %u", n);
	if (check_method(m, e) || check_ids(version, b, n, e))
		return -1;
	for (uint32_t i = 0; i < n; i++)
		bytes += sizeof *b + b[i].acts.len;
	if (bytes > OF_MAX_GROUP_BYTES)
		return of_error_set(e, OFE_GMFC_OUT_OF_BUCKETS, "groups take %lu bytes", (unsigned long)bytes);
	if (loops(p, m->group_id, b, n))
		return of_error_set(e, OFE_GMFC_LOOP, "group %u would lead to itself", m->group_id);
	for (uint32_t i = 0; i < n; i++)
		if (check_weight_and_watch(p, type, &b[i], e) ||
		    pipe_check_acts(p, version, OFTT_ALL, NULL, b[i].acts, e))
			return -1;
	return 0;
}
