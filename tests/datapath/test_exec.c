/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that change packets, meters, and programs that the control plane runs. */
#include "execenv.h"

/* --- Programs ------------------------------------------------------------------------------ */

static void
a_change_in_one_branch_is_not_seen_in_another(void **state)
{
	static const uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 }, ttl[1] = { 7 };
	struct rules *r = new_rules();
	struct act_list *l = &r->acts[0];
	struct fb f = udp_frame(4), g;

	(void)state;
	act_add(l, ACT_CLONE, 0, 7);
	act_add_set(l, ACT_F_ETH_DST, mac, ones);
	act_add_set(l, ACT_F_IP_TTL, ttl, ones);
	act_add(l, ACT_OUTPUT, 2, 0);
	act_add(l, ACT_CLONE, 0, 2);
	act_add(l, ACT_TRUNC, 0, 30);
	act_add(l, ACT_OUTPUT, 1, 0);
	act_add(l, ACT_PUSH_MPLS, 0x8847, 0x00064140);
	act_add(l, ACT_OUTPUT, 3, 0);
	set_rules(r);
	send(1, &f);
	g = f;
	memcpy(g.b, mac, 6);
	g.b[g.l3 + 8] = 7;
	fb_ip_done(&g);
	assert_comes(2, g.b, g.n);
	assert_comes(1, f.b, 30);
	memcpy(g.b, f.b, 12);
	memcpy(g.b + 12, (uint8_t[]){ 0x88, 0x47, 0x00, 0x06, 0x41, 0x40 }, 6);
	memcpy(g.b + 18, f.b + 14, f.n - 14);
	assert_comes(3, g.b, f.n + 4);
	wait_no_mbufs();
}

static void
what_an_action_does_not_fit_is_dropped_and_counted(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add(&r->acts[0], ACT_POP_MPLS, 0x0800, 0);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; !drops(1, DROP_OF_ACTION) && clock_ms() < end; poll(NULL, 0, 1))
		;
	assert_int_equal(drops(1, DROP_OF_ACTION), 1);
	wait_no_mbufs();
}

/* IPv6 with a chain of extension headers, longer than the first buffer. */
static void
headers_beyond_the_first_buffer_are_reached(void **state)
{
	static const uint8_t p[2] = { 0x12, 0x34 };
	struct rules *r = new_rules();
	struct fb f;

	(void)state;
	act_add_set(&r->acts[0], ACT_F_TP_DST, p, ones);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
	fb_macs(&f, 4, 1);
	fb_ip6(&f, 60);
	FB_BYTES(&f, 17, 15, 1, 4, 0, 0, 0, 0);
	fb_fill(&f, 0, 120);
	fb_udp(&f, 1, 2, 100);
	fb_ip6_done(&f);
	assert_true(mem_port_send_segments(port[1], f.b, f.n, 128));
	memcpy(f.b + 14 + 40 + 128 + 2, p, 2);
	assert_comes(2, f.b, f.n);
	wait_no_mbufs();
}

static void
a_packet_in_several_buffers_is_cut(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	f.n = 1000;
	act_add(&r->acts[0], ACT_TRUNC, 0, 300);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
	assert_true(mem_port_send_segments(port[1], f.b, f.n, 150));
	assert_comes(2, f.b, 300);
	assert_true(mem_port_send_segments(port[1], f.b, 299, 150));
	assert_comes(2, f.b, 299);
	wait_no_mbufs();
}

static void
the_translator_sees_the_packet(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	set_rules(r);
	f.n = 1000;
	f.b[199] = 77;
	assert_true(mem_port_send_segments(port[1], f.b, f.n, 200));
	for (uint64_t end = clock_ms() + WAIT_MS; __atomic_load_n(&last_len, __ATOMIC_ACQUIRE) != 1000 && clock_ms() < end;)
		poll(NULL, 0, 1);
	assert_int_equal(last_len, 1000);
	assert_int_equal(last_contig, 200);
	assert_int_equal(last_byte, 77);
}

/* --- Meters ---------------------------------------------------------------------------------- */

static struct act_list *
metered(struct rules *r, uint32_t meter)
{
	act_add(&r->acts[0], ACT_METER, 0, meter);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	return &r->acts[0];
}

static void
what_is_above_a_meter_is_dropped_and_counted(void **state)
{
	struct dp_meter_conf c = { .pktps = true, .n_bands = 1, .band = { { .rate = 1, .burst = 30 } } };
	struct rules *r = new_rules();
	struct dp_meter_stats s;
	struct fb f = udp_frame(4);

	(void)state;
	assert_int_equal(dp_meter_set(dp, DP_MAX_METERS, &c), -ENOSPC);
	c.n_bands = DP_METER_BANDS + 1;
	assert_int_equal(dp_meter_set(dp, 4095, &c), -EINVAL);
	c.n_bands = 1;
	assert_int_equal(dp_meter_set(dp, 4095, &c), 0);
	metered(r, 4095);
	set_rules(r);
	for (unsigned i = 0; i < 100; i++)
		send(1, &f);
	for (unsigned i = 0; i < 30; i++)
		assert_comes(2, f.b, f.n);
	wait_no_mbufs();
	assert_in_range(drops(1, DROP_METER), 68, 70);
	dp_meter_stats(dp, 4095, &s);
	assert_int_equal(s.packets, 100);
	assert_int_equal(s.bytes, 100 * f.n);
	assert_int_equal(s.band[0].packets, drops(1, DROP_METER));
	assert_int_equal(s.band[0].bytes, drops(1, DROP_METER) * f.n);
	/* Another rate, and what was counted stays. */
	c.band[0].rate = c.band[0].burst = 1000000;
	assert_int_equal(dp_meter_set(dp, 4095, &c), 0);
	for (unsigned i = 0; i < 100; i++) {
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	dp_meter_stats(dp, 4095, &s);
	assert_int_equal(s.packets, 200);
	assert_in_range(drops(1, DROP_METER), 68, 70);
}

static void
a_meter_that_is_gone_lets_everything_pass(void **state)
{
	struct dp_meter_conf c = { .pktps = true, .n_bands = 1, .band = { { .rate = 0 } } };
	struct rules *r = new_rules();
	struct dp_meter_stats s;
	struct fb f = udp_frame(4);

	(void)state;
	assert_int_equal(dp_meter_set(dp, 7, &c), 0);
	metered(r, 7);
	set_rules(r);
	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; !drops(1, DROP_METER) && clock_ms() < end; poll(NULL, 0, 1))
		;
	assert_int_equal(drops(1, DROP_METER), 1);
	dp_meter_del(dp, 7);
	dp_meter_del(dp, 7);
	dp_meter_del(dp, UINT32_MAX);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	dp_meter_stats(dp, 7, &s);
	assert_int_equal(s.packets, 0);
}

static void
what_is_above_a_meter_is_remarked(void **state)
{
	struct dp_meter_conf c = { .pktps = true, .n_bands = 1, .band = { { .rate = 0, .remark = true, .prec_level = 1 } } };
	static const uint8_t tos[][2] = {
		{ 10 << 2 | 1, 12 << 2 | 1 }, { 12 << 2 | 2, 14 << 2 | 2 }, { 14 << 2, 14 << 2 }, { 34 << 2, 36 << 2 },
		{ 0, 0 }, { 46 << 2, 46 << 2 }, { 8 << 2, 8 << 2 }, { 42 << 2, 42 << 2 },
	};
	struct rules *r = new_rules();

	(void)state;
	assert_int_equal(dp_meter_set(dp, 0, &c), 0);
	metered(r, 0);
	set_rules(r);
	for (unsigned i = 0; i < ARRAY_SIZE(tos); i++) {
		struct fb f = udp_frame(4);

		f.b[f.l3 + 1] = tos[i][0];
		fb_ip_done(&f);
		send(1, &f);
		f.b[f.l3 + 1] = tos[i][1];
		fb_ip_done(&f);
		assert_comes(2, f.b, f.n);

		fb_macs(&f, 4, 1);
		fb_ip6(&f, 17);
		fb_udp(&f, 1, 2, 3);
		fb_ip6_done(&f);
		f.b[14] = 0x60 | tos[i][0] >> 4;
		f.b[15] = (uint8_t)(tos[i][0] << 4 | 1);
		send(1, &f);
		f.b[14] = 0x60 | tos[i][1] >> 4;
		f.b[15] = (uint8_t)(tos[i][1] << 4 | 1);
		assert_comes(2, f.b, f.n);
	}
	assert_int_equal(drops(1, DROP_METER), 0);
	/* What is no IP passes as it is. */
	struct fb arp;

	fb_macs(&arp, 4, 1);
	fb_arp(&arp, 0x0806, 1);
	send(1, &arp);
	assert_comes(2, arp.b, arp.n);
}

/* Of a batch, some go, and the others stay in order. */
static void
packets_that_pass_a_meter_keep_their_order(void **state)
{
	struct dp_meter_conf c = { .n_bands = 2, .band = { { .rate = 1000000 }, { .rate = 1, .burst = 8, .remark = true } } };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	struct dp_meter_stats s;

	(void)state;
	f.b[f.l3 + 1] = 10 << 2;
	fb_ip_done(&f);
	assert_int_equal(dp_meter_set(dp, 1, &c), 0);
	metered(r, 1);
	set_rules(r);
	assert_true(mem_port_hold(port[1], MEM_AT_RX));
	for (unsigned i = 0; i < 31; i++) {
		store_be32(f.b + 50, be32(i));
		send(1, &f);
	}
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < 31; i++) {
		store_be32(f.b + 50, be32(i));
		assert_comes(2, f.b, f.n);
	}
	dp_meter_stats(dp, 1, &s);
	assert_int_equal(s.band[0].packets, 0);
	assert_in_range(s.band[1].packets, 15, 25);
}

/* --- Programs of the control plane ----------------------------------------------------------- */

static void
a_program_runs_on_a_frame_of_the_control_plane(void **state)
{
	static uint8_t big[9000];
	struct flow_key key = { .in_port = 1 };
	static struct act_list l;
	struct fb f = udp_frame(4);

	(void)state;
	for (unsigned i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7);
	l.n = 0;
	act_add(&l, ACT_TRUNC, 0, 1500);
	act_add(&l, ACT_OUTPUT, 2, 0);
	assert_int_equal(dp_exec(dp, &key, f.b, f.n, l.a, l.n), 0);
	assert_comes(2, f.b, f.n);
	assert_int_equal(dp_exec(dp, &key, big, sizeof big, l.a, l.n), 0);
	assert_comes(2, big, 1500);
	/* To the controller, from no port. */
	l.n = 0;
	key.in_port = 0;
	act_add_data(&l, ACT_PUNT, 0xffff, ones, 8);
	assert_int_equal(dp_exec(dp, &key, big, sizeof big, l.a, l.n), 0);
	while (!punted.n)
		control_once();
	assert_int_equal(punted.len, sizeof big);
	assert_memory_equal(punted.frame, big, sizeof big);
	/* Nothing to do is no error, and leaves nothing behind. */
	assert_int_equal(dp_exec(dp, &key, f.b, f.n, l.a, 0), 0);
	key.in_port = DP_MAX_PORTS;
	assert_int_equal(dp_exec(dp, &key, f.b, f.n, l.a, 0), -EINVAL);
	wait_no_mbufs();
}

static void
programs_run_in_order_and_are_refused_when_there_are_too_many(void **state)
{
	struct flow_key key = { .in_port = 1 };
	struct act out = { .op = ACT_OUTPUT, .port = 2 };
	struct fb f = udp_frame(4);
	unsigned n = 0;

	(void)state;
	assert_true(mem_port_hold(port[1], MEM_AT_RX));
	for (;; n++) {
		store_be32(f.b + 50, be32(n));
		if (dp_exec(dp, &key, f.b, f.n, &out, 1))
			break;
	}
	assert_int_equal(dp_exec(dp, &key, f.b, f.n, &out, 1), -ENOBUFS);
	assert_in_range(n, 100, 1000);
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < n; i++) {
		store_be32(f.b + 50, be32(i));
		assert_comes(2, f.b, f.n);
	}
	wait_no_mbufs();
	/* Whoever was refused may come again, once the control thread knows. */
	fold();
	assert_int_equal(dp_exec(dp, &key, f.b, f.n, &out, 1), 0);
	assert_comes(2, f.b, f.n);
}

/* The thread is in the middle of a turn when a port appears and a frame is sent by it. */
static void
a_program_finds_what_was_committed_before_it(void **state)
{
	struct flow_key key = { .in_port = 1 };
	struct fb f = udp_frame(4);
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct act out = { .op = ACT_OUTPUT };
		struct port *p;

		assert_true(mem_port_hold(port[1], MEM_AT_RX));
		p = dp_port_add(dp, &port_type_mem, "late", 0, NULL, &e);
		assert_non_null(p);
		out.port = p->id;
		dp_commit(dp, NULL, NULL);
		assert_int_equal(dp_exec(dp, &key, f.b, f.n, &out, 1), 0);
		mem_port_hold(NULL, MEM_AT_RX);
		port[0] = p;
		assert_comes(0, f.b, f.n);
		dp_port_del(dp, p);
		commit();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_change_in_one_branch_is_not_seen_in_another),
		T(what_an_action_does_not_fit_is_dropped_and_counted),
		T(headers_beyond_the_first_buffer_are_reached),
		T(a_packet_in_several_buffers_is_cut),
		T(the_translator_sees_the_packet),
		T(what_is_above_a_meter_is_dropped_and_counted),
		T(a_meter_that_is_gone_lets_everything_pass),
		T(what_is_above_a_meter_is_remarked),
		T(packets_that_pass_a_meter_keep_their_order),
		T(a_program_runs_on_a_frame_of_the_control_plane),
		T(programs_run_in_order_and_are_refused_when_there_are_too_many),
		T(a_program_finds_what_was_committed_before_it),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
