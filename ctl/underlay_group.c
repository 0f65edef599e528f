/* SPDX-License-Identifier: Apache-2.0 */
/* The multicast groups that tunnels flood to: joined where their routes leave, for as long as a tunnel names them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/mcast.h"
#include "ctl/underlay_priv.h"

/* A group on a link. */
struct membership {
	struct membership *next;
	struct ipaddr group;
	int ifindex;
	bool wanted;
	int fd;                         /* Or -errno. */
};

static struct membership *
find(const struct underlay *u, const struct ipaddr *group, int ifindex)
{
	struct membership *m = u->groups;

	while (m && (m->ifindex != ifindex || !ip_equal(&m->group, group)))
		m = m->next;
	return m;
}

static void
want(struct underlay *u, const struct remote *r)
{
	struct membership *m = find(u, &r->ip, r->via->nl.ifindex);
	char ip[IP_STR_LEN];

	if (!m) {
		m = xcalloc(1, sizeof *m);
		*m = (struct membership){ .group = r->ip, .ifindex = r->via->nl.ifindex, .fd = -EAGAIN, .next = u->groups };
		u->groups = m;
	}
	m->wanted = true;
	if (m->fd >= 0)
		return;
	m->fd = mcast_join(&m->group, m->ifindex);
	if (m->fd < 0)
		log_warn("%s: cannot join group %s on %s: %s", r->tun->name, ip_format(r->ip, ip), r->via->nl.name,
			 strerror(-m->fd));
	else
		log_info("%s: joined group %s on %s", r->tun->name, ip_format(r->ip, ip), r->via->nl.name);
}

static void
leave(struct underlay *u, bool all)
{
	for (struct membership **p = &u->groups, *m; (m = *p);) {
		if (m->wanted && !all) {
			m->wanted = false;
			p = &m->next;
			continue;
		}
		*p = m->next;
		mcast_leave(m->fd);
		free(m);
	}
}

void
groups_update(struct underlay *u)
{
	for (const struct tunnel *t = u->tunnels; t; t = t->next)
		for (unsigned i = 0; is_flow(t) && i < t->n; i++)
			if (t->remote[i]->via && ip_is_multicast(&t->remote[i]->ip))
				want(u, t->remote[i]);
	leave(u, false);
}

void
groups_leave_all(struct underlay *u)
{
	leave(u, true);
}

int
group_error(const struct underlay *u, const struct remote *r)
{
	const struct membership *m = r->via && ip_is_multicast(&r->ip) ? find(u, &r->ip, r->via->nl.ifindex) : NULL;

	return m && m->fd < 0 ? -m->fd : 0;
}
