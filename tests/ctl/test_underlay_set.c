/* SPDX-License-Identifier: Apache-2.0 */
/* Many tunnels at once: their numbers, what cannot stand together, where they listen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctl/underlay_fixture.h"

static void
remotes_that_stay_keep_their_index(void **state)
{
	uint32_t before[OPT_LIST_MAX], after[OPT_LIST_MAX];

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2,172.16.0.3,172.16.0.4");
	assert_int_equal(underlay_dsts(u, VX0, before), 3);
	add(VX0, "vni=5000 remote=172.16.0.4,172.16.0.9,172.16.0.2");
	assert_int_equal(underlay_dsts(u, VX0, after), 3);
	assert_int_equal(after[0], before[2]);
	assert_int_equal(after[2], before[0]);
	/* A new one never takes over the index of one that went in the same change. */
	assert_int_not_equal(after[1], before[1]);
	assert_null(tun_view_dst(owner.view, before[1]));
	assert_int_equal(owner.path[before[1]].underlay_port, 0);
	assert_int_equal(underlay_dsts(u, VX1, after), 0);
}

static void
too_many_remotes_change_nothing(void **state)
{
	char list[OPT_LIST_MAX * 16];
	struct err e = { 0 };
	int rc = 0;

	(void)state;
	for (unsigned t = 0; t < TUN_MAX_DST / OPT_LIST_MAX + 1 && !rc; t++) {
		struct underlay_tunnel tun;
		size_t n = 0;

		for (unsigned i = 0; i < OPT_LIST_MAX; i++)
			n += snprintf(list + n, sizeof list - n, "%s10.0.%u.%u", i ? "," : "", t, i + 1);
		tun = tunnel(200 + t, "vni=7 remote=%s", list);
		rc = underlay_set(u, &tun, &e);
	}
	assert_int_equal(rc, -ENOSPC);
	underlay_update(u, now);
	/* What was refused left no trace: a full set minus its own. */
	struct underlay_tunnel small = tunnel(VX0, "vni=8 remote=10.1.0.1");

	assert_int_equal(underlay_set(u, &small, &e), 0);
}

static int
check2(const struct underlay_tunnel *a, const struct underlay_tunnel *b, struct err *e, unsigned *culprit)
{
	const struct underlay_tunnel *both[] = { a, b };

	return underlay_check(both, 2, culprit, e);
}

static void
tunnels_that_claim_the_same_packets_are_refused(void **state)
{
	struct underlay_tunnel a = tunnel(VX0, "vni=5000 remote=172.16.0.2,172.16.0.3"), b;
	struct err e = { 0 };
	unsigned culprit;

	(void)state;
	b = tunnel(VX1, "vni=5000 remote=172.16.0.4,172.16.0.3");
	assert_int_equal(check2(&a, &b, &e, &culprit), -EEXIST);
	assert_int_equal(culprit, 1);
	assert_string_equal(e.msg, "vx has vni 5000 and remote 172.16.0.3 already");
	b.conf.local = fake_ip("172.16.0.1");
	assert_int_equal(check2(&a, &b, &e, NULL), -EEXIST);
	a.conf.local = fake_ip("172.16.0.9");
	assert_int_equal(check2(&a, &b, &e, NULL), 0);
	a.conf.local = b.conf.local;
	b.conf.dst_port = 8472;
	assert_int_equal(check2(&a, &b, &e, NULL), 0);
	b = tunnel(VX1, "vni=5001 remote=172.16.0.2");
	assert_int_equal(check2(&a, &b, &e, NULL), 0);
}

static void
bad_options_are_refused_before_anything_is_set(void **state)
{
	struct underlay_tunnel a = tunnel(VX0, "vni=5000 remote=172.16.0.2"), b = tunnel(VX1, "vni=5001 remote=224.0.0.1");
	struct err e = { 0 };
	unsigned culprit = 9;

	(void)state;
	assert_int_equal(check2(&a, &b, &e, &culprit), -EINVAL);
	assert_int_equal(culprit, 1);
	assert_non_null(strstr(e.msg, "224.0.0.1 is not a unicast address"));
	b = tunnel(VX1, "vni=5001 remote=172.16.0.2");
	b.conf.tos = 3;
	assert_int_equal(check2(&a, &b, &e, NULL), -EINVAL);
	b.conf.tos = TUN_TOS_INHERIT;
	assert_int_equal(check2(&a, &b, &e, NULL), 0);
	b.conf.local = fake_ip("2001:db8::1");
	assert_int_equal(check2(&a, &b, &e, NULL), -EINVAL);
}

static void
nine_udp_ports_are_one_too_many(void **state)
{
	struct underlay_tunnel t[9];
	const struct underlay_tunnel *all[9];
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		t[i] = tunnel(VX0 + i, "vni=5000 remote=172.16.0.2");
		t[i].conf.dst_port = 4789 + i;
		all[i] = &t[i];
	}
	assert_int_equal(underlay_check(all, 8, NULL, &e), 0);
	assert_int_equal(underlay_check(all, 9, NULL, &e), -ENOSPC);
}

static void
one_double_among_ten_thousand_is_found(void **state)
{
	enum { N = 10000 };
	struct underlay_tunnel *t = calloc(N, sizeof *t);
	const struct underlay_tunnel **all = calloc(N, sizeof *all);
	struct underlay_tunnel model = tunnel(VX0, "vni=5000 remote=172.16.0.2");
	struct err e = { 0 };
	unsigned culprit;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		all[i] = &t[i];
		t[i] = model;
		/* Neither a key nor a remote is anybody's own; both together are. */
		t[i].conf.key = 5000 + i / 100;
		t[i].conf.remote.ip[0].b[15] = (uint8_t)(1 + i % 100);
	}
	assert_int_equal(underlay_check(all, N, NULL, &e), 0);
	t[N - 1].conf.remote.ip[0] = t[N - 2].conf.remote.ip[0];
	assert_int_equal(underlay_check(all, N, &culprit, &e), -EEXIST);
	assert_int_equal(culprit, N - 1);
	free(t);
	free(all);
}

static void
equal_routes_are_heard_on_all_of_their_links(void **state)
{
	(void)state;
	fake_route("172.16.0.2", ETH2, "172.16.0.1", NULL);
	fake.n_hops = 2;
	fake.hop[0] = (struct nl_hop){ .ifindex = ETH1, .weight = 1 };
	fake.hop[1] = (struct nl_hop){ .ifindex = ETH2, .weight = 1 };
	add(VX0, "remote=172.16.0.2");
	assert_true(tun_view_is_underlay(owner.view, ETH2_PORT));
	assert_true(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_int_equal(owner.n_opened, 1);
	/* Wherever its address is: packets leave by both. */
	addr("172.16.0.1", ETH2);
	add(VX0, "remote=172.16.0.2");
	assert_true(tun_view_is_underlay(owner.view, ETH1_PORT));
	fake.n_hops = 0;
	add(VX0, "remote=172.16.0.2");
	assert_false(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_int_equal(owner.n_closed, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(remotes_that_stay_keep_their_index),
		UNDERLAY_TEST(too_many_remotes_change_nothing),
		UNDERLAY_TEST(tunnels_that_claim_the_same_packets_are_refused),
		UNDERLAY_TEST(bad_options_are_refused_before_anything_is_set),
		UNDERLAY_TEST(nine_udp_ports_are_one_too_many),
		UNDERLAY_TEST(one_double_among_ten_thousand_is_found),
		UNDERLAY_TEST(equal_routes_are_heard_on_all_of_their_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
