/* SPDX-License-Identifier: Apache-2.0 */
/* Prints counters, and what they grew by since an earlier answer. */
#include <string.h>

#include "ctl/cli.h"

/* Seconds between two answers; 0 when there is no earlier one. */
static double
seconds_between(const json_t *now, const json_t *before)
{
	double a = cli_num(before, "time_us"), b = cli_num(now, "time_us");

	return before && b > a ? (b - a) / 1e6 : 0;
}

/* The row of 'list' whose member 'key' says 'name', or NULL. */
static const json_t *
row_named(const json_t *list, const char *key, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
		if (!strcmp(cli_str(row, key), name))
			return row;
	return NULL;
}

/* Growth of a counter; after a restart it is taken from zero. */
static double
growth(const json_t *now, const json_t *before, const char *key)
{
	double a = cli_num(before, key), b = cli_num(now, key);

	return b >= a ? b - a : b;
}

/* --- Ports ------------------------------------------------------------------------------------------------- */

static void
port_totals(struct table *t, const json_t *p)
{
	uint64_t dropped = cli_num(p, "dropped");

	table_cell(t, ST_PLAIN, "%s", num_count(cli_num(p, "rx_packets")).s);
	table_cell(t, ST_PLAIN, "%s", num_bytes(cli_num(p, "rx_bytes")).s);
	table_cell(t, ST_PLAIN, "%s", num_count(cli_num(p, "tx_packets")).s);
	table_cell(t, ST_PLAIN, "%s", num_bytes(cli_num(p, "tx_bytes")).s);
	table_cell(t, dropped ? ST_WARN : ST_PLAIN, "%s", num_count(dropped).s);
}

static void
port_rates(struct table *t, const json_t *p, const json_t *was, double s)
{
	double drops = growth(p, was, "dropped") / s;

	if (!was) {
		/* It is new. */
		for (unsigned i = 0; i < 5; i++)
			table_cell(t, ST_PLAIN, "-");
		return;
	}
	table_cell(t, ST_PLAIN, "%s", num_count(growth(p, was, "rx_packets") / s + .5).s);
	table_cell(t, ST_PLAIN, "%s", num_bits(8 * growth(p, was, "rx_bytes") / s).s);
	table_cell(t, ST_PLAIN, "%s", num_count(growth(p, was, "tx_packets") / s + .5).s);
	table_cell(t, ST_PLAIN, "%s", num_bits(8 * growth(p, was, "tx_bytes") / s).s);
	table_cell(t, drops > 0 ? ST_WARN : ST_PLAIN, "%s", num_count(drops + .5).s);
}

/* "vlan 3, tx-queue-full 12" */
static void
drop_line(struct table *t, const json_t *p)
{
	char text[1200] = "";
	const char *reason;
	size_t at = 0;
	json_t *n;

	json_object_foreach(json_object_get(p, "drops"), reason, n)
		if (at < sizeof text)
			at += snprintf(text + at, sizeof text - at, "%s%.60s %s", at ? ", " : "", reason,
				       num_count(json_integer_value(n)).s);
	if (*text)
		table_line(t, "  ", "  ", ST_DIM, "dropped: %s", text);
}

static void
print_ports(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col totals[] = {
		{ .header = "port", .max = 15 }, { .header = "rx packets", .right = true },
		{ .header = "rx bytes", .right = true }, { .header = "tx packets", .right = true },
		{ .header = "tx bytes", .right = true }, { .header = "drops", .right = true },
	}, rates[] = {
		{ .header = "port", .max = 15 }, { .header = "rx pkt/s", .right = true },
		{ .header = "rx rate", .right = true }, { .header = "tx pkt/s", .right = true },
		{ .header = "tx rate", .right = true }, { .header = "drops/s", .right = true },
	};
	const json_t *list = json_object_get(now, "ports"), *old = json_object_get(before, "ports");
	double s = seconds_between(now, before);
	struct table *t = table_create(s > 0 ? rates : totals, ARRAY_SIZE(totals));
	size_t i;
	json_t *p;

	json_array_foreach(list, i, p) {
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "name"));
		if (s > 0) {
			port_rates(t, p, row_named(old, "name", cli_str(p, "name")), s);
		} else {
			port_totals(t, p);
			drop_line(t, p);
		}
	}
	table_print(t, o);
}

/* --- Drops ------------------------------------------------------------------------------------------------- */

static void
print_drops(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col cols[] = {
		{ .header = "drop reason" }, { .header = "packets", .right = true },
		{ .header = "per second", .right = true }, { .header = "what it means" },
	}, without[] = { { .header = "drop reason" }, { .header = "packets", .right = true }, { .header = "what it means" } };
	const json_t *list = json_object_get(now, "drops"), *old = json_object_get(before, "drops");
	double s = seconds_between(now, before);
	struct table *t;
	size_t i;
	json_t *d;

	if (!json_array_size(list)) {
		out_text(o, ST_PLAIN, "nothing was dropped\n");
		return;
	}
	t = s > 0 ? table_create(cols, ARRAY_SIZE(cols)) : table_create(without, ARRAY_SIZE(without));
	json_array_foreach(list, i, d) {
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", cli_str(d, "reason"));
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(d, "packets")).s);
		if (s > 0) {
			double rate = growth(d, row_named(old, "reason", cli_str(d, "reason")), "packets") / s;

			table_cell(t, rate > 0 ? ST_WARN : ST_PLAIN, "%s", num_count(rate + .5).s);
		}
		table_cell(t, ST_PLAIN, "%s", cli_str(d, "text"));
	}
	table_print(t, o);
}

/* --- Cache ------------------------------------------------------------------------------------------------- */

static void
print_cache(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col cols[] = {
		{ .header = "cache tier" }, { .header = "packets", .right = true },
		{ .header = "share", .right = true }, { .header = "what happens there" },
	};
	static const struct {
		const char *key, *name, *text;
	} tiers[] = {
		{ "hint_hits", "hint", "found by the packet's hash" },
		{ "mega_hits", "megaflow", "found by trying the masks" },
		{ "upcalls", "upcall", "new: worked out from bridges and tables" },
		{ "upcall_drops", "upcall drop", "new, and over the port's budget" },
	};
	const json_t *c = json_object_get(now, "cache"), *was = json_object_get(before, "cache");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));
	const char *dot = out_dot(o);
	double all = 0;
	char text[600];

	for (unsigned i = 0; i < ARRAY_SIZE(tiers); i++)
		all += growth(c, was, tiers[i].key);
	for (unsigned i = 0; i < ARRAY_SIZE(tiers); i++) {
		double n = growth(c, was, tiers[i].key);

		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", tiers[i].name);
		table_cell(t, ST_PLAIN, "%s", num_count(n).s);
		table_cell(t, ST_PLAIN, "%s", num_percent(n, all).s);
		table_cell(t, ST_PLAIN, "%s", tiers[i].text);
	}
	table_print(t, o);
	snprintf(text, sizeof text, "%s of %s flows %s masks %s %s re-translated %s %s evicted %s %s expired %s %s "
		 "waiting for next hops %s",
		 num_count(cli_num(c, "flows")).s, num_count(cli_num(c, "max_flows")).s, dot,
		 num_count(cli_num(c, "masks")).s, dot, num_count(cli_num(c, "retranslated")).s, dot,
		 num_count(cli_num(c, "evicted")).s, dot, num_count(cli_num(c, "expired")).s, dot,
		 num_count(cli_num(c, "tun_waiting")).s);
	out_wrap(o, ST_PLAIN, 0, 0, text);
}

/* --- Polling threads --------------------------------------------------------------------------------------- */

/* The row of the thread on the same CPU. */
static const json_t *
thread_on(const json_t *list, uint64_t cpu)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
		if (cli_num(row, "cpu") == cpu)
			return row;
	return NULL;
}

static void print_turns(struct out *, const json_t *, const json_t *);

static void
print_pmd(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col cols[] = {
		{ .header = "cpu", .right = true }, { .header = "busy", .right = true },
		{ .header = "idle", .right = true }, { .header = "asleep", .right = true },
		{ .header = "packets", .right = true },
		{ .header = "cycles/packet", .right = true }, { .header = "sleeps", .right = true },
		{ .header = "queues", .right = true }, { .header = "flows", .right = true },
	};
	const json_t *list = json_object_get(now, "pmd"), *old = json_object_get(before, "pmd");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));
	size_t i;
	json_t *l;

	json_array_foreach(list, i, l) {
		const json_t *was = thread_on(old, cli_num(l, "cpu"));
		double busy = growth(l, was, "busy_cycles"), idle = growth(l, was, "idle_cycles");
		double asleep = growth(l, was, "sleep_cycles"), all = busy + idle + asleep;
		double packets = growth(l, was, "packets");

		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%llu", (unsigned long long)cli_num(l, "cpu"));
		table_cell(t, ST_PLAIN, "%s", num_percent(busy, all).s);
		table_cell(t, ST_PLAIN, "%s", num_percent(idle, all).s);
		table_cell(t, ST_PLAIN, "%s", num_percent(asleep, all).s);
		table_cell(t, ST_PLAIN, "%s", num_count(packets).s);
		table_cell(t, ST_PLAIN, "%s", packets > 0 ? num_count(busy / packets + .5).s : "-");
		table_cell(t, ST_PLAIN, "%s", num_count(growth(l, was, "sleeps")).s);
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(l, "n_rxq")).s);
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(l, "flows")).s);
	}
	table_print(t, o);
	print_turns(o, now, before);
}

/* What turns with packets took, and the slow path; of threads that had any. */
static void
print_turns(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col cols[] = {
		{ .header = "cpu", .right = true }, { .header = "turn p50", .right = true }, { .header = "p99", .right = true },
		{ .header = "p99.9", .right = true }, { .header = "longest", .right = true },
		{ .header = "new flows", .right = true }, { .header = "us each", .right = true },
		{ .header = "refused", .right = true }, { .header = "evicted", .right = true },
	};
	static const char *const keys[] = { "turn_p50_ns", "turn_p99_ns", "turn_p999_ns", "turn_max_ns" };
	const json_t *old = json_object_get(before, "pmd");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));
	bool any = false;
	size_t i;
	json_t *l;

	json_array_foreach(json_object_get(now, "pmd"), i, l) {
		const json_t *was = thread_on(old, cli_num(l, "cpu"));
		double new = growth(l, was, "upcalls"), hz = cli_num(l, "tsc_hz");

		if (!cli_num(l, "turn_max_ns"))
			continue;
		any = true;
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%llu", (unsigned long long)cli_num(l, "cpu"));
		for (unsigned k = 0; k < ARRAY_SIZE(keys); k++)
			table_cell(t, ST_PLAIN, "%.1f us", cli_num(l, keys[k]) / 1e3);
		table_cell(t, ST_PLAIN, "%s", num_count(new).s);
		if (new > 0 && hz > 0)
			table_cell(t, ST_PLAIN, "%.1f", growth(l, was, "upcall_cycles") / new / hz * 1e6);
		else
			table_cell(t, ST_PLAIN, "-");
		table_cell(t, ST_PLAIN, "%s", num_count(growth(l, was, "upcall_drops")).s);
		table_cell(t, ST_PLAIN, "%s", num_count(growth(l, was, "evicted")).s);
	}
	if (any)
		fputc('\n', o->f);
	table_print(t, o);
}

/* --- Receive queues ---------------------------------------------------------------------------------------- */

static const json_t *
same_queue(const json_t *list, const json_t *q)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
		if (!strcmp(cli_str(row, "port"), cli_str(q, "port")) && cli_num(row, "queue") == cli_num(q, "queue"))
			return row;
	return NULL;
}

static void
print_queues(struct out *o, const json_t *now, const json_t *before)
{
	static const struct col cols[] = {
		{ .header = "receive queue", .max = 18 }, { .header = "", .right = true }, { .header = "cpu", .right = true },
		{ .header = "load", .right = true }, { .header = "packets", .right = true },
		{ .header = "cycles/packet", .right = true }, { .header = "" },
	};
	const json_t *list = json_object_get(now, "queues"), *old = json_object_get(before, "queues");
	struct table *t;
	size_t i;
	json_t *q;

	if (!json_array_size(list)) {
		out_text(o, ST_PLAIN, "no receive queues\n");
		return;
	}
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, q) {
		const json_t *was = same_queue(old, q);
		double packets = growth(q, was, "packets"), busy = growth(q, was, "busy_cycles");

		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", cli_str(q, "port"));
		table_cell(t, ST_PLAIN, "%llu", (unsigned long long)cli_num(q, "queue"));
		table_cell(t, ST_PLAIN, "%llu", (unsigned long long)cli_num(q, "cpu"));
		table_cell(t, ST_PLAIN, "%s", num_percent(cli_num(q, "load_permille"), 1000).s);
		table_cell(t, ST_PLAIN, "%s", num_count(packets).s);
		table_cell(t, ST_PLAIN, "%s", packets > 0 ? num_count(busy / packets + .5).s : "-");
		table_cell(t, ST_PLAIN, "%s", json_is_true(json_object_get(q, "moving")) ? "moves" :
			   json_is_true(json_object_get(q, "pinned")) ? "pinned" : "");
	}
	table_print(t, o);
}

/* --- Memory ------------------------------------------------------------------------------------------------ */

static void
print_memory(struct out *o, const json_t *now)
{
	static const struct col cols[] = { { .header = "memory" }, { .header = "size", .right = true }, { .header = "" } };
	static const struct {
		const char *key, *name, *text;
	} more[] = {
		{ "mac_bytes", "MAC tables", "set aside, used as they fill" },
		{ "port_bytes", "per port and thread", "output buffers, counters, budgets; likewise" },
		{ "queue_bytes", "between threads", "requests, events, notes, packets for controllers" },
		{ "table_bytes", "tables of ports", "with those of receive queues and tags" },
	};
	const json_t *m = json_object_get(now, "memory");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));

	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "packet buffers");
	table_cell(t, ST_PLAIN, "%s", num_memory(cli_num(m, "mbuf_bytes")).s);
	table_cell(t, ST_PLAIN, "%s of %s in use", num_count(cli_num(m, "mbufs_in_use")).s, num_count(cli_num(m, "mbufs")).s);
	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "flow caches");
	table_cell(t, ST_PLAIN, "%s", num_memory(cli_num(m, "flow_bytes")).s);
	if (cli_num(m, "hint_bytes"))
		table_cell(t, ST_PLAIN, "of that %s of hints", num_memory(cli_num(m, "hint_bytes")).s);
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		if (!json_object_get(m, more[i].key))
			continue;
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", more[i].name);
		table_cell(t, ST_PLAIN, "%s", num_memory(cli_num(m, more[i].key)).s);
		table_cell(t, ST_PLAIN, "%s", more[i].text);
	}
	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "OpenFlow rules");
	table_cell(t, ST_PLAIN, "%s", num_memory(cli_num(m, "rule_bytes")).s);
	table_cell(t, ST_PLAIN, "rules %s, groups %s, meters %s", num_count(cli_num(m, "rules")).s,
		   num_count(cli_num(m, "groups")).s, num_count(cli_num(m, "meters")).s);
	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "resident");
	table_cell(t, ST_PLAIN, "%s", num_memory(cli_num(m, "resident_bytes")).s);
	table_cell(t, ST_PLAIN, json_is_true(json_object_get(m, "hugepages")) ? "hugepages beside it" : "no hugepages");
	table_print(t, o);
}

void
cli_print_stats(struct out *o, const json_t *now, const json_t *before)
{
	static const struct {
		const char *key;
		void (*print)(struct out *, const json_t *, const json_t *);
	} parts[] = {
		{ "ports", print_ports }, { "drops", print_drops }, { "cache", print_cache }, { "pmd", print_pmd },
		{ "queues", print_queues },
	};
	bool any = false;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!json_object_get(now, parts[i].key))
			continue;
		if (any)
			fputc('\n', o->f);
		parts[i].print(o, now, before);
		any = true;
	}
	if (!json_object_get(now, "memory"))
		return;
	if (any)
		fputc('\n', o->f);
	print_memory(o, now);
}
