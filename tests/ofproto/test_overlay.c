/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out of a bridge that are none: patch ports and tunnels. */
#include "tests/ofproto/expect.h"

/* --- Patch ports -------------------------------------------------------------------------------- */

static void
patch_ports_lead_into_the_other_bridge(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG), back = sim_key(21, 2, 1, 10), uni = sim_key(1, 1, 2, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");
	struct cached c;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port(s, br, 2, "tag=10");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port(s, b2, 21, "");
	sim_port(s, b2, 22, "tag=10");
	sim_commit(s);
	EXPECT(k, "2");
	c = cache(&k);
	sim_patch(s, 10, 20);
	EXPECT_MARKED(c);
	/* Untagged in, tag 10 on the patch, untagged again at 22: nothing is done to what leaves as it came. */
	EXPECT(k, "2 22 push10 21");

	/* Both bridges learn, one after the other. */
	assert_int_equal(s->out.learn.bridge, br);
	sim_learn(s, &k);
	assert_int_equal(ofp_port_n_macs(s->ofp, 1), 1);
	assert_int_equal(ofp_port_n_macs(s->ofp, 20), 1);
	EXPECT(back, "pop 1");
	sim_learn(s, &back);
	EXPECT(uni, "push10 21");

	c = cache(&uni);
	ofp_port_set_up(s->ofp, 21, false);
	EXPECT_MARKED(c);
	EXPECT(uni, "22");
	c = cache(&uni);
	ofp_port_set_up(s->ofp, 20, false);
	EXPECT_MARKED(c);
	EXPECT_DROP(uni, DROP_TX_DOWN);
	c = cache(&uni);
	ofp_port_del(s->ofp, 20);
	EXPECT_MARKED(c);
	EXPECT_DROP(uni, DROP_NO_DEST);
}

static void
vlans_are_translated_in_place_between_bridges(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10), stacked = sim_key(1, 1, BCAST, 10);
	uint16_t b2 = sim_bridge(s, "br1");

	(void)state;
	sim_port(s, br, 1, "");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "tag=10");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "tag=20");
	sim_port(s, b2, 21, "");
	sim_port(s, b2, 22, "tag=20");
	sim_patch(s, 10, 20);
	sim_commit(s);
	EXPECT(k, "{set20 21} pop 22");
	/* With its outer tag off, a frame with two tags has one: the access port there refuses it. */
	stacked.vlan[1].tpid = be16(0x8100);
	stacked.vlan[1].tci = be16(30);
	EXPECT_DROP(stacked, DROP_NO_DEST);
	assert_int_equal(s->out.mask.vlan[1].tpid, 0xffff);
	sim_port_set(s, 20, "");
	sim_commit(s);
	EXPECT(stacked, "pop 21");
	stacked.vlan[1].tci = be16(20);
	EXPECT(stacked, "{pop 21} pop pop 22");
}

static void
more_tags_than_the_key_shows_are_refused(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10);
	uint16_t b2 = sim_bridge(s, "br1"), b3 = sim_bridge(s, "br2");

	(void)state;
	sim_port(s, br, 1, "");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "tag=10");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 21, OFP_PORT_PATCH, "tag=11");
	sim_port_kind(s, b3, 30, OFP_PORT_PATCH, "");
	sim_port(s, b3, 31, "");
	sim_patch(s, 10, 20);
	sim_patch(s, 21, 30);
	sim_commit(s);
	k.vlan[1].tpid = be16(0x8100);
	k.vlan[1].tci = be16(11);
	EXPECT(k, "pop pop 31");
	k.dl_type = be16(0x8100);
	EXPECT_DROP(k, DROP_NO_DEST);
	assert_int_equal(s->out.mask.dl_type, 0xffff);
}

static void
a_loop_of_patch_ports_stops_the_frame(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");

	(void)state;
	sim_port(s, br, 1, "");
	for (uint16_t i = 0; i < 8; i++) {
		sim_port_kind(s, br, 10 + i, OFP_PORT_PATCH, "");
		sim_port_kind(s, b2, 20 + i, OFP_PORT_PATCH, "");
		sim_patch(s, 10 + i, 20 + i);
	}
	sim_commit(s);
	EXPECT_DROP(k, DROP_PATCH_LOOP);
	/* Nothing is learned from a frame that goes in circles. */
	assert_false(s->out.learn.wanted);
}

static void
a_long_chain_of_bridges_ends(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b = br;

	(void)state;
	sim_port(s, br, 1, "");
	for (uint16_t i = 1; i <= 9; i++) {
		char name[8];

		snprintf(name, sizeof name, "c%u", i);
		sim_port_kind(s, b, 100 + i, OFP_PORT_PATCH, "");
		b = sim_bridge(s, name);
		sim_port_kind(s, b, 200 + i, OFP_PORT_PATCH, "");
		sim_port(s, b, 300 + i, "");
		sim_patch(s, 100 + i, 200 + i);
		sim_commit(s);
		if (i <= 8)
			assert_true(strlen(sim_xlate(s, &k)) > 0);
	}
	EXPECT_DROP(k, DROP_PATCH_LOOP);
}

static void
a_wide_tree_of_bridges_is_bounded(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t prev = br, port = 10;

	(void)state;
	/* Six patches from each bridge to the next: 6 + 36 + 216 + 1296 ways. */
	sim_port(s, br, 1, "");
	for (unsigned depth = 0; depth < 4; depth++) {
		char name[8];
		uint16_t b;

		snprintf(name, sizeof name, "t%u", depth);
		b = sim_bridge(s, name);
		for (unsigned i = 0; i < 6; i++, port = (uint16_t)(port + 2)) {
			sim_port_kind(s, prev, port, OFP_PORT_PATCH, "");
			/* One way only, else it is a loop. */
			sim_port_kind(s, b, port + 1, OFP_PORT_PATCH, "flood=false");
			sim_patch(s, port, port + 1);
		}
		prev = b;
	}
	sim_commit(s);
	EXPECT_DROP(k, DROP_RECURSION);
}

static void
use_is_seen_behind_patch_ports(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint16_t b2 = sim_bridge(s, "br1");
	uint64_t start = clock_ms();
	struct ofp_mac_stats st;

	(void)state;
	sim_port(s, br, 1, "tag=10");
	sim_port_kind(s, br, 10, OFP_PORT_PATCH, "");
	sim_port_kind(s, b2, 20, OFP_PORT_PATCH, "");
	sim_port(s, b2, 21, "");
	sim_patch(s, 10, 20);
	sim_commit(s);
	sim_learn(s, &k);
	/* Stamps have milliseconds: let one pass. */
	while (clock_ms() < start + 3)
		;
	ofp_xlate.touch(s->view, s->out.touch);
	ofp_tick(s->ofp, start + 300 * 1000 + 2);
	ofp_mac_stats(s->ofp, b2, &st);
	assert_int_equal(st.n, 1);
	assert_int_equal(stats().n, 1);
	ofp_tick(s->ofp, start + 400 * 1000);
	ofp_mac_stats(s->ofp, b2, &st);
	assert_int_equal(st.n, 0);
}

/* --- Tunnels ------------------------------------------------------------------------------------ */

static void
path(uint32_t dst, uint16_t underlay, unsigned next_hop)
{
	struct ofp_tun_path p = { .underlay_port = underlay, .src = sim_mac(0x900) };

	if (next_hop)
		p.next_hop = sim_mac(next_hop);
	ofp_set_tun_path(s->ofp, dst, &p);
}

/* Tunnel port 7 to destinations 1 and 2, out of kernel interface 9. */
static void
tunnel(void)
{
	plain_ports(2);
	sim_port_kind(s, br, 7, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 1, 2 }, 2);
	path(1, 9, 0x901);
	path(2, 9, 0x902);
	sim_commit(s);
}

static struct flow_key
from_tunnel(unsigned src, unsigned dst, uint32_t peer)
{
	struct flow_key k = sim_key(7, src, dst, NO_TAG);

	k.tun_peer = peer;
	return k;
}

static void
floods_go_to_each_end_of_a_tunnel(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	struct cached c;

	(void)state;
	tunnel();
	EXPECT(k, "2 {tun7/1 9} tun7/2 9");
	c = cache(&k);
	path(2, 9, 0);
	EXPECT_MARKED(c);
	EXPECT(k, "2 {tun7/1 9} tun7/2");
	c = cache(&k);
	path(1, 0, 0x901);
	EXPECT_MARKED(c);
	EXPECT(k, "2 {tun7/1} tun7/2");
	c = cache(&k);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 2 }, 1);
	EXPECT_MARKED(c);
	EXPECT(k, "2 tun7/2");
	ofp_port_set_tun_dsts(s->ofp, 7, NULL, 0);
	sim_commit(s);
	EXPECT(k, "2");
}

static void
a_learned_address_gets_one_copy(void **state)
{
	struct flow_key in = from_tunnel(5, BCAST, 2), k = sim_key(1, 1, 5, NO_TAG), again = from_tunnel(5, BCAST, 1);
	struct cached c;

	(void)state;
	tunnel();
	EXPECT(in, "1 2");
	assert_int_equal(s->out.learn.tun_dst, 2);
	assert_int_equal(s->out.mask.tun_peer, 0xffffffff);
	c = cache(&k);
	sim_learn(s, &in);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/2 9");
	c = cache(&k);
	path(2, 8, 0x902);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/2 8");
	/* It moves to the other host. */
	c = cache(&k);
	EXPECT(again, "1 2");
	assert_true(s->out.learn.wanted);
	sim_learn(s, &again);
	EXPECT_MARKED(c);
	EXPECT(k, "tun7/1 9");
	assert_int_equal(stats().moved, 1);
	/* The other host is taken out of the list. */
	c = cache(&k);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 2 }, 1);
	EXPECT_MARKED(c);
	assert_int_equal(stats().n, 0);
	EXPECT(k, "2 tun7/2 8");
}

static void
a_static_address_behind_a_tunnel_gets_a_copy_at_each_end(void **state)
{
	struct flow_key k = sim_key(1, 1, 5, NO_TAG), in = from_tunnel(5, 1, 2);

	(void)state;
	tunnel();
	assert_int_equal(ofp_mac_add(s->ofp, br, 0, sim_mac(5), 7, NULL), 0);
	sim_commit(s);
	EXPECT(k, "{tun7/1 9} tun7/2 9");
	EXPECT(in, "1 2");
	assert_false(s->out.learn.wanted);
}

static void
nothing_from_a_tunnel_goes_into_a_tunnel(void **state)
{
	struct flow_key in = from_tunnel(5, BCAST, 1), uni = from_tunnel(5, 6, 1), same = from_tunnel(5, 8, 1);
	struct flow_key other = sim_key(17, 6, BCAST, NO_TAG);

	(void)state;
	tunnel();
	sim_port_kind(s, br, 17, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 17, (const uint32_t[]){ 3 }, 1);
	path(3, 9, 0x903);
	sim_commit(s);
	EXPECT(in, "1 2");
	other.tun_peer = 3;
	sim_learn(s, &other);
	EXPECT_DROP(uni, DROP_SPLIT_HORIZON);
	/* Behind another end of the same tunnel port. */
	in = from_tunnel(8, BCAST, 2);
	sim_learn(s, &in);
	EXPECT_DROP(same, DROP_SAME_PORT);
}

static void
tunnel_ports_tag_like_any_other(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, 10);

	(void)state;
	tunnel();
	sim_port_set(s, 7, "tag=10");
	sim_port_set(s, 2, "tag=10");
	sim_port(s, br, 3, "");
	sim_commit(s);
	EXPECT(k, "3 pop 2 {tun7/1 9} tun7/2 9");
	sim_port_set(s, 7, "");
	sim_commit(s);
	EXPECT(k, "3 {tun7/1 9} {tun7/2 9} pop 2");
}

static void
an_underlay_behind_a_bridge_costs_no_second_lookup(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG), uni = sim_key(1, 1, 5, NO_TAG), in = from_tunnel(5, BCAST, 1);
	struct flow_key nh = sim_key(31, 0x901, BCAST, 100);
	uint16_t phys = sim_bridge(s, "phys");
	struct cached c, c_uni;

	(void)state;
	tunnel();
	sim_port_kind(s, phys, 30, OFP_PORT_INTERNAL, "tag=100");
	sim_port(s, phys, 31, "");
	sim_port(s, phys, 32, "tag=100");
	path(1, 30, 0x901);
	sim_commit(s);
	EXPECT(k, "2 {tun7/1 32 push100 31} tun7/2 9");
	sim_learn(s, &in);
	EXPECT(uni, "tun7/1 32 push100 31");
	assert_true(s->out.tags[0] != dp_tag_make(TAG_ALL, 0));

	c = cache(&k);
	c_uni = cache(&uni);
	sim_learn(s, &nh);
	EXPECT_MARKED(c);
	EXPECT_MARKED(c_uni);
	EXPECT(uni, "tun7/1 push100 31");
	/* Unicast flows have tags enough for all that. */
	assert_true(s->out.tags[0] != dp_tag_make(TAG_ALL, 0));

	c_uni = cache(&uni);
	ofp_port_set_up(s->ofp, 30, false);
	EXPECT_MARKED(c_uni);
	sim_xlate(s, &uni);
	assert_int_equal(s->out.acts.a[s->out.acts.n - 1].op, ACT_DROP);
	assert_int_equal(s->out.acts.a[s->out.acts.n - 1].arg, DROP_TX_DOWN);
}

static void
a_tunnel_through_its_own_bridge_ends(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);

	(void)state;
	tunnel();
	sim_port_kind(s, br, 30, OFP_PORT_INTERNAL, "");
	path(1, 30, 0x901);
	path(2, 30, 0x902);
	sim_commit(s);
	EXPECT_DROP(k, DROP_PATCH_LOOP);
}

static void
more_copies_than_a_program_holds_are_refused_whole(void **state)
{
	struct flow_key k = sim_key(1, 1, BCAST, NO_TAG);
	uint32_t dst[900];

	(void)state;
	plain_ports(2);
	for (unsigned i = 0; i < ARRAY_SIZE(dst); i++) {
		dst[i] = i + 1;
		path(i + 1, 9, 0x901);
	}
	sim_port_kind(s, br, 7, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 7, dst, 500);
	sim_commit(s);
	sim_xlate(s, &k);
	assert_int_equal(s->out.acts.n, 1 + 3 * 500 - 1);
	ofp_port_set_tun_dsts(s->ofp, 7, dst, 900);
	sim_commit(s);
	EXPECT_DROP(k, DROP_RECURSION);
}

/* --- What the datapath is told ------------------------------------------------------------------- */

static void
the_port_mask_covers_what_is_examined(void **state)
{
	struct flow_key m = { 0 }, want = { .in_port = 0xffff };

	(void)state;
	tunnel();
	ofp_xlate.port_mask(s->view, 50, &m);
	assert_memory_equal(&m, &want, sizeof m);
	memset(&want.dl_src, 0xff, 6);
	memset(&want.dl_dst, 0xff, 6);
	want.vlan[0].tpid = 0xffff;
	want.vlan[0].tci = be16(0xfff);
	memset(&m, 0, sizeof m);
	ofp_xlate.port_mask(s->view, 1, &m);
	assert_memory_equal(&m, &want, sizeof m);
	memset(&m, 0, sizeof m);
	want.tun_peer = ~0u;
	want.flags = FLOW_F_NO_LEARN;
	ofp_xlate.port_mask(s->view, 7, &m);
	assert_memory_equal(&m, &want, sizeof m);
}

static void
a_commit_without_changes_publishes_nothing(void **state)
{
	struct ofp_tun_path p = { .underlay_port = 9, .src = sim_mac(0x900), .next_hop = sim_mac(0x901) };
	struct flow_key k = sim_key(1, 1, 2, NO_TAG);
	unsigned n;

	(void)state;
	tunnel();
	n = s->n_views;
	ofp_commit(s->ofp);
	ofp_port_set_up(s->ofp, 1, true);
	ofp_port_set_tun_dsts(s->ofp, 7, (const uint32_t[]){ 1, 2 }, 2);
	ofp_set_tun_path(s->ofp, 1, &p);
	ofp_commit(s->ofp);
	assert_int_equal(s->n_views, n);
	/* Nor does learning: tables are shared by views. */
	sim_learn(s, &k);
	assert_int_equal(s->n_views, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(patch_ports_lead_into_the_other_bridge),
		T(vlans_are_translated_in_place_between_bridges),
		T(more_tags_than_the_key_shows_are_refused),
		T(a_loop_of_patch_ports_stops_the_frame),
		T(a_long_chain_of_bridges_ends),
		T(a_wide_tree_of_bridges_is_bounded),
		T(use_is_seen_behind_patch_ports),
		T(floods_go_to_each_end_of_a_tunnel),
		T(a_learned_address_gets_one_copy),
		T(a_static_address_behind_a_tunnel_gets_a_copy_at_each_end),
		T(nothing_from_a_tunnel_goes_into_a_tunnel),
		T(tunnel_ports_tag_like_any_other),
		T(an_underlay_behind_a_bridge_costs_no_second_lookup),
		T(a_tunnel_through_its_own_bridge_ends),
		T(more_copies_than_a_program_holds_are_refused_whole),
		T(the_port_mask_covers_what_is_examined),
		T(a_commit_without_changes_publishes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
