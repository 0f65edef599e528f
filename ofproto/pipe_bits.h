/* SPDX-License-Identifier: Apache-2.0 */
/* Which bits of a packet a pipeline may look at: what the cache must keep in its keys. */
#ifndef OFPROTO_PIPE_BITS_H
#define OFPROTO_PIPE_BITS_H

#include "ofproto/acts.h"

struct of_pipe;
struct flow_key;

/* Adds bits that actions may read, or need to know in order to tell whether a packet has what they write. */
void of_acts_reads(struct of_acts, struct oflow *bits);

/* All that rules and actions may look at; 'flags': OFPC_*. */
void pipe_bits(const struct of_pipe *, uint16_t flags, struct oflow *bits);
/* In terms of the key: never less than any translation reports. */
void pipe_bits_key(const struct oflow *bits, bool tunnel, struct flow_key *mask);

#endif
