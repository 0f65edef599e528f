/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of actions and instructions between the wire and ofproto/acts.h: finding the row of a table for an action, and
 * back.  Actions that are more than members in a row are in act_hooks.c. */
#include <errno.h>

#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

enum { ACT_EXPERIMENTER = 0xffff };
enum { I_GOTO = 1, I_METADATA, I_WRITE, I_APPLY, I_CLEAR, I_METER, I_STAT_TRIGGER, I_EXPERIMENTER = 0xffff };

/* --- Reading actions ---------------------------------------------------------------------------- */

static const struct wire_act *
find_onf(uint16_t subtype)
{
	for (unsigned i = 0; i < wire_n_acts; i++)
		if (wire_act[i].msg_form == OFMF_ONF && wire_act[i].code[OF13] == subtype)
			return &wire_act[i];
	return NULL;
}

/* The row of the action whose 'len' bytes are at 'p', and the size of its header. */
static const struct wire_act *
identify(struct wire_rd *r, const uint8_t *p, size_t len, unsigned *header)
{
	uint16_t type = wire_u16(p);
	const struct wire_act *a = NULL;
	uint32_t vendor;
	unsigned i;

	if (type != ACT_EXPERIMENTER) {
		i = type < ARRAY_SIZE(wire_act_std[0]) ? wire_act_std[r->version][type] : 0xff;
		if (i == 0xff)
			wire_bad(r, OFE_BAC_BAD_TYPE, "action %u", type);
		*header = 4;
		return i == 0xff ? NULL : &wire_act[i];
	}
	*header = 10;
	vendor = len >= 8 ? wire_u32(p + 4) : 0;
	if (len < 16 && (len < 8 || vendor == NX_VENDOR || vendor == ONF_VENDOR)) {
		wire_bad(r, OFE_BAC_BAD_LEN, "action of %zu bytes", len);
		return NULL;
	}
	if (vendor != NX_VENDOR && vendor != ONF_VENDOR) {
		wire_bad(r, OFE_BAC_BAD_EXPERIMENTER, "experimenter %#x", vendor);
		return NULL;
	}
	type = wire_u16(p + 8);
	if (vendor == ONF_VENDOR)
		a = find_onf(type);
	else if (type < ARRAY_SIZE(wire_act_nx) && wire_act_nx[type] != 0xff)
		a = &wire_act[wire_act_nx[type]];
	if (!a || !(a->layouts >> r->version & 1)) {
		wire_bad(r, OFE_BAC_BAD_EXP_TYPE, "action %u of experimenter %#x", type, vendor);
		return NULL;
	}
	return a;
}

static int
get_by_table(struct wire_rd *r, const struct wire_act *a, const uint8_t *start)
{
	const struct wire_layout *l = a->layout[r->version];
	struct of_act_set_field *f;
	void *rec;

	/* The layout's offsets are from the action's start. */
	if ((size_t)(r->end - start) != ((l->fixed + 7u) & ~7u))
		return wire_bad(r, OFE_BAC_BAD_LEN, "action of %zu bytes", (size_t)(r->end - start));
	rec = of_act_put(r->acts, a->kind, a->form, a->native_size);
	r->p = start;
	if (wire_get(r, l, rec))
		return -1;
	if (a->field != OFF_NONE) {
		f = rec;
		f->field = a->field;
		of_field_full_mask(f->field, f->mask);
		if (f->value[0] & ~f->mask[0])
			return wire_bad(r, OFE_BAC_BAD_ARGUMENT, "%s", of_field_info[f->field].name);
	}
	return 0;
}

static int
get_act(struct wire_rd *r)
{
	const uint8_t *start = r->p, *outer = r->end;
	const struct wire_act *a;
	unsigned header;
	size_t len;
	int rc;

	if (wire_left(r) < 8)
		return wire_bad(r, OFE_BAC_BAD_LEN, "action: %zu bytes are left", wire_left(r));
	len = wire_u16(start + 2);
	if (len < 8 || len > wire_left(r) || (len & 7))
		return wire_bad(r, OFE_BAC_BAD_LEN, "action of %zu bytes, %zu are left", len, wire_left(r));
	a = identify(r, start, len, &header);
	if (!a)
		return -1;
	r->end = start + len;
	r->p = start + header;
	rc = a->hook ? wire_act_hook[a->hook].get(r, a, r->p) : get_by_table(r, a, start);
	r->p = start + len;
	r->end = outer;
	if (!rc && r->acts->len > OF_ACTS_MAX)
		return wire_bad(r, OFE_BAC_TOO_MANY, "more actions than %u bytes", (unsigned)OF_ACTS_MAX);
	return rc;
}

int
wire_get_act_list(struct wire_rd *r, const uint8_t *end)
{
	const uint8_t *outer = r->end;
	int rc = 0;

	if (r->depth > OF_ACTS_NEST_MAX)
		return wire_bad(r, OFE_BAC_TOO_MANY, "actions nested deeper than %u", (unsigned)OF_ACTS_NEST_MAX);
	r->end = end;
	while (r->p < end && !rc)
		rc = get_act(r);
	r->end = outer;
	return rc;
}

/* Lists are made in the arena's scratch, which may be in use by an outer list: each takes its own end of it. */
static int
finish(struct wire_rd *r, uint32_t from, int rc, struct of_act_buf *outer, struct of_acts *out)
{
	struct of_act_buf *b = wire_arena_acts(r->arena);

	*out = (struct of_acts){ .a = NULL };
	if (!rc && b->len > from) {
		uint8_t *copy = of_arena_alloc(r->arena, b->len - from);

		memcpy(copy, b->data + from, b->len - from);
		*out = (struct of_acts){ .a = (const struct of_act *)(const void *)copy, .len = b->len - from };
	}
	b->len = from;
	r->acts = outer;
	return rc;
}

int
wire_get_acts(struct wire_rd *r, size_t len, struct of_acts *out)
{
	struct of_act_buf *outer = r->acts;
	uint32_t from;
	int rc;

	r->acts = wire_arena_acts(r->arena);
	from = r->acts->len;
	rc = wire_get_act_list(r, r->p + len);
	return finish(r, from, rc, outer, out);
}

/* --- Reading instructions ----------------------------------------------------------------------- */

static int
instr_len(struct wire_rd *r, const uint8_t *p, size_t want)
{
	if (wire_u16(p + 2) == want)
		return 0;
	return wire_bad(r, OFE_BIC_BAD_LEN, "instruction %u of %u bytes", wire_u16(p), wire_u16(p + 2));
}

/* Finds the instructions of each type; nothing is taken in yet, since their order in a list is fixed. */
static int
index_instr(struct wire_rd *r, const uint8_t *at[7])
{
	while (r->p < r->end) {
		unsigned type;
		size_t len;

		if (wire_left(r) < 8)
			return wire_bad(r, OFE_BIC_BAD_LEN, "instruction: %zu bytes are left", wire_left(r));
		type = wire_u16(r->p);
		len = wire_u16(r->p + 2);
		if (len < 8 || len > wire_left(r) || (len & 7))
			return wire_bad(r, OFE_BIC_BAD_LEN, "instruction of %zu bytes, %zu are left", len, wire_left(r));
		if (type == I_EXPERIMENTER)
			return wire_bad(r, OFE_BIC_BAD_EXPERIMENTER, "experimenter %#x", wire_u32(r->p + 4));
		if (type == I_STAT_TRIGGER && r->version == OF15)
			return wire_bad(r, OFE_BIC_UNSUP_INST, "statistics trigger");
		if (type < I_GOTO || type > I_METER || (type == I_METER && (r->version < OF13 || r->version == OF15)))
			return wire_bad(r, OFE_BIC_UNKNOWN_INST, "instruction %u", type);
		if (at[type])
			return wire_bad(r, OFE_BIC_DUP_INST, "instruction %u again", type);
		at[type] = r->p;
		r->p += len;
	}
	return 0;
}

static int
get_instr_acts(struct wire_rd *r, const uint8_t *p)
{
	const uint8_t *outer = r->end;
	int rc;

	r->end = p + wire_u16(p + 2);
	r->p = p + 8;
	rc = wire_get_act_list(r, r->end);
	r->end = outer;
	return rc;
}

static int
get_apply(struct wire_rd *r, const uint8_t *p)
{
	if (wire_u16(p + 2) == 8) {
		of_act_put(r->acts, OFA_APPLY_NOTHING, OFA_FORM_STD, sizeof(struct of_act));
		return 0;
	}
	return get_instr_acts(r, p);
}

static int
get_write(struct wire_rd *r, const uint8_t *p)
{
	uint32_t at = of_act_nest_begin(r->acts, OFA_WRITE_ACTIONS, OFA_FORM_STD);

	r->depth++;
	if (get_instr_acts(r, p))
		return -1;
	r->depth--;
	of_act_nest_end(r->acts, at);
	return 0;
}

static int
get_u32_instr(struct wire_rd *r, enum of_act_kind kind, const uint8_t *p, unsigned width)
{
	struct of_act_u32 *u;

	if (instr_len(r, p, 8))
		return -1;
	u = of_act_put(r->acts, kind, OFA_FORM_STD, sizeof *u);
	u->value = (uint32_t)wire_load(p + 4, width);
	return 0;
}

static int
get_metadata(struct wire_rd *r, const uint8_t *p)
{
	struct of_act_metadata *m;

	if (instr_len(r, p, 24))
		return -1;
	m = of_act_put(r->acts, OFA_WRITE_METADATA, OFA_FORM_STD, sizeof *m);
	m->value = wire_load(p + 8, 8);
	m->mask = wire_load(p + 16, 8);
	return 0;
}

static int
get_clear(struct wire_rd *r, const uint8_t *p)
{
	if (instr_len(r, p, 8))
		return -1;
	of_act_put(r->acts, OFA_CLEAR_ACTIONS, OFA_FORM_STD, sizeof(struct of_act));
	return 0;
}

static int
get_program(struct wire_rd *r)
{
	const uint8_t *at[7] = { NULL }, *end;

	if (index_instr(r, at))
		return -1;
	end = r->p;
	if ((at[I_METER] && get_u32_instr(r, OFA_METER, at[I_METER], 4)) || (at[I_APPLY] && get_apply(r, at[I_APPLY])) ||
	    (at[I_CLEAR] && get_clear(r, at[I_CLEAR])) || (at[I_WRITE] && get_write(r, at[I_WRITE])) ||
	    (at[I_METADATA] && get_metadata(r, at[I_METADATA])) ||
	    (at[I_GOTO] && get_u32_instr(r, OFA_GOTO_TABLE, at[I_GOTO], 1)))
		return -1;
	r->p = end;
	return r->acts->len > OF_ACTS_MAX ? wire_bad(r, OFE_BAC_TOO_MANY, "more actions than %u bytes", (unsigned)OF_ACTS_MAX) : 0;
}

int
wire_get_instr(struct wire_rd *r, struct of_acts *out)
{
	struct of_act_buf *outer = r->acts;
	uint32_t from;
	int rc;

	r->acts = wire_arena_acts(r->arena);
	from = r->acts->len;
	rc = get_program(r);
	return finish(r, from, rc, outer, out);
}

/* --- Writing actions ---------------------------------------------------------------------------- */

static bool
fits(const struct wire_act *a, const struct of_act *rec, uint8_t version)
{
	uint64_t v = 0;

	if (!(a->layouts >> version & 1) || (a->field != OFF_NONE && a->field != ((const struct of_act_set_field *)rec)->field))
		return false;
	if (a->native)
		memcpy(&v, (const uint8_t *)rec + a->member, a->native);
	return v == a->value;
}

const struct wire_act *
wire_act_find(enum of_act_kind kind, enum of_act_form form, uint8_t version)
{
	const uint8_t *order = wire_act_order + wire_act_of[kind].first;

	for (unsigned i = 0; i < wire_act_of[kind].n; i++) {
		const struct wire_act *a = &wire_act[order[i]];

		if (a->form == form && a->layouts >> version & 1)
			return a;
	}
	return NULL;
}

static const struct wire_act *
choose(const struct of_act *rec, enum of_act_form form, uint8_t version)
{
	const uint8_t *order = wire_act_order + wire_act_of[rec->kind].first;
	const struct wire_act *any = NULL;

	for (unsigned i = 0; i < wire_act_of[rec->kind].n; i++) {
		const struct wire_act *a = &wire_act[order[i]];

		if (!fits(a, rec, version))
			continue;
		if (a->form == form)
			return a;
		if (!any)
			any = a;
	}
	return any;
}

size_t
wire_act_begin(struct wire_wr *w, const struct wire_act *a)
{
	size_t start = w->buf->len;
	bool std = a->msg_form == OFMF_STD;
	uint8_t *p = wire_add(w->buf, std ? 4 : 10);

	wire_store(p, 2, std ? a->code[w->version] : ACT_EXPERIMENTER);
	if (!std) {
		wire_store(p + 4, 4, a->msg_form == OFMF_NX ? NX_VENDOR : ONF_VENDOR);
		wire_store(p + 8, 2, a->code[w->version]);
	}
	return start;
}

void
wire_act_end(struct wire_wr *w, size_t start)
{
	size_t len;

	wire_pad8(w->buf, start);
	len = w->buf->len - start;
	if (len > 0xffff && !w->error)
		w->error = -EMSGSIZE;
	wire_store(wire_at(w, start + 2), 2, len);
}

static void
put_row(struct wire_wr *w, const struct wire_act *a, const struct of_act *rec)
{
	size_t start = w->buf->len;
	uint8_t header[10];
	unsigned n;

	if (a->hook) {
		start = wire_act_begin(w, a);
		wire_act_hook[a->hook].put(w, a, rec);
	} else {
		/* The layout begins with the header. */
		n = a->msg_form == OFMF_STD ? 4 : 10;
		wire_act_begin(w, a);
		memcpy(header, wire_at(w, start), n);
		w->buf->len = start;
		wire_put(w, a->layout[w->version], rec);
		memcpy(wire_at(w, start), header, n);
	}
	wire_act_end(w, start);
}

/* ENQUEUE is of 1.0 alone. */
static void
put_enqueue(struct wire_wr *w, const struct of_act_enqueue *e)
{
	struct of_act_u32 queue = { .h = { .kind = OFA_SET_QUEUE, .len = sizeof queue }, .value = e->queue };
	struct of_act_output out = { .h = { .kind = OFA_OUTPUT, .len = sizeof out }, .port = e->port };
	struct of_act pop = { .kind = OFA_POP_QUEUE, .form = OFA_FORM_NX, .len = sizeof pop };

	wire_put_act(w, &queue.h);
	wire_put_act(w, &out.h);
	wire_put_act(w, &pop);
}

static void
put_set(struct wire_wr *w, enum of_field f, uint32_t value)
{
	struct of_act_set_field s = { .h = { .kind = OFA_SET_FIELD, .form = OFA_FORM_STD, .len = sizeof s }, .field = (uint8_t)f };
	unsigned bytes = of_field_bytes(f);

	for (unsigned i = 0; i < bytes; i++, value >>= 8)
		s.value[bytes - 1 - i] = (uint8_t)value;
	of_field_full_mask(f, s.mask);
	wire_put_set_field(w, &s);
}

static bool
tagged(const struct wire_wr *w)
{
	return w->tags + (w->match && (w->match->flow.vlan[0].tci & be16(OFLOW_VLAN_PRESENT))) > 0;
}

/* 1.0's push a tag where there is none. */
static void
put_set_vlan(struct wire_wr *w, const struct of_act_u32 *u)
{
	struct of_act_u32 push = { .h = { .kind = OFA_PUSH_VLAN, .len = sizeof push }, .value = 0x8100 };
	const struct wire_act *a;

	if (w->version < OF12) {
		a = wire_act_find(u->h.kind, w->version == OF10 ? OFA_FORM_1_0 : OFA_FORM_1_1, w->version);
		if (u->h.form == OFA_FORM_1_0 && w->version == OF11 && !tagged(w))
			wire_put_act(w, &push.h);
		put_row(w, a, &u->h);
		return;
	}
	if (u->h.form == OFA_FORM_1_0 && !tagged(w))
		wire_put_act(w, &push.h);
	if (u->h.kind == OFA_SET_VLAN_VID)
		put_set(w, OFF_VLAN_VID, u->value | OFLOW_VLAN_PRESENT);
	else
		put_set(w, OFF_VLAN_PCP, u->value);
}

static void
put_set_tp(struct wire_wr *w, const struct of_act_u32 *u)
{
	uint8_t proto = w->match ? w->match->flow.nw_proto : 0;
	bool src = u->h.kind == OFA_SET_TP_SRC;

	if (w->version < OF12)
		put_row(w, wire_act_find(u->h.kind, OFA_FORM_1_0, w->version), &u->h);
	else if (proto == 17)
		put_set(w, src ? OFF_UDP_SRC : OFF_UDP_DST, u->value);
	else if (proto == 132)
		put_set(w, src ? OFF_SCTP_SRC : OFF_SCTP_DST, u->value);
	else
		put_set(w, src ? OFF_TCP_SRC : OFF_TCP_DST, u->value);
}

/* The form that can say all that is in the record, where its own cannot; and where Nicira's is for versions that lack
 * the standard's, that: Open vSwitch knows the other nowhere else. */
static enum of_act_form
true_form(const struct of_act *a, uint8_t version)
{
	const struct of_act_controller *c = (const void *)a;
	const struct of_act_learn *l = (const void *)a;

	switch (a->kind) {
	case OFA_CONTROLLER:
		return a->form == OFA_FORM_NX2 || c->userdata_len || c->pause || c->meter_id ? OFA_FORM_NX2 : OFA_FORM_NX;
	case OFA_LEARN:
		return a->form == OFA_FORM_NX2 || l->limit || l->flags & OF_LEARN_WRITE_RESULT ? OFA_FORM_NX2 : OFA_FORM_NX;
	case OFA_BUNDLE:
		return ((const struct of_act_bundle *)(const void *)a)->dst.n_bits ? OFA_FORM_NX2 : OFA_FORM_NX;
	case OFA_DEC_NW_TTL:
		return ((const struct of_act_ids *)(const void *)a)->n ? OFA_FORM_NX2 : OFA_FORM_STD;
	case OFA_SET_QUEUE:
	case OFA_GROUP:
	case OFA_PUSH_MPLS:
	case OFA_POP_MPLS:
	case OFA_SET_MPLS_TTL:
	case OFA_DEC_MPLS_TTL:
		return OFA_FORM_STD;
	case OFA_MOVE:
		return version >= OF15 ? OFA_FORM_STD : a->form;
	default:
		return a->form;
	}
}

void
wire_put_act(struct wire_wr *w, const struct of_act *a)
{
	const struct wire_act *row;

	w->tags += a->kind == OFA_PUSH_VLAN;
	w->tags -= a->kind == OFA_POP_VLAN && tagged(w);
	switch (a->kind) {
	case OFA_SET_FIELD:
		wire_put_set_field(w, (const struct of_act_set_field *)(const void *)a);
		return;
	case OFA_SET_VLAN_VID:
	case OFA_SET_VLAN_PCP:
		put_set_vlan(w, (const struct of_act_u32 *)(const void *)a);
		return;
	case OFA_SET_TP_SRC:
	case OFA_SET_TP_DST:
		put_set_tp(w, (const struct of_act_u32 *)(const void *)a);
		return;
	case OFA_ENQUEUE:
		if (w->version != OF10) {
			put_enqueue(w, (const struct of_act_enqueue *)(const void *)a);
			return;
		}
		break;
	case OFA_SET_NW_TTL:
		if (w->version == OF10) {
			put_set(w, OFF_NW_TTL, ((const struct of_act_u32 *)(const void *)a)->value);
			return;
		}
		break;
	}
	row = choose(a, true_form(a, w->version), w->version);
	if (row)
		put_row(w, row, a);     /* Else the version has nothing like it. */
}

/* In 1.0, and where there are no instructions, GOTO_TABLE is a resubmit. */
static void
put_goto(struct wire_wr *w, const struct of_act_u32 *u)
{
	struct of_act_resubmit s = { .h = { .kind = OFA_RESUBMIT, .form = OFA_FORM_NX2, .len = sizeof s },
				     .in_port = (uint32_t)OFPP_IN_PORT, .table = (uint8_t)u->value };

	wire_put_act(w, &s.h);
}

void
wire_put_acts(struct wire_wr *w, struct of_acts list)
{
	w->tags = 0;
	wire_put_nested(w, list);
}

void
wire_put_nested(struct wire_wr *w, struct of_acts list)
{
	int tags = w->tags;

	OF_ACTS_EACH(a, list) {
		switch (a->kind) {
		case OFA_APPLY_NOTHING:
		case OFA_CLEAR_ACTIONS:
		case OFA_WRITE_ACTIONS:
			break;
		case OFA_GOTO_TABLE:
			put_goto(w, (const struct of_act_u32 *)(const void *)a);
			break;
		default:
			wire_put_act(w, a);
		}
	}
	w->tags = tags;
}

/* --- Writing instructions ----------------------------------------------------------------------- */

static size_t
instr_begin(struct wire_wr *w, uint16_t type, size_t len)
{
	size_t start = w->buf->len;

	wire_store(wire_add(w->buf, len), 2, type);
	return start;
}

static void
instr_end(struct wire_wr *w, size_t start)
{
	size_t len = w->buf->len - start;

	if (len > 0xffff && !w->error)
		w->error = -EMSGSIZE;
	wire_store(wire_at(w, start + 2), 2, len);
}

/* Nicira's WRITE_METADATA is an action. */
static bool
is_instr(const struct of_act *a, uint8_t version)
{
	if (a->kind == OFA_WRITE_METADATA)
		return a->form == OFA_FORM_STD;
	return a->kind >= OFA_APPLY_NOTHING || (a->kind == OFA_METER && version < OF15);
}

static void
put_metadata(struct wire_wr *w, const struct of_act_metadata *m)
{
	size_t start = instr_begin(w, I_METADATA, 24);

	wire_store(wire_at(w, start + 8), 8, m->value);
	wire_store(wire_at(w, start + 16), 8, m->mask);
	instr_end(w, start);
}

static void
put_instruction(struct wire_wr *w, const struct of_act *a)
{
	uint32_t value = a->len >= sizeof(struct of_act_u32) ? ((const struct of_act_u32 *)(const void *)a)->value : 0;
	size_t start;

	switch (a->kind) {
	case OFA_METER:
		if (w->version < OF13)
			return;
		start = instr_begin(w, I_METER, 8);
		wire_store(wire_at(w, start + 4), 4, value);
		break;
	case OFA_GOTO_TABLE:
		start = instr_begin(w, I_GOTO, 8);
		wire_store(wire_at(w, start + 4), 1, value);
		break;
	case OFA_WRITE_ACTIONS:
		start = instr_begin(w, I_WRITE, 8);
		wire_put_acts(w, of_acts_nested(a));
		break;
	case OFA_WRITE_METADATA:
		put_metadata(w, (const struct of_act_metadata *)(const void *)a);
		return;
	default:
		start = instr_begin(w, I_CLEAR, 8);
	}
	instr_end(w, start);
}

static void
put_apply(struct wire_wr *w, struct of_acts list)
{
	size_t start = 0;
	bool open = false;

	w->tags = 0;
	OF_ACTS_EACH(a, list) {
		if (is_instr(a, w->version) && a->kind != OFA_APPLY_NOTHING)
			continue;
		if (!open)
			start = instr_begin(w, I_APPLY, 8);
		open = true;
		if (a->kind != OFA_APPLY_NOTHING)
			wire_put_act(w, a);
	}
	if (open)
		instr_end(w, start);
}

void
wire_put_instr(struct wire_wr *w, struct of_acts list)
{
	OF_ACTS_EACH(a, list)
		if (a->kind == OFA_METER && is_instr(a, w->version))
			put_instruction(w, a);
	put_apply(w, list);
	OF_ACTS_EACH(a, list)
		if (is_instr(a, w->version) && a->kind != OFA_METER && a->kind != OFA_APPLY_NOTHING)
			put_instruction(w, a);
}
