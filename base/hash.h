/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded hashing of small fixed-size keys.  The seed is random at start, so that collisions cannot
 * be prepared from outside. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A random 64-bit number from the kernel; never fails (aborts when there is no entropy). */
uint64_t hash_random_seed(void);

static inline uint64_t
hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static inline uint64_t
hash_add(uint64_t h, uint64_t word)
{
	return hash_mix(h ^ word) + (h << 1 | h >> 63);
}

/* 'len' bytes of any alignment. */
uint64_t hash_bytes(const void *p, size_t len, uint64_t seed);

#endif
