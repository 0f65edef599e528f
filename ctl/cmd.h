/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of the management interface, as data: a name, a table of parameters, a function.  Whoever
 * dispatches checks the parameters against the table first, so that a handler reads what it knows to be
 * there and of the right kind.  A handler answers its request exactly once, now or from a callback later;
 * a client that has gone away in between changes nothing for it.  Control thread only. */
#ifndef CTL_CMD_H
#define CTL_CMD_H

#include <jansson.h>

#include "base/addr.h"
#include "base/err.h"

struct sw;

enum ctl_kind {
	CTL_STR,                        /* Text, at most 'max' bytes (0: CTL_TEXT_MAX); one of 'words' where given. */
	CTL_TEXTS,                      /* List of such texts, not empty; one alone may stand without the list. */
	CTL_U32,                        /* A number, or its decimal text. */
	CTL_U64,
	CTL_BOOL,                       /* true, false, or their text. */
	CTL_MAC,
	CTL_OPTIONS,                    /* Object: option name to text, number, boolean, list; null takes it away. */
	CTL_DOCUMENT,                   /* Object. */
};
#define CTL_TEXT_MAX 255

struct ctl_param {
	const char *name;               /* NULL ends a table. */
	enum ctl_kind kind;
	bool required;
	uint32_t max;                   /* Of numbers, 0: no limit; of texts: see above. */
	const char *const *words;
	const char *help;
};

struct ctl_req;

struct ctl_method {
	const char *name;               /* "port.add" */
	const struct ctl_param *params;
	void (*handle)(struct ctl_req *);
	const char *help;               /* One line. */
	const char *example;            /* The params of a call, as JSON. */
};

/* The families; each ends with a NULL name. */
extern const struct ctl_method ctl_conf_methods[], ctl_show_methods[], ctl_stats_methods[], ctl_mac_methods[],
	ctl_flow_methods[], ctl_of_methods[], ctl_ofmsg_methods[], ctl_rule_methods[],
	ctl_group_methods[], ctl_trace_methods[];

/* NULL: no such method; '*nearest' (may be NULL as well) is what may have been meant. */
const struct ctl_method *ctl_method_find(const char *name, const char **nearest);
/* The i-th of all methods; NULL after the last. */
const struct ctl_method *ctl_method_at(unsigned i);

/* JSON-RPC 2.0 error codes; REFUSED is ours: the request was understood, the switch says no. */
enum ctl_code {
	CTL_E_PARSE = -32700,
	CTL_E_REQUEST = -32600,
	CTL_E_METHOD = -32601,
	CTL_E_PARAMS = -32602,
	CTL_E_INTERNAL = -32603,
	CTL_E_REFUSED = -32000,
};

/* Checks named parameters against a table; -EINVAL with 'e' set to what is wrong, '*which' to the name of the
 * offender (borrowed from 'params' or the table). */
int ctl_params_check(const struct ctl_param *, const json_t *params, const char **which, struct err *e);

/* --- For handlers -------------------------------------------------------------------------------- */

struct sw *ctl_sw(const struct ctl_req *);
/* When this management interface was started, clock_ms(). */
uint64_t ctl_start_ms(const struct ctl_req *);

/* Whether nobody waits for the answer any more: it must be given all the same, but may be empty.  Always so in
 * callbacks that run while the switch is destroyed. */
bool ctl_is_gone(const struct ctl_req *);

/* Parameters, valid until the request is answered. */
const json_t *ctl_param(const struct ctl_req *, const char *name);      /* NULL: not given. */
const char *ctl_str(const struct ctl_req *, const char *name);          /* NULL: not given. */
/* The i-th of CTL_TEXTS; NULL: after the last, or not given. */
const char *ctl_text(const struct ctl_req *, const char *name, size_t i);
uint64_t ctl_num(const struct ctl_req *, const char *name, uint64_t dflt);
bool ctl_bool(const struct ctl_req *, const char *name);                /* false: not given. */
struct mac ctl_mac(const struct ctl_req *, const char *name);

/* The three ways to answer; the request is gone afterwards. */
void ctl_reply(struct ctl_req *, json_t *result);                       /* Takes 'result'. */
void ctl_refuse(struct ctl_req *, const char *path, const struct err *);        /* 'path' may be NULL. */
void ctl_refuse_fmt(struct ctl_req *, const char *path, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* --- What outlives a request ---------------------------------------------------------------------- */

/* A stream: the client that asked gets notifications ({"jsonrpc": "2.0", "method": ..., "params": ...}) until it goes
 * away or the stream is closed. */
struct ctl_stream;
/* 'gone' runs when the client has gone and its streams with it; not for a stream that was closed.  Made before the
 * request is answered.  NULL: the client is gone already. */
struct ctl_stream *ctl_stream_open(struct ctl_req *, void (*gone)(void *arg), void *arg);
/* Takes 'params'.  False: the client does not keep up with reading, so this was thrown away.  True: it was sent, and
 * that may have been too much for the client or for us: 'gone' may have run. */
bool ctl_stream_send(struct ctl_stream *, const char *method, json_t *params);
/* Frees the stream. */
void ctl_stream_close(struct ctl_stream *);

/* A place for one object of the handlers per client, freed with it. */
void *ctl_keep(const struct ctl_req *);
/* Destroys what was there. */
void ctl_set_keep(struct ctl_req *, void *obj, void (*destroy)(void *));
/* Gives back what was there; the place is empty. */
void *ctl_take_keep(struct ctl_req *);

/* --- Names ---------------------------------------------------------------------------------------- */

/* Answers with a refusal when there is no such bridge or port; the message names the nearest.  'bridge' NULL in
 * ctl_need_port(): of any bridge. */
bool ctl_need_bridge(struct ctl_req *, const char *bridge, uint16_t *id);
bool ctl_need_port(struct ctl_req *, const char *port, uint16_t *id);

/* To edit the configuration: a copy of the document; and what hands it to sw_apply() and answers once it is
 * effective, or refuses with 'path'.  ctl_apply() takes 'doc'. */
json_t *ctl_draft(struct ctl_req *);
void ctl_apply(struct ctl_req *, json_t *doc, const char *path);
#define CTL_GENERATION_PARAM \
	{ .name = "generation", .kind = CTL_U64, \
	  .help = "refuse unless the configuration still has this generation" }

/* json_object_set_new() of the common kinds, shorter. */
void ctl_set_str(json_t *obj, const char *key, const char *value);
void ctl_set_num(json_t *obj, const char *key, uint64_t value);

#endif
