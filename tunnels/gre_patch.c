/* SPDX-License-Identifier: Apache-2.0 */
/* What each GRE packet has of its own: a sequence number (RFC 2890, section 2.2) and a checksum. */
#include <stdatomic.h>
#include <time.h>

#include "base/hash.h"
#include "tunnels/gre_priv.h"

enum { N_SEQ = 1024 };

/* More sessions than that share numbers, which costs them nothing but gaps.  One table for all templates, since those
 * are made anew whenever a neighbour changes. */
static struct {
	_Atomic uint32_t next;
	_Atomic bool started;
} seqs[N_SEQ];

static uint32_t
seq_take(const struct tun_hdr *h, unsigned n)
{
	uint64_t sum = 0;
	unsigned i;

	/* Addresses and key, but no TTL nor TOS. */
	for (const uint8_t *p = h->b + h->l3_off + (h->v6 ? 8 : 12); p + 4 <= h->b + h->len; p += 4)
		sum = hash_add(sum, load_be32(p));
	i = (unsigned)(sum % N_SEQ);
	if (UNLIKELY(!atomic_load_explicit(&seqs[i].started, memory_order_relaxed)) &&
	    !atomic_exchange_explicit(&seqs[i].started, true, memory_order_relaxed)) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		atomic_fetch_add_explicit(&seqs[i].next, (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000),
					  memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&seqs[i].next, n, memory_order_relaxed);
}

/* How many packets it will be; more rather than fewer. */
static uint32_t
n_packets(const struct rte_mbuf *m)
{
	if (LIKELY(!(m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG))) || !m->tso_segsz)
		return 1;
	return m->pkt_len / m->tso_segsz + 1;
}

static void
patch_seq(struct tun_batch *b, uint32_t off)
{
	uint32_t n = 0, seq;

	for (uint16_t i = 0; i < b->n; i++)
		n += b->drop[i] ? 0 : n_packets(b->pkt[i]);
	seq = seq_take(b->hdr, n);
	for (uint16_t i = 0; i < b->n; i++) {
		if (b->drop[i])
			continue;
		store_be32(rte_pktmbuf_mtod_offset(b->pkt[i], uint8_t *, off), be32(seq));
		seq += n_packets(b->pkt[i]);
	}
}

static void
patch_csum(struct rte_mbuf *m, uint32_t off)
{
	/* It is computed when the frame is done, see tun_push(). */
	if (UNLIKELY(gre_undone(m)))
		return;
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, off + GRE_HLEN), ~csum_fold(pkt_csum(m, off, 0)));
}

void
gre_patch(struct tun_batch *b)
{
	uint32_t off = b->hdr->own_off;
	uint16_t flags = host16(load_be16(b->hdr->b + off));

	if (LIKELY(!(flags & (GRE_CSUM | GRE_SEQ))))
		return;
	if (flags & GRE_SEQ)
		patch_seq(b, off + gre_len(flags) - GRE_WORD);
	if (!(flags & GRE_CSUM))
		return;
	for (uint16_t i = 0; i < b->n; i++)
		if (!b->drop[i])
			patch_csum(b->pkt[i], off);
}
