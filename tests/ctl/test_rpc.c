/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of the management interface, with clients of all manners. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ctl/rpc.h"
#include "tests/ctl/fake_sw.h"

#define VERSION "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n"

struct fixture {
	struct event_base *base;
	struct sw *sw;
	struct rpc *rpc;
	char dir[32], path[64];
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	struct err e = { 0 };

	strcpy(f->dir, "/tmp/weft-rpc-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/weftd.sock", f->dir);
	f->base = event_base_new();
	f->sw = fake_sw_create();
	f->rpc = rpc_create(f->base, f->sw, f->path, &e);
	assert_non_null(f->rpc);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	rpc_destroy(f->rpc);
	while (fake_sw_run(f->sw))
		;
	fake_sw_destroy(f->sw);
	event_base_free(f->base);
	assert_int_not_equal(access(f->path, F_OK), 0);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int
client(const struct fixture *f)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	str_copy(sa.sun_path, sizeof sa.sun_path, f->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static void
turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	fake_sw_run(f->sw);
}

/* Sends all of it while the server reads; false when the server hung up. */
static bool
put(struct fixture *f, int fd, const void *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			p = (const char *)p + n;
			len -= n;
		}
		turn(f);
	}
	return true;
}

/* Reads until a newline, the end (then ""), or for too long (then NULL).  Static buffer. */
static const char *
get_line(struct fixture *f, int fd)
{
	static char buf[1 << 16];
	uint64_t until = clock_ms() + 30000;
	size_t len = 0;

	while (clock_ms() < until && len < sizeof buf - 1) {
		ssize_t n = recv(fd, buf + len, sizeof buf - 1 - len, MSG_PEEK);
		char *end;

		if (!n || (n < 0 && errno != EAGAIN))
			return "";
		if (n < 0) {
			turn(f);
			continue;
		}
		end = memchr(buf + len, '\n', n);
		n = end ? end + 1 - (buf + len) : n;
		assert_int_equal(recv(fd, buf + len, n, 0), n);
		len += n;
		buf[len] = '\0';
		if (end)
			return buf;
	}
	return NULL;
}

static bool
is_closed(struct fixture *f, int fd)
{
	const char *line = get_line(f, fd);

	return line && !*line;
}

static void
expect(struct fixture *f, int fd, const char *part)
{
	const char *line = get_line(f, fd);

	if (!line || !strstr(line, part))
		fail_msg("'%s' is not in: %s", part, line ? line : "(nothing came)");
}

/* --- Good clients ------------------------------------------------------------------------------------- */

static void
a_request_is_answered_and_the_connection_stays(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	for (unsigned i = 0; i < 3; i++) {
		put(f, fd, VERSION, strlen(VERSION));
		expect(f, fd, "\"result\"");
	}
	put(f, fd, "\n \r\n", 4);
	put(f, fd, VERSION, strlen(VERSION));
	expect(f, fd, "\"result\"");
	close(fd);
}

static void
the_socket_is_for_owner_and_group_only(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void
a_request_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	for (const char *s = VERSION; *s; s++) {
		put(f, fd, s, 1);
		turn(f);
	}
	expect(f, fd, "\"result\"");
	close(fd);
}

static void
answers_follow_a_client_that_has_stopped_sending(void **state)
{
	static const char add[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\",\"params\":[\"br0\"]}\n" VERSION;
	struct fixture *f = *state;
	int fd = client(f);

	/* The last request ends with the connection, not with a newline. */
	put(f, fd, add, sizeof add - 2);
	shutdown(fd, SHUT_WR);
	expect(f, fd, "\"result\"");
	expect(f, fd, "\"result\"");
	assert_true(is_closed(f, fd));
	assert_int_equal(rpc_n_clients(f->rpc), 0);
	close(fd);
}

static void
two_clients_with_one_generation_get_one_success(void **state)
{
	static const char add[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\","
				  "\"params\":{\"bridge\":\"br0\",\"generation\":1}}\n";
	static const char other[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"bridge.add\","
				    "\"params\":{\"bridge\":\"br1\",\"generation\":1}}\n";
	struct fixture *f = *state;
	int a = client(f), b = client(f);

	send(a, add, sizeof add - 1, 0);
	turn(f);
	send(b, other, sizeof other - 1, 0);
	expect(f, a, "\"generation\":2");
	expect(f, b, "changed by someone else");
	close(a);
	close(b);
}

static void
many_requests_at_once_are_all_answered(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);
	unsigned n = 2000, got = 0;
	size_t len = strlen(VERSION);
	char *all = xcalloc(n, len);
	const char *line;

	for (unsigned i = 0; i < n; i++)
		memcpy(all + i * len, VERSION, len);
	for (size_t at = 0; at < n * len;) {
		ssize_t sent = send(fd, all + at, n * len - at, MSG_NOSIGNAL);

		if (sent > 0)
			at += sent;
		turn(f);
		/* Reads now and then only. */
		if (sent < 0 && (line = get_line(f, fd)) && *line)
			got++;
	}
	while (got < n && (line = get_line(f, fd)) && *line)
		got++;
	assert_int_equal(got, n);
	free(all);
	close(fd);
}

static void
a_client_that_leaves_early_is_forgotten(void **state)
{
	static const char add[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\",\"params\":[\"br0\"]}\n";
	struct fixture *f = *state;
	int fd = client(f);
	uint16_t id;

	send(fd, add, sizeof add - 1, 0);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(fake_sw_waiting(f->sw), 1);
	close(fd);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	assert_true(sw_bridge_id(f->sw, "br0", &id));
	assert_int_equal(rpc_n_clients(f->rpc), 0);
}

/* --- Bad clients -------------------------------------------------------------------------------------- */

static void
ten_megabytes_without_a_newline_end_the_connection(void **state)
{
	struct fixture *f = *state;
	size_t len = 10 << 20;
	char *p = xcalloc(1, len);
	int fd = client(f);

	memset(p, 'a', len);
	assert_false(put(f, fd, p, len));
	expect(f, fd, "request longer than 1 MiB");
	assert_true(is_closed(f, fd));
	assert_int_equal(rpc_n_clients(f->rpc), 0);
	close(fd);
	free(p);
}

static void
the_longest_line_is_still_a_request(void **state)
{
	struct fixture *f = *state;
	size_t max = rpc_default_limits.line, len = strlen(VERSION) - 1;
	char *p = xcalloc(1, max + 2);

	for (unsigned over = 0; over < 2; over++) {
		int fd = client(f);

		memset(p, ' ', max + 1);
		memcpy(p, VERSION, len);
		p[max + over] = '\n';
		put(f, fd, p, max + over + 1);
		expect(f, fd, over ? "longer than" : "\"result\"");
		close(fd);
	}
	free(p);
}

static void
a_thousand_clients_are_served_and_more_are_told(void **state)
{
	struct fixture *f = *state;
	struct rlimit rl;
	enum { N = 1024 };
	int *fds = xcalloc(N, sizeof *fds), extra;

	/* Both ends are in this process. */
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < 2 * N + 64) {
		free(fds);
		skip();
	}
	for (unsigned i = 0; i < N; i++) {
		fds[i] = client(f);
		turn(f);
	}
	assert_int_equal(rpc_n_clients(f->rpc), N);
	extra = client(f);
	expect(f, extra, "too many clients");
	assert_true(is_closed(f, extra));
	for (unsigned i = 0; i < N; i += 100) {
		put(f, fds[i], VERSION, strlen(VERSION));
		expect(f, fds[i], "\"result\"");
	}
	close(extra);
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	for (unsigned i = 0; i < 100 && rpc_n_clients(f->rpc); i++)
		turn(f);
	assert_int_equal(rpc_n_clients(f->rpc), 0);
	free(fds);
}

static void
half_a_request_is_not_waited_for_forever(void **state)
{
	struct fixture *f = *state;
	struct rpc_limits l = rpc_default_limits;
	int half, quiet;

	l.partial_ms = 50;
	rpc_set_limits(f->rpc, &l);
	half = client(f);
	quiet = client(f);
	put(f, half, "{\"jsonrpc\"", 10);
	expect(f, half, "did not arrive whole in time");
	assert_true(is_closed(f, half));
	/* Who asks for nothing may stay. */
	put(f, quiet, VERSION, strlen(VERSION));
	expect(f, quiet, "\"result\"");
	close(half);
	close(quiet);
}

static void
a_client_that_does_not_read_is_not_listened_to(void **state)
{
	struct fixture *f = *state;
	struct rpc_limits l = rpc_default_limits;
	int fd, other;
	size_t sent = 0, limit = 32 << 20;

	l.unread = 64 << 10;
	rpc_set_limits(f->rpc, &l);
	fd = client(f);
	other = client(f);
	for (unsigned idle = 0; idle < 200 && sent < limit;) {
		ssize_t n = send(fd, VERSION, strlen(VERSION), MSG_NOSIGNAL);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? n : 0;
		turn(f);
	}
	assert_true(sent < limit);
	put(f, other, VERSION, strlen(VERSION));
	expect(f, other, "\"result\"");
	/* Once it reads, it goes on. */
	for (size_t i = 0; i < sent / strlen(VERSION); i++)
		expect(f, fd, "\"result\"");
	close(fd);
	close(other);
}

static void
one_who_never_reads_is_dropped_in_the_end(void **state)
{
	struct fixture *f = *state;
	struct rpc_limits l = rpc_default_limits;
	uint64_t start = clock_ms();
	int fd;

	l.unread = 64 << 10;
	l.partial_ms = 50;
	rpc_set_limits(f->rpc, &l);
	fd = client(f);
	while (rpc_n_clients(f->rpc) || clock_ms() < start + 10) {
		send(fd, VERSION, strlen(VERSION), MSG_NOSIGNAL);
		turn(f);
		assert_true(clock_ms() < start + 30000);
	}
	close(fd);
}

static void
all_clients_together_have_a_limit(void **state)
{
	struct fixture *f = *state;
	struct rpc_limits l = rpc_default_limits;
	char half[30000];
	int a, b;

	l.all_in = 40000;
	rpc_set_limits(f->rpc, &l);
	memset(half, ' ', sizeof half);
	half[0] = '{';
	a = client(f);
	b = client(f);
	put(f, a, half, sizeof half);
	put(f, b, half, sizeof half);
	expect(f, b, "too many large requests");
	put(f, a, "}\n", 2);
	expect(f, a, "\"error\"");
	close(a);
	close(b);
}

/* As much as the socket takes. */
static size_t
fill(int fd, const char *line)
{
	char buf[8192];
	size_t one = strlen(line), n = 0;
	ssize_t sent;

	while (n + one <= sizeof buf) {
		memcpy(buf + n, line, one);
		n += one;
	}
	for (size_t all = 0;; all += (size_t)sent) {
		sent = send(fd, buf, n, MSG_NOSIGNAL);
		if (sent < (ssize_t)n)
			return all + (sent > 0 ? (size_t)sent : 0);
	}
}

static void
clients_that_never_stop_let_the_loop_go_on(void **state)
{
	enum { N = 60 };
	struct fixture *f = *state;
	int fd[N], last;
	long all = 0;

	/* Nothing comes back, so that nothing but the time is a limit. */
	for (unsigned i = 0; i < N; i++) {
		fd[i] = client(f);
		turn(f);
	}
	last = client(f);
	turn(f);
	for (unsigned i = 0; i < N; i++) {
		assert_true(fill(fd[i], "{\"jsonrpc\":\"2.0\",\"method\":\"show\"}\n") > 10000);
	}
	assert_int_equal(send(last, VERSION, strlen(VERSION), MSG_NOSIGNAL), strlen(VERSION));
	/* A turn ends long before everything is read. */
	event_base_loop(f->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < N; i++) {
		int waiting;

		assert_int_equal(ioctl(fd[i], SIOCOUTQ, &waiting), 0);
		all += waiting;
	}
	assert_int_not_equal(all, 0);
	expect(f, last, "\"result\"");
	for (unsigned i = 0; i < N; i++)
		close(fd[i]);
	close(last);
}

static void
many_that_read_little_do_not_take_all_memory(void **state)
{
	enum { N = 12, REQUESTS = 5000 };
	struct fixture *f = *state;
	struct rpc_limits l = rpc_default_limits;
	int fd[N], other;

	l.all_out = 1 << 20;
	rpc_set_limits(f->rpc, &l);
	for (unsigned i = 0; i < N; i++) {
		fd[i] = client(f);
		/* Each far below what one client may leave unread. */
		for (unsigned j = 0; j < REQUESTS && put(f, fd[i], VERSION, strlen(VERSION)); j++)
			;
	}
	for (unsigned i = 0; i < 100; i++)
		turn(f);
	assert_in_range(rpc_n_clients(f->rpc), 1, N / 2);
	other = client(f);
	put(f, other, VERSION, strlen(VERSION));
	expect(f, other, "\"result\"");
	for (unsigned i = 0; i < N; i++)
		close(fd[i]);
	close(other);
}

static void
garbage_is_answered_and_survived(void **state)
{
	struct fixture *f = *state;
	unsigned char junk[5000];
	int fd = client(f);
	unsigned lines = 1;

	for (unsigned i = 0; i < sizeof junk; i++)
		junk[i] = (i * 7919u + (i >> 3)) % 255 + 1;
	junk[sizeof junk - 1] = '\n';
	put(f, fd, junk, sizeof junk);
	for (unsigned i = 0; i < sizeof junk - 1; i++)
		lines += junk[i] == '\n';
	for (unsigned i = 0; i < lines; i++)
		expect(f, fd, "-32700");
	close(fd);
}

/* --- The socket file ---------------------------------------------------------------------------------- */

static void
a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct err e = { 0 };
	struct rpc *second;
	int fd;

	assert_null(rpc_create(f->base, f->sw, f->path, &e));
	assert_int_equal(e.code, EADDRINUSE);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/stale", f->dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
	second = rpc_create(f->base, f->sw, sa.sun_path, &e);
	assert_non_null(second);
	rpc_destroy(second);
	fd = open(sa.sun_path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_null(rpc_create(f->base, f->sw, sa.sun_path, &e));
	assert_non_null(strstr(e.msg, "is no socket"));
	unlink(sa.sun_path);
	assert_null(rpc_create(f->base, f->sw, "/proc/nonexistent/weftd.sock", &e));
	assert_non_null(strstr(e.msg, "does the directory exist?"));
	assert_null(rpc_create(f->base, f->sw, "/tmp/a-path-that-is-far-longer-than-the-hundred-and-eight-bytes-that-"
			       "the-kernel-has-room-for-in-the-address-of-a-unix-socket", &e));
	assert_int_equal(e.code, ENAMETOOLONG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_the_connection_stays),
		TEST(the_socket_is_for_owner_and_group_only),
		TEST(a_request_may_come_byte_by_byte),
		TEST(answers_follow_a_client_that_has_stopped_sending),
		TEST(two_clients_with_one_generation_get_one_success),
		TEST(many_requests_at_once_are_all_answered),
		TEST(a_client_that_leaves_early_is_forgotten),
		TEST(ten_megabytes_without_a_newline_end_the_connection),
		TEST(the_longest_line_is_still_a_request),
		TEST(a_thousand_clients_are_served_and_more_are_told),
		TEST(half_a_request_is_not_waited_for_forever),
		TEST(a_client_that_does_not_read_is_not_listened_to),
		TEST(one_who_never_reads_is_dropped_in_the_end),
		TEST(all_clients_together_have_a_limit),
		TEST(clients_that_never_stop_let_the_loop_go_on),
		TEST(many_that_read_little_do_not_take_all_memory),
		TEST(garbage_is_answered_and_survived),
		TEST(a_stale_socket_is_replaced_and_a_live_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
