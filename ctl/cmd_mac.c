/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on the MAC tables of bridges. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/conf.h"
#include "ctl/sw.h"

enum { PAGE = 2048, PAGE_MAX = 16384 };

/* --- mac.show ------------------------------------------------------------------------------------------ */

/* One page of rows after 'from'. */
struct page {
	const struct sw *sw;
	json_t *rows;
	uint16_t port;                  /* 0: any. */
	int vid;                        /* -1: any. */
	size_t limit;
	uint64_t from;                  /* Order of the last row of the page before. */
	uint64_t last;                  /* Of the last row here. */
	bool more;
};

/* Rows come in order of VLAN and address; this is that order as a number, never 0. */
static uint64_t
order_of(const struct ofp_mac *m)
{
	return ((uint64_t)m->vid << 48 | mac_u64(m->mac)) + 1;
}

static void
add_row(void *arg, const struct ofp_mac *m)
{
	struct page *p = arg;
	char text[MAC_STR_LEN];
	json_t *row;

	if (order_of(m) <= p->from || (p->port && m->port != p->port) || (p->vid >= 0 && m->vid != p->vid))
		return;
	if (json_array_size(p->rows) == p->limit) {
		p->more = true;
		return;
	}
	p->last = order_of(m);
	row = json_object();
	ctl_set_num(row, "vlan", m->vid);
	ctl_set_str(row, "mac", mac_format(m->mac, text));
	ctl_set_str(row, "port", sw_port_name(p->sw, m->port));
	json_object_set_new(row, "static", json_boolean(m->is_static));
	ctl_set_num(row, "age_s", m->age_s);
	ctl_set_num(row, "moves", m->moves);
	ctl_set_num(row, "tun_dst", m->tun_dst);
	json_array_append_new(p->rows, row);
}

/* Rows behind a tunnel say which remote; the destinations are known to the live state only. */
static void
name_remotes(struct page *p)
{
	json_t *state = NULL, *row, *b, *port, *rem;
	size_t i, j, k, l;

	json_array_foreach(p->rows, i, row) {
		json_int_t dst = json_integer_value(json_object_get(row, "tun_dst"));
		const char *name = json_string_value(json_object_get(row, "port"));

		json_object_del(row, "tun_dst");
		if (!dst || !name)
			continue;
		if (!state)
			state = sw_state(p->sw);
		json_array_foreach(json_object_get(state, "bridges"), j, b)
			json_array_foreach(json_object_get(b, "ports"), k, port)
				json_array_foreach(json_object_get(json_object_get(port, "tunnel"), "remotes"), l, rem)
					if (json_integer_value(json_object_get(rem, "dst")) == dst)
						json_object_set(row, "remote", json_object_get(rem, "remote"));
	}
	json_decref(state);
}

static json_t *
stats_of(const struct ofp *ofp, uint16_t bridge)
{
	struct ofp_mac_stats st = { 0 };
	json_t *obj = json_object();

	ofp_mac_stats(ofp, bridge, &st);
	ctl_set_num(obj, "n", st.n);
	ctl_set_num(obj, "n_static", st.n_static);
	ctl_set_num(obj, "limit", st.limit);
	ctl_set_num(obj, "learned", st.learned);
	ctl_set_num(obj, "moved", st.moved);
	ctl_set_num(obj, "aged", st.aged);
	ctl_set_num(obj, "flushed", st.flushed);
	ctl_set_num(obj, "refused", st.refused);
	return obj;
}

static void
mac_show(struct ctl_req *r)
{
	struct page p = {
		.sw = ctl_sw(r),
		.vid = ctl_param(r, "vlan") ? (int)ctl_num(r, "vlan", 0) : -1,
		.limit = ctl_num(r, "limit", PAGE),
		.from = ctl_num(r, "cursor", 0),
	};
	struct ofp *ofp = sw_ofp(ctl_sw(r));
	json_t *result;
	uint16_t bridge;

	if (!ctl_need_bridge(r, ctl_str(r, "bridge"), &bridge) ||
	    (ctl_str(r, "port") && !ctl_need_port(r, ctl_str(r, "port"), &p.port)))
		return;
	p.limit = p.limit ? p.limit : PAGE;
	p.rows = json_array();
	ofp_mac_each(ofp, bridge, add_row, &p);
	name_remotes(&p);
	result = json_object();
	json_object_set(result, "bridge", (json_t *)ctl_param(r, "bridge"));
	json_object_set_new(result, "macs", p.rows);
	json_object_set_new(result, "cursor", p.more ? json_integer((json_int_t)p.last) : json_null());
	json_object_set_new(result, "table", stats_of(ofp, bridge));
	ctl_reply(r, result);
}

/* --- Changes ------------------------------------------------------------------------------------------- */

struct change {
	struct ctl_req *req;
	json_t *result;
};

static void
on_effective(void *arg)
{
	struct change *c = arg;

	ctl_reply(c->req, c->result);
	free(c);
}

/* Publishes the tables and answers when no packet follows the old ones.  Takes 'result'. */
static void
commit(struct ctl_req *r, json_t *result)
{
	struct change *c = xcalloc(1, sizeof *c);

	c->req = r;
	c->result = result;
	ofp_commit(sw_ofp(ctl_sw(r)));
	dp_commit(sw_dp(ctl_sw(r)), on_effective, c);
}

static void
mac_flush(struct ctl_req *r)
{
	int vid = ctl_param(r, "vlan") ? (int)ctl_num(r, "vlan", 0) : -1;
	uint16_t bridge, port = 0;
	json_t *result;

	if (!ctl_need_bridge(r, ctl_str(r, "bridge"), &bridge) ||
	    (ctl_str(r, "port") && !ctl_need_port(r, ctl_str(r, "port"), &port)))
		return;
	result = json_object();
	ctl_set_num(result, "flushed", ofp_mac_flush(sw_ofp(ctl_sw(r)), bridge, port, vid));
	commit(r, result);
}

/* --- Static addresses: part of the document ------------------------------------------------------------ */

static struct conf_mac
mac_of(struct ctl_req *r)
{
	return (struct conf_mac){ .vid = ctl_num(r, "vlan", 0), .mac = ctl_mac(r, "mac") };
}

static json_t *
ports_of(const json_t *doc, struct ctl_req *r)
{
	return json_object_get(json_object_get(json_object_get(doc, "bridges"), ctl_str(r, "bridge")), "ports");
}

/* Index of a text in a list, -1: not there. */
static int
index_of(const json_t *list, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), text))
			return (int)i;
	return -1;
}

/* The port of 'ports' that has the address, NULL: none. */
static const char *
holder(const json_t *ports, const char *text)
{
	const char *name;
	json_t *port;

	json_object_foreach((json_t *)ports, name, port)
		if (index_of(json_object_get(port, "static-macs"), text) >= 0)
			return name;
	return NULL;
}

static void
apply_to_port(struct ctl_req *r, json_t *doc, const char *port)
{
	char path[600];

	snprintf(path, sizeof path, "bridges.%s.ports.%s", ctl_str(r, "bridge"), port);
	ctl_apply(r, doc, path);
}

static void
mac_add(struct ctl_req *r)
{
	const char *bridge_name = ctl_str(r, "bridge"), *port_name = ctl_str(r, "port"), *other;
	const struct conf_mac mac = mac_of(r);
	char text[CONF_MAC_LEN];
	json_t *doc, *port, *list;
	uint16_t bridge, id;

	if (!ctl_need_bridge(r, bridge_name, &bridge) || !ctl_need_port(r, port_name, &id))
		return;
	doc = ctl_draft(r);
	port = json_object_get(ports_of(doc, r), port_name);
	other = holder(ports_of(doc, r), conf_mac_format(&mac, text));
	if (!port || (other && strcmp(other, port_name))) {
		if (!port)
			ctl_refuse_fmt(r, NULL, EINVAL, "port '%s' is not in bridge %s", port_name, bridge_name);
		else
			ctl_refuse_fmt(r, NULL, EEXIST, "%s is a static address of port %s: remove it there first", text,
				       other);
		json_decref(doc);
		return;
	}
	list = json_object_get(port, "static-macs");
	if (!list) {
		list = json_array();
		json_object_set_new(port, "static-macs", list);
	}
	if (!other)
		json_array_append_new(list, json_string(text));
	apply_to_port(r, doc, port_name);
}

static void
forget(struct ctl_req *r, uint16_t bridge, const struct conf_mac *mac)
{
	struct err e = { 0 };

	if (ofp_mac_del(sw_ofp(ctl_sw(r)), bridge, mac->vid, mac->mac, &e))
		ctl_refuse(r, NULL, &e);
	else
		commit(r, json_object());
}

/* A learned address is in the table only. */
static void
mac_del(struct ctl_req *r)
{
	const struct conf_mac mac = mac_of(r);
	char text[CONF_MAC_LEN];
	json_t *doc, *list;
	uint16_t bridge;
	const char *port;

	if (!ctl_need_bridge(r, ctl_str(r, "bridge"), &bridge))
		return;
	port = holder(ports_of(sw_conf(ctl_sw(r)), r), conf_mac_format(&mac, text));
	if (!port) {
		forget(r, bridge, &mac);
		return;
	}
	doc = ctl_draft(r);
	list = json_object_get(json_object_get(ports_of(doc, r), port), "static-macs");
	json_array_remove(list, index_of(list, text));
	apply_to_port(r, doc, port);
}

#define BRIDGE { .name = "bridge", .kind = CTL_STR, .required = true, .help = "name of a bridge" }
#define MAC { .name = "mac", .kind = CTL_MAC, .required = true, .help = "an address" }
#define VLAN { .name = "vlan", .kind = CTL_U32, .max = 4094, .help = "a VLAN, 0 for untagged" }

static const struct ctl_param show_params[] = {
	BRIDGE,
	{ .name = "port", .kind = CTL_STR, .help = "only rows of this port" },
	VLAN,
	{ .name = "limit", .kind = CTL_U32, .max = PAGE_MAX, .help = "rows in one answer" },
	{ .name = "cursor", .kind = CTL_U64, .help = "where the answer before ended" },
	{ 0 }
};
static const struct ctl_param flush_params[] = {
	BRIDGE,
	{ .name = "port", .kind = CTL_STR, .help = "only rows of this port" },
	VLAN, { 0 }
};
static const struct ctl_param add_params[] = {
	BRIDGE, MAC,
	{ .name = "port", .kind = CTL_STR, .required = true, .help = "the port it is behind" },
	VLAN, CTL_GENERATION_PARAM, { 0 }
};
static const struct ctl_param del_params[] = { BRIDGE, MAC, VLAN, CTL_GENERATION_PARAM, { 0 } };

const struct ctl_method ctl_mac_methods[] = {
	{ "mac.show", show_params, mac_show, "the MAC table of a bridge, in pages", "{\"bridge\": \"br0\"}" },
	{ "mac.flush", flush_params, mac_flush, "forgets learned addresses", "{\"bridge\": \"br0\", \"port\": \"vm1\"}" },
	{ "mac.add", add_params, mac_add, "adds a static address to the configuration",
	  "{\"bridge\": \"br0\", \"mac\": \"52:54:00:00:00:01\", \"port\": \"vm1\", \"vlan\": 10}" },
	{ "mac.del", del_params, mac_del, "removes a static or learned address",
	  "{\"bridge\": \"br0\", \"mac\": \"52:54:00:00:00:01\", \"vlan\": 10}" },
	{ 0 }
};
