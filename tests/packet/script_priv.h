/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scenario language share. */
#ifndef TESTS_PACKET_SCRIPT_PRIV_H
#define TESTS_PACKET_SCRIPT_PRIV_H

#include "tests/packet/script.h"

/* Splits "name=value" in place; false when there is no '='. */
bool script_option(char *word, char **value);
/* The port that word 'i' names. */
int script_port(struct script *, unsigned i, struct world_port **, struct err *);
int script_mac(const char *word, struct mac *, struct err *);

/* script_frames.c */
/* -EINVAL when some frame left that nobody expected. */
int script_quiet(struct script *, struct err *);
int script_send(struct script *, struct err *);
int script_expect(struct script *, struct err *);
int script_ignore(struct script *, struct err *);
int script_cuts(struct script *, struct err *);
int script_flips(struct script *, struct err *);
int script_drops(struct script *, struct err *);
int script_stats(struct script *, struct err *);

#endif
