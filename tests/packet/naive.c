/* SPDX-License-Identifier: Apache-2.0 */
/* See naive.h. */
#include "tests/packet/naive.h"

#include <string.h>

#include "base/util.h"

/* --- Bytes ------------------------------------------------------------------------------------------------------- */

static uint64_t
get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put(uint8_t *p, unsigned n, uint64_t v)
{
	for (unsigned i = n; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

/* Where things are; 0: they are not. */
struct place {
	unsigned n_tags, type, ip, l4, l4_end, proto;
	bool v6, arp, frag, later;
};

static void
find_places(const struct nv_packet *p, struct place *w)
{
	unsigned at = 12;

	memset(w, 0, sizeof *w);
	while (get(p->b + at, 2) == 0x8100 || get(p->b + at, 2) == 0x88a8) {
		w->n_tags++;
		at += 4;
	}
	w->type = (unsigned)get(p->b + at, 2);
	at += 2;
	if (w->type == 0x0806) {
		w->arp = true;
		w->ip = at;
	} else if (w->type == 0x0800) {
		w->ip = at;
		w->proto = p->b[at + 9];
		w->frag = get(p->b + at + 6, 2) & 0x3fff;
		w->later = get(p->b + at + 6, 2) & 0x1fff;
		w->l4 = w->later ? 0 : at + (p->b[at] & 15) * 4u;
		w->l4_end = at + (unsigned)get(p->b + at + 2, 2);
	} else if (w->type == 0x86dd) {
		w->v6 = true;
		w->ip = at;
		w->proto = p->b[at + 6];
		w->l4 = at + 40;
		w->l4_end = at + 40 + (unsigned)get(p->b + at + 4, 2);
	}
}

static bool
has_ports(const struct place *w)
{
	return w->l4 && (w->proto == 6 || w->proto == 17);
}

void
nv_fields(const struct nv_packet *p, uint64_t f[NV_FIELDS])
{
	struct place w;

	memset(f, 0, NV_FIELDS * sizeof f[0]);
	find_places(p, &w);
	f[NV_IN_PORT] = p->in_port;
	f[NV_METADATA] = p->metadata;
	f[NV_REG0] = p->reg[0];
	f[NV_REG1] = p->reg[1];
	f[NV_ETH_DST] = get(p->b, 6);
	f[NV_ETH_SRC] = get(p->b + 6, 6);
	f[NV_VLAN] = w.n_tags ? get(p->b + 14, 2) | 0x1000 : 0;
	f[NV_ETH_TYPE] = w.type;
	if (w.arp) {
		f[NV_IP_PROTO] = get(p->b + w.ip + 6, 2);
		f[NV_IP_SRC] = get(p->b + w.ip + 14, 4);
		f[NV_IP_DST] = get(p->b + w.ip + 24, 4);
	} else if (w.v6) {
		f[NV_IP_PROTO] = w.proto;
		f[NV_IP_TOS] = get(p->b + w.ip, 2) >> 4 & 0xff;
		f[NV_IP_TTL] = p->b[w.ip + 7];
		f[NV_IP6_SRC_HI] = get(p->b + w.ip + 8, 8);
		f[NV_IP6_SRC] = get(p->b + w.ip + 16, 8);
		f[NV_IP6_DST_HI] = get(p->b + w.ip + 24, 8);
		f[NV_IP6_DST] = get(p->b + w.ip + 32, 8);
	} else if (w.ip) {
		f[NV_IP_PROTO] = w.proto;
		f[NV_IP_TOS] = p->b[w.ip + 1];
		f[NV_IP_TTL] = p->b[w.ip + 8];
		f[NV_IP_SRC] = get(p->b + w.ip + 12, 4);
		f[NV_IP_DST] = get(p->b + w.ip + 16, 4);
		f[NV_IP_FRAG] = w.later ? 3 : w.frag ? 1 : 0;
	}
	/* OFPC_FRAG_NORMAL as Open vSwitch has it: no fragment's ports are looked at, not even the first one's. */
	if (has_ports(&w) && !w.frag) {
		f[NV_TP_SRC] = get(p->b + w.l4, 2);
		f[NV_TP_DST] = get(p->b + w.l4 + 2, 2);
	}
	if (w.l4 && w.proto == 6 && !w.frag)
		f[NV_TCP_FLAGS] = get(p->b + w.l4 + 12, 2) & 0xfff;
}

/* --- Checksums: what was added up before and is now, applied to what stands there ---------------------------------- */

static uint32_t
sum(const uint8_t *p, unsigned n)
{
	uint32_t s = 0;

	for (unsigned i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* Where the checksum of the upper layer is; 0: there is none, or none that covers addresses. */
static unsigned
l4_csum_at(const struct nv_packet *p, const struct place *w)
{
	if (!w->l4)
		return 0;
	if (w->proto == 6)
		return w->l4 + 16;
	if (w->proto == 17)
		return get(p->b + w->l4 + 6, 2) ? w->l4 + 6 : 0;
	return w->v6 && w->proto == 58 ? w->l4 + 2 : 0;
}

struct sums {
	uint32_t ip, l4;
};

/* All that the two checksums cover, themselves included. */
static struct sums
sums_of(const struct nv_packet *p, const struct place *w)
{
	struct sums s = { 0 };

	if (!w->ip || w->arp)
		return s;
	s.ip = w->v6 ? 0 : sum(p->b + w->ip, (p->b[w->ip] & 15) * 4u);
	if (w->l4)
		s.l4 = sum(p->b + w->ip + (w->v6 ? 8 : 12), w->v6 ? 32 : 8) + sum(p->b + w->l4, w->l4_end - w->l4);
	return s;
}

static void
mend(struct nv_packet *p, unsigned at, uint32_t before, uint32_t after, bool udp)
{
	/* RFC 1624, equation 3. */
	uint32_t s = (uint16_t)~get(p->b + at, 2) + (uint32_t)(uint16_t)~(before % 0xffff) + after % 0xffff;

	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = (uint16_t)~s;
	put(p->b + at, 2, udp && !s ? 0xffff : s);
}

static void
mend_sums(struct nv_packet *p, const struct place *w, const struct sums *before)
{
	struct sums now = sums_of(p, w);
	unsigned at = l4_csum_at(p, w);

	if (!w->ip || w->arp)
		return;
	if (!w->v6 && now.ip != before->ip)
		mend(p, w->ip + 10, before->ip, now.ip, false);
	if (at && now.l4 != before->l4)
		mend(p, at, before->l4, now.l4, w->proto == 17);
}

/* One packet's way. */
struct run {
	const struct nv *nv;
	struct nv_out *out;
	unsigned n_given;
	const struct nv_list *set[NV_SETS];
	unsigned n_sets, depth;
	bool dead;                      /* Its TTL ran out. */
};

/* --- Changes of a packet ------------------------------------------------------------------------------------------- */

static void
set_bits(uint8_t *p, unsigned n, uint64_t value, uint64_t mask)
{
	put(p, n, (get(p, n) & ~mask) | (value & mask));
}

static void
set_field(struct nv_packet *p, enum nv_field f, uint64_t v, uint64_t m)
{
	struct place w;
	struct sums before;
	bool ip, v4;

	find_places(p, &w);
	before = sums_of(p, &w);
	ip = w.ip && !w.arp;
	v4 = ip && !w.v6;
	switch (f) {
	case NV_METADATA: p->metadata = (p->metadata & ~m) | (v & m); break;
	case NV_REG0: p->reg[0] = (p->reg[0] & ~m) | (v & m); break;
	case NV_REG1: p->reg[1] = (p->reg[1] & ~m) | (v & m); break;
	case NV_ETH_DST: set_bits(p->b, 6, v, m); break;
	case NV_ETH_SRC: set_bits(p->b + 6, 6, v, m); break;
	case NV_IP_TOS:
		if (v4)
			set_bits(p->b + w.ip + 1, 1, v, m);
		else if (ip)
			set_bits(p->b + w.ip, 2, v << 4, m << 4);
		break;
	case NV_IP_TTL:
		if (ip)
			set_bits(p->b + w.ip + (v4 ? 8 : 7), 1, v, m);
		break;
	case NV_IP_SRC:
	case NV_IP_DST:
		if (v4)
			set_bits(p->b + w.ip + (f == NV_IP_SRC ? 12 : 16), 4, v, m);
		break;
	case NV_IP6_SRC:
	case NV_IP6_DST:
		if (w.v6)
			set_bits(p->b + w.ip + (f == NV_IP6_SRC ? 16 : 32), 8, v, m);
		break;
	case NV_TP_SRC:
	case NV_TP_DST:
		if (has_ports(&w))
			set_bits(p->b + w.l4 + (f == NV_TP_SRC ? 0 : 2), 2, v, m);
		break;
	default:
		break;
	}
	mend_sums(p, &w, &before);
}

static void
push_tag(struct run *r, struct nv_packet *p, uint64_t tpid, uint64_t tci)
{
	struct place w;

	find_places(p, &w);
	if (p->len + 4u > NV_FRAME || w.n_tags == NV_TAGS) {
		r->out->too_much = true;
		return;
	}
	memmove(p->b + 16, p->b + 12, p->len - 12u);
	put(p->b + 12, 2, tpid);
	put(p->b + 14, 2, tci);
	p->len += 4;
}

static void
pop_tag(struct nv_packet *p)
{
	struct place w;

	find_places(p, &w);
	if (!w.n_tags)
		return;
	memmove(p->b + 12, p->b + 16, p->len - 16u);
	p->len -= 4;
}

static void
set_vid(struct run *r, struct nv_packet *p, uint64_t vid)
{
	struct place w;

	find_places(p, &w);
	if (w.n_tags)
		set_bits(p->b + 14, 2, vid, 0xfff);
	else
		push_tag(r, p, 0x8100, vid);
}

/* --- One packet's way ---------------------------------------------------------------------------------------------- */

static void run_list(struct run *, struct nv_packet *, const struct nv_list *, unsigned from, unsigned to);
static void run_set(struct run *, struct nv_packet *, const struct nv_list *const *set, unsigned n);

static void
leave(struct run *r, const struct nv_packet *p, uint32_t port)
{
	struct nv_copy *c;

	if (r->out->n == NV_COPIES) {
		r->out->too_much = true;
		return;
	}
	c = &r->out->copy[r->out->n++];
	c->port = port;
	c->len = p->len;
	memcpy(c->b, p->b, p->len);
}

static void
send(struct run *r, const struct nv_packet *p, uint64_t port)
{
	const struct nv_port *to = port <= NV_PORTS ? &r->nv->port[port] : NULL;

	if (to && to->exists && to->up && !to->no_fwd)
		leave(r, p, (uint32_t)port);
}

static void
send_to_all(struct run *r, const struct nv_packet *p)
{
	for (unsigned i = 1; i <= NV_PORTS; i++)
		if (i != p->in_port)
			send(r, p, i);
}

static const struct nv_mac *
find_mac(const struct nv *nv, uint64_t mac, unsigned vid)
{
	for (unsigned i = 0; i < NV_MACS; i++)
		if (nv->mac[i].live && nv->mac[i].mac == mac && nv->mac[i].vid == vid)
			return &nv->mac[i];
	return NULL;
}

/* The learning switch, of ports that carry every VLAN.  A priority tag is taken off. */
static void
normal(struct run *r, const struct nv_packet *in)
{
	uint64_t dst = get(in->b, 6), src = get(in->b + 6, 6);
	bool tagged = get(in->b + 12, 2) == 0x8100;
	unsigned vid = tagged ? get(in->b + 14, 2) & 0xfff : 0;
	const struct nv_mac *at;
	struct nv_packet p = *in;

	if (!src || src >> 40 & 1 || dst >> 4 == 0x0180c200000 || vid == 4095)
		return;
	if (tagged && !vid)
		pop_tag(&p);
	at = find_mac(r->nv, src, vid);
	/* One address of a packet at a time. */
	if ((!at || at->port != p.in_port) && r->nv->port[p.in_port].up && !r->out->mac.live)
		r->out->mac = (struct nv_mac){ true, (uint16_t)vid, (uint16_t)p.in_port, src };
	at = dst >> 40 & 1 ? NULL : find_mac(r->nv, dst, vid);
	if (!at)
		send_to_all(r, &p);
	else if (at->port != p.in_port)
		send(r, &p, at->port);
}

static bool
bucket_lives(const struct run *r, const struct nv_bucket *b)
{
	return !b->watch || (b->watch <= NV_PORTS && r->nv->port[b->watch].exists && r->nv->port[b->watch].up);
}

/* Each bucket is an action set that a copy goes through. */
static void
run_bucket(struct run *r, const struct nv_packet *p, const struct nv_bucket *b)
{
	const struct nv_list *set = &b->acts;
	struct nv_packet copy = *p;
	bool dead = r->dead;

	run_set(r, &copy, &set, 1);
	r->dead = dead;
}

/* Which of the ways is taken: the caller's choice while it has given one, then the first. */
static unsigned
choose(struct run *r, unsigned ways)
{
	struct nv_out *o = r->out;

	if (o->n_choices == NV_CHOICES) {
		o->too_much = true;
		return 0;
	}
	if (o->n_choices >= r->n_given)
		o->taken[o->n_choices] = 0;
	o->ways[o->n_choices] = (uint8_t)ways;
	return o->taken[o->n_choices++];
}

static void
run_group(struct run *r, const struct nv_packet *p, uint64_t id)
{
	const struct nv_group *g = &r->nv->group[id];
	const struct nv_bucket *live[NV_BUCKETS];
	unsigned n = 0;

	if (!g->exists)
		return;
	for (unsigned i = 0; i < g->n; i++)
		if (g->type == NV_GROUP_ALL || g->type == NV_GROUP_INDIRECT ||
		    (bucket_lives(r, &g->bucket[i]) && (g->type == NV_GROUP_FF || g->bucket[i].weight)))
			live[n++] = &g->bucket[i];
	if (!n)
		return;
	if (g->type == NV_GROUP_SELECT)
		run_bucket(r, p, live[choose(r, n)]);
	else
		for (unsigned i = 0; i < (g->type == NV_GROUP_ALL ? n : 1); i++)
			run_bucket(r, p, live[i]);
}

static bool
matches(const struct nv_match *m, const uint64_t f[NV_FIELDS])
{
	for (unsigned i = 0; i < NV_FIELDS; i++)
		if ((f[i] ^ m->value[i]) & m->mask[i])
			return false;
	return true;
}

static const struct nv_rule *
find_rule(const struct nv *nv, const struct nv_packet *p, unsigned table)
{
	const struct nv_rule *best = NULL;
	uint64_t f[NV_FIELDS];

	nv_fields(p, f);
	for (unsigned i = 0; i < NV_RULES; i++) {
		const struct nv_rule *r = &nv->rule[i];

		if (r->live && r->table == table && (!best || r->priority > best->priority) && matches(&r->match, f))
			best = r;
	}
	return best;
}

static void
run_table(struct run *r, struct nv_packet *p, int table)
{
	if (++r->depth > 32)
		r->out->too_much = true;
	while (table >= 0 && !r->dead && !r->out->too_much) {
		const struct nv_rule *rule = find_rule(r->nv, p, (unsigned)table);
		const struct nv_body *b;

		if (!rule)
			break;
		if (r->out->n_matched == ARRAY_SIZE(r->out->matched) || r->n_sets == NV_SETS) {
			r->out->too_much = true;
			break;
		}
		r->out->matched[r->out->n_matched++] = (uint16_t)(rule - r->nv->rule);
		b = &rule->body;
		run_list(r, p, &b->apply, 0, b->apply.n);
		if (r->dead)
			break;
		if (b->clear)
			r->n_sets = 0;
		if (b->has_write)
			r->set[r->n_sets++] = &b->write;
		if (b->has_metadata)
			set_field(p, NV_METADATA, b->metadata, b->metadata_mask);
		table = b->go;
	}
	r->depth--;
}

static void
dec_ttl(struct run *r, struct nv_packet *p)
{
	struct place w;
	uint64_t f[NV_FIELDS];

	find_places(p, &w);
	if (!w.ip || w.arp)
		return;
	nv_fields(p, f);
	if (f[NV_IP_TTL] <= 1)
		r->dead = true;
	else
		set_field(p, NV_IP_TTL, f[NV_IP_TTL] - 1, 0xff);
}

static void
move(struct nv_packet *p, const struct nv_act *a)
{
	uint64_t f[NV_FIELDS], bits = (1ull << a->n_bits) - 1;
	struct place w;

	find_places(p, &w);
	if ((a->field == NV_IP_SRC || a->field == NV_IP_DST) && w.type != 0x0800)
		return;
	nv_fields(p, f);
	set_field(p, a->to_field, (f[a->field] >> a->from_bit & bits) << a->to_bit, bits << a->to_bit);
}

static void
learn(struct run *r, const struct nv_packet *p, uint64_t form)
{
	if (r->out->n_learned == NV_LEARNED)
		r->out->too_much = true;
	else
		r->out->learned[r->out->n_learned++] = nv_learned(form, p);
}

static void
run_act(struct run *r, struct nv_packet *p, const struct nv_act *a)
{
	uint64_t f[NV_FIELDS];

	switch ((enum nv_kind)a->kind) {
	case NV_OUTPUT:
		if (a->value != p->in_port)
			send(r, p, a->value);
		break;
	case NV_IN_PORT_OUT: send(r, p, p->in_port); break;
	case NV_FLOOD:
	case NV_ALL: send_to_all(r, p); break;
	case NV_NORMAL: normal(r, p); break;
	case NV_TO_CONTROLLER: leave(r, p, NV_CONTROLLER); break;
	case NV_GROUP: run_group(r, p, a->value); break;
	case NV_SET: set_field(p, a->field, a->value, a->mask); break;
	case NV_MOVE: move(p, a); break;
	case NV_SET_VID: set_vid(r, p, a->value); break;
	case NV_PUSH_VLAN:
		nv_fields(p, f);
		push_tag(r, p, a->value, f[NV_VLAN] & 0xefff);
		break;
	case NV_POP_VLAN: pop_tag(p); break;
	case NV_DEC_TTL: dec_ttl(r, p); break;
	case NV_RESUBMIT: run_table(r, p, (int)a->value); break;
	case NV_LEARN: learn(r, p, a->value); break;
	case NV_CLONE: break;
	}
}

static void
run_list(struct run *r, struct nv_packet *p, const struct nv_list *l, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to && !r->dead && !r->out->too_much; i++) {
		if (l->a[i].kind == NV_CLONE) {
			unsigned end = i + 1 + (unsigned)l->a[i].value;
			struct nv_packet copy = *p;
			struct run was = *r;

			/* What it does to packet and action set stays within (ovs-actions(7)). */
			run_list(r, &copy, l, i + 1, end);
			*r = was;
			i = end - 1;
		} else {
			run_act(r, p, &l->a[i]);
		}
	}
}

/* 5.10: of each kind the last one written, in this order, whatever the order they were written in. */
static void
run_set(struct run *r, struct nv_packet *p, const struct nv_list *const *set, unsigned n)
{
	static const uint8_t order[] = { NV_POP_VLAN, NV_PUSH_VLAN, NV_DEC_TTL, NV_SET, NV_GROUP, NV_OUTPUT };
	bool group = false;

	for (unsigned o = 0; o < ARRAY_SIZE(order) && !r->dead; o++) {
		const struct nv_act *last[NV_FIELDS] = { NULL };

		for (unsigned i = 0; i < n; i++)
			for (unsigned k = 0; k < set[i]->n; k++)
				if (set[i]->a[k].kind == order[o])
					last[order[o] == NV_SET ? set[i]->a[k].field : 0] = &set[i]->a[k];
		for (unsigned i = 0; i < NV_FIELDS && !r->dead; i++) {
			if (!last[i] || (order[o] == NV_OUTPUT && group))
				continue;
			group |= order[o] == NV_GROUP;
			run_act(r, p, last[i]);
		}
	}
}

void
nv_run(const struct nv *nv, const uint8_t *frame, uint16_t len, uint16_t in_port, unsigned n_given, struct nv_out *out)
{
	struct run r = { .nv = nv, .out = out, .n_given = n_given };
	struct nv_packet p = { .len = len, .in_port = in_port };
	uint8_t taken[NV_CHOICES];

	memcpy(taken, out->taken, sizeof taken);
	memset(out, 0, offsetof(struct nv_out, copy));
	out->n_choices = out->n_matched = out->n_learned = 0;
	memcpy(out->taken, taken, sizeof taken);
	out->mac.live = false;
	/* NO_RECV is for all but frames of the spanning tree protocol (7.2.1). */
	if (!nv->port[in_port].exists || (nv->port[in_port].no_recv && get(frame, 6) != 0x0180c2000000))
		return;
	memcpy(p.b, frame, len);
	run_table(&r, &p, 0);
	if (!r.dead)
		run_set(&r, &p, r.set, r.n_sets);
}

void
nv_count(struct nv *nv, const struct nv_out *o, uint16_t len)
{
	for (unsigned i = 0; i < o->n_matched; i++) {
		nv->rule[o->matched[i]].packets++;
		nv->rule[o->matched[i]].bytes += len;
	}
}

void
nv_learn(struct nv *nv, const struct nv_out *o)
{
	struct nv_mac *free_row = NULL;

	for (unsigned i = 0; i < o->n_learned; i++)
		nv_flow_mod(nv, &o->learned[i]);
	if (!o->mac.live)
		return;
	for (unsigned i = 0; i < NV_MACS; i++) {
		if (nv->mac[i].live && nv->mac[i].mac == o->mac.mac && nv->mac[i].vid == o->mac.vid) {
			nv->mac[i].port = o->mac.port;
			return;
		}
		if (!nv->mac[i].live && !free_row)
			free_row = &nv->mac[i];
	}
	if (free_row)
		*free_row = o->mac;
}

/* --- Changes of the tables ----------------------------------------------------------------------------------------- */

void
nv_init(struct nv *nv)
{
	memset(nv, 0, sizeof *nv);
	for (unsigned i = 1; i <= NV_PORTS; i++)
		nv->port[i] = (struct nv_port){ .exists = true, .up = true };
}

static bool
list_outputs(const struct nv_list *l, uint32_t port, uint32_t group)
{
	for (unsigned i = 0; i < l->n; i++)
		if ((port && l->a[i].kind == NV_OUTPUT && l->a[i].value == port) ||
		    (group && l->a[i].kind == NV_GROUP && l->a[i].value == group))
			return true;
	return false;
}

static bool
body_outputs(const struct nv_body *b, uint32_t port, uint32_t group)
{
	return list_outputs(&b->apply, port, group) || (b->has_write && list_outputs(&b->write, port, group));
}

static bool
is_same_match(const struct nv_match *a, const struct nv_match *b)
{
	return !memcmp(a->mask, b->mask, sizeof a->mask) && !memcmp(a->value, b->value, sizeof a->value);
}

/* Every packet that 'r' matches 'm' matches too. */
static bool
is_within(const struct nv_match *r, const struct nv_match *m)
{
	for (unsigned i = 0; i < NV_FIELDS; i++)
		if ((m->mask[i] & ~r->mask[i]) || ((r->value[i] ^ m->value[i]) & m->mask[i]))
			return false;
	return true;
}

static bool
is_meant(const struct nv_rule *r, const struct nv_flow_mod *m)
{
	bool strict = m->command == NV_MODIFY_STRICT || m->command == NV_DELETE_STRICT;

	if (!r->live || (m->table != NV_ANY_TABLE && r->table != m->table))
		return false;
	if ((r->cookie ^ m->cookie) & m->cookie_mask)
		return false;
	if (m->out_port && !body_outputs(&r->body, m->out_port, 0))
		return false;
	if (m->out_group && !body_outputs(&r->body, 0, m->out_group))
		return false;
	return strict ? r->priority == m->priority && is_same_match(&r->match, &m->match) : is_within(&r->match, &m->match);
}

static void
add(struct nv *nv, const struct nv_flow_mod *m)
{
	struct nv_rule *to = NULL, *room = NULL;

	for (unsigned i = 0; i < NV_RULES; i++) {
		struct nv_rule *r = &nv->rule[i];

		if (!r->live && !room)
			room = r;
		if (r->live && r->table == m->table && r->priority == m->priority && is_same_match(&r->match, &m->match))
			to = r;
	}
	/* Its like is replaced; the counters go on from 1.3 on (6.4). */
	if (to && m->old)
		to->packets = to->bytes = 0;
	if (!to) {
		to = room;
		if (!to)
			return;
		memset(to, 0, sizeof *to);
	}
	to->live = true;
	to->table = m->table;
	to->priority = m->priority;
	to->cookie = m->cookie;
	to->match = m->match;
	to->body = m->body;
}

void
nv_flow_mod(struct nv *nv, const struct nv_flow_mod *m)
{
	if (m->command == NV_ADD) {
		add(nv, m);
		return;
	}
	for (unsigned i = 0; i < NV_RULES; i++) {
		if (!is_meant(&nv->rule[i], m))
			continue;
		if (m->command == NV_MODIFY || m->command == NV_MODIFY_STRICT)
			nv->rule[i].body = m->body;
		else
			nv->rule[i].live = false;
	}
}

bool
nv_group_in_group(const struct nv *nv, uint32_t id)
{
	for (unsigned i = 1; i <= NV_GROUPS; i++)
		for (unsigned b = 0; nv->group[i].exists && b < nv->group[i].n; b++)
			if (list_outputs(&nv->group[i].bucket[b].acts, 0, id))
				return true;
	return false;
}

void
nv_group_mod(struct nv *nv, const struct nv_group_mod *m)
{
	struct nv_group *g = &nv->group[m->id];

	if (m->command == NV_GROUP_ADD ? g->exists : !g->exists)
		return;
	if (m->command != NV_GROUP_DELETE) {
		*g = m->group;
		g->exists = true;
		return;
	}
	if (nv_group_in_group(nv, m->id))
		return;
	g->exists = false;
	/* 6.5: rules that name it go with it. */
	for (unsigned i = 0; i < NV_RULES; i++)
		if (nv->rule[i].live && body_outputs(&nv->rule[i].body, 0, m->id))
			nv->rule[i].live = false;
}

unsigned
nv_n_rules(const struct nv *nv)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NV_RULES; i++)
		n += nv->rule[i].live;
	return n;
}

void
nv_forget_macs(struct nv *nv, uint16_t port)
{
	for (unsigned i = 0; i < NV_MACS; i++)
		if (nv->mac[i].port == port)
			nv->mac[i].live = false;
}
