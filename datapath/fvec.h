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

/* NH of (block & mask): the sum over its eight words of (low half + secret) * (high half + secret).  Differing
 * blocks collide with chance 2^-32 whatever an attacker sends, since the secret words are random.  The sum
 * does not depend on the order of the lanes, so every width gives the same value.  'mask' NULL: all ones. */
static inline uint64_t
block_hash(const flow_block *b, const flow_block *mask, const flow_block *secret)
{
	const fvec *x = (const fvec *)b, *m = (const fvec *)mask, *s = (const fvec *)secret;
	fvec sum = { 0 };
	uint64_t h = 0;

	for (unsigned i = 0; i < FVECS; i++) {
		fvec w = x[i];

		if (mask)
			w &= m[i];
		w = (fvec)((fvec32)w + (fvec32)s[i]);
		sum += fvec_mul32(w, w >> 32);
	}
	for (unsigned i = 0; i < FVEC_LANES; i++)
		h += sum[i];
	return h;
}

#endif
