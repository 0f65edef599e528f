/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenFlow tables do to a packet, in the plainest words there are: an interpreter of rules that knows the frame's
 * bytes and OpenFlow 1.3.5 (sections 5.1 to 5.12), and neither keys, nor caches, nor masks that were examined, nor the
 * code that it is compared with.  Everything is an array that is walked from one end to the other. */
#ifndef TESTS_PACKET_NAIVE_H
#define TESTS_PACKET_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NV_PORTS = 6,                   /* 1..NV_PORTS. */
	NV_CONTROLLER = 100,            /* Where copies for the controller go. */
	NV_TABLES = 4,
	NV_RULES = 160,
	NV_GROUPS = 4,                  /* 1..NV_GROUPS; a bucket names groups of lower numbers only. */
	NV_BUCKETS = 3,
	NV_ACTS = 8,
	NV_FRAME = 192,
	NV_TAGS = 4,                    /* More is more than the switch can put on. */
	NV_COPIES = 256,
	NV_MACS = 256,
	NV_CHOICES = 16,
	NV_SETS = 64,
	NV_LEARNED = 8,
};

/* Fields, each a number of at most 64 bits; what a packet does not have is 0. */
enum nv_field {
	NV_IN_PORT, NV_METADATA, NV_REG0, NV_REG1, NV_ETH_DST, NV_ETH_SRC,
	NV_VLAN,                        /* The outer tag's TCI with 0x1000 set; 0: no tag. */
	NV_ETH_TYPE, NV_IP_PROTO, NV_IP_TOS, NV_IP_TTL,
	NV_IP_FRAG,                     /* 1: a fragment; 2: not the first one. */
	NV_IP_SRC, NV_IP_DST,           /* ARP's addresses too. */
	NV_IP6_SRC_HI, NV_IP6_SRC, NV_IP6_DST_HI, NV_IP6_DST,
	NV_TP_SRC, NV_TP_DST, NV_TCP_FLAGS,
	NV_FIELDS
};

struct nv_match {
	uint64_t value[NV_FIELDS], mask[NV_FIELDS];
};

enum nv_kind {
	NV_OUTPUT,                      /* value: port. */
	NV_IN_PORT_OUT, NV_FLOOD, NV_ALL, NV_NORMAL, NV_TO_CONTROLLER,
	NV_GROUP,                       /* value: group. */
	NV_SET,                         /* field, value, mask. */
	NV_MOVE,                        /* n bits from field's from_bit on to to_field's to_bit on. */
	NV_SET_VID,                     /* value; puts a tag on where there is none. */
	NV_PUSH_VLAN,                   /* value: TPID. */
	NV_POP_VLAN, NV_DEC_TTL,
	NV_RESUBMIT,                    /* value: table. */
	NV_CLONE,                       /* value: so many of the actions that follow. */
	NV_LEARN,                       /* value: which of the forms in nv_learned(). */
};

struct nv_act {
	uint8_t kind, field, to_field, from_bit, to_bit, n_bits;
	uint64_t value, mask;
};

struct nv_list {
	unsigned n;
	struct nv_act a[NV_ACTS];
};

/* What a rule does. */
struct nv_body {
	struct nv_list apply, write;
	bool clear, has_write, has_metadata;
	uint64_t metadata, metadata_mask;
	int go;                         /* Table; -1: nowhere. */
};

struct nv_rule {
	bool live, learned;
	uint8_t table;
	uint16_t priority;
	uint64_t cookie;
	struct nv_match match;
	struct nv_body body;
	uint64_t packets, bytes;
};

enum nv_command { NV_ADD, NV_MODIFY, NV_MODIFY_STRICT, NV_DELETE, NV_DELETE_STRICT };
enum { NV_ANY_TABLE = 0xff };

struct nv_flow_mod {
	uint8_t command, table;
	bool old;                       /* An ADD of OpenFlow 1.0: counters start anew. */
	uint16_t priority;
	uint64_t cookie, cookie_mask;   /* Mask 0: any, but for ADD. */
	uint32_t out_port, out_group;   /* Of deletions; 0: any. */
	struct nv_match match;
	struct nv_body body;
};

enum nv_group_type { NV_GROUP_ALL, NV_GROUP_SELECT, NV_GROUP_INDIRECT, NV_GROUP_FF };
struct nv_bucket {
	uint16_t weight;
	uint32_t watch;                 /* Port; 0: none. */
	struct nv_list acts;
};
struct nv_group {
	bool exists;
	uint8_t type;
	unsigned n;
	struct nv_bucket bucket[NV_BUCKETS];
};
enum nv_group_command { NV_GROUP_ADD, NV_GROUP_MODIFY, NV_GROUP_DELETE };
struct nv_group_mod {
	uint8_t command;
	uint32_t id;
	struct nv_group group;
};

struct nv_port {
	bool exists, up, no_recv, no_fwd;
};

struct nv_mac {
	bool live;
	uint16_t vid, port;
	uint64_t mac;
};

/* A switch of one bridge. */
struct nv {
	struct nv_rule rule[NV_RULES];
	struct nv_group group[NV_GROUPS + 1];
	struct nv_port port[NV_PORTS + 1];
	struct nv_mac mac[NV_MACS];
};

struct nv_packet {
	uint16_t len;
	uint8_t b[NV_FRAME];
	uint64_t in_port, metadata, reg[2];
};

struct nv_copy {
	uint32_t port;
	uint16_t len;
	uint8_t b[NV_FRAME];
};

/* What became of a packet. */
struct nv_out {
	bool too_much;                  /* More than is kept here: not to be compared. */
	unsigned n;
	struct nv_copy copy[NV_COPIES];
	/* Where the switch may choose (groups of type select): how many ways there were, and which was taken. */
	unsigned n_choices;
	uint8_t ways[NV_CHOICES], taken[NV_CHOICES];
	/* What happens once it has gone: rules it matched (counted), rules and an address to learn. */
	unsigned n_matched;
	uint16_t matched[128];
	unsigned n_learned;
	struct nv_flow_mod learned[NV_LEARNED];
	struct nv_mac mac;
};

void nv_init(struct nv *);
/* The same effects as on the switch; false: nothing of that kind is there (or room for it), so it changes nothing. */
void nv_flow_mod(struct nv *, const struct nv_flow_mod *);
void nv_group_mod(struct nv *, const struct nv_group_mod *);
/* Whether a rule or a group names it. */
bool nv_group_in_group(const struct nv *, uint32_t id);
unsigned nv_n_rules(const struct nv *);
void nv_forget_macs(struct nv *, uint16_t port);

/* Runs a packet; out->taken of the first 'n_given' choices is the caller's.  Changes nothing. */
void nv_run(const struct nv *, const uint8_t *frame, uint16_t len, uint16_t in_port, unsigned n_given, struct nv_out *);
/* What follows from it, afterwards. */
void nv_learn(struct nv *, const struct nv_out *);
void nv_count(struct nv *, const struct nv_out *, uint16_t len);

/* The rule that form 'form' of NV_LEARN makes of a packet. */
struct nv_flow_mod nv_learned(uint64_t form, const struct nv_packet *);

/* The packet's fields, from its bytes. */
void nv_fields(const struct nv_packet *, uint64_t f[NV_FIELDS]);

/* --- As text, in ovs-ofctl's words (naive_text.c) ---------------------------------------------------------------- */

void nv_print_flow_mod(const struct nv_flow_mod *, char *buf, size_t len);
void nv_print_group_mod(const struct nv_group_mod *, char *buf, size_t len);
const char *nv_command_name(enum nv_command);
const char *nv_group_command_name(enum nv_group_command);

#endif
