/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels whose remotes are set per flow: where they listen, whom they learn, and whom they forget. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctl/underlay_fixture.h"

enum { IDLE_S = 300 };

/* Weft has a port on each of two links that have addresses; the default route leads over the first. */
static int
begin(void **state)
{
	underlay_begin(state);
	owner.eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = ETH1_PORT };
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	addr("172.16.0.1", ETH1);
	addr("172.17.0.1", ETH2);
	addr("127.0.0.1", 1);
	return 0;
}

static void
peer(uint16_t port, const char *remote, const char *local, bool heard)
{
	struct ipaddr r = fake_ip(remote), l = fake_ip(local);

	underlay_peer(u, port, &r, &l, heard, now);
	underlay_flush(u);
}

static void
count(void *arg, const struct underlay_remote *r)
{
	assert_true(r->learned);
	++*(unsigned *)arg;
}

static unsigned
n_learned(uint16_t port)
{
	unsigned n = 0, said = underlay_learned(u, port, count, &n);

	assert_int_equal(said, n);
	return n;
}

/* The destination that a port has for these addresses. */
static uint32_t
dst_of(uint16_t port, const char *remote, const char *local)
{
	struct ipaddr r = fake_ip(remote), l = fake_ip(local);

	return tun_view_peer(owner.view, port, &r, &l);
}

static const struct tun_endpoint *
find(uint32_t key, const char *remote, const char *local)
{
	struct ipaddr r = fake_ip(remote), l = fake_ip(local);

	return tun_view_find(owner.view, tun_type_find("vxlan"), 4789, key, &r, &l);
}

static void
is_local(const char *ip, bool want)
{
	struct ipaddr a = fake_ip(ip);

	assert_int_equal(tun_view_is_local(owner.view, &a), want);
}

/* --- Listening ----------------------------------------------------------------------------- */

static void
without_local_it_listens_wherever_the_host_has_addresses(void **state)
{
	(void)state;
	add(VX0, "remote=flow");
	assert_string_equal(underlay_deaf(u, VX0), "");
	assert_true(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_true(tun_view_is_underlay(owner.view, ETH2_PORT));
	is_local("172.16.0.1", true);
	is_local("172.17.0.1", true);
	is_local("127.0.0.1", false);
	assert_non_null(find(42, "1.2.3.4", "172.17.0.1"));
	assert_null(find(43, "1.2.3.4", "172.17.0.1"));
	addr("172.18.0.1", ETH2);
	live(100);
	is_local("172.18.0.1", true);
}

static void
with_local_it_listens_there_alone(void **state)
{
	(void)state;
	add(VX0, "remote=flow local=172.17.0.1 vni=flow");
	assert_false(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_true(tun_view_is_underlay(owner.view, ETH2_PORT));
	is_local("172.16.0.1", false);
	assert_non_null(find(7, "1.2.3.4", "172.17.0.1"));
	assert_null(find(7, "1.2.3.4", "172.16.0.1"));
}

static void
who_hears_nothing_says_why(void **state)
{
	(void)state;
	add(VX0, "remote=flow local=172.19.0.1");
	assert_non_null(strstr(underlay_deaf(u, VX0), "172.19.0.1 is not an address of this host"));
	addr("172.19.0.1", ETH2);
	live(100);
	assert_string_equal(underlay_deaf(u, VX0), "");
	fake.link[2].up = false;
	fake.events |= NL_EV_LINK;
	live(100);
	assert_non_null(strstr(underlay_deaf(u, VX0), "eth2 is down"));
}

static void
a_fixed_remote_may_leave_the_key_open(void **state)
{
	(void)state;
	fake_neigh(ETH1, "172.16.0.2")->n = (struct nl_neigh){ .state = NL_NEIGH_VALID, .mac = fake_mac(0x22) };
	add(VX0, "remote=172.16.0.2 vni=flow");
	add(VX1, "remote=172.16.0.2 vni=5");
	assert_int_equal(find(4, "172.16.0.2", "172.16.0.1")->port, VX0);
	assert_int_equal(find(5, "172.16.0.2", "172.16.0.1")->port, VX1);
	assert_null(find(5, "172.16.0.3", "172.16.0.1"));
}

/* --- Learning ------------------------------------------------------------------------------ */

static void
a_remote_that_is_heard_becomes_a_destination(void **state)
{
	uint32_t dst;

	(void)state;
	fake_neigh(ETH1, "172.16.0.2")->n = (struct nl_neigh){ .state = NL_NEIGH_VALID, .mac = fake_mac(0x22) };
	add(VX0, "remote=flow");
	peer(VX0, "172.16.0.2", "172.17.0.1", true);
	assert_int_equal(owner.n_commits, 1);
	dst = dst_of(VX0, "172.16.0.2", "172.17.0.1");
	assert_int_not_equal(dst, 0);
	assert_int_equal(tun_view_dst(owner.view, dst)->state, TUN_DST_READY);
	assert_int_equal(owner.path[dst].port, VX0);
	/* The way back starts where it was heard. */
	assert_true(ip_equal(&owner.path[dst].local, &(struct ipaddr){ { [10] = 0xff, 0xff, 172, 17, 0, 1 } }));
	assert_int_equal(tun_view_next_peer(owner.view, VX0, 0), dst);
	assert_int_equal(tun_view_next_peer(owner.view, VX0, dst), 0);
	assert_int_equal(tun_view_next_peer(owner.view, VX1, 0), 0);
	/* Heard again: nothing new. */
	peer(VX0, "172.16.0.2", "172.17.0.1", true);
	assert_int_equal(owner.n_commits, 1);
	assert_int_equal(n_learned(VX0), 1);
}

static void
one_that_is_sent_to_is_asked_for(void **state)
{
	uint32_t dst;

	(void)state;
	add(VX0, "remote=flow");
	peer(VX0, "172.16.0.9", NULL, false);
	dst = dst_of(VX0, "172.16.0.9", NULL);
	assert_int_equal(tun_view_dst(owner.view, dst)->state, TUN_DST_RESOLVING);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.9")->asked, 1);
	live(4000);
	assert_int_equal(tun_view_dst(owner.view, dst)->state, TUN_DST_FAILED);
}

static void
strangers_are_not_learned(void **state)
{
	static const struct {
		const char *remote;
		bool heard;
	} rows[] = { { "10.0.0.1", true }, { "224.0.0.1", false }, { "172.16.0.1", false }, { "127.0.0.1", false },
		     { "2001:db8::1", false }, { "0.0.0.0", false } };

	(void)state;
	add(VX0, "remote=flow allow=172.16.0.0/16 local=172.16.0.1");
	add(VX1, "remote=172.16.0.2 vni=1");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		peer(VX0, rows[i].remote, "172.16.0.1", rows[i].heard);
	peer(VX1, "172.16.0.3", NULL, false);
	peer(99, "172.16.0.3", NULL, false);
	assert_int_equal(n_learned(VX0), 0);
	assert_int_equal(n_learned(VX1), 0);
	/* To whom rules send is theirs to say. */
	peer(VX0, "10.0.0.1", NULL, false);
	assert_int_equal(n_learned(VX0), 1);
	assert_int_not_equal(dst_of(VX0, "10.0.0.1", "172.16.0.1"), 0);
}

static void
no_more_are_learned_than_the_port_may(void **state)
{
	(void)state;
	add(VX0, "remote=flow max-remotes=5");
	for (unsigned i = 2; i < 20; i++) {
		char ip[32];

		snprintf(ip, sizeof ip, "172.16.0.%u", i);
		peer(VX0, ip, NULL, true);
	}
	assert_int_equal(n_learned(VX0), 5);
}

static void
who_is_not_used_is_forgotten(void **state)
{
	uint32_t a, b, c;

	(void)state;
	add(VX0, "remote=flow");
	peer(VX0, "172.16.0.2", NULL, true);
	peer(VX0, "172.16.0.3", NULL, true);
	a = dst_of(VX0, "172.16.0.2", NULL);
	b = dst_of(VX0, "172.16.0.3", NULL);
	live(200 * 1000);
	owner.used[b] = (uint32_t)(now / 1000);
	for (unsigned i = 0; i < 150 && n_learned(VX0) == 2; i++)
		live(1000);
	assert_int_equal(n_learned(VX0), 1);
	assert_int_equal(dst_of(VX0, "172.16.0.2", NULL), 0);
	assert_int_equal(dst_of(VX0, "172.16.0.3", NULL), b);
	assert_int_equal(owner.path[a].port, 0);
	assert_null(tun_view_dst(owner.view, a));
	/* Its number is not another's before everybody has seen that it is gone. */
	peer(VX0, "172.16.0.4", NULL, true);
	c = dst_of(VX0, "172.16.0.4", NULL);
	assert_int_not_equal(c, a);
	live(40 * 1000);
	peer(VX0, "172.16.0.5", NULL, true);
	assert_int_equal(dst_of(VX0, "172.16.0.5", NULL), a);
	live((IDLE_S + 60) * 1000);
	assert_int_equal(n_learned(VX0), 0);
}

static void
learned_ones_outlive_changes_that_do_not_concern_them(void **state)
{
	uint32_t a;

	(void)state;
	add(VX0, "remote=flow");
	peer(VX0, "172.16.0.2", NULL, true);
	a = dst_of(VX0, "172.16.0.2", NULL);
	add(VX0, "remote=flow ttl=7 flood-list=172.16.0.7");
	assert_int_equal(dst_of(VX0, "172.16.0.2", NULL), a);
	/* Those of the list can be found like learned ones, and never grow old. */
	assert_int_not_equal(dst_of(VX0, "172.16.0.7", NULL), 0);
	add(VX0, "remote=flow allow=172.16.0.3");
	assert_int_equal(n_learned(VX0), 0);
	peer(VX0, "172.16.0.2", NULL, true);
	assert_int_equal(n_learned(VX0), 0);
	add(VX0, "remote=flow");
	peer(VX0, "172.16.0.2", NULL, true);
	assert_int_equal(n_learned(VX0), 1);
	add(VX0, "remote=flow local=172.16.0.1");
	assert_int_equal(n_learned(VX0), 0);
	assert_int_equal(dst_of(VX0, "172.16.0.2", NULL), 0);
	peer(VX0, "172.16.0.2", NULL, true);
	add(VX0, "remote=172.16.0.2");
	assert_int_equal(n_learned(VX0), 0);
	underlay_del(u, VX0);
	underlay_update(u, now);
	for (unsigned i = 1; i < TUN_MAX_DST; i++)
		assert_int_equal(owner.path[i].port, 0);
}

/* --- Together ------------------------------------------------------------------------------ */

static void
a_group_is_joined_and_floods_go_there(void **state)
{
	const struct mac mac = { { 0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03 } };
	struct underlay_remote r[OPT_LIST_MAX];
	const struct tun_endpoint *e;
	struct ipaddr group = fake_ip("239.255.2.3"), far = fake_ip("172.16.0.9"), ours = fake_ip("172.17.0.1"), none = { { 0 } };

	(void)state;
	/* Where we are says on which link: the default route leads elsewhere. */
	add(VX0, "remote=239.255.2.3 local=172.17.0.1");
	assert_int_equal(fake.n_joined, 1);
	assert_int_equal(fake.joined_on, ETH2);
	assert_true(ip_equal(&fake.joined, &group));
	assert_int_equal(underlay_remotes(u, VX0, r), 1);
	assert_int_equal(r[0].state, TUN_DST_READY);
	assert_memory_equal(&r[0].next_hop_mac, &mac, sizeof mac);
	assert_string_equal(r[0].via, "eth2");
	/* Who sends to the group and to us is one. */
	for (unsigned i = 0; i < 2; i++) {
		e = tun_view_find(owner.view, tun_type_find("vxlan"), 4789, 42, &far, i ? &ours : &group);
		assert_non_null(e);
		assert_true(e->asks && ip_equal(&e->asked, &ours));
	}
	assert_true(tun_view_is_local(owner.view, &group));
	add(VX0, "remote=239.255.2.3 local=172.16.0.1");
	assert_int_equal(fake.n_joined, 1);
	assert_int_equal(fake.joined_on, ETH1);
	/* Without 'local' the route says it; among others in a list as well. */
	add(VX0, "remote=flow flood-list=172.16.0.7,239.255.2.3");
	assert_int_equal(fake.n_joined, 1);
	e = tun_view_find(owner.view, tun_type_find("vxlan"), 4789, 42, &far, &group);
	assert_non_null(e);
	assert_true(e->asks && ip_equal(&e->asked, &none));
	add(VX0, "remote=flow");
	assert_int_equal(fake.n_joined, 0);
	assert_false(tun_view_is_local(owner.view, &group));
	fake.mcast_rc = -ENOBUFS;
	add(VX0, "remote=239.255.2.3");
	assert_int_equal(underlay_remotes(u, VX0, r), 1);
	assert_non_null(strstr(r[0].reason, "cannot join the group"));
	/* It is tried again with each look. */
	fake.mcast_rc = 0;
	underlay_update(u, now);
	assert_int_equal(fake.n_joined, 1);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_int_equal(fake.n_joined, 0);
}

static void
groups_stand_where_floods_go(void **state)
{
	static const struct {
		const char *opts;
		int rc;
	} rows[] = {
		{ "remote=239.1.1.1", 0 }, { "remote=ff05::1", 0 }, { "remote=239.1.1.1,172.16.0.2", -EINVAL },
		{ "remote=172.16.0.2,239.1.1.1", -EINVAL }, { "remote=239.1.1.1 flood-list=172.16.0.2", -EINVAL },
		{ "remote=flow flood-list=239.1.1.1,172.16.0.2", 0 }, { "remote=239.1.1.1 local=ff05::1", -EINVAL },
		{ "remote=ff05::1 local=172.16.0.1", -EINVAL }, { "remote=172.16.0.2 local=239.1.1.1", -EINVAL },
		{ "remote=239.1.1.1 bfd=true", -EINVAL },
		{ "remote=flow bfd=true", -EINVAL }, { "remote=172.16.0.2 bfd-admin-down=true", -EINVAL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct underlay_tunnel a = tunnel(VX0, "%s", rows[i].opts);
		const struct underlay_tunnel *all[] = { &a };
		struct err e = { 0 };

		if (underlay_check(all, 1, NULL, &e) != rows[i].rc)
			fail_msg("%s: %s", rows[i].opts, e.msg);
	}
}

static void
what_leaves_open_the_same_is_refused(void **state)
{
	static const struct {
		const char *a, *b;
		int rc;
	} rows[] = {
		{ "remote=flow", "remote=flow", -EEXIST }, { "remote=flow", "remote=flow local=flow", -EEXIST },
		{ "remote=flow", "remote=172.16.0.2", 0 }, { "remote=flow", "remote=flow vni=43", 0 },
		{ "remote=flow", "remote=flow vni=flow", 0 }, { "remote=flow vni=flow", "remote=flow vni=flow", -EEXIST },
		{ "remote=flow local=172.16.0.1", "remote=flow local=172.16.0.1", -EEXIST },
		{ "remote=flow local=172.16.0.1", "remote=flow local=172.17.0.1", 0 },
		{ "remote=flow local=172.16.0.1", "remote=flow", 0 },
		{ "remote=172.16.0.2 vni=flow", "remote=172.16.0.2 vni=flow", -EEXIST },
		{ "remote=172.16.0.2 vni=flow", "remote=172.16.0.3 vni=flow", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct underlay_tunnel a = tunnel(VX0, "%s", rows[i].a), b = tunnel(VX1, "%s", rows[i].b);
		const struct underlay_tunnel *all[] = { &a, &b };
		struct err e = { 0 };

		if (underlay_check(all, 2, NULL, &e) != rows[i].rc)
			fail_msg("%s and %s: %s", rows[i].a, rows[i].b, e.msg);
	}
}

/* The one that says more gets the packet: the key counts first, then the remote, then the local address. */
static void
the_most_specific_endpoint_wins(void **state)
{
	static const char *const opts[] = {
		"remote=flow vni=flow", "remote=flow vni=flow local=172.16.0.1", "remote=172.16.0.2 vni=flow",
		"remote=flow vni=42", "remote=flow vni=42 local=172.16.0.1", "remote=172.16.0.2 vni=42",
	};

	(void)state;
	for (uint16_t i = 0; i < ARRAY_SIZE(opts); i++) {
		add(VX0 + i, "%s", opts[i]);
		assert_int_equal(find(42, "172.16.0.2", "172.16.0.1")->port, VX0 + i);
	}
	assert_int_equal(find(42, "172.16.0.3", "172.16.0.1")->port, VX0 + 4);
	assert_int_equal(find(42, "172.16.0.3", "172.17.0.1")->port, VX0 + 3);
	assert_int_equal(find(41, "172.16.0.2", "172.16.0.1")->port, VX0 + 2);
	assert_int_equal(find(41, "172.16.0.3", "172.16.0.1")->port, VX0 + 1);
	assert_int_equal(find(41, "172.16.0.3", "172.17.0.1")->port, VX0);
	assert_true(tun_view_has_key(owner.view, tun_type_find("vxlan"), 4789, 12345));
	assert_false(tun_view_has_key(owner.view, tun_type_find("vxlan"), 4790, 42));
}

int
main(void)
{
#define FLOW_TEST(f) cmocka_unit_test_setup_teardown(f, begin, underlay_end)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(without_local_it_listens_wherever_the_host_has_addresses),
		FLOW_TEST(with_local_it_listens_there_alone),
		FLOW_TEST(who_hears_nothing_says_why),
		FLOW_TEST(a_fixed_remote_may_leave_the_key_open),
		FLOW_TEST(a_remote_that_is_heard_becomes_a_destination),
		FLOW_TEST(one_that_is_sent_to_is_asked_for),
		FLOW_TEST(strangers_are_not_learned),
		FLOW_TEST(no_more_are_learned_than_the_port_may),
		FLOW_TEST(who_is_not_used_is_forgotten),
		FLOW_TEST(learned_ones_outlive_changes_that_do_not_concern_them),
		FLOW_TEST(a_group_is_joined_and_floods_go_there),
		FLOW_TEST(groups_stand_where_floods_go),
		FLOW_TEST(what_leaves_open_the_same_is_refused),
		FLOW_TEST(the_most_specific_endpoint_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
