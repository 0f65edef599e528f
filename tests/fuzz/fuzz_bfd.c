/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes BFD: frames as they come out of a tunnel, into a session that time passes for, whose settings change.  Besides
 * memory errors it looks for a session that says too much, or more than its states allow.
 *
 * The input is a row of steps: a byte that says what, one for the time that passes, then what it needs. */
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "ctl/bfd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { FRAME, PACKET, SETTINGS, TIME, N_STEPS };
enum { OURS = 0x12345678 };

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* Bytes that lie in a block of their own, so that a sanitizer sees whatever is read beside them. */
static uint8_t *
copy(const uint8_t *p, size_t len)
{
	uint8_t *b = malloc(len ? len : 1);

	memcpy(b, p, len);
	return b;
}

static void
frame(struct bfd *b, const uint8_t *p, size_t len, uint64_t now)
{
	uint8_t *f = copy(p, len);
	const uint8_t *packet;
	unsigned n;

	if (bfd_frame_parse(f, (unsigned)len, &packet, &n) == BFD_OK) {
		must(packet >= f && packet + n <= f + len);
		bfd_input(b, packet, n, now);
	}
	free(f);
}

/* A packet; often one that is for us, in the frame that we would make. */
static void
packet(struct bfd *b, const uint8_t *p, size_t len, bool ours, uint64_t now)
{
	uint8_t f[BFD_FRAME_LEN], *c = copy(p, len);
	const uint8_t *inside;
	unsigned n;

	if (ours && len >= BFD_PACKET_LEN) {
		c[0] = (uint8_t)(1 << 5 | (c[0] & 31));
		c[3] = BFD_PACKET_LEN;
		store_be32(c + 8, be32(OURS));
	}
	if (len == BFD_PACKET_LEN) {
		bfd_frame_build(f, (struct mac){ { 2 } }, 50000, c);
		must(bfd_frame_parse(f, sizeof f, &inside, &n) == BFD_OK && n == BFD_PACKET_LEN && !memcmp(inside, c, n));
	}
	bfd_input(b, c, (unsigned)len, now);
	free(c);
}

/* What is due is said, and then it is not due any more. */
static void
talk(struct bfd *b, uint64_t now)
{
	uint8_t out[BFD_PACKET_LEN];
	unsigned n = 0;

	while (bfd_poll(b, now, (uint32_t)(now * 2654435761u), out)) {
		must(++n == 1);
		must(out[0] >> 5 == 1 && out[3] == BFD_PACKET_LEN && out[2] == b->conf.mult && out[1] >> 6 == (uint8_t)b->state);
		must((out[1] & 0x30) != 0x30 && !(out[1] & 0x0f) && load_be32(out + 4) == be32(OURS));
	}
	must(bfd_due(b) > now);
	must((b->state == BFD_ADMIN_DOWN) == b->conf.admin_down);
	/* Up is only who has heard the far end lately. */
	must(b->state != BFD_UP || (b->expires_ms && b->remote_discr));
	must(bfd_tx_ms(b) >= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bfd_conf conf = { .min_tx_ms = 100, .min_rx_ms = 100, .mult = 3 };
	uint64_t now = 1000000;
	struct bfd b;

	bfd_init(&b, &conf, OURS, now);
	while (len > 2) {
		uint8_t what = data[0] % N_STEPS, flags = data[0] / N_STEPS;
		size_t n = len - 3 < data[2] ? len - 3 : data[2];

		now += (uint64_t)data[1] * data[1] / 8;
		talk(&b, now);
		data += 3;
		len -= 3;
		if (what == FRAME) {
			frame(&b, data, n, now);
		} else if (what == PACKET) {
			packet(&b, data, n, flags & 1, now);
		} else if (what == SETTINGS && n >= 4) {
			conf = (struct bfd_conf){ .min_tx_ms = 10u + data[0] * 16u, .min_rx_ms = 10u + data[1] * 16u,
						  .mult = data[2] ? data[2] : 1, .admin_down = data[3] & 1 };
			bfd_set(&b, &conf, now);
		}
		if (what != TIME) {
			data += n;
			len -= n;
		}
		talk(&b, now);
	}
	return 0;
}
