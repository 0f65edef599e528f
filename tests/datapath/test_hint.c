/* SPDX-License-Identifier: Apache-2.0 */
/* The hint index: what is found, what goes first when there is no room, and growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/hint.h"

static uint64_t rng;

static uint64_t
rnd64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull;
}

/* A hash that comes to the same bucket as others, with a tag of its own. */
static uint64_t
neighbour(unsigned i)
{
	return (uint64_t)i << HINT_TAG_SHIFT | 3;
}

static void
what_was_not_hit_again_is_replaced_first(void **state)
{
	struct hints t;

	(void)state;
	assert_int_equal(hints_init(&t, 0), 0);
	for (unsigned i = 1; i <= HINT_SLOTS; i++)
		hint_set(&t, neighbour(i), i);
	for (unsigned i = 1; i <= HINT_SLOTS; i++)
		if (i != 5)
			assert_int_equal(hint_get(&t, neighbour(i)), i);
	/* However many come once: those in use stay. */
	for (unsigned i = 100; i < 104; i++) {
		hint_set(&t, neighbour(i), i);
		for (unsigned k = 1; k <= HINT_SLOTS; k++)
			assert_int_equal(hint_get(&t, neighbour(k)), k == 5 ? 0 : k);
		assert_int_equal(hint_get(&t, neighbour(i)) == i, true);
		t.bucket[hint_at(&t, neighbour(i))].used &= (uint8_t)~(1u << 4);
	}
	assert_int_equal(t.replaced, 4);
	hints_fini(&t);
}

static void
a_newer_hint_of_the_same_hash_takes_the_place_of_the_older(void **state)
{
	struct hints t;

	(void)state;
	assert_int_equal(hints_init(&t, 0), 0);
	hint_set(&t, neighbour(1), 7);
	hint_set(&t, neighbour(1), 8);
	assert_int_equal(hint_get(&t, neighbour(1)), 8);
	assert_int_equal(hint_get(&t, neighbour(2)), 0);
	/* Empty slots have the tag 0: it is not found in them. */
	assert_int_equal(hint_get(&t, neighbour(0)), 0);
	hint_set(&t, neighbour(0), 9);
	assert_int_equal(hint_get(&t, neighbour(0)), 9);
	assert_int_equal(t.replaced, 0);
	hints_fini(&t);
}

static void
a_split_loses_nothing(void **state)
{
	enum { N = 150000, SLOTS = HINT_MAX_BUCKETS * HINT_SLOTS / 4 };
	struct hints t;

	(void)state;
	assert_int_equal(hints_init(&t, SLOTS), 0);
	rng = 88172645463325252ull;
	for (unsigned i = 1; i <= N; i++)
		hint_set(&t, rnd64(), i);
	/* A few of them share a bucket with eight others; that is what makes it grow. */
	assert_in_range(t.replaced, 1, N / 25);
	assert_int_equal(t.n, HINT_MIN_BUCKETS + t.replaced);
	for (unsigned round = 0; round < 3; round++) {
		unsigned found = 0;

		rng = 88172645463325252ull;
		for (unsigned i = 1; i <= N; i++) {
			uint32_t f = hint_get(&t, rnd64());

			assert_true(f == 0 || f == i || f <= N);
			found += f == i;
		}
		assert_in_range(found, N - 2 * t.replaced - N / 1000, N);
		for (unsigned i = 0; i < 50000; i++)
			hints_split(&t);
	}
	assert_int_equal(t.n, SLOTS / HINT_SLOTS);
	assert_int_equal(hints_bytes(&t), SLOTS * 8);
	hints_fini(&t);
}

static void
it_grows_until_what_is_in_use_has_room(void **state)
{
	enum { N = 1000000 };
	struct hints t;
	unsigned missed = 0;

	(void)state;
	assert_int_equal(hints_init(&t, 4 * N), 0);
	for (unsigned round = 0; round < 4; round++) {
		missed = 0;
		rng = 4711;
		for (unsigned i = 1; i <= N; i++) {
			uint64_t h = rnd64();

			if (hint_get(&t, h) != i) {
				hint_set(&t, h, i);
				missed++;
			}
		}
	}
	assert_in_range(missed, 0, N / 25);
	assert_in_range(t.n * HINT_SLOTS, N, 4 * N);
	hints_fini(&t);
}

static void
every_vector_width_finds_the_same_tags(void **state)
{
	struct hint_bucket b = { .tag = { 0 } };

	(void)state;
	rng = 1;
	for (unsigned i = 0; i < 20000; i++) {
		b.tag[rnd64() % HINT_SLOTS] = (uint16_t)(rnd64() % 3 * 0x7fff);
		for (unsigned tag = 0; tag < 3; tag++)
			assert_int_equal(hint_tags(&b, (uint16_t)(tag * 0x7fff)), hint_tags_plain(&b, (uint16_t)(tag * 0x7fff)));
	}
}

/* After a storm: what is still in use is found all the while, and what the storm took is given back. */
static void
it_shrinks_again_when_little_is_in_use(void **state)
{
	enum { N = 600000, KEPT = 20000 };
	uint32_t most;
	struct hints t;

	(void)state;
	assert_int_equal(hints_init(&t, 4 * N), 0);
	for (unsigned round = 0; round < 3; round++) {
		rng = 4711;
		for (unsigned i = 1; i <= N; i++) {
			uint64_t h = rnd64();

			if (hint_get(&t, h) != i)
				hint_set(&t, h, i);
		}
	}
	most = t.n;
	assert_true(most > N / HINT_SLOTS);
	for (unsigned round = 0; round < 8; round++) {
		unsigned missed = 0, n = t.n;

		for (unsigned i = 0; i < n; i++) {
			hints_age(&t);
			/* Each step is a small one. */
			assert_true(t.n >= HINT_MIN_BUCKETS && t.n <= most);
		}
		rng = 4711;
		for (unsigned i = 1; i <= KEPT; i++) {
			uint64_t h = rnd64();
			uint32_t f = hint_get(&t, h);

			/* Those that came last were not hit yet; two hashes may share a tag in a bucket. */
			missed += f != i;
			if (f != i)
				hint_set(&t, h, i);
			hint_get(&t, h);
		}
		assert_true(missed <= (round ? 20 : KEPT / 10));
	}
	assert_int_equal(t.n, HINT_MIN_BUCKETS);
	/* What is beyond is as it was at first: growth relies on it. */
	for (size_t i = t.n * sizeof *t.bucket / 8; i < t.max * sizeof *t.bucket / 8; i++)
		assert_true(((uint64_t *)t.bucket)[i] == 0);
	/* And it grows once more. */
	for (unsigned round = 0; round < 3; round++) {
		rng = 4711;
		for (unsigned i = 1; i <= N; i++) {
			uint64_t h = rnd64();

			if (hint_get(&t, h) != i)
				hint_set(&t, h, i);
		}
	}
	assert_in_range(t.n, most - most / 10, most + most / 10);
	hints_fini(&t);
}

/* However it grows and shrinks, a hint is where it is looked for. */
static void
splits_and_merges_undo_each_other(void **state)
{
	enum { N = 100000 };
	struct hints t;

	(void)state;
	assert_int_equal(hints_init(&t, 1 << 20), 0);
	for (unsigned round = 0; round < 6; round++) {
		unsigned found = 0;

		while (t.n < t.max - round * 20000)
			hints_split(&t);
		rng = round;
		for (unsigned i = 1; i <= N; i++)
			hint_set(&t, rnd64() ^ i * 0x9e3779b97f4a7c15ull, i);
		rng = round;
		for (unsigned i = 1; i <= N; i++)
			found += hint_get(&t, rnd64() ^ i * 0x9e3779b97f4a7c15ull) == i;
		t.want = HINT_MIN_BUCKETS;
		while (t.n > HINT_MIN_BUCKETS)
			hints_age(&t);
		assert_int_equal(t.mask, 2 * HINT_MIN_BUCKETS - 1);
		rng = round;
		for (unsigned i = 1; i <= N; i++)
			found -= hint_get(&t, rnd64() ^ i * 0x9e3779b97f4a7c15ull) == i;
		/* Of a hundred thousand few have more than seven neighbours in 32768 buckets. */
		assert_in_range(found, 0, N / 20);
		for (unsigned i = 0; i < 2 * HINT_MIN_BUCKETS + 2; i++)
			hints_age(&t);
	}
	hints_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_hit_again_is_replaced_first),
		cmocka_unit_test(a_newer_hint_of_the_same_hash_takes_the_place_of_the_older),
		cmocka_unit_test(a_split_loses_nothing),
		cmocka_unit_test(it_shrinks_again_when_little_is_in_use),
		cmocka_unit_test(splits_and_merges_undo_each_other),
		cmocka_unit_test(it_grows_until_what_is_in_use_has_room),
		cmocka_unit_test(every_vector_width_finds_the_same_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
