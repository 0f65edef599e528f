/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the vhost-user port share.
 *
 *   vhost.c     the port type: options, sockets, what 'show' prints        control thread
 *   device.c    connections, and what their messages change                threads of the library
 *   vring.c     the life of their rings                                    threads of the library
 *   state.c     which ports there are, and what they say                   all but polling threads
 *   queue.c     frames in and out, sleeping                                polling threads
 *   message.c   which messages are let through                              threads of the library
 *   call.c      notifications that hold nobody up                          whoever sends one
 *   watch.c     looks after what no other thread may wait for              a thread of its own
 *   fault.c     memory that goes away under us                             whoever touches it
 *
 * Polling threads find rings in vhp->q[].from and vhp->to[], which are NULL while there are none.  A ring goes away in
 * stages: taken out of there, quiesce (every polling thread has ended the turn in which it saw it), freed. */
#ifndef VHOST_VHOST_PRIV_H
#define VHOST_VHOST_PRIV_H

#include <pthread.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/util.h"
#include "datapath/port.h"
#include "vhost/fault_priv.h"
#include "vhost/ring.h"

enum {
	VHP_MAX_QUEUES = 16,            /* Pairs of rings of one guest. */
	VHP_MAX_RINGS = 2 * VHP_MAX_QUEUES,
	VHP_MAX_CONNS = 3,
	VHP_PEER_TIMEOUT_MS = 500,      /* For the rest of a message that has begun. */
	VHP_TEXT = 120,
};

enum vhp_mode { VHP_CLIENT, VHP_SERVER };

/* Rings come in pairs, as the guest counts them: 2i is its receive ring, 2i + 1 its transmit ring. */
static inline bool
ring_is_from_guest(unsigned ring)
{
	return ring & 1;
}

struct vhp_ring {
	bool enabled;                   /* By the guest; without VHOST_USER_F_PROTOCOL_FEATURES, by its kick. */
	struct vq *vq;                  /* While polling threads may use it. */
	int kickfd;                     /* Our duplicate, watched by vhp_queue.epfd; -1: none. */
};

/* One hypervisor connected to the socket.  In server mode a second may be there for a moment, when a guest is restarted
 * before the library noticed the end of the first; it waits for its turn. */
struct vhp_conn {
	int vid;                        /* -1: free. */
	bool has_features, has_mem;     /* The library has them. */
	bool owns_port;                 /* Polling threads use its rings. */
	bool was_up;                    /* They did once. */
	bool mem_lost;                  /* Zero pages are mapped in place of its memory. */
	uint64_t features;
	struct vmem mem;                /* Regions where the library has mapped them, while has_mem. */
	struct vhp_fault *fault[VQ_MAX_REGIONS + 1]; /* Of each region, and of the log. */
	uint8_t *log;                   /* Dirty log, or NULL. */
	uint64_t log_len;
	char broken[VHP_TEXT];               /* Why its rings are not used, until it sets up something anew; or empty. */
	unsigned broken_ring;           /* Which one it was, if it was one. */
	char problem[VHP_TEXT];              /* What keeps a ring that is enabled from running; or empty. */
	uint64_t announce;              /* To be port.announce as soon as the port is up; or 0. */
	uint32_t pending;               /* A message that was not handled yet, or was refused; 0: none. */
	char refused[VHP_TEXT];              /* Why we end the connection; or empty. */
	struct vhp_ring ring[VHP_MAX_RINGS];
};

/* What a polling thread needs of a queue from the guest. */
struct vhp_queue {
	struct vq *from;                /* Atomic; NULL: nothing to take. */
	struct vq *taken;               /* [lcore] Between take() and release(). */
	struct vhp_stash *stash;        /* [lcore] Packets of rx() that did not fit its caller's array. */
	struct port_peek peek;
	uint16_t quiet;                 /* Always 0: what 'peek' looks at while there is no ring. */
	bool no_kick;                   /* Atomic: the ring cannot wake anyone. */
	/* Readable when a sleeper shall wake: it watches the kick of the ring and vhp.nudge.  Both are edge-triggered, so
	 * that nothing need be read from them: the kick is the guest's file, a read could block.  Atomic, -1 until the
	 * queue was first used. */
	int epfd;
} CACHE_ALIGNED;

struct vhp {
	struct port *port;              /* [const] */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* [const] */
	int mode;                       /* [const] enum vhp_mode. */
	unsigned n_queues;              /* [const] Pairs that are offered. */
	uint64_t offered;               /* [const] Features. */
	int nudge;                      /* [const] eventfd, written when rings come or go. */

	pthread_mutex_t lock;           /* Of the connections; held while a thread of the library waits. */
	struct vhp_conn conn[VHP_MAX_CONNS];
	uint64_t resets;                /* Connections that were up and ended. */
	char refused[VHP_TEXT];              /* Why the last connection ended, if we ended it. */

	/* For the control thread, which does not wait for 'lock'.  Without a connection the reason is empty, and 'detail'
	 * is why the last one was refused. */
	pthread_mutex_t link_lock;
	struct port_link link;
	bool closing;                   /* Atomic. */
	struct vhp *next;               /* In the registry, under its lock. */

	/* Rings to the guest that run, as many as n_to, without gaps.  Atomic. */
	unsigned n_to CACHE_ALIGNED;
	struct vq *to[VHP_MAX_QUEUES];

	struct vhp_queue q[VHP_MAX_QUEUES];
};

/* --- The port (vhost.c) ---------------------------------------------------------------------- */

/* What follows the words that these features were not offered: which of the port's options is off that would, if any
 * would.  Without partial checksums nothing else is offered, so that option is named alone. */
const char *vhp_turned_off(uint64_t features);

/* --- State (state.c) ------------------------------------------------------------------------ */

/* From the library's callbacks to ports: by the path of the socket, all that a callback tells.  The result of find stays
 * valid throughout a callback: close() ends those before it frees. */
struct vhp *vhp_registry_find(const char *path);
void vhp_registry_add(struct vhp *);
void vhp_registry_del(struct vhp *);
/* Calls 'look' for each port, which may not add or delete any. */
void vhp_registry_each(void (*look)(struct vhp *));

void vhp_say(char to[VHP_TEXT], const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Under vhp.lock: refreshes what the control thread may read, and tells it. */
void vhp_tell_owner(struct vhp *);

static inline bool
vhp_has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

/* --- Rings (vring.c); under vhp.lock, by a thread that may wait for polling threads ----------- */

/* Takes rings first..first+n-1 of a connection away from the polling threads; the library learns where they stopped. */
void vhp_rings_stop(struct vhp *, struct vhp_conn *, unsigned first, unsigned n);
/* After any change: chooses whose rings are used (who has them keeps them while it is ready), starts those that can run
 * and do not, stops those that may no longer. */
void vhp_settle(struct vhp *);

/* --- Devices (device.c) ---------------------------------------------------------------------- */

extern const struct rte_vhost_device_ops vhp_device_ops;
/* [ctl] No polling thread sees the port, and the library calls no more. */
void vhp_device_close_all(struct vhp *);
/* [watch] Takes away the rings of connections that have become useless, and says why. */
void vhp_device_check(struct vhp *);
void vhp_device_init(struct vhp *);

/* --- Rings to polling threads (queue.c) ------------------------------------------------------ */

extern const struct port_frames vhp_frames;
extern const struct port_sleep vhp_sleep;
uint16_t vhp_rx(struct port *, uint16_t q, struct rte_mbuf **, uint16_t n);
uint16_t vhp_tx(struct port *, uint16_t q, struct rte_mbuf **, uint16_t n);

/* Makes the descriptor that queue 'q' sleeps on, if there is none yet.  -1: out of descriptors, it naps. */
int vhp_queue_epfd(struct vhp *, unsigned q);
void vhp_queue_init(struct vhp *);
/* [ctl] No polling thread sees the port. */
void vhp_queue_fini(struct vhp *);
/* Nobody uses queue 'q' any more: what peek() tells is the port's own again. */
void vhp_queue_rest(struct vhp *, unsigned q);

/* --- Watch (watch.c) ------------------------------------------------------------------------- */

/* Looks at all ports soon, on a thread that may wait.  Any thread, signal handlers too. */
void vhp_watch_wake(void);
int vhp_watch_start(struct err *);

#endif
