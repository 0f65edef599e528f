/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OFPROTO_WIRE_FILL_PRIV_H
#define TESTS_OFPROTO_WIRE_FILL_PRIV_H

#include "tests/ofproto/wire/fill.h"

void fill_layout(struct fill *, const struct wire_layout *, void *native);
void fill_hook(struct fill *, wire_get_fn *, void *native);
void fill_sub(struct fill *, struct of_sub *);
void fill_meta(struct fill *, struct oflow *);
bool fill_stable(const struct wire_act *, uint8_t version);
uint32_t fill_port(struct fill *);
struct of_data fill_data(struct fill *, unsigned max);

#endif
