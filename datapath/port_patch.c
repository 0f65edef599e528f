/* SPDX-License-Identifier: Apache-2.0 */
/* The port type 'patch': one half of a joint between two bridges.  A frame sent to it goes on, in
 * the same batch, as if it had come in on the other half; no packet is ever queued here. */
#include <errno.h>
#include <stdio.h>

#include "datapath/ports.h"

struct patch {
	char peer[32];
};

static int
patch_open(struct port *p, const void *conf, struct err *e)
{
	const struct patch *c = conf;
	struct patch *self = p->priv;

	if (!c->peer[0])
		return err_set(e, EINVAL, "peer is missing: name the patch port of the other bridge");
	if (!strcmp(c->peer, p->name))
		return err_set(e, EINVAL, "peer is the port itself: name the patch port of the other bridge");
	*self = *c;
	p->mtu = 65535;
	return 0;
}

static void
patch_close(struct port *p UNUSED)
{
}

/* Whether the peer exists is for whoever knows all ports to say. */
static void
patch_link(struct port *p, struct port_link *l)
{
	memset(l, 0, sizeof *l);
	l->up = true;
	snprintf(l->detail, sizeof l->detail, "to %s", port_patch_peer(p));
}

const char *
port_patch_peer(const struct port *p)
{
	const struct patch *self = p->priv;

	return self->peer;
}

static const struct opt_desc patch_opts[] = {
	{ .name = "peer", .kind = OPT_STR, .offset = offsetof(struct patch, peer), .max = 31, .required = true,
	  .help = "patch port of the other bridge", .example = "patch-br1" },
	{ 0 },
};

const struct port_type port_type_patch = {
	.name = "patch",
	.caps = PORT_CAP_VIRTUAL,
	.priv_size = sizeof(struct patch),
	.conf_size = sizeof(struct patch),
	.opts = patch_opts,
	.help = "joins two bridges",
	.open = patch_open,
	.close = patch_close,
	.link = patch_link,
};
