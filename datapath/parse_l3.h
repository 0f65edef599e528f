/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the parser behind the Ethernet header: IPv4 (RFC 791), IPv6 (RFC 8200) with its extension
 * headers, TCP, UDP, SCTP, ICMP, neighbour discovery (RFC 4861), ARP (RFC 826), RARP, MPLS (RFC 3032), the I-TAG of
 * provider backbone bridges (IEEE 802.1Q, 9.7).
 *
 * Each function gets 'p', how many bytes can be read there ('contig') and how many the packet has there
 * ('len', at least as many).  It fills what it understands of a key that is zero but for L2.  A header that is
 * malformed or cut sets FLOW_F_BAD_L3 and leaves its own fields, and those of all that follows, zero.  Included
 * by parse.h alone. */
#ifndef DATAPATH_PARSE_L3_H
#define DATAPATH_PARSE_L3_H

#include "datapath/flow.h"

enum {
	FLOW_IP_ICMP = 1,
	FLOW_IP_TCP = 6,
	FLOW_IP_UDP = 17,
	FLOW_IP_ICMP6 = 58,
	FLOW_IP_SCTP = 132,
	FLOW_IP6_HOP_BY_HOP = 0,
	FLOW_IP6_ROUTING = 43,
	FLOW_IP6_FRAGMENT = 44,
	FLOW_IP6_AUTH = 51,
	FLOW_IP6_DEST_OPTS = 60,
	FLOW_IP6_EXT_MAX = 8,           /* A longer chain is no one's honest traffic. */
};

static inline void
flow_parse_tcp(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	uint32_t hlen = contig < 20 ? 0 : (p[12] >> 4) * 4u;

	if (UNLIKELY(hlen < 20 || hlen > len)) {
		k->flags |= FLOW_F_BAD_L3;
		return;
	}
	memcpy(&k->tp_src, p, 4);
	k->tcp_flags = load_be16(p + 12) & be16(0x0fff);
}

static inline void
flow_parse_udp(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	uint32_t ulen = contig < 8 ? 0 : host16(load_be16(p + 4));

	/* The first fragment tells the length of the whole datagram. */
	if (UNLIKELY(ulen < 8 || (ulen > len && !(k->flags & FLOW_F_FRAG)))) {
		k->flags |= FLOW_F_BAD_L3;
		return;
	}
	memcpy(&k->tp_src, p, 4);
}

static inline void
flow_parse_sctp(const uint8_t *p, uint32_t contig, struct flow_key *k)
{
	if (UNLIKELY(contig < 12)) {
		k->flags |= FLOW_F_BAD_L3;
		return;
	}
	memcpy(&k->tp_src, p, 4);
}

static inline void
flow_parse_icmp(const uint8_t *p, uint32_t contig, struct flow_key *k)
{
	if (UNLIKELY(contig < 8)) {
		k->flags |= FLOW_F_BAD_L3;
		return;
	}
	k->tp_src = be16(p[0]);
	k->tp_dst = be16(p[1]);
}

static inline void
flow_parse_icmp6(const uint8_t *p, uint32_t contig, struct flow_key *k)
{
	/* Neighbour solicitation and advertisement name their target. */
	bool nd = contig >= 8 && (p[0] == 135 || p[0] == 136) && p[1] == 0;

	if (UNLIKELY(nd && contig < 24)) {
		k->flags |= FLOW_F_BAD_L3;
		return;
	}
	flow_parse_icmp(p, contig, k);
	if (nd)
		memcpy(k->nd_target, p + 8, 16);
}

static inline void
flow_parse_l4(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	contig = MIN_OF(contig, len);
	switch (k->nw_proto) {
	case FLOW_IP_TCP:
		flow_parse_tcp(p, contig, len, k);
		break;
	case FLOW_IP_UDP:
		flow_parse_udp(p, contig, len, k);
		break;
	case FLOW_IP_SCTP:
		flow_parse_sctp(p, contig, k);
		break;
	case FLOW_IP_ICMP:
		if (k->flags & FLOW_F_IPV4)
			flow_parse_icmp(p, contig, k);
		break;
	case FLOW_IP_ICMP6:
		if (k->flags & FLOW_F_IPV6)
			flow_parse_icmp6(p, contig, k);
		break;
	}
}

static inline void
flow_parse_ipv4(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	uint32_t hlen = contig < 20 ? 0 : (p[0] & 0xf) * 4u, total;
	uint16_t frag;

	if (UNLIKELY(hlen < 20 || hlen > contig || p[0] >> 4 != 4))
		goto bad;
	total = host16(load_be16(p + 2));
	if (UNLIKELY(total < hlen || total > len))
		goto bad;
	k->flags |= FLOW_F_IPV4;
	k->nw_tos = p[1];
	k->nw_ttl = p[8];
	k->nw_proto = p[9];
	memcpy(&k->nw_src, p + 12, 8);
	frag = host16(load_be16(p + 6));
	if (UNLIKELY(frag & 0x3fff)) {
		k->flags |= FLOW_F_FRAG;
		if (frag & 0x1fff) {
			k->flags |= FLOW_F_LATER;
			return;
		}
	}
	flow_parse_l4(p + hlen, contig - hlen, total - hlen, k);
	return;
bad:
	k->flags |= FLOW_F_BAD_L3;
}

/* Walks the extension headers at 'p', the first of which is of type 'next'; sets nw_proto and the fragment
 * flags.  Returns the length of the chain, or -1. */
static inline int32_t
flow_parse_ipv6_ext(const uint8_t *p, uint32_t contig, uint8_t next, struct flow_key *k)
{
	uint32_t off = 0;

	for (unsigned n = 0;; n++) {
		uint32_t hlen;

		if (LIKELY(next != FLOW_IP6_HOP_BY_HOP && next != FLOW_IP6_ROUTING && next != FLOW_IP6_DEST_OPTS &&
			   next != FLOW_IP6_FRAGMENT && next != FLOW_IP6_AUTH)) {
			k->nw_proto = next;
			return (int32_t)off;
		}
		if (n == FLOW_IP6_EXT_MAX || contig - off < 8)
			return -1;
		if (next == FLOW_IP6_FRAGMENT) {
			uint16_t frag = host16(load_be16(p + off + 2));

			hlen = 8;
			/* Neither offset nor "more": an atomic fragment (RFC 6946) is a whole packet. */
			if (frag & 0xfff9)
				k->flags |= FLOW_F_FRAG;
			if (frag & 0xfff8) {
				k->flags |= FLOW_F_LATER;
				k->nw_proto = p[off];
				return (int32_t)(off + hlen);
			}
		} else {
			hlen = next == FLOW_IP6_AUTH ? (p[off + 1] + 2u) * 4 : (p[off + 1] + 1u) * 8;
		}
		if (hlen > contig - off)
			return -1;
		next = p[off];
		off += hlen;
	}
}

static inline void
flow_parse_ipv6(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	uint32_t payload, room;
	int32_t ext;

	if (UNLIKELY(contig < 40 || p[0] >> 4 != 6))
		goto bad;
	payload = host16(load_be16(p + 4));
	if (UNLIKELY(payload > len - 40))
		goto bad;
	k->flags |= FLOW_F_IPV6;
	k->ipv6_label = load_be32(p) & be32(0xfffff);
	k->nw_tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	k->nw_ttl = p[7];
	memcpy(k->ipv6_src, p + 8, 32);
	room = MIN_OF(contig - 40, payload);
	ext = flow_parse_ipv6_ext(p + 40, room, p[6], k);
	if (UNLIKELY(ext < 0))
		goto bad;
	if (LIKELY(!(k->flags & FLOW_F_LATER)))
		flow_parse_l4(p + 40 + ext, room - (uint32_t)ext, payload - (uint32_t)ext, k);
	return;
bad:
	k->flags |= FLOW_F_BAD_L3;
}

/* ARP and RARP.  Other hardware or protocols than Ethernet and IPv4 are not looked into. */
static inline void
flow_parse_arp(const uint8_t *p, uint32_t contig, struct flow_key *k)
{
	static const uint8_t eth_ipv4[4] = { 0, 1, 0x08, 0x00 };

	if (UNLIKELY(contig < 8))
		goto bad;
	if (UNLIKELY(memcmp(p, eth_ipv4, sizeof eth_ipv4)))
		return;
	if (UNLIKELY(contig < 28 || p[4] != 6 || p[5] != 4))
		goto bad;
	/* The key has eight bits for the opcode; those in use are below 26. */
	if (LIKELY(!p[6]))
		k->nw_proto = p[7];
	memcpy(&k->arp.sha, p + 8, 6);
	memcpy(&k->nw_src, p + 14, 4);
	memcpy(&k->arp.tha, p + 18, 6);
	memcpy(&k->nw_dst, p + 24, 4);
	return;
bad:
	k->flags |= FLOW_F_BAD_L3;
}

/* The first label stack entries, down to the bottom of the stack.  Of PBB it is the I-TAG only: what is behind it is
 * another Ethernet header, none of this network's. */
static inline void
flow_parse_mpls(const uint8_t *p, uint32_t contig, struct flow_key *k)
{
	for (unsigned i = 0; i < ARRAY_SIZE(k->mpls_lse); i++) {
		if (UNLIKELY(contig < (i + 1) * 4)) {
			k->flags |= FLOW_F_BAD_L3;
			return;
		}
		k->mpls_lse[i] = load_be32(p + i * 4);
		if (k->mpls_lse[i] & be32(0x100) || k->dl_type == be16(0x88e7))
			return;
	}
}

/* What the frame carries, by the Ethernet type in the key. */
static inline void
flow_parse_l3(const uint8_t *p, uint32_t contig, uint32_t len, struct flow_key *k)
{
	switch (host16(k->dl_type)) {
	case 0x0800:
		flow_parse_ipv4(p, contig, len, k);
		break;
	case 0x86dd:
		flow_parse_ipv6(p, contig, len, k);
		break;
	case 0x0806:
	case 0x8035:
		flow_parse_arp(p, contig, k);
		break;
	case 0x8847:
	case 0x8848:
	case 0x88e7:
		flow_parse_mpls(p, contig, k);
		break;
	}
}

#endif
