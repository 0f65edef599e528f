/* SPDX-License-Identifier: Apache-2.0 */
/* Deferred release over rte_rcu_qsbr.  Tokens grow with every rcu_defer(), so the queue is a plain
 * FIFO: when its head is not due, nothing behind it is. */
#include "base/rcu.h"

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
	r->tail = &r->head;
	return r;
}

void
rcu_destroy(struct rcu *r)
{
	if (!r)
		return;
	rcu_drain(r);
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

unsigned
rcu_poll(struct rcu *r)
{
	/* Callbacks may defer more; those wait for the next call. */
	for (unsigned n = r->n; n > 0; n--) {
		struct deferred *d = r->head;

		if (rte_rcu_qsbr_check(r->qsbr, d->token, false) != 1)
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
	while (rte_rcu_qsbr_check(r->qsbr, token, false) != 1)
		usleep(20);
}

void
rcu_drain(struct rcu *r)
{
	while (rcu_poll(r))
		usleep(20);
}
