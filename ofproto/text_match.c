/* SPDX-License-Identifier: Apache-2.0 */
/* Matches and keys as text, in the words and the order of ovs-ofctl; see text.h. */
#include "ofproto/text_priv.h"

#include <arpa/inet.h>
#include <errno.h>

enum { DEFAULT_PRIORITY = 32768 };

static const struct protocol {
	const char *name;
	uint16_t dl_type;
	uint8_t nw_proto;               /* 0: any. */
} protocols[] = {
	/* The first of a pair is the one that is shown. */
	{ "icmp", 0x0800, 1 }, { "tcp", 0x0800, 6 }, { "udp", 0x0800, 17 }, { "sctp", 0x0800, 132 },
	{ "icmp6", 0x86dd, 58 }, { "tcp6", 0x86dd, 6 }, { "udp6", 0x86dd, 17 }, { "sctp6", 0x86dd, 132 },
	{ "ip", 0x0800, 0 }, { "ipv6", 0x86dd, 0 }, { "arp", 0x0806, 0 }, { "rarp", 0x8035, 0 },
	{ "mpls", 0x8847, 0 }, { "mplsm", 0x8848, 0 },
	{ "ip4", 0x0800, 0 }, { "ipv4", 0x0800, 0 }, { "ip6", 0x86dd, 0 },
};

/* --- Parsing ------------------------------------------------------------------------------------ */

static void
match_u16(struct omatch *m, enum of_field f, uint16_t v)
{
	const uint8_t value[OF_VALUE_MAX] = { (uint8_t)(v >> 8), (uint8_t)v };

	of_field_match(f, m, value, NULL);
}

static int
take_protocol(const struct tx *x, struct tx_match *mt, const struct tx_item *item, bool types)
{
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		const struct protocol *p = &protocols[i];

		if (!tx_is(item->key, p->name))
			continue;
		if (item->sep)
			return tx_bad(x, item->value.s, "'%s' takes no value", p->name);
		if (!types)
			return 1;
		match_u16(&mt->m, OFF_ETH_TYPE, p->dl_type);
		if (p->nw_proto) {
			const uint8_t proto[OF_VALUE_MAX] = { p->nw_proto };

			of_field_match(OFF_NW_PROTO, &mt->m, proto, NULL);
		}
		return 1;
	}
	return 0;
}

/* "reg0[0..7]=5" */
static int
take_bits(const struct tx *x, struct tx_match *mt, const struct tx_item *item)
{
	static const uint8_t ones[16] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	uint8_t value[16] = { 0 }, full[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	struct of_sub sub;
	unsigned n;
	int rc = tx_sub(x, item->key, &sub);

	if (rc)
		return rc;
	if (mt->exact)
		return tx_bad(x, item->key.s, "a packet has whole fields: no ranges of bits here");
	n = (sub.n_bits + 7u) / 8;
	rc = tx_be(x, item->value, of_field_info[sub.field].name, sub.n_bits, value + 16 - n);
	if (rc)
		return rc;
	of_sub_set(&sub, &mt->m.flow, value);
	of_sub_set(&sub, &mt->m.mask, ones);
	of_field_get(sub.field, &mt->m.mask, mask);
	tx_field_ones(sub.field, full);
	if (!(of_field_info[sub.field].flags & OF_FIELD_MASKABLE) && !tx_is_ones(sub.field, mask))
		return tx_bad(x, item->key.s, "%s cannot be matched in part", of_field_info[sub.field].name);
	mt->said[sub.field] = item->key.s;
	return 1;
}

/* dl_vlan: the tag's number, or 0xffff for none. */
static int
take_dl_vlan(const struct tx *x, struct tx_match *mt, const struct tx_item *item)
{
	uint16_t vid;
	int rc = tx_u16(x, item->value, "dl_vlan", &vid);

	if (rc)
		return rc;
	if (vid > 0xfff && vid != 0xffff)
		return tx_bad(x, item->value.s, "dl_vlan: 0 to 4095, or 0xffff for no tag");
	match_u16(&mt->m, OFF_VLAN_VID, vid == 0xffff ? 0 : vid | OFLOW_VLAN_PRESENT);
	mt->said[OFF_VLAN_VID] = item->key.s;
	return 1;
}

/* What a field means beyond its bits. */
static int
adjust(const struct tx *x, struct tx_match *mt, const struct tx_item *item, enum of_field f, uint8_t *mask)
{
	if (!tx_is_ones(f, mask) && f != OFF_IP_FRAG) {
		if (!(of_field_info[f].flags & OF_FIELD_MASKABLE))
			return tx_bad(x, item->value.s, "%s cannot be masked", of_field_info[f].name);
		if (mt->exact)
			return tx_bad(x, item->value.s, "a packet has one value of %s: no mask here",
				      of_field_info[f].name);
	}
	switch (f) {
	case OFF_NW_TOS:        /* The two bits below it are ECN's. */
		mask[0] = 0xfc;
		break;
	case OFF_VLAN_PCP:
		mt->m.flow.vlan[0].tci |= be16(OFLOW_VLAN_PRESENT);
		mt->m.mask.vlan[0].tci |= be16(OFLOW_VLAN_PRESENT);
		break;
	case OFF_TUN_FLAGS:     /* The only one that can be matched. */
		mask[0] = 0;
		mask[1] &= 1;
		break;
	default:
		break;
	}
	return 0;
}

int
tx_match_item(const struct tx *x, struct tx_match *mt, const struct tx_item *item, bool types)
{
	static const uint8_t none[OF_VALUE_MAX];
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	enum of_field f;
	int rc;

	rc = take_protocol(x, mt, item, types);
	if (rc)
		return rc;
	if (tx_is(item->key, "eth") && !item->sep)
		return 1;
	if (item->key.n && memchr(item->key.s, '[', item->key.n))
		return types ? 1 : take_bits(x, mt, item);
	f = tx_field(item->key);
	if (f == OFF_NONE)
		return 0;
	if (types != (f == OFF_ETH_TYPE))
		return 1;
	if (tx_is(item->value, "*"))
		return 1;
	/* Without a value: the option is there. */
	if (of_field_md(f) < OF_TUN_MD_MAX && !item->sep) {
		of_field_match(f, &mt->m, none, none);
		mt->said[f] = item->key.s;
		return 1;
	}
	if (tx_is(item->key, "dl_vlan"))
		return take_dl_vlan(x, mt, item);
	/* ARP's opcode has gone by the name of the protocol since OpenFlow 1.0. */
	if (f == OFF_NW_PROTO && (mt->m.flow.dl_type == be16(0x0806) || mt->m.flow.dl_type == be16(0x8035)))
		f = OFF_ARP_OP;
	rc = tx_value(x, f, item->value, value, mask);
	if (!rc)
		rc = adjust(x, mt, item, f, mask);
	if (rc)
		return rc;
	of_field_match(f, &mt->m, value, mask);
	mt->said[f] = item->key.s;
	return 1;
}

static const char *const need_text[] = {
	[OF_NEED_IN_PORT] = "in_port", [OF_NEED_VLAN] = "a VLAN tag (dl_vlan)", [OF_NEED_IP] = "ip or ipv6",
	[OF_NEED_IPV4] = "ip", [OF_NEED_IPV6] = "ipv6", [OF_NEED_ARP] = "arp or rarp", [OF_NEED_MPLS] = "mpls or mplsm",
	[OF_NEED_PBB] = "dl_type=0x88e7", [OF_NEED_TCP] = "tcp or tcp6", [OF_NEED_UDP] = "udp or udp6",
	[OF_NEED_SCTP] = "sctp or sctp6", [OF_NEED_ICMP] = "icmp", [OF_NEED_ICMP6] = "icmp6",
	[OF_NEED_ND] = "icmp6 and icmp_type=135 or 136", [OF_NEED_ND_SOL] = "icmp6 and icmp_type=135",
	[OF_NEED_ND_ADV] = "icmp6 and icmp_type=136",
};

/* Fields that share their place are each other's names: nw_src is arp_spa's, tp_dst any transport's. */
static bool
is_met(enum of_field f, struct omatch *m)
{
	switch (f) {
	case OFF_NW_SRC:
	case OFF_NW_DST:
		return of_need_met(OF_NEED_IPV4, m) || of_need_met(OF_NEED_ARP, m);
	case OFF_ICMP_TYPE:
	case OFF_ICMP_CODE:
	case OFF_ICMPV6_TYPE:
	case OFF_ICMPV6_CODE:
		return of_need_met(OF_NEED_ICMP, m) || of_need_met(OF_NEED_ICMP6, m);
	case OFF_TCP_SRC:
	case OFF_TCP_DST:
	case OFF_UDP_SRC:
	case OFF_UDP_DST:
	case OFF_SCTP_SRC:
	case OFF_SCTP_DST:
		return of_need_met(OF_NEED_TCP, m) || of_need_met(OF_NEED_UDP, m) || of_need_met(OF_NEED_SCTP, m);
	default:
		return of_need_met(of_field_info[f].needs, m);
	}
}

int
tx_match_end(const struct tx *x, struct tx_match *mt)
{
	bool icmp = of_need_met(OF_NEED_ICMP, &mt->m) || of_need_met(OF_NEED_ICMP6, &mt->m);

	for (unsigned f = 0; f < OFF_N_FIELDS; f++) {
		const char *name = of_field_info[f].name;

		if (!mt->said[f] || is_met(f, &mt->m))
			continue;
		if (f == OFF_TCP_SRC || f == OFF_TCP_DST) {
			/* As tp_src and tp_dst they are ICMP's type and code too. */
			be16_t *v = f == OFF_TCP_SRC ? &mt->m.flow.tp_src : &mt->m.flow.tp_dst;
			be16_t *m = f == OFF_TCP_SRC ? &mt->m.mask.tp_src : &mt->m.mask.tp_dst;

			name = f == OFF_TCP_SRC ? "tp_src" : "tp_dst";
			if (icmp && !(*v & be16(0xff00))) {
				*m &= be16(0xff);
				continue;
			}
			return tx_bad(x, mt->said[f], "%s needs tcp, udp or sctp to be matched as well", name);
		}
		return tx_bad(x, mt->said[f], "%s needs %s to be matched as well", name,
			      need_text[of_field_info[f].needs]);
	}
	return 0;
}

static int
match_pass(const struct tx *x, struct tx_str s, struct tx_match *mt, bool types)
{
	struct tx_item item;
	int rc;

	while ((rc = tx_next(x, &s, &item)) > 0) {
		rc = tx_match_item(x, mt, &item, types);
		if (rc < 0)
			return rc;
		if (!rc && !types)
			return tx_bad_field(x, item.key);
	}
	return rc;
}

static int
parse_match(const struct tx *x, struct tx_str s, struct tx_match *mt)
{
	int rc = match_pass(x, s, mt, true);

	if (!rc)
		rc = match_pass(x, s, mt, false);
	return rc ? rc : tx_match_end(x, mt);
}

int
of_parse_match(const char *s, size_t len, const struct of_names *names, struct omatch *m, struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };
	struct tx_match mt = { .exact = false };
	int rc = parse_match(&x, tx_str(s, len), &mt);

	if (!rc)
		*m = mt.m;
	return rc;
}

int
of_parse_key(const char *s, size_t len, const struct of_names *names, struct oflow *key, struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };
	struct tx_match mt = { .exact = true };
	int rc = parse_match(&x, tx_str(s, len), &mt);

	if (rc)
		return rc;
	*key = mt.m.flow;
	if (!mt.said[OFF_IN_PORT])
		key->in_port = be32((uint32_t)OFPP_ANY);
	if (key->vlan[0].tci)
		key->vlan[0].tpid = be16(0x8100);
	return 0;
}

/* --- Printing ----------------------------------------------------------------------------------- */

struct show {
	struct of_text *t;
	const struct omatch *m;
	const struct of_names *names;
	uint16_t dl_type;               /* 0: not matched. */
	int nw_proto;                   /* -1: not matched. */
};

/* NAME=VALUE[/MASK], if the field is matched. */
static void
show_as(const struct show *s, const char *name, enum of_field f)
{
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	static const uint8_t none[OF_VALUE_MAX];

	of_field_get(f, &s->m->mask, mask);
	if (!memcmp(mask, none, of_field_bytes(f)))
		return;
	of_field_get(f, &s->m->flow, value);
	of_text_printf(s->t, "%s=", name);
	of_print_value(s->t, f, value, mask, s->names);
	of_text_puts(s->t, ",");
}

static void
show_field(const struct show *s, enum of_field f)
{
	show_as(s, of_field_info[f].name, f);
}

static uint64_t
number(enum of_field f, const struct oflow *flow)
{
	uint8_t v[OF_VALUE_MAX];
	uint64_t n = 0;

	of_field_get(f, flow, v);
	for (unsigned i = 0; i < of_field_bytes(f); i++)
		n = n << 8 | v[i];
	return n;
}

/* As "%#x": zero has no prefix. */
static void
show_hex(const struct show *s, enum of_field f)
{
	uint64_t mask = number(f, &s->m->mask), ones = of_field_info[f].bits < 64 ?
		(1ull << of_field_info[f].bits) - 1 : UINT64_MAX;

	if (!mask)
		return;
	of_text_printf(s->t, "%s=%#llx", of_field_info[f].name, (unsigned long long)number(f, &s->m->flow));
	if (mask != ones)
		of_text_printf(s->t, "/%#llx", (unsigned long long)mask);
	of_text_puts(s->t, ",");
}

/* Decimal, but with a mask both in hexadecimal. */
static void
show_dec(const struct show *s, const char *name, enum of_field f)
{
	uint64_t mask = number(f, &s->m->mask), value = number(f, &s->m->flow);

	if (!mask)
		return;
	if (mask == (1ull << of_field_info[f].bits) - 1)
		of_text_printf(s->t, "%s=%llu,", name, (unsigned long long)value);
	else
		of_text_printf(s->t, "%s=0x%llx/0x%llx,", name, (unsigned long long)value, (unsigned long long)mask);
}

/* As "%d", whatever of it is matched. */
static void
show_plain(const struct show *s, enum of_field f)
{
	if (number(f, &s->m->mask))
		of_text_printf(s->t, "%s=%llu,", of_field_info[f].name, (unsigned long long)number(f, &s->m->flow));
}

/* Signed even if all flags are said, as far as there are any. */
static void
show_flags(const struct show *s, enum of_field f)
{
	uint32_t mask = (uint32_t)number(f, &s->m->mask), value = (uint32_t)number(f, &s->m->flow);

	if (!mask)
		return;
	of_text_printf(s->t, "%s=", of_field_info[f].name);
	if (f == OFF_TUN_FLAGS)
		of_text_printf(s->t, "%coam", value & 1 ? '+' : '-');
	else
		tx_put_flags(s->t, f, value, mask);
	of_text_puts(s->t, ",");
}

static void
show_pipeline(const struct show *s)
{
	show_hex(s, OFF_PKT_MARK);
	show_plain(s, OFF_CONJ_ID);
	show_field(s, OFF_ACTSET_OUTPUT);
	show_flags(s, OFF_CT_STATE);
	show_dec(s, "ct_zone", OFF_CT_ZONE);
	show_hex(s, OFF_CT_MARK);
	show_field(s, OFF_CT_LABEL);
	show_field(s, OFF_CT_NW_SRC);
	show_field(s, OFF_CT_IPV6_SRC);
	show_field(s, OFF_CT_NW_DST);
	show_field(s, OFF_CT_IPV6_DST);
	show_plain(s, OFF_CT_NW_PROTO);
	show_dec(s, "ct_tp_src", OFF_CT_TP_SRC);
	show_dec(s, "ct_tp_dst", OFF_CT_TP_DST);
	if (s->m->mask.packet_type)
		of_text_printf(s->t, "packet_type=(%u,0x%x),", host32(s->m->flow.packet_type) >> 16,
			       host32(s->m->flow.packet_type) & 0xffff);
}

/* The protocol's name stands for Ethernet type and, where it has one of its own, IP protocol.  Returns what is said. */
static const struct protocol *
show_protocol(const struct show *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		const struct protocol *p = &protocols[i];

		if (s->m->mask.dl_type && s->dl_type == p->dl_type && (!p->nw_proto || s->nw_proto == p->nw_proto)) {
			of_text_printf(s->t, "%s,", p->name);
			return p;
		}
	}
	return NULL;
}

static void
show_tunnel(const struct show *s)
{
	for (unsigned f = OFF_REG0; f <= OFF_REG15; f++)
		show_hex(s, f);
	show_hex(s, OFF_TUN_ID);
	show_field(s, OFF_TUN_SRC);
	show_field(s, OFF_TUN_DST);
	show_field(s, OFF_TUN_IPV6_SRC);
	show_field(s, OFF_TUN_IPV6_DST);
	show_dec(s, "tun_gbp_id", OFF_TUN_GBP_ID);
	if (s->m->mask.tun_gbp_flags)
		of_text_printf(s->t, "tun_gbp_flags=%#x,", s->m->flow.tun_gbp_flags);
	show_hex(s, OFF_TUN_TOS);
	show_dec(s, "tun_ttl", OFF_TUN_TTL);
	for (unsigned i = 0; i < OF_TUN_MD_MAX; i++) {
		if (s->m->mask.tun_md[i])
			show_field(s, OFF_TUN_METADATA0 + i);
		else if (s->m->mask.tun_md_present >> i & 1)
			of_text_printf(s->t, "%s,", of_field_info[OFF_TUN_METADATA0 + i].name);
	}
	show_flags(s, OFF_TUN_FLAGS);
	show_hex(s, OFF_METADATA);
	show_field(s, OFF_IN_PORT);
	show_field(s, OFF_IN_PHY_PORT);
}

static void
show_vlan(const struct show *s)
{
	uint16_t tci = host16(s->m->flow.vlan[0].tci), mask = host16(s->m->mask.vlan[0].tci);
	uint16_t vid = mask & 0xfff, pcp = mask & 0xe000;

	if (!mask)
		return;
	if (mask & tci & OFLOW_VLAN_PRESENT && (!vid || vid == 0xfff) && (!pcp || pcp == 0xe000) && (vid || pcp)) {
		if (vid)
			of_text_printf(s->t, "dl_vlan=%u,", tci & 0xfff);
		if (pcp)
			of_text_printf(s->t, "dl_vlan_pcp=%u,", tci >> 13);
	} else if (mask == 0xffff) {
		of_text_printf(s->t, "vlan_tci=0x%04x,", tci);
	} else {
		of_text_printf(s->t, "vlan_tci=0x%04x/0x%04x,", tci, mask);
	}
}

static void
show_addresses(const struct show *s, const struct protocol *p)
{
	uint32_t label = host32(s->m->flow.ipv6_label), mask = host32(s->m->mask.ipv6_label);
	bool arp = s->dl_type == 0x0806 || s->dl_type == 0x8035;

	show_as(s, "dl_src", OFF_ETH_SRC);
	show_as(s, "dl_dst", OFF_ETH_DST);
	if (!p && s->m->mask.dl_type)
		of_text_printf(s->t, "dl_type=0x%04x,", s->dl_type);
	show_hex(s, OFF_PBB_ISID);
	show_plain(s, OFF_PBB_UCA);
	show_field(s, OFF_IPV6_SRC);
	show_field(s, OFF_IPV6_DST);
	if (mask == 0xfffff)
		of_text_printf(s->t, "ipv6_label=0x%05x,", label);
	else if (mask)
		of_text_printf(s->t, "ipv6_label=0x%05x/0x%05x,", label, mask);
	show_hex(s, OFF_IPV6_EXTHDR);
	show_field(s, arp ? OFF_ARP_SPA : OFF_NW_SRC);
	show_field(s, arp ? OFF_ARP_TPA : OFF_NW_DST);
	if (s->nw_proto >= 0 && !(p && p->nw_proto))
		of_text_printf(s->t, "nw_proto=%d,", s->nw_proto);
	show_plain(s, OFF_ARP_OP);
	show_field(s, OFF_ARP_SHA);
	show_field(s, OFF_ARP_THA);
}

static void
show_ip(const struct show *s)
{
	if (s->m->mask.nw_tos & 0xfc)
		of_text_printf(s->t, "nw_tos=%u,", s->m->flow.nw_tos & 0xfc);
	show_plain(s, OFF_NW_ECN);
	show_plain(s, OFF_NW_TTL);
	show_plain(s, OFF_MPLS_LABEL);
	show_plain(s, OFF_MPLS_TC);
	show_plain(s, OFF_MPLS_TTL);
	show_plain(s, OFF_MPLS_BOS);
	if (s->m->mask.nw_frag & 3)
		show_as(s, "nw_frag", OFF_IP_FRAG);
}

static void
show_transport(const struct show *s)
{
	bool icmp6 = s->dl_type == 0x86dd && s->nw_proto == 58;

	if (icmp6 || (s->dl_type == 0x0800 && s->nw_proto == 1)) {
		show_dec(s, "icmp_type", OFF_ICMP_TYPE);
		show_dec(s, "icmp_code", OFF_ICMP_CODE);
		show_field(s, OFF_ND_TARGET);
		show_field(s, OFF_ND_SLL);
		show_field(s, OFF_ND_TLL);
	} else {
		show_dec(s, "tp_src", OFF_TCP_SRC);
		show_dec(s, "tp_dst", OFF_TCP_DST);
	}
	show_flags(s, OFF_TCP_FLAGS);
}

void
of_print_match(struct of_text *t, const struct omatch *m, const struct of_names *names)
{
	size_t start = t->len;
	struct show s = { .t = t, .m = m, .names = names, .dl_type = m->mask.dl_type ? host16(m->flow.dl_type) : 0,
			  .nw_proto = m->mask.nw_proto ? m->flow.nw_proto : -1 };
	const struct protocol *p;

	show_pipeline(&s);
	p = show_protocol(&s);
	show_tunnel(&s);
	show_vlan(&s);
	show_addresses(&s, p);
	show_ip(&s);
	show_transport(&s);
	if (t->len > start)
		of_text_chomp(t, ',');
}

void
of_print_prio_match(struct of_text *t, uint16_t priority, const struct omatch *m, const struct of_names *names)
{
	size_t start;

	if (priority != DEFAULT_PRIORITY)
		of_text_printf(t, "priority=%u,", priority);
	start = t->len;
	of_print_match(t, m, names);
	if (t->len == start)
		of_text_chomp(t, ',');
}

/* Marks a field as said, when it says something. */
static void
say(struct omatch *m, enum of_field f)
{
	static const uint8_t none[OF_VALUE_MAX];
	uint8_t value[OF_VALUE_MAX];

	of_field_get(f, &m->flow, value);
	if (memcmp(value, none, of_field_bytes(f)))
		of_field_examine(f, &m->mask);
}

void
of_print_key(struct of_text *t, const struct oflow *key, const struct of_names *names)
{
	struct omatch m = { .flow = *key };
	static const uint8_t always[] = { OFF_ETH_DST, OFF_ETH_SRC, OFF_ETH_TYPE };

	/* The wider registers are the same as the narrow ones. */
	for (unsigned f = 0; f < OFF_XREG0; f++)
		if (of_need_has(of_field_info[f].needs, key) && f != OFF_VLAN_PCP)
			say(&m, f);
	for (unsigned i = 0; i < ARRAY_SIZE(always); i++)
		of_field_examine(always[i], &m.mask);
	if (key->in_port == be32((uint32_t)OFPP_ANY))
		m.mask.in_port = 0;
	if (of_need_has(OF_NEED_IP, key))
		of_field_examine(OFF_NW_PROTO, &m.mask);
	if (of_need_has(OF_NEED_IPV4, key) || of_need_has(OF_NEED_ARP, key))
		m.mask.nw_src = m.mask.nw_dst = 0xffffffff;
	if (of_need_has(OF_NEED_ICMP, key) || of_need_has(OF_NEED_ICMP6, key))
		m.mask.tp_src = m.mask.tp_dst = be16(0xff);
	of_print_match(t, &m, names);
}
