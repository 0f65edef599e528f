/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a tun_view, for the tunnel stage of the packet path. */
#ifndef DATAPATH_TUNNEL_PRIV_H
#define DATAPATH_TUNNEL_PRIV_H

#include "datapath/tunnel.h"

enum {
	TUN_MAX_LISTEN = 16,            /* Distinct (type, port) pairs. */
	TUN_MAX_LOCAL = 256,            /* Distinct local addresses. */
	TUN_MAX_UNDERLAY = 16384,
	TUN_VID_BARE = 0x8000,
};

/* Which of several ways a packet takes: the low bits of its flow's hash name a slot (its source port is made of the high
 * ones, so that routers behind do not choose by the same bits). */
enum { TUN_WAY_SLOTS = 256 };

struct tun_ways {
	unsigned n;                     /* READY ones. */
	uint8_t slot[TUN_WAY_SLOTS];
	struct tun_dst dst[];           /* The destination as it is by each of them. */
};

struct tun_view {
	/* Who may be a tunnel packet at all. */
	unsigned n_listen, n_local;
	struct {
		uint8_t ip_proto;
		uint16_t port;          /* As in tun_outer.port. */
		const struct tun_type *type;
		bool anybody;           /* Some endpoint of the type takes packets of any remote. */
	} listen[TUN_MAX_LISTEN];
	/* Two types share a row above (GRE and NVGRE): who sent a packet to whom decides. */
	bool shared;
	bool reassemble;                /* Some endpoint does. */
	struct ipaddr local[TUN_MAX_LOCAL];
	/* Underlay ports: bit set, and the MAC address that must be the outer destination. */
	uint64_t underlay[TUN_MAX_UNDERLAY / 64];
	struct mac underlay_mac[TUN_MAX_UNDERLAY];
	uint16_t underlay_vid[TUN_MAX_UNDERLAY];        /* Of the tag in front; TUN_VID_BARE: or none.  0: none. */
	/* Endpoints, an open-addressing table of their numbers + 1. */
	uint32_t n_endpoints, n_slots;
	struct tun_endpoint *endpoint;
	uint32_t *slot;
	/* Identifiers in use, likewise: to tell an unknown one from an unknown remote. */
	uint32_t *key_slot;
	/* (type, remote, local) in use, likewise. */
	uint32_t *pair_slot;
	uint8_t shapes;                 /* Bit w: there are endpoints with wild == w. */
	uint64_t seed, factor[6];
	uint32_t n_dst;
	struct tun_dst *dst;
	/* Learned destinations: a table of their indices, and a list for each port. */
	uint32_t n_peers, n_peer_slots;
	uint32_t *peer_slot;
	uint32_t *peer_next;            /* [n_dst] */
	uint32_t n_heads, *peer_head;   /* By port number. */
	unsigned n_allow;
	/* Lists of who may send, each an endpoint's own. */
	struct {
		struct opt_prefixes *who;
		uint32_t endpoint;      /* Whose. */
	} *allow;
};

bool tun_view_is_underlay(const struct tun_view *, uint16_t port);
/* The type that a packet is of, by tun_outer_peek(); NULL: none that is configured. */
const struct tun_type *tun_view_type(const struct tun_view *, const struct tun_outer *);
/* Whether any configured type of that IP protocol may take packets with these addresses. */
bool tun_view_listens(const struct tun_view *, uint8_t ip_proto, const struct ipaddr *src, const struct ipaddr *dst);
bool tun_view_is_local(const struct tun_view *, const struct ipaddr *);
const struct tun_endpoint *tun_view_find(const struct tun_view *, const struct tun_type *, uint16_t udp_port,
					 uint32_t key, const struct ipaddr *remote, const struct ipaddr *local);
/* Whether any endpoint of the type may take packets of that remote, whatever their key: asked before something is kept of
 * packets that are not whole yet.  A no is certain. */
bool tun_view_may_take(const struct tun_view *, const struct tun_type *, const struct ipaddr *remote, const struct ipaddr *local);
/* Where tun_view_find() looks first for an endpoint that leaves nothing open (there are some), and tun_view_peer() for a number: to
 * send for these, and for what is at endpoint[*slot - 1] and dst[*slot], before they are asked. */
const uint32_t *tun_view_slot(const struct tun_view *, const struct tun_type *, uint16_t udp_port, uint32_t key,
			      const struct ipaddr *remote, const struct ipaddr *local);
const uint32_t *tun_view_peer_slot(const struct tun_view *, uint16_t port, const struct ipaddr *remote, const struct ipaddr *asked);
/* Whether an endpoint takes packets of that remote. */
bool tun_endpoint_allows(const struct tun_endpoint *, const struct ipaddr *remote);
bool tun_view_has_key(const struct tun_view *, const struct tun_type *, uint16_t udp_port, uint32_t key);

#endif
