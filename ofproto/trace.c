/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a trace: the translation of one packet, told as it goes. */
#include "ofproto/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "datapath/parse.h"
#include "ofproto/pipe_priv.h"
#include "ofproto/text.h"

enum { MAX_REJECTED = 8 };              /* Rules shown that did not match, of one look-up. */

struct trace {
	const struct ofp *ofp;
	struct of_text text;
	unsigned depth;
	uint8_t table;
	struct of_lookup_watch watch;
	unsigned n_rejected;
	struct {
		const struct of_rule *rule;
		enum of_field first;
	} rejected[MAX_REJECTED];
};

static void
indent(struct trace *t, unsigned more)
{
	of_text_printf(&t->text, "%*s", (int)(4 * t->depth + more), "");
}

void
trace_in(struct trace *t)
{
	t->depth++;
}

void
trace_out(struct trace *t)
{
	t->depth--;
}

void
trace_note(struct trace *t, const char *what)
{
	indent(t, 4);
	of_text_printf(&t->text, "-> %s\n", what);
}

void
trace_drop(struct trace *t, enum dp_drop why)
{
	indent(t, 4);
	of_text_printf(&t->text, "-> %s: %s\n", dp_drop_info[why].name, dp_drop_info[why].text);
}

void
trace_bridge(struct trace *t, uint16_t bridge, uint32_t in_port)
{
	const struct ofp_bridge *b = ofp_bridge_find(t->ofp, bridge);

	indent(t, 0);
	of_text_printf(&t->text, "bridge \"%s\", in_port ", b ? b->name : "?");
	of_print_port(&t->text, in_port, NULL);
	of_text_puts(&t->text, "\n");
}

void
trace_table(struct trace *t, uint8_t table)
{
	t->table = table;
	t->n_rejected = 0;
}

static void
on_rejected(void *arg, const struct of_rule *r, enum of_field first)
{
	struct trace *t = arg;

	if (t->n_rejected < MAX_REJECTED) {
		t->rejected[t->n_rejected].rule = r;
		t->rejected[t->n_rejected].first = first;
	}
	t->n_rejected++;
}

const struct of_lookup_watch *
trace_watch(struct trace *t)
{
	t->watch = (struct of_lookup_watch){ .rejected = on_rejected, .arg = t };
	return &t->watch;
}

static void
put_rule(struct trace *t, const struct of_rule *r)
{
	struct omatch *m = xcalloc(1, sizeof *m);

	of_rule_match(r, m);
	of_text_printf(&t->text, "priority=%u", of_rule_priority(r));
	if (!omatch_is_any(m)) {
		of_text_puts(&t->text, ",");
		of_print_match(&t->text, m, NULL);
	}
	free(m);
}

void
trace_rule(struct trace *t, const struct of_rule *r)
{
	unsigned shown = MIN_OF(t->n_rejected, (unsigned)MAX_REJECTED);

	for (unsigned i = 0; i < shown; i++) {
		indent(t, 4);
		of_text_puts(&t->text, "not ");
		put_rule(t, t->rejected[i].rule);
		of_text_printf(&t->text, ": %s differs\n", of_field_info[t->rejected[i].first].name);
	}
	if (t->n_rejected > shown) {
		indent(t, 4);
		of_text_printf(&t->text, "not %u more of higher priority\n", t->n_rejected - shown);
	}
	indent(t, 0);
	of_text_printf(&t->text, "%2u. ", t->table);
	if (!r) {
		of_text_puts(&t->text, "no match\n");
		return;
	}
	put_rule(t, r);
	if (of_rule_cookie(r))
		of_text_printf(&t->text, ", cookie 0x%llx", (unsigned long long)of_rule_cookie(r));
	of_text_puts(&t->text, "\n");
	if (!of_rule_acts(r).len) {
		indent(t, 4);
		of_text_puts(&t->text, "drop\n");
	}
}

void
trace_act(struct trace *t, const struct of_act *a)
{
	indent(t, 4);
	of_print_acts(&t->text, (struct of_acts){ .a = a, .len = a->len }, NULL);
	of_text_puts(&t->text, "\n");
}

void
trace_bucket(struct trace *t, uint32_t bucket)
{
	indent(t, 4);
	of_text_printf(&t->text, "-> bucket %u\n", bucket);
}

void
trace_learn(struct trace *t, const struct of_act_learn *l, const struct omatch *m, struct of_acts acts,
	    const struct of_rule *there)
{
	indent(t, 4);
	of_text_printf(&t->text, "-> %s: table=%u,priority=%u", there ? "learned already" : "would learn", l->table,
		       l->priority);
	if (!omatch_is_any(m)) {
		of_text_puts(&t->text, ",");
		of_print_match(&t->text, m, NULL);
	}
	of_text_puts(&t->text, " actions=");
	of_print_acts(&t->text, acts, NULL);
	of_text_puts(&t->text, "\n");
}

void
trace_normal(struct trace *t, const struct outs *o, enum dp_drop why)
{
	if (why) {
		trace_drop(t, why);
		return;
	}
	indent(t, 4);
	of_text_puts(&t->text, "-> learning switch: out of");
	for (unsigned i = 0; i < o->n; i++)
		of_text_printf(&t->text, "%s %u", i ? "," : "", o->o[i].to.port);
	of_text_puts(&t->text, "\n");
}

/* --- The whole ---------------------------------------------------------------------------------- */

static struct ipaddr
ip_of(be32_t v4, const uint8_t v6[16])
{
	struct ipaddr ip;

	memcpy(&ip, v6, sizeof ip);
	return v4 ? ip_from_v4(v4) : ip;
}

/* The remote end that a tunnel port has with these addresses; of configured ones the first if none.  0: it has no
 * number. */
static uint32_t
peer_of(const struct ofp *o, uint16_t port, const struct oflow *f)
{
	const struct ofp_port *p = ofp_port_find(o, port);
	struct ipaddr src = ip_of(f->tun_src, f->tun_ipv6_src), dst = ip_of(f->tun_dst, f->tun_ipv6_dst);

	if (!p || p->kind != OFP_PORT_TUNNEL)
		return 0;
	for (uint32_t i = 1; o->n_learned && i < TUN_MAX_DST; i++) {
		const struct ofp_tun_path *a = &o->path[i];

		if (a->port == port && ip_equal(&a->remote, &src) && (ip_is_none(&dst) || ip_equal(&a->local, &dst)))
			return i;
	}
	for (unsigned i = 0; i < p->n_dst; i++)
		if (ip_equal(&o->path[p->dst[i]].remote, &src))
			return p->dst[i];
	return p->n_dst && !p->tun.remote ? p->dst[0] : 0;
}

static void
put_key(struct trace *t, const char *what, const struct flow_key *key, const struct flow_key *mask)
{
	char buf[2048];

	flow_format(key, mask, NULL, NULL, buf, sizeof buf);
	of_text_printf(&t->text, "%s: %s\n", what, buf);
}

/* The packet as it is asked about: what it has, without the fields that are zero. */
static void
put_flow(struct trace *t, const struct oflow *flow, const struct flow_key *key, const struct xlate_pkt *pkt)
{
	static const uint8_t none[OF_VALUE_MAX];
	struct omatch m = { .flow = *flow };
	uint8_t value[OF_VALUE_MAX];

	if (pkt) {
		struct xlate_out *out = xalloc_aligned(CACHE_LINE, sizeof *out);
		struct xl x = { .view = t->ofp->view, .key = key, .mask = &out->mask, .out = out, .pkt = pkt };
		struct pipe_tr tr;

		pipe_init(&tr, &x);
		memcpy((uint8_t *)&m.flow + OFLOW_STAGE1 * 8, (const uint8_t *)&tr.pk.flow + OFLOW_STAGE1 * 8,
		       sizeof m.flow - OFLOW_STAGE1 * 8);
		free(out);
	}
	/* The wider registers are the same as the narrow ones. */
	for (unsigned f = 0; f < OFF_XREG0; f++) {
		of_field_get(f, &m.flow, value);
		if (of_need_has(of_field_info[f].needs, &m.flow) && memcmp(value, none, of_field_bytes(f)))
			of_field_examine(f, &m.mask);
	}
	of_text_puts(&t->text, "flow: ");
	of_print_match(&t->text, &m, NULL);
	of_text_puts(&t->text, "\n");
}

static void
put_answer(struct trace *t, const struct flow_key *key, const struct xlate_out *out)
{
	char *buf = xcalloc(1, 16384);

	put_key(t, "megaflow", key, &out->mask);
	if (out->no_cache)
		of_text_puts(&t->text, "not cached: the answer depends on more of the packet than flows can tell\n");
	if (out->acts.n)
		act_format(out->acts.a, out->acts.n, NULL, NULL, buf, 16384);
	else
		snprintf(buf, 16384, "drop (%s: %s)", dp_drop_info[out->drop].name, dp_drop_info[out->drop].text);
	of_text_printf(&t->text, "datapath actions: %s\n", buf);
	free(buf);
}

/* Runs the tables for what there is to tell. */
static void
tell(struct trace *t, const struct flow_key *key, const struct xlate_pkt *pkt, const struct oflow *from)
{
	struct xlate_out *out = xalloc_aligned(CACHE_LINE, sizeof *out);
	struct xl x = { .view = t->ofp->view, .key = key, .mask = &out->mask, .out = out, .pkt = pkt, .trace = t,
			.from = from };

	pipe_translate(&x);
	xl_finish(&x);
	free(out);
}

char *
ofp_trace(const struct ofp *o, uint16_t bridge, const struct oflow *flow, const void *frame, uint32_t len,
	  struct flow_key *out_key, struct xlate_out *out)
{
	const struct xlate_pkt pkt = { .data = frame, .contig = len, .len = len };
	uint16_t in_port = ofp_port_by_no(o, bridge, host32(flow->in_port));
	struct trace t = { .ofp = o };
	const struct ofp_port *port;
	const struct oflow *from = NULL;
	struct xlate_out *answer = xalloc_aligned(CACHE_LINE, sizeof *answer);
	struct flow_key key;
	char *text;

	if (frame && !flow_parse(frame, len, len, in_port, FLOW_DEPTH_L4, &key))
		frame = NULL;
	if (!frame)
		pipe_key_of(flow, in_port, &key);
	port = ofp_port_find(o, in_port);
	if (port && port->kind == OFP_PORT_TUNNEL) {
		key.tun_peer = peer_of(o, in_port, flow);
		if (o->view)
			pipe_tunnel_key(o->view, flow, &key);
		/* Its addresses are all that is known of it then. */
		from = key.tun_peer ? NULL : flow;
	}
	if (!o->view || !in_port) {
		of_text_puts(&t.text, "no such port\n");
	} else {
		struct xl x = { .view = o->view, .key = &key, .mask = &answer->mask, .out = answer, .pkt = frame ? &pkt : NULL,
				.from = from, .opts = frame ? NULL : flow };

		put_flow(&t, flow, &key, frame ? &pkt : NULL);
		tell(&t, &key, frame ? &pkt : NULL, from);
		xl_translate(&x);
		put_answer(&t, &key, answer);
	}
	if (out_key)
		*out_key = key;
	if (out)
		memcpy(out, answer, sizeof *out);
	free(answer);
	text = xstrdup(of_text_str(&t.text));
	of_text_fini(&t.text);
	return text;
}
