/* SPDX-License-Identifier: Apache-2.0 */
/* What polling threads do with tunnel packets that nobody wants: each is counted, few are told of, none costs a
 * translation. */
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"

enum { VX = 5, DST = 7, VNI = 42 };

static struct {
	unsigned notes;
	uint64_t packets;
	struct dp_refusal last;
	uint64_t packets_of[256];       /* By the last byte of the source. */
} told;

static void
note_refused(void *arg, const struct dp_refusal *r)
{
	(void)arg;
	told.notes++;
	told.packets += r->n;
	told.packets_of[r->src.b[15]] += r->n;
	told.last = *r;
}

static struct ipaddr
ip4(uint8_t last)
{
	return ip_from_v4(be32(0x0a000000u + last));
}

/* Port 1 is the underlay; VX takes VNI from 10.0.0.1 at 10.0.0.2, and what is for it leaves by port 3. */
static void
one_tunnel(void)
{
	struct tun_endpoint e = { .type = tun_type_find("vxlan"), .udp_port = 4789, .port = VX, .key = VNI, .dst = DST,
				  .remote = ip4(1), .local = ip4(2) };
	struct rules *r = xcalloc(1, sizeof *r);
	struct tun_view *v = tun_view_create();

	act_add(&r->acts[1], ACT_OUTPUT, 3, 0);
	set_rules(r);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	dp_set_tunnels(dp, v);
	commit();
	memset(&told, 0, sizeof told);
}

static struct fb
vxlan(uint8_t src, uint32_t vni)
{
	struct fb inner = udp_frame(1), f;

	fb_macs(&f, 1, 9);
	fb_ip(&f, 17, 0, 0x4000);
	f.b[14 + 15] = src;
	fb_be16(&f, 50000);
	fb_be16(&f, 4789);
	fb_be16(&f, (uint16_t)(16 + inner.n));
	fb_be16(&f, 0);
	FB_BYTES(&f, 8, 0, 0, 0, (uint8_t)(vni >> 16), (uint8_t)(vni >> 8), (uint8_t)vni, 0);
	fb_add(&f, inner.b, inner.n);
	fb_ip_done(&f);
	return f;
}

static void
wait_drops(unsigned p, enum dp_drop why, uint64_t n)
{
	for (uint64_t end = clock_ms() + WAIT_MS; drops(p, why) < n && clock_ms() < end;)
		control_once();
	assert_int_equal(drops(p, why), n);
}

/* Again and again: of one sender a packet is told of once in a millisecond. */
static void
send_until_told(const struct fb *f)
{
	unsigned notes = told.notes;

	for (uint64_t end = clock_ms() + WAIT_MS; told.notes == notes && clock_ms() < end; control_once())
		send(1, f);
	assert_true(told.notes > notes);
}

static uint64_t
upcalls(void)
{
	struct dp_lcore_stats s;

	dp_lcore_stats(dp, 0, &s);
	return s.upcalls;
}

static void
who_is_refused_is_told(void **state)
{
	struct fb f = vxlan(1, VNI + 1);

	(void)state;
	one_tunnel();
	send_until_told(&f);
	assert_int_equal(told.last.why, DROP_TUN_UNKNOWN_KEY);
	assert_ptr_equal(told.last.type, tun_type_find("vxlan"));
	assert_true(ip_equal(&told.last.src, &(struct ipaddr){ { [10] = 0xff, 0xff, 10, 0, 0, 1 } }));
	assert_true(told.last.keyed && told.last.key == VNI + 1);
	assert_int_equal(told.last.underlay, 1);
	assert_int_equal(told.last.port, 0);

	f = vxlan(3, VNI);
	send_until_told(&f);
	assert_int_equal(told.last.why, DROP_TUN_UNKNOWN_REMOTE);
	assert_int_equal(told.last.src.b[15], 3);
	/* Of a header that makes no sense no key is known. */
	f = vxlan(1, VNI);
	f.b[42] = 0;
	send_until_told(&f);
	assert_int_equal(told.last.why, DROP_TUN_HEADER);
	assert_false(told.last.keyed);
	/* From ourselves. */
	f = vxlan(2, VNI);
	send_until_told(&f);
	assert_int_equal(told.last.why, DROP_TUN_OUTER_SOURCE);
}

/* Of a flood few packets are told of, but their number is; who sends little beside it is seen as well; and who has a tunnel
 * loses nothing. */
static void
a_flood_is_told_of_in_few_words(void **state)
{
	enum { FLOOD = 20000, EVERY = 100 };
	uint64_t began = clock_ms(), before;
	struct fb good = vxlan(1, VNI), f;
	uint8_t got[2048];
	unsigned came = 0;

	(void)state;
	one_tunnel();
	before = upcalls();
	for (unsigned i = 0; i < FLOOD; i++) {
		f = vxlan(200, 1000 + i * 7919 % 0xff0000);
		send(1, &f);
		if (i % EVERY)
			continue;
		f = vxlan(3, 5002);
		send(1, &f);
		send(1, &good);
		while (mem_port_recv(port[3], got, sizeof got, 0) > 0)
			came++;
		dp_poll(dp);
	}
	while (came < FLOOD / EVERY && mem_port_recv(port[3], got, sizeof got, WAIT_MS) > 0)
		came++;
	assert_int_equal(came, FLOOD / EVERY);
	wait_drops(1, DROP_TUN_UNKNOWN_KEY, FLOOD + FLOOD / EVERY);
	control_once();
	assert_in_range(told.notes, 2, (clock_ms() - began + 2) * DP_REFUSALS_PER_MS);
	/* What came since the last word of each is not told of yet. */
	assert_true(told.packets_of[200] > 0 && told.packets_of[200] <= FLOOD);
	assert_true(told.packets_of[3] > 0 && told.packets_of[3] <= FLOOD / EVERY);
	assert_in_range(upcalls() - before, 1, 2);
	wait_no_mbufs();
}

static int
refuse_setup(void **state)
{
	setup(state);
	/* Stands for the tunnel port. */
	assert_non_null(dp_port_add(dp, &port_type_mem, "vx", VX, NULL, NULL));
	return 0;
}

int
main(void)
{
#define R(t) cmocka_unit_test_setup_teardown(t, refuse_setup, teardown)
	const struct CMUnitTest tests[] = {
		R(who_is_refused_is_told),
		R(a_flood_is_told_of_in_few_words),
	};

	on_refused = note_refused;
	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
