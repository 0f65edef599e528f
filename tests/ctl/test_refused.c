/* SPDX-License-Identifier: Apache-2.0 */
/* The table of those whose tunnel packets are refused: bounded, and of use under a flood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/refused.h"

static struct refused *r;
static uint64_t now;

static int
begin(void **state)
{
	(void)state;
	r = refused_create();
	now = 1000000;
	srandom(7);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	refused_destroy(r);
	return 0;
}

/* An unknown key from 10.x.x.x. */
static struct dp_refusal
packet(uint32_t src, uint64_t key)
{
	return (struct dp_refusal){ .why = DROP_TUN_UNKNOWN_KEY, .n = 1, .src = ip_from_v4(be32(0x0a000000u | src)), .key = key,
				    .keyed = true, .underlay = 3 };
}

static void
add(uint32_t src, uint64_t key)
{
	struct dp_refusal p = packet(src, key);

	refused_add(r, &p, now);
}

/* The row for exactly that, or NULL. */
static const struct refused_row *
row(uint32_t src, uint64_t key)
{
	struct ipaddr a = ip_from_v4(be32(0x0a000000u | src));
	const struct refused_row *w;
	unsigned n;

	w = refused_rows(r, &n);
	for (unsigned i = 0; i < n; i++)
		if (!w[i].many_keys && !w[i].many_remotes && w[i].what.key == key && ip_equal(&w[i].what.src, &a))
			return &w[i];
	return NULL;
}

static const struct refused_row *
one_of(bool many_keys, bool many_remotes)
{
	const struct refused_row *w, *found = NULL;
	unsigned n, hits = 0;

	w = refused_rows(r, &n);
	assert_in_range(n, 1, REFUSED_MAX);
	for (unsigned i = 0; i < n; i++)
		if (w[i].many_keys == many_keys && w[i].many_remotes == many_remotes) {
			found = &w[i];
			hits++;
		}
	assert_int_equal(hits, 1);
	return found;
}

static uint64_t
total(void)
{
	const struct refused_row *w;
	uint64_t sum = 0;
	unsigned n;

	w = refused_rows(r, &n);
	for (unsigned i = 0; i < n; i++)
		sum += w[i].packets;
	return sum;
}

static void
each_sender_and_key_is_a_row_newest_first(void **state)
{
	const struct refused_row *w;
	struct dp_refusal p = packet(1, 5);
	unsigned n;

	(void)state;
	add(1, 5);
	now += 10;
	add(1, 6);
	add(2, 5);
	p.n = 100;
	now += 10;
	refused_add(r, &p, now);
	p.why = DROP_TUN_UNKNOWN_REMOTE;
	now += 10;
	refused_add(r, &p, now);
	w = refused_rows(r, &n);
	assert_int_equal(n, 4);
	assert_int_equal(w[0].what.why, DROP_TUN_UNKNOWN_REMOTE);
	assert_int_equal(w[1].packets, 101);
	assert_int_equal(w[1].first_ms, 1000000);
	assert_int_equal(w[1].last_ms, 1000020);
	assert_int_equal(w[3].packets, 1);
}

static void
one_sender_with_many_keys_is_a_row(void **state)
{
	(void)state;
	add(9, 77);
	for (unsigned i = 0; i < 100000; i++) {
		add(1, (uint64_t)random() & 0xffffff);
		now++;
	}
	assert_non_null(row(9, 77));
	assert_true(ip_equal(&one_of(true, false)->what.src, &(struct ipaddr){ { [10] = 0xff, 0xff, 10, 0, 0, 1 } }));
	assert_int_equal(total(), 100001);
}

static void
many_senders_with_one_key_are_a_row(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		add((uint32_t)random() & 0xffffff, 42);
	assert_int_equal(one_of(false, true)->what.key, 42);
	assert_int_equal(total(), 100000);
}

/* Forged from end to end: a host that really has a wrong key, and goes on, is still seen. */
static void
who_goes_on_is_seen_in_a_flood_of_anything(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		add((uint32_t)random() & 0xffffff, (uint64_t)random() & 0xffffff);
		if (i % 20 == 0)
			add(9, 5002);
		now++;
	}
	assert_int_equal(row(9, 5002)->packets, 5000);
	assert_true(one_of(true, true)->packets > 99000);
	assert_int_equal(total(), 105000);
}

static void
a_few_wrong_keys_of_a_host_stay_apart(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		add(1, i % 10);
	for (unsigned k = 0; k < 10; k++)
		assert_int_equal(row(1, k)->packets, 100);
}

static void
what_is_long_past_makes_room_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSED_MAX; i++)
		for (unsigned n = 0; n < 50; n++)
			add(i, i);
	add(1000, 1000);
	/* It would have had to go among steady ones that are as young. */
	assert_non_null(row(1000, 1000));
	now += 11 * 60 * 1000;
	for (unsigned i = 0; i < 60; i++)
		add(2000 + i, 2000 + i);
	for (unsigned i = 0; i < 60; i++)
		assert_non_null(row(2000 + i, 2000 + i));
}

/* As many kinds as rows, so that nothing can be joined: it ends all the same. */
static void
kinds_without_end_are_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct dp_refusal p = packet((uint32_t)random() & 0xffffff, 1);

		p.why = (enum dp_drop)((unsigned)random() % DP_N_DROPS);
		p.port = (uint16_t)(random() % 1000);
		p.underlay = (uint16_t)(random() % 1000);
		p.keyed = random() & 1;
		refused_add(r, &p, now);
		now += (uint64_t)random() % 4;
	}

	unsigned n;

	refused_rows(r, &n);
	assert_in_range(n, REFUSED_MAX / 2, REFUSED_MAX);
}

int
main(void)
{
#define REFUSED_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		REFUSED_TEST(each_sender_and_key_is_a_row_newest_first),
		REFUSED_TEST(one_sender_with_many_keys_is_a_row),
		REFUSED_TEST(many_senders_with_one_key_are_a_row),
		REFUSED_TEST(who_goes_on_is_seen_in_a_flood_of_anything),
		REFUSED_TEST(a_few_wrong_keys_of_a_host_stay_apart),
		REFUSED_TEST(what_is_long_past_makes_room_first),
		REFUSED_TEST(kinds_without_end_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
