/* SPDX-License-Identifier: Apache-2.0 */
/* Text of action programs: one row for each instruction. */
#include "datapath/act.h"

#include "datapath/drop.h"
#include "datapath/text_priv.h"

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
put_output(struct act_text *x, const struct act *a)
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
put_push_vlan(struct act_text *x, const struct act *a)
{
	put_tci(x, "push_vlan", a->arg >> 16, a->arg & 0xffff);
}

static void
put_pop_vlan(struct act_text *x, const struct act *a)
{
	(void)a;
	text_add(&x->t, "pop_vlan");
}

static void
put_set_vlan(struct act_text *x, const struct act *a)
{
	put_tci(x, "set_vlan", 0x8100, a->arg & 0xffff);
}

static void
put_tun_push(struct act_text *x, const struct act *a)
{
	text_add(&x->t, "tun_push(");
	put_port(x, a->port);
	text_add(&x->t, ",dst=%u)", a->arg);
}

static void
put_drop(struct act_text *x, const struct act *a)
{
	text_add(&x->t, "drop(%s)", a->arg < DP_N_DROPS ? dp_drop_info[a->arg].name : "?");
}

/* ACT_CLONE has no row: it brackets the instructions after it. */
static void (*const put[ACT_N_OPS])(struct act_text *, const struct act *) = {
	[ACT_OUTPUT] = put_output,
	[ACT_PUSH_VLAN] = put_push_vlan,
	[ACT_POP_VLAN] = put_pop_vlan,
	[ACT_SET_VLAN] = put_set_vlan,
	[ACT_TUN_PUSH] = put_tun_push,
	[ACT_DROP] = put_drop,
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
	for (unsigned i = 0; i < n; i++) {
		for (; depth && end[depth - 1] <= i; depth--)
			text_add(&x.t, ")");
		text_add(&x.t, first ? "" : ",");
		first = false;
		if (a[i].op == ACT_CLONE && depth < ARRAY_SIZE(end)) {
			text_add(&x.t, "clone(");
			end[depth++] = i + 1 + MIN_OF(a[i].arg, n - i - 1);
			first = true;
		} else if (a[i].op < ACT_N_OPS && put[a[i].op]) {
			put[a[i].op](&x, &a[i]);
		} else {
			text_add(&x.t, "?%u", a[i].op);
		}
	}
	while (depth--)
		text_add(&x.t, ")");
	return (int)x.t.n;
}
