/* SPDX-License-Identifier: Apache-2.0 */
/* The hint index: life and growth; see hint.h. */
#include "datapath/hint.h"

#include <errno.h>

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
	/* Others may ask for its size. */
	__atomic_store_n(&t->n, t->n + 1, __ATOMIC_RELAXED);
	if (t->n > t->mask && t->n < t->max)
		t->mask = t->mask * 2 + 1;
}
