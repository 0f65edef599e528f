/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that make rules, timeouts that end with a connection, which bits the cache must keep, and traces. */
#include "tests/ofproto/pipesim.h"

#include "datapath/parse.h"

#define MACS "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"
#define IP "in_port=1,ip," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"
#define TCP "in_port=1,tcp," MACS ",nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80"

/* Hands the notes of the last answer on; returns how many. */
static unsigned
take_notes(void)
{
	for (unsigned i = 0; i < s->out.n_notes; i++)
		ofp_note(s->ofp, s->out.notes[i].data, s->out.notes[i].len);
	return s->out.n_notes;
}

/* --- Learning ----------------------------------------------------------------------------------- */

static void
a_switch_learns_by_its_own_rules(void **state)
{
	uint64_t epoch;

	(void)state;
	flow("table=0,actions=learn(table=1,hard_timeout=60,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
	     "output:NXM_OF_IN_PORT[]),resubmit(,1)");
	flow("table=1,priority=0,actions=flood");
	EXPECT(IP, "2 3 4 5 6 7 8 9");
	epoch = s->epoch;
	assert_int_equal(take_notes(), 1);
	sim_commit(s);
	assert_true(sim_is_marked(s, &s->out, epoch));
	/* There now: it is only kept alive. */
	EXPECT(IP, "2 3 4 5 6 7 8 9");
	assert_int_equal(s->out.n_notes, 0);
	assert_int_equal(s->out.n_refs, 3);
	EXPECT("in_port=5,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01", "1");
	/* It moves. */
	EXPECT("in_port=6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:09", "1 2 3 4 5 7 8 9");
	assert_int_equal(take_notes(), 1);
	EXPECT("in_port=5,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01", "6");
}

static void
a_learned_rule_says_what_it_was_made_of(void **state)
{
	struct of_text t = { 0 };
	const struct of_rule *r;
	struct oflow f;
	struct omatch m;

	(void)state;
	flow("tcp,actions=learn(table=7,idle_timeout=5,hard_timeout=60,fin_idle_timeout=1,priority=77,cookie=0x99,eth_type=0x800,"
	     "nw_proto=6,NXM_OF_IP_DST[]=NXM_OF_IP_SRC[],NXM_OF_TCP_DST[]=NXM_OF_TCP_SRC[],load:0x5->NXM_NX_REG3[],"
	     "load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],output:NXM_OF_IN_PORT[])");
	EXPECT(TCP, "of-rule");
	EXPECT_MASK("in_port=1,tcp,nw_src=10.0.0.1,nw_frag=no,tp_src=1000");
	assert_int_equal(take_notes(), 1);
	sim_commit(s);
	f = key_flow("tcp,nw_dst=10.0.0.1,tp_dst=1000");
	r = of_lookup(ofp_pipe(s->ofp, br), of_pipe_version(ofp_pipe(s->ofp, br)), 7, &f, NULL, NULL);
	assert_non_null(r);
	of_rule_match(r, &m);
	of_print_match(&t, &m, NULL);
	assert_string_equal(of_text_str(&t), "tcp,nw_dst=10.0.0.1,tp_dst=1000");
	of_text_clear(&t);
	of_print_acts(&t, of_rule_acts(r), NULL);
	assert_string_equal(of_text_str(&t), "load:0x5->NXM_NX_REG3[],load:0x1->NXM_NX_REG0[0..15],output:1,fin_timeout(idle_timeout=1)");
	assert_int_equal(of_rule_priority(r), 77);
	assert_int_equal(of_rule_cookie(r), 0x99);
	of_text_fini(&t);
}

static void
more_notes_than_fit_come_with_the_next_packet(void **state)
{
	(void)state;
	flow("actions=learn(table=1,priority=1,reg0=1),learn(table=1,priority=2,reg0=1),learn(table=1,priority=3,reg0=1),2");
	EXPECT(IP, "2");
	assert_int_equal(s->out.n_notes, 2);
	assert_true(s->out.no_cache);
	take_notes();
	EXPECT(IP, "2");
	assert_int_equal(s->out.n_notes, 1);
	assert_false(s->out.no_cache);
	take_notes();
	EXPECT(IP, "2");
	assert_int_equal(s->out.n_notes, 0);
}

static void
damaged_notes_do_nothing(void **state)
{
	static uint8_t note[XLATE_NOTE_MAX];
	unsigned len;

	(void)state;
	flow("actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])");
	EXPECT(IP, "of-rule");
	len = s->out.notes[0].len;
	memcpy(note, s->out.notes[0].data, len);
	for (unsigned i = 0; i < len; i++)
		ofp_note(s->ofp, note, i);
	sim_commit(s);
	assert_true(of_table_empty(ofp_pipe(s->ofp, br), 1));
	/* Its bridge has gone. */
	ofp_bridge_del(s->ofp, br);
	ofp_note(s->ofp, note, len);
}

static void
connections_that_end_shorten_timeouts(void **state)
{
	uint16_t idle, hard;
	const struct of_rule *r;
	struct oflow f = key_flow(TCP);

	(void)state;
	flow("tcp,idle_timeout=60,actions=fin_timeout(idle_timeout=5,hard_timeout=9),2");
	EXPECT(TCP, "2");
	assert_int_equal(s->out.n_notes, 0);
	assert_int_equal(s->out.mask.tcp_flags, be16(5));
	EXPECT(TCP ",tcp_flags=fin|ack", "2");
	assert_int_equal(take_notes(), 1);
	r = of_lookup(ofp_pipe(s->ofp, br), of_pipe_version(ofp_pipe(s->ofp, br)), 0, &f, NULL, NULL);
	of_rule_timeouts(r, &idle, &hard);
	assert_int_equal(idle, 5);
	assert_int_equal(hard, 9);
}

/* --- Keys --------------------------------------------------------------------------------------- */

static struct flow_key
bound(uint16_t port)
{
	struct flow_key m;

	sim_commit(s);
	memset(&m, 0, sizeof m);
	ofp_xlate.port_mask(s->view, port, &m);
	return m;
}

static void
keys_hold_what_rules_and_actions_look_at(void **state)
{
	(void)state;
	flow("actions=2");
	assert_int_equal(bound(1).nw_src | bound(1).nw_proto | bound(1).nw_ttl, 0);
	flow("priority=2,ip,nw_src=10.0.0.0/8,actions=2");
	assert_int_equal(bound(1).nw_src, be32(0xff000000));
	assert_int_equal(bound(1).nw_ttl | bound(1).tcp_flags | bound(1).tp_src, 0);
	flow("priority=3,ip,actions=dec_ttl,2");
	assert_int_equal(bound(1).nw_ttl, 0xff);
	group("group_id=1,type=all,bucket=move:NXM_OF_IP_DST[]->NXM_NX_REG0[],output:2");
	assert_int_equal(bound(1).nw_dst, UINT32_MAX);
	/* A learning switch again. */
	ofp_of_reset(s->ofp, br, false);
	assert_int_equal(bound(1).nw_src | bound(1).nw_ttl | bound(1).dl_type, 0);
}

static const uint8_t udp_frame[60] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0x03, 0xe8, 0, 80, 0, 26,
};

static void
rules_that_look_further_than_the_keys_see_the_packet(void **state)
{
	const struct xlate_pkt pkt = { udp_frame, sizeof udp_frame, sizeof udp_frame };
	struct flow_key k;
	bool changed;

	(void)state;
	flow("actions=2");
	sim_commit(s);
	assert_true(flow_parse(udp_frame, sizeof udp_frame, sizeof udp_frame, 1, FLOW_DEPTH_L2, &k));
	flow("priority=50000,ip,nw_dst=10.0.0.2,actions=3");
	/* The rule is there; the view, and with it longer keys, is on its way. */
	s->ofp->shared->gen++;
	of_pipe_publish(ofp_pipe(s->ofp, br), &changed);
	assert_true(changed);
	memset(&s->out, 0, offsetof(struct xlate_out, acts));
	s->out.acts.n = 0;
	memset((uint8_t *)&k + 64, 0, sizeof k - 64);
	ofp_xlate.translate(s->view, &k, &pkt, &s->out);
	assert_int_equal(s->out.acts.n, 1);
	assert_int_equal(s->out.acts.a[0].port, 3);
	assert_true(s->out.no_cache);
}

static void
what_keys_cannot_hold_is_read_from_the_packet(void **state)
{
	/* A neighbour solicitation with its sender's address. */
	static const uint8_t ns[] = {
		0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2,
		135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
		1, 1, 2, 0, 0, 0, 0, 0x11,
	};
	const struct xlate_pkt pkt = { ns, sizeof ns, sizeof ns };
	struct flow_key k;

	(void)state;
	flow("icmp6,icmp_type=135,nd_sll=02:00:00:00:00:11,actions=2");
	flow("priority=1,actions=3");
	sim_commit(s);
	assert_true(flow_parse(ns, sizeof ns, sizeof ns, 1, FLOW_DEPTH_L4, &k));
	memset(&s->out, 0, offsetof(struct xlate_out, acts));
	s->out.acts.n = 0;
	ofp_xlate.translate(s->view, &k, &pkt, &s->out);
	assert_int_equal(s->out.acts.a[0].port, 2);
	assert_true(s->out.no_cache);
	/* Other packets do not suffer. */
	EXPECT(TCP, "3");
	assert_false(s->out.no_cache);
}

/* --- Traces ------------------------------------------------------------------------------------- */

static void
expect_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("'%s' is not in:\n%s", line, text);
}

static void
traces_tell_what_happens(void **state)
{
	struct oflow f = key_flow(TCP);
	struct flow_key k;
	char *text;

	(void)state;
	flow("table=0,priority=9,udp,actions=3");
	flow("table=0,priority=8,cookie=0x77,tcp,actions=mod_nw_dst:10.9.9.9,resubmit(,1),goto_table:2");
	flow("table=1,priority=5,tcp,tp_dst=80,actions=2");
	sim_commit(s);
	text = ofp_trace(s->ofp, br, &f, NULL, 0, &k, &s->out);
	expect_line(text, "bridge \"br0\", in_port 1\n");
	expect_line(text, "    not priority=9,udp: nw_proto differs\n");
	expect_line(text, " 0. priority=8,tcp, cookie 0x77\n");
	expect_line(text, "     1. priority=5,tcp,tp_dst=80\n");
	expect_line(text, "        output:2\n");
	expect_line(text, " 2. no match\n");
	expect_line(text, "flow: tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2");
	expect_line(text, "final flow: tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,"
		    "nw_dst=10.9.9.9");
	expect_line(text, "megaflow: in_port=1,tcp,nw_frag=no,tp_dst=80\n");
	expect_line(text, "datapath actions: set(ip_dst=10.9.9.9),output:2\n");
	assert_int_equal(k.in_port, 1);
	assert_int_equal(s->out.acts.a[s->out.acts.n - 1].port, 2);
	free(text);
	f.in_port = be32(77);
	text = ofp_trace(s->ofp, br, &f, NULL, 0, NULL, NULL);
	expect_line(text, "no such port");
	free(text);
}

static void
traces_of_learning_switches_and_groups(void **state)
{
	struct oflow f = key_flow(TCP);
	struct ofp_mac_stats st;
	char *text;

	(void)state;
	group("group_id=1,type=all,bucket=output:2,bucket=normal");
	flow("actions=group:1");
	sim_commit(s);
	text = ofp_trace(s->ofp, br, &f, NULL, 0, NULL, NULL);
	expect_line(text, "-> bucket 0\n");
	expect_line(text, "-> bucket 1\n");
	expect_line(text, "-> learning switch: out of 2, 3, 4, 5, 6, 7, 8, 9\n");
	free(text);
	ofp_of_reset(s->ofp, br, false);
	sim_commit(s);
	text = ofp_trace(s->ofp, br, &f, udp_frame, sizeof udp_frame, NULL, NULL);
	expect_line(text, " 0. priority=0\n");
	expect_line(text, "-> learning switch");
	expect_line(text, "datapath actions: output:2");
	free(text);
	/* Nothing came of it. */
	ofp_mac_stats(s->ofp, br, &st);
	assert_int_equal(st.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_switch_learns_by_its_own_rules),
		T(a_learned_rule_says_what_it_was_made_of),
		T(more_notes_than_fit_come_with_the_next_packet),
		T(damaged_notes_do_nothing),
		T(connections_that_end_shorten_timeouts),
		T(keys_hold_what_rules_and_actions_look_at),
		T(rules_that_look_further_than_the_keys_see_the_packet),
		T(what_keys_cannot_hold_is_read_from_the_packet),
		T(traces_tell_what_happens),
		T(traces_of_learning_switches_and_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
