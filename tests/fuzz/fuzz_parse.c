/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of any bytes through the parser, and the plain parser beside it.  The first byte says how much of
 * the frame is beyond the first segment. */
#include <stdlib.h>

#include "datapath/parse.h"
#include "tests/datapath/parse_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_key k, want;
	uint32_t len, contig;
	uint8_t *frame;
	char text[1024];
	bool ok;

	if (size < 1 || size > 65536)
		return 0;
	len = (uint32_t)size - 1;
	contig = len - MIN_OF(len, data[0] & 0x80 ? data[0] & 0x7fu : 0);
	frame = malloc(contig ? contig : 1);            /* Exactly that much, for AddressSanitizer. */
	memcpy(frame, data + 1, contig);
	ok = flow_parse(frame, contig, len, 7, FLOW_DEPTH_L4, &k);
	if (ok != parse_ref(frame, contig, len, 7, &want) || (ok && memcmp(&k, &want, sizeof k)))
		abort();
	free(frame);
	memset(&want, 0xff, sizeof want);
	if (ok)
		flow_format(&k, &want, NULL, NULL, text, len % sizeof text);
	return 0;
}
