/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of multipart requests and replies as text; see text.h. */
#include "ofproto/text_priv.h"

#include <ctype.h>

/* --- Pieces ------------------------------------------------------------------------------------- */

void
tx_put_bits(struct of_text *t, uint32_t bits, const char *const *names, unsigned n, char separator)
{
	bool any = false;

	if (!bits)
		of_text_puts(t, "0");
	for (unsigned i = 0; i < 32 && i < n; i++) {
		if (!(bits >> i & 1) || !names[i])
			continue;
		if (any)
			of_text_put(t, &separator, 1);
		of_text_puts(t, names[i]);
		bits &= ~(1u << i);
		any = true;
	}
	if (!bits)
		return;
	if (any)
		of_text_put(t, &separator, 1);
	of_text_printf(t, "0x%x", bits);
}

void
tx_put_count(struct of_text *t, const char *label, uint64_t n, const char *end)
{
	/* All ones: not counted. */
	if (n == UINT64_MAX)
		of_text_printf(t, "%s?%s", label, end);
	else
		of_text_printf(t, "%s%llu%s", label, (unsigned long long)n, end);
}

/* The rows of a reply. */
#define EACH_ROW(type, row, set) \
	for (const type *row = (set)->rows; row && row < (const type *)(set)->rows + (set)->n; row++)

/* --- Ports and queues --------------------------------------------------------------------------- */

static const char *const port_config[] = { "PORT_DOWN", "NO_STP", "NO_RECV", "NO_RECV_STP", "NO_FLOOD", "NO_FWD",
					   "NO_PACKET_IN" };
static const char *const port_state[] = { "LINK_DOWN", "BLOCKED", "LIVE" };
static const char *const port_feature[] = {
	"10MB-HD", "10MB-FD", "100MB-HD", "100MB-FD", "1GB-HD", "1GB-FD", "10GB-FD", "40GB-FD", "100GB-FD", "1TB-FD",
	"OTHER", "COPPER", "FIBER", "AUTO_NEG", "AUTO_PAUSE", "AUTO_PAUSE_ASYM",
};

static void
put_features(struct of_text *t, const char *label, uint32_t features)
{
	if (!features)
		return;
	of_text_printf(t, "     %-12s", label);
	tx_put_bits(t, features, port_feature, ARRAY_SIZE(port_feature), ' ');
	of_text_puts(t, "\n");
}

void
tx_put_port_desc(struct of_text *t, const struct of_port *p)
{
	unsigned n = 0;

	while (n < sizeof p->name - 1 && isprint((unsigned char)p->name[n]))
		n++;
	of_text_puts(t, " ");
	of_print_port(t, p->port_no, NULL);
	of_text_printf(t, "(%.*s): addr:%02x:%02x:%02x:%02x:%02x:%02x\n     config:     ", (int)n, p->name,
		       p->hw_addr.b[0], p->hw_addr.b[1], p->hw_addr.b[2], p->hw_addr.b[3], p->hw_addr.b[4],
		       p->hw_addr.b[5]);
	tx_put_bits(t, p->config, port_config, ARRAY_SIZE(port_config), ' ');
	of_text_puts(t, "\n     state:      ");
	tx_put_bits(t, p->state, port_state, ARRAY_SIZE(port_state), ' ');
	of_text_puts(t, "\n");
	put_features(t, "current:", p->curr);
	put_features(t, "advertised:", p->advertised);
	put_features(t, "supported:", p->supported);
	put_features(t, "peer:", p->peer);
	of_text_printf(t, "     speed: %u Mbps now, %u Mbps max\n", p->curr_speed / 1000, p->max_speed / 1000);
}

static void
put_port_row(struct of_text *t, const struct of_port_row *p, const struct of_names *names)
{
	of_text_puts(t, "  port ");
	if (p->port_no < 10)
		of_text_puts(t, " ");
	of_print_port(t, p->port_no, names);
	of_text_puts(t, ": rx ");
	tx_put_count(t, "pkts=", p->rx_packets, ", ");
	tx_put_count(t, "bytes=", p->rx_bytes, ", ");
	tx_put_count(t, "drop=", p->rx_dropped, ", ");
	tx_put_count(t, "errs=", p->rx_errors, ", ");
	tx_put_count(t, "frame=", p->rx_frame_err, ", ");
	tx_put_count(t, "over=", p->rx_over_err, ", ");
	tx_put_count(t, "crc=", p->rx_crc_err, "\n           tx ");
	tx_put_count(t, "pkts=", p->tx_packets, ", ");
	tx_put_count(t, "bytes=", p->tx_bytes, ", ");
	tx_put_count(t, "drop=", p->tx_dropped, ", ");
	tx_put_count(t, "errs=", p->tx_errors, ", ");
	tx_put_count(t, "coll=", p->collisions, "\n");
}

static void
put_ports(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_rows *rows = m->body;

	of_text_printf(t, " %u ports\n", rows->n);
	EACH_ROW(struct of_port_row, p, rows) {
		put_port_row(t, p, names);
		/* Since 1.3. */
		if (m->version >= OF13 && p->duration_s != UINT32_MAX) {
			of_text_puts(t, "           duration=");
			of_print_duration(t, p->duration_s, p->duration_ns);
			of_text_puts(t, "\n");
		}
	}
}

static void
put_port_descs(struct of_text *t, const struct of_msg *m)
{
	of_text_puts(t, "\n");
	EACH_ROW(struct of_port, p, (const struct of_rows *)m->body)
		tx_put_port_desc(t, p);
}

static void
put_queue_name(struct of_text *t, uint32_t queue)
{
	if (queue == OFQ_ALL)
		of_text_puts(t, "ALL");
	else
		of_text_printf(t, "%u", queue);
}

static void
put_queues(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_rows *rows = m->body;

	of_text_printf(t, " %u queues\n", rows->n);
	EACH_ROW(struct of_queue_row, q, rows) {
		of_text_puts(t, "  port ");
		of_print_port(t, q->port_no, names);
		of_text_puts(t, " queue ");
		put_queue_name(t, q->queue_id);
		tx_put_count(t, ": bytes=", q->tx_bytes, ", ");
		tx_put_count(t, "pkts=", q->tx_packets, ", ");
		tx_put_count(t, "errors=", q->tx_errors, ", duration=");
		if (m->version >= OF13 && q->duration_s != UINT32_MAX)
			of_print_duration(t, q->duration_s, q->duration_ns);
		else
			of_text_puts(t, "?");
		of_text_puts(t, "\n");
	}
}

static void
put_rate(struct of_text *t, const char *label, uint16_t rate)
{
	if (rate <= 1000)
		of_text_printf(t, " %s:%u.%u%%", label, rate / 10u, rate % 10u);
	else if (rate < OF_NO_RATE)
		of_text_printf(t, " %s:(disabled)", label);
}

static void
put_queue_descs(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	uint32_t port = 0;

	of_text_puts(t, " ");
	EACH_ROW(struct of_queue_desc, q, (const struct of_rows *)m->body) {
		if (q->port_no != port) {
			port = q->port_no;
			of_text_puts(t, "port=");
			of_print_port(t, port, names);
			of_text_puts(t, "\n");
		}
		of_text_printf(t, "queue %u:", q->queue_id);
		put_rate(t, "min_rate", q->min_rate);
		put_rate(t, "max_rate", q->max_rate);
		of_text_puts(t, "\n");
	}
	of_text_chomp(t, ' ');
}

/* --- Tables ------------------------------------------------------------------------------------- */

static void
put_table_rows(struct of_text *t, const struct of_msg *m)
{
	EACH_ROW(struct of_table_row, r, (const struct of_rows *)m->body) {
		of_text_printf(t, "\n  table %u", r->table_id);
		if (r->name[0])
			of_text_printf(t, " (\"%.*s\")", (int)sizeof r->name, r->name);
		of_text_printf(t, ":\n    active=%u, lookup=%llu, matched=%llu\n", r->active,
			       (unsigned long long)r->lookups, (unsigned long long)r->matches);
		if (r->max_entries)
			of_text_printf(t, "    max_entries=%u\n", r->max_entries);
	}
}

static const char *const eviction[] = { "OTHER", "IMPORTANCE", "LIFETIME" };

void
tx_put_table_desc(struct of_text *t, const struct of_table_desc *d)
{
	of_text_printf(t, "\n  table %u:\n   eviction=%s eviction_flags=", d->table_id,
		       d->config & OFTC_EVICTION ? "on" : "off");
	tx_put_bits(t, d->eviction_flags, eviction, ARRAY_SIZE(eviction), '|');
	of_text_printf(t, "\n   vacancy=%s", d->config & OFTC_VACANCY_EVENTS ? "on" : "off");
	if (d->config & OFTC_VACANCY_EVENTS)
		of_text_printf(t, " vacancy_down=%u%% vacancy_up=%u%% vacancy=%u%%", d->vacancy_down, d->vacancy_up,
			       d->vacancy);
	of_text_puts(t, "\n");
}

static const char *const instruction[] = { NULL, "goto_table", "write_metadata", "write_actions", "apply_actions",
					   "clear_actions", "meter" };

/* In the order that ovs-ofctl has. */
static const struct action {
	const char *name;
	uint8_t bit;
} actions10[] = {
	{ "output", 0 }, { "enqueue", 11 }, { "set_vlan_vid", 1 }, { "set_vlan_pcp", 2 }, { "strip_vlan", 3 },
	{ "mod_dl_src", 4 }, { "mod_dl_dst", 5 }, { "mod_nw_src", 6 }, { "mod_nw_dst", 7 }, { "mod_nw_tos", 8 },
	{ "mod_tp_src", 9 }, { "mod_tp_dst", 10 },
}, actions11[] = {
	{ "output", 0 }, { "group", 22 }, { "set_field", 25 }, { "set_vlan_vid", 1 }, { "set_vlan_pcp", 2 },
	{ "strip_vlan", 18 }, { "push_vlan", 17 }, { "mod_dl_src", 3 }, { "mod_dl_dst", 4 }, { "mod_nw_src", 5 },
	{ "mod_nw_dst", 6 }, { "mod_nw_tos", 7 }, { "mod_nw_ecn", 8 }, { "mod_nw_ttl", 23 }, { "mod_tp_src", 9 },
	{ "mod_tp_dst", 10 }, { "move", 28 }, { "dec_ttl", 24 }, { "copy_ttl_out", 11 }, { "copy_ttl_in", 12 },
	{ "set_mpls_label", 13 }, { "set_mpls_tc", 14 }, { "set_mpls_ttl", 15 }, { "dec_mpls_ttl", 16 },
	{ "push_mpls", 19 }, { "pop_mpls", 20 }, { "push_pbb", 26 }, { "pop_pbb", 27 }, { "set_queue", 21 },
	{ "meter", 29 },
};

void
tx_put_actions(struct of_text *t, uint32_t bits, uint8_t version)
{
	const struct action *a = version == OF10 ? actions10 : actions11;
	unsigned n = version == OF10 ? ARRAY_SIZE(actions10) : ARRAY_SIZE(actions11);

	if (!bits)
		of_text_puts(t, "0");
	for (unsigned i = 0; i < n; i++)
		if (bits >> a[i].bit & 1) {
			bits &= ~(1u << a[i].bit);
			of_text_printf(t, "%s ", a[i].name);
		}
	if (bits)
		of_text_printf(t, "0x%x", bits);
	of_text_chomp(t, ' ');
}

/* "1-5,7" */
static void
put_tables(struct of_text *t, const uint64_t next[4])
{
	for (unsigned i = 0; i < 256; i++) {
		unsigned end = i;

		if (!(next[i / 64] >> i % 64 & 1))
			continue;
		while (end + 1 < 256 && next[(end + 1) / 64] >> (end + 1) % 64 & 1)
			end++;
		if (end == i)
			of_text_printf(t, "%u,", i);
		else
			of_text_printf(t, "%u-%u,", i, end);
		i = end;
	}
	of_text_chomp(t, ',');
}

static void
put_field_set(struct of_text *t, const char *label, const struct of_field_set *set)
{
	bool any = false;

	for (unsigned f = 0; f < OFF_N_FIELDS; f++) {
		if (!(set->bits[f / 64] >> f % 64 & 1))
			continue;
		of_text_printf(t, "%s%s", any ? " " : label, of_field_info[f].name);
		any = true;
	}
	if (any)
		of_text_puts(t, "\n");
}

static void
put_abilities(struct of_text *t, const char *label, uint32_t instructions, const uint64_t next[4], uint32_t write,
	      uint32_t apply, const struct of_field_set *write_set, const struct of_field_set *apply_set)
{
	of_text_printf(t, "    instructions (%s):\n      next tables: ", label);
	put_tables(t, next);
	of_text_chomp(t, ' ');
	of_text_puts(t, "\n      instructions: ");
	tx_put_bits(t, instructions, instruction, ARRAY_SIZE(instruction), ' ');
	of_text_puts(t, "\n      Write-Actions: ");
	tx_put_actions(t, write, OF13);
	of_text_puts(t, "\n      Apply-Actions: ");
	tx_put_actions(t, apply, OF13);
	of_text_puts(t, "\n");
	put_field_set(t, "      Write-Actions Set-Field: ", write_set);
	put_field_set(t, "      Apply-Actions Set-Field: ", apply_set);
}

static void
put_one_table_features(struct of_text *t, const struct of_table_features *f)
{
	of_text_printf(t, "\n  table %u", f->table_id);
	if (f->name[0])
		of_text_printf(t, " (\"%.*s\")", (int)sizeof f->name, f->name);
	of_text_puts(t, ":\n");
	if (f->metadata_match || f->metadata_write)
		of_text_printf(t, "    metadata: match=%#llx write=%#llx\n", (unsigned long long)f->metadata_match,
			       (unsigned long long)f->metadata_write);
	if (f->max_entries)
		of_text_printf(t, "    max_entries=%u\n", f->max_entries);
	put_abilities(t, "other than table miss", f->instructions, f->next_tables, f->write_actions, f->apply_actions,
		      &f->write_setfield, &f->apply_setfield);
	put_abilities(t, "table miss", f->miss_instructions, f->miss_next_tables, f->miss_write_actions,
		      f->miss_apply_actions, &f->miss_write_setfield, &f->miss_apply_setfield);
	put_field_set(t, "    matching: ", &f->match);
	put_field_set(t, "    wildcards: ", &f->wildcards);
}

/* Whether two tables differ in nothing but their number and in what follows from it. */
static bool
same_features(const struct of_table_features *a, const struct of_table_features *b)
{
	struct of_table_features x = *a, y = *b;

	x.table_id = y.table_id = 0;
	memset(x.next_tables, 0, sizeof x.next_tables);
	memset(y.next_tables, 0, sizeof y.next_tables);
	memset(x.miss_next_tables, 0, sizeof x.miss_next_tables);
	memset(y.miss_next_tables, 0, sizeof y.miss_next_tables);
	return !x.name[0] && !memcmp(&x, &y, sizeof x);
}

static void
put_ditto(struct of_text *t, int first, int last)
{
	if (first >= 0 && first == last)
		of_text_printf(t, "\n  table %d: ditto\n", first);
	else if (first >= 0)
		of_text_printf(t, "\n  tables %d...%d: ditto\n", first, last);
}

/* Of 254 tables that are all the same, one is shown. */
static void
put_table_features(struct of_text *t, const struct of_table_features *f, uint32_t n)
{
	int first = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (i && same_features(&f[i - 1], &f[i])) {
			first = first < 0 ? f[i].table_id : first;
			continue;
		}
		if (i)
			put_ditto(t, first, f[i - 1].table_id);
		first = -1;
		put_one_table_features(t, &f[i]);
	}
	if (n)
		put_ditto(t, first, f[n - 1].table_id);
}

/* --- Flows -------------------------------------------------------------------------------------- */

static void
put_monitor_requests(struct of_text *t, const struct of_monitor_requests *all, const struct of_names *names)
{
	static const char *const flags[] = { "initial", "add", "delete", "modify", "actions", "no-abbrev", "own" };

	for (uint32_t i = 0; i < all->n; i++) {
		const struct of_monitor_request *r = &all->r[i];

		if (r->command == OFMONC_DELETE) {
			of_text_printf(t, "\n id=%u command=delete", r->monitor_id);
			continue;
		}
		of_text_printf(t, "\n id=%u flags=", r->monitor_id);
		tx_put_bits(t, r->flags, flags, ARRAY_SIZE(flags), ',');
		if (r->out_port != (uint32_t)OFPP_ANY) {
			of_text_puts(t, " out_port=");
			of_print_port(t, r->out_port, names);
		}
		if (r->out_group && r->out_group != OFG_ANY)
			of_text_printf(t, " out_group=%u", r->out_group);
		if (r->table_id != OFTT_ALL)
			of_text_printf(t, " table=%u", r->table_id);
		of_text_puts(t, " ");
		of_print_match(t, &r->match, names);
		of_text_chomp(t, ' ');
	}
}

static const char *const removed_reasons[] = { "idle", "hard", "delete", "group_delete", "meter_delete", "eviction" };

static void
put_monitor_row(struct of_text *t, const struct of_monitor_row *r, const struct of_names *names)
{
	static const char *const events[] = { "INITIAL", "ADDED", "DELETED", "MODIFIED", "ABBREV", "PAUSED",
					      "RESUMED" };
	size_t start;

	of_text_printf(t, "\n event=%s", r->event < ARRAY_SIZE(events) ? events[r->event] : "unknown");
	if (r->event == OFME_ABBREV)
		of_text_printf(t, " xid=0x%x", r->xid);
	if (r->event >= OFME_ABBREV)
		return;
	if (r->event == OFME_REMOVED)
		of_text_printf(t, " reason=%s",
			       r->reason < ARRAY_SIZE(removed_reasons) ? removed_reasons[r->reason] : "unknown");
	of_text_printf(t, " table=%u", r->table_id);
	if (r->idle_timeout)
		of_text_printf(t, " idle_timeout=%u", r->idle_timeout);
	if (r->hard_timeout)
		of_text_printf(t, " hard_timeout=%u", r->hard_timeout);
	of_text_printf(t, " cookie=%#llx ", (unsigned long long)r->cookie);
	start = t->len;
	if (r->match)
		of_print_match(t, r->match, names);
	if (r->acts.len) {
		of_text_puts(t, t->len > start ? " actions=" : "actions=");
		of_print_acts(t, r->acts, names);
	}
}

static void
put_desc(struct of_text *t, const struct of_desc *d)
{
	of_text_printf(t, "\nManufacturer: %.*s\nHardware: %.*s\nSoftware: %.*s\nSerial Num: %.*s\nDP Description: %.*s\n",
		       (int)sizeof d->mfr, d->mfr, (int)sizeof d->hw, d->hw, (int)sizeof d->sw, d->sw,
		       (int)sizeof d->serial, d->serial, (int)sizeof d->dp, d->dp);
}

/* --- Groups and meters -------------------------------------------------------------------------- */

static void
put_group_features(struct of_text *t, const struct of_group_features *g, uint8_t version)
{
	static const char *const types[] = { "all", "select", "indirect", "fast failover" };

	of_text_printf(t, "\n Group table:\n    Types:  0x%x\n    Capabilities:  0x%x\n", g->types, g->capabilities);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		if (!(g->types >> i & 1))
			continue;
		of_text_printf(t, "    %s group:\n       max_groups=%#x\n       actions: ", types[i],
			       g->max_groups[i]);
		tx_put_actions(t, g->actions[i], version);
		of_text_puts(t, "\n");
	}
}

static void
put_meter_features(struct of_text *t, const struct of_meter_features *m)
{
	static const char *const types[] = { NULL, "drop", "dscp_remark" };
	static const char *const flags[] = { "kbps", "pktps", "burst", "stats" };

	of_text_printf(t, "\nmax_meter:%u max_bands:%u max_color:%u\nband_types: ", m->max_meter, m->max_bands,
		       m->max_color);
	tx_put_bits(t, m->band_types, types, ARRAY_SIZE(types), ' ');
	of_text_puts(t, "\ncapabilities: ");
	tx_put_bits(t, m->capabilities, flags, ARRAY_SIZE(flags), ' ');
	of_text_puts(t, "\n");
}

/* 1.1 and 1.2 do not tell the duration. */
static void
put_group_row(struct of_text *t, const struct of_group_row *g, const struct of_msg *m)
{
	struct of_group_row row = *g;

	if (m->form == OFMF_STD && m->version < OF13)
		row.duration_s = UINT32_MAX;
	of_text_puts(t, "\n ");
	of_print_group_row(t, &row);
}

static void
put_group_id(struct of_text *t, uint32_t id)
{
	of_text_puts(t, " group_id=");
	if (id == OFG_ALL)
		of_text_puts(t, "ALL");
	else if (id == OFG_ANY)
		of_text_puts(t, "ANY");
	else
		of_text_printf(t, "%u", id);
}

/* --- All of them -------------------------------------------------------------------------------- */

static bool
put_request(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_id_request *id = m->body;
	const struct of_table_features_request *tf = m->body;

	switch ((enum of_kind)m->kind) {
	case OFK_FLOW_REQUEST:
	case OFK_AGGREGATE_REQUEST:
	case OFK_FLOW_LW_REQUEST:
		of_print_flow_request(t, m->body, names);
		break;
	case OFK_PORT_REQUEST:
		of_text_puts(t, " port_no=");
		of_print_port(t, id->id, names);
		break;
	case OFK_PORT_DESC_REQUEST:
		of_text_puts(t, " port=");
		of_print_port(t, id->id, names);
		break;
	case OFK_QUEUE_REQUEST:
	case OFK_QUEUE_DESC_REQUEST:
	case OFK_QUEUE_GET_CONFIG_REQUEST:
		of_text_puts(t, " port=");
		/* 1.0's word for any port is "all". */
		of_print_port(t, id->id == (uint32_t)OFPP_ALL ? (uint32_t)OFPP_ANY : id->id, names);
		if (m->kind == OFK_QUEUE_REQUEST || (m->kind == OFK_QUEUE_DESC_REQUEST && id->id2 != OFQ_ALL)) {
			of_text_puts(t, " queue=");
			put_queue_name(t, id->id2);
		}
		break;
	case OFK_GROUP_REQUEST:
	case OFK_GROUP_DESC_REQUEST:
		put_group_id(t, id->id);
		break;
	case OFK_METER_REQUEST:
	case OFK_METER_CONFIG_REQUEST:
		of_text_puts(t, " ");
		of_print_meter_id(t, id->id, '=');
		break;
	case OFK_TABLE_FEATURES_REQUEST:
		put_table_features(t, tf->tables, tf->n);
		break;
	case OFK_FLOW_MONITOR_REQUEST:
		put_monitor_requests(t, m->body, names);
		break;
	default:
		return false;
	}
	return true;
}

/* Replies that are rows. */
static bool
put_rows(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_rows *rows = m->body;

	switch ((enum of_kind)m->kind) {
	case OFK_FLOW_REPLY:
	case OFK_FLOW_LW_REPLY:
		EACH_ROW(struct of_flow_row, f, rows) {
			of_text_puts(t, "\n ");
			of_print_flow_row(t, f, OF_ROW_STATS, names);
		}
		break;
	case OFK_TABLE_REPLY:
		put_table_rows(t, m);
		break;
	case OFK_PORT_REPLY:
		put_ports(t, m, names);
		break;
	case OFK_PORT_DESC_REPLY:
		put_port_descs(t, m);
		break;
	case OFK_QUEUE_REPLY:
		put_queues(t, m, names);
		break;
	case OFK_QUEUE_DESC_REPLY:
		put_queue_descs(t, m, names);
		break;
	case OFK_GROUP_REPLY:
		EACH_ROW(struct of_group_row, g, rows)
			put_group_row(t, g, m);
		break;
	case OFK_GROUP_DESC_REPLY:
		EACH_ROW(struct of_group_desc, g, rows) {
			of_text_puts(t, "\n ");
			of_print_group(t, g, m->version, names);
		}
		break;
	case OFK_METER_REPLY:
		EACH_ROW(struct of_meter_row, r, rows) {
			of_text_puts(t, "\n");
			of_print_meter_row(t, r);
		}
		break;
	case OFK_METER_CONFIG_REPLY:
		EACH_ROW(struct of_meter_config, c, rows) {
			of_text_puts(t, "\n");
			of_print_meter(t, c);
		}
		break;
	case OFK_TABLE_FEATURES_REPLY:
		put_table_features(t, rows->rows, rows->n);
		break;
	case OFK_TABLE_DESC_REPLY:
		EACH_ROW(struct of_table_desc, d, rows)
			tx_put_table_desc(t, d);
		break;
	case OFK_FLOW_MONITOR_REPLY:
		EACH_ROW(struct of_monitor_row, r, rows)
			put_monitor_row(t, r, names);
		break;
	default:
		return false;
	}
	return true;
}

bool
tx_put_stats(struct of_text *t, const struct of_msg *m, const struct of_names *names)
{
	const struct of_aggregate *a = m->body;

	switch ((enum of_kind)m->kind) {
	case OFK_DESC_REPLY:
		put_desc(t, m->body);
		return true;
	case OFK_AGGREGATE_REPLY:
		of_text_printf(t, " packet_count=%llu byte_count=%llu flow_count=%u", (unsigned long long)a->packets,
			       (unsigned long long)a->bytes, a->flows);
		return true;
	case OFK_GROUP_FEATURES_REPLY:
		put_group_features(t, m->body, m->version);
		return true;
	case OFK_METER_FEATURES_REPLY:
		put_meter_features(t, m->body);
		return true;
	default:
		return put_request(t, m, names) || put_rows(t, m, names);
	}
}
