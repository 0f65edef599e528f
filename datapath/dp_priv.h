/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the datapath share: the view that lcores read, and the lcore itself. */
#ifndef DATAPATH_DP_PRIV_H
#define DATAPATH_DP_PRIV_H

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/ctr.h"
#include "base/pkt.h"
#include "base/rcu.h"
#include "datapath/cache.h"
#include "datapath/dp.h"
#include "datapath/frame.h"
#include "datapath/guard.h"
#include "datapath/loan.h"
#include "datapath/msgq_priv.h"
#include "datapath/offload.h"

enum {
	BURST = 32,
	TX_BUF = 128,                   /* Packets that wait for one output port... */
	TX_BUF_BYTES = 1 << 20,         /* ...unless they are as long as this before. */
	MAX_RXQ = 16,                   /* Queues of one port. */
	TUN_WAIT_MAX = 256,             /* Packets of one thread that wait for next hops... */
	TUN_WAIT_PER_DST = 16,          /* ...and for any one of them. */
	TUN_WAIT_RX = 64,               /* From remotes not heard of before. */
	EVENT_RING = 4096,
	REQUEST_RING = 4096,
	TICK_SHIFT = 20,                /* Coarse time: TSC >> 20, half a millisecond at 2 GHz. */
};

enum vport_flags {
	VPORT_UNDERLAY = 1 << 0,        /* Its packets are looked at for tunnels. */
	VPORT_L4 = 1 << 1,              /* Someone examines fields above L2: parse them. */
	VPORT_TX_LOCK = 1 << 2,         /* tx() is for one thread at a time. */
	VPORT_GUARD = 1 << 3,           /* What comes in is checked by 'guard'... */
	VPORT_TX_LIMIT = 1 << 4,        /* ...and what goes out. */
};

/* A port as lcores see it. */
struct vport {
	struct port *port;              /* NULL: no such port. */
	uint16_t (*tx)(struct port *, uint16_t q, struct rte_mbuf **, uint16_t n);
	const struct port_frames *frames;       /* NULL: takes packet buffers only. */
	uint32_t max_len;               /* Longest frame it sends. */
	uint16_t flags;                 /* VPORT_*. */
	uint16_t n_txq;
	uint32_t serial;                /* Tells it from other ports that had its number. */
	struct guard *guard;            /* NULL: none. */
};

/* What a queue has given its thread, and what that took. */
struct rxq_stat {
	uint64_t packets;               /* [stat] */
	uint64_t cycles;                /* [stat] From taking them to having put them into output buffers. */
} CACHE_ALIGNED;

struct rxq_ref {
	struct port *port;
	struct rxq_stat *stat;
	const struct port_peek *peek;   /* NULL: its rx() has to be called. */
	uint16_t q;
};

/* The ports as lcores see them, with the bits of the key that count on each.  Large, and seldom another while rules
 * change: shared by the views between which it does not. */
struct dp_ports {
	unsigned refs;                  /* [ctl] Views that have it. */
	uint64_t serial;                /* Tells it from others, also from one that was at its address. */
	uint64_t masks_version;         /* [ctl] Of the translator's views that the masks are right for. */
	struct {
		uint16_t n;
		struct rxq_ref *rxq;
	} lcore[DP_MAX_LCORES];
	struct vport port[DP_MAX_PORTS];
	struct flow_key mask[DP_MAX_PORTS];
};

/* All that the packet path reads of the configuration; immutable, published as a whole. */
struct dp_view {
	const void *xlate;
	const struct tun_view *tun;
	struct dp_ports *ports;
};

/* lcore -> control thread. */
enum dp_event_kind { EV_LEARN, EV_RESOLVE, EV_PEER, EV_REFUSED, EV_REQUEST_DONE };

struct dp_event {
	enum dp_event_kind kind;
	union {
		struct xlate_learn learn;
		uint32_t tun_dst;
		struct dp_tun_peer peer;
		struct dp_refusal refused;
		struct dp_request *request;
	};
};

struct lcore;
struct decap_out;

/* Control thread -> lcore and back.  'run' on the lcore between bursts, with a view no older than the request; false:
 * it wants to be run again in the next turn.  'done' on the control thread. */
struct dp_request {
	bool (*run)(struct lcore *, struct dp_request *);
	void (*done)(struct dp *, struct dp_request *);
	unsigned cost;                  /* Of a turn's REQUEST_BUDGET. */
	struct dp_request *next;        /* [lcore] In lcore->jobs. */
};

/* What punted packets hold: packet buffers, and bytes of the queue. */
struct punt_use {
	struct punt_count {
		uint32_t sent;          /* [lcore] */
		uint32_t done;          /* [ctl] */
	} segs, bytes;
};

struct tx_buf {
	uint16_t n;
	bool queued;                    /* In lcore->tx_dirty. */
	uint32_t bytes;                 /* Of the packets. */
	uint32_t left;                  /* Packets that have gone, sent or not; wraps. */
	uint32_t serial;                /* Of the port that the packets are for, while 'queued'. */
	uint32_t stuck;                 /* Serial of the port that was given up, and has taken nothing since. */
	uint64_t stall_tsc;             /* Since when the receiver takes nothing; 0: it does. */
	uint64_t tried_tsc;             /* The turn in which it last took nothing. */
	struct rte_mbuf *m[TX_BUF];
};

/* A packet that waits for a destination's next hop, or for a remote to get a number. */
struct tun_wait {
	struct rte_mbuf *m;
	uint32_t dst;                   /* 0: none yet; by the addresses in 'set'. */
	uint16_t port;                  /* The tunnel port, for its counters. */
	bool rx;                        /* It came from there; 'set' is what was outside... */
	uint8_t key_flags;              /* ...and this what the tunnel said of it: FLOW_F_NO_LEARN. */
	uint64_t since;
	struct tun_set set;
};

struct upcall_budget {
	uint64_t tsc;
	uint32_t tokens;
};

/* Packets that wait for the slow path: see miss.c.  [lcore] */
struct misses {
	struct miss *e;
	struct miss_port {
		uint16_t n, head, tail;
		uint16_t next;          /* Port behind it in the row of those that have some. */
	} *port;                        /* By the number of the port that was polled, or of the tunnel port. */
	uint32_t seq;                   /* Packets that ever waited. */
	uint16_t free;
	uint16_t n, n_tunnel;           /* All, and those out of tunnels. */
	uint16_t first, last;           /* Ports, when n > 0. */
	unsigned left;                  /* Translations of this turn... */
	uint64_t spent;                 /* ...and cycles it had for them. */
};

/* Which queues a thread looks at: see poll.c.  [lcore] */
struct poll {
	uint16_t n_calls;               /* Queues whose rx() has to be called... */
	uint16_t n, n_hot;              /* ...and those that have a word to look at, the hot ones first. */
	uint16_t cold_at;               /* Where the round of the cold ones goes on. */
	struct poll_call {
		uint16_t at;            /* Position in the view's list. */
		uint8_t skip, back;     /* Turns to leave out, for queues whose empty poll is dear. */
	} *calls;
	struct poll_peek {
		const struct port_peek *peek;
		uint16_t at;
		uint16_t quiet;         /* Looks in vain since there was something. */
	} *peeks;
};

/* How many packets for us may come out of tunnels: see tun_control.c.  [lcore] */
struct tun_control {
	uint64_t ms;
	uint32_t left;
	uint8_t slot[256];              /* Came in this millisecond; by destination. */
};

/* Of whom packets were refused: see refuse.c.  [lcore] */
struct refusals {
	uint64_t ms;
	unsigned n;                     /* Told of in this millisecond. */
	struct {                        /* By outer source. */
		uint64_t ms;            /* When one was told of last. */
		uint32_t n;             /* Packets since then. */
	} slot[64];                     /* As many as slot_of() tells apart. */
};

/* Tunnel packets on their way to another tunnel port of ours: see tun_local.c.  [lcore] */
enum { TUN_LOCAL_MAX = 2048 };
struct tun_local {
	unsigned first, n;
	uint16_t port[TUN_LOCAL_MAX];   /* The one that they left. */
	struct rte_mbuf *m[TUN_LOCAL_MAX];
};

/* One polling thread. */
struct lcore {
	struct dp *dp;                  /* [const] */
	unsigned idx, cpu;              /* [const] */
	const struct dp_isa *isa;       /* [const] */
	struct rte_mempool *pool;       /* [const] */
	uint64_t tsc_hz;                /* [const] */
	const struct dp_view *view;     /* [rcu] Read anew in each turn. */
	const struct dp_ports *ports;   /* [rcu] The view's. */
	uint64_t ports_serial;          /* [lcore] Of the last one. */
	uint64_t epoch;                 /* [lcore] Read before the view. */
	uint64_t tsc;                   /* [lcore] At the start of the turn. */
	uint64_t queue_tsc;             /* [lcore] Since when the queue at hand is worked on. */
	uint32_t now;                   /* [lcore] Coarse. */
	uint64_t ask_tsc;               /* [lcore] Last time it asked again for a next hop. */
	uint16_t n_dirty;               /* [lcore] */
	uint16_t tx_dirty[DP_MAX_PORTS];
	struct tx_buf *tx;              /* [lcore] By port number. */
	struct cache cache;             /* [lcore] */
	struct xlate_out out;           /* [lcore] Scratch of an upcall. */
	struct upcall_budget *budget;   /* [lcore] By port number. */
	struct misses misses;
	struct poll poll;
	struct frames *frames;          /* [lcore] The burst at hand, of a port that has such... */
	struct loans *loans;            /* ...and what of it is lent to packets. */
	struct rte_mbuf shadow[BURST];  /* [lcore] See frame_shadow(). */
	uint64_t idle_since;
	uint64_t sweep_tsc;
	uint32_t sweep_at;
	uint32_t sweep_left;            /* Flows that are due. */
	uint32_t hints_left;            /* Buckets of the hint index that are. */
	bool held;                      /* [lcore] Pieces of frames or outer packets are kept, */
	uint16_t held_port;             /* of this underlay port, as far as counters go. */
	struct tun_control control;
	struct tun_local local;
	struct refusals refusals;
	struct reasm *reasm;            /* [lcore] Outer packets that come in fragments. */
	uint16_t n_wait;                /* [lcore] */
	struct tun_wait wait[TUN_WAIT_MAX];
	uint64_t icmp_tsc;              /* [lcore] Token bucket of "too big" answers. */
	uint32_t icmp_tokens;
	struct rte_ring *requests;      /* SPSC: control thread to lcore. */
	struct rte_ring *events;        /* SPSC: lcore to control thread. */
	struct dp_request *jobs;        /* [lcore] Requests that take many turns, the first one at work. */
	struct msgq notes, punts;       /* See tell.c. */
	struct punt_use punts_all;
	struct punt_use *punts_of;      /* By port number. */
	uint32_t punt_max;              /* [const] */
	uint64_t ms;                    /* [lcore] clock_ms(), a millisecond old at most. */
	bool event_kick;                /* [lcore] Something was added: signal at the end of the turn. */
	int wake_fd;                    /* Anyone writes to wake it. */
	bool stop;
	pthread_t thread;
	struct dp_port_stats *pstats;   /* [stat] By port number. */
	struct dp_lcore_stats stats CACHE_ALIGNED;      /* [stat] */
};

/* The instruction-set variants of the packet path; one source, built several times. */
struct dp_isa {
	const char *name;
	bool (*supported)(void);
	void (*process)(struct lcore *, struct rte_mbuf **, unsigned n, uint16_t in_port);
	/* A packet that miss_keep() took; 'd' (one packet, or NULL): what was known of it when it came out of a tunnel. */
	void (*missed)(struct lcore *, struct rte_mbuf *, uint16_t in_port, const struct decap_out *d);
	/* The same for lc->frames, at least one, that stay their port's. */
	void (*process_frames)(struct lcore *, uint16_t in_port);
	/* Packets that came out of tunnels. */
	void (*process_decap)(struct lcore *, struct decap_out *);
};
extern const struct dp_isa dp_isa_v2, dp_isa_v3, dp_isa_v4;

struct dp {
	struct dp_conf conf;
	/* Second in which a learned destination was last used, by its index: written by any thread, and only when it is
	 * another one than before. */
	uint32_t tun_used[TUN_MAX_DST];
	uint64_t opts_key[2];           /* [const] Of digests of tunnel options. */
	struct port_owner owner;
	struct rcu *rcu;
	struct rte_mempool *pool;
	const struct dp_view *view;     /* [rcu] */
	uint64_t epoch;                 /* Grows with each change; read by lcores before the view. */
	uint64_t *tag_epoch;            /* [DP_N_TAGS] Epoch of each tag's last change. */
	/* The next view, as edited by the control thread. */
	struct port *port[DP_MAX_PORTS];
	uint32_t serial[DP_MAX_PORTS];  /* Ports that have had the number. */
	struct rxq_ctl {
		uint8_t home;           /* lcore + 1; 0: not placed. */
		uint8_t pin;            /* Likewise: the one that the operator wants; 0: any. */
		bool moving;            /* Nobody polls it. */
		uint16_t load;          /* Thousandths of a thread's time, lately. */
		uint32_t moves;
		uint64_t seen;          /* rxq_stat.cycles at the last look. */
		struct rxq_stat base;   /* Readings when the number was given to a port. */
	} rxq[DP_MAX_PORTS][MAX_RXQ];
	struct rxq_stat *rxq_stat;                      /* [DP_MAX_PORTS * MAX_RXQ] */
	uint64_t balance_tsc;           /* Of the last dp_balance(). */
	unsigned unbalanced, balance_rest;
	uint16_t live_rxq[DP_MAX_PORTS];                /* As in the last port table. */
	const void *xlate_view;
	void (*xlate_destroy)(void *);
	struct tun_view *tun_view;
	uint64_t ports_serial;          /* Of the last port table. */
	bool ports_dirty, tun_dirty, xlate_dirty, tags_dirty;
	struct dead *dead;              /* To be released after the next commit's grace period. */
	uint64_t changed_ports[DP_MAX_PORTS / 64];      /* Bits set by any thread. */
	unsigned n_exec;                /* Packets on their way to lcore 0... */
	uint32_t n_exec_segs;           /* ...and their buffers. */
	struct fold *fold;              /* The pass under way... */
	struct fold_waiter *fold_waiters;       /* ...and who waits for the next. */
	bool closing;                   /* Nothing new is started. */
	uint8_t *punt_frame;            /* Room for a packet in several buffers. */
	uint32_t punt_room;
	int event_fd;
	unsigned n_lcores;
	struct lcore *lcore[DP_MAX_LCORES];
	struct guard *guard[DP_MAX_PORTS];              /* As the next view has them. */
	struct meter *meter[DP_MAX_METERS];             /* [rcu] NULL: there is none. */
	struct dp_port_stats stats_base[DP_MAX_PORTS];  /* Readings when the number was given to a port. */
	pthread_mutex_t tx_lock[DP_MAX_PORTS];          /* Only ports with VPORT_TX_LOCK. */
};

/* lcore.c */
int lcore_start(struct lcore *, struct err *);
/* [lcore] One turn of the polling loop, without sleeping or reporting quiescence.  Returns the number of packets. */
unsigned lcore_turn(struct lcore *);
void lcore_wake(struct lcore *);
void lcore_event(struct lcore *, const struct dp_event *);
bool lcore_event_room(const struct lcore *);     /* For anything but answers to requests. */

/* poll.c: [lcore] */
void poll_init(struct lcore *);                  /* The view's list of queues is another. */
void poll_fini(struct lcore *);
/* One look at every queue whose turn it is.  Returns the number of packets. */
unsigned poll_queues(struct lcore *);

/* view.c: [ctl] */
struct dp_view *dp_view_build(struct dp *);
void dp_view_free(void *view);                   /* NULL is allowed. */
/* A port told of a change: when it has another number of queues to poll, polling threads learn of it at once. */
void dp_view_follow(struct dp *, const struct port *);
/* Calls fn(arg) after the grace period of the next commit. */
void dp_dead_add(struct dp *, void (*fn)(void *), void *arg);
void dp_dead_run(struct dp *);                   /* At once: no thread reads any more. */

/* Publishes the table of ports anew, at once, without an epoch: nothing else that is being edited becomes effective. */
void dp_ports_republish(struct dp *);

/* rxq.c: [ctl] */
void rxq_place(struct dp *);                     /* Those that have no thread yet, of the queues that live. */
void rxq_new_port(struct dp *, uint16_t port);
void rxq_forget_port(struct dp *, uint16_t port);

/* dp_exec.c, dp_stat.c: [ctl] Takes the request only with 0. */
int dp_ask(struct dp *, unsigned lcore, struct dp_request *);
void dp_fold_cancel(struct dp *);

/* tell.c: notes and punted packets. */
int tell_init(struct lcore *);
void tell_fini(struct lcore *);
/* References packets that the control plane wants 'want' bytes of; what cannot be is counted. */
/* The first 'want' bytes for dp_conf.tun_control().  False: there is no room. */
bool tell_tun_control(struct lcore *, uint16_t port, uint32_t tun_dst, uint16_t want, struct rte_mbuf *);
void tell_punt(struct lcore *, uint16_t port, uint16_t want, const struct act *data, unsigned n_data, struct rte_mbuf **,
	       unsigned n);
/* Whether tell_notes() can send all notes of the answer. */
bool tell_notes_room(const struct lcore *, const struct xlate_out *);
void tell_notes(struct lcore *, const struct xlate_out *);
/* [ctl] Hands some of them to the callbacks; true when there are more. */
bool tell_take(struct dp *, struct lcore *);

/* upcall.c: the slow path. */
struct upcall_answer {
	uint16_t out_port;              /* All there is to do is to send it there; 0: run 'acts'. */
	unsigned n_acts;
	const struct act *acts;         /* Valid until the next upcall. */
	enum dp_drop drop;              /* Why there is nothing to do. */
};
/* Answers a miss; the packet is counted as one that follows the answer.  'since': as many flows had been installed when
 * the key had none; UPCALL_NEVER when nobody looked.  False: it would take a translation, and none may be made. */
#define UPCALL_NEVER UINT64_MAX
bool upcall_answer(struct lcore *, const struct flow_key *key, const struct xlate_pkt *, uint64_t since, bool may,
		   struct upcall_answer *);
/* Likewise, and runs the answer; takes the packet with true. */
bool upcall_packet(struct lcore *, const struct flow_key *key, uint64_t since, bool may, struct rte_mbuf *);
/* For a flow hit with an old epoch: CACHE_NONE when it had to go (the caller makes upcalls then). */
uint32_t upcall_revalidate(struct lcore *, uint32_t f, const struct flow_key *key, const struct xlate_pkt *);
/* cache.credit */
void upcall_credit(void *lcore, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes, uint32_t used);
/* 'busy': packets came in this turn. */
void upcall_sweep(struct lcore *, bool busy);

/* miss.c: what of the slow path has to wait. */
int miss_init(struct lcore *);
void miss_fini(struct lcore *);
/* Whether one more translation may be made in this turn; miss_note() is told since when it was under way, and how many
 * upcalls there were before. */
bool miss_may(const struct lcore *);
void miss_note(struct lcore *, uint64_t start, uint64_t upcalls);
/* Takes a packet of a burst from 'port', and so all misses behind it that are from there. */
void miss_keep(struct lcore *, uint16_t port, struct rte_mbuf *);
/* Likewise packet 'i' of those that came out of tunnels; of a tunnel port only so many wait. */
void miss_keep_tunnel(struct lcore *, const struct decap_out *, unsigned i);
/* Whether a packet that waits, of a tunnel port that has some, may be of a flow that was installed at coarse time 'created'. */
bool miss_may_be_of(const struct lcore *, uint16_t port, uint32_t created);
/* Whether packets wait that came before 'seq'; misses.seq is that of the next one. */
bool miss_waits_before(const struct lcore *, uint32_t seq);
static inline bool
miss_waits(const struct lcore *lc, uint16_t port)
{
	return lc->misses.port[port].n;
}
/* At the end of a turn: as many as may be.  Returns their number. */
unsigned miss_turn(struct lcore *);
void miss_drop_all(struct lcore *);

/* exec.c: runs a program on packets of one flow; takes them. */
void exec_acts(struct lcore *, const struct flow_key *key, const struct act *, unsigned n_acts,
	       struct rte_mbuf **, unsigned n);
void exec_drop(struct lcore *, uint16_t port, enum dp_drop, struct rte_mbuf **, unsigned n);
/* Only counts them. */
void exec_count_drop(struct lcore *, uint16_t port, enum dp_drop, unsigned n);
/* Makes m[i] the caller's own, to write to.  Returns how many are left; what could not be copied is counted. */
unsigned exec_own(struct lcore *, uint16_t port, struct rte_mbuf **, unsigned n);
/* exec_edit.c: runs ACT_SET (and those that follow it), ACT_TRUNC, or a push or pop of MPLS or PBB at 'a', of which
 * '*n_words' were done.  Returns how many packets are left. */
unsigned exec_edit(struct lcore *, uint16_t port, const struct act *a, unsigned n_acts, unsigned *n_words,
		   struct rte_mbuf **, unsigned n);
/* Runs 'fn' on each packet, which must not be shared; one that it refuses gets a second chance as a copy, and is
 * dropped then. */
typedef bool edit_fn(struct rte_mbuf *, const struct act *, unsigned n_words);
unsigned exec_edit_all(struct lcore *, uint16_t port, edit_fn *fn, const struct act *, unsigned n_words,
		       struct rte_mbuf **, unsigned n);
/* meter.c: returns how many packets are left. */
unsigned exec_meter(struct lcore *, uint16_t port, uint32_t meter, struct rte_mbuf **, unsigned n);
void meters_free(struct dp *);
/* The guard of a port: return how many packets are left, in order. */
unsigned exec_guard_rx(struct lcore *, uint16_t port, struct rte_mbuf **, unsigned n);
unsigned exec_guard_tx(struct lcore *, uint16_t port, struct rte_mbuf **, unsigned n);
/* output.c: tx buffers. */
void tx_flush_all(struct lcore *);
void tx_flush_port(struct lcore *, uint16_t port);
void tx_drop_all(struct lcore *);
/* A new view: what waits for a port that is no more is not for the next one under its number. */
void tx_forget_old_ports(struct lcore *);

/* Sends a packet that leaves something to its receiver out of a port, as it is or cut to what the port takes; takes
 * it. */
void output_offload(struct lcore *, uint16_t port, struct rte_mbuf *);

/* direct.c: frames in their sender's memory, idx[0..n-1] of a burst.  They stay there: nothing is taken. */
struct frame_src {
	struct frames *fr;              /* lc->frames */
	uint16_t in_port;
	uint32_t came;                  /* Length of the longest one that came, */
	uint32_t longest;               /* and with the headers that were put in front of some since. */
};
/* Those of the whole burst that its port's guard lets in, as a set; the others are counted. */
uint32_t frames_guard_rx(struct lcore *, const struct frame_src *);
/* Sends them out of a port, straight into its peer's memory where that is possible. */
void frames_output(struct lcore *, const struct frame_src *, const uint8_t *idx, unsigned n, uint16_t port);
/* Runs a program on packet buffers with the same content. */
void frames_exec(struct lcore *, const struct frame_src *, const uint8_t *idx, unsigned n, const struct flow_key *key,
		 const struct act *, unsigned n_acts);
/* Makes packet buffers of them; returns how many, what could not be copied is counted. */
unsigned frames_to_mbufs(struct lcore *, const struct frame_src *, const uint8_t *idx, unsigned n, struct rte_mbuf **);
/* The same for what is likely to be gone when the burst is: the bytes of long frames stay where they are (loan.h). */
unsigned frames_lend(struct lcore *, const struct frame_src *, const uint8_t *idx, unsigned n, struct rte_mbuf **);

/* Packet buffers that stand for lc->frames: their data are a frame's private bytes, and nobody's to free, to keep or to send.
 * With them the functions of tunnels work on frames where they are; frame_follow() makes the frame what became of it. */
void frames_shadow_init(struct lcore *);
static inline struct rte_mbuf *
frame_shadow(struct lcore *lc, unsigned i)
{
	const struct frame *f = &lc->frames->f[i];
	struct rte_mbuf *m = &lc->shadow[i];

	m->data_off = f->at;
	m->data_len = (uint16_t)(f->end - f->at);
	m->pkt_len = f->len;
	return m;
}

static inline void
frame_follow(struct lcore *lc, unsigned i)
{
	const struct rte_mbuf *m = &lc->shadow[i];
	struct frame *f = &lc->frames->f[i];

	f->at = m->data_off;
	f->end = (uint16_t)(m->data_off + m->data_len);
	f->len = m->pkt_len;
}

/* decap.c, encap.c: the tunnel stage. */
/* Splits a burst of an underlay port: ordinary packets stay in front (their number is returned), packets
 * that came out of tunnels follow in the arrays given; dropped ones are gone. */
struct decap_out {
	unsigned n;
	struct rte_mbuf *m[BURST];
	uint16_t in_port[BURST];
	uint8_t frame[BURST];           /* Of frames_decap(): which one it is. */
	uint8_t flags[BURST];           /* FLOW_F_NO_LEARN. */
	uint32_t peer[BURST];
	uint64_t key[BURST];
	struct {                        /* The last bytes of a flow key, from tun_tos on. */
		uint8_t tos, ttl, flags, pad;
		uint8_t ext[TUN_EXT_LEN];
	} info[BURST];
};
unsigned tun_decap(struct lcore *, struct rte_mbuf **, unsigned n, uint16_t in_port, struct decap_out *);
/* Likewise those that left by tunnel port 'port' and never were on a wire.  What stays is nobody's. */
unsigned tun_decap_local(struct lcore *, struct rte_mbuf **, unsigned n, uint16_t port, struct decap_out *);
/* tun_local.c: queues packets with outer headers; takes them. */
void tun_local_add(struct lcore *, uint16_t tun_port, struct rte_mbuf **, unsigned n);
/* Takes those in that were queued before; returns how many. */
unsigned tun_local_service(struct lcore *);
void tun_local_drop_all(struct lcore *);
/* Likewise lc->frames of an underlay port: 'm' of what came out of tunnels are shadows, the ordinary ones are in the set
 * '*plain'.  False: this burst has to become packet buffers, and nothing has happened yet. */
bool frames_decap(struct lcore *, uint16_t in_port, struct decap_out *, uint32_t *plain);
/* To a destination, as if a guest's; lost unless that is READY.  Takes the packet. */
void tun_send(struct lcore *, uint32_t dst, struct rte_mbuf *);
/* tun_control.c: whether a frame from a tunnel is a BFD packet; takes one that is. */
bool tun_is_bfd(const struct rte_mbuf *);
void tun_take_bfd(struct lcore *, uint16_t tun_port, uint32_t dst, struct rte_mbuf *);
/* refuse.c: counts a packet for a tunnel endpoint and frees it (NULL: only counts it); now and then tells the control plane whose it was.  'r'
 * says all but 'n'.  Borrows 'r'. */
void tun_refuse(struct lcore *, const struct dp_refusal *r, struct rte_mbuf *);
/* A packet from a remote that has no number yet waits for it, if there is room: takes it.  'key_flags': as in decap_out. */
void tun_wait_rx(struct lcore *, uint16_t tun_port, const struct tun_set *outside, uint8_t key_flags, struct rte_mbuf *);
/* Encapsulates packets in place for destination 'dst'; what cannot go is dropped or waits.  'set' (may be NULL) is what
 * the flow asks for.  Returns how many are left in 'm'. */
unsigned tun_encap(struct lcore *, const struct flow_key *key, uint16_t tun_port, uint32_t dst, const struct tun_set *set,
		   struct rte_mbuf **m, unsigned n);
/* Runs a program on frames where they are, if it is one that puts them into a tunnel, and sends them out of '*port' then,
 * which is left to the caller.  False: it has to be run on packet buffers, and nothing has happened yet. */
bool frames_encap(struct lcore *, struct frame_src *, const uint8_t *idx, unsigned n, const struct act *, unsigned n_acts,
		  uint16_t *port);
/* Sends for what that will read, of a view that has tunnels.  The program may be any. */
void tun_fetch(const struct lcore *, const struct act *, unsigned n_acts);
/* Copies of the packets to all learned destinations of a port that are ready.  Borrows. */
void tun_flood(struct lcore *, const struct flow_key *key, uint16_t tun_port, const struct tun_set *set,
	       struct rte_mbuf *const *m, unsigned n);
/* Counts and frees pieces of frames that will not become whole; 'all': the thread ends. */
void tun_held_service(struct lcore *, bool all);
void tun_wait_service(struct lcore *);
void tun_wait_drop_all(struct lcore *);
/* frag.c: cuts a packet with outer headers, all checksums of which are right, into fragments for an underlay of 'mtu'.
 * Takes it; 0: there was no memory, or more than 'max' would be needed. */
enum { FRAG_MAX = 64 };
unsigned frag_split(struct lcore *, struct rte_mbuf *, uint32_t mtu, bool v6, struct rte_mbuf **out, unsigned max);
/* pmtud.c: ICMP "too big" towards the port the frame came from.  Borrows 'm'. */
void pmtud_answer(struct lcore *, const struct flow_key *key, const struct rte_mbuf *m, uint32_t mtu);

/* The packet of a key, for the translator. */
static inline struct xlate_pkt
pkt_of(const struct flow_key *key, const struct rte_mbuf *m)
{
	struct xlate_pkt p = { .data = rte_pktmbuf_mtod(m, const uint8_t *), .contig = m->data_len, .len = m->pkt_len };

	/* Decapsulation says how many bytes in front are options. */
	if (UNLIKELY(key->tun_peer && m->hash.usr)) {
		p.opts_len = m->hash.usr;
		p.opts = p.data - p.opts_len;
	}
	return p;
}

/* Whether someone else sees the packet's bytes. */
static inline bool
exec_is_shared(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) > 1 || RTE_MBUF_CLONED(m);
}

static inline void
drop_count(struct lcore *lc, uint16_t port, enum dp_drop why, uint64_t n)
{
	ctr_add(&lc->pstats[port].drops[why], n);
}

/* Whether one more packet may wait for the port, after a try to send those that do. */
static inline bool
tx_room(struct lcore *lc, uint16_t port)
{
	const struct tx_buf *b = &lc->tx[port];

	if (LIKELY(b->n < TX_BUF && b->bytes < TX_BUF_BYTES))
		return true;
	tx_flush_port(lc, port);
	return b->n < TX_BUF && b->bytes < TX_BUF_BYTES;
}

/* Queues a packet for a port; takes it. */
static inline void
tx_add(struct lcore *lc, uint16_t port, struct rte_mbuf *m)
{
	struct tx_buf *b = &lc->tx[port];

	if (UNLIKELY(!tx_room(lc, port))) {
		drop_count(lc, port, DROP_TX_QUEUE_FULL, 1);
		rte_pktmbuf_free(m);
		return;
	}
	b->bytes += m->pkt_len;
	b->m[b->n++] = m;
	if (!b->queued) {
		b->queued = true;
		b->serial = lc->ports->port[port].serial;
		lc->tx_dirty[lc->n_dirty++] = port;
	}
}

/* Sends packets within the port's limits, those that it can carry; takes them. */
static inline void
output_passed(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	const struct vport *vp = &lc->ports->port[port];

	for (unsigned i = 0; i < n; i++) {
		if (UNLIKELY(m[i]->ol_flags & OFFL_MBUF_MASK))
			output_offload(lc, port, m[i]);
		else if (LIKELY(m[i]->pkt_len <= vp->max_len))
			tx_add(lc, port, m[i]);
		else
			exec_drop(lc, port, vp->port ? DROP_TX_TOO_BIG : DROP_TX_DOWN, &m[i], 1);
	}
}

/* Sends packets out of a port; takes them. */
static inline void
output(struct lcore *lc, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	if (UNLIKELY(lc->ports->port[port].flags & VPORT_TX_LIMIT))
		n = exec_guard_tx(lc, port, m, n);
	output_passed(lc, port, m, n);
}

/* The bucket of a turn of so many cycles. */
static inline unsigned
dp_turn_bucket(uint64_t cycles)
{
	unsigned e = 63 - (unsigned)__builtin_clzll(cycles | 16);

	return MIN_OF((e - 4) * 4 + (unsigned)(cycles >> (e - 2) & 3), DP_TURN_BUCKETS - 1u);
}

/* Counts packets of a flow, and says that it is in use. */
static inline void
flow_hit(struct lcore *lc, struct cflow *fl, unsigned n, uint64_t bytes)
{
	fl->packets += n;
	fl->bytes += bytes;
	fl->used = lc->now;
	fl->flags |= CFLOW_TOUCHED;
}

#endif
