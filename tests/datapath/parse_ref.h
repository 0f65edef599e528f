/* SPDX-License-Identifier: Apache-2.0 */
/* A parser that is slow and plain, to compare the real one with: absolute offsets, one bounds-checked byte
 * at a time, headers described by what they must satisfy. */
#ifndef TESTS_DATAPATH_PARSE_REF_H
#define TESTS_DATAPATH_PARSE_REF_H

#include "datapath/flow.h"

bool parse_ref(const uint8_t *p, uint32_t contig, uint32_t len, uint16_t in_port, struct flow_key *);

#endif
