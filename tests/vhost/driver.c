/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "tests/vhost/driver.h"

#include <assert.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "vhost/ring_priv.h"

static bool
has(const struct drv *d, unsigned bit)
{
	return d->features >> bit & 1;
}

static void
place_ring(struct drv *d)
{
	size_t desc = 16 * (size_t)d->size, driver = 4, device = 4;

	if (!d->packed) {
		driver = (6 + 2 * (size_t)d->size + 3) & ~(size_t)3;
		device = 6 + 8 * (size_t)d->size;
	}
	d->ring_len = desc + driver + device;
	d->ring = xalloc_aligned(4096, d->ring_len);
	d->desc = (void *)d->ring;
	d->avail = (void *)(d->ring + desc);
	d->used = (void *)(d->ring + desc + driver);
}

void
drv_init(struct drv *d, const struct drv_opts *o)
{
	struct err e;

	*d = (struct drv){ .packed = o->packed, .size = o->size, .data_len = o->data_len ? o->data_len : 1 << 20 };
	d->features = o->features | (uint64_t)o->packed << VIRTIO_F_RING_PACKED;
	d->in_order = has(d, VIRTIO_F_IN_ORDER);
	d->event_idx = has(d, VIRTIO_RING_F_EVENT_IDX);
	place_ring(d);
	d->data = xalloc_aligned(4096, d->data_len);
	d->mem = (struct vmem){ .n = 2, .r = { { DRV_RING_GPA, d->ring_len, d->ring },
					       { DRV_DATA_GPA, d->data_len, d->data } } };
	d->n_free = d->n_ids = d->size;
	d->free = xcalloc(d->size, sizeof d->free[0]);
	for (unsigned i = 0; i < d->size; i++)
		d->free[i] = (uint16_t)i;
	d->chain = xcalloc(d->size, sizeof d->chain[0]);
	d->fifo = xcalloc(d->size, sizeof d->fifo[0]);
	d->next = d->next_used = d->published = o->start;
	d->wrap = d->used_wrap = true;
	if (!d->packed)
		d->avail->idx = d->used->idx = o->start;
	for (unsigned i = 0; d->packed && i < o->start; i++)
		d->pdesc[i].flags = PACKED_AVAIL | PACKED_USED;
	if (o->log)
		d->log = xcalloc(1, (DRV_DATA_GPA + d->data_len) / 4096 / 8 + 1);

	d->conf = (struct vq_conf){
		.packed = d->packed, .size = d->size, .desc = d->desc, .driver = d->avail, .device = d->used,
		.used_gpa = drv_gpa(d, d->used), .features = d->features,
		.last_avail = o->start | (d->packed ? 1 << 15 : 0), .last_used = o->start | (d->packed ? 1 << 15 : 0),
		.mem = &d->mem, .log = d->log, .log_len = d->log ? (DRV_DATA_GPA + d->data_len) / 4096 / 8 + 1 : 0,
		.callfd = o->call ? eventfd(0, EFD_NONBLOCK) : -1, .peek = &d->peek,
	};
	if (vq_init(&d->vq, &d->conf, &d->port, &e))
		abort();
}

void
drv_fini(struct drv *d)
{
	if (d->conf.callfd >= 0)
		close(d->conf.callfd);
	free(d->ring);
	free(d->data);
	free(d->free);
	free(d->chain);
	free(d->fifo);
	free(d->log);
}

uint64_t
drv_gpa(const struct drv *d, const void *p)
{
	const uint8_t *b = p;

	if (b >= d->ring && b < d->ring + d->ring_len)
		return DRV_RING_GPA + (uint64_t)(b - d->ring);
	return DRV_DATA_GPA + (uint64_t)(b - d->data);
}

static void
write_table(struct drv *d, const struct drv_buf *b, unsigned n, bool writable, uint8_t *at)
{
	for (unsigned i = 0; i < n; i++, at += 16) {
		uint16_t flags = writable ? VRING_DESC_F_WRITE : 0;

		if (d->packed) {
			struct vring_packed_desc t = { drv_gpa(d, b[i].p), b[i].len, (uint16_t)(i * 7919), flags };

			memcpy(at, &t, sizeof t);
		} else {
			struct vring_desc t = { drv_gpa(d, b[i].p), b[i].len,
						(uint16_t)(flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0)), (uint16_t)(i + 1) };

			memcpy(at, &t, sizeof t);
		}
	}
}

static void
add_split(struct drv *d, const struct drv_buf *b, unsigned n, bool writable, bool table, uint16_t head)
{
	uint16_t at = head;

	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = table ? VRING_DESC_F_INDIRECT : writable ? VRING_DESC_F_WRITE : 0;
		uint16_t next = 0;

		if (i + 1 < n) {
			next = d->in_order ? (at + 1) & (d->size - 1) : d->free[--d->n_free];
			d->n_free -= d->in_order;
			flags |= VRING_DESC_F_NEXT;
		}
		d->desc[at] = (struct vring_desc){ drv_gpa(d, b[i].p), b[i].len, flags, next };
		at = next;
	}
	d->avail->ring[d->next++ & (d->size - 1)] = head;
}

static void
add_packed(struct drv *d, const struct drv_buf *b, unsigned n, bool writable, bool table, uint16_t id)
{
	uint16_t first = d->next, first_flags = 0;

	for (unsigned i = 0; i < n; i++) {
		struct vring_packed_desc *p = &d->pdesc[d->next];
		uint16_t flags = (d->wrap ? PACKED_AVAIL : PACKED_USED) | (i + 1 < n ? VRING_DESC_F_NEXT : 0) |
				 (table ? VRING_DESC_F_INDIRECT : writable ? VRING_DESC_F_WRITE : 0);

		p->addr = drv_gpa(d, b[i].p);
		p->len = b[i].len;
		/* Only the last one's counts. */
		p->id = i + 1 < n ? 0xdead : id;
		if (i)
			__atomic_store_n(&p->flags, flags, __ATOMIC_RELEASE);
		else
			first_flags = flags;
		if (++d->next == d->size) {
			d->next = 0;
			d->wrap = !d->wrap;
		}
	}
	d->n_free -= n - 1;
	__atomic_store_n(&d->pdesc[first].flags, first_flags, __ATOMIC_RELEASE);
}

/* In order, split descriptors are used in the order of the table, and packed ids count places. */
static unsigned
take_id(struct drv *d, unsigned n)
{
	unsigned id = d->next_id & (d->size - 1u);

	if (d->in_order) {
		d->next_id += n;
		d->n_free--;
		return id;
	}
	if (!d->packed)
		return d->free[--d->n_free];
	d->n_free--;
	return d->free[--d->n_ids];
}

bool
drv_add(struct drv *d, const struct drv_buf *b, unsigned n, bool writable, void *indirect, unsigned token)
{
	struct drv_buf table = { indirect, 16 * n };
	unsigned id;

	if (indirect) {
		write_table(d, b, n, writable, indirect);
		b = &table;
		n = 1;
	}
	if (n > d->n_free)
		return false;
	id = take_id(d, n);
	assert(!d->chain[id].live);
	d->chain[id] = (struct drv_chain){ .token = token, .live = true, .n = (uint16_t)n };
	if (d->packed)
		add_packed(d, b, n, writable, indirect != NULL, (uint16_t)id);
	else
		add_split(d, b, n, writable, indirect != NULL, (uint16_t)id);
	d->fifo[d->fifo_tail++ & (d->size - 1u)] = id;
	return true;
}

bool
drv_publish(struct drv *d)
{
	uint16_t was = d->published, now = d->next, event;

	d->published = now;
	if (!d->packed) {
		__atomic_store_n(&d->avail->idx, now, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		memcpy(&event, &d->used->ring[d->size], sizeof event);
		return d->event_idx ? vring_need_event(event, now, was) : !(d->used->flags & VRING_USED_F_NO_NOTIFY);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (d->device_event->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return d->device_event->flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	assert(d->event_idx);
	event = d->device_event->off_wrap & 0x7fff;
	if (d->device_event->off_wrap >> 15 != d->wrap)
		event -= d->size;
	if (now <= was)
		was -= d->size;
	return vring_need_event(event, now, was);
}

static bool
used_split(struct drv *d, unsigned *id, uint32_t *len)
{
	uint16_t idx = __atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE);
	const struct vring_used_elem *u = &d->used->ring[d->next_used & (d->size - 1)];

	assert((uint16_t)(idx - d->next_used) <= d->size);
	if (idx == d->next_used)
		return false;
	assert(u->id < d->size);
	*id = u->id;
	*len = u->len;
	return true;
}

static bool
used_packed(struct drv *d, unsigned *id, uint32_t *len)
{
	const struct vring_packed_desc *p = &d->pdesc[d->next_used];
	uint16_t flags = __atomic_load_n(&p->flags, __ATOMIC_ACQUIRE);

	if (!!(flags & PACKED_AVAIL) != d->used_wrap || !!(flags & PACKED_USED) != d->used_wrap)
		return false;
	assert(p->id < d->size);
	assert(!(flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)));
	*id = p->id;
	*len = flags & VRING_DESC_F_WRITE ? p->len : 0;
	return true;
}

static void
put_back(struct drv *d, unsigned id)
{
	struct drv_chain *c = &d->chain[id];

	assert(c->live);
	c->live = false;
	if (d->packed) {
		d->next_used += c->n;
		if (d->next_used >= d->size) {
			d->next_used -= d->size;
			d->used_wrap = !d->used_wrap;
		}
		d->n_free += c->n;
		if (!d->in_order)
			d->free[d->n_ids++] = (uint16_t)id;
		return;
	}
	d->next_used++;
	if (d->in_order) {
		d->n_free += c->n;
		return;
	}
	for (uint16_t i = 0, at = (uint16_t)id, next; i < c->n; i++, at = next) {
		next = d->desc[at].next;
		d->free[d->n_free++] = at;
	}
}

bool
drv_used(struct drv *d, unsigned *token, uint32_t *len)
{
	unsigned id = 0;

	if (!d->batch) {
		if (!(d->packed ? used_packed(d, &id, len) : used_split(d, &id, len)))
			return false;
		d->batch = 1;
		d->batch_len = *len;
		for (unsigned i = d->fifo_head; d->in_order && d->fifo[i & (d->size - 1u)] != id; i++, d->batch++)
			assert(i + 1 != d->fifo_tail);
	}
	if (d->in_order)
		id = d->fifo[d->fifo_head++ & (d->size - 1u)];
	*len = --d->batch ? 0 : d->batch_len;
	*token = d->chain[id].token;
	put_back(d, id);
	return true;
}

void
drv_want_no_calls(struct drv *d)
{
	if (d->packed)
		d->driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	else if (d->event_idx)
		d->avail->ring[d->size] = (uint16_t)(d->next_used - 1);
	else
		d->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

void
drv_want_calls(struct drv *d)
{
	if (d->packed)
		d->driver_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	else
		d->avail->flags = 0;
	if (!d->packed && d->event_idx)
		d->avail->ring[d->size] = d->next_used;
}

void
drv_want_call_after(struct drv *d, uint16_t after)
{
	uint16_t at = d->next_used + after;
	bool wrap = d->used_wrap;

	assert(d->event_idx);
	if (!d->packed) {
		d->avail->ring[d->size] = at;
		return;
	}
	if (at >= d->size) {
		at -= d->size;
		wrap = !wrap;
	}
	d->driver_event->off_wrap = (uint16_t)(at | wrap << 15);
	d->driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
}

unsigned
drv_calls(struct drv *d)
{
	uint64_t n;

	return read(d->conf.callfd, &n, sizeof n) == sizeof n ? (unsigned)n : 0;
}

bool
drv_logged(const struct drv *d, uint64_t gpa)
{
	return d->log[gpa >> 15] >> (gpa >> 12 & 7) & 1;
}

void
drv_log_clear(struct drv *d)
{
	memset(d->log, 0, d->conf.log_len);
}

bool
drv_peek_idle(const struct drv *d)
{
	return (*d->peek.word & d->peek.mask) == d->peek.idle;
}
