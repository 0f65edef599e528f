/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are still in their sender's memory.
 *
 * A port whose peer shares its memory with us (a guest) gives its packets this way: the first bytes copied to private
 * memory, the rest where the sender put it.  A frame for one port of the same kind is copied from memory to memory
 * without a packet buffer; any other becomes an mbuf (frame_to_mbuf()).  Frames live from take() to release() of the
 * same queue, in one turn of one polling thread.
 *
 * Everything behind 'data' and 'more' may change at any moment: it is copied, never looked at.  What a decision rests
 * on is in 'hdr', and what is forwarded starts with 'hdr'. */
#ifndef DATAPATH_FRAME_H
#define DATAPATH_FRAME_H

#include <linux/virtio_net.h>
#include <stdint.h>

#include "base/util.h"

struct rte_mbuf;
struct rte_mempool;

enum {
	FRAME_BURST = 32,
	FRAME_HDR = 128,                /* Bytes of each frame in private memory: what the parser reads at most. */
	FRAME_MORE = 256,               /* Further buffers of all frames of a burst. */
	FRAME_MAX_LEN = 65535 + 14 + 8, /* Longest frame that is taken: the largest IP packet with two tags. */
};

/* Checked once against the sender's memory: 'len' bytes at 'p' are mapped. */
struct frame_buf {
	const uint8_t *p;
	uint32_t len;
};

struct frame {
	struct frame_buf first;         /* From the Ethernet header on. */
	uint32_t len;                   /* Of the whole frame; at least 14. */
	uint16_t n_more, more_at;       /* Further buffers: frames.more[more_at..]. */
	uint16_t need;                  /* OFFL_*: what a receiver has to accept; 0: 'vnet' is not set. */
	uint16_t chain;                 /* [take/release] The port's own. */
	struct virtio_net_hdr vnet;     /* As offl_check() leaves it. */
};

struct frames {
	uint16_t n;
	uint16_t n_more;
	uint16_t need;                  /* All frames' together. */
	uint16_t chains;                /* [take/release] What release() gives back; more than n when some were bad. */
	struct frame f[FRAME_BURST];
	struct {
		uint32_t id, len;       /* [take/release] */
	} chain[FRAME_BURST];
	struct frame_buf more[FRAME_MORE];
	/* The first bytes of each frame; those behind min(len, FRAME_HDR) are undefined, and private all the same. */
	uint8_t hdr[FRAME_BURST][FRAME_HDR] CACHE_ALIGNED;
};

static inline uint32_t
frame_hdr_len(const struct frame *f)
{
	return MIN_OF(f->len, (uint32_t)FRAME_HDR);
}

/* Makes packet buffers of a frame, with its offloads as metadata (offl_to_mbuf()); the first buffer holds at least the
 * first FRAME_HDR bytes.  NULL: out of buffers. */
struct rte_mbuf *frame_to_mbuf(const struct frames *, unsigned i, struct rte_mempool *);

#endif
