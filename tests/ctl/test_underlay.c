/* SPDX-License-Identifier: Apache-2.0 */
/* The underlay against a kernel of a few tables, an owner that notes what it is told, and a clock that
 * the test turns. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "ctl/underlay.h"
#include "datapath/tunnel_priv.h"
#include "tests/ctl/fake_kernel.h"

enum { ETH1 = 3, BR_EX = 4, ETH1_PORT = 10, BR_EX_PORT = 20, VX0 = 100, VX1 = 101 };

static struct owner {
	struct underlay_link eth1, br_ex;       /* What find_link() answers. */
	int open_rc;
	unsigned n_opened, n_closed, n_commits, n_views, n_paths;
	struct tun_view *view;
	struct ofp_tun_path path[TUN_MAX_DST];
	uint32_t used[TUN_MAX_DST];
	unsigned n_sent, n_live;
	uint32_t sent_to;
	uint8_t sent[BFD_FRAME_LEN];
	bool live[2];                   /* Of VX0 and VX1, as told. */
} owner;

static struct underlay *u;
static uint64_t now;

static void
find_link(void *arg, const char *name, struct underlay_link *out)
{
	struct owner *o = arg;

	if (!strcmp(name, "eth1"))
		*out = o->eth1;
	if (!strcmp(name, "br-ex"))
		*out = o->br_ex;
}

static int
open_link(void *arg, const char *name, struct err *e)
{
	struct owner *o = arg;

	o->n_opened++;
	if (o->open_rc)
		return err_set(e, -o->open_rc, "no permission to open %s", name);
	o->eth1 = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = ETH1_PORT };
	return 0;
}

static void
close_link(void *arg, const char *name)
{
	struct owner *o = arg;

	assert_string_equal(name, "eth1");
	o->n_closed++;
	memset(&o->eth1, 0, sizeof o->eth1);
}

static void
set_view(void *arg, struct tun_view *v)
{
	struct owner *o = arg;

	tun_view_destroy(o->view);
	o->view = v;
	o->n_views++;
}

static void
set_path(void *arg, uint32_t dst, const struct ofp_tun_path *p)
{
	struct owner *o = arg;

	o->path[dst] = *p;
	o->n_paths++;
}

static void
commit(void *arg)
{
	((struct owner *)arg)->n_commits++;
}

static uint32_t
used(void *arg, uint32_t dst)
{
	return ((struct owner *)arg)->used[dst];
}

static void
used_reset(void *arg, uint32_t dst)
{
	((struct owner *)arg)->used[dst] = 0;
}

static void
send_frame(void *arg, uint32_t dst, const void *frame, unsigned len)
{
	struct owner *o = arg;

	assert_int_equal(len, sizeof o->sent);
	memcpy(o->sent, frame, len);
	o->sent_to = dst;
	o->n_sent++;
}

static void
tell_live(void *arg, uint16_t port, bool live)
{
	struct owner *o = arg;

	o->live[port - VX0] = live;
	o->n_live++;
}

static int
begin(void **state)
{
	const struct underlay_ops ops = { .find_link = find_link, .open_link = open_link, .close_link = close_link,
					  .set_view = set_view, .set_path = set_path, .commit = commit, .used = used,
					  .used_reset = used_reset, .send = send_frame, .live = tell_live, .arg = &owner };
	struct err e;

	(void)state;
	log_to_file("/dev/null");
	memset(&owner, 0, sizeof owner);
	fake_reset();
	now = 1000000;
	fake_link(ETH1, "eth1", 1500);
	fake_link(BR_EX, "br-ex", 9000);
	u = underlay_create(&ops, &e);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	underlay_destroy(u);
	tun_view_destroy(owner.view);
	assert_int_equal(fake.n_squats, 0);
	return 0;
}

static struct underlay_tunnel
tunnel(uint16_t port, const char *vni, const char *remote)
{
	struct underlay_tunnel t = { .port = port, .name = "vx", .type = tun_type_find("vxlan") };

	opt_defaults(t.type->opts, &t.conf);
	assert_int_equal(opt_set(t.type->opts, &t.conf, "vni", vni, NULL), 0);
	assert_int_equal(opt_set(t.type->opts, &t.conf, "remote", remote, NULL), 0);
	return t;
}

static void
add(uint16_t port, const char *vni, const char *remote)
{
	struct underlay_tunnel t = tunnel(port, vni, remote);

	assert_int_equal(underlay_set(u, &t, NULL), 0);
	underlay_update(u, now);
}

static struct underlay_remote
show(uint16_t port)
{
	static struct underlay_remote r[OPT_LIST_MAX];

	assert_true(underlay_remotes(u, port, r) >= 1);
	return r[0];
}

static const struct tun_dst *
row(uint16_t port)
{
	uint32_t dst[OPT_LIST_MAX];

	assert_true(underlay_dsts(u, port, dst) >= 1);
	assert_int_not_equal(dst[0], 0);
	return tun_view_dst(owner.view, dst[0]);
}

/* The owner's loop: polls whenever it was told to, for so long. */
static void
live(uint64_t ms)
{
	uint64_t until = now + ms;

	for (unsigned turns = 0; now < until; turns++) {
		unsigned wait = underlay_poll(u, now);

		assert_in_range(wait, 1, 60000);
		/* Nobody spins. */
		assert_true(turns < 200);
		now = MIN_OF(now + wait, until);
	}
	underlay_poll(u, now);
}

static void
neigh_is(int ifindex, const char *ip, enum nl_neigh_state state, uint8_t last)
{
	struct fake_neigh *n = fake_neigh(ifindex, ip);

	n->n.state = state;
	n->n.mac = state == NL_NEIGH_VALID ? fake_mac(last) : (struct mac){ { 0 } };
	fake.events |= NL_EV_NEIGH;
}

/* --- One remote ---------------------------------------------------------------------------- */

static void
known_neighbour_is_ready_at_once(void **state)
{
	struct ipaddr remote = fake_ip("172.16.0.2"), local = fake_ip("172.16.0.1");
	const struct tun_endpoint *ep;

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "5000", "172.16.0.2");

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
	add(VX0, "5000", "172.16.0.2");

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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");

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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
	dst = show(VX0).dst;
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x33);
	live(30);
	assert_int_equal(show(VX0).dst, dst);
	assert_memory_equal(row(VX0)->hdr.b, fake_mac(0x33).b, 6);
	assert_true(mac_equal(owner.path[dst].next_hop, fake_mac(0x33)));
	assert_int_equal(owner.n_commits, 1);
}

static void
known_neighbour_is_confirmed_now_and_then(void **state)
{
	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "10.9.9.9");
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
	add(VX0, "5000", "2001:db8::2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.1");
	assert_no_route("172.16.0.1 is an address of this host itself");
}

static void
local_that_is_not_ours_is_told(void **state)
{
	struct underlay_tunnel t = tunnel(VX0, "5000", "172.16.0.2");

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
	add(VX0, "5000", "172.16.0.2");
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
	struct underlay_tunnel t = tunnel(VX0, "5000", "172.16.0.2");

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL)->mtu = 1400;
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2,172.16.0.3");
	add(VX1, "5001", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
	add(VX1, "5001", "172.16.0.2");
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
	add(VX0, "5000", "172.16.0.2");
	assert_int_equal(row(VX0)->state, TUN_DST_READY);
	assert_non_null(strstr(show(VX0).reason, "UDP port 4789"));
	fake.squat_rc = 0;
	live(61000);
	assert_string_equal(show(VX0).reason, "");
	assert_int_equal(fake.n_squats, 1);
}

/* --- Sets of tunnels ----------------------------------------------------------------------- */

static void
remotes_that_stay_keep_their_index(void **state)
{
	uint32_t before[OPT_LIST_MAX], after[OPT_LIST_MAX];

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	add(VX0, "5000", "172.16.0.2,172.16.0.3,172.16.0.4");
	assert_int_equal(underlay_dsts(u, VX0, before), 3);
	add(VX0, "5000", "172.16.0.4,172.16.0.9,172.16.0.2");
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
		tun = tunnel(200 + t, "7", list);
		rc = underlay_set(u, &tun, &e);
	}
	assert_int_equal(rc, -ENOSPC);
	underlay_update(u, now);
	/* What was refused left no trace: a full set minus its own. */
	struct underlay_tunnel small = tunnel(VX0, "8", "10.1.0.1");

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
	struct underlay_tunnel a = tunnel(VX0, "5000", "172.16.0.2,172.16.0.3"), b;
	struct err e = { 0 };
	unsigned culprit;

	(void)state;
	b = tunnel(VX1, "5000", "172.16.0.4,172.16.0.3");
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
	b = tunnel(VX1, "5001", "172.16.0.2");
	assert_int_equal(check2(&a, &b, &e, NULL), 0);
}

static void
bad_options_are_refused_before_anything_is_set(void **state)
{
	struct underlay_tunnel a = tunnel(VX0, "5000", "172.16.0.2"), b = tunnel(VX1, "5001", "224.0.0.1");
	struct err e = { 0 };
	unsigned culprit = 9;

	(void)state;
	assert_int_equal(check2(&a, &b, &e, &culprit), -EINVAL);
	assert_int_equal(culprit, 1);
	assert_non_null(strstr(e.msg, "224.0.0.1 is not a unicast address"));
	b = tunnel(VX1, "5001", "172.16.0.2");
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
		t[i] = tunnel(VX0 + i, "5000", "172.16.0.2");
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
	struct underlay_tunnel model = tunnel(VX0, "5000", "172.16.0.2");
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
an_address_on_no_uplink_is_heard_on_all_of_them(void **state)
{
	(void)state;
	fake_route("172.16.0.2", BR_EX, "172.16.0.1", NULL);
	owner.br_ex = (struct underlay_link){ .kind = UNDERLAY_LINK_DIRECT, .port = BR_EX_PORT };
	fake.n_equal = 2;
	fake.equal[0] = ETH1;
	fake.equal[1] = BR_EX;
	add(VX0, "5000", "172.16.0.2");
	assert_true(tun_view_is_underlay(owner.view, BR_EX_PORT));
	assert_true(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_int_equal(owner.n_opened, 1);
	/* One that is on its link is heard there. */
	fake.addr_link[fake.n_addrs] = BR_EX;
	fake.addr[fake.n_addrs++] = fake_ip("172.16.0.1");
	add(VX0, "5000", "172.16.0.2");
	assert_false(tun_view_is_underlay(owner.view, ETH1_PORT));
	assert_int_equal(owner.n_closed, 1);
}

/* --- BFD ----------------------------------------------------------------------------------- */

/* The far end of a session: answers what was sent last. */
static void
far_end_says(enum bfd_state state)
{
	const uint8_t *p;
	unsigned n;
	uint8_t f[BFD_FRAME_LEN], packet[BFD_PACKET_LEN];

	assert_int_equal(bfd_frame_parse(owner.sent, sizeof owner.sent, &p, &n), BFD_OK);
	memcpy(packet, p, sizeof packet);
	memcpy(packet + 8, p + 4, 4);
	packet[7] = 99;
	packet[1] = (uint8_t)((unsigned)state << 6 | 0x10);
	bfd_frame_build(f, fake_mac(77), 50000, packet);
	underlay_bfd_input(u, owner.sent_to, f, sizeof f, now);
}

static void
bfd_is(uint16_t port, const char *state)
{
	assert_true(show(port).bfd.on);
	assert_string_equal(show(port).bfd.state, state);
}

static void
add_bfd(const char *remote, bool bfd)
{
	struct underlay_tunnel t = tunnel(VX0, "5000", remote);

	t.conf.bfd = bfd;
	assert_int_equal(underlay_set(u, &t, NULL), 0);
	underlay_update(u, now);
}

static void
a_port_is_live_while_a_remote_answers(void **state)
{
	(void)state;
	fake_route("172.16.0.2", ETH1, "172.16.0.1", NULL);
	add_bfd("172.16.0.2", true);
	assert_int_equal(owner.n_live, 1);
	assert_false(owner.live[0]);
	/* Nobody is asked before it is known where he is. */
	underlay_bfd_poll(u, now);
	assert_int_equal(owner.n_sent, 0);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 2);
	live(100);
	now = underlay_bfd_due(u);
	underlay_bfd_poll(u, now);
	assert_int_equal(owner.n_sent, 1);
	assert_int_equal(show(VX0).dst, owner.sent_to);
	assert_true(underlay_bfd_due(u) > now);
	far_end_says(BFD_INIT);
	bfd_is(VX0, "up");
	assert_int_equal(owner.n_live, 2);
	assert_true(owner.live[0]);
	/* What is not for its session counts for nothing. */
	owner.sent[30] ^= 1;
	underlay_bfd_input(u, owner.sent_to, owner.sent, sizeof owner.sent, now);
	assert_int_equal(show(VX0).bfd.bad[BFD_BAD_FRAME], 1);
	underlay_bfd_input(u, owner.sent_to + 1, owner.sent, sizeof owner.sent, now);
	underlay_bfd_input(u, TUN_MAX_DST, owner.sent, sizeof owner.sent, now);
	/* Other settings of the tunnel leave the session alone. */
	add_bfd("172.16.0.2", true);
	bfd_is(VX0, "up");
	for (uint64_t end = now + 5000; now < end && show(VX0).bfd.up; now = underlay_bfd_due(u))
		underlay_bfd_poll(u, underlay_bfd_due(u));
	bfd_is(VX0, "down");
	assert_int_equal(owner.n_live, 3);
	assert_false(owner.live[0]);
	add_bfd("172.16.0.2", false);
	assert_false(show(VX0).bfd.on);
	assert_true(owner.live[0]);
	assert_true(underlay_bfd_due(u) == UINT64_MAX);
}

static void
of_several_remotes_one_is_enough(void **state)
{
	static struct underlay_remote r[OPT_LIST_MAX];
	char ip[IP_STR_LEN];

	(void)state;
	for (unsigned i = 2; i <= 4; i++) {
		snprintf(ip, sizeof ip, "172.16.0.%u", i);
		fake_route(ip, ETH1, "172.16.0.1", NULL);
		neigh_is(ETH1, ip, NL_NEIGH_VALID, (uint8_t)i);
	}
	add_bfd("172.16.0.2,172.16.0.3,172.16.0.4", true);
	for (unsigned i = 0; i < 3; i++) {
		unsigned n = owner.n_sent;

		now = underlay_bfd_due(u);
		while (owner.n_sent == n)
			underlay_bfd_poll(u, now++);
		if (i == 2)
			far_end_says(BFD_INIT);
	}
	assert_true(owner.live[0]);
	/* The one that answers goes; the heap forgets it. */
	assert_int_equal(underlay_remotes(u, VX0, r), 3);
	add_bfd(ip_format(r[r[0].bfd.up].remote, ip), true);
	assert_false(owner.live[0]);
	assert_true(underlay_bfd_due(u) < UINT64_MAX);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_true(underlay_bfd_due(u) == UINT64_MAX);
}

int
main(void)
{
#define UNDERLAY_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(known_neighbour_is_ready_at_once),
		UNDERLAY_TEST(nothing_changed_publishes_nothing),
		UNDERLAY_TEST(unknown_neighbour_is_asked_for_and_becomes_ready),
		UNDERLAY_TEST(events_are_gathered_before_anyone_looks),
		UNDERLAY_TEST(silent_neighbour_fails_is_retried_less_often_and_recovers),
		UNDERLAY_TEST(kernel_that_gives_up_first_is_believed),
		UNDERLAY_TEST(lost_neighbour_is_asked_for_again),
		UNDERLAY_TEST(changed_mac_changes_the_headers_and_keeps_the_index),
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
		UNDERLAY_TEST(remotes_that_stay_keep_their_index),
		UNDERLAY_TEST(too_many_remotes_change_nothing),
		UNDERLAY_TEST(tunnels_that_claim_the_same_packets_are_refused),
		UNDERLAY_TEST(bad_options_are_refused_before_anything_is_set),
		UNDERLAY_TEST(nine_udp_ports_are_one_too_many),
		UNDERLAY_TEST(an_address_on_no_uplink_is_heard_on_all_of_them),
		UNDERLAY_TEST(a_port_is_live_while_a_remote_answers),
		UNDERLAY_TEST(of_several_remotes_one_is_enough),
		UNDERLAY_TEST(one_double_among_ten_thousand_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
