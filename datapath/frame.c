/* SPDX-License-Identifier: Apache-2.0 */
/* A frame in its sender's memory, as packet buffers. */
#include "datapath/frame.h"

#include <string.h>

#include <rte_mbuf.h>

#include "datapath/offload.h"

enum { MAX_SEGS = 64 };

/* Where the next byte comes from. */
struct source {
	const struct frame_buf *buf, *more;
	uint32_t off;
	unsigned n_more;
};

static void
source_skip(struct source *s, uint32_t n)
{
	while (n >= s->buf->len - s->off && s->n_more) {
		n -= s->buf->len - s->off;
		s->buf = s->more++;
		s->n_more--;
		s->off = 0;
	}
	s->off += n;
}

static void
source_copy(struct source *s, uint8_t *dst, uint32_t n)
{
	while (n) {
		uint32_t part = MIN_OF(n, s->buf->len - s->off);

		memcpy(dst, s->buf->p + s->off, part);
		source_skip(s, part);
		dst += part;
		n -= part;
	}
}

void
frame_extend(struct frames *fs, unsigned i)
{
	struct frame *f = &fs->f[i];
	uint32_t n = f->len <= FRAME_HDR ? 0 : MIN_OF(f->len - FRAME_HDR, (uint32_t)FRAME_TAIL);

	memcpy(fs->row[i] + FRAME_ROOM + FRAME_HDR, f->first.p + FRAME_HDR, n);
	f->end = (uint16_t)(f->end + n);
	/* The compiler must not go back to the original. */
	__asm__ volatile("" : : : "memory");
}

/* Empty buffers for 'len' bytes, chained, with their lengths set. */
static struct rte_mbuf *
chain_alloc(struct rte_mempool *pool, uint32_t len)
{
	uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	unsigned n = (len + room - 1) / room;
	struct rte_mbuf *m[MAX_SEGS];

	if (UNLIKELY(n > MAX_SEGS || rte_pktmbuf_alloc_bulk(pool, m, n)))
		return NULL;
	m[0]->pkt_len = len;
	m[0]->nb_segs = (uint16_t)n;
	for (unsigned i = 0; i < n; i++) {
		m[i]->data_len = (uint16_t)MIN_OF(len, room);
		m[i]->next = i + 1 < n ? m[i + 1] : NULL;
		len -= m[i]->data_len;
	}
	return m[0];
}

/* Copies the private bytes of a frame: what was looked at is what goes on, not what the sender made of it since.  The source
 * of the rest. */
static struct source
begin_copy(const struct frames *fs, unsigned i, uint8_t *dst)
{
	const struct frame *f = &fs->f[i];
	struct source src = { .buf = &f->first, .more = &fs->more[f->more_at], .n_more = f->n_more };

	memcpy(dst, frame_hdr(fs, i), frame_hdr_len(f));
	source_skip(&src, f->end - FRAME_ROOM);
	return src;
}

unsigned
frame_split(const struct frames *fs, unsigned i, uint8_t *head, uint32_t len, struct frame_buf *rest, unsigned max)
{
	uint32_t done = frame_hdr_len(&fs->f[i]), left = fs->f[i].len - len;
	struct source src = begin_copy(fs, i, head);
	unsigned n = 0;

	source_copy(&src, head + done, len - done);
	while (left) {
		uint32_t part = MIN_OF(src.buf->len - src.off, left);

		if (!part || n == max)
			return 0;
		rest[n++] = (struct frame_buf){ src.buf->p + src.off, part };
		source_skip(&src, part);
		left -= part;
	}
	return n;
}

struct rte_mbuf *
frame_to_mbuf(const struct frames *fs, unsigned i, struct rte_mempool *pool)
{
	const struct frame *f = &fs->f[i];
	uint32_t done = frame_hdr_len(f);
	struct rte_mbuf *m = chain_alloc(pool, f->len);
	struct source src;

	if (UNLIKELY(!m))
		return NULL;
	src = begin_copy(fs, i, rte_pktmbuf_mtod(m, uint8_t *));
	for (struct rte_mbuf *s = m; s; s = s->next, done = 0)
		source_copy(&src, rte_pktmbuf_mtod_offset(s, uint8_t *, done), s->data_len - done);
	offl_to_mbuf(m, &f->vnet, f->need);
	return m;
}
