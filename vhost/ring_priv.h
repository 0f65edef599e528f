/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the virtqueue share.
 *
 *   ring.c        set-up, notifications, giving back what was taken, the dirty log
 *   ring_walk.c   chains of any shape: one at a time, slowly
 *   ring_take.c   bursts from the guest; built once per instruction set
 *   ring_send.c   bursts to the guest; likewise
 *   ring_find.c   where a packed ring goes on that nobody remembers
 *
 * The order of bytes is the machine's: virtio 1.x is little-endian, and so is all that we run on. */
#ifndef VHOST_RING_PRIV_H
#define VHOST_RING_PRIV_H

#include <linux/virtio_config.h>
#include <string.h>

#include "vhost/ring.h"

#define VQ_INLINE static inline __attribute__((always_inline))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtqueues are read in the machine's byte order");

enum {
	PACKED_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	PACKED_USED = 1 << VRING_PACKED_DESC_F_USED,
	VQ_MAX_BAD = 32,                /* Bad chains that one call gives back: what a guest can make us waste. */
	VNET_LEN = 12,                  /* Of the virtio header with num_buffers, which is all of it or less. */
	DESCS_PER_LINE = CACHE_LINE / 16,
	ETH_LEN = 14,                   /* The shortest frame: its Ethernet header. */
};

/* Words of memory that may be aligned to less; loads and stores that the compiler may combine. */
typedef uint64_t vq_u64 __attribute__((aligned(1), may_alias));
typedef uint32_t vq_u32 __attribute__((aligned(1), may_alias));
typedef uint16_t vq_u16 __attribute__((aligned(1), may_alias));
typedef uint8_t vq_v16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t vq_v32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t vq_v64 __attribute__((vector_size(64), aligned(1), may_alias));

/* ---- Descriptors --------------------------------------------------------------------------- */

/* A descriptor as it was read, once.  'rest' is its second half: len, flags, next (split) or len, id, flags (packed). */
struct vq_desc {
	uint64_t addr, rest;
};

static inline uint32_t
desc_len(struct vq_desc d)
{
	return (uint32_t)d.rest;
}

static inline uint16_t
split_flags(struct vq_desc d)
{
	return (uint16_t)(d.rest >> 32);
}

static inline uint16_t
split_next(struct vq_desc d)
{
	return (uint16_t)(d.rest >> 48);
}

static inline uint16_t
packed_id(struct vq_desc d)
{
	return (uint16_t)(d.rest >> 32);
}

static inline uint16_t
packed_flags(struct vq_desc d)
{
	return (uint16_t)(d.rest >> 48);
}

/* The atomic loads are there to read each half exactly once. */
static inline struct vq_desc
split_load(const struct vring_desc *p)
{
	const uint64_t *q = (const uint64_t *)(const void *)p;

	return (struct vq_desc){ __atomic_load_n(&q[0], __ATOMIC_RELAXED), __atomic_load_n(&q[1], __ATOMIC_RELAXED) };
}

/* The half with the flags first: what they guard is not read before. */
static inline struct vq_desc
packed_load(const struct vring_packed_desc *p)
{
	const uint64_t *q = (const uint64_t *)(const void *)p;
	uint64_t rest = __atomic_load_n(&q[1], __ATOMIC_ACQUIRE);

	return (struct vq_desc){ __atomic_load_n(&q[0], __ATOMIC_RELAXED), rest };
}

/* What flags of a descriptor that waits for us have in PACKED_AVAIL | PACKED_USED. */
static inline uint16_t
packed_ready(bool wrap)
{
	return wrap ? PACKED_AVAIL : PACKED_USED;
}

/* Of an element that we give back after writing 'len' bytes to it. */
static inline uint64_t
packed_used(uint16_t id, uint32_t len, bool wrap)
{
	uint16_t flags = (wrap ? PACKED_AVAIL | PACKED_USED : 0) | (len ? VRING_DESC_F_WRITE : 0);

	return (uint64_t)flags << 48 | (uint64_t)id << 32 | len;
}

static inline uint64_t *
packed_rest(struct vq *vq, uint16_t at)
{
	return (uint64_t *)(void *)&vq->pdesc[at].len;
}

/* Goes on by 'n' descriptors, at most the ring's size. */
static inline void
packed_advance(const struct vq *vq, uint16_t *at, bool *wrap, uint16_t n)
{
	uint32_t to = (uint32_t)*at + n;

	if (to >= vq->size) {
		to -= vq->size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)to;
}

/* ---- Guest memory -------------------------------------------------------------------------- */

/* vmem_at() for loops, with the region at hand. */
VQ_INLINE uint8_t *
view_at(struct vq *vq, struct vmem_region *v, uint64_t gpa, uint64_t len)
{
	uint64_t off = gpa - v->gpa;
	uint8_t *p;

	if (LIKELY(off < v->size && len <= v->size - off))
		return v->hva + off;
	p = vmem_at(vq->mem, &vq->region, gpa, len);
	*v = vq->mem->r[vq->region];
	return p;
}

/* Marks guest addresses as written in the dirty log, after they were written. */
void vq_log_gpa(const struct vq *, uint64_t gpa, uint64_t len);
/* The same for mapped memory. */
void vq_log_hva(const struct vq *, const void *p, uint64_t len);

/* ---- Chains of any shape -------------------------------------------------------------------- */

struct vq_chain {
	unsigned n;                     /* Buffers, in order. */
	uint32_t id;                    /* What gives it back: the head, or packed, the buffer id. */
	uint32_t n_desc;                /* Places in the ring: 1, or more in a packed one. */
	uint64_t total;                 /* Bytes. */
	bool ok;                        /* False: a bad chain; only id and n_desc are set. */
	struct frame_buf buf[VQ_MAX_CHAIN];
};

/* Reads the chain that begins with 'd', already read: for a split ring from place 'at' of the table, for a packed one
 * from place 'at' of the ring, 'most' descriptors at most.  'write': of buffers for us to write to.  False: it is no
 * chain, and the ring is broken (packed only). */
bool vq_walk_split(struct vq *, uint16_t at, struct vq_desc d, bool write, struct vq_chain *);
bool vq_walk_packed(struct vq *, uint16_t at, struct vq_desc d, bool write, uint32_t most, struct vq_chain *);

/* Makes frame 'i' of a chain, 'vnet' its virtio header when that is wanted (or NULL).  Its first bytes are not copied
 * yet.  Returns 1; 0: it is no frame, and counted; -1: there is no room for it in this burst. */
int vq_frame_of_chain(struct vq *, struct frames *, unsigned i, struct vq_chain *, uint8_t *vnet);
/* Copies the first bytes of frame 'i' to 'hdr', byte by byte exactly. */
void vq_gather_hdr(const struct frames *, const struct frame *, uint8_t *hdr);

/* ---- The ring ------------------------------------------------------------------------------- */

void vq_break(struct vq *, enum vq_fault);
void vq_rx_drop(struct vq *, enum dp_drop);

static inline bool
vq_broken(const struct vq *vq)
{
	return __atomic_load_n(&vq->fault, __ATOMIC_RELAXED) != VQ_FINE;
}

/* Writes the used element at index 'at'; id and length go as one word. */
static inline void
split_put_used(struct vq *vq, uint16_t at, uint32_t id, uint32_t len)
{
	vq_u64 *u = (vq_u64 *)(void *)&vq->used->ring[at & vq->mask];

	*u = (uint64_t)len << 32 | id;
}

/* Makes 'n' used elements visible that were written from last_used on (split; advances it), then calls the guest if it
 * wants that. */
void vq_publish_split(struct vq *, uint16_t n);
/* After the flags of the first of the used descriptors were written; 'was' is last_used before them. */
void vq_call_packed(struct vq *, uint16_t was);

/* Keeps the polling thread's peek right. */
static inline void
vq_peek_moved(struct vq *vq)
{
	struct port_peek *k = vq->peek;

	if (!k)
		return;
	if (vq->packed) {
		__atomic_store_n(&k->idle, vq->avail_wrap ? 0 : PACKED_AVAIL, __ATOMIC_RELAXED);
		__atomic_store_n(&k->word, &vq->pdesc[vq->last_avail].flags, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&k->idle, vq->last_avail, __ATOMIC_RELAXED);
	}
}

/* ---- Copying --------------------------------------------------------------------------------- */

VQ_INLINE void
vq_copy64(uint8_t *d, const uint8_t *s)
{
	*(vq_v64 *)d = *(const vq_v64 *)s;
}

/* Exactly 'n' bytes read and written.  Plain stores: the guest reads them next. */
VQ_INLINE void
vq_copy(uint8_t *d, const uint8_t *s, size_t n)
{
	if (LIKELY(n >= 64)) {
		size_t i = 0;

		for (; i + 64 < n; i += 64)
			vq_copy64(d + i, s + i);
		vq_copy64(d + n - 64, s + n - 64);
	} else if (n >= 32) {
		vq_v32 a = *(const vq_v32 *)s, b = *(const vq_v32 *)(s + n - 32);

		*(vq_v32 *)d = a;
		*(vq_v32 *)(d + n - 32) = b;
	} else if (n >= 16) {
		vq_v16 a = *(const vq_v16 *)s, b = *(const vq_v16 *)(s + n - 16);

		*(vq_v16 *)d = a;
		*(vq_v16 *)(d + n - 16) = b;
	} else if (n >= 8) {
		uint64_t a = *(const vq_u64 *)s, b = *(const vq_u64 *)(s + n - 8);

		*(vq_u64 *)d = a;
		*(vq_u64 *)(d + n - 8) = b;
	} else {
		for (size_t i = 0; i < n; i++)
			d[i] = s[i];
	}
}

/* Fetches a line that will be written, with its ownership.  GCC has the instruction only for newer -march; every
 * 64-bit CPU knows it, if only as a no-op. */
VQ_INLINE void
vq_prefetchw(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* Between a copy out of guest memory and the first look at it: the compiler must not go back to the original. */
#define VQ_PRIVATE() __asm__ volatile("" : : : "memory")

#endif
