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

#include <rte_ether.h>

/* Packets of one tunnel type, on their way through its pop(). */
struct pop_run {
	const struct tun_type *type;
	uint16_t udp_port[TUN_BATCH_MAX];
	bool csum_zero6[TUN_BATCH_MAX];
	uint16_t start[TUN_BATCH_MAX];  /* Where the outer headers were, as data_off. */
	bool joined[TUN_BATCH_MAX];     /* It came in fragments. */
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
refuse(struct lcore *lc, const struct pop_run *r, unsigned i, uint16_t underlay, uint16_t port, enum dp_drop why)
{
	const struct tun_meta *meta = &r->b.meta[i];
	const struct dp_refusal what = { .why = why, .type = r->type, .src = meta->src, .dst = meta->dst, .key = meta->key,
					 .keyed = !r->b.drop[i], .underlay = underlay, .port = port };

	tun_refuse(lc, &what, r->b.pkt[i]);
}

/* Likewise one of which no more than the outer headers are known. */
static void
refuse_outer(struct lcore *lc, const struct tun_type *type, const struct ipaddr *src, const struct ipaddr *dst,
	     uint16_t underlay, enum dp_drop why, struct rte_mbuf *m)
{
	const struct dp_refusal what = { .why = why, .type = type, .src = *src, .dst = *dst, .underlay = underlay };

	tun_refuse(lc, &what, m);
}

static void
pop_flush(struct lcore *lc, struct pop_run *r, uint16_t underlay, struct decap_out *out)
{
	const struct tun_view *v = lc->view->tun;
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
	for (unsigned i = 0; i < b->n; i++) {
		const struct tun_endpoint *e;
		enum dp_drop why;
		uint32_t peer;

		if (UNLIKELY(b->drop[i] == TUN_HELD))
			continue;
		if (UNLIKELY(b->drop[i])) {
			refuse(lc, r, i, underlay, 0, header_drop(r->type, b->drop[i]));
			continue;
		}
		offl_tunnel_off(b->pkt[i], (uint32_t)b->pkt[i]->data_off - r->start[i]);
		e = tun_view_find(v, r->type, r->udp_port[i], find_key(&b->meta[i]), &b->meta[i].src, &b->meta[i].dst);
		if (UNLIKELY(!e)) {
			why = tun_view_has_key(v, r->type, r->udp_port[i], find_key(&b->meta[i]))
				      ? DROP_TUN_UNKNOWN_REMOTE
				      : DROP_TUN_UNKNOWN_KEY;
			refuse(lc, r, i, underlay, 0, why);
			continue;
		}
		if (UNLIKELY(r->joined[i] && !e->reassemble)) {
			refuse(lc, r, i, underlay, e->port, DROP_TUN_OUTER_FRAGMENT);
			continue;
		}
		why = UNLIKELY(b->meta[i].opts_len || b->meta[i].flags & TUN_META_OAM)
			      ? take_extras(lc, e->port, b->pkt[i], &b->meta[i])
			      : DROP_NONE;
		if (UNLIKELY(why != DROP_NONE)) {
			refuse(lc, r, i, underlay, e->port, why);
			continue;
		}
		/* For whoever has to look at them: nobody asks for the hash of an outer packet any more. */
		b->pkt[i]->hash.usr = b->meta[i].opts_len;
		peer = peer_of(lc, e, &b->meta[i]);
		if (UNLIKELY(!peer && !tun_endpoint_allows(e, &b->meta[i].src))) {
			refuse(lc, r, i, underlay, e->port, DROP_TUN_UNKNOWN_REMOTE);
			continue;
		}
		why = admit(e, b->pkt[i], &b->meta[i], r->csum_zero6[i]);
		if (UNLIKELY(why != DROP_NONE)) {
			refuse(lc, r, i, underlay, e->port, why);
			continue;
		}
		if (UNLIKELY(e->bfd) && tun_is_bfd(b->pkt[i]))
			tun_take_bfd(lc, e->port, peer, b->pkt[i]);
		else if (UNLIKELY(!peer))
			wait_for_number(lc, e, &b->meta[i], b->pkt[i]);
		else
			put_out(out, e, peer, &b->meta[i], b->pkt[i]);
	}
	b->n = 0;
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

/* 'own': they never were on a wire, and their sender is us. */
static inline __attribute__((always_inline)) unsigned
decap(struct lcore *lc, struct rte_mbuf **m, unsigned n, uint16_t in_port, struct mac mac, bool own, struct decap_out *out)
{
	const struct tun_view *v = lc->view->tun;
	bool reassemble = v->reassemble && !own;
	unsigned plain = 0;
	struct pop_run r;

	r.b.n = 0;
	r.type = NULL;
	for (unsigned i = 0; i < n; i++) {
		enum reasm_verdict verdict = UNLIKELY(reassemble) ? collect(lc, mac, in_port, &m[i]) : REASM_PLAIN;
		const struct tun_type *type;
		struct tun_outer o;
		uint16_t start;
		int why;

		if (UNLIKELY(verdict == REASM_HELD || verdict == REASM_BAD))
			continue;
		start = m[i]->data_off;
		if (!tun_outer_peek(m[i], &o) || !(type = tun_view_type(v, &o)) ||
		    (!mac_is_zero(mac) && !mac_equal(mac, o.eth_dst) && !is_group(&o)) || !tun_view_is_local(v, &o.dst)) {
			m[plain++] = m[i];
			continue;
		}
		why = tun_outer_check(m[i], &o);
		if (!why && !own && tun_view_is_local(v, &o.src))
			why = TUN_OUTER_SOURCE;
		if (UNLIKELY(why || !pkt_pull(m[i], o.len))) {
			refuse_outer(lc, type, &o.src, &o.dst, in_port, why ? outer_drop[why] : DROP_TUN_OUTER_SHORT, m[i]);
			continue;
		}
		/* Before anything is kept of it. */
		if (UNLIKELY(type->reap) && UNLIKELY(!tun_view_may_take(v, type, &o.src, &o.dst))) {
			refuse_outer(lc, type, &o.src, &o.dst, in_port, DROP_TUN_UNKNOWN_REMOTE, m[i]);
			continue;
		}
		if (r.type != type) {
			pop_flush(lc, &r, in_port, out);
			r.type = type;
		}
		r.udp_port[r.b.n] = type->udp_port ? o.port : 0;
		r.start[r.b.n] = start;
		r.joined[r.b.n] = verdict == REASM_WHOLE;
		r.csum_zero6[r.b.n] = o.v6 && o.csum_zero;
		r.b.meta[r.b.n] = (struct tun_meta){ .src = o.src, .dst = o.dst, .tos = o.tos, .ttl = o.ttl };
		r.b.pkt[r.b.n++] = m[i];
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
