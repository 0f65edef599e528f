/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications to guests: writes to an eventfd that the guest gave us, and of whose flags it remains the master.  It may
 * fill the counter and take O_NONBLOCK away, and then a write would not return.  So a thread of its own (it waits for
 * nobody, and sleeps while nobody calls) interrupts calls that take longer than some milliseconds. */
#ifndef VHOST_CALL_PRIV_H
#define VHOST_CALL_PRIV_H

struct err;

enum { VHP_CALL_MAX_MS = 20 };

/* Starts the thread, once. */
int vhp_call_start(struct err *);

/* Any thread.  0, also when the counter is full: the guest has calls to read.  -EINTR: it would have blocked, and whose
 * descriptor this is has to be left alone from now on.  Otherwise what write() says. */
int vhp_call(int fd);

#endif
