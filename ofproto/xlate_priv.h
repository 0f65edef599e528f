/* SPDX-License-Identifier: Apache-2.0 */
/* One translation: what normal.c (where does it go) and program.c (how does it get there) share. */
#ifndef OFPROTO_XLATE_PRIV_H
#define OFPROTO_XLATE_PRIV_H

#include "ofproto/ofp_priv.h"

/* State of one translation. */
struct xl {
	const struct ofp_view *view;
	const struct flow_key *key;
	struct xlate_out *out;
	unsigned depth;                 /* Bridges around this one. */
	unsigned n_visits;              /* Bridges so far. */
	bool loop, too_much;
};

/* The frame on its way: the packet of the key, or the outer frame of a tunnel packet. */
struct frame {
	struct mac src, dst;
	bool outer;                     /* Of a tunnel: the key says nothing about it, and it has no tags. */
	uint8_t n_off;                  /* Tags of its own that are taken off. */
	uint16_t vid;                   /* The tag that is put on; 0: none. */
};

/* How a copy leaves. */
struct leave {
	uint16_t port;
	bool tunnel;                    /* To destination 'dst' of tunnel port 'port'. */
	bool flooded;                   /* One of many: the bridge's tag covers what it depends on. */
	uint32_t dst;
};

struct out {
	uint32_t edit;                  /* What to do to the tags first: see program.c.  0: nothing. */
	struct leave to;
};

/* Copies found so far.  On the stack of the polling thread, and not cleared: a unicast frame uses one. */
struct outs {
	unsigned n;
	bool overflow;
	struct out o[ACT_MAX];
};

static inline void
outs_init(struct outs *o)
{
	o->n = 0;
	o->overflow = false;
}

/* program.c */
void outs_add(struct outs *, const struct frame *, const struct flow_key *, struct leave);
/* Writes the program for all copies to x->out->acts. */
void program_emit(struct xl *, const struct outs *);

/* normal.c */
/* Lets the frame into the bridge of 'in_port'.  DROP_NONE: copies were added to 'o'. */
enum dp_drop visit(struct xl *, struct outs *o, struct frame, uint16_t in_port, uint32_t tun_peer);

#endif
