/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest spelling, bounded copies, aligned memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

static const char *const words[] = { "vni", "remote", "local", "tos", "ttl", "dst-port", "inner-vlan", NULL };

static void
small_slips_find_the_word_that_was_meant(void **state)
{
	static const struct {
		const char *typed, *meant;
	} rows[] = {
		{ "vnii", "vni" }, { "vin", "vni" }, { "remotes", "remote" }, { "reomte", "remote" },
		{ "dstport", "dst-port" }, { "dst_port", "dst-port" }, { "inner-vlans", "inner-vlan" }, { "vni", "vni" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *found = str_nearest(rows[i].typed, words);

		assert_non_null(found);
		assert_string_equal(found, rows[i].meant);
	}
}

static void
unrelated_words_find_nothing(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	assert_null(str_nearest("banana", words));
	assert_null(str_nearest("x", words));
	assert_null(str_nearest("", words));
	assert_null(str_nearest("vni", none));
}

static void
endless_words_are_harmless(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'v', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_null(str_nearest(text, words));
	for (size_t n = 40; n < 60; n++) {
		text[n] = '\0';
		assert_null(str_nearest(text, words));
		text[n] = 'v';
	}
}

static void
copy_tells_when_it_cut(void **state)
{
	char buf[4];

	(void)state;
	assert_true(str_copy(buf, sizeof buf, "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, sizeof buf, "abcd"));
	assert_string_equal(buf, "abc");
	assert_true(str_copy(buf, sizeof buf, ""));
	assert_string_equal(buf, "");
	assert_false(str_copy(buf, 0, "x"));
}

static void
aligned_memory_is_aligned_and_zero(void **state)
{
	(void)state;
	for (size_t align = 1; align <= 4096; align *= 2) {
		uint8_t *p = xalloc_aligned(align, 100);

		assert_int_equal((uintptr_t)p % align, 0);
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(p[i], 0);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_slips_find_the_word_that_was_meant),
		cmocka_unit_test(unrelated_words_find_nothing),
		cmocka_unit_test(endless_words_are_harmless),
		cmocka_unit_test(copy_tells_when_it_cut),
		cmocka_unit_test(aligned_memory_is_aligned_and_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
