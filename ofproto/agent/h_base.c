/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about the switch and the connection themselves: echo, features, configuration, barriers, who we are. */
#include <stdio.h>
#include <stdlib.h>

#include "ofproto/agent/agent_priv.h"

/* OFPC_* of OpenFlow 1.3; ARP_MATCH_IP of 1.0. */
enum { CAP_FLOW_STATS = 1 << 0, CAP_TABLE_STATS = 1 << 1, CAP_PORT_STATS = 1 << 2, CAP_GROUP_STATS = 1 << 3,
       CAP_QUEUE_STATS = 1 << 6, CAP_ARP_MATCH_IP = 1 << 7 };
enum { ACTIONS_1_0 = 0xfff, PORTS_1_0 = 1300 };

int
h_ignore(struct conn *c UNUSED, const struct of_msg *m UNUSED, struct of_error *e UNUSED)
{
	return 0;
}

int
h_error(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_error_msg *b = m->body;

	log_debug("%s: %s: got error type %u code %u", c->br->conf.name, c->name, b->type, b->code);
	return 0;
}

int
h_echo_request(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	conn_reply(c, m, OFK_ECHO_REPLY, m->body);
	return 0;
}

int
h_features(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_features f = { .datapath_id = c->br->datapath_id, .n_buffers = PKTBUFS, .n_tables = OF_N_TABLES,
				 .capabilities = CAP_FLOW_STATS | CAP_TABLE_STATS | CAP_PORT_STATS | CAP_QUEUE_STATS };
	struct of_port *ports = NULL;

	if (m->version == OF10) {
		f.capabilities |= CAP_ARP_MATCH_IP;
		f.actions = ACTIONS_1_0;
	} else {
		f.capabilities |= CAP_GROUP_STATS;
	}
	if (m->version <= OF12) {
		f.ports = ports = ports_fill(c->br, &f.n_ports);
		/* What one message holds. */
		f.n_ports = MIN_OF(f.n_ports, m->version == OF10 ? (uint32_t)PORTS_1_0 : 1000u);
	}
	conn_reply(c, m, OFK_FEATURES_REPLY, &f);
	free(ports);
	return 0;
}

int
h_get_config(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_config conf = { .flags = c->br->frag, .miss_send_len = c->miss_send_len };

	if (m->version < OF13 && c->invalid_ttl)
		conf.flags |= OFPC_INVALID_TTL_TO_CONTROLLER;
	conn_reply(c, m, OFK_GET_CONFIG_REPLY, &conf);
	return 0;
}

int
h_set_config(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const uint32_t ttl = 1u << OFPR_INVALID_TTL;
	const struct of_config *conf = m->body;
	unsigned frag = conf->flags & OFPC_FRAG_MASK;

	/* Reassembly is not there: as other switches do, it is not an error, the answer to GET_CONFIG tells. */
	if (c->role != OFR_SLAVE && frag != OFPC_FRAG_REASM)
		c->br->frag = frag;
	c->miss_send_len = conf->miss_send_len;
	/* From 1.3 on this is one of the reasons of the asynchronous configuration. */
	if (m->version < OF13) {
		c->invalid_ttl = conf->flags & OFPC_INVALID_TTL_TO_CONTROLLER;
		c->async.packet_in[0] = c->invalid_ttl ? c->async.packet_in[0] | ttl : c->async.packet_in[0] & ~ttl;
	}
	async_changed(c->br);
	return 0;
}

static void
barrier_done(struct conn *c, const struct of_msg *m, void *data UNUSED)
{
	conn_reply(c, m, OFK_BARRIER_REPLY, NULL);
}

int
h_barrier(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	wait_commit(c, m, barrier_done, NULL);
	return 0;
}

static void
text(char *to, size_t len, const char *configured, const char *ours)
{
	str_copy(to, len, configured ? configured : ours);
}

int
h_desc(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_agent_conf *conf = &c->br->conf;
	struct of_desc d = { 0 };

	text(d.mfr, sizeof d.mfr, conf->mfr_desc, "Weft");
	/* Some controllers enable Nicira's extensions, which we have, only where they read this name. */
	text(d.hw, sizeof d.hw, conf->hw_desc, "Weft (compatible with Open vSwitch)");
	text(d.sw, sizeof d.sw, conf->sw_desc, WEFT_VERSION);
	text(d.serial, sizeof d.serial, conf->serial_desc, "None");
	text(d.dp, sizeof d.dp, conf->dp_desc, conf->name);
	conn_reply(c, m, OFK_DESC_REPLY, &d);
	return 0;
}

int
h_queue_config(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_id_request *q = m->body;
	struct of_queue_config conf = { .port_no = q->id };

	if (!(q->id == (uint32_t)OFPP_ANY && m->version > OF10) && !ofp_port_by_no(c->br->agent->ofp, c->br->id, q->id))
		return of_error_set(e, OFE_QOFC_BAD_PORT, "no port %u", q->id);
	conn_reply(c, m, OFK_QUEUE_GET_CONFIG_REPLY, &conf);
	return 0;
}
