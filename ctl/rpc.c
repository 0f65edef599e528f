/* SPDX-License-Identifier: Apache-2.0 */
/* The socket side of the management interface: accepts clients, cuts their bytes into lines for
 * rpc_msg.c, and holds every one of them to its limits. */
#include "ctl/rpc.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/usock.h"
#include "ctl/cmd.h"
#include "ctl/rpc_priv.h"

enum {
	LINES_PER_TURN = 32,            /* Requests of one client before others get theirs. */
	TURN_US = 5000,                 /* For all clients, before the control loop has other things to do. */
	IDLE_EVICT_MS = 10000,          /* With all places taken, who has been quiet this long makes room. */
	SWEEP_MS = 1000,
	ACCEPT_PAUSE_MS = 200,
};

const struct rpc_limits rpc_default_limits = {
	.clients = 1024,
	.line = 1 << 20,
	.unread = 4 << 20,
	.all_in = 64 << 20,
	.all_out = 128 << 20,
	.partial_ms = 60000,
	.pending = 256,
};

struct rpc_client {
	LIST_ENTRY(rpc_client) link;
	struct rpc *rpc;
	struct rpc_peer *peer;
	struct bufferevent *bev;
	uint64_t partial_ms;            /* When the request that is not whole yet began; 0: there is none. */
	uint64_t active_ms;             /* When it last sent or read something. */
	size_t scanned;                 /* Bytes of the input known to hold no newline. */
	size_t in_len;                  /* Its part in rpc->in_len. */
	TAILQ_ENTRY(rpc_client) ready_link;
	bool ready;                     /* Has more to do in the next turn. */
	bool closing;                   /* Nothing is read any more; goes when its answers are out. */
	bool eof;                       /* It sends no more, but may still read. */
	bool busy;                      /* Inside client_work(): not to be freed now. */
	bool doomed;                    /* Goes at once, answers or not. */
};

struct rpc {
	struct event_base *base;
	struct sw *sw;
	struct evconnlistener *listener;
	struct event *sweep, *resume, *next_turn;
	struct rpc_limits limits;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	LIST_HEAD(, rpc_client) clients;
	TAILQ_HEAD(, rpc_client) ready;
	bool armed;                     /* 'next_turn' is on its way: adding it again would put it off. */
	uint64_t turn_end_us;           /* 0: nobody had anything to do since the last one. */
	unsigned n_clients;
	size_t in_len, out_len;         /* Bytes waiting, of all clients. */
	uint64_t start_ms;
	struct log_rate full_log;
};

/* --- One client ------------------------------------------------------------------------------------- */

static size_t
out_len(const struct rpc_client *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static size_t
unread(const void *client)
{
	return out_len(client);
}

static void
count_input(struct rpc_client *c, size_t len)
{
	c->rpc->in_len += len - c->in_len;
	c->in_len = len;
}

static void
on_output_change(struct evbuffer *buf UNUSED, const struct evbuffer_cb_info *info, void *arg)
{
	struct rpc_client *c = arg;

	c->rpc->out_len += info->n_added - info->n_deleted;
	if (info->n_deleted)
		c->active_ms = clock_ms();
}

/* By a timer, not by a callback deferred within the same round of the event loop: that would never end while
 * clients go on sending, and the switch would wait. */
static void
arm_next_turn(struct rpc *rpc)
{
	const struct timeval now = { 0 };

	if (!rpc->armed)
		event_add(rpc->next_turn, &now);
	rpc->armed = true;
}

static void
set_ready(struct rpc_client *c, bool ready)
{
	if (ready == c->ready)
		return;
	c->ready = ready;
	if (ready) {
		TAILQ_INSERT_TAIL(&c->rpc->ready, c, ready_link);
		arm_next_turn(c->rpc);
	} else {
		TAILQ_REMOVE(&c->rpc->ready, c, ready_link);
	}
}

static void
client_free(struct rpc_client *c)
{
	LIST_REMOVE(c, link);
	set_ready(c, false);
	c->rpc->n_clients--;
	count_input(c, 0);
	/* What is thrown away with the buffer is not told to its callback. */
	c->rpc->out_len -= out_len(c);
	evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output_change, c);
	rpc_peer_close(c->peer);
	bufferevent_free(c->bev);
	free(c);
}

/* Says why, and goes once that is read. */
static void
client_end(struct rpc_client *c, int code, const char *why)
{
	char *line = rpc_error_line(code, why);

	bufferevent_write(c->bev, line, strlen(line));
	free(line);
	c->closing = true;
	evbuffer_drain(bufferevent_get_input(c->bev), SIZE_MAX);
	count_input(c, 0);
}

static bool
client_blocked(const struct rpc_client *c)
{
	const struct rpc_limits *l = &c->rpc->limits;

	return c->closing || out_len(c) > l->unread || rpc_peer_pending(c->peer) >= l->pending;
}

/* Frees the client when it is done; else listens to it or not.  Last thing done with a client. */
static void
client_settle(struct rpc_client *c)
{
	if (c->busy)
		return;
	if (c->doomed || (!out_len(c) && (c->closing || (c->eof && !c->in_len && !rpc_peer_pending(c->peer))))) {
		client_free(c);
		return;
	}
	if (client_blocked(c) || c->eof)
		bufferevent_disable(c->bev, EV_READ);
	else
		bufferevent_enable(c->bev, EV_READ);
}

/* Of many that do not read their answers, the one with the most goes. */
static void
shed(struct rpc *rpc)
{
	struct rpc_client *c, *most = LIST_FIRST(&rpc->clients);

	LIST_FOREACH(c, &rpc->clients, link)
		if (out_len(c) > out_len(most))
			most = c;
	most->closing = most->doomed = true;
	client_settle(most);
}

static void
on_reply(void *arg, const char *line, size_t len)
{
	struct rpc_client *c = arg;
	struct rpc *rpc = c->rpc;

	if (!c->closing && len)
		bufferevent_write(c->bev, line, len);
	if (!c->busy) {
		/* An answer from later: room for the next request. */
		if (c->in_len)
			set_ready(c, true);
		else
			client_settle(c);
	}
	/* Last, since it may be this one. */
	if (rpc->out_len > rpc->limits.all_out)
		shed(rpc);
}

/* The next whole line, NULL when there is none.  Caller frees. */
static char *
next_line(struct rpc_client *c, size_t *len)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t have = evbuffer_get_length(in);
	struct evbuffer_ptr from, at;
	char *line;

	evbuffer_ptr_set(in, &from, MIN_OF(c->scanned, have), EVBUFFER_PTR_SET);
	at = evbuffer_search_eol(in, &from, NULL, EVBUFFER_EOL_LF);
	if (at.pos < 0) {
		c->scanned = have;
		/* What comes without a newline before the end is taken for whole. */
		if (!c->eof || !have)
			return NULL;
		at.pos = have;
	}
	*len = at.pos;
	if (*len > c->rpc->limits.line)
		return NULL;
	c->scanned = 0;
	line = xcalloc(1, *len + 1);
	evbuffer_remove(in, line, *len);
	evbuffer_drain(in, 1);
	return line;
}

static bool
is_blank(const char *s, size_t len)
{
	while (len && (s[len - 1] == ' ' || s[len - 1] == '\t' || s[len - 1] == '\r'))
		len--;
	return !len;
}

/* Hands whole lines on, as many as one turn allows.  Returns whether there may be more. */
static bool
client_lines(struct rpc_client *c)
{
	struct rpc *rpc = c->rpc;
	size_t len;

	if (!rpc->turn_end_us) {
		rpc->turn_end_us = clock_us() + TURN_US;
		arm_next_turn(rpc);
	}

	for (unsigned n = 0; !client_blocked(c); n++) {
		char *line;

		if (n == LINES_PER_TURN || clock_us() > rpc->turn_end_us)
			return true;
		line = next_line(c, &len);
		if (!line)
			return false;
		if (!is_blank(line, len))
			rpc_handle(c->peer, line, len);
		free(line);
		c->partial_ms = 0;
	}
	return false;
}

static void
client_work(struct rpc_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	const struct rpc_limits *l = &c->rpc->limits;
	bool more;

	c->busy = true;
	set_ready(c, false);
	c->active_ms = clock_ms();
	more = client_lines(c);
	count_input(c, c->closing ? 0 : evbuffer_get_length(in));
	if (!more && !client_blocked(c)) {
		if (c->in_len > l->line)
			client_end(c, CTL_E_REQUEST, "request longer than 1 MiB");
		else if (c->in_len && c->rpc->in_len > l->all_in)
			client_end(c, CTL_E_REFUSED, "too many large requests are half here; send this one again");
		else if (c->in_len && !c->partial_ms)
			c->partial_ms = c->active_ms;
	} else {
		c->partial_ms = 0;
	}
	set_ready(c, more);
	c->busy = false;
	client_settle(c);
}

static void
on_read(struct bufferevent *bev UNUSED, void *arg)
{
	client_work(arg);
}

/* The peer has read all but a little. */
static void
on_write(struct bufferevent *bev UNUSED, void *arg)
{
	client_work(arg);
}

static void
on_event(struct bufferevent *bev UNUSED, short what, void *arg)
{
	struct rpc_client *c = arg;

	if (what & BEV_EVENT_ERROR) {
		client_free(c);
	} else if (what & BEV_EVENT_EOF) {
		c->eof = true;
		client_work(c);
	}
}

static void
on_next_turn(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct rpc *rpc = arg;

	rpc->armed = false;
	rpc->turn_end_us = 0;
	while (!TAILQ_EMPTY(&rpc->ready) && (!rpc->turn_end_us || clock_us() <= rpc->turn_end_us))
		client_work(TAILQ_FIRST(&rpc->ready));
}

/* --- Accepting ---------------------------------------------------------------------------------------- */

/* Closes the client that has been quiet longest, if it has been for a while. */
static bool
evict_idle(struct rpc *rpc)
{
	struct rpc_client *c, *oldest = NULL;

	LIST_FOREACH(c, &rpc->clients, link)
		if (!c->in_len && !out_len(c) && !rpc_peer_pending(c->peer) && !rpc_peer_listens(c->peer) &&
		    (!oldest || c->active_ms < oldest->active_ms))
			oldest = c;
	if (!oldest || clock_ms() - oldest->active_ms < IDLE_EVICT_MS)
		return false;
	client_free(oldest);
	return true;
}

static void
turn_away(struct rpc *rpc, int fd)
{
	char *line = rpc_error_line(CTL_E_REFUSED, "too many clients; try again later");

	log_rate_msg(&rpc->full_log, LOG_LVL_WARN, "rpc: client refused: %u are connected", rpc->n_clients);
	if (send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("rpc: client refused: %s", strerror(errno));
	free(line);
	close(fd);
}

static void
on_accept(struct evconnlistener *l UNUSED, evutil_socket_t fd, struct sockaddr *sa UNUSED, int len UNUSED, void *arg)
{
	struct rpc *rpc = arg;
	struct rpc_client *c;

	if (rpc->n_clients >= rpc->limits.clients && !evict_idle(rpc)) {
		turn_away(rpc, fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->rpc = rpc;
	c->active_ms = clock_ms();
	c->bev = bufferevent_socket_new(rpc->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		free(c);
		close(fd);
		return;
	}
	c->peer = rpc_peer_create(rpc->sw, on_reply, c);
	c->peer->start_ms = rpc->start_ms;
	c->peer->unread = unread;
	LIST_INSERT_HEAD(&rpc->clients, c, link);
	rpc->n_clients++;
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	/* Reading stops by itself one byte past the longest line. */
	bufferevent_setwatermark(c->bev, EV_READ, 0, rpc->limits.line + 1);
	bufferevent_setwatermark(c->bev, EV_WRITE, rpc->limits.unread / 4, 0);
	evbuffer_add_cb(bufferevent_get_output(c->bev), on_output_change, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* Most likely out of descriptors: trying again at once would spin. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	struct rpc *rpc = arg;
	const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	log_rate_msg(&rpc->full_log, LOG_LVL_WARN, "rpc: cannot accept a client: %s", strerror(errno));
	evconnlistener_disable(l);
	event_add(rpc->resume, &pause);
}

static void
on_resume(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct rpc *rpc = arg;

	evconnlistener_enable(rpc->listener);
}

/* Who sent half a request, or does not read, has had its time. */
static void
on_sweep(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct rpc *rpc = arg;
	uint64_t now = clock_ms();
	struct rpc_client *c, *next;

	for (c = LIST_FIRST(&rpc->clients); c; c = next) {
		next = LIST_NEXT(c, link);
		if (out_len(c) && now - c->active_ms > rpc->limits.partial_ms) {
			client_free(c);
		} else if (c->partial_ms && now - c->partial_ms > rpc->limits.partial_ms) {
			client_end(c, CTL_E_REQUEST, "the request did not arrive whole in time");
			client_settle(c);
		}
	}
}

static void
sweep_every(struct rpc *rpc, unsigned ms)
{
	const struct timeval period = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(rpc->sweep, &period);
}

/* --- The socket --------------------------------------------------------------------------------------- */

/* Room for all clients beside the sockets of guests. */
static void
raise_fd_limit(unsigned n)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_cur >= n)
		return;
	rl.rlim_cur = MIN_OF((rlim_t)n, rl.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &rl))
		log_warn("rpc: only %llu file descriptors: %s", (unsigned long long)rl.rlim_cur, strerror(errno));
}

struct rpc *
rpc_create(struct event_base *base, struct sw *sw, const char *path, struct err *e)
{
	int fd = usock_listen(path, 0660, 128, e);
	struct rpc *rpc;

	if (fd < 0)
		return NULL;
	/* Clients go away at any time; that is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	raise_fd_limit(8192);
	rpc = xcalloc(1, sizeof *rpc);
	rpc->base = base;
	rpc->sw = sw;
	rpc->limits = rpc_default_limits;
	rpc->start_ms = clock_ms();
	rpc->full_log = (struct log_rate){ .burst = 2, .per_ms = 10000 };
	LIST_INIT(&rpc->clients);
	TAILQ_INIT(&rpc->ready);
	str_copy(rpc->path, sizeof rpc->path, path);
	rpc->listener = evconnlistener_new(base, on_accept, rpc, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	rpc->sweep = event_new(base, -1, EV_PERSIST, on_sweep, rpc);
	rpc->resume = evtimer_new(base, on_resume, rpc);
	rpc->next_turn = evtimer_new(base, on_next_turn, rpc);
	if (!rpc->listener || !rpc->sweep || !rpc->resume || !rpc->next_turn) {
		if (!rpc->listener)
			close(fd);
		err_set(e, ENOMEM, "%s: no memory to listen", path);
		rpc_destroy(rpc);
		return NULL;
	}
	evconnlistener_set_error_cb(rpc->listener, on_accept_error);
	sweep_every(rpc, SWEEP_MS);
	return rpc;
}

void
rpc_destroy(struct rpc *rpc)
{
	if (!rpc)
		return;
	while (!LIST_EMPTY(&rpc->clients))
		client_free(LIST_FIRST(&rpc->clients));
	if (rpc->listener)
		evconnlistener_free(rpc->listener);
	if (rpc->sweep)
		event_free(rpc->sweep);
	if (rpc->resume)
		event_free(rpc->resume);
	if (rpc->next_turn)
		event_free(rpc->next_turn);
	unlink(rpc->path);
	free(rpc);
}

void
rpc_set_limits(struct rpc *rpc, const struct rpc_limits *limits)
{
	rpc->limits = *limits;
	sweep_every(rpc, MIN_OF((unsigned)SWEEP_MS, limits->partial_ms));
}

unsigned
rpc_n_clients(const struct rpc *rpc)
{
	return rpc->n_clients;
}
