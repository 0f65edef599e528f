/* SPDX-License-Identifier: Apache-2.0 */
/* From frame bytes to a flow key. */
#ifndef DATAPATH_PARSE_H
#define DATAPATH_PARSE_H

#include "datapath/flow.h"

/* How far to look: L2 fills in_port, the MAC addresses, VLAN tags and dl_type, all the learning switch needs. */
enum flow_depth { FLOW_DEPTH_L2, FLOW_DEPTH_L4 };

static inline bool
flow_tpid(be16_t type)
{
	return type == be16(0x8100) || type == be16(0x88a8) || type == be16(0x9100);
}

/* Zeroes and fills block 0 of the key (at depth L4 both blocks).  'contig' bytes of the frame's 'len' can be
 * read.  False: not even an Ethernet header. */
static inline bool
flow_parse(const uint8_t *p, uint32_t contig, uint32_t len, uint16_t in_port, enum flow_depth depth,
	   struct flow_key *k)
{
	uint32_t off = 12;
	be16_t type;

	(void)len;
	memset(k, 0, depth == FLOW_DEPTH_L2 ? 64 : sizeof *k);
	k->in_port = in_port;
	if (UNLIKELY(contig < 14))
		return false;
	memcpy(&k->dl_dst, p, 12);
	type = load_be16(p + off);
	for (unsigned i = 0; i < 2 && UNLIKELY(flow_tpid(type)) && contig >= off + 6; i++, off += 4) {
		k->vlan[i].tpid = type;
		k->vlan[i].tci = load_be16(p + off + 2);
		type = load_be16(p + off + 4);
	}
	k->dl_type = host16(type) < 0x600 ? be16(0x05ff) : type;
	return true;
}

#endif
