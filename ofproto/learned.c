/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that are learned by others (NX LEARN2): how many there are, and that they go with those.
 *
 * Rules are told to be learned by their table and cookie.  For each such pair that a live rule's "learn" names, with a
 * limit or with delete_learned, there is a record that counts; without any, none of this costs anything. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

struct learned {
	struct learned *next;           /* [rcu] Of the hash chain. */
	uint64_t cookie;                /* [const] */
	uint8_t table;                  /* [const] */
	bool armed;                     /* [ctl] A published rule deletes what it has learned. */
	uint32_t n_rules;               /* Atomic: live ones of this table and cookie. */
	uint32_t n_users, n_deleters;   /* [ctl] Live rules that name it. */
};

enum { N_BUCKETS = 1024 };

static struct learned **
chain_of(const struct of_pipe *p, uint8_t table, uint64_t cookie)
{
	struct learned **all = rcu_read(p->learned);

	return all ? &all[hash_mix(cookie + table) & (N_BUCKETS - 1)] : NULL;
}

static struct learned *
find(const struct of_pipe *p, uint8_t table, uint64_t cookie)
{
	struct learned **c = chain_of(p, table, cookie);

	for (struct learned *l = c ? rcu_read(*c) : NULL; l; l = rcu_read(l->next))
		if (l->cookie == cookie && l->table == table)
			return l;
	return NULL;
}

uint32_t
of_learned_count(const struct of_pipe *p, uint8_t table, uint64_t cookie)
{
	const struct learned *l = find(p, table, cookie);

	return l ? __atomic_load_n(&l->n_rules, __ATOMIC_RELAXED) : 0;
}

static void
see(void *arg, struct of_rule *r)
{
	struct learned *l = arg;

	l->n_rules += r->cookie == l->cookie;
}

static struct learned *
make(struct of_pipe *p, uint8_t table, uint64_t cookie)
{
	static const struct omatch any;
	struct learned *l = xcalloc(1, sizeof *l), **c;
	struct cls_key k;

	if (!p->learned)
		rcu_assign(p->learned, xcalloc(N_BUCKETS, sizeof(struct learned *)));
	l->table = table;
	l->cookie = cookie;
	cls_key_init(&k, &any);
	cls_each_within(p, table, &k, see, l);
	c = chain_of(p, table, cookie);
	l->next = *c;
	rcu_assign(*c, l);
	return l;
}

static void
link_acts(struct of_pipe *p, struct of_acts acts, int by)
{
	OF_ACTS_EACH(a, acts) {
		const struct of_act_learn *la = (const struct of_act_learn *)a;
		struct learned *l;

		if (a->kind == OFA_CLONE)
			link_acts(p, of_acts_nested(a), by);
		if (a->kind != OFA_LEARN || !(la->limit || la->flags & OF_LEARN_DELETE_LEARNED))
			continue;
		l = find(p, la->table, la->cookie);
		if (!l)
			l = make(p, la->table, la->cookie);
		l->n_users += (uint32_t)by;
		if (la->flags & OF_LEARN_DELETE_LEARNED)
			l->n_deleters += (uint32_t)by;
		p->learned_stale = true;
	}
}

void
learned_link(struct of_pipe *p, const struct of_rule *r, int by)
{
	struct learned *l = find(p, r->table, r->cookie);

	if (l)
		__atomic_fetch_add(&l->n_rules, (uint32_t)by, __ATOMIC_RELAXED);
	/* Only now: whoever is made counts all that are there. */
	if (r->prog->flags & PROG_LEARN)
		link_acts(p, prog_acts(r->prog), by);
}

static void
delete_rules(struct of_pipe *p, const struct learned *l)
{
	const struct of_who who = { .version = OF13 };
	struct of_flow_mod *fm = xcalloc(1, sizeof *fm);

	fm->version = OF13;
	fm->command = OFFC_DELETE;
	fm->table_id = l->table;
	fm->cookie = l->cookie;
	fm->cookie_mask = UINT64_MAX;
	fm->out_port = (uint32_t)OFPP_ANY;
	fm->out_group = OFG_ANY;
	of_flow_mod(p, &who, fm, NULL);
	free(fm);
}

/* Rules that go now may have taught others: it goes on until nobody is left who would take somebody along. */
static bool
delete_due(struct of_pipe *p)
{
	bool any = false;

	for (unsigned i = 0; i < N_BUCKETS; i++) {
		for (struct learned *l = p->learned[i]; l; l = l->next) {
			if (!l->armed || l->n_deleters)
				continue;
			l->armed = false;
			any |= l->n_rules != 0;
			delete_rules(p, l);
		}
	}
	return any;
}

void
learned_publish(struct of_pipe *p)
{
	if (!p->learned_stale)
		return;
	while (delete_due(p))
		;
	p->learned_stale = false;
	for (unsigned i = 0; i < N_BUCKETS; i++) {
		for (struct learned **c = &p->learned[i], *l; (l = *c);) {
			l->armed = l->n_deleters;
			if (l->n_users) {
				c = &l->next;
			} else {
				rcu_assign(*c, l->next);
				pipe_retire(p, l);
			}
		}
	}
}

void
learned_fini(struct of_pipe *p)
{
	for (unsigned i = 0; p->learned && i < N_BUCKETS; i++) {
		for (struct learned *l = p->learned[i], *next; l; l = next) {
			next = l->next;
			free(l);
		}
	}
	free(p->learned);
}
