/* SPDX-License-Identifier: Apache-2.0 */
/* Work for the polling threads that the control thread asks for: packets that leave with a program of their own,
 * and the folding of what cached flows have counted. */
#include "datapath/dp_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
	EXEC_MAX = 2048,                /* Packets under way... */
	EXEC_MBUFS_DIV = 8,             /* ...in this part of all packet buffers at most. */
	/* In one turn, packets wait meanwhile: flows looked at, those of them that had something to tell. */
	FOLD_SLOTS = 1024,
	FOLD_SETTLED = 64,
};

/* --- Packets of the control plane ---------------------------------------------------------- */

struct exec_request {
	struct flow_key key;
	struct dp_request r;
	struct rte_mbuf *m;
	uint32_t n_segs;
	uint32_t tun_dst;               /* Not 0: where it goes instead of having acts. */
	unsigned n_acts;
	struct act acts[];
};

static bool
exec_run(struct lcore *lc, struct dp_request *req)
{
	struct exec_request *x = CONTAINER_OF(req, struct exec_request, r);
	struct rte_mbuf *m = x->m;

	x->m = NULL;
	if (x->tun_dst)
		tun_send(lc, x->tun_dst, m);
	else
		exec_acts(lc, &x->key, x->acts, x->n_acts, &m, 1);
	return true;
}

static void
exec_done(struct dp *dp, struct dp_request *req)
{
	struct exec_request *x = CONTAINER_OF(req, struct exec_request, r);

	dp->n_exec--;
	dp->n_exec_segs -= x->n_segs;
	rte_pktmbuf_free(x->m);
	free(x);
}

/* The frame in packet buffers, or NULL. */
static struct rte_mbuf *
mbufs_of(struct rte_mempool *pool, const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;

	while (last && len) {
		uint16_t part = (uint16_t)MIN_OF(len, (uint32_t)rte_pktmbuf_tailroom(last));

		memcpy(rte_pktmbuf_mtod(last, void *), frame, part);
		last->data_len = part;
		m->pkt_len += part;
		frame += part;
		len -= part;
		if (!len)
			break;
		last->next = rte_pktmbuf_alloc(pool);
		last = last->next;
		m->nb_segs++;
	}
	if (last)
		return m;
	if (m) {
		m->nb_segs--;
		rte_pktmbuf_free(m);
	}
	return NULL;
}

/* Room for 'n' instructions, and the frame; the caller fills in the rest and hands it to exec_ask(). */
static struct exec_request *
exec_new(struct dp *dp, const void *frame, uint32_t len, unsigned n)
{
	struct exec_request *x;
	struct rte_mbuf *m;

	if (dp->n_exec == EXEC_MAX || dp->n_exec_segs > dp->conf.n_mbufs / EXEC_MBUFS_DIV)
		return NULL;
	m = mbufs_of(dp->pool, frame, len);
	if (!m)
		return NULL;
	x = xalloc_aligned(CACHE_LINE, sizeof *x + n * sizeof(struct act));
	x->r = (struct dp_request){ .run = exec_run, .done = exec_done, .cost = 1 };
	x->m = m;
	x->n_segs = m->nb_segs;
	return x;
}

static int
exec_ask(struct dp *dp, struct exec_request *x)
{
	if (dp_ask(dp, 0, &x->r)) {
		rte_pktmbuf_free(x->m);
		free(x);
		return -ENOBUFS;
	}
	dp->n_exec++;
	dp->n_exec_segs += x->n_segs;
	return 0;
}

int
dp_exec(struct dp *dp, const struct flow_key *key, const void *frame, uint32_t len, const struct act *a, unsigned n)
{
	struct exec_request *x;

	if (key->in_port >= DP_MAX_PORTS || !len || len > UINT16_MAX || n > ACT_MAX)
		return -EINVAL;
	x = exec_new(dp, frame, len, n);
	if (!x)
		return -ENOBUFS;
	x->key = *key;
	x->n_acts = n;
	memcpy(x->acts, a, n * sizeof *a);
	return exec_ask(dp, x);
}

int
dp_tun_send(struct dp *dp, uint32_t tun_dst, const void *frame, uint32_t len)
{
	struct exec_request *x;

	if (!tun_dst || !len || len > UINT16_MAX)
		return -EINVAL;
	x = exec_new(dp, frame, len, 0);
	if (!x)
		return -ENOBUFS;
	x->tun_dst = tun_dst;
	return exec_ask(dp, x);
}

/* --- Counts -------------------------------------------------------------------------------- */

struct fold_waiter {
	void (*done)(void *);
	void *arg;
	struct fold_waiter *next;
};

/* One pass over the caches of all threads. */
struct fold {
	unsigned left;                  /* Threads that are not through. */
	struct fold_waiter *waiters;
};

struct fold_request {
	struct dp_request r;
	struct fold *fold;
	uint32_t at;
};

static bool
fold_run(struct lcore *lc, struct dp_request *req)
{
	struct fold_request *x = CONTAINER_OF(req, struct fold_request, r);
	struct cache *c = &lc->cache;

	for (unsigned n = 0, settled = 0; n < FOLD_SLOTS && settled < FOLD_SETTLED && x->at < c->high; n++)
		settled += cache_settle(c, x->at++);
	return x->at >= c->high;
}

static void fold_start(struct dp *);

static void
fold_end(struct dp *dp, struct fold *f)
{
	struct fold_waiter *w;

	dp->fold = NULL;
	while ((w = f->waiters)) {
		f->waiters = w->next;
		w->done(w->arg);
		free(w);
	}
	free(f);
	if (dp->fold_waiters && !dp->fold && !dp->closing)
		fold_start(dp);
}

static void
fold_done(struct dp *dp, struct dp_request *req)
{
	struct fold_request *x = CONTAINER_OF(req, struct fold_request, r);
	struct fold *f = x->fold;

	free(x);
	if (!--f->left)
		fold_end(dp, f);
}

static void
fold_start(struct dp *dp)
{
	struct fold *f = xcalloc(1, sizeof *f);

	dp->fold = f;
	f->waiters = dp->fold_waiters;
	dp->fold_waiters = NULL;
	f->left = dp->n_lcores;
	for (unsigned i = 0; i < dp->n_lcores; i++) {
		struct fold_request *x = xcalloc(1, sizeof *x);

		*x = (struct fold_request){ .r = { .run = fold_run, .done = fold_done, .cost = 16 }, .fold = f, .at = 1 };
		/* A ring that is full of other requests: what can be asked for now, is. */
		if (dp_ask(dp, i, &x->r))
			fold_done(dp, &x->r);
	}
}

/* A pass that is under way may have gone by some flows already: whoever comes meanwhile shares the next. */
void
dp_fold(struct dp *dp, void (*done)(void *), void *arg)
{
	struct fold_waiter *w = xcalloc(1, sizeof *w);

	*w = (struct fold_waiter){ .done = done, .arg = arg, .next = dp->fold_waiters };
	dp->fold_waiters = w;
	if (!dp->fold && !dp->closing)
		fold_start(dp);
}

void
dp_fold_cancel(struct dp *dp)
{
	struct fold_waiter *w;

	while ((w = dp->fold_waiters)) {
		dp->fold_waiters = w->next;
		w->done(w->arg);
		free(w);
	}
}
