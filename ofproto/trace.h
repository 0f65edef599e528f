/* SPDX-License-Identifier: Apache-2.0 */
/* What a translation tells somebody who wants to read along; see ofp_trace() in ofp.h. */
#ifndef OFPROTO_TRACE_H
#define OFPROTO_TRACE_H

#include "datapath/drop.h"
#include "ofproto/table.h"

struct trace;
struct view_bridge;
struct outs;

/* What follows is about something inside. */
void trace_in(struct trace *);
void trace_out(struct trace *);
void trace_note(struct trace *, const char *what);
void trace_drop(struct trace *, enum dp_drop);
void trace_bridge(struct trace *, uint16_t bridge, uint32_t in_port);
void trace_table(struct trace *, uint8_t table);
/* To be told of rules that do not match; trace_rule() shows them, then the one that does (NULL: none). */
const struct of_lookup_watch *trace_watch(struct trace *);
void trace_rule(struct trace *, const struct of_rule *);
void trace_act(struct trace *, const struct of_act *);
void trace_bucket(struct trace *, uint32_t bucket);
void trace_learn(struct trace *, const struct of_act_learn *, const struct omatch *, struct of_acts, const struct of_rule *);
/* The learning switch has decided. */
void trace_normal(struct trace *, const struct outs *, enum dp_drop);

#endif
