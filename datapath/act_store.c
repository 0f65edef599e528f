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
	SLAB = 4160,                    /* Instructions: two of the largest blocks, or 32 of 128 instructions. */
	SLAB_MIN = 33,
	SLABS_MIN = 16,                 /* More than there are classes. */
};

struct block {
	uint32_t refs;
	uint16_t n;
	uint16_t class;
	uint32_t hash;
	uint32_t next;                  /* In its bucket, or in the free list of its slab. */
};

_Static_assert(sizeof(struct block) == HDR * sizeof(struct act), "a header is two instructions");
_Static_assert(1 << (N_CLASSES - 1) == ACT_MAX, "the largest class holds the largest program");
_Static_assert(SLAB >= HDR + ACT_MAX, "a slab has room for each class");

/* A part of the arena with blocks of one class, until the last of them is given back: then it is any class's again.
 * Slabs are named by their number plus one. */
struct slab {
	uint32_t free;                  /* First block that was given back; 0: none. */
	uint16_t used;                  /* Instructions that were cut into blocks so far. */
	uint16_t live;                  /* Blocks in use. */
	uint16_t class;
	uint32_t prev, next;            /* In the list of those that have room, or of those that are empty. */
};

struct act_store {
	struct act *arena;
	struct slab *slab;
	uint32_t n_acts, slab_len, n_slabs;
	uint32_t fresh;                 /* Slabs from here on were never used. */
	uint32_t count;
	uint32_t empty;
	uint32_t room[N_CLASSES];
	uint32_t *bucket;
	uint32_t n_buckets;             /* A power of two. */
	uint64_t seed;
};

static struct block *
block_of(const struct act_store *s, uint32_t at)
{
	return (struct block *)&s->arena[at - HDR];
}

static void
set_sizes(struct act_store *s, uint32_t n_acts)
{
	s->n_acts = n_acts;
	/* A small store is for short programs. */
	s->slab_len = MIN_OF(MAX_OF(n_acts / SLABS_MIN, (uint32_t)SLAB_MIN), (uint32_t)SLAB);
	s->n_slabs = n_acts / s->slab_len;
	for (s->n_buckets = BUCKETS_MIN; s->n_buckets < n_acts / WORDS_PER_BUCKET; s->n_buckets *= 2)
		;
}

uint64_t
act_store_size(uint32_t n_acts)
{
	struct act_store s = { 0 };

	set_sizes(&s, n_acts);
	return act_store_bytes(&s);
}

struct act_store *
act_store_create(uint32_t n_acts)
{
	struct act_store *s = xcalloc(1, sizeof *s);

	set_sizes(s, n_acts);
	s->arena = map_zeroed((size_t)n_acts * sizeof *s->arena);
	s->slab = map_zeroed(s->n_slabs * sizeof *s->slab);
	s->bucket = map_zeroed(s->n_buckets * sizeof *s->bucket);
	if (!s->arena || !s->slab || !s->bucket) {
		act_store_destroy(s);
		return NULL;
	}
	s->seed = hash_random_seed();
	return s;
}

void
act_store_destroy(struct act_store *s)
{
	if (!s)
		return;
	map_free(s->arena, (size_t)s->n_acts * sizeof *s->arena);
	map_free(s->slab, s->n_slabs * sizeof *s->slab);
	map_free(s->bucket, s->n_buckets * sizeof *s->bucket);
	free(s);
}

static unsigned
class_of(uint16_t n)
{
	return n <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n - 1u);
}

static void
slab_link(struct act_store *s, uint32_t *head, uint32_t i)
{
	struct slab *b = &s->slab[i - 1];

	b->prev = 0;
	b->next = *head;
	if (*head)
		s->slab[*head - 1].prev = i;
	*head = i;
}

static void
slab_unlink(struct act_store *s, uint32_t *head, uint32_t i)
{
	struct slab *b = &s->slab[i - 1];

	if (b->next)
		s->slab[b->next - 1].prev = b->prev;
	if (b->prev)
		s->slab[b->prev - 1].next = b->next;
	else
		*head = b->next;
}

static bool
slab_has_room(const struct act_store *s, const struct slab *b)
{
	return b->free || b->used + HDR + (1u << b->class) <= s->slab_len;
}

/* A slab with room for a block of the class; 0: there is none. */
static uint32_t
slab_get(struct act_store *s, unsigned class)
{
	uint32_t i = s->room[class];

	if (i)
		return i;
	if (HDR + (1u << class) > s->slab_len)
		return 0;
	if (s->empty) {
		i = s->empty;
		slab_unlink(s, &s->empty, i);
	} else if (s->fresh < s->n_slabs) {
		i = ++s->fresh;
	} else {
		return 0;
	}
	s->slab[i - 1] = (struct slab){ .class = (uint16_t)class };
	slab_link(s, &s->room[class], i);
	return i;
}

static uint32_t
block_alloc(struct act_store *s, unsigned class)
{
	uint32_t i = slab_get(s, class), at;
	struct slab *b;

	if (!i)
		return 0;
	b = &s->slab[i - 1];
	if (b->free) {
		at = b->free;
		b->free = block_of(s, at)->next;
	} else {
		at = (i - 1) * s->slab_len + b->used + HDR;
		b->used = (uint16_t)(b->used + HDR + (1u << class));
	}
	b->live++;
	if (!slab_has_room(s, b))
		slab_unlink(s, &s->room[class], i);
	return at;
}

static void
block_free(struct act_store *s, uint32_t at)
{
	uint32_t i = (at - HDR) / s->slab_len + 1;
	struct slab *b = &s->slab[i - 1];

	if (!slab_has_room(s, b))
		slab_link(s, &s->room[b->class], i);
	block_of(s, at)->next = b->free;
	b->free = at;
	if (--b->live)
		return;
	slab_unlink(s, &s->room[b->class], i);
	slab_link(s, &s->empty, i);
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
	block_free(s, at);
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
	return (uint64_t)s->n_acts * sizeof *s->arena + s->n_slabs * sizeof *s->slab + s->n_buckets * sizeof *s->bucket +
	       sizeof *s;
}

uint32_t
act_store_count(const struct act_store *s)
{
	return s->count;
}
