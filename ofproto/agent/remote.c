/* SPDX-License-Identifier: Apache-2.0 */
/* What a bridge is told to connect to, or to listen on: dials with a growing pause after failures, accepts. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/usock.h"
#include "ofproto/agent/agent_priv.h"

enum { BACKLOG = 64 };

static const char *const state_names[] = {
	[REMOTE_IDLE] = "idle", [REMOTE_CONNECTING] = "connecting", [REMOTE_HANDSHAKE] = "handshake",
	[REMOTE_CONNECTED] = "connected", [REMOTE_BACKOFF] = "backoff", [REMOTE_LISTENING] = "listening",
};

const char *
remote_state_name(enum remote_state s)
{
	return state_names[s];
}

void
remote_set_state(struct remote *r, enum remote_state s)
{
	if (r->state != s)
		r->since_ms = clock_ms();
	r->state = s;
}

unsigned
bridge_n_primaries(const struct agent_bridge *br)
{
	const struct remote *r;
	unsigned n = 0;

	TAILQ_FOREACH (r, &br->remotes, link)
		n += !r->target.passive;
	return n;
}

static void
pause_after_failure(struct remote *r)
{
	uint32_t most = r->br->conf.max_backoff_ms;
	struct timeval tv;

	r->backoff_ms = MIN_OF(r->backoff_ms ? r->backoff_ms * 2 : r->br->agent->backoff_ms, most);
	tv = (struct timeval){ .tv_sec = r->backoff_ms / 1000, .tv_usec = r->backoff_ms % 1000 * 1000 };
	remote_set_state(r, REMOTE_BACKOFF);
	event_add(r->timer, &tv);
}

/* --- Dialling ----------------------------------------------------------------------------------- */

void
remote_lost(struct remote *r, const char *why, bool was_up)
{
	if (why)
		str_copy(r->last_error, sizeof r->last_error, why);
	if (was_up) {
		log_warn("%s: controller %s: disconnected: %s", r->br->conf.name, r->text, why ? why : "as asked");
		r->backoff_ms = 0;
	} else if (why && strcmp(why, r->logged)) {
		log_warn("%s: controller %s: cannot connect: %s", r->br->conf.name, r->text, why);
		str_copy(r->logged, sizeof r->logged, why);
	}
	pause_after_failure(r);
	fail_lost(r->br);
}

static int
dial_name(struct remote *r, struct bufferevent *bev)
{
	struct of_agent *a = r->br->agent;

	if (!a->dns)
		a->dns = evdns_base_new(a->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!a->dns)
		return -1;
	return bufferevent_socket_connect_hostname(bev, a->dns, AF_UNSPEC, r->target.host, r->target.port);
}

static void
dial(struct remote *r)
{
	struct agent_bridge *br = r->br;
	struct bufferevent *bev;
	struct err e = { .msg = "no memory" };
	struct conn *c;

	if (r->target.tls)
		bev = tls_bufferevent(br, -1, false, &e);
	else
		bev = bufferevent_socket_new(br->agent->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		remote_lost(r, e.msg, false);
		return;
	}
	remote_set_state(r, REMOTE_CONNECTING);
	c = r->conn = conn_create(r, bev, r->text, false);
	errno = 0;
	if (r->target.is_name ? dial_name(r, bev) :
				bufferevent_socket_connect(bev, (struct sockaddr *)&r->target.sa, r->target.sa_len))
		conn_close(c, "%s", errno ? strerror(errno) : "cannot connect");
}

/* --- Listening ---------------------------------------------------------------------------------- */

static void
on_accept(struct evconnlistener *l UNUSED, evutil_socket_t fd, struct sockaddr *sa, int len UNUSED, void *arg)
{
	struct remote *r = arg;
	struct agent_bridge *br = r->br;
	struct bufferevent *bev;
	char name[OF_TARGET_MAX + 1];
	struct err e = { .msg = "no memory" };
	struct conn *c;

	if (br->n_service >= SERVICE_CONNS) {
		log_rate_msg(&br->agent->log_rate, LOG_LVL_WARN, "%s: client refused: %u are connected", br->conf.name,
			     br->n_service);
		close(fd);
		return;
	}
	if (r->target.tls)
		bev = tls_bufferevent(br, fd, true, &e);
	else
		bev = bufferevent_socket_new(br->agent->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		log_rate_msg(&br->agent->log_rate, LOG_LVL_WARN, "%s: client refused: %s", br->conf.name, e.msg);
		str_copy(r->last_error, sizeof r->last_error, e.msg);
		close(fd);
		return;
	}
	if (r->target.is_unix)
		snprintf(name, sizeof name, "unix");
	else
		of_peer_format(sa, r->target.tls, name, sizeof name);
	c = conn_create(r, bev, name, true);
	if (!r->target.tls)
		conn_opened(c);
}

/* Most likely out of descriptors: trying again at once would spin. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	struct remote *r = arg;
	const struct timeval tv = { .tv_usec = 200000 };

	log_rate_msg(&r->br->agent->log_rate, LOG_LVL_WARN, "%s: %s: cannot accept: %s", r->br->conf.name, r->text,
		     strerror(errno));
	evconnlistener_disable(l);
	event_add(r->timer, &tv);
}

static int
listen_inet(const struct remote *r, struct err *e)
{
	const struct of_target *t = &r->target;
	int one = 1, rc;
	int fd = socket(t->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (!bind(fd, (const struct sockaddr *)&t->sa, t->sa_len) && !listen(fd, BACKLOG))
		return fd;
	rc = errno;
	close(fd);
	return err_set(e, rc, "cannot listen: %s", strerror(rc));
}

static void
start_listening(struct remote *r)
{
	struct err e = { 0 };
	int fd = r->target.is_unix ? usock_listen(r->target.host, 0700, BACKLOG, &e) : listen_inet(r, &e);

	if (fd >= 0) {
		r->listener = evconnlistener_new(r->br->agent->base, on_accept, r,
						 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
		if (!r->listener) {
			close(fd);
			err_set(&e, ENOMEM, "no memory to listen");
		}
	}
	if (!r->listener) {
		if (strcmp(r->logged, e.msg))
			log_warn("%s: %s: %s", r->br->conf.name, r->text, e.msg);
		str_copy(r->last_error, sizeof r->last_error, e.msg);
		str_copy(r->logged, sizeof r->logged, e.msg);
		pause_after_failure(r);
		return;
	}
	evconnlistener_set_error_cb(r->listener, on_accept_error);
	r->last_error[0] = r->logged[0] = '\0';
	r->backoff_ms = 0;
	remote_set_state(r, REMOTE_LISTENING);
}

/* --- Life --------------------------------------------------------------------------------------- */

void
remote_start(struct remote *r)
{
	if (!r->target.passive)
		dial(r);
	else if (r->listener)
		evconnlistener_enable(r->listener);
	else
		start_listening(r);
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	remote_start(arg);
}

struct remote *
remote_create(struct agent_bridge *br, const char *text, const struct of_target *t, bool local)
{
	struct remote *r = xcalloc(1, sizeof *r);

	r->br = br;
	r->text = xstrdup(text);
	r->target = *t;
	r->local = local;
	r->id = agent_new_id(br->agent);
	r->since_ms = clock_ms();
	r->timer = evtimer_new(br->agent->base, on_timer, r);
	return r;
}

void
remote_destroy(struct remote *r)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&r->br->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->remote == r)
			conn_free(c);
	}
	if (r->listener) {
		evconnlistener_free(r->listener);
		if (r->target.is_unix)
			unlink(r->target.host);
	}
	event_free(r->timer);
	free(r->text);
	free(r);
}
