/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels of frames that stay in their sender's memory: what comes of them is what comes of packet buffers, which other
 * tests look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"
#include "tests/datapath/frame_port.h"

/* Guests A and C, and the uplinks: B of frames, m1 of packet buffers. */
enum { M1 = 1, M3 = 3, A = 4, B, C, N_PORTS, TUN = 9, DST = 7, KEY = 5000, MAX_FRAME = 1500 };
/* Answers of the translator, by the destination of the frame. */
enum { INTO_TUNNEL, TO_GUEST, INTO_WITH_TOS, TO_BUFFERS };

static struct port *fport[N_PORTS];
static struct frame_got got;

static const struct kind {
	const char *type;
	bool six, csum, seq;
	bool direct;                    /* Frames of any length stay where they are. */
} kinds[] = {
	{ "vxlan", false, false, false, true }, { "vxlan", true, false, false, true }, { "vxlan", false, true, false, false },
	{ "vxlan", true, true, false, false }, { "geneve", false, false, false, true }, { "geneve", true, false, false, true },
	{ "gre", false, false, false, true }, { "gre", false, true, false, false }, { "gre", true, false, true, true },
	{ "nvgre", false, false, false, true }, { "vxlan-gpe", false, false, false, true },
};

static const uint32_t lengths[] = { 60, 64, 78, 79, 114, 127, 128, 129, 178, 179, 206, 207, 256, 257, 300, 1400, 1500 };

static int
virtual_open(struct port *p, const void *conf, struct err *e)
{
	(void)p;
	(void)conf;
	(void)e;
	return 0;
}

static void
virtual_close(struct port *p)
{
	(void)p;
}

static const struct port_type virtual = { .name = "virtual", .caps = PORT_CAP_VIRTUAL, .open = virtual_open, .close = virtual_close };

static int
setup_frames(void **state)
{
	struct err e = { 0 };

	setup(state);
	fport[A] = dp_port_add(dp, &port_type_frame, "a", A, NULL, &e);
	fport[B] = dp_port_add(dp, &port_type_frame, "b", B, &(struct frame_port_conf){ .mtu = 1600 }, &e);
	fport[C] = dp_port_add(dp, &port_type_frame, "c", C, NULL, &e);
	assert_true(fport[A] && fport[B] && fport[C]);
	for (uint16_t n = 0; n < 6; n++)
		assert_non_null(dp_port_add(dp, &virtual, "tunnel", TUN + n, NULL, &e));
	commit();
	return 0;
}

static int
teardown_frames(void **state)
{
	wait_no_mbufs();
	return teardown(state);
}

static struct ipaddr
address(bool six, uint8_t n)
{
	struct ipaddr a = { .b = { 0xfd, 0x16, [15] = n } };

	return six ? a : ip_from_v4(be32(0x0a000000u + n));
}

/* Outer headers of packets from host 'from' to 'to'. */
static void
headers(const struct kind *k, uint8_t from, uint8_t to, struct tun_hdr *h)
{
	const struct tun_type *t = tun_type_find(k->type);
	struct tun_conf conf = { .key = KEY, .dst_port = t->udp_port, .ttl = 64, .df = true, .flow_id = true, .seq = k->seq,
				 .csum = k->csum ? TUN_CSUM_ON : TUN_CSUM_OFF };
	struct tun_path path = { .local = address(k->six, from), .remote = address(k->six, to), .mtu = 1600,
				 .src_mac = { { 2, 0, 0, 0, 1, from } }, .dst_mac = { { 2, 0, 0, 0, 1, to } } };
	struct err e;

	assert_int_equal(tun_hdr_build(t, &conf, &path, h, &e), 0);
}

/* Host 1 is here, behind uplinks B and m1; host 2 far away. */
static struct tun_view *
view(const struct kind *k, unsigned wild, bool known)
{
	const struct tun_type *t = tun_type_find(k->type);
	struct tun_endpoint ep = { .type = t, .udp_port = t->udp_port, .port = TUN, .key = KEY, .dst = DST, .wild = (uint8_t)wild,
				   .remote = address(k->six, 2), .local = address(k->six, 1), .zero_csum6 = true };
	struct tun_dst d = { .state = TUN_DST_READY, .port = TUN, .underlay_port = B, .max_frame = MAX_FRAME, .type = t,
			     .local = address(k->six, 1), .remote = address(k->six, 2), .learned = wild,
			     .asked = address(k->six, 1) };
	struct tun_view *v = tun_view_create();

	headers(k, 1, 2, &d.hdr);
	if (known)
		tun_view_set_dst(v, DST, &d);
	assert_int_equal(tun_view_add_endpoint(v, &ep), 0);
	tun_view_add_underlay(v, B, (struct mac){ { 2, 0, 0, 0, 1, 1 } });
	tun_view_add_underlay(v, M1, (struct mac){ { 2, 0, 0, 0, 1, 1 } });
	return v;
}

static void
set_view(struct tun_view *v)
{
	dp_set_tunnels(dp, v);
	commit();
}

static void
answers(void)
{
	struct tun_set set = { .bits = TUN_SET_TOS | TUN_SET_KEY, .tos = 0xb8, .key = 4711 };
	struct rules *r = new_rules();

	act_add(&r->acts[INTO_TUNNEL], ACT_TUN_PUSH, TUN, DST);
	act_add(&r->acts[INTO_TUNNEL], ACT_OUTPUT, B, 0);
	act_add(&r->acts[TO_GUEST], ACT_OUTPUT, C, 0);
	act_add_data(&r->acts[INTO_WITH_TOS], ACT_TUN_SET, 0, &set, offsetof(struct tun_set, opts));
	act_add(&r->acts[INTO_WITH_TOS], ACT_TUN_PUSH, TUN, DST);
	act_add(&r->acts[INTO_WITH_TOS], ACT_OUTPUT, B, 0);
	set_rules(r);
}

static struct fb
inner(uint8_t dst, uint32_t len, bool tagged)
{
	struct fb f;

	fb_macs(&f, dst, 1);
	if (tagged)
		fb_tag(&f, 0x8100, 10);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1000, 2000, (uint16_t)(len - f.n - 8));
	fb_ip_done(&f);
	for (uint32_t i = f.l4 + 8; i < f.n; i++)
		f.b[i] = (uint8_t)(i * 11);
	return f;
}

/* What host 2 sends to carry 'f'. */
static struct fb
tunnelled(const struct kind *k, const struct fb *f)
{
	struct tun_hdr h;
	struct tun_batch b = { .n = 1, .hdr = &h, .pkt = { rte_pktmbuf_alloc(fport[A]->owner->pool) } };
	struct fb out = { .n = 0 };

	headers(k, 2, 1, &h);
	assert_non_null(b.pkt[0]);
	memcpy(rte_pktmbuf_append(b.pkt[0], (uint16_t)f->n), f->b, f->n);
	tun_push(tun_type_find(k->type), &b);
	assert_int_equal(b.drop[0], 0);
	fb_add(&out, rte_pktmbuf_mtod(b.pkt[0], const uint8_t *), b.pkt[0]->pkt_len);
	rte_pktmbuf_free(b.pkt[0]);
	return out;
}

static void
put(unsigned p, const struct fb *f, uint32_t buf_len)
{
	assert_true(frame_port_put(fport[p], 0, f->b, f->n, buf_len, 0, NULL));
}

static void
get(unsigned p)
{
	frame_port_get(fport[p], &got, WAIT_MS);
	assert_int_not_equal(got.len, 0);
}

static void
assert_got(const void *b, uint32_t len)
{
	assert_int_equal(got.len, len);
	assert_memory_equal(got.b, b, len);
}

/* GRE's numbers rise. */
static void
forget_number(const struct kind *k, uint8_t *b)
{
	if (k->seq)
		memset(b + 14 + (k->six ? 40 : 20) + 8, 0, 4);
}

static void
into_tunnels(void **state)
{
	static struct frame_got buffered;

	(void)state;
	answers();
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		set_view(view(k, 0, true));
		for (unsigned n = 0; n < 4 * ARRAY_SIZE(lengths); n++) {
			uint32_t len = lengths[n / 4];
			bool tagged = n & 1;
			struct fb f = inner(n & 2 ? INTO_WITH_TOS : INTO_TUNNEL, len, tagged);

			send(M1, &f);
			get(B);
			assert_false(got.direct);
			buffered = got;
			/* The first one of a flow is a miss. */
			put(A, &f, 0);
			get(B);
			put(A, &f, 0);
			get(B);
			assert_int_equal(got.direct, k->direct || len <= FRAME_HDR);
			forget_number(k, got.b);
			forget_number(k, buffered.b);
			assert_got(buffered.b, buffered.len);
			assert_memory_equal(got.b + got.len - (len - 34), f.b + 34, len - 34);
			/* In several pieces. */
			put(A, &f, 50);
			get(B);
			forget_number(k, got.b);
			assert_got(buffered.b, buffered.len);
		}
	}
}

static void
out_of_tunnels(void **state)
{
	(void)state;
	answers();
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		set_view(view(k, 0, true));
		for (unsigned n = 0; n < ARRAY_SIZE(lengths); n++) {
			struct fb f = inner(TO_GUEST, lengths[n], false), outer = tunnelled(k, &f);

			/* The first one is a miss. */
			put(B, &outer, 0);
			get(C);
			assert_got(f.b, f.n);
			put(B, &outer, 0);
			get(C);
			assert_int_equal(got.direct, k->direct || outer.n <= FRAME_HDR + FRAME_TAIL);
			assert_got(f.b, f.n);
			put(B, &outer, 60);
			get(C);
			assert_got(f.b, f.n);
			frame_port_scribble(fport[B], true);
			put(B, &outer, 0);
			frame_port_get(fport[C], &got, WAIT_MS);
			frame_port_scribble(fport[B], false);
			/* What was looked at is what goes on. */
			if (lengths[n] + outer.n - f.n <= FRAME_HDR)
				assert_got(f.b, f.n);
		}
	}
}

/* Counts of all reasons at a port and at the tunnel behind it. */
static void
reasons(unsigned p, uint64_t *out)
{
	struct dp_port_stats a, b;

	dp_port_stats(dp, (uint16_t)p, &a);
	dp_port_stats(dp, TUN, &b);
	for (unsigned i = 0; i < DP_N_DROPS; i++)
		out[i] = a.drops[i] + b.drops[i];
}

static uint64_t
sum(const uint64_t *n)
{
	uint64_t s = 0;

	for (unsigned i = 0; i < DP_N_DROPS; i++)
		s += n[i];
	return s;
}

/* Sends the same packet on both uplinks.  What is refused is refused for the same reason, what passes is the same. */
static void
same_fate(const struct fb *f)
{
	uint64_t at_b[DP_N_DROPS], after_b[DP_N_DROPS], at_m[DP_N_DROPS], after_m[DP_N_DROPS];
	static struct frame_got first;

	reasons(M1, at_m);
	send(M1, f);
	for (first.len = 0;;) {
		frame_port_get(fport[C], &first, 1);
		reasons(M1, after_m);
		if (first.len || sum(after_m) != sum(at_m))
			break;
	}
	reasons(B, at_b);
	put(B, f, 0);
	for (got.len = 0;;) {
		frame_port_get(fport[C], &got, 1);
		reasons(B, after_b);
		if (got.len || sum(after_b) != sum(at_b))
			break;
	}
	assert_int_equal(got.len, first.len);
	assert_memory_equal(got.b, first.b, got.len);
	for (unsigned i = 0; i < DP_N_DROPS; i++)
		assert_int_equal(after_b[i] - at_b[i], after_m[i] - at_m[i]);
}

static void
what_is_wrong_has_the_same_reason(void **state)
{
	struct rules *r = new_rules();
	uint32_t seed = 1;

	(void)state;
	/* Whatever is inside has somewhere to go. */
	for (unsigned i = 0; i < 4; i++)
		act_add(&r->acts[i], ACT_OUTPUT, C, 0);
	set_rules(r);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		set_view(view(k, 0, true));
		for (unsigned n = 0; n < 30; n++) {
			struct fb f = inner(TO_GUEST, n & 1 ? 64 : 300, false), good = tunnelled(k, &f), bad = good;
			unsigned at;

			seed = seed * 1664525 + 1013904223;
			at = 14 + seed / 256 % 70;
			if (n < 10)
				bad.n = 14 + (seed >> 8) % (good.n - 14);
			else
				bad.b[at] ^= (uint8_t)(1u << (seed >> 28 & 7));
			same_fate(&bad);
			same_fate(&good);
		}
	}
}

static void
a_burst_keeps_its_order(void **state)
{
	/* Turn by turn with what cannot be done where it is, and with what is no tunnel's. */
	const struct kind *plain = &kinds[0], *csum = &kinds[2];
	struct fb f, outer;

	(void)state;
	answers();
	set_view(view(plain, 0, true));
	for (unsigned mixed = 0; mixed < 2; mixed++) {
		assert_true(mem_port_hold(port[M3], MEM_AT_RX));
		for (unsigned i = 0; i < 24; i++) {
			f = inner(TO_GUEST, 400, false);
			f.b[f.n - 1] = (uint8_t)i;
			outer = tunnelled(i & 1 && mixed ? csum : plain, &f);
			put(B, &outer, 0);
			f = inner(TO_GUEST, 80, false);
			f.b[f.n - 1] = (uint8_t)(100 + i);
			put(B, &f, 0);
		}
		mem_port_hold(NULL, MEM_AT_RX);
		for (unsigned i = 0, ordinary = 100, carried = 0; i < 48; i++) {
			get(C);
			assert_int_equal(got.b[got.len - 1], got.len == 400 ? carried++ : ordinary++);
		}
	}
}

static void
many_senders_and_networks_in_a_burst(void **state)
{
	const struct kind *k = &kinds[0];
	const struct tun_type *t = tun_type_find(k->type);
	struct tun_view *v = view(k, 0, true);
	struct dp_port_stats at[3];

	(void)state;
	answers();
	for (uint8_t n = 3; n < 6; n++) {
		struct tun_endpoint ep = { .type = t, .udp_port = t->udp_port, .port = TUN + n, .key = KEY, .dst = DST + n,
					   .remote = address(false, n), .local = address(false, 1) };

		assert_int_equal(tun_view_add_endpoint(v, &ep), 0);
	}
	set_view(v);
	assert_true(mem_port_hold(port[M3], MEM_AT_RX));
	for (unsigned i = 0; i < 30; i++) {
		struct fb f = inner(TO_GUEST, 64, false), outer;
		uint8_t from = (uint8_t)(3 + i * 7 % 3);

		f.b[f.n - 1] = (uint8_t)i;
		outer = tunnelled(k, &f);
		outer.b[14 + 15] = from;
		/* One in five in a network that nobody knows, one from ourselves. */
		if (i % 5 == 4)
			outer.b[14 + 20 + 8 + 6] ^= 1;
		if (i == 11)
			outer.b[14 + 15] = 1;
		outer.l3 = 14;
		store_be16(outer.b + 24, 0);
		store_be16(outer.b + 24, (uint16_t)~csum_fold(csum_add(0, outer.b + 14, 20)));
		put(B, &outer, 0);
	}
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < 30; i++) {
		if (i % 5 == 4 || i == 11)
			continue;
		get(C);
		assert_int_equal(got.b[got.len - 1], i);
	}
	commit();
	for (unsigned n = 0; n < 3; n++)
		dp_port_stats(dp, (uint16_t)(TUN + 3 + n), &at[n]);
	assert_int_equal(at[0].rx_packets + at[1].rx_packets + at[2].rx_packets, 30 - 6 - 1);
	assert_int_equal(at[0].rx_packets, 8);
	assert_int_equal(drops(B, DROP_TUN_UNKNOWN_KEY), 6);
	assert_int_equal(drops(B, DROP_TUN_OUTER_SOURCE), 1);
}

static unsigned n_bfd;
static uint32_t bfd_len;

static void
note_bfd(void *arg, uint32_t dst, const void *frame, uint32_t len)
{
	(void)arg;
	(void)frame;
	assert_int_equal(dst, DST);
	n_bfd++;
	bfd_len = len;
}

static int
setup_control(void **state)
{
	n_bfd = 0;
	on_tun_control = note_bfd;
	return setup_frames(state);
}

static int
teardown_control(void **state)
{
	on_tun_control = NULL;
	return teardown_frames(state);
}

static void
packets_for_us_are_handed_up(void **state)
{
	static const uint8_t bfd_mac[6] = { 0x00, 0x23, 0x20, 0x00, 0x00, 0x01 };
	const struct kind *k = &kinds[0];
	const struct tun_type *t = tun_type_find(k->type);
	struct tun_endpoint ep = { .type = t, .udp_port = t->udp_port, .port = TUN, .key = KEY, .dst = DST, .bfd = true,
				   .remote = address(false, 2), .local = address(false, 1) };
	struct tun_view *v = tun_view_create();
	struct fb f, outer;

	(void)state;
	answers();
	assert_int_equal(tun_view_add_endpoint(v, &ep), 0);
	tun_view_add_underlay(v, B, (struct mac){ { 2, 0, 0, 0, 1, 1 } });
	set_view(v);
	fb_macs(&f, 0, 1);
	memcpy(f.b, bfd_mac, 6);
	fb_ip(&f, 17, 0, 0x4000);
	fb_udp(&f, 49152, 3784, 24);
	fb_ip_done(&f);
	outer = tunnelled(k, &f);
	put(B, &outer, 0);
	for (uint64_t end = clock_ms() + WAIT_MS; !n_bfd && clock_ms() < end;)
		control_once();
	assert_int_equal(n_bfd, 1);
	assert_int_equal(bfd_len, f.n);
}

static unsigned asked;

static void
note_peer(void *arg, const struct dp_tun_peer *p)
{
	(void)arg;
	assert_int_equal(p->port, TUN);
	asked++;
}

static int
setup_peer(void **state)
{
	asked = 0;
	on_peer = note_peer;
	return setup_frames(state);
}

static int
teardown_peer(void **state)
{
	on_peer = NULL;
	return teardown_frames(state);
}

static void
a_frame_waits_until_its_sender_has_a_number(void **state)
{
	const struct kind *k = &kinds[0];
	struct fb f = inner(TO_GUEST, 700, false), outer;

	(void)state;
	answers();
	outer = tunnelled(k, &f);
	set_view(view(k, TUN_WILD_REMOTE, false));
	put(B, &outer, 0);
	for (uint64_t end = clock_ms() + WAIT_MS; !asked && clock_ms() < end;)
		control_once();
	assert_true(asked);
	frame_port_get(fport[C], &got, 0);
	assert_int_equal(got.len, 0);
	set_view(view(k, TUN_WILD_REMOTE, true));
	get(C);
	assert_got(f.b, f.n);
	put(B, &outer, 0);
	get(C);
	assert_true(got.direct);
	assert_got(f.b, f.n);
}

static void
what_does_not_fit_is_counted(void **state)
{
	struct fb f = inner(INTO_TUNNEL, MAX_FRAME + 1, false);

	(void)state;
	answers();
	set_view(view(&kinds[0], 0, true));
	put(A, &f, 0);
	put(A, &f, 0);
	for (uint64_t end = clock_ms() + WAIT_MS; drops(TUN, DROP_TUN_TOO_BIG) < 2 && clock_ms() < end;)
		control_once();
	assert_int_equal(drops(TUN, DROP_TUN_TOO_BIG), 2);
}

#define TF(t) cmocka_unit_test_setup_teardown(t, setup_frames, teardown_frames)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TF(into_tunnels),
		TF(out_of_tunnels),
		TF(what_is_wrong_has_the_same_reason),
		TF(a_burst_keeps_its_order),
		TF(many_senders_and_networks_in_a_burst),
		TF(what_does_not_fit_is_counted),
		cmocka_unit_test_setup_teardown(packets_for_us_are_handed_up, setup_control, teardown_control),
		cmocka_unit_test_setup_teardown(a_frame_waits_until_its_sender_has_a_number, setup_peer, teardown_peer),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
