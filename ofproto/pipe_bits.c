/* SPDX-License-Identifier: Apache-2.0 */
/* Which bits of a packet a pipeline may look at; see pipe_bits.h. */
#include "ofproto/pipe_bits.h"

#include "ofproto/table.h"

static void
add(void *p, size_t len)
{
	memset(p, 0xff, len);
}

#define ADD(bits, member) add(&(bits)->member, sizeof (bits)->member)

/* --- Actions ------------------------------------------------------------------------------------ */

/* To tell whether a packet has a field. */
static void
reads_need(enum of_field f, struct oflow *b)
{
	enum of_need need = of_field_info[f].needs;

	if (need == OF_NEED_NONE || need == OF_NEED_IN_PORT || need == OF_NEED_VLAN)
		return;
	ADD(b, dl_type);
	if (need < OF_NEED_TCP)
		return;
	ADD(b, nw_proto);
	ADD(b, nw_frag);
	if (need >= OF_NEED_ND) {
		ADD(b, tp_src);
		ADD(b, tp_dst);
	}
}

static void
reads_sub(const struct of_sub *s, struct oflow *b)
{
	reads_need(s->field, b);
	of_sub_examine(s, b);
}

/* Whatever a hash may be made of. */
static void
reads_hash(struct oflow *b)
{
	ADD(b, nw_src);
	ADD(b, nw_dst);
	ADD(b, ipv6_src);
	ADD(b, ipv6_dst);
	ADD(b, nw_proto);
	ADD(b, tp_src);
	ADD(b, tp_dst);
}

static void
reads_ttl(struct oflow *b)
{
	ADD(b, dl_type);
	ADD(b, nw_ttl);
	ADD(b, mpls_lse);
}

static void
reads_learn(const struct of_act_learn *l, struct oflow *b)
{
	for (uint32_t i = 0; i < l->n_specs; i++) {
		struct of_sub src = l->spec[i].src;

		src.n_bits = l->spec[i].n_bits;
		if (l->spec[i].src_type == OF_LEARN_SRC_FIELD)
			reads_sub(&src, b);
	}
}

void
of_acts_reads(struct of_acts acts, struct oflow *b)
{
	OF_ACTS_EACH(a, acts) {
		switch (a->kind) {
		case OFA_SET_FIELD:
			reads_need(((const struct of_act_set_field *)a)->field, b);
			break;
		case OFA_SET_TP_SRC:
		case OFA_SET_TP_DST:
			reads_need(OFF_TCP_SRC, b);
			break;
		case OFA_MOVE:
			reads_sub(&((const struct of_act_move *)a)->src, b);
			reads_need(((const struct of_act_move *)a)->dst.field, b);
			break;
		case OFA_STACK_PUSH:
			reads_sub(&((const struct of_act_sub *)a)->sub, b);
			break;
		case OFA_STACK_POP:
			reads_need(((const struct of_act_sub *)a)->sub.field, b);
			break;
		case OFA_OUTPUT_REG:
			reads_sub(&((const struct of_act_output_reg *)a)->src, b);
			break;
		case OFA_MULTIPATH:
		case OFA_BUNDLE:
		case OFA_GROUP:
			reads_hash(b);
			break;
		case OFA_LEARN:
			reads_learn((const struct of_act_learn *)a, b);
			break;
		case OFA_FIN_TIMEOUT:
			reads_need(OFF_TCP_SRC, b);
			ADD(b, tcp_flags);
			break;
		case OFA_PUSH_MPLS:
		case OFA_POP_MPLS:
		case OFA_SET_MPLS_TTL:
		case OFA_DEC_MPLS_TTL:
		case OFA_SET_NW_TTL:
		case OFA_DEC_NW_TTL:
		case OFA_COPY_TTL_OUT:
		case OFA_COPY_TTL_IN:
			reads_ttl(b);
			break;
		case OFA_PUSH_PBB:
			ADD(b, pbb_itag);
			break;
		case OFA_CLONE:
		case OFA_WRITE_ACTIONS:
			of_acts_reads(of_acts_nested(a), b);
			break;
		}
	}
}

/* --- Pipelines ---------------------------------------------------------------------------------- */

void
pipe_bits(const struct of_pipe *p, uint16_t flags, struct oflow *b)
{
	memset(b, 0, sizeof *b);
	of_pipe_match_bits(p, b);
	add((uint8_t *)b + OFLOW_STAGE1 * 8, sizeof *b - OFLOW_STAGE1 * 8);
	/* Actions may read what no rule matches. */
	ADD(b, tun_id);
	ADD(b, tun_tos);
	ADD(b, tun_ttl);
	ADD(b, tun_gbp_id);
	ADD(b, tun_gbp_flags);
	b->tun_md_present |= of_pipe_options(p);
	for (unsigned i = 0; i < OF_TUN_MD_MAX; i++)
		if (b->tun_md_present >> i & 1)
			ADD(b, tun_md[i]);
	if ((flags & OFPC_FRAG_MASK) == OFPC_FRAG_DROP)
		ADD(b, nw_frag);
}

static void
or_bytes(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] |= ((const uint8_t *)from)[i];
}

static bool
any(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)p)[i])
			return true;
	return false;
}

/* Neighbour discovery: what makes a packet one is looked at as well. */
static void
key_nd(const struct oflow *b, struct flow_key *m)
{
	if (!any(b->nd_target, 16) && !any(&b->nd_sll, 12))
		return;
	or_bytes(m->nd_target, b->nd_target, 16);
	m->nw_proto = 0xff;
	m->tp_src = m->tp_dst = 0xffff;
}

static void
key_l3(const struct oflow *b, struct flow_key *m)
{
	m->flags |= FLOW_F_FRAG | FLOW_F_LATER;
	m->nw_src |= b->nw_src;
	m->nw_dst |= b->nw_dst;
	or_bytes(m->ipv6_src, b->ipv6_src, 32);
	m->ipv6_label |= b->ipv6_label;
	m->nw_proto |= b->nw_proto;
	m->nw_tos |= b->nw_tos;
	m->nw_ttl |= b->nw_ttl;
	m->tp_src |= b->tp_src;
	m->tp_dst |= b->tp_dst;
	m->tcp_flags |= b->tcp_flags;
	if (b->arp_op)
		m->nw_proto = 0xff;
	/* ARP's addresses lie in the same place, one after the other. */
	or_bytes(m->nd_target, &b->arp_sha, 2 * sizeof b->arp_sha);
	or_bytes(m->mpls_lse, b->mpls_lse, sizeof m->mpls_lse);
	m->pbb_itag |= b->pbb_itag;
	key_nd(b, m);
}

void
pipe_bits_key(const struct oflow *b, bool tunnel, struct flow_key *m)
{
	m->in_port = 0xffff;
	m->dl_type = 0xffff;
	memset(m->vlan, 0xff, sizeof m->vlan);
	if (any(b->mpls_lse, sizeof *b - offsetof(struct oflow, mpls_lse)))
		key_l3(b, m);
	if (!tunnel)
		return;
	m->tun_id |= b->tun_id;
	m->tun_tos |= b->tun_tos;
	m->tun_ttl |= b->tun_ttl;
	m->tun_flags |= (uint8_t)host16(b->tun_flags);
	if (b->tun_gbp_id | b->tun_gbp_flags | b->tun_md_present || any(b->tun_md, sizeof b->tun_md))
		memset(m->tun_ext, 0xff, sizeof m->tun_ext);
}
