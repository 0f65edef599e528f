/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, trees, wrapping, colours. */
#include "ctl/cli_out.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cell {
	char *text;
	enum style style;
};

struct row {
	char *prefix, *cont;
	struct cell *cells;
	unsigned n;
	bool whole;             /* One cell over all columns. */
};

struct table {
	const struct col *cols;
	unsigned n_cols, n_rows, max_rows;
	struct row *rows;
};

void
out_init(struct out *o, FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	*o = (struct out){
		.f = f,
		.color = isatty(fileno(f)) && !(no && *no) && term && strcmp(term, "dumb") != 0,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
}

const struct branches *
out_branches(const struct out *o)
{
	static const struct branches utf8 = {
		"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   "
	}, ascii = { "|- ", "`- ", "|  ", "   " };

	return o->utf8 ? &utf8 : &ascii;
}

const char *
out_dot(const struct out *o)
{
	return o->utf8 ? "\u00b7" : "-";
}

/* --- Text ------------------------------------------------------------------------------------------------- */

/* The length in bytes of the character at 's'; 1 for what is no UTF-8. */
static unsigned
char_len(const char *s)
{
	unsigned char c = *s;
	unsigned n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 1;
	return n;
}

unsigned
text_width(const char *s)
{
	unsigned n = 0;

	for (; *s; s += char_len(s))
		n++;
	return n;
}

/* Makes text from elsewhere harmless in place: no control characters of either kind, and ASCII only where the
 * terminal can show no more. */
static void
tame(const struct out *o, char *s)
{
	char *to = s;

	while (*s) {
		unsigned n = char_len(s);
		unsigned char c = *s;
		bool bad = c < 0x20 || c == 0x7f || (n == 1 && c >= 0x80) ||
			   (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0) || (n > 1 && !o->utf8);

		if (bad)
			*to++ = '?';
		else
			for (unsigned i = 0; i < n; i++)
				*to++ = s[i];
		s += n;
	}
	*to = '\0';
}

static void
begin(struct out *o, enum style st)
{
	static const char *const codes[] = {
		[ST_BOLD] = "1", [ST_DIM] = "2", [ST_GOOD] = "32", [ST_BAD] = "1;31", [ST_WARN] = "33",
	};

	if (o->color && st != ST_PLAIN)
		fprintf(o->f, "\033[%sm", codes[st]);
}

static void
end(struct out *o, enum style st)
{
	if (o->color && st != ST_PLAIN)
		fputs("\033[0m", o->f);
}

static char *
vformat(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	return s;
}

void
out_text(struct out *o, enum style st, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vformat(fmt, ap);
	va_end(ap);
	begin(o, st);
	fputs(s, o->f);
	end(o, st);
	free(s);
}

static void
blanks(struct out *o, unsigned n)
{
	fprintf(o->f, "%*s", (int)n, "");
}

/* The bytes of 's' that go on a line of 'width' columns: up to a blank or behind a comma where there is one. */
static size_t
line_len(const char *s, unsigned width, size_t *skip)
{
	size_t at = 0, best = 0, best_skip = 0;

	for (unsigned n = 0; s[at]; n++) {
		if (s[at] == ' ') {
			best = at;
			best_skip = 1;
		}
		if (n == width) {
			*skip = best_skip;
			return best ? best : at;
		}
		if (s[at] == ',' && s[at + 1] && s[at + 1] != ' ' && n + 1 <= width) {
			best = at + 1;
			best_skip = 0;
		}
		at += char_len(s + at);
	}
	*skip = 0;
	return at;
}

/* As out_wrap(), with 'cont' before each further line as well. */
static void
wrap(struct out *o, enum style st, unsigned at, const char *cont, unsigned indent, char *text)
{
	const char *s = text;

	tame(o, text);
	for (;;) {
		unsigned width = at + 8 < CLI_WIDTH ? CLI_WIDTH - at : 8;
		size_t skip, len = line_len(s, width, &skip);

		begin(o, st);
		fwrite(s, 1, len, o->f);
		end(o, st);
		fputc('\n', o->f);
		s += len + skip;
		if (!*s)
			return;
		fputs(cont, o->f);
		at = text_width(cont) + indent;
		blanks(o, indent);
	}
}

void
out_wrap(struct out *o, enum style st, unsigned at, unsigned indent, const char *text)
{
	char *s = xstrdup(text);

	wrap(o, st, at, "", indent, s);
	free(s);
}

/* --- Tables ----------------------------------------------------------------------------------------------- */

struct table *
table_create(const struct col *cols, unsigned n_cols)
{
	struct table *t = xcalloc(1, sizeof *t);

	t->cols = cols;
	t->n_cols = n_cols;
	return t;
}

static struct row *
new_row(struct table *t, const char *prefix, const char *cont)
{
	struct row *r;

	if (t->n_rows == t->max_rows) {
		t->max_rows = t->max_rows ? 2 * t->max_rows : 16;
		t->rows = xrealloc(t->rows, t->max_rows * sizeof *t->rows);
	}
	r = &t->rows[t->n_rows++];
	*r = (struct row){ .prefix = xstrdup(prefix), .cont = xstrdup(cont) };
	r->cells = xcalloc(t->n_cols, sizeof *r->cells);
	return r;
}

void
table_row(struct table *t, const char *prefix, const char *cont)
{
	new_row(t, prefix, cont);
}

void
table_cell(struct table *t, enum style st, const char *fmt, ...)
{
	struct row *r = &t->rows[t->n_rows - 1];
	va_list ap;

	if (r->n == t->n_cols)
		return;
	va_start(ap, fmt);
	r->cells[r->n++] = (struct cell){ vformat(fmt, ap), st };
	va_end(ap);
}

void
table_line(struct table *t, const char *prefix, const char *cont, enum style st, const char *fmt, ...)
{
	struct row *r = new_row(t, prefix, cont);
	va_list ap;

	va_start(ap, fmt);
	r->cells[0] = (struct cell){ vformat(fmt, ap), st };
	va_end(ap);
	r->n = 1;
	r->whole = true;
}

/* Cuts 'text' to 'max' columns. */
static void
cut(const struct out *o, char **text, unsigned max)
{
	const char *dots = o->utf8 ? "\u2026" : "..";
	unsigned keep = max - text_width(dots);
	char *s = *text;

	if (text_width(s) <= max)
		return;
	for (unsigned i = 0; i < keep; i++)
		s += char_len(s);

	size_t len = s - *text;

	*text = xrealloc(*text, len + strlen(dots) + 1);
	strcpy(*text + len, dots);
}

/* The width of each column; prefixes count as part of the first. */
static void
measure(struct table *t, const struct out *o, unsigned *width)
{
	for (unsigned c = 0; c < t->n_cols; c++)
		width[c] = t->cols[c].header ? text_width(t->cols[c].header) : 0;
	for (unsigned i = 0; i < t->n_rows; i++) {
		struct row *r = &t->rows[i];

		for (unsigned c = 0; c < r->n; c++) {
			unsigned w;

			tame(o, r->cells[c].text);
			if (r->whole)
				continue;
			if (t->cols[c].max)
				cut(o, &r->cells[c].text, t->cols[c].max);
			w = text_width(r->cells[c].text) + (c ? 0 : text_width(r->prefix));
			if (!t->cols[c].soft || w <= t->cols[c].soft)
				width[c] = MAX_OF(width[c], w);
		}
	}
}

/* A line that is being written: blanks are written when something follows them. */
struct line {
	struct out *o;
	unsigned at, pending;
};

static void
print_cell(struct line *l, const struct col *col, unsigned width, enum style st, const char *text)
{
	unsigned w = text_width(text), pad = width - MIN_OF(width, w);

	l->pending += col->right ? pad : 0;
	l->at += MAX_OF(width, w);
	if (*text) {
		blanks(l->o, l->pending);
		l->pending = 0;
		begin(l->o, st);
		fputs(text, l->o->f);
		end(l->o, st);
	}
	l->pending += col->right ? 0 : pad;
}

/* The last cell takes what is left of the line, or lines of its own when that is too little for it. */
static void
print_rest(struct line *l, const struct row *r, unsigned least, struct cell *cell)
{
	enum { INDENT = 4 };
	unsigned cont = text_width(r->cont);

	if (l->at + (least ? least : 24) > CLI_WIDTH && l->at + text_width(cell->text) > CLI_WIDTH) {
		fprintf(l->o->f, "\n%s", r->cont);
		l->pending = INDENT;
		l->at = cont + INDENT;
	}
	blanks(l->o, l->pending);
	wrap(l->o, cell->style, l->at, r->cont, l->at - MIN_OF(l->at, cont), cell->text);
}

static void
print_row(const struct table *t, struct out *o, const struct row *r, const unsigned *width)
{
	unsigned prefix = text_width(r->prefix), n = r->n;
	struct line l = { o, prefix, 0 };

	begin(o, ST_DIM);
	fputs(r->prefix, o->f);
	end(o, ST_DIM);
	if (r->whole) {
		wrap(o, r->cells[0].style, prefix, r->cont, prefix - MIN_OF(prefix, text_width(r->cont)),
		     r->cells[0].text);
		return;
	}
	/* No blanks at the end of a line. */
	while (n && !*r->cells[n - 1].text)
		n--;
	for (unsigned c = 0; c < n; c++) {
		unsigned w = width[c] - (c ? 0 : MIN_OF(width[c], prefix));

		if (c) {
			l.pending += 2;
			l.at += 2;
		}
		if (c == t->n_cols - 1 && !t->cols[c].right) {
			print_rest(&l, r, t->cols[c].least, &r->cells[c]);
			return;
		}
		print_cell(&l, &t->cols[c], w, r->cells[c].style, r->cells[c].text);
	}
	fputc('\n', o->f);
}

static void
print_header(const struct table *t, struct out *o, const unsigned *width)
{
	struct line l = { o, 0, 0 };

	for (unsigned c = 0; c < t->n_cols; c++) {
		if (c)
			l.pending += 2;
		print_cell(&l, &t->cols[c], width[c], ST_DIM, t->cols[c].header);
	}
	fputc('\n', o->f);
}

void
table_print(struct table *t, struct out *o)
{
	unsigned *width = xcalloc(t->n_cols, sizeof *width);

	measure(t, o, width);
	if (t->cols[0].header)
		print_header(t, o, width);
	for (unsigned i = 0; i < t->n_rows; i++) {
		struct row *r = &t->rows[i];

		print_row(t, o, r, width);
		for (unsigned c = 0; c < r->n; c++)
			free(r->cells[c].text);
		free(r->cells);
		free(r->prefix);
		free(r->cont);
	}
	free(t->rows);
	free(width);
	free(t);
}
