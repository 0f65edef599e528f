/* SPDX-License-Identifier: Apache-2.0 */
/* Files of pairs, "what goes in TAB what comes out" on a line.  Include behind cmocka.h. */
#ifndef TESTS_OFPROTO_GOLDEN_H
#define TESTS_OFPROTO_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Each line of GOLDEN/'name': the first 'len' bytes of 'in' go in, 'want' comes out.  Fails under 'least' lines. */
static inline void
golden_each(const char *name, unsigned least, void (*check)(void *arg, const char *in, size_t len, char *want), void *arg)
{
	char path[300], *line = NULL;
	size_t cap = 0;
	ssize_t n;
	unsigned lines = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", GOLDEN, name);
	f = fopen(path, "r");
	assert_non_null(f);
	for (; (n = getline(&line, &cap, f)) > 0; lines++) {
		char *tab = strchr(line, '\t');

		assert_non_null(tab);
		line[n - 1] = '\0';
		check(arg, line, (size_t)(tab - line), tab + 1);
	}
	assert_true(lines >= least);
	fclose(f);
	free(line);
}

#endif
