/* SPDX-License-Identifier: Apache-2.0 */
/* Which tunnel options a bridge knows as tun_metadata0 and up; see ofp.h. */
#include "ofproto/ofp_priv.h"

void
ofp_tlvs(const struct ofp *o, uint16_t bridge, struct tlv_row *row)
{
	const struct ofp_bridge *b = ofp_bridge_find(o, bridge);

	if (b)
		memcpy(row, b->tlv, sizeof b->tlv);
	else
		memset(row, 0, sizeof b->tlv);
}

void
ofp_set_tlvs(struct ofp *o, uint16_t bridge, const struct tlv_row *row)
{
	struct ofp_bridge *b = ofp_bridge_find(o, bridge);
	uint8_t mapped = 0;

	if (!b || !memcmp(b->tlv, row, sizeof b->tlv))
		return;
	memcpy(b->tlv, row, sizeof b->tlv);
	for (unsigned i = 0; i < TLV_MAX; i++)
		mapped |= (uint8_t)((row[i].len != 0) << i);
	of_pipe_set_options(b->of->pipe, mapped);
	o->view_dirty = true;
	/* Keys mean something else now. */
	ofp_mark(o, dp_tag_make(TAG_ALL, 0));
}

/* What rules of 'bits' look at. */
static void
add_examined(struct tlv_table *t, const struct oflow *bits)
{
	for (unsigned i = 0; i < TLV_MAX; i++) {
		struct tlv_row *r = &t->row[i];
		uint8_t mask[TLV_DATA_MAX];

		if (!r->len || !(bits->tun_md_present >> i & 1 || bits->tun_md[i]))
			continue;
		memcpy(mask, &bits->tun_md[i], sizeof mask);
		r->examined = t->examined = true;
		for (unsigned k = 0; k < sizeof mask; k++)
			r->mask[k] |= mask[k];
	}
}

void
ofp_view_tlvs(const struct ofp *o, struct ofp_view *v)
{
	for (unsigned b = 0; b < v->n_bridges; b++) {
		struct tlv_table *t = &v->bridge[b].tlv;

		if (!o->bridge[b])
			continue;
		memcpy(t->row, o->bridge[b]->tlv, sizeof t->row);
		t->oam = v->bridge[b].of && !v->bridge[b].normal && v->bridge[b].bits.tun_flags;
		for (unsigned i = 0; i < TLV_MAX; i++)
			v->bridge[b].has_tlv |= t->row[i].len != 0;
		for (unsigned i = 0; i < v->n_bridges; i++)
			if (v->bridge[i].of && !v->bridge[i].normal && (v->has_patch || i == b))
				add_examined(t, &v->bridge[i].bits);
	}
}
