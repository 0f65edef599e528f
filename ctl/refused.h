/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends tunnel packets that are refused: the rows of `weftctl tunnel refused`.  However many senders and keys there are,
 * there are REFUSED_MAX rows, and they stay useful: what one sender tries with many keys becomes one row, so does what many
 * senders try with one key; of the rest those go first that were seen least.  Control thread only. */
#ifndef CTL_REFUSED_H
#define CTL_REFUSED_H

#include "datapath/dp.h"

enum { REFUSED_MAX = 64 };

struct refused_row {
	/* The last packet; 'n' is of no use here.  Rows of many keys or senders have none of that in common. */
	struct dp_refusal what;
	bool many_keys, many_remotes;
	uint64_t packets;               /* About so many: counts come by sender, not by key. */
	uint64_t first_ms, last_ms;
	uint32_t notes;                 /* Samples that it is made of. */
};

struct refused;

struct refused *refused_create(void);
void refused_destroy(struct refused *);
void refused_add(struct refused *, const struct dp_refusal *, uint64_t now_ms);
/* Newest first; valid until the next call. */
const struct refused_row *refused_rows(struct refused *, unsigned *n);

#endif
