/* SPDX-License-Identifier: Apache-2.0 */
/* Answers a frame that does not fit through a tunnel with "too big": ICMPv4 type 3 code 4 (RFC 792, 1191)
 * or ICMPv6 type 2 (RFC 4443, section 3.2).  The switch has no address in the guest's network, so the answer
 * carries the address that the guest wanted to reach, as a router on the way would appear to an L2 segment.
 * Limited in rate; never in answer to ICMP errors, group addresses or later fragments (RFC 1122, 3.2.2). */
#include "datapath/dp_priv.h"
#include "datapath/parse.h"

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>

enum {
	ANSWERS_PER_S = 200,
	QUOTE4 = 28,                    /* Quoted bytes after the IPv4 header: more helps, 8 is the minimum. */
	QUOTE6_MAX = 512,
	ICMP6_PTB = 2,
};

static bool
rate_ok(struct lcore *lc)
{
	uint64_t dt = lc->tsc - lc->icmp_tsc;

	if (dt > lc->tsc_hz / 10) {
		lc->icmp_tsc = lc->tsc;
		lc->icmp_tokens = ANSWERS_PER_S / 10;
	}
	if (!lc->icmp_tokens)
		return false;
	lc->icmp_tokens--;
	return true;
}

/* Offset of the L3 header and its Ethertype; 0 when it cannot be told. */
static uint32_t
find_l3(const struct rte_mbuf *m, be16_t *type)
{
	uint32_t off = RTE_ETHER_HDR_LEN;

	for (unsigned tags = 0; tags < 3; tags++, off += 4) {
		const uint8_t *p = pkt_peek(m, off - 2, 2);

		if (!p)
			return 0;
		*type = load_be16(p);
		if (!flow_tpid(*type))
			return off;
	}
	return 0;
}

/* The answer's Ethernet header, tagged as the offending frame was when it came in; returns where L3 goes. */
static uint8_t *
put_eth(uint8_t *p, const struct flow_key *key, const struct rte_mbuf *m, be16_t type)
{
	const uint8_t *in = rte_pktmbuf_mtod(m, const uint8_t *);

	memcpy(p, in + 6, 6);
	memcpy(p + 6, in, 6);
	p += 12;
	if (key->vlan[0].tpid) {
		store_be16(p, key->vlan[0].tpid);
		store_be16(p + 2, key->vlan[0].tci & be16(VLAN_VID_MASK));
		p += 4;
	}
	store_be16(p, type);
	return p + 2;
}

static uint16_t
answer4(uint8_t *p, const struct rte_mbuf *m, uint32_t off, uint32_t mtu)
{
	const struct rte_ipv4_hdr *in = pkt_peek(m, off, sizeof *in);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	uint8_t *icmp = p + sizeof *ip;
	uint16_t hlen, quote, sum;

	if (!in || (hlen = (uint16_t)((in->version_ihl & 0xf) * 4)) < sizeof *in || !pkt_peek(m, off, hlen + 8u))
		return 0;
	if (in->fragment_offset & be16(0x1fff) || (in->dst_addr & 0xf0) == 0xe0 || in->dst_addr == 0xffffffff ||
	    !in->src_addr)
		return 0;
	if (in->next_proto_id == IPPROTO_ICMP) {
		uint8_t type = *(const uint8_t *)pkt_peek(m, off + hlen, 1);

		if (type != 8 && type != 0 && type < 13)
			return 0;
	}
	quote = (uint16_t)(hlen + MIN_OF((uint32_t)QUOTE4, m->data_len - off - hlen));
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = be16((uint16_t)(sizeof *ip + 8 + quote)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = in->dst_addr,
		.dst_addr = in->src_addr,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	memset(icmp, 0, 8);
	icmp[0] = 3;
	icmp[1] = 4;
	store_be16(icmp + 6, be16((uint16_t)MIN_OF(mtu, 65535u)));
	memcpy(icmp + 8, in, quote);
	sum = (uint16_t)~rte_raw_cksum(icmp, 8u + quote);
	store_be16(icmp + 2, sum);
	return (uint16_t)(sizeof *ip + 8 + quote);
}

static uint16_t
answer6(uint8_t *p, const struct rte_mbuf *m, uint32_t off, uint32_t mtu)
{
	const struct rte_ipv6_hdr *in = pkt_peek(m, off, sizeof *in);
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)p;
	uint8_t *icmp = p + sizeof *ip;
	uint16_t quote;

	if (!in || in->dst_addr[0] == 0xff || in->src_addr[0] == 0xff || rte_is_zero_ether_addr((const void *)in->src_addr))
		return 0;
	if (in->proto == IPPROTO_ICMPV6) {
		const uint8_t *type = pkt_peek(m, off + sizeof *in, 1);

		if (!type || *type < 128)
			return 0;
	}
	quote = (uint16_t)MIN_OF((uint32_t)QUOTE6_MAX, m->data_len - off);
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = be32(6u << 28),
		.payload_len = be16((uint16_t)(8 + quote)),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = 64,
	};
	memcpy(ip->src_addr, in->dst_addr, 16);
	memcpy(ip->dst_addr, in->src_addr, 16);
	memset(icmp, 0, 8);
	icmp[0] = ICMP6_PTB;
	store_be32(icmp + 4, be32(mtu));
	memcpy(icmp + 8, in, quote);
	store_be16(icmp + 2, rte_ipv6_udptcp_cksum(ip, icmp));
	return (uint16_t)(sizeof *ip + 8 + quote);
}

void
pmtud_answer(struct lcore *lc, const struct flow_key *key, const struct rte_mbuf *m, uint32_t mtu)
{
	const struct vport *vp = &lc->ports->port[key->in_port];
	struct rte_mbuf *r;
	uint8_t *p, *l3;
	uint32_t off;
	uint16_t len = 0;
	be16_t type;

	/* Nor to a group's MAC address: the answer would come from it. */
	if (!vp->port || !vp->tx || *rte_pktmbuf_mtod(m, const uint8_t *) & 1 || !rate_ok(lc))
		return;
	off = find_l3(m, &type);
	if (!off || mtu + RTE_ETHER_HDR_LEN <= off)
		return;
	/* Tags inside the tunnel come out of the guest's share. */
	mtu -= off - RTE_ETHER_HDR_LEN;
	r = rte_pktmbuf_alloc(lc->pool);
	if (!r)
		return;
	p = rte_pktmbuf_mtod(r, uint8_t *);
	l3 = put_eth(p, key, m, type);
	if (type == be16(RTE_ETHER_TYPE_IPV4))
		len = answer4(l3, m, off, mtu);
	else if (type == be16(RTE_ETHER_TYPE_IPV6))
		len = answer6(l3, m, off, mtu);
	if (!len) {
		rte_pktmbuf_free(r);
		return;
	}
	r->data_len = (uint16_t)(l3 - p + len);
	r->pkt_len = r->data_len;
	tx_add(lc, key->in_port, r);
}
