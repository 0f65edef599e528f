/* SPDX-License-Identifier: Apache-2.0 */
/* The switch from start to end, and what it does when something happens to it: a frame teaches an
 * address, a link changes, the kernel's routes change, a second passes. */
#include "ctl/sw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "ctl/refused.h"
#include "ctl/store.h"
#include "ctl/sw_priv.h"
#include "ofproto/table.h"

/* --- Lookups ----------------------------------------------------------------------------------- */

struct sw_port **
sw_name_bucket(struct sw *sw, const char *name)
{
	return &sw->by_name[hash_bytes(name, strlen(name), sw->seed) % SW_NAME_BUCKETS];
}

struct sw_port *
sw_find_port(const struct sw *sw, const char *name)
{
	struct sw_port *p = *sw_name_bucket((struct sw *)sw, name);

	while (p && (p->implicit || strcmp(p->name, name)))
		p = p->next_name;
	return p;
}

struct sw_bridge *
sw_find_bridge(const struct sw *sw, const char *name)
{
	for (struct sw_bridge *b = sw->bridges; b; b = b->next)
		if (!strcmp(b->name, name))
			return b;
	return NULL;
}

const json_t *
sw_conf(const struct sw *sw)
{
	return sw->conf->doc;
}

uint64_t
sw_generation(const struct sw *sw)
{
	return sw->generation;
}

struct dp *
sw_dp(const struct sw *sw)
{
	return sw->dp;
}

struct ofp *
sw_ofp(const struct sw *sw)
{
	return sw->ofp;
}

uint16_t
sw_port_id(const struct sw *sw, const char *name)
{
	const struct sw_port *p = sw_find_port(sw, name);

	if (p)
		return p->id;
	/* Those of the underlay have names too. */
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (sw->port[i] && !strcmp(sw->port[i]->name, name))
			return (uint16_t)i;
	return 0;
}

bool
sw_bridge_id(const struct sw *sw, const char *name, uint16_t *id)
{
	const struct sw_bridge *b = sw_find_bridge(sw, name);

	if (b && id)
		*id = b->id;
	return b != NULL;
}

const char *
sw_port_name(const struct sw *sw, uint16_t id)
{
	char *buf = ((struct sw *)sw)->names[0];

	if (id < DP_MAX_PORTS && sw->port[id])
		return sw->port[id]->name;
	snprintf(buf, sizeof sw->names[0], "port %u", id);
	return buf;
}

const char *
sw_bridge_name(const struct sw *sw, uint16_t id)
{
	char *buf = ((struct sw *)sw)->names[1];

	for (const struct sw_bridge *b = sw->bridges; b; b = b->next)
		if (b->id == id)
			return b->name;
	snprintf(buf, sizeof sw->names[1], "bridge %u", id);
	return buf;
}

uint16_t
sw_port_bridge(const struct sw *sw, uint16_t id)
{
	const struct sw_port *p = id < DP_MAX_PORTS ? sw->port[id] : NULL;

	return p && p->bridge ? p->bridge->id : 0;
}

/* --- Links ------------------------------------------------------------------------------------- */

static void
present_link(struct sw *sw, struct sw_port *p, struct port_link *l)
{
	memset(l, 0, sizeof *l);
	if (!p->dp) {
		/* Why it is not open does not change by looking. */
		str_copy(l->reason, sizeof l->reason, p->wait_seq ? "being opened again" : p->link.reason);
		return;
	}
	p->type->link(p->dp, l);
	if (p->kind == OFP_PORT_PATCH)
		sw_patch_link(sw, p, l);
}

void
sw_port_refresh(struct sw *sw, struct sw_port *p)
{
	struct port_link l;
	bool turned, told, moved;

	present_link(sw, p, &l);
	turned = !p->seen || l.up != p->link.up;
	told = turned || strcmp(l.reason, p->link.reason);
	moved = !mac_equal(l.mac, p->link.mac);
	p->link = l;
	p->seen = true;
	/* A tunnel is up as long as it is configured: what its remotes are doing is the underlay's to say. */
	if (turned && p->bridge && p->kind != OFP_PORT_TUNNEL) {
		ofp_port_set_up(sw->ofp, p->id, l.up);
		sw->dirty = true;
	}
	if (turned || moved)
		sw_of_port_changed(sw, p);
	if (!told || p->kind == OFP_PORT_TUNNEL || p->wait_seq)
		return;
	if (l.up)
		log_info("port %s: up%s%s", p->name, *l.detail ? ": " : "", l.detail);
	else
		log_info("port %s: down: %s", p->name, *l.reason ? l.reason : "no reason known");
}

/* --- What the datapath reports ----------------------------------------------------------------- */

static void
on_learn(void *arg, const struct xlate_learn *l)
{
	struct sw *sw = arg;

	ofp_learn(sw->ofp, l);
	/* One commit for all that a dp_poll() brings. */
	sw->dirty = true;
}

static void
on_port_changed(void *arg, uint16_t id)
{
	struct sw *sw = arg;

	if (id < DP_MAX_PORTS && sw->port[id])
		sw_port_refresh(sw, sw->port[id]);
}

static void
on_resolve(void *arg, uint32_t tun_dst)
{
	struct sw *sw = arg;

	underlay_resolve(sw->ul, tun_dst, clock_ms());
}

static void
on_peer(void *arg, const struct dp_tun_peer *p)
{
	struct sw *sw = arg;

	underlay_peer(sw->ul, p->port, &p->remote, &p->local, p->heard, clock_ms());
	sw->peers = true;
}

static void
on_refused(void *arg, const struct dp_refusal *r)
{
	struct sw *sw = arg;

	refused_add(sw->refused, r, clock_ms());
}

static void
on_punt(void *arg, uint16_t in_port, const void *data, unsigned data_len, const void *frame, uint32_t len,
	uint32_t orig_len)
{
	struct sw *sw = arg;

	if (sw->agent && !sw->dying)
		of_agent_punt(sw->agent, in_port, data, data_len, frame, len, orig_len);
}

static void
on_tun_control(void *arg, uint32_t tun_dst, const void *frame, uint32_t len)
{
	struct sw *sw = arg;

	if (sw->ul)
		underlay_bfd_input(sw->ul, tun_dst, frame, len, clock_ms());
}

static void
on_note(void *arg, const void *data, unsigned len)
{
	struct sw *sw = arg;

	ofp_note(sw->ofp, data, len);
	sw->dirty = true;
}

static void
sink_set_view(void *arg, const void *view, void (*destroy)(void *))
{
	dp_set_xlate_view(((struct sw *)arg)->dp, view, destroy);
}

static void
sink_tag_changed(void *arg, dp_tag tag)
{
	dp_tag_changed(((struct sw *)arg)->dp, tag);
}

/* --- Events ------------------------------------------------------------------------------------ */

void
sw_commit(struct sw *sw, void (*done)(void *), void *arg)
{
	sw->dirty = false;
	sw->n_awaited += done != NULL;
	ofp_commit(sw->ofp);
	dp_commit(sw->dp, done, arg);
}

uint64_t
sw_n_awaited(const struct sw *sw)
{
	return sw->n_awaited;
}

int
sw_event_fd(const struct sw *sw)
{
	return dp_event_fd(sw->dp);
}

/* Rules are changed by whoever holds a pipeline: asked here once a turn, a million of them cost nothing more. */
static bool
rules_dirty(const struct sw *sw)
{
	for (const struct sw_bridge *b = sw->bridges; b; b = b->next)
		if (of_pipe_dirty(ofp_pipe(sw->ofp, b->id)))
			return true;
	return false;
}

bool
sw_poll(struct sw *sw)
{
	bool again = dp_poll(sw->dp);

	/* One picture for all of them. */
	if (sw->peers)
		underlay_flush(sw->ul);
	sw->peers = false;
	if (!sw->dirty && !rules_dirty(sw))
		return again;
	sw_commit(sw, NULL, NULL);
	return true;
}

int
sw_underlay_fd(const struct sw *sw)
{
	return underlay_fd(sw->ul);
}

unsigned
sw_underlay_poll(struct sw *sw, uint64_t now_ms)
{
	return underlay_poll(sw->ul, now_ms);
}

unsigned
sw_bfd_poll(struct sw *sw, uint64_t now_ms)
{
	uint64_t due = underlay_bfd_due(sw->ul);

	if (due <= now_ms) {
		underlay_bfd_poll(sw->ul, now_ms);
		due = underlay_bfd_due(sw->ul);
	}
	return due == UINT64_MAX ? 0 : (unsigned)MIN_OF(MAX_OF(due, now_ms + 1) - now_ms, (uint64_t)60000);
}

void
sw_tick_rules(struct sw *sw, uint64_t now_ms)
{
	for (const struct sw_bridge *b = sw->bridges; b; b = b->next)
		of_pipe_tick(ofp_pipe(sw->ofp, b->id), now_ms);
}

void
sw_tick(struct sw *sw, uint64_t now_ms)
{
	ofp_tick(sw->ofp, now_ms);
	dp_balance(sw->dp);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (sw->port[i])
			sw_port_refresh(sw, sw->port[i]);
	sw_retry_ports(sw, now_ms);
	/* What the tick aged away is not known here; a commit of nothing costs nothing. */
	sw_commit(sw, NULL, NULL);
}

/* --- Life -------------------------------------------------------------------------------------- */

static void
sink_defer(void *arg, void (*fn)(void *), void *obj)
{
	struct sw *sw = arg;

	/* No thread reads any more. */
	if (!sw->dp)
		fn(obj);
	else
		dp_defer(sw->dp, fn, obj);
}

static void
sink_fold(void *arg, void (*done)(void *), void *done_arg)
{
	struct sw *sw = arg;

	if (sw->dp)
		dp_fold(sw->dp, done, done_arg);
	else if (done)
		done(done_arg);
}

static int
sink_exec(void *arg, const struct flow_key *key, const void *frame, uint32_t len, const struct act *a, unsigned n)
{
	return dp_exec(((struct sw *)arg)->dp, key, frame, len, a, n);
}

static int
sink_meter_set(void *arg, uint32_t meter, const struct dp_meter_conf *c)
{
	return dp_meter_set(((struct sw *)arg)->dp, meter, c);
}

static void
sink_meter_del(void *arg, uint32_t meter)
{
	struct sw *sw = arg;

	/* At the end the datapath's meters go by themselves. */
	if (!sw->dying)
		dp_meter_del(sw->dp, meter);
}

static void
sink_meter_stats(void *arg, uint32_t meter, struct dp_meter_stats *s)
{
	struct sw *sw = arg;

	memset(s, 0, sizeof *s);
	if (sw->dp)
		dp_meter_stats(sw->dp, meter, s);
}

static void
sink_dirty(void *arg)
{
	((struct sw *)arg)->dirty = true;
}

static int
create_parts(struct sw *sw, const struct dp_conf *conf, struct event_base *base, struct err *e)
{
	const struct ofp_sink sink = {
		.set_view = sink_set_view, .tag_changed = sink_tag_changed, .defer = sink_defer, .fold = sink_fold,
		.exec = sink_exec, .meter_set = sink_meter_set, .meter_del = sink_meter_del,
		.meter_stats = sink_meter_stats, .dirty = sink_dirty, .arg = sw,
	};
	struct underlay_ops ops = sw_underlay_ops;
	struct dp_conf dc = *conf;

	dc.xlate = &ofp_xlate;
	dc.learn = on_learn;
	dc.port_changed = on_port_changed;
	dc.resolve = on_resolve;
	dc.peer = on_peer;
	dc.refused = on_refused;
	dc.punt = on_punt;
	dc.tun_control = on_tun_control;
	dc.note = on_note;
	dc.arg = sw;
	sw->dp = dp_create(&dc, e);
	if (!sw->dp)
		return -EIO;
	sw->ofp = ofp_create(&sink);
	ops.arg = sw;
	sw_of_create(sw, base);
	sw->ul = underlay_create(&ops, e);
	return sw->ul ? 0 : -EIO;
}

struct sw *
sw_create(const struct dp_conf *conf, struct event_base *base, struct store *store, const char *state_dir, struct err *e)
{
	struct sw *sw = xcalloc(1, sizeof *sw);
	json_t *empty = json_object();

	sw->run_dir = xstrdup(conf->run_dir ? conf->run_dir : ".");
	sw->store = store;
	sw_no_load(sw, state_dir);
	sw->seed = hash_random_seed();
	sw->refused = refused_create();
	sw->generation = 1;
	sw->seq = 1;
	sw->conf = conf_create(empty, e);
	json_decref(empty);
	if (!sw->conf || create_parts(sw, conf, base, e)) {
		sw_destroy(sw);
		return NULL;
	}
	sw_commit(sw, NULL, NULL);
	return sw;
}

/* The underlay stops asking; then the datapath's threads end and its ports close, which may still run
 * what was deferred, the agent's callbacks among it; then the agent hangs up, and nobody reads the bridges any more. */
void
sw_destroy(struct sw *sw)
{
	if (!sw)
		return;
	underlay_destroy(sw->ul);
	sw->ul = NULL;
	sw->dying = true;
	dp_destroy(sw->dp);
	sw->dp = NULL;
	refused_destroy(sw->refused);
	of_agent_destroy(sw->agent);
	ofp_destroy(sw->ofp);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		free(sw->port[i]);
	while (sw->bridges) {
		struct sw_bridge *b = sw->bridges;

		sw->bridges = b->next;
		free(b);
	}
	while (sw->closing) {
		struct sw_closing *c = sw->closing;

		sw->closing = c->next;
		free(c);
	}
	conf_destroy(sw->conf);
	sw_no_forget(sw);
	free(sw->run_dir);
	free(sw);
}
