/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of many rows, made piece by piece as fast as the peer reads them: a dump of a million rules takes no more
 * memory than one of a thousand.  No other answer of the connection comes between the parts, since nothing else of it
 * is handled meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/agent/agent_priv.h"

struct stream *
stream_create(struct conn *c, const struct of_msg *req, enum of_kind kind, bool (*piece)(struct conn *, struct stream *),
	      void *data)
{
	struct stream *s = xcalloc(1, sizeof *s);

	s->msg = (struct of_msg){ .version = req->version, .kind = kind, .form = req->form, .xid = req->xid };
	s->piece = piece;
	s->data = data;
	s->conn = c;
	of_mp_begin(&s->mp, &s->buf, &s->msg);
	c->stream = s;
	return s;
}

/* Sends the parts that are whole. */
static void
hand_on(struct conn *c, struct stream *s)
{
	size_t whole = s->mp.part;

	if (!whole)
		return;
	conn_write(c, s->buf.data, whole);
	memmove(s->buf.data, s->buf.data + whole, s->buf.len - whole);
	s->buf.len -= whole;
	s->mp.part = 0;
}

void
stream_row(struct stream *s, const void *row)
{
	conn_row(s->conn, &s->mp, row);
}

void
stream_run(struct conn *c)
{
	struct stream *s = c->stream;
	bool more;

	do {
		more = s->piece(c, s);
		if (more && !s->no_rows)
			hand_on(c, s);
	} while (more && conn_out_len(c) <= OUT_STREAM && !conn_deadline(c->br->agent));
	if (more)
		return;
	if (s->end) {
		s->end(c, s);
	} else {
		of_mp_end(&s->mp);
		conn_write(c, s->buf.data, s->buf.len);
	}
	stream_destroy(c);
}

void
stream_destroy(struct conn *c)
{
	struct stream *s = c->stream;

	if (!s)
		return;
	c->stream = NULL;
	of_buf_fini(&s->buf);
	free(s->data);
	free(s);
}
