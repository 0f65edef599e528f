/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's place in the system: its run directory with the lock in it, and the service manager. */
#ifndef CTL_DAEMON_H
#define CTL_DAEMON_H

#include "base/err.h"

/* Creates the directory where it is missing (not its parents) and takes the lock DIR/weftd.pid, which another
 * weftd on the same directory does not get.  Returns the lock's descriptor, or -errno with 'e' set. */
int daemon_lock(const char *run_dir, struct err *e);
/* Removes the lock. */
void daemon_unlock(const char *run_dir, int fd);

/* Tells the service manager, when there is one: "READY=1", "STOPPING=1".  sd_notify(3) without its library. */
void daemon_notify(const char *state);

#endif
