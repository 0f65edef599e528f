/* SPDX-License-Identifier: Apache-2.0 */
/* The port types by name: the one list of them, since a port type may live in any folder. */
#ifndef CTL_PORTS_H
#define CTL_PORTS_H

#include "datapath/port.h"
#include "ofproto/ofp.h"

/* Ends with NULL. */
extern const struct port_type *const ctl_port_types[];
const struct port_type *ctl_port_type_find(const char *name);

/* What the datapath holds in the place of a tunnel port (counters and a number); not in the list, since a
 * tunnel's type is its encapsulation. */
extern const struct port_type ctl_port_type_tunnel;

/* How frames leave a port of this type. */
enum ofp_port_kind ctl_port_kind(const struct port_type *);
/* Longest name of such a port: less where it becomes the name of a kernel interface. */
unsigned ctl_port_name_max(const struct port_type *);
/* The kernel interface that such a port is or sits on; NULL: none. */
const char *ctl_port_kernel_link(const struct port_type *, const char *name, const void *opts);
/* Whether opening it takes access to PCI devices, which the EAL is told at start. */
bool ctl_port_wants_pci(const struct port_type *, const void *opts);
/* What the underlay opens on a kernel interface that no configured port covers.  Caller frees '*opts'. */
const struct port_type *ctl_underlay_port(const char *link, void **opts);

#endif
