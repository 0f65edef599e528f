/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for tests: an mbuf over a heap block of exactly the given size, so that a sanitizer sees
 * every byte read or written outside.  Needs neither EAL nor mempool. */
#ifndef TESTS_TUNNELS_FRAME_H
#define TESTS_TUNNELS_FRAME_H

#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

/* 'len' bytes behind 'headroom' unwritten ones. */
static inline struct rte_mbuf *
frame_room(const void *bytes, uint32_t len, uint16_t headroom)
{
	struct rte_mbuf *m = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof *m);
	uint8_t *buf = malloc(headroom + len);

	memset(m, 0, sizeof *m);
	memcpy(buf + headroom, bytes, len);
	m->buf_addr = buf;
	m->buf_len = headroom + len;
	m->data_off = headroom;
	m->data_len = m->pkt_len = len;
	m->nb_segs = 1;
	m->refcnt = 1;
	return m;
}

static inline struct rte_mbuf *
frame(const void *bytes, uint32_t len)
{
	return frame_room(bytes, len, 0);
}

static inline void
frame_free(struct rte_mbuf *m)
{
	struct rte_mbuf *next;

	for (; m; m = next) {
		next = m->next;
		free(m->buf_addr);
		free(m);
	}
}

/* Makes 'tail' (one segment) the last segment of 'm'. */
static inline void
frame_chain(struct rte_mbuf *m, struct rte_mbuf *tail)
{
	struct rte_mbuf *last = m;

	while (last->next)
		last = last->next;
	last->next = tail;
	m->nb_segs++;
	m->pkt_len += tail->data_len;
}

#endif
