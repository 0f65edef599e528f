/* SPDX-License-Identifier: Apache-2.0 */
/* What routers say of packets that were too big for them: sockets that hear of nothing else. */
#ifndef CTL_ICMP_H
#define CTL_ICMP_H

#include <stdbool.h>
#include <stddef.h>

/* A socket that does not block, or -errno: of ICMP's "fragmentation needed", or of ICMPv6's "packet too big". */
int icmp_open(bool v6);
/* One message: of IPv4 with its IP header, of IPv6 from the ICMPv6 header on.  Its length, at most 'len'; -EAGAIN: there is
 * none. */
int icmp_read(int fd, void *buf, size_t len);
void icmp_close(int fd);                        /* Negative: nothing happens. */

#endif
