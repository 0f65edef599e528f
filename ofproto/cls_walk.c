/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the rules of a table for the control thread: those within a match, those that overlap one, those that a
 * packet did not match; see cls.h. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

/* Spreads the words of a key that a subtable's mask covers to where the subtable has them.  False: it does not have
 * all of them, so none of its rules is within the key. */
static bool
project(const struct cls_sub *s, const struct cls_key *k, uint64_t *value, uint64_t *mask)
{
	const uint8_t *word = cls_words(s);

	if (k->map & ~s->map)
		return false;
	for (unsigned i = 0, j = 0; i < s->n; i++) {
		bool has = k->map >> word[i] & 1;

		mask[i] = has ? k->mask[j] : 0;
		value[i] = has ? k->value[j] : 0;
		j += has;
		if (mask[i] & ~s->mask[i])
			return false;
	}
	return true;
}

bool
cls_rule_within(const struct of_rule *r, const struct cls_key *k)
{
	uint64_t value[OFLOW_WORDS], mask[OFLOW_WORDS], diff = 0;

	if (!k->n)
		return true;
	if (!project(r->sub, k, value, mask))
		return false;
	for (unsigned w = 0; w < r->sub->n; w++)
		diff |= (r->value[w] ^ value[w]) & mask[w];
	return !diff;
}

static void
each_twin(const struct of_pipe *p, uint32_t head, void (*cb)(void *, struct of_rule *), void *arg)
{
	for (uint32_t i = head, next; i; i = next) {
		struct of_rule *r = rule_at(p, i);

		next = r->twin;
		if (rule_is_live(r))
			cb(arg, r);
	}
}

static void
each_in_sub(const struct of_pipe *p, const struct cls_sub *s, const uint64_t *value, const uint64_t *mask,
	    void (*cb)(void *, struct of_rule *), void *arg)
{
	/* What cb adds may replace the index; the old one is only retired, so that this walk ends well. */
	const struct cls_index *ix = s->index;

	for (uint32_t i = 0; ix && i <= ix->mask; i++) {
		uint64_t diff = 0;
		const struct of_rule *r;

		if (!ix->e[i] || (uint32_t)ix->e[i] == UINT32_MAX)
			continue;
		r = rule_at(p, (uint32_t)ix->e[i]);
		for (unsigned w = 0; w < s->n; w++)
			diff |= (r->value[w] ^ value[w]) & mask[w];
		if (!diff)
			each_twin(p, r->idx, cb, arg);
	}
}

void
cls_each_within(const struct of_pipe *p, uint8_t table, const struct cls_key *k, void (*cb)(void *, struct of_rule *), void *arg)
{
	uint64_t value[OFLOW_WORDS], mask[OFLOW_WORDS];

	for (struct cls_sub *s = p->tbl[table].cls.subs; s; s = s->next) {
		if (!project(s, k, value, mask))
			continue;
		if (s->map == k->map && !memcmp(mask, s->mask, s->n * sizeof mask[0]))
			each_twin(p, cls_head(p, s, value, cls_hash(p, value, s->n)), cb, arg);
		else
			each_in_sub(p, s, value, mask, cb, arg);
	}
}

struct overlap {
	uint16_t priority;
	bool found;
};

static void
see_overlap(void *arg, struct of_rule *r)
{
	struct overlap *o = arg;

	o->found |= r->priority == o->priority;
}

bool
cls_overlaps(const struct of_pipe *p, uint8_t table, const struct cls_key *k, uint16_t priority)
{
	struct overlap o = { .priority = priority };
	uint64_t value[OFLOW_WORDS], mask[OFLOW_WORDS];

	for (struct cls_sub *s = p->tbl[table].cls.subs; s && !o.found; s = s->next) {
		const uint8_t *word = cls_words(s);

		if (s->max_prio < priority)
			continue;
		/* Bits that both look at. */
		for (unsigned i = 0; i < s->n; i++) {
			uint64_t bit = (uint64_t)1 << word[i];
			unsigned j = (unsigned)__builtin_popcountll(k->map & (bit - 1));

			mask[i] = k->map & bit ? k->mask[j] & s->mask[i] : 0;
			value[i] = mask[i] ? k->value[j] & mask[i] : 0;
		}
		each_in_sub(p, s, value, mask, see_overlap, &o);
	}
	return o.found;
}

struct watch {
	const struct of_pipe *p;
	const struct of_rule **r;
	uint32_t n, cap;
	uint64_t version;
	int above;
};

static void
see_rule(struct watch *w, const struct of_rule *r)
{
	if (!rule_visible(r, w->version) || r->priority <= w->above)
		return;
	if (w->n == w->cap) {
		w->cap = MAX_OF(w->cap * 2, 64u);
		w->r = xrealloc(w->r, w->cap * sizeof *w->r);
	}
	w->r[w->n++] = r;
}

static int
best_first(const void *a, const void *b)
{
	const struct of_rule *x = *(const struct of_rule *const *)a, *y = *(const struct of_rule *const *)b;

	return x->priority != y->priority ? y->priority - x->priority : x->idx < y->idx ? -1 : x->idx > y->idx;
}

static bool
field_differs(enum of_field f, const struct omatch *m, const struct oflow *flow)
{
	uint8_t v[OF_VALUE_MAX], mask[OF_VALUE_MAX], is[OF_VALUE_MAX];

	of_field_get(f, &m->flow, v);
	of_field_get(f, &m->mask, mask);
	of_field_get(f, flow, is);
	for (unsigned i = 0; i < of_field_bytes(f); i++)
		if ((v[i] ^ is[i]) & mask[i])
			return true;
	return false;
}

/* OFF_NONE: it matches. */
static enum of_field
first_difference(const struct of_rule *r, const struct oflow *flow)
{
	struct omatch m;

	cls_match_out(r, &m);
	for (unsigned f = 0; f < OFF_N_FIELDS; f++)
		if (field_differs((enum of_field)f, &m, flow) && of_need_has(of_field_info[f].needs, &m.flow))
			return (enum of_field)f;
	for (unsigned f = 0; f < OFF_N_FIELDS; f++)
		if (field_differs((enum of_field)f, &m, flow))
			return (enum of_field)f;
	return OFF_NONE;
}

void
cls_watch(const struct of_pipe *p, const struct cls *c, uint64_t version, const struct oflow *flow,
	  const struct of_rule *found, const struct of_lookup_watch *watch)
{
	const struct cls_vec *vec = rcu_read(c->vec);
	struct watch w = { .p = p, .version = version, .above = found ? found->priority : -1 };

	for (uint32_t i = 0; vec && i < vec->n && (int)vec->e[i].max_prio > w.above; i++) {
		const struct cls_index *ix = vec->e[i].sub->index;

		for (uint32_t e = 0; ix && e <= ix->mask; e++) {
			uint32_t r = (uint32_t)ix->e[e];

			for (r = r == UINT32_MAX ? 0 : r; r; r = rule_at(p, r)->twin)
				see_rule(&w, rule_at(p, r));
		}
	}
	if (w.n)
		qsort(w.r, w.n, sizeof *w.r, best_first);
	for (uint32_t i = 0; i < w.n; i++)
		watch->rejected(watch->arg, w.r[i], first_difference(w.r[i], flow));
	free(w.r);
}
