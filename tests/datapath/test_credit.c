/* SPDX-License-Identifier: Apache-2.0 */
/* Counts that follow those of cached flows, and what views share. */
#include "execenv.h"

static void
counts_are_credited_by_the_sweep_and_by_a_fold(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);
	uint64_t before;

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->n_refs[4] = 2;
	r->refs[4][0] = 7;
	r->refs[4][1] = 9;
	set_rules(r);
	before = clock_ms();
	fold();                         /* A turn has its time from its beginning: let the one end that has an older time. */
	for (unsigned i = 0; i < 5; i++) {
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	fold();
	assert_int_equal(ctr_read(&counted[7].packets), 5);
	assert_int_equal(ctr_read(&counted[9].packets), 5);
	assert_int_equal(ctr_read(&counted[9].bytes), 5 * f.n);
	assert_true(counted[9].used_ms + 5 >= before && counted[9].used_ms <= clock_ms());
	/* Only what is new. */
	fold();
	assert_int_equal(ctr_read(&counted[7].packets), 5);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	for (uint64_t end = clock_ms() + 5000; clock_ms() < end; poll(NULL, 0, 5))
		if (ctr_read(&counted[7].packets) == 6)
			break;
	assert_int_equal(ctr_read(&counted[7].packets), 6);
}

/* The sweep stops after 20 us, however many flows have become due while the thread slept. */
static void
the_sweep_takes_little_of_a_turn(void **state)
{
	enum { FLOWS = 300, US_EACH = 5 };
	struct rules *r = new_rules();
	struct fb f = udp_frame(5);
	struct dp_lcore_stats s;

	(void)state;
	act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
	r->n_refs[5] = 1;
	r->refs[5][0] = 7;
	set_rules(r);
	memset(&paced, 0, sizeof paced);
	__atomic_store_n(&paced.us, US_EACH, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < FLOWS; i++) {
		f.b[10] = (uint8_t)(i >> 8);
		f.b[11] = (uint8_t)i;
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	dp_lcore_stats(dp, 0, &s);
	assert_int_equal(s.upcalls, FLOWS);
	for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end; control_once())
		if (ctr_read(&counted[7].packets) == FLOWS)
			break;
	__atomic_store_n(&paced.us, 0, __ATOMIC_RELEASE);
	assert_int_equal(ctr_read(&counted[7].packets), FLOWS);
	assert_in_range(__atomic_load_n(&paced.most, __ATOMIC_ACQUIRE), 1, 20 / US_EACH + 1);
}

static void
what_was_counted_before_a_new_answer_goes_to_the_old_refs(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		if (i > 1) {
			struct rules *next = new_rules();

			*next = *r;
			r = next;
		}
		r->acts[0].n = 0;
		act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
		r->n_refs[4] = 1;
		r->refs[4][0] = i;
		dp_set_xlate_view(dp, r, free);
		dp_tag_changed(dp, dp_tag_make(TAG_TABLE, 4));
		commit();
		for (unsigned n = 0; n < i; n++) {
			send(1, &f);
			assert_comes(2, f.b, f.n);
		}
	}
	/* Three answers were replaced, and the last one's counts are still with its flow. */
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(ctr_read(&counted[i].packets), i);
	dp_flow_flush(dp);
	fold();
	assert_int_equal(ctr_read(&counted[4].packets), 4);
}

static void
a_translator_that_goes_away_is_not_called(void **state)
{
	struct rules *r = new_rules();
	struct fb f = udp_frame(4);

	(void)state;
	act_add(&r->acts[0], ACT_OUTPUT, 2, 0);
	r->n_refs[4] = 1;
	r->refs[4][0] = 1;
	set_rules(r);
	send(1, &f);
	assert_comes(2, f.b, f.n);
	dp_set_xlate_view(dp, NULL, NULL);
	commit();
	dp_flow_flush(dp);
	fold();
}

/* Upcalls that frames of two sources to one destination cause. */
static uint64_t
upcalls_of_two_sources(void)
{
	struct dp_lcore_stats a, b;
	struct fb f = udp_frame(1);

	dp_flow_flush(dp);
	fold();
	dp_lcore_stats(dp, 0, &a);
	for (unsigned i = 0; i < 2; i++) {
		f.b[11] = (uint8_t)i;
		send(1, &f);
		assert_comes(2, f.b, f.n);
	}
	dp_lcore_stats(dp, 0, &b);
	return b.upcalls - a.upcalls;
}

/* The table of ports is kept from view to view while they are the same. */
static void
masks_of_ports_are_those_of_the_last_view(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct rules *r = new_rules();

		act_add(&r->acts[1], ACT_OUTPUT, 2, 0);
		r->no_source = i & 2;
		/* Told or not. */
		r->version = i < 4 ? 0 : 1 + i / 2;
		set_rules(r);
		assert_int_equal(upcalls_of_two_sources(), r->no_source ? 1 : 2);
	}
}

/* Random traffic from two ports over two threads and a cache that is too small, while rules change: no packet
 * is counted twice, or not at all. */
static void
every_packet_is_credited_exactly_once(void **state)
{
	static uint64_t want[N_OBJECTS + 1], bytes[N_OBJECTS + 1];
	uint64_t x = hash_random_seed(), total = 0;
	struct rules *r = NULL;
	bool folded = true;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)x);
	memset(want, 0, sizeof want);
	memset(bytes, 0, sizeof bytes);
	for (unsigned round = 0; round < 60; round++) {
		struct rules *next = new_rules();
		unsigned n = 0;

		if (r)
			*next = *r;
		r = next;
		for (unsigned i = 0; i < 4; i++) {
			r->acts[i].n = 0;
			x = hash_mix(x + 1);
			if (x & 1)
				act_add(&r->acts[i], ACT_PUSH_VLAN, 0, 0x81000001);
			if (x & 6)
				act_add(&r->acts[i], ACT_OUTPUT, 2, 0);
			else
				r->acts[i].n = 0;
		}
		for (unsigned i = 0; i < 256; i++) {
			x = hash_mix(x + 1);
			r->n_refs[i] = 1 + x % 3;
			for (unsigned k = 0; k < r->n_refs[i]; k++)
				r->refs[i][k] = 1 + (x >> (8 + 8 * k)) % N_OBJECTS;
			r->no_cache[i] = x >> 40 & 7 ? 0 : 1;
		}
		dp_set_xlate_view(dp, r, free);
		for (unsigned i = 0; i < 8; i++)
			dp_tag_changed(dp, dp_tag_make(TAG_TABLE, i));
		commit();
		for (; n < 120; n++) {
			struct fb f = udp_frame((uint8_t)((x = hash_mix(x + 1)) >> 8));
			uint8_t which = f.b[5];

			f.b[11] = (uint8_t)(x >> 16 & 15);
			send(x >> 20 & 1 ? 1 : 3, &f);
			total++;
			for (unsigned k = 0; k < r->n_refs[which]; k++) {
				want[r->refs[which][k]]++;
				bytes[r->refs[which][k]] += f.n;
			}
			if (!(x >> 24 & 63))
				dp_flow_flush(dp);
			if (!(x >> 32 & 63) && folded) {
				folded = false;
				dp_fold(dp, set_flag, &folded);
			}
		}
		/* All of them taken before the rules change. */
		for (uint64_t end = clock_ms() + WAIT_MS; clock_ms() < end;) {
			struct dp_lcore_stats s;
			uint64_t got = 0;
			uint8_t b[2048];

			for (unsigned i = 0; i < dp_n_lcores(dp); i++) {
				dp_lcore_stats(dp, i, &s);
				got += s.packets;
			}
			while (mem_port_recv(port[2], b, sizeof b, 0))
				;
			control_once();
			if (got >= total)
				break;
		}
		/* And the turns that took them are over. */
		fold();
	}
	control_until(&folded);
	fold();
	for (unsigned i = 1; i <= N_OBJECTS; i++) {
		assert_int_equal(ctr_read(&counted[i].packets), want[i]);
		assert_int_equal(ctr_read(&counted[i].bytes), bytes[i]);
	}
}

static int
setup_small(void **state)
{
	int rc;

	max_flows = 64;
	n_lcores = 2;
	rc = setup(state);
	max_flows = 1024;
	n_lcores = 1;
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(counts_are_credited_by_the_sweep_and_by_a_fold),
		T(the_sweep_takes_little_of_a_turn),
		T(what_was_counted_before_a_new_answer_goes_to_the_old_refs),
		T(a_translator_that_goes_away_is_not_called),
		T(masks_of_ports_are_those_of_the_last_view),
		cmocka_unit_test_setup_teardown(every_packet_is_credited_exactly_once, setup_small, teardown),
	};

	mem_eal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
