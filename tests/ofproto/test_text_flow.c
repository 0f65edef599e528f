/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, matches, keys and actions as text, beyond what the golden lines show: commands, files, names of ports, rows
 * with counters, and what is refused, with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/text.h"

/* --- Names -------------------------------------------------------------------------------------- */

static const char *
port_name(void *arg, uint32_t port)
{
	(void)arg;
	return port == 1 ? "eth0" : port == 2 ? "vm 2" : port == 3 ? "4all" : NULL;
}

static bool
port_no(void *arg, const char *name, uint32_t *port)
{
	(void)arg;
	for (uint32_t i = 1; i <= 3; i++)
		if (!strcmp(name, port_name(NULL, i))) {
			*port = i;
			return true;
		}
	return false;
}

static const struct of_names names = { .port_name = port_name, .port_no = port_no };

/* Parses a flow and prints it again. */
static void
check_flow(const char *in, const char *out)
{
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod fm;
	struct err err = { 0 };

	if (of_parse_flow_mod(in, strlen(in), OFFC_ADD, &names, &acts, &fm, &err))
		fail_msg("%s: %s", in, err.msg);
	of_print_flow_mod(&t, &fm, &names);
	assert_string_equal(of_text_str(&t), out);
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

static void
ports_have_the_bridges_names(void **state)
{
	(void)state;
	check_flow("in_port=eth0,actions=\"vm 2\",output:eth0,output:\"vm 2\",resubmit(\"4all\",2),7",
		   "ADD in_port=eth0 actions=output:\"vm 2\",output:eth0,output:\"vm 2\",resubmit(\"4all\",2),output:7");
	check_flow("in_port=\"vm 2\",actions=output(port=\"4all\",max_len=64),set_field:eth0->in_port",
		   "ADD in_port=\"vm 2\" actions=output(port=\"4all\",max_len=64),set_field:eth0->in_port");
}

static void
what_ovs_ofctl_lacks_reads_back(void **state)
{
	(void)state;
	check_flow("in_port=1,in_phy_port=2,dl_type=0x88e7,pbb_isid=0x10/0xff,pbb_uca=1,actions=push_pbb:0x88e7,pop_pbb",
		   "ADD in_port=eth0,in_phy_port=\"vm 2\",dl_type=0x88e7,pbb_isid=0x10/0xff,pbb_uca=1 "
		   "actions=push_pbb:0x88e7,pop_pbb");
	check_flow("ipv6,ipv6_exthdr=0x5/0x7,actions=copy_ttl_in,copy_ttl_out",
		   "ADD ipv6,ipv6_exthdr=0x5/0x7 actions=copy_ttl_in,copy_ttl_out");
	check_flow("packet_type=(1,0x800),actions=apply_actions(output:1,group:3),goto_table:2",
		   "ADD packet_type=(1,0x800) actions=output:eth0,group:3,goto_table:2");
	check_flow("tun_tos=0xb8/0xfc,tun_ttl=9,tun_gbp_id=5,actions=set_field:0x20->tun_tos,load:1->tun_ttl[0..3],move:tun_tos[]->reg0[0..7]",
		   "ADD tun_gbp_id=5,tun_tos=0xb8/0xfc,tun_ttl=9 actions=set_field:0x20->tun_tos,load:0x1->tun_ttl[0..3],"
		   "move:tun_tos[]->NXM_NX_REG0[0..7]");
	check_flow("actions=apply_actions(),goto_table:2", "ADD actions=goto_table:2");
	check_flow("actions=meter:controller,write_actions()", "ADD actions=meter:controller,write_actions(drop)");
	check_flow("ct_state=+trk,ip,ct_nw_src=10.0.0.0/8,ct_nw_dst=1.2.3.4,ct_nw_proto=6,ct_tp_src=1,ct_tp_dst=0x10/0xf0,"
		   "actions=resubmit(,6,ct)",
		   "ADD ct_state=+trk,ct_nw_src=10.0.0.0/8,ct_nw_dst=1.2.3.4,ct_nw_proto=6,ct_tp_src=1,"
		   "ct_tp_dst=0x10/0xf0,ip actions=resubmit(,6,ct)");
}

/* --- Commands ----------------------------------------------------------------------------------- */

static void
parse_as(const char *in, enum of_flow_mod_command command, struct of_act_buf *acts, struct of_flow_mod *fm)
{
	struct err err = { 0 };

	if (of_parse_flow_mod(in, strlen(in), command, NULL, acts, fm, &err))
		fail_msg("%s: %s", in, err.msg);
}

static void
commands_have_their_own_defaults(void **state)
{
	struct of_act_buf acts = { 0 };
	struct of_flow_mod fm;

	(void)state;
	parse_as("actions=drop", OFFC_ADD, &acts, &fm);
	assert_int_equal(fm.command, OFFC_ADD);
	assert_int_equal(fm.table_id, 0);
	assert_false(fm.has_table_id);
	assert_int_equal(fm.priority, 32768);
	assert_int_equal(fm.buffer_id, (uint32_t)OF_NO_BUFFER);
	assert_int_equal(fm.out_port, (uint32_t)OFPP_ANY);
	assert_int_equal(fm.out_group, OFG_ANY);
	assert_int_equal(fm.acts.len, 0);
	parse_as("table=0,cookie=5,actions=1", OFFC_MODIFY, &acts, &fm);
	assert_true(fm.has_table_id);
	assert_true(fm.cookie_given);
	assert_true(fm.cookie == 5 && !fm.cookie_mask);
	parse_as("cookie=5/0xf,actions=1", OFFC_MODIFY_STRICT, &acts, &fm);
	assert_int_equal(fm.table_id, OFTT_ALL);
	assert_false(fm.cookie_given);
	assert_true(fm.cookie == 5 && fm.cookie_mask == 15);
	parse_as("", OFFC_DELETE, &acts, &fm);
	assert_true(omatch_is_any(&fm.match));
	parse_as("table=all,out_port=3,out_group=4,cookie=1/-1,ip", OFFC_DELETE, &acts, &fm);
	assert_int_equal(fm.table_id, OFTT_ALL);
	assert_int_equal(fm.out_port, 3);
	assert_int_equal(fm.out_group, 4);
	assert_true(fm.cookie_mask == UINT64_MAX);
	parse_as("priority=7,ip", OFFC_DELETE_STRICT, &acts, &fm);
	assert_int_equal(fm.priority, 7);
	of_act_buf_fini(&acts);
}

static void
flow_mods_print_their_filters(void **state)
{
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod fm;

	(void)state;
	parse_as("delete table=3,ip,out_port=LOCAL,out_group=9,cookie=1/3", OFFC_ADD, &acts, &fm);
	of_print_flow_mod(&t, &fm, NULL);
	assert_string_equal(of_text_str(&t), "DEL table:3 ip cookie:0x1/0x3 out_port:LOCAL out_group:9 actions=drop");
	of_text_clear(&t);
	parse_as("modify_strict priority=9,actions=1", OFFC_ADD, &acts, &fm);
	fm.buffer_id = 0x10;
	fm.flags = OFFF_RESET_COUNTS;
	of_print_flow_mod(&t, &fm, NULL);
	assert_string_equal(of_text_str(&t), "MOD_STRICT table:255 priority=9 buf:0x10 reset_counts actions=output:1");
	of_text_clear(&t);
	fm.version = OF10;      /* Which has no such flag, nor tables. */
	of_print_flow_mod(&t, &fm, NULL);
	assert_string_equal(of_text_str(&t), "MOD_STRICT priority=9 buf:0x10 actions=output:1");
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

struct seen {
	unsigned n;
	uint8_t command[8];
	uint32_t out_len[8];
	int stop_at;
};

static int
see(void *arg, const struct of_flow_mod *fm, struct err *err)
{
	struct seen *s = arg;

	if ((int)s->n == s->stop_at)
		return err_set(err, ENOSPC, "full");
	s->command[s->n] = fm->command;
	s->out_len[s->n++] = fm->acts.len;
	return 0;
}

static void
files_hold_a_flow_in_each_line(void **state)
{
	static const char file[] = "# all kinds\n"
				   "add in_port=1,actions=2,3   # with a comment\n"
				   "\n  \t \r\n"
				   "modify in_port=1,actions=drop\r\n"
				   "modify_strict table=1,actions=drop\n"
				   "delete\n"
				   "delete_strict priority=3,ip\n"
				   "arp,actions=normal";
	static const uint8_t want[] = { OFFC_ADD, OFFC_MODIFY, OFFC_MODIFY_STRICT, OFFC_DELETE, OFFC_DELETE_STRICT,
					OFFC_ADD };
	struct seen s = { .stop_at = -1 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(of_parse_flow_file(file, strlen(file), OFFC_ADD, NULL, see, &s, &err), 0);
	assert_int_equal(s.n, ARRAY_SIZE(want));
	assert_memory_equal(s.command, want, sizeof want);
	assert_int_equal(s.out_len[0], 2 * sizeof(struct of_act_output));
	s = (struct seen){ .stop_at = 1 };
	assert_int_equal(of_parse_flow_file(file, strlen(file), OFFC_ADD, NULL, see, &s, &err), -ENOSPC);
	assert_string_equal(err.msg, "line 5: full");
	assert_int_equal(s.n, 1);
	s = (struct seen){ .stop_at = -1 };
	assert_int_equal(of_parse_flow_file("\n\nip,foo=3\n", 11, OFFC_ADD, NULL, see, &s, &err), -EINVAL);
	assert_string_equal(err.msg, "line 3: column 4: unknown field 'foo'");
}

static void
requests_ask_for_flows(void **state)
{
	static const char in[] = "table=3,tcp,tp_dst=80,cookie=0x10/0xf0,out_port=2,out_group=7";
	struct of_flow_request r;
	struct of_text t = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(of_parse_flow_request(in, strlen(in), NULL, &r, &err), 0);
	of_print_flow_request(&t, &r, NULL);
	assert_string_equal(of_text_str(&t), " table=3 out_port=2 out_group=7 cookie=0x10/0xf0 tcp,tp_dst=80");
	of_text_clear(&t);
	assert_int_equal(of_parse_flow_request("", 0, NULL, &r, &err), 0);
	assert_int_equal(r.table_id, OFTT_ALL);
	of_print_flow_request(&t, &r, NULL);
	assert_string_equal(of_text_str(&t), " ");
	assert_int_equal(of_parse_flow_request("actions=1", 9, NULL, &r, &err), -EINVAL);
	assert_int_equal(of_parse_flow_request("cookie=1", 8, NULL, &r, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "column 8: cookie: to ask for one, say its mask as well, as in cookie=1/-1");
	of_text_fini(&t);
}

static void
rows_show_counters_and_ages(void **state)
{
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod fm;
	struct of_flow_row row;

	(void)state;
	parse_as("table=2,priority=10,ip,actions=output:1", OFFC_ADD, &acts, &fm);
	row = (struct of_flow_row){ .table_id = 2, .priority = 10, .duration_s = 12, .duration_ns = 345000000,
				    .idle_age_s = 3, .hard_age_s = 12, .packets = 5, .bytes = 600,
				    .match = &fm.match, .acts = fm.acts };
	of_print_flow_row(&t, &row, OF_ROW_STATS, NULL);
	assert_string_equal(of_text_str(&t), "cookie=0x0, duration=12.345s, table=2, n_packets=5, n_bytes=600, "
					     "idle_age=3, priority=10,ip actions=output:1");
	of_text_clear(&t);
	row.duration_ns = 120000001;
	row.hard_age_s = 4;
	row.idle_age_s = -1;
	row.packets = UINT64_MAX;
	row.idle_timeout = 60;
	row.hard_timeout = 90;
	row.flags = OFFF_SEND_FLOW_REM | OFFF_RESET_COUNTS;
	row.importance = 4;
	row.cookie = 0x1234;
	of_print_flow_row(&t, &row, OF_ROW_STATS, NULL);
	assert_string_equal(of_text_str(&t), "cookie=0x1234, duration=12.120000001s, table=2, n_packets=?, n_bytes=600, "
					     "idle_timeout=60, hard_timeout=90, send_flow_rem reset_counts importance=4, "
					     "hard_age=4, priority=10,ip actions=output:1");
	of_text_clear(&t);
	row = (struct of_flow_row){ .priority = 32768, .match = &fm.match };
	memset(&fm.match, 0, sizeof fm.match);
	of_print_flow_row(&t, &row, 0, NULL);
	assert_string_equal(of_text_str(&t), "actions=drop");
	of_text_clear(&t);
	of_print_flow_row(&t, &row, OF_ROW_STATS, NULL);
	assert_string_equal(of_text_str(&t), "cookie=0x0, duration=0s, table=0, n_packets=0, n_bytes=0, idle_age=0, "
					     "actions=drop");
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

/* --- Keys --------------------------------------------------------------------------------------- */

static void
keys_are_packets(void **state)
{
	static const char in[] = "in_port=1,dl_vlan=5,dl_vlan_pcp=3,tcp,dl_src=00:01:02:03:04:05,nw_src=10.0.0.1,"
				 "nw_dst=10.0.0.2,nw_ttl=64,tcp_dst=80,tcp_flags=2,tun_id=7,reg3=9";
	struct of_text t = { 0 };
	struct err err = { 0 };
	struct oflow k;

	(void)state;
	assert_int_equal(of_parse_key(in, strlen(in), NULL, &k, &err), 0);
	assert_int_equal(host32(k.in_port), 1);
	assert_int_equal(k.vlan[0].tpid, be16(0x8100));
	assert_int_equal(host16(k.vlan[0].tci), 0x7005);
	assert_int_equal(host16(k.dl_type), 0x0800);
	assert_int_equal(k.nw_proto, 6);
	assert_int_equal(host32(k.nw_src), 0x0a000001);
	assert_int_equal(host16(k.tp_dst), 80);
	assert_int_equal(host16(k.tcp_flags), 2);
	assert_true(k.tun_id == be64(7));
	assert_int_equal(host32(k.reg[3]), 9);
	of_print_key(&t, &k, NULL);
	assert_string_equal(of_text_str(&t), "tcp,reg3=0x9,tun_id=0x7,in_port=1,dl_vlan=5,dl_vlan_pcp=3,"
					     "dl_src=00:01:02:03:04:05,dl_dst=00:00:00:00:00:00,nw_src=10.0.0.1,"
					     "nw_dst=10.0.0.2,nw_ttl=64,tp_dst=80,tcp_flags=syn");
	assert_int_equal(of_parse_key("ip", 2, NULL, &k, &err), 0);
	assert_int_equal(k.in_port, be32((uint32_t)OFPP_ANY));
	assert_int_equal(of_parse_key("reg0[3]=1", 9, NULL, &k, &err), -EINVAL);
	assert_int_equal(of_parse_key("ip,nw_src=1.2.3.0/24", 20, NULL, &k, &err), -EINVAL);
	assert_string_equal(err.msg, "column 11: a packet has one value of nw_src: no mask here");
	of_text_fini(&t);
}

static void
printed_keys_read_back(void **state)
{
	static const char *const in[] = {
		"in_port=LOCAL,icmp6,ipv6_src=fe80::1,icmp_type=135,nd_target=fe80::3,nd_sll=00:01:02:03:04:05",
		"arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=0.0.0.0,arp_sha=00:01:02:03:04:05,dl_dst=ff:ff:ff:ff:ff:ff",
		"mpls,mpls_label=5,mpls_bos=1,mpls_ttl=64,dl_vlan=0",
		"icmp,icmp_type=0,nw_frag=first,nw_tos=4,nw_ecn=1", "sctp6,sctp_src=5,ipv6_label=5,nw_frag=later",
		"dl_type=0x88e7,pbb_isid=7", "dl_type=0x05ff", "tun_src=1.2.3.4,tun_ipv6_dst=::1,metadata=7,in_port=3",
		"udp,udp_src=3,udp_dst=4,nw_ttl=1",
	};
	struct of_text t = { 0 };
	struct err err = { 0 };
	struct oflow k, back;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(in); i++) {
		assert_int_equal(of_parse_key(in[i], strlen(in[i]), NULL, &k, &err), 0);
		of_text_clear(&t);
		of_print_key(&t, &k, NULL);
		if (of_parse_key(of_text_str(&t), t.len, NULL, &back, &err))
			fail_msg("%s: %s", of_text_str(&t), err.msg);
		if (memcmp(&k, &back, sizeof k))
			fail_msg("%s: became %s", in[i], of_text_str(&t));
	}
	of_text_fini(&t);
}

/* --- Errors ------------------------------------------------------------------------------------- */

static const struct {
	const char *in, *msg;
} bad[] = {
	{ "", "column 1: the actions are missing (actions=drop for none)" },
	{ "in_port=1", "column 10: the actions are missing (actions=drop for none)" },
	{ "dl_scr=00:01:02:03:04:05,actions=drop", "column 1: unknown field 'dl_scr': did you mean 'dl_src'?" },
	{ "foo,actions=drop", "column 1: unknown field 'foo'" },
	{ "tun_metadata8=1,actions=drop", "column 1: tun_metadata8: Geneve options are tun_metadata0 to 7" },
	{ "tun_tos=256,actions=drop", "column 9: tun_tos: at most 255" },
	{ "in_port=eth9,actions=drop", "column 9: in_port: unknown port 'eth9'" },
	{ "in_port=,actions=drop", "column 9: in_port: a value is missing" },
	{ "in_port=-1,actions=drop", "column 9: in_port: unknown port '-1'" },
	{ "in_port=70000,actions=drop", "column 9: in_port: unknown port '70000'" },
	{ "in_port=1/1,actions=drop", "column 9: in_port: unknown port '1/1'" },
	{ "dl_src=00:01:02:03:04,actions=drop", "column 8: '00:01:02:03:04' is not an Ethernet address" },
	{ "dl_src=00:01:02:03:04:05:06,actions=drop", "column 8: '00:01:02:03:04:05:06' is not an Ethernet address" },
	{ "dl_src=00:01:02:03:04:zz,actions=drop", "column 8: '00:01:02:03:04:zz' is not an Ethernet address" },
	{ "dl_src=00:01:02:03:04:05/ff,actions=drop", "column 26: 'ff' is not an Ethernet address" },
	{ "nw_src=10.0.0.1,actions=drop", "column 1: nw_src needs ip to be matched as well" },
	{ "ip,nw_src=10.0.0.300,actions=drop", "column 11: '10.0.0.300' is not an IPv4 address" },
	{ "ip,nw_src=10.0.0.0/33,actions=drop", "column 20: prefix: at most 32" },
	{ "ip,nw_src=10.0.0.0/255.0,actions=drop", "column 20: '255.0' is not a mask" },
	{ "ipv6,ipv6_src=::g,actions=drop", "column 15: '::g' is not an IPv6 address" },
	{ "ipv6,ipv6_src=::/129,actions=drop", "column 18: prefix: at most 128" },
	{ "tp_dst=80,actions=drop", "column 1: tp_dst needs tcp, udp or sctp to be matched as well" },
	{ "ip,tcp_dst=80,actions=drop", "column 4: tp_dst needs tcp, udp or sctp to be matched as well" },
	{ "tcp,tp_dst=65536,actions=drop", "column 12: tcp_dst: at most 65535" },
	{ "tcp,tp_dst=,actions=drop", "column 12: tcp_dst: a value is missing" },
	{ "tcp=5,actions=drop", "column 5: 'tcp' takes no value" },
	{ "icmp_type=8,actions=drop", "column 1: icmp_type needs icmp to be matched as well" },
	{ "icmp6,nd_target=::1,actions=drop",
	  "column 7: nd_target needs icmp6 and icmp_type=135 or 136 to be matched as well" },
	{ "icmp6,icmp_type=136,nd_sll=00:01:02:03:04:05,actions=drop",
	  "column 21: nd_sll needs icmp6 and icmp_type=135 to be matched as well" },
	{ "mpls_label=5,actions=drop", "column 1: mpls_label needs mpls or mplsm to be matched as well" },
	{ "mpls,mpls_label=0x100000,actions=drop", "column 17: mpls_label: wider than 20 bits" },
	{ "mpls,mpls_label=5/7,actions=drop", "column 17: mpls_label cannot be masked" },
	{ "ip,arp_op=1,actions=drop", "column 4: arp_op needs arp or rarp to be matched as well" },
	{ "in_phy_port=1,actions=drop", "column 1: in_phy_port needs in_port to be matched as well" },
	{ "dl_vlan=4096,actions=drop", "column 9: dl_vlan: 0 to 4095, or 0xffff for no tag" },
	{ "dl_vlan_pcp=8,actions=drop", "column 13: vlan_pcp: at most 7" },
	{ "vlan_vid=0x2000,actions=drop", "column 10: vlan_vid: wider than 13 bits" },
	{ "ip,nw_proto=256,actions=drop", "column 13: nw_proto: at most 255" },
	{ "ip,ip_frag=maybe,actions=drop", "column 12: unknown kind of fragment 'maybe'" },
	{ "tcp,tcp_flags=+sin,actions=drop", "column 16: unknown flag 'sin': did you mean 'fin'?" },
	{ "tcp,tcp_flags=+syn+syn,actions=drop", "column 20: flag 'syn' is there twice" },
	{ "tcp,tcp_flags=syn|ak,actions=drop", "column 19: unknown flag 'ak': did you mean 'ack'?" },
	{ "tcp,tcp_flags=0x1000,actions=drop", "column 15: tcp_flags has no flags beyond 0xfff" },
	{ "ct_state=0x100/0x100,actions=drop", "column 10: ct_state has no flags beyond 0xff" },
	{ "reg0=0x100000000,actions=drop", "column 6: reg0: wider than 32 bits" },
	{ "reg0[0..32]=1,actions=drop", "column 5: reg0 has bits 0 to 31" },
	{ "reg0[5..4]=1,actions=drop", "column 5: the first bit, 5, is after the last, 4" },
	{ "reg0[0..3]=16,actions=drop", "column 12: reg0: at most 15" },
	{ "reg0[x]=1,actions=drop", "column 6: bit: 'x' is not a number" },
	{ "reg0[=1,actions=drop", "column 5: expected [], [BIT] or [FIRST..LAST]" },
	{ "reg16=1,actions=drop", "column 1: unknown field 'reg16': did you mean 'reg1'?" },
	{ "eth_type[0..7]=3,actions=drop", "column 1: eth_type cannot be matched in part" },
	{ "xxreg0=0x123456789012345678901234567890123,actions=drop", "column 8: xxreg0: wider than 128 bits" },
	{ "xxreg0=18446744073709551616,actions=drop", "column 8: xxreg0: at most 18446744073709551615" },
	{ "packet_type=0,actions=drop", "column 13: packet_type: expected (NAMESPACE,TYPE)" },
	{ "table=256,actions=drop", "column 7: table: at most 255" },
	{ "table=255,actions=drop", "column 1: a flow is added to one of the tables 0 to 254" },
	{ "priority=65536,actions=drop", "column 10: priority: at most 65535" },
	{ "prioritty=5,actions=drop", "column 1: unknown field 'prioritty': did you mean 'priority'?" },
	{ "cookie=1/2,actions=drop", "column 10: cookie: no mask when a flow is added" },
	{ "cookie=0x10000000000000000,actions=drop", "column 8: cookie: at most 18446744073709551615" },
	{ "idle_timeout=x,actions=drop", "column 14: idle_timeout: 'x' is not a number" },
	{ "out_port=1,actions=drop", "column 1: 'out_port' does not go with this command" },
	{ "actions=foo", "column 9: unknown action 'foo'" },
	{ "actions=outptu:1", "column 9: unknown action 'outptu': did you mean 'output'?" },
	{ "actions=output", "column 15: output: a port is missing" },
	{ "actions=output:", "column 16: output: a port is missing" },
	{ "actions=output:eth9", "column 16: output: unknown port 'eth9'" },
	{ "actions=output:reg0[0..99]", "column 20: reg0 has bits 0 to 31" },
	{ "actions=output(port=1,max_len=5)", "column 32: output(port=...,max_len=...): max_len is at least 14" },
	{ "actions=output(port=normal,max_len=50)",
	  "column 38: output(port=...,max_len=...): a port, LOCAL or IN_PORT" },
	{ "actions=output(prot=1,max_len=50)", "column 16: unknown argument of output 'prot': did you mean 'port'?" },
	{ "actions=clone(output:1", "column 1: 'actions' has a parenthesis or quote that does not end" },
	{ "actions=clone(output:1)output:2", "column 24: unexpected 'o' after ')'" },
	{ "actions=output:\"abc", "column 1: 'actions' has a parenthesis or quote that does not end" },
	{ "actions=drop,output:1", "column 9: drop: no other action beside it" },
	{ "actions=drop:1,output:1", "column 9: drop: no other action beside it" },
	{ "actions=goto_table:255", "column 20: goto_table: at most 254" },
	{ "actions=goto_table:1,output:1", "column 22: actions must come before goto_table" },
	{ "actions=output:1,meter:1", "column 18: meter must come before actions" },
	{ "actions=clear_actions,clear_actions", "column 23: clear_actions: only once" },
	{ "actions=write_actions(goto_table:1)", "column 23: 'goto_table' is an instruction: it cannot stand here" },
	{ "actions=apply_actions(apply_actions())",
	  "column 23: 'apply_actions' is an instruction: it cannot stand here" },
	{ "actions=conjunction(1,1/2),output:1", "column 9: conjunction: no other actions beside it but note" },
	{ "actions=conjunction(1,3/2)", "column 23: conjunction: a clause from 1 to 2" },
	{ "actions=conjunction(1,1/65)", "column 25: conjunction: 2 to 64 clauses" },
	{ "actions=conjunction(1)", "column 21: expected conjunction(ID,K/N)" },
	{ "actions=set_field:1", "column 19: expected set_field:VALUE[/MASK]->FIELD" },
	{ "actions=set_field:1->", "column 22: unknown field ''" },
	{ "actions=set_field:1->regg0", "column 22: unknown field 'regg0': did you mean 'reg0'?" },
	{ "actions=set_field:1->eth_type", "column 22: eth_type is read-only" },
	{ "actions=set_field:5/7->mpls_label", "column 19: mpls_label cannot be masked" },
	{ "actions=set_field:1/0->reg0", "column 19: set_field: the mask has no bits" },
	{ "actions=set_field:1->nw_tos", "column 19: nw_tos: a multiple of 4 (the low bits are nw_ecn's)" },
	{ "actions=set_field:1->ct_mark", "column 22: ct_mark: connections are not tracked" },
	{ "actions=load:0x100->reg0[0..7]", "column 14: load: wider than 8 bits" },
	{ "actions=load:1->nw_proto[]", "column 17: nw_proto is read-only" },
	{ "actions=load:1->NXM_NX_RGE0[]", "column 17: unknown field 'NXM_NX_RGE0'" },
	{ "actions=move:reg0[]->xreg0[]", "column 14: move: the source is 32 bits wide, the destination 64" },
	{ "actions=move:reg0[]", "column 14: expected move:FIELD[BITS]->FIELD[BITS]" },
	{ "actions=push:foo[]", "column 14: unknown field 'foo'" },
	{ "actions=pop:eth_type[]", "column 13: eth_type is read-only" },
	{ "actions=mod_dl_src:1", "column 20: '1' is not an Ethernet address" },
	{ "actions=mod_nw_tos:1", "column 20: mod_nw_tos: a multiple of 4 (the low bits are mod_nw_ecn's)" },
	{ "actions=mod_nw_src:1.2.3.4/24", "column 20: mod_nw_src: no mask here" },
	{ "actions=mod_vlan_vid:4096", "column 22: mod_vlan_vid: at most 4095" },
	{ "actions=push_vlan:0x800", "column 19: push_vlan: the Ethernet type of a tag is 0x8100 or 0x88a8" },
	{ "actions=dec_ttl(1,70000)", "column 19: dec_ttl: at most 65535" },
	{ "actions=enqueue:1", "column 17: expected enqueue:PORT:QUEUE or enqueue(PORT,QUEUE)" },
	{ "actions=enqueue:1:x", "column 19: queue: 'x' is not a number" },
	{ "actions=controller(reason=nomatch)", "column 27: unknown reason 'nomatch': did you mean 'no_match'?" },
	{ "actions=controller(resaon=no_match)",
	  "column 20: unknown argument of controller 'resaon': did you mean 'reason'?" },
	{ "actions=controller(userdata=0x)", "column 29: userdata: bytes of two hexadecimal digits each" },
	{ "actions=controller:65536", "column 20: controller: at most 65535" },
	{ "actions=resubmit:", "column 18: resubmit: to a port or to a table" },
	{ "actions=resubmit(,)", "column 18: resubmit: to a port or to a table" },
	{ "actions=resubmit(,1,tc)", "column 21: expected resubmit(PORT,TABLE) or resubmit(PORT,TABLE,ct)" },
	{ "actions=learn(table=255)", "column 21: learn: into one of the tables 0 to 254" },
	{ "actions=learn(tabel=1)", "column 15: unknown argument of learn 'tabel': did you mean 'table'?" },
	{ "actions=learn(foo=1)", "column 15: unknown field 'foo'" },
	{ "actions=learn(load:5)", "column 20: expected load:SOURCE->FIELD[BITS]" },
	{ "actions=learn(load:0x100->reg0[0..7])", "column 20: learn: wider than 8 bits" },
	{ "actions=learn(load:1->eth_type[])", "column 23: eth_type is read-only" },
	{ "actions=learn(reg0[0..3]=reg1[])", "column 26: learn: 32 bits into 4" },
	{ "actions=learn(in_port=eth9)", "column 23: in_port: unknown port 'eth9'" },
	{ "actions=learn(nw_src=10.0.0.0/8)", "column 22: learn: no mask here" },
	{ "actions=learn(result_dst=reg0[0..1])", "column 26: result_dst: one bit of a field that can be written" },
	{ "actions=multipath(eth_src,0,hrw)",
	  "column 19: expected multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARG,FIELD[BITS])" },
	{ "actions=multipath(eth_scr,0,hrw,2,0,reg0[])",
	  "column 19: unknown fields to hash 'eth_scr': did you mean 'eth_src'?" },
	{ "actions=multipath(eth_src,0,hrw,0,0,reg0[])", "column 33: links: 1 to 65536" },
	{ "actions=multipath(eth_src,0,hrw,9,0,reg0[0..2])", "column 37: multipath: 9 links do not fit into 3 bits" },
	{ "actions=bundle(eth_src,0,hrw,ofport)", "column 36: bundle: expected 'members:' and the ports" },
	{ "actions=bundle(eth_src,0,hrw,port,members:1)", "column 30: bundle: members are of type 'ofport'" },
	{ "actions=bundle_load(eth_src,0,hrw,ofport,members:1)", "column 42: unknown field 'members'" },
	{ "actions=fin_timeout(idle=5)", "column 21: unknown argument of fin_timeout 'idle'" },
	{ "actions=note:0", "column 14: note: bytes of two hexadecimal digits each" },
	{ "actions=note:zz", "column 14: note: bytes of two hexadecimal digits each" },
	{ "actions=ct(commit)", "column 12: 'ct' is not an action of this switch" },
	{ "actions=1:2", "column 9: unknown action '1'" },
	{ "actions=strip_vlan:5", "column 20: 'strip_vlan' takes no argument" },
	{ "actions=group:-1", "column 15: group: at most 4294967295" },
};

static void
what_is_wrong_is_said(void **state)
{
	struct of_act_buf acts = { 0 };
	struct of_flow_mod fm;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };

		if (!of_parse_flow_mod(bad[i].in, strlen(bad[i].in), OFFC_ADD, NULL, &acts, &fm, &err))
			fail_msg("%s: accepted", bad[i].in);
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.code, EINVAL);
		assert_int_equal(acts.len, 0);
	}
	of_act_buf_fini(&acts);
}

/* Each prefix of a long line, each byte of it replaced: no crash, and what is accepted prints and reads back. */
static void
damaged_lines_do_no_harm(void **state)
{
	static const char line[] = "table=3,tcp,reg0[0..7]=5,nw_src=10.0.0.0/255.0.0.0,tcp_flags=+syn-ack,actions="
				   "learn(table=1,in_port=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0x1->reg0[0..3],"
				   "output:reg1[]),clone(set_field:10.0.0.1/8->ip_src,multipath(eth_src,0,hrw,2,0,"
				   "reg0[])),bundle(eth_src,0,hrw,ofport,members:1,2),note:01.02,conjunction(1,1/2)";
	static const char junk[] = "\0(),=:/[]-\"\\x\xff 0";
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod fm;
	char *copy;

	(void)state;
	for (size_t n = 0; n <= strlen(line); n++) {
		for (size_t j = 0; j < sizeof junk - 1; j++) {
			copy = malloc(n + 1);
			memcpy(copy, line, n);
			if (n)
				copy[n - 1] = junk[j];
			if (!of_parse_flow_mod(copy, n, OFFC_ADD, NULL, &acts, &fm, NULL)) {
				of_text_clear(&t);
				of_print_flow_mod(&t, &fm, NULL);
			}
			memcpy(copy, line, n);
			free(copy);
			copy = malloc(sizeof line - 1);
			memcpy(copy, line, sizeof line - 1);
			if (n)
				copy[n - 1] = junk[j];
			if (!of_parse_flow_mod(copy, sizeof line - 1, OFFC_ADD, NULL, &acts, &fm, NULL)) {
				of_text_clear(&t);
				of_print_flow_mod(&t, &fm, NULL);
			}
			free(copy);
		}
	}
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

static void
lists_have_limits(void **state)
{
	struct of_act_buf acts = { 0 };
	struct of_text t = { 0 };
	struct of_flow_mod fm;
	struct err err = { 0 };

	(void)state;
	of_text_puts(&t, "actions=");
	for (unsigned i = 0; i < 8; i++)
		of_text_puts(&t, "clone(");
	of_text_puts(&t, "1))))))))");
	assert_int_equal(of_parse_flow_mod(of_text_str(&t), t.len, OFFC_ADD, NULL, &acts, &fm, &err), 0);
	of_text_clear(&t);
	of_text_puts(&t, "actions=");
	for (unsigned i = 0; i < 20000; i++)
		of_text_puts(&t, "clone(");
	for (unsigned i = 0; i < 20000; i++)
		of_text_puts(&t, ")");
	assert_int_equal(of_parse_flow_mod(of_text_str(&t), t.len, OFFC_ADD, NULL, &acts, &fm, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "nested too deep: 8 levels"));
	of_text_clear(&t);
	of_text_puts(&t, "actions=clone(");
	for (unsigned i = 0; i < 5000; i++)
		of_text_puts(&t, "output:1,");
	of_text_puts(&t, ")");
	assert_int_equal(of_parse_flow_mod(of_text_str(&t), t.len, OFFC_ADD, NULL, &acts, &fm, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "too many actions"));
	of_text_clear(&t);
	of_text_puts(&t, "actions=note:");
	for (unsigned i = 0; i < 70000; i++)
		of_text_puts(&t, "00");
	assert_int_equal(of_parse_flow_mod(of_text_str(&t), t.len, OFFC_ADD, NULL, &acts, &fm, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "note: too long"));
	of_text_fini(&t);
	of_act_buf_fini(&acts);
}

static void
packet_outs_have_no_instructions(void **state)
{
	struct of_act_buf acts = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(of_parse_acts("output:1", 8, NULL, false, &acts, &err), 0);
	assert_int_equal(acts.len, sizeof(struct of_act_output));
	assert_int_equal(of_parse_acts("output:2,goto_table:1", 21, NULL, false, &acts, &err), -EINVAL);
	assert_string_equal(err.msg, "column 10: 'goto_table' is an instruction: it cannot stand here");
	assert_int_equal(acts.len, sizeof(struct of_act_output));
	of_act_buf_fini(&acts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_have_the_bridges_names),
		cmocka_unit_test(what_ovs_ofctl_lacks_reads_back),
		cmocka_unit_test(commands_have_their_own_defaults),
		cmocka_unit_test(flow_mods_print_their_filters),
		cmocka_unit_test(files_hold_a_flow_in_each_line),
		cmocka_unit_test(requests_ask_for_flows),
		cmocka_unit_test(rows_show_counters_and_ages),
		cmocka_unit_test(keys_are_packets),
		cmocka_unit_test(printed_keys_read_back),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(damaged_lines_do_no_harm),
		cmocka_unit_test(lists_have_limits),
		cmocka_unit_test(packet_outs_have_no_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
