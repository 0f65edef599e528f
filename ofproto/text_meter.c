/* SPDX-License-Identifier: Apache-2.0 */
/* Meters as text; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

static const struct {
	const char *name;
	uint16_t flag;
} flags[] = {
	{ "kbps", OFMF_KBPS }, { "pktps", OFMF_PKTPS }, { "burst", OFMF_BURST }, { "stats", OFMF_STATS },
};

static const struct {
	const char *name;
	uint32_t id;
} ids[] = {
	{ "all", OFM_ALL }, { "controller", OFM_CONTROLLER }, { "slowpath", OFM_SLOWPATH },
};

/* --- Parsing ------------------------------------------------------------------------------------ */

static int
meter_id(struct tx *x, struct tx_str s, uint32_t *id)
{
	int rc;

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (tx_is(s, ids[i].name)) {
			*id = ids[i].id;
			return 0;
		}
	rc = tx_u32(x, s, "meter", id);
	if (!rc && (!*id || *id > OFM_MAX))
		rc = tx_bad(x, s.s, "meter: 1 to %u, or all, controller, slowpath", OFM_MAX);
	return rc;
}

static bool
is_type(const struct tx_item *i)
{
	return tx_is(i->key, "type");
}

static int
band_type(struct tx *x, struct tx_str s, uint16_t *type)
{
	static const char *const words[] = { "drop", "dscp_remark", NULL };

	if (tx_is(s, words[0]))
		*type = OFMBT_DROP;
	else if (tx_is(s, words[1]))
		*type = OFMBT_DSCP_REMARK;
	else
		return tx_bad_word(x, s, "type of band", words);
	return 0;
}

/* "type=drop rate=1", perhaps with another "band=" before it. */
static int
band_item(struct tx *x, struct tx_item i, struct of_band *b)
{
	static const char *const keys[] = { "type", "rate", "burst_size", "prec_level", NULL };

	if (!b && !is_type(&i))
		return tx_bad(x, i.key.s, "a band starts with its type");
	if (is_type(&i))
		return band_type(x, i.value, &b->type);
	if (tx_is(i.key, "rate"))
		return tx_u32(x, i.value, "rate", &b->rate);
	if (tx_is(i.key, "burst_size"))
		return tx_u32(x, i.value, "burst_size", &b->burst);
	if (tx_is(i.key, "prec_level"))
		return tx_u8(x, i.value, "prec_level", &b->prec_level);
	return tx_bad_word(x, i.key, "keyword of a band", keys);
}

static bool
is_band(struct tx_str key)
{
	return tx_is(key, "band") || tx_is(key, "bands");
}

/* The next item of the bands; "band=type=drop" is an item twice. */
static int
next_band_item(struct tx *x, struct tx_str *rest, struct tx_item *item)
{
	int rc = tx_next(x, rest, item);

	while (rc > 0 && is_band(item->key) && item->sep) {
		size_t n = (size_t)(rest->s + rest->n - item->value.s);

		*rest = tx_str(item->value.s, n);
		rc = tx_next(x, rest, item);
	}
	return rc;
}

static int
check_band(struct tx *x, const char *at, uint16_t meter_flags, const struct of_band *b)
{
	if (!b->rate)
		return tx_bad(x, at, "a band has a rate");
	if (b->type == OFMBT_DSCP_REMARK && !b->prec_level)
		return tx_bad(x, at, "a band of type dscp_remark has a prec_level");
	if (b->type != OFMBT_DSCP_REMARK && b->prec_level)
		return tx_bad(x, at, "prec_level is for bands of type dscp_remark");
	if (meter_flags & OFMF_BURST && !b->burst)
		return tx_bad(x, at, "the bands of a meter with 'burst' have a burst_size");
	if (!(meter_flags & OFMF_BURST) && b->burst)
		return tx_bad(x, at, "burst_size goes with the flag 'burst'");
	return 0;
}

enum { BANDS_MAX = 1024 };

static int
parse_bands(struct tx *x, struct tx_str s, struct of_arena *arena, struct of_meter_mod *mm)
{
	struct tx_str rest = s;
	const char *at = s.s;
	struct tx_item item;
	struct of_band *b;
	unsigned n = 0;
	int rc;

	while ((rc = next_band_item(x, &rest, &item)) > 0)
		n += is_type(&item);
	if (rc)
		return rc;
	if (!n || n > BANDS_MAX)
		return tx_bad(x, s.s, "a meter has 1 to %u bands, each starting with its type", BANDS_MAX);
	b = of_arena_alloc(arena, n * sizeof *b);
	mm->bands = b;
	mm->n_bands = n;
	n = 0;
	while (!rc && next_band_item(x, &s, &item) > 0) {
		n += is_type(&item);
		rc = band_item(x, item, n ? &b[n - 1] : NULL);
	}
	for (unsigned i = 0; !rc && i < n; i++)
		rc = check_band(x, at, mm->flags, &b[i]);
	return rc;
}

static int
meter_item(struct tx *x, const struct tx_item *i, bool with_bands, struct of_meter_mod *mm)
{
	static const char *const keys[] = { "meter", "kbps", "pktps", "burst", "stats", "bands", NULL };

	if (tx_is(i->key, "meter"))
		return meter_id(x, i->value, &mm->meter_id);
	for (unsigned n = 0; n < ARRAY_SIZE(flags); n++)
		if (tx_is(i->key, flags[n].name)) {
			if (!with_bands)
				return tx_bad(x, i->key.s, "'%s' does not go with this command", flags[n].name);
			mm->flags |= flags[n].flag;
			return 0;
		}
	return tx_bad_word(x, i->key, "keyword", keys);
}

int
of_parse_meter_mod(const char *s, size_t len, enum of_meter_command command, struct of_arena *arena,
		   struct of_meter_mod *mm, struct err *err)
{
	struct tx x = { .base = s, .err = err };
	struct tx_str rest = tx_str(s, len), bands = { .s = NULL };
	bool with_bands = command != OFMC_DELETE;
	struct tx_item item;
	int rc;

	*mm = (struct of_meter_mod){ .command = command };
	while ((rc = tx_next(&x, &rest, &item)) > 0) {
		if (with_bands && is_band(item.key) && item.sep) {
			bands = tx_str(item.value.s, (size_t)(s + len - item.value.s));
			rc = 0;
			break;
		}
		rc = meter_item(&x, &item, with_bands, mm);
		if (rc)
			break;
	}
	if (rc)
		return rc;
	if (!mm->meter_id)
		return tx_bad(&x, s, "which meter? meter=... is missing");
	if (!with_bands)
		return 0;
	if (!(mm->flags & (OFMF_KBPS | OFMF_PKTPS)))
		return tx_bad(&x, s, "a meter counts either kbps or pktps");
	if (!bands.s)
		return tx_bad(&x, s + len, "the bands are missing: bands=type=drop,rate=...");
	return parse_bands(&x, bands, arena, mm);
}

/* --- Printing ----------------------------------------------------------------------------------- */

void
of_print_meter_id(struct of_text *t, uint32_t id, char separator)
{
	const char *name = "unknown";

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (ids[i].id == id)
			name = ids[i].name;
	if (id <= OFM_MAX)
		of_text_printf(t, "meter%c%u", separator, id);
	else
		of_text_printf(t, "meter%c%s", separator, name);
}

static void
put_band(struct of_text *t, uint16_t meter_flags, const struct of_band *b)
{
	of_text_puts(t, "\ntype=");
	if (b->type == OFMBT_DROP)
		of_text_puts(t, "drop");
	else if (b->type == OFMBT_DSCP_REMARK)
		of_text_puts(t, "dscp_remark");
	else
		of_text_printf(t, "%u", b->type);
	of_text_printf(t, " rate=%u", b->rate);
	if (meter_flags & OFMF_BURST)
		of_text_printf(t, " burst_size=%u", b->burst);
	if (b->type == OFMBT_DSCP_REMARK)
		of_text_printf(t, " prec_level=%u", b->prec_level);
}

void
of_print_meter(struct of_text *t, const struct of_meter_config *m)
{
	uint16_t rest = m->flags;

	of_print_meter_id(t, m->meter_id, '=');
	of_text_puts(t, " ");
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		if (m->flags & flags[i].flag) {
			of_text_printf(t, "%s ", flags[i].name);
			rest &= (uint16_t)~flags[i].flag;
		}
	if (rest)
		of_text_printf(t, "flags:0x%x ", rest);
	of_text_puts(t, "bands=");
	for (uint32_t i = 0; i < m->n_bands; i++)
		put_band(t, m->flags, &m->bands[i]);
	of_text_puts(t, "\n");
}

void
of_print_meter_mod(struct of_text *t, const struct of_meter_mod *mm)
{
	static const char *const commands[] = { "ADD", "MOD", "DEL" };
	struct of_meter_config m = { .flags = mm->flags, .meter_id = mm->meter_id, .n_bands = mm->n_bands,
				     .bands = mm->bands };

	if (mm->command < ARRAY_SIZE(commands))
		of_text_printf(t, "%s ", commands[mm->command]);
	else
		of_text_printf(t, "cmd:%u ", mm->command);
	of_print_meter(t, &m);
}

void
of_print_meter_row(struct of_text *t, const struct of_meter_row *m)
{
	of_print_meter_id(t, m->meter_id, ':');
	of_text_printf(t, " flow_count:%u packet_in_count:%llu byte_in_count:%llu duration:", m->ref_count,
		       (unsigned long long)m->packets, (unsigned long long)m->bytes);
	of_print_duration(t, m->duration_s, m->duration_ns);
	of_text_puts(t, " bands:\n");
	for (uint32_t i = 0; i < m->n_bands; i++)
		of_text_printf(t, "%u: packet_count:%llu byte_count:%llu\n", i,
			       (unsigned long long)m->bands[i].packets, (unsigned long long)m->bands[i].bytes);
}
