/* SPDX-License-Identifier: Apache-2.0 */
/* weftctl's main(): global options, then the command. */
#include "ctl/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct globals {
	const char *socket, *run_dir, *timeout;
	bool json, help, version;
};

/* The value of a global option: behind '=', or the next word, which is then used up.  NULL: missing. */
static const char *
value_of(int argc, char **argv, int *i, size_t len)
{
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

/* Takes global options out of argv, wherever they stand; the other words stay, in order.  Returns how many words
 * are left, or -1. */
static int
take_globals(int argc, char **argv, struct globals *g)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		size_t len = strcspn(argv[i], "=");
		const char **to = !strncmp(argv[i], "--socket", MAX_OF(len, 8u)) ? &g->socket :
				  !strncmp(argv[i], "--run-dir", MAX_OF(len, 9u)) ? &g->run_dir :
				  !strncmp(argv[i], "--timeout", MAX_OF(len, 9u)) ? &g->timeout : NULL;

		if (!strcmp(argv[i], "--json")) {
			g->json = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			g->help = true;
		} else if (!strcmp(argv[i], "--version")) {
			g->version = true;
		} else if (to) {
			const char *name = argv[i];

			*to = value_of(argc, argv, &i, len);
			if (!*to || !**to) {
				fprintf(stderr, "weftctl: %.*s needs a value\n", (int)len, name);
				return -1;
			}
		} else {
			argv[n++] = argv[i];
		}
	}
	return n;
}

static bool
setup(struct cli *c, const struct globals *g, char *path, size_t len)
{
	const char *dir = g->run_dir ? g->run_dir : getenv("WEFT_RUN_DIR");
	char *end;
	double s;

	snprintf(path, len, "%s/weftd.sock", dir && *dir ? dir : CLI_DEFAULT_RUN_DIR);
	c->socket = g->socket ? g->socket : path;
	c->json = g->json;
	c->fd = -1;
	c->timeout_ms = 10000;
	if (!g->timeout)
		return true;
	s = strtod(g->timeout, &end);
	if (*end || !(s > 0 && s <= 86400)) {
		fprintf(stderr, "weftctl: --timeout: '%s' is not a number of seconds\n", g->timeout);
		return false;
	}
	c->timeout_ms = (unsigned)(s * 1000) + 1;
	return true;
}

static int
call_and_print(struct cli *c, const struct cli_cmd *cmd, json_t *params)
{
	json_t *result = cli_call(c, cmd->method, json_incref(params));

	if (!result)
		return CLI_REFUSED;
	if (c->json)
		cli_print_json(&c->out, result);
	else if (cmd->print)
		cmd->print(&c->out, result);
	json_decref(result);
	return CLI_OK;
}

/* "weftctl port --help": all commands that begin so. */
static bool
help_family(struct out *o, int n, char *const *words)
{
	const char *rest;
	bool any = false;

	for (const struct cli_cmd *c = cli_cmds; c->name; c++)
		if (cli_match_name(c, n, words, &rest) == n && *rest) {
			if (any)
				fputc('\n', o->f);
			cli_help_command(o, c);
			any = true;
		}
	return any;
}

static int
help(struct cli *c, int n, char **words)
{
	const struct cli_cmd *cmd;
	int used;

	if (!n) {
		cli_help(&c->out);
		return CLI_OK;
	}
	if (help_family(&c->out, n, words))
		return CLI_OK;
	cmd = cli_find(n, words, &used, stderr);
	if (!cmd)
		return CLI_USAGE;
	cli_help_command(&c->out, cmd);
	return CLI_OK;
}

static int
run(struct cli *c, int n, char **words)
{
	const struct cli_cmd *cmd;
	json_t *params;
	int used, rc;

	cmd = cli_find(n, words, &used, stderr);
	if (!cmd)
		return CLI_USAGE;
	params = cli_params(cmd, n - used, words + used, stderr);
	if (!params)
		return CLI_USAGE;
	rc = cmd->run ? cmd->run(c, cmd, params) : call_and_print(c, cmd, params);
	json_decref(params);
	return rc;
}

int
main(int argc, char **argv)
{
	struct cli c = { .fd = -1 };
	struct globals g = { 0 };
	char path[4096];
	int n, rc;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	out_init(&c.out, stdout);
	/* Words to complete may look like options: they are not for us. */
	if (argc > 2 && !strcmp(argv[1], "__complete")) {
		setup(&c, &g, path, sizeof path);
		cli_complete(&c, argc - 2, argv + 2);
		cli_close(&c);
		return CLI_OK;
	}
	if (argc == 2 && !strcmp(argv[1], "__reference")) {
		json_t *ref = cli_reference();

		cli_print_json(&c.out, ref);
		json_decref(ref);
		return CLI_OK;
	}
	n = take_globals(argc, argv, &g);
	if (n < 0 || !setup(&c, &g, path, sizeof path))
		return CLI_USAGE;
	if (g.version && !n) {
		printf("weftctl %s\n", WEFT_VERSION);
		return CLI_OK;
	}
	if (g.help || (n == 1 && !strcmp(argv[0], "help")))
		rc = help(&c, g.help ? n : 0, argv);
	else
		rc = run(&c, n, argv);
	cli_close(&c);
	if (fflush(stdout) || ferror(stdout)) {
		perror("weftctl: cannot write");
		return CLI_REFUSED;
	}
	return rc;
}
