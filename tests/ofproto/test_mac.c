/* SPDX-License-Identifier: Apache-2.0 */
/* MAC tables: learning, limits, ageing, static rows, and that flows follow. */
#include "tests/ofproto/expect.h"

#include <pthread.h>

#include "base/ctr.h"

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

/* Two guests claim one address, with each frame in turn. */
static void
a_fight_over_an_address_is_slowed_down(void **state)
{
	struct flow_key a = sim_key(1, 9, BCAST, NO_TAG), b = sim_key(2, 9, BCAST, NO_TAG);
	uint64_t epoch;
	unsigned n = 0;

	(void)state;
	plain_ports(3);
	meet(1, 9, NO_TAG);
	for (unsigned i = 0; i < 20000; i++) {
		epoch = s->epoch;
		sim_xlate(s, i & 1 ? &a : &b);
		if (s->out.learn.wanted)
			ofp_learn(s->ofp, &s->out.learn);
		sim_commit(s);
		n += sim_is_marked(s, &s->out, epoch);
	}
	assert_in_range(n, 1000, 2100);
	assert_int_equal(stats().moved, n);
	/* Whoever is right in the end gets the address. */
	sim_xlate(s, &a);
	if (!s->out.learn.wanted)
		sim_xlate(s, &b);
	assert_true(s->out.learn.wanted);
	ofp_learn(s->ofp, &s->out.learn);
	epoch = s->epoch;
	sim_commit(s);
	assert_false(sim_is_marked(s, &s->out, epoch));
	ofp_tick(s->ofp, clock_ms());
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	ofp_learn(s->ofp, &s->out.learn);
	assert_int_equal(stats().moved, n + 1);
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
	assert_int_equal(ofp_bridge_set(s->ofp, br, &bc, NULL), 0);
	assert_int_equal(stats().n, 2);
	assert_int_equal(stats().n_static, 2);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(97), 2, NULL), -ENOSPC);
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

/* --- Threads ---------------------------------------------------------------------------------------- */

struct polling {
	const void *view;
	uint64_t stop, n, n_wrong;
};

/* Station 2 is static on port 2: whatever else changes, frames to it go there. */
static void *
polling_thread(void *arg)
{
	struct polling *p = arg;
	struct xlate_out *out = xcalloc(1, sizeof *out);

	for (unsigned i = 0; !ctr_read(&p->stop); i++) {
		struct flow_key k = sim_key(1, 10 + i % 50, i & 1 ? 2 : 10 + i % 49, NO_TAG);

		memset(out, 0, offsetof(struct xlate_out, acts));
		out->acts.n = 0;
		out->acts.overflow = false;
		ofp_xlate.translate(p->view, &k, NULL, out);
		if (i & 1)
			ctr_add(&p->n_wrong, out->acts.n != 1 || out->acts.a[0].port != 2);
		if (out->touch)
			ofp_xlate.touch(p->view, out->touch);
		ctr_add(&p->n, 1);
	}
	free(out);
	return NULL;
}

static void
frames_are_forwarded_while_tables_change(void **state)
{
	struct polling p = { 0 };
	pthread_t t;

	(void)state;
	plain_ports(3);
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(2), 2, NULL), 0);
	sim_commit(s);
	p.view = s->view;
	assert_int_equal(pthread_create(&t, NULL, polling_thread, &p), 0);
	for (unsigned i = 0; i < 20000 || ctr_read(&p.n) < 10000; i++) {
		struct xlate_learn l = { true, br, 0, (uint16_t)(1 + i % 3), 0, sim_mac(10 + i % 50) };

		ofp_learn(s->ofp, &l);
		if (i % 100 == 0)
			ofp_mac_flush(s->ofp, br, (uint16_t)(i / 100 % 4), -1);
		if (i % 512 == 0)
			ofp_tick(s->ofp, clock_ms() + (i & 1024 ? 400 * 1000 : 0));
		/* Tags only: the view stays. */
		ofp_commit(s->ofp);
	}
	ctr_set(&p.stop, 1);
	pthread_join(t, NULL);
	assert_ptr_equal(p.view, s->view);
	assert_int_equal(p.n_wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_unknown_address_is_flooded_until_it_is_learned),
		T(learning_twice_changes_nothing),
		T(a_late_request_to_learn_is_checked_again),
		T(a_station_that_moves_takes_its_flows_along),
		T(a_fight_over_an_address_is_slowed_down),
		T(no_port_learns_above_its_limit),
		T(two_requests_for_the_last_place_do_not_both_get_it),
		T(a_full_table_forwards_what_it_cannot_learn),
		T(another_limit_keeps_the_rows_that_fit),
		T(a_port_that_does_not_learn_does_not),
		T(what_is_used_stays_and_what_is_not_goes),
		T(a_static_address_has_one_port_only),
		T(a_static_row_needs_a_port_that_fits),
		T(flushing_takes_what_it_is_told),
		T(frames_are_forwarded_while_tables_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
