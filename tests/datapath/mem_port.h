/* SPDX-License-Identifier: Apache-2.0 */
/* A port for tests: frames are put into it from memory, and what it sends is kept for inspection. */
#ifndef TESTS_DATAPATH_MEM_PORT_H
#define TESTS_DATAPATH_MEM_PORT_H

#include "datapath/dp.h"

struct mem_conf {
	uint16_t mtu;           /* 0: 1500. */
};

extern const struct port_type port_type_mem;

/* EAL without hugepages, devices or root; once per process.  Exits the test with status 77 (skipped) when
 * it cannot be had. */
void mem_eal_init(void);

/* Puts a frame into the port's receive queue; false when that is full. */
bool mem_port_send(struct port *, const void *frame, uint32_t len);
/* Likewise, in buffers that hold 'seg_len' bytes each, as a guest's chained descriptors would be. */
bool mem_port_send_segments(struct port *, const void *frame, uint32_t len, uint16_t seg_len);
/* Frames that wait in the receive queue. */
unsigned mem_port_pending(const struct port *);
/* Takes the next frame that the port sent; 0 when there is none within 'wait_ms'. */
uint32_t mem_port_recv(struct port *, void *frame, uint32_t room, unsigned wait_ms);
/* From now on tx takes nothing (a stopped guest), or everything again. */
void mem_port_stall(struct port *, bool stall);
/* From now on the port cannot wake a sleeping thread (PORT_ARM_NAP), or can again. */
void mem_port_deafen(struct port *, bool deaf);
/* How often it was asked to send. */
unsigned mem_port_tx_calls(const struct port *);

/* Lets the polling thread go from where it stands, and waits until it stands still in that function of the port;
 * NULL: lets it go.  One port at a time.  False: it did not come by. */
enum mem_point { MEM_AT_RX, MEM_AT_ARM, MEM_AT_TAKE, MEM_AT_SEND };
bool mem_port_hold(const struct port *, enum mem_point);
/* Other port types for tests: the polling thread comes by there. */
void mem_port_pass(const struct port *, enum mem_point);

#endif
