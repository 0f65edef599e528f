/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface over AF_XDP: the fast half of the port type 'netdev'. */
#ifndef DATAPATH_XDP_PRIV_H
#define DATAPATH_XDP_PRIV_H

#include "datapath/ethdev_priv.h"

struct xdp {
	struct ethdev ed;
	struct rte_mempool *pool;       /* [const] Of this port alone; see port_xdp.c. */
	int epfd;                       /* [const] Readable while one of these sockets has frames; -1: none found. */
	int sock[ETHDEV_MAX_Q];         /* [const] The driver's. */
	unsigned n_sock;
};

/* [ctl] 'rx_slots' frames wait at most in each of 'n_queues'. */
int xdp_open(struct xdp *, struct port *, const char *ifname, unsigned n_queues, uint32_t rx_slots, struct err *);
void xdp_close(struct xdp *);
/* [lcore] As in struct port_sleep; rx and tx are those of the ethdev. */
int xdp_arm(struct xdp *, uint16_t q, bool *pending);
void xdp_disarm(struct xdp *, uint16_t q);

#endif
