/* SPDX-License-Identifier: Apache-2.0 */
/* Edits one frame: fields set with their checksums, MPLS and PBB headers put on and taken off.  Where a header
 * is, is found in the frame itself each time, since earlier actions may have changed it; lengths that it tells are
 * checked against what is there.  [lcore]; the caller owns the frame alone. */
#ifndef DATAPATH_EDIT_PRIV_H
#define DATAPATH_EDIT_PRIV_H

#include "base/pkt.h"
#include "datapath/act.h"

enum {
	EDIT_TAGS = 4,                  /* VLAN tags that are looked through: two of the frame's own, two pushed. */
	EDIT_MPLS_LEN = 4,
	EDIT_PBB_LEN = 18,              /* Two addresses, the type, the I-TAG. */
};

/* Offsets from the start of the frame. */
struct edit_lay {
	uint32_t type_at;               /* Of the Ethernet type behind the tags; 0: 802.3 without one. */
	uint32_t l3;                    /* What follows the type. */
	uint32_t end;                   /* Of the IP packet, by its own word. */
	uint32_t l4;                    /* 0: there is none, or no whole header of it. */
	be16_t type;                    /* 0: none. */
	uint8_t n_tags;
	uint8_t proto;
	uint8_t ip;                     /* 4, 6; 0: no IP. */
	bool snap;                      /* The type is in a SNAP header. */
	bool frag;                      /* A fragment (the first: others have no l4). */
	bool l4_ok;                     /* The L4 header is one that the parser accepts. */
	bool routed;                    /* IPv6 goes on to another address than its header says. */
	bool cut;                       /* There is more than the first segment shows. */
};

/* False: no whole Ethernet header with its tags, in the first segment. */
bool edit_locate(const struct rte_mbuf *, struct edit_lay *);

/* Runs the 'n' words of ACT_SET instructions at 'a'.  A field that the frame lacks is left out.  False: one may lie
 * beyond the first segment; running all of them again on a copy does no harm. */
bool edit_set(struct rte_mbuf *, const struct act *a, unsigned n);

/* Raises the drop precedence of an assured forwarding class (RFC 2597); other frames are left as they are.  False:
 * as above. */
bool edit_remark(struct rte_mbuf *, uint8_t by);

/* CRC32c of the SCTP packet from 'l4' to 'end' (RFC 9260, appendix A), the checksum itself counted as zero; as it
 * is stored.  The first segment has the header of 12 bytes, and the packet all of it. */
uint32_t edit_sctp_crc(const struct rte_mbuf *, uint32_t l4, uint32_t end);

/* False: the frame is not one that this can be done to, or has no room in front. */
bool edit_push_mpls(struct rte_mbuf *, uint16_t type, uint32_t lse);
bool edit_pop_mpls(struct rte_mbuf *, uint16_t type);
bool edit_push_pbb(struct rte_mbuf *, uint32_t itag);
bool edit_pop_pbb(struct rte_mbuf *);

#endif
