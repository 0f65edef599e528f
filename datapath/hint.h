/* SPDX-License-Identifier: Apache-2.0 */
/* The hint index of one polling thread: from the hash of a packet's key to the flow that answered it the last time, in
 * eight bytes of memory.  Only ever a hint: who asks verifies the flow.  Owned by its thread; no lock.
 *
 * Buckets are a cache line of eight slots.  The index starts small and grows by linear hashing: each time something in
 * use has to be replaced, one bucket is split in two, so no packet waits for a growth and nothing is found less well
 * during it.  Replacement goes by clock: what was not hit since the hand came by last goes first, so that hashes that
 * come once do not drive out those that come again.
 *
 * It shrinks the way it grew: a slow hand empties what was not hit for a whole round of it; when a round has found less
 * than a quarter of the slots in use, buckets are merged, one at a time, until half of them would be. */
#ifndef DATAPATH_HINT_H
#define DATAPATH_HINT_H

#include "base/util.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	HINT_SLOTS = 8,                         /* Of a bucket. */
	HINT_MIN_BITS = 15,
	HINT_MIN_BUCKETS = 1 << HINT_MIN_BITS,  /* 2 MiB. */
	HINT_MAX_BUCKETS = 1 << 19,             /* 32 MiB: four million hints. */
	HINT_TAG_SHIFT = 48,
};

struct hint_bucket {
	uint16_t tag[HINT_SLOTS];
	uint32_t flow[HINT_SLOTS];      /* 0: empty. */
	uint8_t used;                   /* Bit i: was hit since the hand came by. */
	uint8_t hand;
	uint8_t pad[14];
} CACHE_ALIGNED;

_Static_assert(sizeof(struct hint_bucket) == CACHE_LINE, "a bucket is a line");

struct hints {
	struct hint_bucket *bucket;
	uint32_t n, max;                /* Buckets in use; at most. */
	uint32_t mask;                  /* 2^k - 1 with 2^(k-1) <= n < 2^k, or n == max == 2^k. */
	uint64_t replaced;
	uint32_t age_at;                /* Where the slow hand is... */
	uint32_t aged;                  /* ...and how many slots in use it has met in this round. */
	uint32_t want;                  /* Buckets to shrink to; 0: none are too many. */
};

/* Room for 'slots' hints at most, within HINT_MIN_BUCKETS and HINT_MAX_BUCKETS.  0 or -ENOMEM. */
int hints_init(struct hints *, uint32_t slots);
void hints_fini(struct hints *);
uint64_t hints_bytes(const struct hints *);     /* In use.  Any thread. */
/* Makes two buckets of one; does nothing at the limit. */
void hints_split(struct hints *);
/* One step of shrinking: ages a bucket, or merges two where there are too many.  In most steps one line is touched; one in
 * 32768 merges gives 2 MiB back to the system. */
void hints_age(struct hints *);

/* Which slots have that tag: bit i. */
static inline unsigned
hint_tags_plain(const struct hint_bucket *b, uint16_t tag)
{
	unsigned set = 0;

	for (unsigned i = 0; i < HINT_SLOTS; i++)
		set |= (unsigned)(b->tag[i] == tag) << i;
	return set;
}

#ifdef __SSE2__
static inline unsigned
hint_tags(const struct hint_bucket *b, uint16_t tag)
{
	__m128i eq = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(const void *)b->tag), _mm_set1_epi16((short)tag));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(eq, _mm_setzero_si128()));
}
#else
#define hint_tags hint_tags_plain
#endif

/* The bucket of a hash: the low bits, and above those the tag's.  So the tags alone tell how to split a bucket, and the
 * hash need not be kept. */
static inline uint32_t
hint_at(const struct hints *t, uint64_t h)
{
	uint32_t x = (uint32_t)(h & (HINT_MIN_BUCKETS - 1)) | (uint32_t)(h >> HINT_TAG_SHIFT) << HINT_MIN_BITS;
	uint32_t i = x & t->mask;

	return i < t->n ? i : i & t->mask >> 1;
}

static inline void
hint_prefetch(const struct hints *t, uint64_t h)
{
	__builtin_prefetch(&t->bucket[hint_at(t, h)], 1);
}

/* A flow number to verify; 0: nothing. */
static inline uint32_t
hint_get(struct hints *t, uint64_t h)
{
	struct hint_bucket *b = &t->bucket[hint_at(t, h)];

	for (unsigned set = hint_tags(b, (uint16_t)(h >> HINT_TAG_SHIFT)); set; set &= set - 1) {
		unsigned i = (unsigned)__builtin_ctz(set);

		if (!b->flow[i])
			continue;
		/* Most often it is set: then the line stays clean. */
		if (!(b->used >> i & 1))
			b->used |= (uint8_t)(1u << i);
		return b->flow[i];
	}
	return 0;
}

static inline void
hint_set(struct hints *t, uint64_t h, uint32_t flow)
{
	struct hint_bucket *b = &t->bucket[hint_at(t, h)];
	uint16_t tag = (uint16_t)(h >> HINT_TAG_SHIFT);
	unsigned same = hint_tags(b, tag), i;

	if (same) {
		i = (unsigned)__builtin_ctz(same);
	} else {
		for (i = 0; i < HINT_SLOTS && b->flow[i]; i++)
			;
	}
	if (UNLIKELY(i == HINT_SLOTS)) {
		/* The hand stops after a round at the latest, where it has just cleared a bit. */
		for (i = b->hand; b->used >> i & 1; i = (i + 1) % HINT_SLOTS)
			b->used &= (uint8_t)~(1u << i);
		b->hand = (uint8_t)((i + 1) % HINT_SLOTS);
		b->tag[i] = tag;
		b->flow[i] = flow;
		t->replaced++;
		hints_split(t);
		return;
	}
	b->tag[i] = tag;
	b->flow[i] = flow;
}

#endif
