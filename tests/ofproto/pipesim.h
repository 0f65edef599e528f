/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of OpenFlow pipelines: one bridge with ports 1 to 9, rules and packets as text. */
#ifndef TESTS_OFPROTO_PIPESIM_H
#define TESTS_OFPROTO_PIPESIM_H

#include "ofproto/pipe_priv.h"
#include "ofproto/punt.h"
#include "ofproto/text.h"
#include "tests/ofproto/sim.h"

static struct sim *s;
static uint16_t br;
static struct flow_key last_key;
static struct of_error last_error;
static uint8_t version;                 /* Of whoever adds rules. */

static inline int
setup(void **state)
{
	(void)state;
	version = OF13;
	s = sim_create();
	br = sim_bridge(s, "br0");
	for (uint16_t i = 1; i <= 9; i++)
		sim_port(s, br, i, "");
	/* Nothing but what the test says. */
	ofp_of_reset(s->ofp, br, true);
	sim_commit(s);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	sim_destroy(s);
	return 0;
}

static inline uint16_t
flow_mod_on(uint16_t bridge, enum of_flow_mod_command c, const char *text)
{
	struct of_act_buf acts = { 0 };
	struct of_flow_mod fm;
	struct err e = { 0 };

	last_error = (struct of_error){ 0 };
	if (of_parse_flow_mod(text, strlen(text), c, NULL, &acts, &fm, &e))
		fail_msg("%s: %s", text, e.msg);
	if (of_flow_mod(ofp_pipe(s->ofp, bridge), &(struct of_who){ .version = version }, &fm,
			&last_error))
		assert_int_not_equal(last_error.id, OFE_OK);
	of_act_buf_fini(&acts);
	return last_error.id;
}

/* "table=1,priority=10,ip,actions=output:2" */
static inline void
flow_on(uint16_t bridge, const char *text)
{
	if (flow_mod_on(bridge, OFFC_ADD, text))
		fail_msg("%s: error %u: %s", text, last_error.id, last_error.why);
}

static inline void
flow(const char *text)
{
	flow_on(br, text);
}

static inline struct oflow
key_flow(const char *text)
{
	struct oflow f;
	struct err e = { 0 };

	if (of_parse_key(text, strlen(text), NULL, &f, &e))
		fail_msg("%s: %s", text, e.msg);
	return f;
}

static inline struct flow_key
key(const char *text)
{
	struct oflow f = key_flow(text);
	struct flow_key k;

	pipe_key_of(&f, ofp_port_by_no(s->ofp, br, host32(f.in_port)), &k);
	return k;
}

/* The program for a packet, or the reason why there is none. */
static inline const char *
run(const char *text)
{
	sim_commit(s);
	last_key = key(text);
	sim_xlate(s, &last_key);
	return s->out.acts.n ? s->text : dp_drop_info[s->out.drop].name;
}

static inline void
expect_run(const char *text, const char *program, int line)
{
	const char *got = run(text);

	if (strcmp(got, program))
		fail_msg("line %d: %s: '%s', expected '%s'", line, text, got, program);
}
#define EXPECT(key, program) expect_run(key, program, __LINE__)

/* What the last answer depended on. */
static inline void
expect_mask(const char *text, int line)
{
	char buf[2048];

	flow_format(&last_key, &s->out.mask, NULL, NULL, buf, sizeof buf);
	if (strcmp(buf, text))
		fail_msg("line %d: mask '%s', expected '%s'", line, buf, text);
}
#define EXPECT_MASK(text) expect_mask(text, __LINE__)

/* A meter that drops above so many packets a second. */
static inline void
meter_on(enum of_meter_command c, uint32_t id, uint32_t rate)
{
	const struct of_band drop = { .type = OFMBT_DROP, .rate = rate };
	const struct of_meter_mod m = { .command = (uint16_t)c, .flags = OFMF_PKTPS, .meter_id = id, .n_bands = 1,
					.bands = &drop };

	if (of_meter_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = version }, &m, &last_error))
		fail_msg("meter %u: %s", id, last_error.why);
}

/* The nth packet for the controller in the last answer. */
static inline struct of_punt
punt(unsigned nth)
{
	struct of_punt p = { 0 };

	for (unsigned i = 0; i < s->out.acts.n; i += 1 + act_n_data(s->out.acts.a[i].op, s->out.acts.a[i].arg)) {
		if (s->out.acts.a[i].op != ACT_PUNT || nth--)
			continue;
		memcpy(&p, &s->out.acts.a[i + 1], sizeof p);
		return p;
	}
	fail_msg("no such packet for the controller");
	return p;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
