/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: changes that are gathered, then made all together or not at all (OpenFlow 1.4, 7.3.9; the ONF's extension
 * for 1.3).  Messages are kept as they came, which takes less room than what they say. */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

enum { BUNDLES_MAX = 64, BUNDLE_IDLE_MS = 30000, BUNDLE_QUOTE = 64 };
static const size_t bundle_bytes_max = 256u << 20;     /* Of all connections of all bridges. */

struct bundle {
	TAILQ_ENTRY(bundle) link;
	uint32_t id;
	uint16_t flags;
	bool closed;
	bool failed;                    /* A message could not be added. */
	uint64_t used_ms;
	struct evbuffer *msgs;
	uint8_t quote[BUNDLE_QUOTE];    /* Of the message that opened it: for an error. */
	uint32_t quote_len;
};

static struct bundle *
find(const struct conn *c, uint32_t id)
{
	struct bundle *b;

	TAILQ_FOREACH (b, &c->bundles, link)
		if (b->id == id)
			return b;
	return NULL;
}

/* Takes it off the connection, which may go while its bundle is worked at. */
static void
take(struct conn *c, struct bundle *b)
{
	TAILQ_REMOVE(&c->bundles, b, link);
	c->n_bundles--;
}

static void
bundle_free(struct of_agent *a, struct bundle *b)
{
	a->bundle_bytes -= evbuffer_get_length(b->msgs);
	evbuffer_free(b->msgs);
	free(b);
}

static void
drop(struct conn *c, struct bundle *b)
{
	take(c, b);
	bundle_free(c->br->agent, b);
}

void
bundles_drop(struct conn *c)
{
	while (!TAILQ_EMPTY(&c->bundles))
		drop(c, TAILQ_FIRST(&c->bundles));
}

void
bundles_expire(struct conn *c, uint64_t now_ms)
{
	struct bundle *b, *next;
	struct of_error e;

	for (b = TAILQ_FIRST(&c->bundles); b && c->state != CONN_DEAD; b = next) {
		next = TAILQ_NEXT(b, link);
		/* What the peer sent may still wait to be read. */
		if (now_ms - b->used_ms < BUNDLE_IDLE_MS || c->wait || c->stream || c->ready)
			continue;
		of_error_set(&e, OFE_BFC_TIMEOUT, "bundle %u was not used for %d s", b->id, BUNDLE_IDLE_MS / 1000);
		take(c, b);
		conn_error(c, &e, b->quote, b->quote_len);
		bundle_free(c->br->agent, b);
	}
}

void
bundles_fail(struct conn *c)
{
	struct bundle *b;

	TAILQ_FOREACH (b, &c->bundles, link)
		b->failed |= !b->closed;
}

static struct bundle *
open_bundle(struct conn *c, uint32_t id, uint16_t flags, struct of_error *e)
{
	struct bundle *b;

	if (c->n_bundles >= BUNDLES_MAX) {
		of_error_set(e, OFE_BFC_OUT_OF_BUNDLES, "at most %d bundles of a connection", BUNDLES_MAX);
		return NULL;
	}
	if (flags & ~(OFBF_ATOMIC | OFBF_ORDERED)) {
		of_error_set(e, OFE_BFC_BAD_FLAGS, "flags %#x", flags);
		return NULL;
	}
	b = xcalloc(1, sizeof *b);
	b->id = id;
	b->flags = flags;
	b->used_ms = clock_ms();
	b->msgs = evbuffer_new();
	b->quote_len = MIN_OF(c->raw_len, (uint32_t)BUNDLE_QUOTE);
	memcpy(b->quote, c->raw, b->quote_len);
	TAILQ_INSERT_TAIL(&c->bundles, b, link);
	c->n_bundles++;
	return b;
}

/* --- Adding ------------------------------------------------------------------------------------- */

static bool
may_hold(uint8_t kind)
{
	return kind == OFK_FLOW_MOD || kind == OFK_GROUP_MOD || kind == OFK_METER_MOD || kind == OFK_PORT_MOD ||
	       kind == OFK_PACKET_OUT;
}

static int
add(struct conn *c, struct bundle *b, const struct of_msg *m, const struct of_bundle_add *q, struct of_error *e)
{
	struct of_agent *a = c->br->agent;

	if (!q->inner || !may_hold(q->inner->kind))
		return of_error_set(e, OFE_BFC_MSG_UNSUP, "a bundle holds no such message");
	if (q->inner->xid != m->xid)
		return of_error_set(e, OFE_BFC_MSG_BAD_XID, "xid %#x inside %#x", q->inner->xid, m->xid);
	if (a->bundle_bytes + q->raw.len > bundle_bytes_max)
		return of_error_set(e, OFE_BFC_MSG_TOO_MANY, "bundles hold more than %zu MB", bundle_bytes_max >> 20);
	evbuffer_add(b->msgs, q->raw.data, q->raw.len);
	a->bundle_bytes += q->raw.len;
	b->used_ms = clock_ms();
	return 0;
}

int
h_bundle_add(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_bundle_add *q = m->body;
	struct bundle *b = find(c, q->bundle_id);

	if (!b)
		b = open_bundle(c, q->bundle_id, q->flags, e);
	if (!b)
		return -1;
	if (b->closed) {
		drop(c, b);
		return of_error_set(e, OFE_BFC_BUNDLE_CLOSED, "bundle %u is closed", q->bundle_id);
	}
	if (b->flags != q->flags) {
		drop(c, b);
		return of_error_set(e, OFE_BFC_BAD_FLAGS, "bundle %u was opened with other flags", q->bundle_id);
	}
	if (add(c, b, m, q, e)) {
		b->failed = true;
		return -1;
	}
	return 0;
}

/* --- Committing --------------------------------------------------------------------------------- */

/* The message at the front of 'msgs', decoded.  Its bytes stay until they are drained. */
static int
decode_first(struct conn *c, struct evbuffer *msgs, const uint8_t **raw, uint32_t *len, struct of_msg *m, struct of_error *e)
{
	const struct of_decode_opts opts = { .table_ids = c->table_ids };
	struct of_arena *arena = c->br->agent->bundle_arena;

	*raw = evbuffer_pullup(msgs, OF_HEADER_LEN);
	*len = of_msg_len(*raw);
	*raw = evbuffer_pullup(msgs, *len);
	of_arena_reset(arena);
	return of_decode(*raw, *len, &opts, arena, m, e);
}

/* Stages one change.  What cannot be taken back is left for later. */
static int
stage(struct conn *c, const struct of_msg *m, bool *later, struct of_error *e)
{
	uint16_t port;

	*later = false;
	switch (m->kind) {
	case OFK_PACKET_OUT:
		*later = true;
		return packet_out_check(c, m->body, true, e);
	case OFK_PORT_MOD:
		*later = true;
		return port_mod_check(c, m->body, &port, e);
	case OFK_FLOW_MOD:
		*later = flow_mod_has_buffer(m->body);
		return change_apply(c, m, e);
	default:
		return change_apply(c, m, e);
	}
}

static int
stage_all(struct conn *c, struct bundle *b, struct evbuffer *later, struct of_error *e)
{
	while (evbuffer_get_length(b->msgs)) {
		const uint8_t *raw;
		struct of_msg m;
		uint32_t len;
		bool is_later = false;

		if (decode_first(c, b->msgs, &raw, &len, &m, e) || stage(c, &m, &is_later, e)) {
			/* About the message itself first, then about the commit. */
			conn_error(c, e, raw, len);
			return of_error_set(e, OFE_BFC_MSG_FAILED, "a message of bundle %u failed", b->id);
		}
		if (is_later)
			evbuffer_add(later, raw, len);
		evbuffer_drain(b->msgs, len);
		c->br->agent->bundle_bytes -= len;
	}
	return 0;
}

static void
run_later(struct conn *c, struct evbuffer *later)
{
	while (evbuffer_get_length(later) && c->state != CONN_DEAD) {
		struct of_error e;
		const uint8_t *raw;
		struct of_msg m;
		uint32_t len;
		int rc = decode_first(c, later, &raw, &len, &m, &e);

		if (!rc && m.kind == OFK_PACKET_OUT)
			rc = packet_out_run(c, m.body, &e);
		else if (!rc && m.kind == OFK_PORT_MOD)
			rc = port_mod(c, m.body, &e);
		else if (!rc)
			rc = flow_mod_release_buffer(c, m.body, &e);
		if (rc)
			conn_error(c, &e, raw, len);
		if (conn_out_len(c) > OUT_MAX)
			conn_close(c, "has not read %u MB of errors", OUT_MAX >> 20);
		evbuffer_drain(later, len);
	}
}

static int
commit(struct conn *c, struct bundle *b, struct of_error *e)
{
	struct of_pipe *pipe = ofp_pipe(c->br->agent->ofp, c->br->id);
	struct evbuffer *later;
	int rc;

	if (b->failed)
		return of_error_set(e, OFE_BFC_MSG_FAILED, "a message could not be added to bundle %u", b->id);
	later = evbuffer_new();
	of_pipe_begin(pipe);
	rc = stage_all(c, b, later, e);
	if (rc) {
		of_pipe_abort(pipe);
	} else {
		of_pipe_commit(pipe);
		run_later(c, later);
	}
	evbuffer_free(later);
	return rc;
}

/* --- Control ------------------------------------------------------------------------------------ */

static void
committed(struct conn *c, const struct of_msg *m, void *data)
{
	conn_reply(c, m, OFK_BUNDLE_CONTROL, data);
	free(data);
}

static int
control_commit(struct conn *c, const struct of_msg *m, struct bundle *b, struct of_error *e)
{
	const struct of_bundle_control *q = m->body;
	struct of_bundle_control *answer;
	int rc;

	take(c, b);
	rc = b->flags == q->flags ? commit(c, b, e) :
				    of_error_set(e, OFE_BFC_BAD_FLAGS, "bundle %u was opened with other flags", b->id);
	bundle_free(c->br->agent, b);
	if (rc)
		return rc;
	/* It may have been told more of its own changes than it reads. */
	if (c->state == CONN_DEAD)
		return 0;
	answer = xcalloc(1, sizeof *answer);
	*answer = *q;
	answer->type = OFB_COMMIT_REPLY;
	wait_commit(c, m, committed, answer);
	return 0;
}

static int
control_open(struct conn *c, const struct of_bundle_control *q, struct bundle *b, struct of_error *e)
{
	if (b) {
		drop(c, b);
		return of_error_set(e, OFE_BFC_BAD_ID, "bundle %u is open already", q->bundle_id);
	}
	return open_bundle(c, q->bundle_id, q->flags, e) ? 0 : -1;
}

static int
control_close(struct conn *c, const struct of_bundle_control *q, struct bundle *b, struct of_error *e)
{
	if (b->closed) {
		drop(c, b);
		return of_error_set(e, OFE_BFC_BUNDLE_CLOSED, "bundle %u is closed already", q->bundle_id);
	}
	if (b->flags != q->flags) {
		drop(c, b);
		return of_error_set(e, OFE_BFC_BAD_FLAGS, "bundle %u was opened with other flags", q->bundle_id);
	}
	b->closed = true;
	b->used_ms = clock_ms();
	return 0;
}

int
h_bundle_control(struct conn *c, const struct of_msg *m, struct of_error *e)
{
	const struct of_bundle_control *q = m->body;
	struct of_bundle_control answer = *q;
	struct bundle *b = find(c, q->bundle_id);
	int rc = 0;

	if (!b && (q->type == OFB_CLOSE_REQUEST || q->type == OFB_COMMIT_REQUEST || q->type == OFB_DISCARD_REQUEST))
		return of_error_set(e, OFE_BFC_BAD_ID, "no bundle %u", q->bundle_id);
	switch (q->type) {
	case OFB_OPEN_REQUEST:
		rc = control_open(c, q, b, e);
		break;
	case OFB_CLOSE_REQUEST:
		rc = control_close(c, q, b, e);
		break;
	case OFB_COMMIT_REQUEST:
		return control_commit(c, m, b, e);
	case OFB_DISCARD_REQUEST:
		drop(c, b);
		break;
	default:
		return of_error_set(e, OFE_BFC_BAD_TYPE, "bundle control type %u", q->type);
	}
	if (rc)
		return rc;
	answer.type = q->type + 1;
	conn_reply(c, m, OFK_BUNDLE_CONTROL, &answer);
	return 0;
}
