/* SPDX-License-Identifier: Apache-2.0 */
/* Which queues a polling thread looks at in a turn, and how it takes what they have.
 *
 * A port with frames in its peer's memory has a word for each queue that tells without a call whether something is
 * there (struct port_peek).  A queue that had nothing for many looks is cold: while there is work, only an eighth of
 * those is looked at in a turn; when there is none, all of them, so that nobody waits.  A port without such words is
 * called in each turn. */
#include "datapath/dp_priv.h"

#include <stdlib.h>

enum {
	SLOW_RX_BACKOFF = 31,           /* Turns, at most, between empty polls that cost a system call. */
	COLD_AFTER = 256,               /* Looks in vain. */
	COLD_SHARE = 8,                 /* One in so many of the cold ones is looked at in a turn with work. */
};

void
poll_init(struct lcore *lc)
{
	uint16_t n = lc->ports->lcore[lc->idx].n;
	const struct rxq_ref *rxq = lc->ports->lcore[lc->idx].rxq;
	struct poll *p = &lc->poll;

	poll_fini(lc);
	p->calls = xcalloc(n + 1u, sizeof *p->calls);
	p->peeks = xalloc_aligned(CACHE_LINE, (n + 1u) * sizeof *p->peeks);
	for (uint16_t i = 0; i < n; i++) {
		if (rxq[i].peek)
			p->peeks[p->n++] = (struct poll_peek){ .peek = rxq[i].peek, .at = i };
		else
			p->calls[p->n_calls++] = (struct poll_call){ .at = i };
	}
	p->n_hot = p->n;
}

void
poll_fini(struct lcore *lc)
{
	free(lc->poll.calls);
	free(lc->poll.peeks);
	lc->poll = (struct poll){ 0 };
}

/* What a queue had took the time since the last one that had something was done with, or since the turn began. */
static inline void
account_queue(struct lcore *lc, struct rxq_stat *st, unsigned n)
{
	uint64_t now = rte_rdtsc();

	ctr_add(&st->packets, n);
	ctr_add(&st->cycles, now - lc->queue_tsc);
	lc->queue_tsc = now;
}

static unsigned
call(struct lcore *lc, struct poll_call *c)
{
	const struct rxq_ref *r = &lc->ports->lcore[lc->idx].rxq[c->at];
	struct rte_mbuf *m[BURST];
	uint16_t n;

	if (UNLIKELY(c->skip)) {
		c->skip--;
		return 0;
	}
	/* What is new of its last burst comes first. */
	if (UNLIKELY(miss_waits(lc, r->port->id)))
		return 0;
	n = r->port->type->rx(r->port, r->q, m, BURST);
	if (n) {
		c->back = 0;
		lc->isa->process(lc, m, n, r->port->id);
		account_queue(lc, r->stat, n);
	} else if (UNLIKELY(r->port->type->caps & PORT_CAP_SLOW_RX)) {
		c->back = (uint8_t)MIN_OF(c->back * 2 + 1, SLOW_RX_BACKOFF);
		c->skip = c->back;
	}
	return n;
}

static inline bool
has_something(const struct port_peek *p)
{
	const uint16_t *word = __atomic_load_n(&p->word, __ATOMIC_RELAXED);
	uint16_t mask = __atomic_load_n(&p->mask, __ATOMIC_RELAXED);

	return (__atomic_load_n(word, __ATOMIC_RELAXED) & mask) != __atomic_load_n(&p->idle, __ATOMIC_RELAXED);
}

/* What has been released the sender may change at once: nothing of the burst is kept beyond this. */
static unsigned
take(struct lcore *lc, const struct poll_peek *p)
{
	const struct rxq_ref *r = &lc->ports->lcore[lc->idx].rxq[p->at];
	const struct port_frames *f = r->port->type->frames;
	struct frames *fr = lc->frames;
	uint16_t n;

	if (UNLIKELY(miss_waits(lc, r->port->id)))
		return 0;
	n = f->take(r->port, r->q, fr);
	if (LIKELY(n))
		lc->isa->process_frames(lc, r->port->id);
	if (UNLIKELY(lc->loans->n_out)) {
		tx_flush_all(lc);
		loans_settle(lc->loans);
	}
	if (LIKELY(n || fr->chains))
		f->release(r->port, r->q, fr);
	if (LIKELY(n))
		account_queue(lc, r->stat, n);
	return n;
}

static void
swap(struct poll_peek *a, struct poll_peek *b)
{
	struct poll_peek t = *a;

	*a = *b;
	*b = t;
}

static unsigned
look_at_hot(struct lcore *lc)
{
	struct poll *p = &lc->poll;
	unsigned total = 0;

	for (unsigned i = 0; i < p->n_hot;) {
		struct poll_peek *q = &p->peeks[i];

		if (has_something(q->peek)) {
			q->quiet = 0;
			total += take(lc, q);
			i++;
		} else if (LIKELY(++q->quiet < COLD_AFTER)) {
			i++;
		} else {
			/* The one that comes here in exchange is looked at next. */
			swap(q, &p->peeks[--p->n_hot]);
		}
	}
	return total;
}

static unsigned
look_at_cold(struct lcore *lc, unsigned n)
{
	struct poll *p = &lc->poll;
	unsigned total = 0;

	for (; n; n--) {
		struct poll_peek *q;

		if (p->cold_at >= p->n || p->cold_at < p->n_hot)
			p->cold_at = p->n_hot;
		q = &p->peeks[p->cold_at++];
		if (LIKELY(!has_something(q->peek)))
			continue;
		q->quiet = 0;
		swap(q, &p->peeks[p->n_hot]);
		total += take(lc, &p->peeks[p->n_hot++]);
	}
	return total;
}

unsigned
poll_queues(struct lcore *lc)
{
	struct poll *p = &lc->poll;
	unsigned total = 0, n_cold;

	lc->queue_tsc = lc->tsc;
	for (unsigned i = 0; i < p->n_calls; i++)
		total += call(lc, &p->calls[i]);
	total += look_at_hot(lc);
	n_cold = (unsigned)(p->n - p->n_hot);
	if (n_cold)
		total += look_at_cold(lc, total ? (n_cold + COLD_SHARE - 1) / COLD_SHARE : n_cold);
	return total;
}
