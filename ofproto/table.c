/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's life, its publication, and what polling threads ask it. */
#include "ofproto/cls_trie.h"

#include <stdlib.h>

/* --- Life --------------------------------------------------------------------------------------- */

struct of_pipe *
of_pipe_create(uint16_t bridge, const struct ofp_sink *sink, void (*mark)(void *, dp_tag), void *mark_arg)
{
	struct of_pipe *p = xcalloc(1, sizeof *p);

	p->bridge = bridge;
	p->seed = hash_random_seed();
	p->version = 1;
	p->edit = 2;
	p->normal_from = OF_NEVER;
	p->normal_until = OF_NEVER;
	p->max_bytes = OF_MAX_BYTES;
	p->bits = xcalloc(1, sizeof *p->bits);
	slab_init(&p->rules, false);
	slab_init(&p->stats, true);
	if (sink)
		p->sink = *sink;
	p->mark = mark;
	p->mark_arg = mark_arg;
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		p->tbl[t].conf.max_entries = OF_MAX_RULES;
	return p;
}

void
of_pipe_destroy(struct of_pipe *p)
{
	if (!p)
		return;
	for (unsigned t = 0; t < OF_N_TABLES; t++) {
		cls_fini(&p->tbl[t].cls);
		evict_fini(&p->tbl[t]);
	}
	limbo_fini(p);
	groups_fini(p);
	meters_fini(p);
	learned_fini(p);
	txn_fini(p);
	prog_fini(p);
	free(p->wheel.slot);
	slab_fini(&p->rules);
	slab_fini(&p->stats);
	trie_nodes_fini(&p->nodes);
	free(p->bits);
	p->dead = true;
	/* What the sink holds comes back and finds it dead. */
	if (!p->pending)
		free(p);
}

void
of_pipe_set_events(struct of_pipe *p, const struct of_pipe_events *ev)
{
	p->ev = ev ? *ev : (struct of_pipe_events){ 0 };
}

void
of_pipe_add_default(struct of_pipe *p)
{
	static const struct of_act_output normal = {
		.h = { .kind = OFA_OUTPUT, .len = sizeof normal }, .port = (uint32_t)OFPP_NORMAL,
	};
	struct of_flow_mod fm = {
		.version = OF13, .command = OFFC_ADD, .out_port = (uint32_t)OFPP_ANY, .out_group = OFG_ANY,
		.buffer_id = (uint32_t)OF_NO_BUFFER, .acts = { .a = &normal.h, .len = sizeof normal },
	};
	struct of_who who = { .version = OF13 };

	of_flow_mod(p, &who, &fm, NULL);
}

void
pipe_wake(struct of_pipe *p)
{
	if (p->sink.dirty)
		p->sink.dirty(p->sink.arg);
}

/* --- Publication -------------------------------------------------------------------------------- */

/* The one rule there is, if it is "priority=0 actions=NORMAL" in table 0. */
static bool
is_default_only(const struct of_pipe *p)
{
	const struct of_act_output *a;
	const struct of_rule *r;
	struct cls_key k;
	struct omatch any;
	struct cls_sub *s;

	if (p->n_rules != 1 || p->tbl[0].active != 1)
		return false;
	memset(&any, 0, sizeof any);
	cls_key_init(&k, &any);
	s = cls_sub_find(&p->tbl[0].cls, &k);
	r = s ? cls_find_live(p, s, k.value, 0) : NULL;
	if (!r || r->prog->len != sizeof *a)
		return false;
	a = (const struct of_act_output *)r->prog->acts;
	return a->h.kind == OFA_OUTPUT && a->port == (uint32_t)OFPP_NORMAL;
}

static void
publish_normal(struct of_pipe *p)
{
	bool is = is_default_only(p), was = p->normal_from != OF_NEVER && p->normal_until == OF_NEVER;

	if (is && !was) {
		__atomic_store_n(&p->normal_from, p->edit, __ATOMIC_RELAXED);
		__atomic_store_n(&p->normal_until, OF_NEVER, __ATOMIC_RELEASE);
	} else if (!is && was) {
		__atomic_store_n(&p->normal_until, p->edit, __ATOMIC_RELAXED);
	}
}

/* Returns whether it is another union of masks now. */
static bool
publish_bits(struct of_pipe *p)
{
	struct oflow *old = p->bits, *bits = xcalloc(1, sizeof *bits);
	uint64_t *w = (uint64_t *)bits;

	p->bits_stale = false;
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		for (const struct cls_sub *s = p->tbl[t].cls.subs; s; s = s->next)
			for (unsigned i = 0; s->n_rules && i < s->n; i++)
				w[cls_words(s)[i]] |= s->mask[i];
	if (!memcmp(old, bits, sizeof *bits)) {
		free(bits);
		return false;
	}
	rcu_assign(p->bits, bits);
	pipe_retire(p, old);
	return true;
}

static void
mark_changed(struct of_pipe *p)
{
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		if (p->changed[t >> 6] >> (t & 63) & 1)
			p->mark(p->mark_arg, of_tag_table(p->bridge, (uint8_t)t));
	if (p->changed[0] | p->changed[1] | p->changed[2] | p->changed[3])
		p->mark(p->mark_arg, of_tag_tables(p->bridge));
	memset(p->changed, 0, sizeof p->changed);
	for (unsigned i = 0; p->groups_changed && i < 64 * ARRAY_SIZE(p->changed_groups); i++)
		if (p->changed_groups[i >> 6] >> (i & 63) & 1)
			p->mark(p->mark_arg, dp_tag_make(TAG_RULE, i));
	if (p->groups_changed)
		memset(p->changed_groups, 0, sizeof p->changed_groups);
	p->groups_changed = false;
}

bool
of_pipe_dirty(const struct of_pipe *p)
{
	return p->dirty || p->bits_stale;
}

bool
of_pipe_publish(struct of_pipe *p, bool *bits_changed)
{
	bool grown = false, was_dirty = p->dirty;

	if (bits_changed)
		*bits_changed = false;
	if (!of_pipe_dirty(p) || p->staged)
		return false;
	learned_publish(p);
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		cls_refresh(p, (uint8_t)t);
	if (p->bits_stale)
		grown = publish_bits(p);
	if (p->dirty) {
		publish_normal(p);
		__atomic_store_n(&p->version, p->edit, __ATOMIC_RELEASE);
		p->edit++;
		p->dirty = false;
		for (unsigned t = 0; t < OF_N_TABLES; t++)
			if (p->changed[t >> 6] >> (t & 63) & 1)
				vacancy_check(p, (uint8_t)t);
		if (p->mark)
			mark_changed(p);
	}
	if (bits_changed)
		*bits_changed = grown;
	limbo_start(p);
	return was_dirty || grown;
}

/* --- Look-ups ------------------------------------------------------------------------------------- */

uint64_t
of_pipe_version(const struct of_pipe *p)
{
	return __atomic_load_n(&p->version, __ATOMIC_ACQUIRE);
}

const struct of_rule *
of_lookup(const struct of_pipe *p, uint64_t version, uint8_t table, struct oflow *flow, struct oflow *wc,
	  const struct of_lookup_watch *watch)
{
	const struct of_rule *r;

	if (table >= OF_N_TABLES)
		return NULL;
	r = cls_lookup(p, &p->tbl[table].cls, version, flow, wc);
	if (UNLIKELY(watch != NULL))
		cls_watch(p, &p->tbl[table].cls, version, flow, r, watch);
	return r;
}

const struct of_rule *
of_find_exact(const struct of_pipe *p, uint64_t version, uint8_t table, const struct omatch *m, uint16_t priority)
{
	struct cls_key k;

	if (table >= OF_N_TABLES)
		return NULL;
	cls_key_init(&k, m);
	return cls_find_visible(p, &p->tbl[table].cls, version, &k, priority);
}

bool
of_table_empty(const struct of_pipe *p, uint8_t table)
{
	return table >= OF_N_TABLES || !rcu_read(p->tbl[table].cls.vec);
}

void
of_pipe_set_options(struct of_pipe *p, uint8_t mapped)
{
	p->options = mapped;
}

uint8_t
of_pipe_options(const struct of_pipe *p)
{
	return p->options;
}

void
of_pipe_match_bits(const struct of_pipe *p, struct oflow *mask)
{
	*mask = *rcu_read(p->bits);
}

bool
of_pipe_is_normal(const struct of_pipe *p, uint64_t version)
{
	return version < __atomic_load_n(&p->normal_until, __ATOMIC_ACQUIRE) &&
	       __atomic_load_n(&p->normal_from, __ATOMIC_RELAXED) <= version;
}

/* --- Of a rule -------------------------------------------------------------------------------------- */

struct of_acts
of_rule_acts(const struct of_rule *r)
{
	return prog_acts(r->prog);
}

uint16_t
of_rule_priority(const struct of_rule *r)
{
	return r->priority;
}

uint8_t
of_rule_table(const struct of_rule *r)
{
	return r->table;
}

uint64_t
of_rule_cookie(const struct of_rule *r)
{
	return r->cookie;
}

uint16_t
of_rule_flags(const struct of_rule *r)
{
	return r->flags & (uint16_t)~RULE_F_CONJ;
}

void
of_rule_timeouts(const struct of_rule *r, uint16_t *idle, uint16_t *hard)
{
	*idle = __atomic_load_n(&r->idle, __ATOMIC_RELAXED);
	*hard = __atomic_load_n(&r->hard, __ATOMIC_RELAXED);
}

void
of_rule_match(const struct of_rule *r, struct omatch *m)
{
	cls_match_out(r, m);
}

bool
of_rule_is_table_miss(const struct of_rule *r)
{
	return !r->priority && !r->sub->n;
}

/* --- References ---------------------------------------------------------------------------------------- */

/* Kind in the top 3 bits, then 8 of the bridge, then: a rule's 28 bits of generation and 25 of its number, or a group's 26
 * of generation, 15 of its slot and 12 of the bucket. */
enum ref_kind { REF_RULE = 1, REF_REFRESH, REF_MISS, REF_GROUP, REF_BUCKET };
enum { RULE_BITS = 25, RULE_GEN_MASK = (1 << 28) - 1 };

static uint64_t
ref_make(const struct of_pipe *p, enum ref_kind kind, uint64_t rest)
{
	return (uint64_t)kind << 61 | (uint64_t)(p->bridge & 0xff) << 53 | rest;
}

static uint64_t
rule_rest(const struct of_pipe *p, const struct of_rule *r)
{
	uint32_t gen = __atomic_load_n(&stat_at(p, r->stat)->gen, __ATOMIC_ACQUIRE);

	return (uint64_t)(gen & RULE_GEN_MASK) << RULE_BITS | r->stat;
}

uint64_t
of_ref_rule(const struct of_pipe *p, const struct of_rule *r)
{
	return ref_make(p, REF_RULE, rule_rest(p, r));
}

uint64_t
of_ref_refresh(const struct of_pipe *p, const struct of_rule *r)
{
	return ref_make(p, REF_REFRESH, rule_rest(p, r));
}

uint64_t
of_ref_group(const struct of_pipe *p, const struct of_group *g)
{
	return ref_make(p, REF_GROUP, group_ref(p, g, 0));
}

uint64_t
of_ref_bucket(const struct of_pipe *p, const struct of_group *g, uint32_t bucket)
{
	return ref_make(p, REF_BUCKET, group_ref(p, g, bucket));
}

uint64_t
of_ref_miss(const struct of_pipe *p, uint8_t table)
{
	return ref_make(p, REF_MISS, table);
}

uint16_t
of_ref_bridge(uint64_t ref)
{
	return ref >> 53 & 0xff;
}

uint32_t
pipe_ref_stat(const struct of_pipe *p, uint64_t ref)
{
	uint32_t idx = ref & ((1u << RULE_BITS) - 1);
	unsigned kind = (unsigned)(ref >> 61);
	const struct rule_stat *st;

	if ((kind != REF_RULE && kind != REF_REFRESH) || idx >> SLAB_SHIFT >= SLAB_MAX_CHUNKS ||
	    !p->stats.chunk[idx >> SLAB_SHIFT].mem)
		return 0;
	st = stat_at(p, idx);
	return ((__atomic_load_n(&st->gen, __ATOMIC_ACQUIRE) ^ (ref >> RULE_BITS)) & RULE_GEN_MASK) ? 0 : idx;
}

static void
move_forward(uint64_t *slot, uint64_t ms)
{
	uint64_t was = __atomic_load_n(slot, __ATOMIC_RELAXED);

	while (was < ms && !__atomic_compare_exchange_n(slot, &was, ms, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void
credit_rule(struct of_pipe *p, uint64_t ref, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
	uint32_t idx = pipe_ref_stat(p, ref);
	struct rule_stat *st;

	if (!idx)
		return;
	st = stat_at(p, idx);
	if (ref >> 61 == REF_REFRESH) {
		move_forward(&st->modified_ms, used_ms);
		return;
	}
	__atomic_fetch_add(&st->packets, packets, __ATOMIC_RELAXED);
	__atomic_fetch_add(&st->bytes, bytes, __ATOMIC_RELAXED);
	move_forward(&st->used_ms, used_ms);
	__atomic_fetch_add(&p->tbl[p->stats.chunk[idx >> SLAB_SHIFT].class].matched, packets, __ATOMIC_RELAXED);
}

void
of_pipe_credit(struct of_pipe *p, uint64_t ref, uint64_t packets, uint64_t bytes, uint64_t used_ms)
{
	switch (ref >> 61) {
	case REF_RULE:
	case REF_REFRESH:
		credit_rule(p, ref, packets, bytes, used_ms);
		break;
	case REF_GROUP:
	case REF_BUCKET:
		group_credit(p, ref & (((uint64_t)1 << 53) - 1), ref >> 61 == REF_BUCKET, packets, bytes);
		break;
	case REF_MISS:
		if ((uint8_t)ref < OF_N_TABLES)
			__atomic_fetch_add(&p->tbl[(uint8_t)ref].missed, packets, __ATOMIC_RELAXED);
		break;
	}
}

/* --- Tags ------------------------------------------------------------------------------------------------ */

dp_tag
of_tag_table(uint16_t bridge, uint8_t table)
{
	return dp_tag_make(TAG_TABLE, (uint32_t)hash_mix((uint64_t)bridge << 16 | table | 0x100));
}

dp_tag
of_tag_tables(uint16_t bridge)
{
	return dp_tag_make(TAG_TABLE, (uint32_t)hash_mix((uint64_t)bridge << 16 | 0x8000));
}

dp_tag
of_tag_group(uint16_t bridge, uint32_t group)
{
	return dp_tag_make(TAG_RULE, (uint32_t)hash_mix((uint64_t)bridge << 32 | group));
}

/* The bit of its own keeps meter 5 from sharing with group 5. */
dp_tag
of_tag_meter(uint16_t bridge, uint32_t meter)
{
	return dp_tag_make(TAG_RULE, (uint32_t)hash_mix((uint64_t)1 << 48 | (uint64_t)bridge << 32 | meter));
}
