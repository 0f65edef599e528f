/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and meters of a pipeline, for the files that keep them; see table.h for what they mean. */
#ifndef OFPROTO_GROUP_H
#define OFPROTO_GROUP_H

#include "ofproto/table_priv.h"

#define OFG_BUCKET_MAX 0xffffff00u
#define OFG_BUCKET_FIRST 0xfffffffdu
#define OFG_BUCKET_LAST 0xfffffffeu
#define OFG_BUCKET_ALL 0xffffffffu

enum { GROUP_SLOT_BITS = 15, GROUP_BUCKET_BITS = 12, GROUP_MAX_SLOTS = 1 << GROUP_SLOT_BITS,
       GROUP_GEN_MASK = (1 << 26) - 1 };

struct of_group {
	uint64_t added;                 /* [const] */
	uint64_t removed;               /* Atomic. */
	struct of_group *next;          /* [rcu] Of the hash chain. */
	uint32_t id;                    /* [const] */
	uint32_t slot;                  /* [const] */
	uint8_t type;                   /* [const] */
	uint32_t n_buckets;             /* [const] */
	uint32_t total_weight;          /* [const] */
	/* [const] How one of them is selected; see struct of_group_mod. */
	char method[16];
	uint64_t param;
	struct of_field_set fields;
	struct of_counts *counts;       /* Atomic: of the group, then of each bucket. */
	/* [ctl] from here on, but the buckets. */
	uint32_t n_refs;                /* Rules and buckets that name it; with them... */
	uint32_t n_chained;             /* ...buckets. */
	uint32_t mark;                  /* See group_check(). */
	uint64_t created_ms;
	size_t len;
	struct of_bucket bucket[];      /* [const] Their actions behind. */
};

/* Whether these buckets are right for a group of this id and type: chains end, counts and watches are right. */
int group_check(struct of_pipe *, uint8_t version, const struct of_group_mod *, uint8_t type, const struct of_bucket *,
		uint32_t n, struct of_error *);
/* After all changes so far; NULL: there is none. */
struct of_group *group_live(const struct of_pipe *, uint32_t id);

#endif
