/* SPDX-License-Identifier: Apache-2.0 */
/* A guest for tests, small enough to be wrong on purpose: it speaks vhost-user as a hypervisor does,
 * over split rings in its own memory.  No DPDK. */
#ifndef TESTS_VHOST_GUEST_H
#define TESTS_VHOST_GUEST_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GUEST_RX, GUEST_TX,             /* Its rings, as it sees them. */
	GUEST_BUF = 2048,
	GUEST_MAX_RING = 256,
};

struct guest_ring {
	struct vring vr;
	uint8_t *bufs;                  /* 'num' buffers of GUEST_BUF bytes. */
	uint16_t last_used, avail;
	int kick, call;
};

struct guest {
	int sock;
	uint64_t offered;               /* Features of the switch. */
	uint8_t *mem;
	size_t mem_len;
	int mem_fd;
	struct guest_ring ring[2];
	unsigned num;
	uint64_t refuse;                /* Features it does not take though it could. */
};

/* Memory and rings of 'num' entries; no socket yet. */
void guest_init(struct guest *, unsigned num);
void guest_fini(struct guest *);
/* 0, or -errno.  The switch listens on 'path'. */
int guest_connect(struct guest *, const char *path);
/* A listening socket for the other direction; guest_accept() waits for the switch. */
int guest_listen(const char *path);
int guest_accept(struct guest *, int listener);
/* Steps of the negotiation; false when the switch hung up. */
bool guest_negotiate(struct guest *, uint64_t extra_features);
bool guest_set_ring_num(struct guest *, unsigned ring, uint32_t num);
bool guest_start_ring(struct guest *, unsigned ring);
bool guest_enable_ring(struct guest *, unsigned ring, bool on);
/* All of the above. */
bool guest_start(struct guest *);
/* Its hypervisor tells that this address has come here. */
bool guest_announce(struct guest *, const uint8_t mac[6]);
/* Asks something and waits for the answer, so that all before it was handled.  False: hung up. */
bool guest_sync(struct guest *);
/* Begins a message and never ends it. */
bool guest_send_half(struct guest *);
void guest_disconnect(struct guest *);

/* Puts a frame on the transmit ring, in one chain of 'n_desc' descriptors; kicks when the switch wants it.
 * False: the ring is full. */
bool guest_send(struct guest *, const void *frame, size_t len, unsigned n_desc);
/* A descriptor that points outside of the guest's memory. */
void guest_send_garbage(struct guest *);
/* Takes a received frame; its length, or -1 when there is none.  The buffer goes back to the ring. */
int guest_recv(struct guest *, void *buf, size_t room);
/* Frames sent that the switch took. */
unsigned guest_reap(struct guest *);

#endif
