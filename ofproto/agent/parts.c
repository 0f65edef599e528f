/* SPDX-License-Identifier: Apache-2.0 */
/* Questions in several parts (OFPMPF_REQ_MORE): gathered up to a limit, then handled as one.  One at a time. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

enum { PARTS_MAX = 256, PARTS_BYTES = 2 << 20, PARTS_MS = 10000 };

struct parts {
	uint32_t xid;
	uint8_t kind;
	bool refused;                   /* Told so; the rest of it is ignored. */
	unsigned n;
	size_t len, cap;
	uint64_t heard_ms;
	uint8_t *raw;
};

void
parts_drop(struct conn *c)
{
	if (c->parts)
		free(c->parts->raw);
	free(c->parts);
	c->parts = NULL;
}

void
parts_expire(struct conn *c, uint64_t now_ms)
{
	struct parts *p = c->parts;
	struct of_error e;

	if (!p || now_ms - p->heard_ms < PARTS_MS)
		return;
	if (!p->refused) {
		of_error_set(&e, OFE_BRC_MULTIPART_REQUEST_TIMEOUT, "the rest of the request did not come");
		conn_error(c, &e, p->raw, of_msg_len(p->raw));
	}
	parts_drop(c);
}

static void
keep(struct parts *p, const uint8_t *raw, uint32_t len)
{
	if (p->len + len > p->cap) {
		p->cap = (p->len + len) * 2;
		p->raw = xrealloc(p->raw, p->cap);
	}
	memcpy(p->raw + p->len, raw, len);
	p->len += len;
	p->n++;
	p->heard_ms = clock_ms();
}

/* Joins the arrays of those parts and of 'm'.  Rows are of 'size' bytes. */
static int
join(struct conn *c, struct of_msg *m, struct of_error *e)
{
	struct of_agent *a = c->br->agent;
	const struct of_decode_opts opts = { .table_ids = c->table_ids };
	struct parts *p = c->parts;
	struct of_table_features_request *q, last = *(const struct of_table_features_request *)m->body;
	struct of_table_features *all;
	struct of_msg part[PARTS_MAX];
	uint32_t total = last.n, n = 0;
	size_t at = 0;

	for (unsigned i = 0; i < p->n; i++) {
		uint32_t len = of_msg_len(p->raw + at);

		if (of_decode(p->raw + at, len, &opts, a->arena, &part[i], e))
			return -1;
		total += ((const struct of_table_features_request *)part[i].body)->n;
		at += len;
	}
	q = of_arena_alloc(a->arena, sizeof *q);
	all = of_arena_alloc(a->arena, (total + 1) * sizeof *all);
	for (unsigned i = 0; i <= p->n; i++) {
		const struct of_table_features_request *r = i < p->n ? part[i].body : &last;

		if (r->n)
			memcpy(all + n, r->tables, r->n * sizeof *all);
		n += r->n;
	}
	q->n = n;
	q->tables = all;
	m->body = q;
	return 0;
}

static int
refuse(struct conn *c, bool more, struct of_error *e)
{
	struct parts *p = c->parts;

	free(p->raw);
	p->raw = NULL;
	p->len = p->cap = 0;
	p->refused = true;
	p->heard_ms = clock_ms();
	if (!more)
		parts_drop(c);
	return of_error_set(e, OFE_BRC_MULTIPART_BUFFER_OVERFLOW, "more than %d parts or %d bytes", PARTS_MAX, PARTS_BYTES);
}

int
parts_add(struct conn *c, struct of_msg *m, const uint8_t *raw, uint32_t len, struct of_error *e, bool *taken)
{
	struct parts *p = c->parts;
	int rc;

	if (p && (p->xid != m->xid || p->kind != m->kind)) {
		if (m->more)
			return of_error_set(e, OFE_BRC_MULTIPART_BUFFER_OVERFLOW, "one request in parts at a time");
		return 0;
	}
	if (!p) {
		p = c->parts = xcalloc(1, sizeof *p);
		p->xid = m->xid;
		p->kind = m->kind;
	}
	if (p->refused) {
		*taken = true;
		p->heard_ms = clock_ms();
		if (!m->more)
			parts_drop(c);
		return 0;
	}
	if (m->kind != OFK_TABLE_FEATURES_REQUEST) {
		/* Nothing else has more to say than one message holds. */
		rc = m->more && !p->n ? 0 : of_error_set(e, OFE_BRC_BAD_LEN, "%s in several parts", of_kind_name(m->kind));
		if (rc) {
			parts_drop(c);
			return rc;
		}
	}
	if (p->n + 1 >= PARTS_MAX || p->len + len > PARTS_BYTES)
		return refuse(c, m->more, e);
	if (m->more) {
		keep(p, raw, len);
		*taken = true;
		return 0;
	}
	rc = join(c, m, e);
	parts_drop(c);
	return rc;
}
