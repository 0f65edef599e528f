/* SPDX-License-Identifier: Apache-2.0 */
/* Matches as lists of OXM and NXM entries (OpenFlow 1.3, 7.2.3). */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

enum { CLASS_NXM = 0, CLASS_NX = 1, CLASS_OXM = 0x8000, CLASS_XREG = 0x8001, CLASS_EXP = 0xffff, NX_COOKIE = 30 };

/* --- Values and headers ------------------------------------------------------------------------- */

/* NXM's in_port is 16 bits wide; its nw_tos is DSCP alone, of fields that are narrower than their bytes the rest is 0. */
bool
wire_value_get(const struct of_field_code *c, const uint8_t *wire, uint8_t value[OF_VALUE_MAX])
{
	unsigned bytes = of_field_bytes(c->field), bits = of_field_info[c->field].bits;

	if (c->len == bytes) {
		memcpy(value, wire, bytes);
	} else if (c->len > bytes) {
		for (unsigned i = 0; i < c->len - bytes; i++)
			if (wire[i])
				return false;
		memcpy(value, wire + c->len - bytes, bytes);
	} else if (of_field_info[c->field].flags & OF_FIELD_VARIABLE) {
		memset(value, 0, bytes);
		memcpy(value + bytes - c->len, wire, c->len);
	} else {
		uint32_t port = wire_port_from16(wire_u16(wire));

		wire_store(value, 4, port);
	}
	return !(bits & 7) || !(value[0] >> (bits & 7));
}

void
wire_value_put(const struct of_field_code *c, const uint8_t *value, uint8_t *wire)
{
	unsigned bytes = of_field_bytes(c->field);

	if (c->len >= bytes) {
		memset(wire, 0, c->len - bytes);
		memcpy(wire + c->len - bytes, value, bytes);
	} else if (of_field_info[c->field].flags & OF_FIELD_VARIABLE) {
		memcpy(wire, value + bytes - c->len, c->len);
	} else {
		wire_store(wire, 2, wire_port_to16(wire_u32(value)));
	}
}

/* Bytes of a value without the zeroes in front. */
static unsigned
significant(const uint8_t *value, unsigned bytes)
{
	while (bytes && !*value) {
		value++;
		bytes--;
	}
	return bytes;
}

const struct of_field_code *
wire_field_fit(const struct of_field_code *c, const uint8_t *value, const uint8_t *mask)
{
	unsigned bytes = of_field_bytes(c->field), len = significant(value, bytes);

	if (!(of_field_info[c->field].flags & OF_FIELD_VARIABLE))
		return c;
	if (mask)
		len = MAX_OF(len, significant(mask, bytes));
	return of_field_code_sized(c, len);
}

const struct of_field_code *
wire_field_code(enum of_field f, uint8_t version, bool nxm)
{
	const struct of_field_code *any = NULL;

	for (const struct of_field_code *c = of_field_first_code(f), *e = of_field_code + OFF_N_CODES;
	     c < e && c->field == f; c++) {
		bool nx = c->class == CLASS_NXM || c->class == CLASS_NX;

		if (nxm && nx)
			return c;
		if (!nxm && c->class == CLASS_OXM && of_field_info[f].since <= version)
			return c;
		if (!nxm && c->class != CLASS_OXM && (c->class != CLASS_EXP || version >= OF13) &&
		    (c->class != CLASS_NXM || !any))
			return c;
		if (!any)
			any = c;
	}
	return any;
}

bool
wire_field_is_in(const struct of_field_code *c, uint8_t version)
{
	return c->class != CLASS_OXM || of_field_info[c->field].since <= version;
}

const struct of_field_code *
wire_get_header(struct wire_rd *r, bool *masked)
{
	const struct of_field_code *c, *sized;
	uint32_t header, experimenter = 0;
	unsigned len;

	if (wire_left(r) < 4) {
		wire_bad(r, OFE_BAC_BAD_LEN, "field header");
		return NULL;
	}
	header = wire_u32(r->p);
	len = header & 0xff;
	r->p += 4;
	if (header >> 16 == CLASS_EXP) {
		if (wire_left(r) < 4 || len < 4) {
			wire_bad(r, OFE_BAC_BAD_LEN, "field header");
			return NULL;
		}
		experimenter = wire_u32(r->p);
		len -= 4;
		r->p += 4;
	}
	*masked = header >> 8 & 1;
	c = of_field_by_code((uint16_t)(header >> 16), (uint8_t)(header >> 9 & 0x7f), experimenter);
	if (!c) {
		wire_bad(r, OFE_BAC_BAD_SET_TYPE, "field %#x", header);
		return NULL;
	}
	sized = *masked && len % 2 ? NULL : of_field_code_sized(c, *masked ? len / 2 : len);
	if (!sized)
		wire_bad(r, OFE_BAC_BAD_SET_LEN, "%s of %u bytes", of_field_info[c->field].name, len);
	return sized;
}

void
wire_put_header(struct of_buf *b, const struct of_field_code *c, bool masked)
{
	unsigned len = (masked ? 2u : 1u) * c->len;
	uint8_t *p;

	if (c->class != CLASS_EXP) {
		p = wire_add(b, 4);
	} else {
		p = wire_add(b, 8);
		wire_store(p + 4, 4, c->experimenter);
		len += 4;
	}
	wire_store(p, 4, (uint32_t)c->class << 16 | (uint32_t)c->code << 9 | (uint32_t)masked << 8 | len);
}

/* --- Reading ------------------------------------------------------------------------------------ */

struct entry {
	uint16_t class;
	uint8_t code;
	bool masked;
	unsigned len;
	uint32_t experimenter;
	const uint8_t *value;
};

/* Takes the next entry off [p, end); NULL: it is cut short. */
static const uint8_t *
next_entry(const uint8_t *p, const uint8_t *end, struct entry *e)
{
	uint32_t header;

	if (end - p < 4)
		return NULL;
	header = wire_u32(p);
	*e = (struct entry){ .class = (uint16_t)(header >> 16), .code = (uint8_t)(header >> 9 & 0x7f),
			     .masked = header >> 8 & 1, .len = header & 0xff, .value = p + 4 };
	if (e->len > (size_t)(end - e->value))
		return NULL;
	p = e->value + e->len;
	if (e->class == CLASS_EXP) {
		if (e->len < 4)
			return NULL;
		e->experimenter = wire_u32(e->value);
		e->value += 4;
		e->len -= 4;
	}
	return p;
}

static int
get_cookie(struct wire_rd *r, const struct entry *e, uint64_t *cookie)
{
	if (e->len != (e->masked ? 16u : 8u))
		return wire_bad(r, OFE_BMC_BAD_LEN, "cookie of %u bytes", e->len);
	cookie[0] = wire_load(e->value, 8);
	cookie[1] = e->masked ? wire_load(e->value + 8, 8) : ~0ull;
	cookie[0] &= cookie[1];
	return 0;
}

/* Whether the match has bits of the field already. */
static bool
taken(enum of_field f, const struct omatch *m)
{
	uint8_t v[OF_VALUE_MAX];

	of_field_get(f, &m->mask, v);
	for (unsigned i = 0; i < of_field_bytes(f); i++)
		if (v[i])
			return true;
	return false;
}

static int
get_mask(struct wire_rd *r, const struct of_field_code *c, const struct entry *e, uint8_t *value, uint8_t *mask)
{
	const struct of_field_info *info = &of_field_info[c->field];
	unsigned bytes = of_field_bytes(c->field);
	bool all = true, variable = info->flags & OF_FIELD_VARIABLE;

	if (c->len < bytes && !variable) {
		all = wire_u16(e->value + c->len) == 0xffff;
		memset(mask, all ? 0xff : 0, 4);
	} else if (!wire_value_get(c, e->value + c->len, mask)) {
		/* Mask bits beyond the width say nothing. */
		memcpy(mask, e->value + 2 * c->len - bytes, bytes);
		if (info->bits & 7)
			mask[0] &= (uint8_t)((1u << (info->bits & 7)) - 1);
	}
	if (c->field == OFF_IP_FRAG)
		mask[0] &= 3;
	for (unsigned i = 0; i < bytes && all; i++)
		all = mask[i] == (i || !(info->bits & 7) ? 0xff : (1u << (info->bits & 7)) - 1);
	if (!all && !(info->flags & OF_FIELD_MASKABLE))
		return wire_bad(r, OFE_BMC_BAD_MASK, "%s takes no mask", info->name);
	for (unsigned i = 0; i < bytes; i++) {
		if ((value[i] & ~mask[i]) && (c->class == CLASS_OXM || c->class == CLASS_EXP))
			return wire_bad(r, OFE_BMC_BAD_WILDCARDS, "%s has bits outside its mask", info->name);
		value[i] &= mask[i];
	}
	return 0;
}

static int
get_entry(struct wire_rd *r, const struct entry *e, const struct of_field_code *c, struct omatch *m)
{
	const struct of_field_info *info = &of_field_info[c->field];
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];

	c = e->masked && e->len % 2 ? NULL : of_field_code_sized(c, e->masked ? e->len / 2 : e->len);
	if (!c)
		return wire_bad(r, OFE_BMC_BAD_LEN, "%s of %u bytes", info->name, e->len);
	if (!wire_value_get(c, e->value, value))
		return wire_bad(r, OFE_BMC_BAD_VALUE, "%s is beyond its %u bits", info->name, info->bits);
	if (!of_need_met(info->needs, m))
		return wire_bad(r, OFE_BMC_BAD_PREREQ, "%s without what it needs", info->name);
	if (taken(c->field, m))
		return wire_bad(r, OFE_BMC_DUP_FIELD, "%s again", info->name);
	if (e->masked) {
		if (get_mask(r, c, e, value, mask))
			return -1;
		of_field_match(c->field, m, value, mask);
	} else if (c->field == OFF_NW_TOS) {
		if (value[0] & 3)
			return wire_bad(r, OFE_BMC_BAD_VALUE, "nw_tos is of 6 bits");
		of_field_match(c->field, m, value, (const uint8_t[]){ 0xfc });
	} else if (c->field == OFF_IP_FRAG) {
		if (value[0] & ~3)
			return wire_bad(r, OFE_BMC_BAD_VALUE, "ip_frag is of 2 bits");
		of_field_match(c->field, m, value, (const uint8_t[]){ 3 });
	} else {
		of_field_match(c->field, m, value, NULL);
	}
	return 0;
}

int
wire_get_oxm(struct wire_rd *r, const uint8_t *p, size_t len, struct omatch *m, uint64_t *cookie)
{
	const uint8_t *end = p + len;
	uint64_t seen[(OFF_N_FIELDS + 63) / 64] = { 0 };

	while (p < end) {
		const struct of_field_code *c;
		struct entry e;

		p = next_entry(p, end, &e);
		if (!p)
			return wire_bad(r, OFE_BMC_BAD_LEN, "a field is cut short");
		if (cookie && e.class == CLASS_NX && e.code == NX_COOKIE && e.len >= 8) {
			if (get_cookie(r, &e, cookie))
				return -1;
			continue;
		}
		c = of_field_by_code(e.class, e.code, e.experimenter);
		if (!c) {
			if (r->opts->loose_match)
				continue;
			return wire_bad(r, OFE_BMC_BAD_FIELD, "class %#x field %u is not known", e.class, e.code);
		}
		if (seen[c->field / 64] >> c->field % 64 & 1)
			return wire_bad(r, OFE_BMC_DUP_FIELD, "%s again", of_field_info[c->field].name);
		seen[c->field / 64] |= 1ull << c->field % 64;
		if (get_entry(r, &e, c, m))
			return -1;
	}
	return 0;
}

int
wire_get_match(struct wire_rd *r, struct omatch *m)
{
	unsigned type, len;
	const uint8_t *p = r->p;
	size_t padded;

	if (wire_left(r) < 4)
		return wire_bad(r, OFE_BMC_BAD_LEN, "match");
	type = wire_u16(p);
	len = wire_u16(p + 2);
	padded = (len + 7u) & ~7u;
	if (type == 0 && r->version == OF11) {
		if (len != 88 || wire_left(r) < 88)
			return wire_bad(r, OFE_BMC_BAD_LEN, "match of %u bytes", len);
		r->p += 88;
		return wire_get_match11(r, p, m);
	}
	if (type != 1 || r->version == OF11)
		return wire_bad(r, OFE_BMC_BAD_TYPE, "match type %u", type);
	if (len < 4 || padded > wire_left(r))
		return wire_bad(r, OFE_BMC_BAD_LEN, "match of %u bytes", len);
	r->p += padded;
	return wire_get_oxm(r, p + 4, len - 4, m, NULL);
}

int
wire_get_meta(struct wire_rd *r, const uint8_t *p, size_t len, struct oflow *flow)
{
	const uint8_t *end = p + len;

	while (p < end) {
		const struct of_field_code *c;
		uint8_t value[OF_VALUE_MAX];
		struct entry e;

		p = next_entry(p, end, &e);
		if (!p)
			return wire_bad(r, OFE_BMC_BAD_LEN, "a field is cut short");
		c = of_field_by_code(e.class, e.code, e.experimenter);
		if (!c || of_field_info[c->field].offset >= OFLOW_STAGE1 * 8) {
			if (r->version == OF15 && c)
				return wire_bad(r, OFE_BRC_PIPELINE_FIELDS_ONLY, "%s", of_field_info[c->field].name);
			continue;
		}
		if (of_field_info[c->field].flags & OF_FIELD_VARIABLE)
			c = of_field_code_sized(c, e.masked ? e.len / 2 : e.len);
		if (!c || e.len < c->len)
			return wire_bad(r, OFE_BMC_BAD_LEN, "a field of %u bytes", e.len);
		if (!wire_value_get(c, e.value, value))
			return wire_bad(r, OFE_BMC_BAD_VALUE, "%s", of_field_info[c->field].name);
		of_field_set(c->field, flow, value, NULL);
	}
	return 0;
}

/* --- Writing ------------------------------------------------------------------------------------ */

static void
put_field(struct wire_wr *w, enum of_field f, const struct omatch *m, bool nxm)
{
	const struct of_field_code *c = wire_field_code(f, w->version, nxm);
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	unsigned bytes = of_field_bytes(f), bits = of_field_info[f].bits;
	bool all = true;
	uint8_t *p;

	of_field_get(f, &m->flow, value);
	of_field_get(f, &m->mask, mask);
	for (unsigned i = 0; i < bytes && all; i++)
		all = mask[i] == (i || !(bits & 7) ? 0xff : (1u << (bits & 7)) - 1);
	if (f == OFF_NW_TOS)
		value[0] &= 0xfc;
	if (f == OFF_NW_TOS || (f == OFF_IP_FRAG && mask[0] == 3))
		all = true;
	c = wire_field_fit(c, value, all ? NULL : mask);
	wire_put_header(w->buf, c, !all);
	p = wire_add(w->buf, (all ? 1u : 2u) * c->len);
	wire_value_put(c, value, p);
	if (!all)
		wire_value_put(c, mask, p + c->len);
}

static uint64_t
used_words(const struct oflow *m)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < OFLOW_WORDS; i++)
		used |= (uint64_t)(oflow_word(m, i) != 0) << i;
	return used;
}

static void
put_vlan(struct wire_wr *w, const struct omatch *m, bool nxm)
{
	uint16_t tci = host16(m->flow.vlan[0].tci), mask = host16(m->mask.vlan[0].tci);
	struct omatch vid;

	if (!mask)
		return;
	/* OXM says a tag's priority only together with its presence, and as a whole. */
	if (nxm || (mask != 0xffff && (((mask & 0xe000) && (mask & 0xe000) != 0xe000) ||
				       ((mask & 0xe000) && !(tci & mask & OFLOW_VLAN_PRESENT))))) {
		put_field(w, OFF_VLAN_TCI, m, nxm);
		return;
	}
	vid.flow.vlan[0].tci = be16(tci & 0x1fff);
	vid.mask.vlan[0].tci = be16(mask & 0x1fff);
	put_field(w, OFF_VLAN_VID, &vid, nxm);
	if ((mask & 0xe000) && (tci & OFLOW_VLAN_PRESENT))
		put_field(w, OFF_VLAN_PCP, m, nxm);
}

static void
put_tos(struct wire_wr *w, const struct omatch *m, bool nxm)
{
	if (m->mask.nw_tos & 0xfc)
		put_field(w, nxm ? OFF_NW_TOS : OFF_IP_DSCP, m, nxm);
	if (m->mask.nw_tos & 3)
		put_field(w, OFF_NW_ECN, m, nxm);
}

/* The order in which Open vSwitch writes fields, too: what a field needs precedes it.  Fields that share their place with
 * another one are told apart by what they need.  VLAN and TOS are between the others. */
static const uint8_t order[] = {
	OFF_PACKET_TYPE, OFF_CONJ_ID, OFF_IN_PORT, OFF_IN_PHY_PORT, OFF_ACTSET_OUTPUT, OFF_ETH_SRC, OFF_ETH_DST, OFF_ETH_TYPE,
	OFF_VLAN_TCI,
	OFF_MPLS_TC, OFF_MPLS_BOS, OFF_MPLS_TTL, OFF_MPLS_LABEL, OFF_PBB_ISID, OFF_PBB_UCA,
	OFF_NW_SRC, OFF_NW_DST, OFF_IPV6_SRC, OFF_IPV6_DST, OFF_IP_FRAG,
	OFF_NW_TOS,
	OFF_NW_TTL, OFF_IPV6_LABEL, OFF_IPV6_EXTHDR, OFF_NW_PROTO,
	OFF_TCP_SRC, OFF_TCP_DST, OFF_TCP_FLAGS, OFF_UDP_SRC, OFF_UDP_DST, OFF_SCTP_SRC, OFF_SCTP_DST, OFF_ICMP_TYPE,
	OFF_ICMP_CODE, OFF_ICMPV6_TYPE, OFF_ICMPV6_CODE, OFF_ND_TARGET, OFF_ND_SLL, OFF_ND_TLL,
	OFF_ARP_OP, OFF_ARP_SPA, OFF_ARP_TPA, OFF_ARP_SHA, OFF_ARP_THA,
	OFF_TUN_ID, OFF_TUN_FLAGS, OFF_TUN_SRC, OFF_TUN_DST, OFF_TUN_IPV6_SRC, OFF_TUN_IPV6_DST, OFF_TUN_TOS, OFF_TUN_TTL,
	OFF_TUN_GBP_ID, OFF_TUN_GBP_FLAGS, OFF_TUN_METADATA0, OFF_TUN_METADATA1, OFF_TUN_METADATA2, OFF_TUN_METADATA3, OFF_TUN_METADATA4,
	OFF_TUN_METADATA5, OFF_TUN_METADATA6, OFF_TUN_METADATA7,
	OFF_REG0, OFF_REG1, OFF_REG2, OFF_REG3, OFF_REG4, OFF_REG5, OFF_REG6, OFF_REG7, OFF_REG8, OFF_REG9, OFF_REG10,
	OFF_REG11, OFF_REG12, OFF_REG13, OFF_REG14, OFF_REG15,
	OFF_PKT_MARK, OFF_CT_STATE, OFF_CT_ZONE, OFF_CT_MARK, OFF_CT_LABEL, OFF_CT_NW_SRC, OFF_CT_IPV6_SRC, OFF_CT_NW_DST,
	OFF_CT_IPV6_DST, OFF_CT_NW_PROTO, OFF_CT_TP_SRC, OFF_CT_TP_DST, OFF_METADATA,
};
/* Without them: IP_DSCP, NW_ECN and VLAN_VID, VLAN_PCP, views of others; and the wider registers. */
_Static_assert(ARRAY_SIZE(order) == OFF_N_FIELDS - 4 - 12, "all fields are written");

static bool
has_field(enum of_field f, const struct omatch *m, uint64_t used)
{
	const struct of_field_info *info = &of_field_info[f];
	unsigned first = info->offset / 8, last = (info->offset + info->size - 1u) / 8, md = of_field_md(f);

	if (md < OF_TUN_MD_MAX)
		return m->mask.tun_md_present >> md & 1;

	return ((used >> first & 1) || (used >> last & 1)) && taken(f, m) && of_need_met(info->needs, m);
}

/* 1.5 takes registers by twos. */
static void
put_xreg(struct wire_wr *w, const struct omatch *m, unsigned reg)
{
	if (m->mask.reg[reg] || m->mask.reg[reg + 1])
		put_field(w, OFF_XREG0 + reg / 2, m, false);
}

void
wire_put_oxm(struct wire_wr *w, const struct omatch *m, bool nxm, const uint64_t *cookie)
{
	uint64_t used = used_words(&m->mask);

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		enum of_field f = order[i];

		if (f == OFF_VLAN_TCI)
			put_vlan(w, m, nxm);
		else if (f == OFF_NW_TOS)
			put_tos(w, m, nxm);
		else if (!has_field(f, m, used))
			continue;
		else if (w->version < OF15 || nxm || f < OFF_REG0 || f > OFF_REG15)
			put_field(w, f, m, nxm);
		else if (!((f - OFF_REG0) & 1) || !m->mask.reg[f - OFF_REG0 - 1])
			put_xreg(w, m, (f - OFF_REG0) & ~1u);
	}
	if (cookie && cookie[1]) {
		bool all = cookie[1] == ~0ull;
		uint8_t *p = wire_add(w->buf, all ? 12 : 20);

		wire_store(p, 4, 0x10000u | NX_COOKIE << 9 | (all ? 8u : 0x110u));
		wire_store(p + 4, 8, cookie[0]);
		if (!all)
			wire_store(p + 12, 8, cookie[1]);
	}
}

void
wire_put_match(struct wire_wr *w, const struct omatch *m)
{
	size_t start = w->buf->len;
	uint8_t *p;

	if (w->version == OF11) {
		wire_put_match11(wire_add(w->buf, 88), m);
		return;
	}
	wire_add(w->buf, 4);
	wire_put_oxm(w, m, false, NULL);
	p = wire_at(w, start);
	wire_store(p, 2, 1);
	wire_store(p + 2, 2, w->buf->len - start);
	wire_pad8(w->buf, start);
}

void
wire_put_meta(struct wire_wr *w, const struct oflow *flow, bool nxm)
{
	struct omatch m;

	memset(&m, 0, sizeof m);
	memcpy(&m.flow, flow, OFLOW_STAGE1 * 8);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		const struct of_field_info *info = &of_field_info[order[i]];
		uint8_t v[OF_VALUE_MAX];
		bool any = false;

		if (info->offset >= OFLOW_STAGE1 * 8)
			continue;
		of_field_get(order[i], flow, v);
		for (unsigned k = 0; k < of_field_bytes(order[i]); k++)
			any |= v[k] != 0;
		if (any)
			of_field_match(order[i], &m, v, NULL);
	}
	wire_put_oxm(w, &m, nxm, NULL);
}
