/* SPDX-License-Identifier: Apache-2.0 */
/* Virtqueues as the device's side sees them (virtio 1.2, 2.7 split and 2.8 packed).
 *
 * No DPDK protocol code and no sockets here: memory in, frames out, so that tests and fuzzers drive it on plain memory.
 * Everything a guest wrote is read once into private memory and checked there.  A chain that makes no sense is given
 * back unused and counted; a ring that makes no sense is 'broken': it gives and takes nothing until it is set up anew.
 *
 * Threads: a struct vq belongs to one polling thread at a time (receive), or is locked by vq_send*() when it is
 * 'shared'.  vhost.c makes and frees it while no polling thread can see it. */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "datapath/frame.h"
#include "datapath/port.h"

struct rte_mbuf;

enum {
	VQ_MIN_SIZE = 1,
	VQ_MAX_SIZE = 32768,            /* A power of two; packed rings are given that too. */
	VQ_MAX_REGIONS = 8,
	VQ_MAX_CHAIN = 256,             /* Descriptors of one frame: more is a bad chain. */
};

/* Features of virtio 1.3, newer than the headers we build on. */
enum { VQ_NET_F_GUEST_USO4 = 54, VQ_NET_F_GUEST_USO6 = 55, VQ_NET_F_HOST_USO = 56 };

/* What a guest with these features takes as it is: OFFL_* of VIRTIO_NET_F_GUEST_*. */
uint16_t vq_accepts(uint64_t features);

/* The guest's memory; one region's bytes are mapped as long as the table is in use. */
struct vmem {
	unsigned n;
	struct vmem_region {
		uint64_t gpa, size;
		uint8_t *hva;
	} r[VQ_MAX_REGIONS];
};

/* 'len' bytes at guest address 'gpa', or NULL.  A range that spans two regions is none (guests' buffers do not: each
 * region is memory of its own); '*hint' remembers the region. */
static inline uint8_t *
vmem_at(const struct vmem *m, unsigned *hint, uint64_t gpa, uint64_t len)
{
	const struct vmem_region *r = &m->r[*hint];
	uint64_t off = gpa - r->gpa;

	if (LIKELY(off < r->size && len <= r->size - off))
		return r->hva + off;
	for (unsigned i = 0; i < m->n; i++) {
		r = &m->r[i];
		off = gpa - r->gpa;
		if (off < r->size && len <= r->size - off) {
			*hint = i;
			return r->hva + off;
		}
	}
	return NULL;
}

enum vq_fault {
	VQ_FINE,
	VQ_BAD_AVAIL,                   /* Split: the avail index ran further than the ring is long. */
	VQ_BAD_HEAD,                    /* Split: a head beyond the table. */
	VQ_BAD_RING,                    /* Packed: chains longer than the ring. */
	VQ_BAD_CALL,                    /* The call descriptor blocks. */
};

struct vq_conf {
	bool packed;
	uint16_t size;                  /* Entries: a power of two, VQ_MIN_SIZE to VQ_MAX_SIZE. */
	/* Mapped for the whole size: table, driver area (avail, or the driver's event suppression), device area.  Aligned as
	 * the specification wants (16, 2 or 4, 4). */
	void *desc, *driver, *device;
	uint64_t used_gpa;              /* Of the device area, for the log. */
	uint64_t features;              /* As negotiated: VIRTIO_F_*, VIRTIO_RING_F_*, VIRTIO_NET_F_*. */
	/* Where to go on: split, the index; packed, bit 15 is the wrap counter. */
	uint16_t last_avail, last_used;
	const struct vmem *mem;         /* Borrowed while the vq lives. */
	/* Dirty log, one bit a 4 KiB page, LSB first; NULL: none.  Set atomically, for pages of the guest's addresses. */
	uint8_t *log;
	uint64_t log_len;               /* Bytes. */
	int callfd;                     /* Borrowed; -1: the guest polls. */
	struct port_peek *peek;         /* Of a queue from the guest: the port's, kept right as the ring moves on.  Or NULL. */
	bool shared;                    /* Several threads send. */
};

/* Counters, [stat]: written by the thread that works on the ring. */
struct vq_stats {
	uint64_t calls;                 /* Notifications sent... */
	uint64_t calls_spared;          /* ...and those the guest did not want. */
	uint64_t indirect, mergeable;   /* Chains by indirect table; frames over several buffers. */
};

struct vq;
typedef uint16_t vq_take_fn(struct vq *, struct frames *);
typedef uint16_t vq_send_fn(struct vq *, const struct frames *, const uint8_t *idx, uint16_t n, uint16_t *sent,
			    uint64_t *bytes);
typedef uint16_t vq_send_mbufs_fn(struct vq *, struct rte_mbuf **, uint16_t n, uint16_t *sent, uint64_t *bytes);

struct vq {
	/* For this format and these features, of the best instruction set there is. */
	vq_take_fn *take;
	vq_send_fn *send;
	vq_send_mbufs_fn *send_mbufs;
	struct port_peek *peek;
	uint16_t size, mask;
	uint16_t last_avail, last_used;
	bool avail_wrap, used_wrap;     /* Packed. */
	bool packed, in_order, event_idx, indirect, merge, offloads;
	uint8_t hdr_len;                /* Of the virtio header: 10 or 12. */
	uint8_t fault;                  /* enum vq_fault; atomic. */
	uint16_t accepts;               /* OFFL_* that the guest takes (VIRTIO_NET_F_GUEST_*). */
	union {
		struct vring_desc *desc;
		struct vring_packed_desc *pdesc;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	const struct vmem *mem;
	unsigned region;                /* Hint of vmem_at(). */
	struct port *port;              /* Whose rx_drops and tx_drops count what goes wrong. */
	int callfd;
	bool shared;
	bool event_asked;               /* The guest was asked to kick (vq_notify_want()). */
	uint16_t signalled;             /* Event-idx: the used index of the last call. */
	bool signalled_valid;
	uint8_t *log;
	uint64_t log_len, used_gpa;
	uint64_t features;
	struct vq_stats stats;
	uint32_t lock CACHE_ALIGNED;    /* Of senders, when 'shared'. */
};

/* Packed, and the position given as that of a new device: where this one goes on, as far as the ring tells (ring_find.c);
 * to be used as last_avail and last_used.  A ring without sense is a new one.  Before vq_init(), of which 'desc', 'size'
 * and 'features' have to be right. */
uint16_t vq_find_packed(const struct vq_conf *);

/* -EINVAL with 'e' set when the geometry is impossible. */
struct err;
int vq_init(struct vq *, const struct vq_conf *, struct port *, struct err *);

/* --- From the guest ------------------------------------------------------------------------- */

/* As port_frames.take() and release().  Bad chains are counted (DROP_RX_BAD_CHAIN, DROP_RX_BAD_OFFLOAD, or
 * DROP_RX_MALFORMED for a frame under 14 bytes) and given back: by release() with the good ones, by take() itself when
 * there is no good one.  take() prefetches and copies headers; release() writes the used entries of all chains, publishes
 * them at once and calls the guest if it asked for that.  A frame longer than FRAME_MAX_LEN is a bad chain. */
uint16_t vq_take(struct vq *, struct frames *);
void vq_release(struct vq *, struct frames *);
/* Asks the guest to kick when it adds to its ring, or no longer to.  With 'on', true: there is something already. */
bool vq_notify_want(struct vq *, bool on);

/* --- To the guest --------------------------------------------------------------------------- */

/* As port_frames.send().  A frame longer than what the guest's buffers can ever hold (without mergeable buffers: than
 * the next chain, and the ring is not empty; with them: than all of the ring, or VQ_MAX_CHAIN descriptors) is dropped as
 * DROP_TX_TOO_BIG; a chain that makes no sense is given back with length 0, counted as DROP_RX_BAD_CHAIN (in tx_drops,
 * since any thread sends), and the frame goes to the next one.  Publishes once, calls once.  A broken ring takes
 * nothing. */
uint16_t vq_send(struct vq *, const struct frames *, const uint8_t *idx, uint16_t n, uint16_t *sent, uint64_t *bytes);
/* The same for mbufs that need no more than 'accepts'; they stay the caller's. */
uint16_t vq_send_mbufs(struct vq *, struct rte_mbuf **, uint16_t n, uint16_t *sent, uint64_t *bytes);
/* Frames that the guest has room for, at least and roughly: what 'show' prints. */
uint16_t vq_room(const struct vq *);

#endif
