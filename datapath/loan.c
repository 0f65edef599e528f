/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/loan.h"

#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/offload.h"

enum { TRIES = 4 };

_Static_assert((int)LOAN_HEAD >= FRAME_ROW, "all private bytes of a frame");

static void
returned(void *addr UNUSED, void *loan)
{
	struct loan *l = loan;

	__atomic_store_n(&l->used, false, __ATOMIC_RELEASE);
}

struct loans *
loans_create(void)
{
	struct loans *l = xalloc_aligned(CACHE_LINE, sizeof *l);

	l->room = map_zeroed((size_t)LOANS * LOAN_LEN);
	if (!l->room) {
		free(l);
		return NULL;
	}
	for (unsigned i = 0; i < LOANS; i++) {
		l->loan[i].sh.free_cb = returned;
		l->loan[i].sh.fcb_opaque = &l->loan[i];
	}
	return l;
}

void
loans_destroy(struct loans *l)
{
	if (!l)
		return;
	map_free(l->room, (size_t)LOANS * LOAN_LEN);
	free(l);
}

static struct loan *
find_free(struct loans *l)
{
	for (unsigned i = 0; i < TRIES; i++) {
		unsigned at = l->at++ % LOANS;

		if (!__atomic_load_n(&l->loan[at].used, __ATOMIC_ACQUIRE)) {
			l->out[l->n_out] = (uint8_t)at;
			return &l->loan[at];
		}
	}
	return NULL;
}

static void
lend(struct loan *l, struct rte_mbuf *const *m)
{
	struct rte_mbuf *head = m[0];

	rte_mbuf_ext_refcnt_set(&l->sh, l->n);
	head->nb_segs = (uint16_t)(l->n + 1);
	for (unsigned k = 0; k < l->n; k++) {
		struct rte_mbuf *s = m[k + 1];

		l->seg[k] = s;
		rte_pktmbuf_attach_extbuf(s, (void *)(uintptr_t)l->lent[k].p, RTE_BAD_IOVA, (uint16_t)l->lent[k].len, &l->sh);
		s->data_len = (uint16_t)l->lent[k].len;
		s->data_off = 0;
		m[k]->next = s;
	}
}

struct rte_mbuf *
loan_make(struct loans *ls, const struct frames *fs, unsigned i, struct rte_mempool *pool)
{
	const struct frame *f = &fs->f[i];
	struct rte_mbuf *m[LOAN_SEGS + 1];
	struct loan *l;

	/* A checksum in a place of its own is completed by writing, and it may be the sender's memory. */
	if (f->len < LOAN_MIN || f->len - LOAN_HEAD > UINT16_MAX || (f->need && !f->vnet.hdr_len) || ls->n_out == FRAME_BURST ||
	    rte_pktmbuf_data_room_size(pool) < RTE_PKTMBUF_HEADROOM + LOAN_HEAD)
		return NULL;
	l = find_free(ls);
	m[0] = l ? rte_pktmbuf_alloc(pool) : NULL;
	if (!m[0])
		return NULL;
	l->n = (uint16_t)frame_split(fs, i, rte_pktmbuf_mtod(m[0], uint8_t *), LOAN_HEAD, l->lent, LOAN_SEGS);
	if (!l->n || rte_pktmbuf_alloc_bulk(pool, &m[1], l->n)) {
		rte_pktmbuf_free(m[0]);
		return NULL;
	}
	m[0]->data_len = LOAN_HEAD;
	m[0]->pkt_len = f->len;
	lend(l, m);
	__atomic_store_n(&l->used, true, __ATOMIC_RELAXED);
	ls->n_out++;
	offl_to_mbuf(m[0], &f->vnet, f->need);
	return m[0];
}

/* Buffers of it that were freed since may be others' by now. */
static void
settle(struct loan *l, uint8_t *room)
{
	for (unsigned k = 0; k < l->n; k++) {
		struct rte_mbuf *s = l->seg[k];

		if (RTE_MBUF_HAS_EXTBUF(s) && s->shinfo == &l->sh && s->buf_addr == l->lent[k].p) {
			memcpy(room, l->lent[k].p, l->lent[k].len);
			s->buf_addr = room;
			room += l->lent[k].len;
		}
	}
}

void
loans_settle(struct loans *ls)
{
	for (unsigned i = 0; i < ls->n_out; i++) {
		struct loan *l = &ls->loan[ls->out[i]];

		if (__atomic_load_n(&l->used, __ATOMIC_ACQUIRE))
			settle(l, ls->room + (size_t)ls->out[i] * LOAN_LEN);
	}
	ls->n_out = 0;
}

bool
loan_is(const struct rte_mbuf *m)
{
	for (; m; m = m->next)
		if (RTE_MBUF_HAS_EXTBUF(m))
			return true;
	return false;
}
