/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a set of tunnels can live together.  Ten thousand are common: what two of them may quarrel about is found by an
 * index, not by comparing each with each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ctl/underlay_priv.h"

/* --- Two tunnels --------------------------------------------------------------------------- */

static bool
share_a_remote(const struct tun_conf *a, const struct tun_conf *b, struct ipaddr *which)
{
	for (unsigned i = 0; i < a->remote.n; i++)
		for (unsigned j = 0; j < b->remote.n; j++)
			if (ip_equal(&a->remote.ip[i], &b->remote.ip[j])) {
				*which = a->remote.ip[i];
				return true;
			}
	return false;
}

/* Whether both take packets of some key.  One that leaves keys to rules gets those that nobody else wants. */
static bool
share_a_key(const struct tun_conf *a, const struct tun_conf *b, uint32_t *which)
{
	if (!a->vlans.n && !b->vlans.n) {
		*which = a->key;
		return a->key == b->key;
	}
	if (!a->vlans.n || !b->vlans.n) {
		*which = a->vlans.n ? b->key : a->key;
		return opt_map_vid(a->vlans.n ? &a->vlans : &b->vlans, *which) >= 0;
	}
	for (unsigned i = 0; i < a->vlans.n; i++)
		for (unsigned j = 0; j < b->vlans.n; j++) {
			const struct opt_map_row *x = &a->vlans.r[i], *y = &b->vlans.r[j];

			*which = MAX_OF(x->key, y->key);
			if (x->key < y->key + y->n && y->key < x->key + x->n)
				return true;
		}
	return false;
}

/* Whether nothing in a packet tells which of two types it is of: NVGRE is GRE with a key. */
static bool
look_alike(const struct tun_type *a, const struct tun_type *b)
{
	for (const uint16_t *x = a->gre_protos; x && *x; x++)
		for (const uint16_t *y = b->gre_protos; y && *y; y++)
			if (*x == *y)
				return true;
	return false;
}

static int
check_pair(const struct underlay_tunnel *a, const struct underlay_tunnel *b, struct err *e)
{
	const struct ipaddr *la = &a->conf.local, *lb = &b->conf.local;
	struct ipaddr remote;
	char ip[IP_STR_LEN];
	uint32_t key = 0;

	if (a->type != b->type ? !look_alike(a->type, b->type)
			       : !share_a_key(&a->conf, &b->conf, &key) || a->conf.dst_port != b->conf.dst_port)
		return 0;
	/* One that leaves open what the other says gets what the other does not want. */
	if (tun_remote_is_flow(&a->conf) != tun_remote_is_flow(&b->conf))
		return 0;
	if (tun_remote_is_flow(&a->conf))
		return underlay_any_local(la) == underlay_any_local(lb) && (underlay_any_local(la) || ip_equal(la, lb)) ?
		       err_set(e, EEXIST, "%s has remote=flow for the same packets already", b->name) : 0;
	/* Without 'local' a tunnel takes whatever address the route prefers. */
	if (!ip_is_none(la) && !ip_is_none(lb) && !ip_equal(la, lb))
		return 0;
	if (!share_a_remote(&a->conf, &b->conf, &remote))
		return 0;
	if (a->type != b->type)
		return err_set(e, EEXIST, "%s is a %s tunnel to %s: %s packets look the same, so a remote is for one of the "
			       "two", b->name, b->type->name, ip_format(remote, ip), a->type->name);
	return err_set(e, EEXIST, "%s has %s %u and remote %s already", b->name, a->type->key_name,
		       key, ip_format(remote, ip));
}

/* --- All of them --------------------------------------------------------------------------- */

/* Tunnels seen so far, by what they may share. */
struct index {
	const struct underlay_tunnel *const *t;
	uint32_t mask;
	uint32_t n;
	uint32_t *head;                 /* Number of an entry + 1, by hash. */
	uint32_t *next;                 /* Likewise, by entry. */
	unsigned *row;                  /* Of an entry: which tunnel. */
	/* The first tunnel of each port of UDP, and of TCP. */
	unsigned n_ports, n_distinct;
	const struct underlay_tunnel *port[2 * UNDERLAY_MAX_UDP];
};

static unsigned
n_keys(const struct tun_conf *c)
{
	return c->vlans.n ? opt_map_size(&c->vlans) : 1;
}

static void
index_init(struct index *x, const struct underlay_tunnel *const *t, unsigned n)
{
	uint32_t size = 64, max = 0;

	for (unsigned i = 0; i < n; i++)
		max += MAX_OF(t[i]->conf.remote.n, 1u) * n_keys(&t[i]->conf);
	while (size < max)
		size *= 2;
	*x = (struct index){ .t = t, .mask = size - 1 };
	x->head = xcalloc(size, sizeof *x->head);
	x->next = xcalloc(max + 1, sizeof *x->next);
	x->row = xcalloc(max + 1, sizeof *x->row);
}

static void
index_fini(struct index *x)
{
	free(x->head);
	free(x->next);
	free(x->row);
}

/* Tunnels that share 'remote' and nothing of which a packet could tell them apart have one hash. */
static uint32_t
hash_of(const struct underlay_tunnel *t, const struct ipaddr *remote, uint32_t key)
{
	uint64_t h = hash_bytes(remote, sizeof *remote, 0);

	/* Of types that look alike, keys are no difference. */
	if (!t->type->gre_protos)
		h = hash_add(h, (uint64_t)(uintptr_t)t->type ^ (uint64_t)t->conf.dst_port << 32 ^ key);
	return (uint32_t)h;
}

/* Compares row 'i' with those before it that have 'remote' and 'key' as well, and adds it. */
static int
check_key(struct index *x, unsigned i, const struct ipaddr *remote, uint32_t key, struct err *e)
{
	uint32_t *head = &x->head[hash_of(x->t[i], remote, key) & x->mask];

	for (uint32_t k = *head; k; k = x->next[k - 1]) {
		unsigned other = x->row[k - 1];
		int rc = other == i ? 0 : check_pair(x->t[i], x->t[other], e);

		if (rc)
			return rc;
	}
	x->row[x->n] = i;
	x->next[x->n] = *head;
	*head = ++x->n;
	return 0;
}

static int
check_remote(struct index *x, unsigned i, const struct ipaddr *remote, struct err *e)
{
	const struct tun_conf *c = &x->t[i]->conf;
	int rc = 0;

	/* Of types that look alike, one entry is for all keys. */
	if (!c->vlans.n || x->t[i]->type->gre_protos)
		return check_key(x, i, remote, c->key, e);
	for (unsigned r = 0; r < c->vlans.n; r++)
		for (uint32_t k = 0; k < c->vlans.r[r].n && !rc; k++)
			rc = check_key(x, i, remote, c->vlans.r[r].key + k, e);
	return rc;
}

static int
check_others(struct index *x, unsigned i, struct err *e)
{
	const struct opt_ips *remotes = &x->t[i]->conf.remote;
	int rc = 0;

	if (tun_remote_is_flow(&x->t[i]->conf))
		return check_remote(x, i, &opt_ip_word, e);
	for (unsigned k = 0; k < remotes->n && !rc; k++)
		rc = check_remote(x, i, &remotes->ip[k], e);
	return rc;
}

/* So many distinct ports the datapath can tell apart, and each is of one type. */
static int
check_udp_port(struct index *x, const struct underlay_tunnel *t, struct err *e)
{
	bool known = false;

	if (!t->type->udp_port)
		return 0;
	for (unsigned k = 0; k < x->n_ports; k++) {
		const struct underlay_tunnel *o = x->port[k];

		if (o->conf.dst_port != t->conf.dst_port)
			continue;
		known = true;
		if (o->type->ip_proto != t->type->ip_proto)
			continue;
		if (o->type == t->type)
			return 0;
		return err_set(e, EADDRINUSE, "dst-port %u is used by %s, which is a %s tunnel", t->conf.dst_port, o->name,
			       o->type->name);
	}
	x->n_distinct += !known;
	if (x->n_distinct > UNDERLAY_MAX_UDP)
		return err_set(e, ENOSPC, "dst-port %u: more than %d different UDP ports", t->conf.dst_port, UNDERLAY_MAX_UDP);
	x->port[x->n_ports++] = t;
	return 0;
}

int
underlay_check(const struct underlay_tunnel *const *t, unsigned n, unsigned *culprit, struct err *e)
{
	unsigned dummy, n_dst = 0;
	struct index x;
	int rc = 0;

	culprit = culprit ? culprit : &dummy;
	for (unsigned i = 0, rows = 0; i < n; i++) {
		*culprit = i;
		rows += t[i]->conf.vlans.n ? n_keys(&t[i]->conf) * MAX_OF(t[i]->conf.remote.n, 1u) : 0;
		if (rows > UNDERLAY_MAX_KEYS)
			return err_set(e, ENOSPC, "vlan-map: identifiers times remotes are more than %d: remote=flow takes any "
				       "number of remotes", UNDERLAY_MAX_KEYS);
	}
	index_init(&x, t, n);
	for (unsigned i = 0; i < n && !rc; i++) {
		*culprit = i;
		rc = tun_conf_check(t[i]->type, &t[i]->conf, e);
		if (!rc)
			rc = check_udp_port(&x, t[i], e);
		if (!rc)
			rc = check_others(&x, i, e);
		n_dst += t[i]->conf.remote.n + t[i]->conf.flood.n;
		if (!rc && n_dst >= TUN_MAX_DST)
			rc = err_set(e, ENOSPC, "more than %d tunnel remotes", TUN_MAX_DST - 1);
	}
	index_fini(&x);
	return rc;
}
