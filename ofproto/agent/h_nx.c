/* SPDX-License-Identifier: Apache-2.0 */
/* Nicira's messages about the connection, and what is only there so that clients that begin with it go on. */
#include "ofproto/agent/agent_priv.h"

int
h_nx_flow_format(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	enum { FORMAT_OF10 = 0, FORMAT_NXM = 2 };
	const struct of_nx_value *v = m->body;

	if (v->value != FORMAT_OF10 && v->value != FORMAT_NXM)
		return of_error_set(e, OFE_BRC_EPERM, "flow format %u", v->value);
	c->nxm = v->value == FORMAT_NXM;
	return 0;
}

int
h_nx_table_id(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	c->table_ids = ((const struct of_nx_value *)m->body)->value;
	return 0;
}

int
h_nx_packet_in_format(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_nx_value *v = m->body;

	if (v->value > 2)
		return of_error_set(e, OFE_BRC_EPERM, "packet-in format %u", v->value);
	c->packet_in_format = v->value;
	return 0;
}

int
h_nx_controller_id(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	c->controller_id = ((const struct of_nx_value *)m->body)->value;
	async_changed(c->br);
	return 0;
}

/* Geneve options cannot be matched: the table is empty and stays so. */
int
h_nx_tlv_request(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_tlv_table t = { 0 };

	conn_reply(c, m, OFK_NX_TLV_TABLE_REPLY, &t);
	return 0;
}

int
h_nx_tlv_mod(struct conn *c UNUSED, const struct of_msg *m, struct of_error *e)
{
	const struct of_tlv_table *t = m->body;

	if (t->command == OFTLV_CLEAR)
		return 0;
	return of_error_set(e, OFE_BRC_EPERM, "no room for tunnel options");
}

/* No packet is ever paused, so no continuation is known. */
int
h_nx_resume(struct conn *c UNUSED, const struct of_msg *m UNUSED, struct of_error *e)
{
	return of_error_set(e, OFE_BRC_EPERM, "this continuation is not known");
}

/* --- OpenFlow 1.5 ------------------------------------------------------------------------------- */

int
h_bundle_features(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_bundle_features f = { .capabilities = OFBF_ATOMIC | OFBF_ORDERED };

	conn_reply(c, m, OFK_BUNDLE_FEATURES_REPLY, &f);
	return 0;
}

int
h_controller_status(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_controller_status row[SERVICE_CONNS + OF_MAX_CONTROLLERS];
	struct of_rows rows = { .row_size = sizeof row[0], .rows = row };

	BRIDGE_EACH_UP (o, c->br) {
		if (rows.n == ARRAY_SIZE(row))
			break;
		row[rows.n] = (struct of_controller_status){ .role = o->role };
		str_copy(row[rows.n++].uri, sizeof row[0].uri, o->name);
	}
	conn_reply(c, m, OFK_CONTROLLER_STATUS_REPLY, &rows);
	return 0;
}
