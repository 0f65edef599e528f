/* SPDX-License-Identifier: Apache-2.0 */
/* Meters: what passes at a rate, by a clock that the test turns; and one meter under several threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "datapath/meter_priv.h"

enum { HZ = 3000000000u };

static struct meter_rates r;

static void
one_band(bool pktps, uint64_t rate, uint64_t burst)
{
	struct dp_meter_conf c = { .pktps = pktps, .n_bands = 1, .band = { { .rate = rate, .burst = burst } } };

	meter_rates_init(&r, &c, HZ, 1000);
}

static bool
passes(uint64_t tsc, uint32_t len)
{
	return !meter_take(&r, &r.bucket[0], tsc, &len, 1);
}

static void
assert_near(double got, double want, double part)
{
	if (got < want * (1 - part) || got > want * (1 + part))
		fail_msg("%.0f is not %.0f", got, want);
}

/* Ten seconds of twice the rate. */
static void
half_of_twice_the_rate_passes(void **state)
{
	static const struct {
		bool pktps;
		uint64_t rate;          /* Packets or kilobits. */
		uint32_t len;
		unsigned batch;
	} t[] = {
		{ true, 20, 64, 1 }, { true, 1000, 1500, 1 }, { true, 100000, 64, 32 }, { false, 1000, 64, 1 },
		{ false, 1000, 1500, 4 }, { false, 100000, 1500, 1 }, { false, 1000000, 1500, 32 },
		{ false, 400000000, 64000, 32 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		double pps = t[i].pktps ? (double)t[i].rate : (double)t[i].rate * 1000 / 8 / t[i].len, sent = 20 * pps;
		uint32_t len[METER_BATCH];
		uint64_t passed = 0;

		one_band(t[i].pktps, t[i].rate, 0);
		for (unsigned k = 0; k < METER_BATCH; k++)
			len[k] = t[i].len;
		for (double n = 0; n < sent; n += t[i].batch)
			passed += t[i].batch - (unsigned)__builtin_popcount(meter_take(&r, &r.bucket[0],
										       2000 + (uint64_t)(n / (2 * pps) * HZ),
										       len, t[i].batch));
		/* The bucket is full at first: a tenth of a second's worth, two packets at least. */
		assert_near((double)passed, 10 * pps + MAX_OF(pps / 10, 2), 0.006);
		assert_near((double)passed, 10 * pps, 0.02);
	}
}

static void
what_is_below_the_rate_passes(void **state)
{
	(void)state;
	one_band(false, 1000, 16);
	/* 990 kbit/s of packets of several lengths. */
	for (uint64_t n = 0, bytes = 0; n < 10000; n++) {
		uint32_t len = 60 + (uint32_t)(hash_mix(n) % 1400);

		assert_true(passes(2000 + bytes * 8 * HZ / 990000, len));
		bytes += len;
	}
}

static void
a_burst_passes_at_once(void **state)
{
	unsigned n;

	(void)state;
	one_band(true, 5, 20);
	for (n = 0; passes(2000, 64); n++)
		;
	assert_int_equal(n, 20);
	/* A fifth of a second later there is one more. */
	assert_true(passes(2000 + HZ / 5, 64));
	assert_false(passes(2000 + HZ / 5, 64));
	/* 12 kilobits are a frame of 1500 bytes. */
	one_band(false, 12, 24);
	for (n = 0; passes(2000, 1500); n++)
		;
	assert_int_equal(n, 2);
}

static void
a_packet_larger_than_the_burst_passes_now_and_then(void **state)
{
	unsigned n = 0;

	(void)state;
	one_band(false, 1000, 1);
	/* 64,000 bytes are 512 ms of this rate. */
	for (unsigned ms = 0; ms < 10000; ms++)
		n += passes(2000 + ms * (HZ / 1000ull), 64000);
	assert_in_range(n, 19, 21);
}

static void
nothing_passes_at_a_rate_of_zero(void **state)
{
	uint32_t len[METER_BATCH] = { 64 };

	(void)state;
	one_band(true, 0, 100);
	assert_false(passes(2000, 64));
	assert_int_equal(meter_take(&r, &r.bucket[0], HZ, len, METER_BATCH), UINT32_MAX);
	assert_int_equal(meter_take(&r, &r.bucket[0], HZ, len, 3), 7);
}

static void
extreme_settings_do_not_overflow(void **state)
{
	(void)state;
	for (unsigned pktps = 0; pktps < 2; pktps++) {
		one_band(pktps, 1, UINT32_MAX);
		assert_true(passes(UINT64_MAX >> 5, UINT32_MAX >> 4));
		one_band(pktps, UINT32_MAX, 1);
		assert_true(passes(UINT64_MAX >> 5, 64));
		one_band(pktps, UINT64_MAX, UINT64_MAX);
		assert_true(passes(UINT64_MAX >> 5, 64));
	}
}

static void
bands_are_tried_from_the_highest_rate_down(void **state)
{
	struct dp_meter_conf c = { .pktps = true, .n_bands = 3,
				   .band = { { .rate = 10, .remark = true, .prec_level = 1 }, { .rate = 1000 },
					     { .rate = 100, .remark = true, .prec_level = 2 } } };

	(void)state;
	meter_rates_init(&r, &c, HZ, 0);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.bucket[0].band, 1);
	assert_int_equal(r.bucket[1].band, 2);
	assert_int_equal(r.bucket[2].band, 0);
	assert_false(r.bucket[0].remark);
	assert_true(r.bucket[2].remark);
	assert_int_equal(r.bucket[1].prec_level, 2);
}

/* Threads that share a clock and a meter. */
static uint64_t clock_now;
static uint64_t total;

static void *
taker(void *arg)
{
	uint32_t len[4] = { 1000, 1000, 1000, 1000 };
	uint64_t passed = 0, t;

	(void)arg;
	/* Together 4 packets each 40 microseconds: 800 Mbit/s, for a second. */
	while ((t = __atomic_fetch_add(&clock_now, HZ / 25000, __ATOMIC_RELAXED)) < HZ)
		passed += 4 - (unsigned)__builtin_popcount(meter_take(&r, &r.bucket[0], t, len, 4));
	__atomic_fetch_add(&total, passed, __ATOMIC_RELAXED);
	return NULL;
}

static void
threads_share_one_rate(void **state)
{
	pthread_t t[4];

	(void)state;
	one_band(false, 400000, 1000);
	r.start_tsc = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, taker, NULL), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_near((double)total, 50125, 0.02);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_twice_the_rate_passes),
		cmocka_unit_test(what_is_below_the_rate_passes),
		cmocka_unit_test(a_burst_passes_at_once),
		cmocka_unit_test(a_packet_larger_than_the_burst_passes_now_and_then),
		cmocka_unit_test(nothing_passes_at_a_rate_of_zero),
		cmocka_unit_test(extreme_settings_do_not_overflow),
		cmocka_unit_test(bands_are_tried_from_the_highest_rate_down),
		cmocka_unit_test(threads_share_one_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
