/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and instructions in ovs-ofctl's syntax; see text.h. */
#include "ofproto/text_priv.h"

static uint32_t
u32_of(const struct of_act *a)
{
	return ((const struct of_act_u32 *)a)->value;
}

static uint64_t
field_u64(const struct of_act_set_field *a)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < of_field_bytes(a->field); i++)
		v = v << 8 | a->value[i];
	return v;
}

/* --- Setting fields ----------------------------------------------------------------------------- */

/* Bit 'i' of a field's bytes. */
static bool
bit_of(const uint8_t *bytes, unsigned n_bytes, unsigned i)
{
	return bytes[n_bytes - 1 - i / 8] >> (i & 7) & 1;
}

/* A "load" for each run of bits that is set, of 64 bits at most. */
static void
put_loads(struct of_text *t, const struct of_act_set_field *a)
{
	unsigned bits = of_field_info[a->field].bits, n = of_field_bytes(a->field), i = 0;
	uint8_t mask[OF_VALUE_MAX];

	if (a->masked)
		memcpy(mask, a->mask, n);
	else
		tx_field_ones(a->field, mask);
	while (i < bits) {
		struct of_sub sub = { .field = a->field };
		uint64_t value = 0;

		if (!bit_of(mask, n, i)) {
			i++;
			continue;
		}
		sub.ofs = (uint8_t)i;
		for (; i < bits && sub.n_bits < 64 && bit_of(mask, n, i); i++)
			value |= (uint64_t)bit_of(a->value, n, i) << sub.n_bits++;
		of_text_printf(t, "load:%#llx->", (unsigned long long)value);
		of_print_sub(t, &sub);
		of_text_puts(t, ",");
	}
	of_text_chomp(t, ',');
}

/* The set actions that OpenFlow 1.0 and 1.1 had; false: no such one. */
static bool
put_mod(struct of_text *t, const struct of_act_set_field *a)
{
	static const struct {
		uint8_t field;
		const char *name;
	} mods[] = {
		{ OFF_ETH_SRC, "mod_dl_src:" }, { OFF_ETH_DST, "mod_dl_dst:" }, { OFF_NW_SRC, "mod_nw_src:" },
		{ OFF_NW_DST, "mod_nw_dst:" }, { OFF_NW_ECN, "mod_nw_ecn:" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(mods); i++)
		if (mods[i].field == a->field) {
			of_text_puts(t, mods[i].name);
			of_print_value(t, a->field, a->value, NULL, NULL);
			return true;
		}
	switch (a->field) {
	case OFF_IP_DSCP:
		of_text_printf(t, "mod_nw_tos:%u", a->value[0] << 2 & 0xfc);
		return true;
	case OFF_NW_TOS:
		of_text_printf(t, "mod_nw_tos:%u", a->value[0] & 0xfc);
		return true;
	case OFF_MPLS_LABEL:
		of_text_printf(t, "set_mpls_label(%u)", (unsigned)field_u64(a));
		return true;
	case OFF_MPLS_TC:
		of_text_printf(t, "set_mpls_tc(%u)", (unsigned)field_u64(a));
		return true;
	default:
		return false;
	}
}

static void
put_set_field(struct of_text *t, const struct of_act_set_field *a, const struct of_names *names)
{
	uint64_t id;

	switch (a->h.form) {
	case OFA_FORM_NX:
		put_loads(t, a);
		return;
	case OFA_FORM_NX_TUNNEL:
	case OFA_FORM_NX_TUNNEL64:
		id = field_u64(a);
		of_text_printf(t, "set_tunnel%s:%#llx", a->h.form == OFA_FORM_NX_TUNNEL64 || id > UINT32_MAX ? "64" : "",
			       (unsigned long long)id);
		return;
	case OFA_FORM_1_0:
	case OFA_FORM_1_1:
		if (put_mod(t, a))
			return;
		break;
	default:
		break;
	}
	of_text_puts(t, "set_field:");
	of_print_value(t, a->field, a->value, a->masked ? a->mask : NULL, names);
	of_text_printf(t, "->%s", tx_field_name(a->field));
}

/* --- Output ------------------------------------------------------------------------------------- */

static void
put_output(struct of_text *t, const struct of_act_output *a, const struct of_names *names)
{
	if (a->port < (uint32_t)OFPP_MAX)
		of_text_puts(t, "output:");
	of_print_port(t, a->port, names);
	if (a->port == (uint32_t)OFPP_CONTROLLER)
		of_text_printf(t, ":%u", a->max_len);
}

static void
put_controller(struct of_text *t, const struct of_act_controller *a)
{
	if (a->reason == OFPR_ACTION && !a->controller_id && !a->userdata_len && !a->pause && !a->meter_id) {
		of_text_printf(t, "CONTROLLER:%u", a->max_len);
		return;
	}
	of_text_puts(t, "controller(");
	if (a->reason != OFPR_ACTION) {
		if (a->reason <= OFPR_PACKET_OUT)
			of_text_printf(t, "reason=%s,", tx_reasons[a->reason]);
		else
			of_text_printf(t, "reason=%u,", a->reason);
	}
	if (a->max_len != 0xffff)
		of_text_printf(t, "max_len=%u,", a->max_len);
	if (a->controller_id)
		of_text_printf(t, "id=%u,", a->controller_id);
	if (a->userdata_len) {
		of_text_puts(t, "userdata=");
		tx_put_bytes(t, a->userdata, a->userdata_len);
		of_text_puts(t, ",");
	}
	if (a->pause)
		of_text_puts(t, "pause,");
	if (a->meter_id)
		of_text_printf(t, "meter_id=%u,", a->meter_id);
	of_text_chomp(t, ',');
	of_text_puts(t, ")");
}

static void
put_resubmit(struct of_text *t, const struct of_act_resubmit *a, const struct of_names *names)
{
	if (a->in_port != (uint32_t)OFPP_IN_PORT && a->table == 255) {
		of_text_puts(t, "resubmit:");
		of_print_port(t, a->in_port, names);
		return;
	}
	of_text_puts(t, "resubmit(");
	if (a->in_port != (uint32_t)OFPP_IN_PORT)
		of_print_port(t, a->in_port, names);
	of_text_puts(t, ",");
	if (a->table != 255)
		of_text_printf(t, "%u", a->table);
	if (a->with_ct)
		of_text_puts(t, ",ct");
	of_text_puts(t, ")");
}

/* --- The rest ----------------------------------------------------------------------------------- */

static void
put_dec_ttl(struct of_text *t, const struct of_act_ids *a)
{
	of_text_puts(t, "dec_ttl");
	if (!a->n)
		return;
	for (unsigned i = 0; i < a->n; i++)
		of_text_printf(t, "%c%u", i ? ',' : '(', a->id[i]);
	of_text_puts(t, ")");
}

static void
put_fin_timeout(struct of_text *t, const struct of_act_fin_timeout *a)
{
	of_text_puts(t, "fin_timeout(");
	if (a->idle)
		of_text_printf(t, "idle_timeout=%u,", a->idle);
	if (a->hard)
		of_text_printf(t, "hard_timeout=%u,", a->hard);
	of_text_chomp(t, ',');
	of_text_puts(t, ")");
}

static void
put_nested(struct of_text *t, const char *name, const struct of_act *a, const struct of_names *names)
{
	of_text_printf(t, "%s(", name);
	of_print_acts(t, of_acts_nested(a), names);
	of_text_puts(t, ")");
}

static void
put_metadata(struct of_text *t, const struct of_act_metadata *a)
{
	of_text_printf(t, "write_metadata:%#llx", (unsigned long long)a->value);
	if (a->mask != UINT64_MAX)
		of_text_printf(t, "/%#llx", (unsigned long long)a->mask);
}

static void
put_meter(struct of_text *t, uint32_t id)
{
	if (id == OFM_CONTROLLER)
		of_text_puts(t, "meter:controller");
	else if (id == OFM_SLOWPATH)
		of_text_puts(t, "meter:slowpath");
	else
		of_text_printf(t, "meter:%u", id);
}

/* Those that are a word, or a word and a number; false: none of them. */
static bool
put_simple(struct of_text *t, const struct of_act *a)
{
	static const char *const number[OFA_N_KINDS] = {
		[OFA_SET_QUEUE] = "set_queue:%u", [OFA_GROUP] = "group:%u", [OFA_SET_TP_SRC] = "mod_tp_src:%u",
		[OFA_SET_TP_DST] = "mod_tp_dst:%u", [OFA_PUSH_VLAN] = "push_vlan:%#x",
		[OFA_PUSH_MPLS] = "push_mpls:0x%04x", [OFA_POP_MPLS] = "pop_mpls:0x%04x",
		[OFA_PUSH_PBB] = "push_pbb:0x%04x", [OFA_SET_MPLS_TTL] = "set_mpls_ttl(%u)",
		[OFA_SET_NW_TTL] = "mod_nw_ttl:%u", [OFA_GOTO_TABLE] = "goto_table:%u",
	};
	static const char *const word[OFA_N_KINDS] = {
		[OFA_POP_QUEUE] = "pop_queue", [OFA_POP_PBB] = "pop_pbb", [OFA_DEC_MPLS_TTL] = "dec_mpls_ttl",
		[OFA_COPY_TTL_IN] = "copy_ttl_in", [OFA_COPY_TTL_OUT] = "copy_ttl_out", [OFA_EXIT] = "exit",
		[OFA_CLEAR_ACTIONS] = "clear_actions",
	};

	if (number[a->kind]) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		of_text_printf(t, number[a->kind], u32_of(a));
#pragma GCC diagnostic pop
		return true;
	}
	if (!word[a->kind])
		return false;
	of_text_puts(t, word[a->kind]);
	return true;
}

static void
put_structured(struct of_text *t, const struct of_act *a, const struct of_names *names)
{
	const struct of_act_enqueue *q = (const struct of_act_enqueue *)a;
	const struct of_act_move *m = (const struct of_act_move *)a;
	const struct of_act_conj *c = (const struct of_act_conj *)a;
	const struct of_act_note *n = (const struct of_act_note *)a;
	bool old = a->form == OFA_FORM_1_0;

	switch ((enum of_act_kind)a->kind) {
	case OFA_ENQUEUE:
		of_text_puts(t, "enqueue:");
		of_print_port(t, q->port, names);
		of_text_printf(t, ":%u", q->queue);
		break;
	case OFA_SET_VLAN_VID:
		of_text_printf(t, "%s_vlan_vid:%u", old ? "mod" : "set", u32_of(a));
		break;
	case OFA_SET_VLAN_PCP:
		of_text_printf(t, "%s_vlan_pcp:%u", old ? "mod" : "set", u32_of(a));
		break;
	case OFA_POP_VLAN:
		of_text_puts(t, old ? "strip_vlan" : "pop_vlan");
		break;
	case OFA_MOVE:
		of_text_puts(t, "move:");
		of_print_sub(t, &m->src);
		of_text_puts(t, "->");
		of_print_sub(t, &m->dst);
		break;
	case OFA_STACK_PUSH:
	case OFA_STACK_POP:
		of_text_puts(t, a->kind == OFA_STACK_PUSH ? "push:" : "pop:");
		of_print_sub(t, &((const struct of_act_sub *)a)->sub);
		break;
	case OFA_CONJUNCTION:
		of_text_printf(t, "conjunction(%u,%u/%u)", c->id, c->clause + 1, c->n_clauses);
		break;
	case OFA_NOTE:
		of_text_puts(t, "note:");
		tx_put_bytes(t, n->data, n->n);
		break;
	default:
		of_text_printf(t, "unknown(%u)", a->kind);
	}
}

static void
put_act(struct of_text *t, const struct of_act *a, const struct of_names *names)
{
	const struct of_act_output *o = (const struct of_act_output *)a;

	switch ((enum of_act_kind)a->kind) {
	case OFA_OUTPUT:
		put_output(t, o, names);
		break;
	case OFA_OUTPUT_REG:
		of_text_puts(t, "output:");
		of_print_sub(t, &((const struct of_act_output_reg *)a)->src);
		break;
	case OFA_OUTPUT_TRUNC:
		of_text_puts(t, "output(port=");
		of_print_port(t, o->port, names);
		of_text_printf(t, ",max_len=%u)", o->trunc_len);
		break;
	case OFA_CONTROLLER:
		put_controller(t, (const struct of_act_controller *)a);
		break;
	case OFA_SET_FIELD:
		put_set_field(t, (const struct of_act_set_field *)a, names);
		break;
	case OFA_DEC_NW_TTL:
		put_dec_ttl(t, (const struct of_act_ids *)a);
		break;
	case OFA_RESUBMIT:
		put_resubmit(t, (const struct of_act_resubmit *)a, names);
		break;
	case OFA_LEARN:
		tx_put_learn(t, (const struct of_act_learn *)a, names);
		break;
	case OFA_MULTIPATH:
		tx_put_multipath(t, (const struct of_act_multipath *)a);
		break;
	case OFA_BUNDLE:
		tx_put_bundle(t, (const struct of_act_bundle *)a, names);
		break;
	case OFA_FIN_TIMEOUT:
		put_fin_timeout(t, (const struct of_act_fin_timeout *)a);
		break;
	case OFA_CLONE:
		put_nested(t, "clone", a, names);
		break;
	case OFA_WRITE_ACTIONS:
		put_nested(t, "write_actions", a, names);
		break;
	case OFA_WRITE_METADATA:
		put_metadata(t, (const struct of_act_metadata *)a);
		break;
	case OFA_METER:
		put_meter(t, u32_of(a));
		break;
	default:
		if (a->kind >= OFA_N_KINDS || !put_simple(t, a))
			put_structured(t, a, names);
	}
}

void
of_print_acts(struct of_text *t, struct of_acts list, const struct of_names *names)
{
	size_t start = t->len;

	if (list.len) {
		OF_ACTS_EACH(a, list) {
			if (a->kind == OFA_APPLY_NOTHING)
				continue;
			if (t->len > start)
				of_text_puts(t, ",");
			put_act(t, a, names);
		}
	}
	if (t->len == start)
		of_text_puts(t, "drop");
}
