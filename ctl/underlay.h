/* SPDX-License-Identifier: Apache-2.0 */
/* The underlay: turns configured tunnels into destinations that packets can be sent to.  For each
 * remote it finds the kernel's route, the Weft port that route leaves by, our address, the MTU and
 * the next hop's MAC, keeps them current from rtnetlink events, and hands the result on as one
 * 'tun_view' for the datapath plus one 'ofp_tun_path' per destination for the translator.
 *
 * Knows no configuration document and no port by name: its owner (sw.c) answers through callbacks.
 * All functions are [ctl].  Time is passed in, so that tests own the clock. */
#ifndef CTL_UNDERLAY_H
#define CTL_UNDERLAY_H

#include "base/err.h"
#include "ctl/bfd.h"
#include "datapath/tunnel.h"
#include "ofproto/ofp.h"

struct underlay;

/* A tunnel port as configured. */
struct underlay_tunnel {
	uint16_t port;                  /* Datapath number of the tunnel port. */
	char name[32];                  /* Its name, for messages. */
	const struct tun_type *type;
	struct tun_conf conf;
	bool drop_inner_vlan;           /* 'inner_vlan' decided: AUTO depends on the port's VLAN mode. */
};

#define UNDERLAY_MAX_RX 256

enum underlay_link_kind {
	UNDERLAY_LINK_NONE,             /* No Weft port there. */
	UNDERLAY_LINK_DIRECT,           /* A netdev port on this very kernel link. */
	UNDERLAY_LINK_BRIDGED,          /* The internal port of a bridge. */
};

/* What Weft has on a kernel link. */
struct underlay_link {
	enum underlay_link_kind kind;
	uint16_t port;                  /* The netdev or the internal port. */
	uint16_t n_rx;                  /* BRIDGED: the plain ports of that bridge, */
	uint16_t rx[UNDERLAY_MAX_RX];   /* where packets for the internal port's MAC come in... */
	uint16_t rx_vid[UNDERLAY_MAX_RX];       /* ...with this tag, when it is in a VLAN that they carry so; 0: without... */
	bool rx_bare[UNDERLAY_MAX_RX];          /* ...or without one as well. */
};

struct underlay_ops {
	/* Fills 'out' for the kernel link 'name'. */
	void (*find_link)(void *arg, const char *name, struct underlay_link *out);
	/* A route leaves by 'name' and Weft has no port there: open one (a netdev port on no bridge) that leaves the
	 * kernel its own packets.  0: find_link() answers DIRECT from now on.  Else -errno with the reason; asked again
	 * with a back-off. */
	int (*open_link)(void *arg, const char *name, struct err *);
	/* No tunnel uses it any more.  Only for links that open_link() opened; an owner that closed the port itself
	 * meanwhile (the user put a port of his own there) has nothing left to do. */
	void (*close_link)(void *arg, const char *name);
	/* New pictures, to be committed: the view (ownership passes), and paths of destinations that changed (all
	 * zero for one that is gone). */
	void (*set_view)(void *arg, struct tun_view *view);
	void (*set_path)(void *arg, uint32_t dst, const struct ofp_tun_path *path);
	/* The pictures above were changed by underlay_poll() or underlay_flush(): commit them.  Not called by
	 * underlay_update(). */
	void (*commit)(void *arg);
	/* When a learned destination was last used, in seconds; 0: never.  NULL: they never grow old. */
	uint32_t (*used)(void *arg, uint32_t dst);
	/* A BFD packet is to go there, as a guest's frame would.  NULL: none is. */
	void (*send)(void *arg, uint32_t dst, const void *frame, unsigned len);
	/* A tunnel port with BFD has a remote that answers, or none any more.  Ports are live at first.  NULL: nobody asks. */
	void (*live)(void *arg, uint16_t port, bool live);
	/* The number is another learned destination's from now on. */
	void (*used_reset)(void *arg, uint32_t dst);
	void *arg;
};

/* Copies 'ops'.  NULL with 'e' set when the kernel cannot be asked. */
struct underlay *underlay_create(const struct underlay_ops *, struct err *e);
/* Calls none of 'ops' any more. */
void underlay_destroy(struct underlay *);

/* Whether a set of tunnels can live together: each one's options, and no two that would claim the same
 * packets.  Needs no 'struct underlay'.  On error '*culprit' (may be NULL) is the index of the row to blame. */
int underlay_check(const struct underlay_tunnel *const *, unsigned n, unsigned *culprit, struct err *);

/* Adds the tunnel port, or replaces its settings; remotes that stay keep their destination index.  Checked
 * before with underlay_check(); -ENOSPC: more than TUN_MAX_DST destinations. */
int underlay_set(struct underlay *, const struct underlay_tunnel *, struct err *);
void underlay_del(struct underlay *, uint16_t port);
/* Destination indices of a tunnel port, in the order of its remotes: for ofp_port_set_tun_dsts().  Never 0. */
unsigned underlay_dsts(const struct underlay *, uint16_t port, uint32_t dst[OPT_LIST_MAX]);

/* Brings everything up to date now and calls set_view() and set_path() for what changed; the caller commits.
 * After underlay_set() and underlay_del(), and whenever answers of find_link() may have changed (a port came,
 * went, or changed bridge). */
void underlay_update(struct underlay *, uint64_t now_ms);

/* Readable when the kernel reported something. */
int underlay_fd(const struct underlay *);
/* Call when the fd is readable, and when the time it returned last (in ms) is over. */
unsigned underlay_poll(struct underlay *, uint64_t now_ms);
/* Packets wait for this destination: ask for its next hop now. */
void underlay_resolve(struct underlay *, uint32_t dst, uint64_t now_ms);

/* A tunnel port whose remotes are set per flow has heard from one ('heard'), or is to send to one: it becomes a
 * destination, unless the port's settings speak against it.  underlay_flush() hands it on. */
void underlay_peer(struct underlay *, uint16_t port, const struct ipaddr *remote, const struct ipaddr *local, bool heard,
		   uint64_t now_ms);
/* Hands on what underlay_peer() has found since the last time. */
void underlay_flush(struct underlay *);

/* A frame that came out of a tunnel with BFD and is one of its packets (tun_is_bfd()). */
void underlay_bfd_input(struct underlay *, uint32_t dst, const void *frame, unsigned len, uint64_t now_ms);
/* When underlay_bfd_poll() has something to do: changes with every call above.  UINT64_MAX: never. */
uint64_t underlay_bfd_due(const struct underlay *);
void underlay_bfd_poll(struct underlay *, uint64_t now_ms);

/* A remote's BFD session. */
struct underlay_bfd {
	bool on;                        /* Else nothing below means anything. */
	bool up;
	const char *state, *remote_state;
	const char *diag, *remote_diag;
	uint32_t tx_ms, detect_ms;      /* 'detect_ms' 0: nothing was heard. */
	uint64_t rx, tx;                /* Packets; 'rx' are those that were in order. */
	uint64_t bad[BFD_N_BAD];        /* The others. */
	uint32_t changes;               /* How often it came up or went down. */
};

/* What next hops have cost so far. */
struct underlay_stats {
	uint64_t asked;                 /* Questions for a neighbour that the kernel was to ask. */
	uint64_t put_off;               /* Those that had to wait, because there were too many. */
	uint64_t changes;               /* MAC addresses of neighbours that became others, */
	uint64_t held;                  /* and those that were not believed, because they do so too often. */
	uint32_t neighbours;            /* Now. */
};
void underlay_stats(const struct underlay *, struct underlay_stats *);

/* One of several equal ways to a remote. */
struct underlay_hop {
	const char *state_name;         /* As below. */
	struct ipaddr next_hop;
	struct mac mac;                 /* Zero while unknown. */
	char via[16];                   /* Kernel link; empty: it is gone. */
	uint16_t via_port;              /* Weft port on it; 0: none. */
	uint16_t weight;
};

/* Live state, for `show`. */
struct underlay_remote {
	struct ipaddr remote;
	uint32_t dst;
	enum tun_dst_state state;
	const char *state_name;         /* "ready", "resolving", "no-route", "failed". */
	char reason[200];               /* Why it is not ready, or a warning; else empty. */
	struct ipaddr local;                /* None while unknown. */
	struct ipaddr next_hop;             /* None while unknown. */
	struct mac next_hop_mac;        /* Zero while unknown. */
	char via[16];                   /* Kernel link; empty while unknown. */
	uint16_t via_port;              /* Weft port on it; 0 while unknown. */
	uint32_t mtu;                   /* Of the underlay; 0 while unknown. */
	uint32_t max_frame;             /* Longest guest frame that fits. */
	bool learned;
	uint32_t mac_changes;           /* How often the next hop's MAC address became another, */
	uint32_t mac_held;              /* and how often that was not believed. */
	unsigned n_hops;                /* Of a remote with several ways; else 0.  What stands above is the first that works. */
	struct underlay_hop hop[TUN_MAX_WAYS];
	struct underlay_bfd bfd;
};
/* In the order of the remotes.  Returns how many there are. */
unsigned underlay_remotes(const struct underlay *, uint16_t port, struct underlay_remote out[OPT_LIST_MAX]);
/* Calls cb for each learned one.  Returns how many there are. */
unsigned underlay_learned(const struct underlay *, uint16_t port, void (*cb)(void *, const struct underlay_remote *), void *arg);
/* Why a tunnel port whose remotes are set per flow hears nothing; empty: it listens. */
const char *underlay_deaf(const struct underlay *, uint16_t port);

#endif
