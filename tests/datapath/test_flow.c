/* SPDX-License-Identifier: Apache-2.0 */
/* Text of flow keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/flow.h"

static struct flow_key k, m;

static int
setup(void **state)
{
	(void)state;
	memset(&k, 0, sizeof k);
	memset(&m, 0, sizeof m);
	return 0;
}

static const char *
name_of(void *arg, uint16_t port)
{
	(void)arg;
	return port == 2 ? "vm2" : NULL;
}

static void
assert_text(const char *want)
{
	char buf[1024];

	assert_int_equal(flow_format(&k, &m, name_of, NULL, buf, sizeof buf), strlen(want));
	assert_string_equal(buf, want);
}

#define SET(field, value) (k.field = (value), memset(&m.field, 0xff, sizeof m.field))

static void
set_ip(struct flow_key *key, bool src, const char *s)
{
	struct ipaddr a;

	assert_int_equal(ip_parse(s, &a), 0);
	memcpy(src ? key->ipv6_src : key->ipv6_dst, &a, 16);
}

static void
nothing_examined_says_nothing(void **state)
{
	(void)state;
	memset(&k, 0xff, sizeof k);
	assert_text("");
}

static void
what_a_learning_switch_examines(void **state)
{
	(void)state;
	SET(in_port, 2);
	SET(vlan[0].tpid, be16(0x8100));
	k.vlan[0].tci = be16(0x600a);
	m.vlan[0].tci = be16(0x0fff);
	SET(dl_src, ((struct mac){ { 2, 0, 0, 0, 0, 1 } }));
	SET(dl_dst, ((struct mac){ { 2, 0, 0, 0, 0, 0xfe } }));
	assert_text("in_port=vm2,dl_vlan=10,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:fe");
	k.in_port = 7;
	m.dl_dst = (struct mac){ { 1 } };
	memset(&m.vlan, 0, sizeof m.vlan);
	assert_text("in_port=7,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:fe/01:00:00:00:00:00");
}

static void
each_way_to_look_at_tags(void **state)
{
	(void)state;
	SET(vlan[0].tpid, 0);
	SET(vlan[0].tci, 0);
	assert_text("vlan_tci=0x0000");
	SET(vlan[0].tpid, be16(0x8100));
	SET(vlan[0].tci, be16(0xb00a));
	assert_text("dl_vlan=10,dl_vlan_pcp=5,vlan_dei=1");
	m.vlan[0].tci = 0;
	assert_text("vlan_tci=0x1000/0x1000");
	m.vlan[0].tci = be16(0xe00f);
	assert_text("dl_vlan=0xa/0xf,dl_vlan_pcp=5");
	SET(vlan[0].tpid, be16(0x88a8));
	m.vlan[0].tci = be16(0x0fff);
	SET(vlan[1].tpid, be16(0x8100));
	SET(vlan[1].tci, be16(20));
	m.vlan[1].tci = be16(0x0fff);
	assert_text("vlan_tpid=0x88a8,dl_vlan=10,dl_vlan2=20");
	SET(vlan[1].tpid, 0);
	assert_text("vlan_tpid=0x88a8,dl_vlan=10,vlan_tci2=0x0000");
}

static void
ipv4_with_prefixes_and_odd_masks(void **state)
{
	(void)state;
	SET(dl_type, be16(0x0800));
	SET(flags, FLOW_F_IPV4);
	m.flags = FLOW_F_IPV4 | FLOW_F_IPV6;
	k.nw_src = be32(0x0a000001);
	m.nw_src = be32(0xffffffff);
	k.nw_dst = be32(0x0a010000);
	m.nw_dst = be32(0xffff0000);
	SET(nw_tos, 0xb9);
	SET(nw_ttl, 64);
	assert_text("ip,nw_src=10.0.0.1,nw_dst=10.1.0.0/16,nw_tos=184,nw_ecn=1,nw_ttl=64");
	m.nw_dst = be32(0xff00ff00);
	m.nw_src = 0;
	m.nw_tos = m.nw_ttl = 0;
	SET(nw_proto, 47);
	assert_text("ip,nw_proto=47,nw_dst=10.1.0.0/255.0.255.0");
}

static void
tcp_flags_and_ports(void **state)
{
	(void)state;
	SET(dl_type, be16(0x0800));
	SET(nw_proto, 6);
	SET(tp_src, be16(1024));
	m.tp_src = be16(0xfc00);
	SET(tp_dst, be16(80));
	k.tcp_flags = be16(0x012);
	m.tcp_flags = be16(0x006);
	assert_text("tcp,tp_src=0x400/0xfc00,tp_dst=80,tcp_flags=+syn-rst");
	k.dl_type = be16(0x86dd);
	m.tcp_flags = m.tp_src = m.tp_dst = 0;
	assert_text("tcp6");
	k.nw_proto = 17;
	assert_text("udp6");
	k.nw_proto = 1;
	assert_text("ipv6,nw_proto=1");
	k.dl_type = be16(0x0800);
	k.nw_proto = 132;
	assert_text("sctp");
}

static void
icmp_of_both_families(void **state)
{
	(void)state;
	SET(dl_type, be16(0x0800));
	SET(nw_proto, 1);
	SET(tp_src, be16(8));
	SET(tp_dst, 0);
	assert_text("icmp,icmp_type=8,icmp_code=0");
	k.dl_type = be16(0x86dd);
	k.nw_proto = 58;
	k.tp_src = be16(135);
	set_ip(&k, true, "fe80::1");
	memset(m.ipv6_src, 0xff, 16);
	set_ip(&k, false, "2001:db8::");
	memset(m.ipv6_dst, 0xff, 4);
	memcpy(k.nd_target, k.ipv6_src, 16);
	memset(m.nd_target, 0xff, 16);
	SET(ipv6_label, be32(0x12345));
	m.ipv6_label = be32(0xfffff);
	assert_text("icmp6,ipv6_src=fe80::1,ipv6_dst=2001:db8::/32,ipv6_label=0x12345,nd_target=fe80::1,"
		    "icmp_type=135,icmp_code=0");
}

static void
arp_has_its_own_words(void **state)
{
	(void)state;
	SET(dl_type, be16(0x0806));
	SET(nw_proto, 2);
	SET(nw_src, be32(0x0a000001));
	SET(nw_dst, be32(0x0a000002));
	SET(arp.sha, ((struct mac){ { 2, 0, 0, 0, 0, 1 } }));
	SET(arp.tha, ((struct mac){ { 2, 0, 0, 0, 0, 2 } }));
	assert_text("arp,arp_op=2,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_sha=02:00:00:00:00:01,"
		    "arp_tha=02:00:00:00:00:02");
}

static void
a_backbone_frame_shows_its_service(void **state)
{
	(void)state;
	SET(dl_type, be16(0x88e7));
	SET(pbb_itag, be32(0x68abcdef));
	assert_text("dl_type=0x88e7,pbb_isid=0xabcdef,pbb_uca=1");
}

static void
mpls_shows_its_label_stack(void **state)
{
	(void)state;
	SET(dl_type, be16(0x8847));
	SET(mpls_lse[0], be32(0x00010140));
	k.mpls_lse[1] = be32(0x00020000);
	m.mpls_lse[1] = be32(0xfffff000);
	assert_text("mpls,mpls_lse=0x10140,mpls_lse2=0x20000/0xfffff000");
}

static void
fragments_flags_and_unknown_types(void **state)
{
	(void)state;
	SET(dl_type, be16(0x0800));
	k.flags = FLOW_F_IPV4;
	m.flags = FLOW_F_FRAG | FLOW_F_LATER;
	assert_text("ip,nw_frag=no");
	k.flags |= FLOW_F_FRAG;
	assert_text("ip,nw_frag=first");
	k.flags |= FLOW_F_LATER;
	assert_text("ip,nw_frag=later");
	m.flags = FLOW_F_LATER;
	assert_text("ip,nw_frag=later");
	m.flags = FLOW_F_FRAG;
	assert_text("ip,nw_frag=yes");
	m.flags = FLOW_F_BAD_L3 | FLOW_F_TUNNEL;
	k.flags = FLOW_F_BAD_L3;
	k.dl_type = be16(0x88cc);
	assert_text("dl_type=0x88cc,flags=+bad_l3-tunnel");
	m.flags = 0;
	m.dl_type = be16(0xff00);
	assert_text("dl_type=0x88cc/0xff00");
}

static void
tunnel_fields_come_before_the_inner_frame(void **state)
{
	(void)state;
	SET(in_port, 3);
	SET(flags, FLOW_F_TUNNEL);
	m.flags = FLOW_F_TUNNEL;
	SET(tun_id, be64(42));
	SET(tun_peer, 5);
	SET(tun_ttl, 64);
	SET(tun_ext[1], 7);
	SET(dl_dst, ((struct mac){ { 2, 0, 0, 0, 0, 2 } }));
	assert_text("in_port=3,flags=+tunnel,tun_id=0x2a,tun_peer=5,tun_ttl=64,tun_ext1=0x7,dl_dst=02:00:00:00:00:02");
}

static void
a_short_buffer_is_cut_not_overrun(void **state)
{
	char whole[2048];
	int n;

	(void)state;
	memset(&k, 0x5a, sizeof k);
	memset(&m, 0xff, sizeof m);
	n = flow_format(&k, &m, NULL, NULL, whole, sizeof whole);
	assert_int_equal(strlen(whole), n);
	for (int len = 0; len <= n; len++) {
		char *buf = malloc(len ? (size_t)len : 1);

		assert_int_equal(flow_format(&k, &m, NULL, NULL, len ? buf : NULL, (size_t)len), n);
		if (len) {
			assert_memory_equal(buf, whole, (size_t)len - 1);
			assert_int_equal(buf[len - 1], 0);
		}
		free(buf);
	}
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup(t, setup)
	const struct CMUnitTest tests[] = {
		T(nothing_examined_says_nothing),
		T(what_a_learning_switch_examines),
		T(each_way_to_look_at_tags),
		T(ipv4_with_prefixes_and_odd_masks),
		T(tcp_flags_and_ports),
		T(icmp_of_both_families),
		T(arp_has_its_own_words),
		T(a_backbone_frame_shows_its_service),
		T(mpls_shows_its_label_stack),
		T(fragments_flags_and_unknown_types),
		T(tunnel_fields_come_before_the_inner_frame),
		T(a_short_buffer_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
