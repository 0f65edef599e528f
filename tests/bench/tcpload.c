/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a TCP stream without the stack: two virtio-user ports, one of which sends segments with real headers as a
 * guest's driver would (64 KiB ones where the switch offers TSO, else of one MSS), the other counts what comes and
 * acknowledges it.  So the switch is the limit, not the stack of an emulated guest.
 *
 *   usage: tcpload EAL... -- SECONDS [mss] [KIB] [vxlan|stt wire0|wire1]
 *
 *   mss: no TSO even where it is offered.  wire0, wire1: that port is not a guest's but the wire's: what goes there is
 *   encapsulated, what comes from there is believed to be.
 *
 * No payload is written or read here, no checksum is made: for segments of one MSS that is less than a guest would do.
 * Sent and not yet received are KIB kibibytes (2048) at most.  Prints a line of JSON for each quarter of a second. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

enum { BURST = 32, N_DESC = 1024, MSS = 1448, HEADERS = 14 + 20 + 32, TCP_LEN = 32 };

static struct rte_mempool *big, *small;
static bool tso;
static uint32_t segment;                /* Payload bytes of a frame. */
static uint64_t window = 2 << 20;

/* The wire's headers: 172.16.0.2 to 172.16.0.1, VNI or context id 100. */
enum { NO_WIRE = 2, VXLAN_HEADERS = 14 + 20 + 8 + 8, STT_HEADERS = 14 + 20 + 20 + 18, STT_PARTIAL_TCP4 = 0x0e };

static bool stt;
static uint16_t wire = NO_WIRE;

static uint32_t
outer_len(uint16_t port)
{
	return port != wire ? 0 : stt ? STT_HEADERS : VXLAN_HEADERS;
}

static struct {
	uint64_t bytes, frames, gaps, sent;
	uint32_t next_seq;
} seen;

static void
port_start(uint16_t port)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	struct rte_eth_txconf tx;

	rte_eth_dev_info_get(port, &info);
	conf.rxmode.offloads = info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
						       RTE_ETH_RX_OFFLOAD_SCATTER);
	conf.txmode.offloads = info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
						       RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	if (port == 0)
		tso = tso && info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO;
	tx = info.default_txconf;
	tx.offloads = conf.txmode.offloads;
	/* Frames go back to the pool early, so that the same few are used again, as a stack's would be. */
	tx.tx_free_thresh = N_DESC - 8;
	if (rte_eth_dev_configure(port, 1, 1, &conf) || rte_eth_rx_queue_setup(port, 0, N_DESC, 0, NULL, small) ||
	    rte_eth_tx_queue_setup(port, 0, N_DESC, 0, &tx) || rte_eth_dev_start(port))
		rte_exit(1, "port %u: %s\n", port, rte_strerror(rte_errno));
}

/* Headers of a segment with 'len' bytes of payload, from the sender or (an acknowledgement) to it. */
static void
put_headers(uint8_t *p, bool back, uint32_t len, uint32_t seq)
{
	struct rte_ether_hdr *eth = (void *)p;
	struct rte_ipv4_hdr *ip = (void *)(eth + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	memset(p, 0, HEADERS);
	eth->src_addr = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, back ? 2 : 1 } };
	eth->dst_addr = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, back ? 1 : 2 } };
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + TCP_LEN + len));
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = RTE_BE32(0x0a000001u + back);
	ip->dst_addr = RTE_BE32(0x0a000002u - back);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->src_port = back ? RTE_BE16(5201) : RTE_BE16(40000);
	tcp->dst_port = back ? RTE_BE16(40000) : RTE_BE16(5201);
	tcp->sent_seq = rte_cpu_to_be_32(seq);
	tcp->data_off = TCP_LEN / 4 << 4;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG;
	tcp->rx_win = RTE_BE16(0xffff);
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
}

/* In front of an inner frame of 'len' bytes. */
static void
put_outer(uint8_t *p, uint32_t len, bool cut)
{
	struct rte_ether_hdr *eth = (void *)p;
	struct rte_ipv4_hdr *ip = (void *)(eth + 1);
	struct rte_udp_hdr *udp = (void *)(ip + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);
	uint8_t *own = p + (stt ? STT_HEADERS - 18 : VXLAN_HEADERS - 8);
	static uint32_t id;

	memset(p, 0, outer_len(wire));
	eth->src_addr = (struct rte_ether_addr){ { 2, 0, 0, 0xaa, 0, 2 } };
	eth->dst_addr = (struct rte_ether_addr){ { 2, 0, 0, 0xaa, 0, 1 } };
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(outer_len(wire) - 14 + len));
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = stt ? IPPROTO_TCP : IPPROTO_UDP;
	ip->src_addr = RTE_BE32(0xac100002);
	ip->dst_addr = RTE_BE32(0xac100001);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (!stt) {
		*udp = (struct rte_udp_hdr){ .src_port = RTE_BE16(50000), .dst_port = RTE_BE16(4789),
					     .dgram_len = rte_cpu_to_be_16((uint16_t)(16 + len)) };
		own[0] = 0x08;
		own[6] = 100;
		return;
	}
	tcp->src_port = RTE_BE16(50000);
	tcp->dst_port = RTE_BE16(7471);
	tcp->sent_seq = rte_cpu_to_be_32((18 + len) << 16);
	tcp->recv_ack = rte_cpu_to_be_32(++id);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG;
	tcp->rx_win = 0xffff;
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
	if (cut) {
		own[1] = STT_PARTIAL_TCP4;
		own[2] = 34;
		own[4] = MSS >> 8;
		own[5] = MSS & 0xff;
	}
	own[15] = 100;
}

/* A segment for 'port', with its headers. */
static void
make(struct rte_mbuf *m, uint16_t port, bool back, uint32_t len, uint32_t seq)
{
	uint32_t outer = outer_len(port);
	bool cut = tso && !back;

	put_headers(rte_pktmbuf_mtod_offset(m, uint8_t *, outer), back, len, seq);
	m->data_len = (uint16_t)(outer + HEADERS + len);
	m->pkt_len = m->data_len;
	if (outer)
		put_outer(rte_pktmbuf_mtod(m, uint8_t *), HEADERS + len, cut);
	if (outer && stt) {
		m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
		m->l4_len = 20;
		m->tso_segsz = MSS + HEADERS + 18;
	} else if (cut) {
		m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
		m->l4_len = TCP_LEN;
		m->tso_segsz = MSS;
	}
	m->l2_len = 14;
	m->l3_len = 20;
	if (cut)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
}

static void
send_some(uint32_t *seq)
{
	struct rte_mbuf *m[BURST];
	unsigned n = tso ? 4 : BURST;
	uint16_t done;

	if (seen.sent - seen.bytes + (uint64_t)n * segment > window || rte_pktmbuf_alloc_bulk(big, m, n))
		return;
	for (unsigned i = 0; i < n; i++)
		make(m[i], 0, false, segment, *seq + i * segment);
	done = rte_eth_tx_burst(0, 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m + done, n - done);
	*seq += done * segment;
	seen.sent += (uint64_t)done * segment;
}

static void
acknowledge(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(small);

	if (!m)
		return;
	make(m, 1, true, 0, 1);
	if (!rte_eth_tx_burst(1, 0, &m, 1))
		rte_pktmbuf_free(m);
}

/* One acknowledgement for 64 KiB, as where the receiver puts segments together. */
static void
receive(void)
{
	static uint64_t acked;
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(1, 0, m, BURST);

	for (uint16_t i = 0; i < n; i++) {
		uint32_t off = outer_len(1) + 34;
		const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m[i], const struct rte_tcp_hdr *, off);
		uint32_t seq = rte_be_to_cpu_32(tcp->sent_seq), len = m[i]->pkt_len - HEADERS - outer_len(1);

		/* What a wire carries besides. */
		if (m[i]->pkt_len < HEADERS + outer_len(1) || tcp->src_port != RTE_BE16(40000))
			continue;
		/* What was lost is no longer under way. */
		if (seq != seen.next_seq) {
			seen.gaps++;
			seen.sent -= seq - seen.next_seq;
		}
		seen.next_seq = seq + len;
		seen.bytes += len;
		seen.frames++;
	}
	rte_pktmbuf_free_bulk(m, n);
	if (seen.bytes - acked > 1 << 16) {
		acked = seen.bytes;
		acknowledge();
	}
	n = rte_eth_rx_burst(0, 0, m, BURST);
	rte_pktmbuf_free_bulk(m, n);
}

static void
run(double seconds)
{
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), slice = start, stalled = start, was = 0, bytes = 0;
	uint32_t seq = 0;

	while (rte_rdtsc() - start < (uint64_t)(seconds * (double)hz)) {
		uint64_t now = rte_rdtsc();

		send_some(&seq);
		receive();
		if (seen.bytes != was) {
			was = seen.bytes;
			stalled = now;
		} else if (now - stalled > hz / 50) {
			/* All that was under way is lost: a retransmission timer. */
			seen.sent = seen.bytes;
			stalled = now;
			acknowledge();
		}
		if (now - slice < hz / 4)
			continue;
		printf("{\"gbps\": %.2f, \"tso\": %s, \"frames\": %" PRIu64 ", \"gaps\": %" PRIu64 "}\n",
		       (double)(seen.bytes - bytes) * 8e-9 * (double)hz / (double)(now - slice), tso ? "true" : "false",
		       seen.frames, seen.gaps);
		fflush(stdout);
		bytes = seen.bytes;
		slice = rte_rdtsc();
	}
}

int
main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);

	if (used < 0 || argc - used < 2 || rte_eth_dev_count_avail() != 2) {
		fprintf(stderr, "usage: see the head of tcpload.c\n");
		return 2;
	}
	tso = true;
	for (int i = used + 2; i < argc; i++)
		if (!strcmp(argv[i], "mss"))
			tso = false;
		else if (!strcmp(argv[i], "stt") || !strcmp(argv[i], "vxlan"))
			stt = argv[i][0] == 's';
		else if (!strncmp(argv[i], "wire", 4))
			wire = argv[i][4] == '1';
		else
			window = strtoull(argv[i], NULL, 10) << 10;
	big = rte_pktmbuf_pool_create("big", N_DESC + 64, 32, 0, 65535, 0);
	small = rte_pktmbuf_pool_create("small", 8 * N_DESC, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!big || !small)
		rte_exit(1, "no memory for packets\n");
	for (uint16_t p = 0; p < 2; p++)
		port_start(p);
	/* Nobody can be told to cut what is in VXLAN; it comes cut. */
	tso = tso && (wire != 0 || stt);
	segment = tso ? 45 * MSS : MSS;
	for (unsigned i = 0; i < 10; i++) {
		acknowledge();
		rte_delay_ms(20);
	}
	run(atof(argv[used + 1]));
	return 0;
}
