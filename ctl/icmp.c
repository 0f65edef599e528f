/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets for ICMP errors; see icmp.h. */
#include "ctl/icmp.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

static int
listen4(int fd)
{
	struct icmp_filter only = { .data = ~(1u << ICMP_DEST_UNREACH) };

	return setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof only);
}

static int
listen6(int fd)
{
	struct icmp6_filter only;

	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &only);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only, sizeof only);
}

int
icmp_open(bool v6)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	int small = 16384, rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (!(v6 ? listen6(fd) : listen4(fd)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int
icmp_read(int fd, void *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_DONTWAIT);

	return n < 0 ? -errno : (int)n;
}

void
icmp_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
