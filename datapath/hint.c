/* SPDX-License-Identifier: Apache-2.0 */
/* The hint index: life and growth; see hint.h. */
#include "datapath/hint.h"

#include <errno.h>
#include <sys/mman.h>

enum { PAGE_BUCKETS = (2 << 20) / sizeof(struct hint_bucket) };         /* In a large page. */

int
hints_init(struct hints *t, uint32_t slots)
{
	*t = (struct hints){ .n = HINT_MIN_BUCKETS, .mask = 2 * HINT_MIN_BUCKETS - 1, .max = HINT_MIN_BUCKETS };
	while (t->max < HINT_MAX_BUCKETS && t->max < slots / HINT_SLOTS)
		t->max *= 2;
	if (t->max == t->n)
		t->mask = t->n - 1;
	t->bucket = map_zeroed_huge(t->max * sizeof *t->bucket);
	return t->bucket ? 0 : -ENOMEM;
}

void
hints_fini(struct hints *t)
{
	map_free(t->bucket, t->max * sizeof *t->bucket);
	*t = (struct hints){ 0 };
}

uint64_t
hints_bytes(const struct hints *t)
{
	return __atomic_load_n(&t->n, __ATOMIC_RELAXED) * sizeof *t->bucket;
}

void
hints_split(struct hints *t)
{
	uint32_t half = (t->mask + 1) / 2;
	struct hint_bucket *from, *to;
	unsigned bit;

	if (t->n == t->max)
		return;
	/* The hand goes through the lower half; the twins are made behind its end. */
	from = &t->bucket[t->n - half];
	to = &t->bucket[t->n];
	bit = (unsigned)__builtin_ctz(half) - HINT_MIN_BITS;
	for (unsigned i = 0, k = 0; i < HINT_SLOTS; i++) {
		if (!from->flow[i] || !(from->tag[i] >> bit & 1))
			continue;
		to->tag[k] = from->tag[i];
		to->flow[k] = from->flow[i];
		to->used |= (uint8_t)((from->used >> i & 1) << k);
		from->flow[i] = 0;
		from->used &= (uint8_t)~(1u << i);
		k++;
	}
	/* In demand: what looked too large is not. */
	t->want = 0;
	/* Others may ask for its size. */
	__atomic_store_n(&t->n, t->n + 1, __ATOMIC_RELAXED);
	if (t->n > t->mask && t->n < t->max)
		t->mask = t->mask * 2 + 1;
}

/* A slot for one more: an empty one, or, for a hint that was hit lately, one that was not.  HINT_SLOTS: none. */
static unsigned
place(const struct hint_bucket *b, bool hit)
{
	unsigned i = 0, k = 0;

	while (i < HINT_SLOTS && b->flow[i])
		i++;
	if (i < HINT_SLOTS || !hit)
		return i;
	while (k < HINT_SLOTS && b->used >> k & 1)
		k++;
	return k;
}

/* The last bucket into the one that it was split from.  What was hit lately stays, the rest as far as there is room. */
static void
merge(struct hints *t)
{
	uint32_t last = t->n - 1;
	struct hint_bucket *from = &t->bucket[last], *to;

	__atomic_store_n(&t->n, last, __ATOMIC_RELAXED);
	if (last < (t->mask + 1) / 2)
		t->mask >>= 1;
	to = &t->bucket[last - (t->mask + 1) / 2];
	for (unsigned i = 0; i < HINT_SLOTS; i++) {
		bool hit = from->used >> i & 1;
		unsigned k = from->flow[i] ? place(to, hit) : HINT_SLOTS;

		if (k == HINT_SLOTS)
			continue;
		to->tag[k] = from->tag[i];
		to->flow[k] = from->flow[i];
		to->used = (uint8_t)((to->used & ~(1u << k)) | (unsigned)hit << k);
	}
	/* hints_split() expects it so. */
	*from = (struct hint_bucket){ 0 };
	if (last % PAGE_BUCKETS == 0)
		madvise(from, PAGE_BUCKETS * sizeof *from, MADV_DONTNEED);
}

/* A round is over: are there too many? */
static void
round_over(struct hints *t)
{
	uint32_t half_full = (t->aged + HINT_SLOTS / 2 - 1) / (HINT_SLOTS / 2);

	if (t->aged < t->n * (HINT_SLOTS / 4))
		t->want = MAX_OF(half_full, (uint32_t)HINT_MIN_BUCKETS);
	t->age_at = t->aged = 0;
}

void
hints_age(struct hints *t)
{
	struct hint_bucket *b;

	if (t->want && t->n > t->want) {
		merge(t);
		return;
	}
	t->want = 0;
	if (t->age_at >= t->n)
		round_over(t);
	b = &t->bucket[t->age_at++];
	for (unsigned i = 0; i < HINT_SLOTS; i++) {
		if (!(b->used >> i & 1))
			b->flow[i] = 0;
		t->aged += b->flow[i] != 0;
	}
	b->used = 0;
}
