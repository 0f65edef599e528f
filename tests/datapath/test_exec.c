/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenFlow asks of the polling threads: programs that change packets, packets and notes for the control plane,
 * programs that the control plane runs, and counts that follow a flow's. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ctr.h"
#include "base/hash.h"
#include "frames.h"
#include "mem_port.h"

enum { WAIT_MS = 10000, N_OBJECTS = 64 };

/* What the fake translator answers; the low byte of the destination address picks the answer. */
struct rules {
	struct act_list acts[4];
	uint64_t refs[256][3];
	uint8_t n_refs[256];
	uint8_t no_cache[256];
	bool no_source;                 /* Sources do not count. */
	uint64_t version;               /* Of the masks of ports. */
	uint16_t note_len;
};

/* Counted by credit(); atomics, for it runs on the polling threads. */
static struct {
	uint64_t packets, bytes, used_ms;
} counted[N_OBJECTS + 1];

static struct dp *dp;
static struct port *port[4];
static unsigned max_flows = 1024, n_lcores = 1;
static bool want_punts = true;

static struct {
	unsigned n;
	uint16_t in_port;
	uint8_t data[64];
	unsigned data_len;
	uint8_t frame[70000];
	uint32_t len, orig_len;
	unsigned of_port[4];
} punted;

static struct {
	unsigned n;
	unsigned len;
	uint8_t first, last;
} noted;

static uint32_t last_contig, last_len;
static uint8_t last_byte;

static void
fake_translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	const struct rules *r = view;
	uint8_t which = key->dl_dst.b[5];
	const struct act_list *l = &r->acts[which & 3];

	out->mask.in_port = 0xffff;
	memset(&out->mask.dl_dst, 0xff, sizeof out->mask.dl_dst);
	if (which & 1)
		memset(&out->mask.dl_src, 0xff, sizeof out->mask.dl_src);
	xlate_tag(out, dp_tag_make(TAG_TABLE, which & 7));
	memcpy(out->acts.a, l->a, l->n * sizeof l->a[0]);
	out->acts.n = l->n;
	for (unsigned i = 0; i < r->n_refs[which]; i++)
		xlate_ref(out, r->refs[which][i]);
	out->no_cache = r->no_cache[which];
	if (r->note_len) {
		out->n_notes = 1;
		out->notes[0].len = r->note_len;
		memset(out->notes[0].data, 0x5a, r->note_len);
		out->notes[0].data[0] = which;
	}
	if (!out->acts.n)
		out->drop = DROP_OF_RULE;
	__atomic_store_n(&last_contig, pkt->contig, __ATOMIC_RELAXED);
	__atomic_store_n(&last_byte, pkt->data[pkt->contig - 1], __ATOMIC_RELAXED);
	__atomic_store_n(&last_len, pkt->len, __ATOMIC_RELEASE);
}

static void
fake_port_mask(const void *view, uint16_t p, struct flow_key *m)
{
	const struct rules *r = view;

	(void)p;
	memset(m, 0, sizeof *m);
	memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
	if (!r->no_source)
		memset(&m->dl_src, 0xff, sizeof m->dl_src);
}

static uint64_t
fake_masks_version(const void *view)
{
	return ((const struct rules *)view)->version;
}

static void
fake_touch(const void *view UNUSED, uint64_t t UNUSED)
{
}

static void
fake_credit(const void *view, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
	(void)view;
	for (unsigned i = 0; i < n; i++) {
		__atomic_fetch_add(&counted[refs[i]].packets, packets, __ATOMIC_RELAXED);
		__atomic_fetch_add(&counted[refs[i]].bytes, bytes, __ATOMIC_RELAXED);
		__atomic_store_n(&counted[refs[i]].used_ms, used_ms, __ATOMIC_RELAXED);
	}
}

static const struct xlate_ops fake_xlate = {
	.translate = fake_translate, .port_mask = fake_port_mask, .touch = fake_touch, .credit = fake_credit,
	.masks_version = fake_masks_version,
};

static void
on_punt(void *arg, uint16_t in_port, const void *data, unsigned data_len, const void *frame, uint32_t len,
	uint32_t orig_len)
{
	(void)arg;
	punted.n++;
	punted.of_port[in_port]++;
	punted.in_port = in_port;
	punted.data_len = data_len;
	memcpy(punted.data, data, MIN_OF(data_len, sizeof punted.data));
	memcpy(punted.frame, frame, MIN_OF(len, sizeof punted.frame));
	punted.len = len;
	punted.orig_len = orig_len;
}

static void
on_note(void *arg, const void *data, unsigned len)
{
	(void)arg;
	noted.n++;
	noted.len = len;
	noted.first = ((const uint8_t *)data)[0];
	noted.last = ((const uint8_t *)data)[len - 1];
}

static int
setup(void **state)
{
	struct dp_conf conf = {
		.n_lcores = n_lcores, .cpu = { 0, 1 }, .run_dir = "/tmp", .n_mbufs = 4096, .max_flows = max_flows, .idle_us = 100,
		.xlate = &fake_xlate, .punt = want_punts ? on_punt : NULL, .note = on_note,
	};
	struct err e = { 0 };

	(void)state;
	memset(counted, 0, sizeof counted);
	memset(&punted, 0, sizeof punted);
	memset(&noted, 0, sizeof noted);
	last_len = last_contig = 0;
	dp = dp_create(&conf, &e);
	if (!dp)
		fprintf(stderr, "%s\n", e.msg);
	assert_non_null(dp);
	for (unsigned i = 1; i <= 3; i++) {
		char name[8] = { 'm', (char)('0' + i), 0 };

		port[i] = dp_port_add(dp, &port_type_mem, name, 0, NULL, &e);
		assert_non_null(port[i]);
	}
	dp_commit(dp, NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dp_destroy(dp);
	return 0;
}

static void
control_once(void)
{
	struct pollfd f = { .fd = dp_event_fd(dp), .events = POLLIN };

	poll(&f, 1, 1);
	dp_poll(dp);
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void
control_until(const bool *flag)
{
	for (uint64_t end = clock_ms() + WAIT_MS; !*flag && clock_ms() < end;)
		control_once();
	assert_true(*flag);
}

static void
commit(void)
{
	bool done = false;

	dp_commit(dp, set_flag, &done);
	control_until(&done);
}

static void
fold(void)
{
	bool done = false;

	dp_fold(dp, set_flag, &done);
	control_until(&done);
}

static struct rules *
new_rules(void)
{
	return xcalloc(1, sizeof(struct rules));
}

static void
set_rules(struct rules *r)
{
	dp_set_xlate_view(dp, r, free);
	dp_tag_changed(dp, dp_tag_make(TAG_ALL, 0));
	commit();
}

static void
send(unsigned from, const struct fb *f)
{
	while (!mem_port_send(port[from], f->b, f->n))
		poll(NULL, 0, 1);
}

static void
assert_comes(unsigned to, const void *want, uint32_t len)
{
	static uint8_t got[70000];

	assert_int_equal(mem_port_recv(port[to], got, sizeof got, WAIT_MS), len);
	assert_memory_equal(got, want, len);
}

static void
wait_no_mbufs(void)
{
	struct dp_mem_stats ms;

	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; control_once()) {
		dp_mem_stats(dp, &ms);
		if (!ms.mbufs_in_use)
			return;
	}
	assert_int_equal(ms.mbufs_in_use, 0);
}

static uint64_t
drops(unsigned p, enum dp_drop why)
{
	struct dp_port_stats s;

	dp_port_stats(dp, (uint16_t)p, &s);
	return s.drops[why];
}

static struct fb
udp_frame(uint8_t dst)
{
	struct fb f;

	fb_macs(&f, dst, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1000, 2000, 40);
	fb_ip_done(&f);
	return f;
}

static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

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

/* --- Packets and notes for the control plane ------------------------------------------------- */

static void
a_punted_packet_comes_with_its_data(void **state)
{
	static const uint64_t data[2] = { 0x1122334455667788, 42 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 60, data, sizeof data);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	act_add_data(&r->acts[1], ACT_PUNT, 0xffff, data, 8);
	set_rules(r);
	send(3, &f);
	assert_comes(2, f.b, f.n);
	while (!punted.n)
		control_once();
	assert_int_equal(punted.in_port, 3);
	assert_int_equal(punted.data_len, 16);
	assert_memory_equal(punted.data, data, 16);
	assert_int_equal(punted.len, 60);
	assert_int_equal(punted.orig_len, f.n);
	assert_memory_equal(punted.frame, f.b, 60);

	/* All of a long one, in many buffers. */
	f = udp_frame(5);
	f.n = 1400;
	for (unsigned i = 100; i < 1400; i++)
		f.b[i] = (uint8_t)i;
	assert_true(mem_port_send_segments(port[1], f.b, f.n, 200));
	while (punted.n < 2)
		control_once();
	assert_int_equal(punted.len, 1400);
	assert_int_equal(punted.data_len, 8);
	assert_memory_equal(punted.frame, f.b, 1400);
	wait_no_mbufs();
}

/* A later action must not write to what the control thread will read. */
static void
what_is_punted_is_the_packet_as_it_was_then(void **state)
{
	static const uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4), g;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, mac, 0);
	act_add_set(&r->acts[0], ACT_F_ETH_DST, mac, ones);
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, mac, 0);
	act_add(&r->acts[0], ACT_PUSH_VLAN, 0, 0x81000005);
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	set_rules(r);
	send(1, &f);
	g = f;
	memcpy(g.b, mac, 6);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t got[2048];

		if (!i)
			assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), f.n + 4);
		for (uint64_t end = clock_ms() + WAIT_MS; punted.n < 2 && clock_ms() < end;)
			control_once();
	}
	assert_int_equal(punted.n, 2);
	assert_int_equal(punted.len, g.n);
	assert_memory_equal(punted.frame, g.b, g.n);
	wait_no_mbufs();
}

static void
one_port_cannot_take_the_place_of_another_at_the_controller(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	unsigned sent = 0;
	uint64_t full;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	/* Nobody takes them. */
	for (; sent < 900; sent++)
		send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[1]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	for (unsigned i = 0; i < 20; i++)
		send(3, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[3]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	/* The turns that took them are over. */
	fold();
	for (uint64_t end = clock_ms() + 2000; punted.of_port[3] < 20 && clock_ms() < end;)
		control_once();
	assert_int_equal(punted.of_port[3], 20);
	assert_int_equal(drops(3, DROP_PUNT_FULL), 0);
	full = drops(1, DROP_PUNT_FULL);
	assert_true(full > 0);
	assert_int_equal(punted.of_port[1] + full, sent);
	wait_no_mbufs();
	/* There is room again. */
	send(1, &f);
	while (punted.of_port[1] + full == sent)
		control_once();
}

/* Each has more data than packet: the queue's bytes are shared as well. */
static void
long_data_of_some_ports_leave_room_for_that_of_another(void **state)
{
	static const uint8_t data[6000];
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, data, sizeof data);
	set_rules(r);
	for (unsigned p = 1; p <= 2; p++) {
		for (unsigned i = 0; i < 600; i++)
			send(p, &f);
		for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[p]) && clock_ms() < end; poll(NULL, 0, 1))
			;
	}
	for (unsigned i = 0; i < 20; i++)
		send(3, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[3]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	fold();
	for (uint64_t end = clock_ms() + WAIT_MS; punted.of_port[3] < 20 && clock_ms() < end;)
		control_once();
	assert_int_equal(punted.of_port[3], 20);
	assert_true(drops(1, DROP_PUNT_FULL) > 0);
	assert_true(drops(2, DROP_PUNT_FULL) > 0);
	assert_int_equal(punted.data_len, sizeof data);
	wait_no_mbufs();
}

static void
a_call_of_dp_poll_takes_some_of_many_packets(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	struct pollfd p = { .fd = dp_event_fd(dp), .events = POLLIN };
	unsigned calls = 0;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	for (unsigned i = 0; i < 128; i++)
		send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; mem_port_pending(port[1]) && clock_ms() < end; poll(NULL, 0, 1))
		;
	for (uint64_t end = clock_ms() + WAIT_MS; punted.n < 128 && clock_ms() < end; calls++) {
		unsigned before = punted.n;

		/* As long as there are more, it wants to be called. */
		assert_int_equal(poll(&p, 1, 1000), 1);
		dp_poll(dp);
		assert_true(punted.n - before <= 64);
	}
	assert_int_equal(punted.n, 128);
	assert_true(calls >= 2);
}

static void
notes_reach_the_control_thread(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->note_len = XLATE_NOTE_MAX;
	set_rules(r);
	for (unsigned i = 0; i < 3; i++) {
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	while (!noted.n)
		control_once();
	/* Once for the answer, not for each packet. */
	assert_int_equal(noted.n, 1);
	assert_int_equal(noted.len, XLATE_NOTE_MAX);
	assert_int_equal(noted.first, 4);
	assert_int_equal(noted.last, 0x5a);
	/* And once more for a new one. */
	dp_tag_changed(dp, dp_tag_make(TAG_TABLE, 4));
	commit();
	send(1, &f);
	assert_comes(2, f.b, f.n);
	for (uint64_t end = clock_ms() + WAIT_MS; noted.n < 2 && clock_ms() < end;)
		control_once();
	assert_int_equal(noted.n, 2);
}

static void
an_answer_whose_note_finds_no_room_is_not_kept(void **state)
{
	struct rules *r = new_rules();
	struct dp_lcore_stats s;
	unsigned sent = 0;
	uint8_t got[2048];
	struct fb f;

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->note_len = XLATE_NOTE_MAX;
	memset(r->n_refs, 1, sizeof r->n_refs);
	for (unsigned i = 0; i < 256; i++)
		r->refs[i][0] = 1;
	r->acts[1] = r->acts[2] = r->acts[3] = r->acts[0];
	set_rules(r);
	f = udp_frame(1);
	/* Each source is another flow; nobody takes the notes. */
	for (; sent < 800; sent++) {
		f.b[9] = (uint8_t)(sent >> 8);
		f.b[10] = (uint8_t)sent;
		send(1, &f);
	}
	send(1, &f);
	for (unsigned i = 0; i <= sent; i++)
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), f.n);
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 801);
	for (uint64_t end = clock_ms() + WAIT_MS; noted.n < 500 && clock_ms() < end;)
		control_once();
	/* There is room now: it is told, and kept. */
	send(1, &f);
	assert_comes(2, f.b, f.n);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 802);
	fold();
	assert_int_equal(ctr_read(&counted[1].packets), 803);
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

/* --- Counts -------------------------------------------------------------------------------- */

static void
counts_are_credited_by_the_sweep_and_by_a_fold(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	uint64_t before;

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->n_refs[4] = 2;
	r->refs[4][0] = 7;
	r->refs[4][1] = 9;
	set_rules(r);
	before = clock_ms();
	for (unsigned i = 0; i < 5; i++) {
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	fold();
	assert_int_equal(ctr_read(&counted[7].packets), 5);
	assert_int_equal(ctr_read(&counted[9].packets), 5);
	assert_int_equal(ctr_read(&counted[9].bytes), 5 * f.n);
	assert_true(counted[9].used_ms + 5 >= before && counted[9].used_ms <= clock_ms());
	/* Only what is new. */
	fold();
	assert_int_equal(ctr_read(&counted[7].packets), 5);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	for (uint64_t end = clock_ms() + 5000; clock_ms() < end; poll(NULL, 0, 5))
		if (ctr_read(&counted[7].packets) == 6)
			break;
	assert_int_equal(ctr_read(&counted[7].packets), 6);
}

static void
what_was_counted_before_a_new_answer_goes_to_the_old_refs(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		if (i > 1) {
			struct rules *next = new_rules();

			*next = *r;
			r = next;
		}
		r->acts[0].n = 0;
		act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
		r->n_refs[4] = 1;
		r->refs[4][0] = i;
		dp_set_xlate_view(dp, r, free);
		dp_tag_changed(dp, dp_tag_make(TAG_TABLE, 4));
		commit();
		for (unsigned n = 0; n < i; n++) {
			send(1, &f);
			assert_comes(2, f.b, f.n);
		}
	}
	/* Three answers were replaced, and the last one's counts are still with its flow. */
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(ctr_read(&counted[i].packets), i);
	dp_flow_flush(dp);
	fold();
	assert_int_equal(ctr_read(&counted[4].packets), 4);
}

static void
a_translator_that_goes_away_is_not_called(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->n_refs[4] = 1;
	r->refs[4][0] = 1;
	set_rules(r);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	dp_set_xlate_view(dp, NULL, NULL);
	commit();
	dp_flow_flush(dp);
	fold();
}

/* Upcalls that frames of two sources to one destination cause. */
static uint64_t
upcalls_of_two_sources(void)
{
	struct dp_lcore_stats a, b;
	struct fb f = udp_frame(1);

	dp_flow_flush(dp);
	fold();
	dp_lcore_stats(dp, 0, &a);
	for (unsigned i = 0; i < 2; i++) {
		f.b[11] = (uint8_t)i;
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	dp_lcore_stats(dp, 0, &b);
	return b.upcalls - a.upcalls;
}

/* The table of ports is kept from view to view while they are the same. */
static void
masks_of_ports_are_those_of_the_last_view(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct rules *r = new_rules();

		act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
		r->no_source = i & 2;
		/* Told or not. */
		r->version = i < 4 ? 0 : 1 + i / 2;
		set_rules(r);
		assert_int_equal(upcalls_of_two_sources(), r->no_source ? 1 : 2);
	}
}

/* Random traffic from two ports over two threads and a cache that is too small, while rules change: no packet
 * is counted twice, or not at all. */
static void
every_packet_is_credited_exactly_once(void **state)
{
	static uint64_t want[N_OBJECTS + 1], bytes[N_OBJECTS + 1];
	uint64_t x = hash_random_seed(), total = 0;
	struct rules *r = NULL;
	bool folded = true;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)x);
	memset(want, 0, sizeof want);
	memset(bytes, 0, sizeof bytes);
	for (unsigned round = 0; round < 60; round++) {
		struct rules *next = new_rules();
		unsigned n = 0;

		if (r)
			*next = *r;
		r = next;
		for (unsigned i = 0; i < 4; i++) {
			r->acts[i].n = 0;
			x = hash_mix(x + 1);
			if (x & 1)
				act_add(&r->acts[i], ACT_PUSH_VLAN, 0, 0x81000001);
			if (x & 6)
				act_add(&r->acts[i], ACT_OUTPUT, 2, 0);
			else
				r->acts[i].n = 0;
		}
		for (unsigned i = 0; i < 256; i++) {
			x = hash_mix(x + 1);
			r->n_refs[i] = 1 + x % 3;
			for (unsigned k = 0; k < r->n_refs[i]; k++)
				r->refs[i][k] = 1 + (x >> (8 + 8 * k)) % N_OBJECTS;
			r->no_cache[i] = x >> 40 & 7 ? 0 : 1;
		}
		dp_set_xlate_view(dp, r, free);
		for (unsigned i = 0; i < 8; i++)
			dp_tag_changed(dp, dp_tag_make(TAG_TABLE, i));
		commit();
		for (; n < 120; n++) {
			struct fb f = udp_frame((uint8_t)((x = hash_mix(x + 1)) >> 8));
			uint8_t which = f.b[5];

			f.b[11] = (uint8_t)(x >> 16 & 15);
			send(x >> 20 & 1 ? 1 : 3, &f);
			total++;
			for (unsigned k = 0; k < r->n_refs[which]; k++) {
				want[r->refs[which][k]]++;
				bytes[r->refs[which][k]] += f.n;
			}
			if (!(x >> 24 & 63))
				dp_flow_flush(dp);
			if (!(x >> 32 & 63) && folded) {
				folded = false;
				dp_fold(dp, set_flag, &folded);
			}
		}
		/* All of them taken before the rules change. */
		for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end;) {
			struct dp_lcore_stats s;
			uint64_t got = 0;
			uint8_t b[2048];

			for (unsigned i = 0; i < dp_n_lcores(dp); i++) {
				dp_lcore_stats(dp, i, &s);
				got += s.packets;
			}
			while (mem_port_recv(port[2], b, sizeof b, 0))
				;
			control_once();
			if (got >= total)
				break;
		}
		/* And the turns that took them are over. */
		fold();
	}
	control_until(&folded);
	fold();
	for (unsigned i = 1; i <= N_OBJECTS; i++) {
		assert_int_equal(ctr_read(&counted[i].packets), want[i]);
		assert_int_equal(ctr_read(&counted[i].bytes), bytes[i]);
	}
}

static int
setup_small(void **state)
{
	int rc;

	max_flows = 64;
	n_lcores = 2;
	rc = setup(state);
	max_flows = 1024;
	n_lcores = 1;
	return rc;
}

static int
setup_deaf(void **state)
{
	want_punts = false;
	setup(state);
	want_punts = true;
	return 0;
}

static void
nobody_to_punt_to_is_a_drop(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	set_rules(r);
	send(1, &f);
	for (uint64_t end = clock_ms() + WAIT_MS; !drops(1, DROP_PUNT_FULL) && clock_ms() < end; poll(NULL, 0, 1))
		;
	assert_int_equal(drops(1, DROP_PUNT_FULL), 1);
	wait_no_mbufs();
}

/* The sanitizer sees what is left behind. */
static void
the_end_may_come_with_everything_under_way(void **state)
{
	struct flow_key key = { .in_port = 1 };
	struct act out = { .op = ACT_OUTPUT, .port = 2 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	static bool a, b;

	(void)state;
	act_add_data(&r->acts[0], ACT_PUNT, 0xffff, ones, 8);
	r->note_len = 100;
	set_rules(r);
	for (unsigned i = 0; i < 10; i++)
		send(1, &f);
	for (unsigned i = 0; i < 10; i++)
		dp_exec(dp, &key, f.b, f.n, &out, 1);
	dp_fold(dp, set_flag, &a);
	dp_fold(dp, set_flag, &b);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
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
		T(a_punted_packet_comes_with_its_data),
		T(what_is_punted_is_the_packet_as_it_was_then),
		T(one_port_cannot_take_the_place_of_another_at_the_controller),
		T(long_data_of_some_ports_leave_room_for_that_of_another),
		T(a_call_of_dp_poll_takes_some_of_many_packets),
		cmocka_unit_test_setup_teardown(nobody_to_punt_to_is_a_drop, setup_deaf, teardown),
		T(notes_reach_the_control_thread),
		T(an_answer_whose_note_finds_no_room_is_not_kept),
		T(a_program_runs_on_a_frame_of_the_control_plane),
		T(programs_run_in_order_and_are_refused_when_there_are_too_many),
		T(a_program_finds_what_was_committed_before_it),
		T(counts_are_credited_by_the_sweep_and_by_a_fold),
		T(what_was_counted_before_a_new_answer_goes_to_the_old_refs),
		T(a_translator_that_goes_away_is_not_called),
		T(masks_of_ports_are_those_of_the_last_view),
		cmocka_unit_test_setup_teardown(every_packet_is_credited_exactly_once, setup_small, teardown),
		T(the_end_may_come_with_everything_under_way),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
