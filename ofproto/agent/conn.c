/* SPDX-License-Identifier: Apache-2.0 */
/* One connection's bytes: cuts them into messages, sees to it that no connection takes more than its share of time and
 * memory, and sends what handlers have to say. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ofproto/agent/agent_priv.h"

enum { LIBEVENT_READ = 4096, SEND_NOW_MAX = 512 };

size_t
conn_out_len(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

bool
conn_is_primary(const struct conn *c)
{
	return !c->service;
}

/* --- Turns -------------------------------------------------------------------------------------- */

/* By a timer, not by a callback within the same round of the event loop: that would never end while peers go on
 * sending, and the switch would wait. */
void
agent_next_turn(struct of_agent *a)
{
	const struct timeval now = { 0 };

	if (!a->armed)
		event_add(a->next_turn, &now);
	a->armed = true;
}

bool
conn_deadline(const struct of_agent *a)
{
	return clock_us() > a->turn_end_us;
}

static void
set_ready(struct conn *c, bool ready)
{
	struct of_agent *a = c->br->agent;

	if (ready == c->ready)
		return;
	c->ready = ready;
	if (ready) {
		TAILQ_INSERT_TAIL(&a->ready, c, ready_link);
		agent_next_turn(a);
	} else {
		TAILQ_REMOVE(&a->ready, c, ready_link);
	}
}

void
conn_kick(struct conn *c)
{
	if (c->state != CONN_DEAD && !c->busy)
		set_ready(c, true);
}

static bool
conn_blocked(const struct conn *c)
{
	if (c->state == CONN_CLOSING || c->state == CONN_DEAD || c->wait)
		return true;
	return conn_out_len(c) > (c->stream ? OUT_STREAM : OUT_HIGH);
}

/* Handles whole messages that lie at 'p' one after the other; returns how many bytes they were. */
static size_t
messages(struct conn *c, const uint8_t *p, size_t avail, uint32_t len)
{
	size_t done = 0;

	do {
		dispatch(c, p + done, len);
		done += len;
		if (c->stream || conn_blocked(c) || done + OF_HEADER_LEN > avail)
			break;
		len = of_msg_len(p + done);
	} while (len && done + len <= avail && !conn_deadline(c->br->agent));
	return done;
}

/* Handles some of what was read.  Returns whether a whole message is left; 0 bytes done and false: there is none. */
static bool
conn_input(struct conn *c, size_t *done)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in), avail;
	const uint8_t *p;
	uint32_t want;

	if (len < OF_HEADER_LEN)
		return false;
	avail = MAX_OF(evbuffer_get_contiguous_space(in), (size_t)OF_HEADER_LEN);
	p = evbuffer_pullup(in, avail);
	want = of_msg_len(p);
	if (!want) {
		c->errors++;
		conn_close(c, "garbage instead of a message");
		return false;
	}
	if (want > len)
		return false;
	if (want > avail) {
		avail = want;
		p = evbuffer_pullup(in, avail);
	}
	*done = messages(c, p, avail, want);
	evbuffer_drain(in, *done);
	return true;
}

/* Returns whether there is more to do for it now. */
static bool
conn_turn(struct conn *c)
{
	struct of_agent *a = c->br->agent;
	size_t done = 0;

	if (!a->turn_end_us) {
		a->turn_end_us = clock_us() + TURN_US;
		agent_next_turn(a);
	}
	for (size_t sum = 0; !conn_blocked(c); sum += done) {
		if (sum >= CONN_TURN_BYTES || conn_deadline(a))
			return true;
		if (c->stream) {
			stream_run(c);
			done = 4096;
		} else if (!conn_input(c, &done)) {
			return false;
		}
	}
	return false;
}

/* Above its watermark libevent calls on_read() again and again, as long as reading is enabled at all. */
static void
set_reading(struct conn *c, bool on)
{
	if (on == c->reading || c->eof)
		return;
	c->reading = on;
	if (on)
		bufferevent_enable(c->bev, EV_READ);
	else
		bufferevent_disable(c->bev, EV_READ);
}

static void
conn_run(struct conn *c)
{
	bool more;

	if (c->state == CONN_DEAD || c->busy)
		return;
	c->busy = true;
	set_ready(c, false);
	monitors_resume(c);
	more = conn_turn(c);
	monitors_flush(c);
	c->busy = false;
	if (c->state == CONN_DEAD)
		return;
	set_ready(c, more);
	/* Who waits for a barrier has, as a rule, sent no more: nothing is gained by not looking. */
	set_reading(c, !more && evbuffer_get_length(bufferevent_get_input(c->bev)) < IN_HIGH / 2 &&
			       (c->wait || !conn_blocked(c)));
	/* Half-closed is closed, but what was asked before that is done, and answered. */
	if (c->eof && !more && !conn_blocked(c)) {
		if (conn_out_len(c))
			conn_close_soon(c, "%s", c->why);
		else
			conn_close(c, "%s", c->why);
	}
}

void
agent_on_turn(int fd UNUSED, short what UNUSED, void *arg)
{
	struct of_agent *a = arg;
	struct conn *c;

	a->armed = false;
	a->turn_end_us = 0;
	while ((c = TAILQ_FIRST(&a->dead)))
		conn_free(c);
	while ((c = TAILQ_FIRST(&a->ready)) && (!a->turn_end_us || !conn_deadline(a)))
		conn_run(c);
	if (!TAILQ_EMPTY(&a->ready))
		agent_next_turn(a);
}

/* --- Events ------------------------------------------------------------------------------------- */

/* libevent takes 4 KB at a time.  Who sends more has the rest taken at once: loading rules is mostly that. */
static void
read_rest(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_iovec v;
	ssize_t n;

	if (c->tls || !c->reading || evbuffer_get_length(in) < LIBEVENT_READ || evbuffer_get_length(in) >= IN_HIGH / 2)
		return;
	evbuffer_unfreeze(in, 0);
	if (evbuffer_reserve_space(in, IN_HIGH / 2, &v, 1) == 1) {
		n = recv(bufferevent_getfd(c->bev), v.iov_base, MIN_OF(v.iov_len, (size_t)IN_HIGH / 2), MSG_DONTWAIT);
		/* The end and errors are libevent's to find, which sees them again. */
		if (n > 0) {
			v.iov_len = (size_t)n;
			evbuffer_commit_space(in, &v, 1);
		}
	}
	evbuffer_freeze(in, 0);
}

static void
on_read(struct bufferevent *bev UNUSED, void *arg)
{
	struct conn *c = arg;
	struct of_agent *a = c->br->agent;

	read_rest(c);
	c->heard_ms = clock_ms();
	c->probed_ms = 0;
	if (a->turn_end_us && conn_deadline(a)) {
		set_reading(c, false);
		conn_kick(c);
	} else {
		conn_run(c);
	}
}

/* The peer has read all but a little. */
static void
on_write(struct bufferevent *bev UNUSED, void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_CLOSING && !conn_out_len(c)) {
		conn_close(c, "%s", c->why);
		return;
	}
	conn_kick(c);
}

/* Whoever reads lives, though it may be too busy to answer a probe that is behind megabytes of replies. */
static void
on_output_change(struct evbuffer *buf UNUSED, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	c->took |= info->n_deleted > 0;
	if (info->n_deleted && info->orig_size > OUT_STREAM / 4)
		c->heard_ms = clock_ms();
}

static const char *
event_cause(struct conn *c, short what)
{
	int err = EVUTIL_SOCKET_ERROR(), dns = bufferevent_socket_get_dns_error(c->bev);
	const char *tls;

	if (what & BEV_EVENT_EOF)
		return c->state == CONN_UP ? "closed by the peer" : "closed by the peer before its HELLO";
	if (dns)
		return evutil_gai_strerror(dns);
	tls = c->tls ? tls_error(c->bev) : NULL;
	if (tls)
		return tls;
	return err ? strerror(err) : "connection failed";
}

static void
on_event(struct bufferevent *bev UNUSED, short what, void *arg)
{
	struct conn *c = arg;
	struct err e;

	if (what & BEV_EVENT_CONNECTED) {
		if (c->tls && !tls_accept_peer(c, &e))
			conn_close(c, "%s", e.msg);
		else
			conn_opened(c);
	} else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
		if (!c->eof && c->state != CONN_CLOSING)
			str_copy(c->why, sizeof c->why, event_cause(c, what));
		c->eof = true;
		if (c->state == CONN_OPENING || c->state == CONN_CLOSING || (what & BEV_EVENT_WRITING))
			conn_close(c, "%s", c->why);
		else
			conn_run(c);
	}
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	conn_timeout(arg);
}

void
conn_timer_in(struct conn *c, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(c->timer, &tv);
}

/* --- Life --------------------------------------------------------------------------------------- */

struct conn *
conn_create(struct remote *r, struct bufferevent *bev, const char *name, bool service)
{
	struct agent_bridge *br = r->br;
	struct conn *c = xcalloc(1, sizeof *c);

	c->br = br;
	c->remote = r;
	c->bev = bev;
	c->service = service;
	c->tls = r->target.tls;
	c->id = service ? agent_new_id(br->agent) : r->id;
	str_copy(c->name, sizeof c->name, name);
	c->since_ms = c->heard_ms = clock_ms();
	c->role = OFR_EQUAL;
	TAILQ_INIT(&c->bundles);
	TAILQ_INIT(&c->monitors);
	c->timer = evtimer_new(br->agent->base, on_timer, c);
	TAILQ_INSERT_TAIL(&br->conns, c, link);
	br->n_service += service;
	br->n_snoopers += r->snoop;
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, IN_HIGH);
	bufferevent_setwatermark(bev, EV_WRITE, OUT_STREAM / 2, 0);
	evbuffer_add_cb(bufferevent_get_output(bev), on_output_change, c);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	c->reading = true;
	conn_timer_in(c, HANDSHAKE_MS);
	return c;
}

void
conn_opened(struct conn *c)
{
	if (c->state != CONN_OPENING)
		return;
	c->state = CONN_HELLO;
	if (!c->service)
		remote_set_state(c->remote, REMOTE_HANDSHAKE);
	hello_send(c);
}

/* Nobody can find it any more, and nothing of it acts; its memory goes with the next turn. */
static void
conn_die(struct conn *c)
{
	struct agent_bridge *br = c->br;

	c->state = CONN_DEAD;
	set_ready(c, false);
	TAILQ_REMOVE(&br->conns, c, link);
	TAILQ_INSERT_TAIL(&br->agent->dead, c, link);
	br->n_service -= c->service;
	br->n_snoopers -= c->remote->snoop;
	bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	event_del(c->timer);
	wait_cancel(c);
	bundles_drop(c);
	monitors_drop(c);
	parts_drop(c);
	agent_next_turn(br->agent);
	if (!c->service) {
		c->remote->conn = NULL;
		remote_lost(c->remote, c->why[0] ? c->why : NULL, c->version);
	} else if (c->why[0]) {
		log_debug("%s: client %s: gone: %s", br->conf.name, c->name, c->why);
	}
	async_changed(br);
}

static void
set_why(struct conn *c, const char *fmt, va_list ap)
{
	char text[sizeof c->why];

	/* By way of a copy: it may be its own argument. */
	vsnprintf(text, sizeof text, fmt, ap);
	memcpy(c->why, text, sizeof text);
}

void
conn_close(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->state == CONN_DEAD)
		return;
	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	conn_die(c);
}

void
conn_close_soon(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->state == CONN_DEAD || c->state == CONN_CLOSING)
		return;
	va_start(ap, fmt);
	set_why(c, fmt, ap);
	va_end(ap);
	c->state = CONN_CLOSING;
	bufferevent_disable(c->bev, EV_READ);
	/* on_write() is to be called for the last byte, not before. */
	bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
	conn_timer_in(c, LINGER_MS);
	if (!conn_out_len(c))
		conn_die(c);
}

void
conn_free(struct conn *c)
{
	if (c->state != CONN_DEAD) {
		c->why[0] = '\0';
		conn_die(c);
	}
	TAILQ_REMOVE(&c->br->agent->dead, c, link);
	/* Nothing is begun for who is dead; should it be, it must not outlive this. */
	wait_cancel(c);
	stream_destroy(c);
	pktbuf_drop(c);
	of_buf_fini(&c->mon_buf);
	event_free(c->timer);
	evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output_change, c);
	bufferevent_free(c->bev);
	free(c);
}

/* --- Sending ------------------------------------------------------------------------------------ */

/* Sends at once what is short and need not queue: a client that waits for each barrier is answered a turn of the event
 * loop earlier.  Returns how much went. */
static size_t
send_now(struct conn *c, const void *data, size_t len)
{
	ssize_t n;

	if (c->tls || c->state != CONN_UP || len > SEND_NOW_MAX || conn_out_len(c))
		return 0;
	n = send(bufferevent_getfd(c->bev), data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n > 0 ? (size_t)n : 0;
}

void
conn_write(struct conn *c, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t sent;

	if (c->state == CONN_DEAD || !len)
		return;
	/* Updates that were gathered are older than this. */
	if (c->mon_open)
		monitors_flush(c);
	for (size_t at = 0; at + OF_HEADER_LEN <= len; c->tx++) {
		uint32_t n = of_msg_len(p + at);

		if (!n)
			break;
		at += n;
	}
	sent = send_now(c, data, len);
	if (sent < len)
		bufferevent_write(c->bev, p + sent, len - sent);
	if (tap_wanted(c))
		tap_show(c, true, data, len);
}

bool
conn_send(struct conn *c, const struct of_msg *m)
{
	struct of_buf *out = &c->br->agent->out;

	out->len = 0;
	if (of_encode(out, m)) {
		log_debug("%s: %s: %s is not in version %u", c->br->conf.name, c->name, of_kind_name(m->kind), m->version);
		return false;
	}
	conn_write(c, out->data, out->len);
	return true;
}

void
conn_reply(struct conn *c, const struct of_msg *req, enum of_kind kind, const void *body)
{
	const struct of_msg m = { .version = req->version, .kind = kind, .form = req->form, .xid = req->xid, .body = body };

	conn_send(c, &m);
}

void
conn_tell(struct conn *c, enum of_kind kind, enum of_msg_form form, const void *body)
{
	const struct of_msg m = { .version = c->version, .kind = kind, .form = form, .body = body };

	if (conn_out_len(c) > OUT_LIMIT)
		conn_close(c, "has not read %u MB of events", OUT_LIMIT >> 20);
	else
		conn_send(c, &m);
}

void
conn_check_output(struct conn *c)
{
	const bool stalls = conn_out_len(c) > OUT_MAX && !c->took;

	c->took = false;
	c->stalled = stalls ? c->stalled + 1 : 0;
	if (c->stalled > OUT_STALL_TICKS)
		conn_close(c, "does not read: %zu MB wait", conn_out_len(c) >> 20);
}

void
conn_row(struct conn *c, struct of_mp *mp, const void *row)
{
	struct of_agent *a = c->br->agent;
	int rc = of_mp_row(mp, row);

	if (!rc)
		return;
	c->errors++;
	log_rate_msg(&a->log_rate, LOG_LVL_WARN, "%s: %s: %s without a row that %s", c->br->conf.name, c->name,
		     of_kind_name(mp->msg.kind), rc == -EMSGSIZE ? "is too long for a message" : "the version cannot say");
}

void
conn_error(struct conn *c, const struct of_error *e, const void *offender, uint32_t len)
{
	struct of_buf *out = &c->br->agent->out;

	c->errors++;
	log_debug("%s: %s: sends error %s: %s", c->br->conf.name, c->name, of_error_name(e->id), e->why);
	out->len = 0;
	of_encode_error(out, c->version, e, offender, len);
	conn_write(c, out->data, out->len);
}
