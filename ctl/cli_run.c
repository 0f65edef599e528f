/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that take more than one call, or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli.h"

enum { FILE_MAX = 1 << 20 };

/* --- Configuration files ------------------------------------------------------------------------------------ */

/* The document of a file, NULL after saying what is wrong with it. */
static json_t *
read_document(const char *path)
{
	bool in = !strcmp(path, "-");
	const char *name = in ? "standard input" : path;
	FILE *f = in ? stdin : fopen(path, "re");
	char *text;
	json_error_t e;
	json_t *doc = NULL;
	size_t len;

	if (!f) {
		fprintf(stderr, "weftctl: %s: %s\n", name, strerror(errno));
		return NULL;
	}
	text = xcalloc(1, FILE_MAX);
	len = fread(text, 1, FILE_MAX, f);
	if (ferror(f))
		fprintf(stderr, "weftctl: %s: %s\n", name, strerror(errno));
	else if (len == FILE_MAX)
		fprintf(stderr, "weftctl: %s: longer than 1 MiB\n", name);
	else {
		doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
		if (!doc)
			fprintf(stderr, "weftctl: %s: line %d, column %d: %s\n", name, e.line, e.column, e.text);
	}
	if (f != stdin)
		fclose(f);
	free(text);
	return doc;
}

static json_t *
with(const char *key, json_t *value)
{
	json_t *obj = json_object();

	json_object_set_new(obj, key, value);
	return obj;
}

/* The answer of config.diff for a file; '*doc' is the document then. */
static json_t *
diff_of(struct cli *c, json_t *params, json_t **doc)
{
	*doc = read_document(cli_str(params, "file"));
	return *doc ? cli_call(c, "config.diff", with("document", json_incref(*doc))) : NULL;
}

static char *
value_text(const json_t *v)
{
	return v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : xstrdup("default");
}

void
cli_print_changes(struct out *o, const json_t *result)
{
	static const struct col cols[] = { { .header = NULL }, { .header = NULL } };
	const json_t *list = json_object_get(result, "changes");
	struct table *t;
	size_t i;
	json_t *row;

	if (!json_array_size(list)) {
		out_text(o, ST_PLAIN, "no difference\n");
		return;
	}
	t = table_create(cols, ARRAY_SIZE(cols));
	json_array_foreach(list, i, row) {
		const char *op = cli_str(row, "op"), *note = cli_str(row, "note");
		char *old = value_text(json_object_get(row, "old")), *new = value_text(json_object_get(row, "new"));
		bool add = !strcmp(op, "add"), del = !strcmp(op, "del");

		table_row(t, add ? "+ " : del ? "- " : "~ ", "  ");
		table_cell(t, add ? ST_GOOD : del ? ST_BAD : ST_WARN, "%s", cli_str(row, "path"));
		table_cell(t, ST_PLAIN, "%s%s%s%s%s%s", add ? "" : old, add || del ? "" : " -> ", del ? "" : new,
			   *note ? " (" : "", note, *note ? ")" : "");
		free(old);
		free(new);
	}
	table_print(t, o);
}

int
cli_run_diff(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params)
{
	json_t *doc, *diff = diff_of(c, params, &doc);

	if (diff && c->json)
		cli_print_json(&c->out, diff);
	else if (diff)
		cli_print_changes(&c->out, diff);
	json_decref(doc);
	json_decref(diff);
	return diff ? CLI_OK : CLI_REFUSED;
}

int
cli_run_apply(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	json_t *doc, *diff, *args, *result = NULL;
	bool dry = json_object_get(params, "dry-run");

	if (dry)
		return cli_run_diff(c, cmd, params);
	diff = diff_of(c, params, &doc);
	if (diff) {
		if (!c->json) {
			cli_print_changes(&c->out, diff);
			fflush(c->out.f);
		}
		/* What was shown is what happens, or nothing does. */
		args = with("document", json_incref(doc));
		json_object_set(args, "generation", json_object_get(diff, "generation"));
		result = cli_call(c, "config.apply", args);
		json_object_update_missing(result, diff);
	}
	if (result && c->json)
		cli_print_json(&c->out, result);
	json_decref(doc);
	json_decref(diff);
	json_decref(result);
	return result ? CLI_OK : CLI_REFUSED;
}

int
cli_run_export(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params UNUSED)
{
	json_t *result = cli_call(c, "config.export", NULL);

	if (!result)
		return CLI_REFUSED;
	/* Without the frame, the answer is what apply takes. */
	cli_print_json(&c->out, c->json ? result : json_object_get(result, "document"));
	json_decref(result);
	return CLI_OK;
}

/* --- Pages -------------------------------------------------------------------------------------------------- */

/* Prints one row of a JSON list that is written as it comes. */
static void
json_row(struct out *o, const json_t *row, bool first)
{
	fputs(first ? "\n    " : ",\n    ", o->f);
	json_dumpf(row, o->f, JSON_COMPACT);
}

/* The frame of the JSON list opens with the first page and closes after the last: a dump that was cut short is no
 * whole document, and none at all when there was no answer. */
int
cli_run_flow_dump(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params)
{
	json_t *args = json_copy(params), *page, *f;
	bool opened = false;
	size_t i, n = 0;

	json_object_set_new(args, "limit", json_integer(512));
	do {
		page = cli_call(c, "flow.dump", json_copy(args));
		if (page && c->json && !opened)
			opened = fputs("{\n  \"flows\": [", c->out.f) >= 0;
		json_array_foreach(json_object_get(page, "flows"), i, f) {
			if (c->json)
				json_row(&c->out, f, !n);
			else
				cli_print_flow(&c->out, f);
			n++;
		}
		json_object_set(args, "cursor", json_object_get(page, "cursor"));
		json_decref(page);
	} while (page && json_is_string(json_object_get(args, "cursor")));
	if (page && c->json)
		fputs("\n  ]\n}\n", c->out.f);
	else if (page && !n)
		out_text(&c->out, ST_PLAIN, "no flows\n");
	json_decref(args);
	return page ? CLI_OK : CLI_REFUSED;
}

/* All pages of one bridge's table, joined; NULL after saying why. */
static json_t *
whole_table(struct cli *c, json_t *params)
{
	json_t *args = json_copy(params), *all = NULL, *page;

	do {
		page = cli_call(c, "mac.show", json_copy(args));
		if (!page)
			break;
		json_object_set(args, "cursor", json_object_get(page, "cursor"));
		if (all) {
			json_array_extend(json_object_get(all, "macs"), json_object_get(page, "macs"));
			json_decref(page);
		} else {
			all = page;
		}
	} while (json_is_integer(json_object_get(args, "cursor")));
	json_decref(args);
	if (page)
		return all;
	json_decref(all);
	return NULL;
}

/* One bridge's tables after the other; the answers in an array. */
static json_t *
tables_of(struct cli *c, json_t *params)
{
	json_t *list = json_array(), *bridges = NULL, *b, *table;
	size_t i;

	if (json_object_get(params, "bridge")) {
		table = whole_table(c, params);
		if (table) {
			json_array_append_new(list, table);
			return list;
		}
		json_decref(list);
		return NULL;
	}
	bridges = cli_call(c, "bridge.list", NULL);
	json_array_foreach(json_object_get(bridges, "bridges"), i, b) {
		json_object_set(params, "bridge", json_object_get(b, "name"));
		table = whole_table(c, params);
		if (!table)
			break;
		json_array_append_new(list, table);
	}
	if (bridges && i == json_array_size(json_object_get(bridges, "bridges"))) {
		json_decref(bridges);
		return list;
	}
	json_decref(bridges);
	json_decref(list);
	return NULL;
}

int
cli_run_mac_show(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params)
{
	json_t *list = tables_of(c, params), *table;
	size_t i;

	if (!list)
		return CLI_REFUSED;
	json_array_foreach(list, i, table) {
		json_object_del(table, "cursor");
		if (c->json)
			continue;
		if (i)
			fputc('\n', c->out.f);
		cli_print_macs(&c->out, table);
	}
	if (c->json) {
		json_t *result = with("tables", json_incref(list));

		cli_print_json(&c->out, result);
		json_decref(result);
	} else if (!i) {
		out_text(&c->out, ST_PLAIN, "no bridges\n");
	}
	json_decref(list);
	return CLI_OK;
}

/* --- Counters ----------------------------------------------------------------------------------------------- */

static void
print_watched(struct cli *c, const json_t *now, const json_t *before)
{
	if (c->json) {
		json_dumpf(now, c->out.f, JSON_COMPACT);
		fputc('\n', c->out.f);
	} else {
		if (isatty(fileno(c->out.f)))
			fputs("\033[H\033[2J", c->out.f);
		else if (before)
			fputc('\n', c->out.f);
		cli_print_stats(&c->out, now, before);
	}
	fflush(c->out.f);
}

int
cli_run_stats(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params)
{
	const char *watch = json_string_value(json_object_get(params, "watch"));
	long long every = watch ? MIN_OF(MAX_OF(atoll(watch), 1ll), 86400ll) : 0;
	unsigned long long count = strtoull(cli_str(params, "count"), NULL, 10);
	json_t *before = NULL, *now = NULL;

	json_object_del(params, "watch");
	json_object_del(params, "count");
	for (unsigned long long i = 1;; i++) {
		now = cli_call(c, "stats", json_copy(params));
		if (!now)
			break;
		if (watch) {
			print_watched(c, now, before);
		} else if (c->json) {
			cli_print_json(&c->out, now);
		} else {
			cli_print_stats(&c->out, now, NULL);
		}
		json_decref(before);
		before = now;
		if (!watch || (count && i >= count))
			break;
		sleep((unsigned)every);
	}
	json_decref(before);
	return now ? CLI_OK : CLI_REFUSED;
}

/* --- The rest ----------------------------------------------------------------------------------------------- */

/* "trunk 10,20": there the second word says what passes. */
int
cli_run_vlan_set(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	const char *mode = cli_str(params, "mode");
	json_t *tag = json_object_get(params, "tag"), *result;
	bool trunk = !strcmp(mode, "trunk"), none = !strcmp(mode, "none");

	if ((none && tag) || ((trunk || !strcmp(mode, "access")) && json_object_get(params, "trunks"))) {
		fprintf(stderr, "weftctl %s: too many words for %s; for example: %s\n", cmd->name, mode, cmd->example);
		return CLI_USAGE;
	}
	if (!trunk && !none && !tag) {
		fprintf(stderr, "weftctl %s: %s needs a VLAN; for example: weftctl vlan set %s %s 10\n", cmd->name, mode,
			cli_str(params, "port"), mode);
		return CLI_USAGE;
	}
	if (trunk && tag) {
		json_object_set(params, "trunks", tag);
		json_object_del(params, "tag");
	}
	result = cli_call(c, cmd->method, json_incref(params));
	if (result && c->json)
		cli_print_json(&c->out, result);
	json_decref(result);
	return result ? CLI_OK : CLI_REFUSED;
}

int
cli_run_version(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params UNUSED)
{
	json_t *result = cli_call(c, "version", NULL);

	/* Its own version is known without a daemon. */
	if (c->json && result)
		cli_print_json(&c->out, result);
	else
		cli_print_version(&c->out, result);
	json_decref(result);
	return result ? CLI_OK : CLI_REFUSED;
}

int
cli_run_completion(struct cli *c, const struct cli_cmd *cmd UNUSED, json_t *params UNUSED)
{
	cli_completion_script(&c->out);
	return CLI_OK;
}
