/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the way in of one encapsulation, FUZZ_TYPE: outer headers and its own, or its own alone.  Besides memory errors
 * it looks for answers that contradict each other.  Each type has its target (fuzz_pop_NAME) and its corpus, which began
 * as the frames of specs/vectors. */
#include <stdlib.h>

#include "base/pkt.h"
#include "tests/tunnels/frame.h"
#include "tunnels/tlv.h"
#include "tunnels/tun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Bits of the first byte. */
enum { NO_CSUM = 1, BARE = 2, CHAINED = 4, UNDONE = 8 };

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* Options: in order, else the type would have refused them; of the first one a table is made that knows it. */
static void
options(const struct rte_mbuf *m, const struct tun_meta *meta)
{
	const uint8_t *opts = rte_pktmbuf_mtod(m, const uint8_t *) - meta->opts_len;
	static const uint64_t key[2] = { 1, 2 };
	uint8_t digest[TLV_DIGEST_LEN], none[TLV_DIGEST_LEN] = { 0 };
	struct tlv_table t = { .examined = true };
	bool critical;

	must(tlv_check(opts, meta->opts_len, &critical) && critical == !!(meta->flags & TUN_META_CRITICAL));
	must(tlv_known(NULL, opts, meta->opts_len) == !critical);
	if (!meta->opts_len)
		return;
	t.row[3] = (struct tlv_row){ .class = host16(load_be16(opts)), .type = opts[2], .len = (opts[3] & TLV_LEN) * 4, .examined = true,
				     .mask = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	if (t.row[3].len > TLV_DATA_MAX)
		return;
	tlv_digest(&t, key, opts, meta->opts_len, digest);
	must(!t.row[3].len == !memcmp(digest, none, sizeof none));
	must(tlv_row_of(&t, opts) == (t.row[3].len ? &t.row[3] : NULL));
}

static void
pop(const struct tun_type *t, struct rte_mbuf *m, uint8_t tos)
{
	struct tun_batch b = { .n = 1, .pkt = { m } };
	uint32_t before = m->pkt_len, n_drops = 0;

	while (t->drops[n_drops])
		n_drops++;
	t->pop(&b);
	must(b.drop[0] < n_drops);
	if (t->drop_kinds)
		must(t->drop_kinds[b.drop[0]] < TUN_N_DROP_KINDS);
	if (b.drop[0]) {
		must(m->pkt_len == before);
		return;
	}
	must(m->pkt_len < before && b.meta[0].key <= t->key_max);
	if (t->caps & TUN_CAP_OPTIONS)
		options(m, &b.meta[0]);
	tun_ecn_decap(m, tos);
	tun_entropy(m);
}

/* A type that keeps packets until they make a larger one: pieces, each behind its length. */
static void
pop_pieces(const struct tun_type *t, const uint8_t *data, size_t len)
{
	struct rte_mbuf *lost[4];
	unsigned n;

	while (len > 2) {
		uint32_t take = data[0] | (data[1] & 7) << 8;
		struct tun_batch b = { .n = 1 };

		data += 2;
		len -= 2;
		take = take < len ? take : (uint32_t)len;
		b.pkt[0] = frame(data, take);
		t->pop(&b);
		data += take;
		len -= take;
		if (b.drop[0] == TUN_HELD) {
			must(t->holds());
		} else {
			if (!b.drop[0]) {
				tun_ecn_decap(b.pkt[0], b.meta[0].tos);
				tun_entropy(b.pkt[0]);
			}
			frame_free(b.pkt[0]);
		}
	}
	while ((n = t->reap(true, lost, 4)) > 0)
		while (n)
			frame_free(lost[--n]);
	must(!t->holds());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct tun_type *t = tun_type_find(FUZZ_TYPE);
	uint8_t how = len ? data[0] : 0;
	struct tun_outer peeked, o;
	struct rte_mbuf *m;

	if (!len || len > 8192)
		return 0;
	data++;
	len--;
	if (t->reap) {
		pop_pieces(t, data, len);
		return 0;
	}
	if (how & CHAINED && len > 64) {
		m = frame(data, 64);
		frame_chain(m, frame(data + 64, (uint32_t)len - 64));
	} else {
		m = frame(data, (uint32_t)len);
	}
	m->ol_flags = (how & NO_CSUM ? RTE_MBUF_F_RX_L4_CKSUM_NONE : 0) | (how & UNDONE ? RTE_MBUF_F_TX_TCP_SEG : 0);
	if (how & BARE) {
		pop(t, m, how);
	} else if (tun_outer_peek(m, &peeked) && peeked.ip_proto == t->ip_proto && !m->next &&
		   tun_outer_check(m, &o) == TUN_OUTER_OK) {
		must(o.port == peeked.port && ip_equal(&o.dst, &peeked.dst) && ip_equal(&o.src, &peeked.src));
		must(m->pkt_len == o.total_len && pkt_pull(m, o.len));
		pop(t, m, o.tos);
	}
	frame_free(m);
	return 0;
}
