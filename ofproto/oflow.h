/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenFlow rules tell packets apart by: the fields of the packet, its tunnel, and the registers and metadata
 * of the pipeline.  Every field is big-endian, registers included, so that a field is a run of bytes at an offset
 * (ofproto/field.h) and copying, masking and comparing are the same for all of them.
 *
 * Ordered by the stages of a look-up: a table that decides by ports and registers alone never looks at addresses. */
#ifndef OFPROTO_OFLOW_H
#define OFPROTO_OFLOW_H

#include "datapath/flow.h"
#include "tunnels/tlv.h"

#define OFLOW_VLAN_PRESENT 0x1000       /* In a TCI here: there is a tag.  (OFPVID_PRESENT; NXM's CFI bit.) */

enum { OF_TUN_MD_MAX = TLV_MAX };       /* Fields tun_metadata0 and up. */

enum oflow_frag {
	OFLOW_FRAG_ANY = 1 << 0,
	OFLOW_FRAG_LATER = 1 << 1,
};

struct oflow {
	/* Stage 0: what is known before the packet is looked at. */
	be64_t metadata;
	be64_t tun_id;
	be32_t in_port;                 /* OpenFlow's 32-bit numbers: 1..., OFPP_LOCAL... */
	be32_t in_phy_port;
	be32_t actset_output;
	be32_t conj_id;
	be32_t pkt_mark;
	be32_t packet_type;
	be32_t reg[16];
	be32_t tun_src, tun_dst;
	uint8_t tun_ipv6_src[16], tun_ipv6_dst[16];
	uint8_t tun_tos, tun_ttl;
	be16_t tun_flags;
	be16_t tun_gbp_id;
	uint8_t tun_gbp_flags;
	uint8_t tun_md_present;         /* Bit i: tun_md[i] is there. */
	be64_t tun_md[OF_TUN_MD_MAX];   /* Geneve options, by the bridge's table of them; right-aligned. */
	be32_t ct_state, ct_mark;       /* Connection tracking: always zero, as in a packet that was never tracked. */
	uint8_t ct_label[16];
	be16_t ct_zone;
	uint8_t ct_nw_proto, pad1;
	be16_t ct_tp_src, ct_tp_dst;
	be32_t ct_nw_src, ct_nw_dst;
	uint8_t ct_ipv6_src[16], ct_ipv6_dst[16];
	/* Stage 1: Ethernet and what stands before layer 3. */
	struct mac dl_dst, dl_src;
	be16_t dl_type;                 /* Behind the tags. */
	be16_t pad2;
	struct {
		be16_t tpid;            /* 0: no such tag. */
		be16_t tci;             /* With OFLOW_VLAN_PRESENT, and in its place no DEI. */
	} vlan[2];                      /* Outermost first. */
	be32_t mpls_lse[3];             /* Outermost first. */
	be32_t pbb_itag;                /* I-SID in the low 24 bits, UCA is bit 27. */
	/* Stage 2: layer 3. */
	be32_t nw_src, nw_dst;          /* IPv4; ARP SPA and TPA. */
	uint8_t ipv6_src[16], ipv6_dst[16];
	be32_t ipv6_label;
	be16_t ipv6_exthdr;             /* OFPIEH_*. */
	be16_t arp_op;
	uint8_t nw_proto, nw_tos, nw_ttl, nw_frag;      /* nw_frag: OFLOW_FRAG_*. */
	struct mac arp_sha, arp_tha;
	uint8_t nd_target[16];
	/* Stage 3: layer 4. */
	be16_t tp_src, tp_dst;          /* ICMP: type and code, in the low byte each. */
	be16_t tcp_flags;
	be16_t pad3;
	struct mac nd_sll, nd_tll;
	be32_t pad4;
} __attribute__((aligned(8)));

enum {
	OFLOW_WORDS = sizeof(struct oflow) / 8,         /* At most 64: sets of words are bitmaps. */
	OFLOW_STAGES = 4,
	OFLOW_STAGE1 = offsetof(struct oflow, dl_dst) / 8,
	OFLOW_STAGE2 = offsetof(struct oflow, nw_src) / 8,
	OFLOW_STAGE3 = offsetof(struct oflow, tp_src) / 8,
};

_Static_assert(sizeof(struct oflow) % 8 == 0 && OFLOW_WORDS <= 64, "whole words, in one bitmap");
_Static_assert(offsetof(struct oflow, dl_dst) % 8 == 0 && offsetof(struct oflow, nw_src) % 8 == 0 &&
	       offsetof(struct oflow, tp_src) % 8 == 0, "stages start at words");

/* A match: 'flow' has zeroes where 'mask' has. */
struct omatch {
	struct oflow flow, mask;
};

static inline uint64_t
oflow_word(const struct oflow *f, unsigned i)
{
	uint64_t w;

	memcpy(&w, (const uint8_t *)f + i * 8, 8);
	return w;
}

#endif
