/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on flow tables: dumps that come in pages, and changes that may come from a file with a million lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli.h"

enum {
	CHUNK_FLOWS = 2000,             /* Of one request, at most, */
	CHUNK_BYTES = 400 << 10,        /* and bytes. */
};

/* --- Dumps ------------------------------------------------------------------------------------------------- */

/* A row is one line as ovs-ofctl prints it: rules are told apart by eye more easily than by a table. */
static void
print_rule(struct out *o, const char *line)
{
	const char *bold = strstr(line, "priority="), *acts = strstr(line, "actions=");

	if (!bold || !acts || bold > acts)
		bold = acts;
	if (!acts || !o->color) {
		fprintf(o->f, " %s\n", line);
		return;
	}
	out_text(o, ST_DIM, " %.*s", (int)(bold - line), line);
	out_text(o, ST_BOLD, "%.*s", (int)(acts - bold), bold);
	fprintf(o->f, "%s\n", acts);
}

static void
json_row(struct out *o, const json_t *row, bool first)
{
	fputs(first ? "\n    " : ",\n    ", o->f);
	json_dumpf(row, o->f, JSON_COMPACT);
}

/* "flow table dump BRIDGE tcp" means a match, not a table. */
static bool
sort_words(const struct cli_cmd *cmd, json_t *params)
{
	const char *table = cli_str(params, "table");

	if (!*table || !table[strspn(table, "0123456789")])
		return true;
	if (json_object_get(params, "match")) {
		fprintf(stderr, "weftctl %s: '%s' is no number of a table; for example: %s\n", cmd->name, table, cmd->example);
		return false;
	}
	json_object_set(params, "match", json_object_get(params, "table"));
	json_object_del(params, "table");
	return true;
}

int
cli_run_flow_table_dump(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	json_t *args, *page, *f;
	bool opened = false;
	size_t i, n = 0;

	if (!sort_words(cmd, params))
		return CLI_USAGE;
	args = json_copy(params);
	if (!c->json)
		json_object_set_new(args, "lines", json_true());
	if (!c->json && isatty(fileno(c->out.f)))
		json_object_set_new(args, "names", json_true());
	do {
		page = cli_call(c, cmd->method, json_copy(args));
		if (page && c->json && !opened)
			opened = fputs("{\n  \"flows\": [", c->out.f) >= 0;
		json_array_foreach(json_object_get(page, "flows"), i, f) {
			if (c->json)
				json_row(&c->out, f, !n);
			else if (json_is_string(f))
				print_rule(&c->out, json_string_value(f));
			n++;
		}
		json_object_set(args, "cursor", json_object_get(page, "cursor"));
		json_decref(page);
	} while (page && json_is_string(json_object_get(args, "cursor")));
	if (page && c->json)
		fputs("\n  ]\n}\n", c->out.f);
	else if (page && !n && isatty(fileno(c->out.f)))
		out_text(&c->out, ST_PLAIN, "no rules\n");
	json_decref(args);
	return page ? CLI_OK : CLI_REFUSED;
}

/* --- Changes ----------------------------------------------------------------------------------------------- */

/* A file that is being read. */
struct source {
	const char *name;
	FILE *f;
	off_t size;                     /* 0: not known. */
	unsigned long line;
	char *text;                     /* Of the present line. */
	size_t text_max;
};

/* The requests that it becomes. */
struct changes {
	struct cli *c;
	const struct cli_cmd *cmd;
	const char *key;                /* "flows", "groups" or "meters". */
	json_t *args;
	json_t *flows;
	size_t bytes;
	unsigned long *lines;           /* Of each flow, since the last commit. */
	size_t n_lines, max_lines;
	bool bundle;
	unsigned long long done;
	time_t shown;
};

/* The next line that says something, without blanks around it; NULL: no more. */
static char *
next_flow(struct source *s)
{
	ssize_t len;

	while ((len = getline(&s->text, &s->text_max, s->f)) >= 0) {
		char *from = s->text, *hash = strchr(s->text, '#');

		s->line++;
		if (hash)
			*hash = '\0';
		for (len = (ssize_t)strlen(from); len && strchr(" \t\r\n", from[len - 1]);)
			from[--len] = '\0';
		from += strspn(from, " \t");
		if (*from)
			return from;
	}
	return NULL;
}

/* Which line an error is about: "flows[17]". */
static unsigned long
line_of(const struct changes *ch, const json_t *error)
{
	const char *path = strchr(cli_str(json_object_get(error, "data"), "path"), '[');
	unsigned long i;

	if (!path || sscanf(path, "[%lu]", &i) != 1 || i >= ch->n_lines)
		return 0;
	return ch->lines[i];
}

static void
complain(const struct changes *ch, const struct source *s, const json_t *error)
{
	unsigned long line = s ? line_of(ch, error) : 0;

	if (line)
		fprintf(stderr, "weftctl: %s:%lu: ", s->name, line);
	else
		fprintf(stderr, "weftctl: ");
	for (const char *t = cli_str(error, "message"); *t; t++)
		fputc((unsigned char)*t < 0x20 || *t == 0x7f ? '?' : *t, stderr);
	fputc('\n', stderr);
	if (ch->done && !ch->bundle)
		fprintf(stderr, "weftctl: %llu %s before that were done\n", ch->done, ch->key);
}

static void
show_progress(struct changes *ch, const struct source *s)
{
	off_t at = ftello(s->f);
	time_t now = time(NULL);

	if (!isatty(STDERR_FILENO) || ch->c->json || now == ch->shown)
		return;
	if (ch->shown && s->size && at >= 0)
		fprintf(stderr, "\r%3d %%  %lu lines ", (int)(100 * (double)at / (double)s->size), s->line);
	else if (ch->shown)
		fprintf(stderr, "\r%lu lines ", s->line);
	ch->shown = now;
}

/* Sends what has gathered; 'more' of the same bundle follows. */
static bool
flush_flows(struct changes *ch, const struct source *s, bool more)
{
	json_t *args = json_copy(ch->args), *error = NULL, *result;

	if (json_array_size(ch->flows))
		json_object_set(args, ch->key, ch->flows);
	if (more)
		json_object_set_new(args, "more", json_true());
	result = cli_try(ch->c, ch->cmd->method, args, &error);
	json_array_clear(ch->flows);
	ch->bytes = 0;
	if (error)
		complain(ch, s, error);
	json_decref(error);
	if (!result)
		return false;
	ch->done += cli_num(result, ch->key);
	if (!more)
		ch->n_lines = 0;
	json_decref(result);
	return true;
}

static bool
add_flow(struct changes *ch, const struct source *s, const char *text)
{
	json_t *v = json_string(text);

	if (!v) {
		fprintf(stderr, "weftctl: %s:%lu: is not UTF-8 text\n", s->name, s->line);
		return false;
	}
	if (ch->n_lines == ch->max_lines) {
		ch->max_lines = 2 * ch->max_lines + CHUNK_FLOWS;
		ch->lines = xrealloc(ch->lines, ch->max_lines * sizeof *ch->lines);
	}
	ch->lines[ch->n_lines++] = s->line;
	json_array_append_new(ch->flows, v);
	ch->bytes += strlen(text);
	return true;
}

static bool
all_lines(struct changes *ch, struct source *s)
{
	bool any = false;
	char *text;

	while ((text = next_flow(s))) {
		bool full = json_array_size(ch->flows) == CHUNK_FLOWS || ch->bytes + strlen(text) > CHUNK_BYTES;

		if (full && json_array_size(ch->flows)) {
			show_progress(ch, s);
			if (!flush_flows(ch, s, ch->bundle))
				return false;
		}
		any = true;
		if (!add_flow(ch, s, text))
			return false;
	}
	if (ferror(s->f)) {
		fprintf(stderr, "weftctl: %s: %s\n", s->name, strerror(errno));
		return false;
	}
	/* An empty file is no match of everything. */
	return !any || flush_flows(ch, s, false);
}

static int
from_file(struct changes *ch, const char *path)
{
	bool in = !strcmp(path, "-"), ok;
	struct source s = { .name = in ? "standard input" : path, .f = in ? stdin : fopen(path, "re") };
	struct stat st;

	if (!s.f) {
		fprintf(stderr, "weftctl: %s: %s\n", s.name, strerror(errno));
		return CLI_REFUSED;
	}
	if (!fstat(fileno(s.f), &st) && S_ISREG(st.st_mode))
		s.size = st.st_size;
	ok = all_lines(ch, &s);
	if (ch->shown && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%30s\r", "");
	if (!in)
		fclose(s.f);
	free(s.text);
	return ok ? CLI_OK : CLI_REFUSED;
}

/* The last argument of the command names what is changed. */
int
cli_run_rules_change(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	const struct cli_arg *what = &cmd->args[1];
	struct changes ch = { .c = c, .cmd = cmd, .key = what->param, .args = json_copy(params), .flows = json_array() };
	const char *file = cli_str(params, "file"), *verb = strchr(cmd->name, ' ') + 1;
	json_t *given = json_object_get(params, ch.key);
	int rc = CLI_USAGE;

	ch.bundle = json_is_true(json_object_get(params, "bundle"));
	json_object_del(ch.args, "file");
	json_object_del(ch.args, "bundle");
	json_object_del(ch.args, ch.key);
	json_array_extend(ch.flows, given);
	if (*file && given)
		fprintf(stderr, "weftctl %s: either %s on the line or --file, not both\n", cmd->name, ch.key);
	else if (!*file && !given && strcmp(verb, "del"))
		fprintf(stderr, "weftctl %s: %s is missing; for example: %s\n", cmd->name, what->name, cmd->example);
	else if (*file)
		rc = from_file(&ch, file);
	else
		rc = flush_flows(&ch, NULL, false) ? CLI_OK : CLI_REFUSED;
	if (rc == CLI_OK && c->json)
		fprintf(c->out.f, "{\n  \"%s\": %llu\n}\n", ch.key, ch.done);
	free(ch.lines);
	json_decref(ch.flows);
	json_decref(ch.args);
	return rc;
}

/* --- Groups and meters ------------------------------------------------------------------------------------- */

static void
counts_text(const json_t *list, const char *what, char *buf, size_t len)
{
	int n = snprintf(buf, len, "%s", what);
	const json_t *c;
	size_t i;

	json_array_foreach(list, i, c) {
		if (n < 0 || (size_t)n + 40 > len)
			return;
		n += snprintf(buf + n, len - (size_t)n, "%s %s", i ? "," : "", num_count(cli_num(c, "packets")).s);
	}
}

static void
print_group(struct out *o, const json_t *g)
{
	const json_t *buckets = json_object_get(g, "buckets"), *bands = json_object_get(g, "bands");
	const char *dot = out_dot(o);
	uint64_t refs = cli_num(g, "references");
	char parts[2000] = "", text[2400], *what = xstrdup(cli_str(g, "text"));

	/* Bands come on lines of their own. */
	for (char *s = what; *s; s++)
		if (*s == '\n')
			*s = ' ';
	out_wrap(o, ST_BOLD, 0, 2, what);
	free(what);
	if (json_array_size(buckets))
		counts_text(buckets, "packets of each bucket", parts, sizeof parts);
	else if (json_array_size(bands))
		counts_text(bands, "packets of each band", parts, sizeof parts);
	snprintf(text, sizeof text, "    %s packets, %s %s %s rule%s %s %s%s%s%s%s", num_count(cli_num(g, "packets")).s,
		 num_bytes(cli_num(g, "bytes")).s, dot, num_count(refs).s, refs == 1 ? "" : "s", dot,
		 num_seconds(cli_num(g, "duration_ms") / 1000).s, *parts ? " " : "", *parts ? dot : "", *parts ? " " : "",
		 parts);
	out_wrap(o, ST_PLAIN, 0, 4, text);
}

void
cli_print_groups(struct out *o, const json_t *result)
{
	const json_t *groups = json_object_get(result, "groups"), *meters = json_object_get(result, "meters"), *g;
	size_t i;

	json_array_foreach(groups, i, g)
		print_group(o, g);
	json_array_foreach(meters, i, g)
		print_group(o, g);
}

int
cli_run_group_dump(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	const char *key = strncmp(cmd->name, "meter", 5) ? "groups" : "meters";
	json_t *args = json_copy(params), *page, *g;
	bool opened = false, more;
	size_t i, n = 0;

	if (!c->json && isatty(fileno(c->out.f)) && !strcmp(key, "groups"))
		json_object_set_new(args, "names", json_true());
	do {
		page = cli_call(c, cmd->method, json_copy(args));
		if (page && c->json && !opened)
			opened = fprintf(c->out.f, "{\n  \"%s\": [", key) >= 0;
		json_array_foreach(json_object_get(page, key), i, g) {
			if (c->json)
				json_row(&c->out, g, !n);
			n++;
		}
		if (page && !c->json)
			cli_print_groups(&c->out, page);
		json_object_set(args, "cursor", json_object_get(page, "cursor"));
		more = json_is_integer(json_object_get(page, "cursor"));
		json_decref(page);
	} while (page && more);
	if (page && c->json)
		fputs("\n  ]\n}\n", c->out.f);
	else if (page && !n)
		out_text(&c->out, ST_PLAIN, "no %s\n", key);
	json_decref(args);
	return page ? CLI_OK : CLI_REFUSED;
}
