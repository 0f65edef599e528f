/* SPDX-License-Identifier: Apache-2.0 */
/* Random rules, groups and packets of a small world: few addresses, ports and tags, so that rules meet packets and each
 * other all the time; many masks, so that every prefix length and every limit of the cache is come by. */
#include <string.h>

#include "base/csum.h"
#include "base/hash.h"
#include "tests/datapath/frames.h"
#include "tests/packet/differ_priv.h"

enum { N_KEPT = 48, RULES_WANTED = 60 };

static uint64_t seed;
static struct sent kept[N_KEPT];
static uint32_t next_id;

static uint32_t
rnd(uint32_t n)
{
	seed = hash_mix(seed + 0x9e3779b97f4a7c15ull);
	return (uint32_t)(seed >> 16) % n;
}

void
gen_seed(uint64_t s)
{
	seed = s;
	memset(kept, 0, sizeof kept);
	next_id = 1;
}

static uint64_t
some_mac(void)
{
	if (!rnd(12))
		return 0xffffffffffff;
	if (!rnd(30))
		return 0x0180c2000000 + rnd(2);
	return 0x020000000000 + 1 + rnd(6);
}

static uint32_t
some_ip(void)
{
	return (10u << 24) + (rnd(2) << 23 | rnd(4) << 8 | rnd(4) << 1 | rnd(2));
}

static uint16_t
some_port(void)
{
	return (uint16_t)(rnd(3) ? rnd(8) : rnd(65536));
}

/* --- Matches ------------------------------------------------------------------------------------------------------- */

static void
match_on(struct nv_match *m, enum nv_field f, uint64_t v, uint64_t mask)
{
	m->value[f] = v & mask;
	m->mask[f] = mask;
}

static uint64_t
prefix(unsigned bits, unsigned of)
{
	return bits ? ((of == 64 ? UINT64_MAX : (1ull << of) - 1) >> (of - bits)) << (of - bits) : 0;
}

static uint64_t
ip_mask(void)
{
	switch (rnd(6)) {
	case 0: return rnd(UINT32_MAX);
	case 1: return 0xffffffff;
	default: return prefix(8 + rnd(25), 32);
	}
}

static void
match_ip(struct nv_match *m, bool v6)
{
	bool l4 = rnd(2);

	match_on(m, NV_ETH_TYPE, v6 ? 0x86dd : 0x800, 0xffff);
	if (l4 || !rnd(4))
		match_on(m, NV_IP_PROTO, rnd(2) ? 6 : 17, 0xff);
	for (unsigned i = 0; i < 2; i++) {
		if (rnd(3))
			continue;
		if (v6 && !rnd(3))
			match_on(m, i ? NV_IP6_DST_HI : NV_IP6_SRC_HI, 0x20010db8ull << 32 | rnd(2), prefix(32 + rnd(33), 64));
		else if (v6) {
			match_on(m, i ? NV_IP6_DST_HI : NV_IP6_SRC_HI, 0x20010db8ull << 32 | rnd(2), UINT64_MAX);
			match_on(m, i ? NV_IP6_DST : NV_IP6_SRC, some_ip(), rnd(2) ? UINT64_MAX : prefix(40 + rnd(25), 64));
		} else
			match_on(m, i ? NV_IP_DST : NV_IP_SRC, some_ip(), ip_mask());
	}
	if (!rnd(8))
		match_on(m, NV_IP_TOS, rnd(4) << 2, 0xfc);
	if (!rnd(8))
		match_on(m, NV_IP_TTL, rnd(4), 0xff);
	if (!rnd(8) && !v6)
		match_on(m, NV_IP_FRAG, rnd(4) == 2 ? 0 : rnd(4), rnd(2) ? 3 : 1 + rnd(2));
	if (m->mask[NV_IP_FRAG] == 3 && m->value[NV_IP_FRAG] == 2)
		m->value[NV_IP_FRAG] = 3;
	if (m->mask[NV_IP_FRAG] == 2)
		m->value[NV_IP_FRAG] = 0;
	if (m->mask[NV_IP_FRAG] == 1)
		m->value[NV_IP_FRAG] = 1;
	if (!l4)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (!rnd(3))
			match_on(m, i ? NV_TP_DST : NV_TP_SRC, some_port(),
				 rnd(2) ? 0xffff : rnd(2) ? prefix(1 + rnd(16), 16) : rnd(65536));
	if (m->value[NV_IP_PROTO] == 6 && !rnd(6))
		match_on(m, NV_TCP_FLAGS, rnd(32), 1 + rnd(31));
}

static struct nv_match
some_match(void)
{
	struct nv_match m;

	memset(&m, 0, sizeof m);
	if (!rnd(4))
		match_on(&m, NV_IN_PORT, 1 + rnd(NV_PORTS), 0xffffffff);
	if (!rnd(5))
		match_on(&m, NV_METADATA, rnd(4), 1 + rnd(3));
	if (!rnd(6))
		match_on(&m, rnd(2) ? NV_REG0 : NV_REG1, rnd(4), rnd(2) ? 0xffffffff : 3);
	if (!rnd(4))
		match_on(&m, NV_ETH_DST, some_mac(), rnd(4) ? 0xffffffffffff : rnd(2) ? 0x010000000000 : rnd(16));
	if (!rnd(6))
		match_on(&m, NV_ETH_SRC, some_mac(), rnd(4) ? 0xffffffffffff : rnd(16));
	switch (rnd(16)) {
	case 0:
	case 1: match_on(&m, NV_VLAN, 0x1000 + rnd(4), 0x1fff); break;
	case 2: match_on(&m, NV_VLAN, 0, 0xffff); break;
	case 3: match_on(&m, NV_VLAN, 0x1000, 0x1000); break;
	case 4: match_on(&m, NV_VLAN, 0x1000 + rnd(8) * 0x2000, 0xf000); break;
	case 5: match_on(&m, NV_VLAN, 0x1000 + rnd(4), 0x1001); break;
	}
	switch (rnd(8)) {
	case 0:
	case 1:
	case 2: match_ip(&m, false); break;
	case 3: match_ip(&m, true); break;
	case 4:
		match_on(&m, NV_ETH_TYPE, 0x806, 0xffff);
		if (rnd(2))
			match_on(&m, NV_IP_PROTO, 1 + rnd(2), 0xffff);
		if (rnd(2))
			match_on(&m, rnd(2) ? NV_IP_SRC : NV_IP_DST, some_ip(), ip_mask());
		break;
	case 5:
		if (!rnd(3))
			match_on(&m, NV_ETH_TYPE, 0x88cc, 0xffff);
		break;
	}
	for (unsigned i = 0; i < NV_FIELDS; i++)
		m.value[i] &= m.mask[i];
	return m;
}

/* --- Actions ------------------------------------------------------------------------------------------------------- */

static void
add(struct nv_list *l, struct nv_act a)
{
	if (l->n < NV_ACTS)
		l->a[l->n++] = a;
}

static struct nv_act
some_output(void)
{
	return (struct nv_act){ .kind = NV_OUTPUT, .value = 1 + rnd(NV_PORTS + 1) };
}

/* What the match promises, mostly: what it does not is refused. */
static struct nv_act
some_set(const struct nv_match *m)
{
	bool v4 = m->value[NV_ETH_TYPE] == 0x800, v6 = m->value[NV_ETH_TYPE] == 0x86dd;
	bool l4 = (v4 || v6) && m->mask[NV_IP_PROTO] && m->value[NV_IP_PROTO] != 1;
	struct nv_act a = { .kind = NV_SET, .mask = 0xffffffff };

	switch (rnd(9)) {
	case 0:
		if (!l4 && rnd(8))
			break;
		a.field = rnd(2) ? NV_TP_SRC : NV_TP_DST;
		a.value = some_port();
		a.mask = 0xffff;
		return a;
	case 1:
	case 2:
		if (!v4 && !v6)
			break;
		a.field = v6 ? (rnd(2) ? NV_IP6_SRC : NV_IP6_DST) : rnd(2) ? NV_IP_SRC : NV_IP_DST;
		a.mask = v6 ? UINT64_MAX : rnd(3) ? 0xffffffff : 0xffff;
		a.value = some_ip() & a.mask;
		return a;
	case 3:
		if (!v4 && !v6 && rnd(8))
			break;
		a.field = rnd(2) ? NV_IP_TOS : NV_IP_TTL;
		a.value = a.field == NV_IP_TOS ? rnd(4) << 2 : rnd(4);
		a.mask = a.field == NV_IP_TOS ? 0xfc : 0xff;
		return a;
	case 4:
	case 5:
		a.field = NV_ETH_DST;
		a.mask = rnd(3) ? 0xffffffffffff : 0xff;
		a.value = some_mac() & a.mask;
		return a;
	}
	a.field = rnd(2) ? NV_REG0 : NV_REG1;
	a.value = rnd(4);
	return a;
}

static struct nv_act
some_move(const struct nv_match *m)
{
	struct nv_act a = { .kind = NV_MOVE, .field = NV_ETH_SRC, .to_field = rnd(2) ? NV_REG0 : NV_REG1 };

	a.n_bits = (uint8_t)(1 + rnd(3));
	a.from_bit = (uint8_t)rnd(3);
	switch (rnd(4)) {
	case 0: a.field = NV_REG1; break;
	case 1: a.field = NV_REG0; a.to_field = NV_METADATA; break;
	case 2:
		if (m->value[NV_ETH_TYPE] == 0x800) {
			a.field = rnd(2) ? NV_IP_SRC : NV_IP_DST;
			if (!rnd(3))
				a.to_field = NV_IP_DST;
		}
		break;
	}
	return a;
}

static struct nv_act
some_act(const struct nv_match *m, unsigned table)
{
	switch (rnd(18)) {
	case 0: return (struct nv_act){ .kind = NV_IN_PORT_OUT };
	case 1: return (struct nv_act){ .kind = rnd(2) ? NV_FLOOD : NV_ALL };
	case 2: return (struct nv_act){ .kind = NV_NORMAL };
	case 3: return (struct nv_act){ .kind = rnd(3) ? NV_OUTPUT : NV_TO_CONTROLLER, .value = 1 + rnd(NV_PORTS) };
	case 4: return (struct nv_act){ .kind = NV_GROUP, .value = 1 + rnd(NV_GROUPS) };
	case 5:
	case 6:
	case 7:
	case 8: return some_set(m);
	case 9: return some_move(m);
	case 10: return (struct nv_act){ .kind = NV_SET_VID, .value = rnd(4) };
	case 11: return (struct nv_act){ .kind = NV_PUSH_VLAN, .value = rnd(4) ? 0x8100 : 0x88a8 };
	case 12: return (struct nv_act){ .kind = NV_POP_VLAN };
	case 13: return (struct nv_act){ .kind = NV_DEC_TTL };
	case 14:
		if (table + 1 < NV_TABLES)
			return (struct nv_act){ .kind = NV_RESUBMIT, .value = table + 1 + rnd(NV_TABLES - table - 1) };
		break;
	}
	return some_output();
}

/* Actions of each kind once, as sets have them. */
static struct nv_list
some_set_list(const struct nv_match *m, unsigned below_group)
{
	struct nv_list l = { 0 };

	for (unsigned i = rnd(3); i; i--)
		add(&l, some_set(m));
	if (!rnd(5))
		add(&l, (struct nv_act){ .kind = NV_POP_VLAN });
	if (!rnd(6))
		add(&l, (struct nv_act){ .kind = NV_PUSH_VLAN, .value = 0x8100 });
	if (!rnd(6))
		add(&l, (struct nv_act){ .kind = NV_DEC_TTL });
	if (below_group > 1 && !rnd(4))
		add(&l, (struct nv_act){ .kind = NV_GROUP, .value = 1 + rnd(below_group - 1) });
	if (rnd(8))
		add(&l, some_output());
	/* Masked writes to one field of a set are not told apart. */
	for (unsigned i = 0; i < l.n; i++)
		if (l.a[i].kind == NV_SET && (l.a[i].field == NV_ETH_DST || l.a[i].field == NV_IP_SRC ||
					      l.a[i].field == NV_IP_DST))
			l.a[i].mask = l.a[i].field == NV_ETH_DST ? 0xffffffffffff : 0xffffffff;
	return l;
}

static struct nv_body
some_body(const struct nv_match *m, unsigned table)
{
	struct nv_body b = { .go = -1 };

	if (rnd(2))
		add(&b.apply, some_output());
	if (!table && !rnd(6))
		add(&b.apply, (struct nv_act){ .kind = NV_LEARN, .value = rnd(m->value[NV_ETH_TYPE] == 0x800 ? 3 : 2) });
	for (unsigned i = rnd(4); i; i--)
		add(&b.apply, some_act(m, table));
	if (!rnd(8) && b.apply.n + 3 <= NV_ACTS) {
		add(&b.apply, (struct nv_act){ .kind = NV_CLONE, .value = 2 });
		add(&b.apply, some_set(m));
		add(&b.apply, some_act(m, table));
		if (rnd(2))
			add(&b.apply, some_act(m, table));
	}
	b.clear = !rnd(10);
	if (!rnd(3)) {
		b.has_write = true;
		b.write = some_set_list(m, NV_GROUPS + 1);
		b.has_write = b.write.n;
	}
	if (!rnd(4)) {
		b.has_metadata = true;
		b.metadata_mask = 1 + rnd(3);
		b.metadata = rnd(4) & b.metadata_mask;
	}
	if (table + 1 < NV_TABLES && rnd(3))
		b.go = (int)(table + 1 + rnd(NV_TABLES - table - 1));
	return b;
}

/* --- Changes ------------------------------------------------------------------------------------------------------- */

static const struct nv_rule *
some_rule(const struct nv *nv)
{
	for (unsigned i = 0; i < 64; i++) {
		const struct nv_rule *r = &nv->rule[rnd(NV_RULES)];

		if (r->live)
			return r;
	}
	return NULL;
}

/* Which of two rules of one priority wins is not said (5.3), so there are none that could meet a packet both. */
static bool
is_taken(const struct nv *nv, const struct nv_flow_mod *m)
{
	for (unsigned i = 0; i < NV_RULES; i++)
		if (nv->rule[i].live && nv->rule[i].table == m->table && nv->rule[i].priority == m->priority)
			return true;
	return false;
}

static void
gen_flow_mod(const struct nv *nv, struct nv_flow_mod *m)
{
	static const uint8_t few[] = { NV_ADD, NV_ADD, NV_ADD, NV_ADD, NV_MODIFY, NV_MODIFY_STRICT, NV_DELETE_STRICT };
	static const uint8_t many[] = { NV_ADD, NV_MODIFY, NV_MODIFY_STRICT, NV_DELETE_STRICT, NV_DELETE_STRICT, NV_DELETE };
	unsigned n = nv_n_rules(nv);
	const struct nv_rule *r;

	memset(m, 0, sizeof *m);
	m->command = n < RULES_WANTED ? few[rnd(ARRAY_SIZE(few))] : many[rnd(ARRAY_SIZE(many))];
	if (n < RULES_WANTED && !rnd(40))
		m->command = NV_DELETE;
	/* Learned ones come on top. */
	if (m->command == NV_ADD && n + 24 > NV_RULES)
		m->command = NV_DELETE;
	m->match = some_match();
	m->table = (uint8_t)(rnd(3) ? rnd(NV_TABLES) : 0);
	do
		m->priority = (uint16_t)(1 + rnd(100));
	while (is_taken(nv, m));
	r = m->command != NV_ADD || !rnd(6) ? some_rule(nv) : NULL;
	if (r && (m->command == NV_ADD || rnd(8))) {
		m->match = r->match;
		m->table = r->table;
		m->priority = r->priority;
	}
	/* Wider than the rule, where that is allowed. */
	for (unsigned i = 0; i < NV_FIELDS && (m->command == NV_MODIFY || m->command == NV_DELETE); i++) {
		bool ip = i == NV_ETH_TYPE || i == NV_IP_PROTO;

		if (!ip && !rnd(3))
			m->match.mask[i] = m->match.value[i] = 0;
	}
	if (m->command == NV_ADD || m->command == NV_MODIFY || m->command == NV_MODIFY_STRICT)
		m->body = some_body(&m->match, m->table);
	m->old = m->command == NV_ADD && !rnd(8);
	m->cookie = m->command == NV_ADD ? rnd(4) : 0;
	if (m->command == NV_DELETE) {
		if (!rnd(3)) {
			m->cookie = rnd(3) ? rnd(4) : 7;
			m->cookie_mask = UINT64_MAX;
		}
		if (!rnd(3))
			m->out_port = 1 + rnd(NV_PORTS);
		else if (!rnd(3))
			m->out_group = 1 + rnd(NV_GROUPS);
		if (!rnd(4))
			m->table = NV_ANY_TABLE;
	}
}

static void
gen_group_mod(struct nv_group_mod *m)
{
	static const struct nv_match nothing;
	struct nv_group *g = &m->group;

	memset(m, 0, sizeof *m);
	m->id = 1 + rnd(NV_GROUPS);
	m->command = (uint8_t)(rnd(8) ? rnd(2) : NV_GROUP_DELETE);
	g->type = (uint8_t)rnd(4);
	g->n = g->type == NV_GROUP_INDIRECT ? 1 : rnd(NV_BUCKETS + 1);
	for (unsigned i = 0; i < g->n; i++) {
		struct nv_bucket *b = &g->bucket[i];

		b->weight = g->type == NV_GROUP_SELECT ? (uint16_t)rnd(3) : 0;
		if (g->type == NV_GROUP_FF || (g->type == NV_GROUP_SELECT && !rnd(3)))
			b->watch = 1 + rnd(NV_PORTS);
		b->acts = some_set_list(&nothing, m->id);
	}
}

static void
gen_port(const struct nv *nv, struct op *o)
{
	o->no = (uint16_t)(1 + rnd(NV_PORTS));
	o->port = nv->port[o->no];
	switch (rnd(6)) {
	case 0: o->port.exists = !o->port.exists; break;
	case 1: o->port.no_recv = !o->port.no_recv; break;
	case 2: o->port.no_fwd = !o->port.no_fwd; break;
	default: o->port.up = !o->port.up;
	}
	if (!o->port.exists)
		o->port.no_recv = o->port.no_fwd = false;
}

/* --- Packets ------------------------------------------------------------------------------------------------------- */

static void
ip6_addrs(struct fb *f)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *a = f->b + f->l3 + 8 + 16 * i;

		memset(a, 0, 16);
		store_be32(a, be32(0x20010db8));
		a[7] = (uint8_t)rnd(2);
		store_be32(a + 12, be32(some_ip()));
	}
}

/* The checksum at 'at' of what follows l4. */
static void
l4_done(struct fb *f, bool v6, uint8_t proto, unsigned at)
{
	uint32_t len = f->n - f->l4;
	uint16_t c;
	uint64_t s = csum_add(0, f->b + f->l3 + (v6 ? 8 : 12), v6 ? 32 : 8);
	uint8_t rest[4] = { 0, proto, (uint8_t)(len >> 8), (uint8_t)len };

	store_be16(f->b + f->l4 + at, 0);
	s = csum_add(s, rest, 4);
	c = (uint16_t)~csum_fold(csum_add(s, f->b + f->l4, len));
	store_be16(f->b + f->l4 + at, proto == 17 && !c ? 0xffff : c);
}

static void
put_l4(struct fb *f, bool v6, unsigned kind)
{
	uint8_t proto = kind == 0 ? 6 : kind == 1 ? 17 : v6 ? 58 : 1;

	if (proto == 6) {
		fb_tcp(f, some_port(), some_port(), (uint16_t)rnd(32));
		fb_fill(f, 't', 6);
	} else if (proto == 17) {
		fb_udp(f, some_port(), some_port(), 9);
	} else {
		fb_icmp(f, v6 ? 128 : 8, 0);
		fb_fill(f, 'i', 7);
	}
	if (proto != 17 || v6 || rnd(3)) {
		if (proto == 1)
			store_be16(f->b + f->l4 + 2, (uint16_t)~csum_fold(csum_add(0, f->b + f->l4, f->n - f->l4)));
		else
			l4_done(f, v6, proto, proto == 6 ? 16 : proto == 17 ? 6 : 2);
	}
}

static void
put_ip(struct fb *f, bool v6)
{
	static const uint16_t frags[] = { 0, 0, 0, 0, 0, 0x4000, 0x2000, 0x2001, 0x0003 };
	unsigned kind = rnd(5) ? rnd(2) : 2;
	uint16_t frag = frags[rnd(ARRAY_SIZE(frags))];
	uint8_t proto = kind == 0 ? 6 : kind == 1 ? 17 : v6 ? 58 : 1;
	uint8_t ttl = (uint8_t)(rnd(3) ? 64 : rnd(4)), tos = (uint8_t)(rnd(2) ? 0 : rnd(4) << 2 | rnd(4));

	if (v6) {
		fb_ip6(f, proto);
		ip6_addrs(f);
		f->b[f->l3 + 7] = ttl;
		f->b[f->l3] = (uint8_t)(0x60 | tos >> 4);
		f->b[f->l3 + 1] = (uint8_t)(tos << 4 | 3);
		put_l4(f, true, kind);
		fb_ip6_done(f);
		return;
	}
	fb_ip(f, proto, rnd(8) ? 0 : 4, frag);
	f->b[f->l3 + 1] = tos;
	f->b[f->l3 + 8] = ttl;
	store_be32(f->b + f->l3 + 12, be32(some_ip()));
	store_be32(f->b + f->l3 + 16, be32(some_ip()));
	if (frag & 0x1fff)
		fb_fill(f, 'f', 24);
	else
		put_l4(f, false, kind);
	fb_ip_done(f);
}

static void
new_frame(struct sent *fr)
{
	struct fb f;

	fb_macs(&f, 0, (uint8_t)(1 + rnd(6)));
	for (uint64_t d = some_mac(), i = 6; i-- > 0; d >>= 8)
		f.b[i] = (uint8_t)d;
	if (!rnd(60))
		f.b[6] |= 1;
	for (unsigned n = rnd(2) ? 0 : rnd(4) ? 1 : 2; n; n--)
		fb_tag(&f, rnd(6) ? 0x8100 : 0x88a8, (uint16_t)(rnd(8) << 13 | (rnd(40) ? rnd(4) : 4095)));
	switch (rnd(10)) {
	case 0:
		fb_arp(&f, 0x806, (uint16_t)(1 + rnd(2)));
		store_be32(f.b + f.l3 + 14, be32(some_ip()));
		store_be32(f.b + f.l3 + 24, be32(some_ip()));
		break;
	case 1:
		fb_be16(&f, 0x88cc);
		fb_fill(&f, 'l', 40);
		break;
	case 2:
	case 3:
	case 4: put_ip(&f, true); break;
	default: put_ip(&f, false);
	}
	if (f.n < 60)
		fb_fill(&f, 0, 60 - f.n);
	fr->len = (uint16_t)f.n;
	memcpy(fr->b, f.b, f.n);
}

/* Mostly one that was there before.  The last four bytes tell it from all others. */
static void
gen_frame(struct sent *f)
{
	unsigned i = rnd(N_KEPT);
	uint32_t id;

	if (!kept[i].len || !rnd(6))
		new_frame(&kept[i]);
	*f = kept[i];
	id = be32(next_id++);
	memcpy(f->b + f->len, &id, 4);
	f->len += 4;
}

void
gen_op(const struct nv *nv, struct op *o)
{
	unsigned what = rnd(100);

	if (what < 70) {
		o->kind = OP_PACKETS;
		o->in_port = (uint8_t)(1 + rnd(NV_PORTS));
		o->n = (uint8_t)(rnd(3) ? 1 : 1 + rnd(BURST_MAX));
		for (unsigned i = 0; i < o->n; i++)
			gen_frame(&o->frame[i]);
	} else if (what < 92) {
		o->kind = OP_FLOW_MOD;
		gen_flow_mod(nv, &o->flow);
	} else if (what < 95) {
		o->kind = OP_GROUP_MOD;
		gen_group_mod(&o->group);
	} else if (what < 98) {
		o->kind = OP_PORT;
		gen_port(nv, o);
	} else {
		o->kind = rnd(20) ? OP_TICK : rnd(2) ? OP_FLUSH : OP_COUNTS;
	}
}
