/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that come, go, fall silent, flood, and never read. */
#include <dirent.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/mman.h>

#include "ofproto/agent/agent_priv.h"
#include "tests/ofproto/agent/peer.h"

static unsigned
n_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void
a_dialler_tries_again_after_growing_pauses(void **state)
{
	uint64_t at[5];

	(void)state;
	/* The first is 1000 ms unless the cap is lower: here all are short, and capped. */
	t.conf.max_backoff_ms = 40;
	configure_dialler();
	for (unsigned i = 0; i < 5; i++) {
		struct peer *p = peer_accept();

		at[i] = clock_ms();
		peer_close(p);
	}
	for (unsigned i = 1; i < 5; i++)
		assert_true(at[i] - at[i - 1] >= 30);
	assert_true(strstr(info().error, "closed by the peer") || strstr(info().error, "reset by peer"));
}

static void
pauses_double_up_to_the_cap(void **state)
{
	static const unsigned pause[] = { 30, 60, 100, 100 };
	uint64_t at[5];

	(void)state;
	t.agent->backoff_ms = 30;
	t.conf.max_backoff_ms = 100;
	configure_dialler();
	for (unsigned i = 0; i < 5; i++) {
		struct peer *p = peer_accept();

		at[i] = clock_ms();
		peer_close(p);
	}
	for (unsigned i = 1; i < 5; i++) {
		assert_true(at[i] - at[i - 1] >= pause[i - 1] - 10);
		assert_true(at[i] - at[i - 1] < pause[i - 1] + 1000);
	}
}

static void
success_makes_the_next_pause_short_again(void **state)
{
	uint64_t at;

	(void)state;
	t.agent->backoff_ms = 10;
	t.conf.max_backoff_ms = 8000;
	configure_dialler();
	/* 10, 20, 40, 80, 160: the next would be 320. */
	for (unsigned i = 0; i < 5; i++)
		peer_close(peer_accept());
	peer_close(controller(OF13));
	UNTIL(!info().i.connected);
	at = clock_ms();
	peer_close(peer_accept());
	assert_true(clock_ms() - at < 300);
}

static void
a_local_controller_that_is_not_there_is_told(void **state)
{
	(void)state;
	unlink(t.sock);
	configure_dialler();
	UNTIL(!strcmp(info().state, "backoff"));
	assert_string_equal(info().error, "No such file or directory");
}

static void
an_unreachable_controller_is_in_backoff_with_the_cause(void **state)
{
	(void)state;
	t.conf.n_controllers = 1;
	t.conf.controllers[0] = "tcp:127.0.0.1:1";
	configure();
	UNTIL(!strcmp(info().state, "backoff"));
	assert_string_equal(info().error, "Connection refused");
	assert_int_equal(info().i.connected_ms_ago, -1);
}

static void
several_controllers_are_all_dialled(void **state)
{
	struct peer *p[2];
	char other[160], text[170];
	struct err e;
	int l;

	(void)state;
	snprintf(other, sizeof other, "%s/two", t.dir);
	snprintf(text, sizeof text, "unix:%s", other);
	l = usock_listen(other, 0700, 5, &e);
	t.conf.n_controllers = 2;
	t.conf.controllers[0] = t.target;
	t.conf.controllers[1] = text;
	configure();
	p[0] = peer_accept();
	peer_hello(p[0], OF13);
	{
		int first = t.listener;

		t.listener = l;
		p[1] = peer_accept();
		t.listener = first;
	}
	peer_hello(p[1], OF10);
	/* One goes: the other stays. */
	t.conf.n_controllers = 1;
	configure();
	peer_expect_eof(p[1]);
	EXPECT_NOTHING(p[0]);
	peer_close(p[0]);
	peer_close(p[1]);
	close(l);
	unlink(other);
}

static void
settings_that_stay_keep_the_connection(void **state)
{
	struct peer *p;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	t.conf.mfr_desc = "Other";
	configure();
	EXPECT_NOTHING(p);
	t.conf.datapath_id = 77;
	configure();
	peer_expect_eof(p);
	peer_close(p);
}

static void
a_silent_peer_is_probed_and_dropped(void **state)
{
	struct peer *p;

	(void)state;
	t.conf.probe_ms = 60;
	configure_dialler();
	p = controller(OF13);
	/* Answered: it stays. */
	for (unsigned i = 0; i < 3; i++) {
		const struct of_echo *echo = EXPECT(p, OFK_ECHO_REQUEST);

		peer_send(p, OFK_ECHO_REPLY, p->msg.xid, echo);
	}
	/* Not answered: it goes. */
	EXPECT(p, OFK_ECHO_REQUEST);
	peer_expect_eof(p);
	assert_true(strstr(info().error, "no answer for"));
	peer_close(p);
}

static void
probes_can_be_turned_off(void **state)
{
	struct peer *p;
	uint64_t end;

	(void)state;
	t.conf.probe_ms = 0;
	configure_dialler();
	p = controller(OF13);
	for (end = clock_ms() + 100; clock_ms() < end;)
		turn();
	peer_read(p);
	assert_int_equal(p->len, 0);
	assert_false(p->eof);
	peer_close(p);
}

static void
half_closed_is_closed_after_what_was_asked(void **state)
{
	const struct of_echo echo = { .data = { (const uint8_t *)"x", 1 } };
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	for (unsigned i = 0; i < 1000; i++)
		peer_send(p, OFK_ECHO_REQUEST, i, &echo);
	shutdown(p->fd, SHUT_WR);
	for (unsigned i = 0; i < 1000; i++) {
		EXPECT(p, OFK_ECHO_REPLY);
		assert_int_equal(p->msg.xid, i);
	}
	peer_expect_eof(p);
	peer_close(p);
}

static void
a_stale_socket_is_replaced_and_others_are_not(void **state)
{
	struct peer *p;
	struct err e;
	int fd;

	(void)state;
	fd = usock_listen(t.mgmt, 0700, 1, &e);
	/* Somebody listens there. */
	configure();
	assert_string_equal(info().state, "backoff");
	assert_true(strstr(info().error, "listens here"));
	of_agent_bridge_del(t.agent, FAKE_BRIDGE);
	assert_int_equal(access(t.mgmt, F_OK), 0);
	/* Nobody any more. */
	close(fd);
	configure();
	assert_string_equal(info().state, "listening");
	p = client(OF10);
	peer_close(p);
}

static void
a_thousand_reconnects_leave_nothing_behind(void **state)
{
	unsigned fds;
	size_t rss;

	(void)state;
	configure();
	for (unsigned i = 0; i < 100; i++)
		peer_close(client(OF13));
	UNTIL(!info().i.connected);
	for (unsigned i = 0; i < 10; i++)
		turn();
	fds = n_fds();
	rss = rss_kb();
	for (unsigned i = 0; i < 1000; i++) {
		struct peer *p = i & 1 ? client(OF13) : peer_connect();

		p->version = OF13;
		if (i & 2)
			peer_send(p, OFK_BARRIER_REQUEST, 1, NULL);
		peer_close(p);
	}
	UNTIL(n_fds() == fds);
	assert_true(grew_less(rss, 2048));
}

static void
too_many_clients_are_refused(void **state)
{
	struct peer *p[300];
	unsigned n = 0;

	(void)state;
	configure();
	for (unsigned i = 0; i < 300; i++) {
		p[i] = peer_connect();
		turn();
	}
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 5; k++)
			turn();
		peer_read(p[i]);
		n += p[i]->eof;
		peer_close(p[i]);
	}
	assert_int_equal(n, 300 - 256);
}

static void
who_never_reads_costs_bounded_memory(void **state)
{
	const struct of_echo echo = { .data = { (const uint8_t *)calloc(1, 60000), 60000 } };
	const struct of_msg m = { .version = OF13, .kind = OFK_ECHO_REQUEST, .body = &echo };
	struct of_buf b = { 0 };
	struct peer *p, *other;
	size_t sent = 0, rss;

	(void)state;
	configure();
	p = client(OF13);
	other = client(OF10);
	of_encode(&b, &m);
	rss = rss_kb();
	/* Whole messages, as long as anything is taken; the rest of one that was begun is lost with it. */
	for (unsigned idle = 0; idle < 200;) {
		ssize_t n = send(p->fd, b.data + sent % b.len, b.len - sent % b.len, MSG_NOSIGNAL);

		if (n > 0)
			sent += n;
		else
			idle++;
		turn();
		assert_true(sent < 64u << 20);
	}
	assert_true(grew_less(rss, 8192));
	/* Others do not notice. */
	EXPECT_NOTHING(other);
	of_buf_fini(&b);
	free((void *)(uintptr_t)echo.data.data);
	peer_close(p);
	peer_close(other);
}

static void
packet_ins_are_dropped_first_and_counted(void **state)
{
	uint8_t data[sizeof(struct of_punt)] __attribute__((aligned(8))) = { 0 };
	struct of_punt *punt = (struct of_punt *)data;
	uint8_t frame[1400] = { 0 };
	struct peer *p;
	size_t rss;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	punt->bridge = FAKE_BRIDGE;
	punt->reason = OFPR_ACTION;
	punt->max_len = 0xffff;
	rss = rss_kb();
	for (unsigned i = 0; i < 20000; i++) {
		of_agent_punt(t.agent, 1, data, sizeof data, frame, sizeof frame, sizeof frame);
		turn();
	}
	assert_true(info().i.packet_ins > 100);
	assert_true(info().i.packet_ins_dropped > 10000);
	assert_int_equal(info().i.packet_ins + info().i.packet_ins_dropped, 20000);
	assert_true(grew_less(rss, 8192));
	/* An answer is not dropped. */
	peer_send(p, OFK_BARRIER_REQUEST, 9, NULL);
	while (peer_next(p) && p->msg.kind == OFK_PACKET_IN)
		;
	assert_int_equal(p->msg.kind, OFK_BARRIER_REPLY);
	peer_close(p);
}

static void
a_flood_of_garbage_ends_and_others_are_served(void **state)
{
	uint8_t *junk = malloc(1 << 20);
	struct peer *p, *other;
	uint64_t x = 1;

	(void)state;
	configure();
	other = client(OF10);
	for (unsigned i = 0; i < 20; i++) {
		bool alive = true;
		size_t sent = 0;

		p = client(OF13);
		for (size_t k = 0; k < 1 << 20; k++)
			junk[k] = (uint8_t)((x = hash_mix(x + k + i)) >> 5);
		while (alive && sent < 8u << 20) {
			alive = peer_put(p, junk, 1 << 16);
			sent += 1 << 16;
			peer_read(p);
			p->len = 0;
			alive &= !p->eof;
		}
		assert_false(alive);
		peer_close(p);
	}
	EXPECT_NOTHING(other);
	peer_close(other);
	free(junk);
}

/* Many rules that are deleted at once are told of at once. */
static void
a_burst_is_no_reason_to_close_but_not_reading_is(void **state)
{
	const struct of_flow_removed fr = { .reason = OFRR_DELETE };
	struct peer *p;
	struct conn *c;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	c = TAILQ_LAST(&agent_bridge(t.agent, FAKE_BRIDGE)->conns, conn_list);
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t n = 0; conn_out_len(c) <= OUT_MAX + 4096; n++) {
			assert_true(n < 2 * OUT_MAX / 48);
			fake.ev.flow_removed(fake.ev.arg, FAKE_BRIDGE, &fr);
		}
		if (round)
			break;
		UNTIL((peer_read(p), p->len = 0, !conn_out_len(c)));
		assert_true(info().i.connected);
	}
	for (unsigned i = 0; i <= OUT_STALL_TICKS; i++) {
		assert_int_equal(c->state, CONN_UP);
		conn_check_output(c);
	}
	if (c->state == CONN_UP)        /* Something was taken before the first of them. */
		conn_check_output(c);
	assert_int_equal(c->state, CONN_DEAD);
	peer_close(p);
}

static void
unmap(const void *data, size_t len, void *arg)
{
	(void)arg;
	munmap((void *)(uintptr_t)data, len);
}

/* What is told at once and not read, even by who has read a moment ago, is no more than so much. */
static void
too_much_for_a_slow_peer_ends_it(void **state)
{
	const struct of_flow_removed fr = { .reason = OFRR_DELETE };
	void *waits = mmap(NULL, OUT_LIMIT, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct peer *p;
	struct conn *c;

	(void)state;
	assert_ptr_not_equal(waits, MAP_FAILED);
	configure_dialler();
	p = controller(OF13);
	c = TAILQ_LAST(&agent_bridge(t.agent, FAKE_BRIDGE)->conns, conn_list);
	fake.ev.flow_removed(fake.ev.arg, FAKE_BRIDGE, &fr);
	EXPECT(p, OFK_FLOW_REMOVED);
	assert_int_equal(evbuffer_add_reference(bufferevent_get_output(c->bev), waits, OUT_LIMIT, unmap, NULL), 0);
	fake.ev.flow_removed(fake.ev.arg, FAKE_BRIDGE, &fr);
	assert_int_equal(c->state, CONN_UP);
	assert_true(conn_out_len(c) > OUT_LIMIT);
	fake.ev.flow_removed(fake.ev.arg, FAKE_BRIDGE, &fr);
	assert_int_equal(c->state, CONN_DEAD);
	assert_non_null(strstr(c->why, "has not read"));
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_dialler_tries_again_after_growing_pauses, setup, teardown),
		cmocka_unit_test_setup_teardown(pauses_double_up_to_the_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(success_makes_the_next_pause_short_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_local_controller_that_is_not_there_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unreachable_controller_is_in_backoff_with_the_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(several_controllers_are_all_dialled, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_that_stay_keep_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_peer_is_probed_and_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_can_be_turned_off, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closed_is_closed_after_what_was_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_burst_is_no_reason_to_close_but_not_reading_is, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_for_a_slow_peer_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced_and_others_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thousand_reconnects_leave_nothing_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_clients_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(who_never_reads_costs_bounded_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(packet_ins_are_dropped_first_and_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_of_garbage_ends_and_others_are_served, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
