/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on the groups and meters of a bridge, in the syntax of ovs-ofctl.  As with rules, a request changes all that it
 * says or nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_rules.h"

enum { PAGE = 500, PAGE_BYTES = 512 << 10 };

/* --- Changes -------------------------------------------------------------------------------------------- */

struct change {
	struct ctl_req *req;
	struct ctl_rules b;
	int command;
	struct of_arena *arena;
};

/* One text of a request: 0, or -1 with one of the two errors set. */
typedef int one_fn(struct change *, const char *text, struct err *, struct of_error *);

static int
one_group(struct change *c, const char *text, struct err *e, struct of_error *oe)
{
	const struct of_who who = { .version = OF15 };
	struct of_group_mod m;

	if (of_parse_group_mod(text, strlen(text), (enum of_group_command)c->command, &c->b.names, c->arena, &m, e))
		return -1;
	return of_group_mod(c->b.pipe, &who, &m, oe);
}

static int
one_meter(struct change *c, const char *text, struct err *e, struct of_error *oe)
{
	const struct of_who who = { .version = OF13 };
	struct of_meter_mod m;

	if (of_parse_meter_mod(text, strlen(text), (enum of_meter_command)c->command, c->arena, &m, e))
		return -1;
	return of_meter_mod(c->b.pipe, &who, &m, oe);
}

static void
refuse_one(struct change *c, const char *key, size_t i, const char *text, const struct err *e, const struct of_error *oe)
{
	char path[40];

	snprintf(path, sizeof path, "%s[%zu]", key, i);
	if (oe->id != OFE_OK)
		ctl_refuse_of(c->req, path, *text ? text : key, oe);
	else
		ctl_refuse(c->req, path, e);
}

/* 'all' is what an absent list stands for. */
static void
change_list(struct ctl_req *r, const char *key, int command, one_fn *one, const char *all)
{
	struct change c = { .req = r, .command = command };
	const char *text = "";
	struct of_error oe = { 0 };
	struct err e = { 0 };
	json_t *result;
	size_t n = 0;
	int rc = 0;

	if (!ctl_need_rules(r, &c.b))
		return;
	c.arena = of_arena_create();
	of_pipe_begin(c.b.pipe);
	if (!ctl_param(r, key)) {
		rc = one(&c, all, &e, &oe);
		n++;
	}
	while (!rc && ctl_param(r, key) && (text = ctl_text(r, key, n))) {
		of_arena_reset(c.arena);
		rc = one(&c, text, &e, &oe);
		n++;
	}
	if (rc)
		of_pipe_abort(c.b.pipe);
	else
		of_pipe_commit(c.b.pipe);
	of_arena_destroy(c.arena);
	if (rc) {
		refuse_one(&c, key, n - 1, text, &e, &oe);
		return;
	}
	result = json_object();
	ctl_set_num(result, key, n);
	ctl_commit_rules(r, result);
}

static void
group_add(struct ctl_req *r)
{
	change_list(r, "groups", OFGC_ADD, one_group, "");
}

static void
group_mod(struct ctl_req *r)
{
	change_list(r, "groups", OFGC_MODIFY, one_group, "");
}

static void
group_del(struct ctl_req *r)
{
	change_list(r, "groups", OFGC_DELETE, one_group, "");
}

static void
meter_add(struct ctl_req *r)
{
	change_list(r, "meters", OFMC_ADD, one_meter, "");
}

static void
meter_mod(struct ctl_req *r)
{
	change_list(r, "meters", OFMC_MODIFY, one_meter, "");
}

static void
meter_del(struct ctl_req *r)
{
	change_list(r, "meters", OFMC_DELETE, one_meter, "meter=all");
}

/* --- Dumps ---------------------------------------------------------------------------------------------- */

struct page {
	struct ctl_req *req;
	struct ctl_rules b;
	bool meters;
	bool named;
	uint32_t id;                    /* OFG_ALL, OFM_ALL: all. */
	uint32_t from;                  /* Only those from here on. */
	uint32_t next;                  /* Where the next page begins; 0: there is none. */
	size_t bytes;
	struct of_text text;
	json_t *rows;
};

static bool
page_is_full(struct page *p, uint32_t id)
{
	if (json_array_size(p->rows) < PAGE && p->bytes < PAGE_BYTES)
		return false;
	p->next = id;
	return true;
}

static void
put_text(struct page *p, json_t *row, const char *key)
{
	p->bytes += p->text.len + 100;
	of_text_chomp(&p->text, '\n');
	ctl_set_str(row, key, of_text_str(&p->text));
	of_text_clear(&p->text);
}

static void
put_counts(json_t *row, const char *key, const struct of_counts *c, uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *one = json_object();

		ctl_set_num(one, "packets", c[i].packets);
		ctl_set_num(one, "bytes", c[i].bytes);
		json_array_append_new(list, one);
	}
	json_object_set_new(row, key, list);
}

static bool
add_group(void *arg, const struct of_group_row *g, const struct of_group_desc *d)
{
	static const char *const types[] = { "all", "select", "indirect", "fast_failover" };
	struct page *p = arg;
	json_t *row;

	if (g->group_id < p->from)
		return true;
	if (page_is_full(p, g->group_id))
		return false;
	row = json_object();
	ctl_set_num(row, "group", g->group_id);
	ctl_set_str(row, "type", d->type < ARRAY_SIZE(types) ? types[d->type] : "other");
	of_print_group(&p->text, d, OF13, p->named ? &p->b.names : NULL);
	put_text(p, row, "text");
	ctl_set_num(row, "packets", g->packets);
	ctl_set_num(row, "bytes", g->bytes);
	ctl_set_num(row, "references", g->ref_count);
	ctl_set_num(row, "duration_ms", (uint64_t)g->duration_s * 1000 + g->duration_ns / 1000000);
	put_counts(row, "buckets", g->buckets, g->n_buckets);
	p->bytes += 40 * (size_t)g->n_buckets;
	json_array_append_new(p->rows, row);
	return true;
}

static bool
add_meter(void *arg, const struct of_meter_row *m, const struct of_meter_config *c)
{
	struct page *p = arg;
	json_t *row;

	if (m->meter_id < p->from)
		return true;
	if (page_is_full(p, m->meter_id))
		return false;
	row = json_object();
	ctl_set_num(row, "meter", m->meter_id);
	of_print_meter(&p->text, c);
	put_text(p, row, "text");
	ctl_set_num(row, "packets", m->packets);
	ctl_set_num(row, "bytes", m->bytes);
	ctl_set_num(row, "references", m->ref_count);
	ctl_set_num(row, "duration_ms", (uint64_t)m->duration_s * 1000 + m->duration_ns / 1000000);
	put_counts(row, "bands", m->bands, m->n_bands);
	json_array_append_new(p->rows, row);
	return true;
}

static void
give_page(struct page *p)
{
	json_t *result = json_object();

	p->rows = json_array();
	if (ctl_is_gone(p->req))
		p->next = 0;
	else if (p->meters)
		of_meters_each(p->b.pipe, p->id, add_meter, p);
	else
		of_groups_each(p->b.pipe, p->id, add_group, p);
	json_object_set_new(result, p->meters ? "meters" : "groups", p->rows);
	json_object_set_new(result, "cursor", p->next ? json_integer(p->next) : json_null());
	ctl_reply(p->req, result);
	of_text_fini(&p->text);
	free(p);
}

/* The bridge may be gone by the time that its counters are up to date. */
static void
on_counted(void *arg)
{
	struct page *p = arg;

	if (ctl_is_gone(p->req) || ctl_need_rules(p->req, &p->b))
		give_page(p);
	else
		free(p);
}

static void
dump(struct ctl_req *r, bool meters)
{
	struct page *p = xcalloc(1, sizeof *p);

	p->req = r;
	p->meters = meters;
	p->named = ctl_bool(r, "names");
	p->id = (uint32_t)ctl_num(r, meters ? "meter" : "group", meters ? OFM_ALL : OFG_ALL);
	p->from = (uint32_t)ctl_num(r, "cursor", 0);
	if (!ctl_need_rules(r, &p->b))
		free(p);
	else if (p->from)
		give_page(p);
	else
		dp_fold(sw_dp(p->b.sw), on_counted, p);
}

static void
group_dump(struct ctl_req *r)
{
	dump(r, false);
}

static void
meter_dump(struct ctl_req *r)
{
	dump(r, true);
}

/* --- Tables --------------------------------------------------------------------------------------------- */

#define LIST(name_, need, text) { .name = name_, .kind = CTL_TEXTS, .required = need, .max = CTL_RULE_MAX, .help = text }
#define CURSOR { .name = "cursor", .kind = CTL_U32, .help = "where the answer before ended" }

static const struct ctl_param group_dump_params[] = {
	CTL_BRIDGE_PARAM, { .name = "group", .kind = CTL_U32, .help = "only this one" }, CTL_NAMES_PARAM, CURSOR, { 0 }
};
static const struct ctl_param group_params[] = {
	CTL_BRIDGE_PARAM, LIST("groups", true, "groups in the syntax of ovs-ofctl add-group"), { 0 }
};
static const struct ctl_param group_del_params[] = {
	CTL_BRIDGE_PARAM, LIST("groups", false, "group_id=N (default: all)"), { 0 }
};
static const struct ctl_param meter_dump_params[] = {
	CTL_BRIDGE_PARAM, { .name = "meter", .kind = CTL_U32, .help = "only this one" }, CURSOR, { 0 }
};
static const struct ctl_param meter_params[] = {
	CTL_BRIDGE_PARAM, LIST("meters", true, "meters in the syntax of ovs-ofctl add-meter"), { 0 }
};
static const struct ctl_param meter_del_params[] = {
	CTL_BRIDGE_PARAM, LIST("meters", false, "meter=N (default: all)"), { 0 }
};

const struct ctl_method ctl_group_methods[] = {
	{ "group.dump", group_dump_params, group_dump, "groups with their counters, in pages", "{\"bridge\": \"br0\"}" },
	{ "group.add", group_params, group_add, "adds groups: all of them, or on a mistake none",
	  "{\"bridge\": \"br0\", \"groups\": [\"group_id=1,type=select,bucket=output:1,bucket=output:2\"]}" },
	{ "group.mod", group_params, group_mod, "changes groups",
	  "{\"bridge\": \"br0\", \"groups\": [\"group_id=1,type=all,bucket=output:1\"]}" },
	{ "group.del", group_del_params, group_del, "removes groups, and the rules that lead to them",
	  "{\"bridge\": \"br0\", \"groups\": [\"group_id=1\"]}" },
	{ "meter.dump", meter_dump_params, meter_dump, "meters with their counters, in pages", "{\"bridge\": \"br0\"}" },
	{ "meter.add", meter_params, meter_add, "adds meters",
	  "{\"bridge\": \"br0\", \"meters\": [\"meter=1,kbps,band=type=drop,rate=1000\"]}" },
	{ "meter.mod", meter_params, meter_mod, "changes meters",
	  "{\"bridge\": \"br0\", \"meters\": [\"meter=1,pktps,band=type=drop,rate=500\"]}" },
	{ "meter.del", meter_del_params, meter_del, "removes meters, and the rules that use them",
	  "{\"bridge\": \"br0\", \"meters\": [\"meter=1\"]}" },
	{ 0 }
};
