/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath from the control thread's side: creation and end of the polling threads, their events, the table of
 * ports.  See dp.h; publication is in view.c, counters and dumps are in dp_stat.c. */
#include "datapath/dp_priv.h"
#include "datapath/reasm.h"
#include "datapath/tunnel_priv.h"

#include <errno.h>
#include <rte_arp.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf_pool_ops.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"

enum {
	POOL_CACHE = 256,
	EVENTS_PER_POLL = 1024,         /* Of one thread. */
};

/* --- Instruction sets ---------------------------------------------------------------------- */

static const struct dp_isa *const isas[] = { &dp_isa_v4, &dp_isa_v3, &dp_isa_v2 };

const char *const *
dp_isa_names(void)
{
	static const char *names[ARRAY_SIZE(isas) + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(isas); i++)
		if (isas[i]->supported())
			names[n++] = isas[i]->name;
	names[n] = NULL;
	return names;
}

static const struct dp_isa *
isa_choose(const char *want, struct err *e)
{
	bool any = !want || !strcmp(want, "auto");

	for (unsigned i = 0; i < ARRAY_SIZE(isas); i++) {
		if (!any && strcmp(want, isas[i]->name))
			continue;
		if (isas[i]->supported())
			return isas[i];
		if (!any) {
			err_set(e, ENOTSUP, "isa %s: this CPU cannot run it; use isa=auto", want);
			return NULL;
		}
	}
	err_set(e, EINVAL, "isa %s: unknown; one of auto, x86-64-v2, x86-64-v3, x86-64-v4", want ? want : "auto");
	return NULL;
}

/* --- Port owner: called by port types, from any thread -------------------------------------- */

static void
owner_changed(struct port_owner *o, struct port *p)
{
	struct dp *dp = CONTAINER_OF(o, struct dp, owner);
	uint64_t one = 1;

	__atomic_fetch_or(&dp->changed_ports[p->id / 64], 1ull << (p->id % 64), __ATOMIC_RELEASE);
	/* A sleeping thread has to arm the port's new fds. */
	for (unsigned i = 0; i < dp->n_lcores; i++)
		lcore_wake(dp->lcore[i]);
	if (write(dp->event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
		log_warn("datapath: cannot signal the control thread: %s", strerror(errno));
}

static void
owner_quiesce(struct port_owner *o)
{
	rcu_synchronize(CONTAINER_OF(o, struct dp, owner)->rcu);
}

/* --- Creation ------------------------------------------------------------------------------ */

static void
lcore_free(struct lcore *lc)
{
	if (!lc)
		return;
	miss_fini(lc);
	reasm_destroy(lc->reasm);
	cache_fini(&lc->cache);
	map_free(lc->tx, DP_MAX_PORTS * sizeof *lc->tx);
	map_free(lc->pstats, DP_MAX_PORTS * sizeof *lc->pstats);
	map_free(lc->budget, DP_MAX_PORTS * sizeof *lc->budget);
	rte_ring_free(lc->requests);
	rte_ring_free(lc->events);
	tell_fini(lc);
	if (lc->wake_fd >= 0)
		close(lc->wake_fd);
	poll_fini(lc);
	free(lc->frames);
	loans_destroy(lc->loans);
	free(lc);
}

static struct lcore *
lcore_create(struct dp *dp, unsigned idx, const struct dp_isa *isa, struct err *e)
{
	struct lcore *lc = xalloc_aligned(CACHE_LINE, sizeof *lc);
	char name[32];

	lc->dp = dp;
	lc->idx = idx;
	lc->cpu = dp->conf.cpu[idx];
	lc->isa = isa;
	lc->pool = dp->pool;
	lc->tsc_hz = rte_get_tsc_hz();
	lc->frames = xalloc_aligned(CACHE_LINE, sizeof *lc->frames);
	frames_shadow_init(lc);
	lc->loans = loans_create();
	lc->reasm = reasm_create();
	lc->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	lc->tx = map_zeroed(DP_MAX_PORTS * sizeof *lc->tx);
	lc->pstats = map_zeroed(DP_MAX_PORTS * sizeof *lc->pstats);
	lc->budget = map_zeroed(DP_MAX_PORTS * sizeof *lc->budget);
	snprintf(name, sizeof name, "weft-req-%p-%u", (void *)dp, idx);
	lc->requests = rte_ring_create(name, REQUEST_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof name, "weft-ev-%p-%u", (void *)dp, idx);
	lc->events = rte_ring_create_elem(name, sizeof(struct dp_event), EVENT_RING, SOCKET_ID_ANY,
					  RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (lc->wake_fd < 0 || !lc->loans || !lc->tx || !lc->pstats || !lc->budget || !lc->requests || !lc->events ||
	    tell_init(lc) || miss_init(lc) || cache_init(&lc->cache, dp->conf.max_flows, dp->conf.cache_bytes)) {
		err_set(e, ENOMEM, "polling thread %u: not enough memory for its flow cache", idx);
		lcore_free(lc);
		return NULL;
	}
	lc->cache.credit = upcall_credit;
	lc->cache.credit_arg = lc;
	lc->stats.cpu = lc->cpu;
	lc->stats.tsc_hz = lc->tsc_hz;
	lc->stats.max_flows = lc->cache.max_flows;
	return lc;
}

/* The packet buffers.  On plain memory DPDK's own constructor starts each buffer on a page of its own, so that
 * none crosses into another: for devices that address physical memory.  There are none then, and dense
 * buffers take 40 % less. */
static struct rte_mempool *
pool_create(const char *name, uint32_t n)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE };
	struct rte_mempool *pool;

	if (rte_eal_has_hugepages())
		return rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	pool = rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, POOL_CACHE,
					sizeof priv, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!pool)
		return NULL;
	rte_pktmbuf_pool_init(pool, &priv);
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) ||
	    rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

struct dp *
dp_create(const struct dp_conf *conf, struct err *e)
{
	const struct dp_isa *isa = isa_choose(conf->isa, e);
	struct dp *dp;
	char name[32];

	if (!isa)
		return NULL;
	if (conf->n_lcores < 1 || conf->n_lcores > DP_MAX_LCORES) {
		err_set(e, EINVAL, "%u polling threads: 1 to %u are possible", conf->n_lcores, DP_MAX_LCORES);
		return NULL;
	}
	dp = xcalloc(1, sizeof *dp);
	dp->conf = *conf;
	dp->rcu = rcu_create();
	dp->epoch = 1;
	dp->tag_epoch = map_zeroed(DP_N_TAGS * sizeof *dp->tag_epoch);
	dp->rxq_stat = map_zeroed(DP_MAX_PORTS * MAX_RXQ * sizeof *dp->rxq_stat);
	dp->balance_tsc = rte_rdtsc();
	dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!dp->tag_epoch || !dp->rxq_stat || dp->event_fd < 0) {
		err_set(e, errno, "datapath: %s", strerror(errno));
		goto fail;
	}
	snprintf(name, sizeof name, "weft-pool-%p", (void *)dp);
	dp->pool = pool_create(name, conf->n_mbufs);
	if (!dp->pool) {
		err_set(e, rte_errno, "packet buffers: cannot get %u of %u bytes: %s", conf->n_mbufs,
			RTE_MBUF_DEFAULT_BUF_SIZE, rte_strerror(rte_errno));
		goto fail;
	}
	dp->opts_key[0] = hash_random_seed();
	dp->opts_key[1] = hash_random_seed();
	dp->owner = (struct port_owner){
		.changed = owner_changed,
		.quiesce = owner_quiesce,
		.run_dir = conf->run_dir,
		.pool = dp->pool,
		.n_lcores = conf->n_lcores,
	};
	for (unsigned i = 0; i < DP_MAX_PORTS; i++)
		pthread_mutex_init(&dp->tx_lock[i], NULL);
	for (unsigned i = 0; i < conf->n_lcores; i++) {
		dp->lcore[i] = lcore_create(dp, i, isa, e);
		if (!dp->lcore[i])
			goto fail;
		dp->n_lcores++;
	}
	dp->view = dp_view_build(dp);
	for (unsigned i = 0; i < dp->n_lcores; i++) {
		if (lcore_start(dp->lcore[i], e)) {
			lcore_free(dp->lcore[i]);
			dp->lcore[i] = NULL;
			for (unsigned j = i + 1; j < dp->n_lcores; j++)
				lcore_free(dp->lcore[j]);
			dp->n_lcores = i;
			goto fail;
		}
	}
	return dp;

fail:
	dp_destroy(dp);
	return NULL;
}

static void
port_free(void *arg)
{
	port_destroy(arg);
}

/* Requests that were answered, or never will be, still belong to someone. */
static void
finish_requests(struct dp *dp, struct lcore *lc)
{
	struct dp_request *job;
	struct dp_event ev;
	void *r;

	while (!rte_ring_sc_dequeue_elem(lc->events, &ev, sizeof ev))
		if (ev.kind == EV_REQUEST_DONE)
			ev.request->done(dp, ev.request);
	while ((job = lc->jobs)) {
		lc->jobs = job->next;
		job->done(dp, job);
	}
	while (!rte_ring_sc_dequeue(lc->requests, &r))
		((struct dp_request *)r)->done(dp, r);
}

/* In stages: end the threads (nobody reads any more), then release what they read, then themselves. */
void
dp_destroy(struct dp *dp)
{
	if (!dp)
		return;
	dp->closing = true;
	for (unsigned i = 0; i < dp->n_lcores; i++) {
		if (!dp->lcore[i]->thread)
			continue;
		__atomic_store_n(&dp->lcore[i]->stop, true, __ATOMIC_RELEASE);
		lcore_wake(dp->lcore[i]);
		pthread_join(dp->lcore[i]->thread, NULL);
		finish_requests(dp, dp->lcore[i]);
	}
	dp_fold_cancel(dp);
	if (dp->rcu)
		rcu_drain(dp->rcu);
	meters_free(dp);
	for (unsigned i = 0; i < DP_MAX_PORTS; i++) {
		port_destroy(dp->port[i]);
		free(dp->guard[i]);
	}
	dp_dead_run(dp);
	if (dp->xlate_destroy)
		dp->xlate_destroy((void *)(uintptr_t)dp->xlate_view);
	tun_view_destroy(dp->tun_view);
	dp_view_free((void *)(uintptr_t)dp->view);
	for (unsigned i = 0; i < dp->n_lcores; i++)
		lcore_free(dp->lcore[i]);
	rcu_destroy(dp->rcu);
	rte_mempool_free(dp->pool);
	map_free(dp->tag_epoch, DP_N_TAGS * sizeof *dp->tag_epoch);
	map_free(dp->rxq_stat, DP_MAX_PORTS * MAX_RXQ * sizeof *dp->rxq_stat);
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	free(dp->punt_frame);
	free(dp);
}

uint32_t
dp_tun_used(const struct dp *dp, uint32_t dst)
{
	return dst < TUN_MAX_DST ? __atomic_load_n(&dp->tun_used[dst], __ATOMIC_RELAXED) : 0;
}

void
dp_tun_used_reset(struct dp *dp, uint32_t dst)
{
	if (dst < TUN_MAX_DST)
		__atomic_store_n(&dp->tun_used[dst], 0, __ATOMIC_RELAXED);
}

/* --- Events -------------------------------------------------------------------------------- */

int
dp_event_fd(const struct dp *dp)
{
	return dp->event_fd;
}

static void
handle_event(struct dp *dp, struct dp_event *ev)
{
	switch (ev->kind) {
	case EV_LEARN:
		if (dp->conf.learn)
			dp->conf.learn(dp->conf.arg, &ev->learn);
		break;
	case EV_RESOLVE:
		if (dp->conf.resolve)
			dp->conf.resolve(dp->conf.arg, ev->tun_dst);
		break;
	case EV_PEER:
		if (dp->conf.peer)
			dp->conf.peer(dp->conf.arg, &ev->peer);
		break;
	case EV_REFUSED:
		dp->conf.refused(dp->conf.arg, &ev->refused);
		break;
	case EV_REQUEST_DONE:
		ev->request->done(dp, ev->request);
		break;
	}
}

/* Whether there is more than was taken.  What comes meanwhile signals again: a thread with much to tell must not keep
 * us here. */
static bool
take_events(struct dp *dp, struct lcore *lc)
{
	unsigned n = rte_ring_count(lc->events);
	bool more = n > EVENTS_PER_POLL;
	struct dp_event ev;

	for (n = MIN_OF(n, (unsigned)EVENTS_PER_POLL); n && !rte_ring_sc_dequeue_elem(lc->events, &ev, sizeof ev); n--)
		handle_event(dp, &ev);
	return tell_take(dp, lc) || more;
}

/* A guest has moved here: a request for its own protocol address, which nobody answers, tells all who learn from source
 * addresses (RFC 903; the form that QEMU and other hypervisors use). */
static void
announce(struct dp *dp, uint16_t id)
{
	uint64_t a = __atomic_exchange_n(&dp->port[id]->announce, 0, __ATOMIC_ACQUIRE);
	struct __attribute__((packed, aligned(2))) {
		struct mac dst, src;
		rte_be16_t type;
		struct rte_arp_hdr arp;
		uint8_t pad[18];
	} f = {
		.dst = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.type = RTE_BE16(RTE_ETHER_TYPE_RARP),
		.arp = { .arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER), .arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			 .arp_hlen = 6, .arp_plen = 4, .arp_opcode = RTE_BE16(RTE_ARP_OP_REVREQUEST) },
	};

	if (!(a & PORT_ANNOUNCE))
		return;
	memcpy(&f.src, &a, sizeof f.src);
	memcpy(&f.arp.arp_data.arp_sha, &a, sizeof f.src);
	memcpy(&f.arp.arp_data.arp_tha, &a, sizeof f.src);
	if (dp_inject(dp, id, &f, sizeof f))
		log_warn("port %s: cannot announce the guest that moved here: too much is under way", dp->port[id]->name);
}

bool
dp_poll(struct dp *dp)
{
	uint64_t drained, one = 1;
	bool more = false;

	if (read(dp->event_fd, &drained, sizeof drained) < 0 && errno != EAGAIN)
		log_debug("datapath: event fd: %s", strerror(errno));
	for (unsigned w = 0; w < DP_MAX_PORTS / 64; w++) {
		uint64_t bits = __atomic_exchange_n(&dp->changed_ports[w], 0, __ATOMIC_ACQUIRE);

		for (; bits; bits &= bits - 1) {
			uint16_t id = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(bits));

			if (dp->port[id])
				dp_view_follow(dp, dp->port[id]);
			if (dp->conf.port_changed && dp->port[id])
				dp->conf.port_changed(dp->conf.arg, id);
			if (dp->port[id])
				announce(dp, id);
		}
	}
	for (unsigned i = 0; i < dp->n_lcores; i++)
		more |= take_events(dp, dp->lcore[i]);
	if (more && write(dp->event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
		log_debug("datapath: event fd: %s", strerror(errno));
	return rcu_poll(dp->rcu) != 0 || more;
}

/* --- Ports --------------------------------------------------------------------------------- */

struct port *
dp_port(const struct dp *dp, uint16_t id)
{
	return id < DP_MAX_PORTS ? dp->port[id] : NULL;
}

/* What was counted under a number before belongs to the port that had it. */
static void
stats_rebase(struct dp *dp, uint16_t id)
{
	struct dp_port_stats now;

	memset(&dp->stats_base[id], 0, sizeof dp->stats_base[id]);
	dp_port_stats(dp, id, &now);
	dp->stats_base[id] = now;
}

struct port *
dp_port_add(struct dp *dp, const struct port_type *type, const char *name, uint16_t id, const void *conf,
	    struct err *e)
{
	struct port *p;

	if (!id)
		for (id = 1; id < DP_MAX_PORTS && dp->port[id]; id++)
			;
	if (id >= DP_MAX_PORTS) {
		err_set(e, ENOSPC, "port %s: all %u port numbers are taken", name, DP_MAX_PORTS - 1);
		return NULL;
	}
	if (dp->port[id]) {
		err_set(e, EEXIST, "port %s: number %u belongs to %s", name, id, dp->port[id]->name);
		return NULL;
	}
	p = port_create(type, &dp->owner, name, id, conf, e);
	if (!p)
		return NULL;
	stats_rebase(dp, id);
	rxq_new_port(dp, id);
	dp->port[id] = p;
	dp->serial[id]++;
	dp_tag_changed(dp, dp_tag_make(TAG_PORT, id));
	dp->ports_dirty = true;
	return p;
}

void
dp_port_del(struct dp *dp, struct port *p)
{
	dp->port[p->id] = NULL;
	rxq_forget_port(dp, p->id);
	dp_tag_changed(dp, dp_tag_make(TAG_PORT, p->id));
	dp_dead_add(dp, port_free, p);
	dp->ports_dirty = true;
}
