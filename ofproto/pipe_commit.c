/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the packet: first in 'flow' alone, where later look-ups see them; in the program when a copy leaves.
 *
 * Fields are written without looking at what they were, so that a rule that sets a field does not make flows depend
 * on it.  VLAN tags are put on and taken off in thought as well.  Labels and PBB headers change what the
 * fields behind them mean: for those the program does at once what is outstanding, then them; if no copy leaves
 * afterwards, pipe_trim() takes it back. */
#include "datapath/parse.h"
#include "ofproto/pipe_priv.h"

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ETH_PBB = 0x88e7 };

static const uint8_t ones[16] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* --- What was looked at ------------------------------------------------------------------------- */

void
pipe_settle(struct pipe_tr *t, size_t offset, size_t len)
{
	const uint8_t *own = (const uint8_t *)&t->pk.own, *beyond = (const uint8_t *)&t->pk.beyond;
	uint8_t *real = (uint8_t *)&t->real, *wc = (uint8_t *)&t->wc;

	for (size_t i = offset; i < offset + len; i++) {
		real[i] |= wc[i] & (uint8_t)~own[i];
		if (UNLIKELY(wc[i] & beyond[i]))
			t->x->out->no_cache = true;
		wc[i] = 0;
	}
}

void
pipe_settle_all(struct pipe_tr *t)
{
	uint64_t *real = (uint64_t *)&t->real, *wc = (uint64_t *)&t->wc;
	const uint64_t *own = (const uint64_t *)&t->pk.own, *beyond = (const uint64_t *)&t->pk.beyond;
	uint64_t far = 0;

	for (unsigned i = 0; i < OFLOW_WORDS; i++) {
		real[i] |= wc[i] & ~own[i];
		far |= wc[i] & beyond[i];
		wc[i] = 0;
	}
	if (far)
		t->x->out->no_cache = true;
}

static void
own_bytes(struct pipe_tr *t, size_t offset, size_t len)
{
	pipe_settle(t, offset, len);
	memset((uint8_t *)&t->pk.own + offset, 0xff, len);
	if (t->pk.has_beyond)
		memset((uint8_t *)&t->pk.beyond + offset, 0, len);
}

/* These bytes of the flow come from deeper in the packet than the key says. */
static void
beyond_bytes(struct pipe_tr *t, size_t offset, size_t len)
{
	own_bytes(t, offset, len);
	memset((uint8_t *)&t->pk.beyond + offset, 0xff, len);
	t->pk.has_beyond = true;
}

#define OWN(t, member) own_bytes(t, offsetof(struct oflow, member), sizeof(((struct oflow *)0)->member))
#define LOOK(t, member) memset(&(t)->wc.member, 0xff, sizeof (t)->wc.member)

/* --- Fields ------------------------------------------------------------------------------------- */

/* Where the program's fields stand in a flow, and which packets have them. */
static const struct field {
	uint16_t offset;
	uint8_t needs;                  /* enum of_need. */
} fields[ACT_N_FIELDS] = {
	[ACT_F_ETH_DST] = { offsetof(struct oflow, dl_dst), OF_NEED_NONE },
	[ACT_F_ETH_SRC] = { offsetof(struct oflow, dl_src), OF_NEED_NONE },
	[ACT_F_MPLS_LSE] = { offsetof(struct oflow, mpls_lse), OF_NEED_MPLS },
	[ACT_F_PBB_ITAG] = { offsetof(struct oflow, pbb_itag), OF_NEED_PBB },
	[ACT_F_IPV4_SRC] = { offsetof(struct oflow, nw_src), OF_NEED_IPV4 },
	[ACT_F_IPV4_DST] = { offsetof(struct oflow, nw_dst), OF_NEED_IPV4 },
	[ACT_F_IPV6_SRC] = { offsetof(struct oflow, ipv6_src), OF_NEED_IPV6 },
	[ACT_F_IPV6_DST] = { offsetof(struct oflow, ipv6_dst), OF_NEED_IPV6 },
	[ACT_F_IPV6_LABEL] = { offsetof(struct oflow, ipv6_label), OF_NEED_IPV6 },
	[ACT_F_IP_TOS] = { offsetof(struct oflow, nw_tos), OF_NEED_IP },
	[ACT_F_IP_TTL] = { offsetof(struct oflow, nw_ttl), OF_NEED_IP },
	[ACT_F_TP_SRC] = { offsetof(struct oflow, tp_src), OF_NEED_IP },
	[ACT_F_TP_DST] = { offsetof(struct oflow, tp_dst), OF_NEED_IP },
	[ACT_F_ICMP_TYPE] = { offsetof(struct oflow, tp_src) + 1, OF_NEED_IP },
	[ACT_F_ICMP_CODE] = { offsetof(struct oflow, tp_dst) + 1, OF_NEED_IP },
	[ACT_F_ARP_OP] = { offsetof(struct oflow, arp_op), OF_NEED_ARP },
	[ACT_F_ARP_SPA] = { offsetof(struct oflow, nw_src), OF_NEED_ARP },
	[ACT_F_ARP_TPA] = { offsetof(struct oflow, nw_dst), OF_NEED_ARP },
	[ACT_F_ARP_SHA] = { offsetof(struct oflow, arp_sha), OF_NEED_ARP },
	[ACT_F_ARP_THA] = { offsetof(struct oflow, arp_tha), OF_NEED_ARP },
	[ACT_F_ND_TARGET] = { offsetof(struct oflow, nd_target), OF_NEED_IPV6 },
	[ACT_F_ND_SLL] = { offsetof(struct oflow, nd_sll), OF_NEED_IPV6 },
	[ACT_F_ND_TLL] = { offsetof(struct oflow, nd_tll), OF_NEED_IPV6 },
};

/* The program's field that an OpenFlow field is part of; ACT_N_FIELDS: none, it is no part of the packet. */
static enum act_field
act_field_of(enum of_field f)
{
	switch (f) {
	case OFF_ETH_DST:
		return ACT_F_ETH_DST;
	case OFF_ETH_SRC:
		return ACT_F_ETH_SRC;
	case OFF_IP_DSCP:
	case OFF_NW_TOS:
	case OFF_NW_ECN:
		return ACT_F_IP_TOS;
	case OFF_NW_TTL:
		return ACT_F_IP_TTL;
	case OFF_NW_SRC:
		return ACT_F_IPV4_SRC;
	case OFF_NW_DST:
		return ACT_F_IPV4_DST;
	case OFF_TCP_SRC:
	case OFF_UDP_SRC:
	case OFF_SCTP_SRC:
		return ACT_F_TP_SRC;
	case OFF_TCP_DST:
	case OFF_UDP_DST:
	case OFF_SCTP_DST:
		return ACT_F_TP_DST;
	case OFF_ICMP_TYPE:
	case OFF_ICMPV6_TYPE:
		return ACT_F_ICMP_TYPE;
	case OFF_ICMP_CODE:
	case OFF_ICMPV6_CODE:
		return ACT_F_ICMP_CODE;
	case OFF_ARP_OP:
		return ACT_F_ARP_OP;
	case OFF_ARP_SPA:
		return ACT_F_ARP_SPA;
	case OFF_ARP_TPA:
		return ACT_F_ARP_TPA;
	case OFF_ARP_SHA:
		return ACT_F_ARP_SHA;
	case OFF_ARP_THA:
		return ACT_F_ARP_THA;
	case OFF_IPV6_SRC:
		return ACT_F_IPV6_SRC;
	case OFF_IPV6_DST:
		return ACT_F_IPV6_DST;
	case OFF_IPV6_LABEL:
		return ACT_F_IPV6_LABEL;
	case OFF_ND_TARGET:
		return ACT_F_ND_TARGET;
	case OFF_ND_SLL:
		return ACT_F_ND_SLL;
	case OFF_ND_TLL:
		return ACT_F_ND_TLL;
	case OFF_MPLS_LABEL:
	case OFF_MPLS_TC:
	case OFF_MPLS_TTL:
		return ACT_F_MPLS_LSE;
	case OFF_PBB_ISID:
	case OFF_PBB_UCA:
		return ACT_F_PBB_ITAG;
	default:
		return ACT_N_FIELDS;
	}
}

bool
pipe_has(struct walk *w, enum of_field f)
{
	struct oflow *wc = &w->t->wc;
	enum of_need need = of_field_info[f].needs;

	switch (need) {
	case OF_NEED_NONE:
	case OF_NEED_IN_PORT:
		return true;
	case OF_NEED_VLAN:
		return pipe_has_tag(w->t);
	case OF_NEED_ND:
	case OF_NEED_ND_SOL:
	case OF_NEED_ND_ADV:
		wc->tp_src = wc->tp_dst = 0xffff;
		/* fallthrough */
	case OF_NEED_TCP:
	case OF_NEED_UDP:
	case OF_NEED_SCTP:
	case OF_NEED_ICMP:
	case OF_NEED_ICMP6:
		wc->nw_proto = 0xff;
		wc->nw_frag |= OFLOW_FRAG_LATER;
		/* fallthrough */
	default:
		wc->dl_type = 0xffff;
	}
	return of_need_has(need, &w->t->pk.flow) &&
	       !(need >= OF_NEED_TCP && w->t->pk.flow.nw_frag & OFLOW_FRAG_LATER);
}

void
pipe_write(struct walk *w, enum of_field f, const uint8_t *value, const uint8_t *mask)
{
	const struct of_field_info *info = &of_field_info[f];
	enum act_field a = act_field_of(f);
	struct pipe_pkt *pk = &w->t->pk;
	unsigned md = of_field_md(f);

	if (f == OFF_VLAN_TCI || f == OFF_VLAN_VID || f == OFF_VLAN_PCP) {
		struct oflow v = { .vlan[0].tci = 0 }, m = v;

		of_field_set(f, &v, value, NULL);
		of_field_set(f, &m, mask ? mask : ones, NULL);
		if (!pipe_set_tci(w->t, v.vlan[0].tci, m.vlan[0].tci)) {
			pipe_why(w, DROP_OF_ACTION);
			w->dead = true;
		}
		return;
	}
	if (!pipe_has(w, f))
		return;
	pipe_settle(w->t, info->offset, info->size);
	of_field_set(f, &pk->flow, value, mask);
	of_field_set(f, &pk->own, ones, mask);
	if (UNLIKELY(md < OF_TUN_MD_MAX)) {
		pipe_settle(w->t, offsetof(struct oflow, tun_md_present), 1);
		pk->flow.tun_md_present |= (uint8_t)(1u << md);
		pk->own.tun_md_present |= (uint8_t)(1u << md);
	}
	if (pk->has_beyond) {
		static const uint8_t zeroes[16];

		of_field_set(f, &pk->beyond, zeroes, mask);
	}
	if (a != ACT_N_FIELDS)
		pk->dirty |= 1u << a;
}

/* A run of bits as value and mask of its whole field. */
static void
sub_widen(const struct of_sub *s, const uint8_t value[16], uint8_t v[16], uint8_t m[16])
{
	unsigned n = of_field_bytes(s->field);

	memset(v, 0, 16);
	memset(m, 0, 16);
	for (unsigned i = 0; i < s->n_bits; i++) {
		unsigned to = s->ofs + i;

		if (to / 8 >= n)
			break;
		m[n - 1 - to / 8] |= (uint8_t)(1u << (to & 7));
		if (value[15 - i / 8] >> (i & 7) & 1)
			v[n - 1 - to / 8] |= (uint8_t)(1u << (to & 7));
	}
}

void
pipe_write_sub(struct walk *w, const struct of_sub *s, const uint8_t value[16])
{
	uint8_t v[16], m[16];

	sub_widen(s, value, v, m);
	pipe_write(w, s->field, v, m);
}

void
pipe_read_sub(struct walk *w, const struct of_sub *s, uint8_t value[16])
{
	of_sub_examine(s, &w->t->wc);
	of_sub_get(s, &w->t->pk.flow, value);
}

/* --- VLAN tags ---------------------------------------------------------------------------------- */

bool
pipe_has_tag(struct pipe_tr *t)
{
	t->wc.vlan[0].tci |= be16(OFLOW_VLAN_PRESENT);
	return t->pk.flow.vlan[0].tci & be16(OFLOW_VLAN_PRESENT);
}

/* The tag below the outermost one is about to move: what it is counts. */
static void
look_at_second(struct pipe_tr *t)
{
	t->wc.vlan[1].tpid = 0xffff;
	if (t->pk.flow.vlan[1].tpid)
		t->wc.vlan[1].tci = 0xffff;
}

/* What follows the packet's first two tags is a tag as well: after one of them has gone it shows.  Only the packet
 * can tell. */
static void
third_tag(struct pipe_tr *t)
{
	const struct xlate_pkt *p = t->x->pkt;
	uint32_t at = t->pk.l2_off + 12 + 4u * t->pk.n_tags_off;
	struct oflow *f = &t->pk.flow;
	struct flow_key k = { 0 };

	beyond_bytes(t, offsetof(struct oflow, dl_type), sizeof f->dl_type);
	beyond_bytes(t, offsetof(struct oflow, vlan[1]), sizeof f->vlan[1]);
	beyond_bytes(t, offsetof(struct oflow, mpls_lse), sizeof *f - offsetof(struct oflow, mpls_lse));
	/* 'at' is the outermost tag's; the one wanted is next. */
	if (!p || p->contig < at + 10)
		return;
	f->vlan[1].tpid = load_be16(p->data + at + 4);
	f->vlan[1].tci = load_be16(p->data + at + 6) | be16(OFLOW_VLAN_PRESENT);
	f->dl_type = k.dl_type = load_be16(p->data + at + 8);
	flow_parse_l3(p->data + at + 10, p->contig - at - 10, p->len - at - 10, &k);
	pipe_fill_l3(f, &k);
}

void
pipe_pop_vlan(struct pipe_tr *t)
{
	struct pipe_pkt *pk = &t->pk;
	struct oflow *f = &pk->flow;
	bool pushed = pk->n_tags_on != 0;

	if (!pipe_has_tag(t))
		return;
	look_at_second(t);
	OWN(t, vlan);
	if (pk->n_push) {
		pk->n_push--;
	} else {
		pk->n_pop++;
		pk->set_mask = 0;
	}
	if (pushed)
		pk->n_tags_on--;
	else
		pk->n_tags_off++;
	f->vlan[0] = f->vlan[1];
	memset(&f->vlan[1], 0, sizeof f->vlan[1]);
	if (pk->n_below) {
		pk->n_below--;
		f->vlan[1].tpid = pk->below[pk->n_below].tpid;
		f->vlan[1].tci = pk->below[pk->n_below].tci;
	} else if (f->vlan[0].tpid && !pushed) {
		/* That there is no third tag counts as well. */
		t->wc.dl_type = 0xffff;
		if (flow_tpid(f->dl_type))
			third_tag(t);
	}
}

bool
pipe_push_vlan(struct pipe_tr *t, be16_t tpid, be16_t tci)
{
	struct pipe_pkt *pk = &t->pk;
	struct oflow *f = &pk->flow;

	if (pk->n_tags_on == PIPE_MAX_TAGS)
		return false;
	if (pipe_has_tag(t)) {
		look_at_second(t);
		t->wc.vlan[0].tpid = t->wc.vlan[0].tci = 0xffff;
	}
	if (f->vlan[1].tpid) {
		if (pk->n_below == PIPE_MAX_TAGS)
			return false;
		pk->below[pk->n_below++] = (struct pipe_vlan){ f->vlan[1].tpid, f->vlan[1].tci };
	}
	OWN(t, vlan);
	f->vlan[1] = f->vlan[0];
	f->vlan[0].tpid = tpid;
	f->vlan[0].tci = tci | be16(OFLOW_VLAN_PRESENT);
	pk->n_tags_on++;
	pk->push[pk->n_push++] = (struct pipe_vlan){ f->vlan[0].tpid, f->vlan[0].tci };
	return true;
}

bool
pipe_set_tci(struct pipe_tr *t, be16_t tci, be16_t mask)
{
	struct pipe_pkt *pk = &t->pk;
	struct oflow *f = &pk->flow;
	bool had = pipe_has_tag(t);
	be16_t now = (f->vlan[0].tci & ~mask) | (tci & mask);

	if (!(now & be16(OFLOW_VLAN_PRESENT))) {
		if (had)
			pipe_pop_vlan(t);
		return true;
	}
	if (!had)
		return pipe_push_vlan(t, be16(VLAN_TPID), now);
	pipe_settle(t, offsetof(struct oflow, vlan[0].tci), 2);
	f->vlan[0].tci = now;
	pk->own.vlan[0].tci |= mask;
	pk->beyond.vlan[0].tci &= ~mask;
	if (pk->n_push) {
		pk->push[pk->n_push - 1].tci = now;
	} else {
		pk->set_mask |= host16(mask) & 0xefff;
		pk->set_tci = host16(now);
	}
	return true;
}

/* --- The program -------------------------------------------------------------------------------- */

static void
commit_vlan(struct pipe_tr *t)
{
	struct act_list *l = &t->x->out->acts;
	struct pipe_pkt *pk = &t->pk;

	for (; pk->n_pop; pk->n_pop--)
		act_add(l, ACT_POP_VLAN, 0, 0);
	if (pk->set_mask == VLAN_VID_MASK) {
		act_add(l, ACT_SET_VLAN, 0, pk->set_tci & VLAN_VID_MASK);
	} else if (pk->set_mask) {
		be16_t tci = be16(pk->set_tci & pk->set_mask), mask = be16(pk->set_mask);

		act_add_set(l, ACT_F_VLAN_TCI, &tci, &mask);
	}
	pk->set_mask = 0;
	for (unsigned i = 0; i < pk->n_push; i++)
		act_add(l, ACT_PUSH_VLAN, 0, (uint32_t)host16(pk->push[i].tpid) << 16 |
			(host16(pk->push[i].tci) & (uint16_t)~OFLOW_VLAN_PRESENT));
	pk->n_push = 0;
}

static void
commit_field(struct pipe_tr *t, enum act_field a)
{
	struct pipe_pkt *pk = &t->pk;
	unsigned at = fields[a].offset, n = act_field_info[a].len;
	uint8_t value[16], mask[16];

	for (unsigned i = 0; i < n; i++) {
		mask[i] = ((const uint8_t *)&pk->own)[at + i] & (uint8_t)~((const uint8_t *)&pk->beyond)[at + i];
		value[i] = ((const uint8_t *)&pk->flow)[at + i] & mask[i];
	}
	act_add_set(&t->x->out->acts, a, value, mask);
}

void
pipe_commit(struct pipe_tr *t)
{
	struct pipe_pkt *pk = &t->pk;
	uint32_t left = 0;

	for (uint32_t d = pk->dirty; d; d &= d - 1) {
		enum act_field a = (enum act_field)__builtin_ctz(d);

		/* A field behind a label waits until the label has gone. */
		if (of_need_has(fields[a].needs, &pk->flow))
			commit_field(t, a);
		else
			left |= 1u << a;
	}
	pk->dirty = left;
	if (pk->n_pop | pk->n_push | pk->set_mask)
		commit_vlan(t);
}

void
pipe_effect(struct pipe_tr *t)
{
	t->keep = t->x->out->acts.n;
	t->x->n_sent++;
}

/* Whether instructions change the packet (what happens within clones does not count). */
static bool
changes(const struct act *a, unsigned n)
{
	for (unsigned i = 0; i < n; i += 1 + act_n_data(a[i].op, a[i].arg)) {
		if (a[i].op == ACT_CLONE)
			i += a[i].arg;
		else if (a[i].op != ACT_OUTPUT && a[i].op != ACT_PUNT)
			return true;
	}
	return false;
}

/* Takes the instruction at 'at' out. */
static void
cut_one(struct act_list *l, unsigned at)
{
	memmove(&l->a[at], &l->a[at + 1], (l->n - at - 1) * sizeof l->a[0]);
	l->n--;
}

void
pipe_branch_begin(struct pipe_tr *t, struct pipe_branch *b)
{
	struct act_list *l = &t->x->out->acts;

	b->pk = t->pk;
	b->at = l->n;
	b->keep = t->keep;
	act_add(l, ACT_CLONE, 0, 0);
}

void
pipe_branch_end(struct pipe_tr *t, struct pipe_branch *b)
{
	struct act_list *l = &t->x->out->acts;

	if (t->keep == b->keep) {
		l->n = b->at;
	} else if (!l->overflow) {
		l->n = t->keep;
		l->a[b->at].arg = l->n - b->at - 1u;
		if (!changes(&l->a[b->at + 1], l->a[b->at].arg)) {
			cut_one(l, b->at);
			t->keep--;
		}
	}
	pipe_settle_all(t);
	t->pk = b->pk;
}

void
pipe_trim(struct pipe_tr *t, uint16_t from)
{
	struct act_list *l = &t->x->out->acts;

	if (l->overflow)
		return;
	l->n = t->keep;
	/* The last copy to leave may have the packet itself. */
	for (unsigned i = from; i < l->n;) {
		unsigned next = i + 1 + (l->a[i].op == ACT_CLONE ? l->a[i].arg : act_n_data(l->a[i].op, l->a[i].arg));

		if (l->a[i].op == ACT_CLONE && next == l->n) {
			cut_one(l, i);
			t->keep--;
		} else {
			i = next;
		}
	}
}

/* --- Labels and PBB ----------------------------------------------------------------------------- */

/* What stands at 'off' of the packet, of the Ethernet type that the flow has now, is what the flow shows of layer 3. */
static void
show_l3(struct pipe_tr *t, uint32_t off)
{
	const struct xlate_pkt *p = t->x->pkt;
	struct oflow *f = &t->pk.flow;
	struct flow_key k = { .dl_type = f->dl_type };

	beyond_bytes(t, offsetof(struct oflow, mpls_lse), sizeof *f - offsetof(struct oflow, mpls_lse));
	if (p && off < p->contig)
		flow_parse_l3(p->data + off, p->contig - off, p->len - off, &k);
	pipe_fill_l3(f, &k);
}

/* Where the packet's own layer 3 starts: behind its tags and the labels that are off. */
static uint32_t
l3_at(const struct pipe_tr *t)
{
	const struct xlate_pkt *p = t->x->pkt;
	uint32_t off = t->pk.l2_off + 14u;

	while (p && off + 4 <= p->contig && flow_tpid(load_be16(p->data + off - 2)))
		off += 4;
	return off + 4u * t->pk.n_labels_off;
}

static bool
is_mpls(be16_t type)
{
	return type == be16(0x8847) || type == be16(0x8848);
}

bool
pipe_push_mpls(struct walk *w, be16_t type)
{
	struct pipe_tr *t = w->t;
	struct oflow *f = &t->pk.flow;
	uint32_t lse;

	LOOK(t, dl_type);
	if (is_mpls(f->dl_type)) {
		LOOK(t, mpls_lse);
		/* One more would hide one that has to show again when it is popped. */
		if (f->mpls_lse[2])
			return false;
		lse = host32(f->mpls_lse[0]) & ~0x100u;
	} else if (f->dl_type == be16(ETH_IPV4) || f->dl_type == be16(ETH_IPV6)) {
		/* Explicit null labels, as RFC 3032 has them for the two. */
		LOOK(t, nw_ttl);
		lse = (f->dl_type == be16(ETH_IPV6) ? 2u << 12 : 0) | 0x100u | f->nw_ttl;
	} else {
		lse = 0x100u | 64;
	}
	pipe_commit(t);
	act_add(&t->x->out->acts, ACT_PUSH_MPLS, host16(type), lse);
	OWN(t, dl_type);
	OWN(t, mpls_lse);
	f->dl_type = type;
	f->mpls_lse[2] = f->mpls_lse[1];
	f->mpls_lse[1] = f->mpls_lse[0];
	f->mpls_lse[0] = be32(lse);
	t->pk.n_labels_on++;
	return true;
}

void
pipe_pop_mpls(struct walk *w, be16_t type)
{
	struct pipe_tr *t = w->t;
	struct oflow *f = &t->pk.flow;
	bool bottom;

	LOOK(t, dl_type);
	if (!is_mpls(f->dl_type))
		return;
	LOOK(t, mpls_lse);
	bottom = f->mpls_lse[0] & be32(0x100);
	pipe_commit(t);
	act_add(&t->x->out->acts, ACT_POP_MPLS, host16(type), 0);
	OWN(t, dl_type);
	OWN(t, mpls_lse);
	f->dl_type = type;
	f->mpls_lse[0] = f->mpls_lse[1];
	f->mpls_lse[1] = f->mpls_lse[2];
	f->mpls_lse[2] = 0;
	if (t->pk.n_labels_on) {
		/* What was there before is in the flow still. */
		t->pk.n_labels_on--;
		return;
	}
	t->pk.n_labels_off++;
	if (bottom || !is_mpls(type) || !(f->mpls_lse[f->mpls_lse[1] != 0] & be32(0x100)))
		show_l3(t, l3_at(t));
}

bool
pipe_push_pbb(struct walk *w, be16_t type)
{
	struct pipe_tr *t = w->t;
	struct oflow *f = &t->pk.flow;
	uint32_t itag = 0;

	if (t->pk.has_inner || type != be16(ETH_PBB))
		return false;
	LOOK(t, dl_type);
	if (f->dl_type == be16(ETH_PBB)) {
		LOOK(t, pbb_itag);
		itag = host32(f->pbb_itag);
	} else if (pipe_has_tag(t)) {
		/* The priority goes along. */
		t->wc.vlan[0].tci = 0xffff;
		itag = (uint32_t)host16(f->vlan[0].tci) >> 13 << 29;
	}
	look_at_second(t);
	LOOK(t, vlan);
	pipe_commit(t);
	act_add(&t->x->out->acts, ACT_PUSH_PBB, 0, itag);
	t->pk.has_inner = true;
	t->pk.inner.dl_dst = f->dl_dst;
	t->pk.inner.dl_src = f->dl_src;
	t->pk.inner.dl_type = f->dl_type;
	for (unsigned i = 0; i < 2; i++)
		t->pk.inner.vlan[i] = (struct pipe_vlan){ f->vlan[i].tpid, f->vlan[i].tci };
	/* The addresses are in two places from here on. */
	LOOK(t, dl_dst);
	LOOK(t, dl_src);
	OWN(t, dl_type);
	OWN(t, vlan);
	OWN(t, pbb_itag);
	memset(f->vlan, 0, sizeof f->vlan);
	f->dl_type = type;
	f->pbb_itag = be32(itag);
	return true;
}

/* A PBB header of the packet's own: the frame inside shows. */
static void
show_frame(struct pipe_tr *t)
{
	const struct xlate_pkt *p = t->x->pkt;
	struct oflow *f = &t->pk.flow;
	struct flow_key k = { 0 };
	uint32_t off = l3_at(t) + 4;

	beyond_bytes(t, offsetof(struct oflow, dl_dst), sizeof *f - offsetof(struct oflow, dl_dst));
	memset(f->vlan, 0, sizeof f->vlan);
	t->pk.n_tags_off = t->pk.n_tags_on = t->pk.n_below = 0;
	if (p && off < p->contig)
		flow_parse(p->data + off, p->contig - off, p->len - off, 0, FLOW_DEPTH_L4, &k);
	f->dl_dst = k.dl_dst;
	f->dl_src = k.dl_src;
	f->dl_type = k.dl_type;
	for (unsigned i = 0; i < 2 && k.vlan[i].tpid; i++) {
		f->vlan[i].tpid = k.vlan[i].tpid;
		f->vlan[i].tci = k.vlan[i].tci | be16(OFLOW_VLAN_PRESENT);
	}
	pipe_fill_l3(f, &k);
	t->pk.l2_off = (uint16_t)off;
	t->pk.n_labels_off = 0;
}

void
pipe_pop_pbb(struct walk *w)
{
	struct pipe_tr *t = w->t;
	struct pipe_pkt *pk = &t->pk;
	struct oflow *f = &pk->flow;

	LOOK(t, dl_type);
	if (f->dl_type != be16(ETH_PBB))
		return;
	/* Tags in front of the header would come to stand in front of those behind it. */
	while (pipe_has_tag(t))
		pipe_pop_vlan(t);
	pipe_commit(t);
	act_add(&t->x->out->acts, ACT_POP_PBB, 0, 0);
	if (!pk->has_inner) {
		show_frame(t);
		return;
	}
	pk->has_inner = false;
	OWN(t, dl_dst);
	OWN(t, dl_src);
	OWN(t, dl_type);
	OWN(t, vlan);
	f->dl_dst = pk->inner.dl_dst;
	f->dl_src = pk->inner.dl_src;
	f->dl_type = pk->inner.dl_type;
	for (unsigned i = 0; i < 2; i++) {
		f->vlan[i].tpid = pk->inner.vlan[i].tpid;
		f->vlan[i].tci = pk->inner.vlan[i].tci;
	}
}

/* Ethernet type of the IP packet below the last label; 0: it is none.  Its TTL is in the flow then. */
static uint16_t
under_labels(struct pipe_tr *t)
{
	const struct xlate_pkt *p = t->x->pkt;
	uint32_t off = l3_at(t) + 4;
	uint16_t type = host16(t->key->dl_type);

	/* Put on over what the key shows: the flow has it still. */
	if (t->pk.n_labels_on && !t->pk.n_labels_off)
		return type == ETH_IPV4 || type == ETH_IPV6 ? type : 0;
	t->x->out->no_cache = true;
	if (!p || p->contig < off + 20 || (p->data[off] >> 4 != 4 && p->data[off] >> 4 != 6))
		return 0;
	type = p->data[off] >> 4 == 4 ? ETH_IPV4 : ETH_IPV6;
	t->pk.flow.nw_ttl = p->data[off + (type == ETH_IPV4 ? 8 : 7)];
	OWN(t, nw_ttl);
	return type;
}

bool
pipe_under_labels(struct walk *w)
{
	return under_labels(w->t) != 0;
}

void
pipe_write_inner_ttl(struct walk *w, bool bottom, uint8_t ttl)
{
	struct pipe_tr *t = w->t;
	struct act_list *l = &t->x->out->acts;
	struct oflow *f = &t->pk.flow;
	be32_t lse = be32(ttl), mask = be32(0xff);
	uint16_t type = bottom ? under_labels(t) : host16(f->dl_type);

	if (!type)
		return;
	t->wc.mpls_lse[0] = 0xffffffff;
	pipe_commit(t);
	act_add(l, ACT_POP_MPLS, type, 0);
	if (bottom)
		act_add_set(l, ACT_F_IP_TTL, &ttl, ones);
	else
		act_add_set(l, ACT_F_MPLS_LSE, &lse, &mask);
	act_add(l, ACT_PUSH_MPLS, host16(f->dl_type), host32(f->mpls_lse[0]));
	if (bottom) {
		OWN(t, nw_ttl);
		f->nw_ttl = ttl;
	} else {
		pipe_settle(t, offsetof(struct oflow, mpls_lse[1]), 4);
		f->mpls_lse[1] = (f->mpls_lse[1] & ~mask) | lse;
		t->pk.own.mpls_lse[1] |= mask;
	}
}
