/* SPDX-License-Identifier: Apache-2.0 */
/* Long frames that become packets without being copied: whatever holds them up, they arrive as they were sent.  The
 * ports free each buffer when it is given back, so a sanitizer sees who looks at one later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/loan.h"
#include "tests/datapath/execenv.h"
#include "tests/datapath/frame_port.h"

enum { M3 = 3, A, B, C, N_PORTS, LEN = 60000 };

static struct port *fport[N_PORTS];
static struct frame_got got;
static uint8_t frame[LEN];

static int
setup_frames(void **state)
{
	struct frame_port_conf conf = { .mtu = 65535 };
	struct err e = { 0 };

	setup(state);
	for (unsigned i = A; i < N_PORTS; i++) {
		fport[i] = dp_port_add(dp, &port_type_frame, (const char *[]){ "a", "b", "c" }[i - A], (uint16_t)i, &conf, &e);
		assert_non_null(fport[i]);
	}
	commit();
	return 0;
}

static int
teardown_frames(void **state)
{
	wait_no_mbufs();
	return teardown(state);
}

/* Frame number 'n': an IP packet that ends in its number. */
static void
make(uint8_t dst, uint32_t n, uint32_t len)
{
	struct fb f;

	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(n * 7 + i + (i >> 8));
	fb_macs(&f, dst, 1);
	fb_ip(&f, 17, 0, 0);
	fb_udp(&f, 1000, 2000, 0);
	store_be16(f.b + 16, be16((uint16_t)(len - 14)));
	store_be16(f.b + 38, be16((uint16_t)(len - 34)));
	memcpy(frame, f.b, f.n);
	memcpy(frame + len - 4, &n, 4);
}

static void
put(uint8_t dst, uint32_t n, uint32_t len, uint32_t buf_len)
{
	make(dst, n, len);
	assert_true(frame_port_put(fport[A], 0, frame, len, buf_len, 0, NULL));
}

/* The next frame at a port; its number. */
static uint32_t
arrived(unsigned p, unsigned wait_ms)
{
	uint32_t n;

	frame_port_get(fport[p], &got, wait_ms);
	if (!got.len)
		return UINT32_MAX;
	memcpy(&n, got.b + got.len - 4, 4);
	make(got.b[5], n, got.len);
	assert_memory_equal(got.b, frame, got.len);
	return n;
}

/* What the polling thread does next begins after this. */
static void
hold(void)
{
	assert_true(mem_port_hold(port[M3], MEM_AT_RX));
}

/* To B and C both, which takes a program. */
static struct rules *
both(void)
{
	struct rules *r = new_rules();

	for (unsigned i = 0; i < 4; i++) {
		act_add(&r->acts[i], ACT_OUTPUT, B, 0);
		act_add(&r->acts[i], ACT_OUTPUT, i == 1 ? M3 : C, 0);
	}
	return r;
}

static void
a_long_frame_reaches_all_ports_of_a_program(void **state)
{
	static const uint32_t bufs[] = { 0, 4096, 1500, 128, 100, 700 };

	(void)state;
	set_rules(both());
	for (uint32_t i = 0; i < ARRAY_SIZE(bufs); i++) {
		put(4, i, i < 3 ? LEN : 9000, bufs[i]);
		assert_int_equal(arrived(B, WAIT_MS), i);
		assert_int_equal(arrived(C, WAIT_MS), i);
	}
	assert_int_equal(frame_port_count(fport[B]).direct, 0);
}

/* A port that hands packets on, to another thread here, gets bytes of its own. */
static void
a_port_that_keeps_packets_gets_its_own_bytes(void **state)
{
	static uint8_t back[LEN];

	(void)state;
	set_rules(both());
	for (uint32_t i = 0; i < 20; i++) {
		put(5, i, 1400, 0);
		assert_int_equal(mem_port_recv(port[M3], back, sizeof back, WAIT_MS), 1400);
		make(5, i, 1400);
		assert_memory_equal(back, frame, 1400);
		assert_int_equal(arrived(B, WAIT_MS), i);
	}
}

static void
what_waits_is_copied_before_the_sender_has_its_memory_back(void **state)
{
	uint32_t n, c = 0, b = 0;

	(void)state;
	set_rules(both());
	frame_port_scribble(fport[A], true);
	put(4, 0, LEN, 0);
	assert_int_equal(arrived(B, WAIT_MS), 0);
	assert_int_equal(arrived(C, WAIT_MS), 0);
	hold();
	for (n = 1; n <= 4 * LOANS; n++) {
		put(4, n, n % 3 ? 1500 : 9000, n % 2 ? 0 : 1000);
		if (n % 16)
			continue;
		/* The polling thread takes them, has them left, and comes to rest; then they go. */
		frame_port_room(fport[B], 0);
		hold();
		frame_port_room(fport[B], UINT32_MAX);
		hold();
		for (uint32_t got_n; (got_n = arrived(C, 0)) != UINT32_MAX; c++)
			assert_int_equal(got_n, c + 1);
		for (uint32_t got_n; (got_n = arrived(B, 0)) != UINT32_MAX; b++)
			assert_int_equal(got_n, b + 1);
	}
	mem_port_hold(NULL, MEM_AT_RX);
	wait_no_mbufs();
	assert_int_equal(b, 4 * LOANS);
	assert_int_equal(c, 4 * LOANS);
}

/* The control thread has its packets for as long as it likes. */
static void
what_goes_to_the_controller_is_its_own(void **state)
{
	static const uint8_t data[8] = { 0 };
	struct rules *r = both();
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		act_add_data(&r->acts[i], ACT_PUNT, 0xffff, data, sizeof data);
	set_rules(r);
	frame_port_scribble(fport[A], true);
	for (n = 1; n <= 200; n++) {
		uint64_t end = clock_ms() + WAIT_MS;

		punted.n = 0;
		put(4, n, n % 2 ? 1500 : 9000, n % 3 ? 0 : 1000);
		assert_int_equal(arrived(B, WAIT_MS), n);
		assert_int_equal(arrived(C, WAIT_MS), n);
		while (!punted.n && clock_ms() < end)
			control_once();
		assert_int_equal(punted.n, 1);
		make(4, n, n % 2 ? 1500 : 9000);
		assert_int_equal(punted.len, n % 2 ? 1500 : 9000);
		assert_memory_equal(punted.frame, frame, punted.len);
	}
}

static void
nothing_is_torn_whatever_the_receivers_do(void **state)
{
	enum { N = 4000 };
	uint32_t seed = 7, sent = 0, n_b = 0, n_c = 0, last_b = 0, last_c = 0, n;

	(void)state;
	set_rules(both());
	while (sent < N || frame_port_pending(fport[A], 0)) {
		for (unsigned i = seed >> 8 & 31; i && sent < N; i--) {
			uint32_t len, buf_len;

			seed = seed * 1103515245 + 12345;
			len = seed >> 28 ? 60 + (seed >> 12) % 2000 : 2000 + (seed >> 8) % 58000;
			buf_len = seed & 1 << 9 ? 0 : 256 + (seed >> 4) % 4000;
			make(4, sent + 1, len);
			if (!frame_port_put(fport[A], 0, frame, len, buf_len, 0, NULL))
				break;
			sent++;
		}
		seed = seed * 1103515245 + 12345;
		frame_port_room(fport[B], seed >> 16 & 31);
		frame_port_room(fport[C], seed >> 21 & 63);
		for (; (n = arrived(B, 0)) != UINT32_MAX; last_b = n, n_b++)
			assert_true(n > last_b);
		for (; (n = arrived(C, 0)) != UINT32_MAX; last_c = n, n_c++)
			assert_true(n > last_c);
		control_once();
	}
	frame_port_room(fport[B], UINT32_MAX);
	frame_port_room(fport[C], UINT32_MAX);
	wait_no_mbufs();
	for (; arrived(B, 0) != UINT32_MAX; n_b++)
		;
	for (; arrived(C, 0) != UINT32_MAX; n_c++)
		;
	assert_int_equal(n_b + drops(B, DROP_TX_QUEUE_FULL), N);
	assert_int_equal(n_c + drops(C, DROP_TX_QUEUE_FULL), N);
	assert_true(n_b > N / 10 && n_c > N / 10);
}

#define F(t) cmocka_unit_test_setup_teardown(t, setup_frames, teardown_frames)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		F(a_long_frame_reaches_all_ports_of_a_program),
		F(a_port_that_keeps_packets_gets_its_own_bytes),
		F(what_waits_is_copied_before_the_sender_has_its_memory_back),
		F(what_goes_to_the_controller_is_its_own),
		F(nothing_is_torn_whatever_the_receivers_do),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
