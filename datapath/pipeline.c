/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path from a received burst to the output buffers: parse, look up, act.  This file is built
 * once per instruction set (meson.build gives WEFT_ISA and -march); the variants differ in what the
 * compiler makes of the 64-byte vectors, and in nothing else. */
#include "datapath/dp_priv.h"
#include "datapath/parse.h"
#include "datapath/tunnel_priv.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ISA_NAME_(x) #x
#define ISA_NAME(x) "x86-64-" ISA_NAME_(x)

/* Set in the hash of each packet that was hashed: a bit that neither a hint's bucket nor its tag is made of. */
#define HASHED (1ull << 40)

struct burst {
	unsigned n;
	uint64_t inserted;              /* cache.inserted at look-up. */
	uint32_t flow[BURST];
	uint64_t hash[BURST];
	struct flow_key key[BURST];
};

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

/* Hashes the keys that are another one than that of the packet before, and sends for their hints.  Masks them first, by
 * 'mask' (NULL: they are): the parser wrote them in pieces, and a load of a whole block waits until those are out of the
 * store buffer, which after 32 packets they are.  'l4': block 1 of the keys takes part. */
static inline __attribute__((always_inline)) void
hash_keys(const struct cache *c, struct burst *b, const struct flow_key *mask, bool l4)
{
	for (unsigned i = 0; i < b->n; i++) {
		const flow_block *k = (const flow_block *)&b->key[i];

		if (mask)
			key_mask(&b->key[i], mask, l4);
		/* Two blocks a key: k - 2 is the one before, and k - 1 its second block. */
		if (i && block_equal(k, k - 2) && (!l4 || block_equal(k + 1, k - 1))) {
			b->hash[i] = 0;
			continue;
		}
		b->hash[i] = cache_mix(cache_hash(c, k, NULL, l4 ? k + 1 : NULL, NULL), 0) | HASHED;
		hint_prefetch(&c->hints, b->hash[i]);
	}
}

/* Finds the flow of each packet; see hash_keys().  Stage by stage, so that the cache lines are on their way. */
static inline __attribute__((always_inline)) void
lookup(struct lcore *lc, struct burst *b, const struct flow_key *mask, bool l4)
{
	struct cache *c = &lc->cache;
	unsigned hint = 0, mega = 0;

	b->inserted = c->inserted;
	hash_keys(c, b, mask, l4);
	for (unsigned i = 0; i < b->n; i++) {
		if (!b->hash[i])
			continue;
		b->flow[i] = hint_get(&c->hints, b->hash[i]);
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
			hint_set(&c->hints, b->hash[i], b->flow[i]);
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
recheck(struct lcore *lc, const struct burst *b, unsigned from, unsigned to, uint32_t f, const struct xlate_pkt *pkt)
{
	const flow_block *k = (const flow_block *)&b->key[from];

	if (!cache_match(&lc->cache, f, k, k + 1))
		return CACHE_NONE;
	if (lc->cache.flows[f].epoch != lc->epoch)
		f = upcall_revalidate(lc, f, &b->key[from], pkt);
	for (unsigned i = from; f != CACHE_NONE && i < to; i++) {
		k = (const flow_block *)&b->key[i];
		if (!cache_match(&lc->cache, f, k, k + 1))
			return CACHE_NONE;
	}
	return f;
}

/* Misses of a burst from port 'from', or of those in 'tunnel': answered now as far as the turn allows. */
static __attribute__((noinline)) void
missed_burst(struct lcore *lc, const struct burst *b, struct rte_mbuf **m, const uint8_t *miss, unsigned n, uint16_t from,
	     const struct decap_out *tunnel)
{
	uint64_t start = rte_rdtsc(), upcalls = lc->stats.upcalls;

	for (unsigned i = 0; i < n; i++) {
		bool waits = miss_waits(lc, tunnel ? b->key[miss[i]].in_port : from);

		if (waits || !upcall_packet(lc, &b->key[miss[i]], b->inserted, miss_may(lc), m[miss[i]])) {
			if (tunnel)
				miss_keep_tunnel(lc, tunnel, miss[i]);
			else
				miss_keep(lc, from, m[miss[i]]);
			continue;
		}
		miss_note(lc, start, upcalls);
		start = rte_rdtsc();
		upcalls = lc->stats.upcalls;
	}
}

/* Runs the answers: hits first, in runs of equal flows; the misses after them.  'from': the port that was polled, unless
 * the packets are those in 'tunnel'. */
static inline __attribute__((always_inline)) void
dispatch(struct lcore *lc, const struct burst *b, struct rte_mbuf **m, uint16_t from, const struct decap_out *tunnel)
{
	unsigned n_miss = 0;
	uint8_t miss[BURST];
	bool doubt = false;

	for (unsigned i = 0, j; i < b->n; i = j) {
		uint32_t f = b->flow[i];
		uint64_t bytes = m[i]->pkt_len;

		for (j = i + 1; j < b->n && b->flow[j] == f; j++)
			bytes += m[j]->pkt_len;
		if (UNLIKELY(f != CACHE_NONE && (doubt || lc->cache.flows[f].epoch != lc->epoch))) {
			struct xlate_pkt pkt = pkt_of(&b->key[i], m[i]);

			doubt = true;
			f = recheck(lc, b, i, j, f, &pkt);
		}
		/* Packets of the same flow may still be waiting. */
		if (tunnel && f != CACHE_NONE && UNLIKELY(miss_waits(lc, b->key[i].in_port)) &&
		    miss_may_be_of(lc, b->key[i].in_port, lc->cache.flows[f].created))
			f = CACHE_NONE;
		if (UNLIKELY(f == CACHE_NONE)) {
			for (unsigned k = i; k < j; k++)
				miss[n_miss++] = (uint8_t)k;
			continue;
		}
		act(lc, f, &b->key[i], &m[i], j - i, bytes);
	}
	if (UNLIKELY(n_miss))
		missed_burst(lc, b, m, miss, n_miss, from, tunnel);
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
	struct burst b;

	if (UNLIKELY(ports->port[in_port].flags & VPORT_GUARD))
		n = exec_guard_rx(lc, in_port, m, n);
	b.n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct flow_key *k = &b.key[b.n];

		if (UNLIKELY(!parse(rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len, m[i]->pkt_len, in_port,
				    l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, k))) {
			exec_drop(lc, in_port, DROP_RX_MALFORMED, &m[i], 1);
			continue;
		}
		m[b.n++] = m[i];
	}
	if (l4)
		lookup(lc, &b, mask, true);
	else
		lookup(lc, &b, mask, false);
	dispatch(lc, &b, m, in_port, NULL);
}

/* What a key of packet 'i' has besides what was parsed. */
static inline void
tunnel_key(struct flow_key *k, const struct decap_out *d, unsigned i)
{
	k->flags |= FLOW_F_TUNNEL | d->flags[i];
	k->tun_peer = d->peer[i];
	k->tun_id = be64(d->key[i]);
	memcpy(&k->tun_tos, &d->info[i], sizeof d->info[i]);
}

static void
decap_move(struct decap_out *d, unsigned to, unsigned from)
{
	d->m[to] = d->m[from];
	d->frame[to] = d->frame[from];
	d->in_port[to] = d->in_port[from];
	d->flags[to] = d->flags[from];
	d->peer[to] = d->peer[from];
	d->key[to] = d->key[from];
	d->info[to] = d->info[from];
}

/* Parses packets that came out of tunnels: each may have another input port.  Shadows of malformed ones are counted, and
 * left out. */
static inline void
decapsulated_keys(struct lcore *lc, struct decap_out *d, struct burst *b)
{
	b->n = 0;
	for (unsigned i = 0; i < d->n; i++) {
		struct flow_key *k = &b->key[b->n];
		bool l4 = lc->ports->port[d->in_port[i]].flags & VPORT_L4;

		ctr_add(&lc->pstats[d->in_port[i]].rx_packets, 1);
		ctr_add(&lc->pstats[d->in_port[i]].rx_bytes, d->m[i]->pkt_len);
		if (UNLIKELY(!parse(rte_pktmbuf_mtod(d->m[i], const uint8_t *), d->m[i]->data_len, d->m[i]->pkt_len,
				    d->in_port[i], l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, k))) {
			exec_count_drop(lc, d->in_port[i], DROP_TUN_INNER_SHORT, 1);
			/* A shadow has none. */
			if (d->m[i]->pool)
				rte_pktmbuf_free(d->m[i]);
			continue;
		}
		tunnel_key(k, d, i);
		if (UNLIKELY(b->n != i))
			decap_move(d, b->n, i);
		b->n++;
	}
	/* As in hash_keys(), not before they are out of the store buffer. */
	for (unsigned i = 0; i < b->n; i++)
		key_mask(&b->key[i], &lc->ports->mask[d->in_port[i]], lc->ports->port[d->in_port[i]].flags & VPORT_L4);
}

static void
process_decapsulated(struct lcore *lc, struct decap_out *d)
{
	struct burst b;

	decapsulated_keys(lc, d, &b);
	lookup(lc, &b, NULL, true);
	dispatch(lc, &b, d->m, 0, d);
}

static void
count_rx(struct lcore *lc, uint16_t in_port, unsigned n, uint64_t bytes)
{
	struct dp_port_stats *ps = &lc->pstats[in_port];

	ctr_add(&ps->rx_packets, n);
	ctr_add(&ps->rx_bytes, bytes);
	ctr_add(&lc->stats.packets, n);
}

/* Packets of an underlay port: what came out of tunnels goes on as the tunnel port's. */
static void
process_underlay(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port)
{
	struct decap_out d;

	d.n = 0;
	n = tun_decap(lc, m, n, in_port, &d);
	if (d.n)
		process_decapsulated(lc, &d);
	if (n)
		process_plain(lc, m, n, in_port);
}

static void
process(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	count_rx(lc, in_port, n, bytes);
	if (UNLIKELY(lc->ports->port[in_port].flags & VPORT_UNDERLAY))
		process_underlay(lc, m, n, in_port);
	else
		process_plain(lc, m, n, in_port);
}

/* A packet that waited: its key is made anew, for the view may be another. */
static void
missed(struct lcore *lc, struct rte_mbuf *m, uint16_t in_port, const struct decap_out *d)
{
	bool l4 = lc->ports->port[in_port].flags & VPORT_L4;
	struct flow_key k;

	if (UNLIKELY(!parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, m->pkt_len, in_port,
			    l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, &k))) {
		exec_drop(lc, in_port, d ? DROP_TUN_INNER_SHORT : DROP_RX_MALFORMED, &m, 1);
		return;
	}
	if (d)
		tunnel_key(&k, d, 0);
	key_mask(&k, &lc->ports->mask[in_port], l4);
	upcall_packet(lc, &k, UPCALL_NEVER, true, m);
}

/* --- Frames in their sender's memory -------------------------------------------------------- */

/* Where the packets of a burst are, and where they go. */
struct frame_burst {
	struct frame_src src;
	uint8_t idx[BURST];             /* Packet i is frame idx[i]. */
	uint16_t out[2 * BURST] CACHE_ALIGNED;  /* Its output port; the second half is what stores run over. */
};

typedef uint16_t ports_vec __attribute__((vector_size(2 * BURST), may_alias, aligned(2)));

/* Packets i and those behind it go to one port, until another call says otherwise. */
static inline void
out_from(struct frame_burst *fb, unsigned i, uint16_t port)
{
	*(ports_vec *)&fb->out[i] = (ports_vec){ 0 } + port;
}

static struct xlate_pkt
frame_pkt(const struct frame_burst *fb, unsigned i)
{
	const struct frame *f = &fb->src.fr->f[fb->idx[i]];

	return (struct xlate_pkt){ .data = frame_hdr(fb->src.fr, fb->idx[i]), .contig = frame_hdr_len(f), .len = f->len };
}

/* Sends packets of set 'todo' to their ports, each port's together. */
static inline __attribute__((always_inline)) void
output_groups(struct lcore *lc, const struct frame_burst *fb, uint32_t todo, unsigned n)
{
	while (todo) {
		uint16_t port = fb->out[__builtin_ctz(todo)];
		uint32_t same = fvec_equal16(fb->out, port) & todo;
		uint8_t idx[BURST];
		unsigned k = 0;

		if (LIKELY(same == UINT32_MAX >> (BURST - n))) {
			frames_output(lc, &fb->src, fb->idx, n, port);
			return;
		}
		todo &= ~same;
		for (; same; same &= same - 1)
			idx[k++] = fb->idx[__builtin_ctz(same)];
		frames_output(lc, &fb->src, idx, k, port);
	}
}

/* Of frames that came out of tunnels. */
static __attribute__((noinline)) void
frames_missed_tunnel(struct lcore *lc, const struct burst *b, const struct frame_burst *fb, struct decap_out *d, uint32_t miss)
{
	uint8_t idx[BURST];
	unsigned n = 0;

	for (; miss; miss &= miss - 1) {
		unsigned i = (unsigned)__builtin_ctz(miss);

		if (!frames_to_mbufs(lc, &fb->src, &fb->idx[i], 1, &d->m[i]))
			continue;
		d->m[i]->hash.usr = 0;
		idx[n++] = (uint8_t)i;
	}
	missed_burst(lc, b, d->m, idx, n, 0, d);
}

static __attribute__((noinline)) void
frames_missed(struct lcore *lc, const struct burst *b, const struct frame_burst *fb, uint32_t miss)
{
	for (; miss; miss &= miss - 1) {
		unsigned i = (unsigned)__builtin_ctz(miss);
		struct xlate_pkt pkt = frame_pkt(fb, i);
		uint64_t start = rte_rdtsc(), upcalls = lc->stats.upcalls;
		struct upcall_answer ans;

		if (miss_waits(lc, fb->src.in_port) || !upcall_answer(lc, &b->key[i], &pkt, b->inserted, miss_may(lc), &ans)) {
			struct rte_mbuf *m;

			if (frames_to_mbufs(lc, &fb->src, &fb->idx[i], 1, &m))
				miss_keep(lc, fb->src.in_port, m);
			continue;
		}
		if (ans.out_port)
			frames_output(lc, &fb->src, &fb->idx[i], 1, ans.out_port);
		else if (ans.n_acts)
			frames_exec(lc, &fb->src, &fb->idx[i], 1, &b->key[i], ans.acts, ans.n_acts);
		else
			exec_count_drop(lc, fb->src.in_port, ans.drop, 1);
		miss_note(lc, start, upcalls);
	}
}

/* Sends for the headers of the tunnels that frames of different flows go into. */
static inline void
fetch_tunnels(struct lcore *lc, const struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct cflow *fl = &lc->cache.flows[b->flow[i]];

		if (b->hash[i] && b->flow[i] != CACHE_NONE && !fl->out_port && fl->n_acts)
			tun_fetch(lc, cache_acts(&lc->cache, fl), fl->n_acts);
	}
}

/* As dispatch(), but what goes to one port is sent with all of the burst that goes there. */
static inline __attribute__((always_inline)) void
dispatch_frames(struct lcore *lc, const struct burst *b, struct frame_burst *fb, struct decap_out *tunnel)
{
	const struct frame *fr = fb->src.fr->f;
	uint32_t miss = 0, out = 0;
	bool doubt = false;
	uint16_t port;

	if (lc->view->tun && lc->view->tun->n_dst)
		fetch_tunnels(lc, b);
	for (unsigned i = 0, j; i < b->n; i = j) {
		uint32_t f = b->flow[i], run;
		uint64_t bytes = fr[fb->idx[i]].len;
		struct cflow *fl;

		for (j = i + 1; j < b->n && b->flow[j] == f; j++)
			bytes += fr[fb->idx[j]].len;
		run = UINT32_MAX >> (BURST - (j - i)) << i;
		if (UNLIKELY(f != CACHE_NONE && (doubt || lc->cache.flows[f].epoch != lc->epoch))) {
			struct xlate_pkt pkt = frame_pkt(fb, i);

			doubt = true;
			f = recheck(lc, b, i, j, f, &pkt);
		}
		/* As there. */
		if (tunnel && f != CACHE_NONE && UNLIKELY(miss_waits(lc, b->key[i].in_port)) &&
		    miss_may_be_of(lc, b->key[i].in_port, lc->cache.flows[f].created))
			f = CACHE_NONE;
		if (UNLIKELY(f == CACHE_NONE)) {
			miss |= run;
			continue;
		}
		fl = &lc->cache.flows[f];
		flow_hit(lc, fl, j - i, bytes);
		if (LIKELY(fl->out_port)) {
			out_from(fb, i, fl->out_port);
			out |= run;
		} else if (fl->n_acts) {
			const struct act *acts = cache_acts(&lc->cache, fl);

			if (frames_encap(lc, &fb->src, &fb->idx[i], j - i, acts, fl->n_acts, &port)) {
				out_from(fb, i, port);
				out |= run;
			} else {
				frames_exec(lc, &fb->src, &fb->idx[i], j - i, &b->key[i], acts, fl->n_acts);
			}
		} else {
			exec_count_drop(lc, b->key[i].in_port, fl->drop, j - i);
		}
	}
	output_groups(lc, fb, out, b->n);
	if (UNLIKELY(!miss))
		return;
	if (tunnel)
		frames_missed_tunnel(lc, b, fb, tunnel, miss);
	else
		frames_missed(lc, b, fb, miss);
}

/* What came out of tunnels goes on as the tunnel port's.  Returns the set of ordinary frames that are left to the caller. */
static __attribute__((noinline)) uint32_t
frames_underlay(struct lcore *lc, const struct frame_src *s)
{
	struct rte_mbuf *m[BURST];
	struct frame_burst fb;
	uint8_t all[BURST];
	struct decap_out d;
	uint32_t plain;
	unsigned n = s->fr->n;

	d.n = 0;
	/* The guard of a port is asked about whole bursts. */
	if (LIKELY(!(lc->ports->port[s->in_port].flags & VPORT_GUARD)) && frames_decap(lc, s->in_port, &d, &plain)) {
		struct burst b;

		fb.src = (struct frame_src){ .fr = s->fr, .in_port = s->in_port };
		decapsulated_keys(lc, &d, &b);
		for (unsigned i = 0; i < b.n; i++) {
			fb.idx[i] = d.frame[i];
			fb.src.longest = MAX_OF(fb.src.longest, s->fr->f[fb.idx[i]].len);
		}
		fb.src.came = fb.src.longest;
		lookup(lc, &b, NULL, true);
		dispatch_frames(lc, &b, &fb, &d);
		return plain;
	}
	for (unsigned i = 0; i < n; i++)
		all[i] = (uint8_t)i;
	/* Outer fragments are put together of one buffer each. */
	n = lc->view->tun->reassemble ? frames_to_mbufs(lc, s, all, n, m) : frames_lend(lc, s, all, n, m);
	if (n)
		process_underlay(lc, m, n, s->in_port);
	return 0;
}

static void
process_frames(struct lcore *lc, uint16_t in_port)
{
	const struct dp_ports *ports = lc->ports;
	struct frames *fr = lc->frames;
	const struct flow_key *mask = &ports->mask[in_port];
	bool l4 = ports->port[in_port].flags & VPORT_L4;
	uint32_t pass = UINT32_MAX;
	struct frame_burst fb;
	uint64_t bytes = 0;
	struct burst b;

	fb.src = (struct frame_src){ .fr = fr, .in_port = in_port };
	for (unsigned i = 0; i < fr->n; i++) {
		bytes += fr->f[i].len;
		fb.src.longest = MAX_OF(fb.src.longest, fr->f[i].len);
	}
	fb.src.came = fb.src.longest;
	count_rx(lc, in_port, fr->n, bytes);
	if (UNLIKELY(ports->port[in_port].flags & VPORT_UNDERLAY)) {
		pass = frames_underlay(lc, &fb.src);
		if (LIKELY(!pass))
			return;
	}
	if (UNLIKELY(ports->port[in_port].flags & VPORT_GUARD))
		pass &= frames_guard_rx(lc, &fb.src);
	b.n = 0;
	for (unsigned i = 0; i < fr->n; i++) {
		struct flow_key *k = &b.key[b.n];

		if (UNLIKELY(!(pass >> i & 1)))
			continue;
		if (UNLIKELY(!parse(frame_hdr(fr, i), frame_hdr_len(&fr->f[i]), fr->f[i].len, in_port,
				    l4 ? FLOW_DEPTH_L4 : FLOW_DEPTH_L2, k))) {
			exec_count_drop(lc, in_port, DROP_RX_MALFORMED, 1);
			continue;
		}
		fb.idx[b.n++] = (uint8_t)i;
	}
	if (l4)
		lookup(lc, &b, mask, true);
	else
		lookup(lc, &b, mask, false);
	dispatch_frames(lc, &b, &fb, NULL);
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
	.missed = missed,
	.process_frames = process_frames,
	.process_decap = process_decapsulated,
};
