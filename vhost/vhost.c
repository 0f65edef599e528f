/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'vhost-user': a guest's virtio-net device.  Here are its options and its socket; the parts are listed
 * in vhost_priv.h. */
#include "vhost/vhost.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_vhost.h>

#include "vhost/call_priv.h"
#include "vhost/socket_priv.h"
#include "vhost/vhost_priv.h"

struct vhp_conf {
	int mode;
	char socket[108];               /* As many as a unix socket address takes. */
	char owner[33], group[33], access[5];
	uint32_t mtu;
	uint32_t queues;
	bool csum, tso, ufo;
};

#define F(name) (1ULL << (name))

/* Features of virtio and of the protocol.  What is the hypervisor's alone (VIRTIO_NET_F_CTRL_*, the speed) is offered
 * as well, since some ask us for it. */
static const uint64_t features_always =
	F(VIRTIO_F_VERSION_1) | F(VIRTIO_F_RING_PACKED) | F(VIRTIO_F_IN_ORDER) | F(VIRTIO_F_ANY_LAYOUT) |
	F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_RING_F_EVENT_IDX) | F(VIRTIO_NET_F_MRG_RXBUF) |
	F(VIRTIO_NET_F_CTRL_VQ) | F(VIRTIO_NET_F_CTRL_RX) | F(VIRTIO_NET_F_MQ) | F(VIRTIO_NET_F_GUEST_ANNOUNCE) |
	F(VIRTIO_NET_F_STATUS) | F(VIRTIO_NET_F_SPEED_DUPLEX) | F(VIRTIO_NET_F_MTU) | F(VHOST_F_LOG_ALL) |
	F(VHOST_USER_F_PROTOCOL_FEATURES);

/* What one side may leave to the other, in both directions. */
static const uint64_t features_csum = F(VIRTIO_NET_F_CSUM) | F(VIRTIO_NET_F_GUEST_CSUM);
static const uint64_t features_tso =
	F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_NET_F_HOST_TSO6) | F(VIRTIO_NET_F_HOST_ECN) |
	F(VIRTIO_NET_F_GUEST_TSO4) | F(VIRTIO_NET_F_GUEST_TSO6) | F(VIRTIO_NET_F_GUEST_ECN);
static const uint64_t features_ufo =
	F(VIRTIO_NET_F_HOST_UFO) | F(VIRTIO_NET_F_GUEST_UFO) | F(VQ_NET_F_HOST_USO) | F(VQ_NET_F_GUEST_USO4) |
	F(VQ_NET_F_GUEST_USO6);

static const uint64_t protocol_features =
	F(VHOST_USER_PROTOCOL_F_MQ) | F(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | F(VHOST_USER_PROTOCOL_F_RARP) |
	F(VHOST_USER_PROTOCOL_F_REPLY_ACK) | F(VHOST_USER_PROTOCOL_F_NET_MTU) | F(VHOST_USER_PROTOCOL_F_STATUS);

/* ---- Control thread ------------------------------------------------------------------------- */

/* The library tells each message of the protocol as 'info': what an operator needs is in link(). */
static void
quieten_library(void)
{
	rte_log_set_level_pattern("lib.vhost.config", RTE_LOG_CRIT);
	rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_CRIT);
}

/* Registers and starts.  In server mode the socket gets its owner before anyone else may connect. */
static int
vhp_start(struct vhp *v, const struct vhp_access *access, struct err *e)
{
	uint64_t flags = v->mode == VHP_CLIENT ? RTE_VHOST_USER_CLIENT : 0;
	mode_t mask;
	int rc;

	if (rte_vhost_driver_register(v->path, flags))
		return err_set(e, ENOMEM, "vhost-user: cannot register %s (at most 1024 sockets)", v->path);
	/* Setting features turns the library's own virtio-net off. */
	if (rte_vhost_driver_set_features(v->path, v->offered) ||
	    rte_vhost_driver_set_protocol_features(v->path, protocol_features) ||
	    rte_vhost_driver_callback_register(v->path, &vhp_device_ops)) {
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
	if (v->mode == VHP_SERVER)
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
	v->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->nudge < 0 || vhp_queue_epfd(v, 0) < 0)
		return err_set(e, errno, "vhost-user: cannot make event descriptors: %s", strerror(errno));
	return 0;
}

static void
vhp_close_fds(struct vhp *v)
{
	vhp_queue_fini(v);
	if (v->nudge >= 0)
		close(v->nudge);
}

/* Nothing is cut without partial checksums (virtio 1.2, 5.1.3.1). */
static uint64_t
offered_features(const struct vhp_conf *c)
{
	if (!c->csum)
		return features_always;
	return features_always | features_csum | (c->tso ? features_tso : 0) | (c->ufo ? features_ufo : 0);
}

const char *
vhp_turned_off(uint64_t features)
{
	if (features & features_csum)
		return " (csum is off; start the guest again)";
	if (features & features_tso)
		return features & features_ufo ? " (tso and ufo are off; start the guest again)" :
		       " (tso is off; start the guest again)";
	return features & features_ufo ? " (ufo is off; start the guest again)" : "";
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
	v->nudge = -1;
	v->n_queues = c->queues;
	v->offered = offered_features(c);
	p->n_rxq = (uint16_t)c->queues;
	p->n_txq = (uint16_t)c->queues;
	p->live_rxq = 1;
	p->mtu = c->mtu;

	rc = vhp_access_parse(c->owner, c->group, c->access, &access, e);
	if (!rc)
		rc = vhp_socket_path(p->owner->run_dir, c->socket, p->name, v->path, e);
	if (rc)
		return rc;
	other = vhp_registry_find(v->path);
	if (other)
		return err_set(e, EADDRINUSE, "%s is the socket of port %s already: set 'socket' to another path",
			       v->path, other->port->name);
	if (v->mode == VHP_SERVER)
		rc = vhp_socket_clear(v->path, e);
	if (rc)
		return rc;

	rc = vhp_fault_install(e);
	if (!rc)
		rc = vhp_watch_start(e);
	if (!rc)
		rc = vhp_call_start(e);
	if (rc)
		return rc;
	vhp_device_init(v);
	vhp_queue_init(v);
	rc = vhp_open_fds(v, e);
	if (rc)
		goto fail_fds;
	quieten_library();
	vhp_registry_add(v);
	rc = vhp_start(v, &access, e);
	if (rc)
		goto fail_start;
	return 0;

fail_start:
	vhp_registry_del(v);
fail_fds:
	vhp_device_close_all(v);
	vhp_close_fds(v);
	return rc;
}

/* No polling thread sees the port, and so nobody waits for one.  Unregistering ends the callbacks, after that nobody but
 * us knows of it. */
static void
vhp_close(struct port *p)
{
	struct vhp *v = p->priv;

	__atomic_store_n(&v->closing, true, __ATOMIC_RELAXED);
	rte_vhost_driver_unregister(v->path);
	vhp_registry_del(v);
	vhp_device_close_all(v);
	vhp_close_fds(v);
}

static void
say_unconnected(const struct vhp *v, struct port_link *l)
{
	size_t n;

	if (v->mode == VHP_SERVER)
		snprintf(l->reason, sizeof l->reason, "waiting for the guest to connect to %s", v->path);
	else if (access(v->path, F_OK))
		snprintf(l->reason, sizeof l->reason, "no socket %s: start the guest with server=on", v->path);
	else if (access(v->path, W_OK))
		snprintf(l->reason, sizeof l->reason, "no permission to connect to %s", v->path);
	else
		snprintf(l->reason, sizeof l->reason, "nobody answers on %s: is the guest running?", v->path);
	n = strlen(l->reason);
	if (l->detail[0])
		snprintf(l->reason + n, sizeof l->reason - n, "; last time %s", l->detail);
}

static void
vhp_link(struct port *p, struct port_link *l)
{
	struct vhp *v = p->priv;

	pthread_mutex_lock(&v->link_lock);
	*l = v->link;
	pthread_mutex_unlock(&v->link_lock);
	l->mtu = p->mtu;
	if (l->up)
		return;
	if (!l->reason[0])
		say_unconnected(v, l);
	snprintf(l->detail, sizeof l->detail, "%s %s", v->mode == VHP_SERVER ? "server" : "client", v->path);
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
	{ .name = "queues", .kind = OPT_U32, .offset = offsetof(struct vhp_conf, queues), .min = 1, .max = VHP_MAX_QUEUES,
	  .dflt = "8", .help = "most queue pairs that the guest may use; it gets as many as its hypervisor gives it",
	  .example = "4" },
	{ .name = "csum", .kind = OPT_BOOL, .offset = offsetof(struct vhp_conf, csum), .dflt = "true",
	  .help = "offer the guest to leave checksums to whoever needs them, both ways; without it 'tso' and 'ufo' are off",
	  .example = "false" },
	{ .name = "tso", .kind = OPT_BOOL, .offset = offsetof(struct vhp_conf, tso), .dflt = "true",
	  .help = "offer TCP segments of up to 64 KiB, both ways", .example = "false" },
	{ .name = "ufo", .kind = OPT_BOOL, .offset = offsetof(struct vhp_conf, ufo), .dflt = "true",
	  .help = "offer UDP datagrams longer than the MTU (UFO) and bundles of datagrams (USO), both ways",
	  .example = "false" },
	{ 0 },
};

const struct port_type vhp_vhost_user = {
	.name = "vhost-user",
	.caps = PORT_CAP_TX_SHARED | PORT_CAP_TX_COPIES,
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
	.frames = &vhp_frames,
};
