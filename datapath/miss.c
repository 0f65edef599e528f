/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a turn new flows may take: some are answered where they are met, the others wait for the next turns, as
 * packet buffers.  Ports take turns, and a port is not polled while packets of its wait: so nothing is reordered, a
 * flood fills its sender's own ring, and others get their bursts in between.
 *
 * What waits is parsed and masked again when its time comes, with the view of then.
 *
 * Packets out of tunnels wait with what was known of their outer headers, in the row of their tunnel port.  The underlay is
 * polled all the same, or one remote's new flows would stop everybody's: so no more than MISS_TUNNEL_MAX of a tunnel port
 * wait, and packets of flows that are younger than the first that waits join the row, lest they overtake their own. */
#include "datapath/dp_priv.h"

enum {
	MISS_TURN = 8,                  /* Translations in a turn, at most... */
	MISS_TURN_US = 50,              /* ...and none is begun after this long. */
	MISS_TURN_PACKETS = 64,         /* Packets that are looked at for them: most may be over their port's budget. */
	MISS_MAX = 2048,                /* Packets that wait... */
	MISS_TUNNEL_MAX = 256,          /* ...those of one tunnel port; of all together half of MISS_MAX. */
};

struct miss {
	struct rte_mbuf *m;
	uint32_t serial;                /* Of the port it came from. */
	uint32_t seq, since;            /* Its number; coarse time. */
	uint16_t next;                  /* Of its port; 0: none. */
	/* Out of a tunnel: see decap_out. */
	bool tunnel;
	uint8_t flags;
	uint32_t peer;
	uint64_t key;
	uint8_t info[sizeof ((struct decap_out *)0)->info[0]];
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

static void
keep(struct lcore *lc, uint16_t port, const struct miss *e, unsigned most)
{
	struct misses *q = &lc->misses;
	struct miss_port *p = &q->port[port];
	uint16_t i = q->free;

	if (UNLIKELY(!i || p->n >= most || (e->tunnel && q->n_tunnel >= MISS_MAX / 2))) {
		struct rte_mbuf *m = e->m;

		ctr_add(&lc->stats.upcall_drops, 1);
		exec_drop(lc, port, DROP_UPCALL_BUDGET, &m, 1);
		return;
	}
	q->free = q->e[i].next;
	q->e[i] = *e;
	q->n_tunnel = (uint16_t)(q->n_tunnel + e->tunnel);
	q->e[i].serial = lc->ports->port[port].serial;
	q->e[i].seq = q->seq++;
	q->e[i].since = lc->now;
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

void
miss_keep(struct lcore *lc, uint16_t port, struct rte_mbuf *m)
{
	keep(lc, port, &(struct miss){ .m = m }, MISS_MAX);
}

void
miss_keep_tunnel(struct lcore *lc, const struct decap_out *d, unsigned i)
{
	struct miss e = { .m = d->m[i], .tunnel = true, .flags = d->flags[i], .peer = d->peer[i], .key = d->key[i] };

	memcpy(e.info, &d->info[i], sizeof e.info);
	keep(lc, d->in_port[i], &e, MISS_TUNNEL_MAX);
}

bool
miss_may_be_of(const struct lcore *lc, uint16_t port, uint32_t created)
{
	const struct misses *q = &lc->misses;

	return (int32_t)(created - q->e[q->port[port].head].since) >= 0;
}

bool
miss_waits_before(const struct lcore *lc, uint32_t seq)
{
	const struct misses *q = &lc->misses;
	uint16_t port = q->first;

	/* The first of each port is its oldest. */
	for (unsigned n = q->n; n; n -= q->port[port].n, port = q->port[port].next)
		if ((int32_t)(q->e[q->port[port].head].seq - seq) < 0)
			return true;
	return false;
}

/* The first packet of the port whose turn it is; the port goes to the end of the row. */
static struct miss
take(struct lcore *lc, uint16_t *port)
{
	struct misses *q = &lc->misses;
	struct miss_port *p = &q->port[q->first];
	uint16_t i = p->head;
	struct miss e = q->e[i];

	*port = q->first;
	q->n_tunnel = (uint16_t)(q->n_tunnel - e.tunnel);
	q->n--;
	p->n--;
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
	return e;
}

static void
serve(struct lcore *lc, uint16_t port, const struct miss *e)
{
	const struct vport *vp = &lc->ports->port[port];
	struct decap_out d;

	if (UNLIKELY(!vp->port || vp->serial != e->serial)) {
		/* The counters of the number may be another port's by now. */
		ctr_add(&lc->stats.upcall_drops, 1);
		rte_pktmbuf_free(e->m);
		return;
	}
	if (!e->tunnel) {
		lc->isa->missed(lc, e->m, port, NULL);
		return;
	}
	d.flags[0] = e->flags;
	d.peer[0] = e->peer;
	d.key[0] = e->key;
	memcpy(&d.info[0], e->info, sizeof d.info[0]);
	lc->isa->missed(lc, e->m, port, &d);
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
		uint16_t port;
		struct miss e = take(lc, &port);

		serve(lc, port, &e);
		miss_note(lc, start, upcalls);
		n++;
	}
	return n;
}

void
miss_drop_all(struct lcore *lc)
{
	uint16_t port;

	while (lc->misses.n)
		rte_pktmbuf_free(take(lc, &port).m);
}
