/* SPDX-License-Identifier: Apache-2.0 */
/* Membership in IP multicast groups: the kernel reports it (IGMP, MLD) for as long as a socket wants it, and has NICs let
 * the frames in.  What comes goes the datapath's way; the socket hears nothing of it. */
#ifndef CTL_MCAST_H
#define CTL_MCAST_H

#include "base/addr.h"

/* A file descriptor, or -errno. */
int mcast_join(const struct ipaddr *group, int ifindex);
void mcast_leave(int fd);                       /* Negative: nothing happens. */

#endif
