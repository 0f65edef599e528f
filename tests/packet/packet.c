/* SPDX-License-Identifier: Apache-2.0 */
/* Runs scenario files: frames in, frames out, through the real datapath and the real bridges, without devices,
 * root or hugepages.
 *
 *   usage: packet FILE...      prints TAP
 *
 * A file has scenarios, each begun by "test TITLE", of the commands in script.h; what stands before the first
 * one is done at the beginning of each.  "let NAME = TEXT" makes $NAME stand for the text.  "deep" before the
 * first scenario makes flow keys of every field of a frame, so that all of the parser is used.  A line that ends
 * in a backslash goes on in the next one; '#' starts a comment.
 *
 *   WEFT_SHARED      where specs/vectors is; scenarios that want a file from it are skipped without
 *   WEFT_PCAP_DIR    write what goes in and out of each port there, a capture file each
 *   WEFT_ISA         only this instruction set; default: each that the machine can run */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/datapath/mem_port.h"
#include "tests/packet/script.h"

enum { MAX_LINES = 2000, MAX_LETS = 64, LINE_MAX_LEN = 4096 };

struct line {
	unsigned number;
	char *text;
};

struct let {
	char name[32];
	char *text;
};

struct file {
	const char *path;
	struct line line[MAX_LINES];
	unsigned n;
	unsigned n_preamble;            /* Lines before the first "test". */
	bool deep;
	struct let let[MAX_LETS];
	unsigned n_lets;
};

static unsigned n_tests, n_failed;

static __attribute__((noreturn, format(printf, 3, 4))) void
bad_file(const struct file *f, unsigned line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", f->path, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* --- Reading ------------------------------------------------------------------------------- */

static const char *
let_find(const struct file *f, const char *name, size_t len)
{
	for (unsigned i = f->n_lets; i-- > 0;)
		if (strlen(f->let[i].name) == len && !memcmp(f->let[i].name, name, len))
			return f->let[i].text;
	return NULL;
}

/* Replaces $NAME.  The caller owns what is returned. */
static char *
expand(const struct file *f, unsigned line, const char *s)
{
	char out[LINE_MAX_LEN];
	size_t len = 0;

	while (*s) {
		const char *text;
		size_t n;

		if (len >= sizeof out - 1)
			bad_file(f, line, "the line is too long");
		if (*s != '$') {
			out[len++] = *s++;
			continue;
		}
		n = strspn(++s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		text = let_find(f, s, n);
		if (!text)
			bad_file(f, line, "$%.*s: no such name", (int)n, s);
		if (strlen(text) >= sizeof out - len)
			bad_file(f, line, "the line is too long");
		memcpy(out + len, text, strlen(text));
		len += strlen(text);
		s += n;
	}
	out[len] = '\0';
	return xstrdup(out);
}

static void
read_let(struct file *f, unsigned line, char *s)
{
	char *eq = strstr(s, " = ");
	struct let *l = &f->let[f->n_lets];

	if (!eq || f->n_lets == MAX_LETS)
		bad_file(f, line, "not: let NAME = TEXT");
	*eq = '\0';
	s += strspn(s, " \t");
	if (!str_copy(l->name, sizeof l->name, s))
		bad_file(f, line, "the name is too long");
	l->text = xstrdup(eq + 3 + strspn(eq + 3, " \t"));
	f->n_lets++;
}

static void
read_line(struct file *f, unsigned number, const char *raw)
{
	char *s = expand(f, number, raw), *at = s + strspn(s, " \t");

	if (!strncmp(at, "let ", 4)) {
		read_let(f, number, at + 4);
	} else if (!strcmp(at, "deep")) {
		f->deep = true;
	} else if (f->n == MAX_LINES) {
		bad_file(f, number, "more than %d lines", MAX_LINES);
	} else {
		if (strncmp(at, "test ", 5) && f->n_preamble == f->n)
			f->n_preamble++;
		f->line[f->n++] = (struct line){ number, xstrdup(at) };
	}
	free(s);
}

static struct file *
file_read(const char *path)
{
	struct file *f = xcalloc(1, sizeof *f);
	FILE *in = fopen(path, "r");
	char buf[LINE_MAX_LEN];
	unsigned number = 0;
	size_t len = 0;

	f->path = path;
	if (!in)
		bad_file(f, 0, "%s", strerror(errno));
	while (fgets(buf + len, (int)(sizeof buf - len), in)) {
		char *hash = strchr(buf + len, '#');

		number++;
		if (hash)
			*hash = '\0';
		len = strlen(buf);
		while (len && strchr(" \t\n", buf[len - 1]))
			buf[--len] = '\0';
		if (len && buf[len - 1] == '\\') {
			len--;
			continue;
		}
		if (len)
			read_line(f, number, buf);
		len = 0;
	}
	fclose(in);
	return f;
}

static void
file_free(struct file *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->line[i].text);
	for (unsigned i = 0; i < f->n_lets; i++)
		free(f->let[i].text);
	free(f);
}

/* --- Running ------------------------------------------------------------------------------- */

static int
run_lines(struct script *s, const struct file *f, unsigned from, unsigned to, unsigned *at, struct err *e)
{
	int rc = 0;

	for (unsigned i = from; i < to && !rc; i++) {
		char *copy = xstrdup(f->line[i].text);

		*at = f->line[i].number;
		rc = script_run(s, copy, e);
		free(copy);
	}
	return rc;
}

/* The scenario of lines 'from' (its title) to 'to'. */
static void
run_test(const struct file *f, unsigned from, unsigned to, const char *isa)
{
	const char *title = f->line[from].text + 5, *shared = getenv("WEFT_SHARED");
	struct world_conf conf = { .isa = isa, .title = title, .deep = f->deep, .pcap_dir = getenv("WEFT_PCAP_DIR") };
	struct script *s = xcalloc(1, sizeof *s);
	unsigned at = f->line[from].number;
	struct err e = { 0 }, end = { 0 }, leak = { 0 };
	char vectors[1024];
	int rc;

	if (shared) {
		snprintf(vectors, sizeof vectors, "%s/specs/vectors", shared);
		s->vectors = vectors;
	}
	s->w = world_create(&conf, &e);
	rc = s->w ? run_lines(s, f, 0, f->n_preamble, &at, &e) : -1;
	if (!rc)
		rc = run_lines(s, f, from + 1, to, &at, &e);
	if (s->w && script_end(s, &end) && !rc) {
		rc = -1;
		e = end;
	}
	/* A leak is told where something else went wrong, too. */
	if (world_destroy(s->w, &leak) && !rc) {
		rc = -1;
		e = leak;
	}
	n_tests++;
	if (s->skip) {
		printf("ok %u - %s (%s) # SKIP %s\n", n_tests, title, isa, e.msg);
	} else if (rc) {
		n_failed++;
		printf("# %s:%u: %s\n", f->path, at, e.msg);
		if (leak.code)
			printf("# %s\n", leak.msg);
		printf("not ok %u - %s (%s)\n", n_tests, title, isa);
	} else {
		printf("ok %u - %s (%s)\n", n_tests, title, isa);
	}
	fflush(stdout);
	free(s);
}

static void
run_file(const struct file *f, const char *isa)
{
	for (unsigned i = f->n_preamble, next; i < f->n; i = next) {
		for (next = i + 1; next < f->n && strncmp(f->line[next].text, "test ", 5); next++)
			;
		run_test(f, i, next, isa);
	}
}

int
main(int argc, char **argv)
{
	const char *only = getenv("WEFT_ISA");

	mem_eal_init();
	for (int i = 1; i < argc; i++) {
		struct file *f = file_read(argv[i]);

		for (const char *const *isa = dp_isa_names(); *isa; isa++)
			if (!only || !strcmp(only, *isa))
				run_file(f, *isa);
		file_free(f);
	}
	printf("1..%u\n", n_tests);
	return n_failed != 0;
}
