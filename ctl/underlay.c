/* SPDX-License-Identifier: Apache-2.0 */
/* The tunnels that are configured, the indices of their destinations, and the pictures handed to the
 * datapath and the translator whenever something about them changed.  See underlay.h. */
#include "ctl/underlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/squat.h"
#include "ctl/underlay_priv.h"

/* --- Life ---------------------------------------------------------------------------------- */

struct underlay *
underlay_create(const struct underlay_ops *ops, struct err *e)
{
	struct underlay *u = xcalloc(1, sizeof *u);

	u->ops = *ops;
	u->pass = 1;
	u->nl = nl_open(e);
	if (!u->nl) {
		free(u);
		return NULL;
	}
	pmtu_open(u);
	return u;
}

void
underlay_free_remote(struct underlay *u, struct remote *r)
{
	remote_bfd_end(u, r);
	remote_forget_hops(u, r);
	free(r->way);
	u->by_dst[r->dst] = NULL;
	u->freed_in[r->dst] = u->pass;
	u->n_remotes--;
	free(r);
}

static void
free_tunnel(struct underlay *u, struct tunnel *t)
{
	flow_forget_all(u, t);
	for (unsigned i = 0; i < t->n; i++)
		underlay_free_remote(u, t->remote[i]);
	u->n_flow -= is_flow(t);
	free(t);
}

void
underlay_destroy(struct underlay *u)
{
	if (!u)
		return;
	for (struct tunnel *t = u->tunnels, *next; t; t = next) {
		next = t->next;
		free_tunnel(u, t);
	}
	for (struct via *v = u->vias, *next; v; v = next) {
		next = v->next;
		free(v);
	}
	for (struct squat *s = u->squats, *next; s; s = next) {
		next = s->next;
		squat_close(s->fd);
		free(s);
	}
	groups_leave_all(u);
	pmtu_close(u);
	nl_close(u->nl);
	free(u->bfd);
	free(u);
}

/* --- Tunnels ------------------------------------------------------------------------------- */

struct tunnel *
underlay_find(const struct underlay *u, uint16_t port)
{
	return port < DP_MAX_PORTS ? u->by_port[port] : NULL;
}

/* The lowest index free since before this pass; 0 means "none" in flow keys and is never given. */
static uint32_t
free_index(const struct underlay *u)
{
	for (uint32_t i = 1; i < TUN_MAX_DST; i++)
		if (!u->by_dst[i] && u->freed_in[i] != u->pass)
			return i;
	return 0;
}

struct remote *
underlay_new_remote(struct underlay *u, const struct ipaddr *ip)
{
	uint32_t dst = free_index(u);
	struct remote *r;

	if (!dst)
		return NULL;
	r = xcalloc(1, sizeof *r);
	r->ip = *ip;
	r->dst = dst;
	u->by_dst[dst] = r;
	u->n_remotes++;
	return r;
}

static struct remote *
take_remote(struct tunnel *t, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < t->n; i++)
		if (ip_equal(&t->remote[i]->ip, ip))
			return t->remote[i];
	return NULL;
}

static struct ipaddr
fixed_local(const struct tun_conf *c)
{
	return underlay_any_local(&c->local) ? (struct ipaddr){ { 0 } } : c->local;
}

/* What was learned stays while it means the same. */
static void
take_learned(struct underlay *u, struct tunnel *old, struct tunnel *t)
{
	const struct tun_conf *was = &old->t.conf, *now = &t->t.conf;

	/* With another 'allow' they have to knock again. */
	if (!is_flow(old) || !is_flow(t) || !ip_equal(&was->local, &now->local) ||
	    memcmp(&was->allow, &now->allow, sizeof now->allow)) {
		flow_forget_all(u, old);
		return;
	}
	t->learned = old->learned;
	t->n_learned = old->n_learned;
	for (struct remote *r = t->learned; r; r = r->next)
		r->tun = &t->t;
	old->learned = NULL;
	old->n_learned = 0;
}

int
underlay_set(struct underlay *u, const struct underlay_tunnel *conf, struct err *e)
{
	struct tunnel *old = underlay_find(u, conf->port), *t = xcalloc(1, sizeof *t);
	const struct opt_ips *list = tun_listed(&conf->conf);

	t->t = *conf;
	for (unsigned i = 0; i < list->n; i++) {
		struct remote *r = old ? take_remote(old, &list->ip[i]) : NULL;

		r = r ? r : underlay_new_remote(u, &list->ip[i]);
		if (!r)
			goto full;
		t->remote[t->n++] = r;
	}
	/* Nothing fails from here on. */
	for (unsigned i = 0; i < t->n; i++) {
		t->remote[i]->tun = &t->t;
		t->remote[i]->asked = fixed_local(&conf->conf);
		/* Those that get floods are found by flows as well. */
		t->remote[i]->learned = is_flow(t);
		t->remote[i]->wanted = true;
	}
	if (old)
		take_learned(u, old, t);
	t->dead = old && old->dead;
	for (unsigned i = 0; old && i < old->n; i++)
		if (!old->remote[i]->wanted)
			underlay_free_remote(u, old->remote[i]);
	for (unsigned i = 0; i < t->n; i++)
		t->remote[i]->wanted = false;
	if (old) {
		old->n = 0;
		underlay_del(u, conf->port);
	}
	t->next = u->tunnels;
	u->tunnels = t;
	u->by_port[conf->port] = t;
	u->n_flow += is_flow(t);
	u->dirty = true;
	return 0;
full:
	for (unsigned i = 0; i < t->n; i++)
		if (!t->remote[i]->tun)
			underlay_free_remote(u, t->remote[i]);
	free(t);
	return err_set(e, ENOSPC, "more than %d tunnel remotes", TUN_MAX_DST - 1);
}

void
underlay_del(struct underlay *u, uint16_t port)
{
	for (struct tunnel **p = &u->tunnels, *t; (t = *p); p = &t->next)
		if (t->t.port == port) {
			*p = t->next;
			u->by_port[port] = NULL;
			free_tunnel(u, t);
			u->dirty = true;
			return;
		}
}

unsigned
underlay_dsts(const struct underlay *u, uint16_t port, uint32_t dst[OPT_LIST_MAX])
{
	const struct tunnel *t = underlay_find(u, port);

	for (unsigned i = 0; t && i < t->n; i++)
		dst[i] = t->remote[i]->dst;
	return t ? t->n : 0;
}

/* --- Quiet ports ----------------------------------------------------------------------- */

static struct squat *
find_squat(const struct underlay *u, bool v6, uint8_t ip_proto, uint16_t port)
{
	struct squat *s = u->squats;

	while (s && (s->v6 != v6 || s->ip_proto != ip_proto || s->port != port))
		s = s->next;
	return s;
}

void
underlay_want_squat(struct underlay *u, bool v6, uint8_t ip_proto, uint16_t port)
{
	struct squat *s = find_squat(u, v6, ip_proto, port);

	if (!s) {
		s = xcalloc(1, sizeof *s);
		s->v6 = v6;
		s->ip_proto = ip_proto;
		s->port = port;
		s->fd = -EAGAIN;
		s->next = u->squats;
		u->squats = s;
	}
	s->wanted = true;
}

static void
update_squats(struct underlay *u)
{
	for (unsigned i = 1; i < TUN_MAX_DST; i++) {
		const struct remote *r = u->by_dst[i];

		if (r && remote_is_direct(r))
			underlay_want_squat(u, !ip_is_v4(&r->ip), r->tun->type->ip_proto, r->tun->conf.dst_port);
	}
	flow_want_squats(u);
	for (struct squat **p = &u->squats, *s; (s = *p);) {
		if (!s->wanted) {
			*p = s->next;
			squat_close(s->fd);
			free(s);
			continue;
		}
		s->wanted = false;
		if (s->fd < 0) {
			bool first = s->fd == -EAGAIN;

			s->fd = squat_open(s->v6, s->ip_proto, s->port);
			if (s->fd < 0 && first)
				log_warn("underlay: %s port %u: %s: another program or a kernel tunnel may answer "
					 "tunnel packets", squat_proto(s->ip_proto), s->port, strerror(-s->fd));
		}
		p = &s->next;
	}
}

static int
squat_error(const struct underlay *u, const struct remote *r)
{
	const struct squat *s = find_squat(u, !ip_is_v4(&r->ip), r->tun->type->ip_proto, r->tun->conf.dst_port);

	return s && s->fd < 0 && remote_is_direct(r) ? -s->fd : 0;
}

/* --- Pictures ------------------------------------------------------------------------------ */

/* What goes by a template as it is: BFD's packets.  With keys that VLANs say they go with the first one that is one, since
 * key 0 is none at all to most far ends. */
static const struct tun_conf *
with_a_key(const struct tun_conf *c, struct tun_conf *own)
{
	unsigned i = 0;

	while (i < c->vlans.n && !c->vlans.r[i].key)
		i++;
	if (!c->bfd || i == c->vlans.n)
		return c;
	*own = *c;
	own->key = c->vlans.r[i].key;
	return own;
}

/* The headers by one way (NULL: packets stay here); false: there are none. */
static bool
make_hdr(const struct remote *r, const struct via *v, struct mac next_hop, struct tun_hdr *h)
{
	struct tun_path p = { .local = r->local, .remote = r->ip, .dst_mac = next_hop, .mtu = (uint16_t)MIN_OF(r->mtu, 65535u) };
	struct tun_conf own;
	struct err e = { 0 };

	if (v)
		p.src_mac = v->nl.mac;
	if (!tun_hdr_build(r->tun->type, with_a_key(&r->tun->conf, &own), &p, h, &e))
		return true;
	/* Options were checked: our own mistake, but no reason to send broken packets. */
	log_err("%s: cannot build headers: %s", r->tun->name, e.msg);
	return false;
}

static void
make_row(const struct remote *r, struct tun_dst *d)
{
	memset(d, 0, sizeof *d);
	d->state = r->state;
	d->port = r->tun->port;
	d->max_frame = r->max_frame;
	d->pmtud = r->tun->conf.pmtud;
	d->fragment = r->tun->conf.fragment && !r->here;
	d->type = r->tun->type;
	d->local = r->local;
	d->remote = r->ip;
	d->learned = r->learned;
	d->asked = r->asked;
	if (r->here)
		d->leave = TUN_LEAVE_LOCAL;
	/* Of several ways each has a row of its own. */
	if ((!r->via && !r->here) || r->n_hops > 1)
		return;
	d->next_hop = r->mac;
	d->underlay_port = r->via ? r->via->link.port : 0;
	if (r->state == TUN_DST_READY && !make_hdr(r, r->via, r->mac, &d->hdr))
		d->state = TUN_DST_NO_ROUTE;
}

static void
make_way(const struct remote *r, const struct hop *h, struct tun_way *w)
{
	w->state = hop_state(h);
	w->weight = h->weight;
	if (!h->via)
		return;
	w->underlay_port = h->via->link.port;
	if (w->state != TUN_DST_READY)
		return;
	w->next_hop = h->neigh->mac;
	if (!make_hdr(r, h->via, h->neigh->mac, &w->hdr))
		w->state = TUN_DST_NO_ROUTE;
}

/* Compares the ways with those handed on; true: they are others. */
static bool
update_ways(struct remote *r)
{
	unsigned n = r->n_hops > 1 ? r->n_hops : 0;
	struct tun_way *way = n ? xcalloc(n, sizeof *way) : NULL;
	bool same;

	for (unsigned i = 0; i < n; i++)
		make_way(r, &r->hop[i], &way[i]);
	same = n == r->n_ways && (!n || !memcmp(way, r->way, n * sizeof *way));
	free(r->way);
	r->way = way;
	r->n_ways = n;
	return !same;
}

static void
make_path(const struct remote *r, struct ofp_tun_path *p)
{
	memset(p, 0, sizeof *p);
	p->port = r->learned ? r->tun->port : 0;
	p->asked = r->learned ? r->asked : (struct ipaddr){ { 0 } };
	p->local = r->local;
	p->remote = r->ip;
	/* With several ways the datapath alone knows where packets leave: next hops come and go, flows stay. */
	if (!r->via || r->n_hops > 1)
		return;
	p->underlay_port = r->via->link.port;
	p->src = r->via->nl.mac;
	p->next_hop = r->mac;
}

/* Compares a remote with what was handed on. */
void
underlay_update_row(struct underlay *u, struct remote *r)
{
	struct ofp_tun_path path;
	struct tun_dst row;

	make_row(r, &row);
	if (memcmp(&row, &r->row, sizeof row)) {
		r->row = row;
		u->dirty = true;
	}
	u->dirty |= update_ways(r);
	make_path(r, &path);
	if (memcmp(&path, &r->path, sizeof path)) {
		r->path = path;
		u->ops.set_path(u->ops.arg, r->dst, &path);
	}
}

static void
add_endpoint(struct tun_view *v, const struct remote *r)
{
	static struct log_rate rate = { .burst = 3, .per_ms = 60000 };
	const struct tun_conf *c = &r->tun->conf;
	int rc = tun_view_add_endpoints(v, c, (struct tun_endpoint){
		.type = r->tun->type,
		.udp_port = c->dst_port,
		.port = r->tun->port,
		.key = c->key,
		.dst = r->dst,
		.remote = r->ip,
		.local = r->local,
		.bfd = c->bfd,
		.zero_csum6 = c->zero_csum6_rx,
		.reassemble = c->reassemble,
		.drop_inner_vlan = r->tun->drop_inner_vlan,
	});

	if (rc)
		log_rate_msg(&rate, LOG_LVL_ERR, "%s: cannot receive: %s", r->tun->name, strerror(-rc));
}

static void
add_underlay_ports(struct tun_view *view, const struct via *v)
{
	if (v->link.kind == UNDERLAY_LINK_DIRECT)
		tun_view_add_underlay(view, v->link.port, v->nl.mac);
	for (unsigned i = 0; v->link.kind == UNDERLAY_LINK_BRIDGED && i < v->link.n_rx; i++) {
		tun_view_add_underlay(view, v->link.rx[i], v->nl.mac);
		tun_view_set_underlay_vlan(view, v->link.rx[i], v->link.rx_vid[i], v->link.rx_bare[i]);
	}
}

void
underlay_hand_on(struct underlay *u)
{
	struct tun_view *view = tun_view_create();

	for (unsigned i = 1; i < TUN_MAX_DST; i++) {
		const struct remote *r = u->by_dst[i];

		if (!r)
			continue;
		tun_view_set_dst(view, r->dst, &r->row);
		if (r->n_ways)
			tun_view_set_ways(view, r->dst, r->way, r->n_ways);
		if ((r->via || r->here) && !r->learned)
			add_endpoint(view, r);
	}
	flow_add_endpoints(u, view);
	for (const struct via *v = u->vias; v; v = v->next)
		if (v->seen)
			add_underlay_ports(view, v);
	u->ops.set_view(u->ops.arg, view);
	u->dirty = false;
}

/* Remotes take up what became of their next hops. */
static void
tell_remotes(struct underlay *u)
{
	if (!u->neigh_changed)
		return;
	for (unsigned i = 1; i < TUN_MAX_DST; i++) {
		struct remote *r = u->by_dst[i];

		if (!r || !remote_hops_changed(r))
			continue;
		remote_settle(r);
		underlay_update_row(u, r);
	}
	neigh_told(u);
}

static void
look_at_routes(struct underlay *u, uint64_t now)
{
	via_pass_begin(u);
	flow_read_addrs(u);
	flow_expire(u, now);
	flow_listen(u, now);
	for (unsigned i = 1; i < TUN_MAX_DST; i++) {
		struct remote *r = u->by_dst[i];

		if (!r)
			continue;
		remote_bfd_sync(u, r, now);
		remote_resolve(u, r, now);
		underlay_update_row(u, r);
	}
	bfd_sync_ports(u);
	groups_update(u);
	update_squats(u);
	u->recheck_ms = now + UNDERLAY_RECHECK_MS;
}

/* Looks at everything (or at next hops only), and hands on what changed.  True when anything did. */
static bool
look(struct underlay *u, bool routes, uint64_t now)
{
	bool changed;

	if (routes)
		look_at_routes(u, now);
	neigh_look_all(u, now);
	tell_remotes(u);
	for (const struct via *v = u->vias; v; v = v->next)
		u->dirty |= !v->seen;
	changed = u->dirty;
	if (changed)
		underlay_hand_on(u);
	/* The ports of links that are no longer used go with the view that does not name them. */
	if (routes)
		via_pass_end(u);
	return changed;
}

void
underlay_update(struct underlay *u, uint64_t now)
{
	/* Paths of destinations that went: after this, their indices may be given anew. */
	for (uint32_t i = 1; i < TUN_MAX_DST; i++)
		if (!u->by_dst[i] && u->freed_in[i] == u->pass)
			u->ops.set_path(u->ops.arg, i, &(struct ofp_tun_path){ 0 });
	u->pass++;
	u->events = 0;
	look(u, true, now);
}

/* --- Events and timers --------------------------------------------------------------------- */

int
underlay_fd(const struct underlay *u)
{
	return u->pmtu.epoll;
}

static bool
look_at_events(struct underlay *u, uint64_t now)
{
	unsigned bits = u->events;

	u->events = 0;
	return look(u, bits & ~(unsigned)NL_EV_NEIGH, now);
}

static bool
look_at_timers(struct underlay *u, uint64_t now)
{
	bool changed = false, retry = now >= u->recheck_ms;

	for (const struct via *v = u->vias; v && !retry; v = v->next)
		retry = v->retry_ms && now >= v->retry_ms;
	if (retry)
		return look(u, true, now);
	neigh_look_due(u, now);
	tell_remotes(u);
	changed = u->dirty;
	if (changed)
		underlay_hand_on(u);
	return changed;
}

static unsigned
next_due(const struct underlay *u, uint64_t now)
{
	uint64_t due = u->n_remotes || u->n_flow ? u->recheck_ms : now + UNDERLAY_RECHECK_MS;

	if (u->events)
		due = MIN_OF(due, u->events_due_ms);
	if (u->deaf_ms)
		due = MIN_OF(due, u->deaf_ms);
	for (const struct via *v = u->vias; v; v = v->next)
		if (v->retry_ms)
			due = MIN_OF(due, v->retry_ms);
	due = MIN_OF(due, neigh_due(u));
	due = MIN_OF(due, pmtu_due(u));
	return due <= now ? 1 : MIN_OF(due - now, (uint64_t)UNDERLAY_RECHECK_MS);
}

/* Somebody loads a routing table: reading its rows one by one would cost as much as routing does.  What became of the
 * few that matter is asked for once in a while. */
static unsigned
hear_routes(struct underlay *u, uint64_t now)
{
	if (now - u->routes_ms >= 1000) {
		u->routes_ms = now;
		u->n_route_events = 0;
	}
	u->n_route_events += nl_route_events(u->nl);
	if (!u->deaf_ms && u->n_route_events > UNDERLAY_ROUTES_PER_S) {
		nl_hear_routes(u->nl, false);
		u->deaf_ms = now + UNDERLAY_DEAF_MS + u->n_remotes / 4;
	} else if (u->deaf_ms && now >= u->deaf_ms) {
		/* In this order: what comes from now on is heard, what came before is seen. */
		nl_hear_routes(u->nl, true);
		u->deaf_ms = 0;
		u->routes_ms = now;
		u->n_route_events = 0;
		return NL_EV_ROUTE;
	}
	return 0;
}

unsigned
underlay_poll(struct underlay *u, uint64_t now)
{
	unsigned bits = nl_read_events(u->nl);
	bool changed = false;

	bits |= hear_routes(u, now);

	if (bits && !u->events)
		/* Longer with many remotes, so that a flapping network cannot eat the control thread. */
		u->events_due_ms = now + UNDERLAY_COALESCE_MS + u->n_remotes / 8;
	u->events |= bits;
	pmtu_poll(u, now);
	if (u->n_remotes || u->n_flow) {
		if (u->events && now >= u->events_due_ms)
			changed |= look_at_events(u, now);
		changed |= look_at_timers(u, now);
	} else {
		u->events = 0;
	}
	if (changed)
		u->ops.commit(u->ops.arg);
	return next_due(u, now);
}

void
underlay_resolve(struct underlay *u, uint32_t dst, uint64_t now)
{
	struct remote *r = dst < TUN_MAX_DST ? u->by_dst[dst] : NULL;

	if (r)
		remote_ask(u, r, now);
}

/* --- For `show` ---------------------------------------------------------------------------- */

static const char *const state_names[] = {
	[TUN_DST_FREE] = "new",
	[TUN_DST_NO_ROUTE] = "no-route",
	[TUN_DST_RESOLVING] = "resolving",
	[TUN_DST_READY] = "ready",
	[TUN_DST_FAILED] = "failed",
};

void
underlay_stats(const struct underlay *u, struct underlay_stats *out)
{
	*out = u->stats;
	out->neighbours = u->n_neighs;
}

static void
describe_hop(const struct hop *h, struct underlay_hop *out)
{
	*out = (struct underlay_hop){ .state_name = state_names[hop_state(h)], .next_hop = h->next_hop, .weight = h->weight };
	if (h->neigh)
		out->mac = h->neigh->mac;
	str_copy(out->via, sizeof out->via, h->link);
	out->via_port = h->via ? h->via->link.port : 0;
}

static void
describe_hops(const struct remote *r, struct underlay_remote *out)
{
	for (unsigned i = 0; i < r->n_hops; i++) {
		const struct neigh *n = r->hop[i].neigh;

		out->mac_changes += n ? n->changes : 0;
		out->mac_held += n ? n->held : 0;
	}
	out->n_hops = r->n_hops > 1 ? r->n_hops : 0;
	for (unsigned i = 0; i < out->n_hops; i++)
		describe_hop(&r->hop[i], &out->hop[i]);
}

static void
describe(const struct underlay *u, const struct remote *r, struct underlay_remote *out)
{
	int squat = squat_error(u, r);

	*out = (struct underlay_remote){
		.remote = r->ip,
		.dst = r->dst,
		.state = r->state,
		.state_name = state_names[r->state],
		.local = r->local,
		.next_hop = r->next_hop,
		.next_hop_mac = r->mac,
		.via_port = r->via ? r->via->link.port : 0,
		.mtu = r->mtu,
		.max_frame = r->max_frame,
		.learned = r->learned,
	};
	bfd_describe(r, &out->bfd);
	describe_hops(r, out);
	if (r->via || r->here)
		str_copy(out->via, sizeof out->via, r->here ? "this host" : r->via->nl.name);
	str_copy(out->reason, sizeof out->reason, r->reason);
	if (!*out->reason && group_error(u, r))
		snprintf(out->reason, sizeof out->reason, "cannot join the group: %s", strerror(group_error(u, r)));
	if (!*out->reason && squat)
		snprintf(out->reason, sizeof out->reason,
			 "%s port %u: %s: another program or a kernel tunnel may answer as well",
			 squat_proto(r->tun->type->ip_proto), r->tun->conf.dst_port, strerror(squat));
}

unsigned
underlay_remotes(const struct underlay *u, uint16_t port, struct underlay_remote out[OPT_LIST_MAX])
{
	const struct tunnel *t = underlay_find(u, port);

	for (unsigned i = 0; t && i < t->n; i++)
		describe(u, t->remote[i], &out[i]);
	return t ? t->n : 0;
}

unsigned
underlay_learned(const struct underlay *u, uint16_t port, void (*cb)(void *, const struct underlay_remote *), void *arg)
{
	const struct tunnel *t = underlay_find(u, port);
	struct underlay_remote out;

	for (const struct remote *r = t ? t->learned : NULL; r; r = r->next) {
		describe(u, r, &out);
		cb(arg, &out);
	}
	return t ? t->n_learned : 0;
}

const char *
underlay_deaf(const struct underlay *u, uint16_t port)
{
	const struct tunnel *t = underlay_find(u, port);

	return t ? t->deaf : "";
}
