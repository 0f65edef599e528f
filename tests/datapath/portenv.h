/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of port types share: DPDK without hugepages, an owner, ports from option text, and a network
 * namespace of their own with a veth pair for those that need root. */
#ifndef TESTS_DATAPATH_PORTENV_H
#define TESTS_DATAPATH_PORTENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "datapath/ports.h"

extern struct rte_mempool *env_pool;
extern struct port_owner env_owner;

int env_start(void **state);                    /* Group setup: EAL, pool. */
int env_stop(void **state);
/* A network namespace for this process only; gone with it.  False: not permitted, skip the tests. */
bool env_netns(void);
/* Runs a command; fails the test unless it succeeds. */
void env_run(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Options as name, value, ..., NULL. */
struct port *env_port_try(const struct port_type *, const char *name, struct err *, ...);
struct port *env_port(const struct port_type *, const char *name, ...);
struct port_link env_link(struct port *);
void env_wait_up(struct port *);                /* The kernel takes its time to tell a carrier. */

/* A raw socket on an interface, as a test's hand on the other end.  No VLAN tricks: env_raw_recv() gives what
 * the kernel gives. */
int env_raw(const char *ifname);
void env_raw_send(int fd, const void *frame, size_t len);

struct rte_mbuf *env_frame(const void *bytes, uint32_t len);    /* In chained buffers when it is long. */
/* Polls until 'n' frames have come that 'wanted' likes (NULL: any; others are freed), at most five seconds. */
void env_rx(struct port *, struct rte_mbuf **, unsigned n, bool (*wanted)(const struct rte_mbuf *));
void env_no_mbuf_is_lost(void);

#endif
