/* SPDX-License-Identifier: Apache-2.0 */
/* Network order has a type; a bare uint16_t is host order. */
#ifndef BASE_BYTEORDER_H
#define BASE_BYTEORDER_H

#include <stdint.h>
#include <string.h>

typedef uint16_t be16_t;
typedef uint32_t be32_t;
typedef uint64_t be64_t;

static inline be16_t
be16(uint16_t host)
{
	return __builtin_bswap16(host);
}

static inline be32_t
be32(uint32_t host)
{
	return __builtin_bswap32(host);
}

static inline be64_t
be64(uint64_t host)
{
	return __builtin_bswap64(host);
}

/* The same swap read the other way: host order from network order. */
static inline uint16_t
host16(be16_t net)
{
	return __builtin_bswap16(net);
}

static inline uint32_t
host32(be32_t net)
{
	return __builtin_bswap32(net);
}

static inline uint64_t
host64(be64_t net)
{
	return __builtin_bswap64(net);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts need be16() and friends as identity");

/* Unaligned loads and stores of raw (still network-order) values. */
static inline be16_t
load_be16(const void *p)
{
	be16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline be32_t
load_be32(const void *p)
{
	be32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline be64_t
load_be64(const void *p)
{
	be64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline void
store_be16(void *p, be16_t v)
{
	memcpy(p, &v, sizeof v);
}

static inline void
store_be32(void *p, be32_t v)
{
	memcpy(p, &v, sizeof v);
}

static inline void
store_be64(void *p, be64_t v)
{
	memcpy(p, &v, sizeof v);
}

#endif
