/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a command line become a command and the parameters of its method.  Anything wrong is refused
 * before the daemon is asked, with the nearest valid spelling. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

enum { WORDS_MAX = 64 };

/* --- The command ------------------------------------------------------------------------------------------- */

int
cli_match_name(const struct cli_cmd *c, int n, char *const *words, const char **rest)
{
	const char *name = c->name;
	int i;

	for (i = 0; i < n && *name; i++) {
		size_t len = strcspn(name, " ");

		if (strlen(words[i]) != len || strncmp(words[i], name, len))
			break;
		name += name[len] ? len + 1 : len;
	}
	*rest = name;
	return i;
}

/* Distinct words that may follow the first 'n' ones in names of commands.  The texts are stored in 'buf'. */
static unsigned
collect(int n, char *const *words, const char *known[WORDS_MAX + 1], char buf[WORDS_MAX][24])
{
	unsigned found = 0;

	for (const struct cli_cmd *c = cli_cmds; c->name && found < WORDS_MAX; c++) {
		const char *rest;
		int len;

		if (cli_match_name(c, n, words, &rest) < n || !*rest)
			continue;
		len = (int)strcspn(rest, " ");
		if (found && !strncmp(buf[found - 1], rest, len) && !buf[found - 1][len])
			continue;
		snprintf(buf[found], sizeof buf[found], "%.*s", len, rest);
		known[found] = buf[found];
		found++;
	}
	known[found] = NULL;
	return found;
}

static void
say_all(FILE *err, const char *const *words)
{
	for (unsigned i = 0; words[i]; i++)
		fprintf(err, "%s%s", i ? ", " : "", words[i]);
	fputc('\n', err);
}

static void
say_words(FILE *err, int n, char *const *words)
{
	for (int i = 0; i < n; i++)
		fprintf(err, "%s ", words[i]);
}

/* The first 'depth' words begin names of commands; with the next one, none does. */
static void
say_unknown(int n, char *const *words, int depth, FILE *err)
{
	char buf[WORDS_MAX][24];
	const char *known[WORDS_MAX + 1], *near;

	collect(depth, words, known, buf);
	near = depth < n ? str_nearest(words[depth], known) : NULL;
	fputs("weftctl: ", err);
	if (near) {
		fputs("unknown command '", err);
		say_words(err, depth, words);
		fprintf(err, "%s': did you mean '", words[depth]);
		say_words(err, depth, words);
		fprintf(err, "%s'?\n", near);
		return;
	}
	if (depth) {
		say_words(err, depth, words);
		fputs("needs one of: ", err);
	} else {
		fprintf(err, "unknown command '%s'; one of: ", words[0]);
	}
	say_all(err, known);
}

const struct cli_cmd *
cli_find(int n, char *const *words, int *used, FILE *err)
{
	const struct cli_cmd *best = NULL;
	int depth = 0;

	if (!n) {
		fprintf(err, "weftctl: no command; see weftctl --help\n");
		return NULL;
	}
	*used = 0;
	for (const struct cli_cmd *c = cli_cmds; c->name; c++) {
		const char *rest;
		int matched = cli_match_name(c, n, words, &rest);

		depth = MAX_OF(depth, matched);
		if (!*rest && matched > *used) {
			best = c;
			*used = matched;
		}
	}
	if (!best)
		say_unknown(n, words, depth, err);
	return best;
}

/* --- Parameters -------------------------------------------------------------------------------------------- */

struct parse {
	const struct cli_cmd *cmd;
	json_t *params, *options;
	FILE *err;
	const struct cli_arg *next;     /* Still to come. */
};

static bool
wrong(struct parse *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool
wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	fprintf(p->err, "weftctl %s: ", p->cmd->name);
	va_start(ap, fmt);
	vfprintf(p->err, fmt, ap);
	va_end(ap);
	fputc('\n', p->err);
	return false;
}

static bool
set_text(struct parse *p, const char *param, const char *what, const char *value)
{
	json_t *v = json_string(value);

	if (!v)
		return wrong(p, "%s: is not UTF-8 text", what);
	json_object_set_new(p->params, param, v);
	return true;
}

static bool
add_text(struct parse *p, const char *param, const char *what, const char *value)
{
	json_t *v = json_string(value), *list = json_object_get(p->params, param);

	if (!v)
		return wrong(p, "%s: is not UTF-8 text", what);
	if (!list) {
		list = json_array();
		json_object_set_new(p->params, param, list);
	}
	json_array_append_new(list, v);
	return true;
}

static bool
is_number(const char *s)
{
	return *s && strlen(s) <= 18 && !s[strspn(s, "0123456789")];
}

static bool
take_arg(struct parse *p, const char *word)
{
	const struct cli_arg *a = p->next;

	if (!a->name)
		return wrong(p, "unexpected word '%s'; see weftctl %s --help", word, p->cmd->name);
	if (!a->many)
		p->next++;
	if (!*word)
		return wrong(p, "%s is empty", a->name);
	if (a->kind == CLI_WORD) {
		const char *near = str_nearest(word, a->words);
		bool known = false;

		for (unsigned i = 0; a->words[i]; i++)
			known |= !strcmp(a->words[i], word);
		if (!known && near)
			return wrong(p, "unknown %s '%s': did you mean '%s'?", a->name, word, near);
		if (!known)
			return wrong(p, "unknown %s '%s': %s", a->name, word, a->help);
	}
	if (a->many)
		return add_text(p, a->param, a->name, word);
	return set_text(p, a->param, a->name, word);
}

/* Options have a table here only for spelling their names; what their values may be is the daemon's business. */
static bool
take_option(struct parse *p, const char *word, const char *eq)
{
	char *key = strndup(word, eq - word);
	json_t *v = eq[1] ? json_string(eq + 1) : json_null();
	bool ok = false;

	if (!v)
		wrong(p, "%s: is not UTF-8 text", key);
	else if (json_object_get(p->options, key))
		wrong(p, "option '%s' is there twice", key);
	else if (!eq[1] && !p->cmd->opts_may_be_empty)
		wrong(p, "option '%s' has no value", key);
	else if (json_object_set(p->options, key, v))
		wrong(p, "option name is not UTF-8 text");
	else
		ok = true;
	json_decref(v);
	free(key);
	return ok;
}

static const struct cli_flag *
find_flag(const struct cli_flag *flags, const char *word, size_t len)
{
	for (; flags && flags->name; flags++)
		if (strlen(flags->name) == len && !strncmp(flags->name, word, len))
			return flags;
	return NULL;
}

static bool
unknown_flag(struct parse *p, const char *word)
{
	const char *names[WORDS_MAX + 1], *near;
	unsigned n = 0;

	for (const struct cli_flag *f = p->cmd->flags; f && f->name && n < WORDS_MAX; f++)
		names[n++] = f->name;
	for (const struct cli_flag *f = cli_global_flags; f->name && n < WORDS_MAX; f++)
		names[n++] = f->name;
	names[n] = NULL;
	near = str_nearest(word, names);
	if (near)
		return wrong(p, "unknown option '%s': did you mean '%s'?", word, near);
	return wrong(p, "unknown option '%s'; see weftctl %s --help", word, p->cmd->name);
}

/* Returns how many words it took, 0 after saying what is wrong. */
static int
take_flag(struct parse *p, int n, char *const *words)
{
	size_t len = strcspn(words[0], "=");
	const struct cli_flag *f = find_flag(p->cmd->flags, words[0], len);
	const char *value = words[0][len] ? words[0] + len + 1 : NULL;
	int used = 1;

	if (!f)
		return unknown_flag(p, words[0]);
	if (json_object_get(p->params, f->param))
		return wrong(p, "%s is there twice", f->name);
	if (!f->value) {
		json_object_set_new(p->params, f->param, json_true());
		return value ? wrong(p, "%s takes no value", f->name) : 1;
	}
	if (!value && *f->value == '[') {
		/* A value that may be left out is a number. */
		if (n > 1 && is_number(words[1]))
			value = words[used++];
		else
			value = "2";
	} else if (!value) {
		if (n < 2)
			return wrong(p, "%s needs a value: %s", f->name, f->value);
		value = words[used++];
	}
	if (f->kind == CLI_NUMBER && !is_number(value))
		return wrong(p, "%s: '%s' is not a number", f->name, value);
	return set_text(p, f->param, f->name, value) ? used : 0;
}

/* "tag 10" instead of "tag=10", and the like. */
static bool
no_option(struct parse *p, const char *word)
{
	return wrong(p, "'%s' is no option: options are written NAME=VALUE, as in: %s", word, p->cmd->example);
}

static bool
take_words(struct parse *p, int n, char *const *words)
{
	for (int i = 0, used; i < n; i += used) {
		const char *eq = strchr(words[i], '=');

		used = 1;
		if (words[i][0] == '-' && words[i][1] == '-') {
			used = take_flag(p, n - i, words + i);
			if (!used)
				return false;
		} else if (p->next->name) {
			if (!take_arg(p, words[i]))
				return false;
		} else if (p->cmd->opts && eq && eq != words[i]) {
			if (!take_option(p, words[i], eq))
				return false;
		} else if (p->cmd->opts) {
			return no_option(p, words[i]);
		} else if (!take_arg(p, words[i])) {
			return false;
		}
	}
	return true;
}

static bool
check_complete(struct parse *p)
{
	bool set = p->cmd->opts && p->cmd->opts_may_be_empty;
	bool type = p->cmd->opts == CLI_OPTS_PORT || p->cmd->opts == CLI_OPTS_TUNNEL;

	if (p->next->name && !p->next->optional && !(p->next->many && json_object_get(p->params, p->next->param)))
		return wrong(p, "%s is missing: %s; for example: %s", p->next->name, p->next->help, p->cmd->example);
	if (set && !json_object_size(p->options))
		return wrong(p, "no option is given; for example: %s", p->cmd->example);
	if (!set && type && !json_object_get(p->options, "type"))
		return wrong(p, "type=... is missing; for example: %s", p->cmd->example);
	return true;
}

json_t *
cli_params(const struct cli_cmd *cmd, int n, char *const *words, FILE *err)
{
	struct parse p = { .cmd = cmd, .params = json_object(), .options = json_object(), .err = err, .next = cmd->args };
	bool ok = take_words(&p, n, words) && check_complete(&p);

	if (cmd->opts && (json_object_size(p.options) || cmd->opts != CLI_OPTS_BRIDGE))
		json_object_set(p.params, "options", p.options);
	json_decref(p.options);
	if (ok)
		return p.params;
	json_decref(p.params);
	return NULL;
}
