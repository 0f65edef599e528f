/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges and what they decide.  Today: the learning switch (VLANs, MAC table, flooding, isolation) and
 * tunnel outputs; the OpenFlow pipeline joins it here.  The control thread edits bridges and ports, then
 * ofp_commit() builds an immutable view, hands it to the datapath and marks the tags of what changed.
 * translate() (ofp_xlate) reads that view on the polling threads.
 *
 * No DPDK in this folder: it is tested without EAL.  All functions are [ctl] unless they say otherwise. */
#ifndef OFPROTO_OFP_H
#define OFPROTO_OFP_H

#include "base/err.h"
#include "base/opt.h"
#include "datapath/xlate.h"

struct dp_meter_conf;
struct dp_meter_stats;
struct ofp;

/* Where the view and the tags go: the datapath, or a test.  Only the first two must be there: without 'defer' things
 * are freed at once, without 'fold' all is counted already, and without the others nothing happens. */
struct ofp_sink {
	void (*set_view)(void *arg, const void *view, void (*destroy)(void *));
	void (*tag_changed)(void *arg, dp_tag);
	/* Runs fn(obj) when no polling thread holds what was unpublished before the next commit. */
	void (*defer)(void *arg, void (*fn)(void *), void *obj);
	/* dp_fold(), dp_exec() and the meters of datapath/dp.h. */
	void (*fold)(void *arg, void (*done)(void *), void *done_arg);
	int (*exec)(void *arg, const struct flow_key *, const void *frame, uint32_t len, const struct act *, unsigned n_acts);
	int (*meter_set)(void *arg, uint32_t meter, const struct dp_meter_conf *);
	void (*meter_del)(void *arg, uint32_t meter);
	void (*meter_stats)(void *arg, uint32_t meter, struct dp_meter_stats *);
	/* Something is to be committed soon: whoever owns the datapath calls ofp_commit() and dp_commit() before it sleeps. */
	void (*dirty)(void *arg);
	void *arg;
};

struct ofp *ofp_create(const struct ofp_sink *);
void ofp_destroy(struct ofp *);

/* The translator to give to dp_create(). */
extern const struct xlate_ops ofp_xlate;

/* Publishes what was edited since the last time: set_view() and the tags.  Cheap when nothing was. */
void ofp_commit(struct ofp *);

/* --- Bridges ------------------------------------------------------------------------------- */

struct ofp_bridge_conf {
	uint32_t mac_limit;             /* Rows of the MAC table, 1..1048576. */
	uint32_t mac_age;               /* Seconds without use until a learned row goes, 15..3600. */
	bool forward_reserved;          /* Forward 01:80:c2:00:00:0x (off: dropped, counted). */
	struct mac hwaddr;              /* Of the internal port of its name; zero: made up, stable per name. */
};
extern const struct opt_desc ofp_bridge_opts[];         /* mac-limit mac-age forward-reserved hwaddr */

enum { OFP_MAX_BRIDGES = 256 };         /* Numbers 1..255. */

/* Whether the settings are sound by themselves; with those, ofp_bridge_set() cannot fail. */
int ofp_bridge_check(const struct ofp_bridge_conf *, struct err *);
/* Bridge numbers are small, not 0, and stable while the bridge lives.  -EEXIST: the name; -ENOSPC: too many. */
int ofp_bridge_add(struct ofp *, const char *name, const struct ofp_bridge_conf *, uint16_t *id, struct err *);
/* A smaller mac_limit keeps static rows, all of them, and the most recently used of the others. */
int ofp_bridge_set(struct ofp *, uint16_t bridge, const struct ofp_bridge_conf *, struct err *);
void ofp_bridge_del(struct ofp *, uint16_t bridge);     /* Its ports are gone already. */
/* The address of the internal port that bears its name: the configured one, or one made from the name. */
struct mac ofp_bridge_hwaddr(const struct ofp *, uint16_t bridge);
/* A locally administered address: stable per machine, network namespace and name. */
struct mac ofp_hwaddr_make(const char *name);

/* --- Ports --------------------------------------------------------------------------------- */

/* The names and the behaviour of OVS's vlan_mode. */
enum ofp_vlan_mode {
	OFP_VLAN_TRUNK,                 /* Tagged frames of 'trunks' (none set: all); untagged is VLAN 0. */
	OFP_VLAN_ACCESS,                /* Untagged (and priority-tagged) only, in VLAN 'tag'. */
	OFP_VLAN_NATIVE_TAGGED,         /* Trunk; untagged is VLAN 'tag'; VLAN 'tag' leaves tagged. */
	OFP_VLAN_NATIVE_UNTAGGED,       /* Trunk; VLAN 'tag' leaves untagged. */
};

struct ofp_port_conf {
	int vlan_mode;                  /* enum ofp_vlan_mode; see ofp_port_check(). */
	uint16_t tag;                   /* 1..4094, 0: none. */
	struct opt_vlans trunks;
	bool protected_port;            /* No traffic between two protected ports of a bridge. */
	uint32_t mac_limit;             /* Learned addresses on this port; 0: only the bridge's limit. */
	bool learning;                  /* Learn source addresses here. */
	bool flood;                     /* Unknown and group frames leave here. */
	uint16_t of_port;               /* Number asked for, 0: any.  Acted on by who deals out numbers. */
};
extern const struct opt_desc ofp_port_opts[];   /* vlan-mode tag trunks protected mac-limit learning flood of-port */

/* Whether the settings make sense together ("vlan-mode=access needs tag"; a tag alone means access).
 * Completes 'vlan_mode' where only 'tag' or 'trunks' was given. */
int ofp_port_check(struct ofp_port_conf *, bool vlan_mode_given, struct err *);

/* Whether such a port is a member of VLAN 'vid' (0: none).  Settings as ofp_port_check() left them. */
bool ofp_port_carries(const struct ofp_port_conf *, uint16_t vid);

enum ofp_port_kind {
	OFP_PORT_PLAIN,                 /* Frames leave by ACT_OUTPUT. */
	OFP_PORT_INTERNAL,              /* Likewise; the host's own leg, where an underlay may live. */
	OFP_PORT_PATCH,                 /* Translation goes on in the peer's bridge. */
	OFP_PORT_TUNNEL,                /* Frames leave by ACT_TUN_PUSH to one or more destinations. */
};

/* A plain or internal port starts down, a patch or tunnel port up. */
int ofp_port_add(struct ofp *, uint16_t bridge, uint16_t port, enum ofp_port_kind,
		 const struct ofp_port_conf *, struct err *);
int ofp_port_set(struct ofp *, uint16_t port, const struct ofp_port_conf *, struct err *);
/* Takes its MAC rows along. */
void ofp_port_del(struct ofp *, uint16_t port);
/* A port that is down gets nothing, and its learned rows are forgotten at once. */
void ofp_port_set_up(struct ofp *, uint16_t port, bool up);
/* Who is behind it does not answer: frames still leave there, but fast-failover groups look for another. */
void ofp_port_set_dead(struct ofp *, uint16_t port, bool dead);
bool ofp_port_is_dead(const struct ofp *, uint16_t port);
void ofp_port_set_patch_peer(struct ofp *, uint16_t port, uint16_t peer);       /* 0: none (frames are dropped). */
/* Where a tunnel port leads: indices of tunnel destinations (datapath/tunnel.h).  The MAC table learns
 * (port, destination); a learned address gets one copy, a flood one per destination.  A destination belongs to one
 * port: the last to claim it. */
void ofp_port_set_tun_dsts(struct ofp *, uint16_t port, const uint32_t *dst, uint16_t n);

/* How packets to a tunnel destination leave: by 'underlay_port' itself when it is a plain port (a kernel
 * interface, a NIC); through its bridge, as if the host had sent the outer frame, when it is an internal
 * one.  'underlay_port' 0: not known yet. */
struct ofp_tun_path {
	uint16_t port;                  /* Learned, not configured: the tunnel port it is of; else 0... */
	struct ipaddr asked;            /* ...and the local address it was asked for with; none: any. */
	uint16_t underlay_port;
	struct mac src, next_hop;       /* Of the outer frame; zero while unresolved. */
	struct ipaddr local, remote;    /* Of the outer packet: what OpenFlow calls tun_src and tun_dst, the other way round. */
};
void ofp_set_tun_path(struct ofp *, uint32_t dst, const struct ofp_tun_path *);

/* What of a tunnel port is set per flow. */
struct ofp_tun_flow {
	bool remote, local, key;
	bool flood_learned;             /* Flooded frames go to all learned destinations as well. */
	struct ipaddr fixed_local;      /* None: any. */
	const struct tun_type *type;
	/* Which VLAN is which key, for the learning switch; NULL: keys are what rules say.  With it: addresses that get
	 * floods of some keys alone (NULL: none), and whether those that are not listed get them where an address of the
	 * VLAN was learned behind them.  Copied. */
	const struct opt_map *vlans;
	const struct opt_ip_keys *flood_only;
	bool flood_heard;
};
void ofp_port_set_tun_flow(struct ofp *, uint16_t port, const struct ofp_tun_flow *);

/* Geneve options as the fields tun_metadata0 and up: row i is field i.  Of a row class, type and length hold; length 0:
 * the field is nothing.  All of them must fit into OFP_TLV_SPACE bytes of options, headers included. */
struct tlv_row;
enum { OFP_TLV_SPACE = 48 };
void ofp_tlvs(const struct ofp *, uint16_t bridge, struct tlv_row *row);
void ofp_set_tlvs(struct ofp *, uint16_t bridge, const struct tlv_row *row);

/* --- OpenFlow ------------------------------------------------------------------------------ */

/* The pipeline of a bridge (ofproto/table.h): never NULL for a bridge that is there.  A bridge starts with one rule,
 * "priority=0 actions=NORMAL" in table 0: a learning switch.  ofp_of_reset() goes back to that, or with 'secure' to
 * no rule at all; groups and meters go as well. */
struct of_pipe;
struct of_pipe *ofp_pipe(const struct ofp *, uint16_t bridge);
void ofp_of_reset(struct ofp *, uint16_t bridge, bool secure);

/* What a table-miss does where no rule says it: OpenFlow 1.0 to 1.2 controllers want the packet. */
void ofp_of_set_miss_punt(struct ofp *, uint16_t bridge, bool punt);
/* OFPC_FRAG_* and OFPC_INVALID_TTL_TO_CONTROLLER. */
void ofp_of_set_config(struct ofp *, uint16_t bridge, uint16_t flags);

/* OpenFlow's number of a port: its datapath number, or OFPP_LOCAL for the internal port of the bridge's own name. */
uint32_t ofp_port_no(const struct ofp *, uint16_t port);
/* The datapath number of a bridge's OpenFlow port; 0: none. */
uint16_t ofp_port_by_no(const struct ofp *, uint16_t bridge, uint32_t port_no);
void ofp_port_set_local(struct ofp *, uint16_t port);           /* It is its bridge's LOCAL. */
/* Calls cb for each port of a bridge, in order of OpenFlow number. */
void ofp_ports_each(const struct ofp *, uint16_t bridge, void (*cb)(void *, uint16_t port), void *arg);
/* OFPPC_* of OpenFlow 1.3 with NO_FLOOD and NO_STP of 1.0: PORT_DOWN, NO_RECV, NO_FWD, NO_PACKET_IN, NO_FLOOD act. */
void ofp_port_set_of_config(struct ofp *, uint16_t port, uint32_t config);
uint32_t ofp_port_of_config(const struct ofp *, uint16_t port);

/* Runs an action list on a frame as PACKET_OUT does, in the state that the last change left: commits first where
 * something is to be committed.  'in_port' is OpenFlow's (OFPP_CONTROLLER, OFPP_ANY... are fine); 'meta' (may be NULL)
 * are registers, metadata and tunnel fields to start with.  0, or -errno. */
struct of_acts;
struct oflow;
int ofp_packet_out(struct ofp *, uint16_t bridge, uint32_t in_port, const struct oflow *meta, const struct of_acts *,
		   const void *frame, uint32_t len);

/* From dp_conf.note: what translate() wants done (learned rules, shortened timeouts). */
void ofp_note(struct ofp *, const void *data, unsigned len);

/* Translates as a packet of this key on port 'in_port' would be, writing what happens line by line, as `weftctl trace`
 * shows it: table, rule, why those above it did not match, actions, and at the end the datapath actions and the
 * megaflow.  'frame' NULL: only the key.  'out_key', 'out' (may be NULL): the datapath key and the answer, to look for
 * it in the live cache.  Caller frees the text. */
char *ofp_trace(const struct ofp *, uint16_t bridge, const struct oflow *, const void *frame, uint32_t len,
		struct flow_key *out_key, struct xlate_out *out);

/* --- MAC table ----------------------------------------------------------------------------- */

struct ofp_mac {
	struct mac mac;
	uint16_t vid;
	uint16_t port;
	uint32_t tun_dst;               /* Behind a tunnel with several remotes: which one; else 0. */
	bool is_static;
	uint32_t age_s;                 /* Since last used. */
	uint32_t moves;
};

/* The control thread's half of learning: called with what translate() asked for. */
void ofp_learn(struct ofp *, const struct xlate_learn *);
/* Ages the tables; call about once a second. */
void ofp_tick(struct ofp *, uint64_t now_ms);
/* Static rows are never aged, moved or flushed with the learned ones. */
int ofp_mac_add(struct ofp *, uint16_t bridge, uint16_t vid, struct mac, uint16_t port, struct err *);
int ofp_mac_del(struct ofp *, uint16_t bridge, uint16_t vid, struct mac, struct err *);
/* Forgets learned rows; port 0 and vid -1 mean any.  Returns how many. */
unsigned ofp_mac_flush(struct ofp *, uint16_t bridge, uint16_t port, int vid);
/* Calls cb for each row, in order of VLAN and address. */
void ofp_mac_each(const struct ofp *, uint16_t bridge, void (*cb)(void *, const struct ofp_mac *), void *arg);

struct ofp_mac_stats {
	uint32_t n, n_static, limit;
	uint64_t learned, moved, aged, flushed, refused;        /* refused: table or port limit. */
};
void ofp_mac_stats(const struct ofp *, uint16_t bridge, struct ofp_mac_stats *);
/* Bytes set aside for the table; memory that was never used is not touched. */
uint64_t ofp_mac_bytes(const struct ofp *, uint16_t bridge);
uint32_t ofp_port_n_macs(const struct ofp *, uint16_t port);

/* The tag translate() reports for a MAC row: for `flow dump`, to name what a flow depends on. */
dp_tag ofp_mac_tag(uint16_t bridge, uint16_t vid, struct mac);

#endif
