/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to guests that cannot hold anyone up. */
#include "vhost/call_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"

enum {
	TICK_MS = VHP_CALL_MAX_MS / 2,
	QUIET_TICKS = 100,              /* Without a call: the alarm thread goes to sleep. */
};

/* A thread that calls.  Never freed: threads that poll are few, and live long. */
struct caller {
	pthread_t thread;               /* [const] */
	uint32_t seq;                   /* Atomic; odd: in a call.  Written by the thread alone. */
	uint32_t seen;                  /* [alarm] 'seq' a tick ago. */
	struct caller *next;            /* [const] */
} CACHE_ALIGNED;

static struct caller *callers;          /* Atomic; grows at the front. */
static _Thread_local struct caller *me;
static bool awake;                      /* Atomic: the alarm thread looks once a tick. */
static int wake_fd = -1;
static const uint64_t one = 1;

static int
alarm_signal(void)
{
	return SIGRTMIN + 4;
}

static void
on_alarm(int sig UNUSED)
{
}

static struct caller *
caller_add(void)
{
	struct caller *c = xalloc_aligned(CACHE_LINE, sizeof *c);
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, alarm_signal());
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	c->thread = pthread_self();
	c->next = __atomic_load_n(&callers, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&callers, &c->next, c, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return me = c;
}

int
vhp_call(int fd)
{
	struct caller *c = me ? me : caller_add();
	int rc = 0;

	/* Either we see that the alarm thread has gone to sleep, or it sees that we call. */
	__atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_SEQ_CST);
	if (UNLIKELY(!__atomic_load_n(&awake, __ATOMIC_SEQ_CST)) && write(wake_fd, &one, sizeof one) < 0)
		rc = 0;
	if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN)
		rc = -errno;
	__atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_RELEASE);
	return rc;
}

/* One look.  True: somebody has called since the last one. */
static bool
look(void)
{
	bool any = false;

	for (struct caller *c = __atomic_load_n(&callers, __ATOMIC_ACQUIRE); c; c = c->next) {
		uint32_t seq = __atomic_load_n(&c->seq, __ATOMIC_SEQ_CST);

		if (seq & 1 && seq == c->seen)
			pthread_kill(c->thread, alarm_signal());
		any |= seq != c->seen || seq & 1;
		c->seen = seq;
	}
	return any;
}

static void *
alarm_main(void *arg UNUSED)
{
	static const struct timespec tick = { .tv_nsec = TICK_MS * 1000 * 1000 };
	unsigned quiet = 0;
	uint64_t n;

	for (;;) {
		nanosleep(&tick, NULL);
		quiet = look() ? 0 : quiet + 1;
		if (quiet < QUIET_TICKS)
			continue;
		__atomic_store_n(&awake, false, __ATOMIC_SEQ_CST);
		if (look() || read(wake_fd, &n, sizeof n) == sizeof n)
			quiet = 0;
		__atomic_store_n(&awake, true, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

int
vhp_call_start(struct err *e)
{
	struct sigaction sa = { .sa_handler = on_alarm }, is;
	sigset_t all, old;
	pthread_t tid;
	int rc;

	if (wake_fd >= 0)
		return 0;
	/* No SA_RESTART: it is there to end a system call. */
	sigemptyset(&sa.sa_mask);
	if (sigaction(alarm_signal(), NULL, &is) || is.sa_handler != SIG_DFL || sigaction(alarm_signal(), &sa, NULL))
		return err_set(e, EBUSY, "vhost-user: signal %d is in use", alarm_signal());
	wake_fd = eventfd(0, EFD_CLOEXEC);
	if (wake_fd < 0)
		return err_set(e, errno, "vhost-user: eventfd: %s", strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	__atomic_store_n(&awake, true, __ATOMIC_SEQ_CST);
	rc = pthread_create(&tid, NULL, alarm_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		close(wake_fd);
		wake_fd = -1;
		return err_set(e, rc, "vhost-user: cannot start a thread: %s", strerror(rc));
	}
	pthread_detach(tid);
	pthread_setname_np(tid, "vhost-alarm");
	return 0;
}
