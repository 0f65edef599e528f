/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071) in pieces: sum as many pieces as there are, fold once.  Sums are of
 * 16-bit words as they lie in memory, so a folded result is stored as it is.  (rte_ip.h has the like;
 * this one needs no DPDK.) */
#ifndef BASE_CSUM_H
#define BASE_CSUM_H

#include <stddef.h>
#include <string.h>

#include "base/byteorder.h"

/* Adds 'len' bytes at any address.  An odd 'len' is padded with a zero: only the last piece may be odd. */
static inline uint64_t
csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t w;
	uint16_t h;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&w, p, 4);
		sum += w;
	}
	if (len & 2) {
		memcpy(&h, p, 2);
		sum += h;
		p += 2;
	}
	return len & 1 ? sum + *p : sum;
}

/* The sixteen-bit sum; its complement is the checksum.  0xffff over data that carries a right one. */
static inline uint16_t
csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

#endif
