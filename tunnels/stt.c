/* SPDX-License-Identifier: Apache-2.0 */
/* STT, draft-davie-stt-08: a frame of up to 64 KB behind a header that looks like TCP's, so that whatever cuts long TCP
 * packets cuts it.
 *
 *	TCP:	source port: entropy | 7471 | sequence: frame length (16), offset of this segment (16) | ack: id of the frame
 *	STT, in the segment with offset 0:
 *	0         1       2            3   4     6                    8                 16     18
 *	+---------+-------+------------+---+-----+--------------------+-----------------+------+
 *	| version | flags | L4 offset  | 0 | MSS | PCP 3  V 1  VID 12 | context id (64) | pad  |
 *	+---------+-------+------------+---+-----+--------------------+-----------------+------+
 *
 * What a frame's sender left to others (a checksum, the cutting into segments) is said in the header, and left to whoever
 * is behind the far end.  The packet itself is made a TCP packet to be cut and summed, which the underlay port does.  Tags
 * stay in the frame (V is 0) on the way out; on the way in V is trusted.  There is no connection, and nothing is sent
 * again: a lost segment loses the frame. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/pkt.h"
#include "tunnels/inner_priv.h"
#include "tunnels/stt_priv.h"
#include "tunnels/tun.h"

enum {
	STT_PORT = 7471,
	STT_HLEN = 18,
	STT_ALL_HLEN = TCP_HLEN + STT_HLEN,
	STT_F_VERIFIED = 0x01,
	STT_F_PARTIAL = 0x02,
	STT_F_IP4 = 0x04,
	STT_F_TCP = 0x08,
	STT_VLAN = 0x1000,              /* "V". */
	SEQ_OFF = 4, ACK_OFF = 8,       /* In the TCP header. */
	TCP_ACK_PSH = 0x5018,           /* Length of five words, and two flags that a middlebox expects. */
	DEFAULT_MTU = 1500,
	ID_STEP = 64,                   /* Threads differ below it. */
};

/* All that a frame's sender may have left to others. */
#define TX_FLAGS \
	(RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | \
	 RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TUNNEL_MASK)

enum stt_drop { STT_KEEP, STT_SHORT, STT_HEADER, STT_LENGTHS, STT_RUNT, STT_VERSION, STT_OFFLOAD, STT_DUPLICATE };

static const char *const stt_drops[] = { "keep", "short", "header", "lengths", "runt", "version", "offload", "overlap", NULL };

static const uint8_t stt_drop_kinds[] = { [STT_DUPLICATE] = TUN_DROP_OVERLAP };

static const struct opt_desc stt_opts[] = {
	{ "key", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, UINT32_MAX - 1, tun_flow_names, "0", false,
	  "context id, the same on both ends; 'flow' makes it all 64 bits", "5000" },
	TUN_COMMON_OPTS,
	{ "dst-port", OPT_U16, offsetof(struct tun_conf, dst_port), 1, 65535, NULL, "7471", false,
	  "port of the tunnel, here and at the far end", "7471" },
	{ .name = NULL },
};

/* --- Out ----------------------------------------------------------------------------------- */

static int
stt_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	uint8_t *p = h->b + h->len;

	(void)e;
	store_be16(p + 2, be16(conf->dst_port));
	store_be16(p + 12, be16(TCP_ACK_PSH));
	store_be16(p + 14, 0xffff);
	store_be64(p + TCP_HLEN + 8, be64(tun_key_is_flow(conf) ? 0 : conf->key));
	h->len += STT_ALL_HLEN;
	h->sport = true;
	h->seg_len = (uint16_t)((h->mtu ? h->mtu : DEFAULT_MTU) - (h->v6 ? IP6_HLEN : IP4_HLEN) - TCP_HLEN);
	return 0;
}

static void
stt_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		store_be64(h->b + h->own_off + TCP_HLEN + 8, be64(s->key));
}

/* Of the frames of a thread, whose number is in the low bits. */
static uint32_t
next_id(void)
{
	static _Atomic uint32_t n_threads;
	static __thread uint32_t id;
	static __thread bool started;

	if (UNLIKELY(!started)) {
		started = true;
		id = (uint32_t)hash_random_seed() * ID_STEP + atomic_fetch_add(&n_threads, 1) % ID_STEP;
	}
	return id += ID_STEP;
}

/* Says in the header what the frame's sender left to others, and writes the sum that a receiver may expect. */
static void
say_offload(uint8_t *stt, struct rte_mbuf *m, uint32_t frame_off)
{
	bool udp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM, v6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	uint32_t l4 = (uint32_t)m->l2_len + m->l3_len, l4_len = m->pkt_len - frame_off - l4;
	uint8_t *ip = pkt_peek(m, frame_off + m->l2_len, m->l3_len + (uint32_t)(udp ? UDP_HLEN : TCP_HLEN));
	bool cut = m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG);
	uint64_t sum;

	if (UNLIKELY(!ip || l4 > 255 || m->l3_len < (v6 ? IP6_HLEN : IP4_HLEN)))
		return;
	stt[1] = (uint8_t)(STT_F_PARTIAL | (v6 ? 0 : STT_F_IP4) | (udp ? 0 : STT_F_TCP));
	stt[2] = (uint8_t)l4;
	if (cut)
		store_be16(stt + 4, be16(m->tso_segsz));
	sum = csum_add((uint64_t)be16(udp ? 17 : 6) + be16((uint16_t)l4_len), ip + (v6 ? 8 : 12), v6 ? 32 : 8);
	store_be16(ip + m->l3_len + (udp ? 6 : 16), csum_fold(sum));
}

static void
patch_one(const struct tun_hdr *h, struct rte_mbuf *m)
{
	uint8_t *tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, h->own_off);
	uint32_t len = m->pkt_len - h->own_off - TCP_HLEN;

	store_be32(tcp + SEQ_OFF, be32(len << 16));
	store_be32(tcp + ACK_OFF, be32(next_id()));
	if (UNLIKELY(m->ol_flags & RTE_MBUF_F_TX_L4_MASK))
		say_offload(tcp + TCP_HLEN, m, h->len);
	/* From now on it is a TCP packet whose sender left the sum, and perhaps the cutting, to the port. */
	m->ol_flags &= ~TX_FLAGS;
	m->tx_offload = 0;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (h->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
	m->l2_len = h->l3_off & 0x7f;
	m->l3_len = (h->l4_off - h->l3_off) & 0x1ff;
	m->l4_len = TCP_HLEN;
	if (len > h->seg_len) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = h->seg_len;
	}
}

static void
stt_patch(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		if (!b->drop[i])
			patch_one(b->hdr, b->pkt[i]);
}

/* --- In ------------------------------------------------------------------------------------ */

/* Made when the first segment comes that is not a whole frame. */
static __thread struct stt_table *partial;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Puts a tag behind the MAC addresses, in the room that the header leaves. */
static void
restore_tag(struct rte_mbuf *m, uint16_t vlan)
{
	uint8_t *p = pkt_push(m, 4);

	if (UNLIKELY(!p))
		return;
	memmove(p, p + 4, 12);
	store_be16(p + 12, be16(0x8100));
	store_be16(p + 14, be16((uint16_t)(vlan & ~STT_VLAN)));
}

/* A whole frame, from the STT header on. */
static uint8_t
open_frame(struct rte_mbuf *m, struct tun_meta *meta)
{
	const uint8_t *p = pkt_peek(m, 0, STT_HLEN + ETH_HLEN);
	uint16_t vlan;
	uint8_t flags;

	if (UNLIKELY(!p))
		return STT_SHORT;
	if (UNLIKELY(p[0]))
		return STT_VERSION;
	flags = p[1];
	if (flags & STT_F_PARTIAL) {
		uint32_t l4 = p[2], least = ETH_HLEN + (uint32_t)(flags & STT_F_IP4 ? IP4_HLEN : IP6_HLEN);

		if (UNLIKELY(flags & STT_F_VERIFIED || l4 < least ||
			     STT_HLEN + l4 + (flags & STT_F_TCP ? (uint32_t)TCP_HLEN : UDP_HLEN) > m->pkt_len))
			return STT_OFFLOAD;
		meta->offl = (uint8_t)(TUN_OFFL_PARTIAL | (flags & STT_F_IP4 ? TUN_OFFL_IP4 : 0) |
				       (flags & STT_F_TCP ? TUN_OFFL_TCP : 0));
		meta->offl_l4 = (uint16_t)l4;
		meta->offl_mss = host16(load_be16(p + 4));
	}
	vlan = host16(load_be16(p + 6));
	meta->key = host64(load_be64(p + 8));
	pkt_pull(m, STT_HLEN);
	if (UNLIKELY(vlan & STT_VLAN)) {
		restore_tag(m, vlan);
		meta->offl_l4 += meta->offl ? 4 : 0;
	}
	return STT_KEEP;
}

static uint8_t
add_segment(struct rte_mbuf **m, struct tun_meta *meta, struct stt_seg *s, uint64_t now)
{
	if (UNLIKELY(!partial))
		partial = stt_table_create(tun_limits());
	pkt_pull(*m, TCP_HLEN);
	switch (stt_table_add(partial, s, m, now)) {
	case STT_HELD:
		return TUN_HELD;
	case STT_WHOLE:
		meta->tos |= s->ce ? 3 : 0;
		return open_frame(*m, meta);
	case STT_OVERLAP:
		break;
	}
	/* Who is given a packet back finds it as it was. */
	pkt_push(*m, TCP_HLEN);
	return STT_DUPLICATE;
}

static uint8_t
stt_pop_one(struct rte_mbuf **m, struct tun_meta *meta, uint64_t now)
{
	const uint8_t *p = pkt_peek(*m, 0, TCP_HLEN);
	struct stt_seg s = { .src = meta->src, .dst = meta->dst, .ce = (meta->tos & 3) == 3 };
	uint32_t seq, len;
	uint8_t why;

	/* What was left to others was so of the TCP packet, whose headers end here. */
	(*m)->ol_flags &= ~TX_FLAGS;
	(*m)->tx_offload = 0;
	if (UNLIKELY(!p))
		return STT_SHORT;
	if (UNLIKELY(p[12] >> 4 != TCP_HLEN / 4))
		return STT_HEADER;
	seq = host32(load_be32(p + SEQ_OFF));
	len = (*m)->pkt_len - TCP_HLEN;
	s.total = (uint16_t)(seq >> 16);
	s.off = (uint16_t)seq;
	if (UNLIKELY(!len || s.off + len > s.total || s.total < STT_HLEN + ETH_HLEN))
		return STT_LENGTHS;
	if (LIKELY(len == s.total)) {
		pkt_pull(*m, TCP_HLEN);
		why = open_frame(*m, meta);
		if (UNLIKELY(why))
			pkt_push(*m, TCP_HLEN);
		return why;
	}
	if (UNLIKELY(s.off + len < s.total && len < STT_MIN_SEG))
		return STT_RUNT;
	s.len = (uint16_t)len;
	s.sport = load_be16(p);
	s.id = load_be32(p + ACK_OFF);
	return add_segment(m, meta, &s, now);
}

static void
stt_pop(struct tun_batch *b)
{
	uint64_t now = now_ms();

	for (uint16_t i = 0; i < b->n; i++) {
		b->meta[i].offl = 0;
		b->drop[i] = stt_pop_one(&b->pkt[i], &b->meta[i], now);
	}
}

static unsigned
stt_reap(bool all, struct rte_mbuf **out, unsigned max)
{
	unsigned n;

	if (!partial)
		return 0;
	n = stt_table_reap(partial, all, now_ms(), out, max);
	if (all && !n) {
		stt_table_destroy(partial);
		partial = NULL;
	}
	return n;
}

static bool
stt_holds(void)
{
	return partial && stt_table_bufs(partial);
}

const struct tun_type tun_stt = {
	.name = "stt",
	.ip_proto = 6,
	.udp_port = STT_PORT,
	.hdr_max = STT_ALL_HLEN,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY | TUN_CAP_WHOLE,
	.key_max = UINT32_MAX,
	.key_name = "key",
	.opts = stt_opts,
	.drops = stt_drops,
	.drop_kinds = stt_drop_kinds,
	.build = stt_build,
	.set = stt_set,
	.patch = stt_patch,
	.pop = stt_pop,
	.reap = stt_reap,
	.holds = stt_holds,
};
