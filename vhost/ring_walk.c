/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of descriptors of any shape: several buffers, indirect tables, headers cut anywhere, and those that make no
 * sense.  The bursts deal with chains of one descriptor themselves and come here with the rest. */
#include "base/ctr.h"
#include "vhost/ring_priv.h"

/* One descriptor of a guest's indirect table, for whose alignment the specification has no rule. */
static struct vq_desc
table_load(const uint8_t *table, uint32_t i)
{
	struct __attribute__((packed, may_alias)) loose {
		uint64_t addr, rest;
	};
	const volatile struct loose *p = (const volatile struct loose *)(const void *)(table + (size_t)i * 16);

	return (struct vq_desc){ p->addr, p->rest };
}

/* The table that an indirect descriptor names and its number of entries; NULL: it cannot be one. */
static const uint8_t *
table_of(struct vq *vq, struct vq_desc d, uint32_t *n)
{
	if (!vq->indirect || !desc_len(d) || desc_len(d) % sizeof(struct vring_desc))
		return NULL;
	*n = desc_len(d) / (uint32_t)sizeof(struct vring_desc);
	ctr_add(&vq->stats.indirect, 1);
	return vmem_at(vq->mem, &vq->region, d.addr, desc_len(d));
}

/* Adds a buffer.  False: it makes the chain a bad one. */
static bool
add_buf(struct vq *vq, struct vq_chain *c, struct vq_desc d, bool writable, bool write)
{
	const uint8_t *p;

	if (c->n == VQ_MAX_CHAIN || writable != write || !desc_len(d))
		return false;
	p = vmem_at(vq->mem, &vq->region, d.addr, desc_len(d));
	if (!p)
		return false;
	c->buf[c->n++] = (struct frame_buf){ p, desc_len(d) };
	c->total += desc_len(d);
	return true;
}

static bool
walk_split(struct vq *vq, struct vq_desc d, bool write, struct vq_chain *c)
{
	const uint8_t *table = NULL;
	uint32_t n_table = vq->size;

	/* Ends: each turn adds a buffer, of which there are VQ_MAX_CHAIN, or enters the one table there can be. */
	for (;;) {
		uint16_t flags = split_flags(d);

		if (flags & VRING_DESC_F_INDIRECT) {
			/* At the end of a chain, or instead of one (virtio 1.2, 2.7.5.3). */
			if (table || flags & VRING_DESC_F_NEXT)
				return false;
			table = table_of(vq, d, &n_table);
			if (!table)
				return false;
			d = table_load(table, 0);
			if (split_flags(d) & VRING_DESC_F_INDIRECT)
				return false;
			continue;
		}
		if (!add_buf(vq, c, d, flags & VRING_DESC_F_WRITE, write))
			return false;
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		if (split_next(d) >= n_table)
			return false;
		d = table ? table_load(table, split_next(d)) : split_load(&vq->desc[split_next(d)]);
	}
}

bool
vq_walk_split(struct vq *vq, uint16_t at, struct vq_desc d, bool write, struct vq_chain *c)
{
	c->n = 0;
	c->total = 0;
	c->id = at;
	c->n_desc = 1;
	c->ok = walk_split(vq, d, write, c);
	return true;
}

/* All entries of the table are the chain: NEXT means nothing there (virtio 1.2, 2.8.7). */
static bool
walk_packed_table(struct vq *vq, struct vq_desc d, bool write, struct vq_chain *c)
{
	uint32_t n;
	const uint8_t *table = table_of(vq, d, &n);

	if (!table || n > VQ_MAX_CHAIN)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		d = table_load(table, i);
		if (packed_flags(d) & VRING_DESC_F_INDIRECT ||
		    !add_buf(vq, c, d, packed_flags(d) & VRING_DESC_F_WRITE, write))
			return false;
	}
	return true;
}

bool
vq_walk_packed(struct vq *vq, uint16_t at, struct vq_desc d, bool write, uint32_t most, struct vq_chain *c)
{
	c->n = 0;
	c->total = 0;
	c->n_desc = 1;
	c->ok = true;
	if ((packed_flags(d) & (VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT)) == VRING_DESC_F_INDIRECT) {
		c->id = packed_id(d);
		c->ok = walk_packed_table(vq, d, write, c);
		return most >= 1;
	}
	/* To the end in any case: that is where the id is, and the next chain begins behind it. */
	for (;; c->n_desc++) {
		uint16_t flags = packed_flags(d);

		if (c->n_desc > most)
			return false;
		c->ok = c->ok && !(flags & VRING_DESC_F_INDIRECT) && add_buf(vq, c, d, flags & VRING_DESC_F_WRITE, write);
		c->id = packed_id(d);
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		at = (at + 1) & vq->mask;
		d = packed_load(&vq->pdesc[at]);
	}
}

/* ---- From the guest ---------------------------------------------------------------------------- */

/* Takes the virtio header, wherever its bytes are, off the chain's buffers from '*k' on. */
static void
strip_vnet(struct vq_chain *c, unsigned *k, uint32_t hdr_len, uint8_t *vnet)
{
	while (hdr_len) {
		struct frame_buf *b = &c->buf[*k];
		uint32_t n = MIN_OF(hdr_len, b->len);

		if (vnet) {
			memcpy(vnet, b->p, n);
			vnet += n;
		}
		hdr_len -= n;
		b->p += n;
		b->len -= n;
		if (!b->len)
			++*k;
	}
}

int
vq_frame_of_chain(struct vq *vq, struct frames *f, unsigned i, struct vq_chain *c, uint8_t *vnet)
{
	struct frame *fr = &f->f[i];
	unsigned k = 0;

	if (!c->ok || c->total <= vq->hdr_len || c->total - vq->hdr_len > FRAME_MAX_LEN) {
		vq_rx_drop(vq, DROP_RX_BAD_CHAIN);
		return 0;
	}
	if (c->total - vq->hdr_len < ETH_LEN) {
		vq_rx_drop(vq, DROP_RX_MALFORMED);
		return 0;
	}
	strip_vnet(c, &k, vq->hdr_len, vnet);
	if (f->n_more + (c->n - k - 1) > FRAME_MORE)
		return -1;
	fr->first = c->buf[k++];
	fr->len = (uint32_t)c->total - vq->hdr_len;
	fr->more_at = f->n_more;
	fr->n_more = (uint16_t)(c->n - k);
	fr->need = 0;
	frame_begin(fr);
	memcpy(&f->more[f->n_more], &c->buf[k], fr->n_more * sizeof f->more[0]);
	f->n_more += fr->n_more;
	return 1;
}

void
vq_gather_hdr(const struct frames *f, const struct frame *fr, uint8_t *hdr)
{
	uint32_t left = frame_hdr_len(fr), n = MIN_OF(left, fr->first.len);

	memcpy(hdr, fr->first.p, n);
	for (unsigned k = 0; left > n; k++) {
		const struct frame_buf *b = &f->more[fr->more_at + k];

		hdr += n;
		left -= n;
		n = MIN_OF(left, b->len);
		memcpy(hdr, b->p, n);
	}
}
