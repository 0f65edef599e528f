/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and codes stay together. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void
set_returns_the_negative_code_and_keeps_the_text(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, ERANGE, "vni %u: at most %u", 7, 6), -ERANGE);
	assert_int_equal(e.code, ERANGE);
	assert_string_equal(e.msg, "vni 7: at most 6");
	assert_int_equal(err_set(NULL, EINVAL, "nobody listens"), -EINVAL);
}

static void
prefix_goes_in_front(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ENOENT, "unknown option");
	assert_int_equal(err_prefix(&e, "bridges.%s", "br0"), -ENOENT);
	assert_string_equal(e.msg, "bridges.br0: unknown option");
	assert_int_equal(err_prefix(NULL, "x"), -EIO);
}

static void
own_text_may_be_an_argument(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, EINVAL, "inner");
	err_set(&e, EBUSY, "outer (%s)", e.msg);
	assert_string_equal(e.msg, "outer (inner)");
	assert_int_equal(e.code, EBUSY);
}

static void
long_text_is_cut_and_terminated(void **state)
{
	char text[1000];
	struct err e = { 0 };

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&e, EINVAL, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_the_negative_code_and_keeps_the_text),
		cmocka_unit_test(prefix_goes_in_front),
		cmocka_unit_test(own_text_may_be_an_argument),
		cmocka_unit_test(long_text_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
