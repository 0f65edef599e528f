/* SPDX-License-Identifier: Apache-2.0 */
/* Action programs: compact arrays of typed instructions, eight bytes each, resolved when a flow is
 * installed.  Adding an action is one row in act.c and its executor; the translator emits them with
 * act_add(). */
#ifndef DATAPATH_ACT_H
#define DATAPATH_ACT_H

#include <string.h>

#include "base/byteorder.h"
#include "base/util.h"

enum act_op {
	ACT_OUTPUT,             /* port: to that port's tx buffer. */
	ACT_PUSH_VLAN,          /* arg: tpid << 16 | tci, host order. */
	ACT_POP_VLAN,           /* Strips the outermost tag. */
	ACT_SET_VLAN,           /* arg: VLAN of the outermost tag, host order; its priority bits stay. */
	ACT_TUN_PUSH,           /* port: the tunnel port (counters), arg: index of the tunnel destination; 0: the one that
				 * ACT_TUN_SET names by its addresses, when there is one; nothing follows then. */
	ACT_CLONE,              /* arg: the next 'arg' instructions run on a copy of the packet. */
	ACT_DROP,               /* arg: enum dp_drop.  Last in its program. */
	/* Those below with 'data' are followed by 'arg' words of eight bytes that are no instructions. */
	ACT_SET,                /* port: enum act_field; data: the value, then its mask, act_field_words() each. */
	ACT_PUSH_MPLS,          /* port: Ethernet type, host order (0x8847, 0x8848); arg: label stack entry, host order. */
	ACT_POP_MPLS,           /* port: Ethernet type of what was inside, host order. */
	ACT_PUSH_PBB,           /* arg: the I-TAG after its type, host order; the addresses are copied outwards. */
	ACT_POP_PBB,
	ACT_TRUNC,              /* arg: bytes; a longer packet is cut to them. */
	ACT_METER,              /* arg: number of the meter; what is above its rate goes, or is remarked. */
	ACT_PUNT,               /* port: bytes of the packet that are wanted (0xffff: all); data: handed to dp_conf.punt(). */
	ACT_TUN_SET,            /* data: struct tun_set (tunnels/tun.h), for the ACT_TUN_* that follows. */
	ACT_TUN_FLOOD,          /* port: to every learned destination of that tunnel port.  The packet is left as it is. */
	ACT_N_OPS
};

/* What ACT_SET writes.  A value is the field's bytes as they stand in the packet, network order, first byte first,
 * padded with zeroes to whole words.  Only bits that the mask has are written.  Checksums that cover the field
 * follow: IPv4 header, TCP, UDP (0 stays 0 over IPv4), SCTP's CRC, ICMP, ICMPv6.  A packet that lacks the field is
 * left as it is. */
enum act_field {
	ACT_F_ETH_DST,          /* 6 bytes. */
	ACT_F_ETH_SRC,          /* 6 */
	ACT_F_ETH_TYPE,         /* 2: after the tags. */
	ACT_F_VLAN_TCI,         /* 2: of the outermost tag, priority and DEI included. */
	ACT_F_MPLS_LSE,         /* 4: of the outermost label. */
	ACT_F_PBB_ITAG,         /* 4 */
	ACT_F_IPV4_SRC,         /* 4 */
	ACT_F_IPV4_DST,         /* 4 */
	ACT_F_IPV6_SRC,         /* 16 */
	ACT_F_IPV6_DST,         /* 16 */
	ACT_F_IPV6_LABEL,       /* 4: the low 20 bits. */
	ACT_F_IP_TOS,           /* 1: IPv4 or IPv6, DSCP and ECN. */
	ACT_F_IP_TTL,           /* 1: IPv4 or IPv6. */
	ACT_F_TP_SRC,           /* 2: TCP, UDP, SCTP, by the packet. */
	ACT_F_TP_DST,           /* 2 */
	ACT_F_ICMP_TYPE,        /* 1: ICMP or ICMPv6. */
	ACT_F_ICMP_CODE,        /* 1 */
	ACT_F_ARP_OP,           /* 2 */
	ACT_F_ARP_SPA,          /* 4 */
	ACT_F_ARP_TPA,          /* 4 */
	ACT_F_ARP_SHA,          /* 6 */
	ACT_F_ARP_THA,          /* 6 */
	ACT_F_ND_TARGET,        /* 16 */
	ACT_F_ND_SLL,           /* 6: of the first such option. */
	ACT_F_ND_TLL,           /* 6 */
	ACT_N_FIELDS
};

struct act_field_info {
	const char *name;               /* As ovs-ofctl spells it: "eth_dst", "nw_ttl". */
	uint8_t len;                    /* Bytes. */
};
extern const struct act_field_info act_field_info[ACT_N_FIELDS];

static inline unsigned
act_field_words(enum act_field f)
{
	return (act_field_info[f].len + 7u) / 8;
}

/* Words of data behind an instruction. */
static inline unsigned
act_n_data(uint8_t op, uint32_t arg)
{
	return op == ACT_SET || op == ACT_PUNT || op == ACT_TUN_SET ? arg : 0;
}

struct act {
	uint8_t op;
	uint8_t pad;
	uint16_t port;
	uint32_t arg;
};

_Static_assert(sizeof(struct act) == 8, "programs are compact");

/* Instructions of one program.  A flood to more destinations than this ends in DROP_RECURSION, counted. */
#define ACT_MAX 2048

struct act_list {
	uint16_t n;
	bool overflow;
	struct act a[ACT_MAX];
};

static inline struct act *
act_add(struct act_list *l, enum act_op op, uint16_t port, uint32_t arg)
{
	if (UNLIKELY(l->n == ACT_MAX)) {
		l->overflow = true;
		return &l->a[ACT_MAX - 1];
	}
	l->a[l->n] = (struct act){ .op = op, .port = port, .arg = arg };
	return &l->a[l->n++];
}

/* Adds an instruction with 'len' bytes of data behind it, padded with zeroes. */
static inline void
act_add_data(struct act_list *l, enum act_op op, uint16_t port, const void *data, unsigned len)
{
	unsigned words = (len + 7) / 8;

	if (UNLIKELY(l->n + 1u + words > ACT_MAX)) {
		l->overflow = true;
		return;
	}
	act_add(l, op, port, words);
	memset(&l->a[l->n], 0, words * sizeof l->a[0]);
	memcpy(&l->a[l->n], data, len);
	l->n = (uint16_t)(l->n + words);
}

/* Emits ACT_SET; 'value' and 'mask' are act_field_info[f].len bytes. */
static inline void
act_add_set(struct act_list *l, enum act_field f, const void *value, const void *mask)
{
	unsigned len = act_field_info[f].len, step = act_field_words(f) * 8;
	uint8_t data[32] = { 0 };

	memcpy(data, value, len);
	memcpy(data + step, mask, len);
	act_add_data(l, ACT_SET, f, data, 2 * step);
}

/* "push_vlan(10),output:vm2": for dumps and traces.  Returns the length needed. */
int act_format(const struct act *, unsigned n, const char *(*port_name)(void *, uint16_t),
	       void *arg, char *buf, size_t len);

#endif
