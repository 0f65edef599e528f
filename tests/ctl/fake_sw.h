/* SPDX-License-Identifier: Apache-2.0 */
/* A switch without packets, for tests of the management interface: it keeps a document, numbers its
 * bridges and ports in their order, and calls back when told to. */
#ifndef TESTS_CTL_FAKE_SW_H
#define TESTS_CTL_FAKE_SW_H

#include "ctl/sw.h"

struct sw *fake_sw_create(void);
void fake_sw_destroy(struct sw *);
/* Everything that waits for the datapath becomes effective: callbacks run. */
unsigned fake_sw_run(struct sw *);
/* Callbacks that wait. */
unsigned fake_sw_waiting(const struct sw *);
/* The MAC table: this many learned rows of port 1 in VLAN 10. */
void fake_sw_set_macs(struct sw *, unsigned n);
/* How often sw_state() was asked for. */
unsigned fake_sw_states(const struct sw *);
/* What dp_flow_dump() finds in each of two threads. */
void fake_sw_set_flows(struct sw *, unsigned n);

#endif
