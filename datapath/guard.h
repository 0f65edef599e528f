/* SPDX-License-Identifier: Apache-2.0 */
/* What a port may send, and how much: the addresses that its guest was given, and rates in both directions. */
#ifndef DATAPATH_GUARD_H
#define DATAPATH_GUARD_H

#include "base/opt.h"
#include "datapath/drop.h"

struct dp;

/* Zero or empty: no limit. */
struct guard_conf {
	uint64_t rx_bps, rx_pps;        /* From the port into the switch: bits and packets a second. */
	uint64_t tx_bps, tx_pps;
	struct opt_macs macs;           /* Source addresses of its frames, of its ARP and ND. */
	/* Source addresses of its packets, and those that it may claim by ARP and ND.  With any given, all others are
	 * refused but those that a host needs to get one: 0.0.0.0 for DHCP and ARP probes; where there are IPv6 ones, ::
	 * for ND and MLD, and the link-local address made from the frame's MAC address (RFC 4291, appendix A).  Router
	 * advertisements and redirects are refused then (RFC 6105). */
	struct opt_prefixes ips;
};

extern const struct opt_desc guard_opts[];      /* rx-rate rx-pps tx-rate tx-pps allowed-macs allowed-ips */

bool guard_conf_empty(const struct guard_conf *);

/* [ctl] The guard of a port number, whether or not a port is there.  Effective with the next dp_commit(); an empty one
 * takes the guard away.  Buckets start full where a rate is another, and go on where it is the same.  Whether anything
 * is another. */
bool dp_port_guard(struct dp *, uint16_t port, const struct guard_conf *);

/* --- For the packet path ---------------------------------------------------------------------- */

struct guard;

enum { GUARD_BATCH = 32 };

struct guard_pkt {
	const uint8_t *p;               /* Private to us, or the decision is worth nothing. */
	uint32_t contig, len;           /* Bytes at 'p'; of the packet. */
};

/* Bit i of the result: packet i may come in; of the others why[i] says why not.  At most GUARD_BATCH.  [lcore] */
uint32_t guard_rx(struct guard *, uint64_t tsc, const struct guard_pkt *, unsigned n, enum dp_drop why[]);
/* Bit i: packet i may go out; the others are above the rate. */
uint32_t guard_tx(struct guard *, uint64_t tsc, const uint32_t *len, unsigned n);
/* Whether there is anything for guard_tx() to do. */
bool guard_limits_tx(const struct guard *);

/* Whether it was made from such settings. */
bool guard_is(const struct guard *, const struct guard_conf *);
struct guard *guard_create(const struct guard_conf *, const struct guard *old, uint64_t tsc_hz, uint64_t tsc);

#endif
