/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of a translation that may depend on more things than an answer has room for.  When there are too many, those of
 * the tables of one bridge become "any table of it", those of its ports "the bridge", and at last all of them
 * "everything". */
#include "ofproto/xlate_priv.h"

void
xl_tag_add(struct xl_tags *l, dp_tag tag, enum dp_tag_kind kind, uint16_t bridge)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->t[i].tag == tag)
			return;
	if (l->n == XL_MAX_TAGS)
		l->overflow = true;
	else
		l->t[l->n++] = (struct xl_tag){ .tag = tag, .kind = (uint8_t)kind, .bridge = bridge };
}

void
xl_tags_open(struct xl *x, struct xl_tags *l)
{
	l->n = 0;
	l->overflow = false;
	for (unsigned i = 0; i < x->out->n_tags; i++)
		xl_tag_add(l, x->out->tags[i], TAG_ALL, 0);
	x->out->n_tags = 0;
	x->tags = l;
}

/* One tag instead of all of a kind. */
static void
merge(struct xl_tags *l, enum dp_tag_kind kind, dp_tag (*wider)(uint16_t bridge))
{
	struct xl_tags all = *l;

	l->n = 0;
	for (unsigned i = 0; i < all.n; i++) {
		const struct xl_tag *t = &all.t[i];

		xl_tag_add(l, t->kind == kind ? wider(t->bridge) : t->tag, t->kind == kind ? TAG_ALL : t->kind, t->bridge);
	}
}

static dp_tag
tag_of_bridge(uint16_t bridge)
{
	return dp_tag_make(TAG_BRIDGE, bridge);
}

void
xl_tags_close(struct xl *x)
{
	struct xl_tags *l = x->tags;

	if (UNLIKELY(l->n > XLATE_MAX_TAGS))
		merge(l, TAG_TABLE, of_tag_tables);
	if (UNLIKELY(l->n > XLATE_MAX_TAGS))
		merge(l, TAG_PORT, tag_of_bridge);
	x->tags = NULL;
	if (l->overflow)
		xlate_tag(x->out, dp_tag_make(TAG_ALL, 0));
	for (unsigned i = 0; i < l->n; i++)
		xlate_tag(x->out, l->t[i].tag);
}
