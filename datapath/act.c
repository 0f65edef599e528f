/* SPDX-License-Identifier: Apache-2.0 */
/* Text of action programs: one row for each instruction.  'n' counts the words of the program from the instruction
 * on: a program that is shown in part may be cut within the data of its last one. */
#include "datapath/act.h"

#include <arpa/inet.h>

#include "datapath/drop.h"
#include "datapath/text_priv.h"
#include "tunnels/tlv.h"
#include "tunnels/tun.h"

const struct act_field_info act_field_info[ACT_N_FIELDS] = {
	[ACT_F_ETH_DST] = { "eth_dst", 6 },
	[ACT_F_ETH_SRC] = { "eth_src", 6 },
	[ACT_F_ETH_TYPE] = { "eth_type", 2 },
	[ACT_F_VLAN_TCI] = { "vlan_tci", 2 },
	[ACT_F_MPLS_LSE] = { "mpls_lse", 4 },
	[ACT_F_PBB_ITAG] = { "pbb_itag", 4 },
	[ACT_F_IPV4_SRC] = { "ip_src", 4 },
	[ACT_F_IPV4_DST] = { "ip_dst", 4 },
	[ACT_F_IPV6_SRC] = { "ipv6_src", 16 },
	[ACT_F_IPV6_DST] = { "ipv6_dst", 16 },
	[ACT_F_IPV6_LABEL] = { "ipv6_label", 4 },
	[ACT_F_IP_TOS] = { "nw_tos", 1 },
	[ACT_F_IP_TTL] = { "nw_ttl", 1 },
	[ACT_F_TP_SRC] = { "tp_src", 2 },
	[ACT_F_TP_DST] = { "tp_dst", 2 },
	[ACT_F_ICMP_TYPE] = { "icmp_type", 1 },
	[ACT_F_ICMP_CODE] = { "icmp_code", 1 },
	[ACT_F_ARP_OP] = { "arp_op", 2 },
	[ACT_F_ARP_SPA] = { "arp_spa", 4 },
	[ACT_F_ARP_TPA] = { "arp_tpa", 4 },
	[ACT_F_ARP_SHA] = { "arp_sha", 6 },
	[ACT_F_ARP_THA] = { "arp_tha", 6 },
	[ACT_F_ND_TARGET] = { "nd_target", 16 },
	[ACT_F_ND_SLL] = { "nd_sll", 6 },
	[ACT_F_ND_TLL] = { "nd_tll", 6 },
};

struct act_text {
	struct text t;
	const char *(*port_name)(void *, uint16_t);
	void *arg;
};

static void
put_port(struct act_text *x, uint16_t port)
{
	const char *name = x->port_name ? x->port_name(x->arg, port) : NULL;

	if (name)
		text_add(&x->t, "%s", name);
	else
		text_add(&x->t, "%u", port);
}

static void
put_output(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "output:");
	put_port(x, a->port);
}

/* "push_vlan(10)", "push_vlan(10,pcp=3)", "push_vlan(10,tpid=0x88a8)". */
static void
put_tci(struct act_text *x, const char *verb, uint32_t tpid, uint32_t tci)
{
	text_add(&x->t, "%s(%u", verb, tci & 0xfff);
	if (tci >> 13)
		text_add(&x->t, ",pcp=%u", tci >> 13);
	if (tci & 0x1000)
		text_add(&x->t, ",dei");
	if (tpid != 0x8100)
		text_add(&x->t, ",tpid=0x%04x", tpid);
	text_add(&x->t, ")");
}

static void
put_push_vlan(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	put_tci(x, "push_vlan", a->arg >> 16, a->arg & 0xffff);
}

static void
put_pop_vlan(struct act_text *x, const struct act *a UNUSED, unsigned n UNUSED)
{
	text_add(&x->t, "pop_vlan");
}

static void
put_set_vlan(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	put_tci(x, "set_vlan", 0x8100, a->arg & 0xffff);
}

static void
put_tun_push(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "tun_push(");
	put_port(x, a->port);
	text_add(&x->t, ",dst=%u)", a->arg);
}

/* "tun_set(tun_id=0x5,tun_dst=10.0.0.1,tos=0x20)": what rules ask of the tunnel headers that follow. */
static void
put_tun_set(struct act_text *x, const struct act *a, unsigned n)
{
	char ip[IP_STR_LEN];
	struct tun_set s;
	const char *comma = "";
	bool critical;

	text_add(&x->t, "tun_set(");
	if (a->arg * sizeof *a < offsetof(struct tun_set, opts) || n <= a->arg) {
		text_add(&x->t, "...)");
		return;
	}
	memcpy(&s, &a[1], MIN_OF(a->arg * sizeof *a, sizeof s));
	if (s.bits & TUN_SET_KEY) {
		text_add(&x->t, "tun_id=0x%llx", (unsigned long long)s.key);
		comma = ",";
	}
	if (s.bits & TUN_SET_REMOTE) {
		text_add(&x->t, "%sdst=%s", comma, ip_format(s.remote, ip));
		comma = ",";
		if (!ip_is_none(&s.local))
			text_add(&x->t, ",src=%s", ip_format(s.local, ip));
	}
	for (unsigned i = 0; i < 3; i++) {
		static const struct {
			const char *name;
			uint16_t bit;
		} one[] = { { "tos", TUN_SET_TOS }, { "ttl", TUN_SET_TTL }, { "flags", TUN_SET_FLAGS } };

		if (!(s.bits & one[i].bit))
			continue;
		text_add(&x->t, "%s%s=%u", comma, one[i].name, i == 0 ? s.tos : i == 1 ? s.ttl : s.flags);
		comma = ",";
	}
	if (s.bits & TUN_SET_EXT) {
		text_add(&x->t, "%sext=", comma);
		for (unsigned i = 0; i < sizeof s.ext; i++)
			text_add(&x->t, s.ext_bytes >> i & 1 ? "%02x" : "--", s.ext[i]);
		comma = ",";
	}
	if (s.opts_len && s.opts_len <= TUN_OPTS_MAX && tlv_check(s.opts, s.opts_len, &critical))
		TLV_EACH (p, s.opts, s.opts_len) {
			text_add(&x->t, "%sgeneve({class=0x%x,type=0x%x,0x", comma, p[0] << 8 | p[1], p[2]);
			for (unsigned i = 0; i < (p[3] & TLV_LEN) * 4u; i++)
				text_add(&x->t, "%02x", p[TLV_HLEN + i]);
			text_add(&x->t, "})");
			comma = ",";
		}
	text_add(&x->t, ")");
}

static void
put_tun_flood(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "tun_flood(");
	put_port(x, a->port);
	text_add(&x->t, ")");
}

static void
put_drop(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "drop(%s)", a->arg < DP_N_DROPS ? dp_drop_info[a->arg].name : "?");
}

/* As its field is written elsewhere: addresses in their own way, 'nw_ttl' and the like in decimal. */
static void
put_bytes(struct act_text *x, const uint8_t *b, unsigned len, bool mask)
{
	char buf[INET6_ADDRSTRLEN];
	unsigned v = 0;

	switch (len) {
	case 16:
		text_add(&x->t, "%s", inet_ntop(AF_INET6, b, buf, sizeof buf));
		break;
	case 6:
		text_add(&x->t, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
		break;
	default:
		for (unsigned i = 0; i < len; i++)
			v = v << 8 | b[i];
		text_add(&x->t, mask || len == 4 ? "0x%x" : "%u", v);
	}
}

static void
put_value(struct act_text *x, enum act_field f, const uint8_t *b, bool mask)
{
	char buf[INET_ADDRSTRLEN];

	if (f == ACT_F_IPV4_SRC || f == ACT_F_IPV4_DST || f == ACT_F_ARP_SPA || f == ACT_F_ARP_TPA)
		text_add(&x->t, "%s", inet_ntop(AF_INET, b, buf, sizeof buf));
	else if (f == ACT_F_ETH_TYPE || f == ACT_F_VLAN_TCI)
		text_add(&x->t, "0x%04x", b[0] << 8 | b[1]);
	else
		put_bytes(x, b, act_field_info[f].len, mask);
}

/* "set(ip_dst=10.0.0.1)", "set(vlan_tci=0x6000/0xe000)". */
static void
put_set(struct act_text *x, const struct act *a, unsigned n)
{
	static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	const uint8_t *value = (const uint8_t *)&a[1], *mask;
	unsigned words;

	if (a->port >= ACT_N_FIELDS) {
		text_add(&x->t, "set(?)");
		return;
	}
	words = act_field_words(a->port);
	mask = value + words * sizeof *a;
	text_add(&x->t, "set(%s=", act_field_info[a->port].name);
	if (a->arg == 2 * words && n > a->arg) {
		put_value(x, a->port, value, false);
		if (memcmp(mask, ones, act_field_info[a->port].len)) {
			text_add(&x->t, "/");
			put_value(x, a->port, mask, true);
		}
	} else {
		text_add(&x->t, "...");
	}
	text_add(&x->t, ")");
}

static void
put_push_mpls(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "push_mpls(0x%04x,label=%u,tc=%u,bos=%u,ttl=%u)", a->port, a->arg >> 12, a->arg >> 9 & 7,
		 a->arg >> 8 & 1, a->arg & 0xff);
}

static void
put_pop_mpls(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "pop_mpls(0x%04x)", a->port);
}

static void
put_push_pbb(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "push_pbb(isid=0x%x", a->arg & 0xffffff);
	if (a->arg >> 24)
		text_add(&x->t, ",flags=0x%02x", a->arg >> 24);
	text_add(&x->t, ")");
}

static void
put_pop_pbb(struct act_text *x, const struct act *a UNUSED, unsigned n UNUSED)
{
	text_add(&x->t, "pop_pbb");
}

static void
put_trunc(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "trunc(%u)", a->arg);
}

static void
put_meter(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	text_add(&x->t, "meter:%u", a->arg);
}

static void
put_punt(struct act_text *x, const struct act *a, unsigned n UNUSED)
{
	if (a->port == UINT16_MAX)
		text_add(&x->t, "punt");
	else
		text_add(&x->t, "punt(%u)", a->port);
}

/* ACT_CLONE has no row: it brackets the instructions after it. */
static void (*const put[ACT_N_OPS])(struct act_text *, const struct act *, unsigned n) = {
	[ACT_OUTPUT] = put_output,
	[ACT_PUSH_VLAN] = put_push_vlan,
	[ACT_POP_VLAN] = put_pop_vlan,
	[ACT_SET_VLAN] = put_set_vlan,
	[ACT_TUN_PUSH] = put_tun_push,
	[ACT_TUN_SET] = put_tun_set,
	[ACT_TUN_FLOOD] = put_tun_flood,
	[ACT_DROP] = put_drop,
	[ACT_SET] = put_set,
	[ACT_PUSH_MPLS] = put_push_mpls,
	[ACT_POP_MPLS] = put_pop_mpls,
	[ACT_PUSH_PBB] = put_push_pbb,
	[ACT_POP_PBB] = put_pop_pbb,
	[ACT_TRUNC] = put_trunc,
	[ACT_METER] = put_meter,
	[ACT_PUNT] = put_punt,
};

int
act_format(const struct act *a, unsigned n, const char *(*port_name)(void *, uint16_t), void *arg, char *buf,
	   size_t len)
{
	struct act_text x = { .t = { .buf = buf, .len = len }, .port_name = port_name, .arg = arg };
	unsigned end[8], depth = 0;     /* Where the open clones end. */
	bool first = true;

	if (len)
		buf[0] = '\0';
	for (unsigned i = 0; i < n; i += 1 + MIN_OF(act_n_data(a[i].op, a[i].arg), n - i - 1)) {
		for (; depth && end[depth - 1] <= i; depth--)
			text_add(&x.t, ")");
		text_add(&x.t, first ? "" : ",");
		first = false;
		if (a[i].op == ACT_CLONE && depth < ARRAY_SIZE(end)) {
			text_add(&x.t, "clone(");
			end[depth++] = i + 1 + MIN_OF(a[i].arg, n - i - 1);
			first = true;
		} else if (a[i].op < ACT_N_OPS && put[a[i].op]) {
			put[a[i].op](&x, &a[i], n - i);
		} else {
			text_add(&x.t, "?%u", a[i].op);
		}
	}
	while (depth--)
		text_add(&x.t, ")");
	return (int)x.t.n;
}
