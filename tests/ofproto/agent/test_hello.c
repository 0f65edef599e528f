/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of connections: who says what first, which version is agreed on. */
#include "tests/ofproto/agent/peer.h"

#define V(v) (1u << (v))
#define UP_TO(v) ((2u << (v)) - 2)

static void
hello_comes_at_once_without_a_bitmap(void **state)
{
	const struct of_hello *h;
	struct peer *p;

	(void)state;
	configure_dialler();
	p = peer_accept();
	h = EXPECT(p, OFK_HELLO);
	assert_int_equal(p->msg.version, OF14);
	assert_false(h->has_bitmap);
	peer_close(p);
}

static void
hello_has_a_bitmap_when_the_header_cannot_say_it(void **state)
{
	const struct of_hello *h;
	struct peer *p;

	(void)state;
	t.conf.versions = V(OF10) | V(OF13);
	configure_dialler();
	p = peer_accept();
	h = EXPECT(p, OFK_HELLO);
	assert_int_equal(p->msg.version, OF13);
	assert_true(h->has_bitmap);
	assert_int_equal(h->versions, V(OF10) | V(OF13));
	peer_close(p);
}

static void
the_version_follows_from_both_hellos(void **state)
{
	static const struct {
		uint32_t ours;
		uint8_t header;         /* Theirs. */
		uint32_t bitmap;        /* 0: none. */
		uint8_t agreed;         /* 0: refused. */
	} rows[] = {
		{ 0, OF10, 0, OF10 },
		{ 0, OF11, 0, OF11 },
		{ 0, OF12, 0, OF12 },
		{ 0, OF13, 0, OF13 },
		{ 0, OF14, 0, OF14 },
		{ 0, OF15, 0, OF14 },
		{ 0, OF13, V(OF10) | V(OF13), OF13 },
		{ 0, OF15, V(OF10) | V(OF13) | V(OF15), OF13 },
		{ 0, OF15, V(OF10) | V(OF13) | V(OF14) | V(OF15), OF14 },
		{ 0, OF15, V(OF15), 0 },
		{ UP_TO(OF15), OF15, V(OF15), OF15 },
		{ V(OF15), OF15, V(OF15), OF15 },
		{ V(OF10), OF15, 0, OF10 },
		{ V(OF13), OF10, 0, 0 },
		{ V(OF13), OF14, 0, OF13 },
		{ V(OF10) | V(OF13), OF12, 0, 0 },
		{ V(OF10) | V(OF13), OF13, V(OF12) | V(OF10), OF10 },
		{ V(OF10) | V(OF13), OF13, V(OF12), 0 },
		{ UP_TO(OF14), 9, 0, OF14 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct of_hello h = { .versions = rows[i].bitmap ? rows[i].bitmap : UP_TO(rows[i].header),
				      .has_bitmap = rows[i].bitmap };
		struct peer *p;

		t.conf.versions = rows[i].ours;
		configure();
		p = peer_connect();
		EXPECT(p, OFK_HELLO);
		if (rows[i].header > OF15) {
			const uint8_t bare[8] = { rows[i].header, 0, 0, 8, 0, 0, 0, 5 };

			peer_put(p, bare, sizeof bare);
		} else {
			p->version = rows[i].header;
			peer_send(p, OFK_HELLO, 5, &h);
		}
		if (rows[i].agreed) {
			p->version = rows[i].agreed;
			EXPECT_NOTHING(p);
			assert_int_equal(info().i.version, rows[i].agreed);
		} else {
			const struct of_error_msg *e = EXPECT(p, OFK_ERROR);

			assert_int_equal(e->id, OFE_HFC_INCOMPATIBLE);
			assert_int_equal(p->msg.xid, 5);
			peer_expect_eof(p);
		}
		peer_close(p);
		UNTIL(!info().i.connected);
	}
}

static void
nothing_but_hello_is_said_before_the_peers(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = peer_connect();
	EXPECT(p, OFK_HELLO);
	p->version = OF10;
	peer_send(p, OFK_FEATURES_REQUEST, 1, NULL);
	/* Neither an answer nor an error. */
	assert_null(peer_next(p));
	peer_close(p);
}

static void
garbage_instead_of_hello_closes(void **state)
{
	uint8_t junk[4096];

	(void)state;
	configure();
	for (unsigned i = 0; i < 300; i++) {
		struct peer *p = peer_connect();

		for (size_t k = 0; k < sizeof junk; k++)
			junk[k] = (uint8_t)(hash_mix(i * 10007 + k) >> 7);
		/* Short enough to be there whole. */
		junk[2] &= 3;
		EXPECT(p, OFK_HELLO);
		peer_put(p, junk, sizeof junk);
		peer_expect_eof(p);
		peer_close(p);
	}
}

static void
a_second_hello_is_ignored(void **state)
{
	const struct of_hello h = { .versions = UP_TO(OF13) };
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	peer_send(p, OFK_HELLO, 2, &h);
	p->version = OF10;
	peer_send(p, OFK_HELLO, 3, &h);
	p->version = OF13;
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
hello_elements_of_any_kind_are_skipped(void **state)
{
	/* Type 7, 6 bytes and padding; then a bitmap of two words. */
	static const uint8_t hello[] = { 4, 0, 0, 28, 0, 0, 0, 1, 0, 7, 0, 6, 1, 2, 0, 0,
					 0, 1, 0, 12, 0, 0, 0, 0x12, 0, 0, 0, 1 };
	struct peer *p;

	(void)state;
	configure();
	p = peer_connect();
	EXPECT(p, OFK_HELLO);
	peer_put(p, hello, sizeof hello);
	p->version = OF13;
	EXPECT_NOTHING(p);
	peer_close(p);
}

static void
a_message_of_another_version_is_an_error(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = client(OF13);
	p->version = OF10;
	peer_send(p, OFK_FEATURES_REQUEST, 77, NULL);
	EXPECT_ERROR(p, OFE_BRC_BAD_VERSION, 77);
	assert_int_equal(p->msg.version, OF13);
	/* Echo is answered in any. */
	EXPECT_NOTHING(p);
	for (unsigned i = 0; i < 100; i++)
		peer_send(p, OFK_FEATURES_REQUEST, 77, NULL);
	peer_expect_eof(p);
	peer_close(p);
}

static void
a_version_that_is_disabled_is_closed(void **state)
{
	struct peer *p;

	(void)state;
	configure();
	p = client(OF10);
	t.conf.versions = V(OF13);
	configure();
	peer_expect_eof(p);
	peer_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_comes_at_once_without_a_bitmap, setup, teardown),
		cmocka_unit_test_setup_teardown(hello_has_a_bitmap_when_the_header_cannot_say_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_version_follows_from_both_hellos, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_but_hello_is_said_before_the_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_instead_of_hello_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_hello_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(hello_elements_of_any_kind_are_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_message_of_another_version_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_version_that_is_disabled_is_closed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
