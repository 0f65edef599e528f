/* SPDX-License-Identifier: Apache-2.0 */
/* Meters: rates that the control plane sets for whatever flows name them, shared by all threads.  Each band is a
 * token bucket; of those that a packet exceeds, the one with the highest rate decides (OpenFlow 1.3, 5.7.1). */
#include "datapath/dp_priv.h"
#include "datapath/edit_priv.h"
#include "datapath/meter_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TIME_SHIFT = 4,                 /* Buckets count in sixteenths of a cycle... */
	METER_FRACTION = 16,            /* ...and costs in parts of those: small packets at high rates are cheap. */
	DEFAULT_BURST_DIV = 10,         /* No burst given: what comes in a tenth of a second, but at least... */
	DEFAULT_BURST_PKTS = 2,         /* ...two packets... */
	DEFAULT_BURST_KBITS = 24,       /* ...of 1500 bytes. */
};

/* One meter.  What it counted outlives a change of its rates. */
struct meter {
	struct meter_rates *rates;      /* [rcu] */
	struct dp_meter_stats stats;    /* Added to by all threads. */
};

/* --- Buckets ------------------------------------------------------------------------------- */

static uint64_t
clamp(unsigned __int128 v)
{
	return v > UINT64_MAX >> 4 ? UINT64_MAX >> 4 : (uint64_t)v;
}

static void
bucket_init(struct meter_bucket *b, const struct dp_meter_band *band, bool pktps, uint64_t tsc_hz)
{
	unsigned __int128 second = (unsigned __int128)tsc_hz << TIME_SHIFT, unit = second << METER_FRACTION;

	b->remark = band->remark;
	b->prec_level = band->prec_level;
	/* Nothing is below a rate of nothing. */
	b->cost = !band->rate ? 0 : clamp(MAX_OF(pktps ? unit / band->rate : unit * 8 / 1000 / band->rate, 1u));
	if (!band->rate)
		return;
	if (band->burst)
		b->burst = clamp(second * band->burst / band->rate);
	else
		b->burst = clamp(MAX_OF(second / DEFAULT_BURST_DIV,
					second * (pktps ? DEFAULT_BURST_PKTS : DEFAULT_BURST_KBITS) / band->rate));
}

void
meter_rates_init(struct meter_rates *r, const struct dp_meter_conf *c, uint64_t tsc_hz, uint64_t tsc)
{
	*r = (struct meter_rates){ .start_tsc = tsc, .pktps = c->pktps, .n = c->n_bands };
	for (unsigned i = 0; i < c->n_bands; i++) {
		unsigned at = 0;

		for (unsigned j = 0; j < c->n_bands; j++)
			at += c->band[j].rate > c->band[i].rate || (c->band[j].rate == c->band[i].rate && j < i);
		bucket_init(&r->bucket[at], &c->band[i], c->pktps, tsc_hz);
		r->bucket[at].band = (uint8_t)i;
	}
}

uint32_t
meter_take(const struct meter_rates *r, struct meter_bucket *b, uint64_t tsc, const uint32_t *len, unsigned n)
{
	uint64_t now = tsc > r->start_tsc ? (tsc - r->start_tsc) << TIME_SHIFT : 0, full, old;
	uint32_t over;

	if (!b->cost)
		return n < 32 ? (1u << n) - 1 : UINT32_MAX;
	old = __atomic_load_n(&b->full, __ATOMIC_RELAXED);
	do {
		full = old;
		over = 0;
		for (unsigned i = 0; i < n; i++) {
			uint64_t cost = clamp((unsigned __int128)b->cost * (r->pktps ? 1 : len[i]) >> METER_FRACTION);
			uint64_t next = MAX_OF(full, now) + cost;

			/* A packet larger than the burst may go when the bucket is full, or none ever would. */
			if (next > now + MAX_OF(b->burst, cost))
				over |= 1u << i;
			else
				full = next;
		}
	} while (!__atomic_compare_exchange_n(&b->full, &old, full, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return over;
}

/* --- Packets ------------------------------------------------------------------------------- */

static bool
remark(struct rte_mbuf *m, const struct act *a, unsigned n UNUSED)
{
	return edit_remark(m, (uint8_t)a->arg);
}

static void
count(uint64_t *packets, uint64_t *bytes, uint32_t which, const uint32_t *len)
{
	uint64_t sum = 0;

	for (uint32_t w = which; w; w &= w - 1)
		sum += len[__builtin_ctz(w)];
	__atomic_fetch_add(packets, (unsigned)__builtin_popcount(which), __ATOMIC_RELAXED);
	__atomic_fetch_add(bytes, sum, __ATOMIC_RELAXED);
}

unsigned
exec_meter(struct lcore *lc, uint16_t port, uint32_t id, struct rte_mbuf **m, unsigned n)
{
	struct meter *mt = id < DP_MAX_METERS ? rcu_read(lc->dp->meter[id]) : NULL;
	uint32_t len[METER_BATCH], all, undecided;
	struct meter_rates *r;
	unsigned left = 0;

	_Static_assert((int)METER_BATCH >= (int)BURST, "a burst is a batch");
	if (!mt || !n)
		return n;
	r = rcu_read(mt->rates);
	for (unsigned i = 0; i < n; i++)
		len[i] = m[i]->pkt_len;
	all = undecided = n < 32 ? (1u << n) - 1 : UINT32_MAX;
	count(&mt->stats.packets, &mt->stats.bytes, all, len);
	for (struct meter_bucket *b = r->bucket; b < &r->bucket[r->n]; b++) {
		uint32_t over = meter_take(r, b, lc->tsc, len, n) & undecided;

		if (!over)
			continue;
		undecided &= ~over;
		count(&mt->stats.band[b->band].packets, &mt->stats.band[b->band].bytes, over, len);
		for (; over; over &= over - 1) {
			struct rte_mbuf **p = &m[__builtin_ctz(over)];

			if (!b->remark)
				exec_drop(lc, port, DROP_METER, p, 1);
			if (!b->remark || !exec_edit_all(lc, port, remark, &(struct act){ .arg = b->prec_level }, 1, p, 1))
				*p = NULL;
		}
	}
	for (unsigned i = 0; i < n; i++)
		if (m[i])
			m[left++] = m[i];
	return left;
}

/* --- Control ------------------------------------------------------------------------------- */

int
dp_meter_set(struct dp *dp, uint32_t id, const struct dp_meter_conf *c)
{
	struct meter_rates *r, *old;

	if (id >= DP_MAX_METERS)
		return -ENOSPC;
	if (c->n_bands > DP_METER_BANDS)
		return -EINVAL;
	r = xalloc_aligned(CACHE_LINE, sizeof *r);
	meter_rates_init(r, c, rte_get_tsc_hz(), rte_rdtsc());
	if (!dp->meter[id]) {
		struct meter *mt = xalloc_aligned(CACHE_LINE, sizeof *mt);

		mt->rates = r;
		rcu_assign(dp->meter[id], mt);
		return 0;
	}
	old = dp->meter[id]->rates;
	rcu_assign(dp->meter[id]->rates, r);
	rcu_defer(dp->rcu, free, old);
	return 0;
}

void
dp_meter_del(struct dp *dp, uint32_t id)
{
	struct meter *mt = id < DP_MAX_METERS ? dp->meter[id] : NULL;

	if (!mt)
		return;
	rcu_assign(dp->meter[id], NULL);
	rcu_defer(dp->rcu, free, mt->rates);
	rcu_defer(dp->rcu, free, mt);
}

void
dp_meter_stats(const struct dp *dp, uint32_t id, struct dp_meter_stats *out)
{
	const uint64_t *from;
	uint64_t *to = (uint64_t *)out;

	memset(out, 0, sizeof *out);
	if (id >= DP_MAX_METERS || !dp->meter[id])
		return;
	from = (const uint64_t *)&dp->meter[id]->stats;
	for (unsigned w = 0; w < sizeof *out / sizeof *to; w++)
		to[w] = ctr_read(&from[w]);
}

void
meters_free(struct dp *dp)
{
	for (unsigned i = 0; i < DP_MAX_METERS; i++) {
		if (!dp->meter[i])
			continue;
		free(dp->meter[i]->rates);
		free(dp->meter[i]);
	}
}
