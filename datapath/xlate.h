/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between the datapath and whoever decides: the datapath knows flow keys, masks and
 * actions; a translator, given to it at start, answers a key it has not seen with actions, the bits
 * it looked at, and what the answer depended on.  No DPDK in here. */
#ifndef DATAPATH_XLATE_H
#define DATAPATH_XLATE_H

#include "datapath/act.h"
#include "datapath/drop.h"
#include "datapath/flow.h"

/* A tag names something that answers depend on: kind in the top four bits, a number or hash in the
 * other twelve.  Two things may share a tag (then one's change re-translates the other's flows, which
 * costs time and never correctness). */
typedef uint16_t dp_tag;

enum dp_tag_kind {
	TAG_ALL,                /* Every flow. */
	TAG_BRIDGE,             /* A bridge's settings or its set of ports: low bits of its number. */
	TAG_PORT,               /* A port's settings or state: low bits of its number. */
	TAG_MAC,                /* A MAC table row: hash of (bridge, VLAN, MAC). */
	TAG_NEXTHOP,            /* A tunnel destination's path: low bits of its index. */
	TAG_TABLE,              /* An OpenFlow table of a bridge, or any table of it. */
	TAG_RULE,               /* An OpenFlow group or meter. */
};

#define DP_N_TAGS 65536
#define XLATE_MAX_TAGS 8

static inline dp_tag
dp_tag_make(enum dp_tag_kind kind, uint32_t n)
{
	return (dp_tag)(kind << 12 | (n & 0xfff));
}

/* "Learn this": sent to the control thread, which alone writes MAC tables. */
struct xlate_learn {
	bool wanted;
	uint16_t bridge;
	uint16_t vid;
	uint16_t port;
	uint32_t tun_dst;               /* flow_key.tun_peer of the packet. */
	struct mac mac;
};

struct tlv_table;

/* The packet that a key was made of, for what the key has no room for.  Borrowed for the call. */
struct xlate_pkt {
	const uint8_t *data;            /* From the Ethernet header on. */
	uint32_t contig;                /* Bytes that can be read there... */
	uint32_t len;                   /* ...and the packet's own, at least as many. */
	const uint8_t *opts;            /* Options of the tunnel that it came out of (tunnels/tlv.h), in order. */
	uint32_t opts_len;
};

/* What an answer wants the control thread to be told, once, when it is made: opaque to the datapath. */
#define XLATE_NOTE_MAX 1016
struct xlate_note {
	uint16_t len;
	uint8_t data[XLATE_NOTE_MAX] __attribute__((aligned(8)));
};

/* Objects whose counters follow a flow's: opaque numbers, never 0. */
#define XLATE_MAX_REFS 128
#define XLATE_MAX_NOTES 2

struct xlate_out {
	struct flow_key mask;           /* Bits that were examined; in_port is always whole. */
	enum dp_drop drop;              /* Why nothing is sent. */
	uint16_t n_tags;
	dp_tag tags[XLATE_MAX_TAGS];    /* More than fit: tags[0] = TAG_ALL. */
	struct xlate_learn learn;
	uint64_t touch;                 /* Handed to touch() while the flow is in use; 0: nothing. */
	bool no_cache;                  /* Not to be installed: the answer holds for this packet only. */
	uint16_t n_refs;                /* Of refs[]: what credit() gets with the flow's packets. */
	uint8_t n_notes;                /* Of notes[].  One that cannot be handed on now makes the answer no_cache. */
	/* From here on nothing is zeroed before a translation. */
	uint64_t refs[XLATE_MAX_REFS];
	struct act_list acts;           /* Empty only with 'drop' set. */
	struct xlate_note notes[XLATE_MAX_NOTES];
};

/* More than fit: the packets are translated one by one, so that none goes uncounted. */
static inline void
xlate_ref(struct xlate_out *out, uint64_t ref)
{
	if (UNLIKELY(out->n_refs == XLATE_MAX_REFS))
		out->no_cache = true;
	else
		out->refs[out->n_refs++] = ref;
}

static inline void
xlate_tag(struct xlate_out *out, dp_tag tag)
{
	for (unsigned i = 0; i < out->n_tags; i++)
		if (out->tags[i] == tag)
			return;
	if (out->n_tags == XLATE_MAX_TAGS)
		out->tags[0] = dp_tag_make(TAG_ALL, 0);
	else
		out->tags[out->n_tags++] = tag;
}

struct xlate_ops {
	/* [lcore] 'view' is what the control thread last handed to dp_commit(), valid for the call.  'pkt' NULL: there
	 * is no packet, only a key.  'out' comes zeroed up to 'refs', with acts.n and acts.overflow zero.  Never blocks,
	 * allocates or logs.  (The control thread calls it too: to trace, and for packets of its own.) */
	void (*translate)(const void *view, const struct flow_key *key, const struct xlate_pkt *pkt,
			  struct xlate_out *out);
	/* [ctl] Bits of the key that any answer for packets from 'port' may examine.  The cache leaves all
	 * others out of the key.  Called at dp_commit(), once or twice per port and view. */
	void (*port_mask)(const void *view, uint16_t port, struct flow_key *mask);
	/* [ctl] A number that changes when what port_mask() says changes for any port, never 0.  NULL, or 0: each port is
	 * asked anew at every commit of a view. */
	uint64_t (*masks_version)(const void *view);
	/* [lcore] Options that packets of a tunnel port may bear, and what of them answers may examine: that is in the key
	 * as tlv_digest(), when any is.  NULL: nobody knows any.  Belongs to the view. */
	const struct tlv_table *(*port_opts)(const void *view, uint16_t port);
	/* [lcore] A flow whose answer carried 'touch' was used since the last call. */
	void (*touch)(const void *view, uint64_t touch);
	/* [lcore] So many packets and bytes more have followed an answer with these refs, the last one at 'used_ms'
	 * (clock_ms()); called when a flow is evicted, re-translated, swept or asked about.  NULL: nobody counts. */
	void (*credit)(const void *view, const uint64_t *refs, unsigned n, uint64_t packets, uint64_t bytes,
		       uint64_t used_ms);
};

#endif
