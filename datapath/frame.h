/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are still in their sender's memory.
 *
 * A port whose peer shares its memory with us (a guest) gives its packets this way: the first bytes copied to private
 * memory, the rest where the sender put it.  A frame for one port of the same kind is copied from memory to memory
 * without a packet buffer; any other becomes an mbuf (frame_to_mbuf()).  Frames live from take() to release() of the
 * same queue, in one turn of one polling thread.
 *
 * Everything behind 'first' and 'more' may change at any moment: it is copied, never looked at.  What a decision rests
 * on is in 'row', and what is forwarded starts with what is there: from 'at' to 'end', and then the sender's memory from
 * byte end - FRAME_ROOM on.  So a tunnel's headers can be put in front of a frame, or taken off, where it is. */
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
	FRAME_ROOM = 128,               /* In front of them, */
	FRAME_TAIL = 128,               /* and behind: for frames in tunnels, whose headers start later. */
	FRAME_ROW = FRAME_ROOM + FRAME_HDR + FRAME_TAIL,
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
	uint16_t at, end;               /* Where in its row the frame starts, and its private bytes end: frame_begin(). */
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
	/* The first bytes of each frame, as taken from FRAME_ROOM on; those that are not a frame's are undefined, and private
	 * all the same. */
	uint8_t row[FRAME_BURST][FRAME_ROW] CACHE_ALIGNED;
};

/* Said of a frame that was just taken, once its length is known. */
static inline void
frame_begin(struct frame *f)
{
	f->at = FRAME_ROOM;
	f->end = (uint16_t)(FRAME_ROOM + MIN_OF(f->len, (uint32_t)FRAME_HDR));
}

/* How many of its first bytes are private. */
static inline uint32_t
frame_hdr_len(const struct frame *f)
{
	return (uint32_t)(f->end - f->at);
}

/* Copies up to FRAME_TAIL bytes more of a frame in one piece, of which nothing was changed yet. */
void frame_extend(struct frames *, unsigned i);

static inline const uint8_t *
frame_hdr(const struct frames *fs, unsigned i)
{
	return fs->row[i] + fs->f[i].at;
}

/* Copies the first 'len' bytes of a frame that is longer, its private ones among them; says where the others are.  In how
 * many pieces; 0: more than 'max'. */
unsigned frame_split(const struct frames *, unsigned i, uint8_t *head, uint32_t len, struct frame_buf *rest, unsigned max);

/* Makes packet buffers of a frame, with its offloads as metadata (offl_to_mbuf()); the first buffer holds at least the
 * first FRAME_HDR bytes.  NULL: out of buffers. */
struct rte_mbuf *frame_to_mbuf(const struct frames *, unsigned i, struct rte_mempool *);

#endif
