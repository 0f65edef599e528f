/* SPDX-License-Identifier: Apache-2.0 */
/* The flow key: what the switch can tell packets apart by.  Two 64-byte blocks, so that a masked
 * compare is one or two vector operations; plain L2 and IPv4 traffic lives in block 0 alone.
 * Multi-byte fields are in network order except where named otherwise.  A field that a packet does
 * not have is zero.  No DPDK in here: the translator uses it too. */
#ifndef DATAPATH_FLOW_H
#define DATAPATH_FLOW_H

#include "base/addr.h"

enum flow_flags {
	FLOW_F_FRAG = 1 << 0,           /* Any IP fragment. */
	FLOW_F_LATER = 1 << 1,          /* Not the first fragment: no L4 fields. */
	FLOW_F_IPV4 = 1 << 2,
	FLOW_F_IPV6 = 1 << 3,
	FLOW_F_BAD_L3 = 1 << 4,         /* L3 or L4 header malformed or cut: fields after it are zero. */
	FLOW_F_TUNNEL = 1 << 5,         /* Came out of a tunnel: tun_* hold. */
	FLOW_F_NO_LEARN = 1 << 6,       /* Its source address must not be learned: the tunnel said so. */
};

struct flow_key {
	/* Block 0. */
	uint16_t in_port;               /* Datapath port number, host order. */
	uint8_t flags;                  /* FLOW_F_*. */
	uint8_t nw_proto;               /* IP protocol, or low byte of the ARP opcode. */
	struct mac dl_dst;
	struct mac dl_src;
	be16_t dl_type;                 /* After the tags (and a SNAP header); 0x05ff: 802.2 without a type. */
	struct {
		be16_t tpid;            /* 0: no such tag. */
		be16_t tci;
	} vlan[2];                      /* Outermost first. */
	be16_t tcp_flags;
	uint8_t nw_tos, nw_ttl;
	be16_t tp_src, tp_dst;          /* TCP, UDP, SCTP; ICMP type and code. */
	uint16_t pad0;
	be32_t nw_src, nw_dst;          /* IPv4, or ARP SPA and TPA. */
	be32_t ipv6_label;
	be64_t tun_id;
	uint32_t tun_peer;              /* Small index of (type, local, remote), host order; 0: none. */
	uint32_t pad1;
	/* Block 1. */
	uint8_t ipv6_src[16], ipv6_dst[16];
	union {
		uint8_t nd_target[16];
		struct {
			struct mac sha, tha;
		} arp;
		be32_t mpls_lse[3];
		be32_t pbb_itag;        /* Where mpls_lse[0] is. */
	};
	uint8_t tun_tos, tun_ttl, tun_flags, pad2;
	uint8_t tun_ext[12];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct flow_key) == 128, "two blocks");
_Static_assert(offsetof(struct flow_key, ipv6_src) == 64, "block 1 starts with IPv6");

typedef uint64_t flow_block __attribute__((vector_size(64), may_alias));

#define VLAN_VID_MASK 0x0fff
#define VLAN_PCP_SHIFT 13

static inline uint16_t
flow_vid(const struct flow_key *k, unsigned i)
{
	return host16(k->vlan[i].tci) & VLAN_VID_MASK;
}

/* Text of a key under a mask, in the words of ovs-ofctl ("in_port=3,dl_vlan=10,dl_src=..."); fields that
 * the mask leaves out are not shown.  'port_name' turns a port number into a name; may be NULL.  Returns
 * the length that was needed. */
int flow_format(const struct flow_key *key, const struct flow_key *mask,
		const char *(*port_name)(void *, uint16_t), void *arg, char *buf, size_t len);

#endif
