/* SPDX-License-Identifier: Apache-2.0 */
/* The differential test: a naive interpreter of OpenFlow rules (naive.h) and the real switch with its caches take the
 * same random steps, rule changes and packets in turn, and every packet must leave both alike, by port and by byte.
 *
 *   usage: differ [--seed N] [--steps N]
 *
 * When they differ, the steps that are needed for it are printed, as few as could be found, in the words of ovs-ofctl. */
#include <getopt.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "datapath/dp.h"
#include "tests/datapath/mem_port.h"
#include "tests/packet/differ_priv.h"

enum {
	EPISODE = 1000,                 /* Steps between two resets: what a failure is looked for in. */
	WORLD = 5,                     /* Episodes of one switch. */
	WHY = 8192,
};

static struct op *ops;
static char why[WHY];

/* Takes the steps that are kept.  The number of the one at which the switches differ, or 'n'. */
static unsigned
replay(struct both *b, const unsigned *keep, unsigned n)
{
	both_reset(b);
	for (unsigned i = 0; i < n; i++)
		if (!both_step(b, &ops[keep[i]], why, sizeof why))
			return i;
	return n;
}

/* Leaves out runs of steps, ever shorter ones, while the last step still fails. */
static unsigned
minimise(struct both *b, unsigned *keep, unsigned n)
{
	unsigned *some = xcalloc(n, sizeof *some);

	for (unsigned chunk = n / 2; chunk; chunk = chunk > 1 ? chunk / 2 : 0) {
		bool shorter = true;

		while (shorter) {
			shorter = false;
			for (unsigned at = 0; at + chunk < n;) {
				unsigned m = n - chunk;

				memcpy(some, keep, at * sizeof *some);
				memcpy(some + at, keep + at + chunk, (m - at) * sizeof *some);
				if (replay(b, some, m) != m - 1) {
					at += chunk;
					continue;
				}
				memcpy(keep, some, m * sizeof *keep);
				n = m;
				shorter = true;
			}
		}
	}
	free(some);
	return n;
}

/* Likewise the frames of the last burst. */
static void
minimise_burst(struct both *b, const unsigned *keep, unsigned n)
{
	struct op *o = &ops[keep[n - 1]], was;

	for (unsigned i = 0; o->kind == OP_PACKETS && o->n > 1 && i < o->n;) {
		was = *o;
		o->n--;
		memmove(&o->frame[i], &o->frame[i + 1], (o->n - i) * sizeof o->frame[0]);
		if (replay(b, keep, n) == n - 1)
			continue;
		*o = was;
		i++;
	}
}

static void
print_frame(const struct op *o, unsigned i)
{
	printf("  frame on port %u:", o->in_port);
	for (unsigned k = 0; k < o->frame[i].len; k++)
		printf("%s%02x", k % 4 ? "" : " ", o->frame[i].b[k]);
	printf("\n");
}

static void
print_op(const struct op *o)
{
	char text[4096];

	switch ((enum op_kind)o->kind) {
	case OP_PACKETS:
		for (unsigned i = 0; i < o->n; i++)
			print_frame(o, i);
		break;
	case OP_FLOW_MOD:
		nv_print_flow_mod(&o->flow, text, sizeof text);
		printf("  %s %s%s\n", nv_command_name(o->flow.command), text, o->flow.old ? "   (OpenFlow 1.0)" : "");
		break;
	case OP_GROUP_MOD:
		nv_print_group_mod(&o->group, text, sizeof text);
		printf("  group %s %s\n", nv_group_command_name(o->group.command), text);
		break;
	case OP_PORT:
		printf("  port %u:%s%s%s%s\n", o->no, o->port.exists ? "" : " gone", o->port.up ? " up" : " down",
		       o->port.no_recv ? " no-recv" : "", o->port.no_fwd ? " no-fwd" : "");
		break;
	case OP_FLUSH: printf("  forget all cached flows\n"); break;
	case OP_TICK: printf("  a second goes by\n"); break;
	case OP_COUNTS: printf("  compare rules and counters\n"); break;
	case OP_KINDS: break;
	}
}

static void
report(struct both *b, uint64_t seed, unsigned n)
{
	unsigned *keep = xcalloc(n, sizeof *keep), least;
	char first[WHY];

	memcpy(first, why, sizeof first);
	for (unsigned i = 0; i < n; i++)
		keep[i] = i;
	printf("seed %llu, step %u: the switches differ: %s", (unsigned long long)seed, n, first);
	least = replay(b, keep, n) == n - 1 ? minimise(b, keep, n) : n;
	if (least == n)
		printf("not again when the steps are repeated; all of them:\n");
	else
		printf("%u steps bring it about:\n", least);
	if (least < n)
		minimise_burst(b, keep, least);
	for (unsigned i = 0; i < least; i++)
		print_op(&ops[keep[i]]);
	if (least < n && replay(b, keep, least) == least - 1)
		printf("%s", why);
	if (ops[keep[least - 1]].kind == OP_PACKETS)
		both_trace(b, &ops[keep[least - 1]], 0);
	free(keep);
}

/* False: a difference was found, and told. */
static bool
episode(struct both *b, uint64_t seed, unsigned steps)
{
	both_reset(b);
	gen_seed(seed);
	for (unsigned i = 0; i < steps; i++) {
		if (i + 1 == steps)
			ops[i] = (struct op){ .kind = OP_COUNTS };
		else
			gen_op(both_naive(b), &ops[i]);
		if (both_step(b, &ops[i], why, sizeof why))
			continue;
		report(b, seed, i + 1);
		return false;
	}
	return true;
}

static void
add_counts(struct both_counts *sum, const struct both *b)
{
	struct both_counts n;

	both_counts(b, &n);
	sum->steps += n.steps;
	sum->packets += n.packets;
	sum->copies += n.copies;
	sum->changes += n.changes;
	sum->refused += n.refused;
	sum->hits += n.hits;
	sum->upcalls += n.upcalls;
	sum->retranslated += n.retranslated;
	sum->evicted += n.evicted;
	sum->choices += n.choices;
	sum->skipped += n.skipped;
	sum->rules = MAX_OF(sum->rules, n.rules);
	sum->masks = MAX_OF(sum->masks, n.masks);
}

/* A test that compares nothing passes as well. */
static bool
looked_at_something(const struct both_counts *n)
{
	return n->packets > n->steps / 2 && n->copies > n->packets / 8 && n->hits > n->packets / 50 &&
	       n->retranslated > n->packets / 100 && n->changes > n->steps / 20 && n->refused < n->changes / 2 &&
	       n->skipped < n->packets / 10;
}

static bool
run(uint64_t seed, uint64_t steps)
{
	const char *const *isas = dp_isa_names();
	struct both_counts n = { 0 };
	unsigned n_isas = 0;
	bool ok = true;

	while (isas[n_isas])
		n_isas++;
	ops = xcalloc(EPISODE, sizeof *ops);
	for (unsigned world = 0; ok && n.steps < steps; world++) {
		/* A cache that is too small, and one that is not; each instruction set; both kinds of ports. */
		struct both *b = both_create(&(struct both_conf){
			.max_flows = world % 2 ? 48 : 8192, .isa = isas[world / 2 % n_isas], .frames = world % 4 > 1,
		});
		uint64_t left = steps - n.steps;

		for (unsigned i = 0; ok && i < WORLD && left; i++) {
			unsigned k = (unsigned)MIN_OF(left, (uint64_t)EPISODE);

			ok = episode(b, hash_mix(seed + world * 1000 + i), k);
			left -= k;
		}
		add_counts(&n, b);
		both_destroy(b);
	}
	free(ops);
	printf("# %llu steps: %llu packets, %llu copies, %llu changes (%llu refused), %llu hits, %llu upcalls, "
	       "%llu translated anew, %llu evicted, %llu choices, %llu skipped; %llu rules and %u masks at most\n",
	       (unsigned long long)n.steps, (unsigned long long)n.packets, (unsigned long long)n.copies,
	       (unsigned long long)n.changes, (unsigned long long)n.refused, (unsigned long long)n.hits,
	       (unsigned long long)n.upcalls, (unsigned long long)n.retranslated, (unsigned long long)n.evicted,
	       (unsigned long long)n.choices, (unsigned long long)n.skipped, (unsigned long long)n.rules, n.masks);
	if (ok && !looked_at_something(&n)) {
		printf("too little of something: the test proves nothing\n");
		return false;
	}
	return ok;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "steps", required_argument, NULL, 'n' }, { 0 },
	};
	uint64_t seed = 1, steps = 20000, start = clock_ms();
	bool ok;
	int c;

	while ((c = getopt_long(argc, argv, "s:n:", longs, NULL)) != -1) {
		if (c == 's') {
			seed = strtoull(optarg, NULL, 0);
		} else if (c == 'n') {
			steps = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: differ [--seed N] [--steps N]\n");
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	mem_eal_init();
	ok = run(seed, steps);
	printf("# %.1f s\n%s 1 - rules and caches agree, seed %llu\n1..1\n", (double)(clock_ms() - start) / 1000,
	       ok ? "ok" : "not ok", (unsigned long long)seed);
	return ok ? 0 : 1;
}
