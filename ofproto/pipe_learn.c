/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that make rules (NX LEARN), and rules that end with their connection (NX FIN_TIMEOUT).  Neither is done here: the
 * control thread is told what to do by a note.  A learned rule that is there already is only kept alive. */
#include "ofproto/note_priv.h"
#include "ofproto/pipe_priv.h"

static const uint8_t ones[16] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* The rule to be: a match, and actions in a buffer that a note has room for. */
struct learned {
	struct omatch match;
	uint32_t acts_len;
	uint8_t acts[XLATE_NOTE_MAX] __attribute__((aligned(8)));
};

static void *
put_act(struct learned *l, enum of_act_kind kind, enum of_act_form form, uint32_t len)
{
	struct of_act *a;

	len = (len + 7) & ~7u;
	if (l->acts_len + len > sizeof l->acts)
		return NULL;
	a = memset(l->acts + l->acts_len, 0, len);
	l->acts_len += len;
	*a = (struct of_act){ .kind = (uint8_t)kind, .form = (uint8_t)form, .len = (uint16_t)len };
	return a;
}

/* A load of a run of bits, as set_field has it. */
static bool
put_load(struct learned *l, const struct of_sub *dst, const uint8_t value[16])
{
	struct of_act_set_field *s = put_act(l, OFA_SET_FIELD, OFA_FORM_NX, sizeof *s);
	unsigned n = of_field_bytes(dst->field);

	if (!s)
		return false;
	s->field = dst->field;
	s->masked = dst->n_bits != of_field_info[dst->field].bits;
	for (unsigned i = 0; i < dst->n_bits && (dst->ofs + i) / 8 < n; i++) {
		unsigned to = dst->ofs + i, at = n - 1 - to / 8;

		s->mask[at] |= (uint8_t)(1u << (to & 7));
		if (value[15 - i / 8] >> (i & 7) & 1)
			s->value[at] |= (uint8_t)(1u << (to & 7));
	}
	return true;
}

static bool
put_output(struct learned *l, unsigned n_bits, const uint8_t value[16])
{
	struct of_act_output *o = put_act(l, OFA_OUTPUT, OFA_FORM_STD, sizeof *o);
	uint32_t port = host32(load_be32(value + 12));

	if (!o)
		return false;
	/* Sixteen bits hold a port of OpenFlow 1.0, with its reserved numbers. */
	o->port = n_bits <= 16 && port >= 0xff00 ? port | 0xffff0000u : port;
	return true;
}

static bool
put_spec(struct walk *w, struct learned *l, const struct of_learn_spec *s)
{
	struct of_sub dst = s->dst, src = s->src;
	uint8_t v[16];

	src.n_bits = dst.n_bits = s->n_bits;
	if (s->src_type == OF_LEARN_SRC_FIELD)
		pipe_read_sub(w, &src, v);
	else
		memcpy(v, s->value, sizeof v);
	switch ((enum of_learn_dst)s->dst_type) {
	case OF_LEARN_DST_MATCH:
		of_sub_set(&dst, &l->match.flow, v);
		of_sub_set(&dst, &l->match.mask, ones);
		return true;
	case OF_LEARN_DST_LOAD:
		return put_load(l, &dst, v);
	case OF_LEARN_DST_OUTPUT:
		return put_output(l, s->n_bits, v);
	}
	return false;
}

static bool
make(struct walk *w, const struct of_act_learn *a, struct learned *l)
{
	memset(&l->match, 0, sizeof l->match);
	l->acts_len = 0;
	for (uint32_t i = 0; i < a->n_specs; i++)
		if (!put_spec(w, l, &a->spec[i]))
			return false;
	if (a->fin_idle || a->fin_hard) {
		struct of_act_fin_timeout *f = put_act(l, OFA_FIN_TIMEOUT, OFA_FORM_NX, sizeof *f);

		if (!f)
			return false;
		f->idle = a->fin_idle;
		f->hard = a->fin_hard;
	}
	return true;
}

static bool
is_same(const struct of_rule *r, const struct of_act_learn *a, const struct learned *l)
{
	struct of_acts acts = of_rule_acts(r);
	uint16_t idle, hard;

	of_rule_timeouts(r, &idle, &hard);
	return acts.len == l->acts_len && !(acts.len && memcmp(acts.a, l->acts, acts.len)) && idle == a->idle &&
	       hard == a->hard && of_rule_cookie(r) == a->cookie;
}

/* The note under way; NULL: no room, so that the next packet asks again. */
static uint8_t *
note_begin(struct walk *w, uint32_t len)
{
	struct xlate_out *out = w->x->out;

	if (out->n_notes == XLATE_MAX_NOTES || len > XLATE_NOTE_MAX) {
		out->no_cache = true;
		return NULL;
	}
	out->notes[out->n_notes].len = (uint16_t)len;
	return out->notes[out->n_notes++].data;
}

static void
note_rule(struct walk *w, const struct of_act_learn *a, const struct learned *l)
{
	struct note_learn n = { .h = { NOTE_LEARN, w->bridge }, .idle = a->idle, .hard = a->hard, .priority = a->priority,
				.flags = a->flags, .table = a->table, .acts_len = (uint16_t)l->acts_len,
				.cookie = a->cookie, .limit = a->limit };
	uint8_t words[OFLOW_WORDS], *p;

	for (unsigned i = 0; i < OFLOW_WORDS; i++)
		if (oflow_word(&l->match.mask, i))
			words[n.n_words++] = (uint8_t)i;
	p = note_begin(w, (uint32_t)sizeof n + ((n.n_words + 7u) & ~7u) + 16u * n.n_words + l->acts_len);
	if (!p)
		return;
	memcpy(p, &n, sizeof n);
	p += sizeof n;
	memcpy(p, words, n.n_words);
	p += (n.n_words + 7u) & ~7u;
	for (unsigned i = 0; i < n.n_words; i++, p += 16) {
		uint64_t v = oflow_word(&l->match.flow, words[i]), m = oflow_word(&l->match.mask, words[i]);

		memcpy(p, &v, 8);
		memcpy(p + 8, &m, 8);
	}
	memcpy(p, l->acts, l->acts_len);
}

void
pipe_learn(struct walk *w, const struct of_act_learn *a)
{
	uint8_t result[16] = { 0 };
	const struct of_rule *r;
	struct learned l;
	bool full;

	if (!make(w, a, &l)) {
		pipe_why(w, DROP_OF_ACTION);
		return;
	}
	xl_tag_of(w->x, of_tag_table(w->bridge, a->table), TAG_TABLE, w->bridge);
	r = of_find_exact(w->pipe, w->version, a->table, &l.match, a->priority);
	/* What is there already may be kept alive, and be learned anew. */
	full = !r && a->limit && of_learned_count(w->pipe, a->table, a->cookie) >= a->limit;
	if (r && is_same(r, a, &l))
		xlate_ref(w->x->out, of_ref_refresh(w->pipe, r));
	else if (!full)
		note_rule(w, a, &l);
	if (UNLIKELY(w->x->trace) && full)
		trace_note(w->x->trace, "not learned: the limit is reached");
	else if (UNLIKELY(w->x->trace))
		trace_learn(w->x->trace, a, &l.match, (struct of_acts){ (const struct of_act *)l.acts, l.acts_len }, r);
	if (a->flags & OF_LEARN_WRITE_RESULT && a->result.n_bits) {
		result[15] = !full;
		pipe_write_sub(w, &a->result, result);
	}
}

void
pipe_fin_timeout(struct walk *w, const struct of_act_fin_timeout *a)
{
	enum { FIN = 1, RST = 4 };
	struct note_fin n = { .h = { NOTE_FIN, w->bridge }, .idle = a->idle, .hard = a->hard };
	uint8_t *p;

	if (!w->rule || !pipe_has(w, OFF_TCP_SRC))
		return;
	w->t->wc.tcp_flags |= be16(FIN | RST);
	if (!(w->t->pk.flow.tcp_flags & be16(FIN | RST)))
		return;
	n.rule = of_ref_rule(w->pipe, w->rule);
	p = note_begin(w, sizeof n);
	if (p)
		memcpy(p, &n, sizeof n);
}
