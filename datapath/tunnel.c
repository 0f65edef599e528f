/* SPDX-License-Identifier: Apache-2.0 */
/* The tunnel view: built once by the control plane, then read only.  See tunnel.h. */
#include "datapath/tunnel_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

struct tun_view *
tun_view_create(void)
{
	struct tun_view *v = xcalloc(1, sizeof *v);

	v->seed = hash_random_seed();
	return v;
}

void
tun_view_destroy(struct tun_view *v)
{
	if (!v)
		return;
	free(v->endpoint);
	free(v->slot);
	free(v->key_slot);
	free(v->pair_slot);
	free(v->dst);
	free(v);
}

static uint64_t
key_hash(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	return hash_add(hash_add(v->seed, (uintptr_t)type), (uint64_t)udp_port << 32 | key);
}

static uint64_t
full_hash(uint64_t h, const struct ipaddr *remote, const struct ipaddr *local)
{
	uint64_t w[4];

	memcpy(w, remote, 16);
	memcpy(w + 2, local, 16);
	for (unsigned i = 0; i < 4; i++)
		h = hash_add(h, w[i]);
	return h;
}

const struct tun_endpoint *
tun_view_find(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key,
	      const struct ipaddr *remote, const struct ipaddr *local)
{
	uint64_t h;

	if (!v->n_slots)
		return NULL;
	h = full_hash(key_hash(v, type, udp_port, key), remote, local);
	for (uint32_t i = (uint32_t)h & (v->n_slots - 1); v->slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct tun_endpoint *e = &v->endpoint[v->slot[i] - 1];

		if (e->key == key && e->udp_port == udp_port && e->type == type && ip_equal(&e->remote, remote) &&
		    ip_equal(&e->local, local))
			return e;
	}
	return NULL;
}

bool
tun_view_has_key(const struct tun_view *v, const struct tun_type *type, uint16_t udp_port, uint32_t key)
{
	uint64_t h;

	if (!v->n_slots)
		return false;
	h = key_hash(v, type, udp_port, key);
	for (uint32_t i = (uint32_t)h & (v->n_slots - 1); v->key_slot[i]; i = (i + 1) & (v->n_slots - 1)) {
		const struct tun_endpoint *e = &v->endpoint[v->key_slot[i] - 1];

		if (e->key == key && e->udp_port == udp_port && e->type == type)
			return true;
	}
	return false;
}

static uint64_t
pair_hash(const struct tun_view *v, const struct tun_type *type, const struct ipaddr *remote, const struct ipaddr *local)
{
	return full_hash(hash_add(v->seed, (uintptr_t)type), remote, local);
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
	uint64_t kh = key_hash(v, e->type, e->udp_port, e->key);
	uint32_t i = (uint32_t)full_hash(kh, &e->remote, &e->local) & (v->n_slots - 1);

	while (v->slot[i])
		i = (i + 1) & (v->n_slots - 1);
	v->slot[i] = n + 1;
	index_pair(v, n);
	if (tun_view_has_key(v, e->type, e->udp_port, e->key))
		return;
	for (i = (uint32_t)kh & (v->n_slots - 1); v->key_slot[i]; i = (i + 1) & (v->n_slots - 1))
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
tun_view_add_endpoint(struct tun_view *v, const struct tun_endpoint *e)
{
	int rc;

	if (tun_view_find(v, e->type, e->udp_port, e->key, &e->remote, &e->local))
		return -EEXIST;
	if (!tun_view_is_local(v, &e->local) && v->n_local == TUN_MAX_LOCAL)
		return -ENOSPC;
	rc = note_ports(v, e);
	if (rc)
		return rc;
	if (!tun_view_is_local(v, &e->local))
		v->local[v->n_local++] = e->local;
	if (v->n_endpoints >= v->n_slots / 2)
		grow(v);
	v->endpoint[v->n_endpoints] = *e;
	index_endpoint(v, v->n_endpoints++);
	return 0;
}

void
tun_view_set_dst(struct tun_view *v, uint32_t index, const struct tun_dst *d)
{
	if (index >= TUN_MAX_DST)
		return;
	if (index >= v->n_dst) {
		v->dst = xrealloc(v->dst, (index + 1) * sizeof *v->dst);
		memset(v->dst + v->n_dst, 0, (index + 1 - v->n_dst) * sizeof *v->dst);
		v->n_dst = index + 1;
	}
	v->dst[index] = *d;
}

void
tun_view_add_underlay(struct tun_view *v, uint16_t port, struct mac mac)
{
	v->underlay[port / 64 % (TUN_MAX_UNDERLAY / 64)] |= 1ull << (port % 64);
	v->underlay_mac[port % TUN_MAX_UNDERLAY] = mac;
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
		if (LIKELY(!v->shared) || has_pair(v, v->listen[i].type, &o->src, &o->dst))
			return v->listen[i].type;
		if (!first)
			first = v->listen[i].type;
	}
	return first;
}

bool
tun_view_is_local(const struct tun_view *v, const struct ipaddr *a)
{
	for (unsigned i = 0; i < v->n_local; i++)
		if (ip_equal(&v->local[i], a))
			return true;
	return false;
}
