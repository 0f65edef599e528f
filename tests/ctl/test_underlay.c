/* SPDX-License-Identifier: Apache-2.0 */
/* The way to one remote: routes, links, ports, neighbours, against a kernel of a few tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctl/underlay_fixture.h"

/* --- One remote ---------------------------------------------------------------------------- */

static void
known_neighbour_is_ready_at_once(void **state)
{
	struct ipaddr remote = fake_ip("172.16.0.2"), local = fake_ip("172.16.0.1");
	const struct tun_endpoint *ep;

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");

	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0)->underlay_port, ETH1_PORT);
	assert_int_equal(row(VX0)->max_frame, 1500 + 14 - 50);
	assert_int_equal(row(VX0)->hdr.len, 50);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0x22).b, 6);
	assert_memory_equal(row(VX0)->hdr.b + 6, fake_mac(ETH1).b, 6);
	ep = tun_view_find(owner.view, tun_type_find("vxlan"), 4789, 5000, &remote, &local);
	assert_non_null(ep);
	assert_int_equal(ep->port, VX0);
	assert_true(tun_view_dst(owner.view, ep->dst) == row(VX0));
	assert_true(tun_view_is_underlay(owner.view, ETH1_PORT));

	struct underlay_remote r = show(VX0);

	assert_string_equal(r.state_name, "ready");
	assert_string_equal(r.reason, "");
	assert_string_equal(r.via, "eth1");
	assert_int_equal(r.mtu, 1500);
	assert_int_equal(owner.path[r.dst].underlay_port, ETH1_PORT);
	assert_true(mac_equal(owner.path[r.dst].next_hop, fake_mac(0x22)));
	/* update() leaves the commit to its caller. */
	assert_int_equal(owner.n_commits, 0);
}

static void
nothing_changed_publishes_nothing(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");

	unsigned views = owner.n_views, paths = owner.n_paths;

	fake.events = NL_EV_LINK | NL_EV_ADDR | NL_EV_ROUTE | NL_EV_NEIGH | NL_EV_LOST;
	live(200000);
	underlay_update(u, now);
	assert_int_equal(owner.n_views, views);
	assert_int_equal(owner.n_paths, paths);
	assert_int_equal(owner.n_commits, 0);
}

static void
unknown_neighbour_is_asked_for_and_becomes_ready(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->state, TUN_DST_RESOLVING);
	assert_int_equal(row(VX0)->max_frame, 1464);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.2")->asked, 1);
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, ETH1_PORT);
	assert_true(mac_is_zero(owner.path[show(VX0).dst].next_hop));

	live(50);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	live(50);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(owner.n_commits, 1);
}

static void
events_are_gathered_before_anyone_looks(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");

	unsigned before = fake.n_questions;

	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	assert_in_range(underlay_poll(u, now), 1, 20);
	for (unsigned ms = 1; ms < 20; ms++) {
		fake.events |= NL_EV_NEIGH;
		underlay_poll(u, now + ms);
	}
	assert_int_equal(fake.n_questions, before);
	underlay_poll(u, now + 20);
	assert_true(fake.n_questions > before);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
}

static void
silent_neighbour_fails_is_retried_less_often_and_recovers(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	live(2900);
	assert_int_equal(row(VX0)->state, TUN_DST_RESOLVING);
	live(200);
	assert_int_equal(row(VX0)->state, TUN_DST_FAILED);
	assert_non_null(strstr(show(VX0).reason, "172.16.0.2 does not answer on eth1"));
	assert_string_equal(show(VX0).state_name, "failed");

	live(8000);
	assert_in_range(fake_neigh(ETH1, "172.16.0.2")->asked, 3, 6);
	live(600000);
	assert_in_range(fake_neigh(ETH1, "172.16.0.2")->asked, 20, 30);
	assert_int_equal(row(VX0)->state, TUN_DST_FAILED);

	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	live(50);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_string_equal(show(VX0).reason, "");
}

static void
kernel_that_gives_up_first_is_believed(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_FAILED, 0);
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_FAILED);
}

static void
lost_neighbour_is_asked_for_again(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_FAILED, 0);
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_RESOLVING);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.2")->asked, 1);
}

static void
changed_mac_changes_the_headers_and_keeps_the_index(void **state)
{
	uint32_t dst;

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	dst = show(VX0).dst;
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x33);
	live(30);
	assert_int_equal(show(VX0).dst, dst);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0x33).b, 6);
	assert_true(mac_equal(owner.path[dst].next_hop, fake_mac(0x33)));
	assert_int_equal(owner.n_commits, 1);
}

/* A question takes its permanence away from it. */
static void
permanent_neighbour_is_never_asked(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	fake_neigh(ETH1, "172.16.0.2")->n.fixed = true;
	add(VX0, "vni=5000 remote=172.16.0.2");
	live(300000);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.2")->asked, 0);
}

static void
known_neighbour_is_confirmed_now_and_then(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	live(29000);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.2")->asked, 0);
	live(272000);
	assert_in_range(fake_neigh(ETH1, "172.16.0.2")->asked, 8, 10);
}

static void
waiting_packets_ask_at_most_twice_a_second(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	for (unsigned i = 0; i < 100; i++)
		underlay_resolve(u, show(VX0).dst, now + i * 10);
	assert_int_equal(fake_neigh(ETH1, "172.16.0.2")->asked, 2);
	/* Indices that are nobody's. */
	underlay_resolve(u, 0, now);
	underlay_resolve(u, 4095, now);
	underlay_resolve(u, 0xffffffff, now);
}

static void
gateway_is_the_next_hop(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", "172.16.0.254");
	neigh_is(ETH1, "172.16.0.254", NL_NEIGH_VALID, 0xfe);
	add(VX0, "vni=5000 remote=10.9.9.9");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0xfe).b, 6);
	assert_memory_equal(show(VX0).next_hop.b, fake.route[0].r.gateway.b, 16);
}

static void
ipv6_underlay_costs_twenty_bytes_more(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "2001:db8::1", NULL);
	neigh_is(ETH1, "2001:db8::2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=2001:db8::2");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0)->max_frame, 1500 + 14 - 70);
	assert_true(fake.squat_v6);
}

/* --- Routes that are none ------------------------------------------------------------------ */

static void
assert_no_route(const char *because)
{
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);
	assert_non_null(strstr(show(VX0).reason, because));
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, 0);
	assert_int_equal(owner.view->n_endpoints, 0);
}

static void
missing_route_is_told_and_found_when_it_comes(void **state)
{
	(void)state;
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_no_route("no route to 172.16.0.2: add one or check the underlay address");
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	fake.events = NL_EV_ROUTE;
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(owner.n_commits, 1);

	fake.n_routes = 0;
	fake.events = NL_EV_ROUTE;
	live(30);
	assert_no_route("no route");
	/* The port that was opened for it goes too. */
	assert_int_equal(owner.n_opened, 1);
	assert_int_equal(owner.n_closed, 1);
	assert_false(tun_view_is_underlay(owner.view, ETH1_PORT));
}

static void
route_that_went_with_its_link_names_the_link(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);

	/* The kernel takes a link's routes away when it goes down. */
	fake.n_routes = 0;
	fake.link[0].up = false;
	fake.events = NL_EV_LINK | NL_EV_ROUTE;
	live(30);
	assert_no_route("interface eth1 is down: bring it up");
	live(60000);
	assert_no_route("interface eth1 is down: bring it up");

	/* Up again, and still no route: that is another matter. */
	fake.link[0].up = true;
	fake.events = NL_EV_LINK;
	live(30);
	assert_no_route("no route to 172.16.0.2: add one");

	/* A link that is gone cannot be brought up. */
	fake.n_links = 0;
	fake.events = NL_EV_LINK;
	live(30);
	assert_no_route("no route to 172.16.0.2: add one");
}

static void
own_address_as_remote_is_refused_with_a_reason(void **state)
{
	(void)state;
	fake_route(NULL, 1, "172.16.0.1", NULL)->local = true;
	add(VX0, "vni=5000 remote=172.16.0.1");
	assert_no_route("172.16.0.1 is an address of this host itself");
}

static void
local_that_is_not_ours_is_told(void **state)
{
	struct underlay_tunnel t = tunnel(VX0, "vni=5000 remote=172.16.0.2");

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	t.conf.local = fake_ip("172.16.0.7");
	assert_int_equal(underlay_set(u, &t, NULL), 0);
	underlay_update(u, now);
	assert_no_route("172.16.0.7 is not an address of this host");

	fake.addr[fake.n_addrs++] = t.conf.local;
	fake.events = NL_EV_ADDR;
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_true(ip_equal(&row(VX0)->local, &t.conf.local));
}

static void
links_that_cannot_carry_are_told(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	fake.link[0].up = false;
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_no_route("interface eth1 is down");

	fake.link[0].up = true;
	fake.link[0].mac = (struct mac){ { 0 } };
	fake.events = NL_EV_LINK;
	live(30);
	assert_no_route("interface eth1 is not Ethernet");

	fake.link[0].mac = fake_mac(ETH1);
	fake.link[0].mtu = 50;
	fake.events = NL_EV_LINK;
	live(30);
	assert_no_route("MTU 50 of eth1");

	fake.n_links = 0;
	fake.events = NL_EV_LINK;
	live(30);
	assert_no_route("gone");
}

static void
mtu_comes_from_option_then_route_then_link(void **state)
{
	struct underlay_tunnel t = tunnel(VX0, "vni=5000 remote=172.16.0.2");

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL)->mtu = 1400;
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->max_frame, 1400 - 36);
	fake.link[0].mtu = 1300;
	fake.events = NL_EV_LINK;
	live(30);
	assert_int_equal(row(VX0)->max_frame, 1300 - 36);
	t.conf.mtu = 9000;
	assert_int_equal(underlay_set(u, &t, NULL), 0);
	underlay_update(u, now);
	assert_int_equal(row(VX0)->max_frame, 9000 - 36);
}

/* --- Links and ports ----------------------------------------------------------------------- */

static void
link_without_port_is_opened_once_and_closed_at_last(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2,172.16.0.3");
	add(VX1, "vni=5001 remote=172.16.0.2");
	assert_int_equal(owner.n_opened, 1);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_int_equal(owner.n_closed, 0);
	underlay_del(u, VX1);
	underlay_update(u, now);
	assert_int_equal(owner.n_closed, 1);
	assert_int_equal(owner.view->n_endpoints, 0);
	assert_false(tun_view_is_underlay(owner.view, ETH1_PORT));
}

static void
link_that_cannot_be_opened_is_tried_again_later(void **state)
{
	(void)state;
	owner.open_rc = -EPERM;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_no_route("cannot send on eth1: no permission to open eth1");
	live(10000);
	assert_in_range(owner.n_opened, 3, 6);
	owner.open_rc = 0;
	live(31000);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
}

static void
port_of_the_users_own_is_used_and_never_closed(void **state)
{
	(void)state;
	owner.eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = 55 };
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->underlay_port, 55);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_int_equal(owner.n_opened, 0);
	assert_int_equal(owner.n_closed, 0);
}

static void
users_port_that_comes_ends_the_back_off(void **state)
{
	(void)state;
	owner.open_rc = -EPERM;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	owner.eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = 55 };
	underlay_update(u, now);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0)->underlay_port, 55);
}

static void
bridged_underlay_listens_on_the_plain_ports(void **state)
{
	(void)state;
	owner.br_ex = (struct underlay_link){ .kind = UNDERLAY_LINK_BRIDGED, .port = BR_EX_PORT, .n_rx = 2, .rx = { 21, 22 } };
	fake_route(NULL, BR_EX, "172.16.0.1", NULL);
	neigh_is(BR_EX, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->underlay_port, BR_EX_PORT);
	assert_int_equal(row(VX0)->max_frame, 9000 - 36);
	assert_false(tun_view_is_underlay(owner.view, BR_EX_PORT));
	assert_true(tun_view_is_underlay(owner.view, 21));
	assert_true(tun_view_is_underlay(owner.view, 22));
	assert_true(mac_equal(owner.view->underlay_mac[22], fake_mac(BR_EX)));
	/* The tap never sees tunnel packets: no UDP port to keep quiet. */
	assert_int_equal(fake.n_squats, 0);

	owner.br_ex.n_rx = 1;
	underlay_update(u, now);
	assert_false(tun_view_is_underlay(owner.view, 22));
}

static void
route_that_moves_takes_the_tunnel_along(void **state)
{
	(void)state;
	owner.br_ex = (struct underlay_link){ .kind = UNDERLAY_LINK_BRIDGED, .port = BR_EX_PORT };
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	neigh_is(BR_EX, "172.16.0.2", NL_NEIGH_VALID, 0x44);
	add(VX0, "vni=5000 remote=172.16.0.2");
	fake.route[0].r.ifindex = BR_EX;
	fake.route[0].r.src = fake_ip("172.16.0.9");
	fake.events = NL_EV_ROUTE;
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0)->underlay_port, BR_EX_PORT);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0x44).b, 6);
	assert_true(ip_equal(&row(VX0)->local, &fake.route[0].r.src));
	assert_int_equal(owner.n_closed, 1);
}

static void
renamed_link_is_opened_by_its_new_name(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	str_copy(fake.link[0].name, sizeof fake.link[0].name, "uplink");
	fake.events = NL_EV_LINK;
	live(30);
	assert_int_equal(owner.n_closed, 1);
	assert_int_equal(owner.n_opened, 2);
}

static void
udp_port_is_kept_quiet_while_needed(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "vni=5000 remote=172.16.0.2");
	add(VX1, "vni=5001 remote=172.16.0.2");
	assert_int_equal(fake.n_squats, 1);
	assert_int_equal(fake.squat_port, 4789);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_int_equal(fake.n_squats, 1);
	underlay_del(u, VX1);
	underlay_update(u, now);
	assert_int_equal(fake.n_squats, 0);
}

static void
udp_port_of_another_program_is_a_warning(void **state)
{
	(void)state;
	fake.squat_rc = -EADDRINUSE;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "vni=5000 remote=172.16.0.2");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_non_null(strstr(show(VX0).reason, "UDP port 4789"));
	fake.squat_rc = 0;
	live(61000);
	assert_string_equal(show(VX0).reason, "");
	assert_int_equal(fake.n_squats, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(known_neighbour_is_ready_at_once),
		UNDERLAY_TEST(nothing_changed_publishes_nothing),
		UNDERLAY_TEST(unknown_neighbour_is_asked_for_and_becomes_ready),
		UNDERLAY_TEST(events_are_gathered_before_anyone_looks),
		UNDERLAY_TEST(silent_neighbour_fails_is_retried_less_often_and_recovers),
		UNDERLAY_TEST(kernel_that_gives_up_first_is_believed),
		UNDERLAY_TEST(lost_neighbour_is_asked_for_again),
		UNDERLAY_TEST(changed_mac_changes_the_headers_and_keeps_the_index),
		UNDERLAY_TEST(permanent_neighbour_is_never_asked),
		UNDERLAY_TEST(known_neighbour_is_confirmed_now_and_then),
		UNDERLAY_TEST(waiting_packets_ask_at_most_twice_a_second),
		UNDERLAY_TEST(gateway_is_the_next_hop),
		UNDERLAY_TEST(ipv6_underlay_costs_twenty_bytes_more),
		UNDERLAY_TEST(missing_route_is_told_and_found_when_it_comes),
		UNDERLAY_TEST(route_that_went_with_its_link_names_the_link),
		UNDERLAY_TEST(own_address_as_remote_is_refused_with_a_reason),
		UNDERLAY_TEST(local_that_is_not_ours_is_told),
		UNDERLAY_TEST(links_that_cannot_carry_are_told),
		UNDERLAY_TEST(mtu_comes_from_option_then_route_then_link),
		UNDERLAY_TEST(link_without_port_is_opened_once_and_closed_at_last),
		UNDERLAY_TEST(link_that_cannot_be_opened_is_tried_again_later),
		UNDERLAY_TEST(port_of_the_users_own_is_used_and_never_closed),
		UNDERLAY_TEST(users_port_that_comes_ends_the_back_off),
		UNDERLAY_TEST(bridged_underlay_listens_on_the_plain_ports),
		UNDERLAY_TEST(route_that_moves_takes_the_tunnel_along),
		UNDERLAY_TEST(renamed_link_is_opened_by_its_new_name),
		UNDERLAY_TEST(udp_port_is_kept_quiet_while_needed),
		UNDERLAY_TEST(udp_port_of_another_program_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
