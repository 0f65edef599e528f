/* SPDX-License-Identifier: Apache-2.0 */
/* A DPDK ethdev as a port, and the port type 'dpdk' made of it.  The device belongs to the port: it is
 * probed by open() and removed by close(). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "datapath/ethdev_priv.h"
#include "datapath/ports.h"

/* ---- Control thread ------------------------------------------------------------------------- */

static bool
find_by_name(const char *devargs, uint16_t *id)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(devargs, ","), devargs);
	return !rte_eth_dev_get_port_by_name(name, id);
}

static bool
find_by_match(const char *devargs, uint16_t *id)
{
	struct rte_dev_iterator it;
	uint16_t found = RTE_MAX_ETHPORTS;

	if (rte_eth_iterator_init(&it, devargs))
		return false;
	found = rte_eth_iterator_next(&it);
	if (found == RTE_MAX_ETHPORTS)
		return false;
	rte_eth_iterator_cleanup(&it);
	*id = found;
	return true;
}

static int
probe(const char *devargs, uint16_t *id, struct err *e)
{
	int rc;

	if (find_by_name(devargs, id))
		return err_set(e, EBUSY, "device '%s' is in use by another port", devargs);
	rc = rte_dev_probe(devargs);
	if (rc < 0)
		return err_set(e, -rc, "cannot probe device '%s': %s: check its name, its driver, and (PCI) that it is bound to vfio-pci",
			       devargs, rte_strerror(-rc));
	if (!find_by_name(devargs, id) && !find_by_match(devargs, id))
		return err_set(e, ENODEV, "device '%s' is no network device", devargs);
	return 0;
}

/* 0, or the device's own error. */
static int
setup_queues(struct ethdev *d, const struct rte_eth_dev_info *info, struct rte_mempool *pool, uint16_t n_desc)
{
	uint16_t n_rxd = n_desc, n_txd = n_desc;
	int socket = rte_eth_dev_socket_id(d->id);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, &n_rxd, &n_txd);

	for (uint16_t q = 0; !rc && q < d->n_rxq; q++)
		rc = rte_eth_rx_queue_setup(d->id, q, n_rxd, socket, &info->default_rxconf, pool);
	for (uint16_t q = 0; !rc && q < d->n_txq; q++)
		rc = rte_eth_tx_queue_setup(d->id, q, n_txd, socket, &info->default_txconf);
	return rc;
}

static int
configure(struct ethdev *d, const struct ethdev_conf *c, bool intr, struct err *e)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = { .intr_conf.rxq = intr };
	int rc = rte_eth_dev_info_get(d->id, &info);

	if (rc)
		goto fail;
	d->n_rxq = (uint16_t)MIN_OF(MIN_OF(c->n_rxq, info.max_rx_queues), ETHDEV_MAX_Q);
	d->n_txq = (uint16_t)MIN_OF(MIN_OF(d->n_txq, info.max_tx_queues), ETHDEV_MAX_Q);
	if (d->n_rxq < 1 || d->n_txq < 1)
		return err_set(e, ENOTSUP, "device '%s' has no %s queue", c->devargs, d->n_rxq ? "transmit" : "receive");
	if (d->n_rxq > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
		if (!conf.rx_adv_conf.rss_conf.rss_hf)
			conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	}
	d->multi_seg = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (c->offloads)
		ethdev_offl_choose(d, &info, &conf);
	info.default_rxconf.offloads = conf.rxmode.offloads;
	info.default_txconf.offloads = conf.txmode.offloads;
	if (c->mtu)
		conf.rxmode.mtu = c->mtu;
	rc = rte_eth_dev_configure(d->id, d->n_rxq, d->n_txq, &conf);
	if (!rc)
		rc = setup_queues(d, &info, c->pool, c->n_desc);
	/* Some drivers learn their MTU in configure(), some from this; some have none to set. */
	if (!rc && c->mtu && rte_eth_dev_set_mtu(d->id, (uint16_t)c->mtu))
		return err_set(e, EINVAL, "device '%s' refuses an MTU of %u", c->devargs, c->mtu);
	if (!rc)
		rc = rte_eth_dev_start(d->id);
	if (!rc)
		return 0;
fail:
	return err_set(e, -rc, "cannot start device '%s' with %u+%u queues: %s", c->devargs, d->n_rxq, d->n_txq,
		       rte_strerror(-rc));
}

/* Virtual devices have no interrupts, and asking for them makes DPDK complain. */
static bool
has_interrupts(const struct ethdev *d)
{
	struct rte_eth_dev_info info;

	return !rte_eth_dev_info_get(d->id, &info) && strcmp(rte_bus_name(rte_dev_bus(info.device)), "vdev") != 0;
}

/* A queue can wake its thread when it has a descriptor, takes the request, and can tell what waits already. */
static void
find_interrupts(struct ethdev *d)
{
	for (uint16_t q = 0; q < d->n_rxq; q++) {
		d->intr_fd[q] = rte_eth_dev_rx_intr_ctl_q_get_fd(d->id, q);
		if (d->intr_fd[q] >= 0 &&
		    (rte_eth_dev_rx_intr_enable(d->id, q) || rte_eth_dev_rx_intr_disable(d->id, q) ||
		     rte_eth_rx_queue_count(d->id, q) < 0))
			d->intr_fd[q] = -1;
	}
}

int
ethdev_open(struct ethdev *d, struct port *p, const struct ethdev_conf *c, struct err *e)
{
	uint16_t mtu;
	int rc;

	memset(d, 0, sizeof *d);
	d->n_txq = (uint16_t)MAX_OF(p->owner->n_lcores, 1u);
	for (unsigned i = 0; i < ETHDEV_MAX_Q; i++) {
		d->intr_fd[i] = -1;
		rte_spinlock_init(&d->txq[i].lock);
	}
	rc = probe(c->devargs, &d->id, e);
	if (rc < 0)
		return rc;
	rc = has_interrupts(d) ? configure(d, c, true, e) : -ENOTSUP;
	if (!rc)
		find_interrupts(d);
	else
		rc = configure(d, c, false, e);
	if (rc < 0) {
		ethdev_close(d);
		return rc;
	}
	rte_eth_promiscuous_enable(d->id);
	p->n_rxq = d->n_rxq;
	p->n_txq = d->n_txq;
	p->mtu = rte_eth_dev_get_mtu(d->id, &mtu) ? RTE_ETHER_MTU : mtu;
	p->accepts = d->accepts;
	return 0;
}

void
ethdev_close(struct ethdev *d)
{
	struct rte_eth_dev_info info;
	struct rte_device *dev = rte_eth_dev_info_get(d->id, &info) ? NULL : info.device;

	/* A kernel interface would stay promiscuous. */
	rte_eth_promiscuous_disable(d->id);
	rte_eth_dev_stop(d->id);
	rte_eth_dev_close(d->id);
	if (dev)
		rte_dev_remove(dev);
}

void
ethdev_link(struct ethdev *d, struct port_link *l)
{
	struct rte_eth_link link = { 0 };
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	char name[RTE_ETH_NAME_MAX_LEN] = "?";
	uint16_t mtu;

	memset(l, 0, sizeof *l);
	rte_eth_link_get_nowait(d->id, &link);
	l->up = link.link_status == RTE_ETH_LINK_UP;
	if (!l->up)
		snprintf(l->reason, sizeof l->reason, "no link: check the cable or the peer");
	if (d->was_up && !l->up)
		d->resets++;
	d->was_up = l->up;
	l->resets = d->resets;
	if (!rte_eth_dev_get_mtu(d->id, &mtu))
		l->mtu = mtu;
	if (!rte_eth_macaddr_get(d->id, &mac))
		memcpy(l->mac.b, mac.addr_bytes, sizeof l->mac.b);
	rte_eth_dev_get_name_by_port(d->id, name);
	if (!rte_eth_dev_info_get(d->id, &info))
		snprintf(l->detail, sizeof l->detail, "%s on %.64s, %u+%u queues", info.driver_name, name, d->n_rxq, d->n_txq);
}

/* ---- Polling threads ------------------------------------------------------------------------ */

uint16_t
ethdev_rx(struct port *p, struct ethdev *d, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	n = rte_eth_rx_burst(d->id, q, pkts, n);
	return d->rx_whole ? ethdev_offl_rx(p, pkts, n) : n;
}

/* One segment with the bytes of 'm', which it takes; NULL when they do not fit.  A chain that others hold as well
 * is theirs as it is: they get to keep it, this port a copy. */
static struct rte_mbuf *
linear_one(struct port *p, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = m;

	if (LIKELY(m->nb_segs == 1))
		return m;
	if (rte_mbuf_refcnt_read(m) > 1) {
		copy = rte_pktmbuf_copy(m, p->owner->pool, 0, UINT32_MAX);
		rte_pktmbuf_free(m);
	}
	if (copy && copy->nb_segs > 1 && rte_pktmbuf_linearize(copy)) {
		rte_pktmbuf_free(copy);
		return NULL;
	}
	return copy;
}

/* Drivers that cannot send chains send their first segment only.  Frames that cannot be made whole leave the array;
 * the number of those that stay. */
static uint16_t
make_linear(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = linear_one(p, pkts[i]);

		if (LIKELY(m))
			pkts[kept++] = m;
		else
			port_tx_drop(p, DROP_TX_TOO_BIG, 1);
	}
	return kept;
}

/* The caller keeps what follows the number returned, in its array: dropped frames close up to the front. */
uint16_t
ethdev_tx(struct port *p, struct ethdev *d, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *work[32];
	uint16_t done = 0, sent;

	q = (uint16_t)(q % d->n_txq);
	if (UNLIKELY(!d->multi_seg || d->accepts)) {
		n = (uint16_t)MIN_OF(n, ARRAY_SIZE(work));
		memcpy(work, pkts, n * sizeof *pkts);
		uint16_t kept = d->multi_seg ? n : make_linear(p, work, n);

		if (d->accepts)
			kept = ethdev_offl_tx(p, d, q, work, kept);
		done = (uint16_t)(n - kept);
		memcpy(pkts + done, work, kept * sizeof *pkts);
	}
	rte_spinlock_lock(&d->txq[q].lock);
	sent = rte_eth_tx_burst(d->id, q, pkts + done, (uint16_t)(n - done));
	rte_spinlock_unlock(&d->txq[q].lock);
	return (uint16_t)(done + sent);
}

int
ethdev_arm(struct ethdev *d, uint16_t q, bool *pending)
{
	*pending = false;
	if (d->intr_fd[q] < 0)
		return PORT_ARM_NAP;
	rte_eth_dev_rx_intr_enable(d->id, q);
	*pending = rte_eth_rx_queue_count(d->id, q) > 0;
	return d->intr_fd[q];
}

void
ethdev_disarm(struct ethdev *d, uint16_t q)
{
	uint64_t n;

	if (d->intr_fd[q] < 0)
		return;
	rte_eth_dev_rx_intr_disable(d->id, q);
	/* DPDK's event descriptors never block. */
	if (read(d->intr_fd[q], &n, sizeof n) < 0)
		return;
}

/* ---- The port type -------------------------------------------------------------------------- */

struct dpdk_conf {
	char devargs[256];
	uint16_t queues, n_desc;
	uint32_t mtu;
	bool offloads;
};

static int
dpdk_open(struct port *p, const void *conf, struct err *e)
{
	const struct dpdk_conf *c = conf;

	if (!c->devargs[0])
		return err_set(e, EINVAL, "devargs is missing: a PCI address (0000:03:00.0) or a virtual device (net_memif0,...)");
	return ethdev_open(p->priv, p, &(struct ethdev_conf){
		.devargs = c->devargs, .pool = p->owner->pool, .n_rxq = c->queues, .n_desc = c->n_desc, .mtu = c->mtu,
		.offloads = c->offloads }, e);
}

static void
dpdk_close(struct port *p)
{
	ethdev_close(p->priv);
}

static void
dpdk_link(struct port *p, struct port_link *l)
{
	ethdev_link(p->priv, l);
}

static uint16_t
dpdk_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	return ethdev_rx(p, p->priv, q, pkts, n);
}

static uint16_t
dpdk_tx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	return ethdev_tx(p, p->priv, q, pkts, n);
}

static int
dpdk_arm(struct port *p, uint16_t q, bool *pending)
{
	return ethdev_arm(p->priv, q, pending);
}

static void
dpdk_disarm(struct port *p, uint16_t q)
{
	ethdev_disarm(p->priv, q);
}

static const struct port_sleep dpdk_sleep = { .arm = dpdk_arm, .disarm = dpdk_disarm };

static const struct opt_desc dpdk_opts[] = {
	{ .name = "devargs", .kind = OPT_STR, .offset = offsetof(struct dpdk_conf, devargs), .max = 255, .required = true,
	  .help = "the device: PCI address, or virtual device with its arguments", .example = "0000:03:00.0" },
	{ .name = "queues", .kind = OPT_U16, .offset = offsetof(struct dpdk_conf, queues), .min = 1, .max = ETHDEV_MAX_Q,
	  .dflt = "1", .help = "receive queues", .example = "2" },
	{ .name = "ring-size", .kind = OPT_U16, .offset = offsetof(struct dpdk_conf, n_desc), .min = 32, .max = 8192,
	  .dflt = "1024", .help = "descriptors of each queue", .example = "2048" },
	{ .name = "mtu", .kind = OPT_U32, .offset = offsetof(struct dpdk_conf, mtu), .max = 9600,
	  .help = "MTU to set; without it the device keeps its own", .example = "9000" },
	{ .name = "offloads", .kind = OPT_BOOL, .offset = offsetof(struct dpdk_conf, offloads), .dflt = "true",
	  .help = "leave checksums and the cutting of long TCP frames to the device, as far as its driver can", .example = "false" },
	{ 0 },
};

const struct port_type port_type_dpdk = {
	.name = "dpdk",
	.caps = PORT_CAP_TX_SHARED,
	.priv_size = sizeof(struct ethdev),
	.conf_size = sizeof(struct dpdk_conf),
	.opts = dpdk_opts,
	.help = "a DPDK device, by its devargs",
	.open = dpdk_open,
	.close = dpdk_close,
	.link = dpdk_link,
	.rx = dpdk_rx,
	.tx = dpdk_tx,
	.sleep = &dpdk_sleep,
};
