/* SPDX-License-Identifier: Apache-2.0 */
/* The options of bridges and of bridge ports. */
#include "datapath/dp.h"
#include "ofproto/fdb.h"
#include "ofproto/ofp.h"

#define BRIDGE(field) offsetof(struct ofp_bridge_conf, field)
#define PORT(field) offsetof(struct ofp_port_conf, field)

/* In the order of enum ofp_vlan_mode. */
static const char *const vlan_mode_names[] = { "trunk", "access", "native-tagged", "native-untagged", NULL };

const struct opt_desc ofp_bridge_opts[] = {
	{ "mac-limit", OPT_U32, BRIDGE(mac_limit), 1, FDB_LIMIT_MAX, NULL, "8192", false,
	  "rows of the MAC table; frames from further addresses are forwarded, but not learned", "65536" },
	{ "mac-age", OPT_U32, BRIDGE(mac_age), 15, 3600, NULL, "300", false,
	  "seconds without a frame from an address until it is forgotten", "60" },
	{ "forward-reserved", OPT_BOOL, BRIDGE(forward_reserved), 0, 0, NULL, "false", false,
	  "forward link-local multicast 01:80:c2:00:00:0x (LLDP, LACP, STP) instead of dropping it", "true" },
	{ "hwaddr", OPT_MAC, BRIDGE(hwaddr), 0, 0, NULL, NULL, false,
	  "address of the internal port that has the bridge's name (default: made from that name, stable)",
	  "02:00:00:00:00:01" },
	{ 0 }
};

const struct opt_desc ofp_port_opts[] = {
	{ "vlan-mode", OPT_ENUM, PORT(vlan_mode), 0, 0, vlan_mode_names, "trunk", false,
	  "how VLANs pass: trunk, access, native-tagged, native-untagged (default: access with a tag, else trunk)",
	  "access" },
	{ "tag", OPT_U16, PORT(tag), 0, 4094, NULL, "0", false,
	  "VLAN of an access port, native VLAN of a native port; 0: none", "10" },
	{ "trunks", OPT_VLAN_SET, PORT(trunks), 0, 4094, NULL, NULL, false,
	  "VLANs that a trunk or native port carries, 0 for untagged frames (default: all)", "10,20,100-199" },
	{ "protected", OPT_BOOL, PORT(protected_port), 0, 0, NULL, "false", false,
	  "exchange no frames with other protected ports of the bridge", "true" },
	{ "mac-limit", OPT_U32, PORT(mac_limit), 0, FDB_LIMIT_MAX, NULL, "0", false,
	  "addresses learned on this port, frames from further ones are dropped; 0: no limit", "8" },
	{ "learning", OPT_BOOL, PORT(learning), 0, 0, NULL, "true", false,
	  "learn the source addresses of frames that come in here", "false" },
	{ "flood", OPT_BOOL, PORT(flood), 0, 0, NULL, "true", false,
	  "send broadcasts, multicasts and frames to unknown addresses out here", "false" },
	{ "of-port", OPT_U16, PORT(of_port), 0, DP_MAX_PORTS - 1, NULL, "0", false,
	  "OpenFlow number of the port, chosen when it is added; 0: the one it had before, else the lowest free", "7" },
	{ 0 }
};
