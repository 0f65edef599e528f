/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of the underlay: links, addresses, routes and neighbours, over rtnetlink
 * (libmnl).  Control thread only.  All calls concern the network namespace the process is in. */
#ifndef BASE_NETLINK_H
#define BASE_NETLINK_H

#include "base/addr.h"
#include "base/err.h"

struct nl;

struct nl_link {
	int ifindex;
	char name[16];
	struct mac mac;
	uint32_t mtu;
	bool up;                /* IFF_UP and carrier. */
};

struct nl_route {
	int ifindex;            /* Outgoing interface. */
	struct ipaddr src;          /* Preferred source. */
	struct ipaddr gateway;      /* None when the destination is on link. */
	uint32_t mtu;           /* Of the route, 0 when it names none. */
	bool local;             /* The destination is this host itself. */
};

/* One of the ways that a route leaves by. */
struct nl_hop {
	int ifindex;
	struct ipaddr gateway;  /* None when the destination is on link. */
	uint16_t weight;        /* 1..256: its share, against those of the others. */
	bool dead;              /* The kernel does not use it: its link is down. */
};

enum nl_neigh_state { NL_NEIGH_NONE, NL_NEIGH_INCOMPLETE, NL_NEIGH_VALID, NL_NEIGH_FAILED };

struct nl_neigh {
	enum nl_neigh_state state;
	struct mac mac;         /* When VALID. */
	bool fixed;             /* Somebody has entered it by hand: never to be asked. */
};

/* What has changed, as reported by nl_read_events(). */
enum nl_event_bits {
	NL_EV_LINK = 1 << 0,
	NL_EV_ADDR = 1 << 1,
	NL_EV_ROUTE = 1 << 2,
	NL_EV_NEIGH = 1 << 3,
	NL_EV_LOST = 1 << 4,    /* The kernel dropped notifications: look at everything again. */
};

struct nl *nl_open(struct err *);
void nl_close(struct nl *);
int nl_event_fd(const struct nl *);             /* Readable when something changed. */
/* Reads what waits, up to a few hundred notifications; returns NL_EV_* bits.  Never blocks. */
unsigned nl_read_events(struct nl *);
/* How many of them were about routes since the last call. */
unsigned nl_route_events(struct nl *);
/* Whether to be told of routes at all: on at first.  A kernel that takes in a million of them tells each. */
void nl_hear_routes(struct nl *, bool on);

/* 0, -ENODEV or another negative errno. */
int nl_link_by_name(struct nl *, const char *name, struct nl_link *);
int nl_link_by_index(struct nl *, int ifindex, struct nl_link *);
/* The route a packet to 'dst' (a host or a multicast group) would take.  'src' may be none.  -ENETUNREACH: no route. */
int nl_route_get(struct nl *, const struct ipaddr *dst, const struct ipaddr *src, struct nl_route *);
/* The ways that a route to 'dst' leaves by: several, where equal routes (or a group of next hops) share the traffic.
 * How many, at most 'max'. */
unsigned nl_route_hops(struct nl *, const struct ipaddr *dst, const struct ipaddr *src, struct nl_hop *, unsigned max);
/* The neighbour entry of 'ip' on a link; state NONE when the kernel has none. */
int nl_neigh_get(struct nl *, int ifindex, const struct ipaddr *ip, struct nl_neigh *);
/* Asks the kernel to resolve (or confirm) 'ip'; the answer comes as NL_EV_NEIGH. */
int nl_neigh_resolve(struct nl *, int ifindex, const struct ipaddr *ip);
/* Has the kernel ask a VALID neighbour, by its MAC address, whether it is still there: three times a second apart, then it
 * is FAILED.  Not for a 'fixed' one, which would be so no longer. */
int nl_neigh_probe(struct nl *, int ifindex, const struct ipaddr *ip);
/* Whether 'ip' is an address of this host; its link in '*ifindex' unless NULL. */
bool nl_addr_is_local(struct nl *, const struct ipaddr *ip, int *ifindex);
/* Calls cb for each address of this host, loopback ones included, with the link it is on.  0 or a negative errno. */
int nl_addr_each(struct nl *, void (*cb)(void *, const struct ipaddr *, int ifindex), void *arg);
/* Sets a link up or down, its MTU (0: leave) or its MAC (NULL: leave). */
int nl_link_set(struct nl *, int ifindex, bool up, uint32_t mtu, const struct mac *mac);

#endif
