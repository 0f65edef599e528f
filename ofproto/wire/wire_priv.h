/* SPDX-License-Identifier: Apache-2.0 */
/* The codec's inside.  Layouts are tables (made by gen_wire.py); get.c walks them over received bytes and fills native
 * structs, put.c walks them the other way.  Whatever a table cannot say is a hook in one of the *_hooks.c files.
 *
 * Reading: a reader has a window [p, end) and never looks beyond; a layout's fixed part is checked to be there once,
 * and each structure with a length narrows the window.  Writing appends to an of_buf; lengths are put in afterwards. */
#ifndef OFPROTO_WIRE_PRIV_H
#define OFPROTO_WIRE_PRIV_H

#include "ofproto/of.h"

enum { WV_NX = 0, WV_ONF = 7, WV_N = 8 };      /* Layouts; 1..6 are OpenFlow 1.0 to 1.5. */
enum { NX_VENDOR = 0x2320, NTR_VENDOR = 0x154d };
#define ONF_VENDOR 0x4f4e4600u

/* --- Tables ------------------------------------------------------------------------------------- */

enum wire_op {
	WO_UINT, WO_UINT_MAX, WO_UINT_ADD,      /* arg: the maximum; what to add for the wire. */
	WO_PORT, WO_PORT_BE,
	WO_BYTES, WO_STR, WO_BITS, WO_VALUES, WO_CONST, WO_DEFAULT, WO_SUB, WO_MATCH10, WO_MATCH10P, WO_HOOK_AT,
	/* These follow the fixed part. */
	WO_SKIP, WO_MATCH, WO_MATCHP, WO_NXMATCH, WO_NXMATCHP, WO_META, WO_NXMETA, WO_ACTS, WO_INSTR, WO_DATA, WO_LIST,
	WO_ROWS, WO_PROPS, WO_HOOK, WO_ONE,
};

struct wire_step {
	uint8_t op;
	uint16_t width, native;         /* Bytes on the wire and of the native member. */
	uint16_t at;                    /* Offset in the fixed part; of the rest: of its u16 length, or 0xffff. */
	uint16_t member;                /* Offset in the native struct... */
	uint16_t count;                 /* ...of a list's count, or of NXM's cookie. */
	uint16_t arg;                   /* Number of map, structure, property list, hook. */
};

struct wire_layout {
	const struct wire_step *steps;
	uint16_t n_steps;
	uint16_t fixed;                 /* Bytes of the fixed part. */
	uint8_t len_at;                 /* Where its own length (u16) is; 0xff: it has none. */
	uint16_t native_size;
	uint16_t bad_len;               /* enum of_error_id. */
};
extern const struct wire_layout *const wire_struct[][WV_N];

struct wire_map {
	uint64_t same;                  /* BITS: those that mean the same; VALUES: below it all do. */
	uint8_t n, n_put;               /* Pairs; the ones after the first 'n' are for writing only. */
	uint16_t bad;                   /* Error of what is unknown; OFE_OK: dropped (bits), kept (values). */
	uint8_t pair[6][2];             /* Wire, native. */
};
extern const struct wire_map *const wire_map[][WV_N];
extern const uint64_t wire_const[];

enum wire_cond { WC_ALWAYS, WC_NEVER, WC_UNLESS, WC_FLAG };
struct wire_prop {
	uint16_t type;
	uint8_t layouts;                /* Bit per layout that has it. */
	uint8_t cond;                   /* enum wire_cond, about... */
	uint16_t member;
	uint8_t native;
	uint16_t value;
	const struct wire_layout *layout;
};
struct wire_props {
	const struct wire_prop *prop;
	unsigned n;
};
extern const struct wire_props wire_props[];

struct wire_kind {
	const char *name;
	uint16_t native_size;
	uint8_t multipart;              /* 0; 1 request, 2 reply. */
	uint8_t code[7];                /* By version: message or multipart type; 0xff: it has none. */
	const struct wire_layout *layout[WV_N];
};
extern const struct wire_kind wire_kind[OFK_N_KINDS];
extern const uint8_t wire_type[7][36], wire_part[7][20];        /* enum of_kind, of multiparts the request's; 0xff. */

struct wire_ext {
	uint16_t subtype;
	uint8_t layouts;                /* Bit per version that may say it. */
	uint8_t kind, form, layout;
	uint8_t multipart;              /* 'kind' is the request's, the next one the reply's. */
};
extern const struct wire_ext wire_ext[];
extern const unsigned wire_n_ext;

/* --- Reading and writing ------------------------------------------------------------------------ */

struct wire_rd {
	const uint8_t *p, *end;
	uint8_t version;                /* OF10...: numbering of ports, actions. */
	uint8_t layout;                 /* WV_*. */
	uint8_t form;                   /* enum of_msg_form. */
	uint8_t depth;                  /* Of nested actions. */
	bool inner;                     /* A message in a message. */
	uint32_t xid;
	const struct of_decode_opts *opts;
	struct of_arena *arena;
	struct of_act_buf *acts;        /* The list being made. */
	struct of_error *err;
};

struct wire_wr {
	struct of_buf *buf;
	uint8_t version, layout, form;
	uint32_t xid;
	int error;                      /* 0, -ENOTSUP, -EMSGSIZE: the first one stays. */
	const struct omatch *match;     /* Of the rule whose actions are written; NULL: not known. */
	int tags;                       /* VLAN tags that the actions written so far push, less those they pop. */
};

/* Returns -1 with the error set. */
#define wire_bad(r, id, ...) of_error_set((r)->err, (id), __VA_ARGS__)

int wire_get(struct wire_rd *, const struct wire_layout *, void *native);
void wire_put(struct wire_wr *, const struct wire_layout *, const void *native);
int wire_get_props(struct wire_rd *, const struct wire_props *, void *native);
void wire_put_props(struct wire_wr *, const struct wire_props *, const void *native);

typedef int wire_get_fn(struct wire_rd *, const uint8_t *at, void *native);
typedef void wire_put_fn(struct wire_wr *, size_t at, const void *native);
struct wire_hook {
	wire_get_fn *get;
	wire_put_fn *put;
};
extern const struct wire_hook wire_hook[];

/* Appends 'n' zeroed bytes; valid until the next call. */
uint8_t *wire_add(struct of_buf *, size_t n);
/* Pads what was written since 'start' to a multiple of 8. */
void wire_pad8(struct of_buf *, size_t start);
static inline uint8_t *
wire_at(const struct wire_wr *w, size_t at)
{
	return w->buf->data + at;
}

static inline uint64_t
wire_load(const uint8_t *p, unsigned n)
{
	uint64_t v;

	switch (n) {
	case 1:
		return *p;
	case 2:
		return host16(load_be16(p));
	case 4:
		return host32(load_be32(p));
	default:
		memcpy(&v, p, 8);
		return host64(v);
	}
}

static inline void
wire_store(uint8_t *p, unsigned n, uint64_t v)
{
	switch (n) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		store_be16(p, be16((uint16_t)v));
		break;
	case 4:
		store_be32(p, be32((uint32_t)v));
		break;
	default:
		v = be64(v);
		memcpy(p, &v, 8);
	}
}

static inline uint16_t
wire_u16(const uint8_t *p)
{
	return host16(load_be16(p));
}

static inline uint32_t
wire_u32(const uint8_t *p)
{
	return host32(load_be32(p));
}

static inline size_t
wire_left(const struct wire_rd *r)
{
	return (size_t)(r->end - r->p);
}

static inline uint32_t
wire_port_from16(uint16_t p)
{
	return p >= 0xff00 ? p | 0xffff0000u : p;
}

/* Ports that 16 bits cannot say become OFPP_NONE. */
static inline uint16_t
wire_port_to16(uint32_t p)
{
	return p < 0xff00 || p >= 0xffffff00u ? (uint16_t)p : 0xffff;
}

/* --- Matches (match.c, match10.c) --------------------------------------------------------------- */

/* A match of 1.1 and up with its header and padding. */
int wire_get_match(struct wire_rd *, struct omatch *);
void wire_put_match(struct wire_wr *, const struct omatch *);
/* A bare list of 'len' bytes.  'cookie' (value, then mask) may be NULL; NXM only. */
int wire_get_oxm(struct wire_rd *, const uint8_t *, size_t len, struct omatch *, uint64_t *cookie);
void wire_put_oxm(struct wire_wr *, const struct omatch *, bool nxm, const uint64_t *cookie);
/* Of packets: what is not zero, of the pipeline's fields. */
int wire_get_meta(struct wire_rd *, const uint8_t *, size_t len, struct oflow *);
void wire_put_meta(struct wire_wr *, const struct oflow *, bool nxm);
void wire_get_match10(const uint8_t p[40], struct omatch *);
void wire_put_match10(uint8_t p[40], const struct omatch *);
int wire_get_match11(struct wire_rd *, const uint8_t p[88], struct omatch *);
void wire_put_match11(uint8_t p[88], const struct omatch *);

/* The code a version (or NXM) says a field with; NULL: none. */
const struct of_field_code *wire_field_code(enum of_field, uint8_t version, bool nxm);
/* Whether the version's specification, or an extension, has that code. */
bool wire_field_is_in(const struct of_field_code *, uint8_t version);
/* A field's header, 4 bytes or 8, at the window's start.  What is wrong has the errors of actions. */
const struct of_field_code *wire_get_header(struct wire_rd *, bool *masked);
void wire_put_header(struct of_buf *, const struct of_field_code *, bool masked);
/* The row for this value (and mask; may be NULL): the shortest, for fields of variable length. */
const struct of_field_code *wire_field_fit(const struct of_field_code *, const uint8_t *value, const uint8_t *mask);
/* Value of a field, between the wire's bytes and of_field_bytes() of it.  false: bits beyond the field's width. */
bool wire_value_get(const struct of_field_code *, const uint8_t *wire, uint8_t value[OF_VALUE_MAX]);
void wire_value_put(const struct of_field_code *, const uint8_t *value, uint8_t *wire);

/* --- Actions (acts.c, act_hooks.c) -------------------------------------------------------------- */

/* The next 'len' bytes as actions. */
int wire_get_acts(struct wire_rd *, size_t len, struct of_acts *);
int wire_get_act_list(struct wire_rd *, const uint8_t *end);   /* Appends to r->acts. */
int wire_get_instr(struct wire_rd *, struct of_acts *);
void wire_put_acts(struct wire_wr *, struct of_acts);
void wire_put_nested(struct wire_wr *, struct of_acts);     /* Of a list that goes on from the one around it. */
void wire_put_act(struct wire_wr *, const struct of_act *);
void wire_put_instr(struct wire_wr *, struct of_acts);

struct wire_act {
	uint8_t kind, form, msg_form, hook, field;
	uint8_t layouts;                /* Bit per version. */
	uint16_t native_size;
	uint16_t code[7];
	uint16_t member;                /* Written if this is 'value'; native 0: always. */
	uint8_t native;
	uint8_t value;
	const struct wire_layout *layout[WV_N];
};
extern const struct wire_act wire_act[];
extern const unsigned wire_n_acts;
extern const uint8_t wire_act_std[7][30], wire_act_nx[64], wire_act_order[];
struct wire_range {
	uint8_t first, n;
};
extern const struct wire_range wire_act_of[OFA_N_KINDS];

/* 'body' to r->end is what follows the header; puts one record (or several) into r->acts. */
typedef int wire_act_get_fn(struct wire_rd *, const struct wire_act *, const uint8_t *body);
/* Appends what follows the header. */
typedef void wire_act_put_fn(struct wire_wr *, const struct wire_act *, const struct of_act *);
struct wire_act_hook {
	wire_act_get_fn *get;
	wire_act_put_fn *put;
};
extern const struct wire_act_hook wire_act_hook[];
/* Begins an action; its length is put in by wire_act_end(), which pads, too. */
size_t wire_act_begin(struct wire_wr *, const struct wire_act *);
void wire_act_end(struct wire_wr *, size_t start);
const struct wire_act *wire_act_find(enum of_act_kind, enum of_act_form, uint8_t version);
/* SET_FIELD in the version's best way. */
void wire_put_set_field(struct wire_wr *, const struct of_act_set_field *);

/* --- Messages (msg.c) --------------------------------------------------------------------------- */

int wire_get_msg(struct wire_rd *outer, const uint8_t *, uint32_t len, struct of_msg *);
/* Appends one message; the body is the kind's. */
void wire_put_msg(struct wire_wr *, const struct of_msg *);
/* Type and code on the wire of a version. */
struct wire_error {
	uint16_t type, code;
	uint32_t vendor;                /* 0: a standard one. */
};
struct wire_error_row {
	const char *name;
	uint8_t own;                    /* Bit per version that has it and not just the nearest one. */
	struct wire_error at[7];
};
extern const struct wire_error_row wire_error_row[OFE_N_ERRORS];
struct wire_error wire_error_put(enum of_error_id, uint8_t version);
enum of_error_id wire_error_get(struct wire_error, uint8_t version);

/* Makes the record at 'at', which is the last one, 'size' bytes long (rounded up to 8); the new ones are zero. */
void *wire_act_grow(struct of_act_buf *, uint32_t at, size_t size);
struct of_act_buf *wire_arena_acts(struct of_arena *);  /* Its scratch. */

#endif
