/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes that rules of a table match a field by.  A look-up with a packet's value tells which lengths of prefix have
 * one that it matches, and how many of its bits were needed to know.
 *
 * One writer; readers at any time.  What a node says is changed a word at a time, such that any mix of old and new is
 * right for the readers of either; what cannot be, becomes a new node in the place of the old one, which is freed a
 * grace period later. */
#ifndef OFPROTO_CLS_TRIE_H
#define OFPROTO_CLS_TRIE_H

#include "ofproto/table_priv.h"

enum { TRIE_MAX_BITS = 128, TRIE_CHUNKS = 4 };

/* A value of up to 128 bits: host-order words, the first bit is the highest of w[0]. */
struct trie_value {
	uint32_t w[TRIE_CHUNKS];
};

/* What a walk found. */
struct trie_found {
	unsigned bits;                  /* Of the value that were looked at. */
	uint64_t lengths[2];            /* Bit i: a prefix of i + 1 bits matches. */
};

static inline bool
trie_has_length(const struct trie_found *f, unsigned plen)
{
	return f->lengths[(plen - 1) >> 6] >> ((plen - 1) & 63) & 1;
}

/* [lcore] 'root' refers to a node, and was read with acquire; 0: there are no prefixes. */
void trie_lookup(const struct of_pipe *, uint32_t root, const struct trie_value *, struct trie_found *);
void trie_nodes_fini(struct trie_nodes *);
/* [ctl] After the grace period. */
void trie_node_give(struct of_pipe *, uint32_t node);
/* Counts a prefix of 1 to 128 bits once more, or once less.  False: there is no room. */
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

/* [ctl] Which fields a subtable's mask has a prefix of. */
void cls_find_prefixes(struct cls_sub *, const struct oflow *mask);
/* [ctl] Adds a match to the tries of its fields, or takes it out. */
void cls_count_prefixes(struct of_pipe *, struct cls_sub *, const uint64_t *value, bool add);

#endif
