/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel ports: which destinations they have, configured ones and learned ones, and how packets get there. */
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/ofp_priv.h"

/* --- Configured destinations ------------------------------------------------------------------- */

static bool
dst_gone(const struct fdb_row_info *row, const void *arg)
{
	const struct ofp *o = arg;

	/* Rows of other tunnel ports keep theirs. */
	return row->tun_dst && !row->is_static && row->tun_dst < TUN_MAX_DST &&
	       o->dst_port[row->tun_dst] != row->port;
}

/* A destination has one owner; the last to claim it is right. */
static void
release_dst(struct ofp *o, uint32_t dst)
{
	uint16_t port = o->dst_port[dst];
	struct ofp_port *p = ofp_port_find(o, port);

	o->dst_port[dst] = 0;
	/* A learned one may outlive its port for a while. */
	if (!p)
		return;
	for (unsigned i = 0; i < p->n_dst; i++) {
		if (p->dst[i] != dst)
			continue;
		p->dst[i] = p->dst[--p->n_dst];
		break;
	}
	ofp_mac_remove(o, p->bridge, dst_gone, o);
	ofp_port_changed(o, port);
}

static bool
has_dst(const struct ofp_port *p, uint32_t dst)
{
	for (unsigned i = 0; i < p->n_dst; i++)
		if (p->dst[i] == dst)
			return true;
	return false;
}

void
ofp_port_set_tun_dsts(struct ofp *o, uint16_t port, const uint32_t *dst, uint16_t n)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p || p->kind != OFP_PORT_TUNNEL || (p->n_dst == n && !(n && memcmp(p->dst, dst, n * sizeof *dst))))
		return;
	for (unsigned i = 0; i < p->n_dst; i++)
		if (o->dst_port[p->dst[i]] == port)
			o->dst_port[p->dst[i]] = 0;
	p->dst = xrealloc(p->dst, n * sizeof *dst);
	p->n_dst = 0;
	for (unsigned i = 0; i < n; i++) {
		if (dst[i] >= TUN_MAX_DST || has_dst(p, dst[i]))
			continue;
		if (o->dst_port[dst[i]] && o->dst_port[dst[i]] != port)
			release_dst(o, dst[i]);
		p->dst[p->n_dst++] = dst[i];
		o->dst_port[dst[i]] = port;
	}
	ofp_mac_remove(o, p->bridge, dst_gone, o);
	ofp_port_changed(o, port);
}

struct tun_keys *
tun_keys_get(struct tun_keys *k)
{
	if (k)
		k->refs++;
	return k;
}

void
tun_keys_put(struct tun_keys *k)
{
	if (k && !--k->refs)
		free(k);
}

static bool
same_bytes(const void *a, const void *b, size_t len)
{
	return !a || !b ? !a == !b : !memcmp(a, b, len);
}

static bool
same_keys(const struct ofp_tun_flow *a, const struct ofp_tun_flow *b)
{
	return same_bytes(a->vlans, b->vlans, sizeof *a->vlans) &&
	       same_bytes(a->flood_only, b->flood_only, sizeof *a->flood_only);
}

/* The port's own copy of what its settings point to. */
static void
take_keys(struct ofp_port *p)
{
	struct tun_keys *k = NULL, *old = p->keys;

	if (p->tun.vlans || p->tun.flood_only) {
		k = xcalloc(1, sizeof *k);
		k->refs = 1;
		if (p->tun.vlans)
			k->vlans = *p->tun.vlans;
		if (p->tun.flood_only)
			k->flood_only = *p->tun.flood_only;
		p->tun.vlans = p->tun.vlans ? &k->vlans : NULL;
		p->tun.flood_only = p->tun.flood_only ? &k->flood_only : NULL;
	}
	p->keys = k;
	tun_keys_put(old);
}

void
ofp_port_set_tun_flow(struct ofp *o, uint16_t port, const struct ofp_tun_flow *f)
{
	struct ofp_port *p = ofp_port_find(o, port);
	struct ofp_tun_flow *was = p ? &p->tun : NULL;

	if (!p || p->kind != OFP_PORT_TUNNEL ||
	    (was->remote == f->remote && was->local == f->local && was->key == f->key && was->type == f->type &&
	     was->flood_learned == f->flood_learned && was->flood_heard == f->flood_heard && same_keys(was, f) &&
	     ip_equal(&was->fixed_local, &f->fixed_local)))
		return;
	*was = *f;
	take_keys(p);
	ofp_port_prune(o, port);
	ofp_port_changed(o, port);
}

/* --- Paths ------------------------------------------------------------------------------------- */

static uint64_t
peer_hash(uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	uint64_t w[4], h = port;

	memcpy(w, remote, 16);
	memcpy(w + 2, asked, 16);
	for (unsigned i = 0; i < 4; i++)
		h = hash_add(h, w[i]);
	return h;
}

dp_tag
peer_tag(uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	return dp_tag_make(TAG_NEXTHOP, (uint32_t)(peer_hash(port, remote, asked) >> 32));
}

static bool
same_path(const struct ofp_tun_path *a, const struct ofp_tun_path *b)
{
	return a->port == b->port && ip_equal(&a->asked, &b->asked) && a->underlay_port == b->underlay_port &&
	       mac_equal(a->src, b->src) && mac_equal(a->next_hop, b->next_hop) && ip_equal(&a->local, &b->local) &&
	       ip_equal(&a->remote, &b->remote);
}

/* A learned destination comes or goes: what has asked for it looks again, and whoever was behind it is not any more. */
static void
learned_changed(struct ofp *o, uint32_t dst, const struct ofp_tun_path *was, const struct ofp_tun_path *now)
{
	struct ofp_port *p = ofp_port_find(o, was->port);

	if (was->port) {
		ofp_mark(o, peer_tag(was->port, &was->remote, &was->asked));
		o->n_learned--;
		if (o->dst_port[dst] == was->port) {
			o->dst_port[dst] = 0;
			if (p && fdb_n_port(o->bridge[p->bridge]->fdb, was->port))
				ofp_mac_remove(o, p->bridge, dst_gone, o);
		}
	}
	if (now->port) {
		ofp_mark(o, peer_tag(now->port, &now->remote, &now->asked));
		o->n_learned++;
		if (o->dst_port[dst] && o->dst_port[dst] != now->port)
			release_dst(o, dst);
		o->dst_port[dst] = now->port;
	}
}

/* Whether a port's floods go there one by one. */
static bool
is_listed(const struct ofp *o, uint32_t dst)
{
	const struct ofp_port *p = ofp_port_find(o, o->dst_port[dst]);

	return p && has_dst(p, dst);
}

/* Whether only MAC addresses differ, of a path that leaves by a port itself: programs name that port alone, and what is
 * in the headers is the datapath's. */
static bool
only_headers(const struct ofp *o, const struct ofp_tun_path *a, const struct ofp_tun_path *b)
{
	const struct ofp_port *via = ofp_port_find(o, a->underlay_port);
	struct ofp_tun_path x = *a;

	x.src = b->src;
	x.next_hop = b->next_hop;
	return same_path(&x, b) && mac_is_zero(a->next_hop) == mac_is_zero(b->next_hop) &&
	       !(via && via->kind == OFP_PORT_INTERNAL);
}

void
ofp_set_tun_path(struct ofp *o, uint32_t dst, const struct ofp_tun_path *path)
{
	struct ofp_tun_path *p, was;

	if (!dst || dst >= TUN_MAX_DST || same_path(&o->path[dst], path))
		return;
	p = &o->path[dst];
	was = *p;
	*p = *path;
	o->view_dirty = true;
	if (only_headers(o, &was, path))
		return;
	ofp_mark(o, dp_tag_make(TAG_NEXTHOP, dst));
	if (was.port != path->port || !ip_equal(&was.remote, &path->remote) || !ip_equal(&was.asked, &path->asked))
		learned_changed(o, dst, &was, path);
	/* Floods have too many destinations to depend on each: they depend on the bridge. */
	if (is_listed(o, dst))
		ofp_bridge_changed(o, o->port[o->dst_port[dst]]->bridge);
}

/* --- For the view ------------------------------------------------------------------------------ */

uint32_t
ofp_n_paths(const struct ofp *o)
{
	uint32_t n = TUN_MAX_DST;

	if (!o->n_learned)
		return 0;
	while (n && !o->path[n - 1].port)
		n--;
	return n;
}

static uint32_t *
peer_at(const struct ofp_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	uint32_t mask = v->n_peer_slots - 1, i = (uint32_t)peer_hash(port, remote, asked) & mask;

	for (; v->peer_slot[i]; i = (i + 1) & mask) {
		const struct ofp_tun_path *p = &v->path[v->peer_slot[i]];

		if (p->port == port && ip_equal(&p->remote, remote) && ip_equal(&p->asked, asked))
			break;
	}
	return &v->peer_slot[i];
}

uint32_t
view_peer(const struct ofp_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	return v->n_peer_slots ? *peer_at(v, port, remote, asked) : 0;
}

void
ofp_view_peers(const struct ofp *o, struct ofp_view *v)
{
	if (!o->n_learned)
		return;
	for (v->n_peer_slots = 64; v->n_peer_slots < 2 * o->n_learned;)
		v->n_peer_slots *= 2;
	v->peer_slot = xcalloc(v->n_peer_slots, sizeof *v->peer_slot);
	for (uint32_t i = 1; i < v->n_paths; i++)
		if (v->path[i].port)
			*peer_at(v, v->path[i].port, &v->path[i].remote, &v->path[i].asked) = i;
}
