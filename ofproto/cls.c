/* SPDX-License-Identifier: Apache-2.0 */
/* Subtables and the look-up through them; see cls.h. */
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

static void
find_prefixes(struct cls_sub *s)
{
	struct oflow mask;

	spread(s, s->mask, &mask);
	for (unsigned i = 0; i < CLS_N_TRIES; i++) {
		unsigned word = trie_fields[i].ofs / 8u;

		s->plen[i] = (uint8_t)trie_prefix_of(&trie_fields[i], &mask);
		s->tries |= (uint8_t)((s->plen[i] > 0) << i);
		while (s->at[i] < s->n && cls_words(s)[s->at[i]] < word)
			s->at[i]++;
	}
}

struct cls_sub *
cls_sub_get(struct of_pipe *p, uint8_t table, const struct cls_key *k)
{
	static const uint8_t stage_end[OFLOW_STAGES] = { OFLOW_STAGE1, OFLOW_STAGE2, OFLOW_STAGE3, OFLOW_WORDS };
	struct cls *c = &p->tbl[table].cls;
	struct cls_sub *s = cls_sub_find(c, k);
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
	find_prefixes(s);
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

/* Adds a match to the tries of its fields, or takes it out. */
static void
count_prefixes(struct of_pipe *p, struct cls_sub *s, const uint64_t *value, bool add)
{
	struct cls *c = &p->tbl[s->table].cls;

	for (unsigned tries = s->tries & ~(unsigned)c->tries_off; tries; tries &= tries - 1) {
		unsigned i = (unsigned)__builtin_ctz(tries), at = s->at[i];
		const struct trie_field *f = &trie_fields[i];
		struct trie_value v;

		/* The words of a field stand side by side, as in struct oflow; but of a long one with a short mask the second
		 * may be missing. */
		if (f->bits == 128 && s->plen[i] <= 64) {
			uint64_t both[2] = { value[at], 0 };

			trie_value_of(&(struct trie_field){ 0, 128 }, both, &v);
		} else {
			trie_value_of(&(struct trie_field){ f->ofs % 8, f->bits }, &value[at], &v);
		}
		if (!add)
			trie_del(p, &c->trie[i], &v, s->plen[i]);
		else if (!trie_add(p, &c->trie[i], &v, s->plen[i]))
			__atomic_store_n(&c->tries_off, c->tries_off | 1 << i, __ATOMIC_RELAXED);
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
		count_prefixes(p, s, r->value, true);
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
			count_prefixes(p, s, r->value, false);
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

/* --- Walks ----------------------------------------------------------------------------------------- */

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

/* --- Look-up ---------------------------------------------------------------------------------------- */

/* What one look-up knows so far. */
struct search {
	const struct of_pipe *p;
	const struct cls *c;
	const uint64_t *flow;
	uint64_t *wc;                   /* NULL: nobody asks. */
	uint8_t asked;                  /* Tries that were walked: bit i. */
	uint8_t set[CLS_N_TRIES];       /* Bits of their fields that are in 'wc' for that. */
	struct trie_found found[CLS_N_TRIES];
};

/* Whether a mask's first 'n' words have bits that were not looked at yet. */
static bool
has_new(const struct search *q, const struct cls_sub *s, unsigned n)
{
	const uint8_t *word = cls_words(s);
	uint64_t new = 0;

	for (unsigned i = 0; i < n; i++)
		new |= s->mask[i] & ~q->wc[word[i]];
	return new != 0;
}

static void
examine(const struct search *q, const struct cls_sub *s, unsigned n)
{
	const uint8_t *word = cls_words(s);

	for (unsigned i = 0; i < n; i++)
		q->wc[word[i]] |= s->mask[i];
}

/* How many bits of field 'i' tell that no rule of the table has such a prefix of it; 0: some rule has. */
static unsigned
trie_denies(struct search *q, const struct cls_sub *s, unsigned i)
{
	const struct trie_field *f = &trie_fields[i];

	if (!(q->asked >> i & 1)) {
		struct trie_value v;

		trie_value_of(f, q->flow, &v);
		trie_lookup(q->p, rcu_read(q->c->trie[i]), &v, f->bits, &q->found[i]);
		q->asked |= (uint8_t)(1u << i);
	}
	if (trie_has_length(&q->found[i], s->plen[i]))
		return 0;
	return MIN_OF(q->found[i].bits, (unsigned)s->plen[i]);
}

/* A subtable that has nothing: what to say was looked at.  The words up to 'n' tell; so may fewer bits of a prefix, if
 * no more than 'most'. */
static void
examine_miss(struct search *q, const struct cls_sub *s, unsigned n, unsigned most)
{
	uint8_t off = __atomic_load_n(&q->c->tries_off, __ATOMIC_RELAXED);
	unsigned best = CLS_N_TRIES, best_bits = most + 1;

	if (!s->tries || !has_new(q, s, n)) {
		examine(q, s, n);
		return;
	}
	for (unsigned tries = s->tries & ~(unsigned)off; tries; tries &= tries - 1) {
		unsigned i = (unsigned)__builtin_ctz(tries), bits = trie_denies(q, s, i);

		if (bits && bits <= q->set[i])
			return;
		if (bits && bits < best_bits) {
			best = i;
			best_bits = bits;
		}
	}
	if (best == CLS_N_TRIES) {
		examine(q, s, n);
		return;
	}
	trie_examine(&trie_fields[best], q->wc, best_bits);
	q->set[best] = (uint8_t)best_bits;
}

/* Whether the bits of prefixes looked at so far tell that the subtable has nothing. */
static inline bool
is_denied(const struct search *q, const struct cls_sub *s)
{
	for (unsigned tries = q->asked & s->tries; tries; tries &= tries - 1) {
		unsigned i = (unsigned)__builtin_ctz(tries);

		if (!trie_has_length(&q->found[i], s->plen[i]) &&
		    MIN_OF(q->found[i].bits, (unsigned)s->plen[i]) <= q->set[i])
			return true;
	}
	return false;
}

/* The first rule with the flow's values, of any version. */
static inline const struct of_rule *
sub_lookup(struct search *q, const struct cls_sub *s)
{
	const uint8_t *word = cls_words(s);
	const struct cls_index *ix;
	const struct of_rule *r;
	uint64_t value[OFLOW_WORDS], h = q->p->seed;
	unsigned w = 0;

	if (q->asked & s->tries && is_denied(q, s))
		return NULL;
	for (unsigned stage = 0; stage < s->last; stage++) {
		const struct cls_set *set;

		if (w == s->end[stage])
			continue;
		for (; w < s->end[stage]; w++) {
			value[w] = q->flow[word[w]] & s->mask[w];
			h = cls_hash_step(h, value[w]);
		}
		set = rcu_read(s->set[stage]);
		if (set && cls_set_has(set, (uint32_t)(h >> 32)))
			continue;
		/* What is known before the packet is looked at costs nothing, and its type next to nothing. */
		if (q->wc && stage)
			examine_miss(q, s, w, stage == 1 ? 16 : TRIE_MAX_BITS);
		else if (q->wc)
			examine(q, s, w);
		return NULL;
	}
	for (; w < s->n; w++) {
		value[w] = q->flow[word[w]] & s->mask[w];
		h = cls_hash_step(h, value[w]);
	}
	ix = rcu_read(s->index);
	r = ix ? cls_index_find(q->p, ix, (uint32_t)(h >> 32), value, s->n) : NULL;
	if (q->wc && r)
		examine(q, s, s->n);
	else if (q->wc)
		examine_miss(q, s, s->n, TRIE_MAX_BITS);
	return r;
}

static inline const struct of_rule *
next_twin(const struct of_pipe *p, const struct of_rule *r)
{
	uint32_t twin = __atomic_load_n(&r->twin, __ATOMIC_ACQUIRE);

	return twin ? rule_at(p, twin) : NULL;
}

const struct of_rule *
cls_find_visible(const struct of_pipe *p, const struct cls *c, uint64_t version, const struct cls_key *k,
		 uint16_t priority)
{
	const struct cls_vec *vec = rcu_read(c->vec);

	for (uint32_t i = 0; vec && i < vec->n && vec->e[i].max_prio >= priority; i++) {
		const struct cls_sub *s = vec->e[i].sub;
		const struct cls_index *ix = rcu_read(s->index);
		const struct of_rule *r;

		if (s->mask_hash != k->mask_hash || s->map != k->map ||
		    memcmp(s->mask, k->mask, k->n * sizeof k->mask[0]))
			continue;
		r = ix ? cls_index_find(p, ix, cls_hash(p, k->value, k->n), k->value, k->n) : NULL;
		for (; r && r->priority >= priority; r = next_twin(p, r))
			if (r->priority == priority && rule_visible(r, version))
				return r;
		return NULL;
	}
	return NULL;
}

/* The best rule that stands for itself; those that are part of conjunctions go to 'soft' (NULL: are passed by). */
static const struct of_rule *
lookup_hard(const struct of_pipe *p, const struct cls *c, uint64_t version, const struct oflow *flow, struct oflow *wc,
	    struct cls_soft *soft)
{
	const struct cls_vec *vec = rcu_read(c->vec);
	const struct of_rule *best = NULL;
	struct search q;
	int above = -1;

	q.p = p;
	q.c = c;
	q.flow = (const uint64_t *)flow;
	q.wc = (uint64_t *)wc;
	q.asked = 0;
	memset(q.set, 0, sizeof q.set);
	for (uint32_t i = 0; vec && i < vec->n && (int)vec->e[i].max_prio > above; i++) {
		const struct of_rule *r = sub_lookup(&q, vec->e[i].sub);

		for (; r && r->priority > above; r = next_twin(p, r)) {
			if (!rule_visible(r, version))
				continue;
			if (!(r->flags & RULE_F_CONJ)) {
				best = r;
				above = r->priority;
			} else if (soft && soft->n < CLS_MAX_SOFT) {
				soft->r[soft->n++] = r;
			}
		}
	}
	return best;
}

/* Rules of conjunctions that are complete, if they come before 'best'. */
static const struct of_rule *
lookup_conj(const struct of_pipe *p, const struct cls *c, uint64_t version, struct oflow *flow, struct oflow *wc,
	    const struct cls_soft *soft, const struct of_rule *best)
{
	uint32_t id[CLS_MAX_CONJ];
	int priority = INT32_MAX, n;
	be32_t saved = flow->conj_id;

	while ((n = cls_conj_level(soft, best ? best->priority : -1, &priority, id, CLS_MAX_CONJ)) >= 0) {
		for (int i = 0; i < n; i++) {
			const struct of_rule *r;

			flow->conj_id = be32(id[i]);
			r = lookup_hard(p, c, version, flow, wc, NULL);
			if (r)
				return r;
		}
		flow->conj_id = saved;
	}
	return best;
}

const struct of_rule *
cls_lookup(const struct of_pipe *p, const struct cls *c, uint64_t version, struct oflow *flow, struct oflow *wc)
{
	struct cls_soft soft;
	const struct of_rule *best;

	soft.n = 0;
	best = lookup_hard(p, c, version, flow, wc, &soft);
	return LIKELY(!soft.n) ? best : lookup_conj(p, c, version, flow, wc, &soft, best);
}
