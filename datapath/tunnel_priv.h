/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a tun_view, for the tunnel stage of the packet path. */
#ifndef DATAPATH_TUNNEL_PRIV_H
#define DATAPATH_TUNNEL_PRIV_H

#include "datapath/tunnel.h"

enum {
	TUN_MAX_UDP = 8,                /* Distinct (type, UDP port) pairs. */
	TUN_MAX_LOCAL = 256,            /* Distinct local addresses. */
	TUN_MAX_UNDERLAY = 1024,
};

struct tun_view {
	/* Who may be a tunnel packet at all. */
	unsigned n_udp, n_local;
	struct {
		uint16_t port;
		const struct tun_type *type;
	} udp[TUN_MAX_UDP];
	struct ipaddr local[TUN_MAX_LOCAL];
	/* Underlay ports: bit set, and the MAC address that must be the outer destination. */
	uint64_t underlay[TUN_MAX_UNDERLAY / 64];
	struct mac underlay_mac[TUN_MAX_UNDERLAY];
	/* Endpoints, an open-addressing table of their numbers + 1. */
	uint32_t n_endpoints, n_slots;
	struct tun_endpoint *endpoint;
	uint32_t *slot;
	/* Identifiers in use, likewise: to tell an unknown one from an unknown remote. */
	uint32_t *key_slot;
	uint64_t seed;
	uint32_t n_dst;
	struct tun_dst *dst;
};

bool tun_view_is_underlay(const struct tun_view *, uint16_t port);
/* The type that a UDP port belongs to, NULL when it is nobody's. */
const struct tun_type *tun_view_udp(const struct tun_view *, uint16_t udp_port);
bool tun_view_is_local(const struct tun_view *, const struct ipaddr *);
const struct tun_endpoint *tun_view_find(const struct tun_view *, const struct tun_type *, uint16_t udp_port,
					 uint32_t key, const struct ipaddr *remote, const struct ipaddr *local);
bool tun_view_has_key(const struct tun_view *, const struct tun_type *, uint16_t udp_port, uint32_t key);

#endif
