/* SPDX-License-Identifier: Apache-2.0 */
/* Frames from text; see frame.h.  A first pass writes the layers one behind the other, a second goes from the
 * last to the first and fills in what depends on what follows. */
#include "tests/packet/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/csum.h"

enum { MAX_LAYERS = 32, MAX_WORDS = 24 };

struct layer;

struct builder {
	struct frame *f;
	struct err *e;
	struct layer *layer;
	unsigned n_layers;
	uint16_t end;                   /* Of what the layers wrote; 'cut' and 'pad' come after it. */
	bool failed;
	/* The words of the layer being written. */
	char *word[MAX_WORDS];
	bool used[MAX_WORDS];
	unsigned n_words;
};

struct layer_type {
	const char *name;
	void (*put)(struct builder *, struct layer *);
	void (*finish)(struct builder *, struct layer *);
	uint16_t eth_type;              /* What it is called in the layer before it. */
	int16_t proto;                  /* Likewise, as an IP protocol; -1: none. */
};

struct layer {
	const struct layer_type *type;
	uint16_t off, hlen;
	uint16_t type_off;              /* Where the type of the next layer goes; 0: nowhere, or it was said. */
	uint16_t eth_type;
	uint16_t nh_off;                /* Likewise, a byte with the next protocol. */
	bool no_len, no_csum;           /* Said by hand. */
};

static void
fail(struct builder *b, const char *what, const char *word)
{
	if (!b->failed)
		err_set(b->e, EINVAL, "%s%s%s", what, word ? ": " : "", word ? word : "");
	b->failed = true;
}

/* --- Words --------------------------------------------------------------------------------- */

/* The next positional word. */
static const char *
word(struct builder *b)
{
	for (unsigned i = 1; i < b->n_words; i++) {
		if (b->used[i] || strchr(b->word[i], '='))
			continue;
		b->used[i] = true;
		return b->word[i];
	}
	fail(b, "a word is missing after", b->word[0]);
	return "0";
}

/* The value of NAME=, or NULL. */
static const char *
option(struct builder *b, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 1; i < b->n_words; i++) {
		if (strncmp(b->word[i], name, n) || b->word[i][n] != '=')
			continue;
		b->used[i] = true;
		return b->word[i] + n + 1;
	}
	return NULL;
}

static uint32_t
number(struct builder *b, const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 0);

	if (!*s || *end)
		fail(b, "not a number", s);
	return (uint32_t)v;
}

static uint32_t
option_or(struct builder *b, const char *name, uint32_t dflt)
{
	const char *s = option(b, name);

	return s ? number(b, s) : dflt;
}

static struct mac
mac_of(struct builder *b, const char *s)
{
	struct mac m = { { 2, 0, 0, 0, 0, 0 } };

	if (!strcmp(s, "bcast"))
		memset(&m, 0xff, sizeof m);
	else if (*s >= 'A' && *s <= 'Z' && !s[1])
		m.b[5] = (uint8_t)(10 + *s - 'A');
	else if (mac_parse(s, &m))
		fail(b, "not a MAC address", s);
	return m;
}

static struct ipaddr
ip_of(struct builder *b, const char *s, bool v6)
{
	struct ipaddr a = { { 0 } };

	if (ip_parse(s, &a) || ip_is_v4(&a) == v6)
		fail(b, v6 ? "not an IPv6 address" : "not an IPv4 address", s);
	return a;
}

/* --- Bytes --------------------------------------------------------------------------------- */

static uint8_t *
append(struct builder *b, uint32_t n)
{
	static uint8_t waste[FRAME_MAX];

	if (n > (uint32_t)FRAME_MAX - b->f->len) {
		fail(b, "the frame is too long", NULL);
		return waste;
	}
	b->f->len = (uint16_t)(b->f->len + n);
	return memset(b->f->b + b->f->len - n, 0, n);
}

/* Whether some of these bytes are not compared. */
static bool
has_any(const struct frame *f, uint16_t off, uint16_t end)
{
	for (; off < end; off++)
		if (f->any[off])
			return true;
	return false;
}

/* 'any' leaves the bytes uncompared. */
static void
put16(struct builder *b, uint16_t off, const char *s)
{
	if (!strcmp(s, "any"))
		memset(b->f->any + off, 0xff, 2);
	else
		store_be16(b->f->b + off, be16((uint16_t)number(b, s)));
}

static void
append_hex(struct builder *b, const char *s)
{
	for (; *s; s += 2) {
		char pair[3] = { s[0], s[1], 0 }, *end;
		uint8_t v = (uint8_t)strtoul(pair, &end, 16);

		if (*end || !s[1]) {
			fail(b, "not pairs of hex digits", s);
			return;
		}
		*append(b, 1) = v;
	}
}

/* A checksum field that was said by hand, 'any' or a number. */
static void
csum_option(struct builder *b, struct layer *l, uint16_t off)
{
	const char *s = option(b, "csum");

	l->no_csum = s;
	if (s)
		put16(b, off, s);
}

static uint16_t
sum_of(const struct frame *f, uint16_t off, uint16_t end)
{
	return csum_fold(csum_add(0, f->b + off, (size_t)(end - off)));
}

/* --- Layer 2 ------------------------------------------------------------------------------- */

static void
type_option(struct builder *b, struct layer *l, uint16_t off)
{
	const char *s = option(b, "type");

	l->type_off = s ? 0 : off;
	store_be16(b->f->b + off, be16((uint16_t)(s ? number(b, s) : 0x88b5)));
}

static void
put_eth(struct builder *b, struct layer *l)
{
	struct mac dst = mac_of(b, word(b)), src = mac_of(b, word(b));
	uint8_t *p = append(b, 14);

	memcpy(p, &dst, 6);
	memcpy(p + 6, &src, 6);
	type_option(b, l, (uint16_t)(l->off + 12));
}

static void
put_vlan(struct builder *b, struct layer *l)
{
	uint32_t vid = number(b, word(b)), pcp = option_or(b, "pcp", 0), dei = option_or(b, "dei", 0);

	l->eth_type = (uint16_t)option_or(b, "tpid", 0x8100);
	store_be16(append(b, 4), be16((uint16_t)(pcp << 13 | dei << 12 | vid)));
	type_option(b, l, (uint16_t)(l->off + 2));
}

/* Has no bytes of its own: the type field before it becomes the length of what follows. */
static void
finish_len(struct builder *b, struct layer *l)
{
	l->eth_type = (uint16_t)(b->end - l->off);
}

static void
put_arp(struct builder *b, struct layer *l)
{
	uint32_t op = number(b, word(b));
	struct mac sha = mac_of(b, word(b));
	struct ipaddr spa = ip_of(b, word(b), false);
	struct mac tha = mac_of(b, word(b));
	struct ipaddr tpa = ip_of(b, word(b), false);
	uint8_t *p = append(b, 28);

	(void)l;
	store_be16(p, be16((uint16_t)option_or(b, "htype", 1)));
	store_be16(p + 2, be16((uint16_t)option_or(b, "ptype", 0x0800)));
	p[4] = (uint8_t)option_or(b, "hlen", 6);
	p[5] = (uint8_t)option_or(b, "plen", 4);
	store_be16(p + 6, be16((uint16_t)op));
	memcpy(p + 8, &sha, 6);
	memcpy(p + 14, spa.b + 12, 4);
	memcpy(p + 18, &tha, 6);
	memcpy(p + 24, tpa.b + 12, 4);
}

static void
put_mpls(struct builder *b, struct layer *l)
{
	uint32_t label = number(b, word(b));

	(void)l;
	store_be32(append(b, 4), be32(label << 12 | option_or(b, "tc", 0) << 9 | option_or(b, "s", 1) << 8 |
				      option_or(b, "ttl", 64)));
}

/* --- Layer 3 ------------------------------------------------------------------------------- */

static void
put_ip(struct builder *b, struct layer *l)
{
	struct ipaddr src = ip_of(b, word(b), false), dst = ip_of(b, word(b), false);
	const char *opt = option(b, "opt"), *proto = option(b, "proto"), *tot = option(b, "tot"), *id = option(b, "id");
	uint8_t *p = append(b, 20);

	if (opt)
		append_hex(b, opt);
	p[0] = (uint8_t)(option_or(b, "ver", 4) << 4 | option_or(b, "ihl", (b->f->len - l->off + 3u) / 4));
	p[1] = (uint8_t)option_or(b, "tos", 0);
	if (tot)
		put16(b, (uint16_t)(l->off + 2), tot);
	if (id)
		put16(b, (uint16_t)(l->off + 4), id);
	store_be16(p + 6, be16((uint16_t)(option_or(b, "df", 0) << 14 | option_or(b, "mf", 0) << 13 |
					  option_or(b, "off", 0))));
	p[8] = (uint8_t)option_or(b, "ttl", 64);
	p[9] = proto ? (uint8_t)number(b, proto) : 253;
	l->nh_off = proto ? 0 : (uint16_t)(l->off + 9);
	l->no_len = tot;
	memcpy(p + 12, src.b + 12, 4);
	memcpy(p + 16, dst.b + 12, 4);
	csum_option(b, l, (uint16_t)(l->off + 10));
}

static void
finish_ip(struct builder *b, struct layer *l)
{
	uint8_t *p = b->f->b + l->off;

	if (!l->no_len)
		store_be16(p + 2, be16((uint16_t)(b->end - l->off)));
	if (has_any(b->f, l->off, (uint16_t)(l->off + l->hlen)))
		memset(b->f->any + l->off + 10, 0xff, 2);
	else if (!l->no_csum)
		store_be16(p + 10, (be16_t)~sum_of(b->f, l->off, (uint16_t)(l->off + l->hlen)));
}

static void
put_ip6(struct builder *b, struct layer *l)
{
	struct ipaddr src = ip_of(b, word(b), true), dst = ip_of(b, word(b), true);
	const char *nh = option(b, "nh"), *plen = option(b, "plen"), *label = option(b, "label");
	bool any_label = label && !strcmp(label, "any");
	uint8_t *p = append(b, 40);

	store_be32(p, be32(option_or(b, "ver", 6) << 28 | option_or(b, "tc", 0) << 20 |
			   (label && !any_label ? number(b, label) : 0)));
	if (any_label)
		memcpy(b->f->any + l->off, (uint8_t[]){ 0, 0x0f, 0xff, 0xff }, 4);
	if (plen)
		put16(b, (uint16_t)(l->off + 4), plen);
	p[6] = nh ? (uint8_t)number(b, nh) : 59;
	p[7] = (uint8_t)option_or(b, "hlim", 64);
	l->nh_off = nh ? 0 : (uint16_t)(l->off + 6);
	l->no_len = plen;
	memcpy(p + 8, src.b, 16);
	memcpy(p + 24, dst.b, 16);
}

static void
finish_ip6(struct builder *b, struct layer *l)
{
	if (!l->no_len)
		store_be16(b->f->b + l->off + 4, be16((uint16_t)(b->end - l->off - 40)));
}

/* Hop-by-hop, routing and destination options: PadN, or zeroes, all the way. */
static void
put_ext(struct builder *b, struct layer *l)
{
	bool ah = !strcmp(l->type->name, "ah");
	uint32_t n = option_or(b, "n", ah ? 4 : 0), len = ah ? (n + 2) * 4 : (n + 1) * 8;
	const char *nh = option(b, "nh");
	uint8_t *p = append(b, len);

	p[0] = nh ? (uint8_t)number(b, nh) : 59;
	p[1] = (uint8_t)n;
	if (!ah && strcmp(l->type->name, "rt")) {
		p[2] = 1;
		p[3] = (uint8_t)(len - 4);
	}
	l->nh_off = nh ? 0 : l->off;
}

static void
put_frag(struct builder *b, struct layer *l)
{
	const char *nh = option(b, "nh");
	uint8_t *p = append(b, 8);

	p[0] = nh ? (uint8_t)number(b, nh) : 59;
	store_be16(p + 2, be16((uint16_t)(option_or(b, "off", 0) << 3 | option_or(b, "mf", 0))));
	l->nh_off = nh ? 0 : l->off;
}

/* --- Layer 4 ------------------------------------------------------------------------------- */

static void
put_ports(struct builder *b, struct layer *l, uint16_t len)
{
	append(b, len);
	put16(b, l->off, word(b));
	put16(b, (uint16_t)(l->off + 2), word(b));
}

static void
put_udp(struct builder *b, struct layer *l)
{
	const char *len = option(b, "len");

	put_ports(b, l, 8);
	if (len)
		put16(b, (uint16_t)(l->off + 4), len);
	l->no_len = len;
	csum_option(b, l, (uint16_t)(l->off + 6));
}

static void
put_tcp(struct builder *b, struct layer *l)
{
	put_ports(b, l, 20);
	store_be16(b->f->b + l->off + 12, be16((uint16_t)(option_or(b, "off", 5) << 12 | option_or(b, "flags", 0x10))));
	csum_option(b, l, (uint16_t)(l->off + 16));
}

static void
put_sctp(struct builder *b, struct layer *l)
{
	put_ports(b, l, 12);
}

static void
put_icmp(struct builder *b, struct layer *l)
{
	uint8_t *p = append(b, 8);

	p[0] = (uint8_t)number(b, word(b));
	p[1] = (uint8_t)number(b, word(b));
	store_be32(p + 4, be32(option_or(b, "rest", 0)));
	csum_option(b, l, (uint16_t)(l->off + 2));
}

/* The IP layer below, past extension headers; NULL when there is none. */
static const struct layer *
ip_below(const struct builder *b, const struct layer *l)
{
	while (l-- > b->layer)
		if (l->type->put == put_ip || l->type->put == put_ip6)
			return l;
	return NULL;
}

/* Over a packet that ends at 'end'. */
static uint16_t
transport_sum(const uint8_t *p, const struct frame_sum *s, uint16_t end)
{
	uint16_t len = (uint16_t)(end - s->l4);
	uint64_t sum = csum_add(0, p + s->l4, len);

	/* ICMP for IPv4 alone has no pseudo-header. */
	if (s->proto == 1)
		return csum_fold(sum);
	sum += (uint64_t)be16(len) + be16(s->proto);
	sum = s->v6 ? csum_add(sum, p + s->l3 + 8, 32) : csum_add(sum, p + s->l3 + 12, 8);
	return csum_fold(sum);
}

static void
transport_csum(struct builder *b, struct layer *l, uint8_t proto, uint16_t at)
{
	const struct layer *ip = ip_below(b, l);
	struct frame_sum s = { .l4 = l->off, .end = b->end, .proto = proto };
	uint16_t sum;

	if (ip) {
		s.l3 = ip->off;
		s.v6 = ip->type->put == put_ip6;
	}
	if ((!ip && proto != 1) || (l->no_csum && !b->f->any[l->off + at]))
		return;
	if (has_any(b->f, l->off, b->end)) {
		memset(b->f->any + l->off + at, 0xff, 2);
		if (b->f->n_sums < FRAME_SUMS)
			b->f->sum[b->f->n_sums++] = s;
		return;
	}
	sum = (uint16_t)~transport_sum(b->f->b, &s, b->end);
	store_be16(b->f->b + l->off + at, sum || proto != 17 ? sum : 0xffff);
}

static void
finish_udp(struct builder *b, struct layer *l)
{
	if (!l->no_len)
		store_be16(b->f->b + l->off + 4, be16((uint16_t)(b->end - l->off)));
	transport_csum(b, l, 17, 6);
}

static void
finish_tcp(struct builder *b, struct layer *l)
{
	transport_csum(b, l, 6, 16);
}

static void
finish_icmp(struct builder *b, struct layer *l)
{
	transport_csum(b, l, 1, 2);
}

static void
finish_icmp6(struct builder *b, struct layer *l)
{
	transport_csum(b, l, 58, 2);
}

/* --- The rest ------------------------------------------------------------------------------ */

static void
put_vxlan(struct builder *b, struct layer *l)
{
	uint32_t vni = number(b, word(b));
	uint8_t *p = append(b, 8);

	(void)l;
	p[0] = (uint8_t)option_or(b, "flags", 0x08);
	store_be32(p + 4, be32(vni << 8));
}

static void
put_data(struct builder *b, struct layer *l)
{
	uint32_t n = number(b, word(b));
	uint8_t *p = append(b, n);

	for (uint32_t i = 0; i < n && !b->failed && strcmp(l->type->name, "zero"); i++)
		p[i] = (uint8_t)i;
}

static void
put_hex(struct builder *b, struct layer *l)
{
	(void)l;
	append_hex(b, word(b));
}

static void
put_nothing(struct builder *b, struct layer *l)
{
	(void)b;
	(void)l;
}

static const struct layer_type layer_types[] = {
	{ "eth", put_eth, NULL, 0x6558, -1 },
	{ "vlan", put_vlan, NULL, 0, -1 },
	{ "len", put_nothing, finish_len, 0, -1 },
	{ "arp", put_arp, NULL, 0x0806, -1 },
	{ "mpls", put_mpls, NULL, 0x8847, -1 },
	{ "ip", put_ip, finish_ip, 0x0800, 4 },
	{ "ip6", put_ip6, finish_ip6, 0x86dd, 41 },
	{ "hop", put_ext, NULL, 0, 0 },
	{ "rt", put_ext, NULL, 0, 43 },
	{ "dst", put_ext, NULL, 0, 60 },
	{ "ah", put_ext, NULL, 0, 51 },
	{ "frag", put_frag, NULL, 0, 44 },
	{ "udp", put_udp, finish_udp, 0, 17 },
	{ "tcp", put_tcp, finish_tcp, 0, 6 },
	{ "sctp", put_sctp, NULL, 0, 132 },
	{ "icmp", put_icmp, finish_icmp, 0, 1 },
	{ "icmp6", put_icmp, finish_icmp6, 0, 58 },
	{ "vxlan", put_vxlan, NULL, 0, -1 },
	{ "data", put_data, NULL, 0, -1 },
	{ "zero", put_data, NULL, 0, -1 },
	{ "hex", put_hex, NULL, 0, -1 },
};

static void
split_words(struct builder *b, char *text)
{
	char *save = NULL;

	b->n_words = 0;
	memset(b->used, 0, sizeof b->used);
	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (b->n_words == MAX_WORDS) {
			fail(b, "too many words after", b->word[0]);
			return;
		}
		b->word[b->n_words++] = w;
	}
	b->used[0] = true;
}

/* 'cut' and 'pad': what happens to the whole frame at last. */
static bool
resize(struct builder *b, bool now)
{
	bool cut = !strcmp(b->word[0], "cut"), pad = !strcmp(b->word[0], "pad");
	uint32_t n;

	if (!cut && !pad)
		return false;
	n = number(b, word(b));
	if (now && cut && n < b->f->len)
		b->f->len = (uint16_t)n;
	if (now && pad && n > b->f->len)
		append(b, n - b->f->len);
	return true;
}

static void
put_layer(struct builder *b)
{
	struct layer *l = &b->layer[b->n_layers];

	for (unsigned i = 0; i < ARRAY_SIZE(layer_types); i++) {
		if (strcmp(layer_types[i].name, b->word[0]))
			continue;
		if (b->n_layers == MAX_LAYERS) {
			fail(b, "too many layers", NULL);
			return;
		}
		*l = (struct layer){ .type = &layer_types[i], .off = b->f->len, .eth_type = layer_types[i].eth_type };
		l->type->put(b, l);
		l->hlen = (uint16_t)(b->f->len - l->off);
		b->n_layers++;
		return;
	}
	fail(b, "no such layer", b->word[0]);
}

/* Tells the layer before 'l' what follows it. */
static void
name_layer(struct builder *b, const struct layer *l)
{
	const struct layer *prev = l - 1;

	if (prev->type_off && l->eth_type)
		store_be16(b->f->b + prev->type_off, be16(l->eth_type));
	if (prev->nh_off && l->type->proto >= 0)
		b->f->b[prev->nh_off] = (uint8_t)l->type->proto;
}

/* Calls 'fn' for each part of the text between slashes. */
static void
each_part(struct builder *b, const char *text, bool resizing)
{
	char *copy = xstrdup(text), *save = NULL;

	for (char *p = strtok_r(copy, "/", &save); p && !b->failed; p = strtok_r(NULL, "/", &save)) {
		split_words(b, p);
		if (!b->n_words) {
			fail(b, "an empty layer", NULL);
			break;
		}
		if (!resize(b, resizing) && !resizing)
			put_layer(b);
		for (unsigned i = 1; i < b->n_words && !resizing; i++)
			if (!b->used[i])
				fail(b, "not understood", b->word[i]);
	}
	free(copy);
}

int
frame_parse(const char *text, struct frame *f, struct err *e)
{
	struct layer layers[MAX_LAYERS];
	struct builder b = { .f = f, .e = e, .layer = layers };

	memset(f, 0, sizeof *f);
	each_part(&b, text, false);
	if (!b.n_layers)
		fail(&b, "no frame", NULL);
	b.end = f->len;
	for (unsigned i = b.n_layers; i-- > 0 && !b.failed;) {
		if (layers[i].type->finish)
			layers[i].type->finish(&b, &layers[i]);
		if (i)
			name_layer(&b, &layers[i]);
	}
	each_part(&b, text, true);
	return b.failed ? -EINVAL : 0;
}

bool
frame_matches(const struct frame *f, const uint8_t *p, uint32_t len, struct err *e)
{
	if (len != f->len) {
		err_set(e, EINVAL, "%u bytes instead of %u", len, f->len);
		return false;
	}
	for (unsigned i = 0; i < len; i++) {
		if (!((p[i] ^ f->b[i]) & ~f->any[i]))
			continue;
		err_set(e, EINVAL, "byte %u is %02x instead of %02x", i, p[i], f->b[i]);
		return false;
	}
	for (unsigned i = 0; i < f->n_sums; i++) {
		const struct frame_sum *s = &f->sum[i];

		if (transport_sum(p, s, (uint16_t)MIN_OF((uint32_t)s->end, len)) == 0xffff)
			continue;
		err_set(e, EINVAL, "the checksum of the layer at byte %u is wrong", s->l4);
		return false;
	}
	return true;
}
