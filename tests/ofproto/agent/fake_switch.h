/* SPDX-License-Identifier: Apache-2.0 */
/* A switch for tests of the agent: it remembers what it was asked to do, and answers when it is told to.  It stands in
 * for ofproto/table.h, ofproto/ofp.h and the datapath; the codec is the real one. */
#ifndef TESTS_OFPROTO_AGENT_FAKE_SWITCH_H
#define TESTS_OFPROTO_AGENT_FAKE_SWITCH_H

#include "ofproto/agent.h"
#include "ofproto/table.h"

enum { FAKE_BRIDGE = 1, FAKE_PORTS = 3, FAKE_EVENTS = 64 };

struct fake_rule {
	bool used;
	uint8_t table;
	uint16_t priority;
	uint64_t cookie;
};

struct fake_switch {
	/* What it does. */
	bool hold_commits, hold_folds;          /* Their 'done' waits for fake_release(). */
	enum of_error_id fail_flow_mod;         /* Flow mods with priority 666 get this. */
	uint32_t many_rules;                    /* Rules that only exist in answers. */
	uint32_t n_groups, n_meters;
	void (*on_bundle_commit)(void);         /* Called in the midst of it. */

	/* What it was asked. */
	unsigned n_flow_mods, n_group_mods, n_meter_mods, n_table_mods, n_features_set;
	unsigned n_commits, n_folds, n_resets, n_begins, n_bundle_commits, n_aborts;
	bool reset_empty;                       /* The last reset's. */
	bool dirty, miss_punt;
	uint16_t of_flags;
	uint32_t port_config[FAKE_PORTS + 1];
	unsigned n_port_admin;
	unsigned n_packet_outs;
	struct {
		uint32_t in_port, len;
		uint8_t first_act;
		uint32_t first_port;
		unsigned flow_mods_before;      /* Committed ones. */
	} packet_out;
	struct fake_rule rule[256];
	struct of_pipe_events ev;

	struct {
		void (*fn)(void *);
		void *arg;
	} held[FAKE_EVENTS];
	unsigned n_held;
};

extern struct fake_switch fake;
extern const struct of_agent_ops fake_ops;

void fake_reset(void);
/* Runs what waits. */
void fake_release(void);
/* The switch's own handles. */
struct ofp *fake_ofp(void);

#endif
