/* SPDX-License-Identifier: Apache-2.0 */
/* A squatted UDP port on the loopback interface: silent, and taken. */
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
#include "ctl/udp_squat.h"

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
	fd = udp_squat_open(false, port);
	assert_true(fd >= 0);
	assert_int_equal(send_to(port), 0);

	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
	udp_squat_close(fd);
	assert_int_equal(send_to(port), ECONNREFUSED);
}

static void
taken_port_is_told_and_families_do_not_collide(void **state)
{
	uint16_t port = free_port();
	int v4 = udp_squat_open(false, port), v6;

	(void)state;
	assert_true(v4 >= 0);
	assert_int_equal(udp_squat_open(false, port), -EADDRINUSE);
	v6 = udp_squat_open(true, port);
	/* -EAFNOSUPPORT: a machine without IPv6. */
	assert_true(v6 >= 0 || v6 == -EAFNOSUPPORT);
	udp_squat_close(v6);
	udp_squat_close(v4);
	udp_squat_close(-EADDRINUSE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(squatted_port_answers_nothing_and_keeps_nothing),
		cmocka_unit_test(taken_port_is_told_and_families_do_not_collide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
