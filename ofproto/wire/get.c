/* SPDX-License-Identifier: Apache-2.0 */
/* Reads structures by their layouts: bounds are checked once for each fixed part and for each list's element. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

static int
bad_len(struct wire_rd *r, const struct wire_layout *l, const char *what)
{
	return wire_bad(r, l->bad_len, "%s: %zu bytes are left", what, wire_left(r));
}

static inline void
native_store(uint8_t *p, unsigned n, uint64_t v)
{
	switch (n) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)(void *)p = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)(void *)p = (uint32_t)v;
		break;
	default:
		*(uint64_t *)(void *)p = v;
	}
}

/* --- Numbers that changed ----------------------------------------------------------------------- */

static int
get_bits(struct wire_rd *r, const struct wire_map *m, uint64_t wire, uint64_t *native)
{
	uint64_t known = m->same;

	*native = wire & m->same;
	for (unsigned i = 0; i < m->n; i++) {
		known |= 1ull << m->pair[i][0];
		if (wire >> m->pair[i][0] & 1)
			*native |= 1ull << m->pair[i][1];
	}
	if ((wire & ~known) && m->bad)
		return wire_bad(r, m->bad, "flags %#llx", (unsigned long long)wire);
	return 0;
}

static int
get_value(struct wire_rd *r, const struct wire_map *m, uint64_t wire, uint64_t *native)
{
	*native = wire;
	for (unsigned i = 0; i < m->n; i++)
		if (m->pair[i][0] == wire) {
			*native = m->pair[i][1];
			return 0;
		}
	if (wire >= m->same && m->bad)
		return wire_bad(r, m->bad, "value %llu", (unsigned long long)wire);
	return 0;
}

/* --- What follows the fixed part ---------------------------------------------------------------- */

/* Where a member of which the length is given ends; without: where the structure does.  NULL: beyond that. */
static const uint8_t *
member_end(const struct wire_rd *r, const struct wire_step *s, const uint8_t *base)
{
	size_t len;

	if (s->at == 0xffff)
		return r->end;
	len = wire_u16(base + s->at);
	return len <= wire_left(r) ? r->p + len : NULL;
}

/* The number of elements in the window, or -1. */
static int
count_elements(struct wire_rd *r, const struct wire_layout *l)
{
	const uint8_t *p = r->p;
	int n = 0;

	if (l->len_at == 0xff) {
		if (wire_left(r) % l->fixed)
			return bad_len(r, l, "list");
		return (int)(wire_left(r) / l->fixed);
	}
	for (; p < r->end; n++) {
		size_t len;

		if ((size_t)(r->end - p) < l->fixed)
			return bad_len(r, l, "element");
		len = wire_u16(p + l->len_at);
		if (len < l->fixed || len > (size_t)(r->end - p))
			return bad_len(r, l, "element");
		p += len;
	}
	return n;
}

/* Elements that do not say how long they are: the next one starts where the one before ended. */
static int
get_open_elements(struct wire_rd *r, const struct wire_layout *l, uint32_t *n_out, const void **array)
{
	uint32_t n = 0, cap = 0;
	uint8_t *rows = NULL;

	for (; r->p < r->end; n++) {
		if (n == cap) {
			uint8_t *more = of_arena_alloc(r->arena, (size_t)(cap ? 2 * cap : 2) * l->native_size);

			if (n)
				memcpy(more, rows, (size_t)n * l->native_size);
			cap = cap ? 2 * cap : 2;
			rows = more;
		}
		if (wire_get(r, l, rows + (size_t)n * l->native_size))
			return -1;
	}
	*n_out = n;
	*array = rows;
	return 0;
}

static int
get_elements(struct wire_rd *r, const struct wire_layout *l, uint32_t *n_out, const void **array)
{
	uint8_t *rows;
	int n;

	if (l->len_at == 0xff && l->n_steps && l->steps[l->n_steps - 1].op >= WO_SKIP)
		return get_open_elements(r, l, n_out, array);
	n = count_elements(r, l);
	if (n < 0)
		return -1;
	*n_out = (uint32_t)n;
	*array = NULL;
	if (!n)
		return 0;
	*array = rows = of_arena_alloc(r->arena, (size_t)n * l->native_size);
	for (int i = 0; i < n; i++)
		if (wire_get(r, l, rows + (size_t)i * l->native_size))
			return -1;
	return 0;
}

static int
get_list(struct wire_rd *r, const struct wire_step *s, const struct wire_layout *l, const uint8_t *base, uint8_t *native)
{
	const struct wire_layout *row = wire_struct[s->arg][r->layout];
	const uint8_t *end = member_end(r, s, base), *outer = r->end;
	struct of_rows *rows = (void *)native;
	const void *array;
	uint32_t n;
	int rc;

	if (!end)
		return bad_len(r, l, "list");
	r->end = end;
	rc = get_elements(r, row, &n, &array);
	r->end = outer;
	if (rc)
		return -1;
	if (s->op == WO_ROWS) {
		*rows = (struct of_rows){ .n = n, .row_size = row->native_size, .rows = array };
	} else {
		*(uint32_t *)(void *)(native + s->count) = n;
		memcpy(native + s->member, &array, sizeof array);
	}
	return 0;
}

static int
get_match_step(struct wire_rd *r, const struct wire_step *s, const struct wire_layout *l, const uint8_t *base, uint8_t *native)
{
	bool nxm = s->op == WO_NXMATCH || s->op == WO_NXMATCHP || s->op == WO_NXMETA;
	struct omatch *m;
	size_t len;
	int rc;

	if (s->op == WO_META || s->op == WO_NXMETA) {
		const uint8_t *p = r->p;

		if (nxm) {
			len = wire_u16(base + s->at);
		} else {
			if (wire_left(r) < 8 || wire_u16(p) != 1 || wire_u16(p + 2) < 4)
				return wire_bad(r, OFE_BMC_BAD_LEN, "match");
			len = wire_u16(p + 2) - 4u;
			p += 4;
		}
		if (((len + (size_t)(p - r->p) + 7) & ~(size_t)7) > wire_left(r))
			return wire_bad(r, OFE_BMC_BAD_LEN, "match");
		r->p += (len + (size_t)(p - r->p) + 7) & ~(size_t)7;
		return wire_get_meta(r, p, len, (struct oflow *)(void *)(native + s->member));
	}
	if (s->op == WO_MATCHP || s->op == WO_NXMATCHP) {
		m = of_arena_alloc(r->arena, sizeof *m);
		memcpy(native + s->member, &m, sizeof m);
	} else {
		m = (struct omatch *)(void *)(native + s->member);
	}
	if (!nxm)
		return wire_get_match(r, m);
	len = wire_u16(base + s->at);
	if (((len + 7) & ~(size_t)7) > wire_left(r))
		return bad_len(r, l, "match");
	rc = wire_get_oxm(r, r->p, len, m, s->count != 0xffff ? (uint64_t *)(void *)(native + s->count) : NULL);
	r->p += (len + 7) & ~(size_t)7;
	return rc;
}

static int
get_rest(struct wire_rd *r, const struct wire_step *s, const struct wire_layout *l, const uint8_t *base, uint8_t *native)
{
	const uint8_t *end;
	struct of_data *d;

	switch (s->op) {
	case WO_SKIP:
		if (wire_left(r) < s->width)
			return bad_len(r, l, "padding");
		r->p += s->width;
		return 0;
	case WO_ACTS:
		end = member_end(r, s, base);
		if (!end)
			return bad_len(r, l, "actions");
		return wire_get_acts(r, (size_t)(end - r->p), (struct of_acts *)(void *)(native + s->member));
	case WO_INSTR:
		return wire_get_instr(r, (struct of_acts *)(void *)(native + s->member));
	case WO_DATA:
		d = (struct of_data *)(void *)(native + s->member);
		*d = (struct of_data){ .data = r->p, .len = (uint32_t)wire_left(r) };
		r->p = r->end;
		return 0;
	case WO_LIST:
	case WO_ROWS:
		return get_list(r, s, l, base, native);
	case WO_PROPS:
		return wire_get_props(r, &wire_props[s->arg], native);
	case WO_HOOK:
		return wire_hook[s->arg].get(r, base, native);
	case WO_ONE:
		return wire_get(r, wire_struct[s->arg][r->layout], native + s->member);
	default:
		return get_match_step(r, s, l, base, native);
	}
}

/* --- Fixed members ------------------------------------------------------------------------------ */

static void
get_port(const struct wire_step *s, const uint8_t *p, uint8_t *native)
{
	uint32_t port = s->width == 2 ? wire_port_from16(wire_u16(p)) : wire_u32(p);

	if (s->op == WO_PORT_BE)
		port = be32(port);
	*(uint32_t *)(void *)native = port;
}

/* Cut where the native one is shorter; always terminated. */
static void
get_str(const struct wire_step *s, const uint8_t *p, uint8_t *native)
{
	size_t n = strnlen((const char *)p, MIN_OF(s->width, s->native - 1u));

	memcpy(native, p, n);
	native[n] = '\0';
}

/* NXM's subfield: offset and width, then the field's header. */
static int
get_sub(struct wire_rd *r, const uint8_t *p, struct of_sub *sub)
{
	uint32_t header = wire_u32(p + 2);
	const struct of_field_code *c = of_field_by_code((uint16_t)(header >> 16), (uint8_t)(header >> 9 & 0x7f), 0);
	unsigned ofs = wire_u16(p) >> 6, n_bits = (wire_u16(p) & 0x3f) + 1u;

	if (!c || header >> 8 & 1)
		return wire_bad(r, OFE_BAC_BAD_SET_TYPE, "field %#x", header);
	if (!of_field_code_sized(c, header & 0xff) || ofs + n_bits > of_field_info[c->field].bits)
		return wire_bad(r, OFE_BAC_BAD_SET_LEN, "%s[%u..%u]", of_field_info[c->field].name, ofs, ofs + n_bits - 1);
	*sub = (struct of_sub){ .field = c->field, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits };
	return 0;
}

static enum of_error_id
bad_value(const struct wire_rd *r, const struct wire_layout *l)
{
	if (r->acts)
		return OFE_BAC_BAD_ARGUMENT;
	return l->bad_len == OFE_BPC_BAD_LEN ? OFE_BPC_BAD_VALUE : OFE_RRFC_BAD_ROLE;
}

static int
get_fixed(struct wire_rd *r, const struct wire_step *s, const struct wire_layout *l, const uint8_t *p, uint8_t *native)
{
	uint64_t v;
	struct omatch *m;

	switch (s->op) {
	case WO_UINT_MAX:
		v = wire_load(p, s->width);
		if (v > s->arg)
			return wire_bad(r, bad_value(r, l), "%llu: at most %u", (unsigned long long)v, s->arg);
		native_store(native, s->native, v);
		return 0;
	case WO_UINT_ADD:
		native_store(native, s->native, wire_load(p, s->width) - s->arg);
		return 0;
	case WO_PORT:
	case WO_PORT_BE:
		get_port(s, p, native);
		return 0;
	case WO_BYTES:
		memcpy(native, p, s->width);
		return 0;
	case WO_STR:
		get_str(s, p, native);
		return 0;
	case WO_BITS:
	case WO_VALUES:
		v = wire_load(p, s->width);
		if ((s->op == WO_BITS ? get_bits : get_value)(r, wire_map[s->arg][r->layout], v, &v))
			return -1;
		native_store(native, s->native, v);
		return 0;
	case WO_SUB:
		return get_sub(r, p, (struct of_sub *)(void *)native);
	case WO_MATCH10P:
		m = of_arena_alloc(r->arena, sizeof *m);
		memcpy(native, &m, sizeof m);
		wire_get_match10(p, m);
		return 0;
	case WO_MATCH10:
		wire_get_match10(p, (struct omatch *)(void *)native);
		return 0;
	case WO_HOOK_AT:
		return wire_hook[s->arg].get(r, p, native);
	default:        /* WO_CONST */
		return 0;
	}
}

int
wire_get(struct wire_rd *r, const struct wire_layout *l, void *native_)
{
	const uint8_t *base = r->p, *outer = r->end;
	uint8_t nothing, *native = native_ ? native_ : &nothing;        /* Some messages have no body. */

	if (UNLIKELY(wire_left(r) < l->fixed))
		return bad_len(r, l, "message or structure");
	if (l->len_at != 0xff) {
		size_t len = wire_u16(base + l->len_at);

		if (len < l->fixed || len > wire_left(r))
			return bad_len(r, l, "structure");
		r->end = base + len;
	}
	r->p += l->fixed;
	for (unsigned i = 0; i < l->n_steps; i++) {
		const struct wire_step *s = &l->steps[i];
		int rc = 0;

		if (s->op == WO_UINT)
			native_store(native + s->member, s->native, wire_load(base + s->at, s->width));
		else if (s->op == WO_DEFAULT)
			native_store(native + s->member, s->native, (uint64_t)(int16_t)s->arg);
		else if (s->op < WO_SKIP)
			rc = get_fixed(r, s, l, base + s->at, native + s->member);
		else
			rc = get_rest(r, s, l, base, native);
		if (UNLIKELY(rc))
			return -1;
	}
	if (l->len_at != 0xff) {
		if (r->p != r->end)
			return bad_len(r, l, "structure");
		r->end = outer;
	}
	return 0;
}

/* --- Properties --------------------------------------------------------------------------------- */

static int
get_prop(struct wire_rd *r, const struct wire_prop *p, uint8_t *native)
{
	size_t len = wire_left(r);

	/* Small numbers come with and without their padding. */
	if (wire_get(r, p->layout, native))
		return -1;
	if (wire_left(r) && ((len + 7) & ~(size_t)7) != ((p->layout->fixed + 7u) & ~7u))
		return wire_bad(r, OFE_BPC_BAD_LEN, "property %u of %zu bytes", p->type, len);
	if (p->cond == WC_FLAG)
		native[p->member] = 1;
	return 0;
}

int
wire_get_props(struct wire_rd *r, const struct wire_props *props, void *native)
{
	const uint8_t *outer = r->end;
	uint64_t seen = 0;

	while (r->p < outer) {
		size_t len, padded;
		const uint8_t *next;
		uint16_t type;
		unsigned i;

		if (wire_left(r) < 4 || (len = wire_u16(r->p + 2)) < 4 || len > wire_left(r))
			return wire_bad(r, OFE_BPC_BAD_LEN, "property: %zu bytes are left", wire_left(r));
		type = wire_u16(r->p);
		padded = MIN_OF((len + 7) & ~(size_t)7, wire_left(r));
		if (padded & 7)
			return wire_bad(r, OFE_BPC_BAD_LEN, "property %u is not padded", type);
		next = r->p + padded;
		for (i = 0; i < props->n; i++)
			if (props->prop[i].type == type && props->prop[i].layouts >> r->layout & 1)
				break;
		if (i == props->n)
			return wire_bad(r, type == 0xffff ? OFE_BPC_BAD_EXPERIMENTER : OFE_BPC_BAD_TYPE, "property %u", type);
		if (seen >> i & 1)
			return wire_bad(r, OFE_BPC_DUP_TYPE, "property %u", type);
		seen |= 1ull << i;
		r->end = r->p + len;
		if (get_prop(r, &props->prop[i], native))
			return -1;
		r->end = outer;
		r->p = next;
	}
	return 0;
}
