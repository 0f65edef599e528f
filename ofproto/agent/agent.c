/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of all bridges: their settings, and who is told of what happens in them. */
#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

struct agent_bridge *
agent_bridge(const struct of_agent *a, uint16_t id)
{
	return id < OFP_MAX_BRIDGES ? a->bridge[id] : NULL;
}

uint32_t
agent_new_id(struct of_agent *a)
{
	return ++a->last_id;
}

static void
on_tick(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct of_agent *a = arg;
	uint64_t now = clock_ms();

	for (unsigned i = 1; i < OFP_MAX_BRIDGES; i++) {
		if (!a->bridge[i])
			continue;
		tls_tick(a->bridge[i]);
		BRIDGE_EACH_UP (c, a->bridge[i]) {
			bundles_expire(c, now);
			parts_expire(c, now);
			conn_check_output(c);
		}
	}
}

struct of_agent *
of_agent_create(struct event_base *base, struct ofp *ofp, const struct of_agent_ops *ops)
{
	const struct timeval period = { .tv_usec = TICK_MS * 1000 };
	struct of_agent *a = xcalloc(1, sizeof *a);

	/* Peers go away at any time; that is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	a->base = base;
	a->ofp = ofp;
	a->ops = *ops;
	a->backoff_ms = BACKOFF_MS;
	TAILQ_INIT(&a->ready);
	TAILQ_INIT(&a->dead);
	LIST_INIT(&a->taps);
	a->arena = of_arena_create();
	a->tap_arena = of_arena_create();
	a->bundle_arena = of_arena_create();
	a->log_rate = (struct log_rate){ .burst = 5, .per_ms = 10000 };
	a->next_turn = evtimer_new(base, agent_on_turn, a);
	a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
	event_add(a->tick, &period);
	return a;
}

void
of_agent_destroy(struct of_agent *a)
{
	if (!a)
		return;
	for (unsigned i = 1; i < OFP_MAX_BRIDGES; i++)
		of_agent_bridge_del(a, i);
	while (!LIST_EMPTY(&a->taps))
		of_tap_close(LIST_FIRST(&a->taps));
	if (a->dns)
		evdns_base_free(a->dns, 0);
	event_free(a->next_turn);
	event_free(a->tick);
	of_arena_destroy(a->arena);
	of_arena_destroy(a->tap_arena);
	of_arena_destroy(a->bundle_arena);
	of_buf_fini(&a->out);
	free(a);
}

/* --- Settings ----------------------------------------------------------------------------------- */

static char *
dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void
conf_copy(struct of_agent_conf *to, const struct of_agent_conf *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->run_dir = dup_or_null(from->run_dir);
	/* Remotes have their targets. */
	memset(to->controllers, 0, sizeof to->controllers);
	to->mfr_desc = dup_or_null(from->mfr_desc);
	to->hw_desc = dup_or_null(from->hw_desc);
	to->sw_desc = dup_or_null(from->sw_desc);
	to->serial_desc = dup_or_null(from->serial_desc);
	to->dp_desc = dup_or_null(from->dp_desc);
	to->private_key = dup_or_null(from->private_key);
	to->certificate = dup_or_null(from->certificate);
	to->ca_cert = dup_or_null(from->ca_cert);
	to->bootstrap_ca_cert = dup_or_null(from->bootstrap_ca_cert);
	if (!to->max_backoff_ms)
		to->max_backoff_ms = 8000;
}

static void
conf_free(struct of_agent_conf *c)
{
	const char *const strings[] = { c->name, c->run_dir, c->mfr_desc, c->hw_desc, c->sw_desc, c->serial_desc,
					c->dp_desc, c->private_key, c->certificate, c->ca_cert, c->bootstrap_ca_cert };

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free((char *)(uintptr_t)strings[i]);
	memset(c, 0, sizeof *c);
}

static int
conf_check(const struct of_agent_conf *c, struct of_target targets[OF_MAX_CONTROLLERS], struct err *e)
{
	if (c->n_controllers > OF_MAX_CONTROLLERS)
		return err_set(e, EINVAL, "%u controllers: at most %d", c->n_controllers, OF_MAX_CONTROLLERS);
	if (c->versions && !hello_versions(c->versions))
		return err_set(e, EINVAL, "no OpenFlow version is enabled");
	for (unsigned i = 0; i < c->n_controllers; i++) {
		int rc = of_target_parse(c->controllers[i], &targets[i], e);

		if (rc)
			return rc;
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(c->controllers[i], c->controllers[k]))
				return err_set(e, EINVAL, "controller '%s': given twice", c->controllers[i]);
	}
	return 0;
}

static struct remote *
remote_find(const struct agent_bridge *br, const char *text)
{
	struct remote *r;

	TAILQ_FOREACH (r, &br->remotes, link)
		if (!r->local && !strcmp(r->text, text))
			return r;
	return NULL;
}

/* Those that stay the same are left alone. */
static void
set_remotes(struct agent_bridge *br, const struct of_agent_conf *conf, const struct of_target targets[])
{
	struct remote *r, *next;

	TAILQ_FOREACH (r, &br->remotes, link)
		r->keep = r->local;
	for (unsigned i = 0; i < conf->n_controllers; i++) {
		r = remote_find(br, conf->controllers[i]);
		if (!r)
			r = remote_create(br, conf->controllers[i], &targets[i], false);
		else
			TAILQ_REMOVE(&br->remotes, r, link);
		r->keep = true;
		TAILQ_INSERT_TAIL(&br->remotes, r, link);
	}
	for (r = TAILQ_FIRST(&br->remotes); r; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!r->keep) {
			TAILQ_REMOVE(&br->remotes, r, link);
			remote_destroy(r);
		}
	}
	TAILQ_FOREACH (r, &br->remotes, link)
		if (r->state == REMOTE_IDLE)
			remote_start(r);
}

static void
add_local(struct agent_bridge *br, const char *suffix, bool snoop)
{
	struct of_target t;
	struct err e;
	char text[OF_TARGET_MAX + 1];
	struct remote *r;

	snprintf(text, sizeof text, "punix:%s/%s.%s", br->conf.run_dir, br->conf.name, suffix);
	if (of_target_parse(text, &t, &e)) {
		log_warn("%s: no local socket for OpenFlow: %s", br->conf.name, e.msg);
		return;
	}
	r = remote_create(br, text, &t, true);
	r->snoop = snoop;
	TAILQ_INSERT_TAIL(&br->remotes, r, link);
}

static void
set_local(struct agent_bridge *br)
{
	if (!br->conf.run_dir || !TAILQ_EMPTY(&br->remotes))
		return;
	add_local(br, "mgmt", false);
	add_local(br, "snoop", true);
}

/* Closes connections that do not fit the settings any more. */
static void
recheck_conns(struct agent_bridge *br, bool new_dpid)
{
	BRIDGE_EACH_UP (c, br) {
		if (!(br->versions & 1u << c->version) && !c->remote->snoop)
			conn_close(c, "OpenFlow 1.%u is not enabled any more", c->version - 1);
		else if (new_dpid && conn_is_primary(c))
			conn_close(c, "the datapath id has changed");
		else
			conn_timer_in(c, 1);
	}
}

static struct agent_bridge *
bridge_create(struct of_agent *a, uint16_t id)
{
	struct agent_bridge *br = xcalloc(1, sizeof *br);

	br->agent = a;
	br->id = id;
	TAILQ_INIT(&br->remotes);
	TAILQ_INIT(&br->conns);
	a->bridge[id] = br;
	return br;
}

int
of_agent_bridge_set(struct of_agent *a, uint16_t id, const struct of_agent_conf *conf, struct err *e)
{
	struct of_target targets[OF_MAX_CONTROLLERS];
	struct agent_bridge *br = agent_bridge(a, id);
	enum of_fail_mode old_mode = OF_FAIL_STANDALONE;
	bool had_controllers = false;
	uint64_t old_dpid = 0;
	int rc = conf_check(conf, targets, e);

	if (rc)
		return rc;
	if (!id || id >= OFP_MAX_BRIDGES || !ofp_pipe(a->ofp, id))
		return err_set(e, ENOENT, "no bridge %u", id);
	if (!br) {
		br = bridge_create(a, id);
	} else {
		old_mode = br->conf.fail_mode;
		had_controllers = bridge_n_primaries(br);
		old_dpid = br->datapath_id;
		conf_free(&br->conf);
	}
	conf_copy(&br->conf, conf);
	br->versions = hello_versions(conf->versions);
	br->datapath_id = conf->datapath_id ? conf->datapath_id : mac_u64(ofp_bridge_hwaddr(a->ofp, id));
	async_set_events(br);
	tls_configure(br);
	set_local(br);
	recheck_conns(br, old_dpid && old_dpid != br->datapath_id);
	set_remotes(br, conf, targets);
	fail_configured(br, had_controllers, old_mode);
	return 0;
}

void
of_agent_bridge_del(struct of_agent *a, uint16_t id)
{
	struct agent_bridge *br = agent_bridge(a, id);
	struct of_pipe *pipe;
	struct conn *c, *next;
	struct remote *r;

	if (!br)
		return;
	while ((r = TAILQ_FIRST(&br->remotes))) {
		TAILQ_REMOVE(&br->remotes, r, link);
		remote_destroy(r);
	}
	for (c = TAILQ_FIRST(&a->dead); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->br == br)
			conn_free(c);
	}
	pipe = ofp_pipe(a->ofp, id);
	if (pipe)
		of_pipe_set_events(pipe, &(struct of_pipe_events){ 0 });
	fail_fini(br);
	tls_destroy(br->tls);
	conf_free(&br->conf);
	a->bridge[id] = NULL;
	free(br);
}

/* --- Looking ------------------------------------------------------------------------------------ */

static void
info_fill(const struct conn *c, struct of_conn_info *i, uint64_t now)
{
	i->connected = c->state == CONN_UP;
	i->version = c->version;
	i->role = c->role;
	i->rx = c->rx;
	i->tx = c->tx;
	i->packet_ins = c->packet_ins;
	i->packet_ins_dropped = c->packet_ins_dropped;
	i->errors = c->errors;
	i->tx_queue_bytes = conn_out_len(c);
	if (c->state == CONN_UP)
		i->connected_ms_ago = now - c->since_ms;
}

static void
show_remote(const struct remote *r, uint64_t now, void (*cb)(void *, const struct of_conn_info *), void *arg)
{
	struct of_conn_info i = { .bridge = r->br->id, .id = r->id, .target = r->text, .configured = !r->local,
				  .state = remote_state_name(r->state), .since_ms = now - r->since_ms,
				  .last_error = r->last_error[0] ? r->last_error : NULL,
				  .connected_ms_ago = r->connected_ms ? (int64_t)(now - r->connected_ms) : -1 };

	if (r->conn)
		info_fill(r->conn, &i, now);
	cb(arg, &i);
}

void
of_agent_conns(const struct of_agent *a, uint16_t bridge, void (*cb)(void *, const struct of_conn_info *), void *arg)
{
	const struct agent_bridge *br = agent_bridge(a, bridge);
	const struct remote *r;
	const struct conn *c;
	uint64_t now = clock_ms();

	if (!br)
		return;
	TAILQ_FOREACH (r, &br->remotes, link) {
		/* Who only looks on controls nothing. */
		if (r->snoop)
			continue;
		show_remote(r, now, cb, arg);
		TAILQ_FOREACH (c, &br->conns, link) {
			struct of_conn_info i = { .bridge = br->id, .id = c->id, .target = c->name, .connected_ms_ago = -1,
						  .state = c->state == CONN_UP ? "connected" : "handshake",
						  .since_ms = now - c->since_ms };

			if (!c->service || c->remote != r)
				continue;
			info_fill(c, &i, now);
			cb(arg, &i);
		}
	}
}

bool
of_agent_bridge_info(const struct of_agent *a, uint16_t bridge, struct of_agent_bridge_info *info)
{
	const struct agent_bridge *br = agent_bridge(a, bridge);
	const struct conn *c;

	if (!br)
		return false;
	*info = (struct of_agent_bridge_info){ .datapath_id = br->datapath_id, .failed_open = br->failed_open };
	TAILQ_FOREACH (c, &br->conns, link)
		info->n_buffers_in_use += pktbuf_count(c);
	return true;
}
