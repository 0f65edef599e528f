/* SPDX-License-Identifier: Apache-2.0 */
/* The internal port: a tap in a network namespace of this process, with the kernel's stack behind it. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/datapath/portenv.h"

static bool
is_arp(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->pkt_len == 42 && p[12] == 0x08 && p[13] == 0x06;
}

static bool
is_icmp(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->data_len >= 42 && p[12] == 8 && p[13] == 0 && p[23] == 1;
}

static void
the_kernel_answers_arp_and_a_long_ping(void **state UNUSED)
{
	static const uint8_t ask[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
		2, 0, 0, 0, 0, 9, 10, 78, 0, 2, 0, 0, 0, 0, 0, 0, 10, 78, 0, 1 };
	static uint8_t ping[9014], buf[9014];
	struct port *p = env_port(&port_type_internal, "br9", "mac", "02:00:00:00:00:42", "mtu", "9000", NULL);
	struct rte_mbuf *m = env_frame(ask, sizeof ask);

	env_run("ip addr add 10.78.0.1/24 dev br9 && ip neigh add 10.78.0.2 lladdr 02:00:00:00:00:09 dev br9");
	assert_true(env_link(p).up);
	assert_int_equal(env_link(p).mtu, 9000);
	assert_int_equal(env_link(p).mac.b[5], 0x42);
	assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
	env_rx(p, &m, 1, is_arp);
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(f[21], 2);
	assert_int_equal(f[27], 0x42);
	rte_pktmbuf_free(m);

	/* ICMP echo of 8972 bytes, in chained buffers both ways. */
	uint32_t sum = 0;

	memcpy(ping, "\x02\0\0\0\0\x42\x02\0\0\0\0\x09\x08\0\x45\0\x23\x28\0\0\0\0\x40\x01\0\0\x0a\x4e\0\x02\x0a\x4e\0\x01\x08\0\0\0\x12\x34", 40);
	for (unsigned i = 42; i < sizeof ping; i++)
		ping[i] = (uint8_t)(i * 5);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)ping[i] << 8 | ping[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ping + 24, be16((uint16_t)~sum));
	sum = 0;
	for (unsigned i = 34; i < sizeof ping; i += 2)
		sum += (uint32_t)ping[i] << 8 | ping[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ping + 36, be16((uint16_t)~sum));
	m = env_frame(ping, sizeof ping);
	assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
	env_rx(p, &m, 1, is_icmp);
	assert_int_equal(m->pkt_len, sizeof ping);
	assert_true(m->nb_segs > 1);
	assert_memory_equal((const uint8_t *)rte_pktmbuf_read(m, 0, sizeof buf, buf) + 42, ping + 42, sizeof ping - 42);
	rte_pktmbuf_free(m);

	const struct port_sleep *s = p->type->sleep;
	bool pending;
	struct pollfd pfd = { .fd = s->arm(p, 0, &pending), .events = POLLIN };

	while (p->type->rx(p, 0, &m, 1))
		rte_pktmbuf_free(m);
	m = env_frame(ask, sizeof ask);
	assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	s->disarm(p, 0);
	env_rx(p, &m, 1, is_arp);
	rte_pktmbuf_free(m);

	env_run("ip link set br9 down");
	assert_string_equal(env_link(p).reason, "br9 is down: ip link set br9 up");
	m = env_frame(ask, sizeof ask);
	assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
	assert_int_equal(p->tx_drops[DROP_TX_DOWN], 1);
	env_run("ip link del br9");
	assert_non_null(strstr(env_link(p).reason, "was deleted"));
	assert_int_equal(p->type->rx(p, 0, &m, 1), 0);
	port_destroy(p);
	env_no_mbuf_is_lost();
}

static void
a_frame_that_the_buffers_would_cut_is_dropped(void **state UNUSED)
{
	struct port *p = env_port(&port_type_internal, "br8", "mtu", "1500", NULL);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = be16(9), .sin_addr.s_addr = be32(0x0a4f0002) };
	static uint8_t bytes[4000];
	struct rte_mbuf *m;
	int fd;

	env_run("ip addr add 10.79.0.1/24 dev br8 && ip neigh add 10.79.0.2 lladdr 02:00:00:00:00:09 dev br8 &&"
		" ip link set br8 mtu 9000");
	while (p->type->rx(p, 0, &m, 1))
		rte_pktmbuf_free(m);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&to, sizeof to), sizeof bytes);
	for (uint64_t end = clock_ms() + 2000; !p->rx_drops[DROP_RX_TOO_BIG] && clock_ms() < end;)
		while (p->type->rx(p, 0, &m, 1)) {
			assert_true(m->pkt_len <= 1522);
			rte_pktmbuf_free(m);
		}
	assert_int_equal(p->rx_drops[DROP_RX_TOO_BIG], 1);
	close(fd);
	port_destroy(p);
	env_no_mbuf_is_lost();
}

static void
a_name_that_is_taken_is_refused(void **state UNUSED)
{
	struct err e = { 0 };

	env_run("ip link add taken type veth peer name other");
	assert_null(env_port_try(&port_type_internal, "taken", &e, NULL));
	assert_int_equal(e.code, EEXIST);
	assert_non_null(strstr(e.msg, "ip link del taken"));
	assert_null(env_port_try(&port_type_internal, "sixteen-bytes-xx", &e, NULL));
	assert_non_null(strstr(e.msg, "at most 15"));
	env_run("ip link del taken");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_answers_arp_and_a_long_ping),
		cmocka_unit_test(a_frame_that_the_buffers_would_cut_is_dropped),
		cmocka_unit_test(a_name_that_is_taken_is_refused),
	};

	if (geteuid() || !env_netns() || access("/dev/net/tun", R_OK | W_OK))
		return 77;              /* Skipped. */
	return cmocka_run_group_tests(tests, env_start, env_stop);
}
