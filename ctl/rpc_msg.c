/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC messages: a line of text becomes requests, answers become a line.  Knows no socket, so that it
 * can be tested and fuzzed as a function. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/cmd.h"
#include "ctl/rpc.h"
#include "ctl/rpc_priv.h"

enum {
	MAX_DEPTH = 48,                 /* Of nesting; jansson's parser recurses. */
	MAX_VALUES = 100000,            /* In one line: bounds the memory that parsing takes. */
	MAX_BATCH = 1000,               /* Requests in one batch, */
	MAX_BATCH_LEN = 4 << 20,        /* and bytes of its answers: what comes later is not carried out. */
	MAX_UNREAD = 1 << 20,           /* Of a client that listens: beyond it, it misses something. */
};

/* Requests that came together are answered together, in their order, when the last one is done. */
struct rpc_batch {
	size_t n, waiting;              /* 'waiting' counts rpc_handle() itself while it hands them out. */
	size_t len;                     /* Bytes of answers so far. */
	char **answer;                  /* NULL: none (yet). */
};

/* --- Answers ---------------------------------------------------------------------------------------- */

static void
peer_unref(struct rpc_peer *p)
{
	if (!--p->refs)
		free(p);
}

/* One answer without a newline.  Takes 'result' and 'error', one of which is NULL.  'id' is borrowed. */
static char *
answer_text(json_t *id, json_t *result, json_t *error)
{
	json_t *msg = json_object();
	char *text;

	json_object_set_new(msg, "jsonrpc", json_string("2.0"));
	json_object_set_new(msg, error ? "error" : "result", error ? error : result ? result : json_null());
	json_object_set(msg, "id", id);
	text = json_dumps(msg, JSON_COMPACT);
	json_decref(msg);
	/* Fails only for text that is no UTF-8, which jansson has not let in. */
	return text ? text : xstrdup("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,"
				     "\"message\":\"the answer is not UTF-8\"},\"id\":null}");
}

static json_t *
error_object(int code, const char *msg, json_t *data)
{
	json_t *error = json_object();

	json_object_set_new(error, "code", json_integer(code));
	ctl_set_str(error, "message", msg);
	if (data)
		json_object_set_new(error, "data", data);
	return error;
}

/* Takes 'text' (without newline; NULL: nothing to say). */
static void
peer_reply(struct rpc_peer *p, char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (p->reply && text) {
		text = xrealloc(text, len + 2);
		text[len] = '\n';
		text[len + 1] = '\0';
		p->reply(p->arg, text, len + 1);
	} else if (p->reply) {
		p->reply(p->arg, "", 0);
	}
	free(text);
}

static void
batch_settle(struct rpc_peer *p, struct rpc_batch *b)
{
	size_t len = 3, at = 0;
	char *text = NULL;

	if (--b->waiting)
		return;
	for (size_t i = 0; i < b->n; i++)
		len += b->answer[i] ? strlen(b->answer[i]) + 1 : 0;
	if (len > 3) {
		text = xcalloc(1, len);
		for (size_t i = 0; i < b->n; i++) {
			size_t one = b->answer[i] ? strlen(b->answer[i]) : 0;

			if (!one)
				continue;
			text[at] = at ? ',' : '[';
			memcpy(text + at + 1, b->answer[i], one);
			at += one + 1;
		}
		text[at] = ']';
	}
	for (size_t i = 0; i < b->n; i++)
		free(b->answer[i]);
	free(b->answer);
	free(b);
	peer_reply(p, text);
}

/* Takes 'text', the answer to element 'slot' of 'b', or to a request on its own. */
static void
deliver(struct rpc_peer *p, struct rpc_batch *b, size_t slot, char *text)
{
	if (!b) {
		peer_reply(p, text);
		return;
	}
	b->answer[slot] = text;
	b->len += text ? strlen(text) : 0;
	batch_settle(p, b);
}

static void
req_finish(struct ctl_req *r, json_t *result, json_t *error)
{
	struct rpc_peer *p = r->peer;
	char *text = NULL;

	/* Nobody listens, nothing to print. */
	if (r->id && p->reply) {
		text = answer_text(r->id, result, error);
	} else {
		json_decref(result);
		json_decref(error);
	}
	p->pending--;
	deliver(p, r->batch, r->slot, text);
	json_decref(r->params);
	json_decref(r->id);
	free(r);
	peer_unref(p);
}

void
ctl_reply(struct ctl_req *r, json_t *result)
{
	req_finish(r, result, NULL);
}

void
ctl_refuse(struct ctl_req *r, const char *path, const struct err *e)
{
	json_t *data = json_object();

	if (path)
		ctl_set_str(data, "path", path);
	ctl_set_num(data, "errno", e->code);
	if (strerrorname_np(e->code))
		ctl_set_str(data, "name", strerrorname_np(e->code));
	req_finish(r, NULL, error_object(CTL_E_REFUSED, *e->msg ? e->msg : strerror(e->code), data));
}

char *
rpc_error_line(int code, const char *msg)
{
	json_t *null = json_null();
	char *text = answer_text(null, NULL, error_object(code, msg, NULL));
	size_t len = strlen(text);

	json_decref(null);
	text = xrealloc(text, len + 2);
	memcpy(text + len, "\n", 2);
	return text;
}

/* --- Requests --------------------------------------------------------------------------------------- */

/* Parameters by position become parameters by name.  New reference, or NULL: too many of them. */
static json_t *
params_by_name(const struct ctl_param *table, json_t *params)
{
	size_t n = 0;
	json_t *obj, *v;

	if (!params)
		return json_object();
	if (json_is_object(params))
		return json_incref(params);
	obj = json_object();
	json_array_foreach(params, n, v) {
		if (!table[n].name) {
			json_decref(obj);
			return NULL;
		}
		json_object_set(obj, table[n].name, v);
	}
	return obj;
}

/* What is wrong with a message's frame, or NULL. */
static const char *
frame_fault(const json_t *msg)
{
	const char *version = json_string_value(json_object_get(msg, "jsonrpc"));
	const json_t *id = json_object_get(msg, "id"), *params = json_object_get(msg, "params");

	if (!json_is_object(msg))
		return "a request is an object: {\"jsonrpc\": \"2.0\", \"method\": ..., \"id\": ...}";
	if (!version || strcmp(version, "2.0"))
		return "\"jsonrpc\" must be \"2.0\"";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "\"id\" must be a text, a number or null";
	if (!json_is_string(json_object_get(msg, "method")))
		return "\"method\" must be a text";
	if (params && !json_is_object(params) && !json_is_array(params))
		return "\"params\" must be an object or an array";
	return NULL;
}

/* Finds the method and checks its parameters.  NULL, or the error to answer. */
static json_t *
req_prepare(struct ctl_req *r, const json_t *msg)
{
	const char *name = json_string_value(json_object_get(msg, "method")), *near, *which = "";
	char text[200], path[CTL_TEXT_MAX + 16];
	struct err e = { 0 };
	json_t *data;

	r->method = ctl_method_find(name, &near);
	if (!r->method) {
		if (near)
			snprintf(text, sizeof text, "unknown method '%.64s': did you mean '%s'?", name, near);
		else
			snprintf(text, sizeof text, "unknown method '%.64s'", name);
		return error_object(CTL_E_METHOD, text, NULL);
	}
	r->params = params_by_name(r->method->params, json_object_get(msg, "params"));
	if (!r->params)
		return error_object(CTL_E_PARAMS, "more parameters than the method has", NULL);
	if (!ctl_params_check(r->method->params, r->params, &which, &e))
		return NULL;
	snprintf(path, sizeof path, "params.%.*s", CTL_TEXT_MAX, which);
	data = json_object();
	ctl_set_str(data, "path", path);
	return error_object(CTL_E_PARAMS, e.msg, data);
}

static void
handle_one(struct rpc_peer *p, json_t *msg, struct rpc_batch *b, size_t slot)
{
	const char *fault = frame_fault(msg);
	json_t *id = json_object_get(msg, "id"), *error;
	struct ctl_req *r;

	if (fault) {
		json_t *null = json_null();
		bool echo = json_is_string(id) || json_is_number(id);

		deliver(p, b, slot, answer_text(echo ? id : null, NULL, error_object(CTL_E_REQUEST, fault, NULL)));
		json_decref(null);
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->peer = p;
	r->batch = b;
	r->slot = slot;
	r->id = json_incref(id);
	p->refs++;
	p->pending++;
	error = req_prepare(r, msg);
	if (!error && b && b->len > MAX_BATCH_LEN)
		error = error_object(CTL_E_REFUSED, "not carried out: the answers of this batch are too long", NULL);
	if (error)
		req_finish(r, NULL, error);
	else
		r->method->handle(r);
}

static void
handle_batch(struct rpc_peer *p, json_t *list)
{
	struct rpc_batch *b;
	json_t *msg;
	size_t i;

	if (!json_array_size(list) || json_array_size(list) > MAX_BATCH) {
		char text[80];

		snprintf(text, sizeof text, "a batch holds 1 to %d requests", MAX_BATCH);
		char *line = rpc_error_line(CTL_E_REQUEST, text);

		line[strlen(line) - 1] = '\0';
		peer_reply(p, line);
		return;
	}
	b = xcalloc(1, sizeof *b);
	b->n = json_array_size(list);
	b->answer = xcalloc(b->n, sizeof *b->answer);
	b->waiting = b->n + 1;
	json_array_foreach(list, i, msg)
		handle_one(p, msg, b, i);
	batch_settle(p, b);
}

/* Whether a parser would go too deep or make too much of this text.  Counts outside of strings only. */
static const char *
shape_fault(const char *s, size_t len)
{
	unsigned depth = 0, values = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
			depth++, values++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		else if (c == ',')
			values++;
		if (depth > MAX_DEPTH)
			return "nested too deep";
		if (values > MAX_VALUES)
			return "too many values in one request";
	}
	return NULL;
}

void
rpc_handle(struct rpc_peer *p, const char *line, size_t len)
{
	const char *fault = shape_fault(line, len);
	json_error_t je;
	json_t *msg;

	/* A reply may find the client gone, and close it. */
	p->refs++;
	msg = fault ? NULL : json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (!msg) {
		char text[sizeof je.text + 64], *answer;

		if (fault)
			snprintf(text, sizeof text, "%s", fault);
		else
			snprintf(text, sizeof text, "not JSON at column %d: %s", je.column, je.text);
		answer = rpc_error_line(CTL_E_PARSE, text);
		answer[strlen(answer) - 1] = '\0';
		peer_reply(p, answer);
	} else if (json_is_array(msg)) {
		handle_batch(p, msg);
	} else {
		handle_one(p, msg, NULL, 0);
	}
	json_decref(msg);
	peer_unref(p);
}

/* --- What outlives a request ------------------------------------------------------------------------ */

struct ctl_stream *
ctl_stream_open(struct ctl_req *r, void (*gone)(void *), void *arg)
{
	struct ctl_stream *s;

	if (ctl_is_gone(r))
		return NULL;
	s = xcalloc(1, sizeof *s);
	*s = (struct ctl_stream){ .peer = r->peer, .gone = gone, .arg = arg };
	LIST_INSERT_HEAD(&r->peer->streams, s, link);
	return s;
}

bool
ctl_stream_send(struct ctl_stream *s, const char *method, json_t *params)
{
	struct rpc_peer *p = s->peer;
	json_t *msg;

	if (p->unread && p->unread(p->arg) > MAX_UNREAD) {
		json_decref(params);
		return false;
	}
	msg = json_object();
	json_object_set_new(msg, "jsonrpc", json_string("2.0"));
	json_object_set_new(msg, "method", json_string(method));
	json_object_set_new(msg, "params", params);
	peer_reply(p, json_dumps(msg, JSON_COMPACT));
	json_decref(msg);
	return true;
}

void
ctl_stream_close(struct ctl_stream *s)
{
	LIST_REMOVE(s, link);
	free(s);
}

void *
ctl_keep(const struct ctl_req *r)
{
	return r->peer->keep;
}

void *
ctl_take_keep(struct ctl_req *r)
{
	void *obj = r->peer->keep;

	r->peer->keep = NULL;
	return obj;
}

void
ctl_set_keep(struct ctl_req *r, void *obj, void (*destroy)(void *))
{
	struct rpc_peer *p = r->peer;

	if (p->keep && p->keep != obj)
		p->keep_destroy(p->keep);
	p->keep = p->reply ? obj : NULL;
	p->keep_destroy = destroy;
	if (obj && !p->reply)
		destroy(obj);
}

/* --- Peers ------------------------------------------------------------------------------------------ */

struct rpc_peer *
rpc_peer_create(struct sw *sw, void (*reply)(void *, const char *, size_t), void *arg)
{
	struct rpc_peer *p = xcalloc(1, sizeof *p);

	*p = (struct rpc_peer){ .refs = 1, .sw = sw, .start_ms = clock_ms(), .reply = reply, .arg = arg };
	return p;
}

void
rpc_peer_close(struct rpc_peer *p)
{
	if (!p)
		return;
	p->reply = NULL;
	while (!LIST_EMPTY(&p->streams)) {
		struct ctl_stream *s = LIST_FIRST(&p->streams);
		void (*gone)(void *) = s->gone;
		void *arg = s->arg;

		ctl_stream_close(s);
		gone(arg);
	}
	if (p->keep)
		p->keep_destroy(p->keep);
	p->keep = NULL;
	peer_unref(p);
}

bool
rpc_peer_listens(const struct rpc_peer *p)
{
	return !LIST_EMPTY(&p->streams);
}

unsigned
rpc_peer_pending(const struct rpc_peer *p)
{
	return p->pending;
}
