/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel ports whose ends are set per flow: what rules and the learning switch make of them. */
#include "tests/ofproto/pipesim.h"
#include "tunnels/tun.h"

enum { VX = 20, UPLINK = 9, DST_A = 7, DST_B = 8 };

static struct ipaddr
ip(const char *text)
{
	struct ipaddr a = { { 0 } };

	if (text)
		assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* A learned destination comes (next hop known), or goes. */
static void
learned(uint32_t dst, const char *remote, const char *asked)
{
	struct ofp_tun_path p = { .port = VX, .asked = ip(asked), .underlay_port = UPLINK, .src = sim_mac(0x100),
				  .next_hop = sim_mac(0x200), .local = ip(asked ? asked : "172.16.0.1"), .remote = ip(remote) };

	ofp_set_tun_path(s->ofp, dst, remote ? &p : &(struct ofp_tun_path){ 0 });
	sim_commit(s);
}

static void
tunnel(const struct ofp_tun_flow *f)
{
	sim_port_kind(s, br, VX, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_flow(s->ofp, VX, f);
	sim_commit(s);
}

static int
flow_setup(void **state)
{
	setup(state);
	tunnel(&(struct ofp_tun_flow){ .remote = true, .local = true, .key = true, .flood_learned = true });
	return 0;
}

/* A packet of the tunnel port from destination 'dst'. */
static struct flow_key
from_tunnel(uint32_t dst, uint64_t key)
{
	struct flow_key k = sim_key(VX, 2, 1, NO_TAG);

	k.flags = FLOW_F_TUNNEL;
	k.tun_peer = dst;
	k.tun_id = be64(key);
	return k;
}

static void
rules_say_where_and_with_which_key(void **state)
{
	struct xlate_out was;

	(void)state;
	flow("in_port=1,actions=set_field:172.16.0.2->tun_dst,set_field:0x2a->tun_id,output:20");
	EXPECT("in_port=1", "tun_set(tun_id=0x2a,dst=172.16.0.2) tun20/0");
	EXPECT_MASK("in_port=1");
	was = s->out;
	learned(DST_A, "172.16.0.2", NULL);
	/* What has asked for it looks again. */
	assert_true(sim_is_marked(s, &was, s->epoch - 1));
	EXPECT("in_port=1", "tun_set(tun_id=0x2a) tun20/7 9");
	was = s->out;
	/* That is no concern of others. */
	learned(DST_B, "172.16.0.3", NULL);
	assert_false(sim_is_marked(s, &was, s->epoch - 1));
	learned(DST_A, NULL, NULL);
	assert_true(sim_is_marked(s, &was, s->epoch - 1));
	EXPECT("in_port=1", "tun_set(tun_id=0x2a,dst=172.16.0.2) tun20/0");
}

static void
rules_say_from_which_address(void **state)
{
	(void)state;
	flow("in_port=1,actions=set_field:172.16.0.2->tun_dst,set_field:172.16.0.11->tun_src,output:20");
	learned(DST_A, "172.16.0.2", NULL);
	EXPECT("in_port=1", "tun_set(tun_id=0x0,dst=172.16.0.2,src=172.16.0.11) tun20/0");
	learned(DST_B, "172.16.0.2", "172.16.0.11");
	EXPECT("in_port=1", "tun_set(tun_id=0x0) tun20/8 9");
	flow("in_port=2,actions=set_field:2001:db8::2->tun_ipv6_dst,output:20");
	EXPECT("in_port=2", "tun_set(tun_id=0x0,dst=2001:db8::2) tun20/0");
	/* What the port's settings say goes before what rules say. */
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .remote = true, .fixed_local = ip("172.16.0.1") });
	EXPECT("in_port=1", "tun_set(dst=172.16.0.2,src=172.16.0.1) tun20/0");
	learned(DST_A, "172.16.0.2", "172.16.0.1");
	EXPECT("in_port=1", "tun20/7 9");
}

static void
each_output_has_its_own(void **state)
{
	(void)state;
	learned(DST_A, "172.16.0.2", NULL);
	learned(DST_B, "172.16.0.3", NULL);
	flow("in_port=1,actions=set_field:172.16.0.2->tun_dst,set_field:1->tun_id,output:20,set_field:172.16.0.3->tun_dst,"
	     "set_field:2->tun_id,output:20,output:2");
	EXPECT("in_port=1", "{tun_set(tun_id=0x1) tun20/7 9} {tun_set(tun_id=0x2) tun20/8 9} 2");
}

static void
without_an_address_all_that_are_learned_get_it(void **state)
{
	(void)state;
	flow("in_port=1,actions=set_field:5->tun_id,output:20");
	EXPECT("in_port=1", "tun_set(tun_id=0x5) tun_flood(20)");
	/* Only ends that are listed. */
	learned(DST_A, "172.16.0.2", NULL);
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .remote = true });
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_A }, 1);
	EXPECT("in_port=1", "tun20/7 9");
	ofp_port_set_tun_dsts(s->ofp, VX, NULL, 0);
	EXPECT("in_port=1", "no-dest");
}

static void
rules_match_who_sent_it(void **state)
{
	struct flow_key k = from_tunnel(DST_A, 0x2a);

	(void)state;
	learned(DST_A, "172.16.0.2", "172.16.0.11");
	learned(DST_B, "2001:db8::2", "2001:db8::1");
	flow("priority=3,tun_id=0x2a,tun_src=172.16.0.2,tun_dst=172.16.0.11,actions=output:1");
	flow("priority=2,tun_ipv6_src=2001:db8::2,tun_ipv6_dst=2001:db8::1,actions=output:2");
	flow("priority=1,actions=output:3");
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "1");
	assert_true(s->out.mask.tun_id == UINT64_MAX);
	assert_int_equal(s->out.mask.tun_peer, 0xffffffff);
	/* The addresses are the destination's. */
	learned(DST_A, "172.16.0.4", "172.16.0.11");
	assert_true(sim_is_marked(s, &s->out, s->epoch - 1));
	assert_string_equal(sim_xlate(s, &k), "3");
	k = from_tunnel(DST_B, 1);
	assert_string_equal(sim_xlate(s, &k), "2");
	k = from_tunnel(0, 1);
	assert_string_equal(sim_xlate(s, &k), "3");
}

static void
a_packet_takes_its_key_along(void **state)
{
	struct flow_key k = from_tunnel(DST_A, 0x77);

	(void)state;
	learned(DST_A, "172.16.0.2", NULL);
	learned(DST_B, "172.16.0.3", NULL);
	flow("in_port=20,actions=set_field:172.16.0.3->tun_dst,in_port");
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "tun_set(tun_id=0x77) tun20/8 9");
	assert_true(s->out.mask.tun_id == UINT64_MAX);
}

static void
the_learning_switch_learns_the_remote_too(void **state)
{
	struct flow_key in = from_tunnel(DST_A, 42), out = sim_key(1, 1, 2, NO_TAG), all = sim_key(1, 1, BCAST, NO_TAG);

	(void)state;
	ofp_of_reset(s->ofp, br, false);
	learned(DST_A, "172.16.0.2", NULL);
	assert_string_equal(sim_xlate(s, &all), "2 3 4 5 6 7 8 9 tun_flood(20)");
	sim_learn(s, &in);
	assert_string_equal(sim_xlate(s, &out), "tun20/7 9");
	/* It moves to another host. */
	learned(DST_B, "172.16.0.3", NULL);
	in.tun_peer = DST_B;
	sim_learn(s, &in);
	assert_string_equal(sim_xlate(s, &out), "tun20/8 9");
	/* A remote that is forgotten takes along whoever was behind it. */
	learned(DST_B, NULL, NULL);
	assert_string_equal(sim_xlate(s, &out), "2 3 4 5 6 7 8 9 tun_flood(20)");
	assert_int_equal(ofp_port_n_macs(s->ofp, VX), 0);
	/* Who has no number teaches nothing, and neither does another port's. */
	in.tun_peer = 0x3fff;
	sim_xlate(s, &in);
	assert_false(s->out.learn.wanted);
}

static void
what_must_not_be_learned_is_not(void **state)
{
	struct flow_key in = from_tunnel(DST_A, 42), out = sim_key(1, 1, 2, NO_TAG);

	(void)state;
	learned(DST_A, "172.16.0.2", NULL);
	/* By the learning switch, or by a rule that has it decide. */
	for (unsigned i = 0; i < 2; i++) {
		ofp_of_reset(s->ofp, br, !i);
		if (!i)
			flow("in_port=20,actions=normal");
		sim_commit(s);
		in.flags |= FLOW_F_NO_LEARN;
		sim_xlate(s, &in);
		assert_false(s->out.learn.wanted);
		/* The next packet may be another. */
		assert_true(s->out.mask.flags & FLOW_F_NO_LEARN);
		in.flags &= (uint8_t)~FLOW_F_NO_LEARN;
		sim_xlate(s, &in);
		assert_true(s->out.learn.wanted);
		sim_learn(s, &in);
		assert_int_not_equal(s->out.touch, 0);
		/* It does not keep anybody alive either, and goes where it would. */
		in.flags |= FLOW_F_NO_LEARN;
		assert_string_equal(sim_xlate(s, &in), "1 2 3 4 5 6 7 8 9");
		assert_true(s->out.touch == 0);
		assert_int_equal(ofp_mac_flush(s->ofp, br, 0, -1), 1);
	}
	sim_xlate(s, &out);
	assert_int_equal(s->out.mask.flags & FLOW_F_NO_LEARN, 0);
}

/* Two types, one of which has group policies. */
static const struct tun_field vxlan_fields[] = { { "tun_gbp_id", 0, 2 }, { "tun_gbp_flags", 2, 1 }, { NULL, 0, 0 } };
static const struct tun_type vxlan = { .name = "vxlan", .fields = vxlan_fields };
static const struct tun_type other = { .name = "other" };

static void
rules_match_and_set_group_policies(void **state)
{
	struct ofp_tun_flow vx = { .type = &vxlan };
	struct flow_key k = from_tunnel(DST_A, 42);

	(void)state;
	ofp_port_set_tun_flow(s->ofp, VX, &vx);
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_A }, 1);
	flow("priority=3,tun_gbp_id=0x1234,tun_gbp_flags=0x48,actions=output:1");
	flow("priority=2,tun_gbp_id=0x1234,actions=output:2");
	flow("priority=1,actions=output:3");
	flow("priority=9,in_port=1,actions=set_field:0x1234->tun_gbp_id,output:20,output:2");
	flow("priority=9,in_port=2,actions=load:8->NXM_NX_TUN_GBP_FLAGS[],output:20");
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "3");
	memcpy(k.tun_ext, "\x12\x34\x08", 3);
	assert_string_equal(sim_xlate(s, &k), "2");
	assert_memory_equal(s->out.mask.tun_ext, "\xff\xff\xff\0", 4);
	memcpy(k.tun_ext, "\x12\x34\x48", 3);
	assert_string_equal(sim_xlate(s, &k), "1");
	EXPECT("in_port=1", "{tun_set(ext=1234--------------------) tun20/7} 2");
	EXPECT("in_port=2", "tun_set(ext=----08------------------) tun20/7");
	/* Not by types that have none. */
	vx.type = &other;
	ofp_port_set_tun_flow(s->ofp, VX, &vx);
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "3");
	EXPECT("in_port=2", "tun20/7");
}

static const struct tun_type geneve = { .name = "geneve", .caps = TUN_CAP_OPTIONS };

/* Options 0xffff/0x80 of four bytes and 0x102/1 of eight are fields 0 and 3. */
static void
map_options(void)
{
	struct tlv_row row[TLV_MAX] = {
		[0] = { .class = 0xffff, .type = 0x80, .len = 4 }, [3] = { .class = 0x102, .type = 1, .len = 8 },
	};

	ofp_set_tlvs(s->ofp, br, row);
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .type = &geneve });
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_A }, 1);
}

static const char *
with_options(const void *opts, uint32_t len)
{
	static const uint8_t frame[64];
	const struct xlate_pkt pkt = { .data = frame, .contig = 64, .len = 64, .opts = opts, .opts_len = len };
	struct flow_key k = from_tunnel(DST_A, 42);

	sim_commit(s);
	memset(&s->out, 0, offsetof(struct xlate_out, refs));
	s->out.acts.n = 0;
	ofp_xlate.translate(s->view, &k, &pkt, &s->out);
	sim_print(s->out.acts.a, s->out.acts.n, s->text, sizeof s->text);
	return s->out.acts.n ? s->text : dp_drop_info[s->out.drop].name;
}

static void
rules_match_options(void **state)
{
	static const uint8_t both[] = { 0x01, 0x02, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0x80, 1, 0, 0, 0x12, 0x34 };
	static const uint8_t zero[] = { 0xff, 0xff, 0x80, 1, 0, 0, 0, 0 };
	static const uint8_t longer[] = { 0xff, 0xff, 0x80, 2, 0, 0, 0x12, 0x34, 0, 0, 0, 0 };
	const struct tlv_table *t;
	struct flow_key m = { 0 };

	(void)state;
	assert_int_equal(flow_mod_on(br, OFFC_ADD, "tun_metadata0=1,actions=drop"), OFE_NXFMFC_INVALID_TLV_FIELD);
	assert_int_equal(flow_mod_on(br, OFFC_ADD, "actions=set_field:1->tun_metadata3"), OFE_NXFMFC_INVALID_TLV_FIELD);
	assert_int_equal(flow_mod_on(br, OFFC_ADD, "actions=move:NXM_NX_TUN_METADATA3[0..7]->NXM_NX_REG0[0..7]"),
			 OFE_NXFMFC_INVALID_TLV_FIELD);
	map_options();
	/* A learning switch knows them, and looks at none. */
	ofp_of_reset(s->ofp, br, false);
	sim_commit(s);
	t = ofp_xlate.port_opts(s->view, VX);
	assert_non_null(t);
	assert_false(t->examined);
	ofp_of_reset(s->ofp, br, true);
	flow("priority=9,tun_metadata0=0x1234,tun_metadata3=0x0102030405060708,actions=output:1");
	flow("priority=8,tun_metadata3=0x0700/0xff00,actions=output:2");
	flow("priority=7,tun_metadata0,actions=output:3");
	flow("priority=1,actions=output:4");
	assert_string_equal(with_options(both, sizeof both), "1");
	/* The key's digest is what the flow depends on, and the packet path knows of what. */
	assert_int_equal(s->out.mask.tun_ext[11], 0xff);
	assert_false(s->out.no_cache);
	ofp_xlate.port_mask(s->view, VX, &m);
	assert_int_equal(m.tun_ext[11], 0xff);
	t = ofp_xlate.port_opts(s->view, VX);
	assert_true(t->examined && t->row[0].examined && t->row[3].examined && !t->row[1].examined);
	assert_string_equal(with_options(both, 12), "2");
	assert_string_equal(with_options(both + 12, 8), "3");
	assert_string_equal(with_options(zero, sizeof zero), "3");
	assert_string_equal(with_options(NULL, 0), "4");
	assert_string_equal(with_options(longer, sizeof longer), "4");
	/* Other ports' packets have none, and depend on none. */
	EXPECT("in_port=1", "4");
	EXPECT_MASK("in_port=1");
	ofp_xlate.port_mask(s->view, 1, &m);
	assert_null(ofp_xlate.port_opts(s->view, 300));
}

static void
controllers_hear_of_options_that_were_looked_at(void **state)
{
	static const uint8_t both[] = { 0x01, 0x02, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0x80, 1, 0, 0, 0x12, 0x34 };
	const struct tlv_table *t;
	struct of_punt p;

	(void)state;
	map_options();
	flow("in_port=20,actions=controller");
	with_options(both, sizeof both);
	p = punt(0);
	/* The flow is for packets with others as well. */
	assert_int_equal(s->out.mask.tun_ext[0], 0);
	assert_int_equal(p.meta.tun_md_present, 0);
	assert_true(p.meta.tun_md[0] == 0 && p.meta.tun_md[3] == 0);
	/* To move bits is to look at them. */
	flow("in_port=20,actions=move:NXM_NX_TUN_METADATA0[0..15]->NXM_NX_REG0[0..15],controller");
	with_options(both, sizeof both);
	p = punt(0);
	assert_int_equal(s->out.mask.tun_ext[0], 0xff);
	assert_true(p.meta.reg[0] == be32(0x1234));
	assert_true(p.meta.tun_md[0] == be64(0x1234) && p.meta.tun_md[3] == 0);
	t = ofp_xlate.port_opts(s->view, VX);
	/* As the keys have it, which must have all that any action may read. */
	assert_true(t->row[0].examined && t->row[3].examined && !t->row[1].examined);
	assert_true(t->row[0].mask[7] == 0xff);
}

static void
rules_put_options_into_packets(void **state)
{
	(void)state;
	map_options();
	flow("in_port=1,actions=set_field:0x1234->tun_metadata0,output:20,load:0x5->tun_metadata3[8..15],output:20");
	EXPECT("in_port=1", "{tun_set(geneve({class=0xffff,type=0x80,0x00001234})) tun20/7} "
	       "tun_set(geneve({class=0xffff,type=0x80,0x00001234}),geneve({class=0x102,type=0x1,0x0000000000000500})) tun20/7");
	flow("in_port=2,actions=set_field:0x1234->reg0,move:NXM_NX_REG0[0..15]->NXM_NX_TUN_METADATA0[16..31],output:20");
	EXPECT("in_port=2", "tun_set(geneve({class=0xffff,type=0x80,0x12340000})) tun20/7");
	/* What was set is there for later tables, and what came in does not go out again. */
	flow("in_port=3,actions=set_field:0->tun_metadata0,goto_table:1");
	flow("table=1,tun_metadata0=0,actions=output:5");
	EXPECT("in_port=3", "5");
	flow("in_port=20,actions=in_port");
	assert_string_equal(with_options("\xff\xff\x80\1\0\0\0\0", 8), "tun20/7");
	/* A type without options has none. */
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .type = &other });
	EXPECT("in_port=2", "tun20/7");
}

/* The codec has no better code for them than ours. */
static void
rules_match_and_set_tos_and_ttl(void **state)
{
	struct flow_key k = from_tunnel(DST_A, 42), m = { 0 };

	(void)state;
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .type = &other });
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_A }, 1);
	flow("priority=3,tun_tos=0xb8/0xfc,tun_ttl=64,actions=output:1");
	flow("priority=1,actions=output:3");
	flow("priority=9,in_port=1,actions=set_field:0xb8->tun_tos,set_field:9->tun_ttl,output:20");
	flow("priority=9,in_port=2,actions=load:0x2e->tun_tos[2..7],output:20");
	sim_commit(s);
	k.tun_tos = 0xb9;
	k.tun_ttl = 64;
	assert_string_equal(sim_xlate(s, &k), "1");
	assert_int_equal(s->out.mask.tun_tos, 0xfc);
	assert_int_equal(s->out.mask.tun_ttl, 0xff);
	k.tun_ttl = 65;
	assert_string_equal(sim_xlate(s, &k), "3");
	EXPECT("in_port=1", "tun_set(tos=184,ttl=9) tun20/7");
	EXPECT("in_port=2", "tun_set(tos=184) tun20/7");
	/* What came in goes out no further. */
	flow("priority=9,in_port=20,actions=in_port");
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "tun20/7");
	assert_int_equal(s->out.mask.tun_ttl, 0);
	/* An action may want them without any rule. */
	ofp_xlate.port_mask(s->view, VX, &m);
	assert_int_equal(m.tun_tos, 0xff);
	assert_int_equal(m.tun_ttl, 0xff);
}

/* br0 --30--31-- br1 --VX */
static void
what_is_asked_of_tunnels_ends_with_the_bridge(void **state)
{
	uint16_t br1 = sim_bridge(s, "br1");

	(void)state;
	sim_port_kind(s, br, 30, OFP_PORT_PATCH, "");
	sim_port_kind(s, br1, 31, OFP_PORT_PATCH, "");
	sim_patch(s, 30, 31);
	ofp_port_del(s->ofp, VX);
	sim_port_kind(s, br1, VX, OFP_PORT_TUNNEL, "");
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .type = &vxlan });
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_A }, 1);
	ofp_of_reset(s->ofp, br1, true);
	flow("in_port=1,actions=set_field:0xb8->tun_tos,set_field:9->tun_gbp_id,set_field:+oam->tun_flags,output:30");
	flow_on(br1, "actions=output:20");
	EXPECT("in_port=1", "tun20/7");
	flow_on(br1, "actions=set_field:5->tun_ttl,output:20");
	EXPECT("in_port=1", "tun_set(ttl=5) tun20/7");
}

/* Messages for the endpoint: to no port, unless a rule has asked for such. */
static void
control_messages_go_where_a_rule_asks_for_them(void **state)
{
	struct flow_key k = from_tunnel(DST_A, 42);
	const struct tlv_table *t;

	(void)state;
	ofp_port_set_tun_flow(s->ofp, VX, &(struct ofp_tun_flow){ .type = &geneve });
	flow("priority=1,in_port=20,actions=output:1,controller,normal");
	sim_commit(s);
	assert_null(ofp_xlate.port_opts(s->view, VX));
	flow("priority=5,in_port=20,udp,udp_dst=9,tun_flags=+oam,actions=output:2");
	sim_commit(s);
	t = ofp_xlate.port_opts(s->view, VX);
	assert_non_null(t);
	assert_true(t->oam && !t->examined);
	sim_xlate(s, &k);
	assert_int_equal(s->out.mask.tun_flags, TUN_F_OAM);
	assert_int_equal(strncmp(s->text, "1 ", 2) & strncmp(s->text, "{1", 2), 0);
	k.tun_flags = TUN_F_OAM;
	sim_xlate(s, &k);
	assert_int_equal(s->out.mask.tun_flags, TUN_F_OAM);
	assert_non_null(strstr(s->text, "punt"));
	assert_null(strchr(s->text, '1'));
	flow("priority=6,in_port=20,tun_flags=+oam,actions=output:3,normal");
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "3 1 2 3 4 5 6 7 8 9");
	k.tun_flags = 0;
	sim_xlate(s, &k);
	assert_non_null(strstr(s->text, "punt"));
	/* A learning switch asks nothing. */
	ofp_of_reset(s->ofp, br, false);
	sim_commit(s);
	assert_null(ofp_xlate.port_opts(s->view, VX));
}

static void
rules_may_give_the_learning_switch_a_key(void **state)
{
	(void)state;
	flow("in_port=1,actions=set_field:9->tun_id,normal");
	EXPECT("in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff",
	       "2 3 4 5 6 7 8 9 tun_set(tun_id=0x9) tun_flood(20)");
}

static const struct opt_map map = { 2, { { 10, 1, 5010 }, { 20, 10, 5020 } } };

/* VLANs 10 and 20 to 29 are keys; ports 1 and 2 are in VLANs 10 and 20, the trunks 3 to 9 are off. */
static void
mapped(const struct ofp_tun_flow *f)
{
	ofp_of_reset(s->ofp, br, false);
	sim_port_set(s, 1, "tag=10");
	sim_port_set(s, 2, "tag=20");
	for (uint16_t i = 3; i <= 8; i++)
		ofp_port_set_up(s->ofp, i, false);
	ofp_port_del(s->ofp, UPLINK);
	ofp_port_set_tun_flow(s->ofp, VX, f);
	sim_commit(s);
}

static const char *
flooded(uint16_t from)
{
	struct flow_key k = sim_key(from, from, BCAST, NO_TAG);

	sim_commit(s);
	sim_xlate(s, &k);
	return s->out.acts.n ? s->text : dp_drop_info[s->out.drop].name;
}

static void
floods_go_where_the_vlan_was_heard(void **state)
{
	struct ofp_tun_flow f = { .remote = true, .key = true, .vlans = &map, .flood_heard = true };
	struct flow_key k = from_tunnel(DST_A, 5010);
	struct xlate_out was;

	(void)state;
	mapped(&f);
	learned(DST_A, "172.16.0.2", NULL);
	learned(DST_B, "172.16.0.3", NULL);
	/* Nobody has said anything yet. */
	assert_string_equal(flooded(1), "no-dest");
	was = s->out;
	sim_learn(s, &k);
	assert_true(sim_is_marked(s, &was, s->epoch - 1));
	assert_string_equal(flooded(1), "tun_set(tun_id=0x1392) tun20/7 9");
	assert_string_equal(flooded(2), "no-dest");
	/* Another address there changes nothing; one of another VLAN does. */
	was = s->out;
	k = sim_key(VX, 3, 1, NO_TAG);
	k.flags = FLOW_F_TUNNEL;
	k.tun_peer = DST_A;
	k.tun_id = be64(5010);
	sim_learn(s, &k);
	assert_false(sim_is_marked(s, &was, s->epoch - 1));
	k = from_tunnel(DST_B, 5020);
	sim_learn(s, &k);
	assert_string_equal(flooded(2), "tun_set(tun_id=0x139c) tun20/8 9");
	assert_string_equal(flooded(1), "tun_set(tun_id=0x1392) tun20/7 9");
	/* The guest moves to the other host; the one it left had another there. */
	k = from_tunnel(DST_B, 5010);
	sim_learn(s, &k);
	assert_string_equal(flooded(1), "{tun_set(tun_id=0x1392) tun20/7 9} tun_set(tun_id=0x1392) tun20/8 9");
	/* What is forgotten gets no floods any more. */
	ofp_mac_flush(s->ofp, br, 0, 10);
	assert_string_equal(flooded(1), "no-dest");
	assert_string_equal(flooded(2), "tun_set(tun_id=0x139c) tun20/8 9");
	learned(DST_B, NULL, NULL);
	assert_string_equal(flooded(2), "no-dest");
	/* Those that are listed always get them, once. */
	learned(DST_B, "172.16.0.3", NULL);
	ofp_port_set_tun_dsts(s->ofp, VX, &(uint32_t){ DST_B }, 1);
	k = from_tunnel(DST_B, 5020);
	sim_commit(s);
	sim_learn(s, &k);
	assert_string_equal(flooded(2), "tun_set(tun_id=0x139c) tun20/8 9");
	assert_string_equal(flooded(1), "tun_set(tun_id=0x1392) tun20/8 9");
	/* Without the option all that are learned. */
	f.flood_heard = false;
	f.flood_learned = true;
	ofp_port_set_tun_flow(s->ofp, VX, &f);
	ofp_port_set_tun_dsts(s->ofp, VX, NULL, 0);
	assert_string_equal(flooded(2), "tun_set(tun_id=0x139c) tun_flood(20)");
}

static void
vlans_that_leave_the_map_are_forgotten(void **state)
{
	struct opt_map other_map = { 1, { { 20, 1, 5020 } } };
	struct ofp_tun_flow f = { .remote = true, .key = true, .vlans = &map, .flood_learned = true };
	struct flow_key k = from_tunnel(DST_A, 5010), m = { 0 };
	struct err e = { 0 };

	(void)state;
	mapped(&f);
	learned(DST_A, "172.16.0.2", NULL);
	sim_learn(s, &k);
	assert_int_equal(ofp_port_n_macs(s->ofp, VX), 1);
	ofp_xlate.port_mask(s->view, VX, &m);
	assert_true(m.tun_id == UINT64_MAX);
	/* The map is copied, and views keep theirs. */
	f.vlans = &other_map;
	ofp_port_set_tun_flow(s->ofp, VX, &f);
	assert_int_equal(ofp_port_n_macs(s->ofp, VX), 0);
	sim_commit(s);
	assert_string_equal(sim_xlate(s, &k), "");
	assert_int_equal(s->out.drop, DROP_VLAN);
	assert_true(s->out.mask.tun_id == UINT64_MAX);
	assert_int_not_equal(ofp_mac_add(s->ofp, br, 10, sim_mac(9), VX, &e), 0);
	assert_int_equal(ofp_mac_add(s->ofp, br, 20, sim_mac(9), VX, &e), 0);
	f.vlans = NULL;
	ofp_port_set_tun_flow(s->ofp, VX, &f);
	sim_commit(s);
	sim_xlate(s, &k);
	assert_true(s->out.mask.tun_id == 0);
}

static void
ports_come_and_go_with_what_they_learned(void **state)
{
	(void)state;
	learned(DST_A, "172.16.0.2", NULL);
	ofp_port_del(s->ofp, VX);
	sim_commit(s);
	/* In either order. */
	learned(DST_A, NULL, NULL);
	learned(DST_B, "172.16.0.3", NULL);
	tunnel(&(struct ofp_tun_flow){ .remote = true });
	flow("in_port=1,actions=set_field:172.16.0.3->tun_dst,output:20");
	EXPECT("in_port=1", "tun20/8 9");
}

static void
traces_know_remotes_without_a_number(void **state)
{
	struct oflow f;
	char *text;

	(void)state;
	flow("priority=3,tun_id=0x2a,tun_src=172.16.0.2,actions=output:1");
	sim_commit(s);
	f = key_flow("in_port=20,tun_id=0x2a,tun_src=172.16.0.2,tun_dst=172.16.0.1");
	text = ofp_trace(s->ofp, br, &f, NULL, 0, NULL, NULL);
	if (!strstr(text, "datapath actions: output:1\n"))
		fail_msg("%s", text);
	free(text);
	f = key_flow("in_port=20,tun_id=0x2a,tun_src=172.16.0.3,tun_dst=172.16.0.1");
	text = ofp_trace(s->ofp, br, &f, NULL, 0, NULL, NULL);
	assert_non_null(strstr(text, "tun_src differs"));
	free(text);
}

int
main(void)
{
#define FLOW_TEST(f) cmocka_unit_test_setup_teardown(f, flow_setup, teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(rules_say_where_and_with_which_key),
		FLOW_TEST(rules_say_from_which_address),
		FLOW_TEST(each_output_has_its_own),
		FLOW_TEST(without_an_address_all_that_are_learned_get_it),
		FLOW_TEST(rules_match_who_sent_it),
		FLOW_TEST(a_packet_takes_its_key_along),
		FLOW_TEST(the_learning_switch_learns_the_remote_too),
		FLOW_TEST(what_must_not_be_learned_is_not),
		FLOW_TEST(rules_match_and_set_group_policies),
		FLOW_TEST(rules_match_options),
		FLOW_TEST(controllers_hear_of_options_that_were_looked_at),
		FLOW_TEST(rules_put_options_into_packets),
		FLOW_TEST(rules_match_and_set_tos_and_ttl),
		FLOW_TEST(what_is_asked_of_tunnels_ends_with_the_bridge),
		FLOW_TEST(control_messages_go_where_a_rule_asks_for_them),
		FLOW_TEST(rules_may_give_the_learning_switch_a_key),
		FLOW_TEST(floods_go_where_the_vlan_was_heard),
		FLOW_TEST(vlans_that_leave_the_map_are_forgotten),
		FLOW_TEST(ports_come_and_go_with_what_they_learned),
		FLOW_TEST(traces_know_remotes_without_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
