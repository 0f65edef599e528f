/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the way in of a tunnel packet: peek, check, pop, ECN, then entropy of what came out.  Besides
 * memory errors it looks for answers that contradict each other. */
#include <stdlib.h>

#include "base/pkt.h"
#include "tests/tunnels/frame.h"
#include "tunnels/tun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
decapsulate(struct rte_mbuf *m)
{
	struct tun_outer peeked, o;
	struct tun_batch b = { .n = 1, .pkt = { m } };
	uint32_t before = m->pkt_len;

	if (!tun_outer_peek(m, &peeked)) {
		must(m->pkt_len == before);
		return;
	}
	if (tun_outer_check(m, &o) != TUN_OUTER_OK)
		return;
	must(o.port == peeked.port && o.v6 == peeked.v6 && ip_equal(&o.dst, &peeked.dst));
	must(o.total_len <= before && m->pkt_len == o.total_len && o.len <= o.total_len);
	must(pkt_pull(m, o.len));
	tun_types[0]->pop(&b);
	if (b.drop[0])
		return;
	must(b.meta[0].key <= tun_types[0]->key_max);
	tun_ecn_decap(m, o.tos);
	tun_entropy(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rte_mbuf *m;

	if (len > 2048)
		return 0;
	/* The first byte chooses the checksum flags: else nearly nothing would pass. */
	m = frame(data + (len > 0), len ? len - 1 : 0);
	if (len && data[0] & 1)
		m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	decapsulate(m);
	frame_free(m);

	/* Any bytes may be a guest's frame or what a tunnel carried. */
	m = frame(data, len);
	tun_entropy(m);
	tun_ecn_decap(m, 0x03);
	frame_free(m);
	return 0;
}
