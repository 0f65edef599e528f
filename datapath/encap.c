/* SPDX-License-Identifier: Apache-2.0 */
/* Encapsulation: the ready-made outer headers of a tunnel destination in front of each packet, and the
 * bounded queue of packets whose next hop is being resolved. */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"
#include "datapath/tunnel_priv.h"

enum { WAIT_S = 3, ASK_AGAIN_MS = 500 };

static unsigned
too_big(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, const struct tun_dst *d,
	struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		/* Of a frame to be cut, what counts is what comes of it. */
		if (LIKELY(m[i]->pkt_len <= d->max_frame || offl_wire_len(m[i]) <= d->max_frame)) {
			m[left++] = m[i];
			continue;
		}
		if (d->pmtud)
			pmtud_answer(lc, key, m[i], d->max_frame - 14);
		exec_drop(lc, tun_port, DROP_TUN_TOO_BIG, &m[i], 1);
	}
	return left;
}

static unsigned
push(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, struct rte_mbuf **m, unsigned n)
{
	struct dp_port_stats *ps = &lc->pstats[tun_port];
	uint64_t bytes = 0;
	unsigned left = 0;
	struct tun_batch b;

	b.n = (uint16_t)n;
	b.hdr = &d->hdr;
	memcpy(b.pkt, m, n * sizeof *m);
	memset(b.drop, 0, n);
	for (unsigned i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	tun_push(d->type, &b);
	for (unsigned i = 0; i < n; i++) {
		if (UNLIKELY(b.drop[i])) {
			bytes -= b.pkt[i]->pkt_len;
			exec_drop(lc, tun_port, DROP_TUN_NO_HEADROOM, &b.pkt[i], 1);
			continue;
		}
		/* A long frame in a tunnel in a tunnel. */
		if (UNLIKELY(!offl_tunnel_on(b.pkt[i], d->hdr.l3_off, d->hdr.l4_off - d->hdr.l3_off,
					     d->hdr.len - d->hdr.l4_off, d->hdr.v6))) {
			bytes -= b.pkt[i]->pkt_len - d->hdr.len;
			exec_drop(lc, tun_port, DROP_TX_SEGMENT, &b.pkt[i], 1);
			continue;
		}
		m[left++] = b.pkt[i];
	}
	ctr_add(&ps->tx_packets, left);
	ctr_add(&ps->tx_bytes, bytes);
	return left;
}

static unsigned
waiting_for(const struct lcore *lc, uint32_t dst)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lc->n_wait; i++)
		n += lc->wait[i].dst == dst;
	return n;
}

static void
ask(struct lcore *lc, uint32_t dst)
{
	if (lcore_event_room(lc))
		lcore_event(lc, &(struct dp_event){ .kind = EV_RESOLVE, .tun_dst = dst });
}

/* Takes packets; the first for a destination asks the control thread to resolve it. */
static void
wait_add(struct lcore *lc, uint16_t tun_port, uint32_t dst, struct rte_mbuf **m, unsigned n)
{
	unsigned have = waiting_for(lc, dst);

	if (!have)
		ask(lc, dst);
	for (unsigned i = 0; i < n; i++) {
		if (have >= TUN_WAIT_PER_DST || lc->n_wait == TUN_WAIT_MAX) {
			exec_drop(lc, tun_port, DROP_TUN_NEIGH_WAIT, &m[i], 1);
			continue;
		}
		lc->wait[lc->n_wait++] =
			(struct tun_wait){ .m = m[i], .dst = dst, .port = tun_port, .since = lc->tsc };
		have++;
	}
	ctr_set(&lc->stats.tun_waiting, lc->n_wait);
}

unsigned
tun_encap(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, uint32_t dst, struct rte_mbuf **m,
	  unsigned n)
{
	const struct tun_dst *d = tun_view_dst(lc->view->tun, dst);

	if (UNLIKELY(!d || d->state == TUN_DST_NO_ROUTE)) {
		exec_drop(lc, tun_port, DROP_TUN_NO_ROUTE, m, n);
		return 0;
	}
	n = too_big(lc, key, tun_port, d, m, n);
	if (LIKELY(d->state == TUN_DST_READY))
		return push(lc, tun_port, d, m, n);
	if (d->state == TUN_DST_FAILED)
		exec_drop(lc, tun_port, DROP_TUN_NEIGH_FAILED, m, n);
	else if (n)
		wait_add(lc, tun_port, dst, m, n);
	return 0;
}

/* A packet whose destination became reachable leaves by the underlay port, or through the bridge of the
 * host's leg as if the host had sent it. */
static void
release(struct lcore *lc, const struct tun_wait *w, const struct tun_dst *d)
{
	const struct vport *vp = &lc->ports->port[d->underlay_port];
	struct rte_mbuf *m = w->m;

	if (!push(lc, w->port, d, &m, 1))
		return;
	if (vp->port && vp->port->type->caps & PORT_CAP_HOST_LEG)
		lc->isa->process(lc, &m, 1, d->underlay_port);
	else
		output(lc, d->underlay_port, &m, 1);
}

/* Looks after the waiting packets; called once per turn while there are any. */
void
tun_wait_service(struct lcore *lc)
{
	struct tun_wait still[TUN_WAIT_MAX], all[TUN_WAIT_MAX];
	unsigned n = lc->n_wait, left = 0;

	/* Releasing may queue anew (a loop of tunnels): work on a copy. */
	memcpy(all, lc->wait, n * sizeof all[0]);
	lc->n_wait = 0;
	for (unsigned i = 0; i < n; i++) {
		struct tun_wait *w = &all[i];
		const struct tun_dst *d = tun_view_dst(lc->view->tun, w->dst);

		/* The index may be another tunnel's by now. */
		if (!d || d->port != w->port || d->state == TUN_DST_NO_ROUTE)
			exec_drop(lc, w->port, DROP_TUN_NO_ROUTE, &w->m, 1);
		else if (d->state == TUN_DST_READY)
			release(lc, w, d);
		else if (d->state == TUN_DST_FAILED || lc->tsc - w->since > WAIT_S * lc->tsc_hz)
			exec_drop(lc, w->port, DROP_TUN_NEIGH_FAILED, &w->m, 1);
		else
			still[left++] = *w;
	}
	for (unsigned i = 0; i < left; i++) {
		if (lc->n_wait < TUN_WAIT_MAX)
			lc->wait[lc->n_wait++] = still[i];
		else
			exec_drop(lc, still[i].port, DROP_TUN_NEIGH_WAIT, &still[i].m, 1);
	}
	if (lc->n_wait && lc->tsc - lc->ask_tsc > lc->tsc_hz * ASK_AGAIN_MS / 1000) {
		lc->ask_tsc = lc->tsc;
		/* An earlier question may have been lost to a full ring. */
		for (unsigned i = 0; i < lc->n_wait; i++)
			if (!i || lc->wait[i].dst != lc->wait[i - 1].dst)
				ask(lc, lc->wait[i].dst);
	}
	ctr_set(&lc->stats.tun_waiting, lc->n_wait);
}

void
tun_wait_drop_all(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->n_wait; i++)
		exec_drop(lc, lc->wait[i].port, DROP_TUN_NEIGH_FAILED, &lc->wait[i].m, 1);
	lc->n_wait = 0;
}
