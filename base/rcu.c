/* SPDX-License-Identifier: Apache-2.0 */
/* Deferred release over rte_rcu_qsbr.  Tokens grow with every rcu_defer(), so the queue is a plain
 * FIFO: when its head is not due, nothing behind it is. */
#include "base/rcu.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_rcu_qsbr.h>

struct deferred {
	struct deferred *next;
	uint64_t token;
	void (*fn)(void *);
	void *arg;
};

struct rcu {
	struct rte_rcu_qsbr *qsbr;              /* [const] */
	/* Held for one look at the readers: rte_rcu_qsbr_check() notes in plain memory how far they have got,
	 * and rcu_synchronize() may run beside the control thread.  Readers never take it. */
	pthread_mutex_t check_lock;
	struct deferred *head, **tail;          /* [ctl] */
	unsigned n;                             /* [ctl] */
};

struct rcu *
rcu_create(void)
{
	struct rcu *r = xcalloc(1, sizeof *r);

	r->qsbr = xalloc_aligned(CACHE_LINE, rte_rcu_qsbr_get_memsize(RCU_MAX_READERS));
	if (rte_rcu_qsbr_init(r->qsbr, RCU_MAX_READERS))
		abort();
	pthread_mutex_init(&r->check_lock, NULL);
	r->tail = &r->head;
	return r;
}

void
rcu_destroy(struct rcu *r)
{
	if (!r)
		return;
	rcu_drain(r);
	pthread_mutex_destroy(&r->check_lock);
	free(r->qsbr);
	free(r);
}

void
rcu_online(struct rcu *r, unsigned id)
{
	/* Registering again what is registered changes nothing. */
	if (rte_rcu_qsbr_thread_register(r->qsbr, id))
		abort();
	rte_rcu_qsbr_thread_online(r->qsbr, id);
}

void
rcu_offline(struct rcu *r, unsigned id)
{
	rte_rcu_qsbr_thread_offline(r->qsbr, id);
}

void
rcu_quiescent(struct rcu *r, unsigned id)
{
	rte_rcu_qsbr_quiescent(r->qsbr, id);
}

void
rcu_defer(struct rcu *r, void (*fn)(void *), void *arg)
{
	struct deferred *d = xcalloc(1, sizeof *d);

	d->fn = fn;
	d->arg = arg;
	d->token = rte_rcu_qsbr_start(r->qsbr);
	*r->tail = d;
	r->tail = &d->next;
	r->n++;
}

static bool
is_over(struct rcu *r, uint64_t token)
{
	int rc;

	pthread_mutex_lock(&r->check_lock);
	rc = rte_rcu_qsbr_check(r->qsbr, token, false);
	pthread_mutex_unlock(&r->check_lock);
	return rc == 1;
}

unsigned
rcu_poll(struct rcu *r)
{
	/* Callbacks may defer more; those wait for the next call. */
	for (unsigned n = r->n; n > 0; n--) {
		struct deferred *d = r->head;

		if (!is_over(r, d->token))
			break;
		r->head = d->next;
		if (!r->head)
			r->tail = &r->head;
		r->n--;
		d->fn(d->arg);
		free(d);
	}
	return r->n;
}

void
rcu_synchronize(struct rcu *r)
{
	uint64_t token = rte_rcu_qsbr_start(r->qsbr);

	/* Sleeps rather than spins: the reader waited for may need this very core. */
	while (!is_over(r, token))
		usleep(20);
}

void
rcu_drain(struct rcu *r)
{
	while (rcu_poll(r))
		usleep(20);
}
