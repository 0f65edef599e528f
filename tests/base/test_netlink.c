/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that the loopback interface of any machine can answer without privileges. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/netlink.h"

static struct nl *nl;

static int
begin(void **state)
{
	struct err e = { 0 };

	(void)state;
	nl = nl_open(&e);
	return nl ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	nl_close(nl);
	nl_close(NULL);
	return 0;
}

static struct ipaddr
ip(const char *s)
{
	struct ipaddr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static void
loopback_link_is_found_by_name_and_index(void **state)
{
	struct nl_link a, b;

	(void)state;
	assert_int_equal(nl_link_by_name(nl, "lo", &a), 0);
	assert_string_equal(a.name, "lo");
	assert_true(a.ifindex > 0);
	assert_true(a.mtu >= 1500);
	assert_true(mac_is_zero(a.mac));
	assert_int_equal(nl_link_by_index(nl, a.ifindex, &b), 0);
	assert_memory_equal(&a, &b, sizeof a);
}

static void
unknown_links_are_enodev(void **state)
{
	struct nl_link l;

	(void)state;
	assert_int_equal(nl_link_by_name(nl, "weft-no-such", &l), -ENODEV);
	assert_int_equal(nl_link_by_name(nl, "a-name-that-no-link-can-have", &l), -ENODEV);
	assert_int_equal(nl_link_by_name(nl, "", &l), -ENODEV);
	assert_int_equal(nl_link_by_index(nl, 0x7ffffff0, &l), -ENODEV);
	assert_int_equal(nl_link_by_index(nl, 0, &l), -ENODEV);
}

static void
route_to_loopback_is_local(void **state)
{
	struct ipaddr dst = ip("127.0.0.1");
	struct nl_route r;
	struct nl_link lo;

	(void)state;
	assert_int_equal(nl_link_by_name(nl, "lo", &lo), 0);
	if (!lo.up)
		skip();
	assert_int_equal(nl_route_get(nl, &dst, NULL, &r), 0);
	assert_true(r.local);
	assert_int_equal(r.ifindex, lo.ifindex);
	assert_true(ip_equal(&r.src, &dst));
	assert_true(ip_is_none(&r.gateway));

	assert_int_equal(nl_route_get(nl, &dst, &dst, &r), 0);
	assert_true(ip_equal(&r.src, &dst));
}

static void
unusable_destinations_have_no_route(void **state)
{
	struct ipaddr all = ip("255.255.255.255"), v4 = ip("127.0.0.1"), v6 = ip("2001:db8::1");
	struct nl_route r;

	(void)state;
	assert_true(nl_route_get(nl, &all, NULL, &r) < 0);
	assert_int_equal(nl_route_get(nl, &v6, &v4, &r), -EAFNOSUPPORT);
}

static void
neighbour_nobody_asked_for_is_none(void **state)
{
	struct ipaddr a = ip("192.0.2.77");
	struct nl_neigh n;
	struct nl_link lo;

	(void)state;
	assert_int_equal(nl_link_by_name(nl, "lo", &lo), 0);
	assert_int_equal(nl_neigh_get(nl, lo.ifindex, &a, &n), 0);
	assert_int_equal(n.state, NL_NEIGH_NONE);
	assert_true(nl_neigh_get(nl, 0x7ffffff0, &a, &n) < 0);
}

static void
own_addresses_are_told_from_others(void **state)
{
	struct ipaddr mine = ip("127.0.0.1"), other = ip("192.0.2.77");
	struct nl_link lo;
	int ifindex = 0;

	(void)state;
	assert_int_equal(nl_link_by_name(nl, "lo", &lo), 0);
	if (!lo.up)
		skip();
	assert_true(nl_addr_is_local(nl, &mine, &ifindex));
	assert_int_equal(ifindex, lo.ifindex);
	assert_true(nl_addr_is_local(nl, &mine, NULL));
	assert_false(nl_addr_is_local(nl, &other, NULL));
}

static void
many_questions_do_not_get_each_others_answers(void **state)
{
	struct ipaddr dst = ip("127.0.0.1"), other = ip("192.0.2.77");
	struct nl_route r;
	struct nl_link l;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(nl_link_by_name(nl, "weft-no-such", &l), -ENODEV);
		assert_int_equal(nl_link_by_name(nl, "lo", &l), 0);
		assert_false(nl_addr_is_local(nl, &other, NULL));
		if (l.up)
			assert_int_equal(nl_route_get(nl, &dst, NULL, &r), 0);
	}
}

static void
reading_events_never_blocks(void **state)
{
	(void)state;
	assert_true(nl_event_fd(nl) >= 0);
	nl_read_events(nl);
	nl_read_events(nl);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_link_is_found_by_name_and_index),
		cmocka_unit_test(unknown_links_are_enodev),
		cmocka_unit_test(route_to_loopback_is_local),
		cmocka_unit_test(unusable_destinations_have_no_route),
		cmocka_unit_test(neighbour_nobody_asked_for_is_none),
		cmocka_unit_test(own_addresses_are_told_from_others),
		cmocka_unit_test(many_questions_do_not_get_each_others_answers),
		cmocka_unit_test(reading_events_never_blocks),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
