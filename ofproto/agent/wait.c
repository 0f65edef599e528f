/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that wait for the polling threads: barriers for the publication of what was changed, statistics for the
 * counts of cached flows.  Meanwhile the connection's next messages stay where they are, so that order is kept. */
#include <stdlib.h>

#include "ofproto/agent/agent_priv.h"

struct wait {
	struct conn *c;                 /* NULL: it went. */
	struct of_msg req;
	void (*fn)(struct conn *, const struct of_msg *, void *);
	void *data;
};

static void
on_done(void *arg)
{
	struct wait *w = arg;
	struct conn *c = w->c;

	if (c) {
		c->wait = NULL;
		w->fn(c, &w->req, w->data);
		conn_kick(c);
	} else {
		free(w->data);
	}
	free(w);
}

static struct wait *
wait_create(struct conn *c, const struct of_msg *req, void (*fn)(struct conn *, const struct of_msg *, void *), void *data)
{
	struct wait *w = xcalloc(1, sizeof *w);

	w->c = c;
	w->req = *req;
	w->req.body = NULL;
	w->fn = fn;
	w->data = data;
	c->wait = w;
	return w;
}

void
wait_commit(struct conn *c, const struct of_msg *req, void (*fn)(struct conn *, const struct of_msg *, void *), void *data)
{
	const struct of_agent_ops *ops = &c->br->agent->ops;

	ops->commit(ops->arg, on_done, wait_create(c, req, fn, data));
}

void
wait_fold(struct conn *c, const struct of_msg *req, void (*fn)(struct conn *, const struct of_msg *, void *), void *data)
{
	const struct of_agent_ops *ops = &c->br->agent->ops;

	ops->fold(ops->arg, on_done, wait_create(c, req, fn, data));
}

void
wait_cancel(struct conn *c)
{
	if (c->wait)
		c->wait->c = NULL;
	c->wait = NULL;
}
