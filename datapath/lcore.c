/* SPDX-License-Identifier: Apache-2.0 */
/* The polling thread: a turn takes a burst from each receive queue, runs it through the pipeline, flushes
 * the output buffers and reports quiescence.  With nothing to do for a while it arms the wake-up side of its
 * ports and sleeps. */
#include "datapath/dp_priv.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	NAP_US = 50,                    /* Sleep when some queue cannot wake anyone. */
	ERROR_NAP_MS = 1,               /* Sleep when all that is to be heard is errors, of an interface that is gone. */
	SLEEP_MS = 500,                 /* Sleep when all can: flows still have to expire. */
	REQUEST_BUDGET = 64,            /* Of a turn, in units of a packet of the control plane. */
	REQUEST_EVENTS = 4,             /* Places in the ring of events that only answers to requests take. */
};

static void
signal_fd(int fd)
{
	uint64_t one = 1;

	/* A full counter already means "wake up". */
	if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN)
		log_debug("eventfd %d: write: %s", fd, strerror(errno));
}

void
lcore_wake(struct lcore *lc)
{
	signal_fd(lc->wake_fd);
}

bool
lcore_event_room(const struct lcore *lc)
{
	return rte_ring_free_count(lc->events) > REQUEST_EVENTS;
}

void
lcore_event(struct lcore *lc, const struct dp_event *e)
{
	if (!rte_ring_sp_enqueue_elem(lc->events, (void *)(uintptr_t)e, sizeof *e))
		lc->event_kick = true;
}

static void
disarm_all(struct lcore *lc)
{
	const struct rxq_ref *rxq = lc->ports->lcore[lc->idx].rxq;

	for (unsigned i = 0; i < lc->ports->lcore[lc->idx].n; i++) {
		const struct port_sleep *sl = rxq[i].port->type->sleep;

		if (sl && !sl->always_poll)
			sl->disarm(rxq[i].port, rxq[i].q);
	}
}

static void
ports_changed(struct lcore *lc)
{
	lc->ports_serial = lc->ports->serial;
	poll_init(lc);
	/* A queue may come from a thread that slept on it. */
	disarm_all(lc);
	tx_forget_old_ports(lc);
	ctr_set(&lc->stats.n_rxq, lc->ports->lcore[lc->idx].n);
}

/* Arms every queue.  Returns how many fds to wait on, at most 'max' (ports may have several queues), or -1
 * when there is work already.  'naps' says that some queue cannot wake us. */
static int
arm_all(struct lcore *lc, struct pollfd *fds, int max, bool *naps)
{
	const struct rxq_ref *rxq = lc->ports->lcore[lc->idx].rxq;
	int n = 0;

	for (unsigned i = 0; i < lc->ports->lcore[lc->idx].n; i++) {
		const struct port_sleep *sl = rxq[i].port->type->sleep;
		bool pending = false;
		int fd;

		if (!sl || sl->always_poll) {
			*naps = true;
			continue;
		}
		fd = sl->arm(rxq[i].port, rxq[i].q, &pending);
		if (pending)
			return -1;
		if (fd >= 0 && n < max)
			fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		else if (fd >= 0 || fd == PORT_ARM_NAP)
			*naps = true;
	}
	return n;
}

static void
read_view(struct lcore *lc)
{
	/* The epoch first: a view read after it is at least as new, so an answer is never stamped newer than
	 * what it was made from. */
	lc->epoch = __atomic_load_n(&lc->dp->epoch, __ATOMIC_ACQUIRE);
	lc->view = rcu_read(lc->dp->view);
	lc->ports = lc->view->ports;
	if (UNLIKELY(lc->ports->serial != lc->ports_serial))
		ports_changed(lc);
}

static void
read_turn_state(struct lcore *lc)
{
	read_view(lc);
	lc->tsc = rte_rdtsc();
	lc->now = (uint32_t)(lc->tsc >> TICK_SHIFT);
}

/* What comes with a request, and what was published before it: it is run with a view that is as new. */
static void
run_requests(struct lcore *lc)
{
	void *p;

	for (unsigned spent = 0; spent < REQUEST_BUDGET;) {
		struct dp_request *r, **last = &lc->jobs;

		/* Running it may bring other events, but those leave places free. */
		if (!rte_ring_free_count(lc->events) || rte_ring_sc_dequeue(lc->requests, &p))
			return;
		r = p;
		spent += r->cost;
		read_view(lc);
		if (r->run(lc, r)) {
			lcore_event(lc, &(struct dp_event){ .kind = EV_REQUEST_DONE, .request = r });
			continue;
		}
		r->next = NULL;
		while (*last)
			last = &(*last)->next;
		*last = r;
	}
}

/* One step of the request that takes many turns. */
static void
run_job(struct lcore *lc)
{
	struct dp_request *r = lc->jobs;

	if (!rte_ring_free_count(lc->events) || !r->run(lc, r))
		return;
	lc->jobs = r->next;
	lcore_event(lc, &(struct dp_event){ .kind = EV_REQUEST_DONE, .request = r });
}

static void
kick_control(struct lcore *lc)
{
	if (UNLIKELY(lc->event_kick)) {
		lc->event_kick = false;
		signal_fd(lc->dp->event_fd);
	}
}

static bool
only_errors(const struct pollfd *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents & POLLIN)
			return false;
	return true;
}

/* Waits for a wake-up.  The caller has nothing buffered. */
static void
lcore_sleep(struct lcore *lc)
{
	struct pollfd fds[DP_MAX_PORTS + 1];
	uint64_t start = rte_rdtsc(), drained;
	bool naps = false;
	unsigned n_fds;
	int n = arm_all(lc, fds, DP_MAX_PORTS, &naps);
	struct timespec t = { 0, NAP_US * 1000 };

	if (n >= 0 && rte_ring_empty(lc->requests)) {
		if (!naps && lc->n_wait)
			t.tv_nsec = 10 * 1000 * 1000;
		else if (!naps)
			t.tv_nsec = SLEEP_MS * 1000 * 1000;
		fds[n++] = (struct pollfd){ .fd = lc->wake_fd, .events = POLLIN };
		n_fds = (unsigned)n;
		ctr_add(&lc->stats.sleeps, 1);
		/* The view may be freed while we are away. */
		lc->view = NULL;
		lc->ports = NULL;
		rcu_offline(lc->dp->rcu, lc->idx);
		n = ppoll(fds, (nfds_t)n, &t, NULL);
		if (UNLIKELY(n > 0 && only_errors(fds, n_fds)))
			poll(NULL, 0, ERROR_NAP_MS);
		rcu_online(lc->dp->rcu, lc->idx);
		if (n > 0)
			ctr_add(&lc->stats.wakeups, 1);
		if (read(lc->wake_fd, &drained, sizeof drained) < 0 && errno != EAGAIN)
			log_debug("eventfd %d: read: %s", lc->wake_fd, strerror(errno));
		/* Ports that were armed may be gone by now: only those of the present view are touched. */
		read_turn_state(lc);
		lc->ms = clock_ms();
	}
	disarm_all(lc);
	lc->tsc = rte_rdtsc();
	ctr_add(&lc->stats.sleep_cycles, lc->tsc - start);
}

static void
count_turn(struct lcore *lc, uint64_t spent)
{
	ctr_add(&lc->stats.turn_hist[dp_turn_bucket(spent)], 1);
	if (UNLIKELY(spent > lc->stats.turn_max))
		ctr_set(&lc->stats.turn_max, spent);
}

static void
account(struct lcore *lc, unsigned work)
{
	uint64_t now = rte_rdtsc(), spent = now - lc->tsc;

	ctr_add(&lc->stats.turns, 1);
	if (work) {
		ctr_add(&lc->stats.busy_turns, 1);
		ctr_add(&lc->stats.busy_cycles, spent);
		count_turn(lc, spent);
		lc->idle_since = 0;
		return;
	}
	ctr_add(&lc->stats.idle_cycles, spent);
	if (!lc->idle_since)
		lc->idle_since = now;
}

static bool
may_sleep(const struct lcore *lc)
{
	/* What a long sleep has left to the sweep would not be done in one turn, and then be slept on again. */
	return !lc->dp->conf.poll_always && lc->idle_since && !lc->n_dirty && !lc->jobs && !lc->sweep_left && !lc->misses.n && !lc->local.n &&
	       lc->tsc - lc->idle_since > lc->dp->conf.idle_us * lc->tsc_hz / 1000000 && lc->tsc > lc->idle_since;
}

unsigned
lcore_turn(struct lcore *lc)
{
	unsigned work;

	read_turn_state(lc);
	work = poll_queues(lc);
	if (UNLIKELY(lc->local.n))
		work += tun_local_service(lc);
	if (UNLIKELY(lc->n_wait))
		tun_wait_service(lc);
	if (UNLIKELY(lc->held))
		tun_held_service(lc, false);
	tx_flush_all(lc);
	if (UNLIKELY(miss_turn(lc))) {
		tx_flush_all(lc);
		work++;
	}
	if (UNLIKELY(!rte_ring_empty(lc->requests))) {
		run_requests(lc);
		tx_flush_all(lc);
	}
	if (UNLIKELY(lc->jobs))
		run_job(lc);
	upcall_sweep(lc, work);
	kick_control(lc);
	account(lc, work);
	return work;
}

static void *
lcore_main(void *arg)
{
	struct lcore *lc = arg;
	unsigned registered = rte_thread_register() == 0;

	prctl(PR_SET_TIMERSLACK, 1000UL);
	lc->ms = clock_ms();
	rcu_online(lc->dp->rcu, lc->idx);
	while (!__atomic_load_n(&lc->stop, __ATOMIC_ACQUIRE)) {
		lcore_turn(lc);
		/* Still with this turn's view: arming looks at its ports. */
		if (UNLIKELY(may_sleep(lc)))
			lcore_sleep(lc);
		rcu_quiescent(lc->dp->rcu, lc->idx);
	}
	tun_wait_drop_all(lc);
	tun_local_drop_all(lc);
	miss_drop_all(lc);
	tun_held_service(lc, true);
	tx_drop_all(lc);
	cache_flush(&lc->cache);
	rcu_offline(lc->dp->rcu, lc->idx);
	if (registered)
		rte_thread_unregister();
	return NULL;
}

enum { LCORE_STACK = 16 << 20 };

int
lcore_start(struct lcore *lc, struct err *e)
{
	pthread_attr_t attr;
	cpu_set_t set;
	char name[16];
	int rc;

	pthread_attr_init(&attr);
	/* Whatever the environment's limit is: a translation nests deep. */
	pthread_attr_setstacksize(&attr, LCORE_STACK);
	rc = pthread_create(&lc->thread, &attr, lcore_main, lc);
	pthread_attr_destroy(&attr);
	if (rc)
		return err_set(e, rc, "polling thread for cpu %u: %s", lc->cpu, strerror(rc));
	snprintf(name, sizeof name, "pmd-c%u", lc->cpu);
	pthread_setname_np(lc->thread, name);
	CPU_ZERO(&set);
	CPU_SET(lc->cpu, &set);
	rc = pthread_setaffinity_np(lc->thread, sizeof set, &set);
	if (rc)
		log_warn("polling thread: cannot run on cpu %u alone: %s", lc->cpu, strerror(rc));
	return 0;
}
