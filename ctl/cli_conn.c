/* SPDX-License-Identifier: Apache-2.0 */
/* weftctl's side of the socket: one request, one answer, and what to do when there is none. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli.h"

enum { ANSWER_MAX = 256 << 20, CHUNK = 64 << 10 };

static void
complain(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
complain(const struct cli *c, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Messages quote what anyone may have put into the configuration. */
	for (char *s = text; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	fputs("weftctl: ", stderr);
	if (isatty(STDERR_FILENO)) {
		struct out o;

		out_init(&o, stderr);
		out_wrap(&o, ST_PLAIN, 9, 2, text);
	} else {
		fprintf(stderr, "%s\n", text);
	}
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
explain_connect(const struct cli *c, int e)
{
	switch (e) {
	case ENOENT:
	case ECONNREFUSED:
		complain(c, "no weftd listens on %s: is it running?  Start it with 'systemctl start weftd', or name "
			    "another run directory with --run-dir", c->socket);
		break;
	case EACCES:
	case EPERM:
		complain(c, "%s: permission denied: run weftctl as root or as a member of the socket's group", c->socket);
		break;
	case EAGAIN:
		complain(c, "%s: weftd has too many clients waiting; try again", c->socket);
		break;
	default:
		complain(c, "%s: %s", c->socket, strerror(e));
	}
}

static bool
connect_to(struct cli *c)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int e;

	if (c->fd >= 0)
		return true;
	if (!str_copy(sa.sun_path, sizeof sa.sun_path, c->socket)) {
		complain(c, "%s: a socket path has at most %zu bytes", c->socket, sizeof sa.sun_path - 1);
		return false;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd >= 0 && !connect(c->fd, (struct sockaddr *)&sa, sizeof sa))
		return true;
	e = errno;
	explain_connect(c, e);
	cli_close(c);
	return false;
}

void
cli_close(struct cli *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->in);
	c->in = NULL;
	c->in_len = c->in_max = 0;
}

static bool
wait_for(struct cli *c, short events, uint64_t until)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	uint64_t now = now_ms();

	if (now < until && poll(&p, 1, (int)MIN_OF(until - now, (uint64_t)INT32_MAX)) > 0)
		return true;
	complain(c, "weftd did not answer within %u s (see --timeout)", (c->timeout_ms + 999) / 1000);
	return false;
}

static bool
send_all(struct cli *c, const char *p, size_t len, uint64_t until)
{
	while (len) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= n;
		} else if (errno == EAGAIN) {
			if (!wait_for(c, POLLOUT, until))
				return false;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			/* It may have said why before it hung up. */
			return true;
		} else if (errno != EINTR) {
			complain(c, "%s: %s", c->socket, strerror(errno));
			return false;
		}
	}
	return true;
}

/* The next line as JSON; what follows it stays for the next call. */
static json_t *
read_answer(struct cli *c, uint64_t until)
{
	size_t scanned = 0;

	for (;;) {
		char *end = c->in_len > scanned ? memchr(c->in + scanned, '\n', c->in_len - scanned) : NULL;
		ssize_t n;

		if (end) {
			json_t *msg = json_loadb(c->in, end - c->in, 0, NULL);

			c->in_len -= end + 1 - c->in;
			memmove(c->in, end + 1, c->in_len);
			if (json_is_object(msg))
				return msg;
			complain(c, "%s: the answer is not JSON-RPC: is this weftd?", c->socket);
			json_decref(msg);
			return NULL;
		}
		scanned = c->in_len;
		if (c->in_len == ANSWER_MAX) {
			complain(c, "the answer is too long");
			return NULL;
		}
		if (c->in_max - c->in_len < CHUNK) {
			c->in_max = MIN_OF(2 * c->in_max + CHUNK, (size_t)ANSWER_MAX);
			c->in = xrealloc(c->in, c->in_max);
		}
		n = recv(c->fd, c->in + c->in_len, c->in_max - c->in_len, 0);
		if (n > 0) {
			c->in_len += n;
		} else if (!n || errno == ECONNRESET) {
			complain(c, "weftd closed the connection before it answered");
			return NULL;
		} else if (errno == EAGAIN) {
			if (!wait_for(c, POLLIN, until))
				return NULL;
		} else if (errno != EINTR) {
			complain(c, "%s: %s", c->socket, strerror(errno));
			return NULL;
		}
	}
}

/* Takes 'params'. */
static char *
request_text(unsigned id, const char *method, json_t *params)
{
	json_t *msg = json_object();
	char *text;

	json_object_set_new(msg, "jsonrpc", json_string("2.0"));
	json_object_set_new(msg, "id", json_integer(id));
	json_object_set_new(msg, "method", json_string(method));
	json_object_set_new(msg, "params", params ? params : json_object());
	text = json_dumps(msg, JSON_COMPACT);
	json_decref(msg);
	return text;
}

/* The first reason, without repeating where the text names the place itself. */
static void
explain_error(const struct cli *c, const json_t *error)
{
	complain(c, "%s", cli_str(error, "message"));
}

json_t *
cli_call(struct cli *c, const char *method, json_t *params)
{
	json_t *error = NULL, *result = cli_try(c, method, params, &error);

	if (error)
		explain_error(c, error);
	json_decref(error);
	return result;
}

json_t *
cli_try(struct cli *c, const char *method, json_t *params, json_t **error)
{
	uint64_t until = now_ms() + c->timeout_ms;
	unsigned id = ++c->n_calls;
	char *text = request_text(id, method, params);
	json_t *msg = NULL, *result = NULL;
	bool sent = false;

	if (text && connect_to(c))
		sent = send_all(c, text, strlen(text), until) && send_all(c, "\n", 1, until);
	free(text);
	/* An error before the request was read has no id. */
	while (sent && (msg = read_answer(c, until))) {
		const json_t *got = json_object_get(msg, "id");

		if (json_is_null(got) || json_integer_value(got) == id)
			break;
		json_decref(msg);
	}
	if (msg) {
		result = json_incref(json_object_get(msg, "result"));
		if (!result)
			*error = json_object_get(msg, "error") ? json_incref(json_object_get(msg, "error")) : json_object();
		json_decref(msg);
	} else {
		cli_close(c);
	}
	return result;
}

json_t *
cli_next(struct cli *c)
{
	json_t *msg = NULL, *params;

	while (c->fd >= 0 && (msg = read_answer(c, UINT64_MAX)) && !json_object_get(msg, "method"))
		json_decref(msg);
	params = json_incref(json_object_get(msg, "params"));
	json_decref(msg);
	return params;
}

void
cli_print_json(struct out *o, const json_t *v)
{
	json_dumpf(v, o->f, JSON_INDENT(2) | JSON_ENCODE_ANY);
	fputc('\n', o->f);
}

const char *
cli_str(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

uint64_t
cli_num(const json_t *obj, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(obj, key));

	return n > 0 ? (uint64_t)n : 0;
}
