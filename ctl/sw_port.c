/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of the switch: their numbers, and what is open behind them.
 *
 * A port whose opening options changed is closed and opened again under its number.  The second opening
 * has to wait until the first is really closed, a grace period later, since a socket or a tap cannot be
 * there twice; until then the port is down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ports.h"
#include "ctl/sw_priv.h"
#include "datapath/ports.h"

enum { RETRY_MS = 5000 };

struct sw_port *
sw_port_new(struct sw *sw, const char *name, uint16_t id)
{
	struct sw_port *p = xcalloc(1, sizeof *p), **bucket;

	str_copy(p->name, sizeof p->name, name);
	p->id = id;
	sw->port[id] = p;
	bucket = sw_name_bucket(sw, p->name);
	p->next_name = *bucket;
	*bucket = p;
	return p;
}

void
sw_port_free(struct sw *sw, struct sw_port *p)
{
	struct sw_port **at = sw_name_bucket(sw, p->name);

	while (*at != p)
		at = &(*at)->next_name;
	*at = p->next_name;
	sw->dirty |= dp_port_guard(sw->dp, p->id, &(struct guard_conf){ 0 });
	dp_port_pin(sw->dp, p->id, NULL, 0);
	sw->port[p->id] = NULL;
	free(p);
}

int
sw_port_open(struct sw *sw, struct sw_port *p, const void *opts, struct err *e)
{
	p->dp = dp_port_add(sw->dp, p->type, p->name, p->id, opts, e);
	if (!p->dp)
		return e->code ? -e->code : err_set(e, EIO, "port %s: cannot be opened", p->name);
	p->wait_seq = 0;
	sw->dirty = true;
	return 0;
}

void
sw_port_close(struct sw *sw, struct sw_port *p, uint64_t seq)
{
	struct sw_closing *c;

	if (!p->dp)
		return;
	dp_port_del(sw->dp, p->dp);
	p->dp = NULL;
	sw->dirty = true;
	c = xcalloc(1, sizeof *c);
	str_copy(c->name, sizeof c->name, p->name);
	c->seq = seq;
	c->next = sw->closing;
	sw->closing = c;
}

bool
sw_is_closing(const struct sw *sw, const char *name)
{
	for (const struct sw_closing *c = sw->closing; c; c = c->next)
		if (!strcmp(c->name, name))
			return true;
	return false;
}

static void
forget_closed(struct sw *sw, uint64_t seq)
{
	for (struct sw_closing **pc = &sw->closing; *pc;) {
		struct sw_closing *c = *pc;

		if (c->seq > seq) {
			pc = &c->next;
			continue;
		}
		*pc = c->next;
		free(c);
	}
}

/* With the options the present document has for it. */
static int
open_configured(struct sw *sw, struct sw_port *p, struct err *e)
{
	const struct conf_port *c = conf_port(sw->conf, p->name);
	void *opts = conf_port_open_opts(c);
	int rc = sw_port_open(sw, p, opts, e);

	free(opts);
	return rc;
}

static int
try_open(struct sw *sw, struct sw_port *p, uint64_t now_ms)
{
	struct err e = { 0 };
	int rc = open_configured(sw, p, &e);

	p->wait_seq = 0;
	if (rc) {
		p->retry_ms = now_ms + RETRY_MS;
		if (strncmp(p->link.reason, e.msg, sizeof p->link.reason - 1))
			log_warn("port %s: down: %s", p->name, e.msg);
		p->link = (struct port_link){ 0 };
		p->seen = true;
		str_copy(p->link.reason, sizeof p->link.reason, e.msg);
	}
	sw_port_refresh(sw, p);
	return rc;
}

int
sw_open_waiting(struct sw *sw, uint64_t seq)
{
	bool any = false;
	int first = 0;

	forget_closed(sw, seq);
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];
		int rc;

		if (!p || !p->wait_seq || p->wait_seq > seq || sw_is_closing(sw, p->name))
			continue;
		rc = try_open(sw, p, clock_ms());
		first = first ? first : rc;
		any = true;
	}
	if (any) {
		sw_patch_peers(sw);
		sw_underlay_sync(sw);
	}
	return first;
}

void
sw_retry_ports(struct sw *sw, uint64_t now_ms)
{
	bool any = false;

	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];

		if (!p || p->dp || p->wait_seq || p->implicit || now_ms < p->retry_ms)
			continue;
		any |= try_open(sw, p, now_ms) == 0;
	}
	if (any) {
		sw_patch_peers(sw);
		sw_underlay_sync(sw);
	}
}

/* --- Patch ports ------------------------------------------------------------------------------- */

/* Who is at the other end, or 0 with the reason why nobody is. */
static uint16_t
find_peer(const struct sw *sw, const struct sw_port *p, char *reason, size_t len)
{
	const char *name = port_patch_peer(p->dp);
	const struct sw_port *q = sw_find_port(sw, name);
	const char *back;

	if (!q || !q->dp) {
		snprintf(reason, len, "peer %s does not exist", name);
		return 0;
	}
	if (q->kind != OFP_PORT_PATCH) {
		snprintf(reason, len, "peer %s is no patch port but of type %s", name, q->type->name);
		return 0;
	}
	back = port_patch_peer(q->dp);
	if (strcmp(back, p->name)) {
		snprintf(reason, len, "peer %s leads to %s, not back here", name, back);
		return 0;
	}
	if (q->bridge == p->bridge) {
		snprintf(reason, len, "peer %s is on the same bridge", name);
		return 0;
	}
	return q->id;
}

void
sw_patch_peers(struct sw *sw)
{
	for (unsigned i = 1; i < DP_MAX_PORTS; i++) {
		struct sw_port *p = sw->port[i];

		if (p && p->kind == OFP_PORT_PATCH)
			sw_port_refresh(sw, p);
	}
}

void
sw_patch_link(struct sw *sw, struct sw_port *p, struct port_link *l)
{
	uint16_t peer = find_peer(sw, p, l->reason, sizeof l->reason);

	l->up = peer != 0;
	if (peer == p->peer)
		return;
	p->peer = peer;
	ofp_port_set_patch_peer(sw->ofp, p->id, peer);
	sw->dirty = true;
}
