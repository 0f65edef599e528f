/* SPDX-License-Identifier: Apache-2.0 */
/* A guest for tests: the hypervisor's half of vhost-user, with split rings. */
#include "tests/vhost/guest.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10, SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16, SET_VRING_ENABLE = 18, SEND_RARP = 19,
	F_PROTOCOL_FEATURES = 30,
	HDR = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	RING_ROOM = 64 << 10,           /* Of one ring's tables, before its buffers. */
};

#define GPA 0x40000000ull

struct msg {
	uint32_t request, flags, size;
	union {
		uint64_t u64;
		struct { uint32_t index, num; } state;
		struct { uint32_t index, flags; uint64_t desc, used, avail, log; } addr;
		struct { uint32_t n, pad; uint64_t gpa, size, uva, offset; } mem;
	} __attribute__((packed));
} __attribute__((packed));

static bool
send_msg(struct guest *g, uint32_t request, struct msg *m, uint32_t size, int fd)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } ctl;
	struct iovec iov = { .iov_base = m, .iov_len = 12 + size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	m->request = request;
	m->flags = 1;
	m->size = size;
	if (fd >= 0) {
		mh.msg_control = ctl.buf;
		mh.msg_controllen = sizeof ctl.buf;
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	return sendmsg(g->sock, &mh, MSG_NOSIGNAL) == (ssize_t)(12 + size);
}

static bool
ask(struct guest *g, uint32_t request, uint64_t *answer)
{
	struct msg m = { 0 };
	struct pollfd p = { .fd = g->sock, .events = POLLIN };

	if (!send_msg(g, request, &m, 0, -1) || poll(&p, 1, 5000) != 1)
		return false;
	if (recv(g->sock, &m, 20, MSG_WAITALL) != 20)
		return false;
	*answer = m.u64;
	return true;
}

bool
guest_sync(struct guest *g)
{
	uint64_t v;

	return ask(g, GET_FEATURES, &v);
}

bool
guest_send_half(struct guest *g)
{
	uint32_t header[3] = { SET_FEATURES, 1, 8 };

	return send(g->sock, header, sizeof header, MSG_NOSIGNAL) == sizeof header;
}

void
guest_init(struct guest *g, unsigned num)
{
	memset(g, 0, sizeof *g);
	g->sock = -1;
	g->num = num;
	g->mem_len = 2 * (RING_ROOM + num * GUEST_BUF);
	g->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	if (g->mem_fd < 0 || ftruncate(g->mem_fd, (off_t)g->mem_len))
		abort();
	g->mem = mmap(NULL, g->mem_len, PROT_READ | PROT_WRITE, MAP_SHARED, g->mem_fd, 0);
	if (g->mem == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *base = g->mem + i * (RING_ROOM + num * GUEST_BUF);

		vring_init(&g->ring[i].vr, num, base, 4096);
		g->ring[i].bufs = base + RING_ROOM;
		g->ring[i].kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		g->ring[i].call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
}

void
guest_disconnect(struct guest *g)
{
	if (g->sock >= 0)
		close(g->sock);
	g->sock = -1;
}

void
guest_fini(struct guest *g)
{
	guest_disconnect(g);
	for (unsigned i = 0; i < 2; i++) {
		close(g->ring[i].kick);
		close(g->ring[i].call);
	}
	munmap(g->mem, g->mem_len);
	close(g->mem_fd);
}

static void
set_path(struct sockaddr_un *un, const char *path)
{
	memset(un, 0, sizeof *un);
	un->sun_family = AF_UNIX;
	strncpy(un->sun_path, path, sizeof un->sun_path - 1);
}

int
guest_connect(struct guest *g, const char *path)
{
	struct sockaddr_un un;

	set_path(&un, path);
	g->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(g->sock, (struct sockaddr *)&un, sizeof un) ? -errno : 0;
}

int
guest_listen(const char *path)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_path(&un, path);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) || listen(fd, 8))
		abort();
	return fd;
}

int
guest_accept(struct guest *g, int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	if (poll(&p, 1, 5000) != 1)
		return -ETIMEDOUT;
	g->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return g->sock < 0 ? -errno : 0;
}

bool
guest_negotiate(struct guest *g, uint64_t extra)
{
	struct msg m = { 0 };
	uint64_t proto;

	if (!ask(g, GET_FEATURES, &g->offered) || !ask(g, GET_PROTOCOL_FEATURES, &proto))
		return false;
	m.u64 = 0;
	if (!send_msg(g, SET_PROTOCOL_FEATURES, &m, 8, -1) || !send_msg(g, SET_OWNER, &m, 0, -1))
		return false;
	m.u64 = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << F_PROTOCOL_FEATURES | extra;
	m.u64 &= ~g->refuse;
	if (!send_msg(g, SET_FEATURES, &m, 8, -1))
		return false;
	m.mem.n = 1;
	m.mem.pad = 0;
	m.mem.gpa = GPA;
	m.mem.size = g->mem_len;
	m.mem.uva = (uintptr_t)g->mem;
	m.mem.offset = 0;
	return send_msg(g, SET_MEM_TABLE, &m, sizeof m.mem, g->mem_fd) && guest_sync(g);
}

bool
guest_set_ring_num(struct guest *g, unsigned ring, uint32_t num)
{
	struct msg m = { .state = { ring, num } };

	return send_msg(g, SET_VRING_NUM, &m, sizeof m.state, -1);
}

static uint64_t
to_gpa(const struct guest *g, const void *p)
{
	return GPA + (uint64_t)((const uint8_t *)p - g->mem);
}

static void
fill_rx(struct guest *g)
{
	struct guest_ring *r = &g->ring[GUEST_RX];

	for (unsigned i = 0; i < g->num; i++) {
		r->vr.desc[i] = (struct vring_desc){ .addr = to_gpa(g, r->bufs + i * GUEST_BUF), .len = GUEST_BUF,
						     .flags = VRING_DESC_F_WRITE };
		r->vr.avail->ring[i] = (uint16_t)i;
	}
	r->avail = (uint16_t)g->num;
	__atomic_store_n(&r->vr.avail->idx, r->avail, __ATOMIC_RELEASE);
}

bool
guest_start_ring(struct guest *g, unsigned ring)
{
	struct guest_ring *r = &g->ring[ring];
	struct msg m = { .state = { ring, 0 } };

	memset(r->vr.avail, 0, sizeof *r->vr.avail);
	memset(r->vr.used, 0, sizeof *r->vr.used);
	r->avail = r->last_used = 0;
	if (ring == GUEST_RX)
		fill_rx(g);
	if (!send_msg(g, SET_VRING_BASE, &m, sizeof m.state, -1))
		return false;
	m.addr.index = ring;
	m.addr.flags = 0;
	m.addr.desc = (uintptr_t)r->vr.desc;
	m.addr.used = (uintptr_t)r->vr.used;
	m.addr.avail = (uintptr_t)r->vr.avail;
	m.addr.log = 0;
	if (!send_msg(g, SET_VRING_ADDR, &m, sizeof m.addr, -1))
		return false;
	m.u64 = ring;
	return send_msg(g, SET_VRING_CALL, &m, 8, r->call) && send_msg(g, SET_VRING_KICK, &m, 8, r->kick);
}

bool
guest_enable_ring(struct guest *g, unsigned ring, bool on)
{
	struct msg m = { .state = { ring, on } };

	return send_msg(g, SET_VRING_ENABLE, &m, sizeof m.state, -1);
}

bool
guest_announce(struct guest *g, const uint8_t mac[6])
{
	struct msg m = { .u64 = 0 };

	memcpy(&m.u64, mac, 6);
	return send_msg(g, SEND_RARP, &m, sizeof m.u64, -1);
}

bool
guest_start(struct guest *g)
{
	if (!guest_negotiate(g, 0))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (!guest_set_ring_num(g, i, g->num) || !guest_start_ring(g, i) || !guest_enable_ring(g, i, true))
			return false;
	return guest_sync(g);
}

unsigned
guest_reap(struct guest *g)
{
	struct guest_ring *r = &g->ring[GUEST_TX];
	uint16_t used = __atomic_load_n(&r->vr.used->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(used - r->last_used);

	r->last_used = used;
	return n;
}

static void
offer(struct guest_ring *r, uint16_t head, unsigned num)
{
	r->vr.avail->ring[r->avail % num] = head;
	__atomic_store_n(&r->vr.avail->idx, ++r->avail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&r->vr.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		eventfd_write(r->kick, 1);
}

/* Chain 'i' of the ring uses descriptors and buffers from i * n_desc on; every test keeps to one n_desc. */
bool
guest_send(struct guest *g, const void *frame, size_t len, unsigned n_desc)
{
	struct guest_ring *r = &g->ring[GUEST_TX];
	unsigned slots = g->num / n_desc, head = r->avail % slots * n_desc;
	const uint8_t *p = frame;

	if ((uint16_t)(r->avail - __atomic_load_n(&r->vr.used->idx, __ATOMIC_ACQUIRE)) >= slots)
		return false;
	for (unsigned i = 0; i < n_desc; i++) {
		uint8_t *buf = r->bufs + (head + i) * GUEST_BUF;
		size_t off = i ? 0 : HDR, left = len - (size_t)(p - (const uint8_t *)frame);
		size_t part = i + 1 < n_desc && left > GUEST_BUF - off ? GUEST_BUF - off : left;

		if (part > GUEST_BUF - off)
			abort();
		memset(buf, 0, off);
		memcpy(buf + off, p, part);
		p += part;
		r->vr.desc[head + i] = (struct vring_desc){
			.addr = to_gpa(g, buf), .len = (uint32_t)(off + part),
			.flags = i + 1 < n_desc ? VRING_DESC_F_NEXT : 0, .next = (uint16_t)(head + i + 1) };
	}
	offer(r, (uint16_t)head, g->num);
	return true;
}

void
guest_send_garbage(struct guest *g)
{
	struct guest_ring *r = &g->ring[GUEST_TX];

	r->vr.desc[0] = (struct vring_desc){ .addr = 0xdead0000beefull, .len = 64 };
	offer(r, 0, g->num);
}

int
guest_recv(struct guest *g, void *buf, size_t room)
{
	struct guest_ring *r = &g->ring[GUEST_RX];
	unsigned n = 1;
	size_t len = 0;

	if (r->last_used == __atomic_load_n(&r->vr.used->idx, __ATOMIC_ACQUIRE))
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct vring_used_elem u = r->vr.used->ring[r->last_used++ % g->num];
		const uint8_t *p = r->bufs + u.id * GUEST_BUF;

		if (i == 0) {
			const struct virtio_net_hdr_mrg_rxbuf *h = (const void *)p;

			n = h->num_buffers;
			p += HDR;
			u.len -= HDR;
		}
		if (len + u.len > room)
			abort();
		memcpy((uint8_t *)buf + len, p, u.len);
		len += u.len;
		offer(r, (uint16_t)u.id, g->num);
	}
	return (int)len;
}
