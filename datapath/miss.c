/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a turn new flows may take: some are answered where they are met, the others wait for the next turns, as
 * packet buffers.  Ports take turns, and a port is not polled while packets of its wait: so nothing is reordered, a
 * flood fills its sender's own ring, and others get their bursts in between.
 *
 * What waits is parsed and masked again when its time comes, with the view of then.  Packets out of tunnels do not
 * wait: they count, but what was known of their outer headers is not kept. */
#include "datapath/dp_priv.h"

enum {
	MISS_TURN = 8,                  /* Translations in a turn, at most... */
	MISS_TURN_US = 50,              /* ...and none is begun after this long. */
	MISS_TURN_PACKETS = 64,         /* Packets that are looked at for them: most may be over their port's budget. */
	MISS_MAX = 2048,                /* Packets that wait. */
};

struct miss {
	struct rte_mbuf *m;
	uint32_t serial;                /* Of the port it came from. */
	uint16_t next;                  /* Of its port; 0: none. */
};

int
miss_init(struct lcore *lc)
{
	struct misses *q = &lc->misses;

	q->e = map_zeroed((MISS_MAX + 1) * sizeof *q->e);
	q->port = map_zeroed(DP_MAX_PORTS * sizeof *q->port);
	q->left = MISS_TURN;
	for (uint16_t i = MISS_MAX; q->e && i; i--) {
		q->e[i].next = q->free;
		q->free = i;
	}
	return q->e && q->port ? 0 : -1;
}

void
miss_fini(struct lcore *lc)
{
	map_free(lc->misses.e, (MISS_MAX + 1) * sizeof *lc->misses.e);
	map_free(lc->misses.port, DP_MAX_PORTS * sizeof *lc->misses.port);
}

bool
miss_may(const struct lcore *lc)
{
	uint64_t most = lc->dp->conf.upcall_turn_us ? lc->dp->conf.upcall_turn_us : MISS_TURN_US;

	return lc->misses.left && lc->misses.spent * 1000000 < most * lc->tsc_hz;
}

void
miss_note(struct lcore *lc, uint64_t start, uint64_t upcalls)
{
	struct misses *q = &lc->misses;
	uint64_t made = lc->stats.upcalls - upcalls;

	/* Others of the same flow cost no more than hits. */
	if (!made)
		return;
	q->spent += rte_rdtsc() - start;
	q->left -= (unsigned)MIN_OF(made, (uint64_t)q->left);
}

void
miss_keep(struct lcore *lc, uint16_t port, struct rte_mbuf *m)
{
	struct misses *q = &lc->misses;
	struct miss_port *p = &q->port[port];
	uint16_t i = q->free;

	if (UNLIKELY(!i)) {
		ctr_add(&lc->stats.upcall_drops, 1);
		exec_drop(lc, port, DROP_UPCALL_BUDGET, &m, 1);
		return;
	}
	q->free = q->e[i].next;
	q->e[i] = (struct miss){ .m = m, .serial = lc->ports->port[port].serial };
	if (p->n++) {
		q->e[p->tail].next = i;
	} else {
		p->head = i;
		p->next = 0;
		if (q->n)
			q->port[q->last].next = port;
		else
			q->first = port;
		q->last = port;
	}
	p->tail = i;
	q->n++;
}

/* The first packet of the port whose turn it is; the port goes to the end of the row. */
static struct rte_mbuf *
take(struct lcore *lc, uint16_t *port, uint32_t *serial)
{
	struct misses *q = &lc->misses;
	struct miss_port *p = &q->port[q->first];
	uint16_t i = p->head;
	struct rte_mbuf *m = q->e[i].m;

	*port = q->first;
	*serial = q->e[i].serial;
	q->n--;
	p->n--;
	p->served++;
	p->head = q->e[i].next;
	q->e[i].next = q->free;
	q->free = i;
	q->first = p->next;
	p->next = 0;
	if (p->n && q->n > p->n) {
		q->port[q->last].next = *port;
		q->last = *port;
	} else if (p->n) {
		q->first = q->last = *port;
	}
	return m;
}

unsigned
miss_turn(struct lcore *lc)
{
	struct misses *q = &lc->misses;
	unsigned n = 0;

	q->left = MISS_TURN;
	q->spent = 0;
	while (q->n && n < MISS_TURN_PACKETS && miss_may(lc)) {
		uint64_t start = rte_rdtsc(), upcalls = lc->stats.upcalls;
		uint32_t serial;
		uint16_t port;
		struct rte_mbuf *m = take(lc, &port, &serial);

		if (LIKELY(lc->ports->port[port].port && lc->ports->port[port].serial == serial))
			lc->isa->missed(lc, m, port);
		else
			rte_pktmbuf_free(m);
		miss_note(lc, start, upcalls);
		n++;
	}
	return n;
}

void
miss_drop_all(struct lcore *lc)
{
	while (lc->misses.n) {
		uint32_t serial;
		uint16_t port;

		rte_pktmbuf_free(take(lc, &port, &serial));
	}
}
