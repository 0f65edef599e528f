/* SPDX-License-Identifier: Apache-2.0 */
/* Receive queues that go from one polling thread to another under traffic, where the operator wants them and where
 * there is time for them. */
#include "datapath/dp_priv.h"

#include "execenv.h"
#include "frame_port.h"

enum { MOVES = 16, SEQ_AT = 44 };

static unsigned
cpu_of(uint16_t p)
{
	struct dp_rxq q[16];

	for (unsigned i = dp_rxqs(dp, q, ARRAY_SIZE(q)); i-- > 0;)
		if (q[i].port == p)
			return q[i].moving ? UINT32_MAX : q[i].cpu;
	fail_msg("port %u has no queue", p);
	return 0;
}

static void
wait_for_cpu(uint16_t p, unsigned cpu)
{
	for (uint64_t end = clock_ms() + WAIT_MS; cpu_of(p) != cpu && clock_ms() < end;)
		control_once();
	assert_int_equal(cpu_of(p), cpu);
}

static void
port_1_to_2(void)
{
	struct rules *r = new_rules();

	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
}

/* --- Traffic --------------------------------------------------------------------------------------------------- */

/* Numbered frames into port 1, from a thread of its own. */
struct sender {
	pthread_t thread;
	bool stop;
	bool frames, fresh;
	uint32_t sent;
};

static void *
send_numbers(void *arg)
{
	struct sender *s = arg;
	struct fb f = udp_frame(4);

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		uint32_t n = s->sent + 1;

		memcpy(f.b + SEQ_AT, &n, sizeof n);
		/* Each of a flow that nobody has seen yet. */
		if (s->fresh)
			memcpy(f.b + 1, &n, sizeof n);
		if (s->frames ? frame_port_put(port[1], 0, f.b, f.n, 0, 0, NULL) : mem_port_send(port[1], f.b, f.n))
			s->sent = n;
		else
			poll(NULL, 0, 1);
		if (!(n % 64))
			poll(NULL, 0, 1);
	}
	return NULL;
}

struct seen {
	uint32_t n, last;
};

static void
take_numbers(struct seen *s)
{
	uint8_t b[2048];

	while (mem_port_recv(port[2], b, sizeof b, 0)) {
		uint32_t n;

		memcpy(&n, b + SEQ_AT, sizeof n);
		if (n <= s->last)
			fail_msg("%u came after %u", n, s->last);
		s->last = n;
		s->n++;
	}
}

/* What was sent has come, in order, but for what a receiver that did not keep up is charged with. */
static void
move_under_traffic(bool frames, bool congested, bool fresh)
{
	struct sender s = { .frames = frames, .fresh = fresh };
	struct seen seen = { 0 };
	uint64_t x = hash_random_seed();

	port_1_to_2();
	assert_int_equal(pthread_create(&s.thread, NULL, send_numbers, &s), 0);
	for (unsigned i = 0; i < MOVES; i++) {
		uint32_t before = seen.n;

		x = hash_mix(x);
		if (congested)
			mem_port_stall(port[2], true);
		assert_int_equal(dp_rxq_move(dp, 1, 0, i & 1 ? 0 : 1), 0);
		assert_int_equal(dp_rxq_move(dp, 1, 0, 0), -EBUSY);
		for (unsigned k = x % 4; congested && k; k--)
			control_once();
		mem_port_stall(port[2], false);
		wait_for_cpu(1, i & 1 ? 0 : 1);
		/* The new thread has taken some. */
		for (uint64_t end = clock_ms() + WAIT_MS; seen.n < before + 50 && clock_ms() < end; control_once())
			take_numbers(&seen);
		assert_true(seen.n >= before + 50);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(s.thread, NULL);
	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; control_once()) {
		take_numbers(&seen);
		if (seen.n + drops(2, DROP_TX_QUEUE_FULL) == s.sent)
			break;
	}
	assert_int_equal(seen.n + drops(2, DROP_TX_QUEUE_FULL), s.sent);
	if (!congested)
		assert_int_equal(seen.n, s.sent);
}

static void
nothing_is_lost_or_turned_around_while_a_queue_moves(void **state)
{
	(void)state;
	move_under_traffic(false, false, false);
}

static void
what_waits_for_a_slow_receiver_leaves_first(void **state)
{
	(void)state;
	move_under_traffic(false, true, false);
}

static void
new_flows_that_wait_go_before_the_new_thread_has_the_queue(void **state)
{
	(void)state;
	move_under_traffic(false, false, true);
}

/* --- Frames in memory ------------------------------------------------------------------------------------------ */

static void
frames_in_memory_keep_their_order_as_well(void **state)
{
	struct err e = { 0 };

	(void)state;
	dp_port_del(dp, port[1]);
	commit();
	port[1] = dp_port_add(dp, &port_type_frame, "f1", 1, NULL, &e);
	assert_non_null(port[1]);
	commit();
	wait_for_cpu(1, 0);
	move_under_traffic(true, false, false);
}

static void
wait_asleep(unsigned lcore)
{
	struct dp_lcore_stats a, b;

	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end;) {
		dp_lcore_stats(dp, lcore, &a);
		poll(NULL, 0, 3);
		dp_lcore_stats(dp, lcore, &b);
		if (a.turns == b.turns && a.sleeps)
			return;
	}
	fail_msg("thread %u does not sleep", lcore);
}

static void
a_sleeping_thread_gives_its_queue_away(void **state)
{
	struct fb f = udp_frame(4);

	(void)state;
	port_1_to_2();
	for (unsigned i = 0; i < 6; i++) {
		wait_asleep(i & 1);
		assert_int_equal(dp_rxq_move(dp, 1, 0, i & 1 ? 0 : 1), 0);
		send(1, &f);
		wait_for_cpu(1, i & 1 ? 0 : 1);
		assert_comes(2, f.b, f.n);
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
}

static void
a_port_that_goes_while_its_queue_moves_takes_nothing_along(void **state)
{
	struct fb f = udp_frame(4);
	struct err e = { 0 };

	(void)state;
	port_1_to_2();
	assert_int_equal(dp_rxq_move(dp, 1, 0, 1), 0);
	dp_port_del(dp, port[1]);
	commit();
	port[1] = dp_port_add(dp, &port_type_mem, "again", 1, NULL, &e);
	assert_non_null(port[1]);
	commit();
	wait_for_cpu(1, 0);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	/* A move that nobody waits for. */
	assert_int_equal(dp_rxq_move(dp, 1, 0, 1), 0);
	assert_int_equal(dp_rxq_move(dp, 7, 0, 1), -ENOENT);
	assert_int_equal(dp_rxq_move(dp, 1, 5, 1), -ENOENT);
	assert_int_equal(dp_rxq_move(dp, 2, 0, 2), -ENOENT);
}

/* --- Who decides ------------------------------------------------------------------------------------------------ */

static void
a_pinned_queue_stays_where_the_operator_wants_it(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cpu_of(1), 0);
	assert_true(dp_port_pin(dp, 1, (unsigned[]){ 1 }, 1));
	wait_for_cpu(1, 1);
	/* Also one that comes later under that number. */
	dp_port_del(dp, port[1]);
	commit();
	port[1] = dp_port_add(dp, &port_type_mem, "again", 1, NULL, &e);
	assert_non_null(port[1]);
	commit();
	assert_int_equal(cpu_of(1), 1);
	assert_false(dp_port_pin(dp, 1, (unsigned[]){ 7 }, 1));
	assert_true(dp_port_pin(dp, 1, NULL, 0));
	assert_int_equal(cpu_of(1), 1);
}

static void
look_after_a_second(const uint16_t busy[], unsigned n, unsigned percent)
{
	uint64_t hz = rte_get_tsc_hz();

	for (unsigned i = 0; i < n; i++)
		ctr_add(&dp->rxq_stat[busy[i] * MAX_RXQ].cycles, hz * percent / 100);
	dp->balance_tsc = rte_rdtsc() - hz;
	dp_balance(dp);
}

static void
a_thread_with_too_much_hands_a_queue_to_one_that_has_time(void **state)
{
	static const uint16_t both[] = { 1, 3 };
	unsigned looks;

	(void)state;
	assert_int_equal(cpu_of(1), 0);
	assert_int_equal(cpu_of(2), 1);
	assert_int_equal(cpu_of(3), 0);
	/* Half of what it can do is no reason. */
	for (looks = 0; looks < 20; looks++)
		look_after_a_second(both, 2, 25);
	assert_int_equal(cpu_of(1) + cpu_of(3), 0);
	for (looks = 0; looks < 20 && cpu_of(1) + cpu_of(3) == 0; looks++)
		look_after_a_second(both, 2, 45);
	assert_in_range(looks, 3, 8);
	for (uint64_t end = clock_ms() + WAIT_MS; cpu_of(1) + cpu_of(3) != 1 && clock_ms() < end;)
		control_once();
	/* And that is where it ends. */
	for (looks = 0; looks < 20; looks++)
		look_after_a_second(both, 2, 45);
	assert_int_equal(cpu_of(1) + cpu_of(3), 1);
}

static void
one_queue_alone_is_not_moved_about(void **state)
{
	static const uint16_t one[] = { 1 };

	(void)state;
	for (unsigned looks = 0; looks < 20; looks++)
		look_after_a_second(one, 1, 95);
	assert_int_equal(cpu_of(1), 0);
}

static void
lengths_of_turns_are_told_to_a_fifth(void **state)
{
	struct dp_lcore_stats st = { 0 };
	uint64_t x = 1;

	(void)state;
	assert_int_equal(dp_turn_quantile(&st, 990), 0);
	for (uint64_t c = 16; c < 1ull << 34; c += c / 7 + 1) {
		struct dp_lcore_stats one = { .turn_max = UINT64_MAX };

		one.turn_hist[dp_turn_bucket(c)] = 1;
		x = dp_turn_quantile(&one, 500);
		if (x <= c || x > c + c / 4 + 1)
			fail_msg("%llu is told as %llu", (unsigned long long)c, (unsigned long long)x);
	}
	assert_in_range(dp_turn_bucket(0), 0, DP_TURN_BUCKETS - 1);
	assert_int_equal(dp_turn_bucket(UINT64_MAX), DP_TURN_BUCKETS - 1);
	/* 990 short ones, ten long ones. */
	st.turn_max = 100000;
	st.turn_hist[dp_turn_bucket(1000)] = 990;
	st.turn_hist[dp_turn_bucket(100000)] = 10;
	assert_in_range(dp_turn_quantile(&st, 990), 1000, 1250);
	assert_int_equal(dp_turn_quantile(&st, 999), 100000);
}

static int
setup_two(void **state)
{
	n_lcores = 2;
	return setup(state);
}

#define T2(t) cmocka_unit_test_setup_teardown(t, setup_two, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T2(nothing_is_lost_or_turned_around_while_a_queue_moves),
		T2(new_flows_that_wait_go_before_the_new_thread_has_the_queue),
		T2(what_waits_for_a_slow_receiver_leaves_first),
		T2(frames_in_memory_keep_their_order_as_well),
		T2(a_sleeping_thread_gives_its_queue_away),
		T2(a_port_that_goes_while_its_queue_moves_takes_nothing_along),
		T2(a_pinned_queue_stays_where_the_operator_wants_it),
		T2(a_thread_with_too_much_hands_a_queue_to_one_that_has_time),
		T2(one_queue_alone_is_not_moved_about),
		cmocka_unit_test(lengths_of_turns_are_told_to_a_fifth),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
