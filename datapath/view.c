/* SPDX-License-Identifier: Apache-2.0 */
/* Publication: what the control thread has edited becomes a view that polling threads read, and what they read before
 * is released once none of them can reach it. */
#include "datapath/dp_priv.h"
#include "datapath/tunnel_priv.h"

#include <rte_ether.h>
#include <stdlib.h>

/* Something to release once no lcore can reach it. */
struct dead {
	void (*fn)(void *);
	void *arg;
	struct dead *next;
};

void
dp_dead_add(struct dp *dp, void (*fn)(void *), void *arg)
{
	struct dead *d = xcalloc(1, sizeof *d);

	*d = (struct dead){ .fn = fn, .arg = arg, .next = dp->dead };
	dp->dead = d;
}

void
dp_dead_run(struct dp *dp)
{
	while (dp->dead) {
		struct dead *d = dp->dead;

		dp->dead = d->next;
		d->fn(d->arg);
		free(d);
	}
}

/* --- Edits --------------------------------------------------------------------------------- */

void
dp_set_xlate_view(struct dp *dp, const void *view, void (*destroy)(void *))
{
	if (dp->xlate_destroy)
		dp_dead_add(dp, dp->xlate_destroy, (void *)(uintptr_t)dp->xlate_view);
	dp->xlate_view = view;
	dp->xlate_destroy = destroy;
	dp->xlate_dirty = true;
}

static void
tun_view_free(void *arg)
{
	tun_view_destroy(arg);
}

void
dp_set_tunnels(struct dp *dp, struct tun_view *v)
{
	if (dp->tun_view)
		dp_dead_add(dp, tun_view_free, dp->tun_view);
	dp->tun_view = v;
	dp->tun_dirty = true;
}

void
dp_defer(struct dp *dp, void (*fn)(void *), void *obj)
{
	dp_dead_add(dp, fn, obj);
}

/* The mark is written now and becomes visible with the epoch that dp_commit() publishes. */
void
dp_tag_changed(struct dp *dp, dp_tag tag)
{
	__atomic_store_n(&dp->tag_epoch[tag], dp->epoch + 1, __ATOMIC_RELAXED);
	dp->tags_dirty = true;
}

bool
dp_port_guard(struct dp *dp, uint16_t port, const struct guard_conf *c)
{
	struct guard *old = dp->guard[port];

	if (old ? guard_is(old, c) : guard_conf_empty(c))
		return false;
	dp->guard[port] = guard_conf_empty(c) ? NULL : guard_create(c, old, rte_get_tsc_hz(), rte_rdtsc());
	dp->ports_dirty = true;
	if (old)
		dp_dead_add(dp, free, old);
	return true;
}

/* Queues of a port to poll. */
static uint16_t
live_queues(const struct port *p)
{
	uint16_t live = __atomic_load_n(&p->live_rxq, __ATOMIC_RELAXED);

	return (uint16_t)MIN_OF(live && live < p->n_rxq ? live : p->n_rxq, MAX_RXQ);
}

/* A queue that comes back goes to the thread that it had. */
static void
place_queues(struct dp *dp)
{
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		dp->live_rxq[i] = dp->port[i] ? live_queues(dp->port[i]) : 0;
	rxq_place(dp);
}

static bool
mask_needs_l4(const struct flow_key *m)
{
	static const struct flow_key l2 = {
		.in_port = 0xffff,
		.dl_dst = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.dl_src = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.dl_type = 0xffff,
		.vlan = { { 0xffff, 0xffff }, { 0xffff, 0xffff } },
		.flags = FLOW_F_TUNNEL | FLOW_F_NO_LEARN,
		.tun_id = UINT64_MAX,
		.tun_peer = UINT32_MAX,
	};
	const uint64_t *a = (const uint64_t *)m, *b = (const uint64_t *)&l2;

	for (unsigned i = 0; i < sizeof l2 / sizeof *a; i++)
		if (a[i] & ~b[i])
			return true;
	return false;
}

/* What the translator and the tunnels make of a port. */
static uint16_t
port_policy(const struct dp *dp, uint16_t id, struct flow_key *mask)
{
	uint16_t flags = tun_view_is_underlay(dp->tun_view, id) ? VPORT_UNDERLAY : 0;

	memset(mask, 0, sizeof *mask);
	if (dp->xlate_view)
		dp->conf.xlate->port_mask(dp->xlate_view, id, mask);
	mask->in_port = 0xffff;
	return mask_needs_l4(mask) ? flags | VPORT_L4 : flags;
}

static void
put_port(struct dp *dp, struct dp_ports *t, uint16_t id)
{
	struct port *p = dp->port[id];
	struct vport *vp = &t->port[id];

	vp->port = p;
	vp->serial = dp->serial[id];
	vp->tx = p->type->tx;
	vp->frames = p->type->frames;
	/* Room for two tags on top of the largest L3 packet. */
	vp->max_len = p->type->tx ? (p->mtu ? p->mtu + RTE_ETHER_HDR_LEN + 8 : UINT32_MAX) : 0;
	vp->n_txq = MAX_OF(p->n_txq, 1);
	vp->flags = port_policy(dp, id, &t->mask[id]);
	if (!(p->type->caps & PORT_CAP_TX_SHARED) && p->n_txq < dp->n_lcores)
		vp->flags |= VPORT_TX_LOCK;
	vp->guard = dp->guard[id];
	if (vp->guard)
		vp->flags |= guard_limits_tx(vp->guard) ? VPORT_GUARD | VPORT_TX_LIMIT : VPORT_GUARD;
	for (uint16_t q = 0; (p->type->rx || p->type->frames) && q < dp->live_rxq[id]; q++) {
		unsigned l = dp->rxq[id][q].home - 1u;
		uint16_t n;

		if (dp->rxq[id][q].moving)
			continue;
		n = t->lcore[l].n++;
		t->lcore[l].rxq = xrealloc(t->lcore[l].rxq, (n + 1u) * sizeof *t->lcore[l].rxq);
		t->lcore[l].rxq[n] = (struct rxq_ref){
			.port = p, .stat = &dp->rxq_stat[id * MAX_RXQ + q],
			.peek = vp->frames ? vp->frames->peek(p, q) : NULL, .q = q,
		};
	}
}

static uint64_t
masks_version(const struct dp *dp)
{
	return dp->xlate_view && dp->conf.xlate->masks_version ? dp->conf.xlate->masks_version(dp->xlate_view) : 0;
}

static struct dp_ports *
ports_build(struct dp *dp)
{
	/* Three megabytes, of which what no port uses is never touched. */
	struct dp_ports *t = map_zeroed(sizeof *t);

	if (!t)
		abort();
	t->serial = ++dp->ports_serial;
	t->masks_version = masks_version(dp);
	place_queues(dp);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (dp->port[i])
			put_port(dp, t, (uint16_t)i);
	return t;
}

/* Whether the table says what a new one would. */
static bool
ports_hold(const struct dp *dp, struct dp_ports *t)
{
	uint64_t version = masks_version(dp);

	if (dp->ports_dirty)
		return false;
	if (!dp->tun_dirty && (!dp->xlate_dirty || (version && version == t->masks_version)))
		return true;
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct flow_key mask;

		if (dp->port[i] && (port_policy(dp, (uint16_t)i, &mask) != (t->port[i].flags & (VPORT_UNDERLAY | VPORT_L4)) ||
				    memcmp(&mask, &t->mask[i], sizeof mask) != 0))
			return false;
	}
	t->masks_version = version;
	return true;
}

struct dp_view *
dp_view_build(struct dp *dp)
{
	struct dp_view *v = xcalloc(1, sizeof *v);

	v->xlate = dp->xlate_view;
	v->tun = dp->tun_view;
	v->ports = dp->view && ports_hold(dp, dp->view->ports) ? dp->view->ports : ports_build(dp);
	v->ports->refs++;
	return v;
}

void
dp_view_free(void *arg)
{
	struct dp_view *v = arg;
	struct dp_ports *t;

	if (!v)
		return;
	t = v->ports;
	free(v);
	if (--t->refs)
		return;
	for (unsigned i = 0; i < DP_MAX_LCORES; i++)
		free(t->lcore[i].rxq);
	map_free(t, sizeof *t);
}

/* Sleeping threads learn of new queues, and of tunnels that packets wait for; others come by in microseconds. */
static void
wake_all(struct dp *dp)
{
	for (unsigned i = 0; i < dp->n_lcores; i++)
		lcore_wake(dp->lcore[i]);
}

static void
publish_view(struct dp *dp)
{
	const struct dp_view *old = dp->view, *new = dp_view_build(dp);

	rcu_assign(dp->view, new);
	if (new->ports != old->ports || dp->tun_dirty)
		wake_all(dp);
	rcu_defer(dp->rcu, dp_view_free, (void *)(uintptr_t)old);
	dp->ports_dirty = dp->tun_dirty = dp->xlate_dirty = false;
}

void
dp_ports_republish(struct dp *dp)
{
	dp->ports_dirty = true;
	publish_view(dp);
}

/* Nothing that waits for its commit gets its epoch by this. */
void
dp_view_follow(struct dp *dp, const struct port *p)
{
	if (dp->view->ports->port[p->id].port != p || live_queues(p) == dp->live_rxq[p->id])
		return;
	dp_ports_republish(dp);
}

void
dp_commit(struct dp *dp, void (*done)(void *), void *arg)
{
	if (dp->ports_dirty || dp->tun_dirty || dp->xlate_dirty)
		publish_view(dp);
	/* After the view.  Without a mark no flow has to be looked at. */
	if (dp->tags_dirty)
		__atomic_store_n(&dp->epoch, dp->epoch + 1, __ATOMIC_RELEASE);
	dp->tags_dirty = false;
	while (dp->dead) {
		struct dead *d = dp->dead;

		dp->dead = d->next;
		rcu_defer(dp->rcu, d->fn, d->arg);
		free(d);
	}
	if (done)
		rcu_defer(dp->rcu, done, arg);
}
