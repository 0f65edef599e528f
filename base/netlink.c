/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink over libmnl: one socket for questions, one for notifications, so that an answer is never
 * mixed with news.  The kernel answers questions within the system call; the receive timeout is a
 * belt for the day it does not. */
#include "base/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "base/log.h"

struct nl {
	struct mnl_socket *ask, *events;
	uint32_t seq;
	unsigned n_routes;
};

#define REQ_LEN 512
#define ANSWER_LEN 16384
#define EVENT_BUFFER (1 << 20)
#define EVENTS_AT_ONCE 256

/* --- Sockets ------------------------------------------------------------------------------- */

static struct mnl_socket *
open_socket(const char *what, struct err *e)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!s) {
		err_set(e, errno, "netlink: cannot open %s socket: %s", what, strerror(errno));
		return NULL;
	}
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID)) {
		err_set(e, errno, "netlink: cannot bind %s socket: %s", what, strerror(errno));
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

static int
join_groups(struct nl *nl, struct err *e)
{
	static const int groups[] = {
		RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
	};
	int fd = mnl_socket_get_fd(nl->events), len = EVENT_BUFFER;

	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		int g = groups[i];

		if (mnl_socket_setsockopt(nl->events, NETLINK_ADD_MEMBERSHIP, &g, sizeof g))
			return err_set(e, errno, "netlink: cannot subscribe to group %d: %s", g,
				       strerror(errno));
	}
	/* Without the privilege the ordinary limit applies, and NL_EV_LOST covers the rest. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof len))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &len, sizeof len);
	return 0;
}

struct nl *
nl_open(struct err *e)
{
	struct timeval second = { .tv_sec = 1 };
	struct nl *nl = xcalloc(1, sizeof *nl);

	nl->ask = open_socket("question", e);
	if (!nl->ask)
		goto fail;
	setsockopt(mnl_socket_get_fd(nl->ask), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	nl->events = open_socket("event", e);
	if (!nl->events || join_groups(nl, e))
		goto fail;
	return nl;
fail:
	nl_close(nl);
	return NULL;
}

void
nl_close(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->ask)
		mnl_socket_close(nl->ask);
	if (nl->events)
		mnl_socket_close(nl->events);
	free(nl);
}

int
nl_event_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->events);
}

static unsigned
event_bit(uint16_t type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return NL_EV_LINK;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return NL_EV_ADDR;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return NL_EV_ROUTE;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return NL_EV_NEIGH;
	default:
		return 0;
	}
}

unsigned
nl_route_events(struct nl *nl)
{
	unsigned n = nl->n_routes;

	nl->n_routes = 0;
	return n;
}

void
nl_hear_routes(struct nl *nl, bool on)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };

	/* Joining worked once; whoever could not leave goes on hearing. */
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		mnl_socket_setsockopt(nl->events, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
				      (void *)(uintptr_t)&groups[i], sizeof groups[i]);
}

unsigned
nl_read_events(struct nl *nl)
{
	char buf[ANSWER_LEN] __attribute__((aligned(8)));
	unsigned bits = 0;

	for (unsigned turns = 0; turns < EVENTS_AT_ONCE; turns++) {
		ssize_t n = recv(nl_event_fd(nl), buf, sizeof buf, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			bits |= NL_EV_LOST;
			continue;
		}
		if (n <= 0)
			return bits;

		int left = n;

		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			nl->n_routes += h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE;
			bits |= event_bit(h->nlmsg_type);
		}
	}
	return bits;
}

/* --- Questions ----------------------------------------------------------------------------- */

typedef int answer_fn(const struct nlmsghdr *, void *arg);

/* Sends a request and gives each answer to 'cb' (may be NULL) until the last.  0 or -errno. */
static int
ask(struct nl *nl, struct nlmsghdr *req, uint16_t flags, answer_fn *cb, void *arg)
{
	char buf[ANSWER_LEN] __attribute__((aligned(8)));
	unsigned port = mnl_socket_get_portid(nl->ask);

	req->nlmsg_flags = NLM_F_REQUEST | flags;
	req->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->ask, req, req->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->ask, buf, sizeof buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;

		int rc = mnl_cb_run(buf, n, nl->seq, port, cb, arg);

		/* Late answers to a question that timed out are skipped. */
		if (rc < 0 && errno == ESRCH && ((struct nlmsghdr *)(void *)buf)->nlmsg_seq != nl->seq)
			continue;
		if (rc < 0)
			return -errno;
		if (rc == MNL_CB_STOP || (!(flags & (NLM_F_DUMP | NLM_F_ACK))))
			return 0;
	}
}

static struct nlmsghdr *
begin(char buf[REQ_LEN], uint16_t type)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	return h;
}

static uint8_t
ip_family(const struct ipaddr *a)
{
	return ip_is_v4(a) ? AF_INET : AF_INET6;
}

static void
put_ip(struct nlmsghdr *h, uint16_t attr, const struct ipaddr *a)
{
	if (ip_is_v4(a))
		mnl_attr_put(h, attr, 4, a->b + 12);
	else
		mnl_attr_put(h, attr, 16, a->b);
}

/* An address attribute of either length; false when it is neither. */
static bool
get_ip(const struct nlattr *a, struct ipaddr *out)
{
	uint16_t len = mnl_attr_get_payload_len(a);

	if (len == 4)
		*out = ip_from_v4(load_be32(mnl_attr_get_payload(a)));
	else if (len == 16)
		memcpy(out->b, mnl_attr_get_payload(a), 16);
	else
		return false;
	return true;
}

static bool
get_u32(const struct nlattr *a, uint32_t *out)
{
	if (mnl_attr_get_payload_len(a) != sizeof *out)
		return false;
	*out = mnl_attr_get_u32(a);
	return true;
}

/* --- Links --------------------------------------------------------------------------------- */

static int
on_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct nl_link *l = arg;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	*l = (struct nl_link){
		.ifindex = m->ifi_index,
		.up = (m->ifi_flags & (IFF_UP | IFF_LOWER_UP)) == (IFF_UP | IFF_LOWER_UP),
	};
	mnl_attr_for_each(a, h, sizeof *m)
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			if (!mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
				str_copy(l->name, sizeof l->name, mnl_attr_get_str(a));
			break;
		case IFLA_MTU:
			get_u32(a, &l->mtu);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(a) == sizeof l->mac)
				memcpy(&l->mac, mnl_attr_get_payload(a), sizeof l->mac);
			break;
		}
	return MNL_CB_OK;
}

static int
get_link(struct nl *nl, int ifindex, const char *name, struct nl_link *l)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_GETLINK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	int rc;

	m->ifi_index = ifindex;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	memset(l, 0, sizeof *l);
	rc = ask(nl, h, 0, on_link, l);
	return rc ? rc : l->ifindex ? 0 : -ENODEV;
}

int
nl_link_by_name(struct nl *nl, const char *name, struct nl_link *l)
{
	if (!*name || strlen(name) >= sizeof l->name)
		return -ENODEV;
	return get_link(nl, 0, name, l);
}

int
nl_link_by_index(struct nl *nl, int ifindex, struct nl_link *l)
{
	if (ifindex <= 0)
		return -ENODEV;
	return get_link(nl, ifindex, NULL, l);
}

int
nl_link_set(struct nl *nl, int ifindex, bool up, uint32_t mtu, const struct mac *mac)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_NEWLINK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);

	m->ifi_index = ifindex;
	m->ifi_change = IFF_UP;
	m->ifi_flags = up ? IFF_UP : 0;
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	if (mac)
		mnl_attr_put(h, IFLA_ADDRESS, sizeof *mac, mac);
	return ask(nl, h, NLM_F_ACK, NULL, NULL);
}

/* --- Routes -------------------------------------------------------------------------------- */

struct route_answer {
	struct nl_route *route;
	uint8_t type;
};

static uint32_t
route_mtu(const struct nlattr *metrics)
{
	const struct nlattr *a;
	uint32_t mtu = 0;

	mnl_attr_for_each_nested(a, metrics)
		if (mnl_attr_get_type(a) == RTAX_MTU)
			get_u32(a, &mtu);
	return mtu;
}

/* RTA_VIA: a gateway of the other family (IPv4 over an IPv6 next hop). */
static void
get_via(const struct nlattr *a, struct ipaddr *gateway)
{
	const struct rtvia *via = mnl_attr_get_payload(a);
	uint16_t len = mnl_attr_get_payload_len(a);

	if (len == sizeof *via + 16 && via->rtvia_family == AF_INET6)
		memcpy(gateway->b, via->rtvia_addr, 16);
	else if (len == sizeof *via + 4 && via->rtvia_family == AF_INET)
		*gateway = ip_from_v4(load_be32(via->rtvia_addr));
}

static int
on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct route_answer *ra = arg;
	const struct nlattr *a;
	uint32_t oif = 0;

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	ra->type = m->rtm_type;
	mnl_attr_for_each(a, h, sizeof *m)
		switch (mnl_attr_get_type(a)) {
		case RTA_OIF:
			get_u32(a, &oif);
			break;
		case RTA_PREFSRC:
			get_ip(a, &ra->route->src);
			break;
		case RTA_GATEWAY:
			get_ip(a, &ra->route->gateway);
			break;
		case RTA_VIA:
			get_via(a, &ra->route->gateway);
			break;
		case RTA_METRICS:
			ra->route->mtu = route_mtu(a);
			break;
		}
	ra->route->ifindex = oif;
	ra->route->local = m->rtm_type == RTN_LOCAL;
	return MNL_CB_OK;
}

int
nl_route_get(struct nl *nl, const struct ipaddr *dst, const struct ipaddr *src, struct nl_route *route)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_GETROUTE);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	struct route_answer ra = { .route = route, .type = RTN_UNSPEC };
	bool have_src = src && !ip_is_none(src);
	int rc;

	if (have_src && ip_is_v4(src) != ip_is_v4(dst))
		return -EAFNOSUPPORT;
	m->rtm_family = ip_family(dst);
	m->rtm_dst_len = ip_is_v4(dst) ? 32 : 128;
	put_ip(h, RTA_DST, dst);
	if (have_src) {
		m->rtm_src_len = m->rtm_dst_len;
		put_ip(h, RTA_SRC, src);
	}
	memset(route, 0, sizeof *route);
	rc = ask(nl, h, 0, on_route, &ra);
	if (rc)
		return rc;
	/* The kernel does not repeat a source that it was told. */
	if (have_src)
		route->src = *src;
	return ra.type == RTN_UNICAST || ra.type == RTN_LOCAL || ra.type == RTN_MULTICAST ? 0 : -ENETUNREACH;
}

struct hops_answer {
	struct nl_hop *hop;
	unsigned n, max;
	uint32_t nh_id;                 /* Of a next hop object, when the kernel does not spell it out. */
	struct hops_member {
		uint32_t id;
		uint16_t weight;
	} member[16];
	unsigned n_members;
};

static void
add_hop(struct hops_answer *ha, const struct nl_hop *hop)
{
	if (hop->ifindex && ha->n < ha->max)
		ha->hop[ha->n++] = *hop;
}

static void
add_next_hop(struct hops_answer *ha, const struct rtnexthop *nh)
{
	struct nl_hop hop = { .ifindex = nh->rtnh_ifindex, .weight = (uint16_t)(nh->rtnh_hops + 1),
			      .dead = nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN) };
	const char *end = (const char *)nh + nh->rtnh_len;
	const struct nlattr *a;

	for (a = (const struct nlattr *)RTNH_DATA(nh); mnl_attr_ok(a, end - (const char *)a); a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == RTA_GATEWAY)
			get_ip(a, &hop.gateway);
		else if (mnl_attr_get_type(a) == RTA_VIA)
			get_via(a, &hop.gateway);
	}
	add_hop(ha, &hop);
}

static void
add_next_hops(struct hops_answer *ha, const struct nlattr *a)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(a);
	unsigned left = mnl_attr_get_payload_len(a);

	for (; left >= sizeof *nh && nh->rtnh_len >= sizeof *nh && nh->rtnh_len <= left; nh = RTNH_NEXT(nh)) {
		unsigned len = RTNH_ALIGN((unsigned)nh->rtnh_len);

		add_next_hop(ha, nh);
		if (len >= left)
			break;
		left -= len;
	}
}

static int
on_fib(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct nl_hop one = { .weight = 1 };
	struct hops_answer *ha = arg;
	const struct nlattr *a;
	uint32_t oif = 0;

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m)
		switch (mnl_attr_get_type(a)) {
		case RTA_MULTIPATH:
			add_next_hops(ha, a);
			break;
		case RTA_OIF:
			get_u32(a, &oif);
			break;
		case RTA_GATEWAY:
			get_ip(a, &one.gateway);
			break;
		case RTA_VIA:
			get_via(a, &one.gateway);
			break;
		case RTA_NH_ID:
			get_u32(a, &ha->nh_id);
			break;
		}
	one.ifindex = (int)oif;
	add_hop(ha, &one);
	return MNL_CB_OK;
}

static int
on_nexthop(const struct nlmsghdr *h, void *arg)
{
	const struct nhmsg *m = mnl_nlmsg_get_payload(h);
	struct hops_answer *ha = arg;
	struct nl_hop hop = { .weight = 1 };
	const struct nexthop_grp *g;
	const struct nlattr *a;
	uint32_t oif = 0;

	if (h->nlmsg_type != RTM_NEWNEXTHOP || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	hop.dead = m->nh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN);
	mnl_attr_for_each(a, h, sizeof *m)
		switch (mnl_attr_get_type(a)) {
		case NHA_OIF:
			get_u32(a, &oif);
			break;
		case NHA_GATEWAY:
			get_ip(a, &hop.gateway);
			break;
		case NHA_GROUP:
			g = mnl_attr_get_payload(a);
			for (unsigned i = 0; i < mnl_attr_get_payload_len(a) / sizeof *g; i++)
				if (ha->n_members < ARRAY_SIZE(ha->member))
					ha->member[ha->n_members++] =
						(struct hops_member){ g[i].id, (uint16_t)(g[i].weight + 1) };
			break;
		}
	hop.ifindex = (int)oif;
	add_hop(ha, &hop);
	return MNL_CB_OK;
}

static int
get_nexthop(struct nl *nl, uint32_t id, struct hops_answer *ha)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_GETNEXTHOP);
	struct nhmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);

	m->nh_family = AF_UNSPEC;
	mnl_attr_put_u32(h, NHA_ID, id);
	return ask(nl, h, 0, on_nexthop, ha);
}

/* A next hop object, or a group of them, which the kernel only names (net.ipv4.nexthop_compat_mode=0). */
static void
get_nexthops(struct nl *nl, struct hops_answer *ha)
{
	if (get_nexthop(nl, ha->nh_id, ha))
		return;
	for (unsigned i = 0; i < ha->n_members; i++) {
		unsigned n = ha->n;

		/* Groups are of plain next hops only. */
		if (!get_nexthop(nl, ha->member[i].id, ha) && ha->n == n + 1)
			ha->hop[n].weight = ha->member[i].weight;
	}
}

unsigned
nl_route_hops(struct nl *nl, const struct ipaddr *dst, const struct ipaddr *src, struct nl_hop *hop, unsigned max)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_GETROUTE);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	struct hops_answer ha = { .hop = hop, .max = max };

	m->rtm_family = ip_family(dst);
	m->rtm_dst_len = ip_is_v4(dst) ? 32 : 128;
	m->rtm_flags = RTM_F_FIB_MATCH;
	put_ip(h, RTA_DST, dst);
	if (src && !ip_is_none(src)) {
		m->rtm_src_len = m->rtm_dst_len;
		put_ip(h, RTA_SRC, src);
	}
	if (ask(nl, h, 0, on_fib, &ha))
		return 0;
	if (!ha.n && ha.nh_id)
		get_nexthops(nl, &ha);
	return ha.n;
}

/* --- Neighbours ---------------------------------------------------------------------------- */

static int
on_neigh(const struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct nl_neigh *n = arg;
	const struct nlattr *a;
	bool have_mac = false;

	if (h->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m)
		if (mnl_attr_get_type(a) == NDA_LLADDR && mnl_attr_get_payload_len(a) == sizeof n->mac) {
			memcpy(&n->mac, mnl_attr_get_payload(a), sizeof n->mac);
			have_mac = true;
		}
	n->fixed = m->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	if (m->ndm_state & NUD_FAILED)
		n->state = NL_NEIGH_FAILED;
	else if (m->ndm_state & NUD_INCOMPLETE)
		n->state = NL_NEIGH_INCOMPLETE;
	else if (m->ndm_state && have_mac)
		n->state = NL_NEIGH_VALID;
	return MNL_CB_OK;
}

static struct nlmsghdr *
begin_neigh(char buf[REQ_LEN], uint16_t type, int ifindex, const struct ipaddr *ip, struct ndmsg **m)
{
	struct nlmsghdr *h = begin(buf, type);

	*m = mnl_nlmsg_put_extra_header(h, sizeof **m);
	(*m)->ndm_family = ip_family(ip);
	(*m)->ndm_ifindex = ifindex;
	put_ip(h, NDA_DST, ip);
	return h;
}

int
nl_neigh_get(struct nl *nl, int ifindex, const struct ipaddr *ip, struct nl_neigh *n)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct ndmsg *m;
	struct nlmsghdr *h = begin_neigh(buf, RTM_GETNEIGH, ifindex, ip, &m);
	int rc;

	memset(n, 0, sizeof *n);
	rc = ask(nl, h, 0, on_neigh, n);
	return rc == -ENOENT ? 0 : rc;
}

int
nl_neigh_resolve(struct nl *nl, int ifindex, const struct ipaddr *ip)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct ndmsg *m;
	struct nlmsghdr *h = begin_neigh(buf, RTM_NEWNEIGH, ifindex, ip, &m);

	/* "Use": as if a packet had been sent to it. */
	m->ndm_flags = NTF_USE;
	m->ndm_state = NUD_NONE;
	return ask(nl, h, NLM_F_CREATE | NLM_F_ACK, NULL, NULL);
}

int
nl_neigh_probe(struct nl *nl, int ifindex, const struct ipaddr *ip)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct ndmsg *m;
	struct nlmsghdr *h = begin_neigh(buf, RTM_NEWNEIGH, ifindex, ip, &m);

	/* Without a MAC address: the one that the kernel has is to be asked. */
	m->ndm_state = NUD_PROBE;
	return ask(nl, h, NLM_F_REPLACE | NLM_F_ACK, NULL, NULL);
}

/* --- Addresses ----------------------------------------------------------------------------- */

struct addr_walk {
	void (*cb)(void *, const struct ipaddr *, int ifindex);
	void *arg;
};

static int
on_addr(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct addr_walk *w = arg;
	struct ipaddr local = { 0 }, address = { 0 };
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(h) < sizeof *m)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m) {
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			get_ip(a, &local);
		if (mnl_attr_get_type(a) == IFA_ADDRESS)
			get_ip(a, &address);
	}
	/* On point-to-point links IFA_ADDRESS is the far end. */
	if (ip_is_none(&local))
		local = address;
	if (!ip_is_none(&local))
		w->cb(w->arg, &local, (int)m->ifa_index);
	return MNL_CB_OK;
}

static int
walk_addrs(struct nl *nl, uint8_t family, void (*cb)(void *, const struct ipaddr *, int), void *arg)
{
	char buf[REQ_LEN] __attribute__((aligned(8)));
	struct nlmsghdr *h = begin(buf, RTM_GETADDR);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	struct addr_walk w = { cb, arg };

	m->ifa_family = family;
	return ask(nl, h, NLM_F_DUMP, on_addr, &w);
}

int
nl_addr_each(struct nl *nl, void (*cb)(void *, const struct ipaddr *, int ifindex), void *arg)
{
	return walk_addrs(nl, AF_UNSPEC, cb, arg);
}

struct addr_search {
	const struct ipaddr *ip;
	int ifindex;
};

static void
search_addr(void *arg, const struct ipaddr *ip, int ifindex)
{
	struct addr_search *s = arg;

	if (ip_equal(ip, s->ip))
		s->ifindex = ifindex;
}

bool
nl_addr_is_local(struct nl *nl, const struct ipaddr *ip, int *ifindex)
{
	struct addr_search s = { .ip = ip };

	if (walk_addrs(nl, ip_family(ip), search_addr, &s) || !s.ifindex)
		return false;
	if (ifindex)
		*ifindex = s.ifindex;
	return true;
}
