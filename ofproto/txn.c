/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: what a bundle does is done at once, for the version under way that nobody sees yet, and noted.  A commit
 * sends the events; an abort takes everything back, last first. */
#include "ofproto/group.h"

#include <stdlib.h>

struct txn_op {
	enum txn_kind kind;
	uint8_t event, reason;
	uint32_t xid;
	const void *owner;
	union {
		uint32_t rule;
		struct {
			uint32_t stat;
			uint64_t created_ms, used_ms, modified_ms;
		};
		struct of_group *group;
		struct {
			struct of_meter *meter;
			void *conf;
		};
		struct {
			uint32_t id;
			uint16_t command;
			uint8_t version;
		};
		struct {
			uint8_t table;
			struct tbl_conf tbl;
		};
	};
};

static struct txn_op *
push(struct of_pipe *p, enum txn_kind kind)
{
	struct txn *t = &p->txn;

	if (t->n == t->cap) {
		t->cap = MAX_OF(t->cap * 2, 64u);
		t->op = xrealloc(t->op, t->cap * sizeof *t->op);
	}
	t->op[t->n] = (struct txn_op){ .kind = kind };
	return &t->op[t->n++];
}

/* --- Notes ----------------------------------------------------------------------------------------------- */

void
txn_rule(struct of_pipe *p, const struct of_rule *r, bool added)
{
	if (p->staged)
		push(p, added ? TXN_RULE_ADD : TXN_RULE_DEL)->rule = r->idx;
}

void
txn_times(struct of_pipe *p, uint32_t stat)
{
	const struct rule_stat *st = stat_at(p, stat);
	struct txn_op *op;

	if (!p->staged)
		return;
	op = push(p, TXN_TIMES);
	op->stat = stat;
	op->created_ms = st->created_ms;
	op->used_ms = __atomic_load_n(&st->used_ms, __ATOMIC_RELAXED);
	op->modified_ms = __atomic_load_n(&st->modified_ms, __ATOMIC_RELAXED);
}

void
txn_group(struct of_pipe *p, struct of_group *g, bool added)
{
	if (p->staged)
		push(p, added ? TXN_GROUP_ADD : TXN_GROUP_DEL)->group = g;
}

bool
txn_meter(struct of_pipe *p, enum txn_kind kind, struct of_meter *m, void *old)
{
	struct txn_op *op;

	if (!p->staged)
		return false;
	op = push(p, kind);
	op->meter = m;
	op->conf = old;
	return true;
}

void
txn_table(struct of_pipe *p, uint8_t table)
{
	struct txn_op *op;

	if (!p->staged)
		return;
	op = push(p, TXN_TABLE);
	op->table = table;
	op->tbl = p->tbl[table].conf;
}

/* --- Events ------------------------------------------------------------------------------------------------- */

static void
tell(struct of_pipe *p, const void *owner, uint32_t xid, uint8_t event, const struct of_rule *r, uint8_t reason)
{
	struct of_flow_row row;
	struct omatch m;

	rule_row(p, r, pipe_now(p), &m, &row);
	p->ev.flow_changed(p->ev.arg, p->bridge, (enum of_monitor_event)event, &row, reason, owner, xid);
}

void
txn_tell(struct of_pipe *p, const struct of_who *who, enum of_monitor_event event, const struct of_rule *r,
	 uint8_t reason)
{
	const void *owner = who ? who->owner : NULL;
	uint32_t xid = who ? who->xid : 0;
	struct txn_op *op;

	if (!p->ev.flow_changed)
		return;
	if (!p->staged) {
		tell(p, owner, xid, (uint8_t)event, r, reason);
		return;
	}
	op = push(p, TXN_TELL);
	op->owner = owner;
	op->xid = xid;
	op->event = (uint8_t)event;
	op->reason = reason;
	op->rule = r->idx;
}

static void
forward(struct of_pipe *p, const void *owner, uint32_t xid, uint8_t version, uint8_t kind, const void *body)
{
	struct of_msg msg = { .version = version, .kind = kind, .xid = xid, .body = body };

	p->ev.forwarded(p->ev.arg, p->bridge, &msg, owner);
}

static void
note_forward(struct of_pipe *p, const struct of_who *who, enum txn_kind kind, uint32_t id, uint16_t command)
{
	struct txn_op *op = push(p, kind);

	op->owner = who->owner;
	op->xid = who->xid;
	op->version = who->version;
	op->id = id;
	op->command = command;
}

void
txn_forward_group(struct of_pipe *p, const struct of_who *who, const struct of_group_mod *m)
{
	if (!p->ev.forwarded)
		return;
	if (p->staged)
		note_forward(p, who, TXN_FORWARD_GROUP, m->group_id, m->command);
	else
		forward(p, who->owner, who->xid, who->version, OFK_GROUP_MOD, m);
}

void
txn_forward_meter(struct of_pipe *p, const struct of_who *who, const struct of_meter_mod *m)
{
	if (!p->ev.forwarded)
		return;
	if (p->staged)
		note_forward(p, who, TXN_FORWARD_METER, m->meter_id, m->command);
	else
		forward(p, who->owner, who->xid, who->version, OFK_METER_MOD, m);
}

/* The message itself is gone: what the bundle as a whole made of the group is told. */
static void
forward_group_now(struct of_pipe *p, const struct txn_op *op)
{
	const struct of_group *g = group_live(p, op->id);
	struct of_group_mod m = { .command = op->command, .group_id = op->id, .command_bucket_id = OFG_BUCKET_ALL };

	if (op->command != OFGC_DELETE) {
		if (!g)
			return;
		if (op->command != OFGC_ADD)
			m.command = OFGC_MODIFY;
		m.type = g->type;
		m.n_buckets = g->n_buckets;
		m.buckets = g->bucket;
		memcpy(m.selection_method, g->method, sizeof m.selection_method);
		m.selection_param = g->param;
		m.selection_fields = g->fields;
	}
	forward(p, op->owner, op->xid, op->version, OFK_GROUP_MOD, &m);
}

struct forward_meter {
	struct of_pipe *p;
	const struct txn_op *op;
};

static bool
forward_meter_conf(void *arg, const struct of_meter_row *row, const struct of_meter_config *c)
{
	struct forward_meter *f = arg;
	struct of_meter_mod m = {
		.command = f->op->command, .flags = c->flags, .meter_id = c->meter_id, .n_bands = c->n_bands,
		.bands = c->bands,
	};

	(void)row;
	forward(f->p, f->op->owner, f->op->xid, f->op->version, OFK_METER_MOD, &m);
	return false;
}

static void
forward_meter_now(struct of_pipe *p, const struct txn_op *op)
{
	struct of_meter_mod m = { .command = OFMC_DELETE, .meter_id = op->id };
	struct forward_meter f = { .p = p, .op = op };

	if (op->command == OFMC_DELETE)
		forward(p, op->owner, op->xid, op->version, OFK_METER_MOD, &m);
	else
		of_meters_each(p, op->id, forward_meter_conf, &f);
}

/* --- Begin, commit, abort ---------------------------------------------------------------------------------------- */

void
of_pipe_begin(struct of_pipe *p)
{
	p->staged = true;
	p->txn.n_gone = p->gone.n;
	p->txn.n_gone_groups = p->gone_groups.n;
	p->txn.n_gone_meters = p->gone_meters.n;
}

static void
finish(struct of_pipe *p)
{
	p->staged = false;
	p->txn.n = 0;
	if (p->txn.cap > 4096) {
		free(p->txn.op);
		p->txn.op = NULL;
		p->txn.cap = 0;
	}
}

void
of_pipe_commit(struct of_pipe *p)
{
	p->staged = false;
	for (uint32_t i = 0; i < p->txn.n; i++) {
		const struct txn_op *op = &p->txn.op[i];

		switch (op->kind) {
		case TXN_TELL:
			if (p->ev.flow_changed)
				tell(p, op->owner, op->xid, op->event, rule_at(p, op->rule), op->reason);
			break;
		case TXN_FORWARD_GROUP:
			forward_group_now(p, op);
			break;
		case TXN_FORWARD_METER:
			forward_meter_now(p, op);
			break;
		case TXN_METER_MODIFY:
			free(op->conf);
			/* Fall through. */
		case TXN_METER_ADD:
			meter_program(p, op->meter);
			break;
		default:
			break;
		}
	}
	finish(p);
}

static void
undo(struct of_pipe *p, const struct txn_op *op)
{
	struct rule_stat *st;

	switch (op->kind) {
	case TXN_RULE_ADD:
		rule_undo_add(p, rule_at(p, op->rule));
		break;
	case TXN_RULE_DEL:
		rule_undo_remove(p, rule_at(p, op->rule));
		break;
	case TXN_TIMES:
		st = stat_at(p, op->stat);
		st->created_ms = op->created_ms;
		__atomic_store_n(&st->used_ms, op->used_ms, __ATOMIC_RELAXED);
		__atomic_store_n(&st->modified_ms, op->modified_ms, __ATOMIC_RELAXED);
		break;
	case TXN_GROUP_ADD:
	case TXN_GROUP_DEL:
		group_undo(p, op->group, op->kind == TXN_GROUP_ADD);
		break;
	case TXN_METER_ADD:
	case TXN_METER_DEL:
	case TXN_METER_MODIFY:
		meter_undo(p, op->kind, op->meter, op->conf);
		break;
	case TXN_TABLE:
		p->tbl[op->table].conf = op->tbl;
		break;
	case TXN_TELL:
	case TXN_FORWARD_GROUP:
	case TXN_FORWARD_METER:
		break;
	}
}

void
of_pipe_abort(struct of_pipe *p)
{
	/* What it removed stays; what it added goes to the same lists. */
	p->gone.n = p->txn.n_gone;
	p->gone_groups.n = p->txn.n_gone_groups;
	p->gone_meters.n = p->txn.n_gone_meters;
	for (uint32_t i = p->txn.n; i; i--)
		undo(p, &p->txn.op[i - 1]);
	finish(p);
}

void
txn_fini(struct of_pipe *p)
{
	free(p->txn.op);
}
