/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath with real polling threads, ports from memory, and a translator of twenty lines. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "mem_port.h"

enum { WAIT_MS = 10000 };

/* What the fake translator does with each input port. */
struct rules {
	struct act act[8][8];
	uint8_t n[8];
	bool learn;
};

static struct dp *dp;
static struct port *port[8];
static unsigned n_learned;
static bool storm;                      /* Each address learned brings another. */
static const char *isa = "auto";

static void
fake_translate(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt, struct xlate_out *out)
{
	const struct rules *r = view;

	(void)pkt;
	out->mask.in_port = 0xffff;
	memset(&out->mask.dl_dst, 0xff, sizeof out->mask.dl_dst);
	xlate_tag(out, dp_tag_make(TAG_BRIDGE, 1));
	if (key->in_port < 8)
		for (unsigned i = 0; i < r->n[key->in_port]; i++)
			act_add(&out->acts, r->act[key->in_port][i].op, r->act[key->in_port][i].port,
				r->act[key->in_port][i].arg);
	if (!out->acts.n)
		out->drop = DROP_NO_DEST;
	out->learn = (struct xlate_learn){ .wanted = r->learn, .port = key->in_port };
}

static void
fake_port_mask(const void *view, uint16_t p, struct flow_key *m)
{
	(void)view;
	(void)p;
	memset(m, 0, sizeof *m);
	memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
}

static void
fake_touch(const void *view, uint64_t t)
{
	(void)view;
	(void)t;
}

static const struct xlate_ops fake_xlate = {
	.translate = fake_translate, .port_mask = fake_port_mask, .touch = fake_touch,
};

static void
frame(uint8_t *f, uint8_t dst)
{
	memset(f, 0, 64);
	f[5] = dst;
	f[11] = 1;
	f[12] = 0x08;
	f[14] = 0x45;
}

static void
on_learn(void *arg, const struct xlate_learn *l)
{
	(void)arg;
	(void)l;
	if (storm && n_learned < 50) {
		uint8_t f[64], got[64];

		frame(f, (uint8_t)(100 + n_learned));
		assert_true(mem_port_send(port[1], f, 64));
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, 2000), 64);
	}
	n_learned++;
}

/* Runs the control side until *flag, or until a loaded machine has had its chance. */
static bool
control_until(const bool *flag)
{
	for (uint64_t end = clock_ms() + WAIT_MS; !*flag && clock_ms() < end;) {
		struct pollfd f = { .fd = dp_event_fd(dp), .events = POLLIN };

		poll(&f, 1, 1);
		dp_poll(dp);
	}
	return *flag;
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void
commit(void)
{
	bool done = false;

	dp_commit(dp, set_flag, &done);
	assert_true(control_until(&done));
}

static void
set_rules(const struct rules *r)
{
	struct rules *copy = xcalloc(1, sizeof *copy);

	*copy = *r;
	dp_set_xlate_view(dp, copy, free);
	dp_tag_changed(dp, dp_tag_make(TAG_BRIDGE, 1));
	commit();
}

static int
setup(void **state)
{
	struct dp_conf conf = {
		.n_lcores = 1, .run_dir = "/tmp", .n_mbufs = 4096, .max_flows = 1024, .idle_us = 100,
		.isa = isa, .xlate = &fake_xlate, .learn = on_learn,
	};
	struct err e = { 0 };

	(void)state;
	n_learned = 0;
	dp = dp_create(&conf, &e);
	if (!dp)
		fprintf(stderr, "%s\n", e.msg);
	assert_non_null(dp);
	for (unsigned i = 1; i <= 3; i++) {
		char name[8] = { 'm', (char)('0' + i), 0 };

		port[i] = dp_port_add(dp, &port_type_mem, name, 0, NULL, &e);
		assert_non_null(port[i]);
		assert_int_equal(port[i]->id, i);
	}
	commit();
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
wait_no_mbufs(void)
{
	struct dp_mem_stats ms;

	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; poll(NULL, 0, 1)) {
		dp_mem_stats(dp, &ms);
		if (!ms.mbufs_in_use)
			return;
	}
	assert_int_equal(ms.mbufs_in_use, 0);
}

static void
a_frame_follows_its_rule(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	assert_memory_equal(f, got, 64);
	wait_no_mbufs();
}

static void
a_rule_change_holds_for_the_next_packet_after_commit(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	uint8_t f[64], got[2048];

	(void)state;
	frame(f, 9);
	for (unsigned i = 0; i < 50; i++) {
		uint16_t to = 2 + i % 2, other = 3 - i % 2;

		r.act[1][0].port = to;
		set_rules(&r);
		assert_true(mem_port_send(port[1], f, 64));
		assert_int_equal(mem_port_recv(port[to], got, sizeof got, WAIT_MS), 64);
		assert_int_equal(mem_port_recv(port[other], got, sizeof got, 0), 0);
	}
	struct dp_lcore_stats s;

	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, 1);
	assert_int_equal(s.retranslated, 49);
}

static void
branches_of_a_flood_do_not_see_each_others_changes(void **state)
{
	struct rules r = {
		.act = { [1] = { { .op = ACT_OUTPUT, .port = 2 },
				 { .op = ACT_CLONE, .arg = 2 },
				 { .op = ACT_PUSH_VLAN, .arg = 0x8100000a },
				 { .op = ACT_OUTPUT, .port = 3 },
				 { .op = ACT_PUSH_VLAN, .arg = 0x81000014 },
				 { .op = ACT_SET_VLAN, .arg = 21 },
				 { .op = ACT_OUTPUT, .port = 1 } } },
		.n = { [1] = 7 },
	};
	uint8_t f[64], got[2048], want[68];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	assert_memory_equal(got, f, 64);
	memcpy(want, f, 12);
	memcpy(want + 12, (uint8_t[]){ 0x81, 0x00, 0x00, 0x0a }, 4);
	memcpy(want + 16, f + 12, 52);
	assert_int_equal(mem_port_recv(port[3], got, sizeof got, WAIT_MS), 68);
	assert_memory_equal(got, want, 68);
	want[15] = 21;
	assert_int_equal(mem_port_recv(port[1], got, sizeof got, WAIT_MS), 68);
	assert_memory_equal(got, want, 68);
	wait_no_mbufs();
}

static void
learning_reaches_the_control_thread(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 }, .learn = true };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	for (uint64_t end = clock_ms() + WAIT_MS; !n_learned && clock_ms() < end; poll(NULL, 0, 1))
		dp_poll(dp);
	assert_int_equal(n_learned, 1);
}

static void
a_storm_of_events_leaves_the_control_thread_time_for_others(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 }, .learn = true };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 2000), 64);
	storm = true;
	dp_poll(dp);
	storm = false;
	/* The one that was there, not those that came while it was handled. */
	assert_int_equal(n_learned, 1);
	for (uint64_t end = clock_ms() + 2000; n_learned < 2 && clock_ms() < end; dp_poll(dp))
		poll(NULL, 0, 1);
	assert_int_equal(n_learned, 2);
}

/* A leak otherwise, which the sanitizer sees. */
static void
an_injected_frame_comes_to_its_end_when_there_is_too_much_to_learn(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 }, .learn = true };
	struct dp_lcore_stats s;
	uint8_t f[64], got[2048];
	unsigned sent = 0, got_n = 0;

	(void)state;
	set_rules(&r);
	/* As many as leave one place in the ring of events, if they may. */
	for (; sent < 4094; sent++) {
		frame(f, (uint8_t)sent);
		f[4] = (uint8_t)(sent >> 8);
		while (!mem_port_send(port[1], f, 64))
			got_n += mem_port_recv(port[2], got, sizeof got, 2000) == 64;
		if (mem_port_recv(port[2], got, sizeof got, 0) == 64)
			got_n++;
	}
	while (got_n < sent && mem_port_recv(port[2], got, sizeof got, 2000) == 64)
		got_n++;
	dp_lcore_stats(dp, 0, &s);
	assert_true(s.upcalls >= 4094);
	frame(f, 1);
	f[3] = 1;
	assert_int_equal(dp_inject(dp, 1, f, 64), 0);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 2000), 64);
}

/* Frames of 32 flows that nobody has seen yet. */
static void
send_new_flows(struct port *p, uint8_t kind)
{
	uint8_t f[64];

	for (unsigned i = 0; i < 32; i++) {
		frame(f, (uint8_t)i);
		f[4] = kind;
		assert_true(mem_port_send(p, f, 64));
	}
}

static void
new_flows_beyond_a_turns_share_wait_and_keep_their_order(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_lcore_stats s;
	uint8_t f[64], got[2048];
	uint64_t before;
	unsigned turns;

	(void)state;
	set_rules(&r);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	dp_lcore_stats(dp, 0, &s);
	before = s.upcalls;
	send_new_flows(port[1], 1);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	/* A flow that is known by now, behind 31 that may not be. */
	frame(f, 0);
	f[4] = 1;
	assert_true(mem_port_send(port[1], f, 64));
	for (turns = 1; turns < 100; turns++) {
		dp_lcore_stats(dp, 0, &s);
		assert_in_range(s.upcalls - before, 1, turns * 8);
		if (s.upcalls - before == 32)
			break;
		/* The port is not looked at as long as they wait. */
		assert_int_equal(mem_port_pending(port[1]), 1);
		assert_true(mem_port_hold(port[3], MEM_AT_RX));
	}
	assert_in_range(turns, 4, 99);
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < 33; i++) {
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
		assert_int_equal(got[5], i % 32);
	}
	wait_no_mbufs();
}

static void
ports_with_new_flows_take_turns(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } }, [3] = { { .op = ACT_OUTPUT, .port = 2 } } },
			   .n = { [1] = 1, [3] = 1 } };
	unsigned n[4] = { 0 };
	uint8_t got[2048];

	(void)state;
	set_rules(&r);
	assert_true(mem_port_hold(port[2], MEM_AT_RX));
	send_new_flows(port[1], 1);
	send_new_flows(port[3], 3);
	mem_port_hold(NULL, MEM_AT_RX);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
		assert_int_equal(got[5], n[got[4]]++);
		/* The first one is ahead by what it had in its first turn. */
		if (n[1] < 32 && n[3] < 32)
			assert_in_range(n[1] + 17 - n[3], 0, 34);
	}
	wait_no_mbufs();
}

/* A leak otherwise, which the sanitizer sees. */
static void
what_waits_goes_with_its_port_and_with_the_thread(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } }, [3] = { { .op = ACT_OUTPUT, .port = 2 } } },
			   .n = { [1] = 1, [3] = 1 } };
	uint8_t got[2048];
	bool done = false;

	(void)state;
	set_rules(&r);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	send_new_flows(port[1], 1);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	assert_int_equal(mem_port_pending(port[1]), 0);
	dp_port_del(dp, port[1]);
	dp_commit(dp, set_flag, &done);
	mem_port_hold(NULL, MEM_AT_RX);
	assert_true(control_until(&done));
	while (mem_port_recv(port[2], got, sizeof got, 10))
		;
	wait_no_mbufs();
	assert_true(mem_port_hold(port[2], MEM_AT_RX));
	send_new_flows(port[3], 3);
	mem_port_hold(NULL, MEM_AT_RX);
}

static void
drops_are_counted_by_reason(void **state)
{
	struct rules r = { .act = { [2] = { { .op = ACT_OUTPUT, .port = 7 } }, [3] = { { .op = ACT_OUTPUT, .port = 1 } } },
			   .n = { [2] = 1, [3] = 1 } };
	struct dp_port_stats s;
	uint8_t f[1700] = { 0 };

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));     /* No rule. */
	assert_true(mem_port_send(port[1], f, 13));     /* No Ethernet header. */
	assert_true(mem_port_send(port[2], f, 64));     /* To a port that is not there. */
	assert_true(mem_port_send(port[3], f, 1600));   /* Longer than port 1 sends. */
	wait_no_mbufs();
	dp_port_stats(dp, 1, &s);
	assert_int_equal(s.rx_packets, 2);
	assert_int_equal(s.drops[DROP_NO_DEST], 1);
	assert_int_equal(s.drops[DROP_RX_MALFORMED], 1);
	assert_int_equal(s.drops[DROP_TX_TOO_BIG], 1);
	dp_port_stats(dp, 7, &s);
	assert_int_equal(s.drops[DROP_TX_DOWN], 1);
}

static void
a_stalled_receiver_loses_its_own_packets_only(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } }, [3] = { { .op = ACT_OUTPUT, .port = 1 } } },
			   .n = { [1] = 1, [3] = 1 } };
	struct dp_port_stats s;
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	mem_port_stall(port[2], true);
	for (unsigned i = 0; i < 300; i++) {
		assert_true(mem_port_send(port[1], f, 64));
		assert_true(mem_port_send(port[3], f, 64));
		assert_int_equal(mem_port_recv(port[1], got, sizeof got, WAIT_MS), 64);
	}
	wait_no_mbufs();
	dp_port_stats(dp, 2, &s);
	assert_int_equal(s.drops[DROP_TX_QUEUE_FULL], 300);
	assert_int_equal(s.tx_packets, 0);
	mem_port_stall(port[2], false);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
}

static void
a_stalled_receiver_is_tried_once_a_turn(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_lcore_stats before, after;
	unsigned calls;
	uint8_t f[64];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	mem_port_stall(port[2], true);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	calls = mem_port_tx_calls(port[2]);
	dp_lcore_stats(dp, 0, &before);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(mem_port_send(port[1], f, 64));
	mem_port_hold(NULL, MEM_AT_RX);
	wait_no_mbufs();
	calls = mem_port_tx_calls(port[2]) - calls;
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	dp_lcore_stats(dp, 0, &after);
	mem_port_hold(NULL, MEM_AT_RX);
	assert_in_range(calls, 1, after.turns - before.turns + 1);
}

static void
a_deleted_port_gets_nothing_and_its_number_starts_anew(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_port_stats s;
	struct err e = { 0 };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	dp_port_del(dp, port[2]);
	commit();
	assert_null(dp_port(dp, 2));
	assert_true(mem_port_send(port[1], f, 64));
	wait_no_mbufs();
	port[2] = dp_port_add(dp, &port_type_mem, "again", 0, NULL, &e);
	assert_non_null(port[2]);
	assert_int_equal(port[2]->id, 2);
	commit();
	dp_port_stats(dp, 2, &s);
	assert_int_equal(s.tx_packets, 0);
	assert_int_equal(s.drops[DROP_TX_DOWN], 0);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	dp_port_stats(dp, 2, &s);
	assert_int_equal(s.tx_packets, 1);
}

/* As when a guest's port is made anew under its number while the guest does not take its frames. */
static void
a_new_port_gets_no_frames_that_waited_for_the_one_before_it(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_port_stats s;
	struct err e = { 0 };
	uint8_t old[64], new[64], got[2048];
	bool done = false;

	(void)state;
	set_rules(&r);
	frame(old, 9);
	frame(new, 10);
	mem_port_stall(port[2], true);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	assert_true(mem_port_send(port[1], old, 64));
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	/* Taken from port 1 in this turn, and about to be sent. */
	assert_int_equal(mem_port_pending(port[1]), 0);
	dp_port_del(dp, port[2]);
	port[2] = dp_port_add(dp, &port_type_mem, "again", 2, NULL, &e);
	assert_non_null(port[2]);
	dp_commit(dp, set_flag, &done);
	mem_port_hold(NULL, MEM_AT_RX);
	assert_true(control_until(&done));
	assert_true(mem_port_send(port[1], new, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 2000), 64);
	assert_memory_equal(got, new, 64);
	dp_port_stats(dp, 2, &s);
	assert_int_equal(s.tx_packets, 1);
	assert_int_equal(s.drops[DROP_TX_DOWN], 0);
}

static struct tun_view *
one_destination(enum tun_dst_state state, uint16_t tun_port)
{
	struct tun_conf conf = { .key = tun_port, .dst_port = 4789, .ttl = 64 };
	struct tun_dst d = { .state = state, .port = tun_port, .underlay_port = 2, .max_frame = 1450,
			     .type = tun_type_find("vxlan") };
	struct tun_view *v = tun_view_create();
	struct tun_path path = { .local = ip_from_v4(be32(0xc0000201)), .remote = ip_from_v4(be32(0xc0000202)) };
	struct err e;

	assert_int_equal(tun_hdr_build(d.type, &conf, &path, &d.hdr, &e), 0);
	tun_view_set_dst(v, 1, &d);
	return v;
}

/* The tunnel was deleted, and another got the index, before the next hop answered. */
static void
a_frame_that_waits_for_a_tunnel_does_not_leave_by_another(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_TUN_PUSH, .port = 5, .arg = 1 }, { .op = ACT_OUTPUT, .port = 2 } } },
			   .n = { [1] = 2 } };
	struct dp_lcore_stats s = { 0 };
	struct dp_port_stats ps;
	uint8_t f[64], got[2048];

	(void)state;
	dp_set_tunnels(dp, one_destination(TUN_DST_RESOLVING, 5));
	set_rules(&r);
	frame(f, 9);
	assert_true(mem_port_send(port[1], f, 64));
	for (uint64_t end = clock_ms() + 2000; !s.tun_waiting && clock_ms() < end; poll(NULL, 0, 1))
		dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.tun_waiting, 1);
	dp_set_tunnels(dp, one_destination(TUN_DST_READY, 6));
	commit();
	for (uint64_t end = clock_ms() + 2000; s.tun_waiting && clock_ms() < end; poll(NULL, 0, 1))
		dp_lcore_stats(dp, 0, &s);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 20), 0);
	dp_port_stats(dp, 5, &ps);
	assert_int_equal(ps.drops[DROP_TUN_NO_ROUTE], 1);
}

static void
an_idle_thread_sleeps_and_the_first_packet_wakes_it(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_lcore_stats a, b;
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; poll(NULL, 0, 5)) {
		dp_lcore_stats(dp, 0, &a);
		poll(NULL, 0, 20);
		dp_lcore_stats(dp, 0, &b);
		if (a.turns == b.turns && b.sleeps)
			break;
	}
	assert_int_equal(a.turns, b.turns);
	assert_true(mem_port_send(port[1], f, 64));
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
}

/* Which may take a nap, but no sleep until the next signal. */
static void
a_port_that_cannot_wake_is_looked_at_all_the_same(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dp_lcore_stats a, b;
	uint8_t f[64], got[2048];

	(void)state;
	mem_port_deafen(port[1], true);
	set_rules(&r);
	frame(f, 9);
	for (unsigned i = 0; i < 4; i++) {
		dp_lcore_stats(dp, 0, &a);
		for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; poll(NULL, 0, 2)) {
			dp_lcore_stats(dp, 0, &b);
			if (b.sleeps > a.sleeps)
				break;
		}
		assert_true(b.sleeps > a.sleeps);
		assert_true(mem_port_send(port[1], f, 64));
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, 150), 64);
	}
}

static void
wait_for_sleep(void)
{
	struct dp_lcore_stats s = { 0 };

	for (uint64_t end = clock_ms() + 2000; !s.sleeps && clock_ms() < end; poll(NULL, 0, 1))
		dp_lcore_stats(dp, 0, &s);
	assert_true(s.sleeps);
}

/* What it read in its last turn is still in use while it asks each port for a wake-up. */
static void
a_port_stays_while_a_thread_that_goes_to_sleep_looks_at_it(void **state)
{
	bool done = false;

	(void)state;
	wait_for_sleep();
	/* Wakes it, and is no work: it goes to sleep again at the end of this turn. */
	port[1]->owner->changed(port[1]->owner, port[1]);
	assert_true(mem_port_hold(port[3], MEM_AT_RX));
	dp_port_del(dp, port[3]);
	dp_commit(dp, set_flag, &done);
	assert_true(mem_port_hold(port[3], MEM_AT_ARM));
	for (unsigned i = 0; i < 20 && !done; i++) {
		dp_poll(dp);
		poll(NULL, 0, 1);
	}
	mem_port_hold(NULL, MEM_AT_RX);
	assert_false(done);
	assert_true(control_until(&done));
}

struct dump {
	bool done;
	unsigned n;
	uint32_t next;
	struct dp_flow f;
};

static void
on_dump(void *arg, const struct dp_flow *f, unsigned n, uint32_t next)
{
	struct dump *d = arg;

	d->done = true;
	d->n = n;
	d->next = next;
	if (n)
		d->f = f[0];
}

static void
cached_flows_can_be_looked_at(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	struct dump d = { 0 };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(mem_port_send(port[1], f, 64));
		assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
	}
	assert_int_equal(dp_flow_dump(dp, 0, 0, 10, on_dump, &d), 0);
	assert_true(control_until(&d.done));
	assert_int_equal(d.n, 1);
	assert_int_equal(d.next, 0);
	assert_int_equal(d.f.packets, 3);
	assert_int_equal(d.f.bytes, 192);
	assert_int_equal(d.f.key.in_port, 1);
	assert_int_equal(d.f.n_acts, 1);
	assert_int_equal(d.f.acts[0].port, 2);
	assert_int_equal(d.f.tags[0], dp_tag_make(TAG_BRIDGE, 1));
}

static void
injected_frames_enter_like_received_ones(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	uint8_t f[64], got[2048];

	(void)state;
	set_rules(&r);
	frame(f, 9);
	assert_int_equal(dp_inject(dp, 1, f, 64), 0);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, WAIT_MS), 64);
}

static void
a_guest_that_moved_to_a_port_is_announced_from_there(void **state)
{
	struct rules r = { .act = { [1] = { { .op = ACT_OUTPUT, .port = 2 } } }, .n = { [1] = 1 } };
	static const uint8_t want[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 0x17, 0x80, 0x35, 0, 1, 0x08, 0, 6, 4, 0, 3,
		0x02, 0, 0, 0, 0, 0x17, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0x17, 0, 0, 0, 0 };
	static const uint8_t mac[8] = { 0x02, 0, 0, 0, 0, 0x17 };
	uint64_t a, end = clock_ms() + WAIT_MS;
	uint8_t got[2048];
	uint32_t len;

	(void)state;
	set_rules(&r);
	memcpy(&a, mac, sizeof a);
	__atomic_store_n(&port[1]->announce, a | PORT_ANNOUNCE, __ATOMIC_RELEASE);
	port[1]->owner->changed(port[1]->owner, port[1]);
	do
		dp_poll(dp);
	while (!(len = mem_port_recv(port[2], got, sizeof got, 10)) && clock_ms() < end);
	assert_int_equal(len, 60);
	assert_memory_equal(got, want, sizeof want);
	/* Once. */
	port[1]->owner->changed(port[1]->owner, port[1]);
	dp_poll(dp);
	assert_int_equal(mem_port_recv(port[2], got, sizeof got, 50), 0);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_frame_follows_its_rule),
		T(a_rule_change_holds_for_the_next_packet_after_commit),
		T(branches_of_a_flood_do_not_see_each_others_changes),
		T(learning_reaches_the_control_thread),
		T(a_storm_of_events_leaves_the_control_thread_time_for_others),
		T(an_injected_frame_comes_to_its_end_when_there_is_too_much_to_learn),
		T(new_flows_beyond_a_turns_share_wait_and_keep_their_order),
		T(ports_with_new_flows_take_turns),
		T(what_waits_goes_with_its_port_and_with_the_thread),
		T(drops_are_counted_by_reason),
		T(a_stalled_receiver_loses_its_own_packets_only),
		T(a_stalled_receiver_is_tried_once_a_turn),
		T(a_deleted_port_gets_nothing_and_its_number_starts_anew),
		T(a_new_port_gets_no_frames_that_waited_for_the_one_before_it),
		T(a_frame_that_waits_for_a_tunnel_does_not_leave_by_another),
		T(an_idle_thread_sleeps_and_the_first_packet_wakes_it),
		T(a_port_that_cannot_wake_is_looked_at_all_the_same),
		T(a_port_stays_while_a_thread_that_goes_to_sleep_looks_at_it),
		T(cached_flows_can_be_looked_at),
		T(injected_frames_enter_like_received_ones),
		T(a_guest_that_moved_to_a_port_is_announced_from_there),
	};
	int failed = 0;

	mem_eal_init();
	/* Every variant that this CPU can run. */
	for (const char *const *name = dp_isa_names(); *name; name++) {
		isa = *name;
		failed += cmocka_run_group_tests_name(*name, tests, NULL, NULL);
	}
	return failed;
}
