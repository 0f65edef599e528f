/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the copies of a frame that are to leave into an action program.
 *
 * Copies are grouped by what must be done to the frame's tags, and each such change is made once.  First go
 * the copies that leave as the frame came in: the packet is handed on by reference.  Then one group after
 * another, each in an ACT_CLONE but for the last one, which may have the packet itself.  Within a group a
 * tunnel adds headers, so each tunnel copy is a branch of its own by the same rule. */
#include "ofproto/pipe_priv.h"

static uint32_t
edit_of(const struct frame *f, const struct flow_key *key)
{
	if (!f->vid)
		return edit_make(f->n_off, EDIT_NONE, 0);
	if (!f->n_off)
		return edit_make(0, EDIT_PUSH, f->vid);
	/* The tag that was taken off last stays, for its priority, and gets the new VLAN. */
	if (flow_vid(key, f->n_off - 1u) == f->vid)
		return edit_make(f->n_off - 1u, EDIT_NONE, 0);
	return edit_make(f->n_off - 1u, EDIT_SET, f->vid);
}

void
outs_add(struct outs *o, const struct frame *f, const struct flow_key *key, struct leave to)
{
	if (UNLIKELY(o->n == ARRAY_SIZE(o->o))) {
		o->overflow = true;
		return;
	}
	o->o[o->n++] = (struct out){ .edit = edit_of(f, key), .to = to };
}

/* --- Branches ---------------------------------------------------------------------------------- */

static const unsigned no_clone = ~0u;

static unsigned
branch_begin(struct act_list *l, bool is_last)
{
	if (is_last)
		return no_clone;
	act_add(l, ACT_CLONE, 0, 0);
	return l->n - 1u;
}

static void
branch_end(struct act_list *l, unsigned at)
{
	if (at == no_clone)
		return;
	l->a[at].arg = l->n - at - 1u;
	/* An OpenFlow bridge may have dropped it. */
	if (UNLIKELY(!l->a[at].arg))
		l->n = (uint16_t)at;
}

/* --- Emission ---------------------------------------------------------------------------------- */

static void
emit_edit(struct act_list *l, uint32_t edit)
{
	enum edit_op op;
	unsigned n_pop;
	uint16_t vid;

	edit_split(edit, &n_pop, &op, &vid);
	for (; n_pop; n_pop--)
		act_add(l, ACT_POP_VLAN, 0, 0);
	/* Rewriting keeps the priority: the executor takes the VLAN only. */
	if (op == EDIT_SET)
		act_add(l, ACT_SET_VLAN, 0, vid);
	else if (op == EDIT_PUSH)
		act_add(l, ACT_PUSH_VLAN, 0, (uint32_t)VLAN_TPID << 16 | vid);
}

/* The outer frame, as if the host had sent it by its leg on the underlay's bridge: translated here and now,
 * so that a packet that is encapsulated costs no second lookup.  Never inlined: its list of copies is needed
 * by few translations. */
static __attribute__((noinline)) void
emit_outer(struct xl *x, const struct ofp_tun_path *path)
{
	struct frame f = { .src = path->src, .dst = path->next_hop, .outer = true };
	const struct ofp_tun_path *around = x->outer;
	unsigned sent = x->n_sent;
	enum dp_drop drop;
	struct outs o;

	outs_init(&o);
	x->depth++;
	x->outer = path;
	drop = visit(x, &o, f, path->underlay_port, 0);
	if (o.overflow)
		x->too_much = true;
	else if (o.n)
		program_emit(x, &o);
	if (x->n_sent == sent)
		act_add(&x->out->acts, ACT_DROP, 0, o.n ? x->why : drop);
	x->outer = around;
	x->depth--;
}

/* Says what is asked of the tunnel headers: by rules on the way, and by the VLAN. */
static void
put_tun_set(struct xl *x, const struct leave *to)
{
	struct tun_set s = { .bits = 0 };

	if (UNLIKELY(x->of) && !x->of->foreign)
		pipe_tunnel_set(x->of, &x->view->port[to->port], &s);
	if (to->keyed) {
		s.bits |= TUN_SET_KEY;
		s.key = to->key;
	}
	if (s.bits)
		act_add_data(&x->out->acts, ACT_TUN_SET, 0, &s, tun_set_len(&s));
}

void
program_tunnel(struct xl *x, const struct leave *to)
{
	static const struct ofp_tun_path unknown;
	const struct ofp_view *v = x->view;
	const struct ofp_tun_path *path = to->dst < v->n_paths ? &v->path[to->dst] : &unknown;
	uint16_t via = path->underlay_port;

	if (!to->flooded)
		xl_tag(x, dp_tag_make(TAG_NEXTHOP, to->dst));
	put_tun_set(x, to);
	act_add(&x->out->acts, ACT_TUN_PUSH, to->port, to->dst);
	x->n_sent++;
	/* Without a next hop the packet waits or goes within ACT_TUN_PUSH. */
	if (!via || mac_is_zero(path->next_hop))
		return;
	xl_tag(x, dp_tag_make(TAG_PORT, via));
	if (via < v->n_ports && v->port[via].bridge && v->port[via].kind == OFP_PORT_INTERNAL)
		emit_outer(x, path);
	else
		act_add(&x->out->acts, ACT_OUTPUT, via, 0);
}

void
program_tunnel_learned(struct xl *x, const struct leave *to)
{
	put_tun_set(x, to);
	act_add(&x->out->acts, ACT_TUN_FLOOD, to->port, 0);
	x->n_sent++;
}

/* Copies that need the same change.  'is_last': nobody needs the packet afterwards. */
static void
emit_group(struct xl *x, const struct outs *o, uint32_t edit, bool is_last)
{
	struct act_list *l = &x->out->acts;
	unsigned n_others = 0, n_outputs = 0;

	emit_edit(l, edit);
	for (unsigned i = 0; i < o->n; i++) {
		if (o->o[i].edit != edit)
			continue;
		if (o->o[i].to.tunnel || o->o[i].to.pipe) {
			n_others++;
			continue;
		}
		if (o->o[i].to.learned) {
			program_tunnel_learned(x, &o->o[i].to);
			continue;
		}
		act_add(l, ACT_OUTPUT, o->o[i].to.port, 0);
		n_outputs++;
	}
	x->n_sent += n_outputs;
	for (unsigned i = 0; n_others && !x->loop && !x->too_much && !l->overflow; i++) {
		const struct leave *to = &o->o[i].to;
		unsigned at;

		if (o->o[i].edit != edit || !(to->tunnel || to->pipe))
			continue;
		n_others--;
		at = branch_begin(l, is_last && !n_others);
		if (to->tunnel)
			program_tunnel(x, to);
		else
			pipe_continue(x, to, edit);
		branch_end(l, at);
	}
}

/* The smallest change above 'edit' that some copy needs; 0 when there is none. */
static uint32_t
next_edit(const struct outs *o, uint32_t edit)
{
	uint32_t next = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (o->o[i].edit > edit && (!next || o->o[i].edit < next))
			next = o->o[i].edit;
	return next;
}

void
program_emit(struct xl *x, const struct outs *o)
{
	uint32_t edit = next_edit(o, 0), after;

	emit_group(x, o, 0, !edit);
	for (; edit; edit = after) {
		unsigned at;

		after = next_edit(o, edit);
		at = branch_begin(&x->out->acts, !after);
		emit_group(x, o, edit, !after || at != no_clone);
		branch_end(&x->out->acts, at);
	}
}
