/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow errors on their way to whoever asked; see of.h. */
#include "ofproto/of.h"

#include <stdarg.h>
#include <stdio.h>

int
of_error_set(struct of_error *e, enum of_error_id id, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->id = (uint16_t)id;
	va_start(ap, fmt);
	vsnprintf(e->why, sizeof e->why, fmt, ap);
	va_end(ap);
	return -1;
}
