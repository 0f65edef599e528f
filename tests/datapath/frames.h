/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for tests, built byte by byte: a buffer that functions add headers to, outermost first.  Lengths and
 * such are filled in by fb_ip_done() and fb_ip6_done() once the payload is there. */
#ifndef TESTS_DATAPATH_FRAMES_H
#define TESTS_DATAPATH_FRAMES_H

#include <string.h>

#include "base/addr.h"
#include "base/csum.h"

struct fb {
	uint32_t n;
	uint32_t l3, l4;                /* Where these start; 0: not yet. */
	uint8_t b[2048];
};

#define FB_BYTES(f, ...) fb_add((f), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static inline void
fb_add(struct fb *f, const void *p, uint32_t n)
{
	if (n)
		memcpy(f->b + f->n, p, n);
	f->n += n;
}

static inline void
fb_fill(struct fb *f, uint8_t v, uint32_t n)
{
	memset(f->b + f->n, v, n);
	f->n += n;
}

static inline void
fb_be16(struct fb *f, uint16_t v)
{
	FB_BYTES(f, (uint8_t)(v >> 8), (uint8_t)v);
}

/* Both addresses, no type yet; addresses are 02:00:00:00:00:<n>. */
static inline void
fb_macs(struct fb *f, uint8_t dst, uint8_t src)
{
	*f = (struct fb){ .n = 0 };
	FB_BYTES(f, 2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src);
}

static inline void
fb_tag(struct fb *f, uint16_t tpid, uint16_t tci)
{
	fb_be16(f, tpid);
	fb_be16(f, tci);
}

/* The header up to its addresses 10.0.0.1 -> 10.0.0.2; 'opts' bytes of NOP options; 'frag' as in the header. */
static inline void
fb_ip(struct fb *f, uint8_t proto, uint8_t opts, uint16_t frag)
{
	fb_be16(f, 0x0800);
	f->l3 = f->n;
	FB_BYTES(f, (uint8_t)(0x45 + opts / 4), 0xb9, 0, 0, 0x12, 0x34, (uint8_t)(frag >> 8), (uint8_t)frag, 64, proto,
		 0, 0, 10, 0, 0, 1, 10, 0, 0, 2);
	fb_fill(f, 1, opts);
	f->l4 = f->n;
}

static inline void
fb_ip_done(struct fb *f)
{
	uint8_t *ip = f->b + f->l3;

	store_be16(ip + 2, be16((uint16_t)(f->n - f->l3)));
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~csum_fold(csum_add(0, ip, (ip[0] & 0xf) * 4u)));
}

/* 2001:db8::1 -> 2001:db8::2, label 0x12345, traffic class 0xb9. */
static inline void
fb_ip6(struct fb *f, uint8_t next)
{
	fb_be16(f, 0x86dd);
	f->l3 = f->n;
	FB_BYTES(f, 0x6b, 0x91, 0x23, 0x45, 0, 0, next, 63);
	FB_BYTES(f, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	FB_BYTES(f, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	f->l4 = f->n;
}

static inline void
fb_ip6_done(struct fb *f)
{
	store_be16(f->b + f->l3 + 4, be16((uint16_t)(f->n - f->l3 - 40)));
}

static inline void
fb_tcp(struct fb *f, uint16_t src, uint16_t dst, uint16_t flags)
{
	fb_be16(f, src);
	fb_be16(f, dst);
	FB_BYTES(f, 0, 0, 0, 1, 0, 0, 0, 2, (uint8_t)(0x50 | flags >> 8), (uint8_t)flags, 0xff, 0xff, 0, 0, 0, 0);
}

static inline void
fb_udp(struct fb *f, uint16_t src, uint16_t dst, uint16_t payload)
{
	fb_be16(f, src);
	fb_be16(f, dst);
	fb_be16(f, (uint16_t)(8 + payload));
	fb_be16(f, 0);
	fb_fill(f, 'x', payload);
}

static inline void
fb_sctp(struct fb *f, uint16_t src, uint16_t dst)
{
	fb_be16(f, src);
	fb_be16(f, dst);
	fb_fill(f, 0, 8);
}

static inline void
fb_icmp(struct fb *f, uint8_t type, uint8_t code)
{
	FB_BYTES(f, type, code, 0, 0, 0, 7, 0, 1);
}

/* 10.0.0.1 asks for, or tells, 10.0.0.2. */
static inline void
fb_arp(struct fb *f, uint16_t ethertype, uint16_t op)
{
	fb_be16(f, ethertype);
	f->l3 = f->n;
	FB_BYTES(f, 0, 1, 8, 0, 6, 4, (uint8_t)(op >> 8), (uint8_t)op, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2,
		 10, 0, 0, 2);
}

/* A neighbour solicitation with a source link-layer address option. */
static inline void
fb_nd(struct fb *f, uint8_t type)
{
	FB_BYTES(f, type, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 1, 2, 0, 0, 0, 0, 1);
}

#endif
