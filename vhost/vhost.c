/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'vhost-user': a guest's virtio-net device.  rte_vhost speaks the protocol and, for
 * now, moves the packets too; everything that touches a ring is in the section "Rings" below.
 *
 * Who runs here: the control thread (open, close, link), polling threads (rx, tx, sleep), and two
 * threads of the library (callbacks).  The library knows devices by a number, 'vid', that it reuses
 * as soon as a callback has returned.  Polling threads find it in vhp->vid, or -1; a device goes
 * away in stages: take vid back, wait until every polling thread has let go of it, return to the
 * library, which frees the device.
 *
 * The wait is only made in destroy_device.  Other callbacks may run with the library's ring locks
 * held, for which a polling thread may be spinning: waiting for that thread would never end.  Nor is
 * it needed there, since the bursts take the same locks and see a disabled ring as empty. */
#include "vhost/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "vhost/socket_priv.h"

enum {
	Q_TO_GUEST,                     /* The guest's receive ring. */
	Q_FROM_GUEST,
	N_RINGS,
	MAX_CONNS = 3,
	BURST = 32,                     /* What the library takes at once. */
	PEER_TIMEOUT_MS = 500,          /* For the rest of a message that has begun. */
};

enum vhp_mode { MODE_CLIENT, MODE_SERVER };

struct vhp_conf {
	int mode;
	char socket[108];               /* As many as a unix socket address takes. */
	char owner[33], group[33], access[5];
	uint32_t mtu;
};

/* One hypervisor connected to the socket.  In server mode a second may be there for a moment, when a
 * guest is restarted before the library noticed the end of the first; it waits for its turn. */
struct vhp_conn {
	int vid;                        /* -1: free. */
	bool running;                   /* Between new_device and destroy_device. */
	bool exposed;                   /* Polling threads may hold its vid. */
	bool ring_on[N_RINGS];
	bool one_buffer;                /* It wants a frame in one buffer, and its ring can be asked for free ones. */
	int kickfd;                     /* Our duplicate, watched by vhp->epfd; -1: the guest gave none. */
};

struct vhp {
	struct port *port;              /* [const] */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* [const] */
	int mode;                       /* [const] */
	/* [const] Readable when a sleeper shall wake: it watches the kick of the ring in use and 'nudge', which
	 * tells that the device changed.  Both edge-triggered, so that nothing need be read from them: the kick
	 * is the guest's file, and a read could block. */
	int epfd, nudge;
	/* Written under 'lock' by callbacks, read by polling threads: the device whose rings run, or -1. */
	int vid;
	bool no_kick;                   /* It cannot wake anyone, likewise; may lag behind 'vid' harmlessly. */
	bool one_buffer;                /* As in its vhp_conn, likewise. */
	struct rte_mbuf *early;         /* [lcore] Taken from the ring by arm(), not given yet. */

	pthread_mutex_t lock;           /* Of what follows, which no polling thread touches. */
	struct vhp_conn conn[MAX_CONNS];
	uint64_t resets;
	bool closing;
	struct vhp *next;               /* In the registry, under its lock. */
};

/* From the library's callbacks to ports: by the path of the socket, all that a callback tells. */
static struct {
	pthread_mutex_t lock;
	struct vhp *first;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The result stays valid throughout a callback: close() ends those before it frees. */
static struct vhp *
registry_find(const char *path)
{
	struct vhp *v;

	pthread_mutex_lock(&registry.lock);
	for (v = registry.first; v && strcmp(v->path, path); v = v->next)
		;
	pthread_mutex_unlock(&registry.lock);
	return v;
}

static void
registry_add(struct vhp *v)
{
	pthread_mutex_lock(&registry.lock);
	v->next = registry.first;
	registry.first = v;
	pthread_mutex_unlock(&registry.lock);
}

static void
registry_del(struct vhp *v)
{
	pthread_mutex_lock(&registry.lock);
	for (struct vhp **p = &registry.first; *p; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			break;
		}
	pthread_mutex_unlock(&registry.lock);
}

/* ---- Connections: callbacks of the library ------------------------------------------------- */

static struct vhp *
vhp_of_vid(int vid)
{
	char path[PATH_MAX];

	return rte_vhost_get_ifname(vid, path, sizeof path) ? NULL : registry_find(path);
}

static struct vhp_conn *
conn_find(struct vhp *v, int vid)
{
	for (unsigned i = 0; i < MAX_CONNS; i++)
		if (v->conn[i].vid == vid)
			return &v->conn[i];
	return NULL;
}

static void
conn_drop_kick(struct vhp *v, struct vhp_conn *c)
{
	if (c->kickfd < 0)
		return;
	epoll_ctl(v->epfd, EPOLL_CTL_DEL, c->kickfd, NULL);
	close(c->kickfd);
	c->kickfd = -1;
}

/* The library closes its descriptor whenever the guest sends another: a duplicate is ours to time. */
static void
conn_take_kick(struct vhp *v, struct vhp_conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct rte_vhost_vring ring;

	conn_drop_kick(v, c);
	if (rte_vhost_get_vhost_vring(c->vid, Q_FROM_GUEST, &ring) || ring.kickfd < 0)
		return;
	c->kickfd = fcntl(ring.kickfd, F_DUPFD_CLOEXEC, 0);
	if (c->kickfd >= 0 && epoll_ctl(v->epfd, EPOLL_CTL_ADD, c->kickfd, &ev)) {
		close(c->kickfd);
		c->kickfd = -1;
	}
}

static void
conn_free(struct vhp *v, struct vhp_conn *c)
{
	conn_drop_kick(v, c);
	*c = (struct vhp_conn){ .vid = -1, .kickfd = -1 };
}

static bool
conn_ready(const struct vhp_conn *c)
{
	return c->vid >= 0 && c->running && c->ring_on[Q_TO_GUEST] && c->ring_on[Q_FROM_GUEST];
}

/* Chooses whose rings are used: who has them keeps them while it is ready. */
static void
publish(struct vhp *v)
{
	struct vhp_conn *best = v->vid >= 0 ? conn_find(v, v->vid) : NULL;

	if (best && !conn_ready(best))
		best = NULL;
	for (unsigned i = 0; !best && i < MAX_CONNS; i++)
		if (conn_ready(&v->conn[i]))
			best = &v->conn[i];
	if (best) {
		__atomic_store_n(&v->no_kick, best->kickfd < 0, __ATOMIC_RELAXED);
		__atomic_store_n(&v->one_buffer, best->one_buffer, __ATOMIC_RELAXED);
		best->exposed = true;
	}
	__atomic_store_n(&v->vid, best ? best->vid : -1, __ATOMIC_RELEASE);
	/* Whoever sleeps does it on what the old device promised. */
	eventfd_write(v->nudge, 1);
}

static void
tell_owner(struct vhp *v)
{
	struct port_owner *o = v->port->owner;

	if (!__atomic_load_n(&v->closing, __ATOMIC_RELAXED))
		o->changed(o, v->port);
}

static int
on_new_connection(int vid)
{
	struct vhp *v = vhp_of_vid(vid);

	if (!v)
		return -1;
	vhp_socket_set_timeouts(v->path, PEER_TIMEOUT_MS);
	pthread_mutex_lock(&v->lock);
	struct vhp_conn *c = conn_find(v, -1);

	if (c)
		c->vid = vid;
	pthread_mutex_unlock(&v->lock);
	tell_owner(v);
	return c ? 0 : -1;
}

static void
on_destroy_connection(int vid)
{
	struct vhp *v = vhp_of_vid(vid);

	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	struct vhp_conn *c = conn_find(v, vid);

	if (c)
		conn_free(v, c);
	pthread_mutex_unlock(&v->lock);
	tell_owner(v);
}

static int
on_new_device(int vid)
{
	struct vhp *v = vhp_of_vid(vid);

	if (!v)
		return -1;
	pthread_mutex_lock(&v->lock);
	struct vhp_conn *c = conn_find(v, vid);

	if (c) {
		uint64_t features = 0;

		rte_vhost_get_negotiated_features(vid, &features);
		c->one_buffer = !(features & (1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_F_RING_PACKED));
		c->running = true;
		/* Before anyone can arm the ring: we poll, the guest need not kick. */
		rte_vhost_enable_guest_notification(vid, Q_FROM_GUEST, 0);
		publish(v);
	}
	pthread_mutex_unlock(&v->lock);
	tell_owner(v);
	return c ? 0 : -1;
}

static void
on_destroy_device(int vid)
{
	struct vhp *v = vhp_of_vid(vid);
	struct port_owner *o;
	bool wait = false;

	if (!v)
		return;
	o = v->port->owner;
	pthread_mutex_lock(&v->lock);
	struct vhp_conn *c = conn_find(v, vid);

	if (c) {
		wait = c->exposed && !v->closing;
		c->running = c->exposed = false;
		v->resets++;
		publish(v);
	}
	pthread_mutex_unlock(&v->lock);
	if (wait)
		o->quiesce(o);
	tell_owner(v);
}

/* May run with the ring locks of the library held: see the top of the file. */
static int
on_vring_state_changed(int vid, uint16_t ring, int enable)
{
	struct vhp *v = vhp_of_vid(vid);

	if (!v)
		return -1;
	if (ring >= N_RINGS)
		return 0;
	pthread_mutex_lock(&v->lock);
	struct vhp_conn *c = conn_find(v, vid);

	if (c) {
		c->ring_on[ring] = enable;
		if (ring == Q_FROM_GUEST && enable)
			conn_take_kick(v, c);
		else if (ring == Q_FROM_GUEST)
			conn_drop_kick(v, c);
		publish(v);
	}
	pthread_mutex_unlock(&v->lock);
	tell_owner(v);
	return 0;
}

static const struct rte_vhost_device_ops vhp_ops = {
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state_changed,
};

/* ---- Rings: polling threads ----------------------------------------------------------------- */

static int
vid_get(const struct port *p)
{
	const struct vhp *v = p->priv;

	return __atomic_load_n(&v->vid, __ATOMIC_ACQUIRE);
}

static uint16_t
vhp_rx(struct port *p, uint16_t q UNUSED, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhp *v = p->priv;
	int vid = vid_get(p);
	uint16_t got = 0;

	if (UNLIKELY(v->early != NULL)) {
		pkts[got++] = v->early;
		v->early = NULL;
	}
	if (vid >= 0 && got < n)
		got += rte_vhost_dequeue_burst(vid, Q_FROM_GUEST, p->owner->pool, pkts + got, (uint16_t)(n - got));
	return got;
}

/* The library stops at a frame for which the guest has no buffers, and at one that is longer than the guest's: that
 * one would hold up all behind it for ever.  Whether the frame is such a one; takes it when it goes after all. */
static bool
is_too_long(const struct vhp *v, int vid, struct rte_mbuf **m, uint16_t *done)
{
	uint16_t sent;

	/* Buffers first, then the try: they may have come just now. */
	if (!__atomic_load_n(&v->one_buffer, __ATOMIC_RELAXED) || !rte_vhost_avail_entries(vid, Q_TO_GUEST))
		return false;
	sent = rte_vhost_enqueue_burst(vid, Q_TO_GUEST, m, 1);
	*done += sent;
	return !sent && rte_vhost_avail_entries(vid, Q_TO_GUEST);
}

static uint16_t
vhp_tx(struct port *p, uint16_t q UNUSED, struct rte_mbuf **pkts, uint16_t n)
{
	const struct vhp *v = p->priv;
	int vid = vid_get(p);
	uint16_t done = 0, sent, want;

	if (vid < 0) {
		port_tx_drop(p, DROP_TX_DOWN, n);
		rte_pktmbuf_free_bulk(pkts, n);
		return n;
	}
	while (done < n) {
		want = (uint16_t)MIN_OF(n - done, BURST);
		sent = rte_vhost_enqueue_burst(vid, Q_TO_GUEST, pkts + done, want);
		done += sent;
		if (LIKELY(sent == want))
			continue;
		sent = done;
		if (is_too_long(v, vid, &pkts[done], &done)) {
			port_tx_drop(p, DROP_TX_TOO_BIG, 1);
			done++;
		}
		if (done == sent)
			break;
	}
	rte_pktmbuf_free_bulk(pkts, done);
	return done;
}

/* Whether the guest has put something on its ring since the last burst.  The only way to know that is right for every
 * ring format, and safe while the guest's memory may be unmapped, is to take it: vhp_rx() gives it later.  A chain that
 * makes no sense is no packet, so a guest cannot keep anyone awake with one. */
static bool
ring_pending(struct vhp *v, int vid)
{
	struct rte_mempool *pool = v->port->owner->pool;

	if (v->early || __atomic_load_n(&v->no_kick, __ATOMIC_RELAXED))
		return true;
	if (rte_vhost_dequeue_burst(vid, Q_FROM_GUEST, pool, &v->early, 1))
		return true;
	/* A burst finds nothing, too, while the library handles a message: wait for its lock, try once more. */
	rte_vhost_enable_guest_notification(vid, Q_FROM_GUEST, 1);
	if (rte_vhost_dequeue_burst(vid, Q_FROM_GUEST, pool, &v->early, 1))
		return true;
	v->early = NULL;
	/* Nor was there anything to take it with, perhaps. */
	return rte_mempool_avail_count(pool) <= BURST;
}

static int
vhp_arm(struct port *p, uint16_t q UNUSED, bool *pending)
{
	struct vhp *v = p->priv;
	int vid = vid_get(p);

	*pending = false;
	if (vid >= 0) {
		rte_vhost_enable_guest_notification(vid, Q_FROM_GUEST, 1);
		/* The guest reads our wish after it has written its ring; we read its ring after our wish. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		*pending = ring_pending(v, vid);
	}
	return v->epfd;
}

static void
vhp_disarm(struct port *p, uint16_t q UNUSED)
{
	struct vhp *v = p->priv;
	struct epoll_event ev[4];
	int vid = vid_get(p);

	if (vid >= 0)
		rte_vhost_enable_guest_notification(vid, Q_FROM_GUEST, 0);
	while (epoll_wait(v->epfd, ev, ARRAY_SIZE(ev), 0) == ARRAY_SIZE(ev))
		;
}

static const struct port_sleep vhp_sleep = { .arm = vhp_arm, .disarm = vhp_disarm };

/* ---- Control thread ------------------------------------------------------------------------- */

/* Whatever makes frames differ from what is on a wire; and one queue pair. */
#define FEATURES_OFF (1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM | \
		      1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 | \
		      1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_GUEST_UFO | \
		      1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 | \
		      1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_HOST_UFO | \
		      1ULL << VIRTIO_NET_F_GSO | 1ULL << VIRTIO_NET_F_MQ)

/* The library tells each message of the protocol as 'info', and prints an error for each packet that a guest got
 * wrong: what an operator needs is in link(). */
static void
quieten_library(void)
{
	rte_log_set_level_pattern("lib.vhost.config", RTE_LOG_ERR);
	rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_CRIT);
}

/* Registers and starts.  In server mode the socket gets its owner before anyone else may connect. */
static int
vhp_start(struct vhp *v, const struct vhp_access *access, struct err *e)
{
	/* A frame comes in one piece: in a buffer of the pool, or when it is long in one of the heap, of at most 64 KiB.
	 * As a chain it might be as long as all of the guest's memory, and take every buffer there is. */
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | RTE_VHOST_USER_EXTBUF_SUPPORT |
			 RTE_VHOST_USER_LINEARBUF_SUPPORT;
	mode_t mask;
	int rc;

	if (v->mode == MODE_CLIENT)
		flags |= RTE_VHOST_USER_CLIENT;
	if (rte_vhost_driver_register(v->path, flags))
		return err_set(e, ENOMEM, "vhost-user: cannot register %s (at most 1024 sockets)", v->path);
	if (rte_vhost_driver_disable_features(v->path, FEATURES_OFF) ||
	    rte_vhost_driver_callback_register(v->path, &vhp_ops)) {
		rc = err_set(e, EIO, "vhost-user: cannot set up %s", v->path);
		goto fail;
	}
	mask = umask(0177);
	rc = rte_vhost_driver_start(v->path);
	umask(mask);
	if (rc) {
		rc = err_set(e, EIO, "vhost-user: cannot start on %s: see the log", v->path);
		goto fail;
	}
	if (v->mode == MODE_SERVER)
		rc = vhp_access_apply(v->path, access, e);
	if (rc)
		goto fail;
	return 0;
fail:
	v->closing = true;
	rte_vhost_driver_unregister(v->path);
	return rc;
}

static int
vhp_open_fds(struct vhp *v, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	v->epfd = epoll_create1(EPOLL_CLOEXEC);
	v->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->epfd < 0 || v->nudge < 0 || epoll_ctl(v->epfd, EPOLL_CTL_ADD, v->nudge, &ev))
		return err_set(e, errno, "vhost-user: cannot make event descriptors: %s", strerror(errno));
	return 0;
}

static void
vhp_close_fds(struct vhp *v)
{
	for (unsigned i = 0; i < MAX_CONNS; i++)
		conn_free(v, &v->conn[i]);
	if (v->nudge >= 0)
		close(v->nudge);
	if (v->epfd >= 0)
		close(v->epfd);
}

static int
vhp_open(struct port *p, const void *conf, struct err *e)
{
	const struct vhp_conf *c = conf;
	struct vhp *v = p->priv;
	struct vhp_access access;
	const struct vhp *other;
	int rc;

	v->port = p;
	v->mode = c->mode;
	v->vid = v->epfd = v->nudge = -1;
	for (unsigned i = 0; i < MAX_CONNS; i++)
		v->conn[i] = (struct vhp_conn){ .vid = -1, .kickfd = -1 };
	p->n_rxq = p->n_txq = 1;
	p->mtu = c->mtu;

	rc = vhp_access_parse(c->owner, c->group, c->access, &access, e);
	if (!rc)
		rc = vhp_socket_path(p->owner->run_dir, c->socket, p->name, v->path, e);
	if (rc)
		return rc;
	other = registry_find(v->path);
	if (other)
		return err_set(e, EADDRINUSE, "%s is the socket of port %s already: set 'socket' to another path",
			       v->path, other->port->name);
	if (v->mode == MODE_SERVER)
		rc = vhp_socket_clear(v->path, e);
	if (rc)
		return rc;

	rc = vhp_open_fds(v, e);
	if (rc)
		goto fail_fds;
	quieten_library();
	pthread_mutex_init(&v->lock, NULL);
	registry_add(v);
	rc = vhp_start(v, &access, e);
	if (rc)
		goto fail_start;
	return 0;

fail_start:
	registry_del(v);
	pthread_mutex_destroy(&v->lock);
fail_fds:
	vhp_close_fds(v);
	return rc;
}

/* No polling thread sees the port.  Unregistering ends the callbacks (it may run destroy_device itself, on this
 * thread), after that nobody but us knows of it. */
static void
vhp_close(struct port *p)
{
	struct vhp *v = p->priv;

	pthread_mutex_lock(&v->lock);
	__atomic_store_n(&v->closing, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&v->lock);
	rte_vhost_driver_unregister(v->path);
	registry_del(v);
	vhp_close_fds(v);
	rte_pktmbuf_free(v->early);
	pthread_mutex_destroy(&v->lock);
}

static void
say_unconnected(const struct vhp *v, struct port_link *l)
{
	if (v->mode == MODE_SERVER)
		snprintf(l->reason, sizeof l->reason, "waiting for the guest to connect to %s", v->path);
	else if (access(v->path, F_OK))
		snprintf(l->reason, sizeof l->reason, "no socket %s: start the guest with server=on", v->path);
	else if (access(v->path, W_OK))
		snprintf(l->reason, sizeof l->reason, "no permission to connect to %s", v->path);
	else
		snprintf(l->reason, sizeof l->reason, "nobody answers on %s: is the guest running?", v->path);
}

static void
say_device(const struct vhp *v, const struct vhp_conn *c, struct port_link *l)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ VIRTIO_F_VERSION_1, "virtio 1" }, { VIRTIO_F_RING_PACKED, "packed" },
		{ VIRTIO_NET_F_MRG_RXBUF, "mergeable" }, { VIRTIO_F_IN_ORDER, "in-order" },
		{ VIRTIO_RING_F_INDIRECT_DESC, "indirect" }, { VIRTIO_RING_F_EVENT_IDX, "event-idx" },
	};
	struct rte_vhost_vring to = { 0 }, from = { 0 };
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(c->vid, &features);
	rte_vhost_get_vhost_vring(c->vid, Q_TO_GUEST, &to);
	rte_vhost_get_vhost_vring(c->vid, Q_FROM_GUEST, &from);
	int n = snprintf(l->detail, sizeof l->detail, "%s, guest connected, rings %u+%u",
			 v->mode == MODE_SERVER ? "server" : "client", to.size, from.size);

	for (unsigned i = 0; i < ARRAY_SIZE(names) && n < (int)sizeof l->detail; i++)
		if (features >> names[i].bit & 1)
			n += snprintf(l->detail + n, sizeof l->detail - n, ", %s", names[i].name);
}

static void
vhp_link(struct port *p, struct port_link *l)
{
	struct vhp *v = p->priv;
	const struct vhp_conn *c = NULL;

	memset(l, 0, sizeof *l);
	l->mtu = p->mtu;
	snprintf(l->detail, sizeof l->detail, "%s %s", v->mode == MODE_SERVER ? "server" : "client", v->path);
	pthread_mutex_lock(&v->lock);
	l->resets = v->resets;
	l->up = v->vid >= 0;
	for (unsigned i = 0; i < MAX_CONNS; i++)
		if (v->conn[i].vid >= 0 && (!c || v->conn[i].vid == v->vid))
			c = &v->conn[i];
	if (l->up)
		say_device(v, c, l);
	else if (c)
		snprintf(l->reason, sizeof l->reason, "connected, driver not ready (rings not enabled)");
	else
		say_unconnected(v, l);
	pthread_mutex_unlock(&v->lock);
}

static const char *const mode_names[] = { "client", "server", NULL };

static const struct opt_desc vhp_opts[] = {
	{ .name = "mode", .kind = OPT_ENUM, .offset = offsetof(struct vhp_conf, mode), .names = mode_names,
	  .dflt = "client", .help = "who opens the socket: the guest (client) or the switch (server)", .example = "server" },
	{ .name = "socket", .kind = OPT_STR, .offset = offsetof(struct vhp_conf, socket), .max = 107,
	  .help = "path of the socket; relative to the run directory; default vhost/<port>.sock",
	  .example = "/run/vm1/net0.sock" },
	{ .name = "socket-owner", .kind = OPT_STR, .offset = offsetof(struct vhp_conf, owner), .max = 32,
	  .help = "user who owns the socket (mode=server)", .example = "libvirt-qemu" },
	{ .name = "socket-group", .kind = OPT_STR, .offset = offsetof(struct vhp_conf, group), .max = 32,
	  .help = "group of the socket (mode=server)", .example = "kvm" },
	{ .name = "socket-mode", .kind = OPT_STR, .offset = offsetof(struct vhp_conf, access), .max = 4,
	  .dflt = "0660", .help = "access bits of the socket, octal (mode=server)", .example = "0666" },
	{ .name = "mtu", .kind = OPT_U32, .offset = offsetof(struct vhp_conf, mtu), .min = 68, .max = 65535,
	  .dflt = "1500", .help = "largest packet sent to the guest; its own MTU must not be smaller", .example = "9000" },
	{ 0 },
};

const struct port_type vhp_vhost_user = {
	.name = "vhost-user",
	.caps = PORT_CAP_TX_SHARED,
	.priv_size = sizeof(struct vhp),
	.conf_size = sizeof(struct vhp_conf),
	.opts = vhp_opts,
	.help = "a guest's virtio-net device, over a unix socket",
	.open = vhp_open,
	.close = vhp_close,
	.link = vhp_link,
	.rx = vhp_rx,
	.tx = vhp_tx,
	.sleep = &vhp_sleep,
};
