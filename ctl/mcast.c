/* SPDX-License-Identifier: Apache-2.0 */
/* Joining multicast groups.  See mcast.h. */
#include "ctl/mcast.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
join(int fd, const struct ipaddr *group, int ifindex)
{
	struct ip_mreqn m4 = { .imr_ifindex = ifindex };
	struct ipv6_mreq m6 = { .ipv6mr_interface = (unsigned)ifindex };

	if (ip_is_v4(group)) {
		m4.imr_multiaddr.s_addr = ip_v4(group);
		return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof m4);
	}
	memcpy(&m6.ipv6mr_multiaddr, group->b, 16);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m6, sizeof m6);
}

/* Never bound, so nothing is delivered. */
int
mcast_join(const struct ipaddr *group, int ifindex)
{
	int fd = socket(ip_is_v4(group) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return -errno;
	if (!join(fd, group, ifindex))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

void
mcast_leave(int fd)
{
	if (fd >= 0)
		close(fd);
}
