/* SPDX-License-Identifier: Apache-2.0 */
/* The port types of this folder.  The array of all types is in ctl/ports.c. */
#ifndef DATAPATH_PORTS_H
#define DATAPATH_PORTS_H

#include "datapath/port.h"

extern const struct port_type port_type_netdev;         /* A kernel interface, by name. */
extern const struct port_type port_type_dpdk;           /* A DPDK ethdev, by devargs. */
extern const struct port_type port_type_internal;       /* The host's own leg on a bridge: a tap. */
extern const struct port_type port_type_patch;          /* Joins two bridges. */

/* The name of the port that a patch port leads to; it need not exist. */
const char *port_patch_peer(const struct port *);

#endif
