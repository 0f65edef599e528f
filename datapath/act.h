/* SPDX-License-Identifier: Apache-2.0 */
/* Action programs: compact arrays of typed instructions, eight bytes each, resolved when a flow is
 * installed.  Adding an action is one row in act.c and its executor; the translator emits them with
 * act_add(). */
#ifndef DATAPATH_ACT_H
#define DATAPATH_ACT_H

#include "base/byteorder.h"
#include "base/util.h"

enum act_op {
	ACT_OUTPUT,             /* port: to that port's tx buffer. */
	ACT_PUSH_VLAN,          /* arg: tpid << 16 | tci, host order. */
	ACT_POP_VLAN,           /* Strips the outermost tag. */
	ACT_SET_VLAN,           /* arg: VLAN of the outermost tag, host order; its priority bits stay. */
	ACT_TUN_PUSH,           /* port: the tunnel port (counters), arg: index of the tunnel destination. */
	ACT_CLONE,              /* arg: the next 'arg' instructions run on a copy of the packet. */
	ACT_DROP,               /* arg: enum dp_drop.  Last in its program. */
	ACT_N_OPS
};

struct act {
	uint8_t op;
	uint8_t pad;
	uint16_t port;
	uint32_t arg;
};

_Static_assert(sizeof(struct act) == 8, "programs are compact");

/* Instructions of one program.  A flood to more destinations than this ends in DROP_RECURSION, counted. */
#define ACT_MAX 2048

struct act_list {
	uint16_t n;
	bool overflow;
	struct act a[ACT_MAX];
};

static inline struct act *
act_add(struct act_list *l, enum act_op op, uint16_t port, uint32_t arg)
{
	if (UNLIKELY(l->n == ACT_MAX)) {
		l->overflow = true;
		return &l->a[ACT_MAX - 1];
	}
	l->a[l->n] = (struct act){ .op = op, .port = port, .arg = arg };
	return &l->a[l->n++];
}

/* "push_vlan(10),output:vm2": for dumps and traces.  Returns the length needed. */
int act_format(const struct act *, unsigned n, const char *(*port_name)(void *, uint16_t),
	       void *arg, char *buf, size_t len);

#endif
