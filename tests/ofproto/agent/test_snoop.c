/* SPDX-License-Identifier: Apache-2.0 */
/* RUNDIR/BRIDGE.snoop: who connects there is shown what a controller and the switch say to each other. */
#include "tests/ofproto/agent/peer.h"

static const struct of_echo echo = { .data = { (const uint8_t *)"seen", 4 } };

static struct peer *
snooper(uint8_t version)
{
	struct peer *p = peer_connect_to("br0.snoop");

	peer_hello(p, version);
	return p;
}

/* An echo of 'p' and its answer, both of which 's' sees next. */
static void
sees_echo(struct peer *s, struct peer *p, uint32_t xid)
{
	peer_send(p, OFK_ECHO_REQUEST, xid, &echo);
	EXPECT(p, OFK_ECHO_REPLY);
	EXPECT(s, OFK_ECHO_REQUEST);
	assert_int_equal(s->msg.xid, xid);
	EXPECT(s, OFK_ECHO_REPLY);
	assert_int_equal(s->msg.xid, xid);
}

static void
a_snooper_sees_both_ways(void **state)
{
	struct peer *p, *s, *local;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	s = snooper(OF14);
	/* A tool's connection is not what it looks at. */
	local = client(OF13);
	peer_send(local, OFK_ECHO_REQUEST, 1, &echo);
	EXPECT(local, OFK_ECHO_REPLY);
	sees_echo(s, p, 2);
	peer_send(p, OFK_FEATURES_REQUEST, 3, NULL);
	EXPECT(p, OFK_FEATURES_REPLY);
	EXPECT(s, OFK_FEATURES_REQUEST);
	EXPECT(s, OFK_FEATURES_REPLY);
	peer_close(local);
	peer_close(s);
	peer_close(p);
}

static void
a_snooper_is_not_heard(void **state)
{
	static const uint8_t noise[] = { 5, 77, 0, 8, 1, 2, 3, 4 };
	struct peer *p, *s;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	s = snooper(OF14);
	peer_send(s, OFK_ECHO_REQUEST, 1, &echo);
	peer_send(s, OFK_BARRIER_REQUEST, 2, NULL);
	peer_put(s, noise, sizeof noise);
	sees_echo(s, p, 3);
	sees_echo(s, p, 4);
	/* Nor listed among those that control the bridge. */
	assert_true(info().i.connected && info().i.configured);
	peer_close(s);
	sees_echo(s = snooper(OF10), p, 5);
	peer_close(s);
	peer_close(p);
}

static void
a_snooper_may_speak_what_the_bridge_does_not(void **state)
{
	struct peer *p, *s;

	(void)state;
	t.conf.versions = 1 << OF13;
	configure_dialler();
	p = controller(OF13);
	s = snooper(OF10);
	sees_echo(s, p, 1);
	t.conf.versions = 1 << OF13 | 1 << OF14;
	configure();
	sees_echo(s, p, 2);
	peer_close(s);
	peer_close(p);
}

/* A second controller at a socket of its own. */
static struct peer *
second_controller(int *listener, char path[128])
{
	struct of_role_msg master = { .role = OFR_MASTER };
	static char target[160];
	struct peer *p;
	struct err e;
	int fd = -1;

	snprintf(path, 128, "%s/ctl2", t.dir);
	snprintf(target, sizeof target, "unix:%s", path);
	*listener = usock_listen(path, 0700, 4, &e);
	assert_true(*listener >= 0);
	t.conf.n_controllers = 2;
	t.conf.controllers[1] = target;
	configure();
	UNTIL((fd = accept4(*listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
	p = peer_of_fd(fd);
	peer_hello(p, OF13);
	peer_send(p, OFK_ROLE_REQUEST, 1, &master);
	EXPECT(p, OFK_ROLE_REPLY);
	return p;
}

static void
of_several_controllers_it_sees_the_master(void **state)
{
	struct peer *first, *master, *s;
	char path[128];
	int listener;

	(void)state;
	configure_dialler();
	first = controller(OF13);
	master = second_controller(&listener, path);
	s = snooper(OF13);
	peer_send(first, OFK_ECHO_REQUEST, 1, &echo);
	EXPECT(first, OFK_ECHO_REPLY);
	sees_echo(s, master, 2);
	peer_close(s);
	peer_close(master);
	peer_close(first);
	close(listener);
	unlink(path);
}

static void
without_a_controller_it_waits_for_the_first(void **state)
{
	struct peer *p, *s;

	(void)state;
	configure();
	s = snooper(OF13);
	configure_dialler();
	p = controller(OF13);
	EXPECT(s, OFK_HELLO);
	while (s->msg.kind == OFK_HELLO && s->msg.xid != 1)
		EXPECT(s, OFK_HELLO);
	sees_echo(s, p, 7);
	peer_close(s);
	peer_close(p);
}

static void
who_does_not_keep_up_is_hung_up_on(void **state)
{
	static const uint8_t much[60000];
	const struct of_echo big = { .data = { much, sizeof much } };
	struct peer *p, *s;

	(void)state;
	configure_dialler();
	p = controller(OF13);
	s = snooper(OF13);
	for (unsigned i = 0; i < 40; i++) {
		peer_send(p, OFK_ECHO_REQUEST, i, &big);
		EXPECT(p, OFK_ECHO_REPLY);
	}
	for (unsigned i = 0; i < 10; i++)
		turn();
	/* What it sees until then has no holes. */
	for (uint32_t n = 0; peer_next(s); n++) {
		assert_int_equal(s->msg.kind, n & 1 ? OFK_ECHO_REPLY : OFK_ECHO_REQUEST);
		assert_int_equal(s->msg.xid, n / 2);
	}
	sees_echo(s = (peer_close(s), snooper(OF13)), p, 1000);
	peer_close(s);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_snooper_sees_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(a_snooper_is_not_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(a_snooper_may_speak_what_the_bridge_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(of_several_controllers_it_sees_the_master, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_controller_it_waits_for_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_keep_up_is_hung_up_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
