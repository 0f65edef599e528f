/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow agent in the switch: what it is told of bridges and ports, and what it asks of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ports.h"
#include "ctl/sw_priv.h"
#include "ofproto/table.h"

/* OpenFlow 1.3's OFPPF_*. */
enum { FEATURE_10GB_FD = 1 << 6, FEATURE_COPPER = 1 << 11, SPEED_10G_KBPS = 10000000 };

/* --- What the agent asks ------------------------------------------------------------------------- */

/* Once the switch is being taken down, what is left only has to end. */
static void
on_commit(void *arg, void (*done)(void *), void *done_arg)
{
	struct sw *sw = arg;

	if (!sw->dying)
		sw_commit(sw, done, done_arg);
	else if (done)
		done(done_arg);
}

static void
on_fold(void *arg, void (*done)(void *), void *done_arg)
{
	struct sw *sw = arg;

	if (!sw->dying)
		dp_fold(sw->dp, done, done_arg);
	else if (done)
		done(done_arg);
}

static const struct sw_port *
port_of(const struct sw *sw, uint16_t id)
{
	const struct sw_port *p = id < DP_MAX_PORTS ? sw->port[id] : NULL;

	return p && p->bridge ? p : NULL;
}

/* A guest's interface has an address that nobody here knows: controllers want one all the same, and the same one
 * the next time. */
static struct mac
hw_addr(const struct sw *sw, const struct sw_port *p)
{
	char name[2 * CONF_NAME_MAX + 2];

	if (!mac_is_zero(p->link.mac))
		return p->link.mac;
	if (!strcmp(p->name, p->bridge->name))
		return ofp_bridge_hwaddr(sw->ofp, p->bridge->id);
	snprintf(name, sizeof name, "%s/%s", p->bridge->name, p->name);
	return ofp_hwaddr_make(name);
}

static bool
on_port(void *arg, uint16_t id, struct of_port *out)
{
	const struct sw *sw = arg;
	const struct sw_port *p = port_of(sw, id);
	/* A tunnel leads on even while no remote answers; what its remotes do is no link. */
	bool up = p && (p->link.up || p->kind == OFP_PORT_TUNNEL);

	if (!p)
		return false;
	str_copy(out->name, sizeof out->name, p->name);
	out->hw_addr = hw_addr(sw, p);
	out->state = up ? OFPPS_LIVE : OFPPS_LINK_DOWN;
	out->curr = out->advertised = out->supported = out->peer = 0;
	out->curr_speed = out->max_speed = 0;
	if (p->kind != OFP_PORT_PLAIN)
		return true;
	out->curr = FEATURE_10GB_FD | FEATURE_COPPER;
	out->curr_speed = out->max_speed = SPEED_10G_KBPS;
	return true;
}

/* Which side of a port a drop belongs to. */
static bool
is_tx(enum dp_drop why)
{
	return why == DROP_TX_QUEUE_FULL || why == DROP_TX_DOWN || why == DROP_TX_TOO_BIG || why == DROP_TX_ERROR ||
	       why == DROP_TUN_TOO_BIG || why == DROP_TUN_NO_ROUTE || why == DROP_TUN_NEIGH_WAIT ||
	       why == DROP_TUN_NEIGH_FAILED || why == DROP_TUN_NO_HEADROOM;
}

static bool
is_error(enum dp_drop why)
{
	return why == DROP_RX_MALFORMED || why == DROP_RX_TOO_BIG || why == DROP_TX_ERROR;
}

static void
on_port_stats(void *arg, uint16_t id, struct of_port_row *row)
{
	const struct sw *sw = arg;
	const struct sw_port *p = port_of(sw, id);
	uint32_t port_no = row->port_no;
	struct dp_port_stats s = { 0 };
	uint64_t age_ms;

	memset(row, 0xff, sizeof *row);
	row->port_no = port_no;
	row->duration_s = row->duration_ns = 0;
	if (!p || sw->dying)
		return;
	dp_port_stats(sw->dp, id, &s);
	row->rx_packets = s.rx_packets;
	row->tx_packets = s.tx_packets;
	row->rx_bytes = s.rx_bytes;
	row->tx_bytes = s.tx_bytes;
	row->rx_dropped = row->tx_dropped = row->rx_errors = row->tx_errors = 0;
	for (unsigned i = DROP_NONE + 1; i < DP_N_DROPS; i++) {
		uint64_t *to = is_tx(i) ? is_error(i) ? &row->tx_errors : &row->tx_dropped :
				is_error(i) ? &row->rx_errors : &row->rx_dropped;

		*to += s.drops[i];
	}
	age_ms = clock_ms() - p->since_ms;
	row->duration_s = (uint32_t)(age_ms / 1000);
	row->duration_ns = (uint32_t)(age_ms % 1000) * 1000000;
}

static void
on_port_admin(void *arg, uint16_t id, bool up)
{
	log_info("port %s: set %s by a controller", sw_port_name(arg, id), up ? "up" : "down");
}

/* --- What the agent is told ---------------------------------------------------------------------- */

void
sw_of_create(struct sw *sw, struct event_base *base)
{
	const struct of_agent_ops ops = {
		.commit = on_commit, .fold = on_fold, .port = on_port, .port_stats = on_port_stats,
		.port_admin = on_port_admin, .arg = sw,
	};

	sw->agent = of_agent_create(base, sw->ofp, &ops);
}

int
sw_of_bridge(struct sw *sw, const struct sw_bridge *b, const struct conf_bridge *c, struct err *e)
{
	struct of_agent_conf a;

	conf_of_agent(c, sw->run_dir, &a);
	return of_agent_bridge_set(sw->agent, b->id, &a, e);
}

void
sw_of_new_ports(struct sw *sw)
{
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];

		if (!p || !p->bridge || p->told)
			continue;
		p->told = true;
		p->since_ms = clock_ms();
		of_agent_port_changed(sw->agent, p->id, OFPPR_ADD);
	}
}

void
sw_of_port_changed(struct sw *sw, const struct sw_port *p)
{
	if (p->told)
		of_agent_port_changed(sw->agent, p->id, OFPPR_MODIFY);
}

void
sw_of_port_leaves(struct sw *sw, struct sw_port *p)
{
	if (p->told)
		of_agent_port_changed(sw->agent, p->id, OFPPR_DELETE);
	p->told = false;
}

/* --- What shows --------------------------------------------------------------------------------- */

struct summary {
	unsigned connected;
	const char *error;              /* Of the first configured one that is not connected. */
	const char *target;
};

static void
add_conn(void *arg, const struct of_conn_info *c)
{
	struct summary *s = arg;

	if (!c->configured)
		return;
	s->connected += c->connected;
	if (c->connected || s->target)
		return;
	s->target = c->target;
	s->error = c->last_error;
}

json_t *
sw_of_state(const struct sw *sw, const struct sw_bridge *b, const struct conf_bridge *c)
{
	const struct opt_desc *mode = opt_find(conf_of_opts, "fail-mode");
	const struct of_pipe *pipe = ofp_pipe(sw->ofp, b->id);
	struct of_agent_bridge_info info = { 0 };
	struct of_pipe_stats st = { 0 };
	struct summary s = { 0 };
	json_t *o = json_object();
	bool normal = false;
	char text[20];

	of_agent_conns(sw->agent, b->id, add_conn, &s);
	of_agent_bridge_info(sw->agent, b->id, &info);
	if (pipe) {
		of_pipe_stats(pipe, &st);
		normal = of_pipe_is_normal(pipe, of_pipe_version(pipe));
	}
	snprintf(text, sizeof text, "%016" PRIx64, conf_datapath_id(c));
	json_object_set_new(o, "datapath_id", json_string(text));
	json_object_set_new(o, "fail_mode", json_string(mode->names[c->of.fail_mode]));
	json_object_set_new(o, "controllers", json_integer(c->of.controllers.n));
	json_object_set_new(o, "connected", json_integer(s.connected));
	json_object_set_new(o, "learning_switch", json_boolean(normal));
	json_object_set_new(o, "failed_open", json_boolean(info.failed_open));
	if (s.target && !s.connected) {
		json_object_set_new(o, "target", json_string(s.target));
		json_object_set_new(o, "reason", json_string(s.error ? s.error : "not connected yet"));
	}
	json_object_set_new(o, "rules", json_integer((json_int_t)st.n_rules));
	json_object_set_new(o, "groups", json_integer((json_int_t)st.n_groups));
	json_object_set_new(o, "meters", json_integer((json_int_t)st.n_meters));
	json_object_set_new(o, "rule_bytes", json_integer((json_int_t)st.rule_bytes));
	return o;
}

struct of_agent *
sw_agent(const struct sw *sw)
{
	return sw->agent;
}
