/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'netdev': a kernel interface by name.  AF_PACKET works on every interface and leaves the
 * kernel its own view of the traffic; AF_XDP is faster and takes all packets away from the kernel.
 * mode=auto therefore chooses AF_XDP only for an interface on which the kernel has no business: one
 * without IP addresses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/ethdev_priv.h"
#include "datapath/packet_priv.h"
#include "datapath/ports.h"

enum netdev_mode { MODE_AUTO, MODE_AF_XDP, MODE_AF_PACKET };

struct netdev_conf {
	char device[16];
	int mode;
	uint32_t rx_slots;
};

struct netdev {
	bool xdp;                       /* [const] Which of the two it is. */
	char ifname[16];                /* [const] */
	char why[96];                   /* [const] Why not AF_XDP; empty when nobody asked. */
	union {
		struct packet pk;
		struct ethdev ed;
	};
};

/* ---- Control thread ------------------------------------------------------------------------- */

static int
open_xdp(struct port *p, const struct netdev_conf *c, unsigned n_queues, struct err *e)
{
	struct netdev *nd = p->priv;
	char devargs[128];

	/* The number keeps names apart when a port is closed and opened anew under the same name. */
	snprintf(devargs, sizeof devargs, "net_af_xdp_%s_%u,iface=%s,start_queue=0,queue_count=%u", nd->ifname, p->id,
		 nd->ifname, n_queues);
	return ethdev_open(&nd->ed, p, &(struct ethdev_conf){
		.devargs = devargs, .n_rxq = (uint16_t)n_queues, .n_desc = (uint16_t)MIN_OF(c->rx_slots, 4096u) }, e);
}

/* Whether AF_XDP is worth trying; says why not. */
static bool
may_use_xdp(struct netdev *nd, const struct netif *nif, bool exists)
{
	if (!exists)
		snprintf(nd->why, sizeof nd->why, "%s was not there", nd->ifname);
	else if (netif_has_addresses(nd->ifname))
		snprintf(nd->why, sizeof nd->why, "%s has kernel addresses", nd->ifname);
	else if (nif->mtu > 1500)
		snprintf(nd->why, sizeof nd->why, "MTU above 1500");
	else
		return true;
	return false;
}

static int
netdev_open(struct port *p, const void *conf, struct err *e)
{
	const struct netdev_conf *c = conf;
	struct netdev *nd = p->priv;
	struct netif nif;
	struct err xdp_err = { 0 };
	bool exists;
	int fd;

	if (!str_copy(nd->ifname, sizeof nd->ifname, c->device[0] ? c->device : p->name))
		return err_set(e, EINVAL, "an interface name has at most 15 characters: set 'device'");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	exists = fd >= 0 && !netif_get(fd, nd->ifname, &nif);
	unsigned queues = exists ? netif_n_queues(fd, nd->ifname) : 1;

	if (fd >= 0)
		close(fd);
	if (c->mode == MODE_AF_XDP && !exists)
		return err_set(e, ENODEV, "no interface %s in this network namespace (mode=af_packet would wait for it)",
			       nd->ifname);
	if (c->mode == MODE_AF_XDP || (c->mode == MODE_AUTO && may_use_xdp(nd, &nif, exists))) {
		nd->xdp = !open_xdp(p, c, queues, &xdp_err);
		if (nd->xdp)
			return 0;
		if (c->mode == MODE_AF_XDP)
			return err_set(e, xdp_err.code, "%s", xdp_err.msg);
		snprintf(nd->why, sizeof nd->why, "no AF_XDP: %.80s", xdp_err.msg);
	}
	p->n_rxq = p->n_txq = 1;
	p->mtu = exists ? nif.mtu : 1500;
	return packet_open(&nd->pk, nd->ifname, p->mtu, c->rx_slots, e);
}

static void
netdev_close(struct port *p)
{
	struct netdev *nd = p->priv;

	if (nd->xdp)
		ethdev_close(&nd->ed);
	else
		packet_close(&nd->pk);
}

static void
netdev_link(struct port *p, struct port_link *l)
{
	struct netdev *nd = p->priv;
	size_t n;

	if (nd->xdp) {
		ethdev_link(&nd->ed, l);
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

	return nd->xdp ? ethdev_rx(&nd->ed, q, pkts, n) : packet_rx(p, &nd->pk, pkts, n);
}

static uint16_t
netdev_tx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct netdev *nd = p->priv;

	return nd->xdp ? ethdev_tx(p, &nd->ed, q, pkts, n) : packet_tx(p, &nd->pk, pkts, n);
}

static int
netdev_arm(struct port *p, uint16_t q, bool *pending)
{
	struct netdev *nd = p->priv;

	return nd->xdp ? ethdev_arm(&nd->ed, q, pending) : packet_arm(&nd->pk, pending);
}

static void
netdev_disarm(struct port *p, uint16_t q)
{
	struct netdev *nd = p->priv;

	if (nd->xdp)
		ethdev_disarm(&nd->ed, q);
	else
		packet_disarm(&nd->pk);
}

static const struct port_sleep netdev_sleep = { .arm = netdev_arm, .disarm = netdev_disarm };

static const char *const mode_names[] = { "auto", "af_xdp", "af_packet", NULL };

static const struct opt_desc netdev_opts[] = {
	{ .name = "device", .kind = OPT_STR, .offset = offsetof(struct netdev_conf, device), .max = 15,
	  .help = "name of the kernel interface; default: the name of the port", .example = "eth1" },
	{ .name = "mode", .kind = OPT_ENUM, .offset = offsetof(struct netdev_conf, mode), .names = mode_names,
	  .dflt = "auto", .help = "auto: af_xdp where it works and the kernel has no address there, else af_packet",
	  .example = "af_packet" },
	{ .name = "rx-slots", .kind = OPT_U32, .offset = offsetof(struct netdev_conf, rx_slots), .min = 32, .max = 65536,
	  .dflt = "1024", .help = "frames that the receive ring holds", .example = "4096" },
	{ 0 },
};

const struct port_type port_type_netdev = {
	.name = "netdev",
	.caps = PORT_CAP_TX_SHARED,
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
