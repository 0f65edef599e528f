/* SPDX-License-Identifier: Apache-2.0 */
/* The hash tables of subtables: rule numbers by hash, and multisets of hashes.  Open addressing, linear probing; one
 * writer, readers at any time; see cls.h. */
#include "ofproto/cls_hash.h"

enum { MIN_SIZE = 4, GONE = -1 };

static uint32_t
size_for(uint32_t n)
{
	uint32_t size = MIN_SIZE;

	while (size * 2ull < n * 3ull + 1)
		size *= 2;
	return size;
}

static bool
is_full(uint32_t mask, uint32_t n_used)
{
	return (n_used + 1) * 4ull > (mask + 1) * 3ull;
}

/* --- Numbers by hash ----------------------------------------------------------------------------- */

static struct cls_index *
index_create(struct of_pipe *p, uint32_t size)
{
	struct cls_index *ix = xcalloc(1, sizeof *ix + size * sizeof ix->e[0]);

	ix->mask = size - 1;
	p->sub_bytes += sizeof *ix + size * sizeof ix->e[0];
	return ix;
}

static void
index_put(struct cls_index *ix, uint32_t hash, uint32_t idx)
{
	uint32_t i = hash & ix->mask;

	while (ix->e[i] && (uint32_t)ix->e[i] != (uint32_t)GONE)
		i = (i + 1) & ix->mask;
	if (!ix->e[i])
		ix->n_used++;
	__atomic_store_n(&ix->e[i], (uint64_t)hash << 32 | idx, __ATOMIC_RELEASE);
}

void
cls_index_add(struct of_pipe *p, struct cls_index **slot, uint32_t n_live, uint32_t hash, uint32_t idx)
{
	struct cls_index *ix = *slot, *new;

	if (!ix || is_full(ix->mask, ix->n_used)) {
		/* Room for half as many again: what is copied each time is paid for by what was added since. */
		new = index_create(p, size_for(n_live + 1));
		for (uint32_t i = 0; ix && i <= ix->mask; i++)
			if (ix->e[i] && (uint32_t)ix->e[i] != (uint32_t)GONE)
				index_put(new, (uint32_t)(ix->e[i] >> 32), (uint32_t)ix->e[i]);
		index_put(new, hash, idx);
		rcu_assign(*slot, new);
		cls_index_free(p, ix);
		return;
	}
	index_put(ix, hash, idx);
}

void
cls_index_free(struct of_pipe *p, struct cls_index *ix)
{
	if (!ix)
		return;
	p->sub_bytes -= sizeof *ix + (ix->mask + 1ull) * sizeof ix->e[0];
	pipe_retire(p, ix);
}

void
cls_index_replace(struct cls_index *ix, uint32_t hash, uint32_t old, uint32_t idx)
{
	uint64_t e = (uint64_t)hash << 32 | old;
	uint32_t i = hash & ix->mask;

	while (ix->e[i] != e)
		i = (i + 1) & ix->mask;
	if (idx)
		e = (uint64_t)hash << 32 | idx;
	else if (!ix->e[(i + 1) & ix->mask])
		e = 0, ix->n_used--;    /* Nobody looks on from here. */
	else
		e |= (uint32_t)GONE;
	__atomic_store_n(&ix->e[i], e, __ATOMIC_RELEASE);
}

/* --- Multisets of hashes ------------------------------------------------------------------------- */

/* An entry whose count is 0 stays until the next growth; the empty entry has hash and count 0, so hash 0 is kept as 1. */
static uint64_t *
set_slot(struct cls_set *s, uint32_t hash)
{
	uint32_t i = hash & s->mask;

	while (s->e[i] && (uint32_t)(s->e[i] >> 32) != hash)
		i = (i + 1) & s->mask;
	return &s->e[i];
}

static struct cls_set *
set_grow(struct of_pipe *p, const struct cls_set *old)
{
	uint32_t n = 0, size;
	struct cls_set *s;

	for (uint32_t i = 0; old && i <= old->mask; i++)
		n += (uint32_t)old->e[i] > 0;
	size = size_for(n + 1);
	s = xcalloc(1, sizeof *s + size * sizeof s->e[0]);
	p->sub_bytes += sizeof *s + size * sizeof s->e[0];
	s->mask = size - 1;
	s->n_used = n;
	for (uint32_t i = 0; old && i <= old->mask; i++)
		if ((uint32_t)old->e[i])
			*set_slot(s, (uint32_t)(old->e[i] >> 32)) = old->e[i];
	return s;
}

void
cls_set_add(struct of_pipe *p, struct cls_set **slot, uint32_t hash)
{
	struct cls_set *s = *slot;
	uint64_t *e;

	hash += !hash;
	if (!s || is_full(s->mask, s->n_used)) {
		struct cls_set *new = set_grow(p, s);

		rcu_assign(*slot, new);
		cls_set_free(p, s);
		s = new;
	}
	e = set_slot(s, hash);
	s->n_used += !*e;
	__atomic_store_n(e, (*e ? *e : (uint64_t)hash << 32) + 1, __ATOMIC_RELEASE);
}

void
cls_set_del(struct cls_set *s, uint32_t hash)
{
	uint64_t *e = set_slot(s, hash + !hash);

	__atomic_store_n(e, *e - 1, __ATOMIC_RELEASE);
}

void
cls_set_free(struct of_pipe *p, struct cls_set *s)
{
	if (!s)
		return;
	p->sub_bytes -= sizeof *s + (s->mask + 1ull) * sizeof s->e[0];
	pipe_retire(p, s);
}
