/* SPDX-License-Identifier: Apache-2.0 */
/* The way to one remote: the kernel's route, the Weft port on its link, the next hop's MAC.  Whatever is
 * missing becomes a state with a sentence that says what to do. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/underlay_priv.h"

static const char *const state_text[] = {
	[TUN_DST_FREE] = "new",
	[TUN_DST_NO_ROUTE] = "no route",
	[TUN_DST_RESOLVING] = "resolving",
	[TUN_DST_READY] = "ready",
	[TUN_DST_FAILED] = "failed",
};

static void set_state(struct remote *, enum tun_dst_state, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
set_state(struct remote *r, enum tun_dst_state state, const char *fmt, ...)
{
	char reason[sizeof r->reason], ip[IP_STR_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	/* Resolving passes by itself; only where it ends is news. */
	if (state != TUN_DST_RESOLVING && (state != r->state || strcmp(reason, r->reason)))
		log_msg(state == TUN_DST_READY ? LOG_LVL_INFO : LOG_LVL_WARN, "%s: remote %s: %s%s%s",
			r->tun->name, ip_format(r->ip, ip), state_text[state], *reason ? ": " : "", reason);
	r->state = state;
	str_copy(r->reason, sizeof r->reason, reason);
}

/* --- Links --------------------------------------------------------------------------------- */

void
via_pass_begin(struct underlay *u)
{
	for (struct via *v = u->vias; v; v = v->next)
		v->seen = false;
}

static void
via_close(struct underlay *u, struct via *v)
{
	if (v->implicit)
		u->ops.close_link(u->ops.arg, v->nl.name);
	v->implicit = false;
}

void
via_pass_end(struct underlay *u)
{
	for (struct via **p = &u->vias, *v; (v = *p);) {
		if (v->seen) {
			p = &v->next;
			continue;
		}
		via_close(u, v);
		*p = v->next;
		free(v);
	}
}

/* Looks for a Weft port on a link that is fit for one, and has one opened when there is none. */
static void
via_find_port(struct underlay *u, struct via *v, uint64_t now)
{
	struct err e = { 0 };

	memset(&v->link, 0, sizeof v->link);
	u->ops.find_link(u->ops.arg, v->nl.name, &v->link);
	if (v->link.kind == UNDERLAY_LINK_NONE && v->retry_ms > now)
		return;
	if (v->link.kind == UNDERLAY_LINK_NONE && !u->ops.open_link(u->ops.arg, v->nl.name, &e)) {
		v->implicit = true;
		u->ops.find_link(u->ops.arg, v->nl.name, &v->link);
	}
	if (v->link.kind != UNDERLAY_LINK_NONE) {
		v->why_not[0] = '\0';
		v->retry_ms = 0;
		v->backoff_ms = 0;
		return;
	}
	v->backoff_ms = v->backoff_ms ? MIN_OF(2 * v->backoff_ms, (uint32_t)UNDERLAY_RECHECK_MS) : UNDERLAY_BACKOFF_MS;
	v->retry_ms = now + v->backoff_ms;
	snprintf(v->why_not, sizeof v->why_not, "cannot send on %s: %.120s", v->nl.name, e.msg);
}

static void
via_refresh(struct underlay *u, struct via *v, const struct nl_link *l, uint64_t now)
{
	const struct underlay_link before = v->link;
	const struct nl_link nl_before = v->nl;

	/* Renamed: what was opened under the old name goes. */
	if (strcmp(v->nl.name, l->name))
		via_close(u, v);
	v->nl = *l;
	v->seen = true;
	if (l->up && !mac_is_zero(l->mac)) {
		via_find_port(u, v, now);
	} else {
		v->retry_ms = 0;
		snprintf(v->why_not, sizeof v->why_not, "interface %s is %s", l->name,
			 l->up ? "not Ethernet" : "down");
	}
	if (memcmp(&before, &v->link, sizeof before) || memcmp(&nl_before, &v->nl, sizeof nl_before))
		u->dirty = true;
}

struct via *
via_get(struct underlay *u, int ifindex, uint64_t now)
{
	struct nl_link l;
	struct via *v;

	for (v = u->vias; v && v->nl.ifindex != ifindex; v = v->next)
		;
	if (v && v->seen)
		return v;
	memset(&l, 0, sizeof l);
	if (nl_link_by_index(u->nl, ifindex, &l))
		return NULL;
	if (!v) {
		v = xcalloc(1, sizeof *v);
		v->nl = l;
		v->next = u->vias;
		u->vias = v;
	}
	via_refresh(u, v, &l, now);
	return v;
}

/* --- Next hops ----------------------------------------------------------------------------- */

enum tun_dst_state
hop_state(const struct hop *h)
{
	if (!h->via)
		return TUN_DST_NO_ROUTE;
	return h->neigh ? h->neigh->state : TUN_DST_READY;
}

static void
hop_reason(const struct remote *r, const struct hop *h, char *out, size_t len)
{
	const char *gateway = ip_equal(&r->ip, &h->next_hop) ? "" : "gateway ";
	char ip[IP_STR_LEN];

	*out = '\0';
	switch (hop_state(h)) {
	case TUN_DST_NO_ROUTE:
	case TUN_DST_FREE:
		str_copy(out, len, h->why_not);
		break;
	case TUN_DST_RESOLVING:
		snprintf(out, len, "asking for %s on %s", ip_format(h->next_hop, ip), h->via->nl.name);
		break;
	case TUN_DST_FAILED:
		snprintf(out, len, "%s%s does not answer on %s: check the wire, VLANs, and that it is up", gateway,
			 ip_format(h->next_hop, ip), h->via->nl.name);
		break;
	case TUN_DST_READY:
		if (h->neigh && h->neigh->unruly)
			snprintf(out, len, "%s%s on %s keeps changing its MAC address: two hosts have it, or somebody forges it",
				 gateway, ip_format(h->next_hop, ip), h->via->nl.name);
		break;
	}
}

/* Of several ways the first that works is shown. */
static const struct hop *
best_hop(const struct remote *r)
{
	static const enum tun_dst_state order[] = { TUN_DST_READY, TUN_DST_RESOLVING, TUN_DST_FAILED };

	for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
		for (unsigned i = 0; i < r->n_hops; i++)
			if (hop_state(&r->hop[i]) == order[k])
				return &r->hop[i];
	return &r->hop[0];
}

void
remote_settle(struct remote *r)
{
	char reason[sizeof r->reason], why[160] = "";
	const struct hop *best = best_hop(r);
	unsigned n_bad = 0;

	r->via = best->via;
	r->next_hop = best->next_hop;
	r->mac = (struct mac){ { 0 } };
	if (hop_state(best) == TUN_DST_READY)
		r->mac = best->neigh ? best->neigh->mac : ip_group_mac(&r->ip);
	hop_reason(r, best, reason, sizeof reason);
	for (unsigned i = 0; i < r->n_hops; i++)
		if (hop_state(&r->hop[i]) != TUN_DST_READY) {
			if (!n_bad++)
				hop_reason(r, &r->hop[i], why, sizeof why);
		}
	if (hop_state(best) == TUN_DST_READY && n_bad)
		snprintf(reason, sizeof reason, "%u of %u next hops not used: %.150s", n_bad, r->n_hops, why);
	set_state(r, hop_state(best), "%s", reason);
}

bool
remote_hops_changed(const struct remote *r)
{
	for (unsigned i = 0; i < r->n_hops; i++)
		if (r->hop[i].neigh && r->hop[i].neigh->changed)
			return true;
	return false;
}

void
remote_ask(struct underlay *u, struct remote *r, uint64_t now)
{
	for (unsigned i = 0; i < r->n_hops; i++)
		if (r->hop[i].neigh)
			neigh_ask(u, r->hop[i].neigh, now);
}

static void
let_go(struct underlay *u, struct hop *hop, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		neigh_put(u, hop[i].neigh, hop[i].watched);
	free(hop);
}

void
remote_forget_hops(struct underlay *u, struct remote *r)
{
	let_go(u, r->hop, r->n_hops);
	r->hop = NULL;
	r->n_hops = 0;
}

bool
remote_is_direct(const struct remote *r)
{
	for (unsigned i = 0; i < r->n_hops; i++)
		if (r->hop[i].via && r->hop[i].via->link.kind == UNDERLAY_LINK_DIRECT)
			return true;
	return false;
}

/* --- Routes -------------------------------------------------------------------------------- */

static void
forget_route(struct underlay *u, struct remote *r)
{
	remote_forget_hops(u, r);
	r->via = NULL;
	r->here = false;
	r->local = r->next_hop = (struct ipaddr){ { 0 } };
	r->mac = (struct mac){ { 0 } };
	r->mtu = r->max_frame = 0;
}

/* A link that goes down takes its routes along: then it is the link that wants mending. */
static int
tell_no_route(struct underlay *u, const struct remote *r, int code, struct err *e)
{
	struct nl_link l = { 0 };
	char ip[IP_STR_LEN];

	if (r->last_ifindex && !nl_link_by_index(u->nl, r->last_ifindex, &l) && !l.up)
		return err_set(e, ENETDOWN, "interface %s is down: bring it up", l.name);
	return err_set(e, code, "no route to %s: add one or check the underlay address", ip_format(r->ip, ip));
}

static bool
takes_from(const struct tunnel *t, const struct ipaddr *local, const struct ipaddr *remote)
{
	const struct tun_conf *c = &t->t.conf;

	if (is_flow(t))
		return (underlay_any_local(&c->local) || ip_equal(&c->local, remote)) && tun_conf_allows(c, local);
	for (unsigned i = 0; i < t->n; i++)
		if (ip_equal(&t->remote[i]->ip, local) && ip_equal(&t->remote[i]->asked, remote))
			return true;
	return false;
}

bool
remote_is_here(const struct underlay *u, const struct underlay_tunnel *of, const struct ipaddr *local,
	       const struct ipaddr *remote)
{
	const struct tun_conf *c = &of->conf;

	if (ip_equal(local, remote) || !flow_addr_link(u, remote))
		return false;
	for (const struct tunnel *t = u->tunnels; t; t = t->next)
		if (&t->t != of && t->t.type == of->type && t->t.conf.dst_port == c->dst_port &&
		    (t->t.conf.key == c->key || tun_key_is_flow(c) || tun_key_is_flow(&t->t.conf)) &&
		    takes_from(t, local, remote))
			return true;
	return false;
}

/* The kernel's answer for the remote, with the reason in 'e' when there is none that will do. */
static int
find_route(struct underlay *u, const struct remote *r, struct nl_route *route, struct err *e)
{
	const struct ipaddr *local = &r->asked;
	char ip[IP_STR_LEN];
	int rc = 0;

	if (!ip_is_none(local) && !flow_addr_link(u, local))
		return err_set(e, EADDRNOTAVAIL, "local %s is not an address of this host: assign it, or drop 'local'",
			       ip_format(*local, ip));
	if (ip_is_multicast(&r->ip) && !ip_is_none(local))
		/* A group is everywhere: where we are says which link is meant. */
		*route = (struct nl_route){ .ifindex = flow_addr_link(u, local), .src = *local };
	else
		rc = nl_route_get(u->nl, &r->ip, local, route);
	if (rc)
		return tell_no_route(u, r, -rc, e);
	if (route->local && !remote_is_here(u, r->tun, &route->src, &r->ip))
		return err_set(e, EINVAL, "%s is an address of this host itself: give another tunnel port here that address as "
			       "'local' and this one's as 'remote', or join the bridges by a patch port", ip_format(r->ip, ip));
	return 0;
}

/* Where packets may leave, links that cannot be used among them.  How many. */
static unsigned
find_hops(struct underlay *u, const struct remote *r, const struct nl_route *route, struct nl_hop hop[TUN_MAX_WAYS])
{
	unsigned n = ip_is_multicast(&r->ip) ? 0 : nl_route_hops(u->nl, &r->ip, &r->asked, hop, TUN_MAX_WAYS);

	/* Of one way the kernel's own answer is better: it has seen redirects. */
	if (n < 2) {
		hop[0] = (struct nl_hop){ .ifindex = route->ifindex, .gateway = route->gateway, .weight = 1 };
		n = 1;
	}
	return n;
}

static void
make_hop(struct underlay *u, const struct remote *r, const struct nl_hop *from, bool watched, struct hop *h, uint64_t now)
{
	bool group = ip_is_multicast(&r->ip);
	struct via *v = via_get(u, from->ifindex, now);

	h->ifindex = from->ifindex;
	h->next_hop = group || ip_is_none(&from->gateway) ? r->ip : from->gateway;
	h->weight = MAX_OF(from->weight, (uint16_t)1);
	h->watched = watched;
	if (v)
		str_copy(h->link, sizeof h->link, v->nl.name);
	if (!v)
		str_copy(h->why_not, sizeof h->why_not, "the interface of the route is gone");
	else if (*v->why_not)
		str_copy(h->why_not, sizeof h->why_not, v->why_not);
	else if (from->dead)
		snprintf(h->why_not, sizeof h->why_not, "the kernel does not use %s", v->nl.name);
	else
		h->via = v;
	if (h->via && !group)
		h->neigh = neigh_get(u, h->ifindex, &h->next_hop, watched, now);
}

/* The smallest of all ways: which one a frame takes, only its flow decides. */
static uint32_t
path_mtu(const struct remote *r, const struct nl_route *route, const struct hop *hop, unsigned n, uint64_t now)
{
	uint32_t mtu = MIN_OF(route->mtu ? route->mtu : UINT32_MAX, pmtu_told(r, now));

	if (r->tun->conf.mtu)
		return r->tun->conf.mtu;
	for (unsigned i = 0; i < n; i++)
		if (hop[i].via)
			mtu = MIN_OF(mtu, hop[i].via->nl.mtu);
	return mtu;
}

/* With several ways the kernel would have us called by another address each time that it chooses another link; we stay
 * who we are while that is one of them. */
static struct ipaddr
own_address(struct underlay *u, const struct remote *r, const struct nl_route *route, const struct hop *hop, unsigned n)
{
	int was = ip_is_none(&r->asked) && n > 1 && !ip_is_none(&r->local) ? flow_addr_link(u, &r->local) : 0;
	int is = flow_addr_link(u, &route->src);
	bool old = false, new = false;

	for (unsigned i = 0; i < n; i++) {
		old |= was && hop[i].ifindex == was;
		new |= hop[i].ifindex == is;
	}
	return old && new ? r->local : route->src;
}

/* Whether the ways found will do. */
static int
check_hops(const struct remote *r, const struct hop *hop, unsigned n, const struct ipaddr *local, uint32_t mtu, uint32_t added,
	   struct err *e)
{
	const struct hop *h = hop;

	while (h < hop + n && !h->via)
		h++;
	if (h == hop + n)
		return err_set(e, ENETDOWN, "%s", hop[0].why_not);
	if (ip_is_none(local) || ip_is_v4(local) != ip_is_v4(&r->ip))
		return err_set(e, EADDRNOTAVAIL, "no address to send from on %s: give it one", h->via->nl.name);
	/* What is left must hold more than an inner Ethernet header. */
	if (mtu <= added)
		return err_set(e, EMSGSIZE, "MTU %u of %s leaves no room for a tunnel", mtu, h->via->nl.name);
	return 0;
}

/* Packets do not leave: what their length fits into is an IP packet. */
static void
stay_here(struct underlay *u, struct remote *r, const struct nl_route *route)
{
	bool v6 = !ip_is_v4(&r->ip);

	forget_route(u, r);
	r->here = true;
	r->local = route->src;
	r->mtu = 65535;
	r->max_frame = tun_max_frame(r->tun->type, &r->tun->conf, v6, r->mtu);
	set_state(r, TUN_DST_READY, "%s", "");
}

void
remote_resolve(struct underlay *u, struct remote *r, uint64_t now)
{
	uint32_t added = tun_overhead(r->tun->type, &r->tun->conf, !ip_is_v4(&r->ip)), mtu;
	struct nl_hop found[TUN_MAX_WAYS];
	struct nl_route route = { 0 };
	struct err e = { 0 };
	struct ipaddr local;
	struct hop *hop;
	unsigned n;

	if (find_route(u, r, &route, &e)) {
		forget_route(u, r);
		set_state(r, TUN_DST_NO_ROUTE, "%s", e.msg);
		return;
	}
	if (route.local) {
		stay_here(u, r, &route);
		return;
	}
	n = find_hops(u, r, &route, found);
	hop = xcalloc(n, sizeof *hop);
	for (unsigned i = 0; i < n; i++)
		make_hop(u, r, &found[i], n > 1, &hop[i], now);
	local = own_address(u, r, &route, hop, n);
	mtu = path_mtu(r, &route, hop, n, now);
	if (check_hops(r, hop, n, &local, mtu, added, &e)) {
		let_go(u, hop, n);
		forget_route(u, r);
		set_state(r, TUN_DST_NO_ROUTE, "%s", e.msg);
		return;
	}
	/* Only now: next hops that stay keep what is known of them. */
	remote_forget_hops(u, r);
	r->here = false;
	r->hop = hop;
	r->n_hops = n;
	r->last_ifindex = route.ifindex;
	r->local = local;
	r->mtu = mtu;
	r->max_frame = tun_max_frame(r->tun->type, &r->tun->conf, !ip_is_v4(&r->ip), mtu);
	remote_settle(r);
}
