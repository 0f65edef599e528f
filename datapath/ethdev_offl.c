/* SPDX-License-Identifier: Apache-2.0 */
/* What a DPDK device does for packets: their checksums, and the cutting of long TCP ones.  Outwards, any driver that can;
 * inwards, virtio alone, whose far side is a switch that has frames of its guests whole.  (A NIC that joins what was
 * apart on the wire is not for a switch: nobody could take the joint apart as it was.)
 *
 * Tunnels with a checksum inside are done by us: there is no device here whose driver could be tried. */
#include <string.h>

#include <rte_ethdev.h>

#include "datapath/ethdev_priv.h"
#include "datapath/offload.h"

enum {
	TX_CSUM = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
	RX_WHOLE = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM,
};

static bool
has(uint64_t capa, uint64_t all)
{
	return (capa & all) == all;
}

void
ethdev_offl_choose(struct ethdev *d, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	bool virtio = !strncmp(info->driver_name, "net_virtio", 10);

	d->accepts = 0;
	if (has(info->tx_offload_capa, TX_CSUM)) {
		conf->txmode.offloads |= TX_CSUM | (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
		d->accepts = OFFL_CSUM;
		if (has(info->tx_offload_capa, RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
			conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
			d->accepts |= OFFL_TSO4 | OFFL_TSO6;
		}
	}
	d->ip_csum = conf->txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	/* A long frame comes in many buffers, which some of the driver's modes do not have. */
	d->rx_whole = virtio && has(info->rx_offload_capa, RX_WHOLE | RTE_ETH_RX_OFFLOAD_SCATTER);
	if (d->rx_whole)
		conf->rxmode.offloads |= RX_WHOLE;
}

/* ---- Polling threads ------------------------------------------------------------------------ */

/* A packet that the device refuses would be in the way of all others: it goes. */
static uint16_t
ask_device(struct port *p, struct ethdev *d, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t ok = 0; ok < n;) {
		ok = (uint16_t)(ok + rte_eth_tx_prepare(d->id, q, pkts + ok, (uint16_t)(n - ok)));
		if (ok < n) {
			rte_pktmbuf_free(pkts[ok]);
			memmove(pkts + ok, pkts + ok + 1, (size_t)(n - ok - 1) * sizeof *pkts);
			port_tx_drop(p, DROP_TX_ERROR, 1);
			n--;
		}
	}
	return n;
}

/* Drivers write sums into the packet that only they make sense of: not into one that goes to others as well. */
static bool
make_own(struct port *p, struct rte_mbuf **m)
{
	struct rte_mbuf *copy;

	if (LIKELY(rte_mbuf_refcnt_read(*m) == 1))
		return true;
	copy = rte_pktmbuf_copy(*m, p->owner->pool, 0, UINT32_MAX);
	rte_pktmbuf_free(*m);
	*m = copy;
	if (!copy)
		port_tx_drop(p, DROP_NO_MEMORY, 1);
	return copy;
}

uint16_t
ethdev_offl_tx(struct port *p, struct ethdev *d, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;
	bool any = false;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (LIKELY(!(m->ol_flags & OFFL_MBUF_MASK))) {
			pkts[kept++] = m;
			continue;
		}
		if (!make_own(p, &m))
			continue;
		pkts[kept++] = m;
		any = true;
		/* Segments have other lengths, so who cuts sums their IP headers as well; virtio does so unasked, and asked, DPDK
		 * would only clear the sum. */
		m->ol_flags &= ~RTE_MBUF_F_TX_IP_CKSUM;
		if (d->ip_csum && m->ol_flags & RTE_MBUF_F_TX_IPV4)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	}
	return UNLIKELY(any) ? ask_device(p, d, q, pkts, kept) : kept;
}

uint16_t
ethdev_offl_rx(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (LIKELY(offl_from_rx(pkts[i]))) {
			pkts[kept++] = pkts[i];
			continue;
		}
		rte_pktmbuf_free(pkts[i]);
		p->rx_drops[DROP_RX_BAD_OFFLOAD]++;
	}
	return kept;
}
