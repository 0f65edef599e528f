/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of any length through chains of any shape, in both formats and with any set of features: what arrives is what was
 * sent, byte for byte, and no byte is written that is not a buffer's. */
#include "tests/vhost/ringtest.h"

enum {
	SLOT = 4096, N_SLOTS = 64,      /* Receive buffers. */
	CANARY = 0xee,
	BIG = FRAME_MAX_LEN,
	MAX_WAIT = 256,                 /* Frames sent and not received. */
};

struct slot {
	struct drv_buf b[4];
	unsigned n;
};

struct world {
	uint64_t rng;
	struct drv tx, rx;
	uint32_t hdr_len;
	bool merge, mixed;
	struct slot slot[N_SLOTS];
	bool in_ring[N_SLOTS];
	uint8_t *frame[MAX_WAIT];       /* Expected, oldest first. */
	uint32_t len[MAX_WAIT];
	unsigned head, tail;
	struct frames f;
	uint8_t got[N_SLOTS * SLOT];
	unsigned n_received, n_merged;
};

static uint32_t
rnd(struct world *w, uint32_t from, uint32_t to)
{
	return from + draw(&w->rng, to - from + 1);
}

/* Cuts 'len' bytes at 'p' in 'n' pieces with gaps between them; returns how many bytes all that took. */
static uint32_t
cut(struct world *w, uint8_t *p, uint32_t len, unsigned n, struct drv_buf *b)
{
	uint8_t *at = p;

	for (unsigned i = 0; i < n; i++) {
		uint32_t most = len - (n - i - 1), piece = i + 1 == n ? len : rnd(w, 1, MIN_OF(most, 1 + 2 * len / (n - i)));

		b[i] = (struct drv_buf){ at, piece };
		at += piece + rnd(w, 0, 20);
		len -= piece;
	}
	return (uint32_t)(at - p);
}

static uint32_t
frame_len(struct world *w)
{
	switch (rnd(w, 0, 9)) {
	case 0:
		return rnd(w, 14, 20);
	case 1:
		return rnd(w, 60, 70);
	case 2:
		return rnd(w, 120, 136);
	case 3:
		return rnd(w, 1500, 9000);
	case 4:
		return w->merge && !rnd(w, 0, 9) ? rnd(w, 60000, BIG) : 1514;
	default:
		return rnd(w, 14, 300);
	}
}

static void
offer_slots(struct world *w)
{
	for (unsigned i = 0; i < N_SLOTS; i++) {
		struct slot *s = &w->slot[i];
		uint8_t *at = w->rx.data + (size_t)i * 4 * SLOT;
		uint32_t len = rnd(w, w->merge ? 1500 : 9000 + 12, 3 * SLOT);
		uint8_t *table = rnd(w, 0, 2) || !w->mixed ? NULL : at + 4 * SLOT - 64;

		if (w->in_ring[i])
			continue;
		memset(at, CANARY, 4 * SLOT);
		s->n = w->mixed ? rnd(w, 1, 4) : 1;
		cut(w, at, len, s->n, s->b);
		if (!drv_add(&w->rx, s->b, s->n, true, table, i))
			break;
		w->in_ring[i] = true;
	}
	drv_publish(&w->rx);
}

/* Takes 'len' bytes out of a slot; all else in it is as it was. */
static uint32_t
empty_slot(struct world *w, unsigned i, uint32_t len, uint8_t *out)
{
	struct slot *s = &w->slot[i];
	uint8_t *at = w->rx.data + (size_t)i * 4 * SLOT;
	uint32_t left = len;

	for (unsigned k = 0; k < s->n; k++) {
		uint32_t n = MIN_OF(left, s->b[k].len);

		memcpy(out, s->b[k].p, n);
		memset(s->b[k].p, CANARY, n);
		out += n;
		left -= n;
	}
	assert_int_equal(left, 0);
	for (unsigned k = 0; k < 4 * SLOT - 64; k++)
		assert_int_equal(at[k], CANARY);
	w->in_ring[i] = false;
	return len;
}

static void
receive(struct world *w)
{
	unsigned token, at;
	uint32_t len, n;

	while (drv_used(&w->rx, &token, &len)) {
		unsigned bufs = 1;

		n = empty_slot(w, token, len, w->got);
		if (w->hdr_len == 12)
			bufs = w->got[10] | w->got[11] << 8;
		assert_in_range(bufs, 1, w->merge ? N_SLOTS : 1);
		w->n_merged += bufs > 1;
		while (--bufs) {
			assert_true(drv_used(&w->rx, &token, &len));
			n += empty_slot(w, token, len, w->got + n);
		}
		assert_true(w->head != w->tail);
		at = w->head++ % MAX_WAIT;
		assert_int_equal(n, w->hdr_len + w->len[at]);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(w->got[i], 0);
		assert_memory_equal(w->got + w->hdr_len, w->frame[at], w->len[at]);
		free(w->frame[at]);
		w->n_received++;
	}
}

static unsigned
offer_frames(struct world *w)
{
	unsigned n = 0, most = rnd(w, 1, 40);
	uint8_t *at = w->tx.data;

	for (; n < most && at + 2 * BIG + 8192 < w->tx.data + w->tx.data_len; n++) {
		uint32_t len = frame_len(w), total = w->hdr_len + len, used;
		unsigned pieces = !w->mixed || rnd(w, 0, 2) ? 1 : rnd(w, 1, rnd(w, 0, 9) ? 6 : 200);
		struct drv_buf b[256];
		uint8_t *table = NULL, *copy;

		pieces = MIN_OF(total, pieces);
		if (w->mixed && !rnd(w, 0, 2)) {
			table = at;
			at += 16 * pieces;
		}
		used = cut(w, at, total, pieces, b);
		copy = malloc(len);
		assert_non_null(copy);
		for (uint32_t i = 0; i < len; i++)
			copy[i] = (uint8_t)rnd(w, 0, 255);
		for (unsigned k = 0, done = 0; k < pieces; done += b[k++].len)
			for (uint32_t i = 0; i < b[k].len; i++)
				b[k].p[i] = done + i < w->hdr_len ? 0 : copy[done + i - w->hdr_len];
		if (!drv_add(&w->tx, b, pieces, false, table, n)) {
			free(copy);
			break;
		}
		w->len[w->tail % MAX_WAIT] = len;
		w->frame[w->tail++ % MAX_WAIT] = copy;
		at += used;
	}
	drv_publish(&w->tx);
	return n;
}

static void
forward(struct world *w)
{
	uint8_t idx[FRAME_BURST];
	uint16_t done = 0, sent = 0;
	uint64_t bytes = 0;
	unsigned tries = 0;

	for (uint8_t i = 0; i < FRAME_BURST; i++)
		idx[i] = i;
	for (unsigned i = 0; i < w->f.n; i++)
		frame_read(&w->f, i, w->got);
	while (done < w->f.n) {
		done += vq_send(&w->rx.vq, &w->f, idx + done, (uint16_t)(w->f.n - done), &sent, &bytes);
		receive(w);
		offer_slots(w);
		assert_true(tries++ < 100);
	}
	assert_int_equal(sent, w->f.n);
}

static void
run(struct world *w, bool packed, uint16_t size, uint64_t features, bool mixed, uint64_t seed)
{
	unsigned token, back;
	uint32_t len;

	w->rng = seed * 0x9e3779b97f4a7c15 + 1;
	w->mixed = mixed;
	w->merge = features & BIT(VIRTIO_NET_F_MRG_RXBUF);
	w->hdr_len = features & (BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_VERSION_1)) ? 12 : 10;
	w->n_received = 0;
	memset(w->in_ring, 0, sizeof w->in_ring);
	drv_init(&w->tx, &(struct drv_opts){ packed, size, features, .data_len = 1 << 20 });
	drv_init(&w->rx, &(struct drv_opts){ packed, 256, features, .data_len = N_SLOTS * 4 * SLOT });
	offer_slots(w);
	for (unsigned turn = 0; turn < 20; turn++) {
		unsigned n = offer_frames(w);

		while (vq_take(&w->tx.vq, &w->f)) {
			forward(w);
			vq_release(&w->tx.vq, &w->f);
		}
		for (back = 0; drv_used(&w->tx, &token, &len); back++)
			;
		assert_int_equal(back, n);
	}
	assert_int_equal(w->head, w->tail);
	for (unsigned i = 0; i < DP_N_DROPS; i++) {
		assert_int_equal(w->tx.port.rx_drops[i], 0);
		assert_int_equal(w->rx.port.tx_drops[i], 0);
	}
	assert_int_equal(vq_room(&w->tx.vq), 0);
	drv_fini(&w->tx);
	drv_fini(&w->rx);
}

static void
frames_arrive_through_any_layout(void **state)
{
	const uint64_t choice[] = { BIT(VIRTIO_F_VERSION_1), BIT(VIRTIO_NET_F_MRG_RXBUF), BIT(VIRTIO_F_IN_ORDER),
				    BIT(VIRTIO_RING_F_EVENT_IDX), BIT(VIRTIO_NET_F_CSUM) };
	struct world *w = calloc(1, sizeof *w);

	(void)state;
	assert_non_null(w);
	for (unsigned set = 0; set < 1u << ARRAY_SIZE(choice); set++) {
		uint64_t features = BIT(VIRTIO_RING_F_INDIRECT_DESC);

		for (unsigned i = 0; i < ARRAY_SIZE(choice); i++)
			features |= set >> i & 1 ? choice[i] : 0;
		for (unsigned kind = 0; kind < 4; kind++)
			run(w, kind & 1, kind & 2 ? 256 : 64, features, kind & 2, set * 4 + kind + 1);
	}
	assert_true(w->n_merged > 100);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_through_any_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
