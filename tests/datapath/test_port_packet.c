/* SPDX-License-Identifier: Apache-2.0 */
/* The netdev port over AF_PACKET, on a real veth pair in a network namespace of this process:
 *
 *      test ---- w1 ======== w0 ---- port
 *          raw or UDP     AF_PACKET
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/datapath/portenv.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static struct port *port;
static int peer;

/* Only what the tests sent: the kernel may say something of its own. */
static bool
is_ours(const struct rte_mbuf *m)
{
	static const uint8_t marker[6] = { 0x02, 0, 0, 0, 0, 0x99 };

	return m->data_len >= 14 && !memcmp(rte_pktmbuf_mtod(m, uint8_t *) + 6, marker, 6);
}

static void
fill(uint8_t *f, size_t len, const char *hex_type)
{
	static const uint8_t head[12] = { 0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x99 };
	unsigned t = (unsigned)strtoul(hex_type, NULL, 16);

	memcpy(f, head, 12);
	for (size_t i = 12; i < len; i++)
		f[i] = (uint8_t)(i * 3 + i / 256);
	f[12] = (uint8_t)(t >> 8);
	f[13] = (uint8_t)t;
}

static void
expect_bytes(struct rte_mbuf *m, const void *want, uint32_t len)
{
	static uint8_t buf[70000];

	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, buf), want, len);
	rte_pktmbuf_free(m);
}

static void
expect_at_peer(const void *want, size_t len)
{
	static uint8_t buf[70000];
	uint64_t end = clock_ms() + 5000;

	for (;;) {
		ssize_t n = recv(peer, buf, sizeof buf, 0);

		if (n > 12 && buf[11] == 0x99) {
			assert_int_equal(n, len);
			assert_memory_equal(buf, want, len);
			return;
		}
		assert_true(clock_ms() < end);
		if (n < 0)
			usleep(100);
	}
}

static void
frames_go_both_ways_unchanged(void **state UNUSED)
{
	static const uint16_t lens[] = { 60, 61, 128, 1000, 1514 };
	uint8_t f[1600];
	struct rte_mbuf *m;

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		fill(f, lens[i], "88b5");
		env_raw_send(peer, f, lens[i]);
		env_rx(port, &m, 1, is_ours);
		expect_bytes(m, f, lens[i]);

		m = env_frame(f, lens[i]);
		assert_int_equal(port->type->tx(port, 0, &m, 1), 1);
		expect_at_peer(f, lens[i]);
	}
}

static void
many_frames_keep_their_order(void **state UNUSED)
{
	struct rte_mbuf *m[64];
	uint8_t f[100];

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 64; i++) {
			fill(f, sizeof f, "88b5");
			f[20] = (uint8_t)i;
			env_raw_send(peer, f, sizeof f);
		}
		env_rx(port, m, 64, is_ours);
		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(rte_pktmbuf_mtod(m[i], uint8_t *)[20], i);
		uint16_t n = 0;

		while (n < 64)
			n += port->type->tx(port, 0, m + n, (uint16_t)(64 - n));
		for (unsigned i = 0; i < 64; i++) {
			f[20] = (uint8_t)i;
			expect_at_peer(f, sizeof f);
		}
	}
}

static void
vlan_tags_come_back_into_the_frame(void **state UNUSED)
{
	struct rte_mbuf *m;
	uint8_t f[200];

	fill(f, sizeof f, "8100");
	memcpy(f + 14, "\x60\x0a\x88\xb5", 4);
	env_raw_send(peer, f, sizeof f);
	env_rx(port, &m, 1, is_ours);
	expect_bytes(m, f, sizeof f);

	fill(f, sizeof f, "88a8");
	memcpy(f + 14, "\x00\x64\x81\x00\xaf\xff\x88\xb5", 8);
	env_raw_send(peer, f, sizeof f);
	env_rx(port, &m, 1, is_ours);
	expect_bytes(m, f, sizeof f);
}

static uint16_t
ip_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool
is_udp(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->data_len > 42 && p[12] == 8 && p[13] == 0 && p[23] == 17;
}

static int
udp_socket(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { inet_addr("10.77.0.2") } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* The kernel leaves the checksum to a device that veth only pretends to be. */
static void
checksums_that_the_kernel_left_out_are_completed(void **state UNUSED)
{
	uint8_t data[1400];
	int fd = udp_socket();

	fill(data, sizeof data, "88b5");
	for (size_t len = 1; len < sizeof data; len += 199) {
		struct rte_mbuf *m;

		assert_int_equal(send(fd, data, len, 0), (int)len);
		env_rx(port, &m, 1, is_udp);
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
		size_t udp_len = len + 8;

		assert_int_equal(m->pkt_len, 34 + udp_len);
		assert_int_not_equal(load_be16(p + 40), 0);
		/* Pseudo header: addresses, protocol, length. */
		assert_int_equal(ip_sum(p + 34, udp_len, ip_sum(p + 26, 8, 17 + (uint32_t)udp_len)), 0xffff);
		rte_pktmbuf_free(m);
	}
	close(fd);
}

/* The kernel sends eight datagrams as one, and expects the device to cut it; twenty at once test the queue. */
static void
long_frames_that_the_kernel_did_not_cut_are_cut(void **state UNUSED)
{
	static uint8_t data[7777];
	struct rte_mbuf *m;
	int fd = udp_socket(), seg = 1000;

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i / 1000 * 31 + i % 1000);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof seg), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(send(fd, data, sizeof data, 0), (int)sizeof data);
	for (unsigned i = 0; i < 20 * 8; i++) {
		env_rx(port, &m, 1, is_udp);
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
		uint32_t len = i % 8 == 7 ? 777 : 1000;

		assert_int_equal(m->pkt_len, 42 + len);
		assert_memory_equal(p + 42, data + i % 8 * 1000, len);
		assert_int_equal(ip_sum(p + 14, 20, 0), 0xffff);
		assert_int_equal(ip_sum(p + 34, len + 8, ip_sum(p + 26, 8, 17 + len + 8)), 0xffff);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(port->rx_drops[DROP_RX_TOO_BIG], 0);
	close(fd);
}

static void
a_frame_above_the_mtu_of_the_interface_is_counted(void **state UNUSED)
{
	static uint8_t data[3000];
	struct rte_mbuf *m = env_frame(data, sizeof data);

	assert_int_equal(port->type->tx(port, 0, &m, 1), 1);
	assert_int_equal(port->tx_drops[DROP_TX_TOO_BIG], 1);
}

static void
what_the_host_sends_is_not_received(void **state UNUSED)
{
	int own = env_raw("w0");
	struct rte_mbuf *m;
	uint8_t f[60];

	fill(f, sizeof f, "88b5");
	env_raw_send(own, f, sizeof f);
	f[20] = 0xee;
	env_raw_send(peer, f, sizeof f);
	env_rx(port, &m, 1, is_ours);
	assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[20], 0xee);
	rte_pktmbuf_free(m);
	expect_at_peer((fill(f, sizeof f, "88b5"), f), sizeof f);
	close(own);
}

static bool
readable(int fd, int ms)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	return poll(&f, 1, ms) == 1;
}

static void
drain(void)
{
	struct rte_mbuf *m;

	while (port->type->rx(port, 0, &m, 1))
		rte_pktmbuf_free(m);
}

static void
a_sleeper_is_woken_by_a_frame_and_by_a_link_that_goes_down(void **state UNUSED)
{
	const struct port_sleep *s = port->type->sleep;
	struct rte_mbuf *m;
	uint8_t f[60];
	bool pending;

	fill(f, sizeof f, "88b5");
	for (unsigned i = 0; i < 50; i++) {
		drain();
		int fd = s->arm(port, 0, &pending);

		if (pending)
			continue;       /* The kernel said something. */
		env_raw_send(peer, f, sizeof f);
		assert_true(readable(fd, 5000));
		s->disarm(port, 0);
		s->arm(port, 0, &pending);
		assert_true(pending);
		s->disarm(port, 0);
		env_rx(port, &m, 1, is_ours);
		rte_pktmbuf_free(m);
	}

	drain();
	int fd = s->arm(port, 0, &pending);

	env_run("ip link set w0 down");
	assert_true(readable(fd, 5000));
	s->disarm(port, 0);
	drain();
	assert_false(readable(fd, 0));
	assert_false(env_link(port).up);
	assert_string_equal(env_link(port).reason, "w0 is down: ip link set w0 up");
	m = env_frame(f, sizeof f);
	assert_int_equal(port->type->tx(port, 0, &m, 1), 1);
	assert_int_equal(port->tx_drops[DROP_TX_DOWN], 1);
	env_run("ip link set w0 up");
	env_wait_up(port);
	frames_go_both_ways_unchanged(NULL);
	env_run("ip link set w1 down");
	for (uint64_t end = clock_ms() + 5000; env_link(port).up; assert_true(clock_ms() < end))
		;
	assert_string_equal(env_link(port).reason, "w0 has no carrier");
	env_run("ip link set w1 up");
	env_wait_up(port);
}

static void
make_veth(void)
{
	env_run("ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up"
		" && ip addr add 10.77.0.1/24 dev w1 && ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev w1");
	peer = env_raw("w1");
}

static void
an_interface_may_vanish_and_come_back(void **state UNUSED)
{
	for (unsigned i = 0; i < 3; i++) {
		close(peer);
		env_run("ip link del w0");
		drain();
		assert_false(env_link(port).up);
		assert_string_equal(env_link(port).reason, "no interface w0 in this network namespace");
		make_veth();
		env_wait_up(port);
		frames_go_both_ways_unchanged(NULL);
	}
}

static void
an_interface_may_come_after_its_port(void **state UNUSED)
{
	struct port *early = env_port(&port_type_netdev, "w7", NULL);
	struct rte_mbuf *m;
	uint8_t f[60];

	assert_false(env_link(early).up);
	env_run("ip link add w7 type veth peer name w8 && ip link set w7 up && ip link set w8 up");
	env_wait_up(early);
	int fd = env_raw("w8");

	fill(f, sizeof f, "88b5");
	env_raw_send(fd, f, sizeof f);
	env_rx(early, &m, 1, is_ours);
	expect_bytes(m, f, sizeof f);
	close(fd);
	port_destroy(early);
	env_run("ip link del w7");
}

static void
long_frames_pass_where_the_mtu_allows_them(void **state UNUSED)
{
	static uint8_t f[9014];
	struct rte_mbuf *m;

	env_run("ip link add w5 mtu 9000 type veth peer name w6 mtu 9000 && ip link set w5 up && ip link set w6 up");
	struct port *p = env_port(&port_type_netdev, "jumbo", "device", "w5", "mode", "af_packet", NULL);
	int fd = env_raw("w6"), saved = peer;

	assert_int_equal(p->mtu, 9000);
	fill(f, sizeof f, "88b5");
	env_raw_send(fd, f, sizeof f);
	env_rx(p, &m, 1, is_ours);
	assert_true(m->nb_segs > 1);
	assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
	peer = fd;
	expect_at_peer(f, sizeof f);
	peer = saved;
	close(fd);
	port_destroy(p);
	env_run("ip link del w5");
}

static int
setup(void **state)
{
	if (env_start(state) || !env_netns())
		return -1;
	env_run("ip link set lo up");
	make_veth();
	port = env_port(&port_type_netdev, "w0", "mode", "af_packet", NULL);
	return 0;
}

static int
teardown(void **state)
{
	close(peer);
	port_destroy(port);
	env_no_mbuf_is_lost();
	return env_stop(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_both_ways_unchanged),
		cmocka_unit_test(many_frames_keep_their_order),
		cmocka_unit_test(vlan_tags_come_back_into_the_frame),
		cmocka_unit_test(checksums_that_the_kernel_left_out_are_completed),
		cmocka_unit_test(long_frames_that_the_kernel_did_not_cut_are_cut),
		cmocka_unit_test(a_frame_above_the_mtu_of_the_interface_is_counted),
		cmocka_unit_test(what_the_host_sends_is_not_received),
		cmocka_unit_test(a_sleeper_is_woken_by_a_frame_and_by_a_link_that_goes_down),
		cmocka_unit_test(an_interface_may_vanish_and_come_back),
		cmocka_unit_test(an_interface_may_come_after_its_port),
		cmocka_unit_test(long_frames_pass_where_the_mtu_allows_them),
	};

	if (geteuid())
		return 77;              /* Skipped: needs a network namespace. */
	return cmocka_run_group_tests(tests, setup, teardown);
}
