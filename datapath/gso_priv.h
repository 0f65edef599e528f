/* SPDX-License-Identifier: Apache-2.0 */
/* Segmentation of what the kernel left to a device that is not there: see gso.c. */
#ifndef DATAPATH_GSO_PRIV_H
#define DATAPATH_GSO_PRIV_H

#include <linux/virtio_net.h>

#include "base/util.h"

struct rte_mbuf;
struct rte_mempool;

struct gso_frame {
	const uint8_t *bytes;           /* From the Ethernet header, contiguous. */
	uint32_t len;
	struct virtio_net_hdr v;        /* What the kernel says of it. */
	bool tagged;                    /* A VLAN tag beside the frame. */
	uint16_t tpid, tci;
};

enum { GSO_MAX_SEGS = 64 };

/* Splits TCP or UDP, over IPv4 or IPv6, plain or inside VXLAN, into frames of v.gso_size bytes of payload with
 * all lengths and checksums right.  The number of mbufs in 'out'; -EINVAL: headers that it does not understand or
 * more segments than fit; -ENOMEM: buffers ran out. */
int gso_split(const struct gso_frame *, struct rte_mempool *, struct rte_mbuf *out[GSO_MAX_SEGS]);

/* Appends to a frame, in as many segments as it takes.  False: buffers ran out. */
bool gso_append(struct rte_mbuf *, struct rte_mempool *, const uint8_t *, uint32_t len);
/* The start of a frame: addresses, then the tag if there is one.  Returns how many bytes of 'f' that used. */
uint32_t gso_start(struct rte_mbuf *, const struct gso_frame *f);

#endif
