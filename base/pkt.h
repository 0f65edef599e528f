/* SPDX-License-Identifier: Apache-2.0 */
/* Access to packet bytes.  Lengths come from the wire and lie: these check against the contiguous
 * length of the first segment.  NULL means "not there": a drop, never a silent continue. */
#ifndef BASE_PKT_H
#define BASE_PKT_H

#include <rte_mbuf.h>

#include "base/util.h"

/* Borrows 'len' bytes at 'off' of the first segment, or NULL. */
static inline void *
pkt_peek(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	if (UNLIKELY((uint64_t)off + len > m->data_len))
		return NULL;
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

/* Strips 'len' bytes from the front; false (and untouched) when they are not contiguous. */
static inline bool
pkt_pull(struct rte_mbuf *m, uint32_t len)
{
	if (UNLIKELY(len > m->data_len))
		return false;
	m->data_off += len;
	m->data_len -= len;
	m->pkt_len -= len;
	return true;
}

/* Makes room for 'len' bytes in front and returns them unwritten, or NULL without headroom.
 * The caller owns the mbuf alone (reference count 1). */
static inline void *
pkt_push(struct rte_mbuf *m, uint32_t len)
{
	if (UNLIKELY(len > rte_pktmbuf_headroom(m)))
		return NULL;
	m->data_off -= len;
	m->data_len += len;
	m->pkt_len += len;
	return rte_pktmbuf_mtod(m, uint8_t *);
}

#endif
