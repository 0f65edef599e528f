/* SPDX-License-Identifier: Apache-2.0 */
/* Long frames, and what must come of them. */
#include "tests/datapath/offl_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

unsigned
ref_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

void
ref_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint32_t
ref_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < len; i += 2) {
		sum += ref_get16(p + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* --- Building ------------------------------------------------------------------------------ */

static uint8_t *
put_eth(uint8_t *p, unsigned type, unsigned tags)
{
	memcpy(p, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	p += 12;
	for (; tags; tags--, p += 4) {
		ref_put16(p, tags > 1 ? 0x88a8 : 0x8100);
		ref_put16(p + 2, 0x6000 + 77 * tags);
	}
	ref_put16(p, type);
	return p + 2;
}

static uint8_t *
put_ip(uint8_t *p, bool v6, uint8_t proto, unsigned opts)
{
	uint8_t *ip = p;

	if (v6) {
		memset(p, 0, 40);
		memcpy(p, "\x6b\x91\x23\x45\0\0\0\x3f\xfd\0\0\x17", 12);
		p[23] = 1;
		p[24] = 0xfd;
		p[39] = 2;
		ip[6] = opts ? 0 : proto;
		p += 40;
		for (unsigned i = 0; i < opts; i++, p += 8) {
			/* Hop-by-hop options, then destination options, all padding. */
			memcpy(p, "\0\0\x01\x04\0\0\0\0", 8);
			p[0] = i + 1 < opts ? 60 : proto;
		}
		return p;
	}
	memcpy(p, "\x45\xb9\0\0\xff\xfe\x40\0\x40\0\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
	p[0] = (uint8_t)(0x45 + opts);
	p[9] = proto;
	memset(p + 20, 1, opts * 4);
	return p + 20 + opts * 4;
}

static void
done_ip(uint8_t *ip, bool v6, uint32_t len)
{
	if (v6) {
		ref_put16(ip + 4, len - 40);
		return;
	}
	ref_put16(ip + 2, len);
	ref_put16(ip + 10, 0);
	ref_put16(ip + 10, ~ref_sum(ip, (ip[0] & 15) * 4u, 0) & 0xffff);
}

static uint32_t
pseudo(const uint8_t *ip, bool v6, uint8_t proto, uint32_t len)
{
	return ref_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, proto + len);
}

static uint8_t *
put_tunnel(struct ref_frame *f, const struct ref_conf *c, uint8_t *p)
{
	static const uint8_t proto[] = { [REF_VXLAN] = 17, [REF_GENEVE] = 17, [REF_GRE] = 47, [REF_GRE_CSUM] = 47 };

	f->o_v6 = c->outer_v6;
	f->o_proto = c->tunnel == REF_IPIP ? (c->v6 ? 41 : 4) : proto[c->tunnel];
	p = put_eth(p, c->outer_v6 ? 0x86dd : 0x0800, 0);
	f->o_l3 = (uint32_t)(p - f->b);
	p = put_ip(p, c->outer_v6, f->o_proto, 0);
	/* Without "don't fragment": ids are to differ. */
	if (!c->outer_v6)
		p[-14] = 0;
	f->o_l4 = (uint32_t)(p - f->b);
	switch (c->tunnel) {
	case REF_VXLAN:
		memcpy(p, "\xc0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\x2a\0", 16);
		p[6] = c->outer_csum;
		return p + 16;
	case REF_GENEVE:
		memcpy(p, "\xc0\0\x17\xc1\0\0\0\0\x02\0\x65\x58\0\0\x2a\0\x01\x02\x03\x01\x0a\x0b\x0c\x0d", 24);
		p[6] = c->outer_csum;
		return p + 24;
	case REF_GRE:
		memcpy(p, "\x20\0\x65\x58\0\0\0\x07", 8);
		return p + 8;
	case REF_GRE_CSUM:
		memcpy(p, "\xa0\0\x65\x58\0\0\0\0\0\0\0\x07", 12);
		return p + 12;
	default:
		return p;
	}
}

static void
done_tunnel(struct ref_frame *f)
{
	if (f->o_proto == 17)
		ref_put16(f->b + f->o_l4 + 4, f->len - f->o_l4);
	done_ip(f->b + f->o_l3, f->o_v6, f->len - f->o_l3);
}

void
ref_build(struct ref_frame *f, const struct ref_conf *c)
{
	bool udp = c->gso == VIRTIO_NET_HDR_GSO_UDP || c->gso == REF_GSO_UDP_L4 || (!c->gso && c->udp);
	uint8_t *p = f->b;

	memset(f, 0, offsetof(struct ref_frame, v));
	memset(&f->v, 0, sizeof *f - offsetof(struct ref_frame, v));
	f->v6 = c->v6;
	f->proto = udp ? 17 : 6;
	f->fragments = c->gso == VIRTIO_NET_HDR_GSO_UDP;
	if (c->tunnel)
		p = put_tunnel(f, c, p);
	if (c->tunnel != REF_IPIP)
		p = put_eth(p, c->v6 ? 0x86dd : 0x0800, c->tags);
	f->l3 = (uint32_t)(p - f->b);
	p = put_ip(p, c->v6, f->proto, c->ip_opts);
	f->l4 = (uint32_t)(p - f->b);
	if (udp) {
		memcpy(p, "\x10\0\x20\0\0\0\xaa\xbb", 8);
		p += 8;
	} else {
		/* CWR, PSH, FIN set; the number of the sequence about to wrap. */
		memcpy(p, "\x10\0\x20\0\xff\xff\xff\x00\0\0\0\x01\x50\x19\x40\0\xaa\xbb\0\0", 20);
		p[12] = (uint8_t)((5 + c->tcp_opts) << 4);
		p[13] |= c->cwr ? 0x80 : 0;
		memset(p + 20, 1, c->tcp_opts * 4u);
		p += 20 + c->tcp_opts * 4;
	}
	f->hdr_len = (uint32_t)(p - f->b);
	for (uint32_t i = 0; i < c->payload; i++)
		*p++ = (uint8_t)(i * 7 + i / 251);
	f->len = f->hdr_len + c->payload;
	if (udp)
		ref_put16(f->b + f->l4 + 4, f->len - f->l4);
	done_ip(f->b + f->l3, f->v6, f->len - f->l3);
	if (c->tunnel)
		done_tunnel(f);
	f->v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = c->gso, .gso_size = c->mss,
		.csum_start = (uint16_t)f->l4, .csum_offset = udp ? 6 : 16 };
	if (c->cwr && !udp && c->gso)
		f->v.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	ref_put16(f->b + f->l4 + f->v.csum_offset, pseudo(f->b + f->l3, f->v6, f->proto, f->len - f->l4));
}

/* --- Verifying ----------------------------------------------------------------------------- */

#define WRONG_IF(what) \
	do { \
		if (what) \
			return #what; \
	} while (0)

/* The bytes that every segment has as the frame has them: all but those that are listed. */
static const char *
verify_ip(const uint8_t *ip, const uint8_t *was, bool v6, uint32_t hlen, uint32_t len)
{
	uint8_t want[128];

	memcpy(want, was, hlen);
	if (v6) {
		WRONG_IF(ref_get16(ip + 4) != len - 40);
		memcpy(want + 4, ip + 4, 2);
	} else {
		WRONG_IF(ref_get16(ip + 2) != len);
		WRONG_IF(ref_sum(ip, hlen, 0) != 0xffff);
		memcpy(want + 2, ip + 2, 6);
		memcpy(want + 10, ip + 10, 2);
		WRONG_IF((ip[6] ^ was[6]) & 0xc0);
	}
	WRONG_IF(memcmp(want, ip, hlen));
	return NULL;
}

static const char *
verify_tunnel(const struct ref_frame *f, const uint8_t *p, uint32_t len, uint32_t i, uint32_t n, unsigned *id)
{
	const uint8_t *l4 = p + f->o_l4, *was = f->b + f->o_l4;
	uint32_t l4_len = len - f->o_l4;
	const char *e = verify_ip(p + f->o_l3, f->b + f->o_l3, f->o_v6, f->o_l4 - f->o_l3, len - f->o_l3);

	if (e)
		return e;
	if (!f->o_v6) {
		WRONG_IF(!i && ref_get16(p + f->o_l3 + 4) != ref_get16(f->b + f->o_l3 + 4));
		WRONG_IF(i && n > 1 && ref_get16(p + f->o_l3 + 4) == *id);
		*id = ref_get16(p + f->o_l3 + 4);
	}
	if (f->o_proto == 47 && was[0] & 0x80) {
		WRONG_IF(ref_sum(l4, l4_len, 0) != 0xffff);
		WRONG_IF(memcmp(l4, was, 4) || memcmp(l4 + 6, was + 6, f->l3 - f->o_l4 - 6));
		return NULL;
	}
	if (f->o_proto != 17) {
		WRONG_IF(memcmp(l4, was, f->l3 - f->o_l4));
		return NULL;
	}
	WRONG_IF(memcmp(l4, was, 4) || memcmp(l4 + 8, was + 8, f->l3 - f->o_l4 - 8));
	WRONG_IF(ref_get16(l4 + 4) != l4_len);
	if (!ref_get16(was + 6))
		WRONG_IF(ref_get16(l4 + 6));
	else
		WRONG_IF(!ref_get16(l4 + 6) || ref_sum(l4, l4_len, pseudo(p + f->o_l3, f->o_v6, 17, l4_len)) != 0xffff);
	return NULL;
}

static const char *
verify_l4(const struct ref_frame *f, const uint8_t *p, uint32_t len, uint32_t off, bool last, bool partial)
{
	const uint8_t *l4 = p + f->l4, *was = f->b + f->l4;
	uint32_t l4_len = len - f->l4, sum = pseudo(p + f->l3, f->v6, f->proto, l4_len);

	if (partial)
		WRONG_IF(ref_get16(l4 + f->v.csum_offset) != sum);
	else
		WRONG_IF(ref_sum(l4, l4_len, sum) != 0xffff || !ref_get16(l4 + f->v.csum_offset));
	WRONG_IF(memcmp(l4, was, 4));
	if (f->proto == 17) {
		WRONG_IF(ref_get16(l4 + 4) != l4_len);
		return NULL;
	}
	WRONG_IF(((uint32_t)ref_get16(l4 + 4) << 16 | ref_get16(l4 + 6)) !=
		 ((uint32_t)ref_get16(was + 4) << 16 | ref_get16(was + 6)) + off);
	WRONG_IF(memcmp(l4 + 8, was + 8, 5));
	WRONG_IF(l4[13] != (was[13] & ~((off ? 0x80 : 0) | (last ? 0 : 0x09))));
	WRONG_IF(memcmp(l4 + 14, was + 14, 2));
	WRONG_IF(memcmp(l4 + 18, was + 18, f->hdr_len - f->l4 - 18));
	return NULL;
}

static const char *
verify_segment(const struct ref_frame *f, const uint8_t *p, uint32_t len, uint32_t i, uint32_t off, bool last, bool partial)
{
	const char *e = verify_ip(p + f->l3, f->b + f->l3, f->v6, f->l4 - f->l3, len - f->l3);

	if (e)
		return e;
	if (!f->v6) {
		WRONG_IF(ref_get16(p + f->l3 + 4) != ((ref_get16(f->b + f->l3 + 4) + i) & 0xffff));
		WRONG_IF(memcmp(p + f->l3 + 6, f->b + f->l3 + 6, 2));
	}
	return verify_l4(f, p, len, off, last, partial);
}

/* A fragment of UDP; '*ident' that of the first. */
static const char *
verify_fragment(const struct ref_frame *f, const uint8_t *p, uint32_t len, uint32_t off, bool last, uint32_t *ident)
{
	const uint8_t *ip = p + f->l3, *frag;
	uint32_t at = 40;
	const char *e;

	if (!f->v6) {
		e = verify_ip(ip, f->b + f->l3, false, f->l4 - f->l3, len - f->l3);
		if (e && strcmp(e, "(ip[6] ^ was[6]) & 0xc0"))
			return e;
		WRONG_IF(ref_get16(ip + 4) != ref_get16(f->b + f->l3 + 4));
		WRONG_IF(ref_get16(ip + 6) != (off / 8 | (last ? 0 : 0x2000u)));
		return NULL;
	}
	WRONG_IF(ref_get16(ip + 4) != len - f->l3 - 40);
	/* Behind the hop-by-hop options, in front of destination options. */
	if (ip[6] == 0)
		at += (ip[41] + 1u) * 8;
	WRONG_IF((at == 40 ? ip[6] : ip[40]) != 44);
	frag = ip + at;
	WRONG_IF(frag[0] != (at == 40 ? f->b[f->l3 + 6] : f->b[f->l3 + 40]));
	WRONG_IF(frag[1] || ref_get16(frag + 2) != (off | !last));
	if (!off)
		memcpy(ident, frag + 4, 4);
	WRONG_IF(memcmp(ident, frag + 4, 4));
	WRONG_IF(memcmp(frag + 8, f->b + f->l3 + at, f->l4 - f->l3 - at));
	return NULL;
}

/* The datagram that fragments make: its checksum, and what it carries. */
static const char *
verify_datagram(const struct ref_frame *f, const uint8_t *d, uint32_t len)
{
	WRONG_IF(len != f->len - f->l4);
	WRONG_IF(memcmp(d, f->b + f->l4, 6));
	WRONG_IF(ref_sum(d, len, pseudo(f->b + f->l3, f->v6, 17, len)) != 0xffff || !ref_get16(d + 6));
	WRONG_IF(memcmp(d + 8, f->b + f->l4 + 8, len - 8));
	return NULL;
}

const char *
ref_verify(const struct ref_frame *f, struct rte_mbuf *const *m, unsigned n, uint32_t mss, bool partial)
{
	static uint8_t seg[REF_MAX], datagram[REF_MAX];
	uint32_t hdr = f->fragments && mss != UINT32_MAX ? f->l4 : f->hdr_len, left = f->len - hdr, off = 0, ident = 0, add;
	bool frags = f->fragments && mss != UINT32_MAX;
	const char *e = NULL;
	unsigned o_id = 0;

	if (frags)
		mss &= ~7u;
	/* A fragment header more. */
	add = frags && f->v6 ? 8 : 0;
	for (unsigned i = 0; i < n && !e; i++) {
		uint32_t want = mss < left - off ? mss : left - off, len = m[i]->pkt_len;
		const uint8_t *p = rte_pktmbuf_read(m[i], 0, len, seg);
		bool last = i + 1 == n;

		WRONG_IF(len != hdr + add + want);
		WRONG_IF(!want && left);
		WRONG_IF(memcmp(p, f->b, f->o_l4 ? f->o_l3 : f->l3));
		if (f->o_l4)
			e = verify_tunnel(f, p, len, i, n, &o_id);
		if (!e && frags) {
			e = verify_fragment(f, p, len, off, last, &ident);
			memcpy(datagram + off, p + hdr + add, want);
		} else if (!e) {
			e = verify_segment(f, p, len, i, off, last, partial);
			WRONG_IF(memcmp(p + hdr, f->b + hdr + off, want));
		}
		off += want;
	}
	WRONG_IF(!e && off != left);
	return e || !frags ? e : verify_datagram(f, datagram, off);
}
