/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow actions and instructions in one version-independent form: a run of records, 8-byte aligned, each with
 * its kind and length.  The codec decodes wire actions into it and encodes it back; rules store it as it is
 * (interned); translate() walks it; the text parser makes it and the printer shows it.  All numbers in host order but
 * field values, which are big-endian as in ofproto/field.h.
 *
 * A rule's program is one list: METER first, then the actions of APPLY_ACTIONS, then CLEAR_ACTIONS, WRITE_ACTIONS,
 * WRITE_METADATA and GOTO_TABLE as records of their own, in this order. */
#ifndef OFPROTO_ACTS_H
#define OFPROTO_ACTS_H

#include "ofproto/field.h"

enum of_act_kind {
	OFA_OUTPUT,             /* struct of_act_output */
	OFA_OUTPUT_REG,         /* struct of_act_output_reg */
	OFA_OUTPUT_TRUNC,       /* struct of_act_output: max_len bytes of it */
	OFA_CONTROLLER,         /* struct of_act_controller */
	OFA_ENQUEUE,            /* struct of_act_enqueue */
	OFA_SET_QUEUE,          /* struct of_act_u32 */
	OFA_POP_QUEUE,          /* struct of_act */
	OFA_GROUP,              /* struct of_act_u32 */
	OFA_SET_FIELD,          /* struct of_act_set_field */
	OFA_SET_VLAN_VID,       /* struct of_act_u32; FORM_1_0: on an untagged frame, pushes a tag */
	OFA_SET_VLAN_PCP,       /* likewise */
	OFA_SET_TP_SRC,         /* struct of_act_u32: TCP, UDP or SCTP, by the packet (1.0, 1.1) */
	OFA_SET_TP_DST,
	OFA_POP_VLAN,           /* struct of_act: nothing on an untagged frame */
	OFA_PUSH_VLAN,          /* struct of_act_u32: Ethernet type */
	OFA_PUSH_MPLS,          /* struct of_act_u32: Ethernet type */
	OFA_POP_MPLS,           /* struct of_act_u32: Ethernet type of what is inside */
	OFA_PUSH_PBB,           /* struct of_act_u32: Ethernet type */
	OFA_POP_PBB,            /* struct of_act */
	OFA_SET_MPLS_TTL,       /* struct of_act_u32 */
	OFA_DEC_MPLS_TTL,       /* struct of_act */
	OFA_SET_NW_TTL,         /* struct of_act_u32 */
	OFA_DEC_NW_TTL,         /* struct of_act_ids: controllers to tell; none: 0 */
	OFA_COPY_TTL_OUT,       /* struct of_act */
	OFA_COPY_TTL_IN,
	OFA_MOVE,               /* struct of_act_move: NX REG_MOVE, ONF and 1.5 COPY_FIELD */
	OFA_STACK_PUSH,         /* struct of_act_sub */
	OFA_STACK_POP,
	OFA_RESUBMIT,           /* struct of_act_resubmit; FORM_NX2: RESUBMIT_TABLE even where table is 255 */
	OFA_LEARN,              /* struct of_act_learn, specs follow */
	OFA_MULTIPATH,          /* struct of_act_multipath */
	OFA_BUNDLE,             /* struct of_act_bundle, ports follow */
	OFA_NOTE,               /* struct of_act_note, bytes follow */
	OFA_EXIT,               /* struct of_act */
	OFA_FIN_TIMEOUT,        /* struct of_act_fin_timeout */
	OFA_CONJUNCTION,        /* struct of_act_conj; alone, or with NOTE, in its list */
	OFA_CLONE,              /* struct of_act_nested: actions follow */
	/* Instructions. */
	OFA_METER,              /* struct of_act_u32; in 1.5 an action, wherever it stands */
	OFA_APPLY_NOTHING,      /* struct of_act: an APPLY_ACTIONS without actions stood here; does nothing */
	OFA_CLEAR_ACTIONS,      /* struct of_act */
	OFA_WRITE_ACTIONS,      /* struct of_act_nested: the actions follow */
	OFA_WRITE_METADATA,     /* struct of_act_metadata */
	OFA_GOTO_TABLE,         /* struct of_act_u32 */
	OFA_N_KINDS
};

/* Which of several ways to say the same stood on the wire, so that statistics show what was installed. */
enum of_act_form {
	OFA_FORM_STD,           /* The version's own action. */
	OFA_FORM_NX,            /* Nicira extension. */
	OFA_FORM_NX2,           /* Its newer sibling (REG_LOAD2, OUTPUT_REG2, CONTROLLER2, LEARN2, RESUBMIT_TABLE_CT). */
	OFA_FORM_ONF,
	OFA_FORM_1_0,           /* Set actions of 1.0 and 1.1: SET_DL_SRC, SET_NW_TOS (with 1.0's VLAN semantics: pushes)... */
	OFA_FORM_1_1,           /* ...the latter without them. */
	OFA_FORM_NX_TUNNEL,     /* NX SET_TUNNEL (32 bit). */
	OFA_FORM_NX_TUNNEL64,
};

struct of_act {
	uint8_t kind;                   /* enum of_act_kind. */
	uint8_t form;                   /* enum of_act_form. */
	uint16_t len;                   /* Of the record: a multiple of 8, header included. */
};

struct of_act_output {
	struct of_act h;
	uint16_t max_len;               /* OFA_OUTPUT to the controller: 0xffff: whole, unbuffered. */
	uint16_t pad;
	uint32_t port;                  /* 32-bit numbering in any version. */
	uint32_t trunc_len;             /* OFA_OUTPUT_TRUNC. */
};

struct of_act_u32 {
	struct of_act h;
	uint32_t value;
};

struct of_act_enqueue {
	struct of_act h;
	uint32_t port, queue;
	uint32_t pad;
};

struct of_act_output_reg {
	struct of_act h;
	struct of_sub src;
	uint16_t max_len;
	uint16_t pad[3];
};

struct of_act_controller {
	struct of_act h;
	uint16_t max_len, controller_id;
	uint8_t reason;                 /* OFPR_*. */
	bool pause;
	uint16_t userdata_len;
	uint32_t meter_id;              /* 0: none. */
	uint8_t userdata[];             /* Padded to 8. */
};

struct of_act_set_field {
	struct of_act h;
	uint8_t field;
	bool masked;                    /* Not all bits of the field. */
	uint8_t flow_has_vlan;          /* For the codec. */
	uint8_t pad;
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];        /* of_field_bytes() each, from the first byte on. */
};

struct of_act_ids {
	struct of_act h;
	uint16_t n, pad;
	uint16_t id[];
};

struct of_act_move {
	struct of_act h;
	struct of_sub src, dst;
	uint32_t pad;
};

struct of_act_sub {
	struct of_act h;
	struct of_sub sub;
};

struct of_act_resubmit {
	struct of_act h;
	uint32_t in_port;               /* OFPP_IN_PORT: as it is. */
	uint8_t table;                  /* 255: the present one. */
	bool with_ct;
	uint8_t pad[6];
};

struct of_act_multipath {
	struct of_act h;
	uint16_t fields;                /* enum of_hash_fields. */
	uint16_t basis;
	uint16_t algorithm;             /* 0 modulo N, 1 hash threshold, 2 HRW, 3 iterative. */
	uint16_t max_link;              /* Links - 1. */
	uint32_t arg;
	struct of_sub dst;
	uint32_t pad;
};

enum of_hash_fields { OF_HASH_ETH_SRC, OF_HASH_SYM_L4, OF_HASH_SYM_L3L4, OF_HASH_SYM_L3L4_UDP, OF_HASH_NW_SRC,
		      OF_HASH_NW_DST, OF_HASH_SYM_L3 };

struct of_act_bundle {
	struct of_act h;
	uint16_t algorithm;             /* 0 active-backup, 1 HRW. */
	uint16_t fields, basis;
	uint16_t n;
	struct of_sub dst;              /* BUNDLE_LOAD: where the port goes; n_bits 0: BUNDLE, output to it. */
	uint32_t port[];
};

struct of_act_note {
	struct of_act h;
	uint16_t n, pad;
	uint8_t data[];
};

struct of_act_fin_timeout {
	struct of_act h;
	uint16_t idle, hard;            /* Seconds. */
};

struct of_act_conj {
	struct of_act h;
	uint32_t id;
	uint8_t clause, n_clauses;      /* 'clause' from 0. */
	uint8_t pad[6];
};

struct of_act_nested {
	struct of_act h;
	uint32_t pad;
	struct of_act acts[];           /* Up to h.len. */
};

struct of_act_metadata {
	struct of_act h;
	uint32_t pad;
	uint64_t value, mask;
};

enum of_learn_src { OF_LEARN_SRC_FIELD, OF_LEARN_SRC_VALUE };
enum of_learn_dst { OF_LEARN_DST_MATCH, OF_LEARN_DST_LOAD, OF_LEARN_DST_OUTPUT };

struct of_learn_spec {
	uint8_t src_type, dst_type;
	uint8_t n_bits;
	uint8_t pad;
	struct of_sub src, dst;         /* 'src' of SRC_FIELD; 'dst' of all but DST_OUTPUT. */
	uint8_t value[16];              /* SRC_VALUE: right-aligned, big-endian. */
};

struct of_act_learn {
	struct of_act h;
	uint16_t idle, hard;
	uint16_t priority;
	uint8_t table;
	uint8_t pad;
	uint16_t flags;                 /* OF_LEARN_*. */
	uint16_t fin_idle, fin_hard;
	uint64_t cookie;
	uint32_t limit;                 /* LEARN2; 0: none. */
	struct of_sub result;           /* LEARN2: where 1 goes when it was learned; n_bits 0: nowhere. */
	uint32_t n_specs;
	uint32_t pad2;
	struct of_learn_spec spec[];
};
enum { OF_LEARN_SEND_FLOW_REM = 1 << 0, OF_LEARN_DELETE_LEARNED = 1 << 1, OF_LEARN_WRITE_RESULT = 1 << 2 };

_Static_assert(sizeof(struct of_learn_spec) % 4 == 0, "packs");

/* A list: borrowed bytes.  n 0: nothing. */
struct of_acts {
	const struct of_act *a;
	uint32_t len;                   /* Bytes. */
};

#define OF_ACTS_EACH(a_, list) \
	for (const struct of_act *a_ = (list).a; (uintptr_t)a_ < (uintptr_t)(list).a + (list).len; \
	     a_ = (const struct of_act *)((const uint8_t *)a_ + a_->len))

/* The actions inside CLONE and WRITE_ACTIONS. */
static inline struct of_acts
of_acts_nested(const struct of_act *a)
{
	return (struct of_acts){ .a = ((const struct of_act_nested *)a)->acts,
				 .len = a->len - (uint32_t)sizeof(struct of_act_nested) };
}

/* Whether a list has GROUP or METER (or anything else with one number) of 'id', nested lists included. */
bool of_acts_name(struct of_acts, enum of_act_kind, uint32_t id);
/* Whether it sends to 'port' by an action that names it, nested lists included. */
bool of_acts_output_to(struct of_acts, uint32_t port);

/* A growing buffer to make lists in.  Owned by the caller; of_act_buf_fini() frees. */
struct of_act_buf {
	uint8_t *data;
	uint32_t len, cap;
};
/* Appends a zeroed record of 'size' bytes (rounded up to 8).  Valid until the next call. */
void *of_act_put(struct of_act_buf *, enum of_act_kind, enum of_act_form, size_t size);
/* Brackets nested actions: what is put between the two is inside.  'at' is what begin returned. */
uint32_t of_act_nest_begin(struct of_act_buf *, enum of_act_kind, enum of_act_form);
void of_act_nest_end(struct of_act_buf *, uint32_t at);
struct of_acts of_act_buf_acts(const struct of_act_buf *);
void of_act_buf_fini(struct of_act_buf *);

struct of_error;
/* What of_acts_check() needs to know of the switch. */
struct of_check {
	uint8_t version;                /* Wire version of who asks: decides on the errors. */
	uint8_t table;                  /* The rule's table; 255: none (packet-out, buckets). */
	uint8_t n_tables;
	const struct omatch *match;     /* Prerequisites of set-fields; NULL: nothing is known. */
	bool (*has_group)(void *, uint32_t);
	bool (*has_meter)(void *, uint32_t);
	uint32_t max_port;
	uint8_t options;                /* Bit i: tun_metadata<i> is an option of a tunnel; others cannot be used. */
	void *arg;
};
/* Semantics that the codec cannot know: ports, groups, meters and tables exist, prerequisites are met (also those that
 * actions before bring about: push_vlan, pop_mpls), goto goes forward, nesting is bounded, subfields fit their fields
 * and may be written, CONJUNCTION stands alone.  0, or -1 with the OpenFlow error. */
int of_acts_check(struct of_acts, const struct of_check *, struct of_error *);

enum { OF_ACTS_MAX = 65528, OF_ACTS_NEST_MAX = 8 };

#endif
