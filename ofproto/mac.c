/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's half of the MAC tables: learning, ageing, flushing, static rows.
 *
 * Rows are changed in place, under the eyes of the lcores; their tags are marked by the next ofp_commit().
 * An lcore that translates in between sees the new row and is asked to translate once more: no harm. */
#include "ofproto/ofp_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

enum {
	AGE_QUANTUM = 1 << 16,          /* Rows looked at by one ofp_tick(), per bridge. */
	MOVES_MAX = 1000,               /* Addresses that may move to a port between two of them. */
};

dp_tag
ofp_mac_tag(uint16_t bridge, uint16_t vid, struct mac mac)
{
	/* No seed: who crafts collisions wins that a flow is translated once more, as by any new address. */
	return dp_tag_make(TAG_MAC, (uint32_t)hash_mix((uint64_t)bridge << 60 ^ (uint64_t)(bridge >> 4) << 40 ^
						       (uint64_t)vid << 48 ^ mac_u64(mac)));
}

static void
mark_row(struct ofp *o, uint16_t bridge, const struct fdb_row_info *row)
{
	ofp_mark(o, ofp_mac_tag(bridge, row->vid, row->mac));
}

/* Limits were reached and are no more: flows that were refused because of them get another chance. */
static void
room_made(struct ofp *o, uint16_t bridge, uint16_t port, bool was_full, bool port_was_full)
{
	const struct ofp_bridge *b = o->bridge[bridge];

	if (was_full && !fdb_is_full(b->fdb))
		ofp_mark(o, dp_tag_make(TAG_BRIDGE, bridge));
	if (port_was_full)
		ofp_mark(o, dp_tag_make(TAG_PORT, port));
}

static bool
port_is_full(const struct ofp *o, const struct fdb *f, uint16_t port)
{
	const struct ofp_port *p = ofp_port_find(o, port);

	return p && p->conf.mac_limit && fdb_n_port(f, port) >= p->conf.mac_limit;
}

static void
remove_row(struct ofp *o, uint16_t bridge, uint32_t row, const struct fdb_row_info *info)
{
	struct fdb *f = o->bridge[bridge]->fdb;
	bool was_full = fdb_is_full(f), port_was_full = port_is_full(o, f, info->port);

	fdb_del(f, row);
	ofp_heard_del(o, info->tun_dst, info->vid);
	mark_row(o, bridge, info);
	room_made(o, bridge, info->port, was_full, port_was_full);
}

static void
move_row(struct ofp *o, uint16_t bridge, const struct fdb_entry *e, const struct fdb_row_info *to)
{
	struct fdb *f = o->bridge[bridge]->fdb;
	bool port_was_full = port_is_full(o, f, e->port);

	fdb_move(f, e->row, to->port, to->tun_dst, to->is_static);
	ofp_heard_del(o, e->tun_dst, to->vid);
	ofp_heard_add(o, to->tun_dst, to->vid);
	mark_row(o, bridge, to);
	room_made(o, bridge, e->port, false, port_was_full);
	/* Frames that were let through because the table has no room are now above the port's limit. */
	if (fdb_is_full(f) && port_is_full(o, f, to->port))
		ofp_mark(o, dp_tag_make(TAG_BRIDGE, bridge));
}

/* --- Learning ---------------------------------------------------------------------------------- */

/* Whether what translate() saw still holds: the request may be late. */
static bool
learn_is_valid(const struct ofp *o, const struct xlate_learn *l)
{
	const struct ofp_port *p = ofp_port_find(o, l->port);
	struct vlan_rules vlan;

	if (!p || p->bridge != l->bridge || !p->up || !p->conf.learning)
		return false;
	if (mac_is_multicast(l->mac) || mac_is_zero(l->mac))
		return false;
	vlan = ofp_port_vlan(p);
	if (!vlan_carries(&vlan, l->vid))
		return false;
	if (!l->tun_dst)
		return true;
	return p->kind == OFP_PORT_TUNNEL && l->tun_dst < TUN_MAX_DST && o->dst_port[l->tun_dst] == l->port;
}

void
ofp_learn(struct ofp *o, const struct xlate_learn *l)
{
	struct ofp_bridge *b = ofp_bridge_find(o, l->bridge);
	struct fdb_row_info row = { .vid = l->vid, .mac = l->mac, .port = l->port, .tun_dst = l->tun_dst,
				    .used_ms = (uint32_t)clock_ms() };
	struct fdb_entry e;
	bool found;

	if (!b || !learn_is_valid(o, l))
		return;
	found = fdb_find(b->fdb, l->vid, l->mac, &e);
	/* Known here already: asked for twice. */
	if (found && (e.is_static || (e.port == l->port && e.tun_dst == l->tun_dst)))
		return;
	if (!(found && e.port == l->port) && port_is_full(o, b->fdb, l->port)) {
		b->refused++;
		/* The flow was let through on the promise that it would be learned: not so. */
		mark_row(o, l->bridge, &row);
	} else if (found && o->port[l->port]->n_moves >= MOVES_MAX) {
		/* Two ports fight over an address, each frame moves it and sends the other's flow here again: that
		 * would keep every thread busy.  The flow is translated again, and asks again, after a tick. */
		tag_set_add(&o->later, ofp_mac_tag(l->bridge, l->vid, l->mac));
	} else if (found) {
		move_row(o, l->bridge, &e, &row);
		o->port[l->port]->n_moves++;
		b->moved++;
	} else {
		if (fdb_add(b->fdb, &row)) {
			b->learned++;
			ofp_heard_add(o, row.tun_dst, row.vid);
		} else {
			b->refused++;
		}
		mark_row(o, l->bridge, &row);
	}
}

/* --- Forgetting -------------------------------------------------------------------------------- */

unsigned
ofp_mac_remove(struct ofp *o, uint16_t bridge, bool (*match)(const struct fdb_row_info *, const void *),
	       const void *arg)
{
	struct ofp_bridge *b = o->bridge[bridge];
	struct fdb_row_info info;
	unsigned n = 0;

	for (uint32_t i = 1; i <= fdb_n_rows(b->fdb); i++) {
		if (!fdb_row(b->fdb, i, &info) || !match(&info, arg))
			continue;
		remove_row(o, bridge, i, &info);
		if (!info.is_static)
			n++;
	}
	b->flushed += n;
	return n;
}

struct flush {
	uint16_t port;                  /* 0: any. */
	int vid;                        /* FLUSH_ANY: any. */
	bool statics;
};

static bool
flush_match(const struct fdb_row_info *row, const void *arg)
{
	const struct flush *f = arg;

	return (!row->is_static || f->statics) && (!f->port || row->port == f->port) &&
	       (f->vid == FLUSH_ANY || row->vid == f->vid);
}

unsigned
ofp_mac_remove_port(struct ofp *o, uint16_t port, bool statics)
{
	struct flush f = { .port = port, .vid = FLUSH_ANY, .statics = statics };
	uint16_t bridge = o->port[port]->bridge;

	/* Spares the walk over a large table for a port that learned nothing. */
	if (!statics && !fdb_n_port(o->bridge[bridge]->fdb, port))
		return 0;
	return ofp_mac_remove(o, bridge, flush_match, &f);
}

unsigned
ofp_mac_flush(struct ofp *o, uint16_t bridge, uint16_t port, int vid)
{
	struct flush f = { .port = port, .vid = vid < 0 ? FLUSH_ANY : vid };

	return ofp_bridge_find(o, bridge) ? ofp_mac_remove(o, bridge, flush_match, &f) : 0;
}

/* Milliseconds since a stamp; stamps may be a little younger than 'now'. */
static uint32_t
age_ms(uint32_t now, uint32_t used)
{
	int32_t age = (int32_t)(now - used);

	return age > 0 ? (uint32_t)age : 0;
}

static void
renew_moves(struct ofp *o)
{
	for (unsigned i = 0; i < DP_MAX_PORTS; i++)
		if (o->port[i])
			o->port[i]->n_moves = 0;
	for (; o->later.n; o->later.n--) {
		dp_tag tag = o->later.tag[o->later.n - 1];

		o->later.has[tag >> 6] = 0;
		ofp_mark(o, tag);
	}
}

void
ofp_tick(struct ofp *o, uint64_t now_ms)
{
	struct fdb_row_info info;

	renew_moves(o);

	for (uint16_t id = 1; id < OFP_MAX_BRIDGES; id++) {
		struct ofp_bridge *b = o->bridge[id];
		uint32_t n, limit_ms;

		if (!b)
			continue;
		limit_ms = b->conf.mac_age * 1000;
		n = MIN_OF(fdb_n_rows(b->fdb), (uint32_t)AGE_QUANTUM);
		for (; n; n--) {
			if (++b->age_at > fdb_n_rows(b->fdb))
				b->age_at = 1;
			if (!fdb_row(b->fdb, b->age_at, &info) || info.is_static ||
			    age_ms((uint32_t)now_ms, info.used_ms) <= limit_ms)
				continue;
			remove_row(o, id, b->age_at, &info);
			b->aged++;
		}
	}
}

/* --- Static rows ------------------------------------------------------------------------------- */

/* Makes room in a full table: the operator's rows come before learned ones.  0: all are static. */
static bool
evict_oldest(struct ofp *o, uint16_t bridge)
{
	struct ofp_bridge *b = o->bridge[bridge];
	uint32_t now = (uint32_t)clock_ms(), row = 0, oldest = 0;
	struct fdb_row_info info, victim;

	for (uint32_t i = 1; i <= fdb_n_rows(b->fdb); i++) {
		if (!fdb_row(b->fdb, i, &info) || info.is_static)
			continue;
		if (!row || age_ms(now, info.used_ms) > oldest) {
			row = i;
			oldest = age_ms(now, info.used_ms);
			victim = info;
		}
	}
	if (!row)
		return false;
	remove_row(o, bridge, row, &victim);
	b->flushed++;
	return true;
}

int
ofp_mac_add(struct ofp *o, uint16_t bridge, uint16_t vid, struct mac mac, uint16_t port, struct err *e)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	struct fdb_row_info row = { .vid = vid, .mac = mac, .port = port, .is_static = true };
	const struct ofp_port *p = ofp_port_find(o, port);
	struct fdb_entry entry;
	struct vlan_rules vlan;
	char text[MAC_STR_LEN];

	if (!b)
		return err_set(e, ENOENT, "no bridge has number %u", bridge);
	if (!p || p->bridge != bridge)
		return err_set(e, ENOENT, "port %u is not on this bridge", port);
	if (mac_is_multicast(mac) || mac_is_zero(mac))
		return err_set(e, EINVAL, "%s is not the address of a station", mac_format(mac, text));
	vlan = ofp_port_vlan(p);
	if (!vlan_carries(&vlan, vid))
		return err_set(e, EINVAL, "the port does not carry VLAN %u", vid);
	if (fdb_find(b->fdb, vid, mac, &entry)) {
		move_row(o, bridge, &entry, &row);
		return 0;
	}
	if (fdb_is_full(b->fdb) && !evict_oldest(o, bridge))
		return err_set(e, ENOSPC, "the MAC table is full of static entries: raise the bridge's mac-limit "
			       "(now %u)", b->conf.mac_limit);
	fdb_add(b->fdb, &row);
	mark_row(o, bridge, &row);
	return 0;
}

int
ofp_mac_del(struct ofp *o, uint16_t bridge, uint16_t vid, struct mac mac, struct err *e)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	struct fdb_row_info info;
	struct fdb_entry entry;
	char text[MAC_STR_LEN];

	if (!b)
		return err_set(e, ENOENT, "no bridge has number %u", bridge);
	if (!fdb_find(b->fdb, vid, mac, &entry))
		return err_set(e, ENOENT, "no entry for %s in VLAN %u", mac_format(mac, text), vid);
	fdb_row(b->fdb, entry.row, &info);
	remove_row(o, bridge, entry.row, &info);
	return 0;
}

/* --- Another size ------------------------------------------------------------------------------ */

/* Static rows first, then the most recently used. */
static int
by_worth(const void *a, const void *b)
{
	const struct fdb_row_info *x = a, *y = b;

	if (x->is_static != y->is_static)
		return x->is_static ? -1 : 1;
	return (int32_t)(x->used_ms - y->used_ms) > 0 ? -1 : x->used_ms != y->used_ms;
}

/* All rows, for the caller to free. */
static struct fdb_row_info *
list_rows(const struct fdb *f, uint32_t *n)
{
	struct fdb_counts c;
	struct fdb_row_info *list;

	fdb_counts(f, &c);
	list = xcalloc(c.n, sizeof *list);
	*n = 0;
	for (uint32_t i = 1; i <= fdb_n_rows(f); i++)
		if (fdb_row(f, i, &list[*n]) && ++*n == c.n)
			break;
	return list;
}

void
ofp_mac_resize(struct ofp *o, uint16_t bridge, uint32_t limit)
{
	struct ofp_bridge *b = o->bridge[bridge];
	struct fdb *to;
	struct fdb_counts c;
	struct fdb_row_info *list;
	uint32_t n;

	fdb_counts(b->fdb, &c);
	list = list_rows(b->fdb, &n);
	qsort(list, n, sizeof *list, by_worth);
	to = fdb_create(MAX_OF(limit, c.n_static));
	for (uint32_t i = 0; i < n; i++) {
		if (!fdb_add(to, &list[i])) {
			mark_row(o, bridge, &list[i]);
			ofp_heard_del(o, list[i].tun_dst, list[i].vid);
			b->flushed++;
		}
	}
	free(list);
	b->refused += c.refused;
	b->age_at = 0;
	fdb_put(b->fdb);
	b->fdb = to;
}

/* --- Looking ----------------------------------------------------------------------------------- */

static int
by_address(const void *a, const void *b)
{
	const struct fdb_row_info *x = a, *y = b;
	uint64_t p = mac_u64(x->mac), q = mac_u64(y->mac);

	if (x->vid != y->vid)
		return x->vid < y->vid ? -1 : 1;
	return p < q ? -1 : p > q;
}

void
ofp_mac_each(const struct ofp *o, uint16_t bridge, void (*cb)(void *, const struct ofp_mac *), void *arg)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	uint32_t n, now = (uint32_t)clock_ms();
	struct fdb_row_info *list;

	if (!b)
		return;
	list = list_rows(b->fdb, &n);
	qsort(list, n, sizeof *list, by_address);
	for (uint32_t i = 0; i < n; i++) {
		struct ofp_mac m = {
			.mac = list[i].mac, .vid = list[i].vid, .port = list[i].port,
			.tun_dst = list[i].tun_dst, .is_static = list[i].is_static,
			.age_s = list[i].is_static ? 0 : age_ms(now, list[i].used_ms) / 1000,
			.moves = list[i].moves,
		};

		cb(arg, &m);
	}
	free(list);
}

void
ofp_mac_stats(const struct ofp *o, uint16_t bridge, struct ofp_mac_stats *s)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	struct fdb_counts c;

	*s = (struct ofp_mac_stats){ 0 };
	if (!b)
		return;
	fdb_counts(b->fdb, &c);
	*s = (struct ofp_mac_stats){
		.n = c.n, .n_static = c.n_static, .limit = c.limit, .learned = b->learned, .moved = b->moved,
		.aged = b->aged, .flushed = b->flushed, .refused = b->refused + c.refused,
	};
}

uint64_t
ofp_mac_bytes(const struct ofp *o, uint16_t bridge)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	return b ? fdb_bytes(b->fdb) : 0;
}

uint32_t
ofp_port_n_macs(const struct ofp *o, uint16_t port)
{
	const struct ofp_port *p = ofp_port_find(o, port);

	return p ? fdb_n_port(o->bridge[p->bridge]->fdb, port) : 0;
}
