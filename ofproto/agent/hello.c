/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a connection: which version will be spoken (OpenFlow 1.3.5, 6.3.1).  And its keep-alive. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <event2/bufferevent.h>

#include "ofproto/agent/agent_priv.h"

enum { LOCAL_PROBE_MS = 60000, VERSION_BITS = 0x7e };

uint32_t
hello_versions(uint32_t configured)
{
	const uint32_t all = 1 << OF10 | 1 << OF11 | 1 << OF12 | 1 << OF13 | 1 << OF14;

	return configured ? configured & VERSION_BITS : all;
}

/* Who looks on is shown whatever others speak. */
static uint32_t
our_versions(const struct conn *c)
{
	return c->remote->snoop ? VERSION_BITS : c->br->versions;
}

static unsigned
highest(uint32_t versions)
{
	return versions ? 31 - __builtin_clz(versions) : 0;
}

void
hello_send(struct conn *c)
{
	uint32_t ours = our_versions(c);
	unsigned top = highest(ours);
	/* Some controllers read no bitmap, some stumble over one: only when it says what the header cannot. */
	struct of_hello h = { .versions = ours, .has_bitmap = ours != ((2u << top) - 2) };
	struct of_msg m = { .version = top, .kind = OFK_HELLO, .xid = agent_new_id(c->br->agent), .body = &h };
	int one = 1;

	if (!c->remote->target.is_unix)
		setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	conn_send(c, &m);
}

/* 0: nothing in common. */
static uint8_t
negotiate(uint32_t ours, const struct of_hello *h)
{
	unsigned v;

	if (h->has_bitmap)
		return highest(ours & h->versions);
	v = MIN_OF(highest(ours), highest(h->versions));
	return ours & 1u << v ? v : 0;
}

static void
refuse(struct conn *c, const struct of_msg *m)
{
	uint8_t version = MAX_OF((unsigned)OF10, MIN_OF((unsigned)m->version, highest(c->br->versions)));
	char text[128];
	struct of_error_msg e = { .type = 0, .code = 0, .id = OFE_HFC_INCOMPATIBLE };
	struct of_msg reply = { .version = version, .kind = OFK_ERROR, .xid = m->xid, .body = &e };

	snprintf(text, sizeof text, "no common version: versions %#x (bit per wire version) are enabled here", c->br->versions);
	e.data = (struct of_data){ .data = (const uint8_t *)text, .len = strlen(text) };
	conn_send(c, &reply);
	c->errors++;
	conn_close_soon(c, "no common OpenFlow version (peer's highest is wire version %u)", m->version);
}

static uint32_t
probe_ms(const struct conn *c)
{
	return c->remote->target.is_unix && c->service ? LOCAL_PROBE_MS : c->br->conf.probe_ms;
}

static void
up(struct conn *c, uint8_t version)
{
	struct agent_bridge *br = c->br;

	c->version = version;
	c->state = CONN_UP;
	c->since_ms = clock_ms();
	c->miss_send_len = c->service ? 0 : 128;
	async_default(c);
	conn_timer_in(c, probe_ms(c) ? probe_ms(c) : LOCAL_PROBE_MS);
	if (c->remote->snoop)
		snoop_begin(c);
	if (c->service) {
		log_debug("%s: client %s: connected, OpenFlow 1.%u", br->conf.name, c->name, version - 1);
	} else {
		struct remote *r = c->remote;

		r->backoff_ms = 0;
		r->connected_ms = c->since_ms;
		r->last_error[0] = r->logged[0] = '\0';
		remote_set_state(r, REMOTE_CONNECTED);
		log_info("%s: controller %s: connected, OpenFlow 1.%u", br->conf.name, r->text, version - 1);
		fail_connected(br);
	}
	async_changed(br);
}

void
hello_received(struct conn *c, const struct of_msg *m, const uint8_t *raw UNUSED, uint32_t len UNUSED)
{
	uint8_t v = negotiate(our_versions(c), m->body);

	if (v)
		up(c, v);
	else
		refuse(c, m);
}

/* --- Keep-alive --------------------------------------------------------------------------------- */

static void
probe(struct conn *c)
{
	struct of_echo echo = { .data = { NULL, 0 } };
	struct of_msg m = { .version = c->version, .kind = OFK_ECHO_REQUEST, .xid = agent_new_id(c->br->agent), .body = &echo };
	uint32_t interval = probe_ms(c);
	uint64_t now = clock_ms(), silent = now - c->heard_ms;

	if (!interval) {
		conn_timer_in(c, LOCAL_PROBE_MS);
	} else if (c->wait) {
		/* It is we who do not listen. */
		c->heard_ms = now;
		conn_timer_in(c, interval);
	} else if (silent < interval) {
		c->probed_ms = 0;
		conn_timer_in(c, interval - silent);
	} else if (!c->probed_ms) {
		c->probed_ms = now;
		conn_send(c, &m);
		conn_timer_in(c, interval);
	} else if (now - c->probed_ms >= interval) {
		conn_close(c, "no answer for %.1f s", silent / 1000.0);
	} else {
		conn_timer_in(c, interval - (now - c->probed_ms));
	}
}

void
conn_timeout(struct conn *c)
{
	switch (c->state) {
	case CONN_OPENING:
		conn_close(c, "connection not made within %d s", HANDSHAKE_MS / 1000);
		break;
	case CONN_HELLO:
		conn_close(c, "no OpenFlow HELLO within %d s", HANDSHAKE_MS / 1000);
		break;
	case CONN_UP:
		if (c->remote->snoop)
			snoop_timeout(c);
		else
			probe(c);
		break;
	case CONN_CLOSING:
		conn_close(c, "%s", c->why);
		break;
	case CONN_DEAD:
		break;
	}
}
