/* SPDX-License-Identifier: Apache-2.0 */
/* The watch thread, one for all vhost-user ports: it takes the rings away from guests that broke them, which means
 * waiting for the polling threads, and those cannot wait for themselves. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "vhost/vhost_priv.h"

static int wake_fd = -1;

void
vhp_watch_wake(void)
{
	uint64_t one = 1;

	/* A full counter will do. */
	if (write(wake_fd, &one, sizeof one) < 0)
		return;
}

static void *
watch_main(void *arg UNUSED)
{
	struct pollfd f = { .fd = wake_fd, .events = POLLIN };
	uint64_t n;

	for (;;) {
		if (poll(&f, 1, -1) <= 0)
			continue;
		if (read(wake_fd, &n, sizeof n) == sizeof n)
			vhp_registry_each(vhp_device_check);
	}
	return NULL;
}

int
vhp_watch_start(struct err *e)
{
	sigset_t all, old;
	pthread_t tid;
	int rc;

	if (wake_fd >= 0)
		return 0;
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wake_fd < 0)
		return err_set(e, errno, "vhost-user: eventfd: %s", strerror(errno));
	/* Signals are for the main thread. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&tid, NULL, watch_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		close(wake_fd);
		wake_fd = -1;
		return err_set(e, rc, "vhost-user: cannot start a thread: %s", strerror(rc));
	}
	pthread_detach(tid);
	pthread_setname_np(tid, "vhost-watch");
	return 0;
}
