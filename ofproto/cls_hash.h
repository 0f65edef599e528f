/* SPDX-License-Identifier: Apache-2.0 */
/* The hash tables of subtables; see cls.h.  Functions are [ctl] unless they say otherwise. */
#ifndef OFPROTO_CLS_HASH_H
#define OFPROTO_CLS_HASH_H

#include "ofproto/table_priv.h"

/* 'n_live': numbers in it now. */
void cls_index_add(struct of_pipe *, struct cls_index **, uint32_t n_live, uint32_t hash, uint32_t idx);
/* Puts 'idx' (0: nothing) in the place of 'old', which is there. */
void cls_index_replace(struct cls_index *, uint32_t hash, uint32_t old, uint32_t idx);
void cls_index_free(struct of_pipe *, struct cls_index *);

void cls_set_add(struct of_pipe *, struct cls_set **, uint32_t hash);
void cls_set_del(struct cls_set *, uint32_t hash);      /* It is there. */
void cls_set_free(struct of_pipe *, struct cls_set *);

/* [lcore] The rule of this hash and these words; NULL: none. */
static inline struct of_rule *
cls_index_find(const struct of_pipe *p, const struct cls_index *ix, uint32_t hash, const uint64_t *value, unsigned n)
{
	for (uint32_t i = hash & ix->mask;; i = (i + 1) & ix->mask) {
		uint64_t e = __atomic_load_n(&ix->e[i], __ATOMIC_ACQUIRE);
		struct of_rule *r;
		unsigned w = 0;

		if (!e)
			return NULL;
		if (e >> 32 != hash || (uint32_t)e == UINT32_MAX)
			continue;
		r = rule_at(p, (uint32_t)e);
		/* Word by word: what was stored so is still on its way to memory. */
		while (w < n && r->value[w] == value[w])
			w++;
		if (w == n)
			return r;
	}
}

/* [lcore] */
static inline bool
cls_set_has(const struct cls_set *s, uint32_t hash)
{
	hash += !hash;
	for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask) {
		uint64_t e = __atomic_load_n(&s->e[i], __ATOMIC_ACQUIRE);

		if (!e)
			return false;
		if (e >> 32 == hash)
			return (uint32_t)e > 0;
	}
}

/* One step of a hash: a multiplication folded. */
static inline uint64_t
cls_hash_step(uint64_t h, uint64_t word)
{
	unsigned __int128 x = (unsigned __int128)(h ^ word) * 0x9e3779b97f4a7c15ull;

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

#endif
