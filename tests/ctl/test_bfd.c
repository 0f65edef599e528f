/* SPDX-License-Identifier: Apache-2.0 */
/* BFD: every change of state, times and their jitter, poll sequences, and whatever may be wrong with a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/byteorder.h"
#include "base/hash.h"
#include "ctl/bfd.h"

enum { OURS = 0x1234, THEIRS = 0x5678 };

static const struct bfd_conf conf = { .min_tx_ms = 100, .min_rx_ms = 200, .mult = 3 };

/* A far end that says what the test wants. */
struct said {
	enum bfd_state state;
	uint8_t flags, mult, diag;
	uint32_t mine, yours, min_tx_us, min_rx_us;
};

static const struct said usual = { .state = BFD_DOWN, .mult = 3, .mine = THEIRS, .yours = OURS, .min_tx_us = 300000,
				   .min_rx_us = 50000 };

static void
write_said(const struct said *s, uint8_t p[BFD_PACKET_LEN])
{
	memset(p, 0, BFD_PACKET_LEN);
	p[0] = (uint8_t)(1 << 5 | s->diag);
	p[1] = (uint8_t)((unsigned)s->state << 6 | s->flags);
	p[2] = s->mult;
	p[3] = BFD_PACKET_LEN;
	store_be32(p + 4, be32(s->mine));
	store_be32(p + 8, be32(s->yours));
	store_be32(p + 12, be32(s->min_tx_us));
	store_be32(p + 16, be32(s->min_rx_us));
}

static enum bfd_bad
say(struct bfd *b, struct said s, uint64_t now)
{
	uint8_t p[BFD_PACKET_LEN];

	write_said(&s, p);
	return bfd_input(b, p, sizeof p, now);
}

static void
say_state(struct bfd *b, enum bfd_state state, uint8_t flags, uint64_t now)
{
	struct said s = usual;

	s.state = state;
	s.flags = flags;
	assert_int_equal(say(b, s, now), BFD_OK);
}

/* A session in that state at 'now', what it had to say said. */
static struct bfd
session(enum bfd_state state, uint64_t now)
{
	uint8_t out[BFD_PACKET_LEN];
	struct bfd b;

	bfd_init(&b, &conf, OURS, now);
	if (state == BFD_INIT)
		say_state(&b, BFD_DOWN, 0, now);
	if (state == BFD_UP) {
		say_state(&b, BFD_INIT, 0, now);
		while (bfd_poll(&b, now, 0, out))
			;
		/* It asks whether its times are fine. */
		assert_true(b.polling);
		say_state(&b, BFD_UP, 0x10, now);
	}
	while (bfd_poll(&b, now, 0, out))
		;
	assert_int_equal(b.state, state);
	return b;
}

static void
each_state_follows_the_far_ends(void **state)
{
	static const struct {
		enum bfd_state ours, theirs, then;
		uint8_t diag;
	} rows[] = {
		{ BFD_DOWN, BFD_ADMIN_DOWN, BFD_DOWN, 0 }, { BFD_DOWN, BFD_DOWN, BFD_INIT, 0 },
		{ BFD_DOWN, BFD_INIT, BFD_UP, 0 }, { BFD_DOWN, BFD_UP, BFD_DOWN, 0 },
		{ BFD_INIT, BFD_ADMIN_DOWN, BFD_DOWN, 3 }, { BFD_INIT, BFD_DOWN, BFD_INIT, 0 },
		{ BFD_INIT, BFD_INIT, BFD_UP, 0 }, { BFD_INIT, BFD_UP, BFD_UP, 0 },
		{ BFD_UP, BFD_ADMIN_DOWN, BFD_DOWN, 3 }, { BFD_UP, BFD_DOWN, BFD_DOWN, 3 },
		{ BFD_UP, BFD_INIT, BFD_UP, 0 }, { BFD_UP, BFD_UP, BFD_UP, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bfd b = session(rows[i].ours, 1000);
		uint8_t out[BFD_PACKET_LEN];

		say_state(&b, rows[i].theirs, 0, 1010);
		if (b.state != rows[i].then || b.diag != rows[i].diag)
			fail_msg("%s, the far end is %s: %s with %u", bfd_state_names[rows[i].ours],
				 bfd_state_names[rows[i].theirs], bfd_state_names[b.state], b.diag);
		/* A change is told at once. */
		assert_int_equal(bfd_poll(&b, 1011, 0, out), rows[i].ours != rows[i].then);
		if (rows[i].ours != rows[i].then)
			assert_int_equal(out[1] >> 6, rows[i].then);
	}
}

static void
silence_ends_a_session(void **state)
{
	static const enum bfd_state from[] = { BFD_INIT, BFD_UP };
	uint8_t out[BFD_PACKET_LEN];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct bfd b = session(from[i], 1000);

		/* Three times the slower of what it sends and what we want. */
		assert_int_equal(bfd_detect_ms(&b), 900);
		assert_int_equal(b.expires_ms, 1900);
		while (bfd_poll(&b, 1899, 0, out))
			;
		assert_int_equal(b.state, from[i]);
		bfd_poll(&b, 1900, 0, out);
		assert_int_equal(b.state, BFD_DOWN);
		assert_int_equal(b.diag, BFD_DIAG_EXPIRED);
		/* And it is not known any more who that was. */
		assert_int_equal(b.remote_discr, 0);
		assert_int_equal(load_be32(out + 8), 0);
		assert_int_equal(b.expires_ms, 0);
	}
	/* What is down stays so. */
	struct bfd b = session(BFD_DOWN, 1000);

	say_state(&b, BFD_UP, 0, 1000);
	assert_int_equal(b.remote_discr, THEIRS);
	bfd_poll(&b, 1900, 0, out);
	assert_int_equal(b.state, BFD_DOWN);
	assert_int_equal(b.diag, BFD_DIAG_NONE);
	assert_int_equal(b.remote_discr, 0);
}

static void
intervals_are_agreed_upon(void **state)
{
	struct bfd b = session(BFD_DOWN, 1000);
	struct said s = usual;

	(void)state;
	/* Slowly until it is up. */
	assert_int_equal(bfd_tx_ms(&b), 1000);
	b = session(BFD_UP, 1000);
	assert_int_equal(bfd_tx_ms(&b), 100);
	s.state = BFD_UP;
	s.min_rx_us = 700001;
	assert_int_equal(say(&b, s, 1000), BFD_OK);
	assert_int_equal(bfd_tx_ms(&b), 701);
	s.min_tx_us = 5;
	s.mult = 5;
	assert_int_equal(say(&b, s, 1000), BFD_OK);
	assert_int_equal(bfd_detect_ms(&b), 1000);
	/* Numbers that no clock has. */
	s.min_tx_us = UINT32_MAX;
	s.mult = 255;
	assert_int_equal(say(&b, s, 1000), BFD_OK);
	assert_int_equal(bfd_detect_ms(&b), 255u * 4294968);
}

static void
who_wants_nothing_gets_nothing(void **state)
{
	struct bfd b = session(BFD_UP, 1000);
	uint8_t out[BFD_PACKET_LEN];
	struct said s = usual;

	(void)state;
	s.state = BFD_UP;
	s.min_rx_us = 0;
	assert_int_equal(say(&b, s, 1001), BFD_OK);
	assert_int_equal(bfd_due(&b), b.expires_ms);
	assert_false(bfd_poll(&b, 1500, 0, out));
	/* But for an answer. */
	s.flags = 0x20;
	assert_int_equal(say(&b, s, 1501), BFD_OK);
	assert_true(bfd_due(&b) <= 1501);
	assert_true(bfd_poll(&b, 1501, 0, out));
	assert_int_equal(out[1] & 0x30, 0x10);
	assert_false(bfd_poll(&b, 1600, 0, out));
	s.flags = 0;
	s.min_rx_us = 50000;
	assert_int_equal(say(&b, s, 1601), BFD_OK);
	assert_true(bfd_poll(&b, 1601, 0, out));
}

static void
packets_come_with_jitter(void **state)
{
	uint8_t out[BFD_PACKET_LEN];
	uint64_t x = 1;

	(void)state;
	for (uint8_t mult = 1; mult <= 3; mult += 2) {
		struct bfd_conf c = { .min_tx_ms = 1000, .min_rx_ms = 1000, .mult = mult };
		uint64_t least = 2000, most = 0, now = 1000;
		struct bfd b;

		bfd_init(&b, &c, OURS, now);
		for (unsigned i = 0; i < 2000; i++) {
			uint64_t gap;

			x = hash_mix(x + i + 1);
			assert_true(bfd_poll(&b, now, (uint32_t)x, out));
			gap = bfd_due(&b) - now;
			least = gap < least ? gap : least;
			most = gap > most ? gap : most;
			now += gap;
		}
		assert_in_range(least, 750, 755);
		assert_in_range(most, mult == 1 ? 895 : 995, mult == 1 ? 900 : 1000);
	}
}

static void
a_poll_sequence_goes_on_until_it_is_answered(void **state)
{
	struct bfd_conf slower = { .min_tx_ms = 400, .min_rx_ms = 100, .mult = 3 };
	struct bfd b = session(BFD_UP, 1000);
	uint8_t out[BFD_PACKET_LEN];
	uint64_t now = 1000;

	(void)state;
	bfd_set(&b, &slower, now);
	for (unsigned i = 0; i < 5; i++) {
		now = b.next_tx_ms;
		assert_true(bfd_poll(&b, now, 0, out));
		assert_int_equal(out[1] & 0x30, 0x20);
		assert_int_equal(host32(load_be32(out + 12)), 400000);
		assert_int_equal(host32(load_be32(out + 16)), 100000);
		/* The far end does not know: we still send as often, and wait as long. */
		assert_int_equal(bfd_tx_ms(&b), 100);
		assert_int_equal(bfd_detect_ms(&b), 900);
	}
	say_state(&b, BFD_UP, 0, now);
	assert_true(b.polling);
	say_state(&b, BFD_UP, 0x10, now);
	assert_false(b.polling);
	assert_int_equal(bfd_tx_ms(&b), 400);
	now = b.next_tx_ms;
	assert_true(bfd_poll(&b, now, 0, out));
	assert_int_equal(out[1] & 0x30, 0);
	/* Other settings but no other times: nothing to agree upon. */
	slower.mult = 9;
	bfd_set(&b, &slower, now);
	assert_false(b.polling);
	assert_true(bfd_poll(&b, now + 1, 0, out));
	assert_int_equal(out[2], 9);
}

static void
a_poll_is_answered_at_once_but_not_endlessly(void **state)
{
	struct bfd b = session(BFD_UP, 1000);
	uint8_t out[BFD_PACKET_LEN];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		say_state(&b, BFD_UP, 0x20, 1010);
		n += bfd_poll(&b, 1010, 0, out);
	}
	assert_int_equal(n, 1);
	assert_int_equal(out[1], BFD_UP << 6 | 0x10);
	/* An answer and a question are two packets. */
	b.polling = true;
	say_state(&b, BFD_UP, 0x20, 1020);
	assert_true(bfd_poll(&b, 1020, 0, out));
	assert_int_equal(out[1] & 0x30, 0x10);
	assert_true(bfd_poll(&b, 1021, 0, out));
	assert_int_equal(out[1] & 0x30, 0x20);
}

static void
bad_packets_change_nothing(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		enum bfd_bad why;
	} rows[] = {
		{ 0, 0, BFD_BAD_VERSION }, { 0, 2 << 5, BFD_BAD_VERSION }, { 2, 0, BFD_BAD_MULT }, { 3, 23, BFD_BAD_LENGTH },
		{ 3, 25, BFD_BAD_LENGTH }, { 1, BFD_UP << 6 | 0x01, BFD_BAD_MULTIPOINT }, { 1, BFD_UP << 6 | 0x04, BFD_BAD_AUTH },
		{ 1, BFD_UP << 6 | 0x02, BFD_BAD_DEMAND }, { 8, 1, BFD_BAD_DISCR },
	};
	struct bfd b = session(BFD_UP, 1000);
	const struct bfd before = b;
	uint8_t p[BFD_PACKET_LEN];
	struct said s = usual;

	(void)state;
	s.state = BFD_DOWN;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_said(&s, p);
		p[rows[i].at] = rows[i].value;
		assert_int_equal(bfd_input(&b, p, sizeof p, 1500), rows[i].why);
	}
	write_said(&s, p);
	for (unsigned len = 0; len < sizeof p; len++) {
		uint8_t *cut = malloc(len + !len);

		memcpy(cut, p, len);
		assert_int_equal(bfd_input(&b, cut, len, 1500), BFD_BAD_LENGTH);
		free(cut);
	}
	s.mine = 0;
	assert_int_equal(say(&b, s, 1500), BFD_BAD_DISCR);
	s = usual;
	s.yours = 0;
	s.state = BFD_INIT;
	assert_int_equal(say(&b, s, 1500), BFD_BAD_STATE);
	assert_memory_equal(&b, &before, sizeof b);
	/* Who does not know us yet may be down. */
	s.state = BFD_DOWN;
	assert_int_equal(say(&b, s, 1500), BFD_OK);
	assert_int_equal(b.state, BFD_DOWN);
}

/* Two of them over a wire that loses some. */
static void
two_of_them_find_each_other(void **state)
{
	const struct bfd_conf fast = { .min_tx_ms = 20, .min_rx_ms = 30, .mult = 4 };
	unsigned up = 0, sent = 0, down = 0;
	struct bfd b[2];
	uint64_t x = 7;

	(void)state;
	bfd_init(&b[0], &conf, 1, 0);
	bfd_init(&b[1], &fast, 2, 300);
	for (uint64_t now = 0; now < 60000; now++) {
		for (unsigned i = 0; i < 2; i++) {
			uint8_t out[BFD_PACKET_LEN];

			x = hash_mix(x + now + 1);
			if (!bfd_poll(&b[i], now, (uint32_t)x, out))
				continue;
			sent++;
			/* One of ten is lost; later on all that the first one says. */
			if (now < 30000 ? (x >> 40) % 10 == 0 : now > 40000 && !i)
				continue;
			assert_int_equal(bfd_input(&b[!i], out, sizeof out, now), BFD_OK);
		}
		if (now == 40000)
			up += b[0].state == BFD_UP && b[1].state == BFD_UP;
		if (now == 30000)
			assert_true(!b[0].polling && !b[1].polling);
		down += now > 41000 && (b[0].state == BFD_UP || b[1].state == BFD_UP);
	}
	assert_int_equal(up, 1);
	/* Who is not heard is told so. */
	assert_int_equal(down, 0);
	assert_int_equal(b[1].diag, BFD_DIAG_EXPIRED);
	assert_int_equal(b[0].diag, BFD_DIAG_NEIGHBOUR_DOWN);
	assert_in_range(sent, 600, 1000);
}

static void
what_is_held_down_says_so_and_comes_back_by_itself(void **state)
{
	struct bfd_conf held = conf;
	struct bfd b = session(BFD_UP, 1000);
	uint8_t out[BFD_PACKET_LEN];
	uint64_t now = 2000;

	(void)state;
	held.admin_down = true;
	bfd_set(&b, &held, now);
	assert_int_equal(b.state, BFD_ADMIN_DOWN);
	/* Told at once: state AdminDown, diagnostic 7. */
	assert_true(bfd_poll(&b, now, 0, out));
	assert_int_equal(out[1] >> 6, BFD_ADMIN_DOWN);
	assert_int_equal(out[0] & 31, BFD_DIAG_ADMIN_DOWN);
	/* Whatever the far end says, and when it says nothing any more; no question is answered. */
	for (enum bfd_state s = BFD_ADMIN_DOWN; s <= BFD_UP; s++) {
		say_state(&b, s, 0x20, now += 10);
		assert_int_equal(b.state, BFD_ADMIN_DOWN);
		while (bfd_due(&b) <= now && bfd_poll(&b, now, 0, out))
			assert_int_equal(out[1] & 0x30, 0);
	}
	for (unsigned n = 0; now < 60000; n++) {
		assert_true(n < 200);
		now = bfd_due(&b);
		if (bfd_poll(&b, now, 0, out))
			assert_int_equal(out[1] >> 6, BFD_ADMIN_DOWN);
	}
	assert_int_equal(b.state, BFD_ADMIN_DOWN);
	/* Not more often than while it is down. */
	assert_true(bfd_tx_ms(&b) >= BFD_SLOW_MS);

	bfd_set(&b, &conf, ++now);
	assert_int_equal(b.state, BFD_DOWN);
	assert_true(bfd_poll(&b, now, 0, out));
	assert_int_equal(out[1] >> 6, BFD_DOWN);
	say_state(&b, BFD_INIT, 0, now + 10);
	assert_int_equal(b.state, BFD_UP);
	assert_int_equal(b.diag, BFD_DIAG_NONE);
	/* From the start. */
	bfd_init(&b, &held, OURS, now);
	say_state(&b, BFD_INIT, 0, now);
	assert_int_equal(b.state, BFD_ADMIN_DOWN);
	assert_int_equal(b.diag, BFD_DIAG_ADMIN_DOWN);
}

static void
frames_are_what_ovs_sends(void **state)
{
	static const uint8_t head[] = {
		0x00, 0x23, 0x20, 0x00, 0x00, 0x01, 0x02, 0, 0, 0, 0, 0x09, 0x08, 0x00,
		0x45, 0xc0, 0x00, 0x34, 0x00, 0x00, 0x40, 0x00, 0xff, 0x11, 0xe4, 0xf7,
		169, 254, 1, 1, 169, 254, 1, 0, 0xc0, 0x07, 0x0e, 0xc8, 0x00, 0x20, 0x00, 0x00,
	};
	uint8_t f[BFD_FRAME_LEN], p[BFD_PACKET_LEN];
	const uint8_t *in;
	unsigned len;

	(void)state;
	write_said(&usual, p);
	bfd_frame_build(f, (struct mac){ { 2, 0, 0, 0, 0, 9 } }, 0xc007, p);
	assert_memory_equal(f, head, 24);
	assert_memory_equal(f + 26, head + 26, sizeof head - 26);
	assert_int_equal(bfd_frame_parse(f, sizeof f, &in, &len), BFD_OK);
	assert_int_equal(len, BFD_PACKET_LEN);
	assert_memory_equal(in, p, len);
}

static void
bad_frames_are_told(void **state)
{
	uint8_t f[BFD_FRAME_LEN], p[BFD_PACKET_LEN];
	const uint8_t *in;
	unsigned len;

	(void)state;
	write_said(&usual, p);
	bfd_frame_build(f, (struct mac){ { 2, 0, 0, 0, 0, 9 } }, 0xc007, p);
	for (unsigned n = 0; n < sizeof f; n++) {
		uint8_t *cut = malloc(n + !n);

		memcpy(cut, f, n);
		assert_int_equal(bfd_frame_parse(cut, n, &in, &len), BFD_BAD_FRAME);
		free(cut);
	}
	/* Any bit of the IP header: its checksum sees it.  Of UDP, the port and the length. */
	for (unsigned bit = 14 * 8; bit < 40 * 8; bit++) {
		if (bit / 8 >= 34 && (bit / 8 < 36 || bit / 8 >= 40))
			continue;
		f[bit / 8] ^= 1 << bit % 8;
		if (bit / 8 < 38)
			assert_int_equal(bfd_frame_parse(f, sizeof f, &in, &len), BFD_BAD_FRAME);
		else if (!bfd_frame_parse(f, sizeof f, &in, &len))
			assert_true(len < BFD_PACKET_LEN);
		f[bit / 8] ^= 1 << bit % 8;
	}
	/* A router was on the way. */
	f[22] = 254;
	f[24] += 1;
	assert_int_equal(bfd_frame_parse(f, sizeof f, &in, &len), BFD_BAD_TTL);
	f[22] = 255;
	f[24] -= 1;
	store_be16(f + 40, be16(0x1111));
	assert_int_equal(bfd_frame_parse(f, sizeof f, &in, &len), BFD_BAD_FRAME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_follows_the_far_ends),
		cmocka_unit_test(silence_ends_a_session),
		cmocka_unit_test(intervals_are_agreed_upon),
		cmocka_unit_test(who_wants_nothing_gets_nothing),
		cmocka_unit_test(packets_come_with_jitter),
		cmocka_unit_test(a_poll_sequence_goes_on_until_it_is_answered),
		cmocka_unit_test(a_poll_is_answered_at_once_but_not_endlessly),
		cmocka_unit_test(bad_packets_change_nothing),
		cmocka_unit_test(two_of_them_find_each_other),
		cmocka_unit_test(what_is_held_down_says_so_and_comes_back_by_itself),
		cmocka_unit_test(frames_are_what_ovs_sends),
		cmocka_unit_test(bad_frames_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
