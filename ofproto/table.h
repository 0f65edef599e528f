/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow state of one bridge: 254 tables of rules, groups, meters.  The control thread changes it; polling
 * threads look things up in it while it changes.
 *
 * Versions.  Every change belongs to a version of the pipeline.  A rule or group is there for a reader of version v
 * when added <= v < removed.  Changes are made for the next version and become visible all at once when
 * of_pipe_publish() makes that the current one: a message's, a bundle's, or those of many messages together.  A reader
 * takes the version once, at the start of a packet.  What was removed is freed a grace period after the publication
 * (ofp_sink.defer, in batches).
 *
 * Memory.  A rule with a few match fields and an output takes at most 250 bytes with its share of everything.  Actions
 * are interned: rules with the same list share it.  Rules live in slabs that never move or go back while the pipeline
 * lives, so that a stale reference is recognised by its generation, not followed.
 *
 * Functions are [ctl] unless they say otherwise. */
#ifndef OFPROTO_TABLE_H
#define OFPROTO_TABLE_H

#include "ofproto/of.h"
#include "ofproto/ofp.h"

enum {
	OF_N_TABLES = 254,              /* 0..253. */
	OF_MAX_RULES = 4 << 20,         /* Of a bridge. */
	OF_MAX_GROUPS = 16384,
	OF_MAX_METERS = 4096,           /* Of all bridges together: DP_MAX_METERS. */
	OF_MAX_BUCKETS = 1024,          /* Of a group. */
};

struct of_pipe;
struct of_rule;
struct of_group;

/* --- For polling threads (and the control thread): look-ups ------------------------------------- */

/* [lcore] The version that is current now.  Take it once for each packet. */
uint64_t of_pipe_version(const struct of_pipe *);

/* Why a rule of higher priority did not match, for traces: called for rules that were looked at, best first. */
struct of_lookup_watch {
	void (*rejected)(void *arg, const struct of_rule *, enum of_field first_difference);
	void *arg;
};

/* [lcore] The rule of highest priority that matches, NULL: none (a miss).  Bits that had to be looked at to know are
 * added to 'wc' (may be NULL): staged look-up, prefix tracking, ports only where they decide.  Conjunctive matches are
 * resolved: the answer is then the rule that matches conj_id=ID, and flow->conj_id is set to it.  'watch' NULL: nobody
 * asks.  Never blocks, allocates. */
const struct of_rule *of_lookup(const struct of_pipe *, uint64_t version, uint8_t table, struct oflow *flow,
				struct oflow *wc, const struct of_lookup_watch *watch);
/* [lcore] The rule with exactly this match and priority. */
const struct of_rule *of_find_exact(const struct of_pipe *, uint64_t version, uint8_t table, const struct omatch *,
				    uint16_t priority);
/* [lcore] Whether the table has any rule; an empty pipeline is cheap. */
bool of_table_empty(const struct of_pipe *, uint8_t table);
/* [lcore] Bits that any rule's match in any table may look at (may be wider than exact). */
void of_pipe_match_bits(const struct of_pipe *, struct oflow *mask);
/* Bit i: tun_metadata<i> is an option of a tunnel.  Rules with others are refused from now on. */
void of_pipe_set_options(struct of_pipe *, uint8_t mapped);
uint8_t of_pipe_options(const struct of_pipe *);
/* [lcore] Whether table 0 holds the one rule "priority=0 actions=NORMAL" and nothing else is there. */
bool of_pipe_is_normal(const struct of_pipe *, uint64_t version);

/* [lcore] Of a rule. */
struct of_acts of_rule_acts(const struct of_rule *);
uint16_t of_rule_priority(const struct of_rule *);
uint8_t of_rule_table(const struct of_rule *);
uint64_t of_rule_cookie(const struct of_rule *);
uint16_t of_rule_flags(const struct of_rule *);         /* enum of_flow_mod_flags. */
void of_rule_timeouts(const struct of_rule *, uint16_t *idle, uint16_t *hard);
void of_rule_match(const struct of_rule *, struct omatch *);    /* Written out. */
bool of_rule_is_table_miss(const struct of_rule *);     /* Priority 0 and matches everything. */

/* [lcore] Groups. */
struct of_group_view {
	uint32_t id;
	uint8_t type;                   /* enum of_group_type. */
	uint32_t n_buckets;
	const struct of_bucket *buckets;
	uint32_t total_weight;
	const struct of_field_set *hash_fields; /* selection_method=hash with fields; NULL: the switch's choice. */
	uint64_t hash_basis;
	const struct of_group *group;
};
bool of_group_find(const struct of_pipe *, uint64_t version, uint32_t id, struct of_group_view *);

/* [lcore] The datapath's number of a meter; false: there is none. */
bool of_meter_find(const struct of_pipe *, uint32_t id, uint32_t *dp_meter);
/* Likewise, of a published version: not what a bundle under way has added, nor what was deleted by then. */
bool of_meter_at(const struct of_pipe *, uint64_t version, uint32_t id, uint32_t *dp_meter);

/* [lcore] How many rules a table has with that cookie, after all changes so far; 0 where no rule's "learn" asks for it by a
 * limit or delete_learned. */
uint32_t of_learned_count(const struct of_pipe *, uint8_t table, uint64_t cookie);

/* References for xlate_out.refs, and what credit() does with them.  They carry a generation: one of something that is
 * gone is ignored. */
uint64_t of_ref_rule(const struct of_pipe *, const struct of_rule *);
uint64_t of_ref_miss(const struct of_pipe *, uint8_t table);
uint64_t of_ref_group(const struct of_pipe *, const struct of_group *);
uint64_t of_ref_bucket(const struct of_pipe *, const struct of_group *, uint32_t bucket);
uint64_t of_ref_refresh(const struct of_pipe *, const struct of_rule *);       /* Use renews its hard timeout: learn. */
uint16_t of_ref_bridge(uint64_t ref);
/* [lcore] Atomic adds; a rule's "last used" moves forward. */
void of_pipe_credit(struct of_pipe *, uint64_t ref, uint64_t packets, uint64_t bytes, uint64_t used_ms);

/* [lcore] Tags: of a table's rules, and of a group.  A translation that went through more than XLATE_MAX_TAGS allows
 * uses of_tag_tables() instead: any table of the bridge.  Changes mark both. */
dp_tag of_tag_table(uint16_t bridge, uint8_t table);
dp_tag of_tag_tables(uint16_t bridge);
dp_tag of_tag_group(uint16_t bridge, uint32_t group);
dp_tag of_tag_meter(uint16_t bridge, uint32_t meter);

/* --- Life --------------------------------------------------------------------------------------- */

/* What a pipeline tells: to the agent.  Called from the functions below, never from lcores. */
struct of_pipe_events {
	/* After the rule's last packets were counted (see ofp_sink.fold); only with OFFF_SEND_FLOW_REM. */
	void (*flow_removed)(void *arg, uint16_t bridge, const struct of_flow_removed *);
	/* For flow monitors: at once, in order.  'owner' made the change (NULL: none), 'xid' its message's. */
	void (*flow_changed)(void *arg, uint16_t bridge, enum of_monitor_event, const struct of_flow_row *, uint8_t reason,
			     const void *owner, uint32_t xid);
	void (*table_status)(void *arg, uint16_t bridge, const struct of_table_desc *);
	/* A group or meter changed: REQUESTFORWARD. */
	void (*forwarded)(void *arg, uint16_t bridge, const struct of_msg *, const void *owner);
	void *arg;
};

struct of_pipe *of_pipe_create(uint16_t bridge, const struct ofp_sink *, void (*mark)(void *, dp_tag), void *mark_arg);
void of_pipe_destroy(struct of_pipe *);                 /* No lcore sees it any more. */
/* The rule that makes a learning switch: "priority=0 actions=NORMAL" in table 0. */
void of_pipe_add_default(struct of_pipe *);
void of_pipe_set_events(struct of_pipe *, const struct of_pipe_events *);

/* Makes the changes so far visible: raises the version and marks tags.  Returns whether there were any.  Also tells
 * (by '*bits_changed') when of_pipe_match_bits() has grown or shrunk, so that port masks must be made anew. */
bool of_pipe_publish(struct of_pipe *, bool *bits_changed);
bool of_pipe_dirty(const struct of_pipe *);

/* Timeouts, vacancy, flow-removed messages that wait for counts; several times a second. */
void of_pipe_tick(struct of_pipe *, uint64_t now_ms);
/* Drops every rule, group and meter (reason DELETE, no events to 'flow_removed' when 'silent'). */
void of_pipe_flush(struct of_pipe *, bool silent);

/* --- Changes: for the next version -------------------------------------------------------------- */

/* Who asks: decides on errors and events. */
struct of_who {
	uint8_t version;                /* Wire version. */
	const void *owner;              /* The connection; NULL: local. */
	uint32_t xid;
};

/* Each does all of it or, with -1 and the exact OpenFlow error, nothing. */
int of_flow_mod(struct of_pipe *, const struct of_who *, const struct of_flow_mod *, struct of_error *);
int of_group_mod(struct of_pipe *, const struct of_who *, const struct of_group_mod *, struct of_error *);
int of_meter_mod(struct of_pipe *, const struct of_who *, const struct of_meter_mod *, struct of_error *);
int of_table_mod(struct of_pipe *, const struct of_who *, const struct of_table_mod *, struct of_error *);

/* A controller's TABLE_FEATURES: names and limits are kept, the rest must be what the switch can do. */
int of_table_set_features(struct of_pipe *, const struct of_who *, const struct of_table_features_request *,
			  struct of_error *);

/* Bundles: after begin, changes are staged; later ones see earlier ones; readers see nothing until commit and then, at
 * the next publication, all of it; abort leaves no trace (events included).  Not nested; between begin and commit or
 * abort nothing but changes is called (publish does nothing). */
void of_pipe_begin(struct of_pipe *);
void of_pipe_commit(struct of_pipe *);
void of_pipe_abort(struct of_pipe *);

/* NX fin_timeout: from ofp_note(). */
void of_rule_shorten(struct of_pipe *, uint64_t rule_ref, uint16_t idle, uint16_t hard);

/* --- Questions: the current state, staged changes left out -------------------------------------- */

/* Walks rules that meet the request, in pieces: returns the cursor to go on from, 0 when that was all.  'cb' returns
 * false to stop after this row.  Rules may come and go between pieces: each that is there throughout is shown once. */
uint64_t of_flows_each(const struct of_pipe *, const struct of_flow_request *, uint64_t cursor, unsigned max,
		       bool (*cb)(void *, const struct of_flow_row *), void *arg);
void of_flows_sum(const struct of_pipe *, const struct of_flow_request *, struct of_aggregate *);
void of_table_row(const struct of_pipe *, uint8_t table, struct of_table_row *);
void of_table_desc(const struct of_pipe *, uint8_t table, struct of_table_desc *);
/* [lcore] enum of_table_config: what OpenFlow 1.1 and 1.2 said of misses in the low bits. */
uint32_t of_table_config(const struct of_pipe *, uint8_t table);
/* Rules a table may have; 0: as many as the bridge. */
void of_table_set_limit(struct of_pipe *, uint8_t table, uint32_t max_entries);
/* Name and limits (set by TABLE_FEATURES or weftctl): "" : none given. */
void of_table_features(const struct of_pipe *, uint8_t table, struct of_table_features *);
/* id OFG_ALL: all of them, in order of id. */
bool of_groups_each(const struct of_pipe *, uint32_t id, bool (*cb)(void *, const struct of_group_row *,
								    const struct of_group_desc *), void *arg);
bool of_meters_each(const struct of_pipe *, uint32_t id, bool (*cb)(void *, const struct of_meter_row *,
								    const struct of_meter_config *), void *arg);
void of_group_features(const struct of_pipe *, struct of_group_features *);
void of_meter_features(const struct of_pipe *, struct of_meter_features *);

struct of_pipe_stats {
	uint64_t n_rules, n_groups, n_meters, n_progs;
	uint64_t rule_bytes;            /* All memory of rules, tables, actions. */
	uint64_t n_subtables;
};
void of_pipe_stats(const struct of_pipe *, struct of_pipe_stats *);

#endif
