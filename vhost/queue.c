/* SPDX-License-Identifier: Apache-2.0 */
/* The polling threads' side of a vhost-user port: frames from and to the rings that device.c has put in place, and
 * what a thread sleeps on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "datapath/frame.h"
#include "vhost/vhost_priv.h"

struct vhp_stash {
	uint16_t n, at;
	struct rte_mbuf *m[FRAME_BURST];
	struct frames f;
};

static bool
ring_is_broken(const struct vq *vq)
{
	return __atomic_load_n(&vq->fault, __ATOMIC_RELAXED) != VQ_FINE;
}

/* Rare: the ring gives nothing from now on, and someone who may wait has to take it away. */
static void __attribute__((noinline, cold))
report_broken(void)
{
	vhp_watch_wake();
}

/* ---- From the guest --------------------------------------------------------------------------- */

static const struct port_peek *
vhp_peek(struct port *p, uint16_t q)
{
	struct vhp *v = p->priv;

	return &v->q[q].peek;
}

static uint16_t
vhp_take(struct port *p, uint16_t q, struct frames *f)
{
	struct vhp_queue *vhq = &((struct vhp *)p->priv)->q[q];
	struct vq *vq = __atomic_load_n(&vhq->from, __ATOMIC_ACQUIRE);
	uint16_t n;

	if (UNLIKELY(!vq)) {
		f->n = f->chains = 0;
		return 0;
	}
	vhq->taken = vq;
	n = vq_take(vq, f);
	if (UNLIKELY(ring_is_broken(vq)))
		report_broken();
	return n;
}

/* The ring that they were taken from is there until this turn ends, even if others do not find it any more. */
static void
vhp_release(struct port *p, uint16_t q, struct frames *f)
{
	vq_release(((struct vhp *)p->priv)->q[q].taken, f);
}

static struct vhp_stash *
stash_of(struct vhp_queue *q)
{
	if (UNLIKELY(!q->stash))
		q->stash = xalloc_aligned(CACHE_LINE, sizeof *q->stash);
	return q->stash;
}

static void
stash_fill(struct port *p, uint16_t q, struct vhp_stash *s)
{
	s->n = s->at = 0;
	vhp_take(p, q, &s->f);
	for (unsigned i = 0; i < s->f.n; i++) {
		s->m[s->n] = frame_to_mbuf(&s->f, i, p->owner->pool);
		if (s->m[s->n])
			s->n++;
		else
			__atomic_fetch_add(&p->rx_drops[DROP_NO_MEMORY], 1, __ATOMIC_RELAXED);
	}
	if (s->f.chains)
		vhp_release(p, q, &s->f);
}

/* For callers that know no frames: as packet buffers.  They may want fewer than a ring gives at once. */
uint16_t
vhp_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhp *v = p->priv;
	struct vhp_stash *s = stash_of(&v->q[q]);
	uint16_t got = 0;

	if (s->at == s->n)
		stash_fill(p, q, s);
	while (got < n && s->at < s->n)
		pkts[got++] = s->m[s->at++];
	return got;
}

/* ---- To the guest ----------------------------------------------------------------------------- */

/* Fewer rings than senders: they share (vq.shared).  NULL: the port is down, or its rings are just being changed. */
static inline struct vq *
ring_to(struct vhp *v, uint16_t q)
{
	unsigned n = __atomic_load_n(&v->n_to, __ATOMIC_ACQUIRE);

	if (UNLIKELY(!n))
		return NULL;
	return __atomic_load_n(&v->to[q < n ? q : q % n], __ATOMIC_ACQUIRE);
}

static uint16_t
vhp_send(struct port *p, uint16_t q, const struct frames *f, const uint8_t *idx, uint16_t n, uint16_t *sent,
	 uint64_t *bytes)
{
	struct vq *vq = ring_to(p->priv, q);

	if (UNLIKELY(!vq)) {
		port_tx_drop(p, DROP_TX_DOWN, n);
		return n;
	}
	n = vq_send(vq, f, idx, n, sent, bytes);
	if (UNLIKELY(ring_is_broken(vq)))
		report_broken();
	return n;
}

uint16_t
vhp_tx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct vq *vq = ring_to(p->priv, q);
	uint16_t done = 0, sent = 0;
	uint64_t bytes = 0;

	if (UNLIKELY(!vq)) {
		port_tx_drop(p, DROP_TX_DOWN, n);
		rte_pktmbuf_free_bulk(pkts, n);
		return n;
	}
	done = vq_send_mbufs(vq, pkts, n, &sent, &bytes);
	rte_pktmbuf_free_bulk(pkts, done);
	if (UNLIKELY(ring_is_broken(vq)))
		report_broken();
	return done;
}

/* ---- Sleeping --------------------------------------------------------------------------------- */

int
vhp_queue_epfd(struct vhp *v, unsigned q)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd = __atomic_load_n(&v->q[q].epfd, __ATOMIC_ACQUIRE);

	if (fd >= 0)
		return fd;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, v->nudge, &ev)) {
		close(fd);
		fd = -1;
	}
	__atomic_store_n(&v->q[q].epfd, fd, __ATOMIC_RELEASE);
	return fd;
}

static int
vhp_arm(struct port *p, uint16_t q, bool *pending)
{
	struct vhp_queue *vhq = &((struct vhp *)p->priv)->q[q];
	struct vq *vq = __atomic_load_n(&vhq->from, __ATOMIC_ACQUIRE);
	int fd = __atomic_load_n(&vhq->epfd, __ATOMIC_ACQUIRE);

	*pending = vhq->stash && vhq->stash->at < vhq->stash->n;
	/* Who cannot kick is polled. */
	if (vq && (vq_notify_want(vq, true) || __atomic_load_n(&vhq->no_kick, __ATOMIC_RELAXED)))
		*pending = !ring_is_broken(vq);
	/* Nobody has used it, and when someone does, all threads are woken. */
	return fd;
}

static void
vhp_disarm(struct port *p, uint16_t q)
{
	struct vhp_queue *vhq = &((struct vhp *)p->priv)->q[q];
	struct vq *vq = __atomic_load_n(&vhq->from, __ATOMIC_ACQUIRE);
	int fd = __atomic_load_n(&vhq->epfd, __ATOMIC_ACQUIRE);
	struct epoll_event ev[4];

	if (vq)
		vq_notify_want(vq, false);
	/* Two can be ready at most; each is reported once. */
	if (fd >= 0 && epoll_wait(fd, ev, ARRAY_SIZE(ev), 0) < 0)
		return;
}

/* ---- Set-up ----------------------------------------------------------------------------------- */

void
vhp_queue_rest(struct vhp *v, unsigned q)
{
	struct port_peek *k = &v->q[q].peek;

	/* Whatever of it a polling thread sees first, the outcome is "nothing" or one look in vain. */
	__atomic_store_n(&k->word, &v->q[q].quiet, __ATOMIC_RELAXED);
	__atomic_store_n(&k->mask, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&k->idle, 0, __ATOMIC_RELAXED);
}

void
vhp_queue_init(struct vhp *v)
{
	for (unsigned i = 0; i < VHP_MAX_QUEUES; i++) {
		v->q[i].epfd = -1;
		vhp_queue_rest(v, i);
	}
}

void
vhp_queue_fini(struct vhp *v)
{
	for (unsigned i = 0; i < VHP_MAX_QUEUES; i++) {
		struct vhp_queue *q = &v->q[i];

		if (q->epfd >= 0)
			close(q->epfd);
		if (q->stash)
			rte_pktmbuf_free_bulk(q->stash->m + q->stash->at, (unsigned)(q->stash->n - q->stash->at));
		free(q->stash);
	}
}

const struct port_frames vhp_frames = {
	.peek = vhp_peek,
	.take = vhp_take,
	.release = vhp_release,
	.send = vhp_send,
};

const struct port_sleep vhp_sleep = { .arm = vhp_arm, .disarm = vhp_disarm };
