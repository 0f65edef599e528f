/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration document (ctl/sw.h shows one): checked whole, brought to one canonical form, and
 * turned into the typed structures that the parts of the switch take.  Pure: nothing is opened or asked,
 * so a document can be checked by anyone at any time. */
#ifndef CTL_CONF_H
#define CTL_CONF_H

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "datapath/guard.h"
#include "datapath/rxq_conf.h"
#include "datapath/port.h"
#include "ofproto/agent.h"
#include "ofproto/ofp.h"
#include "tunnels/tun.h"

enum {
	CONF_VERSION = 1,
	CONF_NAME_MAX = 31,             /* Bytes of a bridge or port name. */
	CONF_MAX_BRIDGES = 255,
};

/* "datapath": settings that hold from one start to the next. */
struct conf_dp {
	uint32_t cache_memory;          /* MiB per polling thread, or CONF_AUTO: by max_flows. */
	uint32_t max_flows;             /* Cached flows per polling thread, or CONF_AUTO: by cache_memory. */
	uint32_t mbufs;                 /* Packet buffers. */
	uint32_t idle_us;
	uint32_t upcall_rate;           /* New flows per second and port; 0: no limit. */
	struct tun_limits held;
	int poll;                       /* enum conf_poll. */
	char isa[16];
};
#define CONF_AUTO UINT32_MAX
enum { CONF_CACHE_MEMORY = 64 };        /* When neither says. */
enum conf_poll { CONF_POLL_ADAPTIVE, CONF_POLL_ALWAYS };
extern const struct opt_desc conf_dp_opts[];

/* A row of "static-macs". */
struct conf_mac {
	uint16_t vid;                   /* 0: none. */
	struct mac mac;
};
enum { CONF_MAC_LEN = 32 };             /* Room for one as text. */

/* A bridge's OpenFlow settings; controllers and versions in the order they were given. */
struct conf_of {
	struct opt_strs controllers, protocols;
	int fail_mode;                  /* enum of_fail_mode. */
	uint32_t probe_ms, max_backoff_ms;
	char datapath_id[16 + 1];       /* Hexadecimal; "": made from the bridge's address. */
	char mfr_desc[256], hw_desc[256], sw_desc[256], serial_desc[32], dp_desc[256];
	char private_key[256], certificate[256], ca_cert[256], bootstrap_ca_cert[256];
};
extern const struct opt_desc conf_of_opts[];

struct conf_port {
	char name[CONF_NAME_MAX + 1];
	const struct conf_bridge *bridge;
	const struct port_type *type;   /* NULL: a tunnel, see 'tun'. */
	const struct tun_type *tun;
	struct ofp_port_conf ofp;
	struct guard_conf guard;
	struct rxq_conf rxq;
	void *opts;                     /* Of the type: type->conf_size bytes, or a struct tun_conf. */
	size_t opts_len;
	unsigned n_macs;
	struct conf_mac *macs;          /* Static addresses behind it, in order of VLAN and address. */
};

struct conf_bridge {
	char name[CONF_NAME_MAX + 1];
	struct ofp_bridge_conf ofp;
	struct conf_of of;
	unsigned n_ports;
	struct conf_port *ports;        /* In order of name. */
};

struct conf {
	json_t *doc;                    /* Canonical: sorted keys, typed values, no defaults. */
	struct conf_dp dp;
	unsigned n_bridges;
	struct conf_bridge *bridges;    /* In order of name. */
};

/* Checks 'doc' (borrowed).  NULL with 'e' set to the path of the first mistake, and the nearest valid spelling
 * where a word is not known. */
struct conf *conf_create(const json_t *doc, struct err *e);
void conf_destroy(struct conf *);

const struct conf_bridge *conf_bridge(const struct conf *, const char *name);   /* NULL: none. */
const struct conf_port *conf_port(const struct conf *, const char *name);       /* NULL: none. */
bool conf_port_has_mac(const struct conf_port *, const struct conf_mac *);
/* "10/52:54:00:00:00:01", in no VLAN the address alone: as documents spell it. */
static inline const char *
conf_mac_format(const struct conf_mac *m, char buf[CONF_MAC_LEN])
{
	char mac[MAC_STR_LEN];

	mac_format(m->mac, mac);
	if (m->vid)
		snprintf(buf, CONF_MAC_LEN, "%u/%s", m->vid, mac);
	else
		snprintf(buf, CONF_MAC_LEN, "%s", mac);
	return buf;
}
/* "vhost-user", "vxlan". */
const char *conf_port_type_name(const struct conf_port *);
/* What the port's type is opened with: 'opts', completed with a MAC for an internal port that has none: the
 * bridge's for the port of the bridge's name, else one made from the port's own name.  Caller frees; NULL for
 * tunnels, which have nothing to open. */
void *conf_port_open_opts(const struct conf_port *);
/* Whether going from 'a' to 'b' takes a new port: another type, or other options to open it with. */
bool conf_port_must_reopen(const struct conf_port *a, const struct conf_port *b);

/* The number by which controllers know the bridge: as configured, or made from its address. */
uint64_t conf_datapath_id(const struct conf_bridge *);
/* The bridge's settings as the agent takes them.  Borrows from 'b' and 'run_dir'. */
void conf_of_agent(const struct conf_bridge *b, const char *run_dir, struct of_agent_conf *);

/* What differs between two canonical documents: the array that sw_diff() promises.  An entry whose change
 * costs more than an edit says so in "note".  Caller owns it. */
json_t *conf_diff(const json_t *old, const json_t *new);

/* For conf.c: reads "static-macs" (NULL: none) once the port's VLANs are known; writes it; looks at all those of a
 * bridge together. */
int conf_macs_read(const json_t *, struct conf_port *, struct err *);
json_t *conf_macs_doc(const struct conf_port *);
int conf_macs_check(const struct conf_bridge *, struct err *);

/* For conf.c: whether OpenFlow settings make sense by themselves, and beside those of the other bridges. */
int conf_of_check(struct conf_of *, struct err *);
int conf_of_check_all(const struct conf *, struct err *);

/* --- Values: text as options take it, JSON as documents show it -------------------------------- */

enum { CONF_TEXT_MAX = 24 << 10 };      /* Room for the longest value: every other VLAN. */

/* -EINVAL: neither text, number, boolean nor a list of those. */
int conf_value_to_text(const json_t *, char *buf, size_t len);
/* Of a present value, in its option's own JSON kind.  NULL when it equals the default.  Caller owns it. */
json_t *conf_value_of(const struct opt_desc *, const void *conf);

#endif
