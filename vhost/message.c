/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages are let through to the library, and which rings they are about. */
#include "vhost/message_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_version.h>

#include "base/util.h"
#include "vhost/vhost_priv.h"

enum about {
	NEVER,                          /* Not offered: inflight areas, IOTLB, configuration space, crypto. */
	NOTHING,                        /* Does not change what a polling thread uses. */
	DEVICE,                         /* All rings. */
	RING,                           /* By vhost_vring_state or vhost_vring_addr: they begin with the index. */
	RING_FILE,                      /* By the low byte, with a descriptor. */
};

/* The library sets up nothing for messages that are NEVER, but some of its functions for them trust what they say. */
#define M(request, about, size, heals) [VHP_##request] = { about, size, heals, #request }
static const struct {
	uint8_t about, min_size;
	bool heals;
	const char *name;
} messages[] = {
	M(GET_FEATURES, NOTHING, 0, false),
	M(SET_FEATURES, DEVICE, 8, false),
	M(SET_OWNER, NOTHING, 0, false),
	M(RESET_OWNER, DEVICE, 0, true),
	M(SET_MEM_TABLE, DEVICE, 8, true),
	M(SET_LOG_BASE, DEVICE, 16, false),
	M(SET_LOG_FD, NOTHING, 0, false),
	M(SET_VRING_NUM, RING, 8, true),
	M(SET_VRING_ADDR, RING, sizeof(struct vhost_vring_addr), true),
	M(SET_VRING_BASE, RING, 8, true),
	M(GET_VRING_BASE, RING, 4, true),
	M(SET_VRING_KICK, RING_FILE, 8, false),
	M(SET_VRING_CALL, RING_FILE, 8, false),
	M(SET_VRING_ERR, NOTHING, 8, false),
	M(GET_PROTOCOL_FEATURES, NOTHING, 0, false),
	M(SET_PROTOCOL_FEATURES, NOTHING, 8, false),
	M(GET_QUEUE_NUM, NOTHING, 0, false),
	M(SET_VRING_ENABLE, RING, 8, false),
	M(SEND_RARP, NOTHING, 8, false),
	M(NET_SET_MTU, NOTHING, 8, false),
	M(SET_STATUS, NOTHING, 8, false),
	M(GET_STATUS, NOTHING, 0, false),
};
#undef M

bool
vhp_msg_facts(const struct vhp_msg *m, struct vhp_msg_facts *f)
{
	*f = (struct vhp_msg_facts){ 0 };
	if (m->request >= ARRAY_SIZE(messages) || messages[m->request].about == NEVER)
		return false;
	/* An answer has replaced the question by the second time. */
	if (!(m->flags & VHP_MSG_REPLY) && m->size < messages[m->request].min_size)
		return false;
	f->heals = messages[m->request].heals;
	switch (messages[m->request].about) {
	case DEVICE:
		f->n_rings = VHP_MAX_RINGS;
		break;
	case RING:
		f->ring = m->state.index;
		f->n_rings = 1;
		break;
	case RING_FILE:
		f->ring = m->u64 & 0xff;
		f->n_rings = 1;
		break;
	default:
		break;
	}
	/* QEMU sets up as many pairs as its user asked for, at most as many as we said; others have fewer scruples. */
	if (f->ring >= VHP_MAX_RINGS)
		return false;
	switch (m->request) {
	case VHP_SET_VRING_NUM:
		return m->state.num >= VQ_MIN_SIZE && m->state.num <= VQ_MAX_SIZE && !(m->state.num & (m->state.num - 1));
	case VHP_SET_LOG_BASE:
		/* The library adds the offset to an address that it belongs to already. */
		return m->flags & VHP_MSG_REPLY || !m->log.offset;
	default:
		return true;
	}
}

const char *
vhp_msg_name(uint32_t request)
{
	return request < ARRAY_SIZE(messages) && messages[request].name ? messages[request].name : "an unknown message";
}

/* The library's own structure, of which only the beginning is promised. */
struct context_22_11 {
	uint8_t msg[12 + 632];
	int fds[8];
	int n_fds;
} __attribute__((packed));

static bool
region_ok(const struct vhp_msg *m, unsigned i, int fd, char *why, size_t room)
{
	uint64_t len = m->mem.r[i].size + m->mem.r[i].offset;
	struct stat st;
	void *at;

	if (!m->mem.r[i].size || len < m->mem.r[i].size || len > SIZE_MAX / 2 || fd < 0 || fstat(fd, &st)) {
		snprintf(why, room, "region %u of the guest's memory makes no sense", i);
		return false;
	}
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < len) {
		snprintf(why, room, "region %u of the guest's memory is longer than its file", i);
		return false;
	}
	/* Files of huge pages are mapped by these. */
	len = (len + (uint64_t)st.st_blksize - 1) / (uint64_t)st.st_blksize * (uint64_t)st.st_blksize;
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED) {
		snprintf(why, room, "region %u of the guest's memory cannot be shared: %s", i, strerror(errno));
		return false;
	}
	munmap(at, len);
	return true;
}

bool
vhp_msg_memory_ok(const struct vhp_msg *m, char *why, size_t room)
{
	struct context_22_11 c;

	if (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0))
		return true;
	memcpy(&c, m, sizeof c);
	if (m->mem.n > ARRAY_SIZE(m->mem.r) || (int)m->mem.n > c.n_fds) {
		snprintf(why, room, "%u regions of memory with %d files make no sense", m->mem.n, c.n_fds);
		return false;
	}
	for (unsigned i = 0; i < m->mem.n; i++)
		if (!region_ok(m, i, c.fds[i], why, room))
			return false;
	return true;
}

void
vhp_msg_close_fds(struct vhp_msg *m)
{
	if (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0))
		return;

	struct context_22_11 c;

	memcpy(&c, m, sizeof c);
	for (int i = 0; i < c.n_fds && i < (int)ARRAY_SIZE(c.fds); i++)
		if (c.fds[i] >= 0)
			close(c.fds[i]);
	c.n_fds = 0;
	memset(c.fds, 0xff, sizeof c.fds);
	memcpy(m, &c, sizeof c);
}

/* ---- Descriptors that nobody wants ------------------------------------------------------------- */

static bool
may_have_fds(uint32_t request)
{
	switch (request) {
	case VHP_SET_MEM_TABLE:
	case VHP_SET_LOG_BASE:
	case VHP_SET_LOG_FD:
	case VHP_SET_VRING_KICK:
	case VHP_SET_VRING_CALL:
	case VHP_SET_VRING_ERR:
		return true;
	default:
		return false;
	}
}

static void
drop_fds(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
			close(fd);
		}
	}
	h->msg_controllen = 0;
}

/* In place of libc's, for the whole process: the library refuses some messages before it asks us, by the ring that they
 * name, and then forgets the descriptors that came along.  A peer that comes again and again could take all there are.
 * Nobody else in this process is sent descriptors; a message begins with its header, read alone. */
ssize_t
recvmsg(int fd, struct msghdr *h, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, h, flags);
	uint32_t request;

	if (n <= 0 || h->msg_controllen < CMSG_LEN(sizeof(int)) || h->msg_iovlen != 1 ||
	    h->msg_iov[0].iov_len != offsetof(struct vhp_msg, u64) || flags & MSG_PEEK)
		return n;
	memcpy(&request, h->msg_iov[0].iov_base, sizeof request);
	if ((size_t)n < sizeof request || !may_have_fds(request))
		drop_fds(h);
	return n;
}
