/* SPDX-License-Identifier: Apache-2.0 */
/* What the packet path costs without any ring: cycles per packet from burst to output buffer, for each
 * instruction set and a few patterns of traffic.  The source port hands out the same mbufs again and again,
 * the sink port puts them back.  The second half of the rows is of frames in memory, whose port does nothing but write
 * their numbers: parse, look-up, grouping and one call of send().
 *
 * usage: bench_pipeline [seconds per row]      (needs no root; pin it: taskset -c 1) */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "datapath/dp.h"
#include "datapath/frame.h"

enum { N_BUFS = 256, BURST = 32, N_MACS = 1 << 20 };

static struct rte_mbuf *stack[N_BUFS];
static unsigned n_stack;
static uint32_t n_flows, next_flow;
static uint64_t rng = 88172645463325252ull;

/* One pattern draws flows at random, so that a burst holds different ones. */
static uint32_t
draw(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(((rng >> 32) * n_flows) >> 32);
}

static uint16_t
source_rx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	uint16_t got = 0;

	(void)p;
	(void)q;
	for (; got < n && n_stack; got++) {
		uint8_t *f;
		uint32_t flow = n_flows == 1 ? 0 : draw();

		m[got] = stack[--n_stack];
		f = rte_pktmbuf_mtod(m[got], uint8_t *);
		memcpy(f + 1, &flow, 4);
		memcpy(f + 7, &flow, 4);
	}
	return got;
}

static uint16_t
sink_tx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	(void)p;
	(void)q;
	for (uint16_t i = 0; i < n; i++)
		stack[n_stack++] = m[i];
	return n;
}

static int
bench_open(struct port *p, const void *conf, struct err *e)
{
	(void)conf;
	(void)e;
	p->n_rxq = p->n_txq = 1;
	p->mtu = 1500;
	return 0;
}

static void
bench_close(struct port *p)
{
	(void)p;
}

/* --- Frames -------------------------------------------------------------------------------- */

static uint16_t tail = 1;
static const struct port_peek full = { .word = &tail, .mask = 0xffff }, empty = { .word = &tail, .mask = 0 };
static uint8_t payload[64];

static const struct port_peek *
frame_peek(struct port *p, uint16_t q)
{
	(void)q;
	return p->id == 1 ? &full : &empty;
}

static uint16_t
frame_take(struct port *p, uint16_t q, struct frames *fr)
{
	(void)p;
	(void)q;
	fr->n = fr->chains = BURST;
	fr->need = fr->n_more = 0;
	for (unsigned i = 0; i < BURST; i++) {
		uint32_t flow = n_flows == 1 ? 0 : draw();

		fr->f[i].first = (struct frame_buf){ payload, sizeof payload };
		fr->f[i].len = sizeof payload;
		fr->f[i].need = 0;
		fr->f[i].n_more = 0;
		memset(fr->hdr[i], 0, 64);
		memcpy(fr->hdr[i] + 1, &flow, 4);
		memcpy(fr->hdr[i] + 7, &flow, 4);
	}
	return BURST;
}

static void
frame_release(struct port *p, uint16_t q, struct frames *fr)
{
	(void)p;
	(void)q;
	(void)fr;
}

static uint16_t
frame_send(struct port *p, uint16_t q, const struct frames *fr, const uint8_t *idx, uint16_t n, uint16_t *sent,
	   uint64_t *bytes)
{
	(void)p;
	(void)q;
	(void)fr;
	(void)idx;
	*sent += n;
	*bytes += n * sizeof payload;
	return n;
}

static const struct port_frames frames = {
	.peek = frame_peek, .take = frame_take, .release = frame_release, .send = frame_send,
};

static uint16_t
no_tx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	(void)p;
	(void)q;
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static const struct port_type frame_port = {
	.name = "frame", .caps = PORT_CAP_TX_SHARED, .open = bench_open, .close = bench_close, .tx = no_tx, .frames = &frames,
};

static const struct port_type source = {
	.name = "source", .open = bench_open, .close = bench_close, .rx = source_rx, .tx = sink_tx,
};
static const struct port_type sink = { .name = "sink", .open = bench_open, .close = bench_close, .tx = sink_tx };

static bool two_masks;

static void
translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	(void)pkt;
	(void)view;
	memset(&out->mask.dl_dst, 0xff, sizeof out->mask.dl_dst);
	if (!two_masks || key->dl_dst.b[1] & 1)
		memset(&out->mask.dl_src, 0xff, sizeof out->mask.dl_src);
	xlate_tag(out, dp_tag_make(TAG_BRIDGE, 1));
	act_add(&out->acts, ACT_OUTPUT, 2, 0);
}

static void
port_mask(const void *view, uint16_t port, struct flow_key *m)
{
	(void)view;
	(void)port;
	memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
	memset(&m->dl_src, 0xff, sizeof m->dl_src);
}

static void
touch(const void *view, uint64_t t)
{
	(void)view;
	(void)t;
}

/* Of the process: all but nothing is the polling thread's.  Neighbours on its core do not count. */
static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
row(const char *isa, uint32_t flows, double seconds, bool in_frames)
{
	static const struct xlate_ops ops = { .translate = translate, .port_mask = port_mask, .touch = touch };
	struct dp_conf conf = {
		.n_lcores = 1, .cpu = { 1 }, .run_dir = "/tmp", .n_mbufs = 1024, .max_flows = 1 << 20, .poll_always = true,
		.isa = isa, .xlate = &ops,
	};
	struct dp_lcore_stats a, b;
	struct err e = { 0 };
	struct dp *dp = dp_create(&conf, &e);
	double cpu;

	if (!dp) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	n_flows = flows;
	next_flow = 0;
	dp_port_add(dp, in_frames ? &frame_port : &source, "source", 1, NULL, &e);
	dp_port_add(dp, in_frames ? &frame_port : &sink, "sink", 2, NULL, &e);
	dp_set_xlate_view(dp, "view", NULL);
	for (n_stack = 0; n_stack < N_BUFS; n_stack++) {
		stack[n_stack] = rte_pktmbuf_alloc(dp_port(dp, 1)->owner->pool);
		memset(rte_pktmbuf_append(stack[n_stack], 64), 0, 64);
	}
	dp_commit(dp, NULL, NULL);
	poll(NULL, 0, 300 + (int)(flows / 500));
	dp_lcore_stats(dp, 0, &a);
	cpu = cpu_ns();
	poll(NULL, 0, (int)(seconds * 1000));
	dp_lcore_stats(dp, 0, &b);
	cpu = cpu_ns() - cpu;
	printf("%-11s %-6s %8u  %6.1f  %6.1f  %7.2f  %6.3f  %6.3f\n", isa, in_frames ? "frames" : "mbufs", flows,
	       (double)(b.busy_cycles - a.busy_cycles) / (double)(b.packets - a.packets),
	       cpu * (double)b.tsc_hz / 1e9 / (double)(b.packets - a.packets),
	       (double)(b.packets - a.packets) / seconds / 1e6,
	       (double)(b.hint_hits - a.hint_hits) / (double)(b.packets - a.packets),
	       (double)(b.mega_hits - a.mega_hits) / (double)(b.packets - a.packets));
	dp_destroy(dp);
}

int
main(int argc, char **argv)
{
	char *eal[] = { argv[0], (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64", (char *)"--no-pci",
			(char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1", (char *)"--log-level", (char *)"4", NULL };
	double seconds = argc > 1 ? atof(argv[1]) : 1;

	if (rte_eal_init(ARRAY_SIZE(eal) - 1, eal) < 0)
		return 1;
	printf("%-11s %-6s %8s  %6s  %6s  %7s  %6s  %6s\n", "isa", "as", "flows", "cyc/pkt", "cpu/pkt", "Mpps", "hint", "mega");
	for (const char *const *isa = dp_isa_names(); *isa; isa++)
		for (unsigned f = 0; f < 8; f++)
			row(*isa, (const uint32_t[]){ 1, 1000, 20000, 200000 }[f % 4], seconds, f >= 4);
	return 0;
}
