/* SPDX-License-Identifier: Apache-2.0 */
/* SET_FIELD in all its guises: OXM's own, Nicira's REG_LOAD, REG_LOAD2 and SET_TUNNEL, the set actions of 1.0 and 1.1. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

wire_act_get_fn wa_set_nw_tos_get, wa_set_mpls_label_get, wa_set_field_get, wa_reg_load_get, wa_reg_load2_get,
	wa_set_tunnel_get, wa_set_tunnel64_get;
wire_act_put_fn wa_set_nw_tos_put, wa_set_mpls_label_put, wa_set_field_put, wa_reg_load_put, wa_reg_load2_put,
	wa_set_tunnel_put, wa_set_tunnel64_put;

static struct of_act_set_field *
put_record(struct wire_rd *r, const struct wire_act *a, enum of_field f)
{
	struct of_act_set_field *s = of_act_put(r->acts, OFA_SET_FIELD, a->form, sizeof *s);

	s->field = (uint8_t)f;
	of_field_full_mask(f, s->mask);
	return s;
}

static int
body_len(struct wire_rd *r, const uint8_t *body, size_t want)
{
	if ((size_t)(r->end - body) == want)
		return 0;
	return wire_bad(r, OFE_BAC_BAD_LEN, "%zu bytes after the action's header", (size_t)(r->end - body));
}

/* --- Of a fixed field --------------------------------------------------------------------------- */

int
wa_set_nw_tos_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	if (body_len(r, body, 4))
		return -1;
	if (body[0] & 3)
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "tos %#x: ECN is not in it", body[0]);
	put_record(r, a, OFF_IP_DSCP)->value[0] = body[0] >> 2;
	return 0;
}

void
wa_set_nw_tos_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	wire_add(w->buf, 4)[0] = (uint8_t)(((const struct of_act_set_field *)(const void *)rec)->value[0] << 2);
}

int
wa_set_mpls_label_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	unsigned pad = a->msg_form == OFMF_NX ? 2 : 0;
	uint32_t label;

	if (body_len(r, body, pad + 4))
		return -1;
	label = wire_u32(body + pad);
	if (label > 0xfffff)
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "label %u", label);
	memcpy(put_record(r, a, OFF_MPLS_LABEL)->value, body + pad + 1, 3);
	return 0;
}

void
wa_set_mpls_label_put(struct wire_wr *w, const struct wire_act *a, const struct of_act *rec)
{
	unsigned pad = a->msg_form == OFMF_NX ? 2 : 0;

	memcpy(wire_add(w->buf, pad + 4) + pad + 1, ((const struct of_act_set_field *)(const void *)rec)->value, 3);
}

int
wa_set_tunnel_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	if (body_len(r, body, 6))
		return -1;
	memcpy(put_record(r, a, OFF_TUN_ID)->value + 4, body + 2, 4);
	return 0;
}

void
wa_set_tunnel_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	memcpy(wire_add(w->buf, 6) + 2, ((const struct of_act_set_field *)(const void *)rec)->value + 4, 4);
}

int
wa_set_tunnel64_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	if (body_len(r, body, 14))
		return -1;
	memcpy(put_record(r, a, OFF_TUN_ID)->value, body + 6, 8);
	return 0;
}

void
wa_set_tunnel64_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	memcpy(wire_add(w->buf, 14) + 6, ((const struct of_act_set_field *)(const void *)rec)->value, 8);
}

/* --- Of a field named by its header ------------------------------------------------------------- */

/* Mask bits beyond the field's width say nothing. */
static int
get_set_mask(struct wire_rd *r, const struct of_field_code *c, const uint8_t *wire, struct of_act_set_field *s)
{
	unsigned bytes = of_field_bytes(c->field);
	uint8_t full[OF_VALUE_MAX];

	memcpy(full, s->mask, bytes);
	if (of_field_info[c->field].flags & OF_FIELD_VARIABLE) {
		uint8_t mask[OF_VALUE_MAX];

		wire_value_get(c, wire, mask);
		for (unsigned i = 0; i < bytes; i++) {
			s->mask[i] = mask[i];
			if (s->value[i] & ~mask[i])
				return wire_bad(r, OFE_BAC_BAD_SET_ARGUMENT, "%s has bits outside its mask", of_field_info[c->field].name);
		}
		s->masked = memcmp(s->mask, full, bytes) != 0;
		return 0;
	}
	if (c->len < bytes) {
		if (wire_u16(wire) != 0xffff)
			return wire_bad(r, OFE_BAC_BAD_SET_MASK, "part of a port number");
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++) {
		s->mask[i] = wire[c->len - bytes + i] & full[i];
		if (s->value[i] & ~s->mask[i])
			return wire_bad(r, OFE_BAC_BAD_SET_ARGUMENT, "%s has bits outside its mask", of_field_info[c->field].name);
	}
	s->masked = memcmp(s->mask, full, bytes) != 0;
	return 0;
}

/* An entry of OXM, then zeroes. */
static int
get_set(struct wire_rd *r, const struct wire_act *a, const uint8_t *body, bool may_mask)
{
	struct of_act_set_field *s;
	const struct of_field_code *c;
	unsigned len;
	bool masked;

	r->p = body;
	c = wire_get_header(r, &masked);
	if (!c)
		return -1;
	len = (masked ? 2u : 1u) * c->len;
	if (wire_left(r) < len || wire_left(r) - len >= 8)
		return wire_bad(r, OFE_BAC_BAD_SET_LEN, "%s", of_field_info[c->field].name);
	if (masked && !may_mask)
		return wire_bad(r, OFE_BAC_BAD_SET_MASK, "%s", of_field_info[c->field].name);
	for (const uint8_t *p = r->p + len; p < r->end; p++)
		if (*p)
			return wire_bad(r, OFE_BAC_BAD_SET_ARGUMENT, "padding is not zero");
	s = put_record(r, a, c->field);
	if (!wire_value_get(c, r->p, s->value))
		return wire_bad(r, OFE_BAC_BAD_SET_ARGUMENT, "%s is beyond its width", of_field_info[c->field].name);
	return masked ? get_set_mask(r, c, r->p + c->len, s) : 0;
}

static void
put_set(struct wire_wr *w, const struct of_act_set_field *s, bool nxm)
{
	const struct of_field_code *c = wire_field_code(s->field, w->version, nxm);
	uint8_t *p;

	c = wire_field_fit(c, s->value, s->masked ? s->mask : NULL);
	wire_put_header(w->buf, c, s->masked);
	p = wire_add(w->buf, (s->masked ? 2u : 1u) * c->len);
	wire_value_put(c, s->value, p);
	if (s->masked)
		wire_value_put(c, s->mask, p + c->len);
}

int
wa_set_field_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	return get_set(r, a, body, r->version >= OF15);
}

void
wa_set_field_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	put_set(w, (const struct of_act_set_field *)(const void *)rec, false);
}

int
wa_reg_load2_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	return get_set(r, a, body, true);
}

void
wa_reg_load2_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	put_set(w, (const struct of_act_set_field *)(const void *)rec, true);
}

/* --- REG_LOAD ----------------------------------------------------------------------------------- */

/* Sets bits [ofs, ofs + n) of a number of 'len' bytes to the low ones of 'v'. */
static void
bits_put(uint8_t *p, unsigned len, unsigned ofs, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++, v >>= 1) {
		uint8_t bit = (uint8_t)(1u << ((ofs + i) & 7));

		if (v & 1)
			p[len - 1 - (ofs + i) / 8] |= bit;
		else
			p[len - 1 - (ofs + i) / 8] &= (uint8_t)~bit;
	}
}

static bool
bit_get(const uint8_t *p, unsigned len, unsigned i)
{
	return p[len - 1 - i / 8] >> (i & 7) & 1;
}

/* The run of ones that a mask is; false: it is none, or longer than 64. */
static bool
mask_run(const struct of_act_set_field *s, unsigned *ofs, unsigned *n)
{
	unsigned bytes = of_field_bytes(s->field), bits = of_field_info[s->field].bits, i = 0;

	while (i < bits && !bit_get(s->mask, bytes, i))
		i++;
	*ofs = i;
	while (i < bits && bit_get(s->mask, bytes, i))
		i++;
	*n = i - *ofs;
	while (i < bits && !bit_get(s->mask, bytes, i))
		i++;
	return i == bits && *n && *n <= 64;
}

int
wa_reg_load_get(struct wire_rd *r, const struct wire_act *a, const uint8_t *body)
{
	struct of_act_set_field *s;
	const struct of_field_code *c;
	unsigned ofs, n, bytes;
	uint64_t value;
	bool masked;

	if (body_len(r, body, 14))
		return -1;
	r->p = body + 2;
	c = wire_get_header(r, &masked);
	if (!c)
		return -1;
	ofs = wire_u16(body) >> 6;
	n = (wire_u16(body) & 0x3f) + 1u;
	if (masked || c->class == 0xffff)
		return wire_bad(r, OFE_BAC_BAD_SET_TYPE, "%s", of_field_info[c->field].name);
	if (ofs + n > MIN_OF(of_field_info[c->field].bits, 8u * c->len))
		return wire_bad(r, OFE_BAC_BAD_SET_LEN, "%s[%u..%u]", of_field_info[c->field].name, ofs, ofs + n - 1);
	value = wire_load(body + 6, 8);
	if (n < 64 && value >> n)
		return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "%s of %u bits", of_field_info[c->field].name, n);
	s = put_record(r, a, c->field);
	bytes = of_field_bytes(c->field);
	if (c->len < bytes && c->field == OFF_IN_PORT) {        /* NXM's. */
		if (n != 16)
			return wire_bad(r, OFE_BAC_BAD_SET_LEN, "part of a port number");
		wire_store(s->value, 4, wire_port_from16((uint16_t)value));
		return 0;
	}
	memset(s->mask, 0, bytes);
	bits_put(s->value, bytes, ofs, n, value);
	bits_put(s->mask, bytes, ofs, n, ~0ull);
	s->masked = n != of_field_info[c->field].bits;
	return 0;
}

void
wa_reg_load_put(struct wire_wr *w, const struct wire_act *a UNUSED, const struct of_act *rec)
{
	const struct of_act_set_field *s = (const struct of_act_set_field *)(const void *)rec;
	const struct of_field_code *c = wire_field_code(s->field, w->version, true);
	unsigned bytes = of_field_bytes(s->field), ofs, n;
	uint64_t value = 0;
	uint8_t *p;

	mask_run(s, &ofs, &n);
	for (unsigned i = n; i--;)
		value = value << 1 | bit_get(s->value, bytes, ofs + i);
	if (c->len < bytes) {
		ofs = 0;
		n = 16;
		value = wire_port_to16((uint32_t)value);
	}
	if (of_field_info[s->field].flags & OF_FIELD_VARIABLE)
		c = of_field_code_sized(c, OF_FIELD_VAR_LEN);
	wire_store(wire_add(w->buf, 2), 2, ofs << 6 | (n - 1));
	wire_put_header(w->buf, c, false);
	p = wire_add(w->buf, 8);
	wire_store(p, 8, value);
}

/* --- Choosing ----------------------------------------------------------------------------------- */

static uint32_t
low_value(const struct of_act_set_field *s)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < of_field_bytes(s->field); i++)
		v = v << 8 | s->value[i];
	return v;
}

/* What 1.0 and 1.1 have an action of its own for; kinds that are records of their own. */
static bool
put_as_record(struct wire_wr *w, const struct of_act_set_field *s)
{
	struct of_act_u32 u = { .h = { .form = OFA_FORM_1_1, .len = sizeof u }, .value = low_value(s) };

	switch ((enum of_field)s->field) {
	case OFF_VLAN_VID:
		u.h.kind = OFA_SET_VLAN_VID;
		u.value &= 0xfff;
		break;
	case OFF_VLAN_PCP:
		u.h.kind = OFA_SET_VLAN_PCP;
		break;
	case OFF_TCP_SRC:
	case OFF_UDP_SRC:
	case OFF_SCTP_SRC:
		u.h.kind = OFA_SET_TP_SRC;
		break;
	case OFF_TCP_DST:
	case OFF_UDP_DST:
	case OFF_SCTP_DST:
		u.h.kind = OFA_SET_TP_DST;
		break;
	case OFF_NW_TTL:
		if (w->version == OF10)
			return false;
		u.h.kind = OFA_SET_NW_TTL;
		u.h.form = OFA_FORM_STD;
		break;
	default:
		return false;
	}
	wire_put_act(w, &u.h);
	return true;
}

static const struct wire_act *
old_row(const struct of_act_set_field *s, uint8_t version)
{
	for (unsigned i = 0; i < wire_act_of[OFA_SET_FIELD].n; i++) {
		const struct wire_act *a = &wire_act[wire_act_order[wire_act_of[OFA_SET_FIELD].first + i]];

		if ((a->form == OFA_FORM_1_0 || a->form == OFA_FORM_1_1) && a->field == s->field && a->layouts >> version & 1)
			return a;
	}
	return NULL;
}

/* Only bare members that the two have in common. */
static void
put_old(struct wire_wr *w, const struct wire_act *a, const struct of_act_set_field *s)
{
	size_t start = wire_act_begin(w, a);
	unsigned bytes = of_field_bytes(s->field);

	if (a->hook)
		wire_act_hook[a->hook].put(w, a, &s->h);
	else
		memcpy(wire_add(w->buf, MAX_OF(bytes, 4u)), s->value, bytes);
	wire_act_end(w, start);
}

static enum of_act_form
best_form(const struct of_act_set_field *s, uint8_t version)
{
	unsigned ofs, n;
	bool run = mask_run(s, &ofs, &n), tunnel = s->field == OFF_TUN_ID && !s->masked;
	const struct of_field_code *c = wire_field_code(s->field, version, true);

	if (tunnel && s->h.form == OFA_FORM_NX_TUNNEL && !wire_load(s->value, 4))
		return OFA_FORM_NX_TUNNEL;
	if (tunnel && (s->h.form == OFA_FORM_NX_TUNNEL64 || s->h.form == OFA_FORM_NX_TUNNEL))
		return OFA_FORM_NX_TUNNEL64;
	run = run && c->class != 0xffff;
	if (version >= OF15)
		return OFA_FORM_STD;
	if (s->h.form == OFA_FORM_NX && run)
		return OFA_FORM_NX;
	if (s->h.form == OFA_FORM_NX || s->h.form == OFA_FORM_NX2)
		return OFA_FORM_NX2;
	if (version >= OF12 && !s->masked)
		return OFA_FORM_STD;
	return run ? OFA_FORM_NX : OFA_FORM_NX2;
}

void
wire_put_set_field(struct wire_wr *w, const struct of_act_set_field *s)
{
	bool nicira = s->h.form == OFA_FORM_NX || s->h.form == OFA_FORM_NX2 || s->h.form == OFA_FORM_NX_TUNNEL ||
		      s->h.form == OFA_FORM_NX_TUNNEL64;
	const struct wire_act *a = NULL;
	size_t start;

	if (w->version < OF12 && !nicira && !s->masked) {
		if (put_as_record(w, s))
			return;
		a = old_row(s, w->version);
		if (a) {
			put_old(w, a, s);
			return;
		}
	}
	a = wire_act_find(OFA_SET_FIELD, best_form(s, w->version), w->version);
	start = wire_act_begin(w, a);
	wire_act_hook[a->hook].put(w, a, &s->h);
	wire_act_end(w, start);
}
