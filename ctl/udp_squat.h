/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the kernel quiet about UDP packets that Weft handles itself.  On a kernel interface that Weft
 * shares, the kernel sees tunnel packets too and would answer "port unreachable", since no socket
 * wants them.  A bound socket that throws everything away stops that. */
#ifndef CTL_UDP_SQUAT_H
#define CTL_UDP_SQUAT_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor for close(2), or -errno; -EADDRINUSE: another program, or a kernel tunnel, has the port. */
int udp_squat_open(bool v6, uint16_t port);
void udp_squat_close(int fd);

#endif
