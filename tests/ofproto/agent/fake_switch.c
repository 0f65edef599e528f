/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ofproto/agent/fake_switch.h"

#include <stdlib.h>
#include <string.h>

struct fake_switch fake;

static uint8_t handle[2];

void
fake_reset(void)
{
	memset(&fake, 0, sizeof fake);
}

struct ofp *
fake_ofp(void)
{
	return (struct ofp *)&handle[0];
}

/* --- The datapath ------------------------------------------------------------------------------- */

static void
later(bool hold, void (*fn)(void *), void *arg)
{
	if (!hold || fake.n_held == FAKE_EVENTS) {
		fn(arg);
		return;
	}
	fake.held[fake.n_held].fn = fn;
	fake.held[fake.n_held++].arg = arg;
}

void
fake_release(void)
{
	unsigned n = fake.n_held;

	fake.n_held = 0;
	for (unsigned i = 0; i < n; i++)
		fake.held[i].fn(fake.held[i].arg);
}

static void
op_commit(void *arg, void (*done)(void *), void *done_arg)
{
	(void)arg;
	fake.n_commits++;
	fake.dirty = false;
	later(fake.hold_commits, done, done_arg);
}

static void
op_fold(void *arg, void (*done)(void *), void *done_arg)
{
	(void)arg;
	fake.n_folds++;
	later(fake.hold_folds, done, done_arg);
}

static bool
op_port(void *arg, uint16_t port, struct of_port *p)
{
	(void)arg;
	if (!port || port > FAKE_PORTS)
		return false;
	p->hw_addr = (struct mac){ .b = { 2, 0, 0, 0, 0, port } };
	strcpy(p->name, "p0");
	p->name[1] += port;
	return true;
}

static void
op_port_stats(void *arg, uint16_t port, struct of_port_row *row)
{
	(void)arg;
	row->rx_packets = 100 + port;
	row->tx_packets = 200 + port;
}

static void
op_port_admin(void *arg, uint16_t port, bool up)
{
	(void)arg, (void)port, (void)up;
	fake.n_port_admin++;
}

const struct of_agent_ops fake_ops = {
	.commit = op_commit, .fold = op_fold, .port = op_port, .port_stats = op_port_stats, .port_admin = op_port_admin,
};

/* --- ofproto/ofp.h ------------------------------------------------------------------------------ */

void
ofp_commit(struct ofp *ofp)
{
	(void)ofp;
	fake.dirty = false;
}

struct mac
ofp_bridge_hwaddr(const struct ofp *ofp, uint16_t bridge)
{
	(void)ofp;
	return (struct mac){ .b = { 2, 0, 0, 0, 1, bridge } };
}

struct of_pipe *
ofp_pipe(const struct ofp *ofp, uint16_t bridge)
{
	(void)ofp;
	return bridge == FAKE_BRIDGE ? (struct of_pipe *)&handle[1] : NULL;
}

void
ofp_of_reset(struct ofp *ofp, uint16_t bridge, bool secure)
{
	(void)ofp, (void)bridge;
	fake.n_resets++;
	fake.reset_empty = secure;
}

void
ofp_of_set_miss_punt(struct ofp *ofp, uint16_t bridge, bool punt)
{
	(void)ofp, (void)bridge;
	fake.miss_punt = punt;
}

void
ofp_of_set_config(struct ofp *ofp, uint16_t bridge, uint16_t flags)
{
	(void)ofp, (void)bridge;
	fake.of_flags = flags;
}

uint32_t
ofp_port_no(const struct ofp *ofp, uint16_t port)
{
	(void)ofp;
	return port;
}

uint16_t
ofp_port_by_no(const struct ofp *ofp, uint16_t bridge, uint32_t port_no)
{
	(void)ofp;
	return bridge == FAKE_BRIDGE && port_no <= FAKE_PORTS ? port_no : 0;
}

void
ofp_ports_each(const struct ofp *ofp, uint16_t bridge, void (*cb)(void *, uint16_t port), void *arg)
{
	(void)ofp, (void)bridge;
	for (unsigned i = 1; i <= FAKE_PORTS; i++)
		cb(arg, i);
}

void
ofp_port_set_of_config(struct ofp *ofp, uint16_t port, uint32_t config)
{
	(void)ofp;
	fake.port_config[port] = config;
}

uint32_t
ofp_port_of_config(const struct ofp *ofp, uint16_t port)
{
	(void)ofp;
	return fake.port_config[port];
}

int
ofp_packet_out(struct ofp *ofp, uint16_t bridge, uint32_t in_port, const struct oflow *meta, const struct of_acts *acts,
	       const void *frame, uint32_t len)
{
	(void)ofp, (void)bridge, (void)meta, (void)frame;
	fake.n_packet_outs++;
	fake.dirty = false;
	fake.packet_out.in_port = in_port;
	fake.packet_out.len = len;
	fake.packet_out.flow_mods_before = fake.n_flow_mods;
	fake.packet_out.first_act = acts->len ? acts->a->kind : OFA_N_KINDS;
	if (fake.packet_out.first_act == OFA_OUTPUT)
		fake.packet_out.first_port = ((const struct of_act_output *)acts->a)->port;
	return 0;
}

bool
ofp_port_is_dead(const struct ofp *ofp, uint16_t port)
{
	(void)ofp, (void)port;
	return false;
}

/* --- ofproto/table.h ---------------------------------------------------------------------------- */

bool
of_pipe_dirty(const struct of_pipe *p)
{
	(void)p;
	return fake.dirty;
}

uint64_t
of_pipe_version(const struct of_pipe *p)
{
	(void)p;
	return 1;
}

uint8_t
of_pipe_options(const struct of_pipe *p)
{
	(void)p;
	return 0;
}

bool
of_group_find(const struct of_pipe *p, uint64_t version, uint32_t id, struct of_group_view *v)
{
	(void)p, (void)version;
	memset(v, 0, sizeof *v);
	return id <= fake.n_groups;
}

bool
of_meter_find(const struct of_pipe *p, uint32_t id, uint32_t *dp_meter)
{
	(void)p;
	*dp_meter = id;
	return id <= fake.n_meters;
}

void
of_pipe_set_events(struct of_pipe *p, const struct of_pipe_events *ev)
{
	(void)p;
	fake.ev = *ev;
}

int
of_flow_mod(struct of_pipe *p, const struct of_who *who, const struct of_flow_mod *fm, struct of_error *e)
{
	(void)p, (void)who;
	if (fm->priority == 666)
		return of_error_set(e, fake.fail_flow_mod, "the number of the beast");
	fake.n_flow_mods++;
	fake.dirty = true;
	for (unsigned i = 0; i < ARRAY_SIZE(fake.rule); i++) {
		struct fake_rule *r = &fake.rule[i];

		if (fm->command >= OFFC_DELETE) {
			r->used = false;
		} else if (!r->used) {
			*r = (struct fake_rule){ .used = true, .table = fm->table_id, .priority = fm->priority,
						 .cookie = fm->cookie };
			break;
		}
	}
	return 0;
}

int
of_group_mod(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *gm, struct of_error *e)
{
	(void)p, (void)who, (void)gm, (void)e;
	fake.n_group_mods++;
	return 0;
}

int
of_meter_mod(struct of_pipe *p, const struct of_who *who, const struct of_meter_mod *mm, struct of_error *e)
{
	(void)p, (void)who, (void)mm, (void)e;
	fake.n_meter_mods++;
	return 0;
}

int
of_table_mod(struct of_pipe *p, const struct of_who *who, const struct of_table_mod *tm, struct of_error *e)
{
	(void)p, (void)who, (void)tm, (void)e;
	fake.n_table_mods++;
	return 0;
}

int
of_table_set_features(struct of_pipe *p, const struct of_who *who, const struct of_table_features_request *q,
		      struct of_error *e)
{
	(void)p, (void)who, (void)e;
	fake.n_features_set += q->n;
	return 0;
}

void
of_pipe_begin(struct of_pipe *p)
{
	(void)p;
	fake.n_begins++;
}

void
of_pipe_commit(struct of_pipe *p)
{
	(void)p;
	fake.n_bundle_commits++;
	if (fake.on_bundle_commit)
		fake.on_bundle_commit();
}

void
of_pipe_abort(struct of_pipe *p)
{
	(void)p;
	fake.n_aborts++;
}

uint64_t
of_flows_each(const struct of_pipe *p, const struct of_flow_request *q, uint64_t cursor, unsigned max,
	      bool (*cb)(void *, const struct of_flow_row *), void *arg)
{
	static const struct omatch any;
	uint64_t total = ARRAY_SIZE(fake.rule) + fake.many_rules;

	(void)p, (void)q;
	for (; cursor < total; cursor++) {
		struct of_flow_row row = { .match = &any, .priority = cursor, .packets = 1, .bytes = 60,
					   .cookie = cursor, .idle_age_s = -1, .hard_age_s = -1 };

		if (cursor < ARRAY_SIZE(fake.rule)) {
			if (!fake.rule[cursor].used)
				continue;
			row.priority = fake.rule[cursor].priority;
			row.cookie = fake.rule[cursor].cookie;
			row.table_id = fake.rule[cursor].table;
		}
		if (!max--)
			return cursor;
		if (!cb(arg, &row))
			return cursor + 1;
	}
	return 0;
}

void
of_table_row(const struct of_pipe *p, uint8_t table, struct of_table_row *row)
{
	(void)p;
	row->table_id = table;
	strcpy(row->name, "t");
	row->max_entries = 1000;
}

void
of_table_desc(const struct of_pipe *p, uint8_t table, struct of_table_desc *d)
{
	(void)p;
	d->table_id = table;
}

void
of_table_features(const struct of_pipe *p, uint8_t table, struct of_table_features *f)
{
	(void)p;
	f->table_id = table;
	strcpy(f->name, "t");
	f->max_entries = 1000;
	f->instructions = f->miss_instructions = 0x7e;
	f->match.bits[0] = f->wildcards.bits[0] = 0xff;
	f->apply_actions = f->write_actions = 1;
}

bool
of_groups_each(const struct of_pipe *p, uint32_t id, bool (*cb)(void *, const struct of_group_row *,
								const struct of_group_desc *), void *arg)
{
	(void)p;
	for (uint32_t i = 1; i <= fake.n_groups; i++) {
		const struct of_counts counts[2] = { { 1, 2 }, { 3, 4 } };
		const struct of_bucket bucket = { .weight = 1, .watch_port = (uint32_t)OFPP_ANY, .watch_group = OFG_ANY };
		const struct of_group_row row = { .group_id = i, .n_buckets = 1, .buckets = counts };
		const struct of_group_desc d = { .group_id = i, .type = OFGT_ALL, .n_buckets = 1, .buckets = &bucket };

		if ((id == OFG_ALL || id == i) && !cb(arg, &row, &d))
			return false;
	}
	return true;
}

bool
of_meters_each(const struct of_pipe *p, uint32_t id, bool (*cb)(void *, const struct of_meter_row *,
								const struct of_meter_config *), void *arg)
{
	(void)p;
	for (uint32_t i = 1; i <= fake.n_meters; i++) {
		const struct of_counts counts = { 1, 2 };
		const struct of_band band = { .type = OFMBT_DROP, .rate = 1000 };
		const struct of_meter_row row = { .meter_id = i, .n_bands = 1, .bands = &counts };
		const struct of_meter_config conf = { .meter_id = i, .flags = OFMF_KBPS, .n_bands = 1, .bands = &band };

		if ((id == OFM_ALL || id == i) && !cb(arg, &row, &conf))
			return false;
	}
	return true;
}

void
of_group_features(const struct of_pipe *p, struct of_group_features *f)
{
	(void)p;
	f->types = 0xf;
}

void
of_meter_features(const struct of_pipe *p, struct of_meter_features *f)
{
	(void)p;
	f->max_meter = 4096;
}
