/* SPDX-License-Identifier: Apache-2.0 */
/* Which polling thread takes the packets of which receive queue.  [ctl]
 *
 * A queue goes where the operator wants it, else to the thread with the least work, and later to another one when its
 * own has too much.  It moves in three stages, since two threads must never take from it at once, and what the first
 * has taken must leave before what the second takes: nobody polls it any more; a grace period later the old thread is
 * asked to say when the packets that wait in its output buffers are gone; then the new thread has it.  Packets wait in
 * the queue meanwhile, some tens of microseconds. */
#include "datapath/dp_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
	BUSY = 600,                     /* Thousandths of a thread's time above which its queues are looked at. */
	GAIN = 100,                     /* What a move must take off the busiest thread. */
	PATIENCE = 3,                   /* Looks in a row that say so. */
	REST = 5,                       /* Looks after a move. */
};

/* --- Where they are -------------------------------------------------------------------------------------------- */

static struct rxq_ctl *
rxq_at(struct dp *dp, uint16_t port, uint16_t q)
{
	return &dp->rxq[port][q];
}

/* Work of each thread: thousandths of its time, and a little for each queue, so that idle ones are spread too. */
static void
loads(const struct dp *dp, unsigned load[DP_MAX_LCORES])
{
	memset(load, 0, DP_MAX_LCORES * sizeof *load);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		for (unsigned q = 0; q < dp->live_rxq[i]; q++)
			if (dp->rxq[i][q].home)
				load[dp->rxq[i][q].home - 1] += dp->rxq[i][q].load + 1u;
}

void
rxq_place(struct dp *dp)
{
	unsigned load[DP_MAX_LCORES];

	loads(dp, load);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		for (unsigned q = 0; q < dp->live_rxq[i]; q++) {
			struct rxq_ctl *r = &dp->rxq[i][q];
			unsigned best = 0;

			if (r->home)
				continue;
			for (unsigned l = 1; l < dp->n_lcores; l++)
				if (load[l] < load[best])
					best = l;
			if (r->pin)
				best = r->pin - 1u;
			r->home = (uint8_t)(best + 1);
			load[best]++;
		}
	}
}

void
rxq_forget_port(struct dp *dp, uint16_t port)
{
	for (unsigned q = 0; q < MAX_RXQ; q++)
		dp->rxq[port][q] = (struct rxq_ctl){ .pin = dp->rxq[port][q].pin };
}

/* --- Moving ---------------------------------------------------------------------------------------------------- */

struct rxq_move {
	struct dp_request r;
	struct dp *dp;
	uint32_t serial;                /* Of the port: its number may be another's by now. */
	uint16_t port, q;
	uint8_t from, to;
	bool asked;                     /* First for new flows that wait... */
	uint32_t missed;                /* [lcore] misses.seq then: what came before has to be through. */
	bool noted;                     /* ...then for what they, and others, left in output buffers. */
	uint16_t n_wait;                /* [lcore] Output buffers that had something when asked. */
	struct {
		uint16_t port;
		uint32_t goal;          /* tx_buf.left when all of that is gone. */
	} wait[DP_MAX_PORTS];
};

/* [lcore] Whether all that waited when it was first asked has left; the next turn asks again. */
static bool
move_run(struct lcore *lc, struct dp_request *req)
{
	struct rxq_move *mv = CONTAINER_OF(req, struct rxq_move, r);

	if (!mv->asked)
		mv->missed = lc->misses.seq;
	mv->asked = true;
	/* Whoever's it is: what came out of tunnels waits as the tunnel ports'. */
	if (miss_waits_before(lc, mv->missed))
		return false;
	for (unsigned i = 0; !mv->noted && i < lc->n_dirty; i++) {
		const struct tx_buf *b = &lc->tx[lc->tx_dirty[i]];

		mv->wait[mv->n_wait].port = lc->tx_dirty[i];
		mv->wait[mv->n_wait++].goal = b->left + b->n;
	}
	mv->noted = true;
	while (mv->n_wait) {
		if ((int32_t)(lc->tx[mv->wait[mv->n_wait - 1].port].left - mv->wait[mv->n_wait - 1].goal) < 0)
			return false;
		mv->n_wait--;
	}
	return true;
}

static void
move_done(struct dp *dp, struct dp_request *req)
{
	struct rxq_move *mv = CONTAINER_OF(req, struct rxq_move, r);
	struct rxq_ctl *r = rxq_at(dp, mv->port, mv->q);

	if (!dp->closing && dp->port[mv->port] && dp->serial[mv->port] == mv->serial) {
		r->home = mv->to;
		r->moving = false;
		r->moves++;
		dp_ports_republish(dp);
	}
	free(mv);
}

/* Nobody polls it: ask who did. */
static void
move_ask(void *arg)
{
	struct rxq_move *mv = arg;
	struct dp *dp = mv->dp;

	if (dp->closing)
		free(mv);
	else if (dp_ask(dp, mv->from - 1u, &mv->r))
		rcu_defer(dp->rcu, move_ask, mv);
}

int
dp_rxq_move(struct dp *dp, uint16_t port, uint16_t q, unsigned lcore)
{
	struct rxq_move *mv;
	struct rxq_ctl *r;

	if (port >= DP_MAX_PORTS || !dp->port[port] || q >= dp->live_rxq[port] || lcore >= dp->n_lcores)
		return -ENOENT;
	r = rxq_at(dp, port, q);
	if (r->moving)
		return -EBUSY;
	if (r->home == lcore + 1)
		return 0;
	mv = xcalloc(1, sizeof *mv);
	*mv = (struct rxq_move){ .r = { .run = move_run, .done = move_done, .cost = 1 }, .dp = dp,
				 .serial = dp->serial[port], .port = port, .q = q, .from = r->home,
				 .to = (uint8_t)(lcore + 1) };
	r->moving = true;
	dp_ports_republish(dp);
	rcu_defer(dp->rcu, move_ask, mv);
	return 0;
}

/* --- Whom the operator wants ----------------------------------------------------------------------------------- */

static unsigned
lcore_of_cpu(const struct dp *dp, unsigned cpu)
{
	for (unsigned i = 0; i < dp->n_lcores; i++)
		if (dp->lcore[i]->cpu == cpu)
			return i + 1;
	return 0;
}

bool
dp_port_pin(struct dp *dp, uint16_t port, const unsigned *cpu, unsigned n)
{
	bool known = true;

	for (uint16_t q = 0; q < MAX_RXQ; q++) {
		struct rxq_ctl *r = rxq_at(dp, port, q);
		unsigned l = n ? lcore_of_cpu(dp, cpu[q % n]) : 0;

		known &= !n || l;
		r->pin = (uint8_t)l;
		if (!r->pin || !r->home || r->home == r->pin || r->moving)
			continue;
		if (q < dp->live_rxq[port])
			dp_rxq_move(dp, port, q, r->pin - 1u);
		else
			r->home = r->pin;
	}
	return known;
}

unsigned
dp_rxqs(const struct dp *dp, struct dp_rxq *out, unsigned max)
{
	unsigned n = 0;

	for (uint16_t i = 1; i < DP_MAX_PORTS; i++) {
		const struct port *p = dp->port[i];

		for (uint16_t q = 0; p && (p->type->rx || p->type->frames) && q < dp->live_rxq[i] && n < max; q++) {
			const struct rxq_ctl *r = &dp->rxq[i][q];
			const struct rxq_stat *st = &dp->rxq_stat[i * MAX_RXQ + q];

			out[n++] = (struct dp_rxq){
				.port = i, .q = q, .cpu = r->home ? dp->lcore[r->home - 1]->cpu : 0,
				.pinned = r->pin, .moving = r->moving, .load = r->load, .moves = r->moves,
				.packets = ctr_read(&st->packets) - r->base.packets,
				.busy_cycles = ctr_read(&st->cycles) - r->base.cycles,
			};
		}
	}
	return n;
}

void
rxq_new_port(struct dp *dp, uint16_t port)
{
	for (unsigned q = 0; q < MAX_RXQ; q++) {
		const struct rxq_stat *st = &dp->rxq_stat[port * MAX_RXQ + q];

		dp->rxq[port][q].base = (struct rxq_stat){ ctr_read(&st->packets), ctr_read(&st->cycles) };
		dp->rxq[port][q].seen = dp->rxq[port][q].base.cycles;
	}
}

/* --- By measured load ------------------------------------------------------------------------------------------ */

static void
measure(struct dp *dp, uint64_t spent)
{
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		for (unsigned q = 0; q < dp->live_rxq[i]; q++) {
			struct rxq_ctl *r = &dp->rxq[i][q];
			uint64_t now = ctr_read(&dp->rxq_stat[i * MAX_RXQ + q].cycles), used = now - r->seen;

			r->seen = now;
			r->load = (uint16_t)((r->load + MIN_OF(used * 1000 / spent, (uint64_t)1000)) / 2);
		}
	}
}

/* The move that takes most off the busiest thread. */
static bool
find_move(const struct dp *dp, uint16_t *port, uint16_t *queue, unsigned *to)
{
	unsigned load[DP_MAX_LCORES], hot = 0, cold = 0, least;
	bool found = false;

	loads(dp, load);
	for (unsigned l = 1; l < dp->n_lcores; l++) {
		hot = load[l] > load[hot] ? l : hot;
		cold = load[l] < load[cold] ? l : cold;
	}
	if (load[hot] < BUSY)
		return false;
	least = load[hot] - GAIN;
	for (uint16_t i = 1; i < DP_MAX_PORTS; i++) {
		for (uint16_t q = 0; q < dp->live_rxq[i]; q++) {
			const struct rxq_ctl *r = &dp->rxq[i][q];
			unsigned after = MAX_OF(load[hot] - MIN_OF(load[hot], (unsigned)r->load), load[cold] + r->load);

			if (r->home != hot + 1 || r->pin || r->moving || after >= least)
				continue;
			least = after;
			*port = i;
			*queue = q;
			*to = cold;
			found = true;
		}
	}
	return found;
}

void
dp_balance(struct dp *dp)
{
	uint64_t now = rte_rdtsc(), spent = now - dp->balance_tsc;
	uint16_t port, q;
	unsigned to;

	/* Too soon to tell. */
	if (spent < rte_get_tsc_hz() / 20)
		return;
	measure(dp, spent);
	dp->balance_tsc = now;
	if (dp->n_lcores < 2)
		return;
	if (dp->balance_rest) {
		dp->balance_rest--;
		return;
	}
	if (!find_move(dp, &port, &q, &to)) {
		dp->unbalanced = 0;
		return;
	}
	if (++dp->unbalanced < PATIENCE)
		return;
	dp->unbalanced = 0;
	dp->balance_rest = REST;
	dp_rxq_move(dp, port, q, to);
}
