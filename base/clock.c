/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time for control code. */
#include "base/clock.h"

#include <time.h>

uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}
