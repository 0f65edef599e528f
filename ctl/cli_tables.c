/* SPDX-License-Identifier: Apache-2.0 */
/* Prints MAC tables and cached flows, which come in pages. */
#include <string.h>

#include "ctl/cli.h"

/* --- MAC tables -------------------------------------------------------------------------------------------- */

static void
mac_row(struct table *t, const json_t *m)
{
	bool fixed = json_is_true(json_object_get(m, "static"));
	const char *remote = cli_str(m, "remote");

	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "%llu", (unsigned long long)cli_num(m, "vlan"));
	table_cell(t, ST_PLAIN, "%s", cli_str(m, "mac"));
	table_cell(t, ST_PLAIN, "%s", cli_str(m, "port"));
	table_cell(t, fixed ? ST_BOLD : ST_PLAIN, "%s", fixed ? "static" : num_seconds(cli_num(m, "age_s")).s);
	table_cell(t, ST_PLAIN, "%s", num_count(cli_num(m, "moves")).s);
	table_cell(t, ST_PLAIN, "%s%s", *remote ? "at " : "", remote);
}

/* 'page' is the answer, or several joined: "bridge", "macs", "table". */
void
cli_print_macs(struct out *o, const json_t *page)
{
	static const struct col cols[] = {
		{ .header = "vlan", .right = true }, { .header = "address" }, { .header = "port", .soft = 18 },
		{ .header = "age" }, { .header = "moves", .right = true },
		{ .header = "" },
	};
	const json_t *list = json_object_get(page, "macs"), *table = json_object_get(page, "table");
	const char *dot = out_dot(o);
	struct table *t;
	char text[600];
	size_t i;
	json_t *m;

	out_text(o, ST_BOLD, "%s\n", cli_str(page, "bridge"));
	if (json_array_size(list)) {
		t = table_create(cols, ARRAY_SIZE(cols));
		json_array_foreach(list, i, m)
			mac_row(t, m);
		table_print(t, o);
	}
	snprintf(text, sizeof text, "%s of %s addresses %s %s static %s learned %s %s moved %s %s aged %s %s flushed %s %s "
		 "refused %s",
		 num_count(cli_num(table, "n")).s, num_count(cli_num(table, "limit")).s, dot,
		 num_count(cli_num(table, "n_static")).s, dot, num_count(cli_num(table, "learned")).s, dot,
		 num_count(cli_num(table, "moved")).s, dot, num_count(cli_num(table, "aged")).s, dot,
		 num_count(cli_num(table, "flushed")).s, dot, num_count(cli_num(table, "refused")).s);
	out_wrap(o, ST_DIM, 0, 0, text);
}

void
cli_print_flushed(struct out *o, const json_t *result)
{
	uint64_t n = cli_num(result, "flushed");

	fprintf(o->f, "%s address%s forgotten\n", num_count(n).s, n == 1 ? "" : "es");
}

/* --- Flows ------------------------------------------------------------------------------------------------- */

void
cli_print_flow(struct out *o, const json_t *f)
{
	const char *drop = cli_str(f, "drop"), *actions = cli_str(f, "actions"), *arrow = o->utf8 ? "\u2192" : "->";
	char text[5000], depends[800] = "";
	size_t i, at = 0;
	json_t *d;

	out_wrap(o, ST_BOLD, 0, 2, cli_str(f, "match"));
	snprintf(text, sizeof text, "  %s %s%s%s%s", arrow, actions, *drop && *actions ? ", " : "", *drop ? "drop: " : "",
		 drop);
	if (*drop && !strncmp(actions, "drop", 4))
		snprintf(text, sizeof text, "  %s %s", arrow, actions);
	out_wrap(o, *drop ? ST_WARN : ST_PLAIN, 0, 5, text);
	snprintf(text, sizeof text, "    %s packet%s, %s, age %s, idle %s, cpu %llu",
		 num_count(cli_num(f, "packets")).s, cli_num(f, "packets") == 1 ? "" : "s",
		 num_bytes(cli_num(f, "bytes")).s, num_us(cli_num(f, "age_us")).s, num_us(cli_num(f, "idle_us")).s,
		 (unsigned long long)cli_num(f, "cpu"));
	out_wrap(o, ST_PLAIN, 0, 4, text);
	if (json_is_true(json_object_get(f, "stale")))
		out_wrap(o, ST_WARN, 0, 4, "    out of date: its next packet is worked out anew");
	json_array_foreach(json_object_get(f, "depends"), i, d)
		if (at < sizeof depends)
			at += snprintf(depends + at, sizeof depends - at, "%s%s", i ? ", " : "", json_string_value(d));
	if (!*depends)
		return;
	snprintf(text, sizeof text, "    depends on %s", depends);
	out_wrap(o, ST_DIM, 0, 4, text);
}
