/* SPDX-License-Identifier: Apache-2.0 */
/* Names and sentences of the drop reasons. */
#include "datapath/drop.h"

const struct dp_drop_info dp_drop_info[DP_N_DROPS] = {
#define DROP(sym, word, sentence) [DROP_##sym] = { .name = word, .text = sentence },
	DP_DROP_REASONS(DROP)
#undef DROP
};
