/* SPDX-License-Identifier: Apache-2.0 */
/* --help and the reference, made of the tables of commands and options. */
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

static const char *const opts_words[] = {
	[CLI_OPTS_NONE] = "",
	[CLI_OPTS_BRIDGE] = " [OPTION=VALUE]...",
	[CLI_OPTS_PORT] = " type=TYPE [OPTION=VALUE]...",
	[CLI_OPTS_TUNNEL] = " type=TYPE [OPTION=VALUE]...",
};

static const char *
opts_word(const struct cli_cmd *c)
{
	return c->opts && c->opts_may_be_empty ? " OPTION=VALUE..." : opts_words[c->opts];
}

char *
cli_synopsis(const struct cli_cmd *c)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "weftctl %s", c->name);
	for (const struct cli_arg *a = c->args; a->name; a++)
		fprintf(f, a->optional ? " [%s%s]" : " %s%s", a->name, a->many ? "..." : "");
	fputs(opts_word(c), f);
	for (const struct cli_flag *g = c->flags; g && g->name; g++) {
		/* For scripts; the list below has it. */
		if (!strcmp(g->name, "--generation"))
			continue;
		fprintf(f, g->value ? " [%s %s]" : " [%s]", g->name, g->value);
	}
	fclose(f);
	return text;
}

static void
print_synopsis(struct out *o, const struct cli_cmd *c)
{
	char *text = cli_synopsis(c);

	out_text(o, ST_BOLD, "usage: ");
	out_wrap(o, ST_PLAIN, 7, 11, text);
	free(text);
}

static const struct col pair[] = { { .header = NULL }, { .header = NULL } };

static void
print_args(struct out *o, const struct cli_cmd *c)
{
	struct table *t = table_create(pair, ARRAY_SIZE(pair));

	for (const struct cli_arg *a = c->args; a->name; a++) {
		table_row(t, "  ", "");
		table_cell(t, ST_PLAIN, "%s", a->name);
		table_cell(t, ST_PLAIN, "%s", a->help);
	}
	for (const struct cli_flag *f = c->flags; f && f->name; f++) {
		table_row(t, "  ", "");
		table_cell(t, ST_PLAIN, f->value ? "%s %s" : "%s", f->name, f->value);
		table_cell(t, ST_PLAIN, "%s", f->help);
	}
	table_print(t, o);
}

/* The default, where it says more than "nothing". */
static const char *
default_of(const struct cli_opt *d)
{
	bool plain = !d->dflt || !strcmp(d->dflt, "0") || !strcmp(d->dflt, "false") || strstr(d->help, "default");

	return plain ? NULL : d->dflt;
}

/* Two columns; an option too wide for the first has its help below it. */
static void
print_opts(struct out *o, const char *title, const struct cli_opt *opts)
{
	enum { FIRST_MAX = 28 };
	unsigned first = 0;

	out_text(o, ST_BOLD, "%s\n", title);
	for (const struct cli_opt *d = opts; d->name; d++) {
		unsigned w = text_width(d->name) + 1 + text_width(d->value);

		if (w <= FIRST_MAX)
			first = MAX_OF(first, w);
	}
	first = MAX_OF(first, 8u) + 4;
	for (const struct cli_opt *d = opts; d->name; d++) {
		int at = fprintf(o->f, "  %s=%s", d->name, d->value);
		const char *dflt = default_of(d);
		char text[800];

		snprintf(text, sizeof text, "%s%s%s%s", d->help, d->required ? " (required)" : "",
			 dflt ? "; default " : "", dflt ? dflt : "");
		if (at + 2 > (int)first) {
			fputc('\n', o->f);
			at = 0;
		}
		fprintf(o->f, "%*s", (int)first - at, "");
		out_wrap(o, ST_PLAIN, first, first, text);
	}
}

static bool
table_is_for(const struct cli_opt_table *t, enum cli_opts opts)
{
	switch (opts) {
	case CLI_OPTS_BRIDGE: return t->of == CLI_TABLE_BRIDGE || t->of == CLI_TABLE_OPENFLOW;
	case CLI_OPTS_PORT: return t->of == CLI_TABLE_PORT || t->of == CLI_TABLE_PORT_TYPE;
	case CLI_OPTS_TUNNEL: return t->of == CLI_TABLE_PORT || t->of == CLI_TABLE_TUNNEL_TYPE;
	default: return false;
	}
}

static void
print_tables(struct out *o, enum cli_opts opts)
{
	char title[160];

	for (const struct cli_opt_table *t = cli_opt_tables; t->name; t++) {
		if (!table_is_for(t, opts))
			continue;
		if (t->of == CLI_TABLE_BRIDGE)
			snprintf(title, sizeof title, "options:");
		else if (t->of == CLI_TABLE_OPENFLOW)
			snprintf(title, sizeof title, "options for OpenFlow:");
		else if (t->of == CLI_TABLE_PORT)
			snprintf(title, sizeof title, "options of all ports:");
		else
			snprintf(title, sizeof title, "type=%s (%s):", t->name, t->help);
		fputc('\n', o->f);
		print_opts(o, title, t->opts);
	}
}

void
cli_help_command(struct out *o, const struct cli_cmd *c)
{
	print_synopsis(o, c);
	fprintf(o->f, "%c%s.", c->help[0] & ~0x20, c->help + 1);
	if (c->text) {
		fputc('\n', o->f);
		out_wrap(o, ST_PLAIN, 0, 0, c->text);
	} else {
		fputc('\n', o->f);
	}
	if (c->args->name || c->flags) {
		fputc('\n', o->f);
		print_args(o, c);
	}
	print_tables(o, c->opts);
	out_text(o, ST_BOLD, "\nexample:\n");
	fprintf(o->f, "  %s\n", c->example);
}

void
cli_help(struct out *o)
{
	struct table *t = table_create(pair, ARRAY_SIZE(pair));

	out_text(o, ST_BOLD, "usage: ");
	fputs("weftctl [OPTIONS] COMMAND ...\n\n"
	      "Sets up and looks into the Weft switch of this host.\n\n", o->f);
	out_text(o, ST_BOLD, "commands:\n");
	for (const struct cli_cmd *c = cli_cmds; c->name; c++) {
		table_row(t, "  ", "");
		table_cell(t, ST_PLAIN, "%s", c->name);
		table_cell(t, ST_PLAIN, "%s", c->help);
	}
	table_print(t, o);
	out_text(o, ST_BOLD, "\noptions:\n");
	t = table_create(pair, ARRAY_SIZE(pair));
	for (const struct cli_flag *f = cli_global_flags; f->name; f++) {
		table_row(t, "  ", "");
		table_cell(t, ST_PLAIN, f->value ? "%s %s" : "%s", f->name, f->value);
		table_cell(t, ST_PLAIN, "%s", f->help);
	}
	table_print(t, o);
	out_text(o, ST_BOLD, "\nexample:\n");
	fputs("  weftctl bridge add br0\n"
	      "  weftctl port add br0 vm1 type=vhost-user tag=10\n"
	      "  weftctl tunnel add br0 vx0 type=vxlan vni=5000 remote=172.16.0.2\n"
	      "  weftctl show\n\n"
	      "'weftctl COMMAND --help' tells more about each.\n", o->f);
}

/* --- Reference -------------------------------------------------------------------------------------------- */

static void
put(json_t *obj, const char *key, const char *text)
{
	if (text)
		json_object_set_new(obj, key, json_string(text));
}

static json_t *
flags_json(const struct cli_flag *f)
{
	json_t *list = json_array();

	for (; f && f->name; f++) {
		json_t *obj = json_object();

		put(obj, "name", f->name);
		put(obj, "value", f->value);
		put(obj, "help", f->help);
		json_array_append_new(list, obj);
	}
	return list;
}

static json_t *
command_json(const struct cli_cmd *c)
{
	json_t *obj = json_object(), *args = json_array();
	char *synopsis = cli_synopsis(c);

	put(obj, "name", c->name);
	put(obj, "synopsis", synopsis);
	put(obj, "help", c->help);
	put(obj, "text", c->text);
	put(obj, "example", c->example);
	put(obj, "method", c->method);
	for (const struct cli_arg *a = c->args; a->name; a++) {
		json_t *arg = json_object();

		put(arg, "name", a->name);
		put(arg, "help", a->help);
		json_array_append_new(args, arg);
	}
	json_object_set_new(obj, "args", args);
	json_object_set_new(obj, "flags", flags_json(c->flags));
	free(synopsis);
	return obj;
}

static json_t *
table_json(const struct cli_opt_table *t)
{
	static const char *const of[] = { "bridge", "openflow", "port", "port-type", "tunnel-type", "datapath" };
	json_t *obj = json_object(), *opts = json_array();

	put(obj, "of", of[t->of]);
	put(obj, "name", t->name);
	put(obj, "help", t->help);
	for (const struct cli_opt *d = t->opts; d->name; d++) {
		json_t *opt = json_object();

		put(opt, "name", d->name);
		put(opt, "value", d->value);
		put(opt, "default", d->dflt);
		put(opt, "help", d->help);
		put(opt, "example", d->example);
		json_object_set_new(opt, "required", json_boolean(d->required));
		json_array_append_new(opts, opt);
	}
	json_object_set_new(obj, "options", opts);
	return obj;
}

json_t *
cli_reference(void)
{
	json_t *ref = json_object(), *cmds = json_array(), *tables = json_array();

	put(ref, "version", WEFT_VERSION);
	for (const struct cli_cmd *c = cli_cmds; c->name; c++)
		json_array_append_new(cmds, command_json(c));
	for (const struct cli_opt_table *t = cli_opt_tables; t->name; t++)
		json_array_append_new(tables, table_json(t));
	json_object_set_new(ref, "commands", cmds);
	json_object_set_new(ref, "flags", flags_json(cli_global_flags));
	json_object_set_new(ref, "tables", tables);
	return ref;
}
