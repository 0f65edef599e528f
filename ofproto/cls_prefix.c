/* SPDX-License-Identifier: Apache-2.0 */
/* The fields whose prefixes a table keeps, between rules and tries; see cls_trie.h. */
#include "ofproto/cls_trie.h"

const struct trie_field trie_fields[CLS_N_TRIES] = {
	{ offsetof(struct oflow, nw_src), 32 },         /* ARP's addresses are there as well. */
	{ offsetof(struct oflow, nw_dst), 32 },
	{ offsetof(struct oflow, ipv6_src), 128 },
	{ offsetof(struct oflow, ipv6_dst), 128 },
	{ offsetof(struct oflow, tp_src), 16 },
	{ offsetof(struct oflow, tp_dst), 16 },
};

void
trie_value_of(const struct trie_field *f, const void *flow, struct trie_value *v)
{
	const uint8_t *b = (const uint8_t *)flow + f->ofs;

	if (f->bits == 16) {
		v->w[0] = (uint32_t)host16(load_be16(b)) << 16;
		v->w[1] = v->w[2] = v->w[3] = 0;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		v->w[i] = i * 32 < f->bits ? host32(load_be32(b + i * 4)) : 0;
}

static inline uint32_t
top(unsigned n)
{
	return n ? UINT32_MAX << (32 - n) : 0;
}

void
trie_examine(const struct trie_field *f, void *mask, unsigned n)
{
	uint8_t *b = (uint8_t *)mask + f->ofs;

	if (f->bits == 16) {
		store_be16(b, load_be16(b) | be16((uint16_t)(top(n) >> 16)));
		return;
	}
	for (; n; b += 4) {
		unsigned some = MIN_OF(n, 32u);

		store_be32(b, load_be32(b) | be32(top(some)));
		n -= some;
	}
}

static bool
bit_of(const struct trie_value *v, unsigned i)
{
	return v->w[i / 32] << i % 32 >> 31;
}

unsigned
trie_prefix_of(const struct trie_field *f, const struct oflow *mask)
{
	struct trie_value m;
	unsigned n = 0;

	trie_value_of(f, mask, &m);
	while (n < f->bits && bit_of(&m, n))
		n++;
	for (unsigned i = n; i < f->bits; i++)
		if (bit_of(&m, i))
			return 0;
	return n;
}

/* --- Rules --------------------------------------------------------------------------------------------- */

void
cls_find_prefixes(struct cls_sub *s, const struct oflow *mask)
{
	for (unsigned i = 0; i < CLS_N_TRIES; i++) {
		unsigned word = trie_fields[i].ofs / 8u;

		s->plen[i] = (uint8_t)trie_prefix_of(&trie_fields[i], mask);
		s->tries |= (uint8_t)((s->plen[i] > 0) << i);
		while (s->at[i] < s->n && cls_words(s)[s->at[i]] < word)
			s->at[i]++;
	}
}

void
cls_count_prefixes(struct of_pipe *p, struct cls_sub *s, const uint64_t *value, bool add)
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
