/* SPDX-License-Identifier: Apache-2.0 */
/* Where packets of OpenFlow bridges leave: ports and their settings, reserved ports, controllers, patch ports and
 * tunnels, packets that controllers send. */
#include "tests/ofproto/pipesim.h"

#define MACS "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"
#define IP "in_port=1,ip," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"
#define TCP "in_port=1,tcp," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80"

/* --- Ports -------------------------------------------------------------------------------------- */

static void
nothing_goes_back_unless_it_is_said(void **state)
{
	(void)state;
	flow("actions=1,2");
	EXPECT(IP, "2");
	flow("actions=1");
	EXPECT(IP, "same-port");
	flow("actions=in_port");
	EXPECT(IP, "1");
	flow("actions=load:0->NXM_OF_IN_PORT[],1");
	EXPECT(IP, "1");
}

static void
flood_and_all_differ(void **state)
{
	(void)state;
	ofp_port_set_of_config(s->ofp, 3, OFPPC_NO_FLOOD);
	flow("actions=flood");
	EXPECT(IP, "2 4 5 6 7 8 9");
	flow("actions=all");
	EXPECT(IP, "2 3 4 5 6 7 8 9");
}

static void
port_settings_hold(void **state)
{
	(void)state;
	flow("actions=2");
	EXPECT(IP, "2");
	ofp_port_set_of_config(s->ofp, 2, OFPPC_NO_FWD);
	EXPECT(IP, "of-port");
	ofp_port_set_of_config(s->ofp, 2, OFPPC_PORT_DOWN);
	EXPECT(IP, "of-port");
	ofp_port_set_of_config(s->ofp, 2, 0);
	ofp_port_set_of_config(s->ofp, 1, OFPPC_NO_RECV);
	EXPECT(IP, "of-port");
	EXPECT("in_port=1,dl_dst=01:80:c2:00:00:00", "2");
	ofp_port_set_of_config(s->ofp, 1, OFPPC_NO_RECV_STP);
	EXPECT(IP, "2");
	EXPECT("in_port=1,dl_dst=01:80:c2:00:00:00", "of-port");
	ofp_port_set_of_config(s->ofp, 1, OFPPC_PORT_DOWN);
	EXPECT(IP, "of-port");
	ofp_port_set_of_config(s->ofp, 1, 0);
	ofp_port_set_up(s->ofp, 2, false);
	EXPECT(IP, "tx-down");
	flow("actions=77");
	EXPECT(IP, "no-dest");
}

static void
a_change_of_a_port_reaches_its_flows(void **state)
{
	uint64_t epoch;

	(void)state;
	flow("actions=2");
	EXPECT(IP, "2");
	epoch = s->epoch;
	ofp_port_set_of_config(s->ofp, 2, OFPPC_NO_FWD);
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	EXPECT(IP, "of-port");
	epoch = s->epoch;
	ofp_port_set_of_config(s->ofp, 5, OFPPC_NO_FWD);
	sim_commit(s);
	assert_false(sim_is_marked(s, &s->out, epoch));
}

static void
the_local_port_has_its_own_number(void **state)
{
	(void)state;
	ofp_port_set_local(s->ofp, 4);
	flow("actions=local,4");
	EXPECT(IP, "4");
	flow("in_port=local,priority=50000,actions=2");
	EXPECT("in_port=local", "2");
	EXPECT("in_port=3", "4");
}

static void
registers_name_ports(void **state)
{
	(void)state;
	flow("actions=load:3->NXM_NX_REG0[],output:NXM_NX_REG0[]");
	EXPECT(IP, "3");
	flow("actions=load:0xfffb->NXM_NX_REG0[0..15],output:NXM_NX_REG0[0..15]");
	EXPECT(IP, "2 3 4 5 6 7 8 9");
}

static void
some_copies_are_cut(void **state)
{
	(void)state;
	flow("actions=output(port=3,max_len=100),4");
	EXPECT(IP, "{trunc(100) 3} 4");
}

static void
queues_are_ports(void **state)
{
	(void)state;
	flow("actions=enqueue:3:7,set_queue:2,4,pop_queue");
	EXPECT(IP, "3 4");
}

/* --- The learning switch ------------------------------------------------------------------------ */

static void
normal_takes_the_packet_as_it_is_now(void **state)
{
	struct flow_key k = sim_key(2, 2, BCAST, NO_TAG);

	(void)state;
	flow("priority=1,actions=normal");
	sim_commit(s);
	sim_learn(s, &k);
	EXPECT(IP, "2");
	EXPECT_MASK("in_port=1,vlan_tci=0x0000,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02");
	flow("priority=2,actions=mod_dl_dst:02:00:00:00:00:77,normal,3");
	EXPECT(IP, "set(eth_dst=02:00:00:00:00:77) 2 3 4 5 6 7 8 9 3");
	sim_port_set(s, 2, "tag=10");
	sim_port_set(s, 1, "tag=10");
	sim_commit(s);
	k = sim_key(2, 2, BCAST, NO_TAG);
	sim_learn(s, &k);
	EXPECT(IP, "set(eth_dst=02:00:00:00:00:77) {2 push10 3 4 5 6 7 8 9} 3");
	version = OF10;
	flow("priority=3,actions=strip_vlan,mod_vlan_vid:10,normal");
	EXPECT("in_port=3,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:02", "push10 pop 2");
}

static void
no_flood_holds_for_the_learning_switch_too(void **state)
{
	(void)state;
	flow("actions=normal");
	ofp_port_set_of_config(s->ofp, 3, OFPPC_NO_FLOOD);
	ofp_port_set_of_config(s->ofp, 4, OFPPC_NO_FWD);
	EXPECT(IP, "2 5 6 7 8 9");
	ofp_of_reset(s->ofp, br, false);
	EXPECT(IP, "2 5 6 7 8 9");
}

/* --- Controllers -------------------------------------------------------------------------------- */

static void
packets_go_to_the_controller_for_a_reason(void **state)
{
	struct of_punt p;

	(void)state;
	flow("cookie=0x77,table=0,actions=load:5->NXM_NX_REG1[],controller:100,goto_table:1");
	flow("table=1,actions=write_actions(controller:200)");
	EXPECT(IP, "punt punt");
	p = punt(0);
	assert_int_equal(p.bridge, br);
	assert_int_equal(p.max_len, 100);
	assert_int_equal(p.reason, OFPR_ACTION);
	assert_int_equal(p.table, 0);
	assert_int_equal(p.cookie, 0x77);
	assert_int_equal(p.meta.in_port, be32(1));
	assert_int_equal(p.meta.reg[1], be32(5));
	assert_false(p.miss);
	p = punt(1);
	assert_int_equal(p.reason, OFPR_ACTION_SET);
	assert_int_equal(p.max_len, 200);
}

static void
a_table_miss_rule_reports_a_miss(void **state)
{
	(void)state;
	flow("priority=0,actions=controller");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).reason, OFPR_NO_MATCH);
	assert_false(punt(0).miss);
	ofp_port_set_of_config(s->ofp, 1, OFPPC_NO_PACKET_IN);
	EXPECT(IP, "of-port");
	flow("priority=1,actions=controller");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).reason, OFPR_ACTION);
}

static void
old_controllers_get_what_misses(void **state)
{
	(void)state;
	EXPECT(IP, "of-secure");
	ofp_of_set_miss_punt(s->ofp, br, true);
	EXPECT(IP, "punt");
	assert_true(punt(0).miss);
	assert_int_equal(punt(0).reason, OFPR_NO_MATCH);
	assert_int_equal(punt(0).cookie, UINT64_MAX);
	/* Not what a resubmit misses. */
	flow("actions=resubmit(,7),2");
	EXPECT(IP, "2");
	flow("actions=goto_table:7");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).table, 7);
}

static void
a_packet_for_the_controller_is_the_changed_one(void **state)
{
	(void)state;
	flow("ip,actions=mod_nw_dst:10.9.9.9,controller,mod_nw_dst:10.9.9.8,2");
	EXPECT(IP, "set(ip_dst=10.9.9.9) punt set(ip_dst=10.9.9.8) 2");
}

static void
userdata_goes_along(void **state)
{
	(void)state;
	flow("actions=controller(userdata=01.02.03,id=7)");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).userdata_len, 3);
	assert_int_equal(punt(0).controller_id, 7);
	assert_memory_equal((uint8_t *)&s->out.acts.a[1] + sizeof(struct of_punt), "\1\2\3", 3);
}

static void
fragments_are_dropped_or_lose_their_ports(void **state)
{
	(void)state;
	flow("tcp,tp_dst=80,actions=2");
	flow("priority=1,actions=3");
	EXPECT(TCP, "2");
	EXPECT(TCP ",ip_frag=first", "3");
	/* Nor do later tables see what an action has made of them. */
	flow("table=1,tcp,tp_dst=9,actions=2");
	flow("table=1,priority=1,actions=4");
	flow("priority=50000,tcp,tp_src=0,actions=mod_tp_dst:9,resubmit(,1)");
	EXPECT(TCP ",ip_frag=first", "set(tp_dst=9) 4");
	flow_mod_on(br, OFFC_DELETE, "table=0,tcp,tp_src=0");
	ofp_of_set_config(s->ofp, br, OFPC_FRAG_DROP);
	EXPECT(TCP ",ip_frag=first", "of-frag");
	EXPECT(TCP, "2");
	ofp_of_set_config(s->ofp, br, OFPC_FRAG_NX_MATCH);
	EXPECT(TCP ",ip_frag=first", "2");
}

static void
group(const char *text)
{
	struct of_arena *arena = of_arena_create();
	struct of_group_mod gm;
	struct err e = { 0 };

	if (of_parse_group_mod(text, strlen(text), OFGC_ADD, NULL, arena, &gm, &e) ||
	    of_group_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF15 }, &gm, &last_error))
		fail_msg("%s: %s%s", text, e.msg, last_error.why);
	of_arena_destroy(arena);
}

/* How many of 64 connections, told apart by that field alone, go the way of the first. */
static unsigned
together(const char *field)
{
	char first[32], buf[200];
	unsigned n = 0;

	for (unsigned i = 0; i < 64; i++) {
		snprintf(buf, sizeof buf, TCP ",%s%u", field, i + 1);
		run(buf);
		if (!i)
			str_copy(first, sizeof first, s->text);
		n += !strcmp(s->text, first);
	}
	return n;
}

static void
a_group_hashes_the_fields_it_is_told(void **state)
{
	(void)state;
	group("group_id=1,type=select,selection_method=hash,selection_method_param=7,fields(ip_src,tcp_src,arp_spa),"
	      "bucket=weight:1,2,bucket=weight:1,3");
	group("group_id=2,type=select,selection_method=hash,bucket=weight:1,2,bucket=weight:1,3");
	flow("ip,actions=group:1");
	run(TCP);
	EXPECT_MASK("in_port=1,tcp,nw_src=10.0.0.1,nw_frag=no,tp_src=1000");
	assert_int_equal(together("nw_dst=10.0.1."), 64);
	assert_int_equal(together("tp_dst="), 64);
	assert_in_range(together("nw_src=10.0.1."), 16, 48);
	assert_in_range(together("tp_src="), 16, 48);
	flow("ip,actions=group:2");
	assert_in_range(together("tp_dst="), 16, 48);
}

static void
who_does_not_answer_is_passed_over(void **state)
{
	(void)state;
	group("group_id=1,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3");
	flow("ip,actions=group:1");
	EXPECT(IP, "2");
	ofp_port_set_dead(s->ofp, 2, true);
	assert_true(ofp_port_is_dead(s->ofp, 2));
	EXPECT(IP, "3");
	ofp_port_set_up(s->ofp, 3, false);
	EXPECT(IP, "of-group");
	ofp_port_set_dead(s->ofp, 2, false);
	EXPECT(IP, "2");
	/* Who is sent there by name still is. */
	ofp_port_set_dead(s->ofp, 2, true);
	flow("ip,actions=2");
	EXPECT(IP, "2");
}

/* --- Other bridges ------------------------------------------------------------------------------ */

/* br0 --20--21-- br1 */
static uint16_t
second_bridge(void)
{
	uint16_t br1 = sim_bridge(s, "br1");

	sim_port_kind(s, br, 20, OFP_PORT_PATCH, "");
	sim_port_kind(s, br1, 21, OFP_PORT_PATCH, "");
	sim_port(s, br1, 31, "");
	sim_port(s, br1, 32, "");
	sim_patch(s, 20, 21);
	return br1;
}

static void
patches_lead_into_other_pipelines(void **state)
{
	uint16_t br1 = second_bridge();

	(void)state;
	ofp_of_reset(s->ofp, br1, true);
	flow("ip,actions=load:5->NXM_NX_REG0[],mod_nw_dst:10.9.9.9,20,2");
	flow_on(br1, "in_port=21,reg0=0,ip,nw_dst=10.9.9.9,actions=mod_nw_src:10.9.9.8,31");
	EXPECT(IP, "{set(ip_src=10.9.9.8) set(ip_dst=10.9.9.9) 31} set(ip_dst=10.9.9.9) 2");
	EXPECT_MASK("in_port=1,ip");
	flow("ip,actions=20");
	flow_on(br1, "in_port=21,priority=1,actions=31,in_port");
	EXPECT(IP, "31");
}

static void
patches_lead_into_learning_switches_and_back(void **state)
{
	uint16_t br1 = second_bridge();

	(void)state;
	flow("ip,actions=mod_vlan_vid:30,20");
	EXPECT(IP, "push30 31 32");
	ofp_of_reset(s->ofp, br1, true);
	flow_on(br1, "in_port=21,ip,nw_src=10.0.0.0/8,actions=mod_nw_dst:10.9.9.9,31");
	ofp_of_reset(s->ofp, br, false);
	EXPECT(IP, "2 3 4 5 6 7 8 9 set(ip_dst=10.9.9.9) 31");
	assert_true(s->out.mask.nw_src == be32(0xff000000));
	/* With the tag that the learning switch puts on. */
	sim_port_set(s, 1, "tag=10");
	flow_on(br1, "in_port=21,dl_vlan=10,actions=strip_vlan,32");
	EXPECT(IP, "push10 2 3 4 5 6 7 8 9 pop 32");
}

static void
a_loop_of_patches_is_cut(void **state)
{
	uint16_t br1 = second_bridge();

	(void)state;
	ofp_of_reset(s->ofp, br1, true);
	flow("actions=20,in_port");
	flow_on(br1, "actions=31,in_port");
	EXPECT(IP, "patch-loop");
}

static void
a_tunnel_is_an_output(void **state)
{
	struct ofp_tun_path p = { .underlay_port = 9, .src = sim_mac(1), .next_hop = sim_mac(2) };

	(void)state;
	p.local = ip_from_v4(be32(0xc0a80001));
	p.remote = ip_from_v4(be32(0xc0a80002));
	sim_port_kind(s, br, 50, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_dsts(s->ofp, 50, (uint32_t[]){ 1, 2 }, 2);
	ofp_set_tun_path(s->ofp, 1, &p);
	p.remote = ip_from_v4(be32(0xc0a80003));
	ofp_set_tun_path(s->ofp, 2, &p);
	flow("ip,actions=50,mod_nw_dst:10.9.9.9,2");
	EXPECT(IP, "{tun50/1 9} {tun50/2 9} set(ip_dst=10.9.9.9) 2");
	flow("ip,actions=load:0xc0a80003->NXM_NX_TUN_IPV4_DST[],50");
	EXPECT(IP, "tun50/2 9");
	/* What comes out of it tells where it came from. */
	flow("in_port=50,tun_src=192.168.0.3,priority=50000,actions=2");
	flow("in_port=50,priority=40000,actions=3");
	sim_commit(s);
	last_key = key("in_port=50");
	last_key.tun_peer = 2;
	assert_string_equal(sim_xlate(s, &last_key), "2");
	assert_int_equal(s->out.mask.tun_peer, UINT32_MAX);
	last_key.tun_peer = 1;
	assert_string_equal(sim_xlate(s, &last_key), "3");
}

/* --- Packets out -------------------------------------------------------------------------------- */

static struct {
	struct flow_key key;
	uint32_t len;
	char text[4096];
	unsigned n;
} sent;

static int
on_exec(void *arg UNUSED, const struct flow_key *k, const void *frame UNUSED, uint32_t len, const struct act *a, unsigned n)
{
	sent.key = *k;
	sent.len = len;
	sent.n++;
	sim_print(a, n, sent.text, sizeof sent.text);
	return 0;
}

static const char *
packet_out(uint32_t in_port, const char *actions)
{
	static const uint8_t frame[64] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	struct of_act_buf b = { 0 };
	struct of_acts acts;
	struct err e = { 0 };

	if (of_parse_acts(actions, strlen(actions), NULL, false, &b, &e))
		fail_msg("%s", e.msg);
	acts = of_act_buf_acts(&b);
	sent.n = 0;
	assert_int_equal(ofp_packet_out(s->ofp, br, in_port, NULL, &acts, frame, sizeof frame), 0);
	of_act_buf_fini(&b);
	return sent.n ? sent.text : "nothing";
}

static int
setup_exec(void **state)
{
	setup(state);
	s->ofp->sink.exec = on_exec;
	return 0;
}

static void
controllers_send_packets(void **state)
{
	(void)state;
	assert_string_equal(packet_out((uint32_t)OFPP_CONTROLLER, "output:2,mod_dl_dst:02:00:00:00:00:99,3"),
			    "2 set(eth_dst=02:00:00:00:00:99) 3");
	assert_int_equal(sent.len, 64);
	assert_string_equal(packet_out((uint32_t)OFPP_ANY, "flood"), "1 2 3 4 5 6 7 8 9");
	assert_string_equal(packet_out(4, "flood"), "1 2 3 5 6 7 8 9");
	assert_int_equal(sent.key.in_port, 4);
	assert_string_equal(packet_out(4, "in_port"), "4");
	assert_string_equal(packet_out((uint32_t)OFPP_CONTROLLER, "normal"), "1 2 3 4 5 6 7 8 9");
	assert_string_equal(packet_out((uint32_t)OFPP_CONTROLLER, "controller"), "punt");
	ofp_port_set_of_config(s->ofp, 2, OFPPC_NO_FWD);
	assert_string_equal(packet_out((uint32_t)OFPP_CONTROLLER, "output:2"), "nothing");
}

static void
packets_meet_the_rules_that_came_before_them(void **state)
{
	(void)state;
	flow("in_port=3,actions=2,write_actions(output:5)");
	assert_string_equal(packet_out(3, "table"), "2 5");
	flow("in_port=3,actions=4");
	assert_string_equal(packet_out(3, "table,6"), "4 6");
	assert_string_equal(packet_out(7, "table"), "nothing");
}

#define TX(f) cmocka_unit_test_setup_teardown(f, setup_exec, teardown)

static void
misses(uint8_t table, uint32_t config)
{
	const struct of_table_mod m = { .table_id = table, .config = config };

	if (of_table_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF12 }, &m, &last_error))
		fail_msg("%s", last_error.why);
}

static void
tables_of_1_1_say_what_comes_of_a_miss(void **state)
{
	uint64_t epoch;

	(void)state;
	ofp_of_set_miss_punt(s->ofp, br, true);
	flow("table=0,in_port=1,actions=resubmit(,3),goto_table:2");
	flow("table=4,actions=5");
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).table, 2);
	epoch = s->epoch;
	misses(2, OFTC_MISS_DROP);
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	EXPECT(IP, "of-miss");
	/* On and on; but what is resubmitted misses without consequence. */
	misses(OFTT_ALL, OFTC_MISS_CONTINUE);
	EXPECT(IP, "5");
	flow("table=4,priority=40000,ip,actions=goto_table:5");
	EXPECT(IP, "of-miss");
	misses(253, 0);
	EXPECT(IP, "punt");
	assert_int_equal(punt(0).table, 253);
	misses(7, OFTC_MISS_DROP);
	EXPECT(IP, "of-miss");
}

/* Of the last answer: whether it is to be made anew. */
static bool
is_stale(uint64_t epoch)
{
	sim_commit(s);
	return sim_is_marked(s, &s->out, epoch);
}

static void
flows_know_when_a_meter_comes_and_goes(void **state)
{
	uint32_t dp;

	(void)state;
	version = OF15;
	/* No rule names the meter of packets for the controller. */
	flow("actions=controller");
	EXPECT(IP, "punt");
	for (unsigned i = 0; i < 2; i++) {
		uint64_t epoch = s->epoch;

		meter_on(i ? OFMC_DELETE : OFMC_ADD, OFM_CONTROLLER, 100);
		assert_true(is_stale(epoch));
		run(IP);
		assert_int_equal(strstr(s->text, "meter") != NULL, !i);
		/* Another one is nothing to it. */
		epoch = s->epoch;
		meter_on(i ? OFMC_DELETE : OFMC_ADD, 7, 100);
		assert_false(is_stale(epoch));
	}
	assert_false(of_meter_at(ofp_pipe(s->ofp, br), of_pipe_version(ofp_pipe(s->ofp, br)), OFM_CONTROLLER, &dp));
}

static void
a_meter_is_there_with_its_version(void **state)
{
	struct of_pipe *p = ofp_pipe(s->ofp, br);
	uint64_t before = of_pipe_version(p);
	uint32_t dp;

	(void)state;
	of_pipe_begin(p);
	meter_on(OFMC_ADD, 9, 100);
	assert_false(of_meter_at(p, before, 9, &dp));
	of_pipe_commit(p);
	sim_commit(s);
	assert_false(of_meter_at(p, before, 9, &dp));
	assert_true(of_meter_at(p, of_pipe_version(p), 9, &dp));
	/* A bundle that fails leaves none. */
	of_pipe_begin(p);
	meter_on(OFMC_ADD, 10, 100);
	meter_on(OFMC_DELETE, 9, 0);
	of_pipe_abort(p);
	sim_commit(s);
	assert_false(of_meter_at(p, of_pipe_version(p), 10, &dp));
	assert_true(of_meter_at(p, of_pipe_version(p), 9, &dp));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(flows_know_when_a_meter_comes_and_goes),
		T(a_meter_is_there_with_its_version),
		T(nothing_goes_back_unless_it_is_said),
		T(flood_and_all_differ),
		T(port_settings_hold),
		T(a_change_of_a_port_reaches_its_flows),
		T(the_local_port_has_its_own_number),
		T(registers_name_ports),
		T(some_copies_are_cut),
		T(queues_are_ports),
		T(normal_takes_the_packet_as_it_is_now),
		T(no_flood_holds_for_the_learning_switch_too),
		T(packets_go_to_the_controller_for_a_reason),
		T(a_table_miss_rule_reports_a_miss),
		T(old_controllers_get_what_misses),
		T(a_group_hashes_the_fields_it_is_told),
		T(who_does_not_answer_is_passed_over),
		T(tables_of_1_1_say_what_comes_of_a_miss),
		T(a_packet_for_the_controller_is_the_changed_one),
		T(userdata_goes_along),
		T(fragments_are_dropped_or_lose_their_ports),
		T(patches_lead_into_other_pipelines),
		T(patches_lead_into_learning_switches_and_back),
		T(a_loop_of_patches_is_cut),
		T(a_tunnel_is_an_output),
		TX(controllers_send_packets),
		TX(packets_meet_the_rules_that_came_before_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
