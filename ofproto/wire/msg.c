/* SPDX-License-Identifier: Apache-2.0 */
/* Whole messages: headers of messages, multiparts and experimenters, and which layout is behind them. */
#include <errno.h>

#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

enum { T_HELLO, T_ERROR, T_EXPERIMENTER = 4, T_STATS10 = 16, T_STATS11 = 18, MP_EXPERIMENTER = 0xffff, MP_MORE = 1,
       NXT_PACKET_IN2 = 30, MSG_MAX = 0xffff };

static const struct of_decode_opts strict_opts;

uint32_t
of_msg_len(const uint8_t data[OF_HEADER_LEN])
{
	uint16_t len = wire_u16(data + 2);

	return len < OF_HEADER_LEN ? 0 : len;
}

const char *
of_kind_name(enum of_kind kind)
{
	return kind < OFK_N_KINDS ? wire_kind[kind].name : "?";
}

/* --- Reading ------------------------------------------------------------------------------------ */

static int
get_body(struct wire_rd *r, struct of_msg *msg, enum of_kind kind, const struct wire_layout *l)
{
	const struct wire_kind *k = &wire_kind[kind];
	void *body = NULL;

	msg->kind = (uint8_t)kind;
	if (!l)
		return wire_bad(r, OFE_BRC_BAD_TYPE, "%s is not in this version", k->name);
	if (k->native_size)
		msg->body = body = of_arena_alloc(r->arena, k->native_size);
	if (wire_get(r, l, body))
		return -1;
	if (r->p != r->end)
		return wire_bad(r, OFE_BRC_BAD_LEN, "%s: %zu bytes too many", k->name, wire_left(r));
	return 0;
}

static const struct wire_ext *
find_ext(uint32_t vendor, uint32_t subtype, uint8_t version, bool multipart)
{
	uint8_t form = vendor == NX_VENDOR ? OFMF_NX : OFMF_ONF;

	for (unsigned i = 0; i < wire_n_ext; i++)
		if (wire_ext[i].subtype == subtype && wire_ext[i].form == form && wire_ext[i].multipart == multipart &&
		    wire_ext[i].layouts >> version & 1)
			return &wire_ext[i];
	return NULL;
}

/* An extension whose body starts at r->p.  It is described even where it is refused. */
static int
get_ext(struct wire_rd *r, struct of_msg *msg, uint32_t vendor, uint32_t subtype, bool multipart, bool reply)
{
	const struct wire_ext *x;
	enum of_kind kind;

	if (vendor == NX_VENDOR && subtype == NXT_PACKET_IN2 && !multipart) {
		/* Of all members the same as NX_RESUME. */
		r->layout = WV_NX;
		msg->form = OFMF_NX;
		return get_body(r, msg, OFK_PACKET_IN, wire_kind[OFK_NX_RESUME].layout[WV_NX]);
	}
	x = vendor == NX_VENDOR || vendor == ONF_VENDOR ? find_ext(vendor, subtype, r->version, multipart) : NULL;
	if (!x) {
		struct of_experimenter *e = of_arena_alloc(r->arena, sizeof *e);

		*e = (struct of_experimenter){ .id = vendor, .type = subtype, .multipart = multipart,
					       .data = { r->p, (uint32_t)wire_left(r) } };
		msg->kind = OFK_EXPERIMENTER;
		msg->body = e;
		return vendor == NX_VENDOR || vendor == ONF_VENDOR ?
			       wire_bad(r, OFE_BRC_BAD_EXP_TYPE, "type %u of experimenter %#x", subtype, vendor) :
			       wire_bad(r, OFE_BRC_BAD_EXPERIMENTER, "experimenter %#x", vendor);
	}
	kind = reply ? x->kind + 1u : x->kind;
	r->layout = x->layout;
	msg->form = r->form = x->form;
	return get_body(r, msg, kind, wire_kind[kind].layout[x->layout]);
}

static int
get_experimenter(struct wire_rd *r, struct of_msg *msg)
{
	uint32_t vendor, subtype;

	if (wire_left(r) < 4)
		return wire_bad(r, OFE_BRC_BAD_LEN, "no experimenter");
	vendor = wire_u32(r->p);
	r->p += 4;
	subtype = 0;
	if (wire_left(r) >= 4) {
		subtype = wire_u32(r->p);
		r->p += 4;
	} else if (vendor == NX_VENDOR || vendor == ONF_VENDOR) {
		return wire_bad(r, OFE_BRC_BAD_LEN, "no experimenter's type");
	}
	return get_ext(r, msg, vendor, subtype, false, false);
}

static int
get_multipart(struct wire_rd *r, struct of_msg *msg, bool reply)
{
	size_t header = r->version == OF10 ? 4 : 8;
	uint16_t type;
	enum of_kind kind;

	if (wire_left(r) < header)
		return wire_bad(r, OFE_BRC_BAD_LEN, "multipart of %zu bytes", wire_left(r));
	type = wire_u16(r->p);
	msg->more = wire_u16(r->p + 2) & MP_MORE;
	r->p += header;
	if (type == MP_EXPERIMENTER) {
		/* In 1.0 padding follows the type, later precedes the vendor: 24 bytes in all. */
		const uint8_t *p = r->p;

		if (wire_left(r) < 4)
			return wire_bad(r, OFE_BRC_BAD_LEN, "no experimenter");
		if (wire_left(r) < 16 - header) {
			/* 1.0 asks for the vendor only. */
			if (wire_u32(p) == NX_VENDOR || wire_u32(p) == ONF_VENDOR)
				return wire_bad(r, OFE_BRC_BAD_LEN, "no experimenter's type");
			return wire_bad(r, OFE_BRC_BAD_EXPERIMENTER, "experimenter %#x", wire_u32(p));
		}
		r->p += 16 - header;
		return get_ext(r, msg, wire_u32(p), wire_u32(p + 4), true, reply);
	}
	kind = type < ARRAY_SIZE(wire_part[0]) ? wire_part[r->version][type] : 0xff;
	if (kind == 0xff)
		return wire_bad(r, OFE_BRC_BAD_MULTIPART, "multipart %u", type);
	if (reply)
		kind++;
	return get_body(r, msg, kind, wire_kind[kind].layout[r->version]);
}

int
wire_get_msg(struct wire_rd *outer, const uint8_t *data, uint32_t len, struct of_msg *msg)
{
	struct wire_rd r = *outer;
	unsigned type, stats;
	enum of_kind kind;

	*msg = (struct of_msg){ .kind = OFK_N_KINDS };
	if (len < OF_HEADER_LEN)
		return wire_bad(&r, OFE_BRC_BAD_LEN, "message of %u bytes", len);
	msg->version = data[0];
	type = data[1];
	msg->xid = r.xid = wire_u32(data + 4);
	if (wire_u16(data + 2) != len)
		return wire_bad(&r, OFE_BRC_BAD_LEN, "%u bytes, not %u", len, wire_u16(data + 2));
	r.version = msg->version;
	if (type == T_HELLO || type == T_ERROR)         /* These go before there is a version. */
		r.version = msg->version < OF10 ? OF10 : msg->version > OF15 ? OF15 : msg->version;
	if (r.version < OF10 || r.version > OF15)
		return wire_bad(&r, OFE_BRC_BAD_VERSION, "version %u", msg->version);
	r.layout = r.version;
	r.form = OFMF_STD;
	r.acts = NULL;
	r.p = data + OF_HEADER_LEN;
	r.end = data + len;
	if (type == T_EXPERIMENTER)
		return get_experimenter(&r, msg);
	stats = r.version == OF10 ? T_STATS10 : T_STATS11;
	if (type == stats || type == stats + 1)
		return get_multipart(&r, msg, type != stats);
	kind = type < ARRAY_SIZE(wire_type[0]) ? wire_type[r.version][type] : 0xff;
	if (kind == 0xff)
		return wire_bad(&r, OFE_BRC_BAD_TYPE, "type %u", type);
	if (kind == OFK_HELLO)          /* Without a bitmap: all versions up to the header's. */
		r.version = msg->version;
	return get_body(&r, msg, kind, wire_kind[kind].layout[r.layout]);
}

int
of_decode(const uint8_t *data, uint32_t len, const struct of_decode_opts *opts, struct of_arena *arena, struct of_msg *msg,
	  struct of_error *err)
{
	struct of_error none;
	struct wire_rd r = { .opts = opts ? opts : &strict_opts, .arena = arena, .err = err ? err : &none };

	err = r.err;
	err->id = OFE_OK;
	err->why[0] = '\0';
	return wire_get_msg(&r, data, len, msg);
}

/* --- Writing ------------------------------------------------------------------------------------ */

struct place {
	const struct wire_layout *layout;
	uint32_t vendor, subtype;
	uint8_t lv, form;
};

/* How the version and form say a kind; false: they do not. */
static bool
find_place(const struct of_msg *msg, struct place *p)
{
	const struct wire_kind *k = &wire_kind[msg->kind];
	const struct of_packet_in *pin = msg->body;
	uint8_t form = msg->form;

	if (msg->version < OF10 || msg->version > OF15 || msg->kind >= OFK_N_KINDS)
		return false;
	*p = (struct place){ .lv = msg->version };
	if (msg->kind == OFK_PACKET_IN && pin->format == 2) {
		*p = (struct place){ wire_kind[OFK_NX_RESUME].layout[WV_NX], NX_VENDOR, NXT_PACKET_IN2, WV_NX, OFMF_NX };
		return true;
	}
	if (msg->kind == OFK_PACKET_IN)
		form = pin->format ? OFMF_NX : OFMF_STD;
	if (form == OFMF_STD && k->code[msg->version] != 0xff) {
		p->layout = k->layout[msg->version];
		return p->layout != NULL;
	}
	for (unsigned i = 0; i < wire_n_ext; i++) {
		const struct wire_ext *x = &wire_ext[i];

		/* What no version says by itself needs no form to be named. */
		if (x->kind + (k->multipart == 2 ? 1u : 0u) != msg->kind || !(x->layouts >> msg->version & 1) ||
		    (form != OFMF_STD && x->form != form))
			continue;
		*p = (struct place){ k->layout[x->layout], x->form == OFMF_NX ? NX_VENDOR : ONF_VENDOR, x->subtype, x->layout,
				     x->form };
		return p->layout != NULL;
	}
	return false;
}

static void
put_header(struct wire_wr *w, const struct of_msg *msg, const struct place *at)
{
	const struct wire_kind *k = &wire_kind[msg->kind];
	bool old = msg->version == OF10;
	uint8_t *p;

	if (k->multipart) {
		p = wire_add(w->buf, at->vendor ? 24 : old ? 12 : 16);
		p[1] = (uint8_t)((old ? T_STATS10 : T_STATS11) + k->multipart - 1);
		wire_store(p + 8, 2, at->vendor ? MP_EXPERIMENTER : k->code[msg->version]);
		wire_store(p + 10, 2, msg->more ? MP_MORE : 0);
		if (at->vendor) {
			wire_store(p + (old ? 12 : 16), 4, at->vendor);
			wire_store(p + (old ? 16 : 20), 4, at->subtype);
		}
	} else if (at->vendor) {
		p = wire_add(w->buf, 16);
		p[1] = T_EXPERIMENTER;
		wire_store(p + 8, 4, at->vendor);
		wire_store(p + 12, 4, at->subtype);
	} else {
		p = wire_add(w->buf, OF_HEADER_LEN);
		p[1] = k->code[msg->version];
	}
	p[0] = msg->version;
	wire_store(p + 4, 4, msg->xid);
}

static void
put_msg_len(struct wire_wr *w, size_t start)
{
	size_t len = w->buf->len - start;

	if (len > MSG_MAX && !w->error)
		w->error = -EMSGSIZE;
	wire_store(wire_at(w, start + 2), 2, len);
}

void
wire_put_msg(struct wire_wr *outer, const struct of_msg *msg)
{
	struct wire_wr w = *outer;
	size_t start = w.buf->len;
	struct place at;

	if (!find_place(msg, &at)) {
		outer->error = outer->error ? outer->error : -ENOTSUP;
		return;
	}
	w.version = msg->version;
	w.layout = at.lv;
	w.form = at.form;
	w.xid = msg->xid;
	w.match = NULL;
	put_header(&w, msg, &at);
	wire_put(&w, at.layout, msg->body);
	put_msg_len(&w, start);
	outer->error = w.error;
}

static bool
has_rows(const struct of_msg *msg)
{
	struct place at;

	return wire_kind[msg->kind].multipart == 2 && find_place(msg, &at) && at.layout->n_steps == 1 &&
	       at.layout->steps[0].op == WO_ROWS;
}

static int
encode_rows(struct of_buf *buf, const struct of_msg *msg)
{
	const struct of_rows *rows = msg->body;
	struct of_mp mp;

	of_mp_begin(&mp, buf, msg);
	for (uint32_t i = 0; i < rows->n; i++) {
		int rc = of_mp_row(&mp, (const uint8_t *)rows->rows + (size_t)i * rows->row_size);

		if (rc)
			return rc;
	}
	of_mp_end(&mp);
	return 0;
}

int
of_encode(struct of_buf *buf, const struct of_msg *msg)
{
	struct wire_wr w = { .buf = buf };
	size_t start = buf->len;
	int rc;

	if (has_rows(msg)) {
		rc = encode_rows(buf, msg);
	} else {
		wire_put_msg(&w, msg);
		rc = w.error;
	}
	if (rc)
		buf->len = start;
	return rc;
}

/* --- Replies in parts --------------------------------------------------------------------------- */

static void
part_begin(struct of_mp *mp)
{
	struct wire_wr w = { .buf = mp->buf };
	struct place at;

	mp->part = mp->buf->len;
	if (find_place(&mp->msg, &at))
		put_header(&w, &mp->msg, &at);
}

void
of_mp_begin(struct of_mp *mp, struct of_buf *buf, const struct of_msg *msg)
{
	mp->buf = buf;
	mp->msg = *msg;
	part_begin(mp);
}

/* The row at 'row' does not fit any more: it becomes the first of the next part. */
static void
split(struct of_mp *mp, size_t row)
{
	struct wire_wr w = { .buf = mp->buf };
	size_t row_len = mp->buf->len - row, header;
	uint8_t *p = wire_at(&w, mp->part), head[24];

	wire_store(p + 2, 2, row - mp->part);
	wire_store(p + 10, 2, MP_MORE);
	part_begin(mp);
	header = mp->buf->len - mp->part;
	/* Row and header change places. */
	p = mp->buf->data;
	memcpy(head, p + mp->part, header);
	memmove(p + row + header, p + row, row_len);
	memcpy(p + row, head, header);
	mp->part = row;
}

void
of_mp_cut(struct of_mp *mp)
{
	split(mp, mp->buf->len);
}

int
of_mp_row(struct of_mp *mp, const void *row)
{
	struct wire_wr w = { .buf = mp->buf, .version = mp->msg.version, .xid = mp->msg.xid };
	const struct wire_layout *l;
	size_t start = mp->buf->len;
	struct place at;

	if (!find_place(&mp->msg, &at))
		return -ENOTSUP;
	w.layout = at.lv;
	w.form = at.form;
	l = at.layout;
	if (l->n_steps == 1 && l->steps[0].op == WO_ROWS)
		l = wire_struct[l->steps[0].arg][at.lv];
	wire_put(&w, l, row);
	if (!w.error && mp->buf->len - start + 24 > MSG_MAX)
		w.error = -EMSGSIZE;
	if (w.error) {
		mp->buf->len = start;
		return w.error;
	}
	if (mp->buf->len - mp->part > MSG_MAX)
		split(mp, start);
	return 0;
}

void
of_mp_end(struct of_mp *mp)
{
	struct wire_wr w = { .buf = mp->buf };

	put_msg_len(&w, mp->part);
	mp->part = mp->buf->len;
}
