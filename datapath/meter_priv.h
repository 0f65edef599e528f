/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of meters, apart from packets and clocks so that it can be tested. */
#ifndef DATAPATH_METER_PRIV_H
#define DATAPATH_METER_PRIV_H

#include "datapath/dp.h"

enum { METER_BATCH = 32 };

/* A token bucket by time (the GCRA of ITU-T I.371): 'full' is when it would be full again if nothing came.  One
 * word, so that threads share it without a lock. */
struct meter_bucket {
	uint64_t full;
	uint64_t cost;                  /* Time that a packet, or a byte, takes out; with METER_FRACTION more bits. */
	uint64_t burst;                 /* Time that may be taken out in advance. */
	uint8_t band;                   /* As the control plane numbers it. */
	bool remark;
	uint8_t prec_level;
};

struct meter_rates {
	uint64_t start_tsc;
	bool pktps;
	unsigned n;
	struct meter_bucket bucket[DP_METER_BANDS];     /* Highest rate first. */
};

void meter_rates_init(struct meter_rates *, const struct dp_meter_conf *, uint64_t tsc_hz, uint64_t tsc);
/* Lets a batch by: bit i of the result is set when packet i is above the bucket's rate. */
uint32_t meter_take(const struct meter_rates *, struct meter_bucket *, uint64_t tsc, const uint32_t *len, unsigned n);

#endif
