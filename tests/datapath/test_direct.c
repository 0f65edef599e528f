/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that stay in their sender's memory: on their direct way, and wherever they leave it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/guard.h"
#include "tests/datapath/execenv.h"
#include "tests/datapath/frame_port.h"

/* m1..m3 are ports of packet buffers; these are ports of frames.  A is polled in queues 0 and 1 of 16. */
enum { M1 = 1, M3 = 3, A = 4, B, C, N_PORTS };

static struct port *fport[N_PORTS];
static struct frame_got got;

static int
setup_frames(void **state)
{
	struct frame_port_conf many = { .n_rxq = 16, .live_rxq = 2 };
	struct err e = { 0 };

	setup(state);
	fport[A] = dp_port_add(dp, &port_type_frame, "a", A, &many, &e);
	fport[B] = dp_port_add(dp, &port_type_frame, "b", B, NULL, &e);
	fport[C] = dp_port_add(dp, &port_type_frame, "c", C, NULL, &e);
	assert_true(fport[A] && fport[B] && fport[C]);
	commit();
	return 0;
}

static int
setup_two_threads(void **state)
{
	int rc;

	n_lcores = 2;
	rc = setup_frames(state);
	n_lcores = 1;
	return rc;
}

static int
teardown_frames(void **state)
{
	wait_no_mbufs();
	for (unsigned i = A; i < N_PORTS; i++) {
		struct frame_port_count c;

		if (!dp_port(dp, (uint16_t)i))
			continue;
		c = frame_port_count(fport[i]);
		for (uint64_t end = clock_ms() + WAIT_MS; c.takes != c.releases && clock_ms() < end;)
			c = frame_port_count(fport[i]);
		assert_int_equal(c.takes, c.releases);
	}
	return teardown(state);
}

/* Answers 0..3 of the translator (the low bits of the destination address choose). */
static struct rules *
outputs(uint16_t p0, uint16_t p1, uint16_t p2, uint16_t p3)
{
	const uint16_t p[4] = { p0, p1, p2, p3 };
	struct rules *r = new_rules();

	for (unsigned i = 0; i < 4; i++)
		if (p[i])
			act_add(&r->acts[i], ACT_OUTPUT, p[i], 0);
	return r;
}

/* A frame of 'len' bytes with a number in it. */
static struct fb
numbered(uint8_t dst, uint32_t n, uint32_t len)
{
	struct fb f;

	fb_macs(&f, dst, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1000, 2000, (uint16_t)(len - f.n - 8));
	fb_ip_done(&f);
	memcpy(f.b + f.n - 4, &n, 4);
	return f;
}

static uint32_t
number(const struct frame_got *g)
{
	uint32_t n;

	memcpy(&n, g->b + g->len - 4, 4);
	return n;
}

static void
put(unsigned p, unsigned q, const struct fb *f)
{
	assert_true(frame_port_put(fport[p], q, f->b, f->n, 0, 0, NULL));
}

static void
get(unsigned p)
{
	frame_port_get(fport[p], &got, WAIT_MS);
	assert_int_not_equal(got.len, 0);
}

static void
assert_nothing_at(unsigned p)
{
	frame_port_get(fport[p], &got, 0);
	assert_int_equal(got.len, 0);
}

/* What the polling thread does next begins after this. */
static void
hold(void)
{
	assert_true(mem_port_hold(port[M3], MEM_AT_RX));
}

static void
let_go(void)
{
	mem_port_hold(NULL, MEM_AT_RX);
}

/* What was received was sent, but perhaps not counted yet: that is done when the threads have come by. */
static struct dp_port_stats
stats(unsigned p)
{
	struct dp_port_stats s;

	commit();
	dp_port_stats(dp, (uint16_t)p, &s);
	return s;
}

/* Lets the flow be known, so that what follows are hits. */
static void
warm(unsigned from, unsigned to, uint8_t dst)
{
	struct fb f = numbered(dst, 0, 64);

	put(from, 0, &f);
	get(to);
}

static void
a_frame_goes_from_memory_to_memory(void **state)
{
	struct fb f = numbered(4, 7, 64), longer = numbered(4, 8, 1514);

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	for (unsigned i = 0; i < 3; i++) {
		put(A, 0, i == 2 ? &longer : &f);
		get(B);
		assert_true(got.direct);
		assert_int_equal(got.len, i == 2 ? 1514 : 64);
		assert_memory_equal(got.b, i == 2 ? longer.b : f.b, got.len);
	}
	assert_int_equal(stats(A).rx_packets, 3);
	assert_int_equal(stats(A).rx_bytes, 2 * 64 + 1514);
	assert_int_equal(stats(B).tx_packets, 3);
	assert_int_equal(stats(B).tx_bytes, 2 * 64 + 1514);
	assert_int_equal(frame_port_count(fport[B]).txs, 0);
}

static void
a_frame_in_many_buffers_arrives_whole(void **state)
{
	static const uint32_t sizes[] = { 1, 7, 14, 64, 127, 128, 129, 1000 };
	struct fb f = numbered(4, 1, 1514);

	(void)state;
	set_rules(outputs(B, M1, 0, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_true(frame_port_put(fport[A], 0, f.b, f.n, sizes[i], 0, NULL));
		get(B);
		assert_true(got.direct);
		assert_int_equal(got.len, f.n);
		assert_memory_equal(got.b, f.b, f.n);
	}
	/* The same in packet buffers. */
	f = numbered(5, 1, 1514);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_true(frame_port_put(fport[A], 0, f.b, f.n, sizes[i], 0, NULL));
		assert_comes(M1, f.b, f.n);
	}
}

/* 32 frames in one burst, to B and C in turn, by flows of several addresses. */
static void
burst_in_turn(void)
{
	hold();
	for (unsigned i = 0; i < 32; i++) {
		struct fb f = numbered((uint8_t)(4 + i % 2 + i % 4 / 2 * 4), i, 64);

		put(A, 0, &f);
	}
	let_go();
}

static void
frames_of_a_burst_leave_together_by_port(void **state)
{
	struct frame_port_count b, c;
	struct rules *r = outputs(B, C, M1, 0);

	(void)state;
	act_add(&r->acts[3], ACT_OUTPUT, B, 0);
	act_add(&r->acts[3], ACT_OUTPUT, C, 0);
	set_rules(r);
	warm(A, B, 4);
	warm(A, C, 5);
	b = frame_port_count(fport[B]);
	c = frame_port_count(fport[C]);
	burst_in_turn();
	for (unsigned i = 0; i < 16; i++) {
		get(B);
		assert_true(got.direct);
		get(C);
		assert_true(got.direct);
	}
	/* New flows (addresses 8 and 9) are sent one by one. */
	assert_int_equal(frame_port_count(fport[B]).sends - b.sends, 1 + 8);
	assert_int_equal(frame_port_count(fport[C]).sends - c.sends, 1 + 8);
	b = frame_port_count(fport[B]);
	burst_in_turn();
	for (unsigned i = 0; i < 16; i++) {
		get(B);
		assert_int_equal(number(&got), 2 * i);
		get(C);
		assert_int_equal(number(&got), 2 * i + 1);
	}
	assert_int_equal(frame_port_count(fport[B]).sends - b.sends, 1);
	assert_int_equal(frame_port_count(fport[A]).sends, 0);
}

/* More than a turn answers: those that wait are packet buffers by then. */
static void
new_flows_of_a_burst_keep_their_order(void **state)
{
	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	for (unsigned round = 0; round < 2; round++) {
		hold();
		for (unsigned i = 0; i < 32; i++) {
			struct fb f = numbered((uint8_t)(4 + 4 * i), i, 64);

			put(A, 0, &f);
		}
		let_go();
		for (unsigned i = 0; i < 32; i++) {
			get(B);
			assert_int_equal(number(&got), i);
		}
	}
	assert_int_equal(stats(B).tx_packets, 64);
}

static void
a_burst_of_everything_is_sorted_out(void **state)
{
	struct rules *r = outputs(B, M1, 0, 0);

	(void)state;
	/* 2: both; 3: nothing. */
	act_add(&r->acts[2], ACT_OUTPUT, B, 0);
	act_add(&r->acts[2], ACT_OUTPUT, C, 0);
	set_rules(r);
	for (unsigned round = 0; round < 3; round++) {
		hold();
		for (unsigned i = 0; i < 28; i++) {
			struct fb f = numbered((uint8_t)(4 + i % 4), i, 64 + i);

			put(A, 0, &f);
		}
		let_go();
		for (unsigned i = 0, from_0 = 0, from_2 = 2; i < 14; i++) {
			get(B);
			if (number(&got) % 4 == 0) {
				assert_int_equal(number(&got), from_0);
				from_0 += 4;
			} else {
				assert_int_equal(number(&got), from_2);
				assert_false(got.direct);
				from_2 += 4;
			}
			assert_int_equal(got.len, 64 + number(&got));
		}
		for (unsigned i = 2; i < 28; i += 4) {
			get(C);
			assert_int_equal(number(&got), i);
		}
		for (unsigned i = 1; i < 28; i += 4) {
			struct fb f = numbered(5, i, 64 + i);

			assert_comes(M1, f.b, f.n);
		}
	}
	assert_nothing_at(B);
	assert_int_equal(drops(A, DROP_OF_RULE), 3 * 7);
	assert_int_equal(stats(A).rx_packets, 3 * 28);
	assert_int_equal(stats(B).tx_packets, 3 * 14);
	assert_int_equal(stats(C).tx_packets, 3 * 7);
}

static void
what_finds_no_room_waits_and_stays_in_order(void **state)
{
	uint32_t next = 0;

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	warm(A, B, 4);
	hold();
	frame_port_room(fport[B], 10);
	for (uint32_t i = 0; i < 30; i++) {
		struct fb f = numbered(4, i, 64);

		put(A, 0, &f);
	}
	hold();
	for (; next < 10; next++) {
		get(B);
		assert_int_equal(number(&got), next);
		assert_true(got.direct);
	}
	assert_nothing_at(B);
	frame_port_room(fport[B], UINT32_MAX);
	/* Frames that come now are behind those that wait. */
	for (uint32_t i = 30; i < 40; i++) {
		struct fb f = numbered(4, i, 64);

		put(A, 0, &f);
	}
	let_go();
	for (; next < 40; next++) {
		get(B);
		assert_int_equal(number(&got), next);
		assert_int_equal(got.direct, next >= 30);
	}
	assert_int_equal(stats(B).tx_packets, 41);
	assert_int_equal(stats(B).tx_bytes, 41 * 64);
	assert_int_equal(drops(B, DROP_TX_QUEUE_FULL), 0);
}

static void
a_stopped_receiver_loses_its_own_frames_only(void **state)
{
	struct frame_port_count c;

	(void)state;
	set_rules(outputs(B, C, 0, 0));
	frame_port_room(fport[B], 0);
	for (uint32_t i = 0; i < 1000; i++) {
		struct fb lost = numbered(4, i, 64), kept = numbered(5, i, 64);

		put(A, 0, &lost);
		put(A, 0, &kept);
		get(C);
		assert_int_equal(number(&got), i);
	}
	wait_no_mbufs();
	assert_int_equal(drops(B, DROP_TX_QUEUE_FULL), 1000);
	assert_int_equal(stats(B).tx_packets, 0);
	/* Once it was given up, nothing is copied for it any more. */
	c = frame_port_count(fport[B]);
	hold();
	for (uint32_t i = 0; i < 64; i++) {
		struct fb lost = numbered(4, i, 64);

		put(A, 0, &lost);
	}
	hold();
	hold();
	struct dp_mem_stats ms;

	dp_mem_stats(dp, &ms);
	assert_int_equal(ms.mbufs_in_use, 0);
	assert_int_equal(drops(B, DROP_TX_QUEUE_FULL), 1064);
	/* A try for each turn, not for each frame. */
	assert_in_range(frame_port_count(fport[B]).sends - c.sends, 1, 2);
	let_go();
	frame_port_room(fport[B], UINT32_MAX);
	warm(A, B, 4);
	assert_true(got.direct);
	/* ...and it may be slow again. */
	hold();
	frame_port_room(fport[B], 0);
	struct fb late = numbered(4, 5, 64);

	put(A, 0, &late);
	hold();
	frame_port_room(fport[B], UINT32_MAX);
	let_go();
	get(B);
	assert_false(got.direct);
}

static void
what_waits_is_bounded_in_bytes(void **state)
{
	static uint8_t tso[60000];
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				    .hdr_len = 54, .gso_size = 1446, .csum_start = 34, .csum_offset = 16 };
	struct dp_mem_stats ms;
	struct fb f;

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	fb_macs(&f, 4, 1);
	fb_ip(&f, 6, 0, 0);
	fb_tcp(&f, 1, 2, 0x10);
	store_be16(f.b + 16, be16(sizeof tso - 14));
	memcpy(tso, f.b, f.n);
	frame_port_accept(fport[B], OFFL_ALL);
	assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 4096, OFFL_CSUM | OFFL_TSO4, &v));
	get(B);
	assert_true(got.direct);
	hold();
	frame_port_room(fport[B], 0);
	for (unsigned i = 0; i < 32; i++)
		assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 0, OFFL_CSUM | OFFL_TSO4, &v));
	hold();
	dp_mem_stats(dp, &ms);
	assert_in_range(ms.mbufs_in_use, 256, 700);
	assert_in_range(drops(B, DROP_TX_QUEUE_FULL), 10, 20);
	frame_port_room(fport[B], UINT32_MAX);
	let_go();
	for (uint64_t n = 32 - drops(B, DROP_TX_QUEUE_FULL); n; n--) {
		get(B);
		assert_false(got.direct);
		assert_int_equal(got.len, sizeof tso);
		assert_int_equal(got.need, OFFL_CSUM | OFFL_TSO4);
		assert_int_equal(got.v.gso_size, 1446);
	}
}

static void
offloads_are_kept_or_resolved(void **state)
{
	static uint8_t tso[4054];
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				    .hdr_len = 54, .gso_size = 1000, .csum_start = 34, .csum_offset = 16 };
	struct fb f, plain = numbered(4, 77, 64);

	(void)state;
	set_rules(outputs(B, M1, 0, 0));
	fb_macs(&f, 4, 1);
	fb_ip(&f, 6, 0, 0);
	fb_tcp(&f, 1, 2, 0x10);
	store_be16(f.b + 16, be16(sizeof tso - 14));
	memcpy(tso, f.b, f.n);
	/* Taken: as it is, with its header. */
	frame_port_accept(fport[B], OFFL_CSUM | OFFL_TSO4);
	assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 100, OFFL_CSUM | OFFL_TSO4, &v));
	get(B);
	assert_true(got.direct);
	assert_int_equal(got.len, sizeof tso);
	assert_memory_equal(&got.v, &v, sizeof v);
	/* Not taken: in segments, and plain frames of the same burst directly behind it. */
	frame_port_accept(fport[B], OFFL_CSUM);
	hold();
	put(A, 0, &plain);
	assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 100, OFFL_CSUM | OFFL_TSO4, &v));
	put(A, 0, &plain);
	let_go();
	get(B);
	assert_true(got.direct);
	for (unsigned i = 0; i < 4; i++) {
		get(B);
		assert_int_equal(got.len, 54 + 1000);
		assert_int_equal(got.need & ~OFFL_CSUM, 0);
		assert_false(got.direct);
	}
	get(B);
	assert_int_equal(got.len, plain.n);
	/* Nor by a port of packet buffers. */
	tso[5] = 5;
	assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 0, OFFL_CSUM | OFFL_TSO4, &v));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(mem_port_recv(port[M1], got.b, sizeof got.b, WAIT_MS), 1054);
	assert_nothing_at(B);
	assert_int_equal(stats(B).tx_packets, 7);
}

static void
a_frame_that_is_too_long_is_dropped_alone(void **state)
{
	static uint8_t tso[4054];
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				    .hdr_len = 54, .gso_size = 1500, .csum_start = 34, .csum_offset = 16 };
	struct fb ok = numbered(4, 1, 1522), big = numbered(4, 2, 1523), f;

	(void)state;
	set_rules(outputs(B, 20, 0, 0));
	hold();
	put(A, 0, &ok);
	put(A, 0, &big);
	put(A, 0, &ok);
	let_go();
	get(B);
	assert_int_equal(number(&got), 1);
	get(B);
	assert_int_equal(number(&got), 1);
	assert_int_equal(drops(B, DROP_TX_TOO_BIG), 1);
	/* One whose segments would be. */
	fb_macs(&f, 4, 1);
	fb_ip(&f, 6, 0, 0);
	fb_tcp(&f, 1, 2, 0x10);
	store_be16(f.b + 16, be16(sizeof tso - 14));
	memcpy(tso, f.b, f.n);
	frame_port_accept(fport[B], OFFL_ALL);
	assert_true(frame_port_put(fport[A], 0, tso, sizeof tso, 0, OFFL_CSUM | OFFL_TSO4, &v));
	put(A, 0, &ok);
	get(B);
	assert_int_equal(number(&got), 1);
	assert_int_equal(drops(B, DROP_TX_TOO_BIG), 2);
	/* A port that is not there. */
	ok = numbered(5, 1, 64);
	put(A, 0, &ok);
	for (uint64_t end = clock_ms() + WAIT_MS; !drops(20, DROP_TX_DOWN) && clock_ms() < end;)
		control_once();
	assert_int_equal(drops(20, DROP_TX_DOWN), 1);
}

static void
a_frame_without_a_whole_header_is_dropped_alone(void **state)
{
	struct fb ok = numbered(4, 1, 64), cut;

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	fb_macs(&cut, 4, 1);
	fb_tag(&cut, 0x8100, 5);
	hold();
	put(A, 0, &ok);
	put(A, 0, &cut);
	assert_true(frame_port_put_bad(fport[A], 0));
	put(A, 0, &ok);
	let_go();
	get(B);
	get(B);
	assert_int_equal(got.len, 64);
	assert_memory_equal(got.b, ok.b, 64);
	assert_int_equal(drops(A, DROP_RX_MALFORMED), 1);
	assert_int_equal(drops(A, DROP_RX_BAD_CHAIN), 1);
	assert_int_equal(stats(A).rx_packets, 3);
	/* Nothing but a bad one is given back as well: teardown sees. */
	assert_true(frame_port_put_bad(fport[A], 0));
	for (uint64_t end = clock_ms() + WAIT_MS; drops(A, DROP_RX_BAD_CHAIN) < 2 && clock_ms() < end;)
		control_once();
	assert_int_equal(drops(A, DROP_RX_BAD_CHAIN), 2);
}

/* What was classified is what is forwarded, whatever the sender makes of it meanwhile. */
static void
a_header_that_changes_under_us_changes_nothing(void **state)
{
	struct fb f = numbered(4, 9, 200), m = numbered(5, 9, 200);

	(void)state;
	set_rules(outputs(B, M1, 0, 0));
	frame_port_scribble(fport[A], true);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(frame_port_put(fport[A], 0, f.b, f.n, i * 50, 0, NULL));
		get(B);
		assert_memory_equal(got.b, f.b, f.n);
		assert_true(frame_port_put(fport[A], 0, m.b, m.n, i * 50, 0, NULL));
		assert_comes(M1, m.b, m.n);
	}
}

static void
what_a_port_drops_is_not_counted_as_sent(void **state)
{
	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	warm(A, B, 4);
	hold();
	frame_port_drop(fport[B], 3);
	for (uint32_t i = 0; i < 8; i++) {
		struct fb f = numbered(4, i, 64);

		put(A, 0, &f);
	}
	let_go();
	for (uint32_t i = 3; i < 8; i++) {
		get(B);
		assert_int_equal(number(&got), i);
	}
	assert_int_equal(stats(B).tx_packets, 6);
	assert_int_equal(stats(B).tx_bytes, 6 * 64);
	assert_int_equal(drops(B, DROP_TX_ERROR), 3);
}

static void
flows_count_each_frame(void **state)
{
	struct rules *r = outputs(B, M1, 0, 0);

	(void)state;
	act_add(&r->acts[2], ACT_OUTPUT, B, 0);
	act_add(&r->acts[2], ACT_OUTPUT, C, 0);
	for (unsigned i = 0; i < 4; i++) {
		r->refs[4 + i][0] = 10 + i;
		r->n_refs[4 + i] = 1;
	}
	r->no_cache[5] = 1;
	set_rules(r);
	for (unsigned round = 0; round < 2; round++) {
		hold();
		for (unsigned i = 0; i < 32; i++) {
			struct fb f = numbered((uint8_t)(4 + i % 4), i, 64);

			put(A, 0, &f);
		}
		let_go();
	}
	for (unsigned i = 0; i < 2 * 16; i++) {
		get(B);
		if (i < 16)
			assert_int_equal(mem_port_recv(port[M1], got.b, sizeof got.b, WAIT_MS), 64);
	}
	for (uint64_t end = clock_ms() + WAIT_MS; frame_port_pending(fport[A], 0) && clock_ms() < end;)
		control_once();
	fold();
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(counted[10 + i].packets, 16);
		assert_int_equal(counted[10 + i].bytes, 16 * 64);
	}
}

static void
a_rule_change_holds_for_the_next_frame(void **state)
{
	struct dp_lcore_stats s;
	struct fb f = numbered(4, 1, 64);

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		static const uint16_t to[] = { B, C, M1 };

		set_rules(outputs(to[i % 3], 0, 0, 0));
		put(A, 0, &f);
		if (i % 3 < 2)
			get(to[i % 3]);
		else
			assert_comes(M1, f.b, f.n);
		assert_nothing_at(B);
		assert_nothing_at(C);
	}
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 1);
	assert_int_equal(s.retranslated, 29);
}

static void
a_port_that_goes_stays_for_the_burst(void **state)
{
	bool done = false;
	struct fb f = numbered(4, 1, 64);

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	warm(A, B, 4);
	hold();
	put(A, 0, &f);
	assert_true(mem_port_hold(fport[A], MEM_AT_TAKE));
	/* Both ends, while a burst is on its way between them. */
	dp_port_del(dp, fport[A]);
	dp_port_del(dp, fport[B]);
	dp_commit(dp, set_flag, &done);
	for (unsigned i = 0; i < 20; i++)
		control_once();
	assert_false(done);
	assert_int_equal(frame_port_count(fport[B]).direct, 1);
	assert_true(mem_port_hold(fport[B], MEM_AT_SEND));
	for (unsigned i = 0; i < 20; i++)
		control_once();
	assert_false(done);
	let_go();
	control_until(&done);
	assert_null(dp_port(dp, A));
	assert_null(dp_port(dp, B));
}

static void
a_new_port_gets_no_frames_of_the_one_before_it(void **state)
{
	struct fb old = numbered(4, 1, 64), new = numbered(4, 2, 64);
	struct err e = { 0 };
	bool done = false;

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	hold();
	frame_port_room(fport[B], 0);
	put(A, 0, &old);
	hold();
	dp_port_del(dp, fport[B]);
	fport[B] = dp_port_add(dp, &port_type_frame, "again", B, NULL, &e);
	assert_non_null(fport[B]);
	dp_commit(dp, set_flag, &done);
	let_go();
	control_until(&done);
	put(A, 0, &new);
	get(B);
	assert_int_equal(number(&got), 2);
	assert_int_equal(stats(B).tx_packets, 1);
}

static void
mbufs_and_frames_meet_in_order(void **state)
{
	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	for (uint32_t i = 0; i < 50; i++) {
		struct fb f = numbered(4, i, 64);

		if (i % 2)
			put(A, 0, &f);
		else
			assert_true(mem_port_send(port[M1], f.b, f.n));
		get(B);
		assert_int_equal(number(&got), i);
		assert_int_equal(got.direct, i % 2);
	}
}

static void
several_threads_send_to_one_port(void **state)
{
	uint32_t next[2] = { 0, 0 };
	struct dp_lcore_stats s[2];

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	/* The queues of A are on different threads. */
	for (uint32_t i = 0; i < 1000; i++)
		for (unsigned q = 0; q < 2; q++) {
			struct fb f = numbered(4, i | q << 16, 64 + q);

			while (!frame_port_put(fport[A], q, f.b, f.n, 0, 0, NULL))
				control_once();
		}
	for (unsigned i = 0; i < 2000; i++) {
		get(B);
		assert_int_equal(number(&got) & 0xffff, next[number(&got) >> 16]++);
	}
	commit();
	for (unsigned i = 0; i < 2; i++)
		dp_lcore_stats(dp, i, &s[i]);
	assert_int_equal(s[0].packets, 1000);
	assert_int_equal(s[1].packets, 1000);
	assert_int_equal(stats(A).rx_packets, 2000);
	assert_int_equal(stats(B).tx_packets, 2000);
	assert_int_equal(stats(B).tx_bytes, 1000 * (64 + 65));
}

static void
wait_for_queues(uint64_t n)
{
	struct dp_lcore_stats s = { 0 };

	for (uint64_t end = clock_ms() + WAIT_MS; s.n_rxq != n && clock_ms() < end; control_once())
		dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.n_rxq, n);
}

static void
queues_are_polled_while_they_live(void **state)
{
	struct fb f = numbered(4, 3, 64);

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	wait_for_queues(3 + 2 + 1 + 1);
	put(A, 5, &f);
	warm(A, B, 4);
	assert_nothing_at(B);
	frame_port_live(fport[A], 16);
	wait_for_queues(3 + 16 + 1 + 1);
	get(B);
	assert_int_equal(number(&got), 3);
	frame_port_live(fport[A], 1);
	wait_for_queues(3 + 1 + 1 + 1);
	put(A, 5, &f);
	warm(A, B, 4);
	assert_nothing_at(B);
	assert_int_equal(frame_port_pending(fport[A], 5), 1);
}

static void
a_quiet_queue_is_heard_beside_a_busy_one(void **state)
{
	struct fb busy = numbered(4, 1, 64), quiet = numbered(5, 2, 64);
	struct dp_lcore_stats a, b;

	(void)state;
	set_rules(outputs(B, C, 0, 0));
	frame_port_live(fport[A], 16);
	wait_for_queues(3 + 16 + 1 + 1);
	warm(A, B, 4);
	dp_lcore_stats(dp, 0, &a);
	/* Long enough for the others to be cold. */
	do {
		put(A, 0, &busy);
		get(B);
		dp_lcore_stats(dp, 0, &b);
	} while (b.turns - a.turns < 1000);
	for (unsigned q = 1; q < 16; q++) {
		put(A, q, &quiet);
		for (unsigned i = 0;; i++) {
			put(A, 0, &busy);
			get(B);
			frame_port_get(fport[C], &got, 0);
			if (got.len)
				break;
			assert_true(i < 1000);
		}
	}
	/* An empty queue costs no call. */
	assert_int_equal(frame_port_count(fport[A]).empty_takes, 0);
	assert_int_equal(frame_port_count(fport[C]).empty_takes, 0);
}

static void
an_idle_thread_sleeps_and_a_frame_wakes_it(void **state)
{
	struct dp_lcore_stats s = { 0 };

	(void)state;
	set_rules(outputs(B, 0, 0, 0));
	for (unsigned i = 0; i < 3; i++) {
		uint64_t before = s.sleeps;

		for (uint64_t end = clock_ms() + WAIT_MS; s.sleeps == before && clock_ms() < end; control_once())
			dp_lcore_stats(dp, 0, &s);
		assert_true(s.sleeps > before);
		warm(A, B, 4);
		assert_true(got.direct);
	}
}

static void
guards_hold_for_frames(void **state)
{
	struct guard_conf only_2 = { .macs = { .n = 1, .mac = { { { 2, 0, 0, 0, 0, 2 } } } } };
	struct guard_conf slow = { .tx_pps = 10 };
	struct fb bad = numbered(4, 1, 64), good = numbered(4, 2, 64);
	struct frame_port_count before;

	(void)state;
	good.b[11] = 2;
	set_rules(outputs(B, 0, 0, 0));
	assert_true(dp_port_guard(dp, A, &only_2));
	commit();
	hold();
	put(A, 0, &bad);
	put(A, 0, &good);
	put(A, 0, &bad);
	put(A, 0, &good);
	let_go();
	for (unsigned i = 0; i < 2; i++) {
		get(B);
		assert_int_equal(number(&got), 2);
	}
	assert_int_equal(drops(A, DROP_SPOOF_MAC), 2);
	assert_int_equal(stats(A).rx_packets, 4);
	assert_true(dp_port_guard(dp, A, &(struct guard_conf){ .tx_pps = 0 }));
	assert_true(dp_port_guard(dp, B, &slow));
	commit();
	before = frame_port_count(fport[B]);
	for (unsigned i = 0; i < 200; i++)
		put(A, 0, &good);
	for (uint64_t end = clock_ms() + WAIT_MS; frame_port_pending(fport[A], 0) && clock_ms() < end;)
		control_once();
	assert_true(drops(B, DROP_TX_RATE) > 100);
	assert_int_equal(frame_port_count(fport[B]).direct - before.direct + drops(B, DROP_TX_RATE), 200);
	assert_int_equal(frame_port_count(fport[B]).txs, 0);
}

/* Random bursts against what a list says. */
static void
nothing_is_lost_twice_or_turned_around(void **state)
{
	enum { N = 3000, LEN = 64 };
	static uint8_t to[N];
	static bool came[N];
	uint32_t seed = 1, sent = 0, last[8] = { 0 }, n = 0, lost;

	(void)state;
	memset(came, 0, sizeof came);
	set_rules(outputs(B, C, B, C));
	while (sent < N || frame_port_pending(fport[A], 0)) {
		for (unsigned i = seed >> 8 & 63; i && sent < N; i--, sent++) {
			struct fb f;

			seed = seed * 1103515245 + 12345;
			to[sent] = seed >> 16 & 7;
			f = numbered((uint8_t)(8 + to[sent]), sent, LEN);
			if (!frame_port_put(fport[A], 0, f.b, f.n, seed >> 20 & 63, 0, NULL))
				break;
		}
		seed = seed * 1103515245 + 12345;
		frame_port_room(fport[B], seed >> 16 & 31);
		frame_port_room(fport[C], seed >> 21 & 63);
		for (unsigned p = B; p <= C; p++)
			for (frame_port_get(fport[p], &got, 0); got.len; frame_port_get(fport[p], &got, 0)) {
				uint32_t i = number(&got);

				assert_int_equal(got.len, LEN);
				assert_true(i < sent && !came[i]);
				assert_int_equal(got.b[5], 8 + to[i]);
				assert_int_equal(p, to[i] % 2 ? C : B);
				/* In the order of their flow. */
				assert_true(!last[to[i]] || i > last[to[i]]);
				last[to[i]] = i;
				came[i] = true;
				n++;
			}
		control_once();
	}
	frame_port_room(fport[B], UINT32_MAX);
	frame_port_room(fport[C], UINT32_MAX);
	wait_no_mbufs();
	for (unsigned p = B; p <= C; p++)
		for (frame_port_get(fport[p], &got, 0); got.len; frame_port_get(fport[p], &got, 0))
			n++;
	lost = (uint32_t)(drops(B, DROP_TX_QUEUE_FULL) + drops(C, DROP_TX_QUEUE_FULL));
	assert_int_equal(n + lost, N);
	assert_int_equal(stats(B).tx_packets + stats(C).tx_packets, n);
	assert_true(n > N / 10);
}

#define F(t) cmocka_unit_test_setup_teardown(t, setup_frames, teardown_frames)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		F(a_frame_goes_from_memory_to_memory),
		F(a_frame_in_many_buffers_arrives_whole),
		F(frames_of_a_burst_leave_together_by_port),
		F(new_flows_of_a_burst_keep_their_order),
		F(a_burst_of_everything_is_sorted_out),
		F(what_finds_no_room_waits_and_stays_in_order),
		F(a_stopped_receiver_loses_its_own_frames_only),
		F(what_waits_is_bounded_in_bytes),
		F(offloads_are_kept_or_resolved),
		F(a_frame_that_is_too_long_is_dropped_alone),
		F(a_frame_without_a_whole_header_is_dropped_alone),
		F(a_header_that_changes_under_us_changes_nothing),
		F(what_a_port_drops_is_not_counted_as_sent),
		F(flows_count_each_frame),
		F(a_rule_change_holds_for_the_next_frame),
		F(a_port_that_goes_stays_for_the_burst),
		F(a_new_port_gets_no_frames_of_the_one_before_it),
		F(mbufs_and_frames_meet_in_order),
		cmocka_unit_test_setup_teardown(several_threads_send_to_one_port, setup_two_threads, teardown_frames),
		F(queues_are_polled_while_they_live),
		F(a_quiet_queue_is_heard_beside_a_busy_one),
		F(an_idle_thread_sleeps_and_a_frame_wakes_it),
		F(guards_hold_for_frames),
		F(nothing_is_lost_twice_or_turned_around),
	};
	int failed = 0;

	mem_eal_init();
	for (const char *const *name = dp_isa_names(); *name; name++) {
		isa = *name;
		failed += cmocka_run_group_tests_name(*name, tests, NULL, NULL);
	}
	return failed;
}
