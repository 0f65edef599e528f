/* SPDX-License-Identifier: Apache-2.0 */
/* One translation: what normal.c (where does it go), program.c (how does it get there) and the OpenFlow pipeline
 * (pipe_priv.h) share. */
#ifndef OFPROTO_XLATE_PRIV_H
#define OFPROTO_XLATE_PRIV_H

#include "ofproto/ofp_priv.h"

struct pipe_tr;
struct trace;

/* Tags while there may be more than an answer has room for: xl_tags_close() makes fewer of them. */
enum { XL_MAX_TAGS = 96 };
struct xl_tags {
	unsigned n;
	bool overflow;
	struct xl_tag {
		dp_tag tag;
		uint8_t kind;           /* enum dp_tag_kind... */
		uint16_t bridge;        /* ...and the bridge of a port or table. */
	} t[XL_MAX_TAGS];
};

/* State of one translation. */
struct xl {
	const struct ofp_view *view;
	const struct flow_key *key;     /* Of the frame as it came into the learning switch that is at work... */
	struct flow_key *mask;          /* ...and what that one has looked at of it. */
	struct xlate_out *out;
	const struct xlate_pkt *pkt;    /* May be NULL. */
	struct pipe_tr *of;             /* The packet in OpenFlow's terms, once a pipeline has seen it. */
	struct xl_tags *tags;           /* NULL: straight into the answer. */
	const struct ofp_tun_path *outer;       /* Of the tunnel whose outer frame is followed. */
	const struct oflow *from;       /* Of a trace: the tunnel it came out of, whose far end has no number; NULL. */
	const struct oflow *opts;       /* Of a trace without a packet: the tunnel's options; NULL. */
	struct trace *trace;            /* Who wants to read what happens; NULL. */
	unsigned depth;                 /* Bridges around this one. */
	unsigned n_visits;              /* Bridges so far. */
	unsigned n_sent;                /* Outputs and the like in the program. */
	enum dp_drop why;               /* The last reason why something was not sent. */
	bool loop, too_much;
};

void xl_tag_add(struct xl_tags *, dp_tag, enum dp_tag_kind, uint16_t bridge);
/* From here on tags are collected in 'list'; what the answer has already moves there. */
void xl_tags_open(struct xl *, struct xl_tags *list);
void xl_tags_close(struct xl *);

static inline void
xl_tag_of(struct xl *x, dp_tag tag, enum dp_tag_kind kind, uint16_t bridge)
{
	if (UNLIKELY(x->tags))
		xl_tag_add(x->tags, tag, kind, bridge);
	else
		xlate_tag(x->out, tag);
}

static inline void
xl_tag(struct xl *x, dp_tag tag)
{
	xl_tag_of(x, tag, TAG_ALL, 0);
}

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
	bool tunnel : 1;                /* To destination 'dst' of tunnel port 'port'. */
	bool flooded : 1;               /* One of many: the bridge's tag covers what it depends on. */
	bool learned : 1;               /* To all learned destinations of tunnel port 'port'. */
	bool pipe : 1;                  /* Into the OpenFlow bridge of 'port', which is the end of a patch... */
	bool outer : 1;                 /* ...the outer frame of a tunnel packet. */
	bool keyed : 1;                 /* Into a tunnel, with 'key'. */
	uint32_t dst, key;
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

/* Tag changes as one number, so that they compare at a glance: tags to pop, then what to do, then VLAN. */
enum edit_op { EDIT_NONE, EDIT_PUSH, EDIT_SET };

static inline uint32_t
edit_make(unsigned n_pop, enum edit_op op, uint16_t vid)
{
	return n_pop << 24 | (uint32_t)op << 16 | vid;
}

static inline void
edit_split(uint32_t edit, unsigned *n_pop, enum edit_op *op, uint16_t *vid)
{
	*n_pop = edit >> 24;
	*op = edit >> 16 & 0xff;
	*vid = (uint16_t)edit;
}

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
/* The packet into a tunnel, and on its way.  It is another packet then. */
void program_tunnel(struct xl *, const struct leave *);
/* Copies of it to all learned destinations of a tunnel port. */
void program_tunnel_learned(struct xl *, const struct leave *);

/* normal.c */
/* Lets the frame into the bridge of 'in_port'.  DROP_NONE: copies were added to 'o'. */
enum dp_drop visit(struct xl *, struct outs *o, struct frame, uint16_t in_port, uint32_t tun_peer);
/* The learning switch itself; 'in' may be made up for frames that come from no port. */
enum dp_drop visit_bridge(struct xl *, struct outs *o, struct frame, const struct view_port *in, uint16_t in_port,
			  uint32_t tun_peer);
/* The whole of translate(); view, key, mask, out and pkt are set. */
void xl_translate(struct xl *);
/* Whether the frame may come in there: counts it, with the bridges around it.  DROP_NONE: visit_end() follows. */
enum dp_drop visit_begin(struct xl *, struct mac dst, uint16_t in_port, const struct view_port **in);
void visit_end(struct xl *);
/* The last step: what went wrong becomes a drop. */
void xl_finish(struct xl *);
/* What the learning switch looks at of any frame. */
void examine_l2(struct flow_key *mask);

static inline const struct view_port *
port_find(const struct ofp_view *v, uint16_t port)
{
	return port < v->n_ports && v->port[port].bridge ? &v->port[port] : NULL;
}

#endif
