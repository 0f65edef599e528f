/* SPDX-License-Identifier: Apache-2.0 */
/* Decapsulation, before the one look-up: packets of an underlay port that are addressed to a tunnel
 * endpoint of ours lose their outer headers and go on as packets of the tunnel port.  Whatever is
 * refused is refused here, by reason, and never reaches the slow path. */
#include "datapath/dp_priv.h"
#include "datapath/offload.h"
#include "datapath/parse.h"
#include "datapath/reasm.h"
#include "datapath/tunnel_priv.h"
#include "tunnels/tlv.h"

#include <netinet/in.h>
#include <rte_ether.h>

enum {
	ETH_LEN = 14,
	IP4_LEN = 20,
	SRC_OFF = ETH_LEN + 12,
	OUTER_WORDS = 5,                /* Of outer headers that are compared, over IPv4. */
	OUTER_MIN = ETH_LEN + IP4_LEN + 8,
	MANY_ENDS = 3,
};

/* Packets of one tunnel type, on their way through its pop(). */
struct pop_run {
	const struct tun_type *type;
	uint16_t udp_port[TUN_BATCH_MAX];
	bool csum_zero6[TUN_BATCH_MAX];
	uint16_t start[TUN_BATCH_MAX];  /* Where the outer headers were, as data_off. */
	bool joined[TUN_BATCH_MAX];     /* It came in fragments. */
	const struct tun_endpoint *e;   /* What was found for packet 'like'; NULL: nothing yet. */
	uint32_t peer;
	unsigned like;
	/* Outer headers of the last packet that was looked at closely, and what has to agree: see run_alike(). */
	const uint8_t *mask;            /* NULL: there is none. */
	uint64_t outer[OUTER_WORDS];
	uint16_t outer_len;
	uint8_t n_ends, ends[TUN_BATCH_MAX];    /* Packets with the same number were sent between the same ends. */
	struct tun_batch b;
};

static const uint8_t outer_drop[TUN_N_OUTER_DROPS] = {
	[TUN_OUTER_SHORT] = DROP_TUN_OUTER_SHORT,
	[TUN_OUTER_FRAGMENT] = DROP_TUN_OUTER_FRAGMENT,
	[TUN_OUTER_CSUM] = DROP_TUN_OUTER_CSUM,
	[TUN_OUTER_SOURCE] = DROP_TUN_OUTER_SOURCE,
	[TUN_OUTER_OPTIONS] = DROP_TUN_OUTER_OPTIONS,
};

static const uint8_t kind_drop[TUN_N_DROP_KINDS] = {
	[TUN_DROP_HEADER] = DROP_TUN_HEADER,
	[TUN_DROP_CSUM] = DROP_TUN_OUTER_CSUM,
	[TUN_DROP_PAYLOAD] = DROP_TUN_PAYLOAD,
	[TUN_DROP_CONTROL] = DROP_TUN_CONTROL,
	[TUN_DROP_OPTION] = DROP_TUN_OPTION,
	[TUN_DROP_KEY] = DROP_TUN_UNKNOWN_KEY,
	[TUN_DROP_OVERLAP] = DROP_TUN_OVERLAP,
	[TUN_DROP_TAGGED] = DROP_TUN_INNER_VLAN,
};

static enum dp_drop
header_drop(const struct tun_type *t, uint8_t why)
{
	return t->drop_kinds ? kind_drop[t->drop_kinds[why]] : DROP_TUN_HEADER;
}

static bool
inner_tagged(const struct rte_mbuf *m)
{
	const uint8_t *p = pkt_peek(m, 0, RTE_ETHER_HDR_LEN);

	return flow_tpid(load_be16(p + 12));
}

/* What the far end's sender left to us: checked as a guest's virtio header would be. */
static bool
take_offload(struct rte_mbuf *m, const struct tun_meta *meta)
{
	bool tcp = meta->offl & TUN_OFFL_TCP;
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = meta->offl_l4,
				    .csum_offset = tcp ? 16 : 6, .gso_size = meta->offl_mss };
	uint16_t need;

	if (meta->offl_mss)
		v.gso_type = !tcp ? VIRTIO_NET_HDR_GSO_UDP : meta->offl & TUN_OFFL_IP4 ? VIRTIO_NET_HDR_GSO_TCPV4
											: VIRTIO_NET_HDR_GSO_TCPV6;
	if (!offl_check(&v, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, m->pkt_len, &need))
		return false;
	if (need)
		offl_to_mbuf(m, &v, need);
	return true;
}

/* Geneve's options and flags: DROP_NONE when all are known that must be.  What rules look at of them goes into the key. */
static enum dp_drop
take_extras(struct lcore *lc, uint16_t port, const struct rte_mbuf *m, struct tun_meta *meta)
{
	const struct xlate_ops *x = lc->dp->conf.xlate;
	const struct tlv_table *t = x->port_opts && lc->view->xlate ? x->port_opts(lc->view->xlate, port) : NULL;
	const uint8_t *opts = rte_pktmbuf_mtod(m, const uint8_t *) - meta->opts_len;

	if (meta->flags & TUN_META_OAM && !(t && t->oam))
		return DROP_TUN_CONTROL;
	if (meta->flags & TUN_META_CRITICAL && !tlv_known(t, opts, meta->opts_len))
		return DROP_TUN_OPTION;
	if (t && t->examined && meta->opts_len)
		tlv_digest(t, lc->dp->opts_key, opts, meta->opts_len, meta->ext);
	return DROP_NONE;
}

/* What happens to one popped packet: DROP_NONE when it may enter the switch by 'e'. */
static enum dp_drop
admit(const struct tun_endpoint *e, struct rte_mbuf *m, const struct tun_meta *meta, bool csum_zero6)
{
	if (csum_zero6 && !e->zero_csum6)
		return DROP_TUN_OUTER_CSUM;
	if (!pkt_peek(m, 0, RTE_ETHER_HDR_LEN))
		return DROP_TUN_INNER_SHORT;
	if (UNLIKELY(meta->offl) && !take_offload(m, meta))
		return DROP_TUN_HEADER;
	if (e->drop_inner_vlan && inner_tagged(m))
		return DROP_TUN_INNER_VLAN;
	if (!tun_ecn_decap(m, meta->tos))
		return DROP_TUN_ECN;
	return DROP_NONE;
}

/* The local address that a far end is known with. */
static const struct ipaddr *
asked_by(const struct tun_endpoint *e, const struct tun_meta *meta)
{
	return UNLIKELY(e->asks) ? &e->asked : &meta->dst;
}

/* The number of the far end; 0: it has none yet. */
static uint32_t
peer_of(struct lcore *lc, const struct tun_endpoint *e, const struct tun_meta *meta)
{
	uint32_t now = (uint32_t)(lc->ms / 1000), peer, *at;

	if (LIKELY(!(e->wild & TUN_WILD_REMOTE)))
		return e->dst;
	peer = tun_view_peer(lc->view->tun, e->port, &meta->src, asked_by(e, meta));
	at = &lc->dp->tun_used[peer];
	if (peer && __atomic_load_n(at, __ATOMIC_RELAXED) != now)
		__atomic_store_n(at, now, __ATOMIC_RELAXED);
	return peer;
}

/* What a flow key says of it besides tun_*. */
static uint8_t
key_flags(const struct tun_meta *meta)
{
	return meta->flags & TUN_META_NO_LEARN ? FLOW_F_NO_LEARN : 0;
}

static void
wait_for_number(struct lcore *lc, const struct tun_endpoint *e, const struct tun_meta *meta, struct rte_mbuf *m)
{
	struct tun_set s = { .remote = meta->src, .local = *asked_by(e, meta), .key = meta->key, .tos = meta->tos,
			     .ttl = meta->ttl, .flags = meta->flags & TUN_META_OAM };

	memcpy(s.ext, meta->ext, sizeof s.ext);
	tun_wait_rx(lc, e->port, &s, key_flags(meta), m);
}

static void
put_out(struct decap_out *out, const struct tun_endpoint *e, uint32_t peer, const struct tun_meta *meta, struct rte_mbuf *m)
{
	unsigned n = out->n++;

	out->m[n] = m;
	out->in_port[n] = e->port;
	out->flags[n] = key_flags(meta);
	out->peer[n] = peer;
	out->key[n] = meta->key;
	out->info[n].tos = meta->tos;
	out->info[n].ttl = meta->ttl;
	/* Of what 'meta' says, only this is OpenFlow's. */
	out->info[n].flags = meta->flags & TUN_META_OAM;
	out->info[n].pad = 0;
	memcpy(out->info[n].ext, meta->ext, sizeof out->info[n].ext);
}

static void
reap(struct lcore *lc, const struct tun_type *t, uint16_t port, bool all)
{
	struct rte_mbuf *lost[TUN_BATCH_MAX];

	for (unsigned n; (n = t->reap(all, lost, TUN_BATCH_MAX)) > 0;)
		exec_drop(lc, port, DROP_TUN_INCOMPLETE, lost, n);
}

static bool
reap_fragments(struct lcore *lc, bool all)
{
	struct rte_mbuf *lost[TUN_BATCH_MAX];
	bool overlap;

	for (unsigned n; (n = reasm_lost(lc->reasm, lc->ms, all, &overlap, lost, TUN_BATCH_MAX)) > 0;)
		exec_drop(lc, lc->held_port, overlap ? DROP_TUN_OVERLAP : DROP_TUN_INCOMPLETE, lost, n);
	return reasm_holds(lc->reasm);
}

void
tun_held_service(struct lcore *lc, bool all)
{
	bool holds = false;

	for (unsigned i = 0; tun_types[i]; i++) {
		if (!tun_types[i]->reap)
			continue;
		reap(lc, tun_types[i], lc->held_port, all);
		holds |= tun_types[i]->holds();
	}
	lc->held = reap_fragments(lc, all) || holds;
}

/* A key of more than 32 bits (STT) is that of no endpoint but those that leave keys to rules. */
static uint32_t
find_key(const struct tun_meta *meta)
{
	return UNLIKELY(meta->key > UINT32_MAX) ? TUN_KEY_FLOW : (uint32_t)meta->key;
}

/* Packet 'i' is refused; 'port': the tunnel port, if it got so far. */
static void
refuse(struct lcore *lc, const struct pop_run *r, unsigned i, uint16_t underlay, uint16_t port, enum dp_drop why,
       struct rte_mbuf *m)
{
	const struct tun_meta *meta = &r->b.meta[i];
	const struct dp_refusal what = { .why = why, .type = r->type, .src = meta->src, .dst = meta->dst, .key = meta->key,
					 .keyed = !r->b.drop[i], .underlay = underlay, .port = port };

	tun_refuse(lc, &what, m);
}

/* Likewise one of which no more than the outer headers are known. */
static void
refuse_outer(struct lcore *lc, const struct tun_type *type, const struct ipaddr *src, const struct ipaddr *dst,
	     uint16_t underlay, enum dp_drop why, struct rte_mbuf *m)
{
	const struct dp_refusal what = { .why = why, .type = type, .src = *src, .dst = *dst, .underlay = underlay };

	tun_refuse(lc, &what, m);
}

/* Whether the endpoint of packet 'a' is that of 'b' as well, whoever sent that: there are none but such that do not ask. */
static inline bool
same_endpoint(const struct tun_view *v, const struct pop_run *r, const struct tun_endpoint *e, unsigned a, unsigned b)
{
	const struct tun_meta *ma = &r->b.meta[a], *mb = &r->b.meta[b];

	return e->wild & TUN_WILD_REMOTE && v->shapes == 1u << e->wild && ma->key == mb->key && r->udp_port[a] == r->udp_port[b] &&
	       ip_equal(&ma->dst, &mb->dst);
}

static inline void
fetch(const void *p)
{
	__builtin_prefetch(p);
	__builtin_prefetch((const char *)p + CACHE_LINE);
}

/* Sends for what find_ends() will read, when packets of many senders came together: those lines are far away. */
static void
fetch_ends(struct lcore *lc, const struct pop_run *r)
{
	const struct tun_view *v = lc->view->tun;
	const struct tun_meta *first = &r->b.meta[0];
	const struct tun_endpoint *e = tun_view_find(v, r->type, r->udp_port[0], find_key(first), &first->src, &first->dst);
	bool peers = e && e->wild & TUN_WILD_REMOTE;
	const uint32_t *slot[TUN_BATCH_MAX];

	if (!peers && !(v->shapes & 1))
		return;
	for (unsigned i = 0; i < r->b.n; i++) {
		const struct tun_meta *m = &r->b.meta[i];

		slot[i] = peers ? tun_view_peer_slot(v, e->port, &m->src, asked_by(e, m))
				: tun_view_slot(v, r->type, r->udp_port[i], find_key(m), &m->src, &m->dst);
		__builtin_prefetch(slot[i]);
	}
	for (unsigned i = 0; i < r->b.n; i++)
		if (*slot[i])
			fetch(peers ? (const void *)&v->dst[*slot[i]] : (const void *)&v->endpoint[*slot[i] - 1]);
}

/* The endpoint of popped packet 'i', and the number of who sent it.  Mostly they are those of the packet before. */
static const struct tun_endpoint *
find_ends(struct lcore *lc, struct pop_run *r, unsigned i, uint32_t *peer)
{
	const struct tun_meta *meta = &r->b.meta[i];

	if (!r->e || r->ends[i] != r->ends[r->like] || meta->key != r->b.meta[r->like].key) {
		if (!r->e || !same_endpoint(lc->view->tun, r, r->e, r->like, i))
			r->e = tun_view_find(lc->view->tun, r->type, r->udp_port[i], find_key(meta), &meta->src, &meta->dst);
		r->like = i;
		if (LIKELY(r->e != NULL))
			r->peer = peer_of(lc, r->e, meta);
	}
	*peer = r->peer;
	return r->e;
}

/* What becomes of popped packet 'i': DROP_NONE when it may enter the switch by '*e', from '*peer', which has no number yet when
 * that is 0.  '*port' is the tunnel port, if it got so far. */
static enum dp_drop
judge(struct lcore *lc, struct pop_run *r, unsigned i, uint16_t *port, const struct tun_endpoint **e, uint32_t *peer)
{
	struct tun_meta *meta = &r->b.meta[i];
	struct rte_mbuf *m = r->b.pkt[i];
	enum dp_drop why = DROP_NONE;

	if (UNLIKELY(r->b.drop[i]))
		return header_drop(r->type, r->b.drop[i]);
	if (UNLIKELY(m->ol_flags & OFFL_MBUF_MASK))
		offl_tunnel_off(m, (uint32_t)m->data_off - r->start[i]);
	*e = find_ends(lc, r, i, peer);
	if (UNLIKELY(!*e))
		return tun_view_has_key(lc->view->tun, r->type, r->udp_port[i], find_key(meta)) ? DROP_TUN_UNKNOWN_REMOTE
												: DROP_TUN_UNKNOWN_KEY;
	*port = (*e)->port;
	if (UNLIKELY(r->joined[i] && !(*e)->reassemble))
		return DROP_TUN_OUTER_FRAGMENT;
	if (UNLIKELY(meta->opts_len || meta->flags & TUN_META_OAM))
		why = take_extras(lc, (*e)->port, m, meta);
	if (UNLIKELY(why != DROP_NONE))
		return why;
	/* For whoever has to look at them: nobody asks for the hash of an outer packet any more. */
	m->hash.usr = meta->opts_len;
	if (UNLIKELY(!*peer && !tun_endpoint_allows(*e, &meta->src)))
		return DROP_TUN_UNKNOWN_REMOTE;
	return admit(*e, m, meta, r->csum_zero6[i]);
}

static void
pop_flush(struct lcore *lc, struct pop_run *r, uint16_t underlay, struct decap_out *out)
{
	struct tun_batch *b = &r->b;

	if (!b->n)
		return;
	memset(b->drop, 0, b->n);
	r->type->pop(b);
	if (UNLIKELY(r->type->reap)) {
		lc->held_port = underlay;
		lc->held |= r->type->holds();
		reap(lc, r->type, underlay, false);
	}
	r->e = NULL;
	if (UNLIKELY(r->n_ends > MANY_ENDS))
		fetch_ends(lc, r);
	for (unsigned i = 0; i < b->n; i++) {
		const struct tun_endpoint *e;
		uint16_t port = 0;
		enum dp_drop why;
		uint32_t peer;

		if (UNLIKELY(b->drop[i] == TUN_HELD))
			continue;
		why = judge(lc, r, i, &port, &e, &peer);
		if (UNLIKELY(why != DROP_NONE))
			refuse(lc, r, i, underlay, port, why, b->pkt[i]);
		else if (UNLIKELY(e->bfd) && tun_is_bfd(b->pkt[i]))
			tun_take_bfd(lc, e->port, peer, b->pkt[i]);
		else if (UNLIKELY(!peer))
			wait_for_number(lc, e, &b->meta[i], b->pkt[i]);
		else
			put_out(out, e, peer, &b->meta[i], b->pkt[i]);
	}
	b->n = 0;
	r->mask = NULL;
}

/* Fragments that may be a tunnel's wait until their packet is whole.  REASM_PLAIN: it is none, or nobody's. */
static enum reasm_verdict
collect(struct lcore *lc, struct mac mac, uint16_t in_port, struct rte_mbuf **m)
{
	const struct tun_view *v = lc->view->tun;
	enum reasm_verdict verdict;
	struct reasm_frag f;
	struct tun_outer o;
	bool ours = false;

	if (LIKELY(!reasm_peek(*m, &f)) || !tun_view_listens(v, f.proto, &f.src, &f.dst) || !tun_view_is_local(v, &f.dst) ||
	    !ip_is_unicast(&f.src) || tun_view_is_local(v, &f.src) ||
	    (!mac_is_zero(mac) && memcmp(&mac, rte_pktmbuf_mtod(*m, const uint8_t *), sizeof mac)))
		return REASM_PLAIN;
	if (!f.off)
		ours = tun_outer_peek(*m, &o) && tun_view_type(v, &o);
	verdict = reasm_add(lc->reasm, lc->ms, &f, ours, m);
	if (verdict == REASM_BAD)
		refuse_outer(lc, NULL, &f.src, &f.dst, in_port, DROP_TUN_OVERLAP, *m);
	lc->held = true;
	lc->held_port = in_port;
	return verdict;
}

/* Fragments that were kept until it was known that they are the host's: each is told to be so when it comes again. */
static void
give_back(struct lcore *lc, uint16_t in_port)
{
	struct rte_mbuf *m[TUN_BATCH_MAX];

	for (unsigned n; (n = reasm_plain(lc->reasm, m, TUN_BATCH_MAX)) > 0;)
		lc->isa->process(lc, m, n, in_port);
}

/* To a group, as such packets are sent: which ones are ours, the addresses say. */
static bool
is_group(const struct tun_outer *o)
{
	return mac_is_multicast(o->eth_dst) && ip_is_multicast(&o->dst) && mac_equal(ip_group_mac(&o->dst), o->eth_dst);
}

static inline void
run_init(struct pop_run *r)
{
	r->b.n = 0;
	r->type = NULL;
	r->mask = NULL;
	r->n_ends = 0;
}

/* The type of a packet that is a tunnel's, and for us; NULL: it is an ordinary one. */
static inline const struct tun_type *
type_of(const struct tun_view *v, struct mac mac, const struct rte_mbuf *m, struct tun_outer *o)
{
	const struct tun_type *type;

	if (!tun_outer_peek(m, o) || !(type = tun_view_type(v, o)) ||
	    (!mac_is_zero(mac) && !mac_equal(mac, o->eth_dst) && !is_group(o)) || !tun_view_is_local(v, &o->dst))
		return NULL;
	return type;
}

/* Checks the outer headers and takes them off.  'own': we sent it. */
static inline enum dp_drop
strip(const struct tun_view *v, bool own, struct rte_mbuf *m, struct tun_outer *o)
{
	int why = tun_outer_check(m, o);

	if (LIKELY(!why && !own) && UNLIKELY(tun_view_is_local(v, &o->src)))
		why = TUN_OUTER_SOURCE;
	if (UNLIKELY(why || !pkt_pull(m, o->len)))
		return why ? outer_drop[why] : DROP_TUN_OUTER_SHORT;
	return DROP_NONE;
}

/* In two halves, as it was written: a load of both at once would wait until those are out of the store buffer. */
static inline void
put_ip(struct ipaddr *to, const struct ipaddr *from)
{
	uint64_t w[2];

	memcpy(w, from, sizeof w);
	__asm__("" : "+r"(w[0]), "+r"(w[1]));
	memcpy(to, w, sizeof w);
}

/* Puts a packet without outer headers into the run; 'start' is where those were. */
static inline struct tun_meta *
run_put(struct pop_run *r, uint16_t start, uint8_t tos, uint8_t ttl, bool joined, struct rte_mbuf *m)
{
	unsigned n = r->b.n++;
	struct tun_meta *meta = &r->b.meta[n];

	r->start[n] = start;
	r->joined[n] = joined;
	r->ends[n] = r->n_ends;
	r->b.pkt[n] = m;
	memset((uint8_t *)meta + offsetof(struct tun_meta, key), 0, sizeof *meta - offsetof(struct tun_meta, key));
	meta->tos = tos;
	meta->ttl = ttl;
	return meta;
}

/* Frames over IPv4 without options.  All of the IP header but length, id, checksum and source must agree, the MAC address that
 * it was sent to, and UDP's destination port or the first bytes of GRE. */
static const uint8_t udp_mask[OUTER_WORDS * 8] = {
	[0 ... 5] = 0xff, [12 ... 15] = 0xff, [20 ... 23] = 0xff, [30 ... 33] = 0xff, [36 ... 37] = 0xff,
};
static const uint8_t gre_mask[OUTER_WORDS * 8] = {
	[0 ... 5] = 0xff, [12 ... 15] = 0xff, [20 ... 23] = 0xff, [30 ... 37] = 0xff,
};

/* A packet that strip() has let pass; its outer headers were 'o', at 'p'. */
static inline void
run_add(struct pop_run *r, const struct tun_outer *o, const uint8_t *p, uint16_t start, bool joined, struct rte_mbuf *m)
{
	unsigned n = r->b.n;
	struct tun_meta *meta;

	r->n_ends++;
	r->udp_port[n] = r->type->udp_port ? o->port : 0;
	r->csum_zero6[n] = o->v6 && o->csum_zero;
	meta = run_put(r, start, o->tos, o->ttl, joined, m);
	put_ip(&meta->src, &o->src);
	put_ip(&meta->dst, &o->dst);
	r->mask = NULL;
	if (UNLIKELY(o->v6 || p[ETH_LEN] != 0x45 || joined))
		return;
	if (o->ip_proto == IPPROTO_GRE)
		r->mask = gre_mask;
	else if (o->ip_proto == IPPROTO_UDP && o->csum_zero)
		r->mask = udp_mask;
	r->outer_len = o->len;
	memcpy(r->outer, p, sizeof r->outer);
}

/* Takes a packet like the last one: what was found out about that holds for it, and what may differ is in order.  Else false,
 * and it has to be looked at closely. */
static inline bool
run_alike(struct pop_run *r, const struct tun_view *v, bool own, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *mask = r->mask;
	unsigned n = r->b.n;
	uint64_t w, k, diff = 0;
	struct tun_meta *meta;
	uint32_t len, src;

	if (UNLIKELY(!mask || m->data_len < OUTER_MIN || !n))
		return false;
	for (unsigned i = 0; i < OUTER_WORDS; i++) {
		memcpy(&w, p + 8 * i, 8);
		memcpy(&k, mask + 8 * i, 8);
		diff |= (w ^ r->outer[i]) & k;
	}
	len = host16(load_be16(p + ETH_LEN + 2));
	if (UNLIKELY(diff) || len + ETH_LEN != m->pkt_len || csum_fold(csum_add(0, p + ETH_LEN, IP4_LEN)) != 0xffff)
		return false;
	/* Its length, and no checksum. */
	if (mask == udp_mask && load_be32(p + ETH_LEN + IP4_LEN + 4) != be32((len - IP4_LEN) << 16))
		return false;
	memcpy(&src, (const uint8_t *)r->outer + SRC_OFF, 4);
	if (load_be32(p + SRC_OFF) != src) {
		struct ipaddr from = ip_from_v4(load_be32(p + SRC_OFF));

		if (UNLIKELY(v->shared || r->type->reap) || !ip_is_unicast(&from) || (!own && tun_view_is_local(v, &from)))
			return false;
		r->n_ends++;
		memcpy((uint8_t *)r->outer + SRC_OFF, p + SRC_OFF, 4);
		put_ip(&r->b.meta[n].src, &from);
	} else {
		put_ip(&r->b.meta[n].src, &r->b.meta[n - 1].src);
	}
	r->udp_port[n] = r->udp_port[n - 1];
	r->csum_zero6[n] = false;
	meta = run_put(r, m->data_off, p[ETH_LEN + 1], p[ETH_LEN + 8], false, m);
	put_ip(&meta->dst, &r->b.meta[n - 1].dst);
	m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);
	pkt_pull(m, r->outer_len);
	return true;
}

enum { VLAN_HLEN = 4, VLAN_TPID = 0x8100 };

/* Whether a frame is of the underlay's VLAN on its port; its tag, if any, is taken off and kept in '*tci'. */
static bool
untag(struct rte_mbuf *m, uint16_t vid, uint16_t *tci, bool *tagged)
{
	uint8_t *p = pkt_peek(m, 0, RTE_ETHER_HDR_LEN + VLAN_HLEN);

	*tagged = p && load_be16(p + 12) == be16(VLAN_TPID);
	if (!*tagged)
		return vid & TUN_VID_BARE;
	*tci = load_be16(p + RTE_ETHER_HDR_LEN);
	if ((host16(*tci) ^ vid) & 0xfff) {
		*tagged = false;
		return false;
	}
	memmove(p + VLAN_HLEN, p, 2 * RTE_ETHER_ADDR_LEN);
	pkt_pull(m, VLAN_HLEN);
	offl_l2_moved(m, -VLAN_HLEN);
	return true;
}

/* It was no tunnel packet: it goes on as it came. */
static void
retag(struct rte_mbuf *m, uint16_t tci)
{
	uint8_t *p = pkt_push(m, VLAN_HLEN);

	/* There is room: it has just been there. */
	if (UNLIKELY(!p))
		return;
	memmove(p, p + VLAN_HLEN, 2 * RTE_ETHER_ADDR_LEN);
	store_be16(p + 12, be16(VLAN_TPID));
	store_be16(p + RTE_ETHER_HDR_LEN, tci);
	offl_l2_moved(m, VLAN_HLEN);
}

/* 'own': they never were on a wire, and their sender is us. */
static inline __attribute__((always_inline)) unsigned
decap(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port, struct mac mac, bool own, struct decap_out *out)
{
	const struct tun_view *v = lc->view->tun;
	uint16_t vid = own ? 0 : v->underlay_vid[in_port];
	/* Of pieces the tag would be lost. */
	bool reassemble = v->reassemble && !own && !vid;
	unsigned plain = 0;
	struct pop_run r;

	run_init(&r);
	for (unsigned i = 0; i < n; i++) {
		enum reasm_verdict verdict = UNLIKELY(reassemble) ? collect(lc, mac, in_port, &m[i]) : REASM_PLAIN;
		const struct tun_type *type;
		const uint8_t *p;
		struct tun_outer o;
		uint16_t start, tci = 0;
		bool tagged = false;
		enum dp_drop why;

		if (UNLIKELY(verdict == REASM_HELD || verdict == REASM_BAD))
			continue;
		if (UNLIKELY(vid) && !untag(m[i], vid, &tci, &tagged)) {
			m[plain++] = m[i];
			continue;
		}
		if (LIKELY(verdict == REASM_PLAIN) && LIKELY(run_alike(&r, v, own, m[i])))
			continue;
		start = m[i]->data_off;
		p = rte_pktmbuf_mtod(m[i], const uint8_t *);
		type = type_of(v, mac, m[i], &o);
		if (!type) {
			if (UNLIKELY(tagged))
				retag(m[i], tci);
			m[plain++] = m[i];
			continue;
		}
		why = strip(v, own, m[i], &o);
		/* Before anything is kept of it. */
		if (!why && UNLIKELY(type->reap) && UNLIKELY(!tun_view_may_take(v, type, &o.src, &o.dst)))
			why = DROP_TUN_UNKNOWN_REMOTE;
		if (UNLIKELY(why != DROP_NONE)) {
			refuse_outer(lc, type, &o.src, &o.dst, in_port, why, m[i]);
			continue;
		}
		if (r.type != type) {
			pop_flush(lc, &r, in_port, out);
			r.type = type;
		}
		run_add(&r, &o, p, start, verdict == REASM_WHOLE, m[i]);
	}
	pop_flush(lc, &r, in_port, out);
	if (UNLIKELY(reassemble))
		give_back(lc, in_port);
	return plain;
}

unsigned
tun_decap(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port, struct decap_out *out)
{
	return decap(lc, m, n, in_port, lc->view->tun->underlay_mac[in_port], false, out);
}

unsigned
tun_decap_local(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t port, struct decap_out *out)
{
	return decap(lc, m, n, port, (struct mac){ { 0 } }, true, out);
}

/* --- Frames where they are ---------------------------------------------------------------------
 *
 * As above, but nothing is done before it is known that all of the burst can be done here: what is refused may have been
 * refused for want of bytes that are in the sender's memory, and packets must not overtake each other. */

/* Whether bytes of popped frame 'i' that are not here may matter. */
static inline bool
lacks_bytes(const struct pop_run *r, unsigned i)
{
	const struct rte_mbuf *m = r->b.pkt[i];

	return pkt_is_partial(m) && (r->b.drop[i] || m->data_len < FRAME_HDR || r->b.meta[i].flags & TUN_META_CSUM);
}

/* Takes the headers off the shadows of one type.  False: somebody else has to. */
static bool
frames_pop(struct lcore *lc, uint16_t in_port, struct pop_run *r, uint8_t *idx, uint32_t *plain)
{
	const struct tun_view *v = lc->view->tun;
	struct mac mac = v->underlay_mac[in_port];
	struct frames *fr = lc->frames;

	*plain = 0;
	run_init(r);
	for (unsigned i = 0; i < fr->n; i++) {
		const struct tun_type *type;
		struct tun_outer o;
		struct rte_mbuf *m;

		if (UNLIKELY(fr->f[i].len > FRAME_HDR))
			frame_extend(fr, i);
		m = frame_shadow(lc, i);
		idx[r->b.n] = (uint8_t)i;
		if (LIKELY(run_alike(r, v, false, m)))
			continue;
		type = type_of(v, mac, m, &o);
		if (!type) {
			*plain |= 1u << i;
			continue;
		}
		if (UNLIKELY(type != r->type && (r->type || type->reap)))
			return false;
		r->type = type;
		if (UNLIKELY(strip(v, false, m, &o) != DROP_NONE))
			return false;
		run_add(r, &o, fr->row[i] + fr->f[i].at, fr->f[i].at, false, m);
	}
	if (!r->b.n)
		return true;
	memset(r->b.drop, 0, r->b.n);
	r->type->pop(&r->b);
	for (unsigned i = 0; i < r->b.n; i++)
		/* Options stay in front of a packet buffer for whoever looks at them. */
		if (UNLIKELY(lacks_bytes(r, i) || r->b.meta[i].opts_len))
			return false;
	return true;
}

/* One that is nobody's guest's: a packet buffer of it, or NULL. */
static struct rte_mbuf *
keep_frame(struct lcore *lc, unsigned i, uint16_t port)
{
	struct rte_mbuf *m = frame_to_mbuf(lc->frames, i, lc->pool);

	if (UNLIKELY(!m))
		drop_count(lc, port, DROP_NO_MEMORY, 1);
	else
		m->hash.usr = 0;
	return m;
}

bool
frames_decap(struct lcore *lc, uint16_t in_port, struct decap_out *out, uint32_t *plain)
{
	struct rte_mbuf *m;
	uint8_t idx[BURST];
	struct pop_run r;

	if (UNLIKELY(lc->view->tun->reassemble || lc->view->tun->underlay_vid[in_port] || lc->frames->need || lc->frames->n_more) ||
	    !frames_pop(lc, in_port, &r, idx, plain))
		return false;
	r.e = NULL;
	if (UNLIKELY(r.n_ends > MANY_ENDS))
		fetch_ends(lc, &r);
	for (unsigned i = 0; i < r.b.n; i++) {
		const struct tun_endpoint *e;
		uint16_t port = 0;
		enum dp_drop why;
		uint32_t peer;

		why = judge(lc, &r, i, &port, &e, &peer);
		if (UNLIKELY(why != DROP_NONE)) {
			refuse(lc, &r, i, in_port, port, why, NULL);
			continue;
		}
		frame_follow(lc, idx[i]);
		if (UNLIKELY(e->bfd) && tun_is_bfd(r.b.pkt[i])) {
			if ((m = keep_frame(lc, idx[i], e->port)))
				tun_take_bfd(lc, e->port, peer, m);
		} else if (UNLIKELY(!peer)) {
			if ((m = keep_frame(lc, idx[i], e->port)))
				wait_for_number(lc, e, &r.b.meta[i], m);
		} else {
			out->frame[out->n] = idx[i];
			put_out(out, e, peer, &r.b.meta[i], r.b.pkt[i]);
		}
	}
	return true;
}
