/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the live state: the tree, and the lists. */
#include <string.h>

#include "ctl/cli.h"

enum { REMOTES_MOST = 70 };             /* Lines of one tunnel's remotes: all that can be configured. */
enum { NAME_SOFT = 18, VLAN_MAX = 22, ABOUT_LEAST = 48 };

static void
state_cell(struct table *t, bool up)
{
	table_cell(t, up ? ST_GOOD : ST_BAD, up ? "up" : "DOWN");
}

/* "vni 5000", "gre key 7". */
static void
key_text(const json_t *tunnel, char *buf, size_t len)
{
	const char *name = cli_str(tunnel, "key_name"), *word = cli_str(tunnel, "key");
	const char *flow = json_is_true(json_object_get(tunnel, "flow")) ? ", remote flow" : "";

	name = *name ? name : "key";
	if (cli_num(tunnel, "mapped_vlans"))
		snprintf(buf, len, "%s by VLAN (%llu)%s", name, (unsigned long long)cli_num(tunnel, "mapped_vlans"), flow);
	else if (*word)
		snprintf(buf, len, "%s %s%s", name, word, flow);
	else
		snprintf(buf, len, "%s %llu%s", name, (unsigned long long)cli_num(tunnel, "key"), flow);
}

/* What is worth knowing of a port: why it is down, or what it is. */
static void
about_cell(struct table *t, const json_t *p)
{
	const json_t *tunnel = json_object_get(p, "tunnel");
	bool up = json_is_true(json_object_get(p, "up"));
	const char *reason = cli_str(p, "reason"), *detail = cli_str(p, "detail");
	const char *prot = json_is_true(json_object_get(p, "protected")) ? "protected" : "";
	char key[64];

	/* A tunnel's remotes say it themselves. */
	if (!up && *reason && (!json_array_size(json_object_get(tunnel, "remotes")) ||
			       json_is_true(json_object_get(tunnel, "flow")))) {
		table_cell(t, ST_WARN, "%s", reason);
		return;
	}
	if (tunnel) {
		key_text(tunnel, key, sizeof key);
		detail = key;
	}
	table_cell(t, ST_PLAIN, "%s%s%s", detail, *detail && *prot ? ", " : "", prot);
}

/* --- Remotes of a tunnel ----------------------------------------------------------------------------------- */

static void
remote_text(const json_t *r, char *buf, size_t len)
{
	const char *via = cli_str(r, "via"), *hop = cli_str(r, "next_hop"), *mac = cli_str(r, "next_hop_mac");
	uint64_t max_frame = cli_num(r, "max_frame");
	char mtu[40] = "";

	/* Of several ways each has a line of its own. */
	if (json_object_get(r, "next_hops"))
		via = hop = mac = "";
	/* On the link itself: said once is enough. */
	if (!strcmp(hop, cli_str(r, "remote")))
		hop = "";
	/* What guests can send: the frame without its Ethernet header. */
	if (max_frame > 14)
		snprintf(mtu, sizeof mtu, "%smtu %llu", *via ? ", " : "", (unsigned long long)max_frame - 14);
	snprintf(buf, len, "%s%s%s%s%s%s%s%s", *via ? "via " : "", via, *hop ? ", next hop " : "", hop,
		 *mac ? " (" : "", mac, *mac ? ")" : "", mtu);
}

static void
remote_line(struct table *t, const json_t *r, int width, const char *prefix, const char *cont)
{
	const char *state = cli_str(r, "state"), *reason = cli_str(r, "reason");
	const json_t *bfd = json_object_get(r, "bfd");
	bool ready = !strcmp(state, "ready");
	char text[600];

	remote_text(r, text, sizeof text);
	if (ready && bfd && strcmp(cli_str(bfd, "state"), "up"))
		table_line(t, prefix, cont, ST_WARN, "%-*s  BFD %s  %s: %s", width, cli_str(r, "remote"), cli_str(bfd, "state"),
			   text, cli_str(bfd, "diag"));
	else if (ready)
		table_line(t, prefix, cont, *reason ? ST_WARN : ST_PLAIN, "%-*s  up  %s%s%s%s", width, cli_str(r, "remote"),
			   text, bfd ? ", BFD up" : "", *reason ? ": " : "", reason);
	else
		table_line(t, prefix, cont, ST_WARN, "%-*s  %s  %s", width, cli_str(r, "remote"),
			   !strcmp(state, "resolving") ? "resolving" : "DOWN", *reason ? reason : state);
}

/* Of a remote that is reached by several equal ways. */
static void
hop_lines(struct table *t, const json_t *r, int width, const char *cont)
{
	const json_t *hops = json_object_get(r, "next_hops");
	size_t i;
	json_t *h;

	json_array_foreach(hops, i, h) {
		const char *mac = cli_str(h, "next_hop_mac"), *state = cli_str(h, "state");
		bool ready = !strcmp(state, "ready");

		table_line(t, cont, cont, ready ? ST_PLAIN : ST_WARN, "%-*s    %s  via %s, next hop %s%s%s%s, weight %llu", width, "",
			   ready ? "up" : !strcmp(state, "resolving") ? state : "DOWN", cli_str(h, "via"),
			   cli_str(h, "next_hop"), *mac ? " (" : "", mac, *mac ? ")" : "",
			   (unsigned long long)cli_num(h, "weight"));
	}
}

static void
remote_lines(struct out *o, struct table *t, const json_t *tunnel, const char *bar)
{
	const struct branches *b = out_branches(o);
	const json_t *remotes = json_object_get(tunnel, "remotes");
	size_t i, n = json_array_size(remotes);
	int width = 0;
	json_t *r;

	json_array_foreach(remotes, i, r)
		width = MAX_OF(width, (int)strlen(cli_str(r, "remote")));
	json_array_foreach(remotes, i, r) {
		bool cut = i == REMOTES_MOST && n > REMOTES_MOST + 1, last = i + 1 == n || cut;
		char prefix[32], cont[32];

		snprintf(prefix, sizeof prefix, "%s%s", bar, last ? b->last : b->tee);
		snprintf(cont, sizeof cont, "%s%s", bar, last ? b->gap : b->bar);
		if (cut) {
			table_line(t, prefix, cont, ST_PLAIN, "and %zu more (--json shows them)", n - i);
			break;
		}
		remote_line(t, r, width, prefix, cont);
		hop_lines(t, r, width, cont);
	}
}

/* --- The tree ---------------------------------------------------------------------------------------------- */

/* By which OpenFlow knows the port. */
static const char *
port_number(char buf[24], const json_t *p)
{
	uint64_t no = cli_num(p, "of_port");

	snprintf(buf, 24, no == 0xfffffffe ? "LOCAL" : "%llu", (unsigned long long)no);
	return buf;
}

/* With 'numbers', a port's name is followed by its OpenFlow number. */
static void
port_rows(struct out *o, struct table *t, const json_t *ports, bool numbers)
{
	char no[24];

	const struct branches *b = out_branches(o);
	size_t i, n = json_array_size(ports);
	json_t *p;

	json_array_foreach(ports, i, p) {
		bool last = i + 1 == n;
		const char *bar = last ? b->gap : b->bar;

		table_row(t, last ? b->last : b->tee, bar);
		if (numbers)
			table_cell(t, ST_PLAIN, "%s (%s)", cli_str(p, "name"), port_number(no, p));
		else
			table_cell(t, ST_PLAIN, "%s", cli_str(p, "name"));
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "type"));
		state_cell(t, json_is_true(json_object_get(p, "up")));
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "vlan"));
		about_cell(t, p);
		remote_lines(o, t, json_object_get(p, "tunnel"), bar);
	}
}

/* More than a learning switch. */
static bool
is_controlled(const json_t *bridge)
{
	const json_t *of = json_object_get(bridge, "openflow");

	return cli_num(of, "controllers") || json_is_false(json_object_get(of, "learning_switch"));
}

/* Behind the bridge's name: "controllers 1/2, 27 rules".  Nothing of a learning switch. */
static void
bridge_line(struct out *o, struct table *t, const json_t *b)
{
	const json_t *macs = json_object_get(b, "macs"), *of = json_object_get(b, "openflow");
	uint64_t n = cli_num(of, "controllers"), up = cli_num(of, "connected"), rules = cli_num(of, "rules");
	const char *dot = out_dot(o);
	char text[200] = "";

	if (n)
		snprintf(text, sizeof text, " %s controllers %llu/%llu %s %s %s rule%s", dot, (unsigned long long)up,
			 (unsigned long long)n, cli_str(of, "fail_mode"), dot, num_count(rules).s, rules == 1 ? "" : "s");
	else if (is_controlled(b))
		snprintf(text, sizeof text, " %s %s rule%s", dot, num_count(rules).s, rules == 1 ? "" : "s");
	table_line(t, "", "  ", ST_BOLD, "%s   mac %llu/%llu%s", cli_str(b, "name"), (unsigned long long)cli_num(macs, "n"),
		   (unsigned long long)cli_num(macs, "limit"), text);
	if (n && !up)
		table_line(t, "  ", "  ", ST_WARN, "%s: %s%s", cli_str(of, "target"), cli_str(of, "reason"),
			   json_is_true(json_object_get(of, "failed_open")) ? "; a learning switch meanwhile" : "");
}

static void
header(struct out *o, const json_t *state)
{
	const json_t *lcores = json_object_get(state, "lcores");
	size_t n = json_array_size(json_object_get(state, "bridges")), n_lcores = json_array_size(lcores), i;
	char cpus[200] = "", text[600];
	const char *dot = out_dot(o);
	json_t *l;
	int at = 0;

	json_array_foreach(lcores, i, l)
		if ((size_t)at < sizeof cpus)
			at += snprintf(cpus + at, sizeof cpus - at, "%s%llu", i ? "," : "",
				       (unsigned long long)cli_num(l, "cpu"));
	snprintf(text, sizeof text, "weft %s %s %zu bridge%s %s %zu polling thread%s (cpu %s) %s up %s",
		 cli_str(state, "version"), dot, n, n == 1 ? "" : "s", dot, n_lcores, n_lcores == 1 ? "" : "s", cpus, dot,
		 num_seconds(cli_num(state, "uptime_s")).s);
	out_wrap(o, ST_DIM, 0, 2, text);
}

void
cli_print_show(struct out *o, const json_t *state)
{
	static const struct col cols[] = {
		{ .soft = NAME_SOFT }, { .header = NULL }, { .header = NULL }, { .max = VLAN_MAX },
		{ .least = ABOUT_LEAST },
	};
	const json_t *underlay = json_object_get(state, "underlay"), *bridges = json_object_get(state, "bridges");
	struct table *t = table_create(cols, ARRAY_SIZE(cols));
	size_t i;
	json_t *b;

	header(o, state);
	json_array_foreach(bridges, i, b) {
		bridge_line(o, t, b);
		port_rows(o, t, json_object_get(b, "ports"), is_controlled(b));
	}
	if (json_array_size(underlay)) {
		table_line(t, "", "  ", ST_BOLD, "underlay");
		port_rows(o, t, underlay, false);
	}
	table_print(t, o);
	if (!json_array_size(bridges))
		out_text(o, ST_PLAIN, "no bridges yet; add one with: weftctl bridge add br0\n");
}

/* --- Lists ------------------------------------------------------------------------------------------------- */

/* "nothing" is worth a word, or the table would be a lonely header. */
static bool
is_empty(struct out *o, const json_t *list, const char *what)
{
	if (json_array_size(list))
		return false;
	out_text(o, ST_PLAIN, "no %s\n", what);
	return true;
}

void
cli_print_bridges(struct out *o, const json_t *result)
{
	static const struct col cols[] = {
		{ .header = "bridge" }, { .header = "ports", .right = true },
		{ .header = "addresses", .right = true }, { .header = "limit", .right = true },
		{ .header = "hardware address" },
	};
	const json_t *list = json_object_get(result, "bridges");
	struct table *t;
	size_t i;
	json_t *b;

	if (is_empty(o, list, "bridges"))
		return;
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, b) {
		const json_t *macs = json_object_get(b, "macs");

		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", cli_str(b, "name"));
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(b, "n_ports")).s);
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(macs, "n")).s);
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(macs, "limit")).s);
		table_cell(t, ST_PLAIN, "%s", cli_str(b, "hwaddr"));
	}
	table_print(t, o);
}

/* What the lists of ports and of tunnels say alike. */
static void
port_cells(struct table *t, const json_t *p, bool numbers)
{
	char no[24];

	table_row(t, "", "");
	table_cell(t, ST_PLAIN, "%s", cli_str(p, "name"));
	table_cell(t, ST_PLAIN, "%s", cli_str(p, "bridge"));
	if (numbers)
		table_cell(t, ST_PLAIN, "%s", port_number(no, p));
	table_cell(t, ST_PLAIN, "%s", cli_str(p, "type"));
	state_cell(t, json_is_true(json_object_get(p, "up")));
	table_cell(t, ST_PLAIN, "%s", cli_str(p, "vlan"));
}

void
cli_print_ports(struct out *o, const json_t *result)
{
	static const struct col cols[] = {
		{ .header = "port", .soft = NAME_SOFT }, { .header = "bridge", .max = 14 }, { .header = "no", .right = true },
		{ .header = "type" }, { .header = "state" },
		{ .header = "vlan", .max = 18 }, { .header = "about", .least = ABOUT_LEAST },
	};
	const json_t *list = json_object_get(result, "ports");
	struct table *t;
	size_t i;
	json_t *p;

	if (is_empty(o, list, "ports"))
		return;
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, p) {
		port_cells(t, p, true);
		about_cell(t, p);
	}
	table_print(t, o);
}

void
cli_print_tunnels(struct out *o, const json_t *result)
{
	static const struct col cols[] = {
		{ .header = "tunnel", .soft = NAME_SOFT }, { .header = "bridge", .max = 14 },
		{ .header = "type" }, { .header = "state" },
		{ .header = "vlan", .max = 18 }, { .header = "key" },
	};
	const json_t *list = json_object_get(result, "tunnels");
	struct table *t;
	size_t i;
	json_t *p;

	if (is_empty(o, list, "tunnels"))
		return;
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, p) {
		const json_t *tunnel = json_object_get(p, "tunnel");
		char key[64];

		key_text(tunnel, key, sizeof key);
		port_cells(t, p, false);
		table_cell(t, ST_PLAIN, "%s", key);
		remote_lines(o, t, tunnel, "");
	}
	table_print(t, o);
}

/* "vxlan 5002", "gre, many keys". */
static void
refused_key(const json_t *r, char *buf, size_t len)
{
	const char *type = cli_str(r, "type");

	if (json_is_true(json_object_get(r, "many_keys")))
		snprintf(buf, len, "%.20s%smany keys", type, *type ? ", " : "");
	else if (json_object_get(r, "key"))
		snprintf(buf, len, "%.20s%s%llu", type, *type ? " " : "", (unsigned long long)cli_num(r, "key"));
	else
		snprintf(buf, len, "%.20s", type);
}

void
cli_print_refused(struct out *o, const json_t *result)
{
	static const struct col cols[] = {
		{ .header = "remote", .soft = 15 }, { .header = "key", .soft = 12 }, { .header = "port", .max = 10 },
		{ .header = "packets", .right = true }, { .header = "reason, and when" },
	};
	const json_t *list = json_object_get(result, "refused");
	struct table *t;
	size_t i;
	json_t *r;

	if (!json_array_size(list)) {
		out_text(o, ST_PLAIN, "no tunnel packet was refused\n");
		return;
	}
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, r) {
		const char *port = cli_str(r, "port"), *underlay = cli_str(r, "underlay");
		uint64_t first = cli_num(r, "first_ms_ago") / 1000, last = cli_num(r, "last_ms_ago") / 1000;
		char key[64];

		refused_key(r, key, sizeof key);
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", json_is_true(json_object_get(r, "many_remotes")) ? "many" : cli_str(r, "remote"));
		table_cell(t, ST_PLAIN, "%s", key);
		table_cell(t, ST_PLAIN, "%s", *port ? port : underlay);
		table_cell(t, ST_PLAIN, "%s", num_count(cli_num(r, "packets")).s);
		if (first > last)
			table_cell(t, ST_PLAIN, "%s, %s to %s ago", cli_str(r, "reason"), num_seconds(first).s,
				   num_seconds(last).s);
		else
			table_cell(t, ST_PLAIN, "%s, %s ago", cli_str(r, "reason"), num_seconds(last).s);
	}
	table_print(t, o);
}

void
cli_print_vlans(struct out *o, const json_t *result)
{
	static const struct col cols[] = {
		{ .header = "port" }, { .header = "bridge" }, { .header = "vlans" },
	};
	const json_t *list = json_object_get(result, "ports");
	struct table *t;
	size_t i;
	json_t *p;

	if (is_empty(o, list, "ports"))
		return;
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, p) {
		table_row(t, "", "");
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "name"));
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "bridge"));
		table_cell(t, ST_PLAIN, "%s", cli_str(p, "vlan"));
	}
	table_print(t, o);
}

void
cli_print_version(struct out *o, const json_t *v)
{
	char text[600];

	fprintf(o->f, "weftctl %s\n", WEFT_VERSION);
	if (!v)
		return;
	snprintf(text, sizeof text, "weftd   %s (%s, packet path for %s, pid %llu, up %s)", cli_str(v, "version"),
		 cli_str(v, "dpdk"), cli_str(v, "isa"), (unsigned long long)cli_num(v, "pid"),
		 num_seconds(cli_num(v, "uptime_s")).s);
	out_wrap(o, ST_PLAIN, 0, 8, text);
}
