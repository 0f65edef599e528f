/* SPDX-License-Identifier: Apache-2.0 */
/* Conjunctive matches, as ovs-fields(7) defines them: a rule "conjunction(ID, K/N)" says that clause K of N is met.
 * When all clauses of an ID are met by rules of the same priority, the packet is looked up again with conj_id=ID. */
#include "ofproto/table_priv.h"

/* Clauses of one id, of one priority. */
static bool
is_complete(const struct cls_soft *soft, int priority, uint32_t id, unsigned n_clauses)
{
	uint64_t met = 0, all = n_clauses < 64 ? ((uint64_t)1 << n_clauses) - 1 : UINT64_MAX;

	for (unsigned i = 0; i < soft->n && met != all; i++) {
		if (soft->r[i]->priority != priority)
			continue;
		OF_ACTS_EACH(a, prog_acts(soft->r[i]->prog)) {
			const struct of_act_conj *c = (const struct of_act_conj *)a;

			if (a->kind == OFA_CONJUNCTION && c->id == id && c->n_clauses == n_clauses && c->clause < 64)
				met |= (uint64_t)1 << c->clause;
		}
	}
	return met == all;
}

/* The n-th complete id of a priority, by its first clause: each complete one has a rule for that. */
static bool
nth_complete(const struct cls_soft *soft, int priority, uint32_t n, uint32_t *id)
{
	for (unsigned i = 0; i < soft->n; i++) {
		if (soft->r[i]->priority != priority)
			continue;
		OF_ACTS_EACH(a, prog_acts(soft->r[i]->prog)) {
			const struct of_act_conj *c = (const struct of_act_conj *)a;

			if (a->kind != OFA_CONJUNCTION || c->clause || !is_complete(soft, priority, c->id, c->n_clauses))
				continue;
			if (n--)
				continue;
			*id = c->id;
			return true;
		}
	}
	return false;
}

bool
cls_conj_next(const struct cls_soft *soft, int above, struct cls_conj_iter *it, uint32_t *id)
{
	for (;;) {
		int next = -1;

		if (it->priority != INT32_MAX) {
			if (nth_complete(soft, it->priority, it->skip, id)) {
				it->skip++;
				return true;
			}
		}
		for (unsigned i = 0; i < soft->n; i++)
			if (soft->r[i]->priority < it->priority && soft->r[i]->priority > next)
				next = soft->r[i]->priority;
		if (next <= above)
			return false;
		it->priority = next;
		it->skip = 0;
	}
}
