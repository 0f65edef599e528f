/* SPDX-License-Identifier: Apache-2.0 */
/* The actions with an argument list of their own kind: learn, multipath, bundle; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

enum { DEFAULT_PRIORITY = 32768, BUNDLE_PORTS_MAX = 2048, LEARN_SPECS_MAX = 1024 };

/* --- Learning: parsing -------------------------------------------------------------------------- */

static const char *const learn_keys[] = { "table", "priority", "idle_timeout", "hard_timeout", "fin_idle_timeout",
					  "fin_hard_timeout", "cookie", "send_flow_rem", "delete_learned", "limit",
					  "result_dst", "load", "output", NULL };

static int
learn_result(struct tx *x, struct tx_str s, struct of_act_learn *l)
{
	int rc = tx_sub(x, s, &l->result);

	if (rc)
		return rc;
	if (l->result.n_bits != 1 || !(of_field_info[l->result.field].flags & OF_FIELD_WRITABLE))
		return tx_bad(x, s.s, "result_dst: one bit of a field that can be written");
	l->flags |= OF_LEARN_WRITE_RESULT;
	return 0;
}

/* 1: taken; 0: not an option. */
static int
learn_option(struct tx *x, const struct tx_item *i, struct of_act_learn *l)
{
	struct {
		const char *name;
		uint16_t *value;
	} numbers[] = {
		{ "priority", &l->priority }, { "idle_timeout", &l->idle }, { "hard_timeout", &l->hard },
		{ "fin_idle_timeout", &l->fin_idle }, { "fin_hard_timeout", &l->fin_hard },
	};
	int rc = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(numbers); n++)
		if (tx_is(i->key, numbers[n].name)) {
			rc = tx_u16(x, i->value, numbers[n].name, numbers[n].value);
			return rc ? rc : 1;
		}
	if (tx_is(i->key, "table")) {
		rc = tx_u8(x, i->value, "table", &l->table);
		if (!rc && l->table == 255)
			rc = tx_bad(x, i->value.s, "learn: into one of the tables 0 to 254");
	} else if (tx_is(i->key, "cookie")) {
		rc = tx_u64(x, i->value, "cookie", UINT64_MAX, &l->cookie);
	} else if (tx_is(i->key, "send_flow_rem")) {
		l->flags |= OF_LEARN_SEND_FLOW_REM;
	} else if (tx_is(i->key, "delete_learned")) {
		l->flags |= OF_LEARN_DELETE_LEARNED;
	} else if (tx_is(i->key, "limit")) {
		rc = tx_u32(x, i->value, "limit", &l->limit);
	} else if (tx_is(i->key, "result_dst")) {
		rc = learn_result(x, i->value, l);
	} else {
		return 0;
	}
	return rc ? rc : 1;
}

/* VALUE or FIELD[BITS], as wide as the destination. */
static int
learn_source(struct tx *x, struct tx_str s, struct of_learn_spec *spec)
{
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	enum of_field f = spec->dst.field;
	unsigned n = (spec->dst.n_bits + 7u) / 8;
	struct tx quiet = { .base = x->base, .names = x->names };
	int rc;

	if (!tx_sub(&quiet, s, &spec->src)) {
		if (spec->src.n_bits != spec->dst.n_bits)
			return tx_bad(x, s.s, "learn: %u bits into %u", spec->src.n_bits, spec->dst.n_bits);
		return 0;
	}
	spec->src_type = OF_LEARN_SRC_VALUE;
	spec->src = (struct of_sub){ 0 };
	/* A whole field's value is written as that field's are. */
	if (spec->dst_type == OF_LEARN_DST_MATCH && !spec->dst.ofs &&
	    (spec->dst.n_bits == of_field_info[f].bits || f == OFF_IN_PORT)) {
		unsigned bytes = of_field_bytes(f);

		rc = tx_value(x, f, s, value, mask);
		if (!rc && !tx_is_ones(f, mask))
			rc = tx_bad(x, s.s, "learn: no mask here");
		if (!rc)
			memcpy(spec->value + 16 - n, value + bytes - n, n);
		return rc;
	}
	return tx_be(x, s, "learn", spec->dst.n_bits, spec->value + 16 - n);
}

/* FIELD[BITS], FIELD[BITS]=SOURCE, load:SOURCE->FIELD[BITS], output:FIELD[BITS] */
static int
learn_spec(struct tx *x, const struct tx_item *i, struct of_learn_spec *spec)
{
	struct tx_str src, dst;
	int rc;

	if (tx_is(i->key, "output") && i->sep) {
		spec->dst_type = OF_LEARN_DST_OUTPUT;
		rc = tx_sub(x, i->value, &spec->src);
		spec->n_bits = spec->src.n_bits;
		return rc;
	}
	if (tx_is(i->key, "load") && i->sep) {
		if (!tx_split_arrow(i->value, &src, &dst))
			return tx_bad(x, i->value.s, "expected load:SOURCE->FIELD[BITS]");
		spec->dst_type = OF_LEARN_DST_LOAD;
		rc = tx_sub(x, dst, &spec->dst);
		if (!rc && !(of_field_info[spec->dst.field].flags & OF_FIELD_WRITABLE))
			rc = tx_bad(x, dst.s, "%s is read-only", of_field_info[spec->dst.field].name);
		spec->n_bits = spec->dst.n_bits;
		return rc ? rc : learn_source(x, tx_trim(src), spec);
	}
	spec->dst_type = OF_LEARN_DST_MATCH;
	rc = tx_sub(x, i->key, &spec->dst);
	spec->n_bits = spec->dst.n_bits;
	if (rc)
		return rc;
	if (i->sep)
		return learn_source(x, i->value, spec);
	spec->src = spec->dst;
	return 0;
}

static bool
is_learn_word(struct tx_str key)
{
	char buf[64];

	if (!tx_copy(key, buf, sizeof buf))
		return false;
	return tx_field(key) == OFF_NONE && !memchr(key.s, '[', key.n) && str_nearest(buf, learn_keys);
}

int
tx_learn(struct tx *x, struct tx_str arg, struct of_act_buf *b)
{
	struct of_act_learn head = { .priority = DEFAULT_PRIORITY, .table = 1 }, *l;
	struct tx_str rest = arg;
	struct tx_item item;
	unsigned n = 0;
	int rc;

	/* First the options, and how many specifications there are. */
	while ((rc = tx_next(x, &rest, &item)) > 0) {
		rc = learn_option(x, &item, &head);
		if (rc < 0)
			return rc;
		n += rc == 0;
	}
	if (rc)
		return rc;
	if (n > LEARN_SPECS_MAX)
		return tx_bad(x, arg.s, "learn: too many fields");
	l = of_act_put(b, OFA_LEARN, head.limit || head.flags & OF_LEARN_WRITE_RESULT ? OFA_FORM_NX2 : OFA_FORM_NX,
		       sizeof *l + n * sizeof l->spec[0]);
	head.h = l->h;
	*l = head;
	while ((rc = tx_next(x, &arg, &item)) > 0) {
		rc = learn_option(x, &item, &head);
		if (rc)
			continue;
		if (is_learn_word(item.key) && !tx_is(item.key, "load") && !tx_is(item.key, "output"))
			return tx_bad_word(x, item.key, "argument of learn", learn_keys);
		rc = learn_spec(x, &item, &l->spec[l->n_specs++]);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- Learning: printing ------------------------------------------------------------------------- */

static void
put_learn_value(struct of_text *t, const struct of_learn_spec *s, const struct of_names *names)
{
	enum of_field f = s->dst.field;
	unsigned bytes = of_field_bytes(f), n = (s->dst.n_bits + 7u) / 8;
	uint8_t value[OF_VALUE_MAX];

	if (!s->dst.ofs && (s->dst.n_bits == of_field_info[f].bits || (f == OFF_IN_PORT && s->dst.n_bits == 16))) {
		memcpy(value, s->value + 16 - bytes, bytes);
		/* Reserved ports of 16 bits. */
		if (f == OFF_IN_PORT && s->dst.n_bits == 16 && value[2] == 0xff)
			value[0] = value[1] = 0xff;
		of_text_printf(t, "%s=", tx_field_name(f));
		of_print_value(t, f, value, NULL, names);
		return;
	}
	of_print_sub(t, &s->dst);
	of_text_puts(t, "=");
	tx_put_hex(t, s->value + 16 - n, n);
}

static void
put_learn_spec(struct of_text *t, const struct of_learn_spec *s, const struct of_names *names)
{
	unsigned n = (s->n_bits + 7u) / 8;

	switch (s->dst_type) {
	case OF_LEARN_DST_MATCH:
		if (s->src_type == OF_LEARN_SRC_VALUE) {
			put_learn_value(t, s, names);
			return;
		}
		of_print_sub(t, &s->dst);
		if (s->src.field != s->dst.field || s->src.ofs != s->dst.ofs) {
			of_text_puts(t, "=");
			of_print_sub(t, &s->src);
		}
		return;
	case OF_LEARN_DST_LOAD:
		of_text_puts(t, "load:");
		if (s->src_type == OF_LEARN_SRC_VALUE)
			tx_put_hex(t, s->value + 16 - n, n);
		else
			of_print_sub(t, &s->src);
		of_text_puts(t, "->");
		of_print_sub(t, &s->dst);
		return;
	default:
		of_text_puts(t, "output:");
		of_print_sub(t, &s->src);
	}
}

void
tx_put_learn(struct of_text *t, const struct of_act_learn *l, const struct of_names *names)
{
	of_text_printf(t, "learn(table=%u", l->table);
	if (l->idle)
		of_text_printf(t, ",idle_timeout=%u", l->idle);
	if (l->hard)
		of_text_printf(t, ",hard_timeout=%u", l->hard);
	if (l->fin_idle)
		of_text_printf(t, ",fin_idle_timeout=%u", l->fin_idle);
	if (l->fin_hard)
		of_text_printf(t, ",fin_hard_timeout=%u", l->fin_hard);
	if (l->priority != DEFAULT_PRIORITY)
		of_text_printf(t, ",priority=%u", l->priority);
	if (l->flags & OF_LEARN_SEND_FLOW_REM)
		of_text_puts(t, ",send_flow_rem");
	if (l->flags & OF_LEARN_DELETE_LEARNED)
		of_text_puts(t, ",delete_learned");
	if (l->cookie)
		of_text_printf(t, ",cookie=%#llx", (unsigned long long)l->cookie);
	if (l->limit)
		of_text_printf(t, ",limit=%u", l->limit);
	if (l->flags & OF_LEARN_WRITE_RESULT) {
		of_text_puts(t, ",result_dst=");
		of_print_sub(t, &l->result);
	}
	for (uint32_t i = 0; i < l->n_specs; i++) {
		of_text_puts(t, ",");
		put_learn_spec(t, &l->spec[i], names);
	}
	of_text_puts(t, ")");
}

/* --- Choosing by hash --------------------------------------------------------------------------- */

static const char *const hash_fields[] = { "eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src",
					   "nw_dst", "symmetric_l3", NULL };
static const char *const multipath_algs[] = { "modulo_n", "hash_threshold", "hrw", "iter_hash", NULL };
static const char *const bundle_algs[] = { "active_backup", "hrw", NULL };

static int
one_of(struct tx *x, struct tx_str s, const char *what, const char *const *words, uint16_t *out)
{
	for (uint16_t i = 0; words[i]; i++)
		if (tx_is_nocase(s, words[i])) {
			*out = i;
			return 0;
		}
	return tx_bad_word(x, s, what, words);
}

static const char *
word_at(const char *const *words, unsigned i)
{
	for (unsigned n = 0; words[n]; n++)
		if (n == i)
			return words[n];
	return "<unknown>";
}

/* multipath(FIELDS, BASIS, ALGORITHM, N_LINKS, ARG, FIELD[BITS]) */
int
tx_multipath(struct tx *x, struct tx_str arg, struct of_act_buf *b)
{
	struct of_act_multipath v = { .arg = 0 }, *a;
	struct tx_str word[6], rest = arg;
	uint64_t n_links = 0;
	int rc;

	for (unsigned i = 0; i < ARRAY_SIZE(word); i++)
		if (!tx_word(&rest, ", ", &word[i]))
			return tx_bad(x, arg.s, "expected multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARG,FIELD[BITS])");
	rc = one_of(x, word[0], "fields to hash", hash_fields, &v.fields);
	if (!rc)
		rc = tx_u16(x, word[1], "basis", &v.basis);
	if (!rc)
		rc = one_of(x, word[2], "algorithm", multipath_algs, &v.algorithm);
	if (!rc)
		rc = tx_u64(x, word[3], "links", 65536, &n_links);
	if (!rc && !n_links)
		rc = tx_bad(x, word[3].s, "links: 1 to 65536");
	if (!rc)
		rc = tx_u32(x, word[4], "argument", &v.arg);
	if (!rc)
		rc = tx_sub(x, word[5], &v.dst);
	if (rc)
		return rc;
	if (!(of_field_info[v.dst.field].flags & OF_FIELD_WRITABLE))
		return tx_bad(x, word[5].s, "%s is read-only", of_field_info[v.dst.field].name);
	if (v.dst.n_bits < 16 && n_links > 1u << v.dst.n_bits)
		return tx_bad(x, word[5].s, "multipath: %u links do not fit into %u bits", (unsigned)n_links,
			      v.dst.n_bits);
	a = of_act_put(b, OFA_MULTIPATH, OFA_FORM_NX, sizeof *a);
	v.h = a->h;
	v.max_link = (uint16_t)(n_links - 1);
	*a = v;
	return 0;
}

void
tx_put_multipath(struct of_text *t, const struct of_act_multipath *a)
{
	of_text_printf(t, "multipath(%s,%u,%s,%u,%u,", word_at(hash_fields, a->fields), a->basis,
		       word_at(multipath_algs, a->algorithm), a->max_link + 1u, a->arg);
	of_print_sub(t, &a->dst);
	of_text_puts(t, ")");
}

static int
bundle_ports(struct tx *x, struct tx_str list, uint32_t *ports, unsigned *n)
{
	struct tx_str word;
	int rc;

	*n = 0;
	while (tx_word(&list, ", []", &word)) {
		if (*n == BUNDLE_PORTS_MAX)
			return tx_bad(x, word.s, "bundle: at most %u members", BUNDLE_PORTS_MAX);
		rc = tx_port(x, word, "bundle", &ports[(*n)++]);
		if (rc)
			return rc;
	}
	return 0;
}

/* bundle(FIELDS, BASIS, ALGORITHM, ofport, members:PORT...), bundle_load(..., ofport, FIELD[BITS], members:PORT...) */
int
tx_bundle(struct tx *x, struct tx_str arg, bool load, struct of_act_buf *b)
{
	struct of_act_bundle v = { .n = 0 }, *a;
	uint32_t ports[BUNDLE_PORTS_MAX];
	struct tx_str word[5], rest, head, members;
	unsigned n;
	int rc;

	rest = tx_split(arg, ':', &head, &members) ? head : arg;
	for (unsigned i = 0; i < 4u + load; i++)
		if (!tx_word(&rest, ", ", &word[i]))
			return tx_bad(x, arg.s, "expected %s(FIELDS,BASIS,ALGORITHM,ofport,%smembers:PORT,...)",
				      load ? "bundle_load" : "bundle", load ? "FIELD[BITS]," : "");
	rest = tx_trim(tx_str(rest.s, rest.n));
	while (rest.n && rest.s[0] == ',')
		rest = tx_trim(tx_str(rest.s + 1, rest.n - 1));
	rc = one_of(x, word[0], "fields to hash", hash_fields, &v.fields);
	if (!rc)
		rc = tx_u16(x, word[1], "basis", &v.basis);
	if (!rc)
		rc = one_of(x, word[2], "algorithm", bundle_algs, &v.algorithm);
	if (!rc && !tx_is_nocase(word[3], "ofport"))
		rc = tx_bad(x, word[3].s, "bundle: members are of type 'ofport'");
	if (!rc && load)
		rc = tx_sub(x, word[4], &v.dst);
	if (!rc && load && !(of_field_info[v.dst.field].flags & OF_FIELD_WRITABLE))
		rc = tx_bad(x, word[4].s, "%s is read-only", of_field_info[v.dst.field].name);
	if (!rc && !tx_is_nocase(rest, "members") && !tx_is_nocase(rest, "slaves"))
		rc = tx_bad(x, rest.s, "bundle: expected 'members:' and the ports");
	if (!rc)
		rc = bundle_ports(x, members, ports, &n);
	if (rc)
		return rc;
	a = of_act_put(b, OFA_BUNDLE, load ? OFA_FORM_NX2 : OFA_FORM_NX, sizeof *a + n * sizeof ports[0]);
	v.h = a->h;
	v.n = (uint16_t)n;
	*a = v;
	memcpy(a->port, ports, n * sizeof ports[0]);
	return 0;
}

void
tx_put_bundle(struct of_text *t, const struct of_act_bundle *a, const struct of_names *names)
{
	of_text_printf(t, "%s(%s,%u,%s,ofport,", a->dst.n_bits ? "bundle_load" : "bundle",
		       word_at(hash_fields, a->fields), a->basis, word_at(bundle_algs, a->algorithm));
	if (a->dst.n_bits) {
		of_print_sub(t, &a->dst);
		of_text_puts(t, ",");
	}
	of_text_puts(t, "members:");
	for (unsigned i = 0; i < a->n; i++) {
		if (i)
			of_text_puts(t, ",");
		of_print_port(t, a->port[i], names);
	}
	of_text_puts(t, ")");
}
