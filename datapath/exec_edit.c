/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the actions that change packets, a batch at a time; what they do to one is in edit.c.  A packet that they
 * cannot be done to is dropped, counted. */
#include "datapath/dp_priv.h"
#include "datapath/edit_priv.h"
#include "datapath/offload.h"

#include <rte_ether.h>

/* Gives the copy that 'fn' did its work on, or NULL; takes 'm'.  A copy has its headers in one piece, and room in
 * front. */
static struct rte_mbuf *
second_try(struct lcore *lc, uint16_t port, edit_fn *fn, const struct act *a, unsigned n_words, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, lc->pool, 0, UINT32_MAX);

	if (copy && fn(copy, a, n_words)) {
		rte_pktmbuf_free(m);
		return copy;
	}
	exec_drop(lc, port, copy ? DROP_OF_ACTION : DROP_NO_MEMORY, &m, 1);
	rte_pktmbuf_free(copy);
	return NULL;
}

unsigned
exec_edit_all(struct lcore *lc, uint16_t port, edit_fn *fn, const struct act *a, unsigned n_words, struct rte_mbuf **m,
	      unsigned n)
{
	unsigned left = 0;

	n = exec_own(lc, port, m, n);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *done = m[i];

		if (UNLIKELY(!fn(m[i], a, n_words)))
			done = second_try(lc, port, fn, a, n_words, m[i]);
		if (LIKELY(done))
			m[left++] = done;
	}
	return left;
}

static bool
push_mpls(struct rte_mbuf *m, const struct act *a, unsigned n UNUSED)
{
	return edit_push_mpls(m, a->port, a->arg);
}

static bool
pop_mpls(struct rte_mbuf *m, const struct act *a, unsigned n UNUSED)
{
	return edit_pop_mpls(m, a->port);
}

static bool
push_pbb(struct rte_mbuf *m, const struct act *a, unsigned n UNUSED)
{
	return edit_push_pbb(m, a->arg);
}

static bool
pop_pbb(struct rte_mbuf *m, const struct act *a UNUSED, unsigned n UNUSED)
{
	return edit_pop_pbb(m);
}

static void
cut(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *last = m;

	m->pkt_len = len;
	m->nb_segs = 1;
	for (; last->data_len < len; last = last->next, m->nb_segs++)
		len -= last->data_len;
	last->data_len = (uint16_t)len;
	rte_pktmbuf_free(last->next);
	last->next = NULL;
}

/* A checksum that is not there yet is of bytes that are about to go.  Takes 'm'; NULL: no buffers. */
static struct rte_mbuf *
trunc_undone(struct lcore *lc, uint16_t port, struct rte_mbuf *m, uint32_t len)
{
	if (!exec_own(lc, port, &m, 1))
		return NULL;
	offl_finish(m);
	cut(m, len);
	return m;
}

static unsigned
trunc_all(struct lcore *lc, uint16_t port, uint32_t len, struct rte_mbuf **m, unsigned n)
{
	unsigned left = 0;

	/* What leaves is a frame all the same. */
	len = MAX_OF(len, (uint32_t)RTE_ETHER_HDR_LEN);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *short_one = m[i];

		if (UNLIKELY(m[i]->pkt_len > len && offl_need(m[i]))) {
			short_one = trunc_undone(lc, port, m[i], len);
			if (UNLIKELY(!short_one))
				continue;
		} else if (m[i]->pkt_len > len && exec_is_shared(m[i])) {
			short_one = rte_pktmbuf_copy(m[i], lc->pool, 0, len);
			if (UNLIKELY(!short_one)) {
				exec_drop(lc, port, DROP_NO_MEMORY, &m[i], 1);
				continue;
			}
			rte_pktmbuf_free(m[i]);
		} else if (m[i]->pkt_len > len) {
			cut(m[i], len);
		}
		m[left++] = short_one;
	}
	return left;
}

unsigned
exec_edit(struct lcore *lc, uint16_t port, const struct act *a, unsigned n_acts, unsigned *n_words, struct rte_mbuf **m,
	  unsigned n)
{
	static edit_fn *const header[ACT_N_OPS] = {
		[ACT_PUSH_MPLS] = push_mpls,
		[ACT_POP_MPLS] = pop_mpls,
		[ACT_PUSH_PBB] = push_pbb,
		[ACT_POP_PBB] = pop_pbb,
	};
	unsigned words = 0;

	*n_words = 1;
	if (a->op == ACT_TRUNC)
		return trunc_all(lc, port, a->arg, m, n);
	if (a->op != ACT_SET)
		return exec_edit_all(lc, port, header[a->op], a, 1, m, n);
	/* Sets that follow one another find the headers once. */
	while (words < n_acts && a[words].op == ACT_SET)
		words += 1 + MIN_OF(a[words].arg, n_acts - words - 1);
	*n_words = words;
	return exec_edit_all(lc, port, edit_set, a, words, m, n);
}
