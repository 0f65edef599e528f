/* SPDX-License-Identifier: Apache-2.0 */
/* BFD's sessions with the remotes of tunnels: when they start, and what comes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ctl/underlay_fixture.h"

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
a_port_is_live_while_a_remote_answers(void **state)
{
	(void)state;
	fake_route("172.16.0.2", ETH1, "172.16.0.1", NULL);
	add(VX0, "remote=172.16.0.2 bfd=true");
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
	add(VX0, "remote=172.16.0.2 bfd=true");
	bfd_is(VX0, "up");
	for (uint64_t end = now + 5000; now < end && show(VX0).bfd.up; now = underlay_bfd_due(u))
		underlay_bfd_poll(u, underlay_bfd_due(u));
	bfd_is(VX0, "down");
	assert_int_equal(owner.n_live, 3);
	assert_false(owner.live[0]);
	add(VX0, "remote=172.16.0.2");
	assert_false(show(VX0).bfd.on);
	assert_true(owner.live[0]);
	assert_true(underlay_bfd_due(u) == UINT64_MAX);
}

static void
a_port_that_is_held_down_is_not_live(void **state)
{
	(void)state;
	fake_route("172.16.0.2", ETH1, "172.16.0.1", NULL);
	neigh_is(ETH1, "172.16.0.2", NL_NEIGH_VALID, 2);
	add(VX0, "remote=172.16.0.2 bfd=true");
	underlay_bfd_poll(u, now);
	far_end_says(BFD_INIT);
	assert_true(owner.live[0]);
	add(VX0, "remote=172.16.0.2 bfd=true bfd-admin-down=true");
	bfd_is(VX0, "admin-down");
	assert_false(owner.live[0]);
	/* The far end hears of it. */
	now = underlay_bfd_due(u);
	underlay_bfd_poll(u, now);
	assert_int_equal(owner.sent[14 + 20 + 8 + 1] >> 6, BFD_ADMIN_DOWN);
	far_end_says(BFD_UP);
	bfd_is(VX0, "admin-down");
	add(VX0, "remote=172.16.0.2 bfd=true");
	bfd_is(VX0, "down");
	far_end_says(BFD_INIT);
	bfd_is(VX0, "up");
	assert_true(owner.live[0]);
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
	add(VX0, "remote=172.16.0.2,172.16.0.3,172.16.0.4 bfd=true");
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
	add(VX0, "remote=%s bfd=true", ip_format(r[r[0].bfd.up].remote, ip));
	assert_false(owner.live[0]);
	assert_true(underlay_bfd_due(u) < UINT64_MAX);
	underlay_del(u, VX0);
	underlay_update(u, now);
	assert_true(underlay_bfd_due(u) == UINT64_MAX);
}

static void
many_sessions_do_not_begin_at_once(void **state)
{
	char list[OPT_LIST_MAX * 16] = "";
	unsigned n;

	(void)state;
	fake_route(NULL, ETH1, "172.16.0.1", "172.16.0.254");
	neigh_is(ETH1, "172.16.0.254", NL_NEIGH_VALID, 0xfe);
	for (unsigned i = 0; i < OPT_LIST_MAX; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s10.0.0.%u", i ? "," : "", i + 1);
	add(VX0, "remote=%s bfd=true", list);
	underlay_bfd_poll(u, now);
	n = owner.n_sent;
	assert_in_range(n, 1, 8);
	for (unsigned ms = 1; ms <= OPT_LIST_MAX / 8; ms++) {
		underlay_bfd_poll(u, now + ms);
		assert_true(owner.n_sent - n <= 8);
		n = owner.n_sent;
	}
	assert_int_equal(n, OPT_LIST_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNDERLAY_TEST(a_port_is_live_while_a_remote_answers),
		UNDERLAY_TEST(a_port_that_is_held_down_is_not_live),
		UNDERLAY_TEST(of_several_remotes_one_is_enough),
		UNDERLAY_TEST(many_sessions_do_not_begin_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
