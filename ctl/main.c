/* SPDX-License-Identifier: Apache-2.0 */
/* weftd: starts the parts in order, runs the control loop, ends them in reverse.
 *
 * The control loop is libevent's, one turn at a time: after whatever a turn brought, the switch is polled
 * once, so that changes made by a command are published and finished without anyone having to ask. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/conf.h"
#include "ctl/daemon.h"
#include "ctl/options.h"
#include "ctl/ports.h"
#include "ctl/rpc.h"
#include "ctl/store.h"
#include "ctl/sw.h"
#include "tunnels/tun.h"

enum { GRACE_SPIN_US = 30, NEXT_SPIN_US = 40, NEXT_PAUSE_MAX = 1024 };

struct weftd {
	struct options opt;
	int lock_fd;
	struct store *store;
	json_t *doc;                    /* To start from. */
	bool eal;
	struct sw *sw;
	struct event_base *base;
	struct rpc *rpc;
	struct event *ev[9];
	unsigned n_ev;
	struct event *sig[3];           /* Freed last: a second SIGTERM must not cut the end short. */
	struct event *poll, *underlay, *bfd;    /* Timers; owned by ev[] as well. */
	uint64_t bfd_ms;                /* What 'bfd' is armed for. */
	bool stop;
};

/* --- The loop ----------------------------------------------------------------------------------- */

static void
on_nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void
arm(struct event *ev, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(ev, &tv);
}

static void
on_underlay(evutil_socket_t fd, short what, void *arg)
{
	struct weftd *w = arg;
	unsigned next = sw_underlay_poll(w->sw, clock_ms());

	(void)fd, (void)what;
	arm(w->underlay, MAX_OF(next, 1u));
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sw_tick(((struct weftd *)arg)->sw, clock_ms());
}

static void
on_tenth(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sw_tick_rules(((struct weftd *)arg)->sw, clock_ms());
}

static void
on_end(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	log_info("weftd: %s: ending", sig == SIGINT ? "SIGINT" : "SIGTERM");
	((struct weftd *)arg)->stop = true;
}

/* A file that cannot be read or applied changes nothing. */
static void
on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct weftd *w = arg;
	struct err e = { 0 };
	json_t *doc;
	int rc;

	(void)sig, (void)what;
	log_reopen();
	rc = w->store->ops->load(w->store, &doc, &e);
	if (rc == -ENOENT) {
		log_warn("config: SIGHUP: %s: the present configuration stays", e.msg);
		return;
	}
	if (!rc)
		rc = sw_load(w->sw, doc, false, &e);
	json_decref(doc);
	if (!rc) {
		log_info("config: SIGHUP: weft.json is in effect");
		return;
	}
	w->store->ops->refused(w->store);
	log_err("config: SIGHUP: ignored: %s", e.msg);
}

static int
add_event(struct weftd *w, int fd, short what, event_callback_fn cb, struct event **out)
{
	struct event *ev = event_new(w->base, fd, what, cb, w);

	if (!ev)
		return -ENOMEM;
	w->ev[w->n_ev++] = ev;
	if (out)
		*out = ev;
	else
		event_add(ev, NULL);
	return 0;
}

static int
add_signal(struct weftd *w, unsigned i, int sig, event_callback_fn cb)
{
	w->sig[i] = evsignal_new(w->base, sig, cb, w);
	return w->sig[i] ? event_add(w->sig[i], NULL) : -ENOMEM;
}

static int
loop_create(struct weftd *w, struct err *e)
{
	struct event *second = NULL, *tenth = NULL;
	int rc = 0;

	rc |= add_event(w, sw_event_fd(w->sw), EV_READ | EV_PERSIST, on_nothing, NULL);
	rc |= add_event(w, sw_underlay_fd(w->sw), EV_READ | EV_PERSIST, on_underlay, NULL);
	rc |= add_event(w, -1, 0, on_nothing, &w->poll);
	rc |= add_event(w, -1, 0, on_underlay, &w->underlay);
	rc |= add_event(w, -1, 0, on_nothing, &w->bfd);
	rc |= add_event(w, -1, EV_PERSIST, on_second, &second);
	rc |= add_event(w, -1, EV_PERSIST, on_tenth, &tenth);
	rc |= add_signal(w, 0, SIGTERM, on_end);
	rc |= add_signal(w, 1, SIGINT, on_end);
	rc |= add_signal(w, 2, SIGHUP, on_hup);
	if (rc)
		return err_set(e, ENOMEM, "the event loop cannot be made: out of memory");
	arm(second, 1000);
	arm(tenth, 100);
	arm(w->underlay, 1);
	return 0;
}

/* Grace periods under way end in microseconds, and nobody tells: a controller that waits for a barrier after each rule
 * is worth a short look.  A polling thread that shares our CPU ends none while we look, so it is short. */
static bool
poll_switch(struct weftd *w)
{
	uint64_t start = clock_us();
	bool again = sw_poll(w->sw);

	while (again && clock_us() - start < GRACE_SPIN_US)
		again = sw_poll(w->sw);
	return again;
}

/* Whoever waited for a change (a barrier after each rule) will most likely ask for the next one within microseconds,
 * sooner than a CPU falls asleep and wakes up again.  So its wish is looked out for a moment; where that does not pay,
 * because it takes its time or needs this very CPU, not for a while. */
struct lookout {
	uint64_t seen;                  /* sw_n_awaited() */
	unsigned pause, left;           /* Changes to go by without it, after the last failure, and from now on. */
};

static void
look_out(struct weftd *w, struct lookout *l)
{
	uint64_t start;

	if (sw_n_awaited(w->sw) == l->seen)
		return;
	l->seen = sw_n_awaited(w->sw);
	if (l->left) {
		l->left--;
		return;
	}
	start = clock_us();
	do {
		/* Once: what sw_poll() reads stays readable until then, and without it the loop would go on for ever. */
		if (event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) < 0 || w->stop)
			return;
		if (poll_switch(w))
			arm(w->poll, 1);
		if (sw_n_awaited(w->sw) != l->seen) {
			l->seen = sw_n_awaited(w->sw);
			l->pause = 0;
			start = clock_us();
		}
	} while (clock_us() - start < NEXT_SPIN_US);
	l->left = l->pause = MIN_OF(l->pause * 2 + 1, (unsigned)NEXT_PAUSE_MAX);
}

/* Whatever has happened may have changed when the next BFD packet is due. */
static void
run_bfd(struct weftd *w)
{
	uint64_t now = clock_ms(), due;
	unsigned next = sw_bfd_poll(w->sw, now);

	due = next ? now + next : 0;
	if (next && (due != w->bfd_ms || !evtimer_pending(w->bfd, NULL)))
		arm(w->bfd, next);
	w->bfd_ms = due;
}

static void
loop_run(struct weftd *w)
{
	struct lookout l = { 0 };

	while (!w->stop) {
		if (poll_switch(w))
			arm(w->poll, 1);
		look_out(w, &l);
		run_bfd(w);
		if (event_base_loop(w->base, EVLOOP_ONCE) < 0) {
			log_err("weftd: the event loop failed: %s", strerror(errno));
			break;
		}
	}
}

static void
events_free(struct weftd *w)
{
	for (unsigned i = 0; i < w->n_ev; i++)
		event_free(w->ev[i]);
	w->n_ev = 0;
}

static void
loop_destroy(struct weftd *w)
{
	events_free(w);
	for (unsigned i = 0; i < ARRAY_SIZE(w->sig); i++)
		if (w->sig[i])
			event_free(w->sig[i]);
	if (w->base)
		event_base_free(w->base);
}

/* --- Start -------------------------------------------------------------------------------------- */

static bool
previous_is_good(struct weftd *w)
{
	json_t *doc = NULL;
	bool good = !w->store->ops->load_previous(w->store, &doc, NULL) && !sw_check(doc, NULL);

	json_decref(doc);
	return good;
}

/* The message of a document that was refused, and what can be done about it, as two lines. */
static void
tell_refused(struct weftd *w, struct err *e)
{
	char advice[1000];

	log_err("config: %s", e->msg);
	if (previous_is_good(w) && w->store->ops->advice(w->store, advice, sizeof advice))
		log_err("config: %s", advice);
	e->msg[0] = '\0';
}

static int
load_config(struct weftd *w, struct err *e)
{
	int rc = 0;

	if (w->opt.use_previous) {
		rc = w->store->ops->use_previous(w->store, e);
		if (rc)
			return err_prefix(e, "--use-previous");
		log_warn("config: --use-previous: the previous document is the present one again");
	}
	rc = w->store->ops->load(w->store, &w->doc, e);
	if (rc == -ENOENT) {
		log_info("config: %s/weft.json does not exist: starting without bridges", w->opt.config_dir);
		w->doc = json_object();
		return 0;
	}
	if (!rc)
		return 0;
	err_prefix(e, "weft.json is unreadable");
	tell_refused(w, e);
	return rc;
}

static int
check_config(struct weftd *w, struct err *e)
{
	int rc;

	w->store = store_file_open(w->opt.config_dir, true, e);
	if (!w->store)
		return -e->code;
	rc = load_config(w, e);
	if (!rc) {
		rc = sw_check(w->doc, e);
		if (rc) {
			err_prefix(e, "%s/weft.json", w->opt.config_dir);
			tell_refused(w, e);
		}
	}
	if (!rc)
		printf("%s/weft.json: good\n", w->opt.config_dir);
	return rc;
}

static bool
wants_pci(const struct conf *c)
{
	for (unsigned i = 0; i < c->n_bridges; i++)
		for (unsigned j = 0; j < c->bridges[i].n_ports; j++) {
			const struct conf_port *p = &c->bridges[i].ports[j];

			if (p->type && ctl_port_wants_pci(p->type, p->opts))
				return true;
		}
	return false;
}

static int
start_eal(struct weftd *w, struct dp_conf *dp, const struct conf *c, struct err *e)
{
	const struct eal_conf eal = {
		.huge = w->opt.huge,
		.n_mbufs = c->dp.mbufs,
		.pci = wants_pci(c),
	};

	if (geteuid() != 0)
		log_warn("start: not root: ports of the kernel (netdev, internal) will be refused");
	return eal_start(&eal, dp, e);
}

static int
start_switch(struct weftd *w, struct err *e)
{
	struct conf *c = NULL;
	struct dp_conf dp = { 0 };
	int rc = sw_check(w->doc, e);

	if (rc) {
		err_prefix(e, "%s/weft.json", w->opt.config_dir);
		tell_refused(w, e);
		return rc;
	}
	c = conf_create(w->doc, e);
	rc = eal_parse_cpus(w->opt.lcores, &dp, e);
	if (!rc)
		rc = start_eal(w, &dp, c, e);
	if (!rc) {
		w->eal = true;
		dp.run_dir = w->opt.run_dir;
		dp.n_mbufs = c->dp.mbufs;
		dp.max_flows = c->dp.max_flows == CONF_AUTO ? 0 : c->dp.max_flows;
		if (c->dp.cache_memory != CONF_AUTO)
			dp.cache_bytes = (uint64_t)c->dp.cache_memory << 20;
		else if (!dp.max_flows)
			dp.cache_bytes = (uint64_t)CONF_CACHE_MEMORY << 20;
		dp.idle_us = c->dp.idle_us;
		dp.upcall_rate = c->dp.upcall_rate;
		tun_limits_set(&c->dp.held);
		dp.poll_always = c->dp.poll == CONF_POLL_ALWAYS;
		dp.isa = c->dp.isa;
		w->sw = sw_create(&dp, w->base, w->store, w->opt.state_dir, e);
		rc = w->sw ? sw_load(w->sw, w->doc, true, e) : -EIO;
	}
	conf_destroy(c);
	return rc;
}

/* A guest takes some ten descriptors; the usual soft limit of 1024 is no limit that anyone chose. */
static void
raise_fd_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
start(struct weftd *w, struct err *e)
{
	char path[4096];
	int rc;

	raise_fd_limit();
	w->lock_fd = daemon_lock(w->opt.run_dir, e);
	if (w->lock_fd < 0)
		return w->lock_fd;
	w->store = store_file_open(w->opt.config_dir, false, e);
	if (!w->store)
		return -EIO;
	w->base = event_base_new();
	if (!w->base)
		return err_set(e, EIO, "the event loop cannot be made");
	rc = load_config(w, e);
	if (!rc)
		rc = start_switch(w, e);
	if (!rc)
		rc = loop_create(w, e);
	if (rc)
		return rc;
	snprintf(path, sizeof path, "%s/weftd.sock", w->opt.run_dir);
	w->rpc = rpc_create(w->base, w->sw, path, e);
	return w->rpc ? 0 : -EIO;
}

/* Reverse order: nobody asks any more, nothing is forwarded any more, nothing is held any more. */
static void
end(struct weftd *w)
{
	rpc_destroy(w->rpc);
	events_free(w);
	sw_destroy(w->sw);
	if (w->eal)
		eal_stop();
	json_decref(w->doc);
	store_destroy(w->store);
	daemon_unlock(w->opt.run_dir, w->lock_fd);
	loop_destroy(w);
}

static void
tell_ready(const struct weftd *w, uint64_t since_ms)
{
	struct dp_mem_stats mem;

	dp_mem_stats(sw_dp(w->sw), &mem);
	log_info("weftd: ready after %llu ms: version %s, %u polling threads, %llu packet buffers in %s memory",
		 (unsigned long long)(clock_ms() - since_ms), WEFT_VERSION, dp_n_lcores(sw_dp(w->sw)),
		 (unsigned long long)mem.mbufs, mem.hugepages ? "hugepage" : "plain");
	daemon_notify("READY=1");
}

int
main(int argc, char **argv)
{
	struct weftd w = { .lock_fd = -1 };
	uint64_t since = clock_ms();
	struct err e = { 0 };
	int rc;

	log_init("");
	rc = options_parse(&w.opt, argc, argv);
	if (rc)
		return rc < 0 ? 2 : 0;
	log_set_level(w.opt.log_level);
	rc = w.opt.log_file ? log_to_file(w.opt.log_file) : 0;
	if (rc) {
		fprintf(stderr, "weftd: --log-file %s: %s\n", w.opt.log_file, strerror(-rc));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	rc = w.opt.check_config ? check_config(&w, &e) : start(&w, &e);
	if (rc && *e.msg)
		log_err("weftd: cannot start: %s", e.msg);
	if (!rc && !w.opt.check_config) {
		tell_ready(&w, since);
		loop_run(&w);
		daemon_notify("STOPPING=1");
	}
	end(&w);
	if (!rc && !w.opt.check_config)
		log_info("weftd: ended");
	return rc ? 1 : 0;
}
