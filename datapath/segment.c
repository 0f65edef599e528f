/* SPDX-License-Identifier: Apache-2.0 */
/* What a frame's sender left to a device, done in software: a checksum completed, a long TCP or UDP payload cut into
 * segments, a long UDP datagram into IP fragments; plain or inside one tunnel header.
 *
 * Each segment is a copy of all headers, mended, and its share of the payload.  As Linux cuts (inet_gso_segment(),
 * tcp_gso_segment()): the IPv4 id counts up, CWR stays on the first segment, PSH and FIN on the last.  Payload is copied,
 * not referenced: its checksum has to be read anyway, and what comes out is one buffer that every port can send.
 *
 * Lengths come from metadata, which offl_check() and the tunnel stage wrote; what actions did to the packet since may
 * have made it something else.  So they are checked against the packet: nothing is read or written beyond it. */
#include <string.h>

#include "datapath/drop.h"
#include "datapath/offl_priv.h"
#include "tunnels/tun.h"

enum {
	MAX_HDR = 256,
	IP4_LEN = 20, IP6_LEN = 40, TCP_LEN = 20, UDP_LEN = 8, FRAG_LEN = 8,
	IP6_HOP_BY_HOP = 0, IP6_ROUTING = 43, IP6_FRAGMENT = 44, IP6_DEST_OPTS = 60, IP6_AUTH = 51,
	IP4_DF = 0x40, IP4_MF = 0x2000,
	TCP_CWR = 0x80, TCP_PSH = 0x08, TCP_FIN = 0x01,
	GRE_CSUM = 0x80, GRE_KEY = 0x20, GRE_SEQ = 0x10,
};

enum what { CUT_TCP, CUT_UDP, CUT_FRAGMENTS, CUT_NONE };

/* A packet's headers, as offsets from its start. */
struct plan {
	enum what what;
	uint32_t o_l3, o_l4;            /* Of the tunnel packet; o_l4 0: there is none. */
	uint32_t l3, l4;
	uint32_t hdr_len;               /* All headers that each segment gets. */
	uint32_t frag;                  /* The IPv6 fragment header among them; 0: none. */
	bool o_v6, v6;
	uint8_t o_proto, proto;
	uint16_t mss;
	uint16_t o_id;                  /* IPv4 ids of the segments but the first; see mend_outer(). */
	uint8_t h[MAX_HDR];
};

static uint16_t
get16(const uint8_t *p)
{
	return host16(load_be16(p));
}

static void
put16(uint8_t *p, uint32_t v)
{
	store_be16(p, be16((uint16_t)v));
}

/* --- Reading ------------------------------------------------------------------------------- */

static bool
is_ip(const uint8_t *p, uint32_t len, bool v6)
{
	return v6 ? len >= IP6_LEN && p[0] >> 4 == 6 : len >= IP4_LEN && p[0] >> 4 == 4 && (p[0] & 0xf) * 4u == len;
}

static bool
plan_outer(struct plan *p, const struct rte_mbuf *m)
{
	uint32_t own;

	if (!m->outer_l3_len)
		return true;
	p->o_l3 = m->outer_l2_len;
	p->o_l4 = p->o_l3 + m->outer_l3_len;
	p->o_v6 = m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV6;
	p->o_proto = p->h[p->o_l3 + (p->o_v6 ? 6 : 9)];
	own = p->o_proto == OFFL_UDP || (p->o_proto == OFFL_GRE && p->h[p->o_l4] & GRE_CSUM) ? UDP_LEN : 0;
	return is_ip(p->h + p->o_l3, m->outer_l3_len, p->o_v6) && p->o_l4 + own <= p->l3;
}

/* False: the packet is not what its metadata says. */
static bool
plan_make(struct plan *p, const struct rte_mbuf *m)
{
	const void *h;
	uint32_t len;

	memset(p, 0, offsetof(struct plan, h));
	p->l3 = offl_l3(m);
	p->l4 = offl_l4(m);
	p->v6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	p->proto = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM ? OFFL_UDP : OFFL_TCP;
	p->what = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG ? CUT_TCP
		  : !(m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) ? CUT_NONE
		  : m->l4_len ? CUT_UDP : CUT_FRAGMENTS;
	p->hdr_len = p->l4 + (p->what == CUT_TCP || p->what == CUT_UDP ? m->l4_len : 0u);
	p->mss = m->tso_segsz;
	/* The L4 header is there, though it is no header of fragments. */
	len = MAX_OF(p->hdr_len, p->l4 + (p->proto == OFFL_TCP ? (uint32_t)TCP_LEN : UDP_LEN));
	if (len + FRAG_LEN > MAX_HDR || len > m->pkt_len || (p->hdr_len != p->l4 && p->hdr_len < len))
		return false;
	h = rte_pktmbuf_read(m, 0, len, p->h);
	if (!h)
		return false;
	if (h != p->h)
		memcpy(p->h, h, len);
	return is_ip(p->h + p->l3, m->l3_len, p->v6) && plan_outer(p, m);
}

/* --- Headers of one packet ----------------------------------------------------------------- */

/* Those in front of a segment's payload, and what is known of it. */
struct seg {
	uint8_t *h;
	uint32_t off, len;              /* Of its payload. */
	uint32_t i;                     /* The how manieth. */
	bool last;
	bool partial;                   /* The receiver completes the checksum. */
	uint64_t data_sum;
};

static void
mend_ip4_sum(uint8_t *ip, uint32_t hlen)
{
	put16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~csum_fold(csum_add(0, ip, hlen)));
}

static void
mend_ip(const struct plan *p, const struct seg *s)
{
	uint8_t *ip = s->h + p->l3;
	uint32_t len = p->hdr_len + s->len - p->l3;

	if (p->v6) {
		put16(ip + 4, len - IP6_LEN);
		return;
	}
	put16(ip + 2, len);
	if (p->what == CUT_FRAGMENTS)
		put16(ip + 6, s->off / 8 | (s->last ? 0 : IP4_MF));
	else
		put16(ip + 4, get16(ip + 4) + s->i);
	mend_ip4_sum(ip, p->l4 - p->l3);
}

static void
mend_l4(const struct plan *p, const struct seg *s)
{
	uint8_t *l4 = s->h + p->l4, *field = l4 + (p->proto == OFFL_TCP ? OFFL_TCP_CSUM : OFFL_UDP_CSUM);
	uint32_t len = p->hdr_len + s->len - p->l4;
	uint64_t sum = offl_pseudo_sum(s->h + p->l3, p->v6, p->proto, len);

	if (p->what == CUT_TCP) {
		store_be32(l4 + 4, be32(host32(load_be32(l4 + 4)) + s->off));
		l4[13] &= (uint8_t)~((s->i ? TCP_CWR : 0) | (s->last ? 0 : TCP_PSH | TCP_FIN));
	} else {
		put16(l4 + 4, len);
	}
	if (s->partial) {
		store_be16(field, csum_fold(sum));
		return;
	}
	put16(field, 0);
	store_be16(field, offl_csum(csum_add(sum, l4, p->hdr_len - p->l4) + s->data_sum));
}

static void
mend_frag(const struct plan *p, const struct seg *s)
{
	if (p->frag)
		put16(s->h + p->frag + 2, s->off | !s->last);
}

/* A tunnel's checksum, if it has one; what it covers is in order by now. */
static void
mend_tunnel_sum(const struct plan *p, const struct seg *s, uint32_t len)
{
	uint8_t *l4 = s->h + p->o_l4;
	uint64_t sum = s->data_sum;
	bool gre = p->o_proto == OFFL_GRE && l4[0] & GRE_CSUM;
	uint8_t *field = gre ? l4 + 4 : l4 + OFFL_UDP_CSUM;

	if (!gre && (p->o_proto != OFFL_UDP || !load_be16(field)))
		return;
	if (!gre)
		sum += offl_pseudo_sum(s->h + p->o_l3, p->o_v6, OFFL_UDP, len);
	put16(field, 0);
	store_be16(field, offl_csum(csum_add(sum, l4, p->hdr_len - p->o_l4)));
}

/* The tunnel stage took as many sequence numbers as there are segments (RFC 2890, section 2.2). */
static void
mend_gre_seq(uint8_t *gre, uint32_t room, uint32_t i)
{
	uint8_t *seq = gre + 4 + (gre[0] & GRE_CSUM ? 4 : 0) + (gre[0] & GRE_KEY ? 4 : 0);

	if (gre[0] & GRE_SEQ && seq + 4 <= gre + room)
		store_be32(seq, be32(host32(load_be32(seq)) + i));
}

/* The tunnel's headers.  Segments with "don't fragment" need no id of their own (RFC 6864). */
static void
mend_outer(const struct plan *p, const struct seg *s)
{
	uint8_t *ip = s->h + p->o_l3;
	uint32_t len = p->hdr_len + s->len - p->o_l4;

	if (p->o_v6) {
		put16(ip + 4, len + p->o_l4 - p->o_l3 - IP6_LEN);
	} else {
		put16(ip + 2, len + p->o_l4 - p->o_l3);
		if (s->i && !(ip[6] & IP4_DF))
			store_be16(ip + 4, (be16_t)(p->o_id + s->i));
		mend_ip4_sum(ip, p->o_l4 - p->o_l3);
	}
	if (p->o_proto == OFFL_UDP)
		put16(s->h + p->o_l4 + 4, len);
	else if (p->o_proto == OFFL_GRE)
		mend_gre_seq(s->h + p->o_l4, p->l3 - p->o_l4, s->i);
	mend_tunnel_sum(p, s, len);
}

static void
mend(const struct plan *p, const struct seg *s)
{
	mend_ip(p, s);
	if (p->what == CUT_FRAGMENTS)
		mend_frag(p, s);
	else
		mend_l4(p, s);
	/* From the inside out: the outer checksum covers the inner ones. */
	if (p->o_l4)
		mend_outer(p, s);
}

/* --- Payload ------------------------------------------------------------------------------- */

/* Where the next byte of the payload is. */
struct cursor {
	const struct rte_mbuf *m;
	uint32_t off;
};

static void
cursor_skip(struct cursor *c, uint32_t n)
{
	c->off += n;
	while (c->m && c->off >= c->m->data_len) {
		c->off -= c->m->data_len;
		c->m = c->m->next;
	}
}

/* Appends the next 'len' bytes.  False: buffers ran out. */
static bool
take(struct rte_mbuf *dst, struct cursor *c, uint32_t len, struct rte_mempool *pool)
{
	struct rte_mbuf *last = dst;

	while (len) {
		uint32_t part = MIN_OF(MIN_OF(len, c->m->data_len - c->off), (uint32_t)rte_pktmbuf_tailroom(last));

		if (UNLIKELY(!part)) {
			last->next = rte_pktmbuf_alloc(pool);
			if (!last->next)
				return false;
			last = last->next;
			dst->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len),
		       rte_pktmbuf_mtod_offset(c->m, const uint8_t *, c->off), part);
		last->data_len += (uint16_t)part;
		dst->pkt_len += part;
		cursor_skip(c, part);
		len -= part;
	}
	return true;
}

/* --- Cutting ------------------------------------------------------------------------------- */

/* The fragment header goes behind what every router reads (RFC 8200, 4.5): hop-by-hop options, routing header and the
 * destination options in front of that. */
static bool
add_fragment_header(struct plan *p)
{
	static __thread uint32_t ident;
	uint8_t *next = &p->h[p->l3 + 6], *at_next = next;
	uint32_t at = p->l3 + IP6_LEN, off = at;

	while (*next == IP6_HOP_BY_HOP || *next == IP6_ROUTING || *next == IP6_DEST_OPTS) {
		bool stays = *next != IP6_DEST_OPTS;

		if (off + 8 > p->l4)
			return false;
		next = &p->h[off];
		off += (next[1] + 1u) * 8;
		if (off > p->l4)
			return false;
		if (stays) {
			at_next = next;
			at = off;
		}
	}
	if (!ident)
		ident = (uint32_t)rte_rdtsc();
	memmove(p->h + at + FRAG_LEN, p->h + at, p->l4 - at);
	memset(p->h + at, 0, FRAG_LEN);
	p->h[at] = *at_next;
	*at_next = IP6_FRAGMENT;
	store_be32(p->h + at + 4, be32(++ident));
	p->frag = at;
	p->l4 += FRAG_LEN;
	p->hdr_len += FRAG_LEN;
	return true;
}

/* The checksum of the datagram that is about to be cut into fragments: it is in the first. */
static be16_t
datagram_csum(const struct plan *p, const struct rte_mbuf *m, uint32_t l4)
{
	uint32_t len = m->pkt_len - l4;
	uint64_t sum = offl_pseudo_sum(p->h + p->l3, p->v6, OFFL_UDP, len);

	return offl_csum(sum + offl_sum(m, l4, OFFL_UDP_CSUM) + offl_sum(m, l4 + UDP_LEN, len - UDP_LEN));
}

static void
keep_partial(struct rte_mbuf *dst, const struct rte_mbuf *m)
{
	dst->ol_flags |= m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 |
					RTE_MBUF_F_TX_TUNNEL_MASK | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6);
	dst->tx_offload = m->tx_offload;
	dst->tso_segsz = 0;
}

/* One segment into an empty buffer.  False: buffers ran out. */
static bool
cut_one(const struct plan *p, struct seg *s, struct cursor *c, struct rte_mbuf *dst, struct rte_mempool *pool)
{
	s->h = rte_pktmbuf_mtod(dst, uint8_t *);
	memcpy(s->h, p->h, p->hdr_len);
	dst->data_len = (uint16_t)p->hdr_len;
	dst->pkt_len = p->hdr_len;
	if (UNLIKELY(!take(dst, c, s->len, pool)))
		return false;
	s->data_sum = s->partial && !p->o_l4 ? 0 : offl_sum(dst, p->hdr_len, s->len);
	return true;
}

static unsigned
cut(struct plan *p, const struct rte_mbuf *m, bool partial, struct rte_mempool *pool, struct rte_mbuf *out[], unsigned max,
    int *why)
{
	uint32_t from = p->hdr_len, l4 = p->l4, left = m->pkt_len - from, n;
	struct cursor c = { .m = m };
	be16_t csum = 0;

	*why = DROP_TX_SEGMENT;
	if (p->what == CUT_FRAGMENTS) {
		p->mss &= (uint16_t)~7;
		csum = datagram_csum(p, m, l4);
	}
	if (!left || !p->mss || left > p->mss * (uint64_t)max || (p->what == CUT_FRAGMENTS && p->v6 && !add_fragment_header(p)))
		return 0;
	n = (left + p->mss - 1) / p->mss;
	*why = DROP_NO_MEMORY;
	if (rte_pktmbuf_alloc_bulk(pool, out, n))
		return 0;
	p->o_id = p->o_l4 && !p->o_v6 ? tun_ids_take(n) : 0;
	cursor_skip(&c, from);
	for (uint32_t i = 0, off = 0; i < n; i++, off += p->mss) {
		struct seg s = { .i = i, .off = off, .len = MIN_OF(left - off, (uint32_t)p->mss), .last = i + 1 == n,
				 .partial = partial };

		if (UNLIKELY(!cut_one(p, &s, &c, out[i], pool))) {
			rte_pktmbuf_free_bulk(out, n);
			return 0;
		}
		if (p->what == CUT_FRAGMENTS && !i) {
			offl_put16(out[i], p->hdr_len + OFFL_UDP_CSUM, csum);
			s.data_sum = offl_sum(out[i], p->hdr_len, s.len);
		}
		mend(p, &s);
		if (partial)
			keep_partial(out[i], m);
	}
	return n;
}

/* --- Completing ---------------------------------------------------------------------------- */

/* Bytes from 'l4' to the end of the IP packet at 'ip', at most what is there. */
static uint32_t
l4_len(const struct rte_mbuf *m, const uint8_t *ip, bool v6, uint32_t l3, uint32_t l4)
{
	uint32_t end = l3 + (v6 ? get16(ip + 4) + (uint32_t)IP6_LEN : get16(ip + 2));

	return end > l4 ? MIN_OF(end, m->pkt_len) - l4 : m->pkt_len - l4;
}

static void
complete_tunnel(const struct plan *p, struct rte_mbuf *m)
{
	bool gre = p->o_proto == OFFL_GRE && p->h[p->o_l4] & GRE_CSUM;
	uint32_t field = p->o_l4 + (gre ? 4u : OFFL_UDP_CSUM), len;
	uint64_t sum = 0;

	if (!gre && (p->o_proto != OFFL_UDP || !load_be16(p->h + field)))
		return;
	len = l4_len(m, p->h + p->o_l3, p->o_v6, p->o_l3, p->o_l4);
	if (!gre)
		sum = offl_pseudo_sum(p->h + p->o_l3, p->o_v6, OFFL_UDP, len);
	offl_put16(m, field, 0);
	offl_put16(m, field, offl_csum(sum + offl_sum(m, p->o_l4, len)));
}

/* A long frame too: it stays one, with a checksum of its own. */
static void
complete(const struct plan *p, struct rte_mbuf *m)
{
	uint32_t field = p->l4 + (p->proto == OFFL_TCP ? OFFL_TCP_CSUM : OFFL_UDP_CSUM), len;

	len = p->what == CUT_NONE ? l4_len(m, p->h + p->l3, p->v6, p->l3, p->l4) : m->pkt_len - p->l4;
	offl_put16(m, field, 0);
	offl_put16(m, field,
		   offl_csum(offl_pseudo_sum(p->h + p->l3, p->v6, p->proto, len) + offl_sum(m, p->l4, len)));
	if (p->o_l4)
		complete_tunnel(p, m);
	offl_clear(m);
}

void
offl_finish(struct rte_mbuf *m)
{
	struct plan p;

	if (LIKELY(!offl_need(m)))
		return;
	if (plan_make(&p, m))
		complete(&p, m);
	offl_clear(m);
}

unsigned
offl_resolve(struct rte_mbuf *m, uint16_t accepts, struct rte_mempool *pool, struct rte_mbuf *out[], unsigned max, int *why)
{
	uint16_t need = offl_need(m), lacks = need & (uint16_t)~accepts;
	struct rte_mbuf *own = m;
	struct plan p;
	unsigned n = 0;

	out[0] = m;
	if (!lacks)
		return 1;
	*why = DROP_TX_SEGMENT;
	if (UNLIKELY(!plan_make(&p, m)))
		goto out;
	if (p.what != CUT_NONE) {
		bool partial = p.what != CUT_FRAGMENTS && !(lacks & (OFFL_CSUM | OFFL_TUNNEL));

		n = cut(&p, m, partial, pool, out, max, why);
		goto out;
	}
	/* Others that hold it have it as it is. */
	if (rte_mbuf_refcnt_read(m) > 1 || RTE_MBUF_CLONED(m)) {
		*why = DROP_NO_MEMORY;
		own = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
		if (!own)
			goto out;
		rte_pktmbuf_free(m);
	}
	complete(&p, own);
	out[0] = own;
	return 1;
out:
	rte_pktmbuf_free(m);
	return n;
}
