/* SPDX-License-Identifier: Apache-2.0 */
/* Every message in every version that has it, with all members filled: encoded, decoded, compared; then cut short at
 * every byte, and with every length it contains one too large and one too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/ofproto/wire/fill.h"

enum { N_WAYS = 600, ROUNDS = 20 };

struct world {
	struct of_arena *made, *read;
	struct of_buf buf, again;
	struct way way[N_WAYS];
	unsigned n;
};

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->made = of_arena_create();
	w->read = of_arena_create();
	w->n = fill_ways(w->way, N_WAYS);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	of_arena_destroy(w->made);
	of_arena_destroy(w->read);
	of_buf_fini(&w->buf);
	of_buf_fini(&w->again);
	free(w);
	return 0;
}

static void
make(struct world *w, const struct way *way, uint64_t seed, struct of_msg *msg)
{
	struct fill f = { .seed = seed, .arena = w->made };
	char name[80];
	int rc;

	of_arena_reset(w->made);
	fill_msg(&f, way, msg);
	w->buf.len = 0;
	rc = of_encode(&w->buf, msg);
	if (rc)
		fail_msg("%s: encode: %d", fill_way_name(way, name), rc);
}

/* Decodes a copy of exactly 'len' bytes on the heap, where a sanitizer sees each byte too many. */
static int
read_copy(struct world *w, const uint8_t *data, uint32_t len, struct of_msg *msg, struct of_error *err, uint8_t **copy)
{
	*copy = malloc(len ? len : 1);
	memcpy(*copy, data, len);
	of_arena_reset(w->read);
	return of_decode(*copy, len, NULL, w->read, msg, err);
}

static void
what_was_encoded_is_decoded(void **state)
{
	struct world *w = *state;
	char name[80], where[80];

	assert_in_range(w->n, 300, N_WAYS - 1);
	for (unsigned i = 0; i < w->n; i++)
		for (uint64_t seed = 0; seed < ROUNDS; seed++) {
			struct of_msg a, b;
			struct of_error err;
			uint8_t *copy;

			make(w, &w->way[i], seed * 77 + i, &a);
			fill_way_name(&w->way[i], name);
			if (read_copy(w, w->buf.data, (uint32_t)w->buf.len, &b, &err, &copy))
				fail_msg("%s seed %u: decode: %s %s", name, (unsigned)seed, of_error_name(err.id), err.why);
			if (!fill_equal(&a, &b, w->way[i].layout, where))
				fail_msg("%s seed %u: differs: %s", name, (unsigned)seed, where);
			w->again.len = 0;
			assert_int_equal(of_encode(&w->again, &b), 0);
			if (w->again.len != w->buf.len || memcmp(w->again.data, w->buf.data, w->buf.len))
				fail_msg("%s seed %u: encodes to other bytes", name, (unsigned)seed);
			free(copy);
		}
}

static void
a_message_cut_short_is_an_error(void **state)
{
	struct world *w = *state;
	char name[80];

	for (unsigned i = 0; i < w->n; i++) {
		struct of_msg a, b;
		struct of_error err;

		make(w, &w->way[i], i, &a);
		for (uint32_t len = 0; len < w->buf.len; len++) {
			uint8_t *copy;
			int rc;

			/* Once as it is, once with a length that claims to be right. */
			rc = read_copy(w, w->buf.data, len, &b, &err, &copy);
			free(copy);
			if (!rc)
				fail_msg("%s: fine with %u of %zu bytes", fill_way_name(&w->way[i], name), len, w->buf.len);
			if (len < 8)
				continue;
			w->again.len = 0;
			memcpy(wire_add(&w->again, len), w->buf.data, len);
			wire_store(w->again.data + 2, 2, len);
			rc = read_copy(w, w->again.data, len, &b, &err, &copy);
			free(copy);
			assert_true(!rc || err.id != OFE_OK);
		}
	}
}

static void
wrong_numbers_in_right_places_do_no_harm(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < w->n; i++) {
		struct of_msg a, b;
		struct of_error err;

		make(w, &w->way[i], i + 1000, &a);
		/* Whatever is a length is among the 16-bit numbers at even offsets. */
		for (uint32_t at = 2; at + 2 <= w->buf.len && at < 400; at += 2) {
			static const int deltas[] = { -8, -1, 1, 8, 0x4000 };
			uint16_t was = wire_u16(w->buf.data + at);

			for (unsigned d = 0; d < ARRAY_SIZE(deltas); d++) {
				uint8_t *copy;
				int rc;

				wire_store(w->buf.data + at, 2, (uint16_t)(was + deltas[d]));
				rc = read_copy(w, w->buf.data, (uint32_t)w->buf.len, &b, &err, &copy);
				assert_true(!rc || err.id != OFE_OK);
				if (!rc) {
					w->again.len = 0;
					of_encode(&w->again, &b);
				}
				free(copy);
			}
			wire_store(w->buf.data + at, 2, was);
		}
	}
}

/* What fuzzing found: read, but once written as something else. */
static void
odd_messages_encode_to_what_they_came_as(void **state)
{
	static const struct {
		uint32_t len;
		uint8_t data[64];
	} odd[] = {
		/* An experimenter's error whose experimenter is 0. */
		{ 24, { 4, 1, 0, 24, 0x12, 0x34, 0x4f, 0x87, 0xff, 0xff, 0, 2, 0, 0, 0, 0, [23] = 42 } },
		/* Before 1.2 that type is as good as any other. */
		{ 16, { 1, 1, 0, 16, 0, 0, 0, 1, 0xff, 0xff, 0, 2, 0, 0, 0, 42 } },
	};
	struct world *w = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		struct of_error err;
		struct of_msg m;
		uint8_t *copy;

		if (read_copy(w, odd[i].data, odd[i].len, &m, &err, &copy))
			fail_msg("%u: decode: %s %s", i, of_error_name(err.id), err.why);
		w->again.len = 0;
		assert_int_equal(of_encode(&w->again, &m), 0);
		assert_int_equal(w->again.len, odd[i].len);
		assert_memory_equal(w->again.data, odd[i].data, odd[i].len);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(odd_messages_encode_to_what_they_came_as, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_encoded_is_decoded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_message_cut_short_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_numbers_in_right_places_do_no_harm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
