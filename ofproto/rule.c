/* SPDX-License-Identifier: Apache-2.0 */
/* One rule: made, linked, taken out, shown. */
#include "ofproto/table_priv.h"

/* --- Rules coming and going ------------------------------------------------------------------------ */

uint32_t
rule_len(const struct cls_key *k)
{
	return (uint32_t)(sizeof(struct of_rule) + k->n * sizeof k->value[0]);
}

/* Counters of their own, or NULL: no room. */
static struct rule_stat *
stat_new(struct of_pipe *p, uint8_t table, uint64_t now, uint32_t *idx)
{
	struct rule_stat *st;

	*idx = slab_take(&p->stats, table, sizeof *st);
	if (!*idx)
		return NULL;
	st = stat_at(p, *idx);
	__atomic_store_n(&st->packets, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&st->bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&st->used_ms, now, __ATOMIC_RELAXED);
	__atomic_store_n(&st->modified_ms, now, __ATOMIC_RELAXED);
	st->created_ms = now;
	st->rule = 0;
	st->refs = 0;
	st->timer_slot = 0;
	return st;
}

struct of_rule *
rule_add(struct of_pipe *p, const struct cls_key *k, const struct rule_recipe *rc, const struct of_acts *acts,
	 uint64_t now)
{
	uint32_t idx = slab_take(&p->rules, k->n, rule_len(k)), stat = rc->stat;
	struct rule_stat *st = stat ? stat_at(p, stat) : idx ? stat_new(p, rc->table, now, &stat) : NULL;
	struct of_rule *r;

	if (!st) {
		if (idx)
			slab_give(&p->rules, idx);
		return NULL;
	}
	if (!rc->stat)
		st->created_ms = rc->created_ms;
	r = rule_at(p, idx);
	*r = (struct of_rule){
		.added = p->edit, .removed = OF_NEVER, .cookie = rc->cookie, .idx = idx, .stat = stat,
		.prog = prog_get(p, acts), .sub = cls_sub_get(p, rc->table, k), .hash = cls_hash(p, k->value, k->n),
		.priority = rc->priority, .importance = rc->importance, .idle = rc->idle, .hard = rc->hard,
		.flags = rc->flags, .table = rc->table,
	};
	r->flags |= r->prog->flags & PROG_CONJ ? RULE_F_CONJ : 0;
	r->state = rc->stat ? RULE_SHARES : 0;
	memcpy(r->value, k->value, k->n * sizeof k->value[0]);
	st->rule = idx;
	st->refs++;
	cls_link(p, r);
	prog_link_user(p, r);
	p->n_rules++;
	p->tbl[rc->table].active++;
	if (r->idle | r->hard)
		timer_arm(p, r);
	pipe_touch_table(p, rc->table);
	txn_rule(p, r, true);
	return r;
}

void
rule_remove(struct of_pipe *p, struct of_rule *r, uint8_t reason, const struct of_rule *heir)
{
	bool counts = !heir || heir->stat != r->stat;

	__atomic_store_n(&r->removed, p->edit, __ATOMIC_RELAXED);
	r->reason = reason;
	r->state |= heir ? RULE_SILENT : 0;
	prog_unlink_user(p, r);
	if (counts) {
		stat_at(p, r->stat)->rule = 0;
		timer_cancel(p, r->stat);
	}
	p->n_rules--;
	p->tbl[r->table].active--;
	gone_push(p, r->idx, counts);
	/* What no version has shown need not wait for one. */
	if (r->added == p->edit && !p->staged)
		cls_unlink(p, r);
	pipe_touch_table(p, r->table);
	txn_rule(p, r, false);
}

void
rule_undo_add(struct of_pipe *p, struct of_rule *r)
{
	bool counts = !(r->state & RULE_SHARES);
	struct rule_stat *st = stat_at(p, r->stat);

	__atomic_store_n(&r->removed, r->added, __ATOMIC_RELAXED);
	r->state |= RULE_SILENT;
	prog_unlink_user(p, r);
	/* Else the rule it had taken the place of is back already. */
	if (counts) {
		st->rule = 0;
		timer_cancel(p, r->stat);
	}
	p->n_rules--;
	p->tbl[r->table].active--;
	gone_push(p, r->idx, counts);
	cls_unlink(p, r);
}

void
rule_undo_remove(struct of_pipe *p, struct of_rule *r)
{
	__atomic_store_n(&r->removed, OF_NEVER, __ATOMIC_RELAXED);
	r->state &= (uint8_t)~RULE_SILENT;
	prog_link_user(p, r);
	stat_at(p, r->stat)->rule = r->idx;
	p->n_rules++;
	p->tbl[r->table].active++;
	if (r->idle | r->hard)
		timer_arm(p, r);
}

void
rule_free(struct of_pipe *p, uint32_t idx)
{
	struct of_rule *r = rule_at(p, idx);
	struct rule_stat *st = stat_at(p, r->stat);

	prog_put(p, (struct prog *)(uintptr_t)r->prog);
	cls_sub_put(p, r->sub);
	if (!--st->refs)
		slab_give(&p->stats, r->stat);
	slab_give(&p->rules, idx);
}

void
rule_row(const struct of_pipe *p, const struct of_rule *r, uint64_t now, struct omatch *m, struct of_flow_row *row)
{
	const struct rule_stat *st = stat_at(p, r->stat);
	uint64_t used = __atomic_load_n(&st->used_ms, __ATOMIC_RELAXED);
	uint64_t modified = __atomic_load_n(&st->modified_ms, __ATOMIC_RELAXED);

	cls_match_out(r, m);
	*row = (struct of_flow_row){
		.table_id = r->table, .priority = r->priority, .idle_timeout = r->idle, .hard_timeout = r->hard,
		.importance = r->importance, .flags = r->flags & (uint16_t)~RULE_F_CONJ, .cookie = r->cookie,
		.packets = __atomic_load_n(&st->packets, __ATOMIC_RELAXED),
		.bytes = __atomic_load_n(&st->bytes, __ATOMIC_RELAXED),
		.idle_age_s = (int32_t)(now > used ? (now - used) / 1000 : 0),
		.hard_age_s = (int32_t)(now > modified ? (now - modified) / 1000 : 0),
		.match = m, .acts = prog_acts(r->prog),
	};
	pipe_duration(st->created_ms, now, &row->duration_s, &row->duration_ns);
}

/* --- What it says ----------------------------------------------------------------------------------------- */

bool
rule_meets(const struct of_rule *r, uint64_t cookie, uint64_t cookie_mask, uint32_t out_port, uint32_t out_group)
{
	if ((r->cookie ^ cookie) & cookie_mask)
		return false;
	if (out_port != (uint32_t)OFPP_ANY && !of_acts_output_to(prog_acts(r->prog), out_port))
		return false;
	return out_group == OFG_ANY || of_acts_name(prog_acts(r->prog), OFA_GROUP, out_group);
}

void
rules_of_ref_remove(struct of_pipe *p, const struct of_who *who, enum of_act_kind kind, uint32_t id, uint8_t reason)
{
	for (struct prog *g = p->progs.with_refs; g; g = g->refs_next) {
		if (!g->users || !of_acts_name(prog_acts(g), kind, id))
			continue;
		while (g->users) {
			struct of_rule *r = rule_at(p, g->users);

			txn_tell(p, who, OFME_REMOVED, r, reason);
			rule_remove(p, r, reason, NULL);
		}
	}
}
