/* SPDX-License-Identifier: Apache-2.0 */
/* Members of messages that tables cannot describe.  For each a function that reads at r->p and one that appends. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

wire_get_fn wh_hello_get, wh_experimenter_get, wh_packet_in2_get, wh_pin2_meta_get, wh_continuation_get,
	wh_packet_out_meta_get, wh_nx_flow_mod_acts_get, wh_flow_command_get, wh_flow_mod_get, wh_flow_ages_get, wh_async_get, wh_bundle_add_get, wh_requestforward_get,
	wh_queue_config_get, wh_queue_port_get, wh_controller_uri_get, wh_ignore_get;
wire_put_fn wh_hello_put, wh_experimenter_put, wh_packet_in2_put, wh_pin2_meta_put, wh_continuation_put,
	wh_packet_out_meta_put, wh_nx_flow_mod_acts_put, wh_flow_command_put, wh_flow_mod_put, wh_flow_ages_put, wh_async_put, wh_bundle_add_put, wh_requestforward_put,
	wh_queue_config_put, wh_queue_port_put, wh_controller_uri_put, wh_ignore_put;

enum { HELLO_BITMAP = 1, W10_ALL = (1 << 22) - 1, CONTINUATION = 0x7774 };

/* --- HELLO -------------------------------------------------------------------------------------- */

/* Elements that are not known, or make no sense, are skipped: nothing must keep two peers from finding a version. */
int
wh_hello_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_hello *h = native;

	h->versions = r->version >= 31 ? ~1u : (2u << r->version) - 2;
	while (wire_left(r) >= 4) {
		size_t len = wire_u16(r->p + 2), padded = (len + 7) & ~(size_t)7;

		if (len < 4 || len > wire_left(r))
			break;
		if (wire_u16(r->p) == HELLO_BITMAP && len >= 8) {
			h->versions = wire_u32(r->p + 4);
			h->has_bitmap = true;
		}
		r->p += MIN_OF(padded, wire_left(r));
	}
	r->p = r->end;
	return 0;
}

void
wh_hello_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_hello *h = native;
	uint8_t *p;

	if (!h->has_bitmap)
		return;
	p = wire_add(w->buf, 8);
	wire_store(p, 2, HELLO_BITMAP);
	wire_store(p + 2, 2, 8);
	wire_store(p + 4, 4, h->versions);
}

/* --- Experimenters that nobody here knows ------------------------------------------------------- */

int
wh_experimenter_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native UNUSED)
{
	return wire_bad(r, OFE_BRC_BAD_EXPERIMENTER, "experimenter");
}

void
wh_experimenter_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_experimenter *e = native;
	uint8_t *p = wire_add(w->buf, 8 + e->data.len);

	wire_store(p, 4, e->id);
	wire_store(p + 4, 4, e->type);
	if (e->data.len)
		memcpy(p + 8, e->data.data, e->data.len);
}

int
wh_ignore_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native UNUSED)
{
	r->p = r->end;
	return 0;
}

void
wh_ignore_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}

/* --- Packets ------------------------------------------------------------------------------------ */

int
wh_packet_in2_get(struct wire_rd *r UNUSED, const uint8_t *at UNUSED, void *native)
{
	struct of_packet_in *pin = native;

	if (pin->total_len < pin->frame.len)
		pin->total_len = (uint16_t)pin->frame.len;
	return 0;
}

void
wh_packet_in2_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}

int
wh_pin2_meta_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	const uint8_t *p = r->p;

	r->p = r->end;
	return wire_get_meta(r, p, (size_t)(r->end - p), &((struct of_packet_in *)native)->meta);
}

void
wh_pin2_meta_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	wire_put_meta(w, &((const struct of_packet_in *)native)->meta, w->version < OF12);
}

/* Four bytes of padding, then properties, which Open vSwitch's tools read.  Ours is one that they do not know and skip. */
int
wh_continuation_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_packet_in *pin = native;
	const uint8_t *p = r->p + 4;
	size_t len;

	if (wire_left(r) < 4)
		return wire_bad(r, OFE_BPC_BAD_LEN, "continuation of %zu bytes", wire_left(r));
	len = wire_left(r) - 4;
	r->p = r->end;
	if (len >= 4 && wire_u16(p) == CONTINUATION && wire_u16(p + 2) >= 4 && wire_u16(p + 2) <= len) {
		len = wire_u16(p + 2) - 4u;
		p += 4;
	}
	pin->continuation = (struct of_data){ p, (uint32_t)len };
	return 0;
}

void
wh_continuation_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_data *c = &((const struct of_packet_in *)native)->continuation;
	uint8_t *p = wire_add(w->buf, 8 + ((c->len + 4 + 7) & ~7u) - 4);

	wire_store(p + 4, 2, CONTINUATION);
	wire_store(p + 6, 2, 4 + c->len);
	memcpy(p + 8, c->data, c->len);
}

/* 1.5 says the port as a match field. */
int
wh_packet_out_meta_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_packet_out *out = native;
	const uint8_t *p = r->p;
	size_t len, padded;

	if (wire_left(r) < 8 || wire_u16(p) != 1 || (len = wire_u16(p + 2)) < 4)
		return wire_bad(r, OFE_BMC_BAD_LEN, "match");
	padded = (len + 7) & ~(size_t)7;
	if (padded > wire_left(r))
		return wire_bad(r, OFE_BMC_BAD_LEN, "match of %zu bytes", len);
	r->p += padded;
	if (wire_get_meta(r, p + 4, len - 4, &out->meta))
		return -1;
	out->in_port = out->meta.in_port ? host32(out->meta.in_port) : (uint32_t)OFPP_CONTROLLER;
	return 0;
}

void
wh_packet_out_meta_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_packet_out *out = native;
	struct oflow meta = out->meta;
	size_t start = w->buf->len;

	meta.in_port = be32(out->in_port);
	wire_add(w->buf, 4)[1] = 1;
	wire_put_meta(w, &meta, false);
	wire_store(wire_at(w, start + 2), 2, w->buf->len - start);
	wire_pad8(w->buf, start);
}

/* --- FLOW_MOD ----------------------------------------------------------------------------------- */

/* 1.0's command, with Nicira's table in its upper byte if that was asked for. */
int
wh_flow_command_get(struct wire_rd *r, const uint8_t *at, void *native)
{
	struct of_flow_mod *f = native;
	unsigned v = wire_u16(at);

	f->table_id = OFTT_ALL;
	if (r->opts->table_ids) {
		f->table_id = (uint8_t)(v >> 8);
		f->has_table_id = true;
		v &= 0xff;
	}
	if (v > OFFC_DELETE_STRICT)
		return wire_bad(r, OFE_FMFC_BAD_COMMAND, "command %u", v);
	f->command = (uint8_t)v;
	return 0;
}

void
wh_flow_command_put(struct wire_wr *w, size_t at, const void *native)
{
	const struct of_flow_mod *f = native;

	wire_store(wire_at(w, at), 2, f->command | (f->has_table_id ? (unsigned)f->table_id << 8 : 0u));
}

/* What a command ignores is made neutral, so that nobody behind has to ask which command it was. */
int
wh_flow_mod_get(struct wire_rd *r, const uint8_t *at, void *native)
{
	struct of_flow_mod *f = native;
	bool deletes;

	f->version = r->version;
	if (r->layout >= OF11 && r->layout <= OF15)
		f->has_table_id = true;
	if (f->command > OFFC_DELETE_STRICT)
		return wire_bad(r, OFE_FMFC_BAD_COMMAND, "command %u", f->command);
	deletes = f->command >= OFFC_DELETE;
	if (!deletes) {
		f->out_port = (uint32_t)OFPP_ANY;
		f->out_group = OFG_ANY;
	} else {
		f->buffer_id = (uint32_t)OF_NO_BUFFER;
		f->acts = (struct of_acts){ .a = NULL };
	}
	if (f->command == OFFC_ADD)
		f->cookie_mask = 0;
	/* Nicira's has two cookies: one to set, in the header, one to look for, in the match. */
	f->cookie_given = (r->layout == WV_NX ? wire_load(at, 8) : f->cookie) != ~0ull;
	/* In 1.0 a rule without wildcards goes before all that have some. */
	if (r->layout == OF10 && !(wire_u32(at) & W10_ALL))
		f->priority = 0xffff;
	return 0;
}

void
wh_flow_mod_put(struct wire_wr *w, size_t at, const void *native)
{
	const struct of_flow_mod *f = native;

	if (w->layout != WV_NX || !f->cookie_mask)
		return;
	if (f->command >= OFFC_DELETE)
		wire_store(wire_at(w, at), 8, 0);
	else if (!f->cookie_given)
		wire_store(wire_at(w, at), 8, ~0ull);
}

/* Versions with instructions have them in Nicira's message, too. */
int
wh_nx_flow_mod_acts_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_flow_mod *f = native;

	return r->version == OF10 ? wire_get_acts(r, wire_left(r), &f->acts) : wire_get_instr(r, &f->acts);
}

void
wh_nx_flow_mod_acts_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_flow_mod *f = native;

	if (w->version == OF10)
		wire_put_acts(w, f->acts);
	else
		wire_put_instr(w, f->acts);
}

/* NXST_FLOW: seconds plus one, 0: not known. */
int
wh_flow_ages_get(struct wire_rd *r UNUSED, const uint8_t *at, void *native)
{
	struct of_flow_row *f = native;

	f->idle_age_s = wire_u16(at) - 1;
	f->hard_age_s = wire_u16(at + 2) - 1;
	return 0;
}

static uint16_t
age(int32_t s)
{
	return s < 0 ? 0 : (uint16_t)MIN_OF(s + 1ll, 0xffffll);
}

void
wh_flow_ages_put(struct wire_wr *w, size_t at, const void *native)
{
	const struct of_flow_row *f = native;

	wire_store(wire_at(w, at), 2, age(f->idle_age_s));
	wire_store(wire_at(w, at + 2), 2, age(f->hard_age_s));
}

/* --- Asynchronous configuration of 1.3 ---------------------------------------------------------- */

/* Reasons that came with 1.4 were ACTION and DELETE before. */
enum { PIN_1_3 = 7, PIN_NEW = 0x38, PIN_ACTION = 1 << 1, REMOVED_1_3 = 0xf, REMOVED_NEW = 0x30, REMOVED_DELETE = 1 << 2 };

int
wh_async_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_async *a = native;
	const uint8_t *p = r->p;

	if (wire_left(r) < 24)
		return wire_bad(r, OFE_BRC_BAD_LEN, "async configuration of %zu bytes", wire_left(r));
	r->p += 24;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t pin = wire_u32(p + 4 * i), removed = wire_u32(p + 16 + 4 * i);

		a->packet_in[i] = (pin & PIN_1_3) | (pin & PIN_ACTION ? PIN_NEW : 0u);
		a->port_status[i] = wire_u32(p + 8 + 4 * i);
		a->flow_removed[i] = (removed & REMOVED_1_3) | (removed & REMOVED_DELETE ? REMOVED_NEW : 0u);
		a->has_packet_in[i] = a->has_port_status[i] = a->has_flow_removed[i] = true;
	}
	return 0;
}

void
wh_async_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_async *a = native;
	uint8_t *p = wire_add(w->buf, 24);

	for (unsigned i = 0; i < 2; i++) {
		wire_store(p + 4 * i, 4, a->packet_in[i] & PIN_1_3);
		wire_store(p + 8 + 4 * i, 4, a->port_status[i]);
		wire_store(p + 16 + 4 * i, 4, a->flow_removed[i] & REMOVED_1_3);
	}
}

/* --- Messages in messages ----------------------------------------------------------------------- */

static int
get_inner(struct wire_rd *r, enum of_error_id bad_len, struct of_data *raw, const struct of_msg **out)
{
	struct of_msg *inner = of_arena_alloc(r->arena, sizeof *inner);
	struct wire_rd sub = *r;
	uint32_t len;

	if (wire_left(r) < OF_HEADER_LEN)
		return wire_bad(r, bad_len, "no message inside");
	len = wire_u16(r->p + 2);
	if (len < OF_HEADER_LEN || len > wire_left(r))
		return wire_bad(r, bad_len, "message of %u bytes inside %zu", len, wire_left(r));
	if (r->inner)
		return wire_bad(r, OFE_BFC_MSG_UNSUP, "a message inside one inside another");
	sub.inner = true;
	if (wire_get_msg(&sub, r->p, len, inner))
		return -1;
	*raw = (struct of_data){ r->p, len };
	*out = inner;
	r->p += len;
	return 0;
}

int
wh_bundle_add_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_bundle_add *b = native;

	if (wire_left(r) >= OF_HEADER_LEN) {
		if (wire_u32(r->p + 4) != r->xid)
			return wire_bad(r, OFE_BFC_MSG_BAD_XID, "xid %#x inside %#x", wire_u32(r->p + 4), r->xid);
		if (r->p[0] != r->version)
			return wire_bad(r, OFE_BFC_MSG_UNSUP, "version %u inside %u", r->p[0], r->version);
	}
	if (get_inner(r, OFE_BFC_MSG_BAD_LEN, &b->raw, &b->inner))
		return -1;
	/* Padding, then properties, of which there are none but experimenters'. */
	if (wire_left(r) < 8) {
		for (; r->p < r->end; r->p++)
			if (*r->p)
				return wire_bad(r, OFE_BRC_BAD_LEN, "bytes after the message inside");
		return 0;
	}
	r->p += -b->raw.len & 7;
	return wire_get_props(r, &(struct wire_props){ .n = 0 }, b);
}

void
wh_bundle_add_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_bundle_add *b = native;

	if (b->inner)
		wire_put_msg(w, b->inner);
	else if (b->raw.len)
		memcpy(wire_add(w->buf, b->raw.len), b->raw.data, b->raw.len);
}

int
wh_requestforward_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_requestforward *f = native;
	struct of_data raw;

	if (get_inner(r, OFE_BRC_BAD_LEN, &raw, &f->inner))
		return -1;
	if (f->inner->kind != OFK_GROUP_MOD && f->inner->kind != OFK_METER_MOD)
		return wire_bad(r, OFE_BRC_BAD_TYPE, "%s is not forwarded", of_kind_name(f->inner->kind));
	f->reason = f->inner->kind == OFK_METER_MOD;
	return 0;
}

void
wh_requestforward_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	wire_put_msg(w, ((const struct of_requestforward *)native)->inner);
}

/* --- The rest ----------------------------------------------------------------------------------- */

int
wh_queue_config_get(struct wire_rd *r UNUSED, const uint8_t *at UNUSED, void *native)
{
	struct of_queue_config *c = native;
	struct of_queue_desc *q;

	memcpy(&q, &c->queues, sizeof q);       /* Ours, in the arena. */
	for (uint32_t i = 0; i < c->n_queues; i++)
		q[i].port_no = c->port_no;
	return 0;
}

void
wh_queue_config_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}

/* 1.0 asks for the queues of all ports by OFPP_ALL, the others by OFPP_ANY. */
int
wh_queue_port_get(struct wire_rd *r UNUSED, const uint8_t *at, void *native)
{
	struct of_id_request *q = native;

	q->id = wire_port_from16(wire_u16(at));
	if (q->id == (uint32_t)OFPP_ALL)
		q->id = (uint32_t)OFPP_ANY;
	return 0;
}

void
wh_queue_port_put(struct wire_wr *w, size_t at, const void *native)
{
	const struct of_id_request *q = native;

	wire_store(wire_at(w, at), 2, wire_port_to16(q->id == (uint32_t)OFPP_ANY ? (uint32_t)OFPP_ALL : q->id));
}

int
wh_controller_uri_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_controller_status *s = native;

	while (wire_left(r)) {
		size_t len, padded;

		if (wire_left(r) < 4)
			return wire_bad(r, OFE_BPC_BAD_LEN, "property");
		len = wire_u16(r->p + 2);
		padded = (len + 7) & ~(size_t)7;
		if (len < 4 || padded > wire_left(r))
			return wire_bad(r, OFE_BPC_BAD_LEN, "property of %zu bytes", len);
		if (!wire_u16(r->p)) {
			size_t n = MIN_OF(len - 4, sizeof s->uri - 1);

			memset(s->uri, 0, sizeof s->uri);
			memcpy(s->uri, r->p + 4, n);
		}
		r->p += padded;
	}
	return 0;
}

void
wh_controller_uri_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_controller_status *s = native;
	size_t n = strnlen(s->uri, sizeof s->uri), start = w->buf->len;
	uint8_t *p;

	if (!n)
		return;
	p = wire_add(w->buf, 4 + n);
	wire_store(p + 2, 2, 4 + n);
	memcpy(p + 4, s->uri, n);
	wire_pad8(w->buf, start);
}
