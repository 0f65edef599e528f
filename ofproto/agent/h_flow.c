/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that change the pipeline, and packets that controllers send. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

int
change_apply(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_who who = { .version = m->version, .owner = c, .xid = m->xid };
	struct of_pipe *pipe = ofp_pipe(c->br->agent->ofp, c->br->id);

	switch (m->kind) {
	case OFK_FLOW_MOD:
		return of_flow_mod(pipe, &who, m->body, e);
	case OFK_GROUP_MOD:
		return of_group_mod(pipe, &who, m->body, e);
	case OFK_METER_MOD:
		return of_meter_mod(pipe, &who, m->body, e);
	case OFK_TABLE_MOD:
		return of_table_mod(pipe, &who, m->body, e);
	case OFK_PORT_MOD:
		return port_mod(c, m->body, e);
	default:
		return of_error_set(e, OFE_BRC_BAD_TYPE, "%s changes nothing", of_kind_name(m->kind));
	}
}

int
h_change(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	return change_apply(c, m, e);
}

/* --- Packets ------------------------------------------------------------------------------------ */

static bool
has_group(void *arg, uint32_t id)
{
	const struct of_pipe *pipe = arg;
	struct of_group_view v;

	return of_group_find(pipe, of_pipe_version(pipe), id, &v);
}

static bool
has_meter(void *arg, uint32_t id)
{
	uint32_t n;

	return of_meter_find(arg, id, &n);
}

static bool
has_any(void *arg UNUSED, uint32_t id UNUSED)
{
	return true;
}

int
packet_out_check(struct conn *c, const struct of_packet_out *po, bool in_bundle, struct of_error *e)
{
	struct of_agent *a = c->br->agent;
	struct of_pipe *pipe = ofp_pipe(a->ofp, c->br->id);
	const struct of_check check = { .version = c->version, .table = OFTT_ALL, .n_tables = OF_N_TABLES,
					.has_group = in_bundle ? has_any : has_group,
					.has_meter = in_bundle ? has_any : has_meter,
					.max_port = (uint32_t)OFPP_MAX, .options = of_pipe_options(pipe), .arg = pipe };
	const uint32_t in = po->in_port;

	if (!in || (in >= (uint32_t)OFPP_MAX && in != (uint32_t)OFPP_CONTROLLER && in != (uint32_t)OFPP_ANY &&
		    in != (uint32_t)OFPP_LOCAL))
		return of_error_set(e, OFE_BRC_BAD_PORT, "in_port %u", in);
	/* Groups that came just before. */
	if (!in_bundle && of_pipe_dirty(pipe))
		ofp_commit(a->ofp);
	return of_acts_check(po->acts, &check, e);
}

static int
send_frame(struct conn *c, uint32_t in_port, const struct oflow *meta, const struct of_acts *acts, const void *frame,
	   uint32_t len, struct of_error *e)
{
	enum { ETH_LEN = 14 };

	if (len < ETH_LEN || ofp_packet_out(c->br->agent->ofp, c->br->id, in_port, meta, acts, frame, len))
		return of_error_set(e, OFE_BRC_BAD_PACKET, "%u bytes cannot be sent", len);
	return 0;
}

int
packet_out_run(struct conn *c, const struct of_packet_out *po, struct of_error *e)
{
	uint32_t in_port, len;
	uint8_t *frame;
	int rc;

	if (po->buffer_id == (uint32_t)OF_NO_BUFFER)
		return send_frame(c, po->in_port, &po->meta, &po->acts, po->frame.data, po->frame.len, e);
	rc = pktbuf_take(c, po->buffer_id, &in_port, &frame, &len, e);
	if (rc)
		return rc;
	rc = send_frame(c, po->in_port, &po->meta, &po->acts, frame, len, e);
	free(frame);
	return rc;
}

int
h_packet_out(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_packet_out *po = m->body;
	int rc = packet_out_check(c, po, false, e);

	return rc ? rc : packet_out_run(c, po, e);
}

bool
flow_mod_has_buffer(const struct of_flow_mod *fm)
{
	return fm->buffer_id != (uint32_t)OF_NO_BUFFER && fm->command != OFFC_DELETE && fm->command != OFFC_DELETE_STRICT;
}

/* As a packet-out to TABLE. */
int
flow_mod_release_buffer(struct conn *c, const struct of_flow_mod *fm, struct of_error *e)
{
	struct of_act_buf b = { 0 };
	struct of_act_output *out;
	uint32_t in_port, len;
	struct of_acts acts;
	uint8_t *frame;
	int rc = pktbuf_take(c, fm->buffer_id, &in_port, &frame, &len, e);

	if (rc)
		return rc;
	out = of_act_put(&b, OFA_OUTPUT, OFA_FORM_STD, sizeof *out);
	out->port = (uint32_t)OFPP_TABLE;
	acts = of_act_buf_acts(&b);
	rc = send_frame(c, in_port, NULL, &acts, frame, len, e);
	of_act_buf_fini(&b);
	free(frame);
	return rc;
}

int
h_flow_mod(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	int rc = change_apply(c, m, e);

	return rc || !flow_mod_has_buffer(m->body) ? rc : flow_mod_release_buffer(c, m->body, e);
}
