/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: their numbers in each version, or those of the nearest one that it has. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

/* The protocol asks for 64 bytes or more; whoever prints the offender wants all of it, and it is short, mostly. */
enum { QUOTE_LEN = 1024, ERR_EXPERIMENTER = 0xffff, ERR_NX_VENDOR = 0xb0c2 };

const char *
of_error_name(enum of_error_id id)
{
	return id < OFE_N_ERRORS ? wire_error_row[id].name : "?";
}

static uint8_t
known_version(uint8_t version)
{
	return version < OF10 ? OF10 : version > OF15 ? OF15 : version;
}

struct wire_error
wire_error_put(enum of_error_id id, uint8_t version)
{
	return wire_error_row[id].at[known_version(version)];
}

enum of_error_id
wire_error_get(struct wire_error e, uint8_t version)
{
	version = known_version(version);
	for (unsigned i = 1; i < OFE_N_ERRORS; i++) {
		const struct wire_error *have = &wire_error_row[i].at[version];

		if (wire_error_row[i].own >> version & 1 && have->type == e.type && have->code == e.code &&
		    have->vendor == e.vendor)
			return i;
	}
	return OFE_OK;
}

void
of_encode_error(struct of_buf *b, uint8_t version, const struct of_error *err, const uint8_t *offender, uint32_t len)
{
	struct wire_error e = wire_error_put(err->id ? err->id : OFE_BRC_BAD_TYPE, version);
	struct of_error_msg body = { .type = e.type, .code = e.code, .experimenter = e.vendor };
	struct of_msg msg = { .version = version, .kind = OFK_ERROR, .body = &body };

	if (offender && len >= OF_HEADER_LEN)
		msg.xid = wire_u32(offender + 4);
	if (!offender || err->id == OFE_HFC_INCOMPATIBLE || err->id == OFE_HFC_EPERM)
		body.data = (struct of_data){ (const uint8_t *)err->why, (uint32_t)strlen(err->why) };
	else
		body.data = (struct of_data){ offender, MIN_OF(len, (uint32_t)QUOTE_LEN) };
	of_encode(b, &msg);
}

/* --- The message -------------------------------------------------------------------------------- */

wire_get_fn wh_error_get;
wire_put_fn wh_error_put;

int
wh_error_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_error_msg *e = native;

	if (wire_left(r) < 4)
		return wire_bad(r, OFE_BRC_BAD_LEN, "error of %zu bytes", wire_left(r));
	e->type = wire_u16(r->p);
	e->code = wire_u16(r->p + 2);
	r->p += 4;
	if (e->type == ERR_EXPERIMENTER && r->version >= OF12) {
		if (wire_left(r) < 4)
			return wire_bad(r, OFE_BRC_BAD_LEN, "error without an experimenter");
		e->experimenter = wire_u32(r->p);
		r->p += 4;
	} else if (e->type == ERR_NX_VENDOR && r->version < OF12) {
		if (wire_left(r) < 8 || !wire_u32(r->p))
			return wire_bad(r, OFE_BRC_BAD_LEN, "error without a vendor");
		e->experimenter = wire_u32(r->p);
		e->type = wire_u16(r->p + 4);
		e->code = wire_u16(r->p + 6);
		r->p += 8;
	}
	e->id = wire_error_get((struct wire_error){ e->type, e->code, e->experimenter }, r->version);
	e->data = (struct of_data){ r->p, (uint32_t)wire_left(r) };
	r->p = r->end;
	return 0;
}

void
wh_error_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_error_msg *e = native;
	/* Its number may be 0, and has to be there all the same. */
	bool experimenter = w->version >= OF12 && e->type == ERR_EXPERIMENTER;
	uint8_t *p;

	if (e->experimenter && w->version < OF12) {
		p = wire_add(w->buf, 12);
		wire_store(p, 2, ERR_NX_VENDOR);
		wire_store(p + 4, 4, e->experimenter);
		wire_store(p + 8, 2, e->type);
		wire_store(p + 10, 2, e->code);
	} else {
		p = wire_add(w->buf, experimenter ? 8 : 4);
		wire_store(p, 2, e->type);
		wire_store(p + 2, 2, e->code);
		if (experimenter)
			wire_store(p + 4, 4, e->experimenter);
	}
	if (e->data.len)
		memcpy(wire_add(w->buf, e->data.len), e->data.data, e->data.len);
}
