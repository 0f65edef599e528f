/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'internal': the host's own leg on a bridge, a tap device named like the port.  It asks
 * the kernel for no offload, so frames come with their checksums and at most one MTU long.
 *
 * Each frame costs a system call each way.  That suits what it is for (addresses of the host, DHCP,
 * management); a guest belongs on vhost-user. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "base/ctr.h"
#include "datapath/loan.h"
#include "datapath/netif_priv.h"
#include "datapath/ports.h"

enum {
	FRAME_EXTRA = 14 + 2 * 4,       /* Ethernet header, two tags. */
	MAX_SEGS = LOAN_SEGS + 4,
};

struct tap_conf {
	struct mac mac;
	uint32_t mtu;
};

struct tap {
	int fd;                         /* [const] */
	int ctl_fd;                     /* [const] Any socket, for ioctls. */
	struct rte_mbuf *spare;         /* [lcore] Empty buffers for the next frame, as a chain. */
};

/* ---- Control thread ------------------------------------------------------------------------- */

static int
tap_attach(struct tap *t, const char *name, struct err *e)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (!str_copy(r.ifr_name, sizeof r.ifr_name, name))
		return err_set(e, EINVAL, "an internal port is a kernel interface: its name has at most 15 characters");
	t->ctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->ctl_fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return err_set(e, errno, "no /dev/net/tun: load the kernel module 'tun' (modprobe tun)");
	if (t->fd < 0)
		return err_set(e, errno, "cannot open /dev/net/tun: %s: run as root", strerror(errno));
	if (ioctl(t->fd, TUNSETIFF, &r) == 0)
		return 0;
	if (errno == EPERM)
		return err_set(e, EPERM, "cannot make the tap %s: needs CAP_NET_ADMIN, run as root", name);
	if (errno == EBUSY || errno == EEXIST || errno == EINVAL)
		return err_set(e, EEXIST, "cannot make the tap %s: an interface of that name exists: remove it (ip link del %s) or rename the port",
			       name, name);
	return err_set(e, errno, "cannot make the tap %s: %s", name, strerror(errno));
}

static void
tap_close(struct port *p)
{
	struct tap *t = p->priv;

	rte_pktmbuf_free(t->spare);
	if (t->fd >= 0)
		close(t->fd);           /* Takes the interface with it. */
	if (t->ctl_fd >= 0)
		close(t->ctl_fd);
}

static int
tap_open(struct port *p, const void *conf, struct err *e)
{
	const struct tap_conf *c = conf;
	struct tap *t = p->priv;
	int rc;

	t->fd = t->ctl_fd = -1;
	rc = tap_attach(t, p->name, e);
	if (rc < 0)
		goto fail;
	if (!mac_is_zero(c->mac))
		rc = netif_set_mac(t->ctl_fd, p->name, &c->mac);
	if (!rc)
		rc = netif_set_mtu(t->ctl_fd, p->name, c->mtu);
	if (!rc)
		rc = netif_set_up(t->ctl_fd, p->name, true);
	if (rc < 0) {
		err_set(e, -rc, "cannot set up the tap %s: %s", p->name, strerror(-rc));
		goto fail;
	}
	p->n_rxq = p->n_txq = 1;
	p->mtu = c->mtu;
	return 0;
fail:
	tap_close(p);
	return rc;
}

static void
tap_link(struct port *p, struct port_link *l)
{
	const struct tap *t = p->priv;
	struct netif nif;

	memset(l, 0, sizeof *l);
	snprintf(l->detail, sizeof l->detail, "tap %s", p->name);
	if (netif_get(t->ctl_fd, p->name, &nif)) {
		snprintf(l->reason, sizeof l->reason, "the interface %s was deleted: remove the port and add it again", p->name);
		return;
	}
	l->up = nif.up;
	l->mtu = nif.mtu;
	l->mac = nif.mac;
	if (!nif.up)
		snprintf(l->reason, sizeof l->reason, "%s is down: ip link set %s up", p->name, p->name);
}

/* ---- Polling threads ------------------------------------------------------------------------ */

/* Buffers for the longest frame, at most MAX_SEGS of them; a byte more, to tell a longer one from it. */
static struct rte_mbuf *
spare_get(struct port *p)
{
	struct tap *t = p->priv;
	struct rte_mbuf *m = t->spare;
	uint32_t want = p->mtu + FRAME_EXTRA + 1;

	t->spare = NULL;
	if (m)
		return m;
	m = rte_pktmbuf_alloc(p->owner->pool);
	if (!m)
		return NULL;
	struct rte_mbuf *last = m;

	for (uint32_t room = rte_pktmbuf_tailroom(m); room < want && m->nb_segs < MAX_SEGS; m->nb_segs++) {
		last->next = rte_pktmbuf_alloc(p->owner->pool);
		last = last->next;
		if (!last) {
			rte_pktmbuf_free(m);
			return NULL;
		}
		room += rte_pktmbuf_tailroom(last);
	}
	return m;
}

static ssize_t
read_frame(int fd, struct rte_mbuf *m)
{
	struct iovec iov[MAX_SEGS];
	int n = 0;

	for (struct rte_mbuf *s = m; s && n < MAX_SEGS; s = s->next)
		iov[n++] = (struct iovec){ .iov_base = rte_pktmbuf_mtod(s, void *), .iov_len = rte_pktmbuf_tailroom(s) };
	return readv(fd, iov, n);
}

/* Sets the lengths of a chain that was filled from the front, and frees what stayed empty. */
static void
set_length(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *s = m;

	m->pkt_len = len;
	m->nb_segs = 1;
	for (;;) {
		s->data_len = (uint16_t)MIN_OF(len, (uint32_t)rte_pktmbuf_tailroom(s));
		len -= s->data_len;
		if (!len || !s->next)
			break;
		s = s->next;
		m->nb_segs++;
	}
	rte_pktmbuf_free(s->next);
	s->next = NULL;
}

static uint16_t
tap_rx(struct port *p, uint16_t q UNUSED, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap *t = p->priv;
	uint16_t got = 0;

	/* Frames that are not given cost time too. */
	for (unsigned tries = 2u * n; got < n && tries; tries--) {
		struct rte_mbuf *m = spare_get(p);
		ssize_t len = m ? read_frame(t->fd, m) : -1;

		if (len <= 0) {
			t->spare = m;
			break;
		}
		/* The MTU of the interface was raised behind our back: what was read may be cut. */
		if (UNLIKELY((uint32_t)len > p->mtu + FRAME_EXTRA)) {
			ctr_add(&p->rx_drops[DROP_RX_TOO_BIG], 1);
			t->spare = m;
			continue;
		}
		set_length(m, (uint32_t)len);
		pkts[got++] = m;
	}
	return got;
}

/* 0, or why the frame is lost; -EAGAIN: not now. */
static int
write_frame(int fd, const struct rte_mbuf *m)
{
	struct iovec iov[MAX_SEGS];
	int n = 0;

	if (m->nb_segs > MAX_SEGS)
		return -EMSGSIZE;
	for (; m; m = m->next)
		iov[n++] = (struct iovec){ .iov_base = rte_pktmbuf_mtod(m, void *), .iov_len = m->data_len };
	return writev(fd, iov, n) < 0 ? -errno : 0;
}

static uint16_t
tap_tx(struct port *p, uint16_t q UNUSED, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap *t = p->priv;
	uint16_t done = 0;

	for (; done < n; done++) {
		int rc = write_frame(t->fd, pkts[done]);

		if (rc == -EAGAIN || rc == -ENOBUFS || rc == -ENOMEM)
			break;
		if (rc)
			port_tx_drop(p, rc == -EIO || rc == -EBADFD ? DROP_TX_DOWN : DROP_TX_ERROR, 1);
	}
	rte_pktmbuf_free_bulk(pkts, done);
	return done;
}

/* Whether frames wait is what a poll of the descriptor tells anyway. */
static int
tap_arm(struct port *p, uint16_t q UNUSED, bool *pending)
{
	const struct tap *t = p->priv;

	*pending = false;
	return t->fd;
}

static void
tap_disarm(struct port *p UNUSED, uint16_t q UNUSED)
{
}

static const struct port_sleep tap_sleep = { .arm = tap_arm, .disarm = tap_disarm };

static const struct opt_desc tap_opts[] = {
	{ .name = "mac", .kind = OPT_MAC, .offset = offsetof(struct tap_conf, mac),
	  .help = "address of the interface; default: made from its name, stable", .example = "02:00:00:00:00:01" },
	{ .name = "mtu", .kind = OPT_U32, .offset = offsetof(struct tap_conf, mtu), .min = 68, .max = 16384,
	  .dflt = "1500", .help = "MTU of the interface", .example = "9000" },
	{ 0 },
};

const struct port_type port_type_internal = {
	.name = "internal",
	.caps = PORT_CAP_SLOW_RX | PORT_CAP_TX_SHARED | PORT_CAP_HOST_LEG | PORT_CAP_TX_COPIES,
	.priv_size = sizeof(struct tap),
	.conf_size = sizeof(struct tap_conf),
	.opts = tap_opts,
	.help = "the host's own interface on a bridge",
	.open = tap_open,
	.close = tap_close,
	.link = tap_link,
	.rx = tap_rx,
	.tx = tap_tx,
	.sleep = &tap_sleep,
};
