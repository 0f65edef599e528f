/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath as the control thread drives it: polling threads, ports, publication, counters,
 * dumps.  Everything here is [ctl] unless it says otherwise.  Nothing blocks on a polling thread;
 * answers come through callbacks run by dp_poll(). */
#ifndef DATAPATH_DP_H
#define DATAPATH_DP_H

#include "base/err.h"
#include "datapath/port.h"
#include "datapath/tunnel.h"
#include "datapath/xlate.h"

struct dp;

enum {
	DP_MAX_PORTS = 16384,           /* Port numbers 1..16383. */
	DP_MAX_LCORES = 32,
	DP_REFUSALS_PER_MS = 2,
};

struct dp_tun_peer {
	uint16_t port;
	bool heard;                     /* It has sent something; else something is to be sent there. */
	struct ipaddr remote, local;    /* 'local' none: whatever the route prefers. */
};

/* Packets for a tunnel endpoint that were dropped.  One of several stands for all that came from its sender since the last
 * time. */
struct dp_refusal {
	enum dp_drop why;
	uint32_t n;                     /* Packets; those of another sender may be among them. */
	const struct tun_type *type;    /* NULL: nobody looked. */
	struct ipaddr src, dst;         /* Outer. */
	uint64_t key;
	bool keyed;                     /* 'key' was read. */
	uint16_t underlay;              /* Port that it came in on; 0: not known any more. */
	uint16_t port;                  /* Tunnel port; 0: none. */
};

struct dp_conf {
	unsigned n_lcores;
	unsigned cpu[DP_MAX_LCORES];    /* CPU of each polling thread. */
	const char *run_dir;
	uint32_t n_mbufs;               /* Packet buffers; about 2.3 KiB each. */
	uint32_t max_flows;             /* Cached flows per polling thread; 0: as many as there is room for. */
	uint64_t cache_bytes;           /* Memory of its flow cache: see cache_init(). */
	bool poll_always;               /* Never sleep. */
	uint32_t idle_us;               /* Time without work before a thread goes to sleep. */
	uint32_t upcall_rate;           /* New flows per second and port; 0: no limit. */
	uint32_t upcall_turn_us;        /* No translation is begun in a turn that had so much of it; 0: 50. */
	const char *isa;                /* "auto", or one of dp_isa_names(). */
	const struct xlate_ops *xlate;
	/* A MAC address was seen where the answer did not expect it. */
	void (*learn)(void *arg, const struct xlate_learn *);
	/* A port's link may have changed (any cause). */
	void (*port_changed)(void *arg, uint16_t port);
	/* Packets wait for a tunnel destination whose next hop is unresolved. */
	void (*resolve)(void *arg, uint32_t tun_dst);
	/* Packets wait for a remote of a tunnel port to become a (learned) destination. */
	void (*peer)(void *arg, const struct dp_tun_peer *);
	/* ACT_PUNT: a packet for the control plane, with the instruction's data.  'frame' has 'len' of the packet's
	 * 'orig_len' bytes.  Borrowed.  NULL: such packets are dropped. */
	void (*punt)(void *arg, uint16_t in_port, const void *data, unsigned data_len, const void *frame, uint32_t len,
		     uint32_t orig_len);
	/* A BFD packet (tun_is_bfd()) came in from a tunnel destination whose endpoint asked for them: the frame inside.
	 * Borrowed. */
	void (*tun_control)(void *arg, uint32_t tun_dst, const void *frame, uint32_t len);
	/* Tunnel packets are refused: a sample, at most DP_REFUSALS_PER_MS of a thread in a millisecond.  NULL: nobody asks. */
	void (*refused)(void *arg, const struct dp_refusal *);
	/* An answer's note. */
	void (*note)(void *arg, const void *data, unsigned len);
	void *arg;
};

/* Needs rte_eal_init() done.  Starts the threads (named "pmd-c<CPU>").  NULL with 'e' set on failure. */
struct dp *dp_create(const struct dp_conf *, struct err *e);
/* Removes every port, ends the threads, frees. */
void dp_destroy(struct dp *);

/* Readable when dp_poll() has something to do; dp_poll() must also run every few ms while it returns true
 * (grace periods under way). */
int dp_event_fd(const struct dp *);
bool dp_poll(struct dp *);

/* --- Ports --------------------------------------------------------------------------------- */

/* Opens a port; no thread sees it until dp_commit().  'id' 0: the lowest free number. */
struct port *dp_port_add(struct dp *, const struct port_type *, const char *name, uint16_t id,
			 const void *conf, struct err *e);
/* Takes it out of the next commit; closed and freed after that one's grace period. */
void dp_port_del(struct dp *, struct port *);
struct port *dp_port(const struct dp *, uint16_t id);           /* NULL: none. */

/* --- Receive queues ------------------------------------------------------------------------ */

struct dp_rxq {
	uint16_t port, q;
	unsigned cpu;                   /* Of the thread that polls it. */
	bool pinned, moving;
	uint16_t load;                  /* Thousandths of that thread's time, lately. */
	uint32_t moves;
	uint64_t packets, busy_cycles;
};
enum { DP_MAX_RXQ = 16 };               /* Of one port. */
/* The queues that live, in order; how many, at most 'max'. */
unsigned dp_rxqs(const struct dp *, struct dp_rxq *, unsigned max);
/* Its packets are taken by thread 'lcore' soon; none is lost or turned around.  -ENOENT: no such queue or thread, -EBUSY:
 * it moves just now. */
int dp_rxq_move(struct dp *, uint16_t port, uint16_t q, unsigned lcore);
/* Queue q of the port is for the thread on cpu[q % n] alone; n 0: for any.  Of the number, whether or not a port is
 * there.  False: some of the CPUs has no polling thread; queues that would be its are for any. */
bool dp_port_pin(struct dp *, uint16_t port, const unsigned *cpu, unsigned n);
/* Measures, and moves a queue if one thread has too much for long; call about once a second. */
void dp_balance(struct dp *);

/* --- Publication --------------------------------------------------------------------------- */

/* What translate() will be given.  The datapath calls 'destroy' on the old one after its grace period. */
void dp_set_xlate_view(struct dp *, const void *view, void (*destroy)(void *));
void dp_set_tunnels(struct dp *, struct tun_view *);
/* When a learned destination was last used, in seconds of clock_ms(); 0: never. */
uint32_t dp_tun_used(const struct dp *, uint32_t dst);
/* The index is another destination's from now on. */
void dp_tun_used_reset(struct dp *, uint32_t dst);
/* Marks a tag: cached flows that depend on it are translated anew on their next hit. */
void dp_tag_changed(struct dp *, dp_tag);
/* Runs fn(obj) after the grace period of the next commit. */
void dp_defer(struct dp *, void (*fn)(void *), void *obj);
/* Publishes all of the above at once.  'done' (may be NULL) runs when no packet follows the old state any
 * more: the moment to tell the user "done". */
void dp_commit(struct dp *, void (*done)(void *), void *arg);

/* --- Counters ------------------------------------------------------------------------------ */

struct dp_port_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[DP_N_DROPS];     /* Both directions, by reason. */
};
void dp_port_stats(const struct dp *, uint16_t id, struct dp_port_stats *);

/* Lengths of turns, in steps of a quarter of a power of two, from 16 cycles on. */
enum { DP_TURN_BUCKETS = 128 };

struct dp_lcore_stats {
	unsigned cpu;
	uint64_t turns, busy_turns;
	uint64_t busy_cycles, idle_cycles, sleep_cycles, upcall_cycles;
	uint64_t sleeps, wakeups;
	uint64_t packets;
	uint64_t hint_hits, mega_hits, upcalls, upcall_drops;   /* Tiers, in packets. */
	uint64_t retranslated, evicted, expired;                /* Flows. */
	uint64_t n_flows, n_masks, max_flows;                   /* Present. */
	uint64_t tun_waiting;                                   /* Packets waiting for next hops. */
	uint64_t n_rxq;
	uint64_t tsc_hz;
	uint64_t turn_max;                      /* Cycles of the longest turn with packets... */
	uint64_t turn_hist[DP_TURN_BUCKETS];    /* ...and how many there were of each length. */
};
unsigned dp_n_lcores(const struct dp *);
void dp_lcore_stats(const struct dp *, unsigned i, struct dp_lcore_stats *);
/* The length, in cycles, that 'permille' thousandths of the turns with packets were not longer than, a fifth too high at
 * most; 0: there was none. */
uint64_t dp_turn_quantile(const struct dp_lcore_stats *, unsigned permille);
const char *dp_isa_name(const struct dp *);             /* In use: "x86-64-v4". */
const char *const *dp_isa_names(void);                  /* Those this CPU can run, best first; ends with NULL. */

struct dp_mem_stats {
	uint64_t mbufs, mbufs_in_use;
	uint64_t mbuf_bytes;
	uint64_t flow_bytes;            /* Caches of all threads, their hint indices included... */
	uint64_t hint_bytes;            /* ...which take this. */
	uint64_t port_bytes;            /* What threads keep for each port number: output buffers, counters, budgets. */
	uint64_t queue_bytes;           /* Between threads: requests, events, notes, punted packets. */
	uint64_t table_bytes;           /* Tables of ports, queues and tags. */
	bool hugepages;
};
void dp_mem_stats(const struct dp *, struct dp_mem_stats *);

/* --- Cached flows -------------------------------------------------------------------------- */

struct dp_flow {
	struct flow_key key, mask;
	uint32_t id;                    /* Index in its thread's cache. */
	unsigned lcore;
	uint64_t packets, bytes;
	uint64_t age_us, idle_us;
	enum dp_drop drop;
	bool stale;                     /* Something it depends on has changed: its next packet is translated anew. */
	uint16_t n_tags;
	dp_tag tags[XLATE_MAX_TAGS];
	uint16_t n_acts;
	struct act acts[64];            /* The first words of them; n_acts says how many there are. */
};

/* Asks thread 'lcore' for up to 'max' flows from cache slot 'from' on.  'cb' gets them (borrowed for the
 * call) and the slot to go on from, 0 when that was all. */
int dp_flow_dump(struct dp *, unsigned lcore, uint32_t from, unsigned max,
		 void (*cb)(void *arg, const struct dp_flow *, unsigned n, uint32_t next), void *arg);
/* Forgets every cached flow (they are translated anew on demand). */
void dp_flow_flush(struct dp *);

/* Hands what every cached flow has counted so far to xlate's credit(); 'done' runs when all threads have.  In
 * quanta: packets do not wait for it. */
void dp_fold(struct dp *, void (*done)(void *), void *arg);

/* --- Meters -------------------------------------------------------------------------------- */

enum { DP_MAX_METERS = 4096, DP_METER_BANDS = 8 };       /* Numbers 0..4095. */

struct dp_meter_band {
	uint64_t rate;                  /* Packets or kilobits per second above which it applies. */
	uint64_t burst;                 /* Packets or kilobits. */
	bool remark;                    /* Raise the drop precedence in the DSCP by 'prec_level'; else drop. */
	uint8_t prec_level;
};
struct dp_meter_conf {
	bool pktps;                     /* Rates are in packets, else in kilobits. */
	unsigned n_bands;
	struct dp_meter_band band[DP_METER_BANDS];      /* The one with the highest rate that is exceeded applies. */
};
struct dp_meter_stats {
	uint64_t packets, bytes;        /* In. */
	struct {
		uint64_t packets, bytes;
	} band[DP_METER_BANDS];
};
/* Effective on the next packet; a set of an existing one keeps its counters.  -ENOSPC: number out of range. */
int dp_meter_set(struct dp *, uint32_t meter, const struct dp_meter_conf *);
void dp_meter_del(struct dp *, uint32_t meter);         /* ACT_METER of it lets everything through. */
void dp_meter_stats(const struct dp *, uint32_t meter, struct dp_meter_stats *);

/* --- Packets from the control plane -------------------------------------------------------- */

/* Sends a frame as if it had come in on port 'in_port' (copied; at most 2048 bytes). */
int dp_inject(struct dp *, uint16_t in_port, const void *frame, uint16_t len);
/* Runs a program on a frame (copied, at most 65535 bytes): after every commit before it, in order with other calls.
 * 'key' is the frame's (its in_port gets the drop counters; 0 is allowed).  -ENOBUFS: too many are under way. */
int dp_exec(struct dp *, const struct flow_key *key, const void *frame, uint32_t len, const struct act *, unsigned n_acts);
/* Sends a frame (copied) to a tunnel destination; lost unless that is READY.  -ENOBUFS: too much is under way. */
int dp_tun_send(struct dp *, uint32_t tun_dst, const void *frame, uint32_t len);

#endif
