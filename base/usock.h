/* SPDX-License-Identifier: Apache-2.0 */
/* Listening on a unix stream socket. */
#ifndef BASE_USOCK_H
#define BASE_USOCK_H

#include <sys/stat.h>

#include "base/err.h"

/* Makes a non-blocking listening socket at 'path', its file with mode 'mode'.  A socket file that a process left when
 * it was killed is replaced; one that somebody listens on is not (-EADDRINUSE), nor is anything that is no socket.
 * The descriptor, or -errno. */
int usock_listen(const char *path, mode_t mode, int backlog, struct err *);

#endif
