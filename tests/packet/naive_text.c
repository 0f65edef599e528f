/* SPDX-License-Identifier: Apache-2.0 */
/* The naive switch's rules in the words of ovs-ofctl: what the real one is told, and what a failure prints. */
#include "tests/packet/naive.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct text {
	char *buf;
	size_t len, at;
};

static void PRINTF_LIKE(2, 3)
out(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->at < t->len)
		t->at += (size_t)vsnprintf(t->buf + t->at, t->len - t->at, fmt, ap);
	va_end(ap);
}

typedef unsigned long long ull;

static void
out_mac(struct text *t, uint64_t v)
{
	for (int i = 40; i >= 0; i -= 8)
		out(t, "%02x%s", (unsigned)(v >> i & 0xff), i ? ":" : "");
}

static void
out_ip(struct text *t, uint64_t v)
{
	out(t, "%u.%u.%u.%u", (unsigned)(v >> 24 & 0xff), (unsigned)(v >> 16 & 0xff), (unsigned)(v >> 8 & 0xff),
	    (unsigned)(v & 0xff));
}

static void
out_ip6(struct text *t, uint64_t hi, uint64_t lo)
{
	for (int i = 48; i >= 0; i -= 16)
		out(t, "%x:", (unsigned)(hi >> i & 0xffff));
	for (int i = 48; i >= 0; i -= 16)
		out(t, "%x%s", (unsigned)(lo >> i & 0xffff), i ? ":" : "");
}

static void
out_value(struct text *t, enum nv_field f, uint64_t v)
{
	switch (f) {
	case NV_ETH_DST:
	case NV_ETH_SRC: out_mac(t, v); break;
	case NV_IP_SRC:
	case NV_IP_DST: out_ip(t, v); break;
	case NV_IN_PORT:
	case NV_IP_TTL:
	case NV_IP_PROTO: out(t, "%llu", (ull)v); break;
	default: out(t, "0x%llx", (ull)v); break;
	}
}

static uint64_t
all_of(enum nv_field f)
{
	static const uint8_t bits[NV_FIELDS] = {
		[NV_IN_PORT] = 32, [NV_METADATA] = 64, [NV_REG0] = 32, [NV_REG1] = 32, [NV_ETH_DST] = 48, [NV_ETH_SRC] = 48,
		[NV_VLAN] = 16, [NV_ETH_TYPE] = 16, [NV_IP_PROTO] = 8, [NV_IP_TOS] = 8, [NV_IP_TTL] = 8, [NV_IP_FRAG] = 2,
		[NV_IP_SRC] = 32, [NV_IP_DST] = 32, [NV_IP6_SRC_HI] = 64, [NV_IP6_SRC] = 64, [NV_IP6_DST_HI] = 64,
		[NV_IP6_DST] = 64, [NV_TP_SRC] = 16, [NV_TP_DST] = 16, [NV_TCP_FLAGS] = 12,
	};

	return bits[f] == 64 ? UINT64_MAX : (1ull << bits[f]) - 1;
}

static void
out_frag(struct text *t, const struct nv_match *m)
{
	uint64_t v = m->value[NV_IP_FRAG];

	if (m->mask[NV_IP_FRAG] == 3)
		out(t, ",ip_frag=%s", v == 3 ? "later" : v == 1 ? "first" : "no");
	else
		out(t, ",ip_frag=%s", m->mask[NV_IP_FRAG] == 1 ? "yes" : "not_later");
}

static void
out_match(struct text *t, const struct nv_match *m)
{
	static const char *const name[NV_FIELDS] = {
		[NV_IN_PORT] = "in_port", [NV_METADATA] = "metadata", [NV_REG0] = "reg0", [NV_REG1] = "reg1",
		[NV_ETH_DST] = "dl_dst", [NV_ETH_SRC] = "dl_src", [NV_VLAN] = "vlan_tci", [NV_ETH_TYPE] = "dl_type",
		[NV_IP_PROTO] = "nw_proto", [NV_IP_TOS] = "nw_tos", [NV_IP_TTL] = "nw_ttl", [NV_IP_SRC] = "nw_src",
		[NV_IP_DST] = "nw_dst", [NV_TP_SRC] = "tp_src", [NV_TP_DST] = "tp_dst", [NV_TCP_FLAGS] = "tcp_flags",
	};
	static const uint8_t order[] = {
		NV_IN_PORT, NV_METADATA, NV_REG0, NV_REG1, NV_ETH_DST, NV_ETH_SRC, NV_VLAN, NV_ETH_TYPE, NV_IP_PROTO,
		NV_IP_TOS, NV_IP_TTL, NV_IP_SRC, NV_IP_DST, NV_TP_SRC, NV_TP_DST, NV_TCP_FLAGS,
	};
	bool arp = m->mask[NV_ETH_TYPE] && m->value[NV_ETH_TYPE] == 0x806;

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		enum nv_field f = order[i];

		if (!m->mask[f])
			continue;
		if (f == NV_IP_TOS)
			out(t, ",nw_tos=%llu", (ull)m->value[f]);
		else if (arp && f == NV_IP_PROTO)
			out(t, ",arp_op=%llu", (ull)m->value[f]);
		else {
			out(t, ",%s=", arp && f == NV_IP_SRC ? "arp_spa" : arp && f == NV_IP_DST ? "arp_tpa" : name[f]);
			out_value(t, f, m->value[f]);
			if (m->mask[f] != all_of(f)) {
				out(t, "/");
				if (f == NV_IN_PORT || f == NV_IP_TTL || f == NV_IP_PROTO)
					out(t, "0x%llx", (ull)m->mask[f]);
				else
					out_value(t, f, m->mask[f]);
			}
		}
	}
	if (m->mask[NV_IP_FRAG])
		out_frag(t, m);
	for (unsigned i = 0; i < 2; i++) {
		unsigned hi = i ? NV_IP6_DST_HI : NV_IP6_SRC_HI, lo = hi + 1;

		if (!m->mask[hi] && !m->mask[lo])
			continue;
		out(t, ",ipv6_%s=", i ? "dst" : "src");
		out_ip6(t, m->value[hi], m->value[lo]);
		out(t, "/");
		out_ip6(t, m->mask[hi], m->mask[lo]);
	}
}

static const char *const set_name[NV_FIELDS] = {
	[NV_METADATA] = "metadata", [NV_REG0] = "reg0", [NV_REG1] = "reg1", [NV_ETH_DST] = "eth_dst",
	[NV_ETH_SRC] = "eth_src", [NV_IP_TTL] = "nw_ttl", [NV_IP_SRC] = "ip_src", [NV_IP_DST] = "ip_dst",
	[NV_IP6_SRC] = "ipv6_src", [NV_IP6_DST] = "ipv6_dst", [NV_TP_SRC] = "tp_src", [NV_TP_DST] = "tp_dst",
};

static void
out_set(struct text *t, const struct nv_act *a)
{
	if (a->field == NV_IP_TOS) {
		out(t, "mod_nw_tos:%llu", (ull)a->value);
	} else if (a->field == NV_TP_SRC || a->field == NV_TP_DST) {
		out(t, "mod_tp_%s:%llu", a->field == NV_TP_SRC ? "src" : "dst", (ull)a->value);
	} else if (a->field == NV_IP_TTL) {
		out(t, "mod_nw_ttl:%llu", (ull)a->value);
	} else if (a->field == NV_IP6_SRC || a->field == NV_IP6_DST) {
		out(t, "set_field:");
		out_ip6(t, 0, a->value);
		out(t, "/");
		out_ip6(t, 0, a->mask);
		out(t, "->%s", set_name[a->field]);
	} else {
		out(t, "set_field:");
		out_value(t, a->field, a->value);
		if (a->mask != all_of(a->field)) {
			out(t, "/");
			out_value(t, a->field, a->mask);
		}
		out(t, "->%s", set_name[a->field]);
	}
}

static void
out_move(struct text *t, const struct nv_act *a)
{
	static const char *const name[NV_FIELDS] = {
		[NV_METADATA] = "OXM_OF_METADATA", [NV_REG0] = "NXM_NX_REG0", [NV_REG1] = "NXM_NX_REG1",
		[NV_ETH_DST] = "NXM_OF_ETH_DST", [NV_ETH_SRC] = "NXM_OF_ETH_SRC", [NV_IP_SRC] = "NXM_OF_IP_SRC",
		[NV_IP_DST] = "NXM_OF_IP_DST", [NV_IN_PORT] = "NXM_OF_IN_PORT",
	};

	out(t, "move:%s[%u..%u]->%s[%u..%u]", name[a->field], a->from_bit, a->from_bit + a->n_bits - 1u, name[a->to_field],
	    a->to_bit, a->to_bit + a->n_bits - 1u);
}

static const char *const learn_text[] = {
	"learn(table=2,priority=101,cookie=0x7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
	"learn(table=3,priority=102,cookie=0x7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15],"
	"output:NXM_OF_IN_PORT[])",
	"learn(table=2,priority=103,cookie=0x7,dl_type=0x800,NXM_OF_IP_DST[]=NXM_OF_IP_SRC[],load:3->NXM_NX_REG0[0..3],"
	"output:NXM_OF_IN_PORT[])",
};

struct nv_flow_mod
nv_learned(uint64_t form, const struct nv_packet *p)
{
	struct nv_flow_mod m = { .command = NV_ADD, .table = form == 1 ? 3 : 2, .priority = (uint16_t)(101 + form),
				 .cookie = 7, .body = { .go = -1 } };
	struct nv_list *l = &m.body.apply;
	uint64_t f[NV_FIELDS];

	nv_fields(p, f);
	if (form < 2) {
		m.match.value[NV_ETH_DST] = f[NV_ETH_SRC];
		m.match.mask[NV_ETH_DST] = all_of(NV_ETH_DST);
	} else {
		m.match.value[NV_ETH_TYPE] = 0x800;
		m.match.mask[NV_ETH_TYPE] = 0xffff;
		m.match.value[NV_IP_DST] = f[NV_ETH_TYPE] == 0x800 ? f[NV_IP_SRC] : 0;
		m.match.mask[NV_IP_DST] = all_of(NV_IP_DST);
	}
	if (form == 1)
		l->a[l->n++] = (struct nv_act){ .kind = NV_SET, .field = NV_REG1, .value = f[NV_IN_PORT], .mask = 0xffff };
	if (form == 2)
		l->a[l->n++] = (struct nv_act){ .kind = NV_SET, .field = NV_REG0, .value = 3, .mask = 15 };
	l->a[l->n++] = (struct nv_act){ .kind = NV_OUTPUT, .value = f[NV_IN_PORT] };
	return m;
}

static void out_list(struct text *, const struct nv_list *, unsigned from, unsigned to);

static void
out_act(struct text *t, const struct nv_act *a)
{
	switch ((enum nv_kind)a->kind) {
	case NV_OUTPUT: out(t, "output:%llu", (ull)a->value); break;
	case NV_IN_PORT_OUT: out(t, "in_port"); break;
	case NV_FLOOD: out(t, "flood"); break;
	case NV_ALL: out(t, "all"); break;
	case NV_NORMAL: out(t, "normal"); break;
	case NV_TO_CONTROLLER: out(t, "controller:65535"); break;
	case NV_GROUP: out(t, "group:%llu", (ull)a->value); break;
	case NV_SET: out_set(t, a); break;
	case NV_MOVE: out_move(t, a); break;
	case NV_SET_VID: out(t, "mod_vlan_vid:%llu", (ull)a->value); break;
	case NV_PUSH_VLAN: out(t, "push_vlan:0x%llx", (ull)a->value); break;
	case NV_POP_VLAN: out(t, "strip_vlan"); break;
	case NV_DEC_TTL: out(t, "dec_ttl"); break;
	case NV_RESUBMIT: out(t, "resubmit(,%llu)", (ull)a->value); break;
	case NV_LEARN: out(t, "%s", learn_text[a->value]); break;
	case NV_CLONE: break;
	}
}

static void
out_list(struct text *t, const struct nv_list *l, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (i > from)
			out(t, ",");
		if (l->a[i].kind != NV_CLONE) {
			out_act(t, &l->a[i]);
			continue;
		}
		out(t, "clone(");
		out_list(t, l, i + 1, i + 1 + (unsigned)l->a[i].value);
		out(t, ")");
		i += (unsigned)l->a[i].value;
	}
}

static void
out_body(struct text *t, const struct nv_body *b)
{
	size_t from;

	out(t, ",actions=");
	from = t->at;
	out_list(t, &b->apply, 0, b->apply.n);
	if (b->clear)
		out(t, "%sclear_actions", t->at > from ? "," : "");
	if (b->has_write) {
		out(t, "%swrite_actions(", t->at > from ? "," : "");
		out_list(t, &b->write, 0, b->write.n);
		out(t, ")");
	}
	if (b->has_metadata)
		out(t, "%swrite_metadata:0x%llx/0x%llx", t->at > from ? "," : "", (ull)b->metadata, (ull)b->metadata_mask);
	if (b->go >= 0)
		out(t, "%sgoto_table:%d", t->at > from ? "," : "", b->go);
	if (t->at == from)
		out(t, "drop");
}

const char *
nv_command_name(enum nv_command c)
{
	static const char *const name[] = { "add", "modify", "modify_strict", "delete", "delete_strict" };

	return name[c];
}

void
nv_print_flow_mod(const struct nv_flow_mod *m, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };
	bool deletes = m->command == NV_DELETE || m->command == NV_DELETE_STRICT;
	bool strict = m->command == NV_MODIFY_STRICT || m->command == NV_DELETE_STRICT;

	if (m->table != NV_ANY_TABLE)
		out(&t, "table=%u", m->table);
	else
		out(&t, "table=255");
	if (m->command == NV_ADD || strict)
		out(&t, ",priority=%u", m->priority);
	if (m->command == NV_ADD)
		out(&t, ",cookie=0x%llx", (ull)m->cookie);
	else if (m->cookie_mask)
		out(&t, ",cookie=0x%llx/0x%llx", (ull)m->cookie, (ull)m->cookie_mask);
	out_match(&t, &m->match);
	if (m->out_port)
		out(&t, ",out_port=%u", m->out_port);
	if (m->out_group)
		out(&t, ",out_group=%u", m->out_group);
	if (!deletes)
		out_body(&t, &m->body);
}

const char *
nv_group_command_name(enum nv_group_command c)
{
	static const char *const name[] = { "add", "modify", "delete" };

	return name[c];
}

void
nv_print_group_mod(const struct nv_group_mod *m, char *buf, size_t len)
{
	static const char *const type[] = { "all", "select", "indirect", "ff" };
	struct text t = { buf, len, 0 };

	out(&t, "group_id=%u", m->id);
	if (m->command == NV_GROUP_DELETE)
		return;
	out(&t, ",type=%s", type[m->group.type]);
	for (unsigned i = 0; i < m->group.n; i++) {
		const struct nv_bucket *b = &m->group.bucket[i];

		out(&t, ",bucket=");
		if (m->group.type == NV_GROUP_SELECT)
			out(&t, "weight:%u,", b->weight);
		if (b->watch)
			out(&t, "watch_port:%u,", b->watch);
		out(&t, "actions=");
		out_list(&t, &b->acts, 0, b->acts.n);
		if (!b->acts.n)
			out(&t, "drop");
	}
}
