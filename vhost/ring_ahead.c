/* SPDX-License-Identifier: Apache-2.0 */
/* Cache lines of a queue from the guest, asked for before they are needed: while a burst is worked on, the descriptors of
 * the next; when it is given back, what those name.  The guest's core wrote these lines, and to get one from there takes
 * as long as to forward a packet or two.
 *
 * Only after a full burst: then more is likely to be there already.  A line that the guest is still writing to would
 * have to go back and forth once more. */
#include "vhost/ring_priv.h"

/* 'n' places of the descriptor table from 'at' on, at most the ring's size. */
static inline void
fetch_table(const struct vq *vq, uint16_t at, unsigned n, bool write)
{
	for (unsigned i = 0; i < n + DESCS_PER_LINE - 1; i += DESCS_PER_LINE)
		if (write)
			vq_prefetchw(&vq->desc[(at + i) & vq->mask]);
		else
			__builtin_prefetch(&vq->desc[(at + i) & vq->mask]);
}

/* Known to be available: [last_avail, avail_seen). */
static inline unsigned
seen(const struct vq *vq)
{
	unsigned n = (uint16_t)(vq->avail_seen - vq->last_avail);

	return MIN_OF(n, (unsigned)FRAME_BURST);
}

static inline uint16_t
head_at(const struct vq *vq, unsigned i)
{
	return __atomic_load_n(&vq->avail->ring[(vq->last_avail + i) & vq->mask], __ATOMIC_RELAXED) & vq->mask;
}

void
vq_fetch_descs(const struct vq *vq)
{
	unsigned n = MIN_OF((unsigned)FRAME_BURST, (unsigned)vq->size);

	if (vq->packed) {
		/* In order only the first is written to when the burst is given back. */
		vq_prefetchw(&vq->desc[vq->last_avail]);
		fetch_table(vq, vq->last_avail, n, !vq->in_order);
		return;
	}
	n = seen(vq);
	/* With VIRTIO_F_IN_ORDER they follow each other in the table. */
	if (n && vq->in_order)
		fetch_table(vq, head_at(vq, 0), n, false);
	else
		for (unsigned i = 0; i < n; i++)
			__builtin_prefetch(&vq->desc[head_at(vq, i)]);
	__builtin_prefetch(&vq->avail->ring[(vq->last_avail + FRAME_BURST) & vq->mask]);
}

/* What take() will copy of a frame. */
static inline void
fetch_frame(struct vq *vq, struct vq_desc d)
{
	const uint8_t *p = vmem_at(vq->mem, &vq->region, d.addr, desc_len(d));

	if (UNLIKELY(!p))
		return;
	__builtin_prefetch(p);
	__builtin_prefetch(p + vq->hdr_len + MIN_OF(desc_len(d), 63u));
	if (desc_len(d) > 64u + vq->hdr_len)
		__builtin_prefetch(p + vq->hdr_len + 127);
}

void
vq_fetch_frames(struct vq *vq)
{
	const uint16_t state = PACKED_AVAIL | PACKED_USED;
	uint16_t at = vq->last_avail;
	bool wrap = vq->avail_wrap;
	unsigned n = MIN_OF((unsigned)FRAME_BURST, (unsigned)vq->size);

	if (!vq->packed) {
		n = seen(vq);
		for (unsigned i = 0; i < n; i++)
			fetch_frame(vq, split_load(&vq->desc[head_at(vq, i)]));
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct vq_desc d = packed_load(&vq->pdesc[at]);

		if ((packed_flags(d) & state) != packed_ready(wrap))
			return;
		fetch_frame(vq, d);
		packed_advance(vq, &at, &wrap, 1);
	}
}
