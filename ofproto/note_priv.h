/* SPDX-License-Identifier: Apache-2.0 */
/* What translate() asks the control thread to do: the notes of an answer.  Made in pipe_learn.c, read in ofp_note(). */
#ifndef OFPROTO_NOTE_PRIV_H
#define OFPROTO_NOTE_PRIV_H

#include <stdint.h>

enum note_kind { NOTE_LEARN, NOTE_FIN };

struct note_head {
	uint16_t kind;                  /* enum note_kind. */
	uint16_t bridge;
};

/* "Add this rule."  Followed by n_words of value and mask, by their numbers, padded to eight, and by the actions. */
struct note_learn {
	struct note_head h;
	uint16_t idle, hard, priority;
	uint16_t flags;                 /* OF_LEARN_*. */
	uint8_t table, n_words;
	uint16_t acts_len;
	uint64_t cookie;
	uint32_t limit;                 /* Not when there are that many of the cookie; 0: none. */
	uint32_t pad;
};

/* "The connection is over: shorten the rule's timeouts." */
struct note_fin {
	struct note_head h;
	uint16_t idle, hard;
	uint64_t rule;                  /* Reference. */
};

#endif
