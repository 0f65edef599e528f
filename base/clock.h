/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time.  Packet code uses the TSC of its lcore; this is for everyone else. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);        /* Since an arbitrary start. */
uint64_t clock_us(void);

#endif
