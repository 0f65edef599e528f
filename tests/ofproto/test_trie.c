/* SPDX-License-Identifier: Apache-2.0 */
/* The prefixes of a table against a list of them. */
#include "tests/ofproto/ofsim.h"

#include "ofproto/cls_trie.h"

enum { N = 400, N_STEPS = 6000 };

struct prefix {
	struct trie_value v;
	unsigned plen;
	unsigned n;                     /* How often it was added. */
};

/* --- What it should be ------------------------------------------------------------------------------ */

/* The first bit in which they differ; TRIE_MAX_BITS: none. */
static unsigned
first_difference(const struct trie_value *a, const struct trie_value *b)
{
	for (unsigned i = 0; i < TRIE_CHUNKS; i++)
		if (a->w[i] != b->w[i])
			return i * 32 + (unsigned)__builtin_clz(a->w[i] ^ b->w[i]);
	return TRIE_MAX_BITS;
}

static void
naive_lookup(const struct prefix *x, unsigned n, const struct trie_value *v, struct trie_found *f)
{
	memset(f, 0, sizeof *f);
	for (unsigned i = 0; i < n; i++) {
		unsigned same = first_difference(&x[i].v, v), plen = x[i].plen;

		if (!x[i].n)
			continue;
		if (same >= plen)
			f->lengths[(plen - 1) / 64] |= (uint64_t)1 << (plen - 1) % 64;
		f->bits = MAX_OF(f->bits, MIN_OF(plen, same + 1));
	}
}

static void
assert_same(const struct of_pipe *p, uint32_t root, const struct prefix *x, unsigned n, const struct trie_value *v)
{
	struct trie_found is, want;

	naive_lookup(x, n, v, &want);
	trie_lookup(p, root, v, &is);
	assert_int_equal(is.bits, want.bits);
	assert_int_equal(is.lengths[0], want.lengths[0]);
	assert_int_equal(is.lengths[1], want.lengths[1]);
}

/* --- Values that have something in common -------------------------------------------------------------- */

static void
cut(struct trie_value *v, unsigned plen)
{
	for (unsigned i = 0; i < TRIE_CHUNKS; i++)
		v->w[i] &= plen >= (i + 1) * 32 ? UINT32_MAX : plen <= i * 32 ? 0 : UINT32_MAX << ((i + 1) * 32 - plen);
}

/* Near another one, more or less. */
static void
random_value(const struct prefix *x, unsigned n, unsigned bits, struct trie_value *v)
{
	unsigned from = rnd(bits);

	*v = x[rnd(n)].v;
	for (unsigned i = from; i < bits; i++)
		if (!rnd(from > bits - 10 || !rnd(3) ? 2 : 12))
			v->w[i / 32] ^= 0x80000000u >> i % 32;
}

static bool
is_new(const struct prefix *x, unsigned n, const struct trie_value *v, unsigned plen)
{
	for (unsigned i = 0; i < n; i++)
		if (x[i].n && x[i].plen == plen && first_difference(&x[i].v, v) == TRIE_MAX_BITS)
			return false;
	return true;
}

static void
publish(struct of_pipe *p)
{
	p->dirty = true;
	of_pipe_publish(p, NULL);
}

/* Comes and goes, with phases in which more comes and such in which more goes. */
static void
churn(unsigned bits, unsigned exact)
{
	static struct prefix x[N];
	struct of_pipe *p = pipe_new();
	uint32_t root = 0;

	memset(x, 0, sizeof x);
	for (unsigned step = 0; step < N_STEPS; step++) {
		struct prefix *one = &x[rnd(N)];
		bool grows = step % 2000 < 1200;
		struct trie_value v;

		if (one->n && rnd(4) >= (grows ? 3 : 1)) {
			trie_del(p, &root, &one->v, one->plen);
			one->n--;
		} else if (one->n) {
			assert_true(trie_add(p, &root, &one->v, one->plen));
			one->n++;
		} else if (grows || !rnd(4)) {
			unsigned plen = rnd(100) < exact ? bits : 1 + rnd(bits);

			random_value(x, N, bits, &v);
			cut(&v, plen);
			if (!is_new(x, N, &v, plen))
				continue;
			*one = (struct prefix){ v, plen, 1 };
			assert_true(trie_add(p, &root, &v, plen));
		}
		random_value(x, N, bits, &v);
		assert_same(p, root, x, N, &v);
		if (!rnd(10))
			publish(p);
	}
	for (unsigned i = 0; i < N; i++)
		for (; x[i].n; x[i].n--)
			trie_del(p, &root, &x[i].v, x[i].plen);
	assert_int_equal(root, 0);
	of_pipe_destroy(p);
}

static void
ports_are_kept_like_in_a_list(void **state)
{
	(void)state;
	churn(16, 50);
	churn(16, 100);
}

static void
addresses_are_kept_like_in_a_list(void **state)
{
	(void)state;
	churn(32, 0);
	churn(32, 60);
	churn(32, 100);
}

static void
long_addresses_are_kept_like_in_a_list(void **state)
{
	(void)state;
	churn(128, 0);
	churn(128, 70);
}

/* --- Room -------------------------------------------------------------------------------------------------- */

static void
what_is_gone_makes_room_for_others(void **state)
{
	enum { SOME = 5000 };
	struct of_pipe *p = pipe_new();
	uint32_t root = 0, full = 0;

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < SOME; i++)
			trie_add(p, &root, &(struct trie_value){ { hash_mix(i) & UINT32_MAX, i } }, 64);
		publish(p);
		if (!round)
			full = p->nodes.n_used;
		for (uint32_t i = 0; i < SOME; i++)
			trie_del(p, &root, &(struct trie_value){ { hash_mix(i) & UINT32_MAX, i } }, 64);
		publish(p);
		publish(p);
	}
	assert_int_equal(root, 0);
	/* Other than that, what waits for a grace period at most. */
	assert_true(p->nodes.n_used < 3 * full);
	of_pipe_destroy(p);
}

/* All prefixes of a value, and all values behind them: nothing has room for more. */
static void
a_tree_may_be_full(void **state)
{
	struct of_pipe *p = pipe_new();
	struct prefix x[8 + 256];
	uint32_t root = 0;
	unsigned n = 0;

	(void)state;
	for (unsigned plen = 25; plen <= 32; plen++)
		x[n++] = (struct prefix){ { { 0xffffffff } }, plen, 1 };
	for (unsigned i = 0; i < 256; i++)
		x[n++] = (struct prefix){ { { 0xffffff00 | i, 5 } }, 64, 1 };
	for (unsigned i = 0; i < n; i++) {
		cut(&x[i].v, x[i].plen);
		assert_true(trie_add(p, &root, &x[i].v, x[i].plen));
	}
	for (unsigned i = 0; i < 256; i++) {
		assert_same(p, root, x, n, &(struct trie_value){ { 0xffffff00 | i, 5 } });
		assert_same(p, root, x, n, &(struct trie_value){ { 0xffffff00 | i, 4 } });
		assert_same(p, root, x, n, &(struct trie_value){ { 0xffff0000 | i, 5 } });
	}
	of_pipe_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_kept_like_in_a_list),
		cmocka_unit_test(addresses_are_kept_like_in_a_list),
		cmocka_unit_test(long_addresses_are_kept_like_in_a_list),
		cmocka_unit_test(what_is_gone_makes_room_for_others),
		cmocka_unit_test(a_tree_may_be_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
