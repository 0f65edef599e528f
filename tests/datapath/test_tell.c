/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and notes for the control plane. */
#include "execenv.h"

static void
a_punted_packet_comes_with_its_data(void **state)
{
	static const uint64_t data[2] = { 0x1122334455667788, 42 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 60, data, sizeof data);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	act_add_data(&r->acts[1], ACT_PUNT, 0xffff, data, 8);
	set_rules(r);
	send(3, &f);
	assert_comes(2, f.b, f.n);
	while (!punted.n)
		control_once();
	assert_int_equal(punted.in_port, 3);
	assert_int_equal(punted.data_len, 16);
	assert_memory_equal(punted.data, data, 16);
	assert_int_equal(punted.len, 60);
	assert_int_equal(punted.orig_len, f.n);
	assert_memory_equal(punted.frame, f.b, 60);

	/* All of a long one, in many buffers. */
	f = udp_frame(5);
	f.n = 1400;
	for (unsigned i = 100; i < 1400; i++)
		f.b[i] = (uint8_t)i;
	assert_true(mem_port_send_segments(port[1], f.b, f.n, 200));
	while (punted.n < 2)
		control_once();
	assert_int_equal(punted.len, 1400);
	assert_int_equal(punted.data_len, 8);
	assert_memory_equal(punted.frame, f.b, 1400);
	wait_no_mbufs();
}

/* A later action must not write to what the control thread will read. */
static void
what_is_punted_is_the_packet_as_it_was_then(void **state)
{
	static const uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4), g;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, mac, 0);
	act_add_set(&r->acts[0], ACT_F_ETH_DST, mac, ones);
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, mac, 0);
	act_add(&r->acts[0], ACT_PUSH_VLAN, 0, 0x81000005);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
	send(1, &f);
	g = f;
	memcpy(g.b, mac, 6);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t got[2048];

		if (!i)
			assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), f.n + 4);
		for (uint64_t end = clock_ms() + WAIT_MS; punted.n < 2 && clock_ms() < end;)
			control_once();
	}
	assert_int_equal(punted.n, 2);
	assert_int_equal(punted.len, g.n);
	assert_memory_equal(punted.frame, g.b, g.n);
	wait_no_mbufs();
}

static void
one_port_cannot_take_the_place_of_another_at_the_controller(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	unsigned sent = 0;
	uint64_t full;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	/* Nobody takes them. */
	for (; sent < 900; sent++)
		send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[1]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	for (unsigned i = 0; i < 20; i++)
		send(3, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[3]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	/* The turns that took them are over. */
	fold();
	for (uint64_t end = clock_ms() + 2000; punted.of_port[3] < 20 && clock_ms() < end;)
		control_once();
	assert_int_equal(punted.of_port[3], 20);
	assert_int_equal(drops(3, DROP_PUNT_FULL), 0);
	full = drops(1, DROP_PUNT_FULL);
	assert_true(full > 0);
	assert_int_equal(punted.of_port[1] + full, sent);
	wait_no_mbufs();
	/* There is room again. */
	send(1, &f);
	while (punted.of_port[1] + full == sent)
		control_once();
}

/* Each has more data than packet: the queue's bytes are shared as well. */
static void
long_data_of_some_ports_leave_room_for_that_of_another(void **state)
{
	static const uint8_t data[6000];
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, data, sizeof data);
	set_rules(r);
	for (unsigned p = 1; p <= 2; p++) {
		for (unsigned i = 0; i < 600; i++)
			send(p, &f);
		for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[p]) && clock_ms() < end; poll(NULL, 0, 1))
			;
	}
	for (unsigned i = 0; i < 20; i++)
		send(3, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[3]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	fold();
	for (uint64_t end = clock_ms() + WAIT_MS; punted.of_port[3] < 20 && clock_ms() < end;)
		control_once();
	assert_int_equal(punted.of_port[3], 20);
	assert_true(drops(1, DROP_PUNT_FULL) > 0);
	assert_true(drops(2, DROP_PUNT_FULL) > 0);
	assert_int_equal(punted.data_len, sizeof data);
	wait_no_mbufs();
}

static void
a_call_of_dp_poll_takes_some_of_many_packets(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	struct pollfd p = { .fd = dp_event_fd(dp), .events = POLLIN };
	unsigned calls = 0;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	for (unsigned i = 0; i < 128; i++)
		send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[1]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	for (uint64_t end = clock_ms() + WAIT_MS; punted.n < 128 && clock_ms() < end; calls++) {
		unsigned before = punted.n;

		/* As long as there are more, it wants to be called. */
		assert_int_equal(poll(&p, 1, 1000), 1);
		dp_poll(dp);
		assert_true(punted.n - before <= 64);
	}
	assert_int_equal(punted.n, 128);
	assert_true(calls >= 2);
}

static void
notes_reach_the_control_thread(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->note_len = XLATE_NOTE_MAX;
	set_rules(r);
	for (unsigned i = 0; i < 3; i++) {
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	while (!noted.n)
		control_once();
	/* Once for the answer, not for each packet. */
	assert_int_equal(noted.n, 1);
	assert_int_equal(noted.len, XLATE_NOTE_MAX);
	assert_int_equal(noted.first, 4);
	assert_int_equal(noted.last, 0x5a);
	/* And once more for a new one. */
	dp_tag_changed(dp, dp_tag_make(TAG_TABLE, 4));
	commit();
	send(1, &f);
	assert_comes(2, f.b, f.n);
	for (uint64_t end = clock_ms() + WAIT_MS; noted.n < 2 && clock_ms() < end;)
		control_once();
	assert_int_equal(noted.n, 2);
}

static void
an_answer_whose_note_finds_no_room_is_not_kept(void **state)
{
	struct rules *r = new_rules();
	struct dp_lcore_stats s;
	unsigned sent = 0;
	uint8_t got[2048];
	struct fb f;

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->note_len = XLATE_NOTE_MAX;
	memset(r->n_refs, 1, sizeof r->n_refs);
	for (unsigned i = 0; i < 256; i++)
		r->refs[i][0] = 1;
	r->acts[1] = r->acts[2] = r->acts[3] = r->acts[0];
	set_rules(r);
	f = udp_frame(1);
	/* Each source is another flow; nobody takes the notes. */
	for (; sent < 800; sent++) {
		f.b[9] = (uint8_t)(sent >> 8);
		f.b[10] = (uint8_t)sent;
		send(1, &f);
	}
	send(1, &f);
	for (unsigned i = 0; i <= sent; i++)
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), f.n);
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 801);
	for (uint64_t end = clock_ms() + WAIT_MS; noted.n < 500 && clock_ms() < end;)
		control_once();
	/* There is room now: it is told, and kept. */
	send(1, &f);
	assert_comes(2, f.b, f.n);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 802);
	fold();
	assert_int_equal(ctr_read(&counted[1].packets), 803);
}

static int
setup_deaf(void **state)
{
	want_punts = false;
	setup(state);
	want_punts = true;
	return 0;
}

static void
nobody_to_punt_to_is_a_drop(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; !drops(1, DROP_PUNT_FULL) && clock_ms() < end; poll(NULL, 0, 1))
		;
	assert_int_equal(drops(1, DROP_PUNT_FULL), 1);
	wait_no_mbufs();
}

/* The sanitizer sees what is left behind. */
static void
the_end_may_come_with_everything_under_way(void **state)
{
	struct flow_key key = { .in_port = 1 };
	struct act out = { .op = ACT_OUTPUT, .port = 2 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	static bool a, b;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	r->note_len = 100;
	set_rules(r);
	for (unsigned i = 0; i < 10; i++)
		send(1, &f);
	for (unsigned i = 0; i < 10; i++)
		dp_exec(dp, &key, f.b, f.n, &out, 1);
	dp_fold(dp, set_flag, &a);
	dp_fold(dp, set_flag, &b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_punted_packet_comes_with_its_data),
		T(what_is_punted_is_the_packet_as_it_was_then),
		T(one_port_cannot_take_the_place_of_another_at_the_controller),
		T(long_data_of_some_ports_leave_room_for_that_of_another),
		T(a_call_of_dp_poll_takes_some_of_many_packets),
		cmocka_unit_test_setup_teardown(nobody_to_punt_to_is_a_drop, setup_deaf, teardown),
		T(notes_reach_the_control_thread),
		T(an_answer_whose_note_finds_no_room_is_not_kept),
		T(the_end_may_come_with_everything_under_way),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
