/* SPDX-License-Identifier: Apache-2.0 */
/* Geneve options (RFC 8926, section 3.5): one after the other, a header of four bytes and up to 124 of data each.
 *
 *	| class (16) | C(1) type (7) | reserved(3) length(5), in words of four bytes | data |
 *
 * Which of them rules can match and set is a table of each bridge.  Flow keys have no room for options: what rules may
 * look at of them is in the key as a keyed digest, so that flows are exact in it.  No DPDK in here: the translator reads
 * options, too. */
#ifndef TUNNELS_TLV_H
#define TUNNELS_TLV_H

#include "base/byteorder.h"
#include "base/hash.h"
#include "base/util.h"

enum {
	TLV_HLEN = 4,
	TLV_CRITICAL = 0x80,            /* Of the type: who does not know the option drops the packet. */
	TLV_LEN = 0x1f,
	TLV_MAX = 8,                    /* Rows of a table. */
	TLV_DATA_MAX = 8,               /* Bytes of an option that rules can match. */
	TLV_DIGEST_LEN = 12,
};

/* An option that is known. */
struct tlv_row {
	uint16_t class;                 /* Host order. */
	uint8_t type;                   /* The critical bit included. */
	uint8_t len;                    /* Bytes of data; 0: the row is free. */
	bool examined;                  /* Some rule looks at it... */
	uint8_t mask[TLV_DATA_MAX];     /* ...at these bits, besides whether it is there. */
};

struct tlv_table {
	struct tlv_row row[TLV_MAX];
	bool examined;                  /* Any of them is. */
	bool oam;                       /* Rules look at whether packets are for the endpoint (TUN_F_OAM). */
};

/* Whether options fill 'len' bytes exactly; sets '*critical' when one of them must be known. */
static inline bool
tlv_check(const uint8_t *p, uint32_t len, bool *critical)
{
	*critical = false;
	while (len) {
		uint32_t one;

		if (len < TLV_HLEN)
			return false;
		one = TLV_HLEN + (p[3] & TLV_LEN) * 4u;
		if (one > len)
			return false;
		*critical |= p[2] & TLV_CRITICAL;
		p += one;
		len -= one;
	}
	return true;
}

/* The row that the option at 'p' is of; NULL: none, or of another length. */
static inline const struct tlv_row *
tlv_row_of(const struct tlv_table *t, const uint8_t *p)
{
	for (unsigned i = 0; i < TLV_MAX; i++) {
		const struct tlv_row *r = &t->row[i];

		if (r->len && r->class == host16(load_be16(p)) && r->type == p[2] && r->len == (p[3] & TLV_LEN) * 4u)
			return r;
	}
	return NULL;
}

/* Goes through options that tlv_check() has passed. */
#define TLV_EACH(p, opts, len) \
	for (const uint8_t *p = (opts), *tlv_end_ = p + (len); p < tlv_end_; p += TLV_HLEN + (p[3] & TLV_LEN) * 4u)

/* Whether every option that must be known is; 't' NULL: none is. */
static inline bool
tlv_known(const struct tlv_table *t, const uint8_t *opts, uint32_t len)
{
	TLV_EACH (p, opts, len)
		if (p[2] & TLV_CRITICAL && !(t && tlv_row_of(t, p)))
			return false;
	return true;
}

/* SipHash-2-4 (Aumasson, Bernstein) of whole words: two options that differ in what is looked at must never share a flow,
 * whatever a sender tries. */
static inline void
tlv_sip_round(uint64_t v[4])
{
#define TLV_ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
	v[0] += v[1];
	v[1] = TLV_ROTL(v[1], 13) ^ v[0];
	v[0] = TLV_ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = TLV_ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = TLV_ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = TLV_ROTL(v[1], 17) ^ v[2];
	v[2] = TLV_ROTL(v[2], 32);
#undef TLV_ROTL
}

/* 128 bits of it. */
static inline void
tlv_sip(const uint64_t key[2], const uint64_t *w, unsigned n, uint64_t out[2])
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull ^ 0xee, key[0] ^ 0x6c7967656e657261ull,
			  key[1] ^ 0x7465646279746573ull };
	uint64_t last = (uint64_t)n * 8 << 56;

	for (unsigned i = 0; i <= n; i++) {
		uint64_t m = i < n ? w[i] : last;

		v[3] ^= m;
		tlv_sip_round(v);
		tlv_sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xee;
	for (unsigned i = 0; i < 4; i++)
		tlv_sip_round(v);
	out[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	for (unsigned i = 0; i < 4; i++)
		tlv_sip_round(v);
	out[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* What rules may look at of the options, in any order; all zero when there is none of it.  Of an option that is there
 * twice the last one counts. */
static inline void
tlv_digest(const struct tlv_table *t, const uint64_t key[2], const uint8_t *opts, uint32_t len, uint8_t out[TLV_DIGEST_LEN])
{
	uint64_t w[TLV_MAX + 1] = { 0 }, h[2];

	memset(out, 0, TLV_DIGEST_LEN);
	TLV_EACH (p, opts, len) {
		const struct tlv_row *r = tlv_row_of(t, p);
		uint8_t value[TLV_DATA_MAX] = { 0 };

		if (!r || !r->examined)
			continue;
		for (unsigned i = 0; i < r->len; i++)
			value[i] = p[TLV_HLEN + i] & r->mask[TLV_DATA_MAX - r->len + i];
		memcpy(&w[1 + (r - t->row)], value, sizeof value);
		w[0] |= 1ull << (r - t->row);
	}
	if (!w[0])
		return;
	tlv_sip(key, w, ARRAY_SIZE(w), h);
	memcpy(out, h, TLV_DIGEST_LEN);
}

/* Writes one option, 'len' bytes of data, a multiple of four; returns its length. */
static inline unsigned
tlv_put(uint8_t *p, const struct tlv_row *r, const uint8_t *data)
{
	store_be16(p, be16(r->class));
	p[2] = r->type;
	p[3] = r->len / 4;
	memcpy(p + TLV_HLEN, data, r->len);
	return TLV_HLEN + r->len;
}

#endif
