/* SPDX-License-Identifier: Apache-2.0 */
/* The real switch beside the naive one.  The real one is all there: OpenFlow tables, translator, views, cache, action
 * programs, ports; only its polling thread does not run by itself but turn by turn in this one, so that a run is the same
 * each time, and fast. */
#include <pthread.h>
#include <rte_eal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "datapath/dp_priv.h"
#include "ofproto/ofp.h"
#include "ofproto/table.h"
#include "ofproto/text.h"
#include "tests/datapath/frame_port.h"
#include "tests/datapath/mem_port.h"
#include "tests/packet/differ_priv.h"

enum { N_MBUFS = 4096, TEXT = 4096, IDLE_TURNS = 64 };

struct both {
	struct nv naive;
	struct dp *dp;
	struct lcore *lc;
	struct ofp *ofp;
	uint16_t bridge;
	struct port *port[NV_PORTS + 1];
	bool dirty;
	unsigned n_got;
	struct nv_copy got[NV_COPIES * BURST_MAX];
	struct nv_out out[BURST_MAX];
	struct frame_got frame;
	struct both_counts n;
};

static void
set_view(void *arg, const void *view, void (*destroy)(void *))
{
	dp_set_xlate_view(((struct both *)arg)->dp, view, destroy);
}

static void
tag_changed(void *arg, dp_tag tag)
{
	dp_tag_changed(((struct both *)arg)->dp, tag);
}

static void
defer(void *arg, void (*fn)(void *), void *obj)
{
	struct both *b = arg;

	if (b->dp)
		dp_defer(b->dp, fn, obj);
	else
		fn(obj);
}

static void
fold(void *arg, void (*done)(void *), void *done_arg)
{
	struct both *b = arg;

	if (b->dp)
		dp_fold(b->dp, done, done_arg);
	else
		done(done_arg);
}

static void
dirty(void *arg)
{
	((struct both *)arg)->dirty = true;
}

static void
learn(void *arg, const struct xlate_learn *l)
{
	struct both *b = arg;

	ofp_learn(b->ofp, l);
	b->dirty = true;
}

static void
note(void *arg, const void *data, unsigned len)
{
	struct both *b = arg;

	ofp_note(b->ofp, data, len);
	b->dirty = true;
}

static void
keep(struct both *b, uint32_t port, const void *frame, uint32_t len)
{
	struct nv_copy *c = &b->got[b->n_got];

	if (b->n_got == ARRAY_SIZE(b->got) || len > sizeof c->b) {
		fprintf(stderr, "differ: %u copies, the last of %u bytes: more than there should be\n", b->n_got, len);
		exit(1);
	}
	b->n_got++;
	c->port = port;
	c->len = (uint16_t)len;
	memcpy(c->b, frame, len);
}

static void
punt(void *arg, uint16_t in_port, const void *data, unsigned data_len, const void *frame, uint32_t len, uint32_t orig_len)
{
	(void)in_port, (void)data, (void)data_len, (void)orig_len;
	keep(arg, NV_CONTROLLER, frame, len);
}

/* One turn of the polling thread, or as many as its new flows take, and what it has told. */
static void
turn(struct both *b)
{
	do
		lcore_turn(b->lc);
	while (b->lc->misses.n);
	rcu_quiescent(b->dp->rcu, 0);
	dp_poll(b->dp);
}

static void
commit(struct both *b)
{
	do {
		b->dirty = false;
		ofp_commit(b->ofp);
		dp_commit(b->dp, NULL, NULL);
		turn(b);
	} while (b->dirty);
}

/* --- Life ---------------------------------------------------------------------------------------------------------- */

static void
stop_thread(struct both *b)
{
	struct lcore *lc = b->dp->lcore[0];

	__atomic_store_n(&lc->stop, true, __ATOMIC_RELEASE);
	lcore_wake(lc);
	pthread_join(lc->thread, NULL);
	lc->thread = 0;
	b->lc = lc;
	rcu_online(b->dp->rcu, 0);
}

static void
add_port(struct both *b, uint16_t id)
{
	struct ofp_port_conf c;
	struct err e = { 0 };

	opt_defaults(ofp_port_opts, &c);
	if (ofp_port_check(&c, false, &e) || ofp_port_add(b->ofp, b->bridge, id, OFP_PORT_PLAIN, &c, &e)) {
		fprintf(stderr, "differ: port %u: %s\n", id, e.msg);
		exit(1);
	}
}

struct both *
both_create(const struct both_conf *conf)
{
	struct both *b = xcalloc(1, sizeof *b);
	struct ofp_bridge_conf bc;
	struct err e = { 0 };
	struct dp_conf c = {
		.n_lcores = 1, .cpu = { 0 }, .run_dir = "/tmp", .n_mbufs = N_MBUFS, .max_flows = conf->max_flows,
		.idle_us = 1000, .isa = conf->isa, .xlate = &ofp_xlate, .learn = learn, .note = note, .punt = punt, .arg = b,
	};

	b->ofp = ofp_create(&(struct ofp_sink){ .set_view = set_view, .tag_changed = tag_changed, .defer = defer,
						.fold = fold, .dirty = dirty, .arg = b });
	b->dp = dp_create(&c, &e);
	opt_defaults(ofp_bridge_opts, &bc);
	if (!b->dp || ofp_bridge_add(b->ofp, "br0", &bc, &b->bridge, &e)) {
		fprintf(stderr, "differ: %s\n", e.msg);
		exit(1);
	}
	stop_thread(b);
	for (uint16_t i = 1; i <= NV_PORTS; i++) {
		bool frames = conf->frames && i % 2;
		char name[16];

		snprintf(name, sizeof name, "p%u", i);
		b->port[i] = dp_port_add(b->dp, frames ? &port_type_frame : &port_type_mem, name, i, NULL, &e);
		if (!b->port[i]) {
			fprintf(stderr, "differ: %s\n", e.msg);
			exit(1);
		}
	}
	both_reset(b);
	return b;
}

void
both_destroy(struct both *b)
{
	struct dp *dp = b->dp;

	for (unsigned i = 0; i < IDLE_TURNS; i++)
		commit(b);
	rcu_offline(dp->rcu, 0);
	cache_flush(&b->lc->cache);
	dp_destroy(dp);
	b->dp = NULL;
	ofp_destroy(b->ofp);
	free(b);
}

const struct nv *
both_naive(const struct both *b)
{
	return &b->naive;
}

void
both_counts(const struct both *b, struct both_counts *n)
{
	struct dp_lcore_stats s;

	dp_lcore_stats(b->dp, 0, &s);
	*n = b->n;
	n->hits = s.hint_hits + s.mega_hits;
	n->upcalls = s.upcalls;
	n->retranslated = s.retranslated;
	n->evicted = b->lc->cache.evicted;
	n->masks = b->lc->cache.n_masks;
}

/* --- Ports --------------------------------------------------------------------------------------------------------- */

static void
apply_port(struct both *b, uint16_t no, const struct nv_port *p)
{
	struct nv_port *was = &b->naive.port[no];

	if (was->exists && !p->exists)
		ofp_port_del(b->ofp, no);
	if (!was->exists && p->exists)
		add_port(b, no);
	if (p->exists) {
		ofp_port_set_up(b->ofp, no, p->up);
		ofp_port_set_of_config(b->ofp, no, (p->no_recv ? OFPPC_NO_RECV : 0) | (p->no_fwd ? OFPPC_NO_FWD : 0));
	}
	if (!p->exists || !p->up)
		nv_forget_macs(&b->naive, no);
	*was = *p;
	commit(b);
}

void
both_reset(struct both *b)
{
	for (uint16_t i = 1; i <= NV_PORTS; i++)
		apply_port(b, i, &(struct nv_port){ .exists = true, .up = true });
	ofp_of_reset(b->ofp, b->bridge, true);
	ofp_mac_flush(b->ofp, b->bridge, 0, -1);
	nv_init(&b->naive);
	dp_flow_flush(b->dp);
	ofp_tick(b->ofp, clock_ms());
	for (unsigned i = 0; i < 4; i++)
		commit(b);
}

/* --- Rules and groups ---------------------------------------------------------------------------------------------- */

static void
bad_text(const char *text, const struct err *e)
{
	fprintf(stderr, "differ: %s: %s\n", text, e->msg);
	exit(1);
}

static void
apply_flow_mod(struct both *b, const struct nv_flow_mod *m)
{
	static const enum of_flow_mod_command command[] = { OFFC_ADD, OFFC_MODIFY, OFFC_MODIFY_STRICT, OFFC_DELETE,
							    OFFC_DELETE_STRICT };
	struct of_act_buf acts = { 0 };
	struct of_flow_mod fm;
	struct of_error error = { 0 };
	struct err e = { 0 };
	char text[TEXT];

	nv_print_flow_mod(m, text, sizeof text);
	if (of_parse_flow_mod(text, strlen(text), command[m->command], NULL, &acts, &fm, &e))
		bad_text(text, &e);
	b->n.changes++;
	if (of_flow_mod(ofp_pipe(b->ofp, b->bridge), &(struct of_who){ .version = m->old ? OF10 : OF13 }, &fm, &error))
		b->n.refused++;
	else
		nv_flow_mod(&b->naive, m);
	of_act_buf_fini(&acts);
	commit(b);
}

static void
apply_group_mod(struct both *b, const struct nv_group_mod *m)
{
	static const enum of_group_command command[] = { OFGC_ADD, OFGC_MODIFY, OFGC_DELETE };
	struct of_arena *arena = of_arena_create();
	struct of_group_mod gm;
	struct of_error error = { 0 };
	struct err e = { 0 };
	char text[TEXT];

	nv_print_group_mod(m, text, sizeof text);
	if (of_parse_group_mod(text, strlen(text), command[m->command], NULL, arena, &gm, &e))
		bad_text(text, &e);
	b->n.changes++;
	if (of_group_mod(ofp_pipe(b->ofp, b->bridge), &(struct of_who){ .version = OF13 }, &gm, &error))
		b->n.refused++;
	else
		nv_group_mod(&b->naive, m);
	of_arena_destroy(arena);
	commit(b);
}

/* --- Packets ------------------------------------------------------------------------------------------------------- */

static uint32_t
id_of(const uint8_t *b, uint16_t len)
{
	uint32_t id;

	memcpy(&id, b + len - 4, 4);
	return id;
}

static int
by_content(const void *a, const void *b)
{
	const struct nv_copy *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->b, y->b, x->len);
}

static int
by_id(const void *a, const void *b)
{
	const struct nv_copy *x = a, *y = b;
	uint32_t i = id_of(x->b, x->len), j = id_of(y->b, y->len);

	return i != j ? (i < j ? -1 : 1) : by_content(a, b);
}

static void
collect(struct both *b)
{
	uint8_t buf[2048];

	for (unsigned i = 1; i <= NV_PORTS; i++) {
		uint32_t len;

		if (b->port[i]->type == &port_type_mem) {
			while ((len = mem_port_recv(b->port[i], buf, sizeof buf, 0)))
				keep(b, i, buf, len);
			continue;
		}
		for (frame_port_get(b->port[i], &b->frame, 0); b->frame.len; frame_port_get(b->port[i], &b->frame, 0))
			keep(b, i, b->frame.b, b->frame.len);
	}
}

static bool
are_equal(const struct nv_copy *a, unsigned n_a, const struct nv_copy *b, unsigned n_b)
{
	if (n_a != n_b)
		return false;
	for (unsigned i = 0; i < n_a; i++)
		if (by_content(&a[i], &b[i]))
			return false;
	return true;
}

/* The next way of choosing; false: that was the last. */
static bool
choose_next(const struct nv_out *o, unsigned *n_given, uint8_t taken[NV_CHOICES])
{
	memcpy(taken, o->taken, NV_CHOICES);
	for (unsigned i = o->n_choices; i-- > 0;) {
		if (taken[i] + 1 >= o->ways[i])
			continue;
		taken[i]++;
		*n_given = i + 1;
		return true;
	}
	return false;
}

static void
tell_copies(const char *who, const struct nv_copy *c, unsigned n, char *why, size_t len)
{
	size_t at = strlen(why);

	at += (size_t)snprintf(why + at, len - at, "  %s: %u cop%s\n", who, n, n == 1 ? "y" : "ies");
	for (unsigned i = 0; i < n && i < 8 && at < len; i++) {
		at += (size_t)snprintf(why + at, len - at, "    port %u, %u bytes:", c[i].port, c[i].len);
		for (unsigned k = 0; k < c[i].len && at < len; k++)
			at += (size_t)snprintf(why + at, len - at, "%s%02x", k % 4 ? "" : " ", c[i].b[k]);
		if (at < len)
			at += (size_t)snprintf(why + at, len - at, "\n");
	}
}

/* Whether the real copies are what the naive switch makes in one of the ways that it may choose; that is in 'out' then. */
static bool
compare(struct both *b, const struct op *o, unsigned which, const struct nv_copy *got, unsigned n_got, char *why, size_t len)
{
	struct nv_out *out = &b->out[which];
	const struct sent *f = &o->frame[which];
	unsigned n_given = 0;

	do {
		nv_run(&b->naive, f->b, f->len, o->in_port, n_given, out);
		b->n.choices += out->n_choices;
		if (out->too_much)
			return true;
		qsort(out->copy, out->n, sizeof out->copy[0], by_content);
		if (are_equal(out->copy, out->n, got, n_got))
			return true;
	} while (choose_next(out, &n_given, out->taken));
	snprintf(why, len, "frame %u of the burst, from port %u\n", which, o->in_port);
	tell_copies("the rules say", out->copy, out->n, why, len);
	tell_copies("the switch did", got, n_got, why, len);
	return false;
}

static bool
send_frame(struct port *p, const struct sent *f)
{
	if (p->type == &port_type_mem)
		return mem_port_send(p, f->b, f->len);
	return frame_port_put(p, 0, f->b, f->len, 0, 0, NULL);
}

static bool
step_packets(struct both *b, const struct op *o, char *why, size_t len)
{
	unsigned at = 0;

	for (unsigned i = 0; i < o->n; i++) {
		nv_run(&b->naive, o->frame[i].b, o->frame[i].len, o->in_port, 0, &b->out[i]);
		if (b->out[i].too_much || b->out[i].n > 64) {
			b->n.skipped++;
			return true;
		}
	}
	for (unsigned i = 0; i < o->n; i++)
		if (!send_frame(b->port[o->in_port], &o->frame[i]))
			return snprintf(why, len, "a packet could not be sent\n"), false;
	b->n_got = 0;
	turn(b);
	collect(b);
	b->n.packets += o->n;
	b->n.copies += b->n_got;
	qsort(b->got, b->n_got, sizeof b->got[0], by_id);
	for (unsigned i = 0; i < o->n; i++) {
		uint32_t id = id_of(o->frame[i].b, o->frame[i].len);
		unsigned from, to;

		for (from = 0; from < b->n_got && id_of(b->got[from].b, b->got[from].len) != id; from++)
			;
		for (to = from; to < b->n_got && id_of(b->got[to].b, b->got[to].len) == id; to++)
			;
		at += to - from;
		if (!compare(b, o, i, &b->got[from], to - from, why, len))
			return false;
	}
	if (at != b->n_got)
		return snprintf(why, len, "%u copies of packets that nobody sent\n", b->n_got - at), false;
	for (unsigned i = 0; i < o->n; i++) {
		nv_count(&b->naive, &b->out[i], o->frame[i].len);
		nv_learn(&b->naive, &b->out[i]);
	}
	if (b->dirty)
		commit(b);
	return true;
}

/* --- Counters ------------------------------------------------------------------------------------------------------ */

struct row_check {
	struct both *b;
	unsigned n;
	char *why;
	size_t len;
	bool bad;
};

static const struct nv_rule *
rule_of_row(const struct nv *nv, const struct of_flow_row *row)
{
	for (unsigned i = 0; i < NV_RULES; i++) {
		const struct nv_rule *r = &nv->rule[i];
		struct nv_flow_mod m;
		struct of_act_buf acts = { 0 };
		struct of_flow_mod fm;
		struct err e = { 0 };
		char text[TEXT];
		bool same;

		if (!r->live || r->table != row->table_id || r->priority != row->priority || r->cookie != row->cookie)
			continue;
		m = (struct nv_flow_mod){ .command = NV_ADD, .table = r->table, .priority = r->priority, .match = r->match,
					  .body = { .go = -1 } };
		nv_print_flow_mod(&m, text, sizeof text);
		if (of_parse_flow_mod(text, strlen(text), OFFC_ADD, NULL, &acts, &fm, &e))
			bad_text(text, &e);
		same = !memcmp(&fm.match, row->match, sizeof fm.match);
		of_act_buf_fini(&acts);
		if (same)
			return r;
	}
	return NULL;
}

static bool
check_row(void *arg, const struct of_flow_row *row)
{
	struct row_check *c = arg;
	const struct nv_rule *r = rule_of_row(&c->b->naive, row);

	c->n++;
	if (c->bad)
		return true;
	if (!r) {
		c->bad = true;
		snprintf(c->why, c->len, "table %u has a rule of priority %u, cookie %llu, that should not be there\n",
			 row->table_id, row->priority, (unsigned long long)row->cookie);
	} else if (r->cookie != 7 && (r->packets != row->packets || r->bytes != row->bytes)) {
		struct nv_flow_mod m = { .command = NV_ADD, .table = r->table, .priority = r->priority, .match = r->match,
					 .body = r->body };
		char text[TEXT];

		c->bad = true;
		nv_print_flow_mod(&m, text, sizeof text);
		snprintf(c->why, c->len, "%s\n  counted %llu packets, %llu bytes; %llu, %llu have matched\n", text,
			 (unsigned long long)row->packets, (unsigned long long)row->bytes, (unsigned long long)r->packets,
			 (unsigned long long)r->bytes);
	}
	return true;
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static bool
step_counts(struct both *b, char *why, size_t len)
{
	struct of_flow_request rq = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct row_check c = { .b = b, .why = why, .len = len };
	bool folded = false;
	uint64_t at = 0;

	dp_fold(b->dp, set_flag, &folded);
	for (unsigned i = 0; !folded && i < 100000; i++)
		turn(b);
	do
		at = of_flows_each(ofp_pipe(b->ofp, b->bridge), &rq, at, 64, check_row, &c);
	while (at);
	if (c.bad)
		return false;
	if (c.n != nv_n_rules(&b->naive))
		return snprintf(why, len, "%u rules, should be %u\n", c.n, nv_n_rules(&b->naive)), false;
	return true;
}

bool
both_step(struct both *b, const struct op *o, char *why, size_t len)
{
	b->n.steps++;
	switch ((enum op_kind)o->kind) {
	case OP_PACKETS: return step_packets(b, o, why, len);
	case OP_FLOW_MOD: apply_flow_mod(b, &o->flow); break;
	case OP_GROUP_MOD: apply_group_mod(b, &o->group); break;
	case OP_PORT: apply_port(b, o->no, &o->port); break;
	case OP_FLUSH: dp_flow_flush(b->dp); break;
	case OP_TICK:
		ofp_tick(b->ofp, clock_ms());
		commit(b);
		break;
	case OP_COUNTS: return step_counts(b, why, len);
	case OP_KINDS: break;
	}
	if (o->kind != OP_PACKETS) {
		unsigned n = nv_n_rules(&b->naive);

		b->n.rules = MAX_OF(b->n.rules, n);
	}
	return true;
}

void
both_trace(struct both *b, const struct op *o, unsigned i)
{
	struct oflow flow;
	char *text;

	memset(&flow, 0, sizeof flow);
	flow.in_port = be32(o->in_port);
	text = ofp_trace(b->ofp, b->bridge, &flow, o->frame[i].b, o->frame[i].len, NULL, NULL);
	printf("%s\n", text);
	free(text);
}
