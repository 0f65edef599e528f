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

/* --- Geneve options ------------------------------------------------------------------------------ */

int
h_nx_tlv_request(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_tlv_table t = { .max_option_space = OFP_TLV_SPACE, .max_fields = TLV_MAX };
	struct of_tlv_map map[TLV_MAX];
	struct tlv_row row[TLV_MAX];

	ofp_tlvs(c->br->agent->ofp, c->br->id, row);
	for (unsigned i = 0; i < TLV_MAX; i++)
		if (row[i].len)
			map[t.n_maps++] = (struct of_tlv_map){ .option_class = row[i].class, .option_type = row[i].type,
							       .option_len = row[i].len, .index = (uint16_t)i };
	t.maps = map;
	conn_reply(c, m, OFK_NX_TLV_TABLE_REPLY, &t);
	return 0;
}

static int
tlv_add(struct tlv_row row[TLV_MAX], const struct of_tlv_map *n, struct of_error *e)
{
	unsigned space = TLV_HLEN + n->option_len;

	if (!n->option_len || n->option_len % 4 || n->option_len > TLV_DATA_MAX)
		return of_error_set(e, OFE_NXTTMFC_BAD_OPT_LEN, "an option of %u bytes: fields are multiples of 4, up to %d",
				    n->option_len, TLV_DATA_MAX);
	if (n->index >= TLV_MAX)
		return of_error_set(e, OFE_NXTTMFC_BAD_FIELD_IDX, "tun_metadata%u: the last one is %d", n->index, TLV_MAX - 1);
	if (row[n->index].len)
		return of_error_set(e, OFE_NXTTMFC_ALREADY_MAPPED, "tun_metadata%u", n->index);
	for (unsigned i = 0; i < TLV_MAX; i++) {
		if (!row[i].len)
			continue;
		if (row[i].class == n->option_class && row[i].type == n->option_type)
			return of_error_set(e, OFE_NXTTMFC_DUP_ENTRY, "it is tun_metadata%u", i);
		space += TLV_HLEN + row[i].len;
	}
	if (space > OFP_TLV_SPACE)
		return of_error_set(e, OFE_NXTTMFC_TABLE_FULL, "%u bytes of options: at most %d of them all, 4 of each for its "
				    "header", space, OFP_TLV_SPACE);
	row[n->index] = (struct tlv_row){ .class = n->option_class, .type = n->option_type, .len = n->option_len };
	return 0;
}

/* 'used': fields that rules match. */
static int
tlv_del(struct tlv_row row[TLV_MAX], const struct of_tlv_map *n, uint8_t used, struct of_error *e)
{
	if (n->index >= TLV_MAX)
		return of_error_set(e, OFE_NXTTMFC_BAD_FIELD_IDX, "tun_metadata%u", n->index);
	if (used >> n->index & 1)
		return of_error_set(e, OFE_NXTTMFC_INVALID_TLV_DEL, "rules match tun_metadata%u", n->index);
	row[n->index] = (struct tlv_row){ .len = 0 };
	return 0;
}

int
h_nx_tlv_mod(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_tlv_table *t = m->body;
	struct ofp *o = c->br->agent->ofp;
	struct tlv_row row[TLV_MAX];
	struct oflow bits;
	int rc = 0;

	of_pipe_match_bits(ofp_pipe(o, c->br->id), &bits);
	ofp_tlvs(o, c->br->id, row);
	if (t->command > OFTLV_CLEAR)
		return of_error_set(e, OFE_NXTTMFC_BAD_COMMAND, "command %u", t->command);
	if (t->command == OFTLV_CLEAR) {
		for (uint16_t i = 0; i < TLV_MAX && !rc; i++)
			rc = row[i].len ? tlv_del(row, &(struct of_tlv_map){ .index = i }, bits.tun_md_present, e) : 0;
	}
	for (unsigned i = 0; t->command != OFTLV_CLEAR && i < t->n_maps && !rc; i++)
		rc = t->command == OFTLV_ADD ? tlv_add(row, &t->maps[i], e) : tlv_del(row, &t->maps[i], bits.tun_md_present, e);
	if (!rc)
		ofp_set_tlvs(o, c->br->id, row);
	return rc;
}

/* --- Packets ------------------------------------------------------------------------------------ */

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
