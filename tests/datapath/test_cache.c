/* SPDX-License-Identifier: Apache-2.0 */
/* The flow cache against a naive model, on random keys, masks and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/act_store.h"
#include "datapath/cache.h"

static uint64_t rng = 0x9e3779b97f4a7c15ull;

static uint32_t
rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 32) % n;
}

static struct flow_key
full_mask(void)
{
	struct flow_key m;

	memset(&m, 0xff, sizeof m);
	return m;
}

static void
answer(struct xlate_out *out, uint16_t port)
{
	memset(out, 0, offsetof(struct xlate_out, acts));
	out->mask = full_mask();
	out->acts.n = 0;
	act_add(&out->acts, ACT_OUTPUT, port, 0);
}

static struct flow_key
random_key(void)
{
	struct flow_key k;

	memset(&k, 0, sizeof k);
	k.in_port = (uint16_t)(1 + rnd(3));
	k.dl_dst.b[5] = (uint8_t)rnd(8);
	k.dl_src.b[5] = (uint8_t)rnd(8);
	k.nw_src = rnd(16);
	k.tp_dst = (be16_t)rnd(4);
	k.ipv6_dst[15] = (uint8_t)rnd(2);
	return k;
}

static uint32_t
lookup(struct cache *c, const struct flow_key *k)
{
	const flow_block *b = (const flow_block *)k;

	return cache_lookup(c, k->in_port, &b[0], &b[1]);
}

static uint32_t
lookup_since(struct cache *c, uint64_t since, const struct flow_key *k)
{
	const flow_block *b = (const flow_block *)k;

	return cache_lookup_since(c, since, k->in_port, &b[0], &b[1]);
}

/* One of the masks a policy might need; every one has in_port. */
static void
pick_mask(struct flow_key *m, unsigned which)
{
	memset(m, 0, sizeof *m);
	m->in_port = 0xffff;
	memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
	if (which & 1)
		memset(&m->dl_src, 0xff, sizeof m->dl_src);
	if (which & 2)
		m->nw_src = 0xffffffff;
	if (which & 4)
		m->ipv6_dst[15] = 0xff;
}

static void
a_flow_is_found_by_any_key_that_its_mask_covers(void **state)
{
	struct flow_key key = { .in_port = 7, .nw_src = 5 }, all = full_mask(), k2;
	static struct xlate_out out;
	struct cache c;
	uint32_t f;

	(void)state;
	assert_int_equal(cache_init(&c, 64, 0), 0);
	answer(&out, 3);
	memset(&out.mask, 0, sizeof out.mask);
	memset(&out.mask.dl_src, 0xff, sizeof out.mask.dl_src);
	f = cache_insert(&c, &key, &all, &out, 1, 0);
	assert_int_not_equal(f, CACHE_NONE);
	assert_int_equal(c.flows[f].out_port, 3);
	k2 = key;
	k2.nw_src = 99;
	assert_int_equal(lookup(&c, &k2), f);
	k2.dl_src.b[0] = 1;
	assert_int_equal(lookup(&c, &k2), CACHE_NONE);
	k2 = key;
	k2.in_port = 8;
	assert_int_equal(lookup(&c, &k2), CACHE_NONE);
	cache_fini(&c);
}

static void
random_operations_agree_with_a_walk_over_all_flows(void **state)
{
	static struct xlate_out out;
	struct flow_key all = full_mask();
	struct cache c;

	(void)state;
	assert_int_equal(cache_init(&c, 300, 0), 0);
	for (unsigned step = 0; step < 200000; step++) {
		struct flow_key k = random_key();
		uint32_t f = lookup(&c, &k), slow = cache_find_slow(&c, &k);

		/* Flows may overlap: either answer is right, but both or none must exist. */
		assert_int_equal(f == CACHE_NONE, slow == CACHE_NONE);
		if (f != CACHE_NONE) {
			const flow_block *b = (const flow_block *)&k;

			assert_true(cache_match(&c, f, &b[0], &b[1]));
			if (rnd(4) == 0) {
				answer(&out, (uint16_t)(1 + rnd(9)));
				pick_mask(&out.mask, rnd(8));
				f = cache_update(&c, f, &k, &all, &out, step, step);
				assert_int_not_equal(f, CACHE_NONE);
				assert_int_equal(c.flows[f].out_port, out.acts.a[0].port);
			} else if (rnd(4) == 0) {
				cache_remove(&c, f);
			}
		} else {
			answer(&out, (uint16_t)(1 + rnd(9)));
			if (rnd(3) == 0)
				act_add(&out.acts, ACT_OUTPUT, (uint16_t)(1 + rnd(9)), 0);
			pick_mask(&out.mask, rnd(8));
			f = cache_insert(&c, &k, &all, &out, step, step);
			assert_int_not_equal(f, CACHE_NONE);
			assert_int_equal(c.flows[f].n_acts, out.acts.n);
			/* Found among the last ones as well, and not among those that came later. */
			assert_int_equal(lookup_since(&c, c.inserted - 1 - rnd(20), &k), f);
			assert_int_equal(lookup_since(&c, c.inserted, &k), CACHE_NONE);
			assert_int_equal(lookup_since(&c, UINT64_MAX, &k), f);
		}
		assert_true(c.n_flows <= 300);
		if (step % 20000 == 0)
			cache_flush(&c);
	}
	cache_flush(&c);
	assert_int_equal(c.n_flows, 0);
	assert_int_equal(act_store_count(c.acts), 0);
	for (uint32_t i = 0; i <= c.slot_mask; i++)
		assert_int_equal(c.slots[i].flow | c.tags[i], 0);
	for (uint32_t i = 0; i < CACHE_TAGS; i++)
		assert_int_equal(c.tags[c.slot_mask + 1 + i], 0);
	for (uint32_t i = 0; i < c.n_masks; i++)
		assert_int_equal(c.masks[i].n_flows, 0);
	cache_fini(&c);
}

static void
a_port_uses_at_most_its_number_of_masks(void **state)
{
	static struct xlate_out out;
	struct flow_key all = full_mask();
	struct cache c;

	(void)state;
	assert_int_equal(cache_init(&c, 4096, 0), 0);
	for (unsigned i = 0; i < 2000; i++) {
		struct flow_key k = { .in_port = 1, .nw_src = i, .nw_dst = i * 7 };

		answer(&out, 2);
		memset(&out.mask, 0, sizeof out.mask);
		out.mask.nw_src = be32(0xffffffffu << (i % 30));
		out.mask.nw_dst = 0xffffffff >> (i % 29);
		if (lookup(&c, &k) == CACHE_NONE)
			assert_int_not_equal(cache_insert(&c, &k, &all, &out, 1, i), CACHE_NONE);
		assert_int_not_equal(lookup(&c, &k), CACHE_NONE);
		assert_true(c.ports[1].n <= CACHE_PORT_MASKS);
	}
	assert_int_equal(c.ports[1].n, CACHE_PORT_MASKS);
	cache_fini(&c);
}

/* Bits of a prefix of an address. */
static unsigned
bits(const void *mask, unsigned len)
{
	const uint8_t *m = mask;
	unsigned n = 0;

	for (unsigned i = 0; i < len; i++)
		n += (unsigned)__builtin_popcount(m[i]);
	return n;
}

static void
prefixes_are_rounded_to_coarser_steps_the_more_masks_there_are(void **state)
{
	static const struct {
		unsigned masks, step;
	} want[] = { { 4, 1 }, { 10, 4 }, { 16, 8 }, { CACHE_PORT_MASKS - 1, 16 } };
	static struct xlate_out out;
	struct flow_key all = full_mask();
	struct cache c;

	(void)state;
	assert_int_equal(cache_init(&c, 4096, 0), 0);
	for (unsigned i = 0; i < 4000; i++) {
		struct flow_key k = { .in_port = 1, .nw_src = rnd(UINT32_MAX), .nw_dst = rnd(UINT32_MAX) }, mask;
		unsigned src = 1 + rnd(32), dst = rnd(33), tp = rnd(17), six = rnd(129), before = c.ports[1].n, step = 0;
		uint32_t f;

		answer(&out, 2);
		memset(&out.mask, 0, sizeof out.mask);
		out.mask.nw_src = be32(0xffffffffu << (32 - src));
		out.mask.nw_dst = be32(dst ? 0xffffffffu << (32 - dst) : 0);
		out.mask.tp_dst = be16((uint16_t)(0xffffu << (16 - tp)));
		for (unsigned b = 0; b < six; b++)
			out.mask.ipv6_dst[b / 8] |= (uint8_t)(0x80 >> b % 8);
		/* Not a prefix: it is left alone. */
		out.mask.dl_src.b[3] = 0x55;
		out.mask.nw_ttl = 0x3f;
		f = cache_insert(&c, &k, &all, &out, 1, i);
		assert_int_not_equal(f, CACHE_NONE);
		cache_flow_key(&c, f, &k, &mask);
		for (unsigned w = 0; w < sizeof mask; w++)
			assert_int_equal(((uint8_t *)&out.mask)[w] & ~((uint8_t *)&mask)[w], 0);
		if (c.ports[1].n == before || mask.dl_src.b[3] == 0xff)
			continue;
		assert_int_equal(mask.dl_src.b[3], 0x55);
		assert_int_equal(mask.nw_ttl, 0x3f);
		for (unsigned w = 0; !step; w++)
			step = before < want[w].masks ? want[w].step : 0;
		assert_int_equal(bits(&mask.nw_src, 4), (src + step - 1) / step * step);
		assert_int_equal(bits(&mask.nw_dst, 4), (dst + step - 1) / step * step);
		assert_int_equal(bits(&mask.tp_dst, 2), (tp + step - 1) / step * step);
		step = step > 1 ? step * 4 : 1;
		assert_int_equal(bits(mask.ipv6_dst, 16), (six + step - 1) / step * step);
	}
	assert_int_equal(c.ports[1].n, CACHE_PORT_MASKS);
	cache_fini(&c);
}

/* Rules may come and go: a flow keeps its place while its mask is one that the answer may have, and no longer. */
static void
a_rounded_flow_is_updated_in_place(void **state)
{
	static struct xlate_out out;
	struct flow_key all = full_mask(), k = { .in_port = 1, .nw_src = be32(0x0a010203) };
	struct cache c;
	uint32_t f;

	(void)state;
	assert_int_equal(cache_init(&c, 4096, 0), 0);
	for (unsigned i = 0; i < 6; i++) {
		answer(&out, 2);
		memset(&out.mask, 0, sizeof out.mask);
		out.mask.nw_src = be32(0xffffffffu << (31 - i));
		f = cache_insert(&c, &k, &all, &out, 1, 0);
	}
	/* 27, then 26: both are 28 by now. */
	assert_int_equal(c.ports[1].n, 5);
	assert_int_equal(cache_update(&c, f, &k, &all, &out, 2, 0), f);
	assert_int_equal(c.n_flows, 6);
	out.mask.nw_src = be32(0xff000000);
	out.acts.a[0].port = 9;
	f = cache_update(&c, f, &k, &all, &out, 3, 0);
	assert_int_equal(c.flows[f].out_port, 9);
	cache_flow_key(&c, f, &k, &all);
	assert_int_equal(all.nw_src, be32(0xff000000));
	cache_fini(&c);
}

static void
tags_are_compared_as_by_plain_code(void **state)
{
	uint8_t t[CACHE_TAGS + 3];

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		for (unsigned i = 0; i < sizeof t; i++)
			t[i] = (uint8_t)(rnd(2) ? rnd(4) : 252 + rnd(4));
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(cache_tags(t + i, t[n % CACHE_TAGS]), cache_tags_plain(t + i, t[n % CACHE_TAGS]));
	}
}

static void
the_longest_unused_flow_is_evicted_when_the_cache_is_full(void **state)
{
	static struct xlate_out out;
	struct flow_key all = full_mask();
	struct cache c;

	(void)state;
	assert_int_equal(cache_init(&c, 32, 0), 0);
	for (unsigned i = 0; i < 32; i++) {
		struct flow_key k = { .in_port = 1, .nw_src = i };

		answer(&out, 2);
		assert_int_not_equal(cache_insert(&c, &k, &all, &out, 1, 100 + i), CACHE_NONE);
	}
	struct flow_key k = { .in_port = 1, .nw_src = 1000 }, oldest = { .in_port = 1, .nw_src = 0 };

	assert_int_not_equal(cache_insert(&c, &k, &all, &out, 1, 200), CACHE_NONE);
	assert_int_equal(c.n_flows, 32);
	assert_int_equal(c.evicted, 1);
	assert_int_equal(lookup(&c, &oldest), CACHE_NONE);
	assert_int_not_equal(lookup(&c, &k), CACHE_NONE);
	cache_fini(&c);
}

/* Flows that differ in all there is, with programs and references of their own: whatever comes, memory stays within what was
 * given, and new flows go on to find room. */
static void
all_that_flows_need_stays_within_the_bytes_given(void **state)
{
	static const uint64_t mib[] = { 16, 17, 25, 64, 100, 1000, 4096 };
	static struct xlate_out out;
	struct flow_key all = full_mask();
	unsigned refused = 0;
	struct cache c;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(mib); i++) {
		assert_int_equal(cache_init(&c, 0, mib[i] << 20), 0);
		assert_in_range(cache_bytes(&c) + (c.hints.max - c.hints.n) * sizeof *c.hints.bucket,
				c.max_flows == CACHE_MAX_FLOWS ? 0 : (mib[i] << 20) * 3 / 4, mib[i] << 20);
		/* Hints, programs and all: bytes a flow. */
		assert_true(c.max_flows == CACHE_MAX_FLOWS || (mib[i] << 20) / c.max_flows < (mib[i] < 30 ? 900 : 600));
		cache_fini(&c);
		assert_int_equal(cache_init(&c, 1024, mib[i] << 20), 0);
		assert_int_equal(c.max_flows, 1024);
		cache_fini(&c);
	}
	assert_int_equal(cache_init(&c, 0, CACHE_BYTES_MIN), 0);
	for (unsigned i = 1; i < 60000; i++) {
		struct flow_key k = { .in_port = (uint16_t)(1 + i % 8), .nw_src = i };

		answer(&out, 2);
		act_add(&out.acts, ACT_PUSH_VLAN, 0, i);
		act_add(&out.acts, ACT_OUTPUT, 3, 0);
		out.n_refs = 30;
		for (unsigned r = 0; r < 30; r++)
			out.refs[r] = i * 100 + r;
		refused += cache_insert(&c, &k, &all, &out, 1, i) == CACHE_NONE;
		assert_true(c.n_flows <= c.max_flows);
	}
	assert_int_equal(refused, 0);
	assert_true(c.evicted > 1000 && c.n_flows > 1000);
	cache_flush(&c);
	assert_int_equal(act_store_count(c.acts) + act_store_count(c.refs), 0);
	cache_fini(&c);
}

static void
equal_programs_are_stored_once(void **state)
{
	struct act_store *s = act_store_create(1000);
	struct act a[3] = { { .op = ACT_PUSH_VLAN, .arg = 5 }, { .op = ACT_OUTPUT, .port = 1 }, { .op = ACT_OUTPUT, .port = 2 } };
	uint32_t x = act_store_get(s, a, 3), y = act_store_get(s, a, 3), z = act_store_get(s, a, 2);

	(void)state;
	assert_int_equal(x, y);
	assert_int_not_equal(x, z);
	assert_int_equal(act_store_count(s), 2);
	act_store_put(s, x);
	assert_int_equal(act_store_count(s), 2);
	act_store_put(s, y);
	act_store_put(s, z);
	assert_int_equal(act_store_count(s), 0);
	act_store_destroy(s);
}

static void
a_full_action_store_refuses_and_recovers(void **state)
{
	struct act_store *s = act_store_create(100);
	uint32_t at[100], n = 0;
	struct act a = { .op = ACT_OUTPUT };

	(void)state;
	for (a.port = 1; (at[n] = act_store_get(s, &a, 1)) != 0; a.port++)
		n++;
	assert_int_equal(n, 33);
	act_store_put(s, at[5]);
	assert_int_not_equal(act_store_get(s, &a, 1), 0);
	act_store_destroy(s);
}

/* What short programs took is there for long ones once they are gone, and the other way round. */
static void
room_in_the_action_store_is_for_programs_of_any_length(void **state)
{
	enum { WORDS = 100000 };
	static const uint16_t len[] = { 1, 2048, 7, 100, 1, 16, 500, 2 };
	struct act_store *s = act_store_create(WORDS);
	static uint32_t at[WORDS];
	static struct act a[ACT_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(len); i++) {
		unsigned block = 2, n = 0;

		while (block - 2 < len[i])
			block = block == 2 ? 3 : (block - 2) * 2 + 2;
		for (a[0].arg = 0; (at[n] = act_store_get(s, a, len[i])) != 0; a[0].arg++)
			n++;
		/* What is lost at the ends of slabs is little. */
		assert_in_range(n, WORDS / block * 93 / 100, WORDS / block);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(act_store_at(s, at[k])->arg, k);
		for (unsigned k = 0; k < n; k++)
			act_store_put(s, at[n - 1 - k]);
		assert_int_equal(act_store_count(s), 0);
	}
	act_store_destroy(s);
}

static void
random_programs_come_back_as_they_were(void **state)
{
	struct act_store *s = act_store_create(16 * 4160);
	static struct act a[ACT_MAX];
	static struct {
		uint32_t at, id;
		uint16_t n;
	} held[500];
	unsigned full = 0;

	(void)state;
	for (unsigned step = 0; step < 100000; step++) {
		unsigned i = rnd(ARRAY_SIZE(held));

		if (held[i].at) {
			const struct act *got = act_store_at(s, held[i].at);

			assert_int_equal(got[0].arg, held[i].id);
			assert_int_equal(got[held[i].n - 1].port, held[i].n == 1 ? got[0].port : held[i].n);
			act_store_put(s, held[i].at);
			held[i].at = 0;
			continue;
		}
		held[i].n = (uint16_t)(1 + rnd(1u << rnd(12)));
		held[i].id = rnd(300);
		memset(a, 0, held[i].n * sizeof a[0]);
		a[held[i].n - 1].port = held[i].n;
		a[0].arg = held[i].id;
		held[i].at = act_store_get(s, a, held[i].n);
		full += !held[i].at;
	}
	assert_in_range(full, 1, 50000);
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++)
		act_store_put(s, held[i].at);
	assert_int_equal(act_store_count(s), 0);
	act_store_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_by_any_key_that_its_mask_covers),
		cmocka_unit_test(random_operations_agree_with_a_walk_over_all_flows),
		cmocka_unit_test(a_port_uses_at_most_its_number_of_masks),
		cmocka_unit_test(prefixes_are_rounded_to_coarser_steps_the_more_masks_there_are),
		cmocka_unit_test(a_rounded_flow_is_updated_in_place),
		cmocka_unit_test(tags_are_compared_as_by_plain_code),
		cmocka_unit_test(the_longest_unused_flow_is_evicted_when_the_cache_is_full),
		cmocka_unit_test(all_that_flows_need_stays_within_the_bytes_given),
		cmocka_unit_test(equal_programs_are_stored_once),
		cmocka_unit_test(a_full_action_store_refuses_and_recovers),
		cmocka_unit_test(room_in_the_action_store_is_for_programs_of_any_length),
		cmocka_unit_test(random_programs_come_back_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
