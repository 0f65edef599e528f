/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a guard: without DPDK, for whoever reads configuration. */
#include "datapath/guard.h"

#define FIELD(field) offsetof(struct guard_conf, field)

const struct opt_desc guard_opts[] = {
	{ "rx-rate", OPT_RATE, FIELD(rx_bps), 0, 0, NULL, NULL, false,
	  "bits a second that the port may send into the switch", "1G" },
	{ "rx-pps", OPT_RATE, FIELD(rx_pps), 0, 0, NULL, NULL, false,
	  "packets a second that the port may send into the switch", "500k" },
	{ "tx-rate", OPT_RATE, FIELD(tx_bps), 0, 0, NULL, NULL, false,
	  "bits a second that the switch sends to the port", "1G" },
	{ "tx-pps", OPT_RATE, FIELD(tx_pps), 0, 0, NULL, NULL, false,
	  "packets a second that the switch sends to the port", "500k" },
	{ "allowed-macs", OPT_MAC_LIST, FIELD(macs), 0, 0, NULL, NULL, false,
	  "source addresses that frames from the port may have (default: all)", "02:00:00:00:00:01" },
	{ "allowed-ips", OPT_PREFIX_LIST, FIELD(ips), 0, 0, NULL, NULL, false,
	  "source addresses that packets from the port may have, and claim by ARP and ND (default: all)",
	  "10.0.0.5,2001:db8::5" },
	{ 0 }
};

bool
guard_conf_empty(const struct guard_conf *c)
{
	return !(c->rx_bps | c->rx_pps | c->tx_bps | c->tx_pps) && !c->macs.n && !c->ips.n;
}
