/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets that are refused: counted each, and a sample of them told to the control thread, so that an operator sees
 * who sends them.  Floods are what this is for, so it must cost next to nothing: a word by the outer source, written once a
 * packet.  Per millisecond a thread tells of each such slot once, and of DP_REFUSALS_PER_MS in all: one sender, how fast
 * ever, leaves room for the next. */
#include "datapath/dp_priv.h"

static bool
is_due(struct lcore *lc, unsigned slot)
{
	struct refusals *f = &lc->refusals;

	f->slot[slot].n++;
	if (LIKELY(f->slot[slot].ms == lc->ms))
		return false;
	if (f->ms != lc->ms) {
		f->ms = lc->ms;
		f->n = 0;
	}
	return f->n < DP_REFUSALS_PER_MS && lcore_event_room(lc);
}

static unsigned
slot_of(const struct ipaddr *src)
{
	uint64_t a, b;

	memcpy(&a, src->b, sizeof a);
	memcpy(&b, src->b + 8, sizeof b);
	return (unsigned)((a * 31 + b) * 0x9e3779b97f4a7c15 >> 58);
}

void
tun_refuse(struct lcore *lc, const struct dp_refusal *r, struct rte_mbuf *m)
{
	unsigned slot = slot_of(&r->src);

	exec_count_drop(lc, r->port ? r->port : r->underlay, r->why, 1);
	rte_pktmbuf_free(m);
	if (LIKELY(!is_due(lc, slot)) || !lc->dp->conf.refused)
		return;

	struct dp_event e = { .kind = EV_REFUSED, .refused = *r };

	e.refused.n = lc->refusals.slot[slot].n;
	lc->refusals.slot[slot].n = 0;
	lc->refusals.slot[slot].ms = lc->ms;
	lc->refusals.n++;
	lcore_event(lc, &e);
}
