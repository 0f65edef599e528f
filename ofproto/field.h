/* SPDX-License-Identifier: Apache-2.0 */
/* Match fields as data, made from wire/fields.txt: where each lives in a struct oflow, how it is named, what it
 * needs, its codes on the wire.  Values travel here as big-endian bytes, right-aligned in as many bytes as the width
 * needs (of_field_bytes()). */
#ifndef OFPROTO_FIELD_H
#define OFPROTO_FIELD_H

#include "ofproto/oflow.h"
#include "ofproto/wire/field_ids.h"

/* OXM's own prerequisites (OpenFlow 1.3, 7.2.3.8). */
enum of_need {
	OF_NEED_NONE, OF_NEED_IN_PORT, OF_NEED_VLAN, OF_NEED_IP, OF_NEED_IPV4, OF_NEED_IPV6, OF_NEED_ARP, OF_NEED_MPLS,
	OF_NEED_PBB, OF_NEED_TCP, OF_NEED_UDP, OF_NEED_SCTP, OF_NEED_ICMP, OF_NEED_ICMP6, OF_NEED_ND, OF_NEED_ND_SOL,
	OF_NEED_ND_ADV,
};

enum of_form {
	OF_FORM_DEC, OF_FORM_HEX, OF_FORM_PORT, OF_FORM_MAC, OF_FORM_IPV4, OF_FORM_IPV6, OF_FORM_ETHTYPE, OF_FORM_VID,
	OF_FORM_TOS, OF_FORM_FRAG, OF_FORM_TCPFLAGS, OF_FORM_TUNFLAGS, OF_FORM_CTSTATE,
};

enum of_field_flags {
	OF_FIELD_MASKABLE = 1 << 0,
	OF_FIELD_WRITABLE = 1 << 1,
	OF_FIELD_PIPELINE = 1 << 2,     /* Register or metadata: not in the packet. */
	OF_FIELD_VARIABLE = 1 << 3,     /* tun_metadata: values of any length on the wire, right-aligned. */
};

struct of_field_info {
	const char *name;
	uint16_t offset;                /* Of its storage in struct oflow... */
	uint8_t size;                   /* ...in bytes... */
	uint8_t low;                    /* ...and the lowest bit of the field there. */
	uint8_t bits;
	uint8_t since;                  /* Wire version that brought its OXM code; 0: none. */
	uint8_t flags;                  /* OF_FIELD_*. */
	uint8_t needs;                  /* enum of_need. */
	uint8_t form;                   /* enum of_form. */
};
extern const struct of_field_info of_field_info[OFF_N_FIELDS];

struct of_field_code {
	uint8_t field;
	uint16_t class;
	uint8_t code;
	uint8_t len;                    /* Bytes of the value. */
	uint32_t experimenter;          /* Of class 0xffff. */
};
extern const struct of_field_code of_field_code[OFF_N_CODES];   /* In order of field; a field's first one is sent. */
extern const uint8_t of_field_code_index[4][128];       /* Rows by class (OXM, NXM, NX, registers) and code. */
extern const uint8_t of_field_code_first[OFF_N_FIELDS];

/* Rows of fields of variable length, for each length. */
enum { OF_FIELD_VAR_LEN = 124 };
extern const struct of_field_code of_field_var_code[OF_TUN_MD_MAX][OF_FIELD_VAR_LEN + 1];

struct of_field_name {
	const char *name;
	uint8_t field;
};
extern const struct of_field_name of_field_name[OFF_N_NAMES];

#define OF_VALUE_MAX 16                 /* Bytes of the widest field. */

static inline unsigned
of_field_bytes(enum of_field f)
{
	return (of_field_info[f].bits + 7u) / 8;
}

/* All bits of a field, in of_field_bytes() bytes. */
static inline void
of_field_full_mask(enum of_field f, uint8_t mask[OF_VALUE_MAX])
{
	memset(mask, 0xff, of_field_bytes(f));
	if (of_field_info[f].bits & 7)
		mask[0] = (uint8_t)((1u << (of_field_info[f].bits & 7)) - 1);
}

/* Reads a field: of_field_bytes() bytes, big-endian, right-aligned. */
void of_field_get(enum of_field, const struct oflow *, uint8_t value[OF_VALUE_MAX]);
/* Writes the bits of a field that 'mask' has (NULL: all); bits beyond its width are ignored. */
void of_field_set(enum of_field, struct oflow *, const uint8_t *value, const uint8_t *mask);
/* Sets all bits of the field in 'mask': "it was looked at". */
void of_field_examine(enum of_field, struct oflow *mask);
/* Adds value/mask of a field to a match; value bits outside the mask are cleared. */
void of_field_match(enum of_field, struct omatch *, const uint8_t *value, const uint8_t *mask);

/* A run of bits of a field: NXM's "subfield". */
struct of_sub {
	uint8_t field;                  /* enum of_field. */
	uint8_t ofs;                    /* Lowest bit. */
	uint8_t n_bits;
	uint8_t pad;
};
/* Up to 128 bits, as a big-endian number right-aligned in 16 bytes. */
void of_sub_get(const struct of_sub *, const struct oflow *, uint8_t value[16]);
void of_sub_set(const struct of_sub *, struct oflow *, const uint8_t value[16]);
void of_sub_examine(const struct of_sub *, struct oflow *mask);
/* The low 64 bits of it. */
uint64_t of_sub_get64(const struct of_sub *, const struct oflow *);
void of_sub_set64(const struct of_sub *, struct oflow *, uint64_t value);

/* Whether a match says what the field needs.  VLAN: a tag is matched to be there. */
bool of_need_met(enum of_need, const struct omatch *);
/* Whether a packet has the field. */
bool of_need_has(enum of_need, const struct oflow *);

/* The field of that name or of one of its other spellings; OFF_NONE. */
enum of_field of_field_find(const char *name, size_t len);
/* The first of a field's rows: those behind it are of the same field up to the first that is not. */
static inline const struct of_field_code *
of_field_first_code(enum of_field f)
{
	return &of_field_code[of_field_code_first[f]];
}
/* The row for a payload of 'len' bytes; NULL: the field is not of that length. */
const struct of_field_code *of_field_code_sized(const struct of_field_code *, unsigned len);
/* Which of tun_metadata0 and up it is; OF_TUN_MD_MAX: another field. */
static inline unsigned
of_field_md(enum of_field f)
{
	return f >= OFF_TUN_METADATA0 && f < OFF_TUN_METADATA0 + OF_TUN_MD_MAX ? f - OFF_TUN_METADATA0 : OF_TUN_MD_MAX;
}
/* The row for a code on the wire; NULL: unknown. */
const struct of_field_code *of_field_by_code(uint16_t class, uint8_t code, uint32_t experimenter);

/* --- Matches ------------------------------------------------------------------------------------ */

bool omatch_equal(const struct omatch *, const struct omatch *);
/* Whether some packet could meet both. */
bool omatch_overlaps(const struct omatch *, const struct omatch *);
/* Whether every packet that meets 'a' meets 'b'. */
bool omatch_within(const struct omatch *a, const struct omatch *b);
bool omatch_is_any(const struct omatch *);

#endif
