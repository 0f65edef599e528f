/* SPDX-License-Identifier: Apache-2.0 */
/* Subtables: rules in and out, and their order; see cls.h. */
#include "ofproto/cls_hash.h"
#include "ofproto/cls_trie.h"

#include <stdlib.h>

/* --- Matches in compact form --------------------------------------------------------------------- */

void
cls_key_init(struct cls_key *k, const struct omatch *m)
{
	uint64_t h = 0;

	k->map = 0;
	k->n = 0;
	for (unsigned i = 0; i < OFLOW_WORDS; i++) {
		uint64_t w = oflow_word(&m->mask, i);

		if (!w)
			continue;
		k->map |= (uint64_t)1 << i;
		k->mask[k->n] = w;
		k->value[k->n++] = oflow_word(&m->flow, i) & w;
		h = hash_add(h, w);
	}
	k->mask_hash = (uint32_t)hash_add(h, k->map);
}

/* Writes words of a subtable to where struct oflow has them. */
static void
spread(const struct cls_sub *s, const uint64_t *from, struct oflow *to)
{
	memset(to, 0, sizeof *to);
	for (unsigned i = 0; i < s->n; i++)
		memcpy((uint8_t *)to + cls_words(s)[i] * 8, &from[i], 8);
}

void
cls_match_out(const struct of_rule *r, struct omatch *m)
{
	spread(r->sub, r->value, &m->flow);
	spread(r->sub, r->sub->mask, &m->mask);
}

uint32_t
cls_hash(const struct of_pipe *p, const uint64_t *value, unsigned n)
{
	uint64_t h = p->seed;

	for (unsigned i = 0; i < n; i++)
		h = cls_hash_step(h, value[i]);
	return (uint32_t)(h >> 32);
}

/* --- Subtables ----------------------------------------------------------------------------------- */

struct cls_sub *
cls_sub_find(const struct cls *c, const struct cls_key *k)
{
	struct cls_sub *s = c->n_buckets ? c->by_mask[k->mask_hash & (c->n_buckets - 1)] : NULL;

	for (; s; s = s->chain)
		if (s->mask_hash == k->mask_hash && s->map == k->map &&
		    !memcmp(s->mask, k->mask, k->n * sizeof k->mask[0]))
			return s;
	return NULL;
}

static void
add_to_buckets(struct cls *c, struct cls_sub *s)
{
	struct cls_sub **b = &c->by_mask[s->mask_hash & (c->n_buckets - 1)];

	s->chain = *b;
	*b = s;
}

static void
grow_buckets(struct cls *c)
{
	free(c->by_mask);
	c->n_buckets = MAX_OF(c->n_buckets * 2, 4u);
	c->by_mask = xcalloc(c->n_buckets, sizeof(struct cls_sub *));
	for (struct cls_sub *s = c->subs; s; s = s->next)
		add_to_buckets(c, s);
}

static size_t
sub_len(unsigned n)
{
	return sizeof(struct cls_sub) + n * (sizeof(uint64_t) + 1u);
}

struct cls_sub *
cls_sub_get(struct of_pipe *p, uint8_t table, const struct cls_key *k)
{
	static const uint8_t stage_end[OFLOW_STAGES] = { OFLOW_STAGE1, OFLOW_STAGE2, OFLOW_STAGE3, OFLOW_WORDS };
	struct cls *c = &p->tbl[table].cls;
	struct cls_sub *s = cls_sub_find(c, k);
	struct oflow mask;
	uint8_t *word;
	unsigned n = 0;

	if (s) {
		s->n_refs++;
		return s;
	}
	s = xcalloc(1, sub_len(k->n));
	s->n_refs = 1;
	s->map = k->map;
	s->n = (uint8_t)k->n;
	s->table = table;
	s->mask_hash = k->mask_hash;
	memcpy(s->mask, k->mask, k->n * sizeof k->mask[0]);
	word = (uint8_t *)&s->mask[s->n];
	for (uint64_t m = k->map; m; m &= m - 1)
		word[n++] = (uint8_t)__builtin_ctzll(m);
	for (unsigned i = 0, w = 0; i < OFLOW_STAGES; i++) {
		for (; w < n && word[w] < stage_end[i]; w++)
			s->last = (uint8_t)i;
		s->end[i] = (uint8_t)w;
	}
	spread(s, s->mask, &mask);
	cls_find_prefixes(s, &mask);
	s->next = c->subs;
	c->subs = s;
	if (++c->n_subs > c->n_buckets)
		grow_buckets(c);
	else
		add_to_buckets(c, s);
	p->n_subs++;
	p->sub_bytes += sub_len(k->n);
	p->bits_stale = true;
	return s;
}

void
cls_sub_put(struct of_pipe *p, struct cls_sub *s)
{
	if (!--s->n_refs)
		p->tbl[s->table].cls.stale = true;
}

/* Whether a stage's set tells anything: the last stage has the rules themselves. */
static bool
stage_has_set(const struct cls_sub *s, unsigned stage)
{
	return stage < s->last && s->end[stage] > (stage ? s->end[stage - 1] : 0);
}

static void
sub_free(struct of_pipe *p, struct cls_sub *s)
{
	cls_index_free(p, s->index);
	for (unsigned i = 0; i < OFLOW_STAGES - 1; i++)
		cls_set_free(p, s->set[i]);
	p->n_subs--;
	p->sub_bytes -= sub_len(s->n);
	p->bits_stale = true;
	pipe_retire(p, s);
}

/* --- Rules in and out ----------------------------------------------------------------------------- */

uint32_t
cls_head(const struct of_pipe *p, const struct cls_sub *s, const uint64_t *value, uint32_t hash)
{
	struct of_rule *r = s->index ? cls_index_find(p, s->index, hash, value, s->n) : NULL;

	return r ? r->idx : 0;
}

static struct of_rule *
live_among(const struct of_pipe *p, uint32_t head, uint16_t priority)
{
	for (uint32_t i = head; i; i = rule_at(p, i)->twin) {
		struct of_rule *r = rule_at(p, i);

		/* The newest of a priority is the first, and the only one that can be there. */
		if (r->priority <= priority)
			return r->priority == priority && rule_is_live(r) ? r : NULL;
	}
	return NULL;
}

struct of_rule *
cls_find_live(const struct of_pipe *p, const struct cls_sub *s, const uint64_t *value, uint16_t priority)
{
	return live_among(p, cls_head(p, s, value, cls_hash(p, value, s->n)), priority);
}

/* Adds a match to the sets of stages, or takes it out. */
static void
count_stages(struct of_pipe *p, struct cls_sub *s, const uint64_t *value, bool add)
{
	uint64_t h = p->seed;

	for (unsigned stage = 0, w = 0; stage < s->last; stage++) {
		for (; w < s->end[stage]; w++)
			h = cls_hash_step(h, value[w]);
		if (!stage_has_set(s, stage))
			continue;
		if (add)
			cls_set_add(p, &s->set[stage], (uint32_t)(h >> 32));
		else
			cls_set_del(s->set[stage], (uint32_t)(h >> 32));
	}
}

static void
raise_priority(struct of_pipe *p, struct cls_sub *s, uint16_t priority)
{
	if (!s->n_rules || priority > s->max_prio) {
		s->max_prio = priority;
		s->n_max = 0;
		s->n_gone = 0;
		p->tbl[s->table].cls.stale = true;
	}
	s->n_max += priority == s->max_prio;
}

void
cls_link(struct of_pipe *p, struct of_rule *r)
{
	struct cls_sub *s = r->sub;
	uint32_t head = cls_head(p, s, r->value, r->hash), i, prev = 0;

	raise_priority(p, s, r->priority);
	s->n_rules++;
	for (i = head; i && rule_at(p, i)->priority > r->priority; i = rule_at(p, i)->twin)
		prev = i;
	r->twin = i;
	if (prev) {
		__atomic_store_n(&rule_at(p, prev)->twin, r->idx, __ATOMIC_RELEASE);
	} else if (head) {
		cls_index_replace(s->index, r->hash, head, r->idx);
	} else {
		count_stages(p, s, r->value, true);
		cls_count_prefixes(p, s, r->value, true);
		cls_index_add(p, &s->index, s->n_heads, r->hash, r->idx);
		s->n_heads++;
	}
}

void
cls_unlink(struct of_pipe *p, struct of_rule *r)
{
	struct cls_sub *s = r->sub;
	uint32_t head = cls_head(p, s, r->value, r->hash), i, prev = 0;

	for (i = head; i != r->idx; i = rule_at(p, i)->twin)
		prev = i;
	if (prev) {
		__atomic_store_n(&rule_at(p, prev)->twin, r->twin, __ATOMIC_RELEASE);
	} else {
		cls_index_replace(s->index, r->hash, r->idx, r->twin);
		if (!r->twin) {
			count_stages(p, s, r->value, false);
			cls_count_prefixes(p, s, r->value, false);
			s->n_heads--;
		}
	}
	s->n_rules--;
	s->n_gone++;
	s->n_max -= r->priority == s->max_prio;
	if (!s->n_max)
		p->tbl[s->table].cls.stale = true;
	r->state |= RULE_UNLINKED;
}

/* --- Order of subtables ---------------------------------------------------------------------------- */

/* Finds the highest priority again, when enough has gone to pay for the walk. */
static void
lower_priority(const struct of_pipe *p, struct cls_sub *s)
{
	if (s->n_max || (s->n_rules > 64 && s->n_gone < s->n_rules / 8))
		return;
	s->max_prio = 0;
	s->n_gone = 0;
	for (uint32_t i = 0; i <= s->index->mask; i++) {
		uint64_t e = s->index->e[i];

		for (uint32_t r = (uint32_t)e == UINT32_MAX ? 0 : (uint32_t)e; r; r = rule_at(p, r)->twin) {
			if (rule_at(p, r)->priority > s->max_prio)
				s->max_prio = rule_at(p, r)->priority, s->n_max = 0;
			s->n_max += rule_at(p, r)->priority == s->max_prio;
		}
	}
}

static int
by_priority(const void *a, const void *b)
{
	const struct cls_sub *x = *(struct cls_sub *const *)a, *y = *(struct cls_sub *const *)b;

	if (x->max_prio != y->max_prio)
		return x->max_prio > y->max_prio ? -1 : 1;
	/* Then those that look at less. */
	return x->n != y->n ? x->n - y->n : x->map < y->map ? -1 : x->map > y->map;
}

/* Readers go by the old order until they have the new one, and these subtables may be in it: they are retired. */
static void
drop_empty(struct of_pipe *p, struct cls *c)
{
	for (struct cls_sub **s = &c->subs, *x; (x = *s);) {
		struct cls_sub **b;

		if (x->n_refs) {
			s = &x->next;
			continue;
		}
		*s = x->next;
		for (b = &c->by_mask[x->mask_hash & (c->n_buckets - 1)]; *b != x; b = &(*b)->chain)
			;
		*b = x->chain;
		c->n_subs--;
		sub_free(p, x);
	}
}

void
cls_refresh(struct of_pipe *p, uint8_t table)
{
	struct cls *c = &p->tbl[table].cls;
	struct cls_vec *vec = NULL, *old = c->vec;
	struct cls_sub **subs;
	uint32_t n = 0;

	if (!c->stale)
		return;
	c->stale = false;
	drop_empty(p, c);
	if (c->n_subs) {
		subs = xcalloc(c->n_subs, sizeof *subs);
		for (struct cls_sub *s = c->subs; s; s = s->next) {
			if (!s->n_rules)
				continue;
			lower_priority(p, s);
			subs[n++] = s;
		}
		qsort(subs, n, sizeof *subs, by_priority);
		vec = n ? xcalloc(1, sizeof *vec + n * sizeof vec->e[0]) : NULL;
		if (vec)
			vec->n = n;
		for (uint32_t i = 0; i < n; i++) {
			vec->e[i].max_prio = subs[i]->max_prio;
			vec->e[i].sub = subs[i];
		}
		free(subs);
	}
	rcu_assign(c->vec, vec);
	if (old)
		pipe_retire(p, old);
}

void
cls_fini(struct cls *c)
{
	for (struct cls_sub *s = c->subs, *next; s; s = next) {
		next = s->next;
		free(s->index);
		for (unsigned i = 0; i < OFLOW_STAGES - 1; i++)
			free(s->set[i]);
		free(s);
	}
	free(c->by_mask);
	free(c->vec);
}
