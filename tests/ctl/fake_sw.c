/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for ctl/sw.c, the datapath and the bridges. */
#include "tests/ctl/fake_sw.h"
#include "ofproto/table.h"
#include "tests/ctl/fake_agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WAITING = 4096, MAX_MACS = 64, N_LCORES = 2 };

struct waiting {
	void (*done_rc)(void *, int);
	void (*done)(void *);
	void (*flows)(void *, const struct dp_flow *, unsigned, uint32_t);
	void *arg;
	unsigned lcore, max;
	uint32_t from;
};

struct sw {
	struct of_agent *agent;
	struct of_pipe *pipe;           /* A real one: that of every bridge. */
	json_t *doc;
	uint64_t generation;
	unsigned n_waiting, n_flows, n_macs, n_states;
	struct waiting waiting[MAX_WAITING];
	struct ofp_mac macs[MAX_MACS];
	struct port port;
	struct port_type port_type;
	char name[32];
};

/* The parts of the switch find their whole again: there is one. */
static struct sw *
whole(const void *part)
{
	return (struct sw *)(uintptr_t)part;
}

static void
sink_defer(void *arg UNUSED, void (*fn)(void *), void *obj)
{
	fn(obj);
}

static void
sink_nothing(void *arg UNUSED)
{
}

static void
mark(void *arg UNUSED, dp_tag tag UNUSED)
{
}

struct sw *
fake_sw_create(void)
{
	static const struct ofp_sink sink = { .defer = sink_defer, .dirty = sink_nothing };
	struct sw *sw = xcalloc(1, sizeof *sw);

	sw->generation = 1;
	sw->doc = json_pack("{s:i, s:{}}", "version", 1, "bridges");
	sw->port_type.name = "vhost-user";
	sw->agent = of_agent_create(NULL, NULL, NULL);
	sw->pipe = of_pipe_create(0, &sink, mark, NULL);
	return sw;
}

void
fake_sw_destroy(struct sw *sw)
{
	of_agent_destroy(sw->agent);
	of_pipe_destroy(sw->pipe);
	json_decref(sw->doc);
	free(sw);
}

void
fake_sw_set_flows(struct sw *sw, unsigned n)
{
	sw->n_flows = n;
}

unsigned
fake_sw_states(const struct sw *sw)
{
	return sw->n_states;
}

void
fake_sw_set_macs(struct sw *sw, unsigned n)
{
	for (sw->n_macs = 0; sw->n_macs < n && sw->n_macs < MAX_MACS; sw->n_macs++)
		sw->macs[sw->n_macs] = (struct ofp_mac){ .mac = { { 0x52, 0x54, 0, 0, 0, (uint8_t)sw->n_macs } },
							 .vid = 10, .port = 1, .tun_dst = 3 };
}

unsigned
fake_sw_waiting(const struct sw *sw)
{
	return sw->n_waiting;
}

static void
give_flows(struct sw *sw, const struct waiting *w)
{
	struct dp_flow *flows = xalloc_aligned(64, w->max * sizeof *flows);
	unsigned n = 0;
	uint32_t slot;

	for (slot = w->from; slot < sw->n_flows && n < w->max; slot++) {
		struct dp_flow *f = &flows[n++];

		f->key.in_port = 1 + slot % 2;
		f->mask.in_port = 0xffff;
		f->id = slot;
		f->packets = slot;
		f->key.dl_dst.b[5] = 7;
		f->key.vlan[0].tci = be16(10);
		f->tags[0] = dp_tag_make(TAG_BRIDGE, 0);
		f->tags[1] = dp_tag_make(TAG_PORT, 1);
		f->tags[2] = ofp_mac_tag(0, 10, f->key.dl_dst);
		f->tags[3] = dp_tag_make(TAG_NEXTHOP, 3);
		f->tags[4] = of_tag_table(0, 3);
		f->tags[5] = of_tag_group(0, 7);
		f->tags[6] = of_tag_tables(0);
		f->n_tags = 7;
		f->n_acts = 20;
	}
	w->flows(w->arg, flows, n, slot < sw->n_flows ? slot : 0);
	free(flows);
}

unsigned
fake_sw_run(struct sw *sw)
{
	unsigned n = sw->n_waiting;
	struct waiting *w = xcalloc(n, sizeof *w);

	memcpy(w, sw->waiting, n * sizeof *w);
	sw->n_waiting = 0;
	for (unsigned i = 0; i < n; i++) {
		if (w[i].done_rc)
			w[i].done_rc(w[i].arg, 0);
		else if (w[i].done)
			w[i].done(w[i].arg);
		else
			give_flows(sw, &w[i]);
	}
	free(w);
	return n;
}

static int
wait_for(struct sw *sw, const struct waiting *w)
{
	if (sw->n_waiting == MAX_WAITING)
		return -EBUSY;
	sw->waiting[sw->n_waiting++] = *w;
	return 0;
}

/* --- ctl/sw.h ------------------------------------------------------------------------------------------- */

const json_t *
sw_conf(const struct sw *sw)
{
	return sw->doc;
}

uint64_t
sw_generation(const struct sw *sw)
{
	return sw->generation;
}

int
sw_check(const json_t *doc, struct err *e)
{
	const char *bridge, *port;
	json_t *b, *p;

	if (!json_is_object(json_object_get(doc, "bridges")))
		return err_set(e, EINVAL, "bridges: must be an object");
	json_object_foreach(json_object_get(doc, "bridges"), bridge, b)
		json_object_foreach(json_object_get(b, "ports"), port, p) {
			if (!json_is_string(json_object_get(p, "type")))
				return err_set(e, EINVAL, "bridges.%.60s.ports.%.60s: 'type' is missing", bridge, port);
			if (json_object_get(p, "tagg"))
				return err_set(e, ENOENT, "bridges.%.60s.ports.%.60s: unknown option 'tagg': did you "
					       "mean 'tag'?", bridge, port);
		}
	return 0;
}

json_t *
sw_diff(const struct sw *sw, const json_t *doc, struct err *e)
{
	json_t *rows;

	if (sw_check(doc, e))
		return NULL;
	rows = json_array();
	if (!json_equal(sw->doc, doc))
		json_array_append_new(rows, json_pack("{s:s, s:s}", "op", "set", "path", "bridges"));
	return rows;
}

int
sw_apply(struct sw *sw, const json_t *doc, uint64_t expect, void (*done)(void *, int), void *arg, struct err *e)
{
	const struct waiting w = { .done_rc = done, .arg = arg };

	if (sw_check(doc, e))
		return -e->code;
	if (expect && expect != sw->generation)
		return err_set(e, EAGAIN, "the configuration was changed by someone else: it has generation %llu now",
			       (unsigned long long)sw->generation);
	if (wait_for(sw, &w))
		return err_set(e, EBUSY, "too many changes at once");
	json_decref(sw->doc);
	sw->doc = json_deep_copy(doc);
	sw->generation++;
	return 0;
}

struct found {
	const char *bridge, *port;
	uint16_t bridge_id;
};

/* Looks for a bridge or a port by name or number; its number, 0 when there is none. */
static uint16_t
find_port(const struct sw *sw, const char *name, uint16_t id, struct found *f)
{
	const char *bridge, *port;
	uint16_t n = 0, b_id = 0;
	json_t *b, *p;

	json_object_foreach(json_object_get(sw->doc, "bridges"), bridge, b) {
		json_object_foreach(json_object_get(b, "ports"), port, p) {
			n++;
			if (name ? !strcmp(name, port) : n == id) {
				*f = (struct found){ bridge, port, b_id };
				return n;
			}
		}
		b_id++;
	}
	return 0;
}

json_t *
sw_state(const struct sw *sw)
{
	json_t *bridges = json_array(), *state = json_object(), *b, *p;
	const char *bridge, *port;

	((struct sw *)(uintptr_t)sw)->n_states++;

	json_object_foreach(json_object_get(sw->doc, "bridges"), bridge, b) {
		json_t *ports = json_array(), *row = json_object();

		json_object_foreach(json_object_get(b, "ports"), port, p) {
			json_t *one = json_pack("{s:s, s:O?, s:b, s:s}", "name", port, "type",
						json_object_get(p, "type"), "up", 1, "vlan", "trunk");

			if (json_object_get(p, "vni"))
				json_object_set_new(one, "tunnel", json_pack("{s:[{s:s, s:i}]}", "remotes",
						    "remote", "172.16.0.2", "dst", 3));
			json_array_append_new(ports, one);
		}
		json_object_set_new(row, "name", json_string(bridge));
		json_object_set_new(row, "ports", ports);
		json_array_append_new(bridges, row);
	}
	json_object_set_new(state, "bridges", bridges);
	return state;
}

json_t *
sw_refused(const struct sw *sw)
{
	(void)sw;
	return json_pack("[{s:s, s:s, s:s, s:i, s:s, s:i}]", "reason", "tun-unknown-key", "type", "vxlan", "remote", "172.16.0.9",
			 "key", 5002, "underlay", "eth1", "packets", 7);
}

struct dp *
sw_dp(const struct sw *sw)
{
	return (struct dp *)(uintptr_t)sw;
}

struct ofp *
sw_ofp(const struct sw *sw)
{
	return (struct ofp *)(uintptr_t)sw;
}

struct of_agent *
sw_agent(const struct sw *sw)
{
	return sw->agent;
}

uint16_t
sw_port_id(const struct sw *sw, const char *port)
{
	struct found f;

	return find_port(sw, port, 0, &f);
}

bool
sw_bridge_id(const struct sw *sw, const char *bridge, uint16_t *id)
{
	const char *name;
	json_t *b;

	*id = 0;
	json_object_foreach(json_object_get(sw->doc, "bridges"), name, b) {
		if (!strcmp(name, bridge))
			return true;
		++*id;
	}
	return false;
}

const char *
sw_port_name(const struct sw *sw, uint16_t id)
{
	static char text[16];
	struct found f;

	if (find_port(sw, NULL, id, &f))
		return f.port;
	snprintf(text, sizeof text, "port %u", id);
	return text;
}

const char *
sw_bridge_name(const struct sw *sw, uint16_t id)
{
	const char *name;
	uint16_t n = 0;
	json_t *b;

	json_object_foreach(json_object_get(sw->doc, "bridges"), name, b)
		if (n++ == id)
			return name;
	return "none";
}

uint16_t
sw_port_bridge(const struct sw *sw, uint16_t port)
{
	struct found f = { 0 };

	find_port(sw, NULL, port, &f);
	return f.bridge_id;
}

/* --- datapath/dp.h -------------------------------------------------------------------------------------- */

unsigned
dp_n_lcores(const struct dp *dp UNUSED)
{
	return N_LCORES;
}

void
dp_lcore_stats(const struct dp *dp UNUSED, unsigned i, struct dp_lcore_stats *st)
{
	*st = (struct dp_lcore_stats){ .cpu = i + 1, .packets = 100, .hint_hits = 90, .mega_hits = 8, .upcalls = 2 };
}

uint64_t
dp_turn_quantile(const struct dp_lcore_stats *st UNUSED, unsigned permille)
{
	return permille;
}

unsigned
dp_rxqs(const struct dp *dp UNUSED, struct dp_rxq *out UNUSED, unsigned max UNUSED)
{
	return 0;
}

const char *
dp_isa_name(const struct dp *dp UNUSED)
{
	return "x86-64-v2";
}

const char *const *
dp_isa_names(void)
{
	static const char *const names[] = { "x86-64-v2", NULL };

	return names;
}

struct port *
dp_port(const struct dp *dp, uint16_t id)
{
	struct sw *sw = whole(dp);
	struct found f;

	if (!find_port(sw, NULL, id, &f))
		return NULL;
	sw->port = (struct port){ .type = &sw->port_type, .id = id };
	str_copy(sw->port.name, sizeof sw->port.name, f.port);
	return &sw->port;
}

void
dp_port_stats(const struct dp *dp UNUSED, uint16_t id, struct dp_port_stats *st)
{
	*st = (struct dp_port_stats){ .rx_packets = id, .rx_bytes = id * 64, .drops[DROP_VLAN] = 3 };
}

void
dp_mem_stats(const struct dp *dp UNUSED, struct dp_mem_stats *st)
{
	*st = (struct dp_mem_stats){ .mbufs = 1000, .mbufs_in_use = 10 };
}

void
dp_commit(struct dp *dp, void (*done)(void *), void *arg)
{
	const struct waiting w = { .done = done, .arg = arg };

	if (wait_for(whole(dp), &w))
		done(arg);
}

int
dp_flow_dump(struct dp *dp, unsigned lcore, uint32_t from, unsigned max,
	     void (*cb)(void *, const struct dp_flow *, unsigned, uint32_t), void *arg)
{
	const struct waiting w = { .flows = cb, .arg = arg, .lcore = lcore, .from = from, .max = max };

	return wait_for(whole(dp), &w);
}

void
dp_flow_flush(struct dp *dp)
{
	whole(dp)->n_flows = 0;
}

void
sw_commit(struct sw *sw, void (*done)(void *), void *arg)
{
	bool bits;

	of_pipe_publish(sw->pipe, &bits);
	dp_commit(sw_dp(sw), done, arg);
}

void
dp_fold(struct dp *dp, void (*done)(void *), void *arg)
{
	dp_commit(dp, done, arg);
}

/* --- ofproto/ofp.h -------------------------------------------------------------------------------------- */

void
ofp_commit(struct ofp *ofp UNUSED)
{
}

dp_tag
ofp_mac_tag(uint16_t bridge, uint16_t vid, struct mac mac)
{
	return dp_tag_make(TAG_MAC, bridge * 31 + vid * 7 + mac.b[5]);
}

void
ofp_mac_each(const struct ofp *ofp, uint16_t bridge UNUSED, void (*cb)(void *, const struct ofp_mac *), void *arg)
{
	for (unsigned i = 0; i < whole(ofp)->n_macs; i++)
		cb(arg, &whole(ofp)->macs[i]);
}

uint64_t
ofp_mac_bytes(const struct ofp *ofp UNUSED, uint16_t bridge UNUSED)
{
	return 3200;
}

void
ofp_mac_stats(const struct ofp *ofp, uint16_t bridge UNUSED, struct ofp_mac_stats *st)
{
	*st = (struct ofp_mac_stats){ .n = whole(ofp)->n_macs, .limit = MAX_MACS };
}

unsigned
ofp_mac_flush(struct ofp *ofp, uint16_t bridge UNUSED, uint16_t port UNUSED, int vid UNUSED)
{
	unsigned n = whole(ofp)->n_macs;

	whole(ofp)->n_macs = 0;
	return n;
}

int
ofp_mac_del(struct ofp *ofp, uint16_t bridge UNUSED, uint16_t vid UNUSED, struct mac mac UNUSED, struct err *e)
{
	if (!whole(ofp)->n_macs)
		return err_set(e, ENOENT, "no such address");
	whole(ofp)->n_macs--;
	return 0;
}

struct of_pipe *
ofp_pipe(const struct ofp *ofp, uint16_t bridge UNUSED)
{
	return whole(ofp)->pipe;
}

uint32_t
ofp_port_no(const struct ofp *ofp UNUSED, uint16_t port)
{
	return port;
}

uint16_t
ofp_port_by_no(const struct ofp *ofp, uint16_t bridge, uint32_t port_no)
{
	struct found f;

	return port_no && port_no < 1000 && find_port(whole(ofp), NULL, (uint16_t)port_no, &f) && f.bridge_id == bridge ?
	       (uint16_t)port_no : 0;
}

/* The key of every traced packet is that of the cached flows from port 1. */
char *
ofp_trace(const struct ofp *ofp UNUSED, uint16_t bridge, const struct oflow *flow, const void *frame, uint32_t len,
	  struct flow_key *out_key, struct xlate_out *out UNUSED)
{
	char text[100];

	snprintf(text, sizeof text, "bridge %u in_port %u frame %s %u\n", bridge, host32(flow->in_port), frame ? "yes" : "no",
		 len);
	memset(out_key, 0, sizeof *out_key);
	out_key->in_port = (uint16_t)host32(flow->in_port);
	return xstrdup(text);
}
