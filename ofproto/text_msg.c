/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as text; see text.h.  Multiparts are in text_stats.c. */
#include "ofproto/text_priv.h"

#include <stdio.h>

static const char *
one_of(const char *const *names, unsigned n, unsigned i)
{
	return i < n && names[i] ? names[i] : "(unknown)";
}

/* --- Of the connection -------------------------------------------------------------------------- */

static void
put_hello(struct of_text *t, const struct of_hello *h)
{
	of_text_puts(t, "\n version bitmap: ");
	for (unsigned v = 1; v < 32; v++)
		if (h->versions >> v & 1)
			of_text_printf(t, "0x%02x, ", v);
	of_text_chomp(t, ' ');
	of_text_chomp(t, ',');
}

static void
put_error(struct of_text *t, const struct of_error_msg *e)
{
	const struct of_data *d = &e->data;

	if (e->id != OFE_OK)
		of_text_printf(t, " %s\n", of_error_name(e->id));
	else if (e->experimenter)
		of_text_printf(t, " experimenter 0x%x type %u code %u\n", e->experimenter, e->type, e->code);
	else
		of_text_printf(t, " type %u code %u\n", e->type, e->code);
	/* HELLO_FAILED explains itself in words; others quote the start of the message. */
	if (!e->type) {
		for (uint32_t i = 0; i < d->len && i < 256; i++)
			of_text_printf(t, d->data[i] >= ' ' && d->data[i] < 0x7f ? "%c" : "\\x%02x", d->data[i]);
	} else if (d->len >= OF_HEADER_LEN) {
		of_text_printf(t, "about: version %u type %u length %u xid 0x%x", d->data[0], d->data[1],
			       d->data[2] << 8 | d->data[3], host32(load_be32(d->data + 4)));
	}
}

static void
put_role(struct of_text *t, const struct of_msg *m)
{
	static const char *const roles[] = { "nochange", "equal", "primary", "secondary" };
	static const char *const reasons[] = { "primary_request", "configuration_changed",
					       "experimenter_data_changed" };
	const struct of_role_msg *r = m->body;

	of_text_printf(t, " role=%s", one_of(roles, ARRAY_SIZE(roles), r->role));
	if (r->short_id)
		of_text_printf(t, " short_id=%u", r->short_id);
	/* Nicira's has none. */
	if (m->form != OFMF_NX && r->generation_id != UINT64_MAX)
		of_text_printf(t, " generation_id=%llu", (unsigned long long)r->generation_id);
	if (m->kind == OFK_ROLE_STATUS)
		of_text_printf(t, " reason=%s", one_of(reasons, ARRAY_SIZE(reasons), r->reason));
}

static void
put_reasons(struct of_text *t, const char *label, uint32_t mask, const char *const *names, unsigned n)
{
	of_text_printf(t, "%16s: ", label);
	if (mask)
		tx_put_bits(t, mask, names, n, ' ');
	else
		of_text_puts(t, "(off)");
	of_text_puts(t, "\n");
}

static void
put_async(struct of_text *t, const struct of_async *a)
{
	static const char *const pin[] = { "no_match", "action", "invalid_ttl", "action_set", "group", "packet_out" };
	static const char *const port[] = { "add", "delete", "modify" };
	static const char *const removed[] = { "idle", "hard", "delete", "group_delete", "meter_delete", "eviction" };
	static const char *const role[] = { "primary_request", "configuration_changed", "experimenter_data_changed" };
	static const char *const table[] = { NULL, NULL, NULL, "vacancy_down", "vacancy_up" };
	static const char *const forward[] = { "group_mod_request", "meter_mod_request" };

	for (unsigned i = 0; i < 2; i++) {
		of_text_printf(t, "\n %s:\n", i ? "secondary" : "primary");
		put_reasons(t, "PACKET_IN", a->packet_in[i], pin, ARRAY_SIZE(pin));
		put_reasons(t, "PORT_STATUS", a->port_status[i], port, ARRAY_SIZE(port));
		put_reasons(t, "FLOW_REMOVED", a->flow_removed[i], removed, ARRAY_SIZE(removed));
		put_reasons(t, "ROLE_STATUS", a->role_status[i], role, ARRAY_SIZE(role));
		put_reasons(t, "TABLE_STATUS", a->table_status[i], table, ARRAY_SIZE(table));
		put_reasons(t, "REQUESTFORWARD", a->requestforward[i], forward, ARRAY_SIZE(forward));
	}
}

static void
put_controller_status(struct of_text *t, const struct of_controller_status *c)
{
	static const char *const roles[] = { "nochange", "equal", "primary", "secondary" };

	of_text_printf(t, "\n short_id=%u role=%s reason=%u channel=%s uri=%.*s", c->short_id,
		       one_of(roles, ARRAY_SIZE(roles), c->role), c->reason, c->channel_status ? "down" : "up",
		       (int)sizeof c->uri, c->uri);
}

/* --- Of the switch ------------------------------------------------------------------------------ */

static void
put_features(struct of_text *t, const struct of_msg *m)
{
	static const char *const caps[] = { "FLOW_STATS", "TABLE_STATS", "PORT_STATS", "GROUP_STATS", NULL, "IP_REASM",
					    "QUEUE_STATS", "ARP_MATCH_IP", "PORT_BLOCKED", "BUNDLES",
					    "FLOW_MONITORING" };
	static const char *const caps10[] = { "FLOW_STATS", "TABLE_STATS", "PORT_STATS", "STP", NULL, "IP_REASM",
					      "QUEUE_STATS", "ARP_MATCH_IP" };
	const struct of_features *f = m->body;
	bool old = m->version == OF10;

	of_text_printf(t, " dpid:%016llx\nn_tables:%u, n_buffers:%u", (unsigned long long)f->datapath_id, f->n_tables,
		       f->n_buffers);
	if (f->auxiliary_id)
		of_text_printf(t, ", auxiliary_id:%u", f->auxiliary_id);
	of_text_puts(t, "\ncapabilities: ");
	tx_put_bits(t, f->capabilities, old ? caps10 : caps, old ? ARRAY_SIZE(caps10) : ARRAY_SIZE(caps), ' ');
	of_text_puts(t, "\n");
	if (old && f->actions) {
		of_text_puts(t, "actions: ");
		tx_put_actions(t, f->actions, m->version);
		of_text_puts(t, "\n");
	}
	for (uint32_t i = 0; i < f->n_ports; i++)
		tx_put_port_desc(t, &f->ports[i]);
}

static void
put_config(struct of_text *t, const struct of_config *c)
{
	static const char *const frags[] = { "normal", "drop", "reassemble", "nx-match" };

	of_text_printf(t, " frags=%s%s miss_send_len=%u\n", frags[c->flags & OFPC_FRAG_MASK],
		       c->flags & OFPC_INVALID_TTL_TO_CONTROLLER ? " invalid_ttl_to_controller" : "",
		       c->miss_send_len);
}

static void
put_port_mod(struct of_text *t, const struct of_port_mod *p, const struct of_names *names)
{
	static const char *const config[] = { "PORT_DOWN", "NO_STP", "NO_RECV", "NO_RECV_STP", "NO_FLOOD", "NO_FWD",
					      "NO_PACKET_IN" };

	of_text_puts(t, " port: ");
	of_print_port(t, p->port_no, names);
	of_text_printf(t, ": addr:%02x:%02x:%02x:%02x:%02x:%02x\n     config: ", p->hw_addr.b[0], p->hw_addr.b[1],
		       p->hw_addr.b[2], p->hw_addr.b[3], p->hw_addr.b[4], p->hw_addr.b[5]);
	tx_put_bits(t, p->config, config, ARRAY_SIZE(config), ' ');
	of_text_puts(t, "\n     mask:   ");
	tx_put_bits(t, p->mask, config, ARRAY_SIZE(config), ' ');
	if (p->advertise)
		of_text_printf(t, "\n     advertise: 0x%x\n", p->advertise);
	else
		of_text_puts(t, "\n     advertise: UNCHANGED\n");
}

static void
put_port_status(struct of_text *t, const struct of_port_status *p)
{
	static const char *const reasons[] = { "ADD", "DEL", "MOD" };

	of_text_printf(t, " %s:", one_of(reasons, ARRAY_SIZE(reasons), p->reason));
	tx_put_port_desc(t, &p->port);
}

static void
put_table_mod(struct of_text *t, const struct of_table_mod *m, uint8_t version)
{
	static const char *const miss[] = { "controller", "continue", "drop", "(unknown)" };
	static const char *const eviction[] = { "OTHER", "IMPORTANCE", "LIFETIME" };

	if (m->table_id == OFTT_ALL)
		of_text_puts(t, " table_id: ALL_TABLES");
	else
		of_text_printf(t, " table_id=%u", m->table_id);
	if (version <= OF12)
		of_text_printf(t, ", flow_miss_config=%s", miss[m->config & OFTC_MISS_MASK]);
	if (version < OF14)
		return;
	of_text_printf(t, ", eviction=%s", m->config & OFTC_EVICTION ? "on" : "off");
	if (m->has_eviction) {
		of_text_puts(t, ", eviction_flags=");
		tx_put_bits(t, m->eviction_flags, eviction, ARRAY_SIZE(eviction), '|');
	}
	of_text_printf(t, ", vacancy=%s", m->config & OFTC_VACANCY_EVENTS ? "on" : "off");
	if (m->has_vacancy)
		of_text_printf(t, " vacancy:%u,%u", m->vacancy_down, m->vacancy_up);
}

static void
put_table_status(struct of_text *t, const struct of_table_desc *d)
{
	if (d->reason == OFTR_VACANCY_DOWN)
		of_text_puts(t, " reason=VACANCY_DOWN");
	else if (d->reason == OFTR_VACANCY_UP)
		of_text_puts(t, " reason=VACANCY_UP");
	of_text_puts(t, "\ntable_desc:-");
	tx_put_table_desc(t, d);
}

static void
put_flow_removed(struct of_text *t, const struct of_flow_removed *f, uint8_t version, const struct of_names *names)
{
	static const char *const reasons[] = { "idle", "hard", "delete", "group_delete", "meter_delete", "eviction" };

	of_text_puts(t, " ");
	of_print_prio_match(t, f->priority, &f->match, names);
	of_text_printf(t, " reason=%s", one_of(reasons, ARRAY_SIZE(reasons), f->reason));
	/* 1.0 does not say the table. */
	if (f->table_id || (version > OF10 && f->table_id != OFTT_ALL))
		of_text_printf(t, " table_id=%u", f->table_id);
	if (f->cookie)
		of_text_printf(t, " cookie:0x%llx", (unsigned long long)f->cookie);
	of_text_puts(t, " duration");
	of_print_duration(t, f->duration_s, f->duration_ns);
	of_text_printf(t, " idle%u", f->idle_timeout);
	if (f->hard_timeout)
		of_text_printf(t, " hard%u", f->hard_timeout);
	of_text_printf(t, " pkts%llu bytes%llu\n", (unsigned long long)f->packets, (unsigned long long)f->bytes);
}

static void
put_queue_config(struct of_text *t, const struct of_queue_config *q, const struct of_names *names)
{
	of_text_puts(t, " port=");
	of_print_port(t, q->port_no, names);
	of_text_puts(t, "\n");
	for (uint32_t i = 0; i < q->n_queues; i++) {
		const struct of_queue_desc *d = &q->queues[i];

		of_text_printf(t, "queue %u:", d->queue_id);
		if (d->min_rate <= 1000)
			of_text_printf(t, " min_rate:%u.%u%%", d->min_rate / 10u, d->min_rate % 10u);
		if (d->max_rate <= 1000)
			of_text_printf(t, " max_rate:%u.%u%%", d->max_rate / 10u, d->max_rate % 10u);
		of_text_puts(t, "\n");
	}
}

/* --- Bundles and what holds messages ------------------------------------------------------------ */

static const char *const bundle_flags[] = { "atomic", "ordered" };

static void
put_bundle_control(struct of_text *t, const struct of_bundle_control *b)
{
	static const char *const types[] = { "OPEN_REQUEST", "OPEN_REPLY", "CLOSE_REQUEST", "CLOSE_REPLY",
					     "COMMIT_REQUEST", "COMMIT_REPLY", "DISCARD_REQUEST", "DISCARD_REPLY" };

	of_text_printf(t, "\n bundle_id=%#x type=%s flags=", b->bundle_id, one_of(types, ARRAY_SIZE(types), b->type));
	tx_put_bits(t, b->flags, bundle_flags, ARRAY_SIZE(bundle_flags), ' ');
}

static void
put_bundle_add(struct of_text *t, const struct of_bundle_add *b, const struct of_names *names)
{
	of_text_printf(t, "\n bundle_id=%#x flags=", b->bundle_id);
	tx_put_bits(t, b->flags, bundle_flags, ARRAY_SIZE(bundle_flags), ' ');
	of_text_puts(t, "\n");
	if (b->inner)
		of_print_msg(t, b->inner, names);
}

static void
put_requestforward(struct of_text *t, const struct of_requestforward *r, const struct of_names *names)
{
	const struct of_msg *inner = r->inner;

	if (inner && inner->kind == OFK_GROUP_MOD) {
		of_text_puts(t, " reason=group_mod\n ");
		of_print_group_mod(t, inner->body, inner->version, names);
	} else if (inner && inner->kind == OFK_METER_MOD) {
		of_text_puts(t, " reason=meter_mod ");
		of_print_meter_mod(t, inner->body);
	} else {
		of_text_printf(t, " reason=%u", r->reason);
	}
}

/* --- Nicira's ----------------------------------------------------------------------------------- */

static void
put_tlv_maps(struct of_text *t, const struct of_tlv_table *v)
{
	of_text_puts(t, "  class  type  length  match field\n ------  ----  ------  --------------");
	for (uint32_t i = 0; i < v->n_maps; i++)
		of_text_printf(t, "\n %#6x  %#4x  %6u  tun_metadata%u", v->maps[i].option_class,
			       v->maps[i].option_type, v->maps[i].option_len, v->maps[i].index);
}

static void
put_tlv_table(struct of_text *t, const struct of_msg *m)
{
	static const char *const commands[] = { "ADD", "DEL", "CLEAR" };
	const struct of_tlv_table *v = m->body;
	uint32_t used = 0;

	if (m->kind == OFK_NX_TLV_TABLE_MOD) {
		of_text_printf(t, "\n %s", one_of(commands, ARRAY_SIZE(commands), v->command));
		if (v->command != OFTLV_CLEAR) {
			of_text_puts(t, " mapping table:\n");
			put_tlv_maps(t, v);
		}
		return;
	}
	for (uint32_t i = 0; i < v->n_maps; i++)
		used += v->maps[i].option_len;
	of_text_printf(t, "\n max option space=%u max fields=%u\n allocated option space=%u\n\n mapping table:\n",
		       v->max_option_space, v->max_fields, used);
	put_tlv_maps(t, v);
}

static void
put_nx_value(struct of_text *t, const struct of_msg *m)
{
	static const char *const flow_formats[] = { "openflow10", NULL, "nxm" };
	static const char *const pin_formats[] = { "standard", "nxt_packet_in", "nxt_packet_in2" };
	uint32_t v = ((const struct of_nx_value *)m->body)->value;

	switch ((enum of_kind)m->kind) {
	case OFK_NX_SET_FLOW_FORMAT:
		of_text_printf(t, " format=%s", one_of(flow_formats, ARRAY_SIZE(flow_formats), v));
		break;
	case OFK_NX_FLOW_MOD_TABLE_ID:
		of_text_puts(t, v ? " enable" : " disable");
		break;
	case OFK_NX_SET_PACKET_IN_FORMAT:
		of_text_printf(t, " format=%s", one_of(pin_formats, ARRAY_SIZE(pin_formats), v));
		break;
	case OFK_NX_CT_FLUSH_ZONE:
		of_text_printf(t, " zone_id=%u", v);
		break;
	default:
		of_text_printf(t, " id=%u", v);
	}
}

/* --- Messages ----------------------------------------------------------------------------------- */

/* Requests to change something, and what the switch tells on its own. */
static bool
put_change(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	switch ((enum of_kind)m->kind) {
	case OFK_FLOW_MOD:
		of_text_puts(t, " ");
		of_print_flow_mod(t, m->body, names);
		break;
	case OFK_GROUP_MOD:
		of_text_puts(t, "\n ");
		of_print_group_mod(t, m->body, m->version, names);
		break;
	case OFK_METER_MOD:
		of_text_puts(t, " ");
		of_print_meter_mod(t, m->body);
		break;
	case OFK_PORT_MOD:
		put_port_mod(t, m->body, names);
		break;
	case OFK_TABLE_MOD:
		put_table_mod(t, m->body, m->version);
		break;
	case OFK_PACKET_OUT:
		tx_put_packet_out(t, m->body, names);
		break;
	case OFK_PACKET_IN:
		tx_put_packet_in(t, m->body, m->version, names);
		break;
	case OFK_NX_RESUME:
		tx_put_packet_in(t, &((const struct of_nx_resume *)m->body)->pin, m->version, names);
		break;
	case OFK_FLOW_REMOVED:
		put_flow_removed(t, m->body, m->version, names);
		break;
	case OFK_PORT_STATUS:
		put_port_status(t, m->body);
		break;
	case OFK_TABLE_STATUS:
		put_table_status(t, m->body);
		break;
	case OFK_BUNDLE_CONTROL:
		put_bundle_control(t, m->body);
		break;
	case OFK_BUNDLE_ADD:
		put_bundle_add(t, m->body, names);
		break;
	case OFK_REQUESTFORWARD:
		put_requestforward(t, m->body, names);
		break;
	default:
		return false;
	}
	return true;
}

/* About the connection and the switch. */
static bool
put_session(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_experimenter *x = m->body;
	const struct of_rows *rows = m->body;

	switch ((enum of_kind)m->kind) {
	case OFK_HELLO:
		put_hello(t, m->body);
		break;
	case OFK_ERROR:
		put_error(t, m->body);
		break;
	case OFK_ECHO_REQUEST:
	case OFK_ECHO_REPLY:
		of_text_printf(t, " %u bytes of payload\n", ((const struct of_echo *)m->body)->data.len);
		break;
	case OFK_EXPERIMENTER:
		of_text_printf(t, " experimenter=0x%08x type=%u data_len=%u", x->id, x->type, x->data.len);
		break;
	case OFK_FEATURES_REPLY:
		put_features(t, m);
		break;
	case OFK_GET_CONFIG_REPLY:
	case OFK_SET_CONFIG:
		put_config(t, m->body);
		break;
	case OFK_ROLE_REQUEST:
	case OFK_ROLE_REPLY:
	case OFK_ROLE_STATUS:
		put_role(t, m);
		break;
	case OFK_GET_ASYNC_REPLY:
	case OFK_SET_ASYNC:
		put_async(t, m->body);
		break;
	case OFK_QUEUE_GET_CONFIG_REPLY:
		put_queue_config(t, m->body, names);
		break;
	case OFK_CONTROLLER_STATUS:
		put_controller_status(t, m->body);
		break;
	case OFK_CONTROLLER_STATUS_REPLY:
		for (uint32_t i = 0; i < rows->n; i++)
			put_controller_status(t, (const struct of_controller_status *)rows->rows + i);
		break;
	default:
		return false;
	}
	return true;
}

static void
put_nicira(struct of_text *t, const struct of_msg *m)
{
	switch ((enum of_kind)m->kind) {
	case OFK_NX_SET_FLOW_FORMAT:
	case OFK_NX_FLOW_MOD_TABLE_ID:
	case OFK_NX_SET_PACKET_IN_FORMAT:
	case OFK_NX_SET_CONTROLLER_ID:
	case OFK_NX_FLOW_MONITOR_CANCEL:
	case OFK_NX_CT_FLUSH_ZONE:
		put_nx_value(t, m);
		break;
	case OFK_NX_TLV_TABLE_MOD:
	case OFK_NX_TLV_TABLE_REPLY:
		put_tlv_table(t, m);
		break;
	case OFK_NX_CT_FLUSH:
		of_text_printf(t, " ip_proto=%u", ((const struct of_nx_ct_flush *)m->body)->ip_proto);
		break;
	case OFK_BUNDLE_FEATURES_REQUEST:
		of_text_printf(t, " flags=0x%x", ((const struct of_bundle_features *)m->body)->flags);
		break;
	case OFK_BUNDLE_FEATURES_REPLY:
		of_text_puts(t, " capabilities=");
		tx_put_bits(t, ((const struct of_bundle_features *)m->body)->capabilities, bundle_flags,
			    ARRAY_SIZE(bundle_flags), ' ');
		break;
	default:
		break;
	}
}

/* "OFPT_FLOW_MOD", or "NXT_..." and "ONFT_..." for what came as an extension. */
static void
put_name(struct of_text *t, const struct of_msg *m)
{
	const char *name = of_kind_name(m->kind);
	const char *prefix = m->form == OFMF_NX ? "NX" : "ONF";

	if (m->form == OFMF_STD || strncmp(name, "OFP", 3))
		of_text_puts(t, name);
	else
		of_text_printf(t, "%s%s", prefix, name + 3);
	if (m->kind == OFK_PACKET_IN && m->body && ((const struct of_packet_in *)m->body)->format == 2)
		of_text_puts(t, "2");
}

void
of_print_msg(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	put_name(t, m);
	if (m->version > OF10 && m->version <= OF15)
		of_text_printf(t, " (OF1.%u)", m->version - 1u);
	else if (m->version != OF10)
		of_text_printf(t, " (OF 0x%02x)", m->version);
	of_text_printf(t, " (xid=0x%x):", m->xid);
	if (m->more)
		of_text_puts(t, " flags=[more]");
	if (m->body && !put_change(t, m, names) && !put_session(t, m, names) && !tx_put_stats(t, m, names))
		put_nicira(t, m);
	while (t->len && strchr(" \n", t->s[t->len - 1]))
		of_text_chomp(t, t->s[t->len - 1]);
}

int
of_msg_format(const struct of_msg *m, char *buf, size_t len)
{
	struct of_text t = { .s = NULL };
	int n;

	of_print_msg(&t, m, NULL);
	n = snprintf(buf, len, "%s", of_text_str(&t));
	of_text_fini(&t);
	return n;
}
