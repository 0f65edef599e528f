/* SPDX-License-Identifier: Apache-2.0 */
/* FAKE OpenFlow agent: notes what it is told and has two connections per bridge to show, one up and one down. */
#include "tests/ctl/fake_agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TAPS = 8 };

struct of_tap {
	void (*cb)(void *, uint32_t, const char *, bool, uint64_t, const struct of_msg *);
	void *arg;
};

static struct of_tap taps[MAX_TAPS];
struct of_agent *fake_agent;

struct of_agent *
of_agent_create(struct event_base *base UNUSED, struct ofp *ofp UNUSED, const struct of_agent_ops *ops)
{
	struct of_agent *a = xcalloc(1, sizeof *a);

	if (ops)
		a->ops = *ops;
	fake_agent = a;
	return a;
}

void
of_agent_destroy(struct of_agent *a)
{
	if (fake_agent == a)
		fake_agent = NULL;
	free(a);
}

int
of_target_check(const char *target, struct err *e)
{
	if (strncmp(target, "tcp:", 4) && strncmp(target, "ssl:", 4) && strncmp(target, "ptcp:", 5) &&
	    strncmp(target, "pssl:", 5))
		return err_set(e, EINVAL, "'%.64s' is no target such as tcp:127.0.0.1:6653", target);
	return 0;
}

int
of_agent_bridge_set(struct of_agent *a, uint16_t bridge, const struct of_agent_conf *c, struct err *e UNUSED)
{
	struct fake_agent_bridge *b = &a->bridge[bridge];

	b->set = true;
	b->n_sets++;
	b->conf = *c;
	str_copy(b->name, sizeof b->name, c->name);
	b->n_controllers = c->n_controllers;
	for (unsigned i = 0; i < c->n_controllers; i++)
		str_copy(b->controllers[i], sizeof b->controllers[i], c->controllers[i]);
	return 0;
}

void
of_agent_bridge_del(struct of_agent *a, uint16_t bridge)
{
	memset(&a->bridge[bridge], 0, sizeof a->bridge[bridge]);
}

void
of_agent_punt(struct of_agent *a, uint16_t in_port UNUSED, const void *data UNUSED, unsigned data_len UNUSED,
	      const void *frame UNUSED, uint32_t len UNUSED, uint32_t orig_len UNUSED)
{
	a->n_punts++;
}

void
of_agent_port_changed(struct of_agent *a, uint16_t port, enum of_port_reason why)
{
	static const char *const names[] = { [OFPPR_ADD] = "add", [OFPPR_DELETE] = "del", [OFPPR_MODIFY] = "mod" };
	size_t len = strlen(a->log);

	snprintf(a->log + len, sizeof a->log - len, "%s %u;", names[why], port);
}

void
of_agent_conns(const struct of_agent *a UNUSED, uint16_t bridge, void (*cb)(void *, const struct of_conn_info *),
	       void *arg)
{
	const struct of_conn_info up = {
		.bridge = bridge, .id = 1, .target = "tcp:127.0.0.1:6653", .state = "connected", .connected = true,
		.configured = true, .since_ms = 90000, .connected_ms_ago = 90000, .version = OF13, .role = OFR_MASTER,
		.rx = 12, .tx = 34, .packet_ins = 7, .packet_ins_dropped = 2,
	}, down = {
		.bridge = bridge, .id = 2, .target = "tcp:10.0.0.9:6653", .state = "backoff", .configured = true,
		.last_error = "connection refused", .since_ms = 1500, .connected_ms_ago = -1,
	};

	cb(arg, &up);
	cb(arg, &down);
}

bool
of_agent_bridge_info(const struct of_agent *a UNUSED, uint16_t bridge UNUSED, struct of_agent_bridge_info *i)
{
	*i = (struct of_agent_bridge_info){ .datapath_id = 0xa1, .n_buffers_in_use = 3 };
	return true;
}

struct of_tap *
of_tap_open(struct of_agent *a, uint16_t bridge UNUSED, uint32_t conn_id UNUSED,
	    void (*cb)(void *, uint32_t, const char *, bool, uint64_t, const struct of_msg *), void *arg)
{
	for (unsigned i = 0; i < MAX_TAPS; i++)
		if (!taps[i].cb) {
			taps[i] = (struct of_tap){ .cb = cb, .arg = arg };
			a->n_taps++;
			return &taps[i];
		}
	return NULL;
}

void
of_tap_close(struct of_tap *t)
{
	t->cb = NULL;
	fake_agent->n_taps--;
}

void
fake_agent_say(const struct of_msg *m)
{
	for (unsigned i = 0; i < MAX_TAPS; i++)
		if (taps[i].cb)
			taps[i].cb(taps[i].arg, 1, "tcp:127.0.0.1:6653", true, 1234, m);
}

int
of_msg_format(const struct of_msg *m, char *buf, size_t len)
{
	return snprintf(buf, len, "OFPT_FAKE (xid=0x%x)", m->xid);
}
