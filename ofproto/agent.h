/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow agent: connections to controllers and from clients, and what they ask of a bridge.  On the control
 * thread's libevent loop; nothing here blocks.  All functions are [ctl]. */
#ifndef OFPROTO_AGENT_H
#define OFPROTO_AGENT_H

#include "base/err.h"
#include "ofproto/of.h"
#include "ofproto/ofp.h"

struct event_base;
struct of_agent;

/* What the agent needs of the switch around it. */
struct of_agent_ops {
	/* ofp_commit() and dp_commit(): 'done' runs when no packet follows the old state any more: barriers. */
	void (*commit)(void *arg, void (*done)(void *), void *done_arg);
	/* Cached flows' counts into rules, then 'done': before statistics. */
	void (*fold)(void *arg, void (*done)(void *), void *done_arg);
	/* Fills name, hw_addr, link state, features and speed of a port; false: gone. */
	bool (*port)(void *arg, uint16_t port, struct of_port *);
	void (*port_stats)(void *arg, uint16_t port, struct of_port_row *);
	/* A PORT_MOD with PORT_DOWN was accepted (the agent keeps the flags in ofp): for the log and for links. */
	void (*port_admin)(void *arg, uint16_t port, bool up);
	void *arg;
};

enum of_fail_mode { OF_FAIL_STANDALONE, OF_FAIL_SECURE };
enum { OF_MAX_CONTROLLERS = 16, OF_TARGET_MAX = 255 };

/* A bridge's settings; copied. */
struct of_agent_conf {
	const char *name;               /* Of the bridge. */
	const char *run_dir;            /* RUNDIR/NAME.mgmt is the local socket. */
	unsigned n_controllers;
	const char *controllers[OF_MAX_CONTROLLERS];    /* "tcp:127.0.0.1:6633", "ptcp:6634", ... */
	enum of_fail_mode fail_mode;
	uint32_t versions;              /* Bit v: wire version v is enabled.  0: all, OF10 to OF14 (15 on request). */
	uint32_t probe_ms;              /* Inactivity probe; 0: none.  Default 5000. */
	uint32_t max_backoff_ms;        /* Default 8000. */
	uint64_t datapath_id;           /* 0: made from the bridge's address. */
	const char *mfr_desc, *hw_desc, *sw_desc, *serial_desc, *dp_desc;       /* NULL: our own. */
	const char *private_key, *certificate, *ca_cert, *bootstrap_ca_cert;    /* Files; NULL: none. */
};

struct of_agent *of_agent_create(struct event_base *, struct ofp *, const struct of_agent_ops *);
void of_agent_destroy(struct of_agent *);

/* Whether a target is one: scheme, address, port.  -EINVAL with what to write instead. */
int of_target_check(const char *target, struct err *);

/* Makes the bridge's connections as configured: those that stay the same are left alone.  A listener that cannot be
 * opened is reported in its state and tried again. */
int of_agent_bridge_set(struct of_agent *, uint16_t bridge, const struct of_agent_conf *, struct err *);
void of_agent_bridge_del(struct of_agent *, uint16_t bridge);

/* dp_conf.punt, for the agent. */
void of_agent_punt(struct of_agent *, uint16_t in_port, const void *data, unsigned data_len, const void *frame,
		   uint32_t len, uint32_t orig_len);
/* A port came, went (before it is taken out of ofp), or changed link, name or address. */
void of_agent_port_changed(struct of_agent *, uint16_t port, enum of_port_reason);

/* --- For weftctl -------------------------------------------------------------------------------- */

struct of_conn_info {
	uint16_t bridge;
	uint32_t id;                    /* Unique while weftd runs. */
	const char *target;             /* As configured, or the peer's address of a passive one. */
	const char *state;              /* "connecting", "handshake", "connected", "backoff", "listening", "idle" */
	bool connected, configured;
	const char *last_error;         /* NULL: none. */
	uint64_t since_ms;              /* In this state. */
	int64_t connected_ms_ago;       /* Since the last success; -1: never. */
	uint8_t version;                /* Negotiated; 0. */
	uint32_t role;                  /* enum of_role. */
	uint64_t rx, tx, packet_ins, packet_ins_dropped, errors;        /* Messages. */
	uint64_t tx_queue_bytes;
};
void of_agent_conns(const struct of_agent *, uint16_t bridge, void (*cb)(void *, const struct of_conn_info *), void *arg);

struct of_agent_bridge_info {
	uint64_t datapath_id;
	bool failed_open;               /* Standalone, without a controller for three probe intervals. */
	uint32_t n_buffers_in_use;
};
bool of_agent_bridge_info(const struct of_agent *, uint16_t bridge, struct of_agent_bridge_info *);

/* Live messages of a bridge's connections, decoded, for `ofmsg tail`: 'cb' gets each until the tap is closed.  Never
 * slows a connection down: the reader who cannot keep up loses messages, and is told how many. */
struct of_tap;
struct of_tap *of_tap_open(struct of_agent *, uint16_t bridge, uint32_t conn_id /* 0: all */,
			   void (*cb)(void *, uint32_t conn_id, const char *target, bool sent, uint64_t time_ms,
				      const struct of_msg *), void *arg);
void of_tap_close(struct of_tap *);

#endif
