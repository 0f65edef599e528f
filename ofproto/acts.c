/* SPDX-License-Identifier: Apache-2.0 */
/* Making action lists: a growing buffer of records; see acts.h. */
#include "ofproto/acts.h"

#include <stdlib.h>

void *
of_act_put(struct of_act_buf *b, enum of_act_kind kind, enum of_act_form form, size_t size)
{
	uint32_t len = ((uint32_t)size + 7) & ~7u;
	struct of_act *a;

	if (b->len + len > b->cap) {
		b->cap = MAX_OF(b->cap * 2, MAX_OF(b->len + len, 256u));
		b->data = xrealloc(b->data, b->cap);
	}
	a = memset(b->data + b->len, 0, len);
	b->len += len;
	a->kind = (uint8_t)kind;
	a->form = (uint8_t)form;
	a->len = (uint16_t)len;
	return a;
}

uint32_t
of_act_nest_begin(struct of_act_buf *b, enum of_act_kind kind, enum of_act_form form)
{
	uint32_t at = b->len;

	of_act_put(b, kind, form, sizeof(struct of_act_nested));
	return at;
}

void
of_act_nest_end(struct of_act_buf *b, uint32_t at)
{
	struct of_act *a = (struct of_act *)(b->data + at);

	a->len = (uint16_t)(b->len - at);
}

struct of_acts
of_act_buf_acts(const struct of_act_buf *b)
{
	return (struct of_acts){ .a = (const struct of_act *)b->data, .len = b->len };
}

void
of_act_buf_fini(struct of_act_buf *b)
{
	free(b->data);
	*b = (struct of_act_buf){ 0 };
}
