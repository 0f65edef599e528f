/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC table against a naive one, and under the eyes of a reader that runs at the same time. */
#include <pthread.h>

#include "tests/ofproto/sim.h"

#include "base/ctr.h"
#include "base/hash.h"
#include "ofproto/fdb.h"

static uint64_t seed = 42;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 16) % n;
}

static struct fdb_row_info
row_of(uint16_t vid, unsigned mac, uint16_t port)
{
	return (struct fdb_row_info){ .vid = vid, .mac = sim_mac(mac), .port = port };
}

/* --- The naive table: one place for each address ----------------------------------------------- */

enum { N_VID = 3, N_MAC = 120, LIMIT = 200 };

struct naive {
	bool there;
	struct fdb_row_info row;
	uint32_t index;
};

static void
assert_same(const struct fdb *f, struct naive (*n)[N_MAC])
{
	uint32_t n_rows = 0, n_static = 0, n_port[8] = { 0 };
	struct fdb_counts c;
	struct fdb_row_info info;
	struct fdb_entry e;

	for (uint16_t v = 0; v < N_VID; v++) {
		for (unsigned m = 0; m < N_MAC; m++) {
			bool there = fdb_find(f, v, sim_mac(m), &e);

			assert_int_equal(there, n[v][m].there);
			if (!there)
				continue;
			assert_int_equal(e.row, n[v][m].index);
			assert_int_equal(e.port, n[v][m].row.port);
			assert_int_equal(e.tun_dst, n[v][m].row.tun_dst);
			assert_int_equal(e.is_static, n[v][m].row.is_static);
			assert_true(fdb_row(f, e.row, &info));
			assert_int_equal(info.vid, v);
			assert_true(mac_equal(info.mac, sim_mac(m)));
			assert_int_equal(info.moves, n[v][m].row.moves);
			n_rows++;
			n_static += e.is_static;
			n_port[e.port] += !e.is_static;
		}
	}
	fdb_counts(f, &c);
	assert_int_equal(c.n, n_rows);
	assert_int_equal(c.n_static, n_static);
	assert_int_equal(fdb_is_full(f), n_rows == LIMIT);
	for (uint16_t p = 0; p < 8; p++)
		assert_int_equal(fdb_n_port(f, p), n_port[p]);
}

static void
random_edits_agree_with_a_naive_table(void **state)
{
	static struct naive naive[N_VID][N_MAC];
	struct fdb *f = fdb_create(LIMIT);
	uint32_t n = 0;

	(void)state;
	memset(naive, 0, sizeof naive);
	for (unsigned i = 0; i < 20000; i++) {
		uint16_t v = (uint16_t)rnd(N_VID);
		unsigned m = rnd(N_MAC);
		struct naive *x = &naive[v][m];
		bool is_static = !rnd(5);
		uint16_t port = (uint16_t)rnd(8);
		uint32_t dst = rnd(3);

		if (!x->there) {
			x->row = (struct fdb_row_info){ .vid = v, .mac = sim_mac(m), .port = port,
							.tun_dst = dst, .is_static = is_static };
			x->index = fdb_add(f, &x->row);
			assert_int_equal(x->index != 0, n < LIMIT);
			x->there = x->index;
			n += x->there;
		} else if (rnd(2)) {
			fdb_move(f, x->index, port, dst, is_static);
			x->row.moves += port != x->row.port || dst != x->row.tun_dst;
			x->row.port = port;
			x->row.tun_dst = dst;
			x->row.is_static = is_static;
		} else {
			fdb_del(f, x->index);
			x->there = false;
			n--;
		}
		if (i % 100 == 0)
			assert_same(f, naive);
	}
	assert_same(f, naive);
	fdb_put(f);
}

static void
a_full_table_takes_no_more(void **state)
{
	struct fdb *f = fdb_create(1);
	struct fdb_row_info a = row_of(0, 1, 1), b = row_of(0, 2, 1);
	uint32_t row = fdb_add(f, &a);

	(void)state;
	assert_int_not_equal(row, 0);
	assert_true(fdb_is_full(f));
	assert_int_equal(fdb_add(f, &b), 0);
	fdb_del(f, row);
	assert_false(fdb_is_full(f));
	assert_int_not_equal(fdb_add(f, &b), 0);
	fdb_put(f);
}

static void
the_same_address_in_two_vlans_is_two_rows(void **state)
{
	struct fdb *f = fdb_create(10);
	struct fdb_row_info a = row_of(1, 1, 1), b = row_of(2, 1, 2);
	struct fdb_entry e;

	(void)state;
	fdb_add(f, &a);
	fdb_add(f, &b);
	assert_true(fdb_find(f, 1, sim_mac(1), &e));
	assert_int_equal(e.port, 1);
	assert_true(fdb_find(f, 2, sim_mac(1), &e));
	assert_int_equal(e.port, 2);
	assert_false(fdb_find(f, 3, sim_mac(1), &e));
	fdb_put(f);
}

static void
a_stale_handle_touches_nothing(void **state)
{
	struct fdb *f = fdb_create(1);
	struct fdb_row_info a = row_of(5, 1, 1), b = row_of(5, 2, 1), info;
	struct fdb_entry e;
	uint16_t vid;
	struct mac mac;

	(void)state;
	fdb_add(f, &a);
	assert_true(fdb_find(f, 5, sim_mac(1), &e));
	assert_true(fdb_touch(f, e.row, e.gen, 1234, &vid, &mac));
	assert_int_equal(vid, 5);
	assert_true(mac_equal(mac, sim_mac(1)));
	assert_true(fdb_row(f, e.row, &info));
	assert_int_equal(info.used_ms, 1234);

	fdb_del(f, e.row);
	assert_false(fdb_touch(f, e.row, e.gen, 1, &vid, &mac));
	assert_int_equal(fdb_add(f, &b), e.row);
	assert_false(fdb_touch(f, e.row, e.gen, 1, &vid, &mac));
	assert_false(fdb_touch(f, 0, 0, 1, &vid, &mac));
	assert_false(fdb_touch(f, 2, e.gen, 1, &vid, &mac));
	assert_false(fdb_touch(f, ~0u, e.gen, 1, &vid, &mac));
	fdb_put(f);
}

static void
a_million_rows_fit(void **state)
{
	struct fdb *f = fdb_create(FDB_LIMIT_MAX);
	struct fdb_entry e;

	(void)state;
	for (uint32_t i = 0; i < FDB_LIMIT_MAX; i++) {
		struct fdb_row_info r = { .vid = 1, .port = 1 };

		r.mac = (struct mac){ { 2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		assert_int_equal(fdb_add(f, &r), i + 1);
	}
	assert_true(fdb_is_full(f));
	assert_true(fdb_find(f, 1, (struct mac){ { 2, 0, 0, 0xf, 0xff, 0xff } }, &e));
	assert_int_equal(e.row, FDB_LIMIT_MAX);
	assert_false(fdb_find(f, 2, (struct mac){ { 2, 0, 0, 0xf, 0xff, 0xff } }, &e));
	fdb_put(f);
}

/* --- A reader beside the writer ---------------------------------------------------------------- */

/* Stations 0..STABLE-1 are always there, on port 1 or 2, destination equal to the port.  The others come and
 * go on port 3, destination their number. */
enum { STABLE = 8, ALL = 40, MAX_ROWS = 24 };

struct shared {
	struct fdb *f;
	uint64_t stop, n_reads, n_wrong, n_missed;
};

static void *
reader(void *arg)
{
	struct shared *s = arg;
	uint64_t r = 7;

	while (!ctr_read(&s->stop)) {
		struct fdb_entry e;
		uint16_t vid;
		struct mac mac;
		unsigned m;

		r = hash_mix(r + 1);
		m = (unsigned)(r % ALL);
		if (!fdb_find(s->f, 1, sim_mac(m), &e)) {
			ctr_add(&s->n_missed, m < STABLE);
		} else if (m < STABLE) {
			ctr_add(&s->n_wrong, (e.port != 1 && e.port != 2) || e.tun_dst != e.port);
			fdb_touch(s->f, e.row, e.gen, 1, &vid, &mac);
		} else {
			ctr_add(&s->n_wrong, e.port != 3 || e.tun_dst != m);
		}
		ctr_add(&s->n_reads, 1);
	}
	return NULL;
}

static void
a_reader_never_misses_a_row_that_is_there(void **state)
{
	struct shared s = { .f = fdb_create(MAX_ROWS) };
	uint32_t row[ALL] = { 0 };
	pthread_t t;

	(void)state;
	for (unsigned m = 0; m < STABLE; m++) {
		struct fdb_row_info r = row_of(1, m, 1);

		r.tun_dst = 1;
		row[m] = fdb_add(s.f, &r);
	}
	assert_int_equal(pthread_create(&t, NULL, reader, &s), 0);
	/* At least so many edits, and until the reader was seen to work beside them. */
	for (unsigned i = 0; i < 200000 || ctr_read(&s.n_reads) < 10000; i++) {
		unsigned m = rnd(ALL);

		if (m < STABLE) {
			uint16_t port = (uint16_t)(1 + rnd(2));

			fdb_move(s.f, row[m], port, port, false);
		} else if (row[m]) {
			fdb_del(s.f, row[m]);
			row[m] = 0;
		} else {
			struct fdb_row_info r = row_of(1, m, 3);

			r.tun_dst = m;
			row[m] = fdb_add(s.f, &r);
		}
	}
	ctr_set(&s.stop, 1);
	pthread_join(t, NULL);
	assert_int_equal(s.n_missed, 0);
	assert_int_equal(s.n_wrong, 0);
	fdb_put(s.f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_edits_agree_with_a_naive_table),
		cmocka_unit_test(a_full_table_takes_no_more),
		cmocka_unit_test(the_same_address_in_two_vlans_is_two_rows),
		cmocka_unit_test(a_stale_handle_touches_nothing),
		cmocka_unit_test(a_million_rows_fit),
		cmocka_unit_test(a_reader_never_misses_a_row_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
