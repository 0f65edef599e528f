/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the switch (sw*.c) share. */
#ifndef CTL_SW_PRIV_H
#define CTL_SW_PRIV_H

#include "ctl/conf.h"
#include "ctl/sw.h"
#include "ctl/underlay.h"

enum { SW_NAME_BUCKETS = 4096 };

struct sw_bridge {
	struct sw_bridge *next;
	char name[CONF_NAME_MAX + 1];
	uint16_t id;                    /* In ofp. */
};

/* A configured port, or one that the underlay opened for itself.  Its number stays the same while its name
 * stays configured, also while there is nothing open behind it. */
struct sw_port {
	struct sw_port *next_name;      /* In sw.by_name. */
	char name[CONF_NAME_MAX + 1];
	uint16_t id;
	const struct port_type *type;   /* ctl_port_type_tunnel for tunnels. */
	const struct tun_type *tun;
	enum ofp_port_kind kind;
	bool implicit;                  /* Opened for the underlay: not in the document, on no bridge. */
	struct sw_bridge *bridge;       /* NULL: on none (yet). */
	struct port *dp;                /* NULL: not open: waiting, or it could not be opened. */
	uint64_t wait_seq;              /* To be opened once this change is effective; 0: no wait. */
	uint64_t retry_ms;              /* When to try again; only while not open and not waiting. */
	struct port_link link;          /* As last looked at; what shows. */
	bool seen;                      /* 'link' was logged at least once. */
	uint16_t peer;                  /* Of a patch port, as told to ofp; 0: none. */
	uint64_t since_ms;              /* When it joined its bridge. */
	bool told;                      /* The OpenFlow agent knows of it. */
};

/* A name whose old port is not closed yet: the same name cannot be opened meanwhile. */
struct sw_closing {
	struct sw_closing *next;
	uint64_t seq;
	char name[CONF_NAME_MAX + 1];
};

struct sw {
	struct conf *conf;
	uint64_t generation;
	uint64_t seq;                   /* Of changes; never 0 in use. */
	struct store *store;            /* Borrowed; may be NULL. */
	struct dp *dp;
	struct ofp *ofp;
	struct underlay *ul;
	struct refused *refused;        /* Whose tunnel packets. */
	struct of_agent *agent;
	char *run_dir;
	char *no_path;                  /* Where port numbers are kept; NULL: nowhere. */
	json_t *kept_no;                /* What is there. */
	struct sw_bridge *bridges;
	struct sw_port *port[DP_MAX_PORTS];
	struct sw_port *by_name[SW_NAME_BUCKETS];
	uint64_t seed;
	struct sw_closing *closing;
	uint64_t n_awaited;             /* Commits that somebody waited for. */
	bool dirty;                     /* Something is to be committed. */
	bool peers;                     /* The underlay has been told of remotes. */
	bool dying;                     /* Being destroyed: what was deferred only frees. */
	char names[2][32];              /* sw_port_name(), sw_bridge_name(). */
};

/* sw.c */
struct sw_port **sw_name_bucket(struct sw *, const char *name);
struct sw_port *sw_find_port(const struct sw *, const char *name);              /* A configured one. */
struct sw_bridge *sw_find_bridge(const struct sw *, const char *name);
/* Looks at a port's link and hands on what changed; logs a change. */
void sw_port_refresh(struct sw *, struct sw_port *);

/* sw_port.c: opening and closing. */
/* A row with this number, which is free; nothing open yet. */
struct sw_port *sw_port_new(struct sw *, const char *name, uint16_t id);
void sw_port_free(struct sw *, struct sw_port *);
/* Opens it in the datapath with these options (NULL for tunnels). */
int sw_port_open(struct sw *, struct sw_port *, const void *opts, struct err *);
/* Takes it out of the datapath; its name is 'closing' until change 'seq' is effective. */
void sw_port_close(struct sw *, struct sw_port *, uint64_t seq);
bool sw_is_closing(const struct sw *, const char *name);
/* Change 'seq' is effective: opens what waited for it.  The negative code of the first failure. */
int sw_open_waiting(struct sw *, uint64_t seq);
void sw_retry_ports(struct sw *, uint64_t now_ms);
/* Looks at all patch ports again: one came or went. */
void sw_patch_peers(struct sw *);
/* Completes the link of a patch port: it is up when the other end leads back. */
void sw_patch_link(struct sw *, struct sw_port *, struct port_link *);

/* sw_no.c: numbers of ports. */
/* The number for a port of document 'c' that has none yet: the one it asks for, else the one it had, else the lowest that is
 * free and that nobody else of the document asks for.  -EEXIST: it asks for one in use; -ENOSPC. */
int sw_no_pick(const struct sw *, const struct conf *c, const struct conf_port *, uint16_t *id, struct err *);
/* For a port that is not in the document: from the other end, out of the way. */
int sw_no_pick_implicit(const struct sw *, uint16_t *id, struct err *);
/* Whether what a document asks for can be had: each number once, and none other than the present one ('sw' NULL: there is no
 * present one). */
int sw_no_check(const struct sw *, const struct conf *c, struct err *);
void sw_no_load(struct sw *, const char *state_dir);    /* NULL: none are kept. */
void sw_no_save(struct sw *);                           /* If they have changed. */
void sw_no_forget(struct sw *);

/* sw_mac.c: static addresses.  'p' is the port of 'was' and 'c', which are on one bridge. */
void sw_macs_del(struct sw *, const struct conf_port *was, const struct conf_port *c, const struct sw_port *p);
/* 'was' NULL: none are there yet. */
void sw_macs_add(struct sw *, const struct conf_port *was, const struct conf_port *c, const struct sw_port *p);

/* sw_of.c: what the OpenFlow agent is told of bridges and ports. */
void sw_of_create(struct sw *, struct event_base *);
int sw_of_bridge(struct sw *, const struct sw_bridge *, const struct conf_bridge *, struct err *);
/* Tells of ports that are new, once their links are known. */
void sw_of_new_ports(struct sw *);
/* Its link or address has changed. */
void sw_of_port_changed(struct sw *, const struct sw_port *);
/* It is about to leave its bridge. */
void sw_of_port_leaves(struct sw *, struct sw_port *);
/* Member "openflow" of a bridge in sw_state(). */
json_t *sw_of_state(const struct sw *, const struct sw_bridge *, const struct conf_bridge *);

/* sw_under.c: the underlay's questions. */
extern const struct underlay_ops sw_underlay_ops;
struct underlay_tunnel *sw_underlay_tunnel(const struct conf_port *, uint16_t id);      /* Caller frees. */
void sw_underlay_sync(struct sw *);
/* What of the tunnel port is set per flow. */
void sw_tun_flow(const struct conf_port *, struct ofp_tun_flow *);

#endif
