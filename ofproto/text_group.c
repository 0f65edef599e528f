/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as text; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

/* What a command takes. */
enum {
	G_TYPE = 1 << 0,                /* And how to select. */
	G_BUCKETS = 1 << 1,
	G_PLACE = 1 << 2,
	G_PLACE_ALL = 1 << 3,
};

static const char *const types[] = { "all", "select", "indirect", "ff", NULL };

static const struct command {
	const char *name;
	uint16_t command;
	unsigned takes;
	const char *shown;
} commands[] = {
	{ "add", OFGC_ADD, G_TYPE | G_BUCKETS, "ADD" },
	{ "modify", OFGC_MODIFY, G_TYPE | G_BUCKETS, "MOD" },
	{ "add_or_mod", OFGC_ADD_OR_MOD, G_TYPE | G_BUCKETS, "ADD_OR_MOD" },
	{ "delete", OFGC_DELETE, 0, "DEL" },
	{ "insert_bucket", OFGC_INSERT_BUCKET, G_BUCKETS | G_PLACE, "INSERT_BUCKET" },
	{ "remove_bucket", OFGC_REMOVE_BUCKET, G_PLACE | G_PLACE_ALL, "REMOVE_BUCKET" },
};

static const struct command *
find_command(unsigned command)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			return &commands[i];
	return NULL;
}

/* --- Parsing ------------------------------------------------------------------------------------ */

/* 1: taken; 0: it is an action. */
static int
bucket_item(struct tx *x, const struct tx_item *i, struct of_bucket *b, bool *has_id)
{
	int rc;

	if (tx_is_nocase(i->key, "weight")) {
		rc = tx_u16(x, i->value, "weight", &b->weight);
	} else if (tx_is_nocase(i->key, "watch_port")) {
		rc = tx_port(x, i->value, "watch_port", &b->watch_port);
		if (!rc && b->watch_port >= (uint32_t)OFPP_MAX && b->watch_port != (uint32_t)OFPP_ANY &&
		    b->watch_port != (uint32_t)OFPP_CONTROLLER && b->watch_port != (uint32_t)OFPP_LOCAL)
			rc = tx_bad(x, i->value.s, "watch_port: not a port that can be watched");
	} else if (tx_is_nocase(i->key, "watch_group")) {
		rc = tx_u32(x, i->value, "watch_group", &b->watch_group);
		if (!rc && b->watch_group > OFG_MAX)
			rc = tx_bad(x, i->value.s, "watch_group: at most %u", OFG_MAX);
	} else if (tx_is_nocase(i->key, "bucket_id")) {
		*has_id = true;
		rc = tx_u32(x, i->value, "bucket_id", &b->id);
		if (!rc && b->id > OFG_MAX)
			rc = tx_bad(x, i->value.s, "bucket_id: at most %u", OFG_MAX);
	} else {
		return 0;
	}
	return rc ? rc : 1;
}

static int
parse_bucket(struct tx *x, struct tx_str s, uint8_t type, struct of_arena *arena, struct of_bucket *b, bool *has_id)
{
	struct of_act_buf acts = { .data = NULL };
	struct tx_str rest = s;
	bool has_acts = false;
	struct tx_item item;
	int rc;

	*b = (struct of_bucket){ .weight = type == OFGT_SELECT, .watch_port = (uint32_t)OFPP_ANY,
				 .watch_group = OFG_ANY };
	while ((rc = tx_next(x, &rest, &item)) > 0) {
		/* Words beside the bucket's own are actions, with or without "actions=" before the first. */
		struct tx_str whole = tx_str(item.key.s, (size_t)(rest.s - item.key.s));

		rc = bucket_item(x, &item, b, has_id);
		if (!rc) {
			has_acts = true;
			if (tx_is_nocase(item.key, "actions") || tx_is_nocase(item.key, "action"))
				whole = item.value;
			rc = tx_acts(x, whole, false, false, &acts);
		}
		if (rc < 0)
			break;
	}
	if (!rc && !has_acts)
		rc = tx_bad(x, s.s, "a bucket has actions (actions=drop for none)");
	if (!rc && type == OFGT_FF && b->watch_port == (uint32_t)OFPP_ANY && b->watch_group == OFG_ANY)
		rc = tx_bad(x, s.s, "a bucket of a fast failover group has a watch_port or watch_group");
	if (!rc && type != OFGT_SELECT && b->weight)
		rc = tx_bad(x, s.s, "weights are for groups of type select");
	if (!rc && acts.len > OF_ACTS_MAX)
		rc = tx_bad(x, s.s, "too many actions");
	if (!rc && acts.len) {
		void *copy = of_arena_alloc(arena, acts.len);

		memcpy(copy, acts.data, acts.len);
		b->acts = (struct of_acts){ .a = copy, .len = acts.len };
	}
	of_act_buf_fini(&acts);
	return rc;
}

/* Where the next "bucket=" starts, as a word of its own; 's.n' when there is none. */
static size_t
find_bucket(struct tx_str s, size_t from)
{
	static const char word[] = "bucket=";

	for (size_t i = from; i + sizeof word - 1 <= s.n; i++)
		if (!memcmp(s.s + i, word, sizeof word - 1) && (!i || memchr(", \t\r\n", s.s[i - 1], 5)))
			return i;
	return s.n;
}

/* Ids that were not given are the lowest that are free. */
static void
number_buckets(struct of_bucket *b, const bool *has_id, unsigned n)
{
	uint32_t next = 0;

	for (unsigned i = 0; i < n; i++) {
		bool taken = !has_id[i];

		while (taken) {
			taken = false;
			for (unsigned k = 0; k < n && !taken; k++)
				taken = has_id[k] && b[k].id == next;
			next += taken;
		}
		if (!has_id[i])
			b[i].id = next++;
	}
}

enum { BUCKETS_MAX = 4096 };

static int
parse_buckets(struct tx *x, struct tx_str s, struct of_arena *arena, struct of_group_mod *gm)
{
	bool has_id[BUCKETS_MAX] = { false };
	struct of_bucket *b;
	unsigned n = 0;
	int rc = 0;

	for (size_t at = find_bucket(s, 0); at < s.n; at = find_bucket(s, at + 1))
		n++;
	if (n > BUCKETS_MAX)
		return tx_bad(x, s.s, "at most %u buckets", BUCKETS_MAX);
	if (!n)
		return 0;
	b = of_arena_alloc(arena, n * sizeof *b);
	gm->buckets = b;
	gm->n_buckets = n;
	n = 0;
	for (size_t at = find_bucket(s, 0), end; !rc && at < s.n; at = end, n++) {
		size_t start = at + strlen("bucket=");

		end = find_bucket(s, start);
		rc = parse_bucket(x, tx_str(s.s + start, end - start), gm->type, arena, &b[n], &has_id[n]);
	}
	if (!rc)
		number_buckets(b, has_id, n);
	return rc;
}

static int
group_fields(struct tx *x, struct tx_str s, struct of_group_mod *gm)
{
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	struct tx_item item;
	enum of_field f;
	int rc;

	while ((rc = tx_next(x, &s, &item)) > 0) {
		f = tx_field(item.key);
		if (f == OFF_NONE)
			return tx_bad_field(x, item.key);
		if (item.sep) {
			rc = tx_value(x, f, item.value, value, mask);
			if (rc)
				return rc;
			if (!tx_is_ones(f, value))
				return tx_bad(x, item.value.s, "fields: %s is hashed as a whole", tx_field_name(f));
		}
		gm->selection_fields.bits[f / 64] |= 1ull << f % 64;
	}
	return rc;
}

static int
group_type(struct tx *x, struct tx_str s, uint8_t *type)
{
	for (uint8_t i = 0; types[i]; i++)
		if (tx_is(s, types[i])) {
			*type = i;
			return 0;
		}
	if (tx_is(s, "fast_failover")) {
		*type = OFGT_FF;
		return 0;
	}
	return tx_bad_word(x, s, "type of group", types);
}

static int
group_place(struct tx *x, struct tx_str s, unsigned takes, uint32_t *place)
{
	int rc = 0;

	if (tx_is(s, "all"))
		*place = OFG_BUCKET_ALL;
	else if (tx_is(s, "first"))
		*place = OFG_BUCKET_FIRST;
	else if (tx_is(s, "last"))
		*place = OFG_BUCKET_LAST;
	else
		rc = tx_u32(x, s, "command_bucket_id", place);
	if (!rc && *place > OFG_MAX && *place < OFG_BUCKET_FIRST)
		rc = tx_bad(x, s.s, "command_bucket_id: at most %u, first, last or all", OFG_MAX);
	if (!rc && *place == OFG_BUCKET_ALL && !(takes & G_PLACE_ALL))
		rc = tx_bad(x, s.s, "command_bucket_id: 'all' does not go with this command");
	return rc;
}

static int
group_id(struct tx *x, struct tx_str s, uint32_t *id)
{
	int rc = 0;

	if (tx_is(s, "all"))
		*id = OFG_ALL;
	else
		rc = tx_u32(x, s, "group_id", id);
	if (!rc && *id > OFG_MAX && *id != OFG_ALL)
		rc = tx_bad(x, s.s, "group_id: at most %u", OFG_MAX);
	return rc;
}

static int
group_item(struct tx *x, const struct tx_item *i, unsigned takes, struct of_group_mod *gm)
{
	static const char *const keys[] = { "group_id", "type", "selection_method", "selection_method_param", "fields",
					    "command_bucket_id", "bucket", NULL };
	static const unsigned need[] = { 0, G_TYPE, G_TYPE, G_TYPE, G_TYPE, G_PLACE };
	unsigned k;

	for (k = 0; k < ARRAY_SIZE(need) && !tx_is(i->key, keys[k]); k++)
		;
	if (k == ARRAY_SIZE(need))
		return tx_bad_word(x, i->key, "keyword", keys);
	if (need[k] && !(takes & need[k]))
		return tx_bad(x, i->key.s, "'%s' does not go with this command", keys[k]);
	switch (k) {
	case 0:
		return group_id(x, i->value, &gm->group_id);
	case 1:
		return group_type(x, i->value, &gm->type);
	case 2:
		if (!tx_copy(i->value, gm->selection_method, sizeof gm->selection_method))
			return tx_bad(x, i->value.s, "selection_method: at most %zu bytes",
				      sizeof gm->selection_method - 1);
		return 0;
	case 3:
		return tx_u64(x, i->value, keys[k], UINT64_MAX, &gm->selection_param);
	case 4:
		return group_fields(x, i->value, gm);
	default:
		return group_place(x, i->value, takes, &gm->command_bucket_id);
	}
}

/* What must be said, when all is known. */
static int
check_group(struct tx *x, struct tx_str s, unsigned takes, bool has_type, bool has_place,
	    const struct of_group_mod *gm)
{
	bool any_fields = gm->selection_fields.bits[0] || gm->selection_fields.bits[ARRAY_SIZE(gm->selection_fields.bits) - 1];

	if (gm->group_id == OFG_ANY)
		return tx_bad(x, s.s, "which group? group_id=... is missing");
	if (takes & G_TYPE && !has_type)
		return tx_bad(x, s.s, "type=... is missing: all, select, indirect or ff");
	if (takes & G_PLACE && !has_place)
		return tx_bad(x, s.s, "command_bucket_id=... is missing");
	if (gm->type == OFGT_INDIRECT && takes & G_TYPE && gm->n_buckets > 1)
		return tx_bad(x, s.s, "an indirect group has one bucket");
	if (gm->selection_method[0] && gm->type != OFGT_SELECT)
		return tx_bad(x, s.s, "selection_method is for groups of type select");
	if (!gm->selection_method[0] && (gm->selection_param || any_fields))
		return tx_bad(x, s.s, "selection_method_param and fields need a selection_method");
	return 0;
}

static int
parse_group(struct tx *x, struct tx_str s, const struct command *c, struct of_arena *arena, struct of_group_mod *gm)
{
	size_t at = find_bucket(s, 0);
	struct tx_str head = tx_str(s.s, at), buckets = tx_str(s.s + at, s.n - at);
	bool has_type = false, has_place = false;
	struct tx_item item;
	int rc;

	*gm = (struct of_group_mod){ .command = c->command, .group_id = OFG_ANY, .command_bucket_id = OFG_BUCKET_ALL };
	if (c->command == OFGC_DELETE && !tx_trim(s).n) {
		gm->group_id = OFG_ALL;
		return 0;
	}
	if (buckets.n && !(c->takes & G_BUCKETS))
		return tx_bad(x, buckets.s, "buckets do not go with this command");
	while ((rc = tx_next(x, &head, &item)) > 0) {
		rc = group_item(x, &item, c->takes, gm);
		if (rc)
			return rc;
		has_type |= tx_is(item.key, "type");
		has_place |= tx_is(item.key, "command_bucket_id");
	}
	if (!rc)
		rc = parse_buckets(x, buckets, arena, gm);
	return rc ? rc : check_group(x, s, c->takes, has_type, has_place, gm);
}

static int
parse_group_line(struct tx *x, struct tx_str s, const struct command *c, struct of_arena *arena,
		 struct of_group_mod *gm)
{
	struct tx_str rest = s, word;

	if (tx_word(&rest, ", \t\r\n", &word))
		for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
			if (tx_is(word, commands[i].name)) {
				c = &commands[i];
				s = rest;
				break;
			}
	return parse_group(x, s, c, arena, gm);
}

int
of_parse_group_mod(const char *s, size_t len, enum of_group_command command, const struct of_names *names,
		   struct of_arena *arena, struct of_group_mod *gm, struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };

	return parse_group_line(&x, tx_str(s, len), find_command(command), arena, gm);
}

int
of_parse_group_file(const char *s, size_t len, enum of_group_command command, const struct of_names *names,
		    int (*each)(void *arg, const struct of_group_mod *, struct err *), void *arg, struct err *err)
{
	struct tx_str rest = tx_str(s, len), line, comment;
	struct of_arena *arena = of_arena_create();
	struct of_group_mod gm;
	unsigned n = 0;
	int rc = 0;

	while (!rc && rest.n) {
		struct tx x = { .names = names, .err = err };

		n++;
		tx_split(rest, '\n', &line, &rest);
		x.base = line.s;
		tx_split(line, '#', &line, &comment);
		if (!tx_trim(line).n)
			continue;
		of_arena_reset(arena);
		rc = parse_group_line(&x, line, find_command(command), arena, &gm);
		if (!rc)
			rc = each(arg, &gm, err);
		if (rc)
			err_prefix(err, "line %u", n);
	}
	of_arena_destroy(arena);
	return rc;
}

/* --- Printing ----------------------------------------------------------------------------------- */

static void
put_bucket_id(struct of_text *t, const char *label, uint32_t id, uint8_t version)
{
	static const char *const places[] = { "first", "last", "all" };

	if (version > OF10 && version < OF15)
		return;
	if (id >= OFG_BUCKET_FIRST)
		of_text_printf(t, "%s:%s,", label, places[id - OFG_BUCKET_FIRST]);
	else
		of_text_printf(t, "%s:%u,", label, id);
}

static void
put_bucket(struct of_text *t, const struct of_bucket *b, uint8_t type, uint8_t version, const struct of_names *names)
{
	of_text_puts(t, ",bucket=");
	put_bucket_id(t, "bucket_id", b->id, version);
	if (b->weight != (type == OFGT_SELECT))
		of_text_printf(t, "weight:%u,", b->weight);
	if (b->watch_port != (uint32_t)OFPP_ANY) {
		of_text_puts(t, "watch_port:");
		of_print_port(t, b->watch_port, names);
		of_text_puts(t, ",");
	}
	if (b->watch_group != OFG_ANY)
		of_text_printf(t, "watch_group:%u,", b->watch_group);
	of_text_puts(t, "actions=");
	of_print_acts(t, b->acts, names);
}

static void
put_selection(struct of_text *t, const struct of_group_desc *g)
{
	struct of_text list = { .s = NULL };
	unsigned n = 0;

	if (!g->selection_method[0])
		return;
	of_text_printf(t, ",selection_method=%.*s", (int)sizeof g->selection_method, g->selection_method);
	if (g->selection_param)
		of_text_printf(t, ",selection_method_param=%llu", (unsigned long long)g->selection_param);
	for (unsigned f = 0; f < OFF_N_FIELDS; f++)
		if (g->selection_fields.bits[f / 64] >> f % 64 & 1)
			of_text_printf(&list, "%s%s", n++ ? "," : "", tx_field_name(f));
	if (n)
		of_text_printf(t, n > 1 ? ",fields(%s)" : ",fields=%s", of_text_str(&list));
	of_text_fini(&list);
}

static void
put_group(struct of_text *t, const struct of_group_desc *g, bool with_type, uint8_t version,
	  const struct of_names *names)
{
	of_text_printf(t, "group_id=%u", g->group_id);
	if (with_type)
		of_text_printf(t, ",type=%s", g->type <= OFGT_FF ? types[g->type] : "unknown");
	put_selection(t, g);
	for (uint32_t i = 0; i < g->n_buckets; i++)
		put_bucket(t, &g->buckets[i], g->type, version, names);
}

void
of_print_group(struct of_text *t, const struct of_group_desc *g, uint8_t version, const struct of_names *names)
{
	put_group(t, g, true, version, names);
}

void
of_print_group_mod(struct of_text *t, const struct of_group_mod *gm, uint8_t version, const struct of_names *names)
{
	struct of_group_desc g = { .group_id = gm->group_id, .type = gm->type, .n_buckets = gm->n_buckets,
				   .buckets = gm->buckets, .selection_param = gm->selection_param,
				   .selection_fields = gm->selection_fields };
	const struct command *c = find_command(gm->command);
	bool place = c && c->takes & G_PLACE;

	memcpy(g.selection_method, gm->selection_method, sizeof g.selection_method);
	if (c)
		of_text_printf(t, "%s ", c->shown);
	else
		of_text_printf(t, "cmd:%u ", gm->command);
	if (place)
		put_bucket_id(t, "command_bucket_id", gm->command_bucket_id, version);
	put_group(t, &g, !place, version, names);
}

void
of_print_group_row(struct of_text *t, const struct of_group_row *g)
{
	of_text_printf(t, "group_id=%u,", g->group_id);
	if (g->duration_s != UINT32_MAX) {
		of_text_puts(t, "duration=");
		of_print_duration(t, g->duration_s, g->duration_ns);
		of_text_puts(t, ",");
	}
	of_text_printf(t, "ref_count=%u,packet_count=%llu,byte_count=%llu", g->ref_count,
		       (unsigned long long)g->packets, (unsigned long long)g->bytes);
	for (uint32_t i = 0; i < g->n_buckets; i++)
		if (g->buckets[i].packets != UINT64_MAX)
			of_text_printf(t, ",bucket%u:packet_count=%llu,byte_count=%llu", i,
				       (unsigned long long)g->buckets[i].packets,
				       (unsigned long long)g->buckets[i].bytes);
}
