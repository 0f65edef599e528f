/* SPDX-License-Identifier: Apache-2.0 */
/* A DPDK ethdev as a port: the whole of the port type 'dpdk', and the AF_XDP half of 'netdev'. */
#ifndef DATAPATH_ETHDEV_PRIV_H
#define DATAPATH_ETHDEV_PRIV_H

#include <rte_spinlock.h>

#include "datapath/port.h"

struct rte_eth_conf;
struct rte_eth_dev_info;

enum { ETHDEV_MAX_Q = 16 };

struct ethdev_conf {
	const char *devargs;
	struct rte_mempool *pool;       /* Buffers to receive into. */
	uint16_t n_rxq;                 /* Wanted; at most what the device has. */
	uint16_t n_desc;                /* Of each ring; adjusted to the device. */
	uint32_t mtu;                   /* 0: the device's own. */
	bool offloads;                  /* Checksums and cutting are left to it as far as it can. */
};

struct ethdev {
	uint16_t id;                    /* [const] Ethdev number. */
	uint16_t n_rxq, n_txq;          /* [const] */
	bool multi_seg;                 /* [const] Sends chained buffers. */
	uint16_t accepts;               /* [const] OFFL_* that it does on the way out. */
	bool ip_csum;                   /* [const] It sums IPv4 headers, and must do so where it cuts. */
	bool rx_whole;                  /* [const] Gives frames with partial checksums, and uncut. */
	int intr_fd[ETHDEV_MAX_Q];      /* [const] Receive interrupts; -1: none. */
	uint64_t resets;                /* [ctl] */
	bool was_up;                    /* [ctl] */
	/* Several lcores share a queue when the device has fewer. */
	struct {
		CACHE_ALIGNED rte_spinlock_t lock;
	} txq[ETHDEV_MAX_Q];
};

/* [ctl] Probes, configures, starts; sets n_rxq, n_txq and mtu of the port. */
int ethdev_open(struct ethdev *, struct port *, const struct ethdev_conf *, struct err *);
/* [ctl] Stops it and takes it out of DPDK. */
void ethdev_close(struct ethdev *);
void ethdev_link(struct ethdev *, struct port_link *);

/* [lcore] As in struct port_type and struct port_sleep. */
uint16_t ethdev_rx(struct port *, struct ethdev *, uint16_t q, struct rte_mbuf **, uint16_t n);
uint16_t ethdev_tx(struct port *, struct ethdev *, uint16_t q, struct rte_mbuf **, uint16_t n);
int ethdev_arm(struct ethdev *, uint16_t q, bool *pending);
void ethdev_disarm(struct ethdev *, uint16_t q);

/* [ctl] Asks 'conf' for what the device can, and sets accepts, ip_csum and rx_whole accordingly. */
void ethdev_offl_choose(struct ethdev *, const struct rte_eth_dev_info *, struct rte_eth_conf *);
/* [lcore] Before sending, where 'accepts': the number of packets that stay.  Others are freed and counted. */
uint16_t ethdev_offl_tx(struct port *, struct ethdev *, uint16_t q, struct rte_mbuf **, uint16_t n);
/* [lcore] After receiving, where 'rx_whole', likewise. */
uint16_t ethdev_offl_rx(struct port *, struct rte_mbuf **, uint16_t n);

#endif
