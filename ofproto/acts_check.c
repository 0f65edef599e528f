/* SPDX-License-Identifier: Apache-2.0 */
/* What an action list must be beyond what its bytes tell; see acts.h.
 *
 * Goes through the list as a packet would, with what is known of it: the rule's match, changed by what actions before did.
 * A set-field of a field that the packet may lack is refused; so is, from OpenFlow 1.1 on, any action on a header that
 * the match does not promise.  1.0 has no such rule: there the action does nothing. */
#include "ofproto/table_priv.h"

struct scan {
	const struct of_check *c;
	struct of_error *e;
	struct omatch m;                /* What is known here. */
	bool known;                     /* There was a match. */
	unsigned depth;
};

static int check_list(struct scan *, struct of_acts);

static int
inconsistent(const struct scan *s, const char *what)
{
	if (!s->known)
		return 0;
	return of_error_set(s->e, OFE_BAC_MATCH_INCONSISTENT, "%s: the match does not promise what it needs", what);
}

/* Where 1.0 is lenient. */
static int
unless_1_0(const struct scan *s, bool ok, const char *what)
{
	return ok || s->c->version == OF10 ? 0 : inconsistent(s, what);
}

static bool
has(const struct scan *s, enum of_need need)
{
	return of_need_met(need, &s->m);
}

static int
check_port(const struct scan *s, uint32_t port, uint32_t max)
{
	switch (port) {
	case (uint32_t)OFPP_IN_PORT:
	case (uint32_t)OFPP_TABLE:
	case (uint32_t)OFPP_NORMAL:
	case (uint32_t)OFPP_FLOOD:
	case (uint32_t)OFPP_ALL:
	case (uint32_t)OFPP_CONTROLLER:
	case (uint32_t)OFPP_LOCAL:
		return 0;
	}
	if (port && port <= max)
		return 0;
	return of_error_set(s->e, OFE_BAC_BAD_OUT_PORT, "output to port %u", port);
}

/* --- Subfields --------------------------------------------------------------------------------------- */

/* Fields without an own column of needs that a VLAN tag has to be there for. */
static bool
field_is_there(const struct scan *s, enum of_field f)
{
	if (f == OFF_VLAN_VID)
		return has(s, OF_NEED_VLAN);
	return has(s, of_field_info[f].needs);
}

static int
check_option(const struct scan *s, uint8_t field)
{
	unsigned md = of_field_md(field);

	if (md == OF_TUN_MD_MAX || s->c->options >> md & 1)
		return 0;
	return of_error_set(s->e, OFE_NXFMFC_INVALID_TLV_FIELD, "%s is no option", of_field_info[field].name);
}

static int
check_sub(const struct scan *s, const struct of_sub *sub, bool written, const char *what)
{
	if (sub->field >= OFF_N_FIELDS || !sub->n_bits || sub->ofs + sub->n_bits > of_field_info[sub->field].bits)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "%s: bits %u to %u of field %u", what, sub->ofs,
				    sub->ofs + sub->n_bits - 1, sub->field);
	if (check_option(s, sub->field))
		return -1;
	if (written && !(of_field_info[sub->field].flags & OF_FIELD_WRITABLE))
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "%s: %s can not be written", what,
				    of_field_info[sub->field].name);
	return has(s, of_field_info[sub->field].needs) ? 0 : inconsistent(s, what);
}

static int
check_move(const struct scan *s, const struct of_act_move *a)
{
	if (check_sub(s, &a->src, false, "move") || check_sub(s, &a->dst, true, "move"))
		return -1;
	if (a->src.n_bits != a->dst.n_bits)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "move: %u bits to %u", a->src.n_bits, a->dst.n_bits);
	return 0;
}

/* --- Set-field --------------------------------------------------------------------------------------- */

/* What a set-field makes known, where later actions ask for it. */
static void
learn_set(struct scan *s, const struct of_act_set_field *a)
{
	enum of_field f = a->field;

	if (f == OFF_VLAN_TCI)
		of_field_match(f, &s->m, a->value, a->masked ? a->mask : NULL);
}

static int
check_set_field(struct scan *s, const struct of_act_set_field *a)
{
	const struct of_field_info *i;

	if (a->field >= OFF_N_FIELDS)
		return of_error_set(s->e, OFE_BAC_BAD_SET_TYPE, "set_field of field %u", a->field);
	if (check_option(s, a->field))
		return -1;
	i = &of_field_info[a->field];
	if (!(i->flags & OF_FIELD_WRITABLE))
		return of_error_set(s->e, OFE_BAC_BAD_SET_ARGUMENT, "%s can not be set", i->name);
	if (a->h.form == OFA_FORM_1_0 || a->h.form == OFA_FORM_1_1) {
		if (unless_1_0(s, field_is_there(s, a->field), i->name))
			return -1;
	} else if (!field_is_there(s, a->field) && inconsistent(s, i->name)) {
		return -1;
	}
	learn_set(s, a);
	return 0;
}

/* --- VLAN, MPLS, PBB: what actions do to the frame -------------------------------------------------------- */

static void
set_type(struct scan *s, uint32_t type)
{
	s->m.flow.dl_type = be16((uint16_t)type);
	s->m.mask.dl_type = 0xffff;
	s->m.flow.nw_proto = s->m.mask.nw_proto = 0;
}

static void
set_tagged(struct scan *s, bool tagged)
{
	s->m.flow.vlan[0].tci = tagged ? be16(OFLOW_VLAN_PRESENT) : 0;
	s->m.mask.vlan[0].tci = tagged ? be16(OFLOW_VLAN_PRESENT) : 0xffff;
}

static int
check_vlan(struct scan *s, const struct of_act *a)
{
	uint32_t v = ((const struct of_act_u32 *)a)->value;
	bool tagged = has(s, OF_NEED_VLAN);

	switch (a->kind) {
	case OFA_SET_VLAN_VID:
	case OFA_SET_VLAN_PCP:
		if (v > (a->kind == OFA_SET_VLAN_VID ? 4095u : 7u))
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "VLAN value %u", v);
		if (a->form != OFA_FORM_1_0 && unless_1_0(s, tagged, "set VLAN"))
			return -1;
		set_tagged(s, true);
		return 0;
	case OFA_POP_VLAN:
		if (unless_1_0(s, tagged, "pop_vlan"))
			return -1;
		set_tagged(s, false);
		s->m.mask.vlan[0].tci = 0;
		return 0;
	default:
		if (v != 0x8100 && v != 0x88a8)
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "push_vlan 0x%x", v);
		set_tagged(s, true);
		return 0;
	}
}

static int
check_mpls(struct scan *s, const struct of_act *a)
{
	uint32_t v = a->len >= sizeof(struct of_act_u32) ? ((const struct of_act_u32 *)a)->value : 0;

	switch (a->kind) {
	case OFA_PUSH_MPLS:
		if (v != 0x8847 && v != 0x8848)
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "push_mpls 0x%x", v);
		set_type(s, v);
		return 0;
	case OFA_POP_MPLS:
		if (unless_1_0(s, has(s, OF_NEED_MPLS), "pop_mpls"))
			return -1;
		set_type(s, v);
		return 0;
	case OFA_PUSH_PBB:
		if (v != 0x88e7)
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "push_pbb 0x%x", v);
		set_type(s, v);
		return 0;
	case OFA_POP_PBB:
		if (unless_1_0(s, has(s, OF_NEED_PBB), "pop_pbb"))
			return -1;
		s->m.mask.dl_type = s->m.flow.dl_type = 0;
		/* What comes to light may be tagged, or not. */
		s->m.mask.vlan[0].tci = s->m.flow.vlan[0].tci = 0;
		s->known = false;
		return 0;
	default:
		return unless_1_0(s, has(s, OF_NEED_MPLS), "MPLS TTL");
	}
}

/* --- Actions with parts ------------------------------------------------------------------------------------ */

/* What a learned rule would match so far, for the needs of the next specification. */
static int
check_learn(struct scan *s, const struct of_act_learn *a)
{
	struct scan learned = { .c = s->c, .e = s->e, .known = s->known };

	if (a->table >= s->c->n_tables)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "learn: table %u", a->table);
	for (uint32_t i = 0; i < a->n_specs; i++) {
		const struct of_learn_spec *sp = &a->spec[i];

		if (sp->src_type == OF_LEARN_SRC_FIELD) {
			if (check_sub(s, &sp->src, false, "learn"))
				return -1;
			if (sp->n_bits > sp->src.n_bits)
				return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "learn: %u bits", sp->n_bits);
		}
		if (sp->dst_type == OF_LEARN_DST_OUTPUT)
			continue;
		if (sp->dst.field >= OFF_N_FIELDS || !sp->dst.n_bits ||
		    sp->dst.ofs + sp->dst.n_bits > of_field_info[sp->dst.field].bits)
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "learn: destination bits");
		if (sp->dst_type == OF_LEARN_DST_LOAD && !(of_field_info[sp->dst.field].flags & OF_FIELD_WRITABLE))
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "learn: %s can not be written",
					    of_field_info[sp->dst.field].name);
		if (sp->dst_type != OF_LEARN_DST_MATCH)
			continue;
		if (!of_need_met(of_field_info[sp->dst.field].needs, &learned.m) && inconsistent(s, "learn"))
			return -1;
		if (sp->src_type == OF_LEARN_SRC_VALUE)
			of_sub_set(&sp->dst, &learned.m.flow, sp->value);
		else
			of_sub_set(&sp->dst, &learned.m.flow, (const uint8_t[16]){ 0 });
		of_sub_examine(&sp->dst, &learned.m.mask);
	}
	if (a->result.n_bits)
		return check_sub(s, &a->result, true, "learn");
	return 0;
}

static int
check_ports(struct scan *s, const struct of_act_bundle *a)
{
	if (a->algorithm > 1)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "bundle: algorithm %u", a->algorithm);
	for (uint16_t i = 0; i < a->n; i++) {
		uint32_t port = a->port[i];

		/* A slave that is no port at all is "none". */
		if (port == (uint32_t)OFPP_ANY || port == (uint32_t)OFPP_LOCAL || port == (uint32_t)OFPP_CONTROLLER)
			continue;
		if (!port || port > s->c->max_port)
			return of_error_set(s->e, OFE_BAC_BAD_OUT_PORT, "bundle: port %u", port);
	}
	return a->dst.n_bits ? check_sub(s, &a->dst, true, "bundle_load") : 0;
}

static int
check_multipath(struct scan *s, const struct of_act_multipath *a)
{
	if (a->algorithm > 3)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "multipath: algorithm %u", a->algorithm);
	if (check_sub(s, &a->dst, true, "multipath"))
		return -1;
	if (a->dst.n_bits < 16 && a->max_link >= 1u << a->dst.n_bits)
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "multipath: %u links in %u bits", a->max_link + 1u,
				    a->dst.n_bits);
	return 0;
}

/* Whether an action set has a place for it: what changes the packet, and one action that says where it goes (OpenFlow
 * 1.3, 5.10; of Nicira's what Open vSwitch takes). */
static bool
goes_in_a_set(uint8_t kind)
{
	switch ((enum of_act_kind)kind) {
	case OFA_OUTPUT:
	case OFA_SET_QUEUE:
	case OFA_GROUP:
	case OFA_SET_FIELD:
	case OFA_SET_VLAN_VID:
	case OFA_SET_VLAN_PCP:
	case OFA_SET_TP_SRC:
	case OFA_SET_TP_DST:
	case OFA_POP_VLAN:
	case OFA_PUSH_VLAN:
	case OFA_PUSH_MPLS:
	case OFA_POP_MPLS:
	case OFA_PUSH_PBB:
	case OFA_POP_PBB:
	case OFA_SET_MPLS_TTL:
	case OFA_DEC_MPLS_TTL:
	case OFA_SET_NW_TTL:
	case OFA_DEC_NW_TTL:
	case OFA_COPY_TTL_OUT:
	case OFA_COPY_TTL_IN:
	case OFA_MOVE:
	case OFA_RESUBMIT:
	case OFA_METER:
		return true;
	default:
		return false;
	}
}

static int
check_set(struct scan *s, const struct of_act *a)
{
	OF_ACTS_EACH(in, of_acts_nested(a))
		if (!goes_in_a_set(in->kind))
			return of_error_set(s->e, OFE_BAC_BAD_TYPE, "action %u does not go into an action set", in->kind);
	return 0;
}

static int
check_nested(struct scan *s, const struct of_act *a)
{
	struct scan inner = *s;

	if (a->kind == OFA_WRITE_ACTIONS && check_set(s, a))
		return -1;
	if (++inner.depth > OF_ACTS_NEST_MAX)
		return of_error_set(s->e, OFE_BAC_TOO_MANY, "actions nested deeper than %u", OF_ACTS_NEST_MAX);
	return check_list(&inner, of_acts_nested(a));
}

/* --- All ---------------------------------------------------------------------------------------------------- */

static int
check_group(const struct scan *s, uint32_t id)
{
	if (id > OFG_MAX || !s->c->has_group || !s->c->has_group(s->c->arg, id))
		return of_error_set(s->e, OFE_BAC_BAD_OUT_GROUP, "there is no group %u", id);
	return 0;
}

static int
check_meter(const struct scan *s, uint32_t id)
{
	if (id && s->c->has_meter && s->c->has_meter(s->c->arg, id))
		return 0;
	return of_error_set(s->e, s->c->version >= OF15 ? OFE_BAC_BAD_METER : OFE_MMFC_INVALID_METER,
			    "there is no meter %u", id);
}

static int
check_goto(const struct scan *s, uint32_t table)
{
	if (table >= s->c->n_tables || (s->c->table != OFTT_ALL && table <= s->c->table))
		return of_error_set(s->e, OFE_BIC_BAD_TABLE_ID, "goto_table %u from table %u", table, s->c->table);
	return 0;
}

static int
check_act(struct scan *s, const struct of_act *a)
{
	const struct of_act_u32 *u = (const struct of_act_u32 *)a;
	bool l4 = has(s, OF_NEED_TCP) || has(s, OF_NEED_UDP) || has(s, OF_NEED_SCTP);

	switch ((enum of_act_kind)a->kind) {
	case OFA_OUTPUT:
		return check_port(s, ((const struct of_act_output *)a)->port, s->c->max_port);
	case OFA_OUTPUT_TRUNC: {
		uint32_t port = ((const struct of_act_output *)a)->port;

		/* Not where the copies' fate is decided elsewhere. */
		if (port == (uint32_t)OFPP_TABLE || port == (uint32_t)OFPP_NORMAL || port == (uint32_t)OFPP_FLOOD ||
		    port == (uint32_t)OFPP_ALL)
			return of_error_set(s->e, OFE_BAC_BAD_OUT_PORT, "output(max_len) to port %u", port);
		return check_port(s, port, s->c->max_port);
	}
	case OFA_ENQUEUE: {
		uint32_t port = ((const struct of_act_enqueue *)a)->port;

		if (port == (uint32_t)OFPP_IN_PORT || port == (uint32_t)OFPP_LOCAL || (port && port <= s->c->max_port))
			return 0;
		return of_error_set(s->e, OFE_BAC_BAD_OUT_PORT, "enqueue to port %u", port);
	}
	case OFA_OUTPUT_REG:
		return check_sub(s, &((const struct of_act_output_reg *)a)->src, false, "output");
	case OFA_GROUP:
		return check_group(s, u->value);
	case OFA_METER:
		return check_meter(s, u->value);
	case OFA_SET_FIELD:
		return check_set_field(s, (const struct of_act_set_field *)a);
	case OFA_SET_VLAN_VID:
	case OFA_SET_VLAN_PCP:
	case OFA_POP_VLAN:
	case OFA_PUSH_VLAN:
		return check_vlan(s, a);
	case OFA_SET_TP_SRC:
	case OFA_SET_TP_DST:
		return unless_1_0(s, l4 || has(s, OF_NEED_ICMP), "set tp_src or tp_dst");
	case OFA_PUSH_MPLS:
	case OFA_POP_MPLS:
	case OFA_PUSH_PBB:
	case OFA_POP_PBB:
	case OFA_SET_MPLS_TTL:
	case OFA_DEC_MPLS_TTL:
		return check_mpls(s, a);
	case OFA_SET_NW_TTL:
	case OFA_DEC_NW_TTL:
		return unless_1_0(s, has(s, OF_NEED_IP), "IP TTL");
	case OFA_MOVE:
		return check_move(s, (const struct of_act_move *)a);
	case OFA_STACK_PUSH:
		return check_sub(s, &((const struct of_act_sub *)a)->sub, false, "push");
	case OFA_STACK_POP:
		return check_sub(s, &((const struct of_act_sub *)a)->sub, true, "pop");
	case OFA_LEARN:
		return check_learn(s, (const struct of_act_learn *)a);
	case OFA_MULTIPATH:
		return check_multipath(s, (const struct of_act_multipath *)a);
	case OFA_BUNDLE:
		return check_ports(s, (const struct of_act_bundle *)a);
	case OFA_FIN_TIMEOUT:
		return unless_1_0(s, has(s, OF_NEED_TCP), "fin_timeout");
	case OFA_CONJUNCTION: {
		const struct of_act_conj *c = (const struct of_act_conj *)a;

		if (c->n_clauses < 2 || c->n_clauses > 64 || c->clause >= c->n_clauses)
			return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "conjunction: clause %u of %u", c->clause + 1,
					    c->n_clauses);
		return 0;
	}
	case OFA_CLONE:
	case OFA_WRITE_ACTIONS:
		return check_nested(s, a);
	case OFA_GOTO_TABLE:
		return check_goto(s, u->value);
	case OFA_RESUBMIT:
	case OFA_CONTROLLER:
	case OFA_SET_QUEUE:
	case OFA_POP_QUEUE:
	case OFA_COPY_TTL_OUT:
	case OFA_COPY_TTL_IN:
	case OFA_NOTE:
	case OFA_EXIT:
	case OFA_APPLY_NOTHING:
	case OFA_CLEAR_ACTIONS:
	case OFA_WRITE_METADATA:
		return 0;
	case OFA_N_KINDS:
		break;
	}
	return of_error_set(s->e, OFE_BAC_BAD_TYPE, "action %u", a->kind);
}

static int
check_list(struct scan *s, struct of_acts acts)
{
	bool conj = false, other = false;

	OF_ACTS_EACH(a, acts) {
		if (check_act(s, a))
			return -1;
		conj |= a->kind == OFA_CONJUNCTION;
		other |= a->kind != OFA_CONJUNCTION && a->kind != OFA_NOTE;
	}
	if (conj && (other || s->depth || !s->known))
		return of_error_set(s->e, OFE_BAC_BAD_ARGUMENT, "conjunction goes with nothing but notes");
	return 0;
}

int
of_acts_check(struct of_acts acts, const struct of_check *c, struct of_error *e)
{
	struct scan s = { .c = c, .e = e, .known = c->match != NULL };

	if (acts.len > OF_ACTS_MAX)
		return of_error_set(e, OFE_BAC_TOO_MANY, "%u bytes of actions", acts.len);
	if (c->match)
		s.m = *c->match;
	return check_list(&s, acts);
}

/* --- For this pipeline ----------------------------------------------------------------------------------------- */

static bool
has_group(void *p, uint32_t id)
{
	return pipe_has_group(p, id);
}

static bool
has_meter(void *p, uint32_t id)
{
	return pipe_has_meter(p, id);
}

int
pipe_check_acts(const struct of_pipe *p, uint8_t version, uint8_t table, const struct omatch *match, struct of_acts acts,
		struct of_error *e)
{
	struct of_check c = {
		.version = version, .table = table, .n_tables = OF_N_TABLES, .match = match, .has_group = has_group,
		.has_meter = has_meter, .max_port = OF_MAX_PORT_NO, .options = p->options, .arg = (void *)(uintptr_t)p,
	};

	return of_acts_check(acts, &c, e);
}
