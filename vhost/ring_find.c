/* SPDX-License-Identifier: Apache-2.0 */
/* Where a packed ring goes on, read from the ring itself.
 *
 * A hypervisor that lost its switch cannot always say: QEMU (7.2 at least) keeps no position of packed rings beside the
 * switch's, and then says what it was at the device's start, place 0 with the wrap counter 1.
 *
 * AVAIL of a descriptor is the driver's wrap counter when it was written last; the device repeats it when it gives the
 * descriptor back (virtio 1.2, 2.8.1).  So from place 0 on it has one value as far as the driver has come in this round,
 * and behind that the other.  What the device has to go on with is what lies before that place, back to the first that
 * it has given back already, which has USED equal to AVAIL.
 *
 * What it has given back may leave descriptors behind it untouched: the rest of a chain and, in order, of a batch.  Both
 * end with the id that was named, and are told apart as long as the driver has not come round to that place again. */
#include "vhost/ring_priv.h"

static uint16_t
state_of(const struct vq_conf *c, uint32_t at)
{
	const struct vring_packed_desc *d = c->desc;

	return __atomic_load_n(&d[at].flags, __ATOMIC_RELAXED) & (PACKED_AVAIL | PACKED_USED);
}

static uint16_t
id_of(const struct vq_conf *c, uint32_t at)
{
	const struct vring_packed_desc *d = c->desc;

	return __atomic_load_n(&d[at].id, __ATOMIC_RELAXED);
}

static bool
goes_on(const struct vq_conf *c, uint32_t at)
{
	const struct vring_packed_desc *d = c->desc;

	return __atomic_load_n(&d[at].flags, __ATOMIC_RELAXED) & VRING_DESC_F_NEXT;
}

/* How many of the 'n' places from 'at' on belong to what was given back at the place before. */
static uint32_t
skipped(const struct vq_conf *c, uint32_t at, uint32_t n)
{
	const struct vring_packed_desc *d = c->desc, *before = &d[(at + c->size - 1u) % c->size];
	uint16_t id = __atomic_load_n(&before->id, __ATOMIC_RELAXED);
	bool in_order = c->features >> VIRTIO_F_IN_ORDER & 1, indirect = c->features >> VIRTIO_RING_F_INDIRECT_DESC & 1;

	/* With indirect tables a chain is one descriptor; the same id is the next one's, which got it when it was free. */
	if (indirect && !in_order)
		return 0;
	/* Nothing yet was there, in the first round. */
	if (!__atomic_load_n(&before->addr, __ATOMIC_RELAXED))
		return 0;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t p = (at + k) % c->size;

		if (goes_on(c, p))
			continue;
		if (id_of(c, p) == id)
			return k + 1;
		if (!in_order)
			break;
	}
	return 0;
}

uint16_t
vq_find_packed(const struct vq_conf *c)
{
	enum { START = 1 << 15 };
	bool round = state_of(c, 0) & PACKED_AVAIL, wrap;
	uint32_t end = 1, more, n = 0, at;

	while (end < c->size && !(state_of(c, end) & PACKED_AVAIL) == !round)
		end++;
	for (more = end; more < c->size; more++)
		if (!(state_of(c, more) & PACKED_AVAIL) != round)
			return START;
	/* Back from there: what the driver wrote in this round, then what it wrote in the one before. */
	while (n < c->size) {
		bool this_round = n < end;

		at = (end + c->size - 1 - n) % c->size;
		if (state_of(c, at) != packed_ready(this_round ? round : !round))
			break;
		n++;
	}
	at = (end + c->size - n) % c->size;
	if (n < c->size)
		n -= skipped(c, at, n);
	at = (end + c->size - n) % c->size;
	wrap = n <= end && !(end == c->size && !n) ? round : !round;
	return (uint16_t)(at | (wrap ? START : 0));
}
