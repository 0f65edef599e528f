/* SPDX-License-Identifier: Apache-2.0 */
/* Behind which tunnel destinations addresses of which VLANs were learned: who gets flooded frames of a VLAN where only
 * those are to get them that have it.  Counted along with the rows of MAC tables, for all tunnels; views have it of the
 * ports that ask. */
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/ofp_priv.h"

static uint64_t
key_of(uint32_t dst, uint16_t vid)
{
	return (uint64_t)dst << 16 | vid;
}

/* Where it is, or would be.  Destination 0 is none: a key of 0 is a free slot. */
static uint32_t
slot_of(const struct heard *h, uint64_t key)
{
	uint32_t i = (uint32_t)hash_mix(key) & (h->n_slots - 1);

	while (h->slot[i].key && h->slot[i].key != key)
		i = (i + 1) & (h->n_slots - 1);
	return i;
}

static void
grow(struct heard *h)
{
	struct heard old = *h;

	h->n_slots = MAX_OF(2 * old.n_slots, 64u);
	h->slot = xcalloc(h->n_slots, sizeof *h->slot);
	for (uint32_t i = 0; i < old.n_slots; i++)
		if (old.slot[i].key)
			h->slot[slot_of(h, old.slot[i].key)] = old.slot[i];
	free(old.slot);
}

/* Takes a slot out, and moves up those behind it that would not be found any more. */
static void
take_out(struct heard *h, uint32_t at)
{
	uint32_t mask = h->n_slots - 1;

	for (uint32_t i = (at + 1) & mask; h->slot[i].key; i = (i + 1) & mask) {
		uint32_t home = (uint32_t)hash_mix(h->slot[i].key) & mask;

		/* It may stay where its own way does not lead over the gap. */
		if (((i - home) & mask) < ((i - at) & mask))
			continue;
		h->slot[at] = h->slot[i];
		at = i;
	}
	h->slot[at].key = 0;
	h->n--;
}

static void
changed(struct ofp *o, uint32_t dst)
{
	const struct ofp_port *p = ofp_port_find(o, o->dst_port[dst]);

	if (p && p->tun.flood_heard)
		ofp_bridge_changed(o, p->bridge);
}

void
ofp_heard_add(struct ofp *o, uint32_t dst, uint16_t vid)
{
	struct heard *h = &o->heard;
	uint32_t i;

	if (!dst || dst >= TUN_MAX_DST)
		return;
	if (2 * h->n >= h->n_slots)
		grow(h);
	i = slot_of(h, key_of(dst, vid));
	if (!h->slot[i].key) {
		h->slot[i] = (struct heard_slot){ .key = key_of(dst, vid) };
		h->n++;
		changed(o, dst);
	}
	h->slot[i].n_rows++;
}

void
ofp_heard_del(struct ofp *o, uint32_t dst, uint16_t vid)
{
	struct heard *h = &o->heard;
	uint32_t i;

	if (!dst || dst >= TUN_MAX_DST || !h->n)
		return;
	i = slot_of(h, key_of(dst, vid));
	if (!h->slot[i].key || --h->slot[i].n_rows)
		return;
	take_out(h, i);
	changed(o, dst);
}

void
ofp_heard_fini(struct ofp *o)
{
	free(o->heard.slot);
}

/* --- For the view -------------------------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct view_heard *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->vid != y->vid)
		return x->vid < y->vid ? -1 : 1;
	return x->dst < y->dst ? -1 : x->dst > y->dst;
}

void
ofp_view_heard(const struct ofp *o, struct ofp_view *v)
{
	const struct heard *h = &o->heard;
	bool any = false;

	for (unsigned i = 0; i < v->n_ports && h->n && !any; i++)
		any = v->port[i].tun.flood_heard;
	if (!any)
		return;
	v->heard = xcalloc(h->n, sizeof *v->heard);
	for (uint32_t i = 0; i < h->n_slots; i++) {
		uint32_t dst = (uint32_t)(h->slot[i].key >> 16);
		uint16_t port = dst ? o->dst_port[dst] : 0;

		if (port && port < v->n_ports && v->port[port].tun.flood_heard)
			v->heard[v->n_heard++] = (struct view_heard){ .port = port, .vid = (uint16_t)h->slot[i].key, .dst = dst };
	}
	qsort(v->heard, v->n_heard, sizeof *v->heard, by_place);
}

const struct view_heard *
view_heard(const struct ofp_view *v, uint16_t port, uint16_t vid, uint32_t *n)
{
	uint32_t from = 0, to = v->n_heard;

	while (from < to) {
		uint32_t at = from + (to - from) / 2;
		const struct view_heard *h = &v->heard[at];

		if (h->port < port || (h->port == port && h->vid < vid))
			from = at + 1;
		else
			to = at;
	}
	for (*n = 0; from + *n < v->n_heard && v->heard[from + *n].port == port && v->heard[from + *n].vid == vid;)
		++*n;
	return *n ? &v->heard[from] : NULL;
}
