/* SPDX-License-Identifier: Apache-2.0 */
/* Meters: OpenFlow's numbers and bands on one side, the datapath's meters on the other. */
#include "ofproto/group.h"

#include <stdlib.h>

#include "datapath/dp.h"

enum { N_BUCKETS = 256 };

struct meter_conf {
	uint16_t flags;
	uint32_t n_bands;
	struct of_band band[];
};

struct of_meter {
	struct of_meter *next;          /* [rcu] Of the hash chain. */
	uint32_t id, dp;                /* [const] */
	uint64_t added;                 /* [const] */
	uint64_t removed;               /* Atomic. */
	/* [ctl] from here on. */
	bool live;
	uint32_t n_refs;
	uint64_t created_ms;
	struct meter_conf *conf;
};

/* Numbers of the datapath's meters are the only thing that bridges share: each takes what is free.  [ctl] */
static uint64_t taken[DP_MAX_METERS / 64];

static int
number_take(void)
{
	for (unsigned i = 0; i < DP_MAX_METERS / 64; i++) {
		if (taken[i] != UINT64_MAX) {
			unsigned bit = (unsigned)__builtin_ctzll(~taken[i]);

			taken[i] |= (uint64_t)1 << bit;
			return (int)(i * 64 + bit);
		}
	}
	return -1;
}

static void
number_give(uint32_t n)
{
	taken[n / 64] &= ~((uint64_t)1 << (n & 63));
}

/* --- Which meters there are ---------------------------------------------------------------------------- */

static struct of_meter **
chain_of(const struct of_pipe *p, uint32_t id)
{
	struct of_meter **all = rcu_read(p->meters.by_id);

	return all ? &all[hash_mix(id) & (N_BUCKETS - 1)] : NULL;
}

static struct of_meter *
meter_live(const struct of_pipe *p, uint32_t id)
{
	struct of_meter **c = chain_of(p, id);

	for (struct of_meter *m = c ? *c : NULL; m; m = m->next)
		if (m->id == id && m->live)
			return m;
	return NULL;
}

bool
pipe_has_meter(const struct of_pipe *p, uint32_t id)
{
	return meter_live(p, id) != NULL;
}

bool
of_meter_find(const struct of_pipe *p, uint32_t id, uint32_t *dp_meter)
{
	struct of_meter **c = chain_of(p, id);

	/* One that was deleted answers until no rule of an old version can ask for it. */
	for (const struct of_meter *m = c ? rcu_read(*c) : NULL; m; m = rcu_read(m->next)) {
		if (m->id != id)
			continue;
		*dp_meter = m->dp;
		return true;
	}
	return false;
}

bool
of_meter_at(const struct of_pipe *p, uint64_t version, uint32_t id, uint32_t *dp_meter)
{
	struct of_meter **c = chain_of(p, id);

	for (const struct of_meter *m = c ? rcu_read(*c) : NULL; m; m = rcu_read(m->next)) {
		if (m->id != id || m->added > version || version >= __atomic_load_n(&m->removed, __ATOMIC_RELAXED))
			continue;
		*dp_meter = m->dp;
		return true;
	}
	return false;
}

/* Flows that asked for it, found or not, are translated again with the next version. */
static void
touch(struct of_pipe *p, uint32_t id)
{
	dp_tag tag = of_tag_meter(p->bridge, id);

	p->changed_groups[(tag & 0xfff) >> 6] |= (uint64_t)1 << (tag & 63);
	p->groups_changed = true;
	p->dirty = true;
}

void
meter_count_ref(struct of_pipe *p, uint32_t id, int by)
{
	struct of_meter *m = meter_live(p, id);

	if (m)
		m->n_refs += (uint32_t)by;
}

/* --- Making and dropping ---------------------------------------------------------------------------------- */

static struct meter_conf *
conf_make(const struct of_meter_mod *mm)
{
	struct meter_conf *c = xcalloc(1, sizeof *c + mm->n_bands * sizeof c->band[0]);

	c->flags = mm->flags;
	c->n_bands = mm->n_bands;
	if (mm->n_bands)
		memcpy(c->band, mm->bands, mm->n_bands * sizeof c->band[0]);
	return c;
}

void
meter_program(struct of_pipe *p, const struct of_meter *m)
{
	struct dp_meter_conf dc = { .pktps = m->conf->flags & OFMF_PKTPS, .n_bands = m->conf->n_bands };

	if (!p->sink.meter_set)
		return;
	for (unsigned i = 0; i < dc.n_bands; i++) {
		const struct of_band *b = &m->conf->band[i];

		dc.band[i].rate = b->rate;
		dc.band[i].burst = m->conf->flags & OFMF_BURST ? b->burst : 0;
		dc.band[i].remark = b->type == OFMBT_DSCP_REMARK;
		dc.band[i].prec_level = b->prec_level;
	}
	/* Numbers are in range, which is all that can be wrong. */
	p->sink.meter_set(p->sink.arg, m->dp, &dc);
}

void
meter_unlink(struct of_pipe *p, struct of_meter *m)
{
	struct of_meter **c = chain_of(p, m->id);

	while (*c != m)
		c = &(*c)->next;
	rcu_assign(*c, m->next);
}

void
meter_free(struct of_pipe *p, struct of_meter *m)
{
	if (p->sink.meter_del)
		p->sink.meter_del(p->sink.arg, m->dp);
	number_give(m->dp);
	free(m->conf);
	free(m);
}

void
meters_fini(struct of_pipe *p)
{
	for (unsigned i = 0; p->meters.by_id && i < N_BUCKETS; i++) {
		for (struct of_meter *m = p->meters.by_id[i], *next; m; m = next) {
			next = m->next;
			meter_free(p, m);
		}
	}
	free(p->meters.by_id);
}

/* --- Commands --------------------------------------------------------------------------------------------- */

static int
check(const struct of_meter_mod *mm, struct of_error *e)
{
	if (mm->flags & ~(OFMF_KBPS | OFMF_PKTPS | OFMF_BURST | OFMF_STATS) ||
	    (mm->flags & OFMF_KBPS && mm->flags & OFMF_PKTPS))
		return of_error_set(e, OFE_MMFC_BAD_FLAGS, "meter flags 0x%x", mm->flags);
	if (mm->n_bands > DP_METER_BANDS)
		return of_error_set(e, OFE_MMFC_OUT_OF_BANDS, "%u bands: at most %u", mm->n_bands, DP_METER_BANDS);
	for (uint32_t i = 0; i < mm->n_bands; i++)
		if (mm->bands[i].type != OFMBT_DROP && mm->bands[i].type != OFMBT_DSCP_REMARK)
			return of_error_set(e, OFE_MMFC_BAD_BAND, "band type %u", mm->bands[i].type);
	return 0;
}

static bool
is_reserved(uint32_t id)
{
	return !id || (id > OFM_MAX && id != OFM_CONTROLLER && id != OFM_SLOWPATH);
}

static int
add(struct of_pipe *p, const struct of_meter_mod *mm, struct of_error *e)
{
	struct of_meter *m, **c;
	int dp;

	if (meter_live(p, mm->meter_id))
		return of_error_set(e, OFE_MMFC_METER_EXISTS, "meter %u is there", mm->meter_id);
	if (check(mm, e))
		return -1;
	dp = number_take();
	if (dp < 0)
		return of_error_set(e, OFE_MMFC_OUT_OF_METERS, "all bridges together have %u meters", DP_MAX_METERS);
	if (!p->meters.by_id)
		rcu_assign(p->meters.by_id, xcalloc(N_BUCKETS, sizeof(struct of_meter *)));
	m = xcalloc(1, sizeof *m);
	m->id = mm->meter_id;
	m->dp = (uint32_t)dp;
	m->added = p->edit;
	m->removed = OF_NEVER;
	m->live = true;
	m->created_ms = pipe_now(p);
	m->conf = conf_make(mm);
	c = chain_of(p, m->id);
	m->next = *c;
	rcu_assign(*c, m);
	p->meters.n++;
	touch(p, m->id);
	if (!txn_meter(p, TXN_METER_ADD, m, NULL))
		meter_program(p, m);
	return 0;
}

static int
modify(struct of_pipe *p, const struct of_meter_mod *mm, struct of_error *e)
{
	struct of_meter *m = meter_live(p, mm->meter_id);
	struct meter_conf *old;

	if (!m)
		return of_error_set(e, OFE_MMFC_UNKNOWN_METER, "there is no meter %u", mm->meter_id);
	if (check(mm, e))
		return -1;
	old = m->conf;
	m->conf = conf_make(mm);
	if (!txn_meter(p, TXN_METER_MODIFY, m, old)) {
		meter_program(p, m);
		free(old);
	}
	return 0;
}

static void
delete(struct of_pipe *p, const struct of_who *who, struct of_meter *m)
{
	if (m->n_refs)
		rules_of_ref_remove(p, who, OFA_METER, m->id, OFRR_METER_DELETE);
	__atomic_store_n(&m->removed, p->edit, __ATOMIC_RELAXED);
	m->live = false;
	p->meters.n--;
	gone_meter(p, m);
	txn_meter(p, TXN_METER_DEL, m, NULL);
	/* So that it is published, and freed: deleted meters go the way of rules. */
	touch(p, m->id);
}

static int
delete_some(struct of_pipe *p, const struct of_who *who, uint32_t id)
{
	struct of_meter *m = meter_live(p, id);

	for (unsigned i = 0; id == OFM_ALL && p->meters.by_id && i < N_BUCKETS; i++)
		for (struct of_meter *x = p->meters.by_id[i]; x; x = x->next)
			if (x->live)
				delete(p, who, x);
	if (m)
		delete(p, who, m);
	return 0;
}

void
meter_undo(struct of_pipe *p, enum txn_kind kind, struct of_meter *m, void *old)
{
	switch (kind) {
	case TXN_METER_ADD:
		__atomic_store_n(&m->removed, m->added, __ATOMIC_RELAXED);
		m->live = false;
		p->meters.n--;
		touch(p, m->id);
		gone_meter(p, m);
		break;
	case TXN_METER_DEL:
		__atomic_store_n(&m->removed, OF_NEVER, __ATOMIC_RELAXED);
		m->live = true;
		p->meters.n++;
		break;
	default:
		free(m->conf);
		m->conf = old;
	}
}

int
of_meter_mod(struct of_pipe *p, const struct of_who *who, const struct of_meter_mod *mm, struct of_error *e)
{
	int rc;

	if (mm->command > OFMC_DELETE)
		return of_error_set(e, OFE_MMFC_BAD_COMMAND, "meter_mod command %u", mm->command);
	if (is_reserved(mm->meter_id) && !(mm->command == OFMC_DELETE && mm->meter_id == OFM_ALL))
		return of_error_set(e, OFE_MMFC_INVALID_METER, "meter %u is reserved", mm->meter_id);
	rc = mm->command == OFMC_ADD ? add(p, mm, e) :
	     mm->command == OFMC_MODIFY ? modify(p, mm, e) :
					  delete_some(p, who, mm->meter_id);
	if (!rc)
		txn_forward_meter(p, who, mm);
	return rc;
}

/* --- Questions ----------------------------------------------------------------------------------------------- */

static bool
show(const struct of_pipe *p, const struct of_meter *m,
     bool (*cb)(void *, const struct of_meter_row *, const struct of_meter_config *), void *arg)
{
	struct of_counts bands[DP_METER_BANDS] = { { 0 } };
	struct of_meter_config conf = {
		.flags = m->conf->flags, .meter_id = m->id, .n_bands = m->conf->n_bands, .bands = m->conf->band,
	};
	struct of_meter_row row = {
		.meter_id = m->id, .ref_count = m->n_refs, .n_bands = m->conf->n_bands, .bands = bands,
	};
	struct dp_meter_stats st;

	memset(&st, 0, sizeof st);
	if (p->sink.meter_stats)
		p->sink.meter_stats(p->sink.arg, m->dp, &st);
	row.packets = st.packets;
	row.bytes = st.bytes;
	for (unsigned i = 0; i < DP_METER_BANDS; i++)
		bands[i] = (struct of_counts){ .packets = st.band[i].packets, .bytes = st.band[i].bytes };
	pipe_duration(m->created_ms, pipe_now(p), &row.duration_s, &row.duration_ns);
	return cb(arg, &row, &conf);
}

static int
by_id(const void *a, const void *b)
{
	const struct of_meter *x = *(const struct of_meter *const *)a, *y = *(const struct of_meter *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

bool
of_meters_each(const struct of_pipe *p, uint32_t id,
	       bool (*cb)(void *, const struct of_meter_row *, const struct of_meter_config *), void *arg)
{
	const struct of_meter **all, *m;
	uint32_t n = 0;

	if (id != OFM_ALL) {
		m = meter_live(p, id);
		if (m)
			show(p, m, cb, arg);
		return m != NULL;
	}
	if (!p->meters.n)
		return false;
	all = xcalloc(p->meters.n, sizeof *all);
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (m = p->meters.by_id[i]; m; m = m->next)
			if (m->live)
				all[n++] = m;
	qsort(all, n, sizeof *all, by_id);
	for (uint32_t i = 0; i < n && show(p, all[i], cb, arg); i++)
		;
	free(all);
	return true;
}

void
of_meter_features(const struct of_pipe *p, struct of_meter_features *f)
{
	(void)p;
	*f = (struct of_meter_features){
		.max_meter = OF_MAX_METERS, .band_types = 1 << OFMBT_DROP | 1 << OFMBT_DSCP_REMARK,
		.capabilities = OFMF_KBPS | OFMF_PKTPS | OFMF_BURST | OFMF_STATS, .max_bands = DP_METER_BANDS,
		.max_color = 8,
	};
}
