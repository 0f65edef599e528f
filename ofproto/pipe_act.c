/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of OpenFlow, one by one. */
#include "ofproto/pipe_priv.h"

static uint32_t
arg_of(const struct of_act *a)
{
	return ((const struct of_act_u32 *)a)->value;
}

/* --- Fields ------------------------------------------------------------------------------------- */

static void
set_field(struct walk *w, const struct of_act *a)
{
	const struct of_act_set_field *s = (const struct of_act_set_field *)a;

	pipe_write(w, s->field, s->value, s->masked ? s->mask : NULL);
}

/* OpenFlow 1.0 tags frames that have no tag; later versions leave them as they are. */
static void
set_vlan(struct walk *w, const struct of_act *a)
{
	bool vid = a->kind == OFA_SET_VLAN_VID, push = a->form == OFA_FORM_1_0;
	uint16_t v = (uint16_t)arg_of(a), mask = vid ? VLAN_VID_MASK : 0xe000;

	if (!vid)
		v = (uint16_t)(v << VLAN_PCP_SHIFT);
	if (!push && !pipe_has_tag(w->t))
		return;
	if (!pipe_set_tci(w->t, be16((v & mask) | OFLOW_VLAN_PRESENT), be16(mask | OFLOW_VLAN_PRESENT))) {
		pipe_why(w, DROP_OF_ACTION);
		w->dead = true;
	}
}

/* Ports of whatever the packet is. */
static void
set_tp(struct walk *w, const struct of_act *a)
{
	static const uint8_t src[] = { OFF_TCP_SRC, OFF_UDP_SRC, OFF_SCTP_SRC };
	static const uint8_t dst[] = { OFF_TCP_DST, OFF_UDP_DST, OFF_SCTP_DST };
	be16_t v = be16((uint16_t)arg_of(a));

	for (unsigned i = 0; i < ARRAY_SIZE(src); i++) {
		enum of_field f = a->kind == OFA_SET_TP_SRC ? src[i] : dst[i];

		if (!pipe_has(w, f))
			continue;
		pipe_write(w, f, (const uint8_t *)&v, NULL);
		return;
	}
}

static void
move(struct walk *w, const struct of_act *a)
{
	const struct of_act_move *m = (const struct of_act_move *)a;
	uint8_t v[16];

	if (!pipe_has(w, m->src.field))
		return;
	pipe_read_sub(w, &m->src, v);
	pipe_write_sub(w, &m->dst, v);
}

/* --- TTL ---------------------------------------------------------------------------------------- */

/* The packet ends here, and controllers may hear of it. */
static void
ttl_out(struct walk *w, const struct of_act_ids *ids)
{
	uint16_t n = ids ? ids->n : 0;

	pipe_why(w, DROP_OF_TTL);
	if (w->b->of_flags & OFPC_INVALID_TTL_TO_CONTROLLER) {
		for (unsigned i = 0; i < MAX_OF(n, 1); i++)
			pipe_punt(w, &(struct pipe_punt){ .max_len = UINT16_MAX, .reason = OFPR_INVALID_TTL,
							  .controller_id = n ? ids->id[i] : 0 });
	}
	w->dead = true;
}

static void
dec_nw_ttl(struct walk *w, const struct of_act *a)
{
	uint8_t ttl;

	if (!pipe_has(w, OFF_NW_TTL))
		return;
	w->t->wc.nw_ttl = 0xff;
	ttl = w->t->pk.flow.nw_ttl;
	if (ttl <= 1) {
		ttl_out(w, (const struct of_act_ids *)a);
		return;
	}
	ttl--;
	pipe_write(w, OFF_NW_TTL, &ttl, NULL);
}

static uint8_t
mpls_ttl(struct walk *w, unsigned i)
{
	w->t->wc.mpls_lse[i] |= be32(0xff);
	return (uint8_t)host32(w->t->pk.flow.mpls_lse[i]);
}

static void
dec_mpls_ttl(struct walk *w)
{
	uint8_t ttl;

	if (!pipe_has(w, OFF_MPLS_TTL))
		return;
	ttl = mpls_ttl(w, 0);
	if (ttl <= 1) {
		ttl_out(w, NULL);
		return;
	}
	ttl--;
	pipe_write(w, OFF_MPLS_TTL, &ttl, NULL);
}

static bool
is_bottom(struct walk *w)
{
	w->t->wc.mpls_lse[0] |= be32(0x100);
	return w->t->pk.flow.mpls_lse[0] & be32(0x100);
}

/* TTL from the next header to the label. */
static void
copy_ttl_out(struct walk *w)
{
	uint8_t ttl;

	if (!pipe_has(w, OFF_MPLS_TTL))
		return;
	if (!is_bottom(w)) {
		ttl = mpls_ttl(w, 1);
	} else {
		if (!pipe_under_labels(w))
			return;
		w->t->wc.nw_ttl = 0xff;
		ttl = w->t->pk.flow.nw_ttl;
	}
	pipe_write(w, OFF_MPLS_TTL, &ttl, NULL);
}

/* TTL from the label to the next header.  The program cannot reach below a label: it has to be popped, and is pushed
 * again. */
static void
copy_ttl_in(struct walk *w)
{
	uint8_t ttl;

	if (!pipe_has(w, OFF_MPLS_TTL))
		return;
	ttl = mpls_ttl(w, 0);
	pipe_write_inner_ttl(w, is_bottom(w), ttl);
}

/* --- Nesting ------------------------------------------------------------------------------------ */

void
pipe_clone(struct walk *w, struct of_acts acts)
{
	struct pipe_saved saved;
	struct pipe_branch b;
	bool stop = w->stop, dead = w->dead;

	if (++w->t->depth > PIPE_MAX_DEPTH) {
		w->x->too_much = true;
		return;
	}
	pipe_save(w, &saved);
	pipe_branch_begin(w->t, &b);
	if (UNLIKELY(w->x->trace))
		trace_in(w->x->trace);
	pipe_acts(w, acts);
	if (UNLIKELY(w->x->trace))
		trace_out(w->x->trace);
	pipe_branch_end(w->t, &b);
	pipe_restore(w, &saved);
	w->stop = stop;
	w->dead = dead;
	w->t->depth--;
}

static void
resubmit(struct walk *w, const struct of_act *a)
{
	const struct of_act_resubmit *r = (const struct of_act_resubmit *)a;
	uint32_t in_port = r->in_port == (uint32_t)OFPP_IN_PORT ? host32(w->t->pk.flow.in_port) : r->in_port;

	if (++w->t->depth > PIPE_MAX_DEPTH) {
		w->x->too_much = true;
		return;
	}
	if (UNLIKELY(w->x->trace))
		trace_in(w->x->trace);
	pipe_tables(w, r->table == 0xff ? (w->table == 0xff ? 0 : w->table) : r->table, in_port, false);
	if (UNLIKELY(w->x->trace))
		trace_out(w->x->trace);
	w->t->depth--;
}

static void
meter(struct walk *w, uint32_t id)
{
	uint32_t dp_meter;

	/* A bucket's meter goes without its group. */
	xl_tag(w->x, of_tag_meter(w->bridge, id));
	if (!of_meter_at(w->pipe, w->version, id, &dp_meter))
		return;
	pipe_commit(w->t);
	act_add(&w->x->out->acts, ACT_METER, 0, dp_meter);
	/* It counts even if nothing is sent. */
	w->t->keep = w->x->out->acts.n;
}

/* --- Output ------------------------------------------------------------------------------------- */

static void
output_reg(struct walk *w, const struct of_act *a)
{
	const struct of_act_output_reg *o = (const struct of_act_output_reg *)a;
	uint32_t port;
	uint8_t v[16];

	pipe_read_sub(w, &o->src, v);
	port = host32(load_be32(v + 12));
	/* Sixteen bits hold a port of OpenFlow 1.0, with its reserved numbers. */
	if (o->src.n_bits <= 16 && port >= 0xff00)
		port |= 0xffff0000u;
	pipe_output(w, port, o->max_len, 0);
}

static void
controller(struct walk *w, const struct of_act *a)
{
	const struct of_act_controller *c = (const struct of_act_controller *)a;

	pipe_punt(w, &(struct pipe_punt){ .max_len = c->max_len, .controller_id = c->controller_id, .reason = c->reason,
					  .pause = c->pause, .meter = c->meter_id, .userdata = c->userdata,
					  .userdata_len = c->userdata_len });
}

static void
does_not_fit(struct walk *w)
{
	pipe_why(w, DROP_OF_ACTION);
	w->dead = true;
}

void
pipe_act(struct walk *w, const struct of_act *a)
{
	const struct of_act_output *o = (const struct of_act_output *)a;
	const struct of_act_enqueue *q = (const struct of_act_enqueue *)a;

	switch ((enum of_act_kind)a->kind) {
	case OFA_OUTPUT:
		pipe_output(w, o->port, o->max_len, 0);
		break;
	case OFA_OUTPUT_TRUNC:
		pipe_output(w, o->port, o->max_len, o->trunc_len);
		break;
	case OFA_OUTPUT_REG:
		output_reg(w, a);
		break;
	case OFA_CONTROLLER:
		controller(w, a);
		break;
	case OFA_ENQUEUE:
		pipe_output(w, q->port, UINT16_MAX, 0);
		break;
	case OFA_GROUP:
		pipe_group(w, arg_of(a));
		break;
	case OFA_SET_FIELD:
		set_field(w, a);
		break;
	case OFA_SET_VLAN_VID:
	case OFA_SET_VLAN_PCP:
		set_vlan(w, a);
		break;
	case OFA_SET_TP_SRC:
	case OFA_SET_TP_DST:
		set_tp(w, a);
		break;
	case OFA_POP_VLAN:
		pipe_pop_vlan(w->t);
		break;
	case OFA_PUSH_VLAN:
		if (!pipe_push_vlan(w->t, be16((uint16_t)arg_of(a)), w->t->pk.flow.vlan[0].tci))
			does_not_fit(w);
		break;
	case OFA_PUSH_MPLS:
		if (!pipe_push_mpls(w, be16((uint16_t)arg_of(a))))
			does_not_fit(w);
		break;
	case OFA_POP_MPLS:
		pipe_pop_mpls(w, be16((uint16_t)arg_of(a)));
		break;
	case OFA_PUSH_PBB:
		if (!pipe_push_pbb(w, be16((uint16_t)arg_of(a))))
			does_not_fit(w);
		break;
	case OFA_POP_PBB:
		pipe_pop_pbb(w);
		break;
	case OFA_SET_MPLS_TTL:
		pipe_write(w, OFF_MPLS_TTL, &(uint8_t){ (uint8_t)arg_of(a) }, NULL);
		break;
	case OFA_DEC_MPLS_TTL:
		dec_mpls_ttl(w);
		break;
	case OFA_SET_NW_TTL:
		pipe_write(w, OFF_NW_TTL, &(uint8_t){ (uint8_t)arg_of(a) }, NULL);
		break;
	case OFA_DEC_NW_TTL:
		dec_nw_ttl(w, a);
		break;
	case OFA_COPY_TTL_OUT:
		copy_ttl_out(w);
		break;
	case OFA_COPY_TTL_IN:
		copy_ttl_in(w);
		break;
	case OFA_MOVE:
		move(w, a);
		break;
	case OFA_STACK_PUSH:
		pipe_stack_push(w, &((const struct of_act_sub *)a)->sub);
		break;
	case OFA_STACK_POP:
		pipe_stack_pop(w, &((const struct of_act_sub *)a)->sub);
		break;
	case OFA_RESUBMIT:
		resubmit(w, a);
		break;
	case OFA_LEARN:
		pipe_learn(w, (const struct of_act_learn *)a);
		break;
	case OFA_MULTIPATH:
		pipe_multipath(w, (const struct of_act_multipath *)a);
		break;
	case OFA_BUNDLE:
		pipe_bundle(w, (const struct of_act_bundle *)a);
		break;
	case OFA_EXIT:
		w->stop = true;
		break;
	case OFA_FIN_TIMEOUT:
		pipe_fin_timeout(w, (const struct of_act_fin_timeout *)a);
		break;
	case OFA_CLONE:
		pipe_clone(w, of_acts_nested(a));
		break;
	case OFA_METER:
		meter(w, arg_of(a));
		break;
	/* Queues are not told apart.  A conjunction's clause is of_lookup()'s to resolve. */
	case OFA_SET_QUEUE:
	case OFA_POP_QUEUE:
	case OFA_NOTE:
	case OFA_CONJUNCTION:
	case OFA_APPLY_NOTHING:
	/* Instructions: pipe_acts() has them. */
	case OFA_CLEAR_ACTIONS:
	case OFA_WRITE_ACTIONS:
	case OFA_WRITE_METADATA:
	case OFA_GOTO_TABLE:
	case OFA_N_KINDS:
		break;
	}
}
