/* SPDX-License-Identifier: Apache-2.0 */
/* Virtqueues in both formats: what both have to do. */
#include "tests/vhost/ringtest.h"

static const uint64_t modern = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_RING_F_INDIRECT_DESC);

/* As often around the ring as it takes to see the wrap, from any place: 'per' frames a burst. */
static void
pass_frames(bool packed, uint16_t size, uint64_t features, uint16_t start, unsigned n)
{
	struct drv tx, rx;
	static struct frames f;
	uint8_t idx[FRAME_BURST];
	unsigned token, n_in = 0, n_out = 0, per = MIN_OF(size, 32u);

	drv_init(&tx, &(struct drv_opts){ packed, size, features, .start = start });
	drv_init(&rx, &(struct drv_opts){ packed, size, features, .start = start });
	for (unsigned i = 0; i < FRAME_BURST; i++)
		idx[i] = (uint8_t)i;
	while (n_out < n) {
		uint16_t sent = 0;
		uint64_t bytes = 0;
		uint32_t len;

		assert_true(drv_peek_idle(&tx));
		assert_int_equal(vq_take(&tx.vq, &f), 0);
		for (unsigned i = 0; i < per; i++, n_in++) {
			struct drv_buf b = { tx.data + i * 2048, 12 + 60 + i }, r = { rx.data + i * 2048, 2048 };

			fill(b.p + 12, b.len - 12, n_in);
			memset(b.p, 0, 12);
			assert_true(drv_add(&tx, &b, 1, false, NULL, n_in));
			assert_true(drv_add(&rx, &r, 1, true, NULL, n_in));
		}
		drv_publish(&tx);
		drv_publish(&rx);
		assert_false(drv_peek_idle(&tx));
		assert_int_equal(vq_room(&rx.vq), per);
		assert_int_equal(vq_take(&tx.vq, &f), per);
		assert_int_equal(vq_send(&rx.vq, &f, idx, f.n, &sent, &bytes), per);
		assert_int_equal(sent, per);
		assert_false(drv_used(&tx, &token, &len));
		vq_release(&tx.vq, &f);
		for (unsigned i = 0; i < per; i++, n_out++) {
			assert_true(drv_used(&tx, &token, &len));
			assert_int_equal(token, n_out);
			assert_true(drv_used(&rx, &token, &len));
			assert_int_equal(token, n_out);
			assert_int_equal(len, 12 + 60 + i);
			assert_memory_equal(rx.data + i * 2048 + 12, tx.data + i * 2048 + 12, 60 + i);
			assert_int_equal(rx.data[i * 2048 + 10], 1);
		}
		assert_false(drv_used(&tx, &token, &len));
		assert_false(drv_used(&rx, &token, &len));
	}
	drv_fini(&tx);
	drv_fini(&rx);
}

static void
frames_pass_at_every_size_and_wrap(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++)
		for (uint32_t size = 1; size <= VQ_MAX_SIZE; size *= 2) {
			pass_frames(packed, (uint16_t)size, modern, 0, MIN_OF(3 * size, 6400u));
			pass_frames(packed, (uint16_t)size, modern, (uint16_t)(packed ? size - 1 : 65530), 640);
			pass_frames(packed, (uint16_t)size, modern | BIT(VIRTIO_F_IN_ORDER), 0, MIN_OF(3 * size, 6400u));
			pass_frames(packed, (uint16_t)size, modern | BIT(VIRTIO_F_IN_ORDER),
				    (uint16_t)(packed ? size - 1 : 65530), 640);
		}
	pass_frames(false, 32768, modern, 0, 150000);
	pass_frames(true, 32768, modern, 0, 150000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_at_every_size_and_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
