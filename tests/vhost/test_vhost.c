/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user port against a guest of our own (guest.h): packets, restarts, misbehaviour, sleep. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "tests/vhost/guest.h"
#include "vhost/vhost.h"

enum { N_MBUFS = 1024, DEADLINE_MS = 5000 };

static struct rte_mempool *pool;
static const uint8_t zeros[64];
static char dir[64], sock_path[100];

/* This thread polls; the library's threads wait until it is between two bursts. */
static pthread_mutex_t burst = PTHREAD_MUTEX_INITIALIZER;
static unsigned n_quiesce, n_changed;

static void
owner_changed(struct port_owner *o UNUSED, struct port *p UNUSED)
{
	__atomic_fetch_add(&n_changed, 1, __ATOMIC_RELAXED);
}

static void
owner_quiesce(struct port_owner *o UNUSED)
{
	pthread_mutex_lock(&burst);
	pthread_mutex_unlock(&burst);
	__atomic_fetch_add(&n_quiesce, 1, __ATOMIC_RELAXED);
}

static struct port_owner owner = { .changed = owner_changed, .quiesce = owner_quiesce, .run_dir = dir, .n_lcores = 1 };

static uint16_t
port_rx(struct port *p, struct rte_mbuf **m, uint16_t n)
{
	pthread_mutex_lock(&burst);
	n = p->type->rx(p, 0, m, n);
	pthread_mutex_unlock(&burst);
	return n;
}

static uint16_t
port_tx(struct port *p, struct rte_mbuf **m, uint16_t n)
{
	pthread_mutex_lock(&burst);
	n = p->type->tx(p, 0, m, n);
	pthread_mutex_unlock(&burst);
	return n;
}

/* 'off': an option to be false, or NULL. */
static struct port *
port_try_opt(const char *mode, const char *socket, const char *off, struct err *e)
{
	char *conf = calloc(1, vhp_vhost_user.conf_size);

	opt_defaults(vhp_vhost_user.opts, conf);
	assert_int_equal(opt_set(vhp_vhost_user.opts, conf, "mode", mode, e), 0);
	assert_int_equal(opt_set(vhp_vhost_user.opts, conf, "socket", socket, e), 0);
	if (off)
		assert_int_equal(opt_set(vhp_vhost_user.opts, conf, off, "false", e), 0);
	struct port *p = port_create(&vhp_vhost_user, &owner, "vm1", 1, conf, e);

	free(conf);
	return p;
}

static struct port *
port_try(const char *mode, const char *socket, struct err *e)
{
	return port_try_opt(mode, socket, NULL, e);
}

/* The library looks at a new socket when its poll() ends, after a second or when something else happens: this guest
 * of another port makes it happen. */
static struct port *waker_port;
static struct guest waker;

static struct port *
port_open(const char *mode)
{
	struct err e = { 0 };
	struct port *p = port_try(mode, sock_path, &e);

	if (!p)
		fail_msg("%s", e.msg);
	assert_true(guest_sync(&waker));
	return p;
}

static bool
is_up(struct port *p)
{
	struct port_link l;

	p->type->link(p, &l);
	return l.up;
}

static void
wait_for(struct port *p, bool up)
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	while (is_up(p) != up) {
		if (clock_ms() > end)
			fail_msg("port did not go %s in time", up ? "up" : "down");
		usleep(200);
	}
}

static const char *
reason(struct port *p)
{
	static struct port_link l;

	p->type->link(p, &l);
	return l.reason;
}

static void
wait_for_reason(struct port *p, const char *part)
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	while (!strstr(reason(p), part)) {
		if (clock_ms() > end)
			fail_msg("reason is '%s', not '%s'", reason(p), part);
		usleep(200);
	}
}

static void
no_mbuf_is_lost(void)
{
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static struct rte_mbuf *
frame(uint8_t fill, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, len), fill, len);
	return m;
}

/* One frame each way, whole and unchanged. */
static void
exchange(struct port *p, struct guest *g, uint8_t fill)
{
	uint8_t out[100], in[GUEST_BUF];
	struct rte_mbuf *m[32];

	memset(out, fill, sizeof out);
	assert_true(guest_send(g, out, sizeof out, 1));
	assert_int_equal(port_rx(p, m, 32), 1);
	assert_int_equal(m[0]->pkt_len, sizeof out);
	assert_memory_equal(rte_pktmbuf_mtod(m[0], void *), out, sizeof out);
	rte_pktmbuf_free(m[0]);

	m[0] = frame((uint8_t)~fill, 100);
	memset(out, (uint8_t)~fill, sizeof out);
	assert_int_equal(port_tx(p, m, 1), 1);
	assert_int_equal(guest_recv(g, in, sizeof in), sizeof out);
	assert_memory_equal(in, out, sizeof out);
}

static void
a_guest_connects_to_our_socket_and_frames_go_both_ways(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct guest g;

	assert_false(is_up(p));
	assert_non_null(strstr(reason(p), "waiting for the guest to connect to /"));
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_negotiate(&g, 0));
	wait_for_reason(p, "driver not ready");
	guest_disconnect(&g);
	wait_for_reason(p, "waiting");

	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	assert_string_equal(reason(p), "");
	for (unsigned i = 0; i < 300; i++)
		exchange(p, &g, (uint8_t)i);
	port_destroy(p);
	assert_int_equal(access(sock_path, F_OK), -1);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
we_connect_to_the_socket_of_a_guest(void **state UNUSED)
{
	int listener = guest_listen(sock_path);
	struct port *p = port_open("client");
	struct guest g;

	guest_init(&g, 64);
	assert_int_equal(guest_accept(&g, listener), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	exchange(p, &g, 7);
	close(listener);
	unlink(sock_path);
	guest_disconnect(&g);
	wait_for(p, false);
	assert_non_null(strstr(reason(p), "no socket /"));
	assert_non_null(strstr(reason(p), "start the guest with server=on"));
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
reconnects(const char *mode)
{
	bool server = !strcmp(mode, "server");
	int listener = server ? -1 : guest_listen(sock_path);
	unsigned quiesced = __atomic_load_n(&n_quiesce, __ATOMIC_RELAXED);
	struct port *p = port_open(mode);
	struct rte_mbuf *m[32];
	struct port_link l;
	struct guest g;
	uint16_t n;

	for (unsigned i = 0; i < 100; i++) {
		guest_init(&g, 64);
		assert_int_equal(server ? guest_connect(&g, sock_path) : guest_accept(&g, listener), 0);
		assert_true(guest_start(&g));
		wait_for(p, true);
		exchange(p, &g, (uint8_t)i);
		/* It goes in the middle of a burst. */
		for (unsigned k = 0; k < 40; k++)
			assert_true(guest_send(&g, zeros, 60, 1));
		guest_disconnect(&g);
		while ((n = port_rx(p, m, 16)))
			rte_pktmbuf_free_bulk(m, n);
		m[0] = frame(1, 60);
		if (!port_tx(p, m, 1))
			rte_pktmbuf_free(m[0]);
		wait_for(p, false);
		assert_int_equal(port_rx(p, m, 16), 0);
		m[0] = frame(1, 60);
		assert_int_equal(port_tx(p, m, 1), 1);
		assert_true(p->tx_drops[DROP_TX_DOWN] > i);
		guest_fini(&g);
	}
	p->type->link(p, &l);
	assert_int_equal(l.resets, 100);
	port_destroy(p);
	/* For the rings, then for the word that a poller looks at first. */
	assert_int_equal(__atomic_load_n(&n_quiesce, __ATOMIC_RELAXED) - quiesced, 200);
	if (!server) {
		close(listener);
		unlink(sock_path);
	}
	no_mbuf_is_lost();
}

static void
a_guest_may_reconnect_100_times_to_our_socket(void **state UNUSED)
{
	reconnects("server");
}

static void
we_reconnect_100_times_to_a_guest(void **state UNUSED)
{
	reconnects("client");
}

/* The guest is a process of its own, sending as fast as it can, and dies. */
static void
a_guest_may_be_killed(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct rte_mbuf *m[32];

	for (unsigned i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct guest g;

			guest_init(&g, 64);
			if (guest_connect(&g, sock_path) || !guest_start(&g))
				_exit(1);
			for (;;)
				guest_send(&g, zeros, 64, 1);
		}
		wait_for(p, true);
		for (unsigned got = 0, n; got < 500; got += n) {
			n = port_rx(p, m, 32);
			rte_pktmbuf_free_bulk(m, n);
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		for (uint64_t end = clock_ms() + DEADLINE_MS; is_up(p); assert_true(clock_ms() < end)) {
			unsigned n = port_rx(p, m, 32);

			rte_pktmbuf_free_bulk(m, n);
		}
	}
	port_destroy(p);
	no_mbuf_is_lost();
}

static void
a_second_guest_waits_for_its_turn(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct guest first, second;

	guest_init(&first, 64);
	guest_init(&second, 64);
	assert_int_equal(guest_connect(&first, sock_path), 0);
	assert_true(guest_start(&first));
	wait_for(p, true);
	assert_int_equal(guest_connect(&second, sock_path), 0);
	assert_true(guest_start(&second));
	exchange(p, &first, 1);
	guest_disconnect(&first);
	for (uint64_t end = clock_ms() + DEADLINE_MS;;) {
		struct port_link l;

		p->type->link(p, &l);
		if (l.resets == 1 && l.up)
			break;
		assert_true(clock_ms() < end);
	}
	exchange(p, &second, 2);
	port_destroy(p);
	guest_fini(&first);
	guest_fini(&second);
	no_mbuf_is_lost();
}

static void
absurd_ring_sizes_end_the_connection_only(void **state UNUSED)
{
	static const uint32_t sizes[] = { 0, 3, 100, 32769, 65536, UINT32_MAX };
	struct port *p = port_open("server");
	struct guest g;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		guest_init(&g, 64);
		assert_int_equal(guest_connect(&g, sock_path), 0);
		assert_true(guest_negotiate(&g, 0));
		guest_set_ring_num(&g, GUEST_TX, sizes[i]);
		assert_false(guest_sync(&g));
		assert_false(is_up(p));
		guest_fini(&g);
	}
	/* Allowed, but the tables would reach beyond the guest's memory. */
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_negotiate(&g, 0));
	for (unsigned i = 0; i < 2; i++)
		if (!guest_set_ring_num(&g, i, 32768) || !guest_start_ring(&g, i) || !guest_enable_ring(&g, i, true))
			break;
	guest_sync(&g);
	assert_false(is_up(p));
	guest_fini(&g);

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	exchange(p, &g, 9);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
a_disabled_ring_takes_the_port_down_until_it_is_enabled(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct guest g;

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(guest_enable_ring(&g, i % 2, false));
		assert_true(guest_sync(&g));
		assert_false(is_up(p));
		assert_non_null(strstr(reason(p), "rings not enabled"));
		assert_true(guest_enable_ring(&g, i % 2, true));
		assert_true(guest_sync(&g));
		assert_true(is_up(p));
		exchange(p, &g, (uint8_t)i);
	}
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

/* A hypervisor that was told to leave the guest paused on arrival announces it before there are rings. */
static void
an_arrival_is_announced_once_the_port_is_up(void **state UNUSED)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
	struct port *p = port_open("server");
	uint64_t want = PORT_ANNOUNCE;
	struct guest g;

	memcpy(&want, mac, sizeof mac);
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_announce(&g, mac));
	assert_true(guest_sync(&g));
	assert_int_equal(__atomic_load_n(&p->announce, __ATOMIC_ACQUIRE), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	assert_true(__atomic_exchange_n(&p->announce, 0, __ATOMIC_ACQUIRE) == want);
	/* Said once. */
	assert_true(guest_enable_ring(&g, GUEST_TX, true));
	assert_true(guest_sync(&g));
	assert_int_equal(__atomic_load_n(&p->announce, __ATOMIC_ACQUIRE), 0);
	assert_true(guest_announce(&g, mac));
	assert_true(guest_sync(&g));
	assert_true(__atomic_load_n(&p->announce, __ATOMIC_ACQUIRE) == want);
	port_destroy(p);
	guest_fini(&g);
}

static bool
readable(int fd, int ms)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	return poll(&f, 1, ms) == 1;
}

static void
a_sleeper_is_woken_by_a_packet_and_by_a_new_guest(void **state UNUSED)
{
	struct port *p = port_open("server");
	const struct port_sleep *s = p->type->sleep;
	struct rte_mbuf *m[32];
	struct guest g;
	bool pending;
	int fd;

	fd = s->arm(p, 0, &pending);
	assert_true(fd >= 0 && !pending && !readable(fd, 0));
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	assert_true(readable(fd, DEADLINE_MS));
	wait_for(p, true);
	s->disarm(p, 0);
	assert_false(readable(fd, 0));

	/* Awake: the guest does not kick. */
	assert_true(guest_send(&g, zeros, 60, 1));
	assert_false(readable(fd, 0));
	assert_int_equal(s->arm(p, 0, &pending), fd);
	assert_true(pending);
	s->disarm(p, 0);
	assert_int_equal(port_rx(p, m, 32), 1);
	rte_pktmbuf_free(m[0]);

	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(s->arm(p, 0, &pending), fd);
		assert_true(!pending && !readable(fd, 0));
		assert_true(guest_send(&g, zeros, 60, 1));
		assert_true(readable(fd, 0));
		s->disarm(p, 0);
		assert_false(readable(fd, 0));
		assert_int_equal(port_rx(p, m, 32), 1);
		rte_pktmbuf_free(m[0]);
	}

	/* A full ring is not an empty one. */
	while (guest_send(&g, zeros, 60, 1))
		;
	s->arm(p, 0, &pending);
	assert_true(pending);
	s->disarm(p, 0);
	for (uint16_t n; (n = port_rx(p, m, 32));)
		rte_pktmbuf_free_bulk(m, n);

	s->arm(p, 0, &pending);
	assert_false(pending);
	guest_disconnect(&g);
	assert_true(readable(fd, DEADLINE_MS));
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
what_a_sleeper_found_is_not_lost(void **state UNUSED)
{
	struct port *p = port_open("server");
	const struct port_sleep *s = p->type->sleep;
	struct rte_mbuf *m[32];
	struct guest g;
	uint8_t f[60];
	bool pending;

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	for (unsigned i = 0; i < 40; i++) {
		memset(f, (int)i, sizeof f);
		assert_true(guest_send(&g, f, sizeof f, 1));
	}
	s->arm(p, 0, &pending);
	assert_true(pending);
	s->disarm(p, 0);
	/* In order, and never more than asked for; what is left over is something to stay awake for. */
	assert_int_equal(port_rx(p, m, 1), 1);
	assert_int_equal(*rte_pktmbuf_mtod(m[0], uint8_t *), 0);
	rte_pktmbuf_free(m[0]);
	s->arm(p, 0, &pending);
	assert_true(pending);
	s->disarm(p, 0);
	for (unsigned i = 1; i < 40;) {
		uint16_t n = port_rx(p, m, 32);

		assert_true(n > 0 && n <= 32);
		for (unsigned k = 0; k < n; k++, i++)
			assert_int_equal(*rte_pktmbuf_mtod(m[k], uint8_t *), i);
		rte_pktmbuf_free_bulk(m, n);
	}
	s->arm(p, 0, &pending);
	assert_false(pending);
	s->disarm(p, 0);
	assert_true(guest_send(&g, f, sizeof f, 1));
	s->arm(p, 0, &pending);
	assert_true(pending);
	guest_disconnect(&g);
	wait_for(p, false);
	s->arm(p, 0, &pending);
	assert_false(pending);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
a_malformed_chain_keeps_nobody_awake(void **state UNUSED)
{
	struct port *p = port_open("server");
	const struct port_sleep *s = p->type->sleep;
	struct rte_mbuf *m[32];
	struct guest g;
	bool pending;

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	guest_send_garbage(&g);
	assert_int_equal(port_rx(p, m, 32), 0);
	s->arm(p, 0, &pending);
	s->disarm(p, 0);
	assert_false(pending);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
long_frames_come_and_go_whole(void **state UNUSED)
{
	static uint8_t big[5000], back[6000];
	struct port *p = port_open("server");
	struct rte_mbuf *m[32];
	struct guest g;

	for (unsigned i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	assert_true(guest_send(&g, big, sizeof big, 3));
	assert_int_equal(port_rx(p, m, 32), 1);
	assert_int_equal(m[0]->pkt_len, sizeof big);
	assert_memory_equal(rte_pktmbuf_read(m[0], 0, sizeof big, back), big, sizeof big);
	assert_int_equal(port_tx(p, m, 1), 1);
	assert_int_equal(guest_recv(&g, back, sizeof back), sizeof big);
	assert_memory_equal(back, big, sizeof big);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

/* All descriptors in one chain, 120 KiB: no frame is that long. */
static void
an_endless_frame_takes_no_buffers(void **state UNUSED)
{
	static uint8_t huge[120000];
	struct port *p = port_open("server");
	struct rte_mbuf *m[32];
	struct guest g;

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(guest_send(&g, huge, sizeof huge, 64));
		assert_int_equal(port_rx(p, m, 32), 0);
		no_mbuf_is_lost();
	}
	port_destroy(p);
	guest_fini(&g);
}

static void
a_peer_that_stops_in_a_message_stops_nobody_else(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct guest mute, g;

	guest_init(&mute, 64);
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&mute, sock_path), 0);
	assert_true(guest_sync(&mute));
	assert_true(guest_send_half(&mute));
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	exchange(p, &g, 3);
	assert_false(guest_sync(&mute));
	port_destroy(p);
	guest_fini(&mute);
	guest_fini(&g);
	no_mbuf_is_lost();
}

static void
what_does_not_fit_the_ring_stays_with_the_sender(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct rte_mbuf *m[100];
	struct guest g;
	uint8_t buf[GUEST_BUF];
	uint16_t n;

	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	for (unsigned i = 0; i < 100; i++)
		m[i] = frame((uint8_t)i, 60);
	n = port_tx(p, m, 100);
	assert_int_equal(n, 64);
	assert_int_equal(rte_mempool_in_use_count(pool), 36);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(guest_recv(&g, buf, sizeof buf), 60);
		assert_int_equal(buf[0], i);
	}
	assert_int_equal(port_tx(p, m + n, 36), 36);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

/* A guest that takes no chains of buffers: what is longer than one is lost, and nothing behind it. */
static void
a_frame_too_long_for_the_guest_does_not_block_others(void **state UNUSED)
{
	struct port *p = port_open("server");
	struct rte_mbuf *m[70], *tail = frame(2, 1500);
	struct guest g;
	uint8_t buf[GUEST_BUF];

	guest_init(&g, 64);
	g.refuse = 1ull << VIRTIO_NET_F_MRG_RXBUF;
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_start(&g));
	wait_for(p, true);
	m[0] = frame(1, 1500);
	assert_int_equal(rte_pktmbuf_chain(m[0], tail), 0);
	for (unsigned i = 1; i < 70; i++)
		m[i] = frame((uint8_t)i, 60);
	/* The long one, and as many as there are buffers: a full ring is no reason to lose one. */
	assert_int_equal(port_tx(p, m, 70), 65);
	assert_int_equal(p->tx_drops[DROP_TX_TOO_BIG], 1);
	for (unsigned i = 1; i < 65; i++) {
		assert_int_equal(guest_recv(&g, buf, sizeof buf), 60);
		assert_int_equal(buf[0], i);
	}
	assert_int_equal(port_tx(p, m + 65, 5), 5);
	port_destroy(p);
	guest_fini(&g);
	no_mbuf_is_lost();
}

/* Which of the features a port with an option (or NULL) offers; 'all' or 'none' of each kind, or the test fails. */
static void
offers(const char *opt, bool csum, bool tso, bool ufo)
{
	static const uint64_t kinds[] = {
		1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM,
		1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 | 1ull << VIRTIO_NET_F_HOST_ECN |
		1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6 | 1ull << VIRTIO_NET_F_GUEST_ECN,
		1ull << VIRTIO_NET_F_HOST_UFO | 1ull << VIRTIO_NET_F_GUEST_UFO | 1ull << 54 | 1ull << 55 | 1ull << 56,
	};
	const bool want[] = { csum, tso, ufo };
	struct err e = { 0 };
	struct port *p = port_try_opt("server", sock_path, opt, &e);
	struct guest g;

	assert_non_null(p);
	assert_true(guest_sync(&waker));
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_negotiate(&g, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(g.offered & kinds[i], want[i] ? kinds[i] : 0);
	port_destroy(p);
	guest_fini(&g);
}

static void
offloads_are_offered_unless_the_port_says_otherwise(void **state UNUSED)
{
	offers(NULL, true, true, true);
	offers("tso", true, false, true);
	offers("ufo", true, true, false);
	offers("csum", false, false, false);
}

static void
useful_features_are_offered_and_others_cannot_be_taken(void **state UNUSED)
{
	struct err e = { 0 };
	struct port *p = port_try_opt("server", sock_path, "csum", &e);
	struct guest g;

	assert_non_null(p);
	assert_true(guest_sync(&waker));
	guest_init(&g, 64);
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_true(guest_negotiate(&g, 0));
	assert_false(g.offered >> VIRTIO_F_ACCESS_PLATFORM & 1);
	static const unsigned on[] = { VIRTIO_F_VERSION_1, VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER,
		VIRTIO_NET_F_MRG_RXBUF, VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX, VIRTIO_NET_F_MQ,
		VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_MTU, VIRTIO_NET_F_STATUS, VIRTIO_NET_F_SPEED_DUPLEX,
		VIRTIO_NET_F_CTRL_VQ };

	for (unsigned i = 0; i < ARRAY_SIZE(on); i++)
		assert_true(g.offered >> on[i] & 1);
	guest_disconnect(&g);

	/* Whoever takes what was not offered is refused, as a guest that ran when the option was changed. */
	assert_int_equal(guest_connect(&g, sock_path), 0);
	assert_false(guest_negotiate(&g, 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4));
	wait_for_reason(p, "(csum is off; start the guest again)");
	port_destroy(p);
	guest_fini(&g);
}

static void
a_stale_socket_is_replaced_and_a_live_one_is_not(void **state UNUSED)
{
	int listener = guest_listen(sock_path);
	struct err e = { 0 };

	assert_null(port_try("server", sock_path, &e));
	assert_int_equal(e.code, EADDRINUSE);
	assert_non_null(strstr(e.msg, "another process listens on"));
	assert_int_equal(access(sock_path, F_OK), 0);
	close(listener);

	struct port *p = port_open("server");
	struct stat st;

	assert_int_equal(stat(sock_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_null(port_try("server", sock_path, &e));
	assert_non_null(strstr(e.msg, "is the socket of port vm1 already"));
	port_destroy(p);
}

static void
what_is_in_the_way_of_the_socket_is_named(void **state UNUSED)
{
	char path[160];
	struct err e = { 0 };
	FILE *f = fopen(sock_path, "w");

	fclose(f);
	assert_null(port_try("server", sock_path, &e));
	assert_int_equal(e.code, EEXIST);
	assert_non_null(strstr(e.msg, "is no socket"));
	unlink(sock_path);

	snprintf(path, sizeof path, "%s/nowhere/vm1.sock", dir);
	assert_null(port_try("server", path, &e));
	assert_int_equal(e.code, ENOENT);

	memset(path, 'x', 105);
	path[105] = '\0';
	assert_null(port_try("server", path, &e));
	assert_int_equal(e.code, ENAMETOOLONG);
}

static void
the_default_socket_is_in_the_run_directory(void **state UNUSED)
{
	struct err e = { 0 };
	struct port *p = port_try("client", "", &e);
	char want[120];

	assert_non_null(p);
	snprintf(want, sizeof want, "no socket %s/vhost/vm1.sock", dir);
	assert_non_null(strstr(reason(p), want));
	port_destroy(p);

	p = port_try("server", "own.sock", &e);
	assert_non_null(p);
	snprintf(want, sizeof want, "%s/own.sock", dir);
	assert_int_equal(access(want, F_OK), 0);
	port_destroy(p);
	snprintf(want, sizeof want, "%s/vhost", dir);
	rmdir(want);
}

static int
start_eal(void **state UNUSED)
{
	char *argv[] = { (char *)"test", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64",
			 (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1",
			 (char *)"--log-level", (char *)"4" };

	if (rte_eal_init(ARRAY_SIZE(argv), argv) < 0)
		return -1;
	pool = owner.pool = rte_pktmbuf_pool_create("test", N_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	snprintf(dir, sizeof dir, "/tmp/weft-test-XXXXXX");
	if (!pool || !mkdtemp(dir))
		return -1;
	snprintf(sock_path, sizeof sock_path, "%s/guest.sock", dir);

	struct err e = { 0 };

	waker_port = port_try("server", "waker.sock", &e);
	guest_init(&waker, 64);
	char path[100];

	snprintf(path, sizeof path, "%s/waker.sock", dir);
	return waker_port && !guest_connect(&waker, path) && guest_sync(&waker) ? 0 : -1;
}

static int
stop_eal(void **state UNUSED)
{
	port_destroy(waker_port);
	guest_fini(&waker);
	rmdir(dir);
	rte_eal_cleanup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_connects_to_our_socket_and_frames_go_both_ways),
		cmocka_unit_test(we_connect_to_the_socket_of_a_guest),
		cmocka_unit_test(a_guest_may_reconnect_100_times_to_our_socket),
		cmocka_unit_test(we_reconnect_100_times_to_a_guest),
		cmocka_unit_test(a_guest_may_be_killed),
		cmocka_unit_test(a_second_guest_waits_for_its_turn),
		cmocka_unit_test(absurd_ring_sizes_end_the_connection_only),
		cmocka_unit_test(a_disabled_ring_takes_the_port_down_until_it_is_enabled),
		cmocka_unit_test(an_arrival_is_announced_once_the_port_is_up),
		cmocka_unit_test(a_sleeper_is_woken_by_a_packet_and_by_a_new_guest),
		cmocka_unit_test(what_a_sleeper_found_is_not_lost),
		cmocka_unit_test(a_malformed_chain_keeps_nobody_awake),
		cmocka_unit_test(long_frames_come_and_go_whole),
		cmocka_unit_test(an_endless_frame_takes_no_buffers),
		cmocka_unit_test(a_peer_that_stops_in_a_message_stops_nobody_else),
		cmocka_unit_test(what_does_not_fit_the_ring_stays_with_the_sender),
		cmocka_unit_test(a_frame_too_long_for_the_guest_does_not_block_others),
		cmocka_unit_test(offloads_are_offered_unless_the_port_says_otherwise),
		cmocka_unit_test(useful_features_are_offered_and_others_cannot_be_taken),
		cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(what_is_in_the_way_of_the_socket_is_named),
		cmocka_unit_test(the_default_socket_is_in_the_run_directory),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
