/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that change the packet: what the program does, and what the answer depends on. */
#include "tests/ofproto/pipesim.h"

#define MACS "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"
#define IP "in_port=1,ip," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"
#define TCP "in_port=1,tcp," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80"
#define TAGGED "in_port=1,ip,dl_vlan=10,dl_vlan_pcp=5," MACS ",nw_ttl=64"
#define MPLS "in_port=1,mpls,mpls_label=100,mpls_tc=3,mpls_bos=1,mpls_ttl=9," MACS

static void
every_field_is_set_by_its_own_instruction(void **state)
{
	static const struct {
		const char *match, *set, *program;
	} t[] = {
		{ "in_port=1", "02:00:00:00:00:09->eth_src", "set(eth_src=02:00:00:00:00:09) 2" },
		{ "in_port=1", "02:00:00:00:00:09->eth_dst", "set(eth_dst=02:00:00:00:00:09) 2" },
		{ "in_port=1,ip", "10.1.2.3->ip_src", "set(ip_src=10.1.2.3) 2" },
		{ "in_port=1,ip", "10.1.2.3->ip_dst", "set(ip_dst=10.1.2.3) 2" },
		{ "in_port=1,ip", "10->ip_dscp", "set(nw_tos=40/0xfc) 2" },
		{ "in_port=1,ip", "3->ip_ecn", "set(nw_tos=3/0x3) 2" },
		{ "in_port=1,ip", "33->nw_ttl", "set(nw_ttl=33) 2" },
		{ "in_port=1,tcp", "7->tcp_src", "set(tp_src=7) 2" },
		{ "in_port=1,tcp", "7->tcp_dst", "set(tp_dst=7) 2" },
		{ "in_port=1,udp", "7->udp_src", "set(tp_src=7) 2" },
		{ "in_port=1,udp", "7->udp_dst", "set(tp_dst=7) 2" },
		{ "in_port=1,sctp", "7->sctp_src", "set(tp_src=7) 2" },
		{ "in_port=1,sctp", "7->sctp_dst", "set(tp_dst=7) 2" },
		{ "in_port=1,icmp", "3->icmp_type", "set(icmp_type=3) 2" },
		{ "in_port=1,icmp", "4->icmp_code", "set(icmp_code=4) 2" },
		{ "in_port=1,icmp6", "3->icmpv6_type", "set(icmp_type=3) 2" },
		{ "in_port=1,icmp6", "4->icmpv6_code", "set(icmp_code=4) 2" },
		{ "in_port=1,ipv6", "2001:db8::1->ipv6_src", "set(ipv6_src=2001:db8::1) 2" },
		{ "in_port=1,ipv6", "2001:db8::1->ipv6_dst", "set(ipv6_dst=2001:db8::1) 2" },
		{ "in_port=1,ipv6", "0x12345->ipv6_label", "set(ipv6_label=0x12345/0xfffff) 2" },
		{ "in_port=1,ipv6", "10->ip_dscp", "set(nw_tos=40/0xfc) 2" },
		{ "in_port=1,arp", "2->arp_op", "set(arp_op=2) 2" },
		{ "in_port=1,arp", "10.1.2.3->arp_spa", "set(arp_spa=10.1.2.3) 2" },
		{ "in_port=1,arp", "10.1.2.3->arp_tpa", "set(arp_tpa=10.1.2.3) 2" },
		{ "in_port=1,arp", "02:00:00:00:00:09->arp_sha", "set(arp_sha=02:00:00:00:00:09) 2" },
		{ "in_port=1,arp", "02:00:00:00:00:09->arp_tha", "set(arp_tha=02:00:00:00:00:09) 2" },
		{ "in_port=1,icmp6,icmp_type=135", "2001:db8::1->nd_target", "set(nd_target=2001:db8::1) 2" },
		{ "in_port=1,icmp6,icmp_type=135", "02:00:00:00:00:09->nd_sll", "set(nd_sll=02:00:00:00:00:09) 2" },
		{ "in_port=1,icmp6,icmp_type=136", "02:00:00:00:00:09->nd_tll", "set(nd_tll=02:00:00:00:00:09) 2" },
		{ "in_port=1,mpls", "77->mpls_label", "set(mpls_lse=0x4d000/0xfffff000) 2" },
		{ "in_port=1,mpls", "5->mpls_tc", "set(mpls_lse=0xa00/0xe00) 2" },
		{ "in_port=1,dl_type=0x88e7", "0x123->pbb_isid", "set(pbb_itag=0x123/0xffffff) 2" },
		{ "in_port=1,dl_vlan=10", "20->vlan_vid", "set20 2" },
		{ "in_port=1,dl_vlan=10", "5->vlan_pcp", "set(vlan_tci=0xa000/0xe000) 2" },
		/* Not in the packet. */
		{ "in_port=1", "5->reg0", "2" },
		{ "in_port=1", "5->metadata", "2" },
		{ "in_port=1", "5->tun_id", "2" },
		{ "in_port=1", "5->pkt_mark", "2" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		char buf[300];

		snprintf(buf, sizeof buf, "%s,actions=set_field:%s,2", t[i].match, t[i].set);
		ofp_of_reset(s->ofp, br, true);
		flow(buf);
		EXPECT(t[i].match, t[i].program);
		assert_false(s->out.no_cache && !strstr(t[i].set, "nd_"));
	}
}

static void
a_masked_set_leaves_the_other_bits(void **state)
{
	(void)state;
	flow("ip,actions=set_field:10.0.0.0/8->ip_dst,2");
	EXPECT(IP, "set(ip_dst=10.0.0.0/255.0.0.0) 2");
	EXPECT_MASK("in_port=1,ip");
	flow("ip,actions=load:0x12->NXM_OF_IP_DST[8..15],2");
	EXPECT(IP, "set(ip_dst=0.0.18.0/0.0.255.0) 2");
}

static void
a_packet_without_the_field_stays_as_it_is(void **state)
{
	(void)state;
	version = OF10;
	flow("actions=mod_nw_dst:10.9.9.9,mod_tp_dst:99,2");
	EXPECT("in_port=1,arp", "2");
	EXPECT_MASK("in_port=1,arp");
	EXPECT("in_port=1,udp,tp_dst=5", "set(ip_dst=10.9.9.9) set(tp_dst=99) 2");
	EXPECT("in_port=1,ip,nw_proto=89", "set(ip_dst=10.9.9.9) 2");
}

/* --- VLAN --------------------------------------------------------------------------------------- */

static void
tags_are_pushed_and_popped(void **state)
{
	(void)state;
	flow("actions=push_vlan:0x8100,set_field:4106->vlan_vid,2");
	EXPECT(IP, "push10 2");
	EXPECT_MASK("in_port=1,vlan_tci=0x0000");
	flow("priority=50000,dl_vlan=10,actions=pop_vlan,2");
	EXPECT(TAGGED, "pop 2");
	flow("priority=50000,dl_vlan=10,actions=2,pop_vlan,3,push_vlan:0x8100,set_field:4116->vlan_vid,4");
	EXPECT(TAGGED, "2 pop 3 push20 4");
	/* None to pop. */
	version = OF10;
	flow("actions=strip_vlan,2");
	EXPECT(IP, "2");
}

static void
a_second_tag_copies_the_first(void **state)
{
	(void)state;
	version = OF10;
	flow("dl_vlan=10,actions=push_vlan:0x8100,2");
	EXPECT(TAGGED, "push40970 2");
	flow("dl_vlan=10,actions=push_vlan:0x8100,pop_vlan,2");
	EXPECT(TAGGED, "2");
	flow("dl_vlan=10,actions=push_vlan:0x8100,pop_vlan,pop_vlan,2");
	EXPECT(TAGGED, "pop 2");
}

static void
tags_below_come_to_light_again(void **state)
{
	(void)state;
	version = OF10;
	flow("table=0,dl_vlan=10,actions=push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,goto_table:1");
	flow("table=1,dl_vlan=10,actions=set_field:4097->vlan_vid,pop_vlan,pop_vlan,pop_vlan,goto_table:2");
	flow("table=2,dl_vlan=10,actions=pop_vlan,goto_table:3");
	flow("table=3,vlan_tci=0,actions=2");
	EXPECT(TAGGED, "pop 2");
	flow("dl_vlan=10,actions=push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,2");
	EXPECT(TAGGED, "of-action");
}

static void
openflow_1_0_tags_what_has_no_tag(void **state)
{
	(void)state;
	flow("actions=mod_vlan_vid:30,2");
	EXPECT(IP, "push30 2");
	EXPECT(TAGGED, "set30 2");
	flow("actions=mod_vlan_pcp:7,2");
	EXPECT(IP, "push57344 2");
	flow("actions=load:0->NXM_OF_VLAN_TCI[],2");
	EXPECT(TAGGED, "pop 2");
	EXPECT(IP, "2");
	flow("actions=load:0x1014->NXM_OF_VLAN_TCI[],2");
	EXPECT(IP, "push20 2");
}

/* --- Labels and backbone headers ---------------------------------------------------------------- */

static void
labels_are_pushed_and_popped(void **state)
{
	(void)state;
	flow("ip,actions=push_mpls:0x8847,set_field:55->mpls_label,2");
	EXPECT(IP, "push_mpls(0x8847,label=0,tc=0,bos=1,ttl=64) set(mpls_lse=0x37140) 2");
	flow("mpls,actions=push_mpls:0x8847,2");
	EXPECT(MPLS, "push_mpls(0x8847,label=100,tc=3,bos=0,ttl=9) 2");
	flow("mpls,actions=pop_mpls:0x0800,2");
	EXPECT(MPLS, "pop_mpls(0x0800) 2");
	assert_false(s->out.no_cache);
	flow("table=0,mpls,actions=pop_mpls:0x0800,goto_table:1");
	flow("table=1,ip,nw_dst=10.0.0.0/8,actions=2");
	flow("table=1,priority=1,actions=3");
	EXPECT(MPLS, "pop_mpls(0x0800) 3");
	assert_true(s->out.no_cache);
}

static void
a_label_that_was_pushed_hides_nothing(void **state)
{
	(void)state;
	flow("table=0,ip,actions=push_mpls:0x8847,2,pop_mpls:0x0800,goto_table:1");
	flow("table=1,ip,nw_dst=10.0.0.2,actions=3");
	EXPECT(IP, "push_mpls(0x8847,label=0,tc=0,bos=1,ttl=64) 2 pop_mpls(0x0800) 3");
	assert_false(s->out.no_cache);
	EXPECT_MASK("in_port=1,ip,nw_dst=10.0.0.2,nw_ttl=64");
}

static void
backbone_headers_are_pushed_and_popped(void **state)
{
	(void)state;
	flow("table=0,dl_vlan=10,actions=push_pbb:0x88e7,set_field:0x77->pbb_isid,set_field:02:00:00:00:00:77->eth_dst,2,"
	     "pop_pbb,goto_table:1");
	flow("table=1,dl_vlan=10,dl_dst=02:00:00:00:00:02,actions=3");
	EXPECT(TAGGED, "push_pbb(isid=0x0,flags=0xa0) set(eth_dst=02:00:00:00:00:77) set(pbb_itag=0xa0000077) 2 pop_pbb 3");
	flow("dl_type=0x88e7,actions=pop_pbb,4");
	EXPECT("in_port=1,dl_type=0x88e7", "pop_pbb 4");
	assert_false(s->out.no_cache);
}

/* --- TTL ---------------------------------------------------------------------------------------- */

static void
ttl_is_counted_down(void **state)
{
	(void)state;
	flow("ip,actions=dec_ttl,2");
	EXPECT(IP, "set(nw_ttl=63) 2");
	EXPECT_MASK("in_port=1,ip,nw_ttl=64");
	EXPECT("in_port=1,ip,nw_ttl=1", "of-ttl");
	EXPECT("in_port=1,ip,nw_ttl=0", "of-ttl");
	ofp_of_set_config(s->ofp, br, OFPC_INVALID_TTL_TO_CONTROLLER);
	EXPECT("in_port=1,ip,nw_ttl=1", "punt");
	assert_int_equal(punt(0).reason, OFPR_INVALID_TTL);
	flow("mpls,actions=dec_mpls_ttl,2");
	EXPECT(MPLS, "set(mpls_lse=0x8/0xff) 2");
}

static void
ttl_is_copied_out_and_in(void **state)
{
	(void)state;
	flow("ip,actions=push_mpls:0x8847,set_mpls_ttl:7,copy_ttl_out,2");
	EXPECT(IP, "push_mpls(0x8847,label=0,tc=0,bos=1,ttl=64) set(mpls_lse=0x140) 2");
	flow("ip,actions=push_mpls:0x8847,set_mpls_ttl:7,copy_ttl_in,pop_mpls:0x0800,2");
	EXPECT(IP, "push_mpls(0x8847,label=0,tc=0,bos=1,ttl=64) set(mpls_lse=0x107) pop_mpls(0x0800) set(nw_ttl=7) "
		   "push_mpls(0x8847,label=0,tc=0,bos=1,ttl=7) pop_mpls(0x0800) 2");
}

/* --- Moving ------------------------------------------------------------------------------------- */

static void
fields_are_moved(void **state)
{
	(void)state;
	flow("ip,actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],2");
	EXPECT(IP, "set(eth_dst=02:00:00:00:00:01) set(ip_dst=10.0.0.1) 2");
	EXPECT_MASK("in_port=1,ip,dl_src=02:00:00:00:00:01,nw_src=10.0.0.1");
}

static void
the_stack_swaps_fields(void **state)
{
	(void)state;
	flow("ip,actions=push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[],2");
	EXPECT(IP, "set(ip_src=10.0.0.2) set(ip_dst=10.0.0.1) 2");
	flow("ip,actions=pop:NXM_OF_IP_SRC[],2");
	EXPECT(IP, "2");
}

/* The notes of the last answer are done. */
static void
learn(void)
{
	for (unsigned i = 0; i < s->out.n_notes; i++)
		ofp_note(s->ofp, s->out.notes[i].data, s->out.notes[i].len);
	sim_commit(s);
}

static unsigned
n_rules(void)
{
	struct of_pipe_stats st;

	of_pipe_stats(ofp_pipe(s->ofp, br), &st);
	return (unsigned)st.n_rules;
}

#define LEARN "in_port=1,actions=learn(table=1,cookie=7,limit=2,delete_learned,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]," \
	"output:NXM_OF_IN_PORT[],result_dst=reg0[0]),resubmit(,2)"

static const char *
from(unsigned n)
{
	static char buf[200];

	snprintf(buf, sizeof buf, "in_port=1,dl_src=02:00:00:00:00:%02x,dl_dst=02:00:00:00:00:02", n);
	return buf;
}

static void
no_more_is_learned_than_the_limit(void **state)
{
	struct xlate_note other;
	uint64_t epoch;

	(void)state;
	flow(LEARN);
	flow("table=2,reg0=1,actions=2");
	flow("table=2,reg0=0,actions=3");
	flow("table=1,cookie=8,priority=1,actions=4");
	for (unsigned i = 1; i <= 2; i++) {
		EXPECT(from(i), "2");
		assert_int_equal(s->out.n_notes, 1);
		learn();
	}
	assert_int_equal(of_learned_count(ofp_pipe(s->ofp, br), 1, 7), 2);
	EXPECT(from(3), "3");
	assert_int_equal(s->out.n_notes, 0);
	/* What is there goes on. */
	EXPECT(from(2), "2");
	EXPECT(from(3), "3");
	/* One goes: there is room again, and whoever was refused hears of it. */
	epoch = s->epoch;
	flow_mod_on(br, OFFC_DELETE, "table=1,dl_dst=02:00:00:00:00:01");
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	/* Two threads at once see that; only one is in time. */
	EXPECT(from(3), "2");
	other = s->out.notes[0];
	EXPECT(from(4), "2");
	learn();
	ofp_note(s->ofp, other.data, other.len);
	sim_commit(s);
	assert_int_equal(of_learned_count(ofp_pipe(s->ofp, br), 1, 7), 2);
}

static void
what_was_learned_goes_with_the_last_who_learned_it(void **state)
{
	struct of_pipe *p = ofp_pipe(s->ofp, br);

	(void)state;
	flow("table=1,cookie=8,priority=1,actions=4");
	flow(LEARN);
	flow("table=3," LEARN);
	for (unsigned i = 1; i <= 2; i++) {
		run(from(i));
		learn();
	}
	assert_int_equal(n_rules(), 5);
	flow_mod_on(br, OFFC_DELETE, "table=3");
	sim_commit(s);
	assert_int_equal(n_rules(), 4);
	/* Other actions that learn the same, and a bundle that fails. */
	flow(LEARN ",2");
	sim_commit(s);
	assert_int_equal(n_rules(), 4);
	of_pipe_begin(p);
	flow_mod_on(br, OFFC_DELETE, "table=0");
	of_pipe_abort(p);
	sim_commit(s);
	assert_int_equal(n_rules(), 4);
	flow_mod_on(br, OFFC_DELETE, "table=0");
	sim_commit(s);
	assert_int_equal(n_rules(), 1);
	assert_int_equal(of_learned_count(p, 1, 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_more_is_learned_than_the_limit),
		T(what_was_learned_goes_with_the_last_who_learned_it),
		T(every_field_is_set_by_its_own_instruction),
		T(a_masked_set_leaves_the_other_bits),
		T(a_packet_without_the_field_stays_as_it_is),
		T(tags_are_pushed_and_popped),
		T(a_second_tag_copies_the_first),
		T(tags_below_come_to_light_again),
		T(openflow_1_0_tags_what_has_no_tag),
		T(labels_are_pushed_and_popped),
		T(a_label_that_was_pushed_hides_nothing),
		T(backbone_headers_are_pushed_and_popped),
		T(ttl_is_counted_down),
		T(ttl_is_copied_out_and_in),
		T(fields_are_moved),
		T(the_stack_swaps_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
