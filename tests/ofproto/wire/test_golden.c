/* SPDX-License-Identifier: Apache-2.0 */
/* What ovs-ofctl sends (golden/ovs-ofctl.txt, by make.py) and what switches send to it (replies.txt: random bodies that
 * this codec once encoded), with what it says about either: each message is decoded, reads the same, and encodes to the
 * bytes it came as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "ofproto/text.h"
#include "ofproto/wire/wire_priv.h"

struct golden {
	uint8_t data[4096];
	uint32_t len;
	char said[8192];
};

/* The next message of the file and what ovs-ofctl says about it; false at the end. */
static bool
next(FILE *f, struct golden *g)
{
	static char line[16384];

	g->len = 0;
	g->said[0] = '\0';
	if (!fgets(line, sizeof line, f))
		return false;
	for (unsigned i = 0; line[i] && line[i] != '\n'; i += 2) {
		unsigned byte;

		assert_int_equal(sscanf(line + i, "%2x", &byte), 1);
		assert_true(g->len < sizeof g->data);
		g->data[g->len++] = (uint8_t)byte;
	}
	while (fgets(line, sizeof line, f) && line[0] != '\n') {
		assert_true(strlen(g->said) + strlen(line) < sizeof g->said);
		strcat(g->said, line);
	}
	return true;
}

static struct of_decode_opts
opts_for(const struct golden *g)
{
	/* 1.0's commands have a table in them where ovs-ofctl saw one. */
	return (struct of_decode_opts){ .table_ids = g->data[0] == OF10 && strstr(g->said, "table:") != NULL };
}

static unsigned
each_of_file(const char *path, void (*check)(const struct golden *, const struct of_msg *))
{
	FILE *f = fopen(path, "r");
	struct of_arena *arena = of_arena_create();
	struct golden g;
	unsigned n = 0;

	assert_non_null(f);
	for (; next(f, &g); n++) {
		struct of_decode_opts opts = opts_for(&g);
		struct of_error err;
		struct of_msg msg;

		of_arena_reset(arena);
		if (of_decode(g.data, g.len, &opts, arena, &msg, &err)) {
			/* Connection tracking is refused. */
			if (strstr(g.said, "ct(") && err.id == OFE_BAC_BAD_EXP_TYPE)
				continue;
			fail_msg("%s %s\n%s", of_error_name(err.id), err.why, g.said);
		}
		check(&g, &msg);
	}
	of_arena_destroy(arena);
	fclose(f);
	return n;
}

static void
each_message(void (*check)(const struct golden *, const struct of_msg *))
{
	assert_in_range(each_of_file(GOLDEN "/ovs-ofctl.txt", check), 300, 1000);
	assert_in_range(each_of_file(GOLDEN "/replies.txt", check), 150, 1000);
}

/* Takes 'what' and the word behind it out of a text. */
static void
leave_out(char *text, const char *what)
{
	char *p = strstr(text, what), *end;

	if (!p)
		return;
	end = p + strlen(what) + strcspn(p + strlen(what), " \n");
	memmove(p, end, strlen(end) + 1);
}

/* Here more is shown of what a request filters by, and less of a packet's zeroes. */
static void
same_words(const char *ours, const char *theirs)
{
	char a[8192], b[8192];

	assert_true(str_copy(a, sizeof a, ours) && str_copy(b, sizeof b, theirs));
	leave_out(a, " out_group:");
	if (strstr(a, "FLOW request"))
		leave_out(a, " cookie=");
	if (strstr(a, "PACKET_OUT")) {
		a[strcspn(a, "\n")] = '\0';
		b[strcspn(b, "\n")] = '\0';
	}
	assert_string_equal(a, b);
}

static void
check_text(const struct golden *g, const struct of_msg *msg)
{
	struct of_text t = { 0 };

	of_print_msg(&t, msg, NULL);
	of_text_puts(&t, "\n");
	same_words(of_text_str(&t), g->said);
	of_text_fini(&t);
}

static void
messages_read_as_ovs_ofctl_reads_them(void **state UNUSED)
{
	each_message(check_text);
}

static void
check_bytes(const struct golden *g, const struct of_msg *msg)
{
	struct of_buf b = { .data = NULL };
	int rc = of_encode(&b, msg);

	if (rc)
		fail_msg("encode: %d\n%s", rc, g->said);
	if (b.len != g->len || memcmp(b.data, g->data, b.len))
		fail_msg("other bytes: %s", g->said);
	of_buf_fini(&b);
}

static void
messages_encode_to_what_they_came_as(void **state UNUSED)
{
	each_message(check_bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_read_as_ovs_ofctl_reads_them),
		cmocka_unit_test(messages_encode_to_what_they_came_as),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
