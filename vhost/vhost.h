/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'vhost-user': a guest's virtio-net device, over a unix socket that its hypervisor
 * opens (mode=client, the default: guests survive a restart of the switch) or we do (mode=server). */
#ifndef VHOST_VHOST_H
#define VHOST_VHOST_H

#include "datapath/port.h"

extern const struct port_type vhp_vhost_user;

#endif
