/* SPDX-License-Identifier: Apache-2.0 */
/* The flow cache of one polling thread: megaflows, and the hint index in front of them.  Everything
 * is owned by that thread: no lock, no atomic.  Records are reached by index into flat arrays whose
 * memory is touched only as it is used; the arrays never move.
 *
 *   hint index   masked packet key -> flow number: see hint.h
 *   masks        distinct masks in use; each port has an ordered list of at most CACHE_PORT_MASKS
 *   slots        one open-addressing table over all masks: 32 bits of hash, flow number
 *   tags         a byte of each slot's hash, 0 where it is empty: a probe that finds nothing reads no slot
 *   flows        128 bytes each: block 0 of the masked key, and a line of everything a hit needs
 *   ext, cold    block 1 of the key (flows that use it), and what only the sweep needs
 *   acts         action programs, shared by the flows that have the same one
 *   refs         likewise, lists of what counts along with a flow
 */
#ifndef DATAPATH_CACHE_H
#define DATAPATH_CACHE_H

#include "datapath/fvec.h"
#include "datapath/hint.h"
#include "datapath/xlate.h"

enum {
	CACHE_MASKS = 1024,             /* Distinct masks per thread. */
	CACHE_PORT_MASKS = 32,          /* Masks per input port; past it flows are exact. */
	CACHE_HINTS_PER_FLOW = 4,       /* Slots of the hint index, at most: a flow has many packets' keys. */
	CACHE_MAX_PORTS = 16384,
	CACHE_MAX_FLOWS = 4 << 20,
	CACHE_BYTES_MIN = 16 << 20,
	CACHE_NONE = 0,                 /* Flow 0 is never used. */
	CACHE_TAGS = 16,                /* Tags that are compared at once; so many are there twice, behind the last one. */
	CACHE_PROBES = 8,               /* Masks that are hashed before the first of them is probed. */
	CACHE_RECENT = 16,              /* Flows installed last that are remembered. */
};

enum cache_flow_flags {
	CFLOW_EXT = 1 << 0,             /* Its mask has bits in block 1. */
	CFLOW_LIVE = 1 << 1,
	CFLOW_TOUCHED = 1 << 2,         /* Hit since the sweep last came by. */
};

struct cflow {
	flow_block key;                 /* Block 0, masked. */
	uint64_t epoch;                 /* Of the translation. */
	uint64_t packets, bytes;
	uint32_t used;                  /* Coarse time of the last hit. */
	uint32_t acts;                  /* First instruction in the action store; 0: none. */
	uint16_t n_acts;
	uint16_t out_port;              /* The program is one ACT_OUTPUT to it; 0: run 'acts'. */
	uint16_t mask;
	uint8_t drop;                   /* enum dp_drop, when there are no instructions. */
	uint8_t flags;                  /* CFLOW_*. */
	uint8_t n_tags;
	uint8_t pad[3];
	dp_tag tags[XLATE_MAX_TAGS];
	uint32_t created;               /* Coarse time. */
} CACHE_ALIGNED;

_Static_assert(sizeof(struct cflow) == 2 * CACHE_LINE, "two lines");

struct cflow_cold {
	uint64_t touch;
	uint64_t packets, bytes;        /* What credit() has heard of already. */
	uint32_t sig;                   /* Its hash in 'slots'. */
	uint32_t next_free;
	uint32_t refs;                  /* First one in the store; 0: none. */
	uint16_t n_refs;
};

/* What a flow costs: the goals of the design. */
_Static_assert(sizeof(struct cflow) + sizeof(struct cflow_cold) <= 192, "IPv4");
_Static_assert(sizeof(struct cflow) + sizeof(struct cflow_cold) + sizeof(flow_block) <= 256, "IPv6, tunnels");

struct cmask {
	flow_block m[2];
	uint32_t n_flows;
	bool two;                       /* Block 1 takes part. */
};

/* The masks that flows of one port use, most recently useful first. */
struct cport {
	uint16_t n;
	uint16_t mask[CACHE_PORT_MASKS];
	uint32_t refs[CACHE_PORT_MASKS];        /* Flows of this port with that mask. */
};

struct cslot {
	uint32_t sig, flow;             /* flow 0: empty. */
};

struct act_store;

struct cache {
	struct cflow *flows;
	flow_block *ext;
	struct cflow_cold *cold;
	struct cslot *slots;
	uint8_t *tags;
	struct hints hints;
	struct cmask *masks;
	struct cport *ports;
	struct act_store *acts, *refs;
	/* Told what a flow has counted since the last time; 'used' is coarse.  May be NULL. */
	void (*credit)(void *arg, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint32_t used);
	void *credit_arg;
	uint32_t slot_mask;
	uint32_t max_flows, n_flows, high;      /* 'high': flow numbers ever used are below it. */
	uint32_t free_list;
	uint32_t n_masks;
	uint32_t clock_hand;
	uint64_t inserted;              /* Flows, ever. */
	uint32_t recent[CACHE_RECENT];  /* The last of them: number i is at i % CACHE_RECENT. */
	uint64_t evicted;
	flow_block seed[2];
};

/* Room for 'max_flows' flows (at least 16; 0: as many as there is room for) in 'bytes' of memory, at least CACHE_BYTES_MIN:
 * all of it counts, and each part has its share, so that none can take the others'.  0 bytes: as much as 'max_flows' flows
 * may take.  0 or -ENOMEM. */
int cache_init(struct cache *, uint32_t max_flows, uint64_t bytes);
void cache_fini(struct cache *);

/* Installs the translation of 'key'.  'port_mask' bounds the mask: what it leaves out is left out of the
 * flow.  The flow's mask may have more bits than the answer's: the more masks a port has, the coarser the steps that
 * prefixes are rounded up to.  'now' is coarse time.  Returns the flow number, CACHE_NONE when there is no room even after
 * evicting (the answer then holds for this packet only). */
uint32_t cache_insert(struct cache *, const struct flow_key *key, const struct flow_key *port_mask,
		      const struct xlate_out *out, uint64_t epoch, uint32_t now);

/* Gives flow 'f' a new answer in place, when its mask is one that this answer may get; else removes it and inserts anew.
 * Returns the flow number that holds it, or CACHE_NONE. */
uint32_t cache_update(struct cache *, uint32_t f, const struct flow_key *key, const struct flow_key *port_mask,
		      const struct xlate_out *out, uint64_t epoch, uint32_t now);

void cache_remove(struct cache *, uint32_t f);
void cache_flush(struct cache *);

/* Credits what flow 'f' has counted since the last time, if it lives and anyone counts along; false: there was
 * nothing.  Removal and a new answer do it by themselves. */
bool cache_settle(struct cache *, uint32_t f);

/* Key and mask of a live flow, both blocks. */
void cache_flow_key(const struct cache *, uint32_t f, struct flow_key *key, struct flow_key *mask);

const struct act *cache_acts(const struct cache *, const struct cflow *);

/* Bytes of memory set aside, the hint index as far as it has grown (most of the others is untouched in a small
 * installation).  Any thread. */
uint64_t cache_bytes(const struct cache *);

/* The naive truth, for tests: walks all flows. */
uint32_t cache_find_slow(const struct cache *, const struct flow_key *key);

/* --- Inline: the lookups ------------------------------------------------------------------- */

/* Hash of the bits of a key that masks m0 (and, where block 1 takes part, m1) keep; NULL keeps all. */
static inline uint64_t
cache_hash(const struct cache *c, const flow_block *k0, const flow_block *m0, const flow_block *k1, const flow_block *m1)
{
	uint64_t h = block_hash(k0, m0, &c->seed[0]);

	if (k1)
		h += block_hash(k1, m1, &c->seed[1]);
	return h ^ h >> 32;
}

static inline uint64_t
cache_mix(uint64_t h, uint32_t mask_id)
{
	h = (h ^ mask_id * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 29;
}

/* Whether flow 'f' is the one for this key: the masked compare that makes every hint harmless. */
static inline bool
cache_match(const struct cache *c, uint32_t f, const flow_block *k0, const flow_block *k1)
{
	const struct cflow *fl = &c->flows[f];
	const struct cmask *m = &c->masks[fl->mask];

	if (!block_match(k0, &fl->key, &m->m[0]))
		return false;
	if (UNLIKELY(fl->flags & CFLOW_EXT) && !block_match(k1, &c->ext[f], &m->m[1]))
		return false;
	return fl->flags & CFLOW_LIVE;
}

/* What is in 'slots' of a key, masked by a mask: 32 bits, of which the upper ones are its tag. */
static inline uint32_t
cache_sig(const struct cache *c, uint32_t mask_id, const flow_block *k0, const flow_block *k1)
{
	const struct cmask *m = &c->masks[mask_id];

	return (uint32_t)cache_mix(cache_hash(c, k0, &m->m[0], m->two ? k1 : NULL, &m->m[1]), mask_id);
}

static inline uint8_t
cache_tag(uint32_t sig)
{
	return (uint8_t)MAX_OF(sig >> 24, 1u);
}

/* Which of CACHE_TAGS tags are 'x': bit i. */
static inline unsigned
cache_tags_plain(const uint8_t *t, uint8_t x)
{
	unsigned set = 0;

	for (unsigned i = 0; i < CACHE_TAGS; i++)
		set |= (unsigned)(t[i] == x) << i;
	return set;
}

#ifdef __SSE2__
static inline unsigned
cache_tags(const uint8_t *t, uint8_t x)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)t);

	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)x)));
}
#else
#define cache_tags cache_tags_plain
#endif

/* One probe of the megaflow table under one mask, for which the key has 'sig'. */
static inline uint32_t
cache_probe(const struct cache *c, uint32_t mask_id, uint32_t sig, const flow_block *k0, const flow_block *k1)
{
	for (uint32_t i = sig & c->slot_mask;; i = (i + CACHE_TAGS) & c->slot_mask) {
		unsigned same = cache_tags(&c->tags[i], cache_tag(sig)), end = cache_tags(&c->tags[i], 0);

		/* Those before the first empty slot. */
		for (same &= (end & -end) - 1; same; same &= same - 1) {
			const struct cslot *s = &c->slots[(i + (unsigned)__builtin_ctz(same)) & c->slot_mask];

			if (s->sig == sig && c->flows[s->flow].mask == mask_id && cache_match(c, s->flow, k0, k1))
				return s->flow;
		}
		if (LIKELY(end))
			return CACHE_NONE;
	}
}

/* The megaflow for a key, or CACHE_NONE.  Moves the mask that hit one place towards the front. */
static inline uint32_t
cache_lookup(struct cache *c, uint16_t in_port, const flow_block *k0, const flow_block *k1)
{
	struct cport *p = &c->ports[in_port];
	uint32_t sig[CACHE_PROBES];

	for (unsigned i = 0; i < p->n; i++) {
		uint32_t f;

		for (unsigned j = i; !(i % CACHE_PROBES) && j < MIN_OF(i + CACHE_PROBES, (unsigned)p->n); j++) {
			sig[j % CACHE_PROBES] = cache_sig(c, p->mask[j], k0, k1);
			__builtin_prefetch(&c->tags[sig[j % CACHE_PROBES] & c->slot_mask]);
		}
		f = cache_probe(c, p->mask[i], sig[i % CACHE_PROBES], k0, k1);
		if (f != CACHE_NONE) {
			if (i > 0) {
				uint16_t mask = p->mask[i];
				uint32_t refs = p->refs[i];

				p->mask[i] = p->mask[i - 1];
				p->refs[i] = p->refs[i - 1];
				p->mask[i - 1] = mask;
				p->refs[i - 1] = refs;
			}
			return f;
		}
	}
	return CACHE_NONE;
}

/* As cache_lookup() for a key that had no flow when 'since' flows had been installed: only what came since is looked
 * at.  A later number than that of now: nobody looked. */
static inline uint32_t
cache_lookup_since(struct cache *c, uint64_t since, uint16_t in_port, const flow_block *k0, const flow_block *k1)
{
	if (since > c->inserted || c->inserted - since > CACHE_RECENT)
		return cache_lookup(c, in_port, k0, k1);
	for (; since < c->inserted; since++) {
		uint32_t f = c->recent[since % CACHE_RECENT];

		if (cache_match(c, f, k0, k1))
			return f;
	}
	return CACHE_NONE;
}

#endif
