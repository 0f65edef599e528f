/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'netdev': a kernel interface by name.  AF_PACKET works on every interface and leaves the
 * kernel its own view of the traffic; AF_XDP is faster and takes all packets away from the kernel.
 * mode=auto therefore chooses AF_XDP only for an interface on which the kernel has no business: one
 * without IP addresses.  Nor does it for an interface made of software, where frames come before
 * their checksum is computed and AF_XDP does not tell. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/packet_priv.h"
#include "datapath/ports.h"
#include "datapath/xdp_priv.h"

enum netdev_mode { MODE_AUTO, MODE_AF_XDP, MODE_AF_PACKET };

struct netdev_conf {
	char device[16];
	int mode;
	uint32_t rx_slots;
};

struct netdev {
	bool is_xdp;                    /* [const] Which of the two it is. */
	char ifname[16];                /* [const] */
	int fd;                         /* [const] Any socket, for ioctls. */
	char why[96];                   /* [const] Why not AF_XDP; empty when nobody asked. */
	union {
		struct packet pk;
		struct xdp xdp;
	};
};

/* ---- Control thread ------------------------------------------------------------------------- */

/* Whether AF_XDP is worth trying; says why not. */
static bool
may_use_xdp(struct netdev *nd, const struct netif *nif, bool exists)
{
	if (!exists)
		snprintf(nd->why, sizeof nd->why, "%s was not there", nd->ifname);
	else if (netif_is_virtual(nd->fd, nd->ifname))
		snprintf(nd->why, sizeof nd->why, "%s is virtual", nd->ifname);
	else if (netif_has_addresses(nd->ifname))
		snprintf(nd->why, sizeof nd->why, "%s has kernel addresses", nd->ifname);
	else if (nif->mtu > 1500)
		snprintf(nd->why, sizeof nd->why, "MTU above 1500");
	else
		return true;
	return false;
}

/* Tries AF_XDP where it is asked for or fits.  0: open; -ENOTSUP: AF_PACKET shall do it; else refused. */
static int
netdev_try_xdp(struct port *p, const struct netdev_conf *c, const struct netif *nif, bool exists, struct err *e)
{
	struct netdev *nd = p->priv;
	struct err why = { 0 };

	if (c->mode == MODE_AF_PACKET || (c->mode == MODE_AUTO && !may_use_xdp(nd, nif, exists)))
		return -ENOTSUP;
	if (!exists)
		return err_set(e, ENODEV, "no interface %s in this network namespace (mode=af_packet would wait for it)",
			       nd->ifname);
	if (!xdp_open(&nd->xdp, p, nd->ifname, netif_n_queues(nd->fd, nd->ifname), c->rx_slots, &why)) {
		nd->is_xdp = true;
		return 0;
	}
	if (c->mode == MODE_AF_XDP)
		return err_set(e, ENODEV, "AF_XDP: %s", why.msg);
	snprintf(nd->why, sizeof nd->why, "no AF_XDP: %.80s", why.msg);
	return -ENOTSUP;
}

static int
netdev_open(struct port *p, const void *conf, struct err *e)
{
	const struct netdev_conf *c = conf;
	struct netdev *nd = p->priv;
	struct netif nif;
	int rc;

	if (!str_copy(nd->ifname, sizeof nd->ifname, c->device[0] ? c->device : p->name))
		return err_set(e, EINVAL, "an interface name has at most 15 characters: set 'device'");
	nd->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (nd->fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));

	bool exists = !netif_get(nd->fd, nd->ifname, &nif);

	rc = netdev_try_xdp(p, c, &nif, exists, e);
	if (rc == -ENOTSUP) {
		p->n_rxq = p->n_txq = 1;
		p->mtu = exists ? nif.mtu : 1500;
		rc = packet_open(&nd->pk, nd->ifname, p->mtu, c->rx_slots, e);
	}
	if (rc < 0)
		close(nd->fd);
	return rc;
}

static void
netdev_close(struct port *p)
{
	struct netdev *nd = p->priv;

	if (nd->is_xdp)
		xdp_close(&nd->xdp);
	else
		packet_close(&nd->pk);
	close(nd->fd);
}

static void
netdev_link(struct port *p, struct port_link *l)
{
	struct netdev *nd = p->priv;
	size_t n;

	if (nd->is_xdp) {
		struct netif nif;

		ethdev_link(&nd->xdp.ed, l);
		if (netif_get(nd->fd, nd->ifname, &nif)) {
			l->up = false;
			snprintf(l->reason, sizeof l->reason, "interface %s is gone: remove the port and add it again", nd->ifname);
		} else if (!nif.up) {
			snprintf(l->reason, sizeof l->reason, "%s is down: ip link set %s up", nd->ifname, nd->ifname);
		}
		snprintf(l->detail, sizeof l->detail, "af_xdp on %s", nd->ifname);
		return;
	}
	packet_link(&nd->pk, l);
	n = strlen(l->detail);
	if (nd->why[0])
		snprintf(l->detail + n, sizeof l->detail - n, " (%s)", nd->why);
}

/* ---- Polling threads ------------------------------------------------------------------------ */

static uint16_t
netdev_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct netdev *nd = p->priv;

	return nd->is_xdp ? ethdev_rx(p, &nd->xdp.ed, q, pkts, n) : packet_rx(p, &nd->pk, pkts, n);
}

static uint16_t
netdev_tx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct netdev *nd = p->priv;

	return nd->is_xdp ? ethdev_tx(p, &nd->xdp.ed, q, pkts, n) : packet_tx(p, &nd->pk, pkts, n);
}

static int
netdev_arm(struct port *p, uint16_t q, bool *pending)
{
	struct netdev *nd = p->priv;

	return nd->is_xdp ? xdp_arm(&nd->xdp, q, pending) : packet_arm(&nd->pk, pending);
}

static void
netdev_disarm(struct port *p, uint16_t q)
{
	struct netdev *nd = p->priv;

	if (nd->is_xdp)
		xdp_disarm(&nd->xdp, q);
	else
		packet_disarm(&nd->pk);
}

static const struct port_sleep netdev_sleep = { .arm = netdev_arm, .disarm = netdev_disarm };

static const char *const mode_names[] = { "auto", "af_xdp", "af_packet", NULL };

static const struct opt_desc netdev_opts[] = {
	{ .name = "device", .kind = OPT_STR, .offset = offsetof(struct netdev_conf, device), .max = 15,
	  .help = "name of the kernel interface; default: the name of the port", .example = "eth1" },
	{ .name = "mode", .kind = OPT_ENUM, .offset = offsetof(struct netdev_conf, mode), .names = mode_names,
	  .dflt = "auto", .help = "auto: af_xdp where it works and the kernel has no address there, else af_packet; "
	  "af_xdp on a veth: its peer needs 'ethtool -K tx off'", .example = "af_packet" },
	{ .name = "rx-slots", .kind = OPT_U32, .offset = offsetof(struct netdev_conf, rx_slots), .min = 32, .max = 65536,
	  .dflt = "1024", .help = "frames that the receive ring holds", .example = "4096" },
	{ 0 },
};

const struct port_type port_type_netdev = {
	.name = "netdev",
	.caps = PORT_CAP_TX_SHARED | PORT_CAP_TX_COPIES,
	.priv_size = sizeof(struct netdev),
	.conf_size = sizeof(struct netdev_conf),
	.opts = netdev_opts,
	.help = "a kernel interface, by name",
	.open = netdev_open,
	.close = netdev_close,
	.link = netdev_link,
	.rx = netdev_rx,
	.tx = netdev_tx,
	.sleep = &netdev_sleep,
};
