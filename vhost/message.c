/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages are let through to the library, and which rings they are about. */
#include "vhost/message_priv.h"

#include <string.h>
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
