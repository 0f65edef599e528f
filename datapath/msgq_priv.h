/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of messages of any length from one polling thread to the control thread: bytes in a ring, no lock, no
 * allocation.  A message lies in one piece and stays until it is popped. */
#ifndef DATAPATH_MSGQ_PRIV_H
#define DATAPATH_MSGQ_PRIV_H

#include "base/util.h"

enum { MSGQ_HEAD = 8 };                 /* In front of each message: its length. */

struct msgq {
	uint8_t *ring;                  /* [const] */
	uint32_t len;                   /* [const] A power of two. */
	uint32_t room;                  /* [lcore] Length of the message that is being written. */
	uint32_t head CACHE_ALIGNED;    /* [lcore] Written up to here; runs on past 'len'. */
	uint32_t tail CACHE_ALIGNED;    /* [ctl] Read up to here. */
};

/* False: no memory. */
static inline bool
msgq_init(struct msgq *q, uint32_t len)
{
	*q = (struct msgq){ .ring = map_zeroed(len), .len = len };
	return q->ring;
}

static inline void
msgq_fini(struct msgq *q)
{
	map_free(q->ring, q->len);
	q->ring = NULL;
}

static inline uint32_t
msgq_need(uint32_t len)
{
	return (MSGQ_HEAD + len + 7) & ~7u;
}

/* [lcore] Bytes that are free, heads included. */
static inline uint32_t
msgq_free(const struct msgq *q)
{
	return q->len - (q->head - __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE));
}

/* [lcore] Room for a message of 'len' bytes, or NULL.  Nobody sees it before msgq_add(). */
static inline void *
msgq_room(struct msgq *q, uint32_t len)
{
	uint32_t at = q->head & (q->len - 1), need = msgq_need(len), skip = at + need > q->len ? q->len - at : 0;

	/* Of more than half of the ring, what is left out at its end might leave no room for ever. */
	if (len >= q->len / 2 || need > q->len / 2 || need + skip > msgq_free(q))
		return NULL;
	if (skip) {
		/* The rest of the ring is left out. */
		*(uint32_t *)(q->ring + at) = UINT32_MAX;
		__atomic_store_n(&q->head, q->head + skip, __ATOMIC_RELEASE);
		at = 0;
	}
	*(uint32_t *)(q->ring + at) = len;
	q->room = need;
	return q->ring + at + MSGQ_HEAD;
}

/* [lcore] Sends what was written there. */
static inline void
msgq_add(struct msgq *q)
{
	__atomic_store_n(&q->head, q->head + q->room, __ATOMIC_RELEASE);
}

/* [ctl] The oldest message, or NULL. */
static inline const void *
msgq_first(struct msgq *q, uint32_t *len)
{
	uint32_t head = __atomic_load_n(&q->head, __ATOMIC_ACQUIRE);

	while (q->tail != head) {
		uint32_t at = q->tail & (q->len - 1);

		*len = *(uint32_t *)(q->ring + at);
		if (*len != UINT32_MAX)
			return q->ring + at + MSGQ_HEAD;
		__atomic_store_n(&q->tail, q->tail + q->len - at, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* [ctl] Done with the message that msgq_first() gave. */
static inline void
msgq_pop(struct msgq *q)
{
	uint32_t len = *(uint32_t *)(q->ring + (q->tail & (q->len - 1)));

	__atomic_store_n(&q->tail, q->tail + msgq_need(len), __ATOMIC_RELEASE);
}

#endif
