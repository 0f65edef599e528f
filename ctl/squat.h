/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the kernel quiet about packets that Weft handles itself.  On a kernel interface that Weft shares, the kernel
 * sees tunnel packets too and would answer them, since no socket wants them: "port unreachable" to UDP, "protocol
 * unreachable" to GRE, a reset to STT's TCP.  A socket that throws everything away stops that. */
#ifndef CTL_SQUAT_H
#define CTL_SQUAT_H

#include <stdbool.h>
#include <stdint.h>

/* 'ip_proto' is IPPROTO_UDP, IPPROTO_TCP or IPPROTO_GRE, which has no ports.  A descriptor for squat_close(), or -errno;
 * -EADDRINUSE: another program, or a kernel tunnel, has the port.  (A kernel's GRE tunnel is no error: it answers
 * nothing.) */
int squat_open(bool v6, uint8_t ip_proto, uint16_t port);
void squat_close(int fd);

/* "UDP", "TCP", "GRE": for messages. */
const char *squat_proto(uint8_t ip_proto);

#endif
