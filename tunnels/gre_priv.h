/* SPDX-License-Identifier: Apache-2.0 */
/* The header that GRE, NVGRE and ERSPAN share (RFC 2784 and 2890): four bytes, and a word for each of three flags.
 *
 *	0         1           2        3        5              13      16
 *	+---+---+---+---+---+---------+--------------+--------+----------+----------+-----+----------+
 *	| C | 0 | K | S | s | recur   | flags        | ver    | protocol | checksum | key | sequence |
 *	+---+---+---+---+---+---------+--------------+--------+----------+----------+-----+----------+
 *	                                                                   and 16 bits reserved  */
#ifndef TUNNELS_GRE_PRIV_H
#define TUNNELS_GRE_PRIV_H

#include "base/pkt.h"
#include "tunnels/inner_priv.h"
#include "tunnels/tun.h"

enum {
	GRE_CSUM = 0x8000,
	GRE_KEY = 0x2000,
	GRE_SEQ = 0x1000,
	/* Routing, strict source route and the first bit of "recur": a receiver discards (RFC 2784, section 2.3).  It
	 * ignores the rest of the reserved bits. */
	GRE_MUST_BE_0 = 0x4000 | 0x0800 | 0x0400,
	GRE_VERSION = 0x0007,
	GRE_WORD = 4,
	GRE_PROTO_ETH = 0x6558,
};

struct gre {
	uint16_t flags, proto;  /* Host order. */
	uint32_t key;           /* Host order; 0 when there is none. */
	uint32_t len;           /* Of the header. */
};

enum gre_error { GRE_OK, GRE_SHORT, GRE_FLAGS, GRE_OTHER_VERSION, GRE_BAD_CSUM };

static inline uint16_t
gre_len(uint16_t flags)
{
	return (uint16_t)(GRE_HLEN + (!!(flags & GRE_CSUM) + !!(flags & GRE_KEY) + !!(flags & GRE_SEQ)) * GRE_WORD);
}

/* Whether the frame inside is not yet as it will be; a checksum over it was never filled in then. */
static inline bool
gre_undone(const struct rte_mbuf *m)
{
	return m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK);
}

/* Reads and checks the header at the start of 'm', checksum included. */
static inline enum gre_error
gre_read(const struct rte_mbuf *m, struct gre *g)
{
	const uint8_t *p = pkt_peek(m, 0, GRE_HLEN);
	uint32_t off = GRE_HLEN;

	if (UNLIKELY(!p))
		return GRE_SHORT;
	g->flags = host16(load_be16(p));
	g->proto = host16(load_be16(p + 2));
	if (UNLIKELY(g->flags & GRE_MUST_BE_0))
		return GRE_FLAGS;
	if (UNLIKELY(g->flags & GRE_VERSION))
		return GRE_OTHER_VERSION;
	g->len = gre_len(g->flags);
	g->key = 0;
	if (UNLIKELY(!pkt_peek(m, 0, g->len)))
		return GRE_SHORT;
	if (UNLIKELY(g->flags & GRE_CSUM)) {
		if (!gre_undone(m) && (pkt_is_partial(m) || csum_fold(pkt_csum(m, 0, 0)) != 0xffff))
			return GRE_BAD_CSUM;
		off += GRE_WORD;
	}
	if (g->flags & GRE_KEY)
		g->key = host32(load_be32(p + off));
	return GRE_OK;
}

/* Writes the key of a template, if that has one. */
static inline void
gre_set_key(struct tun_hdr *h, uint32_t key)
{
	uint8_t *p = h->b + h->own_off;
	uint16_t flags = host16(load_be16(p));

	if (flags & GRE_KEY)
		store_be32(p + GRE_HLEN + (flags & GRE_CSUM ? GRE_WORD : 0), be32(key));
}

/* Writes the header at the end of a template; checksum and sequence number are for gre_patch(). */
static inline void
gre_build(struct tun_hdr *h, uint16_t flags, uint16_t proto, uint32_t key)
{
	uint8_t *p = h->b + h->len;

	h->sums |= (flags & GRE_CSUM) != 0;
	store_be16(p, be16(flags));
	store_be16(p + 2, be16(proto));
	memset(p + 4, 0, (size_t)gre_len(flags) - GRE_HLEN);
	h->len = (uint16_t)(h->len + gre_len(flags));
	gre_set_key(h, key);
}

/* tun_type.patch of all that is GRE: sequence numbers, then checksums.  Reads in the template which of them there are.
 *
 * Numbers rise over all threads, for a session that is told by addresses and key; others may take some of them, so there
 * are gaps.  (A receiver with "seq" drops what is older than the last.)  They start from the time, so that a receiver
 * that outlived us does not take ours for old ones. */
void gre_patch(struct tun_batch *);

#endif
