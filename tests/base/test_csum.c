/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum against its definition, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/pkt.h"

/* RFC 1071 as it is written, big-endian words. */
static uint16_t
naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void
sum_equals_the_definition_at_every_length_and_alignment(void **state)
{
	(void)state;
	srand(1);
	for (size_t len = 0; len < 130; len++)
		for (size_t shift = 0; shift < 4; shift++) {
			uint8_t *p = malloc(len + shift);

			for (size_t i = 0; i < len + shift; i++)
				p[i] = len & 1 ? 0xff : rand();
			assert_int_equal(host16(csum_fold(csum_add(0, p + shift, len))), naive(p + shift, len));
			free(p);
		}
}

static void
fold_carries_all_the_way(void **state)
{
	(void)state;
	assert_int_equal(csum_fold(0), 0);
	assert_int_equal(csum_fold(0xffff), 0xffff);
	assert_int_equal(csum_fold(0x10000), 1);
	assert_int_equal(csum_fold(0xffffffff), 0xffff);
	assert_int_equal(csum_fold(0xffffffffffffffff), 0xffff);
	assert_int_equal(csum_fold(0x2fffeffff), 1);
}

static void
sum_over_segments_does_not_depend_on_the_cuts(void **state)
{
	uint8_t bytes[101];

	(void)state;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = i * 37 + 11;
	for (unsigned cut1 = 0; cut1 <= 50; cut1++)
		for (unsigned cut2 = cut1; cut2 <= sizeof bytes; cut2 += 3) {
			static struct rte_mbuf m[3];
			const unsigned cut[] = { 0, cut1, cut2, sizeof bytes };

			for (unsigned i = 0; i < 3; i++) {
				m[i].buf_addr = bytes + cut[i];
				m[i].data_len = cut[i + 1] - cut[i];
				m[i].next = i < 2 ? &m[i + 1] : NULL;
			}
			for (unsigned off = 0; off < 60; off += 7)
				assert_int_equal(host16(csum_fold(pkt_csum(m, off, 0))),
						 naive(bytes + off, sizeof bytes - off));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_equals_the_definition_at_every_length_and_alignment),
		cmocka_unit_test(fold_carries_all_the_way),
		cmocka_unit_test(sum_over_segments_does_not_depend_on_the_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
