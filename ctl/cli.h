/* SPDX-License-Identifier: Apache-2.0 */
/* weftctl: one table of commands drives parsing, --help, completion and the manual page. */
#ifndef CTL_CLI_H
#define CTL_CLI_H

#include <jansson.h>

#include "ctl/cli_out.h"

#define CLI_DEFAULT_RUN_DIR "/run/weft"

enum cli_exit { CLI_OK = 0, CLI_REFUSED = 1, CLI_USAGE = 2 };

struct cli {
	struct out out;
	const char *socket;             /* Path; owned by main(). */
	bool json;
	bool quiet;                     /* No messages: completion asks in the background. */
	unsigned timeout_ms;
	int fd;                         /* -1: not connected. */
	char *in;                       /* Read and not used yet. */
	size_t in_len, in_max;
	unsigned n_calls;
};

/* What stands in the place of an argument: which names complete it. */
enum cli_kind {
	CLI_TEXT,
	CLI_BRIDGE,
	CLI_PORT,                       /* Any port of any bridge. */
	CLI_TUNNEL,
	CLI_WORD,                       /* One of 'words'. */
	CLI_NUMBER,
	CLI_FILE,
};

/* Which tables the OPTION=VALUE words of a command come from. */
enum cli_opts { CLI_OPTS_NONE, CLI_OPTS_BRIDGE, CLI_OPTS_PORT, CLI_OPTS_TUNNEL };

struct cli_arg {
	const char *name;               /* "BRIDGE"; NULL ends a table. */
	const char *param;              /* Of the method. */
	enum cli_kind kind;
	bool optional;
	const char *const *words;
	const char *help;
	bool many;                      /* The last one: takes all words that are left, as a list. */
};

struct cli_flag {
	const char *name;               /* "--bridge"; NULL ends a table. */
	const char *value;              /* "BRIDGE"; NULL: takes none. */
	const char *param;
	enum cli_kind kind;
	const char *help;
	const char *const *words;       /* Of CLI_WORD. */
};

struct cli_cmd {
	const char *name;               /* "port add"; one to three words. */
	const char *method;             /* NULL: 'run' knows. */
	const struct cli_arg *args;
	const struct cli_flag *flags;   /* NULL: none. */
	enum cli_opts opts;
	bool opts_may_be_empty;         /* "OPTION=" takes the option away. */
	const char *help;               /* One line. */
	const char *text;               /* A paragraph more; may be NULL. */
	const char *example;
	/* Does all the work; NULL: calls 'method' and prints with 'print'.  'params' is borrowed. */
	int (*run)(struct cli *, const struct cli_cmd *, json_t *params);
	void (*print)(struct out *, const json_t *result);      /* NULL: silence is success. */
};

extern const struct cli_cmd cli_cmds[];         /* Ends with a NULL name. */
extern const struct cli_flag cli_global_flags[];

/* --- Option tables, as data of weftctl (generated at build time from those of the parts) ------------------- */

struct cli_opt {
	const char *name;               /* NULL ends a table. */
	const char *value;              /* "true|false", "NUMBER (1-4094)", "ADDRESS". */
	const char *const *words;       /* Values to complete; may be NULL. */
	const char *dflt;               /* NULL: none. */
	bool required;
	const char *help, *example;
};

enum cli_table_of { CLI_TABLE_BRIDGE, CLI_TABLE_OPENFLOW, CLI_TABLE_PORT, CLI_TABLE_PORT_TYPE, CLI_TABLE_TUNNEL_TYPE,
		    CLI_TABLE_DATAPATH };

struct cli_opt_table {
	enum cli_table_of of;
	const char *name;               /* "vhost-user"; NULL ends the list. */
	const char *help;
	const struct cli_opt *opts;
};
extern const struct cli_opt_table cli_opt_tables[];

/* --- Parsing ------------------------------------------------------------------------------------------------ */

/* The command that the first words name, with how many of them; NULL after saying why to 'err' (one line or
 * more). */
const struct cli_cmd *cli_find(int n, char *const *words, int *used, FILE *err);
/* The words after the command's name become parameters.  NULL after saying why to 'err'. */
json_t *cli_params(const struct cli_cmd *, int n, char *const *words, FILE *err);

/* --- Talking to the daemon ---------------------------------------------------------------------------------- */

/* The result, or NULL after telling why on stderr.  Takes 'params'.  Caller owns the result. */
json_t *cli_call(struct cli *, const char *method, json_t *params);
/* Likewise, but an error that the daemon answered is the caller's to tell: '*error', which it owns. */
json_t *cli_try(struct cli *, const char *method, json_t *params, json_t **error);
void cli_close(struct cli *);
/* The parameters of the next notification of a method that streams, however long it takes; NULL after telling why
 * there is none.  Caller owns them. */
json_t *cli_next(struct cli *);
/* Prints a raw result, for --json. */
void cli_print_json(struct out *, const json_t *);

/* --- Help, completion, reference ---------------------------------------------------------------------------- */

void cli_help(struct out *);
void cli_help_command(struct out *, const struct cli_cmd *);
/* How many of the command's words the first 'n' words are; '*rest' is what follows them in its name, "": nothing. */
int cli_match_name(const struct cli_cmd *, int n, char *const *words, const char **rest);
/* "weftctl port add BRIDGE PORT type=TYPE [OPTION=VALUE]..."; caller frees. */
char *cli_synopsis(const struct cli_cmd *);
/* Candidates for the last of 'words', one a line. */
void cli_complete(struct cli *, int n, char *const *words);
void cli_completion_script(struct out *);
/* Everything that pages are made of, as JSON. */
json_t *cli_reference(void);

/* --- What commands print: pure functions of a result --------------------------------------------------------- */

void cli_print_show(struct out *, const json_t *);
void cli_print_bridges(struct out *, const json_t *);
void cli_print_ports(struct out *, const json_t *);
void cli_print_tunnels(struct out *, const json_t *);
void cli_print_refused(struct out *, const json_t *);
void cli_print_vlans(struct out *, const json_t *);
void cli_print_version(struct out *, const json_t *);
void cli_print_changes(struct out *, const json_t *);
void cli_print_flushed(struct out *, const json_t *);
void cli_print_controllers(struct out *, const json_t *);
void cli_print_groups(struct out *, const json_t *);
void cli_print_trace(struct out *, const json_t *);
void cli_print_macs(struct out *, const json_t *all);
void cli_print_flow(struct out *, const json_t *flow);
/* 'before' (may be NULL) is an earlier answer: rates since then are shown. */
void cli_print_stats(struct out *, const json_t *now, const json_t *before);

/* Commands that do more than one call. */
int cli_run_apply(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_diff(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_export(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_flow_dump(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_flow_table_dump(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_group_dump(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_rules_change(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_mac_show(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_stats(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_ofmsg_tail(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_trace(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_vlan_set(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_version(struct cli *, const struct cli_cmd *, json_t *params);
int cli_run_completion(struct cli *, const struct cli_cmd *, json_t *params);

/* Members of results, with a stand-in for what is missing. */
const char *cli_str(const json_t *, const char *key);           /* "" */
uint64_t cli_num(const json_t *, const char *key);              /* 0 */

#endif
