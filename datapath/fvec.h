/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on 64-byte blocks of a flow key, in vectors as wide as the target has.  One source for all:
 * compiler vector types, and three operations that C cannot spell (each with a plain twin, used where there
 * is no such instruction and compared with it by test_fvec). */
#ifndef DATAPATH_FVEC_H
#define DATAPATH_FVEC_H

#include "datapath/flow.h"

#if defined(__AVX512F__)
#define FVEC_LEN 64
#elif defined(__AVX2__)
#define FVEC_LEN 32
#else
#define FVEC_LEN 16
#endif

#ifdef __SSE4_1__
#include <immintrin.h>
#endif

enum { FVECS = 64 / FVEC_LEN, FVEC_LANES = FVEC_LEN / 8 };

typedef uint64_t fvec __attribute__((vector_size(FVEC_LEN), may_alias));
typedef uint32_t fvec32 __attribute__((vector_size(FVEC_LEN), may_alias));

/* Lane by lane, product of the low 32 bits. */
static inline fvec
fvec_mul32_plain(fvec a, fvec b)
{
	return (a & 0xffffffffull) * (b & 0xffffffffull);
}

static inline bool
fvec_is_zero_plain(fvec v)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < FVEC_LANES; i++)
		any |= v[i];
	return !any;
}

#if defined(__AVX512F__)
static inline fvec
fvec_mul32(fvec a, fvec b)
{
	return (fvec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

static inline bool
fvec_is_zero(fvec v)
{
	return !_mm512_test_epi64_mask((__m512i)v, (__m512i)v);
}
#elif defined(__AVX2__)
static inline fvec
fvec_mul32(fvec a, fvec b)
{
	return (fvec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

static inline bool
fvec_is_zero(fvec v)
{
	return _mm256_testz_si256((__m256i)v, (__m256i)v);
}
#elif defined(__SSE4_1__)
static inline fvec
fvec_mul32(fvec a, fvec b)
{
	return (fvec)_mm_mul_epu32((__m128i)a, (__m128i)b);
}

static inline bool
fvec_is_zero(fvec v)
{
	return _mm_testz_si128((__m128i)v, (__m128i)v);
}
#else
#define fvec_mul32 fvec_mul32_plain
#define fvec_is_zero fvec_is_zero_plain
#endif

/* Sum of the lanes, by halves: left to itself the compiler adds them up one after the other. */
typedef uint64_t fvec_16 __attribute__((vector_size(16), may_alias));

static inline uint64_t
fvec_sum(fvec v)
{
#if defined(__AVX512F__)
	__m256i h = _mm256_add_epi64(_mm512_castsi512_si256((__m512i)v), _mm512_extracti64x4_epi64((__m512i)v, 1));
#elif defined(__AVX2__)
	__m256i h = (__m256i)v;
#endif
#if defined(__AVX2__)
	fvec_16 q = (fvec_16)_mm_add_epi64(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
#else
	fvec_16 q = (fvec_16)v;
#endif
	return q[0] + q[1];
}

static inline bool
block_is_zero(const flow_block *b)
{
	const fvec *v = (const fvec *)b;
	fvec any = v[0];

	for (unsigned i = 1; i < FVECS; i++)
		any |= v[i];
	return fvec_is_zero(any);
}

static inline bool
block_equal(const flow_block *a, const flow_block *b)
{
	const fvec *x = (const fvec *)a, *y = (const fvec *)b;
	fvec d = x[0] ^ y[0];

	for (unsigned i = 1; i < FVECS; i++)
		d |= x[i] ^ y[i];
	return fvec_is_zero(d);
}

/* ((a ^ b) & mask) == 0: the masked compare. */
static inline bool
block_match(const flow_block *a, const flow_block *b, const flow_block *mask)
{
	const fvec *x = (const fvec *)a, *y = (const fvec *)b, *m = (const fvec *)mask;
	fvec d = (x[0] ^ y[0]) & m[0];

	for (unsigned i = 1; i < FVECS; i++)
		d |= (x[i] ^ y[i]) & m[i];
	return fvec_is_zero(d);
}

static inline void
block_and(flow_block *to, const flow_block *a, const flow_block *b)
{
	const fvec *x = (const fvec *)a, *y = (const fvec *)b;
	fvec *t = (fvec *)to;

	for (unsigned i = 0; i < FVECS; i++)
		t[i] = x[i] & y[i];
}

static inline void
block_clear(flow_block *b)
{
	for (unsigned i = 0; i < FVECS; i++)
		((fvec *)b)[i] = (fvec){ 0 };
}

/* Bit i: v[i] is 'x', for the 32 of them in a line of memory. */
static inline uint32_t
fvec_equal16_plain(const uint16_t *v, uint16_t x)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < 32; i++)
		set |= (uint32_t)(v[i] == x) << i;
	return set;
}

#if defined(__AVX512BW__)
static inline uint32_t
fvec_equal16(const uint16_t *v, uint16_t x)
{
	return _mm512_cmpeq_epi16_mask(_mm512_load_si512(v), _mm512_set1_epi16((short)x));
}
#elif defined(__AVX2__)
static inline uint32_t
fvec_equal16(const uint16_t *v, uint16_t x)
{
	const __m256i *a = (const __m256i *)(const void *)v, y = _mm256_set1_epi16((short)x);
	/* Packing works in each half of the register: the quarters come out as 0, 2, 1, 3. */
	__m256i p = _mm256_packs_epi16(_mm256_cmpeq_epi16(a[0], y), _mm256_cmpeq_epi16(a[1], y));

	return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(p, 0xd8));
}
#elif defined(__SSE4_1__)
static inline uint32_t
fvec_equal16(const uint16_t *v, uint16_t x)
{
	const __m128i *a = (const __m128i *)(const void *)v, y = _mm_set1_epi16((short)x);
	__m128i lo = _mm_packs_epi16(_mm_cmpeq_epi16(a[0], y), _mm_cmpeq_epi16(a[1], y));
	__m128i hi = _mm_packs_epi16(_mm_cmpeq_epi16(a[2], y), _mm_cmpeq_epi16(a[3], y));

	return (uint32_t)_mm_movemask_epi8(lo) | (uint32_t)_mm_movemask_epi8(hi) << 16;
}
#else
#define fvec_equal16 fvec_equal16_plain
#endif

/* NH of (block & mask): the sum over its eight words of (low half + secret) * (high half + secret).  Differing
 * blocks collide with chance 2^-32 whatever an attacker sends, since the secret words are random.  The sum
 * does not depend on the order of the lanes, so every width gives the same value.  'mask' NULL: all ones. */
static inline uint64_t
block_hash(const flow_block *b, const flow_block *mask, const flow_block *secret)
{
	const fvec *x = (const fvec *)b, *m = (const fvec *)mask, *s = (const fvec *)secret;
	fvec sum = { 0 };

	for (unsigned i = 0; i < FVECS; i++) {
		fvec w = x[i];

		if (mask)
			w &= m[i];
		w = (fvec)((fvec32)w + (fvec32)s[i]);
		sum += fvec_mul32(w, w >> 32);
	}
	return fvec_sum(sum);
}

#endif
