/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the vhost-user protocol as a hypervisor sends them (QEMU, docs/interop/vhost-user.rst): those that mean
 * something to us, and which rings each is about. */
#ifndef VHOST_MESSAGE_PRIV_H
#define VHOST_MESSAGE_PRIV_H

#include <linux/vhost.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VHP_MSG_REPLY = 1 << 2 };  /* In vhp_msg.flags. */

enum vhp_request {
	VHP_GET_FEATURES = 1,
	VHP_SET_FEATURES = 2,
	VHP_SET_OWNER = 3,
	VHP_RESET_OWNER = 4,
	VHP_SET_MEM_TABLE = 5,
	VHP_SET_LOG_BASE = 6,
	VHP_SET_LOG_FD = 7,
	VHP_SET_VRING_NUM = 8,
	VHP_SET_VRING_ADDR = 9,
	VHP_SET_VRING_BASE = 10,
	VHP_GET_VRING_BASE = 11,
	VHP_SET_VRING_KICK = 12,
	VHP_SET_VRING_CALL = 13,
	VHP_SET_VRING_ERR = 14,
	VHP_GET_PROTOCOL_FEATURES = 15,
	VHP_SET_PROTOCOL_FEATURES = 16,
	VHP_GET_QUEUE_NUM = 17,
	VHP_SET_VRING_ENABLE = 18,
	VHP_SEND_RARP = 19,
	VHP_NET_SET_MTU = 20,
	VHP_POSTCOPY_ADVISE = 28,
	VHP_POSTCOPY_LISTEN = 29,
	VHP_POSTCOPY_END = 30,
	VHP_SET_STATUS = 39,
	VHP_GET_STATUS = 40,
};

/* In the machine's byte order.  What is behind 'size' bytes of the payload is undefined. */
struct vhp_msg {
	uint32_t request, flags, size;
	union {
		uint64_t u64;
		struct {
			uint32_t index, num;
		} state;
		struct vhost_vring_addr addr;
		struct {
			uint64_t size, offset;
		} log;
		struct {
			uint32_t n, padding;
			struct {
				uint64_t gpa, size, user, offset;
			} r[8];
		} mem;
	} __attribute__((packed));
} __attribute__((packed));

struct vhp_msg_facts {
	unsigned ring, n_rings;         /* Rings that must not run while it is handled; n_rings may be "all". */
	bool heals;                     /* It sets up something that may have been broken. */
};

/* False: not to be handled at all, since it is too short, out of range, or nothing that was offered. */
bool vhp_msg_facts(const struct vhp_msg *, struct vhp_msg_facts *);

/* SET_MEM_TABLE: whether each region can be mapped, and is in its file for all its length.  The library does not look at
 * the latter, and loses the descriptor of what it cannot map.  False: 'why' has 'room' bytes. */
bool vhp_msg_memory_ok(const struct vhp_msg *, char *why, size_t room);

/* "SET_FEATURES", or "an unknown message". */
const char *vhp_msg_name(uint32_t request);

/* A message that we answer ourselves keeps its file descriptors: closes them.  'm' must be what the library gave. */
void vhp_msg_close_fds(struct vhp_msg *);

#endif
