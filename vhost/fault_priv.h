/* SPDX-License-Identifier: Apache-2.0 */
/* Guests' memory that goes away under us.  A guest shares its memory as a file, and may make that file shorter while it
 * is mapped here: whoever touches it then gets a SIGBUS.  The handler puts zero pages in place of the whole region, so
 * that the thread goes on (with nonsense, in the memory of a guest that asked for it), marks the region and wakes the
 * watch thread.  A fault anywhere else has its default action. */
#ifndef VHOST_FAULT_PRIV_H
#define VHOST_FAULT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct vhp_fault;
struct err;

/* Takes over SIGBUS, once. */
int vhp_fault_install(struct err *);
/* [library] 'start' is page-aligned, mapped until the entry is deleted.  Never NULL. */
struct vhp_fault *vhp_fault_add(void *start, size_t len);
void vhp_fault_del(struct vhp_fault *);         /* NULL is fine. */
bool vhp_fault_hit(const struct vhp_fault *);   /* NULL: false. */

/* While the library handles a message it maps memory and looks into rings before anyone could add a region: with 'on',
 * faults of this thread are mended page by page wherever they are.  Returns whether there was one. */
bool vhp_fault_in_message(bool on);

#endif
