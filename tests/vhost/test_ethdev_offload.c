/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with partial checksums, and uncut ones, through a DPDK device that takes them: a vhost-user port on this side, on
 * the other (this program once more) a 'dpdk' port with DPDK's virtio driver, which sends back what it gets. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pkt.h"
#include "datapath/offload.h"
#include "tests/datapath/portenv.h"
#include "vhost/vhost.h"

enum { DEADLINE_MS = 20000, LONG = 20000, MSS = 1448, TCP_HEADERS = 14 + 20 + 20, UDP_HEADERS = 14 + 20 + 8, PLAIN = 60 };

static char dir[64], sock_path[100];

static int
far_end(const char *path, const char *offloads)
{
	char devargs[250];
	struct rte_mbuf *m[32];
	struct err e = { 0 };
	struct port *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (env_start(NULL))
		return 1;
	snprintf(devargs, sizeof devargs, "net_virtio_user0,path=%s,queues=1,queue_size=256,mrg_rxbuf=1,in_order=0", path);
	p = env_port_try(&port_type_dpdk, "p1", &e, "devargs", devargs, "offloads", offloads, NULL);
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
	const uint8_t h[TCP_HEADERS] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, (uint8_t)((len - 14) >> 8),
					 (uint8_t)(len - 14), 0, 1, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
					 0x9c, 0x40, 0x14, 0x51 };
	static uint8_t b[LONG];

	for (uint32_t i = 0; i < len; i++)
		b[i] = (uint8_t)(fill + i);
	memcpy(b, h, proto == 6 ? TCP_HEADERS : UDP_HEADERS);
	store_be16(b + 24, (uint16_t)~csum_fold(csum_add(0, b + 14, 20)));
	if (proto == 6) {
		b[34 + 12] = 0x50;
		b[34 + 13] = 0x10;
	} else {
		store_be16(b + 34 + 4, be16((uint16_t)(len - 34)));
	}
	return env_frame(b, len);
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
	return env_port(&vhp_vhost_user, "vm1", "mode", "server", "socket", sock_path, NULL);
}

static void
finish(struct port *p, pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	port_destroy(p);
	unlink(sock_path);
	env_no_mbuf_is_lost();
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
	env_no_mbuf_is_lost();
}

static int
setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/weft-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(sock_path, sizeof sock_path, "%s/guest.sock", dir);
	return env_start(state);
}

static int
teardown(void **state)
{
	rmdir(dir);
	return env_stop(state);
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
