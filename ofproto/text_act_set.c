/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that set, load, move and stack fields, out of text; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

static void
put_set(struct of_act_buf *b, enum of_act_form form, enum of_field f, const uint8_t *value, const uint8_t *mask)
{
	struct of_act_set_field *a = of_act_put(b, OFA_SET_FIELD, form, sizeof *a);
	unsigned n = of_field_bytes(f);

	a->field = (uint8_t)f;
	a->masked = mask && !tx_is_ones(f, mask);
	for (unsigned i = 0; i < n; i++)
		a->value[i] = a->masked ? value[i] & mask[i] : value[i];
	if (a->masked)
		memcpy(a->mask, mask, n);
	else
		tx_field_ones(f, a->mask);
}

static int
check_writable(const struct tx *x, const char *at, enum of_field f)
{
	if (f == OFF_CT_MARK || f == OFF_CT_LABEL)
		return tx_bad(x, at, "%s: connections are not tracked", of_field_info[f].name);
	if (!(of_field_info[f].flags & OF_FIELD_WRITABLE))
		return tx_bad(x, at, "%s is read-only", of_field_info[f].name);
	return 0;
}

/* mod_dl_src:VALUE and others that name the field. */
int
tx_a_mod(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	int rc;

	arg = tx_trim(arg);
	rc = tx_value(x, w->field, arg, value, mask);
	if (!rc && !tx_is_ones(w->field, mask))
		rc = tx_bad(x, arg.s, "%s: no mask here", w->name);
	if (!rc)
		put_set(b, w->form, w->field, value, NULL);
	return rc;
}

int
tx_a_mod_nw_tos(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint8_t tos, dscp[OF_VALUE_MAX] = { 0 };
	int rc = tx_u8(x, tx_trim(arg), w->name, &tos);

	if (!rc && tos & 3)
		rc = tx_bad(x, arg.s, "mod_nw_tos: a multiple of 4 (the low bits are mod_nw_ecn's)");
	dscp[0] = rc ? 0 : tos >> 2;
	if (!rc)
		put_set(b, w->form, w->field, dscp, NULL);
	return rc;
}

int
tx_a_set_tunnel(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint8_t value[OF_VALUE_MAX];
	uint64_t id;
	int rc = tx_u64(x, tx_trim(arg), w->name, UINT64_MAX, &id);

	if (rc)
		return rc;
	for (unsigned i = 0; i < 8; i++)
		value[7 - i] = (uint8_t)(id >> 8 * i);
	put_set(b, id > UINT32_MAX ? OFA_FORM_NX_TUNNEL64 : w->form, OFF_TUN_ID, value, NULL);
	return 0;
}

/* VALUE[/MASK]->FIELD */
int
tx_a_set_field(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	static const uint8_t none[OF_VALUE_MAX];
	uint8_t value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	struct tx_str v, name;
	enum of_field f;
	int rc;

	if (!tx_split_arrow(arg, &v, &name))
		return tx_bad(x, arg.s, "expected set_field:VALUE[/MASK]->FIELD");
	v = tx_trim(v);
	name = tx_trim(name);
	f = tx_field(name);
	if (f == OFF_NONE)
		return tx_bad_field(x, name);
	rc = check_writable(x, name.s, f);
	if (!rc)
		rc = tx_value(x, f, v, value, mask);
	if (rc)
		return rc;
	if (!(of_field_info[f].flags & OF_FIELD_MASKABLE) && !tx_is_ones(f, mask))
		return tx_bad(x, v.s, "%s cannot be masked", of_field_info[f].name);
	if (!memcmp(mask, none, of_field_bytes(f)))
		return tx_bad(x, v.s, "set_field: the mask has no bits");
	if (f == OFF_NW_TOS && value[0] & 3)
		return tx_bad(x, v.s, "nw_tos: a multiple of 4 (the low bits are nw_ecn's)");
	/* Who sets a tag's number means that there is one. */
	if (f == OFF_VLAN_VID && tx_is_ones(f, mask))
		value[0] |= OFLOW_VLAN_PRESENT >> 8;
	put_set(b, w->form, f, value, mask);
	return 0;
}

/* VALUE->FIELD[BITS] */
int
tx_a_load(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	static const uint8_t ones[16] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	uint8_t v[16] = { 0 }, value[OF_VALUE_MAX], mask[OF_VALUE_MAX];
	struct omatch scratch = { 0 };
	struct tx_str num, dst;
	struct of_sub sub;
	unsigned n;
	int rc;

	if (!tx_split_arrow(arg, &num, &dst))
		return tx_bad(x, arg.s, "expected load:VALUE->FIELD[BITS]");
	rc = tx_sub(x, dst, &sub);
	if (!rc)
		rc = check_writable(x, dst.s, sub.field);
	if (rc)
		return rc;
	n = (sub.n_bits + 7u) / 8;
	rc = tx_be(x, tx_trim(num), w->name, sub.n_bits, v + 16 - n);
	if (rc)
		return rc;
	of_sub_set(&sub, &scratch.flow, v);
	of_sub_set(&sub, &scratch.mask, ones);
	of_field_get(sub.field, &scratch.flow, value);
	of_field_get(sub.field, &scratch.mask, mask);
	put_set(b, w->form, sub.field, value, mask);
	return 0;
}

int
tx_a_move(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct of_sub src, dst;
	struct of_act_move *a;
	struct tx_str s, d;
	int rc;

	if (!tx_split_arrow(arg, &s, &d))
		return tx_bad(x, arg.s, "expected move:FIELD[BITS]->FIELD[BITS]");
	rc = tx_sub(x, s, &src);
	if (!rc)
		rc = tx_sub(x, d, &dst);
	if (!rc)
		rc = check_writable(x, d.s, dst.field);
	if (rc)
		return rc;
	if (src.n_bits != dst.n_bits)
		return tx_bad(x, arg.s, "move: the source is %u bits wide, the destination %u", src.n_bits, dst.n_bits);
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->src = src;
	a->dst = dst;
	return 0;
}

int
tx_a_stack(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct of_act_sub *a;
	struct of_sub sub;
	int rc = tx_sub(x, arg, &sub);

	if (!rc && w->kind == OFA_STACK_POP)
		rc = check_writable(x, arg.s, sub.field);
	if (rc)
		return rc;
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->sub = sub;
	return 0;
}
