/* SPDX-License-Identifier: Apache-2.0 */
/* The buffers of packets on their way out, one for each output port. */
#include "datapath/dp_priv.h"

static uint16_t
port_tx(struct lcore *lc, const struct vport *vp, struct rte_mbuf **m, uint16_t n)
{
	uint16_t q = (uint16_t)(lc->idx % vp->n_txq);
	uint16_t sent;

	if (LIKELY(!(vp->flags & VPORT_TX_LOCK)))
		return vp->tx(vp->port, q, m, n);
	pthread_mutex_lock(&lc->dp->tx_lock[vp->port->id]);
	sent = vp->tx(vp->port, q, m, n);
	pthread_mutex_unlock(&lc->dp->tx_lock[vp->port->id]);
	return sent;
}

static void
tx_give_up(struct lcore *lc, uint16_t port, enum dp_drop why)
{
	struct tx_buf *b = &lc->tx[port];

	drop_count(lc, port, why, b->n);
	rte_pktmbuf_free_bulk(b->m, b->n);
	b->left += b->n;
	b->n = 0;
	b->bytes = 0;
	b->stall_tsc = 0;
}

/* Packets whose bytes are not in buffers of the pool get a copy of them, for a port that keeps or hands them on. */
static __attribute__((noinline)) void
own_bytes(struct lcore *lc, uint16_t port, struct tx_buf *b)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct rte_mbuf *m = b->m[i], *copy = m;

		if (m->nb_segs > 1 && loan_is(m)) {
			b->bytes -= m->pkt_len;
			copy = rte_pktmbuf_copy(m, lc->pool, 0, UINT32_MAX);
			rte_pktmbuf_free(m);
			b->bytes += copy ? copy->pkt_len : 0;
		}
		if (LIKELY(copy != NULL))
			b->m[kept++] = copy;
	}
	if (kept < b->n)
		drop_count(lc, port, DROP_NO_MEMORY, b->n - kept);
	b->left += b->n - kept;
	b->n = (uint16_t)kept;
}

void
tx_flush_port(struct lcore *lc, uint16_t port)
{
	const struct vport *vp = &lc->ports->port[port];
	struct tx_buf *b = &lc->tx[port];
	struct dp_port_stats *ps = &lc->pstats[port];
	uint64_t bytes = 0;
	uint16_t sent;

	/* A try may cost a system call, and a full buffer is flushed for each frame that comes: one a turn. */
	if (!b->n || UNLIKELY(b->tried_tsc == lc->tsc))
		return;
	if (UNLIKELY(!vp->port || !vp->tx)) {
		tx_give_up(lc, port, DROP_TX_DOWN);
		return;
	}
	if (UNLIKELY(!(vp->port->type->caps & PORT_CAP_TX_COPIES)))
		own_bytes(lc, port, b);
	uint32_t len[TX_BUF];

	/* tx() takes the packets it sends: what is counted must be read before. */
	for (unsigned i = 0; i < b->n; i++)
		len[i] = b->m[i]->pkt_len;
	sent = port_tx(lc, vp, b->m, b->n);
	for (unsigned i = 0; i < sent; i++)
		bytes += len[i];
	b->left += sent;
	ctr_add(&ps->tx_packets, sent);
	ctr_add(&ps->tx_bytes, bytes);
	if (LIKELY(sent == b->n)) {
		b->n = 0;
		b->bytes = 0;
		b->stall_tsc = 0;
		b->stuck = 0;
		return;
	}
	b->n = (uint16_t)(b->n - sent);
	memmove(b->m, b->m + sent, b->n * sizeof b->m[0]);
	/* A port that drops some may have taken others than the first. */
	b->bytes = 0;
	for (unsigned i = 0; i < b->n; i++)
		b->bytes += b->m[i]->pkt_len;
	if (sent) {
		b->stall_tsc = 0;
		b->stuck = 0;
		return;
	}
	b->tried_tsc = lc->tsc;
	if (!b->stall_tsc)
		b->stall_tsc = lc->tsc;
	else if (lc->tsc - b->stall_tsc > lc->tsc_hz / 500) {
		/* Two milliseconds without taking one: a stopped guest costs the others nothing more. */
		tx_give_up(lc, port, DROP_TX_QUEUE_FULL);
		b->stuck = vp->serial;
	}
}

void
tx_flush_all(struct lcore *lc)
{
	unsigned left = 0;

	for (unsigned i = 0; i < lc->n_dirty; i++) {
		uint16_t port = lc->tx_dirty[i];

		tx_flush_port(lc, port);
		if (lc->tx[port].n)
			lc->tx_dirty[left++] = port;
		else
			lc->tx[port].queued = false;
	}
	lc->n_dirty = (uint16_t)left;
}

void
tx_forget_old_ports(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->n_dirty; i++) {
		struct tx_buf *b = &lc->tx[lc->tx_dirty[i]];
		const struct vport *vp = &lc->ports->port[lc->tx_dirty[i]];

		if (!vp->port || vp->serial == b->serial)
			continue;
		/* Not counted: the counters under this number are the new port's. */
		rte_pktmbuf_free_bulk(b->m, b->n);
		b->left += b->n;
		b->n = 0;
		b->bytes = 0;
		b->stall_tsc = 0;
		b->serial = vp->serial;
	}
}

void
tx_drop_all(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->n_dirty; i++) {
		tx_give_up(lc, lc->tx_dirty[i], DROP_TX_DOWN);
		lc->tx[lc->tx_dirty[i]].queued = false;
	}
	lc->n_dirty = 0;
}

void
output_offload(struct lcore *lc, uint16_t port, struct rte_mbuf *m)
{
	const struct vport *vp = &lc->ports->port[port];
	uint16_t accepts = vp->port ? __atomic_load_n(&vp->port->accepts, __ATOMIC_RELAXED) : 0;
	struct rte_mbuf *seg[OFFL_MAX_SEGS];
	int why = DROP_TX_SEGMENT;
	unsigned n;

	if (offl_wire_len(m) > vp->max_len) {
		exec_drop(lc, port, vp->port ? DROP_TX_TOO_BIG : DROP_TX_DOWN, &m, 1);
		return;
	}
	if (!(offl_need(m) & ~accepts)) {
		tx_add(lc, port, m);
		return;
	}
	/* For what will not go anywhere no segment is made. */
	if (!tx_room(lc, port)) {
		exec_drop(lc, port, DROP_TX_QUEUE_FULL, &m, 1);
		return;
	}
	n = offl_resolve(m, accepts, lc->pool, seg, OFFL_MAX_SEGS, &why);
	if (UNLIKELY(!n))
		drop_count(lc, port, (enum dp_drop)why, 1);
	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(seg[i]->pkt_len <= vp->max_len))
			tx_add(lc, port, seg[i]);
		else
			exec_drop(lc, port, DROP_TX_TOO_BIG, &seg[i], 1);
	}
}
