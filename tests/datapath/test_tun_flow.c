/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels whose ends are set per flow, on the polling threads: packets of remotes that have no number yet, packets for
 * such, headers that a flow asks for, and floods. */
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"
#include "tunnels/tun.h"

enum { VX = 5, DST = 7, VNI = 0x123456, OUTER = 50 };

static struct {
	unsigned n;
	struct dp_tun_peer last;
} asked;

static void
note_peer(void *arg, const struct dp_tun_peer *p)
{
	(void)arg;
	asked.n++;
	asked.last = *p;
}

static struct ipaddr
ip4(uint8_t last)
{
	return ip_from_v4(be32(0x0a000000u + last));
}

/* A view in which port 1 is the underlay, and tunnel port VX takes whatever comes from 'allow'. */
static struct tun_view *
view(const struct opt_prefixes *allow)
{
	struct tun_view *v = tun_view_create();
	struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .allow = allow,
				  .wild = TUN_WILD_KEY | TUN_WILD_REMOTE | TUN_WILD_LOCAL };
	struct ipaddr local = ip4(2);

	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	assert_int_equal(tun_view_add_local(v, &local), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	return v;
}

/* A learned destination behind port 2. */
static void
add_dst(struct tun_view *v, uint32_t index, uint8_t remote, struct ipaddr local)
{
	struct tun_conf conf = { .key = TUN_KEY_FLOW, .dst_port = 4789, .ttl = 64, .csum = TUN_CSUM_OFF };
	struct tun_dst d = { .state = TUN_DST_READY, .port = VX, .underlay_port = 2, .max_frame = 1450, .learned = true,
			     .type = tun_type_find("vxlan"), .remote = ip4(remote), .local = ip4(2), .asked = local };
	struct tun_path path = { .local = ip4(2), .remote = ip4(remote), .dst_mac = { { 2, 0, 0, 0, 1, remote } } };
	struct err e;

	assert_int_equal(tun_hdr_build(d.type, &conf, &path, &d.hdr, &e), 0);
	tun_view_set_dst(v, index, &d);
}

static void
set_view(struct tun_view *v)
{
	dp_set_tunnels(dp, v);
	commit();
}

/* In VXLAN, from 10.0.0.1 to 10.0.0.2. */
static struct fb
tunnelled(const struct fb *inner)
{
	struct fb f;

	fb_macs(&f, 1, 9);
	fb_ip(&f, 17, 0, 0x4000);
	fb_be16(&f, 50000);
	fb_be16(&f, 4789);
	fb_be16(&f, (uint16_t)(16 + inner->n));
	fb_be16(&f, 0);
	FB_BYTES(&f, 8, 0, 0, 0, VNI >> 16, VNI >> 8 & 0xff, VNI & 0xff, 0);
	fb_add(&f, inner->b, inner->n);
	fb_ip_done(&f);
	return f;
}

static void
control_until_asked(unsigned n)
{
	for (uint64_t end = clock_ms() + WAIT_MS; asked.n < n && clock_ms() < end;)
		control_once();
	assert_true(asked.n >= n);
}

static uint64_t
wait_drops(unsigned p, enum dp_drop why, uint64_t n)
{
	for (uint64_t end = clock_ms() + WAIT_MS; drops(p, why) < n && clock_ms() < end;)
		control_once();
	return drops(p, why);
}

static void
rule_output(struct act_list *l)
{
	act_add(l, ACT_OUTPUT, 3, 0);
}

static void
a_packet_waits_until_its_sender_has_a_number(void **state)
{
	struct rules *r = new_rules();
	struct fb inner = udp_frame(1), f = tunnelled(&inner);
	struct ipaddr remote = ip4(1), local = ip4(2);
	struct dp_port_stats ps;
	struct tun_view *v;
	unsigned n;

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	set_view(view(NULL));
	send(1, &f);
	control_until_asked(1);
	assert_int_equal(asked.last.port, VX);
	assert_true(asked.last.heard);
	assert_true(ip_equal(&asked.last.remote, &remote) && ip_equal(&asked.last.local, &local));
	assert_int_equal(mem_port_recv(port[3], f.b, sizeof f.b, 0), 0);

	v = view(NULL);
	add_dst(v, DST, 1, ip4(2));
	set_view(v);
	assert_comes(3, inner.b, inner.n);
	n = asked.n;
	/* The next one goes straight through, and says that the destination is in use. */
	f = tunnelled(&inner);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_not_equal(dp_tun_used(dp, DST), 0);
	dp_tun_used_reset(dp, DST);
	assert_int_equal(dp_tun_used(dp, DST), 0);
	dp_port_stats(dp, VX, &ps);
	assert_int_equal(ps.rx_packets, 2);
	control_once();
	assert_int_equal(asked.n, n);
}

/* A frame from station 'src' in its tunnel; its last byte is 'seq'. */
static void
send_numbered(uint8_t src, uint8_t seq)
{
	struct fb inner = udp_frame(1), f;

	inner.b[11] = src;
	inner.b[inner.n - 1] = seq;
	f = tunnelled(&inner);
	send(1, &f);
}

/* As those of guests do; but the underlay is polled all the while. */
static void
new_flows_out_of_a_tunnel_wait_for_their_turn(void **state)
{
	enum { N = 32, MORE = 12 };
	uint8_t seen[256] = { 0 }, got[2048];
	struct rules *r = new_rules();
	struct tun_view *v = view(NULL);
	struct dp_lcore_stats s;
	unsigned turns;
	uint64_t before;

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	add_dst(v, DST, 1, ip4(2));
	set_view(v);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	dp_lcore_stats(dp, 0, &s);
	before = s.upcalls;
	for (uint8_t i = 0; i < N; i++)
		send_numbered((uint8_t)(10 + i), 1);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	/* Of flows that are known by now, and of such as may not be. */
	for (uint8_t i = 0; i < MORE; i++)
		send_numbered((uint8_t)(10 + i * 2), 2);
	for (turns = 1; turns < 100; turns++) {
		dp_lcore_stats(dp, 0, &s);
		assert_in_range(s.upcalls - before, 1, turns * 8);
		if (s.upcalls - before == N)
			break;
		assert_true(mem_port_hold(port[3], MEM_AT_RX));
		assert_int_equal(mem_port_pending(port[1]), 0);
	}
	assert_in_range(turns, 4, 99);
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < N + MORE; i++) {
		int n = mem_port_recv(port[3], got, sizeof got, WAIT_MS);

		assert_true(n > 12);
		seen[got[11]]++;
		assert_int_equal(got[n - 1], seen[got[11]]);
	}
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls - before, N);
	wait_no_mbufs();
}

/* More than may wait: dropped and counted, at the tunnel port. */
static void
a_flood_out_of_a_tunnel_is_cut_off(void **state)
{
	enum { N = 600 };
	struct rules *r = new_rules();
	struct tun_view *v = view(NULL);
	uint64_t before = drops(VX, DROP_UPCALL_BUDGET), lost;
	uint8_t got[2048];
	unsigned n = 0;

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	add_dst(v, DST, 1, ip4(2));
	set_view(v);
	for (unsigned i = 0; i < N; i++) {
		struct fb inner = udp_frame(1), f;

		inner.b[10] = (uint8_t)(i >> 8);
		inner.b[11] = (uint8_t)i;
		f = tunnelled(&inner);
		send(1, &f);
	}
	while (mem_port_recv(port[3], got, sizeof got, 300) > 0)
		n++;
	lost = drops(VX, DROP_UPCALL_BUDGET) - before;
	assert_int_equal(n + lost, N);
	wait_no_mbufs();
}

static void
what_a_tunnel_says_about_learning_is_in_the_key(void **state)
{
	struct rules *r = new_rules();
	struct fb inner = udp_frame(1), f = tunnelled(&inner);
	struct tun_view *v;

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	set_view(view(NULL));
	/* Group policy: bits G and "do not learn"; first for a packet that has to wait. */
	f.b[42] |= 0x80;
	f.b[43] |= 0x40;
	send(1, &f);
	control_until_asked(1);
	v = view(NULL);
	add_dst(v, DST, 1, ip4(2));
	set_view(v);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(__atomic_load_n(&last_flags, __ATOMIC_ACQUIRE), FLOW_F_NO_LEARN);
	f = tunnelled(&inner);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(__atomic_load_n(&last_flags, __ATOMIC_ACQUIRE), 0);
}

/* In Geneve with options, from 10.0.0.1 to 10.0.0.2. */
static struct fb
in_geneve(const struct fb *inner, const void *opts, uint8_t opts_len)
{
	struct fb f;

	fb_macs(&f, 1, 9);
	fb_ip(&f, 17, 0, 0x4000);
	fb_be16(&f, 50000);
	fb_be16(&f, 6081);
	fb_be16(&f, (uint16_t)(16 + opts_len + inner->n));
	fb_be16(&f, 0);
	FB_BYTES(&f, opts_len / 4, 0, 0x65, 0x58, VNI >> 16, VNI >> 8 & 0xff, VNI & 0xff, 0);
	fb_add(&f, opts, opts_len);
	fb_add(&f, inner->b, inner->n);
	fb_ip_done(&f);
	return f;
}

static void
options_are_in_the_key_as_far_as_rules_look(void **state)
{
	static const uint8_t critical[] = { 1, 2, 0x80, 1, 1, 2, 3, 4 }, unknown[] = { 1, 2, 0x81, 1, 1, 2, 3, 4 },
			     plain[] = { 1, 7, 0, 0 }, other[] = { 1, 2, 0x80, 1, 9, 9, 9, 9 };
	static const struct tlv_table known = { .examined = true, .row[2] = { .class = 0x102, .type = 0x80, .len = 4, .examined = true,
						.mask = { 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff } } };
	struct tun_endpoint e = { .type = tun_type_find("geneve"), .udp_port = 6081, .port = VX, .key = VNI, .dst = DST,
				  .remote = ip4(1), .local = ip4(2) };
	struct fb inner = udp_frame(1), f = in_geneve(&inner, critical, sizeof critical);
	uint8_t ext[TUN_EXT_LEN], zero[TUN_EXT_LEN] = { 0 };
	struct rules *r = new_rules();
	struct ipaddr local = ip4(2);
	struct tun_view *v = tun_view_create();

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	assert_int_equal(tun_view_add_local(v, &local), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	set_view(v);
	/* Nobody knows any: what must be known is counted, the rest goes on. */
	send(1, &f);
	assert_int_equal(wait_drops(VX, DROP_TUN_OPTION, 1), 1);
	f = in_geneve(&inner, plain, sizeof plain);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);

	known_options = &known;
	r = new_rules();
	r->version = 77;
	rule_output(&r->acts[1]);
	set_rules(r);
	f = in_geneve(&inner, critical, sizeof critical);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(last_opts_len, sizeof critical);
	assert_memory_equal(last_opts, critical, sizeof critical);
	memcpy(ext, last_ext, sizeof ext);
	assert_memory_not_equal(ext, zero, sizeof ext);
	f = in_geneve(&inner, other, sizeof other);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_memory_equal(last_opts, other, sizeof other);
	assert_memory_not_equal(ext, last_ext, sizeof ext);
	f = in_geneve(&inner, unknown, sizeof unknown);
	send(1, &f);
	assert_int_equal(wait_drops(VX, DROP_TUN_OPTION, 2), 2);
	known_options = NULL;
}

static void
messages_for_the_endpoint_are_in_the_key_where_rules_look(void **state)
{
	static const struct tlv_table asks = { .oam = true };
	struct tun_endpoint e = { .type = tun_type_find("geneve"), .udp_port = 6081, .port = VX, .key = VNI, .dst = DST,
				  .remote = ip4(1), .local = ip4(2) };
	struct fb inner = udp_frame(1), f = in_geneve(&inner, NULL, 0), oam = f;
	struct rules *r = new_rules();
	struct ipaddr local = ip4(2);
	struct tun_view *v = tun_view_create();

	(void)state;
	oam.b[14 + 20 + 8 + 1] = 0x80;
	rule_output(&r->acts[1]);
	set_rules(r);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	assert_int_equal(tun_view_add_local(v, &local), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	set_view(v);
	send(1, &oam);
	assert_int_equal(wait_drops(VX, DROP_TUN_CONTROL, 1), 1);
	known_options = &asks;
	r = new_rules();
	r->version = 78;
	rule_output(&r->acts[1]);
	set_rules(r);
	send(1, &oam);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(__atomic_load_n(&last_tun_flags, __ATOMIC_ACQUIRE), TUN_F_OAM);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(__atomic_load_n(&last_tun_flags, __ATOMIC_ACQUIRE), 0);
	known_options = NULL;
}

static void
options_of_a_flow_make_longer_headers(void **state)
{
	static const uint8_t opt[] = { 1, 2, 0x80, 1, 1, 2, 3, 4 };
	struct tun_conf conf = { .key = VNI, .dst_port = 6081, .ttl = 64, .csum = TUN_CSUM_OFF };
	struct tun_dst d = { .state = TUN_DST_READY, .port = VX, .underlay_port = 2, .max_frame = 120,
			     .type = tun_type_find("geneve"), .remote = ip4(9), .local = ip4(2) };
	struct tun_path path = { .local = ip4(2), .remote = ip4(9), .dst_mac = { { 2, 0, 0, 0, 1, 9 } } };
	struct tun_set s = { .bits = TUN_SET_OPTS, .opts_len = sizeof opt };
	struct fb f = udp_frame(1), big = f;
	struct rules *r = new_rules();
	struct tun_view *v = view(NULL);
	uint8_t got[2048];
	struct err e;

	(void)state;
	memcpy(s.opts, opt, sizeof opt);
	act_add_data(&r->acts[1], ACT_TUN_SET, 0, &s, offsetof(struct tun_set, opts) + sizeof opt);
	act_add(&r->acts[1], ACT_TUN_PUSH, VX, DST);
	act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
	set_rules(r);
	assert_int_equal(tun_hdr_build(d.type, &conf, &path, &d.hdr, &e), 0);
	tun_view_set_dst(v, DST, &d);
	set_view(v);
	send(3, &f);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), OUTER + sizeof opt + f.n);
	assert_memory_equal(got + 42, "\x02\x40\x65\x58", 4);
	assert_memory_equal(got + 50, opt, sizeof opt);
	assert_memory_equal(got + 58, f.b, f.n);
	assert_int_equal(host16(load_be16(got + 16)), 36 + sizeof opt + f.n);
	/* They count where frames are too big. */
	while (big.n < 112)
		FB_BYTES(&big, 0);
	send(3, &big);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), OUTER + sizeof opt + big.n);
	FB_BYTES(&big, 0);
	send(3, &big);
	assert_int_equal(wait_drops(VX, DROP_TUN_TOO_BIG, 1), 1);
}

static void
few_packets_of_strangers_wait(void **state)
{
	struct fb inner = udp_frame(1), f = tunnelled(&inner);

	(void)state;
	set_rules(new_rules());
	set_view(view(NULL));
	for (unsigned i = 0; i < 100; i++)
		send(1, &f);
	assert_int_equal(wait_drops(VX, DROP_TUN_NEW_REMOTE, 84), 84);
	/* Nobody's packets are kept when the end comes: teardown would find them. */
}

static void
who_is_not_allowed_is_not_asked_about(void **state)
{
	struct opt_prefixes allow = { .n = 1, .p = { { .ip = ip4(64), .len = 96 + 26 } } };
	struct fb inner = udp_frame(1), f = tunnelled(&inner);

	(void)state;
	set_rules(new_rules());
	set_view(view(&allow));
	send(1, &f);
	assert_int_equal(wait_drops(VX, DROP_TUN_UNKNOWN_REMOTE, 1), 1);
	assert_int_equal(asked.n, 0);
}

/* Checks one frame out of port 2: to whom, with which VNI, TOS and TTL. */
static void
assert_tunnelled(const struct fb *inner, uint8_t remote, uint32_t vni, uint8_t tos, uint8_t ttl)
{
	uint8_t got[2048];

	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), OUTER + inner->n);
	assert_int_equal(got[5], remote);
	assert_int_equal(got[33], remote);
	assert_int_equal(got[15], tos);
	assert_int_equal(got[22], ttl);
	assert_int_equal(csum_fold(csum_add(0, got + 14, 20)), 0xffff);
	assert_int_equal(host32(load_be32(got + 46)) >> 8, vni);
	assert_memory_equal(got + OUTER, inner->b, inner->n);
}

static void
packets_wait_until_their_destination_has_a_number(void **state)
{
	struct tun_set s = { .bits = TUN_SET_REMOTE | TUN_SET_KEY, .key = VNI, .remote = ip4(9) };
	struct rules *r = new_rules();
	struct fb f = udp_frame(1);
	struct tun_view *v;

	(void)state;
	act_add_data(&r->acts[1], ACT_TUN_SET, 0, &s, sizeof s);
	act_add(&r->acts[1], ACT_TUN_PUSH, VX, 0);
	set_rules(r);
	set_view(view(NULL));
	send(3, &f);
	control_until_asked(1);
	assert_false(asked.last.heard);
	assert_true(ip_equal(&asked.last.remote, &s.remote));
	assert_true(ip_is_none(&asked.last.local));
	v = view(NULL);
	add_dst(v, DST, 9, (struct ipaddr){ { 0 } });
	set_view(v);
	assert_tunnelled(&f, 9, VNI, 0xb9 & 3, 64);
	/* The flow may go on as it is until it is made anew. */
	send(3, &f);
	assert_tunnelled(&f, 9, VNI, 0xb9 & 3, 64);
}

static void
flows_ask_for_headers_of_their_own(void **state)
{
	struct tun_set s = { .bits = TUN_SET_KEY | TUN_SET_TOS | TUN_SET_TTL, .key = 5, .tos = 0x28, .ttl = 9 };
	struct rules *r = new_rules();
	struct tun_view *v = view(NULL);
	struct fb f = udp_frame(1), g = udp_frame(2);

	(void)state;
	act_add_data(&r->acts[1], ACT_TUN_SET, 0, &s, sizeof s);
	act_add(&r->acts[1], ACT_TUN_PUSH, VX, DST);
	act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
	act_add(&r->acts[2], ACT_TUN_PUSH, VX, DST);
	act_add(&r->acts[2], ACT_OUTPUT, 2, 0);
	set_rules(r);
	add_dst(v, DST, 9, (struct ipaddr){ { 0 } });
	set_view(v);
	send(3, &f);
	assert_tunnelled(&f, 9, 5, 0x28 | (0xb9 & 3), 9);
	/* The template is as it was. */
	send(3, &g);
	assert_tunnelled(&g, 9, 0, 0xb9 & 3, 64);
	assert_int_not_equal(dp_tun_used(dp, DST), 0);
}

static void
a_flood_reaches_all_that_are_learned(void **state)
{
	struct tun_set s = { .bits = TUN_SET_KEY, .key = 5 };
	struct rules *r = new_rules();
	struct tun_view *v = view(NULL);
	struct fb f = udp_frame(1);
	struct dp_port_stats ps;
	uint8_t got[2048];

	(void)state;
	act_add_data(&r->acts[1], ACT_TUN_SET, 0, &s, sizeof s);
	act_add(&r->acts[1], ACT_TUN_FLOOD, VX, 0);
	act_add(&r->acts[1], ACT_OUTPUT, 3, 0);
	set_rules(r);
	for (uint32_t i = 0; i < 40; i++)
		add_dst(v, 1 + i, (uint8_t)(10 + i), (struct ipaddr){ { 0 } });
	/* Not all of them can be reached. */
	tun_view_set_dst(v, 50, &(struct tun_dst){ .state = TUN_DST_FAILED, .port = VX, .learned = true, .remote = ip4(99) });
	set_view(v);
	send(1, &f);
	assert_comes(3, f.b, f.n);
	for (unsigned i = 40; i--;)
		assert_tunnelled(&f, (uint8_t)(10 + i), 5, 0xb9 & 3, 64);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 0), 0);
	dp_port_stats(dp, VX, &ps);
	assert_int_equal(ps.tx_packets, 40);
}

static void
packets_for_a_group_are_those_of_their_sender(void **state)
{
	const struct ipaddr group = ip_from_v4(be32(0xef010203u));
	struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .asks = true,
				  .wild = TUN_WILD_KEY | TUN_WILD_REMOTE | TUN_WILD_LOCAL };
	struct fb inner = udp_frame(1), f = tunnelled(&inner), to_group;
	struct tun_view *v = tun_view_create();
	struct rules *r = new_rules();
	struct dp_port_stats ps;
	struct mac ours;

	(void)state;
	memcpy(&ours, f.b, 6);
	to_group = f;
	memcpy(to_group.b, (uint8_t[]){ 0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 }, 6);
	store_be32(to_group.b + 30, be32(0xef010203u));
	store_be16(to_group.b + 24, 0);
	store_be16(to_group.b + 24, (uint16_t)~csum_fold(csum_add(0, to_group.b + 14, 20)));
	rule_output(&r->acts[1]);
	set_rules(r);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	e.wild &= (uint8_t)~TUN_WILD_LOCAL;
	e.local = group;
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	assert_int_equal(tun_view_add_local(v, &(struct ipaddr[]){ ip4(2) }[0]), 0);
	tun_view_add_underlay(v, 1, ours);
	/* Known by its address alone, whoever its packets are for. */
	add_dst(v, DST, 1, (struct ipaddr){ { 0 } });
	set_view(v);
	send(1, &to_group);
	assert_comes(3, inner.b, inner.n);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(asked.n, 0);
	/* In a frame to another group it is not ours. */
	to_group.b[5] ^= 1;
	send(1, &to_group);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	control_once();
	assert_int_equal(mem_port_recv(port[3], to_group.b, sizeof to_group.b, 0), 0);
	dp_port_stats(dp, VX, &ps);
	assert_int_equal(ps.rx_packets, 3);
}

/* --- What the far end says to us ------------------------------------------------------------------ */

static struct {
	unsigned n;
	uint32_t dst, len;
	uint8_t b[2048];
} heard;

static void
note_control(void *arg, uint32_t tun_dst, const void *frame, uint32_t len)
{
	(void)arg;
	heard.n++;
	heard.dst = tun_dst;
	heard.len = len;
	memcpy(heard.b, frame, len);
}

/* A view whose only endpoint asks for BFD packets of 10.0.0.1. */
static struct tun_view *
bfd_view(bool bfd)
{
	struct tun_view *v = tun_view_create();
	struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .key = VNI, .dst = DST,
				  .remote = ip4(1), .local = ip4(2), .bfd = bfd };

	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	add_dst(v, DST, 1, (struct ipaddr){ { 0 } });
	return v;
}

/* As OVS sends them, on port 'port'. */
static struct fb
bfd_packet(uint16_t udp_port)
{
	static const uint8_t dst[6] = { 0x00, 0x23, 0x20, 0x00, 0x00, 0x01 };
	struct fb f;

	fb_macs(&f, 1, 9);
	memcpy(f.b, dst, 6);
	fb_ip(&f, 17, 0, 0x4000);
	fb_be16(&f, 50000);
	fb_be16(&f, udp_port);
	fb_be16(&f, 32);
	fb_be16(&f, 0);
	for (unsigned i = 0; i < 24; i++)
		FB_BYTES(&f, i);
	fb_ip_done(&f);
	return f;
}

static void
bfd_packets_are_for_us(void **state)
{
	struct fb inner = bfd_packet(3784), f = tunnelled(&inner), other = bfd_packet(3785), guests = udp_frame(1);
	struct rules *r = new_rules();

	(void)state;
	rule_output(&r->acts[1]);
	set_rules(r);
	set_view(bfd_view(true));
	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; !heard.n && clock_ms() < end;)
		control_once();
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.dst, DST);
	assert_int_equal(heard.len, inner.n);
	assert_memory_equal(heard.b, inner.b, inner.n);
	/* What only looks alike is the guests'. */
	f = tunnelled(&other);
	send(1, &f);
	assert_comes(3, other.b, other.n);
	f = tunnelled(&guests);
	send(1, &f);
	assert_comes(3, guests.b, guests.n);
	/* And all of it where nobody asked for BFD. */
	set_view(bfd_view(false));
	f = tunnelled(&inner);
	send(1, &f);
	assert_comes(3, inner.b, inner.n);
	assert_int_equal(heard.n, 1);
}

static void
a_flood_of_bfd_packets_stays_below(void **state)
{
	struct fb inner = bfd_packet(3784), f = tunnelled(&inner);
	uint64_t start = clock_ms(), ms, n;

	(void)state;
	set_rules(new_rules());
	set_view(bfd_view(true));
	for (unsigned i = 0; i < 500; i++)
		send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; heard.n + drops(VX, DROP_TUN_CONTROL_RATE) < 500 && clock_ms() < end;)
		control_once();
	n = drops(VX, DROP_TUN_CONTROL_RATE);
	ms = clock_ms() - start;
	assert_int_equal(heard.n + n, 500);
	/* Four in a millisecond. */
	assert_true(heard.n <= 4 * (ms + 2));
	assert_int_not_equal(heard.n, 0);
}

static void
many_sessions_may_speak_at_once(void **state)
{
	enum { N = 150 };         /* One port may have 170 punted packets here. */
	struct tun_view *v = tun_view_create();
	struct fb inner = bfd_packet(3784);

	(void)state;
	set_rules(new_rules());
	for (uint32_t i = 0; i < N; i++) {
		struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .key = VNI + i,
					  .dst = 1 + i, .remote = ip4(1), .local = ip4(2), .bfd = true };

		assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	}
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	set_view(v);
	for (uint32_t i = 0; i < N; i++) {
		struct fb f = tunnelled(&inner);

		f.b[OUTER - 3] = (uint8_t)((VNI + i) >> 8);
		f.b[OUTER - 2] = (uint8_t)(VNI + i);
		send(1, &f);
	}
	for (uint64_t end = clock_ms() + WAIT_MS; heard.n + drops(VX, DROP_TUN_CONTROL_RATE) < N && clock_ms() < end;)
		control_once();
	assert_int_equal(heard.n, N);
}

static void
the_control_plane_sends_to_a_destination(void **state)
{
	struct fb inner = bfd_packet(3784);
	uint8_t got[2048];

	(void)state;
	set_view(bfd_view(true));
	assert_int_equal(dp_tun_send(dp, DST, inner.b, inner.n), 0);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), OUTER + inner.n);
	assert_memory_equal(got + OUTER, inner.b, inner.n);
	/* Where nothing is, nothing goes, and nothing is kept. */
	assert_int_equal(dp_tun_send(dp, DST + 1, inner.b, inner.n), 0);
	assert_int_equal(dp_tun_send(dp, 0, inner.b, inner.n), -EINVAL);
	control_once();
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 0), 0);
}

static int
flow_setup(void **state)
{
	memset(&asked, 0, sizeof asked);
	memset(&heard, 0, sizeof heard);
	on_peer = note_peer;
	on_tun_control = note_control;
	setup(state);
	/* Stands for the tunnel port. */
	assert_non_null(dp_port_add(dp, &port_type_mem, "vx", VX, NULL, NULL));
	return 0;
}

int
main(void)
{
#define F(t) cmocka_unit_test_setup_teardown(t, flow_setup, teardown)
	const struct CMUnitTest tests[] = {
		F(a_packet_waits_until_its_sender_has_a_number),
		F(what_a_tunnel_says_about_learning_is_in_the_key),
		F(new_flows_out_of_a_tunnel_wait_for_their_turn),
		F(a_flood_out_of_a_tunnel_is_cut_off),
		F(options_are_in_the_key_as_far_as_rules_look),
		F(messages_for_the_endpoint_are_in_the_key_where_rules_look),
		F(options_of_a_flow_make_longer_headers),
		F(few_packets_of_strangers_wait),
		F(who_is_not_allowed_is_not_asked_about),
		F(packets_wait_until_their_destination_has_a_number),
		F(flows_ask_for_headers_of_their_own),
		F(a_flood_reaches_all_that_are_learned),
		F(packets_for_a_group_are_those_of_their_sender),
		F(bfd_packets_are_for_us),
		F(a_flood_of_bfd_packets_stays_below),
		F(many_sessions_may_speak_at_once),
		F(the_control_plane_sends_to_a_destination),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
