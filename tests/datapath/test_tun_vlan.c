/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets with a tag in front: an underlay in a VLAN of a trunk. */
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"
#include "tunnels/tun.h"

enum { VX = 5, DST = 7, VNI = 42, VID = 100 };

static struct ipaddr
ip4(uint8_t last)
{
	return ip_from_v4(be32(0x0a000000u + last));
}

/* Port 1 is the underlay, in VLAN 'vid'; what comes out of the tunnel leaves by port 3, what does not by port 2. */
static void
begin(uint16_t vid, bool bare)
{
	struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .key = VNI, .dst = DST,
				  .remote = ip4(1), .local = ip4(2) };
	struct tun_view *v = tun_view_create();
	struct rules *r = new_rules();

	act_add(&r->acts[1], ACT_OUTPUT, 3, 0);
	act_add(&r->acts[2], ACT_OUTPUT, 2, 0);
	set_rules(r);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	tun_view_set_underlay_vlan(v, 1, vid, bare);
	dp_set_tunnels(dp, v);
	commit();
}

/* A frame for port 3 in VXLAN, as one for port 2; 'tci' 0: without a tag. */
static struct fb
tunnelled(uint16_t tci, struct fb *inner)
{
	struct fb f;

	*inner = udp_frame(1);
	fb_macs(&f, 2, 9);
	if (tci) {
		fb_be16(&f, 0x8100);
		fb_be16(&f, tci);
	}
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
is_decapsulated(uint16_t tci)
{
	struct fb inner, f = tunnelled(tci, &inner);

	send(1, &f);
	assert_comes(3, inner.b, inner.n);
}

static void
goes_on_as_it_came(uint16_t tci)
{
	struct fb inner, f = tunnelled(tci, &inner);

	send(1, &f);
	assert_comes(2, f.b, f.n);
}

static void
packets_of_the_underlays_vlan_are_taken(void **state)
{
	struct fb plain = udp_frame(2);

	(void)state;
	begin(VID, false);
	is_decapsulated(VID);
	/* Whatever their priority. */
	is_decapsulated(0xe000 | VID);
	is_decapsulated(0x1000 | VID);
	/* Those of others are not ours, and keep every bit. */
	goes_on_as_it_came(0xa000 | (VID + 1));
	goes_on_as_it_came(1);
	goes_on_as_it_came(0);
	/* Nor is every frame of the VLAN. */
	memmove(plain.b + 16, plain.b + 12, plain.n - 12);
	memcpy(plain.b + 12, "\x81\x00\x60\x64", 4);
	plain.n += 4;
	send(1, &plain);
	assert_comes(2, plain.b, plain.n);
	wait_no_mbufs();
}

static void
a_native_vlan_comes_in_both_ways(void **state)
{
	(void)state;
	begin(VID, true);
	is_decapsulated(VID);
	is_decapsulated(0);
	goes_on_as_it_came(VID + 1);
}

static void
without_a_vlan_no_tagged_packet_is_ours(void **state)
{
	(void)state;
	begin(0, false);
	is_decapsulated(0);
	goes_on_as_it_came(VID);
}

static void
cut_off_frames_are_nobodys(void **state)
{
	struct fb inner, f = tunnelled(VID, &inner);
	uint8_t got[2048];
	uint32_t whole = f.n;

	(void)state;
	begin(VID, false);
	/* None of them comes out of the tunnel. */
	for (f.n = 15; f.n < whole; f.n++)
		send(1, &f);
	is_decapsulated(VID);
	assert_int_equal(mem_port_recv(port[3], got, sizeof got, 0), 0);
	while (mem_port_recv(port[2], got, sizeof got, 0))
		;
	wait_no_mbufs();
}

static int
vlan_setup(void **state)
{
	setup(state);
	/* Stands for the tunnel port. */
	assert_non_null(dp_port_add(dp, &port_type_mem, "vx", VX, NULL, NULL));
	return 0;
}

int
main(void)
{
#define V(t) cmocka_unit_test_setup_teardown(t, vlan_setup, teardown)
	const struct CMUnitTest tests[] = {
		V(packets_of_the_underlays_vlan_are_taken),
		V(a_native_vlan_comes_in_both_ways),
		V(without_a_vlan_no_tagged_packet_is_ours),
		V(cut_off_frames_are_nobodys),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
