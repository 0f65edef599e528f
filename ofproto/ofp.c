/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges and their ports as the control thread edits them, with the tags that each change marks.
 *
 * What depends on what: translate() reports TAG_PORT of the ports a frame comes in and goes out by, TAG_MAC of
 * each MAC row it looked up, found or not, TAG_NEXTHOP of a tunnel destination it chose, and TAG_BRIDGE where
 * the answer came from the bridge as a whole: its settings, a flood, a full table.  A change to a port
 * therefore marks the port and its bridge, so that floods follow; unicast flows between other ports of
 * the bridge are left alone. */
#include "ofproto/ofp_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ofp *
ofp_create(const struct ofp_sink *sink)
{
	struct ofp *o = xcalloc(1, sizeof *o);

	o->sink = *sink;
	o->view_dirty = true;
	o->shared = xcalloc(1, sizeof *o->shared);
	o->shared->refs = 1;
	return o;
}

void
ofp_destroy(struct ofp *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < DP_MAX_PORTS; i++) {
		if (!o->port[i])
			continue;
		tun_keys_put(o->port[i]->keys);
		free(o->port[i]->dst);
		free(o->port[i]);
	}
	for (unsigned i = 0; i < OFP_MAX_BRIDGES; i++) {
		if (!o->bridge[i])
			continue;
		/* Views that the datapath still holds have their own references. */
		fdb_put(o->bridge[i]->fdb);
		ofp_of_put(o->bridge[i]->of);
		free(o->bridge[i]->name);
		free(o->bridge[i]);
	}
	if (!--o->shared->refs)
		free(o->shared);
	free(o->scratch);
	ofp_heard_fini(o);
	free(o);
}

/* --- Tags, publication ------------------------------------------------------------------------- */

void
tag_set_add(struct tag_set *s, dp_tag tag)
{
	uint64_t bit = (uint64_t)1 << (tag & 63);

	if (s->has[tag >> 6] & bit)
		return;
	s->has[tag >> 6] |= bit;
	s->tag[s->n++] = tag;
}

void
ofp_mark(struct ofp *o, dp_tag tag)
{
	tag_set_add(&o->marked, tag);
}

void
ofp_commit(struct ofp *o)
{
	struct tag_set *m = &o->marked;

	ofp_of_publish(o);
	if (o->view_dirty) {
		struct ofp_view *v = ofp_view_create(o);

		v->gen = ++o->view_gen;
		o->view = v;
		o->sink.set_view(o->sink.arg, v, ofp_view_destroy);
		o->view_dirty = false;
	}
	ofp_of_viewed(o);
	for (; m->n; m->n--) {
		dp_tag tag = m->tag[m->n - 1];

		m->has[tag >> 6] = 0;
		o->sink.tag_changed(o->sink.arg, tag);
	}
}

void
ofp_bridge_changed(struct ofp *o, uint16_t bridge)
{
	ofp_mark(o, dp_tag_make(TAG_BRIDGE, bridge));
	o->view_dirty = true;
}

void
ofp_port_changed(struct ofp *o, uint16_t port)
{
	ofp_mark(o, dp_tag_make(TAG_PORT, port));
	ofp_bridge_changed(o, o->port[port]->bridge);
	if (o->port[port]->kind != OFP_PORT_PATCH)
		return;
	/* Whether a patch port leads anywhere depends on the port at the other end. */
	for (unsigned i = 0; i < DP_MAX_PORTS; i++) {
		if (o->port[i] && o->port[i]->kind == OFP_PORT_PATCH && o->port[i]->peer == port) {
			ofp_mark(o, dp_tag_make(TAG_PORT, i));
			ofp_bridge_changed(o, o->port[i]->bridge);
		}
	}
}

/* --- Bridges ----------------------------------------------------------------------------------- */

struct ofp_bridge *
ofp_bridge_find(const struct ofp *o, uint16_t bridge)
{
	return bridge < OFP_MAX_BRIDGES ? o->bridge[bridge] : NULL;
}

int
ofp_bridge_check(const struct ofp_bridge_conf *c, struct err *e)
{
	if (c->mac_limit < 1 || c->mac_limit > FDB_LIMIT_MAX)
		return err_set(e, ERANGE, "mac-limit: %u is out of range: 1 to %u", c->mac_limit, FDB_LIMIT_MAX);
	if (c->mac_age < 15 || c->mac_age > 3600)
		return err_set(e, ERANGE, "mac-age: %u is out of range: 15 to 3600 seconds", c->mac_age);
	if (mac_is_multicast(c->hwaddr))
		return err_set(e, EINVAL, "hwaddr: a group address cannot be that of a port");
	return 0;
}

int
ofp_bridge_add(struct ofp *o, const char *name, const struct ofp_bridge_conf *c, uint16_t *id, struct err *e)
{
	uint16_t n = 0;
	int rc = ofp_bridge_check(c, e);

	if (rc)
		return rc;
	for (uint16_t i = OFP_MAX_BRIDGES - 1; i > 0; i--) {
		if (!o->bridge[i])
			n = i;
		else if (!strcmp(o->bridge[i]->name, name))
			return err_set(e, EEXIST, "there is a bridge '%s' already", name);
	}
	if (!n)
		return err_set(e, ENOSPC, "more than %u bridges", OFP_MAX_BRIDGES - 1);
	o->bridge[n] = xcalloc(1, sizeof *o->bridge[n]);
	o->bridge[n]->name = xstrdup(name);
	o->bridge[n]->conf = *c;
	o->bridge[n]->fdb = fdb_create(c->mac_limit);
	ofp_of_init(o, n);
	ofp_bridge_changed(o, n);
	*id = n;
	return 0;
}

int
ofp_bridge_set(struct ofp *o, uint16_t bridge, const struct ofp_bridge_conf *c, struct err *e)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	int rc = ofp_bridge_check(c, e);

	if (rc)
		return rc;
	if (!b)
		return err_set(e, ENOENT, "no bridge has number %u", bridge);
	if (c->mac_limit != b->conf.mac_limit) {
		ofp_mac_resize(o, bridge, c->mac_limit);
		/* Cached flows name rows of the old table as those in use. */
		for (uint16_t i = 0; i < DP_MAX_PORTS; i++)
			if (o->port[i] && o->port[i]->bridge == bridge)
				ofp_port_changed(o, i);
	}
	b->conf = *c;
	ofp_bridge_changed(o, bridge);
	return 0;
}

void
ofp_bridge_del(struct ofp *o, uint16_t bridge)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b)
		return;
	for (uint16_t i = 0; i < DP_MAX_PORTS; i++)
		if (o->port[i] && o->port[i]->bridge == bridge)
			ofp_port_del(o, i);
	ofp_bridge_changed(o, bridge);
	fdb_put(b->fdb);
	/* Its meters go now; its memory with the last view. */
	of_pipe_flush(b->of->pipe, true);
	ofp_of_put(b->of);
	free(b->name);
	free(b);
	o->bridge[bridge] = NULL;
}

struct mac
ofp_bridge_hwaddr(const struct ofp *o, uint16_t bridge)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b)
		return (struct mac){ { 0 } };
	return mac_is_zero(b->conf.hwaddr) ? ofp_hwaddr_make(b->name) : b->conf.hwaddr;
}

/* --- Ports ------------------------------------------------------------------------------------- */

struct ofp_port *
ofp_port_find(const struct ofp *o, uint16_t port)
{
	return port < DP_MAX_PORTS ? o->port[port] : NULL;
}

static struct vlan_rules
vlan_of(const struct ofp_port_conf *c)
{
	return (struct vlan_rules){
		.mode = (uint8_t)c->vlan_mode, .tag = c->tag,
		.trunks = opt_vlans_empty(&c->trunks) ? NULL : &c->trunks,
	};
}

struct vlan_rules
ofp_port_vlan(const struct ofp_port *p)
{
	struct vlan_rules vlan = vlan_of(&p->conf);

	vlan.keys = p->tun.vlans;
	return vlan;
}

bool
ofp_port_carries(const struct ofp_port_conf *c, uint16_t vid)
{
	struct vlan_rules vlan = vlan_of(c);

	return vlan_carries(&vlan, vid);
}

int
ofp_port_add(struct ofp *o, uint16_t bridge, uint16_t port, enum ofp_port_kind kind,
	     const struct ofp_port_conf *c, struct err *e)
{
	struct ofp_port_conf conf = *c;
	int rc = ofp_port_check(&conf, true, e);

	if (rc)
		return rc;
	if (!ofp_bridge_find(o, bridge))
		return err_set(e, ENOENT, "no bridge has number %u", bridge);
	if (!port || port >= DP_MAX_PORTS)
		return err_set(e, ERANGE, "port number %u: 1 to %u", port, DP_MAX_PORTS - 1);
	if (o->port[port])
		return err_set(e, EEXIST, "port number %u is on bridge '%s' already", port,
			       o->bridge[o->port[port]->bridge]->name);
	o->port[port] = xcalloc(1, sizeof *o->port[port]);
	*o->port[port] = (struct ofp_port){
		.bridge = bridge, .kind = kind, .conf = conf,
		.up = kind == OFP_PORT_PATCH || kind == OFP_PORT_TUNNEL,
	};
	ofp_port_changed(o, port);
	return 0;
}

struct port_vlan {
	uint16_t port;
	struct vlan_rules vlan;
};

static bool
not_carried(const struct fdb_row_info *row, const void *arg)
{
	const struct port_vlan *pv = arg;

	return !row->is_static && row->port == pv->port && !vlan_carries(&pv->vlan, row->vid);
}

void
ofp_port_prune(struct ofp *o, uint16_t port)
{
	struct ofp_port *p = o->port[port];
	struct port_vlan pv = { .port = port, .vlan = ofp_port_vlan(p) };

	ofp_mac_remove(o, p->bridge, not_carried, &pv);
}

int
ofp_port_set(struct ofp *o, uint16_t port, const struct ofp_port_conf *c, struct err *e)
{
	struct ofp_port *p = ofp_port_find(o, port);
	struct ofp_port_conf conf = *c;
	int rc = ofp_port_check(&conf, true, e);

	if (rc)
		return rc;
	if (!p)
		return err_set(e, ENOENT, "no port has number %u", port);
	p->conf = conf;
	if (!conf.learning)
		ofp_mac_remove_port(o, port, false);
	else
		ofp_port_prune(o, port);
	ofp_port_changed(o, port);
	return 0;
}

void
ofp_port_del(struct ofp *o, uint16_t port)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p)
		return;
	ofp_mac_remove_port(o, port, true);
	ofp_port_set_tun_dsts(o, port, NULL, 0);
	ofp_port_changed(o, port);
	if (o->bridge[p->bridge]->local == port)
		o->bridge[p->bridge]->local = 0;
	tun_keys_put(p->keys);
	free(p->dst);
	free(p);
	o->port[port] = NULL;
}

void
ofp_port_set_up(struct ofp *o, uint16_t port, bool up)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p || p->up == up)
		return;
	p->up = up;
	if (!up)
		ofp_mac_remove_port(o, port, false);
	ofp_port_changed(o, port);
}

void
ofp_port_set_dead(struct ofp *o, uint16_t port, bool dead)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p || p->dead == dead)
		return;
	p->dead = dead;
	ofp_port_changed(o, port);
}

bool
ofp_port_is_dead(const struct ofp *o, uint16_t port)
{
	const struct ofp_port *p = ofp_port_find(o, port);

	return p && p->dead;
}

void
ofp_port_set_patch_peer(struct ofp *o, uint16_t port, uint16_t peer)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p || p->kind != OFP_PORT_PATCH || p->peer == peer)
		return;
	p->peer = peer;
	/* Whoever was behind it is not any more. */
	ofp_mac_remove_port(o, port, false);
	ofp_port_changed(o, port);
}
