/* SPDX-License-Identifier: Apache-2.0 */
/* The options of receive queues: without DPDK, for whoever reads configuration. */
#include "datapath/rxq_conf.h"

#include <errno.h>
#include <stdlib.h>

const struct opt_desc rxq_opts[] = {
	{ "rx-cpus", OPT_STR_LIST, offsetof(struct rxq_conf, cpus), 0, 4, NULL, NULL, false,
	  "CPUs of the polling threads that take its receive queues, in turn (default: those with time)", "2,3" },
	{ 0 }
};

int
rxq_conf_cpus(const struct rxq_conf *c, unsigned cpu[OPT_STRS_MAX], struct err *e)
{
	for (unsigned i = 0; i < c->cpus.n; i++) {
		const char *s = c->cpus.s[i];

		if (!*s || strspn(s, "0123456789") != strlen(s))
			return err_set(e, EINVAL, "rx-cpus: '%s' is not the number of a CPU", s);
		cpu[i] = (unsigned)strtoul(s, NULL, 10);
	}
	return c->cpus.n;
}
