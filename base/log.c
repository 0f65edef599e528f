/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one write(2) per line, so that lines of several threads and processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* One log per process: the exception to "no file-level state", since anything may have to complain.
 * Set at start-up; the descriptor keeps its number when it is reopened, so threads may log meanwhile. */
static struct {
	char ident[32];
	enum log_level level;
	int fd;
	bool journal;
	char *path;
} the_log = { .level = LOG_LVL_INFO, .fd = STDERR_FILENO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const journal_prefix[] = { "<3>", "<4>", "<6>", "<7>" };

/* systemd tells which stream is its journal as "device:inode". */
static bool
stderr_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return s && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

void
log_init(const char *ident)
{
	str_copy(the_log.ident, sizeof the_log.ident, ident ? ident : "");
	the_log.journal = the_log.fd == STDERR_FILENO && stderr_is_journal();
}

void
log_set_level(enum log_level level)
{
	the_log.level = level;
}

int
log_level_from_name(const char *name, enum log_level *level)
{
	for (unsigned i = 0; i < ARRAY_SIZE(level_names); i++)
		if (!strcmp(name, level_names[i])) {
			*level = i;
			return 0;
		}
	return -EINVAL;
}

static int
open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

int
log_to_file(const char *path)
{
	int fd = STDERR_FILENO, old = the_log.fd;

	if (path) {
		fd = open_path(path);
		if (fd < 0)
			return fd;
	}
	free(the_log.path);
	the_log.path = path ? xstrdup(path) : NULL;
	the_log.journal = !path && stderr_is_journal();
	the_log.fd = fd;
	if (old != STDERR_FILENO)
		close(old);
	return 0;
}

void
log_reopen(void)
{
	if (!the_log.path)
		return;

	int fd = open_path(the_log.path);

	if (fd < 0) {
		log_err("log: cannot reopen %s: %s", the_log.path, strerror(-fd));
		return;
	}
	dup3(fd, the_log.fd, O_CLOEXEC);
	close(fd);
}

/* Names in messages may come from outside: no byte may start a new line or steer a terminal. */
static void
make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

static int
put_head(char *buf, size_t len, enum log_level level)
{
	struct timespec ts;
	struct tm tm;

	if (the_log.journal)
		return snprintf(buf, len, "%s", journal_prefix[level]);
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	return snprintf(buf, len, "%04d-%02d-%02d %02d:%02d:%02d.%03ld %s%s%-5s ", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			ts.tv_nsec / 1000000, the_log.ident, *the_log.ident ? " " : "",
			level_names[level]);
}

void
log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t n;

	if (level > the_log.level)
		return;

	int saved = errno;

	n = put_head(line, sizeof line, level);
	vsnprintf(line + n, sizeof line - 1 - n, fmt, ap);
	make_printable(line + n);
	n = strlen(line);
	line[n++] = '\n';
	/* There is nobody to tell that the log cannot be written. */
	if (write(the_log.fd, line, n) < 0)
		errno = 0;
	errno = saved;
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

void
log_rate_msg(struct log_rate *r, enum log_level level, const char *fmt, ...)
{
	uint64_t now = clock_ms();
	char text[900];
	va_list ap;

	if (level > the_log.level)
		return;
	if (now - r->since_ms >= r->per_ms) {
		r->since_ms = now;
		r->n = 0;
	}
	if (r->n >= r->burst) {
		r->swallowed++;
		return;
	}
	r->n++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->swallowed)
		log_msg(level, "%s (%u similar messages were left out)", text, r->swallowed);
	else
		log_msg(level, "%s", text);
	r->swallowed = 0;
}
