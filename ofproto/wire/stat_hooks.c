/* SPDX-License-Identifier: Apache-2.0 */
/* Members of statistics and groups that tables cannot describe: 1.5's OXS lists, table features, flow updates, the
 * selection method of groups. */
#include "base/util.h"
#include "ofproto/wire/wire_priv.h"

wire_get_fn wh_oxs_removed_get, wh_oxs_row_get, wh_oxs_aggregate_get, wh_group_mod_get, wh_group_mod_selection_get,
	wh_group_desc_selection_get, wh_group_desc_get, wh_table_features_get, wh_monitor_row_get,
	wh_meter_features_get;
wire_put_fn wh_oxs_removed_put, wh_oxs_row_put, wh_oxs_aggregate_put, wh_group_mod_put, wh_group_mod_selection_put,
	wh_group_desc_selection_put, wh_group_desc_put, wh_table_features_put, wh_monitor_row_put,
	wh_meter_features_put;

/* --- OXS ---------------------------------------------------------------------------------------- */

enum { OXS_CLASS = 0x8002, OXS_DURATION = 0, OXS_IDLE = 1, OXS_FLOWS = 3, OXS_PACKETS = 4, OXS_BYTES = 5 };

struct oxs {
	uint64_t packets, bytes;
	uint32_t duration_s, duration_ns, idle_s, flows;
	bool has_idle;
};

static int
get_oxs_field(struct wire_rd *r, const uint8_t *p, struct oxs *s)
{
	static const uint8_t sizes[] = { 8, 8, 0, 4, 8, 8 };
	uint32_t header = wire_u32(p);
	unsigned field = header >> 9 & 0x7f;

	if (header >> 16 != OXS_CLASS || field >= ARRAY_SIZE(sizes))
		return 0;
	if ((header & 0xff) != sizes[field])
		return wire_bad(r, OFE_BRC_BAD_LEN, "statistics field %u of %u bytes", field, header & 0xff);
	p += 4;
	switch (field) {
	case OXS_DURATION:
		s->duration_s = wire_u32(p);
		s->duration_ns = wire_u32(p + 4);
		break;
	case OXS_IDLE:
		s->idle_s = wire_u32(p);
		s->has_idle = true;
		break;
	case OXS_FLOWS:
		s->flows = wire_u32(p);
		break;
	case OXS_PACKETS:
		s->packets = wire_load(p, 8);
		break;
	case OXS_BYTES:
		s->bytes = wire_load(p, 8);
		break;
	}
	return 0;
}

static int
get_oxs(struct wire_rd *r, struct oxs *s)
{
	const uint8_t *p = r->p + 4, *end;
	size_t len, padded;

	*s = (struct oxs){ .packets = 0 };
	if (wire_left(r) < 8 || (len = wire_u16(r->p + 2)) < 4)
		return wire_bad(r, OFE_BRC_BAD_LEN, "statistics");
	padded = (len + 7) & ~(size_t)7;
	if (padded > wire_left(r))
		return wire_bad(r, OFE_BRC_BAD_LEN, "statistics of %zu bytes", len);
	end = r->p + len;
	while (p < end) {
		if (end - p < 4 || end - p - 4 < p[3])
			return wire_bad(r, OFE_BRC_BAD_LEN, "statistics field");
		if (get_oxs_field(r, p, s))
			return -1;
		p += 4 + p[3];
	}
	r->p += padded;
	return 0;
}

static void
put_oxs_field(struct wire_wr *w, unsigned field, unsigned len, uint64_t v)
{
	uint8_t *p = wire_add(w->buf, 4 + len);

	wire_store(p, 4, (uint32_t)OXS_CLASS << 16 | field << 9 | len);
	wire_store(p + 4, len, v);
}

static void
put_oxs_end(struct wire_wr *w, size_t start)
{
	wire_store(wire_at(w, start + 2), 2, w->buf->len - start);
	wire_pad8(w->buf, start);
}

int
wh_oxs_removed_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_flow_removed *f = native;
	struct oxs s;

	if (get_oxs(r, &s))
		return -1;
	f->packets = s.packets;
	f->bytes = s.bytes;
	f->duration_s = s.duration_s;
	f->duration_ns = s.duration_ns;
	return 0;
}

void
wh_oxs_removed_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_flow_removed *f = native;
	size_t start = w->buf->len;

	wire_add(w->buf, 4);
	put_oxs_field(w, OXS_DURATION, 8, (uint64_t)f->duration_s << 32 | f->duration_ns);
	put_oxs_field(w, OXS_PACKETS, 8, f->packets);
	put_oxs_field(w, OXS_BYTES, 8, f->bytes);
	put_oxs_end(w, start);
}

int
wh_oxs_row_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_flow_row *f = native;
	struct oxs s;

	if (get_oxs(r, &s))
		return -1;
	f->packets = s.packets;
	f->bytes = s.bytes;
	f->duration_s = s.duration_s;
	f->duration_ns = s.duration_ns;
	if (s.has_idle)
		f->idle_age_s = (int32_t)MIN_OF(s.idle_s, (uint32_t)INT32_MAX);
	return 0;
}

void
wh_oxs_row_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_flow_row *f = native;
	size_t start = w->buf->len;

	wire_add(w->buf, 4);
	put_oxs_field(w, OXS_DURATION, 8, (uint64_t)f->duration_s << 32 | f->duration_ns);
	if (f->idle_age_s >= 0)
		put_oxs_field(w, OXS_IDLE, 8, (uint64_t)f->idle_age_s << 32);
	put_oxs_field(w, OXS_PACKETS, 8, f->packets);
	put_oxs_field(w, OXS_BYTES, 8, f->bytes);
	put_oxs_end(w, start);
}

int
wh_oxs_aggregate_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_aggregate *a = native;
	struct oxs s;

	if (get_oxs(r, &s))
		return -1;
	*a = (struct of_aggregate){ .packets = s.packets, .bytes = s.bytes, .flows = s.flows };
	return 0;
}

void
wh_oxs_aggregate_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_aggregate *a = native;
	size_t start = w->buf->len;

	wire_add(w->buf, 4);
	put_oxs_field(w, OXS_FLOWS, 4, a->flows);
	put_oxs_field(w, OXS_PACKETS, 8, a->packets);
	put_oxs_field(w, OXS_BYTES, 8, a->bytes);
	put_oxs_end(w, start);
}

/* --- Groups ------------------------------------------------------------------------------------- */

/* Before 1.5 buckets have no numbers: their places stand for them. */
static void
number_buckets(const struct wire_rd *r, uint32_t n, const struct of_bucket *buckets)
{
	struct of_bucket *b;

	memcpy(&b, &buckets, sizeof b);         /* Ours, in the arena. */
	if (r->layout < OF15)
		for (uint32_t i = 0; i < n; i++)
			b[i].id = i;
}

int
wh_group_mod_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_group_mod *g = native;
	bool bucket_command = g->command == OFGC_INSERT_BUCKET || g->command == OFGC_REMOVE_BUCKET;

	number_buckets(r, g->n_buckets, g->buckets);
	if (r->layout < OF15)
		g->command_bucket_id = 0xffffffff;
	if (g->command > OFGC_DELETE && g->command != OFGC_ADD_OR_MOD && (r->layout < OF15 || !bucket_command))
		return wire_bad(r, OFE_GMFC_BAD_COMMAND, "command %u", g->command);
	if (g->type > OFGT_FF && g->command != OFGC_DELETE && !bucket_command)
		return wire_bad(r, OFE_GMFC_BAD_TYPE, "type %u", g->type);
	return 0;
}

void
wh_group_mod_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}

int
wh_group_desc_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_group_desc *g = native;

	number_buckets(r, g->n_buckets, g->buckets);
	return 0;
}

void
wh_group_desc_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}

static bool
set_has(const struct of_field_set *s, unsigned f)
{
	return s->bits[f / 64] >> f % 64 & 1;
}

static void
set_add(struct of_field_set *s, unsigned f)
{
	s->bits[f / 64] |= 1ull << f % 64;
}

/* Netronome's property: the method, its parameter, and the fields that are hashed, each with a mask as its value; a
 * field counts as a whole. */
static int
get_selection(struct wire_rd *r, char method[16], uint64_t *param, struct of_field_set *fields)
{
	const uint8_t *p = r->p;

	if (wire_left(r) < 36)
		return wire_bad(r, OFE_BPC_BAD_EXPERIMENTER, "group property");
	if (wire_u32(p) != NTR_VENDOR)
		return wire_bad(r, OFE_BPC_BAD_EXPERIMENTER, "experimenter %#x", wire_u32(p));
	if (wire_u32(p + 4) != 1)
		return wire_bad(r, OFE_BPC_BAD_EXP_TYPE, "type %u", wire_u32(p + 4));
	memcpy(method, p + 12, 15);
	*param = wire_load(p + 28, 8);
	r->p += 36;
	while (wire_left(r) >= 4) {
		const struct of_field_code *c;
		bool masked;

		c = wire_get_header(r, &masked);
		if (!c || masked || wire_left(r) < c->len)
			return wire_bad(r, OFE_BPC_BAD_VALUE, "fields to hash");
		set_add(fields, c->field);
		r->p += c->len;
	}
	if (wire_left(r))
		return wire_bad(r, OFE_BPC_BAD_LEN, "fields to hash");
	return 0;
}

static void
put_selection(struct wire_wr *w, const char *method, uint64_t param, const struct of_field_set *fields)
{
	uint8_t *p = wire_add(w->buf, 36);

	wire_store(p, 4, NTR_VENDOR);
	wire_store(p + 4, 4, 1);
	memcpy(p + 12, method, strnlen(method, 15));
	wire_store(p + 28, 8, param);
	for (unsigned f = 0; f < OFF_N_FIELDS; f++) {
		const struct of_field_code *c;
		uint8_t mask[OF_VALUE_MAX];

		if (!set_has(fields, f))
			continue;
		c = wire_field_code(f, w->version, w->version < OF12);
		wire_put_header(w->buf, c, false);
		of_field_full_mask(f, mask);
		wire_value_put(c, mask, wire_add(w->buf, c->len));
	}
}

int
wh_group_mod_selection_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_group_mod *g = native;

	return get_selection(r, g->selection_method, &g->selection_param, &g->selection_fields);
}

void
wh_group_mod_selection_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_group_mod *g = native;

	put_selection(w, g->selection_method, g->selection_param, &g->selection_fields);
}

int
wh_group_desc_selection_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_group_desc *g = native;

	return get_selection(r, g->selection_method, &g->selection_param, &g->selection_fields);
}

void
wh_group_desc_selection_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_group_desc *g = native;

	put_selection(w, g->selection_method, g->selection_param, &g->selection_fields);
}

/* --- Table features ----------------------------------------------------------------------------- */

enum tf_kind { TF_IDS, TF_TABLES, TF_FIELDS };
struct tf_prop {
	uint8_t type;
	uint8_t kind;                   /* enum tf_kind. */
	uint8_t since;
	bool miss;                      /* Left out where it is as the one before it. */
	bool masks;
	uint16_t member;
};
#define TF(n, k, v, m) { (n), (k), (v), false, false, offsetof(struct of_table_features, m) }
#define TF_MISS(n, k, v, m) { (n), (k), (v), true, false, offsetof(struct of_table_features, m) }
/* Each miss property is right behind the one for hits. */
static const struct tf_prop tf_props[] = {
	TF(0, TF_IDS, OF13, instructions), TF_MISS(1, TF_IDS, OF13, miss_instructions),
	TF(2, TF_TABLES, OF13, next_tables), TF_MISS(3, TF_TABLES, OF13, miss_next_tables),
	TF(4, TF_IDS, OF13, write_actions), TF_MISS(5, TF_IDS, OF13, miss_write_actions),
	TF(6, TF_IDS, OF13, apply_actions), TF_MISS(7, TF_IDS, OF13, miss_apply_actions),
	{ 8, TF_FIELDS, OF13, false, true, offsetof(struct of_table_features, match) },
	TF(10, TF_FIELDS, OF13, wildcards),
	TF(12, TF_FIELDS, OF13, write_setfield), TF_MISS(13, TF_FIELDS, OF13, miss_write_setfield),
	TF(14, TF_FIELDS, OF13, apply_setfield), TF_MISS(15, TF_FIELDS, OF13, miss_apply_setfield),
	TF(18, TF_FIELDS, OF15, write_copyfield), TF_MISS(19, TF_FIELDS, OF15, miss_write_copyfield),
	TF(20, TF_FIELDS, OF15, apply_copyfield), TF_MISS(21, TF_FIELDS, OF15, miss_apply_copyfield),
};
enum { TF_SYNC_FROM = 16, TF_PACKET_TYPES = 22, TF_EXPERIMENTER = 0xfffe };

static const size_t tf_size[] = { [TF_IDS] = 4, [TF_TABLES] = 32, [TF_FIELDS] = sizeof(struct of_field_set) };

/* Ids of instructions or actions: type and length, and an experimenter's data behind it, which is skipped. */
static int
get_ids(struct wire_rd *r, uint32_t *set)
{
	while (wire_left(r)) {
		size_t len;
		unsigned type;

		if (wire_left(r) < 4 || (len = wire_u16(r->p + 2)) < 4 || len > wire_left(r))
			return wire_bad(r, OFE_TFFC_BAD_LEN, "id: %zu bytes are left", wire_left(r));
		type = wire_u16(r->p);
		if (type < 32)
			*set |= 1u << type;
		r->p += len;
	}
	return 0;
}

static int
get_fields(struct wire_rd *r, struct of_field_set *set)
{
	while (wire_left(r)) {
		const struct of_field_code *c;
		uint32_t header, experimenter = 0;

		if (wire_left(r) < 4)
			return wire_bad(r, OFE_TFFC_BAD_LEN, "field");
		header = wire_u32(r->p);
		r->p += 4;
		if (header >> 16 == 0xffff) {
			if (wire_left(r) < 4)
				return wire_bad(r, OFE_TFFC_BAD_LEN, "field");
			experimenter = wire_u32(r->p);
			r->p += 4;
		}
		c = of_field_by_code((uint16_t)(header >> 16), (uint8_t)(header >> 9 & 0x7f), experimenter);
		if (!c)
			return wire_bad(r, OFE_TFFC_BAD_ARGUMENT, "field %#x", header);
		set_add(set, c->field);
	}
	return 0;
}

static int
get_tf_prop(struct wire_rd *r, unsigned type, struct of_table_features *t, uint32_t *seen)
{
	const struct tf_prop *p = NULL;
	uint8_t *member;

	for (unsigned i = 0; i < ARRAY_SIZE(tf_props); i++)
		if (tf_props[i].type == type && tf_props[i].since <= r->version)
			p = &tf_props[i];
	if (!p) {
		r->p = r->end;
		return type == TF_SYNC_FROM || type == TF_PACKET_TYPES || type >= TF_EXPERIMENTER ? 0 :
		       wire_bad(r, OFE_TFFC_BAD_TYPE, "property %u", type);
	}
	*seen |= 1u << type;
	member = (uint8_t *)t + p->member;
	if (p->kind == TF_IDS)
		return get_ids(r, (uint32_t *)(void *)member);
	if (p->kind == TF_FIELDS)
		return get_fields(r, (struct of_field_set *)(void *)member);
	for (; r->p < r->end; r->p++)
		((uint64_t *)(void *)member)[*r->p / 64] |= 1ull << *r->p % 64;
	return 0;
}

int
wh_table_features_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_table_features *t = native;
	const uint8_t *outer = r->end;
	uint32_t seen = 0;

	while (r->p < outer) {
		const uint8_t *next;
		unsigned type;
		size_t len;

		if (wire_left(r) < 4)
			return wire_bad(r, OFE_TFFC_BAD_LEN, "property");
		type = wire_u16(r->p);
		len = wire_u16(r->p + 2);
		if (len < 4 || ((len + 7) & ~(size_t)7) > wire_left(r))
			return wire_bad(r, OFE_TFFC_BAD_LEN, "property of %zu bytes", len);
		next = r->p + ((len + 7) & ~(size_t)7);
		r->end = r->p + len;
		r->p += 4;
		if (get_tf_prop(r, type, t, &seen))
			return -1;
		r->p = next;
		r->end = outer;
	}
	for (unsigned i = 1; i < ARRAY_SIZE(tf_props); i++)
		if (tf_props[i].miss && !(seen >> tf_props[i].type & 1))
			memmove((uint8_t *)t + tf_props[i].member, (uint8_t *)t + tf_props[i - 1].member, tf_size[tf_props[i].kind]);
	return 0;
}

/* 1.5 has made COPY_FIELD and METER actions; the instruction METER is gone there. */
static bool
has_id(const struct tf_prop *p, unsigned id, uint8_t version)
{
	enum { PROP_MISS_INSTRUCTIONS = 1, IT_METER = 6, AT_COPY_FIELD = 28 };

	if (p->type <= PROP_MISS_INSTRUCTIONS)
		return version < OF15 || id != IT_METER;
	return version >= OF15 || id < AT_COPY_FIELD;
}

static void
put_fields(struct wire_wr *w, const struct tf_prop *p, const struct of_field_set *set)
{
	for (unsigned f = 0; f < OFF_N_FIELDS; f++) {
		const struct of_field_code *c = wire_field_code(f, w->version, false);

		if (set_has(set, f) && wire_field_is_in(c, w->version))
			wire_put_header(w->buf, c, p->masks && of_field_info[f].flags & OF_FIELD_MASKABLE);
	}
}

static void
put_tf_value(struct wire_wr *w, const struct tf_prop *p, const uint8_t *member)
{
	const uint64_t *tables = (const uint64_t *)(const void *)member;

	switch (p->kind) {
	case TF_IDS:
		for (unsigned i = 0; i < 32; i++)
			if (*(const uint32_t *)(const void *)member >> i & 1 && has_id(p, i, w->version)) {
				uint8_t *id = wire_add(w->buf, 4);

				wire_store(id, 2, i);
				wire_store(id + 2, 2, 4);
			}
		break;
	case TF_TABLES:
		for (unsigned i = 0; i < 256; i++)
			if (tables[i / 64] >> i % 64 & 1)
				*wire_add(w->buf, 1) = (uint8_t)i;
		break;
	default:
		put_fields(w, p, (const struct of_field_set *)(const void *)member);
	}
}

void
wh_table_features_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	for (unsigned i = 0; i < ARRAY_SIZE(tf_props); i++) {
		const struct tf_prop *p = &tf_props[i];
		const uint8_t *member = (const uint8_t *)native + p->member;
		size_t start = w->buf->len;

		if (p->since > w->version || (p->miss && !memcmp(member, (const uint8_t *)native + p[-1].member, tf_size[p->kind])))
			continue;
		wire_store(wire_add(w->buf, 4), 2, p->type);
		put_tf_value(w, p, member);
		wire_store(wire_at(w, start + 2), 2, w->buf->len - start);
		wire_pad8(w->buf, start);
	}
}

/* --- Flow updates ------------------------------------------------------------------------------- */

/* Nicira's and ONF's numbers of events: no INITIAL, so all are one less. */
static uint16_t
event_from(const struct wire_rd *r, uint16_t event)
{
	return r->form == OFMF_STD ? event : event + 1u;
}

/* Nicira's: reason, priority, timeouts, length of the match, table.  1.4's: table, reason, timeouts, priority.  20 bytes
 * each, cookie included, before the match. */
static int
get_full(struct wire_rd *r, struct of_monitor_row *m)
{
	struct omatch *match = of_arena_alloc(r->arena, sizeof *match);
	const uint8_t *p = r->p;
	size_t len;

	if (wire_left(r) < 20)
		return wire_bad(r, OFE_BRC_BAD_LEN, "update: %zu bytes are left", wire_left(r));
	m->match = match;
	m->cookie = wire_load(p + 12, 8);
	r->p += 20;
	if (r->form == OFMF_STD) {
		m->table_id = p[0];
		m->reason = p[1];
		m->idle_timeout = wire_u16(p + 2);
		m->hard_timeout = wire_u16(p + 4);
		m->priority = wire_u16(p + 6);
		return wire_get_match(r, match) || wire_get_instr(r, &m->acts) ? -1 : 0;
	}
	m->reason = (uint8_t)wire_u16(p);
	m->priority = wire_u16(p + 2);
	m->idle_timeout = wire_u16(p + 4);
	m->hard_timeout = wire_u16(p + 6);
	len = wire_u16(p + 8);
	m->table_id = p[10];
	if (r->form == OFMF_ONF)
		return wire_get_match(r, match) || wire_get_instr(r, &m->acts) ? -1 : 0;
	if (((len + 7) & ~(size_t)7) > wire_left(r))
		return wire_bad(r, OFE_BRC_BAD_LEN, "match of %zu bytes", len);
	p = r->p;
	r->p += (len + 7) & ~(size_t)7;
	return wire_get_oxm(r, p, len, match, NULL) || wire_get_acts(r, wire_left(r), &m->acts) ? -1 : 0;
}

int
wh_monitor_row_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_monitor_row *m = native;

	if (wire_left(r) < 6)
		return wire_bad(r, OFE_BRC_BAD_LEN, "update: %zu bytes are left", wire_left(r));
	m->event = event_from(r, wire_u16(r->p));
	r->p += 2;
	switch (m->event) {
	case OFME_ABBREV:
		m->xid = wire_u32(r->p);
		r->p += 4;
		return 0;
	case OFME_PAUSED:
	case OFME_RESUMED:
		r->p += 4;
		return 0;
	case OFME_INITIAL:
	case OFME_ADDED:
	case OFME_REMOVED:
	case OFME_MODIFIED:
		return get_full(r, m);
	default:
		return wire_bad(r, OFE_BRC_BAD_TYPE, "event %u", m->event);
	}
}

static void
put_full(struct wire_wr *w, const struct of_monitor_row *m)
{
	size_t at = w->buf->len, start;
	uint8_t *p = wire_add(w->buf, 20);

	wire_store(p + 12, 8, m->cookie);
	if (w->form == OFMF_STD) {
		p[0] = m->table_id;
		p[1] = m->reason;
		wire_store(p + 2, 2, m->idle_timeout);
		wire_store(p + 4, 2, m->hard_timeout);
		wire_store(p + 6, 2, m->priority);
	} else {
		wire_store(p, 2, m->reason);
		wire_store(p + 2, 2, m->priority);
		wire_store(p + 4, 2, m->idle_timeout);
		wire_store(p + 6, 2, m->hard_timeout);
		p[10] = m->table_id;
	}
	w->match = m->match;
	start = w->buf->len;
	if (w->form != OFMF_NX) {
		wire_put_match(w, m->match);
		if (w->form == OFMF_ONF)
			wire_store(wire_at(w, at + 8), 2, w->buf->len - start);
		wire_put_instr(w, m->acts);
		return;
	}
	wire_put_oxm(w, m->match, true, NULL);
	wire_store(wire_at(w, at + 8), 2, w->buf->len - start);
	wire_pad8(w->buf, start);
	wire_put_acts(w, m->acts);
}

void
wh_monitor_row_put(struct wire_wr *w, size_t at UNUSED, const void *native)
{
	const struct of_monitor_row *m = native;
	unsigned event = m->event;

	if (w->form != OFMF_STD)
		event = event ? event - 1 : 0;
	wire_store(wire_add(w->buf, 2), 2, event);
	if (m->event < OFME_ABBREV)
		put_full(w, m);
	else
		wire_store(wire_add(w->buf, 4), 4, m->event == OFME_ABBREV ? m->xid : 0);
}

/* --- Meter features ----------------------------------------------------------------------------- */

/* 1.5 has 8 bytes more, which Open vSwitch, and so everybody who talks 1.5 to it, neither sends nor takes. */
int
wh_meter_features_get(struct wire_rd *r, const uint8_t *at UNUSED, void *native)
{
	struct of_meter_features *f = native;

	if (r->version == OF15 && wire_left(r) == 8) {
		f->features = wire_u32(r->p);
		r->p += 8;
	}
	return 0;
}

void
wh_meter_features_put(struct wire_wr *w UNUSED, size_t at UNUSED, const void *native UNUSED)
{
}
