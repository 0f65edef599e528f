/* SPDX-License-Identifier: Apache-2.0 */
/* SIGBUS in guests' memory.  The handler takes no lock: entries live in chunks that are never freed, each entry is free
 * while its end is 0. */
#include "vhost/fault_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"
#include "vhost/vhost_priv.h"

enum { CHUNK = 64 };

struct vhp_fault {
	uintptr_t start, end;           /* Atomic; 'end' is written last, 0: free. */
	bool hit;                       /* Atomic. */
};

struct chunk {
	struct vhp_fault e[CHUNK];
	struct chunk *next;             /* Atomic. */
};

static struct chunk first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;        /* Of those who add and delete. */
static struct sigaction before;
static _Thread_local volatile bool in_message, message_hit;

static void *
zero_pages(void *at, size_t len)
{
	return mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

static struct vhp_fault *
find(uintptr_t addr)
{
	for (struct chunk *c = &first; c; c = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE))
		for (unsigned i = 0; i < CHUNK; i++) {
			struct vhp_fault *f = &c->e[i];

			if (addr < __atomic_load_n(&f->end, __ATOMIC_ACQUIRE) &&
			    addr >= __atomic_load_n(&f->start, __ATOMIC_RELAXED))
				return f;
		}
	return NULL;
}

/* The page sizes that memory may come in; a mapping of huge ones cannot be replaced in parts of one. */
static bool
mend_page(uintptr_t addr)
{
	static const size_t sizes[] = { 4096, 2 << 20, 1 << 30 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (zero_pages((void *)(addr & ~(sizes[i] - 1)), sizes[i]) != MAP_FAILED)
			return true;
	return false;
}

static void
on_sigbus(int sig, siginfo_t *info, void *context UNUSED)
{
	int saved = errno;
	struct vhp_fault *f = info->si_code > 0 ? find((uintptr_t)info->si_addr) : NULL;

	if (f && zero_pages((void *)f->start, f->end - f->start) != MAP_FAILED) {
		__atomic_store_n(&f->hit, true, __ATOMIC_RELEASE);
		vhp_watch_wake();
	} else if (info->si_code > 0 && in_message && mend_page((uintptr_t)info->si_addr)) {
		message_hit = true;
	} else {
		/* Not ours: the instruction is tried again, and meets whoever was here before. */
		sigaction(sig, &before, NULL);
		if (info->si_code <= 0)
			raise(sig);
	}
	errno = saved;
}

int
vhp_fault_install(struct err *e)
{
	static bool done;
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	int rc = 0;

	pthread_mutex_lock(&lock);
	sigemptyset(&sa.sa_mask);
	if (!done && sigaction(SIGBUS, &sa, &before))
		rc = err_set(e, errno, "vhost-user: cannot handle SIGBUS: %s", strerror(errno));
	else
		done = true;
	pthread_mutex_unlock(&lock);
	return rc;
}

struct vhp_fault *
vhp_fault_add(void *start, size_t len)
{
	struct vhp_fault *found = NULL;

	pthread_mutex_lock(&lock);
	for (struct chunk *c = &first; !found; c = c->next) {
		for (unsigned i = 0; i < CHUNK && !found; i++)
			if (!c->e[i].end)
				found = &c->e[i];
		if (!found && !c->next)
			__atomic_store_n(&c->next, xcalloc(1, sizeof *c), __ATOMIC_RELEASE);
	}
	__atomic_store_n(&found->hit, false, __ATOMIC_RELAXED);
	__atomic_store_n(&found->start, (uintptr_t)start, __ATOMIC_RELAXED);
	__atomic_store_n(&found->end, (uintptr_t)start + len, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	return found;
}

void
vhp_fault_del(struct vhp_fault *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&lock);
	__atomic_store_n(&f->end, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}

bool
vhp_fault_hit(const struct vhp_fault *f)
{
	return f && __atomic_load_n(&f->hit, __ATOMIC_ACQUIRE);
}

bool
vhp_fault_in_message(bool on)
{
	bool hit = message_hit;

	in_message = on;
	message_hit = false;
	return hit;
}
