/* SPDX-License-Identifier: Apache-2.0 */
/* Bursts to the guest: frames from their senders' memory, or packet buffers, into the guest's chains.  Built once per
 * instruction set, like ring_take.c.
 *
 * Chains are read and translated some ahead of the frames (struct rooms), so that their cache lines are on the way.
 * The usual frame, in one piece, goes into the usual chain, one descriptor; every other pairing goes through a plan.
 * Nothing is visible to the guest before finish(). */
#include <rte_mbuf.h>

#include "base/ctr.h"
#include "datapath/offload.h"
#include "vhost/ring_isa_priv.h"

enum {
	AHEAD = 32,                     /* Chains read at once. */
	ROOM_BUFS = 2 * VQ_MAX_CHAIN,   /* Buffers of chains that have several. */
	KEPT = 64,                      /* Used elements. */
};

/* A chain to write to, checked and translated. */
struct room {
	uint8_t *p;                     /* Its one buffer; NULL: bufs[buf_at..], or a bad chain. */
	uint32_t len;                   /* Of all its buffers, cut at 4 GB. */
	uint16_t id, places;            /* As in vq_chain: n_desc. */
	uint16_t buf_at, n_bufs;
};

/* Chains read ahead, and the used elements so far. */
struct rooms {
	unsigned n, next;               /* Read, and of these used up. */
	uint32_t left;                  /* Elements of the ring that may still be read. */
	uint16_t read_at;               /* Where to read on. */
	bool read_wrap;
	unsigned n_bufs, n_bad;
	struct vmem_region view;
	uint16_t used_at, n_used;       /* Elements not published: from vq->last_used to here. */
	bool used_wrap;
	unsigned n_kept;                /* Packed: of them not written yet. */
	struct {
		uint64_t rest;
		uint16_t at;
	} kept[KEPT];
	struct room r[AHEAD];
	struct frame_buf bufs[ROOM_BUFS];
	struct vq_chain chain;
};

/* ---- Chains ------------------------------------------------------------------------------------ */

VQ_INLINE void
rooms_init(struct vq *vq, struct rooms *w, bool packed)
{
	w->n = w->next = w->n_bad = 0;
	w->read_at = vq->last_avail;
	w->read_wrap = vq->avail_wrap;
	w->view = vq->mem->r[vq->region];
	w->used_at = vq->last_used;
	w->used_wrap = vq->used_wrap;
	w->n_used = 0;
	w->n_kept = 0;
	w->left = vq->size;
	if (packed)
		return;
	w->left = (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) - vq->last_avail);
	if (UNLIKELY(w->left > vq->size)) {
		vq_break(vq, VQ_BAD_AVAIL);
		w->left = 0;
	}
}

/* Goes back to the first chain that no frame has used up. */
static void
rooms_rewind(struct vq *vq, struct rooms *w, uint32_t left)
{
	w->n = w->next = 0;
	w->read_at = vq->last_avail;
	w->read_wrap = vq->avail_wrap;
	w->left = left;
}

/* One writable descriptor that holds more than a header. */
VQ_INLINE bool
room_simple(struct vq *vq, struct rooms *w, struct room *r, struct vq_desc d)
{
	uint8_t *p;

	if (UNLIKELY(desc_len(d) <= vq->hdr_len))
		return false;
	p = view_at(vq, &w->view, d.addr, desc_len(d));
	if (UNLIKELY(!p))
		return false;
	__builtin_prefetch(p);
	vq_prefetchw(p + vq->hdr_len);
	vq_prefetchw(p + vq->hdr_len + MIN_OF(desc_len(d) - vq->hdr_len - 1, 63u));
	r->p = p;
	r->len = desc_len(d);
	r->places = 1;
	return true;
}

/* Puts the chain in w->chain behind those read.  False: there is no room for its buffers yet. */
static bool
room_walked(struct vq *vq, struct rooms *w, struct room *r)
{
	const struct vq_chain *c = &w->chain;
	unsigned n = c->ok && c->total > vq->hdr_len ? c->n : 0;

	w->view = vq->mem->r[vq->region];
	if (w->n_bufs + n > ROOM_BUFS)
		return false;
	*r = (struct room){ .len = (uint32_t)MIN_OF(c->total, UINT32_MAX), .id = (uint16_t)c->id,
			    .places = (uint16_t)c->n_desc, .buf_at = (uint16_t)w->n_bufs, .n_bufs = (uint16_t)n };
	memcpy(&w->bufs[w->n_bufs], c->buf, n * sizeof c->buf[0]);
	w->n_bufs += n;
	return true;
}

VQ_INLINE bool
read_split(struct vq *vq, struct rooms *w, struct room *r)
{
	uint16_t head = __atomic_load_n(&vq->avail->ring[w->read_at & vq->mask], __ATOMIC_RELAXED);
	struct vq_desc d;

	if (UNLIKELY(head >= vq->size)) {
		vq_break(vq, VQ_BAD_HEAD);
		w->left = 0;
		return false;
	}
	d = split_load(&vq->desc[head]);
	if (UNLIKELY(split_flags(d) != VRING_DESC_F_WRITE) || UNLIKELY(!room_simple(vq, w, r, d))) {
		vq_walk_split(vq, head, d, true, &w->chain);
		if (!room_walked(vq, w, r))
			return false;
	}
	r->id = head;
	w->read_at++;
	w->left--;
	return true;
}

VQ_INLINE bool
read_packed(struct vq *vq, struct rooms *w, struct room *r)
{
	const uint16_t seen = PACKED_AVAIL | PACKED_USED, shape = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE |
			VRING_DESC_F_INDIRECT;
	uint16_t ready = packed_ready(w->read_wrap);
	struct vq_desc d = packed_load(&vq->pdesc[w->read_at]);
	uint16_t flags = packed_flags(d);

	if ((flags & seen) != ready)
		return false;
	if (LIKELY((flags & shape) == VRING_DESC_F_WRITE) && LIKELY(room_simple(vq, w, r, d))) {
		r->id = packed_id(d);
	} else {
		if (!vq_walk_packed(vq, w->read_at, d, true, w->left, &w->chain)) {
			vq_break(vq, VQ_BAD_RING);
			w->left = 0;
			return false;
		}
		if (!room_walked(vq, w, r))
			return false;
	}
	packed_advance(vq, &w->read_at, &w->read_wrap, r->places);
	w->left -= r->places;
	return true;
}

/* Reads on, once all that was read is used up: 'most' chains, or what there is.  False: there is none. */
VQ_INLINE bool
rooms_read(struct vq *vq, struct rooms *w, unsigned most, bool packed)
{
	w->n = w->next = w->n_bufs = 0;
	most = MIN_OF(most, (unsigned)AHEAD);
	while (w->n < most && w->left && (packed ? read_packed(vq, w, &w->r[w->n]) : read_split(vq, w, &w->r[w->n])))
		w->n++;
	return w->n;
}

static bool
rooms_read_slowly(struct vq *vq, struct rooms *w)
{
	return vq->packed ? rooms_read(vq, w, AHEAD, true) : rooms_read(vq, w, AHEAD, false);
}

VQ_INLINE void
used_put(struct vq *vq, const struct rooms *w, unsigned i)
{
	uint16_t at = w->kept[i].at;

	__atomic_store_n(packed_rest(vq, at), w->kept[i].rest, __ATOMIC_RELEASE);
	if (UNLIKELY(vq->log != NULL))
		vq_log_hva(vq, &vq->pdesc[at], sizeof vq->pdesc[at]);
}

/* Writes used elements of a packed ring that were kept.  Not one by one as chains are used up: the guest's core looks at
 * these lines, or fetches them in advance, and each store to one that was taken away holds up those behind it.  The
 * elements in the line of the first one, which the guest looks at all the time, stay until the end; it makes all others
 * visible. */
VQ_INLINE void
used_write(struct vq *vq, struct rooms *w, bool end)
{
	unsigned i, first = 0;

	while (first < w->n_kept && (w->kept[first].at ^ w->kept[0].at) < DESCS_PER_LINE)
		first++;
	for (i = first; i < w->n_kept; i++)
		used_put(vq, w, i);
	for (i = first; end && i--;)
		used_put(vq, w, i);
	w->n_kept = first;
}

/* Gives the guest a chain with 'len' bytes in it: not yet visible. */
VQ_INLINE void
use(struct vq *vq, struct rooms *w, uint16_t id, uint16_t places, uint32_t len, bool packed)
{
	if (!packed) {
		split_put_used(vq, w->used_at, id, len);
		w->used_at++;
		vq->last_avail++;
	} else {
		if (UNLIKELY(w->n_kept == KEPT))
			used_write(vq, w, false);
		w->kept[w->n_kept].at = w->used_at;
		w->kept[w->n_kept++].rest = packed_used(id, len, w->used_wrap);
		packed_advance(vq, &w->used_at, &w->used_wrap, places);
		packed_advance(vq, &vq->last_avail, &vq->avail_wrap, places);
	}
	w->n_used++;
}

/* Makes all of it visible at once, and calls the guest. */
VQ_INLINE void
finish(struct vq *vq, struct rooms *w, bool packed)
{
	if (!w->n_used)
		return;
	if (!packed) {
		vq_publish_split(vq, w->n_used);
	} else {
		uint16_t was = vq->last_used;

		used_write(vq, w, true);
		vq->last_used = w->used_at;
		vq->used_wrap = w->used_wrap;
		vq_call_packed(vq, was);
	}
	vq_peek_moved(vq);
}

/* ---- What is sent ------------------------------------------------------------------------------ */

/* One frame of either kind. */
struct src {
	const struct frames *f;         /* NULL: 'm'. */
	const struct frame *fr;
	const uint8_t *hdr;
	struct rte_mbuf *m;
	uint32_t len;
	/* Its virtio header as it is compared and written: 8 bytes and 4.  Not as the struct: two bytes stored and then
	 * loaded as a part of four are not forwarded, but wait for all stores before, those to the guest among them. */
	uint64_t vnet_lo;
	uint32_t vnet_hi;
};

enum { NUM_BUFFERS_SHIFT = 16 };        /* Of num_buffers in vnet_hi, behind csum_offset. */

/* Rare. */
static __attribute__((noinline)) void
src_offload(struct src *s)
{
	struct virtio_net_hdr h;
	uint16_t csum_offset;

	if (s->f)
		h = s->fr->vnet;
	else
		offl_from_mbuf(s->m, &h);
	_Static_assert(sizeof h == 10 && offsetof(struct virtio_net_hdr, csum_offset) == 8, "8 bytes and csum_offset");
	memcpy(&s->vnet_lo, &h, sizeof s->vnet_lo);
	csum_offset = h.csum_offset;
	s->vnet_hi = (uint32_t)1 << NUM_BUFFERS_SHIFT | csum_offset;
}

VQ_INLINE void
src_vnet(struct vq *vq, struct src *s)
{
	s->vnet_lo = 0;
	s->vnet_hi = (uint32_t)1 << NUM_BUFFERS_SHIFT;
	if (UNLIKELY(s->f ? s->fr->need != 0 : vq->accepts && offl_need(s->m)))
		src_offload(s);
}

/* In one piece behind its first bytes? */
VQ_INLINE bool
src_flat(const struct src *s)
{
	return s->f ? !s->fr->n_more : s->m->nb_segs == 1;
}

/* Writes the header only where it differs: the line is read anyway, and the guest keeps its copy if nothing changed. */
VQ_INLINE void
put_vnet(uint8_t *p, uint64_t lo, uint32_t hi, uint8_t hdr_len)
{
	if (*(vq_u64 *)p != lo)
		*(vq_u64 *)p = lo;
	if (LIKELY(hdr_len == VNET_LEN)) {
		if (*(vq_u32 *)(p + 8) != hi)
			*(vq_u32 *)(p + 8) = hi;
	} else if (*(vq_u16 *)(p + 8) != (uint16_t)hi) {
		*(vq_u16 *)(p + 8) = (uint16_t)hi;
	}
}

/* A flat frame. */
VQ_INLINE void
put_flat(uint8_t *d, const struct src *s)
{
	if (!s->f) {
		vq_copy(d, rte_pktmbuf_mtod(s->m, const uint8_t *), s->len);
	} else if (s->len <= frame_hdr_len(s->fr)) {
		vq_copy(d, s->hdr, s->len);
	} else {
		uint32_t n = frame_hdr_len(s->fr);

		vq_copy(d, s->hdr, n);
		vq_copy(d + n, s->fr->first.p + (s->fr->end - FRAME_ROOM), s->len - n);
	}
}

/* ---- Frames over several buffers ------------------------------------------------------------- */

/* Where one frame goes. */
struct plan {
	unsigned n_bufs, n_used;
	uint64_t room;
	struct frame_buf buf[VQ_MAX_CHAIN];
	struct {
		uint16_t id, places;
		uint32_t room;
	} used[VQ_MAX_CHAIN];
	unsigned at;                    /* Writing: the buffer, and how far in it. */
	uint32_t off;
};

enum planned { PLAN_OK, PLAN_BAD, PLAN_NO_ROOM, PLAN_TOO_BIG };

/* Adds the next chain. */
static enum planned
plan_chain(struct plan *p, const struct rooms *w, const struct room *r)
{
	unsigned n = r->p ? 1 : r->n_bufs;

	if (p->n_used == VQ_MAX_CHAIN || p->n_bufs + n > VQ_MAX_CHAIN)
		return PLAN_TOO_BIG;
	p->used[p->n_used].id = r->id;
	p->used[p->n_used].places = r->places;
	p->used[p->n_used++].room = r->len;
	p->room += r->len;
	if (r->p)
		p->buf[p->n_bufs] = (struct frame_buf){ r->p, r->len };
	else
		memcpy(&p->buf[p->n_bufs], &w->bufs[r->buf_at], n * sizeof p->buf[0]);
	p->n_bufs += n;
	return n ? PLAN_OK : PLAN_BAD;
}

/* Gathers chains for 'need' bytes: one, or with mergeable buffers as many as it takes. */
static enum planned
plan_make(struct vq *vq, struct rooms *w, struct plan *p, uint64_t need)
{
	unsigned places = 0;

	p->n_bufs = p->n_used = p->at = 0;
	p->off = 0;
	p->room = 0;
	while (p->room < need) {
		enum planned got;

		if (p->n_used && !vq->merge)
			return PLAN_TOO_BIG;
		if (w->next == w->n && !rooms_read_slowly(vq, w))
			return places >= vq->size ? PLAN_TOO_BIG : PLAN_NO_ROOM;
		got = plan_chain(p, w, &w->r[w->next]);
		if (got == PLAN_TOO_BIG)
			return got;
		places += w->r[w->next++].places;
		if (got != PLAN_OK)
			return got;
	}
	return PLAN_OK;
}

static void
plan_put(struct plan *p, const uint8_t *s, uint32_t len)
{
	while (len) {
		const struct frame_buf *b = &p->buf[p->at];
		uint32_t n = MIN_OF(len, b->len - p->off);

		vq_copy((uint8_t *)(uintptr_t)b->p + p->off, s, n);
		s += n;
		len -= n;
		p->off += n;
		if (p->off == b->len) {
			p->at++;
			p->off = 0;
		}
	}
}

/* What is behind the first bytes that have a private copy. */
static void
plan_put_rest(struct plan *p, const struct src *s, uint32_t skip, uint32_t left)
{
	for (int k = -1; left; k++) {
		const struct frame_buf *b = k < 0 ? &s->fr->first : &s->f->more[s->fr->more_at + k];
		uint32_t n = b->len;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = MIN_OF(n - skip, left);
		plan_put(p, b->p + skip, n);
		left -= n;
		skip = 0;
	}
}

static void
plan_put_src(struct plan *p, const struct src *s)
{
	uint32_t left = s->len;

	if (s->f) {
		plan_put(p, s->hdr, frame_hdr_len(s->fr));
		plan_put_rest(p, s, s->fr->end - FRAME_ROOM, left - frame_hdr_len(s->fr));
		return;
	}
	for (const struct rte_mbuf *m = s->m; m && left; m = m->next) {
		uint32_t n = MIN_OF(left, (uint32_t)m->data_len);

		plan_put(p, rte_pktmbuf_mtod(m, const uint8_t *), n);
		left -= n;
	}
}

/* Gives the chains of a plan to the guest; 'len' is what was written to them. */
static void
plan_use(struct vq *vq, struct rooms *w, struct plan *p, uint64_t len)
{
	if (UNLIKELY(vq->log != NULL))
		for (uint64_t i = 0, left = len; left; left -= MIN_OF(left, p->buf[i].len), i++)
			vq_log_hva(vq, p->buf[i].p, MIN_OF(left, p->buf[i].len));
	for (unsigned i = 0; i < p->n_used; i++) {
		uint32_t n = (uint32_t)MIN_OF(len, p->used[i].room);

		len -= n;
		if (vq->packed)
			use(vq, w, p->used[i].id, p->used[i].places, n, true);
		else
			use(vq, w, p->used[i].id, 1, n, false);
	}
}

enum put { PUT_SENT, PUT_DROPPED, PUT_LATER };

/* Any frame into any chains. */
static __attribute__((noinline)) enum put
put_any(struct vq *vq, struct rooms *w, struct src *s)
{
	struct plan p;
	uint64_t need = (uint64_t)vq->hdr_len + s->len;
	uint8_t vnet[VNET_LEN];
	uint32_t left;

	for (;;) {
		enum planned got;

		left = w->left;
		for (unsigned i = w->next; i < w->n; i++)
			left += vq->packed ? w->r[i].places : 1;
		got = plan_make(vq, w, &p, need);
		if (got == PLAN_OK)
			break;
		if (got == PLAN_BAD) {
			/* In the midst of a frame: those before it go back with it, since the order must not change. */
			port_tx_drop(vq->port, DROP_RX_BAD_CHAIN, 1);
			plan_use(vq, w, &p, 0);
			if (++w->n_bad == VQ_MAX_BAD)
				return PUT_LATER;
			continue;
		}
		rooms_rewind(vq, w, left);
		if (got == PLAN_NO_ROOM)
			return PUT_LATER;
		port_tx_drop(vq->port, DROP_TX_TOO_BIG, 1);
		return PUT_DROPPED;
	}
	if (p.n_used > 1) {
		s->vnet_hi = (uint16_t)s->vnet_hi | (uint32_t)p.n_used << NUM_BUFFERS_SHIFT;
		ctr_add(&vq->stats.mergeable, 1);
	}
	memcpy(vnet, &s->vnet_lo, 8);
	memcpy(vnet + 8, &s->vnet_hi, 4);
	plan_put(&p, vnet, vq->hdr_len);
	plan_put_src(&p, s);
	plan_use(vq, w, &p, need);
	return PUT_SENT;
}

/* ---- Bursts ------------------------------------------------------------------------------------ */

VQ_INLINE enum put
put(struct vq *vq, struct rooms *w, struct src *s, unsigned ahead, bool packed)
{
	struct room *r;

	src_vnet(vq, s);
	if (UNLIKELY(w->next == w->n) && !rooms_read(vq, w, ahead, packed))
		return PUT_LATER;
	r = &w->r[w->next];
	if (UNLIKELY(!r->p) || UNLIKELY(r->len < vq->hdr_len + (uint64_t)s->len) || UNLIKELY(!src_flat(s)))
		return put_any(vq, w, s);
	w->next++;
	put_vnet(r->p, s->vnet_lo, s->vnet_hi, vq->hdr_len);
	put_flat(r->p + vq->hdr_len, s);
	if (UNLIKELY(vq->log != NULL))
		vq_log_hva(vq, r->p, vq->hdr_len + s->len);
	use(vq, w, r->id, 1, vq->hdr_len + s->len, packed);
	return PUT_SENT;
}

VQ_INLINE uint16_t
send_frames(struct vq *vq, const struct frames *f, const uint8_t *idx, uint16_t n, uint16_t *sent, uint64_t *bytes,
	    bool packed)
{
	struct rooms w;
	uint16_t i, n_sent = 0;
	uint64_t n_bytes = 0;

	if (UNLIKELY(vq_broken(vq)))
		return 0;
	rooms_init(vq, &w, packed);
	for (i = 0; i < n; i++) {
		struct src s = { .f = f, .fr = &f->f[idx[i]], .hdr = frame_hdr(f, idx[i]), .len = f->f[idx[i]].len };
		enum put got;

		if (UNLIKELY(s.fr->need & ~vq->accepts)) {
			port_tx_drop(vq->port, DROP_TX_SEGMENT, 1);
			continue;
		}
		got = put(vq, &w, &s, n - i, packed);
		if (UNLIKELY(got == PUT_LATER))
			break;
		if (LIKELY(got == PUT_SENT)) {
			n_sent++;
			n_bytes += s.len;
		}
	}
	finish(vq, &w, packed);
	*sent += n_sent;
	*bytes += n_bytes;
	return i;
}

VQ_INLINE uint16_t
send_mbufs(struct vq *vq, struct rte_mbuf **m, uint16_t n, uint16_t *sent, uint64_t *bytes, bool packed)
{
	struct rooms w;
	uint16_t i, n_sent = 0;
	uint64_t n_bytes = 0;

	if (UNLIKELY(vq_broken(vq)))
		return 0;
	rooms_init(vq, &w, packed);
	for (i = 0; i < n; i++) {
		struct src s = { .m = m[i], .len = m[i]->pkt_len };
		enum put got = put(vq, &w, &s, n - i, packed);

		if (UNLIKELY(got == PUT_LATER))
			break;
		if (LIKELY(got == PUT_SENT)) {
			n_sent++;
			n_bytes += s.len;
		}
	}
	finish(vq, &w, packed);
	*sent += n_sent;
	*bytes += n_bytes;
	return i;
}

static uint16_t
send_frames_split(struct vq *vq, const struct frames *f, const uint8_t *idx, uint16_t n, uint16_t *sent, uint64_t *bytes)
{
	return send_frames(vq, f, idx, n, sent, bytes, false);
}

static uint16_t
send_frames_packed(struct vq *vq, const struct frames *f, const uint8_t *idx, uint16_t n, uint16_t *sent,
		   uint64_t *bytes)
{
	return send_frames(vq, f, idx, n, sent, bytes, true);
}

static uint16_t
send_mbufs_split(struct vq *vq, struct rte_mbuf **m, uint16_t n, uint16_t *sent, uint64_t *bytes)
{
	return send_mbufs(vq, m, n, sent, bytes, false);
}

static uint16_t
send_mbufs_packed(struct vq *vq, struct rte_mbuf **m, uint16_t n, uint16_t *sent, uint64_t *bytes)
{
	return send_mbufs(vq, m, n, sent, bytes, true);
}

vq_send_fn *const VQ_ISA(vq_send)[2] = { send_frames_split, send_frames_packed };
vq_send_mbufs_fn *const VQ_ISA(vq_send_mbufs)[2] = { send_mbufs_split, send_mbufs_packed };
