/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with all members filled at random, made from the codec's own tables: what a version can say, it is given. */
#ifndef TESTS_OFPROTO_WIRE_FILL_H
#define TESTS_OFPROTO_WIRE_FILL_H

#include "ofproto/wire/wire_priv.h"

struct fill {
	uint64_t seed;
	uint8_t version, layout, form;
	unsigned depth;                 /* Of nested actions. */
	bool tame;                      /* Only values that make sense to Open vSwitch, too. */
	struct of_arena *arena;
};

uint32_t fill_random(struct fill *);

/* One way to say a kind in a version. */
struct way {
	uint8_t kind, version, form, layout;
	bool packet_in2;
};
/* All of them; returns the number. */
unsigned fill_ways(struct way *, unsigned max);
const char *fill_way_name(const struct way *, char buf[80]);

/* A message said that way. */
void fill_msg(struct fill *, const struct way *, struct of_msg *);
void fill_match(struct fill *, struct omatch *, bool nxm);
struct of_acts fill_acts(struct fill *);
struct of_acts fill_program(struct fill *);

/* Whether two bodies are equal, member by member; 'where' names the first difference. */
bool fill_equal(const struct of_msg *, const struct of_msg *, uint8_t layout, char where[80]);

#endif
