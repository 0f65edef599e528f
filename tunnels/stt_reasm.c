/* SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of STT frames.  Everything is bounded: frames, segments of a frame, buffers in all and for a source, and the
 * time they are held.  What exceeds a bound costs the frame (of that source) that has waited longest for its next piece,
 * never the one that is coming in: an attacker who never completes a frame loses his own first.
 *
 * Sources can be forged, and a flood of first pieces from thousands of them must not keep others from being heard.  A
 * frame that goes on is not the one that has waited longest; and senders whose frames became whole lately are a class of
 * their own, with half of the room: neither class takes the other's half. */
#include "tunnels/stt_priv.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include "base/hash.h"
#include "base/util.h"
#include "tunnels/tun.h"

enum {
	N_BUCKETS = 256, NONE = 0xffff, N_LOST = 2 * STT_MAX_FRAMES,
	/* Of strangers' frames several share a row of accounts; each known sender has one. */
	N_SOURCES = 64, N_KNOWN = 256,
	KNOWN_MS = 10000,               /* So long a sender is known after its last whole frame. */
};

enum class { STRANGER, KNOWN, N_CLASSES };

struct piece {
	struct rte_mbuf *m;
	uint16_t off, len;
};

struct frame {
	struct stt_seg key;             /* Of the first segment that came; 'ce' of all. */
	uint32_t bucket, source;
	enum class class;
	uint32_t got;                   /* Bytes. */
	uint16_t n, n_bufs;
	uint16_t next;                  /* In its bucket, or the next free one. */
	uint16_t older, newer;          /* In its class, by the last piece that came. */
	struct piece piece[STT_MAX_SEGS];       /* By offset. */
};

struct stt_table {
	struct tun_limits limits;
	uint64_t seed;
	uint16_t bucket[N_BUCKETS];
	uint16_t free;
	struct {
		uint16_t oldest, newest;
		unsigned n, n_bufs;
	} class[N_CLASSES];
	unsigned n_lost_bufs, n_lost;
	uint16_t source_bufs[N_SOURCES + N_KNOWN];
	struct {
		struct ipaddr src;
		uint64_t whole_ms;      /* 0: nobody. */
	} known[N_KNOWN];
	uint64_t looked_ms;             /* When somebody last looked for what takes too long. */
	uint64_t since_ms[STT_MAX_FRAMES];      /* The first piece of each frame; UINT64_MAX: there is none. */
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
	memset(t->since_ms, 0xff, sizeof t->since_ms);
	for (unsigned i = 0; i < N_CLASSES; i++)
		t->class[i].oldest = t->class[i].newest = NONE;
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

static void
list_add(struct stt_table *t, struct frame *f)
{
	uint16_t i = (uint16_t)(f - t->frame), *newest = &t->class[f->class].newest;

	f->newer = NONE;
	f->older = *newest;
	*(*newest == NONE ? &t->class[f->class].oldest : &t->frame[*newest].newer) = i;
	*newest = i;
}

static void
list_del(struct stt_table *t, struct frame *f)
{
	*(f->older == NONE ? &t->class[f->class].oldest : &t->frame[f->older].newer) = f->newer;
	*(f->newer == NONE ? &t->class[f->class].newest : &t->frame[f->newer].older) = f->older;
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
	list_del(t, f);
	f->next = t->free;
	t->free = i;
	t->since_ms[i] = UINT64_MAX;
	t->class[f->class].n--;
	t->class[f->class].n_bufs -= f->n_bufs;
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
	if (LIKELY(t->looked_ms == now_ms))
		return;
	t->looked_ms = now_ms;
	for (unsigned i = 0; i < STT_MAX_FRAMES; i++)
		if (t->since_ms[i] <= now_ms && now_ms - t->since_ms[i] >= t->limits.held_ms)
			lose(t, &t->frame[i]);
}

/* The frame of a class that has waited longest, but for 'keep'; of that source alone, if not NONE. */
static struct frame *
oldest(struct stt_table *t, enum class class, uint32_t source, const struct frame *keep)
{
	for (uint16_t i = t->class[class].oldest; i != NONE; i = t->frame[i].newer)
		if (&t->frame[i] != keep && (source == NONE || t->frame[i].source == source))
			return &t->frame[i];
	return NULL;
}

/* Gives up one frame for one of 'class', of which there is more than its half, or not. */
static bool
lose_for(struct stt_table *t, enum class class, bool has_half, const struct frame *keep)
{
	enum class first = has_half ? class : class == KNOWN ? STRANGER : KNOWN;
	struct frame *f = oldest(t, first, NONE, keep);

	if (!f)
		f = oldest(t, first == KNOWN ? STRANGER : KNOWN, NONE, keep);
	if (f)
		lose(t, f);
	return f;
}

/* Makes room for 'n' buffers of a source; 'keep' is not touched.  False: even so there is none. */
static bool
make_room(struct stt_table *t, enum class class, uint32_t source, unsigned n, const struct frame *keep)
{
	while (t->source_bufs[source] + n > t->limits.held_bufs_source) {
		struct frame *f = oldest(t, class, source, keep);

		if (!f)
			return false;
		lose(t, f);
	}
	while (t->class[STRANGER].n_bufs + t->class[KNOWN].n_bufs + n > t->limits.held_bufs)
		if (!lose_for(t, class, t->class[class].n_bufs + n > t->limits.held_bufs / 2, keep))
			return false;
	return true;
}

static struct frame *
add_frame(struct stt_table *t, const struct stt_seg *s, uint32_t bucket, enum class class, uint32_t source, uint64_t now_ms)
{
	struct frame *f;
	uint16_t i;

	if (t->free == NONE)
		lose_for(t, class, t->class[class].n >= STT_MAX_FRAMES / 2, NULL);
	i = t->free;
	f = &t->frame[i];
	t->free = f->next;
	t->since_ms[i] = now_ms;
	f->key = *s;
	f->key.ce = false;
	f->bucket = bucket;
	f->class = class;
	f->source = source;
	f->got = f->n = f->n_bufs = 0;
	f->next = t->bucket[bucket];
	t->bucket[bucket] = i;
	t->class[class].n++;
	list_add(t, f);
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

/* Which class a sender is of, and where its buffers are counted. */
static enum class
class_of(const struct stt_table *t, const struct ipaddr *src, uint64_t hash, uint64_t now_ms, uint32_t *source)
{
	uint32_t i = (uint32_t)(hash >> 32) % N_KNOWN;
	bool known = t->known[i].whole_ms && now_ms - t->known[i].whole_ms < KNOWN_MS && ip_equal(&t->known[i].src, src);

	*source = known ? N_SOURCES + i : (uint32_t)(hash % N_SOURCES);
	return known ? KNOWN : STRANGER;
}

/* A frame became whole.  Who is known stays so while he sends: nobody takes his place. */
static void
know(struct stt_table *t, const struct ipaddr *src, uint64_t hash, uint64_t now_ms)
{
	uint32_t i = (uint32_t)(hash >> 32) % N_KNOWN;

	if (!ip_equal(&t->known[i].src, src)) {
		if (t->source_bufs[N_SOURCES + i] || (t->known[i].whole_ms && now_ms - t->known[i].whole_ms < KNOWN_MS))
			return;
		t->known[i].src = *src;
	}
	t->known[i].whole_ms = now_ms ? now_ms : 1;
}

enum stt_verdict
stt_table_add(struct stt_table *t, struct stt_seg *s, struct rte_mbuf **m, uint64_t now_ms)
{
	uint64_t sh = hash_ip(t->seed, &s->src), h = hash_add(hash_ip(sh, &s->dst), (uint64_t)s->id << 16 | s->sport);
	uint32_t source, bucket = (uint32_t)(h % N_BUCKETS);
	enum class class;
	struct frame *f;
	int at;

	expire(t, now_ms);
	f = find(t, s, bucket);
	if (f && f->key.total != s->total)
		return STT_OVERLAP;
	/* A frame stays what it was when it began. */
	class = class_of(t, &s->src, sh, now_ms, &source);
	if (f) {
		class = f->class;
		source = f->source;
	}
	if (!make_room(t, class, source, (*m)->nb_segs, f))
		return STT_OVERLAP;
	f = f ? f : add_frame(t, s, bucket, class, source, now_ms);
	at = place(f, s);
	if (at < 0)
		return STT_OVERLAP;
	memmove(&f->piece[at + 1], &f->piece[at], (size_t)(f->n - at) * sizeof f->piece[0]);
	f->piece[at] = (struct piece){ .m = *m, .off = s->off, .len = s->len };
	f->n++;
	f->n_bufs += (*m)->nb_segs;
	t->class[class].n_bufs += (*m)->nb_segs;
	t->source_bufs[source] += (*m)->nb_segs;
	f->got += s->len;
	f->key.ce |= s->ce;
	if (f->got < f->key.total) {
		list_del(t, f);
		list_add(t, f);
		return STT_HELD;
	}
	s->ce = f->key.ce;
	*m = take(t, f);
	know(t, &s->src, sh, now_ms);
	return STT_WHOLE;
}

unsigned
stt_table_reap(struct stt_table *t, bool all, uint64_t now_ms, struct rte_mbuf **out, unsigned max)
{
	unsigned n = 0;

	expire(t, now_ms);
	while (all && t->n_lost < max && lose_for(t, STRANGER, true, NULL))
		;
	while (n < max && t->n_lost) {
		out[n] = t->lost[--t->n_lost];
		t->n_lost_bufs -= out[n++]->nb_segs;
	}
	return n;
}

unsigned
stt_table_bufs(const struct stt_table *t)
{
	return t->class[STRANGER].n_bufs + t->class[KNOWN].n_bufs + t->n_lost_bufs;
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
