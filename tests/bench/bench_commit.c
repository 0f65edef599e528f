/* SPDX-License-Identifier: Apache-2.0 */
/* What a commit costs the control thread when rules change: a new translator's view and a few marked tags, with a
 * polling thread that goes round.
 *
 * usage: bench_commit [commits per row]      (needs no root) */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/clock.h"
#include "datapath/dp.h"

static int
bench_open(struct port *p, const void *conf UNUSED, struct err *e UNUSED)
{
	p->n_rxq = p->n_txq = 1;
	p->mtu = 1500;
	return 0;
}

static void
bench_close(struct port *p UNUSED)
{
}

static uint16_t
no_rx(struct port *p UNUSED, uint16_t q UNUSED, struct rte_mbuf **m UNUSED, uint16_t n UNUSED)
{
	return 0;
}

static const struct port_type type = { .name = "bench", .open = bench_open, .close = bench_close, .rx = no_rx };

static void
translate(const void *view UNUSED, const struct flow_key *key UNUSED, const struct xlate_pkt *pkt UNUSED,
	  struct xlate_out *out)
{
	out->drop = DROP_NO_DEST;
}

static void
port_mask(const void *view UNUSED, uint16_t port UNUSED, struct flow_key *m)
{
	memset(m, 0xff, sizeof *m);
}

static uint64_t
masks_version(const void *view UNUSED)
{
	return 1;
}

static void
touch(const void *view UNUSED, uint64_t t UNUSED)
{
}

static void
row(unsigned n_ports, bool version, unsigned commits)
{
	struct xlate_ops ops = { .translate = translate, .port_mask = port_mask, .touch = touch,
				 .masks_version = version ? masks_version : NULL };
	struct dp_conf conf = { .n_lcores = 1, .cpu = { 1 }, .run_dir = "/tmp", .n_mbufs = 1024, .max_flows = 1024,
				.idle_us = 1000, .xlate = &ops };
	struct err e = { 0 };
	struct dp *dp = dp_create(&conf, &e);
	uint64_t start;

	if (!dp) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	for (unsigned i = 0; i < n_ports; i++) {
		char name[32];

		snprintf(name, sizeof name, "p%u", i);
		dp_port_add(dp, &type, name, 0, NULL, &e);
	}
	dp_set_xlate_view(dp, "view", NULL);
	dp_commit(dp, NULL, NULL);
	start = clock_us();
	for (unsigned i = 0; i < commits; i++) {
		dp_set_xlate_view(dp, malloc(64), free);
		for (unsigned t = 0; t < 4; t++)
			dp_tag_changed(dp, dp_tag_make(TAG_TABLE, i * 4 + t));
		dp_commit(dp, NULL, NULL);
		dp_poll(dp);
	}
	printf("%8u  %-7s  %8.2f\n", n_ports, version ? "known" : "asked", (double)(clock_us() - start) / commits);
	while (dp_poll(dp))
		usleep(100);
	dp_destroy(dp);
}

int
main(int argc, char **argv)
{
	char *eal[] = { argv[0], (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64", (char *)"--no-pci",
			(char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1", (char *)"--log-level", (char *)"4", NULL };
	unsigned commits = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;

	if (rte_eal_init(ARRAY_SIZE(eal) - 1, eal) < 0)
		return 1;
	printf("%8s  %-7s  %8s\n", "ports", "masks", "us");
	for (unsigned i = 0; i < 6; i++)
		row((const unsigned[]){ 2, 50, 1000 }[i % 3], i >= 3, commits);
	return 0;
}
