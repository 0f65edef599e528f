/* SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of STT frames.  Everything is bounded: frames, segments of a frame, buffers in all and for a source, and the
 * time they are held.  What exceeds a bound costs the oldest frame (of that source), never the one that is coming in: an
 * attacker who never completes a frame loses his own first. */
#include "tunnels/stt_priv.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include "base/hash.h"
#include "base/util.h"
#include "tunnels/tun.h"

enum { N_BUCKETS = 256, N_SOURCES = 64, NONE = 0xffff, N_LOST = 2 * STT_MAX_FRAMES };

struct piece {
	struct rte_mbuf *m;
	uint16_t off, len;
};

struct frame {
	struct stt_seg key;             /* Of the first segment that came; 'ce' of all. */
	uint64_t since_ms;
	uint32_t bucket, source;
	uint32_t got;                   /* Bytes. */
	uint16_t n, n_bufs;
	uint16_t next;                  /* In its bucket, or the next free one. */
	uint16_t older, newer;
	struct piece piece[STT_MAX_SEGS];       /* By offset. */
};

struct stt_table {
	struct tun_limits limits;
	uint64_t seed;
	uint16_t bucket[N_BUCKETS];
	uint16_t free, oldest, newest;
	unsigned n_bufs, n_lost_bufs, n_lost;
	uint16_t source_bufs[N_SOURCES];
	struct rte_mbuf *lost[N_LOST];
	struct frame frame[STT_MAX_FRAMES];
};

struct stt_table *
stt_table_create(const struct tun_limits *limits)
{
	struct stt_table *t = xcalloc(1, sizeof *t);

	t->limits = *limits;
	t->seed = hash_random_seed();
	memset(t->bucket, 0xff, sizeof t->bucket);
	t->oldest = t->newest = NONE;
	for (unsigned i = 0; i < STT_MAX_FRAMES; i++)
		t->frame[i].next = i + 1 < STT_MAX_FRAMES ? (uint16_t)(i + 1) : NONE;
	return t;
}

static uint64_t
hash_ip(uint64_t h, const struct ipaddr *ip)
{
	uint64_t w[2];

	memcpy(w, ip, sizeof w);
	return hash_add(hash_add(h, w[0]), w[1]);
}

static struct frame *
find(struct stt_table *t, const struct stt_seg *s, uint32_t bucket)
{
	for (uint16_t i = t->bucket[bucket]; i != NONE; i = t->frame[i].next) {
		struct frame *f = &t->frame[i];

		if (f->key.id == s->id && f->key.sport == s->sport && ip_equal(&f->key.src, &s->src) &&
		    ip_equal(&f->key.dst, &s->dst))
			return f;
	}
	return NULL;
}

/* Takes it out of everything and gives its buffers as one chain. */
static struct rte_mbuf *
take(struct stt_table *t, struct frame *f)
{
	uint16_t i = (uint16_t)(f - t->frame), *at = &t->bucket[f->bucket];
	struct rte_mbuf *head = f->piece[0].m;

	while (*at != i)
		at = &t->frame[*at].next;
	*at = f->next;
	*(f->older == NONE ? &t->oldest : &t->frame[f->older].newer) = f->newer;
	*(f->newer == NONE ? &t->newest : &t->frame[f->newer].older) = f->older;
	f->next = t->free;
	t->free = i;
	t->n_bufs -= f->n_bufs;
	t->source_bufs[f->source] -= f->n_bufs;

	for (unsigned k = 0; k < f->n; k++) {
		struct rte_mbuf *last = f->piece[k].m;

		if (k) {
			head->nb_segs += last->nb_segs;
			head->pkt_len += last->pkt_len;
		}
		while (last->next)
			last = last->next;
		last->next = k + 1u < f->n ? f->piece[k + 1].m : NULL;
	}
	return head;
}

static void
lose(struct stt_table *t, struct frame *f)
{
	struct rte_mbuf *m = take(t, f);

	/* Whoever forgets to reap only misses the count. */
	if (UNLIKELY(t->n_lost == N_LOST)) {
		rte_pktmbuf_free(m);
		return;
	}
	t->n_lost_bufs += m->nb_segs;
	t->lost[t->n_lost++] = m;
}

static void
expire(struct stt_table *t, uint64_t now_ms)
{
	while (t->oldest != NONE && now_ms - t->frame[t->oldest].since_ms >= t->limits.held_ms)
		lose(t, &t->frame[t->oldest]);
}

/* Makes room for 'n' buffers of a source; 'keep' is not touched.  False: even so there is none. */
static bool
make_room(struct stt_table *t, uint32_t source, unsigned n, const struct frame *keep)
{
	bool mine = t->source_bufs[source] + n > t->limits.held_bufs_source;

	for (uint16_t i = t->oldest, next; i != NONE; i = next) {
		struct frame *f = &t->frame[i];

		next = f->newer;
		if (!mine && t->n_bufs + n <= t->limits.held_bufs)
			return true;
		if (f == keep || (mine && f->source != source))
			continue;
		lose(t, f);
		mine = t->source_bufs[source] + n > t->limits.held_bufs_source;
	}
	return !mine && t->n_bufs + n <= t->limits.held_bufs;
}

static struct frame *
add_frame(struct stt_table *t, const struct stt_seg *s, uint32_t bucket, uint32_t source, uint64_t now_ms)
{
	struct frame *f;
	uint16_t i;

	if (t->free == NONE)
		lose(t, &t->frame[t->oldest]);
	i = t->free;
	f = &t->frame[i];
	t->free = f->next;
	f->key = *s;
	f->key.ce = false;
	f->since_ms = now_ms;
	f->bucket = bucket;
	f->source = source;
	f->got = f->n = f->n_bufs = 0;
	f->next = t->bucket[bucket];
	t->bucket[bucket] = i;
	f->newer = NONE;
	f->older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->frame[t->newest].newer) = i;
	t->newest = i;
	return f;
}

/* Where among the pieces it goes; -1: it overlaps one, or there are too many. */
static int
place(const struct frame *f, const struct stt_seg *s)
{
	unsigned at = f->n;

	/* They come in order nearly always. */
	while (at && f->piece[at - 1].off > s->off)
		at--;
	if (f->n == STT_MAX_SEGS || (at && f->piece[at - 1].off + f->piece[at - 1].len > s->off) ||
	    (at < f->n && s->off + s->len > f->piece[at].off))
		return -1;
	return (int)at;
}

enum stt_verdict
stt_table_add(struct stt_table *t, struct stt_seg *s, struct rte_mbuf **m, uint64_t now_ms)
{
	uint64_t sh = hash_ip(t->seed, &s->src), h = hash_add(hash_ip(sh, &s->dst), (uint64_t)s->id << 16 | s->sport);
	uint32_t source = (uint32_t)(sh % N_SOURCES), bucket = (uint32_t)(h % N_BUCKETS);
	struct frame *f;
	int at;

	expire(t, now_ms);
	f = find(t, s, bucket);
	if (f && f->key.total != s->total)
		return STT_OVERLAP;
	if (!make_room(t, source, (*m)->nb_segs, f))
		return STT_OVERLAP;
	f = f ? f : add_frame(t, s, bucket, source, now_ms);
	at = place(f, s);
	if (at < 0)
		return STT_OVERLAP;
	memmove(&f->piece[at + 1], &f->piece[at], (size_t)(f->n - at) * sizeof f->piece[0]);
	f->piece[at] = (struct piece){ .m = *m, .off = s->off, .len = s->len };
	f->n++;
	f->n_bufs += (*m)->nb_segs;
	t->n_bufs += (*m)->nb_segs;
	t->source_bufs[source] += (*m)->nb_segs;
	f->got += s->len;
	f->key.ce |= s->ce;
	if (f->got < f->key.total)
		return STT_HELD;
	s->ce = f->key.ce;
	*m = take(t, f);
	return STT_WHOLE;
}

unsigned
stt_table_reap(struct stt_table *t, bool all, uint64_t now_ms, struct rte_mbuf **out, unsigned max)
{
	unsigned n = 0;

	expire(t, now_ms);
	while (all && t->oldest != NONE && t->n_lost < max)
		lose(t, &t->frame[t->oldest]);
	while (n < max && t->n_lost) {
		out[n] = t->lost[--t->n_lost];
		t->n_lost_bufs -= out[n++]->nb_segs;
	}
	return n;
}

unsigned
stt_table_bufs(const struct stt_table *t)
{
	return t->n_bufs + t->n_lost_bufs;
}

void
stt_table_destroy(struct stt_table *t)
{
	struct rte_mbuf *m;

	if (!t)
		return;
	while (stt_table_reap(t, true, 0, &m, 1))
		rte_pktmbuf_free(m);
	free(t);
}
