/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW_MOD: what each command means in each version. */
#include "ofproto/table_priv.h"

#include <stdlib.h>

/* One command on its way. */
struct mod {
	struct of_pipe *p;
	const struct of_who *who;
	const struct of_flow_mod *fm;
	struct cls_key key;
	uint64_t now;
	uint8_t first, last;            /* Tables it is about. */
	uint16_t priority;
	/* Rules it found. */
	uint32_t *found;
	uint32_t n_found, cap;
};

/* --- Which rules ----------------------------------------------------------------------------------------- */

static void
see(void *arg, struct of_rule *r)
{
	struct mod *m = arg;
	const struct of_flow_mod *fm = m->fm;
	bool is_delete = fm->command == OFFC_DELETE || fm->command == OFFC_DELETE_STRICT;

	if (!rule_meets(r, fm->cookie, fm->cookie_mask, is_delete ? fm->out_port : (uint32_t)OFPP_ANY,
			is_delete ? fm->out_group : OFG_ANY))
		return;
	if (m->n_found == m->cap) {
		m->cap = MAX_OF(m->cap * 2, 16u);
		m->found = xrealloc(m->found, m->cap * sizeof *m->found);
	}
	m->found[m->n_found++] = r->idx;
}

static void
collect(struct mod *m)
{
	bool strict = m->fm->command == OFFC_MODIFY_STRICT || m->fm->command == OFFC_DELETE_STRICT;

	for (unsigned t = m->first; t <= m->last; t++) {
		struct cls_sub *s;
		struct of_rule *r;

		if (!strict) {
			cls_each_within(m->p, (uint8_t)t, &m->key, see, m);
			continue;
		}
		s = cls_sub_find(&m->p->tbl[t].cls, &m->key);
		r = s ? cls_find_live(m->p, s, m->key.value, m->priority) : NULL;
		if (r)
			see(m, r);
	}
}

/* --- Checks ------------------------------------------------------------------------------------------------ */

static int
check_acts(struct mod *m, struct of_error *e)
{
	const struct prog *g = prog_find(m->p, &m->fm->acts);

	/* Most lists have been seen before, and most of those are right for anybody. */
	if (g && g->flags & PROG_PLAIN)
		return 0;
	return pipe_check_acts(m->p, m->who->version, m->first, &m->fm->match, m->fm->acts, e);
}

/* OpenFlow 1.0: a rule without wildcards comes before all that have some. */
static bool
is_exact_1_0(const struct omatch *m)
{
	const struct oflow *k = &m->mask;
	static const struct mac all = { .b = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	uint16_t type = host16(m->flow.dl_type);
	bool l4 = m->flow.nw_proto == 6 || m->flow.nw_proto == 17;
	bool icmp = m->flow.nw_proto == 1;

	return k->in_port == 0xffffffff && mac_equal(k->dl_dst, all) && mac_equal(k->dl_src, all) &&
	       k->dl_type == 0xffff && type == 0x0800 && k->nw_proto == 0xff && k->nw_src == 0xffffffff &&
	       k->nw_dst == 0xffffffff && (k->nw_tos & 0xfc) == 0xfc &&
	       (k->vlan[0].tci == 0xffff || (!m->flow.vlan[0].tci && k->vlan[0].tci & be16(OFLOW_VLAN_PRESENT))) &&
	       ((l4 && k->tp_src == 0xffff && k->tp_dst == 0xffff) ||
		(icmp && host16(k->tp_src) & 0xff && host16(k->tp_dst) & 0xff));
}

static int
check(struct mod *m, struct of_error *e)
{
	const struct of_flow_mod *fm = m->fm;
	bool is_delete = fm->command == OFFC_DELETE || fm->command == OFFC_DELETE_STRICT;
	uint16_t known = OFFF_SEND_FLOW_REM | OFFF_CHECK_OVERLAP | OFFF_RESET_COUNTS | OFFF_NO_PKT_COUNTS |
			 OFFF_NO_BYT_COUNTS;

	if (fm->command > OFFC_DELETE_STRICT)
		return of_error_set(e, OFE_FMFC_BAD_COMMAND, "flow_mod command %u", fm->command);
	/* 1.0's emergency flows are optional, and nobody has them. */
	if (fm->flags & OFFF_EMERG && fm->command == OFFC_ADD)
		return of_error_set(e, OFE_FMFC_TABLE_FULL, "emergency flows are not kept");
	if (fm->flags & ~(known | OFFF_EMERG))
		return of_error_set(e, OFE_FMFC_BAD_FLAGS, "flow_mod flags 0x%x", fm->flags);
	m->priority = m->who->version == OF10 && is_exact_1_0(&fm->match) ? UINT16_MAX : fm->priority;
	m->first = m->last = fm->table_id;
	if (fm->table_id == OFTT_ALL) {
		if (!is_delete && m->who->version != OF10)
			return of_error_set(e, OFE_FMFC_BAD_TABLE_ID, "table 255 is for deletion only");
		m->first = 0;
		m->last = fm->command == OFFC_ADD ? 0 : OF_N_TABLES - 1;
	} else if (fm->table_id >= OF_N_TABLES) {
		return of_error_set(e, OFE_FMFC_BAD_TABLE_ID, "table %u: there are %u", fm->table_id, OF_N_TABLES);
	}
	return is_delete ? 0 : check_acts(m, e);
}

/* --- Commands ---------------------------------------------------------------------------------------------- */

static int
no_numbers(struct of_error *e)
{
	return of_error_set(e, OFE_FMFC_TABLE_FULL, "too many rules wait to be freed");
}

/* The duration starts anew, the counters go on. */
static void
renew(struct of_pipe *p, uint32_t stat, uint64_t now)
{
	struct rule_stat *st = stat_at(p, stat);

	txn_times(p, stat);
	st->created_ms = now;
	__atomic_store_n(&st->used_ms, now, __ATOMIC_RELAXED);
	__atomic_store_n(&st->modified_ms, now, __ATOMIC_RELAXED);
}

static int
add(struct mod *m, struct of_error *e)
{
	struct of_pipe *p = m->p;
	const struct of_flow_mod *fm = m->fm;
	struct cls_sub *s = cls_sub_find(&p->tbl[m->first].cls, &m->key);
	struct of_rule *old = s ? cls_find_live(p, s, m->key.value, m->priority) : NULL, *r;
	struct rule_recipe rc = {
		.table = m->first,
		.flags = fm->flags & (OFFF_SEND_FLOW_REM | OFFF_NO_PKT_COUNTS | OFFF_NO_BYT_COUNTS),
		.priority = m->priority, .importance = fm->importance, .idle = fm->idle_timeout,
		.hard = fm->hard_timeout, .cookie = fm->cookie, .created_ms = m->now,
	};

	if (!old) {
		if (fm->flags & OFFF_CHECK_OVERLAP && cls_overlaps(p, m->first, &m->key, m->priority))
			return of_error_set(e, OFE_FMFC_OVERLAP, "overlaps a rule of priority %u", m->priority);
		if (evict_check(p, m->first, fm->importance, rule_len(&m->key) + fm->acts.len, e))
			return -1;
	} else if (m->who->version >= OF13 && !(fm->flags & OFFF_RESET_COUNTS)) {
		rc.stat = old->stat;
		renew(p, old->stat, m->now);
	}
	r = rule_add(p, &m->key, &rc, &fm->acts, m->now);
	if (!r)
		return no_numbers(e);
	if (old)
		rule_remove(p, old, OFRR_DELETE, r);
	else
		evict_for(p, m->who, r);
	txn_tell(p, m->who, OFME_ADDED, r, 0);
	return 0;
}

static void
key_of_rule(const struct of_rule *r, struct cls_key *k)
{
	k->map = r->sub->map;
	k->n = r->sub->n;
	k->mask_hash = r->sub->mask_hash;
	memcpy(k->mask, r->sub->mask, k->n * sizeof k->mask[0]);
	memcpy(k->value, r->value, k->n * sizeof k->value[0]);
}

static int
modify_one(struct mod *m, struct of_rule *old, struct of_error *e)
{
	const struct of_flow_mod *fm = m->fm;
	bool new_cookie = m->who->version == OF10 && fm->cookie_given && !fm->cookie_mask;
	bool reset = fm->flags & OFFF_RESET_COUNTS;
	struct rule_stat *st = stat_at(m->p, old->stat);
	struct rule_recipe rc = {
		.table = old->table, .flags = old->flags & (uint8_t)~RULE_F_CONJ, .priority = old->priority,
		.importance = old->importance, .idle = old->idle, .hard = old->hard,
		.cookie = new_cookie ? fm->cookie : old->cookie, .stat = reset ? 0 : old->stat,
		.created_ms = st->created_ms,
	};
	struct of_rule *r;
	struct cls_key k;

	key_of_rule(old, &k);
	r = rule_add(m->p, &k, &rc, &fm->acts, m->now);
	if (!r)
		return no_numbers(e);
	if (!reset)
		txn_times(m->p, old->stat);
	__atomic_store_n(&st->modified_ms, m->now, __ATOMIC_RELAXED);
	rule_remove(m->p, old, OFRR_DELETE, r);
	txn_tell(m->p, m->who, OFME_MODIFIED, r, 0);
	return 0;
}

static int
modify(struct mod *m, struct of_error *e)
{
	const struct of_flow_mod *fm = m->fm;
	uint8_t v = m->who->version;

	collect(m);
	if (!m->n_found) {
		/* Up to 1.2, a modification of nothing adds. */
		if (v > OF12 || fm->cookie_mask || (v == OF10 && !fm->cookie_given))
			return 0;
		m->last = m->first;
		return add(m, e);
	}
	if (pipe_bytes(m->p) + (uint64_t)m->n_found * (sizeof(struct of_rule) + 64) > m->p->max_bytes)
		return of_error_set(e, OFE_FMFC_TABLE_FULL, "%u rules to modify at once", m->n_found);
	for (uint32_t i = 0; i < m->n_found; i++)
		if (modify_one(m, rule_at(m->p, m->found[i]), e))
			return -1;
	return 0;
}

static int
delete(struct mod *m)
{
	collect(m);
	for (uint32_t i = 0; i < m->n_found; i++) {
		struct of_rule *r = rule_at(m->p, m->found[i]);

		txn_tell(m->p, m->who, OFME_REMOVED, r, OFRR_DELETE);
		rule_remove(m->p, r, OFRR_DELETE, NULL);
	}
	return 0;
}

int
of_flow_mod(struct of_pipe *p, const struct of_who *who, const struct of_flow_mod *fm, struct of_error *e)
{
	struct mod m;
	int rc;

	m.p = p;
	m.who = who;
	m.fm = fm;
	m.now = pipe_now(p);
	m.found = NULL;
	m.n_found = m.cap = 0;
	if (check(&m, e))
		return -1;
	if (fm->match.mask.tun_md_present & ~p->options && fm->command < OFFC_DELETE)
		return of_error_set(e, OFE_NXFMFC_INVALID_TLV_FIELD, "the match has tun_metadata that is no option");
	cls_key_init(&m.key, &fm->match);
	if (fm->command == OFFC_ADD)
		rc = add(&m, e);
	else if (fm->command == OFFC_MODIFY || fm->command == OFFC_MODIFY_STRICT)
		rc = modify(&m, e);
	else
		rc = delete(&m);
	free(m.found);
	return rc;
}

void
of_pipe_flush(struct of_pipe *p, bool silent)
{
	const struct of_who who = { .version = OF13 };
	struct of_pipe_events ev = p->ev;
	struct of_flow_mod fm;
	struct of_group_mod gm = { .command = OFGC_DELETE, .group_id = OFG_ALL };
	struct of_meter_mod mm = { .command = OFMC_DELETE, .meter_id = OFM_ALL };
	uint32_t before = p->gone.n;

	memset(&fm, 0, sizeof fm);
	fm.command = OFFC_DELETE;
	fm.table_id = OFTT_ALL;
	fm.out_port = (uint32_t)OFPP_ANY;
	fm.out_group = OFG_ANY;
	/* Nobody asked for the groups and meters to go one by one. */
	p->ev.forwarded = NULL;
	of_flow_mod(p, &who, &fm, NULL);
	of_group_mod(p, &who, &gm, NULL);
	of_meter_mod(p, &who, &mm, NULL);
	p->ev = ev;
	for (uint32_t i = before; silent && i < p->gone.n; i++)
		rule_at(p, p->gone.g[i].rule)->state |= RULE_SILENT;
}
