/* SPDX-License-Identifier: Apache-2.0 */
/* Random pipelines and random packets.  Each answer is run on a packet of thirty lines and compared with what an
 * interpreter of rules, which knows of no caches, does to the same packet: the same copies, out of the same ports, with
 * the same fields.  And an answer must hold for every packet that is equal under its mask. */
#include "tests/ofproto/pipesim.h"

#include "base/hash.h"

enum { ROUNDS = 150, RULES = 40, PACKETS = 300, KEPT = 64, MAX_TAGS = 8, MAX_COPIES = 256, MAX_RULES = 64 };

static uint64_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 16) % n;
}

/* --- A packet, and copies of it that have left -------------------------------------------------- */

struct packet {
	struct oflow f;                 /* Tags are here, the last one outermost: */
	unsigned n_tags;
	be16_t tpid[MAX_TAGS], tci[MAX_TAGS];
};

struct copies {
	unsigned n;
	struct copy {
		uint32_t port;
		struct packet p;
	} c[MAX_COPIES];
};

static void
show_tags(struct packet *p)
{
	memset(p->f.vlan, 0, sizeof p->f.vlan);
	for (unsigned i = 0; i < 2 && i < p->n_tags; i++) {
		p->f.vlan[i].tpid = p->tpid[p->n_tags - 1 - i];
		p->f.vlan[i].tci = p->tci[p->n_tags - 1 - i] | be16(OFLOW_VLAN_PRESENT);
	}
}

static void
push_tag(struct packet *p, be16_t tpid, be16_t tci)
{
	assert_true(p->n_tags < MAX_TAGS);
	p->tpid[p->n_tags] = tpid;
	p->tci[p->n_tags++] = tci & be16(0xefff);
	show_tags(p);
}

static void
leave(struct copies *c, uint32_t port, const struct packet *p)
{
	struct oflow *f;

	assert_true(c->n < MAX_COPIES);
	c->c[c->n] = (struct copy){ port, *p };
	/* What is not in the packet does not leave with it. */
	f = &c->c[c->n++].p.f;
	memset(f, 0, OFLOW_STAGE1 * 8);
}

/* --- The interpreter of rules ------------------------------------------------------------------- */

static struct rule {
	struct of_flow_mod fm;
	struct of_act_buf acts;
} rules[MAX_RULES];
static unsigned n_rules;

struct run {
	struct copies *out;
	uint32_t in_port;
	struct of_acts set[64];
	unsigned n_sets, depth;
	bool dead, stop;
};

static void run_table(struct run *, struct packet *, unsigned table);

static const struct rule *
find(const struct packet *p, unsigned table)
{
	const struct rule *best = NULL;

	for (unsigned i = 0; i < n_rules; i++) {
		const struct of_flow_mod *fm = &rules[i].fm;
		bool match = fm->table_id == table;

		for (unsigned w = 0; w < OFLOW_WORDS && match; w++)
			match = !((oflow_word(&p->f, w) ^ oflow_word(&fm->match.flow, w)) & oflow_word(&fm->match.mask, w));
		if (match && (!best || fm->priority > best->fm.priority))
			best = &rules[i];
	}
	return best;
}

static bool
is_ip(const struct packet *p)
{
	return p->f.dl_type == be16(0x800);
}

static void
set_vid(struct packet *p, uint16_t vid)
{
	if (!p->n_tags)
		push_tag(p, be16(0x8100), be16(vid));
	else
		p->tci[p->n_tags - 1] = (p->tci[p->n_tags - 1] & be16(0xf000)) | be16(vid);
	show_tags(p);
}

static void
out_port(struct run *r, struct packet *p, uint32_t port)
{
	if (port == (uint32_t)OFPP_FLOOD) {
		for (uint32_t i = 1; i <= 9; i++)
			if (i != r->in_port)
				leave(r->out, i, p);
	} else if (port == (uint32_t)OFPP_IN_PORT) {
		leave(r->out, r->in_port, p);
	} else if (port != r->in_port) {
		leave(r->out, port, p);
	}
}

static void run_acts(struct run *, struct packet *, struct of_acts, int *next);

static void
run_act(struct run *r, struct packet *p, const struct of_act *a, int *next)
{
	const struct of_act_set_field *sf = (const struct of_act_set_field *)a;
	const struct of_act_move *m = (const struct of_act_move *)a;
	const struct of_act_metadata *md = (const struct of_act_metadata *)a;
	uint32_t arg = ((const struct of_act_u32 *)a)->value;
	struct packet copy;
	uint8_t v[16];

	switch (a->kind) {
	case OFA_OUTPUT:
		out_port(r, p, ((const struct of_act_output *)a)->port);
		break;
	case OFA_SET_FIELD:
		if (of_need_has(of_field_info[sf->field].needs, &p->f))
			of_field_set(sf->field, &p->f, sf->value, sf->masked ? sf->mask : NULL);
		break;
	case OFA_MOVE:
		if (!of_need_has(of_field_info[m->src.field].needs, &p->f))
			break;
		of_sub_get(&m->src, &p->f, v);
		if (of_need_has(of_field_info[m->dst.field].needs, &p->f))
			of_sub_set(&m->dst, &p->f, v);
		break;
	case OFA_SET_VLAN_VID:
		set_vid(p, (uint16_t)arg);
		break;
	case OFA_POP_VLAN:
		p->n_tags -= p->n_tags > 0;
		show_tags(p);
		break;
	case OFA_PUSH_VLAN:
		push_tag(p, be16((uint16_t)arg), p->n_tags ? p->tci[p->n_tags - 1] : 0);
		break;
	case OFA_DEC_NW_TTL:
		if (!is_ip(p))
			break;
		if (p->f.nw_ttl <= 1)
			r->dead = true;
		else
			p->f.nw_ttl--;
		break;
	case OFA_RESUBMIT:
		run_table(r, p, ((const struct of_act_resubmit *)a)->table);
		break;
	case OFA_CLONE: {
		bool dead = r->dead, stop = r->stop;

		copy = *p;
		run_acts(r, &copy, of_acts_nested(a), next);
		r->dead = dead;
		r->stop = stop;
		break;
	}
	case OFA_EXIT:
		r->stop = true;
		break;
	case OFA_WRITE_ACTIONS:
		r->set[r->n_sets++] = of_acts_nested(a);
		break;
	case OFA_CLEAR_ACTIONS:
		r->n_sets = 0;
		break;
	case OFA_WRITE_METADATA:
		p->f.metadata = (p->f.metadata & ~be64(md->mask)) | be64(md->value);
		break;
	case OFA_GOTO_TABLE:
		*next = (int)arg;
		break;
	default:
		fail_msg("action %u", a->kind);
	}
}

static void
run_acts(struct run *r, struct packet *p, struct of_acts acts, int *next)
{
	OF_ACTS_EACH(a, acts)
		if (!r->dead && !r->stop)
			run_act(r, p, a, next);
}

static void
run_table(struct run *r, struct packet *p, unsigned table)
{
	for (int next = (int)table; next >= 0 && !r->dead && !r->stop;) {
		const struct rule *rule = find(p, (unsigned)next);

		next = -1;
		if (rule)
			run_acts(r, p, of_act_buf_acts(&rule->acts), &next);
	}
}

/* Only what the generator puts into sets. */
static void
run_set(struct run *r, struct packet *p)
{
	static const uint8_t order[] = { OFA_POP_VLAN, OFA_PUSH_VLAN, OFA_DEC_NW_TTL, OFA_SET_FIELD, OFA_OUTPUT };

	for (unsigned o = 0; o < ARRAY_SIZE(order); o++) {
		const struct of_act *last = NULL;

		for (unsigned i = 0; i < r->n_sets && !r->dead; i++) {
			OF_ACTS_EACH(a, r->set[i]) {
				if (a->kind != order[o])
					continue;
				last = a;
				if (a->kind == OFA_SET_FIELD)
					run_act(r, p, a, NULL);
			}
		}
		if (last && last->kind != OFA_SET_FIELD && !r->dead)
			run_act(r, p, last, NULL);
	}
}

static void
interpret(const struct oflow *f, struct copies *out)
{
	struct run r = { .out = out, .in_port = host32(f->in_port) };
	struct packet p = { .f = *f };

	out->n = 0;
	for (int i = 1; i >= 0; i--)
		if (f->vlan[i].tci & be16(OFLOW_VLAN_PRESENT))
			push_tag(&p, f->vlan[i].tpid ? f->vlan[i].tpid : be16(0x8100), f->vlan[i].tci);
	run_table(&r, &p, 0);
	r.stop = false;
	if (r.n_sets && !r.dead)
		run_set(&r, &p);
}

/* --- The datapath ------------------------------------------------------------------------------- */

static __attribute__((noinline)) void
set_bytes(void *at, const uint8_t *data, unsigned len)
{
	const uint8_t *mask = data + (len + 7) / 8 * 8;

	for (unsigned i = 0; i < len; i++)
		((uint8_t *)at)[i] = (((uint8_t *)at)[i] & (uint8_t)~mask[i]) | (data[i] & mask[i]);
}

static void
exec_set(struct packet *p, const struct act *a)
{
	const uint8_t *data = (const uint8_t *)&a[1];
	unsigned len = act_field_info[a->port].len;

	switch (a->port) {
	case ACT_F_ETH_DST: set_bytes(&p->f.dl_dst, data, len); break;
	case ACT_F_ETH_SRC: set_bytes(&p->f.dl_src, data, len); break;
	case ACT_F_IPV4_SRC: set_bytes(&p->f.nw_src, data, len); break;
	case ACT_F_IPV4_DST: set_bytes(&p->f.nw_dst, data, len); break;
	case ACT_F_IP_TTL: set_bytes(&p->f.nw_ttl, data, len); break;
	case ACT_F_IP_TOS: set_bytes(&p->f.nw_tos, data, len); break;
	case ACT_F_TP_DST: set_bytes(&p->f.tp_dst, data, len); break;
	case ACT_F_VLAN_TCI: set_bytes(&p->tci[p->n_tags - 1], data, len); break;
	default: fail_msg("field %u", a->port);
	}
	show_tags(p);
}

static void
exec(struct packet p, const struct act *a, unsigned n, struct copies *out)
{
	for (unsigned i = 0; i < n; i += 1 + act_n_data(a[i].op, a[i].arg)) {
		switch (a[i].op) {
		case ACT_OUTPUT:
			leave(out, a[i].port, &p);
			break;
		case ACT_PUSH_VLAN:
			push_tag(&p, be16((uint16_t)(a[i].arg >> 16)), be16((uint16_t)a[i].arg));
			break;
		case ACT_POP_VLAN:
			assert_true(p.n_tags > 0);
			p.n_tags--;
			show_tags(&p);
			break;
		case ACT_SET_VLAN:
			assert_true(p.n_tags > 0);
			p.tci[p.n_tags - 1] = (p.tci[p.n_tags - 1] & be16(0xf000)) | be16((uint16_t)a[i].arg);
			show_tags(&p);
			break;
		case ACT_SET:
			exec_set(&p, &a[i]);
			break;
		case ACT_CLONE:
			exec(p, &a[i + 1], a[i].arg, out);
			i += a[i].arg;
			break;
		default:
			fail_msg("op %u", a[i].op);
		}
	}
}

static void
execute(const struct oflow *f, const struct xlate_out *o, struct copies *out)
{
	struct packet p = { .f = *f };

	out->n = 0;
	for (int i = 1; i >= 0; i--)
		if (f->vlan[i].tci & be16(OFLOW_VLAN_PRESENT))
			push_tag(&p, f->vlan[i].tpid ? f->vlan[i].tpid : be16(0x8100), f->vlan[i].tci);
	exec(p, o->acts.a, o->acts.n, out);
}

static int
compare_copies(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;
	int d = (int)x->port - (int)y->port;

	return d ? d : memcmp(&x->p.f, &y->p.f, sizeof x->p.f);
}

/* --- Random things ------------------------------------------------------------------------------ */

static unsigned
put_match(char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	if (!rnd(3))
		n += snprintf(buf + n, len - n, ",in_port=%u", 1 + rnd(3));
	if (!rnd(4))
		n += snprintf(buf + n, len - n, ",dl_dst=02:00:00:00:00:0%u", 1 + rnd(3));
	if (!rnd(4))
		n += snprintf(buf + n, len - n, rnd(3) ? ",dl_vlan=%u" : ",vlan_tci=0", 1 + rnd(3));
	if (!rnd(5))
		n += snprintf(buf + n, len - n, ",reg0=%u", rnd(3));
	if (!rnd(5))
		n += snprintf(buf + n, len - n, ",metadata=%u/1", rnd(2));
	switch (rnd(5)) {
	case 0:
		n += snprintf(buf + n, len - n, ",ip,nw_dst=10.0.%u.0/%u", rnd(4), rnd(2) ? 23 : 24);
		break;
	case 1:
		n += snprintf(buf + n, len - n, ",tcp,tp_dst=%u", 1 + rnd(3));
		break;
	case 2:
		n += snprintf(buf + n, len - n, ",ip,nw_ttl=%u", 1 + rnd(4));
		break;
	case 3:
		n += snprintf(buf + n, len - n, ",ip,nw_src=10.0.0.%u/0.0.0.%u", rnd(4), 3);
		break;
	}
	return (unsigned)n;
}

static unsigned
put_action(char *buf, size_t len, unsigned table, unsigned depth)
{
	switch (rnd(depth ? 12 : 15)) {
	case 0: return (unsigned)snprintf(buf, len, "%u,", 1 + rnd(9));
	case 1: return (unsigned)snprintf(buf, len, "%s,", rnd(4) ? "in_port" : "flood");
	case 2: return (unsigned)snprintf(buf, len, "mod_nw_dst:10.0.%u.%u,", rnd(4), rnd(4));
	case 3: return (unsigned)snprintf(buf, len, "load:%u->NXM_OF_IP_DST[8..9],", rnd(4));
	case 4: return (unsigned)snprintf(buf, len, "mod_dl_dst:02:00:00:00:00:0%u,", 1 + rnd(3));
	case 5: return (unsigned)snprintf(buf, len, "load:%u->NXM_NX_REG0[],", rnd(3));
	case 6: return (unsigned)snprintf(buf, len, "move:NXM_OF_IP_SRC[0..1]->NXM_NX_REG0[0..1],");
	case 7: return (unsigned)snprintf(buf, len, "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],");
	case 8: return (unsigned)snprintf(buf, len, "mod_vlan_vid:%u,", 1 + rnd(3));
	case 9: return (unsigned)snprintf(buf, len, "strip_vlan,");
	case 10: return (unsigned)snprintf(buf, len, "dec_ttl,");
	case 11: return (unsigned)snprintf(buf, len, "%u,%u,", 1 + rnd(9), 1 + rnd(9));
	case 12: return (unsigned)snprintf(buf, len, "resubmit(,%u),", table + 1);
	case 13: return rnd(4) ? 0 : (unsigned)snprintf(buf, len, "push_vlan:0x8100,");
	default: {
		size_t n = (size_t)snprintf(buf, len, "clone(");

		for (unsigned i = 1 + rnd(3); i; i--)
			n += put_action(buf + n, len - n, table, 1);
		if (buf[n - 1] == ',')
			n--;
		return (unsigned)(n + (size_t)snprintf(buf + n, len - n, "),"));
	}
	}
}

static void
put_set(char *buf, size_t len)
{
	static const char *const acts[] = { "output:2", "output:5", "pop_vlan", "dec_ttl", "set_field:10.0.1.1->ip_dst",
					    "set_field:02:00:00:00:00:03->eth_dst" };
	size_t n = (size_t)snprintf(buf, len, ",write_actions(");

	for (unsigned i = 1 + rnd(3); i; i--)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", acts[rnd(ARRAY_SIZE(acts))], i > 1 ? "," : ")");
}

static void
random_rule(unsigned i)
{
	struct rule *r = &rules[n_rules];
	unsigned table = rnd(4);
	struct err e = { 0 };
	char buf[2000];
	size_t n;

	n = (size_t)snprintf(buf, sizeof buf, "table=%u,priority=%u", table, i + 1);
	n += put_match(buf + n, sizeof buf - n);
	n += (size_t)snprintf(buf + n, sizeof buf - n, ",actions=");
	for (unsigned k = rnd(5); k; k--)
		n += put_action(buf + n, sizeof buf - n, table, 0);
	n += (size_t)snprintf(buf + n, sizeof buf - n, "load:0->NXM_NX_REG5[]");
	if (!rnd(6))
		n += (size_t)snprintf(buf + n, sizeof buf - n, ",exit");
	if (!rnd(5))
		n += (size_t)snprintf(buf + n, sizeof buf - n, ",clear_actions");
	if (!rnd(3))
		put_set(buf + n, sizeof buf - n);
	n = strlen(buf);
	if (!rnd(3))
		n += (size_t)snprintf(buf + n, sizeof buf - n, ",write_metadata:%u/1", rnd(2));
	if (rnd(3))
		snprintf(buf + n, sizeof buf - n, ",goto_table:%u", table + 1 + rnd(2));
	of_act_buf_fini(&r->acts);
	if (of_parse_flow_mod(buf, strlen(buf), OFFC_ADD, NULL, &r->acts, &r->fm, &e))
		fail_msg("%s: %s", buf, e.msg);
	version = OF10;
	if (of_flow_mod(ofp_pipe(s->ofp, br), &(struct of_who){ .version = OF10 }, &r->fm, &last_error))
		return;
	n_rules++;
}

static struct oflow
random_packet(void)
{
	char buf[400];
	size_t n;
	static const char *const kinds[] = { "tcp,tp_dst=%u", "udp,tp_dst=%u", "ip,nw_proto=%u", "arp,arp_op=%u" };
	unsigned kind = rnd(4);

	n = (size_t)snprintf(buf, sizeof buf, "in_port=%u,dl_src=02:00:00:00:00:09,dl_dst=02:00:00:00:00:0%u,", 1 + rnd(3),
			     1 + rnd(3));
	n += (size_t)snprintf(buf + n, sizeof buf - n, kinds[kind], 1 + rnd(3));
	n += (size_t)snprintf(buf + n, sizeof buf - n, kind < 3 ? ",nw_src=10.0.0.%u,nw_dst=10.0.%u.%u" :
			      ",arp_spa=10.0.0.%u,arp_tpa=10.0.%u.%u", rnd(4), rnd(4), rnd(4));
	if (kind < 3)
		n += (size_t)snprintf(buf + n, sizeof buf - n, ",nw_ttl=%u", rnd(4));
	if (rnd(2))
		snprintf(buf + n, sizeof buf - n, ",dl_vlan=%u,dl_vlan_pcp=%u", 1 + rnd(3), rnd(3));
	return key_flow(buf);
}

/* --- The test ----------------------------------------------------------------------------------- */

static struct kept {
	struct flow_key key, mask;
	char text[2000];
	enum dp_drop drop;
} kept[KEPT];

static bool
equal_under(const struct flow_key *a, const struct flow_key *b, const struct flow_key *mask)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b, *m = (const uint8_t *)mask;

	for (unsigned i = 0; i < sizeof *a; i++)
		if ((x[i] ^ y[i]) & m[i])
			return false;
	return true;
}

static void
check_bound(const struct flow_key *k)
{
	struct flow_key bound = { 0 };
	const uint8_t *m = (const uint8_t *)&s->out.mask, *b = (const uint8_t *)&bound;

	ofp_xlate.port_mask(s->view, k->in_port, &bound);
	for (unsigned i = 0; i < sizeof bound; i++)
		if (m[i] & ~b[i])
			fail_msg("byte %u of the mask is beyond the port's", i);
}

static unsigned
check_kept(const struct flow_key *k, const char *text, enum dp_drop drop)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEPT; i++) {
		if (!kept[i].mask.in_port || !equal_under(k, &kept[i].key, &kept[i].mask))
			continue;
		n++;
		if (strcmp(kept[i].text, text) || kept[i].drop != drop)
			fail_msg("an answer that was kept says '%s' (%u), a new one '%s' (%u)", kept[i].text, kept[i].drop,
				 text, drop);
	}
	return n;
}

static void
answers_are_right_and_hold_for_all_that_is_equal(void **state)
{
	static struct copies want, got;
	unsigned n_equal = 0, n_copies = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		ofp_of_reset(s->ofp, br, true);
		n_rules = 0;
		memset(kept, 0, sizeof kept);
		for (unsigned i = 0; i < RULES; i++)
			random_rule(i);
		sim_commit(s);
		for (unsigned i = 0; i < PACKETS; i++) {
			struct oflow f = random_packet();
			struct flow_key k;
			struct kept *slot = &kept[rnd(KEPT)];

			pipe_key_of(&f, (uint16_t)host32(f.in_port), &k);
			sim_xlate(s, &k);
			assert_false(s->out.no_cache);
			check_bound(&k);
			n_equal += check_kept(&k, s->text, s->out.drop);
			interpret(&f, &want);
			execute(&f, &s->out, &got);
			qsort(want.c, want.n, sizeof want.c[0], compare_copies);
			qsort(got.c, got.n, sizeof got.c[0], compare_copies);
			n_copies += got.n;
			if (want.n != got.n)
				fail_msg("round %u: %u copies, expected %u: %s", round, got.n, want.n, s->text);
			for (unsigned c = 0; c < want.n; c++)
				if (compare_copies(&want.c[c], &got.c[c]))
					fail_msg("round %u: copy %u (port %u) differs: %s", round, c, got.c[c].port, s->text);
			slot->key = k;
			slot->mask = s->out.mask;
			slot->drop = s->out.drop;
			str_copy(slot->text, sizeof slot->text, s->text);
		}
	}
	for (unsigned i = 0; i < MAX_RULES; i++)
		of_act_buf_fini(&rules[i].acts);
	assert_true(n_equal > ROUNDS * PACKETS / 4);
	assert_true(n_copies > ROUNDS * PACKETS / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers_are_right_and_hold_for_all_that_is_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
