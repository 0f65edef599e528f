/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on the flow tables of a bridge, in the syntax of ovs-ofctl: rules as controllers see them.  (What is cached
 * of them is cmd_flow.c's.)
 *
 * A request changes all that it says or nothing.  Clients with more rules than fit a request send them in several, all
 * but the last with "more": then they are kept back, and carried out together with the last. */
#include "ctl/cmd_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE = 1000, PAGE_MAX = 10000,
	PAGE_BYTES = 512 << 10,         /* A page ends early when it has so much. */
	KEEP_BYTES = 256 << 20,         /* Of rules that are kept back. */
};

/* --- A bridge ------------------------------------------------------------------------------------------- */

static const char *
name_of(void *arg, uint32_t port_no)
{
	const struct ctl_rules *b = arg;
	uint16_t id = ofp_port_by_no(sw_ofp(b->sw), b->bridge, port_no);

	return id ? sw_port_name(b->sw, id) : NULL;
}

static bool
number_of(void *arg, const char *name, uint32_t *port_no)
{
	const struct ctl_rules *b = arg;
	uint16_t id = sw_port_id(b->sw, name);

	if (!id || sw_port_bridge(b->sw, id) != b->bridge)
		return false;
	*port_no = ofp_port_no(sw_ofp(b->sw), id);
	return true;
}

bool
ctl_need_rules(struct ctl_req *r, struct ctl_rules *b)
{
	if (!ctl_need_bridge(r, ctl_str(r, "bridge"), &b->bridge))
		return false;
	b->sw = ctl_sw(r);
	b->pipe = ofp_pipe(sw_ofp(b->sw), b->bridge);
	b->names = (struct of_names){ name_of, number_of, b };
	return true;
}

void
ctl_refuse_of(struct ctl_req *r, const char *path, const char *what, const struct of_error *e)
{
	ctl_refuse_fmt(r, path, EINVAL, "%.300s: %s%s%s", what, of_error_name(e->id), *e->why ? ": " : "", e->why);
}

struct commit {
	struct ctl_req *req;
	json_t *result;
};

static void
on_effective(void *arg)
{
	struct commit *c = arg;

	ctl_reply(c->req, c->result);
	free(c);
}

void
ctl_commit_rules(struct ctl_req *r, json_t *result)
{
	struct commit *c = xcalloc(1, sizeof *c);

	*c = (struct commit){ r, result };
	sw_commit(ctl_sw(r), on_effective, c);
}

/* --- flow.table.dump ------------------------------------------------------------------------------------ */

struct page {
	struct ctl_req *req;
	struct ctl_rules b;
	struct of_flow_request ask;
	uint64_t cursor;
	unsigned max;
	bool lines;                     /* Text as ovs-ofctl prints it, instead of objects. */
	bool named;
	size_t bytes;
	struct of_text text;
	json_t *rows;
};

static void
put_text(json_t *row, const char *key, struct of_text *t)
{
	ctl_set_str(row, key, of_text_str(t));
	of_text_clear(t);
}

static json_t *
row_object(struct page *p, const struct of_flow_row *f)
{
	const struct of_names *names = p->named ? &p->b.names : NULL;
	json_t *row = json_object();

	ctl_set_num(row, "table", f->table_id);
	ctl_set_num(row, "priority", f->priority);
	of_print_match(&p->text, f->match, names);
	put_text(row, "match", &p->text);
	of_print_acts(&p->text, f->acts, names);
	put_text(row, "actions", &p->text);
	of_text_printf(&p->text, "0x%" PRIx64, f->cookie);
	put_text(row, "cookie", &p->text);
	ctl_set_num(row, "packets", f->packets);
	ctl_set_num(row, "bytes", f->bytes);
	ctl_set_num(row, "duration_ms", (uint64_t)f->duration_s * 1000 + f->duration_ns / 1000000);
	ctl_set_num(row, "idle_timeout", f->idle_timeout);
	ctl_set_num(row, "hard_timeout", f->hard_timeout);
	ctl_set_num(row, "importance", f->importance);
	return row;
}

static bool
add_rule(void *arg, const struct of_flow_row *f)
{
	struct page *p = arg;
	json_t *row;

	of_text_clear(&p->text);
	if (p->lines) {
		of_print_flow_row(&p->text, f, OF_ROW_STATS, p->named ? &p->b.names : NULL);
		p->bytes += p->text.len;
		row = json_string(of_text_str(&p->text));
	} else {
		row = row_object(p, f);
		p->bytes += 300;
	}
	json_array_append_new(p->rows, row);
	return p->bytes < PAGE_BYTES;
}

static void
give_page(void *arg)
{
	struct page *p = arg;
	json_t *result = json_object();
	char cursor[24];

	p->rows = json_array();
	if (!ctl_is_gone(p->req))
		p->cursor = of_flows_each(p->b.pipe, &p->ask, p->cursor, p->max, add_rule, p);
	json_object_set_new(result, "flows", p->rows);
	snprintf(cursor, sizeof cursor, "%" PRIu64, p->cursor);
	json_object_set_new(result, "cursor", p->cursor ? json_string(cursor) : json_null());
	ctl_reply(p->req, result);
	of_text_fini(&p->text);
	free(p);
}

/* The bridge may be gone by the time that its counters are up to date. */
static void
on_counted(void *arg)
{
	struct page *p = arg;
	struct ctl_req *r = p->req;

	if (ctl_is_gone(r) || ctl_need_rules(r, &p->b)) {
		give_page(p);
		return;
	}
	free(p);
}

static bool
read_request(struct ctl_req *r, struct page *p)
{
	const char *match = ctl_str(r, "match"), *cursor = ctl_str(r, "cursor");
	struct err e = { 0 };

	match = match ? match : "";
	if (of_parse_flow_request(match, strlen(match), &p->b.names, &p->ask, &e)) {
		ctl_refuse(r, "params.match", &e);
		return false;
	}
	if (ctl_param(r, "table"))
		p->ask.table_id = (uint8_t)ctl_num(r, "table", OFTT_ALL);
	if (!cursor)
		return true;
	p->cursor = strtoull(cursor, NULL, 10);
	if (strspn(cursor, "0123456789") == strlen(cursor) && p->cursor)
		return true;
	ctl_refuse_fmt(r, "params.cursor", EINVAL, "cursor: not one that an answer gave");
	return false;
}

static void
flow_table_dump(struct ctl_req *r)
{
	struct page *p = xcalloc(1, sizeof *p);

	p->req = r;
	p->max = (unsigned)ctl_num(r, "limit", PAGE);
	p->max = p->max ? p->max : PAGE;
	p->lines = ctl_bool(r, "lines");
	p->named = ctl_bool(r, "names");
	if (!ctl_need_rules(r, &p->b) || !read_request(r, p)) {
		free(p);
		return;
	}
	/* Counters of cached flows are added to their rules once, for the first page. */
	if (p->cursor)
		give_page(p);
	else
		dp_fold(sw_dp(p->b.sw), on_counted, p);
}

/* --- Changes -------------------------------------------------------------------------------------------- */

/* Rules of one client that wait for the rest. */
struct kept {
	json_t *flows;
	enum of_flow_mod_command command;
	uint16_t bridge;
	size_t bytes;
};

static void
kept_free(void *arg)
{
	struct kept *k = arg;

	json_decref(k->flows);
	free(k);
}

struct change {
	struct ctl_req *req;
	struct ctl_rules b;
	enum of_flow_mod_command command;
	struct of_act_buf acts;
	size_t n;                       /* Carried out so far. */
};

/* "flows[3]": for programs; people read the rule itself. */
static void
refuse_flow(struct change *c, const char *text, const struct err *e, const struct of_error *oe)
{
	char path[40];

	snprintf(path, sizeof path, "flows[%zu]", c->n);
	if (oe)
		ctl_refuse_of(c->req, path, text, oe);
	else
		ctl_refuse(c->req, path, e);
}

/* False after a refusal. */
static bool
one_flow(struct change *c, const char *text)
{
	const struct of_who who = { .version = OF13 };
	struct of_flow_mod fm;
	struct of_error oe = { 0 };
	struct err e = { 0 };

	if (of_parse_flow_mod(text, strlen(text), c->command, &c->b.names, &c->acts, &fm, &e)) {
		refuse_flow(c, text, &e, NULL);
		return false;
	}
	if (of_flow_mod(c->b.pipe, &who, &fm, &oe)) {
		refuse_flow(c, text, NULL, &oe);
		return false;
	}
	c->n++;
	return true;
}

static bool
all_flows(struct change *c, const struct kept *k)
{
	const json_t *v;
	const char *text;
	size_t i;

	if (k)
		json_array_foreach(k->flows, i, v)
			if (!one_flow(c, json_string_value(v)))
				return false;
	if (!ctl_param(c->req, "flows"))
		return k || one_flow(c, "");
	for (i = 0; (text = ctl_text(c->req, "flows", i)); i++)
		if (!one_flow(c, text))
			return false;
	return true;
}

static void
keep_back(struct change *c, struct kept *k)
{
	json_t *result;
	const char *text;

	if (!k) {
		k = xcalloc(1, sizeof *k);
		*k = (struct kept){ .flows = json_array(), .command = c->command, .bridge = c->b.bridge };
		ctl_set_keep(c->req, k, kept_free);
	}
	for (size_t i = 0; (text = ctl_text(c->req, "flows", i)); i++) {
		json_array_append_new(k->flows, json_string(text));
		k->bytes += strlen(text) + 64;
	}
	if (k->bytes > KEEP_BYTES) {
		ctl_set_keep(c->req, NULL, NULL);
		ctl_refuse_fmt(c->req, "flows", E2BIG, "more than %d MiB of flows to be changed all at once; none were",
			       KEEP_BYTES >> 20);
		return;
	}
	result = json_object();
	ctl_set_num(result, "kept", json_array_size(k->flows));
	ctl_reply(c->req, result);
}

static void
change_flows(struct ctl_req *r, enum of_flow_mod_command command)
{
	struct change c = { .req = r, .command = command };
	struct kept *k = ctl_keep(r);
	json_t *result;
	bool ok;

	if (!ctl_need_rules(r, &c.b))
		return;
	if (k && (k->command != command || k->bridge != c.b.bridge)) {
		ctl_refuse_fmt(r, NULL, EBUSY, "flows of another request wait for their rest: finish that first");
		return;
	}
	if (ctl_bool(r, "more")) {
		keep_back(&c, k);
		return;
	}
	/* Whatever comes of it, nothing stays kept; and after a refusal there is no request to take it from. */
	ctl_take_keep(r);
	of_pipe_begin(c.b.pipe);
	ok = all_flows(&c, k);
	if (ok)
		of_pipe_commit(c.b.pipe);
	else
		of_pipe_abort(c.b.pipe);
	of_act_buf_fini(&c.acts);
	if (k)
		kept_free(k);
	if (!ok)
		return;
	result = json_object();
	ctl_set_num(result, "flows", c.n);
	ctl_commit_rules(r, result);
}

static void
flow_add(struct ctl_req *r)
{
	change_flows(r, OFFC_ADD);
}

static void
flow_mod(struct ctl_req *r)
{
	change_flows(r, ctl_bool(r, "strict") ? OFFC_MODIFY_STRICT : OFFC_MODIFY);
}

static void
flow_del(struct ctl_req *r)
{
	change_flows(r, ctl_bool(r, "strict") ? OFFC_DELETE_STRICT : OFFC_DELETE);
}

/* --- Tables --------------------------------------------------------------------------------------------- */

#define FLOWS(need, text) { .name = "flows", .kind = CTL_TEXTS, .required = need, .max = CTL_RULE_MAX, .help = text }
#define MORE { .name = "more", .kind = CTL_BOOL, .help = "keep these back until a request of this client without it" }
#define STRICT { .name = "strict", .kind = CTL_BOOL, .help = "only rules with exactly this match and priority" }

static const struct ctl_param dump_params[] = {
	CTL_BRIDGE_PARAM,
	{ .name = "table", .kind = CTL_U32, .max = 253, .help = "only this table" },
	{ .name = "match", .kind = CTL_STR, .max = CTL_RULE_MAX,
	  .help = "only rules that this match covers, in the syntax of ovs-ofctl; out_port=, cookie=V/M too" },
	{ .name = "lines", .kind = CTL_BOOL, .help = "texts as ovs-ofctl dump-flows prints them instead of objects" },
	CTL_NAMES_PARAM,
	{ .name = "limit", .kind = CTL_U32, .max = PAGE_MAX, .help = "rules in one answer, at most" },
	{ .name = "cursor", .kind = CTL_STR, .help = "where the answer before ended" },
	{ 0 }
};
static const struct ctl_param add_params[] = {
	CTL_BRIDGE_PARAM, FLOWS(true, "rules in the syntax of ovs-ofctl add-flow"), MORE, { 0 }
};
static const struct ctl_param mod_params[] = {
	CTL_BRIDGE_PARAM, FLOWS(true, "matches with new actions, in the syntax of ovs-ofctl mod-flows"), STRICT, MORE, { 0 }
};
static const struct ctl_param del_params[] = {
	CTL_BRIDGE_PARAM, FLOWS(false, "matches in the syntax of ovs-ofctl del-flows (default: everything)"), STRICT, MORE,
	{ 0 }
};

const struct ctl_method ctl_rule_methods[] = {
	{ "flow.table.dump", dump_params, flow_table_dump, "rules of flow tables, in pages; a cursor in the answer leads to "
	  "the next", "{\"bridge\": \"br0\", \"table\": 0, \"match\": \"ip,nw_dst=10.0.0.0/8\"}" },
	{ "flow.add", add_params, flow_add, "adds rules: all of them, or on a mistake none",
	  "{\"bridge\": \"br0\", \"flows\": [\"priority=10,in_port=1,actions=output:2\"]}" },
	{ "flow.mod", mod_params, flow_mod, "changes the actions of rules",
	  "{\"bridge\": \"br0\", \"flows\": [\"in_port=1,actions=drop\"]}" },
	{ "flow.del", del_params, flow_del, "removes rules", "{\"bridge\": \"br0\", \"flows\": [\"table=1,ip\"]}" },
	{ 0 }
};
