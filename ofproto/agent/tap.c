/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as they pass, for whoever debugs: decoded a second time, so that the normal way knows nothing of it.  Or as
 * bytes for `ovs-ofctl snoop`, which connects to RUNDIR/BRIDGE.snoop, says HELLO, and only reads from then on: all that
 * one controller sends and is sent. */
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <time.h>

#include "ofproto/agent/agent_priv.h"

struct of_tap {
	LIST_ENTRY(of_tap) link;
	struct of_agent *agent;
	uint16_t bridge;
	uint32_t conn_id;
	void (*cb)(void *, uint32_t, const char *, bool, uint64_t, const struct of_msg *);
	void *arg;
};

struct of_tap *
of_tap_open(struct of_agent *a, uint16_t bridge, uint32_t conn_id,
	    void (*cb)(void *, uint32_t, const char *, bool, uint64_t, const struct of_msg *), void *arg)
{
	struct of_tap *t = xcalloc(1, sizeof *t);

	t->agent = a;
	t->bridge = bridge;
	t->conn_id = conn_id;
	t->cb = cb;
	t->arg = arg;
	LIST_INSERT_HEAD(&a->taps, t, link);
	return t;
}

/* While taps are shown something, any of them may be closed: it goes when that is over. */
void
of_tap_close(struct of_tap *t)
{
	if (!t)
		return;
	t->cb = NULL;
	if (t->agent->tapping)
		return;
	LIST_REMOVE(t, link);
	free(t);
}

static void
sweep(struct of_agent *a)
{
	struct of_tap *t, *next;

	for (t = LIST_FIRST(&a->taps); t; t = next) {
		next = LIST_NEXT(t, link);
		if (!t->cb)
			of_tap_close(t);
	}
}

static void
show(struct conn *c, bool sent, uint64_t time_ms, const struct of_msg *m)
{
	struct of_agent *a = c->br->agent;
	struct of_tap *t;

	a->tapping = true;
	LIST_FOREACH(t, &a->taps, link)
		if (t->cb && t->bridge == c->br->id && (!t->conn_id || t->conn_id == c->id))
			t->cb(t->arg, c->id, c->name, sent, time_ms, m);
	a->tapping = false;
	sweep(a);
}

/* --- Snoopers ----------------------------------------------------------------------------------- */

static unsigned
preference(const struct remote *r)
{
	if (!r->conn || r->conn->state != CONN_UP)
		return 1;
	return r->conn->role == OFR_MASTER ? 4 : r->conn->role == OFR_SLAVE ? 2 : 3;
}

void
snoop_begin(struct conn *c)
{
	const struct remote *r;
	unsigned best = 0;

	TAILQ_FOREACH (r, &c->br->remotes, link)
		if (!r->target.passive && preference(r) > best) {
			best = preference(r);
			c->snooped = r->id;
		}
}

void
snoop_timeout(struct conn *c)
{
	if (conn_out_len(c) > OUT_HIGH)
		conn_close(c, "does not keep up with reading");
}

static void
snoop(const struct conn *c, const uint8_t *data, size_t len)
{
	BRIDGE_EACH_UP (s, c->br) {
		if (!s->remote->snoop)
			continue;
		if (!s->snooped)
			s->snooped = c->id;
		if (s->snooped != c->id)
			continue;
		/* A hole in what it sees would mislead: it is hung up on, but not here, where others are looked at. */
		if (conn_out_len(s) > OUT_HIGH) {
			conn_timer_in(s, 0);
			continue;
		}
		bufferevent_write(s->bev, data, len);
		s->tx++;
	}
}

void
tap_show(struct conn *c, bool sent, const uint8_t *data, size_t len)
{
	const struct of_decode_opts opts = { .table_ids = c->table_ids };
	struct of_arena *arena = c->br->agent->tap_arena;
	struct timespec now;
	uint64_t time_ms;

	if (c->br->n_snoopers && conn_is_primary(c))
		snoop(c, data, len);
	if (LIST_EMPTY(&c->br->agent->taps))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	time_ms = (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	for (size_t at = 0; at + OF_HEADER_LEN <= len;) {
		uint32_t n = of_msg_len(data + at);
		struct of_error e;
		struct of_msg m;

		if (!n || at + n > len)
			return;
		of_arena_reset(arena);
		if (!of_decode(data + at, n, &opts, arena, &m, &e))
			show(c, sent, time_ms, &m);
		at += n;
	}
}
