/* SPDX-License-Identifier: Apache-2.0 */
/* What a frame's virtio header asks for, checked against the frame, as metadata of mbufs and back.  Doing in software
 * what it asks for is segment.c.
 *
 * A header comes from a guest, or from a kernel that passes on what a container's program gave it: any field may say
 * anything.  The way to the L4 header is walked here once more, and the hints of the sender (hdr_len, gso_type) only
 * say what it should end in. */
#include "datapath/offload.h"

#include <string.h>

#include "datapath/edit_priv.h"
#include "datapath/offl_priv.h"
#include "datapath/parse.h"

enum {
	ETH_LEN = 14, MAX_TAGS = 4, IP4_LEN = 20, IP6_LEN = 40, TCP_LEN = 20, UDP_LEN = 8,
	PROTO_IPIP = 4, PROTO_IPV6 = 41,
	TCP_FLAGS = 13, TCP_CWR = 0x80,
	GENEVE_PORT = 6081, TEB = 0x6558,
	MPLS_LOOK = 16,                 /* Bytes of a label stack that are parsed, at most. */
	GSO_UDP_L4 = 5,                 /* VIRTIO_NET_HDR_GSO_UDP_L4 of virtio 1.3, newer than the headers we build on. */
	L2_MAX = 127,                   /* What mbuf->l2_len can say... */
	L3_MAX = 511,                   /* ...and l3_len. */
};

/* The headers of one IP packet.  Offsets from the start of the frame. */
struct lay {
	uint32_t l3, l4;                /* 0: none, or not in sight. */
	uint32_t end;                   /* Of the IP packet, by its own word. */
	uint32_t floor;                 /* The parser reads what is in front of it. */
	uint8_t proto;
	bool v6, frag;
	bool routed;                    /* The pseudo header is not that of the addresses in sight. */
};

static uint16_t
get16(const uint8_t *p)
{
	return host16(load_be16(p));
}

/* --- Headers ------------------------------------------------------------------------------- */

/* What 'b' has for us: 'room' bytes in sight of 'len'. */
struct bytes {
	const uint8_t *b;
	uint32_t room, len;
};

static bool
walk_ip4(const struct bytes *s, struct lay *l)
{
	const uint8_t *p = s->b + l->l3;
	uint32_t hlen, total;
	uint16_t frag;

	if (l->l3 + IP4_LEN > s->room)
		return false;
	hlen = (p[0] & 0xf) * 4u;
	total = get16(p + 2);
	if (p[0] >> 4 != 4 || hlen < IP4_LEN || total < hlen || total > s->len - l->l3 || l->l3 + hlen > s->room)
		return false;
	frag = get16(p + 6);
	l->proto = p[9];
	l->end = l->l3 + total;
	l->frag = frag & 0x3fff;
	l->floor = l->l3 + hlen;
	if (!(frag & 0x1fff))
		l->l4 = l->floor;
	return true;
}

/* As flow_parse_ipv6_ext(): chains that it does not follow to their end leave l4 0. */
static void
walk_extensions(const struct bytes *s, struct lay *l)
{
	uint8_t next = s->b[l->l3 + 6];
	uint32_t at = l->l3 + IP6_LEN;

	for (unsigned n = 0;; n++) {
		const uint8_t *p = s->b + at;
		uint32_t hlen = 8;

		l->floor = at;
		l->proto = next;
		if (next != FLOW_IP6_HOP_BY_HOP && next != FLOW_IP6_ROUTING && next != FLOW_IP6_DEST_OPTS &&
		    next != FLOW_IP6_FRAGMENT && next != FLOW_IP6_AUTH) {
			l->l4 = at;
			return;
		}
		if (n == FLOW_IP6_EXT_MAX || l->end - at < 8 || at + 8 > s->room)
			return;
		if (next == FLOW_IP6_FRAGMENT) {
			l->frag = true;
			l->floor = at + 8;
			if (get16(p + 2) & 0xfff8)
				return;
		} else {
			hlen = next == FLOW_IP6_AUTH ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
			l->routed |= next == FLOW_IP6_ROUTING && p[3];
		}
		if (hlen > l->end - at || at + hlen > s->room)
			return;
		next = p[0];
		at += hlen;
	}
}

static bool
walk_ip6(const struct bytes *s, struct lay *l)
{
	const uint8_t *p = s->b + l->l3;

	if (l->l3 + IP6_LEN > s->room || p[0] >> 4 != 6 || get16(p + 4) > s->len - l->l3 - IP6_LEN)
		return false;
	l->v6 = true;
	l->end = l->l3 + IP6_LEN + get16(p + 4);
	walk_extensions(s, l);
	return true;
}

/* The packet of Ethernet type 'type' at l->l3.  False: malformed, or a frame that has no checksum to complete. */
static bool
walk_l3(const struct bytes *s, uint16_t type, struct lay *l)
{
	switch (type) {
	case 0x0800:
		return walk_ip4(s, l);
	case 0x86dd:
		return walk_ip6(s, l);
	case 0x0806:
	case 0x8035:
		return false;
	case 0x8847:
	case 0x8848:
	case 0x88e7:
		l->floor = l->l3 + MPLS_LOOK;
		return true;
	default:
		l->floor = l->l3;
		/* 802.3: the length of a frame that may have IP behind SNAP. */
		return type >= 0x600;
	}
}

/* The Ethernet frame at 'off'. */
static bool
walk(const struct bytes *s, uint32_t off, struct lay *l)
{
	uint16_t type;

	*l = (struct lay){ .l3 = off + ETH_LEN };
	if (l->l3 > s->room)
		return false;
	type = get16(s->b + l->l3 - 2);
	for (unsigned tags = 0; flow_tpid(be16(type)); tags++) {
		l->l3 += 4;
		if (tags == MAX_TAGS || l->l3 > s->room)
			return false;
		type = get16(s->b + l->l3 - 2);
	}
	return walk_l3(s, type, l);
}

/* The packet inside the tunnel packet 'o': VXLAN, Geneve, GRE, IP in IP.  False: none that we know. */
static bool
walk_inside(const struct bytes *s, const struct lay *o, struct lay *l)
{
	const uint8_t *p = s->b + o->l4;
	uint32_t off = o->l4 + UDP_LEN + 8;
	uint16_t type = TEB;

	if (o->proto == PROTO_IPIP || o->proto == PROTO_IPV6) {
		off = o->l4;
		type = o->proto == PROTO_IPIP ? 0x0800 : 0x86dd;
	} else if (off > s->room) {
		return false;
	} else if (o->proto == OFFL_GRE) {
		/* Checksum, key; a sequence number could not be told for each segment. */
		if (p[0] & 0x5f || p[1] & 7)
			return false;
		off = o->l4 + 4 + (p[0] >> 7 & 1) * 4u + (p[0] >> 5 & 1) * 4u;
		type = get16(p + 2);
	} else if (o->proto != OFFL_UDP) {
		return false;
	} else if (get16(p + 2) == GENEVE_PORT) {
		off += (p[UDP_LEN] & 0x3f) * 4u;
		type = get16(p + UDP_LEN + 2);
	}
	if (type == TEB)
		return walk(s, off, l);
	*l = (struct lay){ .l3 = off };
	return walk_l3(s, type, l);
}

/* --- What a header asks for ---------------------------------------------------------------- */

static bool
plain_tcp(const struct bytes *s, const struct lay *l)
{
	uint32_t hlen;

	if (l->proto != OFFL_TCP || l->l4 + TCP_LEN > MIN_OF(s->room, l->end))
		return false;
	hlen = (s->b[l->l4 + 12] >> 4) * 4u;
	return hlen >= TCP_LEN && l->l4 + hlen <= MIN_OF(s->room, l->end);
}

static bool
plain_udp(const struct bytes *s, const struct lay *l)
{
	return l->proto == OFFL_UDP && l->l4 + UDP_LEN <= MIN_OF(s->room, l->end) &&
	       get16(s->b + l->l4 + 4) == l->end - l->l4;
}

/* Whether the checksum is that of a TCP or UDP header that metadata can speak of; 'base': where its l2_len starts. */
static bool
is_plain(const struct bytes *s, const struct lay *l, uint32_t base, const struct virtio_net_hdr *v)
{
	if (!l->l4 || l->l4 != v->csum_start || l->frag || l->routed || l->l3 - base > L2_MAX || l->l4 - l->l3 > L3_MAX)
		return false;
	return (v->csum_offset == OFFL_TCP_CSUM && plain_tcp(s, l)) || (v->csum_offset == OFFL_UDP_CSUM && plain_udp(s, l));
}

static uint32_t
l4_hdr_len(const struct bytes *s, const struct lay *l)
{
	return l->proto == OFFL_TCP ? (s->b[l->l4 + 12] >> 4) * 4u : UDP_LEN;
}

/* The packet whose checksum is meant: the frame's own, or (of frames to be cut only) the one in a tunnel packet, which
 * is what a kernel's tunnel device sends over a veth. */
static bool
find_plain(const struct bytes *s, const struct lay *own, const struct virtio_net_hdr *v, struct lay *l)
{
	*l = *own;
	if (own->l4 == v->csum_start)
		return is_plain(s, l, 0, v);
	return v->gso_type != VIRTIO_NET_HDR_GSO_NONE && own->l4 && !own->frag && !own->routed && own->end == s->len &&
	       own->l3 <= L2_MAX && own->l4 - own->l3 <= L3_MAX && walk_inside(s, own, l) && is_plain(s, l, own->l4, v);
}

/* Whether a checksum may be completed there: in the place of one of the frame's own L4 header, or beyond what the
 * parser looks at.  (Else a guest could show the parser other addresses than it sends.) */
static bool
is_harmless(const struct lay *l, const struct virtio_net_hdr *v)
{
	static const struct { uint8_t proto, len, csum; } l4[] = {
		{ OFFL_TCP, 20, OFFL_TCP_CSUM }, { OFFL_UDP, 8, OFFL_UDP_CSUM }, { OFFL_SCTP, 12, OFFL_SCTP_CSUM },
		{ FLOW_IP_ICMP, 8, 2 }, { FLOW_IP_ICMP6, 64, 2 },
	};

	for (unsigned i = 0; l->l4 && i < ARRAY_SIZE(l4); i++)
		if (l4[i].proto == l->proto)
			return (v->csum_start == l->l4 && v->csum_offset == l4[i].csum) ||
			       v->csum_start >= l->l4 + l4[i].len;
	return v->csum_start >= l->floor;
}

/* The OFFL_* of a GSO type that fits the packet; 0: it does not. */
static uint16_t
gso_need(const struct bytes *s, uint8_t type, const struct lay *l)
{
	bool tcp = l->proto == OFFL_TCP;
	uint16_t ecn = tcp && s->b[l->l4 + TCP_FLAGS] & TCP_CWR ? OFFL_ECN : 0;

	switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return tcp && !l->v6 ? OFFL_TSO4 | ecn : 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return tcp && l->v6 ? OFFL_TSO6 | ecn : 0;
	case VIRTIO_NET_HDR_GSO_UDP:
		return tcp ? 0 : OFFL_UFO;
	case GSO_UDP_L4:
		return tcp ? 0 : OFFL_USO;
	default:
		return 0;
	}
}

/* A frame to be cut.  One that is short enough already is not cut. */
static bool
check_gso(const struct bytes *s, struct virtio_net_hdr *v, const struct lay *own, const struct lay *l, uint16_t *need)
{
	uint32_t payload = l->end - l->l4 - l4_hdr_len(s, l);
	uint16_t gso = gso_need(s, v->gso_type, l);

	if (!gso || l->end != s->len)
		return false;
	if (gso & OFFL_UFO) {
		/* Fragments are multiples of eight bytes, the UDP header among the first. */
		v->gso_size &= (uint16_t)~7;
		payload += UDP_LEN;
	}
	if (!v->gso_size)
		return false;
	*need = OFFL_CSUM | gso | (own->l4 == l->l4 ? 0 : OFFL_TUNNEL);
	v->gso_type &= (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	v->gso_type |= gso & OFFL_ECN ? VIRTIO_NET_HDR_GSO_ECN : 0;
	/* The outer checksum of a tunnel packet has to be done as well: that is cut, though to one piece. */
	if (payload > v->gso_size || own->l4 != l->l4)
		return true;
	v->gso_type = VIRTIO_NET_HDR_GSO_NONE;
	v->gso_size = 0;
	*need = OFFL_CSUM;
	return true;
}

bool
offl_check(struct virtio_net_hdr *v, const uint8_t *hdr, uint32_t hdr_len, uint32_t len, uint16_t *need)
{
	struct bytes s = { .b = hdr, .room = hdr_len, .len = len };
	struct lay own, l;

	*need = 0;
	if (LIKELY(!(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)))
		return v->gso_type == VIRTIO_NET_HDR_GSO_NONE;
	v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v->hdr_len = 0;
	if ((uint32_t)v->csum_start + v->csum_offset + 2 > len || !walk(&s, 0, &own))
		return false;
	if (LIKELY(find_plain(&s, &own, v, &l))) {
		*need = OFFL_CSUM;
		v->hdr_len = (uint16_t)(l.l4 + l4_hdr_len(&s, &l));
		if (v->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			return check_gso(&s, v, &own, &l, need);
	} else {
		if (v->gso_type != VIRTIO_NET_HDR_GSO_NONE || !is_harmless(&own, v))
			return false;
		*need = OFFL_CSUM;
	}
	v->gso_size = 0;
	return true;
}

/* --- Bytes of chained buffers -------------------------------------------------------------- */

uint64_t
offl_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint64_t sum = 0;
	bool odd = false;

	for (; m && len; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}

		uint32_t part = MIN_OF(m->data_len - off, len);
		uint16_t s = csum_fold(csum_add(0, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), part));

		/* A buffer that starts on the second byte of a word counts with its bytes swapped. */
		sum += odd ? be16(s) : s;
		odd ^= part & 1;
		off = 0;
		len -= part;
	}
	return sum;
}

void
offl_put16(struct rte_mbuf *m, uint32_t off, be16_t v)
{
	uint8_t b[2];

	memcpy(b, &v, sizeof b);
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *s = m;
		uint32_t at = off + i;

		for (; s && at >= s->data_len; s = s->next)
			at -= s->data_len;
		if (s)
			*rte_pktmbuf_mtod_offset(s, uint8_t *, at) = b[i];
	}
}

/* --- Metadata ------------------------------------------------------------------------------ */

/* As the receiver of the virtio header would: the sum from csum_start to the end, over what the field holds.  SCTP's
 * checksum is another (RFC 9260, 6.8), whatever the header says. */
static void
complete(struct rte_mbuf *m, const struct virtio_net_hdr *v, const struct lay *own)
{
	uint32_t at = (uint32_t)v->csum_start + v->csum_offset;

	if (at + 2 > m->pkt_len)
		return;
	if (own && own->l4 == v->csum_start && own->proto == OFFL_SCTP && v->csum_offset == OFFL_SCTP_CSUM) {
		uint8_t *p = pkt_peek(m, own->l4, 12);

		if (p)
			store_be32(p + OFFL_SCTP_CSUM, edit_sctp_crc(m, own->l4, own->end));
		return;
	}
	offl_put16(m, at, offl_csum(offl_sum(m, v->csum_start, m->pkt_len - v->csum_start)));
}

static void
set_lengths(struct rte_mbuf *m, const struct bytes *s, const struct lay *own, const struct lay *l)
{
	uint32_t base = 0;

	if (own->l4 != l->l4) {
		base = own->l4;
		m->ol_flags |= own->proto == OFFL_UDP ? RTE_MBUF_F_TX_TUNNEL_UDP : RTE_MBUF_F_TX_TUNNEL_IP;
		m->ol_flags |= own->v6 ? RTE_MBUF_F_TX_OUTER_IPV6 : RTE_MBUF_F_TX_OUTER_IPV4;
		m->outer_l2_len = own->l3 & 0x7f;
		m->outer_l3_len = (own->l4 - own->l3) & 0x1ff;
	}
	/* To who checks an outer checksum: it is not there yet, and the packet never left a host. */
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->ol_flags |= l->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	m->ol_flags |= l->proto == OFFL_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	m->l2_len = (l->l3 - base) & 0x7f;
	m->l3_len = (l->l4 - l->l3) & 0x1ff;
	m->l4_len = l4_hdr_len(s, l) & 0xff;
}

void
offl_to_mbuf(struct rte_mbuf *m, const struct virtio_net_hdr *v, uint16_t need)
{
	struct bytes s = { .b = rte_pktmbuf_mtod(m, const uint8_t *), .room = m->data_len, .len = m->pkt_len };
	struct lay own, l;
	bool walked;

	if (LIKELY(!need))
		return;
	walked = walk(&s, 0, &own);
	if (UNLIKELY(!v->hdr_len || !walked || !find_plain(&s, &own, v, &l))) {
		complete(m, v, walked ? &own : NULL);
		return;
	}
	set_lengths(m, &s, &own, &l);
	if (!(need & (OFFL_TSO4 | OFFL_TSO6 | OFFL_UFO | OFFL_USO)))
		return;
	m->ol_flags |= need & (OFFL_TSO4 | OFFL_TSO6) ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
	m->tso_segsz = v->gso_size;
	if (need & OFFL_UFO)
		m->l4_len = 0;
}

bool
offl_from_rx_flags(struct rte_mbuf *m)
{
	struct bytes s = { .b = rte_pktmbuf_mtod(m, const uint8_t *), .room = m->data_len, .len = m->pkt_len };
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	bool whole = m->ol_flags & RTE_MBUF_F_RX_LRO;
	uint16_t need, mss = m->tso_segsz;
	struct lay l;

	m->ol_flags &= ~(RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	m->tx_offload = 0;
	if (!walk(&s, 0, &l) || !l.l4 || (l.proto != OFFL_TCP && l.proto != OFFL_UDP))
		return false;
	v.csum_start = (uint16_t)l.l4;
	v.csum_offset = l.proto == OFFL_TCP ? OFFL_TCP_CSUM : OFFL_UDP_CSUM;
	if (whole) {
		v.gso_type = l.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		v.gso_size = mss;
	}
	if (!offl_check(&v, s.b, s.room, s.len, &need))
		return false;
	offl_to_mbuf(m, &v, need);
	return true;
}

bool
offl_tunnel_on(struct rte_mbuf *m, uint32_t l2_len, uint32_t l3_len, uint32_t own, bool v6)
{
	if (LIKELY(!(m->ol_flags & OFFL_MBUF_MASK)))
		return true;
	if (m->outer_l3_len || l2_len > L2_MAX || l3_len > L3_MAX || m->l2_len + own > L2_MAX)
		return false;
	m->ol_flags &= ~RTE_MBUF_F_TX_TUNNEL_MASK;
	m->ol_flags |= RTE_MBUF_F_TX_TUNNEL_UDP | (v6 ? RTE_MBUF_F_TX_OUTER_IPV6 : RTE_MBUF_F_TX_OUTER_IPV4);
	m->outer_l2_len = l2_len & 0x7f;
	m->outer_l3_len = l3_len & 0x1ff;
	m->l2_len = (m->l2_len + own) & 0x7f;
	return true;
}

void
offl_tunnel_off(struct rte_mbuf *m, uint32_t n)
{
	uint32_t outer = m->outer_l2_len + (uint32_t)m->outer_l3_len;

	if (LIKELY(!(m->ol_flags & OFFL_MBUF_MASK)))
		return;
	if (!m->outer_l3_len || n < outer || n - outer > m->l2_len) {
		offl_clear(m);
		return;
	}
	m->l2_len = (m->l2_len - (n - outer)) & 0x7f;
	m->outer_l2_len = 0;
	m->outer_l3_len = 0;
	m->ol_flags &= ~(RTE_MBUF_F_TX_TUNNEL_MASK | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6);
}

uint16_t
offl_need_of(const struct rte_mbuf *m)
{
	uint16_t need = OFFL_CSUM | (m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK ? OFFL_TUNNEL : 0);

	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
		const uint8_t *tcp = pkt_peek(m, offl_l4(m), TCP_LEN);

		need |= m->ol_flags & RTE_MBUF_F_TX_IPV6 ? OFFL_TSO6 : OFFL_TSO4;
		need |= tcp && tcp[TCP_FLAGS] & TCP_CWR ? OFFL_ECN : 0;
	} else if (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) {
		need |= m->l4_len ? OFFL_USO : OFFL_UFO;
	}
	return need;
}

uint32_t
offl_wire_len(const struct rte_mbuf *m)
{
	uint32_t hdr, extra;

	if (LIKELY(!(m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG))))
		return m->pkt_len;
	hdr = offl_l4(m) + m->l4_len;
	/* IPv6 fragments have a header more. */
	extra = !m->l4_len && m->ol_flags & RTE_MBUF_F_TX_IPV6 ? 8 : 0;
	return MIN_OF(m->pkt_len, hdr + m->tso_segsz) + extra;
}

/* Bytes from the L4 header to the end of the packet, by its IP header: what follows is padding. */
static uint32_t
l4_len(const struct rte_mbuf *m, const uint8_t *ip)
{
	uint32_t rest = m->pkt_len - offl_l4(m), len;

	if (m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG))
		return rest;
	if (m->ol_flags & RTE_MBUF_F_TX_IPV6)
		len = get16(ip + 4) + (uint32_t)IP6_LEN;
	else
		len = get16(ip + 2);
	return len > m->l3_len && len - m->l3_len < rest ? len - m->l3_len : rest;
}

void
offl_from_mbuf(struct rte_mbuf *m, struct virtio_net_hdr *v)
{
	uint16_t need = offl_need(m);
	uint32_t l3 = offl_l3(m), l4 = offl_l4(m);
	bool udp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM, v6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	uint8_t *ip = pkt_peek(m, l3, m->l3_len + (uint32_t)(udp ? UDP_LEN : TCP_LEN));

	memset(v, 0, sizeof *v);
	if (LIKELY(!need) || UNLIKELY(!ip || m->l3_len < (v6 ? IP6_LEN : IP4_LEN)))
		return;
	v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v->csum_start = (uint16_t)l4;
	v->csum_offset = udp ? OFFL_UDP_CSUM : OFFL_TCP_CSUM;
	v->hdr_len = (uint16_t)(l4 + (m->l4_len ? m->l4_len : UDP_LEN));
	store_be16(ip + m->l3_len + v->csum_offset,
		   csum_fold(offl_pseudo_sum(ip, v6, udp ? OFFL_UDP : OFFL_TCP, l4_len(m, ip))));
	if (need & (OFFL_TSO4 | OFFL_TSO6))
		v->gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	else if (need & (OFFL_UFO | OFFL_USO))
		v->gso_type = need & OFFL_UFO ? VIRTIO_NET_HDR_GSO_UDP : GSO_UDP_L4;
	if (v->gso_type)
		v->gso_size = m->tso_segsz;
	v->gso_type |= need & OFFL_ECN ? VIRTIO_NET_HDR_GSO_ECN : 0;
}
