/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows at the end of a buffer of fixed size; what does not fit is counted and cut, as
 * snprintf() does. */
#ifndef DATAPATH_TEXT_PRIV_H
#define DATAPATH_TEXT_PRIV_H

#include <stdarg.h>
#include <stdio.h>

#include "base/util.h"

struct text {
	char *buf;
	size_t len;             /* Of 'buf'. */
	size_t n;               /* Characters so far, those that did not fit included. */
};

static inline void PRINTF_LIKE(2, 3)
text_add(struct text *t, const char *fmt, ...)
{
	bool room = t->n < t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? t->buf + t->n : NULL, room ? t->len - t->n : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n += (size_t)n;
}

/* A comma, unless it would be the first character. */
static inline void
text_sep(struct text *t)
{
	if (t->n)
		text_add(t, ",");
}

#endif
