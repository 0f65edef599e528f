/* SPDX-License-Identifier: Apache-2.0 */
/* Ports as controllers see them: descriptions, counters, flags, news. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

/* What of OFPPC_* does something here; the others are kept and shown. */
enum { CONFIG_ALL = OFPPC_PORT_DOWN | OFPPC_NO_STP | OFPPC_NO_RECV | OFPPC_NO_RECV_STP | OFPPC_NO_FLOOD | OFPPC_NO_FWD |
		    OFPPC_NO_PACKET_IN };

struct port_list {
	uint32_t n, cap;
	uint16_t *port;
};

static void
add_port(void *arg, uint16_t port)
{
	struct port_list *l = arg;

	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->port = xrealloc(l->port, l->cap * sizeof *l->port);
	}
	l->port[l->n++] = port;
}

static struct port_list
ports_list(const struct agent_bridge *br)
{
	struct port_list l = { 0 };

	ofp_ports_each(br->agent->ofp, br->id, add_port, &l);
	return l;
}

bool
port_fill(const struct agent_bridge *br, uint16_t port, struct of_port *p)
{
	const struct of_agent *a = br->agent;
	bool there;

	memset(p, 0, sizeof *p);
	there = a->ops.port(a->ops.arg, port, p);
	p->port_no = ofp_port_no(a->ofp, port);
	p->config = ofp_port_of_config(a->ofp, port);
	p->state &= ~(uint32_t)OFPPS_LIVE;
	if (!(p->state & OFPPS_LINK_DOWN) && !(p->config & OFPPC_PORT_DOWN) && !ofp_port_is_dead(a->ofp, port))
		p->state |= OFPPS_LIVE;
	return there;
}

struct of_port *
ports_fill(const struct agent_bridge *br, uint32_t *n)
{
	struct port_list l = ports_list(br);
	struct of_port *ports = xcalloc(l.n + 1, sizeof *ports);

	*n = 0;
	for (uint32_t i = 0; i < l.n; i++)
		*n += port_fill(br, l.port[i], &ports[*n]);
	free(l.port);
	return ports;
}

int
h_port_desc(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_id_request *q = m->body;
	struct of_rows rows = { .row_size = sizeof(struct of_port) };
	struct of_port *ports = ports_fill(c->br, &rows.n);

	rows.rows = ports;
	if (m->version >= OF15 && q && q->id != (uint32_t)OFPP_ANY) {
		uint32_t n = rows.n;

		rows.n = 0;
		for (uint32_t i = 0; i < n; i++)
			if (ports[i].port_no == q->id)
				ports[rows.n++] = ports[i];
	}
	conn_reply(c, m, OFK_PORT_DESC_REPLY, &rows);
	free(ports);
	return 0;
}

static void
port_row(const struct agent_bridge *br, uint16_t port, struct of_port_row *row)
{
	const struct of_agent *a = br->agent;

	/* Counters that nobody fills in are not counted. */
	memset(row, 0xff, sizeof *row);
	row->duration_s = row->duration_ns = 0;
	a->ops.port_stats(a->ops.arg, port, row);
	row->port_no = ofp_port_no(a->ofp, port);
}

static void
port_stats(struct conn *c, const struct of_msg *m, void *data)
{
	const struct of_id_request *q = data;
	struct of_rows rows = { .row_size = sizeof(struct of_port_row) };
	struct port_list l = ports_list(c->br);
	struct of_port_row *row = xcalloc(l.n + 1, sizeof *row);

	for (uint32_t i = 0; i < l.n; i++)
		if (q->id == (uint32_t)OFPP_ANY || ofp_port_no(c->br->agent->ofp, l.port[i]) == q->id)
			port_row(c->br, l.port[i], &row[rows.n++]);
	rows.rows = row;
	conn_reply(c, m, OFK_PORT_REPLY, &rows);
	free(row);
	free(l.port);
	free(data);
}

int
h_port_stats(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_id_request *q = xcalloc(1, sizeof *q);

	*q = *(const struct of_id_request *)m->body;
	port_stats(c, m, q);
	return 0;
}

/* No port has queues. */
int
h_queue_stats(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_id_request *q = m->body;
	struct of_rows rows = { .row_size = m->kind == OFK_QUEUE_REQUEST ? sizeof(struct of_queue_row) :
									   sizeof(struct of_queue_desc) };

	if (q->id != (uint32_t)OFPP_ANY && !ofp_port_by_no(c->br->agent->ofp, c->br->id, q->id))
		return of_error_set(e, OFE_QOFC_BAD_PORT, "no port %u", q->id);
	if (q->id2 != OFQ_ALL)
		return of_error_set(e, OFE_QOFC_BAD_QUEUE, "no queue %u", q->id2);
	conn_reply(c, m, m->kind + 1, &rows);
	return 0;
}

/* --- Changes ------------------------------------------------------------------------------------ */

/* 'but' NULL: everybody is told. */
static void
port_status(struct agent_bridge *br, const struct of_port *p, enum of_port_reason reason, const struct conn *but)
{
	const struct of_port_status s = { .reason = reason, .port = *p };

	BRIDGE_EACH_UP (c, br)
		if (async_wants(c, ASYNC_PORT_STATUS, reason) && !(c == but && c->version < OF15))
			conn_tell(c, OFK_PORT_STATUS, OFMF_STD, &s);
}

int
port_mod_check(struct conn *c, const struct of_port_mod *pm, uint16_t *port, struct of_error *e)
{
	struct of_port p;

	*port = ofp_port_by_no(c->br->agent->ofp, c->br->id, pm->port_no);
	if (!*port || !port_fill(c->br, *port, &p))
		return of_error_set(e, OFE_PMFC_BAD_PORT, "no port %u", pm->port_no);
	if (!mac_equal(p.hw_addr, pm->hw_addr))
		return of_error_set(e, OFE_PMFC_BAD_HW_ADDR, "port %u has another address", pm->port_no);
	if (pm->mask & ~(uint32_t)CONFIG_ALL)
		return of_error_set(e, OFE_PMFC_BAD_CONFIG, "unknown flags %#x", pm->mask);
	return 0;
}

int
port_mod(struct conn *c, const struct of_port_mod *pm, struct of_error *e)
{
	struct of_agent *a = c->br->agent;
	uint32_t old, new;
	struct of_port p;
	uint16_t port;

	if (port_mod_check(c, pm, &port, e))
		return -1;
	old = ofp_port_of_config(a->ofp, port);
	new = (old & ~pm->mask) | (pm->config & pm->mask);
	if (new == old)
		return 0;
	ofp_port_set_of_config(a->ofp, port, new);
	if ((old ^ new) & OFPPC_PORT_DOWN)
		a->ops.port_admin(a->ops.arg, port, !(new & OFPPC_PORT_DOWN));
	if (port_fill(c->br, port, &p))
		port_status(c->br, &p, OFPPR_MODIFY, c);
	return 0;
}

static struct agent_bridge *
bridge_of_port(const struct of_agent *a, uint16_t port)
{
	uint32_t no = ofp_port_no(a->ofp, port);

	for (unsigned i = 1; i < OFP_MAX_BRIDGES; i++)
		if (a->bridge[i] && ofp_port_by_no(a->ofp, i, no) == port)
			return a->bridge[i];
	return NULL;
}

void
of_agent_port_changed(struct of_agent *a, uint16_t port, enum of_port_reason reason)
{
	struct agent_bridge *br = bridge_of_port(a, port);
	struct of_port p;

	if (br && (port_fill(br, port, &p) || reason == OFPPR_DELETE))
		port_status(br, &p, reason, NULL);
}
