/* SPDX-License-Identifier: Apache-2.0 */
/* distance A B: how far two CPUs are from each other, in TSC cycles that a word takes there and back.
 *
 * A hypervisor may put two virtual CPUs on threads of one core at one minute and on far chiplets at the next.  What a packet
 * costs from ring to ring changes with it, and by more than most things that are measured here; so benches note it beside
 * their figures and compare only those that met the same distance. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

enum { ROUNDS = 1000, BLOCKS = 15 };

static struct {
	_Alignas(128) atomic_uint ball;
	_Alignas(128) int cpu[2];
} shared;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(1);
	}
}

/* Gives back every odd number as the even one that follows. */
static void *
far_side(void *arg)
{
	(void)arg;
	pin(shared.cpu[1]);
	for (unsigned i = 1; i <= 2 * ROUNDS * BLOCKS; i += 2) {
		while (atomic_load_explicit(&shared.ball, memory_order_acquire) != i)
			;
		atomic_store_explicit(&shared.ball, i + 1, memory_order_release);
	}
	return NULL;
}

static int
ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	uint64_t took[BLOCKS];
	unsigned i = 1;
	pthread_t t;

	if (argc != 3) {
		fprintf(stderr, "usage: distance CPU CPU\n");
		return 1;
	}
	shared.cpu[0] = atoi(argv[1]);
	shared.cpu[1] = atoi(argv[2]);
	pin(shared.cpu[0]);
	if (shared.cpu[0] == shared.cpu[1] || pthread_create(&t, NULL, far_side, NULL)) {
		fprintf(stderr, "distance: two CPUs are needed\n");
		return 1;
	}
	for (unsigned b = 0; b < BLOCKS; b++) {
		uint64_t start = rte_rdtsc();

		for (unsigned k = 0; k < ROUNDS; k++, i += 2) {
			atomic_store_explicit(&shared.ball, i, memory_order_release);
			while (atomic_load_explicit(&shared.ball, memory_order_acquire) != i + 1)
				;
		}
		took[b] = (rte_rdtsc() - start) / ROUNDS;
	}
	pthread_join(t, NULL);
	/* Whoever else ran here in between made a block longer, never shorter. */
	qsort(took, BLOCKS, sizeof(took[0]), ascending);
	printf("%llu\n", (unsigned long long)took[BLOCKS / 4]);
	return 0;
}
