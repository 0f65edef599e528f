/* SPDX-License-Identifier: Apache-2.0 */
/* What a sender may leave to the receiver of a frame: the checksum of its L4 header, and the cutting of a long TCP or
 * UDP payload into segments.  Virtio's terms (virtio 1.2, 5.1.6.2), since guests are where most of it comes from. */
#ifndef DATAPATH_OFFLOAD_H
#define DATAPATH_OFFLOAD_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* What a frame needs from whoever takes it as it is; what a port accepts. */
enum offload {
	OFFL_CSUM = 1 << 0,             /* The L4 checksum holds only the pseudo header's sum. */
	OFFL_TSO4 = 1 << 1,             /* TCP over IPv4, above the segment size. */
	OFFL_TSO6 = 1 << 2,
	OFFL_ECN = 1 << 3,              /* With TSO: CWR is set, to be left on the first segment only. */
	OFFL_UFO = 1 << 4,              /* A UDP datagram to be fragmented. */
	OFFL_TUNNEL = 1 << 5,           /* ...and the frame to be cut or summed is inside a tunnel. */
	OFFL_ALL = (1 << 6) - 1,
};

/* Reads a virtio header that came with a frame from somewhere that is not to be trusted, and checks it against the
 * frame: 'hdr' are its first 'hdr_len' bytes, 'len' is all of it.  '*need' becomes the OFFL_* that it asks for, 0 for
 * a plain frame; '*v' is made canonical (csum_start and csum_offset within the frame's own L4 header, hdr_len the
 * length of all headers, gso_size at least 1, no bit that is not understood).  False: it contradicts the frame, which
 * is to be dropped as DROP_RX_BAD_OFFLOAD. */
bool offl_check(struct virtio_net_hdr *v, const uint8_t *hdr, uint32_t hdr_len, uint32_t len, uint16_t *need);

/* The same as mbuf metadata, in the terms that DPDK uses towards devices: RTE_MBUF_F_TX_* flags, l2_len, l3_len, l4_len,
 * tso_segsz (and the outer ones once a tunnel header was put on).  'v' as from offl_check(). */
void offl_to_mbuf(struct rte_mbuf *, const struct virtio_net_hdr *v, uint16_t need);
/* The opposite, for a port that accepts it: writes the header to give with the frame.  The pseudo header's sum is
 * written into the packet anew, since actions may have edited what it covers. */
void offl_from_mbuf(struct rte_mbuf *, struct virtio_net_hdr *v);

/* What an mbuf needs, 0 for nearly all: reads only its flags. */
uint16_t offl_need(const struct rte_mbuf *);

/* Does in software what the receiver does not 'accept': completes the checksum in place, or cuts the frame into
 * segments with lengths and checksums right, outer headers and their checksums included.  Takes 'm'.  Up to 'max'
 * packets appear in 'out', which need nothing but what is accepted; none of them is longer than the segment size and
 * the headers make it.  0 with '*why' an enum dp_drop: dropped and freed. */
enum { OFFL_MAX_SEGS = 128 };
unsigned offl_resolve(struct rte_mbuf *m, uint16_t accepts, struct rte_mempool *, struct rte_mbuf *out[], unsigned max,
		      int *why);

/* The longest packet that 'm' will be on a wire, from the Ethernet header on: itself, or one of its segments. */
uint32_t offl_wire_len(const struct rte_mbuf *m);

#endif
