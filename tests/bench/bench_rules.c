/* SPDX-License-Identifier: Apache-2.0 */
/* What the OpenFlow tables cost: changes and look-ups per second, bytes per rule.
 *
 *   bench_rules [RULES]          default 1000000 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "ofproto/table.h"

static uint64_t seed = 7;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 16) % n;
}

/* Of this thread, so that a busy machine does not show. */
static uint64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t
resident(void)
{
	unsigned long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu %lu", &size, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	return (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
ignore_mark(void *arg, dp_tag tag)
{
	(void)arg, (void)tag;
}

/* --- Kinds of rules ------------------------------------------------------------------------------------ */

/* ip,nw_dst=A.B.C.D */
static void
by_address(struct omatch *m, uint32_t i)
{
	m->flow.dl_type = be16(0x0800);
	m->mask.dl_type = 0xffff;
	m->flow.nw_dst = be32(0x0a000000 + i);
	m->mask.nw_dst = UINT32_MAX;
}

/* in_port=P,dl_dst=M */
static void
by_mac(struct omatch *m, uint32_t i)
{
	m->flow.in_port = be32(1 + i % 64);
	m->mask.in_port = UINT32_MAX;
	m->flow.dl_dst = (struct mac){ .b = { 2, 0, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
	memset(&m->mask.dl_dst, 0xff, sizeof m->mask.dl_dst);
}

/* in_port, MAC addresses, tcp, IP addresses, ports: all of OpenFlow 1.0. */
static void
by_all(struct omatch *m, uint32_t i)
{
	by_mac(m, i);
	by_address(m, i);
	m->flow.dl_src = (struct mac){ .b = { 2, 1, 0, 0, 0, 9 } };
	memset(&m->mask.dl_src, 0xff, sizeof m->mask.dl_src);
	m->mask.vlan[0].tci = 0xffff;
	m->flow.nw_src = be32(0x0b000000 + i / 3);
	m->mask.nw_src = UINT32_MAX;
	m->flow.nw_proto = 6;
	m->mask.nw_proto = 0xff;
	m->mask.nw_tos = 0xfc;
	m->flow.tp_src = be16((uint16_t)(i * 7));
	m->flow.tp_dst = be16(80);
	m->mask.tp_src = m->mask.tp_dst = 0xffff;
}

/* Addresses and ports of UDP, near to no others. */
static void
by_tuple(struct omatch *m, uint32_t i)
{
	m->flow.dl_type = be16(0x0800);
	m->mask.dl_type = 0xffff;
	m->flow.nw_proto = 17;
	m->mask.nw_proto = 0xff;
	m->flow.nw_src = be32(0x0a000000 + (i * 0x9e3779b1 & 0xffffff));
	m->flow.nw_dst = be32(0x14000000 + (i * 0x85ebca6b & 0xffffff));
	m->mask.nw_src = m->mask.nw_dst = UINT32_MAX;
	m->flow.tp_src = be16((uint16_t)(1024 + (i * 40503 & 0xffff) % 64000));
	m->flow.tp_dst = be16((uint16_t)(1 + (i * 25717 & 0xffff) % 65535));
	m->mask.tp_src = m->mask.tp_dst = 0xffff;
}

static const struct kind {
	const char *name;
	void (*make)(struct omatch *, uint32_t i);
} kinds[] = {
	{ "ip,nw_dst", by_address },
	{ "in_port,dl_dst", by_mac },
	{ "12 fields", by_all },
	{ "5-tuple", by_tuple },
};

static void
make_mod(struct of_flow_mod *fm, const struct kind *k, enum of_flow_mod_command c, uint32_t i)
{
	static struct of_act_output out = { .h = { .kind = OFA_OUTPUT, .len = sizeof out } };

	memset(fm, 0, sizeof *fm);
	fm->version = OF13;
	fm->command = (uint8_t)c;
	fm->priority = 100;
	fm->out_port = (uint32_t)OFPP_ANY;
	fm->out_group = OFG_ANY;
	fm->cookie = i;
	k->make(&fm->match, i);
	out.port = 1 + i % 64;
	fm->acts = (struct of_acts){ .a = &out.h, .len = sizeof out };
}

/* --- Changes ------------------------------------------------------------------------------------------- */

static double
change(struct of_pipe *p, const struct kind *k, enum of_flow_mod_command c, uint32_t n, uint32_t batch)
{
	struct of_who who = { .version = OF13 };
	uint64_t spent = 0;

	for (uint32_t i = 0; i < n;) {
		static struct of_flow_mod fm[1000];
		uint32_t some = MIN_OF(n - i, 1000u);
		uint64_t start;

		for (uint32_t j = 0; j < some; j++)
			make_mod(&fm[j], k, c, i + j);
		/* What is decoded is in the cache; making it is not what is measured. */
		start = cpu_us();
		for (uint32_t j = 0; j < some; j++) {
			struct of_act_output out = { .h = { .kind = OFA_OUTPUT, .len = sizeof out }, .port = 1 + (i + j) % 64 };
			struct of_error e;

			fm[j].acts.a = &out.h;
			if (of_flow_mod(p, &who, &fm[j], &e)) {
				printf("flow_mod: %s\n", e.why);
				exit(1);
			}
			if ((i + j + 1) % batch == 0)
				of_pipe_publish(p, NULL);
		}
		spent += cpu_us() - start;
		i += some;
	}
	of_pipe_publish(p, NULL);
	return (double)spent / n;
}

/* In a process of its own, whose memory nobody has used before. */
static void
bench_changes(const struct kind *k, uint32_t n)
{
	struct of_pipe *p = of_pipe_create(1, NULL, ignore_mark, NULL);
	uint64_t before = resident();
	struct of_pipe_stats s;
	double add, mod, del;
	uint64_t bytes;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child) {
		waitpid(child, NULL, 0);
		of_pipe_destroy(p);
		return;
	}
	add = change(p, k, OFFC_ADD, n, 100);
	bytes = resident() - before;
	of_pipe_stats(p, &s);
	mod = change(p, k, OFFC_MODIFY_STRICT, n, 100);
	del = change(p, k, OFFC_DELETE_STRICT, n, 100);
	printf("%-16s %8u  add %.3f us  modify %.3f us  delete %.3f us  %" PRIu64 " bytes/rule resident, %" PRIu64 " counted\n",
	       k->name, n, add, mod, del, bytes / n, s.rule_bytes / s.n_rules);
	of_pipe_destroy(p);
	fflush(stdout);
	_exit(0);
}

/* --- Look-ups ---------------------------------------------------------------------------------------------- */

enum { N_TABLES = 4, PER_TABLE = 1000, N_FLOWS = 4096 };

/* Rules of several masks: routes, services, stations. */
static void
wide(struct omatch *m, uint32_t i)
{
	m->flow.dl_type = be16(0x0800);
	m->mask.dl_type = 0xffff;
	if (i % 4 == 0) {
		m->mask.nw_dst = be32(UINT32_MAX << (i % 16));
		m->flow.nw_dst = be32(0x0a000000 + i * 0x101) & m->mask.nw_dst;
	} else if (i % 4 == 1) {
		m->flow.nw_proto = 6;
		m->mask.nw_proto = 0xff;
		m->flow.tp_dst = be16((uint16_t)i);
		m->mask.tp_dst = 0xffff;
	} else {
		m->flow.in_port = be32(1 + i % 64);
		m->mask.in_port = UINT32_MAX;
		m->flow.nw_src = be32(0x0b000000 + i);
		m->mask.nw_src = UINT32_MAX;
	}
}

static void
bench_lookups(const char *name, void (*make)(struct omatch *, uint32_t), bool one_priority)
{
	static struct oflow flow[N_FLOWS];
	struct of_pipe *p = of_pipe_create(1, NULL, ignore_mark, NULL);
	const struct kind k = { name, make };
	struct of_who who = { .version = OF13 };
	uint64_t start, us, hits = 0, bits = 0;
	unsigned n = 0;

	for (unsigned t = 0; t < N_TABLES; t++) {
		for (uint32_t i = 0; i < PER_TABLE; i++) {
			struct of_flow_mod fm;

			make_mod(&fm, &k, OFFC_ADD, i);
			fm.table_id = (uint8_t)t;
			fm.priority = one_priority ? 100 : (uint16_t)(1 + i % 7);
			of_flow_mod(p, &who, &fm, NULL);
		}
	}
	of_pipe_publish(p, NULL);
	for (unsigned i = 0; i < N_FLOWS; i++) {
		struct omatch m;

		memset(&m, 0, sizeof m);
		by_all(&m, rnd(PER_TABLE));
		make(&m, rnd(PER_TABLE));
		flow[i] = m.flow;
	}
	start = cpu_us();
	do {
		for (unsigned i = 0; i < N_FLOWS; i++, n++) {
			struct oflow wc;
			uint64_t v = of_pipe_version(p);

			memset(&wc, 0, sizeof wc);
			for (unsigned t = 0; t < N_TABLES; t++)
				hits += of_lookup(p, v, (uint8_t)t, &flow[i], &wc, NULL) != NULL;
			for (unsigned w = 0; n < N_FLOWS && w < OFLOW_WORDS; w++)
				bits += (unsigned)__builtin_popcountll(oflow_word(&wc, w));
		}
		us = cpu_us() - start;
	} while (us < 500000);
	printf("%-16s %u tables x %u rules: %.0f flows/s, %.3f us a table, %.0f%% hit, %.1f bits examined\n", name, N_TABLES,
	       PER_TABLE, n * 1e6 / (double)us, (double)us / n / N_TABLES, 100.0 * (double)hits / n / N_TABLES,
	       (double)bits / N_FLOWS);
	of_pipe_destroy(p);
}

int
main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000000;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		bench_changes(&kinds[i], MIN_OF(n, 100000u));
		if (n > 100000)
			bench_changes(&kinds[i], n);
	}
	bench_lookups("wide", wide, false);
	bench_lookups("ip,nw_dst", by_address, true);
	bench_lookups("12 fields", by_all, true);
	return 0;
}
