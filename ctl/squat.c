/* SPDX-License-Identifier: Apache-2.0 */
/* A socket that takes a port and drops what comes. */
#include "ctl/squat.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int
bind_to(int fd, bool v6, uint16_t port)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	return bind(fd, v6 ? (void *)&in6 : (void *)&in4, v6 ? sizeof in6 : sizeof in4);
}

int
squat_open(bool v6, uint8_t ip_proto, uint16_t port)
{
	/* "Accept 0 bytes of every packet". */
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { .len = 1, .filter = &nothing };
	int type = ip_proto == IPPROTO_UDP ? SOCK_DGRAM : ip_proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_RAW;
	int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, ip_proto);
	int one = 1, small = 1, rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	/* A raw socket hears of its protocol without being bound. */
	if (type == SOCK_RAW)
		return fd;
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one))
		goto fail;
	if (bind_to(fd, v6, port))
		goto fail;
	/* The filter is asked before a listener would answer: no connection is ever made, none is reset. */
	if (type == SOCK_STREAM && listen(fd, 1))
		goto fail;
	return fd;
fail:
	rc = -errno;
	close(fd);
	return rc;
}

void
squat_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

const char *
squat_proto(uint8_t ip_proto)
{
	return ip_proto == IPPROTO_UDP ? "UDP" : ip_proto == IPPROTO_TCP ? "TCP" : "GRE";
}
