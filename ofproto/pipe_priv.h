/* SPDX-License-Identifier: Apache-2.0 */
/* translate() of OpenFlow pipelines: what the pipe_*.c files share.
 *
 * One packet is followed through tables, groups and patch ports: 'struct pipe_tr'.  It is a struct oflow that actions
 * change as they go, with the changes that the program (x->out->acts) has not been told yet: they are written where
 * a copy leaves (pipe_commit()), and only then.
 *
 * What the answer depends on.  Look-ups and actions note in 'wc' which bits they have looked at.  A bit that an action
 * has written says nothing about the packet any more: those are in 'own', and what is looked at there does not count.
 * A value that was moved counted when it was read.  pipe_settle() moves what counts to 'real'. */
#ifndef OFPROTO_PIPE_PRIV_H
#define OFPROTO_PIPE_PRIV_H

#include "ofproto/trace.h"
#include "ofproto/xlate_priv.h"

enum {
	PIPE_MAX_DEPTH = 64,            /* Resubmits, groups and clones inside each other. */
	PIPE_MAX_RESUBMITS = 4096,      /* Of one translation. */
	PIPE_MAX_STACK = 64,
	PIPE_MAX_SETS = 64,             /* WRITE_ACTIONS since the last CLEAR_ACTIONS. */
	PIPE_MAX_TAGS = 4,              /* VLAN tags that are pushed, or lie below the two that a flow shows. */
};

struct pipe_vlan {
	be16_t tpid, tci;               /* 'tci' with OFLOW_VLAN_PRESENT. */
};

/* The packet as the actions so far have made it. */
struct pipe_pkt {
	struct oflow flow;
	struct oflow own;               /* Bits that are not the key's at this place... */
	struct oflow beyond;            /* ...but come from deeper in the packet.  Zero without 'has_beyond'. */
	uint32_t dirty;                 /* Fields that the program does not have yet: bits of enum act_field. */
	bool has_beyond;
	uint8_t n_pop;                  /* Tags that the program has yet to take off... */
	uint8_t n_push;                 /* ...then to put on, the last one outermost... */
	uint8_t n_below;                /* ...and those below the ones in 'flow', the last one outermost. */
	uint8_t n_tags_off, n_tags_on;  /* Of the packet's own, and of those that were put on and are still there. */
	uint16_t set_tci, set_mask;     /* What is to be written to the tag that is outermost between the two; host order. */
	struct pipe_vlan push[PIPE_MAX_TAGS], below[PIPE_MAX_TAGS];
	uint16_t l2_off;                /* Where the frame starts in the packet: behind a PBB header that was taken off. */
	uint8_t n_labels_off;           /* Of the packet's own label stack. */
	uint8_t n_labels_on;            /* Labels that were pushed, and are still there. */
	bool has_inner;                 /* Under a PBB header that was put on: */
	struct {
		struct mac dl_dst, dl_src;
		be16_t dl_type;
		struct pipe_vlan vlan[2];
	} inner;
};

/* One translation, as far as pipelines have to do with it. */
struct pipe_tr {
	struct xl *x;
	const struct flow_key *key;     /* What it started from... */
	struct flow_key fresh;          /* ...when that had to be made anew. */
	uint16_t flags;                 /* OFPC_* of the first bridge. */
	bool control;                   /* For the tunnel's endpoint, and no rule has asked for such: to no port. */
	bool foreign;                   /* Not the packet of the key but an outer frame: nothing of it counts. */
	unsigned depth;                 /* See PIPE_MAX_DEPTH. */
	unsigned n_resubmits;
	uint16_t keep;                  /* Instructions up to here have an effect: what follows is not needed yet. */
	struct pipe_pkt pk;
	struct oflow wc;                /* Looked at since the last pipe_settle(). */
	struct oflow real;
};

/* One bridge on the way. */
struct walk {
	struct pipe_tr *t;
	struct xl *x;
	const struct view_bridge *b;
	const struct of_pipe *pipe;
	uint64_t version;
	uint16_t bridge;
	uint16_t in_port;               /* Datapath number; 0: none, from the controller. */
	uint32_t tun_peer;              /* Of a packet that has just come out of a tunnel. */
	uint8_t table;                  /* Whose actions run; 0xff: none's, those of a packet-out. */
	uint8_t reason;                 /* OFPR_* of packets for the controller. */
	bool stop;                      /* EXIT: no further actions but the action set. */
	bool dead;                      /* Nothing more at all. */
	const struct of_rule *rule;     /* NULL: none. */
	uint16_t n_sets, n_stack;
	struct of_acts set[PIPE_MAX_SETS];
	uint8_t stack[PIPE_MAX_STACK][16];
};

/* A branch: the program goes on with a copy of the packet, and afterwards with the packet as it was. */
struct pipe_branch {
	struct pipe_pkt pk;
	uint16_t at, keep;
};

/* --- pipe_key.c: flow keys and OpenFlow's flows ------------------------------------------------- */

/* Makes the flow of x->key; x->of points to 't' until pipe_fini(). */
void pipe_init(struct pipe_tr *t, struct xl *x);
/* Likewise of the outer frame that x->outer will put around a packet. */
void pipe_init_outer(struct pipe_tr *t, struct xl *x);
/* Adds what was looked at to x->out->mask. */
void pipe_fini(struct pipe_tr *t);
/* A key that makes this flow; its tunnel is not said. */
void pipe_key_of(const struct oflow *, uint16_t in_port, struct flow_key *);
/* Fields of layer 3 and up, and the label stack. */
void pipe_fill_l3(struct oflow *, const struct flow_key *);
/* What the key has no room for: options of neighbour discovery, extension headers, long ARP opcodes. */
void pipe_fill_extra(struct oflow *, const struct flow_key *, const struct xlate_pkt *, uint32_t l2_off);
/* The key of the flow as the learning switch would have it, and back what it has looked at. */
void pipe_l2_key(const struct pipe_tr *, uint16_t in_port, struct flow_key *);
void pipe_l2_mask(struct pipe_tr *, const struct flow_key *mask);
/* Which tunnel it came from counts, whatever actions have made of the addresses. */
void pipe_look_at_peer(struct pipe_tr *);

/* Whether any bit is set in a field, of at most as many bytes as all tun_metadata together. */
static inline bool
any_bytes(const void *p, size_t n)
{
	static const uint8_t zero[OF_TUN_MD_MAX * sizeof(be64_t)];

	return memcmp(p, zero, n) != 0;
}

/* --- pipe_tun.c: tunnels ------------------------------------------------------------------------ */

/* Tunnel fields of a flow, of a key that came out of a tunnel... */
void pipe_fill_tunnel(struct oflow *, const struct xl *, const struct flow_key *);
/* ...of those that were looked at, the bits of the key... */
void pipe_mask_tunnel(struct pipe_tr *, const struct oflow *wc, struct flow_key *mask);
/* ...and the other way round: what the key of a tunnel port has of such fields. */
void pipe_tunnel_key(const struct ofp_view *, const struct oflow *, struct flow_key *);
/* What the flow asks of the outer headers of a port. */
void pipe_tunnel_set(struct pipe_tr *, const struct view_port *to, struct tun_set *);

/* --- pipe_commit.c: changes of the packet ------------------------------------------------------- */

/* 'len' bytes of the flow at 'offset' are about to be written: what was looked at there counts. */
void pipe_settle(struct pipe_tr *, size_t offset, size_t len);
void pipe_settle_all(struct pipe_tr *);
/* Writes bits of a field (mask NULL: all); nothing when the packet has no such field.  The need was examined. */
void pipe_write(struct walk *, enum of_field, const uint8_t *value, const uint8_t *mask);
void pipe_write_sub(struct walk *, const struct of_sub *, const uint8_t value[16]);
/* Reads, and notes that it was looked at. */
void pipe_read_sub(struct walk *, const struct of_sub *, uint8_t value[16]);
/* Looks at whether the packet has what the field needs. */
bool pipe_has(struct walk *, enum of_field);

bool pipe_has_tag(struct pipe_tr *);
void pipe_pop_vlan(struct pipe_tr *);
/* False: too many tags. */
bool pipe_push_vlan(struct pipe_tr *, be16_t tpid, be16_t tci);
/* Bits of the outermost tag, which may come or go by that. */
bool pipe_set_tci(struct pipe_tr *, be16_t tci, be16_t mask);
bool pipe_push_mpls(struct walk *, be16_t type);
void pipe_pop_mpls(struct walk *, be16_t type);
/* Whether IP is below the last label: its TTL is in the flow then.  And writing the TTL of what follows the outermost
 * label, the packet's last one if 'bottom'. */
bool pipe_under_labels(struct walk *);
void pipe_write_inner_ttl(struct walk *, bool bottom, uint8_t ttl);
bool pipe_push_pbb(struct walk *, be16_t type);
void pipe_pop_pbb(struct walk *);

/* The program does what is outstanding. */
void pipe_commit(struct pipe_tr *);
/* What was added to the program has an effect. */
void pipe_effect(struct pipe_tr *);
void pipe_branch_begin(struct pipe_tr *, struct pipe_branch *);
void pipe_branch_end(struct pipe_tr *, struct pipe_branch *);
/* Ends a program: what has no effect goes. */
void pipe_trim(struct pipe_tr *, uint16_t from);

/* --- pipe.c: bridges, tables, rules ------------------------------------------------------------- */

/* The whole translation of a packet that comes in at an OpenFlow bridge. */
void pipe_translate(struct xl *);
/* An action list of a controller, on the packet of x->key; 'meta' (may be NULL): registers and the like. */
void pipe_packet_out(struct xl *, uint16_t bridge, uint32_t in_port, const struct oflow *meta, struct of_acts);
/* The program is complete: leaves out what has no effect, and says why when nothing is sent. */
void pipe_end(struct pipe_tr *);
/* The learning switch has the packet; what it does to it is for a branch of its own. */
void pipe_normal(struct pipe_tr *, const struct view_port *in, uint16_t in_port, uint32_t tun_peer);
/* A copy of the packet goes from a learning switch, changed by 'edit', into an OpenFlow bridge. */
void pipe_continue(struct xl *, const struct leave *, uint32_t edit);
/* The packet of 't', as it is, comes in at a port that is the end of a patch. */
void pipe_enter(struct pipe_tr *, uint16_t in_port);
void pipe_walk_init(struct walk *, struct pipe_tr *, uint16_t bridge, uint16_t in_port, uint32_t of_in_port);
/* From a table on, through GOTO_TABLE; 'in_port' (OpenFlow's) for the first look-up, 'in_tables': that is the packet's
 * way, whose misses have the consequences that they have. */
void pipe_tables(struct walk *, uint8_t table, uint32_t in_port, bool in_tables);
/* Runs a list; returns the table to go to, or -1. */
int pipe_acts(struct walk *, struct of_acts);
/* Runs lists as an action set: in its own order. */
void pipe_action_set(struct walk *, const struct of_acts *, unsigned n);
void pipe_why(struct walk *, enum dp_drop);

static inline bool
pipe_over(const struct walk *w)
{
	return w->stop || w->dead || w->x->loop || w->x->too_much;
}

/* --- pipe_act.c --------------------------------------------------------------------------------- */

/* Runs one action that is no instruction. */
void pipe_act(struct walk *, const struct of_act *);
/* The action runs on a copy. */
void pipe_clone(struct walk *, struct of_acts);

/* What belongs to the packet but is not in it: action set and stack. */
struct pipe_saved {
	uint16_t n_sets, n_stack;
	struct of_acts set[PIPE_MAX_SETS];
	uint8_t stack[PIPE_MAX_STACK][16];
};

static inline void
pipe_save(const struct walk *w, struct pipe_saved *v)
{
	v->n_sets = w->n_sets;
	v->n_stack = w->n_stack;
	memcpy(v->set, w->set, w->n_sets * sizeof w->set[0]);
	memcpy(v->stack, w->stack, w->n_stack * sizeof w->stack[0]);
}

static inline void
pipe_restore(struct walk *w, const struct pipe_saved *v)
{
	w->n_sets = v->n_sets;
	w->n_stack = v->n_stack;
	memcpy(w->set, v->set, v->n_sets * sizeof w->set[0]);
	memcpy(w->stack, v->stack, v->n_stack * sizeof w->stack[0]);
}

/* --- pipe_output.c ------------------------------------------------------------------------------ */

void pipe_output(struct walk *, uint32_t port, uint16_t max_len, uint32_t trunc_len);
/* To the controller, for a reason. */
struct pipe_punt {
	uint16_t max_len, controller_id;
	uint8_t reason;
	bool miss, pause;
	uint32_t meter;                 /* 0: the bridge's for the controller, if there is one. */
	const uint8_t *userdata;
	uint16_t userdata_len;
};
void pipe_punt(struct walk *, const struct pipe_punt *);
/* Whether a port is there and usable; looked at for groups and bundles. */
bool pipe_port_live(struct walk *, uint32_t port);

/* --- pipe_group.c ------------------------------------------------------------------------------- */

void pipe_group(struct walk *, uint32_t id);

/* --- pipe_nx.c ---------------------------------------------------------------------------------- */

/* A hash of the packet's fields, which are looked at; enum of_hash_fields, or one more: all up to layer 4. */
enum { PIPE_HASH_ALL = OF_HASH_SYM_L3 + 1 };
uint32_t pipe_hash(struct walk *, unsigned fields, uint32_t basis);
/* Of these fields, those that the packet has. */
uint32_t pipe_hash_fields(struct walk *, const struct of_field_set *, uint64_t basis);
void pipe_multipath(struct walk *, const struct of_act_multipath *);
void pipe_bundle(struct walk *, const struct of_act_bundle *);
void pipe_stack_push(struct walk *, const struct of_sub *);
void pipe_stack_pop(struct walk *, const struct of_sub *);

/* --- pipe_learn.c ------------------------------------------------------------------------------- */

void pipe_learn(struct walk *, const struct of_act_learn *);
void pipe_fin_timeout(struct walk *, const struct of_act_fin_timeout *);

#endif
