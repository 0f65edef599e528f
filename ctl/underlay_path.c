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

enum { MAX_EQUAL = 16 };

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

/* --- Neighbours ---------------------------------------------------------------------------- */

void
remote_ask(struct underlay *u, struct remote *r, uint64_t now)
{
	static struct log_rate rate = { .burst = 1, .per_ms = 60000 };
	int rc = nl_neigh_resolve(u->nl, r->via->nl.ifindex, &r->next_hop);

	r->asked_ms = now;
	if (rc)
		log_rate_msg(&rate, LOG_LVL_WARN, "underlay: cannot ask the kernel to resolve on %s: %s",
			     r->via->nl.name, strerror(-rc));
}

static void
give_up(struct remote *r, uint64_t now)
{
	char ip[IP_STR_LEN];

	r->backoff_ms = UNDERLAY_BACKOFF_MS;
	r->timer_ms = now + r->backoff_ms;
	set_state(r, TUN_DST_FAILED, "%s%s does not answer on %s: check the wire, VLANs, and that it is up",
		  ip_equal(&r->ip, &r->next_hop) ? "" : "gateway ", ip_format(r->next_hop, ip), r->via->nl.name);
}

static void
start_resolving(struct underlay *u, struct remote *r, uint64_t now)
{
	char ip[IP_STR_LEN];

	remote_ask(u, r, now);
	r->timer_ms = now + UNDERLAY_GIVE_UP_MS;
	set_state(r, TUN_DST_RESOLVING, "asking for %s on %s", ip_format(r->next_hop, ip), r->via->nl.name);
}

static void
neighbour_is_there(struct underlay *u, struct remote *r, struct mac mac, uint64_t now)
{
	r->mac = mac;
	if (r->state != TUN_DST_READY) {
		r->timer_ms = now + UNDERLAY_CONFIRM_MS;
		set_state(r, TUN_DST_READY, "%s", "");
	} else if (now >= r->timer_ms) {
		r->timer_ms = now + UNDERLAY_CONFIRM_MS;
		remote_ask(u, r, now);
	}
}

void
remote_neighbour(struct underlay *u, struct remote *r, uint64_t now)
{
	struct nl_neigh n;

	if (ip_is_multicast(&r->ip)) {
		r->mac = ip_group_mac(&r->ip);
		r->timer_ms = 0;
		set_state(r, TUN_DST_READY, "%s", "");
		return;
	}
	if (nl_neigh_get(u->nl, r->via->nl.ifindex, &r->next_hop, &n))
		n.state = NL_NEIGH_NONE;
	if (n.state == NL_NEIGH_VALID && !mac_is_zero(n.mac) && !mac_is_multicast(n.mac)) {
		neighbour_is_there(u, r, n.mac, now);
		return;
	}
	r->mac = (struct mac){ { 0 } };
	if (r->state == TUN_DST_RESOLVING) {
		if (n.state == NL_NEIGH_FAILED || now >= r->timer_ms)
			give_up(r, now);
	} else if (r->state == TUN_DST_FAILED) {
		/* Stays failed while asked for again: packets must not pile up behind a dead host. */
		if (now >= r->timer_ms) {
			remote_ask(u, r, now);
			r->backoff_ms = MIN_OF(2 * r->backoff_ms, (uint32_t)UNDERLAY_RECHECK_MS);
			r->timer_ms = now + r->backoff_ms;
		}
	} else {
		start_resolving(u, r, now);
	}
}

/* --- Routes -------------------------------------------------------------------------------- */

static void
forget_route(struct remote *r)
{
	r->via = NULL;
	r->local = r->next_hop = (struct ipaddr){ { 0 } };
	r->mac = (struct mac){ { 0 } };
	r->mtu = r->max_frame = 0;
	r->timer_ms = 0;
}

/* A link that goes down takes its routes along: then it is the link that wants mending. */
static void
tell_no_route(struct underlay *u, const struct remote *r, int code, struct err *e)
{
	struct nl_link l = { 0 };
	char ip[IP_STR_LEN];

	if (r->last_ifindex && !nl_link_by_index(u->nl, r->last_ifindex, &l) && !l.up)
		err_set(e, ENETDOWN, "interface %s is down: bring it up", l.name);
	else
		err_set(e, code, "no route to %s: add one or check the underlay address", ip_format(r->ip, ip));
}

/* Fills 'route' and the link it leaves by; NULL with the reason in 'e'. */
static struct via *
find_route(struct underlay *u, const struct remote *r, struct nl_route *route, uint64_t now, struct err *e)
{
	const struct ipaddr *local = &r->asked;
	char ip[IP_STR_LEN];
	struct via *v;
	int rc;

	if (!ip_is_none(local) && !flow_addr_link(u, local)) {
		err_set(e, EADDRNOTAVAIL, "local %s is not an address of this host: assign it, or drop 'local'",
			ip_format(*local, ip));
		return NULL;
	}
	if (ip_is_multicast(&r->ip) && !ip_is_none(local)) {
		/* A group is everywhere: where we are says which link is meant. */
		*route = (struct nl_route){ .ifindex = flow_addr_link(u, local), .src = *local };
		rc = 0;
	} else {
		rc = nl_route_get(u->nl, &r->ip, local, route);
	}
	if (rc) {
		tell_no_route(u, r, -rc, e);
		return NULL;
	}
	if (route->local) {
		err_set(e, EINVAL, "%s is an address of this host itself", ip_format(r->ip, ip));
		return NULL;
	}
	v = via_get(u, route->ifindex, now);
	if (!v)
		err_set(e, ENODEV, "the interface of the route is gone");
	else if (*v->why_not)
		err_set(e, ENETDOWN, "%s", v->why_not);
	else if (ip_is_none(&route->src) || ip_is_v4(&route->src) != ip_is_v4(&r->ip))
		err_set(e, EADDRNOTAVAIL, "no address to send from on %s: give it one", v->nl.name);
	else
		return v;
	return NULL;
}

/* An address that is on no uplink is reached by any of them: the far end chooses among equal routes as it likes, and its
 * packets are heard wherever ours may leave. */
static void
listen_on_equals(struct underlay *u, const struct remote *r, const struct via *v, uint64_t now)
{
	int ifindex[MAX_EQUAL];
	unsigned n;

	if (flow_addr_link(u, &r->local) == v->nl.ifindex)
		return;
	n = nl_route_links(u->nl, &r->ip, ifindex, MAX_EQUAL);
	for (unsigned i = 0; i < n; i++)
		via_get(u, ifindex[i], now);
}

static uint32_t
path_mtu(const struct remote *r, const struct via *v, const struct nl_route *route)
{
	if (r->tun->conf.mtu)
		return r->tun->conf.mtu;
	return route->mtu && route->mtu < v->nl.mtu ? route->mtu : v->nl.mtu;
}

void
remote_resolve(struct underlay *u, struct remote *r, uint64_t now)
{
	uint32_t added = tun_overhead(r->tun->type, &r->tun->conf, !ip_is_v4(&r->ip));
	struct nl_route route = { 0 };
	struct err e = { 0 };
	struct ipaddr next_hop;
	struct via *v = find_route(u, r, &route, now, &e);
	uint32_t mtu = v ? path_mtu(r, v, &route) : 0;

	/* What is left must hold more than an inner Ethernet header. */
	if (v && mtu <= added) {
		err_set(&e, EMSGSIZE, "MTU %u of %s leaves no room for a tunnel", mtu, v->nl.name);
		v = NULL;
	}
	if (!v) {
		forget_route(r);
		set_state(r, TUN_DST_NO_ROUTE, "%s", e.msg);
		return;
	}
	next_hop = ip_is_none(&route.gateway) || ip_is_multicast(&r->ip) ? r->ip : route.gateway;
	/* Another next hop starts from the beginning. */
	if (r->via != v || !ip_equal(&r->next_hop, &next_hop))
		r->state = TUN_DST_FREE;
	r->via = v;
	r->last_ifindex = v->nl.ifindex;
	r->local = route.src;
	listen_on_equals(u, r, v, now);
	r->next_hop = next_hop;
	r->mtu = mtu;
	r->max_frame = tun_max_frame(r->tun->type, &r->tun->conf, !ip_is_v4(&r->ip), mtu);
	remote_neighbour(u, r, now);
}
