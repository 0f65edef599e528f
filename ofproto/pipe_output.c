/* SPDX-License-Identifier: Apache-2.0 */
/* Where packets of an OpenFlow bridge leave: its ports, the reserved ones, the controllers. */
#include "ofproto/pipe_priv.h"
#include "ofproto/punt.h"

/* --- Ports -------------------------------------------------------------------------------------- */

static void
send_patch(struct walk *w, uint16_t port)
{
	const struct view_port *to = &w->x->view->port[port], *peer = port_find(w->x->view, to->peer);
	struct pipe_branch b;

	if (!peer || peer->kind != OFP_PORT_PATCH) {
		pipe_why(w, DROP_NO_DEST);
		return;
	}
	pipe_branch_begin(w->t, &b);
	if (UNLIKELY(w->x->trace))
		trace_in(w->x->trace);
	pipe_enter(w->t, to->peer);
	if (UNLIKELY(w->x->trace))
		trace_out(w->x->trace);
	pipe_branch_end(w->t, &b);
}

/* An address that actions have set; none if they have not. */
static struct ipaddr
own_ip(const struct pipe_pkt *pk, size_t v4, size_t v6)
{
	const uint8_t *flow = (const uint8_t *)&pk->flow, *own = (const uint8_t *)&pk->own;
	struct ipaddr ip = { { 0 } };

	if (load_be32(own + v4) && load_be32(flow + v4))
		return ip_from_v4(load_be32(flow + v4));
	for (unsigned i = 0; i < 16; i++)
		ip.b[i] = flow[v6 + i] & own[v6 + i];
	return ip;
}

#define OWN_IP(pk, which) own_ip(pk, offsetof(struct oflow, tun_##which), offsetof(struct oflow, tun_ipv6_##which))

/* Into a tunnel to one of its ends, or to all that are learned. */
static void
send_end(struct walk *w, const struct leave *leave)
{
	struct pipe_branch b;

	pipe_branch_begin(w->t, &b);
	if (leave->learned)
		program_tunnel_learned(w->x, leave);
	else
		program_tunnel(w->x, leave);
	w->t->keep = w->x->out->acts.n;
	pipe_branch_end(w->t, &b);
}

/* To an end that has no number yet: packets wait until it has. */
static void
send_unnumbered(struct walk *w, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked)
{
	struct act_list *l = &w->x->out->acts;
	struct pipe_branch b;
	struct tun_set s;

	pipe_tunnel_set(w->t, &w->x->view->port[port], &s);
	s.bits |= TUN_SET_REMOTE;
	s.remote = *remote;
	s.local = *asked;
	pipe_branch_begin(w->t, &b);
	act_add_data(l, ACT_TUN_SET, 0, &s, tun_set_len(&s));
	act_add(l, ACT_TUN_PUSH, port, 0);
	pipe_effect(w->t);
	pipe_branch_end(w->t, &b);
}

/* To the end that the actions have named. */
static void
send_chosen(struct walk *w, uint16_t port, const struct ipaddr *remote)
{
	const struct view_port *to = &w->x->view->port[port];
	struct ipaddr asked = ip_is_none(&to->tun.fixed_local) ? OWN_IP(&w->t->pk, src) : to->tun.fixed_local;
	struct leave leave = { .port = port, .tunnel = true };

	leave.dst = view_peer(w->x->view, port, remote, &asked);
	xl_tag(w->x, peer_tag(port, remote, &asked));
	if (leave.dst)
		send_end(w, &leave);
	else
		send_unnumbered(w, port, remote, &asked);
}

static void
send_tunnel(struct walk *w, uint16_t port)
{
	const struct view_port *to = &w->x->view->port[port];
	const struct ofp_view *v = w->x->view;
	struct ipaddr remote = OWN_IP(&w->t->pk, dst);
	unsigned sent = w->x->n_sent;

	pipe_commit(w->t);
	if (to->tun.remote && !ip_is_none(&remote)) {
		send_chosen(w, port, &remote);
		return;
	}
	if (to->n_dst != 1)
		xl_tag(w->x, dp_tag_make(TAG_BRIDGE, w->bridge));
	for (unsigned i = 0; i < to->n_dst; i++) {
		uint32_t dst = to->dst[i];

		/* Of several fixed ends the actions may choose one. */
		if (!ip_is_none(&remote) && dst < v->n_paths && !ip_equal(&v->path[dst].remote, &remote))
			continue;
		send_end(w, &(struct leave){ .port = port, .tunnel = true, .dst = dst, .flooded = to->n_dst != 1 });
	}
	if (to->tun.flood_learned)
		send_end(w, &(struct leave){ .port = port, .learned = true });
	if (w->x->n_sent == sent)
		pipe_why(w, DROP_NO_DEST);
}

/* To a port of this bridge, by its datapath number. */
static void
send(struct walk *w, uint16_t port)
{
	const struct view_port *to = &w->x->view->port[port];

	xl_tag_of(w->x, dp_tag_make(TAG_PORT, port), TAG_PORT, w->bridge);
	if (UNLIKELY(w->t->control)) {
		pipe_why(w, DROP_TUN_CONTROL);
		return;
	}
	if (to->of_config & (OFPPC_PORT_DOWN | OFPPC_NO_FWD)) {
		pipe_why(w, DROP_OF_PORT);
		return;
	}
	if (!to->up) {
		pipe_why(w, DROP_TX_DOWN);
		return;
	}
	switch ((enum ofp_port_kind)to->kind) {
	case OFP_PORT_PLAIN:
	case OFP_PORT_INTERNAL:
		pipe_commit(w->t);
		act_add(&w->x->out->acts, ACT_OUTPUT, port, 0);
		pipe_effect(w->t);
		break;
	case OFP_PORT_PATCH:
		send_patch(w, port);
		break;
	case OFP_PORT_TUNNEL:
		send_tunnel(w, port);
		break;
	}
}

/* The datapath number of an OpenFlow port of this bridge; 0: it has none such. */
static uint16_t
port_by_no(const struct walk *w, uint32_t no)
{
	const struct view_port *p;

	if (no == (uint32_t)OFPP_LOCAL)
		return w->b->local;
	p = no < DP_MAX_PORTS ? port_find(w->x->view, (uint16_t)no) : NULL;
	return p && p->bridge == w->bridge && p->of_no == no ? (uint16_t)no : 0;
}

static void
send_no(struct walk *w, uint32_t no)
{
	uint16_t port = port_by_no(w, no);

	if (port) {
		send(w, port);
		return;
	}
	/* It may come. */
	xl_tag(w->x, dp_tag_make(TAG_BRIDGE, w->bridge));
	pipe_why(w, DROP_NO_DEST);
}

static void
send_all(struct walk *w, bool flood)
{
	uint32_t in_port = host32(w->t->pk.flow.in_port);
	unsigned sent = w->x->n_sent;

	xl_tag(w->x, dp_tag_make(TAG_BRIDGE, w->bridge));
	for (unsigned i = 0; i < w->b->n_all && !w->x->loop && !w->x->too_much; i++) {
		const struct view_port *to = &w->x->view->port[w->b->all[i]];

		if (to->of_no == in_port || (flood && !to->flood))
			continue;
		send(w, w->b->all[i]);
	}
	if (w->x->n_sent == sent && w->x->why == DROP_OF_RULE)
		pipe_why(w, DROP_NO_DEST);
}

bool
pipe_port_live(struct walk *w, uint32_t no)
{
	uint16_t port = port_by_no(w, no);
	const struct view_port *p;

	if (!port) {
		xl_tag(w->x, dp_tag_make(TAG_BRIDGE, w->bridge));
		return false;
	}
	p = &w->x->view->port[port];
	xl_tag_of(w->x, dp_tag_make(TAG_PORT, port), TAG_PORT, w->bridge);
	return p->up && !p->dead;
}

/* --- The learning switch ------------------------------------------------------------------------ */

static void
send_normal(struct walk *w)
{
	/* What a controller sends comes in nowhere: it floods and is forwarded, but teaches nothing. */
	struct view_port none = { .bridge = w->bridge, .kind = OFP_PORT_PLAIN, .up = true };
	const struct view_port *in = port_find(w->x->view, w->in_port);
	struct pipe_branch b;

	if (UNLIKELY(w->t->control)) {
		pipe_why(w, DROP_TUN_CONTROL);
		return;
	}
	pipe_commit(w->t);
	pipe_branch_begin(w->t, &b);
	pipe_normal(w->t, in && in->bridge == w->bridge ? in : &none, w->in_port, w->tun_peer);
	pipe_branch_end(w->t, &b);
}

/* --- Controllers -------------------------------------------------------------------------------- */

static void
keep_known(const struct pipe_tr *t, struct oflow *meta, size_t offset, size_t len)
{
	const uint8_t *wc = (const uint8_t *)&t->wc, *real = (const uint8_t *)&t->real, *own = (const uint8_t *)&t->pk.own;

	for (size_t i = offset; i < offset + len; i++)
		((uint8_t *)meta)[i] &= wc[i] | real[i] | own[i];
}

/* What the agent is told of the packet besides its bytes. */
static void
fill_meta(struct walk *w, struct oflow *meta)
{
	struct pipe_tr *t = w->t;

	memcpy(meta, &t->pk.flow, OFLOW_STAGE1 * 8);
	memset((uint8_t *)meta + OFLOW_STAGE1 * 8, 0, sizeof *meta - OFLOW_STAGE1 * 8);
	meta->actset_output = meta->conj_id = 0;
	meta->tun_tos = meta->tun_ttl = 0;
	/* Of policies and options only what the flow depends on anyway, or what is known: the next packet's may be others. */
	keep_known(t, meta, offsetof(struct oflow, tun_gbp_id), offsetof(struct oflow, ct_state) - offsetof(struct oflow, tun_gbp_id));
	if (!t->key->tun_peer)
		return;
	t->wc.tun_id = UINT64_MAX;
	pipe_look_at_peer(t);
}

enum { MAX_USERDATA = 1024 };

/* A packet for the controller that was forwarded by a table-miss rule has not matched. */
static uint8_t
reason_of(const struct walk *w, uint8_t reason)
{
	if (reason != OFPR_ACTION)
		return reason;
	if (w->reason == OFPR_ACTION && w->rule && of_rule_is_table_miss(w->rule))
		return OFPR_NO_MATCH;
	return w->reason;
}

static void
add_punt(struct walk *w, const struct pipe_punt *p, uint8_t reason)
{
	union {
		struct of_punt punt;
		uint8_t room[sizeof(struct of_punt) + MAX_USERDATA];
	} d;
	unsigned n = MIN_OF(p->userdata_len, (unsigned)MAX_USERDATA);

	memset(&d.punt, 0, sizeof d.punt);
	d.punt.bridge = w->bridge;
	d.punt.controller_id = p->controller_id;
	d.punt.max_len = p->max_len;
	d.punt.reason = reason;
	d.punt.table = w->table == 0xff ? 0 : w->table;
	d.punt.miss = p->miss;
	d.punt.pause = p->pause;
	d.punt.userdata_len = (uint16_t)n;
	d.punt.cookie = w->rule ? of_rule_cookie(w->rule) : UINT64_MAX;
	fill_meta(w, &d.punt.meta);
	if (n)
		memcpy(d.punt.userdata, p->userdata, n);
	/* All of the packet, whatever max_len says: it is kept in a buffer, or sent whole for want of one. */
	act_add_data(&w->x->out->acts, ACT_PUNT, UINT16_MAX, &d, (unsigned)sizeof d.punt + n);
}

void
pipe_punt(struct walk *w, const struct pipe_punt *p)
{
	const struct view_port *in = port_find(w->x->view, w->in_port);
	uint8_t reason = reason_of(w, p->reason);
	struct pipe_branch b;
	uint32_t meter = p->meter ? p->meter : OFM_CONTROLLER, dp_meter;

	if (reason == OFPR_NO_MATCH && in && in->of_config & OFPPC_NO_PACKET_IN) {
		pipe_why(w, DROP_OF_PORT);
		return;
	}
	pipe_commit(w->t);
	pipe_branch_begin(w->t, &b);
	/* No rule is known to need it: that it comes or goes counts. */
	xl_tag(w->x, of_tag_meter(w->bridge, meter));
	if (of_meter_at(w->pipe, w->version, meter, &dp_meter))
		act_add(&w->x->out->acts, ACT_METER, 0, dp_meter);
	add_punt(w, p, reason);
	pipe_effect(w->t);
	pipe_branch_end(w->t, &b);
}

/* --- All of them -------------------------------------------------------------------------------- */

/* Through the tables, as if it had come in.  A rule there may ask for that again. */
static void
send_table(struct walk *w, uint32_t in_port)
{
	uint8_t reason = w->reason;

	if (++w->t->depth > PIPE_MAX_DEPTH) {
		w->x->too_much = true;
		return;
	}
	w->reason = OFPR_ACTION;
	pipe_tables(w, 0, in_port, true);
	w->reason = reason;
	w->t->depth--;
}

static void
dispatch(struct walk *w, uint32_t port, uint16_t max_len)
{
	uint32_t in_port = host32(w->t->pk.flow.in_port);

	switch (port) {
	case (uint32_t)OFPP_IN_PORT:
		send_no(w, in_port);
		break;
	case (uint32_t)OFPP_TABLE:
		send_table(w, in_port);
		break;
	case (uint32_t)OFPP_NORMAL:
		send_normal(w);
		break;
	case (uint32_t)OFPP_FLOOD:
		send_all(w, true);
		break;
	case (uint32_t)OFPP_ALL:
		send_all(w, false);
		break;
	case (uint32_t)OFPP_CONTROLLER:
		pipe_punt(w, &(struct pipe_punt){ .max_len = max_len, .reason = OFPR_ACTION });
		break;
	case (uint32_t)OFPP_ANY:
	case (uint32_t)OFPP_UNSET:
		break;
	default:
		if (port == in_port)
			pipe_why(w, DROP_SAME_PORT);
		else
			send_no(w, port);
	}
}

void
pipe_output(struct walk *w, uint32_t port, uint16_t max_len, uint32_t trunc_len)
{
	struct pipe_branch b;

	if (!trunc_len) {
		dispatch(w, port, max_len);
		return;
	}
	pipe_commit(w->t);
	pipe_branch_begin(w->t, &b);
	act_add(&w->x->out->acts, ACT_TRUNC, 0, trunc_len);
	dispatch(w, port, max_len);
	pipe_branch_end(w->t, &b);
}
