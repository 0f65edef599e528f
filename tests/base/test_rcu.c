/* SPDX-License-Identifier: Apache-2.0 */
/* Grace periods: nothing is released early, everything is released at last. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rcu.h"

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
without_readers_the_next_poll_runs_callbacks(void **state)
{
	struct rcu *r = rcu_create();
	unsigned n = 0;

	(void)state;
	rcu_defer(r, count, &n);
	rcu_defer(r, count, &n);
	assert_int_equal(n, 0);
	assert_int_equal(rcu_poll(r), 0);
	assert_int_equal(n, 2);
	rcu_destroy(r);
	rcu_destroy(NULL);
}

static void
callback_waits_for_every_online_reader(void **state)
{
	struct rcu *r = rcu_create();
	unsigned n = 0;

	(void)state;
	rcu_online(r, 0);
	rcu_online(r, RCU_MAX_READERS - 1);
	rcu_defer(r, count, &n);
	assert_int_equal(rcu_poll(r), 1);
	rcu_quiescent(r, 0);
	assert_int_equal(rcu_poll(r), 1);
	/* Asleep counts as quiescent. */
	rcu_offline(r, RCU_MAX_READERS - 1);
	assert_int_equal(rcu_poll(r), 0);
	assert_int_equal(n, 1);

	/* A reader that wakes up after the publication has seen it. */
	rcu_quiescent(r, 0);
	rcu_defer(r, count, &n);
	rcu_online(r, RCU_MAX_READERS - 1);
	rcu_quiescent(r, 0);
	assert_int_equal(rcu_poll(r), 0);
	rcu_offline(r, RCU_MAX_READERS - 1);
	rcu_offline(r, 0);
	rcu_destroy(r);
}

struct chain {
	struct rcu *rcu;
	unsigned *order, *n;
	unsigned id;
};

static void
note_order(void *arg)
{
	struct chain *c = arg;

	c->order[(*c->n)++] = c->id;
	if (c->id == 0)
		rcu_defer(c->rcu, count, c->n);
}

static void
callbacks_run_in_order_and_may_defer_more(void **state)
{
	struct rcu *r = rcu_create();
	unsigned order[3], n = 0;
	struct chain c[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		c[i] = (struct chain){ r, order, &n, i };
		rcu_defer(r, note_order, &c[i]);
	}
	assert_int_equal(rcu_poll(r), 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
	rcu_drain(r);
	assert_int_equal(n, 4);
	rcu_destroy(r);
}

/* --- Threads ------------------------------------------------------------------------------- */

enum { N_READERS = 3, N_SWAPS = 2000 };

struct object {
	unsigned a, b;                  /* Equal until released. */
};

struct world {
	struct rcu *rcu;
	struct object *slot;
	bool stop;
	unsigned bad, released;
};

struct reader {
	struct world *w;
	unsigned id;
	pthread_t thread;
};

static void *
read_on(void *arg)
{
	struct reader *rd = arg;
	struct world *w = rd->w;

	rcu_online(w->rcu, rd->id);
	for (unsigned turn = 1; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); turn++) {
		const struct object *o = rcu_read(w->slot);

		if (o->a != o->b)
			__atomic_add_fetch(&w->bad, 1, __ATOMIC_RELAXED);
		if (turn % 64 == 0) {
			rcu_offline(w->rcu, rd->id);
			rcu_online(w->rcu, rd->id);
		} else {
			rcu_quiescent(w->rcu, rd->id);
		}
	}
	rcu_offline(w->rcu, rd->id);
	return NULL;
}

static struct world the_world;

static void
release(void *arg)
{
	struct object *o = arg;

	/* A reader that still looks sees this, or a sanitizer sees the reader. */
	o->a = ~o->b;
	the_world.released++;
	free(o);
}

static struct object *
new_object(unsigned v)
{
	struct object *o = malloc(sizeof *o);

	o->a = o->b = v;
	return o;
}

static void *
synchronize_often(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 50; i++)
		rcu_synchronize(w->rcu);
	return NULL;
}

static void
readers_never_see_a_released_object(void **state)
{
	struct world *w = &the_world;
	struct reader rd[N_READERS];
	pthread_t library;

	(void)state;
	w->rcu = rcu_create();
	w->slot = new_object(0);
	for (unsigned i = 0; i < N_READERS; i++) {
		rd[i] = (struct reader){ .w = w, .id = i };
		assert_int_equal(pthread_create(&rd[i].thread, NULL, read_on, &rd[i]), 0);
	}
	assert_int_equal(pthread_create(&library, NULL, synchronize_often, w), 0);
	for (unsigned i = 1; i <= N_SWAPS; i++) {
		struct object *old = w->slot;

		rcu_assign(w->slot, new_object(i));
		rcu_defer(w->rcu, release, old);
		rcu_poll(w->rcu);
	}
	pthread_join(library, NULL);
	rcu_drain(w->rcu);
	assert_int_equal(w->released, N_SWAPS);
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < N_READERS; i++)
		pthread_join(rd[i].thread, NULL);
	assert_int_equal(w->bad, 0);
	free(w->slot);
	rcu_destroy(w->rcu);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_readers_the_next_poll_runs_callbacks),
		cmocka_unit_test(callback_waits_for_every_online_reader),
		cmocka_unit_test(callbacks_run_in_order_and_may_defer_more),
		cmocka_unit_test(readers_never_see_a_released_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
