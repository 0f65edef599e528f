/* SPDX-License-Identifier: Apache-2.0 */
/* Which vhost-user ports there are, and what they say of themselves. */
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_vhost.h>

#include "vhost/vhost_priv.h"

/* ---- Registry -------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	struct vhp *first;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct vhp *
vhp_registry_find(const char *path)
{
	struct vhp *v;

	pthread_mutex_lock(&registry.lock);
	for (v = registry.first; v && strcmp(v->path, path); v = v->next)
		;
	pthread_mutex_unlock(&registry.lock);
	return v;
}

void
vhp_registry_add(struct vhp *v)
{
	pthread_mutex_lock(&registry.lock);
	v->next = registry.first;
	registry.first = v;
	pthread_mutex_unlock(&registry.lock);
}

void
vhp_registry_del(struct vhp *v)
{
	pthread_mutex_lock(&registry.lock);
	for (struct vhp **p = &registry.first; *p; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			break;
		}
	pthread_mutex_unlock(&registry.lock);
}

void
vhp_registry_each(void (*look)(struct vhp *))
{
	pthread_mutex_lock(&registry.lock);
	for (struct vhp *v = registry.first; v; v = v->next)
		look(v);
	pthread_mutex_unlock(&registry.lock);
}

/* ---- What is said about it -------------------------------------------------------------------- */

void
vhp_say(char to[VHP_TEXT], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to, VHP_TEXT, fmt, ap);
	va_end(ap);
}

static int
say_features(uint64_t features, char *to, size_t room)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ VIRTIO_F_VERSION_1, "virtio 1" }, { VIRTIO_F_RING_PACKED, "packed" },
		{ VIRTIO_NET_F_MRG_RXBUF, "mergeable" }, { VIRTIO_F_IN_ORDER, "in-order" },
		{ VIRTIO_RING_F_INDIRECT_DESC, "indirect" }, { VIRTIO_RING_F_EVENT_IDX, "event-idx" },
		{ VIRTIO_NET_F_GUEST_CSUM, "csum" }, { VIRTIO_NET_F_GUEST_TSO4, "tso" },
		{ VIRTIO_NET_F_GUEST_UFO, "ufo" }, { VQ_NET_F_GUEST_USO4, "uso" },
		{ VHOST_F_LOG_ALL, "migrating" },
	};
	int n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(names) && n < (int)room; i++)
		if (vhp_has(features, names[i].bit))
			n += snprintf(to + n, room - (size_t)n, ", %s", names[i].name);
	return n;
}

static void
say_running(const struct vhp *v, const struct vhp_conn *c, struct port_link *l)
{
	unsigned from = 0, size[2] = { 0 };

	for (unsigned i = 0; i < VHP_MAX_RINGS; i++) {
		if (!c->ring[i].vq)
			continue;
		from += ring_is_from_guest(i);
		if (!size[i & 1])
			size[i & 1] = c->ring[i].vq->size;
	}
	int n = snprintf(l->detail, sizeof l->detail, "%s, guest connected, rings %u+%u",
			 v->mode == VHP_SERVER ? "server" : "client", size[0], size[1]);

	if (from > 1)
		n += snprintf(l->detail + n, sizeof l->detail - (size_t)n, ", %u queues", from);
	say_features(c->features, l->detail + n, sizeof l->detail - (size_t)n);
}

static void
say_stopped(const struct vhp_conn *c, struct port_link *l)
{
	if (c->broken[0])
		snprintf(l->reason, sizeof l->reason, "%s", c->broken);
	else if (!c->has_features)
		snprintf(l->reason, sizeof l->reason, "connected, driver not ready (no features negotiated yet)");
	else if (!c->has_mem)
		snprintf(l->reason, sizeof l->reason, "connected, driver not ready (no guest memory shared; QEMU needs a "
			 "memory-backend with share=on)");
	else if (c->problem[0])
		snprintf(l->reason, sizeof l->reason, "%s", c->problem);
	else
		snprintf(l->reason, sizeof l->reason, "connected, driver not ready (rings not enabled)");
}

/* Refreshes what the control thread may read, and tells it. */
void
vhp_tell_owner(struct vhp *v)
{
	struct port_owner *o = v->port->owner;
	struct port_link l = { 0 };
	const struct vhp_conn *c = NULL;

	for (unsigned i = 0; i < VHP_MAX_CONNS; i++)
		if (v->conn[i].vid >= 0 && (!c || v->conn[i].owns_port))
			c = &v->conn[i];
	if (c && c->owns_port)
		say_running(v, c, &l);
	else if (c)
		say_stopped(c, &l);
	l.up = c && c->owns_port;
	l.resets = v->resets;
	if (!c && v->refused[0])
		snprintf(l.detail, sizeof l.detail, "%s", v->refused);
	pthread_mutex_lock(&v->link_lock);
	v->link = l;
	pthread_mutex_unlock(&v->link_lock);
	if (!__atomic_load_n(&v->closing, __ATOMIC_RELAXED))
		o->changed(o, v->port);
}

