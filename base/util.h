/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that the language should have had.  Includes nothing of the project. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CACHE_LINE 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define UNUSED __attribute__((unused))

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Allocation that cannot fail: logs and aborts when memory is gone.  Control plane and start-up
 * only; what a peer can make grow has a limit that is checked first. */
void *xcalloc(size_t n, size_t len);
void *xrealloc(void *p, size_t len);
char *xstrdup(const char *s);
/* Zeroed, 'align' a power of two; release with free(). */
void *xalloc_aligned(size_t align, size_t len);

/* Zeroed pages of address space, which the kernel backs as they are touched: for large tables that a small
 * installation uses little of.  NULL when there is none. */
void *map_zeroed(size_t len);
/* Likewise, in large pages where the kernel has some: for what is read all over. */
void *map_zeroed_huge(size_t len);
/* 'p' may be NULL; 'len' as it was asked for. */
void map_free(void *p, size_t len);

/* The value of a hexadecimal digit, or -1. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Copies at most len-1 bytes and terminates.  Returns false when 's' was cut. */
bool str_copy(char *dst, size_t len, const char *s);

/* The candidate nearest to 's' by edit distance, or NULL when none is near enough to be meant.
 * 'names' ends with NULL.  For messages of the kind "unknown option 'vnii': did you mean 'vni'?". */
const char *str_nearest(const char *s, const char *const *names);

#endif
