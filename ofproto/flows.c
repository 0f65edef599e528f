/* SPDX-License-Identifier: Apache-2.0 */
/* What the pipeline says of its rules: dumps and sums. */
#include "ofproto/table_priv.h"

/* Counter records looked at in one piece, whether they are shown or not: no piece takes longer than a millisecond. */
enum { LOOK_MAX = 4096 };

uint64_t
of_flows_each(const struct of_pipe *p, const struct of_flow_request *rq, uint64_t cursor, unsigned max,
	      bool (*cb)(void *, const struct of_flow_row *), void *arg)
{
	uint32_t i = cursor ? (uint32_t)cursor : SLAB_N;
	uint64_t now = pipe_now(p);
	unsigned shown = 0;
	struct cls_key k;
	struct omatch m;

	if (rq->table_id >= OF_N_TABLES && rq->table_id != OFTT_ALL)
		return 0;
	cls_key_init(&k, &rq->match);
	for (unsigned looked = 0; looked < LOOK_MAX && shown < max; looked++, i++) {
		const struct of_rule *r;
		struct of_flow_row row;

		if (!looked || !(i & (SLAB_N - 1))) {
			uint32_t c = slab_next_chunk(&p->stats, i, rq->table_id == OFTT_ALL ? -1 : rq->table_id);

			if (c == UINT32_MAX)
				return 0;
			i = MAX_OF(c, i);
		}
		if (!slab_taken(&p->stats, i) || !stat_at(p, i)->rule)
			continue;
		r = rule_at(p, stat_at(p, i)->rule);
		if (!cls_rule_within(r, &k) ||
		    !rule_meets(r, rq->cookie, rq->cookie_mask, rq->out_port, rq->out_group))
			continue;
		rule_row(p, r, now, &m, &row);
		shown++;
		if (!cb(arg, &row))
			return i + 1u;
	}
	return i;
}

struct sum {
	const struct of_pipe *p;
	const struct of_flow_request *rq;
	struct of_aggregate *a;
};

static void
add_up(void *arg, struct of_rule *r)
{
	struct sum *s = arg;
	const struct rule_stat *st = stat_at(s->p, r->stat);

	if (!rule_meets(r, s->rq->cookie, s->rq->cookie_mask, s->rq->out_port, s->rq->out_group))
		return;
	s->a->packets += __atomic_load_n(&st->packets, __ATOMIC_RELAXED);
	s->a->bytes += __atomic_load_n(&st->bytes, __ATOMIC_RELAXED);
	s->a->flows++;
}

void
of_flows_sum(const struct of_pipe *p, const struct of_flow_request *rq, struct of_aggregate *a)
{
	struct sum s = { .p = p, .rq = rq, .a = a };
	unsigned first = rq->table_id, last = rq->table_id;
	struct cls_key k;

	memset(a, 0, sizeof *a);
	if (rq->table_id == OFTT_ALL)
		first = 0, last = OF_N_TABLES - 1;
	cls_key_init(&k, &rq->match);
	for (unsigned t = first; t <= last && t < OF_N_TABLES; t++)
		cls_each_within(p, (uint8_t)t, &k, add_up, &s);
}

uint64_t
pipe_bytes(const struct of_pipe *p)
{
	return p->rules.bytes + p->stats.bytes + p->nodes.n_used * 16ull + p->sub_bytes + p->progs.bytes;
}

void
of_pipe_stats(const struct of_pipe *p, struct of_pipe_stats *s)
{
	*s = (struct of_pipe_stats){
		.n_rules = p->n_rules, .n_groups = p->groups.n, .n_meters = p->meters.n, .n_progs = p->progs.n,
		.rule_bytes = pipe_bytes(p), .n_subtables = p->n_subs,
	};
}
