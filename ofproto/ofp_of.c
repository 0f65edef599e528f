/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's side of OpenFlow bridges: their pipelines from birth to death, publication, what controllers
 * set of ports, packets that controllers send, and what translations ask for. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "datapath/parse.h"
#include "ofproto/note_priv.h"
#include "ofproto/pipe_priv.h"

static void
dirty(struct ofp *o)
{
	if (o->sink.dirty)
		o->sink.dirty(o->sink.arg);
}

/* --- Pipelines ---------------------------------------------------------------------------------- */

struct ofp_of *
ofp_of_get(struct ofp_of *of)
{
	of->refs++;
	return of;
}

void
ofp_of_put(struct ofp_of *of)
{
	if (!of || --of->refs)
		return;
	of_pipe_destroy(of->pipe);
	free(of);
}

static void
mark(void *arg, dp_tag tag)
{
	ofp_mark(arg, tag);
}

void
ofp_of_init(struct ofp *o, uint16_t bridge)
{
	struct ofp_bridge *b = o->bridge[bridge];

	b->of = xcalloc(1, sizeof *b->of);
	b->of->refs = 1;
	b->of->pipe = of_pipe_create(bridge, &o->sink, mark, o);
	of_pipe_add_default(b->of->pipe);
}

struct of_pipe *
ofp_pipe(const struct ofp *o, uint16_t bridge)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	return b ? b->of->pipe : NULL;
}

void
ofp_of_reset(struct ofp *o, uint16_t bridge, bool secure)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b)
		return;
	of_pipe_flush(b->of->pipe, false);
	if (!secure)
		of_pipe_add_default(b->of->pipe);
	b->secure = secure;
	ofp_bridge_changed(o, bridge);
	dirty(o);
}

/* --- Publication -------------------------------------------------------------------------------- */

static void
mark_all(struct ofp *o, uint16_t bridge)
{
	ofp_mark(o, dp_tag_make(TAG_BRIDGE, bridge));
	for (unsigned i = 0; i < DP_MAX_PORTS; i++)
		if (o->port[i] && o->port[i]->bridge == bridge)
			ofp_mark(o, dp_tag_make(TAG_PORT, i));
}

static uint64_t
find_normal(const struct of_pipe *pipe)
{
	static const struct omatch any;
	uint64_t version = of_pipe_version(pipe);
	const struct of_rule *r;

	if (!of_pipe_is_normal(pipe, version))
		return 0;
	r = of_find_exact(pipe, version, 0, &any, 0);
	return r ? of_ref_rule(pipe, r) : 0;
}

static void
publish(struct ofp *o, uint16_t bridge)
{
	struct ofp_of *of = o->bridge[bridge]->of;
	uint64_t was = of->normal_ref, ref;
	bool bits_changed = false;

	/* Until it is known what the rules look at, views know nothing. */
	__atomic_store_n(&o->shared->gen, o->view_gen + 1, __ATOMIC_RELEASE);
	of_pipe_publish(of->pipe, &bits_changed);
	ref = find_normal(of->pipe);
	if (ref != was) {
		__atomic_store_n(&of->normal_ref, ref, __ATOMIC_RELEASE);
		/* Flows of a learning switch do not depend on its tables: they have too few tags for that. */
		mark_all(o, bridge);
	}
	o->view_dirty |= !ref != !was || (!ref && bits_changed);
}

void
ofp_of_publish(struct ofp *o)
{
	for (uint16_t i = 1; i < OFP_MAX_BRIDGES; i++)
		if (o->bridge[i] && of_pipe_dirty(o->bridge[i]->of->pipe))
			publish(o, i);
}

void
ofp_of_viewed(struct ofp *o)
{
	__atomic_store_n(&o->shared->gen, o->view_gen, __ATOMIC_RELEASE);
}

static bool
is_dirty(const struct ofp *o)
{
	if (o->view_dirty || o->marked.n)
		return true;
	for (unsigned i = 1; i < OFP_MAX_BRIDGES; i++)
		if (o->bridge[i] && of_pipe_dirty(o->bridge[i]->of->pipe))
			return true;
	return false;
}

/* --- Settings ----------------------------------------------------------------------------------- */

void
ofp_of_set_miss_punt(struct ofp *o, uint16_t bridge, bool punt)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b || b->miss_punt == punt)
		return;
	b->miss_punt = punt;
	ofp_bridge_changed(o, bridge);
	mark_all(o, bridge);
	dirty(o);
}

void
ofp_of_set_config(struct ofp *o, uint16_t bridge, uint16_t flags)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b || b->of_flags == flags)
		return;
	b->of_flags = flags;
	ofp_bridge_changed(o, bridge);
	mark_all(o, bridge);
	dirty(o);
}

uint32_t
ofp_port_no(const struct ofp *o, uint16_t port)
{
	const struct ofp_port *p = ofp_port_find(o, port);

	return p && o->bridge[p->bridge]->local == port ? (uint32_t)OFPP_LOCAL : port;
}

uint16_t
ofp_port_by_no(const struct ofp *o, uint16_t bridge, uint32_t port_no)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	const struct ofp_port *p;

	if (!b)
		return 0;
	if (port_no == (uint32_t)OFPP_LOCAL)
		return b->local;
	p = port_no < DP_MAX_PORTS ? o->port[port_no] : NULL;
	return p && p->bridge == bridge && b->local != port_no ? (uint16_t)port_no : 0;
}

void
ofp_port_set_local(struct ofp *o, uint16_t port)
{
	struct ofp_port *p = ofp_port_find(o, port);

	if (!p || o->bridge[p->bridge]->local == port)
		return;
	o->bridge[p->bridge]->local = port;
	ofp_port_changed(o, port);
	dirty(o);
}

void
ofp_ports_each(const struct ofp *o, uint16_t bridge, void (*cb)(void *, uint16_t port), void *arg)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (!b)
		return;
	for (unsigned i = 0; i < DP_MAX_PORTS; i++)
		if (o->port[i] && o->port[i]->bridge == bridge && i != b->local)
			cb(arg, (uint16_t)i);
	if (b->local)
		cb(arg, b->local);
}

void
ofp_port_set_of_config(struct ofp *o, uint16_t port, uint32_t config)
{
	struct ofp_port *p = ofp_port_find(o, port);
	uint32_t was = p ? p->of_config : config;

	if (was == config)
		return;
	p->of_config = config;
	if (config & ~was & OFPPC_PORT_DOWN)
		ofp_mac_remove_port(o, port, false);
	ofp_port_changed(o, port);
	dirty(o);
}

uint32_t
ofp_port_of_config(const struct ofp *o, uint16_t port)
{
	const struct ofp_port *p = ofp_port_find(o, port);

	return p ? p->of_config : 0;
}

/* --- Notes -------------------------------------------------------------------------------------- */

/* Puts together what pipe_learn.c took apart.  False: it is not whole. */
static bool
read_rule(const uint8_t *data, unsigned len, struct note_learn *n, struct of_flow_mod *fm)
{
	const uint8_t *words = data + sizeof *n, *at;
	unsigned head;

	if (len < sizeof *n)
		return false;
	memcpy(n, data, sizeof *n);
	head = (n->n_words + 7u) & ~7u;
	if (len != sizeof *n + head + 16u * n->n_words + n->acts_len)
		return false;
	at = words + head;
	for (unsigned i = 0; i < n->n_words; i++, at += 16) {
		if (words[i] >= OFLOW_WORDS)
			return false;
		memcpy((uint8_t *)&fm->match.flow + words[i] * 8u, at, 8);
		memcpy((uint8_t *)&fm->match.mask + words[i] * 8u, at + 8, 8);
	}
	fm->acts = (struct of_acts){ .a = (const struct of_act *)at, .len = n->acts_len };
	return true;
}

/* Many polling threads may have asked since there was room. */
static bool
has_room(const struct of_pipe *p, const struct note_learn *n, const struct of_flow_mod *fm)
{
	return !n->limit || of_learned_count(p, n->table, n->cookie) < n->limit ||
	       of_find_exact(p, of_pipe_version(p), n->table, &fm->match, n->priority);
}

static void
learn_rule(const struct ofp *o, const uint8_t *data, unsigned len)
{
	struct of_flow_mod *fm = xcalloc(1, sizeof *fm);
	struct note_learn n;
	struct of_error e;

	if (read_rule(data, len, &n, fm) && ofp_bridge_find(o, n.h.bridge) && has_room(ofp_pipe(o, n.h.bridge), &n, fm)) {
		fm->version = OF13;
		fm->command = OFFC_ADD;
		fm->table_id = n.table;
		fm->has_table_id = true;
		fm->priority = n.priority;
		fm->idle_timeout = n.idle;
		fm->hard_timeout = n.hard;
		fm->cookie = n.cookie;
		fm->flags = n.flags & OF_LEARN_SEND_FLOW_REM ? OFFF_SEND_FLOW_REM : 0;
		fm->buffer_id = (uint32_t)OF_NO_BUFFER;
		fm->out_port = (uint32_t)OFPP_ANY;
		fm->out_group = OFG_ANY;
		/* A full table learns nothing; packets go on being told so. */
		of_flow_mod(ofp_pipe(o, n.h.bridge), &(struct of_who){ .version = OF13 }, fm, &e);
	}
	free(fm);
}

void
ofp_note(struct ofp *o, const void *data, unsigned len)
{
	struct note_head h;
	struct note_fin f;

	if (len < sizeof h)
		return;
	memcpy(&h, data, sizeof h);
	if (h.kind == NOTE_LEARN) {
		learn_rule(o, data, len);
	} else if (h.kind == NOTE_FIN && len == sizeof f) {
		memcpy(&f, data, sizeof f);
		if (ofp_bridge_find(o, h.bridge))
			of_rule_shorten(ofp_pipe(o, h.bridge), f.rule, f.idle, f.hard);
	}
	dirty(o);
}

/* --- Packets out -------------------------------------------------------------------------------- */

struct xlate_out *
ofp_scratch(struct ofp *o)
{
	if (!o->scratch)
		o->scratch = xalloc_aligned(CACHE_LINE, sizeof *o->scratch);
	memset(o->scratch, 0, offsetof(struct xlate_out, refs));
	o->scratch->acts.n = 0;
	o->scratch->acts.overflow = false;
	return o->scratch;
}

/* What follows from an answer, when the control thread itself has asked. */
static void
follow_up(struct ofp *o, const struct xlate_out *out, uint32_t len)
{
	ofp_xlate.credit(o->view, out->refs, out->n_refs, 1, len, clock_ms());
	if (out->learn.wanted) {
		ofp_learn(o, &out->learn);
		dirty(o);
	}
	for (unsigned i = 0; i < out->n_notes; i++)
		ofp_note(o, out->notes[i].data, out->notes[i].len);
}

int
ofp_packet_out(struct ofp *o, uint16_t bridge, uint32_t in_port, const struct oflow *meta, const struct of_acts *acts,
	       const void *frame, uint32_t len)
{
	const struct xlate_pkt pkt = { .data = frame, .contig = len, .len = len };
	struct xlate_out *out;
	struct flow_key key;
	struct xl x;

	if (!ofp_bridge_find(o, bridge))
		return -ENOENT;
	if (!flow_parse(frame, len, len, ofp_port_by_no(o, bridge, in_port), FLOW_DEPTH_L4, &key))
		return -EINVAL;
	if (is_dirty(o)) {
		ofp_commit(o);
		dirty(o);
	}
	out = ofp_scratch(o);
	x = (struct xl){ .view = o->view, .key = &key, .mask = &out->mask, .out = out, .pkt = &pkt };
	pipe_packet_out(&x, bridge, in_port, meta, *acts);
	xl_finish(&x);
	follow_up(o, out, len);
	if (!out->acts.n || !o->sink.exec)
		return 0;
	return o->sink.exec(o->sink.arg, &key, frame, len, out->acts.a, out->acts.n);
}
