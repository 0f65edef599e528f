/* SPDX-License-Identifier: Apache-2.0 */
/* A UDP socket that takes a port and drops what comes. */
#include "ctl/udp_squat.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int
udp_squat_open(bool v6, uint16_t port)
{
	/* "Accept 0 bytes of every packet". */
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { .len = 1, .filter = &nothing };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, small = 1, rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one))
		goto fail;
	if (bind(fd, v6 ? (void *)&in6 : (void *)&in4, v6 ? sizeof in6 : sizeof in4))
		goto fail;
	return fd;
fail:
	rc = -errno;
	close(fd);
	return rc;
}

void
udp_squat_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
