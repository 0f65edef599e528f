/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of weftd. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "base/log.h"
#include "ctl/eal.h"

struct options {
	const char *config_dir, *run_dir, *state_dir;
	const char *lcores;             /* NULL: chosen. */
	const char *log_file;           /* NULL: stderr. */
	enum log_level log_level;
	enum eal_huge huge;
	bool use_previous, check_config;
};

/* Pointers go into argv.  0: go on; 1: everything was said (--help, --version); -EINVAL: usage, told on
 * stderr. */
int options_parse(struct options *, int argc, char **argv);

#endif
