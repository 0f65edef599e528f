/* SPDX-License-Identifier: Apache-2.0 */
/* How weftctl writes for people: tables, trees, numbers, colours.  No line is longer than CLI_WIDTH
 * columns; text from the daemon is printed without its control characters. */
#ifndef CTL_CLI_OUT_H
#define CTL_CLI_OUT_H

#include <stdio.h>

#include "base/util.h"

enum { CLI_WIDTH = 80 };

struct out {
	FILE *f;
	bool color;
	bool utf8;
};

enum style { ST_PLAIN, ST_BOLD, ST_DIM, ST_GOOD, ST_BAD, ST_WARN };

/* Colour when 'f' is a terminal and NO_COLOR is not set; UTF-8 when the locale says so. */
void out_init(struct out *, FILE *f);
void out_text(struct out *, enum style, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Words of 'text' from column 'at' on, in lines that begin with 'indent' blanks; ends with a newline. */
void out_wrap(struct out *, enum style, unsigned at, unsigned indent, const char *text);
/* The separator dot, or its ASCII stand-in. */
const char *out_dot(const struct out *);

/* How branches of a tree are drawn. */
struct branches {
	const char *tee, *last, *bar, *gap;
};
const struct branches *out_branches(const struct out *);

/* Columns that 'text' takes: characters of UTF-8. */
unsigned text_width(const char *text);

/* --- Tables and trees ----------------------------------------------------------------------------------- */

/* The last column is as wide as the rest of the line; its text is wrapped, or goes on lines of its own when
 * that rest is too narrow.  Two blanks between columns. */
struct col {
	const char *header;             /* NULL in all columns: no header line. */
	bool right;
	unsigned max;                   /* Longer cells are cut, with dots; 0: never. */
	unsigned soft;                  /* Longer cells do not widen the column: they shift the rest of their row. */
	unsigned least;                 /* Of the last column: too narrow below this; 0: 24. */
};

struct table;

struct table *table_create(const struct col *, unsigned n_cols);
/* Begins a row.  'prefix' (may be "") stands before it, 'cont' before the lines that it is continued in. */
void table_row(struct table *, const char *prefix, const char *cont);
/* The next cell of the row.  Cells that are left out are empty. */
void table_cell(struct table *, enum style, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A line that has no columns, between the rows. */
void table_line(struct table *, const char *prefix, const char *cont, enum style, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Prints and frees. */
void table_print(struct table *, struct out *);

/* --- Numbers -------------------------------------------------------------------------------------------- */

struct num {
	char s[32];
};

struct num num_count(uint64_t n);               /* 1,234,567; from 10^9 on 1.23 G */
struct num num_bytes(uint64_t n);               /* 98.7 MB: decimal, as network people count. */
struct num num_bits(double per_s);              /* 1.25 Gbit/s */
struct num num_memory(uint64_t n);              /* 128 MiB */
struct num num_percent(double part, double whole);      /* 12.5 %, "-" when there is no whole. */
struct num num_seconds(uint64_t s);             /* 42 s, 3 min, 2 h 5 min, 4 d 3 h */
struct num num_us(uint64_t us);                 /* 850 us, 12 ms, 1.2 s, then as num_seconds() */

#endif
