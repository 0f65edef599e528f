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

#include "base/hash.h"
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

#endif
