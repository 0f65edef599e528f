/* SPDX-License-Identifier: Apache-2.0 */
/* Access to packet bytes.  Lengths come from the wire and lie: these check against the contiguous
 * length of the first segment.  NULL means "not there": a drop, never a silent continue. */
#ifndef BASE_PKT_H
#define BASE_PKT_H

#include <rte_mbuf.h>

#include "base/csum.h"
#include "base/util.h"

/* Borrows 'len' bytes at 'off' of the first segment, or NULL. */
static inline void *
pkt_peek(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	if (UNLIKELY((uint64_t)off + len > m->data_len))
		return NULL;
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

/* Whether only the packet's first bytes are here: it stands for a frame that is in its sender's memory yet.  What is
 * decided on bytes behind those has to wait. */
static inline bool
pkt_is_partial(const struct rte_mbuf *m)
{
	return m->nb_segs == 1 && m->data_len != m->pkt_len;
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

/* Adds the bytes of the packet from 'off' to its end, over all segments, to an Internet checksum. */
static inline uint64_t
pkt_csum(const struct rte_mbuf *m, uint32_t off, uint64_t sum)
{
	bool odd = false;

	for (; m; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}

		uint32_t len = m->data_len - off;
		uint16_t part = csum_fold(csum_add(0, rte_pktmbuf_mtod_offset(m, uint8_t *, off), len));

		/* A segment that starts on the second byte of a word counts with its bytes swapped. */
		sum += odd ? be16(part) : part;
		odd ^= len & 1;
		off = 0;
	}
	return sum;
}

#endif
