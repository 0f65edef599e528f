/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind table.h share. */
#ifndef OFPROTO_TABLE_PRIV_H
#define OFPROTO_TABLE_PRIV_H

#include "base/clock.h"
#include "base/hash.h"
#include "base/rcu.h"
#include "ofproto/cls.h"
#include "ofproto/rule.h"
#include "ofproto/table.h"

/* --- Programs: action lists, each once (prog.c) ------------------------------------------------- */

enum prog_flags {
	PROG_REFS = 1 << 0,             /* Names groups or meters: 'users' chains its live rules. */
	PROG_CONJ = 1 << 1,
	PROG_PLAIN = 1 << 2,            /* Right in any table, for any match and version. */
};

struct prog {
	struct prog *next;              /* Of its hash chain. */
	uint32_t hash, refs;
	uint32_t users;                 /* First rule. */
	uint32_t len;
	uint32_t flags;
	uint32_t pad;
	struct prog *refs_prev, *refs_next;     /* Of progs.with_refs. */
	struct of_act acts[];
};

struct progs {
	struct prog **bucket;
	uint32_t n_buckets, n;
	uint64_t bytes;
	struct prog *with_refs;
};

/* An existing one, no reference taken. */
struct prog *prog_find(const struct of_pipe *, const struct of_acts *);
/* With a reference. */
struct prog *prog_get(struct of_pipe *, const struct of_acts *);
void prog_put(struct of_pipe *, struct prog *);
void prog_fini(struct of_pipe *);
/* A live rule comes to or leaves the users of its program. */
void prog_link_user(struct of_pipe *, struct of_rule *);
void prog_unlink_user(struct of_pipe *, struct of_rule *);
/* Whether a list has GROUP or METER (or anything else with one number) of 'id', nested lists included. */
bool of_acts_name(struct of_acts, enum of_act_kind, uint32_t id);

static inline struct of_acts
prog_acts(const struct prog *g)
{
	return (struct of_acts){ .a = g->acts, .len = g->len };
}

/* --- What waits for a grace period (limbo.c) ---------------------------------------------------- */

struct gone {
	uint32_t rule;
	bool counts;                    /* Its counters end with it. */
};

struct gone_list {
	struct gone *g;
	uint32_t n, cap;
};

struct ptr_list {
	void **p;
	uint32_t n, cap;
};

enum { OF_MAX_PORT_NO = 0xfeff };

/* 250 bytes for each rule there may be, and as much again for hostile ones. */
#define OF_MAX_BYTES ((uint64_t)OF_MAX_RULES * 500)

/* --- The pipeline ------------------------------------------------------------------------------- */

struct tbl {
	struct cls cls;
	uint64_t matched, missed;       /* Atomic. */
	/* [ctl] */
	uint32_t active;
	uint32_t max_entries;
	uint32_t config, eviction_flags;
	char name[32];
};

struct of_pipe {
	uint64_t version;               /* Atomic: the current one. */
	struct oflow *bits;             /* [rcu] of_pipe_match_bits(). */
	uint64_t normal_from, normal_until;     /* Atomic: versions that are nothing but the default rule. */
	uint16_t bridge;                /* [const] */
	uint64_t seed;                  /* [const] */
	struct slab rules, stats;
	/* [ctl] from here on. */
	uint64_t edit;                  /* The version that changes are made for. */
	bool dirty, bits_stale, staged, dead;
	uint32_t n_rules;
	uint32_t n_subs;
	uint64_t sub_bytes;             /* Subtables with their hash tables. */
	uint64_t max_bytes;
	uint64_t now_ms;                /* The last tick. */
	uint64_t changed[4];            /* Tables, since the last publication. */
	struct progs progs;
	struct gone_list gone;          /* Removed for 'edit'. */
	struct ptr_list garbage;        /* To be freed a grace period after the next publication. */
	unsigned pending;               /* Calls that the sink owes us. */
	struct ofp_sink sink;
	void (*mark)(void *, dp_tag);
	void *mark_arg;
	struct of_pipe_events ev;
	struct tbl tbl[OF_N_TABLES];
};

static inline struct of_rule *
rule_at(const struct of_pipe *p, uint32_t idx)
{
	return slab_at(&p->rules, idx);
}

static inline struct rule_stat *
stat_at(const struct of_pipe *p, uint32_t idx)
{
	return slab_at(&p->stats, idx);
}

static inline uint64_t
pipe_now(const struct of_pipe *p)
{
	return MAX_OF(clock_ms(), p->now_ms);
}

static inline void
pipe_touch_table(struct of_pipe *p, uint8_t table)
{
	p->changed[table >> 6] |= (uint64_t)1 << (table & 63);
	p->dirty = true;
}

static inline void
pipe_duration(uint64_t since_ms, uint64_t now_ms, uint32_t *s, uint32_t *ns)
{
	uint64_t ms = now_ms > since_ms ? now_ms - since_ms : 0;

	*s = (uint32_t)(ms / 1000);
	*ns = (uint32_t)(ms % 1000) * 1000000;
}

/* [lcore] The counters that a rule's reference names; 0: it is of nothing that is there. */
uint32_t pipe_ref_stat(const struct of_pipe *, uint64_t ref);

/* Frees after a grace period. */
void pipe_retire(struct of_pipe *, void *ptr);
/* A rule leaves with the next publication. */
void gone_push(struct of_pipe *, uint32_t rule, bool counts);
/* What was removed and retired goes its way. */
void limbo_start(struct of_pipe *);
void limbo_fini(struct of_pipe *);

/* --- Rules (flow_mod.c) ------------------------------------------------------------------------- */

/* Takes it out of the version under way.  'heir' NULL: its counters end with it. */
void rule_remove(struct of_pipe *, struct of_rule *, uint8_t reason, const struct of_rule *heir);
/* Whether a rule has this cookie and outputs there (OFPP_ANY, OFG_ANY: anywhere). */
bool rule_meets(const struct of_rule *, uint64_t cookie, uint64_t cookie_mask, uint32_t out_port, uint32_t out_group);
void rule_row(const struct of_pipe *, const struct of_rule *, uint64_t now_ms, struct omatch *, struct of_flow_row *);
/* Bytes of everything. */
uint64_t pipe_bytes(const struct of_pipe *);
/* of_acts_check() with what this pipeline has.  'table' 255, 'match' NULL: of a bucket. */
int pipe_check_acts(const struct of_pipe *, uint8_t version, uint8_t table, const struct omatch *, struct of_acts,
		    struct of_error *);
bool of_acts_output_to(struct of_acts, uint32_t port);

/* --- Groups and meters ----------------------------------------------------------------------------------- */

/* Whether it is there after all changes so far. */
bool pipe_has_group(const struct of_pipe *, uint32_t id);
bool pipe_has_meter(const struct of_pipe *, uint32_t id);

#endif
