/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of random messages that no table describes: matches, actions, what hooks read and write. */
#include <string.h>

#include "base/util.h"
#include "tests/ofproto/wire/fill_priv.h"

/* --- Matches ------------------------------------------------------------------------------------ */

static void
put_field(struct fill *f, struct omatch *m, enum of_field field, bool exact)
{
	uint8_t v[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	const struct of_field_info *i = &of_field_info[field];

	for (unsigned b = 0; b < of_field_bytes(field); b++)
		v[b] = (uint8_t)fill_random(f);
	of_field_full_mask(field, mask);
	if (field == OFF_IP_FRAG) {
		mask[0] = 3;
	} else if (!exact && (i->flags & OF_FIELD_MASKABLE) && fill_random(f) % 2) {
		for (unsigned b = 0; b < of_field_bytes(field); b++)
			mask[b] &= (uint8_t)(fill_random(f) | 1);
	}
	for (unsigned b = 0; b < of_field_bytes(field); b++)
		v[b] &= mask[b];
	of_field_match(field, m, v, mask);
}

static void
put_value(struct omatch *m, enum of_field field, uint32_t value)
{
	uint8_t v[OF_VALUE_MAX];
	unsigned n = of_field_bytes(field);

	for (unsigned i = 0; i < n; i++, value >>= 8)
		v[n - 1 - i] = (uint8_t)value;
	of_field_match(field, m, v, NULL);
}

/* What Open vSwitch does not know, or takes only some values of. */
static bool
is_wild(enum of_field field)
{
	return field == OFF_IPV6_EXTHDR || field == OFF_PBB_ISID || field == OFF_PBB_UCA || field == OFF_TUN_FLAGS ||
	       field == OFF_CT_STATE || field == OFF_TUN_GBP_FLAGS || field == OFF_MPLS_TTL || field == OFF_MPLS_BOS ||
	       field == OFF_TUN_TOS || field == OFF_TUN_TTL;
}

static void
maybe(struct fill *f, struct omatch *m, enum of_field field)
{
	if (f->tame && is_wild(field))
		return;
	if (fill_random(f) % 2)
		put_field(f, m, field, false);
}

static void
match_vlan(struct fill *f, struct omatch *m, bool old)
{
	uint16_t tci = (uint16_t)(fill_random(f) & 0xefff);

	switch (fill_random(f) % 4) {
	case 0:
		m->mask.vlan[0].tci = be16(old ? 0xffff : 0x1fff);
		break;
	case 1:
		m->flow.vlan[0].tci = be16((tci & 0xfff) | 0x1000);
		m->mask.vlan[0].tci = be16(0x1fff);
		break;
	case 2:
		m->flow.vlan[0].tci = be16(tci | 0x1000);
		m->mask.vlan[0].tci = be16(0xffff);
		break;
	}
}

static void
match_ip(struct fill *f, struct omatch *m, bool v6)
{
	static const uint8_t protos[2][4] = { { 6, 17, 132, 1 }, { 6, 17, 132, 58 } };
	unsigned which = fill_random(f) % 5;

	put_value(m, OFF_ETH_TYPE, v6 ? 0x86dd : 0x0800);
	maybe(f, m, OFF_IP_DSCP);
	maybe(f, m, OFF_NW_ECN);
	maybe(f, m, OFF_NW_TTL);
	maybe(f, m, OFF_IP_FRAG);
	maybe(f, m, v6 ? OFF_IPV6_SRC : OFF_NW_SRC);
	maybe(f, m, v6 ? OFF_IPV6_DST : OFF_NW_DST);
	if (v6) {
		maybe(f, m, OFF_IPV6_LABEL);
		maybe(f, m, OFF_IPV6_EXTHDR);
	}
	if (which == 4)
		return;
	put_value(m, OFF_NW_PROTO, protos[v6][which]);
	switch (which) {
	case 0:
		maybe(f, m, OFF_TCP_SRC);
		maybe(f, m, OFF_TCP_DST);
		maybe(f, m, OFF_TCP_FLAGS);
		break;
	case 1:
		maybe(f, m, OFF_UDP_SRC);
		maybe(f, m, OFF_UDP_DST);
		break;
	case 2:
		maybe(f, m, OFF_SCTP_SRC);
		maybe(f, m, OFF_SCTP_DST);
		break;
	case 3:
		if (!v6) {
			maybe(f, m, OFF_ICMP_TYPE);
			maybe(f, m, OFF_ICMP_CODE);
			break;
		}
		put_value(m, OFF_ICMPV6_TYPE, fill_random(f) % 2 ? 135 : 136);
		maybe(f, m, OFF_ICMPV6_CODE);
		maybe(f, m, OFF_ND_TARGET);
		maybe(f, m, host16(m->flow.tp_src) == 135 ? OFF_ND_SLL : OFF_ND_TLL);
	}
}

static void
match_layer3(struct fill *f, struct omatch *m)
{
	switch (fill_random(f) % (f->tame ? 4 : 6)) {
	case 0:
		match_ip(f, m, false);
		break;
	case 1:
		match_ip(f, m, true);
		break;
	case 2:
		put_value(m, OFF_ETH_TYPE, 0x0806);
		for (unsigned i = OFF_ARP_OP; i <= OFF_ARP_THA; i++)
			maybe(f, m, i);
		break;
	case 3:
		put_value(m, OFF_ETH_TYPE, 0x8847);
		for (unsigned i = OFF_MPLS_LABEL; i <= OFF_MPLS_TTL; i++)
			maybe(f, m, i);
		break;
	case 4:
		put_value(m, OFF_ETH_TYPE, 0x88e7);
		maybe(f, m, OFF_PBB_ISID);
		maybe(f, m, OFF_PBB_UCA);
		break;
	}
}

/* 1.0 and 1.1 have no masks of ports, nor fields beyond TCP/IP; of addresses only prefixes, in 1.0. */
static void
match_old(struct fill *f, struct omatch *m)
{
	bool mpls = f->version == OF11 && fill_random(f) % 4 == 0, arp = fill_random(f) % 4 == 0;
	static const uint8_t protos[] = { 1, 6, 17, 47 };
	unsigned plen = fill_random(f) % 33;

	if (fill_random(f) % 2)
		put_value(m, OFF_IN_PORT, fill_port(f));
	put_field(f, m, OFF_ETH_SRC, f->version == OF10);
	put_field(f, m, OFF_ETH_DST, f->version == OF10);
	match_vlan(f, m, true);
	if (f->version == OF11)
		put_field(f, m, OFF_METADATA, false);
	if (mpls) {
		put_value(m, OFF_ETH_TYPE, 0x8847);
		maybe(f, m, OFF_MPLS_LABEL);
		maybe(f, m, OFF_MPLS_TC);
		return;
	}
	put_value(m, OFF_ETH_TYPE, arp ? 0x0806 : 0x0800);
	m->mask.nw_src = plen ? be32(0xffffffffu << (32 - plen)) : 0;
	m->flow.nw_src = fill_random(f) & m->mask.nw_src;
	put_field(f, m, OFF_NW_DST, true);
	if (arp) {
		put_value(m, OFF_ARP_OP, 1 + fill_random(f) % 2);
		return;
	}
	put_field(f, m, OFF_IP_DSCP, true);
	put_value(m, OFF_NW_PROTO, protos[fill_random(f) % 4]);
	if (m->flow.nw_proto == 6 || m->flow.nw_proto == 17) {
		put_field(f, m, OFF_TCP_SRC, true);
		put_field(f, m, OFF_TCP_DST, true);
	} else if (m->flow.nw_proto == 1) {
		put_field(f, m, OFF_ICMP_TYPE, true);
	}
}

void
fill_match(struct fill *f, struct omatch *m, bool nxm)
{
	memset(m, 0, sizeof *m);
	if (!nxm && f->version < OF12) {
		match_old(f, m);
		return;
	}
	if (fill_random(f) % 2)
		put_value(m, OFF_IN_PORT, fill_port(f));
	maybe(f, m, OFF_METADATA);
	maybe(f, m, OFF_TUN_ID);
	maybe(f, m, OFF_ETH_SRC);
	maybe(f, m, OFF_ETH_DST);
	match_vlan(f, m, nxm);
	match_layer3(f, m);
	for (unsigned i = OFF_TUN_SRC; i <= OFF_TUN_FLAGS; i++)
		if (fill_random(f) % 8 == 0 && !(f->tame && is_wild(i)))
			put_field(f, m, i, false);
	for (unsigned i = OFF_REG0; i <= OFF_REG15; i++)
		if (fill_random(f) % 4 == 0)
			put_field(f, m, i, false);
	maybe(f, m, OFF_CT_STATE);
	maybe(f, m, OFF_CT_LABEL);
	maybe(f, m, OFF_CONJ_ID);
}

void
fill_meta(struct fill *f, struct oflow *flow)
{
	flow->in_port = be32(1 + fill_random(f) % 1000);
	flow->metadata = (uint64_t)fill_random(f) << 32 | fill_random(f);
	flow->tun_id = fill_random(f);
	flow->tun_src = fill_random(f);
	flow->reg[3] = fill_random(f);
	flow->reg[15] = fill_random(f);
}

/* --- Actions ------------------------------------------------------------------------------------ */

static void
random_set_field(struct fill *f, struct of_act_set_field *s, bool may_mask)
{
	static const uint8_t fields[] = { OFF_REG1, OFF_ETH_DST, OFF_NW_SRC, OFF_IPV6_DST, OFF_METADATA, OFF_TCP_DST,
					  OFF_VLAN_VID, OFF_MPLS_LABEL, OFF_IP_DSCP, OFF_TUN_ID };
	unsigned bytes;

	s->field = fields[fill_random(f) % ARRAY_SIZE(fields)];
	bytes = of_field_bytes(s->field);
	of_field_full_mask(s->field, s->mask);
	if (may_mask && fill_random(f) % 2 && bytes > 1) {
		s->mask[0] = 0;
		s->mask[bytes - 1] = 0x5a;
		s->masked = true;
	}
	for (unsigned i = 0; i < bytes; i++)
		s->value[i] = (uint8_t)fill_random(f) & s->mask[i];
}

static void
random_reg_load(struct fill *f, struct of_act_set_field *s)
{
	unsigned ofs = fill_random(f) % 32, n = 1 + fill_random(f) % (32 - ofs);

	s->field = (uint8_t)(OFF_REG0 + fill_random(f) % 16);
	wire_store(s->mask, 4, (n < 32 ? (1u << n) - 1 : 0xffffffffu) << ofs);
	wire_store(s->value, 4, fill_random(f) & wire_u32(s->mask));
	s->masked = n != 32;
}

static void
random_learn(struct fill *f, struct of_act_buf *b, const struct wire_act *a)
{
	uint32_t n = fill_random(f) % 4;
	struct of_act_learn *l = of_act_put(b, OFA_LEARN, a->form, offsetof(struct of_act_learn, spec) + n * sizeof l->spec[0]);

	l->idle = (uint16_t)fill_random(f);
	l->priority = (uint16_t)fill_random(f);
	l->table = (uint8_t)(fill_random(f) % 255);
	l->cookie = fill_random(f);
	l->flags = fill_random(f) % 4;
	l->fin_hard = (uint16_t)fill_random(f);
	if (a->form == OFA_FORM_NX2) {
		l->limit = 5;
		l->flags |= OF_LEARN_WRITE_RESULT;
		l->result = (struct of_sub){ OFF_REG3, 7, 1, 0 };
	}
	l->n_specs = n;
	for (uint32_t i = 0; i < n; i++) {
		struct of_learn_spec *s = &l->spec[i];

		s->dst_type = fill_random(f) % 3;
		s->src_type = s->dst_type == OF_LEARN_DST_OUTPUT ? OF_LEARN_SRC_FIELD : fill_random(f) % 2;
		s->n_bits = (uint8_t)(1 + fill_random(f) % 48);
		if (s->src_type == OF_LEARN_SRC_FIELD)
			s->src = (struct of_sub){ OFF_XXREG0, (uint8_t)(fill_random(f) % 60), s->n_bits, 0 };
		else
			for (unsigned bit = 0; bit < s->n_bits; bit++)
				s->value[15 - bit / 8] |= (uint8_t)((fill_random(f) & 1) << (bit & 7));
		if (s->dst_type != OF_LEARN_DST_OUTPUT)
			s->dst = (struct of_sub){ OFF_ETH_DST, 0, s->n_bits, 0 };
	}
}

static void
random_lists(struct fill *f, struct of_act_buf *b, const struct wire_act *a)
{
	unsigned n = 1 + fill_random(f) % 5;
	struct of_act_ids *ids;
	struct of_act_bundle *bundle;
	struct of_act_note *note;
	struct of_act_controller *c;

	switch (a->kind) {
	case OFA_DEC_NW_TTL:
		ids = of_act_put(b, a->kind, a->form, sizeof *ids + (a->form == OFA_FORM_NX2 ? 2 * n : 0));
		for (unsigned i = 0; i < n && a->form == OFA_FORM_NX2; i++)
			ids->id[ids->n++] = (uint16_t)fill_random(f);
		break;
	case OFA_BUNDLE:
		bundle = of_act_put(b, a->kind, a->form, sizeof *bundle + 4 * n);
		bundle->algorithm = fill_random(f) % 2;
		bundle->basis = (uint16_t)fill_random(f);
		if (a->form == OFA_FORM_NX2)
			bundle->dst = (struct of_sub){ OFF_REG2, 0, 16, 0 };
		for (unsigned i = 0; i < n; i++)
			bundle->port[bundle->n++] = fill_port(f);
		break;
	case OFA_NOTE:
		n = 6 + 8 * n;
		note = of_act_put(b, a->kind, a->form, sizeof *note + n);
		note->n = (uint16_t)n;
		for (unsigned i = 0; i < n; i++)
			note->data[i] = (uint8_t)fill_random(f);
		break;
	case OFA_CONTROLLER:
		c = of_act_put(b, a->kind, a->form, sizeof *c + n);
		*c = (struct of_act_controller){ .h = c->h, .max_len = (uint16_t)fill_random(f), .controller_id = 7, .reason = 3,
						 .pause = true, .meter_id = 9, .userdata_len = (uint16_t)n };
		for (unsigned i = 0; i < n; i++)
			c->userdata[i] = (uint8_t)fill_random(f);
		break;
	}
}

/* Open vSwitch takes an extension only where the version has no action of its own; and some actions in sets only. */
static bool
is_tame(const struct wire_act *a, const struct fill *f)
{
	if (a->kind == OFA_PUSH_PBB || a->kind == OFA_POP_PBB || a->kind == OFA_COPY_TTL_OUT || a->kind == OFA_COPY_TTL_IN ||
	    a->kind == OFA_CONJUNCTION || a->kind == OFA_WRITE_METADATA || a->kind == OFA_METER || a->kind == OFA_MULTIPATH ||
	    a->kind == OFA_LEARN || a->kind == OFA_STACK_POP || a->kind == OFA_STACK_PUSH || a->kind == OFA_SET_FIELD ||
	    a->kind == OFA_SET_TP_SRC || a->kind == OFA_SET_TP_DST || a->kind == OFA_PUSH_MPLS || a->kind == OFA_POP_MPLS ||
	    a->kind == OFA_SET_MPLS_TTL || a->kind == OFA_DEC_MPLS_TTL || a->kind == OFA_DEC_NW_TTL ||
	    a->kind == OFA_SET_NW_TTL || a->kind == OFA_PUSH_VLAN || a->kind == OFA_MOVE || a->kind == OFA_OUTPUT_TRUNC)
		return false;
	for (unsigned i = 0; i < wire_n_acts && a->msg_form == OFMF_NX; i++)
		if (wire_act[i].kind == a->kind && wire_act[i].msg_form == OFMF_STD && wire_act[i].layouts >> f->version & 1)
			return false;
	return true;
}

static void one_action(struct fill *f, struct of_act_buf *b, const struct wire_act *a);

static void
random_actions(struct fill *f, struct of_act_buf *b, unsigned n)
{
	while (n) {
		const struct wire_act *a = &wire_act[fill_random(f) % wire_n_acts];

		if (!fill_stable(a, f->version) || (f->tame && !is_tame(a, f)) || (a->kind == OFA_CLONE && f->depth > 2))
			continue;
		one_action(f, b, a);
		n--;
	}
}

static void
by_hand(struct fill *f, struct of_act_buf *b, const struct wire_act *a)
{
	struct of_act_set_field *s;
	struct of_act_move *m;
	uint32_t at;

	switch (a->kind) {
	case OFA_SET_FIELD:
		s = of_act_put(b, a->kind, a->form, sizeof *s);
		if (a->form == OFA_FORM_NX) {
			random_reg_load(f, s);
		} else if (a->field != OFF_NONE) {
			s->field = a->field;
			of_field_full_mask(s->field, s->mask);
			s->value[of_field_bytes(s->field) - 1] = 0x15;
			if (a->form == OFA_FORM_NX_TUNNEL64)
				s->value[0] = 0x77;
		} else {
			random_set_field(f, s, a->form == OFA_FORM_NX2 || f->version == OF15);
		}
		break;
	case OFA_OUTPUT_REG:
		fill_sub(f, &((struct of_act_output_reg *)of_act_put(b, a->kind, a->form, sizeof(struct of_act_output_reg)))->src);
		break;
	case OFA_MOVE:
		m = of_act_put(b, a->kind, a->form, sizeof *m);
		m->src = (struct of_sub){ OFF_ETH_SRC, 3, 40, 0 };
		m->dst = (struct of_sub){ OFF_XXREG1, 11, 40, 0 };
		break;
	case OFA_STACK_PUSH:
	case OFA_STACK_POP:
		fill_sub(f, &((struct of_act_sub *)of_act_put(b, a->kind, a->form, sizeof(struct of_act_sub)))->sub);
		break;
	case OFA_LEARN:
		random_learn(f, b, a);
		break;
	case OFA_CLONE:
		at = of_act_nest_begin(b, a->kind, a->form);
		f->depth++;
		random_actions(f, b, fill_random(f) % 3);
		f->depth--;
		of_act_nest_end(b, at);
		break;
	default:
		random_lists(f, b, a);
	}
}

static void
one_action(struct fill *f, struct of_act_buf *b, const struct wire_act *a)
{
	uint64_t v = a->value;
	uint8_t *rec;

	if (a->hook) {
		by_hand(f, b, a);
		return;
	}
	rec = of_act_put(b, a->kind, a->form, a->native_size);
	fill_layout(f, a->layout[f->version], rec);
	if (a->kind == OFA_SET_FIELD) {
		struct of_act_set_field *s = (void *)rec;

		s->field = a->field;
		of_field_full_mask(s->field, s->mask);
		s->value[0] &= s->mask[0];
	}
	if (a->native)
		memcpy(rec + a->member, &v, a->native);
}

bool
fill_stable(const struct wire_act *a, uint8_t version)
{
	bool old = a->form == OFA_FORM_1_0 || a->form == OFA_FORM_1_1;

	if (!(a->layouts >> version & 1) || (old && version >= OF12))
		return false;
	if (a->kind == OFA_POP_VLAN)
		return true;
	/* 1.0's VLAN actions mean something else in 1.1. */
	if ((a->kind == OFA_SET_VLAN_VID || a->kind == OFA_SET_VLAN_PCP) && old)
		return (a->form == OFA_FORM_1_0) == (version == OF10);
	if (a->kind == OFA_SET_FIELD && (a->form == OFA_FORM_NX || a->form == OFA_FORM_NX2))
		return version < OF15;
	switch (a->kind) {
	case OFA_SET_QUEUE:
	case OFA_GROUP:
	case OFA_PUSH_MPLS:
	case OFA_POP_MPLS:
	case OFA_SET_MPLS_TTL:
	case OFA_DEC_MPLS_TTL:
	case OFA_DEC_NW_TTL:
		/* Written as the standard's where there is one. */
		return a->form != OFA_FORM_NX || version == OF10;
	case OFA_MOVE:
		return a->form == OFA_FORM_STD || version < OF15;
	default:
		return true;
	}
}

static struct of_acts
keep(struct fill *f, struct of_act_buf *b)
{
	uint8_t *copy = of_arena_alloc(f->arena, b->len);
	struct of_acts acts = { (const struct of_act *)(void *)copy, b->len };

	memcpy(copy, b->data, b->len);
	of_act_buf_fini(b);
	return acts;
}

struct of_acts
fill_acts(struct fill *f)
{
	struct of_act_buf b = { .data = NULL };

	random_actions(f, &b, 1 + fill_random(f) % 6);
	return keep(f, &b);
}

static void
put_u32(struct of_act_buf *b, enum of_act_kind kind, uint32_t value)
{
	struct of_act_u32 *u = of_act_put(b, kind, OFA_FORM_STD, sizeof *u);

	u->value = value;
}

struct of_acts
fill_program(struct fill *f)
{
	struct of_act_buf b = { .data = NULL };
	struct of_act_metadata *m;
	uint32_t at;

	if (f->version == OF13 || f->version == OF14)
		put_u32(&b, OFA_METER, fill_random(f));
	if (fill_random(f) % 4)
		random_actions(f, &b, 1 + fill_random(f) % 6);
	else
		of_act_put(&b, OFA_APPLY_NOTHING, OFA_FORM_STD, sizeof(struct of_act));
	of_act_put(&b, OFA_CLEAR_ACTIONS, OFA_FORM_STD, sizeof(struct of_act));
	at = of_act_nest_begin(&b, OFA_WRITE_ACTIONS, OFA_FORM_STD);
	if (!f->tame)
		random_actions(f, &b, fill_random(f) % 3);
	of_act_nest_end(&b, at);
	m = of_act_put(&b, OFA_WRITE_METADATA, OFA_FORM_STD, sizeof *m);
	m->value = fill_random(f);
	m->mask = 0xffffffffu;
	put_u32(&b, OFA_GOTO_TABLE, fill_random(f) % 254);
	return keep(f, &b);
}

/* --- Hooks -------------------------------------------------------------------------------------- */

extern wire_get_fn wh_hello_get, wh_error_get, wh_packet_out_meta_get, wh_flow_command_get, wh_flow_mod_get,
	wh_flow_ages_get, wh_async_get, wh_bundle_add_get, wh_requestforward_get, wh_queue_config_get, wh_controller_uri_get,
	wh_pin2_meta_get, wh_continuation_get, wh_nx_flow_mod_acts_get, wh_oxs_removed_get, wh_oxs_row_get, wh_oxs_aggregate_get, wh_group_mod_get,
	wh_group_mod_selection_get, wh_group_desc_selection_get, wh_group_desc_get, wh_table_features_get, wh_monitor_row_get;

static void
fill_flow_mod(struct fill *f, struct of_flow_mod *m)
{
	m->version = f->version;
	m->has_table_id = f->layout >= OF11 && f->layout <= OF15;
	if (!m->has_table_id)
		m->table_id = OFTT_ALL;
	m->command = fill_random(f) % 5;
	if (m->command < OFFC_DELETE) {
		m->out_port = (uint32_t)OFPP_ANY;
		m->out_group = OFG_ANY;
	} else {
		m->buffer_id = (uint32_t)OF_NO_BUFFER;
		m->acts = (struct of_acts){ NULL, 0 };
	}
	if (m->command == OFFC_ADD)
		m->cookie_mask = 0;
	m->cookie_given = m->cookie != ~0ull;
}

static void
fill_inner(struct fill *f, const struct of_msg **out, unsigned kind)
{
	struct of_msg *inner = of_arena_alloc(f->arena, sizeof *inner);
	struct fill sub = *f;
	struct way w = { (uint8_t)kind, f->version, OFMF_STD, f->version, false };

	/* Versions without group mods of their own have Nicira's. */
	if (wire_kind[kind].code[f->version] == 0xff) {
		w.form = OFMF_NX;
		w.layout = OF15;
	}
	fill_msg(&sub, &w, inner);
	f->seed = sub.seed;
	*out = inner;
}

static void
fill_buckets(struct fill *f, uint32_t n, const struct of_bucket *buckets)
{
	for (uint32_t i = 0; i < n && f->layout < OF15; i++)
		((struct of_bucket *)(uintptr_t)&buckets[i])->id = i;
}

static void
fill_set(struct fill *f, struct of_field_set *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++)
		s->bits[i] = (uint64_t)fill_random(f) << 32 | fill_random(f);
	s->bits[ARRAY_SIZE(s->bits) - 1] &= (1ull << OFF_N_FIELDS % 64) - 1;
}

/* Those that the version has a name for. */
static void
fill_fields(struct fill *f, struct of_field_set *s)
{
	fill_set(f, s);
	for (unsigned i = 0; i < OFF_N_FIELDS; i++)
		if (!wire_field_is_in(wire_field_code(i, f->version, false), f->version))
			s->bits[i / 64] &= ~(1ull << i % 64);
}

static void
fill_table_features(struct fill *f, struct of_table_features *t)
{
	t->instructions = 0x3e;
	t->miss_instructions = 0x1e;
	for (unsigned i = 0; i < 4; i++)
		t->next_tables[i] = t->miss_next_tables[i] = (uint64_t)fill_random(f) << 20;
	t->write_actions = t->apply_actions = t->miss_write_actions = 0x3ff9801;
	fill_fields(f, &t->match);
	fill_fields(f, &t->wildcards);
	fill_fields(f, &t->apply_setfield);
	if (f->version == OF15)
		fill_fields(f, &t->write_copyfield);
}

static void
fill_monitor_row(struct fill *f, struct of_monitor_row *m)
{
	struct omatch *match = of_arena_alloc(f->arena, sizeof *match);

	m->event = fill_random(f) % (f->form == OFMF_STD ? 7 : 5);
	if (f->form != OFMF_STD && !m->event)
		m->event = OFME_ADDED;
	if (m->event == OFME_ABBREV)
		m->xid = fill_random(f);
	if (m->event >= OFME_ABBREV)
		return;
	m->table_id = 3;
	m->reason = fill_random(f) % 3;
	m->priority = (uint16_t)fill_random(f);
	m->cookie = fill_random(f);
	fill_match(f, match, f->form == OFMF_NX);
	m->match = match;
	m->acts = f->form == OFMF_NX ? fill_acts(f) : fill_program(f);
}

static void
fill_queue_ports(const struct of_queue_config *c)
{
	for (uint32_t i = 0; i < c->n_queues; i++)
		((struct of_queue_desc *)(uintptr_t)&c->queues[i])->port_no = c->port_no;
}

void
fill_hook(struct fill *f, wire_get_fn *get, void *native)
{
	struct of_error_msg *e = native;
	struct of_packet_out *out = native;
	struct of_group_mod *g = native;
	struct of_group_desc *d = native;
	struct of_flow_row *row = native;

	if (get == wh_hello_get) {
		*(struct of_hello *)native = (struct of_hello){ 0x72, true };
	} else if (get == wh_error_get) {
		*e = (struct of_error_msg){ .type = 1, .code = 6, .id = OFE_BRC_BAD_LEN,
					    .data = f->tame ? (struct of_data){ (const uint8_t *)"\4\5\0\10\0\0\0\1", 8 } :
							      fill_data(f, 64) };
	} else if (get == wh_packet_out_meta_get) {
		fill_meta(f, &out->meta);
		out->in_port = host32(out->meta.in_port);
	} else if (get == wh_flow_mod_get) {
		fill_flow_mod(f, native);
	} else if (get == wh_flow_ages_get) {
		row->idle_age_s = 17;
		row->hard_age_s = -1;
	} else if (get == wh_async_get) {
		*(struct of_async *)native = (struct of_async){
			.packet_in = { 0x3f, 5 }, .port_status = { 7, 3 }, .flow_removed = { 0x3f, 0 },
			.has_packet_in = { true, true }, .has_port_status = { true, true }, .has_flow_removed = { true, true } };
	} else if (get == wh_bundle_add_get) {
		fill_inner(f, &((struct of_bundle_add *)native)->inner, fill_random(f) % 2 ? OFK_FLOW_MOD : OFK_GROUP_MOD);
	} else if (get == wh_requestforward_get) {
		fill_inner(f, &((struct of_requestforward *)native)->inner, OFK_GROUP_MOD);
	} else if (get == wh_queue_config_get) {
		fill_queue_ports(native);
	} else if (get == wh_controller_uri_get) {
		strcpy(((struct of_controller_status *)native)->uri, "tcp:127.0.0.1:6653");
	} else if (get == wh_pin2_meta_get) {
		fill_meta(f, &((struct of_packet_in *)native)->meta);
	} else if (get == wh_continuation_get) {
		((struct of_packet_in *)native)->continuation = fill_data(f, 40);
	} else if (get == wh_nx_flow_mod_acts_get) {
		((struct of_flow_mod *)native)->acts = f->version == OF10 ? fill_acts(f) : fill_program(f);
	} else if (get == wh_oxs_removed_get) {
		((struct of_flow_removed *)native)->packets = fill_random(f);
		((struct of_flow_removed *)native)->duration_ns = fill_random(f);
	} else if (get == wh_oxs_row_get) {
		row->bytes = fill_random(f);
		row->idle_age_s = 33;
	} else if (get == wh_oxs_aggregate_get) {
		*(struct of_aggregate *)native = (struct of_aggregate){ 1ull << 40, 7, 3 };
	} else if (get == wh_group_mod_get) {
		g->command = fill_random(f) % 3;
		g->type = fill_random(f) % 4;
		if (f->layout < OF15)
			g->command_bucket_id = 0xffffffff;
		fill_buckets(f, g->n_buckets, g->buckets);
	} else if (get == wh_group_desc_get) {
		fill_buckets(f, d->n_buckets, d->buckets);
	} else if (get == wh_group_mod_selection_get) {
		strcpy(g->selection_method, "dp_hash");
		g->selection_param = 5;
	} else if (get == wh_group_desc_selection_get) {
		strcpy(d->selection_method, "hash");
		fill_set(f, &d->selection_fields);
	} else if (get == wh_table_features_get) {
		fill_table_features(f, native);
	} else if (get == wh_monitor_row_get) {
		fill_monitor_row(f, native);
	}
}
