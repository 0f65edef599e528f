/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the agent share: an agent with one bridge on a fake switch, and peers that talk to it over sockets with
 * the real codec. */
#ifndef TESTS_OFPROTO_AGENT_PEER_H
#define TESTS_OFPROTO_AGENT_PEER_H

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/usock.h"
#include "tests/ofproto/agent/fake_switch.h"

enum { DEADLINE_MS = 5000 };

struct peer {
	int fd;
	uint8_t version;
	uint8_t *in;                    /* Read, not yet taken. */
	size_t len, cap;
	bool eof;
	struct of_arena *arena;
	struct of_msg msg;              /* The last one taken. */
};

static struct {
	struct event_base *base;
	struct of_agent *agent;
	char dir[64], mgmt[128], sock[128], target[160];
	int listener;                   /* Of a controller: at 'target'. */
	struct of_agent_conf conf;
} t;

static inline void
turn(void)
{
	event_base_loop(t.base, EVLOOP_NONBLOCK);
}

#define UNTIL(cond) \
	do { \
		for (uint64_t end_ = clock_ms() + DEADLINE_MS; !(cond);) { \
			if (clock_ms() > end_) \
				fail_msg("line %d: not in time: %s", __LINE__, #cond); \
			turn(); \
		} \
	} while (0)

static inline int
setup(void **state)
{
	struct err e;

	(void)state;
	memset(&t, 0, sizeof t);
	fake_reset();
	log_set_level(LOG_LVL_ERR);
	strcpy(t.dir, "/tmp/weft-agent-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.mgmt, sizeof t.mgmt, "%s/br0.mgmt", t.dir);
	snprintf(t.sock, sizeof t.sock, "%s/ctl", t.dir);
	snprintf(t.target, sizeof t.target, "unix:%s", t.sock);
	t.listener = usock_listen(t.sock, 0700, 64, &e);
	assert_true(t.listener >= 0);
	t.base = event_base_new();
	t.agent = of_agent_create(t.base, fake_ofp(), &fake_ops);
	t.conf = (struct of_agent_conf){ .name = "br0", .run_dir = t.dir, .fail_mode = OF_FAIL_SECURE, .probe_ms = 5000,
					 .max_backoff_ms = 8000 };
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	of_agent_destroy(t.agent);
	fake_release();
	event_base_free(t.base);
	close(t.listener);
	unlink(t.sock);
	assert_int_not_equal(access(t.mgmt, F_OK), 0);
	rmdir(t.dir);
	return 0;
}

static inline void
configure(void)
{
	struct err e = { 0 };

	if (of_agent_bridge_set(t.agent, FAKE_BRIDGE, &t.conf, &e))
		fail_msg("%s", e.msg);
}

/* With one controller: the test's listener. */
static inline void
configure_dialler(void)
{
	t.conf.n_controllers = 1;
	t.conf.controllers[0] = t.target;
	configure();
}

/* --- Peers -------------------------------------------------------------------------------------- */

static inline struct peer *
peer_of_fd(int fd)
{
	struct peer *p = xcalloc(1, sizeof *p);

	p->fd = fd;
	p->arena = of_arena_create();
	return p;
}

static inline void
peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	of_arena_destroy(p->arena);
	free(p->in);
	free(p);
}

/* The next connection that the agent dials. */
static inline struct peer *
peer_accept(void)
{
	int fd = -1;

	UNTIL((fd = accept4(t.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
	return peer_of_fd(fd);
}

static inline struct peer *
peer_connect_to(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s", t.dir, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return peer_of_fd(fd);
}

static inline struct peer *
peer_connect(void)
{
	return peer_connect_to("br0.mgmt");
}

/* False: the agent hung up. */
static inline bool
peer_put(struct peer *p, const void *data, size_t len)
{
	for (uint64_t end = clock_ms() + DEADLINE_MS; len;) {
		ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			data = (const uint8_t *)data + n;
			len -= n;
		}
		if (clock_ms() > end)
			fail_msg("the agent does not read");
		turn();
	}
	return true;
}

static inline void
peer_send_form(struct peer *p, enum of_kind kind, enum of_msg_form form, uint32_t xid, const void *body)
{
	const struct of_msg m = { .version = p->version, .kind = kind, .form = form, .xid = xid, .body = body };
	struct of_buf b = { 0 };

	if (of_encode(&b, &m))
		fail_msg("%s: not in version %u", of_kind_name(kind), p->version);
	peer_put(p, b.data, b.len);
	of_buf_fini(&b);
}

static inline void
peer_send(struct peer *p, enum of_kind kind, uint32_t xid, const void *body)
{
	peer_send_form(p, kind, OFMF_STD, xid, body);
}

static inline void
peer_read(struct peer *p)
{
	ssize_t n;

	if (p->cap < p->len + 65536) {
		p->cap = p->len + 65536;
		p->in = xrealloc(p->in, p->cap);
	}
	n = recv(p->fd, p->in + p->len, p->cap - p->len, 0);
	if (n > 0)
		p->len += n;
	else if (!n || errno != EAGAIN)
		p->eof = true;
}

/* Whether a whole message is there; takes it. */
static inline bool
peer_take(struct peer *p)
{
	struct of_error e;
	uint32_t n;

	if (p->len < OF_HEADER_LEN)
		return false;
	n = of_msg_len(p->in);
	assert_int_not_equal(n, 0);
	if (n > p->len)
		return false;
	of_arena_reset(p->arena);
	if (of_decode(p->in, n, &(struct of_decode_opts){ 0 }, p->arena, &p->msg, &e))
		fail_msg("the agent sends what cannot be decoded: %s", e.why);
	memmove(p->in, p->in + n, p->len - n);
	p->len -= n;
	return true;
}

/* NULL: it hung up. */
static inline const struct of_msg *
peer_next(struct peer *p)
{
	for (uint64_t end = clock_ms() + DEADLINE_MS; clock_ms() < end;) {
		if (peer_take(p))
			return &p->msg;
		if (p->eof)
			return NULL;
		turn();
		peer_read(p);
	}
	fail_msg("no message in time");
	return NULL;
}

/* The next message, which must be of that kind; its body. */
#define EXPECT(p, kind) peer_expect(p, kind, __LINE__)
static inline const void *
peer_expect(struct peer *p, enum of_kind kind, int line)
{
	const struct of_msg *m = peer_next(p);

	if (!m)
		fail_msg("line %d: closed instead of %s", line, of_kind_name(kind));
	if (m->kind != kind)
		fail_msg("line %d: %s instead of %s", line, of_kind_name(m->kind), of_kind_name(kind));
	return m->body;
}

#define EXPECT_ERROR(p, what, xid_) \
	do { \
		const struct of_error_msg *b_ = EXPECT(p, OFK_ERROR); \
		if (b_->id != (what)) \
			fail_msg("line %d: error %s instead of %s", __LINE__, of_error_name(b_->id), of_error_name(what)); \
		assert_int_equal((p)->msg.xid, xid_); \
	} while (0)

/* Nothing comes: proven by an echo that is answered first. */
#define EXPECT_NOTHING(p) peer_expect_nothing(p, __LINE__)
static inline void
peer_expect_nothing(struct peer *p, int line)
{
	const struct of_echo echo = { .data = { (const uint8_t *)"nothing", 7 } };

	peer_send(p, OFK_ECHO_REQUEST, 0x6e6f6e65, &echo);
	peer_expect(p, OFK_ECHO_REPLY, line);
	assert_int_equal(p->msg.xid, 0x6e6f6e65);
}

static inline void
peer_expect_eof(struct peer *p)
{
	while (peer_next(p))
		;
}

static inline void
peer_hello(struct peer *p, uint8_t version)
{
	const struct of_hello h = { .versions = (2u << version) - 2 };

	p->version = version;
	peer_send(p, OFK_HELLO, 1, &h);
	EXPECT(p, OFK_HELLO);
}

static inline size_t
rss_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, rss = 0;

	assert_int_equal(fscanf(f, "%lu %lu", &size, &rss), 2);
	fclose(f);
	return rss * 4;
}

/* Whether the process grew by less than that since; a sanitizer keeps what was freed, and tells nothing here. */
static inline bool
grew_less(size_t rss, size_t kb)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return true;
#endif
#endif
	return rss_kb() < rss + kb;
}

struct of_conn_info_copy {
	struct of_conn_info i;
	char error[200], state[20];
};

static inline void
copy_info(void *arg, const struct of_conn_info *i)
{
	struct of_conn_info_copy *out = arg;

	/* The last one that is asked about: not the local listener, if there is another. */
	out->i = *i;
	snprintf(out->error, sizeof out->error, "%s", i->last_error ? i->last_error : "");
	snprintf(out->state, sizeof out->state, "%s", i->state);
}

/* Of the last connection or remote in the list. */
static inline struct of_conn_info_copy
info(void)
{
	struct of_conn_info_copy c = { 0 };

	of_agent_conns(t.agent, FAKE_BRIDGE, copy_info, &c);
	return c;
}

/* A controller that the agent dialled, up. */
static inline struct peer *
controller(uint8_t version)
{
	struct peer *p = peer_accept();

	peer_hello(p, version);
	UNTIL(info().i.connected);
	return p;
}

/* A client of the local socket, up. */
static inline struct peer *
client(uint8_t version)
{
	struct peer *p = peer_connect();

	peer_hello(p, version);
	return p;
}

#endif
