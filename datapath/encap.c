/* SPDX-License-Identifier: Apache-2.0 */
/* Encapsulation: the ready-made outer headers of a tunnel destination in front of each packet, and the
 * bounded queue of packets whose next hop is being resolved. */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"
#include "datapath/tunnel_priv.h"

enum { WAIT_S = 3, ASK_AGAIN_MS = 500 };

static void release(struct lcore *, uint16_t tun_port, const struct tun_dst *, const struct tun_set *, struct rte_mbuf **,
		    unsigned n);

static void
used(struct lcore *lc, uint32_t dst, const struct tun_dst *d)
{
	uint32_t now = (uint32_t)(lc->ms / 1000), *at = &lc->dp->tun_used[dst];

	if (d->learned && __atomic_load_n(at, __ATOMIC_RELAXED) != now)
		__atomic_store_n(at, now, __ATOMIC_RELAXED);
}

static unsigned
too_big(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, const struct tun_dst *d,
	const struct tun_set *set, struct rte_mbuf **m, unsigned n)
{
	/* Options take room as well. */
	uint32_t max = d->max_frame - MIN_OF(set ? set->opts_len : 0u, d->max_frame);
	unsigned left = 0;

	if (UNLIKELY(d->fragment))
		return n;
	for (unsigned i = 0; i < n; i++) {
		/* Of a frame to be cut, what counts is what comes of it. */
		if (LIKELY(m[i]->pkt_len <= max || offl_wire_len(m[i]) <= max)) {
			m[left++] = m[i];
			continue;
		}
		if (d->pmtud)
			pmtud_answer(lc, key, m[i], max - 14);
		exec_drop(lc, tun_port, DROP_TUN_TOO_BIG, &m[i], 1);
	}
	return left;
}

/* Frames that a type cannot carry as they are (datagrams to be bundled, frames in tunnels, longer ones than its length
 * field can say) are cut here.  What is left in 'm' can go. */
static unsigned
cut_first(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_set *set, struct rte_mbuf **m,
	  unsigned n)
{
	const uint16_t whole = OFFL_CSUM | OFFL_TSO4 | OFFL_TSO6 | OFFL_ECN | OFFL_UFO;
	struct rte_mbuf *seg[OFFL_MAX_SEGS];
	unsigned left = 0, n_seg;
	int why;

	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(!(offl_need(m[i]) & (uint16_t)~whole) && m[i]->pkt_len <= d->max_frame)) {
			m[left++] = m[i];
			continue;
		}
		n_seg = offl_resolve(m[i], 0, lc->pool, seg, OFFL_MAX_SEGS, &why);
		if (!n_seg)
			ctr_add(&lc->pstats[tun_port].drops[why], 1);
		for (unsigned k = 0; k < n_seg; k += BURST)
			release(lc, tun_port, d, set, &seg[k], MIN_OF(n_seg - k, (unsigned)BURST));
	}
	return left;
}

/* Puts outer headers on one packet, cuts it and sends the pieces. */
static void
push_fragments(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_hdr *hdr, struct rte_mbuf *m)
{
	const struct vport *vp = &lc->ports->port[d->underlay_port];
	struct tun_batch b = { .n = 1, .hdr = hdr, .pkt = { m } };
	struct rte_mbuf *out[FRAG_MAX];
	uint32_t len = m->pkt_len;
	unsigned n;

	tun_push(d->type, &b);
	if (UNLIKELY(b.drop[0])) {
		exec_drop(lc, tun_port, DROP_TUN_TOO_BIG, &b.pkt[0], 1);
		return;
	}
	n = frag_split(lc, b.pkt[0], hdr->mtu, hdr->v6, out, FRAG_MAX);
	if (UNLIKELY(!n)) {
		ctr_add(&lc->pstats[tun_port].drops[DROP_TUN_TOO_BIG], 1);
		return;
	}
	ctr_add(&lc->pstats[tun_port].tx_packets, 1);
	ctr_add(&lc->pstats[tun_port].tx_bytes, len);
	for (unsigned k = 0; k < n; k += BURST) {
		unsigned part = MIN_OF(n - k, (unsigned)BURST);

		if (vp->port && vp->port->type->caps & PORT_CAP_HOST_LEG)
			lc->isa->process(lc, &out[k], part, d->underlay_port);
		else
			output(lc, d->underlay_port, &out[k], part);
	}
}

/* What does not fit leaves in fragments, here and now; what is left in 'm' fits.  A frame to be cut into segments is
 * fragmented only where those do not fit either. */
static unsigned
fragment_first(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_set *set,
	       const struct tun_hdr *hdr, struct rte_mbuf **m, unsigned n)
{
	uint32_t max = d->max_frame - MIN_OF(set ? set->opts_len : 0u, d->max_frame);
	struct rte_mbuf *seg[OFFL_MAX_SEGS];
	unsigned left = 0, n_seg;
	int why;

	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(m[i]->pkt_len <= max || offl_wire_len(m[i]) <= max)) {
			m[left++] = m[i];
			continue;
		}
		seg[0] = m[i];
		n_seg = offl_need(m[i]) ? offl_resolve(m[i], 0, lc->pool, seg, OFFL_MAX_SEGS, &why) : 1;
		if (!n_seg)
			ctr_add(&lc->pstats[tun_port].drops[why], 1);
		for (unsigned k = 0; k < n_seg; k++)
			push_fragments(lc, tun_port, d, hdr, seg[k]);
	}
	return left;
}

static unsigned
push(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_set *set, struct rte_mbuf **m,
     unsigned n)
{
	struct dp_port_stats *ps = &lc->pstats[tun_port];
	const struct tun_hdr *hdr = &d->hdr;
	uint64_t bytes = 0;
	unsigned left = 0;
	struct tun_batch b;
	struct tun_hdr own;

	if (set) {
		own = *hdr;
		tun_hdr_set(d->type, &own, set);
		hdr = &own;
	}
	if (UNLIKELY(d->type->caps & TUN_CAP_WHOLE))
		n = cut_first(lc, tun_port, d, set, m, n);
	if (UNLIKELY(d->fragment))
		n = fragment_first(lc, tun_port, d, set, hdr, m, n);
	b.n = (uint16_t)n;
	b.hdr = hdr;
	memcpy(b.pkt, m, n * sizeof *m);
	memset(b.drop, 0, n);
	for (unsigned i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	tun_push(d->type, &b);
	for (unsigned i = 0; i < n; i++) {
		if (UNLIKELY(b.drop[i])) {
			bytes -= b.pkt[i]->pkt_len;
			exec_drop(lc, tun_port, DROP_TUN_NO_HEADROOM, &b.pkt[i], 1);
			continue;
		}
		/* A long frame in a tunnel in a tunnel. */
		if (LIKELY(!(d->type->caps & TUN_CAP_WHOLE)) &&
		    UNLIKELY(!offl_tunnel_on(b.pkt[i], hdr->l3_off, hdr->l4_off - hdr->l3_off,
					     hdr->len - hdr->l4_off, hdr->v6))) {
			bytes -= b.pkt[i]->pkt_len - hdr->len;
			exec_drop(lc, tun_port, DROP_TX_SEGMENT, &b.pkt[i], 1);
			continue;
		}
		m[left++] = b.pkt[i];
	}
	ctr_add(&ps->tx_packets, left);
	ctr_add(&ps->tx_bytes, bytes);
	return left;
}

/* Whether two packets wait for the same thing. */
static bool
same_wait(const struct tun_wait *a, const struct tun_wait *b)
{
	if (a->dst || b->dst)
		return a->dst == b->dst;
	return a->port == b->port && ip_equal(&a->set.remote, &b->set.remote) && ip_equal(&a->set.local, &b->set.local);
}

static unsigned
waiting_with(const struct lcore *lc, const struct tun_wait *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lc->n_wait; i++)
		n += same_wait(&lc->wait[i], w);
	return n;
}

static void
ask(struct lcore *lc, const struct tun_wait *w)
{
	struct dp_event e = { .kind = EV_RESOLVE, .tun_dst = w->dst };

	if (!lcore_event_room(lc))
		return;
	if (!w->dst)
		e = (struct dp_event){ .kind = EV_PEER,
				       .peer = { .port = w->port, .heard = w->rx, .remote = w->set.remote, .local = w->set.local } };
	lcore_event(lc, &e);
}

/* Takes packets; the first for a destination asks the control thread to resolve it. */
static void
wait_add(struct lcore *lc, const struct tun_wait *what, struct rte_mbuf **m, unsigned n)
{
	unsigned have = waiting_with(lc, what);

	if (!have)
		ask(lc, what);
	for (unsigned i = 0; i < n; i++) {
		struct tun_wait *w = &lc->wait[lc->n_wait];

		if (have >= TUN_WAIT_PER_DST || lc->n_wait == TUN_WAIT_MAX) {
			exec_drop(lc, what->port, DROP_TUN_NEIGH_WAIT, &m[i], 1);
			continue;
		}
		*w = *what;
		w->m = m[i];
		w->since = lc->tsc;
		lc->n_wait++;
		have++;
	}
	ctr_set(&lc->stats.tun_waiting, lc->n_wait);
}

static void
refuse_rx(struct lcore *lc, uint16_t tun_port, const struct tun_set *outside, struct rte_mbuf *m)
{
	const struct dp_refusal what = { .why = DROP_TUN_NEW_REMOTE, .src = outside->remote, .dst = outside->local,
					 .key = outside->key, .keyed = true, .port = tun_port };

	tun_refuse(lc, &what, m);
}

void
tun_wait_rx(struct lcore *lc, uint16_t tun_port, const struct tun_set *outside, uint8_t key_flags, struct rte_mbuf *m)
{
	struct tun_wait w = { .port = tun_port, .rx = true, .key_flags = key_flags, .set = *outside };
	unsigned n_rx = 0;

	for (unsigned i = 0; i < lc->n_wait; i++)
		n_rx += lc->wait[i].rx;
	/* Strangers must not keep others from waiting. */
	if (n_rx >= TUN_WAIT_RX || waiting_with(lc, &w) >= TUN_WAIT_PER_DST)
		refuse_rx(lc, tun_port, outside, m);
	else
		wait_add(lc, &w, &m, 1);
}

/* Each flow has its way. */
static void
release_ways(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_set *set, struct rte_mbuf **m,
	     unsigned n)
{
	const struct tun_ways *ways = d->ways;
	struct rte_mbuf *mine[BURST];
	uint8_t way[BURST];
	uint32_t todo = 0;

	for (unsigned i = 0; i < n; i++)
		way[i] = ways->slot[tun_entropy(m[i]) % TUN_WAY_SLOTS];
	todo = n ? UINT32_MAX >> (BURST - n) : 0;
	while (todo) {
		unsigned first = (unsigned)__builtin_ctz(todo), k = 0;

		for (unsigned i = first; i < n; i++)
			if (todo >> i & 1 && way[i] == way[first]) {
				mine[k++] = m[i];
				todo &= ~(1u << i);
			}
		release(lc, tun_port, &ways->dst[way[first]], set, mine, k);
	}
}

/* Packets whose destination is reachable leave by the underlay port, or through the bridge of the host's leg as if the
 * host had sent them. */
static void
release(struct lcore *lc, uint16_t tun_port, const struct tun_dst *d, const struct tun_set *set, struct rte_mbuf **m,
	unsigned n)
{
	const struct vport *vp = &lc->ports->port[d->underlay_port];

	if (UNLIKELY(d->leave == TUN_LEAVE_WAYS)) {
		release_ways(lc, tun_port, d, set, m, n);
		return;
	}
	n = push(lc, tun_port, d, set, m, n);
	if (!n)
		return;
	if (UNLIKELY(d->leave == TUN_LEAVE_LOCAL))
		tun_local_add(lc, tun_port, m, n);
	else if (vp->port && vp->port->type->caps & PORT_CAP_HOST_LEG)
		lc->isa->process(lc, m, n, d->underlay_port);
	else
		output(lc, d->underlay_port, m, n);
}

void
tun_send(struct lcore *lc, uint32_t dst, struct rte_mbuf *m)
{
	const struct tun_dst *d = tun_view_dst(lc->view->tun, dst);

	if (d && d->state == TUN_DST_READY && m->pkt_len <= d->max_frame)
		release(lc, d->port, d, NULL, &m, 1);
	else
		rte_pktmbuf_free(m);
}

/* For a destination that had no number when the flow was made.  All of them go: nothing follows in the program. */
static void
encap_unnumbered(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, const struct tun_set *set,
		 struct rte_mbuf **m, unsigned n)
{
	struct tun_wait w = { .port = tun_port, .set = *set };
	const struct tun_dst *d;

	w.dst = tun_view_peer(lc->view->tun, tun_port, &set->remote, &set->local);
	d = tun_view_dst(lc->view->tun, w.dst);
	n = d && d->max_frame ? too_big(lc, key, tun_port, d, set, m, n) : n;
	if (d && d->state == TUN_DST_NO_ROUTE) {
		exec_drop(lc, tun_port, DROP_TUN_NO_ROUTE, m, n);
	} else if (d && d->state == TUN_DST_FAILED) {
		exec_drop(lc, tun_port, DROP_TUN_NEIGH_FAILED, m, n);
	} else {
		wait_add(lc, &w, m, n);
	}
}

unsigned
tun_encap(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, uint32_t dst, const struct tun_set *set,
	  struct rte_mbuf **m, unsigned n)
{
	const struct tun_dst *d = tun_view_dst(lc->view->tun, dst);
	struct tun_wait w = { .dst = dst, .port = tun_port };

	if (UNLIKELY(!dst && set && set->bits & TUN_SET_REMOTE)) {
		encap_unnumbered(lc, key, tun_port, set, m, n);
		return 0;
	}
	if (UNLIKELY(!d || d->state == TUN_DST_NO_ROUTE)) {
		exec_drop(lc, tun_port, DROP_TUN_NO_ROUTE, m, n);
		return 0;
	}
	used(lc, dst, d);
	n = too_big(lc, key, tun_port, d, set, m, n);
	if (LIKELY(d->state == TUN_DST_READY)) {
		if (LIKELY(d->leave == TUN_LEAVE_PORT))
			return push(lc, tun_port, d, set, m, n);
		/* Nothing follows in the program that would know where to. */
		release(lc, tun_port, d, set, m, n);
		return 0;
	}
	if (set)
		w.set = *set;
	if (d->state == TUN_DST_FAILED)
		exec_drop(lc, tun_port, DROP_TUN_NEIGH_FAILED, m, n);
	else if (n)
		wait_add(lc, &w, m, n);
	return 0;
}

static bool
is_leg(const struct lcore *lc, uint16_t port)
{
	const struct vport *vp = &lc->ports->port[port];

	return vp->port && vp->port->type->caps & PORT_CAP_HOST_LEG;
}

static bool
leaves_by_leg(const struct lcore *lc, const struct tun_dst *d)
{
	bool any = d->leave == TUN_LEAVE_PORT && is_leg(lc, d->underlay_port);

	for (unsigned i = 0; d->leave == TUN_LEAVE_WAYS && i < d->ways->n; i++)
		any |= is_leg(lc, d->ways->dst[i].underlay_port);
	return any;
}

/* What a program that is nothing but a tunnel and the port behind it says; false: it is another. */
static bool
only_push(const struct act *a, unsigned n_acts, struct tun_set *set, const struct act **push)
{
	unsigned words = 0;

	set->bits = 0;
	if (a->op == ACT_TUN_SET) {
		words = a->arg + 1;
		/* Instructions are less aligned than what it holds. */
		if (a->arg * sizeof *a < offsetof(struct tun_set, opts) || words + 2 != n_acts)
			return false;
		memcpy(set, &a[1], MIN_OF(a->arg * sizeof *a, sizeof *set));
	}
	*push = a + words;
	return words + 2 == n_acts && a[words].op == ACT_TUN_PUSH && a[words + 1].op == ACT_OUTPUT;
}

void
tun_fetch(const struct lcore *lc, const struct act *a, unsigned n_acts)
{
	unsigned at = a->op == ACT_TUN_SET ? a->arg + 1 : 0;
	const struct tun_dst *d;

	if (at >= n_acts || a[at].op != ACT_TUN_PUSH || a[at].arg >= lc->view->tun->n_dst)
		return;
	d = &lc->view->tun->dst[a[at].arg];
	__builtin_prefetch(&d->type);
	__builtin_prefetch(d->hdr.b + CACHE_LINE / 2);
}

bool
frames_encap(struct lcore *lc, struct frame_src *s, const uint8_t *idx, unsigned n, const struct act *a, unsigned n_acts,
	     uint16_t *port)
{
	const struct act *to;
	const struct tun_dst *d;
	struct tun_set set;
	struct tun_hdr own;
	struct tun_batch b;
	uint64_t bytes = 0;
	uint32_t max;

	if (!only_push(a, n_acts, &set, &to) || !lc->ports->port[to[1].port].frames || s->fr->need)
		return false;
	d = tun_view_dst(lc->view->tun, to->arg);
	if (UNLIKELY(!d || d->state != TUN_DST_READY || d->leave != TUN_LEAVE_PORT || d->type->caps & TUN_CAP_WHOLE || d->fragment))
		return false;
	max = d->max_frame - (set.bits ? MIN_OF((uint32_t)set.opts_len, d->max_frame) : 0);
	b.hdr = &d->hdr;
	if (set.bits) {
		own = d->hdr;
		tun_hdr_set(d->type, &own, &set);
		b.hdr = &own;
	}
	/* All of the burst or nothing: frames of this flow may be in it again, and packet buffers would overtake these. */
	if (UNLIKELY(s->came > max || (b.hdr->sums && s->came > FRAME_HDR)))
		return false;
	for (unsigned i = 0; i < n; i++) {
		b.pkt[i] = frame_shadow(lc, idx[i]);
		if (UNLIKELY(b.hdr->len > rte_pktmbuf_headroom(b.pkt[i])))
			return false;
		bytes += b.pkt[i]->pkt_len;
	}
	used(lc, to->arg, d);
	b.n = (uint16_t)n;
	/* Nothing is refused for want of room, nor for its length. */
	tun_push(d->type, &b);
	for (unsigned i = 0; i < n; i++)
		frame_follow(lc, idx[i]);
	s->longest = MAX_OF(s->longest, s->came + b.hdr->len);
	ctr_add(&lc->pstats[to->port].tx_packets, n);
	ctr_add(&lc->pstats[to->port].tx_bytes, bytes);
	*port = to[1].port;
	return true;
}

void
tun_flood(struct lcore *lc, const struct flow_key *key, uint16_t tun_port, const struct tun_set *set,
	  struct rte_mbuf *const *m, unsigned n)
{
	const struct tun_view *v = lc->view->tun;

	for (uint32_t i = tun_view_next_peer(v, tun_port, 0); i; i = tun_view_next_peer(v, tun_port, i)) {
		const struct tun_dst *d = tun_view_dst(v, i);
		struct tun_wait w = { .dst = i, .port = tun_port };
		struct rte_mbuf *copy[BURST];
		unsigned left;

		if (!d || d->state != TUN_DST_READY)
			continue;
		for (unsigned k = 0; k < n; k++)
			rte_pktmbuf_refcnt_update(m[k], 1);
		memcpy(copy, m, n * sizeof *m);
		left = too_big(lc, key, tun_port, d, set, copy, exec_own(lc, tun_port, copy, n));
		if (leaves_by_leg(lc, d)) {
			if (set)
				w.set = *set;
			wait_add(lc, &w, copy, left);
			continue;
		}
		release(lc, tun_port, d, set, copy, left);
	}
}

/* --- Waiting ----------------------------------------------------------------------------------- */

/* The remote has a number: the packet goes on as if it had come just now. */
static void
release_rx(struct lcore *lc, const struct tun_wait *w)
{
	struct decap_out out = { .n = 1, .m = { w->m }, .in_port = { w->port }, .peer = { w->dst },
				 .flags = { w->key_flags }, .key = { w->set.key } };

	out.info[0].tos = w->set.tos;
	out.info[0].ttl = w->set.ttl;
	out.info[0].flags = w->set.flags;
	memcpy(out.info[0].ext, w->set.ext, sizeof out.info[0].ext);
	lc->isa->process_decap(lc, &out);
}

/* What becomes of one packet that waits; false: it goes on waiting. */
static bool
service_one(struct lcore *lc, struct tun_wait *w)
{
	const struct tun_view *v = lc->view->tun;
	bool late = lc->tsc - w->since > WAIT_S * lc->tsc_hz;
	const struct tun_dst *d;

	if (!w->dst)
		w->dst = tun_view_peer(v, w->port, &w->set.remote, &w->set.local);
	if (!w->dst) {
		if (late && w->rx)
			refuse_rx(lc, w->port, &w->set, w->m);
		else if (late)
			exec_drop(lc, w->port, DROP_TUN_NO_ROUTE, &w->m, 1);
		return late;
	}
	d = tun_view_dst(v, w->dst);
	/* The index may be another tunnel's by now. */
	if (!d || d->port != w->port || (d->state == TUN_DST_NO_ROUTE && !w->rx))
		exec_drop(lc, w->port, DROP_TUN_NO_ROUTE, &w->m, 1);
	else if (w->rx)
		release_rx(lc, w);
	else if (d->state == TUN_DST_READY)
		release(lc, w->port, d, w->set.bits ? &w->set : NULL, &w->m, 1);
	else if (d->state == TUN_DST_FAILED || late)
		exec_drop(lc, w->port, DROP_TUN_NEIGH_FAILED, &w->m, 1);
	else
		return false;
	return true;
}

/* Looks after the waiting packets; called once per turn while there are any. */
void
tun_wait_service(struct lcore *lc)
{
	struct tun_wait all[TUN_WAIT_MAX];
	unsigned n = lc->n_wait, left = 0;

	/* Releasing may queue anew (a loop of tunnels): work on a copy. */
	memcpy(all, lc->wait, n * sizeof all[0]);
	lc->n_wait = 0;
	for (unsigned i = 0; i < n; i++)
		if (!service_one(lc, &all[i]))
			all[left++] = all[i];
	for (unsigned i = 0; i < left; i++) {
		if (lc->n_wait < TUN_WAIT_MAX)
			lc->wait[lc->n_wait++] = all[i];
		else
			exec_drop(lc, all[i].port, DROP_TUN_NEIGH_WAIT, &all[i].m, 1);
	}
	if (lc->n_wait && lc->tsc - lc->ask_tsc > lc->tsc_hz * ASK_AGAIN_MS / 1000) {
		lc->ask_tsc = lc->tsc;
		/* An earlier question may have been lost to a full ring. */
		for (unsigned i = 0; i < lc->n_wait; i++)
			if (!i || !same_wait(&lc->wait[i], &lc->wait[i - 1]))
				ask(lc, &lc->wait[i]);
	}
	ctr_set(&lc->stats.tun_waiting, lc->n_wait);
}

void
tun_wait_drop_all(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->n_wait; i++)
		exec_drop(lc, lc->wait[i].port, DROP_TUN_NEIGH_FAILED, &lc->wait[i].m, 1);
	lc->n_wait = 0;
}
