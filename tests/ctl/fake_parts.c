/* SPDX-License-Identifier: Apache-2.0 */
/* FAKE option tables of ports, tunnels and bridges: enough of each kind for test_conf.c to check
 * documents against, without the datapath. */
#include <errno.h>
#include <netinet/in.h>

#include "ctl/ports.h"
#include "tunnels/tun.h"

struct vhost_conf {
	char path[108];
	int mode;
	uint16_t queues;
};

static const char *const modes[] = { "client", "server", NULL };
static const struct opt_desc vhost_opts[] = {
	{ .name = "mode", .kind = OPT_ENUM, .offset = offsetof(struct vhost_conf, mode), .names = modes, .dflt = "client" },
	{ .name = "path", .kind = OPT_STR, .offset = offsetof(struct vhost_conf, path), .max = 107 },
	{ .name = "queues", .kind = OPT_U16, .offset = offsetof(struct vhost_conf, queues), .min = 1, .max = 16, .dflt = "1" },
	{ 0 },
};
static const struct port_type vhost = {
	.name = "vhost-user", .conf_size = sizeof(struct vhost_conf), .opts = vhost_opts,
};

struct internal_conf {
	struct mac mac;
};

static const struct opt_desc internal_opts[] = {
	{ .name = "mac", .kind = OPT_MAC, .offset = offsetof(struct internal_conf, mac) },
	{ 0 },
};
static const struct port_type internal = {
	.name = "internal", .conf_size = sizeof(struct internal_conf), .opts = internal_opts,
};

const struct port_type *const ctl_port_types[] = { &vhost, &internal, NULL };

const struct port_type *
ctl_port_type_find(const char *name)
{
	for (unsigned i = 0; ctl_port_types[i]; i++)
		if (!strcmp(ctl_port_types[i]->name, name))
			return ctl_port_types[i];
	return NULL;
}

unsigned
ctl_port_name_max(const struct port_type *t)
{
	return t == &internal ? 15 : 31;
}

const char *const tun_inherit_names[] = { "inherit", NULL };
const char *const tun_inner_vlan_names[] = { "auto", "keep", "drop", NULL };

static const struct opt_desc vxlan_opts[] = {
	{ .name = "vni", .kind = OPT_U32, .offset = offsetof(struct tun_conf, key), .max = 0xffffff, .required = true,
	  .help = "network identifier", .example = "5000" },
	TUN_COMMON_OPTS,
	{ 0 },
};
static const struct tun_type vxlan = { .name = "vxlan", .ip_proto = IPPROTO_UDP, .opts = vxlan_opts };

const struct tun_type *const tun_types[] = { &vxlan, NULL };

const struct tun_type *
tun_type_find(const char *name)
{
	return strcmp(name, "vxlan") ? NULL : &vxlan;
}

const struct opt_desc ofp_bridge_opts[] = {
	{ .name = "mac-age", .kind = OPT_U32, .offset = offsetof(struct ofp_bridge_conf, mac_age), .min = 15, .max = 3600,
	  .dflt = "300" },
	{ .name = "forward-reserved", .kind = OPT_BOOL, .offset = offsetof(struct ofp_bridge_conf, forward_reserved),
	  .dflt = "false" },
	{ 0 },
};

static const char *const vlan_modes[] = { "trunk", "access", "native-tagged", "native-untagged", NULL };
const struct opt_desc ofp_port_opts[] = {
	{ .name = "vlan-mode", .kind = OPT_ENUM, .offset = offsetof(struct ofp_port_conf, vlan_mode), .names = vlan_modes,
	  .dflt = "trunk" },
	{ .name = "tag", .kind = OPT_U16, .offset = offsetof(struct ofp_port_conf, tag), .min = 1, .max = 4094 },
	{ .name = "trunks", .kind = OPT_VLAN_SET, .offset = offsetof(struct ofp_port_conf, trunks) },
	{ .name = "protected", .kind = OPT_BOOL, .offset = offsetof(struct ofp_port_conf, protected_port), .dflt = "false" },
	{ .name = "learning", .kind = OPT_BOOL, .offset = offsetof(struct ofp_port_conf, learning), .dflt = "true" },
	{ 0 },
};

int
ofp_port_check(struct ofp_port_conf *c, bool given, struct err *e)
{
	if (!given)
		c->vlan_mode = c->tag ? OFP_VLAN_ACCESS : OFP_VLAN_TRUNK;
	if (c->vlan_mode == OFP_VLAN_TRUNK && c->tag)
		return err_set(e, EINVAL, "vlan-mode=trunk takes no tag");
	if (c->vlan_mode != OFP_VLAN_TRUNK && !c->tag)
		return err_set(e, EINVAL, "vlan-mode=%s needs tag", vlan_modes[c->vlan_mode]);
	return 0;
}
