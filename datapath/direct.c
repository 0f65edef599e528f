/* SPDX-License-Identifier: Apache-2.0 */
/* Where frames in their sender's memory go: straight into the memory of another port's peer, or into packet buffers
 * and the way of those.
 *
 * Frames for a port are not reordered: as long as packets wait in its buffer, a frame joins them. */
#include "datapath/dp_priv.h"

static inline bool
is_long(const struct frame *f)
{
	return f->need & (OFFL_TSO4 | OFFL_TSO6 | OFFL_UFO | OFFL_USO);
}

/* The longest packet that it will be on a wire. */
static inline uint32_t
wire_len(const struct frame *f)
{
	return is_long(f) ? MIN_OF(f->len, (uint32_t)f->vnet.hdr_len + f->vnet.gso_size) : f->len;
}

void
frames_shadow_init(struct lcore *lc)
{
	for (unsigned i = 0; i < BURST; i++) {
		struct rte_mbuf *m = &lc->shadow[i];

		memset(m, 0, sizeof *m);
		m->buf_addr = lc->frames->row[i];
		m->buf_len = FRAME_ROW;
		m->nb_segs = 1;
		m->refcnt = 1;
	}
}

unsigned
frames_to_mbufs(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, struct rte_mbuf **m)
{
	unsigned made = 0;

	for (unsigned i = 0; i < n; i++) {
		m[made] = frame_to_mbuf(s->fr, idx[i], lc->pool);
		if (LIKELY(m[made] != NULL))
			made++;
	}
	if (UNLIKELY(made < n))
		drop_count(lc, s->in_port, DROP_NO_MEMORY, n - made);
	return made;
}

unsigned
frames_lend(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, struct rte_mbuf **m)
{
	unsigned made = 0;

	for (unsigned i = 0; i < n; i++) {
		m[made] = loan_make(lc->loans, s->fr, idx[i], lc->pool);
		if (m[made])
			made++;
		else
			made += frames_to_mbufs(lc, s, &idx[i], 1, &m[made]);
	}
	return made;
}

void
frames_exec(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, const struct flow_key *key,
	    const struct act *a, unsigned n_acts)
{
	struct rte_mbuf *m[BURST];

	n = frames_lend(lc, s, idx, n, m);
	exec_acts(lc, key, a, n_acts, m, n);
}

/* As packet buffers, behind what waits already.  A port that was given up and takes nothing costs no more copies. */
static void
queue(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, uint16_t port)
{
	bool stuck = lc->tx[port].stuck && lc->tx[port].stuck == lc->ports->port[port].serial;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m;

		if (UNLIKELY(stuck || !tx_room(lc, port))) {
			drop_count(lc, port, DROP_TX_QUEUE_FULL, n - i);
			return;
		}
		if (frames_to_mbufs(lc, s, &idx[i], 1, &m))
			output_passed(lc, port, &m, 1);
	}
}

/* Copies frames into the memory of the port's peer.  Returns how many it is done with. */
static unsigned
send_now(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, uint16_t port)
{
	const struct vport *vp = &lc->ports->port[port];
	struct tx_buf *b = &lc->tx[port];
	uint64_t bytes = 0;
	uint16_t sent = 0, done;

	if (UNLIKELY(b->n))
		tx_flush_port(lc, port);
	/* What took nothing in this turn is not tried again. */
	if (UNLIKELY(b->n || b->tried_tsc == lc->tsc))
		return 0;
	done = vp->frames->send(vp->port, (uint16_t)(lc->idx % vp->n_txq), s->fr, idx, (uint16_t)n, &sent, &bytes);
	/* Of these, what the port dropped is taken off again when its counters are read. */
	ctr_add(&lc->pstats[port].tx_packets, done);
	ctr_add(&lc->pstats[port].tx_bytes, bytes);
	if (LIKELY(done))
		b->stuck = 0;
	else
		b->tried_tsc = lc->tsc;
	return done;
}

/* Whether the port takes the frame as it is. */
static inline bool
fits(const struct vport *vp, const struct frame *f)
{
	return vp->frames && !(f->need & ~__atomic_load_n(&vp->port->accepts, __ATOMIC_RELAXED)) &&
	       wire_len(f) <= vp->max_len;
}

uint32_t
frames_guard_rx(struct lcore *lc, const struct frame_src *s)
{
	struct guard_pkt pkt[FRAME_BURST];
	enum dp_drop why[FRAME_BURST];
	uint32_t pass;

	for (unsigned i = 0; i < s->fr->n; i++) {
		const struct frame *f = &s->fr->f[i];

		pkt[i] = (struct guard_pkt){ frame_hdr(s->fr, i), frame_hdr_len(f), f->len };
	}
	pass = guard_rx(lc->ports->port[s->in_port].guard, lc->tsc, pkt, s->fr->n, why);
	for (unsigned i = 0; i < s->fr->n; i++)
		if (!(pass >> i & 1))
			exec_count_drop(lc, s->in_port, why[i], 1);
	return pass;
}

/* Keeps in idx[] what the rate of the port allows. */
static unsigned
guard_out(struct lcore *lc, const struct frame_src *s, uint8_t *idx, unsigned n, uint16_t port)
{
	uint32_t len[FRAME_BURST] = { 0 }, pass;
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++)
		len[i] = s->fr->f[idx[i]].len;
	pass = guard_tx(lc->ports->port[port].guard, lc->tsc, len, n);
	for (unsigned i = 0; i < n; i++)
		if (pass >> i & 1)
			idx[left++] = idx[i];
	exec_count_drop(lc, port, DROP_TX_RATE, n - left);
	return left;
}

/* Frames of which some do not go the direct way: in their order, and as many at a time as do. */
static __attribute__((noinline)) void
output_each(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, uint16_t port)
{
	const struct vport *vp = &lc->ports->port[port];
	uint8_t passed[FRAME_BURST];

	if (vp->flags & VPORT_TX_LIMIT) {
		memcpy(passed, idx, n);
		n = guard_out(lc, s, passed, n, port);
		idx = passed;
	}
	for (unsigned i = 0, j; i < n; i = j) {
		const struct frame *f = &s->fr->f[idx[i]];

		for (j = i; j < n && fits(vp, &s->fr->f[idx[j]]); j++)
			;
		if (j > i) {
			unsigned done = send_now(lc, s, &idx[i], j - i, port);

			queue(lc, s, &idx[i + done], j - i - done, port);
			continue;
		}
		j = i + 1;
		if (wire_len(f) > vp->max_len)
			exec_count_drop(lc, port, vp->port ? DROP_TX_TOO_BIG : DROP_TX_DOWN, 1);
		else
			queue(lc, s, &idx[i], 1, port);
	}
}

void
frames_output(struct lcore *lc, const struct frame_src *s, const uint8_t *idx, unsigned n, uint16_t port)
{
	const struct vport *vp = &lc->ports->port[port];
	unsigned done;

	if (UNLIKELY(!vp->frames || vp->flags & VPORT_TX_LIMIT || s->longest > vp->max_len ||
		     s->fr->need & ~__atomic_load_n(&vp->port->accepts, __ATOMIC_RELAXED))) {
		output_each(lc, s, idx, n, port);
		return;
	}
	done = send_now(lc, s, idx, n, port);
	if (UNLIKELY(done < n))
		queue(lc, s, &idx[done], n - done, port);
}
