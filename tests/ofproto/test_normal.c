/* SPDX-License-Identifier: Apache-2.0 */
/* The learning switch, rule by rule: what a frame's program is, and that each change of the switch reaches
 * the flows that depend on it. */
#include "tests/ofproto/sim.h"

#include <errno.h>

#include "base/clock.h"

static struct sim *s;
static uint16_t br;

static int
setup(void **state)
{
	(void)state;
	s = sim_create();
	br = sim_bridge(s, "br0");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sim_destroy(s);
	return 0;
}

/* Expects a program, or "" and a reason. */
#define EXPECT(key, text) expect(&(key), text, DROP_NONE, __LINE__)
#define EXPECT_DROP(key, why) expect(&(key), "", why, __LINE__)

static void
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

static struct cached
cache(const struct flow_key *k)
{
	struct cached c = { xcalloc(1, sizeof *c.out), s->epoch };

	sim_xlate_to(s, k, c.out);
	return c;
}

static void
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
static void
plain_ports(unsigned n)
{
	for (uint16_t i = 1; i <= n; i++)
		sim_port(s, br, i, "");
	sim_commit(s);
}

static void
meet(unsigned port, unsigned station, int tci)
{
	struct flow_key k = sim_key((uint16_t)port, station, BCAST, tci);

	sim_learn(s, &k);
}

static struct ofp_mac_stats
stats(void)
{
	struct ofp_mac_stats st;

	ofp_mac_stats(s->ofp, br, &st);
	return st;
}

/* --- Admission ---------------------------------------------------------------------------------- */

static void
a_port_of_no_bridge_is_refused(void **state)
{
	struct flow_key k = sim_key(9, 1, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	k.in_port = 1023;
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	k.in_port = 65535;
	EXPECT_DROP(k, DROP_NO_BRIDGE);

	struct cached c;

	k.in_port = 9;
	c = cache(&k);
	sim_port(s, br, 9, "");
	EXPECT_MARKED(c);
	EXPECT(k, "1 2");
}

static void
group_and_zero_sources_are_refused(void **state)
{
	struct flow_key k = sim_key(1, BCAST, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	EXPECT_DROP(k, DROP_SRC_MULTICAST);
	memset(&k.dl_src, 0, sizeof k.dl_src);
	EXPECT_DROP(k, DROP_SRC_MULTICAST);
	assert_false(s->out.learn.wanted);
}

static void
reserved_addresses_are_not_forwarded_unless_told(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct ofp_bridge_conf bc;
	struct cached c;

	(void)state;
	plain_ports(2);
	k.dl_dst = (struct mac){ { 0x01, 0x80, 0xc2, 0, 0, 0x0e } };
	EXPECT_DROP(k, DROP_RESERVED);
	assert_false(s->out.learn.wanted);
	c = cache(&k);
	k.dl_dst.b[5] = 0x10;
	EXPECT(k, "2");
	opt_defaults(ofp_bridge_opts, &bc);
	bc.forward_reserved = true;
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	EXPECT_MARKED(c);
	k.dl_dst.b[5] = 0;
	EXPECT(k, "2");
}

static void
tags_that_the_mode_forbids_are_refused(void **state)
{
	struct flow_key tagged = sim_key(1, 1, 2, 10), prio = sim_key(1, 1, 2, 5 << 13),
			stag = sim_key(1, 1, 2, 10);
	struct cached c;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port(s, br, 2, "tag=10");
	sim_commit(s);
	EXPECT_DROP(tagged, DROP_VLAN);
	EXPECT(prio, "pop 2");
	/* An S-tag is payload. */
	stag.vlan[0].tpid = be16(0x88a8);
	EXPECT(stag, "2");
	c = cache(&tagged);
	sim_port_set(s, 1, "trunks=10,20");
	EXPECT_MARKED(c);
	EXPECT(tagged, "pop 2");
	tagged.vlan[0].tci = be16(30);
	EXPECT_DROP(tagged, DROP_VLAN);
}

/* --- Learning ----------------------------------------------------------------------------------- */

static void
an_unknown_address_is_flooded_until_it_is_learned(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG), back = sim_key(2, 2, 1, NO_TAG);
	struct cached c;

	(void)state;
	plain_ports(3);
	EXPECT(k, "2 3");
	assert_true(s->out.learn.wanted);
	assert_int_equal(s->out.learn.port, 1);
	assert_int_equal(s->out.touch, 0);
	sim_learn(s, &k);
	EXPECT(k, "2 3");
	assert_false(s->out.learn.wanted);
	assert_int_not_equal(s->out.touch, 0);

	c = cache(&k);
	EXPECT(back, "1");
	sim_learn(s, &back);
	EXPECT_MARKED(c);
	EXPECT(k, "2");
	assert_int_equal(ofp_port_n_macs(s->ofp, 1), 1);
	assert_int_equal(stats().learned, 2);
}

static void
learning_twice_changes_nothing(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct cached c;
	struct xlate_learn l;

	(void)state;
	plain_ports(2);
	sim_xlate(s, &k);
	l = s->out.learn;
	ofp_learn(s->ofp, &l);
	sim_commit(s);
	c = cache(&k);
	ofp_learn(s->ofp, &l);
	EXPECT_LEFT_ALONE(c);
	assert_int_equal(stats().n, 1);
	assert_int_equal(stats().learned, 1);
}

static void
a_late_request_to_learn_is_checked_again(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, 10);
	struct xlate_learn l;

	(void)state;
	plain_ports(2);
	sim_xlate(s, &k);
	l = s->out.learn;
	assert_true(l.wanted);
	sim_port_set(s, 1, "trunks=20");
	ofp_learn(s->ofp, &l);
	sim_port_set(s, 1, "learning=false");
	ofp_learn(s->ofp, &l);
	sim_port_set(s, 1, "");
	ofp_port_set_up(s->ofp, 1, false);
	ofp_learn(s->ofp, &l);
	ofp_port_del(s->ofp, 1);
	ofp_learn(s->ofp, &l);
	l.bridge = 200;
	ofp_learn(s->ofp, &l);
	l.bridge = br;
	l.port = 2;
	l.tun_dst = 5;
	ofp_learn(s->ofp, &l);
	l.tun_dst = 0;
	l.mac = sim_mac(BCAST);
	ofp_learn(s->ofp, &l);
	assert_int_equal(stats().n, 0);
}

static void
a_station_that_moves_takes_its_flows_along(void **state)
{
	struct flow_key to = sim_key(2, 2, 1, NO_TAG), from = sim_key(1, 1, 2, NO_TAG),
			moved = sim_key(3, 1, 2, NO_TAG);
	struct cached c_to, c_from;

	(void)state;
	plain_ports(3);
	meet(1, 1, NO_TAG);
	meet(2, 2, NO_TAG);
	EXPECT(to, "1");
	c_to = cache(&to);
	c_from = cache(&from);
	EXPECT(moved, "2");
	assert_true(s->out.learn.wanted);
	sim_learn(s, &moved);
	EXPECT_MARKED(c_to);
	EXPECT_MARKED(c_from);
	EXPECT(to, "3");
	assert_int_equal(stats().moved, 1);
	assert_int_equal(ofp_port_n_macs(s->ofp, 1), 0);
	assert_int_equal(ofp_port_n_macs(s->ofp, 3), 1);
}

static void
no_port_learns_above_its_limit(void **state)
{
	struct flow_key second = sim_key(1, 11, 2, NO_TAG), first = sim_key(1, 10, 2, NO_TAG),
			away = sim_key(2, 10, 3, NO_TAG);
	struct cached c;

	(void)state;
	plain_ports(3);
	sim_port_set(s, 1, "mac-limit=1");
	sim_commit(s);
	meet(1, 10, NO_TAG);
	EXPECT_DROP(second, DROP_MAC_LIMIT);
	assert_false(s->out.learn.wanted);
	EXPECT(first, "2 3");
	/* An address that moves here from elsewhere is new here. */
	meet(2, 11, NO_TAG);
	EXPECT_DROP(second, DROP_MAC_LIMIT);
	/* One that leaves makes room. */
	c = cache(&second);
	sim_learn(s, &away);
	EXPECT_MARKED(c);
	EXPECT(second, "2 3");
	assert_true(s->out.learn.wanted);
}

static void
two_requests_for_the_last_place_do_not_both_get_it(void **state)
{
	struct flow_key a = sim_key(1, 10, 2, NO_TAG), b = sim_key(1, 11, 2, NO_TAG);
	struct cached ca, cb;

	(void)state;
	plain_ports(2);
	sim_port_set(s, 1, "mac-limit=1");
	sim_commit(s);
	ca = cache(&a);
	cb = cache(&b);
	assert_true(ca.out->learn.wanted && cb.out->learn.wanted);
	ofp_learn(s->ofp, &ca.out->learn);
	ofp_learn(s->ofp, &cb.out->learn);
	EXPECT_MARKED(ca);
	EXPECT_MARKED(cb);
	EXPECT_DROP(b, DROP_MAC_LIMIT);
	assert_int_equal(stats().refused, 1);
}

static void
a_full_table_forwards_what_it_cannot_learn(void **state)
{
	struct flow_key k = sim_key(2, 12, 10, NO_TAG);
	struct ofp_bridge_conf bc;
	struct cached c;

	(void)state;
	plain_ports(3);
	opt_defaults(ofp_bridge_opts, &bc);
	bc.mac_limit = 2;
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	sim_commit(s);
	meet(1, 10, NO_TAG);
	meet(1, 11, NO_TAG);
	EXPECT(k, "1");
	assert_false(s->out.learn.wanted);
	assert_true(stats().refused > 0);
	c = cache(&k);
	assert_int_equal(ofp_mac_del(s->ofp, br, 0, sim_mac(11), NULL), 0);
	EXPECT_MARKED(c);
	EXPECT(k, "1");
	assert_true(s->out.learn.wanted);
}

static void
another_limit_keeps_the_rows_that_fit(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct ofp_bridge_conf bc;
	struct cached c;

	(void)state;
	plain_ports(2);
	for (unsigned i = 1; i <= 20; i++)
		meet(1, i, NO_TAG);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(99), 2, NULL), 0);
	opt_defaults(ofp_bridge_opts, &bc);
	bc.mac_limit = 100000;
	c = cache(&k);
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	EXPECT_MARKED(c);
	assert_int_equal(stats().n, 21);
	bc.mac_limit = 5;
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	sim_commit(s);
	assert_int_equal(stats().n, 5);
	assert_int_equal(stats().n_static, 1);
	assert_int_equal(ofp_port_n_macs(s->ofp, 1), 4);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(98), 2, NULL), 0);
	assert_int_equal(stats().n, 5);
	bc.mac_limit = 1;
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), -ERANGE);
	assert_int_equal(stats().n, 5);
}

static void
a_port_that_does_not_learn_does_not(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	meet(1, 1, NO_TAG);
	sim_port_set(s, 1, "learning=false");
	sim_commit(s);
	EXPECT(k, "2");
	assert_false(s->out.learn.wanted);
	assert_int_equal(stats().n, 0);
}

static void
what_is_used_stays_and_what_is_not_goes(void **state)
{
	struct flow_key from = sim_key(1, 1, 2, NO_TAG), to = sim_key(2, 2, 1, NO_TAG);
	uint64_t now = clock_ms();
	struct cached c;

	(void)state;
	plain_ports(2);
	meet(1, 1, NO_TAG);
	meet(2, 2, NO_TAG);
	ofp_tick(s->ofp, now + 299 * 1000);
	assert_int_equal(stats().n, 2);
	EXPECT(from, "2");
	ofp_xlate.touch(s->view, s->out.touch);
	EXPECT(to, "1");
	c = cache(&to);
	ofp_tick(s->ofp, now + 302 * 1000);
	EXPECT_MARKED(c);
	assert_int_equal(stats().n, 0);
	assert_int_equal(stats().aged, 2);
	/* Of a row that is gone. */
	ofp_xlate.touch(s->view, s->out.touch);
	ofp_xlate.touch(s->view, ~(uint64_t)0);
	ofp_xlate.touch(s->view, 1);
}

/* --- Static rows -------------------------------------------------------------------------------- */

static void
a_static_address_has_one_port_only(void **state)
{
	struct flow_key good = sim_key(1, 1, 2, NO_TAG), spoofed = sim_key(2, 1, 3, NO_TAG),
			to = sim_key(2, 2, 1, NO_TAG);
	struct cached c, c_to;

	(void)state;
	plain_ports(3);
	c = cache(&spoofed);
	c_to = cache(&to);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(1), 1, NULL), 0);
	EXPECT_MARKED(c);
	EXPECT_MARKED(c_to);
	EXPECT(good, "2 3");
	assert_false(s->out.learn.wanted);
	EXPECT_DROP(spoofed, DROP_SRC_STATIC);
	EXPECT(to, "1");
	ofp_tick(s->ofp, clock_ms() + 10000000);
	assert_int_equal(ofp_mac_flush(s->ofp, br, 0, -1), 0);
	assert_int_equal(stats().n_static, 1);
	/* The port being down does not move it either. */
	ofp_port_set_up(s->ofp, 1, false);
	sim_commit(s);
	EXPECT_DROP(to, DROP_TX_DOWN);
	c = cache(&spoofed);
	assert_int_equal(ofp_mac_del(s->ofp, br, 0, sim_mac(1), NULL), 0);
	EXPECT_MARKED(c);
	EXPECT(spoofed, "3");
}

static void
a_static_row_needs_a_port_that_fits(void **state)
{
	struct err e = { 0 };

	(void)state;
	plain_ports(1);
	sim_port(s, br, 2, "tag=10");
	assert_int_equal(ofp_mac_add(s->ofp, 77, 0, sim_mac(1), 1, &e), -ENOENT);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(1), 9, &e), -ENOENT);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(BCAST), 1, &e), -EINVAL);
	assert_int_equal(ofp_mac_add(s->ofp, br, 20, sim_mac(1), 2, &e), -EINVAL);
	assert_int_equal(ofp_mac_add(s->ofp, br, 10, sim_mac(1), 2, &e), 0);
	assert_int_equal(ofp_mac_del(s->ofp, br, 0, sim_mac(1), &e), -ENOENT);
}

static void
count_row(void *arg, const struct ofp_mac *m)
{
	struct ofp_mac *last = arg;

	if (last->vid)
		assert_true(m->vid > last->vid || mac_u64(m->mac) > mac_u64(last->mac));
	*last = *m;
	last->moves = 1;
}

static void
flushing_takes_what_it_is_told(void **state)
{
	struct ofp_mac last = { 0 };
	struct flow_key to = sim_key(2, 50, 1, 10);
	struct cached c;

	(void)state;
	plain_ports(3);
	for (unsigned i = 1; i <= 5; i++) {
		meet(1, i, 10);
		meet(1, i, 20);
		meet(2, 50 + i, 10);
	}
	assert_int_equal(ofp_mac_add(s->ofp, br, 10, sim_mac(70), 1, NULL), 0);
	ofp_mac_each(s->ofp, br, count_row, &last);
	assert_int_equal(last.vid, 20);
	assert_int_equal(last.port, 1);
	sim_commit(s);
	EXPECT(to, "1");
	c = cache(&to);
	assert_int_equal(ofp_mac_flush(s->ofp, br, 1, 20), 5);
	EXPECT_LEFT_ALONE(c);
	c = cache(&to);
	assert_int_equal(ofp_mac_flush(s->ofp, br, 1, -1), 5);
	EXPECT_MARKED(c);
	EXPECT(to, "1 3");
	assert_int_equal(ofp_mac_flush(s->ofp, br, 0, 10), 5);
	assert_int_equal(stats().n, 1);
	assert_int_equal(stats().flushed, 15);
}

/* --- Forwarding --------------------------------------------------------------------------------- */

static void
a_frame_never_goes_back_where_it_came_from(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);

	(void)state;
	plain_ports(2);
	meet(1, 2, NO_TAG);
	EXPECT_DROP(k, DROP_SAME_PORT);
}

static void
protected_ports_see_nothing_of_each_other(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG), all = sim_key(1, 1, BCAST, NO_TAG);
	struct cached c, c_all;

	(void)state;
	plain_ports(3);
	meet(2, 2, NO_TAG);
	EXPECT(k, "2");
	c = cache(&k);
	c_all = cache(&all);
	sim_port_set(s, 1, "protected=true");
	sim_port_set(s, 2, "protected=true");
	EXPECT_MARKED(c);
	EXPECT_MARKED(c_all);
	EXPECT_DROP(k, DROP_PROTECTED);
	EXPECT(all, "3");
	sim_port_set(s, 3, "protected=true");
	sim_commit(s);
	EXPECT_DROP(all, DROP_NO_DEST);
}

static void
floods_reach_the_ports_that_want_them(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10), multi = sim_key(1, 1, 2, 10);
	struct cached c;

	(void)state;
	plain_ports(5);
	multi.dl_dst = (struct mac){ { 0x33, 0x33, 0, 0, 0, 1 } };
	EXPECT(k, "2 3 4 5");
	EXPECT(multi, "2 3 4 5");
	c = cache(&k);
	sim_port_set(s, 3, "flood=false");
	EXPECT_MARKED(c);
	c = cache(&k);
	ofp_port_set_up(s->ofp, 4, false);
	EXPECT_MARKED(c);
	EXPECT(k, "2 5");
	c = cache(&k);
	sim_port_set(s, 5, "trunks=20");
	EXPECT_MARKED(c);
	EXPECT(k, "2");
	c = cache(&k);
	ofp_port_del(s->ofp, 2);
	EXPECT_MARKED(c);
	EXPECT_DROP(k, DROP_NO_DEST);
	c = cache(&k);
	ofp_port_set_up(s->ofp, 4, true);
	EXPECT_MARKED(c);
	EXPECT(k, "4");
}

static void
a_port_that_goes_down_is_forgotten_at_once(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG), other = sim_key(1, 1, 3, NO_TAG);
	struct cached c, c_other;

	(void)state;
	plain_ports(4);
	meet(1, 1, NO_TAG);
	meet(2, 2, NO_TAG);
	meet(3, 3, NO_TAG);
	EXPECT(k, "2");
	EXPECT(other, "3");
	c = cache(&k);
	c_other = cache(&other);
	ofp_port_set_up(s->ofp, 2, false);
	EXPECT_MARKED(c);
	/* Unicast between other ports goes on undisturbed. */
	EXPECT_LEFT_ALONE(c_other);
	EXPECT(k, "3 4");
	assert_int_equal(ofp_port_n_macs(s->ofp, 2), 0);
}

static void
a_deleted_bridge_forwards_nothing(void **state)
{
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	struct cached c;
	uint16_t again;

	(void)state;
	plain_ports(2);
	meet(1, 1, NO_TAG);
	c = cache(&k);
	ofp_bridge_del(s->ofp, br);
	EXPECT_MARKED(c);
	EXPECT_DROP(k, DROP_NO_BRIDGE);
	again = sim_bridge(s, "br0");
	assert_int_equal(again, br);
	plain_ports(2);
	EXPECT(k, "2");
	assert_true(s->out.learn.wanted);
}

/* --- Tags on the way out ------------------------------------------------------------------------- */

static void
tag_changes_are_made_once_for_all_who_need_them(void **state)
{
	struct flow_key tagged = sim_key(1, 1, BCAST, 10), untagged = sim_key(2, 2, BCAST, NO_TAG);

	(void)state;
	sim_port(s, br, 1, "");
	sim_port(s, br, 2, "tag=10");
	sim_port(s, br, 3, "tag=10");
	sim_port(s, br, 4, "trunks=10,20");
	sim_port(s, br, 5, "vlan-mode=native-tagged tag=10");
	sim_port(s, br, 6, "vlan-mode=native-untagged tag=10");
	sim_port(s, br, 7, "tag=20");
	sim_commit(s);
	EXPECT(tagged, "4 5 pop 2 3 6");
	EXPECT(untagged, "3 6 push10 1 4 5");
}

static void
priority_bits_do_not_split_flows(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 5 << 13 | 10), prio = sim_key(2, 1, BCAST, 5 << 13), want = { 0 };

	(void)state;
	sim_port(s, br, 1, "");
	sim_port(s, br, 2, "tag=10");
	sim_port(s, br, 3, "");
	sim_commit(s);
	EXPECT(k, "3 pop 2");
	want.in_port = 0xffff;
	memset(&want.dl_src, 0xff, 6);
	memset(&want.dl_dst, 0xff, 6);
	want.vlan[0].tpid = 0xffff;
	want.vlan[0].tci = be16(0xfff);
	assert_memory_equal(&s->out.mask, &want, sizeof want);
	/* The tag of a priority-tagged frame is used on, so its priority arrives. */
	EXPECT(prio, "set10 1 3");
	assert_memory_equal(&s->out.mask, &want, sizeof want);
}

/* --- Patch ports -------------------------------------------------------------------------------- */

static void
patch_ports_lead_into_the_other_bridge(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG), back = sim_key(21, 2, 1, 10), uni = sim_key(1, 1, 2, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");
	struct cached c;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port(s, br, 2, "tag=10");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port(s, b2, 21, "");
	sim_port(s, b2, 22, "tag=10");
	sim_commit(s);
	EXPECT(k, "2");
	c = cache(&k);
	sim_patch(s, 10, 20);
	EXPECT_MARKED(c);
	/* Untagged in, tag 10 on the patch, untagged again at 22: nothing is done to what leaves as it came. */
	EXPECT(k, "2 22 push10 21");

	/* Both bridges learn, one after the other. */
	assert_int_equal(s->out.learn.bridge, br);
	sim_learn(s, &k);
	assert_int_equal(ofp_port_n_macs(s->ofp, 1), 1);
	assert_int_equal(ofp_port_n_macs(s->ofp, 20), 1);
	EXPECT(back, "pop 1");
	sim_learn(s, &back);
	EXPECT(uni, "push10 21");

	c = cache(&uni);
	ofp_port_set_up(s->ofp, 21, false);
	EXPECT_MARKED(c);
	EXPECT(uni, "22");
	c = cache(&uni);
	ofp_port_set_up(s->ofp, 20, false);
	EXPECT_MARKED(c);
	EXPECT_DROP(uni, DROP_TX_DOWN);
	c = cache(&uni);
	ofp_port_del(s->ofp, 20);
	EXPECT_MARKED(c);
	EXPECT_DROP(uni, DROP_NO_DEST);
}

static void
vlans_are_translated_in_place_between_bridges(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10), stacked = sim_key(1, 1, BCAST, 10);
	uint16_t b2 = sim_bridge(s, "br1");

	(void)state;
	sim_port(s, br, 1, "");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "tag=10");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "tag=20");
	sim_port(s, b2, 21, "");
	sim_port(s, b2, 22, "tag=20");
	sim_patch(s, 10, 20);
	sim_commit(s);
	EXPECT(k, "{set20 21} pop 22");
	/* With its outer tag off, a frame with two tags has one: the access port there refuses it. */
	stacked.vlan[1].tpid = be16(0x8100);
	stacked.vlan[1].tci = be16(30);
	EXPECT_DROP(stacked, DROP_NO_DEST);
	assert_int_equal(s->out.mask.vlan[1].tpid, 0xffff);
	sim_port_set(s, 20, "");
	sim_commit(s);
	EXPECT(stacked, "pop 21");
	stacked.vlan[1].tci = be16(20);
	EXPECT(stacked, "{pop 21} pop pop 22");
}

static void
more_tags_than_the_key_shows_are_refused(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10);
	uint16_t b2 = sim_bridge(s, "br1"), b3 = sim_bridge(s, "br2");

	(void)state;
	sim_port(s, br, 1, "");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "tag=10");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 21, OFP_PORT_PATCH, "tag=11");
	sim_port_kind(s, b3, 30, OFP_PORT_PATCH, "");
	sim_port(s, b3, 31, "");
	sim_patch(s, 10, 20);
	sim_patch(s, 21, 30);
	sim_commit(s);
	k.vlan[1].tpid = be16(0x8100);
	k.vlan[1].tci = be16(11);
	EXPECT(k, "pop pop 31");
	k.dl_type = be16(0x8100);
	EXPECT_DROP(k, DROP_NO_DEST);
	assert_int_equal(s->out.mask.dl_type, 0xffff);
}

static void
a_loop_of_patch_ports_stops_the_frame(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");

	(void)state;
	sim_port(s, br, 1, "");
	for (uint16_t i = 0; i < 8; i++) {
		sim_port_kind(s, br, 10 + i, OFP_PORT_PATCH, "");
		sim_port_kind(s, b2, 20 + i, OFP_PORT_PATCH, "");
		sim_patch(s, 10 + i, 20 + i);
	}
	sim_commit(s);
	EXPECT_DROP(k, DROP_PATCH_LOOP);
	/* Nothing is learned from a frame that goes in circles. */
	assert_false(s->out.learn.wanted);
}

static void
a_long_chain_of_bridges_ends(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b = br;

	(void)state;
	sim_port(s, br, 1, "");
	for (uint16_t i = 1; i <= 9; i++) {
		char name[8];

		snprintf(name, sizeof name, "c%u", i);
		sim_port_kind(s, b, 100 + i, OFP_PORT_PATCH, "");
		b = sim_bridge(s, name);
		sim_port_kind(s, b, 200 + i, OFP_PORT_PATCH, "");
		sim_port(s, b, 300 + i, "");
		sim_patch(s, 100 + i, 200 + i);
		sim_commit(s);
		if (i <= 8)
			assert_true(strlen(sim_xlate(s, &k)) > 0);
	}
	EXPECT_DROP(k, DROP_PATCH_LOOP);
}

static void
a_wide_tree_of_bridges_is_bounded(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t prev = br, port = 10;

	(void)state;
	/* Six patches from each bridge to the next: 6 + 36 + 216 + 1296 ways. */
	sim_port(s, br, 1, "");
	for (unsigned depth = 0; depth < 4; depth++) {
		char name[8];
		uint16_t b;

		snprintf(name, sizeof name, "t%u", depth);
		b = sim_bridge(s, name);
		for (unsigned i = 0; i < 6; i++, port = (uint16_t)(port + 2)) {
			sim_port_kind(s, prev, port, OFP_PORT_PATCH, "");
			/* One way only, else it is a loop. */
			sim_port_kind(s, b, port + 1, OFP_PORT_PATCH, "flood=false");
			sim_patch(s, port, port + 1);
		}
		prev = b;
	}
	sim_commit(s);
	EXPECT_DROP(k, DROP_RECURSION);
}

static void
use_is_seen_behind_patch_ports(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");
	uint64_t start = clock_ms();
	struct ofp_mac_stats st;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port(s, b2, 21, "");
	sim_patch(s, 10, 20);
	sim_commit(s);
	sim_learn(s, &k);
	/* Stamps have milliseconds: let one pass. */
	while (clock_ms() < start + 3)
		;
	ofp_xlate.touch(s->view, s->out.touch);
	ofp_tick(s->ofp, start + 300 * 1000 + 2);
	ofp_mac_stats(s->ofp, b2, &st);
	assert_int_equal(st.n, 1);
	assert_int_equal(stats().n, 1);
	ofp_tick(s->ofp, start + 400 * 1000);
	ofp_mac_stats(s->ofp, b2, &st);
	assert_int_equal(st.n, 0);
}

/* --- Tunnels ------------------------------------------------------------------------------------ */

static void
path(uint32_t dst, uint16_t underlay, unsigned next_hop)
{
	struct ofp_tun_path p = { .underlay_port = underlay, .src = sim_mac(0x900) };

	if (next_hop)
		p.next_hop = sim_mac(next_hop);
	ofp_set_tun_path(s->ofp, dst, &p);
}

/* Tunnel port 7 to destinations 1 and 2, out of kernel interface 9. */
static void
tunnel(void)
{
	plain_ports(2);
	sim_port_kind(s, br, 7, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 1, 2 }, 2);
	path(1, 9, 0x901);
	path(2, 9, 0x902);
	sim_commit(s);
}

static struct flow_key
from_tunnel(unsigned src, unsigned dst, uint32_t peer)
{
	struct flow_key k = sim_key(7, src, dst, NO_TAG);

	k.tun_peer = peer;
	return k;
}

static void
floods_go_to_each_end_of_a_tunnel(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	struct cached c;

	(void)state;
	tunnel();
	EXPECT(k, "2 {tun7/1 9} tun7/2 9");
	c = cache(&k);
	path(2, 9, 0);
	EXPECT_MARKED(c);
	EXPECT(k, "2 {tun7/1 9} tun7/2");
	c = cache(&k);
	path(1, 0, 0x901);
	EXPECT_MARKED(c);
	EXPECT(k, "2 {tun7/1} tun7/2");
	c = cache(&k);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 2 }, 1);
	EXPECT_MARKED(c);
	EXPECT(k, "2 tun7/2");
	ofp_port_set_tun_dsts(s->ofp, 7, NULL, 0);
	sim_commit(s);
	EXPECT(k, "2");
}

static void
a_learned_address_gets_one_copy(void **state)
{
	struct flow_key in = from_tunnel(5, BCAST, 2), k = sim_key(1, 1, 5, NO_TAG), again = from_tunnel(5, BCAST, 1);
	struct cached c;

	(void)state;
	tunnel();
	EXPECT(in, "1 2");
	assert_int_equal(s->out.learn.tun_dst, 2);
	assert_int_equal(s->out.mask.tun_peer, 0xffffffff);
	c = cache(&k);
	sim_learn(s, &in);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/2 9");
	c = cache(&k);
	path(2, 8, 0x902);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/2 8");
	/* It moves to the other host. */
	c = cache(&k);
	EXPECT(again, "1 2");
	assert_true(s->out.learn.wanted);
	sim_learn(s, &again);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/1 9");
	assert_int_equal(stats().moved, 1);
	/* The other host is taken out of the list. */
	c = cache(&k);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 2 }, 1);
	EXPECT_MARKED(c);
	assert_int_equal(stats().n, 0);
	EXPECT(k, "2 tun7/2 8");
}

static void
a_static_address_behind_a_tunnel_gets_a_copy_at_each_end(void **state)
{
	struct flow_key k = sim_key(1, 1, 5, NO_TAG), in = from_tunnel(5, 1, 2);

	(void)state;
	tunnel();
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(5), 7, NULL), 0);
	sim_commit(s);
	EXPECT(k, "{tun7/1 9} tun7/2 9");
	EXPECT(in, "1 2");
	assert_false(s->out.learn.wanted);
}

static void
nothing_from_a_tunnel_goes_into_a_tunnel(void **state)
{
	struct flow_key in = from_tunnel(5, BCAST, 1), uni = from_tunnel(5, 6, 1), same = from_tunnel(5, 8, 1);
	struct flow_key other = sim_key(17, 6, BCAST, NO_TAG);

	(void)state;
	tunnel();
	sim_port_kind(s, br, 17, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 17, (const uint32_t[]){ 3 }, 1);
	path(3, 9, 0x903);
	sim_commit(s);
	EXPECT(in, "1 2");
	other.tun_peer = 3;
	sim_learn(s, &other);
	EXPECT_DROP(uni, DROP_SPLIT_HORIZON);
	/* Behind another end of the same tunnel port. */
	in = from_tunnel(8, BCAST, 2);
	sim_learn(s, &in);
	EXPECT_DROP(same, DROP_SAME_PORT);
}

static void
tunnel_ports_tag_like_any_other(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10);

	(void)state;
	tunnel();
	sim_port_set(s, 7, "tag=10");
	sim_port_set(s, 2, "tag=10");
	sim_port(s, br, 3, "");
	sim_commit(s);
	EXPECT(k, "3 pop 2 {tun7/1 9} tun7/2 9");
	sim_port_set(s, 7, "");
	sim_commit(s);
	EXPECT(k, "3 {tun7/1 9} {tun7/2 9} pop 2");
}

static void
an_underlay_behind_a_bridge_costs_no_second_lookup(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG), uni = sim_key(1, 1, 5, NO_TAG), in = from_tunnel(5, BCAST, 1);
	struct flow_key nh = sim_key(31, 0x901, BCAST, 100);
	uint16_t phys = sim_bridge(s, "phys");
	struct cached c, c_uni;

	(void)state;
	tunnel();
	sim_port_kind(s, phys, 30, OFP_PORT_INTERNAL, "tag=100");
	sim_port(s, phys, 31, "");
	sim_port(s, phys, 32, "tag=100");
	path(1, 30, 0x901);
	sim_commit(s);
	EXPECT(k, "2 {tun7/1 32 push100 31} tun7/2 9");
	sim_learn(s, &in);
	EXPECT(uni, "tun7/1 32 push100 31");
	assert_true(s->out.tags[0] != dp_tag_make(TAG_ALL, 0));

	c = cache(&k);
	c_uni = cache(&uni);
	sim_learn(s, &nh);
	EXPECT_MARKED(c);
	EXPECT_MARKED(c_uni);
	EXPECT(uni, "tun7/1 push100 31");
	/* Unicast flows have tags enough for all that. */
	assert_true(s->out.tags[0] != dp_tag_make(TAG_ALL, 0));

	c_uni = cache(&uni);
	ofp_port_set_up(s->ofp, 30, false);
	EXPECT_MARKED(c_uni);
	sim_xlate(s, &uni);
	assert_int_equal(s->out.acts.a[s->out.acts.n - 1].op, ACT_DROP);
	assert_int_equal(s->out.acts.a[s->out.acts.n - 1].arg, DROP_TX_DOWN);
}

static void
a_tunnel_through_its_own_bridge_ends(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);

	(void)state;
	tunnel();
	sim_port_kind(s, br, 30, OFP_PORT_INTERNAL, "");
	path(1, 30, 0x901);
	path(2, 30, 0x902);
	sim_commit(s);
	EXPECT_DROP(k, DROP_PATCH_LOOP);
}

static void
more_copies_than_a_program_holds_are_refused_whole(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint32_t dst[900];

	(void)state;
	plain_ports(2);
	for (unsigned i = 0; i < ARRAY_SIZE(dst); i++) {
		dst[i] = i + 1;
		path(i + 1, 9, 0x901);
	}
	sim_port_kind(s, br, 7, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 7, dst, 500);
	sim_commit(s);
	sim_xlate(s, &k);
	assert_int_equal(s->out.acts.n, 1 + 3 * 500 - 1);
	ofp_port_set_tun_dsts(s->ofp, 7, dst, 900);
	sim_commit(s);
	EXPECT_DROP(k, DROP_RECURSION);
}

/* --- The rest ----------------------------------------------------------------------------------- */

static void
the_port_mask_covers_what_is_examined(void **state)
{
	struct flow_key m = { 0 }, want = { .in_port = 0xffff };

	(void)state;
	tunnel();
	ofp_xlate.port_mask(s->view, 50, &m);
	assert_memory_equal(&m, &want, sizeof m);
	memset(&want.dl_src, 0xff, 6);
	memset(&want.dl_dst, 0xff, 6);
	want.vlan[0].tpid = 0xffff;
	want.vlan[0].tci = be16(0xfff);
	memset(&m, 0, sizeof m);
	ofp_xlate.port_mask(s->view, 1, &m);
	assert_memory_equal(&m, &want, sizeof m);
	memset(&m, 0, sizeof m);
	want.tun_peer = ~0u;
	ofp_xlate.port_mask(s->view, 7, &m);
	assert_memory_equal(&m, &want, sizeof m);
}

static void
a_commit_without_changes_publishes_nothing(void **state)
{
	struct ofp_tun_path p = { .underlay_port = 9, .src = sim_mac(0x900), .next_hop = sim_mac(0x901) };
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	unsigned n;

	(void)state;
	tunnel();
	n = s->n_views;
	ofp_commit(s->ofp);
	ofp_port_set_up(s->ofp, 1, true);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 1, 2 }, 2);
	ofp_set_tun_path(s->ofp, 1, &p);
	ofp_commit(s->ofp);
	assert_int_equal(s->n_views, n);
	/* Nor does learning: tables are shared by views. */
	sim_learn(s, &k);
	assert_int_equal(s->n_views, n);
}

static void
wrong_settings_are_refused_with_a_reason(void **state)
{
	struct ofp_port_conf c = sim_port_conf(""), bad = c;
	struct ofp_bridge_conf bc;
	struct err e = { 0 };
	uint16_t id;

	(void)state;
	plain_ports(1);
	bad.vlan_mode = OFP_VLAN_ACCESS;
	assert_int_equal(ofp_port_add(s->ofp, br, 5, OFP_PORT_PLAIN, &bad, &e), -EINVAL);
	assert_int_equal(ofp_port_add(s->ofp, br, 1, OFP_PORT_PLAIN, &c, &e), -EEXIST);
	assert_int_equal(ofp_port_add(s->ofp, 99, 5, OFP_PORT_PLAIN, &c, &e), -ENOENT);
	assert_int_equal(ofp_port_add(s->ofp, br, 0, OFP_PORT_PLAIN, &c, &e), -ERANGE);
	assert_int_equal(ofp_port_add(s->ofp, br, 1024, OFP_PORT_PLAIN, &c, &e), -ERANGE);
	assert_int_equal(ofp_port_set(s->ofp, 5, &c, &e), -ENOENT);
	assert_int_equal(ofp_port_set(s->ofp, 1, &bad, &e), -EINVAL);
	opt_defaults(ofp_bridge_opts, &bc);
	assert_int_equal(ofp_bridge_add(s->ofp, "br0", &bc, &id, &e), -EEXIST);
	bc.hwaddr = sim_mac(BCAST);
	assert_int_equal(ofp_bridge_add(s->ofp, "br1", &bc, &id, &e), -EINVAL);
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, &e), -EINVAL);
	assert_int_equal(ofp_bridge_set(s->ofp, 99, &(struct ofp_bridge_conf){ .mac_limit = 1 }, &e), -ENOENT);
}

static void
a_bridge_has_an_address_that_stays(void **state)
{
	struct ofp_bridge_conf bc;
	struct mac a = ofp_hwaddr_make("br0"), b = ofp_hwaddr_make("br1");

	(void)state;
	assert_true(mac_equal(a, ofp_bridge_hwaddr(s->ofp, br)));
	assert_true(mac_equal(a, ofp_hwaddr_make("br0")));
	assert_false(mac_equal(a, b));
	assert_int_equal(a.b[0] & 3, 2);
	opt_defaults(ofp_bridge_opts, &bc);
	bc.hwaddr = sim_mac(3);
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	assert_true(mac_equal(sim_mac(3), ofp_bridge_hwaddr(s->ofp, br)));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_port_of_no_bridge_is_refused),
		T(group_and_zero_sources_are_refused),
		T(reserved_addresses_are_not_forwarded_unless_told),
		T(tags_that_the_mode_forbids_are_refused),
		T(an_unknown_address_is_flooded_until_it_is_learned),
		T(learning_twice_changes_nothing),
		T(a_late_request_to_learn_is_checked_again),
		T(a_station_that_moves_takes_its_flows_along),
		T(no_port_learns_above_its_limit),
		T(two_requests_for_the_last_place_do_not_both_get_it),
		T(a_full_table_forwards_what_it_cannot_learn),
		T(another_limit_keeps_the_rows_that_fit),
		T(a_port_that_does_not_learn_does_not),
		T(what_is_used_stays_and_what_is_not_goes),
		T(a_static_address_has_one_port_only),
		T(a_static_row_needs_a_port_that_fits),
		T(flushing_takes_what_it_is_told),
		T(a_frame_never_goes_back_where_it_came_from),
		T(protected_ports_see_nothing_of_each_other),
		T(floods_reach_the_ports_that_want_them),
		T(a_port_that_goes_down_is_forgotten_at_once),
		T(a_deleted_bridge_forwards_nothing),
		T(tag_changes_are_made_once_for_all_who_need_them),
		T(priority_bits_do_not_split_flows),
		T(patch_ports_lead_into_the_other_bridge),
		T(vlans_are_translated_in_place_between_bridges),
		T(more_tags_than_the_key_shows_are_refused),
		T(a_loop_of_patch_ports_stops_the_frame),
		T(a_long_chain_of_bridges_ends),
		T(a_wide_tree_of_bridges_is_bounded),
		T(use_is_seen_behind_patch_ports),
		T(floods_go_to_each_end_of_a_tunnel),
		T(a_learned_address_gets_one_copy),
		T(a_static_address_behind_a_tunnel_gets_a_copy_at_each_end),
		T(nothing_from_a_tunnel_goes_into_a_tunnel),
		T(tunnel_ports_tag_like_any_other),
		T(an_underlay_behind_a_bridge_costs_no_second_lookup),
		T(a_tunnel_through_its_own_bridge_ends),
		T(more_copies_than_a_program_holds_are_refused_whole),
		T(the_port_mask_covers_what_is_examined),
		T(a_commit_without_changes_publishes_nothing),
		T(wrong_settings_are_refused_with_a_reason),
		T(a_bridge_has_an_address_that_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
