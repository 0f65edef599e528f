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
	PROG_LEARN = 1 << 3,            /* Has a "learn" that counts; see learned.c. */
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

/* --- Transactions (txn.c) ------------------------------------------------------------------------ */

enum txn_kind {
	TXN_RULE_ADD, TXN_RULE_DEL, TXN_TIMES, TXN_GROUP_ADD, TXN_GROUP_DEL, TXN_METER_ADD, TXN_METER_DEL, TXN_METER_MODIFY,
	TXN_TABLE, TXN_TELL, TXN_FORWARD_GROUP, TXN_FORWARD_METER,
};

struct txn_op;
struct txn {
	struct txn_op *op;
	uint32_t n, cap;
	uint32_t n_gone, n_gone_groups, n_gone_meters;  /* When it began. */
};

/* --- Groups, meters, timers ---------------------------------------------------------------------- */

struct of_group;
struct of_meter;
struct learned;
struct batch;

struct group_slot {
	uint32_t gen;                   /* Atomic; in references. */
	uint32_t n_buckets;
	uint32_t next;                  /* [ctl] Of the free ones. */
	struct of_counts *counts;       /* Atomic. */
};

struct groups {
	struct of_group **by_id;        /* [rcu] NULL: there was never one. */
	struct group_slot *slot;
	uint32_t n, n_slots, free_slot, mark;
	uint64_t bytes;
};

struct meters {
	struct of_meter **by_id;        /* [rcu] */
	uint32_t n;
};

/* Nodes of cls_trie.c: memory that is there as far as it is used, in units of 16 bytes. */
enum { TRIE_KINDS = 6 };
struct trie_nodes {
	void *mem;                      /* [const] once there is one.  NULL: there was never one. */
	uint32_t n_used;                /* Units. */
	uint32_t free[TRIE_KINDS];
};

/* Counters whose rules have a timeout, by when to look at them. */
struct wheel {
	uint32_t *slot;                 /* NULL: there was never one. */
	uint64_t at;                    /* Slots gone by. */
	uint32_t suspects;              /* Idle for all we know: the caches are to be asked. */
	uint32_t checking;              /* They are being asked. */
	bool asking;
	uint64_t asked_ms;
};

/* Whom to evict next, best first: the first of a table in that order, or all of it. */
struct victims;

/* What TABLE_MOD and TABLE_FEATURES set. */
struct tbl_conf {
	uint32_t config;                /* Atomic: enum of_table_config. */
	uint32_t max_entries, eviction_flags;
	uint8_t vacancy_down, vacancy_up;
	uint8_t vacancy_next;           /* enum of_table_reason that is due; 0: none. */
	char name[32];
};

/* --- Limits --------------------------------------------------------------------------------------- */

enum { OF_MAX_PORT_NO = 0xfeff };

/* Actions of OpenFlow 1.3 that any rule or bucket may have, as bits: OUTPUT; COPY_TTL, MPLS TTL, push and pop of VLAN and
 * MPLS; SET_QUEUE, GROUP, NW_TTL, SET_FIELD, PBB. */
enum { OF_STD_ACTIONS = 1u << 0 | 0x3u << 11 | 0x3fu << 15 | 0xfu << 21 | 0x7u << 25 };

/* 250 bytes for each rule there may be, and as much again for hostile ones. */
#define OF_MAX_BYTES ((uint64_t)OF_MAX_RULES * 500)
#define OF_MAX_GROUP_BYTES ((uint64_t)256 << 20)

/* --- The pipeline ------------------------------------------------------------------------------- */

struct tbl {
	struct cls cls;
	uint64_t matched, missed;       /* Atomic. */
	/* [ctl], but where it says otherwise. */
	uint32_t active;
	struct tbl_conf conf;
	struct victims *victims;
};

struct of_pipe {
	uint64_t version;               /* Atomic: the current one. */
	struct oflow *bits;             /* [rcu] of_pipe_match_bits(). */
	uint8_t options;                /* [ctl] of_pipe_set_options(). */
	uint64_t normal_from, normal_until;     /* Atomic: versions that are nothing but the default rule. */
	uint16_t bridge;                /* [const] */
	uint64_t seed;                  /* [const] */
	struct slab rules, stats;
	struct trie_nodes nodes;
	struct groups groups;
	struct meters meters;
	struct learned **learned;       /* [rcu] See learned.c; NULL: there was never one. */
	/* [ctl] from here on. */
	uint64_t edit;                  /* The version that changes are made for. */
	bool dirty, bits_stale, staged, dead, groups_changed, learned_stale;
	uint32_t n_rules;
	uint32_t n_subs;
	uint64_t sub_bytes;             /* Subtables with their hash tables. */
	uint64_t max_bytes;
	uint64_t now_ms;                /* The last tick. */
	uint64_t changed[4];            /* Tables, since the last publication. */
	uint64_t changed_groups[64];    /* Their tags, likewise. */
	struct progs progs;
	struct wheel wheel;
	struct txn txn;
	struct gone_list gone;          /* Removed for 'edit'. */
	struct ptr_list gone_groups, gone_meters;
	struct ptr_list garbage;        /* To be freed a grace period after the next publication. */
	struct batch *batches;
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
void pipe_retire_node(struct of_pipe *, uint32_t node);
/* They leave with the next publication. */
void gone_push(struct of_pipe *, uint32_t rule, bool counts);
void gone_group(struct of_pipe *, struct of_group *);
void gone_meter(struct of_pipe *, struct of_meter *);
void ptr_push(struct ptr_list *, void *);
/* What was removed and retired goes its way. */
void limbo_start(struct of_pipe *);
void limbo_fini(struct of_pipe *);
/* Something is to be published soon, though nobody asked for it. */
void pipe_wake(struct of_pipe *);

/* Bytes of everything. */
uint64_t pipe_bytes(const struct of_pipe *);

/* --- Rules (rule.c, flow_mod.c) ----------------------------------------------------------------------- */

/* What a rule is made of. */
struct rule_recipe {
	uint8_t table, flags;
	uint16_t priority, importance, idle, hard;
	uint64_t cookie;
	uint32_t stat;                  /* To share; 0: its own. */
	uint64_t created_ms;            /* Of its own. */
};

/* Links a rule for the next version.  NULL: no room. */
struct of_rule *rule_add(struct of_pipe *, const struct cls_key *, const struct rule_recipe *, const struct of_acts *,
			 uint64_t now);
/* Takes it out of the version under way.  'heir' NULL: its counters end with it. */
void rule_remove(struct of_pipe *, struct of_rule *, uint8_t reason, const struct of_rule *heir);
void rule_undo_add(struct of_pipe *, struct of_rule *);
void rule_undo_remove(struct of_pipe *, struct of_rule *);
/* After the last grace period. */
void rule_free(struct of_pipe *, uint32_t idx);
uint32_t rule_len(const struct cls_key *);
/* Whether a rule has this cookie and outputs there (OFPP_ANY, OFG_ANY: anywhere). */
bool rule_meets(const struct of_rule *, uint64_t cookie, uint64_t cookie_mask, uint32_t out_port, uint32_t out_group);
void rule_row(const struct of_pipe *, const struct of_rule *, uint64_t now_ms, struct omatch *, struct of_flow_row *);
/* Rules whose actions name that group or meter go, with events. */
void rules_of_ref_remove(struct of_pipe *, const struct of_who *, enum of_act_kind, uint32_t id, uint8_t reason);
/* of_acts_check() with what this pipeline has.  'table' 255, 'match' NULL: of a bucket. */
int pipe_check_acts(const struct of_pipe *, uint8_t version, uint8_t table, const struct omatch *, struct of_acts,
		    struct of_error *);

/* --- What rules have learned (learned.c) ----------------------------------------------------------------- */

/* A live rule comes (1) or goes (-1). */
void learned_link(struct of_pipe *, const struct of_rule *, int by);
/* Before a version is made current: rules go whose teachers have gone. */
void learned_publish(struct of_pipe *);
void learned_fini(struct of_pipe *);

/* --- Timeouts (expire.c), room (evict.c) ----------------------------------------------------------------- */

/* Looks at the rule when it may be due; again after its timeouts changed. */
void timer_arm(struct of_pipe *, const struct of_rule *);
void timer_cancel(struct of_pipe *, uint32_t stat);
/* When a rule ends if nothing happens; OF_NEVER. */
uint64_t rule_deadline(const struct of_pipe *, const struct of_rule *);

/* Whether a new rule of this importance may come: 0, then evict_for() after it has; or -1. */
int evict_check(struct of_pipe *, uint8_t table, uint16_t importance, uint64_t bytes, struct of_error *);
void evict_for(struct of_pipe *, const struct of_who *, const struct of_rule *newcomer);
void evict_fini(struct tbl *);
/* A table's number of rules changed. */
void vacancy_check(struct of_pipe *, uint8_t table);

/* --- Groups and meters (group.c, meter.c) ----------------------------------------------------------------- */

/* Whether it is there after all changes so far. */
bool pipe_has_group(const struct of_pipe *, uint32_t id);
bool pipe_has_meter(const struct of_pipe *, uint32_t id);
/* A list that names groups and meters comes (1) or goes (-1). */
void pipe_count_refs(struct of_pipe *, struct of_acts, int by);

uint64_t group_ref(const struct of_pipe *, const struct of_group *, uint32_t bucket);
void group_credit(const struct of_pipe *, uint64_t rest, bool bucket, uint64_t packets, uint64_t bytes);
void group_undo(struct of_pipe *, struct of_group *, bool added);
void group_unlink(struct of_pipe *, struct of_group *);
void group_free(struct of_pipe *, struct of_group *);
void groups_fini(struct of_pipe *);

void meter_count_ref(struct of_pipe *, uint32_t id, int by);
void meter_program(struct of_pipe *, const struct of_meter *);
void meter_undo(struct of_pipe *, enum txn_kind, struct of_meter *, void *old);
void meter_unlink(struct of_pipe *, struct of_meter *);
void meter_free(struct of_pipe *, struct of_meter *);
void meters_fini(struct of_pipe *);

/* --- Notes for an abort; nothing happens outside of a transaction (txn.c) ----------------------------------- */

void txn_rule(struct of_pipe *, const struct of_rule *, bool added);
void txn_times(struct of_pipe *, uint32_t stat);        /* Before they change. */
void txn_group(struct of_pipe *, struct of_group *, bool added);
/* True: the datapath is told by the commit; that frees 'old' as well. */
bool txn_meter(struct of_pipe *, enum txn_kind, struct of_meter *, void *old);
void txn_table(struct of_pipe *, uint8_t table);        /* Before it changes. */
void txn_fini(struct of_pipe *);

/* Events: at once, or with the commit. */
void txn_tell(struct of_pipe *, const struct of_who *, enum of_monitor_event, const struct of_rule *, uint8_t reason);
void txn_forward_group(struct of_pipe *, const struct of_who *, const struct of_group_mod *);
void txn_forward_meter(struct of_pipe *, const struct of_who *, const struct of_meter_mod *);

#endif
