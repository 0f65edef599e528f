/* SPDX-License-Identifier: Apache-2.0 */
/* What the files text*.c share: pieces of the text under parse, where messages point, numbers. */
#ifndef OFPROTO_TEXT_PRIV_H
#define OFPROTO_TEXT_PRIV_H

#include "ofproto/text.h"

/* A borrowed piece of the text. */
struct tx_str {
	const char *s;
	size_t n;
};

/* One parse. */
struct tx {
	const char *base;               /* Columns are counted from here. */
	const struct of_names *names;
	struct err *err;
	unsigned depth;                 /* Of nested action lists. */
};

static inline struct tx_str
tx_str(const char *s, size_t n)
{
	return (struct tx_str){ .s = s, .n = n };
}

/* Fills the error with "column N: ..." and returns -EINVAL.  'at' is in the text. */
int tx_bad(const struct tx *, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Likewise for a word that is none of 'words' (ends with NULL): says which one is near. */
int tx_bad_word(const struct tx *, struct tx_str word, const char *what, const char *const *words);

bool tx_is(struct tx_str, const char *word);
bool tx_is_nocase(struct tx_str, const char *word);
/* The piece without white space around it. */
struct tx_str tx_trim(struct tx_str);
/* Splits at the first 'c'; false: there is none ('tail' is empty then). */
bool tx_split(struct tx_str, char c, struct tx_str *head, struct tx_str *tail);
/* Splits at the first "->". */
bool tx_split_arrow(struct tx_str, struct tx_str *head, struct tx_str *tail);
/* Cuts the next piece of a list parted by commas or spaces off its front; false: nothing is left. */
bool tx_word(struct tx_str *list, const char *delimiters, struct tx_str *word);
/* Copies into 'buf' as a C string; false: too long, or it has a NUL. */
bool tx_copy(struct tx_str, char *buf, size_t len);

/* One of a list of KEY, KEY=VALUE, KEY:VALUE, KEY(VALUE), parted by commas or spaces.  Parentheses and quotes in values
 * hold together.  1: there was one; 0: the end; negative: an error. */
struct tx_item {
	struct tx_str key, value;
	char sep;                       /* '=', ':', '('; 0: no value. */
};
int tx_next(const struct tx *, struct tx_str *rest, struct tx_item *);

/* A number as in C, or negative for its two's complement in 64 bits; 'what' names it in messages. */
int tx_u64(const struct tx *, struct tx_str, const char *what, uint64_t max, uint64_t *);
int tx_u32(const struct tx *, struct tx_str, const char *what, uint32_t *);
int tx_u16(const struct tx *, struct tx_str, const char *what, uint16_t *);
int tx_u8(const struct tx *, struct tx_str, const char *what, uint8_t *);
int tx_be(const struct tx *, struct tx_str, const char *what, unsigned bits, uint8_t *value);
int tx_mac(const struct tx *, struct tx_str, struct mac *);
int tx_ipv4(const struct tx *, struct tx_str, be32_t *);
int tx_table(const struct tx *, struct tx_str, uint8_t *);
int tx_port(const struct tx *, struct tx_str, const char *what, uint32_t *);
/* "0x" and the digits of a big-endian number without leading zeroes; "0". */
void tx_put_hex(struct of_text *, const uint8_t *value, unsigned n_bytes);
/* "01.02.03" */
void tx_put_bytes(struct of_text *, const uint8_t *data, size_t n);
/* Hex digits, dots and spaces between bytes are skipped; 'out' NULL only counts.  Bytes, or negative. */
int tx_bytes(const struct tx *, struct tx_str, const char *what, uint8_t *out);

/* All bits of the field, right-aligned. */
void tx_field_ones(enum of_field, uint8_t mask[OF_VALUE_MAX]);
bool tx_is_ones(enum of_field, const uint8_t *mask);
/* The field of that name, one of ovs-ofctl's own included (tp_src, dl_vlan...); OFF_NONE. */
enum of_field tx_field(struct tx_str name);
int tx_bad_field(const struct tx *, struct tx_str name);
/* Whether it is tun_metadata and something. */
bool tx_is_md(struct tx_str name);
int tx_value(const struct tx *, enum of_field, struct tx_str, uint8_t *value, uint8_t *mask);
int tx_sub(const struct tx *, struct tx_str, struct of_sub *);
/* Name under which set_field and learn show a field. */
const char *tx_field_name(enum of_field);

/* Fields of flags. */
struct tx_flag {
	const char *name;
	uint32_t bit;
};
void tx_put_flags(struct of_text *, enum of_field, uint32_t value, uint32_t mask);

/* Matches as they come in: what was said, for checks when all is known. */
struct tx_match {
	struct omatch m;
	const char *said[OFF_N_FIELDS]; /* Where. */
	bool exact;                     /* Masks are refused: a key. */
};
/* Takes an item that is a field or a protocol: 1; 0: it is neither; negative: an error.  To be called twice for each:
 * first with 'protocols', for those that say the protocol, then without, for the rest. */
int tx_match_item(const struct tx *, struct tx_match *, const struct tx_item *, bool protocols);
/* Whether all that was said makes sense together. */
int tx_match_end(const struct tx *, struct tx_match *);

/* An action by its word; what its parser needs beyond the text is here. */
struct tx_action;
typedef int tx_action_parse(struct tx *, struct tx_str arg, const struct tx_action *, struct of_act_buf *);
struct tx_action {
	const char *name;
	tx_action_parse *parse;
	uint8_t kind, form;
	uint8_t field;                  /* Of those that set one. */
	uint32_t max;                   /* Of a number. */
};
tx_action_parse tx_a_mod, tx_a_mod_nw_tos, tx_a_set_tunnel, tx_a_set_field, tx_a_load, tx_a_move;
tx_action_parse tx_a_stack, tx_a_output, tx_a_enqueue, tx_a_controller, tx_a_resubmit;
void tx_add_output(struct of_act_buf *, uint32_t port, uint16_t max_len);

int tx_acts(struct tx *, struct tx_str, bool instructions, bool nested, struct of_act_buf *);
int tx_learn(struct tx *, struct tx_str, struct of_act_buf *);
int tx_multipath(struct tx *, struct tx_str, struct of_act_buf *);
int tx_bundle(struct tx *, struct tx_str, bool load, struct of_act_buf *);
void tx_put_learn(struct of_text *, const struct of_act_learn *, const struct of_names *);
void tx_put_multipath(struct of_text *, const struct of_act_multipath *);
void tx_put_bundle(struct of_text *, const struct of_act_bundle *, const struct of_names *);

/* Of a message's body, in text_stats.c; false: not one of those. */
bool tx_put_stats(struct of_text *, const struct of_msg *, const struct of_names *);
void tx_put_port_desc(struct of_text *, const struct of_port *);
void tx_put_table_desc(struct of_text *, const struct of_table_desc *);
void tx_put_count(struct of_text *, const char *label, uint64_t, const char *end);
/* Names of the bits that are set, 0x... for the rest, "0" for none. */
void tx_put_bits(struct of_text *, uint32_t bits, const char *const *names, unsigned n, char separator);
/* Sets of actions by the bits of their types, 1.0's or the later ones. */
void tx_put_actions(struct of_text *, uint32_t bits, uint8_t version);
void tx_put_packet_in(struct of_text *, const struct of_packet_in *, uint8_t version, const struct of_names *);
void tx_put_packet_out(struct of_text *, const struct of_packet_out *, const struct of_names *);

extern const char *const tx_reasons[];  /* OFPR_*, ends with NULL. */

#endif
