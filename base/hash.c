/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds and byte strings for the hash functions of hash.h. */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

uint64_t
hash_random_seed(void)
{
	uint64_t v;
	ssize_t n;

	do
		n = getrandom(&v, sizeof v, 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof v) {
		log_err("hash: no random seed: getrandom: %s", strerror(errno));
		abort();
	}
	return v;
}

uint64_t
hash_bytes(const void *p, size_t len, uint64_t seed)
{
	const uint8_t *b = p;
	uint64_t h = hash_mix(seed ^ len), word;

	for (; len >= sizeof word; b += sizeof word, len -= sizeof word) {
		memcpy(&word, b, sizeof word);
		h = hash_add(h, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, b, len);
		h = hash_add(h, word);
	}
	return hash_mix(h);
}
