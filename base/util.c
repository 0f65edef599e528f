/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail, pages that are backed as they are touched, and the nearest spelling of a word. */
#include "base/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

static void *
check(void *p, size_t len)
{
	if (UNLIKELY(!p)) {
		log_err("memory: out of memory: %zu bytes were asked for", len);
		abort();
	}
	return p;
}

void *
xcalloc(size_t n, size_t len)
{
	/* calloc(0) may return NULL; nobody should have to tell that from failure. */
	if (!n || !len)
		n = len = 1;
	return check(calloc(n, len), n * len);
}

void *
xrealloc(void *p, size_t len)
{
	return check(realloc(p, len ? len : 1), len);
}

char *
xstrdup(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(xcalloc(1, len), s, len);
}

void *
xalloc_aligned(size_t align, size_t len)
{
	void *p = NULL;

	if (posix_memalign(&p, MAX_OF(align, sizeof(void *)), len ? len : 1))
		p = NULL;
	return memset(check(p, len), 0, len);
}

void *
map_zeroed(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *
map_zeroed_huge(size_t len)
{
	void *p = map_zeroed(len);

	/* A wish: where it is not granted the pages are small. */
	if (p)
		madvise(p, len, MADV_HUGEPAGE);
	return p;
}

void
map_free(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}

bool
str_copy(char *dst, size_t len, const char *s)
{
	size_t n = strnlen(s, len);

	if (!len)
		return false;
	if (n == len) {
		memcpy(dst, s, len - 1);
		dst[len - 1] = '\0';
		return false;
	}
	memcpy(dst, s, n + 1);
	return true;
}

#define NEAREST_MAX 48

/* Edit distance with transpositions ("optimal string alignment"); both at most NEAREST_MAX long. */
static unsigned
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	uint8_t row[3][NEAREST_MAX + 1];
	uint8_t *prev2 = row[0], *prev = row[1], *cur = row[2];

	for (size_t j = 0; j <= b_len; j++)
		prev[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		cur[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned d = prev[j - 1] + (a[i - 1] != b[j - 1]);

			d = MIN_OF(d, prev[j] + 1u);
			d = MIN_OF(d, cur[j - 1] + 1u);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN_OF(d, prev2[j - 2] + 1u);
			cur[j] = d;
		}

		uint8_t *t = prev2;

		prev2 = prev;
		prev = cur;
		cur = t;
	}
	return prev[b_len];
}

const char *
str_nearest(const char *s, const char *const *names)
{
	size_t len = strnlen(s, NEAREST_MAX + 1);
	const char *best = NULL;
	unsigned best_d = (len + 2) / 3;

	if (!len || len > NEAREST_MAX)
		return NULL;
	for (; *names; names++) {
		size_t n = strnlen(*names, NEAREST_MAX + 1);

		if (n > NEAREST_MAX)
			continue;

		unsigned d = distance(s, len, *names, n);

		/* A word all of whose letters were replaced was not meant. */
		if (d < MAX_OF(len, n) && (best ? d < best_d : d <= best_d)) {
			best = *names;
			best_d = d;
		}
	}
	return best;
}
