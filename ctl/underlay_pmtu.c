/* SPDX-License-Identifier: Apache-2.0 */
/* What fits on the way to a remote, as routers tell (RFC 1191, RFC 8201): "fragmentation needed" and "packet too big" that
 * quote a packet of a tunnel of ours.  The kernel learns nothing from them for itself: it knows no socket that has sent
 * such a packet.
 *
 * Anybody can send us such messages.  So they must quote addresses, protocol and port of a tunnel, they make what fits
 * smaller and never larger, never smaller than any path must take, and are forgotten after ten minutes, as the kernel has it; more than
 * some in a second are left lying. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/byteorder.h"
#include "base/log.h"
#include "ctl/icmp.h"
#include "ctl/underlay_priv.h"

enum {
	MIN_MTU4 = 552, MIN_MTU6 = 1280,        /* Linux's least for IPv4, RFC 8200's for IPv6. */
	KEEP_MS = 600000,
	PER_SECOND = 100,
	ICMP_UNREACHABLE = 3, ICMP_TOO_BIG = 4, ICMP6_TOO_BIG = 2,
	ICMP_HEADER = 8,
	IP4_HEADER = 20, IP6_HEADER = 40,
	QUOTED = 8,                             /* Bytes of what followed the IP header, at least. */
};

/* --- Reading -------------------------------------------------------------------------------- */

/* What a message says. */
struct too_big {
	struct ipaddr local, remote;            /* Of the packet that was too big. */
	uint8_t proto;
	const uint8_t *l4;                      /* QUOTED bytes of it. */
	uint32_t mtu;
};

static bool
read4(const uint8_t *p, unsigned len, struct too_big *t)
{
	unsigned hlen = len >= IP4_HEADER ? (p[0] & 15) * 4u : len;

	if (hlen < IP4_HEADER || len < hlen + ICMP_HEADER + IP4_HEADER)
		return false;
	p += hlen;
	len -= hlen;
	if (p[0] != ICMP_UNREACHABLE || p[1] != ICMP_TOO_BIG)
		return false;
	t->mtu = host16(load_be16(p + 6));
	p += ICMP_HEADER;
	len -= ICMP_HEADER;
	hlen = (p[0] & 15) * 4u;
	/* A later fragment has no ports to tell it by. */
	if (p[0] >> 4 != 4 || hlen < IP4_HEADER || len < hlen + QUOTED || host16(load_be16(p + 6)) & 0x1fff)
		return false;
	t->local = ip_from_v4(load_be32(p + 12));
	t->remote = ip_from_v4(load_be32(p + 16));
	t->proto = p[9];
	t->l4 = p + hlen;
	return true;
}

static bool
read6(const uint8_t *p, unsigned len, struct too_big *t)
{
	if (len < ICMP_HEADER + IP6_HEADER + QUOTED || p[0] != ICMP6_TOO_BIG)
		return false;
	t->mtu = host32(load_be32(p + 4));
	p += ICMP_HEADER;
	if (p[0] >> 4 != 6)
		return false;
	memcpy(&t->local, p + 8, 16);
	memcpy(&t->remote, p + 24, 16);
	t->proto = p[6];
	t->l4 = p + IP6_HEADER;
	return true;
}

static bool
is_of(const struct too_big *t, const struct remote *r)
{
	const struct tun_type *type = r->tun->type;
	uint16_t word = host16(load_be16(t->l4 + 2));

	if (type->ip_proto != t->proto)
		return false;
	/* Behind GRE's flags, or a source port. */
	for (const uint16_t *p = type->gre_protos; p && *p; p++)
		if (*p == word)
			return true;
	return !type->gre_protos && r->tun->conf.dst_port == word;
}

/* --- Remotes -------------------------------------------------------------------------------- */

static bool
goes_there(const struct remote *r, const struct too_big *t)
{
	return r && r->via && ip_equal(&r->ip, &t->remote) && ip_equal(&r->local, &t->local);
}

static bool
is_ours(const struct underlay *u, const struct too_big *t)
{
	for (unsigned i = 1; i < TUN_MAX_DST; i++)
		if (goes_there(u->by_dst[i], t) && is_of(t, u->by_dst[i]))
			return true;
	return false;
}

void
pmtu_input(struct underlay *u, bool v6, const void *msg, unsigned len, uint64_t now)
{
	static struct log_rate rate = { .burst = 10, .per_ms = 60000 };
	char ip[IP_STR_LEN];
	struct too_big t;

	if (!(v6 ? read6(msg, len, &t) : read4(msg, len, &t)) || !t.mtu || !is_ours(u, &t))
		return;
	t.mtu = MAX_OF(t.mtu, v6 ? (uint32_t)MIN_MTU6 : (uint32_t)MIN_MTU4);
	for (unsigned i = 1; i < TUN_MAX_DST; i++) {
		struct remote *r = u->by_dst[i];

		if (!goes_there(r, &t) || r->tun->conf.mtu || t.mtu >= r->mtu)
			continue;
		r->told_mtu = t.mtu;
		r->told_until = now + KEEP_MS;
		remote_resolve(u, r, now);
		underlay_update_row(u, r);
		log_rate_msg(&rate, LOG_LVL_INFO, "%s: on the way to %s packets of %u bytes fit, a router says", r->tun->name,
			     ip_format(r->ip, ip), t.mtu);
	}
}

uint32_t
pmtu_told(const struct remote *r, uint64_t now)
{
	return r->told_mtu && now < r->told_until ? r->told_mtu : UINT32_MAX;
}

/* --- Sockets -------------------------------------------------------------------------------- */

static void
watch(struct underlay *u, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN };

	for (unsigned i = 0; i < 2; i++)
		if (u->pmtu.fd[i] >= 0)
			epoll_ctl(u->pmtu.epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, u->pmtu.fd[i], &ev);
}

void
pmtu_open(struct underlay *u)
{
	struct epoll_event ev = { .events = EPOLLIN };

	u->pmtu.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (u->pmtu.epoll < 0 || epoll_ctl(u->pmtu.epoll, EPOLL_CTL_ADD, nl_event_fd(u->nl), &ev))
		log_warn("underlay: cannot wait for routers: %s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		u->pmtu.fd[i] = icmp_open(i);
		if (u->pmtu.fd[i] < 0)
			log_warn("underlay: cannot hear of packets that are too big for routers: %s", strerror(-u->pmtu.fd[i]));
	}
	watch(u, true);
}

void
pmtu_close(struct underlay *u)
{
	for (unsigned i = 0; i < 2; i++)
		icmp_close(u->pmtu.fd[i]);
	if (u->pmtu.epoll >= 0)
		close(u->pmtu.epoll);
}

uint64_t
pmtu_due(const struct underlay *u)
{
	return u->pmtu.deaf ? u->pmtu.second_ms + 1000 : UINT64_MAX;
}

void
pmtu_poll(struct underlay *u, uint64_t now)
{
	uint8_t msg[2048];

	if (now >= u->pmtu.second_ms + 1000) {
		u->pmtu.second_ms = now;
		u->pmtu.n = 0;
		if (u->pmtu.deaf)
			watch(u, true);
		u->pmtu.deaf = false;
	}
	for (unsigned i = 0; i < 2; i++) {
		for (int n; u->pmtu.fd[i] >= 0 && u->pmtu.n < PER_SECOND && (n = icmp_read(u->pmtu.fd[i], msg, sizeof msg)) >= 0;) {
			u->pmtu.n++;
			pmtu_input(u, i, msg, (unsigned)n, now);
		}
	}
	if (u->pmtu.n < PER_SECOND || u->pmtu.deaf)
		return;
	/* Else we would be woken by what we do not read. */
	u->pmtu.deaf = true;
	watch(u, false);
}
