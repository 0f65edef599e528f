/* SPDX-License-Identifier: Apache-2.0 */
/* Interned action programs; see act_store.h. */
#include "datapath/act_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
	N_CLASSES = 12,                 /* 1..2048 instructions. */
	BUCKETS_MIN = 4096,
	WORDS_PER_BUCKET = 16,
	HDR = 2,                        /* A block's header takes the room of two instructions. */
};

struct block {
	uint32_t refs;
	uint16_t n;
	uint16_t class;
	uint32_t hash;
	uint32_t next;                  /* In its bucket, or in the free list of its class. */
};

_Static_assert(sizeof(struct block) == HDR * sizeof(struct act), "a header is two instructions");
_Static_assert(1 << (N_CLASSES - 1) == ACT_MAX, "the largest class holds the largest program");

struct act_store {
	struct act *arena;
	uint32_t n_acts, high;          /* 'high': never used from there on. */
	uint32_t count;
	uint32_t free[N_CLASSES];
	uint32_t *bucket;
	uint32_t n_buckets;             /* A power of two. */
	uint64_t seed;
};

static struct block *
block_of(const struct act_store *s, uint32_t at)
{
	return (struct block *)&s->arena[at - HDR];
}

struct act_store *
act_store_create(uint32_t n_acts)
{
	struct act_store *s = xcalloc(1, sizeof *s);

	s->n_acts = n_acts;
	for (s->n_buckets = BUCKETS_MIN; s->n_buckets < n_acts / WORDS_PER_BUCKET; s->n_buckets *= 2)
		;
	s->arena = map_zeroed((size_t)n_acts * sizeof *s->arena);
	s->bucket = map_zeroed(s->n_buckets * sizeof *s->bucket);
	if (!s->arena || !s->bucket) {
		act_store_destroy(s);
		return NULL;
	}
	s->high = 1;
	s->seed = hash_random_seed();
	return s;
}

void
act_store_destroy(struct act_store *s)
{
	if (!s)
		return;
	map_free(s->arena, (size_t)s->n_acts * sizeof *s->arena);
	map_free(s->bucket, s->n_buckets * sizeof *s->bucket);
	free(s);
}

static unsigned
class_of(uint16_t n)
{
	return n <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n - 1u);
}

static uint32_t
block_alloc(struct act_store *s, unsigned class)
{
	uint32_t at = s->free[class], len = HDR + (1u << class);

	if (at) {
		s->free[class] = block_of(s, at)->next;
		return at;
	}
	if (len > s->n_acts - s->high)
		return 0;
	at = s->high + HDR;
	s->high += len;
	return at;
}

uint32_t
act_store_get(struct act_store *s, const struct act *a, uint16_t n)
{
	uint32_t hash = (uint32_t)hash_bytes(a, n * sizeof *a, s->seed), at;
	uint32_t *head = &s->bucket[hash & (s->n_buckets - 1)];
	struct block *b;

	for (at = *head; at; at = b->next) {
		b = block_of(s, at);
		if (b->hash == hash && b->n == n && !memcmp(&s->arena[at], a, n * sizeof *a)) {
			b->refs++;
			return at;
		}
	}
	at = block_alloc(s, class_of(n));
	if (!at)
		return 0;
	b = block_of(s, at);
	*b = (struct block){ .refs = 1, .n = n, .class = (uint16_t)class_of(n), .hash = hash, .next = *head };
	*head = at;
	memcpy(&s->arena[at], a, n * sizeof *a);
	s->count++;
	return at;
}

void
act_store_put(struct act_store *s, uint32_t at)
{
	struct block *b;
	uint32_t *link;

	if (!at)
		return;
	b = block_of(s, at);
	if (--b->refs)
		return;
	for (link = &s->bucket[b->hash & (s->n_buckets - 1)]; *link != at; link = &block_of(s, *link)->next)
		;
	*link = b->next;
	b->next = s->free[b->class];
	s->free[b->class] = at;
	s->count--;
}

const struct act *
act_store_at(const struct act_store *s, uint32_t at)
{
	return &s->arena[at];
}

uint64_t
act_store_bytes(const struct act_store *s)
{
	return (uint64_t)s->n_acts * sizeof *s->arena + s->n_buckets * sizeof *s->bucket + sizeof *s;
}

uint32_t
act_store_count(const struct act_store *s)
{
	return s->count;
}
