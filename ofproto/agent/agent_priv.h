/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the agent share.
 *
 * A bridge (struct agent_bridge) has remotes: what is configured, each a dialler or a listener (remote.c).  A remote has
 * connections (struct conn): a dialler at most one, a listener those it accepted.  conn.c moves bytes and decides
 * whose turn it is; dispatch.c decodes messages and calls the handlers (h_*.c); replies leave through conn_send() and
 * streams (stream.c).
 *
 * Nothing is freed under somebody's feet: conn_close() only marks a connection dead, and the next turn frees it. */
#ifndef OFPROTO_AGENT_AGENT_PRIV_H
#define OFPROTO_AGENT_AGENT_PRIV_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "ofproto/agent.h"
#include "ofproto/agent/target.h"
#include "ofproto/punt.h"
#include "ofproto/table.h"

struct bufferevent;
struct evconnlistener;
struct evdns_base;
struct event;

enum {
	IN_HIGH = 128 << 10,            /* Bytes read ahead of one connection: a whole message and more. */
	TURN_US = 5000,                 /* For all connections, before the loop has other things to do. */
	CONN_TURN_BYTES = 64 << 10,     /* Of one connection, before others get theirs. */
	OUT_STREAM = 256 << 10,         /* Long answers pause while more than this waits to be read by the peer... */
	OUT_PACKET_IN = 512 << 10,      /* ...packet-ins are dropped above this... */
	OUT_HIGH = 1 << 20,             /* ...nothing more is done for the peer above this... */
	OUT_MAX = 32 << 20,             /* ...and above this, who reads nothing for a while has to go... */
	OUT_STALL_TICKS = 4,
	OUT_LIMIT = 256 << 20,          /* ...and above this, everybody: what is told at once can be a lot. */
	BAD_IN_ROW = 64,                /* Undecodable messages, after which the peer talks garbage. */
	SERVICE_CONNS = 256,            /* Accepted connections of a bridge. */
	HANDSHAKE_MS = 10000,           /* From dialling or accepting to the peer's HELLO. */
	LINGER_MS = 2000,               /* To let a last error be read. */
	TICK_MS = 500,
	BACKOFF_MS = 1000,
};

/* --- Bridges and remotes ------------------------------------------------------------------------ */

struct conn;
struct remote;
struct tls;
TAILQ_HEAD(conn_list, conn);

struct agent_bridge {
	struct of_agent *agent;
	uint16_t id;
	struct of_agent_conf conf;      /* Its strings are ours. */
	uint32_t versions;
	uint64_t datapath_id;
	TAILQ_HEAD(, remote) remotes;   /* In order of configuration; the local sockets are the first. */
	struct conn_list conns;
	unsigned n_service, n_snoopers;
	struct tls *tls;                /* NULL until somebody needs it. */

	bool generation_defined;
	uint64_t generation_id;
	uint16_t frag;                  /* enum of_frag. */
	uint16_t flags;                 /* As the pipeline knows them... */
	bool miss_punt;                 /* ...and this. */

	struct event *fail_timer;
	bool failed_open;
};

enum remote_state { REMOTE_IDLE, REMOTE_CONNECTING, REMOTE_HANDSHAKE, REMOTE_CONNECTED, REMOTE_BACKOFF, REMOTE_LISTENING };

struct remote {
	TAILQ_ENTRY(remote) link;
	struct agent_bridge *br;
	char *text;
	struct of_target target;
	bool local;                     /* RUNDIR/BRIDGE.mgmt or BRIDGE.snoop. */
	bool snoop;                     /* The latter: who connects is shown what a controller and we say. */
	bool keep;                      /* While settings change: still wanted. */
	uint32_t id;
	enum remote_state state;
	uint64_t since_ms, connected_ms; /* 0: never. */
	uint32_t backoff_ms;
	char last_error[200];
	char logged[200];               /* The failure that was told last: each is told once. */
	struct event *timer;
	struct conn *conn;              /* Of a dialler. */
	struct evconnlistener *listener;
};

/* --- Connections -------------------------------------------------------------------------------- */

enum conn_state {
	CONN_OPENING,                   /* TCP and TLS. */
	CONN_HELLO,                     /* Ours is sent. */
	CONN_UP,
	CONN_CLOSING,                   /* A last error is on its way. */
	CONN_DEAD,                      /* Freed by the next turn. */
};

struct bundle;
struct monitor;
struct pktbufs;
struct stream;
struct wait;
struct parts;

struct conn {
	TAILQ_ENTRY(conn) link;
	TAILQ_ENTRY(conn) ready_link;
	struct agent_bridge *br;
	struct remote *remote;
	struct bufferevent *bev;
	struct event *timer;            /* Handshake, probe, linger. */
	uint32_t id;
	char name[OF_TARGET_MAX + 1];
	uint32_t snooped;               /* Of a snooper: the controller's 'id' that it sees; 0: the first to speak. */
	bool service;                   /* Accepted: gets no asynchronous messages until it asks for some. */
	bool tls;
	enum conn_state state;
	bool ready, busy, eof, reading;
	bool took;                      /* The peer read something since the last tick. */
	uint8_t stalled;                /* Ticks above OUT_MAX without that. */
	uint64_t since_ms, heard_ms, probed_ms; /* probed 0: no probe is under way. */
	char why[160];                  /* What ended it. */

	uint8_t version;                /* Negotiated. */
	uint32_t role;                  /* enum of_role. */
	struct of_async async;          /* All of it, defaults included. */
	bool async_asked;
	bool invalid_ttl;               /* OFPC_INVALID_TTL_TO_CONTROLLER. */
	uint16_t miss_send_len, controller_id;
	uint8_t packet_in_format;
	bool table_ids, nxm;            /* NX: 1.0's command has a table; flow-removed as Nicira's. */

	unsigned bad_in_row;
	const uint8_t *raw;             /* The message that is being handled. */
	uint32_t raw_len;
	struct wait *wait;              /* Messages behind a barrier or a question wait. */
	struct stream *stream;          /* A long answer. */
	struct parts *parts;            /* A question of several parts. */
	struct pktbufs *bufs;
	TAILQ_HEAD(, bundle) bundles;
	unsigned n_bundles;
	TAILQ_HEAD(, monitor) monitors;
	struct of_buf mon_buf;          /* Updates, not sent yet. */
	struct of_mp mon_mp;
	bool mon_open, mon_paused;
	uint32_t mon_abbrev_xid;
	bool mon_abbrev;

	uint64_t rx, tx, packet_ins, packet_ins_dropped, errors;
};

struct of_agent {
	struct event_base *base;
	struct ofp *ofp;
	struct of_agent_ops ops;
	struct agent_bridge *bridge[OFP_MAX_BRIDGES];
	TAILQ_HEAD(, conn) ready;       /* Those with more to do in the next turn. */
	struct conn_list dead;
	struct event *next_turn, *tick;
	bool armed;
	uint64_t turn_end_us;           /* 0: nobody had anything to do since the last one. */
	uint32_t last_id;
	uint32_t backoff_ms;            /* [const] The first pause of a dialler.  Tests have a shorter one. */
	struct evdns_base *dns;
	struct of_arena *arena;         /* Of the message being handled. */
	struct of_arena *tap_arena, *bundle_arena;
	struct of_buf out;              /* Of the message being made. */
	size_t bundle_bytes;            /* Of all connections. */
	LIST_HEAD(, of_tap) taps;
	bool tapping;                   /* They are being shown something. */
	struct log_rate log_rate;
};

/* agent.c */
struct agent_bridge *agent_bridge(const struct of_agent *, uint16_t id);
uint32_t agent_new_id(struct of_agent *);

/* remote.c */
struct remote *remote_create(struct agent_bridge *, const char *text, const struct of_target *, bool local);
void remote_destroy(struct remote *);
void remote_start(struct remote *);
/* Its connection went; 'why' NULL: as was asked. */
void remote_lost(struct remote *, const char *why, bool was_up);
void remote_set_state(struct remote *, enum remote_state);
const char *remote_state_name(enum remote_state);
unsigned bridge_n_primaries(const struct agent_bridge *);

/* conn.c */
struct conn *conn_create(struct remote *, struct bufferevent *, const char *name, bool service);
/* Bytes can flow: says HELLO. */
void conn_opened(struct conn *);
void conn_close(struct conn *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Sends what waits to be sent first. */
void conn_close_soon(struct conn *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void conn_free(struct conn *);
void conn_timer_in(struct conn *, uint64_t ms);
/* Something it waited for is there: goes on in the next turn. */
void conn_kick(struct conn *);
size_t conn_out_len(const struct conn *);
bool conn_is_primary(const struct conn *);
bool conn_deadline(const struct of_agent *);
void agent_next_turn(struct of_agent *);
void agent_on_turn(int fd, short what, void *agent);

/* Bytes of whole messages. */
void conn_write(struct conn *, const void *data, size_t len);
/* A message.  Returns whether the version has it. */
bool conn_send(struct conn *, const struct of_msg *);
/* The answer to 'req', in its form. */
void conn_reply(struct conn *, const struct of_msg *req, enum of_kind, const void *body);
/* A row; one that cannot be said is left out. */
void conn_row(struct conn *, struct of_mp *, const void *row);
/* Each tick: closes it if its peer has stopped reading. */
void conn_check_output(struct conn *);
/* An event.  Closes a connection whose peer has not read far too much. */
void conn_tell(struct conn *, enum of_kind, enum of_msg_form, const void *body);
void conn_error(struct conn *, const struct of_error *, const void *offender, uint32_t len);

/* The body may close the connection it looks at, no other. */
#define BRIDGE_EACH_UP(c_, br_) \
	for (struct conn *c_ = TAILQ_FIRST(&(br_)->conns), *c_##_next = NULL; \
	     c_ && (c_##_next = TAILQ_NEXT(c_, link), true); c_ = c_##_next) \
		if (c_->state == CONN_UP)

/* hello.c */
void hello_send(struct conn *);
void hello_received(struct conn *, const struct of_msg *, const uint8_t *raw, uint32_t len);
uint32_t hello_versions(uint32_t configured);
void conn_timeout(struct conn *);

/* dispatch.c */
/* One whole message. */
void dispatch(struct conn *, const uint8_t *raw, uint32_t len);
/* Carries out a change: FLOW_MOD, GROUP_MOD, METER_MOD, TABLE_MOD, PORT_MOD.  Those of a bundle come here too. */
int change_apply(struct conn *, const struct of_msg *, struct of_error *);

/* wait.c */
/* Handles nothing more of this connection until 'fn' was called: after all is published, or after counts are folded.
 * 'fn' gets version, kind, form and xid of 'req', not its body, and 'data', which it owns; it is freed with free() when
 * the connection goes first. */
void wait_commit(struct conn *, const struct of_msg *req, void (*fn)(struct conn *, const struct of_msg *, void *), void *data);
void wait_fold(struct conn *, const struct of_msg *req, void (*fn)(struct conn *, const struct of_msg *, void *), void *data);
void wait_cancel(struct conn *);

/* stream.c: answers of many rows, made as fast as the peer reads them. */
struct stream {
	struct conn *conn;
	struct of_mp mp;
	struct of_buf buf;
	/* Adds some rows; returns whether there are more. */
	bool (*piece)(struct conn *, struct stream *);
	/* Instead of ending the answer as usual; may be NULL. */
	void (*end)(struct conn *, struct stream *);
	void *data;                     /* free()d. */
	struct of_msg msg;
	bool no_rows;                   /* Nothing is sent but what 'end' sends. */
};
struct stream *stream_create(struct conn *, const struct of_msg *req, enum of_kind,
			     bool (*piece)(struct conn *, struct stream *), void *data);
/* Goes on until the output is full, the turn over, or all is said. */
void stream_run(struct conn *);
void stream_destroy(struct conn *);
void stream_row(struct stream *, const void *row);

/* Handlers: 0, or -1 with the error to answer. */
typedef int handler_fn(struct conn *, const struct of_msg *, struct of_error *);

/* h_base.c */
handler_fn h_echo_request, h_ignore, h_features, h_get_config, h_set_config, h_barrier, h_desc, h_queue_config, h_error;
/* h_flow.c */
handler_fn h_change, h_flow_mod, h_packet_out;
/* 'in_bundle': groups may be there only later. */
int packet_out_check(struct conn *, const struct of_packet_out *, bool in_bundle, struct of_error *);
bool flow_mod_has_buffer(const struct of_flow_mod *);
/* The frame that waits in the switch meets the rule that was made for it. */
int flow_mod_release_buffer(struct conn *, const struct of_flow_mod *, struct of_error *);
int packet_out_run(struct conn *, const struct of_packet_out *, struct of_error *);
/* h_port.c */
handler_fn h_port_desc, h_port_stats, h_queue_stats;
int port_mod_check(struct conn *, const struct of_port_mod *, uint16_t *port, struct of_error *);
int port_mod(struct conn *, const struct of_port_mod *, struct of_error *);
bool port_fill(const struct agent_bridge *, uint16_t port, struct of_port *);
/* An array of all ports of the bridge; the caller frees. */
struct of_port *ports_fill(const struct agent_bridge *, uint32_t *n);
/* h_stats.c */
handler_fn h_flow_stats, h_aggregate, h_table_stats, h_table_desc, h_group_stats, h_group_desc, h_group_features,
	h_meter_stats, h_meter_config, h_meter_features, h_table_features;

/* h_nx.c */
handler_fn h_nx_flow_format, h_nx_table_id, h_nx_packet_in_format, h_nx_controller_id, h_nx_tlv_request,
	h_nx_tlv_mod, h_nx_resume, h_bundle_features, h_controller_status;
/* h_bundle.c */
handler_fn h_bundle_control, h_bundle_add;
void bundles_drop(struct conn *);
/* A message for one of them could not even be read. */
void bundles_fail(struct conn *);
void bundles_expire(struct conn *, uint64_t now_ms);

/* parts.c: questions in several parts. */
/* '*taken': 'm' is a part of something unfinished; otherwise it may be all of it now. */
int parts_add(struct conn *, struct of_msg *, const uint8_t *raw, uint32_t len, struct of_error *, bool *taken);
void parts_drop(struct conn *);
void parts_expire(struct conn *, uint64_t now_ms);

/* role.c */
handler_fn h_role;
void role_status(struct conn *, enum of_role_reason);

/* async.c */
handler_fn h_set_async, h_get_async;
enum async_type { ASYNC_PACKET_IN, ASYNC_PORT_STATUS, ASYNC_FLOW_REMOVED, ASYNC_ROLE_STATUS, ASYNC_TABLE_STATUS,
		  ASYNC_REQUESTFORWARD };
void async_default(struct conn *);
bool async_wants(const struct conn *, enum async_type, unsigned reason);
/* After anything changed that decides who wants what: tells the pipeline about misses and TTLs. */
void async_changed(struct agent_bridge *);
void async_set_events(struct agent_bridge *);

/* monitor.c */
handler_fn h_flow_monitor, h_nx_monitor_cancel;
void monitors_changed(void *agent, uint16_t bridge, enum of_monitor_event, const struct of_flow_row *, uint8_t reason,
		      const void *owner, uint32_t xid);
/* Sends the updates that were gathered. */
void monitors_flush(struct conn *);
/* The peer has read on. */
void monitors_resume(struct conn *);
void monitors_drop(struct conn *);

/* pktbuf.c: frames kept in the switch while a controller thinks. */
enum { PKTBUFS = 256, PKTBUF_KEEP_MS = 5000, PKTBUF_BYTES = 4 << 20 };
uint32_t pktbuf_put(struct conn *, uint32_t in_port, const void *frame, uint32_t len);
/* Takes it out: the caller frees 'frame'.  -1: BUFFER_EMPTY or BUFFER_UNKNOWN. */
int pktbuf_take(struct conn *, uint32_t id, uint32_t *in_port, uint8_t **frame, uint32_t *len, struct of_error *);
unsigned pktbuf_count(const struct conn *);
void pktbuf_drop(struct conn *);

/* fail.c */
/* Settings changed from 'old' (with or without controllers). */
void fail_configured(struct agent_bridge *, bool had_controllers, enum of_fail_mode old_mode);
void fail_connected(struct agent_bridge *);
void fail_lost(struct agent_bridge *);
void fail_fini(struct agent_bridge *);

/* tls.c */
struct bufferevent *tls_bufferevent(struct agent_bridge *, int fd, bool server, struct err *);
void tls_configure(struct agent_bridge *);
void tls_tick(struct agent_bridge *);
/* What went wrong, for people; NULL: nothing of TLS.  Static buffer. */
const char *tls_error(struct bufferevent *);
/* After the handshake: an unknown CA's certificate may have to be learnt; then this connection has served. */
bool tls_accept_peer(struct conn *, struct err *);
void tls_destroy(struct tls *);

/* tap.c */
/* Whether anybody looks at messages of this connection; else tap_show() need not be called. */
static inline bool
tap_wanted(const struct conn *c)
{
	return !LIST_EMPTY(&c->br->agent->taps) || c->br->n_snoopers;
}
/* Closes no connection. */
void tap_show(struct conn *, bool sent, const uint8_t *data, size_t len);
/* A snooper's connection is up: chooses what it will see. */
void snoop_begin(struct conn *);
/* For conn_timeout(). */
void snoop_timeout(struct conn *);

#endif
