/* SPDX-License-Identifier: Apache-2.0 */
/* Options as data: text to value and back. */
#include "base/opt_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A parsed value, before it is stored: 'conf' stays untouched when parsing fails half-way. */
union value {
	bool b;
	uint16_t u16;
	uint32_t u32;
	int e;
	struct mac mac;
	struct ipaddr ip;
	struct opt_ips ips;
	struct opt_vlans vlans;
	uint64_t rate;
	struct opt_macs macs;
	struct opt_prefixes prefixes;
	struct opt_strs strs;
	struct opt_map map;
	struct opt_ip_keys ip_keys;
};

const struct ipaddr opt_ip_word = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff } };

static const char *const true_names[] = { "true", "on", "yes", "1", NULL };
static const char *const false_names[] = { "false", "off", "no", "0", NULL };

bool
opt_vlans_empty(const struct opt_vlans *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++)
		if (s->bits[i])
			return false;
	return true;
}

static bool
has_prefix(const struct ipaddr *ip, const struct opt_prefix *p)
{
	unsigned n = p->len / 8;

	return !memcmp(ip->b, p->ip.b, n) && (p->len % 8 == 0 || !((ip->b[n] ^ p->ip.b[n]) >> (8 - p->len % 8)));
}

bool
opt_prefixes_have(const struct opt_prefixes *l, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < l->n; i++)
		if (has_prefix(ip, &l->p[i]))
			return true;
	return false;
}

static int
name_index(const char *const *names, const char *s)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], s))
			return i;
	return -1;
}

static size_t
value_len(const struct opt_desc *d)
{
	switch (d->kind) {
	case OPT_BOOL: return sizeof(bool);
	case OPT_U16: return sizeof(uint16_t);
	case OPT_U32:
	case OPT_U32_WORD: return sizeof(uint32_t);
	case OPT_STR: return (size_t)d->max + 1;
	case OPT_ENUM: return sizeof(int);
	case OPT_MAC: return sizeof(struct mac);
	case OPT_IP: return sizeof(struct ipaddr);
	case OPT_IP_LIST: return sizeof(struct opt_ips);
	case OPT_VLAN_SET: return sizeof(struct opt_vlans);
	case OPT_RATE: return sizeof(uint64_t);
	case OPT_MAC_LIST: return sizeof(struct opt_macs);
	case OPT_PREFIX_LIST: return sizeof(struct opt_prefixes);
	case OPT_STR_LIST: return sizeof(struct opt_strs);
	case OPT_MAP: return sizeof(struct opt_map);
	case OPT_IP_KEY_LIST: return sizeof(struct opt_ip_keys);
	}
	abort();
}

/* strtoul() would take signs, blanks and octal. */
int
opt_number(const char *s, const char *end, uint64_t *out)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (s == end)
		return -EINVAL;
	for (; s < end; s++) {
		unsigned digit = *s >= '0' && *s <= '9' ? *s - '0' :
				 (*s | 0x20) >= 'a' && (*s | 0x20) <= 'f' ? (*s | 0x20) - 'a' + 10 : 16;

		if (digit >= base)
			return -EINVAL;
		/* Larger than any option; keeps counting digits only to see that they are digits. */
		v = MIN_OF(v * base + digit, (uint64_t)1 << 40);
	}
	*out = v;
	return 0;
}

static int
set_number(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	uint32_t limit = d->kind == OPT_U16 ? UINT16_MAX : UINT32_MAX;
	uint32_t max = d->max ? d->max : limit;
	uint64_t n;

	if (d->names && !strcmp(s, d->names[0]))
		n = d->kind == OPT_U32_WORD ? (max = UINT32_MAX) : max;
	else if (opt_number(s, s + strlen(s), &n))
		return err_set(e, EINVAL, "%s: '%s' is not a number%s%s", d->name, s,
			       d->names ? " or " : "", d->names ? d->names[0] : "");
	if (n < d->min || n > max)
		return err_set(e, ERANGE, "%s: %s is out of range: %u to %u", d->name, s, d->min, max);
	if (d->kind == OPT_U16)
		v->u16 = n;
	else
		v->u32 = n;
	return 0;
}

static int
set_bool(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	v->b = name_index(true_names, s) >= 0;
	if (!v->b && name_index(false_names, s) < 0)
		return err_set(e, EINVAL, "%s: '%s' is neither true nor false", d->name, s);
	return 0;
}

static int
unknown_value(const struct opt_desc *d, const char *s, struct err *e)
{
	const char *near = str_nearest(s, d->names);
	char all[160] = "";

	if (near)
		return err_set(e, EINVAL, "%s: unknown value '%s': did you mean '%s'?", d->name, s, near);
	for (unsigned i = 0, n = 0; d->names[i] && n < sizeof all; i++)
		n += snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", d->names[i]);
	return err_set(e, EINVAL, "%s: unknown value '%s': one of %s", d->name, s, all);
}

static int
set_enum(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	v->e = name_index(d->names, s);
	return v->e >= 0 ? 0 : unknown_value(d, s, e);
}

static int
set_strs(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	struct opt_strs *l = &v->strs;
	size_t max = MIN_OF((size_t)d->max, (size_t)OPT_STR_LEN - 1);

	memset(l, 0, sizeof *l);
	for (;; s++) {
		size_t len = strcspn(s, ",");
		char *one = l->s[MIN_OF(l->n, OPT_STRS_MAX - 1)];

		if (!len)
			return err_set(e, EINVAL, "%s: an empty value in the list", d->name);
		if (len > max)
			return err_set(e, ERANGE, "%s: '%.60s...': longer than %zu bytes", d->name, s, max);
		if (l->n == OPT_STRS_MAX)
			return err_set(e, ERANGE, "%s: more than %d values", d->name, OPT_STRS_MAX);
		memcpy(one, s, len);
		for (unsigned i = 0; i < l->n; i++)
			if (!strcmp(l->s[i], one))
				return err_set(e, EINVAL, "%s: '%s' is there twice", d->name, one);
		if (d->names && name_index(d->names, one) < 0)
			return unknown_value(d, one, e);
		l->n++;
		s += len;
		if (!*s)
			return 0;
	}
}

static int
set_ip(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	if (!strcmp(s, "any"))
		v->ip = (struct ipaddr){ 0 };
	else if (d->names && !strcmp(s, d->names[0]))
		v->ip = opt_ip_word;
	else if (ip_parse(s, &v->ip))
		return err_set(e, EINVAL, "%s: '%s' is not an IPv4 or IPv6 address", d->name, s);
	return 0;
}

static int
set_ip_list(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	struct opt_ips *l = &v->ips;

	memset(l, 0, sizeof *l);
	l->word = d->names && !strcmp(s, d->names[0]);
	while (!l->word) {
		size_t len = strcspn(s, ",");
		char one[IP_STR_LEN];
		struct ipaddr ip;

		if (len >= sizeof one)
			return err_set(e, EINVAL, "%s: '%.60s' is not a list of addresses", d->name, s);
		memcpy(one, s, len);
		one[len] = '\0';
		if (ip_parse(one, &ip))
			return err_set(e, EINVAL, "%s: '%s' is not an IPv4 or IPv6 address", d->name, one);
		for (unsigned i = 0; i < l->n; i++)
			if (ip_equal(&l->ip[i], &ip))
				return err_set(e, EINVAL, "%s: '%s' is there twice", d->name, one);
		if (l->n == OPT_LIST_MAX)
			return err_set(e, ERANGE, "%s: more than %u addresses", d->name, OPT_LIST_MAX);
		l->ip[l->n++] = ip;
		if (!s[len])
			break;
		s += len + 1;
	}
	return 0;
}

static const char rate_units[] = "kMGT";

/* Digits, perhaps a point and more digits, perhaps a unit. */
static int
set_rate(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	const uint64_t most = 100000000000000;
	const char *p = s, *unit;
	uint64_t n = 0, scale = 1, divide = 1;

	for (; *p >= '0' && *p <= '9' && n <= most; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p > s && *p == '.')
		for (p++; *p >= '0' && *p <= '9' && divide < 1000000; p++, divide *= 10)
			n = n * 10 + (uint64_t)(*p - '0');
	unit = *p ? strchr(rate_units, *p == 'K' ? 'k' : *p) : NULL;
	for (const char *u = rate_units; unit && u <= unit; u++)
		scale *= 1000;
	if (p == s || p[-1] == '.' || (*p && !unit) || (unit && p[1]))
		return err_set(e, EINVAL, "%s: '%.60s' is not a rate such as 500k, 10M or 2.5G", d->name, s);
	if ((unsigned __int128)n * scale / divide > most)
		return err_set(e, ERANGE, "%s: %.60s is out of range: at most 100T", d->name, s);
	v->rate = (uint64_t)((unsigned __int128)n * scale / divide);
	return 0;
}

static int
set_macs(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	struct opt_macs *l = &v->macs;

	memset(l, 0, sizeof *l);
	for (;;) {
		size_t len = strcspn(s, ",");
		char one[MAC_STR_LEN] = "";
		struct mac m;

		if (len < sizeof one)
			memcpy(one, s, len);
		if (mac_parse(one, &m) || mac_is_multicast(m) || mac_is_zero(m))
			return err_set(e, EINVAL, "%s: '%.*s' is not the address of a host such as 02:00:00:00:00:01",
				       d->name, (int)MIN_OF(len, (size_t)60), s);
		for (unsigned i = 0; i < l->n; i++)
			if (mac_equal(l->mac[i], m))
				return err_set(e, EINVAL, "%s: '%s' is there twice", d->name, one);
		if (l->n == OPT_LIST_MAX)
			return err_set(e, ERANGE, "%s: more than %u addresses", d->name, OPT_LIST_MAX);
		l->mac[l->n++] = m;
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

static bool
has_bits_behind(const struct ipaddr *ip, unsigned len)
{
	for (unsigned i = len; i < 128; i++)
		if (ip->b[i / 8] >> (7 - i % 8) & 1)
			return true;
	return false;
}

static int
parse_prefix(const struct opt_desc *d, const char *one, struct opt_prefix *p, struct err *e)
{
	const char *slash = strchr(one, '/');
	char addr[IP_STR_LEN] = "";
	unsigned base;
	uint64_t len;

	memset(p, 0, sizeof *p);
	memcpy(addr, one, MIN_OF(slash ? (size_t)(slash - one) : strlen(one), sizeof addr - 1));
	if (ip_parse(addr, &p->ip))
		return err_set(e, EINVAL, "%s: '%s' is not an address or a prefix such as 10.1.0.0/16", d->name, one);
	base = ip_is_v4(&p->ip) ? 96 : 0;
	len = 128 - base;
	if (slash && (opt_number(slash + 1, one + strlen(one), &len) || len > 128 - base))
		return err_set(e, ERANGE, "%s: '%s': the length of a prefix is 0 to %u", d->name, one, 128 - base);
	p->len = (uint8_t)(base + len);
	if (has_bits_behind(&p->ip, p->len))
		return err_set(e, EINVAL, "%s: '%s' has bits behind its prefix: clear them or make it longer", d->name, one);
	return 0;
}

static int
set_prefixes(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	struct opt_prefixes *l = &v->prefixes;

	memset(l, 0, sizeof *l);
	for (;;) {
		size_t len = strcspn(s, ",");
		char one[IP_STR_LEN + 4] = "";
		struct opt_prefix p;
		int rc;

		if (len < sizeof one)
			memcpy(one, s, len);
		rc = parse_prefix(d, one, &p, e);
		if (rc)
			return rc;
		for (unsigned i = 0; i < l->n; i++)
			if (l->p[i].len == p.len && ip_equal(&l->p[i].ip, &p.ip))
				return err_set(e, EINVAL, "%s: '%s' is there twice", d->name, one);
		if (l->n == OPT_LIST_MAX)
			return err_set(e, ERANGE, "%s: more than %u prefixes", d->name, OPT_LIST_MAX);
		l->p[l->n++] = p;
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

static int
set_vlans(const struct opt_desc *d, const char *s, union value *v, struct err *e)
{
	uint32_t max = d->max ? d->max : 4094;

	memset(&v->vlans, 0, sizeof v->vlans);
	for (;;) {
		size_t len = strcspn(s, ",");
		const char *end = s + len, *dash = memchr(s, '-', len);
		uint64_t from, to;

		if (opt_number(s, dash ? dash : end, &from) || (dash && opt_number(dash + 1, end, &to)))
			return err_set(e, EINVAL, "%s: '%.*s' is not a VLAN or a range such as 100-199",
				       d->name, (int)MIN_OF(len, (size_t)60), s);
		if (!dash)
			to = from;
		if (from < d->min || to > max || from > to)
			return err_set(e, ERANGE, "%s: '%.*s' is out of range: VLANs are %u to %u", d->name,
				       (int)MIN_OF(len, (size_t)60), s, d->min, max);
		for (; from <= to; from++)
			v->vlans.bits[from >> 6] |= (uint64_t)1 << (from & 63);
		if (!*end)
			return 0;
		s = end + 1;
	}
}

static int
set_value(const struct opt_desc *d, void *conf, const char *s, struct err *e)
{
	char *field = (char *)conf + d->offset;
	union value v;
	int rc = 0;

	switch (d->kind) {
	case OPT_BOOL: rc = set_bool(d, s, &v, e); break;
	case OPT_U16:
	case OPT_U32:
	case OPT_U32_WORD: rc = set_number(d, s, &v, e); break;
	case OPT_ENUM: rc = set_enum(d, s, &v, e); break;
	case OPT_IP: rc = set_ip(d, s, &v, e); break;
	case OPT_IP_LIST: rc = set_ip_list(d, s, &v, e); break;
	case OPT_VLAN_SET: rc = set_vlans(d, s, &v, e); break;
	case OPT_RATE: rc = set_rate(d, s, &v, e); break;
	case OPT_MAC_LIST: rc = set_macs(d, s, &v, e); break;
	case OPT_PREFIX_LIST: rc = set_prefixes(d, s, &v, e); break;
	case OPT_STR_LIST: rc = set_strs(d, s, &v, e); break;
	case OPT_MAP: rc = opt_map_parse(d, s, &v.map, e); break;
	case OPT_IP_KEY_LIST: rc = opt_ip_keys_parse(d, s, &v.ip_keys, e); break;
	case OPT_MAC:
		if (mac_parse(s, &v.mac))
			rc = err_set(e, EINVAL, "%s: '%s' is not a MAC address such as 02:00:00:00:00:01",
				     d->name, s);
		break;
	case OPT_STR:
		if (strlen(s) > d->max)
			return err_set(e, ERANGE, "%s: longer than %u bytes", d->name, d->max);
		memset(field, 0, value_len(d));
		memcpy(field, s, strlen(s));
		return 0;
	}
	if (!rc)
		memcpy(field, &v, value_len(d));
	return rc;
}

void
opt_defaults(const struct opt_desc *d, void *conf)
{
	for (; d->name; d++) {
		struct err e = { 0 };

		memset((char *)conf + d->offset, 0, value_len(d));
		/* A default that its own table refuses is our bug. */
		if (d->dflt && set_value(d, conf, d->dflt, &e))
			abort();
	}
}

const struct opt_desc *
opt_find(const struct opt_desc *d, const char *name)
{
	for (; d->name; d++)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

static int
unknown(const struct opt_desc *table, const char *name, struct err *e)
{
	const char *names[65];
	unsigned n = 0;

	for (const struct opt_desc *d = table; d->name && n < ARRAY_SIZE(names) - 1; d++)
		names[n++] = d->name;
	names[n] = NULL;

	const char *near = str_nearest(name, names);

	if (near)
		return err_set(e, ENOENT, "unknown option '%s': did you mean '%s'?", name, near);
	return err_set(e, ENOENT, "unknown option '%s'", name);
}

int
opt_set(const struct opt_desc *table, void *conf, const char *name, const char *value, struct err *e)
{
	const struct opt_desc *d = opt_find(table, name);

	return d ? set_value(d, conf, value, e) : unknown(table, name, e);
}

void
opt_append(char *buf, size_t len, size_t *n, const char *s)
{
	int k = snprintf(*n < len ? buf + *n : NULL, *n < len ? len - *n : 0, "%s", s);

	*n += k;
}

static void
format_vlans(const struct opt_vlans *s, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned v = 0; v < 4096; v++) {
		unsigned to = v;
		char one[24];

		if (!opt_vlans_has(s, v))
			continue;
		while (to < 4095 && opt_vlans_has(s, to + 1))
			to++;
		snprintf(one, sizeof one, to > v ? "%s%u-%u" : "%s%u", n ? "," : "", v, to);
		opt_append(buf, len, &n, one);
		v = to;
	}
}

static void
format_ip(const struct opt_desc *d, const struct ipaddr *ip, char *buf, size_t len)
{
	char text[IP_STR_LEN];

	if (d->names && ip_equal(ip, &opt_ip_word))
		snprintf(buf, len, "%s", d->names[0]);
	else
		snprintf(buf, len, "%s", ip_format(*ip, text));
}

static void
format_ips(const struct opt_desc *d, const struct opt_ips *l, char *buf, size_t len)
{
	size_t n = 0;

	if (l->word && d->names)
		opt_append(buf, len, &n, d->names[0]);
	for (unsigned i = 0; i < l->n && i < OPT_LIST_MAX; i++) {
		char one[IP_STR_LEN];

		if (i)
			opt_append(buf, len, &n, ",");
		opt_append(buf, len, &n, ip_format(l->ip[i], one));
	}
}

/* In the largest unit that leaves a whole number. */
static void
format_rate(uint64_t v, char *buf, size_t len)
{
	unsigned unit = 0;

	while (v && v % 1000 == 0 && unit < sizeof rate_units - 1) {
		v /= 1000;
		unit++;
	}
	snprintf(buf, len, "%llu%.*s", (unsigned long long)v, unit ? 1 : 0, unit ? &rate_units[unit - 1] : "");
}

static void
format_macs(const struct opt_macs *l, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && i < OPT_LIST_MAX; i++) {
		char one[MAC_STR_LEN];

		if (i)
			opt_append(buf, len, &n, ",");
		opt_append(buf, len, &n, mac_format(l->mac[i], one));
	}
}

static void
format_prefixes(const struct opt_prefixes *l, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && i < OPT_LIST_MAX; i++) {
		const struct opt_prefix *p = &l->p[i];
		char one[IP_STR_LEN], tail[8] = "";

		if (p->len < 128)
			snprintf(tail, sizeof tail, "/%u", p->len - (ip_is_v4(&p->ip) ? 96u : 0u));
		if (i)
			opt_append(buf, len, &n, ",");
		/* ip_format() has a word for ::. */
		opt_append(buf, len, &n, ip_is_none(&p->ip) ? "::" : ip_format(p->ip, one));
		opt_append(buf, len, &n, tail);
	}
}

static void
format_strs(const struct opt_strs *l, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && i < OPT_STRS_MAX; i++) {
		if (i)
			opt_append(buf, len, &n, ",");
		opt_append(buf, len, &n, l->s[i]);
	}
}

static void
format_value(const struct opt_desc *d, const void *field, char *buf, size_t len)
{
	char text[IP_STR_LEN];
	uint32_t num = 0;

	*buf = '\0';
	switch (d->kind) {
	case OPT_BOOL: snprintf(buf, len, "%s", *(const bool *)field ? "true" : "false"); break;
	case OPT_U16: num = *(const uint16_t *)field; break;
	case OPT_U32:
	case OPT_U32_WORD: num = *(const uint32_t *)field; break;
	case OPT_STR: snprintf(buf, len, "%s", (const char *)field); break;
	case OPT_ENUM: snprintf(buf, len, "%s", d->names[*(const int *)field]); break;
	case OPT_MAC: snprintf(buf, len, "%s", mac_format(*(const struct mac *)field, text)); break;
	case OPT_IP: format_ip(d, field, buf, len); break;
	case OPT_IP_LIST: format_ips(d, field, buf, len); break;
	case OPT_VLAN_SET: format_vlans(field, buf, len); break;
	case OPT_RATE: format_rate(*(const uint64_t *)field, buf, len); break;
	case OPT_MAC_LIST: format_macs(field, buf, len); break;
	case OPT_PREFIX_LIST: format_prefixes(field, buf, len); break;
	case OPT_STR_LIST: format_strs(field, buf, len); break;
	case OPT_MAP: opt_map_format(field, buf, len); break;
	case OPT_IP_KEY_LIST: opt_ip_keys_format(field, buf, len); break;
	}
	if (d->kind == OPT_U16 || d->kind == OPT_U32 || d->kind == OPT_U32_WORD) {
		if (d->names && num == (d->kind == OPT_U32_WORD ? UINT32_MAX : d->max))
			snprintf(buf, len, "%s", d->names[0]);
		else
			snprintf(buf, len, "%u", num);
	}
}

bool
opt_get(const struct opt_desc *d, const void *conf, char *buf, size_t len)
{
	const char *field = (const char *)conf + d->offset;
	struct opt_desc at_zero = *d;
	bool same;

	format_value(d, field, buf, len);

	char *dflt = xcalloc(1, value_len(d));

	at_zero.offset = 0;
	if (d->dflt)
		set_value(&at_zero, dflt, d->dflt, NULL);
	same = d->kind == OPT_STR ? !strcmp(dflt, field) : !memcmp(dflt, field, value_len(d));
	free(dflt);
	return !same;
}

int
opt_check_required(const struct opt_desc *d, const char *const *given, unsigned n, struct err *e)
{
	for (; d->name; d++) {
		bool found = !d->required;

		for (unsigned i = 0; i < n && !found; i++)
			found = !strcmp(given[i], d->name);
		if (!found)
			return err_set(e, EINVAL, "'%s' is missing: %s, for example %s=%s", d->name,
				       d->help ? d->help : "", d->name, d->example ? d->example : "...");
	}
	return 0;
}
