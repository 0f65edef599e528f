/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic with proof, for guests and for the host's leg: whoever receives knows each byte that has to come.
 *
 *   usage: traffic sink PORT                             one TCP connection: checks what comes
 *          traffic source HOST PORT BYTES                sends it
 *          traffic echo PORT                             returns datagrams, for ever
 *          traffic probe HOST PORT EACH-MS SECONDS       sends numbered ones there, and watches what comes back
 *          traffic hold PORT COUNT FILE                  lets datagrams lie in the kernel until FILE exists, then checks
 *          traffic blast HOST PORT COUNT SIZE EACH-US    sends those
 *          traffic watch DEV                             counts frames that come in there, and checks their checksums
 *          traffic tsc                                  how fast this machine's time stamp counter is, in kHz
 * Prints a line of JSON at the end; SIGTERM is such an end. */
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
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

			if (n < 0 && stop)
				break;
			if (n < 0)
				die("send");
			done += (size_t)n;
		}
		at += done;
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

/* ---- watch ------------------------------------------------------------------------------------ */

static struct {
	uint64_t frames, tagged, uncut, partial, fragments, bad_ip, bad_l4, bad_partial;
	size_t longest, longest_segment;        /* From the Ethernet header on; as they are, and as they would be on a wire. */
} seen;

static uint16_t
be(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* One's complement sum of 16-bit words (RFC 1071), not inverted. */
static uint16_t
sum_of(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2) {
		sum += be(p);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum += len ? (uint32_t)*p << 8 : 0;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* TCP or UDP at 'p': its checksum is right; or, when it is left to the receiver, the pseudo header's. */
static void
watch_l4(const struct virtio_net_hdr *v, uint8_t proto, uint32_t pseudo, const uint8_t *p, size_t len)
{
	size_t field = proto == IPPROTO_TCP ? 16 : 6;

	if (len < field + 4)
		return;
	pseudo += proto + (uint32_t)(len >> 16) + (len & 0xffff);
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		seen.bad_partial += be(p + field) != sum_of(pseudo, p, 0);
	else if (proto == IPPROTO_TCP || be(p + field))
		seen.bad_l4 += sum_of(pseudo, p, len) != 0xffff;
}

/* As long as the frame will be on a wire: the kernel's hdr_len is a hint, not the headers' length. */
static size_t
wire_len(const struct virtio_net_hdr *v, const uint8_t *frame, size_t len)
{
	bool six = be(frame + 12) == ETH_P_IPV6, tcp = frame[14 + (six ? 6 : 9)] == IPPROTO_TCP;
	size_t l4 = 14 + (six ? 40 : (frame[14] & 15) * 4u), headers = l4;

	if (v->gso_type == VIRTIO_NET_HDR_GSO_NONE || l4 + 20 > len)
		return len;
	if (tcp)
		headers = l4 + (frame[l4 + 12] >> 4) * 4u;
	return headers + v->gso_size < len ? headers + v->gso_size : len;
}

static void
watch_frame(const struct virtio_net_hdr *v, const uint8_t *p, size_t len)
{
	size_t wire;

	seen.frames++;
	if (len < 54)
		return;
	wire = wire_len(v, p, len);
	seen.uncut += wire < len;
	seen.partial += v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	seen.longest = len > seen.longest ? len : seen.longest;
	seen.longest_segment = wire > seen.longest_segment ? wire : seen.longest_segment;
	p += 14;
	if (be(p - 2) == ETH_P_IP) {
		size_t hlen = (p[0] & 15) * 4u, total = be(p + 2);
		bool frag = be(p + 6) & 0x3fff, ok = hlen >= 20 && total >= hlen && total <= len - 14;

		seen.fragments += frag;
		seen.bad_ip += !ok || sum_of(0, p, hlen) != 0xffff;
		if (ok && !frag && (p[9] == IPPROTO_TCP || p[9] == IPPROTO_UDP))
			watch_l4(v, p[9], sum_of(0, p + 12, 8), p + hlen, total - hlen);
	} else if (be(p - 2) == ETH_P_IPV6) {
		size_t total = be(p + 4);

		seen.fragments += p[6] == IPPROTO_FRAGMENT;
		seen.bad_ip += total + 40 > len - 14;
		if (total + 40 <= len - 14 && (p[6] == IPPROTO_TCP || p[6] == IPPROTO_UDP))
			watch_l4(v, p[6], sum_of(0, p + 8, 32), p + 40, total);
	}
}

/* The kernel takes a tag off and tells of it beside the frame. */
static bool
was_tagged(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct tpacket_auxdata a;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&a, CMSG_DATA(c), sizeof a);
		return a.tp_status & TP_STATUS_VLAN_VALID;
	}
	return false;
}

static int
watch(const char *dev)
{
	static uint8_t buf[1 << 17];
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(dev) };
	struct timeval patience = { .tv_usec = 100000 };
	struct virtio_net_hdr v;
	int s = socket(AF_PACKET, SOCK_RAW, 0), one = 1, big = BIG_BUF;

	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) ||
	    setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) || bind(s, (struct sockaddr *)&at, sizeof at))
		die(dev);
	/* To the end of what came before the signal. */
	for (;;) {
		struct iovec iov[2] = { { &v, sizeof v }, { buf, sizeof buf } };
		char control[256] __attribute__((aligned(8)));
		struct sockaddr_ll from;
		struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = iov, .msg_iovlen = 2,
				    .msg_control = control, .msg_controllen = sizeof control };
		ssize_t n = recvmsg(s, &h, stop ? MSG_DONTWAIT : 0);

		if (n < 0 && stop)
			break;
		if (n < (ssize_t)sizeof v + 14 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		seen.tagged += was_tagged(&h);
		watch_frame(&v, buf, (size_t)n - sizeof v);
	}
	printf("{\"frames\": %" PRIu64 ", \"tagged\": %" PRIu64 ", \"long\": %" PRIu64 ", \"partial\": %" PRIu64
	       ", \"fragments\": %" PRIu64 ", \"bad_ip\": %" PRIu64 ", \"bad_l4\": %" PRIu64 ", \"bad_partial\": %" PRIu64
	       ", \"longest\": %zu, \"longest_segment\": %zu}\n", seen.frames, seen.tagged, seen.uncut, seen.partial,
	       seen.fragments, seen.bad_ip, seen.bad_l4, seen.bad_partial, seen.longest, seen.longest_segment);
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
	if (!strcmp(mode, "watch") && argc == 3)
		return watch(argv[2]);
	fprintf(stderr, "usage: see the head of traffic.c\n");
	return 2;
}
