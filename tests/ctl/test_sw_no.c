/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of ports: asked for, dealt out, kept over a restart. */
#include <errno.h>

#include "tests/ctl/sw_fixture.h"

#define P(name) "'" name "':{'type':'vhost-user'}"
#define P_NO(name, no) "'" name "':{'type':'vhost-user','of-port':" #no "}"

static unsigned
no(const struct fixture *f, const char *name)
{
	return sw_port_id(f->sw, name);
}

static void
refused(struct fixture *f, const char *doc, int code, const char *says)
{
	struct err e = { 0 };

	assert_int_equal(try_apply(f, doc, &e), -code);
	if (!strstr(e.msg, says))
		fail_msg("'%s' does not say '%s'", e.msg, says);
}

static void
a_port_gets_the_number_it_asks_for(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(P("a") "," P_NO("b", 1) "," P_NO("z", 1023)));
	assert_int_equal(no(f, "b"), 1);
	assert_int_equal(no(f, "a"), 2);
	assert_int_equal(no(f, "z"), 1023);
	/* To ask for what one has changes nothing; to stop asking neither. */
	apply(f, DOC(P_NO("a", 2) "," P_NO("b", 1) "," P("z")));
	assert_int_equal(no(f, "a"), 2);
	assert_int_equal(no(f, "z"), 1023);
	assert_int_equal(fake_n_opened, 3);
}

static void
numbers_that_cannot_be_had_are_refused(void **state)
{
	struct fixture *f = *state;

	apply(f, DOC(P("a")));
	refused(f, DOC(P("a") "," P_NO("b", 1)), EEXIST, "number 1 is port a's");
	refused(f, DOC(P("a") "," P_NO("b", 5) "," P_NO("c", 5)), EEXIST, "asked for by port b too");
	refused(f, DOC(P_NO("a", 7)), EBUSY, "delete it first, then add it with number 7");
	refused(f, DOC(P_NO("a", 16384)), ERANGE, "of-port");
	assert_int_equal(no(f, "a"), 1);
	assert_int_equal(fake_n_opened, 1);
	apply(f, DOC(""));
	apply(f, DOC(P_NO("a", 7)));
	assert_int_equal(no(f, "a"), 7);
}

static void
restart(struct fixture *f)
{
	json_t *doc = NULL;

	grace(f);
	sw_destroy(f->sw);
	f->sw = sw_create(&(struct dp_conf){ .n_lcores = 1 }, NULL, f->store, f->dir, NULL);
	assert_non_null(f->sw);
	if (!f->store->ops->load(f->store, &doc, NULL))
		assert_int_equal(sw_load(f->sw, doc, true, NULL), 0);
	json_decref(doc);
	grace(f);
}

static void
rewrite(struct fixture *f, const char *text)
{
	char path[80];
	FILE *file;

	snprintf(path, sizeof path, "%s/ports.json", f->dir);
	unlink(path);
	if (!text)
		return;
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
numbers_outlive_a_restart(void **state)
{
	struct fixture *f = *state;

	restart(f);
	apply(f, DOC(P("m")));
	apply(f, DOC(P("m") "," P("z")));
	apply(f, DOC(P("a") "," P("m") "," P("z")));
	assert_int_equal(no(f, "m"), 1);
	assert_int_equal(no(f, "z"), 2);
	assert_int_equal(no(f, "a"), 3);
	restart(f);
	assert_int_equal(no(f, "m"), 1);
	assert_int_equal(no(f, "z"), 2);
	assert_int_equal(no(f, "a"), 3);
	/* A port that is gone has no claim. */
	apply(f, DOC(P("a") "," P("z")));
	apply(f, DOC(P("a") "," P("b") "," P("z")));
	assert_int_equal(no(f, "b"), 1);
	rewrite(f, NULL);
}

static void
a_damaged_file_of_numbers_is_survived(void **state)
{
	static const char *const bad[] = {
		"{", "[1,2]", "{'x':1}", "{\"m\":\"one\",\"z\":-3}", "{\"m\":99999999999,\"z\":16384}", "{\"m\":4,\"z\":4}", "",
	};
	struct fixture *f = *state;

	restart(f);
	apply(f, DOC(P("m") "," P("z")));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		rewrite(f, bad[i]);
		restart(f);
		assert_int_not_equal(no(f, "m"), no(f, "z"));
		assert_in_range(no(f, "m"), 1, 4);
		assert_in_range(no(f, "z"), 1, 4);
	}
	rewrite(f, NULL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_port_gets_the_number_it_asks_for),
		T(numbers_that_cannot_be_had_are_refused),
		T(numbers_outlive_a_restart),
		T(a_damaged_file_of_numbers_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
