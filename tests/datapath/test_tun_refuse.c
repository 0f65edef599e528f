/* SPDX-License-Identifier: Apache-2.0 */
/* What polling threads do with tunnel packets that nobody wants: each is counted, few are told of, none costs a
 * translation. */
#include "datapath/tunnel.h"
#include "tests/datapath/execenv.h"
#include "tests/tunnels/frame.h"

enum { VX = 5, DST = 7, VNI = 42, KEY = 5001, SESSION = 100 };

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

/* --- Every overlay ------------------------------------------------------------------------- */

static struct ipaddr
ip6(uint8_t last)
{
	return (struct ipaddr){ { 0x20, 1, 0x0d, 0xb8, [15] = last } };
}

/* What each type's far end is known by: GRE and NVGRE share packets, and are told apart by who sent them. */
static struct ipaddr
far_end(unsigned type, bool v6)
{
	return v6 ? ip6((uint8_t)(10 + type)) : ip4((uint8_t)(10 + type));
}

static struct tun_conf
conf_of(const struct tun_type *t)
{
	struct tun_conf c;

	memset(&c, 0, sizeof c);
	opt_defaults(t->opts, &c);
	c.key = !strcmp(t->name, "erspan") ? SESSION : KEY;
	return c;
}

/* A tunnel of each type over either family, all of them behind VX; frames to station 1 leave by port 3. */
static void
all_tunnels(bool reassemble)
{
	struct rules *r = new_rules();
	struct tun_view *v = tun_view_create();

	act_add(&r->acts[1], ACT_OUTPUT, 3, 0);
	set_rules(r);
	for (unsigned i = 0; tun_types[i]; i++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct tun_conf c = conf_of(tun_types[i]);
			struct tun_endpoint e = { .type = tun_types[i], .udp_port = c.dst_port, .port = VX, .key = c.key, .dst = DST,
						  .remote = far_end(i, v6), .local = v6 ? ip6(2) : ip4(2), .reassemble = reassemble };

			assert_int_equal(tun_view_add_endpoint(v, &e), 0);
		}
	tun_view_add_underlay(v, 1, (struct mac){ { 0 } });
	dp_set_tunnels(dp, v);
	commit();
}

/* Lengths and checksums of the outer headers, as if 'n' bytes had been sent. */
static void
sign(struct fb *f, uint32_t n)
{
	bool v6 = f->b[12] == 0x86;
	uint8_t *ip = f->b + 14, *l4 = ip + (v6 ? 40 : 20), proto = v6 ? ip[6] : ip[9];
	uint32_t len = n - (uint32_t)(l4 - f->b), at = proto == 17 ? 6 : 16;
	uint64_t sum;

	f->n = n;
	if (!v6) {
		store_be16(ip + 2, be16((uint16_t)(n - 14)));
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, 20)));
	} else {
		store_be16(ip + 4, be16((uint16_t)len));
	}
	if (proto == 47 || len < at + 2)
		return;
	if (proto == 17)
		store_be16(l4 + 4, be16((uint16_t)len));
	store_be16(l4 + at, 0);
	sum = csum_add((uint64_t)be16((uint16_t)len) + be16(proto), v6 ? ip + 8 : ip + 12, v6 ? 32 : 8);
	store_be16(l4 + at, (be16_t)~csum_fold(csum_add(sum, l4, len)));
}

/* A packet as the far end of such a tunnel sends it. */
static struct fb
packet_of(unsigned type, bool v6)
{
	const struct tun_type *t = tun_types[type];
	struct fb inner = udp_frame(1), f = { .n = 0 };
	struct tun_path path = { .local = far_end(type, v6), .remote = v6 ? ip6(2) : ip4(2), .src_mac = { { 2, 9 } },
				 .dst_mac = { { 2 } } };
	struct tun_conf c = conf_of(t);
	struct tun_batch b = { .n = 1 };
	struct tun_hdr h;
	struct err e;

	assert_int_equal(tun_hdr_build(t, &c, &path, &h, &e), 0);
	b.hdr = &h;
	b.pkt[0] = frame_room(inner.b, inner.n, h.len);
	tun_push(t, &b);
	assert_int_equal(b.drop[0], 0);
	fb_add(&f, rte_pktmbuf_mtod(b.pkt[0], void *), b.pkt[0]->pkt_len);
	frame_free(b.pkt[0]);
	sign(&f, f.n);
	return f;
}

/* Of all ports. */
static uint64_t
all_drops(bool tunnel)
{
	uint64_t sum = 0;

	for (unsigned p = 1; p <= VX; p++)
		for (enum dp_drop why = 0; why < DP_N_DROPS; why++)
			if (!tunnel || !strncmp(dp_drop_info[why].name, "tun-", 4))
				sum += drops(p, why);
	return sum;
}

static unsigned
take_all(unsigned wait_ms)
{
	uint8_t got[2048];
	unsigned n = 0;

	while (mem_port_recv(port[3], got, sizeof got, n ? 0 : wait_ms) > 0)
		n++;
	return n;
}

/* Whether it looks like a tunnel's from outside, which makes it ours to judge. */
static bool
is_ours(const struct fb *f)
{
	struct rte_mbuf *m = frame(f->b, f->n);
	struct tun_outer o;
	bool ours = tun_outer_peek(m, &o);

	frame_free(m);
	return ours;
}

/* Each length of a packet up to all but one byte; 'signed_': with outer headers that are in order. */
static void
cut_everywhere(unsigned type, bool v6, bool signed_)
{
	struct fb whole = packet_of(type, v6);
	uint64_t before = all_drops(false), before_tun = all_drops(true), n_upcalls, deadline = clock_ms() + WAIT_MS;
	unsigned sent = 0, ours = 0, came = 0;

	/* Whatever comes through is of this flow. */
	send(1, &whole);
	assert_int_equal(take_all(WAIT_MS), 1);
	n_upcalls = upcalls();
	for (uint32_t n = whole.n - 1; n >= (signed_ ? 14 + (v6 ? 40u : 20u) : 1); n--) {
		struct fb f = whole;

		f.n = n;
		if (signed_)
			sign(&f, n);
		if (ours && !is_ours(&f)) {
			/* From here on it is anybody's: so far nobody had to look at any of them. */
			while (came + all_drops(false) - before < sent && clock_ms() < deadline)
				came += take_all(1);
			assert_int_equal(upcalls(), n_upcalls);
			assert_int_equal(came + all_drops(true) - before_tun, sent);
			ours = 0;
		}
		ours += is_ours(&f);
		send(1, &f);
		sent++;
		came += take_all(0);
	}
	while (came + all_drops(false) - before < sent && clock_ms() < deadline)
		came += take_all(1);
	assert_int_equal(came + all_drops(false) - before, sent);
	/* Cut in the guest's part, with a length that says so, it is a guest's frame like others; STT has a length of its own. */
	if ((signed_ && !(tun_types[type]->caps & TUN_CAP_WHOLE)) != (came > 0))
		fail_msg("%s, IPv%u: %u of %u came through", tun_types[type]->name, v6 ? 6 : 4, came, sent);
}

static void
a_cut_packet_of_any_overlay_moves_one_counter(void **state)
{
	(void)state;
	all_tunnels(false);
	for (unsigned i = 0; tun_types[i]; i++)
		for (unsigned how = 0; how < 4; how++)
			cut_everywhere(i, how & 1, how & 2);
	wait_no_mbufs();
}

/* --- What is kept for a while -------------------------------------------------------------- */

static unsigned
type_no(const char *name)
{
	for (unsigned i = 0; tun_types[i]; i++)
		if (!strcmp(tun_types[i]->name, name))
			return i;
	fail_msg("no %s", name);
	return 0;
}

static uint64_t
mbufs_in_use(void)
{
	struct dp_mem_stats ms;

	dp_mem_stats(dp, &ms);
	return ms.mbufs_in_use;
}

/* The first piece of an STT frame of 60,000 bytes: held if its sender may send at all. */
static struct fb
first_piece(struct ipaddr src, uint16_t id)
{
	struct fb f = packet_of(type_no("stt"), false);
	uint8_t *tcp = f.b + 34;

	memcpy(f.b + 26, src.b + 12, 4);
	fb_fill(&f, 0, 800);
	store_be16(tcp + 4, be16(60000));
	store_be16(tcp + 6, be16(0));
	store_be16(tcp + 8, be16(id));
	sign(&f, f.n);
	return f;
}

/* A half of a VXLAN packet. */
static struct fb
half(struct ipaddr src, uint16_t id)
{
	struct fb f = packet_of(type_no("vxlan"), false);

	memcpy(f.b + 26, src.b + 12, 4);
	fb_fill(&f, 0, 400 - (f.n - 34) % 8);
	f.n -= (f.n - 34) % 8;
	store_be16(f.b + 18, be16(id));
	store_be16(f.b + 20, be16(0x2000));
	store_be16(f.b + 16, be16((uint16_t)(f.n - 14)));
	store_be16(f.b + 24, 0);
	store_be16(f.b + 24, (be16_t)~csum_fold(csum_add(0, f.b + 14, 20)));
	return f;
}

/* One piece of somebody who may send, which is kept; then many of strangers. */
static void
pieces_of_strangers(const char *type, struct fb (*make)(struct ipaddr, uint16_t), enum dp_drop why)
{
	enum { N = 1000, KEPT_MS = 400 };
	struct fb f = make(far_end(type_no(type), false), 1);

	uint64_t began = clock_ms();

	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mbufs_in_use() != 1 && clock_ms() < end;)
		control_once();
	assert_int_equal(mbufs_in_use(), 1);
	for (unsigned i = 0; i < N; i++) {
		f = make(ip_from_v4(be32(0x0b000000u + i * 77)), (uint16_t)i);
		send(1, &f);
	}
	wait_drops(1, why, N);
	/* Nor is the one of whom we know lost for them, before its time. */
	if (clock_ms() - began < KEPT_MS) {
		assert_int_equal(mbufs_in_use(), 1);
		assert_int_equal(drops(1, DROP_TUN_INCOMPLETE), 0);
	}
	assert_int_equal(drops(1, DROP_TUN_OVERLAP), 0);
}

static void
pieces_of_strangers_are_not_kept(void **state)
{
	(void)state;
	all_tunnels(false);
	pieces_of_strangers("stt", first_piece, DROP_TUN_UNKNOWN_REMOTE);
}

static void
fragments_of_strangers_are_not_kept(void **state)
{
	(void)state;
	all_tunnels(true);
	pieces_of_strangers("vxlan", half, DROP_TUN_OUTER_FRAGMENT);
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
		R(a_cut_packet_of_any_overlay_moves_one_counter),
		R(pieces_of_strangers_are_not_kept),
		R(fragments_of_strangers_are_not_kept),
	};

	on_refused = note_refused;
	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
