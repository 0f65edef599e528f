/* SPDX-License-Identifier: Apache-2.0 */
/* What a sender may leave to the receiver of a frame: the checksum of its L4 header, and the cutting of a long TCP or
 * UDP payload into segments.  Virtio's terms (virtio 1.2, 5.1.6.2), since guests are where most of it comes from. */
#ifndef DATAPATH_OFFLOAD_H
#define DATAPATH_OFFLOAD_H

#include <linux/virtio_net.h>
#include <rte_mbuf_core.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct rte_mempool;

/* What a frame needs from whoever takes it as it is; what a port accepts. */
enum offload {
	OFFL_CSUM = 1 << 0,             /* The L4 checksum holds only the pseudo header's sum. */
	OFFL_TSO4 = 1 << 1,             /* TCP over IPv4, above the segment size. */
	OFFL_TSO6 = 1 << 2,
	OFFL_ECN = 1 << 3,              /* With TSO: CWR is set, to be left on the first segment only. */
	OFFL_UFO = 1 << 4,              /* A UDP datagram to be fragmented. */
	OFFL_TUNNEL = 1 << 5,           /* ...and the frame to be cut or summed is inside a tunnel. */
	OFFL_USO = 1 << 6,              /* A UDP payload to be cut, each part a datagram of its own. */
	OFFL_ALL = (1 << 7) - 1,
};

/* Reads a virtio header that came with a frame from somewhere that is not to be trusted, and checks it against the
 * frame: 'hdr' are its first 'hdr_len' bytes, 'len' is all of it.  '*need' becomes the OFFL_* that it asks for, 0 for
 * a plain frame; '*v' is made canonical (hdr_len the length of all headers, gso_size at least 1 and, tunnels
 * aside, less than the payload, no bit that is not understood).  False: it contradicts the frame, which is to be dropped as
 * DROP_RX_BAD_OFFLOAD.
 *
 * A checksum that is not that of the frame's own TCP or UDP header (a guest's own tunnel, SCTP) is passed on as it is,
 * with hdr_len 0.  Where it lies is behind everything that the parser reads: completing it later changes no key. */
bool offl_check(struct virtio_net_hdr *v, const uint8_t *hdr, uint32_t hdr_len, uint32_t len, uint16_t *need);

/* The same as mbuf metadata, in the terms that DPDK uses towards devices: RTE_MBUF_F_TX_* flags, l2_len, l3_len, l4_len,
 * tso_segsz (and the outer ones once a tunnel header was put on).  'v' as from offl_check(); what the terms have no
 * words for (hdr_len 0) is completed in place, so the caller holds the mbuf alone.
 *
 * UDP_SEG with an l4_len of 0 is OFFL_UFO: the UDP header is payload then, as it is of the first fragment. */
void offl_to_mbuf(struct rte_mbuf *, const struct virtio_net_hdr *v, uint16_t need);
/* From what a virtio driver of DPDK says of a packet that it received (RTE_MBUF_F_RX_LRO with tso_segsz, RX_L4_CKSUM_NONE),
 * checked against the packet, to the terms above.  False: it contradicts the frame, as with offl_check(). */
bool offl_from_rx_flags(struct rte_mbuf *);
static inline bool
offl_from_rx(struct rte_mbuf *m)
{
	uint64_t partial = RTE_MBUF_F_RX_L4_CKSUM_NONE;

	if (LIKELY(!(m->ol_flags & RTE_MBUF_F_RX_LRO) && (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != partial))
		return true;
	return offl_from_rx_flags(m);
}
/* The opposite of offl_to_mbuf(), for a port that accepts it: writes the header to give with the frame.  The pseudo header's sum is
 * written into the packet anew, since actions may have edited what it covers. */
void offl_from_mbuf(struct rte_mbuf *, struct virtio_net_hdr *v);

/* Set of none but packets that need something. */
#define OFFL_MBUF_MASK (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK)

/* What an mbuf needs, 0 for nearly all: reads only its flags, and more of it when one of them is set. */
uint16_t offl_need_of(const struct rte_mbuf *);
static inline uint16_t
offl_need(const struct rte_mbuf *m)
{
	return LIKELY(!(m->ol_flags & OFFL_MBUF_MASK)) ? 0 : offl_need_of(m);
}

/* Does in software what the receiver does not 'accept': completes the checksum in place (in a copy, when others hold
 * the packet), or cuts the frame into segments with lengths and checksums right, outer headers and their checksums
 * included.  Takes 'm'.  Up to 'max' packets appear in 'out', which need nothing but what is accepted; none of them is
 * longer than the segment size and the headers make it.  0 with '*why' an enum dp_drop: dropped and freed. */
enum { OFFL_MAX_SEGS = 256 };
unsigned offl_resolve(struct rte_mbuf *m, uint16_t accepts, struct rte_mempool *, struct rte_mbuf *out[], unsigned max,
		      int *why);

/* The longest packet that 'm' will be on a wire, from the Ethernet header on: itself, or one of its segments. */
uint32_t offl_wire_len(const struct rte_mbuf *m);

/* Tunnel headers of a template were put on: an IP header of 'l3_len' bytes at 'l2_len', then 'own' bytes in front of the
 * frame.  False: metadata cannot say that (it is inside a tunnel already); the packet is to be dropped. */
bool offl_tunnel_on(struct rte_mbuf *, uint32_t l2_len, uint32_t l3_len, uint32_t own, bool v6);
/* The first 'n' bytes, a tunnel's headers, were taken off.  A checksum that was among them is no more. */
void offl_tunnel_off(struct rte_mbuf *, uint32_t n);
/* The headers may be such that only we can find the IP header: MPLS, PBB. */
static inline void
offl_hidden(struct rte_mbuf *m)
{
	if (UNLIKELY(m->ol_flags & OFFL_MBUF_MASK && !(m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK)))
		m->ol_flags |= RTE_MBUF_F_TX_TUNNEL_IP;
}

/* Completes the checksum and forgets the rest, of a frame that is about to lose its end: one that was to be cut stays
 * one long packet.  The caller holds it alone. */
void offl_finish(struct rte_mbuf *);

/* Headers in front of the (outer) IP header grew or shrank: a tag was put on or taken off. */
static inline void
offl_l2_moved(struct rte_mbuf *m, int by)
{
	if (LIKELY(!(m->ol_flags & OFFL_MBUF_MASK)))
		return;
	if (m->outer_l3_len)
		m->outer_l2_len = (uint64_t)((int)m->outer_l2_len + by) & 0x7f;
	else
		m->l2_len = (uint64_t)((int)m->l2_len + by) & 0x7f;
}

#endif
