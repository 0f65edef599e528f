/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of each type, what they watch, and the Nicira actions that choose among ports. */
#include "tests/ofproto/pipesim.h"

#define MACS "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"
#define IP "in_port=1,ip," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"

/* --- Groups ------------------------------------------------------------------------------------- */

static void
all_sends_a_copy_through_each_bucket(void **state)
{
	(void)state;
	group("group_id=1,type=all,bucket=mod_nw_dst:10.9.9.9,output:2,bucket=output:3,bucket=mod_nw_dst:10.9.9.8,output:4");
	flow("ip,actions=group:1,5");
	EXPECT(IP, "{set(ip_dst=10.9.9.9) 2} 3 {set(ip_dst=10.9.9.8) 4} 5");
	/* The rule, the group, three buckets. */
	assert_int_equal(s->out.n_refs, 5);
	EXPECT_MASK("in_port=1,ip");
}

static void
a_bucket_is_an_action_set(void **state)
{
	(void)state;
	group("group_id=1,type=indirect,bucket=output:2,set_field:10.9.9.9->ip_dst,push_vlan:0x8100");
	flow("ip,actions=group:1");
	EXPECT(IP, "set(ip_dst=10.9.9.9) push0 2");
}

static void
a_group_takes_the_place_of_an_output(void **state)
{
	(void)state;
	group("group_id=1,type=indirect,bucket=output:2");
	flow("actions=write_actions(output:5,group:1)");
	EXPECT(IP, "2");
}

static void
fast_failover_goes_by_live_ports(void **state)
{
	uint64_t epoch;

	(void)state;
	group("group_id=1,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3");
	flow("actions=group:1");
	EXPECT(IP, "2");
	epoch = s->epoch;
	ofp_port_set_up(s->ofp, 2, false);
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	EXPECT(IP, "3");
	ofp_port_set_of_config(s->ofp, 3, OFPPC_PORT_DOWN);
	EXPECT(IP, "of-group");
	ofp_port_set_up(s->ofp, 2, true);
	EXPECT(IP, "2");
}

static void
groups_watch_groups(void **state)
{
	(void)state;
	group("group_id=2,type=ff,bucket=watch_port:4,output:4");
	group("group_id=1,type=ff,bucket=watch_group:2,group:2,bucket=watch_port:3,output:3");
	flow("actions=group:1");
	EXPECT(IP, "4");
	ofp_port_set_up(s->ofp, 4, false);
	EXPECT(IP, "3");
}

static void
a_change_of_a_group_reaches_its_flows(void **state)
{
	uint64_t epoch;

	(void)state;
	group("group_id=1,type=all,bucket=output:2");
	flow("actions=group:1");
	EXPECT(IP, "2");
	epoch = s->epoch;
	assert_int_equal(group_mod(OFGC_MODIFY, "group_id=1,type=all,bucket=output:3"), OFE_OK);
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	EXPECT(IP, "3");
}

static unsigned
selected(unsigned i)
{
	char buf[200];
	const char *p;

	snprintf(buf, sizeof buf, "in_port=1,tcp," MACS ",nw_src=10.0.%u.%u,nw_dst=10.0.0.2,tp_src=%u,tp_dst=80", i >> 8,
		 i & 255, 1000 + i);
	p = run(buf);
	assert_int_equal(strlen(p), 1);
	return (unsigned)(p[0] - '0');
}

static void
select_shares_by_weight(void **state)
{
	enum { N = 4000 };
	static uint8_t before[N];
	unsigned n[10] = { 0 }, moved = 0;

	(void)state;
	group("group_id=1,type=select,bucket=weight:1,output:2,bucket=weight:3,output:3,bucket=weight:0,output:4,"
	      "bucket=weight:4,watch_port:5,output:5");
	flow("actions=group:1");
	for (unsigned i = 0; i < N; i++)
		n[before[i] = (uint8_t)selected(i)]++;
	assert_in_range(n[2], N / 8 - 100, N / 8 + 100);
	assert_in_range(n[3], 3 * N / 8 - 150, 3 * N / 8 + 150);
	assert_int_equal(n[4], 0);
	assert_in_range(n[5], N / 2 - 150, N / 2 + 150);
	/* Only those of the bucket that has gone move. */
	ofp_port_set_up(s->ofp, 5, false);
	for (unsigned i = 0; i < N; i++) {
		unsigned now = selected(i);

		assert_int_not_equal(now, 5);
		moved += before[i] != 5 && now != before[i];
	}
	assert_int_equal(moved, 0);
	/* The answer is for this connection alone. */
	assert_true(s->out.mask.nw_src == 0xffffffff && s->out.mask.tp_src == 0xffff && s->out.mask.nw_proto == 0xff);
	assert_true(s->out.mask.nw_ttl == 0 && s->out.mask.tcp_flags == 0);
}

static void
packets_for_the_controller_say_that_a_group_did_it(void **state)
{
	(void)state;
	group("group_id=1,type=all,bucket=controller");
	flow("priority=0,actions=group:1");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).reason, OFPR_GROUP);
}

static void
an_empty_group_drops(void **state)
{
	(void)state;
	group("group_id=1,type=all");
	group("group_id=2,type=select");
	flow("in_port=1,actions=group:1");
	EXPECT(IP, "of-rule");
	flow("in_port=1,actions=group:2");
	EXPECT(IP, "of-group");
}

/* --- Meters ------------------------------------------------------------------------------------- */

static void
meter(const char *text)
{
	struct of_arena *arena = of_arena_create();
	struct of_meter_mod mm;
	struct err e = { 0 };

	if (of_parse_meter_mod(text, strlen(text), OFMC_ADD, arena, &mm, &e))
		fail_msg("%s: %s", text, e.msg);
	assert_int_equal(of_meter_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF13 }, &mm, NULL), 0);
	of_arena_destroy(arena);
}

static int
on_meter_set(void *arg UNUSED, uint32_t m UNUSED, const struct dp_meter_conf *c UNUSED)
{
	return 0;
}

static void
meters_come_before_what_they_limit(void **state)
{
	char want[100];
	uint32_t m;

	(void)state;
	((struct ofp_sink *)&s->ofp->sink)->meter_set = on_meter_set;
	meter("meter=7,kbps,band=type=drop,rate=1000");
	assert_true(of_meter_find(ofp_pipe(s->ofp, br), 7, &m));
	flow("actions=meter:7,2");
	snprintf(want, sizeof want, "meter:%u 2", m);
	EXPECT(IP, want);
	/* What is dropped is counted. */
	flow("actions=meter:7");
	snprintf(want, sizeof want, "meter:%u drop%u", m, DROP_OF_RULE);
	EXPECT(IP, want);
}

static void
the_meter_of_the_controller_limits_packet_ins(void **state)
{
	char want[100];
	uint32_t m;

	(void)state;
	meter("meter=controller,pktps,band=type=drop,rate=10");
	assert_true(of_meter_find(ofp_pipe(s->ofp, br), OFM_CONTROLLER, &m));
	flow("actions=controller,2");
	snprintf(want, sizeof want, "{meter:%u punt} 2", m);
	EXPECT(IP, want);
}

/* --- Nicira's ----------------------------------------------------------------------------------- */

static void
multipath_spreads_over_links(void **state)
{
	static const char *const algorithms[] = { "modulo_n", "hash_threshold", "hrw", "iter_hash" };

	(void)state;
	for (unsigned a = 0; a < ARRAY_SIZE(algorithms); a++) {
		unsigned n[10] = { 0 };
		char buf[200];

		snprintf(buf, sizeof buf, "table=0,actions=multipath(symmetric_l4,50,%s,4,7,NXM_NX_REG0[0..3]),goto_table:1",
			 algorithms[a]);
		flow(buf);
		for (unsigned i = 0; i < 4; i++) {
			snprintf(buf, sizeof buf, "table=1,reg0=%u,actions=%u", i, i + 2);
			flow(buf);
		}
		for (unsigned i = 0; i < 1000; i++)
			n[selected(i)]++;
		for (unsigned i = 2; i < 6; i++)
			assert_in_range(n[i], 180, 320);
	}
}

static void
symmetric_hashes_are_the_same_both_ways(void **state)
{
	(void)state;
	flow("table=0,actions=multipath(symmetric_l4,50,modulo_n,8,0,NXM_NX_REG0[0..3]),goto_table:1");
	for (unsigned i = 0; i < 8; i++) {
		char buf[100];

		snprintf(buf, sizeof buf, "table=1,reg0=%u,actions=%u", i, i + 2);
		flow(buf);
	}
	for (unsigned i = 0; i < 50; i++) {
		char there[300], back[300], want[100];

		snprintf(there, sizeof there, "in_port=1,tcp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.%u,"
			 "nw_dst=10.0.0.99,tp_src=%u,tp_dst=80", i, 1000 + i);
		snprintf(back, sizeof back, "in_port=1,tcp,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,nw_dst=10.0.0.%u,"
			 "nw_src=10.0.0.99,tp_dst=%u,tp_src=80", i, 1000 + i);
		str_copy(want, sizeof want, run(there));
		EXPECT(back, want);
	}
}

static void
bundles_use_live_members(void **state)
{
	(void)state;
	flow("actions=bundle(symmetric_l4,0,active_backup,ofport,members:2,3,4)");
	EXPECT(IP, "2");
	ofp_port_set_up(s->ofp, 2, false);
	EXPECT(IP, "3");
	flow("actions=bundle_load(symmetric_l4,0,hrw,ofport,NXM_NX_REG0[],members:2,4),output:NXM_NX_REG0[]");
	EXPECT(IP, "4");
	ofp_port_set_up(s->ofp, 4, false);
	EXPECT(IP, "of-rule");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_sends_a_copy_through_each_bucket),
		T(a_bucket_is_an_action_set),
		T(a_group_takes_the_place_of_an_output),
		T(fast_failover_goes_by_live_ports),
		T(groups_watch_groups),
		T(a_change_of_a_group_reaches_its_flows),
		T(select_shares_by_weight),
		T(packets_for_the_controller_say_that_a_group_did_it),
		T(an_empty_group_drops),
		T(meters_come_before_what_they_limit),
		T(the_meter_of_the_controller_limits_packet_ins),
		T(multipath_spreads_over_links),
		T(symmetric_hashes_are_the_same_both_ways),
		T(bundles_use_live_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
