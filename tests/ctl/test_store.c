/* SPDX-License-Identifier: Apache-2.0 */
/* The file store: what is kept, what is refused in which words, and that a writer killed at any
 * instant leaves a whole document behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "ctl/store.h"

struct dir {
	char path[64], file[96], prev[96];
};

static int
setup(void **state)
{
	struct dir *d = xcalloc(1, sizeof *d);

	strcpy(d->path, "/tmp/weft-store-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->file, sizeof d->file, "%s/weft.json", d->path);
	snprintf(d->prev, sizeof d->prev, "%s/weft.json.prev", d->path);
	*state = d;
	log_set_level(LOG_LVL_ERR);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "", ".prev", ".tmp", ".prev.tmp", ".unused" };
	struct dir *d = *state;
	char path[128];

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof path, "%s%s", d->file, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(d->path), 0);
	free(d);
	return 0;
}

static struct store *
open_store(const struct dir *d)
{
	struct err e = { 0 };
	struct store *s = store_file_open(d->path, false, &e);

	if (!s)
		print_message("%s\n", e.msg);
	assert_non_null(s);
	return s;
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A document that is recognisably number 'n', and long enough to be cut. */
static json_t *
numbered(int n, unsigned rows)
{
	json_t *doc = json_object(), *list = json_array();

	for (unsigned i = 0; i < rows; i++)
		json_array_append_new(list, json_integer(n));
	json_object_set_new(doc, "n", json_integer(n));
	json_object_set_new(doc, "list", list);
	return doc;
}

static void
save(struct store *s, int n)
{
	json_t *doc = numbered(n, 1);
	struct err e = { 0 };

	assert_int_equal(store_save(s, doc, &e), 0);
	json_decref(doc);
}

static int
number(json_t *doc)
{
	int n = json_integer_value(json_object_get(doc, "n"));

	json_decref(doc);
	return n;
}

static void
absent_document_is_told_from_a_broken_one(void **state)
{
	struct store *s = open_store(*state);
	json_t *doc;

	assert_int_equal(s->ops->load(s, &doc, NULL), -ENOENT);
	assert_null(doc);
	store_destroy(s);
}

static void
saved_document_comes_back_and_its_predecessor_is_kept(void **state)
{
	struct store *s = open_store(*state);
	json_t *doc;

	save(s, 1);
	assert_int_equal(s->ops->load_previous(s, &doc, NULL), -ENOENT);
	save(s, 2);
	save(s, 3);
	assert_int_equal(s->ops->load(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 3);
	assert_int_equal(s->ops->load_previous(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 2);
	store_destroy(s);
}

static void
aborted_change_leaves_no_trace(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d);
	json_t *doc = numbered(2, 1);
	char tmp[128];

	save(s, 1);
	assert_int_equal(s->ops->prepare(s, doc, NULL), 0);
	json_decref(doc);
	s->ops->abort(s);
	assert_int_equal(s->ops->commit(s, NULL), -EINVAL);
	snprintf(tmp, sizeof tmp, "%s.tmp", d->file);
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(s->ops->load(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 1);
	store_destroy(s);
}

static void
refused_at(struct store *s, const struct dir *d, const char *text, const char *where)
{
	struct err e = { 0 };
	char want[160];
	json_t *doc;

	write_file(d->file, text);
	assert_int_equal(s->ops->load(s, &doc, &e), -EINVAL);
	assert_null(doc);
	snprintf(want, sizeof want, "%s:%s", d->file, where);
	if (strncmp(e.msg, want, strlen(want)))
		print_message("got: %s\nwant: %s\n", e.msg, want);
	assert_int_equal(strncmp(e.msg, want, strlen(want)), 0);
}

static void
broken_file_is_refused_with_line_and_column(void **state)
{
	struct store *s = open_store(*state);

	refused_at(s, *state, "", "1:1: the file is empty");
	refused_at(s, *state, " \n\n", "1:1: the file is empty");
	refused_at(s, *state, "{\n  \"a\": 1,\n  \"b\" 2\n}\n", "3:7: ':' expected near '2'");
	refused_at(s, *state, "{\n  \"a\": 1,\n", "3:1: string or '}' expected near end of file");
	refused_at(s, *state, "{ \"a\": 1, \"a\": 2 }", "1:13: duplicate object key near '\"a\"'");
	refused_at(s, *state, "{} {}", "1:4: end of file expected near '{'");
	refused_at(s, *state, "[]", "1:1: a document is an object");
	store_destroy(s);
}

static void
every_truncation_of_a_document_is_refused(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d);
	json_t *doc = numbered(7, 3);
	char *text = json_dumps(doc, JSON_INDENT(2));

	json_decref(doc);
	for (size_t len = strlen(text); len-- > 0;) {
		text[len] = '\0';
		write_file(d->file, text);
		assert_int_equal(s->ops->load(s, &doc, NULL), -EINVAL);
	}
	free(text);
	store_destroy(s);
}

static void
last_good_document_is_offered_and_taken(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d);
	char advice[400], want[400], aside[128];
	json_t *doc;

	save(s, 1);
	save(s, 2);
	write_file(d->file, "{ broken");
	assert_int_equal(s->ops->load(s, &doc, NULL), -EINVAL);
	assert_true(s->ops->advice(s, advice, sizeof advice));
	snprintf(want, sizeof want, "the last good one is %s; start with --use-previous, or restore it with: cp %s %s",
		 d->prev, d->prev, d->file);
	assert_string_equal(advice, want);

	assert_int_equal(s->ops->use_previous(s, NULL), 0);
	assert_int_equal(s->ops->load(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 1);
	/* The broken file is still there to be mended, the previous one is not overwritten by it. */
	snprintf(aside, sizeof aside, "%s.unused", d->file);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(s->ops->load_previous(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 1);
	store_destroy(s);
}

static void
nothing_is_offered_when_nothing_good_is_left(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d);
	char advice[400];

	write_file(d->file, "{");
	assert_false(s->ops->advice(s, advice, sizeof advice));
	write_file(d->prev, "{");
	assert_false(s->ops->advice(s, advice, sizeof advice));
	assert_int_equal(s->ops->use_previous(s, NULL), -EINVAL);
	store_destroy(s);
}

static void
file_edited_by_hand_is_put_aside_not_lost(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d);
	char aside[128];
	json_t *doc;

	save(s, 1);
	save(s, 2);
	write_file(d->file, "{ \"n\": 99 }");
	save(s, 3);
	snprintf(aside, sizeof aside, "%s.unused", d->file);
	assert_int_equal(store_read_file(aside, &doc, NULL), 0);
	assert_int_equal(number(doc), 99);
	assert_int_equal(s->ops->load_previous(s, &doc, NULL), 0);
	assert_int_equal(number(doc), 1);
	store_destroy(s);
}

static void
second_writer_is_refused(void **state)
{
	struct dir *d = *state;
	struct store *s = open_store(d), *reader;
	struct err e = { 0 };

	assert_null(store_file_open(d->path, false, &e));
	assert_int_equal(e.code, EBUSY);
	assert_non_null(strstr(e.msg, "is used by another weftd"));
	reader = store_file_open(d->path, true, &e);
	assert_non_null(reader);
	store_destroy(reader);
	store_destroy(s);
}

static void
unusable_directory_is_named(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_null(store_file_open("/proc/nonexistent/weft", false, &e));
	assert_string_equal(e.msg, "config directory /proc/nonexistent/weft is missing and cannot be created: "
			    "No such file or directory: create it, or choose another with --config-dir");
	assert_null(store_file_open("/dev/null", false, &e));
	assert_string_equal(e.msg, "config directory /dev/null: Not a directory");
}

static void
write_for_ever(const char *dir, int from)
{
	struct store *s = store_file_open(dir, false, NULL);
	json_t *present;

	/* As a daemon does first: what was never loaded is not kept as the last good one. */
	if (!s || s->ops->load(s, &present, NULL))
		_exit(1);
	json_decref(present);
	for (int n = from;; n++) {
		json_t *doc = numbered(n, 2000);

		if (store_save(s, doc, NULL))
			_exit(1);
		json_decref(doc);
	}
}

/* All rows carry the number of the document: a mixture of two would not. */
static int
whole(json_t *doc)
{
	json_t *list = json_object_get(doc, "list");
	int n = json_integer_value(json_object_get(doc, "n"));

	assert_int_equal(json_array_size(list), 2000);
	for (size_t i = 0; i < 2000; i++)
		assert_int_equal(json_integer_value(json_array_get(list, i)), n);
	json_decref(doc);
	return n;
}

static void
writer_killed_at_any_instant_leaves_a_whole_document(void **state)
{
	struct dir *d = *state;
	json_t *doc = numbered(0, 2000);
	struct store *s = open_store(d);
	int last = 0;

	assert_int_equal(store_save(s, doc, NULL), 0);
	json_decref(doc);
	store_destroy(s);
	for (unsigned i = 0; i < 60; i++) {
		/* Spread over the few milliseconds of several writes, never twice the same phase. */
		struct timespec pause = { 0, 1000000 + (i * 7919 % 61) * 97003 };
		pid_t pid = fork();
		int n;

		if (pid == 0)
			write_for_ever(d->path, last + 1);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &(int){ 0 }, 0), pid);

		s = open_store(d);
		assert_int_equal(s->ops->load(s, &doc, NULL), 0);
		n = whole(doc);
		assert_true(n >= last);
		if (s->ops->load_previous(s, &doc, NULL) == 0)
			assert_true(whole(doc) <= n);
		else
			assert_int_equal(n, 0);
		last = n;
		store_destroy(s);
	}
	/* Otherwise nothing was ever killed in the middle of anything. */
	assert_true(last > 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(absent_document_is_told_from_a_broken_one),
		T(saved_document_comes_back_and_its_predecessor_is_kept),
		T(aborted_change_leaves_no_trace),
		T(broken_file_is_refused_with_line_and_column),
		T(every_truncation_of_a_document_is_refused),
		T(last_good_document_is_offered_and_taken),
		T(nothing_is_offered_when_nothing_good_is_left),
		T(file_edited_by_hand_is_put_aside_not_lost),
		T(second_writer_is_refused),
		T(unusable_directory_is_named),
		T(writer_killed_at_any_instant_leaves_a_whole_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
