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
	dp->view_dirty = true;
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
	dp->view_dirty = true;
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

/* Queues that have no thread yet go to the one with the fewest. */
static void
place_queues(struct dp *dp)
{
	unsigned load[DP_MAX_LCORES] = { 0 };

	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		for (unsigned q = 0; dp->port[i] && q < MIN_OF(dp->port[i]->n_rxq, MAX_RXQ); q++)
			if (dp->rxq_home[i][q])
				load[dp->rxq_home[i][q] - 1]++;
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		for (unsigned q = 0; dp->port[i] && q < MIN_OF(dp->port[i]->n_rxq, MAX_RXQ); q++) {
			unsigned best = 0;

			if (dp->rxq_home[i][q])
				continue;
			for (unsigned l = 1; l < dp->n_lcores; l++)
				if (load[l] < load[best])
					best = l;
			dp->rxq_home[i][q] = (uint8_t)(best + 1);
			load[best]++;
		}
	}
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
		.flags = FLOW_F_TUNNEL,
		.tun_id = UINT64_MAX,
		.tun_peer = UINT32_MAX,
	};
	const uint64_t *a = (const uint64_t *)m, *b = (const uint64_t *)&l2;

	for (unsigned i = 0; i < sizeof l2 / sizeof *a; i++)
		if (a[i] & ~b[i])
			return true;
	return false;
}

static void
view_port(struct dp *dp, struct dp_view *v, unsigned id)
{
	struct port *p = dp->port[id];
	struct vport *vp = &v->port[id];
	struct flow_key *mask = &v->mask[id];

	vp->port = p;
	vp->serial = dp->serial[id];
	vp->tx = p->type->tx;
	/* Room for two tags on top of the largest L3 packet. */
	vp->max_len = p->type->tx ? (p->mtu ? p->mtu + RTE_ETHER_HDR_LEN + 8 : UINT32_MAX) : 0;
	vp->n_txq = MAX_OF(p->n_txq, 1);
	if (!(p->type->caps & PORT_CAP_TX_SHARED) && p->n_txq < dp->n_lcores)
		vp->flags |= VPORT_TX_LOCK;
	if (tun_view_is_underlay(v->tun, (uint16_t)id))
		vp->flags |= VPORT_UNDERLAY;
	if (v->xlate)
		dp->conf.xlate->port_mask(v->xlate, (uint16_t)id, mask);
	mask->in_port = 0xffff;
	if (mask_needs_l4(mask))
		vp->flags |= VPORT_L4;
}

struct dp_view *
dp_view_build(struct dp *dp)
{
	struct dp_view *v = xalloc_aligned(CACHE_LINE, sizeof *v);

	v->xlate = dp->xlate_view;
	v->tun = dp->tun_view;
	place_queues(dp);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct port *p = dp->port[i];

		if (!p)
			continue;
		view_port(dp, v, i);
		for (unsigned q = 0; p->type->rx && q < MIN_OF(p->n_rxq, MAX_RXQ); q++) {
			unsigned l = dp->rxq_home[i][q] - 1u;
			uint16_t n = v->lcore[l].n;

			v->lcore[l].rxq = xrealloc(v->lcore[l].rxq, (n + 1u) * sizeof *v->lcore[l].rxq);
			v->lcore[l].rxq[n] = (struct rxq_ref){ .port = p, .q = (uint16_t)q };
			v->lcore[l].n++;
		}
	}
	return v;
}

void
dp_view_free(void *arg)
{
	struct dp_view *v = arg;

	if (!v)
		return;
	for (unsigned i = 0; i < DP_MAX_LCORES; i++)
		free(v->lcore[i].rxq);
	free(v);
}

void
dp_commit(struct dp *dp, void (*done)(void *), void *arg)
{
	if (dp->view_dirty) {
		const struct dp_view *old = dp->view;

		rcu_assign(dp->view, dp_view_build(dp));
		rcu_defer(dp->rcu, dp_view_free, (void *)(uintptr_t)old);
	}
	if (dp->view_dirty || dp->tags_dirty)
		__atomic_store_n(&dp->epoch, dp->epoch + 1, __ATOMIC_RELEASE);
	/* Sleeping threads learn of new queues; others come by in microseconds. */
	if (dp->view_dirty)
		for (unsigned i = 0; i < dp->n_lcores; i++)
			lcore_wake(dp->lcore[i]);
	dp->view_dirty = dp->tags_dirty = false;
	while (dp->dead) {
		struct dead *d = dp->dead;

		dp->dead = d->next;
		rcu_defer(dp->rcu, d->fn, d->arg);
		free(d);
	}
	if (done)
		rcu_defer(dp->rcu, done, arg);
}
