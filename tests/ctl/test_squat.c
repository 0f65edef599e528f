/* SPDX-License-Identifier: Apache-2.0 */
/* Squatted ports on the loopback interface: silent, and taken. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "ctl/squat.h"

/* A port that nobody has: the kernel's choice, given back at once. */
static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (void *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

/* Sends to 127.0.0.1; the error that comes back, or 0. */
static int
send_to(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), rc;

	assert_int_equal(connect(fd, (void *)&a, sizeof a), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	/* On loopback the ICMP answer, if any, is there before send() returns. */
	rc = send(fd, "y", 1, 0) < 0 ? errno : 0;
	close(fd);
	return rc;
}

static void
squatted_port_answers_nothing_and_keeps_nothing(void **state)
{
	uint16_t port = free_port();
	int fd;

	(void)state;
	assert_int_equal(send_to(port), ECONNREFUSED);
	fd = squat_open(false, IPPROTO_UDP, port);
	assert_true(fd >= 0);
	assert_int_equal(send_to(port), 0);

	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
	squat_close(fd);
	assert_int_equal(send_to(port), ECONNREFUSED);
}

static void
taken_port_is_told_and_families_do_not_collide(void **state)
{
	uint16_t port = free_port();
	int v4 = squat_open(false, IPPROTO_UDP, port), v6;

	(void)state;
	assert_true(v4 >= 0);
	assert_int_equal(squat_open(false, IPPROTO_UDP, port), -EADDRINUSE);
	v6 = squat_open(true, IPPROTO_UDP, port);
	/* -EAFNOSUPPORT: a machine without IPv6. */
	assert_true(v6 >= 0 || v6 == -EAFNOSUPPORT);
	squat_close(v6);
	squat_close(v4);
	squat_close(-EADDRINUSE);
}

static void
squatted_tcp_port_resets_nothing(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint16_t port = free_port();

	(void)state;
	a.sin_port = htons(port);
	fd = squat_open(false, IPPROTO_TCP, port);
	assert_true(fd >= 0);
	/* On loopback the answer would be there before connect() returns. */
	assert_int_equal(connect(c, (void *)&a, sizeof a), -1);
	assert_int_equal(errno, EINPROGRESS);

	struct pollfd p = { .fd = c, .events = POLLOUT };

	assert_int_equal(poll(&p, 1, 0), 0);
	squat_close(fd);
	close(c);
}

/* Sends a GRE header to 127.0.0.1.  Whether "protocol unreachable" came back. */
static bool
gre_is_answered(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const uint8_t ip[] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_GRE, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0x65,
				      0x58 };
	int icmp = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP), out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	uint8_t got[256];
	bool answered = false;

	assert_true(icmp >= 0 && out >= 0);
	assert_int_equal(sendto(out, ip, sizeof ip, 0, (void *)&a, sizeof a), sizeof ip);
	for (ssize_t n; (n = recv(icmp, got, sizeof got, 0)) > 0;)
		answered |= n >= 38 && got[20] == 3 && got[21] == 2 && got[28 + 9] == IPPROTO_GRE;
	close(icmp);
	close(out);
	return answered;
}

static void
squatted_gre_is_not_answered(void **state)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	(void)state;
	if (fd < 0)
		skip();         /* Not root. */
	close(fd);
	if (!gre_is_answered())
		skip();         /* The kernel has GRE of its own. */
	fd = squat_open(false, IPPROTO_GRE, 0);
	assert_true(fd >= 0);
	assert_false(gre_is_answered());
	squat_close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(squatted_port_answers_nothing_and_keeps_nothing),
		cmocka_unit_test(taken_port_is_told_and_families_do_not_collide),
		cmocka_unit_test(squatted_tcp_port_resets_nothing),
		cmocka_unit_test(squatted_gre_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
