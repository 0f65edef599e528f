/* SPDX-License-Identifier: Apache-2.0 */
/* ofpace SOCKET FILE RATE SECONDS: sends OpenFlow messages from a file to a switch's local socket, over and over, at so many
 * a second.
 *
 * They go out each millisecond in one write, from a program as small as can be: whoever times packets on the same CPUs is
 * to see what the switch does with changes, not what their sender takes.  Answers are read and looked at for errors. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { OFP_HEADER = 8, OFPT_ERROR = 1, OFPT_ECHO_REQUEST = 2, OFPT_ECHO_REPLY = 3, TICK_NS = 1000000 };

struct sender {
	int fd;
	const uint8_t *msgs;
	size_t len, at;
	uint64_t sent, errors;
	uint8_t in[65536];
	size_t n_in;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static size_t
msg_len(const uint8_t *m)
{
	return (size_t)(m[2] << 8 | m[3]);
}

static void
send_all(struct sender *s, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL);

		if (done < 0)
			die("send");
		p += done;
		n -= (size_t)done;
	}
}

/* The next 'n' messages; those that lie together in the file in one write. */
static void
send_messages(struct sender *s, uint64_t n)
{
	while (n > 0) {
		size_t from = s->at;

		for (; n > 0 && s->at < s->len; n--, s->sent++)
			s->at += msg_len(s->msgs + s->at);
		send_all(s, s->msgs + from, s->at - from);
		if (s->at == s->len)
			s->at = 0;
	}
}

static void
hear(struct sender *s)
{
	ssize_t n;

	while ((n = recv(s->fd, s->in + s->n_in, sizeof(s->in) - s->n_in, MSG_DONTWAIT)) > 0) {
		size_t at = 0;

		s->n_in += (size_t)n;
		while (s->n_in - at >= OFP_HEADER && s->n_in - at >= msg_len(s->in + at)) {
			uint8_t *m = s->in + at;

			at += msg_len(m);
			s->errors += m[1] == OFPT_ERROR;
			if (m[1] == OFPT_ECHO_REQUEST) {
				m[1] = OFPT_ECHO_REPLY;
				send_all(s, m, msg_len(m));
			}
		}
		memmove(s->in, s->in + at, s->n_in - at);
		s->n_in -= at;
	}
	if (n == 0) {
		fprintf(stderr, "ofpace: the switch has gone\n");
		exit(1);
	}
}

static uint8_t *
whole_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	p = malloc((size_t)st.st_size);
	if (!p || read(fd, p, (size_t)st.st_size) != st.st_size)
		die(path);
	close(fd);
	*len = (size_t)st.st_size;
	for (size_t at = 0; at < *len; at += msg_len(p + at))
		if (*len - at < OFP_HEADER || msg_len(p + at) < OFP_HEADER || msg_len(p + at) > *len - at) {
			fprintf(stderr, "ofpace: %s: no messages\n", path);
			exit(1);
		}
	return p;
}

int
main(int argc, char **argv)
{
	static const uint8_t hello[] = { 5, 0, 0, 8, 0, 0, 0, 1 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timespec next;
	struct sender s = { 0 };
	double rate, seconds;

	if (argc != 5) {
		fprintf(stderr, "usage: ofpace SOCKET FILE RATE SECONDS\n");
		return 1;
	}
	rate = atof(argv[3]);
	seconds = atof(argv[4]);
	s.msgs = whole_file(argv[2], &s.len);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", argv[1]);
	s.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s.fd < 0 || connect(s.fd, (struct sockaddr *)&to, sizeof(to)))
		die(argv[1]);
	send_all(&s, hello, sizeof(hello));

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint64_t tick = 1; (double)tick * TICK_NS < seconds * 1e9; tick++) {
		next.tv_nsec += TICK_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			;
		send_messages(&s, (uint64_t)((double)tick * rate * TICK_NS / 1e9) - s.sent);
		hear(&s);
	}
	printf("{\"sent\": %llu, \"errors\": %llu}\n", (unsigned long long)s.sent, (unsigned long long)s.errors);
	return 0;
}
