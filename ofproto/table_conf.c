/* SPDX-License-Identifier: Apache-2.0 */
/* What controllers set of a table: TABLE_MOD and TABLE_FEATURES; vacancy events; what is told of it. */
#include "ofproto/table_priv.h"

/* Free room in percent. */
static uint8_t
vacancy_of(const struct tbl *t)
{
	uint32_t max = t->conf.max_entries;

	if (t->active >= max)
		return 0;
	return (uint8_t)((uint64_t)(max - t->active) * 100 / max);
}

/* --- Vacancy --------------------------------------------------------------------------------------------- */

void
vacancy_check(struct of_pipe *p, uint8_t table)
{
	struct tbl *t = &p->tbl[table];
	struct of_table_desc d;
	uint8_t v;

	if (LIKELY(!t->conf.vacancy_next))
		return;
	v = vacancy_of(t);
	if (t->conf.vacancy_next == OFTR_VACANCY_DOWN ? v >= t->conf.vacancy_down : v <= t->conf.vacancy_up)
		return;
	of_table_desc(p, table, &d);
	d.reason = t->conf.vacancy_next;
	t->conf.vacancy_next = t->conf.vacancy_next == OFTR_VACANCY_DOWN ? OFTR_VACANCY_UP : OFTR_VACANCY_DOWN;
	if (p->ev.table_status)
		p->ev.table_status(p->ev.arg, p->bridge, &d);
}

/* --- TABLE_MOD ---------------------------------------------------------------------------------------------- */

enum { EVICTION_KNOWN = 7 };

static int
check_mod(const struct of_who *who, const struct of_table_mod *m, struct of_error *e)
{
	uint32_t known = who->version <= OF13 ? OFTC_MISS_MASK : OFTC_EVICTION | OFTC_VACANCY_EVENTS;

	if (m->table_id >= OF_N_TABLES && m->table_id != OFTT_ALL)
		return of_error_set(e, OFE_TMFC_BAD_TABLE, "table %u: there are %u", m->table_id, OF_N_TABLES);
	/* 1.3 has the bits of 1.1 and 1.2 without a meaning. */
	if (m->config & ~known || (who->version <= OF12 && (m->config & OFTC_MISS_MASK) == 3))
		return of_error_set(e, OFE_TMFC_BAD_CONFIG, "table config 0x%x", m->config);
	if (m->has_eviction && m->eviction_flags & ~(uint32_t)EVICTION_KNOWN)
		return of_error_set(e, OFE_BPC_BAD_VALUE, "eviction flags 0x%x", m->eviction_flags);
	if (m->has_vacancy && (m->vacancy_down > 100 || m->vacancy_up > 100 || m->vacancy_down > m->vacancy_up))
		return of_error_set(e, OFE_BPC_BAD_VALUE, "vacancy from %u to %u", m->vacancy_down, m->vacancy_up);
	return 0;
}

static void
mod_one(struct of_pipe *p, const struct of_who *who, const struct of_table_mod *m, uint8_t table)
{
	struct tbl *t = &p->tbl[table];
	struct tbl_conf *c = &t->conf;
	uint32_t keep = who->version <= OF13 ? c->config & ~(uint32_t)OFTC_MISS_MASK : c->config & OFTC_MISS_MASK;

	if (who->version == OF13)
		return;
	txn_table(p, table);
	if ((c->config ^ m->config) & OFTC_MISS_MASK && who->version < OF13)
		pipe_touch_table(p, table);
	__atomic_store_n(&c->config, keep | m->config, __ATOMIC_RELAXED);
	if (who->version < OF14)
		return;
	if (m->has_eviction)
		c->eviction_flags = m->eviction_flags;
	if (m->has_vacancy) {
		c->vacancy_down = m->vacancy_down;
		c->vacancy_up = m->vacancy_up;
	}
	if (!(m->config & OFTC_VACANCY_EVENTS))
		c->vacancy_next = 0;
	else if (m->has_vacancy || !c->vacancy_next)
		c->vacancy_next = vacancy_of(t) < c->vacancy_up ? OFTR_VACANCY_UP : OFTR_VACANCY_DOWN;
}

int
of_table_mod(struct of_pipe *p, const struct of_who *who, const struct of_table_mod *m, struct of_error *e)
{
	if (check_mod(who, m, e))
		return -1;
	for (unsigned t = 0; t < OF_N_TABLES; t++)
		if (m->table_id == OFTT_ALL || m->table_id == t)
			mod_one(p, who, m, (uint8_t)t);
	return 0;
}

uint32_t
of_table_config(const struct of_pipe *p, uint8_t table)
{
	return table < OF_N_TABLES ? __atomic_load_n(&p->tbl[table].conf.config, __ATOMIC_RELAXED) : 0;
}

/* --- TABLE_FEATURES --------------------------------------------------------------------------------------------- */

static int
check_next(const struct of_table_features *f, const uint64_t next[4], struct of_error *e)
{
	for (unsigned t = 0; t < 256; t++)
		if (next[t >> 6] >> (t & 63) & 1 && (t >= OF_N_TABLES || t <= f->table_id))
			return of_error_set(e, OFE_TFFC_BAD_ARGUMENT, "table %u does not go to table %u", f->table_id, t);
	return 0;
}

static int
check_features(const struct of_table_features_request *rq, struct of_error *e)
{
	uint64_t seen[4] = { 0 };

	for (uint32_t i = 0; i < rq->n; i++) {
		const struct of_table_features *f = &rq->tables[i];
		uint64_t bit = (uint64_t)1 << (f->table_id & 63);

		if (f->table_id >= OF_N_TABLES || seen[f->table_id >> 6] & bit)
			return of_error_set(e, OFE_TFFC_BAD_TABLE, "table %u, or twice", f->table_id);
		seen[f->table_id >> 6] |= bit;
		if (f->max_entries > OF_MAX_RULES)
			return of_error_set(e, OFE_TFFC_BAD_ARGUMENT, "%u entries: at most %u", f->max_entries,
					    OF_MAX_RULES);
		if (check_next(f, f->next_tables, e) || check_next(f, f->miss_next_tables, e))
			return -1;
	}
	return 0;
}

int
of_table_set_features(struct of_pipe *p, const struct of_who *who, const struct of_table_features_request *rq,
		      struct of_error *e)
{
	(void)who;
	if (check_features(rq, e))
		return -1;
	for (uint32_t i = 0; i < rq->n; i++) {
		const struct of_table_features *f = &rq->tables[i];
		struct tbl_conf *c = &p->tbl[f->table_id].conf;

		txn_table(p, f->table_id);
		memcpy(c->name, f->name, sizeof c->name);
		c->name[sizeof c->name - 1] = 0;
		/* None given. */
		c->max_entries = f->max_entries ? f->max_entries : c->max_entries;
	}
	return 0;
}

void
of_table_set_limit(struct of_pipe *p, uint8_t table, uint32_t max_entries)
{
	if (table < OF_N_TABLES)
		p->tbl[table].conf.max_entries = max_entries && max_entries < OF_MAX_RULES ? max_entries : OF_MAX_RULES;
}

/* --- Questions -------------------------------------------------------------------------------------------------- */

void
of_table_row(const struct of_pipe *p, uint8_t table, struct of_table_row *row)
{
	const struct tbl *t = &p->tbl[table];
	uint64_t matched = __atomic_load_n(&t->matched, __ATOMIC_RELAXED);

	*row = (struct of_table_row){
		.table_id = table, .max_entries = t->conf.max_entries, .active = t->active, .matches = matched,
		.lookups = matched + __atomic_load_n(&t->missed, __ATOMIC_RELAXED), .config = t->conf.config,
	};
	str_copy(row->name, sizeof row->name, t->conf.name);
}

void
of_table_desc(const struct of_pipe *p, uint8_t table, struct of_table_desc *d)
{
	const struct tbl *t = &p->tbl[table];

	*d = (struct of_table_desc){
		.table_id = table, .config = t->conf.config, .eviction_flags = t->conf.eviction_flags,
		.vacancy_down = t->conf.vacancy_down, .vacancy_up = t->conf.vacancy_up, .vacancy = vacancy_of(t),
	};
}

/* --- What a table can do ---------------------------------------------------------------------------------------- */

/* Bits are numbers of instructions and actions of the newest version; the codec leaves out what a version lacks. */
enum {
	INSTRUCTIONS = 0x7e,            /* GOTO_TABLE to METER. */
	GOTO = 1 << 1,
	COPY_FIELD = 1 << 28, METER = 1 << 29,
};

static void
set_add(struct of_field_set *s, unsigned f)
{
	s->bits[f / 64] |= 1ull << f % 64;
}

/* Marks and labels of connections are no action's to write while nothing is tracked. */
static bool
is_writable(unsigned f)
{
	return of_field_info[f].flags & OF_FIELD_WRITABLE && f != OFF_CT_MARK && f != OFF_CT_LABEL;
}

/* A miss is a rule like any other, and may do the same. */
static void
same_for_misses(struct of_table_features *f)
{
	f->miss_instructions = f->instructions;
	memcpy(f->miss_next_tables, f->next_tables, sizeof f->next_tables);
	f->miss_write_actions = f->write_actions;
	f->miss_apply_actions = f->apply_actions;
	f->miss_write_setfield = f->write_setfield;
	f->miss_apply_setfield = f->apply_setfield;
	f->miss_write_copyfield = f->write_copyfield;
	f->miss_apply_copyfield = f->apply_copyfield;
}

void
of_table_features(const struct of_pipe *p, uint8_t table, struct of_table_features *f)
{
	const struct tbl *t = &p->tbl[table];

	*f = (struct of_table_features){
		.table_id = table, .metadata_match = UINT64_MAX, .metadata_write = UINT64_MAX, .config = t->conf.config,
		.max_entries = t->conf.max_entries, .features = OFTF_INGRESS, .instructions = INSTRUCTIONS,
		.write_actions = OF_STD_ACTIONS | COPY_FIELD | METER,
		.apply_actions = OF_STD_ACTIONS | COPY_FIELD | METER,
	};
	str_copy(f->name, sizeof f->name, t->conf.name);
	for (unsigned next = table + 1u; next < OF_N_TABLES; next++)
		f->next_tables[next / 64] |= 1ull << next % 64;
	if (table + 1u == OF_N_TABLES)
		f->instructions &= ~(uint32_t)GOTO;
	for (unsigned i = 0; i < OFF_N_FIELDS; i++) {
		set_add(&f->match, i);
		if (is_writable(i))
			set_add(&f->write_setfield, i);
	}
	/* Any field may be left out of a match. */
	f->wildcards = f->match;
	f->apply_setfield = f->write_copyfield = f->apply_copyfield = f->write_setfield;
	same_for_misses(f);
}
