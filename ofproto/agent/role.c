/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several controllers may change things (OpenFlow 1.3.5, 6.3.6). */
#include "ofproto/agent/agent_priv.h"

static uint64_t
generation(const struct agent_bridge *br)
{
	return br->generation_defined ? br->generation_id : UINT64_MAX;
}

void
role_status(struct conn *c, enum of_role_reason reason)
{
	const struct of_role_msg r = { .role = c->role, .reason = reason, .generation_id = generation(c->br) };

	if (c->version >= OF14 && async_wants(c, ASYNC_ROLE_STATUS, reason))
		conn_tell(c, OFK_ROLE_STATUS, OFMF_STD, &r);
}

/* There is one master at most. */
static void
demote_others(struct conn *c)
{
	BRIDGE_EACH_UP (o, c->br) {
		if (o == c || o->role != OFR_MASTER)
			continue;
		o->role = OFR_SLAVE;
		role_status(o, OFRSR_MASTER_REQUEST);
	}
}

static int
set_role(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_role_msg *q = m->body;
	struct agent_bridge *br = c->br;

	/* Nicira's has no generation. */
	if (q->role != OFR_EQUAL && m->form == OFMF_STD) {
		if (br->generation_defined && (int64_t)(q->generation_id - br->generation_id) < 0)
			return of_error_set(e, OFE_RRFC_STALE, "generation %#llx is older than %#llx",
					    (unsigned long long)q->generation_id, (unsigned long long)br->generation_id);
		br->generation_id = q->generation_id;
		br->generation_defined = true;
	}
	c->role = q->role;
	if (c->role == OFR_MASTER)
		demote_others(c);
	async_changed(br);
	return 0;
}

int
h_role(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_role_msg *q = m->body;
	struct of_role_msg r = { 0 };

	if (q->role > OFR_SLAVE)
		return of_error_set(e, OFE_RRFC_BAD_ROLE, "role %u", q->role);
	if (q->role != OFR_NOCHANGE && set_role(c, m, e))
		return -1;
	r.role = c->role;
	r.short_id = q->short_id;
	r.generation_id = generation(c->br);
	conn_reply(c, m, OFK_ROLE_REPLY, &r);
	return 0;
}
