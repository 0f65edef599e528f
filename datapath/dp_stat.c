/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into the datapath from the control thread: counters, memory, cached flows; and packets sent into
 * it.  Counters are read where they are; what needs an lcore's own data is asked of it by a request. */
#include "datapath/dp_priv.h"

#include <errno.h>
#include <rte_memory.h>
#include <stdlib.h>

enum { DUMP_MAX = 512, DUMP_SLOTS = 8192, INJECT_MAX = 2048, FLUSH_MAX = 512 };

static void
stats_add(struct dp_port_stats *sum, const struct dp_port_stats *s)
{
	sum->rx_packets += ctr_read(&s->rx_packets);
	sum->rx_bytes += ctr_read(&s->rx_bytes);
	sum->tx_packets += ctr_read(&s->tx_packets);
	sum->tx_bytes += ctr_read(&s->tx_bytes);
	for (unsigned i = 0; i < DP_N_DROPS; i++)
		sum->drops[i] += ctr_read(&s->drops[i]);
}

void
dp_port_stats(const struct dp *dp, uint16_t id, struct dp_port_stats *out)
{
	const struct dp_port_stats *base;
	const struct port *p;

	memset(out, 0, sizeof *out);
	if (id >= DP_MAX_PORTS)
		return;
	for (unsigned i = 0; i < dp->n_lcores; i++)
		stats_add(out, &dp->lcore[i]->pstats[id]);
	base = &dp->stats_base[id];
	out->rx_packets -= base->rx_packets;
	out->rx_bytes -= base->rx_bytes;
	out->tx_packets -= base->tx_packets;
	out->tx_bytes -= base->tx_bytes;
	p = dp->port[id];
	for (unsigned i = 0; i < DP_N_DROPS; i++) {
		uint64_t rx = p ? ctr_read(&p->rx_drops[i]) : 0, tx = p ? ctr_read(&p->tx_drops[i]) : 0;

		out->drops[i] += rx + tx - base->drops[i];
		/* What a port took and then lost was not sent. */
		out->tx_packets -= MIN_OF(tx, out->tx_packets);
	}
}

unsigned
dp_n_lcores(const struct dp *dp)
{
	return dp->n_lcores;
}

void
dp_lcore_stats(const struct dp *dp, unsigned i, struct dp_lcore_stats *out)
{
	const uint64_t *from = (const uint64_t *)&dp->lcore[i]->stats;
	uint64_t *to = (uint64_t *)out;

	for (unsigned w = 0; w < sizeof *out / sizeof *to; w++)
		to[w] = ctr_read(&from[w]);
}

uint64_t
dp_turn_quantile(const struct dp_lcore_stats *st, unsigned permille)
{
	uint64_t n = 0, sum = 0;

	for (unsigned i = 0; i < DP_TURN_BUCKETS; i++)
		n += st->turn_hist[i];
	for (unsigned i = 0; n && i < DP_TURN_BUCKETS; i++) {
		sum += st->turn_hist[i];
		/* The end of the bucket, and no more than there was. */
		if (sum * 1000 >= n * permille)
			return MIN_OF((5ull + i % 4) << (i / 4 + 2), st->turn_max);
	}
	return 0;
}

const char *
dp_isa_name(const struct dp *dp)
{
	return dp->lcore[0]->isa->name;
}

static void
lcore_mem_stats(const struct lcore *lc, struct dp_mem_stats *out)
{
	out->flow_bytes += cache_bytes(&lc->cache);
	out->hint_bytes += hints_bytes(&lc->cache.hints);
	out->port_bytes += DP_MAX_PORTS * (sizeof *lc->tx + sizeof *lc->pstats + sizeof *lc->budget + sizeof *lc->punts_of);
	out->queue_bytes += sizeof *lc + sizeof *lc->frames + REQUEST_RING * sizeof(void *) +
			    EVENT_RING * sizeof(struct dp_event) + lc->notes.len + lc->punts.len;
}

void
dp_mem_stats(const struct dp *dp, struct dp_mem_stats *out)
{
	memset(out, 0, sizeof *out);
	out->mbufs = dp->conf.n_mbufs;
	out->mbufs_in_use = rte_mempool_in_use_count(dp->pool);
	out->mbuf_bytes = (uint64_t)dp->conf.n_mbufs * (dp->pool->elt_size + dp->pool->header_size + dp->pool->trailer_size);
	out->hugepages = rte_eal_has_hugepages();
	for (unsigned i = 0; i < dp->n_lcores; i++)
		lcore_mem_stats(dp->lcore[i], out);
	out->table_bytes = sizeof *dp + sizeof *dp->view->ports + DP_N_TAGS * sizeof *dp->tag_epoch +
			   DP_MAX_PORTS * MAX_RXQ * sizeof *dp->rxq_stat;
}

/* --- Requests ------------------------------------------------------------------------------ */

int
dp_ask(struct dp *dp, unsigned lcore, struct dp_request *r)
{
	if (lcore >= dp->n_lcores)
		return -ENOENT;
	if (rte_ring_sp_enqueue(dp->lcore[lcore]->requests, r))
		return -EBUSY;
	lcore_wake(dp->lcore[lcore]);
	return 0;
}

struct dump_request {
	struct dp_request r;
	uint32_t from, next;
	unsigned max, n, lcore;
	void (*cb)(void *, const struct dp_flow *, unsigned, uint32_t);
	void *arg;
	struct dp_flow flow[];
};

/* As a hit would find it. */
static bool
is_stale(const struct lcore *lc, const struct cflow *fl)
{
	const uint64_t *tag_epoch = lc->dp->tag_epoch;
	bool marked = ctr_read(&tag_epoch[dp_tag_make(TAG_ALL, 0)]) > fl->epoch;

	for (unsigned i = 0; i < fl->n_tags && !marked; i++)
		marked = fl->tags[i] == dp_tag_make(TAG_ALL, 0) || ctr_read(&tag_epoch[fl->tags[i]]) > fl->epoch;
	return marked && fl->epoch != lc->epoch;
}

static void
dump_flow(struct lcore *lc, uint32_t f, struct dp_flow *out)
{
	const struct cflow *fl = &lc->cache.flows[f];
	const struct act *a = cache_acts(&lc->cache, fl);
	struct act one = { .op = ACT_OUTPUT, .port = fl->out_port };
	uint64_t tick_ns = (uint64_t)(1e9 * (1ull << TICK_SHIFT) / (double)lc->tsc_hz);

	memset(out, 0, sizeof *out);
	cache_flow_key(&lc->cache, f, &out->key, &out->mask);
	out->id = f;
	out->lcore = lc->idx;
	out->packets = fl->packets;
	out->bytes = fl->bytes;
	out->age_us = (lc->now - fl->created) * tick_ns / 1000;
	out->idle_us = (lc->now - fl->used) * tick_ns / 1000;
	out->drop = fl->drop;
	out->stale = is_stale(lc, fl);
	out->n_tags = fl->n_tags;
	memcpy(out->tags, fl->tags, sizeof out->tags);
	out->n_acts = fl->n_acts;
	if (fl->n_acts)
		memcpy(out->acts, fl->out_port ? &one : a, MIN_OF(fl->n_acts, ARRAY_SIZE(out->acts)) * sizeof *a);
}

static bool
dump_run(struct lcore *lc, struct dp_request *req)
{
	struct dump_request *d = CONTAINER_OF(req, struct dump_request, r);
	uint32_t f = MAX_OF(d->from, 1u), end = (uint32_t)MIN_OF((uint64_t)f + DUMP_SLOTS, (uint64_t)lc->cache.high);

	for (; f < end && d->n < d->max; f++)
		if (lc->cache.flows[f].flags & CFLOW_LIVE)
			dump_flow(lc, f, &d->flow[d->n++]);
	d->next = f < lc->cache.high ? f : 0;
	return true;
}

static void
dump_done(struct dp *dp, struct dp_request *req)
{
	struct dump_request *d = CONTAINER_OF(req, struct dump_request, r);

	(void)dp;
	d->cb(d->arg, d->flow, d->n, d->next);
	free(d);
}

int
dp_flow_dump(struct dp *dp, unsigned lcore, uint32_t from, unsigned max,
	     void (*cb)(void *, const struct dp_flow *, unsigned, uint32_t), void *arg)
{
	unsigned n = MAX_OF(1u, MIN_OF(max, (unsigned)DUMP_MAX));
	struct dump_request *d = xalloc_aligned(CACHE_LINE, sizeof *d + n * sizeof d->flow[0]);
	int rc;

	d->r = (struct dp_request){ .run = dump_run, .done = dump_done, .cost = 16 };
	d->from = from;
	d->max = n;
	d->cb = cb;
	d->arg = arg;
	rc = dp_ask(dp, lcore, &d->r);
	if (rc)
		free(d);
	return rc;
}

struct flush_request {
	struct dp_request r;
	uint32_t at;
};

/* A full cache is not forgotten in one turn: packets wait meanwhile. */
static bool
flush_run(struct lcore *lc, struct dp_request *req)
{
	struct flush_request *x = CONTAINER_OF(req, struct flush_request, r);
	struct cache *c = &lc->cache;

	for (unsigned n = 0; n < FLUSH_MAX && x->at < c->high; x->at++) {
		if (!(c->flows[x->at].flags & CFLOW_LIVE))
			continue;
		cache_remove(c, x->at);
		n++;
	}
	return x->at >= c->high;
}

static void
flush_done(struct dp *dp, struct dp_request *req)
{
	(void)dp;
	free(CONTAINER_OF(req, struct flush_request, r));
}

void
dp_flow_flush(struct dp *dp)
{
	for (unsigned i = 0; i < dp->n_lcores; i++) {
		struct flush_request *x = xcalloc(1, sizeof *x);

		*x = (struct flush_request){ .r = { .run = flush_run, .done = flush_done, .cost = 16 }, .at = 1 };
		if (dp_ask(dp, i, &x->r))
			free(x);
	}
}

struct inject_request {
	struct dp_request r;
	uint16_t in_port, len;
	uint8_t frame[];
};

static bool
inject_run(struct lcore *lc, struct dp_request *req)
{
	struct inject_request *r = CONTAINER_OF(req, struct inject_request, r);
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->pool);
	void *p;

	if (!m || !lc->ports->port[r->in_port].port) {
		rte_pktmbuf_free(m);
		return true;
	}
	p = rte_pktmbuf_append(m, r->len);
	memcpy(p, r->frame, r->len);
	lc->isa->process(lc, &m, 1, r->in_port);
	return true;
}

static void
inject_done(struct dp *dp, struct dp_request *req)
{
	(void)dp;
	free(CONTAINER_OF(req, struct inject_request, r));
}

int
dp_inject(struct dp *dp, uint16_t in_port, const void *frame, uint16_t len)
{
	struct inject_request *r;
	int rc;

	if (in_port >= DP_MAX_PORTS || len > INJECT_MAX)
		return -EINVAL;
	r = xcalloc(1, sizeof *r + len);
	r->r = (struct dp_request){ .run = inject_run, .done = inject_done, .cost = 1 };
	r->in_port = in_port;
	r->len = len;
	memcpy(r->frame, frame, len);
	rc = dp_ask(dp, 0, &r->r);
	if (rc)
		free(r);
	return rc;
}
