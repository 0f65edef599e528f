/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of weftd. */
#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
"usage: weftd [options]\n"
"\n"
"The Weft switch.  Runs in the foreground until SIGTERM; 'weftctl' talks to it.\n"
"\n"
"  --config-dir DIR    configuration, weft.json (default /etc/weft)\n"
"  --run-dir DIR       sockets and the lock; one per weftd (default /run/weft)\n"
"  --state-dir DIR     what outlives a restart but is no configuration: port\n"
"                      numbers (default /var/lib/weft; with --config-dir, there)\n"
"  --lcores LIST       CPUs that poll, such as 1 or 2-3,5 (default: the last one)\n"
"  --hugepages MODE    auto, on or off (default auto: when enough are free)\n"
"  --no-huge           the same as --hugepages=off\n"
"  --log-level LEVEL   error, warn, info or debug (default info)\n"
"  --log-file FILE     log there instead of stderr; SIGHUP opens it anew\n"
"  --use-previous      start from the last good configuration, weft.json.prev\n"
"  --check-config      say whether weft.json is good, and exit\n"
"  --version           print the version and exit\n"
"  --help              print this and exit\n"
"\n"
"Signals: SIGTERM and SIGINT end it; SIGHUP opens the log anew and applies what\n"
"has changed in weft.json.\n"
"\n"
"example: weftd --config-dir /tmp/w/etc --run-dir /tmp/w/run --lcores 1\n";

enum { O_CONFIG = 256, O_RUN, O_STATE, O_LCORES, O_HUGE, O_NO_HUGE, O_LEVEL, O_FILE, O_PREVIOUS, O_CHECK, O_VERSION };

static const struct option longs[] = {
	{ "config-dir", required_argument, NULL, O_CONFIG },
	{ "run-dir", required_argument, NULL, O_RUN },
	{ "state-dir", required_argument, NULL, O_STATE },
	{ "lcores", required_argument, NULL, O_LCORES },
	{ "hugepages", required_argument, NULL, O_HUGE },
	{ "no-huge", no_argument, NULL, O_NO_HUGE },
	{ "log-level", required_argument, NULL, O_LEVEL },
	{ "log-file", required_argument, NULL, O_FILE },
	{ "use-previous", no_argument, NULL, O_PREVIOUS },
	{ "check-config", no_argument, NULL, O_CHECK },
	{ "version", no_argument, NULL, O_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int
refuse(const char *what, const char *value, const char *const *names)
{
	const char *near = names ? str_nearest(value, names) : NULL;

	fprintf(stderr, "weftd: %s '%s'", what, value);
	if (near)
		fprintf(stderr, ": did you mean '%s'?\n", near);
	else
		fprintf(stderr, "; see weftd --help\n");
	return -EINVAL;
}

static int
unknown_option(const char *word)
{
	const char *names[ARRAY_SIZE(longs)], *near;
	unsigned n = 0;

	for (const struct option *o = longs; o->name; o++)
		names[n++] = o->name;
	names[n] = NULL;
	near = strncmp(word, "--", 2) ? NULL : str_nearest(word + 2, names);
	fprintf(stderr, "weftd: unknown option '%s'", word);
	if (near)
		fprintf(stderr, ": did you mean '--%s'?\n", near);
	else
		fprintf(stderr, "; see weftd --help\n");
	return -EINVAL;
}

static int
set_huge(struct options *o, const char *value)
{
	static const char *const names[] = { "auto", "on", "off", NULL };

	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], value)) {
			o->huge = (enum eal_huge)i;
			return 0;
		}
	return refuse("--hugepages: auto, on or off, not", value, names);
}

static int
set_level(struct options *o, const char *value)
{
	static const char *const names[] = { "error", "warn", "info", "debug", NULL };

	if (log_level_from_name(value, &o->log_level))
		return refuse("--log-level: error, warn, info or debug, not", value, names);
	return 0;
}

static int
set(struct options *o, int c)
{
	switch (c) {
	case O_CONFIG: o->config_dir = optarg; return 0;
	case O_RUN: o->run_dir = optarg; return 0;
	case O_STATE: o->state_dir = optarg; return 0;
	case O_LCORES: o->lcores = optarg; return 0;
	case O_HUGE: return set_huge(o, optarg);
	case O_NO_HUGE: o->huge = EAL_HUGE_OFF; return 0;
	case O_LEVEL: return set_level(o, optarg);
	case O_FILE: o->log_file = optarg; return 0;
	case O_PREVIOUS: o->use_previous = true; return 0;
	case O_CHECK: o->check_config = true; return 0;
	case O_VERSION: printf("weftd %s\n", WEFT_VERSION); return 1;
	default: fputs(usage, stdout); return 1;
	}
}

int
options_parse(struct options *o, int argc, char **argv)
{
	int c, rc = 0;

	*o = (struct options){
		.run_dir = "/run/weft",
		.log_level = LOG_LVL_INFO,
	};
	/* ':' first: we do the telling. */
	while (!rc && (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (c == '?')
			return unknown_option(argv[optind - 1]);
		if (c == ':') {
			fprintf(stderr, "weftd: option '%s' needs a value; see weftd --help\n", argv[optind - 1]);
			return -EINVAL;
		}
		rc = set(o, c);
	}
	/* A second weftd is given directories of its own; this one may be forgotten. */
	if (!o->state_dir)
		o->state_dir = o->config_dir ? o->config_dir : "/var/lib/weft";
	if (!o->config_dir)
		o->config_dir = "/etc/weft";
	if (!rc && optind < argc)
		return refuse("unexpected word", argv[optind], NULL);
	return rc;
}
