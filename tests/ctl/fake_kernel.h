/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel of a few tables behind the functions of base/netlink.h and ctl/squat.h, which this takes
 * the place of at link time. */
#ifndef TESTS_CTL_FAKE_KERNEL_H
#define TESTS_CTL_FAKE_KERNEL_H

#include "base/netlink.h"

enum { FAKE_MAX = 16, FAKE_NEIGHS = 1024 };

struct fake_route {
	struct ipaddr dst;              /* None: default. */
	struct nl_route r;
};

struct fake_neigh {
	int ifindex;
	struct ipaddr ip;
	struct nl_neigh n;
	unsigned asked, probed;
};

extern struct fake_kernel {
	unsigned n_links, n_routes, n_neighs, n_addrs;
	struct nl_link link[FAKE_MAX];
	struct fake_route route[FAKE_MAX];
	struct fake_neigh neigh[FAKE_NEIGHS];
	struct ipaddr addr[FAKE_MAX];
	int addr_link[FAKE_MAX];        /* 0: the first link. */
	unsigned events;
	unsigned route_events;          /* Changes of routes not read yet; none while nobody hears them. */
	bool deaf;
	unsigned n_questions;
	int resolve_rc;
	unsigned n_asked;               /* Questions for neighbours, all together. */
	/* Quiet UDP ports: open ones, and what opening answers. */
	int n_squats, squat_rc;
	bool squat_v6;
	uint8_t squat_proto;
	uint16_t squat_port;
	unsigned n_hops;                /* Equal ways, for every destination; 0: there is only the one of the route. */
	struct nl_hop hop[16];
	/* Messages of routers: so many of this one. */
	unsigned n_icmp, icmp_len;
	uint8_t icmp[128];
	/* Multicast groups: how many are joined, the last of them, and what joining answers. */
	int n_joined, mcast_rc, joined_on;
	struct ipaddr joined;
} fake;

struct ipaddr fake_ip(const char *s);
struct mac fake_mac(uint8_t last);
void fake_reset(void);
struct nl_link *fake_link(int ifindex, const char *name, uint32_t mtu);
struct nl_route *fake_route(const char *dst, int ifindex, const char *src, const char *gateway);
struct fake_neigh *fake_neigh(int ifindex, const char *ip);

#endif
