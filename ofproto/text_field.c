/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and fields by their names, runs of bits of fields; see text.h. */
#include "ofproto/text_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* --- Ports -------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t port;
} reserved[] = {
	{ "IN_PORT", (uint32_t)OFPP_IN_PORT }, { "TABLE", (uint32_t)OFPP_TABLE }, { "NORMAL", (uint32_t)OFPP_NORMAL },
	{ "FLOOD", (uint32_t)OFPP_FLOOD }, { "ALL", (uint32_t)OFPP_ALL },
	{ "CONTROLLER", (uint32_t)OFPP_CONTROLLER }, { "LOCAL", (uint32_t)OFPP_LOCAL }, { "ANY", (uint32_t)OFPP_ANY },
	{ "UNSET", (uint32_t)OFPP_UNSET }, { "NONE", (uint32_t)OFPP_ANY },
};

/* Names that would not read back as one word are quoted. */
static bool
is_plain(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-.", *p))
			return false;
	return true;
}

void
of_print_port(struct of_text *t, uint32_t port, const struct of_names *names)
{
	const char *name = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		if (reserved[i].port == port) {
			of_text_puts(t, reserved[i].name);
			return;
		}
	if (names && names->port_name)
		name = names->port_name(names->arg, port);
	if (!name) {
		of_text_printf(t, "%u", port);
		return;
	}
	if (is_plain(name)) {
		of_text_puts(t, name);
		return;
	}
	of_text_puts(t, "\"");
	for (const char *p = name; *p; p++)
		of_text_printf(t, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	of_text_puts(t, "\"");
}

/* 16-bit numbers of the reserved ports (OpenFlow 1.0's) are read as well. */
static bool
port_number(struct tx_str s, uint32_t *port)
{
	uint64_t v = 0;

	if (!s.n || s.n > 10)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!isdigit((unsigned char)s.s[i]))
			return false;
		v = v * 10 + (uint64_t)(s.s[i] - '0');
	}
	if (v >= 0xff00 && v <= 0xffff)
		v += 0xffff0000;
	if (v > UINT32_MAX || (v > 0xffff && v < (uint32_t)OFPP_MAX))
		return false;
	*port = (uint32_t)v;
	return true;
}

static bool
unquote(struct tx_str s, char *buf, size_t len)
{
	size_t n = 0;

	if (s.n < 2 || s.s[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i < s.n - 1; i++) {
		if (s.s[i] == '\\' && i + 1 < s.n - 1)
			i++;
		if (n + 1 >= len || !s.s[i])
			return false;
		buf[n++] = s.s[i];
	}
	buf[n] = '\0';
	return true;
}

bool
of_parse_port(const char *s, size_t len, const struct of_names *names, uint32_t *port)
{
	struct tx_str t = tx_str(s, len);
	char buf[256];

	if (port_number(t, port))
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		if (tx_is_nocase(t, reserved[i].name)) {
			*port = reserved[i].port;
			return true;
		}
	if (!names || !names->port_no || !t.n)
		return false;
	if (!(s[0] == '"' ? unquote(t, buf, sizeof buf) : tx_copy(t, buf, sizeof buf)))
		return false;
	return names->port_no(names->arg, buf, port);
}

int
tx_port(const struct tx *x, struct tx_str s, const char *what, uint32_t *port)
{
	if (of_parse_port(s.s, s.n, x->names, port))
		return 0;
	if (!s.n)
		return tx_bad(x, s.s, "%s: a port is missing", what);
	return tx_bad(x, s.s, "%s: unknown port '%.*s'", what, (int)MIN_OF(s.n, 60u), s.s);
}

/* --- Names of fields ---------------------------------------------------------------------------- */

/* Wire names; a field's first one is what runs of bits are shown under.  Registers are computed. */
static const struct {
	const char *name;
	uint8_t field;
} symbols[] = {
	{ "NXM_OF_IN_PORT", OFF_IN_PORT }, { "OXM_OF_IN_PORT", OFF_IN_PORT },
	{ "OXM_OF_IN_PHY_PORT", OFF_IN_PHY_PORT }, { "OXM_OF_METADATA", OFF_METADATA },
	{ "NXM_OF_ETH_DST", OFF_ETH_DST }, { "OXM_OF_ETH_DST", OFF_ETH_DST },
	{ "NXM_OF_ETH_SRC", OFF_ETH_SRC }, { "OXM_OF_ETH_SRC", OFF_ETH_SRC },
	{ "NXM_OF_ETH_TYPE", OFF_ETH_TYPE }, { "OXM_OF_ETH_TYPE", OFF_ETH_TYPE },
	{ "NXM_OF_VLAN_TCI", OFF_VLAN_TCI }, { "OXM_OF_VLAN_VID", OFF_VLAN_VID },
	{ "OXM_OF_VLAN_PCP", OFF_VLAN_PCP }, { "OXM_OF_IP_DSCP", OFF_IP_DSCP }, { "NXM_OF_IP_TOS", OFF_NW_TOS },
	{ "NXM_NX_IP_ECN", OFF_NW_ECN }, { "OXM_OF_IP_ECN", OFF_NW_ECN },
	{ "NXM_OF_IP_PROTO", OFF_NW_PROTO }, { "OXM_OF_IP_PROTO", OFF_NW_PROTO },
	{ "NXM_NX_IP_TTL", OFF_NW_TTL }, { "NXM_NX_IP_FRAG", OFF_IP_FRAG },
	{ "NXM_OF_IP_SRC", OFF_NW_SRC }, { "OXM_OF_IPV4_SRC", OFF_NW_SRC },
	{ "NXM_OF_IP_DST", OFF_NW_DST }, { "OXM_OF_IPV4_DST", OFF_NW_DST },
	{ "NXM_OF_TCP_SRC", OFF_TCP_SRC }, { "OXM_OF_TCP_SRC", OFF_TCP_SRC },
	{ "NXM_OF_TCP_DST", OFF_TCP_DST }, { "OXM_OF_TCP_DST", OFF_TCP_DST },
	{ "NXM_OF_UDP_SRC", OFF_UDP_SRC }, { "OXM_OF_UDP_SRC", OFF_UDP_SRC },
	{ "NXM_OF_UDP_DST", OFF_UDP_DST }, { "OXM_OF_UDP_DST", OFF_UDP_DST },
	{ "OXM_OF_SCTP_SRC", OFF_SCTP_SRC }, { "OXM_OF_SCTP_DST", OFF_SCTP_DST },
	{ "NXM_NX_TCP_FLAGS", OFF_TCP_FLAGS }, { "ONFOXM_ET_TCP_FLAGS", OFF_TCP_FLAGS },
	{ "OXM_OF_TCP_FLAGS", OFF_TCP_FLAGS },
	{ "NXM_OF_ICMP_TYPE", OFF_ICMP_TYPE }, { "OXM_OF_ICMPV4_TYPE", OFF_ICMP_TYPE },
	{ "NXM_OF_ICMP_CODE", OFF_ICMP_CODE }, { "OXM_OF_ICMPV4_CODE", OFF_ICMP_CODE },
	{ "NXM_OF_ARP_OP", OFF_ARP_OP }, { "OXM_OF_ARP_OP", OFF_ARP_OP },
	{ "NXM_OF_ARP_SPA", OFF_ARP_SPA }, { "OXM_OF_ARP_SPA", OFF_ARP_SPA },
	{ "NXM_OF_ARP_TPA", OFF_ARP_TPA }, { "OXM_OF_ARP_TPA", OFF_ARP_TPA },
	{ "NXM_NX_ARP_SHA", OFF_ARP_SHA }, { "OXM_OF_ARP_SHA", OFF_ARP_SHA },
	{ "NXM_NX_ARP_THA", OFF_ARP_THA }, { "OXM_OF_ARP_THA", OFF_ARP_THA },
	{ "NXM_NX_IPV6_SRC", OFF_IPV6_SRC }, { "OXM_OF_IPV6_SRC", OFF_IPV6_SRC },
	{ "NXM_NX_IPV6_DST", OFF_IPV6_DST }, { "OXM_OF_IPV6_DST", OFF_IPV6_DST },
	{ "NXM_NX_IPV6_LABEL", OFF_IPV6_LABEL }, { "OXM_OF_IPV6_FLABEL", OFF_IPV6_LABEL },
	{ "NXM_NX_ICMPV6_TYPE", OFF_ICMPV6_TYPE }, { "OXM_OF_ICMPV6_TYPE", OFF_ICMPV6_TYPE },
	{ "NXM_NX_ICMPV6_CODE", OFF_ICMPV6_CODE }, { "OXM_OF_ICMPV6_CODE", OFF_ICMPV6_CODE },
	{ "NXM_NX_ND_TARGET", OFF_ND_TARGET }, { "OXM_OF_IPV6_ND_TARGET", OFF_ND_TARGET },
	{ "NXM_NX_ND_SLL", OFF_ND_SLL }, { "OXM_OF_IPV6_ND_SLL", OFF_ND_SLL },
	{ "NXM_NX_ND_TLL", OFF_ND_TLL }, { "OXM_OF_IPV6_ND_TLL", OFF_ND_TLL },
	{ "OXM_OF_MPLS_LABEL", OFF_MPLS_LABEL }, { "OXM_OF_MPLS_TC", OFF_MPLS_TC },
	{ "OXM_OF_MPLS_BOS", OFF_MPLS_BOS }, { "NXM_NX_MPLS_TTL", OFF_MPLS_TTL },
	{ "OXM_OF_PBB_ISID", OFF_PBB_ISID }, { "OXM_OF_PBB_UCA", OFF_PBB_UCA },
	{ "NXM_NX_TUN_ID", OFF_TUN_ID }, { "OXM_OF_TUNNEL_ID", OFF_TUN_ID },
	{ "OXM_OF_IPV6_EXTHDR", OFF_IPV6_EXTHDR },
	{ "ONFOXM_ET_ACTSET_OUTPUT", OFF_ACTSET_OUTPUT }, { "OXM_OF_ACTSET_OUTPUT", OFF_ACTSET_OUTPUT },
	{ "OXM_OF_PACKET_TYPE", OFF_PACKET_TYPE },
	{ "NXM_NX_TUN_IPV4_SRC", OFF_TUN_SRC }, { "NXM_NX_TUN_IPV4_DST", OFF_TUN_DST },
	{ "NXM_NX_TUN_IPV6_SRC", OFF_TUN_IPV6_SRC }, { "NXM_NX_TUN_IPV6_DST", OFF_TUN_IPV6_DST },
	{ "NXM_NX_TUN_GBP_ID", OFF_TUN_GBP_ID }, { "NXM_NX_TUN_GBP_FLAGS", OFF_TUN_GBP_FLAGS },
	{ "NXM_NX_TUN_METADATA0", OFF_TUN_METADATA0 }, { "NXM_NX_TUN_METADATA1", OFF_TUN_METADATA1 },
	{ "NXM_NX_TUN_METADATA2", OFF_TUN_METADATA2 }, { "NXM_NX_TUN_METADATA3", OFF_TUN_METADATA3 },
	{ "NXM_NX_TUN_METADATA4", OFF_TUN_METADATA4 }, { "NXM_NX_TUN_METADATA5", OFF_TUN_METADATA5 },
	{ "NXM_NX_TUN_METADATA6", OFF_TUN_METADATA6 }, { "NXM_NX_TUN_METADATA7", OFF_TUN_METADATA7 },
	{ "NXM_NX_TUN_FLAGS", OFF_TUN_FLAGS }, { "NXM_NX_PKT_MARK", OFF_PKT_MARK }, { "NXM_NX_CONJ_ID", OFF_CONJ_ID },
	{ "NXM_NX_CT_STATE", OFF_CT_STATE }, { "NXM_NX_CT_ZONE", OFF_CT_ZONE }, { "NXM_NX_CT_MARK", OFF_CT_MARK },
	{ "NXM_NX_CT_LABEL", OFF_CT_LABEL }, { "NXM_NX_CT_NW_PROTO", OFF_CT_NW_PROTO },
	{ "NXM_NX_CT_NW_SRC", OFF_CT_NW_SRC }, { "NXM_NX_CT_NW_DST", OFF_CT_NW_DST },
	{ "NXM_NX_CT_IPV6_SRC", OFF_CT_IPV6_SRC }, { "NXM_NX_CT_IPV6_DST", OFF_CT_IPV6_DST },
	{ "NXM_NX_CT_TP_SRC", OFF_CT_TP_SRC }, { "NXM_NX_CT_TP_DST", OFF_CT_TP_DST },
};

/* Names that ovs-ofctl has besides those in fields.txt. */
static const struct {
	const char *name;
	uint8_t field;
} aliases[] = {
	{ "tp_src", OFF_TCP_SRC }, { "tp_dst", OFF_TCP_DST }, { "dl_vlan", OFF_VLAN_VID },
	{ "in_port_oxm", OFF_IN_PORT },
};

enum of_field
tx_field(struct tx_str name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (tx_is(name, aliases[i].name))
			return aliases[i].field;
	return name.n ? of_field_find(name.s, name.n) : OFF_NONE;
}

static void
register_symbol(enum of_field f, char buf[32])
{
	if (f >= OFF_REG0 && f <= OFF_REG15)
		snprintf(buf, 32, "NXM_NX_REG%u", f - OFF_REG0);
	else if (f >= OFF_XREG0 && f <= OFF_XREG7)
		snprintf(buf, 32, "OXM_OF_PKT_REG%u", f - OFF_XREG0);
	else if (f >= OFF_XXREG0 && f <= OFF_XXREG3)
		snprintf(buf, 32, "NXM_NX_XXREG%u", f - OFF_XXREG0);
	else
		snprintf(buf, 32, "%s", of_field_info[f].name);
}

static enum of_field
symbol_field(struct tx_str name)
{
	char buf[32];

	for (unsigned i = 0; i < ARRAY_SIZE(symbols); i++)
		if (tx_is(name, symbols[i].name))
			return symbols[i].field;
	for (unsigned f = OFF_REG0; f <= OFF_XXREG3; f++) {
		register_symbol(f, buf);
		if (tx_is(name, buf))
			return f;
	}
	return OFF_NONE;
}

bool
tx_is_md(struct tx_str name)
{
	static const char md[] = "tun_metadata";

	return name.n > sizeof md - 1 && !memcmp(name.s, md, sizeof md - 1);
}

int
tx_bad_field(const struct tx *x, struct tx_str name)
{
	const char *words[OFF_N_NAMES + ARRAY_SIZE(aliases) + ARRAY_SIZE(symbols) + 1];
	unsigned n = 0;

	if (tx_is_md(name))
		return tx_bad(x, name.s, "%.*s: Geneve options are tun_metadata0 to %d", (int)MIN_OF(name.n, 60u), name.s,
			      OF_TUN_MD_MAX - 1);
	for (unsigned i = 0; i < OFF_N_NAMES; i++)
		words[n++] = of_field_name[i].name;
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		words[n++] = aliases[i].name;
	for (unsigned i = 0; i < ARRAY_SIZE(symbols); i++)
		words[n++] = symbols[i].name;
	words[n] = NULL;
	return tx_bad_word(x, name, "field", words);
}

const char *
tx_field_name(enum of_field f)
{
	switch (f) {
	case OFF_NW_SRC:
		return "ip_src";
	case OFF_NW_DST:
		return "ip_dst";
	default:
		return of_field_info[f].name;
	}
}

/* --- Runs of bits ------------------------------------------------------------------------------- */

/* How wide ovs-ofctl thinks a field is: what "[]" means. */
static unsigned
text_bits(enum of_field f)
{
	switch (f) {
	case OFF_IN_PORT:
		return 16;
	case OFF_VLAN_VID:
		return 12;
	case OFF_TUN_FLAGS:
		return 1;
	case OFF_IP_FRAG:
		return 2;
	default:
		return of_field_info[f].bits;
	}
}

void
of_print_sub(struct of_text *t, const struct of_sub *s)
{
	unsigned bits = text_bits(s->field);
	const char *name = NULL;
	char buf[32];

	for (unsigned i = 0; i < ARRAY_SIZE(symbols) && !name; i++)
		if (symbols[i].field == s->field)
			name = symbols[i].name;
	if (!name) {
		register_symbol(s->field, buf);
		name = buf;
	}
	/* The port has 16 bits in NXM, all of them in OXM. */
	if (s->field == OFF_IN_PORT && s->ofs + s->n_bits > 16) {
		name = "OXM_OF_IN_PORT";
		bits = 32;
	}
	of_text_puts(t, name);
	if (!s->ofs && s->n_bits == bits)
		of_text_puts(t, "[]");
	else if (s->n_bits == 1)
		of_text_printf(t, "[%u]", s->ofs);
	else
		of_text_printf(t, "[%u..%u]", s->ofs, s->ofs + s->n_bits - 1);
}

/* "", "[]", "[3]" or "[0..15]" */
static int
sub_range(const struct tx *x, struct tx_str range, unsigned bits, uint64_t *first, uint64_t *last)
{
	struct tx_str a, b;
	int rc;

	*first = 0;
	*last = bits - 1;
	if (!range.n || tx_is(range, "[]"))
		return 0;
	if (range.n < 3 || range.s[range.n - 1] != ']')
		return tx_bad(x, range.s, "expected [], [BIT] or [FIRST..LAST]");
	range = tx_str(range.s + 1, range.n - 2);
	if (!tx_split(range, '.', &a, &b)) {
		rc = tx_u64(x, a, "bit", 255, first);
		*last = *first;
		return rc;
	}
	if (!b.n || b.s[0] != '.')
		return tx_bad(x, range.s, "expected [], [BIT] or [FIRST..LAST]");
	rc = tx_u64(x, a, "bit", 255, first);
	return rc ? rc : tx_u64(x, tx_str(b.s + 1, b.n - 1), "bit", 255, last);
}

int
tx_sub(const struct tx *x, struct tx_str s, struct of_sub *sub)
{
	struct tx_str name = s, range;
	uint64_t first, last;
	enum of_field f;
	unsigned bits;
	int rc;

	s = tx_trim(s);
	name = s;
	for (name.n = 0; name.n < s.n && s.s[name.n] != '['; )
		name.n++;
	range = tx_str(s.s + name.n, s.n - name.n);
	f = symbol_field(name);
	if (f == OFF_NONE)
		f = tx_field(name);
	if (f == OFF_NONE)
		return tx_bad_field(x, name);
	bits = tx_is(name, "OXM_OF_IN_PORT") || tx_is(name, "in_port_oxm") ? 32 : text_bits(f);
	rc = sub_range(x, range, bits, &first, &last);
	if (rc)
		return rc;
	if (first > last)
		return tx_bad(x, range.s, "the first bit, %u, is after the last, %u", (unsigned)first, (unsigned)last);
	if (last >= of_field_info[f].bits)
		return tx_bad(x, range.s, "%.*s has bits 0 to %u", (int)MIN_OF(name.n, 60u), name.s,
			      of_field_info[f].bits - 1u);
	*sub = (struct of_sub){ .field = (uint8_t)f, .ofs = (uint8_t)first, .n_bits = (uint8_t)(last - first + 1) };
	return 0;
}

int
of_parse_sub(const char *s, size_t len, struct of_sub *sub, struct err *err)
{
	struct tx x = { .base = s, .err = err };

	return tx_sub(&x, tx_str(s, len), sub);
}
