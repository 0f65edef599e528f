/* SPDX-License-Identifier: Apache-2.0 */
/* Conjunctive matches, as ovs-fields(7) defines them: a rule "conjunction(ID, K/N)" says that clause K of N is met.
 * When all clauses of an ID are met by rules of the same priority, the packet is looked up again with conj_id=ID. */
#include "ofproto/table_priv.h"

/* Ids of one priority: as many as fit at a time, sorted by hash into as many passes as it takes. */
enum { N_SLOTS = 512, SLOTS_USED = 384, MAX_PASSES = 64 };

struct clauses {
	uint32_t id;
	uint8_t n;                      /* 0: the slot is free. */
	uint64_t met;
};

static uint64_t
all_of(unsigned n)
{
	return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
}

/* Notes that a clause is met.  Returns whether that was the last one. */
static bool
meet(struct clauses *slot, const struct of_act_conj *c)
{
	uint32_t i = (uint32_t)hash_mix(c->id) & (N_SLOTS - 1);
	uint64_t was;

	while (slot[i].n && (slot[i].id != c->id || slot[i].n != c->n_clauses))
		i = (i + 1) & (N_SLOTS - 1);
	slot[i].id = c->id;
	slot[i].n = c->n_clauses;
	was = slot[i].met;
	slot[i].met |= (uint64_t)1 << c->clause;
	return was != all_of(c->n_clauses) && slot[i].met == all_of(c->n_clauses);
}

struct level {
	const struct cls_soft *soft;
	int priority;
	uint32_t n_passes;
	uint32_t *id;
	unsigned n, max;
};

/* Ids whose hash falls into this pass. */
static void
run_pass(struct level *l, uint32_t pass)
{
	struct clauses slot[N_SLOTS];
	unsigned used = 0;

	memset(slot, 0, sizeof slot);
	for (unsigned i = 0; i < l->soft->n; i++) {
		if (l->soft->r[i]->priority != l->priority)
			continue;
		OF_ACTS_EACH(a, prog_acts(l->soft->r[i]->prog)) {
			const struct of_act_conj *c = (const struct of_act_conj *)a;

			if (a->kind != OFA_CONJUNCTION || (hash_mix(c->id) >> 32) % l->n_passes != pass)
				continue;
			/* More than was reckoned with: nobody's rules look like this. */
			if (++used > N_SLOTS - 1)
				return;
			if (meet(slot, c) && l->n < l->max)
				l->id[l->n++] = c->id;
		}
	}
}

static uint32_t
n_conjunctions(const struct cls_soft *soft, int priority)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < soft->n; i++)
		if (soft->r[i]->priority == priority)
			n += soft->r[i]->prog->len / (uint32_t)sizeof(struct of_act_conj);
	return n;
}

int
cls_conj_level(const struct cls_soft *soft, int above, int *priority, uint32_t *id, unsigned max)
{
	struct level l = { .soft = soft, .priority = -1, .id = id, .max = max };

	for (unsigned i = 0; i < soft->n; i++)
		if (soft->r[i]->priority < *priority && soft->r[i]->priority > l.priority)
			l.priority = soft->r[i]->priority;
	if (l.priority <= above)
		return -1;
	*priority = l.priority;
	l.n_passes = 1 + n_conjunctions(soft, l.priority) / SLOTS_USED;
	l.n_passes = MIN_OF(l.n_passes, (uint32_t)MAX_PASSES);
	for (uint32_t pass = 0; pass < l.n_passes; pass++)
		run_pass(&l, pass);
	return (int)l.n;
}
