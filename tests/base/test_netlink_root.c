/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink against a real kernel, in namespaces of our own (needs root):
 *
 *	+-- ours (unshared) ------------+        +-- weft-nl-PID ----------+
 *	|  weft0  172.31.0.1/24         |--veth--|  weft1  172.31.0.2/24   |
 *	|         fd31::1/64            |        |         fd31::2/64      |
 *	+-------------------------------+        +-------------------------+
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/netlink.h"

static struct nl *nl;
static struct nl_link link0;
static char peer[32];

static void sh(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void
sh(const char *fmt, ...)
{
	char cmd[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

static int
begin(void **state)
{
	struct err e = { 0 };

	(void)state;
	snprintf(peer, sizeof peer, "weft-nl-%d", getpid());
	if (unshare(CLONE_NEWNET))
		return -1;
	sh("ip netns add %s", peer);
	sh("ip link set lo up");
	sh("ip link add weft0 type veth peer name weft1 netns %s", peer);
	sh("ip addr add 172.31.0.1/24 dev weft0 && ip addr add fd31::1/64 dev weft0 nodad && ip link set weft0 up");
	sh("ip -n %s addr add 172.31.0.2/24 dev weft1 && ip -n %s addr add fd31::2/64 dev weft1 nodad &&"
	   " ip -n %s link set weft1 address 02:00:00:00:00:22 up", peer, peer, peer);
	nl = nl_open(&e);
	return nl && !nl_link_by_name(nl, "weft0", &link0) ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	nl_close(nl);
	if (*peer)
		sh("ip netns del %s", peer);
	return 0;
}

static struct ipaddr
ip(const char *s)
{
	struct ipaddr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

/* Waits for events until the neighbour is in a state; false when it takes too long. */
static bool
neigh_becomes(const struct ipaddr *a, enum nl_neigh_state want, struct nl_neigh *n, unsigned ms)
{
	uint64_t until = clock_ms() + ms;

	while (clock_ms() < until) {
		struct pollfd p = { .fd = nl_event_fd(nl), .events = POLLIN };

		assert_int_equal(nl_neigh_get(nl, link0.ifindex, a, n), 0);
		if (n->state == want)
			return true;
		poll(&p, 1, 100);
		nl_read_events(nl);
	}
	return false;
}

/* A question that comes before the far end has its address gets no answer. */
static bool
is_resolved(const struct ipaddr *a, struct nl_neigh *n)
{
	bool valid = false;

	for (unsigned i = 0; i < 10 && !valid; i++) {
		assert_int_equal(nl_neigh_resolve(nl, link0.ifindex, a), 0);
		valid = neigh_becomes(a, NL_NEIGH_VALID, n, 1000);
	}
	return valid;
}

static void
living_neighbours_are_resolved(void **state)
{
	static const char *const far[] = { "172.31.0.2", "fd31::2" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct ipaddr a = ip(far[i]);
		struct nl_neigh n;
		char buf[MAC_STR_LEN];

		assert_int_equal(nl_neigh_get(nl, link0.ifindex, &a, &n), 0);
		assert_int_equal(n.state, NL_NEIGH_NONE);
		assert_true(is_resolved(&a, &n));
		assert_string_equal(mac_format(n.mac, buf), "02:00:00:00:00:22");
		/* Asking again for what is known does no harm. */
		assert_int_equal(nl_neigh_resolve(nl, link0.ifindex, &a), 0);
		assert_true(neigh_becomes(&a, NL_NEIGH_VALID, &n, 100));
	}
}

static void
dead_neighbour_fails_and_can_be_asked_for_again(void **state)
{
	struct ipaddr a = ip("172.31.0.99");
	struct nl_neigh n;

	(void)state;
	sh("sysctl -qw net.ipv4.neigh.weft0.retrans_time_ms=50");
	assert_int_equal(nl_neigh_resolve(nl, link0.ifindex, &a), 0);
	assert_true(neigh_becomes(&a, NL_NEIGH_INCOMPLETE, &n, 100) || n.state == NL_NEIGH_FAILED);
	assert_true(neigh_becomes(&a, NL_NEIGH_FAILED, &n, 3000));
	assert_int_equal(nl_neigh_resolve(nl, link0.ifindex, &a), 0);
	assert_int_equal(nl_neigh_get(nl, link0.ifindex, &a, &n), 0);
	assert_int_equal(n.state, NL_NEIGH_INCOMPLETE);
}

static void
routes_tell_link_source_gateway_and_mtu(void **state)
{
	struct ipaddr on_link = ip("172.31.0.2"), far = ip("10.77.0.1"), on_link6 = ip("fd31::2"), far6 = ip("fd77::1");
	struct ipaddr own = ip("172.31.0.1"), gw = ip("172.31.0.2"), second = ip("172.31.0.3");
	struct nl_route r;
	char buf[IP_STR_LEN];

	(void)state;
	assert_int_equal(nl_route_get(nl, &on_link, NULL, &r), 0);
	assert_int_equal(r.ifindex, link0.ifindex);
	assert_string_equal(ip_format(r.src, buf), "172.31.0.1");
	assert_true(ip_is_none(&r.gateway));
	assert_false(r.local);
	assert_int_equal(r.mtu, 0);

	assert_int_equal(nl_route_get(nl, &on_link6, NULL, &r), 0);
	assert_string_equal(ip_format(r.src, buf), "fd31::1");
	assert_true(ip_is_none(&r.gateway));

	assert_int_equal(nl_route_get(nl, &own, NULL, &r), 0);
	assert_true(r.local);

	assert_int_equal(nl_route_get(nl, &far, NULL, &r), -ENETUNREACH);
	assert_int_equal(nl_route_get(nl, &far6, NULL, &r), -ENETUNREACH);
	sh("ip route add 10.77.0.0/16 via 172.31.0.2 mtu 1400 && ip -6 route add fd77::/16 via fd31::2 mtu 1300");
	assert_int_equal(nl_route_get(nl, &far, NULL, &r), 0);
	assert_true(ip_equal(&r.gateway, &gw));
	assert_int_equal(r.mtu, 1400);
	assert_int_equal(nl_route_get(nl, &far6, NULL, &r), 0);
	assert_string_equal(ip_format(r.gateway, buf), "fd31::2");
	assert_int_equal(r.mtu, 1300);

	sh("ip route add blackhole 10.78.0.0/16 && ip route add unreachable 10.79.0.0/16");
	far = ip("10.78.0.1");
	assert_true(nl_route_get(nl, &far, NULL, &r) < 0);
	far = ip("10.79.0.1");
	assert_true(nl_route_get(nl, &far, NULL, &r) < 0);

	/* A source of one's own choice, and one that is not ours. */
	assert_true(nl_route_get(nl, &on_link, &second, &r) < 0);
	sh("ip addr add 172.31.0.3/24 dev weft0");
	assert_int_equal(nl_route_get(nl, &on_link, &second, &r), 0);
	assert_true(ip_equal(&r.src, &second));
}

static void
equal_routes_tell_all_of_their_ways(void **state)
{
	struct ipaddr far = ip("10.90.0.1"), far6 = ip("fd90::1"), one = ip("172.31.0.2"), two6 = ip("fd31::4");
	struct nl_hop hop[16];
	char buf[IP_STR_LEN];

	(void)state;
	assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 16), 0);
	sh("ip route add 10.90.0.0/16 via 172.31.0.2");
	assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 16), 1);
	assert_true(ip_equal(&hop[0].gateway, &one));
	assert_int_equal(hop[0].weight, 1);
	sh("ip route replace 10.90.0.0/16 nexthop via 172.31.0.2 weight 3 nexthop via 172.31.0.4 "
	   "nexthop via inet6 fe80::9 dev weft0 weight 256");
	assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 16), 3);
	assert_true(ip_equal(&hop[0].gateway, &one));
	assert_int_equal(hop[0].ifindex, link0.ifindex);
	assert_int_equal(hop[0].weight, 3);
	assert_int_equal(hop[1].weight, 1);
	assert_string_equal(ip_format(hop[2].gateway, buf), "fe80::9");
	assert_int_equal(hop[2].weight, 256);
	assert_false(hop[0].dead);
	/* As many as there is room for. */
	assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 2), 2);

	sh("ip -6 route add fd90::/16 nexthop via fd31::2 weight 2 nexthop via fd31::4");
	assert_int_equal(nl_route_hops(nl, &far6, NULL, hop, 16), 2);
	assert_true(ip_equal(&hop[1].gateway, &two6) || ip_equal(&hop[0].gateway, &two6));

	/* Next hop objects, spelled out and only named. */
	if (system("ip nexthop add id 7 via 172.31.0.2 dev weft0"))
		return;
	sh("ip nexthop add id 8 via 172.31.0.4 dev weft0 && ip nexthop add id 9 group 7,5/8");
	sh("ip route replace 10.90.0.0/16 nhid 9");
	for (unsigned compat = 0; compat < 2; compat++) {
		sh("sysctl -qw net.ipv4.nexthop_compat_mode=%u", !compat);
		assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 16), 2);
		assert_int_equal(hop[0].weight, 5);
		assert_int_equal(hop[1].weight, 1);
		assert_true(ip_equal(&hop[0].gateway, &one));
		assert_int_equal(hop[1].ifindex, link0.ifindex);
	}
	sh("ip route replace 10.90.0.0/16 nhid 8");
	assert_int_equal(nl_route_hops(nl, &far, NULL, hop, 16), 1);
}

static void
neighbours_can_be_probed(void **state)
{
	struct ipaddr there = ip("172.31.0.2"), gone = ip("172.31.0.98"), fixed = ip("172.31.0.97");
	struct nl_neigh n;

	(void)state;
	sh("sysctl -qw net.ipv4.neigh.weft0.retrans_time_ms=50");
	assert_int_equal(nl_neigh_resolve(nl, link0.ifindex, &there), 0);
	assert_true(neigh_becomes(&there, NL_NEIGH_VALID, &n, 3000));
	assert_int_equal(nl_neigh_probe(nl, link0.ifindex, &there), 0);
	/* It answers; one that does not is found out, though it was known. */
	sh("ip neigh replace 172.31.0.98 lladdr 02:00:00:00:00:98 nud reachable dev weft0");
	assert_int_equal(nl_neigh_probe(nl, link0.ifindex, &gone), 0);
	assert_true(neigh_becomes(&gone, NL_NEIGH_FAILED, &n, 3000));
	assert_int_equal(nl_neigh_get(nl, link0.ifindex, &there, &n), 0);
	assert_int_equal(n.state, NL_NEIGH_VALID);
	assert_false(n.fixed);
	sh("ip neigh replace 172.31.0.97 lladdr 02:00:00:00:00:97 nud permanent dev weft0");
	assert_int_equal(nl_neigh_get(nl, link0.ifindex, &fixed, &n), 0);
	assert_true(n.fixed);
	fixed = ip("172.31.0.96");
	assert_true(nl_neigh_probe(nl, link0.ifindex, &fixed) < 0);
}

static void
routes_need_not_be_heard(void **state)
{
	(void)state;
	while (nl_read_events(nl))
		;
	nl_route_events(nl);
	sh("ip route add 10.91.0.0/16 dev lo");
	assert_true(nl_read_events(nl) & NL_EV_ROUTE);
	assert_int_equal(nl_route_events(nl), 1);
	assert_int_equal(nl_route_events(nl), 0);
	nl_hear_routes(nl, false);
	sh("ip route del 10.91.0.0/16 dev lo && ip -6 route add fd91::/16 dev lo");
	assert_int_equal(nl_read_events(nl), 0);
	nl_hear_routes(nl, true);
	sh("ip -6 route del fd91::/16 dev lo");
	assert_true(nl_read_events(nl) & NL_EV_ROUTE);
}

static void
own_addresses_name_their_link(void **state)
{
	struct ipaddr mine = ip("172.31.0.1"), mine6 = ip("fd31::1"), theirs = ip("172.31.0.2");
	int ifindex = 0;

	(void)state;
	assert_true(nl_addr_is_local(nl, &mine, &ifindex));
	assert_int_equal(ifindex, link0.ifindex);
	assert_true(nl_addr_is_local(nl, &mine6, &ifindex));
	assert_false(nl_addr_is_local(nl, &theirs, &ifindex));
}

static void
links_can_be_set_and_report_it(void **state)
{
	struct mac mac = { { 2, 0, 0, 0, 0, 0x77 } };
	struct nl_link l;

	(void)state;
	nl_read_events(nl);
	assert_int_equal(nl_link_set(nl, link0.ifindex, true, 1400, &mac), 0);
	assert_true(nl_read_events(nl) & NL_EV_LINK);
	assert_int_equal(nl_link_by_index(nl, link0.ifindex, &l), 0);
	assert_int_equal(l.mtu, 1400);
	assert_true(mac_equal(l.mac, mac));
	assert_true(l.up);
	assert_int_equal(nl_link_set(nl, link0.ifindex, false, 0, NULL), 0);
	assert_int_equal(nl_link_by_index(nl, link0.ifindex, &l), 0);
	assert_false(l.up);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(nl_link_set(nl, link0.ifindex, true, 0, NULL), 0);
	assert_int_equal(nl_link_set(nl, 0x7ffffff0, true, 0, NULL), -ENODEV);
}

static void
each_kind_of_change_is_told_apart(void **state)
{
	(void)state;
	nl_read_events(nl);
	sh("ip addr add 172.31.9.1/32 dev lo");
	assert_true(nl_read_events(nl) & NL_EV_ADDR);
	sh("ip route add 10.80.0.0/16 dev lo");
	assert_true(nl_read_events(nl) & NL_EV_ROUTE);
	sh("ip neigh replace 172.31.0.50 lladdr 02:00:00:00:00:50 dev weft0");
	assert_true(nl_read_events(nl) & NL_EV_NEIGH);
	sh("ip link add weft8 type veth peer name weft9");
	assert_true(nl_read_events(nl) & NL_EV_LINK);
	assert_int_equal(nl_read_events(nl), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(living_neighbours_are_resolved),
		cmocka_unit_test(dead_neighbour_fails_and_can_be_asked_for_again),
		cmocka_unit_test(routes_tell_link_source_gateway_and_mtu),
		cmocka_unit_test(equal_routes_tell_all_of_their_ways),
		cmocka_unit_test(neighbours_can_be_probed),
		cmocka_unit_test(routes_need_not_be_heard),
		cmocka_unit_test(own_addresses_name_their_link),
		cmocka_unit_test(each_kind_of_change_is_told_apart),
		cmocka_unit_test(links_can_be_set_and_report_it),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, begin, end);
}
