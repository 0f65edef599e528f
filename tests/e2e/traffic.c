/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic with proof, for guests and for the host's leg: whoever receives knows each byte that has to come.
 *
 *   usage: traffic sink PORT                             one TCP connection: checks what comes
 *          traffic source HOST PORT BYTES                sends it
 *          traffic echo PORT                             returns datagrams, for ever
 *          traffic probe HOST PORT EACH-MS SECONDS       sends numbered ones there, and watches what comes back
 *          traffic hold PORT COUNT FILE                  lets datagrams lie in the kernel until FILE exists, then checks
 *          traffic blast HOST PORT COUNT SIZE EACH-US    sends those
 *          traffic tsc                                  how fast this machine's time stamp counter is, in kHz
 * Prints a line of JSON at the end; SIGTERM is such an end. */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, BIG_BUF = 8 << 20 };

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
	stop = sig;
}

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Word 'i' of the stream. */
static uint64_t
word(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	return i ^ i >> 27;
}

static void
fill(uint8_t *p, uint64_t at, size_t len)
{
	for (size_t i = 0; i < len; i++, at++)
		p[i] = (uint8_t)(word(at >> 3) >> (at & 7) * 8);
}

/* Bytes that are not those at 'at'. */
static uint64_t
wrong(const uint8_t *p, uint64_t at, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++, at++)
		n += p[i] != (uint8_t)(word(at >> 3) >> (at & 7) * 8);
	return n;
}

static int
bound(const char *port, int type)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	int s = socket(AF_INET6, type, 0), one = 1, zero = 0, big = BIG_BUF;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (type == SOCK_DGRAM)
		setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	if (bind(s, (struct sockaddr *)&a, sizeof a))
		die("bind");
	return s;
}

/* Tries for ten seconds: the other side may be about to listen. */
static int
dialled(const char *host, const char *port, int type)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST }, *ai;
	uint64_t end = now_us() + 10000000;

	if (getaddrinfo(host, port, &hints, &ai))
		die(host);
	while (!stop) {
		int s = socket(ai->ai_family, type, 0);

		if (!connect(s, ai->ai_addr, ai->ai_addrlen)) {
			freeaddrinfo(ai);
			return s;
		}
		close(s);
		if (now_us() > end)
			break;
		usleep(50000);
	}
	die("connect");
}

static int
sink(const char *port)
{
	static uint8_t buf[CHUNK];
	int l = bound(port, SOCK_STREAM), s;
	uint64_t at = 0, bad = 0, began = 0, last = 0, gap = 0;
	ssize_t n;

	if (listen(l, 1) || (s = accept(l, NULL, NULL)) < 0)
		die("accept");
	while (!stop && (n = recv(s, buf, sizeof buf, 0)) > 0) {
		uint64_t t = now_us();

		bad += wrong(buf, at, (size_t)n);
		at += (uint64_t)n;
		began = began ? began : t;
		gap = last && t - last > gap ? t - last : gap;
		last = t;
	}
	printf("{\"bytes\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"seconds\": %.3f, \"longest_gap_ms\": %.1f}\n",
	       at, bad, (double)(last - began) / 1e6, (double)gap / 1e3);
	return bad != 0;
}

static int
source(const char *host, const char *port, const char *bytes)
{
	static uint8_t buf[CHUNK];
	int s = dialled(host, port, SOCK_STREAM);
	uint64_t want = strtoull(bytes, NULL, 0), at = 0, began = now_us();

	while (!stop && at < want) {
		size_t len = want - at < CHUNK ? want - at : CHUNK, done = 0;

		fill(buf, at, len);
		while (done < len) {
			ssize_t n = send(s, buf + done, len - done, MSG_NOSIGNAL);

			if (n < 0)
				die("send");
			done += (size_t)n;
		}
		at += len;
	}
	shutdown(s, SHUT_WR);
	/* The other side closes when it has all. */
	while (recv(s, buf, sizeof buf, 0) > 0)
		;
	printf("{\"bytes\": %" PRIu64 ", \"seconds\": %.3f}\n", at, (double)(now_us() - began) / 1e6);
	return 0;
}

static int
echo(const char *port)
{
	static uint8_t buf[CHUNK];
	int s = bound(port, SOCK_DGRAM);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from;
	ssize_t n;

	while (!stop && (n = recvfrom(s, buf, sizeof buf, 0, (struct sockaddr *)&from, &from_len)) >= 0) {
		sendto(s, buf, (size_t)n, 0, (struct sockaddr *)&from, from_len);
		from_len = sizeof from;
	}
	return 0;
}

/* The longest time without an answer says how long the network was away. */
static int
probe(const char *host, const char *port, double each_ms, double seconds)
{
	int s = dialled(host, port, SOCK_DGRAM);
	struct { uint64_t seq, sent; } m = { 0, 0 }, r;
	uint64_t began = now_us(), end = began + (uint64_t)(seconds * 1e6), next = began;
	uint64_t back = 0, last = 0, gap = 0, rtt_max = 0, rtt_sum = 0, gap_at = 0;

	while (!stop) {
		uint64_t t = now_us();
		struct pollfd p = { .fd = s, .events = POLLIN };

		if (t > end + 300000)
			break;
		if (t >= next && t < end) {
			m.sent = t;
			/* "Unreachable" of a while ago comes out here: that one was lost, this one goes. */
			if (send(s, &m, sizeof m, 0) < 0 && errno == ECONNREFUSED)
				send(s, &m, sizeof m, 0);
			m.seq++;
			next = t + (uint64_t)(each_ms * 1e3);
		}
		if (poll(&p, 1, next > t && t < end ? (int)((next - t + 999) / 1000) : 10) <= 0)
			continue;
		if (recv(s, &r, sizeof r, MSG_DONTWAIT) != sizeof r)
			continue;
		t = now_us();
		back++;
		if (last && t - last > gap) {
			gap = t - last;
			gap_at = t;
		}
		last = t;
		rtt_sum += t - r.sent;
		rtt_max = t - r.sent > rtt_max ? t - r.sent : rtt_max;
	}
	printf("{\"sent\": %" PRIu64 ", \"back\": %" PRIu64 ", \"longest_gap_ms\": %.1f, \"gap_ended_s\": %.3f, "
	       "\"last_s\": %.3f, \"rtt_ms\": %.3f, \"rtt_max_ms\": %.1f}\n", m.seq, back, (double)gap / 1e3,
	       gap_at ? (double)(gap_at - began) / 1e6 : 0, last ? (double)(last - began) / 1e6 : 0,
	       back ? (double)rtt_sum / (double)back / 1e3 : 0, (double)rtt_max / 1e3);
	return 0;
}

static int
hold(const char *port, const char *count, const char *file)
{
	static uint8_t buf[CHUNK];
	int s = bound(port, SOCK_DGRAM), want = atoi(count), got = 0;
	struct timeval patience = { .tv_sec = 1 };
	uint64_t bad = 0, seq;
	ssize_t n;

	while (!stop && access(file, F_OK))
		usleep(20000);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	while (!stop && got < want && (n = recv(s, buf, sizeof buf, 0)) >= 8) {
		memcpy(&seq, buf, 8);
		bad += seq >= (uint64_t)want || wrong(buf + 8, seq * (uint64_t)n, (size_t)n - 8);
		got++;
	}
	printf("{\"datagrams\": %d, \"wrong\": %" PRIu64 "}\n", got, bad);
	return got != want || bad;
}

static int
blast(const char *host, const char *port, const char *count, const char *size, const char *each_us)
{
	static uint8_t buf[CHUNK];
	int s = dialled(host, port, SOCK_DGRAM);
	uint64_t n = strtoull(count, NULL, 0), sent = 0;
	size_t len = strtoul(size, NULL, 0);

	if (len < 8 || len > sizeof buf)
		return 2;
	for (uint64_t i = 0; i < n && !stop; i++) {
		memcpy(buf, &i, 8);
		fill(buf + 8, i * len, len - 8);
		sent += send(s, buf, len, 0) == (ssize_t)len;
		usleep((useconds_t)atoi(each_us));
	}
	printf("{\"datagrams\": %" PRIu64 "}\n", sent);
	return 0;
}

/* A counter and a clock of the same moment: the pair that took the shortest to read. */
static void
read_both(uint64_t *tsc, uint64_t *us)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 50; i++) {
		uint64_t a = __builtin_ia32_rdtsc(), t = now_us(), b = __builtin_ia32_rdtsc();

		if (b - a < best) {
			best = b - a;
			*tsc = a;
			*us = t;
		}
	}
}

static int
tsc(void)
{
	uint64_t c0 = 0, c1 = 0, t0 = 0, t1 = 0;

	read_both(&c0, &t0);
	usleep(200000);
	read_both(&c1, &t1);
	printf("{\"khz\": %" PRIu64 "}\n", (c1 - c0) * 1000 / (t1 - t0));
	return 0;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	const char *mode = argc > 1 ? argv[1] : "";

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (!strcmp(mode, "tsc") && argc == 2)
		return tsc();
	if (!strcmp(mode, "sink") && argc == 3)
		return sink(argv[2]);
	if (!strcmp(mode, "source") && argc == 5)
		return source(argv[2], argv[3], argv[4]);
	if (!strcmp(mode, "echo") && argc == 3)
		return echo(argv[2]);
	if (!strcmp(mode, "probe") && argc == 6)
		return probe(argv[2], argv[3], atof(argv[4]), atof(argv[5]));
	if (!strcmp(mode, "hold") && argc == 5)
		return hold(argv[2], argv[3], argv[4]);
	if (!strcmp(mode, "blast") && argc == 7)
		return blast(argv[2], argv[3], argv[4], argv[5], argv[6]);
	fprintf(stderr, "usage: see the head of traffic.c\n");
	return 2;
}
