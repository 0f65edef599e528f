/* SPDX-License-Identifier: Apache-2.0 */
/* A port for tests that gives and takes frames in memory (struct port_frames), as a guest's rings would.  Each buffer of
 * a frame is a heap block of its own, freed by release(): a sanitizer sees what is read beyond or too late.
 *
 * What the datapath must never do (take twice, release twice, send what is not accepted) ends the test program. */
#ifndef TESTS_DATAPATH_FRAME_PORT_H
#define TESTS_DATAPATH_FRAME_PORT_H

#include "datapath/dp.h"
#include "datapath/frame.h"
#include "datapath/offload.h"

struct frame_port_conf {
	uint16_t mtu;                   /* 0: 1500. */
	uint16_t n_rxq;                 /* 0: 1. */
	uint16_t live_rxq;
	uint16_t accepts;
};

extern const struct port_type port_type_frame;

/* A frame for receive queue 'q', in buffers of 'buf_len' bytes (0: one); 'need' and 'v' as from offl_check(), 'v' may be
 * NULL.  False: the queue is full. */
bool frame_port_put(struct port *, unsigned q, const void *, uint32_t len, uint32_t buf_len, uint16_t need,
		    const struct virtio_net_hdr *v);
/* A chain that take() finds bad. */
bool frame_port_put_bad(struct port *, unsigned q);
/* Frames that wait in a receive queue. */
unsigned frame_port_pending(struct port *, unsigned q);

struct frame_got {
	uint8_t b[70000];
	uint32_t len;                   /* 0: none came within 'wait_ms'. */
	bool direct;                    /* By send(), not as an mbuf. */
	uint16_t need;
	struct virtio_net_hdr v;
};
void frame_port_get(struct port *, struct frame_got *, unsigned wait_ms);

/* It has room for so many frames more, and none after these; UINT32_MAX: always. */
void frame_port_room(struct port *, uint32_t n);
/* send() and tx() drop the next frames, counted as DROP_TX_ERROR. */
void frame_port_drop(struct port *, uint32_t n);
void frame_port_accept(struct port *, uint16_t accepts);
/* As when a guest switches queues on and off. */
void frame_port_live(struct port *, uint16_t n);
/* From now on the sender overwrites what of a frame's memory was looked at, right after that. */
void frame_port_scribble(struct port *, bool);

struct frame_port_count {
	uint32_t takes, releases;       /* takes: that gave something. */
	uint32_t empty_takes;
	uint32_t sends, txs;            /* Calls. */
	uint32_t direct, mbufs;         /* Frames. */
};
struct frame_port_count frame_port_count(struct port *);

#endif
