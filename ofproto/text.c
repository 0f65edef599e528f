/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that grow, and the pieces that text is parsed from; see text.h and text_priv.h. */
#include "ofproto/text_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- Output ------------------------------------------------------------------------------------- */

static void
text_room(struct of_text *t, size_t n)
{
	size_t need = t->len + n + 1;

	if (need <= t->cap)
		return;
	t->cap = MAX_OF(need, t->cap * 2);
	t->cap = MAX_OF(t->cap, (size_t)128);
	t->s = xrealloc(t->s, t->cap);
}

void
of_text_put(struct of_text *t, const char *s, size_t len)
{
	text_room(t, len);
	memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}

void
of_text_puts(struct of_text *t, const char *s)
{
	of_text_put(t, s, strlen(s));
}

void
of_text_printf(struct of_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	text_room(t, 64);
	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= t->cap - t->len) {
		text_room(t, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(t->s + t->len, t->cap - t->len, fmt, ap);
		va_end(ap);
	}
	t->len += (size_t)n;
}

void
of_text_chomp(struct of_text *t, char c)
{
	if (t->len && t->s[t->len - 1] == c)
		t->s[--t->len] = '\0';
}

const char *
of_text_str(const struct of_text *t)
{
	return t->len ? t->s : "";
}

void
of_text_clear(struct of_text *t)
{
	t->len = 0;
}

void
of_text_fini(struct of_text *t)
{
	free(t->s);
	*t = (struct of_text){ 0 };
}

void
tx_put_hex(struct of_text *t, const uint8_t *value, unsigned n_bytes)
{
	unsigned i = 0;

	while (i + 1 < n_bytes && !value[i])
		i++;
	of_text_printf(t, "%#x", value[i]);
	while (++i < n_bytes)
		of_text_printf(t, "%02x", value[i]);
}

void
tx_put_bytes(struct of_text *t, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		of_text_printf(t, "%s%02x", i ? "." : "", data[i]);
}

/* --- Errors ------------------------------------------------------------------------------------- */

int
tx_bad(const struct tx *x, const char *at, const char *fmt, ...)
{
	char msg[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	/* What was typed may hold anything, and the message is one line. */
	for (char *p = msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return err_set(x->err, EINVAL, "column %zu: %s", (size_t)(at - x->base) + 1, msg);
}

int
tx_bad_word(const struct tx *x, struct tx_str word, const char *what, const char *const *words)
{
	char buf[64];
	const char *near = NULL;

	if (tx_copy(word, buf, sizeof buf))
		near = str_nearest(buf, words);
	if (near)
		return tx_bad(x, word.s, "unknown %s '%.*s': did you mean '%s'?", what, (int)MIN_OF(word.n, 60u), word.s,
			      near);
	return tx_bad(x, word.s, "unknown %s '%.*s'", what, (int)MIN_OF(word.n, 60u), word.s);
}

/* --- Pieces ------------------------------------------------------------------------------------- */

bool
tx_is(struct tx_str t, const char *word)
{
	return strlen(word) == t.n && !memcmp(t.s, word, t.n);
}

bool
tx_is_nocase(struct tx_str t, const char *word)
{
	return strlen(word) == t.n && !strncasecmp(t.s, word, t.n);
}

static bool
is_in(char c, const char *set)
{
	return c && strchr(set, c);
}

struct tx_str
tx_trim(struct tx_str t)
{
	while (t.n && is_in(t.s[0], " \t\r\n"))
		t.s++, t.n--;
	while (t.n && is_in(t.s[t.n - 1], " \t\r\n"))
		t.n--;
	return t;
}

bool
tx_split(struct tx_str t, char c, struct tx_str *head, struct tx_str *tail)
{
	const char *p = t.n ? memchr(t.s, c, t.n) : NULL;

	if (!p) {
		*head = t;
		*tail = tx_str(t.s + t.n, 0);
		return false;
	}
	*head = tx_str(t.s, (size_t)(p - t.s));
	*tail = tx_str(p + 1, t.n - head->n - 1);
	return true;
}

bool
tx_split_arrow(struct tx_str t, struct tx_str *head, struct tx_str *tail)
{
	for (size_t i = 0; i + 1 < t.n; i++)
		if (t.s[i] == '-' && t.s[i + 1] == '>') {
			*head = tx_str(t.s, i);
			*tail = tx_str(t.s + i + 2, t.n - i - 2);
			return true;
		}
	return false;
}

bool
tx_word(struct tx_str *list, const char *delimiters, struct tx_str *word)
{
	size_t n = 0;

	while (list->n && is_in(list->s[0], delimiters))
		list->s++, list->n--;
	if (!list->n)
		return false;
	while (n < list->n && !is_in(list->s[n], delimiters))
		n++;
	*word = tx_str(list->s, n);
	list->s += n;
	list->n -= n;
	return true;
}

bool
tx_copy(struct tx_str t, char *buf, size_t len)
{
	if (t.n >= len || (t.n && memchr(t.s, '\0', t.n)))
		return false;
	memcpy(buf, t.s, t.n);
	buf[t.n] = '\0';
	return true;
}

/* Length of a value up to one of the delimiters that is not inside parentheses or quotes; -1: those do not end. */
static ssize_t
value_len(struct tx_str t, const char *delimiters)
{
	unsigned level = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < t.n; i++) {
		char c = t.s[i];

		if (quoted) {
			if (c == '\\' && i + 1 < t.n)
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (!level && is_in(c, delimiters))
			break;
		if (c == '"')
			quoted = true;
		else if (c == '(')
			level++;
		else if (c == ')' && level)
			level--;
	}
	return level || quoted ? -1 : (ssize_t)i;
}

int
tx_next(const struct tx *x, struct tx_str *rest, struct tx_item *item)
{
	static const char between[] = ", \t\r\n";
	size_t n = 0;
	ssize_t len;

	while (rest->n && is_in(rest->s[0], between))
		rest->s++, rest->n--;
	if (!rest->n)
		return 0;
	if (rest->s[0] == '"') {        /* The quoted name of a port stands alone. */
		len = value_len(*rest, between);
		if (len < 0)
			return tx_bad(x, rest->s, "the quote does not end");
		n = (size_t)len;
	}
	while (n < rest->n && !is_in(rest->s[n], ":=(, \t\r\n"))
		n++;
	*item = (struct tx_item){ .key = tx_str(rest->s, n), .value = tx_str(rest->s + n, 0) };
	rest->s += n;
	rest->n -= n;
	if (!rest->n || is_in(rest->s[0], between))
		return 1;
	item->sep = rest->s[0];
	rest->s++, rest->n--;
	len = value_len(*rest, item->sep == '(' ? ")" : between);
	if (len < 0 || (item->sep == '(' && (size_t)len == rest->n))
		return tx_bad(x, item->key.s, "'%.*s' has a parenthesis or quote that does not end",
			      (int)MIN_OF(n, 60u), item->key.s);
	item->value = tx_str(rest->s, (size_t)len);
	rest->s += len;
	rest->n -= (size_t)len;
	if (item->sep == '(') {
		rest->s++, rest->n--;
		if (rest->n && !is_in(rest->s[0], between))
			return tx_bad(x, rest->s, "unexpected '%c' after ')'", rest->s[0]);
	}
	return 1;
}

/* --- Numbers ------------------------------------------------------------------------------------ */

/* Takes a sign, "0x" or "0" off the front and returns the base. */
static int
number_base(struct tx_str *t, bool *negative)
{
	*negative = t->n > 1 && t->s[0] == '-';
	if (*negative)
		t->s++, t->n--;
	if (t->n > 2 && t->s[0] == '0' && (t->s[1] == 'x' || t->s[1] == 'X')) {
		t->s += 2, t->n -= 2;
		return 16;
	}
	return t->n > 1 && t->s[0] == '0' ? 8 : 10;
}

int
tx_u64(const struct tx *x, struct tx_str t, const char *what, uint64_t max, uint64_t *out)
{
	struct tx_str whole = t;
	uint64_t v = 0;
	bool negative;
	int base;

	if (!t.n)
		return tx_bad(x, t.s, "%s: a number is missing", what);
	base = number_base(&t, &negative);
	for (size_t i = 0; i < t.n; i++) {
		int d = hex_digit(t.s[i]);

		if (d < 0 || d >= base)
			return tx_bad(x, whole.s, "%s: '%.*s' is not a number", what, (int)MIN_OF(whole.n, 60u),
				      whole.s);
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
			return tx_bad(x, whole.s, "%s: at most %llu", what, (unsigned long long)max);
	}
	if (negative)
		v = -v;
	if (v > max)
		return tx_bad(x, whole.s, "%s: at most %llu", what, (unsigned long long)max);
	*out = v;
	return 0;
}

int
tx_u32(const struct tx *x, struct tx_str t, const char *what, uint32_t *out)
{
	uint64_t v;
	int rc = tx_u64(x, t, what, UINT32_MAX, &v);

	if (!rc)
		*out = (uint32_t)v;
	return rc;
}

int
tx_u16(const struct tx *x, struct tx_str t, const char *what, uint16_t *out)
{
	uint64_t v;
	int rc = tx_u64(x, t, what, UINT16_MAX, &v);

	if (!rc)
		*out = (uint16_t)v;
	return rc;
}

int
tx_u8(const struct tx *x, struct tx_str t, const char *what, uint8_t *out)
{
	uint64_t v;
	int rc = tx_u64(x, t, what, UINT8_MAX, &v);

	if (!rc)
		*out = (uint8_t)v;
	return rc;
}

/* A number of any width: only hexadecimal ones may be wider than 64 bits. */
int
tx_be(const struct tx *x, struct tx_str t, const char *what, unsigned bits, uint8_t *value)
{
	unsigned n_bytes = (bits + 7) / 8, nibbles = 0;
	struct tx_str hex = t;
	uint8_t top = bits % 8 ? (uint8_t)((1u << bits % 8) - 1) : 0xff;
	bool negative;
	uint64_t v;
	int rc;

	if (number_base(&hex, &negative) != 16 || negative) {
		rc = tx_u64(x, t, what, bits >= 64 ? UINT64_MAX : (1ull << bits) - 1, &v);
		for (unsigned i = 0; !rc && i < n_bytes; i++)
			value[n_bytes - 1 - i] = i < 8 ? (uint8_t)(v >> 8 * i) : 0;
		return rc;
	}
	memset(value, 0, n_bytes);
	for (size_t i = hex.n; i-- > 0; nibbles++) {
		int d = hex_digit(hex.s[i]);

		if (d < 0)
			return tx_bad(x, t.s, "%s: '%.*s' is not a number", what, (int)MIN_OF(t.n, 60u), t.s);
		if (!d)
			continue;
		if (nibbles / 2 >= n_bytes)
			return tx_bad(x, t.s, "%s: wider than %u bits", what, bits);
		value[n_bytes - 1 - nibbles / 2] |= (uint8_t)(d << nibbles % 2 * 4);
	}
	if (value[0] & ~top)
		return tx_bad(x, t.s, "%s: wider than %u bits", what, bits);
	return 0;
}

int
tx_mac(const struct tx *x, struct tx_str t, struct mac *mac)
{
	struct tx_str rest = t, part;

	for (unsigned i = 0; i < 6; i++) {
		bool more = tx_split(rest, ':', &part, &rest);
		int hi = 0, lo = -1;

		if (part.n == 1)
			lo = hex_digit(part.s[0]);
		else if (part.n == 2)
			hi = hex_digit(part.s[0]), lo = hex_digit(part.s[1]);
		if (hi < 0 || lo < 0 || more != (i < 5))
			return tx_bad(x, t.s, "'%.*s' is not an Ethernet address", (int)MIN_OF(t.n, 60u), t.s);
		mac->b[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int
tx_ipv4(const struct tx *x, struct tx_str t, be32_t *ip)
{
	char buf[INET_ADDRSTRLEN + 1];
	struct in_addr a;

	if (!tx_copy(t, buf, sizeof buf) || inet_pton(AF_INET, buf, &a) != 1)
		return tx_bad(x, t.s, "'%.*s' is not an IPv4 address", (int)MIN_OF(t.n, 60u), t.s);
	*ip = a.s_addr;
	return 0;
}

int
tx_table(const struct tx *x, struct tx_str t, uint8_t *table)
{
	if (tx_is_nocase(t, "all")) {
		*table = OFTT_ALL;
		return 0;
	}
	return tx_u8(x, t, "table", table);
}

int
tx_bytes(const struct tx *x, struct tx_str t, const char *what, uint8_t *out)
{
	int n = 0;

	while (t.n) {
		int hi, lo;

		if (t.s[0] == '.' || isspace((unsigned char)t.s[0])) {
			t.s++, t.n--;
			continue;
		}
		hi = hex_digit(t.s[0]);
		lo = t.n > 1 ? hex_digit(t.s[1]) : -1;
		if (hi < 0 || lo < 0)
			return tx_bad(x, t.s, "%s: bytes of two hexadecimal digits each", what);
		if (out)
			out[n] = (uint8_t)(hi << 4 | lo);
		n++;
		t.s += 2, t.n -= 2;
	}
	return n;
}
