/* SPDX-License-Identifier: Apache-2.0 */
/* See frame_port.h. */
#include "frame_port.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem_port.h"

enum { IN = 1024, OUT = 4096, MAX_Q = 16, MAX_BUFS = 64 };

#define MUST(x) must((x), #x, __LINE__)

struct in_frame {
	uint32_t len, n_bufs;           /* n_bufs 0: a bad chain. */
	struct frame_buf buf[MAX_BUFS];
	uint16_t need;
	struct virtio_net_hdr v;
};

struct in_queue {
	struct port_peek peek;
	uint16_t tail;                  /* The word to look at. */
	uint16_t head, released;
	bool held;                      /* Between take and release. */
	const struct frames *held_in;
	int fd;
	struct in_frame f[IN];
};

struct frame_port {
	pthread_mutex_t lock;
	struct in_queue *q;
	struct frame_got *out[OUT];
	unsigned n_out, out_at;
	uint32_t room, drop;
	bool scribble;
	struct frame_port_count count;
};

static void
must(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "frame_port.c:%d: broken contract: %s\n", line, what);
	abort();
}

static const struct opt_desc no_opts[] = { { .name = NULL } };

static int
fp_open(struct port *p, const void *conf, struct err *e)
{
	static const struct frame_port_conf dflt;
	const struct frame_port_conf *c = conf ? conf : &dflt;
	struct frame_port *fp = p->priv;

	(void)e;
	pthread_mutex_init(&fp->lock, NULL);
	fp->room = UINT32_MAX;
	p->n_rxq = c->n_rxq ? c->n_rxq : 1;
	p->n_txq = 1;
	p->live_rxq = c->live_rxq;
	p->mtu = c->mtu ? c->mtu : 1500;
	p->accepts = c->accepts;
	fp->q = xcalloc(p->n_rxq, sizeof *fp->q);
	for (unsigned i = 0; i < p->n_rxq; i++) {
		fp->q[i].peek = (struct port_peek){ .word = &fp->q[i].tail, .mask = 0xffff };
		fp->q[i].fd = eventfd(0, EFD_NONBLOCK);
	}
	return 0;
}

static void
in_free(struct in_frame *f)
{
	for (unsigned i = 0; i < f->n_bufs; i++)
		free((void *)(uintptr_t)f->buf[i].p);
}

static void
fp_close(struct port *p)
{
	struct frame_port *fp = p->priv;

	for (unsigned i = 0; i < p->n_rxq; i++) {
		MUST(!fp->q[i].held);
		for (; fp->q[i].released != fp->q[i].tail; fp->q[i].released++)
			in_free(&fp->q[i].f[fp->q[i].released % IN]);
		close(fp->q[i].fd);
	}
	for (; fp->out_at != fp->n_out; fp->out_at++)
		free(fp->out[fp->out_at % OUT]);
	free(fp->q);
	pthread_mutex_destroy(&fp->lock);
}

static void
fp_link(struct port *p, struct port_link *l)
{
	memset(l, 0, sizeof *l);
	l->up = true;
	l->mtu = p->mtu;
}

static const struct port_peek *
fp_peek(struct port *p, uint16_t q)
{
	struct frame_port *fp = p->priv;

	return &fp->q[q].peek;
}

static void
take_one(struct frame_port *fp, struct in_frame *in, struct frames *fr)
{
	struct frame *f = &fr->f[fr->n];
	uint32_t hdr = MIN_OF(in->len, (uint32_t)FRAME_HDR), done = 0;

	*f = (struct frame){ .first = in->buf[0], .len = in->len, .n_more = (uint16_t)(in->n_bufs - 1),
			     .more_at = fr->n_more, .need = in->need, .vnet = in->v };
	if (!in->need)
		memset(&f->vnet, 0xa5, sizeof f->vnet);
	for (unsigned i = 1; i < in->n_bufs; i++)
		fr->more[fr->n_more++] = in->buf[i];
	frame_begin(f);
	memset(fr->row[fr->n], 0xa5, FRAME_ROW);
	for (unsigned i = 0; i < in->n_bufs && done < hdr; i++) {
		uint32_t n = MIN_OF(in->buf[i].len, hdr - done);

		memcpy(fr->row[fr->n] + FRAME_ROOM + done, in->buf[i].p, n);
		if (fp->scribble)
			memset((void *)(uintptr_t)in->buf[i].p, 0xee, n);
		done += n;
	}
	fr->need |= in->need;
	fr->n++;
}

static uint16_t
fp_take(struct port *p, uint16_t qn, struct frames *fr)
{
	struct frame_port *fp = p->priv;
	struct in_queue *q = &fp->q[qn];

	pthread_mutex_lock(&fp->lock);
	MUST(!q->held);
	fr->n = fr->n_more = fr->need = fr->chains = 0;
	while (fr->chains < FRAME_BURST && q->head != q->tail) {
		struct in_frame *in = &q->f[q->head % IN];

		if (in->n_bufs && fr->n_more + in->n_bufs - 1 > FRAME_MORE)
			break;
		fr->chain[fr->chains++].id = q->head++;
		if (in->n_bufs)
			take_one(fp, in, fr);
		else
			p->rx_drops[DROP_RX_BAD_CHAIN]++;
	}
	__atomic_store_n(&q->peek.idle, q->head, __ATOMIC_RELAXED);
	q->held = fr->chains;
	q->held_in = fr;
	if (fr->chains)
		fp->count.takes++;
	else
		fp->count.empty_takes++;
	pthread_mutex_unlock(&fp->lock);
	mem_port_pass(p, MEM_AT_TAKE);
	return fr->n;
}

static void
fp_release(struct port *p, uint16_t qn, struct frames *fr)
{
	struct frame_port *fp = p->priv;
	struct in_queue *q = &fp->q[qn];

	pthread_mutex_lock(&fp->lock);
	MUST(q->held && q->held_in == fr);
	for (unsigned i = 0; i < fr->chains; i++) {
		MUST(fr->chain[i].id == q->released);
		in_free(&q->f[q->released++ % IN]);
	}
	MUST(q->released == q->head);
	q->held = false;
	fp->count.releases++;
	pthread_mutex_unlock(&fp->lock);
}

/* Where the next frame goes; NULL: there is no room.  '*lost': it is to be dropped. */
static struct frame_got *
room_for_one(struct port *p, bool *lost)
{
	struct frame_port *fp = p->priv;

	*lost = false;
	if (!fp->room || fp->n_out - fp->out_at == OUT)
		return NULL;
	if (fp->room != UINT32_MAX)
		fp->room--;
	if (fp->drop) {
		fp->drop--;
		*lost = true;
		port_tx_drop(p, DROP_TX_ERROR, 1);
	}
	return xcalloc(1, sizeof(struct frame_got));
}

static void
keep(struct frame_port *fp, struct frame_got *g, bool lost)
{
	if (lost)
		free(g);
	else
		fp->out[fp->n_out++ % OUT] = g;
}

static void
copy_frame(struct frame_got *g, const struct frames *fr, unsigned i)
{
	const struct frame *f = &fr->f[i];
	uint32_t hdr = frame_hdr_len(f), at = hdr, skip = f->end - FRAME_ROOM;

	MUST(f->at <= f->end && f->end <= FRAME_ROW && hdr <= f->len);
	memcpy(g->b, frame_hdr(fr, i), hdr);
	for (unsigned b = 0; b <= f->n_more; b++) {
		const struct frame_buf *buf = b ? &fr->more[f->more_at + b - 1] : &f->first;
		uint32_t part = MIN_OF(skip, buf->len), n = MIN_OF(buf->len - part, f->len - at);

		memcpy(g->b + at, buf->p + part, n);
		at += n;
		skip -= part;
	}
	MUST(at == f->len);
	g->len = at;
	g->direct = true;
	g->need = f->need;
	g->v = f->vnet;
}

static uint16_t
fp_send(struct port *p, uint16_t q, const struct frames *fr, const uint8_t *idx, uint16_t n, uint16_t *sent,
	uint64_t *bytes)
{
	struct frame_port *fp = p->priv;
	uint16_t done = 0;

	mem_port_pass(p, MEM_AT_SEND);
	pthread_mutex_lock(&fp->lock);
	MUST(q == 0 && n > 0 && n <= FRAME_BURST);
	fp->count.sends++;
	for (; done < n; done++) {
		struct frame_got *g;
		bool lost;

		MUST(idx[done] < fr->n);
		MUST(!(fr->f[idx[done]].need & ~p->accepts));
		g = room_for_one(p, &lost);
		if (!g)
			break;
		copy_frame(g, fr, idx[done]);
		if (!lost) {
			*bytes += g->len;
			++*sent;
		}
		keep(fp, g, lost);
		fp->count.direct++;
	}
	pthread_mutex_unlock(&fp->lock);
	return done;
}

static uint16_t
fp_tx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	struct frame_port *fp = p->priv;
	uint16_t done = 0;

	pthread_mutex_lock(&fp->lock);
	MUST(q == 0 && n > 0);
	fp->count.txs++;
	for (; done < n; done++) {
		struct frame_got *g;
		const void *at;
		bool lost;

		MUST(!(offl_need(m[done]) & ~p->accepts));
		g = room_for_one(p, &lost);
		if (!g)
			break;
		g->need = offl_need(m[done]);
		if (g->need)
			offl_from_mbuf(m[done], &g->v);
		g->len = m[done]->pkt_len;
		at = rte_pktmbuf_read(m[done], 0, g->len, g->b);
		if (at != g->b)
			memcpy(g->b, at, g->len);
		rte_pktmbuf_free(m[done]);
		keep(fp, g, lost);
		fp->count.mbufs++;
	}
	pthread_mutex_unlock(&fp->lock);
	return done;
}

static int
fp_arm(struct port *p, uint16_t q, bool *pending)
{
	struct frame_port *fp = p->priv;

	pthread_mutex_lock(&fp->lock);
	*pending = fp->q[q].head != fp->q[q].tail;
	pthread_mutex_unlock(&fp->lock);
	return fp->q[q].fd;
}

static void
fp_disarm(struct port *p, uint16_t q)
{
	struct frame_port *fp = p->priv;
	uint64_t v;

	if (read(fp->q[q].fd, &v, sizeof v) < 0)
		return;
}

static const struct port_sleep fp_sleep = { .arm = fp_arm, .disarm = fp_disarm };
static const struct port_frames fp_frames = {
	.peek = fp_peek, .take = fp_take, .release = fp_release, .send = fp_send,
};

const struct port_type port_type_frame = {
	.name = "frame",
	.caps = PORT_CAP_TX_SHARED | PORT_CAP_TX_COPIES,
	.priv_size = sizeof(struct frame_port),
	.conf_size = sizeof(struct frame_port_conf),
	.opts = no_opts,
	.help = "frames in memory, for tests",
	.open = fp_open,
	.close = fp_close,
	.link = fp_link,
	.tx = fp_tx,
	.sleep = &fp_sleep,
	.frames = &fp_frames,
};

/* --- The guest's side ------------------------------------------------------------------------ */

static bool
put(struct port *p, unsigned qn, const struct in_frame *f)
{
	struct frame_port *fp = p->priv;
	struct in_queue *q = &fp->q[qn];
	uint64_t one = 1;
	bool full;

	pthread_mutex_lock(&fp->lock);
	full = (uint16_t)(q->tail - q->released) == IN;
	if (!full) {
		q->f[q->tail % IN] = *f;
		__atomic_store_n(&q->tail, (uint16_t)(q->tail + 1), __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&fp->lock);
	return !full && write(q->fd, &one, sizeof one) == sizeof one;
}

bool
frame_port_put(struct port *p, unsigned q, const void *b, uint32_t len, uint32_t buf_len, uint16_t need,
	       const struct virtio_net_hdr *v)
{
	struct in_frame f = { .len = len, .need = need };

	if (v)
		f.v = *v;
	if (!buf_len)
		buf_len = len;
	for (uint32_t done = 0; done < len; f.n_bufs++) {
		uint32_t n = f.n_bufs == MAX_BUFS - 1 ? len - done : MIN_OF(buf_len, len - done);
		void *mem = malloc(n);

		memcpy(mem, (const char *)b + done, n);
		f.buf[f.n_bufs] = (struct frame_buf){ mem, n };
		done += n;
	}
	if (put(p, q, &f))
		return true;
	in_free(&f);
	return false;
}

bool
frame_port_put_bad(struct port *p, unsigned q)
{
	return put(p, q, &(struct in_frame){ .n_bufs = 0 });
}

unsigned
frame_port_pending(struct port *p, unsigned q)
{
	struct frame_port *fp = p->priv;
	unsigned n;

	pthread_mutex_lock(&fp->lock);
	n = (uint16_t)(fp->q[q].tail - fp->q[q].released);
	pthread_mutex_unlock(&fp->lock);
	return n;
}

void
frame_port_get(struct port *p, struct frame_got *got, unsigned wait_ms)
{
	struct frame_port *fp = p->priv;
	uint64_t until = clock_ms() + wait_ms;
	struct frame_got *g = NULL;

	for (;;) {
		pthread_mutex_lock(&fp->lock);
		if (fp->out_at != fp->n_out)
			g = fp->out[fp->out_at++ % OUT];
		pthread_mutex_unlock(&fp->lock);
		if (g || clock_ms() >= until)
			break;
		usleep(200);
	}
	got->len = 0;
	if (g)
		*got = *g;
	free(g);
}

static void
set32(struct port *p, uint32_t *at, uint32_t v)
{
	struct frame_port *fp = p->priv;

	pthread_mutex_lock(&fp->lock);
	*at = v;
	pthread_mutex_unlock(&fp->lock);
}

void
frame_port_room(struct port *p, uint32_t n)
{
	set32(p, &((struct frame_port *)p->priv)->room, n);
}

void
frame_port_drop(struct port *p, uint32_t n)
{
	set32(p, &((struct frame_port *)p->priv)->drop, n);
}

void
frame_port_accept(struct port *p, uint16_t accepts)
{
	__atomic_store_n(&p->accepts, accepts, __ATOMIC_RELAXED);
}

void
frame_port_live(struct port *p, uint16_t n)
{
	__atomic_store_n(&p->live_rxq, n, __ATOMIC_RELAXED);
	p->owner->changed(p->owner, p);
}

void
frame_port_scribble(struct port *p, bool on)
{
	struct frame_port *fp = p->priv;

	pthread_mutex_lock(&fp->lock);
	fp->scribble = on;
	pthread_mutex_unlock(&fp->lock);
}

struct frame_port_count
frame_port_count(struct port *p)
{
	struct frame_port *fp = p->priv;
	struct frame_port_count c;

	pthread_mutex_lock(&fp->lock);
	c = fp->count;
	pthread_mutex_unlock(&fp->lock);
	return c;
}
