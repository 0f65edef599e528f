/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the OpenFlow pipeline's state share: matches and action lists in a line, a rule, a random number. */
#ifndef TESTS_OFPROTO_OFSIM_H
#define TESTS_OFPROTO_OFSIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "datapath/dp.h"
#include "ofproto/table.h"

static uint64_t ofsim_seed = 42;

static inline uint32_t
rnd(uint32_t n)
{
	ofsim_seed = hash_mix(ofsim_seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(ofsim_seed >> 16) % n;
}

/* Sets 'bits' high bits of a 32-bit field to those of 'v'. */
static inline void
match_prefix(be32_t *flow, be32_t *mask, uint32_t v, unsigned bits)
{
	uint32_t m = bits ? UINT32_MAX << (32 - bits) : 0;

	*flow = be32(v & m);
	*mask = be32(m);
}

static inline struct omatch
match_any(void)
{
	struct omatch m;

	memset(&m, 0, sizeof m);
	return m;
}

static inline struct omatch
match_in_port(uint32_t port)
{
	struct omatch m = match_any();

	match_prefix(&m.flow.in_port, &m.mask.in_port, port, 32);
	return m;
}

static inline struct omatch
match_ip(void)
{
	struct omatch m = match_any();

	m.flow.dl_type = be16(0x0800);
	m.mask.dl_type = 0xffff;
	return m;
}

static inline struct omatch
match_nw_dst(uint32_t v, unsigned bits)
{
	struct omatch m = match_ip();

	match_prefix(&m.flow.nw_dst, &m.mask.nw_dst, v, bits);
	return m;
}

/* A list of one output; static storage, a few at a time. */
static inline struct of_acts
acts_output(uint32_t port)
{
	static struct of_act_output a[16];
	static unsigned next;
	struct of_act_output *o = &a[next++ % 16];

	*o = (struct of_act_output){ .h = { .kind = OFA_OUTPUT, .len = sizeof *o }, .port = port };
	return (struct of_acts){ .a = &o->h, .len = sizeof *o };
}

static inline struct of_acts
acts_group(enum of_act_kind kind, uint32_t id)
{
	static struct of_act_u32 a[16];
	static unsigned next;
	struct of_act_u32 *o = &a[next++ % 16];

	*o = (struct of_act_u32){ .h = { .kind = (uint8_t)kind, .len = sizeof *o }, .value = id };
	return (struct of_acts){ .a = &o->h, .len = sizeof *o };
}

static inline struct of_flow_mod
flow_mod(enum of_flow_mod_command c, uint8_t table, uint16_t priority, const struct omatch *m, struct of_acts acts)
{
	return (struct of_flow_mod){
		.version = OF13, .command = (uint8_t)c, .table_id = table, .has_table_id = true, .priority = priority,
		.out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY, .buffer_id = (uint32_t)OF_NO_BUFFER, .match = *m,
		.acts = acts,
	};
}

/* The error's id; OFE_OK: none. */
static inline uint16_t
apply_as(struct of_pipe *p, uint8_t version, const struct of_flow_mod *fm)
{
	struct of_who who = { .version = version, .xid = 7 };
	struct of_error e = { 0 };
	int rc = of_flow_mod(p, &who, fm, &e);

	assert_int_equal(rc, e.id ? -1 : 0);
	return e.id;
}

static inline void
add_rule(struct of_pipe *p, uint8_t table, uint16_t priority, const struct omatch *m, struct of_acts acts)
{
	struct of_flow_mod fm = flow_mod(OFFC_ADD, table, priority, m, acts);

	assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
}

/* Port that the matching rule outputs to; 0: none matches. */
static inline uint32_t
looked_up(const struct of_pipe *p, uint8_t table, const struct oflow *flow, struct oflow *wc)
{
	struct oflow f = *flow;
	const struct of_rule *r = of_lookup(p, of_pipe_version(p), table, &f, wc, NULL);

	return r ? ((const struct of_act_output *)of_rule_acts(r).a)->port : 0;
}

static inline void
ignore_mark(void *arg, dp_tag tag)
{
	(void)arg, (void)tag;
}

static inline struct of_pipe *
pipe_new(void)
{
	return of_pipe_create(1, NULL, ignore_mark, NULL);
}

/* --- A sink that takes its time ------------------------------------------------------------------- */

struct call {
	void (*fn)(void *);
	void *obj;
};

/* Grace periods and folds end when the test says so. */
struct sim_sink {
	struct call defers[4096], folds[64];
	unsigned n_defers, n_folds;
	unsigned n_dirty;
	struct dp_meter_conf meter[DP_MAX_METERS];
	bool has_meter[DP_MAX_METERS];
	unsigned n_meters;
};

static inline void
sim_defer(void *arg, void (*fn)(void *), void *obj)
{
	struct sim_sink *s = arg;

	assert_true(s->n_defers < ARRAY_SIZE(s->defers));
	s->defers[s->n_defers++] = (struct call){ fn, obj };
}

static inline void
sim_fold(void *arg, void (*done)(void *), void *done_arg)
{
	struct sim_sink *s = arg;

	assert_true(s->n_folds < ARRAY_SIZE(s->folds));
	s->folds[s->n_folds++] = (struct call){ done, done_arg };
}

static inline void
sim_dirty(void *arg)
{
	((struct sim_sink *)arg)->n_dirty++;
}

static inline int
sim_meter_set(void *arg, uint32_t meter, const struct dp_meter_conf *c)
{
	struct sim_sink *s = arg;

	s->n_meters += !s->has_meter[meter];
	s->has_meter[meter] = true;
	s->meter[meter] = *c;
	return 0;
}

static inline void
sim_meter_del(void *arg, uint32_t meter)
{
	struct sim_sink *s = arg;

	s->n_meters -= s->has_meter[meter];
	s->has_meter[meter] = false;
}

static inline void
sim_meter_stats(void *arg, uint32_t meter, struct dp_meter_stats *st)
{
	(void)arg;
	memset(st, 0, sizeof *st);
	st->packets = 100 + meter;
}

static inline struct ofp_sink
sim_sink(struct sim_sink *s)
{
	return (struct ofp_sink){
		.defer = sim_defer, .fold = sim_fold, .dirty = sim_dirty, .meter_set = sim_meter_set,
		.meter_del = sim_meter_del, .meter_stats = sim_meter_stats, .arg = s,
	};
}

/* Ends the grace periods that have begun. */
static inline void
sim_grace(struct sim_sink *s)
{
	struct call c[ARRAY_SIZE(s->defers)];
	unsigned n = s->n_defers;

	memcpy(c, s->defers, n * sizeof c[0]);
	s->n_defers = 0;
	for (unsigned i = 0; i < n; i++)
		c[i].fn(c[i].obj);
}

static inline void
sim_folded(struct sim_sink *s)
{
	struct call c[ARRAY_SIZE(s->folds)];
	unsigned n = s->n_folds;

	memcpy(c, s->folds, n * sizeof c[0]);
	s->n_folds = 0;
	for (unsigned i = 0; i < n; i++)
		c[i].fn(c[i].obj);
}

/* Until nothing waits any more. */
static inline void
sim_settle(struct sim_sink *s)
{
	while (s->n_defers || s->n_folds) {
		sim_grace(s);
		sim_folded(s);
	}
}

/* --- What a pipeline tells -------------------------------------------------------------------------- */

struct sim_event {
	enum of_monitor_event event;
	uint8_t reason, table;
	uint16_t priority;
	uint64_t cookie;
	const void *owner;
	uint32_t xid;
};

struct sim_events {
	unsigned n, n_removed, n_status, n_forwarded;
	struct sim_event e[64];
	struct of_flow_removed removed[64];
	struct of_table_desc status[16];
	uint8_t forwarded[16];          /* Kinds. */
};

static inline void
sim_flow_removed(void *arg, uint16_t bridge, const struct of_flow_removed *m)
{
	struct sim_events *s = arg;

	assert_int_equal(bridge, 1);
	s->removed[s->n_removed++ % 64] = *m;
}

static inline void
sim_flow_changed(void *arg, uint16_t bridge, enum of_monitor_event ev, const struct of_flow_row *row, uint8_t reason,
		 const void *owner, uint32_t xid)
{
	struct sim_events *s = arg;

	assert_int_equal(bridge, 1);
	s->e[s->n++ % 64] = (struct sim_event){
		.event = ev, .reason = reason, .table = row->table_id, .priority = row->priority, .cookie = row->cookie,
		.owner = owner, .xid = xid,
	};
}

static inline void
sim_table_status(void *arg, uint16_t bridge, const struct of_table_desc *d)
{
	struct sim_events *s = arg;

	(void)bridge;
	s->status[s->n_status++ % 16] = *d;
}

static inline void
sim_forwarded(void *arg, uint16_t bridge, const struct of_msg *m, const void *owner)
{
	struct sim_events *s = arg;

	(void)bridge, (void)owner;
	s->forwarded[s->n_forwarded++ % 16] = m->kind;
}

static inline struct of_pipe_events
sim_events(struct sim_events *s)
{
	return (struct of_pipe_events){
		.flow_removed = sim_flow_removed, .flow_changed = sim_flow_changed, .table_status = sim_table_status,
		.forwarded = sim_forwarded, .arg = s,
	};
}

/* --- Dumps ---------------------------------------------------------------------------------------------- */

static inline bool
sim_count_row(void *arg, const struct of_flow_row *row)
{
	(void)row;
	++*(unsigned *)arg;
	return true;
}

static inline unsigned
n_rows(const struct of_pipe *p, uint8_t table)
{
	struct of_flow_request rq = { .table_id = table, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	unsigned n = 0;
	uint64_t c = 0;

	do
		c = of_flows_each(p, &rq, c, 3, sim_count_row, &n);
	while (c);
	return n;
}

static inline bool
sim_take_row(void *arg, const struct of_flow_row *row)
{
	*(struct of_flow_row *)arg = *row;
	return true;
}

/* The one rule that is there.  Its match is not. */
static inline struct of_flow_row
only_row(const struct of_pipe *p)
{
	struct of_flow_request rq = { .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY };
	struct of_flow_row row;

	memset(&row, 0, sizeof row);
	assert_int_equal(n_rows(p, OFTT_ALL), 1);
	of_flows_each(p, &rq, 0, 1, sim_take_row, &row);
	return row;
}

/* --- Groups and meters ----------------------------------------------------------------------------------- */

static inline struct of_bucket
bucket(uint32_t id, uint16_t weight, struct of_acts acts)
{
	return (struct of_bucket){
		.id = id, .weight = weight, .watch_port = (uint32_t)OFPP_ANY, .watch_group = OFG_ANY, .acts = acts,
	};
}

static inline uint16_t
group_mod(struct of_pipe *p, uint8_t version, enum of_group_command c, enum of_group_type type, uint32_t id,
	  const struct of_bucket *b, uint32_t n)
{
	struct of_who who = { .version = version };
	struct of_group_mod m = {
		.command = (uint16_t)c, .type = (uint8_t)type, .group_id = id, .n_buckets = n, .buckets = b,
		.command_bucket_id = UINT32_MAX,
	};
	struct of_error e = { 0 };
	int rc = of_group_mod(p, &who, &m, &e);

	assert_int_equal(rc, e.id ? -1 : 0);
	return e.id;
}

static inline uint16_t
meter_mod(struct of_pipe *p, enum of_meter_command c, uint16_t flags, uint32_t id, const struct of_band *b, uint32_t n)
{
	struct of_who who = { .version = OF13 };
	struct of_meter_mod m = { .command = (uint16_t)c, .flags = flags, .meter_id = id, .n_bands = n, .bands = b };
	struct of_error e = { 0 };
	int rc = of_meter_mod(p, &who, &m, &e);

	assert_int_equal(rc, e.id ? -1 : 0);
	return e.id;
}

#endif
