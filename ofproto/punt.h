/* SPDX-License-Identifier: Apache-2.0 */
/* What travels with a packet to the controller: the data of ACT_PUNT.  Made by translate(), read by the agent. */
#ifndef OFPROTO_PUNT_H
#define OFPROTO_PUNT_H

#include "ofproto/of.h"

struct of_punt {
	uint16_t bridge;
	uint16_t controller_id;         /* Of NX CONTROLLER; 0: all that listen. */
	uint16_t max_len;               /* 0xffff: the whole packet, unbuffered. */
	uint8_t reason;                 /* OFPR_*. */
	uint8_t table;
	bool miss;                      /* No rule at all: for controllers before 1.3 alone. */
	bool pause;
	uint16_t userdata_len;          /* Bytes behind this. */
	uint32_t pad;
	uint64_t cookie;                /* All ones: none. */
	struct oflow meta;              /* Of the pipeline at that point: in_port, metadata, registers, tunnel. */
	uint8_t userdata[];
};

#endif
