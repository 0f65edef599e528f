/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of STT that came in several segments, until they are whole.  One per polling thread. */
#ifndef TUNNELS_STT_PRIV_H
#define TUNNELS_STT_PRIV_H

#include "base/addr.h"

struct rte_mbuf;
struct tun_limits;

enum {
	STT_MAX_FRAMES = 128,           /* Incomplete at a time. */
	STT_MAX_SEGS = 132,             /* Of one frame: 65535 by the shortest segment, and some. */
	STT_MIN_SEG = 512,              /* Bytes of a segment that is not the last: IPv4's least MTU leaves 536. */
};

/* Whose segment it is, and where it belongs. */
struct stt_seg {
	struct ipaddr src, dst;
	uint32_t id;                    /* Of the frame: TCP's acknowledgement number, as it is in the packet. */
	uint16_t sport;
	uint16_t total, off, len;       /* Of the frame; of this piece of it. */
	bool ce;                        /* Congestion experienced, by its outer header. */
};

enum stt_verdict {
	STT_HELD,               /* Taken, and more is to come. */
	STT_WHOLE,              /* '*m' is the frame, in a chain of buffers; 'ce' that of any of its segments. */
	STT_OVERLAP,            /* A duplicate, or one that contradicts what is held: the caller's to drop. */
};

struct stt_table;
struct stt_table *stt_table_create(const struct tun_limits *);
/* Frees what it holds. */
void stt_table_destroy(struct stt_table *);
/* '*m' is a segment's payload, no headers.  Frames that took too long, or that there is no room for, are lost. */
enum stt_verdict stt_table_add(struct stt_table *, struct stt_seg *, struct rte_mbuf **m, uint64_t now_ms);
/* Gives the buffers of up to 'max' lost frames, a chain each.  'all': of everything that is held. */
unsigned stt_table_reap(struct stt_table *, bool all, uint64_t now_ms, struct rte_mbuf **out, unsigned max);
/* Buffers held, lost ones included. */
unsigned stt_table_bufs(const struct stt_table *);

#endif
