/* SPDX-License-Identifier: Apache-2.0 */
/* Packets whose bytes are still their sender's.
 *
 * A long frame that has to become an mbuf (it goes into a tunnel, out of one, is edited or flooded) is not copied for that:
 * its first LOAN_HEAD bytes are, the buffers behind them are lent.  To everybody it is a packet in chained buffers, of which only the
 * first is private: the sender may change the others at any moment, so they are copied and summed, never looked at twice.
 *
 * Before the sender gets its buffers back, what has not left by then (it waits for a next hop, a full ring, the rest of an
 * STT frame) gets its bytes copied, in place: nobody who holds it needs to know.  Each thread has LOANS such places.
 * Only the thread that made such a packet may hold it: who hands packets to others asks loan_is(). */
#ifndef DATAPATH_LOAN_H
#define DATAPATH_LOAN_H

#include <rte_mbuf_core.h>
#include <stdbool.h>

#include "datapath/frame.h"

enum {
	LOAN_MIN = 1024,                /* Shorter frames are better copied. */
	LOAN_HEAD = 512,                /* More than all headers that anybody looks at. */
	LOAN_SEGS = 36,                 /* Buffers of one frame. */
	LOANS = 128,                    /* Packets with lent or copied-in-place buffers, of one thread. */
	LOAN_LEN = 1 << 16,             /* Bytes kept for each, if it comes to that. */
};

struct loan {
	struct rte_mbuf_ext_shared_info sh;     /* Of all its buffers. */
	bool used;                              /* Atomic: whoever frees the last buffer clears it. */
	uint16_t n;
	struct rte_mbuf *seg[LOAN_SEGS];
	struct frame_buf lent[LOAN_SEGS];
};

struct loans {
	unsigned n_out;                         /* Of the burst at hand. */
	uint8_t out[FRAME_BURST];
	unsigned at;
	uint8_t *room;                          /* LOANS times LOAN_LEN; untouched until it is needed. */
	struct loan loan[LOANS];
};

/* NULL: no memory. */
struct loans *loans_create(void);
/* Nobody may hold its packets any more. */
void loans_destroy(struct loans *);
/* The packet of frame 'i', with its offloads as frame_to_mbuf() says them.  NULL: it has to be copied. */
struct rte_mbuf *loan_make(struct loans *, const struct frames *, unsigned i, struct rte_mempool *);
/* The sender wants its buffers back: copies what is still in use. */
void loans_settle(struct loans *);
/* Whether a packet has lent buffers, or such as were copied in place: neither are memory that a device may read, or that
 * a port may keep. */
bool loan_is(const struct rte_mbuf *);

#endif
