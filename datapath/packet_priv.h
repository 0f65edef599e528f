/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface over AF_PACKET: the half of the port type 'netdev' that works everywhere. */
#ifndef DATAPATH_PACKET_PRIV_H
#define DATAPATH_PACKET_PRIV_H

#include "datapath/gso_priv.h"
#include "datapath/netif_priv.h"
#include "datapath/port.h"

struct packet {
	int fd;                         /* [const] Receives, through the ring. */
	int tx_fd;                      /* [const] */
	uint8_t *ring;                  /* [const] 'n_slots' of 'slot_len' bytes, shared with the kernel. */
	uint32_t n_slots, slot_len;     /* [const] */
	char ifname[16];                /* [const] */
	unsigned coalesced;             /* [ctl] For netif_coalesce_restore(). */
	uint64_t lost;                  /* [ctl] Frames that found the ring full. */
	/* [lcore] Slot that the kernel fills next; frames taken from it and not given yet (a long one, cut); room
	 * for a frame that does not fit a slot. */
	CACHE_ALIGNED uint32_t next;
	uint16_t n_ready, n_given;
	uint8_t *big;
	struct rte_mbuf *ready[GSO_MAX_SEGS];
};

/* [ctl] An interface that is not there is no error: packet_link() binds once it appears.  'mtu' sizes the slots. */
int packet_open(struct packet *, const char *ifname, uint32_t mtu, uint32_t n_slots, struct err *);
void packet_close(struct packet *);
void packet_link(struct packet *, struct port_link *);

/* [lcore] As in struct port_type and struct port_sleep. */
uint16_t packet_rx(struct port *, struct packet *, struct rte_mbuf **, uint16_t n);
uint16_t packet_tx(struct port *, struct packet *, struct rte_mbuf **, uint16_t n);
int packet_arm(struct packet *, bool *pending);
void packet_disarm(struct packet *);

#endif
