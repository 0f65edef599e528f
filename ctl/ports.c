/* SPDX-License-Identifier: Apache-2.0 */
/* The list of port types. */
#include "ctl/ports.h"

#include <stdio.h>
#include <string.h>

#include "ctl/conf.h"
#include "datapath/ports.h"
#include "vhost/vhost.h"

const struct port_type *const ctl_port_types[] = {
	&vhp_vhost_user,
	&port_type_netdev,
	&port_type_internal,
	&port_type_dpdk,
	&port_type_patch,
	NULL,
};

const struct port_type *
ctl_port_type_find(const char *name)
{
	for (unsigned i = 0; ctl_port_types[i]; i++)
		if (!strcmp(ctl_port_types[i]->name, name))
			return ctl_port_types[i];
	return NULL;
}

enum ofp_port_kind
ctl_port_kind(const struct port_type *t)
{
	if (t == &ctl_port_type_tunnel)
		return OFP_PORT_TUNNEL;
	if (t == &port_type_patch)
		return OFP_PORT_PATCH;
	return t->caps & PORT_CAP_HOST_LEG ? OFP_PORT_INTERNAL : OFP_PORT_PLAIN;
}

unsigned
ctl_port_name_max(const struct port_type *t)
{
	return t->caps & PORT_CAP_HOST_LEG ? 15 : CONF_NAME_MAX;
}

/* --- What stands for a tunnel port in the datapath ------------------------------------------------ */

static int
tunnel_open(struct port *p, const void *conf UNUSED, struct err *e UNUSED)
{
	/* What fits is for each remote's path to say. */
	p->mtu = UINT16_MAX;
	return 0;
}

static void
tunnel_close(struct port *p UNUSED)
{
}

static void
tunnel_link(struct port *p UNUSED, struct port_link *l)
{
	*l = (struct port_link){ .up = true };
}

const struct port_type ctl_port_type_tunnel = {
	.name = "tunnel",
	.caps = PORT_CAP_VIRTUAL,
	.help = "a tunnel to other hosts",
	.open = tunnel_open,
	.close = tunnel_close,
	.link = tunnel_link,
};

/* --- What only some types have ---------------------------------------------------------------------- */

/* A text option of a type that has it; NULL when it has none, or it is empty. */
static const char *
text_option(const struct port_type *t, const void *opts, const char *name)
{
	const struct opt_desc *d = t->opts ? opt_find(t->opts, name) : NULL;
	const char *s = d && d->kind == OPT_STR ? (const char *)opts + d->offset : NULL;

	return s && *s ? s : NULL;
}

const char *
ctl_port_kernel_link(const struct port_type *t, const char *name, const void *opts)
{
	const char *device;

	if (t->caps & PORT_CAP_HOST_LEG)
		return name;
	if (t != &port_type_netdev)
		return NULL;
	device = text_option(t, opts, "device");
	return device ? device : name;
}

bool
ctl_port_wants_pci(const struct port_type *t, const void *opts)
{
	const char *s = t == &port_type_dpdk ? text_option(t, opts, "devargs") : NULL;
	unsigned a, b, c, d;

	return s && (sscanf(s, "%4x:%2x:%2x.%1x", &a, &b, &c, &d) == 4 || sscanf(s, "%2x:%2x.%1x", &a, &b, &c) == 3);
}

const struct port_type *
ctl_underlay_port(const char *link, void **opts)
{
	const struct port_type *t = &port_type_netdev;

	*opts = xcalloc(1, t->conf_size);
	opt_defaults(t->opts, *opts);
	/* AF_XDP would take the kernel's own packets away: neighbours could not be resolved any more. */
	opt_set(t->opts, *opts, "mode", "af_packet", NULL);
	opt_set(t->opts, *opts, "device", link, NULL);
	return t;
}
