/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of random lengths through a small ring, by one thread and by two. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "datapath/msgq_priv.h"

enum { RING = 4096, MANY = 200000 };

static struct msgq q;

/* The length and every byte follow from the number. */
static uint32_t
len_of(uint64_t n)
{
	return (uint32_t)(hash_mix(n) % (n % 7 ? 100 : RING / 2 - MSGQ_HEAD + 1));
}

static bool
put(uint64_t n)
{
	uint8_t *p = msgq_room(&q, len_of(n));

	if (!p)
		return false;
	memset(p, (uint8_t)n, len_of(n));
	msgq_add(&q);
	return true;
}

static bool
take(uint64_t n)
{
	uint32_t len;
	const uint8_t *p = msgq_first(&q, &len);

	if (!p)
		return false;
	assert_int_equal(len, len_of(n));
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)n);
	msgq_pop(&q);
	return true;
}

static void
messages_come_out_as_they_went_in(void **state)
{
	uint64_t in = 0, out = 0;
	uint64_t x = 1;
	unsigned full = 0;

	(void)state;
	assert_true(msgq_init(&q, RING));
	for (unsigned i = 0; i < 30000; i++) {
		x = hash_mix(x + i);
		if (x & 1) {
			if (put(in))
				in++;
			else
				full++;
		} else {
			assert_int_equal(take(out), in > out);
			out += in > out;
		}
	}
	while (take(out))
		out++;
	assert_int_equal(in, out);
	assert_true(full > 100);
	assert_int_equal(msgq_free(&q), RING);
	/* The largest there may be, wherever the ring stands. */
	for (unsigned i = 0; i < RING / 8; i++) {
		uint32_t len;

		assert_null(msgq_room(&q, RING / 2 - MSGQ_HEAD + 1));
		assert_non_null(msgq_room(&q, RING / 2 - MSGQ_HEAD));
		assert_non_null(msgq_room(&q, 0));
		msgq_add(&q);
		assert_non_null(msgq_first(&q, &len));
		msgq_pop(&q);
	}
	assert_null(msgq_room(&q, UINT32_MAX));
	msgq_fini(&q);
}

static void *
writer(void *arg)
{
	for (uint64_t n = 0; n < MANY;) {
		if (put(n))
			n++;
		else
			sched_yield();
	}
	return arg;
}

static void
a_reader_sees_whole_messages_of_another_thread(void **state)
{
	pthread_t t;

	(void)state;
	assert_true(msgq_init(&q, RING));
	assert_int_equal(pthread_create(&t, NULL, writer, NULL), 0);
	for (uint64_t n = 0; n < MANY;) {
		if (take(n))
			n++;
		else
			sched_yield();
	}
	pthread_join(t, NULL);
	msgq_fini(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_as_they_went_in),
		cmocka_unit_test(a_reader_sees_whole_messages_of_another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
