/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the underlay share: underlay.c keeps tunnels and publishes, underlay_path.c finds the
 * way to one remote, underlay_neigh.c its next hop.  Everything is [ctl]. */
#ifndef CTL_UNDERLAY_PRIV_H
#define CTL_UNDERLAY_PRIV_H

#include "base/netlink.h"
#include "ctl/underlay.h"
#include "datapath/dp.h"

enum {
	UNDERLAY_COALESCE_MS = 20,      /* Between the first event and a look at everything. */
	UNDERLAY_RECHECK_MS = 30000,    /* Path MTUs change without an event. */
	UNDERLAY_CONFIRM_MS = 30000,    /* Between questions whether a known neighbour is still there. */
	UNDERLAY_GIVE_UP_MS = 3000,
	UNDERLAY_ASK_AGAIN_MS = 500,
	UNDERLAY_BACKOFF_MS = 1000,     /* Doubles up to UNDERLAY_RECHECK_MS. */
	UNDERLAY_WATCH_MS = 5000,       /* As CONFIRM, where there are equal ways beside it. */
	UNDERLAY_ASKS_PER_S = 200,      /* Neighbours that are asked for, all together. */
	UNDERLAY_TURN_MS = 200,         /* Between looks whether it is one's turn to be asked for. */
	UNDERLAY_CHANGES = 4,           /* A neighbour's MAC address may change so often at once, */
	UNDERLAY_CHANGE_MS = 5000,      /* and after that once in this time. */
	UNDERLAY_NEIGH_BUCKETS = 1024,
	UNDERLAY_ROUTES_PER_S = 200,    /* When more routes than these change, they are not listened to... */
	UNDERLAY_DEAF_MS = 1000,        /* ...for so long, longer with many remotes; then all are looked at. */
	UNDERLAY_LEARNED_IDLE_MS = 300000,      /* A learned remote that nobody uses is forgotten then. */
	UNDERLAY_MAX_ADDRS = 256,       /* Of this host that are looked at. */
	UNDERLAY_MAX_KEYS = 1 << 18,    /* Of tunnels with maps, times their remotes. */
	UNDERLAY_MAX_UDP = 8,           /* Distinct UDP ports of all tunnels: a limit of the datapath. */
};

/* A kernel link that a route leaves by.  Looked at once per pass, however many remotes use it. */
struct via {
	struct via *next;
	struct nl_link nl;
	struct underlay_link link;
	bool seen;                      /* In this pass. */
	bool implicit;                  /* Opened by open_link(). */
	uint64_t retry_ms;              /* When opening failed. */
	uint32_t backoff_ms;
	char why_not[160];              /* Empty: usable. */
};

/* A next hop: what the kernel knows of an address on a link. */
struct neigh {
	struct neigh *next;             /* In its bucket. */
	int ifindex;
	struct ipaddr ip;
	unsigned refs;
	unsigned watchers;              /* Those of them that have other ways as well. */
	enum tun_dst_state state;       /* FREE: not looked at yet. */
	struct mac mac;                 /* While READY. */
	bool waits;                     /* RESOLVING, but it was not its turn to be asked for yet. */
	bool changed;                   /* Since remotes were told. */
	bool unruly;                    /* Its MAC address changes too often: not believed for the moment. */
	/* The next thing to do: confirm, give up, or retry, by state.  0: nothing. */
	uint64_t timer_ms, asked_ms;
	uint32_t backoff_ms;
	struct mac known;               /* The last that was believed. */
	uint64_t change_ms;             /* When all its changes are paid for: see may_change(). */
	uint32_t changes, held;
};

/* One of the ways to a remote. */
struct hop {
	struct via *via;                /* As of the last pass; NULL: the link is gone, or cannot be used. */
	struct neigh *neigh;            /* NULL: there is nobody to ask (a group), or no link. */
	int ifindex;
	struct ipaddr next_hop;
	uint16_t weight;
	bool watched;                   /* There are others. */
	char link[16];                  /* Its name, whether it can be used or not. */
	char why_not[160];              /* It cannot. */
};

/* One remote of one tunnel port: a tunnel destination. */
struct remote {
	const struct underlay_tunnel *tun;
	struct ipaddr ip;
	uint32_t dst;
	bool wanted;                    /* While a tunnel's remotes are compared. */
	bool learned;
	struct ipaddr asked;            /* The local address that it must have; none: any. */
	uint64_t born_ms;
	struct remote *next;            /* In its tunnel's list of learned ones. */
	struct bfd_session *bfd;        /* NULL: none is asked for. */

	enum tun_dst_state state;
	char reason[200];
	/* Set while there is a route: the ways, and those of them that is shown as 'the' one. */
	unsigned n_hops;
	struct hop *hop;
	bool here;                      /* Its address is ours, and another tunnel port is the far end; there are no ways then. */
	struct via *via;
	struct ipaddr local, next_hop;
	uint32_t mtu, max_frame;
	int last_ifindex;               /* Of the link that the last route left by; 0: there was none yet. */
	uint32_t told_mtu;              /* What fits on the way, as a router has said; 0: none has... */
	uint64_t told_until;            /* ...and when that is forgotten. */
	/* Set while READY. */
	struct mac mac;

	/* What was handed on last. */
	struct tun_dst row;
	struct ofp_tun_path path;
	unsigned n_ways;                /* Of several: a row each. */
	struct tun_way *way;
};

struct tunnel {
	struct tunnel *next;
	struct underlay_tunnel t;
	char deaf[160];                 /* Of one with remote=flow: why it cannot hear. */
	bool dead;                      /* With BFD: no remote answers, and that was told. */
	unsigned n_learned;
	struct remote *learned;
	uint16_t n;                     /* Configured remotes; with remote=flow those that get floods. */
	struct remote *remote[OPT_LIST_MAX];
};

/* A port (or, of GRE, the whole protocol) that is kept quiet. */
struct squat {
	struct squat *next;
	bool v6, wanted;
	uint8_t ip_proto;
	uint16_t port;
	int fd;                         /* Or -errno. */
};

struct underlay {
	struct underlay_ops ops;
	struct nl *nl;
	struct tunnel *tunnels;
	struct tunnel *by_port[DP_MAX_PORTS];
	struct via *vias;
	struct squat *squats;
	struct membership *groups;
	unsigned n_remotes;
	unsigned n_flow;                /* Tunnels with remote=flow. */
	/* Addresses of this host, as of the last pass. */
	unsigned n_addrs;
	struct underlay_addr {
		struct ipaddr ip;
		int ifindex;
	} addr[UNDERLAY_MAX_ADDRS];
	bool forgot;                    /* Learned remotes went since the last pass. */
	struct remote *by_dst[TUN_MAX_DST];
	/* Pass in which an index became free: not handed out again before the next one, so that no reader takes
	 * the new destination for the old. */
	uint32_t freed_in[TUN_MAX_DST];
	uint32_t pass;
	/* BFD sessions, a heap by the time that they are due. */
	unsigned n_bfd;
	struct bfd_session **bfd;
	uint64_t random;
	/* Next hops. */
	struct neigh *neigh[UNDERLAY_NEIGH_BUCKETS];
	unsigned n_neighs, neigh_at;
	bool neigh_changed;
	unsigned asks;                  /* Questions that are left of the second's share, */
	uint64_t asks_ms;               /* as of then. */
	struct underlay_stats stats;
	struct {
		int epoll;              /* Of these sockets, and of the kernel's events. */
		int fd[2];              /* For IPv4 and IPv6, or -errno. */
		unsigned n;             /* Messages since... */
		uint64_t second_ms;     /* ...then. */
		bool deaf;              /* Enough of them for this second. */
	} pmtu;
	bool dirty;                     /* The view differs from the one handed on. */
	/* Changes of routes, as far as they are listened to. */
	unsigned n_route_events;        /* In the second that began then: */
	uint64_t routes_ms;
	uint64_t deaf_ms;               /* Not listened to before then; 0: they are. */
	unsigned events;                /* NL_EV_* not looked at yet; */
	uint64_t events_due_ms;         /* looked at then. */
	uint64_t recheck_ms;
};

/* Whether a tunnel takes whatever address of ours the route prefers. */
static inline bool
underlay_any_local(const struct ipaddr *local)
{
	return ip_is_none(local) || ip_equal(local, &opt_ip_word);
}

/* --- underlay.c ---------------------------------------------------------------------------- */

struct tunnel *underlay_find(const struct underlay *, uint16_t port);
/* With a number of its own; NULL: there is none left.  tun, learned and asked are the caller's to fill in. */
struct remote *underlay_new_remote(struct underlay *, const struct ipaddr *);
void underlay_free_remote(struct underlay *, struct remote *);
/* Compares a remote with what was handed on. */
void underlay_update_row(struct underlay *, struct remote *);
void underlay_hand_on(struct underlay *);
void underlay_want_squat(struct underlay *, bool v6, uint8_t ip_proto, uint16_t port);

/* --- underlay_flow.c: tunnels whose remotes are set per flow -------------------------------------- */

static inline bool
is_flow(const struct tunnel *t)
{
	return tun_remote_is_flow(&t->t.conf);
}

/* The addresses of this host, read anew. */
void flow_read_addrs(struct underlay *);
/* The link that has the address; 0: none of ours. */
int flow_addr_link(const struct underlay *, const struct ipaddr *);
/* Finds the links to listen on. */
void flow_listen(struct underlay *, uint64_t now_ms);
/* Puts their endpoints into the view. */
void flow_add_endpoints(const struct underlay *, struct tun_view *);
/* UDP ports to keep quiet. */
void flow_want_squats(struct underlay *);
/* Forgets learned remotes that nobody uses; those of 't' whatever they do. */
void flow_expire(struct underlay *, uint64_t now_ms);
void flow_forget_all(struct underlay *, struct tunnel *);

/* --- underlay_group.c ---------------------------------------------------------------------- */

/* Joins what is wanted now, leaves what is not. */
void groups_update(struct underlay *);
void groups_leave_all(struct underlay *);
/* Why a remote that is a group is not joined; 0: it is, or is none. */
int group_error(const struct underlay *, const struct remote *);

/* --- underlay_pmtu.c ----------------------------------------------------------------------- */

void pmtu_open(struct underlay *);
void pmtu_close(struct underlay *);
/* Reads what routers have said; when to do so again without being woken, UINT64_MAX: not. */
void pmtu_poll(struct underlay *, uint64_t now_ms);
uint64_t pmtu_due(const struct underlay *);
/* One message, as icmp_read() gives them. */
void pmtu_input(struct underlay *, bool v6, const void *msg, unsigned len, uint64_t now_ms);
/* What fits on the way, as far as routers have told; UINT32_MAX: nothing is known. */
uint32_t pmtu_told(const struct remote *, uint64_t now_ms);

/* --- underlay_bfd.c ------------------------------------------------------------------------ */

/* Starts, changes or ends a remote's session, as it is configured. */
void remote_bfd_sync(struct underlay *, struct remote *, uint64_t now_ms);
void remote_bfd_end(struct underlay *, struct remote *);
/* After all of them: tells which ports are live. */
void bfd_sync_ports(struct underlay *);
void bfd_describe(const struct remote *, struct underlay_bfd *);

/* --- underlay_path.c ----------------------------------------------------------------------- */

/* Starts and ends a pass over all remotes: links are looked at anew; those that nobody uses go. */
void via_pass_begin(struct underlay *);
void via_pass_end(struct underlay *);
/* The link with that index as it is now; NULL: gone.  It stays for this pass. */
struct via *via_get(struct underlay *, int ifindex, uint64_t now_ms);
/* Finds route, link, address and MTU, then looks at the neighbour. */
void remote_resolve(struct underlay *, struct remote *, uint64_t now_ms);
/* Takes up what its next hops are now: state, reason, and the way that is shown. */
void remote_settle(struct remote *);
/* Whether one of its next hops is not as it was. */
bool remote_hops_changed(const struct remote *);
/* Asks for its next hops. */
void remote_ask(struct underlay *, struct remote *, uint64_t now_ms);
/* Lets go of its next hops. */
void remote_forget_hops(struct underlay *, struct remote *);
enum tun_dst_state hop_state(const struct hop *);
/* Whether it leaves by a kernel link itself, not by a bridge. */
bool remote_is_direct(const struct remote *);

/* Whether another tunnel port takes what 't' sends from 'local' to 'remote', both addresses of this host. */
bool remote_is_here(const struct underlay *, const struct underlay_tunnel *t, const struct ipaddr *local,
		    const struct ipaddr *remote);

/* --- underlay_neigh.c ------------------------------------------------------------------------ */

/* The row of a next hop, looked at when it is new.  'watched': there are others to take its place. */
struct neigh *neigh_get(struct underlay *, int ifindex, const struct ipaddr *, bool watched, uint64_t now_ms);
void neigh_put(struct underlay *, struct neigh *, bool watched);
/* Packets wait: asks for one that is not there, unless that was done a moment ago. */
void neigh_ask(struct underlay *, struct neigh *, uint64_t now_ms);
/* Looks at all of them; at those whose time has come.  'underlay.neigh_changed': some are not as they were. */
void neigh_look_all(struct underlay *, uint64_t now_ms);
void neigh_look_due(struct underlay *, uint64_t now_ms);
/* When the next one is due; UINT64_MAX: never. */
uint64_t neigh_due(const struct underlay *);
/* All remotes know of the changes. */
void neigh_told(struct underlay *);

#endif
