/* SPDX-License-Identifier: Apache-2.0 */
/* Action lists, each kept once: rules with the same list share it. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

static uint32_t
hash_acts(const struct of_pipe *p, const struct of_acts *acts)
{
	const uint8_t *b = (const uint8_t *)acts->a;
	uint64_t h = p->seed, w;

	for (uint32_t i = 0; i + 8 <= acts->len; i += 8) {
		memcpy(&w, b + i, 8);
		h = hash_add(h, w);
	}
	return (uint32_t)h;
}

static struct prog *
find(const struct progs *s, const struct of_acts *acts, uint32_t hash)
{
	struct prog *g = s->n_buckets ? s->bucket[hash & (s->n_buckets - 1)] : NULL;

	for (; g; g = g->next)
		if (g->hash == hash && g->len == acts->len && (!g->len || !memcmp(g->acts, acts->a, g->len)))
			return g;
	return NULL;
}

static void
grow(struct progs *s)
{
	uint32_t n = MAX_OF(s->n_buckets * 2, 64u);
	struct prog **b = xcalloc(n, sizeof(struct prog *));

	for (uint32_t i = 0; i < s->n_buckets; i++) {
		for (struct prog *g = s->bucket[i], *next; g; g = next) {
			next = g->next;
			g->next = b[g->hash & (n - 1)];
			b[g->hash & (n - 1)] = g;
		}
	}
	free(s->bucket);
	s->bytes += (n - s->n_buckets) * sizeof(struct prog *);
	s->bucket = b;
	s->n_buckets = n;
}

/* What is to be known of a list at a glance. */
static uint32_t
flags_of(struct of_acts acts)
{
	uint32_t flags = PROG_PLAIN;

	OF_ACTS_EACH(a, acts) {
		switch (a->kind) {
		case OFA_GROUP:
		case OFA_METER:
			flags |= PROG_REFS;
			break;
		case OFA_WRITE_ACTIONS:
		case OFA_CLONE:
			flags |= flags_of(of_acts_nested(a)) & (PROG_REFS | PROG_LEARN);
			break;
		case OFA_LEARN:
			if (((const struct of_act_learn *)a)->limit ||
			    ((const struct of_act_learn *)a)->flags & OF_LEARN_DELETE_LEARNED)
				flags |= PROG_LEARN;
			break;
		case OFA_CONJUNCTION:
			flags |= PROG_CONJ;
			break;
		default:
			break;
		}
		if (a->kind != OFA_OUTPUT && a->kind != OFA_CONTROLLER && a->kind != OFA_NOTE &&
		    a->kind != OFA_SET_QUEUE && a->kind != OFA_CLEAR_ACTIONS)
			flags &= ~(uint32_t)PROG_PLAIN;
	}
	return flags;
}

struct prog *
prog_find(const struct of_pipe *p, const struct of_acts *acts)
{
	return find(&p->progs, acts, hash_acts(p, acts));
}

struct prog *
prog_get(struct of_pipe *p, const struct of_acts *acts)
{
	struct progs *s = &p->progs;
	uint32_t hash = hash_acts(p, acts);
	struct prog *g = find(s, acts, hash);

	if (g) {
		g->refs++;
		return g;
	}
	if (s->n >= s->n_buckets)
		grow(s);
	g = xcalloc(1, sizeof *g + acts->len);
	g->hash = hash;
	g->refs = 1;
	g->len = acts->len;
	if (acts->len)
		memcpy(g->acts, acts->a, acts->len);
	g->flags = flags_of(*acts);
	g->next = s->bucket[hash & (s->n_buckets - 1)];
	s->bucket[hash & (s->n_buckets - 1)] = g;
	s->n++;
	s->bytes += sizeof *g + acts->len + 8;
	if (g->flags & PROG_REFS) {
		g->refs_next = s->with_refs;
		if (g->refs_next)
			g->refs_next->refs_prev = g;
		s->with_refs = g;
	}
	return g;
}

static void
unchain(struct progs *s, struct prog *g)
{
	struct prog **b = &s->bucket[g->hash & (s->n_buckets - 1)];

	for (; *b != g; b = &(*b)->next)
		;
	*b = g->next;
	if (!(g->flags & PROG_REFS))
		return;
	if (g->refs_prev)
		g->refs_prev->refs_next = g->refs_next;
	else
		s->with_refs = g->refs_next;
	if (g->refs_next)
		g->refs_next->refs_prev = g->refs_prev;
}

void
prog_put(struct of_pipe *p, struct prog *g)
{
	if (--g->refs)
		return;
	unchain(&p->progs, g);
	p->progs.n--;
	p->progs.bytes -= sizeof *g + g->len + 8;
	free(g);
}

void
prog_fini(struct of_pipe *p)
{
	for (uint32_t i = 0; i < p->progs.n_buckets; i++) {
		for (struct prog *g = p->progs.bucket[i], *next; g; g = next) {
			next = g->next;
			free(g);
		}
	}
	free(p->progs.bucket);
}

/* --- Rules that name groups or meters ------------------------------------------------------------ */

void
prog_link_user(struct of_pipe *p, struct of_rule *r)
{
	struct prog *g = (struct prog *)(uintptr_t)r->prog;

	if (UNLIKELY(p->learned || g->flags & PROG_LEARN))
		learned_link(p, r, 1);
	if (!(g->flags & PROG_REFS))
		return;
	r->user_prev = 0;
	r->user_next = g->users;
	if (g->users)
		rule_at(p, g->users)->user_prev = r->idx;
	g->users = r->idx;
	pipe_count_refs(p, prog_acts(g), 1);
}

void
prog_unlink_user(struct of_pipe *p, struct of_rule *r)
{
	struct prog *g = (struct prog *)(uintptr_t)r->prog;

	if (UNLIKELY(p->learned != NULL))
		learned_link(p, r, -1);
	if (!(g->flags & PROG_REFS))
		return;
	if (r->user_prev)
		rule_at(p, r->user_prev)->user_next = r->user_next;
	else
		g->users = r->user_next;
	if (r->user_next)
		rule_at(p, r->user_next)->user_prev = r->user_prev;
	pipe_count_refs(p, prog_acts(g), -1);
}
