/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, keys, lists of actions, groups and meters as text, and messages to text.  The first byte chooses what the rest
 * is.  Whatever is accepted prints, and what was printed is accepted and prints the same. */
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

static void
group(const char *s, size_t len)
{
	struct of_arena *arena = of_arena_create();
	struct of_text once = { 0 }, twice = { 0 };
	struct of_group_mod gm;
	struct err err = { 0 };

	if (!of_parse_group_mod(s, len, OFGC_ADD, NULL, arena, &gm, &err)) {
		of_print_group_mod(&once, &gm, OF15, NULL);
		if (gm.command == OFGC_ADD) {
			accepted(of_parse_group_mod(of_text_str(&once) + 4, once.len - 4, OFGC_ADD, NULL, arena, &gm,
						    &err), &once, &err);
			of_print_group_mod(&twice, &gm, OF15, NULL);
			same(&once, &twice);
		}
	}
	of_text_fini(&once);
	of_text_fini(&twice);
	of_arena_destroy(arena);
}

static void
meter(const char *s, size_t len)
{
	struct of_arena *arena = of_arena_create();
	struct of_text once = { 0 }, twice = { 0 };
	struct of_meter_mod mm;
	struct err err = { 0 };

	if (!of_parse_meter_mod(s, len, OFMC_ADD, arena, &mm, &err)) {
		of_print_meter_mod(&once, &mm);
		accepted(of_parse_meter_mod(of_text_str(&once) + 4, once.len - 4, OFMC_ADD, arena, &mm, &err), &once,
			 &err);
		of_print_meter_mod(&twice, &mm);
		same(&once, &twice);
	}
	of_text_fini(&once);
	of_text_fini(&twice);
	of_arena_destroy(arena);
}

static void
message(const uint8_t *data, size_t len)
{
	static const struct of_decode_opts opts = { .loose_match = true, .table_ids = true };
	struct of_arena *arena = of_arena_create();
	struct of_text t = { 0 };
	struct of_error e = { 0 };
	struct of_msg m;

	if (len >= OF_HEADER_LEN && len < 65536 && of_msg_len(data) == len &&
	    !of_decode(data, (uint32_t)len, &opts, arena, &m, &e))
		of_print_msg(&t, &m, NULL);
	of_text_fini(&t);
	of_arena_destroy(arena);
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
	case 'g':
		group(s, size);
		break;
	case 'm':
		meter(s, size);
		break;
	case 'M':
		message(data + 1, size);
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
