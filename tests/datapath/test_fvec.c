/* SPDX-License-Identifier: Apache-2.0 */
/* The vector operations against plain C, on random blocks.  Built once per instruction set; a build that this
 * CPU cannot run is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/fvec.h"

static uint64_t rng = 88172645463325252ull;

static uint64_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void
fill(uint64_t w[8])
{
	for (unsigned i = 0; i < 8; i++)
		w[i] = rnd();
}

struct blocks {
	uint64_t a[8], b[8], m[8], s[8];
} CACHE_ALIGNED;

static uint64_t
naive_hash(const uint64_t *b, const uint64_t *m, const uint64_t *s)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t w = m ? b[i] & m[i] : b[i];
		uint32_t lo = (uint32_t)w + (uint32_t)s[i], hi = (uint32_t)(w >> 32) + (uint32_t)(s[i] >> 32);

		h += (uint64_t)lo * hi;
	}
	return h;
}

static void
hashes_agree_with_plain_arithmetic(void **state)
{
	struct blocks x;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		fill(x.a);
		fill(x.m);
		fill(x.s);
		assert_true(block_hash((flow_block *)x.a, (flow_block *)x.m, (flow_block *)x.s) == naive_hash(x.a, x.m, x.s));
		assert_true(block_hash((flow_block *)x.a, NULL, (flow_block *)x.s) == naive_hash(x.a, NULL, x.s));
	}
}

static void
comparisons_see_every_bit_and_only_masked_ones(void **state)
{
	struct blocks x;

	(void)state;
	for (unsigned bit = 0; bit < 512; bit++) {
		fill(x.a);
		memcpy(x.b, x.a, sizeof x.a);
		memset(x.m, 0, sizeof x.m);
		assert_true(block_equal((flow_block *)x.a, (flow_block *)x.b));
		assert_true(block_is_zero((flow_block *)x.m));
		x.b[bit / 64] ^= 1ull << bit % 64;
		assert_false(block_equal((flow_block *)x.a, (flow_block *)x.b));
		assert_true(block_match((flow_block *)x.a, (flow_block *)x.b, (flow_block *)x.m));
		x.m[bit / 64] = 1ull << bit % 64;
		assert_false(block_is_zero((flow_block *)x.m));
		assert_false(block_match((flow_block *)x.a, (flow_block *)x.b, (flow_block *)x.m));
		x.m[bit / 64] = ~x.m[bit / 64];
		assert_true(block_match((flow_block *)x.a, (flow_block *)x.b, (flow_block *)x.m));
	}
}

static void
masks_are_applied_and_blocks_cleared(void **state)
{
	struct blocks x;

	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		fill(x.a);
		fill(x.m);
		block_and((flow_block *)x.b, (flow_block *)x.a, (flow_block *)x.m);
		for (unsigned i = 0; i < 8; i++)
			assert_true(x.b[i] == (x.a[i] & x.m[i]));
		block_clear((flow_block *)x.b);
		assert_true(block_is_zero((flow_block *)x.b));
	}
}

static void
instructions_agree_with_their_plain_twins(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct blocks x;
		fvec a, b;

		fill(x.a);
		fill(x.b);
		memcpy(&a, x.a, sizeof a);
		memcpy(&b, x.b, sizeof b);
		if (n % 2)
			b &= (fvec){ 0 } + (n % 4 == 1 ? 0 : 1);
		assert_true(fvec_is_zero(b) == fvec_is_zero_plain(b));
		assert_true(fvec_is_zero_plain(fvec_mul32(a, b) ^ fvec_mul32_plain(a, b)));
	}
}

static void
equal_words_are_found_where_they_are(void **state)
{
	uint16_t v[32] CACHE_ALIGNED;

	(void)state;
	for (unsigned n = 0; n < 5000; n++) {
		uint32_t want = 0;

		for (unsigned i = 0; i < 32; i++)
			v[i] = (uint16_t)(rand() % 3 * 0x7fff + rand() % 2);
		for (unsigned i = 0; i < 32; i++)
			want |= (uint32_t)(v[i] == v[n % 32]) << i;
		assert_int_equal(fvec_equal16(v, v[n % 32]), want);
		assert_int_equal(fvec_equal16_plain(v, v[n % 32]), want);
	}
	assert_int_equal(fvec_equal16(v, 0x1234), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_agree_with_plain_arithmetic),
		cmocka_unit_test(comparisons_see_every_bit_and_only_masked_ones),
		cmocka_unit_test(masks_are_applied_and_blocks_cleared),
		cmocka_unit_test(instructions_agree_with_their_plain_twins),
		cmocka_unit_test(equal_words_are_found_where_they_are),
	};

	if (!WEFT_ISA_SUPPORTED) {
		printf("skipped: this CPU cannot run the build\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
