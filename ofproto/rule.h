/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in memory, and the counters that outlive them.  Private to the pipeline's state (table_priv.h).
 *
 * A rule is a record of fixed head and as many match words as its subtable's mask has.  It never changes once it is
 * linked: a MODIFY makes another record that takes its place in the next version.  What stays the same through that
 * is the counter record, 'rule_stat': it is what references name, what dumps walk, and what timers chain.
 *
 * Both live in slabs of 64 records, named by number.  A number's record is found through a directory that never moves.
 * Memory of rules goes back when 64 neighbours are free; that of counters never does, since a stale reference is
 * told by the generation that stands there. */
#ifndef OFPROTO_RULE_H
#define OFPROTO_RULE_H

#include "ofproto/of.h"

#define OF_NEVER UINT64_MAX

struct prog;
struct cls_sub;

enum rule_state {
	RULE_UNLINKED = 1 << 0,         /* Gone from the classifier already: nobody ever saw it. */
	RULE_SILENT = 1 << 1,           /* Goes without flow-removed. */
	RULE_SHARES = 1 << 2,           /* Took its counters over from the rule before it. */
};

/* With OFFF_* in of_rule.flags. */
enum { RULE_F_CONJ = 1 << 7 };          /* Matches part of a conjunction. */

struct of_rule {
	uint64_t added;                 /* [const] */
	uint64_t removed;               /* Atomic: OF_NEVER while it is there. */
	uint64_t cookie;
	const struct prog *prog;        /* [const] */
	struct cls_sub *sub;            /* [const] */
	uint32_t twin;                  /* Atomic: the next with this match, of lower priority or older; 0: none. */
	uint32_t idx;                   /* [const] Its own number. */
	uint32_t hash;                  /* [const] */
	uint32_t stat;                  /* [const] Number of its counters. */
	uint16_t priority, importance;  /* [const] */
	uint16_t idle, hard;            /* Atomic: fin_timeout shortens them. */
	uint8_t flags, table;           /* [const] */
	uint8_t state;                  /* [ctl] */
	uint8_t reason;                 /* [ctl] Why it was removed. */
	uint32_t user_prev, user_next;  /* [ctl] Rules with the same program, where that names groups or meters. */
	uint64_t value[];               /* [const] One for each word of the mask. */
};

/* 64 bytes: one cache line. */
struct rule_stat {
	uint64_t packets, bytes;        /* Atomic: lcores add. */
	uint64_t used_ms;               /* Atomic. */
	uint64_t modified_ms;           /* Atomic: learn renews it. */
	uint64_t created_ms;            /* [ctl] */
	uint32_t gen;                   /* Atomic; 28 bits of it are in references. */
	uint32_t rule;                  /* [ctl] The record that holds now; 0: none. */
	uint32_t timer_prev, timer_next;
	uint32_t refs;                  /* Records that name it. */
	uint16_t timer_slot;            /* + 1; 0: not in the wheel. */
	uint16_t pad;
};

_Static_assert(sizeof(struct rule_stat) == 64, "a cache line");

enum { SLAB_SHIFT = 6, SLAB_N = 1 << SLAB_SHIFT, SLAB_MAX_CHUNKS = 1 << 18, SLAB_MAX_CLASSES = 256 };

struct slab_chunk {
	uint8_t *mem;
	uint32_t stride;
	uint32_t class;
};

struct slab_meta;
struct slab {
	struct slab_chunk *chunk;       /* [0] is not used: no record has number 0. */
	struct slab_meta *meta;
	uint32_t n_chunks;
	uint32_t empty;                 /* Chunks of no class. */
	uint32_t partial[SLAB_MAX_CLASSES];
	uint64_t bytes;
	bool keeps;                     /* Memory stays with its chunk, and all records have one size. */
};

void slab_init(struct slab *, bool keeps);
void slab_fini(struct slab *);
/* Takes a record of 'stride' bytes; all of a class have the same.  0: there are no numbers left.  Of a slab that keeps
 * memory, the content is what was left there; else undefined. */
uint32_t slab_take(struct slab *, unsigned class, uint32_t stride);
void slab_give(struct slab *, uint32_t idx);
/* [ctl] Whether the record is taken. */
bool slab_taken(const struct slab *, uint32_t idx);
/* [ctl] The first chunk from number 'idx' on of that class (-1: any); UINT32_MAX: no more. */
uint32_t slab_next_chunk(const struct slab *, uint32_t idx, int class);

static inline void *
slab_at(const struct slab *s, uint32_t idx)
{
	const struct slab_chunk *c = &s->chunk[idx >> SLAB_SHIFT];

	return c->mem + (size_t)(idx & (SLAB_N - 1)) * c->stride;
}

static inline bool
rule_visible(const struct of_rule *r, uint64_t version)
{
	return r->added <= version && version < __atomic_load_n(&r->removed, __ATOMIC_RELAXED);
}

static inline bool
rule_is_live(const struct of_rule *r)
{
	return __atomic_load_n(&r->removed, __ATOMIC_RELAXED) == OF_NEVER;
}

#endif
