/* SPDX-License-Identifier: Apache-2.0 */
/* See mem_port.h. */
#include "mem_port.h"

#include <errno.h>
#include <poll.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { RING = 1024 };

struct mem_port {
	struct rte_ring *in, *out;
	int fd;
	bool stall;
	bool deaf;
	unsigned n_tx;                  /* Calls of tx. */
};

/* Where a polling thread shall stand still; apart from the port, which may be gone when it should not. */
static struct {
	const struct port *port;
	enum mem_point at;
	unsigned want, held;
} hold;

void
mem_port_pass(const struct port *p, enum mem_point at)
{
	unsigned want;

	if (__atomic_load_n(&hold.port, __ATOMIC_ACQUIRE) != p || __atomic_load_n(&hold.at, __ATOMIC_ACQUIRE) != at)
		return;
	want = __atomic_load_n(&hold.want, __ATOMIC_ACQUIRE);
	__atomic_store_n(&hold.held, want, __ATOMIC_RELEASE);
	while (__atomic_load_n(&hold.want, __ATOMIC_ACQUIRE) == want)
		usleep(100);
}

bool
mem_port_hold(const struct port *p, enum mem_point at)
{
	unsigned want = hold.want + 1;
	uint64_t one = 1;

	__atomic_store_n(&hold.port, p, __ATOMIC_RELEASE);
	__atomic_store_n(&hold.at, at, __ATOMIC_RELEASE);
	__atomic_store_n(&hold.want, want, __ATOMIC_RELEASE);
	/* It may be asleep, and would come by half a second later. */
	if (p && p->type == &port_type_mem && write(((struct mem_port *)p->priv)->fd, &one, sizeof one) < 0)
		return false;
	for (uint64_t end = clock_ms() + 2000; p && clock_ms() < end; usleep(100))
		if (__atomic_load_n(&hold.held, __ATOMIC_ACQUIRE) == want)
			return true;
	return !p;
}

static const struct opt_desc mem_opts[] = {
	{ "mtu", OPT_U16, offsetof(struct mem_conf, mtu), 0, 65535, NULL, "1500", false, "largest L3 packet", "1500" },
	{ .name = NULL },
};

void
mem_eal_init(void)
{
	char *argv[] = { (char *)"test", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"96",
			 (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1",
			 (char *)"--log-level", (char *)"4", NULL };

	if (rte_eal_init(ARRAY_SIZE(argv) - 1, argv) < 0) {
		fprintf(stderr, "skipped: EAL does not start here\n");
		exit(77);
	}
}

static int
mem_open(struct port *p, const void *conf, struct err *e)
{
	const struct mem_conf *c = conf;
	struct mem_port *mp = p->priv;
	char name[48];

	snprintf(name, sizeof name, "mem-in-%s", p->name);
	mp->in = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof name, "mem-out-%s", p->name);
	mp->out = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
	mp->fd = eventfd(0, EFD_NONBLOCK);
	if (!mp->in || !mp->out || mp->fd < 0)
		return err_set(e, ENOMEM, "mem port %s: no memory", p->name);
	p->n_rxq = p->n_txq = 1;
	p->mtu = c && c->mtu ? c->mtu : 1500;
	return 0;
}

static void
empty(struct rte_ring *r)
{
	void *m;

	while (!rte_ring_dequeue(r, &m))
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

static void
mem_close(struct port *p)
{
	struct mem_port *mp = p->priv;

	empty(mp->in);
	empty(mp->out);
	close(mp->fd);
}

static void
mem_link(struct port *p, struct port_link *l)
{
	memset(l, 0, sizeof *l);
	l->up = true;
	l->mtu = p->mtu;
}

static uint16_t
mem_rx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	struct mem_port *mp = p->priv;

	(void)q;
	mem_port_pass(p, MEM_AT_RX);
	return (uint16_t)rte_ring_dequeue_burst(mp->in, (void **)m, n, NULL);
}

static uint16_t
mem_tx(struct port *p, uint16_t q, struct rte_mbuf **m, uint16_t n)
{
	struct mem_port *mp = p->priv;

	(void)q;
	__atomic_fetch_add(&mp->n_tx, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&mp->stall, __ATOMIC_ACQUIRE))
		return 0;
	return (uint16_t)rte_ring_enqueue_burst(mp->out, (void **)m, n, NULL);
}

static int
mem_arm(struct port *p, uint16_t q, bool *pending)
{
	struct mem_port *mp = p->priv;

	(void)q;
	mem_port_pass(p, MEM_AT_ARM);
	*pending = !rte_ring_empty(mp->in);
	return __atomic_load_n(&mp->deaf, __ATOMIC_ACQUIRE) ? PORT_ARM_NAP : mp->fd;
}

static void
mem_disarm(struct port *p, uint16_t q)
{
	struct mem_port *mp = p->priv;
	uint64_t v;

	(void)q;
	if (read(mp->fd, &v, sizeof v) < 0)
		return;
}

static const struct port_sleep mem_sleep = { .arm = mem_arm, .disarm = mem_disarm };

const struct port_type port_type_mem = {
	.name = "mem",
	.caps = PORT_CAP_TX_SHARED,
	.priv_size = sizeof(struct mem_port),
	.conf_size = sizeof(struct mem_conf),
	.opts = mem_opts,
	.help = "frames from and to memory, for tests",
	.open = mem_open,
	.close = mem_close,
	.link = mem_link,
	.rx = mem_rx,
	.tx = mem_tx,
	.sleep = &mem_sleep,
};

bool
mem_port_send_segments(struct port *p, const void *frame, uint32_t len, uint16_t seg_len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->owner->pool);
	struct mem_port *mp = p->priv;
	uint64_t one = 1;

	for (uint32_t done = 0; m && done < len;) {
		struct rte_mbuf *seg = done ? rte_pktmbuf_alloc(p->owner->pool) : m;
		uint16_t n = (uint16_t)MIN_OF(len - done, (uint32_t)seg_len);
		char *to = seg ? rte_pktmbuf_append(seg, n) : NULL;

		if (to)
			memcpy(to, (const char *)frame + done, n);
		if (done && seg && rte_pktmbuf_chain(m, seg)) {
			rte_pktmbuf_free(seg);
			to = NULL;
		}
		if (!to)
			goto fail;
		done += n;
	}
	if (!m || rte_ring_enqueue(mp->in, m))
		goto fail;
	return write(mp->fd, &one, sizeof one) == sizeof one;

fail:
	rte_pktmbuf_free(m);
	return false;
}

bool
mem_port_send(struct port *p, const void *frame, uint32_t len)
{
	return mem_port_send_segments(p, frame, len, RTE_MBUF_DEFAULT_DATAROOM);
}

unsigned
mem_port_pending(const struct port *p)
{
	const struct mem_port *mp = p->priv;

	return rte_ring_count(mp->in);
}

uint32_t
mem_port_recv(struct port *p, void *frame, uint32_t room, unsigned wait_ms)
{
	struct mem_port *mp = p->priv;
	uint64_t until = clock_ms() + wait_ms;
	uint32_t len;
	void *m;

	while (rte_ring_dequeue(mp->out, &m)) {
		if (clock_ms() >= until)
			return 0;
		poll(NULL, 0, 1);
	}
	len = rte_pktmbuf_pkt_len((struct rte_mbuf *)m);
	if (len <= room) {
		const void *at = rte_pktmbuf_read(m, 0, len, frame);

		if (at != frame)
			memcpy(frame, at, len);
	}
	rte_pktmbuf_free(m);
	return len;
}

void
mem_port_stall(struct port *p, bool stall)
{
	struct mem_port *mp = p->priv;

	__atomic_store_n(&mp->stall, stall, __ATOMIC_RELEASE);
}

void
mem_port_deafen(struct port *p, bool deaf)
{
	struct mem_port *mp = p->priv;

	__atomic_store_n(&mp->deaf, deaf, __ATOMIC_RELEASE);
}

unsigned
mem_port_tx_calls(const struct port *p)
{
	const struct mem_port *mp = p->priv;

	return __atomic_load_n(&mp->n_tx, __ATOMIC_RELAXED);
}
