/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that send packets somewhere, out of text; see text.h. */
#include "ofproto/text_priv.h"

#include <errno.h>

const char *const tx_reasons[] = { "no_match", "action", "invalid_ttl", "action_set", "group", "packet_out", NULL };

void
tx_add_output(struct of_act_buf *b, uint32_t port, uint16_t max_len)
{
	struct of_act_output *a = of_act_put(b, OFA_OUTPUT, OFA_FORM_STD, sizeof *a);

	a->port = port;
	a->max_len = max_len;
}

/* port=5,max_len=100 */
static int
output_cut(struct tx *x, struct tx_str arg, struct of_act_buf *b)
{
	static const char *const keys[] = { "port", "max_len", NULL };
	uint32_t port = (uint32_t)OFPP_ANY, len = 0;
	struct of_act_output *a;
	struct tx_item item;
	int rc;

	while ((rc = tx_next(x, &arg, &item)) > 0) {
		if (tx_is(item.key, "port"))
			rc = tx_port(x, item.value, "output", &port);
		else if (tx_is(item.key, "max_len"))
			rc = tx_u32(x, item.value, "max_len", &len);
		else
			rc = tx_bad_word(x, item.key, "argument of output", keys);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	if (port == (uint32_t)OFPP_ANY || (port > (uint32_t)OFPP_MAX && port != (uint32_t)OFPP_LOCAL &&
	    port != (uint32_t)OFPP_IN_PORT))
		return tx_bad(x, arg.s, "output(port=...,max_len=...): a port, LOCAL or IN_PORT");
	if (len < 14)
		return tx_bad(x, arg.s, "output(port=...,max_len=...): max_len is at least 14");
	a = of_act_put(b, OFA_OUTPUT_TRUNC, OFA_FORM_NX, sizeof *a);
	a->port = port;
	a->trunc_len = len;
	return 0;
}

int
tx_a_output(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct of_act_output_reg *a;
	struct tx_str head, tail;
	struct of_sub sub;
	uint32_t port;
	int rc;

	arg = tx_trim(arg);
	if (tx_split(arg, '=', &head, &tail))
		return output_cut(x, arg, b);
	if (of_parse_port(arg.s, arg.n, x->names, &port)) {
		tx_add_output(b, port, port == (uint32_t)OFPP_CONTROLLER ? 0xffff : 0);
		return 0;
	}
	if (!tx_split(arg, '[', &head, &tail) && tx_field(arg) == OFF_NONE)
		return tx_port(x, arg, w->name, &port);
	rc = tx_sub(x, arg, &sub);
	if (rc)
		return rc;
	a = of_act_put(b, OFA_OUTPUT_REG, OFA_FORM_NX, sizeof *a);
	a->src = sub;
	a->max_len = 0xffff;
	return 0;
}

int
tx_a_enqueue(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct of_act_enqueue *a;
	uint32_t port_no, queue;
	struct tx_str port, q;
	int rc;

	if (!tx_split(arg, ',', &port, &q) && !tx_split(arg, ':', &port, &q) && !tx_split(arg, 'q', &port, &q))
		return tx_bad(x, arg.s, "expected enqueue:PORT:QUEUE or enqueue(PORT,QUEUE)");
	rc = tx_port(x, tx_trim(port), w->name, &port_no);
	if (!rc)
		rc = tx_u32(x, tx_trim(q), "queue", &queue);
	if (rc)
		return rc;
	a = of_act_put(b, w->kind, w->form, sizeof *a);
	a->port = port_no;
	a->queue = queue;
	return 0;
}

/* What stands in controller(...). */
struct controller {
	uint16_t max_len, id;
	uint8_t reason;
	bool pause;
	uint32_t meter_id;
	struct tx_str userdata;
};

static int
controller_item(struct tx *x, const struct tx_item *i, struct controller *c)
{
	static const char *const keys[] = { "reason", "max_len", "id", "userdata", "pause", "meter_id", NULL };

	if (tx_is(i->key, "reason")) {
		for (c->reason = 0; tx_reasons[c->reason]; c->reason++)
			if (tx_is(i->value, tx_reasons[c->reason]))
				return 0;
		return tx_bad_word(x, i->value, "reason", tx_reasons);
	}
	if (tx_is(i->key, "max_len"))
		return tx_u16(x, i->value, "max_len", &c->max_len);
	if (tx_is(i->key, "id"))
		return tx_u16(x, i->value, "id", &c->id);
	if (tx_is(i->key, "meter_id"))
		return tx_u32(x, i->value, "meter_id", &c->meter_id);
	if (tx_is(i->key, "pause")) {
		c->pause = true;
		return 0;
	}
	if (!tx_is(i->key, "userdata"))
		return tx_bad_word(x, i->key, "argument of controller", keys);
	c->userdata = i->value;
	return 0;
}

int
tx_a_controller(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	struct controller c = { .max_len = 0xffff, .reason = OFPR_ACTION };
	struct of_act_controller *a;
	struct tx_str rest = arg;
	struct tx_item item;
	int rc, n;

	arg = tx_trim(arg);
	if (arg.n && arg.s[0] >= '0' && arg.s[0] <= '9') {
		rc = tx_u16(x, arg, w->name, &c.max_len);
		if (!rc)
			tx_add_output(b, (uint32_t)OFPP_CONTROLLER, c.max_len);
		return rc;
	}
	while ((rc = tx_next(x, &rest, &item)) > 0) {
		rc = controller_item(x, &item, &c);
		if (rc)
			return rc;
	}
	n = rc ? rc : tx_bytes(x, c.userdata, "userdata", NULL);
	if (n < 0)
		return n;
	if (n > OF_ACTS_MAX - 64)
		return tx_bad(x, c.userdata.s, "userdata: too long");
	if (c.reason == OFPR_ACTION && !c.id && !n && !c.pause && !c.meter_id) {
		tx_add_output(b, (uint32_t)OFPP_CONTROLLER, c.max_len);
		return 0;
	}
	/* The older action carries no more than these. */
	a = of_act_put(b, OFA_CONTROLLER, n || c.pause || c.meter_id ? OFA_FORM_NX2 : OFA_FORM_NX,
		       sizeof *a + (size_t)n);
	a->max_len = c.max_len;
	a->controller_id = c.id;
	a->reason = c.reason;
	a->pause = c.pause;
	a->meter_id = c.meter_id;
	a->userdata_len = (uint16_t)n;
	tx_bytes(x, c.userdata, "userdata", a->userdata);
	return 0;
}

/* resubmit:PORT, resubmit(PORT,TABLE), resubmit(,TABLE,ct) */
int
tx_a_resubmit(struct tx *x, struct tx_str arg, const struct tx_action *w, struct of_act_buf *b)
{
	uint32_t in_port = (uint32_t)OFPP_IN_PORT;
	struct tx_str port, table, ct, rest;
	struct of_act_resubmit *a;
	uint8_t id = 255;
	int rc = 0;

	tx_split(arg, ',', &port, &rest);
	tx_split(rest, ',', &table, &ct);
	port = tx_trim(port);
	table = tx_trim(table);
	ct = tx_trim(ct);
	if (port.n)
		rc = tx_port(x, port, w->name, &in_port);
	if (!rc && table.n)
		rc = tx_u8(x, table, "table", &id);
	if (!rc && ct.n && !tx_is(ct, "ct"))
		rc = tx_bad(x, ct.s, "expected resubmit(PORT,TABLE) or resubmit(PORT,TABLE,ct)");
	if (rc)
		return rc;
	if (in_port == (uint32_t)OFPP_IN_PORT && id == 255)
		return tx_bad(x, arg.s, "resubmit: to a port or to a table");
	a = of_act_put(b, w->kind, id == 255 && !ct.n ? w->form : OFA_FORM_NX2, sizeof *a);
	a->in_port = in_port;
	a->table = id;
	a->with_ct = ct.n > 0;
	return 0;
}
