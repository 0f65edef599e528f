/* SPDX-License-Identifier: Apache-2.0 */
/* Packets on their way to controllers.  Each connection gets them in its own form, or not at all. */
#include <string.h>

#include "ofproto/agent/agent_priv.h"

static uint8_t
reason_for(uint8_t reason, uint8_t version)
{
	/* 1.4 told apart what was ACTION before. */
	if (version < OF14 && (reason == OFPR_ACTION_SET || reason == OFPR_GROUP || reason == OFPR_PACKET_OUT))
		return OFPR_ACTION;
	return reason;
}

static bool
wanted(const struct conn *c, const struct of_punt *p)
{
	if (p->miss && c->version >= OF13)
		return false;
	return p->controller_id == c->controller_id && async_wants(c, ASYNC_PACKET_IN, reason_for(p->reason, c->version));
}

/* 1.0 controllers count on buffers; later ones get one where they asked for the beginning of the packet only.  The whole
 * packet is sent all the same. */
static bool
wants_buffer(const struct conn *c, const struct of_punt *p, uint32_t len)
{
	uint16_t max_len = p->miss ? c->miss_send_len : p->max_len;

	if (max_len == 0xffff)
		return false;
	return c->version == OF10 || max_len < len;
}

/* Longer frames, which come of segmentation offload, are cut: a message has 64 KB. */
enum { MESSAGE_MAX = 0xffff, AROUND_FRAME = 2048 };

static void
packet_in(struct conn *c, const struct of_punt *p, const struct of_data *userdata, const struct of_data *frame,
	  uint32_t orig_len)
{
	struct of_packet_in in = { .buffer_id = (uint32_t)OF_NO_BUFFER, .total_len = MIN_OF(orig_len, 0xffffu),
				   .reason = reason_for(p->reason, c->version), .table_id = p->table, .cookie = p->cookie,
				   .meta = p->meta, .frame = *frame, .format = c->packet_in_format,
				   .userdata = *userdata };

	if (userdata->len + AROUND_FRAME < MESSAGE_MAX)
		in.frame.len = MIN_OF(frame->len, MESSAGE_MAX - AROUND_FRAME - userdata->len);
	if (conn_out_len(c) > OUT_PACKET_IN) {
		c->packet_ins_dropped++;
		return;
	}
	if (frame->len == orig_len && wants_buffer(c, p, frame->len))
		in.buffer_id = pktbuf_put(c, host32(p->meta.in_port), frame->data, frame->len);
	conn_tell(c, OFK_PACKET_IN, OFMF_STD, &in);
	c->packet_ins++;
}

void
of_agent_punt(struct of_agent *a, uint16_t in_port UNUSED, const void *data, unsigned data_len, const void *frame,
	      uint32_t len, uint32_t orig_len)
{
	const struct of_data f = { .data = frame, .len = len };
	struct agent_bridge *br;
	struct of_data userdata;
	struct of_punt p;

	if (data_len < sizeof p)
		return;
	memcpy(&p, data, sizeof p);
	br = agent_bridge(a, p.bridge);
	if (!br || p.userdata_len > data_len - sizeof p)
		return;
	userdata = (struct of_data){ .data = (const uint8_t *)data + sizeof p, .len = p.userdata_len };
	BRIDGE_EACH_UP (c, br)
		if (wanted(c, &p))
			packet_in(c, &p, &userdata, &f, orig_len);
}
