/* SPDX-License-Identifier: Apache-2.0 */
/* VLAN modes of a bridge port: which VLAN a frame that comes in belongs to, and how a frame of a VLAN
 * leaves.  The rules are those of OVS's vlan_mode (ovs-vswitchd.conf.db(5), "VLAN Configuration"), with two
 * answers where that page has none:
 *  - VLAN ID 4095 is reserved (IEEE 802.1Q, table 9-2): such frames are not admitted anywhere;
 *  - VLAN 0, "no VLAN", never passes a native port: it could only leave untagged, and whoever gets it
 *    would take it for the native VLAN.
 * Priority-tagged frames (VLAN ID 0) count as untagged, and leave with a tag only where the VLAN has one. */
#ifndef OFPROTO_VLAN_H
#define OFPROTO_VLAN_H

#include "base/opt.h"

#define VLAN_TPID 0x8100        /* Any other Ethertype is payload to a bridge, S-tags included. */

struct vlan_rules {
	uint8_t mode;                   /* enum ofp_vlan_mode. */
	uint16_t tag;
	const struct opt_vlans *trunks; /* NULL: all. */
	/* Of a tunnel port whose keys are VLANs: which ones.  Frames leave without a tag, and belong where the key says; the
	 * rest above means nothing.  NULL: they do not. */
	const struct opt_map *keys;
};

/* Whether the port is a member of VLAN 'vid' (0..4094). */
bool vlan_carries(const struct vlan_rules *, uint16_t vid);
/* The VLAN of a frame that comes in, tagged with 'vid' or untagged.  -1: not admitted. */
int vlan_in(const struct vlan_rules *, bool tagged, uint16_t vid);
/* The tag a frame of VLAN 'vid' leaves with; 0: none, -1: the port is no member. */
int vlan_out(const struct vlan_rules *, uint16_t vid);

#endif
