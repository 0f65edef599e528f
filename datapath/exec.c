/* SPDX-License-Identifier: Apache-2.0 */
/* Runs action programs, a batch of packets of one flow at a time, and flushes the output buffers.
 *
 * A packet that goes several ways is shared by reference as long as nobody changes it; an action that
 * writes makes its own copy first (exec_own()). */
#include "datapath/dp_priv.h"

#include <rte_ether.h>

enum { VLAN_HLEN = 4 };

void
exec_drop(struct lcore *lc, uint16_t port, enum dp_drop why, struct rte_mbuf **m, unsigned n)
{
	/* What a kernel interface shows us beside the tunnels it carries is the kernel's business. */
	if (!(why == DROP_NO_BRIDGE && lc->ports->port[port].flags & VPORT_UNDERLAY))
		drop_count(lc, port, why, n);
	rte_pktmbuf_free_bulk(m, n);
}

/* Drops what is not in 'pass'. */
static unsigned
keep(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n, uint32_t pass, const enum dp_drop *why)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(pass >> i & 1))
			m[left++] = m[i];
		else
			exec_drop(lc, port, why ? why[i] : DROP_TX_RATE, &m[i], 1);
	}
	return left;
}

unsigned
exec_guard_rx(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	struct guard_pkt pkt[GUARD_BATCH];
	enum dp_drop why[GUARD_BATCH];

	if (UNLIKELY(!n))
		return 0;

	for (unsigned i = 0; i < n; i++)
		pkt[i] = (struct guard_pkt){ rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len, m[i]->pkt_len };
	return keep(lc, port, m, n, guard_rx(lc->ports->port[port].guard, lc->tsc, pkt, n, why), why);
}

unsigned
exec_guard_tx(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	uint32_t len[GUARD_BATCH];

	if (UNLIKELY(!n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		len[i] = m[i]->pkt_len;
	return keep(lc, port, m, n, guard_tx(lc->ports->port[port].guard, lc->tsc, len, n), NULL);
}

unsigned
exec_own(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *copy = m[i];

		if (exec_is_shared(m[i])) {
			copy = rte_pktmbuf_copy(m[i], lc->pool, 0, UINT32_MAX);
			rte_pktmbuf_free(m[i]);
			if (UNLIKELY(!copy)) {
				drop_count(lc, port, DROP_NO_MEMORY, 1);
				continue;
			}
		}
		m[left++] = copy;
	}
	return left;
}

static unsigned
push_vlan(struct lcore *lc, const struct flow_key *key, uint32_t tag, struct rte_mbuf **m, unsigned n)
{
	be32_t raw = be32(tag);
	unsigned left = 0;

	n = exec_own(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = pkt_push(m[i], VLAN_HLEN);

		if (UNLIKELY(!p)) {
			exec_drop(lc, key->in_port, DROP_NO_MEMORY, &m[i], 1);
			continue;
		}
		memmove(p, p + VLAN_HLEN, 2 * RTE_ETHER_ADDR_LEN);
		memcpy(p + 2 * RTE_ETHER_ADDR_LEN, &raw, sizeof raw);
		m[left++] = m[i];
	}
	return left;
}

/* Like exec_own(), for packets that are about to lose or change their outermost tag: one that has none whole is
 * dropped. */
static unsigned
own_tagged(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	n = exec_own(lc, port, m, n);
	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(pkt_peek(m[i], 0, RTE_ETHER_HDR_LEN + VLAN_HLEN)))
			m[left++] = m[i];
		else
			exec_drop(lc, port, DROP_RX_MALFORMED, &m[i], 1);
	}
	return left;
}

static unsigned
pop_vlan(struct lcore *lc, const struct flow_key *key, struct rte_mbuf **m, unsigned n)
{
	n = own_tagged(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);

		memmove(p + VLAN_HLEN, p, 2 * RTE_ETHER_ADDR_LEN);
		pkt_pull(m[i], VLAN_HLEN);
	}
	return n;
}

static unsigned
set_vlan(struct lcore *lc, const struct flow_key *key, uint16_t tci, struct rte_mbuf **m, unsigned n)
{
	n = own_tagged(lc, key->in_port, m, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *tag = rte_pktmbuf_mtod_offset(m[i], uint8_t *, RTE_ETHER_HDR_LEN);

		/* The priority bits stay the frame's own: the flow does not match on them. */
		store_be16(tag, (load_be16(tag) & be16(0xf000)) | be16(tci & VLAN_VID_MASK));
	}
	return n;
}

/* One more reference to each packet, for a branch that starts with the same array. */
static void
share(struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_refcnt_update(m[i], 1);
}

void
exec_acts(struct lcore *lc, const struct flow_key *key, const struct act *a, unsigned n_acts,
	  struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n_acts && n; i++) {
		switch (a[i].op) {
		case ACT_OUTPUT:
			if (i + 1 == n_acts) {
				output(lc, a[i].port, m, n);
				return;
			}
			share(m, n);
			output(lc, a[i].port, m, n);
			break;
		case ACT_PUSH_VLAN:
			n = push_vlan(lc, key, a[i].arg, m, n);
			break;
		case ACT_POP_VLAN:
			n = pop_vlan(lc, key, m, n);
			break;
		case ACT_SET_VLAN:
			n = set_vlan(lc, key, (uint16_t)a[i].arg, m, n);
			break;
		case ACT_TUN_PUSH:
			n = exec_own(lc, key->in_port, m, n);
			n = tun_encap(lc, key, a[i].port, a[i].arg, m, n);
			break;
		case ACT_CLONE: {
			unsigned len = MIN_OF(a[i].arg, n_acts - i - 1);
			struct rte_mbuf *branch[BURST];

			if (i + len + 1 < n_acts)
				share(m, n);
			memcpy(branch, m, n * sizeof *m);
			exec_acts(lc, key, &a[i + 1], len, branch, n);
			if (i + len + 1 >= n_acts)
				return;
			i += len;
			break;
		}
		case ACT_SET:
		case ACT_PUSH_MPLS:
		case ACT_POP_MPLS:
		case ACT_PUSH_PBB:
		case ACT_POP_PBB:
		case ACT_TRUNC: {
			unsigned words;

			n = exec_edit(lc, key->in_port, &a[i], n_acts - i, &words, m, n);
			i += words - 1;
			break;
		}
		case ACT_METER:
			n = exec_meter(lc, key->in_port, a[i].arg, m, n);
			break;
		case ACT_PUNT: {
			unsigned words = MIN_OF(a[i].arg, n_acts - i - 1);

			tell_punt(lc, key->in_port, a[i].port, &a[i + 1], words, m, n);
			i += words;
			break;
		}
		case ACT_DROP:
			exec_drop(lc, key->in_port, a[i].arg, m, n);
			return;
		}
	}
	rte_pktmbuf_free_bulk(m, n);
}

/* --- Output buffers ------------------------------------------------------------------------ */

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
	b->n = 0;
	b->stall_tsc = 0;
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
	uint32_t len[TX_BUF];

	/* tx() takes the packets it sends: what is counted must be read before. */
	for (unsigned i = 0; i < b->n; i++)
		len[i] = b->m[i]->pkt_len;
	sent = port_tx(lc, vp, b->m, b->n);
	for (unsigned i = 0; i < sent; i++)
		bytes += len[i];
	ctr_add(&ps->tx_packets, sent);
	ctr_add(&ps->tx_bytes, bytes);
	if (LIKELY(sent == b->n)) {
		b->n = 0;
		b->stall_tsc = 0;
		return;
	}
	b->n = (uint16_t)(b->n - sent);
	memmove(b->m, b->m + sent, b->n * sizeof b->m[0]);
	if (sent) {
		b->stall_tsc = 0;
		return;
	}
	b->tried_tsc = lc->tsc;
	if (!b->stall_tsc)
		b->stall_tsc = lc->tsc;
	else if (lc->tsc - b->stall_tsc > lc->tsc_hz / 500)
		/* Two milliseconds without taking one: a stopped guest costs the others nothing more. */
		tx_give_up(lc, port, DROP_TX_QUEUE_FULL);
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
		b->n = 0;
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
