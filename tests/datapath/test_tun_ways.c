/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations that several equal ways lead to, on the polling threads: each flow has its way, and keeps it. */
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"
#include "tunnels/tun.h"

enum { VX = 5, DST = 7, VNI = 42, OUTER = 50, FLOWS = 64 };

static struct ipaddr
ip4(uint8_t last)
{
	return ip_from_v4(be32(0x0a000000u + last));
}

/* Ports 2 and 3 lead to DST; 'up': bit i, way i is usable.  */
static void
set_ways(unsigned up)
{
	struct tun_conf conf = { .key = VNI, .dst_port = 4789, .ttl = 64, .csum = TUN_CSUM_OFF };
	struct tun_dst d = { .state = up ? TUN_DST_READY : TUN_DST_RESOLVING, .port = VX, .max_frame = 1450,
			     .type = tun_type_find("vxlan"), .remote = ip4(9), .local = ip4(2) };
	struct tun_view *v = tun_view_create();
	struct tun_way way[2] = { { .weight = 1 }, { .weight = 1 } };
	struct err e;

	for (unsigned i = 0; i < 2; i++) {
		struct tun_path path = { .local = ip4(2), .remote = ip4(9), .dst_mac = { { 2, 0, 0, 0, 1, (uint8_t)(2 + i) } } };

		way[i].state = up >> i & 1 ? TUN_DST_READY : TUN_DST_FAILED;
		way[i].underlay_port = (uint16_t)(2 + i);
		assert_int_equal(tun_hdr_build(d.type, &conf, &path, &way[i].hdr, &e), 0);
	}
	tun_view_set_dst(v, DST, &d);
	tun_view_set_ways(v, DST, way, 2);
	dp_set_tunnels(dp, v);
	commit();
}

static void
set_program(void)
{
	struct rules *r = new_rules();

	act_add(&r->acts[1], ACT_TUN_PUSH, VX, DST);
	/* One that was made when there was one way only. */
	act_add(&r->acts[2], ACT_TUN_PUSH, VX, DST);
	act_add(&r->acts[2], ACT_OUTPUT, 3, 0);
	r->no_source = true;
	set_rules(r);
}

static struct fb
flow_frame(uint8_t which, uint16_t flow)
{
	struct fb f;

	fb_macs(&f, which, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, (uint16_t)(1000 + flow), 2000, 40);
	fb_ip_done(&f);
	return f;
}

/* Where a frame comes out: 2 or 3. */
static unsigned
comes_out(const struct fb *f)
{
	uint8_t got[2048];

	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; control_once())
		for (unsigned p = 2; p <= 3; p++)
			if (mem_port_recv(port[p], got, sizeof got, 0)) {
				/* By its way's next hop. */
				assert_int_equal(got[5], p);
				assert_memory_equal(got + OUTER, f->b, f->n);
				return p;
			}
	fail_msg("lost");
	return 0;
}

static void
flows_have_their_ways(void **state)
{
	unsigned n[4] = { 0 }, at[FLOWS];

	(void)state;
	set_program();
	set_ways(3);
	for (uint16_t i = 0; i < FLOWS; i++) {
		struct fb f = flow_frame(1, i);

		send(1, &f);
		n[at[i] = comes_out(&f)]++;
		for (unsigned again = 0; again < 3; again++) {
			send(1, &f);
			assert_int_equal(comes_out(&f), at[i]);
		}
	}
	assert_in_range(n[2], FLOWS / 5, FLOWS * 4 / 5);
	/* One goes: its flows take the other way.  It comes back: they do as well. */
	set_ways(2);
	for (uint16_t i = 0; i < FLOWS; i++) {
		struct fb f = flow_frame(1, i);

		send(1, &f);
		assert_int_equal(comes_out(&f), 3);
	}
	set_ways(3);
	for (uint16_t i = 0; i < FLOWS; i++) {
		struct fb f = flow_frame(1, i);

		send(1, &f);
		assert_int_equal(comes_out(&f), at[i]);
	}
	wait_no_mbufs();
}

static void
a_burst_is_split(void **state)
{
	unsigned n = 0;

	(void)state;
	set_program();
	set_ways(3);
	for (uint16_t i = 0; i < 256; i++) {
		struct fb f = flow_frame(1, i);
		uint8_t got[2048];

		send(1, &f);
		for (unsigned p = 2; p <= 3; p++)
			while (mem_port_recv(port[p], got, sizeof got, 0)) {
				assert_int_equal(got[5], p);
				n++;
			}
	}
	for (uint64_t end = clock_ms() + WAIT_MS; n < 256 && clock_ms() < end; control_once())
		for (unsigned p = 2; p <= 3; p++) {
			uint8_t got[2048];

			while (mem_port_recv(port[p], got, sizeof got, 0))
				n++;
		}
	assert_int_equal(n, 256);
	wait_no_mbufs();
}

static void
a_program_of_one_way_does_not_send_twice(void **state)
{
	struct fb f = flow_frame(2, 7);
	uint8_t got[2048];

	(void)state;
	set_program();
	set_ways(3);
	send(1, &f);
	comes_out(&f);
	wait_no_mbufs();
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 0), 0);
	assert_int_equal(mem_port_recv(port[3], got, sizeof got, 0), 0);
}

static void
packets_wait_for_the_first_way(void **state)
{
	struct fb f = flow_frame(1, 7);

	(void)state;
	set_program();
	set_ways(0);
	send(1, &f);
	for (unsigned i = 0; i < 20; i++)
		control_once();
	set_ways(1);
	assert_int_equal(comes_out(&f), 2);
	wait_no_mbufs();
}

static int
ways_setup(void **state)
{
	setup(state);
	/* Stands for the tunnel port. */
	assert_non_null(dp_port_add(dp, &port_type_mem, "vx", VX, NULL, NULL));
	return 0;
}

int
main(void)
{
#define W(t) cmocka_unit_test_setup_teardown(t, ways_setup, teardown)
	const struct CMUnitTest tests[] = {
		W(flows_have_their_ways),
		W(a_burst_is_split),
		W(a_program_of_one_way_does_not_send_twice),
		W(packets_wait_for_the_first_way),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
