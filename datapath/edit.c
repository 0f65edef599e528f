/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the headers of a frame, and takes MPLS (RFC 3032) and PBB (IEEE 802.1Q, clause 9.7) headers off and puts
 * them on.  The fields are set in edit_set.c. */
#include "datapath/edit_priv.h"

#include "datapath/offload.h"
#include "datapath/parse.h"

enum { FLOW_IP_DCCP = 33, FLOW_IP_UDPLITE = 136, ETH_LEN = 14 };

/* Whether 'len' bytes at 'off' can be read; if not, and the packet has them, its first segment is cut. */
static bool
have(const struct rte_mbuf *m, uint64_t off, uint32_t len, struct edit_lay *l)
{
	if (LIKELY(off + len <= m->data_len))
		return true;
	l->cut |= off + len <= m->pkt_len;
	return false;
}

/* Header bytes of L4 that are needed to tell ports and checksum. */
static uint32_t
l4_min(const struct edit_lay *l)
{
	switch (l->proto) {
	case FLOW_IP_TCP:
		return 20;
	case FLOW_IP_UDP:
	case FLOW_IP_UDPLITE:
	case FLOW_IP_ICMP:
	case FLOW_IP_ICMP6:
		return 8;
	case FLOW_IP_SCTP:
	case FLOW_IP_DCCP:
		return 12;
	default:
		return 0;
	}
}

/* L4 at 'at', in front of l->end. */
static void
locate_l4(const struct rte_mbuf *m, uint32_t at, struct edit_lay *l)
{
	uint32_t min = l4_min(l), len = l->end - at;
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);

	if (!min || len < min || !have(m, at, min, l))
		return;
	l->l4 = at;
	l->l4_ok = true;
	if (l->proto == FLOW_IP_TCP)
		l->l4_ok = (p[12] >> 4) * 4u >= 20 && (p[12] >> 4) * 4u <= len;
	else if (l->proto == FLOW_IP_UDP)
		l->l4_ok = host16(load_be16(p + 4)) >= 8 && (l->frag || host16(load_be16(p + 4)) <= len);
	else if (l->proto == FLOW_IP_ICMP || l->proto == FLOW_IP_ICMP6)
		l->l4_ok = l->ip == (l->proto == FLOW_IP_ICMP ? 4 : 6);
	/* Of neighbour discovery the options are wanted as well. */
	if (l->l4_ok && l->proto == FLOW_IP_ICMP6 && (p[0] == 135 || p[0] == 136))
		have(m, at, len, l);
}

static void
locate_ipv4(const struct rte_mbuf *m, struct edit_lay *l)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, l->l3);
	uint32_t hlen, total;
	uint16_t frag;

	if (!have(m, l->l3, 20, l))
		return;
	hlen = (p[0] & 0xf) * 4u;
	total = host16(load_be16(p + 2));
	if (p[0] >> 4 != 4 || hlen < 20 || total < hlen || total > m->pkt_len - l->l3 || !have(m, l->l3, hlen, l))
		return;
	l->ip = 4;
	l->proto = p[9];
	l->end = l->l3 + total;
	frag = host16(load_be16(p + 6));
	l->frag = frag & 0x3fff;
	if (!(frag & 0x1fff))
		locate_l4(m, l->l3 + hlen, l);
}

/* As flow_parse_ipv6_ext(): the offset of what the extension headers end in, 0 when they are malformed, cut, or
 * those of a later fragment. */
static uint32_t
skip_extensions(const struct rte_mbuf *m, uint8_t next, struct edit_lay *l)
{
	uint32_t at = l->l3 + 40;

	for (unsigned n = 0;; n++) {
		const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
		uint32_t hlen = 8;

		l->proto = next;
		if (next != FLOW_IP6_HOP_BY_HOP && next != FLOW_IP6_ROUTING && next != FLOW_IP6_DEST_OPTS &&
		    next != FLOW_IP6_FRAGMENT && next != FLOW_IP6_AUTH)
			return at;
		if (n == FLOW_IP6_EXT_MAX || l->end - at < 8 || !have(m, at, 8, l))
			return 0;
		if (next == FLOW_IP6_FRAGMENT) {
			uint16_t frag = host16(load_be16(p + 2));

			l->frag |= (frag & 0xfff9) != 0;
			if (frag & 0xfff8)
				return 0;
		} else {
			hlen = next == FLOW_IP6_AUTH ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
			l->routed |= next == FLOW_IP6_ROUTING && p[3];
		}
		if (hlen > l->end - at || !have(m, at, hlen, l))
			return 0;
		next = p[0];
		at += hlen;
	}
}

static void
locate_ipv6(const struct rte_mbuf *m, struct edit_lay *l)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, l->l3);
	uint32_t payload, at;

	if (!have(m, l->l3, 40, l))
		return;
	payload = host16(load_be16(p + 4));
	if (p[0] >> 4 != 6 || payload > m->pkt_len - l->l3 - 40)
		return;
	l->ip = 6;
	l->end = l->l3 + 40 + payload;
	at = skip_extensions(m, p[6], l);
	if (at)
		locate_l4(m, at, l);
}

bool
edit_locate(const struct rte_mbuf *m, struct edit_lay *l)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	*l = (struct edit_lay){ .type_at = ETH_LEN - 2, .l3 = ETH_LEN };
	if (m->data_len < ETH_LEN)
		return false;
	l->type = load_be16(p + l->type_at);
	while (flow_tpid(l->type) && l->n_tags < EDIT_TAGS && have(m, l->l3, 4, l)) {
		l->n_tags++;
		l->type_at += 4;
		l->l3 += 4;
		l->type = load_be16(p + l->type_at);
	}
	if (UNLIKELY(host16(l->type) < 0x600))
		have(m, l->l3, 8, l);
	if (UNLIKELY(l->cut))
		return false;
	if (UNLIKELY(host16(l->type) < 0x600)) {
		l->type = flow_parse_llc(p, m->data_len, &l->l3);
		l->snap = l->type != be16(0x05ff);
		l->type_at = l->snap ? l->l3 - 2 : 0;
		if (!l->snap)
			l->type = 0;
	}
	if (l->type == be16(0x0800))
		locate_ipv4(m, l);
	else if (l->type == be16(0x86dd))
		locate_ipv6(m, l);
	else
		have(m, l->l3, l->type == be16(0x0806) || l->type == be16(0x8035) ? 28 : 4, l);
	return true;
}

/* --- Headers ------------------------------------------------------------------------------- */

static bool
is_mpls(be16_t type)
{
	return type == be16(0x8847) || type == be16(0x8848);
}

/* Only frames with an Ethernet type of their own: a length in its place would have to change, too. */
static bool
locate_typed(const struct rte_mbuf *m, struct edit_lay *l)
{
	return edit_locate(m, l) && l->type && !l->snap && !flow_tpid(l->type);
}

bool
edit_push_mpls(struct rte_mbuf *m, uint16_t type, uint32_t lse)
{
	struct edit_lay l;
	uint8_t *p;

	if (!locate_typed(m, &l))
		return false;
	p = pkt_push(m, EDIT_MPLS_LEN);
	if (UNLIKELY(!p))
		return false;
	memmove(p, p + EDIT_MPLS_LEN, l.l3);
	store_be16(p + l.type_at, be16(type));
	store_be32(p + l.l3, be32(lse));
	offl_l2_moved(m, EDIT_MPLS_LEN);
	offl_hidden(m);
	return true;
}

bool
edit_pop_mpls(struct rte_mbuf *m, uint16_t type)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct edit_lay l;

	if (!locate_typed(m, &l) || !is_mpls(l.type) || !pkt_peek(m, l.l3, EDIT_MPLS_LEN))
		return false;
	store_be16(p + l.type_at, be16(type));
	memmove(p + EDIT_MPLS_LEN, p, l.l3);
	offl_l2_moved(m, -EDIT_MPLS_LEN);
	return pkt_pull(m, EDIT_MPLS_LEN);
}

bool
edit_push_pbb(struct rte_mbuf *m, uint32_t itag)
{
	uint8_t *p;

	if (m->data_len < ETH_LEN)
		return false;
	p = pkt_push(m, EDIT_PBB_LEN);
	if (UNLIKELY(!p))
		return false;
	memcpy(p, p + EDIT_PBB_LEN, 12);
	store_be16(p + 12, be16(0x88e7));
	store_be32(p + 14, be32(itag));
	offl_l2_moved(m, EDIT_PBB_LEN);
	offl_hidden(m);
	return true;
}

/* Tags in front of the I-TAG stay: those are popped as tags. */
bool
edit_pop_pbb(struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), inner[12];
	struct edit_lay l;

	/* The inner addresses and the type behind them. */
	if (!locate_typed(m, &l) || l.type != be16(0x88e7) || !pkt_peek(m, l.l3, 4 + ETH_LEN))
		return false;
	memcpy(inner, p + l.l3 + 4, sizeof inner);
	memmove(p + EDIT_PBB_LEN + 12, p + 12, l.type_at - 12);
	memcpy(p + EDIT_PBB_LEN, inner, sizeof inner);
	offl_l2_moved(m, -EDIT_PBB_LEN);
	return pkt_pull(m, EDIT_PBB_LEN);
}
