/* SPDX-License-Identifier: Apache-2.0 */
/* See refused.h.  A few thousand samples a second at most come in, and there are few rows: everything is looked for from
 * one end to the other. */
#include "ctl/refused.h"

#include <stdlib.h>
#include <string.h>

enum {
	ALIKE_MAX = 12,                 /* Rows that differ in nothing but the key, or the sender, before they are one. */
	STEADY_NOTES = 4,               /* A row with so many samples stays what it is... */
	STALE_MS = 10 * 60 * 1000,      /* ...unless nothing came for so long. */
};

struct refused {
	unsigned n;
	struct refused_row row[REFUSED_MAX];
};

struct refused *
refused_create(void)
{
	return xcalloc(1, sizeof(struct refused));
}

void
refused_destroy(struct refused *r)
{
	free(r);
}

static bool
same_key(const struct dp_refusal *a, const struct dp_refusal *b)
{
	return a->keyed == b->keyed && (!a->keyed || a->key == b->key);
}

/* Same reason, same place. */
static bool
same_kind(const struct dp_refusal *a, const struct dp_refusal *b)
{
	return a->why == b->why && a->type == b->type && a->underlay == b->underlay && a->port == b->port;
}

/* Whether a packet belongs to a row as it is. */
static bool
covers(const struct refused_row *w, const struct dp_refusal *p)
{
	return same_kind(&w->what, p) && (w->many_keys || same_key(&w->what, p)) &&
	       (w->many_remotes || ip_equal(&w->what.src, &p->src));
}

/* The row that says most of it. */
static struct refused_row *
find(struct refused *r, const struct dp_refusal *p)
{
	struct refused_row *best = NULL;
	unsigned vague = UINT32_MAX;

	for (unsigned i = 0; i < r->n; i++) {
		struct refused_row *w = &r->row[i];
		unsigned v = w->many_keys + 2u * w->many_remotes;

		if (v < vague && covers(w, p)) {
			best = w;
			vague = v;
		}
	}
	return best;
}

static void
remove_row(struct refused *r, struct refused_row *w)
{
	*w = r->row[--r->n];
}

static void
join(struct refused_row *into, const struct refused_row *w)
{
	into->packets += w->packets;
	into->notes += w->notes;
	into->first_ms = MIN_OF(into->first_ms, w->first_ms);
	if (w->last_ms > into->last_ms) {
		into->last_ms = w->last_ms;
		into->what = w->what;
	}
}

/* Whether a row is one of those that differ from 'p' in the key alone ('keys') or in the sender alone, and not steady. */
static bool
is_alike(const struct refused_row *w, const struct dp_refusal *p, bool keys)
{
	return w->notes < STEADY_NOTES && !w->many_keys && !w->many_remotes && same_kind(&w->what, p) &&
	       (keys ? ip_equal(&w->what.src, &p->src) : same_key(&w->what, p));
}

/* Makes one row of those that are alike, if they are many; that row. */
static struct refused_row *
gather(struct refused *r, const struct dp_refusal *p, bool keys)
{
	struct refused_row sum = { .what = *p, .first_ms = UINT64_MAX, .many_keys = keys, .many_remotes = !keys };
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += is_alike(&r->row[i], p, keys);
	if (n < ALIKE_MAX)
		return NULL;
	for (unsigned i = r->n; i-- > 0;) {
		if (!is_alike(&r->row[i], p, keys))
			continue;
		join(&sum, &r->row[i]);
		remove_row(r, &r->row[i]);
	}
	r->row[r->n] = sum;
	return &r->row[r->n++];
}

/* The row to do without: one that is stale, else the one with the fewest samples; of several the oldest. */
static struct refused_row *
least(struct refused *r, uint64_t now)
{
	struct refused_row *w = &r->row[0];

	for (unsigned i = 1; i < r->n; i++) {
		struct refused_row *x = &r->row[i];
		bool stale = now - x->last_ms > STALE_MS, was = now - w->last_ms > STALE_MS;

		if (stale != was ? stale : (stale || x->notes == w->notes) ? x->last_ms < w->last_ms : x->notes < w->notes)
			w = x;
	}
	return w;
}

/* Makes room for a row: what has to go is counted in the row of all other senders and keys, of the same reason. */
static void
make_room(struct refused *r, uint64_t now)
{
	while (r->n == REFUSED_MAX) {
		struct refused_row w = *least(r, now), *rest = NULL;

		remove_row(r, least(r, now));
		if (now - w.last_ms > STALE_MS || (w.many_keys && w.many_remotes))
			continue;
		for (unsigned i = 0; i < r->n && !rest; i++)
			if (r->row[i].many_keys && r->row[i].many_remotes && same_kind(&r->row[i].what, &w.what))
				rest = &r->row[i];
		if (rest) {
			join(rest, &w);
			continue;
		}
		w.many_keys = w.many_remotes = true;
		/* Not the next one to go. */
		w.notes += STEADY_NOTES;
		r->row[r->n++] = w;
	}
}

void
refused_add(struct refused *r, const struct dp_refusal *p, uint64_t now)
{
	const struct refused_row one = { .what = *p, .packets = p->n, .first_ms = now, .last_ms = now, .notes = 1 };
	struct refused_row *w = find(r, p);

	/* What falls to all the others may become a row of its own. */
	if (w && !(w->many_keys && w->many_remotes)) {
		join(w, &one);
		w->what = *p;
		return;
	}
	w = gather(r, p, true);
	if (!w)
		w = gather(r, p, false);
	if (w) {
		join(w, &one);
		return;
	}
	make_room(r, now);
	r->row[r->n++] = one;
}

static int
newer(const void *a, const void *b)
{
	const struct refused_row *x = a, *y = b;

	return x->last_ms != y->last_ms ? (x->last_ms < y->last_ms) - (x->last_ms > y->last_ms)
					: (x->packets < y->packets) - (x->packets > y->packets);
}

const struct refused_row *
refused_rows(struct refused *r, unsigned *n)
{
	qsort(r->row, r->n, sizeof *r->row, newer);
	*n = r->n;
	return r->row;
}
