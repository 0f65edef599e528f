/* SPDX-License-Identifier: Apache-2.0 */
/* Any virtio header with any frame: refused, or every packet that comes of it has right lengths and checksums, and they
 * carry what the frame carried.  Input: the header; a byte that says what the receiver takes; a byte of payload length;
 * the frame. */
#include <stdlib.h>
#include <string.h>

#include "datapath/offload.h"
#include "tests/datapath/offl_ref.h"
#include "tests/fuzz/bufs.h"

enum { HEAD = sizeof(struct virtio_net_hdr) + 2 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;

int
LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	pool = fuzz_pool(2047);
	return 0;
}

/* In buffers of an odd length, so that each header and checksum crosses their borders at some time. */
static struct rte_mbuf *
to_mbuf(const uint8_t *b, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;

	for (uint32_t done = 0; done < len;) {
		uint16_t part = (uint16_t)MIN_OF(len - done, done ? 1009u : 128u);

		if (done) {
			last->next = rte_pktmbuf_alloc(pool);
			last = last->next;
			m->nb_segs++;
		}
		memcpy(rte_pktmbuf_mtod(last, void *), b + done, part);
		last->data_len = part;
		m->pkt_len += part;
		done += part;
	}
	return m;
}

/* Where headers are, by the metadata. */
struct at {
	uint32_t o_l3, o_l4, l3, l4, hdr;
	bool o_v6, v6, udp, frags, cut;
};

static void
check_ip(const uint8_t *p, uint32_t l3, uint32_t len, bool v6, bool cut)
{
	const uint8_t *ip = p + l3;

	if (cut)
		must(v6 ? ref_get16(ip + 4) == len - l3 - 40 : ref_get16(ip + 2) == len - l3);
	if (cut && !v6)
		must(ref_sum(ip, (ip[0] & 15) * 4u, 0) == 0xffff);
}

static uint32_t
pseudo(const uint8_t *ip, bool v6, uint8_t proto, uint32_t len)
{
	return ref_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, proto + len);
}

static void
check_packet(const struct at *a, struct rte_mbuf *m, bool partial)
{
	static uint8_t buf[REF_MAX];
	uint32_t len = m->pkt_len, end = len;
	const uint8_t *p = rte_pktmbuf_read(m, 0, len, buf), *ip = p + a->l3;

	if (a->o_l4)
		check_ip(p, a->o_l3, len, a->o_v6, a->cut);
	check_ip(p, a->l3, len, a->v6, a->cut);
	if (a->frags || partial)
		return;
	/* Padding does not count. */
	if (!a->cut)
		end = a->l3 + (a->v6 ? 40 + ref_get16(ip + 4) : ref_get16(ip + 2));
	must(end <= len);
	must(ref_sum(p + a->l4, end - a->l4, pseudo(ip, a->v6, a->udp ? 17 : 6, end - a->l4)) == 0xffff);
	if (a->udp)
		must(ref_get16(p + a->l4 + 4) == end - a->l4);
}

static void
run(const struct virtio_net_hdr *v, uint16_t need, const uint8_t *b, uint32_t len, uint16_t accepts)
{
	struct rte_mbuf *m = to_mbuf(b, len), *out[OFFL_MAX_SEGS];
	struct virtio_net_hdr back;
	uint32_t wire, longest = 0, payload = 0, add;
	int why = 0;
	unsigned n;

	offl_to_mbuf(m, v, need);
	must(m->pkt_len == len);
	if (!offl_need(m)) {
		rte_pktmbuf_free(m);
		return;
	}
	must(offl_need(m) == need);

	struct at a = { .o_l3 = m->outer_l2_len, .o_l4 = m->outer_l3_len ? m->outer_l2_len + (uint32_t)m->outer_l3_len : 0,
		.l3 = (uint32_t)(m->outer_l2_len + m->outer_l3_len + m->l2_len), .o_v6 = m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV6,
		.v6 = m->ol_flags & RTE_MBUF_F_TX_IPV6, .udp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM,
		.frags = need & OFFL_UFO, .cut = m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG) };

	a.l4 = a.l3 + m->l3_len;
	a.hdr = a.l4 + m->l4_len;
	must(a.l4 == v->csum_start && a.hdr <= len);
	add = a.frags && a.v6 ? 8 : 0;
	wire = offl_wire_len(m);
	/* What a port that takes it all would be given. */
	offl_from_mbuf(m, &back);
	must(!memcmp(&back, v, sizeof back));
	n = offl_resolve(m, accepts, pool, out, OFFL_MAX_SEGS, &why);
	for (unsigned i = 0; i < n; i++) {
		must(!(offl_need(out[i]) & ~accepts));
		if (n > 1 || !(need & (uint16_t)~accepts)) {
			payload += out[i]->pkt_len - a.hdr - add;
			longest = MAX_OF(longest, out[i]->pkt_len);
		}
		if (need & (uint16_t)~accepts)
			check_packet(&a, out[i], offl_need(out[i]));
		rte_pktmbuf_free(out[i]);
	}
	if (n > 1) {
		must(payload == len - a.hdr);
		must(longest == wire);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t takes[] = { 0, OFFL_CSUM, OFFL_ALL & ~OFFL_TUNNEL, OFFL_CSUM | OFFL_TSO4, OFFL_ALL };
	struct virtio_net_hdr v;
	uint32_t len, room;
	uint16_t need;
	uint8_t *b, *head;

	if (size < HEAD + 14 || size > 2000)
		return 0;
	memcpy(&v, data, sizeof v);
	/* A long payload need not be in the input. */
	len = (uint32_t)(size - HEAD) + data[sizeof v + 1] * 200u;
	b = malloc(len);
	memset(b, 0x5a, len);
	memcpy(b, data + HEAD, size - HEAD);
	/* What is looked at is a block of exactly its length, for AddressSanitizer. */
	room = MIN_OF(len, 128u);
	head = malloc(room);
	memcpy(head, b, room);
	if (offl_check(&v, head, room, len, &need) && need)
		run(&v, need, b, len, takes[data[sizeof v] % ARRAY_SIZE(takes)]);
	free(head);
	free(b);
	must(rte_mempool_in_use_count(pool) == 0);
	return 0;
}
