/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier against a list of rules, and how little of a packet it looks at. */
#include "tests/ofproto/ofsim.h"

/* --- Random rules against a list ------------------------------------------------------------------- */

enum { N_RULES = 120, N_FLOWS = 200, ROUNDS = 25 };

struct naive {
	struct omatch m;
	uint16_t priority;
	uint32_t port;
	bool there;
};

static void
random_match(struct omatch *m)
{
	*m = match_any();
	if (!rnd(3))
		match_prefix(&m->flow.in_port, &m->mask.in_port, 1 + rnd(3), 32);
	if (!rnd(6))
		match_prefix(&m->flow.reg[3], &m->mask.reg[3], rnd(4), rnd(2) ? 32 : 31);
	if (!rnd(3)) {
		m->flow.dl_dst = (struct mac){ .b = { 2, 0, 0, 0, 0, (uint8_t)rnd(4) } };
		m->mask.dl_dst = (struct mac){ .b = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	}
	if (!rnd(4))
		return;
	m->flow.dl_type = be16(0x0800);
	m->mask.dl_type = 0xffff;
	if (rnd(2))
		match_prefix(&m->flow.nw_dst, &m->mask.nw_dst, 0x0a000000 | rnd(4) << 22 | rnd(4) << 8 | rnd(4),
			     (unsigned[]){ 8, 10, 24, 32, 31 }[rnd(5)]);
	if (!rnd(3))
		match_prefix(&m->flow.nw_src, &m->mask.nw_src, 0x0a000000 | rnd(4) << 16 | rnd(4), rnd(33));
	if (rnd(2))
		return;
	m->flow.nw_proto = rnd(2) ? 6 : 17;
	m->mask.nw_proto = 0xff;
	if (rnd(2)) {
		m->flow.tp_dst = be16((uint16_t)(80 + rnd(4)));
		m->mask.tp_dst = 0xffff;
	}
	if (!rnd(3)) {
		m->mask.tp_src = be16((uint16_t)(0xffff << rnd(4)));
		m->flow.tp_src = be16((uint16_t)(1000 + rnd(8))) & m->mask.tp_src;
	}
}

static void
random_flow(struct oflow *f)
{
	memset(f, 0, sizeof *f);
	f->in_port = be32(1 + rnd(3));
	f->reg[3] = be32(rnd(4));
	f->dl_dst = (struct mac){ .b = { 2, 0, 0, 0, 0, (uint8_t)rnd(4) } };
	f->dl_type = be16(rnd(8) ? 0x0800 : 0x0806);
	f->nw_dst = be32(0x0a000000 | rnd(4) << 22 | rnd(4) << 8 | rnd(4));
	f->nw_src = be32(0x0a000000 | rnd(4) << 16 | rnd(4));
	f->nw_proto = rnd(2) ? 6 : 17;
	f->tp_dst = be16((uint16_t)(80 + rnd(4)));
	f->tp_src = be16((uint16_t)(1000 + rnd(8)));
}

/* The priority that wins; -1: none matches. */
static int
naive_lookup(const struct naive *n, const struct oflow *flow)
{
	struct omatch packet = { .flow = *flow };
	int best = -1;

	memset(&packet.mask, 0xff, sizeof packet.mask);
	for (unsigned i = 0; i < N_RULES; i++)
		if (n[i].there && (int)n[i].priority > best && omatch_within(&packet, &n[i].m))
			best = n[i].priority;
	return best;
}

/* Whatever the bits that were not looked at: the same rule. */
static void
assert_sound(struct of_pipe *p, const struct oflow *flow, const struct oflow *wc, uint32_t port)
{
	for (unsigned n = 0; n < 8; n++) {
		struct oflow other;
		uint64_t *w = (uint64_t *)&other;

		random_flow(&other);
		for (unsigned i = 0; i < OFLOW_WORDS; i++) {
			uint64_t m = oflow_word(wc, i), noise = w[i];

			if (!rnd(8))
				noise ^= (uint64_t)1 << rnd(64);
			w[i] = (oflow_word(flow, i) & m) | (noise & ~m);
		}
		assert_int_equal(looked_up(p, 0, &other, NULL), port);
	}
}

static void
assert_agrees(struct of_pipe *p, const struct naive *n)
{
	for (unsigned i = 0; i < N_FLOWS; i++) {
		struct oflow flow, wc = { 0 };
		uint32_t port;
		int best;

		random_flow(&flow);
		best = naive_lookup(n, &flow);
		port = looked_up(p, 0, &flow, &wc);
		/* Each rule has a priority of its own, which its port tells. */
		assert_int_equal(port, best + 1);
		assert_sound(p, &flow, &wc, port);
	}
}

static void
random_rules_agree_with_a_list(void **state)
{
	static struct naive n[N_RULES];
	struct of_pipe *p = pipe_new();

	(void)state;
	memset(n, 0, sizeof n);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned k = 0; k < N_RULES / 4; k++) {
			unsigned i = rnd(N_RULES);
			struct of_flow_mod fm;

			if (!n[i].there) {
				random_match(&n[i].m);
				n[i].priority = (uint16_t)(i * 7);
			}
			fm = flow_mod(n[i].there ? OFFC_DELETE_STRICT : OFFC_ADD, 0, n[i].priority, &n[i].m,
				      acts_output(n[i].priority + 1u));
			assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
			n[i].there = !n[i].there;
		}
		assert_true(of_pipe_publish(p, NULL));
		assert_agrees(p, n);
	}
	of_pipe_destroy(p);
}

/* --- How little is looked at ------------------------------------------------------------------------ */

static void
a_table_that_decides_by_port_looks_at_nothing_else(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch port1 = match_in_port(1), both = match_nw_dst(0x0a000001, 32);
	struct oflow flow = { .in_port = be32(3), .dl_type = be16(0x0800), .nw_dst = be32(0x0a000001) };
	struct oflow wc = { 0 }, want = { .in_port = UINT32_MAX };

	(void)state;
	match_prefix(&both.flow.in_port, &both.mask.in_port, 2, 32);
	add_rule(p, 0, 10, &port1, acts_output(1));
	add_rule(p, 0, 20, &both, acts_output(2));
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 0);
	assert_memory_equal(&wc, &want, sizeof wc);
	of_pipe_destroy(p);
}

static void
rules_that_cannot_win_are_not_looked_at(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch port1 = match_in_port(1), dst = match_nw_dst(0x0a000000, 8);
	struct oflow flow = { .in_port = be32(1), .dl_type = be16(0x0800), .nw_dst = be32(0x0a000001) };
	struct oflow wc = { 0 }, want = { .in_port = UINT32_MAX };

	(void)state;
	add_rule(p, 0, 20, &port1, acts_output(1));
	add_rule(p, 0, 10, &dst, acts_output(2));
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 1);
	assert_memory_equal(&wc, &want, sizeof wc);
	of_pipe_destroy(p);
}

static unsigned
n_bits(be32_t wc)
{
	return (unsigned)__builtin_popcount(wc);
}

static void
only_as_much_of_an_address_is_looked_at_as_decides(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch net8 = match_nw_dst(0x0a000000, 8), net24 = match_nw_dst(0x0a010200, 24);
	struct omatch host = match_nw_dst(0x0a010203, 32), any = match_any();
	struct oflow flow = { .dl_type = be16(0x0800) };
	struct { uint32_t dst, port; unsigned bits; } want[] = {
		{ 0xc0a80001, 1, 1 },           /* 1... and 0...: the first bit tells. */
		{ 0x0b000001, 1, 8 },           /* 0x0a and 0x0b differ in the eighth. */
		{ 0x0a800001, 2, 9 },           /* 10.0 and 10.128: not in 10.1.2.0/24. */
		{ 0x0a010301, 2, 24 },
		{ 0x0a010280, 3, 25 },          /* Not the host in it. */
		{ 0x0a010203, 4, 32 },
	};

	(void)state;
	add_rule(p, 0, 1, &any, acts_output(1));
	add_rule(p, 0, 8, &net8, acts_output(2));
	add_rule(p, 0, 24, &net24, acts_output(3));
	add_rule(p, 0, 32, &host, acts_output(4));
	of_pipe_publish(p, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		struct oflow wc = { 0 };

		flow.nw_dst = be32(want[i].dst);
		assert_int_equal(looked_up(p, 0, &flow, &wc), want[i].port);
		assert_int_equal(n_bits(wc.nw_dst), want[i].bits);
		assert_int_equal(host32(wc.nw_dst), UINT32_MAX << (32 - want[i].bits));
	}
	of_pipe_destroy(p);
}

static void
long_prefixes_of_ipv6_count_likewise(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch m = match_any();
	struct oflow flow = { .dl_type = be16(0x86dd) }, wc = { 0 };

	(void)state;
	m.flow.dl_type = be16(0x86dd);
	m.mask.dl_type = 0xffff;
	m.flow.ipv6_dst[0] = 0x20;
	m.flow.ipv6_dst[9] = 0x80;
	memset(m.mask.ipv6_dst, 0xff, 12);
	add_rule(p, 0, 1, &m, acts_output(1));
	memset(m.mask.ipv6_dst + 7, 0, 9);
	m.flow.ipv6_dst[9] = 0;
	m.flow.ipv6_dst[6] = 1;
	add_rule(p, 0, 2, &m, acts_output(2));
	of_pipe_publish(p, NULL);
	flow.ipv6_dst[0] = 0x20;
	flow.ipv6_dst[9] = 0x80;
	assert_int_equal(looked_up(p, 0, &flow, &wc), 1);
	assert_int_equal(wc.ipv6_dst[11], 0xff);
	assert_int_equal(wc.ipv6_dst[12], 0);
	flow.ipv6_dst[9] = 0;
	memset(&wc, 0, sizeof wc);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 0);
	/* Up to the bit of byte 9 in which it differs. */
	assert_int_equal(wc.ipv6_dst[8], 0xff);
	assert_int_equal(wc.ipv6_dst[9], 0x80);
	assert_int_equal(wc.ipv6_dst[10], 0);
	of_pipe_destroy(p);
}

static void
ports_are_looked_at_where_they_decide(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch web = match_ip(), any = match_any();
	struct oflow flow = { .dl_type = be16(0x0800), .nw_proto = 6, .tp_src = be16(4711), .tp_dst = be16(50000) };
	struct oflow wc = { 0 };

	(void)state;
	web.flow.nw_proto = 6;
	web.mask.nw_proto = 0xff;
	web.flow.tp_dst = be16(80);
	web.mask.tp_dst = 0xffff;
	add_rule(p, 0, 9, &web, acts_output(80));
	add_rule(p, 0, 1, &any, acts_output(1));
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 1);
	assert_int_equal(wc.tp_src, 0);
	assert_int_equal(wc.tp_dst, be16(0x8000));
	flow.tp_dst = be16(80);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 80);
	assert_int_equal(wc.tp_dst, 0xffff);
	assert_int_equal(wc.nw_proto, 0xff);
	/* UDP is told by its number: ports do not matter. */
	memset(&wc, 0, sizeof wc);
	flow.nw_proto = 17;
	assert_int_equal(looked_up(p, 0, &flow, &wc), 1);
	assert_int_equal(wc.tp_dst, 0);
	of_pipe_destroy(p);
}

/* Prefixes come and go; what a packet's address is looked at for stays right. */
static void
random_prefixes_agree_with_a_list(void **state)
{
	enum { N = 150 };
	static struct { uint32_t v; unsigned bits; bool there; } n[N];
	struct of_pipe *p = pipe_new();

	(void)state;
	memset(n, 0, sizeof n);
	for (unsigned step = 0; step < 1200; step++) {
		unsigned i = rnd(N);
		struct oflow flow = { .dl_type = be16(0x0800) }, wc = { 0 };
		struct omatch m;
		struct of_flow_mod fm;
		uint32_t port, best = 0;

		if (!n[i].there) {
			n[i].bits = 1 + rnd(32);
			n[i].v = (rnd(2) ? 0x0a000000 | rnd(64) : rnd(UINT32_MAX)) & UINT32_MAX << (32 - n[i].bits);
			for (unsigned j = 0; j < N; j++)
				if (n[j].there && n[j].bits == n[i].bits && n[j].v == n[i].v)
					n[i].bits = 0;
			if (!n[i].bits)
				continue;
		}
		m = match_nw_dst(n[i].v, n[i].bits);
		fm = flow_mod(n[i].there ? OFFC_DELETE_STRICT : OFFC_ADD, 0, (uint16_t)n[i].bits, &m, acts_output(i + 1));
		assert_int_equal(apply_as(p, OF13, &fm), OFE_OK);
		n[i].there = !n[i].there;
		of_pipe_publish(p, NULL);
		flow.nw_dst = be32(rnd(3) ? n[rnd(N)].v ^ (rnd(2) ? 0 : 1u << rnd(32)) : 0x0a000000 | rnd(64));
		for (unsigned j = 0, len = 0; j < N; j++) {
			if (n[j].there && n[j].bits > len && !((host32(flow.nw_dst) ^ n[j].v) >> (32 - n[j].bits))) {
				best = j + 1;
				len = n[j].bits;
			}
		}
		port = looked_up(p, 0, &flow, &wc);
		assert_int_equal(port, best);
		/* A prefix was looked at. */
		assert_true(!wc.nw_dst || !(~host32(wc.nw_dst) & (~host32(wc.nw_dst) + 1)));
		for (unsigned k = 0; k < 6; k++) {
			struct oflow other = flow;

			other.nw_dst = (flow.nw_dst & wc.nw_dst) | (be32(k ? rnd(UINT32_MAX) : 0x0a000000) & ~wc.nw_dst);
			assert_int_equal(looked_up(p, 0, &other, NULL), port);
		}
	}
	of_pipe_destroy(p);
}

/* --- Versions ---------------------------------------------------------------------------------------- */

static void
changes_show_with_the_version_that_publishes_them(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch any = match_any();
	struct oflow flow = { 0 };
	uint64_t before;
	struct of_flow_mod del = flow_mod(OFFC_DELETE, 0, 0, &any, (struct of_acts){ 0 });

	(void)state;
	add_rule(p, 0, 1, &any, acts_output(5));
	assert_int_equal(looked_up(p, 0, &flow, NULL), 0);
	assert_true(of_pipe_dirty(p));
	assert_true(of_pipe_publish(p, NULL));
	assert_false(of_pipe_dirty(p));
	assert_false(of_pipe_publish(p, NULL));
	assert_int_equal(looked_up(p, 0, &flow, NULL), 5);
	before = of_pipe_version(p);
	assert_int_equal(apply_as(p, OF13, &del), OFE_OK);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 5);
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 0);
	assert_true(of_pipe_version(p) > before);
	of_pipe_destroy(p);
}

/* --- Conjunctions --------------------------------------------------------------------------------------- */

static struct of_acts
acts_conj(uint32_t id, uint8_t clause, uint8_t n)
{
	static struct of_act_conj a[16];
	static unsigned next;
	struct of_act_conj *c = &a[next++ % 16];

	*c = (struct of_act_conj){
		.h = { .kind = OFA_CONJUNCTION, .len = sizeof *c }, .id = id, .clause = clause, .n_clauses = n,
	};
	return (struct of_acts){ .a = &c->h, .len = sizeof *c };
}

static struct omatch
match_conj(uint32_t id)
{
	struct omatch m = match_any();

	match_prefix(&m.flow.conj_id, &m.mask.conj_id, id, 32);
	return m;
}

static void
a_conjunction_matches_when_all_its_clauses_are_met(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch src1 = match_ip(), src2 = match_ip(), dst1 = match_nw_dst(0x0a000009, 32), any = match_any();
	struct omatch id = match_conj(77);
	struct oflow flow = { .dl_type = be16(0x0800), .nw_src = be32(0x0a000001), .nw_dst = be32(0x0a000009) };
	struct oflow wc = { 0 };

	(void)state;
	match_prefix(&src1.flow.nw_src, &src1.mask.nw_src, 0x0a000001, 32);
	match_prefix(&src2.flow.nw_src, &src2.mask.nw_src, 0x0a000002, 32);
	add_rule(p, 0, 100, &src1, acts_conj(77, 0, 2));
	add_rule(p, 0, 100, &src2, acts_conj(77, 0, 2));
	add_rule(p, 0, 100, &dst1, acts_conj(77, 1, 2));
	add_rule(p, 0, 5, &id, acts_output(7));
	add_rule(p, 0, 1, &any, acts_output(1));
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, &wc), 7);
	assert_int_equal(wc.nw_src, UINT32_MAX);
	assert_int_equal(wc.nw_dst, UINT32_MAX);
	flow.nw_src = be32(0x0a000003);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 1);
	flow.nw_src = be32(0x0a000002);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 7);
	flow.nw_dst = 0;
	assert_int_equal(looked_up(p, 0, &flow, NULL), 1);
	of_pipe_destroy(p);
}

static void
a_plain_rule_of_higher_priority_beats_a_conjunction(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch src = match_ip(), dst = match_nw_dst(0x0a000009, 32), ip = match_ip(), id = match_conj(1);
	struct oflow flow = { .dl_type = be16(0x0800), .nw_src = be32(0x0a000001), .nw_dst = be32(0x0a000009) };
	struct of_flow_mod del;

	(void)state;
	match_prefix(&src.flow.nw_src, &src.mask.nw_src, 0x0a000001, 32);
	add_rule(p, 0, 100, &src, acts_conj(1, 0, 2));
	add_rule(p, 0, 100, &dst, acts_conj(1, 1, 2));
	add_rule(p, 0, 200, &ip, acts_output(2));
	add_rule(p, 0, 300, &id, acts_output(7));
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 2);
	del = flow_mod(OFFC_DELETE_STRICT, 0, 200, &ip, (struct of_acts){ 0 });
	assert_int_equal(apply_as(p, OF13, &del), OFE_OK);
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 7);
	of_pipe_destroy(p);
}

/* A level of many ids, most of them incomplete; one rule may be part of many. */
static void
many_conjunctions_are_told_apart(void **state)
{
	enum { N_IDS = 900 };
	static uint8_t buf[2][N_IDS * sizeof(struct of_act_conj)];
	struct of_pipe *p = pipe_new();
	struct omatch src = match_ip(), dst = match_nw_dst(0x0a000009, 32);
	struct oflow flow = { .dl_type = be16(0x0800), .nw_src = be32(0x0a000001), .nw_dst = be32(0x0a000009) };
	unsigned n[2] = { 0, 0 };

	(void)state;
	match_prefix(&src.flow.nw_src, &src.mask.nw_src, 0x0a000001, 32);
	for (unsigned id = 1; id <= N_IDS; id++) {
		/* Each has one of its two clauses met, 777 both. */
		for (unsigned side = 0; side < 2; side++) {
			struct of_act_conj c = { .h = { .kind = OFA_CONJUNCTION, .len = sizeof c }, .id = id,
						 .clause = (uint8_t)side, .n_clauses = 2 };

			if (side == (id & 1) || id == 777)
				memcpy(buf[side] + n[side]++ * sizeof c, &c, sizeof c);
		}
	}
	for (unsigned side = 0; side < 2; side++) {
		struct of_acts acts = { .a = (const struct of_act *)buf[side],
					.len = n[side] * (uint32_t)sizeof(struct of_act_conj) };

		add_rule(p, 0, 100, side ? &dst : &src, acts);
	}
	for (unsigned id = 770; id < 780; id++) {
		struct omatch m = match_conj(id);

		add_rule(p, 0, 1, &m, acts_output(id));
	}
	of_pipe_publish(p, NULL);
	assert_int_equal(looked_up(p, 0, &flow, NULL), 777);
	of_pipe_destroy(p);
}

/* --- Traces ------------------------------------------------------------------------------------------------- */

struct rejections {
	unsigned n;
	uint16_t priority[8];
	enum of_field field[8];
};

static void
reject(void *arg, const struct of_rule *r, enum of_field f)
{
	struct rejections *j = arg;

	j->priority[j->n] = of_rule_priority(r);
	j->field[j->n++] = f;
}

static void
a_trace_tells_why_better_rules_did_not_match(void **state)
{
	struct of_pipe *p = pipe_new();
	struct omatch port = match_in_port(2), dst = match_nw_dst(0x0b000000, 8), ip = match_ip(), any = match_any();
	struct oflow flow = { .in_port = be32(1), .dl_type = be16(0x0800), .nw_dst = be32(0x0a000009) };
	struct rejections j = { 0 };
	struct of_lookup_watch w = { .rejected = reject, .arg = &j };
	const struct of_rule *r;

	(void)state;
	add_rule(p, 0, 40, &port, acts_output(1));
	add_rule(p, 0, 30, &dst, acts_output(2));
	add_rule(p, 0, 20, &ip, acts_output(3));
	add_rule(p, 0, 10, &any, acts_output(4));
	of_pipe_publish(p, NULL);
	r = of_lookup(p, of_pipe_version(p), 0, &flow, NULL, &w);
	assert_int_equal(of_rule_priority(r), 20);
	assert_int_equal(j.n, 2);
	assert_int_equal(j.priority[0], 40);
	assert_int_equal(j.field[0], OFF_IN_PORT);
	assert_int_equal(j.priority[1], 30);
	assert_int_equal(j.field[1], OFF_NW_DST);
	of_pipe_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_agree_with_a_list),
		cmocka_unit_test(a_table_that_decides_by_port_looks_at_nothing_else),
		cmocka_unit_test(rules_that_cannot_win_are_not_looked_at),
		cmocka_unit_test(only_as_much_of_an_address_is_looked_at_as_decides),
		cmocka_unit_test(long_prefixes_of_ipv6_count_likewise),
		cmocka_unit_test(ports_are_looked_at_where_they_decide),
		cmocka_unit_test(random_prefixes_agree_with_a_list),
		cmocka_unit_test(changes_show_with_the_version_that_publishes_them),
		cmocka_unit_test(a_conjunction_matches_when_all_its_clauses_are_met),
		cmocka_unit_test(a_plain_rule_of_higher_priority_beats_a_conjunction),
		cmocka_unit_test(many_conjunctions_are_told_apart),
		cmocka_unit_test(a_trace_tells_why_better_rules_did_not_match),
	};

	return cmocka_run_group_tests_name("cls", tests, NULL, NULL);
}
