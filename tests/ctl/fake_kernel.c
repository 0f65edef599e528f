/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_kernel.h. */
#include "tests/ctl/fake_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/icmp.h"
#include "ctl/mcast.h"
#include "ctl/squat.h"

struct fake_kernel fake;

struct ipaddr
fake_ip(const char *s)
{
	struct ipaddr a = { 0 };

	if (s && ip_parse(s, &a))
		abort();
	return a;
}

struct mac
fake_mac(uint8_t last)
{
	return (struct mac){ { 2, 0, 0, 0, 0, last } };
}

void
fake_reset(void)
{
	memset(&fake, 0, sizeof fake);
}

struct nl_link *
fake_link(int ifindex, const char *name, uint32_t mtu)
{
	struct nl_link *l = &fake.link[fake.n_links++];

	l->ifindex = ifindex;
	str_copy(l->name, sizeof l->name, name);
	l->mac = fake_mac(ifindex);
	l->mtu = mtu;
	l->up = true;
	return l;
}

struct nl_route *
fake_route(const char *dst, int ifindex, const char *src, const char *gateway)
{
	struct fake_route *r = &fake.route[fake.n_routes++];

	r->dst = fake_ip(dst);
	r->r = (struct nl_route){ .ifindex = ifindex, .src = fake_ip(src), .gateway = fake_ip(gateway) };
	return &r->r;
}

struct fake_neigh *
fake_neigh(int ifindex, const char *ip)
{
	struct ipaddr a = fake_ip(ip);
	unsigned i;

	for (i = 0; i < fake.n_neighs; i++)
		if (fake.neigh[i].ifindex == ifindex && ip_equal(&fake.neigh[i].ip, &a))
			return &fake.neigh[i];
	fake.n_neighs++;
	fake.neigh[i] = (struct fake_neigh){ .ifindex = ifindex, .ip = a };
	return &fake.neigh[i];
}

/* --- base/netlink.h ------------------------------------------------------------------------ */

struct nl {
	int dummy;
};

struct nl *
nl_open(struct err *e)
{
	(void)e;
	return calloc(1, sizeof(struct nl));
}

void
nl_close(struct nl *nl)
{
	free(nl);
}

int
nl_event_fd(const struct nl *nl)
{
	(void)nl;
	return 77;
}

unsigned
nl_read_events(struct nl *nl)
{
	unsigned bits = fake.events;

	(void)nl;
	fake.events = 0;
	return bits;
}

unsigned
nl_route_events(struct nl *nl)
{
	unsigned n = fake.deaf ? 0 : fake.route_events;

	(void)nl;
	fake.route_events = 0;
	return n;
}

void
nl_hear_routes(struct nl *nl, bool on)
{
	(void)nl;
	fake.deaf = !on;
}

int
nl_link_by_index(struct nl *nl, int ifindex, struct nl_link *l)
{
	(void)nl;
	fake.n_questions++;
	for (unsigned i = 0; i < fake.n_links; i++)
		if (fake.link[i].ifindex == ifindex) {
			*l = fake.link[i];
			return 0;
		}
	return -ENODEV;
}

int
nl_route_get(struct nl *nl, const struct ipaddr *dst, const struct ipaddr *src, struct nl_route *r)
{
	(void)nl;
	fake.n_questions++;
	for (unsigned i = 0; i < fake.n_routes; i++) {
		const struct fake_route *f = &fake.route[i];

		if (!ip_is_none(&f->dst) && !ip_equal(&f->dst, dst))
			continue;
		*r = f->r;
		if (!ip_is_none(src))
			r->src = *src;
		return 0;
	}
	return -ENETUNREACH;
}

static struct fake_neigh *
find_neigh(int ifindex, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < fake.n_neighs; i++)
		if (fake.neigh[i].ifindex == ifindex && ip_equal(&fake.neigh[i].ip, ip))
			return &fake.neigh[i];
	return NULL;
}

int
nl_neigh_get(struct nl *nl, int ifindex, const struct ipaddr *ip, struct nl_neigh *n)
{
	const struct fake_neigh *f = find_neigh(ifindex, ip);

	(void)nl;
	fake.n_questions++;
	*n = f ? f->n : (struct nl_neigh){ 0 };
	return 0;
}

int
nl_neigh_resolve(struct nl *nl, int ifindex, const struct ipaddr *ip)
{
	struct fake_neigh *f = find_neigh(ifindex, ip);

	(void)nl;
	if (fake.resolve_rc)
		return fake.resolve_rc;
	if (!f) {
		if (fake.n_neighs == FAKE_NEIGHS)
			abort();
		f = &fake.neigh[fake.n_neighs++];
		*f = (struct fake_neigh){ .ifindex = ifindex, .ip = *ip };
	}
	f->asked++;
	fake.n_asked++;
	if (f->n.state != NL_NEIGH_VALID)
		f->n.state = NL_NEIGH_INCOMPLETE;
	return 0;
}

int
nl_addr_each(struct nl *nl, void (*cb)(void *, const struct ipaddr *, int ifindex), void *arg)
{
	(void)nl;
	for (unsigned i = 0; i < fake.n_addrs; i++)
		cb(arg, &fake.addr[i], fake.addr_link[i] ? fake.addr_link[i] : fake.link[0].ifindex);
	return 0;
}

bool
nl_addr_is_local(struct nl *nl, const struct ipaddr *ip, int *ifindex)
{
	(void)nl;
	(void)ifindex;
	for (unsigned i = 0; i < fake.n_addrs; i++)
		if (ip_equal(&fake.addr[i], ip))
			return true;
	return false;
}

unsigned
nl_route_hops(struct nl *nl, const struct ipaddr *dst, const struct ipaddr *src, struct nl_hop *hop, unsigned max)
{
	(void)nl, (void)dst, (void)src, (void)max;
	fake.n_questions++;
	memcpy(hop, fake.hop, fake.n_hops * sizeof *hop);
	return fake.n_hops;
}

int
nl_neigh_probe(struct nl *nl, int ifindex, const struct ipaddr *ip)
{
	struct fake_neigh *f = find_neigh(ifindex, ip);

	(void)nl;
	if (!f || f->n.state != NL_NEIGH_VALID || f->n.fixed)
		return -EINVAL;
	f->probed++;
	return 0;
}

/* --- ctl/mcast.h ----------------------------------------------------------------------- */

int
mcast_join(const struct ipaddr *group, int ifindex)
{
	if (fake.mcast_rc)
		return fake.mcast_rc;
	fake.n_joined++;
	fake.joined = *group;
	fake.joined_on = ifindex;
	return 7;
}

void
mcast_leave(int fd)
{
	if (fd >= 0)
		fake.n_joined--;
}

/* --- ctl/squat.h ----------------------------------------------------------------------- */

int
icmp_open(bool v6)
{
	return v6 ? -EAFNOSUPPORT : 78;
}

int
icmp_read(int fd, void *buf, size_t len)
{
	unsigned n = (unsigned)MIN_OF((size_t)fake.icmp_len, len);

	if (fd != 78)
		abort();
	if (!fake.n_icmp)
		return -EAGAIN;
	fake.n_icmp--;
	memcpy(buf, fake.icmp, n);
	return (int)n;
}

void
icmp_close(int fd UNUSED)
{
}

int
squat_open(bool v6, uint8_t ip_proto, uint16_t port)
{
	if (fake.squat_rc)
		return fake.squat_rc;
	fake.n_squats++;
	fake.squat_v6 = v6;
	fake.squat_proto = ip_proto;
	fake.squat_port = port;
	return 1000 + port;
}

void
squat_close(int fd)
{
	if (fd >= 0)
		fake.n_squats--;
}

const char *
squat_proto(uint8_t ip_proto)
{
	return ip_proto == 17 ? "UDP" : "other";
}
