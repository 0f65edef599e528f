/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's side of a virtqueue, for tests: memory, both ring formats, in any order or in order, and beside it the
 * device's side that is tested.  One thread.  Asserts that the device keeps to the specification. */
#ifndef TESTS_VHOST_DRIVER_H
#define TESTS_VHOST_DRIVER_H

#include "datapath/port.h"
#include "vhost/ring.h"

enum {
	DRV_RING_GPA = 0x10000,         /* Where its memory is, as the device is told. */
	DRV_DATA_GPA = 0x100000000,
};

struct drv_opts {
	bool packed;
	uint16_t size;
	uint64_t features;              /* VIRTIO_F_RING_PACKED goes without saying. */
	uint16_t start;                 /* Split: the index to begin at.  Packed: the place, wrap counter 1. */
	size_t data_len;                /* Of the memory for buffers; 0: 1 MB. */
	bool call;                      /* With a call descriptor. */
	bool log;                       /* With a dirty log of all memory. */
};

struct drv_chain {
	unsigned token;
	bool live;
	uint16_t n;                     /* Descriptors of the ring. */
};

struct drv {
	struct vq vq;                   /* The device. */
	struct port port;
	struct port_peek peek;
	struct vmem mem;
	struct vq_conf conf;
	uint64_t features;
	bool packed, in_order, event_idx;
	uint16_t size;
	uint8_t *ring, *data;
	size_t ring_len, data_len;
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
	uint8_t *log;

	unsigned n_free, n_ids;         /* Free descriptors; packed: free ids. */
	uint16_t *free;                 /* A stack of split descriptors, or packed ids; unused in order. */
	uint16_t next, next_used;       /* Packed: places.  Split: indices. */
	bool wrap, used_wrap;
	uint16_t published;             /* Split: avail index that the device was last shown. */
	unsigned next_id;               /* In order. */
	struct drv_chain *chain;        /* [id or head] */
	unsigned *fifo;                 /* Ids in the order they were added; a ring of 'size'. */
	unsigned fifo_head, fifo_tail;
	unsigned batch;                 /* In order: chains known to be used, not told yet; the last has 'batch_len'. */
	uint32_t batch_len;
};

void drv_init(struct drv *, const struct drv_opts *);
void drv_fini(struct drv *);

uint64_t drv_gpa(const struct drv *, const void *p);
/* Adds a chain of buffers in 'data'; 'indirect' is where its table goes (in data, 16 bytes a buffer), or NULL.  False: no
 * free descriptors.  A split ring's device does not see it before drv_publish(). */
struct drv_buf {
	uint8_t *p;
	uint32_t len;
};
bool drv_add(struct drv *, const struct drv_buf *, unsigned n, bool writable, void *indirect, unsigned token);
/* Returns whether the device wants a kick for what was added since. */
bool drv_publish(struct drv *);
/* Takes back a chain.  In order, those that the device skipped have length 0. */
bool drv_used(struct drv *, unsigned *token, uint32_t *len);

/* What the driver asks of the device: no calls; one for each publication; with event-idx, one when it uses the
 * chain that is 'after' chains ahead of the last one taken back. */
void drv_want_no_calls(struct drv *);
void drv_want_calls(struct drv *);
void drv_want_call_after(struct drv *, uint16_t after);
/* Calls since the last time. */
unsigned drv_calls(struct drv *);

bool drv_logged(const struct drv *, uint64_t gpa);
void drv_log_clear(struct drv *);
/* True when the polling thread would not look. */
bool drv_peek_idle(const struct drv *);

#endif
