/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of virtqueues share. */
#ifndef TESTS_VHOST_RINGTEST_H
#define TESTS_VHOST_RINGTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vhost/driver.h"

#define BIT(n) (1ull << (n))

/* Not random to anyone; repeatable. */
static inline uint32_t
draw(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(((*state >> 32) * below) >> 32);
}

static inline void
fill(uint8_t *p, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

/* What is in a frame, gathered as the datapath would. */
static inline uint32_t
frame_read(const struct frames *f, unsigned i, uint8_t *out)
{
	const struct frame *fr = &f->f[i];
	uint32_t at = fr->first.len;

	memcpy(out, fr->first.p, fr->first.len);
	for (unsigned k = 0; k < fr->n_more; k++) {
		memcpy(out + at, f->more[fr->more_at + k].p, f->more[fr->more_at + k].len);
		at += f->more[fr->more_at + k].len;
	}
	assert_int_equal(at, fr->len);
	assert_memory_equal(out, frame_hdr(f, i), frame_hdr_len(fr));
	return at;
}

#endif
