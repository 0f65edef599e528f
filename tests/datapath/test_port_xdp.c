/* SPDX-License-Identifier: Apache-2.0 */
/* The netdev port's choice between AF_XDP and AF_PACKET, and AF_XDP itself on a veth pair in a network
 * namespace of this process. */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/datapath/portenv.h"

static void
add_in_use(struct rte_mempool *pool, void *n_used)
{
	*(unsigned *)n_used += rte_mempool_in_use_count(pool);
}

/* Of all pools, those of closed ports included. */
static unsigned
n_buffers_in_use(void)
{
	unsigned n = 0;

	rte_mempool_walk(add_in_use, &n);
	return n;
}

static void
frames_go_both_ways(void **state UNUSED)
{
	struct err e = { 0 };
	struct rte_mbuf *m;
	uint8_t f[200] = { 0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 0x99, 0x88, 0xb5, 7 }, buf[300];
	struct port *p = env_port_try(&port_type_netdev, "w0", &e, "mode", "af_xdp", NULL);

	if (!p) {
		print_message("%s\n", e.msg);
		skip();
	}
	print_message("%s\n", env_link(p).detail);
	int fd = env_raw("w1");

	/* Each buffer comes by more than once. */
	for (unsigned i = 0; i < 12000; i++) {
		f[20] = (uint8_t)i;
		f[21] = (uint8_t)(i >> 8);
		env_raw_send(fd, f, sizeof f);
		do {
			env_rx(p, &m, 1, NULL);
		} while (rte_pktmbuf_mtod(m, uint8_t *)[11] != 0x99 && (rte_pktmbuf_free(m), true));
		assert_int_equal(m->pkt_len, sizeof f);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), f, sizeof f);
		rte_pktmbuf_free(m);

		m = env_frame(f, sizeof f);
		assert_int_equal(p->type->tx(p, 0, &m, 1), 1);
		for (uint64_t end = clock_ms() + 5000;;) {
			ssize_t n = recv(fd, buf, sizeof buf, 0);

			if (n == sizeof f && !memcmp(buf, f, sizeof f))
				break;
			assert_true(clock_ms() < end);
		}
	}

	/* Sleep: with what is there, and with what comes. */
	const struct port_sleep *s = p->type->sleep;
	bool pending;
	struct pollfd pfd = { .fd = s->arm(p, 0, &pending), .events = POLLIN };

	assert_true(pfd.fd >= 0 && !pending);
	while (p->type->rx(p, 0, &m, 1))
		rte_pktmbuf_free(m);
	env_raw_send(fd, f, sizeof f);
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	s->disarm(p, 0);
	env_rx(p, &m, 1, NULL);

	/* The kernel gives back what it was lent; what is under way in the switch comes back later. */
	close(fd);
	port_destroy(p);
	assert_int_equal(n_buffers_in_use(), 1);
	rte_pktmbuf_free(m);
	assert_int_equal(n_buffers_in_use(), 0);
	for (unsigned i = 0; i < 2; i++) {
		p = env_port(&port_type_netdev, "w0", "mode", "af_xdp", NULL);
		assert_true(n_buffers_in_use() > 0);
		port_destroy(p);
		assert_int_equal(n_buffers_in_use(), 0);
	}
}

/* The kernel answers for its addresses: it must go on seeing its packets. */
static void
auto_leaves_virtual_interfaces_to_af_packet(void **state UNUSED)
{
	struct port *p = env_port(&port_type_netdev, "uplink", "device", "w0", NULL);

	assert_string_equal(env_link(p).detail, "af_packet on w0 (w0 is virtual)");
	port_destroy(p);
}

static void
af_xdp_on_a_missing_interface_is_refused(void **state UNUSED)
{
	struct err e = { 0 };

	assert_null(env_port_try(&port_type_netdev, "nope", &e, "mode", "af_xdp", NULL));
	assert_non_null(strstr(e.msg, "port nope: no interface nope"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_both_ways),
		cmocka_unit_test(auto_leaves_virtual_interfaces_to_af_packet),
		cmocka_unit_test(af_xdp_on_a_missing_interface_is_refused),
	};

	if (geteuid())
		return 77;
	if (!env_netns())
		return 77;
	env_run("ip link set lo up; ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	return cmocka_run_group_tests(tests, env_start, env_stop);
}
