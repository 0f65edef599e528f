/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed matches of OpenFlow 1.0 (40 bytes, wildcard bits) and 1.1 (88 bytes, masks).  Both let fields be set whose
 * layer is not matched; such fields are ignored, here, so that nobody behind the codec meets them. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

enum { ETH_IP = 0x0800, ETH_ARP = 0x0806, ETH_RARP = 0x8035, ETH_IP6 = 0x86dd, ETH_MPLS = 0x8847, ETH_MPLS_M = 0x8848,
       VLAN_NONE = 0xffff, VLAN_ANY11 = 0xfffe };

/* 1.0's wildcards... */
enum { W_IN_PORT = 1 << 0, W_DL_VLAN = 1 << 1, W_DL_SRC = 1 << 2, W_DL_DST = 1 << 3, W_DL_TYPE = 1 << 4,
       W_NW_PROTO = 1 << 5, W_TP_SRC = 1 << 6, W_TP_DST = 1 << 7, W_NW_SRC_SHIFT = 8, W_NW_DST_SHIFT = 14,
       W_DL_VLAN_PCP = 1 << 20, W_NW_TOS = 1 << 21, W_ALL = (1 << 22) - 1 };
/* ...and 1.1's. */
enum { X_IN_PORT = 1 << 0, X_DL_VLAN = 1 << 1, X_DL_VLAN_PCP = 1 << 2, X_DL_TYPE = 1 << 3, X_NW_TOS = 1 << 4,
       X_NW_PROTO = 1 << 5, X_TP_SRC = 1 << 6, X_TP_DST = 1 << 7, X_MPLS_LABEL = 1 << 8, X_MPLS_TC = 1 << 9,
       X_ALL = (1 << 10) - 1 };

static be32_t
prefix_mask(uint32_t wildcarded)
{
	wildcarded &= 0x3f;
	return wildcarded >= 32 ? 0 : be32(0xffffffffu << wildcarded);
}

/* The number of low bits that are not matched.  What is no prefix is widened to one. */
static uint32_t
wildcarded_bits(be32_t mask)
{
	uint32_t m = host32(mask), n = 0;

	while (n < 32 && (m << n & 0x80000000u))
		n++;
	return 32 - n;
}

static bool
is_arp(uint16_t type)
{
	return type == ETH_ARP || type == ETH_RARP;
}

static bool
has_ports(uint16_t type, uint8_t proto)
{
	return (type == ETH_IP || type == ETH_IP6) && (proto == 6 || proto == 17 || proto == 132);
}

static bool
is_icmp(uint16_t type, uint8_t proto)
{
	return (type == ETH_IP && proto == 1) || (type == ETH_IP6 && proto == 58);
}

/* VLAN and priority, each as the wire has it or wildcarded. */
static void
set_vlan(struct omatch *m, bool has_vid, uint16_t vid, bool has_pcp, uint8_t pcp)
{
	uint16_t tci = 0, mask = 0;

	if (has_vid && vid == VLAN_NONE) {
		m->mask.vlan[0].tci = be16(0xffff);
		return;
	}
	if (has_vid) {
		tci |= OFLOW_VLAN_PRESENT | (vid & 0xfff);
		mask |= OFLOW_VLAN_PRESENT | 0xfff;
	}
	if (has_pcp) {
		tci |= (uint16_t)(OFLOW_VLAN_PRESENT | (pcp & 7u) << 13);
		mask |= OFLOW_VLAN_PRESENT | 0xe000;
	}
	m->flow.vlan[0].tci = be16(tci);
	m->mask.vlan[0].tci = be16(mask);
}

struct layer4 {
	bool has_proto, has_src, has_dst;
	uint8_t proto;
	uint16_t src, dst;
};

/* Protocol and ports, where the layers before them are matched. */
static void
set_layer4(struct omatch *m, uint16_t type, const struct layer4 *l)
{
	if (!l->has_proto)
		return;
	if (is_arp(type)) {
		m->flow.arp_op = be16(l->proto);
		m->mask.arp_op = 0xffff;
		return;
	}
	m->flow.nw_proto = l->proto;
	m->mask.nw_proto = 0xff;
	if (has_ports(type, l->proto)) {
		m->flow.tp_src = l->has_src ? be16(l->src) : 0;
		m->mask.tp_src = l->has_src ? 0xffff : 0;
		m->flow.tp_dst = l->has_dst ? be16(l->dst) : 0;
		m->mask.tp_dst = l->has_dst ? 0xffff : 0;
	} else if (is_icmp(type, l->proto)) {
		m->flow.tp_src = l->has_src ? be16(l->src & 0xff) : 0;
		m->mask.tp_src = l->has_src ? be16(0xff) : 0;
		m->flow.tp_dst = l->has_dst ? be16(l->dst & 0xff) : 0;
		m->mask.tp_dst = l->has_dst ? be16(0xff) : 0;
	}
}

/* --- 1.0 ---------------------------------------------------------------------------------------- */

void
wire_get_match10(const uint8_t p[40], struct omatch *m)
{
	uint32_t w = wire_u32(p);
	uint16_t type = wire_u16(p + 22);
	bool ip;

	if (!(w & W_IN_PORT)) {
		m->flow.in_port = be32(wire_port_from16(wire_u16(p + 4)));
		m->mask.in_port = 0xffffffff;
	}
	if (!(w & W_DL_SRC)) {
		memcpy(&m->flow.dl_src, p + 6, 6);
		memset(&m->mask.dl_src, 0xff, 6);
	}
	if (!(w & W_DL_DST)) {
		memcpy(&m->flow.dl_dst, p + 12, 6);
		memset(&m->mask.dl_dst, 0xff, 6);
	}
	set_vlan(m, !(w & W_DL_VLAN), wire_u16(p + 18), !(w & W_DL_VLAN_PCP), p[20]);
	if (w & W_DL_TYPE)
		return;
	m->flow.dl_type = be16(type);
	m->mask.dl_type = 0xffff;
	ip = type == ETH_IP;
	if (!ip && !is_arp(type))
		return;
	if (ip && !(w & W_NW_TOS)) {
		m->flow.nw_tos = p[24] & 0xfc;
		m->mask.nw_tos = 0xfc;
	}
	m->mask.nw_src = prefix_mask(w >> W_NW_SRC_SHIFT);
	m->flow.nw_src = load_be32(p + 28) & m->mask.nw_src;
	m->mask.nw_dst = prefix_mask(w >> W_NW_DST_SHIFT);
	m->flow.nw_dst = load_be32(p + 32) & m->mask.nw_dst;
	set_layer4(m, type, &(struct layer4){
		.has_proto = !(w & W_NW_PROTO), .proto = p[25], .has_src = !(w & W_TP_SRC), .src = wire_u16(p + 36),
		.has_dst = !(w & W_TP_DST), .dst = wire_u16(p + 38) });
}

static uint32_t
put_vlan10(uint8_t *p, const struct omatch *m)
{
	uint16_t tci = host16(m->flow.vlan[0].tci), mask = host16(m->mask.vlan[0].tci);
	uint32_t w = 0;

	if (mask & OFLOW_VLAN_PRESENT && !(tci & OFLOW_VLAN_PRESENT)) {
		wire_store(p + 18, 2, VLAN_NONE);
		return w;
	}
	if ((mask & 0xfff) == 0xfff)
		wire_store(p + 18, 2, tci & 0xfffu);
	else
		w |= W_DL_VLAN;
	if ((mask & 0xe000) == 0xe000)
		p[20] = (uint8_t)(tci >> 13);
	else
		w |= W_DL_VLAN_PCP;
	return w;
}

static uint32_t
put_layer3_10(uint8_t *p, const struct omatch *m, uint16_t type)
{
	uint32_t w = 0, src = wildcarded_bits(m->mask.nw_src), dst = wildcarded_bits(m->mask.nw_dst);
	bool arp = is_arp(type);

	if (type != ETH_IP && !arp)
		return W_NW_TOS | W_NW_PROTO | W_TP_SRC | W_TP_DST | 32u << W_NW_SRC_SHIFT | 32u << W_NW_DST_SHIFT;
	if ((m->mask.nw_tos & 0xfc) == 0xfc && !arp)
		p[24] = m->flow.nw_tos & 0xfc;
	else
		w |= W_NW_TOS;
	if (arp ? m->mask.arp_op == 0xffff : m->mask.nw_proto == 0xff)
		p[25] = arp ? (uint8_t)host16(m->flow.arp_op) : m->flow.nw_proto;
	else
		w |= W_NW_PROTO;
	store_be32(p + 28, m->flow.nw_src & prefix_mask(src));
	store_be32(p + 32, m->flow.nw_dst & prefix_mask(dst));
	w |= src << W_NW_SRC_SHIFT | dst << W_NW_DST_SHIFT;
	if (!arp && m->mask.tp_src)
		store_be16(p + 36, m->flow.tp_src);
	else
		w |= W_TP_SRC;
	if (!arp && m->mask.tp_dst)
		store_be16(p + 38, m->flow.tp_dst);
	else
		w |= W_TP_DST;
	return w;
}

/* What 1.0 cannot say is left out: the match looks wider than it is. */
void
wire_put_match10(uint8_t p[40], const struct omatch *m)
{
	uint32_t w = 0;
	uint16_t type = m->mask.dl_type == 0xffff ? host16(m->flow.dl_type) : 0;

	if (m->mask.in_port == 0xffffffff)
		wire_store(p + 4, 2, wire_port_to16(host32(m->flow.in_port)));
	else
		w |= W_IN_PORT;
	if (!memcmp(&m->mask.dl_src, "\377\377\377\377\377\377", 6))
		memcpy(p + 6, &m->flow.dl_src, 6);
	else
		w |= W_DL_SRC;
	if (!memcmp(&m->mask.dl_dst, "\377\377\377\377\377\377", 6))
		memcpy(p + 12, &m->flow.dl_dst, 6);
	else
		w |= W_DL_DST;
	w |= put_vlan10(p, m);
	if (m->mask.dl_type == 0xffff)
		wire_store(p + 22, 2, type);
	else
		w |= W_DL_TYPE;
	w |= put_layer3_10(p, m, type);
	wire_store(p, 4, w);
}

/* --- 1.1 ---------------------------------------------------------------------------------------- */

static void
get_masked_mac(const uint8_t *value, const uint8_t *inverted, struct mac *flow, struct mac *mask)
{
	uint8_t *f = (uint8_t *)flow, *m = (uint8_t *)mask;

	for (unsigned i = 0; i < 6; i++) {
		m[i] = (uint8_t)~inverted[i];
		f[i] = value[i] & m[i];
	}
}

static void
put_masked_mac(uint8_t *value, uint8_t *inverted, const struct mac *flow, const struct mac *mask)
{
	memcpy(value, flow, 6);
	for (unsigned i = 0; i < 6; i++)
		inverted[i] = (uint8_t)~((const uint8_t *)mask)[i];
}

static int
get_vlan11(struct wire_rd *r, const uint8_t *p, uint32_t w, struct omatch *m)
{
	uint16_t vid = wire_u16(p + 36);
	bool has_pcp = !(w & X_DL_VLAN_PCP);

	if (w & X_DL_VLAN)
		return 0;       /* The priority alone is ignored, too. */
	if (vid == VLAN_ANY11) {
		m->flow.vlan[0].tci = m->mask.vlan[0].tci = be16(OFLOW_VLAN_PRESENT);
		if (has_pcp)
			set_vlan(m, false, 0, true, p[38]);
		return 0;
	}
	if (vid != VLAN_NONE && vid > 0xfff)
		return wire_bad(r, OFE_BMC_BAD_VALUE, "vlan %u", vid);
	set_vlan(m, true, vid, has_pcp, p[38]);
	return 0;
}

int
wire_get_match11(struct wire_rd *r, const uint8_t p[88], struct omatch *m)
{
	uint32_t w = wire_u32(p + 8);
	uint16_t type = wire_u16(p + 40);
	uint64_t metadata, mask;

	if (!(w & X_IN_PORT)) {
		m->flow.in_port = load_be32(p + 4);
		m->mask.in_port = 0xffffffff;
	}
	get_masked_mac(p + 12, p + 18, &m->flow.dl_src, &m->mask.dl_src);
	get_masked_mac(p + 24, p + 30, &m->flow.dl_dst, &m->mask.dl_dst);
	if (get_vlan11(r, p, w, m))
		return -1;
	memcpy(&metadata, p + 72, 8);
	memcpy(&mask, p + 80, 8);
	m->mask.metadata = ~mask;
	m->flow.metadata = metadata & ~mask;
	if (w & X_DL_TYPE)
		return 0;
	m->flow.dl_type = be16(type);
	m->mask.dl_type = 0xffff;
	if (type == ETH_MPLS || type == ETH_MPLS_M) {
		uint32_t lse = (wire_u32(p + 64) & 0xfffff) << 12 | (p[68] & 7u) << 9;
		uint32_t lse_mask = (w & X_MPLS_LABEL ? 0 : 0xfffffu << 12) | (w & X_MPLS_TC ? 0 : 7u << 9);

		m->flow.mpls_lse[0] = be32(lse & lse_mask);
		m->mask.mpls_lse[0] = be32(lse_mask);
		return 0;
	}
	if (type != ETH_IP && type != ETH_IP6 && !is_arp(type))
		return 0;
	if (!(w & X_NW_TOS) && !is_arp(type)) {
		m->flow.nw_tos = p[42] & 0xfc;
		m->mask.nw_tos = 0xfc;
	}
	if (type != ETH_IP6) {
		m->mask.nw_src = ~load_be32(p + 48);
		m->flow.nw_src = load_be32(p + 44) & m->mask.nw_src;
		m->mask.nw_dst = ~load_be32(p + 56);
		m->flow.nw_dst = load_be32(p + 52) & m->mask.nw_dst;
	}
	set_layer4(m, type, &(struct layer4){
		.has_proto = !(w & X_NW_PROTO), .proto = p[43], .has_src = !(w & X_TP_SRC), .src = wire_u16(p + 60),
		.has_dst = !(w & X_TP_DST), .dst = wire_u16(p + 62) });
	return 0;
}

static uint32_t
put_vlan11(uint8_t *p, const struct omatch *m)
{
	uint16_t tci = host16(m->flow.vlan[0].tci), mask = host16(m->mask.vlan[0].tci);

	if (!(mask & OFLOW_VLAN_PRESENT))
		return X_DL_VLAN | X_DL_VLAN_PCP;
	if (!(tci & OFLOW_VLAN_PRESENT)) {
		wire_store(p + 36, 2, VLAN_NONE);
		return X_DL_VLAN_PCP;
	}
	wire_store(p + 36, 2, (mask & 0xfff) == 0xfff ? tci & 0xfffu : VLAN_ANY11);
	if ((mask & 0xe000) != 0xe000)
		return X_DL_VLAN_PCP;
	p[38] = (uint8_t)(tci >> 13);
	return 0;
}

static uint32_t
put_layer3_11(uint8_t *p, const struct omatch *m, uint16_t type)
{
	bool arp = is_arp(type), ip = type == ETH_IP || type == ETH_IP6;
	uint32_t w = 0;

	if (ip && (m->mask.nw_tos & 0xfc) == 0xfc)
		p[42] = m->flow.nw_tos & 0xfc;
	else
		w |= X_NW_TOS;
	if (arp ? m->mask.arp_op == 0xffff : ip && m->mask.nw_proto == 0xff)
		p[43] = arp ? (uint8_t)host16(m->flow.arp_op) : m->flow.nw_proto;
	else
		w |= X_NW_PROTO;
	if (arp || type == ETH_IP) {
		store_be32(p + 44, m->flow.nw_src);
		store_be32(p + 48, ~m->mask.nw_src);
		store_be32(p + 52, m->flow.nw_dst);
		store_be32(p + 56, ~m->mask.nw_dst);
	} else {
		memset(p + 48, 0xff, 4);
		memset(p + 56, 0xff, 4);
	}
	if (ip && m->mask.tp_src)
		store_be16(p + 60, m->flow.tp_src);
	else
		w |= X_TP_SRC;
	if (ip && m->mask.tp_dst)
		store_be16(p + 62, m->flow.tp_dst);
	else
		w |= X_TP_DST;
	return w;
}

void
wire_put_match11(uint8_t p[88], const struct omatch *m)
{
	uint16_t type = m->mask.dl_type == 0xffff ? host16(m->flow.dl_type) : 0;
	bool mpls = type == ETH_MPLS || type == ETH_MPLS_M;
	uint32_t lse = host32(m->flow.mpls_lse[0]), lse_mask = mpls ? host32(m->mask.mpls_lse[0]) : 0;
	uint64_t inverted = ~m->mask.metadata;
	uint32_t w = 0;

	wire_store(p + 2, 2, 88);
	if (m->mask.in_port == 0xffffffff)
		store_be32(p + 4, m->flow.in_port);
	else
		w |= X_IN_PORT;
	put_masked_mac(p + 12, p + 18, &m->flow.dl_src, &m->mask.dl_src);
	put_masked_mac(p + 24, p + 30, &m->flow.dl_dst, &m->mask.dl_dst);
	w |= put_vlan11(p, m);
	if (m->mask.dl_type == 0xffff)
		wire_store(p + 40, 2, type);
	else
		w |= X_DL_TYPE;
	w |= put_layer3_11(p, m, type);
	if (lse_mask >> 12 == 0xfffff)
		wire_store(p + 64, 4, lse >> 12);
	else
		w |= X_MPLS_LABEL;
	if ((lse_mask >> 9 & 7) == 7)
		p[68] = lse >> 9 & 7;
	else
		w |= X_MPLS_TC;
	memcpy(p + 72, &m->flow.metadata, 8);
	memcpy(p + 80, &inverted, 8);
	wire_store(p + 8, 4, w);
}
