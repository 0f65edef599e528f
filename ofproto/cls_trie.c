/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes of a table; see cls_trie.h. */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

struct trie_node {
	uint32_t child[2];              /* Atomic: by the next bit, which is the first of the child's own. */
	uint32_t prefix;                /* [const] From the highest bit on. */
	uint32_t info;                  /* Atomic: prefixes that end here << 6 | bits of 'prefix', 0 to 32. */
};

_Static_assert(sizeof(struct trie_node) == 16, "two for each distinct address");

enum { MAX_NODES = 1 << 24 };

static inline struct trie_node *
at(const struct of_pipe *p, uint32_t idx)
{
	return &p->nodes.n[idx];
}

static inline unsigned
n_bits_of(const struct trie_node *n)
{
	return __atomic_load_n(&n->info, __ATOMIC_RELAXED) & 63;
}

static inline uint32_t
n_rules_of(const struct trie_node *n)
{
	return __atomic_load_n(&n->info, __ATOMIC_RELAXED) >> 6;
}

static inline uint32_t
child_of(const struct trie_node *n, unsigned bit)
{
	return __atomic_load_n(&n->child[bit], __ATOMIC_ACQUIRE);
}

/* 32 bits of the value from bit 'ofs' on; beyond its end, zeroes. */
static inline uint32_t
bits_at(const struct trie_value *v, unsigned ofs)
{
	unsigned i = ofs / 32, s = ofs % 32;
	uint32_t w = i < 4 ? v->w[i] << s : 0;

	return s && i + 1 < 4 ? w | v->w[i + 1] >> (32 - s) : w;
}

static inline uint32_t
top(unsigned n)
{
	return n ? UINT32_MAX << (32 - n) : 0;
}

static inline unsigned
common(uint32_t a, uint32_t b, unsigned most)
{
	uint32_t diff = a ^ b;
	unsigned n = diff ? (unsigned)__builtin_clz(diff) : 32;

	return MIN_OF(n, most);
}

/* --- Look-up ------------------------------------------------------------------------------------------- */

/* Of a field of up to 32 bits: the bits to come are shifted to the top on the way. */
static void
lookup_short(const struct of_pipe *p, uint32_t root, uint32_t v, unsigned n_bits, struct trie_found *f)
{
	const struct trie_node *n = NULL;
	uint64_t lengths = 0;
	unsigned ofs = 0;

	for (uint32_t i = root; i; i = child_of(n, v >> 31)) {
		uint32_t info, diff;
		unsigned len;

		n = at(p, i);
		info = __atomic_load_n(&n->info, __ATOMIC_RELAXED);
		len = info & 63;
		diff = (uint32_t)((uint64_t)(n->prefix ^ v) >> (32 - len));
		if (diff) {
			/* The first bit that differs was needed as well. */
			f->bits = ofs + len - (31u - (unsigned)__builtin_clz(diff));
			f->lengths[0] = lengths >> 1;
			return;
		}
		ofs += len;
		lengths |= (uint64_t)(info > 63) << ofs;
		if (ofs >= n_bits)
			break;
		v = (uint32_t)((uint64_t)v << len);
	}
	f->lengths[0] = lengths >> 1;
	/* At a dead end with another branch, the bit that leads there was needed. */
	f->bits = ofs < n_bits && n && (child_of(n, 0) || child_of(n, 1)) ? ofs + 1 : ofs;
}

static void
lookup_long(const struct of_pipe *p, uint32_t root, const struct trie_value *v, unsigned n_bits, struct trie_found *f)
{
	const struct trie_node *n = NULL;
	unsigned ofs = 0;

	f->lengths[0] = f->lengths[1] = 0;
	for (uint32_t i = root; i; i = child_of(n, bits_at(v, ofs) >> 31)) {
		unsigned len, same;

		n = at(p, i);
		len = n_bits_of(n);
		same = common(n->prefix, bits_at(v, ofs), len);
		ofs += same;
		if (same < len) {
			f->bits = ofs + 1;
			return;
		}
		if (ofs && n_rules_of(n))
			f->lengths[(ofs - 1) >> 6] |= (uint64_t)1 << ((ofs - 1) & 63);
		if (ofs >= n_bits)
			break;
	}
	f->bits = ofs < n_bits && n && (child_of(n, 0) || child_of(n, 1)) ? ofs + 1 : ofs;
}

void
trie_lookup(const struct of_pipe *p, uint32_t root, const struct trie_value *v, unsigned n_bits, struct trie_found *f)
{
	if (n_bits <= 32)
		lookup_short(p, root, v->w[0], n_bits, f);
	else
		lookup_long(p, root, v, n_bits, f);
}

/* --- Changes -------------------------------------------------------------------------------------------- */

static uint32_t
node_take(struct of_pipe *p)
{
	struct trie_nodes *s = &p->nodes;
	uint32_t idx = s->free;

	if (idx) {
		s->free = s->n[idx].child[0];
		s->n_free--;
		return idx;
	}
	/* 0 is none. */
	if (!s->n && (s->n = map_zeroed(MAX_NODES * sizeof *s->n)))
		s->n_used = 1;
	return s->n && s->n_used < MAX_NODES ? s->n_used++ : 0;
}

void
trie_node_give(struct of_pipe *p, uint32_t node)
{
	p->nodes.n[node].child[0] = p->nodes.free;
	p->nodes.free = node;
	p->nodes.n_free++;
}

void
trie_nodes_fini(struct trie_nodes *s)
{
	map_free(s->n, MAX_NODES * sizeof *s->n);
}

static uint32_t
node_make(struct of_pipe *p, uint32_t prefix, unsigned n_bits, uint32_t n_rules)
{
	uint32_t idx = node_take(p);

	if (idx)
		*at(p, idx) = (struct trie_node){ .prefix = prefix & top(n_bits), .info = n_rules << 6 | n_bits };
	return idx;
}

/* Nodes for what a value has from 'ofs' on. */
static uint32_t
branch(struct of_pipe *p, const struct trie_value *v, unsigned ofs, unsigned plen)
{
	unsigned n = MIN_OF(plen - ofs, 32u);
	uint32_t idx = node_make(p, bits_at(v, ofs), n, ofs + n == plen), rest;

	if (!idx || ofs + n == plen)
		return idx;
	rest = branch(p, v, ofs + n, plen);
	if (!rest) {
		trie_node_give(p, idx);
		return 0;
	}
	at(p, idx)->child[bits_at(v, ofs + n) >> 31] = rest;
	return idx;
}

/* The node at 'edge' becomes one of its first 'same' bits, with the rest of it below, and the new value beside. */
static bool
split(struct of_pipe *p, uint32_t *edge, unsigned same, const struct trie_value *v, unsigned ofs, unsigned plen)
{
	uint32_t old = *edge;
	const struct trie_node *o = at(p, old);
	uint32_t above = node_make(p, o->prefix, same, ofs == plen);
	uint32_t below = node_make(p, o->prefix << same, n_bits_of(o) - same, n_rules_of(o));
	uint32_t beside = ofs < plen ? branch(p, v, ofs, plen) : 0;

	if (!above || !below || (ofs < plen && !beside)) {
		if (above)
			trie_node_give(p, above);
		if (below)
			trie_node_give(p, below);
		return false;
	}
	at(p, below)->child[0] = o->child[0];
	at(p, below)->child[1] = o->child[1];
	at(p, above)->child[at(p, below)->prefix >> 31] = below;
	if (beside)
		at(p, above)->child[bits_at(v, ofs) >> 31] = beside;
	rcu_assign(*edge, above);
	pipe_retire_node(p, old);
	return true;
}

bool
trie_add(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen)
{
	uint32_t *edge = root;
	unsigned ofs = 0;

	while (*edge) {
		struct trie_node *n = at(p, *edge);
		unsigned same = common(n->prefix, bits_at(v, ofs), MIN_OF(n_bits_of(n), plen - ofs));

		ofs += same;
		if (same < n_bits_of(n))
			return split(p, edge, same, v, ofs, plen);
		if (ofs == plen) {
			__atomic_store_n(&n->info, n->info + (1 << 6), __ATOMIC_RELAXED);
			return true;
		}
		edge = &n->child[bits_at(v, ofs) >> 31];
	}
	{
		uint32_t new = branch(p, v, ofs, plen);

		if (new)
			rcu_assign(*edge, new);
		return new != 0;
	}
}

/* Takes a node out that says nothing any more.  True: its parent may be the next. */
static bool
prune(struct of_pipe *p, uint32_t *edge)
{
	uint32_t old = *edge, only, merged;
	const struct trie_node *n = at(p, old), *c;
	unsigned len = n_bits_of(n);

	if (n_rules_of(n) || (n->child[0] && n->child[1]))
		return false;
	only = n->child[0] | n->child[1];
	if (!only) {
		rcu_assign(*edge, 0);
		pipe_retire_node(p, old);
		return true;
	}
	c = at(p, only);
	if (len + n_bits_of(c) > 32)
		return false;
	merged = node_make(p, n->prefix | (len < 32 ? c->prefix >> len : 0), len + n_bits_of(c), n_rules_of(c));
	if (!merged)
		return false;
	at(p, merged)->child[0] = c->child[0];
	at(p, merged)->child[1] = c->child[1];
	rcu_assign(*edge, merged);
	pipe_retire_node(p, old);
	pipe_retire_node(p, only);
	return false;
}

void
trie_del(struct of_pipe *p, uint32_t *root, const struct trie_value *v, unsigned plen)
{
	uint32_t *edges[TRIE_MAX_BITS + 1];
	unsigned depth = 0, ofs = 0;
	struct trie_node *n;

	for (edges[0] = root;; edges[++depth] = &n->child[bits_at(v, ofs) >> 31]) {
		n = at(p, *edges[depth]);
		ofs += n_bits_of(n);
		if (ofs == plen)
			break;
	}
	__atomic_store_n(&n->info, n->info - (1 << 6), __ATOMIC_RELAXED);
	while (prune(p, edges[depth]) && depth)
		depth--;
}

/* --- Fields ------------------------------------------------------------------------------------------------ */

const struct trie_field trie_fields[CLS_N_TRIES] = {
	{ offsetof(struct oflow, nw_src), 32 },         /* ARP's addresses are there as well. */
	{ offsetof(struct oflow, nw_dst), 32 },
	{ offsetof(struct oflow, ipv6_src), 128 },
	{ offsetof(struct oflow, ipv6_dst), 128 },
	{ offsetof(struct oflow, tp_src), 16 },
	{ offsetof(struct oflow, tp_dst), 16 },
};

void
trie_value_of(const struct trie_field *f, const void *flow, struct trie_value *v)
{
	const uint8_t *b = (const uint8_t *)flow + f->ofs;

	if (f->bits == 16) {
		v->w[0] = (uint32_t)host16(load_be16(b)) << 16;
		v->w[1] = v->w[2] = v->w[3] = 0;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		v->w[i] = i * 32 < f->bits ? host32(load_be32(b + i * 4)) : 0;
}

void
trie_examine(const struct trie_field *f, void *mask, unsigned n)
{
	uint8_t *b = (uint8_t *)mask + f->ofs;

	if (f->bits == 16) {
		store_be16(b, load_be16(b) | be16((uint16_t)(top(n) >> 16)));
		return;
	}
	for (; n; b += 4) {
		unsigned some = MIN_OF(n, 32u);

		store_be32(b, load_be32(b) | be32(top(some)));
		n -= some;
	}
}

unsigned
trie_prefix_of(const struct trie_field *f, const struct oflow *mask)
{
	struct trie_value m;
	unsigned n = 0;

	trie_value_of(f, mask, &m);
	while (n < f->bits && bits_at(&m, n) >> 31)
		n++;
	for (unsigned i = n; i < f->bits; i++)
		if (bits_at(&m, i) >> 31)
			return 0;
	return n;
}
