/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel interface over AF_XDP, by DPDK's driver net_af_xdp.  Three things are amiss there (22.11), and
 * are made up for here:
 *
 * It has no receive interrupts.  Its sockets are readable while frames wait, but it keeps them to itself:
 * they are found among the open files.
 *
 * It forgets to close them (a reference count is off by one), so the interface could not be opened again.
 *
 * It lends buffers of its mempool to the kernel and never takes them back: each close would lose some two
 * thousand.  So each port has a pool of its own, from which only the driver allocates.  A buffer that is
 * neither free nor was ever received (the driver sets mbuf->port in its rx) was with the kernel; once the
 * socket is closed it is ours again.  Those that were received are still on their way through the switch,
 * or in the queue of another device: the pool stays until they are back. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include "base/clock.h"
#include "datapath/xdp_priv.h"

enum {
	MAX_FD = 4096,
	LENT = 4096,                    /* Of each queue, to the kernel: fill ring and receive ring. */
	RELEASE_MS = 1000,              /* More than enough for the kernel to let go of a closed socket. */
	IN_FLIGHT = 4096,               /* In the switch and in transmit rings. */
	PORT_FREE = 0xfffe,             /* mbuf->port of a free buffer while buffers are sorted. */
};

/* ---- Sockets -------------------------------------------------------------------------------- */

static bool
is_xdp_socket(int fd)
{
	int domain;
	socklen_t len = sizeof domain;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) && domain == AF_XDP;
}

static void
find_sockets(bool set[MAX_FD])
{
	for (int fd = 0; fd < MAX_FD; fd++)
		set[fd] = is_xdp_socket(fd);
}

/* Those that are new since 'before' are ours. */
static void
watch_new_sockets(struct xdp *x, const bool before[MAX_FD])
{
	struct epoll_event ev = { .events = EPOLLIN };

	for (int fd = 0; fd < MAX_FD && x->n_sock < ARRAY_SIZE(x->sock); fd++)
		if (!before[fd] && is_xdp_socket(fd))
			x->sock[x->n_sock++] = fd;
	x->epfd = x->n_sock ? epoll_create1(EPOLL_CLOEXEC) : -1;
	for (unsigned i = 0; x->epfd >= 0 && i < x->n_sock; i++)
		epoll_ctl(x->epfd, EPOLL_CTL_ADD, x->sock[i], &ev);
}

/* After the driver has closed. */
static void
close_forgotten_sockets(const struct xdp *x)
{
	for (unsigned i = 0; i < x->n_sock; i++)
		if (is_xdp_socket(x->sock[i]))
			close(x->sock[i]);
}

/* ---- Buffers -------------------------------------------------------------------------------- */

/* [ctl] Pools of closed ports that wait for their last buffers, and for the kernel: it lets go of a socket some
 * time after it was closed, and a NIC may write to a lent buffer until then. */
static struct {
	struct rte_mempool *pool[16];
	unsigned n;
	uint64_t last_ms;               /* When the latest came. */
} leaving;

static void
pools_reap(void)
{
	if (clock_ms() - leaving.last_ms < RELEASE_MS)
		return;
	for (unsigned i = 0; i < leaving.n;) {
		if (rte_mempool_full(leaving.pool[i])) {
			rte_mempool_free(leaving.pool[i]);
			leaving.pool[i] = leaving.pool[--leaving.n];
		} else {
			i++;
		}
	}
}

/* Like 'model', but with the buffers packed in one piece of memory: the driver lends the kernel the memory from the
 * first on, as long as all of them take without gaps.  rte_pktmbuf_pool_create() leaves gaps, so that no buffer crosses
 * a page, when there are no hugepages.  And without caches of threads: a buffer in one would look like one that the
 * kernel has. */
static struct rte_mempool *
pool_make(const char *name, unsigned n, struct rte_mempool *model)
{
	uint16_t priv_len = rte_pktmbuf_priv_size(model);
	struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE, .mbuf_priv_size = priv_len };
	unsigned elt_len = (unsigned)sizeof(struct rte_mbuf) + priv_len + RTE_MBUF_DEFAULT_BUF_SIZE;
	struct rte_mempool *pool = rte_mempool_create_empty(name, n, elt_len, 0, sizeof priv, model->socket_id,
							    RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	if (!pool)
		return NULL;
	rte_pktmbuf_pool_init(pool, &priv);
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) ||
	    rte_mempool_populate_default(pool) < 0 || pool->nb_mem_chunks != 1) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static struct rte_mempool *
pool_create(const struct port *p, unsigned n_queues, struct err *e)
{
	static unsigned serial;
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	pools_reap();
	snprintf(name, sizeof name, "xdp%u", serial++);
	pool = pool_make(name, n_queues * LENT + IN_FLIGHT, p->owner->pool);
	if (!pool)
		err_set(e, ENOMEM, "no memory for %u packet buffers of AF_XDP", n_queues * LENT + IN_FLIGHT);
	return pool;
}

static void
take_lent(struct rte_mempool *pool UNUSED, void *arg UNUSED, void *obj, unsigned i UNUSED)
{
	struct rte_mbuf *m = obj;

	if (m->port == RTE_MBUF_PORT_INVALID) {
		m->port = PORT_FREE;
		rte_mbuf_raw_free(m);
	}
}

/* The driver is closed: nobody allocates any more. */
static void
pool_release(struct rte_mempool *pool)
{
	struct rte_mbuf **m = calloc(pool->size, sizeof *m);
	unsigned n = 0;

	if (!m)
		abort();
	while (n < pool->size && !rte_mempool_get(pool, (void **)&m[n]))
		m[n++]->port = PORT_FREE;
	rte_mempool_obj_iter(pool, take_lent, NULL);
	rte_mempool_put_bulk(pool, (void **)m, n);
	free(m);
	pools_reap();
	leaving.last_ms = clock_ms();
	/* One too many is lost: better than freed under a buffer in use. */
	if (leaving.n < ARRAY_SIZE(leaving.pool))
		leaving.pool[leaving.n++] = pool;
}

/* ---- The port ------------------------------------------------------------------------------- */

static void
xdp_release(struct xdp *x)
{
	if (x->epfd >= 0)
		close(x->epfd);
	close_forgotten_sockets(x);
	pool_release(x->pool);
}

int
xdp_open(struct xdp *x, struct port *p, const char *ifname, unsigned n_queues, uint32_t rx_slots, struct err *e)
{
	char devargs[128];
	bool before[MAX_FD];
	int rc;

	n_queues = MIN_OF(n_queues, (unsigned)ETHDEV_MAX_Q);
	x->pool = pool_create(p, n_queues, e);
	if (!x->pool)
		return -ENOMEM;
	find_sockets(before);
	/* The number keeps names apart when a port is closed and opened anew under the same name. */
	snprintf(devargs, sizeof devargs, "net_af_xdp_%s_%u,iface=%s,start_queue=0,queue_count=%u", ifname, p->id, ifname,
		 n_queues);
	do {
		rc = ethdev_open(&x->ed, p, &(struct ethdev_conf){
			.devargs = devargs, .pool = x->pool, .n_rxq = (uint16_t)n_queues,
			.n_desc = (uint16_t)MIN_OF(rx_slots, 2048u) }, e);
	} while (rc < 0 && clock_ms() - leaving.last_ms < RELEASE_MS && !usleep(20000));
	watch_new_sockets(x, before);
	if (rc < 0)
		xdp_release(x);
	return rc;
}

void
xdp_close(struct xdp *x)
{
	ethdev_close(&x->ed);
	xdp_release(x);
}

int
xdp_arm(struct xdp *x, uint16_t q, bool *pending)
{
	if (x->epfd < 0)
		return ethdev_arm(&x->ed, q, pending);
	/* Readable as long as a ring holds frames: what waits already needs no look. */
	*pending = false;
	return x->epfd;
}

void
xdp_disarm(struct xdp *x, uint16_t q)
{
	if (x->epfd < 0)
		ethdev_disarm(&x->ed, q);
}
