/* SPDX-License-Identifier: Apache-2.0 */
/* The switch as a whole: the configuration document, and the bridges, ports and tunnels that it made.
 * Every change, from the command line, a file or a store, takes one path: a new document is checked
 * whole, compared with the present one, applied as a difference, stored, and answered when no packet
 * follows the old one any more.  Nothing is half applied: a document that cannot be applied leaves the
 * switch as it was.
 *
 * The document:
 *   { "version": 1,
 *     "bridges": {
 *       "br0": { "mac-age": 300,
 *         "ports": {
 *           "vm1": { "type": "vhost-user", "mode": "client", "tag": 10,
                    "static-macs": ["10/52:54:00:00:00:01"] },
 *           "vx0": { "type": "vxlan", "vni": 5000, "remote": ["172.16.0.2"] } } } } }
 * Option names are those of the opt_desc tables: bridges ofp_bridge_opts and conf_of_opts; ports "type", ofp_port_opts and
 * the table of their type (port type or tunnel type).  Numbers and booleans are JSON numbers and
 * booleans, lists are arrays; text is accepted for any of them.  Defaults are not stored.
 * "static-macs" of a port are addresses that are behind it for good, each "VLAN/ADDRESS", or the address alone
 * outside VLANs.  One (VLAN, address) is static on one port of a bridge only, in a VLAN that the port carries, and a
 * bridge has at most mac-limit of them.  They belong to the port: deleted, moved to another bridge, with it. */
#ifndef CTL_SW_H
#define CTL_SW_H

#include <jansson.h>

#include "base/err.h"
#include "datapath/dp.h"
#include "ofproto/ofp.h"

struct event_base;
struct of_agent;
struct store;
struct sw;

/* --- Life: for main() and tests --------------------------------------------------------------- */

/* Makes the datapath, the bridges' side, the underlay and the OpenFlow agent.  'dp' brings what the datapath needs;
 * translator and callbacks are filled in here.  'base' is where the agent's connections live, until the switch is
 * destroyed.  'store' is borrowed, and may be NULL: then nothing is kept.
 * 'state_dir' is where port numbers are kept; NULL: nowhere.  The switch has an empty document.  NULL
 * with 'e' set on failure. */
struct sw *sw_create(const struct dp_conf *dp, struct event_base *base, struct store *store, const char *state_dir,
		     struct err *e);
void sw_destroy(struct sw *);
/* Applies a document that comes from the store, so does not write it there.  At start ('starting') a port that
 * cannot be opened is down with its reason and tried again later; afterwards it is a refusal, as in sw_apply(). */
int sw_load(struct sw *, const json_t *doc, bool starting, struct err *);

/* Readable when sw_poll() has something to do.  It also wants to run after anything else that may have
 * changed the switch, and every millisecond while it returns true. */
int sw_event_fd(const struct sw *);
bool sw_poll(struct sw *);
/* Readable when the kernel reported a change of the underlay, and when the time (ms) that sw_underlay_poll()
 * returned last is over. */
int sw_underlay_fd(const struct sw *);
unsigned sw_underlay_poll(struct sw *, uint64_t now_ms);
/* Does what BFD sessions have to do by now.  Milliseconds until there is more, which anything that happens may change;
 * 0: never. */
unsigned sw_bfd_poll(struct sw *, uint64_t now_ms);
/* Ten times a second: timeouts of OpenFlow rules. */
void sw_tick_rules(struct sw *, uint64_t now_ms);
/* Once a second: ages MAC tables, looks at links, tries again what could not be opened. */
void sw_tick(struct sw *, uint64_t now_ms);

/* --- The document ------------------------------------------------------------------------------ */

/* The present document, with its generation: a number that grows with each change. */
const json_t *sw_conf(const struct sw *);
uint64_t sw_generation(const struct sw *);

/* Checks a whole document: every name, option, value, reference.  0, or -errno with the path of the first
 * mistake ("bridges.br0.ports.vm1: unknown option 'tagg': did you mean 'tag'?"). */
int sw_check(const json_t *doc, struct err *);

/* What would change: an array of { "op": "add"|"del"|"set", "path": "bridges.br0.ports.vm1.tag",
 * "old": ..., "new": ..., "note": ... }; "note", where there is one, says what else it costs ("takes effect at
 * restart").  NULL with 'err' set when the document is refused.  Caller owns it. */
json_t *sw_diff(const struct sw *, const json_t *doc, struct err *);

/* Makes the switch match 'doc' (borrowed, copied).  'expect' not 0: refused with -EAGAIN unless it is the
 * present generation, so that of two clients editing the same thing one is told.  0: accepted and stored,
 * 'done' runs once it is effective, with rc 0; or with the negative code of the first port that could not be
 * opened in the place of its old self: that one is down, `show` has the reason, and it is tried again.  (Two
 * openings of one socket or interface exclude each other, so this alone cannot be known before.)
 * Negative: refused, nothing changed, 'done' never runs. */
int sw_apply(struct sw *, const json_t *doc, uint64_t expect, void (*done)(void *arg, int rc), void *arg, struct err *);

/* Live state, for `show`: bridges, ports, tunnels, each with state and reason.  Caller owns it.
 * { "bridges": [ { "name", "id", "hwaddr", "macs": {n, limit,...}, "openflow": { "controllers", "connected",
 *   "fail_mode", "failed_open", "learning_switch", "rules", ... }, "ports": [ { "name", "id", "of_port", "type", "up",
 *   "reason", "detail", "mtu", "vlan": "access 10", "stats": {...}, "tunnel": { "key", "local", "remotes":
 *   [ { "remote", "state", "reason", "next_hop", "via", "dst" } ] } } ] } ],
 *   "underlay": [ { "name", "port", "up", "detail" } ] } */
json_t *sw_state(const struct sw *);

/* Tunnel packets that were refused, newest first: array of { "reason", "type", "remote" (absent: many), "local", "key"
 * (absent: many, or none was read), "many_keys", "many_remotes", "underlay", "port" (tunnel), "packets", "first_ms_ago",
 * "last_ms_ago" }.  Caller owns it. */
json_t *sw_refused(const struct sw *);

struct dp *sw_dp(const struct sw *);
struct ofp *sw_ofp(const struct sw *);
struct of_agent *sw_agent(const struct sw *);
/* Publishes what was edited in sw_ofp() directly (MAC rows): ofp_commit() and dp_commit(). */
void sw_commit(struct sw *, void (*done)(void *arg), void *arg);
/* How many commits somebody has waited for. */
uint64_t sw_n_awaited(const struct sw *);
/* Lookups by name; 0 when there is none. */
uint16_t sw_port_id(const struct sw *, const char *port);
bool sw_bridge_id(const struct sw *, const char *bridge, uint16_t *id);
/* Names by number, for printing; never NULL ("port 7" style text lives until the next call). */
const char *sw_port_name(const struct sw *, uint16_t id);
const char *sw_bridge_name(const struct sw *, uint16_t id);
uint16_t sw_port_bridge(const struct sw *, uint16_t port);

#endif
