/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels whose remotes are set per flow: where they listen, and the remotes that they have learned, because those have
 * sent something or something was to be sent to them.  A learned remote is a destination like a configured one, until
 * nobody has used it for a while. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/underlay_priv.h"

/* --- Addresses of this host ---------------------------------------------------------------- */

struct addrs {
	unsigned n;
	struct underlay_addr a[UNDERLAY_MAX_ADDRS];
};

static void
note_addr(void *arg, const struct ipaddr *ip, int ifindex)
{
	struct addrs *l = arg;

	if (l->n == UNDERLAY_MAX_ADDRS || !ip_is_unicast(ip))
		return;
	l->a[l->n++] = (struct underlay_addr){ *ip, ifindex };
}

void
flow_read_addrs(struct underlay *u)
{
	struct addrs l = { .n = 0 };

	nl_addr_each(u->nl, note_addr, &l);
	if (l.n == u->n_addrs && !memcmp(l.a, u->addr, l.n * sizeof l.a[0]))
		return;
	u->n_addrs = l.n;
	memcpy(u->addr, l.a, l.n * sizeof l.a[0]);
	/* Views name them where tunnels take packets for any of them. */
	u->dirty |= u->n_flow != 0;
}

int
flow_addr_link(const struct underlay *u, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < u->n_addrs; i++)
		if (ip_equal(&u->addr[i].ip, ip))
			return u->addr[i].ifindex;
	return 0;
}

static bool
is_link_local(const struct ipaddr *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static const struct ipaddr *
fixed_local(const struct tunnel *t)
{
	const struct tun_conf *c = &t->t.conf;

	return ip_is_none(&c->local) || tun_local_is_flow(c) ? NULL : &c->local;
}

/* --- Listening ----------------------------------------------------------------------------- */

/* Whether packets for an address of ours can come in at its link. */
static bool
listen_on(struct underlay *u, struct tunnel *t, int ifindex, uint64_t now)
{
	struct via *v = ifindex ? via_get(u, ifindex, now) : NULL;

	if (v && !*v->why_not)
		return true;
	str_copy(t->deaf, sizeof t->deaf, v ? v->why_not : "the address is on no interface");
	return false;
}

static void
listen_at(struct underlay *u, struct tunnel *t, uint64_t now)
{
	const struct ipaddr *local = fixed_local(t);
	char ip[IP_STR_LEN];
	bool any = false;

	str_copy(t->deaf, sizeof t->deaf, "this host has no address to listen at");
	if (local && !flow_addr_link(u, local)) {
		snprintf(t->deaf, sizeof t->deaf, "local %s is not an address of this host: assign it, or drop 'local'",
			 ip_format(*local, ip));
		return;
	}
	for (unsigned i = 0; i < u->n_addrs; i++) {
		const struct ipaddr *a = &u->addr[i].ip;

		if (local ? ip_equal(a, local) : !is_link_local(a))
			any |= listen_on(u, t, u->addr[i].ifindex, now);
	}
	if (any)
		t->deaf[0] = '\0';
}

void
flow_listen(struct underlay *u, uint64_t now)
{
	for (struct tunnel *t = u->tunnels; t; t = t->next) {
		char was[sizeof t->deaf];

		if (!is_flow(t))
			continue;
		str_copy(was, sizeof was, t->deaf);
		listen_at(u, t, now);
		if (!strcmp(was, t->deaf))
			continue;
		u->dirty = true;
		if (*t->deaf)
			log_warn("%s: hears nothing: %s", t->t.name, t->deaf);
	}
}

static bool
has_group(const struct tunnel *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (ip_is_multicast(&t->remote[i]->ip))
			return true;
	return false;
}

static void
add_endpoint(struct tun_view *v, const struct tunnel *t, const struct ipaddr *local)
{
	static struct log_rate rate = { .burst = 3, .per_ms = 60000 };
	static const struct ipaddr none;
	const struct tun_conf *c = &t->t.conf;
	int rc = tun_view_add_endpoints(v, c, (struct tun_endpoint){
		.type = t->t.type,
		.udp_port = c->dst_port,
		.port = t->t.port,
		.key = c->key,
		.local = local ? *local : none,
		.wild = TUN_WILD_REMOTE | (local ? 0 : TUN_WILD_LOCAL),
		.allow = c->allow.n ? &c->allow : NULL,
		/* Who sends to the group and to us is one, not two. */
		.asks = has_group(t),
		.asked = fixed_local(t) ? *fixed_local(t) : none,
		.zero_csum6 = c->zero_csum6_rx,
		.reassemble = c->reassemble,
		.drop_inner_vlan = t->t.drop_inner_vlan,
	});

	if (rc)
		log_rate_msg(&rate, LOG_LVL_ERR, "%s: cannot receive: %s", t->t.name, strerror(-rc));
}

void
flow_add_endpoints(const struct underlay *u, struct tun_view *v)
{
	bool any = false;

	for (const struct tunnel *t = u->tunnels; t; t = t->next) {
		if (!is_flow(t))
			continue;
		any |= !fixed_local(t);
		add_endpoint(v, t, fixed_local(t));
		for (unsigned i = 0; i < t->n; i++)
			if (ip_is_multicast(&t->remote[i]->ip))
				add_endpoint(v, t, &t->remote[i]->ip);
	}
	for (unsigned i = 0; any && i < u->n_addrs; i++)
		tun_view_add_local(v, &u->addr[i].ip);
}

void
flow_want_squats(struct underlay *u)
{
	bool direct = false;

	for (const struct via *v = u->vias; v; v = v->next)
		direct |= v->seen && v->link.kind == UNDERLAY_LINK_DIRECT;
	for (const struct tunnel *t = u->tunnels; direct && t; t = t->next) {
		const struct ipaddr *local = fixed_local(t);

		if (!is_flow(t))
			continue;
		if (!local || ip_is_v4(local))
			underlay_want_squat(u, false, t->t.type->ip_proto, t->t.conf.dst_port);
		if (!local || !ip_is_v4(local))
			underlay_want_squat(u, true, t->t.type->ip_proto, t->t.conf.dst_port);
	}
}

/* --- Learned remotes ----------------------------------------------------------------------- */

static void
forget(struct underlay *u, struct tunnel *t, struct remote **at)
{
	struct remote *r = *at;

	*at = r->next;
	t->n_learned--;
	u->ops.set_path(u->ops.arg, r->dst, &(struct ofp_tun_path){ 0 });
	underlay_free_remote(u, r);
	u->forgot = u->dirty = true;
}

void
flow_forget_all(struct underlay *u, struct tunnel *t)
{
	/* Their paths go with the pass. */
	while (t->learned) {
		struct remote *r = t->learned;

		t->learned = r->next;
		underlay_free_remote(u, r);
	}
	t->n_learned = 0;
}

void
flow_expire(struct underlay *u, uint64_t now)
{
	/* Numbers that became free in an earlier pass may be given anew. */
	u->pass += u->forgot;
	u->forgot = false;
	for (struct tunnel *t = u->tunnels; u->ops.used && t; t = t->next)
		for (struct remote **p = &t->learned; *p;) {
			uint64_t last = MAX_OF(u->ops.used(u->ops.arg, (*p)->dst) * UINT64_C(1000), (*p)->born_ms);

			if (now > last + UNDERLAY_LEARNED_IDLE_MS)
				forget(u, t, p);
			else
				p = &(*p)->next;
		}
}

static bool
is_known(const struct tunnel *t, const struct ipaddr *remote, const struct ipaddr *asked)
{
	for (unsigned i = 0; i < t->n; i++)
		if (ip_equal(&t->remote[i]->ip, remote) && ip_equal(&t->remote[i]->asked, asked))
			return true;
	for (const struct remote *r = t->learned; r; r = r->next)
		if (ip_equal(&r->ip, remote) && ip_equal(&r->asked, asked))
			return true;
	return false;
}

void
underlay_peer(struct underlay *u, uint16_t port, const struct ipaddr *remote, const struct ipaddr *local, bool heard,
	      uint64_t now)
{
	struct tunnel *t = underlay_find(u, port);
	struct ipaddr asked = *local;
	struct remote *r;

	if (!t || !is_flow(t) || !ip_is_unicast(remote) || (heard && !tun_conf_allows(&t->t.conf, remote)))
		return;
	if (fixed_local(t))
		asked = *fixed_local(t);
	if (!ip_is_none(&asked) && ip_is_v4(&asked) != ip_is_v4(remote))
		return;
	if (flow_addr_link(u, remote) && !remote_is_here(u, &t->t, &asked, remote))
		return;
	if (t->n_learned >= t->t.conf.max_remotes || is_known(t, remote, &asked))
		return;
	r = underlay_new_remote(u, remote);
	if (!r)
		return;
	r->tun = &t->t;
	r->learned = true;
	r->asked = asked;
	r->born_ms = now;
	r->next = t->learned;
	t->learned = r;
	t->n_learned++;
	if (u->ops.used_reset)
		u->ops.used_reset(u->ops.arg, r->dst);
	remote_resolve(u, r, now);
	underlay_update_row(u, r);
	u->dirty = true;
}

void
underlay_flush(struct underlay *u)
{
	if (!u->dirty)
		return;
	underlay_hand_on(u);
	u->ops.commit(u->ops.arg);
}
