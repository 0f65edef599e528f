/* SPDX-License-Identifier: Apache-2.0 */
/* What the underlay wants to know of the switch, and the ports it has opened for itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ports.h"
#include "ctl/sw_priv.h"

struct underlay_tunnel *
sw_underlay_tunnel(const struct conf_port *c, uint16_t id)
{
	struct underlay_tunnel *t = xcalloc(1, sizeof *t);

	t->port = id;
	str_copy(t->name, sizeof t->name, c->name);
	t->type = c->tun;
	memcpy(&t->conf, c->opts, sizeof t->conf);
	/* Auto: tags stay where they say which of several VLANs a frame is of. */
	t->drop_inner_vlan = t->conf.inner_vlan == TUN_INNER_VLAN_DROP ||
			     (t->conf.inner_vlan == TUN_INNER_VLAN_AUTO &&
			      (c->ofp.vlan_mode == OFP_VLAN_ACCESS || t->conf.vlans.n));
	return t;
}

void
sw_underlay_sync(struct sw *sw)
{
	underlay_update(sw->ul, clock_ms());
}

/* The kernel link that a port is, or is on; NULL: none. */
static const char *
kernel_link(const struct sw *sw, const struct sw_port *p)
{
	const struct conf_port *c;

	if (!p->dp)
		return NULL;
	if (p->implicit)
		return p->name;
	c = conf_port(sw->conf, p->name);
	return c && c->type ? ctl_port_kernel_link(c->type, c->name, c->opts) : NULL;
}

/* The VLAN that frames without a tag are of on a port; 0: none. */
static uint16_t
bare_vid(const struct ofp_port_conf *c)
{
	return c->vlan_mode == OFP_VLAN_TRUNK ? 0 : c->tag;
}

/* How frames that reach the host without a tag come in on another port of its bridge; false: they do not. */
static bool
tag_on(const struct ofp_port_conf *leg, const struct ofp_port_conf *p, uint16_t *vid, bool *bare)
{
	uint16_t want = bare_vid(leg);

	*vid = 0;
	*bare = bare_vid(p) == want;
	if (!ofp_port_carries(p, want))
		return false;
	if (want && p->vlan_mode != OFP_VLAN_ACCESS)
		*vid = want;
	return *vid || *bare;
}

static void
add_bridge_ports(const struct sw *sw, const struct sw_port *leg, struct underlay_link *out)
{
	const struct conf_port *lc = conf_port(sw->conf, leg->name);

	for (unsigned i = 1; lc && i < DP_MAX_PORTS && out->n_rx < UNDERLAY_MAX_RX; i++) {
		const struct sw_port *p = sw->port[i];
		const struct conf_port *c;
		unsigned n = out->n_rx;

		if (!p || p->bridge != leg->bridge || p->kind != OFP_PORT_PLAIN)
			continue;
		c = conf_port(sw->conf, p->name);
		if (!c || !tag_on(&lc->ofp, &c->ofp, &out->rx_vid[n], &out->rx_bare[n]))
			continue;
		out->rx[n] = p->id;
		out->n_rx++;
	}
}

/* A port of the document wins over one that we opened: the latter goes then. */
static void
find_link(void *arg, const char *name, struct underlay_link *out)
{
	const struct sw *sw = arg;

	memset(out, 0, sizeof *out);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		const struct sw_port *p = sw->port[i];
		const char *link = p ? kernel_link(sw, p) : NULL;

		if (!link || strcmp(link, name) || (p->implicit && out->kind != UNDERLAY_LINK_NONE))
			continue;
		out->port = p->id;
		out->n_rx = 0;
		out->kind = p->kind == OFP_PORT_INTERNAL ? UNDERLAY_LINK_BRIDGED : UNDERLAY_LINK_DIRECT;
		if (out->kind == UNDERLAY_LINK_BRIDGED)
			add_bridge_ports(sw, p, out);
		if (!p->implicit)
			return;
	}
}

static int
open_link(void *arg, const char *name, struct err *e)
{
	struct sw *sw = arg;
	struct sw_port *p;
	uint16_t id;
	void *opts;
	int rc;

	if (sw_no_pick_implicit(sw, &id, e))
		return err_prefix(e, "port %s", name);
	p = sw_port_new(sw, name, id);
	p->implicit = true;
	p->type = ctl_underlay_port(name, &opts);
	p->kind = OFP_PORT_PLAIN;
	rc = sw_port_open(sw, p, opts, e);
	free(opts);
	if (rc) {
		sw_port_free(sw, p);
		return rc;
	}
	log_info("underlay: opened %s as port %u", name, p->id);
	sw_port_refresh(sw, p);
	return 0;
}

static void
close_link(void *arg, const char *name)
{
	struct sw *sw = arg;

	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];

		if (!p || !p->implicit || strcmp(p->name, name))
			continue;
		log_info("underlay: closed %s", name);
		sw_port_close(sw, p, sw->seq);
		sw_port_free(sw, p);
		return;
	}
}

static void
set_view(void *arg, struct tun_view *view)
{
	struct sw *sw = arg;

	dp_set_tunnels(sw->dp, view);
	sw->dirty = true;
}

static void
set_path(void *arg, uint32_t dst, const struct ofp_tun_path *path)
{
	struct sw *sw = arg;

	ofp_set_tun_path(sw->ofp, dst, path);
	sw->dirty = true;
}

/* sw_poll() follows each turn of the loop. */
static void
commit(void *arg)
{
	((struct sw *)arg)->dirty = true;
}

static uint32_t
used(void *arg, uint32_t dst)
{
	return dp_tun_used(((struct sw *)arg)->dp, dst);
}

static void
used_reset(void *arg, uint32_t dst)
{
	dp_tun_used_reset(((struct sw *)arg)->dp, dst);
}

static void
send_to(void *arg, uint32_t dst, const void *frame, unsigned len)
{
	/* One that is lost is one of several. */
	(void)dp_tun_send(((struct sw *)arg)->dp, dst, frame, len);
}

static void
live(void *arg, uint16_t port, bool live)
{
	struct sw *sw = arg;
	struct sw_port *p = port < DP_MAX_PORTS ? sw->port[port] : NULL;

	if (!p)
		return;
	ofp_port_set_dead(sw->ofp, port, !live);
	sw->dirty = true;
	sw_of_port_changed(sw, p);
}

void
sw_tun_flow(const struct conf_port *c, struct ofp_tun_flow *out)
{
	const struct tun_conf *t = c->opts;

	*out = (struct ofp_tun_flow){ .remote = tun_remote_is_flow(t), .local = tun_local_is_flow(t), .key = tun_key_is_flow(t),
				      .flood_learned = tun_remote_is_flow(t) && !tun_listed(t)->n && !t->flood_heard,
				      .flood_heard = t->flood_heard, .type = c->tun,
				      .vlans = t->vlans.n ? &t->vlans : NULL,
				      .flood_only = t->flood_only.n ? &t->flood_only : NULL };
	if (!out->local)
		out->fixed_local = t->local;
}

const struct underlay_ops sw_underlay_ops = {
	.used = used,
	.used_reset = used_reset,
	.send = send_to,
	.live = live,
	.find_link = find_link,
	.open_link = open_link,
	.close_link = close_link,
	.set_view = set_view,
	.set_path = set_path,
	.commit = commit,
};
