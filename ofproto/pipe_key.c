/* SPDX-License-Identifier: Apache-2.0 */
/* Between flow keys and OpenFlow's flows: a flow out of a key, with the help of the packet where the key lacks
 * something, and back the bits that were looked at as a mask of the key.
 *
 * The way back is sound when all keys that are equal under the mask make flows that are equal in those bits.  What a
 * flow's field is made of depends on the Ethernet type, and within the key a place may mean several things: a bit of
 * layer 3 or 4 therefore always takes the Ethernet type along, and a bit of neighbour discovery all that makes
 * a packet one. */
#include "datapath/parse.h"
#include "ofproto/pipe_priv.h"

enum {
	ETH_IPV4 = 0x0800, ETH_ARP = 0x0806, ETH_RARP = 0x8035, ETH_IPV6 = 0x86dd, ETH_PBB = 0x88e7, ETH_MPLS = 0x8847,
	ETH_MPLS_MC = 0x8848,
};

static bool
is_arp(be16_t type)
{
	return type == be16(ETH_ARP) || type == be16(ETH_RARP);
}

static bool
is_ip(be16_t type)
{
	return type == be16(ETH_IPV4) || type == be16(ETH_IPV6);
}

static bool
is_mpls(be16_t type)
{
	return type == be16(ETH_MPLS) || type == be16(ETH_MPLS_MC);
}

static bool
is_nd(const struct flow_key *k)
{
	return k->dl_type == be16(ETH_IPV6) && k->nw_proto == FLOW_IP_ICMP6 && !k->tp_dst &&
	       (k->tp_src == be16(135) || k->tp_src == be16(136));
}

/* --- Key to flow -------------------------------------------------------------------------------- */

void
pipe_fill_l3(struct oflow *f, const struct flow_key *k)
{
	memset((uint8_t *)f + offsetof(struct oflow, mpls_lse), 0, sizeof *f - offsetof(struct oflow, mpls_lse));
	f->nw_src = k->nw_src;
	f->nw_dst = k->nw_dst;
	if (is_ip(k->dl_type)) {
		f->nw_proto = k->nw_proto;
		f->nw_tos = k->nw_tos;
		f->nw_ttl = k->nw_ttl;
		f->nw_frag = k->flags & (FLOW_F_FRAG | FLOW_F_LATER);
		f->tp_src = k->tp_src;
		f->tp_dst = k->tp_dst;
		f->tcp_flags = k->tcp_flags;
		if (k->dl_type == be16(ETH_IPV4))
			return;
		memcpy(f->ipv6_src, k->ipv6_src, 32);
		f->ipv6_label = k->ipv6_label;
		if (is_nd(k))
			memcpy(f->nd_target, k->nd_target, 16);
	} else if (is_arp(k->dl_type)) {
		f->arp_op = be16(k->nw_proto);
		f->arp_sha = k->arp.sha;
		f->arp_tha = k->arp.tha;
	} else if (is_mpls(k->dl_type)) {
		memcpy(f->mpls_lse, k->mpls_lse, sizeof f->mpls_lse);
	} else if (k->dl_type == be16(ETH_PBB)) {
		f->pbb_itag = k->pbb_itag;
	}
}

/* Where layer 3 starts, behind the tags; 'contig' or more: not to be seen. */
static uint32_t
l3_offset(const struct xlate_pkt *p, uint32_t l2_off)
{
	uint32_t off = l2_off + 14;

	while (off + 4 <= p->contig && flow_tpid(load_be16(p->data + off - 2)))
		off += 4;
	if (off <= p->contig && host16(load_be16(p->data + off - 2)) < 0x600)
		flow_parse_llc(p->data, p->contig, &off);
	return off;
}

/* Options of neighbour discovery at 'p': the first source and target link-layer addresses. */
static void
fill_nd(struct oflow *f, const uint8_t *p, uint32_t len)
{
	bool solicit = f->tp_src == be16(135);

	for (uint32_t n; len >= 8; p += n, len -= n) {
		n = p[1] * 8u;
		if (!n || n > len)
			return;
		if (p[0] == 1 && solicit && mac_is_zero(f->nd_sll))
			memcpy(&f->nd_sll, p + 2, 6);
		else if (p[0] == 2 && !solicit && mac_is_zero(f->nd_tll))
			memcpy(&f->nd_tll, p + 2, 6);
	}
}

/* Bit of OFPIEH_* of an extension header, and its place in the order that RFC 8200, section 4.1, recommends. */
static unsigned
exthdr(uint8_t type, bool seen_routing, unsigned *rank)
{
	switch (type) {
	case 0:
		*rank = 1;
		return 1u << 6;
	case 60:
		*rank = seen_routing ? 6 : 2;
		return 1u << 3;
	case 43:
		*rank = 3;
		return 1u << 5;
	case 44:
		*rank = 4;
		return 1u << 4;
	case 51:
		*rank = 5;
		return 1u << 2;
	case 50:
		*rank = 5;
		return 1u << 1;
	case 59:
		*rank = 7;
		return 1u << 0;
	}
	*rank = 0;
	return 0;
}

/* The chain of extension headers of an IPv6 packet as OFPIEH_* bits. */
static uint16_t
exthdrs(const uint8_t *p, uint32_t len)
{
	unsigned bits = 0, last = 0, rank;
	uint8_t next = p[6];
	uint32_t off = 40;

	for (unsigned n = 0; n < FLOW_IP6_EXT_MAX; n++) {
		unsigned bit = exthdr(next, bits & 1u << 5, &rank);

		if (!bit)
			break;
		/* Destination options may stand twice; nothing else may. */
		if (bits & bit && bit != 1u << 3)
			bits |= 1u << 7;
		if (rank < last)
			bits |= 1u << 8;
		bits |= bit;
		last = rank;
		if (next == 59 || next == 50 || off + 8 > len)
			break;
		rank = next;
		next = p[off];
		off += rank == 44 ? 8 : rank == 51 ? (p[off + 1] + 2u) * 4 : (p[off + 1] + 1u) * 8;
		if (off > len)
			break;
	}
	return (uint16_t)bits;
}

static void
fill_ipv6(struct oflow *f, const uint8_t *p, uint32_t len)
{
	struct flow_key tmp = { 0 };
	uint32_t end;
	int32_t ext;

	if (len < 40)
		return;
	end = MIN_OF(len, 40u + host16(load_be16(p + 4)));
	f->ipv6_exthdr = be16(exthdrs(p, end));
	if (f->nw_proto != FLOW_IP_ICMP6 || (f->tp_src != be16(135) && f->tp_src != be16(136)) || f->tp_dst)
		return;
	ext = flow_parse_ipv6_ext(p + 40, end - 40, p[6], &tmp);
	if (ext >= 0 && 40u + (uint32_t)ext + 24 <= end)
		fill_nd(f, p + 40 + ext + 24, end - 40 - (uint32_t)ext - 24);
}

void
pipe_fill_extra(struct oflow *f, const struct flow_key *k, const struct xlate_pkt *p, uint32_t l2_off)
{
	uint32_t off = l3_offset(p, l2_off);

	if (off + 8 > p->contig)
		return;
	if (is_arp(k->dl_type) && !k->nw_proto)
		f->arp_op = load_be16(p->data + off + 6);
	else if (k->dl_type == be16(ETH_IPV6) && k->flags & FLOW_F_IPV6)
		fill_ipv6(f, p->data + off, p->contig - off);
}

static void
fill(struct pipe_tr *t, const struct xl *x)
{
	const struct flow_key *k = t->key;
	struct oflow *f = &t->pk.flow;

	f->actset_output = be32((uint32_t)OFPP_UNSET);
	f->dl_dst = k->dl_dst;
	f->dl_src = k->dl_src;
	f->dl_type = k->dl_type;
	for (unsigned i = 0; i < 2 && k->vlan[i].tpid; i++) {
		f->vlan[i].tpid = k->vlan[i].tpid;
		f->vlan[i].tci = k->vlan[i].tci | be16(OFLOW_VLAN_PRESENT);
	}
	pipe_fill_l3(f, k);
	if (k->flags & FLOW_F_TUNNEL || k->tun_peer)
		pipe_fill_tunnel(f, x, k);
	if (UNLIKELY(x->from)) {
		f->tun_src = x->from->tun_src;
		f->tun_dst = x->from->tun_dst;
		memcpy(f->tun_ipv6_src, x->from->tun_ipv6_src, sizeof f->tun_ipv6_src);
		memcpy(f->tun_ipv6_dst, x->from->tun_ipv6_dst, sizeof f->tun_ipv6_dst);
	}
	if (x->pkt && (k->dl_type == be16(ETH_IPV6) || is_arp(k->dl_type)))
		pipe_fill_extra(f, k, x->pkt, 0);
	if (f->nw_frag && (t->flags & OFPC_FRAG_MASK) == OFPC_FRAG_NORMAL) {
		f->tp_src = f->tp_dst = f->tcp_flags = 0;
		memset(f->nd_target, 0, sizeof f->nd_target);
	}
}

/* The key is the packet's as far as the view's port masks go.  When rules are there already that look further than
 * that, it has to be made anew, and the cache has no place for what it says. */
static void
freshen(struct pipe_tr *t, struct xl *x)
{
	uint32_t gen = __atomic_load_n(&x->view->shared->gen, __ATOMIC_ACQUIRE);
	const struct flow_key *k = x->key;

	if (LIKELY(gen == x->view->gen) || !x->pkt)
		return;
	if (!flow_parse(x->pkt->data, x->pkt->contig, x->pkt->len, k->in_port, FLOW_DEPTH_L4, &t->fresh))
		return;
	t->fresh.flags |= k->flags & (FLOW_F_TUNNEL | FLOW_F_NO_LEARN);
	t->fresh.tun_id = k->tun_id;
	t->fresh.tun_peer = k->tun_peer;
	memcpy(&t->fresh.tun_tos, &k->tun_tos, sizeof *k - offsetof(struct flow_key, tun_tos));
	t->key = &t->fresh;
	x->out->no_cache = true;
}

static void
init(struct pipe_tr *t, struct xl *x)
{
	t->x = x;
	t->key = x->key;
	t->flags = 0;
	t->foreign = t->control = false;
	t->depth = t->n_resubmits = 0;
	t->keep = x->out->acts.n;
	memset(&t->pk, 0, sizeof t->pk);
	memset(&t->wc, 0, sizeof t->wc);
	memset(&t->real, 0, sizeof t->real);
	x->of = t;
}

void
pipe_init(struct pipe_tr *t, struct xl *x)
{
	const struct view_port *in = port_find(x->view, x->key->in_port);

	init(t, x);
	t->flags = in ? x->view->bridge[in->bridge].of_flags : 0;
	freshen(t, x);
	fill(t, x);
	/* Where rules tell control messages from frames, each flow is of one of them. */
	if (in && in->kind == OFP_PORT_TUNNEL && x->view->bridge[in->bridge].tlv.oam) {
		t->wc.tun_flags = be16(TUN_F_OAM);
		t->control = t->key->tun_flags & TUN_F_OAM;
	}
}

void
pipe_init_outer(struct pipe_tr *t, struct xl *x)
{
	const struct ofp_tun_path *path = x->outer;
	struct oflow *f = &t->pk.flow;

	init(t, x);
	t->foreign = true;
	f->actset_output = be32((uint32_t)OFPP_UNSET);
	f->dl_src = path->src;
	f->dl_dst = path->next_hop;
	f->nw_ttl = 64;
	if (ip_is_v4(&path->remote)) {
		f->dl_type = be16(ETH_IPV4);
		f->nw_src = ip_v4(&path->local);
		f->nw_dst = ip_v4(&path->remote);
	} else {
		f->dl_type = be16(ETH_IPV6);
		memcpy(f->ipv6_src, &path->local, 16);
		memcpy(f->ipv6_dst, &path->remote, 16);
	}
}

void
pipe_key_of(const struct oflow *f, uint16_t in_port, struct flow_key *k)
{
	bool ip = is_ip(f->dl_type);

	memset(k, 0, sizeof *k);
	k->in_port = in_port;
	k->dl_dst = f->dl_dst;
	k->dl_src = f->dl_src;
	k->dl_type = f->dl_type;
	for (unsigned i = 0; i < 2; i++) {
		if (!(f->vlan[i].tci & be16(OFLOW_VLAN_PRESENT)))
			break;
		k->vlan[i].tpid = f->vlan[i].tpid ? f->vlan[i].tpid : be16(VLAN_TPID);
		k->vlan[i].tci = f->vlan[i].tci & be16((uint16_t)~OFLOW_VLAN_PRESENT);
	}
	k->nw_src = f->nw_src;
	k->nw_dst = f->nw_dst;
	k->nw_proto = ip ? f->nw_proto : (uint8_t)host16(f->arp_op);
	if (ip) {
		k->flags = f->dl_type == be16(ETH_IPV4) ? FLOW_F_IPV4 : FLOW_F_IPV6;
		k->flags |= f->nw_frag & (FLOW_F_FRAG | FLOW_F_LATER);
	}
	k->nw_tos = f->nw_tos;
	k->nw_ttl = f->nw_ttl;
	k->tp_src = f->tp_src;
	k->tp_dst = f->tp_dst;
	k->tcp_flags = f->tcp_flags;
	memcpy(k->ipv6_src, f->ipv6_src, 32);
	k->ipv6_label = f->ipv6_label;
	if (is_arp(f->dl_type)) {
		k->arp.sha = f->arp_sha;
		k->arp.tha = f->arp_tha;
	} else if (is_mpls(f->dl_type)) {
		memcpy(k->mpls_lse, f->mpls_lse, sizeof k->mpls_lse);
	} else if (f->dl_type == be16(ETH_PBB)) {
		k->pbb_itag = f->pbb_itag;
	} else {
		memcpy(k->nd_target, f->nd_target, 16);
	}
	k->tun_id = f->tun_id;
}

/* --- Flow to mask ------------------------------------------------------------------------------- */

/* Fragments show no layer 4, if that is how the switch is set. */
static void
mask_l4(const struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	bool frag_normal = (t->flags & OFPC_FRAG_MASK) == OFPC_FRAG_NORMAL;

	if (frag_normal)
		m->flags |= FLOW_F_FRAG;
	if (frag_normal && t->key->flags & FLOW_F_FRAG)
		return;
	m->tp_src |= wc->tp_src;
	m->tp_dst |= wc->tp_dst;
	m->tcp_flags |= wc->tcp_flags;
}

/* Fields of neighbour discovery: first, whether it is that at all. */
static void
mask_nd(const struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	static const struct oflow l4 = { .tp_src = 0xffff, .tp_dst = 0xffff };
	const struct flow_key *k = t->key;

	m->nw_proto = 0xff;
	if (k->nw_proto != FLOW_IP_ICMP6)
		return;
	mask_l4(t, &l4, m);
	if (!is_nd(k))
		return;
	for (unsigned i = 0; i < 16; i++)
		m->nd_target[i] |= wc->nd_target[i];
	if (!mac_is_zero(wc->nd_sll) || !mac_is_zero(wc->nd_tll))
		t->x->out->no_cache = true;
}

static void
or_bytes(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] |= ((const uint8_t *)from)[i];
}

static void
mask_ip(const struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	m->nw_proto |= wc->nw_proto;
	m->nw_tos |= wc->nw_tos;
	m->nw_ttl |= wc->nw_ttl;
	m->flags |= wc->nw_frag & (FLOW_F_FRAG | FLOW_F_LATER);
	if (wc->tp_src | wc->tp_dst | wc->tcp_flags)
		mask_l4(t, wc, m);
	if (t->key->dl_type == be16(ETH_IPV4))
		return;
	or_bytes(m->ipv6_src, wc->ipv6_src, 32);
	m->ipv6_label |= wc->ipv6_label;
	if (wc->ipv6_exthdr)
		t->x->out->no_cache = true;
	if (any_bytes(wc->nd_target, 16) || any_bytes(&wc->nd_sll, 12))
		mask_nd(t, wc, m);
}

static void
mask_arp(const struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	or_bytes(&m->arp.sha, &wc->arp_sha, 6);
	or_bytes(&m->arp.tha, &wc->arp_tha, 6);
	if (!wc->arp_op)
		return;
	m->nw_proto = 0xff;
	/* The opcode may be above 255. */
	if (!t->key->nw_proto)
		t->x->out->no_cache = true;
}

/* All that stands behind the Ethernet type. */
static void
mask_l3(const struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	be16_t type = t->key->dl_type;

	m->dl_type = 0xffff;
	m->nw_src |= wc->nw_src;
	m->nw_dst |= wc->nw_dst;
	if (is_ip(type))
		mask_ip(t, wc, m);
	else if (is_arp(type))
		mask_arp(t, wc, m);
	else if (is_mpls(type))
		or_bytes(m->mpls_lse, wc->mpls_lse, sizeof m->mpls_lse);
	else if (type == be16(ETH_PBB))
		m->pbb_itag |= wc->pbb_itag;
}

static void
mask_l2(const struct oflow *wc, struct flow_key *m)
{
	or_bytes(&m->dl_dst, &wc->dl_dst, 6);
	or_bytes(&m->dl_src, &wc->dl_src, 6);
	m->dl_type |= wc->dl_type;
	for (unsigned i = 0; i < 2; i++) {
		if (wc->vlan[i].tpid || wc->vlan[i].tci & be16(OFLOW_VLAN_PRESENT))
			m->vlan[i].tpid = 0xffff;
		m->vlan[i].tci |= wc->vlan[i].tci & be16((uint16_t)~OFLOW_VLAN_PRESENT);
	}
}

void
pipe_fini(struct pipe_tr *t)
{
	const struct oflow *wc = &t->real;
	uint64_t deep = 0;

	pipe_settle_all(t);
	t->x->of = NULL;
	if (t->foreign)
		return;
	mask_l2(wc, &t->x->out->mask);
	for (unsigned i = offsetof(struct oflow, mpls_lse) / 8; i < OFLOW_WORDS; i++)
		deep |= oflow_word(wc, i);
	if (deep)
		mask_l3(t, wc, &t->x->out->mask);
	pipe_mask_tunnel(t, wc, &t->x->out->mask);
}

/* --- The learning switch's keys ----------------------------------------------------------------- */

void
pipe_l2_key(const struct pipe_tr *t, uint16_t in_port, struct flow_key *k)
{
	const struct oflow *f = &t->pk.flow;

	memset(k, 0, sizeof *k);
	k->in_port = in_port;
	k->dl_dst = f->dl_dst;
	k->dl_src = f->dl_src;
	k->dl_type = f->dl_type;
	for (unsigned i = 0; i < 2; i++) {
		k->vlan[i].tpid = f->vlan[i].tpid;
		k->vlan[i].tci = f->vlan[i].tci & be16((uint16_t)~OFLOW_VLAN_PRESENT);
	}
}

void
pipe_l2_mask(struct pipe_tr *t, const struct flow_key *m)
{
	struct oflow *wc = &t->wc;

	or_bytes(&wc->dl_dst, &m->dl_dst, 6);
	or_bytes(&wc->dl_src, &m->dl_src, 6);
	wc->dl_type |= m->dl_type;
	for (unsigned i = 0; i < 2; i++) {
		wc->vlan[i].tpid |= m->vlan[i].tpid;
		wc->vlan[i].tci |= m->vlan[i].tci & be16((uint16_t)~OFLOW_VLAN_PRESENT);
	}
	if (m->tun_peer)
		pipe_look_at_peer(t);
	t->x->out->mask.flags |= m->flags & FLOW_F_NO_LEARN;
	/* The key that a port's map was asked for is the packet's, whatever rules have made of it. */
	if (!t->foreign)
		t->x->out->mask.tun_id |= m->tun_id;
}

void
pipe_look_at_peer(struct pipe_tr *t)
{
	if (t->foreign || !t->key->tun_peer)
		return;
	t->x->out->mask.tun_peer = 0xffffffff;
	/* The addresses are configuration. */
	xl_tag(t->x, dp_tag_make(TAG_NEXTHOP, t->key->tun_peer));
}
