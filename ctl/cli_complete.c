/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the place of the word that is being typed.  Names of bridges and ports come from the
 * daemon, if it answers quickly; everything else from the tables. */
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

struct want {
	struct cli *cli;
	const char *word;               /* What is typed of it. */
};

static void
offer(const struct want *w, const char *text, const char *tail)
{
	if (!strncmp(text, w->word, strlen(w->word)))
		fprintf(w->cli->out.f, "%s%s\n", text, tail);
}

static void
offer_words(const struct want *w, const char *const *words)
{
	for (; words && *words; words++)
		offer(w, *words, " ");
}

/* --- Names ------------------------------------------------------------------------------------------------- */

static void
offer_names(const struct want *w, const char *method, const char *key)
{
	json_t *result, *row;
	size_t i;

	/* Somebody waits for a key to act. */
	w->cli->quiet = true;
	w->cli->timeout_ms = 500;
	result = cli_call(w->cli, method, NULL);
	json_array_foreach(json_object_get(result, key), i, row)
		offer(w, cli_str(row, "name"), " ");
	json_decref(result);
}

static void
offer_kind(const struct want *w, enum cli_kind kind, const char *const *words)
{
	switch (kind) {
	case CLI_BRIDGE:
		offer_names(w, "bridge.list", "bridges");
		break;
	case CLI_PORT:
		offer_names(w, "port.list", "ports");
		break;
	case CLI_TUNNEL:
		offer_names(w, "tunnel.list", "tunnels");
		break;
	case CLI_WORD:
		offer_words(w, words);
		break;
	case CLI_FILE:
		/* The shell knows files. */
		fputs("@files\n", w->cli->out.f);
		break;
	default:
		break;
	}
}

/* --- Options ----------------------------------------------------------------------------------------------- */

static bool
is_type_table(const struct cli_opt_table *t)
{
	return t->of == CLI_TABLE_PORT_TYPE || t->of == CLI_TABLE_TUNNEL_TYPE;
}

/* The value of type= among the words, or that of the port that is being changed; "" when it is not known. */
static void
type_of(struct cli *c, const struct cli_cmd *cmd, int n, char *const *words, char *buf, size_t len)
{
	json_t *result, *row;
	size_t i;

	*buf = '\0';
	for (int j = 0; j < n; j++)
		if (!strncmp(words[j], "type=", 5))
			snprintf(buf, len, "%s", words[j] + 5);
	if (*buf || !cmd->opts_may_be_empty || n < 1)
		return;
	c->quiet = true;
	c->timeout_ms = 500;
	result = cli_call(c, "port.list", NULL);
	json_array_foreach(json_object_get(result, "ports"), i, row)
		if (!strcmp(cli_str(row, "name"), words[0]))
			snprintf(buf, len, "%s", cli_str(row, "type"));
	json_decref(result);
}

static bool
table_applies(const struct cli_opt_table *t, enum cli_opts opts, const char *type)
{
	if (opts == CLI_OPTS_BRIDGE)
		return t->of == CLI_TABLE_BRIDGE || t->of == CLI_TABLE_OPENFLOW;
	return t->of == CLI_TABLE_PORT || (is_type_table(t) && !strcmp(t->name, type));
}

static bool
is_given(const char *name, int n, char *const *words)
{
	size_t len = strlen(name);

	for (int i = 0; i < n; i++)
		if (!strncmp(words[i], name, len) && words[i][len] == '=')
			return true;
	return false;
}

/* "tag=": the names of options that are not there yet. */
static void
offer_option_names(const struct want *w, enum cli_opts opts, const char *type, int n, char *const *words)
{
	if (opts != CLI_OPTS_BRIDGE && !*type)
		offer(w, "type", "=");
	for (const struct cli_opt_table *t = cli_opt_tables; t->name; t++)
		if (table_applies(t, opts, type))
			for (const struct cli_opt *d = t->opts; d->name; d++)
				if (!is_given(d->name, n, words))
					offer(w, d->name, "=");
}

/* "type=vh": values, with the name in front. */
static void
offer_values(const struct want *w, enum cli_opts opts, const char *type, size_t name_len)
{
	char text[160];

	for (const struct cli_opt_table *t = cli_opt_tables; t->name; t++) {
		bool wanted = (opts == CLI_OPTS_PORT && is_type_table(t)) ||
			      (opts == CLI_OPTS_TUNNEL && t->of == CLI_TABLE_TUNNEL_TYPE);

		if (wanted && !strncmp(w->word, "type=", 5)) {
			snprintf(text, sizeof text, "type=%s", t->name);
			offer(w, text, " ");
		}
		if (!table_applies(t, opts, type))
			continue;
		for (const struct cli_opt *d = t->opts; d->name; d++) {
			if (strlen(d->name) != name_len || strncmp(d->name, w->word, name_len))
				continue;
			for (const char *const *v = d->words; v && *v; v++) {
				snprintf(text, sizeof text, "%s=%s", d->name, *v);
				offer(w, text, " ");
			}
		}
	}
}

static void
offer_options(const struct want *w, const struct cli_cmd *cmd, int n, char *const *words)
{
	const char *eq = strchr(w->word, '=');
	char type[64];

	type_of(w->cli, cmd, n, words, type, sizeof type);
	if (eq)
		offer_values(w, cmd->opts, type, eq - w->word);
	else
		offer_option_names(w, cmd->opts, type, n, words);
}

/* --- Commands ---------------------------------------------------------------------------------------------- */

static void
offer_commands(const struct want *w, int n, char *const *words)
{
	char last[64] = "", one[64];

	for (const struct cli_cmd *c = cli_cmds; c->name; c++) {
		const char *rest;

		if (cli_match_name(c, n, words, &rest) < n || !*rest)
			continue;
		snprintf(one, sizeof one, "%.*s", (int)strcspn(rest, " "), rest);
		if (strcmp(one, last))
			offer(w, one, " ");
		memcpy(last, one, sizeof last);
	}
}

static const struct cli_flag *
flag_of(const struct cli_cmd *cmd, const char *word)
{
	for (const struct cli_flag *f = cmd ? cmd->flags : NULL; f && f->name; f++)
		if (!strcmp(f->name, word))
			return f;
	for (const struct cli_flag *f = cli_global_flags; f->name; f++)
		if (!strcmp(f->name, word))
			return f;
	return NULL;
}

static void
offer_flags(const struct want *w, const struct cli_cmd *cmd)
{
	for (const struct cli_flag *f = cmd ? cmd->flags : NULL; f && f->name; f++)
		offer(w, f->name, " ");
	for (const struct cli_flag *f = cli_global_flags; f->name; f++)
		offer(w, f->name, " ");
}

/* Leaves the words that are neither flags nor their values; obeys those that name the socket. */
static int
drop_flags(struct cli *c, const struct cli_cmd *cmd, int n, char **words, char *path, size_t len)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		const struct cli_flag *f = flag_of(cmd, words[i]);

		if (strncmp(words[i], "--", 2)) {
			words[kept++] = words[i];
			continue;
		}
		if (!f || !f->value || i + 1 == n)
			continue;
		i++;
		if (!strcmp(f->name, "--socket"))
			c->socket = words[i];
		if (!strcmp(f->name, "--run-dir")) {
			snprintf(path, len, "%s/weftd.sock", words[i]);
			c->socket = path;
		}
	}
	return kept;
}

/* The word in place 'n' of the command's own words. */
static void
offer_word(const struct want *w, const struct cli_cmd *cmd, int n, char *const *words)
{
	const struct cli_arg *a = cmd->args;

	for (int i = 0; i < n && a->name && !a->many; i++)
		a++;
	if (a->name)
		offer_kind(w, a->kind, a->words);
	else if (cmd->opts)
		offer_options(w, cmd, n, words);
}

void
cli_complete(struct cli *c, int n, char *const *argv)
{
	const struct want w = { c, argv[n - 1] };
	const struct cli_flag *f = NULL;
	char **words = xcalloc(n, sizeof *words), path[4096];
	const struct cli_cmd *cmd;
	char *sink;
	size_t sink_len;
	FILE *err = open_memstream(&sink, &sink_len);
	int used = 0, left;

	memcpy(words, argv, n * sizeof *words);
	left = drop_flags(c, NULL, n - 1, words, path, sizeof path);
	cmd = left ? cli_find(left, words, &used, err) : NULL;
	if (cmd) {
		/* Again, now that its own flags are known. */
		memcpy(words, argv, n * sizeof *words);
		left = drop_flags(c, cmd, n - 1, words, path, sizeof path);
	}
	if (n > 1)
		f = flag_of(cmd, argv[n - 2]);
	if (f && f->value)
		offer_kind(&w, f->kind, f->words);
	else if (!strncmp(w.word, "-", 1))
		offer_flags(&w, cmd);
	else if (cmd)
		offer_word(&w, cmd, left - used, words + used);
	else
		offer_commands(&w, left, words);
	fclose(err);
	free(sink);
	free(words);
}

void
cli_completion_script(struct out *o)
{
	fputs("# bash completion of weftctl; made by 'weftctl completion bash'\n"
	      "_weftctl() {\n"
	      "\tlocal line=${COMP_LINE:0:COMP_POINT} cur cut IFS=$' \\t\\n'\n"
	      "\tlocal -a words\n"
	      "\tread -ra words <<< \"$line\"\n"
	      "\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	      "\tcur=${words[${#words[@]}-1]}\n"
	      "\t# Readline replaces what follows the last '=' or ':' only.\n"
	      "\tcut=${cur%\"${cur##*[=:]}\"}\n"
	      "\tlocal IFS=$'\\n'\n"
	      "\tCOMPREPLY=($(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null))\n"
	      "\tif [[ ${COMPREPLY[0]} == @files ]]; then\n"
	      "\t\tcompopt -o filenames +o nospace 2>/dev/null\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\t[[ -n $cut ]] && COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
	      "}\n"
	      "complete -o nospace -F _weftctl weftctl\n", o->f);
}
