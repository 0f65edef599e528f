/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing: stable, length-aware, spread, seeded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void
equal_bytes_hash_equal_at_any_alignment(void **state)
{
	(void)state;
	for (size_t len = 0; len < 40; len++) {
		uint64_t first = 0;

		for (size_t shift = 0; shift < 8; shift++) {
			uint8_t *p = malloc(len + shift);

			memset(p, 0x5a, len + shift);
			if (!shift)
				first = hash_bytes(p, len, 9);
			assert_true(hash_bytes(p + shift, len, 9) == first);
			free(p);
		}
	}
}

static void
length_seed_and_every_bit_matter(void **state)
{
	uint8_t key[24] = { 0 };
	uint64_t h = hash_bytes(key, sizeof key, 1);

	(void)state;
	assert_true(hash_bytes(key, sizeof key, 2) != h);
	assert_true(hash_bytes(key, sizeof key - 1, 1) != h);
	for (unsigned bit = 0; bit < sizeof key * 8; bit++) {
		key[bit / 8] ^= 1 << bit % 8;
		assert_true(hash_bytes(key, sizeof key, 1) != h);
		key[bit / 8] ^= 1 << bit % 8;
	}
}

static void
counting_keys_spread_over_low_and_high_bits(void **state)
{
	enum { N = 64 * 256 };
	unsigned low[256] = { 0 }, high[256] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		uint64_t h = hash_bytes(&i, sizeof i, 3);

		low[h & 255]++;
		high[h >> 56]++;
	}
	/* 64 expected; a fair hash is outside 24..128 once in many universes. */
	for (unsigned i = 0; i < 256; i++) {
		assert_in_range(low[i], 24, 128);
		assert_in_range(high[i], 24, 128);
	}
}

static void
seeds_differ(void **state)
{
	(void)state;
	assert_true(hash_random_seed() != hash_random_seed());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_bytes_hash_equal_at_any_alignment),
		cmocka_unit_test(length_seed_and_every_bit_matter),
		cmocka_unit_test(counting_keys_spread_over_low_and_high_bits),
		cmocka_unit_test(seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
