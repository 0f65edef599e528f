/* SPDX-License-Identifier: Apache-2.0 */
/* The position of a packed ring, found in the ring.  The device that has it in its head is the one to compare with. */
#include "tests/vhost/ringtest.h"

#include "vhost/ring_priv.h"

enum { STARTED_ANEW = 1 << 15 };

static const uint64_t plain = BIT(VIRTIO_F_VERSION_1), table = plain | BIT(VIRTIO_RING_F_INDIRECT_DESC),
		      ordered = plain | BIT(VIRTIO_F_IN_ORDER);

static void
is_found(const struct drv *d)
{
	uint16_t at = (uint16_t)(d->vq.last_used | (unsigned)d->vq.used_wrap << 15);

	assert_int_equal(vq_find_packed(&d->conf), at);
}

/* Adds up to 'most' chains of 'n_desc' descriptors, or single ones with a table of as many. */
static void
add_some(struct drv *d, uint64_t *seed, unsigned most, unsigned n_desc, bool indirect, unsigned spare)
{
	for (unsigned i = draw(seed, most + 1); i && d->n_free >= n_desc + spare; i--) {
		struct drv_buf b[4];

		for (unsigned k = 0; k < n_desc; k++)
			b[k] = (struct drv_buf){ d->data + 4096 + 64 * k, 64 };
		if (!drv_add(d, b, n_desc, false, indirect ? d->data : NULL, 0))
			return;
	}
	drv_publish(d);
}

/* 'spare': places that the driver leaves free, so that what the device skipped is still behind what it gave back. */
static void
work(uint16_t size, uint64_t features, unsigned n_desc, bool indirect, unsigned spare)
{
	uint64_t seed = 88172645463325252ull + size;
	static struct frames f;
	struct drv d;

	drv_init(&d, &(struct drv_opts){ true, size, features, .start = 0 });
	is_found(&d);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned token;
		uint32_t len;

		add_some(&d, &seed, draw(&seed, 4) ? 5 : size, n_desc, indirect, spare);
		is_found(&d);
		if (draw(&seed, 3) && vq_take(&d.vq, &f))
			vq_release(&d.vq, &f);
		is_found(&d);
		for (unsigned k = draw(&seed, 8); k && drv_used(&d, &token, &len); k--)
			continue;
		is_found(&d);
	}
	drv_fini(&d);
}

static void
position_is_found_at_every_size_and_place(void **state)
{
	(void)state;
	for (uint16_t size = 1; size <= 256; size *= 2) {
		work(size, table, 1, false, 0);
		work(size, table, 3, true, 0);
	}
}

static void
rest_of_a_chain_is_not_taken_for_a_new_one(void **state)
{
	(void)state;
	for (uint16_t size = 8; size <= 256; size *= 2) {
		work(size, plain, 2, false, 2);
		work(size, plain, 3, false, 3);
	}
}

static void
rest_of_a_batch_is_not_taken_for_new_chains(void **state)
{
	(void)state;
	for (uint16_t size = 128; size <= 256; size *= 2) {
		work(size, ordered, 1, false, 32);
		work(size, ordered, 3, false, 96);
	}
}

static void
new_device_goes_on_where_the_old_one_was_killed(void **state)
{
	static struct frames f;
	struct vq_conf again;
	struct drv d;
	unsigned token, n_used = 0, n_added = 0;
	uint64_t seed = 7;
	uint32_t len;
	struct err e;

	(void)state;
	drv_init(&d, &(struct drv_opts){ true, 64, table, .start = 0 });
	for (unsigned i = 0; i < 1000; i++) {
		struct drv_buf b = { d.data, 72 };

		while (draw(&seed, 40) && drv_add(&d, &b, 1, false, NULL, n_added))
			n_added++;
		if (draw(&seed, 2) && vq_take(&d.vq, &f))
			vq_release(&d.vq, &f);
		while (draw(&seed, 40) && drv_used(&d, &token, &len))
			assert_int_equal(token, n_used++);
		again = d.conf;
		again.last_avail = again.last_used = vq_find_packed(&d.conf);
		assert_int_equal(vq_init(&d.vq, &again, &d.port, &e), 0);
	}
	assert_true(n_used > 5000);
	drv_fini(&d);
}

static void
ring_without_sense_is_a_new_one(void **state)
{
	struct vring_packed_desc desc[8] = { 0 };
	struct vq_conf c = { .packed = true, .size = 8, .desc = desc };

	(void)state;
	assert_int_equal(vq_find_packed(&c), STARTED_ANEW);
	desc[2].flags = desc[5].flags = PACKED_AVAIL;
	assert_int_equal(vq_find_packed(&c), STARTED_ANEW);
	desc[0].flags = PACKED_AVAIL;
	assert_int_equal(vq_find_packed(&c), STARTED_ANEW);
}

/* Whatever is there: a place in the ring, found without reading beside it (the sanitizers' part). */
static void
any_flags_give_a_place_in_the_ring(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint16_t size = (uint16_t)(1u << draw(&seed, 6));
		struct vring_packed_desc *desc = xalloc_aligned(16, size * sizeof *desc);
		struct vq_conf c = { .packed = true, .size = size, .desc = desc,
				     .features = draw(&seed, 2) ? table : draw(&seed, 2) ? ordered : plain };
		unsigned turn = draw(&seed, size + 1u);

		for (unsigned k = 0; k < size; k++) {
			desc[k].flags = (uint16_t)((k < turn ? PACKED_AVAIL : 0) | (draw(&seed, 2) ? PACKED_USED : 0) |
						   draw(&seed, 8));
			desc[k].id = (uint16_t)draw(&seed, 3);
		}
		assert_true((vq_find_packed(&c) & 0x7fff) < size);
		free(desc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(position_is_found_at_every_size_and_place),
		cmocka_unit_test(rest_of_a_chain_is_not_taken_for_a_new_one),
		cmocka_unit_test(rest_of_a_batch_is_not_taken_for_new_chains),
		cmocka_unit_test(new_device_goes_on_where_the_old_one_was_killed),
		cmocka_unit_test(ring_without_sense_is_a_new_one),
		cmocka_unit_test(any_flags_give_a_place_in_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
