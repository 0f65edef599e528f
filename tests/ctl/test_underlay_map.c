/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels of many identifiers: what they listen for, and with whom they can live. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctl/underlay_fixture.h"

static int
check(const char *a, const char *b, struct err *e)
{
	const struct underlay_tunnel ta = tunnel(VX0, "%s", a), tb = tunnel(VX1, "%s", b);
	const struct underlay_tunnel *both[] = { &ta, &tb };

	memset(e, 0, sizeof *e);
	return underlay_check(both, 2, NULL, e);
}

static const struct tun_endpoint *
find(uint32_t key, const char *remote)
{
	struct ipaddr r = fake_ip(remote), l = fake_ip("172.16.0.1");

	return tun_view_find(owner.view, tun_type_find("vxlan"), 4789, key, &r, &l);
}

static void
each_identifier_of_the_map_has_an_endpoint(void **state)
{
	const struct tun_type *vxlan = tun_type_find("vxlan");

	(void)state;
	addr("172.16.0.1", ETH1);
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=flow vlan-map=10:5010,20-29:5020 remote=172.16.0.2,172.16.0.3");
	add(VX1, "vni=flow remote=172.16.0.2");
	assert_int_equal(find(5010, "172.16.0.3")->port, VX0);
	assert_int_equal(find(5029, "172.16.0.2")->port, VX0);
	assert_null(find(5030, "172.16.0.3"));
	assert_false(find(5010, "172.16.0.2")->wild & TUN_WILD_KEY);
	/* What it has not is for one that takes any. */
	assert_int_equal(find(5030, "172.16.0.2")->port, VX1);
	underlay_del(u, VX1);
	add(VX0, "vni=flow vlan-map=10:5010,20-29:5020 remote=flow");
	assert_int_equal(find(5020, "172.16.0.9")->port, VX0);
	assert_true(tun_view_has_key(owner.view, vxlan, 4789, 5029));
	/* Dropped as such, before anybody is asked who the sender is. */
	assert_false(tun_view_has_key(owner.view, vxlan, 4789, 5030));
	/* Tags inside say nothing here. */
	assert_true(find(5020, "172.16.0.9")->wild & TUN_WILD_REMOTE);
}

static void
bfd_goes_with_a_key_of_the_map(void **state)
{
	const struct tun_hdr *h;

	(void)state;
	addr("172.16.0.1", ETH1);
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=flow vlan-map=0:0,10:5010,20:5020 remote=172.16.0.2 bfd=true");
	h = &row(VX0)->hdr;
	assert_memory_equal(h->b + h->own_off, "\x08\0\0\0\0\x13\x92\0", 8);
	add(VX0, "vni=flow vlan-map=0:0,10:5010 remote=172.16.0.2");
	h = &row(VX0)->hdr;
	assert_memory_equal(h->b + h->own_off, "\x08\0\0\0\0\0\0\0", 8);
}

static void
maps_must_not_meet(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(check("vni=flow vlan-map=10:5010,20-29:5020 remote=172.16.0.2", "vni=flow vlan-map=10:5030 remote=172.16.0.2", &e), 0);
	assert_int_equal(check("vni=flow vlan-map=10:5010,20-29:5020 remote=172.16.0.2",
			       "vni=flow vlan-map=1:1,10-19:5029 remote=172.16.0.3,172.16.0.2", &e), -EEXIST);
	assert_string_equal(e.msg, "vx has vni 5029 and remote 172.16.0.2 already");
	assert_int_equal(check("vni=flow vlan-map=20-29:5020 remote=172.16.0.2", "vni=5025 remote=172.16.0.2", &e), -EEXIST);
	assert_int_equal(check("vni=5025 remote=172.16.0.2", "vni=flow vlan-map=20-29:5020 remote=172.16.0.2", &e), -EEXIST);
	assert_int_equal(check("vni=5030 remote=172.16.0.2", "vni=flow vlan-map=20-29:5020 remote=172.16.0.2", &e), 0);
	assert_int_equal(check("vni=flow remote=172.16.0.2", "vni=flow vlan-map=20-29:5020 remote=172.16.0.2", &e), 0);
	assert_int_equal(check("vni=flow vlan-map=1-9:1 remote=flow", "vni=flow vlan-map=1-9:9 remote=flow", &e), -EEXIST);
	assert_string_equal(e.msg, "vx has remote=flow for the same packets already");
	assert_int_equal(check("vni=flow vlan-map=1-9:1 remote=flow", "vni=flow vlan-map=1-9:10 remote=flow", &e), 0);
	assert_int_equal(check("vni=flow vlan-map=1-9:1 dst-port=8472 remote=flow", "vni=flow vlan-map=1-9:1 remote=flow", &e), 0);
}

static void
a_map_times_too_many_remotes_is_refused(void **state)
{
	char remotes[OPT_LIST_MAX * 16] = "172.16.1.0";
	struct underlay_tunnel t, more;
	const struct underlay_tunnel *both[] = { &t, &more };
	struct err e = { 0 };
	unsigned culprit;

	(void)state;
	for (unsigned i = 1; i < OPT_LIST_MAX; i++)
		snprintf(remotes + strlen(remotes), sizeof remotes - strlen(remotes), ",172.16.1.%u", i);
	t = tunnel(VX0, "vni=flow vlan-map=0-4094:1 remote=%s", remotes);
	assert_int_equal(underlay_check(both, 1, NULL, &e), 0);
	more = tunnel(VX1, "vni=flow vlan-map=0:5000 remote=%s,10.0.0.1", remotes + sizeof "172.16.1.0");
	more.conf.vlans = t.conf.vlans;
	more.conf.vlans.r[0].key = 10000;
	assert_int_equal(underlay_check(both, 2, &culprit, &e), -ENOSPC);
	assert_int_equal(culprit, 1);
	assert_non_null(strstr(e.msg, "remote=flow"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(each_identifier_of_the_map_has_an_endpoint),
		UNDERLAY_TEST(bfd_goes_with_a_key_of_the_map),
		UNDERLAY_TEST(maps_must_not_meet),
		UNDERLAY_TEST(a_map_times_too_many_remotes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
