/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the pipeline: flows, tables, groups, meters.  What cached flows have counted is folded in first. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

enum { FLOWS_PER_PIECE = 128 };

static struct of_pipe *
pipe_of(const struct conn *c)
{
	return ofp_pipe(c->br->agent->ofp, c->br->id);
}

/* --- Flows -------------------------------------------------------------------------------------- */

struct walk {
	struct of_flow_request q;
	uint64_t cursor;
	struct of_aggregate sum;
};

static bool
flow_row(void *arg, const struct of_flow_row *row)
{
	struct stream *s = arg;

	stream_row(s, row);
	return true;
}

static bool
flow_piece(struct conn *c, struct stream *s)
{
	struct walk *w = s->data;

	w->cursor = of_flows_each(pipe_of(c), &w->q, w->cursor, FLOWS_PER_PIECE, flow_row, s);
	return w->cursor;
}

static void
flow_stats(struct conn *c, const struct of_msg *m, void *data)
{
	stream_create(c, m, m->kind + 1, flow_piece, data);
}

/* NULL: there is no such table. */
static struct walk *
walk_create(const struct of_msg *m, struct of_error *e)
{
	const struct of_flow_request *q = m->body;
	struct walk *w;

	if (q->table_id >= OF_N_TABLES && q->table_id != OFTT_ALL) {
		of_error_set(e, OFE_BRC_BAD_TABLE_ID, "no table %u", q->table_id);
		return NULL;
	}
	w = xcalloc(1, sizeof *w);
	w->q = *q;
	return w;
}

int
h_flow_stats(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	struct walk *w = walk_create(m, e);

	if (!w)
		return -1;
	wait_fold(c, m, flow_stats, w);
	return 0;
}

static bool
sum_row(void *arg, const struct of_flow_row *row)
{
	struct of_aggregate *sum = arg;

	sum->flows++;
	sum->packets += row->packets;
	sum->bytes += row->bytes;
	return true;
}

/* Many rules take a while to add up: others get their turns meanwhile. */
static bool
sum_piece(struct conn *c, struct stream *s)
{
	struct walk *w = s->data;

	w->cursor = of_flows_each(pipe_of(c), &w->q, w->cursor, FLOWS_PER_PIECE, sum_row, &w->sum);
	return w->cursor;
}

static void
sum_end(struct conn *c, struct stream *s)
{
	conn_reply(c, &s->msg, OFK_AGGREGATE_REPLY, &((struct walk *)s->data)->sum);
}

static void
aggregate(struct conn *c, const struct of_msg *m, void *data)
{
	struct stream *s = stream_create(c, m, OFK_AGGREGATE_REPLY, sum_piece, data);

	s->end = sum_end;
	s->no_rows = true;
}

int
h_aggregate(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	struct walk *w = walk_create(m, e);

	if (!w)
		return -1;
	wait_fold(c, m, aggregate, w);
	return 0;
}

/* --- Tables ------------------------------------------------------------------------------------- */

static void
table_stats(struct conn *c, const struct of_msg *m, void *data UNUSED)
{
	struct of_table_row *row = xcalloc(OF_N_TABLES, sizeof *row);
	struct of_rows rows = { .n = OF_N_TABLES, .row_size = sizeof *row, .rows = row };

	for (unsigned t = 0; t < OF_N_TABLES; t++)
		of_table_row(pipe_of(c), t, &row[t]);
	conn_reply(c, m, OFK_TABLE_REPLY, &rows);
	free(row);
}

int
h_table_stats(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	wait_fold(c, m, table_stats, NULL);
	return 0;
}

int
h_table_desc(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_table_desc *row = xcalloc(OF_N_TABLES, sizeof *row);
	struct of_rows rows = { .n = OF_N_TABLES, .row_size = sizeof *row, .rows = row };

	for (unsigned t = 0; t < OF_N_TABLES; t++)
		of_table_desc(pipe_of(c), t, &row[t]);
	conn_reply(c, m, OFK_TABLE_DESC_REPLY, &rows);
	free(row);
	return 0;
}

static bool
features_piece(struct conn *c, struct stream *s)
{
	enum { TABLES_PER_PIECE = 8 };
	unsigned *next = s->data, until = MIN_OF(*next + TABLES_PER_PIECE, (unsigned)OF_N_TABLES);

	for (; *next < until; ++*next) {
		struct of_table_features f = { 0 };

		of_table_features(pipe_of(c), *next, &f);
		f.table_id = *next;
		/* What it can do, no longer what is set. */
		if (s->msg.version >= OF15)
			f.config = OFTC_EVICTION | OFTC_VACANCY_EVENTS;
		stream_row(s, &f);
	}
	return *next < OF_N_TABLES;
}

int
h_table_features(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_table_features_request *q = m->body;
	const struct of_who who = { .version = m->version, .owner = c, .xid = m->xid };

	if (q && q->n) {
		if (c->role == OFR_SLAVE)
			return of_error_set(e, OFE_BRC_IS_SLAVE, "a slave may not change tables");
		if (of_table_set_features(pipe_of(c), &who, q, e))
			return -1;
	}
	stream_create(c, m, OFK_TABLE_FEATURES_REPLY, features_piece, xcalloc(1, sizeof(unsigned)));
	return 0;
}

/* --- Groups and meters -------------------------------------------------------------------------- */

/* Those that there were when the question came, then shown one by one. */
struct ids {
	uint32_t n, cap, next;
	uint32_t id[];
};

struct collect {
	struct ids *ids;
};

static void
ids_add(struct collect *col, uint32_t id)
{
	struct ids *l = col->ids;

	if (!l || l->n == l->cap) {
		uint32_t cap = l ? l->cap * 2 : 64;

		l = xrealloc(l, sizeof *l + cap * sizeof l->id[0]);
		if (!col->ids)
			l->n = l->next = 0;
		l->cap = cap;
		col->ids = l;
	}
	l->id[l->n++] = id;
}

static bool
collect_group(void *arg, const struct of_group_row *row, const struct of_group_desc *d UNUSED)
{
	ids_add(arg, row->group_id);
	return true;
}

static bool
collect_meter(void *arg, const struct of_meter_row *row, const struct of_meter_config *conf UNUSED)
{
	ids_add(arg, row->meter_id);
	return true;
}

static bool
show_group(void *arg, const struct of_group_row *row, const struct of_group_desc *d)
{
	struct stream *s = arg;

	stream_row(s, s->msg.kind == OFK_GROUP_REPLY ? (const void *)row : d);
	return true;
}

static bool
show_meter(void *arg, const struct of_meter_row *row, const struct of_meter_config *conf)
{
	struct stream *s = arg;

	stream_row(s, s->msg.kind == OFK_METER_REPLY ? (const void *)row : conf);
	return true;
}

static bool
ids_piece(struct conn *c, struct stream *s)
{
	struct ids *l = s->data;

	if (!l || l->next >= l->n)
		return false;
	if (s->msg.kind == OFK_GROUP_REPLY || s->msg.kind == OFK_GROUP_DESC_REPLY)
		of_groups_each(pipe_of(c), l->id[l->next], show_group, s);
	else
		of_meters_each(pipe_of(c), l->id[l->next], show_meter, s);
	return ++l->next < l->n;
}

static void
ids_stream(struct conn *c, const struct of_msg *m, void *data)
{
	stream_create(c, m, m->kind + 1, ids_piece, data);
}

int
h_group_stats(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_id_request *q = m->body;
	struct collect col = { NULL };

	of_groups_each(pipe_of(c), q->id, collect_group, &col);
	wait_fold(c, m, ids_stream, col.ids);
	return 0;
}

int
h_group_desc(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	const struct of_id_request *q = m->body;
	struct collect col = { NULL };

	/* The question names a group from 1.5 on only. */
	of_groups_each(pipe_of(c), m->version >= OF15 && q ? q->id : OFG_ALL, collect_group, &col);
	ids_stream(c, m, col.ids);
	return 0;
}

int
h_group_features(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_group_features f = { 0 };

	of_group_features(pipe_of(c), &f);
	conn_reply(c, m, OFK_GROUP_FEATURES_REPLY, &f);
	return 0;
}

static int
collect_meters(struct conn *c, const struct of_msg *m, struct collect *col, struct of_error *e)
{
	const struct of_id_request *q = m->body;

	of_meters_each(pipe_of(c), q->id, collect_meter, col);
	if (!col->ids && q->id != OFM_ALL)
		return of_error_set(e, OFE_MMFC_UNKNOWN_METER, "no meter %u", q->id);
	return 0;
}

int
h_meter_stats(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	struct collect col = { NULL };

	if (collect_meters(c, m, &col, e))
		return -1;
	wait_fold(c, m, ids_stream, col.ids);
	return 0;
}

int
h_meter_config(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	struct collect col = { NULL };

	if (collect_meters(c, m, &col, e))
		return -1;
	ids_stream(c, m, col.ids);
	return 0;
}

int
h_meter_features(struct conn *c, const struct of_msg *m, struct of_error *e UNUSED)
{
	struct of_meter_features f = { 0 };

	of_meter_features(pipe_of(c), &f);
	conn_reply(c, m, OFK_METER_FEATURES_REPLY, &f);
	return 0;
}
