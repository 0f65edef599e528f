/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for users, with their error code. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -code;
	/* An argument may be e->msg itself. */
	char msg[sizeof e->msg];

	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	memcpy(e->msg, msg, sizeof msg);
	e->code = code;
	return -code;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char prefix[sizeof e->msg], whole[2 * sizeof e->msg + 2];
	va_list ap;

	if (!e)
		return -EIO;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof prefix, fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof whole, "%s: %s", prefix, e->msg);
	str_copy(e->msg, sizeof e->msg, whole);
	return -e->code;
}
