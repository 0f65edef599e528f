/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets that need packet buffers share. */
#ifndef TESTS_FUZZ_BUFS_H
#define TESTS_FUZZ_BUFS_H

#include <stdbool.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "base/util.h"

static inline void
must(bool ok)
{
	if (!ok)
		abort();
}

/* A pool of 'n' buffers, on plain memory and beside any other process of DPDK. */
static inline struct rte_mempool *
fuzz_pool(unsigned n)
{
	char *args[] = { (char *)"fuzz", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"64",
			 (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0", (char *)"--log-level",
			 (char *)"4" };
	struct rte_mempool *pool;

	must(rte_eal_init(ARRAY_SIZE(args), args) >= 0);
	pool = rte_pktmbuf_pool_create("fuzz", n, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	must(pool);
	return pool;
}

#endif
