/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that messages are decoded into and encoded to: arenas, byte buffers, lists of actions. */
#include <stdlib.h>

#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

/* --- Arenas ------------------------------------------------------------------------------------- */

enum { BLOCK_LEN = 32 * 1024, KEEP_LEN = 4 * 1024 * 1024, KEEP_ACTS = 256 * 1024 };

struct block {
	struct block *next;
	size_t len;
	uint8_t data[] __attribute__((aligned(16)));
};

struct of_arena {
	struct block *first, *now;
	size_t used;                    /* Of 'now'. */
	size_t total;
	struct of_act_buf acts;
};

static struct block *
block_create(struct of_arena *a, size_t len)
{
	/* Not zeroed: allocations are, one by one. */
	struct block *b = xrealloc(NULL, sizeof *b + len);

	b->next = NULL;
	b->len = len;
	a->total += len;
	return b;
}

static void
blocks_free(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

struct of_arena *
of_arena_create(void)
{
	struct of_arena *a = xcalloc(1, sizeof *a);

	a->first = a->now = block_create(a, BLOCK_LEN);
	return a;
}

void
of_arena_destroy(struct of_arena *a)
{
	if (!a)
		return;
	blocks_free(a->first);
	of_act_buf_fini(&a->acts);
	free(a);
}

void
of_arena_reset(struct of_arena *a)
{
	a->now = a->first;
	a->used = 0;
	if (a->total > KEEP_LEN) {
		blocks_free(a->first->next);
		a->first->next = NULL;
		a->total = a->first->len;
	}
	if (a->acts.cap > KEEP_ACTS)
		of_act_buf_fini(&a->acts);
}

/* Room for 'len' bytes in the block under way, or the next one with so much room. */
static void
arena_room(struct of_arena *a, size_t len)
{
	struct block *b;

	while (a->used + len > a->now->len) {
		if (!a->now->next || a->now->next->len < len) {
			b = block_create(a, MAX_OF(len, (size_t)BLOCK_LEN));
			b->next = a->now->next;
			a->now->next = b;
		}
		a->now = a->now->next;
		a->used = 0;
	}
}

void *
of_arena_alloc(struct of_arena *a, size_t len)
{
	void *p;

	len = (len + 7) & ~(size_t)7;
	if (UNLIKELY(a->used + len > a->now->len))
		arena_room(a, len);
	p = a->now->data + a->used;
	a->used += len;
	return memset(p, 0, len);
}

struct of_act_buf *
wire_arena_acts(struct of_arena *a)
{
	return &a->acts;
}

/* --- Bytes -------------------------------------------------------------------------------------- */

uint8_t *
wire_add(struct of_buf *b, size_t n)
{
	uint8_t *p;

	if (b->len + n > b->cap) {
		b->cap = MAX_OF(2 * b->cap, b->len + n + 256);
		b->data = xrealloc(b->data, b->cap);
	}
	p = b->data + b->len;
	b->len += n;
	return memset(p, 0, n);
}

void
wire_pad8(struct of_buf *b, size_t start)
{
	wire_add(b, -(b->len - start) & 7);
}

void
of_buf_fini(struct of_buf *b)
{
	free(b->data);
	*b = (struct of_buf){ .data = NULL };
}

/* --- Lists of actions --------------------------------------------------------------------------- */

void *
wire_act_grow(struct of_act_buf *b, uint32_t at, size_t size)
{
	uint32_t len = (uint32_t)(size + 7) & ~7u, more = at + len - b->len;
	struct of_act *a;

	if (b->len + more > b->cap) {
		b->cap = 2 * b->cap + more;
		b->data = xrealloc(b->data, b->cap);
	}
	memset(b->data + b->len, 0, more);
	b->len += more;
	a = (struct of_act *)(void *)(b->data + at);
	a->len = (uint16_t)len;
	return a;
}
