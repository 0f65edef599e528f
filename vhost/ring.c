/* SPDX-License-Identifier: Apache-2.0 */
/* A virtqueue's set-up, its notifications, and what is not done once a packet.  The bursts are in ring_take.c and
 * ring_send.c. */
#include "vhost/ring.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "base/ctr.h"
#include "datapath/offload.h"
#include "vhost/call_priv.h"
#include "vhost/ring_priv.h"

/* ---- Set-up ---------------------------------------------------------------------------------- */

/* What was built for one instruction set. */
#define ISA(v) \
	extern vq_take_fn *const vq_take_##v[2][2]; \
	extern vq_send_fn *const vq_send_##v[2]; \
	extern vq_send_mbufs_fn *const vq_send_mbufs_##v[2];
ISA(v2)
ISA(v3)
ISA(v4)
#undef ISA

static bool
has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

/* What a guest may leave to us. */
static bool
wants_offloads(uint64_t f)
{
	return has(f, VIRTIO_NET_F_CSUM) || has(f, VIRTIO_NET_F_HOST_TSO4) || has(f, VIRTIO_NET_F_HOST_TSO6) ||
	       has(f, VIRTIO_NET_F_HOST_UFO) || has(f, VQ_NET_F_HOST_USO);
}

/* Nothing is cut by who does not take partial checksums (virtio 1.2, 5.1.3.1). */
uint16_t
vq_accepts(uint64_t f)
{
	if (!has(f, VIRTIO_NET_F_GUEST_CSUM))
		return 0;
	return OFFL_CSUM | (has(f, VIRTIO_NET_F_GUEST_TSO4) ? OFFL_TSO4 : 0) |
	       (has(f, VIRTIO_NET_F_GUEST_TSO6) ? OFFL_TSO6 : 0) | (has(f, VIRTIO_NET_F_GUEST_ECN) ? OFFL_ECN : 0) |
	       (has(f, VIRTIO_NET_F_GUEST_UFO) ? OFFL_UFO : 0) |
	       (has(f, VQ_NET_F_GUEST_USO4) && has(f, VQ_NET_F_GUEST_USO6) ? OFFL_USO : 0);
}

/* The instruction sets that vhost/meson.build names. */
static void
choose_code(struct vq *vq)
{
#define USE(v) \
	do { \
		vq->take = vq_take_##v[vq->packed][vq->offloads]; \
		vq->send = vq_send_##v[vq->packed]; \
		vq->send_mbufs = vq_send_mbufs_##v[vq->packed]; \
	} while (0)
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
		USE(v4);
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
		USE(v3);
	else
		USE(v2);
#undef USE
}

static bool
aligned(const void *p, unsigned to)
{
	return p && !((uintptr_t)p & (to - 1));
}

int
vq_init(struct vq *vq, const struct vq_conf *c, struct port *port, struct err *e)
{
	if (c->size < VQ_MIN_SIZE || c->size > VQ_MAX_SIZE || (c->size & (c->size - 1)))
		return err_set(e, EINVAL, "ring of %u entries: a power of two up to %u", c->size, VQ_MAX_SIZE);
	if (!aligned(c->desc, 16) || !aligned(c->driver, c->packed ? 4 : 2) || !aligned(c->device, 4))
		return err_set(e, EINVAL, "ring at an address that is not aligned");
	if (c->packed && ((c->last_avail & 0x7fff) >= c->size || (c->last_used & 0x7fff) >= c->size))
		return err_set(e, EINVAL, "ring of %u entries goes on at entry %u, used %u", c->size,
			       c->last_avail & 0x7fff, c->last_used & 0x7fff);

	*vq = (struct vq){
		.peek = c->peek,
		.size = c->size,
		.mask = (uint16_t)(c->size - 1),
		.last_avail = c->packed ? c->last_avail & 0x7fff : c->last_avail,
		.last_used = c->packed ? c->last_used & 0x7fff : c->last_used,
		.avail_wrap = c->last_avail >> 15,
		.used_wrap = c->last_used >> 15,
		.packed = c->packed,
		.in_order = has(c->features, VIRTIO_F_IN_ORDER),
		.event_idx = has(c->features, VIRTIO_RING_F_EVENT_IDX),
		.indirect = has(c->features, VIRTIO_RING_F_INDIRECT_DESC),
		.merge = has(c->features, VIRTIO_NET_F_MRG_RXBUF),
		.offloads = wants_offloads(c->features),
		.hdr_len = has(c->features, VIRTIO_NET_F_MRG_RXBUF) || has(c->features, VIRTIO_F_VERSION_1) ? 12 : 10,
		.accepts = vq_accepts(c->features),
		.desc = c->desc,
		.avail = c->driver,
		.used = c->device,
		.mem = c->mem,
		.port = port,
		.callfd = c->callfd,
		.shared = c->shared,
		.event_asked = true,    /* By the zeroes that a driver leaves there. */
		.log = c->log,
		.log_len = c->log_len,
		.used_gpa = c->used_gpa,
		.features = c->features,
	};
	choose_code(vq);
	if (vq->peek) {
		__atomic_store_n(&vq->peek->mask, vq->packed ? PACKED_AVAIL : 0xffff, __ATOMIC_RELAXED);
		if (!vq->packed)
			__atomic_store_n(&vq->peek->word, &vq->avail->idx, __ATOMIC_RELAXED);
		vq_peek_moved(vq);
	}
	return 0;
}

void
vq_break(struct vq *vq, enum vq_fault f)
{
	static const uint16_t nothing = 0;

	__atomic_store_n(&vq->fault, f, __ATOMIC_RELAXED);
	if (!vq->peek)
		return;
	__atomic_store_n(&vq->peek->word, &nothing, __ATOMIC_RELAXED);
	__atomic_store_n(&vq->peek->mask, 0xffff, __ATOMIC_RELAXED);
	__atomic_store_n(&vq->peek->idle, 0, __ATOMIC_RELAXED);
}

/* Queues of one port are worked on by several threads, and this is rare. */
void
vq_rx_drop(struct vq *vq, enum dp_drop why)
{
	__atomic_fetch_add(&vq->port->rx_drops[why], 1, __ATOMIC_RELAXED);
}

/* ---- Dirty log -------------------------------------------------------------------------------- */

/* A locked OR even where the bit is set: whoever reads the log may clear it in this very moment, and the bit must not be
 * looked at before what we wrote is visible. */
void
vq_log_gpa(const struct vq *vq, uint64_t gpa, uint64_t len)
{
	uint64_t last = gpa + len - 1;

	if (!vq->log || !len || last < gpa)
		return;
	for (uint64_t page = gpa >> 12; page <= last >> 12 && page / 8 < vq->log_len; page++)
		__atomic_fetch_or(&vq->log[page / 8], (uint8_t)(1 << page % 8), __ATOMIC_RELEASE);
}

void
vq_log_hva(const struct vq *vq, const void *p, uint64_t len)
{
	for (unsigned i = 0; i < vq->mem->n; i++) {
		const struct vmem_region *r = &vq->mem->r[i];
		uint64_t off = (uint64_t)((uintptr_t)p - (uintptr_t)r->hva);

		if (off < r->size) {
			vq_log_gpa(vq, r->gpa + off, len);
			return;
		}
	}
}

/* 'n' entries of the used ring from index 'at' on; then the index itself is logged by who wrote it. */
static void
log_used_entries(const struct vq *vq, uint16_t at, uint16_t n)
{
	uint16_t first = at & vq->mask, till_end = MIN_OF(n, (uint16_t)(vq->size - first));

	vq_log_gpa(vq, vq->used_gpa + offsetof(struct vring_used, ring) + first * sizeof(struct vring_used_elem),
		   till_end * sizeof(struct vring_used_elem));
	vq_log_gpa(vq, vq->used_gpa + offsetof(struct vring_used, ring),
		   (uint64_t)(n - till_end) * sizeof(struct vring_used_elem));
}

/* ---- Notifications ---------------------------------------------------------------------------- */

static void
call(struct vq *vq, bool wanted)
{
	if (!wanted) {
		ctr_add(&vq->stats.calls_spared, 1);
		return;
	}
	/* Failures are the guest's own; but one that would have held us up is not given a second try. */
	if (UNLIKELY(vhp_call(vq->callfd) == -EINTR)) {
		vq_break(vq, VQ_BAD_CALL);
		vq->callfd = -1;
	}
	ctr_add(&vq->stats.calls, 1);
}

/* The driver's 'used_event', behind its available ring (virtio 1.2, 2.7.10). */
static bool
split_event(struct vq *vq, uint16_t was, bool valid)
{
	uint16_t event = __atomic_load_n(&vq->avail->ring[vq->size], __ATOMIC_RELAXED);

	return !valid || vring_need_event(event, vq->last_used, was);
}

void
vq_publish_split(struct vq *vq, uint16_t n)
{
	uint16_t was = vq->signalled;
	bool valid = vq->signalled_valid;

	if (UNLIKELY(vq->log != NULL))
		log_used_entries(vq, vq->last_used, n);
	vq->last_used += n;
	__atomic_store_n(&vq->used->idx, vq->last_used, __ATOMIC_RELEASE);
	if (UNLIKELY(vq->log != NULL))
		vq_log_gpa(vq, vq->used_gpa + offsetof(struct vring_used, idx), sizeof vq->used->idx);
	vq->signalled = vq->last_used;
	vq->signalled_valid = true;
	if (vq->callfd < 0)
		return;
	/* The driver writes what it wants and then looks at our index; we the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx)
		call(vq, split_event(vq, was, valid));
	else
		call(vq, !(__atomic_load_n(&vq->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT));
}

/* Whether the driver asked to be told of an element between 'was' and where we are (virtio 1.2, 2.8.10). */
static bool
packed_event(struct vq *vq, uint16_t was, bool valid)
{
	uint16_t flags = __atomic_load_n(&vq->driver_event->flags, __ATOMIC_ACQUIRE);
	uint16_t off_wrap, at, now = vq->last_used;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	if (!valid)
		return true;
	off_wrap = __atomic_load_n(&vq->driver_event->off_wrap, __ATOMIC_RELAXED);
	at = off_wrap & 0x7fff;
	if (now <= was)
		was -= vq->size;
	if (vq->used_wrap != off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR)
		at -= vq->size;
	return vring_need_event(at, now, was);
}

void
vq_call_packed(struct vq *vq, uint16_t was)
{
	bool valid = vq->signalled_valid;

	vq->signalled_valid = true;
	if (vq->callfd < 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	call(vq, packed_event(vq, was, valid));
}

static void
want_split(struct vq *vq, bool on)
{
	if (!vq->event_idx) {
		__atomic_store_n(&vq->used->flags, on ? 0 : VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
		vq_log_gpa(vq, vq->used_gpa, sizeof vq->used->flags);
	} else if (on) {
		/* avail_event, behind the used ring.  To switch it off there is nothing to write: it stays behind. */
		__atomic_store_n((uint16_t *)(void *)&vq->used->ring[vq->size], vq->last_avail, __ATOMIC_RELAXED);
		vq_log_gpa(vq, vq->used_gpa + offsetof(struct vring_used, ring) +
			   vq->size * sizeof(struct vring_used_elem), sizeof(uint16_t));
	}
}

static void
want_packed(struct vq *vq, bool on)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (on && vq->event_idx) {
		__atomic_store_n(&vq->device_event->off_wrap,
				 (uint16_t)(vq->last_avail | vq->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR),
				 __ATOMIC_RELAXED);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (on) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	__atomic_store_n(&vq->device_event->flags, flags, __ATOMIC_RELEASE);
	vq_log_gpa(vq, vq->used_gpa, sizeof *vq->device_event);
}

static bool
has_more(const struct vq *vq)
{
	uint16_t flags;

	if (!vq->packed)
		return __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) != vq->last_avail;
	flags = __atomic_load_n(&vq->pdesc[vq->last_avail].flags, __ATOMIC_ACQUIRE);
	return (flags & (PACKED_AVAIL | PACKED_USED)) == packed_ready(vq->avail_wrap);
}

bool
vq_notify_want(struct vq *vq, bool on)
{
	if (on || vq->event_asked) {
		if (vq->packed)
			want_packed(vq, on);
		else
			want_split(vq, on);
		vq->event_asked = on;
	}
	if (!on || vq_broken(vq))
		return false;
	/* The driver adds and then looks whether we want to know; we the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return has_more(vq);
}

/* ---- Bursts ------------------------------------------------------------------------------------ */

static void
release_split(struct vq *vq, const struct frames *f)
{
	unsigned n = f->chains, written = n;

	/* In order, one entry at the place of the first stands for all up to the one it names (virtio 1.2, 2.7.7). */
	if (vq->in_order)
		written = 1;
	for (unsigned i = 0; i < written; i++)
		split_put_used(vq, (uint16_t)(vq->last_used + i), f->chain[vq->in_order ? n - 1 : i].id, 0);
	vq_publish_split(vq, (uint16_t)n);
}

static void
release_packed(struct vq *vq, const struct frames *f)
{
	uint16_t was = vq->last_used, at = was;
	unsigned first = vq->in_order ? f->chains - 1u : 0;
	bool wrap = vq->used_wrap;

	/* In order, the first element names the last buffer (virtio 1.2, 2.8.9); else each has its own, and the first
	 * becomes visible last. */
	for (unsigned i = 0; i < f->chains; i++) {
		if (i && !vq->in_order) {
			__atomic_store_n(packed_rest(vq, at), packed_used((uint16_t)f->chain[i].id, 0, wrap), __ATOMIC_RELEASE);
			if (UNLIKELY(vq->log != NULL))
				vq_log_hva(vq, &vq->pdesc[at], sizeof vq->pdesc[at]);
		}
		packed_advance(vq, &at, &wrap, (uint16_t)f->chain[i].len);
	}
	__atomic_store_n(packed_rest(vq, was), packed_used((uint16_t)f->chain[first].id, 0, vq->used_wrap),
			 __ATOMIC_RELEASE);
	if (UNLIKELY(vq->log != NULL))
		vq_log_hva(vq, &vq->pdesc[was], sizeof vq->pdesc[was]);
	vq->last_used = at;
	vq->used_wrap = wrap;
	vq_call_packed(vq, was);
}

uint16_t
vq_take(struct vq *vq, struct frames *f)
{
	return vq->take(vq, f);
}

void
vq_release(struct vq *vq, struct frames *f)
{
	if (!f->chains)
		return;
	if (vq->packed)
		release_packed(vq, f);
	else
		release_split(vq, f);
	f->chains = 0;
}

static void
lock(struct vq *vq)
{
	while (__atomic_exchange_n(&vq->lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&vq->lock, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
}

static void
unlock(struct vq *vq)
{
	__atomic_store_n(&vq->lock, 0, __ATOMIC_RELEASE);
}

uint16_t
vq_send(struct vq *vq, const struct frames *f, const uint8_t *idx, uint16_t n, uint16_t *sent, uint64_t *bytes)
{
	if (!vq->shared)
		return vq->send(vq, f, idx, n, sent, bytes);
	lock(vq);
	n = vq->send(vq, f, idx, n, sent, bytes);
	unlock(vq);
	return n;
}

uint16_t
vq_send_mbufs(struct vq *vq, struct rte_mbuf **m, uint16_t n, uint16_t *sent, uint64_t *bytes)
{
	if (!vq->shared)
		return vq->send_mbufs(vq, m, n, sent, bytes);
	lock(vq);
	n = vq->send_mbufs(vq, m, n, sent, bytes);
	unlock(vq);
	return n;
}

uint16_t
vq_room(const struct vq *vq)
{
	uint16_t at = __atomic_load_n(&vq->last_avail, __ATOMIC_RELAXED), n = 0;
	bool wrap = __atomic_load_n(&vq->avail_wrap, __ATOMIC_RELAXED);

	if (vq_broken(vq))
		return 0;
	if (!vq->packed) {
		n = (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_RELAXED) - at);
		return MIN_OF(n, vq->size);
	}
	for (; n < vq->size; n++) {
		uint16_t flags = __atomic_load_n(&vq->pdesc[at].flags, __ATOMIC_RELAXED);

		if ((flags & (PACKED_AVAIL | PACKED_USED)) != packed_ready(wrap))
			break;
		packed_advance(vq, &at, &wrap, 1);
	}
	return n;
}
