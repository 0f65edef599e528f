/* SPDX-License-Identifier: Apache-2.0 */
/* The tunnel view: built once by the control plane, then read only.  See tunnel.h. */
#include "datapath/tunnel_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

enum { ALLOW_LOOKS = 16 };              /* Lists that are looked through before something is kept; with more, all may be. */

struct tun_view *
tun_view_create(void)
{
	struct tun_view *v = xcalloc(1, sizeof *v);

	v->seed = hash_random_seed();
	for (unsigned i = 0; i < ARRAY_SIZE(v->factor); i++)
		v->factor[i] = hash_random_seed() | 1;
	return v;
}

void
tun_view_destroy(struct tun_view *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < v->n_allow; i++)
		free(v->allow[i].who);
	free(v->allow);
	free(v->endpoint);
	free(v->slot);
	free(v->key_slot);
	free(v->pair_slot);
	for (uint32_t i = 0; i < v->n_dst; i++)
		free((void *)(uintptr_t)v->dst[i].ways);
	map_free(v->dst, v->n_dst * sizeof *v->dst);
	free(v->peer_slot);
	free(v->peer_next);
	free(v->peer_head);
	free(v);
}

/* Sums of products by factors that nobody knows, which do not wait for each other; mixed once, at the end. */
static uint64_t
key_sum(const struct tun_view *v, unsigned wild, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	return v->seed + (uintptr_t)type * v->factor[4] + ((uint64_t)wild << 48 | (uint64_t)udp_port << 32 | key) * v->factor[5];
}

static uint64_t
key_hash(const struct tun_view *v, unsigned wild, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	return hash_mix(key_sum(v, wild, type, udp_port, key));
}

static uint64_t
full_hash(const struct tun_view *v, uint64_t sum, const struct ipaddr *remote, const struct ipaddr *local)
{
	uint64_t w[4];

	memcpy(w, remote, 16);
	memcpy(w + 2, local, 16);
	for (unsigned i = 0; i < 4; i++)
		sum += w[i] * v->factor[i];
	return hash_mix(sum);
}

/* Among the endpoints that leave open what 'wild' says. */
static const struct tun_endpoint *
find_shape(const struct tun_view *v, unsigned wild, const struct tun_type *type, uint16_t udp_port, uint32_t key,
	   const struct ipaddr *remote, const struct ipaddr *local)
{
	static const struct ipaddr none;
	uint64_t h;

	key = wild & TUN_WILD_KEY ? 0 : key;
	remote = wild & TUN_WILD_REMOTE ? &none : remote;
	local = wild & TUN_WILD_LOCAL ? &none : local;
	h = full_hash(v, key_sum(v, wild, type, udp_port, key), remote, local);
	for (uint32_t i = (uint32_t)h & (v->n_slots - 1); v->slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct tun_endpoint *e = &v->endpoint[v->slot[i] - 1];

		if (e->key == key && e->udp_port == udp_port && e->type == type && e->wild == wild &&
		    ip_equal(&e->remote, remote) && ip_equal(&e->local, local))
			return e;
	}
	return NULL;
}

const struct tun_endpoint *
tun_view_find(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key,
	      const struct ipaddr *remote, const struct ipaddr *local)
{
	for (unsigned left = v->shapes; left; left &= left - 1) {
		const struct tun_endpoint *e = find_shape(v, (unsigned)__builtin_ctz(left), type, udp_port, key, remote,
							  local);

		if (LIKELY(e))
			return e;
	}
	return NULL;
}

static bool
has_key(const struct tun_view *v, unsigned wild, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	uint64_t h = key_hash(v, wild, type, udp_port, key);

	for (uint32_t i = (uint32_t)h & (v->n_slots - 1); v->key_slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct tun_endpoint *e = &v->endpoint[v->key_slot[i] - 1];

		if (e->key == key && e->udp_port == udp_port && e->type == type && (e->wild & TUN_WILD_KEY) == wild)
			return true;
	}
	return false;
}

bool
tun_view_has_key(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	return v->n_slots && (has_key(v, 0, type, udp_port, key) || has_key(v, TUN_WILD_KEY, type, udp_port, 0));
}

bool
tun_endpoint_allows(const struct tun_endpoint *e, const struct ipaddr *remote)
{
	return !e->allow || opt_prefixes_have(e->allow, remote);
}

static uint64_t
pair_hash(const struct tun_view *v, const struct tun_type *type, const struct ipaddr *remote, const struct ipaddr *local)
{
	return full_hash(v, v->seed + (uintptr_t)type * v->factor[4], remote, local);
}

static bool
has_pair(const struct tun_view *v, const struct tun_type *type, const struct ipaddr *remote, const struct ipaddr *local)
{
	uint64_t h;

	if (!v->n_slots)
		return false;
	h = pair_hash(v, type, remote, local);
	for (uint32_t i = (uint32_t)h & (v->n_slots - 1); v->pair_slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct tun_endpoint *e = &v->endpoint[v->pair_slot[i] - 1];

		if (e->type == type && ip_equal(&e->remote, remote) && ip_equal(&e->local, local))
			return true;
	}
	return false;
}

/* Of endpoints that leave them open, the addresses are none. */
static bool
takes_pair(const struct tun_view *v, const struct tun_type *type, const struct ipaddr *remote, const struct ipaddr *local)
{
	static const struct ipaddr none;

	return has_pair(v, type, remote, local) ||
	       (v->shapes & ~1u && (has_pair(v, type, remote, &none) || has_pair(v, type, &none, local) ||
				    has_pair(v, type, &none, &none)));
}

bool
tun_view_may_take(const struct tun_view *v, const struct tun_type *type, const struct ipaddr *remote, const struct ipaddr *local)
{
	static const struct ipaddr none;

	if (LIKELY(has_pair(v, type, remote, local)))
		return true;
	if (!(v->shapes & ~1u))
		return false;
	if (has_pair(v, type, remote, &none))
		return true;
	if (!has_pair(v, type, &none, local) && !has_pair(v, type, &none, &none))
		return false;
	for (unsigned i = 0; i < v->n_listen; i++)
		if (v->listen[i].type == type && v->listen[i].anybody)
			return true;
	for (unsigned i = 0; i < v->n_allow && v->n_allow <= ALLOW_LOOKS; i++) {
		const struct tun_endpoint *e = &v->endpoint[v->allow[i].endpoint];

		/* Who is known already has been let in by somebody. */
		if (e->type == type && (opt_prefixes_have(e->allow, remote) ||
					tun_view_peer(v, e->port, remote, e->asks ? &e->asked : local)))
			return true;
	}
	return v->n_allow > ALLOW_LOOKS;
}

static void
index_pair(struct tun_view *v, uint32_t n)
{
	const struct tun_endpoint *e = &v->endpoint[n];
	uint32_t i;

	if (has_pair(v, e->type, &e->remote, &e->local))
		return;
	i = (uint32_t)pair_hash(v, e->type, &e->remote, &e->local) & (v->n_slots - 1);
	while (v->pair_slot[i])
		i = (i + 1) & (v->n_slots - 1);
	v->pair_slot[i] = n + 1;
}

static void
index_endpoint(struct tun_view *v, uint32_t n)
{
	const struct tun_endpoint *e = &v->endpoint[n];
	unsigned wild = e->wild & TUN_WILD_KEY;
	uint64_t h = full_hash(v, key_sum(v, e->wild, e->type, e->udp_port, e->key), &e->remote, &e->local);
	uint32_t i = (uint32_t)h & (v->n_slots - 1);

	while (v->slot[i])
		i = (i + 1) & (v->n_slots - 1);
	v->slot[i] = n + 1;
	index_pair(v, n);
	if (has_key(v, wild, e->type, e->udp_port, e->key))
		return;
	h = key_hash(v, wild, e->type, e->udp_port, e->key);
	for (i = (uint32_t)h & (v->n_slots - 1); v->key_slot[i]; i = (i + 1) & (v->n_slots - 1))
		;
	v->key_slot[i] = n + 1;
}

static void
grow(struct tun_view *v)
{
	v->n_slots = MAX_OF(v->n_slots * 2, 64u);
	free(v->slot);
	free(v->key_slot);
	free(v->pair_slot);
	v->slot = xcalloc(v->n_slots, sizeof *v->slot);
	v->key_slot = xcalloc(v->n_slots, sizeof *v->key_slot);
	v->pair_slot = xcalloc(v->n_slots, sizeof *v->pair_slot);
	v->endpoint = xrealloc(v->endpoint, v->n_slots / 2 * sizeof *v->endpoint);
	for (uint32_t i = 0; i < v->n_endpoints; i++)
		index_endpoint(v, i);
}

static int
note_port(struct tun_view *v, const struct tun_type *type, uint16_t port)
{
	for (unsigned i = 0; i < v->n_listen; i++) {
		if (v->listen[i].ip_proto != type->ip_proto || v->listen[i].port != port)
			continue;
		if (v->listen[i].type == type)
			return 0;
		if (!type->gre_protos)
			return -EADDRINUSE;
		v->shared = true;
	}
	if (v->n_listen == TUN_MAX_LISTEN)
		return -ENOSPC;
	v->listen[v->n_listen].ip_proto = type->ip_proto;
	v->listen[v->n_listen].port = port;
	v->listen[v->n_listen++].type = type;
	return 0;
}

static int
note_ports(struct tun_view *v, const struct tun_endpoint *e)
{
	int rc = 0;

	if (!e->type->gre_protos)
		return note_port(v, e->type, e->udp_port);
	for (const uint16_t *p = e->type->gre_protos; *p && !rc; p++)
		rc = note_port(v, e->type, *p);
	return rc;
}

int
tun_view_add_local(struct tun_view *v, const struct ipaddr *ip)
{
	if (tun_view_is_local(v, ip))
		return 0;
	if (v->n_local == TUN_MAX_LOCAL)
		return -ENOSPC;
	v->local[v->n_local++] = *ip;
	return 0;
}

static const struct opt_prefixes *
keep_allow(struct tun_view *v, const struct opt_prefixes *allow)
{
	struct opt_prefixes *copy = xcalloc(1, sizeof *copy);

	*copy = *allow;
	v->allow = xrealloc(v->allow, (v->n_allow + 1) * sizeof *v->allow);
	v->allow[v->n_allow].endpoint = v->n_endpoints;
	v->allow[v->n_allow++].who = copy;
	return copy;
}

static void
note_anybody(struct tun_view *v, const struct tun_type *type)
{
	for (unsigned i = 0; i < v->n_listen; i++)
		v->listen[i].anybody |= v->listen[i].type == type;
}

int
tun_view_add_endpoint(struct tun_view *v, const struct tun_endpoint *e)
{
	static const struct ipaddr none;
	struct tun_endpoint n = *e;
	int rc;

	n.key = n.wild & TUN_WILD_KEY ? 0 : n.key;
	n.remote = n.wild & TUN_WILD_REMOTE ? none : n.remote;
	n.local = n.wild & TUN_WILD_LOCAL ? none : n.local;
	if (v->n_slots && find_shape(v, n.wild, n.type, n.udp_port, n.key, &n.remote, &n.local))
		return -EEXIST;
	rc = note_ports(v, &n);
	if (!rc && !(n.wild & TUN_WILD_LOCAL))
		rc = tun_view_add_local(v, &n.local);
	if (rc)
		return rc;
	if (n.allow)
		n.allow = keep_allow(v, n.allow);
	else if (n.wild & TUN_WILD_REMOTE)
		note_anybody(v, n.type);
	if (v->n_endpoints >= v->n_slots / 2)
		grow(v);
	v->shapes |= (uint8_t)(1u << n.wild);
	v->reassemble |= n.reassemble;
	v->endpoint[v->n_endpoints] = n;
	index_endpoint(v, v->n_endpoints++);
	return 0;
}

int
tun_view_add_endpoints(struct tun_view *v, const struct tun_conf *c, struct tun_endpoint e)
{
	int rc = 0;

	e.wild |= tun_key_is_flow(c) && !c->vlans.n ? TUN_WILD_KEY : 0;
	if (!c->vlans.n)
		return tun_view_add_endpoint(v, &e);
	for (unsigned i = 0; i < c->vlans.n; i++)
		for (e.key = c->vlans.r[i].key; e.key - c->vlans.r[i].key < c->vlans.r[i].n; e.key++) {
			int one = tun_view_add_endpoint(v, &e);

			rc = rc ? rc : one;
		}
	return rc;
}

static const uint32_t no_peer;

/* --- Destinations ------------------------------------------------------------------------------ */

static uint32_t
peer_hash(const struct tun_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	return (uint32_t)full_hash(v, v->seed + port * v->factor[5], remote, asked);
}

static uint32_t *
peer_at(const struct tun_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	uint32_t i = peer_hash(v, port, remote, asked) & (v->n_peer_slots - 1);

	for (; v->peer_slot[i]; i = (i + 1) & (v->n_peer_slots - 1)) {
		const struct tun_dst *d = &v->dst[v->peer_slot[i]];

		if (d->port == port && ip_equal(&d->remote, remote) && ip_equal(&d->asked, asked))
			break;
	}
	return &v->peer_slot[i];
}

static void
grow_peers(struct tun_view *v)
{
	uint32_t *old = v->peer_slot, n_old = v->n_peer_slots;

	v->n_peer_slots = MAX_OF(n_old * 2, 64u);
	v->peer_slot = xcalloc(v->n_peer_slots, sizeof *v->peer_slot);
	for (uint32_t i = 0; i < n_old; i++) {
		const struct tun_dst *d = old[i] ? &v->dst[old[i]] : NULL;

		if (d)
			*peer_at(v, d->port, &d->remote, &d->asked) = old[i];
	}
	free(old);
}

static void
add_peer(struct tun_view *v, uint32_t index)
{
	const struct tun_dst *d = &v->dst[index];
	uint32_t *at;

	if (v->n_peers >= v->n_peer_slots / 2)
		grow_peers(v);
	at = peer_at(v, d->port, &d->remote, &d->asked);
	if (*at)
		return;
	*at = index;
	v->n_peers++;
	if (d->port >= v->n_heads) {
		v->peer_head = xrealloc(v->peer_head, (d->port + 1u) * sizeof *v->peer_head);
		memset(v->peer_head + v->n_heads, 0, (d->port + 1u - v->n_heads) * sizeof *v->peer_head);
		v->n_heads = d->port + 1u;
	}
	v->peer_next[index] = v->peer_head[d->port];
	v->peer_head[d->port] = index;
}

/* Rows start on lines, and many rows are in large pages. */
static struct tun_dst *
more_dst(struct tun_dst *old, uint32_t n_old, uint32_t n)
{
	struct tun_dst *d = map_zeroed_huge(n * sizeof *d);

	if (!d)
		abort();
	if (old)
		memcpy(d, old, n_old * sizeof *d);
	map_free(old, n_old * sizeof *old);
	return d;
}

void
tun_view_set_dst(struct tun_view *v, uint32_t index, const struct tun_dst *d)
{
	if (index >= TUN_MAX_DST)
		return;
	if (index >= v->n_dst) {
		uint32_t n = MAX_OF(index + 1, MIN_OF(2 * v->n_dst, (uint32_t)TUN_MAX_DST));

		v->dst = more_dst(v->dst, v->n_dst, n);
		v->peer_next = xrealloc(v->peer_next, n * sizeof *v->peer_next);
		memset(v->peer_next + v->n_dst, 0, (n - v->n_dst) * sizeof *v->peer_next);
		v->n_dst = n;
	}
	free((void *)(uintptr_t)v->dst[index].ways);
	v->dst[index] = *d;
	v->dst[index].ways = NULL;
	if (d->learned && index)
		add_peer(v, index);
}

/* The way whose turn it is: each gets its share, evenly spread.  'credit' is what the ways have due. */
static unsigned
next_way(const struct tun_way *way, unsigned n, bool all, int32_t *credit)
{
	int32_t total = 0;
	unsigned best = n;

	for (unsigned i = 0; i < n; i++) {
		if (!all && way[i].state != TUN_DST_READY)
			continue;
		credit[i] += way[i].weight;
		total += way[i].weight;
		if (best == n || credit[i] > credit[best])
			best = i;
	}
	credit[best] -= total;
	return best;
}

/* Slots are dealt out to all ways first, as if all were READY: only what falls to others is dealt out again. */
static void
deal_slots(const struct tun_way *way, unsigned n, const uint8_t *at, uint8_t *slot)
{
	int32_t all[TUN_MAX_WAYS] = { 0 }, ready[TUN_MAX_WAYS] = { 0 };

	for (unsigned i = 0; i < TUN_WAY_SLOTS; i++) {
		unsigned w = next_way(way, n, true, all);

		slot[i] = at[way[w].state == TUN_DST_READY ? w : next_way(way, n, false, ready)];
	}
}

void
tun_view_set_ways(struct tun_view *v, uint32_t index, const struct tun_way *way, unsigned n)
{
	struct tun_dst *d = index < v->n_dst ? &v->dst[index] : NULL;
	uint8_t at[TUN_MAX_WAYS] = { 0 };
	struct tun_ways *ways;

	if (!d || d->state == TUN_DST_FREE || n > TUN_MAX_WAYS)
		return;
	ways = xcalloc(1, sizeof *ways + n * sizeof ways->dst[0]);
	for (unsigned i = 0; i < n; i++) {
		struct tun_dst *by = &ways->dst[ways->n];

		if (way[i].state != TUN_DST_READY)
			continue;
		at[i] = (uint8_t)ways->n++;
		*by = *d;
		by->leave = TUN_LEAVE_PORT;
		by->ways = NULL;
		by->underlay_port = way[i].underlay_port;
		by->next_hop = way[i].next_hop;
		by->hdr = way[i].hdr;
	}
	if (ways->n)
		deal_slots(way, n, at, ways->slot);
	else
		d->state = d->state == TUN_DST_READY ? TUN_DST_NO_ROUTE : d->state;
	free((void *)(uintptr_t)d->ways);
	d->leave = TUN_LEAVE_WAYS;
	d->ways = ways;
}

uint32_t
tun_view_peer(const struct tun_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	return v && v->n_peers ? *peer_at(v, port, remote, asked) : 0;
}

const uint32_t *
tun_view_peer_slot(const struct tun_view *v, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	return v->n_peers ? &v->peer_slot[peer_hash(v, port, remote, asked) & (v->n_peer_slots - 1)] : &no_peer;
}

const uint32_t *
tun_view_slot(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key, const struct ipaddr *remote,
	      const struct ipaddr *local)
{
	return &v->slot[(uint32_t)full_hash(v, key_sum(v, 0, type, udp_port, key), remote, local) & (v->n_slots - 1)];
}

uint32_t
tun_view_next_peer(const struct tun_view *v, uint16_t port, uint32_t index)
{
	if (!v || port >= v->n_heads)
		return 0;
	return index ? v->peer_next[index] : v->peer_head[port];
}

/* --- Underlay ---------------------------------------------------------------------------------- */

void
tun_view_add_underlay(struct tun_view *v, uint16_t port, struct mac mac)
{
	v->underlay[port / 64 % (TUN_MAX_UNDERLAY / 64)] |= 1ull << (port % 64);
	v->underlay_mac[port % TUN_MAX_UNDERLAY] = mac;
}

void
tun_view_set_underlay_vlan(struct tun_view *v, uint16_t port, uint16_t vid, bool bare)
{
	v->underlay_vid[port % TUN_MAX_UNDERLAY] = vid ? (uint16_t)((vid & 0xfff) | (bare ? TUN_VID_BARE : 0)) : 0;
}

const struct tun_dst *
tun_view_dst(const struct tun_view *v, uint32_t index)
{
	return v && index < v->n_dst && v->dst[index].state != TUN_DST_FREE ? &v->dst[index] : NULL;
}

bool
tun_view_is_underlay(const struct tun_view *v, uint16_t port)
{
	return v && v->underlay[port / 64 % (TUN_MAX_UNDERLAY / 64)] >> (port % 64) & 1;
}

const struct tun_type *
tun_view_type(const struct tun_view *v, const struct tun_outer *o)
{
	const struct tun_type *first = NULL;

	for (unsigned i = 0; i < v->n_listen; i++) {
		if (v->listen[i].port != o->port || v->listen[i].ip_proto != o->ip_proto)
			continue;
		if (LIKELY(!v->shared) || takes_pair(v, v->listen[i].type, &o->src, &o->dst))
			return v->listen[i].type;
		if (!first)
			first = v->listen[i].type;
	}
	return first;
}

bool
tun_view_listens(const struct tun_view *v, uint8_t ip_proto, const struct ipaddr *src, const struct ipaddr *dst)
{
	for (unsigned i = 0; i < v->n_listen; i++)
		if (v->listen[i].ip_proto == ip_proto && tun_view_may_take(v, v->listen[i].type, src, dst))
			return true;
	return false;
}

bool
tun_view_is_local(const struct tun_view *v, const struct ipaddr *a)
{
	for (unsigned i = 0; i < v->n_local; i++)
		if (ip_equal(&v->local[i], a))
			return true;
	return false;
}
