/* SPDX-License-Identifier: Apache-2.0 */
/* What a user must read when something was refused.  A caller puts a 'struct err' on its stack and
 * passes it down; the callee that knows the reason fills it.  Message and code cannot part ways:
 * err_set() returns the negative code it was given. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/util.h"

struct err {
	int code;       /* Positive errno; 0 while nothing was set. */
	char msg[320];  /* One line, no trailing newline; says what to do where that is known. */
};

/* Fills 'e' (which may be NULL) and returns -code. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the message that is there.  Returns -e->code (or -EIO when 'e' is NULL). */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
