/* SPDX-License-Identifier: Apache-2.0 */
/* VLAN modes: whether settings make sense together, tags in, tags out. */
#include "ofproto/vlan.h"

#include <errno.h>

#include "ofproto/ofp.h"

enum { VID_RESERVED = 4095 };

bool
vlan_carries(const struct vlan_rules *r, uint16_t vid)
{
	if (r->keys)
		return opt_map_key(r->keys, vid) >= 0;
	if (r->mode == OFP_VLAN_ACCESS)
		return vid == r->tag;
	if (r->mode != OFP_VLAN_TRUNK) {
		if (vid == r->tag)
			return true;
		if (!vid)
			return false;
	}
	return vid < VID_RESERVED && (!r->trunks || opt_vlans_has(r->trunks, vid));
}

int
vlan_in(const struct vlan_rules *r, bool tagged, uint16_t vid)
{
	if (!tagged || !vid)
		vid = r->mode == OFP_VLAN_TRUNK ? 0 : r->tag;
	else if (r->mode == OFP_VLAN_ACCESS)
		return -1;
	return vlan_carries(r, vid) ? vid : -1;
}

int
vlan_out(const struct vlan_rules *r, uint16_t vid)
{
	if (!vlan_carries(r, vid))
		return -1;
	if (r->keys || r->mode == OFP_VLAN_ACCESS || (r->mode == OFP_VLAN_NATIVE_UNTAGGED && vid == r->tag))
		return 0;
	return vid;
}

int
ofp_port_check(struct ofp_port_conf *c, bool vlan_mode_given, struct err *e)
{
	bool trunks = !opt_vlans_empty(&c->trunks);

	if (!vlan_mode_given) {
		if (c->tag && trunks)
			return err_set(e, EINVAL, "tag and trunks together need vlan-mode=native-tagged or "
				       "vlan-mode=native-untagged");
		c->vlan_mode = c->tag ? OFP_VLAN_ACCESS : OFP_VLAN_TRUNK;
	}
	switch (c->vlan_mode) {
	case OFP_VLAN_TRUNK:
		if (c->tag)
			return err_set(e, EINVAL, "vlan-mode=trunk takes no tag: native-tagged and "
				       "native-untagged do");
		break;
	case OFP_VLAN_ACCESS:
		if (!c->tag)
			return err_set(e, EINVAL, "vlan-mode=access needs tag, for example tag=10");
		if (trunks)
			return err_set(e, EINVAL, "vlan-mode=access takes no trunks: native-untagged does");
		break;
	case OFP_VLAN_NATIVE_TAGGED:
	case OFP_VLAN_NATIVE_UNTAGGED:
		if (!c->tag)
			return err_set(e, EINVAL, "vlan-mode=%s needs tag, the native VLAN, for example tag=10",
				       c->vlan_mode == OFP_VLAN_NATIVE_TAGGED ? "native-tagged" :
				       "native-untagged");
		break;
	default:
		return err_set(e, EINVAL, "vlan-mode: no mode has number %d", c->vlan_mode);
	}
	return 0;
}
