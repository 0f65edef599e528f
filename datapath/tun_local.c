/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets whose far end is another tunnel port of ours: they come in again in the next turn, as if they had been
 * on a wire.  By a queue, so that bridges that lead to each other in a circle fill it and not the stack. */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"

static void
add(struct lcore *lc, uint16_t tun_port, struct rte_mbuf *m)
{
	struct tun_local *q = &lc->local;
	unsigned at = (q->first + q->n) % TUN_LOCAL_MAX;

	if (UNLIKELY(q->n == TUN_LOCAL_MAX)) {
		exec_drop(lc, tun_port, DROP_TX_QUEUE_FULL, &m, 1);
		return;
	}
	q->m[at] = m;
	q->port[at] = tun_port;
	q->n++;
}

void
tun_local_add(struct lcore *lc, uint16_t tun_port, struct rte_mbuf **m, unsigned n)
{
	struct rte_mbuf *seg[OFFL_MAX_SEGS];
	unsigned n_seg;
	int why;

	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(!offl_need(m[i]))) {
			add(lc, tun_port, m[i]);
			continue;
		}
		/* What comes out of a tunnel is whole and right. */
		n_seg = offl_resolve(m[i], 0, lc->pool, seg, OFFL_MAX_SEGS, &why);
		if (UNLIKELY(!n_seg))
			drop_count(lc, tun_port, (enum dp_drop)why, 1);
		for (unsigned k = 0; k < n_seg; k++)
			add(lc, tun_port, seg[k]);
	}
}

/* Takes packets of one port off the queue's front. */
static unsigned
take(struct tun_local *q, unsigned most, struct rte_mbuf **m, uint16_t *port)
{
	unsigned n = 0;

	for (*port = q->port[q->first]; n < most && q->n && q->port[q->first] == *port; n++) {
		m[n] = q->m[q->first];
		q->first = (q->first + 1) % TUN_LOCAL_MAX;
		q->n--;
	}
	return n;
}

unsigned
tun_local_service(struct lcore *lc)
{
	unsigned left = lc->local.n, done = left;

	/* What is added meanwhile is for the next turn. */
	while (left) {
		struct rte_mbuf *m[BURST];
		struct decap_out out;
		uint16_t port;
		unsigned n = take(&lc->local, MIN_OF(left, (unsigned)BURST), m, &port);

		left -= n;
		out.n = 0;
		if (LIKELY(lc->view->tun))
			n = tun_decap_local(lc, m, n, port, &out);
		if (out.n)
			lc->isa->process_decap(lc, &out);
		/* The far end was there when they left. */
		if (UNLIKELY(n))
			exec_drop(lc, port, DROP_TUN_NO_ROUTE, m, n);
	}
	return done;
}

void
tun_local_drop_all(struct lcore *lc)
{
	struct rte_mbuf *m[BURST];
	uint16_t port;

	while (lc->local.n) {
		unsigned n = take(&lc->local, BURST, m, &port);

		exec_drop(lc, port, DROP_TUN_NO_ROUTE, m, n);
	}
}
