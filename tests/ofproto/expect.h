/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the switch share: one bridge, expectations of programs, and flows that were cached before
 * a change. */
#ifndef TESTS_OFPROTO_EXPECT_H
#define TESTS_OFPROTO_EXPECT_H

#include <errno.h>

#include "base/clock.h"
#include "tests/ofproto/sim.h"

static struct sim *s;
static uint16_t br;

static inline int
setup(void **state)
{
	(void)state;
	s = sim_create();
	br = sim_bridge(s, "br0");
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	sim_destroy(s);
	return 0;
}

/* Expects a program, or "" and a reason. */
#define EXPECT(key, text) expect(&(key), text, DROP_NONE, __LINE__)
#define EXPECT_DROP(key, why) expect(&(key), "", why, __LINE__)

static inline void
expect(const struct flow_key *k, const char *text, enum dp_drop drop, int line)
{
	const char *got = sim_xlate(s, k);

	if (strcmp(got, text) || s->out.drop != drop)
		fail_msg("line %d: '%s' drop %d, expected '%s' drop %d", line, got, s->out.drop, text, drop);
}

/* A flow that was cached before a change: must the change reach it? */
struct cached {
	struct xlate_out *out;
	uint64_t epoch;
};

static inline struct cached
cache(const struct flow_key *k)
{
	struct cached c = { xcalloc(1, sizeof *c.out), s->epoch };

	sim_xlate_to(s, k, c.out);
	return c;
}

static inline void
expect_marked(struct cached c, bool marked, int line)
{
	sim_commit(s);
	if (sim_is_marked(s, c.out, c.epoch) != marked)
		fail_msg("line %d: the flow is %smarked", line, marked ? "not " : "");
	free(c.out);
}

#define EXPECT_MARKED(c) expect_marked(c, true, __LINE__)
#define EXPECT_LEFT_ALONE(c) expect_marked(c, false, __LINE__)

/* Ports 1..n of br0, all trunks, and stations of the same numbers behind them. */
static inline void
plain_ports(unsigned n)
{
	for (uint16_t i = 1; i <= n; i++)
		sim_port(s, br, i, "");
	sim_commit(s);
}

static inline void
meet(unsigned port, unsigned station, int tci)
{
	struct flow_key k = sim_key((uint16_t)port, station, BCAST, tci);

	sim_learn(s, &k);
}

static inline struct ofp_mac_stats
stats(void)
{
	struct ofp_mac_stats st;

	ofp_mac_stats(s->ofp, br, &st);
	return st;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
