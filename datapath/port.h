/* SPDX-License-Identifier: Apache-2.0 */
/* Ports.  A port type is a constant with its functions and options; the array of types is in
 * ctl/ports.c, since a port may live in any folder. */
#ifndef DATAPATH_PORT_H
#define DATAPATH_PORT_H

#include "base/err.h"
#include "base/opt.h"
#include "datapath/drop.h"

struct frames;
struct rte_mbuf;
struct rte_mempool;
struct port;

enum port_caps {
	PORT_CAP_VIRTUAL = 1 << 0,      /* No packets of its own: patch, tunnel.  rx and tx are NULL. */
	PORT_CAP_SLOW_RX = 1 << 1,      /* An empty rx costs a system call: polled less often while quiet. */
	PORT_CAP_TX_SHARED = 1 << 2,    /* tx() may be called by several lcores at once. */
	PORT_CAP_HOST_LEG = 1 << 3,     /* The host's own leg on a bridge: an underlay routed over it enters the
					 * bridge as if the host had sent it. */
	PORT_CAP_TX_COPIES = 1 << 4,    /* tx() is done with a packet's bytes when it returns, and any memory will do. */
};

struct port_link {
	bool up;
	char reason[200];       /* Why it is down and what to do; empty when up. */
	char detail[200];       /* One phrase for 'show': "af_packet on eth1", "server, guest connected". */
	uint32_t mtu;           /* Largest L3 packet the port carries; 0: unknown. */
	struct mac mac;         /* Of the interface, zero when it has none. */
	uint64_t resets;        /* Times the peer went away. */
};

/* Where a type reports that its state changed; any thread may call it. */
struct port_owner {
	void (*changed)(struct port_owner *, struct port *);
	/* Blocks until every lcore has let go of what it read before.  Library threads only (rte_vhost
	 * callbacks), never the control thread. */
	void (*quiesce)(struct port_owner *);
	const char *run_dir;            /* Sockets live here. */
	struct rte_mempool *pool;       /* Packet buffers for rx. */
	unsigned n_lcores;              /* Threads that will transmit: queue numbers are below this. */
};

/* The head of a port; the type's own zeroed structure of 'priv_size' bytes follows at port->priv. */
struct port {
	const struct port_type *type;   /* [const] */
	struct port_owner *owner;       /* [const] */
	char name[32];                  /* [const] */
	uint16_t id;                    /* [const] Datapath port number, 1.. */
	uint16_t n_rxq, n_txq;          /* [const] Set by open(). */
	/* Queues 0..live_rxq-1 are polled.  Set by open() (0 there means n_rxq); a type that changes it later (any
	 * thread, atomically) calls owner->changed().  rx of other queues is still allowed, and finds nothing. */
	uint16_t live_rxq;
	/* OFFL_* that tx() and send() take as they are just now; any thread may read it, relaxed.  Packets that need
	 * more come to them resolved (offl_resolve()). */
	uint16_t accepts;
	/* A MAC address that has moved to this port (bytes 0-5 in memory order) with PORT_ANNOUNCE, or 0.  Any thread sets it
	 * atomically, then calls owner->changed(): a RARP broadcast enters as if received here (RFC 903). */
	uint64_t announce;
	uint32_t mtu;                   /* [const] Largest L3 packet; frames above it are not sent. */
	/* [stat] Packets that rx() saw and could not give, by enum dp_drop; written by the rx owner. */
	uint64_t rx_drops[DP_N_DROPS];
	/* Packets that tx() took and could not send, likewise; written by any sender, with port_tx_drop(). */
	uint64_t tx_drops[DP_N_DROPS];
	void *priv;                     /* [const] */
};

#define PORT_ANNOUNCE (1ull << 63)

enum { PORT_ARM_NAP = -2 };

/* Sleeping: how a polling thread waits for a queue.  All [lcore], the owner of queue 'q'. */
struct port_sleep {
	/* Asks for a wake-up.  Returns the fd that becomes readable, -1 when the queue cannot wake anyone just
	 * now (no peer), or PORT_ARM_NAP when this port never can, as with 'always_poll'.  '*pending' is set when
	 * packets already wait: do not sleep. */
	int (*arm)(struct port *, uint16_t q, bool *pending);
	/* Awake again: no more wake-ups wanted; consumes what made the fd readable. */
	void (*disarm)(struct port *, uint16_t q);
	bool always_poll;               /* Cannot wake: the thread naps for short times instead. */
};

/* What tells a polling thread, without a call, that a queue has nothing for it: when (*word & mask) == idle.  'word' is
 * always readable; the port keeps all three right as its queue moves on, and when its peer comes and goes (then
 * 'idle' is changed last, on the thread that polls, or the word is one of the port's own).  Only the owner of the queue
 * reads it. */
struct port_peek {
	const uint16_t *word;           /* Atomic: the port may replace it from any thread. */
	uint16_t mask, idle;            /* Atomic, too. */
};

/* Ports that give and take frames in their peers' memory; see frame.h.  All [lcore]. */
struct port_frames {
	/* Never NULL, valid for the port's life. */
	const struct port_peek *(*peek)(struct port *, uint16_t q);
	/* Owner of queue 'q', instead of rx(): up to FRAME_BURST frames, 'n' of them.  Each take() that gave frames or
	 * chains is followed by release() in the same turn, after which the sender may reuse the memory. */
	uint16_t (*take)(struct port *, uint16_t q, struct frames *);
	void (*release)(struct port *, uint16_t q, struct frames *);
	/* Sends frames idx[0..n-1] of a burst, with 'need' within 'accepts': copies and hands them over.  Several lcores may
	 * call it at once.  Returns how many it is done with, sent or dropped (counted in tx_drops); '*bytes' grows by
	 * what was sent, '*sent' by how many.  The rest finds no room. */
	uint16_t (*send)(struct port *, uint16_t q, const struct frames *, const uint8_t *idx, uint16_t n,
			 uint16_t *sent, uint64_t *bytes);
};

struct port_type {
	const char *name;               /* "netdev", "vhost-user", "internal", "dpdk", "patch". */
	uint32_t caps;                  /* PORT_CAP_*. */
	size_t priv_size;               /* Zeroed bytes for the type. */
	size_t conf_size;               /* Of its configuration structure. */
	const struct opt_desc *opts;
	const char *help;               /* One line. */
	/* [ctl] Sets n_rxq, n_txq, mtu.  A peer that is not there yet is no error: the port is down with a
	 * reason.  'conf' is borrowed for the call. */
	int (*open)(struct port *, const void *conf, struct err *);
	/* [ctl] Once no lcore can see the port. */
	void (*close)(struct port *);
	/* [ctl] Present state. */
	void (*link)(struct port *, struct port_link *);
	/* [lcore] Owner of queue 'q'.  Never block or fail: a short count is the answer.  rx gives mbufs whose
	 * first segment holds at least the headers the parser reads (128 bytes, or the whole frame); tx takes the
	 * first returned packets (it frees or hands them on), the caller keeps the rest.  A port that is down takes
	 * them all and counts DROP_TX_DOWN in tx_drops. */
	uint16_t (*rx)(struct port *, uint16_t q, struct rte_mbuf **, uint16_t n);
	uint16_t (*tx)(struct port *, uint16_t q, struct rte_mbuf **, uint16_t n);
	const struct port_sleep *sleep;
	const struct port_frames *frames;       /* NULL: packet buffers only. */
};

/* [lcore] Several may send on one port; this is the rare path, so it can afford a locked instruction. */
static inline void
port_tx_drop(struct port *p, enum dp_drop why, uint64_t n)
{
	__atomic_fetch_add(&p->tx_drops[why], n, __ATOMIC_RELAXED);
}

/* [ctl] Allocates and opens.  NULL with 'e' set on failure. */
struct port *port_create(const struct port_type *, struct port_owner *, const char *name, uint16_t id,
			 const void *conf, struct err *e);
/* [ctl] Closes and frees; no lcore can see the port. */
void port_destroy(struct port *);

#endif
