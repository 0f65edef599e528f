/* SPDX-License-Identifier: Apache-2.0 */
/* Fills native structs by the codec's tables, and compares them; see fill.h. */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "tests/ofproto/wire/fill.h"
#include "tests/ofproto/wire/fill_priv.h"

uint32_t
fill_random(struct fill *f)
{
	f->seed = f->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(f->seed >> 33) ^ (uint32_t)(f->seed >> 12);
}

static void
random_bytes(struct fill *f, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)fill_random(f);
}

static void
store(uint8_t *p, unsigned n, uint64_t v)
{
	memcpy(p, &v, n);       /* Little-endian host. */
}

static uint64_t
load(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

uint32_t
fill_port(struct fill *f)
{
	static const uint32_t reserved[] = { 0xfffffff8, 0xfffffffa, 0xfffffffd, 0xfffffffe };

	if (f->tame)
		return 1 + fill_random(f) % 60;
	return fill_random(f) % 4 ? 1 + fill_random(f) % 65000 : reserved[fill_random(f) % 4];
}

struct of_data
fill_data(struct fill *f, unsigned max)
{
	uint32_t n = 1 + fill_random(f) % max;
	uint8_t *p = of_arena_alloc(f->arena, n);

	random_bytes(f, p, n);
	return (struct of_data){ p, n };
}

static uint64_t
known_bits(struct fill *f, const struct wire_map *m)
{
	uint64_t known = m->same;

	for (unsigned i = 0; i < m->n; i++)
		known |= 1ull << m->pair[i][1];
	return f->tame ? known & 0xb : fill_random(f) & known;
}

static uint64_t
known_value(struct fill *f, const struct wire_map *m)
{
	if (m->n)
		return m->pair[fill_random(f) % m->n][1];
	return fill_random(f) % m->same;
}

static void
fill_str(struct fill *f, char *p, unsigned size)
{
	unsigned n = 1 + fill_random(f) % (size - 1);

	for (unsigned i = 0; i < n; i++)
		p[i] = (char)('a' + fill_random(f) % 26);
	memset(p + n, 0, size - n);
}

void
fill_sub(struct fill *f, struct of_sub *s)
{
	static const uint8_t fields[] = { OFF_REG0, OFF_REG7, OFF_XXREG1, OFF_ETH_SRC, OFF_NW_DST, OFF_VLAN_TCI, OFF_TUN_ID };

	s->field = fields[fill_random(f) % ARRAY_SIZE(fields)];
	s->ofs = (uint8_t)(fill_random(f) % of_field_info[s->field].bits);
	s->n_bits = (uint8_t)(1 + fill_random(f) % MIN_OF(64u, (unsigned)of_field_info[s->field].bits - s->ofs));
}

static void
fill_list(struct fill *f, const struct wire_step *s, uint8_t *native)
{
	const struct wire_layout *l = wire_struct[s->arg][f->layout];
	uint32_t n = 1 + fill_random(f) % 3;
	uint8_t *rows = of_arena_alloc(f->arena, (size_t)n * l->native_size);

	for (uint32_t i = 0; i < n; i++)
		fill_layout(f, l, rows + i * l->native_size);
	if (s->op == WO_ROWS) {
		*(struct of_rows *)(void *)native = (struct of_rows){ n, l->native_size, rows };
	} else {
		store(native + s->count, 4, n);
		memcpy(native + s->member, &rows, sizeof rows);
	}
}

static void
fill_props(struct fill *f, const struct wire_props *props, uint8_t *native)
{
	for (unsigned i = 0; i < props->n; i++) {
		const struct wire_prop *p = &props->prop[i];

		if (!(p->layouts >> f->layout & 1) || p->cond == WC_NEVER)
			continue;
		if (p->cond == WC_FLAG)
			native[p->member] = 1;
		fill_layout(f, p->layout, native);
		if (p->cond == WC_UNLESS && !(load(native + p->member, p->native) - (uint64_t)(int16_t)p->value))
			native[p->member] ^= 1;         /* Else it would not be sent. */
	}
}

static void
fill_match_step(struct fill *f, const struct wire_step *s, uint8_t *native)
{
	bool nxm = s->op == WO_NXMATCH || s->op == WO_NXMATCHP;
	struct omatch *m = (struct omatch *)(void *)(native + s->member);

	if (s->op == WO_META || s->op == WO_NXMETA) {
		fill_meta(f, (struct oflow *)(void *)(native + s->member));
		return;
	}
	if (s->op == WO_MATCHP || s->op == WO_NXMATCHP || s->op == WO_MATCH10P) {
		m = of_arena_alloc(f->arena, sizeof *m);
		memcpy(native + s->member, &m, sizeof m);
	}
	fill_match(f, m, nxm);
	if (s->op == WO_NXMATCH && s->count != 0xffff) {
		uint64_t *cookie = (uint64_t *)(void *)(native + s->count);

		cookie[1] = fill_random(f) % 2 ? ~0ull : (uint64_t)fill_random(f) << 32 | 1;
		cookie[0] = fill_random(f) & cookie[1];
	}
}

static void
fill_step(struct fill *f, const struct wire_step *s, uint8_t *native)
{
	uint8_t *p = native + s->member;

	switch (s->op) {
	case WO_UINT:
		if (f->tame)
			store(p, s->native, s->width < 4 ? 1 : 1 + fill_random(f) % 50);
		else
			random_bytes(f, p, s->width);
		break;
	case WO_UINT_MAX:
		store(p, s->native, fill_random(f) % (s->arg + 1u));
		break;
	case WO_UINT_ADD:
		store(p, s->native, fill_random(f) % 200);
		break;
	case WO_PORT:
		store(p, 4, fill_port(f));
		break;
	case WO_PORT_BE:
		store(p, 4, be32(fill_port(f)));
		break;
	case WO_BYTES:
		random_bytes(f, p, s->width);
		break;
	case WO_STR:
		fill_str(f, (char *)p, MIN_OF(s->width, s->native));
		break;
	case WO_BITS:
		store(p, s->native, known_bits(f, wire_map[s->arg][f->layout]));
		break;
	case WO_VALUES:
		store(p, s->native, known_value(f, wire_map[s->arg][f->layout]));
		break;
	case WO_DEFAULT:
		store(p, s->native, (uint64_t)(int16_t)s->arg);
		break;
	case WO_SUB:
		fill_sub(f, (struct of_sub *)(void *)p);
		break;
	case WO_ACTS:
		*(struct of_acts *)(void *)p = fill_acts(f);
		break;
	case WO_INSTR:
		*(struct of_acts *)(void *)p = fill_program(f);
		break;
	case WO_DATA:
		*(struct of_data *)(void *)p = fill_data(f, 100);
		break;
	case WO_LIST:
	case WO_ROWS:
		fill_list(f, s, native);
		break;
	case WO_PROPS:
		fill_props(f, &wire_props[s->arg], native);
		break;
	case WO_ONE:
		fill_layout(f, wire_struct[s->arg][f->layout], p);
		break;
	case WO_HOOK_AT:
	case WO_HOOK:
		fill_hook(f, wire_hook[s->arg].get, native);
		break;
	case WO_CONST:
	case WO_SKIP:
		break;
	default:
		fill_match_step(f, s, native);
	}
}

void
fill_layout(struct fill *f, const struct wire_layout *l, void *native)
{
	for (unsigned i = 0; i < l->n_steps; i++)
		fill_step(f, &l->steps[i], native);
}

/* --- Comparison --------------------------------------------------------------------------------- */

static bool equal_layout(const struct wire_layout *l, uint8_t lv, const uint8_t *a, const uint8_t *b, char *where);

static bool
equal_rows(const struct wire_layout *l, uint8_t lv, uint32_t n, const uint8_t *a, const uint8_t *b, char *where)
{
	for (uint32_t i = 0; i < n; i++)
		if (!equal_layout(l, lv, a + i * l->native_size, b + i * l->native_size, where))
			return false;
	return true;
}

static bool
equal_list(const struct wire_step *s, uint8_t lv, const uint8_t *a, const uint8_t *b, char *where)
{
	const struct wire_layout *l = wire_struct[s->arg][lv];
	const uint8_t *ra, *rb;

	if (s->op == WO_ROWS) {
		const struct of_rows *x = (const void *)a, *y = (const void *)b;

		return x->n == y->n && equal_rows(l, lv, x->n, x->rows, y->rows, where);
	}
	memcpy(&ra, a + s->member, sizeof ra);
	memcpy(&rb, b + s->member, sizeof rb);
	return load(a + s->count, 4) == load(b + s->count, 4) &&
	       equal_rows(l, lv, (uint32_t)load(a + s->count, 4), ra, rb, where);
}

static bool
equal_bytes(const void *a, size_t na, const void *b, size_t nb)
{
	return na == nb && (!na || !memcmp(a, b, na));
}

static bool
equal_match(const struct wire_step *s, const uint8_t *a, const uint8_t *b)
{
	const struct omatch *x = (const void *)(a + s->member), *y = (const void *)(b + s->member);

	if (s->op == WO_META || s->op == WO_NXMETA)
		return !memcmp(a + s->member, b + s->member, sizeof(struct oflow));
	if (s->op == WO_MATCHP || s->op == WO_NXMATCHP || s->op == WO_MATCH10P) {
		memcpy(&x, a + s->member, sizeof x);
		memcpy(&y, b + s->member, sizeof y);
	}
	if (s->op == WO_NXMATCH && s->count != 0xffff && memcmp(a + s->count, b + s->count, 16))
		return false;
	return omatch_equal(x, y);
}

static bool
equal_step(const struct wire_step *s, uint8_t lv, const uint8_t *a, const uint8_t *b, char *where)
{
	const struct of_acts *aa = (const void *)(a + s->member), *ab = (const void *)(b + s->member);
	const struct of_data *da = (const void *)(a + s->member), *db = (const void *)(b + s->member);
	const struct wire_props *props;

	switch (s->op) {
	case WO_ACTS:
	case WO_INSTR:
		return equal_bytes(aa->a, aa->len, ab->a, ab->len);
	case WO_DATA:
		return equal_bytes(da->data, da->len, db->data, db->len);
	case WO_LIST:
	case WO_ROWS:
		return equal_list(s, lv, a, b, where);
	case WO_ONE:
		return equal_layout(wire_struct[s->arg][lv], lv, a + s->member, b + s->member, where);
	case WO_PROPS:
		props = &wire_props[s->arg];
		for (unsigned i = 0; i < props->n; i++)
			if (props->prop[i].layouts >> lv & 1 && !equal_layout(props->prop[i].layout, lv, a, b, where))
				return false;
		return true;
	case WO_CONST:
	case WO_SKIP:
	case WO_HOOK:           /* Equal bytes will have to do. */
	case WO_HOOK_AT:
		return true;
	case WO_SUB:
		return !memcmp(a + s->member, b + s->member, sizeof(struct of_sub));
	case WO_STR:
		return !strcmp((const char *)a + s->member, (const char *)b + s->member);
	case WO_MATCH10:
	case WO_MATCH10P:
		return equal_match(s, a, b);
	default:
		if (s->op > WO_SKIP)
			return equal_match(s, a, b);
		return !memcmp(a + s->member, b + s->member, s->native);
	}
}

static bool
equal_layout(const struct wire_layout *l, uint8_t lv, const uint8_t *a, const uint8_t *b, char *where)
{
	for (unsigned i = 0; i < l->n_steps; i++)
		if (!equal_step(&l->steps[i], lv, a, b, where)) {
			if (!*where)
				snprintf(where, 80, "op %u, native offset %u", l->steps[i].op, l->steps[i].member);
			return false;
		}
	return true;
}

bool
fill_equal(const struct of_msg *a, const struct of_msg *b, uint8_t layout, char where[80])
{
	const struct wire_kind *k = &wire_kind[a->kind];
	const struct of_packet_in *pin = a->body;

	where[0] = '\0';
	if (a->kind != b->kind || a->version != b->version || a->xid != b->xid || !a->body != !b->body) {
		snprintf(where, 80, "header: kind %u and %u", a->kind, b->kind);
		return false;
	}
	if (!a->body)
		return true;
	if (a->kind == OFK_PACKET_IN && pin->format == 2)
		return equal_layout(wire_kind[OFK_NX_RESUME].layout[WV_NX], WV_NX, a->body, b->body, where);
	return equal_layout(k->layout[layout], layout, a->body, b->body, where);
}

/* --- Messages ----------------------------------------------------------------------------------- */

unsigned
fill_ways(struct way *ways, unsigned max)
{
	unsigned n = 0;

	for (unsigned kind = 0; kind < OFK_N_KINDS; kind++)
		for (uint8_t v = OF10; v <= OF15; v++) {
			if (kind != OFK_EXPERIMENTER && wire_kind[kind].code[v] != 0xff && n < max)
				ways[n++] = (struct way){ (uint8_t)kind, v, OFMF_STD, v, false };
			if (kind == OFK_PACKET_IN && n < max)
				ways[n++] = (struct way){ OFK_PACKET_IN, v, OFMF_NX, WV_NX, true };
			for (unsigned i = 0; i < wire_n_ext; i++) {
				const struct wire_ext *x = &wire_ext[i];

				if (x->kind + (wire_kind[kind].multipart == 2 ? 1u : 0u) == kind && x->layouts >> v & 1 && n < max &&
				    !(kind == OFK_SET_ASYNC && x->layout != WV_NX))
					ways[n++] = (struct way){ (uint8_t)kind, v, x->form, x->layout, false };
			}
		}
	return n;
}

const char *
fill_way_name(const struct way *w, char buf[80])
{
	snprintf(buf, 80, "%s 1.%u%s%s", of_kind_name(w->kind), w->version - 1u,
		 w->form == OFMF_NX ? " nx" : w->form == OFMF_ONF ? " onf" : "", w->packet_in2 ? "2" : "");
	return buf;
}

void
fill_msg(struct fill *f, const struct way *w, struct of_msg *msg)
{
	const struct wire_kind *k = &wire_kind[w->kind];
	const struct wire_layout *l = k->layout[w->layout];
	struct of_packet_in *pin;
	void *body = NULL;

	f->version = w->version;
	f->layout = w->layout;
	f->form = w->form;
	if (k->native_size)
		body = of_arena_alloc(f->arena, k->native_size);
	if (w->packet_in2)
		l = wire_kind[OFK_NX_RESUME].layout[WV_NX];
	fill_layout(f, l, body);
	if (w->kind == OFK_PACKET_IN) {
		pin = body;
		if (w->packet_in2 || f->tame)
			pin->total_len = (uint16_t)MAX_OF(pin->total_len, pin->frame.len);
	}
	*msg = (struct of_msg){ .version = w->version, .kind = w->kind, .form = w->form, .xid = 0x12345678, .body = body };
}
