/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics words: their owner thread adds, anyone reads.  Plain loads and stores that cannot
 * tear; no locked instruction. */
#ifndef BASE_CTR_H
#define BASE_CTR_H

#include <stdint.h>

static inline void
ctr_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void
ctr_set(uint64_t *c, uint64_t v)
{
	__atomic_store_n(c, v, __ATOMIC_RELAXED);
}

static inline uint64_t
ctr_read(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
