/* SPDX-License-Identifier: Apache-2.0 */
/* The file-system side of a vhost-user socket: where it is, who may connect, what is in the way. */
#ifndef VHOST_SOCKET_PRIV_H
#define VHOST_SOCKET_PRIV_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"

struct vhp_access {
	uid_t uid;              /* -1: unchanged. */
	gid_t gid;              /* -1: unchanged. */
	mode_t mode;
};

/* The path of a port's socket: 'wanted' (under 'run_dir' when relative), or "<run_dir>/vhost/<port>.sock"
 * when it is empty; makes the directory of the latter.  'path' has room for sizeof(sun_path). */
int vhp_socket_path(const char *run_dir, const char *wanted, const char *port, char *path, struct err *);

/* Names to numbers.  Empty names mean "unchanged"; 'mode' is octal. */
int vhp_access_parse(const char *owner, const char *group, const char *mode, struct vhp_access *, struct err *);
int vhp_access_apply(const char *path, const struct vhp_access *, struct err *);

/* Makes sure that bind() will succeed: the directory is there and ours to write, a socket that nobody listens
 * on is removed.  -EADDRINUSE when somebody does, -EEXIST for any other kind of file. */
int vhp_socket_clear(const char *path, struct err *);

/* Bounds reads and writes of all connections over 'path' in this process.  The library serves every guest from one
 * thread, and reads a message in two parts: a peer that keeps the second to itself would stop them all.  It does not
 * tell its descriptors, so they are found among the open files. */
void vhp_socket_set_timeouts(const char *path, unsigned ms);

#endif
