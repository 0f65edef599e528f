/* SPDX-License-Identifier: Apache-2.0 */
/* What a polling thread hands to the control thread beside its events: packets for the control plane (ACT_PUNT)
 * and the notes of answers.  Each has a queue of its own, so that neither keeps the other, nor the events, from
 * being heard.
 *
 * A punted packet is not copied: the reference keeps others from writing to it.  What may be outstanding is bounded, in
 * packet buffers and in bytes of the queue, and a port may have half of what is free (as switches share buffers among
 * queues): one guest alone gets a third of all, and however many take what they can, there is room for the next. */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"

#include <stdlib.h>

enum {
	NOTES_LEN = 512 << 10,
	PUNTS_LEN = 1 << 20,
	NOTES_PER_POLL = 256,
	PUNTS_PER_POLL = 64,
	PUNT_MBUFS_DIV = 8,             /* Part of all packet buffers that punted packets may hold. */
	PUNT_MIN = 64,
};

struct punt {
	struct rte_mbuf *m;
	uint32_t len, orig_len;
	uint16_t in_port;
	uint16_t n_segs;
	uint32_t tun_dst;               /* Not 0: from there, for tun_control(). */
	uint32_t data_len;
	uint64_t data[];
};

int
tell_init(struct lcore *lc)
{
	const struct dp_conf *c = &lc->dp->conf;

	lc->punt_max = MAX_OF(c->n_mbufs / PUNT_MBUFS_DIV / c->n_lcores, (uint32_t)PUNT_MIN);
	lc->punts_of = map_zeroed(DP_MAX_PORTS * sizeof *lc->punts_of);
	return lc->punts_of && msgq_init(&lc->notes, NOTES_LEN) && msgq_init(&lc->punts, PUNTS_LEN) ? 0 : -1;
}

void
tell_fini(struct lcore *lc)
{
	const struct punt *p;
	uint32_t len;

	for (; lc->punts.ring && (p = msgq_first(&lc->punts, &len)); msgq_pop(&lc->punts))
		rte_pktmbuf_free(p->m);
	msgq_fini(&lc->notes);
	msgq_fini(&lc->punts);
	map_free(lc->punts_of, DP_MAX_PORTS * sizeof *lc->punts_of);
}

/* --- The polling thread -------------------------------------------------------------------- */

static uint32_t
held(const struct punt_count *c)
{
	return c->sent - __atomic_load_n(&c->done, __ATOMIC_RELAXED);
}

/* Of 'max' there are to share. */
static bool
is_fair(const struct punt_count *all, const struct punt_count *one, uint32_t n, uint32_t max)
{
	return held(one) + n <= (max - held(all)) / 2;
}

static bool
punt_allowed(const struct lcore *lc, uint16_t port, uint32_t n_segs, uint32_t len)
{
	const struct punt_use *all = &lc->punts_all, *one = &lc->punts_of[port];

	return is_fair(&all->segs, &one->segs, n_segs, lc->punt_max) && is_fair(&all->bytes, &one->bytes, len, PUNTS_LEN);
}

static void
count_sent(struct punt_use *u, const struct punt *p)
{
	u->segs.sent += p->n_segs;
	u->bytes.sent += sizeof *p + p->data_len;
}

/* A reference to the packet; of a long one that is not wanted whole, a copy of its beginning.  The control thread must not
 * hold what is lent: this thread is about to change whose memory that is. */
static struct rte_mbuf *
punt_ref(struct lcore *lc, struct rte_mbuf *m, uint32_t len)
{
	if (UNLIKELY(m->nb_segs > 1 && (len < m->pkt_len || loan_is(m))))
		return rte_pktmbuf_copy(m, lc->pool, 0, len);
	rte_pktmbuf_refcnt_update(m, 1);
	return m;
}

/* A row of the queue for the packet, its data still to be filled in; to be added with punt_add().  NULL: no room. */
static struct punt *
punt_new(struct lcore *lc, uint16_t port, uint16_t want, uint32_t data_len, struct rte_mbuf *m)
{
	uint32_t len = want == UINT16_MAX ? m->pkt_len : MIN_OF(want, m->pkt_len);
	struct punt *p;

	if (!punt_allowed(lc, port, m->nb_segs, sizeof *p + data_len))
		return NULL;
	p = msgq_room(&lc->punts, sizeof *p + data_len);
	if (!p)
		return NULL;
	p->orig_len = m->pkt_len;
	p->m = punt_ref(lc, m, len);
	if (!p->m)
		return NULL;
	p->len = len;
	p->in_port = port;
	p->n_segs = p->m->nb_segs;
	p->tun_dst = 0;
	p->data_len = data_len;
	return p;
}

static void
punt_add(struct lcore *lc, const struct punt *p)
{
	count_sent(&lc->punts_all, p);
	count_sent(&lc->punts_of[p->in_port], p);
	msgq_add(&lc->punts);
	lc->event_kick = true;
}

static bool
punt_one(struct lcore *lc, uint16_t port, uint16_t want, const struct act *data, unsigned n_data, struct rte_mbuf *m)
{
	uint32_t data_len = n_data * sizeof *data;
	struct punt *p = lc->dp->conf.punt ? punt_new(lc, port, want, data_len, m) : NULL;

	if (!p)
		return false;
	memcpy(p->data, data, data_len);
	punt_add(lc, p);
	return true;
}

bool
tell_tun_control(struct lcore *lc, uint16_t port, uint32_t tun_dst, uint16_t want, struct rte_mbuf *m)
{
	struct punt *p = lc->dp->conf.tun_control ? punt_new(lc, port, want, 0, m) : NULL;

	if (!p)
		return false;
	p->tun_dst = tun_dst;
	punt_add(lc, p);
	return true;
}

/* The control plane sees what a wire would: each segment of a long frame, with its checksum. */
static void
punt_undone(struct lcore *lc, uint16_t port, uint16_t want, const struct act *data, unsigned n_data, struct rte_mbuf *m)
{
	struct rte_mbuf *seg[OFFL_MAX_SEGS];
	int why = DROP_TX_SEGMENT;
	unsigned n;

	rte_pktmbuf_refcnt_update(m, 1);
	n = offl_resolve(m, 0, lc->pool, seg, ARRAY_SIZE(seg), &why);
	if (UNLIKELY(!n))
		drop_count(lc, port, why, 1);
	for (unsigned i = 0; i < n; i++)
		if (UNLIKELY(!punt_one(lc, port, want, data, n_data, seg[i])))
			drop_count(lc, port, DROP_PUNT_FULL, 1);
	rte_pktmbuf_free_bulk(seg, n);
}

void
tell_punt(struct lcore *lc, uint16_t port, uint16_t want, const struct act *data, unsigned n_data, struct rte_mbuf **m,
	  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (UNLIKELY(offl_need(m[i])))
			punt_undone(lc, port, want, data, n_data, m[i]);
		else if (UNLIKELY(!punt_one(lc, port, want, data, n_data, m[i])))
			drop_count(lc, port, DROP_PUNT_FULL, 1);
	}
}

bool
tell_notes_room(const struct lcore *lc, const struct xlate_out *out)
{
	/* All of them, and what is left out at the end of the ring. */
	return LIKELY(!out->n_notes) || msgq_free(&lc->notes) >= (XLATE_MAX_NOTES + 1) * msgq_need(XLATE_NOTE_MAX);
}

void
tell_notes(struct lcore *lc, const struct xlate_out *out)
{
	for (unsigned i = 0; i < out->n_notes; i++) {
		uint32_t len = MIN_OF(out->notes[i].len, XLATE_NOTE_MAX);
		void *p = msgq_room(&lc->notes, len);

		if (UNLIKELY(!p))
			return;
		memcpy(p, out->notes[i].data, len);
		msgq_add(&lc->notes);
		lc->event_kick = true;
	}
}

/* --- The control thread -------------------------------------------------------------------- */

static void
count_done(struct punt_use *u, const struct punt *p)
{
	__atomic_store_n(&u->segs.done, u->segs.done + p->n_segs, __ATOMIC_RELAXED);
	__atomic_store_n(&u->bytes.done, u->bytes.done + (uint32_t)sizeof *p + p->data_len, __ATOMIC_RELAXED);
}

static void
punt_deliver(struct dp *dp, const struct punt *p)
{
	const void *frame;

	if (p->m->nb_segs > 1 && p->len > dp->punt_room) {
		dp->punt_room = p->len;
		dp->punt_frame = xrealloc(dp->punt_frame, p->len);
	}
	frame = rte_pktmbuf_read(p->m, 0, p->len, dp->punt_frame);
	if (p->tun_dst) {
		dp->conf.tun_control(dp->conf.arg, p->tun_dst, frame, p->len);
		return;
	}
	dp->conf.punt(dp->conf.arg, p->in_port, p->data, p->data_len, frame, p->len, p->orig_len);
}

/* Whether there is more than was taken. */
static bool
take_punts(struct dp *dp, struct lcore *lc)
{
	uint32_t head = __atomic_load_n(&lc->punts.head, __ATOMIC_ACQUIRE), len;
	const struct punt *p;

	for (unsigned n = 0; n < PUNTS_PER_POLL; n++) {
		if (lc->punts.tail == head || !(p = msgq_first(&lc->punts, &len)))
			return false;
		punt_deliver(dp, p);
		count_done(&lc->punts_all, p);
		count_done(&lc->punts_of[p->in_port], p);
		rte_pktmbuf_free(p->m);
		msgq_pop(&lc->punts);
	}
	return msgq_first(&lc->punts, &len);
}

static bool
take_notes(struct dp *dp, struct lcore *lc)
{
	uint32_t head = __atomic_load_n(&lc->notes.head, __ATOMIC_ACQUIRE), len;
	const void *p;

	for (unsigned n = 0; n < NOTES_PER_POLL; n++) {
		if (lc->notes.tail == head || !(p = msgq_first(&lc->notes, &len)))
			return false;
		if (dp->conf.note)
			dp->conf.note(dp->conf.arg, p, len);
		msgq_pop(&lc->notes);
	}
	return msgq_first(&lc->notes, &len);
}

bool
tell_take(struct dp *dp, struct lcore *lc)
{
	bool notes = take_notes(dp, lc), punts = take_punts(dp, lc);

	return notes || punts;
}
