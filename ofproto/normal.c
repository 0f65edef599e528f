/* SPDX-License-Identifier: Apache-2.0 */
/* translate(): the learning switch.  Follows a frame through its bridge, and on through patch ports into
 * others, and collects where copies of it leave and with which tag; program.c turns that into actions.
 *
 * Tags.  A bridge takes the VLAN tag off a frame that comes in and puts one on where the frame leaves.
 * Nothing is taken off or put on while the frame is followed: a 'frame' notes how many of the packet's own tags
 * are off and which one is on instead.  So a frame that comes in tagged 10 and leaves tagged 10, through three
 * bridges perhaps, leaves untouched; where only the VLAN differs the tag is rewritten in place, and its
 * priority stays.  That is also why the priority bits are never part of a flow's match.
 *
 * Split horizon.  A frame that came out of a tunnel never goes into a tunnel of the same bridge, flooded or
 * not.  Overlays are full meshes with head-end replication: the sender has given every other host its copy
 * already.  Who wants to join two overlays puts them on two bridges with a patch between. */
#include "ofproto/pipe_bits.h"
#include "ofproto/pipe_priv.h"

#include "base/clock.h"

enum {
	MAX_DEPTH = 8,                  /* Patch ports one behind the other. */
	MAX_VISITS = 512,               /* Bridges in all that one translation goes through. */
	MAX_TOUCHED = 32,               /* MAC rows stamped by one touch(), along patch ports. */
};

/* What translate() looks at of a key.  Never the priority of a tag, and nothing above layer 2. */
void
examine_l2(struct flow_key *mask)
{
	memset(&mask->dl_src, 0xff, sizeof mask->dl_src);
	memset(&mask->dl_dst, 0xff, sizeof mask->dl_dst);
	mask->vlan[0].tpid = 0xffff;
	mask->vlan[0].tci = be16(VLAN_VID_MASK);
}

static void
examine_inner_tag(struct flow_key *mask, unsigned n)
{
	if (n == 1) {
		mask->vlan[1].tpid = 0xffff;
		mask->vlan[1].tci = be16(VLAN_VID_MASK);
	} else if (n == 2) {
		mask->dl_type = 0xffff;
	}
}

/* Takes the tag off a frame that comes into a bridge.  False: there is one more than the key can show. */
static bool
strip_tag(struct xl *x, struct frame *f, bool *tagged, uint16_t *vid)
{
	const struct flow_key *k = x->key;

	*tagged = false;
	*vid = 0;
	if (f->vid) {
		*tagged = true;
		*vid = f->vid;
		f->vid = 0;
		return true;
	}
	if (f->outer)
		return true;
	examine_inner_tag(x->mask, f->n_off);
	if (f->n_off == ARRAY_SIZE(k->vlan))
		return k->dl_type != be16(VLAN_TPID);
	if (k->vlan[f->n_off].tpid == be16(VLAN_TPID)) {
		*tagged = true;
		*vid = flow_vid(k, f->n_off++);
	}
	return true;
}

/* --- Source ------------------------------------------------------------------------------------ */

/* Where the frame is now. */
struct place {
	const struct view_port *in;
	uint16_t in_port, bridge, vid;
	struct view_bridge *b;
	uint32_t tun_peer;              /* Of a frame that has just come out of a tunnel. */
};

static void
want_learned(struct xl *x, const struct place *p, struct mac src)
{
	struct xlate_learn *l = &x->out->learn;

	/* One address for each translation.  Once it is learned its tag sends the flow here again, and the
	 * next bridge gets its turn. */
	if (l->wanted)
		return;
	*l = (struct xlate_learn){ .wanted = true, .bridge = p->bridge, .vid = p->vid, .port = p->in_port,
				   .tun_dst = p->tun_peer, .mac = src };
}

/* Whether an answer may ask to learn from this port; ofp_learn() would refuse anything else, and the flow
 * would never be told. */
static bool
may_learn(const struct xl *x, const struct place *p)
{
	const struct ofp_view *v = x->view;

	if (!p->in->learning || !p->in->up)
		return false;
	if (p->tun_peer && p->tun_peer < v->n_paths && v->path[p->tun_peer].port == p->in_port)
		return true;
	for (unsigned i = 0; p->tun_peer && i < p->in->n_dst; i++)
		if (p->in->dst[i] == p->tun_peer)
			return true;
	return !p->tun_peer;
}

static enum dp_drop
check_source(struct xl *x, const struct place *p, struct mac src)
{
	struct fdb *fdb = p->b->fdb;
	struct fdb_entry e;
	bool found = fdb_find(fdb, p->vid, src, &e), here = found && e.port == p->in_port;

	xl_tag(x, ofp_mac_tag(p->bridge, p->vid, src));
	if (found && e.is_static)
		return here ? DROP_NONE : DROP_SRC_STATIC;
	/* It does not keep alive what others taught, either. */
	if (x->key->flags & FLOW_F_NO_LEARN)
		return DROP_NONE;
	if (here && e.tun_dst == p->tun_peer) {
		if (!x->out->touch)
			x->out->touch = touch_make(p->bridge, e.row, e.gen);
		return DROP_NONE;
	}
	if (!may_learn(x, p))
		return DROP_NONE;
	if (!here && p->in->mac_limit && fdb_n_port(fdb, p->in_port) >= p->in->mac_limit)
		return DROP_MAC_LIMIT;
	if (!found && fdb_is_full(fdb)) {
		xl_tag(x, dp_tag_make(TAG_BRIDGE, p->bridge));
		fdb_refuse(fdb);
		return DROP_NONE;
	}
	want_learned(x, p, src);
	return DROP_NONE;
}

/* --- Destination ------------------------------------------------------------------------------- */

/* Why a frame may not leave by 'to'; '*tag' is what it would leave with. */
static enum dp_drop
check_egress(const struct place *p, uint16_t port, const struct view_port *to, int *tag)
{
	if (port == p->in_port)
		return DROP_SAME_PORT;
	if (to->kind == OFP_PORT_TUNNEL && p->in->kind == OFP_PORT_TUNNEL)
		return DROP_SPLIT_HORIZON;
	if (to->protected_port && p->in->protected_port)
		return DROP_PROTECTED;
	if (!to->up)
		return DROP_TX_DOWN;
	if (to->of_config & OFPPC_NO_FWD)
		return DROP_OF_PORT;
	*tag = vlan_out(&to->vlan, p->vid);
	return *tag < 0 ? DROP_NO_DEST : DROP_NONE;
}

enum { HEARD_MAX = 128 };                       /* Beyond, all that are learned get it: programs have an end. */

/* To every destination of a tunnel port that wants frames of the VLAN.  False: there is none. */
static bool
flood_tunnel(struct xl *x, struct outs *o, const struct frame *f, uint16_t vid, struct leave all)
{
	const struct ofp_view *v = x->view;
	const struct view_port *to = &v->port[all.port];
	const struct opt_ip_keys *only = to->tun.flood_only;
	struct leave one = all;
	unsigned before = o->n;
	uint32_t n = 0;
	const struct view_heard *h = to->tun.flood_heard ? view_heard(v, all.port, vid, &n) : NULL;

	one.tunnel = true;
	all.learned = true;
	if (to->tun.flood_learned || n > HEARD_MAX)
		outs_add(o, f, x->key, all);
	for (unsigned i = 0; i < to->n_dst && n <= HEARD_MAX; i++) {
		one.dst = to->dst[i];
		if (!only || one.dst >= v->n_paths || opt_ip_keys_allow(only, &v->path[one.dst].remote, all.key))
			outs_add(o, f, x->key, one);
	}
	for (uint32_t i = 0; i < n && n <= HEARD_MAX; i++) {
		bool listed = false;

		for (unsigned k = 0; k < to->n_dst && !listed; k++)
			listed = to->dst[k] == h[i].dst;
		one.dst = h[i].dst;
		if (!listed)
			outs_add(o, f, x->key, one);
	}
	return o->n > before;
}

/* Sends the frame, its tag taken off, out of a port.  'tun_dst' 0: to every destination of a tunnel. */
static enum dp_drop
deliver(struct xl *x, struct outs *o, const struct place *p, struct frame f, uint16_t port, uint32_t tun_dst,
	bool flooded)
{
	const struct view_port *to = &x->view->port[port], *peer;
	struct leave leave = { .port = port, .flooded = flooded };
	enum dp_drop drop;
	int tag = 0;

	if (!flooded)
		xl_tag(x, dp_tag_make(TAG_PORT, port));
	drop = check_egress(p, port, to, &tag);
	if (drop)
		return drop;
	f.vid = (uint16_t)tag;
	switch ((enum ofp_port_kind)to->kind) {
	case OFP_PORT_PLAIN:
	case OFP_PORT_INTERNAL:
		outs_add(o, &f, x->key, leave);
		return DROP_NONE;
	case OFP_PORT_PATCH:
		peer = port_find(x->view, to->peer);
		return peer && peer->kind == OFP_PORT_PATCH ? visit(x, o, f, to->peer, 0) : DROP_NO_DEST;
	case OFP_PORT_TUNNEL:
		if (to->vlan.keys) {
			leave.keyed = true;
			leave.key = (uint32_t)opt_map_key(to->vlan.keys, p->vid);
		}
		if (tun_dst) {
			leave.tunnel = true;
			leave.dst = tun_dst;
			outs_add(o, &f, x->key, leave);
			return DROP_NONE;
		}
		if (!flooded)
			xl_tag(x, dp_tag_make(TAG_BRIDGE, p->bridge));
		return flood_tunnel(x, o, &f, p->vid, leave) ? DROP_NONE : DROP_NO_DEST;
	}
	return DROP_NO_DEST;
}

static enum dp_drop
flood(struct xl *x, struct outs *o, const struct place *p, const struct frame *f)
{
	unsigned before = o->n;

	xl_tag(x, dp_tag_make(TAG_BRIDGE, p->bridge));
	for (unsigned i = 0; i < p->b->n_flood && !x->loop && !x->too_much; i++)
		deliver(x, o, p, *f, p->b->flood[i], 0, true);
	return o->n > before ? DROP_NONE : DROP_NO_DEST;
}

static bool
is_reserved(struct mac m)
{
	static const struct mac reserved = { { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 } };

	return memcmp(&m, &reserved, 5) == 0 && m.b[5] < 0x10;
}

static enum dp_drop
to_destination(struct xl *x, struct outs *o, const struct place *p, const struct frame *f)
{
	struct fdb_entry e;
	const struct view_port *to;

	if (mac_is_multicast(f->dst))
		return flood(x, o, p, f);
	xl_tag(x, ofp_mac_tag(p->bridge, p->vid, f->dst));
	if (!fdb_find(p->b->fdb, p->vid, f->dst, &e))
		return flood(x, o, p, f);
	/* The table may be newer than the view. */
	to = port_find(x->view, e.port);
	if (!to || to->bridge != p->bridge)
		return flood(x, o, p, f);
	return deliver(x, o, p, *f, e.port, e.tun_dst, false);
}

enum dp_drop
visit_bridge(struct xl *x, struct outs *o, struct frame f, const struct view_port *in, uint16_t in_port,
	     uint32_t tun_peer)
{
	struct place p = { .in = in, .in_port = in_port, .bridge = in->bridge,
			   .b = &x->view->bridge[in->bridge], .tun_peer = tun_peer };
	enum dp_drop drop;
	bool tagged;
	uint16_t tag;
	int vid;

	if (mac_is_multicast(f.src) || mac_is_zero(f.src))
		return DROP_SRC_MULTICAST;
	if (is_reserved(f.dst)) {
		xl_tag(x, dp_tag_make(TAG_BRIDGE, p.bridge));
		if (!p.b->forward_reserved)
			return DROP_RESERVED;
	}
	if (in->vlan.keys) {
		/* What tags it has are its own affair. */
		x->mask->tun_id = UINT64_MAX;
		vid = opt_map_vid(in->vlan.keys, host64(x->key->tun_id));
	} else if (strip_tag(x, &f, &tagged, &tag)) {
		vid = vlan_in(&in->vlan, tagged, tag);
	} else {
		vid = -1;
	}
	if (vid < 0)
		return DROP_VLAN;
	p.vid = (uint16_t)vid;
	/* The host's own outer frames teach nothing that its ARP does not; and flows have few tags to spare. */
	drop = f.outer ? DROP_NONE : check_source(x, &p, f.src);
	return drop ? drop : to_destination(x, o, &p, &f);
}

/* Whether the port's settings let a frame in.  NO_RECV_STP is about bridge protocol frames, NO_RECV about all others. */
static bool
may_receive(const struct view_port *in, struct mac dst)
{
	static const struct mac stp = { { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 } };

	if (in->of_config & OFPPC_PORT_DOWN)
		return false;
	return !(in->of_config & (mac_equal(dst, stp) ? OFPPC_NO_RECV_STP : OFPPC_NO_RECV));
}

enum dp_drop
visit_begin(struct xl *x, struct mac dst, uint16_t in_port, const struct view_port **in)
{
	*in = port_find(x->view, in_port);
	if (!*in) {
		xl_tag(x, dp_tag_make(TAG_PORT, in_port));
		return DROP_NO_BRIDGE;
	}
	xl_tag_of(x, dp_tag_make(TAG_PORT, in_port), TAG_PORT, (*in)->bridge);
	if (UNLIKELY((*in)->of_config) && !may_receive(*in, dst))
		return DROP_OF_PORT;
	if (x->depth) {
		/* Frames that really come in are taken while the link is thought to be down: it has come up just
		 * now.  At the end of a patch there is no such thing. */
		if (!(*in)->up)
			return DROP_TX_DOWN;
		if (x->depth > MAX_DEPTH) {
			x->loop = true;
			return DROP_PATCH_LOOP;
		}
	}
	if (++x->n_visits > MAX_VISITS) {
		x->too_much = true;
		return DROP_RECURSION;
	}
	x->depth++;
	return DROP_NONE;
}

void
visit_end(struct xl *x)
{
	x->depth--;
}

static uint64_t
normal_ref(const struct view_bridge *b)
{
	return __atomic_load_n(&b->of->normal_ref, __ATOMIC_ACQUIRE);
}

enum dp_drop
visit(struct xl *x, struct outs *o, struct frame f, uint16_t in_port, uint32_t tun_peer)
{
	const struct view_port *in;
	enum dp_drop drop = visit_begin(x, f.dst, in_port, &in);
	uint64_t ref;

	if (drop)
		return drop;
	ref = normal_ref(&x->view->bridge[in->bridge]);
	if (LIKELY(ref)) {
		xlate_ref(x->out, ref);
		drop = visit_bridge(x, o, f, in, in_port, tun_peer);
	} else {
		outs_add(o, &f, x->key, (struct leave){ .port = in_port, .pipe = true, .outer = f.outer });
	}
	visit_end(x);
	return drop;
}

/* --- The translator ---------------------------------------------------------------------------- */

static void
mask_init(const struct view_port *in, struct flow_key *mask)
{
	mask->in_port = 0xffff;
	if (!in)
		return;
	examine_l2(mask);
	if (in->kind == OFP_PORT_TUNNEL) {
		mask->tun_peer = 0xffffffff;
		mask->flags |= FLOW_F_NO_LEARN;
		if (in->vlan.keys)
			mask->tun_id = UINT64_MAX;
	}
}

/* Nothing is sent, and nothing is learned from it. */
static void
give_up(struct xlate_out *out, enum dp_drop why)
{
	out->acts.n = 0;
	out->acts.overflow = false;
	out->drop = why;
	out->n_notes = 0;
	if (!out->learn.wanted)
		return;
	/* What was not yet learned is normally settled by learning it.  It will not be: any change may matter. */
	out->learn.wanted = false;
	out->tags[0] = dp_tag_make(TAG_ALL, 0);
}

/* The learning switch of the port's bridge. */
static void
translate_normal(struct xl *x, const struct view_port *in)
{
	const struct flow_key *key = x->key;
	struct frame f = { .src = key->dl_src, .dst = key->dl_dst };
	struct xlate_out *out = x->out;
	struct outs o;

	outs_init(&o);
	mask_init(in, &out->mask);
	out->drop = visit(x, &o, f, key->in_port, in && in->kind == OFP_PORT_TUNNEL ? key->tun_peer : 0);
	if (!o.n || x->loop || x->too_much || o.overflow) {
		x->too_much |= o.overflow;
		return;
	}
	program_emit(x, &o);
	if (LIKELY(x->n_sent)) {
		out->drop = DROP_NONE;
	} else {
		out->acts.n = 0;
		out->drop = x->why;
	}
}

void
xl_translate(struct xl *x)
{
	const struct view_port *in = port_find(x->view, x->key->in_port);

	if (LIKELY(!in || normal_ref(&x->view->bridge[in->bridge])))
		translate_normal(x, in);
	else
		pipe_translate(x);
	xl_finish(x);
}

static void
translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	struct xl x = { .view = view, .key = key, .mask = &out->mask, .out = out, .pkt = pkt };

	xl_translate(&x);
}

void
xl_finish(struct xl *x)
{
	if (x->loop)
		give_up(x->out, DROP_PATCH_LOOP);
	else if (x->too_much || x->out->acts.overflow)
		give_up(x->out, DROP_RECURSION);
}

/* What it looks at of a view is compared by has_same_masks() in view.c. */
static void
port_mask(const void *view, uint16_t port, struct flow_key *mask)
{
	const struct ofp_view *v = view;
	const struct view_port *in = port_find(v, port);

	mask_init(in, mask);
	if (!in)
		return;
	if (v->has_patch) {
		examine_inner_tag(mask, 1);
		examine_inner_tag(mask, 2);
	}
	for (unsigned i = 0; i < v->n_bridges; i++)
		if (v->bridge[i].of && !v->bridge[i].normal && (v->has_patch || i == in->bridge))
			pipe_bits_key(&v->bridge[i].bits, in->kind == OFP_PORT_TUNNEL, mask);
}

static const struct tlv_table *
port_opts(const void *view, uint16_t port)
{
	const struct ofp_view *v = view;
	const struct view_port *in = port_find(v, port);

	const struct view_bridge *b = in ? &v->bridge[in->bridge] : NULL;

	return b && (b->has_tlv || b->tlv.oam) ? &b->tlv : NULL;
}

static uint64_t
masks_version(const void *view)
{
	return ((const struct ofp_view *)view)->masks_version;
}

/* --- Use --------------------------------------------------------------------------------------- */

/* A station in use in one bridge is in use behind its patch ports, where it was learned as well: only the
 * first bridge's row is named by the flow. */
static void
touch_patches(const struct ofp_view *v, uint16_t bridge, uint16_t vid, struct mac mac, uint32_t now,
	      unsigned depth, unsigned *left)
{
	const struct view_bridge *b = &v->bridge[bridge];

	for (unsigned i = 0; i < b->n_patch && *left && depth < MAX_DEPTH; i++) {
		const struct view_port *out = &v->port[b->patch[i]], *in = port_find(v, out->peer);
		int tag = vlan_out(&out->vlan, vid), to;
		struct fdb_entry e;

		to = in && tag >= 0 ? vlan_in(&in->vlan, tag > 0, (uint16_t)tag) : -1;
		if (to < 0 || !fdb_find(v->bridge[in->bridge].fdb, (uint16_t)to, mac, &e) || e.port != out->peer)
			continue;
		--*left;
		if (fdb_touch(v->bridge[in->bridge].fdb, e.row, e.gen, now, &(uint16_t){ 0 }, &(struct mac){ { 0 } }))
			touch_patches(v, in->bridge, (uint16_t)to, mac, now, depth + 1, left);
	}
}

static void
touch(const void *view, uint64_t handle)
{
	const struct ofp_view *v = view;
	uint32_t row, gen, now = (uint32_t)clock_ms();
	unsigned left = MAX_TOUCHED;
	uint16_t bridge, vid;
	struct mac mac;

	touch_split(handle, &bridge, &row, &gen);
	if (bridge >= v->n_bridges || !v->bridge[bridge].fdb)
		return;
	if (fdb_touch(v->bridge[bridge].fdb, row, gen, now, &vid, &mac) && v->bridge[bridge].n_patch)
		touch_patches(v, bridge, vid, mac, now, 0, &left);
}

static void
credit(const void *view, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
	const struct ofp_view *v = view;

	for (unsigned i = 0; i < n; i++) {
		uint16_t bridge = of_ref_bridge(refs[i]);

		if (bridge < v->n_bridges && v->bridge[bridge].of)
			of_pipe_credit(v->bridge[bridge].of->pipe, refs[i], packets, bytes, used_ms);
	}
}

const struct xlate_ops ofp_xlate = {
	.translate = translate,
	.port_mask = port_mask,
	.masks_version = masks_version,
	.port_opts = port_opts,
	.touch = touch,
	.credit = credit,
};
