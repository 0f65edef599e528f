/* SPDX-License-Identifier: Apache-2.0 */
/* A whole switch for one scenario: the real datapath with its polling thread, the real bridges, ports that
 * are memory, and tunnels whose routes and neighbours are made up.  Everything happens in steps: world_settle()
 * returns when each frame that was sent has been forwarded, and what it taught has been learned. */
#ifndef TESTS_PACKET_WORLD_H
#define TESTS_PACKET_WORLD_H

#include "datapath/dp.h"
#include "ofproto/ofp.h"

struct pcap;
struct pcap_dumper;

enum { WORLD_NAME = 32, WORLD_BRIDGES = 8, WORLD_PORTS = 128, WORLD_REMOTES = 8 };

struct world_bridge {
	char name[WORLD_NAME];
	uint16_t id;
	struct ofp_bridge_conf conf;
};

struct world_tunnel {
	const struct tun_type *type;
	struct tun_conf conf;
	struct tun_path path[WORLD_REMOTES];
	uint16_t via;
	uint32_t dst[WORLD_REMOTES];
	enum tun_dst_state state;
	uint32_t mtu;
};

struct world_port {
	char name[WORLD_NAME];          /* Empty: no such port. */
	struct port *port;
	uint16_t id;
	bool mem;                       /* Frames can be sent and expected. */
	bool bridged;
	bool underlay;
	struct mac underlay_mac;
	struct ofp_port_conf conf;
	struct world_tunnel *tun;
	uint64_t acked[DP_N_DROPS];     /* Drops that the scenario knows of. */
	struct pcap_dumper *in, *out;
};

struct world {
	struct dp *dp;
	struct ofp *ofp;
	unsigned n_bridges;
	struct world_bridge bridge[WORLD_BRIDGES];
	struct world_port port[WORLD_PORTS];    /* By number. */
	uint32_t n_dst;
	unsigned n_learned;             /* Since the last settle. */
	unsigned n_resolve;             /* Next hops that were asked for. */
	uint64_t upcalls;               /* As last looked at. */
	struct pcap *pcap;
	const char *pcap_dir;           /* NULL: write none. */
	char title[160];
};

struct world_conf {
	const char *isa, *title, *pcap_dir;
	bool deep;                      /* Keys are made of every field, not only those that bridges look at. */
};

/* NULL with 'e' set. */
struct world *world_create(const struct world_conf *, struct err *e);
/* 0, or -EBUSY when packet buffers are still in use: a leak. */
int world_destroy(struct world *, struct err *e);

struct world_bridge *world_bridge(struct world *, const char *name);
struct world_port *world_port(struct world *, const char *name);
/* A free entry with that name; NULL: no room, or the name is taken. */
struct world_port *world_port_new(struct world *, const char *name);

/* Hands tunnels and underlays to the datapath as they are described now. */
int world_tunnels_changed(struct world *, struct err *e);

/* Publishes what was configured, and waits until it holds. */
int world_commit(struct world *, struct err *e);
int world_settle(struct world *, struct err *e);

/* The frame comes in buffers of 'seg_len' bytes; 0: in one if it fits. */
int world_send(struct world *, struct world_port *, const void *frame, uint32_t len, uint16_t seg_len, struct err *e);
/* The next frame that left by a port; 0: none. */
uint32_t world_recv(struct world *, struct world_port *, void *frame, uint32_t room);

#endif
