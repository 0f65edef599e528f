/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface by name, as port types need it: a few ioctls, [ctl]. */
#ifndef DATAPATH_NETIF_PRIV_H
#define DATAPATH_NETIF_PRIV_H

#include "base/addr.h"
#include "base/err.h"

struct netif {
	int ifindex;
	uint32_t mtu;
	struct mac mac;
	bool up;                /* Set up by its administrator. */
	bool running;           /* Has a carrier. */
	bool ethernet;
};

/* 'fd' is any socket.  0, or -errno (-ENODEV: no such interface in this network namespace). */
int netif_get(int fd, const char *name, struct netif *);
/* Has IP addresses of the kernel, link-local IPv6 aside. */
bool netif_has_addresses(const char *name);

/* Is made of software: a veth, a tap, a bridge.  What such an interface gives may lack its checksum. */
bool netif_is_virtual(int fd, const char *name);
/* Receive queues in use; 1 when the driver does not say. */
unsigned netif_n_queues(int fd, const char *name);

int netif_set_up(int fd, const char *name, bool up);
int netif_set_mtu(int fd, const char *name, uint32_t mtu);
int netif_set_mac(int fd, const char *name, const struct mac *);

/* Switches receive coalescing (GRO, LRO) off, so that frames come as they were on the wire.  Returns what was
 * on, for netif_coalesce_restore(); whatever the driver does not know counts as off. */
unsigned netif_coalesce_off(int fd, const char *name);
void netif_coalesce_restore(int fd, const char *name, unsigned was_on);

#endif
