/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier of one table: which rule matches?  Private to the pipeline's state (table_priv.h).
 *
 * Tuple space: rules with the same mask share a subtable, a hash table of their match words.  Subtables are looked
 * at in order of the highest priority in them, and no further than one that cannot beat what was found.  Within a
 * subtable the look-up goes by the stages of struct oflow and stops at the first one that no rule has, so that an
 * answer examines no more than it needs to.  Where a subtable has nothing for a packet, the prefixes of the table's
 * rules (cls_trie.h) may tell the same by fewer bits.
 *
 * One writer, readers that take no lock: subtables' hash tables are arrays of 64-bit entries (hash and number of the
 * rule), replaced as a whole when they grow.  A reader may meet rules of other versions than its own and passes them
 * by; what it meets stays in memory for a grace period after it was unlinked. */
#ifndef OFPROTO_CLS_H
#define OFPROTO_CLS_H

#include "ofproto/rule.h"

struct of_pipe;
struct of_lookup_watch;

/* A match in compact form. */
struct cls_key {
	uint64_t map;                   /* Words of struct oflow that the mask has bits in. */
	unsigned n;
	uint32_t mask_hash;
	uint64_t value[OFLOW_WORDS], mask[OFLOW_WORDS];
};

/* Numbers of rules by hash.  An entry is hash << 32 | number; 0: free; number 0xffffffff: was deleted. */
struct cls_index {
	uint32_t mask;                  /* Entries - 1. */
	uint32_t n_used;                /* [ctl] Deleted ones included. */
	uint64_t e[];
};

/* A multiset of hashes: hash << 32 | how often. */
struct cls_set {
	uint32_t mask;
	uint32_t n_used;
	uint64_t e[];
};

/* Fields whose prefixes are kept in tries: see cls_trie.h. */
enum { CLS_N_TRIES = 6 };

struct cls_sub {
	uint64_t map;
	uint8_t n;                      /* Words. */
	uint8_t last;                   /* The last stage that has words. */
	uint8_t end[OFLOW_STAGES];      /* Words up to the end of each stage. */
	uint8_t table;
	uint8_t tries;                  /* Fields with a prefix: bit i... */
	uint8_t at[CLS_N_TRIES];        /* ...and where their words begin in 'mask'. */
	uint8_t plen[CLS_N_TRIES];      /* Length of the prefix it matches a field by; 0: otherwise, or not at all. */
	struct cls_index *index;        /* [rcu] */
	struct cls_set *set[OFLOW_STAGES - 1];  /* [rcu] What rules have up to a stage; NULL: nothing is gained by asking. */
	/* [ctl] from here on. */
	uint32_t mask_hash;
	uint32_t n_refs;                /* Rules in memory. */
	uint32_t n_heads, n_rules;      /* Distinct matches; rules linked. */
	uint32_t n_max;                 /* Rules of max_prio. */
	uint16_t max_prio;              /* At least that of any rule. */
	uint32_t n_gone;                /* Unlinked since max_prio was last made exact. */
	struct cls_sub *next;           /* Of the table. */
	struct cls_sub *chain;          /* Of the table's hash of masks. */
	/* [const] 'n' words of mask, then 'n' numbers of words. */
	uint64_t mask[];
};

static inline const uint8_t *
cls_words(const struct cls_sub *s)
{
	return (const uint8_t *)&s->mask[s->n];
}

/* Subtables with rules, highest priority first. */
struct cls_vec {
	uint32_t n;
	struct {
		uint32_t max_prio;
		struct cls_sub *sub;
	} e[];
};

/* A table's subtables. */
struct cls {
	struct cls_vec *vec;            /* [rcu] */
	uint32_t trie[CLS_N_TRIES];     /* [rcu] Roots, of pipe's nodes. */
	uint8_t tries_off;              /* Atomic.  Bit i: there was no room for all, so it tells nothing. */
	/* [ctl] from here on. */
	struct cls_sub *subs;
	struct cls_sub **by_mask;
	uint32_t n_subs, n_buckets;
	bool stale;                     /* 'vec' is to be made anew before the next publication. */
};

void cls_key_init(struct cls_key *, const struct omatch *);
struct cls_sub *cls_sub_find(const struct cls *, const struct cls_key *);
/* With a reference; made where there is none. */
struct cls_sub *cls_sub_get(struct of_pipe *, uint8_t table, const struct cls_key *);
void cls_sub_put(struct of_pipe *, struct cls_sub *);
uint32_t cls_hash(const struct of_pipe *, const uint64_t *value, unsigned n);

/* The first rule with this match, 0: none. */
uint32_t cls_head(const struct of_pipe *, const struct cls_sub *, const uint64_t *value, uint32_t hash);
/* The rule of that match and priority that is there after all changes so far; NULL: none. */
struct of_rule *cls_find_live(const struct of_pipe *, const struct cls_sub *, const uint64_t *value, uint16_t priority);

/* Before the publication of the version that brings it; 'r->hash' is set. */
void cls_link(struct of_pipe *, struct of_rule *);
/* When no reader can see it any more. */
void cls_unlink(struct of_pipe *, struct of_rule *);
/* Makes the order of subtables right again, drops empty ones. */
void cls_refresh(struct of_pipe *, uint8_t table);
void cls_fini(struct cls *);

/* Calls cb for each live rule of the table that is within 'key'; it may remove the rule (not unlink it), and add others,
 * which may or may not be shown. */
void cls_each_within(const struct of_pipe *, uint8_t table, const struct cls_key *, void (*cb)(void *, struct of_rule *),
		     void *arg);
/* Whether every packet that matches the rule matches the key. */
bool cls_rule_within(const struct of_rule *, const struct cls_key *);
/* Whether a live rule of the same priority could match the same packet. */
bool cls_overlaps(const struct of_pipe *, uint8_t table, const struct cls_key *, uint16_t priority);

/* Writes a rule's match out. */
void cls_match_out(const struct of_rule *, struct omatch *);

/* [lcore] */
const struct of_rule *cls_find_visible(const struct of_pipe *, const struct cls *, uint64_t version,
				       const struct cls_key *, uint16_t priority);
/* Tells of the rules above 'found' (NULL: of all) why they do not match. */
void cls_watch(const struct of_pipe *, const struct cls *, uint64_t version, const struct oflow *,
	       const struct of_rule *found, const struct of_lookup_watch *);
/* [lcore] */
const struct of_rule *cls_lookup(const struct of_pipe *, const struct cls *, uint64_t version, struct oflow *flow,
				 struct oflow *wc);

/* Matches of a packet that are part of conjunctions, of several priorities.  What is beyond is left out: no packet of
 * a sensible set of rules meets this many. */
enum { CLS_MAX_SOFT = 256, CLS_MAX_CONJ = 64 };
struct cls_soft {
	unsigned n;
	const struct of_rule *r[CLS_MAX_SOFT];
};
/* [lcore] Ids whose clauses are all met by rules of the highest priority that is below '*priority' and above 'above';
 * '*priority' becomes that.  How many; -1: there is no such priority. */
int cls_conj_level(const struct cls_soft *, int above, int *priority, uint32_t *id, unsigned max);

#endif
