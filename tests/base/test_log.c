/* SPDX-License-Identifier: Apache-2.0 */
/* The log's lines: form, levels, reopening, rate limit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char dir[64], path[80], moved[80];

static int
begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weft-log-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/log", dir);
	snprintf(moved, sizeof moved, "%s/log.1", dir);
	log_init("test");
	log_set_level(LOG_LVL_INFO);
	return log_to_file(path);
}

static int
end(void **state)
{
	(void)state;
	log_to_file(NULL);
	unlink(path);
	unlink(moved);
	return rmdir(dir);
}

static const char *
content(const char *file)
{
	static char buf[8192];
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof buf - 1);

	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static unsigned
n_lines(void)
{
	unsigned n = 0;

	for (const char *s = content(path); *s; s++)
		n += *s == '\n';
	return n;
}

static void
line_has_level_name_and_text(void **state)
{
	(void)state;
	log_warn("vm%d: link down: peer closed", 1);
	assert_non_null(strstr(content(path), " test warn  vm1: link down: peer closed\n"));
	assert_int_equal(n_lines(), 1);
}

static void
levels_above_the_chosen_one_are_silent(void **state)
{
	enum log_level level;

	(void)state;
	log_debug("a: b: c");
	assert_int_equal(n_lines(), 0);
	assert_int_equal(log_level_from_name("debug", &level), 0);
	log_set_level(level);
	log_debug("a: b: c");
	assert_int_equal(n_lines(), 1);
	assert_int_equal(log_level_from_name("loud", &level), -EINVAL);
}

static void
control_characters_cannot_forge_lines(void **state)
{
	(void)state;
	log_info("port 'a\nfake\x1b[2J': up");
	assert_int_equal(n_lines(), 1);
	assert_non_null(strstr(content(path), "a?fake?[2J"));
}

static void
endless_text_is_one_line(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_info("%s", text);
	assert_int_equal(n_lines(), 1);
	assert_in_range(strlen(content(path)), 900, 1100);
}

static void
reopen_follows_rotation(void **state)
{
	(void)state;
	log_info("one: before");
	assert_int_equal(rename(path, moved), 0);
	log_info("two: before");
	log_reopen();
	log_info("three: after");
	assert_non_null(strstr(content(moved), "two"));
	assert_null(strstr(content(moved), "three"));
	assert_non_null(strstr(content(path), "three"));
}

static void
rate_limit_swallows_and_then_tells(void **state)
{
	struct log_rate r = { .burst = 2, .per_ms = 3600 * 1000 };

	(void)state;
	for (int i = 0; i < 10; i++)
		log_rate_msg(&r, LOG_LVL_WARN, "x: no%d", i);
	assert_int_equal(n_lines(), 2);
	/* The interval is over. */
	r.since_ms -= r.per_ms;
	log_rate_msg(&r, LOG_LVL_WARN, "x: again");
	assert_int_equal(n_lines(), 3);
	assert_non_null(strstr(content(path), "x: again (8 similar messages were left out)"));
	log_rate_msg(&r, LOG_LVL_WARN, "x: plain");
	assert_non_null(strstr(content(path), "x: plain\n"));
}

static void
journal_gets_priorities_instead_of_time(void **state)
{
	char stream[64];
	struct stat st;
	int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	log_to_file(NULL);
	log_init("test");
	log_err("a: b: c");
	log_info("d: e: f");
	dup2(saved, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_init("test");
	close(saved);
	close(fd);
	assert_string_equal(content(path), "<3>a: b: c\n<6>d: e: f\n");
}

static void
unwritable_file_is_an_error_and_the_old_log_stays(void **state)
{
	(void)state;
	assert_int_equal(log_to_file("/proc/nonexistent/log"), -ENOENT);
	log_info("still: here");
	assert_int_equal(n_lines(), 1);
}

int
main(void)
{
#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		LOG_TEST(line_has_level_name_and_text),
		LOG_TEST(levels_above_the_chosen_one_are_silent),
		LOG_TEST(control_characters_cannot_forge_lines),
		LOG_TEST(endless_text_is_one_line),
		LOG_TEST(reopen_follows_rotation),
		LOG_TEST(rate_limit_swallows_and_then_tells),
		LOG_TEST(journal_gets_priorities_instead_of_time),
		LOG_TEST(unwritable_file_is_an_error_and_the_old_log_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
