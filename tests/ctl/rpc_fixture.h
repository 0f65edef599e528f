/* SPDX-License-Identifier: Apache-2.0 */
/* Methods without a socket: one line in, lines out, over the switch without packets.  Include behind cmocka.h. */
#ifndef TESTS_CTL_RPC_FIXTURE_H
#define TESTS_CTL_RPC_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/rpc.h"
#include "tests/ctl/fake_sw.h"

struct fixture {
	struct sw *sw;
	struct rpc_peer *peer;
	unsigned n;                     /* Answers so far. */
	json_t *last;
};

static inline void
on_reply(void *arg, const char *line, size_t len)
{
	struct fixture *f = arg;

	if (!len)
		return;
	assert_int_equal(line[len - 1], '\n');
	assert_null(memchr(line, '\n', len - 1));
	json_decref(f->last);
	f->last = json_loadb(line, len, 0, NULL);
	assert_non_null(f->last);
	f->n++;
}

static inline int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->sw = fake_sw_create();
	f->peer = rpc_peer_create(f->sw, on_reply, f);
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	while (fake_sw_run(f->sw))
		;
	rpc_peer_close(f->peer);
	json_decref(f->last);
	fake_sw_destroy(f->sw);
	free(f);
	return 0;
}

static inline void
send_text(struct fixture *f, const char *line)
{
	json_decref(f->last);
	f->last = NULL;
	rpc_handle(f->peer, line, strlen(line));
}

/* A call; its answer in f->last once effective. */
static inline void
call(struct fixture *f, const char *method, const char *params)
{
	char line[4000];

	snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method, params);
	send_text(f, line);
	while (fake_sw_run(f->sw))
		;
}

static inline json_t *
result_of(struct fixture *f)
{
	if (!json_object_get(f->last, "result"))
		fail_msg("no result but: %s", json_dumps(f->last, 0));
	assert_int_equal(json_integer_value(json_object_get(f->last, "id")), 7);
	return json_object_get(f->last, "result");
}

#endif
