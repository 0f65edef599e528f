/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path from a received burst to the output buffers: parse, look up, act.  This file is built
 * once per instruction set (meson.build gives WEFT_ISA and -march); the variants differ in what the
 * compiler makes of the 64-byte vectors, and in nothing else. */
#include "datapath/dp_priv.h"
#include "datapath/parse.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ISA_NAME_(x) #x
#define ISA_NAME(x) "x86-64-" ISA_NAME_(x)

/* Set in the hash of each packet that was hashed: a bit that neither a hint's bucket nor its tag is made of. */
#define HASHED (1ull << 40)

struct burst {
	unsigned n;
	struct rte_mbuf **m;
	uint32_t flow[BURST];
	uint64_t hash[BURST];
	struct flow_key key[BURST];
};

/* Finds the flow of each packet.  A packet with the key of the one before it needs no look-up; the rest
 * are hashed first and probed afterwards, so that the cache lines are on their way.  'l4': block 1 of the
 * keys takes part. */
static inline __attribute__((always_inline)) void
lookup(struct lcore *lc, struct burst *b, bool l4)
{
	struct cache *c = &lc->cache;
	unsigned hint = 0, mega = 0;

	for (unsigned i = 0; i < b->n; i++) {
		const flow_block *k = (const flow_block *)&b->key[i];

		/* Two blocks a key: k - 2 is the one before, and k - 1 its second block. */
		if (i && block_equal(k, k - 2) && (!l4 || block_equal(k + 1, k - 1))) {
			b->hash[i] = 0;
			continue;
		}
		b->hash[i] = cache_mix(cache_hash(c, k, NULL, l4 ? k + 1 : NULL, NULL), 0) | HASHED;
		__builtin_prefetch(&c->hints[b->hash[i] & (CACHE_HINT_BUCKETS - 1)]);
	}
	for (unsigned i = 0; i < b->n; i++) {
		if (!b->hash[i])
			continue;
		b->flow[i] = cache_hint_get(c, b->hash[i]);
		__builtin_prefetch(&c->flows[b->flow[i]]);
		__builtin_prefetch((const char *)&c->flows[b->flow[i]] + CACHE_LINE);
	}
	for (unsigned i = 0; i < b->n; i++) {
		const flow_block *k = (const flow_block *)&b->key[i];

		if (!b->hash[i]) {
			b->flow[i] = b->flow[i - 1];
			hint += b->flow[i] != CACHE_NONE;
			continue;
		}
		if (LIKELY(b->flow[i] != CACHE_NONE && cache_match(c, b->flow[i], k, k + 1))) {
			hint++;
			continue;
		}
		b->flow[i] = cache_lookup(c, b->key[i].in_port, k, k + 1);
		if (b->flow[i] != CACHE_NONE) {
			cache_hint_set(c, b->hash[i], b->flow[i]);
			mega++;
		}
	}
	ctr_add(&lc->stats.hint_hits, hint);
	ctr_add(&lc->stats.mega_hits, mega);
}

/* Sends the packets of one flow on their way. */
static inline void
act(struct lcore *lc, uint32_t f, const struct flow_key *key, struct rte_mbuf **m, unsigned n, uint64_t bytes)
{
	struct cflow *fl = &lc->cache.flows[f];

	flow_hit(lc, fl, n, bytes);
	if (LIKELY(fl->out_port)) {
		output(lc, fl->out_port, m, n);
	} else if (fl->n_acts) {
		exec_acts(lc, key, cache_acts(&lc->cache, fl), fl->n_acts, m, n);
	} else {
		exec_drop(lc, key->in_port, fl->drop, m, n);
	}
}

/* A run whose flow may not be what look-up saw: it is stale, or an earlier run of this burst was
 * re-translated and record numbers may have changed hands.  Returns the flow that still holds for the whole
 * run, or CACHE_NONE. */
static __attribute__((noinline)) uint32_t
recheck(struct lcore *lc, struct burst *b, unsigned from, unsigned to, uint32_t f)
{
	const flow_block *k = (const flow_block *)&b->key[from];

	if (!cache_match(&lc->cache, f, k, k + 1))
		return CACHE_NONE;
	if (lc->cache.flows[f].epoch != lc->epoch)
		f = upcall_revalidate(lc, f, &b->key[from], b->m[from]);
	for (unsigned i = from; f != CACHE_NONE && i < to; i++) {
		k = (const flow_block *)&b->key[i];
		if (!cache_match(&lc->cache, f, k, k + 1))
			return CACHE_NONE;
	}
	return f;
}

/* Runs the answers: hits first, in runs of equal flows; the misses after them. */
static inline __attribute__((always_inline)) void
dispatch(struct lcore *lc, struct burst *b)
{
	unsigned n_miss = 0;
	uint8_t miss[BURST];
	bool doubt = false;

	for (unsigned i = 0, j; i < b->n; i = j) {
		uint32_t f = b->flow[i];
		uint64_t bytes = b->m[i]->pkt_len;

		for (j = i + 1; j < b->n && b->flow[j] == f; j++)
			bytes += b->m[j]->pkt_len;
		if (UNLIKELY(f != CACHE_NONE && (doubt || lc->cache.flows[f].epoch != lc->epoch))) {
			doubt = true;
			f = recheck(lc, b, i, j, f);
		}
		if (UNLIKELY(f == CACHE_NONE)) {
			for (unsigned k = i; k < j; k++)
				miss[n_miss++] = (uint8_t)k;
			continue;
		}
		act(lc, f, &b->key[i], &b->m[i], j - i, bytes);
	}
	for (unsigned i = 0; i < n_miss; i++)
		upcall_packet(lc, &b->key[miss[i]], b->m[miss[i]]);
}

/* Leaves in a key what its port's policy may look at. */
static inline void
key_mask(struct flow_key *k, const struct flow_key *mask, bool l4)
{
	flow_block *b = (flow_block *)k;
	const flow_block *m = (const flow_block *)mask;

	block_and(&b[0], &b[0], &m[0]);
	if (l4)
		block_and(&b[1], &b[1], &m[1]);
	else
		block_clear(&b[1]);
}

/* Out of line: where the compiler puts it into its callers the code for the widest vectors is a tenth slower. */
static __attribute__((noinline)) bool
parse(const uint8_t *p, uint32_t contig, uint32_t len, uint16_t in_port, enum flow_depth depth, struct flow_key *k)
{
	return flow_parse(p, contig, len, in_port, depth, k);
}

/* Packets of one input port. */
static void
process_plain(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port)
{
	const struct dp_ports *ports = lc->ports;
	const struct flow_key *mask = &ports->mask[in_port];
	bool l4 = ports->port[in_port].flags & VPORT_L4;
	struct burst b = { .n = 0, .m = m };

	for (unsigned i = 0; i < n; i++) {
		struct flow_key *k = &b.key[b.n];

		if (UNLIKELY(!parse(rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len, m[i]->pkt_len, in_port,
				    l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, k))) {
			exec_drop(lc, in_port, DROP_RX_MALFORMED, &m[i], 1);
			continue;
		}
		key_mask(k, mask, l4);
		m[b.n++] = m[i];
	}
	if (l4)
		lookup(lc, &b, true);
	else
		lookup(lc, &b, false);
	dispatch(lc, &b);
}

/* Packets that came out of tunnels: each may have another input port. */
static void
process_decapsulated(struct lcore *lc, struct decap_out *d)
{
	struct burst b = { .n = 0, .m = d->m };

	for (unsigned i = 0; i < d->n; i++) {
		struct flow_key *k = &b.key[b.n];
		const struct flow_key *mask = &lc->ports->mask[d->in_port[i]];
		bool l4 = lc->ports->port[d->in_port[i]].flags & VPORT_L4;

		ctr_add(&lc->pstats[d->in_port[i]].rx_packets, 1);
		ctr_add(&lc->pstats[d->in_port[i]].rx_bytes, d->m[i]->pkt_len);
		if (UNLIKELY(!parse(rte_pktmbuf_mtod(d->m[i], const uint8_t *), d->m[i]->data_len, d->m[i]->pkt_len,
				    d->in_port[i], l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, k))) {
			exec_drop(lc, d->in_port[i], DROP_TUN_INNER_SHORT, &d->m[i], 1);
			continue;
		}
		k->flags |= FLOW_F_TUNNEL;
		k->tun_peer = d->peer[i];
		k->tun_id = be64(d->key[i]);
		key_mask(k, mask, l4);
		d->m[b.n++] = d->m[i];
	}
	lookup(lc, &b, true);
	dispatch(lc, &b);
}

static void
process(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port)
{
	struct dp_port_stats *ps = &lc->pstats[in_port];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	ctr_add(&ps->rx_packets, n);
	ctr_add(&ps->rx_bytes, bytes);
	ctr_add(&lc->stats.packets, n);
	if (UNLIKELY(lc->ports->port[in_port].flags & VPORT_UNDERLAY)) {
		struct decap_out d;

		d.n = 0;
		n = tun_decap(lc, m, n, in_port, &d);
		if (d.n)
			process_decapsulated(lc, &d);
		if (!n)
			return;
	}
	if (UNLIKELY(lc->ports->port[in_port].flags & VPORT_GUARD))
		n = exec_guard_rx(lc, in_port, m, n);
	process_plain(lc, m, n, in_port);
}

static bool
supported(void)
{
	return WEFT_ISA_SUPPORTED;
}

const struct dp_isa PASTE(dp_isa_, WEFT_ISA) = {
	.name = ISA_NAME(WEFT_ISA),
	.supported = supported,
	.process = process,
};
