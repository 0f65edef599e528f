/* SPDX-License-Identifier: Apache-2.0 */
/* The look-up of a packet through the subtables of a table, and which of its bits that examines; see cls.h. */
#include "ofproto/cls_hash.h"
#include "ofproto/cls_trie.h"

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
		trie_lookup(q->p, rcu_read(q->c->trie[i]), &v, &q->found[i]);
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
