/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of what: asynchronous configuration of each connection, and the pipeline's events. */
#include <string.h>

#include "ofproto/agent/agent_priv.h"

enum {
	PACKET_IN_DEFAULT = 1 << OFPR_NO_MATCH | 1 << OFPR_ACTION | 1 << OFPR_ACTION_SET | 1 << OFPR_GROUP |
			    1 << OFPR_PACKET_OUT,
	PORT_STATUS_ALL = 1 << OFPPR_ADD | 1 << OFPPR_DELETE | 1 << OFPPR_MODIFY,
	FLOW_REMOVED_ALL = 1 << OFRR_IDLE_TIMEOUT | 1 << OFRR_HARD_TIMEOUT | 1 << OFRR_DELETE | 1 << OFRR_GROUP_DELETE |
			   1 << OFRR_METER_DELETE | 1 << OFRR_EVICTION,
	ROLE_STATUS_ALL = 1 << OFRSR_MASTER_REQUEST | 1 << OFRSR_CONFIG | 1 << OFRSR_EXPERIMENTER,
	TABLE_STATUS_ALL = 1 << OFTR_VACANCY_DOWN | 1 << OFTR_VACANCY_UP,
};

void
async_default(struct conn *c)
{
	struct of_async *a = &c->async;

	memset(a, 0, sizeof *a);
	a->packet_in[0] = PACKET_IN_DEFAULT;
	a->flow_removed[0] = FLOW_REMOVED_ALL;
	a->port_status[0] = a->port_status[1] = PORT_STATUS_ALL;
	if (c->version >= OF14) {
		a->role_status[0] = a->role_status[1] = ROLE_STATUS_ALL;
		a->table_status[0] = TABLE_STATUS_ALL;
	}
}

bool
async_wants(const struct conn *c, enum async_type type, unsigned reason)
{
	const struct of_async *a = &c->async;
	const unsigned i = c->role == OFR_SLAVE;
	const uint32_t mask[] = { [ASYNC_PACKET_IN] = a->packet_in[i],       [ASYNC_PORT_STATUS] = a->port_status[i],
				  [ASYNC_FLOW_REMOVED] = a->flow_removed[i], [ASYNC_ROLE_STATUS] = a->role_status[i],
				  [ASYNC_TABLE_STATUS] = a->table_status[i],
				  [ASYNC_REQUESTFORWARD] = a->requestforward[i] };

	if (c->service && !c->async_asked && !c->miss_send_len)
		return false;
	return reason < 32 && (mask[type] >> reason & 1);
}

void
async_changed(struct agent_bridge *br)
{
	struct of_agent *a = br->agent;
	bool miss = false, ttl = false;
	uint16_t flags;

	BRIDGE_EACH_UP (c, br) {
		miss |= c->version < OF13 && async_wants(c, ASYNC_PACKET_IN, OFPR_NO_MATCH);
		ttl |= async_wants(c, ASYNC_PACKET_IN, OFPR_INVALID_TTL);
	}
	flags = br->frag | (ttl ? OFPC_INVALID_TTL_TO_CONTROLLER : 0);
	if (miss != br->miss_punt)
		ofp_of_set_miss_punt(a->ofp, br->id, miss);
	if (flags != br->flags)
		ofp_of_set_config(a->ofp, br->id, flags);
	br->miss_punt = miss;
	br->flags = flags;
}

static void
set_masks(uint32_t mask[2], const uint32_t to[2], const bool has[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (has[i])
			mask[i] = to[i];
}

int
h_set_async(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_async *q = m->body;
	struct of_async *a = &c->async;

	set_masks(a->packet_in, q->packet_in, q->has_packet_in);
	set_masks(a->port_status, q->port_status, q->has_port_status);
	set_masks(a->flow_removed, q->flow_removed, q->has_flow_removed);
	set_masks(a->role_status, q->role_status, q->has_role_status);
	set_masks(a->table_status, q->table_status, q->has_table_status);
	set_masks(a->requestforward, q->requestforward, q->has_requestforward);
	c->async_asked = true;
	async_changed(c->br);
	return 0;
}

int
h_get_async(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_async a = c->async;

	for (unsigned i = 0; i < 2; i++)
		a.has_packet_in[i] = a.has_port_status[i] = a.has_flow_removed[i] = a.has_role_status[i] =
			a.has_table_status[i] = a.has_requestforward[i] = true;
	conn_reply(c, m, OFK_GET_ASYNC_REPLY, &a);
	return 0;
}

/* --- The pipeline's events ---------------------------------------------------------------------- */

/* Older versions know fewer reasons. */
static uint8_t
removed_reason(uint8_t reason, uint8_t version)
{
	if (reason == OFRR_GROUP_DELETE && version < OF11)
		return OFRR_DELETE;
	if ((reason == OFRR_METER_DELETE || reason == OFRR_EVICTION) && version < OF14)
		return OFRR_DELETE;
	return reason;
}

static void
on_flow_removed(void *arg, uint16_t bridge, const struct of_flow_removed *fr)
{
	struct agent_bridge *br = agent_bridge(arg, bridge);

	if (!br)
		return;
	BRIDGE_EACH_UP (c, br) {
		struct of_flow_removed f = *fr;

		f.reason = removed_reason(fr->reason, c->version);
		if (async_wants(c, ASYNC_FLOW_REMOVED, f.reason))
			conn_tell(c, OFK_FLOW_REMOVED, c->nxm && c->version < OF12 ? OFMF_NX : OFMF_STD, &f);
	}
}

static void
on_table_status(void *arg, uint16_t bridge, const struct of_table_desc *d)
{
	struct agent_bridge *br = agent_bridge(arg, bridge);

	if (!br)
		return;
	BRIDGE_EACH_UP (c, br)
		if (c->version >= OF14 && async_wants(c, ASYNC_TABLE_STATUS, d->reason))
			conn_tell(c, OFK_TABLE_STATUS, OFMF_STD, d);
}

static void
on_forwarded(void *arg, uint16_t bridge, const struct of_msg *m, const void *owner)
{
	struct of_msg inner = *m;
	const struct of_requestforward f = { .inner = &inner, .reason = m->kind == OFK_METER_MOD };
	struct agent_bridge *br = agent_bridge(arg, bridge);

	if (!br)
		return;
	BRIDGE_EACH_UP (c, br) {
		/* Each is told in its own version, whichever the change came in. */
		inner.version = c->version;
		if (c != owner && c->version >= OF13 && async_wants(c, ASYNC_REQUESTFORWARD, f.reason))
			conn_tell(c, OFK_REQUESTFORWARD, c->version == OF13 ? OFMF_ONF : OFMF_STD, &f);
	}
}

void
async_set_events(struct agent_bridge *br)
{
	const struct of_pipe_events ev = { .flow_removed = on_flow_removed, .flow_changed = monitors_changed,
					   .table_status = on_table_status, .forwarded = on_forwarded, .arg = br->agent };

	of_pipe_set_events(ofp_pipe(br->agent->ofp, br->id), &ev);
}
