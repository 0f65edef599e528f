/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, keys and lists of actions as text.  The first byte chooses what the rest is.  Whatever is accepted prints, and
 * what was printed is accepted and prints the same. */
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const struct of_text *a, const struct of_text *b)
{
	if (a->len == b->len && !memcmp(of_text_str(a), of_text_str(b), a->len))
		return;
	fprintf(stderr, "'%s' became '%s'\n", of_text_str(a), of_text_str(b));
	abort();
}

static void
accepted(int rc, const struct of_text *t, const struct err *err)
{
	if (!rc)
		return;
	fprintf(stderr, "'%s': %s\n", of_text_str(t), err->msg);
	abort();
}

static void
row_text(struct of_text *t, const struct of_flow_mod *fm)
{
	struct of_flow_row row = { .table_id = fm->table_id, .priority = fm->priority, .flags = fm->flags,
				   .idle_timeout = fm->idle_timeout, .hard_timeout = fm->hard_timeout,
				   .importance = fm->importance, .cookie = fm->cookie, .match = &fm->match,
				   .acts = fm->acts };

	of_print_flow_row(t, &row, OF_ROW_STATS, NULL);
}

static void
flow(const char *s, size_t len)
{
	struct of_act_buf acts = { 0 };
	struct of_text once = { 0 }, twice = { 0 };
	struct of_flow_mod fm;
	struct err err = { 0 };

	if (!of_parse_flow_mod(s, len, OFFC_ADD, NULL, &acts, &fm, &err)) {
		of_print_flow_mod(&once, &fm, NULL);
		of_text_clear(&once);
		if (fm.command == OFFC_ADD) {
			row_text(&once, &fm);
			accepted(of_parse_flow_mod(of_text_str(&once), once.len, OFFC_ADD, NULL, &acts, &fm, &err),
				 &once, &err);
			row_text(&twice, &fm);
			same(&once, &twice);
		}
	}
	of_text_fini(&once);
	of_text_fini(&twice);
	of_act_buf_fini(&acts);
}

static void
key(const char *s, size_t len)
{
	struct of_text once = { 0 }, twice = { 0 };
	struct err err = { 0 };
	struct oflow k;

	if (!of_parse_key(s, len, NULL, &k, &err)) {
		of_print_key(&once, &k, NULL);
		accepted(of_parse_key(of_text_str(&once), once.len, NULL, &k, &err), &once, &err);
		of_print_key(&twice, &k, NULL);
		same(&once, &twice);
	}
	of_text_fini(&once);
	of_text_fini(&twice);
}

static void
acts(const char *s, size_t len)
{
	struct of_act_buf b = { 0 };
	struct of_text once = { 0 }, twice = { 0 };
	struct err err = { 0 };

	if (!of_parse_acts(s, len, NULL, false, &b, &err)) {
		of_print_acts(&once, of_act_buf_acts(&b), NULL);
		b.len = 0;
		accepted(of_parse_acts(of_text_str(&once), once.len, NULL, false, &b, &err), &once, &err);
		of_print_acts(&twice, of_act_buf_acts(&b), NULL);
		same(&once, &twice);
	}
	of_text_fini(&once);
	of_text_fini(&twice);
	of_act_buf_fini(&b);
}

static void
request(const char *s, size_t len)
{
	struct of_flow_request r;
	struct of_text t = { 0 };
	struct err err = { 0 };

	if (!of_parse_flow_request(s, len, NULL, &r, &err))
		of_print_flow_request(&t, &r, NULL);
	of_text_fini(&t);
}

static void
frame(const uint8_t *data, size_t len)
{
	struct of_text t = { 0 };

	of_print_frame(&t, data, len);
	of_text_fini(&t);
}

static int
ignore(void *arg, const struct of_flow_mod *fm, struct err *err)
{
	(void)arg, (void)fm, (void)err;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data + 1;

	if (!size--)
		return 0;
	switch (data[0]) {
	case 'a':
		acts(s, size);
		break;
	case 'k':
		key(s, size);
		break;
	case 'r':
		request(s, size);
		break;
	case 'p':
		frame(data + 1, size);
		break;
	case 'F':
		of_parse_flow_file(s, size, OFFC_ADD, NULL, ignore, NULL, NULL);
		break;
	default:
		flow(s, size);
	}
	return 0;
}
