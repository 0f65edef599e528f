/* SPDX-License-Identifier: Apache-2.0 */
/* A glance at the frame inside a tunnel: where its IP header is, and what outer headers take from it. */
#ifndef TUNNELS_INNER_PRIV_H
#define TUNNELS_INNER_PRIV_H

#include "base/byteorder.h"
#include "base/util.h"

enum {
	ETH_HLEN = 14,
	IP4_HLEN = 20,
	IP6_HLEN = 40,
	UDP_HLEN = 8,
	GRE_HLEN = 4,           /* Without checksum, key and sequence number. */
	TCP_HLEN = 20,
};

struct inner {
	uint32_t entropy;       /* Same for all packets of a flow. */
	uint8_t tos, ttl;       /* 0 when the frame is not IP. */
};

/* Offset of the L3 header behind up to two tags, 0 when it is not there; '*type' in host order. */
static inline uint32_t
inner_l3(const uint8_t *p, uint32_t len, uint16_t *type)
{
	uint32_t off = 14;

	if (UNLIKELY(len < off))
		return 0;
	*type = host16(load_be16(p + 12));
	for (unsigned tags = 0; UNLIKELY(*type == 0x8100 || *type == 0x88a8) && tags < 2; tags++) {
		off += 4;
		if (len < off)
			return 0;
		*type = host16(load_be16(p + off - 2));
	}
	return off;
}

static inline uint64_t
inner_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline bool
inner_has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

/* Reads MACs and Ethertype, then addresses and protocol, then ports unless a fragment.  The hash is a sum of
 * products, whose terms do not wait for each other; its upper bits depend on every bit that went in.  'p' is
 * what the guest sent: every length is checked. */
static inline void
inner_read(const uint8_t *p, uint32_t len, struct inner *in)
{
	const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xc2b2ae3d27d4eb4f, k2 = 0x165667b19e3779f9,
		       k3 = 0xd6e8feb86659fd93, k4 = 0xff51afd7ed558ccd, k5 = 0xc4ceb9fe1a85ec53;
	uint16_t type = 0;
	uint32_t off = inner_l3(p, len, &type), l4 = 0;
	uint64_t h = type * k5;
	uint8_t proto = 0;

	in->tos = in->ttl = 0;
	if (LIKELY(off))
		h += inner_load64(p) * k0 + inner_load64(p + 4) * k1;
	if (LIKELY(type == 0x0800 && off && len >= off + 20 && p[off] >> 4 == 4)) {
		const uint8_t *ip = p + off;

		in->tos = ip[1];
		in->ttl = ip[8];
		proto = ip[9];
		h += inner_load64(ip + 12) * k2;
		/* More fragments, or an offset: its siblings have no ports. */
		if (LIKELY(!(load_be16(ip + 6) & be16(0x3fff))))
			l4 = off + (ip[0] & 15) * 4;
	} else if (type == 0x86dd && off && len >= off + 40 && p[off] >> 4 == 6) {
		const uint8_t *ip = p + off;

		in->tos = host16(load_be16(ip)) >> 4 & 0xff;
		in->ttl = ip[7];
		proto = ip[6];
		h += inner_load64(ip + 8) * k2 + inner_load64(ip + 16) * k3 + inner_load64(ip + 24) * k4 +
		     inner_load64(ip + 32) * k0;
		l4 = off + 40;
	}
	if (LIKELY(l4 && inner_has_ports(proto) && len >= l4 + 4)) {
		uint32_t ports;

		memcpy(&ports, p + l4, sizeof ports);
		h += ports * k4;
	}
	h += proto * k3;
	h ^= h >> 32;
	h *= k1;
	in->entropy = h >> 32;
}

#endif
