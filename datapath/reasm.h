/* SPDX-License-Identifier: Apache-2.0 */
/* Outer packets that come in fragments (RFC 791, RFC 8200, section 4.5), until they are whole.  Everything is bounded: packets
 * under way, those of one source, pieces and buffers, and the time they are kept.  Pieces that overlap cost the whole
 * packet (RFC 5722), as do those that contradict each other; pieces that are not the last have a least length, so that
 * 64 KB do not cost thousands of buffers.  One table a polling thread; not thread-safe. */
#ifndef DATAPATH_REASM_H
#define DATAPATH_REASM_H

#include "base/addr.h"

struct rte_mbuf;
struct reasm;

enum {
	REASM_PACKETS = 64,             /* Under way, */
	REASM_PER_SOURCE = 8,           /* of one sender; */
	REASM_PIECES = 64,              /* of one packet; */
	REASM_BUFS = 512,               /* buffers, in all; */
	REASM_MS = 500,                 /* since the first piece came. */
	REASM_MIN_PIECE = 256,          /* Bytes of payload, but for the last one. */
};

/* What a fragment says of itself, checked against its length. */
struct reasm_frag {
	struct ipaddr src, dst;
	uint32_t id;
	uint8_t proto;
	uint8_t tos;
	bool v6, more;
	uint16_t off, len;              /* Of its payload. */
	uint16_t hdr_len;               /* Up to there, from the Ethernet header on. */
};

/* Whether an untagged frame is an IP fragment, its headers in one buffer; reads nothing else.  False: also for what is
 * malformed, which the host may have.  An atomic fragment (RFC 6946) is none. */
bool reasm_peek(const struct rte_mbuf *, struct reasm_frag *);

enum reasm_verdict {
	REASM_HELD,                     /* Taken, more is to come. */
	REASM_WHOLE,                    /* '*m' is the whole packet, without a trace of fragments. */
	REASM_PLAIN,                    /* Not taken: of a packet that was found to be nobody's. */
	REASM_BAD,                      /* Not taken: overlaps, contradicts others, too small, or too much. */
};

struct reasm *reasm_create(void);
void reasm_destroy(struct reasm *);
/* 'ours': of a first fragment, whether the packet is to be put together.  Pieces that are lost by it (the oldest packet's
 * where there is no room, all of a packet with an overlap) wait for reasm_lost(). */
enum reasm_verdict reasm_add(struct reasm *, uint64_t now_ms, const struct reasm_frag *, bool ours, struct rte_mbuf **m);
/* Pieces of a packet that was found to be nobody's, which came before that was known: at most 'max'. */
unsigned reasm_plain(struct reasm *, struct rte_mbuf **out, unsigned max);
/* Pieces that were kept in vain, by now or 'all': at most 'max'; 'overlap': what overlapped, else what was late. */
unsigned reasm_lost(struct reasm *, uint64_t now_ms, bool all, bool *overlap, struct rte_mbuf **out, unsigned max);
bool reasm_holds(const struct reasm *);

#endif
