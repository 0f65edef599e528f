/* SPDX-License-Identifier: Apache-2.0 */
/* What a controller may send: any bytes as one message, read strictly and loosely.  Whatever is read can be written, and
 * what was written reads back to what writes the same. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(struct of_arena *arena, const struct of_msg *msg, const struct of_decode_opts *opts)
{
	struct of_buf first = { .data = NULL }, second = { .data = NULL };
	struct of_error err;
	struct of_msg read;

	/* Some have no way back: what the version cannot say, or what grows beyond 64 KB. */
	if (!of_encode(&first, msg) && first.len >= OF_HEADER_LEN && of_msg_len(first.data) == first.len &&
	    !of_decode(first.data, (uint32_t)first.len, opts, arena, &read, &err)) {
		if (of_encode(&second, &read) || second.len != first.len)
			abort();
	}
	of_buf_fini(&first);
	of_buf_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct of_decode_opts opts[] = { { .loose_match = false }, { .loose_match = true, .table_ids = true } };
	struct of_arena *arena = of_arena_create();

	for (unsigned i = 0; i < 2; i++) {
		struct of_buf reply = { .data = NULL };
		struct of_error err;
		struct of_msg msg;

		of_arena_reset(arena);
		if (!of_decode(data, (uint32_t)size, &opts[i], arena, &msg, &err)) {
			again(arena, &msg, &opts[i]);
		} else {
			if (err.id == OFE_OK)
				abort();
			of_encode_error(&reply, msg.version >= OF10 && msg.version <= OF15 ? msg.version : OF13, &err, data,
					(uint32_t)size);
		}
		of_buf_fini(&reply);
	}
	of_arena_destroy(arena);
	return 0;
}
