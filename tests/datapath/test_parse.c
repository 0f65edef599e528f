/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: each protocol, each truncation, and a plain one beside it on mutated input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "datapath/parse.h"
#include "frames.h"
#include "parse_ref.h"

static struct fb f;
static struct flow_key k;

/* Parses from a heap block of exactly 'contig' bytes, so that a sanitizer sees each read beyond. */
static bool
parse_part(const uint8_t *p, uint32_t contig, uint32_t len, enum flow_depth depth, struct flow_key *key)
{
	uint8_t *copy = malloc(contig ? contig : 1);
	bool ok;

	memcpy(copy, p, contig);
	memset(key, 0xee, sizeof *key);
	ok = flow_parse(copy, contig, len, 7, depth, key);
	free(copy);
	return ok;
}

static void
parse(void)
{
	assert_true(parse_part(f.b, f.n, f.n, FLOW_DEPTH_L4, &k));
	assert_int_equal(k.in_port, 7);
}

static void
assert_zero(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(((const uint8_t *)p)[i], 0);
}

/* Nothing above L3 was read. */
static void
assert_no_l4(void)
{
	assert_int_equal(k.tp_src, 0);
	assert_int_equal(k.tp_dst, 0);
	assert_int_equal(k.tcp_flags, 0);
	assert_zero(k.nd_target, sizeof k.nd_target);
}

/* Nothing above L2 was read, and it was noticed. */
static void
assert_bad_l3(void)
{
	parse();
	assert_int_equal(k.flags, FLOW_F_BAD_L3);
	assert_int_equal(k.nw_proto, 0);
	assert_int_equal(k.nw_src | k.nw_dst | k.ipv6_label, 0);
	assert_int_equal(k.nw_tos | k.nw_ttl, 0);
	assert_zero(k.ipv6_src, 32);
	assert_no_l4();
}

static void
the_ethernet_header_is_read(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_be16(&f, 0x88cc);
	fb_fill(&f, 0xff, 46);
	parse();
	assert_memory_equal(&k.dl_dst, f.b, 6);
	assert_memory_equal(&k.dl_src, f.b + 6, 6);
	assert_int_equal(k.dl_type, be16(0x88cc));
	assert_int_equal(k.flags, 0);
	assert_zero(&k.vlan, sizeof k.vlan);
}

static void
two_tags_are_read_and_a_third_is_the_type(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_tag(&f, 0x8100, 0x600a);
	fb_arp(&f, 0x0806, 1);
	parse();
	assert_int_equal(k.vlan[0].tpid, be16(0x8100));
	assert_int_equal(k.vlan[0].tci, be16(0x600a));
	assert_int_equal(flow_vid(&k, 0), 10);
	assert_int_equal(k.vlan[1].tpid, 0);
	assert_int_equal(k.dl_type, be16(0x0806));
	assert_int_equal(k.nw_proto, 1);

	fb_macs(&f, 2, 1);
	fb_tag(&f, 0x88a8, 100);
	fb_tag(&f, 0x8100, 200);
	fb_arp(&f, 0x0806, 2);
	parse();
	assert_int_equal(k.vlan[0].tpid, be16(0x88a8));
	assert_int_equal(flow_vid(&k, 0), 100);
	assert_int_equal(flow_vid(&k, 1), 200);
	assert_int_equal(k.nw_proto, 2);

	fb_macs(&f, 2, 1);
	fb_tag(&f, 0x9100, 1);
	fb_tag(&f, 0x8100, 2);
	fb_tag(&f, 0x8100, 3);
	fb_arp(&f, 0x0806, 2);
	parse();
	assert_int_equal(k.dl_type, be16(0x8100));
	assert_int_equal(k.nw_proto, 0);
	assert_int_equal(k.flags, 0);
}

static void
a_frame_cut_inside_a_tag_is_no_frame(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_tag(&f, 0x88a8, 100);
	fb_tag(&f, 0x8100, 200);
	fb_be16(&f, 0x0800);
	for (uint32_t n = 0; n <= f.n; n++)
		assert_int_equal(parse_part(f.b, n, n, FLOW_DEPTH_L2, &k), n == f.n);
}

static void
length_frames_have_a_type_only_by_snap(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	FB_BYTES(&f, 0, 38, 0x42, 0x42, 0x03);
	fb_fill(&f, 0, 35);
	parse();
	assert_int_equal(k.dl_type, be16(0x05ff));

	fb_macs(&f, 2, 1);
	FB_BYTES(&f, 0, 36, 0xaa, 0xaa, 0x03, 0, 0, 0);
	fb_arp(&f, 0x0806, 1);
	parse();
	assert_int_equal(k.dl_type, be16(0x0806));
	assert_int_equal(k.nw_proto, 1);
	/* Cut before the type, another OUI, a "type" that is a length. */
	assert_true(parse_part(f.b, 21, 21, FLOW_DEPTH_L4, &k));
	assert_int_equal(k.dl_type, be16(0x05ff));
	f.b[19] = 1;
	parse();
	assert_int_equal(k.dl_type, be16(0x05ff));
	f.b[19] = 0;
	f.b[20] = 0x05;
	parse();
	assert_int_equal(k.dl_type, be16(0x05ff));
}

static void
at_depth_l2_nothing_above_is_read(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip(&f, 6, 0, 0);
	fb_tcp(&f, 1, 2, 3);
	fb_ip_done(&f);
	assert_true(parse_part(f.b, f.n, f.n, FLOW_DEPTH_L2, &k));
	assert_int_equal(k.dl_type, be16(0x0800));
	assert_int_equal(k.flags, 0);
	assert_zero(&k.tcp_flags, 64 - offsetof(struct flow_key, tcp_flags));
}

static void
tcp_over_ipv4_with_and_without_options(void **state)
{
	(void)state;
	for (unsigned opts = 0; opts <= 40; opts += 4) {
		fb_macs(&f, 2, 1);
		fb_ip(&f, 6, (uint8_t)opts, 0x4000);
		fb_tcp(&f, 1024, 80, 0x112);
		fb_ip_done(&f);
		fb_fill(&f, 0, 6);      /* Ethernet padding. */
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV4);
		assert_int_equal(k.nw_proto, 6);
		assert_int_equal(k.nw_tos, 0xb9);
		assert_int_equal(k.nw_ttl, 64);
		assert_int_equal(k.nw_src, be32(0x0a000001));
		assert_int_equal(k.nw_dst, be32(0x0a000002));
		assert_int_equal(k.tp_src, be16(1024));
		assert_int_equal(k.tp_dst, be16(80));
		assert_int_equal(k.tcp_flags, be16(0x112));
		assert_zero(k.ipv6_src, 64);
	}
}

static void
udp_sctp_icmp_and_others_over_ipv4(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 53, 5353, 4);
	fb_ip_done(&f);
	parse();
	assert_int_equal(k.tp_src, be16(53));
	assert_int_equal(k.tp_dst, be16(5353));

	fb_macs(&f, 2, 1);
	fb_ip(&f, 132, 0, 0);
	fb_sctp(&f, 7, 9);
	fb_ip_done(&f);
	parse();
	assert_int_equal(k.tp_src, be16(7));
	assert_int_equal(k.tp_dst, be16(9));

	fb_macs(&f, 2, 1);
	fb_ip(&f, 1, 0, 0);
	fb_icmp(&f, 3, 4);
	fb_ip_done(&f);
	parse();
	assert_int_equal(k.tp_src, be16(3));
	assert_int_equal(k.tp_dst, be16(4));

	/* GRE, and ICMPv6 where it does not belong. */
	for (unsigned proto = 47; proto <= 58; proto += 11) {
		fb_macs(&f, 2, 1);
		fb_ip(&f, (uint8_t)proto, 0, 0);
		fb_fill(&f, 0x87, 40);
		fb_ip_done(&f);
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV4);
		assert_int_equal(k.nw_proto, proto);
		assert_no_l4();
	}
}

static void
ipv4_fragments_have_ports_only_in_the_first(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip(&f, 17, 4, 0x2000);
	fb_udp(&f, 53, 5353, 8);
	store_be16(f.b + f.l4 + 4, be16(3000));         /* Of the whole datagram. */
	fb_ip_done(&f);
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_FRAG);
	assert_int_equal(k.tp_dst, be16(5353));
	for (uint16_t frag = 0x0001; frag <= 0x2001; frag += 0x2000) {
		store_be16(f.b + f.l3 + 6, be16(frag));
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_FRAG | FLOW_F_LATER);
		assert_int_equal(k.nw_proto, 17);
		assert_no_l4();
	}
	/* "Do not fragment" and the reserved bit are none. */
	store_be16(f.b + f.l3 + 6, be16(0xc000));
	store_be16(f.b + f.l4 + 4, be16(16));
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV4);
}

static void
malformed_ipv4_headers_are_noticed(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip(&f, 6, 4, 0);
	fb_tcp(&f, 1, 2, 3);
	fb_ip_done(&f);
	f.b[f.l3] = 0x66;
	assert_bad_l3();
	f.b[f.l3] = 0x44;                               /* 16 bytes. */
	assert_bad_l3();
	f.b[f.l3] = 0x4f;                               /* Longer than the packet. */
	assert_bad_l3();
	f.b[f.l3] = 0x46;
	store_be16(f.b + f.l3 + 2, be16(23));           /* Shorter than its header. */
	assert_bad_l3();
	store_be16(f.b + f.l3 + 2, be16((uint16_t)(f.n - f.l3 + 1)));   /* Longer than the frame. */
	assert_bad_l3();
}

static void
malformed_transport_headers_leave_the_network_header(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip(&f, 6, 0, 0);
	fb_tcp(&f, 1, 2, 3);
	fb_ip_done(&f);
	f.b[f.l4 + 12] = 0x40;                          /* 16 bytes. */
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_BAD_L3);
	assert_int_equal(k.nw_proto, 6);
	assert_no_l4();
	f.b[f.l4 + 12] = 0x60;                          /* Beyond the packet. */
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_BAD_L3);
	assert_no_l4();

	fb_macs(&f, 2, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1, 2, 4);
	fb_ip_done(&f);
	for (unsigned bad = 7; bad <= 13; bad += 6) {
		store_be16(f.b + f.l4 + 4, be16((uint16_t)bad));
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_BAD_L3);
		assert_no_l4();
	}
	/* Transport bytes beyond the IP total length are padding, not header. */
	store_be16(f.b + f.l4 + 4, be16(8));
	store_be16(f.b + f.l3 + 2, be16(27));
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV4 | FLOW_F_BAD_L3);
	assert_no_l4();
}

static void
transport_over_ipv6(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip6(&f, 6);
	fb_tcp(&f, 1024, 80, 0x02);
	fb_ip6_done(&f);
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV6);
	assert_int_equal(k.nw_proto, 6);
	assert_int_equal(k.nw_tos, 0xb9);
	assert_int_equal(k.nw_ttl, 63);
	assert_int_equal(k.ipv6_label, be32(0x12345));
	assert_memory_equal(k.ipv6_src, f.b + f.l3 + 8, 16);
	assert_memory_equal(k.ipv6_dst, f.b + f.l3 + 24, 16);
	assert_int_equal(k.tp_src, be16(1024));
	assert_int_equal(k.tp_dst, be16(80));
	assert_int_equal(k.tcp_flags, be16(2));
	assert_int_equal(k.nw_src | k.nw_dst, 0);
}

static void
neighbour_discovery_names_its_target(void **state)
{
	(void)state;
	for (unsigned type = 133; type <= 137; type++) {
		bool nd = type == 135 || type == 136;

		fb_macs(&f, 2, 1);
		fb_ip6(&f, 58);
		fb_nd(&f, (uint8_t)type);
		fb_ip6_done(&f);
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV6);
		assert_int_equal(k.tp_src, be16((uint16_t)type));
		if (nd)
			assert_memory_equal(k.nd_target, f.b + f.l4 + 8, 16);
		else
			assert_zero(k.nd_target, 16);
		/* One byte short of the target. */
		store_be16(f.b + f.l3 + 4, be16(23));
		parse();
		assert_int_equal(k.flags, nd ? FLOW_F_IPV6 | FLOW_F_BAD_L3 : FLOW_F_IPV6);
		if (nd)
			assert_no_l4();
	}
}

static void
put_ext(uint8_t next, unsigned units)
{
	FB_BYTES(&f, next, (uint8_t)units);
	fb_fill(&f, 0, 6 + units * 8);
}

static void
extension_headers_are_walked(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip6(&f, 0);
	put_ext(60, 0);                                 /* Hop by hop. */
	put_ext(43, 1);                                 /* Destination options. */
	put_ext(51, 2);                                 /* Routing. */
	FB_BYTES(&f, 17, 4);                            /* Authentication: (4 + 2) * 4. */
	fb_fill(&f, 0, 22);
	fb_udp(&f, 53, 5353, 0);
	fb_ip6_done(&f);
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV6);
	assert_int_equal(k.nw_proto, 17);
	assert_int_equal(k.tp_dst, be16(5353));
}

static void
an_extension_chain_may_have_eight_links_and_no_more(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= 12; n++) {
		fb_macs(&f, 2, 1);
		fb_ip6(&f, n ? 60 : 6);
		for (unsigned i = 1; i <= n; i++)
			put_ext(i == n ? 6 : 60, 0);
		fb_tcp(&f, 1, 2, 3);
		fb_ip6_done(&f);
		parse();
		assert_int_equal(k.flags, n <= 8 ? FLOW_F_IPV6 : FLOW_F_IPV6 | FLOW_F_BAD_L3);
		assert_int_equal(k.nw_proto, n <= 8 ? 6 : 0);
		assert_int_equal(k.tp_dst, n <= 8 ? be16(2) : 0);
	}
	/* A ninth that is a fragment header does not pass for a fragment. */
	fb_macs(&f, 2, 1);
	fb_ip6(&f, 60);
	for (unsigned i = 1; i <= 8; i++)
		put_ext(i == 8 ? 44 : 60, 0);
	FB_BYTES(&f, 6, 0, 0, 9, 0, 0, 0, 1);
	fb_ip6_done(&f);
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV6 | FLOW_F_BAD_L3);
}

static void
ipv6_fragments(void **state)
{
	static const struct {
		uint16_t frag;
		uint8_t flags;
	} t[] = {
		{ 0x0000, 0 },                          /* Atomic: a whole packet. */
		{ 0x0006, 0 },                          /* Reserved bits. */
		{ 0x0001, FLOW_F_FRAG },
		{ 0x0008, FLOW_F_FRAG | FLOW_F_LATER },
		{ 0xfff9, FLOW_F_FRAG | FLOW_F_LATER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		fb_macs(&f, 2, 1);
		fb_ip6(&f, 44);
		FB_BYTES(&f, 6, 0, (uint8_t)(t[i].frag >> 8), (uint8_t)t[i].frag, 0, 0, 0, 1);
		fb_tcp(&f, 1, 2, 3);
		fb_ip6_done(&f);
		parse();
		assert_int_equal(k.flags, FLOW_F_IPV6 | t[i].flags);
		assert_int_equal(k.nw_proto, 6);
		assert_int_equal(k.tp_dst, t[i].flags & FLOW_F_LATER ? 0 : be16(2));
	}
}

static void
malformed_ipv6_headers_are_noticed(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_ip6(&f, 0);
	put_ext(6, 0);
	fb_tcp(&f, 1, 2, 3);
	fb_ip6_done(&f);
	f.b[f.l4 + 1] = 4;                              /* An extension header longer than the packet. */
	parse();
	assert_int_equal(k.flags, FLOW_F_IPV6 | FLOW_F_BAD_L3);
	assert_int_equal(k.nw_proto, 0);
	assert_no_l4();
	f.b[f.l4 + 1] = 0;
	f.b[f.l3] = 0x4b;
	assert_bad_l3();
	f.b[f.l3] = 0x6b;
	store_be16(f.b + f.l3 + 4, be16((uint16_t)(f.n - f.l3 - 39)));
	assert_bad_l3();
}

static void
arp_and_rarp(void **state)
{
	(void)state;
	for (unsigned op = 1; op <= 4; op++) {
		fb_macs(&f, 2, 1);
		fb_arp(&f, op < 3 ? 0x0806 : 0x8035, (uint16_t)op);
		parse();
		assert_int_equal(k.flags, 0);
		assert_int_equal(k.nw_proto, op);
		assert_int_equal(k.nw_src, be32(0x0a000001));
		assert_int_equal(k.nw_dst, be32(0x0a000002));
		assert_memory_equal(&k.arp.sha, f.b + f.l3 + 8, 6);
		assert_memory_equal(&k.arp.tha, f.b + f.l3 + 18, 6);
	}
	f.b[f.l3 + 6] = 1;                              /* An opcode that the key has no room for. */
	parse();
	assert_int_equal(k.nw_proto, 0);
	assert_int_equal(k.nw_src, be32(0x0a000001));
	f.b[f.l3 + 4] = 8;
	assert_bad_l3();
	f.b[f.l3 + 1] = 6;                              /* Not Ethernet: not ours to judge. */
	parse();
	assert_int_equal(k.flags, 0);
	assert_int_equal(k.nw_src, 0);
}

static void
mpls_labels_to_the_bottom_of_the_stack(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		fb_macs(&f, 2, 1);
		fb_be16(&f, n & 1 ? 0x8847 : 0x8848);
		for (unsigned i = 1; i <= n; i++)
			FB_BYTES(&f, 0, 1, (uint8_t)(i << 4 | (i == n)), 64);
		fb_fill(&f, 0xff, 40);
		parse();
		assert_int_equal(k.flags, 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(k.mpls_lse[i],
					 i < n ? be32(0x00010040 | (i + 1) << 12 | (i + 1 == n) << 8) : 0);
	}
	/* The stack goes on where the packet ends. */
	fb_macs(&f, 2, 1);
	fb_be16(&f, 0x8847);
	FB_BYTES(&f, 0, 1, 0x10, 64, 0, 1, 0x20);
	parse();
	assert_int_equal(k.flags, FLOW_F_BAD_L3);
	assert_int_equal(k.mpls_lse[0], be32(0x00011040));
	assert_int_equal(k.mpls_lse[1], 0);
}

static void
the_i_tag_of_a_backbone_frame(void **state)
{
	(void)state;
	fb_macs(&f, 2, 1);
	fb_tag(&f, 0x88a8, 5);
	fb_be16(&f, 0x88e7);
	FB_BYTES(&f, 0x68, 1, 2, 3);
	fb_fill(&f, 0x11, 12);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 53, 53, 9);
	parse();
	assert_int_equal(k.flags, 0);
	assert_int_equal(k.dl_type, be16(0x88e7));
	assert_int_equal(k.vlan[0].tci, be16(5));
	assert_int_equal(k.pbb_itag, be32(0x68010203));
	assert_int_equal(k.pbb_itag, k.mpls_lse[0]);
	assert_int_equal(k.mpls_lse[1], 0);
	assert_int_equal(k.nw_src, 0);
	f.n = 21;
	parse();
	assert_int_equal(k.flags, FLOW_F_BAD_L3);
	assert_int_equal(k.pbb_itag, 0);
}

/* One frame of each kind: food for the tests below. */
static unsigned
make(unsigned kind)
{
	fb_macs(&f, 2, 1);
	if (kind & 1)
		fb_tag(&f, 0x8100, 10);
	if ((kind & 3) == 3)
		fb_tag(&f, 0x8100, 20);
	switch (kind / 4) {
	case 0:
		fb_ip(&f, 6, 8, 0);
		fb_tcp(&f, 1, 2, 0x12);
		fb_ip_done(&f);
		break;
	case 1:
		fb_ip(&f, 17, 0, 0);
		fb_udp(&f, 53, 53, 9);
		fb_ip_done(&f);
		break;
	case 2:
		fb_ip(&f, 1, 0, 0x2000);
		fb_icmp(&f, 8, 0);
		fb_ip_done(&f);
		break;
	case 3:
		fb_ip6(&f, 0);
		put_ext(44, 0);
		FB_BYTES(&f, 60, 0, 0, 1, 0, 0, 0, 1);
		put_ext(132, 1);
		fb_sctp(&f, 3, 4);
		fb_ip6_done(&f);
		break;
	case 4:
		fb_ip6(&f, 51);
		FB_BYTES(&f, 58, 4);
		fb_fill(&f, 0, 22);
		fb_nd(&f, 135);
		fb_ip6_done(&f);
		break;
	case 5:
		fb_arp(&f, 0x0806, 1);
		break;
	case 6:
		fb_be16(&f, 0x8847);
		FB_BYTES(&f, 0, 1, 0x10, 64, 0, 1, 0x20, 64, 0, 1, 0x31, 64, 0x45, 0, 0);
		break;
	case 7:
		FB_BYTES(&f, 0, 38, 0xaa, 0xaa, 3, 0, 0, 0);
		fb_ip(&f, 17, 0, 0);
		fb_udp(&f, 53, 53, 9);
		fb_ip_done(&f);
		break;
	case 8:
		fb_be16(&f, 0x88e7);
		FB_BYTES(&f, 0x10, 0, 1, 0x10, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0x08, 0);
		break;
	default:
		return 0;
	}
	return f.n;
}

static void
assert_like_reference(const uint8_t *p, uint32_t contig, uint32_t len)
{
	struct flow_key want;
	bool ok = parse_part(p, contig, len, FLOW_DEPTH_L4, &k);

	assert_int_equal(ok, parse_ref(p, contig, len, 7, &want));
	if (ok)
		assert_memory_equal(&k, &want, sizeof k);
}

static void
each_truncation_of_each_kind_is_survived(void **state)
{
	(void)state;
	for (unsigned kind = 0; make(kind); kind++) {
		parse();
		assert_int_equal(k.flags & FLOW_F_BAD_L3, 0);
		for (uint32_t n = 0; n <= f.n; n++) {
			/* A short frame, and a long one of which only so much can be read. */
			assert_like_reference(f.b, n, n);
			assert_like_reference(f.b, n, f.n);
		}
	}
}

static void
mutated_frames_parse_as_a_plain_parser_says(void **state)
{
	uint64_t x = hash_random_seed();

	(void)state;
	print_message("seed %llu\n", (unsigned long long)x);
	for (unsigned i = 0; i < 150000; i++) {
		uint32_t contig, len;

		x = hash_mix(x + i + 1);
		make((unsigned)(x % 36));
		for (unsigned n = x >> 8 & 7; n; n--) {
			static const uint8_t nasty[] = { 0, 1, 4, 6, 17, 43, 44, 51, 58, 60, 132, 0x81, 0x86, 0x88, 0xa8, 255 };
			uint64_t y = hash_mix(x ^ n);

			f.b[12 + (y >> 8) % (f.n - 12)] = y & 0x80 ? (uint8_t)y : nasty[y % sizeof nasty];
		}
		len = x >> 16 & 1 ? f.n : (uint32_t)((x >> 20) % (f.n + 1));
		contig = x >> 17 & 1 ? len : (uint32_t)((x >> 40) % (len + 1));
		assert_like_reference(f.b, contig, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ethernet_header_is_read),
		cmocka_unit_test(two_tags_are_read_and_a_third_is_the_type),
		cmocka_unit_test(a_frame_cut_inside_a_tag_is_no_frame),
		cmocka_unit_test(length_frames_have_a_type_only_by_snap),
		cmocka_unit_test(at_depth_l2_nothing_above_is_read),
		cmocka_unit_test(tcp_over_ipv4_with_and_without_options),
		cmocka_unit_test(udp_sctp_icmp_and_others_over_ipv4),
		cmocka_unit_test(ipv4_fragments_have_ports_only_in_the_first),
		cmocka_unit_test(malformed_ipv4_headers_are_noticed),
		cmocka_unit_test(malformed_transport_headers_leave_the_network_header),
		cmocka_unit_test(transport_over_ipv6),
		cmocka_unit_test(neighbour_discovery_names_its_target),
		cmocka_unit_test(extension_headers_are_walked),
		cmocka_unit_test(an_extension_chain_may_have_eight_links_and_no_more),
		cmocka_unit_test(ipv6_fragments),
		cmocka_unit_test(malformed_ipv6_headers_are_noticed),
		cmocka_unit_test(arp_and_rarp),
		cmocka_unit_test(mpls_labels_to_the_bottom_of_the_stack),
		cmocka_unit_test(the_i_tag_of_a_backbone_frame),
		cmocka_unit_test(each_truncation_of_each_kind_is_survived),
		cmocka_unit_test(mutated_frames_parse_as_a_plain_parser_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
