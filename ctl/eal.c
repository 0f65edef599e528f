/* SPDX-License-Identifier: Apache-2.0 */
/* Starts DPDK's environment in a way that lets several switches live side by side: nothing shared,
 * nothing left in the file system, memory reserved for what was configured. */
#include "ctl/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/log.h"

enum {
	MB = 1 << 20,
	HUGE_MB = 2,
	MBUF_BYTES = 2496,              /* A packet buffer with its headers, rounded up. */
	OWN_MB = 32,                    /* Rings, device structures, the heap's own. */
	SPARE_MB = 256,                 /* Address space for devices that come later; takes memory only when used. */
};

/* --- CPUs -------------------------------------------------------------------------------------- */

static int
add_cpu(struct dp_conf *c, unsigned cpu, const cpu_set_t *allowed, struct err *e)
{
	if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, allowed))
		return err_set(e, ENOENT, "--lcores: there is no CPU %u that this process may use: see 'taskset -cp $$' "
			       "and /proc/cpuinfo", cpu);
	for (unsigned i = 0; i < c->n_lcores; i++)
		if (c->cpu[i] == cpu)
			return 0;
	if (c->n_lcores == DP_MAX_LCORES)
		return err_set(e, ERANGE, "--lcores: more than %d CPUs", DP_MAX_LCORES);
	c->cpu[c->n_lcores++] = cpu;
	return 0;
}

static int
parse_range(const char **s, unsigned *from, unsigned *to)
{
	char *end;
	unsigned long a, b;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	a = b = strtoul(*s, &end, 10);
	if (*end == '-') {
		*s = end + 1;
		if (**s < '0' || **s > '9')
			return -EINVAL;
		b = strtoul(*s, &end, 10);
	}
	if (a > b || b > 65535 || (*end && *end != ','))
		return -EINVAL;
	*from = (unsigned)a;
	*to = (unsigned)b;
	*s = *end ? end + 1 : end;
	return 0;
}

static unsigned
last_cpu(const cpu_set_t *allowed)
{
	unsigned last = 0;

	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, allowed))
			last = i;
	return last;
}

int
eal_parse_cpus(const char *list, struct dp_conf *c, struct err *e)
{
	const char *s = list;
	cpu_set_t allowed;

	c->n_lcores = 0;
	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return err_set(e, errno, "cannot ask which CPUs may be used: %s", strerror(errno));
	if (!list)
		return add_cpu(c, last_cpu(&allowed), &allowed, e);
	do {
		unsigned from, to;
		int rc = 0;

		if (parse_range(&s, &from, &to))
			return err_set(e, EINVAL, "--lcores: '%.60s' is no list of CPUs such as 1 or 2-3,5", list);
		for (; from <= to && !rc; from++)
			rc = add_cpu(c, from, &allowed, e);
		if (rc)
			return rc;
	} while (*s);
	return 0;
}

/* The control thread has its own work: kept off the CPUs that are polled, if it has any other. */
static void
leave_polling_cpus(const struct dp_conf *c, const cpu_set_t *before)
{
	cpu_set_t set = *before;

	for (unsigned i = 0; i < c->n_lcores; i++)
		CPU_CLR(c->cpu[i], &set);
	if (CPU_COUNT(&set) == 0)
		set = *before;
	if (sched_setaffinity(0, sizeof set, &set))
		log_warn("start: cannot choose the control thread's CPUs: %s", strerror(errno));
}

/* --- Memory ------------------------------------------------------------------------------------ */

static unsigned long
read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* What programs may still allocate without pushing others out, in MB; 0: unknown. */
static unsigned long
available_mb(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb / 1024;
}

static unsigned long
limit_mb(void)
{
	static const char *const paths[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
	unsigned long least = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		unsigned long mb = read_number(paths[i]) / MB;

		if (mb && (!least || mb < least))
			least = mb;
	}
	return least;
}

static unsigned
need_mb(const struct eal_conf *c)
{
	return (unsigned)((uint64_t)c->n_mbufs * MBUF_BYTES / MB) + OWN_MB;
}

static int
check_plain(unsigned need, struct err *e)
{
	unsigned long have = available_mb(), limit = limit_mb();
	unsigned long fits;

	if (limit && (!have || limit < have))
		have = limit;
	if (!have || have >= need)
		return 0;
	fits = have > OWN_MB ? (have - OWN_MB) * MB / MBUF_BYTES : 0;
	return err_set(e, ENOMEM, "not enough memory: packet buffers take %u MB, %lu MB are available, %lu MB are missing: "
		       "stop something, or set datapath.mbufs in weft.json to %lu or less", need, have, need - have, fits);
}

static int
choose_memory(const struct eal_conf *c, bool *huge, struct err *e)
{
	unsigned need = need_mb(c);
	unsigned long free_mb = read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") * HUGE_MB;

	*huge = c->huge != EAL_HUGE_OFF && free_mb >= need;
	if (*huge)
		return 0;
	if (c->huge == EAL_HUGE_ON)
		return err_set(e, ENOMEM, "not enough hugepages: packet buffers take %u MB, %lu MB are free, %lu MB are missing: "
			       "reserve %lu more with 'sysctl vm.nr_hugepages', or start with --hugepages=auto", need,
			       free_mb, need - free_mb, (need - free_mb + HUGE_MB - 1) / HUGE_MB);
	if (c->huge == EAL_HUGE_AUTO)
		log_info("start: %lu of %u MB free in hugepages: using plain memory", free_mb, need);
	return check_plain(need, e);
}

/* --- Its log in ours ---------------------------------------------------------------------------- */

/* Lines that DPDK takes more seriously than an operator should: all the words must be there, in this order. */
static const char *const noise[][3] = {
	/* That there are no pages of a size nobody asked for is no warning. */
	{ "hugepages reported on node" },
	/* A guest that ends hangs up.  The second line follows each failure to read, which has a line of its own. */
	{ "VHOST_CONFIG: (", ") recvmsg failed on fd ", "(Connection reset by peer)" },
	{ "VHOST_CONFIG: (", ") vhost read message failed" },
	{ "VHOST_CONFIG: (", ") vhost peer closed" },
};

static bool
has_words(const char *line, size_t len, const char *const words[3])
{
	const char *at = line;

	for (unsigned i = 0; i < 3 && words[i]; i++) {
		at = memmem(at, len - (size_t)(at - line), words[i], strlen(words[i]));
		if (!at)
			return false;
		at += strlen(words[i]);
	}
	return true;
}

enum log_level
eal_log_level(const char *line, size_t len, unsigned level)
{
	for (unsigned i = 0; i < ARRAY_SIZE(noise); i++)
		if (has_words(line, len, noise[i]))
			return LOG_LVL_DEBUG;
	return level <= RTE_LOG_ERR ? LOG_LVL_ERR : level <= RTE_LOG_WARNING ? LOG_LVL_WARN :
	       level <= RTE_LOG_INFO ? LOG_LVL_INFO : LOG_LVL_DEBUG;
}

static ssize_t
eal_log_write(void *cookie, const char *buf, size_t len)
{
	unsigned level = (unsigned)rte_log_cur_msg_loglevel();

	(void)cookie;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(buf + at, '\n', len - at);
		size_t n = end ? (size_t)(end - buf) - at : len - at;

		if (n)
			log_msg(eal_log_level(buf + at, n, level), "dpdk: %.*s", (int)n, buf + at);
		at += n + 1;
	}
	return (ssize_t)len;
}

static void
take_log(void)
{
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = eal_log_write });

	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, 1024);
	rte_openlog_stream(f);
}

/* --- Start -------------------------------------------------------------------------------------- */

/* The EAL keeps pointers to its arguments, and writes over the array. */
struct args {
	int n;
	char *v[32], *kept[32];
};

static void
arg(struct args *a, const char *s)
{
	a->kept[a->n] = a->v[a->n] = xstrdup(s);
	a->n++;
}

/* "0@0-3,6": one EAL thread, this one, on all CPUs we may use.  The polling threads are our own. */
static char *
main_lcore(const cpu_set_t *set)
{
	char *s = xcalloc(1, CPU_SETSIZE * 5 + 8);
	size_t n = (size_t)sprintf(s, "0@(");
	bool first = true;

	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, set))
			continue;
		n += (size_t)sprintf(s + n, "%s%u", first ? "" : ",", i);
		first = false;
	}
	sprintf(s + n, ")");
	return s;
}

/* A limit on address space is not what anyone sees in "Cannot preallocate VA space" or "Cannot init plugins". */
static int
explain_failure(int code, struct err *e)
{
	struct rlimit space;

	code = code ? code : EIO;
	if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur != RLIM_INFINITY)
		return err_set(e, ENOMEM, "DPDK does not start: %s: this process may use %llu MB of address space only: "
			       "lift that with 'ulimit -v unlimited', or without LimitAS= in the unit", rte_strerror(code),
			       (unsigned long long)space.rlim_cur / MB);
	return err_set(e, code, "DPDK does not start: %s (see its lines above)", rte_strerror(code));
}

int
eal_start(const struct eal_conf *c, const struct dp_conf *dp, struct err *e)
{
	static struct args a;           /* One per process, like the EAL. */
	char *lcore, mem[24];
	cpu_set_t before;
	bool huge;
	int rc = choose_memory(c, &huge, e);

	if (rc)
		return rc;
	if (sched_getaffinity(0, sizeof before, &before))
		return err_set(e, errno, "cannot ask which CPUs may be used: %s", strerror(errno));
	take_log();
	lcore = main_lcore(&before);
	arg(&a, "weftd");
	if (huge) {
		arg(&a, "--in-memory");
		/* A virtio_user device hands its far side a file for each piece of memory, eight at most. */
		arg(&a, "--single-file-segments");
	} else {
		snprintf(mem, sizeof mem, "%u", need_mb(c) + SPARE_MB);
		arg(&a, "--no-huge");
		arg(&a, "--no-shconf");
		arg(&a, "-m");
		arg(&a, mem);
	}
	arg(&a, "--no-telemetry");
	if (!c->pci)
		arg(&a, "--no-pci");
	arg(&a, "--lcores");
	arg(&a, lcore);
	arg(&a, "--log-level");
	arg(&a, "lib.eal:warning");
	free(lcore);
	if (rte_eal_init(a.n, a.v) < 0)
		return explain_failure(rte_errno, e);
	leave_polling_cpus(dp, &before);
	return 0;
}

void
eal_stop(void)
{
	rte_eal_cleanup();
}
