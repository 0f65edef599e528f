/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios: one command a line, run against a world.
 *
 *   bridge NAME [OPTION=VALUE...]
 *   port NAME BRIDGE|- [mtu=N] [OPTION=VALUE...]      a port that is memory; '-': on no bridge
 *   leg NAME BRIDGE [OPTION=VALUE...]                 likewise, as the host's own leg
 *   openflow BRIDGE none | RULE...     OpenFlow rules, as ovs-ofctl writes them; none: what was there goes
 *   patch NAME BRIDGE PEER BRIDGE [OPTION=VALUE...]   both halves; options of the first
 *   underlay PORT [mac=MAC]                           look for tunnels in what comes in here
 *   tunnel NAME BRIDGE TYPE via=PORT src=MAC next-hop=MAC[,MAC...] [state=] [OPTION=VALUE...]
 *   state TUNNEL ready|resolving|failed|no-route      of all its remotes
 *   set PORT OPTION=VALUE...   up PORT   down PORT   del PORT
 *   static BRIDGE MAC VID PORT   flush BRIDGE [PORT]   age SECONDS
 *
 *   send PORT [xN] [split=N] : FRAME      send PORT pcap FILE N
 *   expect PORT [xN] : FRAME          expect PORT [xN] same     (what was sent last, unchanged)
 *   ignore                                whatever has left
 *   cuts PORT : FRAME                     cut to every length, one after the other
 *   flips PORT n=N seed=N : FRAME         with some bytes changed, cut at times
 *
 *   drops PORT [REASON=N...] | drops PORT any         since the last such line
 *   stats NAME=N...                                   likewise: upcalls, retranslated, resolve;
 *                                                     N may be 'some'
 *   macs BRIDGE [MAC[/VID]@PORT[!]...]                the whole table, by VLAN and address; '!' is static
 *
 * Everything is checked that is not waived: a frame that left and was not expected, a drop that no line
 * mentions, and a packet buffer that is still in use at the end are failures. */
#ifndef TESTS_PACKET_SCRIPT_H
#define TESTS_PACKET_SCRIPT_H

#include "tests/packet/frame.h"
#include "tests/packet/world.h"

enum { SCRIPT_WORDS = 64 };

struct script {
	struct world *w;
	struct frame last;              /* Sent last. */
	struct dp_lcore_stats stats;    /* As they were looked at last. */
	const char *vectors;            /* Folder of capture files; NULL: there is none. */
	bool skip;                      /* Cannot be run here: 'e' says why. */
	/* The line that is run. */
	char *word[SCRIPT_WORDS];
	unsigned n_words;
	const char *frame;              /* What follows the colon, or NULL. */
};

/* Runs a line (it is taken apart); 0 or -errno. */
int script_run(struct script *, char *line, struct err *e);
/* What must hold at the end; takes what has left out of the ports in any case. */
int script_end(struct script *, struct err *e);

#endif
