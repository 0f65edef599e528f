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

/* One (tunnel port, remote).  Its index is stable for the life of the configuration row. */
struct tun_dst {
	enum tun_dst_state state;
	uint16_t port;                  /* Tunnel port number. */
	uint16_t underlay_port;         /* Datapath port the route leaves by; 0 while unknown. */
	uint32_t max_frame;             /* Longest inner frame (from its Ethernet header) that fits. */
	bool pmtud;
	const struct tun_type *type;
	struct ipaddr local, remote;
	struct mac next_hop;
	struct tun_hdr hdr;             /* READY only. */
};

#define TUN_MAX_DST 4096

/* A row of the decapsulation table. */
struct tun_endpoint {
	const struct tun_type *type;
	uint16_t udp_port;              /* Host order. */
	uint16_t port;                  /* Tunnel port number: the packet's new in_port. */
	uint32_t key;
	uint32_t dst;                   /* Index of the way back; becomes flow_key.tun_peer. */
	struct ipaddr remote, local;
	bool zero_csum6;
	bool drop_inner_vlan;
};

struct tun_view;

/* [ctl] A view is built row by row, handed over with dp_set_tunnels() and owned by the datapath then. */
struct tun_view *tun_view_create(void);
void tun_view_destroy(struct tun_view *);
int tun_view_add_endpoint(struct tun_view *, const struct tun_endpoint *);      /* -EEXIST: same key, remote, local. */
void tun_view_set_dst(struct tun_view *, uint32_t index, const struct tun_dst *);
/* Underlay: packets of 'port' that are addressed to MAC 'mac' (zero: any) are looked at for tunnels. */
void tun_view_add_underlay(struct tun_view *, uint16_t port, struct mac mac);

/* Any thread that may read the view. */
const struct tun_dst *tun_view_dst(const struct tun_view *, uint32_t index);

#endif
