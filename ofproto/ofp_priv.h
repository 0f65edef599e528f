/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the objects that the control thread edits, and the immutable view
 * that lcores translate by. */
#ifndef OFPROTO_OFP_PRIV_H
#define OFPROTO_OFP_PRIV_H

#include "datapath/dp.h"
#include "ofproto/fdb.h"
#include "ofproto/ofp.h"
#include "ofproto/table.h"
#include "ofproto/vlan.h"

/* --- Pipelines --------------------------------------------------------------------------------- */

/* A bridge's OpenFlow pipeline, shared by the editor and the views.  References are [ctl]. */
struct ofp_of {
	struct of_pipe *pipe;
	unsigned refs;
	/* [atomic] Reference of the one rule "actions=NORMAL" while that is all there is: the bridge is a learning
	 * switch, and its tables need not be looked at.  Else 0. */
	uint64_t normal_ref;
};

/* What all views share.  Which bits of a packet the rules look at is part of a view, since the cache leaves all
 * others out of its keys.  While rules that look at more are there already and their view is not, 'gen' differs from
 * the view's, and keys are made anew of the packets. */
struct ofp_shared {
	unsigned refs;                  /* [ctl] */
	uint32_t gen;                   /* [atomic] */
};

/* --- The view: built by ofp_commit(), freed by the datapath after a grace period --------------- */

struct view_port {
	uint16_t bridge;                /* 0: no such port. */
	uint8_t kind;                   /* enum ofp_port_kind. */
	bool up, dead, protected_port, learning, flood;
	struct vlan_rules vlan;
	uint32_t mac_limit;
	uint16_t peer;                  /* Of a patch port. */
	uint16_t n_dst;                 /* Of a tunnel port. */
	const uint32_t *dst;
	struct ofp_tun_flow tun;        /* What flows set of it. */
	uint32_t of_no;                 /* OpenFlow's number. */
	uint32_t of_config;             /* OFPPC_*. */
	struct tun_keys *keys;          /* What vlan.keys and tun point to; holds a reference. */
};

/* A destination behind which an address of that VLAN was learned; of ports that flood by that. */
struct view_heard {
	uint16_t port, vid;
	uint32_t dst;
};

struct view_bridge {
	struct fdb *fdb;                /* NULL: no such bridge.  Holds a reference. */
	bool forward_reserved;
	uint16_t n_flood, n_patch;
	const uint16_t *flood;          /* Ports that are up and get floods, in order. */
	const uint16_t *patch;          /* Patch ports that are up. */
	uint16_t n_all;
	const uint16_t *all;            /* All ports, in order. */
	struct ofp_of *of;              /* Holds a reference. */
	bool normal;                    /* It was a learning switch when the view was made: 'bits' are empty. */
	bool miss_punt, secure;
	uint16_t local;                 /* Datapath number of OFPP_LOCAL; 0: none. */
	uint16_t of_flags;              /* OFPC_*. */
	bool has_tlv;
	struct tlv_table tlv;           /* Tunnel options that are fields. */
	struct oflow bits;              /* What rules and actions may look at. */
};

struct ofp_view {
	uint16_t n_ports, n_bridges;    /* Highest number + 1. */
	uint32_t n_paths;
	bool has_patch;
	uint32_t gen;                   /* See ofp_shared. */
	uint64_t masks_version;         /* Another one than the last view's if port_mask() may say something else. */
	struct ofp_shared *shared;
	struct view_port *port;
	struct view_bridge *bridge;
	struct ofp_tun_path *path;
	uint32_t n_peer_slots;          /* A power of two, or 0. */
	uint32_t *peer_slot;            /* Learned destinations, by port and addresses. */
	struct opt_vlans *trunks;       /* Storage that ports point to. */
	uint32_t *dst;
	uint16_t *lists;
	uint32_t n_heard;
	struct view_heard *heard;       /* In order of port, VLAN and destination. */
};

/* Handles of xlate_out.touch: never 0, since bridges count from 1. */
static inline uint64_t
touch_make(uint16_t bridge, uint32_t row, uint32_t gen)
{
	return (uint64_t)bridge << 52 | (uint64_t)row << 31 | gen;
}

static inline void
touch_split(uint64_t touch, uint16_t *bridge, uint32_t *row, uint32_t *gen)
{
	*bridge = touch >> 52;
	*row = touch >> 31 & 0x1fffff;
	*gen = touch & 0x7fffffff;
}

/* --- What the control thread edits ------------------------------------------------------------- */

struct ofp_bridge {
	char *name;
	struct ofp_bridge_conf conf;
	struct fdb *fdb;
	uint32_t age_at;                /* Where ageing goes on. */
	uint64_t learned, moved, aged, flushed;
	uint64_t refused;               /* By port limits, and by tables that were replaced. */
	struct ofp_of *of;
	bool miss_punt, secure;
	uint16_t of_flags;
	uint16_t local;
	struct tlv_row tlv[TLV_MAX];    /* Tunnel options that are tun_metadata0 and up. */
};

/* What flow settings of a tunnel port point to; shared with views.  References are [ctl]. */
struct tun_keys {
	unsigned refs;
	struct opt_map vlans;
	struct opt_ip_keys flood_only;
};

struct ofp_port {
	uint16_t bridge;
	enum ofp_port_kind kind;
	struct ofp_port_conf conf;
	bool up, dead;
	uint16_t peer;
	uint16_t n_dst;
	uint16_t n_moves;               /* Addresses that moved here since the last tick. */
	struct ofp_tun_flow tun;
	struct tun_keys *keys;          /* NULL: 'tun' points to none. */
	uint32_t *dst;
	uint32_t of_config;
};

struct tag_set {
	uint32_t n;
	dp_tag tag[DP_N_TAGS];
	uint64_t has[DP_N_TAGS / 64];
};

/* How many rows of MAC tables say (destination, VLAN): see heard.c. */
struct heard {
	uint32_t n, n_slots;            /* Slots are a power of two, or none. */
	struct heard_slot {
		uint64_t key;           /* 0: free. */
		uint32_t n_rows;
	} *slot;
};

struct ofp {
	struct ofp_sink sink;
	struct ofp_bridge *bridge[OFP_MAX_BRIDGES];
	struct ofp_port *port[DP_MAX_PORTS];
	struct ofp_tun_path path[TUN_MAX_DST];
	uint16_t dst_port[TUN_MAX_DST]; /* Tunnel port of each destination; 0: none. */
	struct heard heard;
	uint32_t n_learned;             /* Destinations that are learned. */
	bool view_dirty;
	const struct ofp_view *view;    /* The last one that was handed on: there until the next one is. */
	struct ofp_shared *shared;
	uint32_t view_gen;              /* Of that view. */
	struct xlate_out *scratch;      /* Of packets out and traces. */
	struct tag_set marked;          /* Tags to be marked by the next commit... */
	struct tag_set later;           /* ...and by the next tick: of moves that were put off. */
};

/* ofp_of.c */
struct ofp_of *ofp_of_get(struct ofp_of *);
void ofp_of_put(struct ofp_of *);
void ofp_of_init(struct ofp *, uint16_t bridge);
/* Makes changes of rules visible; asks for another view where it takes one. */
void ofp_of_publish(struct ofp *);
/* The view is made: what it says is what the pipelines look at. */
void ofp_of_viewed(struct ofp *);

/* An answer to fill, ready for translate().  One for all: it is big. */
struct xlate_out *ofp_scratch(struct ofp *);

/* ofp.c */
void ofp_port_changed(struct ofp *, uint16_t port);
void ofp_bridge_changed(struct ofp *, uint16_t bridge);
/* Forgets what a port has learned in VLANs that it does not carry any more. */
void ofp_port_prune(struct ofp *, uint16_t port);
void tag_set_add(struct tag_set *, dp_tag);
void ofp_mark(struct ofp *, dp_tag);
struct ofp_bridge *ofp_bridge_find(const struct ofp *, uint16_t bridge);
struct ofp_port *ofp_port_find(const struct ofp *, uint16_t port);
struct vlan_rules ofp_port_vlan(const struct ofp_port *);

/* mac.c */
enum { FLUSH_ANY = -1 };
/* Forgets rows of a bridge for which 'match' says so; returns how many. */
unsigned ofp_mac_remove(struct ofp *, uint16_t bridge, bool (*match)(const struct fdb_row_info *, const void *),
			const void *arg);
/* Learned rows of a port; static ones too if asked. */
unsigned ofp_mac_remove_port(struct ofp *, uint16_t port, bool statics);
/* Gives the bridge a table of another size; it has room for its static rows in any case. */
void ofp_mac_resize(struct ofp *, uint16_t bridge, uint32_t limit);

/* heard.c */
/* A row of a MAC table came, or went; 'dst' 0: it says none. */
void ofp_heard_add(struct ofp *, uint32_t dst, uint16_t vid);
void ofp_heard_del(struct ofp *, uint32_t dst, uint16_t vid);
void ofp_heard_fini(struct ofp *);
/* For the view, once its ports are there. */
void ofp_view_heard(const struct ofp *, struct ofp_view *);
/* The 'n' destinations of a tunnel port that have taught an address of the VLAN; NULL when there are none. */
const struct view_heard *view_heard(const struct ofp_view *, uint16_t port, uint16_t vid, uint32_t *n);

/* tun.c */
struct tun_keys *tun_keys_get(struct tun_keys *);       /* NULL is fine. */
void tun_keys_put(struct tun_keys *);
/* The learned destination of a tunnel port with these addresses; 0: none. */
uint32_t view_peer(const struct ofp_view *, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked);
/* What an answer depends on that has asked so: it changes when there is another. */
dp_tag peer_tag(uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked);
/* For the view: how many paths it takes, and the table to find learned ones by. */
uint32_t ofp_n_paths(const struct ofp *);
void ofp_view_peers(const struct ofp *, struct ofp_view *);

/* tlv.c: tunnel options, once ports and bits of all bridges are in the view. */
void ofp_view_tlvs(const struct ofp *, struct ofp_view *);

/* view.c */
struct ofp_view *ofp_view_create(const struct ofp *);
void ofp_view_destroy(void *view);

#endif
