/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to handlers: decodes each message once, checks who may say it, answers errors. */
#include "ofproto/agent/agent_priv.h"

enum { H_CHANGE = 1 << 0 };             /* Not for slaves. */

static const struct handler {
	handler_fn *fn;
	unsigned flags;
} handlers[OFK_N_KINDS] = {
	[OFK_HELLO] = { h_ignore, 0 },  /* A second one. */
	[OFK_ERROR] = { h_error, 0 },
	[OFK_ECHO_REQUEST] = { h_echo_request, 0 },
	[OFK_ECHO_REPLY] = { h_ignore, 0 },
	[OFK_FEATURES_REQUEST] = { h_features, 0 },
	[OFK_GET_CONFIG_REQUEST] = { h_get_config, 0 },
	[OFK_SET_CONFIG] = { h_set_config, 0 },
	[OFK_PACKET_OUT] = { h_packet_out, H_CHANGE },
	[OFK_FLOW_MOD] = { h_flow_mod, H_CHANGE },
	[OFK_GROUP_MOD] = { h_change, H_CHANGE },
	[OFK_PORT_MOD] = { h_change, H_CHANGE },
	[OFK_TABLE_MOD] = { h_change, H_CHANGE },
	[OFK_METER_MOD] = { h_change, H_CHANGE },
	[OFK_BARRIER_REQUEST] = { h_barrier, 0 },
	[OFK_QUEUE_GET_CONFIG_REQUEST] = { h_queue_config, 0 },
	[OFK_ROLE_REQUEST] = { h_role, 0 },
	[OFK_GET_ASYNC_REQUEST] = { h_get_async, 0 },
	[OFK_SET_ASYNC] = { h_set_async, 0 },
	[OFK_BUNDLE_CONTROL] = { h_bundle_control, H_CHANGE },
	[OFK_BUNDLE_ADD] = { h_bundle_add, H_CHANGE },
	[OFK_NX_SET_FLOW_FORMAT] = { h_nx_flow_format, 0 },
	[OFK_NX_FLOW_MOD_TABLE_ID] = { h_nx_table_id, 0 },
	[OFK_NX_SET_PACKET_IN_FORMAT] = { h_nx_packet_in_format, 0 },
	[OFK_NX_FLOW_AGE] = { h_ignore, 0 },
	[OFK_NX_SET_CONTROLLER_ID] = { h_nx_controller_id, 0 },
	[OFK_NX_FLOW_MONITOR_CANCEL] = { h_nx_monitor_cancel, 0 },
	[OFK_NX_TLV_TABLE_MOD] = { h_nx_tlv_mod, H_CHANGE },
	[OFK_NX_TLV_TABLE_REQUEST] = { h_nx_tlv_request, 0 },
	[OFK_NX_RESUME] = { h_nx_resume, H_CHANGE },
	[OFK_NX_CT_FLUSH_ZONE] = { h_ignore, H_CHANGE },        /* Nothing is tracked. */
	[OFK_NX_CT_FLUSH] = { h_ignore, H_CHANGE },
	[OFK_DESC_REQUEST] = { h_desc, 0 },
	[OFK_FLOW_REQUEST] = { h_flow_stats, 0 },
	[OFK_FLOW_LW_REQUEST] = { h_flow_stats, 0 },
	[OFK_AGGREGATE_REQUEST] = { h_aggregate, 0 },
	[OFK_TABLE_REQUEST] = { h_table_stats, 0 },
	[OFK_PORT_REQUEST] = { h_port_stats, 0 },
	[OFK_QUEUE_REQUEST] = { h_queue_stats, 0 },
	[OFK_GROUP_REQUEST] = { h_group_stats, 0 },
	[OFK_GROUP_DESC_REQUEST] = { h_group_desc, 0 },
	[OFK_GROUP_FEATURES_REQUEST] = { h_group_features, 0 },
	[OFK_METER_REQUEST] = { h_meter_stats, 0 },
	[OFK_METER_CONFIG_REQUEST] = { h_meter_config, 0 },
	[OFK_METER_FEATURES_REQUEST] = { h_meter_features, 0 },
	[OFK_TABLE_FEATURES_REQUEST] = { h_table_features, 0 },
	[OFK_PORT_DESC_REQUEST] = { h_port_desc, 0 },
	[OFK_TABLE_DESC_REQUEST] = { h_table_desc, 0 },
	[OFK_QUEUE_DESC_REQUEST] = { h_queue_stats, 0 },
	[OFK_FLOW_MONITOR_REQUEST] = { h_flow_monitor, 0 },
	[OFK_BUNDLE_FEATURES_REQUEST] = { h_bundle_features, 0 },
	[OFK_CONTROLLER_STATUS_REQUEST] = { h_controller_status, 0 },
};

/* What may carry another version than the negotiated one. */
static bool
any_version(uint8_t kind)
{
	return kind == OFK_HELLO || kind == OFK_ERROR || kind == OFK_ECHO_REQUEST || kind == OFK_ECHO_REPLY;
}

static void
before_hello(struct conn *c, const struct of_msg *m, int rc, const uint8_t *raw, uint32_t len)
{
	const struct of_error_msg *e = m->body;

	if (!rc && m->kind == OFK_HELLO) {
		hello_received(c, m, raw, len);
	} else if (!rc && m->kind == OFK_ERROR) {
		conn_close(c, "refused by the peer: error type %u code %u", e->type, e->code);
	} else {
		/* Nothing is answered to who has not even said what it speaks. */
		c->errors++;
		conn_close(c, "the first message is no OpenFlow HELLO");
	}
}

static int
handle(struct conn *c, struct of_msg *m, const uint8_t *raw, uint32_t len, struct of_error *e)
{
	const struct handler *h = &handlers[m->kind];
	bool taken = false;

	if (m->version != c->version && !any_version(m->kind)) {
		c->bad_in_row++;
		return of_error_set(e, OFE_BRC_BAD_VERSION, "version %u, but %u was agreed on", m->version, c->version);
	}
	if (m->version == c->version)
		c->bad_in_row = 0;
	if (!h->fn) {
		if (m->kind == OFK_EXPERIMENTER)
			return of_error_set(e, OFE_BRC_BAD_EXPERIMENTER, "unknown experimenter");
		return of_error_set(e, OFE_BRC_BAD_TYPE, "%s is not for a switch", of_kind_name(m->kind));
	}
	if ((h->flags & H_CHANGE) && c->role == OFR_SLAVE)
		return of_error_set(e, OFE_BRC_IS_SLAVE, "a slave may not change anything");
	if (m->more || c->parts) {
		if (parts_add(c, m, raw, len, e, &taken))
			return -1;
		if (taken)
			return 0;
	}
	return h->fn(c, m, e);
}

void
dispatch(struct conn *c, const uint8_t *raw, uint32_t len)
{
	struct of_agent *a = c->br->agent;
	const struct of_decode_opts opts = { .table_ids = c->table_ids };
	struct of_error e = { 0 };
	struct of_msg m = { 0 };
	int rc;

	c->rx++;
	/* Who looks on has nothing to say. */
	if (c->remote->snoop && c->state == CONN_UP)
		return;
	if (tap_wanted(c))
		tap_show(c, false, raw, len);
	of_arena_reset(a->arena);
	rc = of_decode(raw, len, &opts, a->arena, &m, &e);
	if (c->state != CONN_UP) {
		before_hello(c, &m, rc, raw, len);
		return;
	}
	c->mon_abbrev = false;
	c->raw = raw;
	c->raw_len = len;
	if (!rc)
		rc = handle(c, &m, raw, len, &e);
	else if (m.version != c->version)
		c->bad_in_row++;
	else if (m.kind == OFK_BUNDLE_ADD)
		bundles_fail(c);
	if (rc)
		conn_error(c, &e, raw, len);
	if (c->bad_in_row > BAD_IN_ROW)
		conn_close_soon(c, "the peer sends garbage: %u messages of a wrong version", c->bad_in_row);
}
