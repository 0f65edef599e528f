/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes of a table; see cls_trie.h.
 *
 * A value is taken in chunks of 32 bits, and each chunk has a tree of its own.  Its leaves are lists of up to 16 entries,
 * in no order: such are searched faster than a tree is descended, since all of one is in two cache lines.  A list that
 * is full becomes a fork by the next 4 bits, with shorter lists below it.  A fork keeps the prefixes that end within its
 * 4 bits itself.  What is longer than a chunk goes on in the tree that an entry for all of the chunk refers to.
 *
 * An entry is value << 32 | (length - 1) << 26 | how often, or value << 32 | GOES_ON | reference; 0: free. */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

enum {
	MAX_UNITS = 1 << 24,            /* Of 16 bytes. */
	LIST_MAX = 16,
	FORK_BITS = 4,
	FORK_N = 1 << FORK_BITS,
	COUNT_BITS = 26,
	GOES_ON_LEN = 33,               /* Longer than what ends in the chunk. */
};
#define GOES_ON 0x80000000u

/* Kinds of nodes, in the low bits of references.  Lists of 2, 4, 8 and 16 entries come first. */
enum { KIND_BITS = 3, LIST_2 = 0, LIST_16 = 3, FORK = 4, FORK_ENDS = 5 };
_Static_assert((int)FORK_ENDS < (int)TRIE_KINDS, "a list of free ones for each");
_Static_assert((uint64_t)MAX_UNITS << KIND_BITS <= GOES_ON, "a reference leaves the highest bit");
_Static_assert((uint64_t)OF_MAX_RULES * 8 < 1u << COUNT_BITS, "no count runs over");

struct fork {
	uint32_t child[FORK_N];         /* Atomic: by the next bits. */
	uint64_t end[LIST_MAX];         /* Atomic.  Of FORK_ENDS only: prefixes that end here; there are no more than 15. */
};

static inline void *
at(const struct of_pipe *p, uint32_t ref)
{
	return (uint8_t *)p->nodes.mem + (size_t)(ref >> KIND_BITS) * 16;
}

static inline unsigned
kind_of(uint32_t ref)
{
	return ref & ((1 << KIND_BITS) - 1);
}

static inline unsigned
list_len(unsigned kind)
{
	return 2u << kind;
}

static inline uint32_t
top(unsigned n)
{
	return n ? UINT32_MAX << (32 - n) : 0;
}

static inline unsigned
branch_of(uint32_t value, unsigned depth)
{
	return value >> (32 - FORK_BITS - depth) & (FORK_N - 1);
}

/* --- Look-up ------------------------------------------------------------------------------------------- */

/* What a list says of a value.  Reference to what goes on from there, or 0. */
static inline uint32_t
lookup_list(const uint64_t *list, unsigned n, uint32_t v, unsigned base, struct trie_found *f)
{
	unsigned bits = f->bits;
	uint32_t on = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t e = __atomic_load_n(&list[i], __ATOMIC_ACQUIRE);
		unsigned len = e & GOES_ON ? 32 : ((unsigned)e >> COUNT_BITS) + 1;
		uint32_t diff = ((uint32_t)(e >> 32) ^ v) >> (32 - len);

		if (!e)
			continue;
		if (diff) {
			/* The first bit that differs was needed as well. */
			len -= 31u - (unsigned)__builtin_clz(diff);
		} else if (e & GOES_ON) {
			on = (uint32_t)e & ~GOES_ON;
		} else {
			f->lengths[(base + len - 1) >> 6] |= (uint64_t)1 << ((base + len - 1) & 63);
		}
		bits = MAX_OF(bits, base + len);
	}
	f->bits = bits;
	return on;
}

/* How many bits of a branch that is not there tell it from those that are; 0: there are none. */
static unsigned
bits_to_tell(const struct fork *k, unsigned branch)
{
	unsigned nearest = FORK_N;

	for (unsigned i = 0; i < FORK_N; i++)
		if (__atomic_load_n(&k->child[i], __ATOMIC_RELAXED))
			nearest = MIN_OF(nearest, i ^ branch);
	return nearest && nearest < FORK_N ? (unsigned)__builtin_clz(nearest) - (32 - FORK_BITS) + 1 : 0;
}

static uint32_t
lookup_chunk(const struct of_pipe *p, uint32_t ref, uint32_t v, unsigned base, struct trie_found *f)
{
	unsigned depth = 0;

	while (kind_of(ref) >= FORK) {
		const struct fork *k = at(p, ref);
		unsigned branch = branch_of(v, depth);

		if (kind_of(ref) == FORK_ENDS)
			lookup_list(k->end, LIST_MAX, v, base, f);
		ref = __atomic_load_n(&k->child[branch], __ATOMIC_ACQUIRE);
		if (!ref) {
			unsigned n = bits_to_tell(k, branch);

			f->bits = n ? MAX_OF(f->bits, base + depth + n) : f->bits;
			return 0;
		}
		/* That tells it from all other branches: a list may be found empty that is about to go. */
		depth += FORK_BITS;
		f->bits = MAX_OF(f->bits, base + depth);
	}
	return lookup_list(at(p, ref), list_len(kind_of(ref)), v, base, f);
}

void
trie_lookup(const struct of_pipe *p, uint32_t root, const struct trie_value *v, struct trie_found *f)
{
	f->bits = 0;
	f->lengths[0] = f->lengths[1] = 0;
	for (unsigned c = 0; root && c < TRIE_CHUNKS; c++)
		root = lookup_chunk(p, root, v->w[c], c * 32, f);
}

/* --- Nodes ---------------------------------------------------------------------------------------------- */

static unsigned
n_units(unsigned kind)
{
	return kind <= LIST_16 ? 1u << kind : kind == FORK ? 4 : 12;
}

/* Memory of whole cache lines, so that no list of up to 8 entries and no fork's branches lie across two.  0: none. */
static uint32_t
units_take(struct trie_nodes *s, unsigned n)
{
	uint32_t first;

	/* Number 0 is none. */
	if (!s->mem && (s->mem = map_zeroed((size_t)MAX_UNITS * 16)))
		s->n_used = 4;
	if (!s->mem || s->n_used + n > MAX_UNITS)
		return 0;
	first = s->n_used;
	s->n_used += n;
	return first;
}

/* Zeroed.  0: there is no room. */
static uint32_t
node_take(struct of_pipe *p, unsigned kind)
{
	struct trie_nodes *s = &p->nodes;
	unsigned n = n_units(kind);
	uint32_t ref = s->free[kind], unit;

	if (ref) {
		s->free[kind] = *(uint32_t *)at(p, ref);
		memset(at(p, ref), 0, n * 16u);
		return ref;
	}
	unit = units_take(s, MAX_OF(n, 4u));
	if (!unit)
		return 0;
	for (unsigned i = n; i < 4; i += n)
		trie_node_give(p, (unit + i) << KIND_BITS | kind);
	return unit << KIND_BITS | kind;
}

void
trie_node_give(struct of_pipe *p, uint32_t node)
{
	*(uint32_t *)at(p, node) = p->nodes.free[kind_of(node)];
	p->nodes.free[kind_of(node)] = node;
}

void
trie_nodes_fini(struct trie_nodes *s)
{
	map_free(s->mem, (size_t)MAX_UNITS * 16);
}

/* Gives back a node that nobody has seen, with those below it, but not those that its entries refer to. */
static void
discard(struct of_pipe *p, uint32_t ref)
{
	const struct fork *k = at(p, ref);

	for (unsigned i = 0; kind_of(ref) >= FORK && i < FORK_N; i++)
		if (k->child[i])
			discard(p, k->child[i]);
	if (ref)
		trie_node_give(p, ref);
}

/* --- Entries -------------------------------------------------------------------------------------------- */

static inline unsigned
entry_len(uint64_t e)
{
	return e & GOES_ON ? GOES_ON_LEN : ((unsigned)e >> COUNT_BITS) + 1;
}

/* The bits that name an entry of this sort.  None of the other sort has the same ones. */
static inline uint64_t
key_mask(uint64_t e)
{
	return ~(uint64_t)(e & GOES_ON ? GOES_ON - 1 : (1u << COUNT_BITS) - 1);
}

/* The entry of a prefix's chunk 'c', which is counted once if it ends there. */
static inline uint64_t
entry_of(const struct trie_value *v, unsigned plen, unsigned c)
{
	unsigned len = plen - c * 32;

	if (len > 32)
		return (uint64_t)v->w[c] << 32 | GOES_ON;
	return (uint64_t)(v->w[c] & top(len)) << 32 | (uint64_t)(len - 1) << COUNT_BITS | 1;
}

/* A tree of entries that agree in their first 'depth' bits: at most one more than a list holds.  0: there is no room. */
static uint32_t
build(struct of_pipe *p, const uint64_t *e, unsigned n, unsigned depth)
{
	uint64_t below[FORK_N][LIST_MAX + 1], ends[LIST_MAX];
	unsigned n_below[FORK_N] = { 0 }, n_ends = 0, kind = LIST_2;
	struct fork *k;
	uint32_t ref;

	if (n <= LIST_MAX) {
		while (list_len(kind) < n)
			kind++;
		ref = node_take(p, kind);
		if (ref)
			memcpy(at(p, ref), e, n * sizeof *e);
		return ref;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned b = branch_of((uint32_t)(e[i] >> 32), depth);

		if (entry_len(e[i]) < depth + FORK_BITS)
			ends[n_ends++] = e[i];
		else
			below[b][n_below[b]++] = e[i];
	}
	ref = node_take(p, n_ends ? FORK_ENDS : FORK);
	if (!ref)
		return 0;
	k = at(p, ref);
	if (n_ends)
		memcpy(k->end, ends, n_ends * sizeof ends[0]);
	for (unsigned b = 0; b < FORK_N; b++) {
		if (!n_below[b])
			continue;
		k->child[b] = build(p, below[b], n_below[b], depth + FORK_BITS);
		if (!k->child[b]) {
			discard(p, ref);
			return 0;
		}
	}
	return ref;
}

/* --- Where an entry stands --------------------------------------------------------------------------------- */

enum { PATH_MAX_LEN = 32 / FORK_BITS + 1 };

struct spot {
	uint32_t *edge[PATH_MAX_LEN];   /* On the way, from the root on. */
	unsigned n_edges;
	unsigned depth;
	uint64_t *list;                 /* NULL: it is to be made. */
	unsigned n;                     /* Its size. */
	uint64_t *hit, *free;           /* In the list; NULL: none. */
};

static void
locate(const struct of_pipe *p, uint32_t *root, uint64_t e, struct spot *s)
{
	uint64_t mask = key_mask(e);
	unsigned len = entry_len(e);
	uint32_t *edge = root;

	s->n_edges = s->depth = s->n = 0;
	s->list = s->hit = s->free = NULL;
	for (;; s->depth += FORK_BITS) {
		struct fork *k;

		s->edge[s->n_edges++] = edge;
		if (kind_of(*edge) < FORK) {
			s->n = *edge ? list_len(kind_of(*edge)) : 0;
			s->list = *edge ? at(p, *edge) : NULL;
			break;
		}
		k = at(p, *edge);
		if (len < s->depth + FORK_BITS) {
			s->n = kind_of(*edge) == FORK_ENDS ? LIST_MAX : 0;
			s->list = s->n ? k->end : NULL;
			break;
		}
		edge = &k->child[branch_of((uint32_t)(e >> 32), s->depth)];
	}
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->list[i])
			s->free = &s->list[i];
		else if (!((s->list[i] ^ e) & mask))
			s->hit = &s->list[i];
	}
}

static inline void
set_entry(uint64_t *at, uint64_t e)
{
	__atomic_store_n(at, e, __ATOMIC_RELEASE);
}

/* Puts another node, or none, in the place of the one at an edge. */
static void
replace(struct of_pipe *p, uint32_t *edge, uint32_t new)
{
	uint32_t old = *edge;

	rcu_assign(*edge, new);
	if (old)
		pipe_retire_node(p, old);
}

/* What a list holds, without what is free. */
static unsigned
entries_of(const uint64_t *list, unsigned n, uint64_t *out)
{
	unsigned some = 0;

	for (unsigned i = 0; i < n; i++)
		if (list[i])
			out[some++] = list[i];
	return some;
}

/* Adds an entry where it was not found. */
static bool
insert(struct of_pipe *p, const struct spot *s, uint64_t e)
{
	uint32_t *edge = s->edge[s->n_edges - 1], new;
	uint64_t all[LIST_MAX + 1];
	unsigned n;

	if (s->free) {
		set_entry(s->free, e);
		return true;
	}
	if (kind_of(*edge) == FORK) {
		new = node_take(p, FORK_ENDS);
		if (new) {
			struct fork *k = at(p, new);

			memcpy(k->child, at(p, *edge), sizeof k->child);
			k->end[0] = e;
		}
	} else {
		n = entries_of(s->list, s->n, all);
		all[n++] = e;
		new = build(p, all, n, s->depth);
	}
	if (new)
		replace(p, edge, new);
	return new != 0;
}

/* --- Changes -------------------------------------------------------------------------------------------- */

/* A fork that has nothing to tell apart any more is replaced by what is left.  True: it was, so its parent may be next. */
static bool
prune_fork(struct of_pipe *p, uint32_t *edge)
{
	const struct fork *k = at(p, *edge);
	uint64_t ends[LIST_MAX];
	unsigned n_ends = kind_of(*edge) == FORK_ENDS ? entries_of(k->end, LIST_MAX, ends) : 0, n = 0;
	uint32_t last = 0;

	for (unsigned i = 0; i < FORK_N; i++) {
		n += k->child[i] != 0;
		last = k->child[i] ? k->child[i] : last;
	}
	if (n_ends ? n > 0 : n > 1 || kind_of(last) >= FORK)
		return false;
	/* Entries bear the whole chunk: a list is right at any depth. */
	if (n_ends)
		last = build(p, ends, n_ends, 0);
	if (n_ends && !last)
		return false;
	replace(p, edge, last);
	return true;
}

/* Makes good after an entry of the list was taken out. */
static void
prune(struct of_pipe *p, const struct spot *s)
{
	unsigned i = s->n_edges - 1;
	uint64_t left[LIST_MAX];
	unsigned n = entries_of(s->list, s->n, left);
	uint32_t smaller;

	if (kind_of(*s->edge[i]) < FORK) {
		if (n) {
			smaller = n <= s->n / 4 ? build(p, left, n, s->depth) : 0;
			if (smaller)
				replace(p, s->edge[i], smaller);
			return;
		}
		replace(p, s->edge[i], 0);
		if (!i--)
			return;
	}
	while (prune_fork(p, s->edge[i]) && i)
		i--;
}

static void
del_chunk(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen, unsigned c)
{
	uint64_t e = entry_of(v, plen, c);
	struct spot s;

	locate(p, root, e, &s);
	if (e & GOES_ON) {
		uint32_t was = (uint32_t)*s.hit & ~GOES_ON, on = was;

		del_chunk(p, &on, v, plen, c + 1);
		if (on == was)
			return;
		set_entry(s.hit, on ? e | on : 0);
		if (on)
			return;
	} else if (*s.hit != e) {
		set_entry(s.hit, *s.hit - 1);
		return;
	} else {
		set_entry(s.hit, 0);
	}
	prune(p, &s);
}

void
trie_del(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen)
{
	del_chunk(p, root, v, plen, 0);
}

static bool
add_chunk(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen, unsigned c)
{
	uint64_t e = entry_of(v, plen, c);
	struct spot s;
	uint32_t on, was;

	locate(p, root, e, &s);
	if (!(e & GOES_ON)) {
		if (!s.hit)
			return insert(p, &s, e);
		set_entry(s.hit, *s.hit + 1);
		return true;
	}
	on = was = s.hit ? (uint32_t)*s.hit & ~GOES_ON : 0;
	if (!add_chunk(p, &on, v, plen, c + 1))
		return false;
	if (s.hit) {
		if (on != was)
			set_entry(s.hit, e | on);
		return true;
	}
	if (insert(p, &s, e | on))
		return true;
	del_chunk(p, &on, v, plen, c + 1);
	return false;
}

bool
trie_add(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen)
{
	return add_chunk(p, root, v, plen, 0);
}
