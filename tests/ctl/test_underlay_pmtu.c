/* SPDX-License-Identifier: Apache-2.0 */
/* What routers say of packets that were too big for them: what fits on the way to a remote. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/underlay_priv.h"
#include "tests/ctl/underlay_fixture.h"

/* "Fragmentation needed" of 10.9.9.9 about 172.16.0.1 to 172.16.0.2, UDP to port 4789. */
static const uint8_t need4[] = {
	0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 9, 9, 172, 16, 0, 1,
	3, 4, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff,
	0x45, 0, 5, 220, 0, 0, 0x40, 0, 63, 17, 0, 0, 172, 16, 0, 1, 172, 16, 0, 2,
	0xc0, 0x01, 4789 >> 8, 4789 & 0xff, 5, 200, 0, 0,
};

/* "Packet too big" about 2001:db8::1 to 2001:db8::2, likewise. */
static const uint8_t need6[] = {
	2, 0, 0, 0, 0, 0, 1350 >> 8, 1350 & 0xff,
	0x60, 0, 0, 0, 5, 200, 17, 63, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	0xc0, 0x01, 4789 >> 8, 4789 & 0xff, 5, 200, 0, 0,
};

static void
up4(uint16_t port, const char *opts)
{
	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 0x22);
	add(port, "%s remote=172.16.0.2", opts);
}

static void
a_router_says_what_fits(void **state)
{
	unsigned commits;

	(void)state;
	up4(VX0, "vni=1");
	add(VX1, "vni=2 remote=172.16.0.2,172.16.0.3");
	assert_int_equal(row(VX0)->max_frame, 1500 + 14 - 50);
	commits = owner.n_commits;
	memcpy(fake.icmp, need4, sizeof need4);
	fake.icmp_len = sizeof need4;
	fake.n_icmp = 1;
	underlay_poll(u, now);
	assert_int_equal(show(VX0).mtu, 1400);
	assert_int_equal(row(VX0)->max_frame, 1400 + 14 - 50);
	/* Where fragments are wanted, they are as long as that. */
	assert_int_equal(row(VX0)->hdr.mtu, 1400);
	assert_int_equal(owner.n_commits, commits + 1);
	/* It is the way that is narrow, whatever tunnel goes there; other remotes have other ways. */
	assert_int_equal(row(VX1)->max_frame, 1400 + 14 - 50);
	struct underlay_remote all[OPT_LIST_MAX];

	assert_int_equal(underlay_remotes(u, VX1, all), 2);
	assert_int_equal(all[1].mtu, 1500);
	/* Said again it changes nothing; for ten minutes it holds, through looks at all routes. */
	fake.n_icmp = 1;
	underlay_poll(u, now);
	assert_int_equal(owner.n_commits, commits + 1);
	live(550000);
	assert_int_equal(show(VX0).mtu, 1400);
	live(100000);
	assert_int_equal(show(VX0).mtu, 1500);
}

static void
it_is_smaller_each_time_and_never_tiny(void **state)
{
	uint8_t m[sizeof need4];

	(void)state;
	up4(VX0, "vni=1");
	memcpy(m, need4, sizeof m);
	pmtu_input(u, false, m, sizeof m, now);
	store_be16(m + 26, be16(1450));
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX0).mtu, 1400);
	store_be16(m + 26, be16(1300));
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX0).mtu, 1300);
	store_be16(m + 26, be16(68));
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX0).mtu, 552);
}

static void
only_what_quotes_a_tunnel_of_ours_counts(void **state)
{
	/* Bytes that make it another message: type, code, no MTU, version and length of what is quoted, fragment, protocol,
	 * addresses, port. */
	static const struct {
		uint8_t at, value;
	} wrong[] = { { 20, 11 }, { 21, 1 }, { 28, 0x65 }, { 28, 0x44 }, { 28, 0x4f }, { 35, 1 }, { 37, 6 }, { 37, 47 }, { 43, 9 },
		      { 47, 9 }, { 51, 9 }, { 0, 0x4f }, { 0, 0x41 } };
	uint8_t m[sizeof need4];

	(void)state;
	up4(VX0, "vni=1");
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		memcpy(m, need4, sizeof m);
		m[wrong[i].at] = wrong[i].value;
		pmtu_input(u, false, m, sizeof m, now);
		if (show(VX0).mtu != 1500)
			fail_msg("byte %u", wrong[i].at);
	}
	memcpy(m, need4, sizeof m);
	memset(m + 26, 0, 2);
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX0).mtu, 1500);
	/* Every length on the heap, exactly: nothing is read behind it. */
	for (unsigned n = 0; n < sizeof m; n++) {
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, need4, n);
		pmtu_input(u, false, cut, n, now);
		free(cut);
	}
	assert_int_equal(show(VX0).mtu, 1500);
	/* What is configured goes before what is heard. */
	add(VX0, "vni=1 remote=172.16.0.2 mtu=1450");
	pmtu_input(u, false, need4, sizeof need4, now);
	assert_int_equal(show(VX0).mtu, 1450);
}

static void
ipv6_and_gre_likewise(void **state)
{
	uint8_t m[sizeof need4];

	(void)state;
	fake_route("2001:db8::2", ETH1, "2001:db8::1", NULL);
	add(VX0, "vni=1 remote=2001:db8::2");
	for (unsigned n = 0; n < sizeof need6; n++) {
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, need6, n);
		pmtu_input(u, true, cut, n, now);
		free(cut);
	}
	assert_int_equal(show(VX0).mtu, 1500);
	pmtu_input(u, true, need6, sizeof need6, now);
	underlay_poll(u, now);
	assert_int_equal(show(VX0).mtu, 1350);
	assert_int_equal(row(VX0)->max_frame, 1350 + 14 - 70);

	struct underlay_tunnel gre = tunnel(VX1, "vni=1 remote=172.16.0.2");
	struct err e = { 0 };

	fake_route(NULL, ETH1, "172.16.0.1", NULL);
	gre.type = tun_type_find("gre");
	assert_int_equal(underlay_set(u, &gre, &e), 0);
	underlay_update(u, now);
	memcpy(m, need4, sizeof m);
	m[37] = 47;
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX1).mtu, 1500);
	memcpy(m + 48, "\x20\0\x65\x58\0\0\0\1", 8);
	pmtu_input(u, false, m, sizeof m, now);
	assert_int_equal(show(VX1).mtu, 1400);
}

static void
a_flood_of_them_is_left_lying(void **state)
{
	unsigned next;

	(void)state;
	up4(VX0, "vni=1");
	memcpy(fake.icmp, need4, sizeof need4);
	fake.icmp_len = 8;
	fake.n_icmp = 1000;
	underlay_poll(u, now);
	assert_int_equal(fake.n_icmp, 900);
	next = underlay_poll(u, now + 10);
	assert_int_equal(fake.n_icmp, 900);
	assert_in_range(next, 1, 1000);
	underlay_poll(u, now + 1000);
	assert_int_equal(fake.n_icmp, 800);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(a_router_says_what_fits),
		UNDERLAY_TEST(it_is_smaller_each_time_and_never_tiny),
		UNDERLAY_TEST(only_what_quotes_a_tunnel_of_ours_counts),
		UNDERLAY_TEST(ipv6_and_gre_likewise),
		UNDERLAY_TEST(a_flood_of_them_is_left_lying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
