/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the immutable view that lcores translate by: a copy of all that translate() reads, but for the MAC
 * tables, which are shared and counted. */
#include "ofproto/ofp_priv.h"
#include "ofproto/pipe_bits.h"

#include <stdlib.h>
#include <string.h>

/* Sizes of the arrays that the view's parts point into. */
struct sizes {
	unsigned n_ports, n_bridges, n_trunks, n_dst, n_lists;
	uint32_t n_paths;
};

static struct sizes
measure(const struct ofp *o)
{
	struct sizes s = { 0 };

	for (unsigned i = 0; i < DP_MAX_PORTS; i++) {
		const struct ofp_port *p = o->port[i];

		if (!p)
			continue;
		s.n_ports = i + 1;
		s.n_trunks += !opt_vlans_empty(&p->conf.trunks);
		s.n_dst += p->n_dst;
		s.n_lists += 3;
		for (unsigned d = 0; d < p->n_dst; d++)
			s.n_paths = MAX_OF(s.n_paths, p->dst[d] + 1);
	}
	for (unsigned i = 0; i < OFP_MAX_BRIDGES; i++)
		if (o->bridge[i])
			s.n_bridges = i + 1;
	s.n_paths = MAX_OF(s.n_paths, ofp_n_paths(o));
	return s;
}

/* A patch port leads somewhere only while its peer is there and up. */
static bool
is_usable(const struct ofp *o, const struct ofp_port *p)
{
	const struct ofp_port *peer;
	bool up = p->up && !(p->of_config & (OFPPC_PORT_DOWN | OFPPC_NO_FWD));

	if (p->kind != OFP_PORT_PATCH)
		return up;
	peer = ofp_port_find(o, p->peer);
	return up && peer && peer->kind == OFP_PORT_PATCH;
}

static void
copy_ports(const struct ofp *o, struct ofp_view *v)
{
	struct opt_vlans *trunks = v->trunks;
	uint32_t *dst = v->dst;

	for (unsigned i = 0; i < v->n_ports; i++) {
		const struct ofp_port *p = o->port[i];
		struct view_port *vp = &v->port[i];

		if (!p)
			continue;
		*vp = (struct view_port){
			.bridge = p->bridge, .kind = (uint8_t)p->kind,
			.up = p->up && !(p->of_config & OFPPC_PORT_DOWN),
			.dead = p->dead,
			.protected_port = p->conf.protected_port, .learning = p->conf.learning,
			.flood = p->conf.flood && !(p->of_config & OFPPC_NO_FLOOD), .vlan = ofp_port_vlan(p), .mac_limit = p->conf.mac_limit,
			.peer = p->peer, .n_dst = p->n_dst, .dst = dst, .tun = p->tun, .keys = tun_keys_get(p->keys),
			.of_no = ofp_port_no(o, (uint16_t)i), .of_config = p->of_config,
		};
		if (vp->vlan.trunks) {
			*trunks = *vp->vlan.trunks;
			vp->vlan.trunks = trunks++;
		}
		for (unsigned d = 0; d < p->n_dst; d++)
			*dst++ = p->dst[d];
		v->has_patch |= p->kind == OFP_PORT_PATCH;
	}
}

static void
copy_pipe(const struct ofp_bridge *b, struct view_bridge *vb)
{
	vb->of = ofp_of_get(b->of);
	vb->miss_punt = b->miss_punt;
	vb->secure = b->secure;
	vb->local = b->local;
	vb->of_flags = b->of_flags;
	vb->normal = b->of->normal_ref != 0;
	if (!vb->normal)
		pipe_bits(b->of->pipe, b->of_flags, &vb->bits);
}

static void
copy_bridges(const struct ofp *o, struct ofp_view *v)
{
	uint16_t *list = v->lists;

	for (unsigned b = 0; b < v->n_bridges; b++) {
		struct view_bridge *vb = &v->bridge[b];

		if (!o->bridge[b])
			continue;
		vb->fdb = fdb_get(o->bridge[b]->fdb);
		vb->forward_reserved = o->bridge[b]->conf.forward_reserved;
		vb->flood = list;
		for (unsigned i = 0; i < v->n_ports; i++)
			if (v->port[i].bridge == b && v->port[i].flood && is_usable(o, o->port[i]))
				*list++ = (uint16_t)i;
		vb->n_flood = (uint16_t)(list - vb->flood);
		vb->patch = list;
		for (unsigned i = 0; i < v->n_ports; i++)
			if (v->port[i].bridge == b && v->port[i].kind == OFP_PORT_PATCH &&
			    is_usable(o, o->port[i]))
				*list++ = (uint16_t)i;
		vb->n_patch = (uint16_t)(list - vb->patch);
		vb->all = list;
		for (unsigned i = 0; i < v->n_ports; i++)
			if (v->port[i].bridge == b)
				*list++ = (uint16_t)i;
		vb->n_all = (uint16_t)(list - vb->all);
		copy_pipe(o->bridge[b], vb);
	}
}

/* Whether all that port_mask() looks at is the same. */
static bool
has_same_masks(const struct ofp_view *a, const struct ofp_view *b)
{
	if (a->n_ports != b->n_ports || a->n_bridges != b->n_bridges || a->has_patch != b->has_patch)
		return false;
	for (unsigned i = 0; i < a->n_ports; i++)
		if (a->port[i].bridge != b->port[i].bridge || a->port[i].kind != b->port[i].kind ||
		    !a->port[i].vlan.keys != !b->port[i].vlan.keys)
			return false;
	for (unsigned i = 0; i < a->n_bridges; i++)
		if (!a->bridge[i].of != !b->bridge[i].of || a->bridge[i].normal != b->bridge[i].normal ||
		    memcmp(&a->bridge[i].bits, &b->bridge[i].bits, sizeof a->bridge[i].bits) != 0)
			return false;
	return true;
}

struct ofp_view *
ofp_view_create(const struct ofp *o)
{
	struct sizes s = measure(o);
	struct ofp_view *v = xcalloc(1, sizeof *v);

	v->n_ports = (uint16_t)s.n_ports;
	v->n_bridges = (uint16_t)s.n_bridges;
	v->n_paths = s.n_paths;
	v->port = xcalloc(s.n_ports, sizeof *v->port);
	v->bridge = xcalloc(s.n_bridges, sizeof *v->bridge);
	v->path = xcalloc(s.n_paths, sizeof *v->path);
	v->trunks = xcalloc(s.n_trunks, sizeof *v->trunks);
	v->dst = xcalloc(s.n_dst, sizeof *v->dst);
	v->lists = xcalloc(s.n_lists, sizeof *v->lists);
	for (uint32_t i = 0; i < s.n_paths; i++)
		v->path[i] = o->path[i];
	ofp_view_peers(o, v);
	v->shared = o->shared;
	v->shared->refs++;
	copy_ports(o, v);
	copy_bridges(o, v);
	ofp_view_tlvs(o, v);
	ofp_view_heard(o, v);
	v->masks_version = o->view ? o->view->masks_version + !has_same_masks(o->view, v) : 1;
	return v;
}

void
ofp_view_destroy(void *view)
{
	struct ofp_view *v = view;

	if (!v)
		return;
	for (unsigned b = 0; b < v->n_bridges; b++) {
		fdb_put(v->bridge[b].fdb);
		ofp_of_put(v->bridge[b].of);
	}
	for (unsigned i = 0; i < v->n_ports; i++)
		tun_keys_put(v->port[i].keys);
	if (!--v->shared->refs)
		free(v->shared);
	free(v->port);
	free(v->bridge);
	free(v->path);
	free(v->peer_slot);
	free(v->trunks);
	free(v->dst);
	free(v->lists);
	free(v->heard);
	free(v);
}
