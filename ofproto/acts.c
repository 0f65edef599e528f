/* SPDX-License-Identifier: Apache-2.0 */
/* Making action lists: a growing buffer of records; see acts.h. */
#include "ofproto/acts.h"

#include <stdlib.h>

#include "ofproto/of.h"

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

bool
of_acts_name(struct of_acts acts, enum of_act_kind kind, uint32_t id)
{
	OF_ACTS_EACH(a, acts) {
		if (a->kind == kind && ((const struct of_act_u32 *)a)->value == id)
			return true;
		if ((a->kind == OFA_WRITE_ACTIONS || a->kind == OFA_CLONE) && of_acts_name(of_acts_nested(a), kind, id))
			return true;
	}
	return false;
}

bool
of_acts_output_to(struct of_acts acts, uint32_t port)
{
	OF_ACTS_EACH(a, acts) {
		switch (a->kind) {
		case OFA_OUTPUT:
		case OFA_OUTPUT_TRUNC:
			if (((const struct of_act_output *)a)->port == port)
				return true;
			break;
		case OFA_ENQUEUE:
			if (((const struct of_act_enqueue *)a)->port == port)
				return true;
			break;
		case OFA_CONTROLLER:
			if (port == (uint32_t)OFPP_CONTROLLER)
				return true;
			break;
		case OFA_WRITE_ACTIONS:
		case OFA_CLONE:
			if (of_acts_output_to(of_acts_nested(a), port))
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}
