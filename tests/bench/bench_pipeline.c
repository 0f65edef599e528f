/* SPDX-License-Identifier: Apache-2.0 */
/* What the packet path costs without any ring: cycles per packet from burst to output buffer, for each
 * instruction set and a few patterns of traffic.  The source port hands out the same mbufs again and again,
 * the sink port puts them back.  The second half of the rows is of frames in memory, whose port does nothing but write
 * their numbers: parse, look-up, grouping and one call of send().  Keys are a pair of MAC addresses, or (udp) a
 * 5-tuple, or (port) nothing but the input port; each flow is a megaflow of its own.  encap, decap: the flows of (port) into a
 * tunnel, or out of one.
 *
 * usage: bench_pipeline [seconds per row [isa [key [mbufs|frames [flows [tunnel type [4|6]]]]]]]   (needs no root; pin it:
 * taskset -c 1).  Each word but the first may be "all"; the type is vxlan and the underlay IPv4 unless said otherwise. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "datapath/dp.h"
#include "datapath/frame.h"
#include "datapath/tunnel.h"

enum { N_BUFS = 256, BURST = 32, PKT_MAX = 256, TUNNEL = 3 };
enum key_kind { KEY_PORT, KEY_MAC, KEY_UDP, KEY_ENCAP, KEY_DECAP, N_KEYS };

static const char *const key_name[N_KEYS] = { "port", "mac", "udp", "encap", "decap" };
static enum key_kind kind;
static const char *tunnel_type = "vxlan";
static bool over_ip6;

/* What the source sends: the frame inside starts at 'inner'. */
static uint8_t packet[PKT_MAX];
static uint32_t packet_len = 64, inner;

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

/* What differs between the frames of two flows. */
static inline void
frame_set(uint8_t *f)
{
	uint32_t flow = n_flows == 1 ? 0 : draw();

	f += inner;
	if (kind == KEY_UDP || kind == KEY_ENCAP || kind == KEY_DECAP) {
		flow = __builtin_bswap32(flow);
		memcpy(f + 26, &flow, 4);
		memcpy(f + 30, &flow, 4);
		memcpy(f + 34, (const uint8_t *)&flow + 2, 2);
	} else {
		memcpy(f + 1, &flow, 4);
		memcpy(f + 7, &flow, 4);
	}
}

static uint8_t udp_frame[64] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00,
	0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0, 7, 0, 9, 0, 30, 0, 0,
};

static uint16_t
source_rx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	uint16_t got = 0;

	(void)p;
	(void)q;
	for (; got < n && n_stack; got++) {
		m[got] = stack[--n_stack];
		if (kind == KEY_ENCAP || kind == KEY_DECAP) {
			rte_pktmbuf_reset(m[got]);
			memcpy(rte_pktmbuf_append(m[got], (uint16_t)packet_len), packet, PKT_MAX / 2);
		}
		frame_set(rte_pktmbuf_mtod(m[got], uint8_t *));
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
static uint8_t payload[PKT_MAX];

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
		fr->f[i].first = (struct frame_buf){ payload, packet_len };
		fr->f[i].len = packet_len;
		fr->f[i].need = 0;
		fr->f[i].n_more = 0;
		frame_begin(&fr->f[i]);
		memcpy(fr->row[i] + FRAME_ROOM, packet, 64);
		if (packet_len > 64)
			memcpy(fr->row[i] + FRAME_ROOM + 64, packet + 64, 64);
		frame_set(fr->row[i] + FRAME_ROOM);
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
	*bytes += n * packet_len;
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
static const struct port_type tunnel = { .name = "tunnel", .caps = PORT_CAP_VIRTUAL, .open = bench_open, .close = bench_close };
static const struct port_type sink = { .name = "sink", .open = bench_open, .close = bench_close, .tx = sink_tx };

/* The bits that make a flow. */
static void
key_bits(struct flow_key *m)
{
	switch (kind) {
	case KEY_UDP:
		m->dl_type = 0xffff;
		m->nw_proto = 0xff;
		m->nw_src = m->nw_dst = 0xffffffff;
		m->tp_src = m->tp_dst = 0xffff;
		break;
	case KEY_MAC:
		memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
		memset(&m->dl_src, 0xff, sizeof m->dl_src);
		break;
	default:
		break;
	}
}

static void
translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	(void)key;
	(void)pkt;
	(void)view;
	key_bits(&out->mask);
	xlate_tag(out, dp_tag_make(TAG_BRIDGE, 1));
	if (kind == KEY_ENCAP)
		act_add(&out->acts, ACT_TUN_PUSH, TUNNEL, 1);
	act_add(&out->acts, ACT_OUTPUT, 2, 0);
}

static void
port_mask(const void *view, uint16_t port, struct flow_key *m)
{
	(void)view;
	(void)port;
	key_bits(m);
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

/* --- Tunnels ------------------------------------------------------------------------------- */

static struct ipaddr
address(unsigned n)
{
	struct ipaddr a = { .b = { 0xfd, 0x16, [15] = (uint8_t)n } };

	return over_ip6 ? a : ip_from_v4(be32(0xac100000u + n));
}

/* Outer headers from address 'from' to 'to'. */
static void
template(struct tun_hdr *h, unsigned from, unsigned to)
{
	const struct tun_type *t = tun_type_find(tunnel_type);
	struct tun_conf conf = { .key = 5000, .dst_port = t->udp_port, .ttl = 64, .df = true, .flow_id = true, .csum = TUN_CSUM_OFF };
	struct tun_path path = { .local = address(from), .remote = address(to), .mtu = 1600, .dst_mac = { { 2, 0, 0, 0, 1, (uint8_t)to } },
				 .src_mac = { { 2, 0, 0, 0, 1, (uint8_t)from } } };
	struct err e;

	if (tun_hdr_build(t, &conf, &path, h, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
}

static struct tun_view *
tunnels(void)
{
	const struct tun_type *t = tun_type_find(tunnel_type);
	struct tun_endpoint e = { .type = t, .udp_port = t->udp_port, .port = TUNNEL, .key = 5000, .dst = 1, .remote = address(2),
				  .local = address(1), .zero_csum6 = true };
	struct tun_dst d = { .state = TUN_DST_READY, .port = TUNNEL, .underlay_port = 2, .max_frame = 1500, .type = t,
			     .local = address(1), .remote = address(2) };
	struct tun_view *v = tun_view_create();

	template(&d.hdr, 1, 2);
	tun_view_set_dst(v, 1, &d);
	tun_view_add_endpoint(v, &e);
	if (kind == KEY_DECAP)
		tun_view_add_underlay(v, 1, (struct mac){ { 2, 0, 0, 0, 1, 1 } });
	return v;
}

static void
make_packet(struct rte_mempool *pool)
{
	struct tun_batch b = { .n = 1, .pkt = { rte_pktmbuf_alloc(pool) } };
	struct tun_hdr h;

	memcpy(rte_pktmbuf_append(b.pkt[0], sizeof udp_frame), udp_frame, sizeof udp_frame);
	inner = 0;
	if (kind == KEY_DECAP) {
		template(&h, 2, 1);
		b.hdr = &h;
		tun_push(tun_type_find(tunnel_type), &b);
		inner = h.len;
	}
	packet_len = b.pkt[0]->pkt_len;
	memcpy(packet, rte_pktmbuf_mtod(b.pkt[0], const uint8_t *), packet_len);
	memcpy(payload, packet, packet_len);
	rte_pktmbuf_free(b.pkt[0]);
}

static void
row(const char *isa, uint32_t flows, double seconds, bool in_frames)
{
	static const struct xlate_ops ops = { .translate = translate, .port_mask = port_mask, .touch = touch };
	struct dp_conf conf = {
		.n_lcores = 1, .cpu = { 1 }, .run_dir = "/tmp", .n_mbufs = 1024, .max_flows = 1200000, .poll_always = true,
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
	dp_port_add(dp, &tunnel, "tunnel", TUNNEL, NULL, &e);
	dp_set_xlate_view(dp, "view", NULL);
	dp_set_tunnels(dp, tunnels());
	make_packet(dp_port(dp, 1)->owner->pool);
	for (n_stack = 0; n_stack < N_BUFS; n_stack++) {
		stack[n_stack] = rte_pktmbuf_alloc(dp_port(dp, 1)->owner->pool);
		memcpy(rte_pktmbuf_append(stack[n_stack], 64), udp_frame, 64);
	}
	dp_commit(dp, NULL, NULL);
	poll(NULL, 0, 300 + (int)(flows / 250));
	dp_lcore_stats(dp, 0, &a);
	cpu = cpu_ns();
	poll(NULL, 0, (int)(seconds * 1000));
	dp_lcore_stats(dp, 0, &b);
	cpu = cpu_ns() - cpu;
	printf("%-11s %-5s %-6s %8u  %6.1f  %6.1f  %7.2f  %6.3f  %6.3f\n", isa, key_name[kind], in_frames ? "frames" : "mbufs", flows,
	       (double)(b.busy_cycles - a.busy_cycles) / (double)(b.packets - a.packets),
	       cpu * (double)b.tsc_hz / 1e9 / (double)(b.packets - a.packets),
	       (double)(b.packets - a.packets) / seconds / 1e6,
	       (double)(b.hint_hits - a.hint_hits) / (double)(b.packets - a.packets),
	       (double)(b.mega_hits - a.mega_hits) / (double)(b.packets - a.packets));
	dp_destroy(dp);
}

static bool
wanted(int argc, char **argv, int i, const char *name)
{
	return argc <= i || !strcmp(argv[i], "all") || !strcmp(argv[i], name);
}

int
main(int argc, char **argv)
{
	static const uint32_t n[] = { 1, 1000, 20000, 200000, 1000000 };
	char *eal[] = { argv[0], (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64", (char *)"--no-pci",
			(char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1", (char *)"--log-level", (char *)"4", NULL };
	double seconds = argc > 1 ? atof(argv[1]) : 1;

	tunnel_type = argc > 6 ? argv[6] : tunnel_type;
	over_ip6 = argc > 7 && !strcmp(argv[7], "6");
	if (!tun_type_find(tunnel_type))
		return 1;

	if (rte_eal_init(ARRAY_SIZE(eal) - 1, eal) < 0)
		return 1;
	printf("%-11s %-5s %-6s %8s  %6s  %6s  %7s  %6s  %6s\n", "isa", "key", "as", "flows", "cyc/pkt", "cpu/pkt", "Mpps", "hint",
	       "mega");
	for (const char *const *isa = dp_isa_names(); *isa; isa++) {
		for (unsigned r = 0; r < 2 * N_KEYS * ARRAY_SIZE(n); r++) {
			uint32_t flows = n[r % ARRAY_SIZE(n)];
			bool in_frames = r / ARRAY_SIZE(n) % 2;
			char text[16];

			kind = (enum key_kind)(r / ARRAY_SIZE(n) / 2);
			snprintf(text, sizeof text, "%u", flows);
			if (wanted(argc, argv, 2, *isa) && wanted(argc, argv, 3, key_name[kind]) &&
			    wanted(argc, argv, 4, in_frames ? "frames" : "mbufs") && wanted(argc, argv, 5, text))
				row(*isa, flows, seconds, in_frames);
		}
	}
	return 0;
}
