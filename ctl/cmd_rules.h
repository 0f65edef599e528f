/* SPDX-License-Identifier: Apache-2.0 */
/* What methods on the OpenFlow state of a bridge share: rules, groups, meters, traces. */
#ifndef CTL_CMD_RULES_H
#define CTL_CMD_RULES_H

#include "ctl/cmd.h"
#include "ctl/sw.h"
#include "ofproto/table.h"
#include "ofproto/text.h"

enum { CTL_RULE_MAX = 64 << 10 };       /* Bytes of a flow, group or meter as text. */

/* A bridge as its rules see it.  Lives as long as a request. */
struct ctl_rules {
	struct sw *sw;
	uint16_t bridge;
	struct of_pipe *pipe;
	struct of_names names;          /* Of its ports; 'arg' is this. */
};

/* That of parameter "bridge"; false after a refusal. */
bool ctl_need_rules(struct ctl_req *, struct ctl_rules *);

/* Refuses with what OpenFlow calls it, and why. */
void ctl_refuse_of(struct ctl_req *, const char *path, const char *what, const struct of_error *);

/* Publishes what was changed and answers when no packet follows the old rules.  Takes 'result'. */
void ctl_commit_rules(struct ctl_req *, json_t *result);

/* A cached flow as flow.dump shows it. */
json_t *ctl_cached_flow(struct sw *, const struct dp_flow *, unsigned cpu);

/* Names given to numbers: members of "names" parameters. */
#define CTL_BRIDGE_PARAM { .name = "bridge", .kind = CTL_STR, .required = true, .help = "name of a bridge" }
#define CTL_NAMES_PARAM { .name = "names", .kind = CTL_BOOL, .help = "ports by name instead of number" }

#endif
