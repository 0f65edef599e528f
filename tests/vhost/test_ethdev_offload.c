/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with partial checksums, and uncut ones, through a DPDK device that takes them: a vhost-user port on this side, on
 * the other (this program once more) a 'dpdk' port with DPDK's virtio driver, which sends back what it gets. */
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
#include <rte_mbuf.h>

#include "base/clock.h"
#include "base/pkt.h"
#include "datapath/offload.h"
#include "datapath/ports.h"
#include "vhost/vhost.h"

enum { DEADLINE_MS = 20000, LONG = 20000, MSS = 1448, TCP_HEADERS = 14 + 20 + 20, UDP_HEADERS = 14 + 20 + 8, PLAIN = 60 };

static struct rte_mempool *pool;
static char dir[64], sock_path[100];

static void
owner_changed(struct port_owner *o UNUSED, struct port *p UNUSED)
{
}

static void
owner_quiesce(struct port_owner *o UNUSED)
{
}

static struct port_owner owner = { .changed = owner_changed, .quiesce = owner_quiesce, .run_dir = dir, .n_lcores = 1 };

static void
start_eal(void)
{
	char *argv[] = { (char *)"test", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64",
			 (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1",
			 (char *)"--log-level", (char *)"4" };

	if (rte_eal_init(ARRAY_SIZE(argv), argv) < 0)
		exit(1);
	pool = owner.pool = rte_pktmbuf_pool_create("test", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool)
		exit(1);
}

/* With options as name, value. */
static struct port *
port_open(const struct port_type *t, const char *o[][2], unsigned n)
{
	char *conf = calloc(1, t->conf_size);
	struct err e = { 0 };
	struct port *p = NULL;

	if (!conf)
		exit(1);
	opt_defaults(t->opts, conf);
	for (unsigned i = 0; i < n && !e.code; i++)
		opt_set(t->opts, conf, o[i][0], o[i][1], &e);
	if (!e.code)
		p = port_create(t, &owner, "p1", 1, conf, &e);
	free(conf);
	if (!p)
		fprintf(stderr, "%s\n", e.msg);
	return p;
}

static int
far_end(const char *path, const char *offloads)
{
	char devargs[250];
	struct rte_mbuf *m[32];
	struct port *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	start_eal();
	snprintf(devargs, sizeof devargs, "net_virtio_user0,path=%s,queues=1,queue_size=256,mrg_rxbuf=1,in_order=0", path);
	p = port_open(&port_type_dpdk, (const char *[][2]){ { "devargs", devargs }, { "offloads", offloads } }, 2);
	if (!p)
		return 1;
	for (;;) {
		uint16_t n = p->type->rx(p, 0, m, 32), done = 0;

		/* As tunnels that look like TCP ask for it. */
		for (unsigned i = 0; i < n; i++)
			m[i]->ol_flags |= offl_need(m[i]) ? RTE_MBUF_F_TX_IP_CKSUM : 0;
		while (done < n)
			done = (uint16_t)(done + p->type->tx(p, 0, m + done, (uint16_t)(n - done)));
		if (!n)
			usleep(20);
	}
}

static pid_t
far_end_spawn(const char *offloads)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "far", "far", sock_path, offloads, NULL);
		_exit(1);
	}
	return pid;
}

/* --- Frames ---------------------------------------------------------------------------------- */

static struct rte_mbuf *
make_frame(uint8_t proto, uint32_t len, uint8_t fill)
{
	uint8_t h[TCP_HEADERS] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, (uint8_t)((len - 14) >> 8), (uint8_t)(len - 14),
				   0, 1, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0x14, 0x51 };
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;

	assert_non_null(m);
	store_be16(h + 24, (uint16_t)~csum_fold(csum_add(0, h + 14, 20)));
	if (proto == 6) {
		h[14 + 20 + 12] = 0x50;
		h[14 + 20 + 13] = 0x10;
	} else {
		h[14 + 20 + 4] = (uint8_t)((len - 34) >> 8);
		h[14 + 20 + 5] = (uint8_t)(len - 34);
	}
	for (uint32_t at = 0; at < len;) {
		uint16_t room = rte_pktmbuf_tailroom(last), part = (uint16_t)MIN_OF(room, len - at);
		uint8_t *p = rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len);

		for (uint32_t i = 0; i < part; i++, at++)
			p[i] = at < (proto == 6 ? TCP_HEADERS : UDP_HEADERS) ? h[at] : (uint8_t)(fill + at);
		last->data_len = (uint16_t)(last->data_len + part);
		m->pkt_len += part;
		if (at < len) {
			last->next = rte_pktmbuf_alloc(pool);
			last = last->next;
			assert_non_null(last);
			m->nb_segs++;
		}
	}
	return m;
}

static struct rte_mbuf *
make_offload(uint8_t proto, uint32_t len, uint8_t gso_type)
{
	struct rte_mbuf *m = make_frame(proto, len, 7);
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = gso_type, .gso_size = gso_type ? MSS : 0,
				    .csum_start = 34, .csum_offset = proto == 6 ? 16 : 6 };
	uint16_t need;

	assert_true(offl_check(&v, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, len, &need));
	offl_to_mbuf(m, &v, need);
	return m;
}

/* Sends a frame until one of its length is back (a driver throws away what comes before it works). */
static struct rte_mbuf *
echoed(struct port *p, struct rte_mbuf *(*make)(void))
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	for (;;) {
		struct rte_mbuf *m = make(), *got;
		uint32_t len = m->pkt_len;

		if (!p->type->tx(p, 0, &m, 1))
			rte_pktmbuf_free(m);
		usleep(2000);
		while (p->type->rx(p, 0, &got, 1)) {
			if (got->pkt_len == len)
				return got;
			rte_pktmbuf_free(got);
		}
		if (clock_ms() > end)
			fail_msg("no answer of %u bytes", len);
	}
}

static void
drain(struct port *p, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	for (unsigned quiet = 0; quiet < 20; quiet++) {
		while (p->type->rx(p, 0, &m, 1)) {
			rte_pktmbuf_free(m);
			quiet = 0;
		}
		usleep(1000);
	}
}

static struct rte_mbuf *
plain(void)
{
	return make_frame(17, PLAIN, 1);
}

static struct rte_mbuf *
long_tcp(void)
{
	return make_offload(6, LONG, VIRTIO_NET_HDR_GSO_TCPV4);
}

static struct rte_mbuf *
partial_udp(void)
{
	return make_offload(17, 300, VIRTIO_NET_HDR_GSO_NONE);
}

static void
expect_payload(const struct rte_mbuf *m, uint32_t from)
{
	static uint8_t buf[LONG];
	const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, buf);

	for (uint32_t i = from; i < m->pkt_len; i++)
		if (p[i] != (uint8_t)(7 + i))
			fail_msg("byte %u differs", i);
	assert_int_equal(csum_fold(csum_add(0, p + 14, 20)), 0xffff);
}

/* --- Tests ----------------------------------------------------------------------------------- */

static struct port *
vhost_port(void)
{
	struct port *p = port_open(&vhp_vhost_user, (const char *[][2]){ { "mode", "server" }, { "socket", sock_path } }, 2);

	assert_non_null(p);
	return p;
}

static void
finish(struct port *p, pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	port_destroy(p);
	unlink(sock_path);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void
long_frames_and_partial_checksums_go_through_a_virtio_device_whole(void **state UNUSED)
{
	struct port *p = vhost_port();
	pid_t pid = far_end_spawn("true");
	struct rte_mbuf *m = echoed(p, plain);

	assert_int_equal(offl_need(m), 0);
	drain(p, m);
	assert_int_equal(p->accepts & (OFFL_CSUM | OFFL_TSO4 | OFFL_TSO6), OFFL_CSUM | OFFL_TSO4 | OFFL_TSO6);

	m = echoed(p, long_tcp);
	assert_int_equal(offl_need(m), OFFL_CSUM | OFFL_TSO4);
	assert_int_equal(m->tso_segsz, MSS);
	expect_payload(m, TCP_HEADERS);
	drain(p, m);

	m = echoed(p, partial_udp);
	assert_int_equal(offl_need(m), OFFL_CSUM);
	expect_payload(m, UDP_HEADERS);
	drain(p, m);
	finish(p, pid);
}

static void
a_device_is_asked_for_nothing_where_offloads_are_off(void **state UNUSED)
{
	struct port *p = vhost_port();
	pid_t pid = far_end_spawn("false");
	struct rte_mbuf *m = echoed(p, plain);

	drain(p, m);
	assert_int_equal(p->accepts, 0);
	finish(p, pid);
}

/* What the driver says is the far side's word. */
static void
a_device_that_contradicts_its_frame_is_refused(void **state UNUSED)
{
	struct rte_mbuf *m = make_frame(6, LONG, 7);

	m->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = 0;
	assert_false(offl_from_rx(m));
	rte_pktmbuf_free(m);

	m = make_frame(17, 300, 7);
	m->ol_flags = RTE_MBUF_F_RX_LRO;
	m->tso_segsz = 100;
	assert_false(offl_from_rx(m));
	rte_pktmbuf_free(m);

	m = make_frame(1, 300, 7);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_false(offl_from_rx(m));
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static int
setup(void **state UNUSED)
{
	start_eal();
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
		cmocka_unit_test(long_frames_and_partial_checksums_go_through_a_virtio_device_whole),
		cmocka_unit_test(a_device_is_asked_for_nothing_where_offloads_are_off),
		cmocka_unit_test(a_device_that_contradicts_its_frame_is_refused),
	};

	if (argc == 4 && !strcmp(argv[1], "far"))
		return far_end(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
