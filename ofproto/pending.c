/* SPDX-License-Identifier: Apache-2.0 */
/* What the pipeline does not do yet: groups, meters, timeouts, bundles. */
#include "ofproto/table_priv.h"

bool
pipe_has_group(const struct of_pipe *p, uint32_t id)
{
	(void)p, (void)id;
	return false;
}

bool
pipe_has_meter(const struct of_pipe *p, uint32_t id)
{
	(void)p, (void)id;
	return false;
}

bool
of_group_find(const struct of_pipe *p, uint64_t version, uint32_t id, struct of_group_view *v)
{
	(void)p, (void)version, (void)id, (void)v;
	return false;
}

bool
of_meter_find(const struct of_pipe *p, uint32_t id, uint32_t *dp_meter)
{
	(void)p, (void)id, (void)dp_meter;
	return false;
}

uint64_t
of_ref_group(const struct of_pipe *p, const struct of_group *g)
{
	(void)p, (void)g;
	return 1;
}

uint64_t
of_ref_bucket(const struct of_pipe *p, const struct of_group *g, uint32_t bucket)
{
	(void)p, (void)g, (void)bucket;
	return 1;
}

int
of_group_mod(struct of_pipe *p, const struct of_who *w, const struct of_group_mod *m, struct of_error *e)
{
	(void)p, (void)w, (void)m;
	return of_error_set(e, OFE_GMFC_OUT_OF_GROUPS, "no groups yet");
}

int
of_meter_mod(struct of_pipe *p, const struct of_who *w, const struct of_meter_mod *m, struct of_error *e)
{
	(void)p, (void)w, (void)m;
	return of_error_set(e, OFE_MMFC_OUT_OF_METERS, "no meters yet");
}

int
of_table_mod(struct of_pipe *p, const struct of_who *w, const struct of_table_mod *m, struct of_error *e)
{
	(void)p, (void)w, (void)m, (void)e;
	return 0;
}

int
of_table_set_features(struct of_pipe *p, const struct of_who *w, const struct of_table_features_request *rq,
		      struct of_error *e)
{
	(void)p, (void)w, (void)rq;
	return of_error_set(e, OFE_TFFC_EPERM, "table features stay as they are");
}

bool
of_groups_each(const struct of_pipe *p, uint32_t id, bool (*cb)(void *, const struct of_group_row *,
								const struct of_group_desc *), void *arg)
{
	(void)p, (void)id, (void)cb, (void)arg;
	return false;
}

bool
of_meters_each(const struct of_pipe *p, uint32_t id, bool (*cb)(void *, const struct of_meter_row *,
								const struct of_meter_config *), void *arg)
{
	(void)p, (void)id, (void)cb, (void)arg;
	return false;
}

void
of_group_features(const struct of_pipe *p, struct of_group_features *f)
{
	(void)p;
	memset(f, 0, sizeof *f);
}

void
of_meter_features(const struct of_pipe *p, struct of_meter_features *f)
{
	(void)p;
	memset(f, 0, sizeof *f);
}

void
of_pipe_begin(struct of_pipe *p)
{
	(void)p;
}

void
of_pipe_commit(struct of_pipe *p)
{
	(void)p;
}

void
of_pipe_abort(struct of_pipe *p)
{
	(void)p;
}

void
of_rule_shorten(struct of_pipe *p, uint64_t ref, uint16_t idle, uint16_t hard)
{
	(void)p, (void)ref, (void)idle, (void)hard;
}

void
of_pipe_tick(struct of_pipe *p, uint64_t now_ms)
{
	p->now_ms = now_ms;
}

void
of_pipe_flush(struct of_pipe *p, bool silent)
{
	static const struct omatch any;
	struct of_flow_mod fm = {
		.version = OF13, .command = OFFC_DELETE, .table_id = OFTT_ALL, .out_port = (uint32_t)OFPP_ANY,
		.out_group = OFG_ANY, .match = any,
	};
	struct of_who who = { .version = OF13 };

	(void)silent;
	of_flow_mod(p, &who, &fm, NULL);
}
