/* SPDX-License-Identifier: Apache-2.0 */
/* From frame bytes to a flow key: Ethernet here, what it carries in parse_l3.h.  Inline, because it runs for
 * each packet in code that is built per instruction set.  No DPDK: bytes in, key out. */
#ifndef DATAPATH_PARSE_H
#define DATAPATH_PARSE_H

#include "datapath/parse_l3.h"

/* How far to look: L2 fills in_port, the MAC addresses, VLAN tags and dl_type, all the learning switch needs. */
enum flow_depth { FLOW_DEPTH_L2, FLOW_DEPTH_L4 };

static inline bool
flow_tpid(be16_t type)
{
	return type == be16(0x8100) || type == be16(0x88a8) || type == be16(0x9100);
}

/* An 802.3 length was found where the type stands, its frame goes on at '*off': the type that a SNAP header
 * (RFC 1042) says, and '*off' behind it, else 0x05ff. */
static inline be16_t
flow_parse_llc(const uint8_t *p, uint32_t contig, uint32_t *off)
{
	static const uint8_t snap[6] = { 0xaa, 0xaa, 0x03 };    /* SAPs, UI, OUI 0: an Ethernet type follows. */
	be16_t type;

	if (contig < *off + 8 || memcmp(p + *off, snap, sizeof snap))
		return be16(0x05ff);
	type = load_be16(p + *off + 6);
	if (host16(type) < 0x600)
		return be16(0x05ff);
	*off += 8;
	return type;
}

/* Zeroes and fills block 0 of the key (at depth L4 both blocks).  Only the first 'contig' bytes of the frame's
 * 'len' are read.  False: no whole Ethernet header, its first two tags included.  (A frame that is cut inside a
 * tag must not pass for an untagged one: padded on its way, the tag would hold.) */
static inline bool
flow_parse(const uint8_t *p, uint32_t contig, uint32_t len, uint16_t in_port, enum flow_depth depth,
	   struct flow_key *k)
{
	uint32_t off = 14;
	be16_t type;

	/* Of constant lengths: else it becomes a "rep stos", which takes longer than all the rest. */
	memset(k, 0, sizeof *k / 2);
	if (depth != FLOW_DEPTH_L2)
		memset(k->ipv6_src, 0, sizeof *k / 2);
	k->in_port = in_port;
	if (UNLIKELY(contig < off))
		return false;
	memcpy(&k->dl_dst, p, 12);
	type = load_be16(p + 12);
	for (unsigned i = 0; i < 2 && UNLIKELY(flow_tpid(type)); i++, off += 4) {
		if (UNLIKELY(contig < off + 4))
			return false;
		k->vlan[i].tpid = type;
		k->vlan[i].tci = load_be16(p + off);
		type = load_be16(p + off + 2);
	}
	if (UNLIKELY(host16(type) < 0x600))
		type = flow_parse_llc(p, contig, &off);
	k->dl_type = type;
	if (depth == FLOW_DEPTH_L4)
		flow_parse_l3(p + off, contig - off, len - off, k);
	return true;
}

#endif
