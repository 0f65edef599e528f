/* SPDX-License-Identifier: Apache-2.0 */
/* Outer headers on the way in: whether a frame may be a tunnel's, whether it is in order, and what its
 * ECN bits mean for the frame inside (RFC 6040, section 4.2).  Everything read here was sent by someone
 * else. */
#include <netinet/in.h>

#include <rte_mbuf.h>

#include "base/pkt.h"
#include "tunnels/inner_priv.h"
#include "tunnels/tun.h"

enum {
	MAX_EXT_HDRS = 4,
};

/* Where UDP, GRE or TCP (which is STT's) starts, and what was on the way there. */
struct l4_pos {
	uint32_t off;           /* From the start of the frame. */
	uint8_t proto;          /* IPPROTO_*. */
	bool fragment;          /* Of any kind. */
	bool later_fragment;    /* No L4 header here. */
	bool routing;           /* An IPv6 routing header. */
};

/* Bytes of the headers that tell tunnels apart; 0: no tunnel's protocol. */
static inline uint32_t
l4_hlen(uint8_t proto)
{
	return LIKELY(proto == IPPROTO_UDP) ? UDP_HLEN : proto == IPPROTO_GRE ? GRE_HLEN : proto == IPPROTO_TCP ? TCP_HLEN : 0;
}

static inline bool
find_l4_ip4(const uint8_t *p, uint32_t len, struct l4_pos *pos)
{
	const uint8_t *ip = p + ETH_HLEN;
	uint32_t hlen, l4_len;
	be16_t frag;

	if (UNLIKELY(len < ETH_HLEN + IP4_HLEN) || !(l4_len = l4_hlen(ip[9])))
		return false;
	hlen = (ip[0] & 15) * 4;
	if (UNLIKELY(ip[0] >> 4 != 4 || hlen < IP4_HLEN))
		return false;
	frag = load_be16(ip + 6);
	pos->fragment = frag & be16(0x3fff);
	pos->later_fragment = frag & be16(0x1fff);
	pos->routing = false;
	pos->off = ETH_HLEN + hlen;
	pos->proto = ip[9];
	return len >= pos->off + l4_len;
}

static inline bool
find_l4_ip6(const uint8_t *p, uint32_t len, struct l4_pos *pos)
{
	uint32_t off = ETH_HLEN + IP6_HLEN;
	uint32_t l4_len;
	uint8_t next;

	if (UNLIKELY(len < off || p[ETH_HLEN] >> 4 != 6))
		return false;
	next = p[ETH_HLEN + 6];
	pos->fragment = pos->later_fragment = pos->routing = false;
	/* Linux's ip6gretap puts destination options (RFC 2473, section 5.1) in front of GRE. */
	for (unsigned i = 0; UNLIKELY(!(l4_len = l4_hlen(next))); i++) {
		if (i == MAX_EXT_HDRS || len < off + 8)
			return false;

		const uint8_t *ext = p + off;

		switch (next) {
		case IPPROTO_FRAGMENT:
			/* Neither offset nor "more": a whole packet (RFC 6946). */
			pos->fragment |= (load_be16(ext + 2) & be16(0xfff9)) != 0;
			pos->later_fragment |= (load_be16(ext + 2) & be16(0xfff8)) != 0;
			off += 8;
			break;
		case IPPROTO_ROUTING:
			pos->routing = true;
			off += (ext[1] + 1) * 8;
			break;
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
			off += (ext[1] + 1) * 8;
			break;
		default:
			return false;
		}
		next = ext[0];
	}
	pos->off = off;
	pos->proto = next;
	return len >= off + l4_len;
}

static inline bool
find_l4(const uint8_t *p, uint32_t len, bool *v6, struct l4_pos *pos)
{
	be16_t type;

	if (UNLIKELY(len < ETH_HLEN))
		return false;
	type = load_be16(p + 12);
	if (LIKELY(type == be16(0x0800))) {
		*v6 = false;
		return find_l4_ip4(p, len, pos);
	}
	*v6 = true;
	return type == be16(0x86dd) && find_l4_ip6(p, len, pos);
}

static inline void
load_ip4(struct ipaddr *out, const uint8_t *p)
{
	*out = ip_from_v4(load_be32(p));
}

/* Written once, before any thread reads it. */
static struct tun_limits limits = { TUN_HELD_MS, TUN_HELD_BUFS, TUN_HELD_BUFS_SOURCE };

void
tun_limits_set(const struct tun_limits *l)
{
	limits = *l;
}

const struct tun_limits *
tun_limits(void)
{
	return &limits;
}

/* What tells the tunnels of one IP protocol apart. */
static inline uint16_t
port_of(const uint8_t *l4)
{
	/* The destination port of UDP and TCP is where GRE has its protocol type. */
	return host16(load_be16(l4 + 2));
}

bool
tun_outer_peek(const struct rte_mbuf *m, struct tun_outer *o)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct l4_pos pos;
	bool v6;

	if (!find_l4(p, m->data_len, &v6, &pos) || pos.later_fragment)
		return false;
	memcpy(&o->eth_dst, p, 6);
	o->v6 = v6;
	o->ip_proto = pos.proto;
	o->port = port_of(p + pos.off);
	if (v6) {
		memcpy(o->src.b, p + ETH_HLEN + 8, 16);
		memcpy(o->dst.b, p + ETH_HLEN + 24, 16);
	} else {
		load_ip4(&o->src, p + ETH_HLEN + 12);
		load_ip4(&o->dst, p + ETH_HLEN + 16);
	}
	return true;
}

/* Cuts the packet to 'len' bytes, over segments. */
static void
trim_to(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *seg = m;
	uint32_t left = len;

	if (LIKELY(m->pkt_len == len))
		return;
	m->pkt_len = len;
	if (LIKELY(!m->next)) {
		m->data_len = (uint16_t)MIN_OF(len, (uint32_t)m->data_len);
		return;
	}
	for (m->nb_segs = 1; left > seg->data_len; m->nb_segs++) {
		left -= seg->data_len;
		seg = seg->next;
	}
	seg->data_len = left;
	rte_pktmbuf_free(seg->next);
	seg->next = NULL;
}

/* Whether a UDP or TCP checksum is right.  'p' is the frame, 'm' already cut to its true length. */
static bool
l4_csum_ok(const struct rte_mbuf *m, const uint8_t *p, const struct l4_pos *pos, bool v6)
{
	uint64_t sum = (uint64_t)be16(m->pkt_len - pos->off) + be16(pos->proto);

	/* A TCP packet that the kernel left whole: a host's own, over a virtual wire. */
	if (pos->proto == IPPROTO_TCP && m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_L4_MASK))
		return true;
	/* GOOD: hardware looked.  NONE: the packet never left a host, its checksum was never filled in. */
	switch (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
	case RTE_MBUF_F_RX_L4_CKSUM_NONE:
		return true;
	}
	sum = csum_add(sum, p + ETH_HLEN + (v6 ? 8 : 12), v6 ? 32 : 8);
	return !pkt_is_partial(m) && csum_fold(pkt_csum(m, pos->off, sum)) == 0xffff;
}

/* Addresses, TOS, TTL and the length that the IP header claims; false when its checksum is wrong. */
static bool
read_ip(const uint8_t *p, const struct l4_pos *pos, struct tun_outer *o)
{
	const uint8_t *ip = p + ETH_HLEN;

	if (o->v6) {
		o->tos = host16(load_be16(ip)) >> 4 & 0xff;
		o->ttl = ip[7];
		o->total_len = ETH_HLEN + IP6_HLEN + host16(load_be16(ip + 4));
		memcpy(o->src.b, ip + 8, 16);
		memcpy(o->dst.b, ip + 24, 16);
		return true;
	}
	o->tos = ip[1];
	o->ttl = ip[8];
	o->total_len = ETH_HLEN + host16(load_be16(ip + 2));
	load_ip4(&o->src, ip + 12);
	load_ip4(&o->dst, ip + 16);
	return csum_fold(csum_add(0, ip, pos->off - ETH_HLEN)) == 0xffff;
}

/* UDP and STT's TCP; GRE's checksum covers what GRE carries, and is its own business.  'm' is cut to its true length. */
static int
check_l4(const struct rte_mbuf *m, const uint8_t *p, const struct l4_pos *pos, struct tun_outer *o)
{
	const uint8_t *l4 = p + pos->off;

	switch (pos->proto) {
	case IPPROTO_UDP:
		o->len = pos->off + UDP_HLEN;
		o->csum_zero = load_be16(l4 + 6) == 0;
		if (UNLIKELY(o->total_len < o->len || host16(load_be16(l4 + 4)) != o->total_len - pos->off))
			return TUN_OUTER_SHORT;
		break;
	case IPPROTO_TCP:
		o->len = pos->off;
		o->csum_zero = false;
		if (UNLIKELY(o->total_len < o->len + (uint32_t)TCP_HLEN))
			return TUN_OUTER_SHORT;
		break;
	default:
		o->len = pos->off;
		o->csum_zero = false;
		return o->total_len < o->len + (uint32_t)GRE_HLEN ? TUN_OUTER_SHORT : TUN_OUTER_OK;
	}
	return o->csum_zero || l4_csum_ok(m, p, pos, o->v6) ? TUN_OUTER_OK : TUN_OUTER_CSUM;
}

int
tun_outer_check(struct rte_mbuf *m, struct tun_outer *o)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct l4_pos pos;
	int why;

	if (UNLIKELY(!find_l4(p, m->data_len, &o->v6, &pos)))
		return TUN_OUTER_SHORT;
	memcpy(&o->eth_dst, p, 6);
	memcpy(&o->eth_src, p + 6, 6);
	o->ip_proto = pos.proto;
	if (UNLIKELY(!read_ip(p, &pos, o)))
		return TUN_OUTER_CSUM;
	if (UNLIKELY(pos.fragment))
		return TUN_OUTER_FRAGMENT;
	if (UNLIKELY(pos.routing))
		return TUN_OUTER_OPTIONS;
	if (UNLIKELY(!ip_is_unicast(&o->src)))
		return TUN_OUTER_SOURCE;
	/* IPv4 addresses are kept mapped: in an IPv6 header such a one would pass for the IPv4 host's. */
	if (o->v6 && UNLIKELY(ip_is_v4(&o->src) || ip_is_v4(&o->dst)))
		return TUN_OUTER_SOURCE;

	o->port = port_of(p + pos.off);
	if (UNLIKELY(o->total_len > m->pkt_len || o->total_len < pos.off))
		return TUN_OUTER_SHORT;
	trim_to(m, o->total_len);
	why = check_l4(m, p, &pos, o);
	if (UNLIKELY(why))
		return why;
	/* What was known of checksums was about the outer packet. */
	m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);
	return TUN_OUTER_OK;
}

/* --- ECN ----------------------------------------------------------------------------------- */

enum { NOT_ECT, ECT_1, ECT_0, CE, ECN_DROP };

/* RFC 6040, figure 4: [inner][outer]. */
static const uint8_t ecn_out[4][4] = {
	[NOT_ECT] = { [NOT_ECT] = NOT_ECT, [ECT_0] = NOT_ECT, [ECT_1] = NOT_ECT, [CE] = ECN_DROP },
	[ECT_0] = { [NOT_ECT] = ECT_0, [ECT_0] = ECT_0, [ECT_1] = ECT_1, [CE] = CE },
	[ECT_1] = { [NOT_ECT] = ECT_1, [ECT_0] = ECT_1, [ECT_1] = ECT_1, [CE] = CE },
	[CE] = { [NOT_ECT] = CE, [ECT_0] = CE, [ECT_1] = CE, [CE] = CE },
};

static void
set_ip4_tos(uint8_t *ip, uint8_t tos)
{
	be16_t before = load_be16(ip);
	uint32_t sum;

	ip[1] = tos;
	/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
	sum = (uint16_t)~load_be16(ip + 10) + (uint32_t)(uint16_t)~before + load_be16(ip);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, ~sum);
}

bool
tun_ecn_decap(struct rte_mbuf *m, uint8_t outer_tos)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *ip;
	uint8_t tos, ecn;
	uint16_t type;
	uint32_t off;

	/* Not-ECT outside leaves every inner field as it is. */
	if (LIKELY(!(outer_tos & 3)))
		return true;
	off = inner_l3(p, m->data_len, &type);
	if (!off)
		return true;
	ip = p + off;
	if (type == 0x0800 && m->data_len >= off + IP4_HLEN && ip[0] >> 4 == 4) {
		tos = ip[1];
		ecn = ecn_out[tos & 3][outer_tos & 3];
		if (ecn == ECN_DROP)
			return false;
		if (ecn != (tos & 3))
			set_ip4_tos(ip, (tos & ~3) | ecn);
	} else if (type == 0x86dd && m->data_len >= off + IP6_HLEN && ip[0] >> 4 == 6) {
		tos = host16(load_be16(ip)) >> 4 & 0xff;
		ecn = ecn_out[tos & 3][outer_tos & 3];
		if (ecn == ECN_DROP)
			return false;
		/* ECN is bits 4 and 5 of the second byte. */
		ip[1] = (ip[1] & ~0x30) | ecn << 4;
	}
	return true;
}
