/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes that rules of a table match a field by, as a binary tree whose edges bear runs of bits.  Walking down with a
 * packet's value tells which lengths of prefix have one that it matches, and how many of its bits were needed to know.
 *
 * One writer; readers at any time.  Nodes are never changed but for their edges and counts: what else changes is a new
 * node in the place of the old one, which is freed a grace period later. */
#ifndef OFPROTO_CLS_TRIE_H
#define OFPROTO_CLS_TRIE_H

#include "ofproto/table_priv.h"

enum { TRIE_MAX_BITS = 128 };

/* A value of up to 128 bits: host-order words, the first bit is the highest of w[0]. */
struct trie_value {
	uint32_t w[4];
};

/* What a walk found. */
struct trie_found {
	unsigned bits;                  /* Of the value that were looked at. */
	uint64_t lengths[2];            /* Bit i: a prefix of i + 1 bits matches.  Of a field of up to 32 bits only [0]. */
};

static inline bool
trie_has_length(const struct trie_found *f, unsigned plen)
{
	return f->lengths[(plen - 1) >> 6] >> ((plen - 1) & 63) & 1;
}

/* [lcore] 'root' is a number of a node, read with acquire. */
void trie_lookup(const struct of_pipe *, uint32_t root, const struct trie_value *, unsigned n_bits, struct trie_found *);
void trie_nodes_fini(struct trie_nodes *);
/* [ctl] After the grace period. */
void trie_node_give(struct of_pipe *, uint32_t node);
/* Counts a prefix of 1 to 128 bits once more, or once less.  False: there are no nodes left. */
bool trie_add(struct of_pipe *, uint32_t *root, const struct trie_value *, unsigned plen);
void trie_del(struct of_pipe *, uint32_t *root, const struct trie_value *, unsigned plen);

/* --- Fields that have one ---------------------------------------------------------------------------- */

struct trie_field {
	uint16_t ofs;                   /* In struct oflow. */
	uint8_t bits;
};
extern const struct trie_field trie_fields[CLS_N_TRIES];

void trie_value_of(const struct trie_field *, const void *flow, struct trie_value *);
/* Adds the first 'n' bits of a field to a mask. */
void trie_examine(const struct trie_field *, void *mask, unsigned n);
/* The length of a mask that is a prefix; 0: it is none, or nothing. */
unsigned trie_prefix_of(const struct trie_field *, const struct oflow *mask);

#endif
