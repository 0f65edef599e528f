/* SPDX-License-Identifier: Apache-2.0 */
/* Geneve options: which are known, and what of them is in a flow's key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tunnels/tlv.h"

static const uint64_t key[2] = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };

static struct tlv_table
table(void)
{
	return (struct tlv_table){
		.row = { [1] = { .class = 0x102, .type = 0x80, .len = 4, .examined = true, .mask = { [4] = 0xff, [7] = 0x0f } },
			 [5] = { .class = 0x103, .type = 3, .len = 8, .examined = true, .mask = { 0 } },
			 [6] = { .class = 0x104, .type = 0x84, .len = 4 } },
		.examined = true,
	};
}

static bool
same(const struct tlv_table *t, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	uint8_t x[TLV_DIGEST_LEN], y[TLV_DIGEST_LEN];

	tlv_digest(t, key, a, a_len, x);
	tlv_digest(t, key, b, b_len, y);
	return !memcmp(x, y, sizeof x);
}

/* First of the reference vectors of SipHash-2-4-128: no input. */
static void
the_hash_is_siphash(void **state)
{
	static const uint8_t want[16] = { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 };
	/* Of eight bytes 0 to 7. */
	static const uint64_t word = 0x0706050403020100ull;
	uint64_t out[2], other[2];

	(void)state;
	tlv_sip(key, &word, 0, out);
	assert_memory_equal(out, want, sizeof want);
	tlv_sip(key, &word, 1, other);
	assert_memory_not_equal(out, other, sizeof out);
}

static void
options_that_must_be_known_are(void **state)
{
	static const uint8_t ok[] = { 1, 2, 0x80, 1, 9, 9, 9, 9, 0x77, 0x77, 1, 0, 1, 4, 0x84, 1, 0, 0, 0, 0 };
	static const uint8_t other_class[] = { 1, 7, 0x80, 1, 9, 9, 9, 9 }, other_type[] = { 1, 2, 0x81, 1, 9, 9, 9, 9 },
			     other_len[] = { 1, 2, 0x80, 0 };
	struct tlv_table t = table();
	bool critical;

	(void)state;
	assert_true(tlv_check(ok, sizeof ok, &critical) && critical);
	assert_true(tlv_check(ok + 8, 4, &critical) && !critical);
	assert_true(tlv_check(NULL, 0, &critical) && !critical);
	for (unsigned n = 1; n < sizeof ok; n++)
		assert_int_equal(tlv_check(ok, n, &critical), n == 8 || n == 12);
	assert_true(tlv_known(&t, ok, sizeof ok));
	assert_false(tlv_known(NULL, ok, sizeof ok));
	assert_true(tlv_known(NULL, ok + 8, 4));
	assert_false(tlv_known(&t, other_class, sizeof other_class));
	assert_false(tlv_known(&t, other_type, sizeof other_type));
	assert_false(tlv_known(&t, other_len, sizeof other_len));
}

static void
a_digest_is_of_what_is_looked_at(void **state)
{
	static const uint8_t a[] = { 1, 2, 0x80, 1, 9, 1, 2, 0x13 }, low[] = { 1, 2, 0x80, 1, 9, 7, 7, 0x23 },
			     high[] = { 1, 2, 0x80, 1, 8, 1, 2, 0x13 }, nibble[] = { 1, 2, 0x80, 1, 9, 1, 2, 0x12 };
	static const uint8_t three[] = { 1, 3, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0 }, three_too[] = { 1, 3, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t ab[] = { 1, 2, 0x80, 1, 9, 1, 2, 0x13, 1, 3, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0 },
			     ba[] = { 1, 3, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0x80, 1, 9, 1, 2, 0x13 },
			     unknown[] = { 0x77, 0x77, 1, 0, 1, 4, 0x84, 1, 0, 0, 0, 0, 1, 2, 0x80, 1, 9, 1, 2, 0x13 },
			     twice[] = { 1, 2, 0x80, 1, 0, 0, 0, 0, 1, 2, 0x80, 1, 9, 1, 2, 0x13 };
	struct tlv_table t = table();
	uint8_t none[TLV_DIGEST_LEN] = { 0 }, d[TLV_DIGEST_LEN];

	(void)state;
	assert_true(same(&t, a, sizeof a, low, sizeof low));
	assert_false(same(&t, a, sizeof a, high, sizeof high));
	assert_false(same(&t, a, sizeof a, nibble, sizeof nibble));
	/* That an option is there counts, its content need not; nor the order; of two the last one. */
	assert_false(same(&t, a, sizeof a, ab, sizeof ab));
	assert_true(same(&t, three, sizeof three, three_too, sizeof three_too));
	assert_true(same(&t, ab, sizeof ab, ba, sizeof ba));
	assert_true(same(&t, a, sizeof a, unknown, sizeof unknown));
	assert_true(same(&t, a, sizeof a, twice, sizeof twice));
	tlv_digest(&t, key, unknown, 12, d);
	assert_memory_equal(d, none, sizeof d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_siphash),
		cmocka_unit_test(options_that_must_be_known_are),
		cmocka_unit_test(a_digest_is_of_what_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
