/* SPDX-License-Identifier: Apache-2.0 */
/* Which polling threads a port's receive queues are for. */
#ifndef DATAPATH_RXQ_CONF_H
#define DATAPATH_RXQ_CONF_H

#include "base/opt.h"

struct rxq_conf {
	struct opt_strs cpus;           /* Numbers of CPUs; none: wherever there is time. */
};

extern const struct opt_desc rxq_opts[];        /* rx-cpus */

/* The CPUs as numbers, OPT_STRS_MAX at most.  How many, or -EINVAL. */
int rxq_conf_cpus(const struct rxq_conf *, unsigned cpu[OPT_STRS_MAX], struct err *);

#endif
