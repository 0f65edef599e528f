/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and instructions out of ovs-ofctl's syntax; see text.h.  One row of 'words' for each; what a row's parser
 * needs beyond the text stands in it. */
#include "ofproto/text_priv.h"

#include <errno.h>
#include <stdlib.h>

/* --- Records of numbers ------------------------------------------------------------------------- */

static int
p_none(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	if (tx_trim(arg).n)
		return tx_bad(x, arg.s, "'%s' takes no argument", w->name);
	of_act_put(b, w->kind, w->form, sizeof(struct of_act));
	return 0;
}

static void
put_u32(struct of_act_buf *b, enum of_act_kind kind, enum of_act_form form, uint32_t value)
{
	struct of_act_u32 *a = of_act_put(b, kind, form, sizeof *a);

	a->value = value;
}

static int
p_u32(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint64_t v;
	int rc = tx_u64(x, tx_trim(arg), w->name, w->max, &v);

	if (!rc)
		put_u32(b, w->kind, w->form, (uint32_t)v);
	return rc;
}

static int
p_push_vlan(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint16_t v;
	int rc = tx_u16(x, tx_trim(arg), w->name, &v);

	if (!rc && v != 0x8100 && v != 0x88a8)
		rc = tx_bad(x, arg.s, "push_vlan: the Ethernet type of a tag is 0x8100 or 0x88a8");
	if (!rc)
		put_u32(b, w->kind, w->form, v);
	return rc;
}

static int
p_meter(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint32_t id;
	int rc = 0;

	arg = tx_trim(arg);
	if (tx_is(arg, "controller"))
		id = OFM_CONTROLLER;
	else if (tx_is(arg, "slowpath"))
		id = OFM_SLOWPATH;
	else
		rc = tx_u32(x, arg, w->name, &id);
	if (!rc)
		put_u32(b, w->kind, w->form, id);
	return rc;
}

static int
p_dec_ttl(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct tx_str list = arg, word;
	struct of_act_ids *a;
	unsigned n = 0;
	uint16_t id;
	int rc;

	while (tx_word(&list, ", ", &word))
		if (++n > 1024)
			return tx_bad(x, word.s, "dec_ttl: too many controllers");
	a = of_act_put(b, w->kind, n ? OFA_FORM_NX2 : OFA_FORM_STD, sizeof *a + n * sizeof a->id[0]);
	a->n = (uint16_t)n;
	n = 0;
	while (tx_word(&arg, ", ", &word)) {
		rc = tx_u16(x, word, "dec_ttl", &id);
		if (rc)
			return rc;
		a->id[n++] = id;
	}
	return 0;
}

static int
p_conjunction(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct tx_str id_s, rest, k_s, n_s;
	struct of_act_conj *a;
	uint8_t k, n;
	uint32_t id;
	int rc;

	if (!tx_split(arg, ',', &id_s, &rest) || !tx_split(rest, '/', &k_s, &n_s))
		return tx_bad(x, arg.s, "expected conjunction(ID,K/N)");
	rc = tx_u32(x, tx_trim(id_s), "conjunction", &id);
	if (!rc)
		rc = tx_u8(x, tx_trim(k_s), "conjunction", &k);
	if (!rc)
		rc = tx_u8(x, tx_trim(n_s), "conjunction", &n);
	if (rc)
		return rc;
	if (n < 2 || n > 64)
		return tx_bad(x, n_s.s, "conjunction: 2 to 64 clauses");
	if (k < 1 || k > n)
		return tx_bad(x, k_s.s, "conjunction: a clause from 1 to %u", n);
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->id = id;
	a->clause = (uint8_t)(k - 1);
	a->n_clauses = n;
	return 0;
}

static int
p_fin_timeout(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	static const char *const keys[] = { "idle_timeout", "hard_timeout", NULL };
	uint16_t v[2] = { 0 };
	struct of_act_fin_timeout *a;
	struct tx_item item;
	int rc;

	while ((rc = tx_next(x, &arg, &item)) > 0) {
		if (tx_is(item.key, keys[0]))
			rc = tx_u16(x, item.value, keys[0], &v[0]);
		else if (tx_is(item.key, keys[1]))
			rc = tx_u16(x, item.value, keys[1], &v[1]);
		else
			rc = tx_bad_word(x, item.key, "argument of fin_timeout", keys);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->idle = v[0];
	a->hard = v[1];
	return 0;
}

static int
p_note(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	int n = tx_bytes(x, arg, "note", NULL);
	struct of_act_note *a;

	if (n < 0)
		return n;
	if (n > OF_ACTS_MAX - 64)
		return tx_bad(x, arg.s, "note: too long");
	a = of_act_put(b, w->kind, w->form, sizeof *a + (size_t)n);
	a->n = (uint16_t)n;
	tx_bytes(x, arg, "note", a->data);
	return 0;
}

static int
p_write_metadata(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint64_t value, mask = UINT64_MAX;
	struct of_act_metadata *a;
	struct tx_str v, m;
	int rc = 0;

	if (tx_split(tx_trim(arg), '/', &v, &m))
		rc = tx_u64(x, m, w->name, UINT64_MAX, &mask);
	if (!rc)
		rc = tx_u64(x, v, w->name, UINT64_MAX, &value);
	if (rc)
		return rc;
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->value = value;
	a->mask = mask;
	return 0;
}

/* --- Lists in lists ----------------------------------------------------------------------------- */

static int
p_nested(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint32_t at = of_act_nest_begin(b, w->kind, w->form);
	int rc = tx_acts(x, arg, false, true, b);

	if (rc)
		return rc;
	if (b->len - at > OF_ACTS_MAX)
		return tx_bad(x, arg.s, "%s: too many actions", w->name);
	of_act_nest_end(b, at);
	return 0;
}

static int
p_apply(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint32_t at = b->len;
	int rc = tx_acts(x, arg, false, true, b);

	if (!rc && b->len == at)
		of_act_put(b, w->kind, w->form, sizeof(struct of_act));
	return rc;
}

static int
p_learn(struct tx *x, struct tx_str arg, const struct tx_action *w UNUSED, struct of_act_buf *b)
{
	return tx_learn(x, arg, b);
}

static int
p_multipath(struct tx *x, struct tx_str arg, const struct tx_action *w UNUSED, struct of_act_buf *b)
{
	return tx_multipath(x, arg, b);
}

static int
p_bundle(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	return tx_bundle(x, arg, w->max != 0, b);
}

static int
p_unsupported(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b UNUSED)
{
	return tx_bad(x, arg.s, "'%s' is not an action of this switch", w->name);
}

static const struct tx_action words[] = {
	{ "output", tx_a_output, OFA_OUTPUT, OFA_FORM_STD, 0, 0 },
	{ "controller", tx_a_controller, OFA_CONTROLLER, OFA_FORM_NX, 0, 0 },
	{ "enqueue", tx_a_enqueue, OFA_ENQUEUE, OFA_FORM_STD, 0, 0 },
	{ "set_queue", p_u32, OFA_SET_QUEUE, OFA_FORM_STD, 0, UINT32_MAX },
	{ "pop_queue", p_none, OFA_POP_QUEUE, OFA_FORM_NX, 0, 0 },
	{ "group", p_u32, OFA_GROUP, OFA_FORM_STD, 0, UINT32_MAX },
	{ "set_field", tx_a_set_field, OFA_SET_FIELD, OFA_FORM_STD, 0, 0 },
	{ "load", tx_a_load, OFA_SET_FIELD, OFA_FORM_NX, 0, 0 },
	{ "move", tx_a_move, OFA_MOVE, OFA_FORM_NX, 0, 0 },
	{ "push", tx_a_stack, OFA_STACK_PUSH, OFA_FORM_NX, 0, 0 },
	{ "pop", tx_a_stack, OFA_STACK_POP, OFA_FORM_NX, 0, 0 },
	{ "mod_dl_src", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_0, OFF_ETH_SRC, 0 },
	{ "mod_dl_dst", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_0, OFF_ETH_DST, 0 },
	{ "mod_nw_src", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_0, OFF_NW_SRC, 0 },
	{ "mod_nw_dst", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_0, OFF_NW_DST, 0 },
	{ "mod_nw_tos", tx_a_mod_nw_tos, OFA_SET_FIELD, OFA_FORM_1_0, OFF_IP_DSCP, 0 },
	{ "mod_nw_ecn", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_1, OFF_NW_ECN, 0 },
	{ "mod_nw_ttl", p_u32, OFA_SET_NW_TTL, OFA_FORM_STD, 0, 255 },
	{ "set_nw_ttl", p_u32, OFA_SET_NW_TTL, OFA_FORM_STD, 0, 255 },
	{ "mod_tp_src", p_u32, OFA_SET_TP_SRC, OFA_FORM_1_0, 0, 0xffff },
	{ "mod_tp_dst", p_u32, OFA_SET_TP_DST, OFA_FORM_1_0, 0, 0xffff },
	{ "mod_vlan_vid", p_u32, OFA_SET_VLAN_VID, OFA_FORM_1_0, 0, 0xfff },
	{ "mod_vlan_pcp", p_u32, OFA_SET_VLAN_PCP, OFA_FORM_1_0, 0, 7 },
	{ "set_vlan_vid", p_u32, OFA_SET_VLAN_VID, OFA_FORM_1_1, 0, 0xfff },
	{ "set_vlan_pcp", p_u32, OFA_SET_VLAN_PCP, OFA_FORM_1_1, 0, 7 },
	{ "strip_vlan", p_none, OFA_POP_VLAN, OFA_FORM_1_0, 0, 0 },
	{ "pop_vlan", p_none, OFA_POP_VLAN, OFA_FORM_STD, 0, 0 },
	{ "push_vlan", p_push_vlan, OFA_PUSH_VLAN, OFA_FORM_STD, 0, 0 },
	{ "push_mpls", p_u32, OFA_PUSH_MPLS, OFA_FORM_STD, 0, 0xffff },
	{ "pop_mpls", p_u32, OFA_POP_MPLS, OFA_FORM_STD, 0, 0xffff },
	{ "push_pbb", p_u32, OFA_PUSH_PBB, OFA_FORM_STD, 0, 0xffff },
	{ "pop_pbb", p_none, OFA_POP_PBB, OFA_FORM_STD, 0, 0 },
	{ "set_mpls_label", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_1, OFF_MPLS_LABEL, 0 },
	{ "set_mpls_tc", tx_a_mod, OFA_SET_FIELD, OFA_FORM_1_1, OFF_MPLS_TC, 0 },
	{ "set_mpls_ttl", p_u32, OFA_SET_MPLS_TTL, OFA_FORM_STD, 0, 255 },
	{ "dec_mpls_ttl", p_none, OFA_DEC_MPLS_TTL, OFA_FORM_STD, 0, 0 },
	{ "dec_ttl", p_dec_ttl, OFA_DEC_NW_TTL, OFA_FORM_STD, 0, 0 },
	{ "copy_ttl_in", p_none, OFA_COPY_TTL_IN, OFA_FORM_STD, 0, 0 },
	{ "copy_ttl_out", p_none, OFA_COPY_TTL_OUT, OFA_FORM_STD, 0, 0 },
	{ "set_tunnel", tx_a_set_tunnel, OFA_SET_FIELD, OFA_FORM_NX_TUNNEL, 0, 0 },
	{ "set_tunnel64", tx_a_set_tunnel, OFA_SET_FIELD, OFA_FORM_NX_TUNNEL64, 0, 0 },
	{ "resubmit", tx_a_resubmit, OFA_RESUBMIT, OFA_FORM_NX, 0, 0 },
	{ "learn", p_learn, OFA_LEARN, OFA_FORM_NX, 0, 0 },
	{ "multipath", p_multipath, OFA_MULTIPATH, OFA_FORM_NX, 0, 0 },
	{ "bundle", p_bundle, OFA_BUNDLE, OFA_FORM_NX, 0, 0 },
	{ "bundle_load", p_bundle, OFA_BUNDLE, OFA_FORM_NX, 0, 1 },
	{ "note", p_note, OFA_NOTE, OFA_FORM_NX, 0, 0 },
	{ "exit", p_none, OFA_EXIT, OFA_FORM_NX, 0, 0 },
	{ "fin_timeout", p_fin_timeout, OFA_FIN_TIMEOUT, OFA_FORM_NX, 0, 0 },
	{ "conjunction", p_conjunction, OFA_CONJUNCTION, OFA_FORM_NX, 0, 0 },
	{ "clone", p_nested, OFA_CLONE, OFA_FORM_NX, 0, 0 },
	{ "meter", p_meter, OFA_METER, OFA_FORM_STD, 0, 0 },
	{ "apply_actions", p_apply, OFA_APPLY_NOTHING, OFA_FORM_STD, 0, 0 },
	{ "clear_actions", p_none, OFA_CLEAR_ACTIONS, OFA_FORM_STD, 0, 0 },
	{ "write_actions", p_nested, OFA_WRITE_ACTIONS, OFA_FORM_STD, 0, 0 },
	{ "write_metadata", p_write_metadata, OFA_WRITE_METADATA, OFA_FORM_STD, 0, 0 },
	{ "goto_table", p_u32, OFA_GOTO_TABLE, OFA_FORM_STD, 0, 254 },
	{ "ct", p_unsupported, 0, 0, 0, 0 },
	{ "ct_clear", p_unsupported, 0, 0, 0, 0 },
	{ "nat", p_unsupported, 0, 0, 0, 0 },
	{ "sample", p_unsupported, 0, 0, 0, 0 },
	{ "encap", p_unsupported, 0, 0, 0, 0 },
	{ "decap", p_unsupported, 0, 0, 0, 0 },
	{ "dec_nsh_ttl", p_unsupported, 0, 0, 0, 0 },
	{ "check_pkt_larger", p_unsupported, 0, 0, 0, 0 },
	{ "delete_field", p_unsupported, 0, 0, 0, 0 },
};

/* --- Lists -------------------------------------------------------------------------------------- */

static int
bad_action(const struct tx *x, struct tx_str key)
{
	const char *names[ARRAY_SIZE(words) + 2];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		names[i] = words[i].parse == p_unsupported ? "drop" : words[i].name;
	names[ARRAY_SIZE(words)] = "drop";
	names[ARRAY_SIZE(words) + 1] = NULL;
	return tx_bad_word(x, key, "action", names);
}

/* The place that an instruction has in a rule; actions share one. */
static unsigned
rank(const struct tx_action *w)
{
	if (!w)
		return 1;
	switch (w->kind) {
	case OFA_METER:
		return 0;
	case OFA_CLEAR_ACTIONS:
		return 2;
	case OFA_WRITE_ACTIONS:
		return 3;
	case OFA_WRITE_METADATA:
		return 4;
	case OFA_GOTO_TABLE:
		return 5;
	default:
		return 1;
	}
}

/* Whether an instruction may stand where it does. */
static int
check_place(const struct tx *x, struct tx_str key, const struct tx_action *w, bool instructions, int *last)
{
	static const char *const what[] = { "meter", "actions", "clear_actions", "write_actions", "write_metadata",
					    "goto_table" };
	int r = (int)rank(w);

	if (!instructions) {
		/* OpenFlow 1.5 has meters among the actions. */
		if (r > 1 || (w && w->kind == OFA_APPLY_NOTHING))
			return tx_bad(x, key.s, "'%.*s' is an instruction: it cannot stand here", (int)key.n, key.s);
		return 0;
	}
	if (r == *last && r != 1)
		return tx_bad(x, key.s, "%s: only once", what[r]);
	if (r < *last)
		return tx_bad(x, key.s, "%s must come before %s", what[r], what[*last]);
	*last = r;
	return 0;
}

static int
one_action(struct tx *x, const struct tx_item *item, const struct tx_action *w, struct of_act_buf *b)
{
	uint32_t port;

	if (w)
		return w->parse(x, item->value, w, b);
	if (!item->sep && of_parse_port(item->key.s, item->key.n, x->names, &port)) {
		tx_add_output(b, port, 0);
		return 0;
	}
	return bad_action(x, item->key);
}

static const struct tx_action *
find_word(struct tx_str key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (tx_is_nocase(key, words[i].name))
			return &words[i];
	return NULL;
}

/* Only notes may stand with conjunctions. */
static int
check_conjunction(const struct tx *x, struct tx_str s, struct of_acts list)
{
	bool conj = false, other = false;

	OF_ACTS_EACH(a, list) {
		conj |= a->kind == OFA_CONJUNCTION;
		other |= a->kind != OFA_CONJUNCTION && a->kind != OFA_NOTE;
	}
	if (conj && other)
		return tx_bad(x, s.s, "conjunction: no other actions beside it but note");
	return 0;
}

static int
acts(struct tx *x, struct tx_str s, bool instructions, struct of_act_buf *b)
{
	uint32_t start = b->len;
	const char *drop = NULL;
	unsigned n = 0;
	int rc, last = -1;
	struct tx_item item;
	struct tx_str rest = s;

	while ((rc = tx_next(x, &rest, &item)) > 0) {
		const struct tx_action *w = find_word(item.key);

		n++;
		if (tx_is_nocase(item.key, "drop")) {
			drop = item.key.s;
			continue;
		}
		rc = check_place(x, item.key, w, instructions, &last);
		if (!rc)
			rc = one_action(x, &item, w, b);
		if (!rc && b->len - start > OF_ACTS_MAX)
			rc = tx_bad(x, item.key.s, "too many actions");
		if (rc)
			return rc;
	}
	if (!rc && drop && n > 1)
		rc = tx_bad(x, drop, "drop: no other action beside it");
	if (!rc && b->len > start)
		rc = check_conjunction(x, s, (struct of_acts){ .a = (const struct of_act *)(b->data + start),
							       .len = b->len - start });
	return rc;
}

int
tx_acts(struct tx *x, struct tx_str s, bool instructions, bool nested, struct of_act_buf *b)
{
	uint32_t start = b->len;
	int rc;

	if (nested && x->depth >= OF_ACTS_NEST_MAX)
		return tx_bad(x, s.s, "actions are nested too deep: %u levels at most", OF_ACTS_NEST_MAX);
	x->depth += nested;
	rc = acts(x, s, instructions, b);
	x->depth -= nested;
	if (rc)
		b->len = start;
	return rc;
}

int
of_parse_acts(const char *s, size_t len, const struct of_names *names, bool instructions, struct of_act_buf *b,
	      struct err *err)
{
	struct tx x = { .base = s, .names = names, .err = err };

	return tx_acts(&x, tx_str(s, len), instructions, false, b);
}
