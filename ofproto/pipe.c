/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline of OpenFlow: a packet through the tables of a bridge, rule by rule, and the action set at the end. */
#include "ofproto/pipe_priv.h"

void
pipe_why(struct walk *w, enum dp_drop why)
{
	w->x->why = why;
	if (UNLIKELY(w->x->trace))
		trace_drop(w->x->trace, why);
}

/* --- Tables ------------------------------------------------------------------------------------- */

static bool
wants_packet_in(const struct walk *w)
{
	const struct view_port *in = port_find(w->x->view, w->in_port);

	return !in || !(in->of_config & OFPPC_NO_PACKET_IN);
}

/* What comes of a miss: what OpenFlow 1.1 and 1.2 can say of each table, to the controller if nothing.  Returns the
 * table to go on with, or -1.  'in_tables': not in one that an action has the packet look into. */
static int
miss(struct walk *w, bool in_tables)
{
	uint32_t config = of_table_config(w->pipe, w->table) & OFTC_MISS_MASK;

	xlate_ref(w->x->out, of_ref_miss(w->pipe, w->table));
	if (in_tables && config == OFTC_MISS_CONTINUE && w->table + 1 < OF_N_TABLES)
		return w->table + 1;
	if (!in_tables || config || !w->b->miss_punt) {
		pipe_why(w, w->b->secure && of_table_empty(w->pipe, 0) ? DROP_OF_SECURE : DROP_OF_MISS);
	} else if (!wants_packet_in(w)) {
		pipe_why(w, DROP_OF_PORT);
	} else {
		w->rule = NULL;
		pipe_punt(w, &(struct pipe_punt){ .max_len = UINT16_MAX, .reason = OFPR_NO_MATCH, .miss = true });
	}
	return -1;
}

static const struct of_rule *
look_up(struct walk *w, uint32_t in_port)
{
	struct pipe_tr *t = w->t;
	struct oflow *f = &t->pk.flow;
	be32_t was = f->in_port;
	be16_t src = f->tp_src, dst = f->tp_dst;
	const struct of_rule *r;

	/* A fragment's ports are not looked at, not even those that an action has set. */
	if (UNLIKELY(f->nw_frag) && (t->flags & OFPC_FRAG_MASK) == OFPC_FRAG_NORMAL)
		f->tp_src = f->tp_dst = 0;
	xl_tag_of(w->x, of_tag_table(w->bridge, w->table), TAG_TABLE, w->bridge);
	f->conj_id = 0;
	f->in_port = be32(in_port);
	if (LIKELY(!w->x->trace)) {
		r = of_lookup(w->pipe, w->version, w->table, f, &t->wc, NULL);
	} else {
		trace_table(w->x->trace, w->table);
		r = of_lookup(w->pipe, w->version, w->table, f, &t->wc, trace_watch(w->x->trace));
		trace_rule(w->x->trace, r);
	}
	f->in_port = was;
	f->tp_src = src;
	f->tp_dst = dst;
	return r;
}

/* Whether a rule is meant for messages between endpoints. */
static bool
asks_for_control(const struct of_rule *r)
{
	struct omatch m;

	of_rule_match(r, &m);
	return m.mask.tun_flags & be16(TUN_F_OAM);
}

void
pipe_tables(struct walk *w, uint8_t table, uint32_t in_port, bool in_tables)
{
	const struct of_rule *rule = w->rule;
	uint8_t was = w->table;
	int next = table;

	while (next >= 0 && !pipe_over(w)) {
		if (++w->t->n_resubmits > PIPE_MAX_RESUBMITS) {
			w->x->too_much = true;
			break;
		}
		w->table = (uint8_t)next;
		w->rule = look_up(w, in_port);
		if (!w->rule) {
			next = miss(w, in_tables);
			continue;
		}
		xlate_ref(w->x->out, of_ref_rule(w->pipe, w->rule));
		if (UNLIKELY(w->t->control))
			w->t->control = !asks_for_control(w->rule);
		next = pipe_acts(w, of_rule_acts(w->rule));
		in_port = host32(w->t->pk.flow.in_port);
		in_tables = true;
	}
	w->table = was;
	w->rule = rule;
}

/* --- Instructions ------------------------------------------------------------------------------- */

/* What the action set would output to now: a field that later tables can match. */
static uint32_t
actset_output(const struct walk *w)
{
	uint32_t port = (uint32_t)OFPP_UNSET;

	for (unsigned i = 0; i < w->n_sets; i++) {
		OF_ACTS_EACH(a, w->set[i]) {
			if (a->kind == OFA_GROUP)
				return (uint32_t)OFPP_UNSET;
			if (a->kind == OFA_OUTPUT)
				port = ((const struct of_act_output *)a)->port;
		}
	}
	return port;
}

static void
write_actions(struct walk *w, const struct of_act *a)
{
	if (w->n_sets == PIPE_MAX_SETS) {
		w->x->too_much = true;
		return;
	}
	w->set[w->n_sets++] = of_acts_nested(a);
	w->t->pk.flow.actset_output = be32(actset_output(w));
}

static void
write_metadata(struct walk *w, const struct of_act_metadata *m)
{
	be64_t *to = &w->t->pk.flow.metadata;

	*to = (*to & ~be64(m->mask)) | be64(m->value & m->mask);
}

int
pipe_acts(struct walk *w, struct of_acts acts)
{
	int next = -1;

	OF_ACTS_EACH(a, acts) {
		if (pipe_over(w))
			return -1;
		if (UNLIKELY(w->x->trace))
			trace_act(w->x->trace, a);
		switch (a->kind) {
		case OFA_GOTO_TABLE:
			next = (int)((const struct of_act_u32 *)a)->value;
			break;
		case OFA_WRITE_METADATA:
			write_metadata(w, (const struct of_act_metadata *)a);
			break;
		case OFA_WRITE_ACTIONS:
			write_actions(w, a);
			break;
		case OFA_CLEAR_ACTIONS:
			w->n_sets = 0;
			w->t->pk.flow.actset_output = be32((uint32_t)OFPP_UNSET);
			break;
		default:
			pipe_act(w, a);
		}
	}
	return pipe_over(w) ? -1 : next;
}

/* --- Action sets -------------------------------------------------------------------------------- */

/* Where a kind stands in a set; those of the last place exclude each other. */
enum place { SET_ONCE, SET_FIELDS, SET_OUTPUT };

static enum place
place_of(uint8_t kind)
{
	switch (kind) {
	case OFA_COPY_TTL_IN:
	case OFA_POP_VLAN:
	case OFA_POP_MPLS:
	case OFA_POP_PBB:
	case OFA_PUSH_MPLS:
	case OFA_PUSH_PBB:
	case OFA_PUSH_VLAN:
	case OFA_COPY_TTL_OUT:
	case OFA_DEC_NW_TTL:
	case OFA_DEC_MPLS_TTL:
	case OFA_SET_QUEUE:
	case OFA_GROUP:
		return SET_ONCE;
	case OFA_OUTPUT:
	case OFA_OUTPUT_REG:
	case OFA_OUTPUT_TRUNC:
	case OFA_CONTROLLER:
	case OFA_ENQUEUE:
	case OFA_RESUBMIT:
	case OFA_BUNDLE:
		return SET_OUTPUT;
	default:
		return SET_FIELDS;
	}
}

/* The last of each kind, and of all that output.  A group takes the place of outputs, and those that of a resubmit. */
struct in_set {
	const struct of_act *last[OFA_N_KINDS], *output;
	bool fields;
};

static void
run_one(struct walk *w, const struct of_act *a)
{
	if (!a || pipe_over(w))
		return;
	if (UNLIKELY(w->x->trace))
		trace_act(w->x->trace, a);
	pipe_act(w, a);
}

static void
run_fields(struct walk *w, const struct of_acts *lists, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		OF_ACTS_EACH(a, lists[i])
			if (place_of(a->kind) == SET_FIELDS)
				run_one(w, a);
}

void
pipe_action_set(struct walk *w, const struct of_acts *lists, unsigned n)
{
	static const uint8_t before[] = { OFA_COPY_TTL_IN, OFA_POP_VLAN, OFA_POP_MPLS, OFA_POP_PBB, OFA_PUSH_MPLS,
					  OFA_PUSH_PBB, OFA_PUSH_VLAN, OFA_COPY_TTL_OUT, OFA_DEC_NW_TTL,
					  OFA_DEC_MPLS_TTL };
	struct in_set s;

	memset(&s, 0, sizeof s);
	for (unsigned i = 0; i < n; i++) {
		OF_ACTS_EACH(a, lists[i]) {
			s.last[a->kind] = a;
			if (place_of(a->kind) == SET_OUTPUT && (a->kind != OFA_RESUBMIT || !s.output ||
								s.output->kind == OFA_RESUBMIT))
				s.output = a;
			s.fields |= place_of(a->kind) == SET_FIELDS;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(before); i++)
		run_one(w, s.last[before[i]]);
	if (s.fields)
		run_fields(w, lists, n);
	run_one(w, s.last[OFA_SET_QUEUE]);
	run_one(w, s.last[OFA_GROUP] ? s.last[OFA_GROUP] : s.output);
}

/* --- Bridges ------------------------------------------------------------------------------------ */

void
pipe_walk_init(struct walk *w, struct pipe_tr *t, uint16_t bridge, uint16_t in_port, uint32_t of_in_port)
{
	struct oflow *f = &t->pk.flow;

	w->t = t;
	w->x = t->x;
	w->b = &t->x->view->bridge[bridge];
	w->pipe = w->b->of->pipe;
	w->version = of_pipe_version(w->pipe);
	w->bridge = bridge;
	w->in_port = in_port;
	w->tun_peer = 0;
	w->table = 0xff;
	w->reason = OFPR_ACTION;
	w->stop = w->dead = false;
	w->rule = NULL;
	w->n_sets = w->n_stack = 0;
	f->in_port = f->in_phy_port = be32(of_in_port);
}

/* Registers, metadata and tunnel are a bridge's own: what was written there asks nothing of the tunnels of the next. */
static void
forget_pipeline(struct pipe_tr *t)
{
	const size_t tun = offsetof(struct oflow, tun_tos), n_tun = offsetof(struct oflow, ct_state) - tun;
	struct oflow *f = &t->pk.flow;
	be32_t mark = f->pkt_mark;

	memset(f, 0, OFLOW_STAGE1 * 8);
	pipe_settle(t, tun, n_tun);
	memset((uint8_t *)&t->pk.own + tun, 0, n_tun);
	f->pkt_mark = mark;
	f->actset_output = be32((uint32_t)OFPP_UNSET);
}

/* The action set is executed at the end, EXIT or not. */
static void
finish_set(struct walk *w)
{
	struct of_acts set[PIPE_MAX_SETS];
	unsigned n = w->n_sets;

	w->stop = false;
	if (!w->n_sets || pipe_over(w))
		return;
	if (UNLIKELY(w->x->trace))
		trace_note(w->x->trace, "action set:");
	w->reason = OFPR_ACTION_SET;
	/* What the actions write on their way is in no set any more. */
	memcpy(set, w->set, n * sizeof set[0]);
	w->n_sets = 0;
	pipe_action_set(w, set, n);
}

static void
run_bridge(struct pipe_tr *t, const struct view_port *in, uint16_t in_port)
{
	struct walk w;

	if (t->x->depth > 1)
		forget_pipeline(t);
	pipe_walk_init(&w, t, in->bridge, in_port, in->of_no);
	if (t->x->depth == 1 && in->kind == OFP_PORT_TUNNEL)
		w.tun_peer = t->key->tun_peer;
	if ((w.b->of_flags & OFPC_FRAG_MASK) == OFPC_FRAG_DROP) {
		t->wc.nw_frag |= OFLOW_FRAG_ANY;
		if (t->pk.flow.nw_frag) {
			pipe_why(&w, DROP_OF_FRAG);
			return;
		}
	}
	if (UNLIKELY(t->x->trace))
		trace_bridge(t->x->trace, w.bridge, in->of_no);
	pipe_tables(&w, 0, in->of_no, true);
	finish_set(&w);
}

void
pipe_normal(struct pipe_tr *t, const struct view_port *in, uint16_t in_port, uint32_t tun_peer)
{
	struct xl *x = t->x;
	const struct flow_key *key = x->key;
	struct flow_key *mask = x->mask, k, m = { 0 };
	struct frame f = { .src = t->pk.flow.dl_src, .dst = t->pk.flow.dl_dst, .outer = t->foreign };
	unsigned sent = x->n_sent;
	enum dp_drop drop;
	struct outs o;

	/* The learning switch has the packet as it is in the program. */
	pipe_commit(t);
	pipe_l2_key(t, in_port, &k);
	examine_l2(&m);
	if (!t->foreign && t->key->tun_peer) {
		k.flags = t->key->flags & FLOW_F_NO_LEARN;
		m.flags = FLOW_F_NO_LEARN;
	}
	if (in->kind == OFP_PORT_TUNNEL)
		m.tun_peer = 0xffffffff;
	if (in->vlan.keys && !t->foreign)
		k.tun_id = t->key->tun_id;
	x->key = &k;
	x->mask = &m;
	outs_init(&o);
	drop = visit_bridge(x, &o, f, in, in_port, tun_peer);
	x->too_much |= o.overflow;
	if (o.n && !x->loop && !x->too_much)
		program_emit(x, &o);
	else if (drop)
		x->why = drop;
	if (x->n_sent != sent)
		t->keep = x->out->acts.n;
	x->key = key;
	x->mask = mask;
	pipe_l2_mask(t, &m);
	if (UNLIKELY(x->trace))
		trace_normal(x->trace, &o, x->n_sent == sent ? x->why : DROP_NONE);
}

void
pipe_enter(struct pipe_tr *t, uint16_t in_port)
{
	struct xl *x = t->x;
	const struct view_port *in;
	enum dp_drop drop = visit_begin(x, t->pk.flow.dl_dst, in_port, &in);
	uint64_t ref;

	if (in && in->of_config & (OFPPC_NO_RECV | OFPPC_NO_RECV_STP))
		memset(&t->wc.dl_dst, 0xff, sizeof t->wc.dl_dst);
	if (drop) {
		x->why = drop;
		if (UNLIKELY(x->trace))
			trace_drop(x->trace, drop);
		return;
	}
	ref = __atomic_load_n(&x->view->bridge[in->bridge].of->normal_ref, __ATOMIC_ACQUIRE);
	if (ref && x->depth > 1) {
		xlate_ref(x->out, ref);
		if (UNLIKELY(x->trace))
			trace_bridge(x->trace, in->bridge, in->of_no);
		pipe_normal(t, in, in_port, 0);
	} else {
		run_bridge(t, in, in_port);
	}
	visit_end(x);
}

/* --- The translation ---------------------------------------------------------------------------- */

void
pipe_translate(struct xl *x)
{
	struct xlate_out *out = x->out;
	struct xl_tags tags;
	struct pipe_tr t;

	out->mask.in_port = 0xffff;
	xl_tags_open(x, &tags);
	pipe_init(&t, x);
	x->why = DROP_OF_RULE;
	pipe_enter(&t, x->key->in_port);
	pipe_end(&t);
	pipe_fini(&t);
	xl_tags_close(x);
}

void
pipe_end(struct pipe_tr *t)
{
	struct xlate_out *out = t->x->out;

	pipe_trim(t, 0);
	out->drop = DROP_NONE;
	if (t->x->n_sent)
		return;
	/* Meters count what is dropped after them. */
	if (out->acts.n)
		act_add(&out->acts, ACT_DROP, 0, t->x->why);
	else
		out->drop = t->x->why;
}

/* The learning switch has changed the tags: in the program, not yet in the flow. */
static void
apply_edit(struct pipe_tr *t, uint32_t edit)
{
	enum edit_op op;
	unsigned n_pop;
	uint16_t vid;

	edit_split(edit, &n_pop, &op, &vid);
	for (; n_pop; n_pop--)
		pipe_pop_vlan(t);
	if (op == EDIT_PUSH && !pipe_push_vlan(t, be16(VLAN_TPID), be16(vid)))
		t->x->too_much = true;
	else if (op == EDIT_SET && !pipe_set_tci(t, be16(vid), be16(VLAN_VID_MASK)))
		t->x->too_much = true;
	t->pk.n_pop = t->pk.n_push = 0;
	t->pk.set_mask = 0;
}

static void
go_on(struct pipe_tr *t, const struct leave *to, uint32_t edit)
{
	struct act_list *l = &t->x->out->acts;

	t->keep = l->n;
	apply_edit(t, edit);
	t->x->depth++;
	pipe_enter(t, to->port);
	t->x->depth--;
	if (!l->overflow)
		l->n = t->keep;
}

/* With a flow of its own: that of the key, or of the outer frame. */
static __attribute__((noinline)) void
go_on_afresh(struct xl *x, const struct leave *to, uint32_t edit)
{
	struct pipe_tr t, *of = x->of;
	const struct xlate_pkt *pkt = x->pkt;

	if (to->outer) {
		x->pkt = NULL;
		pipe_init_outer(&t, x);
	} else {
		pipe_init(&t, x);
	}
	go_on(&t, to, edit);
	pipe_fini(&t);
	x->pkt = pkt;
	x->of = of;
}

void
pipe_continue(struct xl *x, const struct leave *to, uint32_t edit)
{
	bool open = !x->tags;
	struct xl_tags tags;

	x->why = DROP_OF_RULE;
	if (open)
		xl_tags_open(x, &tags);
	if (!x->of || to->outer) {
		go_on_afresh(x, to, edit);
	} else {
		struct pipe_pkt pk = x->of->pk;

		go_on(x->of, to, edit);
		pipe_settle_all(x->of);
		x->of->pk = pk;
	}
	if (open)
		xl_tags_close(x);
}

void
pipe_packet_out(struct xl *x, uint16_t bridge, uint32_t in_port, const struct oflow *meta, struct of_acts acts)
{
	struct xl_tags tags;
	struct pipe_tr t;
	struct walk w;

	xl_tags_open(x, &tags);
	pipe_init(&t, x);
	if (meta)
		memcpy(&t.pk.flow, meta, OFLOW_STAGE1 * 8);
	t.pk.flow.actset_output = be32((uint32_t)OFPP_UNSET);
	x->why = DROP_OF_RULE;
	x->depth = x->n_visits = 1;
	pipe_walk_init(&w, &t, bridge, x->key->in_port, in_port);
	w.reason = OFPR_PACKET_OUT;
	pipe_acts(&w, acts);
	finish_set(&w);
	pipe_end(&t);
	pipe_fini(&t);
	xl_tags_close(x);
}
