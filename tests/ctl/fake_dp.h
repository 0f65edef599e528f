/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can see and steer of the fake datapath and the fake underlay. */
#ifndef TESTS_CTL_FAKE_DP_H
#define TESTS_CTL_FAKE_DP_H

#include "ctl/underlay.h"
#include "datapath/dp.h"
#include "datapath/guard.h"

/* Lets the grace periods of everything committed so far end; dp_poll() then runs what is due. */
void fake_dp_grace(struct dp *);
const struct dp_conf *fake_dp_conf(const struct dp *);
unsigned fake_dp_commits(const struct dp *);
/* The CPUs that a port's queues are for. */
const unsigned *fake_dp_pins(const struct dp *, uint16_t port, unsigned *n);
const struct guard_conf *fake_dp_guard(const struct dp *, uint16_t port);

struct fake_underlay {
	struct underlay_ops ops;
	unsigned n;                     /* Tunnels. */
	struct underlay_tunnel t[16];
	unsigned updates, resolves;
};
extern struct fake_underlay *fake_underlay;             /* The last one created. */

#endif
