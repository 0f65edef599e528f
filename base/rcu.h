/* SPDX-License-Identifier: Apache-2.0 */
/* Publication of immutable objects from the one control thread to the polling threads, over
 * DPDK's rte_rcu_qsbr.  The writer swaps a pointer and frees the old object when every reader has
 * reported a quiescent state since.  The writer never waits: it queues a callback, and
 * rcu_poll(), run from the control loop, calls it when its grace period is over. */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include "base/util.h"

struct rcu;

#define RCU_MAX_READERS 64

/* Publishes: what was written to *obj before is visible to whoever reads the pointer. */
#define rcu_assign(slot, obj) __atomic_store_n(&(slot), (obj), __ATOMIC_RELEASE)
/* [lcore] Valid until this thread's next rcu_quiescent(). */
#define rcu_read(slot) __atomic_load_n(&(slot), __ATOMIC_ACQUIRE)

struct rcu *rcu_create(void);
void rcu_destroy(struct rcu *);         /* All readers gone; runs what is still queued. */

/* [lcore] 'id' < RCU_MAX_READERS, one per thread. */
void rcu_online(struct rcu *, unsigned id);
void rcu_offline(struct rcu *, unsigned id);    /* Holds no pointer; may sleep now. */
void rcu_quiescent(struct rcu *, unsigned id);

/* [ctl] Calls fn(arg) from rcu_poll() after a grace period that starts now. */
void rcu_defer(struct rcu *, void (*fn)(void *), void *arg);
/* [ctl] Runs what is due.  Returns the number of callbacks still waiting. */
unsigned rcu_poll(struct rcu *);
/* Any thread but a reader: blocks until a grace period that starts now is over.  For library threads that
 * must not return before the lcores let go (rte_vhost callbacks); never the control thread. */
void rcu_synchronize(struct rcu *);
/* [ctl] Blocks until everything queued has run.  Shutdown only. */
void rcu_drain(struct rcu *);

#endif
