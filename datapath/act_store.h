/* SPDX-License-Identifier: Apache-2.0 */
/* Action programs of one polling thread, interned: flows with the same program share one copy.  An arena
 * in slabs of blocks of one size (powers of two); programs are named by the index of their first instruction.  What it keeps are
 * words of eight bytes: lists of references (xlate_out.refs) are kept in one, too. */
#ifndef DATAPATH_ACT_STORE_H
#define DATAPATH_ACT_STORE_H

#include "datapath/act.h"

struct act_store;

struct act_store *act_store_create(uint32_t n_acts);    /* NULL without memory. */
void act_store_destroy(struct act_store *);

/* Takes a reference to the program 'a', 1..ACT_MAX instructions.  0 when the arena is full. */
uint32_t act_store_get(struct act_store *, const struct act *a, uint16_t n);
/* Gives it back; 'at' 0 is allowed. */
void act_store_put(struct act_store *, uint32_t at);
const struct act *act_store_at(const struct act_store *, uint32_t at);
uint64_t act_store_bytes(const struct act_store *);
/* What a store for so many instructions takes. */
uint64_t act_store_size(uint32_t n_acts);
/* Programs present. */
uint32_t act_store_count(const struct act_store *);

#endif
