/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels as the packet path sees them: a table that tells which packets are ours to strip, and the
 * destinations with their ready-made outer headers.  The control plane builds a 'tun_view' from the
 * configuration, the kernel's routes and its neighbours; lcores read it.  A neighbour that changes
 * means a new view with the same indices: flows stay. */
#ifndef DATAPATH_TUNNEL_H
#define DATAPATH_TUNNEL_H

#include "base/addr.h"
#include "tunnels/tun.h"

enum tun_dst_state {
	TUN_DST_FREE,
	TUN_DST_NO_ROUTE,       /* Packets are dropped, DROP_TUN_NO_ROUTE. */
	TUN_DST_RESOLVING,      /* Packets wait, a bounded number. */
	TUN_DST_READY,
	TUN_DST_FAILED,         /* The neighbour did not answer: DROP_TUN_NEIGH_FAILED. */
};

/* How packets leave for a destination. */
enum tun_leave {
	TUN_LEAVE_PORT,         /* By 'underlay_port'. */
	TUN_LEAVE_WAYS,         /* By one of several: see tun_view_set_ways(). */
	TUN_LEAVE_LOCAL,        /* Not at all: the far end is another tunnel port of ours. */
};

struct tun_ways;

/* One (tunnel port, remote), or of a port whose remotes are set per flow one (tunnel port, remote, local) that was used
 * or heard of.  Its index is stable for the life of the configuration row, or while it is in use. */
struct tun_dst {
	/* Who it is: a cache line of each row of a view. */
	struct ipaddr local, remote;
	struct ipaddr asked;            /* Learned: with this local address; none: whatever the route prefers. */
	struct mac next_hop;
	const struct tun_ways *ways;    /* The view's; not for its builder. */
	/* What each packet asks, up to the outer headers' bytes: two more lines. */
	const struct tun_type *type;
	enum tun_dst_state state;
	enum tun_leave leave;
	uint32_t max_frame;             /* Longest inner frame (from its Ethernet header) that fits. */
	uint16_t port;                  /* Tunnel port number. */
	uint16_t underlay_port;         /* Datapath port the route leaves by; 0 while unknown. */
	bool pmtud;
	bool fragment;                  /* What does not fit goes as fragments of the outer packet. */
	bool learned;                   /* Not configured: found by tun_view_peer(). */
	struct tun_hdr hdr;             /* READY only. */
	uint64_t pad;
};

_Static_assert(sizeof(struct tun_dst) == 4 * 64 && offsetof(struct tun_dst, type) == 64 &&
	       offsetof(struct tun_dst, hdr.b) <= 2 * 64, "lines of a row");

/* One of several next hops of a destination, which share its flows by their weights. */
struct tun_way {
	enum tun_dst_state state;       /* It has flows while it is READY. */
	uint16_t underlay_port;
	uint16_t weight;
	struct mac next_hop;
	struct tun_hdr hdr;             /* READY only. */
};

enum { TUN_MAX_WAYS = 16 };

#define TUN_MAX_DST 16384

/* What an endpoint leaves open.  Of several that fit a packet, the one that says more has it: first the key counts, then
 * the remote, then the local address. */
enum tun_wild { TUN_WILD_LOCAL = 1 << 0, TUN_WILD_REMOTE = 1 << 1, TUN_WILD_KEY = 1 << 2, TUN_N_WILD = 8 };

/* A row of the decapsulation table. */
struct tun_endpoint {
	const struct tun_type *type;
	uint16_t udp_port;              /* Host order. */
	uint16_t port;                  /* Tunnel port number: the packet's new in_port. */
	uint32_t key;
	uint32_t dst;                   /* Index of the way back; becomes flow_key.tun_peer.  TUN_WILD_REMOTE: 0. */
	struct ipaddr remote, local;
	uint8_t wild;                   /* enum tun_wild; those fields are ignored. */
	const struct opt_prefixes *allow;       /* TUN_WILD_REMOTE: who may send here; NULL: anybody.  Copied. */
	/* TUN_WILD_REMOTE: the local address that remotes are found by, whatever their packets were for. */
	bool asks;
	struct ipaddr asked;
	bool bfd;                       /* BFD packets inside are for the control plane: dp_conf.tun_control(). */
	bool zero_csum6;
	bool reassemble;                /* Takes packets that came in fragments. */
	bool drop_inner_vlan;
};

struct tun_view;

/* [ctl] A view is built row by row, handed over with dp_set_tunnels() and owned by the datapath then. */
struct tun_view *tun_view_create(void);
void tun_view_destroy(struct tun_view *);
int tun_view_add_endpoint(struct tun_view *, const struct tun_endpoint *);      /* -EEXIST: same key, remote, local. */
/* For each key that a tunnel takes: 'e' says all but that.  With a map of VLANs each of its keys has an endpoint of its own,
 * so that all others are dropped as what nobody knows.  The first error. */
int tun_view_add_endpoints(struct tun_view *, const struct tun_conf *, struct tun_endpoint e);
void tun_view_set_dst(struct tun_view *, uint32_t index, const struct tun_dst *);
/* The ways to a destination that was set before; its 'leave' becomes TUN_LEAVE_WAYS.  Flows of a way that is not READY
 * are shared among the others; those of the others stay where they are, when it goes and when it comes back. */
void tun_view_set_ways(struct tun_view *, uint32_t index, const struct tun_way *, unsigned n);
/* An address that packets may be for although no endpoint names it; -ENOSPC. */
int tun_view_add_local(struct tun_view *, const struct ipaddr *);
/* Underlay: packets of 'port' that are addressed to MAC 'mac' (zero: any) are looked at for tunnels. */
void tun_view_add_underlay(struct tun_view *, uint16_t port, struct mac mac);
/* Those of such a port that have a tag (0x8100) of VLAN 'vid' in front are, and lose it.  'bare': those without one as
 * well, else they are not. */
void tun_view_set_underlay_vlan(struct tun_view *, uint16_t port, uint16_t vid, bool bare);

/* Any thread that may read the view. */
const struct tun_dst *tun_view_dst(const struct tun_view *, uint32_t index);
/* The learned destination of a port with that remote; 0: there is none (yet). */
uint32_t tun_view_peer(const struct tun_view *, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked);
/* The learned destinations of a port, one after the other; 'index' 0: the first.  0: no more. */
uint32_t tun_view_next_peer(const struct tun_view *, uint16_t port, uint32_t index);

#endif
