/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and instructions: which rules a packet meets, what it depends on, where copies leave. */
#include "tests/ofproto/pipesim.h"

#define IP "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"
#define TCP "in_port=1,tcp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64," \
	    "tp_src=1000,tp_dst=80"

static void
a_new_bridge_is_a_learning_switch(void **state)
{
	struct flow_key k;

	(void)state;
	ofp_of_reset(s->ofp, br, false);
	sim_commit(s);
	k = sim_key(1, 1, 2, NO_TAG);
	assert_string_equal(sim_xlate(s, &k), "2 3 4 5 6 7 8 9");
	assert_int_equal(s->out.n_refs, 1);
	assert_true(s->out.learn.wanted);
}

static void
an_empty_pipeline_drops(void **state)
{
	(void)state;
	EXPECT(IP, "of-secure");
	EXPECT_MASK("in_port=1");
	flow("table=5,actions=2");
	EXPECT(IP, "of-secure");
	flow("in_port=7,actions=2");
	EXPECT(IP, "of-miss");
}

static void
rules_are_followed_through_tables(void **state)
{
	(void)state;
	flow("table=0,in_port=1,actions=goto_table:3");
	flow("table=3,ip,nw_dst=10.0.0.0/8,actions=2,goto_table:9");
	flow("table=9,tcp,tp_dst=80,actions=3");
	EXPECT(TCP, "2 3");
	assert_int_equal(s->out.n_refs, 3);
	EXPECT("in_port=1,udp,nw_dst=10.1.1.1", "2");
	EXPECT("in_port=1,udp,nw_dst=11.1.1.1", "of-miss");
	EXPECT("in_port=2,udp,nw_dst=10.1.1.1", "of-miss");
}

static void
only_what_was_looked_at_counts(void **state)
{
	(void)state;
	flow("table=0,actions=2");
	EXPECT(TCP, "2");
	EXPECT_MASK("in_port=1");
	flow("table=0,priority=40000,dl_dst=02:00:00:00:00:02,actions=3");
	EXPECT(TCP, "3");
	EXPECT_MASK("in_port=1,dl_dst=02:00:00:00:00:02");
}

static void
fields_are_set_for_the_copies_that_follow(void **state)
{
	(void)state;
	flow("ip,actions=2,set_field:10.9.9.9->ip_dst,3,set_field:02:00:00:00:00:99->eth_src,4");
	EXPECT(IP, "2 set(ip_dst=10.9.9.9) 3 set(eth_src=02:00:00:00:00:99) 4");
	EXPECT_MASK("in_port=1,ip");
}

static void
what_a_rule_has_written_is_not_looked_at(void **state)
{
	(void)state;
	flow("table=0,ip,actions=set_field:10.9.9.9->ip_dst,goto_table:1");
	flow("table=1,ip,nw_dst=10.9.9.9,actions=2");
	flow("table=1,priority=1,actions=3");
	EXPECT(IP, "set(ip_dst=10.9.9.9) 2");
	EXPECT_MASK("in_port=1,ip");
}

static void
what_was_looked_at_before_it_was_written_counts(void **state)
{
	(void)state;
	flow("table=0,ip,nw_dst=10.0.0.2,actions=set_field:10.9.9.9->ip_dst,goto_table:1");
	flow("table=1,actions=2");
	EXPECT(IP, "set(ip_dst=10.9.9.9) 2");
	EXPECT_MASK("in_port=1,ip,nw_dst=10.0.0.2");
}

static void
registers_and_metadata_carry_on(void **state)
{
	(void)state;
	flow("table=0,actions=load:5->NXM_NX_REG3[],write_metadata:0x12/0xff,goto_table:1");
	flow("table=1,reg3=5,metadata=0x12,actions=2");
	EXPECT(IP, "2");
	EXPECT_MASK("in_port=1");
}

static void
moved_values_depend_on_where_they_came_from(void **state)
{
	(void)state;
	flow("table=0,ip,actions=move:NXM_OF_IP_SRC[0..7]->NXM_NX_REG0[0..7],goto_table:1");
	flow("table=1,reg0=1,actions=2");
	EXPECT(IP, "2");
	EXPECT_MASK("in_port=1,ip,nw_src=10.0.0.1/0.0.0.255");
}

static void
an_action_set_runs_at_the_end_in_its_order(void **state)
{
	(void)state;
	flow("table=0,ip,actions=write_actions(output:2,set_field:10.9.9.9->ip_dst),goto_table:1");
	flow("table=1,ip,nw_dst=10.0.0.2,actions=4,write_actions(push_vlan:0x8100,output:3)");
	EXPECT(IP, "4 set(ip_dst=10.9.9.9) push0 3");
}

static void
clear_actions_empties_the_set(void **state)
{
	(void)state;
	flow("table=0,actions=write_actions(output:2),goto_table:1");
	flow("table=1,actions=clear_actions");
	EXPECT(IP, "of-rule");
}

static void
resubmit_comes_back(void **state)
{
	(void)state;
	flow("table=0,actions=resubmit(,1),4");
	flow("table=1,actions=load:1->NXM_NX_REG0[],3");
	EXPECT(IP, "3 4");
	flow("table=0,actions=resubmit(7,1),4");
	flow("table=1,priority=40000,in_port=7,actions=5,in_port");
	EXPECT(IP, "5 1 4");
}

static void
endless_resubmits_are_cut(void **state)
{
	(void)state;
	flow("table=0,actions=2,resubmit(,0)");
	EXPECT(IP, "recursion");
	flow("table=0,actions=2,table");
	EXPECT(IP, "recursion");
	flow("table=0,actions=resubmit(,1),resubmit(,1)");
	for (unsigned i = 1; i < 20; i++) {
		char buf[100];

		snprintf(buf, sizeof buf, "table=%u,actions=resubmit(,%u),resubmit(,%u)", i, i + 1, i + 1);
		flow(buf);
	}
	EXPECT(IP, "recursion");
}

static void
exit_ends_all_but_the_action_set(void **state)
{
	(void)state;
	flow("table=0,actions=resubmit(,1),4,write_actions(output:5)");
	flow("table=1,actions=3,exit");
	EXPECT(IP, "3");
	flow("table=0,actions=write_actions(output:5),goto_table:1");
	EXPECT(IP, "3 5");
}

static void
a_clone_leaves_the_packet_as_it_was(void **state)
{
	(void)state;
	flow("ip,actions=clone(set_field:10.9.9.9->ip_dst,2),3");
	EXPECT(IP, "{set(ip_dst=10.9.9.9) 2} 3");
	/* A copy that nothing is done to needs none. */
	flow("ip,actions=clone(2),3");
	EXPECT(IP, "2 3");
	flow("ip,actions=3,clone(set_field:10.9.9.9->ip_dst,2)");
	EXPECT(IP, "3 set(ip_dst=10.9.9.9) 2");
}

static void
a_clone_leaves_action_set_and_stack_as_they_were(void **state)
{
	(void)state;
	flow("table=0,actions=write_actions(output:2),goto_table:1");
	flow("table=1,actions=clone(resubmit(,2)),clone(resubmit(,3)),3");
	flow("table=2,actions=4,write_actions(output:5)");
	flow("table=3,actions=clear_actions");
	EXPECT(IP, "4 3 2");
	flow("table=0,actions=load:2->NXM_NX_REG0[],push:NXM_NX_REG0[],clone(resubmit(,1)),clone(resubmit(,2)),"
	     "pop:NXM_NX_REG2[],output:NXM_NX_REG2[]");
	flow("table=1,actions=load:3->NXM_NX_REG1[],push:NXM_NX_REG1[]");
	flow("table=2,actions=pop:NXM_NX_REG1[],load:4->NXM_NX_REG1[],push:NXM_NX_REG1[]");
	EXPECT(IP, "2");
}

static void
output_to_table_nests_as_deep_as_resubmit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PIPE_MAX_DEPTH + 4; i++) {
		char buf[100];

		snprintf(buf, sizeof buf, "reg0=%u,actions=load:%u->NXM_NX_REG0[],table", i, i + 1);
		flow(buf);
		/* The last one that may be asked for, and the first that may not. */
		snprintf(buf, sizeof buf, "reg0=%u,actions=2", i + 1);
		flow(buf);
		if (i + 1 == PIPE_MAX_DEPTH)
			EXPECT(IP, "2");
	}
	EXPECT(IP, "recursion");
}

static void
in_an_action_set_an_output_takes_the_place_of_a_resubmit(void **state)
{
	(void)state;
	flow("table=0,actions=write_actions(output:2,resubmit(,1))");
	flow("table=1,actions=3");
	EXPECT(IP, "2");
	flow("table=0,actions=write_actions(resubmit(,1))");
	EXPECT(IP, "3");
}

static void
a_change_without_an_output_is_not_made(void **state)
{
	(void)state;
	flow("ip,actions=2,set_field:10.9.9.9->ip_dst,push_mpls:0x8847");
	EXPECT(IP, "2");
	flow("ip,actions=set_field:10.9.9.9->ip_dst,push_mpls:0x8847");
	EXPECT(IP, "of-rule");
}

/* The first line of a trace. */
static void
expect_traced(const struct oflow *f, const void *frame, uint32_t len, const char *want, int line)
{
	char *text = ofp_trace(s->ofp, br, f, frame, len, NULL, NULL);

	if (strncmp(text, want, strlen(want)) || text[strlen(want)] != '\n')
		fail_msg("line %d: '%s', expected '%s'", line, text, want);
	free(text);
}

static void
a_trace_shows_the_packet_as_it_was_asked_about(void **state)
{
	static const uint8_t udp[] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0,
				       10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 9, 0, 8, 0, 0 };
	struct oflow f = key_flow("in_port=1,tcp,nw_dst=10.0.0.2,tp_dst=80");

	(void)state;
	flow("actions=2");
	sim_commit(s);
	expect_traced(&f, NULL, 0, "flow: tcp,in_port=1,nw_dst=10.0.0.2,tp_dst=80", __LINE__);
	f = key_flow("in_port=3");
	expect_traced(&f, NULL, 0, "flow: in_port=3", __LINE__);
	expect_traced(&f, udp, sizeof udp, "flow: udp,in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,"
		      "nw_dst=10.0.0.2,nw_ttl=64,tp_src=7,tp_dst=9", __LINE__);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_bridge_is_a_learning_switch),
		T(an_empty_pipeline_drops),
		T(rules_are_followed_through_tables),
		T(only_what_was_looked_at_counts),
		T(fields_are_set_for_the_copies_that_follow),
		T(what_a_rule_has_written_is_not_looked_at),
		T(what_was_looked_at_before_it_was_written_counts),
		T(registers_and_metadata_carry_on),
		T(moved_values_depend_on_where_they_came_from),
		T(an_action_set_runs_at_the_end_in_its_order),
		T(clear_actions_empties_the_set),
		T(resubmit_comes_back),
		T(endless_resubmits_are_cut),
		T(exit_ends_all_but_the_action_set),
		T(a_clone_leaves_the_packet_as_it_was),
		T(a_clone_leaves_action_set_and_stack_as_they_were),
		T(output_to_table_nests_as_deep_as_resubmit),
		T(in_an_action_set_an_output_takes_the_place_of_a_resubmit),
		T(a_change_without_an_output_is_not_made),
		T(a_trace_shows_the_packet_as_it_was_asked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
