/* SPDX-License-Identifier: Apache-2.0 */
/* What offload.c (the meaning of metadata) and segment.c (doing in software what it asks for) share. */
#ifndef DATAPATH_OFFL_PRIV_H
#define DATAPATH_OFFL_PRIV_H

#include "base/pkt.h"
#include "datapath/offload.h"

enum {
	OFFL_TCP = 6,
	OFFL_UDP = 17,
	OFFL_GRE = 47,
	OFFL_SCTP = 132,
	OFFL_TCP_CSUM = 16,             /* Where the checksum is in the L4 header. */
	OFFL_UDP_CSUM = 6,
	OFFL_SCTP_CSUM = 8,
};

/* All metadata that a packet loses once it needs nothing. */
#define OFFL_CLEAR \
	(OFFL_MBUF_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TUNNEL_MASK | \
	 RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6 | RTE_MBUF_F_TX_OUTER_IP_CKSUM | \
	 RTE_MBUF_F_TX_OUTER_UDP_CKSUM | RTE_MBUF_F_RX_L4_CKSUM_MASK)

/* Offsets of the headers that metadata speaks of, from the start of the packet. */
static inline uint32_t
offl_l3(const struct rte_mbuf *m)
{
	return (uint32_t)(m->outer_l2_len + m->outer_l3_len + m->l2_len);
}

static inline uint32_t
offl_l4(const struct rte_mbuf *m)
{
	return offl_l3(m) + m->l3_len;
}

static inline void
offl_clear(struct rte_mbuf *m)
{
	m->ol_flags &= ~OFFL_CLEAR;
	m->tx_offload = 0;
}

/* The sum of addresses, protocol and length (RFC 9293, 3.1; RFC 8200, 8.1), as words in memory; 'ip' is 20 or 40
 * bytes. */
static inline uint64_t
offl_pseudo_sum(const uint8_t *ip, bool v6, uint8_t proto, uint32_t l4_len)
{
	uint64_t sum = (uint64_t)be16(proto) + be16((uint16_t)(l4_len >> 16)) + be16((uint16_t)l4_len);

	return csum_add(sum, ip + (v6 ? 8 : 12), v6 ? 32 : 8);
}

/* The checksum of a sum.  Zero goes out as ones, which is the same number: in UDP zero says "none". */
static inline be16_t
offl_csum(uint64_t sum)
{
	uint16_t c = (uint16_t)~csum_fold(sum);

	return c ? c : 0xffff;
}

/* The sum of 'len' bytes at 'off', over all buffers; they are there. */
uint64_t offl_sum(const struct rte_mbuf *, uint32_t off, uint32_t len);
/* Writes two bytes, wherever buffers end. */
void offl_put16(struct rte_mbuf *, uint32_t off, be16_t);

#endif
