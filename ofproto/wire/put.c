/* SPDX-License-Identifier: Apache-2.0 */
/* Writes structures by their layouts.  Lengths that do not fit their 16 bits are an error of the message. */
#include <errno.h>

#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

static void
failed(struct wire_wr *w, int error)
{
	if (!w->error)
		w->error = error;
}

static uint64_t
native_load(const uint8_t *p, unsigned n)
{
	switch (n) {
	case 1:
		return *p;
	case 2:
		return *(const uint16_t *)(const void *)p;
	case 4:
		return *(const uint32_t *)(const void *)p;
	default:
		return *(const uint64_t *)(const void *)p;
	}
}

static void
put_len(struct wire_wr *w, size_t at, size_t len)
{
	if (len > 0xffff)
		failed(w, -EMSGSIZE);
	wire_store(wire_at(w, at), 2, len);
}

static uint64_t
put_bits(const struct wire_map *m, uint64_t native)
{
	uint64_t wire = native & m->same;

	for (unsigned i = 0; i < m->n_put; i++)
		if (native >> m->pair[i][1] & 1)
			wire |= 1ull << m->pair[i][0];
	return wire;
}

static uint64_t
put_value(const struct wire_map *m, uint64_t native)
{
	for (unsigned i = 0; i < m->n_put; i++)
		if (m->pair[i][1] == native)
			return m->pair[i][0];
	return native;
}

/* --- Fixed members ------------------------------------------------------------------------------ */

static void
put_port(const struct wire_step *s, uint8_t *p, const uint8_t *native)
{
	uint32_t port = *(const uint32_t *)(const void *)native;

	if (s->op == WO_PORT_BE)
		port = host32(port);
	wire_store(p, s->width, s->width == 2 ? wire_port_to16(port) : port);
}

static void
put_str(const struct wire_step *s, uint8_t *p, const uint8_t *native)
{
	memcpy(p, native, strnlen((const char *)native, MIN_OF(s->width - 1u, s->native)));
}

static void
put_sub(struct wire_wr *w, uint8_t *p, const struct of_sub *sub)
{
	const struct of_field_code *c;

	if (!sub->n_bits)
		return;
	c = wire_field_code(sub->field, w->version, true);
	if (!c || c->class == 0xffff) {
		failed(w, -ENOTSUP);
		return;
	}
	wire_store(p, 2, (unsigned)sub->ofs << 6 | (sub->n_bits - 1u));
	wire_store(p + 2, 4, (uint32_t)c->class << 16 | (uint32_t)c->code << 9 |
		   (of_field_info[sub->field].flags & OF_FIELD_VARIABLE ? (unsigned)OF_FIELD_VAR_LEN : c->len));
}

static void
put_fixed(struct wire_wr *w, const struct wire_step *s, size_t at, const uint8_t *native)
{
	uint8_t *p = wire_at(w, at);
	uint64_t v;

	switch (s->op) {
	case WO_UINT:
	case WO_UINT_MAX:
		wire_store(p, s->width, native_load(native, s->native));
		break;
	case WO_UINT_ADD:
		wire_store(p, s->width, native_load(native, s->native) + s->arg);
		break;
	case WO_PORT:
	case WO_PORT_BE:
		put_port(s, p, native);
		break;
	case WO_BYTES:
		memcpy(p, native, s->width);
		break;
	case WO_STR:
		put_str(s, p, native);
		break;
	case WO_BITS:
	case WO_VALUES:
		v = native_load(native, s->native);
		v = (s->op == WO_BITS ? put_bits : put_value)(wire_map[s->arg][w->layout], v);
		wire_store(p, s->width, v);
		break;
	case WO_CONST:
		wire_store(p, s->width, wire_const[s->arg]);
		break;
	case WO_SUB:
		put_sub(w, p, (const struct of_sub *)(const void *)native);
		break;
	case WO_MATCH10:
		w->match = (const struct omatch *)(const void *)native;
		wire_put_match10(p, w->match);
		break;
	case WO_MATCH10P:
		memcpy(&w->match, native, sizeof w->match);
		wire_put_match10(p, w->match);
		break;
	case WO_HOOK_AT:
		wire_hook[s->arg].put(w, at, native);
		break;
	}
}

/* --- What follows ------------------------------------------------------------------------------- */

static void
put_elements(struct wire_wr *w, const struct wire_layout *l, uint32_t n, const uint8_t *rows)
{
	for (uint32_t i = 0; i < n; i++)
		wire_put(w, l, rows + (size_t)i * l->native_size);
}

static void
put_match_step(struct wire_wr *w, const struct wire_step *s, size_t base, const uint8_t *native)
{
	bool nxm = s->op == WO_NXMATCH || s->op == WO_NXMATCHP || s->op == WO_NXMETA;
	size_t start = w->buf->len;

	if (s->op == WO_META) {
		memcpy(wire_add(w->buf, 4), "\0\1", 2);
		wire_put_meta(w, (const struct oflow *)(const void *)(native + s->member), false);
		put_len(w, start + 2, w->buf->len - start);
		wire_pad8(w->buf, start);
		return;
	}
	if (s->op == WO_NXMETA) {
		wire_put_meta(w, (const struct oflow *)(const void *)(native + s->member), true);
	} else {
		if (s->op == WO_MATCHP || s->op == WO_NXMATCHP)
			memcpy(&w->match, native + s->member, sizeof w->match);
		else
			w->match = (const struct omatch *)(const void *)(native + s->member);
		if (!nxm) {
			wire_put_match(w, w->match);
			return;
		}
		wire_put_oxm(w, w->match, true, s->count != 0xffff ? (const uint64_t *)(const void *)(native + s->count) : NULL);
	}
	put_len(w, base + s->at, w->buf->len - start);
	wire_pad8(w->buf, start);
}

static void
put_rest(struct wire_wr *w, const struct wire_step *s, size_t base, const uint8_t *native)
{
	const uint8_t *member = native + s->member;
	const struct of_data *d = (const void *)member;
	const struct of_rows *rows = (const void *)native;
	size_t start = w->buf->len;
	const uint8_t *array;

	switch (s->op) {
	case WO_SKIP:
		wire_add(w->buf, s->width);
		break;
	case WO_ACTS:
		wire_put_acts(w, *(const struct of_acts *)(const void *)member);
		break;
	case WO_INSTR:
		wire_put_instr(w, *(const struct of_acts *)(const void *)member);
		break;
	case WO_DATA:
		if (d->len)
			memcpy(wire_add(w->buf, d->len), d->data, d->len);
		break;
	case WO_LIST:
		memcpy(&array, member, sizeof array);
		put_elements(w, wire_struct[s->arg][w->layout], *(const uint32_t *)(const void *)(native + s->count), array);
		break;
	case WO_ROWS:
		put_elements(w, wire_struct[s->arg][w->layout], rows->n, rows->rows);
		break;
	case WO_PROPS:
		wire_put_props(w, &wire_props[s->arg], native);
		break;
	case WO_HOOK:
		wire_hook[s->arg].put(w, base, native);
		break;
	case WO_ONE:
		wire_put(w, wire_struct[s->arg][w->layout], member);
		break;
	default:
		put_match_step(w, s, base, native);
		return;
	}
	if (s->at != 0xffff)
		put_len(w, base + s->at, w->buf->len - start);
}

void
wire_put(struct wire_wr *w, const struct wire_layout *l, const void *native_)
{
	static const uint8_t nothing;
	const uint8_t *native = native_ ? native_ : &nothing;   /* Some messages have no body. */
	size_t base = w->buf->len;

	wire_add(w->buf, l->fixed);
	for (unsigned i = 0; i < l->n_steps; i++) {
		const struct wire_step *s = &l->steps[i];

		if (s->op < WO_SKIP)
			put_fixed(w, s, base + s->at, native + s->member);
		else
			put_rest(w, s, base, native);
	}
	if (l->len_at != 0xff)
		put_len(w, base + l->len_at, w->buf->len - base);
}

/* --- Properties --------------------------------------------------------------------------------- */

static bool
wanted(const struct wire_prop *p, const uint8_t *native)
{
	uint64_t v, none = (uint64_t)(int16_t)p->value;

	if (p->cond == WC_ALWAYS || p->cond == WC_NEVER)
		return p->cond == WC_ALWAYS;
	v = native_load(native + p->member, p->native);
	if (p->native < 8)
		none &= (1ull << 8 * p->native) - 1;
	return v != none;
}

void
wire_put_props(struct wire_wr *w, const struct wire_props *props, const void *native)
{
	for (unsigned i = 0; i < props->n; i++) {
		const struct wire_prop *p = &props->prop[i];
		size_t start = w->buf->len;

		if (!(p->layouts >> w->layout & 1) || !wanted(p, native))
			continue;
		wire_put(w, p->layout, native);
		wire_store(wire_at(w, start), 2, p->type);
		put_len(w, start + 2, w->buf->len - start);
		wire_pad8(w->buf, start);
	}
}
