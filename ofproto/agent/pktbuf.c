/* SPDX-License-Identifier: Apache-2.0 */
/* Frames kept while a controller makes up its mind: it answers with the number instead of the frame.  Some controllers
 * know no other way.  A number names a slot and how often that was used, so that one which was used already is told
 * from one that never was. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

struct slot {
	TAILQ_ENTRY(slot) link;         /* Free ones; or those in use, oldest first. */
	uint8_t *frame;                 /* NULL: free. */
	uint32_t len, in_port, id;
	uint64_t since_ms;
};

struct pktbufs {
	TAILQ_HEAD(, slot) free, used;
	unsigned n;
	size_t bytes;
	struct slot slot[PKTBUFS];
};

static struct pktbufs *
pktbufs_create(void)
{
	struct pktbufs *p = xcalloc(1, sizeof *p);

	TAILQ_INIT(&p->free);
	TAILQ_INIT(&p->used);
	for (unsigned i = 0; i < PKTBUFS; i++)
		TAILQ_INSERT_TAIL(&p->free, &p->slot[i], link);
	return p;
}

static void
release(struct pktbufs *p, struct slot *s)
{
	TAILQ_REMOVE(&p->used, s, link);
	TAILQ_INSERT_TAIL(&p->free, s, link);
	p->bytes -= s->len;
	p->n--;
	s->frame = NULL;
}

uint32_t
pktbuf_put(struct conn *c, uint32_t in_port, const void *frame, uint32_t len)
{
	struct pktbufs *p = c->bufs;
	uint64_t now = clock_ms();
	struct slot *s;

	if (!p)
		p = c->bufs = pktbufs_create();
	while ((s = TAILQ_FIRST(&p->used)) && now - s->since_ms >= PKTBUF_KEEP_MS) {
		free(s->frame);
		release(p, s);
	}
	s = TAILQ_FIRST(&p->free);
	if (!s || p->bytes + len > PKTBUF_BYTES)
		return (uint32_t)OF_NO_BUFFER;
	TAILQ_REMOVE(&p->free, s, link);
	TAILQ_INSERT_TAIL(&p->used, s, link);
	s->frame = xcalloc(1, len + 1);
	memcpy(s->frame, frame, len);
	s->len = len;
	s->in_port = in_port;
	s->since_ms = now;
	/* 1..2^23-1 uses, then the slot: never 0, never "no buffer". */
	s->id = ((s->id / PKTBUFS) % 0x7fffff + 1) * PKTBUFS + (uint32_t)(s - p->slot);
	p->n++;
	p->bytes += len;
	return s->id;
}

int
pktbuf_take(struct conn *c, uint32_t id, uint32_t *in_port, uint8_t **frame, uint32_t *len, struct of_error *e)
{
	struct pktbufs *p = c->bufs;
	struct slot *s = p ? &p->slot[id % PKTBUFS] : NULL;

	if (!s || !s->id || id < PKTBUFS || id > s->id)
		return of_error_set(e, OFE_BRC_BUFFER_UNKNOWN, "no buffer %#x", id);
	if (id != s->id || !s->frame)
		return of_error_set(e, OFE_BRC_BUFFER_EMPTY, "buffer %#x was used already, or expired", id);
	*frame = s->frame;
	*len = s->len;
	*in_port = s->in_port;
	release(p, s);
	return 0;
}

unsigned
pktbuf_count(const struct conn *c)
{
	return c->bufs ? c->bufs->n : 0;
}

void
pktbuf_drop(struct conn *c)
{
	struct pktbufs *p = c->bufs;

	for (unsigned i = 0; p && i < PKTBUFS; i++)
		free(p->slot[i].frame);
	free(p);
	c->bufs = NULL;
}
