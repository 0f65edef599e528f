/* SPDX-License-Identifier: Apache-2.0 */
/* Long TCP frames cut into segments: our own (datapath/segment.c) beside librte_gso, on the same frames.  Each has to
 * deliver what a port without offloads takes, checksums included ("complete"), or what one takes that completes them
 * ("partial"); then the segments are copied into a flat buffer each, as all our ports do.
 *
 * librte_gso takes headers as a copy and payload by reference, and leaves all checksums to a device; here they are made
 * by rte_ipv4_cksum() and rte_raw_cksum_mbuf().  It knows no IPv6.
 *
 * usage: bench_segment [seconds per row]      (needs no root; pin it: taskset -c 1) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_gso.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "base/byteorder.h"
#include "datapath/offload.h"

enum { MSS = 1448, HEADERS = 14 + 20 + 32, ROOM = 2048 };

static struct rte_mempool *pool, *indirect;
static uint8_t flat[OFFL_MAX_SEGS][ROOM];

/* As a frame from a guest's memory becomes packet buffers: a chain of full ones. */
static struct rte_mbuf *
make(uint32_t payload)
{
	uint32_t len = HEADERS + payload, left = len;
	struct rte_mbuf *m = NULL, *last = NULL;

	while (left) {
		struct rte_mbuf *s = rte_pktmbuf_alloc(pool);

		if (!s)
			abort();
		s->data_len = (uint16_t)MIN_OF(left, (uint32_t)rte_pktmbuf_tailroom(s));
		for (uint16_t i = 0; i < s->data_len; i++)
			rte_pktmbuf_mtod(s, uint8_t *)[i] = (uint8_t)(left * 7 + i * 31u + (i >> 5));
		left -= s->data_len;
		if (last) {
			last->next = s;
			m->nb_segs++;
		} else {
			m = s;
		}
		last = s;
	}
	m->pkt_len = len;

	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (void *)(eth + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	memset(eth, 0, HEADERS);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(len - 14));
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	tcp->data_off = 8 << 4;
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
	m->ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->l2_len = 14;
	m->l3_len = 20;
	m->l4_len = 32;
	m->tso_segsz = MSS;
	return m;
}

static unsigned
own(struct rte_mbuf *m, bool complete, struct rte_mbuf **out)
{
	int why;

	m->ol_flags &= ~RTE_MBUF_F_TX_IP_CKSUM;
	return offl_resolve(m, complete ? 0 : OFFL_CSUM, pool, out, OFFL_MAX_SEGS, &why);
}

static uint16_t
tcp_cksum(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip)
{
	uint32_t sum = rte_ipv4_phdr_cksum(ip, 0);
	uint16_t raw;

	if (rte_raw_cksum_mbuf(m, 34, m->pkt_len - 34, &raw))
		abort();
	sum += raw;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static unsigned
library(struct rte_mbuf *m, bool complete, struct rte_mbuf **out)
{
	struct rte_gso_ctx ctx = { .direct_pool = pool, .indirect_pool = indirect, .gso_types = RTE_ETH_TX_OFFLOAD_TCP_TSO,
				   .gso_size = HEADERS + MSS };
	int n = rte_gso_segment(m, &ctx, out, OFFL_MAX_SEGS);

	if (n <= 0)
		abort();
	for (int i = 0; i < n; i++) {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(out[i], struct rte_ipv4_hdr *, 14);
		struct rte_tcp_hdr *tcp = (void *)(ip + 1);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		tcp->cksum = 0;
		tcp->cksum = complete ? tcp_cksum(out[i], ip) : rte_ipv4_phdr_cksum(ip, 0);
	}
	/* The segments hold what they refer to. */
	rte_pktmbuf_free(m);
	return (unsigned)n;
}

static void
copy_out(struct rte_mbuf *m, uint8_t *to)
{
	for (; m; m = m->next) {
		memcpy(to, rte_pktmbuf_mtod(m, const void *), m->data_len);
		to += m->data_len;
	}
}

static void
row(uint32_t payload, bool complete, double seconds)
{
	double cycles[2];

	for (unsigned who = 0; who < 2; who++) {
		uint64_t end = rte_rdtsc() + (uint64_t)(seconds * (double)rte_get_tsc_hz()), spent = 0, frames = 0;

		while (rte_rdtsc() < end) {
			struct rte_mbuf *m = make(payload), *out[OFFL_MAX_SEGS];
			uint64_t t = rte_rdtsc();
			unsigned n = who ? library(m, complete, out) : own(m, complete, out);

			for (unsigned i = 0; i < n; i++)
				copy_out(out[i], flat[i]);
			rte_pktmbuf_free_bulk(out, n);
			spent += rte_rdtsc() - t;
			frames++;
		}
		cycles[who] = (double)spent / (double)frames;
	}
	printf("%7u  %-9s %10.0f %10.0f %9.2f %9.2f %8.2f\n", payload, complete ? "complete" : "partial", cycles[0], cycles[1],
	       cycles[0] / payload, cycles[1] / payload, cycles[1] / cycles[0]);
}

/* Both make the same bytes, or the figures say nothing.  librte_gso numbers the packets differently. */
static void
same_bytes(void)
{
	static uint8_t first[OFFL_MAX_SEGS][ROOM];
	struct rte_mbuf *out[OFFL_MAX_SEGS];
	unsigned n = own(make(20000), true, out), k;

	for (unsigned i = 0; i < n; i++)
		copy_out(out[i], first[i]);
	rte_pktmbuf_free_bulk(out, n);
	k = library(make(20000), true, out);
	for (unsigned i = 0; i < k; i++) {
		copy_out(out[i], flat[i]);
		if (memcmp(first[i] + 34, flat[i] + 34, out[i]->pkt_len - 34) || memcmp(first[i] + 14, flat[i] + 14, 4)) {
			fprintf(stderr, "segment %u is not the same\n", i);
			exit(1);
		}
	}
	if (n != k)
		exit(1);
	rte_pktmbuf_free_bulk(out, k);
}

int
main(int argc, char **argv)
{
	char *eal[] = { argv[0], (char *)"--no-huge", (char *)"-m", (char *)"128", (char *)"--no-pci", (char *)"--no-shconf",
			(char *)"--no-telemetry", (char *)"--log-level", (char *)"4", NULL };
	double seconds = argc > 1 ? atof(argv[1]) : 1;

	if (rte_eal_init(9, eal) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("direct", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	indirect = rte_pktmbuf_pool_create("indirect", 8191, 256, 0, 0, 0);
	if (!pool || !indirect)
		return 1;
	same_bytes();
	printf("payload  checksums   own: cyc    gso: cyc   own: c/B  gso: c/B  gso/own\n");
	for (unsigned complete = 0; complete < 2; complete++) {
		row(2 * MSS, !complete, seconds);
		row(11 * MSS, !complete, seconds);
		row(45 * MSS, !complete, seconds);
	}
	return 0;
}
