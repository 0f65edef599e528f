/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on the cached flows.  A dump goes page by page, one polling thread after the other, so that
 * neither side ever holds a large cache at once; the cursor says "thread:slot". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/cmd_rules.h"
#include "ctl/sw.h"

enum { PAGE = 256, PAGE_MAX = 1024, TEXT_MAX = 4096 };

/* The groups of a bridge by their tags, found once for a page. */
struct groups {
	bool known;
	uint16_t bridge;
	uint32_t id[4096];              /* Of the low bits of a tag; OFG_ANY: none. */
};

struct dump {
	struct ctl_req *req;
	struct sw *sw;
	unsigned lcore, cpu;
	uint16_t port;                  /* 0: any. */
	bool by_bridge;
	uint16_t bridge;
	json_t *rows;
	json_t *state;                  /* Live state, fetched when a next hop is to be named. */
	struct groups *groups;          /* NULL: not asked yet. */
	char text[TEXT_MAX];
};

/* --- What a flow depends on ---------------------------------------------------------------------------- */

/* The address of a tunnel destination, or NULL. */
static const char *
remote_of(struct dump *d, uint16_t dst)
{
	json_t *b, *p, *rem;
	size_t i, j, k;

	if (!d->state)
		d->state = sw_state(d->sw);
	json_array_foreach(json_object_get(d->state, "bridges"), i, b)
		json_array_foreach(json_object_get(b, "ports"), j, p)
			json_array_foreach(json_object_get(json_object_get(p, "tunnel"), "remotes"), k, rem) {
				const json_t *n = json_object_get(rem, "dst");

				if (json_is_integer(n) && (json_integer_value(n) & 0xfff) == dst)
					return json_string_value(json_object_get(rem, "remote"));
			}
	return NULL;
}

/* The tag of a port's own VLAN, by the document; 0: none. */
static uint16_t
port_vlan(struct sw *sw, uint16_t bridge, uint16_t port)
{
	json_t *b = json_object_get(json_object_get(sw_conf(sw), "bridges"), sw_bridge_name(sw, bridge));
	json_t *p = json_object_get(json_object_get(b, "ports"), sw_port_name(sw, port));

	return json_integer_value(json_object_get(p, "tag"));
}

/* Whose MAC row the tag is: an address of the flow in one of the VLANs it can be in. */
static bool
mac_of(struct sw *sw, const struct dp_flow *f, dp_tag tag, uint16_t bridge, char *buf, size_t len)
{
	const struct mac macs[] = { f->key.dl_dst, f->key.dl_src };
	const uint16_t vids[] = {
		flow_vid(&f->key, 0), port_vlan(sw, bridge, f->key.in_port), 0,
	};
	char text[MAC_STR_LEN];

	for (unsigned m = 0; m < ARRAY_SIZE(macs); m++)
		for (unsigned v = 0; v < ARRAY_SIZE(vids); v++)
			if (ofp_mac_tag(bridge, vids[v], macs[m]) == tag) {
				snprintf(buf, len, "mac %u/%s", vids[v], mac_format(macs[m], text));
				return true;
			}
	return false;
}

static void
name_mac(struct sw *sw, const struct dp_flow *f, dp_tag tag, char *buf, size_t len)
{
	if (mac_of(sw, f, tag, sw_port_bridge(sw, f->key.in_port), buf, len))
		return;
	/* Behind a patch port the translation went on in other bridges. */
	for (unsigned i = 0; i < f->n_tags; i++)
		if (f->tags[i] >> 12 == TAG_BRIDGE && mac_of(sw, f, tag, f->tags[i] & 0xfff, buf, len))
			return;
	snprintf(buf, len, "a mac row");
}

static bool
add_group(void *arg, const struct of_group_row *row, const struct of_group_desc *desc UNUSED)
{
	struct groups *g = arg;

	g->id[of_tag_group(g->bridge, row->group_id) & 0xfff] = row->group_id;
	return true;
}

static uint32_t
group_of(struct dump *d, uint16_t bridge, dp_tag tag)
{
	struct of_pipe *pipe = ofp_pipe(sw_ofp(d->sw), bridge);

	if (!d->groups)
		d->groups = xcalloc(1, sizeof *d->groups);
	if (!d->groups->known || d->groups->bridge != bridge) {
		memset(d->groups->id, 0xff, sizeof d->groups->id);
		d->groups->known = true;
		d->groups->bridge = bridge;
		if (pipe)
			of_groups_each(pipe, OFG_ALL, add_group, d->groups);
	}
	return d->groups->id[tag & 0xfff];
}

/* What of a bridge's OpenFlow state the tag is: "table 3", "group 7". */
static bool
rule_tag_of(struct dump *d, dp_tag tag, uint16_t bridge, char *buf, size_t len)
{
	uint32_t group;

	if (tag >> 12 == TAG_RULE) {
		group = group_of(d, bridge, tag);
		snprintf(buf, len, "group %" PRIu32, group);
		return group != OFG_ANY;
	}
	snprintf(buf, len, "all tables");
	if (tag == of_tag_tables(bridge))
		return true;
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		if (tag == of_tag_table(bridge, (uint8_t)t)) {
			snprintf(buf, len, "table %u", t);
			return true;
		}
	return false;
}

static void
name_rule(struct dump *d, const struct dp_flow *f, dp_tag tag, char *buf, size_t len)
{
	char what[40];

	if (rule_tag_of(d, tag, sw_port_bridge(d->sw, f->key.in_port), buf, len))
		return;
	/* Behind a patch port. */
	for (unsigned i = 0; i < f->n_tags; i++)
		if (f->tags[i] >> 12 == TAG_BRIDGE && rule_tag_of(d, tag, f->tags[i] & 0xfff, what, sizeof what)) {
			snprintf(buf, len, "%s of %s", what, sw_bridge_name(d->sw, f->tags[i] & 0xfff));
			return;
		}
	snprintf(buf, len, tag >> 12 == TAG_RULE ? "a group" : "a table");
}

static void
name_tag(struct dump *d, const struct dp_flow *f, dp_tag tag, char *buf, size_t len)
{
	uint16_t n = tag & 0xfff;
	const char *remote;

	switch (tag >> 12) {
	case TAG_ALL:
		snprintf(buf, len, "everything");
		break;
	case TAG_BRIDGE:
		snprintf(buf, len, "bridge %s", sw_bridge_name(d->sw, n));
		break;
	case TAG_PORT:
		snprintf(buf, len, "port %s", sw_port_name(d->sw, n));
		break;
	case TAG_MAC:
		name_mac(d->sw, f, tag, buf, len);
		break;
	case TAG_NEXTHOP:
		remote = remote_of(d, n);
		if (remote)
			snprintf(buf, len, "next hop to %s", remote);
		else
			snprintf(buf, len, "next hop %u", n);
		break;
	case TAG_TABLE:
	case TAG_RULE:
		name_rule(d, f, tag, buf, len);
		break;
	default:
		snprintf(buf, len, "tag %04x", tag);
	}
}

static json_t *
depends(struct dump *d, const struct dp_flow *f)
{
	json_t *list = json_array();
	char buf[160];

	for (unsigned i = 0; i < f->n_tags && i < XLATE_MAX_TAGS; i++) {
		name_tag(d, f, f->tags[i], buf, sizeof buf);
		json_array_append_new(list, json_string(buf));
	}
	return list;
}

/* --- Pages --------------------------------------------------------------------------------------------- */

static const char *
port_name(void *arg, uint16_t id)
{
	struct dump *d = arg;

	return sw_port_name(d->sw, id);
}

/* "tun_push(vx0,dst=3)" becomes "tun_push(vx0,172.16.0.2)". */
static void
name_dsts(struct dump *d)
{
	static const char mark[] = "dst=";
	char *out = xcalloc(1, sizeof d->text);
	size_t n = 0;

	for (const char *s = d->text; *s && n < sizeof d->text - 1;) {
		const char *remote = NULL;
		char *end;

		if (!strncmp(s, mark, strlen(mark)) && s > d->text && s[-1] == ',') {
			unsigned long dst = strtoul(s + strlen(mark), &end, 10);

			remote = *end == ')' && dst < TUN_MAX_DST ? remote_of(d, dst) : NULL;
		}
		if (remote) {
			n += snprintf(out + n, sizeof d->text - n, "%s", remote);
			s = end;
		} else {
			out[n++] = *s++;
		}
	}
	str_copy(d->text, sizeof d->text, out);
	free(out);
}

static json_t *
row_of(struct dump *d, const struct dp_flow *f)
{
	unsigned shown = MIN_OF((unsigned)f->n_acts, (unsigned)ARRAY_SIZE(f->acts));
	json_t *row = json_object();
	size_t len;

	d->text[0] = '\0';
	flow_format(&f->key, &f->mask, port_name, d, d->text, sizeof d->text);
	ctl_set_str(row, "match", d->text);
	d->text[0] = '\0';
	act_format(f->acts, shown, port_name, d, d->text, sizeof d->text);
	name_dsts(d);
	len = strlen(d->text);
	if (shown < f->n_acts)
		snprintf(d->text + len, sizeof d->text - len, ",and %u more", f->n_acts - shown);
	ctl_set_str(row, "actions", d->text);
	if (f->drop > DROP_NONE && f->drop < DP_N_DROPS)
		ctl_set_str(row, "drop", dp_drop_info[f->drop].name);
	json_object_set_new(row, "stale", json_boolean(f->stale));
	ctl_set_num(row, "packets", f->packets);
	ctl_set_num(row, "bytes", f->bytes);
	ctl_set_num(row, "age_us", f->age_us);
	ctl_set_num(row, "idle_us", f->idle_us);
	ctl_set_num(row, "cpu", d->cpu);
	json_object_set_new(row, "depends", depends(d, f));
	return row;
}

json_t *
ctl_cached_flow(struct sw *sw, const struct dp_flow *f, unsigned cpu)
{
	struct dump d = { .sw = sw, .cpu = cpu };
	json_t *row = row_of(&d, f);

	json_decref(d.state);
	free(d.groups);
	return row;
}

static bool
selected(const struct dump *d, const struct dp_flow *f)
{
	if (d->port && f->key.in_port != d->port)
		return false;
	return !d->by_bridge || sw_port_bridge(d->sw, f->key.in_port) == d->bridge;
}

static void
on_page(void *arg, const struct dp_flow *flows, unsigned n, uint32_t next)
{
	struct dump *d = arg;
	json_t *result = json_object();
	char cursor[32];

	/* To describe flows takes the whole switch, which may be on its way out. */
	for (unsigned i = 0; i < n && !ctl_is_gone(d->req); i++)
		if (selected(d, &flows[i]))
			json_array_append_new(d->rows, row_of(d, &flows[i]));
	if (next)
		snprintf(cursor, sizeof cursor, "%u:%" PRIu32, d->lcore, next);
	else
		snprintf(cursor, sizeof cursor, "%u:0", d->lcore + 1);
	json_object_set_new(result, "flows", d->rows);
	if (next || d->lcore + 1 < dp_n_lcores(sw_dp(d->sw)))
		ctl_set_str(result, "cursor", cursor);
	else
		json_object_set_new(result, "cursor", json_null());
	ctl_reply(d->req, result);
	json_decref(d->state);
	free(d->groups);
	free(d);
}

/* "2:1024"; 0 or -EINVAL. */
static int
parse_cursor(const char *s, unsigned *lcore, uint32_t *slot)
{
	char end;

	if (strspn(s, "0123456789:") != strlen(s) || strlen(s) > 20)
		return -EINVAL;
	return sscanf(s, "%u:%" SCNu32 "%c", lcore, slot, &end) == 2 ? 0 : -EINVAL;
}

static void
flow_dump(struct ctl_req *r)
{
	const char *bridge = ctl_str(r, "bridge"), *port = ctl_str(r, "port"), *cursor = ctl_str(r, "cursor");
	struct dump sel = { .req = r, .sw = ctl_sw(r), .by_bridge = bridge != NULL }, *d;
	unsigned limit = ctl_num(r, "limit", PAGE);
	struct dp_lcore_stats st = { 0 };
	uint32_t slot = 0;
	int rc;

	if ((bridge && !ctl_need_bridge(r, bridge, &sel.bridge)) || (port && !ctl_need_port(r, port, &sel.port)))
		return;
	if (cursor && (parse_cursor(cursor, &sel.lcore, &slot) || sel.lcore >= dp_n_lcores(sw_dp(sel.sw)))) {
		ctl_refuse_fmt(r, "params.cursor", EINVAL, "cursor: not one that an answer gave");
		return;
	}
	dp_lcore_stats(sw_dp(sel.sw), sel.lcore, &st);
	sel.cpu = st.cpu;
	sel.rows = json_array();
	d = xcalloc(1, sizeof *d);
	*d = sel;
	rc = dp_flow_dump(sw_dp(d->sw), d->lcore, slot, limit ? limit : PAGE, on_page, d);
	if (rc) {
		ctl_refuse_fmt(r, NULL, -rc, "the polling thread cannot answer now: %s", strerror(-rc));
		json_decref(sel.rows);
		free(d);
	}
}

static void
flow_flush(struct ctl_req *r)
{
	dp_flow_flush(sw_dp(ctl_sw(r)));
	ctl_reply(r, json_object());
}

static const struct ctl_param dump_params[] = {
	{ .name = "bridge", .kind = CTL_STR, .help = "only flows that came in on this bridge" },
	{ .name = "port", .kind = CTL_STR, .help = "only flows that came in on this port" },
	{ .name = "limit", .kind = CTL_U32, .max = PAGE_MAX, .help = "flows looked at for one answer" },
	{ .name = "cursor", .kind = CTL_STR, .help = "where the answer before ended" },
	{ 0 }
};
static const struct ctl_param no_params[] = { { 0 } };

const struct ctl_method ctl_flow_methods[] = {
	{ "flow.dump", dump_params, flow_dump, "cached flows, in pages; a cursor in the answer leads to the next",
	  "{\"port\": \"vm1\", \"limit\": 100}" },
	{ "flow.flush", no_params, flow_flush, "forgets all cached flows; traffic brings them back", "{}" },
	{ 0 }
};
