/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line to stderr per event, "<level> subject: event: cause", with a journal priority
 * prefix ("<4>") when stderr is the journal and a timestamp when it is not.  Control thread and
 * start-up code; never per packet. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

#include "base/util.h"

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

void log_init(const char *ident);
void log_set_level(enum log_level level);
int log_level_from_name(const char *name, enum log_level *level);  /* 0 or -EINVAL. */

/* Writes to 'path' instead of stderr (NULL: stderr); log_reopen() opens it anew after rotation. */
int log_to_file(const char *path);
void log_reopen(void);

void log_msg(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_vmsg(enum log_level level, const char *fmt, va_list ap);

#define log_err(...) log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

/* At most 'burst' lines per 'per_ms'; what was swallowed is told with the next line that passes. */
struct log_rate {
	uint32_t burst, per_ms;         /* [const] */
	uint32_t n, swallowed;
	uint64_t since_ms;
};
void log_rate_msg(struct log_rate *, enum log_level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
