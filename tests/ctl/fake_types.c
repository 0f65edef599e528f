/* SPDX-License-Identifier: Apache-2.0 */
/* FAKE port types: enough of each kind for documents to be checked against and for a switch to open,
 * without sockets, interfaces or packets.  The patch type is the real one. */
#include "tests/ctl/fake_types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ports.h"
#include "datapath/ports.h"

struct fake_conf {
	char path[108];
	int mode;
	uint16_t queues;
	struct mac mac;
	char device[32];
	char fail[64];
};

struct fake_port fake_ports[FAKE_PORTS_MAX];
unsigned fake_n_opened;

static const char *const modes[] = { "client", "server", NULL };

#define FAKE_OPTS \
	{ .name = "mode", .kind = OPT_ENUM, .offset = offsetof(struct fake_conf, mode), .names = modes, .dflt = "client" }, \
	{ .name = "path", .kind = OPT_STR, .offset = offsetof(struct fake_conf, path), .max = 107 }, \
	{ .name = "queues", .kind = OPT_U16, .offset = offsetof(struct fake_conf, queues), .min = 1, .max = 16, .dflt = "1" }, \
	{ .name = "fail", .kind = OPT_STR, .offset = offsetof(struct fake_conf, fail), .max = 63 }

static const struct opt_desc vhost_opts[] = { FAKE_OPTS, { 0 } };
static const struct opt_desc leg_opts[] = {
	FAKE_OPTS,
	{ .name = "mac", .kind = OPT_MAC, .offset = offsetof(struct fake_conf, mac) },
	{ 0 },
};
static const struct opt_desc netdev_opts[] = {
	FAKE_OPTS,
	{ .name = "device", .kind = OPT_STR, .offset = offsetof(struct fake_conf, device), .max = 31 },
	{ 0 },
};

struct fake_port *
fake_port(const char *name)
{
	for (unsigned i = 0; i < FAKE_PORTS_MAX; i++)
		if (fake_ports[i].open && !strcmp(fake_ports[i].name, name))
			return &fake_ports[i];
	return NULL;
}

/* A name can be open once, like the socket or tap that it stands for. */
static int
fake_open(struct port *p, const void *conf, struct err *e)
{
	const struct fake_conf *c = conf;
	struct fake_port *f = fake_ports;

	if (*c->fail && strcmp(c->fail, "no"))
		return err_set(e, EIO, "told to fail: %s", c->fail);
	if (fake_port(p->name))
		return err_set(e, EADDRINUSE, "%s is open already", p->name);
	while (f->open)
		if (++f == fake_ports + FAKE_PORTS_MAX)
			abort();
	*f = (struct fake_port){ .open = true, .link = { .up = true, .mtu = 1500 }, .mac = c->mac, .queues = c->queues };
	str_copy(f->name, sizeof f->name, p->name);
	fake_n_opened++;
	*(struct fake_port **)p->priv = f;
	return 0;
}

static void
fake_close(struct port *p)
{
	(*(struct fake_port **)p->priv)->open = false;
}

static void
fake_link(struct port *p, struct port_link *l)
{
	*l = (*(struct fake_port **)p->priv)->link;
}

#define FAKE_TYPE(ident, n, o, c) \
	static const struct port_type ident = { .name = n, .caps = c, .priv_size = sizeof(struct fake_port *), \
		.conf_size = sizeof(struct fake_conf), .opts = o, .open = fake_open, .close = fake_close, .link = fake_link }
FAKE_TYPE(vhost, "vhost-user", vhost_opts, 0);
FAKE_TYPE(leg, "internal", leg_opts, PORT_CAP_HOST_LEG);
FAKE_TYPE(netdev, "netdev", netdev_opts, 0);

static int
tunnel_open(struct port *p UNUSED, const void *conf UNUSED, struct err *e UNUSED)
{
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
	.name = "tunnel", .caps = PORT_CAP_VIRTUAL, .open = tunnel_open, .close = tunnel_close, .link = tunnel_link,
};

const struct port_type *const ctl_port_types[] = { &vhost, &leg, &netdev, &port_type_patch, NULL };

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
	return t == &leg ? 15 : 31;
}

enum ofp_port_kind
ctl_port_kind(const struct port_type *t)
{
	return t == &ctl_port_type_tunnel ? OFP_PORT_TUNNEL : t == &port_type_patch ? OFP_PORT_PATCH :
	       t == &leg ? OFP_PORT_INTERNAL : OFP_PORT_PLAIN;
}

const char *
ctl_port_kernel_link(const struct port_type *t, const char *name, const void *opts)
{
	const struct fake_conf *c = opts;

	return t == &leg ? name : t != &netdev ? NULL : *c->device ? c->device : name;
}

const struct port_type *
ctl_underlay_port(const char *link, void **opts)
{
	*opts = xcalloc(1, netdev.conf_size);
	opt_set(netdev.opts, *opts, "device", link, NULL);
	return &netdev;
}
