/* SPDX-License-Identifier: Apache-2.0 */
/* One step of the differential test, and the two switches that take it. */
#ifndef TESTS_PACKET_DIFFER_PRIV_H
#define TESTS_PACKET_DIFFER_PRIV_H

#include "tests/packet/naive.h"

enum { BURST_MAX = 4 };

enum op_kind { OP_PACKETS, OP_FLOW_MOD, OP_GROUP_MOD, OP_PORT, OP_FLUSH, OP_TICK, OP_COUNTS, OP_KINDS };

struct op {
	uint8_t kind;
	union {
		struct {
			uint8_t in_port, n;
			struct sent {
				uint16_t len;
				uint8_t b[128];
			} frame[BURST_MAX];
		};
		struct nv_flow_mod flow;
		struct nv_group_mod group;
		struct {
			uint16_t no;
			struct nv_port port;
		};
	};
};

/* --- differ_gen.c: what comes next, a function of the seed alone (and of the naive switch's state) ---------------- */

void gen_seed(uint64_t seed);
void gen_op(const struct nv *, struct op *);

/* --- differ_both.c ------------------------------------------------------------------------------------------------ */

struct both_conf {
	uint32_t max_flows;
	const char *isa;
	bool frames;                    /* Half of the ports have frames in their peer's memory. */
};

struct both;
struct both *both_create(const struct both_conf *);
void both_destroy(struct both *);
/* Back to no rules, all ports up, nothing learned or cached. */
void both_reset(struct both *);
const struct nv *both_naive(const struct both *);
/* Takes the step on both.  False: they differ; what is in 'why'. */
bool both_step(struct both *, const struct op *, char *why, size_t len);
/* Prints how the real switch, asked anew, explains what it does with a frame. */
void both_trace(struct both *, const struct op *, unsigned frame);

struct both_counts {
	uint64_t steps, packets, copies, changes, refused, hits, upcalls, retranslated, evicted, choices, skipped, rules;
	uint32_t masks;
};
void both_counts(const struct both *, struct both_counts *);

#endif
