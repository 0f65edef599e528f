/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets that are larger than the underlay: cut on the way out, put together on the way in, within bounds. */
#include "datapath/reasm.h"
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"

enum { VX = 5, DST = 7, VNI = 42, MTU = 600, BIG = 1400, MAX_OUT = 16 };

struct pkt {
	uint8_t b[2048];
	int len;
};

static struct ipaddr
addr(bool v6, uint8_t last)
{
	struct ipaddr a = { { 0x20, 1, 0xd, 0xb8 } };

	a.b[15] = last;
	return v6 ? a : ip_from_v4(be32(0x0a000000u + last));
}

/* Tunnel port VX: to 10.0.0.1 behind port 2, of the underlay port 1 from there. */
static struct tun_view *
view(bool v6, bool fragment, bool reassemble)
{
	struct tun_conf conf = { .key = VNI, .dst_port = 4789, .ttl = 64, .df = true, .csum = TUN_CSUM_ON };
	struct tun_path path = { .local = addr(v6, 2), .remote = addr(v6, 1), .mtu = MTU };
	struct tun_dst d = { .state = TUN_DST_READY, .port = VX, .underlay_port = 2, .fragment = fragment,
			     .type = tun_type_find("vxlan"), .remote = addr(v6, 1), .local = addr(v6, 2) };
	struct tun_endpoint e = { .type = d.type, .udp_port = 4789, .port = VX, .key = VNI, .dst = DST, .reassemble = reassemble,
				  .remote = addr(v6, 2), .local = addr(v6, 1) };
	struct tun_view *v = tun_view_create();
	struct err err;

	d.max_frame = tun_max_frame(d.type, &conf, v6, MTU);
	assert_int_equal(tun_hdr_build(d.type, &conf, &path, &d.hdr, &err), 0);
	tun_view_set_dst(v, DST, &d);
	assert_int_equal(tun_view_add_endpoint(v, &e), 0);
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	return v;
}

static void
set_view(struct tun_view *v)
{
	struct rules *r = new_rules();

	/* To the first station into the tunnel, to others by port 3. */
	act_add(&r->acts[1], ACT_TUN_PUSH, VX, DST);
	act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
	act_add(&r->acts[2], ACT_OUTPUT, 3, 0);
	set_rules(r);
	dp_set_tunnels(dp, v);
	commit();
}

static struct fb
inner(uint8_t dst, unsigned len)
{
	struct fb f = udp_frame(dst);

	while (f.n < len)
		FB_BYTES(&f, (uint8_t)(f.n * 7));
	return f;
}

/* What an inner frame becomes: pieces out of port 2. */
static unsigned
cut(const struct fb *f, struct pkt *out)
{
	unsigned n = 0;

	send(3, f);
	for (bool more = true; more && n < MAX_OUT; n++) {
		const uint8_t *b = out[n].b;

		out[n].len = mem_port_recv(port[2], out[n].b, sizeof out[n].b, WAIT_MS);
		assert_true(out[n].len > 0);
		more = b[12] == 8 ? b[20] & 0x20 : b[20] == 44 && b[57] & 1;
	}
	return n;
}

static void
inject(const struct pkt *p)
{
	struct fb f = { .n = 0 };

	fb_add(&f, p->b, (size_t)p->len);
	send(1, &f);
}

static uint64_t
wait_drops(unsigned p, enum dp_drop why, uint64_t n)
{
	for (uint64_t end = clock_ms() + WAIT_MS; drops(p, why) < n && clock_ms() < end;)
		control_once();
	return drops(p, why);
}

/* The pieces that a frame for station 1 becomes. */
static unsigned
pieces(bool v6, struct fb *want, struct pkt *out)
{
	struct fb f = inner(1, BIG);
	unsigned n;

	set_view(view(v6, true, true));
	*want = f;
	n = cut(&f, out);
	assert_int_equal(n, 3);
	return n;
}

static void
what_is_cut_is_put_together(void **state)
{
	static const uint8_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 0, 2, 1 } };

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned k = 0; k < ARRAY_SIZE(orders); k++) {
			struct pkt p[MAX_OUT], again[MAX_OUT];
			struct fb f;
			unsigned n = pieces(v6, &f, p), off = v6 ? 14 + 40 : 14 + 20;

			for (unsigned i = 0; i < n; i++) {
				assert_true(p[i].len <= MTU + 14);
				if (v6) {
					assert_int_equal(p[i].b[20], 44);
					assert_int_equal(host16(load_be16(p[i].b + 18)), p[i].len - (int)off);
				} else {
					assert_int_equal(csum_fold(csum_add(0, p[i].b + 14, 20)), 0xffff);
					assert_int_equal(p[i].b[20] & 0x40, 0);
					assert_int_equal(host16(load_be16(p[i].b + 16)), p[i].len - 14);
				}
			}
			/* On the way back the frame is for station 1 again: into the tunnel, in pieces; their content is the proof. */
			for (unsigned i = 0; i < n; i++)
				inject(&p[orders[k][i]]);
			for (unsigned i = 0; i < n; i++) {
				again[i].len = mem_port_recv(port[2], again[i].b, sizeof again[i].b, WAIT_MS);
				assert_int_equal(again[i].len, p[i].len);
				off = v6 ? 14 + 40 + 8 : 14 + 20;
				assert_memory_equal(again[i].b + off, p[i].b + off, (size_t)p[i].len - off);
			}
		}
	}
	assert_int_equal(drops(1, DROP_TUN_OVERLAP), 0);
	assert_int_equal(drops(1, DROP_TUN_OUTER_CSUM), 0);
}

static void
what_fits_is_not_cut(void **state)
{
	struct pkt p[MAX_OUT];
	struct fb f = inner(1, MTU + 14 - 50);

	(void)state;
	set_view(view(false, true, false));
	assert_int_equal(cut(&f, p), 1);
	assert_int_equal(p[0].len, MTU + 14);
	assert_int_equal(p[0].b[20], 0x40);
	FB_BYTES(&f, 0);
	assert_int_equal(cut(&f, p), 2);
	/* Without the option it is counted. */
	set_view(view(false, false, false));
	send(3, &f);
	assert_int_equal(wait_drops(VX, DROP_TUN_TOO_BIG, 1), 1);
}

static void
pieces_are_refused_where_nobody_asked_for_them(void **state)
{
	struct pkt p[MAX_OUT];
	struct fb f;

	(void)state;
	pieces(false, &f, p);
	set_view(view(false, true, false));
	inject(&p[0]);
	assert_int_equal(wait_drops(1, DROP_TUN_OUTER_FRAGMENT, 1), 1);
}

static void
pieces_that_do_not_fit_together_are_refused(void **state)
{
	struct pkt p[MAX_OUT], bad;
	struct fb f;

	(void)state;
	pieces(false, &f, p);
	/* The same piece again costs itself. */
	inject(&p[0]);
	inject(&p[0]);
	assert_int_equal(wait_drops(1, DROP_TUN_OVERLAP, 1), 1);
	/* One that overlaps costs all: this one and the one that waits. */
	bad = p[1];
	store_be16(bad.b + 20, be16((uint16_t)(host16(load_be16(bad.b + 20)) - 1)));
	store_be16(bad.b + 24, 0);
	store_be16(bad.b + 24, (be16_t)~csum_fold(csum_add(0, bad.b + 14, 20)));
	inject(&bad);
	assert_int_equal(wait_drops(1, DROP_TUN_OVERLAP, 3), 3);
	/* Small ones, but for the last. */
	bad = p[0];
	bad.len = 14 + 20 + 248;
	store_be16(bad.b + 16, be16((uint16_t)(bad.len - 14)));
	store_be16(bad.b + 24, 0);
	store_be16(bad.b + 24, (be16_t)~csum_fold(csum_add(0, bad.b + 14, 20)));
	inject(&bad);
	assert_int_equal(wait_drops(1, DROP_TUN_OVERLAP, 4), 4);
}

static void
fragments_of_others_go_on_as_they_are(void **state)
{
	struct pkt p[MAX_OUT];
	struct fb f;
	uint8_t got[2048];
	unsigned n = pieces(false, &f, p);

	(void)state;
	/* Of another UDP port: the host's.  The last byte of the destination says where to. */
	store_be16(p[0].b + 36, be16(2049));
	for (unsigned i = 0; i < n; i++)
		p[i].b[5] = 2;
	inject(&p[1]);
	assert_int_equal(mem_port_recv(port[3], got, sizeof got, 50), 0);
	inject(&p[0]);
	inject(&p[2]);
	for (unsigned i = 0; i < n; i++)
		assert_true(mem_port_recv(port[3], got, sizeof got, WAIT_MS) > 0);
	/* And of a host that is not this one. */
	p[1].b[33] = 77;
	store_be16(p[1].b + 24, 0);
	store_be16(p[1].b + 24, (be16_t)~csum_fold(csum_add(0, p[1].b + 14, 20)));
	inject(&p[1]);
	assert_int_equal(mem_port_recv(port[3], got, sizeof got, WAIT_MS), p[1].len);
}

static void
a_sender_that_completes_nothing_loses_his_own(void **state)
{
	struct pkt p[MAX_OUT], one;
	struct fb f;

	(void)state;
	pieces(false, &f, p);
	for (unsigned i = 0; i < 3 * REASM_PER_SOURCE; i++) {
		one = p[0];
		store_be16(one.b + 18, be16((uint16_t)(1000 + i)));
		store_be16(one.b + 24, 0);
		store_be16(one.b + 24, (be16_t)~csum_fold(csum_add(0, one.b + 14, 20)));
		inject(&one);
	}
	assert_true(wait_drops(1, DROP_TUN_INCOMPLETE, 2 * REASM_PER_SOURCE) >= 2 * REASM_PER_SOURCE);
	/* All of them in the end. */
	assert_int_equal(wait_drops(1, DROP_TUN_INCOMPLETE, 3 * REASM_PER_SOURCE), 3 * REASM_PER_SOURCE);
}

static int
frag_setup(void **state)
{
	setup(state);
	/* Stands for the tunnel port. */
	assert_non_null(dp_port_add(dp, &port_type_mem, "vx", VX, NULL, NULL));
	return 0;
}

int
main(void)
{
#define F(t) cmocka_unit_test_setup_teardown(t, frag_setup, teardown)
	const struct CMUnitTest tests[] = {
		F(what_is_cut_is_put_together),
		F(what_fits_is_not_cut),
		F(pieces_are_refused_where_nobody_asked_for_them),
		F(pieces_that_do_not_fit_together_are_refused),
		F(fragments_of_others_go_on_as_they_are),
		F(a_sender_that_completes_nothing_loses_his_own),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
