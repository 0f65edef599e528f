/* SPDX-License-Identifier: Apache-2.0 */
/* Values of fields as text, each kind in its own form; see text.h. */
#include "ofproto/text_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

/* --- Flags -------------------------------------------------------------------------------------- */

static const struct tx_flag tcp_flags[] = {
	{ "fin", 0x001 }, { "syn", 0x002 }, { "rst", 0x004 }, { "psh", 0x008 }, { "ack", 0x010 }, { "urg", 0x020 },
	{ "ece", 0x040 }, { "cwr", 0x080 }, { "ns", 0x100 }, { "[200]", 0x200 }, { "[400]", 0x400 }, { "[800]", 0x800 },
	{ NULL, 0 },
};
static const struct tx_flag tun_flags[] = { { "oam", 0x01 }, { NULL, 0 } };
static const struct tx_flag ct_flags[] = {
	{ "new", 0x01 }, { "est", 0x02 }, { "rel", 0x04 }, { "rpl", 0x08 }, { "inv", 0x10 }, { "trk", 0x20 },
	{ "snat", 0x40 }, { "dnat", 0x80 }, { NULL, 0 },
};

static const struct tx_flag *
flags_of(enum of_field f, uint32_t *all)
{
	const struct tx_flag *flags = of_field_info[f].form == OF_FORM_TCPFLAGS ? tcp_flags :
				      of_field_info[f].form == OF_FORM_TUNFLAGS ? tun_flags : ct_flags;

	*all = 0;
	for (const struct tx_flag *i = flags; i->name; i++)
		*all |= i->bit;
	return flags;
}

static const char *
flag_name(const struct tx_flag *flags, uint32_t bit)
{
	for (; flags->name; flags++)
		if (flags->bit == bit)
			return flags->name;
	return NULL;
}

void
tx_put_flags(struct of_text *t, enum of_field f, uint32_t value, uint32_t mask)
{
	uint32_t all, rest;
	const struct tx_flag *flags = flags_of(f, &all);
	const char *name;

	if ((mask & all) == all) {
		if (!value)
			of_text_puts(t, "0");
		for (uint32_t bit = 1; bit; bit <<= 1)
			if (value & bit & all)
				of_text_printf(t, "%s|", flag_name(flags, bit));
		if (value & ~all)
			of_text_printf(t, "0x%x|", value & ~all);
		of_text_chomp(t, '|');
		return;
	}
	rest = mask & all;
	if (!rest)
		of_text_puts(t, "0/0");
	for (uint32_t bit = 1; rest; bit <<= 1) {
		if (!(rest & bit))
			continue;
		name = flag_name(flags, bit);
		of_text_printf(t, "%c%s", value & bit ? '+' : '-', name);
		rest &= ~bit;
	}
}

static int
flag_bit(const struct tx *x, const struct tx_flag *flags, struct tx_str word, uint32_t *bit)
{
	const char *words[16];
	unsigned n = 0;

	for (const struct tx_flag *f = flags; f->name; f++) {
		if (tx_is(word, f->name)) {
			*bit = f->bit;
			return 0;
		}
		words[n++] = f->name;
	}
	words[n] = NULL;
	return tx_bad_word(x, word, "flag", words);
}

/* "+syn-ack" */
static int
signed_flags(const struct tx *x, const struct tx_flag *flags, struct tx_str s, uint32_t *value, uint32_t *mask)
{
	*value = *mask = 0;
	while (s.n) {
		struct tx_str word = tx_str(s.s + 1, 0);
		uint32_t bit = 0;
		int rc;

		while (word.n + 1 < s.n && word.s[word.n] != '+' && word.s[word.n] != '-')
			word.n++;
		rc = flag_bit(x, flags, word, &bit);
		if (rc)
			return rc;
		if (*mask & bit)
			return tx_bad(x, word.s, "flag '%.*s' is there twice", (int)word.n, word.s);
		*mask |= bit;
		if (s.s[0] == '+')
			*value |= bit;
		s = tx_str(word.s + word.n, s.n - word.n - 1);
	}
	return 0;
}

/* "+syn-ack", "syn|ack", "0x12" or "0x12/0x3f" */
static int
parse_flags(const struct tx *x, enum of_field f, struct tx_str s, uint32_t *value, uint32_t *mask)
{
	uint32_t all, bit, max = of_field_info[f].bits < 32 ? (1u << of_field_info[f].bits) - 1 : UINT32_MAX;
	const struct tx_flag *flags = flags_of(f, &all);
	struct tx_str v, m;
	int rc = 0;

	if (s.n && (s.s[0] == '+' || s.s[0] == '-'))
		return signed_flags(x, flags, s, value, mask);
	if (tx_split(s, '/', &v, &m)) {
		rc = tx_u32(x, v, of_field_info[f].name, value);
		if (!rc)
			rc = tx_u32(x, m, of_field_info[f].name, mask);
		if (!rc && ((*value | *mask) & ~all))
			rc = tx_bad(x, s.s, "%s has no flags beyond 0x%x", of_field_info[f].name, all);
		return rc;
	}
	*value = 0;
	*mask = max;
	if (!s.n)
		return tx_bad(x, s.s, "%s: a value is missing", of_field_info[f].name);
	while (!rc && s.n) {
		tx_split(s, '|', &v, &s);
		bit = 0;
		if (v.n && isdigit((unsigned char)v.s[0]))
			rc = tx_u32(x, v, of_field_info[f].name, &bit);
		else
			rc = flag_bit(x, flags, v, &bit);
		if (!rc && (bit & ~all))
			rc = tx_bad(x, v.s, "%s has no flags beyond 0x%x", of_field_info[f].name, all);
		*value |= bit;
	}
	return rc;
}

static const struct {
	const char *name;
	uint8_t mask, value;
} frags[] = {
	{ "no", 3, 0 }, { "first", 3, OFLOW_FRAG_ANY }, { "later", 3, OFLOW_FRAG_ANY | OFLOW_FRAG_LATER },
	{ "no", OFLOW_FRAG_ANY, 0 }, { "yes", OFLOW_FRAG_ANY, OFLOW_FRAG_ANY },
	{ "not_later", OFLOW_FRAG_LATER, 0 }, { "later", OFLOW_FRAG_LATER, OFLOW_FRAG_LATER },
};

static int
parse_frag(const struct tx *x, struct tx_str s, uint8_t *value, uint8_t *mask)
{
	static const char *const words[] = { "no", "first", "later", "yes", "not_later", NULL };

	for (unsigned i = 0; i < ARRAY_SIZE(frags); i++)
		if (tx_is_nocase(s, frags[i].name)) {
			*value = frags[i].value;
			*mask = frags[i].mask;
			return 0;
		}
	return tx_bad_word(x, s, "kind of fragment", words);
}

static void
put_frag(struct of_text *t, uint8_t value, uint8_t mask)
{
	for (unsigned i = 0; i < ARRAY_SIZE(frags); i++)
		if (frags[i].mask == (mask & 3) && frags[i].value == (value & mask & 3)) {
			of_text_puts(t, frags[i].name);
			return;
		}
	of_text_puts(t, "<error>");
}

/* --- Values ------------------------------------------------------------------------------------- */

void
tx_field_ones(enum of_field f, uint8_t mask[OF_VALUE_MAX])
{
	unsigned n = of_field_bytes(f), odd = of_field_info[f].bits % 8;

	memset(mask, 0, OF_VALUE_MAX);
	memset(mask, 0xff, n);
	if (odd)
		mask[0] = (uint8_t)((1u << odd) - 1);
}

bool
tx_is_ones(enum of_field f, const uint8_t *mask)
{
	uint8_t ones[OF_VALUE_MAX];

	tx_field_ones(f, ones);
	return !memcmp(ones, mask, of_field_bytes(f));
}

/* Length of the prefix that the mask of 'n' bytes is; -1: it is none. */
static int
prefix_len(const uint8_t *mask, unsigned n)
{
	unsigned bits = 0;

	while (bits < n * 8 && mask[bits / 8] >> (7 - bits % 8) & 1)
		bits++;
	for (unsigned i = bits; i < n * 8; i++)
		if (mask[i / 8] >> (7 - i % 8) & 1)
			return -1;
	return (int)bits;
}

static void
put_ip(struct of_text *t, int family, const uint8_t *value, const uint8_t *mask)
{
	unsigned n = family == AF_INET ? 4 : 16;
	char buf[INET6_ADDRSTRLEN];
	int prefix = mask ? prefix_len(mask, n) : (int)n * 8;

	of_text_puts(t, inet_ntop(family, value, buf, sizeof buf));
	if (prefix == (int)n * 8)
		return;
	if (prefix >= 0)
		of_text_printf(t, "/%d", prefix);
	else
		of_text_printf(t, "/%s", inet_ntop(family, mask, buf, sizeof buf));
}

static void
put_mac(struct of_text *t, const uint8_t *b)
{
	of_text_printf(t, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static uint32_t
be_u32(const uint8_t *b, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static uint64_t
be_u64(const uint8_t *b, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static void
put_number(struct of_text *t, bool hex, const uint8_t *value, const uint8_t *mask, unsigned n)
{
	if (hex)
		tx_put_hex(t, value, n);
	else
		of_text_printf(t, "%llu", (unsigned long long)be_u64(value, n));
	if (mask) {
		of_text_puts(t, "/");
		tx_put_hex(t, mask, n);
	}
}

void
of_print_value(struct of_text *t, enum of_field f, const uint8_t *value, const uint8_t *mask,
	       const struct of_names *names)
{
	static const uint8_t none[OF_VALUE_MAX];
	unsigned n = of_field_bytes(f);
	uint8_t form = of_field_info[f].form;

	if (mask && !memcmp(mask, none, n)) {
		of_text_puts(t, "ANY");
		return;
	}
	if (mask && tx_is_ones(f, mask))
		mask = NULL;
	switch (form) {
	case OF_FORM_PORT:
		if (mask)
			put_number(t, false, value, mask, n);
		else
			of_print_port(t, be_u32(value, 4), names);
		break;
	case OF_FORM_MAC:
		put_mac(t, value);
		if (mask) {
			of_text_puts(t, "/");
			put_mac(t, mask);
		}
		break;
	case OF_FORM_IPV4:
		put_ip(t, AF_INET, value, mask);
		break;
	case OF_FORM_IPV6:
		put_ip(t, AF_INET6, value, mask);
		break;
	case OF_FORM_FRAG:
		put_frag(t, value[0], mask ? mask[0] : 3);
		break;
	case OF_FORM_TCPFLAGS:
	case OF_FORM_TUNFLAGS:
	case OF_FORM_CTSTATE:
		tx_put_flags(t, f, be_u32(value, n), mask ? be_u32(mask, n) : UINT32_MAX);
		break;
	default:
		put_number(t, form == OF_FORM_HEX || form == OF_FORM_ETHTYPE, value, mask, n);
	}
}

static void
put_be(uint8_t *out, unsigned n, uint32_t v)
{
	for (unsigned i = 0; i < n; i++)
		out[n - 1 - i] = (uint8_t)(v >> 8 * i);
}

/* An address with "/24" or "/255.255.255.0" after it, or nothing. */
static int
parse_ip(const struct tx *x, int family, struct tx_str s, uint8_t *value, uint8_t *mask)
{
	unsigned n = family == AF_INET ? 4 : 16;
	struct tx_str a, m;
	char buf[INET6_ADDRSTRLEN + 1];
	uint64_t len;
	int rc;

	memset(mask, 0xff, n);
	rc = tx_split(s, '/', &a, &m);
	if (!tx_copy(a, buf, sizeof buf) || inet_pton(family, buf, value) != 1)
		return tx_bad(x, a.s, "'%.*s' is not an IPv%c address", (int)MIN_OF(a.n, 60u), a.s,
			      family == AF_INET ? '4' : '6');
	if (!rc)
		return 0;
	if (m.n && (memchr(m.s, '.', m.n) || memchr(m.s, ':', m.n))) {
		if (!tx_copy(m, buf, sizeof buf) || inet_pton(family, buf, mask) != 1)
			return tx_bad(x, m.s, "'%.*s' is not a mask", (int)MIN_OF(m.n, 60u), m.s);
		return 0;
	}
	rc = tx_u64(x, m, "prefix", n * 8, &len);
	for (unsigned i = 0; !rc && i < n * 8; i++)
		if (i >= len)
			mask[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	return rc;
}

static int
parse_number(const struct tx *x, enum of_field f, struct tx_str s, uint8_t *value, uint8_t *mask)
{
	const char *name = of_field_info[f].name;
	struct tx_str v, m;
	bool masked = tx_split(s, '/', &v, &m);
	int rc = tx_be(x, v, name, of_field_info[f].bits, value);

	if (!rc && masked)
		rc = tx_be(x, m, name, of_field_info[f].bits, mask);
	return rc;
}

/* "(ns,type)" */
static int
parse_packet_type(const struct tx *x, struct tx_str s, uint8_t *value)
{
	struct tx_str ns, type;
	uint16_t a, b;
	int rc;

	if (s.n < 2 || s.s[0] != '(' || s.s[s.n - 1] != ')' ||
	    !tx_split(tx_str(s.s + 1, s.n - 2), ',', &ns, &type))
		return tx_bad(x, s.s, "packet_type: expected (NAMESPACE,TYPE)");
	rc = tx_u16(x, tx_trim(ns), "packet_type", &a);
	if (!rc)
		rc = tx_u16(x, tx_trim(type), "packet_type", &b);
	if (!rc)
		put_be(value, 4, (uint32_t)a << 16 | b);
	return rc;
}

int
tx_value(const struct tx *x, enum of_field f, struct tx_str s, uint8_t *value, uint8_t *mask)
{
	unsigned n = of_field_bytes(f);
	struct tx_str v, m;
	uint32_t flags, flags_mask, port;
	bool masked;
	int rc;

	memset(value, 0, OF_VALUE_MAX);
	tx_field_ones(f, mask);
	if (!s.n)
		return tx_bad(x, s.s, "%s: a value is missing", of_field_info[f].name);
	if (f == OFF_PACKET_TYPE)
		return parse_packet_type(x, s, value);
	switch (of_field_info[f].form) {
	case OF_FORM_PORT:
		rc = tx_port(x, s, of_field_info[f].name, &port);
		if (!rc)
			put_be(value, 4, port);
		return rc;
	case OF_FORM_MAC:
		masked = tx_split(s, '/', &v, &m);
		rc = tx_mac(x, v, (struct mac *)value);
		return !rc && masked ? tx_mac(x, m, (struct mac *)mask) : rc;
	case OF_FORM_IPV4:
		return parse_ip(x, AF_INET, s, value, mask);
	case OF_FORM_IPV6:
		return parse_ip(x, AF_INET6, s, value, mask);
	case OF_FORM_FRAG:
		return parse_frag(x, s, value, mask);
	case OF_FORM_TCPFLAGS:
	case OF_FORM_TUNFLAGS:
	case OF_FORM_CTSTATE:
		rc = parse_flags(x, f, s, &flags, &flags_mask);
		if (!rc) {
			put_be(value, n, flags);
			put_be(mask, n, flags_mask);
		}
		return rc;
	default:
		return parse_number(x, f, s, value, mask);
	}
}

int
of_parse_value(enum of_field f, const char *s, size_t len, const struct of_names *names, uint8_t value[OF_VALUE_MAX],
	       uint8_t mask[OF_VALUE_MAX], struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };

	return tx_value(&x, f, tx_str(s, len), value, mask);
}
