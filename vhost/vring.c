/* SPDX-License-Identifier: Apache-2.0 */
/* The rings of connected guests: which of them can run, and how they come to the polling threads and go away again.
 *
 * The library's own idea of a device that is ready is not used: it wants every ring it has heard of to be set up, while
 * a guest may well use fewer. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "vhost/call_priv.h"
#include "vhost/vhost_priv.h"

enum { NOT_SET_UP = -2 };               /* The library's descriptor that was never given; -1: "without one". */

static void
quiesce(struct vhp *v)
{
	struct port_owner *o = v->port->owner;

	if (!__atomic_load_n(&v->closing, __ATOMIC_RELAXED))
		o->quiesce(o);
}

static bool
is_eventfd(int fd)
{
	char path[40], name[40];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof name - 1);
	return n > 0 && (name[n] = '\0', !strcmp(name, "anon_inode:[eventfd]"));
}

/* The address in the guest of 'len' mapped bytes, or UINT64_MAX when they are not all in one of its regions. */
static uint64_t
to_gpa(const struct vmem *m, const void *p, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		uint64_t off = (uint64_t)((uintptr_t)p - (uintptr_t)m->r[i].hva);

		if (off < m->r[i].size && len <= m->r[i].size - off)
			return m->r[i].gpa + off;
	}
	return UINT64_MAX;
}

/* Whether all three parts of a ring of 'size' entries lie in the guest's memory (virtio 1.2, 2.7 and 2.8). */
static bool
ring_is_mapped(const struct vhp_conn *c, struct vq_conf *q)
{
	uint64_t n = q->size, event = vhp_has(q->features, VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;

	if (!q->desc || !q->driver || !q->device)
		return false;
	q->used_gpa = to_gpa(&c->mem, q->device, q->packed ? 4 : 4 + 8 * n + event);
	return q->used_gpa != UINT64_MAX && to_gpa(&c->mem, q->desc, 16 * n) != UINT64_MAX &&
	       to_gpa(&c->mem, q->driver, q->packed ? 4 : 4 + 2 * n + event) != UINT64_MAX;
}

static bool
ring_is_aligned(const struct vq_conf *q)
{
	return !((uintptr_t)q->desc % 16) && !((uintptr_t)q->driver % (q->packed ? 4 : 2)) && !((uintptr_t)q->device % 4);
}

/* Collects all that ring 'i' consists of.  False: it is not to run; 'why' says so if it looks as if it should. */
static bool
ring_conf(struct vhp_conn *c, unsigned i, struct vq_conf *q, struct rte_vhost_vring *r, char why[VHP_TEXT])
{
	if (!c->ring[i].enabled || !c->has_mem || !c->has_features || c->broken[0])
		return false;
	if (rte_vhost_get_vhost_vring(c->vid, (uint16_t)i, r) || r->kickfd == NOT_SET_UP)
		return false;
	*q = (struct vq_conf){
		.packed = vhp_has(c->features, VIRTIO_F_RING_PACKED),
		.size = r->size,
		.features = c->features,
		.mem = &c->mem,
		.log = vhp_has(c->features, VHOST_F_LOG_ALL) ? c->log : NULL,
		.log_len = c->log_len,
		.callfd = MAX_OF(r->callfd, -1),
	};
	q->desc = q->packed ? (void *)r->desc_packed : (void *)r->desc;
	q->driver = q->packed ? (void *)r->driver_event : (void *)r->avail;
	q->device = q->packed ? (void *)r->device_event : (void *)r->used;
	if (!q->size || !ring_is_mapped(c, q)) {
		vhp_say(why, "ring %u of the guest is not in the memory that it shares", i);
		return false;
	}
	if (!ring_is_aligned(q)) {
		vhp_say(why, "ring %u of the guest is at an address that is not aligned", i);
		return false;
	}
	if ((q->callfd >= 0 && !is_eventfd(q->callfd)) || (r->kickfd >= 0 && !is_eventfd(r->kickfd))) {
		vhp_say(why, "ring %u of the guest has a notification descriptor that is no eventfd", i);
		return false;
	}
	if (rte_vhost_get_vring_base(c->vid, (uint16_t)i, &q->last_avail, &q->last_used))
		return false;
	if (q->packed && ((q->last_avail & 0x7fff) >= q->size || (q->last_used & 0x7fff) >= q->size)) {
		vhp_say(why, "ring %u of the guest is to go on beyond its end", i);
		return false;
	}
	return true;
}

/* A receive ring and a transmit ring: less is no port. */
static bool
conn_ready(const struct vhp *v, struct vhp_conn *c)
{
	struct rte_vhost_vring r;
	struct vq_conf q;
	bool to = false, from = false;

	c->problem[0] = '\0';
	for (unsigned i = 0; c->vid >= 0 && i < 2 * v->n_queues; i++)
		if (ring_conf(c, i, &q, &r, c->problem))
			*(ring_is_from_guest(i) ? &from : &to) = true;
	return to && from;
}

/* A call that was due on a descriptor that the guest has replaced meanwhile is made up for. */
static void
call_once(int fd)
{
	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		vhp_call(fd);
}

static void
watch_kick(struct vhp *v, struct vhp_ring *r, unsigned q, int kickfd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int epfd = vhp_queue_epfd(v, q);

	r->kickfd = -1;
	if (kickfd >= 0 && epfd >= 0 && !epoll_ctl(epfd, EPOLL_CTL_ADD, kickfd, &ev))
		r->kickfd = kickfd;
	__atomic_store_n(&v->q[q].no_kick, r->kickfd < 0, __ATOMIC_RELAXED);
}

static void
ring_start(struct vhp *v, struct vhp_conn *c, unsigned i)
{
	struct vhp_ring *r = &c->ring[i];
	struct rte_vhost_vring vr;
	struct vq_conf q;
	struct err e = { 0 };
	struct vq *vq;

	if (r->vq || !ring_conf(c, i, &q, &vr, c->problem))
		return;
	/* As of a new device: or the hypervisor does not know. */
	if (q.packed && q.last_avail == 1 << 15 && q.last_used == 1 << 15)
		q.last_avail = q.last_used = vq_find_packed(&q);
	q.peek = ring_is_from_guest(i) ? &v->q[i / 2].peek : NULL;
	vq = xalloc_aligned(CACHE_LINE, sizeof *vq);
	if (vq_init(vq, &q, v->port, &e)) {
		vhp_say(c->problem, "ring %u of the guest: %s", i, e.msg);
		if (q.peek)
			vhp_queue_rest(v, i / 2);
		free(vq);
		return;
	}
	call_once(q.callfd);
	/* Nobody sleeps on it yet. */
	vq_notify_want(vq, false);
	r->vq = vq;
	if (ring_is_from_guest(i)) {
		watch_kick(v, r, i / 2, vr.kickfd);
		__atomic_store_n(&v->q[i / 2].from, vq, __ATOMIC_RELEASE);
	}
}

static void
hide_to(struct vhp *v)
{
	__atomic_store_n(&v->n_to, 0, __ATOMIC_RELAXED);
	for (unsigned k = 0; k < VHP_MAX_QUEUES; k++)
		__atomic_store_n(&v->to[k], NULL, __ATOMIC_RELAXED);
}

/* Gives the polling threads the rings to the guest, in order and without gaps.  How many there are decides who sends on
 * which, so nobody may be sending by the old rule. */
static void
show_to(struct vhp *v, struct vhp_conn *c)
{
	struct vq *to[VHP_MAX_QUEUES];
	unsigned n = 0;

	for (unsigned i = 0; i < VHP_MAX_QUEUES; i++)
		if (c->ring[2 * i].vq)
			to[n++] = c->ring[2 * i].vq;
	if (n == v->n_to && !memcmp(to, v->to, n * sizeof *to))
		return;
	if (v->n_to) {
		hide_to(v);
		quiesce(v);
	}
	for (unsigned i = 0; i < n; i++) {
		to[i]->shared = v->port->owner->n_lcores > n;
		__atomic_store_n(&v->to[i], to[i], __ATOMIC_RELEASE);
	}
	__atomic_store_n(&v->n_to, n, __ATOMIC_RELEASE);
}

static void
set_live(struct vhp *v, const struct vhp_conn *c)
{
	unsigned live = 1;

	for (unsigned i = 0; c && i < VHP_MAX_QUEUES; i++)
		if (c->ring[2 * i + 1].vq)
			live = i + 1;
	__atomic_store_n(&v->port->live_rxq, (uint16_t)live, __ATOMIC_RELAXED);
}

/* Takes rings first..first+n-1 away from the polling threads and frees them; the library learns where they stopped.
 * A queue's peek is written by its polling thread as long as that has the ring, and read for a turn longer than that. */
void
vhp_rings_stop(struct vhp *v, struct vhp_conn *c, unsigned first, unsigned n)
{
	bool from = false, to = false;
	unsigned end = MIN_OF(first + n, (unsigned)VHP_MAX_RINGS);

	for (unsigned i = first; i < end; i++) {
		struct vhp_ring *r = &c->ring[i];

		if (!r->vq)
			continue;
		*(ring_is_from_guest(i) ? &from : &to) = true;
		if (!ring_is_from_guest(i))
			continue;
		__atomic_store_n(&v->q[i / 2].from, NULL, __ATOMIC_RELAXED);
		if (r->kickfd >= 0)
			epoll_ctl(v->q[i / 2].epfd, EPOLL_CTL_DEL, r->kickfd, NULL);
		r->kickfd = -1;
	}
	if (!from && !to)
		return;
	if (to)
		hide_to(v);
	quiesce(v);
	for (unsigned i = first; i < end; i++)
		if (c->ring[i].vq && ring_is_from_guest(i))
			vhp_queue_rest(v, i / 2);
	if (from)
		quiesce(v);
	for (unsigned i = first; i < end; i++) {
		struct vq *vq = c->ring[i].vq;

		if (!vq)
			continue;
		rte_vhost_set_vring_base(c->vid, (uint16_t)i,
					 (uint16_t)(vq->packed ? vq->last_avail | vq->avail_wrap << 15 : vq->last_avail),
					 (uint16_t)(vq->packed ? vq->last_used | vq->used_wrap << 15 : vq->last_used));
		free(vq);
		c->ring[i].vq = NULL;
	}
	/* Whoever sleeps does it on what the old ring promised. */
	eventfd_write(v->nudge, 1);
}

/* After any change: chooses whose rings are used (who has them keeps them while it is ready) and starts those that can
 * run and do not. */
void
vhp_settle(struct vhp *v)
{
	struct vhp_conn *best = NULL;

	if (__atomic_load_n(&v->closing, __ATOMIC_RELAXED))
		return;
	for (unsigned i = 0; i < VHP_MAX_CONNS; i++) {
		struct vhp_conn *c = &v->conn[i];
		bool ready = conn_ready(v, c);

		if (c->owns_port && !ready) {
			__atomic_store_n(&v->port->accepts, 0, __ATOMIC_RELAXED);
			vhp_rings_stop(v, c, 0, VHP_MAX_RINGS);
			c->owns_port = false;
		}
		if (ready && (!best || c->owns_port))
			best = c;
	}
	if (best) {
		best->owns_port = best->was_up = true;
		for (unsigned i = 0; i < 2 * v->n_queues; i++)
			ring_start(v, best, i);
		show_to(v, best);
		__atomic_store_n(&v->port->accepts, vq_accepts(best->features), __ATOMIC_RELAXED);
	}
	if (best && best->announce) {
		__atomic_store_n(&v->port->announce, best->announce, __ATOMIC_RELEASE);
		best->announce = 0;
	}
	set_live(v, best);
	eventfd_write(v->nudge, 1);
	vhp_tell_owner(v);
}
