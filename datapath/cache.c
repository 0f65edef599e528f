/* SPDX-License-Identifier: Apache-2.0 */
/* The flow cache's slow half: installing, replacing and removing megaflows; see cache.h. */
#include "datapath/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "datapath/act_store.h"

enum {
	EVICT_SCAN = 64,                /* Flows looked at to find one to evict. */
	EVICT_TRIES = 4,                /* Flows that are evicted for room in a store. */
	ACTS_PER_FLOW = 4,              /* Arena size, in instructions a flow; shared programs need far less. */
	REFS_PER_FLOW = 12,             /* Likewise; lists differ more than programs do. */
};

static uint32_t
n_slots_for(uint32_t max_flows)
{
	return 1u << (32 - __builtin_clz(max_flows * 2 - 1));
}

/* How a thread's memory is shared out. */
struct shares {
	uint32_t flows, slots;
	uint32_t hints;                 /* Slots of the index. */
	uint32_t acts, refs;            /* Words. */
};

static uint64_t
fixed_bytes(void)
{
	return CACHE_MASKS * sizeof(struct cmask) + CACHE_MAX_PORTS * sizeof(struct cport);
}

static uint64_t
flows_bytes(uint32_t flows, uint32_t slots)
{
	return (flows + 1ull) * (sizeof(struct cflow) + sizeof(flow_block) + sizeof(struct cflow_cold)) +
	       slots * (sizeof(struct cslot) + 1ull) + CACHE_TAGS;
}

static struct shares
share_by_flows(uint32_t flows)
{
	return (struct shares){
		.flows = flows, .slots = n_slots_for(flows), .hints = flows * CACHE_HINTS_PER_FLOW,
		.acts = MAX_OF(flows * ACTS_PER_FLOW, 64u * ACT_MAX), .refs = MAX_OF(flows * REFS_PER_FLOW, 64u * ACT_MAX),
	};
}

/* A quarter, or less, for the hint index, a sixteenth for programs, an eighth for what counts along, all else for flows. */
static struct shares
share_by_bytes(uint64_t bytes, uint32_t most)
{
	const unsigned word = sizeof(struct act);
	struct shares s = { .hints = HINT_MIN_BUCKETS * HINT_SLOTS };
	uint64_t rest;

	while (s.hints < HINT_MAX_BUCKETS * HINT_SLOTS && s.hints * 2ull * word <= bytes / 4)
		s.hints *= 2;
	s.acts = (uint32_t)MIN_OF(bytes / 16, (uint64_t)CACHE_MAX_FLOWS * ACTS_PER_FLOW * word) / word;
	s.refs = (uint32_t)MIN_OF(bytes / 8, (uint64_t)CACHE_MAX_FLOWS * REFS_PER_FLOW * word) / word;
	rest = bytes - s.hints * 8ull - fixed_bytes() - act_store_size(s.acts) - act_store_size(s.refs);
	s.flows = (uint32_t)MIN_OF(rest / sizeof(struct cflow), (uint64_t)MIN_OF(most, (uint32_t)CACHE_MAX_FLOWS));
	while (flows_bytes(s.flows, n_slots_for(s.flows)) > rest)
		s.flows -= s.flows / 64 + 1;
	s.slots = n_slots_for(s.flows);
	return s;
}

int
cache_init(struct cache *c, uint32_t max_flows, uint64_t bytes)
{
	struct shares s = bytes ? share_by_bytes(bytes, max_flows ? max_flows : UINT32_MAX) : share_by_flows(max_flows);
	uint64_t *seed = (uint64_t *)c->seed;

	*c = (struct cache){ .max_flows = s.flows, .high = 1, .slot_mask = s.slots - 1 };
	for (unsigned i = 0; i < 16; i++)
		seed[i] = hash_random_seed();
	c->flows = map_zeroed_huge((c->max_flows + 1ul) * sizeof *c->flows);
	c->ext = map_zeroed((c->max_flows + 1ul) * sizeof *c->ext);
	c->cold = map_zeroed_huge((c->max_flows + 1ul) * sizeof *c->cold);
	c->slots = map_zeroed_huge((c->slot_mask + 1ul) * sizeof *c->slots);
	c->tags = map_zeroed_huge(c->slot_mask + 1ul + CACHE_TAGS);
	c->masks = map_zeroed(CACHE_MASKS * sizeof *c->masks);
	c->ports = map_zeroed(CACHE_MAX_PORTS * sizeof *c->ports);
	c->acts = act_store_create(s.acts);
	c->refs = act_store_create(s.refs);
	if (hints_init(&c->hints, s.hints) || !c->flows || !c->ext || !c->cold || !c->slots || !c->tags || !c->masks ||
	    !c->ports || !c->acts || !c->refs) {
		cache_fini(c);
		return -ENOMEM;
	}
	return 0;
}

void
cache_fini(struct cache *c)
{
	map_free(c->flows, (c->max_flows + 1ul) * sizeof *c->flows);
	map_free(c->ext, (c->max_flows + 1ul) * sizeof *c->ext);
	map_free(c->cold, (c->max_flows + 1ul) * sizeof *c->cold);
	map_free(c->slots, (c->slot_mask + 1ul) * sizeof *c->slots);
	map_free(c->tags, c->slot_mask + 1ul + CACHE_TAGS);
	hints_fini(&c->hints);
	map_free(c->masks, CACHE_MASKS * sizeof *c->masks);
	map_free(c->ports, CACHE_MAX_PORTS * sizeof *c->ports);
	act_store_destroy(c->acts);
	act_store_destroy(c->refs);
	*c = (struct cache){ 0 };
}

uint64_t
cache_bytes(const struct cache *c)
{
	return flows_bytes(c->max_flows, c->slot_mask + 1) + fixed_bytes() + hints_bytes(&c->hints) +
	       act_store_bytes(c->acts) + act_store_bytes(c->refs);
}

/* --- Masks --------------------------------------------------------------------------------- */

/* The number of this mask, a new one if need be; -1 when there are too many. */
static int
mask_get(struct cache *c, const flow_block m[2])
{
	int free = -1;

	for (uint32_t i = 0; i < c->n_masks; i++) {
		if (!c->masks[i].n_flows) {
			free = (int)i;
			continue;
		}
		if (block_equal(&c->masks[i].m[0], &m[0]) && block_equal(&c->masks[i].m[1], &m[1]))
			return (int)i;
	}
	if (free < 0) {
		if (c->n_masks == CACHE_MASKS)
			return -1;
		free = (int)c->n_masks++;
	}
	c->masks[free].m[0] = m[0];
	c->masks[free].m[1] = m[1];
	c->masks[free].two = !block_is_zero(&m[1]);
	return free;
}

static int
port_mask_find(const struct cport *p, uint16_t mask)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->mask[i] == mask)
			return (int)i;
	return -1;
}

/* The number of this mask, which a flow of the port shall have; it is put on the port's list as long as that has less than
 * 'most'.  -1: there is no room. */
static int
port_mask_get(struct cache *c, struct cport *p, const flow_block m[2], unsigned most)
{
	int mask;

	for (unsigned i = 0; i < p->n; i++) {
		const struct cmask *cm = &c->masks[p->mask[i]];

		if (block_equal(&cm->m[0], &m[0]) && block_equal(&cm->m[1], &m[1])) {
			p->refs[i]++;
			return p->mask[i];
		}
	}
	if (p->n >= most)
		return -1;
	mask = mask_get(c, m);
	if (mask >= 0) {
		p->refs[p->n] = 1;
		p->mask[p->n++] = (uint16_t)mask;
	}
	return mask;
}

/* Masks that a port may have before prefixes are rounded up to coarser steps; after the last, flows are exact. */
static const struct {
	uint8_t most, step;             /* Bits; four times as many of an IPv6 address. */
} mask_steps[] = { { 4, 1 }, { 10, 4 }, { 16, 8 }, { CACHE_PORT_MASKS - 1, 16 } };

/* A mask of 'len' bytes that is a prefix of m bits becomes one of the next multiple of 'step'; another one stays. */
static void
round_up(void *field, unsigned len, unsigned step)
{
	uint8_t *m = field, next[16] = { 0 };
	unsigned n = 0, to;

	while (n < len * 8 && m[n / 8] & 0x80 >> n % 8)
		n++;
	to = (n + step - 1) / step * step;
	for (unsigned i = n; i < to; i++)
		next[i / 8] |= (uint8_t)(0x80 >> i % 8);
	for (unsigned i = 0; i < len; i++)
		if (m[i] & ~(i < n / 8 ? 0xff : i == n / 8 ? 0xff00 >> n % 8 : 0))
			return;
	for (unsigned i = 0; i < len; i++)
		m[i] |= next[i];
}

/* Bits more than the answer looked at are right at any time: the flow is narrower than it needs to be. */
static void
mask_round(struct flow_key *m, unsigned step)
{
	round_up(&m->nw_src, 4, step);
	round_up(&m->nw_dst, 4, step);
	round_up(&m->tp_src, 2, step);
	round_up(&m->tp_dst, 2, step);
	round_up(m->ipv6_src, 16, step * 4);
	round_up(m->ipv6_dst, 16, step * 4);
}

static void
port_mask_unref(struct cport *p, uint16_t mask)
{
	int i = port_mask_find(p, mask);

	if (--p->refs[i])
		return;
	p->n--;
	for (unsigned j = (unsigned)i; j < p->n; j++) {
		p->mask[j] = p->mask[j + 1];
		p->refs[j] = p->refs[j + 1];
	}
}

/* --- Slots --------------------------------------------------------------------------------- */

static void
slot_set(struct cache *c, uint32_t i, struct cslot s)
{
	c->slots[i] = s;
	c->tags[i] = s.flow ? cache_tag(s.sig) : 0;
	if (i < CACHE_TAGS)
		c->tags[c->slot_mask + 1 + i] = c->tags[i];
}

static void
slot_add(struct cache *c, uint32_t sig, uint32_t f)
{
	uint32_t i = sig & c->slot_mask;

	while (c->tags[i])
		i = (i + 1) & c->slot_mask;
	slot_set(c, i, (struct cslot){ .sig = sig, .flow = f });
}

/* Takes a slot out and closes the gap, so that probing needs no tombstones. */
static void
slot_del(struct cache *c, uint32_t sig, uint32_t f)
{
	uint32_t i = sig & c->slot_mask, j;

	while (c->slots[i].flow != f)
		i = (i + 1) & c->slot_mask;
	for (j = (i + 1) & c->slot_mask; c->slots[j].flow; j = (j + 1) & c->slot_mask) {
		uint32_t home = c->slots[j].sig & c->slot_mask;

		/* May the one at j move to i?  Only if its home is not between them. */
		if (((j - home) & c->slot_mask) >= ((j - i) & c->slot_mask)) {
			slot_set(c, i, c->slots[j]);
			i = j;
		}
	}
	slot_set(c, i, (struct cslot){ 0 });
}

/* --- Flows --------------------------------------------------------------------------------- */

static void
mask_of(const struct flow_key *port_mask, const struct flow_key *looked_at, flow_block m[2])
{
	const flow_block *p = (const flow_block *)port_mask, *o = (const flow_block *)looked_at;

	m[0] = o[0] & p[0];
	m[1] = o[1] & p[1];
	((struct flow_key *)m)->in_port = 0xffff;
}

/* Mask 'i' of those that a flow of the port may get whose answer has looked at 'looked_at'; the last one is exact, as far as
 * the port's policy can tell. */
static void
mask_step(const struct flow_key *port_mask, const struct flow_key *looked_at, unsigned i, flow_block m[2])
{
	struct flow_key wide = *looked_at;

	if (i == ARRAY_SIZE(mask_steps))
		memset(&wide, 0xff, sizeof wide);
	else if (mask_steps[i].step > 1)
		mask_round(&wide, mask_steps[i].step);
	mask_of(port_mask, &wide, m);
}

/* The mask for a flow, in 'm' as well; -1: there are too many.  It counts as one more flow of the port. */
static int
mask_choose(struct cache *c, struct cport *p, const struct flow_key *port_mask, const struct flow_key *looked_at,
	    flow_block m[2])
{
	int mask = -1;

	for (unsigned i = 0; mask < 0 && i <= ARRAY_SIZE(mask_steps); i++) {
		mask_step(port_mask, looked_at, i, m);
		mask = port_mask_get(c, p, m, i < ARRAY_SIZE(mask_steps) ? mask_steps[i].most : CACHE_PORT_MASKS);
	}
	return mask;
}

/* Whether a flow with that answer may have the mask. */
static bool
mask_fits(const struct cmask *cm, const struct flow_key *port_mask, const struct flow_key *looked_at)
{
	flow_block m[2];

	for (unsigned i = 0; i <= ARRAY_SIZE(mask_steps); i++) {
		mask_step(port_mask, looked_at, i, m);
		if (block_equal(&m[0], &cm->m[0]) && block_equal(&m[1], &cm->m[1]))
			return true;
	}
	return false;
}

static uint16_t
flow_in_port(const struct cflow *fl)
{
	return ((const struct flow_key *)&fl->key)->in_port;
}

bool
cache_settle(struct cache *c, uint32_t f)
{
	struct cflow_cold *cold = &c->cold[f];
	const struct cflow *fl = &c->flows[f];
	uint64_t packets, bytes;

	if (!cold->refs)
		return false;
	packets = fl->packets - cold->packets;
	bytes = fl->bytes - cold->bytes;
	if (!packets)
		return false;
	cold->packets = fl->packets;
	cold->bytes = fl->bytes;
	if (c->credit)
		c->credit(c->credit_arg, (const uint64_t *)act_store_at(c->refs, cold->refs), cold->n_refs, packets, bytes,
			  fl->used);
	return true;
}

void
cache_remove(struct cache *c, uint32_t f)
{
	struct cflow *fl = &c->flows[f];

	cache_settle(c, f);
	slot_del(c, c->cold[f].sig, f);
	port_mask_unref(&c->ports[flow_in_port(fl)], fl->mask);
	c->masks[fl->mask].n_flows--;
	act_store_put(c->acts, fl->acts);
	act_store_put(c->refs, c->cold[f].refs);
	c->cold[f].refs = 0;
	fl->flags = 0;
	c->cold[f].next_free = c->free_list;
	c->free_list = f;
	c->n_flows--;
}

/* The least recently used of the next few under the clock hand. */
static void
evict_one(struct cache *c, uint32_t now)
{
	uint32_t victim = CACHE_NONE, worst = 0;

	for (unsigned i = 0; i < EVICT_SCAN; i++) {
		uint32_t idle;

		if (++c->clock_hand >= c->high)
			c->clock_hand = 1;
		if (!(c->flows[c->clock_hand].flags & CFLOW_LIVE))
			continue;
		idle = now - c->flows[c->clock_hand].used;
		if (victim == CACHE_NONE || idle > worst) {
			victim = c->clock_hand;
			worst = idle;
		}
	}
	if (victim != CACHE_NONE) {
		cache_remove(c, victim);
		c->evicted++;
	}
}

static uint32_t
flow_alloc(struct cache *c, uint32_t now)
{
	uint32_t f;

	if (!c->free_list && c->high > c->max_flows)
		evict_one(c, now);
	f = c->free_list;
	if (f)
		c->free_list = c->cold[f].next_free;
	else if (c->high <= c->max_flows)
		f = c->high++;
	return f;
}

/* Writes what the answer says into a record whose key and mask stand.  False: no room for the program, or for what
 * counts along. */
static bool
flow_set_answer(struct cache *c, uint32_t f, const struct xlate_out *out, uint64_t epoch)
{
	struct cflow_cold *cold = &c->cold[f];
	struct cflow *fl = &c->flows[f];
	uint32_t acts = 0, refs = 0;
	uint16_t out_port = 0;

	if (out->acts.n == 1 && out->acts.a[0].op == ACT_OUTPUT) {
		out_port = out->acts.a[0].port;
	} else if (out->acts.n) {
		acts = act_store_get(c->acts, out->acts.a, out->acts.n);
		if (!acts)
			return false;
	}
	if (out->n_refs) {
		refs = act_store_get(c->refs, (const struct act *)out->refs, out->n_refs);
		if (!refs) {
			act_store_put(c->acts, acts);
			return false;
		}
	}
	/* What was counted so far was counted by the old answer. */
	cache_settle(c, f);
	act_store_put(c->acts, fl->acts);
	act_store_put(c->refs, cold->refs);
	cold->refs = refs;
	cold->n_refs = out->n_refs;
	cold->packets = fl->packets;
	cold->bytes = fl->bytes;
	fl->acts = acts;
	fl->n_acts = out->acts.n;
	fl->out_port = out_port;
	fl->drop = (uint8_t)out->drop;
	fl->epoch = epoch;
	fl->n_tags = (uint8_t)out->n_tags;
	memcpy(fl->tags, out->tags, sizeof fl->tags);
	cold->touch = out->touch;
	return true;
}

uint32_t
cache_insert(struct cache *c, const struct flow_key *key, const struct flow_key *port_mask,
	     const struct xlate_out *out, uint64_t epoch, uint32_t now)
{
	struct cport *p = &c->ports[key->in_port];
	const flow_block *k = (const flow_block *)key;
	flow_block m[2], mk[2];
	struct cflow *fl;
	uint32_t f;
	int mask;

	/* Room first: an eviction may take a mask along. */
	f = flow_alloc(c, now);
	if (!f)
		return CACHE_NONE;
	fl = &c->flows[f];
	memset(fl, 0, sizeof *fl);
	for (unsigned i = 0; !flow_set_answer(c, f, out, epoch); i++) {
		/* The longest unused make room for programs and references, too. */
		if (i == EVICT_TRIES)
			goto no_room;
		evict_one(c, now);
	}

	mask = mask_choose(c, p, port_mask, &out->mask, m);
	if (mask < 0)
		goto no_mask;
	mk[0] = k[0] & m[0];
	mk[1] = k[1] & m[1];
	fl->key = mk[0];
	fl->mask = (uint16_t)mask;
	fl->flags = CFLOW_LIVE;
	if (c->masks[mask].two) {
		fl->flags |= CFLOW_EXT;
		c->ext[f] = mk[1];
	}
	fl->created = fl->used = now;
	c->masks[mask].n_flows++;
	c->cold[f].sig = cache_sig(c, fl->mask, &mk[0], &mk[1]);
	slot_add(c, c->cold[f].sig, f);
	c->n_flows++;
	c->recent[c->inserted++ % CACHE_RECENT] = f;
	return f;

no_mask:
	act_store_put(c->acts, fl->acts);
	act_store_put(c->refs, c->cold[f].refs);
	c->cold[f].refs = 0;
no_room:
	memset(fl, 0, sizeof *fl);
	c->cold[f].next_free = c->free_list;
	c->free_list = f;
	return CACHE_NONE;
}

uint32_t
cache_update(struct cache *c, uint32_t f, const struct flow_key *key, const struct flow_key *port_mask,
	     const struct xlate_out *out, uint64_t epoch, uint32_t now)
{
	if (!out->no_cache && mask_fits(&c->masks[c->flows[f].mask], port_mask, &out->mask) &&
	    flow_set_answer(c, f, out, epoch))
		return f;
	cache_remove(c, f);
	return out->no_cache ? CACHE_NONE : cache_insert(c, key, port_mask, out, epoch, now);
}

void
cache_flush(struct cache *c)
{
	for (uint32_t f = 1; f < c->high; f++)
		if (c->flows[f].flags & CFLOW_LIVE)
			cache_remove(c, f);
}

void
cache_flow_key(const struct cache *c, uint32_t f, struct flow_key *key, struct flow_key *mask)
{
	const struct cflow *fl = &c->flows[f];

	memset(key, 0, sizeof *key);
	((flow_block *)key)[0] = fl->key;
	if (fl->flags & CFLOW_EXT)
		((flow_block *)key)[1] = c->ext[f];
	memcpy(mask, c->masks[fl->mask].m, sizeof *mask);
}

const struct act *
cache_acts(const struct cache *c, const struct cflow *fl)
{
	return fl->acts ? act_store_at(c->acts, fl->acts) : NULL;
}

uint32_t
cache_find_slow(const struct cache *c, const struct flow_key *key)
{
	const flow_block *k = (const flow_block *)key;

	for (uint32_t f = 1; f < c->high; f++)
		if (cache_match(c, f, &k[0], &k[1]))
			return f;
	return CACHE_NONE;
}
