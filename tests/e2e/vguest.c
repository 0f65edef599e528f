/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for a guest: drives DPDK ports (net_virtio_user: what a guest's virtio-net driver would do; net_vhost:
 * the other side) and counts.  It starts in a fraction of a second, needs no hugepages, and dies as abruptly as a test
 * wants it to.
 *
 *   usage: vguest EAL... -- [--cross] [--reflect] [--send PPS --dst MAC] [--mac MAC] [--size N] [--vlan N]
 *                           [--seconds S] [--burst] [--spin]
 *     --cross    hands each frame of port 0 to port 1 and back: the simplest switch
 *     --reflect  returns marked frames to their sender
 *     --send     sends marked frames from port 0, --burst: in bursts of 32
 *     --spin     never sleeps: for round trips that are not its own
 * Once in 200 ms it prints a line of JSON: time, frames sent and received per port, marked frames received,
 * sequence gaps, mean round trip of the marked frames that came back, and how many of them took less than 2, 4, 8... us.
 * SIGUSR1 makes it stop sending, or go on. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

enum { BURST = 32, MAX_PORTS = 8, MARK = 0x57656674, N_DESC = 256, N_BANDS = 24 };

struct mark {
	uint32_t magic;
	uint32_t seq;
	uint64_t sent_tsc;
	uint32_t returned;
} __attribute__((packed));

static struct {
	bool cross, reflect, bursts, spin;
	double pps, seconds;
	uint16_t size, vlan;
	struct rte_ether_addr mac, dst;
} opt = { .size = 64 };

static struct {
	uint64_t rx[MAX_PORTS], tx[MAX_PORTS];
	uint64_t marked, gaps, returned, rtt_tsc, rtt_min, rtt_max;
	uint64_t bands[N_BANDS];        /* Round trips under 2^(i+1) us. */
	uint32_t next_seq;
} seen;

static struct rte_mempool *pool;
static volatile sig_atomic_t stop, mute;

static void
on_signal(int sig)
{
	if (sig == SIGUSR1)
		mute = !mute;
	else
		stop = sig;
}

static size_t
mark_offset(void)
{
	return sizeof(struct rte_ether_hdr) + (opt.vlan ? sizeof(struct rte_vlan_hdr) : 0) +
	       sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr);
}

/* One marked UDP frame, 'size' bytes without FCS. */
static struct rte_mbuf *
make_frame(uint32_t seq)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint16_t size = RTE_MAX(opt.size, mark_offset() + sizeof(struct mark));
	uint8_t *p;

	if (!m)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, size);
	memset(p, 0, size);
	struct rte_ether_hdr *eth = (void *)p;
	eth->dst_addr = opt.dst;
	eth->src_addr = opt.mac;
	p += sizeof(*eth);
	if (opt.vlan) {
		struct rte_vlan_hdr *v = (void *)p;
		eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
		v->vlan_tci = rte_cpu_to_be_16(opt.vlan);
		v->eth_proto = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
		p += sizeof(*v);
	} else {
		eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	}
	struct rte_ipv4_hdr *ip = (void *)p;
	uint16_t l3 = size - (p - rte_pktmbuf_mtod(m, uint8_t *));
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16(l3);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(0x0a630000 | opt.mac.addr_bytes[5]);
	ip->dst_addr = rte_cpu_to_be_32(0x0a630000 | opt.dst.addr_bytes[5]);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	struct rte_udp_hdr *udp = (void *)(ip + 1);
	udp->src_port = udp->dst_port = rte_cpu_to_be_16(9);
	udp->dgram_len = rte_cpu_to_be_16(l3 - sizeof(*ip));
	struct mark *k = (void *)(udp + 1);
	*k = (struct mark){ MARK, seq, rte_rdtsc(), 0 };
	return m;
}

static void
send_all(uint16_t port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t done = rte_eth_tx_burst(port, 0, m, n);

	seen.tx[port] += done;
	rte_pktmbuf_free_bulk(m + done, n - done);
}

/* Counts a received frame; true when it is to go back. */
static bool
receive(struct rte_mbuf *m)
{
	struct mark *k = rte_pktmbuf_mtod_offset(m, struct mark *, mark_offset());
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	if (m->data_len < mark_offset() + sizeof(*k) || k->magic != MARK)
		return false;
	if (k->returned) {
		uint64_t rtt = rte_rdtsc() - k->sent_tsc, us = rtt / (rte_get_tsc_hz() / 1000000);
		unsigned band = 63 - __builtin_clzll(us | 1);

		seen.bands[RTE_MIN(band, N_BANDS - 1u)]++;
		seen.returned++;
		seen.rtt_tsc += rtt;
		seen.rtt_max = RTE_MAX(seen.rtt_max, rtt);
		seen.rtt_min = seen.rtt_min ? RTE_MIN(seen.rtt_min, rtt) : rtt;
		return false;
	}
	seen.marked++;
	if (k->seq != seen.next_seq)
		seen.gaps++;
	seen.next_seq = k->seq + 1;
	if (!opt.reflect)
		return false;
	k->returned = 1;
	RTE_SWAP(eth->src_addr, eth->dst_addr);
	return true;
}

static bool
poll_port(uint16_t port)
{
	struct rte_mbuf *m[BURST], *back[BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, m, BURST), n_back = 0;

	seen.rx[port] += n;
	if (opt.cross) {
		send_all(port ^ 1, m, n);
		return n;
	}
	for (uint16_t i = 0; i < n; i++) {
		if (receive(m[i]))
			back[n_back++] = m[i];
		else
			rte_pktmbuf_free(m[i]);
	}
	send_all(port, back, n_back);
	return n;
}

static void
print_line(double now)
{
	double us = 1e6 / rte_get_tsc_hz();

	printf("{\"t\": %.3f, \"rx\": [", now);
	for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++)
		printf("%s%" PRIu64, p ? ", " : "", seen.rx[p]);
	printf("], \"tx\": [");
	for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++)
		printf("%s%" PRIu64, p ? ", " : "", seen.tx[p]);
	printf("], \"marked\": %" PRIu64 ", \"gaps\": %" PRIu64 ", \"returned\": %" PRIu64
	       ", \"rtt_us\": %.1f, \"rtt_min_us\": %.1f, \"rtt_max_us\": %.1f, \"bands\": [",
	       seen.marked, seen.gaps, seen.returned,
	       seen.returned ? seen.rtt_tsc * us / seen.returned : 0, seen.rtt_min * us, seen.rtt_max * us);
	for (unsigned i = 0; i < N_BANDS; i++)
		printf("%s%" PRIu64, i ? ", " : "", seen.bands[i]);
	printf("]}\n");
	fflush(stdout);
}

static void
run(void)
{
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), next_print = start + hz / 5;
	uint64_t gap = opt.pps > 0 ? hz / opt.pps * (opt.bursts ? BURST : 1) : 0, next_send = start;
	uint32_t seq = 0;

	while (!stop) {
		uint64_t now = rte_rdtsc();
		bool busy = false;

		for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++)
			busy |= poll_port(p);
		if (gap && now >= next_send) {
			struct rte_mbuf *m[BURST];
			uint16_t n = 0;

			while (!mute && n < (opt.bursts ? BURST : 1) && (m[n] = make_frame(seq)) != NULL)
				n++, seq++;
			send_all(0, m, n);
			/* After a pause of the machine: carry on, do not catch up. */
			next_send = RTE_MAX(next_send + gap, now);
			busy = true;
		}
		if (now >= next_print) {
			struct rte_eth_link link;

			/* virtio_user takes a switch that came back only when it is asked for its link. */
			for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++)
				rte_eth_link_get_nowait(p, &link);
			print_line((double)(now - start) / hz);
			next_print = now + hz / 5;
		}
		if (opt.seconds > 0 && now - start > opt.seconds * hz)
			break;
		if (!busy && !opt.spin)
			usleep(20);
	}
	print_line((double)(rte_rdtsc() - start) / hz);
}

static void
open_port(uint16_t port)
{
	struct rte_eth_conf conf = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) < 0 ||
	    rte_eth_rx_queue_setup(port, 0, N_DESC, rte_socket_id(), NULL, pool) < 0 ||
	    rte_eth_tx_queue_setup(port, 0, N_DESC, rte_socket_id(), NULL) < 0 || rte_eth_dev_start(port) < 0)
		rte_exit(EXIT_FAILURE, "port %u does not start\n", port);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cross", no_argument, NULL, 'c' },       { "reflect", no_argument, NULL, 'r' },
		{ "burst", no_argument, NULL, 'b' },       { "send", required_argument, NULL, 's' },
		{ "dst", required_argument, NULL, 'd' },   { "mac", required_argument, NULL, 'm' },
		{ "size", required_argument, NULL, 'z' },  { "vlan", required_argument, NULL, 'v' },
		{ "seconds", required_argument, NULL, 't' }, { "spin", no_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	memset(&opt.dst, 0xff, sizeof(opt.dst));
	rte_ether_unformat_addr("02:00:00:00:00:01", &opt.mac);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		bool bad = false;

		switch (c) {
		case 'c': opt.cross = true; break;
		case 'r': opt.reflect = true; break;
		case 'b': opt.bursts = true; break;
		case 'p': opt.spin = true; break;
		case 's': opt.pps = atof(optarg); break;
		case 'd': bad = rte_ether_unformat_addr(optarg, &opt.dst); break;
		case 'm': bad = rte_ether_unformat_addr(optarg, &opt.mac); break;
		case 'z': opt.size = atoi(optarg); break;
		case 'v': opt.vlan = atoi(optarg); break;
		case 't': opt.seconds = atof(optarg); break;
		default: bad = true;
		}
		if (bad || opt.size > RTE_MBUF_DEFAULT_DATAROOM)
			rte_exit(EXIT_FAILURE, "bad option, see the head of vguest.c\n");
	}
}

int
main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);

	if (n < 0)
		rte_exit(EXIT_FAILURE, "EAL does not start\n");
	parse_options(argc - n, argv + n);
	if (rte_eth_dev_count_avail() < (opt.cross ? 2 : 1) || rte_eth_dev_count_avail() > MAX_PORTS)
		rte_exit(EXIT_FAILURE, "%u ports\n", rte_eth_dev_count_avail());
	pool = rte_pktmbuf_pool_create("frames", 4096, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	if (!pool)
		rte_exit(EXIT_FAILURE, "no memory for frames\n");
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGUSR1, on_signal);
	for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++)
		open_port(p);
	printf("{\"ready\": true}\n");
	fflush(stdout);
	run();
	for (uint16_t p = 0; p < rte_eth_dev_count_avail(); p++) {
		rte_eth_dev_stop(p);
		rte_eth_dev_close(p);
	}
	rte_eal_cleanup();
	return 0;
}
