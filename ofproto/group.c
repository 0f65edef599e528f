/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: versioned like rules.  A group never changes once it is there; a modification puts another one in its place. */
#include "ofproto/group.h"

#include <stdlib.h>

enum { N_BUCKETS = 1024 };              /* Of the hash of groups by id. */

/* --- Which groups there are -------------------------------------------------------------------------- */

static struct of_group **
chain_of(const struct of_pipe *p, uint32_t id)
{
	struct of_group **all = rcu_read(p->groups.by_id);

	return all ? &all[hash_mix(id) & (N_BUCKETS - 1)] : NULL;
}

struct of_group *
group_live(const struct of_pipe *p, uint32_t id)
{
	struct of_group **c = chain_of(p, id);

	for (struct of_group *g = c ? *c : NULL; g; g = g->next)
		if (g->id == id && g->removed == OF_NEVER)
			return g;
	return NULL;
}

bool
pipe_has_group(const struct of_pipe *p, uint32_t id)
{
	return group_live(p, id) != NULL;
}

static bool
selects_by_fields(const struct of_group *g)
{
	static const struct of_field_set none;

	return !strcmp(g->method, "hash") && memcmp(&g->fields, &none, sizeof none);
}

bool
of_group_find(const struct of_pipe *p, uint64_t version, uint32_t id, struct of_group_view *v)
{
	struct of_group **c = chain_of(p, id);

	for (const struct of_group *g = c ? rcu_read(*c) : NULL; g; g = rcu_read(g->next)) {
		if (g->id != id || g->added > version || version >= __atomic_load_n(&g->removed, __ATOMIC_RELAXED))
			continue;
		*v = (struct of_group_view){
			.id = id, .type = g->type, .n_buckets = g->n_buckets, .buckets = g->bucket,
			.total_weight = g->total_weight, .group = g, .hash_basis = g->param,
			.hash_fields = selects_by_fields(g) ? &g->fields : NULL,
		};
		return true;
	}
	return false;
}

/* --- References and counters ----------------------------------------------------------------------------- */

uint64_t
group_ref(const struct of_pipe *p, const struct of_group *g, uint32_t bucket)
{
	uint32_t gen = __atomic_load_n(&p->groups.slot[g->slot].gen, __ATOMIC_ACQUIRE);

	return (uint64_t)(gen & GROUP_GEN_MASK) << (GROUP_SLOT_BITS + GROUP_BUCKET_BITS) |
	       (uint64_t)g->slot << GROUP_BUCKET_BITS | bucket;
}

/* 'rest' is what group_ref() made. */
void
group_credit(const struct of_pipe *p, uint64_t rest, bool bucket, uint64_t packets, uint64_t bytes)
{
	uint32_t slot = rest >> GROUP_BUCKET_BITS & (GROUP_MAX_SLOTS - 1);
	uint32_t i = bucket ? 1 + (rest & ((1u << GROUP_BUCKET_BITS) - 1)) : 0;
	const struct group_slot *s;
	struct of_counts *c;

	if (!rcu_read(p->groups.by_id))
		return;
	s = &p->groups.slot[slot];
	if ((__atomic_load_n(&s->gen, __ATOMIC_ACQUIRE) ^ (rest >> (GROUP_SLOT_BITS + GROUP_BUCKET_BITS))) &
	    GROUP_GEN_MASK)
		return;
	c = __atomic_load_n(&s->counts, __ATOMIC_ACQUIRE);
	if (!c || i > s->n_buckets)
		return;
	__atomic_fetch_add(&c[i].packets, packets, __ATOMIC_RELAXED);
	__atomic_fetch_add(&c[i].bytes, bytes, __ATOMIC_RELAXED);
}

/* --- Making and dropping ------------------------------------------------------------------------------------ */

static bool
first_group(struct of_pipe *p)
{
	struct groups *gs = &p->groups;

	if (gs->by_id)
		return true;
	gs->slot = map_zeroed(GROUP_MAX_SLOTS * sizeof *gs->slot);
	if (!gs->slot)
		return false;
	/* Slot 0 stays free: a reference is never 0 anyway, but so it is easier to read. */
	gs->n_slots = 1;
	rcu_assign(gs->by_id, xcalloc(N_BUCKETS, sizeof(struct of_group *)));
	return true;
}

static uint32_t
slot_take(struct groups *gs)
{
	uint32_t s = gs->free_slot;

	if (s)
		gs->free_slot = gs->slot[s].next;
	else if (gs->n_slots < GROUP_MAX_SLOTS)
		s = gs->n_slots++;
	return s;
}

/* A group with copies of 'n' buckets and their actions. */
static struct of_group *
group_make(const struct of_bucket *b, uint32_t n)
{
	size_t len = sizeof(struct of_group) + n * sizeof *b;
	struct of_group *g;
	uint8_t *acts;

	for (uint32_t i = 0; i < n; i++)
		len += b[i].acts.len;
	g = xcalloc(1, len);
	g->len = len;
	g->n_buckets = n;
	acts = (uint8_t *)&g->bucket[n];
	for (uint32_t i = 0; i < n; i++) {
		g->bucket[i] = b[i];
		g->bucket[i].acts.a = (const struct of_act *)acts;
		if (b[i].acts.len)
			memcpy(acts, b[i].acts.a, b[i].acts.len);
		acts += b[i].acts.len;
		g->total_weight += b[i].weight;
	}
	return g;
}

/* Groups that this one forwards to, or that the list names. */
static void
count_refs(struct of_pipe *p, struct of_acts acts, int by)
{
	OF_ACTS_EACH(a, acts) {
		if (a->kind == OFA_GROUP) {
			struct of_group *g = group_live(p, ((const struct of_act_u32 *)a)->value);

			if (g)
				g->n_refs += (uint32_t)by;
		} else if (a->kind == OFA_METER) {
			meter_count_ref(p, ((const struct of_act_u32 *)a)->value, by);
		} else if (a->kind == OFA_WRITE_ACTIONS || a->kind == OFA_CLONE) {
			count_refs(p, of_acts_nested(a), by);
		}
	}
}

void
pipe_count_refs(struct of_pipe *p, struct of_acts acts, int by)
{
	count_refs(p, acts, by);
}

static void
count_bucket_refs(struct of_pipe *p, const struct of_group *g, int by)
{
	for (uint32_t i = 0; i < g->n_buckets; i++) {
		struct of_group *to;

		OF_ACTS_EACH(a, g->bucket[i].acts) {
			to = a->kind == OFA_GROUP ? group_live(p, ((const struct of_act_u32 *)a)->value) : NULL;
			if (to) {
				to->n_refs += (uint32_t)by;
				to->n_chained += (uint32_t)by;
			}
		}
	}
}

static void
touch(struct of_pipe *p, uint32_t id)
{
	dp_tag tag = of_tag_group(p->bridge, id);

	p->changed_groups[(tag & 0xfff) >> 6] |= (uint64_t)1 << (tag & 63);
	p->groups_changed = true;
	p->dirty = true;
}

/* Puts it where readers of the next version find it. */
static bool
group_add(struct of_pipe *p, struct of_group *g)
{
	struct groups *gs = &p->groups;
	struct of_group **c;

	if (!first_group(p))
		return false;
	g->slot = slot_take(gs);
	if (!g->slot)
		return false;
	g->added = p->edit;
	g->removed = OF_NEVER;
	g->counts = xcalloc(g->n_buckets + 1u, sizeof *g->counts);
	gs->slot[g->slot].n_buckets = g->n_buckets;
	__atomic_store_n(&gs->slot[g->slot].counts, g->counts, __ATOMIC_RELEASE);
	c = chain_of(p, g->id);
	g->next = *c;
	rcu_assign(*c, g);
	gs->n++;
	gs->bytes += g->len + (g->n_buckets + 1u) * sizeof *g->counts;
	count_bucket_refs(p, g, 1);
	touch(p, g->id);
	txn_group(p, g, true);
	return true;
}

static void
group_remove(struct of_pipe *p, struct of_group *g)
{
	count_bucket_refs(p, g, -1);
	__atomic_store_n(&g->removed, p->edit, __ATOMIC_RELAXED);
	p->groups.n--;
	gone_group(p, g);
	touch(p, g->id);
	txn_group(p, g, false);
}

/* What a transaction did is taken back.  Only the last thing done can be. */
void
group_undo(struct of_pipe *p, struct of_group *g, bool added)
{
	if (!added) {
		g->removed = OF_NEVER;
		p->groups.n++;
		count_bucket_refs(p, g, 1);
		return;
	}
	count_bucket_refs(p, g, -1);
	g->removed = g->added;
	p->groups.n--;
	gone_group(p, g);
}

void
group_unlink(struct of_pipe *p, struct of_group *g)
{
	struct of_group **c = chain_of(p, g->id);

	while (*c != g)
		c = &(*c)->next;
	rcu_assign(*c, g->next);
	__atomic_store_n(&p->groups.slot[g->slot].gen, p->groups.slot[g->slot].gen + 1, __ATOMIC_RELEASE);
}

void
group_free(struct of_pipe *p, struct of_group *g)
{
	struct group_slot *s = &p->groups.slot[g->slot];

	p->groups.bytes -= g->len + (g->n_buckets + 1u) * sizeof *g->counts;
	__atomic_store_n(&s->counts, NULL, __ATOMIC_RELAXED);
	s->next = p->groups.free_slot;
	p->groups.free_slot = g->slot;
	free(g->counts);
	free(g);
}

void
groups_fini(struct of_pipe *p)
{
	for (unsigned i = 0; p->groups.by_id && i < N_BUCKETS; i++) {
		for (struct of_group *g = p->groups.by_id[i], *next; g; g = next) {
			next = g->next;
			free(g->counts);
			free(g);
		}
	}
	free(p->groups.by_id);
	map_free(p->groups.slot, GROUP_MAX_SLOTS * sizeof *p->groups.slot);
}

/* --- Commands ------------------------------------------------------------------------------------------------- */

static int
no_room(struct of_error *e)
{
	return of_error_set(e, OFE_GMFC_OUT_OF_GROUPS, "too many groups wait to be freed");
}

/* Another group in the place of 'old' (NULL: of none).  Takes 'g'. */
static int
put(struct of_pipe *p, struct of_group *old, struct of_group *g, const struct of_group_mod *m, struct of_error *e)
{
	g->id = m->group_id;
	g->created_ms = old ? old->created_ms : pipe_now(p);
	if (!group_add(p, g)) {
		free(g);
		return no_room(e);
	}
	if (old) {
		/* Who names it names the new one now. */
		g->n_refs = old->n_refs;
		g->n_chained = old->n_chained;
		group_remove(p, old);
	}
	return 0;
}

static int
add_or_modify(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_group *old,
	      struct of_error *e)
{
	struct of_group *g;

	if (group_check(p, who->version, m, m->type, m->buckets, m->n_buckets, e))
		return -1;
	if (!old && p->groups.n >= OF_MAX_GROUPS)
		return of_error_set(e, OFE_GMFC_OUT_OF_GROUPS, "%u groups are there", p->groups.n);
	g = group_make(m->buckets, m->n_buckets);
	g->type = m->type;
	str_copy(g->method, sizeof g->method, m->selection_method);
	g->param = m->selection_param;
	g->fields = m->selection_fields;
	return put(p, old, g, m, e);
}

/* The place of a bucket id among n; n: it is not there. */
static uint32_t
place_of(const struct of_group *g, uint32_t id)
{
	uint32_t i = 0;

	if (id == OFG_BUCKET_FIRST)
		return 0;
	if (id == OFG_BUCKET_LAST)
		return g->n_buckets ? g->n_buckets - 1 : 0;
	while (i < g->n_buckets && g->bucket[i].id != id)
		i++;
	return i;
}

static void
copy_counts(struct of_counts *to, const struct of_counts *from)
{
	__atomic_store_n(&to->packets, __atomic_load_n(&from->packets, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	__atomic_store_n(&to->bytes, __atomic_load_n(&from->bytes, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* 'old' with the buckets 'b', counters of those that stay included. */
static int
rebucket(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_group *old,
	 const struct of_bucket *b, uint32_t n, struct of_error *e)
{
	struct of_group *g;

	if (group_check(p, who->version, m, old->type, b, n, e))
		return -1;
	g = group_make(b, n);
	g->type = old->type;
	memcpy(g->method, old->method, sizeof g->method);
	g->param = old->param;
	g->fields = old->fields;
	if (put(p, old, g, m, e))
		return -1;
	copy_counts(&g->counts[0], &old->counts[0]);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < old->n_buckets; j++)
			if (g->bucket[i].id == old->bucket[j].id)
				copy_counts(&g->counts[1 + i], &old->counts[1 + j]);
	return 0;
}

static int
insert_buckets(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_group *old,
	       struct of_error *e)
{
	uint32_t at = place_of(old, m->command_bucket_id), n = old->n_buckets + m->n_buckets;
	struct of_bucket *b;
	int rc;

	if (m->command_bucket_id == OFG_BUCKET_ALL ||
	    (at == old->n_buckets && m->command_bucket_id < OFG_BUCKET_FIRST))
		return of_error_set(e, OFE_GMFC_UNKNOWN_BUCKET, "group %u has no bucket %u", old->id,
				    m->command_bucket_id);
	if (n > OF_MAX_BUCKETS)
		return of_error_set(e, OFE_GMFC_OUT_OF_BUCKETS, "%u buckets", n);
	at = m->command_bucket_id == OFG_BUCKET_FIRST ? 0 : MIN_OF(at + 1, old->n_buckets);
	b = xcalloc(n, sizeof *b);
	memcpy(b, old->bucket, at * sizeof *b);
	memcpy(b + at, m->buckets, m->n_buckets * sizeof *b);
	memcpy(b + at + m->n_buckets, old->bucket + at, (old->n_buckets - at) * sizeof *b);
	rc = rebucket(p, who, m, old, b, n, e);
	free(b);
	return rc;
}

static int
remove_bucket(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_group *old,
	      struct of_error *e)
{
	uint32_t at = place_of(old, m->command_bucket_id), n = old->n_buckets;
	struct of_bucket *b;
	int rc;

	if (m->n_buckets)
		return of_error_set(e, OFE_GMFC_BAD_BUCKET, "buckets in a command to remove one");
	if (m->command_bucket_id == OFG_BUCKET_ALL)
		return rebucket(p, who, m, old, NULL, 0, e);
	if (at >= n)
		return of_error_set(e, OFE_GMFC_UNKNOWN_BUCKET, "group %u has no bucket %u", old->id,
				    m->command_bucket_id);
	b = xcalloc(n, sizeof *b);
	memcpy(b, old->bucket, at * sizeof *b);
	memcpy(b + at, old->bucket + at + 1, (n - at - 1) * sizeof *b);
	rc = rebucket(p, who, m, old, b, n - 1, e);
	free(b);
	return rc;
}

/* Every rule that names it goes along. */
static void
delete(struct of_pipe *p, const struct of_who *who, struct of_group *g)
{
	if (g->n_refs)
		rules_of_ref_remove(p, who, OFA_GROUP, g->id, OFRR_GROUP_DELETE);
	group_remove(p, g);
}

static int
delete_some(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_error *e)
{
	struct of_group *g = group_live(p, m->group_id);

	if (m->group_id == OFG_ALL) {
		for (unsigned i = 0; p->groups.by_id && i < N_BUCKETS; i++)
			for (g = p->groups.by_id[i]; g; g = g->next)
				if (g->removed == OF_NEVER)
					delete(p, who, g);
		return 0;
	}
	if (!g)
		return 0;
	if (g->n_chained)
		return of_error_set(e, OFE_GMFC_CHAINED_GROUP, "another group forwards to group %u", g->id);
	delete(p, who, g);
	return 0;
}

int
of_group_mod(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m, struct of_error *e)
{
	struct of_group *old = group_live(p, m->group_id);
	int rc;

	if (m->group_id > OFG_MAX && m->command != OFGC_DELETE)
		return of_error_set(e, OFE_GMFC_INVALID_GROUP, "group %u is reserved", m->group_id);
	switch (m->command) {
	case OFGC_ADD:
		if (old)
			return of_error_set(e, OFE_GMFC_GROUP_EXISTS, "group %u is there", m->group_id);
		rc = add_or_modify(p, who, m, NULL, e);
		break;
	case OFGC_ADD_OR_MOD:
		rc = add_or_modify(p, who, m, old, e);
		break;
	case OFGC_DELETE:
		rc = delete_some(p, who, m, e);
		break;
	case OFGC_MODIFY:
	case OFGC_INSERT_BUCKET:
	case OFGC_REMOVE_BUCKET:
		if (!old)
			return of_error_set(e, OFE_GMFC_UNKNOWN_GROUP, "there is no group %u", m->group_id);
		rc = m->command == OFGC_MODIFY ? add_or_modify(p, who, m, old, e) :
		     m->command == OFGC_INSERT_BUCKET ? insert_buckets(p, who, m, old, e) :
							remove_bucket(p, who, m, old, e);
		break;
	default:
		return of_error_set(e, OFE_GMFC_BAD_COMMAND, "group_mod command %u", m->command);
	}
	if (!rc)
		txn_forward_group(p, who, m);
	return rc;
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

static bool
show(const struct of_pipe *p, const struct of_group *g,
     bool (*cb)(void *, const struct of_group_row *, const struct of_group_desc *), void *arg)
{
	struct of_counts *c = xcalloc(g->n_buckets + 1u, sizeof *c);
	struct of_group_desc d = {
		.group_id = g->id, .type = g->type, .n_buckets = g->n_buckets, .buckets = g->bucket,
		.selection_param = g->param, .selection_fields = g->fields,
	};
	struct of_group_row row = {
		.group_id = g->id, .ref_count = g->n_refs, .n_buckets = g->n_buckets, .buckets = c + 1,
	};
	bool more;

	for (uint32_t i = 0; i <= g->n_buckets; i++) {
		c[i].packets = __atomic_load_n(&g->counts[i].packets, __ATOMIC_RELAXED);
		c[i].bytes = __atomic_load_n(&g->counts[i].bytes, __ATOMIC_RELAXED);
	}
	row.packets = c->packets;
	row.bytes = c->bytes;
	pipe_duration(g->created_ms, pipe_now(p), &row.duration_s, &row.duration_ns);
	memcpy(d.selection_method, g->method, sizeof d.selection_method);
	more = cb(arg, &row, &d);
	free(c);
	return more;
}

static int
by_id(const void *a, const void *b)
{
	const struct of_group *x = *(const struct of_group *const *)a, *y = *(const struct of_group *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

bool
of_groups_each(const struct of_pipe *p, uint32_t id,
	       bool (*cb)(void *, const struct of_group_row *, const struct of_group_desc *), void *arg)
{
	const struct of_group **all, *g;
	uint32_t n = 0;

	if (id != OFG_ALL) {
		g = group_live(p, id);
		if (g)
			show(p, g, cb, arg);
		return g != NULL;
	}
	if (!p->groups.n)
		return false;
	all = xcalloc(p->groups.n, sizeof *all);
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (g = p->groups.by_id[i]; g; g = g->next)
			if (g->removed == OF_NEVER)
				all[n++] = g;
	qsort(all, n, sizeof *all, by_id);
	for (uint32_t i = 0; i < n && show(p, all[i], cb, arg); i++)
		;
	free(all);
	return true;
}

void
of_group_features(const struct of_pipe *p, struct of_group_features *f)
{
	(void)p;
	memset(f, 0, sizeof *f);
	f->types = 1 << OFGT_ALL | 1 << OFGT_SELECT | 1 << OFGT_INDIRECT | 1 << OFGT_FF;
	/* Weights, liveness, chaining, checks of chaining. */
	f->capabilities = 0xf;
	for (unsigned i = 0; i < 4; i++) {
		f->max_groups[i] = OF_MAX_GROUPS;
		f->actions[i] = OF_STD_ACTIONS;
	}
}
