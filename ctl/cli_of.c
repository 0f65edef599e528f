/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what has to do with OpenFlow: controllers and their connections. */
#include <string.h>

#include "ctl/cli.h"

/* --- Controllers ------------------------------------------------------------------------------------------- */

/* How the connection is, as a phrase: "OpenFlow13, master, for 2 min". */
static void
conn_text(const json_t *c, char *buf, size_t len)
{
	const char *version = cli_str(c, "version"), *role = cli_str(c, "role"), *error = cli_str(c, "last_error");
	bool up = json_is_true(json_object_get(c, "connected"));
	const char *since = num_seconds(cli_num(c, "since_ms") / 1000).s;
	struct num ago = num_seconds(cli_num(c, "connected_ms_ago") / 1000), for_ = { "" };

	snprintf(for_.s, sizeof for_.s, "%.31s", since);
	if (up)
		snprintf(buf, len, "%s%s%s%sfor %s", version, *version ? ", " : "", role, *role ? ", " : "", for_.s);
	else if (json_object_get(c, "connected_ms_ago"))
		snprintf(buf, len, "%s%sfor %s, connected %s ago", error, *error ? "; " : "", for_.s, ago.s);
	else
		snprintf(buf, len, "%s%sfor %s", error, *error ? "; " : "", for_.s);
}

static void
conn_counters(struct out *o, const json_t *c, char *buf, size_t len)
{
	const char *dot = out_dot(o);
	uint64_t lost = cli_num(c, "packet_ins_dropped"), errors = cli_num(c, "errors"), queued = cli_num(c, "queued_bytes");
	int n = snprintf(buf, len, "conn %llu %s %s received %s %s sent %s %s packet-ins",
			 (unsigned long long)cli_num(c, "id"), dot, num_count(cli_num(c, "received")).s, dot,
			 num_count(cli_num(c, "sent")).s, dot, num_count(cli_num(c, "packet_ins")).s);

	if (lost)
		n += snprintf(buf + n, len - n, " (%s dropped)", num_count(lost).s);
	if (errors)
		n += snprintf(buf + n, len - n, " %s %s error%s", dot, num_count(errors).s, errors == 1 ? "" : "s");
	if (queued)
		snprintf(buf + n, len - n, " %s %s waiting", dot, num_bytes(queued).s);
}

static void
conn_rows(struct out *o, struct table *t, const json_t *conns)
{
	const struct branches *b = out_branches(o);
	size_t i, n = json_array_size(conns);
	char text[700], deep[32];
	json_t *c;

	json_array_foreach(conns, i, c) {
		bool last = i + 1 == n, up = json_is_true(json_object_get(c, "connected"));
		const char *bar = last ? b->gap : b->bar, *state = cli_str(c, "state");
		bool waits = !strcmp(state, "listening") || !strcmp(state, "idle");

		table_row(t, last ? b->last : b->tee, bar);
		table_cell(t, ST_PLAIN, "%s", cli_str(c, "target"));
		table_cell(t, up ? ST_GOOD : waits ? ST_PLAIN : ST_BAD, "%s", state);
		conn_text(c, text, sizeof text);
		table_cell(t, up || waits ? ST_PLAIN : ST_WARN, "%s", text);
		if (!cli_num(c, "received") && !cli_num(c, "sent"))
			continue;
		conn_counters(o, c, text, sizeof text);
		snprintf(deep, sizeof deep, "%s    ", bar);
		table_line(t, deep, deep, ST_DIM, "%s", text);
	}
}

void
cli_print_controllers(struct out *o, const json_t *result)
{
	static const struct col cols[] = { { .soft = 28 }, { .header = NULL }, { .least = 40 } };
	const json_t *list = json_object_get(result, "bridges");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));
	const char *dot = out_dot(o);
	size_t i;
	json_t *b;

	json_array_foreach(list, i, b) {
		bool open = json_is_true(json_object_get(b, "failed_open"));
		const json_t *conns = json_object_get(b, "connections");
		char title[400];

		snprintf(title, sizeof title, "%s   datapath-id %s %s fail-mode %s%s%s%s", cli_str(b, "bridge"),
			 cli_str(b, "datapath_id"), dot, cli_str(b, "fail_mode"), open ? " " : "", open ? dot : "",
			 open ? " no controller: a learning switch" : "");
		table_line(t, "", "  ", ST_BOLD, "%s", title);
		if (!json_array_size(conns))
			table_line(t, "", "  ", ST_PLAIN, "  no controllers; set one with: weftctl controller set %s "
				   "tcp:127.0.0.1:6653", cli_str(b, "bridge"));
		conn_rows(o, t, conns);
	}
	table_print(t, o);
	if (!json_array_size(list))
		out_text(o, ST_PLAIN, "no bridges\n");
}
