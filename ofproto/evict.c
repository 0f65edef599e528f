/* SPDX-License-Identifier: Apache-2.0 */
/* Room in a table: limits, and who has to go when a full table evicts.
 *
 * Of least importance first, of those the one that would end soonest.  The order is made for a good number of rules at
 * a time; rules that come in between are put where they belong. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

enum { N_VICTIMS = 1024 };

struct victim {
	uint64_t rank;                  /* Importance, then time to live. */
	uint32_t stat, gen;
};

struct victims {
	uint32_t n;                     /* The worst last: it goes first. */
	bool all;                       /* There were no others. */
	struct victim v[N_VICTIMS];
};

static uint64_t
rank_of(const struct of_pipe *p, const struct of_rule *r)
{
	uint64_t end = rule_deadline(p, r);

	return (uint64_t)r->importance << 48 | MIN_OF(end, ((uint64_t)1 << 48) - 1);
}

static struct of_rule *
rule_of(const struct of_pipe *p, const struct victim *v)
{
	const struct rule_stat *st = stat_at(p, v->stat);

	return st->gen == v->gen && slab_taken(&p->stats, v->stat) && st->rule ? rule_at(p, st->rule) : NULL;
}

/* Puts a rule in its place, if it is one of the first to go. */
static void
offer(const struct of_pipe *p, struct victims *vs, const struct of_rule *r)
{
	struct victim v = { .rank = rank_of(p, r), .stat = r->stat, .gen = stat_at(p, r->stat)->gen };
	uint32_t i = 0, n = vs->n;

	/* Best kept first: binary search for the first that goes later than it. */
	while (n) {
		uint32_t half = n / 2;

		if (vs->v[i + half].rank > v.rank) {
			i += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (vs->n == N_VICTIMS) {
		vs->all = false;
		if (!i)
			return;
		memmove(&vs->v[0], &vs->v[1], (i - 1) * sizeof v);
		vs->v[i - 1] = v;
		return;
	}
	/* Others that are not in the list may come before it. */
	if (!i && !vs->all)
		return;
	memmove(&vs->v[i + 1], &vs->v[i], (vs->n - i) * sizeof v);
	vs->v[i] = v;
	vs->n++;
}

static void
fill(const struct of_pipe *p, struct victims *vs, uint8_t table)
{
	uint32_t i = 0;

	vs->n = 0;
	vs->all = true;
	for (;; i++) {
		if (!(i & (SLAB_N - 1)) && (i = slab_next_chunk(&p->stats, i, table)) == UINT32_MAX)
			return;
		if (slab_taken(&p->stats, i) && stat_at(p, i)->rule)
			offer(p, vs, rule_at(p, stat_at(p, i)->rule));
	}
}

/* The one to go next; NULL: nobody but 'newcomer'. */
static struct of_rule *
victim_of(struct of_pipe *p, uint8_t table, const struct of_rule *newcomer)
{
	struct tbl *t = &p->tbl[table];

	if (!t->victims)
		t->victims = xcalloc(1, sizeof *t->victims);
	for (unsigned filled = 0; filled < 2;) {
		struct victim *v;
		struct of_rule *r;

		if (!t->victims->n) {
			fill(p, t->victims, table);
			filled++;
			continue;
		}
		v = &t->victims->v[t->victims->n - 1];
		r = rule_of(p, v);
		if (r && r != newcomer) {
			uint64_t rank = rank_of(p, r);

			if (rank == v->rank)
				return r;
			/* It was used, or modified: to another place. */
			t->victims->n--;
			offer(p, t->victims, r);
			continue;
		}
		t->victims->n--;
		if (r && t->active <= 1)
			return NULL;
	}
	return NULL;
}

static bool
evicts(const struct tbl *t)
{
	return t->conf.config & OFTC_EVICTION;
}

int
evict_check(struct of_pipe *p, uint8_t table, uint16_t importance, uint64_t bytes, struct of_error *e)
{
	const struct tbl *t = &p->tbl[table];
	const struct of_rule *r;

	if (p->n_rules >= OF_MAX_RULES)
		return of_error_set(e, OFE_FMFC_TABLE_FULL, "the bridge has %u rules", p->n_rules);
	if (pipe_bytes(p) + bytes > p->max_bytes)
		return of_error_set(e, OFE_FMFC_TABLE_FULL, "rules take %lu bytes", (unsigned long)pipe_bytes(p));
	if (LIKELY(t->active < t->conf.max_entries))
		return 0;
	r = evicts(t) ? victim_of(p, table, NULL) : NULL;
	if (!r || r->importance > importance)
		return of_error_set(e, OFE_FMFC_TABLE_FULL, "table %u has %u rules", table, t->active);
	return 0;
}

void
evict_for(struct of_pipe *p, const struct of_who *who, const struct of_rule *newcomer)
{
	struct tbl *t = &p->tbl[newcomer->table];
	struct of_rule *r;

	if (UNLIKELY(t->active > t->conf.max_entries)) {
		r = victim_of(p, newcomer->table, newcomer);
		if (r) {
			t->victims->n--;
			txn_tell(p, who, OFME_REMOVED, r, OFRR_EVICTION);
			rule_remove(p, r, OFRR_EVICTION, NULL);
		}
	}
	if (t->victims)
		offer(p, t->victims, newcomer);
}

void
evict_fini(struct tbl *t)
{
	free(t->victims);
}
