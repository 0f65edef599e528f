/* SPDX-License-Identifier: Apache-2.0 */
/* The management interface: JSON-RPC 2.0 (https://www.jsonrpc.org/specification), one message a line, over a
 * unix stream socket.  Whoever may open the socket may do everything: its file mode (0660) is the
 * protection.  Clients are hostile all the same: lines, nesting, clients, time and memory have limits, and
 * none of them can hold up the control thread for long.  Control thread only. */
#ifndef CTL_RPC_H
#define CTL_RPC_H

#include "base/err.h"

struct event_base;
struct sw;
struct rpc;

/* Listens on 'path'; a stale socket file there is replaced, a live one is refused (-EADDRINUSE).  NULL with 'e'
 * set on failure. */
struct rpc *rpc_create(struct event_base *, struct sw *, const char *path, struct err *e);
/* Drops all clients and removes the socket.  Before sw and dp go: requests that still wait for the datapath are
 * forgotten when their callbacks run. */
void rpc_destroy(struct rpc *);

struct rpc_limits {
	unsigned clients;               /* More are told so and closed. */
	size_t line;                    /* Bytes of one request. */
	size_t unread;                  /* Answers waiting for one client: above, we stop listening to it. */
	size_t all_in, all_out;         /* Of all clients together. */
	unsigned partial_ms;            /* Time for a request to arrive whole, and for a stalled client to read. */
	unsigned pending;               /* Requests of one client under way. */
};
extern const struct rpc_limits rpc_default_limits;
/* For tests. */
void rpc_set_limits(struct rpc *, const struct rpc_limits *);
unsigned rpc_n_clients(const struct rpc *);

/* --- Messages, without a socket -------------------------------------------------------------------- */

/* One client as the message layer sees it. */
struct rpc_peer;

/* 'reply' gets each answer as one line, newline included, now or later; len 0 says that something that gets
 * no answer (a notification) was carried out. */
struct rpc_peer *rpc_peer_create(struct sw *, void (*reply)(void *arg, const char *line, size_t len), void *arg);
/* The client is gone: reply() is not called any more.  What it asked for goes on. */
void rpc_peer_close(struct rpc_peer *);
/* Requests that were taken and not answered yet. */
unsigned rpc_peer_pending(const struct rpc_peer *);
/* Whether it is to be told of something from time to time. */
bool rpc_peer_listens(const struct rpc_peer *);

/* One line without its newline: a request, a notification or a batch. */
void rpc_handle(struct rpc_peer *, const char *line, size_t len);

/* The error answer to something that was no request, as a line with its newline.  Caller frees. */
char *rpc_error_line(int code, const char *msg);

#endif
