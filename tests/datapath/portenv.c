/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of port types share. */
#include "tests/datapath/portenv.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/clock.h"

struct rte_mempool *env_pool;

static void
env_changed(struct port_owner *o UNUSED, struct port *p UNUSED)
{
}

static void
env_quiesce(struct port_owner *o UNUSED)
{
}

struct port_owner env_owner = { .changed = env_changed, .quiesce = env_quiesce, .run_dir = "/tmp", .n_lcores = 2 };

int
env_start(void **state UNUSED)
{
	char *argv[] = { (char *)"test", (char *)"--no-huge", (char *)"--no-shconf", (char *)"-m", (char *)"160",
			 (char *)"--no-pci", (char *)"--no-telemetry", (char *)"--lcores", (char *)"0@0-1",
			 (char *)"--log-level", (char *)"4" };

	if (rte_eal_init(ARRAY_SIZE(argv), argv) < 0)
		return -1;
	env_pool = env_owner.pool = rte_pktmbuf_pool_create("test", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return env_pool ? 0 : -1;
}

int
env_stop(void **state UNUSED)
{
	rte_eal_cleanup();
	return 0;
}

bool
env_netns(void)
{
	return !unshare(CLONE_NEWNET);
}

void
env_run(const char *fmt, ...)
{
	char cmd[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

static struct port *
port_vtry(const struct port_type *type, const char *name, struct err *e, va_list ap)
{
	char *conf = calloc(1, type->conf_size);
	struct port *p = NULL;
	const char *opt;

	opt_defaults(type->opts, conf);
	while ((opt = va_arg(ap, const char *)))
		if (opt_set(type->opts, conf, opt, va_arg(ap, const char *), e))
			goto out;
	p = port_create(type, &env_owner, name, 1, conf, e);
out:
	free(conf);
	return p;
}

struct port *
env_port_try(const struct port_type *type, const char *name, struct err *e, ...)
{
	va_list ap;

	va_start(ap, e);
	struct port *p = port_vtry(type, name, e, ap);

	va_end(ap);
	return p;
}

struct port *
env_port(const struct port_type *type, const char *name, ...)
{
	struct err e = { 0 };
	va_list ap;

	va_start(ap, name);
	struct port *p = port_vtry(type, name, &e, ap);

	va_end(ap);
	if (!p)
		fail_msg("%s", e.msg);
	return p;
}

struct port_link
env_link(struct port *p)
{
	struct port_link l;

	p->type->link(p, &l);
	return l;
}

void
env_wait_up(struct port *p)
{
	for (uint64_t end = clock_ms() + 5000; !env_link(p).up; usleep(200))
		if (clock_ms() > end)
			fail_msg("not up: %s", env_link(p).reason);
}

int
env_raw(const char *ifname)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = be16(ETH_P_ALL),
				   .sll_ifindex = (int)if_nametoindex(ifname) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sll, sizeof sll), 0);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
	return fd;
}

void
env_raw_send(int fd, const void *frame, size_t len)
{
	assert_int_equal(send(fd, frame, len, 0), (int)len);
}

struct rte_mbuf *
env_frame(const void *bytes, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(env_pool), *last = m;
	const uint8_t *p = bytes;

	assert_non_null(m);
	while (len) {
		uint16_t part = (uint16_t)MIN_OF(len, 1000u);

		if (last->data_len) {
			last->next = rte_pktmbuf_alloc(env_pool);
			last = last->next;
			assert_non_null(last);
			m->nb_segs++;
		}
		memcpy(rte_pktmbuf_mtod(last, void *), p, part);
		last->data_len = part;
		m->pkt_len += part;
		p += part;
		len -= part;
	}
	return m;
}

void
env_rx(struct port *p, struct rte_mbuf **pkts, unsigned n, bool (*wanted)(const struct rte_mbuf *))
{
	uint64_t end = clock_ms() + 5000;
	struct rte_mbuf *m;

	for (unsigned got = 0; got < n;) {
		if (clock_ms() > end)
			fail_msg("%u of %u frames came", got, n);
		if (!p->type->rx(p, 0, &m, 1))
			usleep(100);
		else if (!wanted || wanted(m))
			pkts[got++] = m;
		else
			rte_pktmbuf_free(m);
	}
}

void
env_no_mbuf_is_lost(void)
{
	assert_int_equal(rte_mempool_in_use_count(env_pool), 0);
}
