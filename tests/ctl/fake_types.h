/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can see and steer of the fake ports. */
#ifndef TESTS_CTL_FAKE_TYPES_H
#define TESTS_CTL_FAKE_TYPES_H

#include "datapath/port.h"

enum { FAKE_PORTS_MAX = 64 };

struct fake_port {
	bool open;
	char name[32];
	struct port_link link;          /* What link() answers. */
	struct mac mac;                 /* As opened with. */
	uint16_t queues;
};

extern struct fake_port fake_ports[FAKE_PORTS_MAX];
extern unsigned fake_n_opened;          /* Times anything was opened. */
struct fake_port *fake_port(const char *name);          /* NULL: not open. */

#endif
