/* SPDX-License-Identifier: Apache-2.0 */
/* Next hops, against a kernel of a few tables: several equal ways to a remote, how often neighbours are asked for, and
 * those that change their MAC address. */
#include <stdio.h>

#include "tests/ctl/underlay_fixture.h"

enum { MANY = 900 };

/* Weft has a port on each link. */
static uint16_t
port_of(int ifindex)
{
	return ifindex == ETH1 ? ETH1_PORT : ifindex == BR_EX ? BR_EX_PORT : ETH2_PORT;
}

static int
begin(void **state)
{
	underlay_begin(state);
	owner.eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = ETH1_PORT };
	owner.br_ex = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = BR_EX_PORT };
	fake.link[1].mtu = 1400;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	return 0;
}

/* An equal way, whose gateway is known. */
static void
way(int ifindex, const char *gateway, uint16_t weight, uint8_t mac)
{
	fake.hop[fake.n_hops++] = (struct nl_hop){ .ifindex = ifindex, .gateway = fake_ip(gateway), .weight = weight };
	neigh_is(ifindex, gateway, NL_NEIGH_VALID, mac);
}

static void
two_ways(void)
{
	way(ETH1, "10.1.0.254", 1, 0x11);
	way(BR_EX, "10.2.0.254", 1, 0x22);
	add(VX0, "remote=10.9.9.9");
}

/* How many slots lead out of the port of a link. */
static unsigned
share(int ifindex)
{
	const struct tun_ways *w = row(VX0)->ways;
	unsigned n = 0;

	for (unsigned i = 0; i < TUN_WAY_SLOTS; i++)
		n += w->dst[w->slot[i]].underlay_port == port_of(ifindex);
	return n;
}

/* --- Several ways ------------------------------------------------------------------------------ */

static void
equal_ways_share_the_flows(void **state)
{
	(void)state;
	two_ways();
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0)->leave, TUN_LEAVE_WAYS);
	assert_int_equal(row(VX0)->ways->n, 2);
	assert_int_equal(share(ETH1), 128);
	assert_int_equal(share(BR_EX), 128);
	for (unsigned i = 0; i < 2; i++) {
		const struct tun_dst *d = &row(VX0)->ways->dst[i];

		assert_int_equal(d->leave, TUN_LEAVE_PORT);
		assert_memory_equal(d->hdr.b, fake_mac(i ? 0x22 : 0x11).b, 6);
		assert_memory_equal(d->hdr.b + 6, fake_mac(i ? BR_EX : ETH1).b, 6);
		/* Any frame may go any way. */
		assert_int_equal(d->max_frame, 1400 - 36);
	}
	assert_true(tun_view_is_underlay(owner.view, port_of(ETH1)));
	assert_true(tun_view_is_underlay(owner.view, port_of(BR_EX)));
	/* Flows name no port. */
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, 0);

	struct underlay_remote r = show(VX0);

	assert_int_equal(r.n_hops, 2);
	assert_string_equal(r.hop[1].via, "br-ex");
	assert_string_equal(r.hop[1].state_name, "ready");
	assert_true(mac_equal(r.hop[1].mac, fake_mac(0x22)));
	assert_string_equal(r.reason, "");
}

static void
weights_are_kept(void **state)
{
	(void)state;
	way(ETH1, "10.1.0.254", 5, 0x11);
	way(BR_EX, "10.2.0.254", 2, 0x22);
	way(ETH2, "10.3.0.254", 1, 0x33);
	add(VX0, "remote=10.9.9.9");
	assert_int_equal(share(ETH1), 160);
	assert_int_equal(share(BR_EX), 64);
	assert_int_equal(share(ETH2), 32);
}

static void
only_the_flows_of_a_dead_way_move_and_they_come_back(void **state)
{
	uint16_t before[TUN_WAY_SLOTS];
	const struct tun_ways *w;
	unsigned paths;

	(void)state;
	way(ETH2, "10.3.0.254", 1, 0x33);
	two_ways();
	w = row(VX0)->ways;
	paths = owner.n_paths;
	for (unsigned i = 0; i < TUN_WAY_SLOTS; i++)
		before[i] = w->dst[w->slot[i]].underlay_port;

	neigh_is(BR_EX, "10.2.0.254", NL_NEIGH_FAILED, 0);
	live(30);
	w = row(VX0)->ways;
	assert_int_equal(w->n, 2);
	assert_int_equal(share(BR_EX), 0);
	assert_in_range(share(ETH1), 120, 136);
	for (unsigned i = 0; i < TUN_WAY_SLOTS; i++)
		if (before[i] != port_of(BR_EX))
			assert_int_equal(w->dst[w->slot[i]].underlay_port, before[i]);
	assert_non_null(strstr(show(VX0).reason, "1 of 3 next hops not used: asking for 10.2.0.254 on br-ex"));

	neigh_is(BR_EX, "10.2.0.254", NL_NEIGH_VALID, 0x2f);
	live(30);
	w = row(VX0)->ways;
	for (unsigned i = 0; i < TUN_WAY_SLOTS; i++)
		assert_int_equal(w->dst[w->slot[i]].underlay_port, before[i]);
	assert_string_equal(show(VX0).reason, "");
	/* No flow was made anew. */
	assert_int_equal(owner.n_paths, paths);
}

static void
a_link_that_goes_down_is_left_alone(void **state)
{
	(void)state;
	two_ways();
	fake.link[1].up = false;
	fake.events = NL_EV_LINK;
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(share(ETH1), TUN_WAY_SLOTS);
	assert_non_null(strstr(show(VX0).reason, "interface br-ex is down"));
	assert_string_equal(show(VX0).hop[1].state_name, "no-route");
	/* Nor is one that the kernel does not use any more. */
	fake.link[1].up = true;
	fake.hop[1].dead = true;
	fake.events = NL_EV_LINK;
	live(30);
	assert_int_equal(share(ETH1), TUN_WAY_SLOTS);
	/* With the last of them goes the destination. */
	fake.link[0].up = false;
	fake.events = NL_EV_LINK;
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);
	assert_non_null(strstr(show(VX0).reason, "interface eth1 is down"));
}

static void
ways_may_come_and_go(void **state)
{
	(void)state;
	add(VX0, "remote=10.9.9.9");
	neigh_is(ETH1, "10.9.9.9", NL_NEIGH_VALID, 0x99);
	live(30);
	assert_int_equal(row(VX0)->leave, TUN_LEAVE_PORT);
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, port_of(ETH1));
	way(ETH1, "10.1.0.254", 1, 0x11);
	way(BR_EX, "10.2.0.254", 1, 0x22);
	fake.events = NL_EV_ROUTE;
	live(30);
	assert_int_equal(row(VX0)->leave, TUN_LEAVE_WAYS);
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, 0);
	fake.n_hops = 0;
	fake.events = NL_EV_ROUTE;
	live(30);
	assert_int_equal(row(VX0)->leave, TUN_LEAVE_PORT);
	assert_null(row(VX0)->ways);
	assert_int_equal(owner.path[show(VX0).dst].underlay_port, port_of(ETH1));
	assert_int_equal(show(VX0).n_hops, 0);
}

static void
unresolved_ways_resolve_together(void **state)
{
	(void)state;
	way(ETH1, "10.1.0.254", 1, 0x11);
	way(BR_EX, "10.2.0.254", 1, 0x22);
	neigh_is(ETH1, "10.1.0.254", NL_NEIGH_NONE, 0);
	neigh_is(BR_EX, "10.2.0.254", NL_NEIGH_NONE, 0);
	add(VX0, "remote=10.9.9.9");
	assert_int_equal(row(VX0)->state, TUN_DST_RESOLVING);
	assert_int_equal(fake_neigh(ETH1, "10.1.0.254")->asked, 1);
	assert_int_equal(fake_neigh(BR_EX, "10.2.0.254")->asked, 1);
	neigh_is(BR_EX, "10.2.0.254", NL_NEIGH_VALID, 0x22);
	live(30);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(share(BR_EX), TUN_WAY_SLOTS);
	live(4000);
	assert_non_null(strstr(show(VX0).reason, "gateway 10.1.0.254 does not answer on eth1"));
	neigh_is(BR_EX, "10.2.0.254", NL_NEIGH_FAILED, 0);
	live(4000);
	assert_int_equal(row(VX0)->state, TUN_DST_FAILED);
}

static void
next_hops_with_others_beside_them_are_asked_more_often(void **state)
{
	(void)state;
	two_ways();
	live(20000);
	assert_in_range(fake_neigh(ETH1, "10.1.0.254")->probed, 3, 4);
	assert_in_range(fake_neigh(BR_EX, "10.2.0.254")->probed, 3, 4);
	/* What an operator has entered by hand stays as it is. */
	fake_neigh(ETH1, "10.1.0.254")->n.fixed = true;
	live(20000);
	assert_in_range(fake_neigh(ETH1, "10.1.0.254")->probed, 3, 4);
	assert_int_equal(fake_neigh(ETH1, "10.1.0.254")->asked, 0);
}

/* --- Asking ------------------------------------------------------------------------------------ */

static void
many_remotes(void)
{
	char list[OPT_LIST_MAX * 16];
	struct underlay_tunnel t;

	for (unsigned i = 0, port = VX0; i < MANY; port++) {
		size_t n = 0;

		for (unsigned k = 0; k < 50 && i < MANY; k++, i++)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s172.16.%u.%u", k ? "," : "", 1 + i / 250, 1 + i % 250);
		t = tunnel((uint16_t)port, "remote=%s", list);
		assert_int_equal(underlay_set(u, &t, NULL), 0);
	}
	underlay_update(u, now);
}

static void
remotes_that_do_not_answer_are_no_storm(void **state)
{
	struct underlay_stats st;
	unsigned per_s, most = 0;

	(void)state;
	many_remotes();
	assert_int_equal(fake.n_asked, 200);
	/* Everybody gets his turn. */
	for (unsigned s = 0; s < 60; s++) {
		per_s = fake.n_asked;
		live(1000);
		most = MAX_OF(most, fake.n_asked - per_s);
		if (s == 9)
			for (unsigned i = 0; i < fake.n_neighs; i++)
				assert_true(fake.neigh[i].asked >= 1);
	}
	assert_int_equal(fake.n_neighs, MANY);
	assert_in_range(most, 150, 300);
	underlay_stats(u, &st);
	assert_int_equal(st.asked, fake.n_asked);
	assert_true(st.put_off > 0);
	assert_int_equal(st.neighbours, MANY);

	/* A new one is asked for at once all the same: the others leave half of the questions to such. */
	fake_neigh(ETH1, "172.16.99.1");
	add(VX0 + 90, "remote=172.16.99.1");
	assert_int_equal(fake_neigh(ETH1, "172.16.99.1")->asked, 1);
}

static void
remotes_behind_one_gateway_are_one_question(void **state)
{
	(void)state;
	fake.route[0].r.gateway = fake_ip("172.16.0.254");
	many_remotes();
	assert_int_equal(fake.n_asked, 1);
	neigh_is(ETH1, "172.16.0.254", NL_NEIGH_VALID, 0xfe);
	live(200);
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_int_equal(row(VX0 + 17)->state, TUN_DST_READY);
	live(31000);
	assert_int_equal(fake.n_asked, 2);
}

/* --- Changes of MAC addresses ------------------------------------------------------------------ */

static void
forged_neighbours_are_bounded(void **state)
{
	struct underlay_stats st;
	struct underlay_remote r;
	unsigned views;

	(void)state;
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x10);
	add(VX0, "remote=172.16.0.2");
	views = owner.n_views;
	/* The first ones are taken up at once. */
	for (unsigned i = 1; i <= 3; i++) {
		neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, (uint8_t)(0x10 + i));
		live(25);
		assert_memory_equal(row(VX0)->hdr.b, fake_mac((uint8_t)(0x10 + i)).b, 6);
	}
	/* Ten a second for a minute. */
	for (unsigned i = 0; i < 600; i++) {
		neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, (uint8_t)(i & 1 ? 0x66 : 0x10));
		live(100);
	}
	assert_in_range(owner.n_views - views, 10, 25);
	r = show(VX0);
	assert_int_equal(r.state, TUN_DST_READY);
	assert_non_null(strstr(r.reason, "172.16.0.2 on eth1 keeps changing its MAC address"));
	assert_in_range(r.mac_changes, 10, 20);
	assert_true(r.mac_held > 200);
	underlay_stats(u, &st);
	assert_int_equal(st.changes, r.mac_changes);
	assert_int_equal(st.held, r.mac_held);

	/* When it is quiet again, what is true then holds, and the warning goes. */
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x77);
	live(6000);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0x77).b, 6);
	live(65000);
	assert_string_equal(show(VX0).reason, "");
}

/* --- This host itself ---------------------------------------------------------------------------- */

static void
two_tunnel_ports_may_be_each_others_end(void **state)
{
	struct ipaddr a = fake_ip("172.16.0.1"), b = fake_ip("172.16.0.5");
	const struct tun_endpoint *ep;

	(void)state;
	addr("172.16.0.1", ETH1);
	addr("172.16.0.5", ETH1);
	fake.route[0].r.local = true;
	add(VX0, "local=172.16.0.1 remote=172.16.0.5");
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);
	assert_non_null(strstr(show(VX0).reason, "172.16.0.5 is an address of this host itself: give another tunnel port"));
	/* Of the right type, with the right key, and the other way round. */
	add(VX1, "vni=43 local=172.16.0.5 remote=172.16.0.1");
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);
	add(VX1, "local=172.16.0.5 remote=172.16.0.1 dst-port=8472");
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);
	add(VX1, "local=172.16.0.5 remote=172.16.0.1");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(row(VX0 + i)->state, TUN_DST_READY);
		assert_int_equal(row(VX0 + i)->leave, TUN_LEAVE_LOCAL);
		assert_int_equal(row(VX0 + i)->max_frame, 65535 - 36);
		assert_string_equal(show(VX0 + i).via, "this host");
		assert_int_equal(owner.path[show(VX0 + i).dst].underlay_port, 0);
	}
	ep = tun_view_find(owner.view, tun_type_find("vxlan"), 4789, 42, &a, &b);
	assert_non_null(ep);
	assert_int_equal(ep->port, VX1);
	assert_int_equal(fake.n_asked, 0);
	/* Nothing is asked of, or opened for, a link. */
	assert_int_equal(fake.n_squats, 0);
	underlay_del(u, VX1);
	underlay_update(u, now);
	assert_int_equal(row(VX0)->state, TUN_DST_NO_ROUTE);

	/* One that takes all comers is an end as well. */
	add(VX1, "remote=flow");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	underlay_peer(u, VX1, &a, &b, true, now);
	underlay_flush(u);
	assert_int_not_equal(tun_view_peer(owner.view, VX1, &a, &b), 0);
	/* It is not its own. */
	underlay_peer(u, VX1, &b, &b, true, now);
	underlay_flush(u);
	assert_int_equal(tun_view_peer(owner.view, VX1, &b, &b), 0);
}

/* --- Many routes ------------------------------------------------------------------------------- */

/* The kernel takes in a thousand routes in ten milliseconds. */
static void
routes_come(void)
{
	fake.route_events = 1000;
	if (!fake.deaf)
		fake.events |= NL_EV_ROUTE;
	live(10);
}

static void
seconds_of_routes(unsigned n)
{
	for (unsigned i = 0; i < 100 * n; i++)
		routes_come();
}

static void
a_routing_table_that_is_loaded_costs_a_look_a_second(void **state)
{
	unsigned questions, one;

	(void)state;
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "remote=172.16.0.2");
	questions = fake.n_questions;
	underlay_update(u, now);
	one = fake.n_questions - questions;

	/* A few changes are seen at once. */
	fake.route_events = 3;
	fake.route[0].r.gateway = fake_ip("172.16.0.254");
	fake.events = NL_EV_ROUTE;
	neigh_is(ETH1, "172.16.0.254", NL_NEIGH_VALID, 0xfe);
	live(30);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0xfe).b, 6);
	live(2000);
	assert_false(fake.deaf);

	questions = fake.n_questions;
	seconds_of_routes(30);
	assert_true(fake.n_questions - questions < 30 * 3 * one);
	/* One that matters is seen all the same, in the midst of it. */
	fake.route[0].r.gateway = fake_ip("172.16.0.253");
	neigh_is(ETH1, "172.16.0.253", NL_NEIGH_VALID, 0xfd);
	seconds_of_routes(2);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0xfd).b, 6);

	/* The last of them comes while nobody listens. */
	for (unsigned i = 0; i < 100 && !fake.deaf; i++)
		routes_come();
	assert_true(fake.deaf);
	fake.route[0].r.gateway = fake_ip("172.16.0.254");
	live(1100);
	assert_false(fake.deaf);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0xfe).b, 6);
}

int
main(void)
{
#define HOPS_TEST(f) cmocka_unit_test_setup_teardown(f, begin, underlay_end)
	const struct CMUnitTest tests[] = {
		HOPS_TEST(equal_ways_share_the_flows),
		HOPS_TEST(weights_are_kept),
		HOPS_TEST(only_the_flows_of_a_dead_way_move_and_they_come_back),
		HOPS_TEST(a_link_that_goes_down_is_left_alone),
		HOPS_TEST(ways_may_come_and_go),
		HOPS_TEST(unresolved_ways_resolve_together),
		HOPS_TEST(next_hops_with_others_beside_them_are_asked_more_often),
		HOPS_TEST(remotes_that_do_not_answer_are_no_storm),
		HOPS_TEST(remotes_behind_one_gateway_are_one_question),
		HOPS_TEST(forged_neighbours_are_bounded),
		HOPS_TEST(two_tunnel_ports_may_be_each_others_end),
		HOPS_TEST(a_routing_table_that_is_loaded_costs_a_look_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
