/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment: the CPUs we poll on, where packet memory comes from, and its log in ours. */
#ifndef CTL_EAL_H
#define CTL_EAL_H

#include "base/err.h"
#include "base/log.h"
#include "datapath/dp.h"

enum eal_huge { EAL_HUGE_AUTO, EAL_HUGE_ON, EAL_HUGE_OFF };

struct eal_conf {
	enum eal_huge huge;
	uint32_t n_mbufs;
	bool pci;                       /* A port needs PCI devices to be looked for. */
};

/* "2-3,5": the CPUs of the polling threads.  NULL: the last CPU this process may use.  -EINVAL or -ENOENT
 * with the CPU that is not there. */
int eal_parse_cpus(const char *list, struct dp_conf *, struct err *);

/* Starts the EAL, once per process.  Before that it looks whether there is memory for what 'conf' takes, in
 * hugepages or plain, and says how much is missing and what to change.  Afterwards it leaves the polling CPUs
 * to the polling threads, where this thread has another one to run on. */
int eal_start(const struct eal_conf *, const struct dp_conf *, struct err *);
void eal_stop(void);

/* How serious a line of DPDK's log is for our operator; 'level' is RTE_LOG_*.  Lines that belong to normal
 * operation are LOG_LVL_DEBUG, whatever DPDK thinks of them. */
enum log_level eal_log_level(const char *line, size_t len, unsigned level);

#endif
