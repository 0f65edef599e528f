/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet and IP addresses: values, text, predicates. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <string.h>

#include "base/byteorder.h"
#include "base/util.h"

struct mac {
	uint8_t b[6];
};

/* IPv6, or IPv4 as ::ffff:a.b.c.d.  All zero means "none" or "any". */
struct ipaddr {
	uint8_t b[16];
};

#define MAC_STR_LEN 18
#define IP_STR_LEN 46

int mac_parse(const char *s, struct mac *);             /* "02:00:00:00:00:01"; 0 or -EINVAL. */
const char *mac_format(struct mac, char buf[MAC_STR_LEN]);
int ip_parse(const char *s, struct ipaddr *);               /* Either family; 0 or -EINVAL. */
const char *ip_format(struct ipaddr, char buf[IP_STR_LEN]); /* IPv4-mapped prints as IPv4; none as "any". */

static inline struct ipaddr
ip_from_v4(be32_t v4)
{
	/* In words, as whoever copies or compares it reads it. */
	uint64_t w[2] = { 0, (uint64_t)v4 << 32 | 0xffff0000 };
	struct ipaddr a;

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "0, 0, 0xff, 0xff, then the address");
	memcpy(&a, w, sizeof a);
	return a;
}

static inline bool
mac_is_multicast(struct mac m)
{
	return m.b[0] & 1;
}

static inline bool
mac_is_zero(struct mac m)
{
	return !(m.b[0] | m.b[1] | m.b[2] | m.b[3] | m.b[4] | m.b[5]);
}

static inline bool
mac_equal(struct mac a, struct mac b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

/* The six bytes as a number, first byte most significant: for hashing and ordering. */
static inline uint64_t
mac_u64(struct mac m)
{
	return (uint64_t)m.b[0] << 40 | (uint64_t)m.b[1] << 32 | (uint64_t)m.b[2] << 24 |
	       (uint64_t)m.b[3] << 16 | (uint64_t)m.b[4] << 8 | m.b[5];
}

static inline bool
ip_is_v4(const struct ipaddr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, mapped, sizeof mapped) == 0;
}

/* Only where ip_is_v4(). */
static inline be32_t
ip_v4(const struct ipaddr *a)
{
	return load_be32(a->b + 12);
}

static inline bool
ip_is_none(const struct ipaddr *a)
{
	static const struct ipaddr none;

	return memcmp(a, &none, sizeof none) == 0;
}

static inline bool
ip_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Neither multicast, broadcast, loopback nor none: usable as a tunnel endpoint. */
bool ip_is_unicast(const struct ipaddr *);
/* A group: 224.0.0.0/4, ff00::/8. */
bool ip_is_multicast(const struct ipaddr *);
/* The Ethernet address that frames for a group are sent to: RFC 1112, section 6.4, and RFC 2464, section 7. */
struct mac ip_group_mac(const struct ipaddr *);

#endif
