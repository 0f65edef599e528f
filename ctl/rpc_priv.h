/* SPDX-License-Identifier: Apache-2.0 */
/* A request between the message layer (rpc_msg.c), which makes and answers it, and the parameters' getters
 * (cmd.c). */
#ifndef CTL_RPC_PRIV_H
#define CTL_RPC_PRIV_H

#include <jansson.h>
#include <sys/queue.h>

#include "ctl/cmd.h"

struct rpc_batch;

struct ctl_req {
	struct rpc_peer *peer;          /* Holds a reference. */
	struct rpc_batch *batch;        /* NULL: on its own. */
	size_t slot;                    /* Place in the batch. */
	const struct ctl_method *method;
	json_t *params;                 /* Object, checked. */
	json_t *id;                     /* NULL: a notification, which gets no answer. */
};

struct rpc_peer {
	unsigned refs;                  /* The client, and each request under way. */
	unsigned pending;
	struct sw *sw;
	uint64_t start_ms;
	void (*reply)(void *arg, const char *line, size_t len);         /* NULL once the client is gone. */
	size_t (*unread)(const void *arg);      /* Bytes that the client has not read yet; NULL: none, ever. */
	void *arg;
	LIST_HEAD(, ctl_stream) streams;
	void *keep;                     /* ctl_keep(). */
	void (*keep_destroy)(void *);
};

struct ctl_stream {
	LIST_ENTRY(ctl_stream) link;
	struct rpc_peer *peer;          /* Holds no reference: it ends first. */
	void (*gone)(void *arg);
	void *arg;
};

#endif
