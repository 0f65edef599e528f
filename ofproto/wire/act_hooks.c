/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that are more than members in a row: those that name fields by headers of two sizes, and those with lists. */
#include <errno.h>

#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

wire_act_get_fn wa_output_reg2_get, wa_controller2_get, wa_dec_ttl_get, wa_dec_ttl_ids_get, wa_copy_field_get,
	wa_reg_move_get, wa_stack_get, wa_learn_get, wa_bundle_get, wa_note_get, wa_clone_get;
wire_act_put_fn wa_output_reg2_put, wa_controller2_put, wa_dec_ttl_put, wa_dec_ttl_ids_put, wa_copy_field_put,
	wa_reg_move_put, wa_stack_put, wa_learn_put, wa_bundle_put, wa_note_put, wa_clone_put;

enum { NXM_IN_PORT = 0x00000002, BUNDLE_MAX = 2048 };

static int
need(struct wire_rd *r, size_t n)
{
	if (wire_left(r) >= n)
		return 0;
	return wire_bad(r, OFE_BAC_BAD_LEN, "action: %zu bytes are left", wire_left(r));
}

static uint16_t
take16(struct wire_rd *r)
{
	r->p += 2;
	return wire_u16(r->p - 2);
}

static void
add16(struct wire_wr *w, unsigned v)
{
	wire_store(wire_add(w->buf, 2), 2, v);
}

static int
at_end(struct wire_rd *r)
{
	for (; r->p < r->end; r->p++)
		if (*r->p)
			return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "padding is not zero");
	return 0;
}

/* --- Subfields ---------------------------------------------------------------------------------- */

static int
get_sub(struct wire_rd *r, unsigned ofs, unsigned n_bits, struct of_sub *sub)
{
	bool masked;
	const struct of_field_code *c = wire_get_header(r, &masked);

	if (!c)
		return -1;
	if (masked)
		return wire_bad(r, OFE_BAC_BAD_SET_TYPE, "%s with a mask", of_field_info[c->field].name);
	if (!n_bits || ofs + n_bits > of_field_info[c->field].bits)
		return wire_bad(r, OFE_BAC_BAD_SET_LEN, "%s[%u..%u]", of_field_info[c->field].name, ofs, ofs + n_bits - 1);
	*sub = (struct of_sub){ .field = c->field, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits };
	return 0;
}

static void
put_sub_header(struct wire_wr *w, const struct of_sub *s, bool nxm)
{
	const struct of_field_code *c = wire_field_code(s->field, w->version, nxm);

	/* NXM's in_port has fewer bits than OXM's. */
	if (s->ofs + s->n_bits > 8 * c->len)
		c = of_field_first_code(s->field);
	if (of_field_info[s->field].flags & OF_FIELD_VARIABLE)
		c = of_field_code_sized(c, OF_FIELD_VAR_LEN);
	wire_put_header(w->buf, c, false);
}

int
wa_output_reg2_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body UNUSED)
{
	struct of_act_output_reg *o = of_act_put(r->acts, OFA_OUTPUT_REG, a->form, sizeof *o);
	unsigned ofs_nbits;

	if (need(r, 14))
		return -1;
	ofs_nbits = take16(r);
	o->max_len = take16(r);
	return get_sub(r, ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1, &o->src) || at_end(r) ? -1 : 0;
}

void
wa_output_reg2_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_output_reg *o = (const void *)rec;
	size_t start = w->buf->len;

	add16(w, (unsigned)o->src.ofs << 6 | (o->src.n_bits - 1u));
	add16(w, o->max_len);
	put_sub_header(w, &o->src, true);
	wire_add(w->buf, 14 - (w->buf->len - start));
}

static int
get_move(struct wire_rd *r, const struct wire_act *a, unsigned pad_before, unsigned pad)
{
	struct of_act_move *m = of_act_put(r->acts, OFA_MOVE, a->form, sizeof *m);
	unsigned n_bits, src, dst;

	if (need(r, pad_before + 6 + pad))
		return -1;
	r->p += pad_before;
	n_bits = take16(r);
	src = take16(r);
	dst = take16(r);
	r->p += pad;
	return get_sub(r, src, n_bits, &m->src) || get_sub(r, dst, n_bits, &m->dst) || at_end(r) ? -1 : 0;
}

static void
put_move(struct wire_wr *w, const struct of_act *rec, unsigned pad_before, unsigned pad, bool nxm)
{
	const struct of_act_move *m = (const void *)rec;

	wire_add(w->buf, pad_before);
	add16(w, m->src.n_bits);
	add16(w, m->src.ofs);
	add16(w, m->dst.ofs);
	wire_add(w->buf, pad);
	put_sub_header(w, &m->src, nxm);
	put_sub_header(w, &m->dst, nxm);
}

int
wa_copy_field_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body UNUSED)
{
	return get_move(r, a, a->msg_form == OFMF_ONF ? 2 : 0, 2);
}

void
wa_copy_field_put(struct wire_wr *w, const struct wire_act *a, const struct of_act *rec)
{
	put_move(w, rec, a->msg_form == OFMF_ONF ? 2 : 0, 2, false);
}

int
wa_reg_move_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body UNUSED)
{
	return get_move(r, a, 0, 0);
}

void
wa_reg_move_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	put_move(w, rec, 0, 0, true);
}

/* Offset, header, width: the width is behind the header it belongs to. */
int
wa_stack_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	struct of_act_sub *s = of_act_put(r->acts, a->kind, a->form, sizeof *s);
	unsigned header, ofs, n_bits;

	if (need(r, 14))
		return -1;
	ofs = take16(r);
	header = wire_u16(r->p) == 0xffff ? 8 : 4;
	n_bits = wire_u16(body + 2 + header);
	if (get_sub(r, ofs, n_bits, &s->sub))
		return -1;
	r->p += 2;
	return at_end(r);
}

void
wa_stack_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_sub *s = (const void *)rec;
	size_t start = w->buf->len;

	add16(w, s->sub.ofs);
	put_sub_header(w, &s->sub, true);
	add16(w, s->sub.n_bits);
	wire_add(w->buf, 14 - (w->buf->len - start));
}

/* --- Lists -------------------------------------------------------------------------------------- */

int
wa_dec_ttl_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	if ((size_t)(r->end - body) != (a->msg_form == OFMF_NX ? 6u : 4u))
		return wire_bad(r, OFE_BAC_BAD_LEN, "%zu bytes after the action's header", wire_left(r));
	of_act_put(r->acts, OFA_DEC_NW_TTL, a->form, sizeof(struct of_act_ids));
	return 0;
}

void
wa_dec_ttl_put(struct wire_wr *w, const struct wire_act *a, const struct of_act *rec UNUSED)
{
	wire_add(w->buf, a->msg_form == OFMF_NX ? 6 : 4);
}

int
wa_dec_ttl_ids_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	struct of_act_ids *ids;
	unsigned n;

	if (need(r, 6))
		return -1;
	n = take16(r);
	if (!n || 2 * n > (size_t)(r->end - body) - 6)
		return wire_bad(r, OFE_BAC_BAD_LEN, "%u controllers in %zu bytes", n, (size_t)(r->end - body));
	ids = of_act_put(r->acts, OFA_DEC_NW_TTL, a->form, sizeof *ids + 2 * n);
	ids->n = (uint16_t)n;
	r->p = body + 6;
	for (unsigned i = 0; i < n; i++)
		ids->id[i] = take16(r);
	return 0;
}

void
wa_dec_ttl_ids_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_ids *ids = (const void *)rec;

	add16(w, ids->n);
	wire_add(w->buf, 4);
	for (unsigned i = 0; i < ids->n; i++)
		add16(w, ids->id[i]);
}

int
wa_bundle_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	bool load = a->code[OF10] == 13;
	struct of_act_bundle *b;
	uint32_t slave_type;
	unsigned n;

	if (need(r, 22))
		return -1;
	slave_type = wire_u32(body + 6);
	n = wire_u16(body + 10);
	if (slave_type != NXM_IN_PORT || n > BUNDLE_MAX)
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "%u members of type %#x", n, slave_type);
	if (2 * n > (size_t)(r->end - body) - 22)
		return wire_bad(r, OFE_BAC_BAD_LEN, "%u members in %zu bytes", n, (size_t)(r->end - body));
	b = of_act_put(r->acts, OFA_BUNDLE, a->form, sizeof *b + n * sizeof b->port[0]);
	b->algorithm = wire_u16(body);
	b->fields = wire_u16(body + 2);
	b->basis = wire_u16(body + 4);
	b->n = (uint16_t)n;
	if (load) {
		unsigned ofs_nbits = wire_u16(body + 12);

		r->p = body + 14;
		if (get_sub(r, ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1, &b->dst))
			return -1;
	}
	r->p = body + 22;
	for (unsigned i = 0; i < n; i++)
		b->port[i] = wire_port_from16(take16(r));
	return 0;
}

void
wa_bundle_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_bundle *b = (const void *)rec;
	size_t start = w->buf->len;
	uint8_t *p = wire_add(w->buf, 12);

	wire_store(p, 2, b->algorithm);
	wire_store(p + 2, 2, b->fields);
	wire_store(p + 4, 2, b->basis);
	wire_store(p + 6, 4, NXM_IN_PORT);
	wire_store(p + 10, 2, b->n);
	if (b->dst.n_bits) {
		add16(w, (unsigned)b->dst.ofs << 6 | (b->dst.n_bits - 1u));
		put_sub_header(w, &b->dst, true);
	}
	wire_add(w->buf, 22 - (w->buf->len - start));
	for (unsigned i = 0; i < b->n; i++)
		add16(w, wire_port_to16(b->port[i]));
}

int
wa_note_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	size_t n = (size_t)(r->end - body);
	struct of_act_note *note;

	if (sizeof *note + n > 0xfff8)
		return wire_bad(r, OFE_BAC_TOO_MANY, "note of %zu bytes", n);
	note = of_act_put(r->acts, OFA_NOTE, a->form, sizeof *note + n);
	note->n = (uint16_t)n;
	memcpy(note->data, body, n);
	return 0;
}

void
wa_note_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_note *note = (const void *)rec;

	memcpy(wire_add(w->buf, MAX_OF(note->n, 6u)), note->data, note->n);
}

int
wa_clone_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	uint32_t at = of_act_nest_begin(r->acts, OFA_CLONE, a->form);

	r->p = body + 6;
	r->depth++;
	if (wire_get_act_list(r, r->end))
		return -1;
	r->depth--;
	if (r->acts->len - at > OF_ACTS_MAX)
		return wire_bad(r, OFE_BAC_TOO_MANY, "more actions than %u bytes", (unsigned)OF_ACTS_MAX);
	of_act_nest_end(r->acts, at);
	return 0;
}

void
wa_clone_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	wire_add(w->buf, 6);
	wire_put_nested(w, of_acts_nested(rec));
}

/* --- CONTROLLER2 -------------------------------------------------------------------------------- */

enum { C2_MAX_LEN, C2_CONTROLLER_ID, C2_REASON, C2_USERDATA, C2_PAUSE, C2_METER_ID };

static int
get_c2_prop(struct wire_rd *r, struct of_act_controller *c, const uint8_t *p, size_t len, const uint8_t **userdata)
{
	static const uint8_t min[] = { 2, 2, 1, 0, 0, 4 };
	unsigned type = wire_u16(p);

	if (type >= ARRAY_SIZE(min))
		return wire_bad(r, OFE_BPC_BAD_TYPE, "property %u", type);
	if (len - 4 < min[type])
		return wire_bad(r, OFE_BPC_BAD_LEN, "property %u of %zu bytes", type, len);
	p += 4;
	switch (type) {
	case C2_MAX_LEN:
		c->max_len = wire_u16(p);
		break;
	case C2_CONTROLLER_ID:
		c->controller_id = wire_u16(p);
		break;
	case C2_REASON:
		c->reason = *p;
		break;
	case C2_USERDATA:
		*userdata = p;
		c->userdata_len = (uint16_t)(len - 4);
		break;
	case C2_PAUSE:
		c->pause = true;
		break;
	case C2_METER_ID:
		c->meter_id = wire_u32(p);
		break;
	}
	return 0;
}

int
wa_controller2_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	struct of_act_controller c = { .max_len = 0xffff, .reason = OFPR_ACTION }, *rec;
	const uint8_t *userdata = NULL;

	for (r->p = body + 6; r->p < r->end;) {
		size_t len, padded;

		if (wire_left(r) < 4)
			return wire_bad(r, OFE_BPC_BAD_LEN, "property: %zu bytes are left", wire_left(r));
		len = wire_u16(r->p + 2);
		padded = (len + 7) & ~(size_t)7;
		if (len < 4 || padded > wire_left(r))
			return wire_bad(r, OFE_BPC_BAD_LEN, "property of %zu bytes, %zu are left", len, wire_left(r));
		if (get_c2_prop(r, &c, r->p, len, &userdata))
			return -1;
		r->p += padded;
	}
	rec = of_act_put(r->acts, OFA_CONTROLLER, a->form, sizeof *rec + c.userdata_len);
	c.h = rec->h;
	memcpy(rec, &c, sizeof c);
	if (userdata)
		memcpy(rec->userdata, userdata, c.userdata_len);
	return 0;
}

static void
put_c2_prop(struct wire_wr *w, unsigned type, unsigned width, uint32_t value)
{
	size_t start = w->buf->len;
	uint8_t *p = wire_add(w->buf, 4 + (width == 2 ? 4 : width));

	wire_store(p, 2, type);
	wire_store(p + 2, 2, 4u + (width == 2 ? 4 : width));
	if (width)
		wire_store(p + 4, width, value);
	wire_pad8(w->buf, start);
}

void
wa_controller2_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_controller *c = (const void *)rec;
	size_t start;
	uint8_t *p;

	wire_add(w->buf, 6);
	if (c->max_len != 0xffff)
		put_c2_prop(w, C2_MAX_LEN, 2, c->max_len);
	if (c->controller_id)
		put_c2_prop(w, C2_CONTROLLER_ID, 2, c->controller_id);
	if (c->reason != OFPR_ACTION)
		put_c2_prop(w, C2_REASON, 1, c->reason);
	if (c->userdata_len) {
		start = w->buf->len;
		p = wire_add(w->buf, 4u + c->userdata_len);
		wire_store(p, 2, C2_USERDATA);
		wire_store(p + 2, 2, 4u + c->userdata_len);
		memcpy(p + 4, c->userdata, c->userdata_len);
		wire_pad8(w->buf, start);
	}
	if (c->pause)
		put_c2_prop(w, C2_PAUSE, 0, 0);
	if (c->meter_id)
		put_c2_prop(w, C2_METER_ID, 4, c->meter_id);
}

/* --- LEARN -------------------------------------------------------------------------------------- */

enum { LEARN_N_BITS = 0x3ff, LEARN_DST_SHIFT = 11, LEARN_SRC_VALUE = 1 << 13 };

static int
get_spec_sub(struct wire_rd *r, unsigned n_bits, struct of_sub *sub)
{
	unsigned header;

	if (need(r, 6))
		return -1;
	header = wire_u16(r->p) == 0xffff ? 8 : 4;
	if (need(r, header + 2) || get_sub(r, wire_u16(r->p + header), n_bits, sub))
		return -1;
	r->p += 2;
	return 0;
}

static int
get_spec_value(struct wire_rd *r, struct of_learn_spec *s)
{
	unsigned wire = 2 * ((s->n_bits + 15u) / 16), bytes = (s->n_bits + 7u) / 8;

	if (need(r, wire))
		return -1;
	memcpy(s->value + 16 - bytes, r->p + wire - bytes, bytes);
	if (s->n_bits & 7)
		s->value[16 - bytes] &= (uint8_t)((1u << (s->n_bits & 7)) - 1);
	r->p += wire;
	return 0;
}

static int
get_spec(struct wire_rd *r, uint16_t header, struct of_learn_spec *s)
{
	unsigned n_bits = header & LEARN_N_BITS;

	s->src_type = header & LEARN_SRC_VALUE ? OF_LEARN_SRC_VALUE : OF_LEARN_SRC_FIELD;
	s->dst_type = header >> LEARN_DST_SHIFT & 3;
	if (header & ~(LEARN_N_BITS | LEARN_SRC_VALUE | 3 << LEARN_DST_SHIFT) || s->dst_type > OF_LEARN_DST_OUTPUT ||
	    (s->dst_type == OF_LEARN_DST_OUTPUT && s->src_type == OF_LEARN_SRC_VALUE) || !n_bits || n_bits > 128)
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "learn: %#x", header);
	s->n_bits = (uint8_t)n_bits;
	if (s->src_type == OF_LEARN_SRC_FIELD ? get_spec_sub(r, n_bits, &s->src) : get_spec_value(r, s))
		return -1;
	return s->dst_type == OF_LEARN_DST_OUTPUT ? 0 : get_spec_sub(r, n_bits, &s->dst);
}

static int
get_specs(struct wire_rd *r, uint32_t at)
{
	struct of_act_learn *l = (void *)(r->acts->data + at);
	size_t len = offsetof(struct of_act_learn, spec);
	uint32_t n = 0;

	while (wire_left(r) >= 2) {
		struct of_learn_spec s = { .pad = 0 };
		uint16_t header = take16(r);

		if (!header)
			break;
		if (get_spec(r, header, &s))
			return -1;
		len += sizeof s;
		if (len > OF_ACTS_MAX)
			return wire_bad(r, OFE_BAC_TOO_MANY, "learn: %u members", n);
		l = wire_act_grow(r->acts, at, len);
		memcpy(&l->spec[n++], &s, sizeof s);
	}
	l->n_specs = n;
	return at_end(r);
}

int
wa_learn_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	uint32_t at = r->acts->len;
	struct of_act_learn *l = of_act_put(r->acts, OFA_LEARN, a->form, offsetof(struct of_act_learn, spec));
	bool two = a->form == OFA_FORM_NX2;

	if (need(r, two ? 30 : 22))
		return -1;
	l->idle = take16(r);
	l->hard = take16(r);
	l->priority = take16(r);
	l->cookie = wire_load(body + 6, 8);
	l->flags = wire_u16(body + 14);
	l->table = body[16];
	l->fin_idle = wire_u16(body + 18);
	l->fin_hard = wire_u16(body + 20);
	if (body[17] || l->table == 0xff || (l->flags & ~(two ? 7 : 3)))
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "learn: table %u, flags %#x", l->table, l->flags);
	r->p = body + 22;
	if (two) {
		unsigned ofs = wire_u16(body + 26);

		l->limit = wire_u32(body + 22);
		r->p = body + 30;
		if (l->flags & OF_LEARN_WRITE_RESULT && get_sub(r, ofs, 1, &l->result))
			return -1;
	}
	return get_specs(r, at);
}

static void
put_spec(struct wire_wr *w, const struct of_learn_spec *s)
{
	unsigned wire = 2 * ((s->n_bits + 15u) / 16);

	add16(w, s->n_bits | (unsigned)s->dst_type << LEARN_DST_SHIFT |
	      (s->src_type == OF_LEARN_SRC_VALUE ? LEARN_SRC_VALUE : 0u));
	if (s->src_type == OF_LEARN_SRC_VALUE) {
		memcpy(wire_add(w->buf, wire), s->value + 16 - wire, wire);
	} else {
		put_sub_header(w, &s->src, true);
		add16(w, s->src.ofs);
	}
	if (s->dst_type != OF_LEARN_DST_OUTPUT) {
		put_sub_header(w, &s->dst, true);
		add16(w, s->dst.ofs);
	}
}

void
wa_learn_put(struct wire_wr *w, const struct wire_act *a, const struct of_act *rec)
{
	const struct of_act_learn *l = (const void *)rec;
	bool two = a->form == OFA_FORM_NX2;
	uint8_t *p = wire_add(w->buf, two ? 30 : 22);

	wire_store(p, 2, l->idle);
	wire_store(p + 2, 2, l->hard);
	wire_store(p + 4, 2, l->priority);
	wire_store(p + 6, 8, l->cookie);
	wire_store(p + 14, 2, l->flags);
	p[16] = l->table;
	wire_store(p + 18, 2, l->fin_idle);
	wire_store(p + 20, 2, l->fin_hard);
	if (two) {
		wire_store(p + 22, 4, l->limit);
		wire_store(p + 26, 2, l->result.ofs);
		if (l->flags & OF_LEARN_WRITE_RESULT)
			put_sub_header(w, &l->result, true);
	}
	for (uint32_t i = 0; i < l->n_specs; i++)
		put_spec(w, &l->spec[i]);
}
