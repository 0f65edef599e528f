/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user port against DPDK's own virtio driver, in every ring format: this program starts itself
 * once more as the guest, which echoes what it gets.  The guest is killed in the middle of traffic. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "vhost/vhost.h"

enum {
	DEADLINE_MS = 20000,
	HELLO_LEN = 42,                 /* Shorter than any frame_len(). */
};

static struct rte_mempool *pool;
static char dir[64], sock_path[100];
static pthread_mutex_t burst = PTHREAD_MUTEX_INITIALIZER;

static void
owner_changed(struct port_owner *o UNUSED, struct port *p UNUSED)
{
}

static void
owner_quiesce(struct port_owner *o UNUSED)
{
	pthread_mutex_lock(&burst);
	pthread_mutex_unlock(&burst);
}

static struct port_owner owner = { .changed = owner_changed, .quiesce = owner_quiesce, .run_dir = dir, .n_lcores = 1 };

static void
start_eal(const char *vdev)
{
	char *argv[16] = { (char *)"test", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64",
			   (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1",
			   (char *)"--log-level", (char *)"4" };
	int argc = 11;

	if (vdev) {
		argv[argc++] = (char *)"--vdev";
		argv[argc++] = (char *)(uintptr_t)vdev;
	}
	if (rte_eal_init(argc, argv) < 0)
		exit(1);
	pool = owner.pool = rte_pktmbuf_pool_create("test", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool)
		exit(1);
}

/* ---- The guest ---- */

static int
guest_main(const char *vdev)
{
	struct rte_eth_conf conf = { .rxmode = { .offloads = 0 } };
	struct rte_mbuf *m[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	start_eal(vdev);
	if (rte_eth_dev_configure(0, 1, 1, &conf) || rte_eth_rx_queue_setup(0, 0, 256, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(0, 0, 256, 0, NULL) || rte_eth_dev_start(0))
		return 1;
	for (;;) {
		uint16_t n = rte_eth_rx_burst(0, 0, m, 32), done = 0;

		while (done < n)
			done += rte_eth_tx_burst(0, 0, m + done, (uint16_t)(n - done));
		if (!n)
			usleep(20);
	}
}

static pid_t
guest_spawn(const char *options)
{
	char vdev[300];
	pid_t pid;

	snprintf(vdev, sizeof vdev, "net_virtio_user0,path=%s,queues=1,queue_size=256,mac=02:00:00:00:00:01%s", sock_path,
		 options);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "guest", "guest", vdev, NULL);
		_exit(1);
	}
	return pid;
}

/* ---- The switch ---- */

static struct port *
port_open(const char *mode)
{
	char *conf = calloc(1, vhp_vhost_user.conf_size);
	struct err e = { 0 };

	opt_defaults(vhp_vhost_user.opts, conf);
	opt_set(vhp_vhost_user.opts, conf, "mode", mode, &e);
	opt_set(vhp_vhost_user.opts, conf, "socket", sock_path, &e);
	struct port *p = port_create(&vhp_vhost_user, &owner, "vm1", 1, conf, &e);

	free(conf);
	if (!p)
		fail_msg("%s", e.msg);
	return p;
}

static struct port_link
port_link(struct port *p)
{
	struct port_link l;

	p->type->link(p, &l);
	return l;
}

static void
wait_for(struct port *p, bool up)
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	while (port_link(p).up != up) {
		if (clock_ms() > end)
			fail_msg("not %s: %s", up ? "up" : "down", port_link(p).reason);
		usleep(1000);
	}
}

static struct rte_mbuf *
make_frame(unsigned i, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);

	for (uint32_t k = 0; k < len; k++)
		p[k] = (uint8_t)(i + k);
	return m;
}

static uint32_t
frame_len(unsigned i)
{
	return 60 + i * 37 % 1455;
}

static void
expect_frame(const struct rte_mbuf *m, unsigned i)
{
	uint8_t buf[1600];
	const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, buf);

	assert_int_equal(m->pkt_len, frame_len(i));
	for (uint32_t k = 0; k < m->pkt_len; k++)
		if (p[k] != (uint8_t)(i + k))
			fail_msg("frame %u differs at byte %u", i, k);
}

/* The guest's driver fills its rings first, and when it starts to work it throws away what came until then: ask until it
 * answers.  More answers can follow, all before the first frame of echo(). */
static void
wait_for_echo(struct port *p)
{
	uint64_t end = clock_ms() + DEADLINE_MS;
	struct rte_mbuf *m;

	do {
		if (clock_ms() > end)
			fail_msg("no answer: %s", port_link(p).reason);
		m = make_frame(0, HELLO_LEN);
		if (!p->type->tx(p, 0, &m, 1))
			rte_pktmbuf_free(m);
		usleep(1000);
	} while (!p->type->rx(p, 0, &m, 1));
	assert_int_equal(m->pkt_len, HELLO_LEN);
	rte_pktmbuf_free(m);
}

/* 'n' frames out and back, in order; or as many as come until the guest, if given, is killed half-way. */
static void
echo(struct port *p, unsigned n, pid_t victim)
{
	uint64_t end = clock_ms() + DEADLINE_MS;
	unsigned sent = 0, got = 0;
	struct rte_mbuf *m[32];

	while (got < n) {
		uint16_t k = 0, done;

		for (; k < 16 && sent + k < n && sent + k - got < 200; k++)
			m[k] = make_frame(sent + k, frame_len(sent + k));
		pthread_mutex_lock(&burst);
		done = p->type->tx(p, 0, m, k);
		pthread_mutex_unlock(&burst);
		rte_pktmbuf_free_bulk(m + done, (unsigned)(k - done));
		sent += done;
		if (victim && sent > n / 2) {
			kill(victim, SIGKILL);
			assert_int_equal(waitpid(victim, NULL, 0), victim);
			victim = 0;
			n = 0;
		}
		pthread_mutex_lock(&burst);
		k = p->type->rx(p, 0, m, 32);
		pthread_mutex_unlock(&burst);
		for (unsigned i = 0; i < k; i++)
			if (got || m[i]->pkt_len != HELLO_LEN)
				expect_frame(m[i], got++);
		rte_pktmbuf_free_bulk(m, k);
		if (clock_ms() > end)
			fail_msg("%u of %u frames came back", got, n);
	}
}

/* One frame at a time, asleep until it is back: a wake-up that got lost is a timeout. */
static void
sleepy_echo(struct port *p, unsigned n)
{
	const struct port_sleep *s = p->type->sleep;
	struct rte_mbuf *m;

	for (unsigned i = 0; i < n; i++) {
		m = make_frame(i, frame_len(i));
		assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
		while (!p->type->rx(p, 0, &m, 1)) {
			bool pending;
			struct pollfd f = { .fd = s->arm(p, 0, &pending), .events = POLLIN };

			if (!pending && poll(&f, 1, DEADLINE_MS) != 1)
				fail_msg("nobody woke us for frame %u", i);
			s->disarm(p, 0);
		}
		expect_frame(m, i);
		rte_pktmbuf_free(m);
	}
}

static void
frames_are_echoed(const char *mode, const char *options, const char *feature)
{
	struct port *p = port_open(mode);
	pid_t pid = guest_spawn(options);

	wait_for(p, true);
	if (feature && !strstr(port_link(p).detail, feature))
		fail_msg("no '%s' in '%s'", feature, port_link(p).detail);
	wait_for_echo(p);
	echo(p, 3000, 0);
	sleepy_echo(p, 2000);
	echo(p, 3000, pid);
	wait_for(p, false);
	assert_int_equal(port_link(p).resets, 1);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);

	if (!strcmp(mode, "server")) {
		pid = guest_spawn(options);
		wait_for(p, true);
		wait_for_echo(p);
		echo(p, 300, 0);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	port_destroy(p);
	unlink(sock_path);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void
split_rings(void **state UNUSED)
{
	frames_are_echoed("server", ",mrg_rxbuf=1,in_order=0", "mergeable");
}

static void
packed_rings(void **state UNUSED)
{
	frames_are_echoed("server", ",packed_vq=1,mrg_rxbuf=1,in_order=0", "packed");
}

static void
packed_rings_in_order_without_mergeable_buffers(void **state UNUSED)
{
	frames_are_echoed("server", ",packed_vq=1,mrg_rxbuf=0,in_order=1", "in-order");
}

static void
split_rings_in_order_of_a_guest_that_listens(void **state UNUSED)
{
	frames_are_echoed("client", ",server=1,mrg_rxbuf=0,in_order=1", "in-order");
}

static int
setup(void **state UNUSED)
{
	start_eal(NULL);
	snprintf(dir, sizeof dir, "/tmp/weft-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(sock_path, sizeof sock_path, "%s/guest.sock", dir);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	rmdir(dir);
	rte_eal_cleanup();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_rings),
		cmocka_unit_test(packed_rings),
		cmocka_unit_test(packed_rings_in_order_without_mergeable_buffers),
		cmocka_unit_test(split_rings_in_order_of_a_guest_that_listens),
	};

	if (argc == 3 && !strcmp(argv[1], "guest"))
		return guest_main(argv[2]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
