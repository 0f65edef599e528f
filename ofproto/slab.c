/* SPDX-License-Identifier: Apache-2.0 */
/* Records in chunks of 64, named by number; see rule.h. */
#include "ofproto/rule.h"

#include <stdlib.h>

/* Chunks with free records of a class are in a list; chunks without any record taken are in the list of empty ones. */
struct slab_meta {
	uint64_t free;                  /* Bit i: record i can be taken. */
	uint32_t prev, next;
};

void
slab_init(struct slab *s, bool keeps)
{
	*s = (struct slab){ .keeps = keeps, .n_chunks = 1 };
	s->chunk = map_zeroed(SLAB_MAX_CHUNKS * sizeof *s->chunk);
	s->meta = map_zeroed(SLAB_MAX_CHUNKS * sizeof *s->meta);
	if (!s->chunk || !s->meta)
		abort();
}

void
slab_fini(struct slab *s)
{
	for (uint32_t i = 1; i < s->n_chunks; i++)
		free(s->chunk[i].mem);
	map_free(s->chunk, SLAB_MAX_CHUNKS * sizeof *s->chunk);
	map_free(s->meta, SLAB_MAX_CHUNKS * sizeof *s->meta);
}

static void
push(struct slab *s, uint32_t *head, uint32_t c)
{
	s->meta[c].prev = 0;
	s->meta[c].next = *head;
	if (*head)
		s->meta[*head].prev = c;
	*head = c;
}

static void
pull(struct slab *s, uint32_t *head, uint32_t c)
{
	struct slab_meta *m = &s->meta[c];

	if (m->prev)
		s->meta[m->prev].next = m->next;
	else
		*head = m->next;
	if (m->next)
		s->meta[m->next].prev = m->prev;
}

/* A chunk for a class that has no free record. */
static uint32_t
add_chunk(struct slab *s, unsigned class, uint32_t stride)
{
	uint32_t c = s->empty;
	size_t len = (size_t)stride * SLAB_N;

	if (c)
		pull(s, &s->empty, c);
	else if (s->n_chunks == SLAB_MAX_CHUNKS)
		return 0;
	else
		c = s->n_chunks++;
	if (!s->chunk[c].mem) {
		s->chunk[c].mem = s->keeps ? xalloc_aligned(64, len) : xrealloc(NULL, len);
		s->bytes += len;
	}
	s->chunk[c].stride = stride;
	s->chunk[c].class = class;
	s->meta[c].free = UINT64_MAX;
	push(s, &s->partial[class], c);
	return c;
}

uint32_t
slab_take(struct slab *s, unsigned class, uint32_t stride)
{
	uint32_t c = s->partial[class];
	unsigned i;

	if (!c && !(c = add_chunk(s, class, stride)))
		return 0;
	i = (unsigned)__builtin_ctzll(s->meta[c].free);
	s->meta[c].free &= s->meta[c].free - 1;
	if (!s->meta[c].free)
		pull(s, &s->partial[class], c);
	return c << SLAB_SHIFT | i;
}

void
slab_give(struct slab *s, uint32_t idx)
{
	uint32_t c = idx >> SLAB_SHIFT;
	struct slab_meta *m = &s->meta[c];
	uint32_t *head = &s->partial[s->chunk[c].class];

	if (!m->free)
		push(s, head, c);
	m->free |= (uint64_t)1 << (idx & (SLAB_N - 1));
	/* The last one of a class stays: it would be wanted again with the next rule. */
	if (m->free != UINT64_MAX || (*head == c && !m->next))
		return;
	pull(s, head, c);
	if (!s->keeps) {
		s->bytes -= (uint64_t)s->chunk[c].stride * SLAB_N;
		free(s->chunk[c].mem);
		s->chunk[c].mem = NULL;
	}
	push(s, &s->empty, c);
}

bool
slab_taken(const struct slab *s, uint32_t idx)
{
	return !(s->meta[idx >> SLAB_SHIFT].free >> (idx & (SLAB_N - 1)) & 1);
}

uint32_t
slab_next_chunk(const struct slab *s, uint32_t idx, int class)
{
	for (uint32_t c = MAX_OF(idx >> SLAB_SHIFT, 1u); c < s->n_chunks; c++)
		if (s->meta[c].free != UINT64_MAX && (class < 0 || s->chunk[c].class == (unsigned)class))
			return c << SLAB_SHIFT;
	return UINT32_MAX;
}
