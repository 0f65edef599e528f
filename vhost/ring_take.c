/* SPDX-License-Identifier: Apache-2.0 */
/* Bursts from the guest: up to 32 chains become frames, with their first bytes in private memory.  Built once per
 * instruction set; the variants differ in what the compiler makes of the 64-byte moves.
 *
 * Two passes.  The first reads descriptors, checks and translates them, and asks for the payload's cache lines; the
 * second copies what has arrived meanwhile. */
#include "datapath/offload.h"
#include "vhost/ring_isa_priv.h"

struct take {
	struct vmem_region view;        /* Where the last chain was. */
	/* Frames whose first bytes are to be copied exactly: in several buffers, or near the end of a region. */
	uint32_t exact;
	bool full;                      /* No room for the next chain: the burst ends before it. */
	const uint8_t *vnet[FRAME_BURST];       /* Virtio headers that are not in the frames yet. */
	struct vq_chain chain;
};

/* A chain of one readable descriptor, frame 'i' of the burst.  False: something else. */
VQ_INLINE bool
take_simple(struct vq *vq, struct frames *f, struct take *t, unsigned i, struct vq_desc d, bool offl)
{
	uint32_t hdr_len = vq->hdr_len, len = desc_len(d) - hdr_len;
	uint8_t *p;

	if (UNLIKELY(len - ETH_LEN > FRAME_MAX_LEN - ETH_LEN))
		return false;
	/* So far that the copy may run over the frame's end, but not the region's. */
	p = view_at(vq, &t->view, d.addr, MAX_OF(desc_len(d), hdr_len + (uint32_t)FRAME_HDR));
	if (UNLIKELY(!p))
		return false;
	if (offl) {
		__builtin_prefetch(p);
		t->vnet[i] = p;
	}
	p += hdr_len;
	__builtin_prefetch(p);
	__builtin_prefetch(p + 63);
	f->f[i].first = (struct frame_buf){ p, len };
	f->f[i].len = len;
	f->f[i].n_more = 0;
	f->f[i].need = 0;
	frame_begin(&f->f[i]);
	return true;
}

/* The chain in t->chain. */
VQ_INLINE unsigned
take_walked(struct vq *vq, struct frames *f, struct take *t, unsigned i, bool offl)
{
	uint8_t *vnet = offl ? (uint8_t *)&f->f[i].vnet : NULL;
	int made = vq_frame_of_chain(vq, f, i, &t->chain, vnet);

	if (made <= 0) {
		t->full = made < 0;
		return 0;
	}
	t->exact |= 1u << i;
	t->vnet[i] = NULL;
	__builtin_prefetch(f->f[i].first.p);
	__builtin_prefetch(f->f[i].first.p + 63);
	return 1;
}

/* First pass; returns how many frames there are. */
VQ_INLINE unsigned
scan_split(struct vq *vq, struct frames *f, struct take *t, bool offl)
{
	uint16_t avail = __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(avail - vq->last_avail), i, out = 0;
	uint16_t head[FRAME_BURST];

	if (UNLIKELY(n > vq->size)) {
		vq_break(vq, VQ_BAD_AVAIL);
		return 0;
	}
	n = MIN_OF(n, (unsigned)FRAME_BURST);
	for (i = 0; i < n; i++) {
		head[i] = __atomic_load_n(&vq->avail->ring[(vq->last_avail + i) & vq->mask], __ATOMIC_RELAXED);
		if (UNLIKELY(head[i] >= vq->size)) {
			vq_break(vq, VQ_BAD_HEAD);
			return 0;
		}
		__builtin_prefetch(&vq->desc[head[i]]);
	}
	for (i = 0; i < n; i++) {
		struct vq_desc d = split_load(&vq->desc[head[i]]);

		f->chain[i].id = head[i];
		f->chain[i].len = 1;
		f->f[out].chain = (uint16_t)i;
		if (LIKELY(!split_flags(d)) && LIKELY(take_simple(vq, f, t, out, d, offl))) {
			out++;
			continue;
		}
		vq_walk_split(vq, head[i], d, false, &t->chain);
		t->view = vq->mem->r[vq->region];
		out += take_walked(vq, f, t, out, offl);
		if (t->full)
			break;
	}
	f->chains = (uint16_t)i;
	vq->last_avail += (uint16_t)i;
	return out;
}

VQ_INLINE unsigned
scan_packed(struct vq *vq, struct frames *f, struct take *t, bool offl)
{
	const uint16_t seen = PACKED_AVAIL | PACKED_USED, shape = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE |
			VRING_DESC_F_INDIRECT;
	uint16_t at = vq->last_avail, ready = packed_ready(vq->avail_wrap);
	bool wrap = vq->avail_wrap;
	uint32_t left = vq->size;
	unsigned i, out = 0;

	for (i = 0; i < FRAME_BURST && left; i++) {
		struct vq_desc d = packed_load(&vq->pdesc[at]);
		uint16_t flags = packed_flags(d), places = 1;

		f->f[out].chain = (uint16_t)i;
		if (LIKELY((flags & (seen | shape)) == ready) && LIKELY(take_simple(vq, f, t, out, d, offl))) {
			f->chain[i].id = packed_id(d);
			out++;
		} else if ((flags & seen) != ready) {
			break;
		} else {
			if (!vq_walk_packed(vq, at, d, false, left, &t->chain)) {
				vq_break(vq, VQ_BAD_RING);
				return 0;
			}
			t->view = vq->mem->r[vq->region];
			out += take_walked(vq, f, t, out, offl);
			if (t->full)
				break;
			f->chain[i].id = t->chain.id;
			places = (uint16_t)t->chain.n_desc;
		}
		f->chain[i].len = places;
		left -= places;
		packed_advance(vq, &at, &wrap, places);
		ready = packed_ready(wrap);
	}
	f->chains = (uint16_t)i;
	vq->last_avail = at;
	vq->avail_wrap = wrap;
	return out;
}

/* Checks the virtio header of a frame whose first bytes are there; it is at 'vnet', or already in the frame.  False: it
 * contradicts the frame. */
VQ_INLINE bool
take_offload(struct vq *vq, struct frames *f, struct frame *fr, const uint8_t *vnet, const uint8_t *hdr)
{
	if (vnet)
		memcpy(&fr->vnet, vnet, sizeof fr->vnet);
	VQ_PRIVATE();
	if (LIKELY(!(fr->vnet.flags | fr->vnet.gso_type)))
		return true;
	if (!offl_check(&fr->vnet, hdr, frame_hdr_len(fr), fr->len, &fr->need)) {
		vq_rx_drop(vq, DROP_RX_BAD_OFFLOAD);
		return false;
	}
	f->need |= fr->need;
	return true;
}

VQ_INLINE uint16_t
take(struct vq *vq, struct frames *f, bool packed, bool offl)
{
	struct take t;
	unsigned n, out = 0;

	f->n = f->n_more = f->need = f->chains = 0;
	if (UNLIKELY(vq_broken(vq)))
		return 0;
	t.exact = 0;
	t.full = false;
	t.view = vq->mem->r[vq->region];
	n = packed ? scan_packed(vq, f, &t, offl) : scan_split(vq, f, &t, offl);
	if (!f->chains)
		return 0;
	vq_peek_moved(vq);
	for (unsigned i = 0; i < n; i++) {
		struct frame *fr = &f->f[out];
		uint8_t *hdr = f->row[out] + FRAME_ROOM;

		if (offl && out != i)
			*fr = f->f[i];
		if (LIKELY(!(t.exact >> i & 1))) {
			vq_copy64(hdr, fr->first.p);
			if (fr->len > 64)
				vq_copy64(hdr + 64, fr->first.p + 64);
		} else {
			vq_gather_hdr(f, fr, hdr);
		}
		if (!offl || take_offload(vq, f, fr, t.vnet[i], hdr))
			out++;
	}
	VQ_PRIVATE();
	f->n = (uint16_t)out;
	if (UNLIKELY(!out))
		vq_release(vq, f);
	return f->n;
}

static uint16_t
take_split(struct vq *vq, struct frames *f)
{
	return take(vq, f, false, false);
}

static uint16_t
take_split_offl(struct vq *vq, struct frames *f)
{
	return take(vq, f, false, true);
}

static uint16_t
take_packed(struct vq *vq, struct frames *f)
{
	return take(vq, f, true, false);
}

static uint16_t
take_packed_offl(struct vq *vq, struct frames *f)
{
	return take(vq, f, true, true);
}

vq_take_fn *const VQ_ISA(vq_take)[2][2] = { { take_split, take_split_offl }, { take_packed, take_packed_offl } };
