/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a flow key under a mask, in the words of ovs-ofctl(8) where it has them. */
#include "datapath/flow.h"

#include "datapath/text_priv.h"

enum {
	ETH_IP = 0x0800,
	ETH_ARP = 0x0806,
	ETH_RARP = 0x8035,
	ETH_IPV6 = 0x86dd,
	ETH_MPLS = 0x8847,
	ETH_MPLS_MC = 0x8848,
	ETH_PBB = 0x88e7,
};

struct flow_text {
	struct text t;
	const struct flow_key *k, *m;
	unsigned type, proto;           /* Host order, known because the mask holds them whole; else 0, 0x100. */
};

static void
put_mac(struct flow_text *x, const char *name, struct mac v, struct mac m)
{
	char buf[MAC_STR_LEN];

	if (mac_is_zero(m))
		return;
	text_sep(&x->t);
	text_add(&x->t, "%s=%s", name, mac_format(v, buf));
	if (mac_u64(m) != 0xffffffffffffull)
		text_add(&x->t, "/%s", mac_format(m, buf));
}

/* A number, host order; 'all' is its mask when whole. */
static void
put_num(struct flow_text *x, const char *name, uint64_t v, uint64_t m, uint64_t all, bool hex)
{
	if (!m)
		return;
	text_sep(&x->t);
	if (m == all && !hex)
		text_add(&x->t, "%s=%llu", name, (unsigned long long)v);
	else
		text_add(&x->t, "%s=0x%llx", name, (unsigned long long)v);
	if (m != all)
		text_add(&x->t, "/0x%llx", (unsigned long long)m);
}

static void
put_ipv4(struct flow_text *x, const char *name, be32_t v, be32_t m)
{
	const uint8_t *a = (const uint8_t *)&v, *b = (const uint8_t *)&m;
	uint32_t inv = ~host32(m);

	if (!m)
		return;
	text_sep(&x->t);
	text_add(&x->t, "%s=%u.%u.%u.%u", name, a[0], a[1], a[2], a[3]);
	if (inv & (inv + 1))
		text_add(&x->t, "/%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	else if (inv)
		text_add(&x->t, "/%d", 32 - __builtin_popcount(inv));
}

/* Length of a prefix mask, or -1. */
static int
prefix_len(const uint8_t m[16])
{
	int n = 0;

	while (n < 128 && m[n / 8] & 0x80 >> n % 8)
		n++;
	for (int i = n; i < 128; i++)
		if (m[i / 8] & 0x80 >> i % 8)
			return -1;
	return n;
}

static void
put_ipv6(struct flow_text *x, const char *name, const uint8_t v[16], const uint8_t m[16])
{
	struct ipaddr a, b;
	char buf[IP_STR_LEN];
	int n = prefix_len(m);

	if (!n)
		return;
	memcpy(&a, v, sizeof a);
	memcpy(&b, m, sizeof b);
	text_sep(&x->t);
	text_add(&x->t, "%s=%s", name, ip_is_none(&a) ? "::" : ip_format(a, buf));
	if (n < 0)
		text_add(&x->t, "/%s", ip_format(b, buf));
	else if (n < 128)
		text_add(&x->t, "/%d", n);
}

struct flag_name {
	uint16_t bit;
	const char *name;
};

/* "tcp_flags=+syn-ack": bits that must be set, bits that must be clear. */
static void
put_flags(struct flow_text *x, const char *name, const struct flag_name *f, uint16_t v, uint16_t m)
{
	bool first = true;

	for (; f->name; f++) {
		if (!(m & f->bit))
			continue;
		if (first) {
			text_sep(&x->t);
			text_add(&x->t, "%s=", name);
			first = false;
		}
		text_add(&x->t, "%c%s", v & f->bit ? '+' : '-', f->name);
	}
}

static void
put_word(struct flow_text *x, const char *word)
{
	text_sep(&x->t);
	text_add(&x->t, "%s", word);
}

/* "tcp", "icmp6", ...: stands for dl_type and nw_proto.  False when only dl_type was said. */
static bool
put_ip_word(struct flow_text *x)
{
	static const struct {
		uint8_t proto;
		const char *v4, *v6;
	} word[] = {
		{ 6, "tcp", "tcp6" }, { 17, "udp", "udp6" }, { 132, "sctp", "sctp6" }, { 1, "icmp", NULL },
		{ 58, NULL, "icmp6" },
	};
	bool v4 = x->type == ETH_IP;

	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		const char *w = v4 ? word[i].v4 : word[i].v6;

		if (w && x->proto == word[i].proto) {
			put_word(x, w);
			return true;
		}
	}
	put_word(x, v4 ? "ip" : "ipv6");
	return false;
}

static void
put_type(struct flow_text *x)
{
	unsigned v = host16(x->k->dl_type), m = host16(x->m->dl_type);
	bool said = false;

	switch (x->type) {
	case ETH_IP:
	case ETH_IPV6:
		said = put_ip_word(x);
		break;
	case ETH_ARP:
		put_word(x, "arp");
		break;
	case ETH_RARP:
		put_word(x, "rarp");
		break;
	case ETH_MPLS:
		put_word(x, "mpls");
		break;
	case ETH_MPLS_MC:
		put_word(x, "mplsm");
		break;
	default:
		if (m) {
			text_sep(&x->t);
			text_add(&x->t, "dl_type=0x%04x", v);
			if (m != 0xffff)
				text_add(&x->t, "/0x%04x", m);
		}
	}
	if (!said)
		put_num(x, x->type == ETH_ARP || x->type == ETH_RARP ? "arp_op" : "nw_proto", x->k->nw_proto,
			x->m->nw_proto, 0xff, false);
}

/* No tag is "vlan_tci=0x0000", as in OVS; the second tag's words end in "2". */
static void
put_vlan(struct flow_text *x, unsigned i)
{
	const char *nth = i ? "2" : "";
	uint16_t tpid = host16(x->k->vlan[i].tpid), tpid_m = host16(x->m->vlan[i].tpid);
	uint16_t tci = host16(x->k->vlan[i].tci), tci_m = host16(x->m->vlan[i].tci);
	char name[24];

	if (!(tpid_m | tci_m))
		return;
	if (!tpid && tpid_m) {
		text_sep(&x->t);
		text_add(&x->t, "vlan_tci%s=0x0000", nth);
		return;
	}
	if (tpid_m && tpid != 0x8100) {
		snprintf(name, sizeof name, "vlan_tpid%s", nth);
		put_num(x, name, tpid, tpid_m, 0xffff, true);
	}
	if (!tci_m && tpid == 0x8100) {
		text_sep(&x->t);
		text_add(&x->t, "vlan_tci%s=0x1000/0x1000", nth);
		return;
	}
	snprintf(name, sizeof name, "dl_vlan%s", nth);
	put_num(x, name, tci & 0xfff, tci_m & 0xfff, 0xfff, false);
	snprintf(name, sizeof name, "dl_vlan_pcp%s", nth);
	put_num(x, name, tci >> 13, tci_m >> 13, 7, false);
	snprintf(name, sizeof name, "vlan_dei%s", nth);
	put_num(x, name, tci >> 12 & 1, tci_m >> 12 & 1, 1, false);
}

static void
put_frag(struct flow_text *x)
{
	unsigned v = x->k->flags, m = x->m->flags & (FLOW_F_FRAG | FLOW_F_LATER);
	const char *s;

	if (!m)
		return;
	if (m == FLOW_F_FRAG)
		s = v & FLOW_F_FRAG ? "yes" : "no";
	else if (m == FLOW_F_LATER)
		s = v & FLOW_F_LATER ? "later" : "not_later";
	else
		s = v & FLOW_F_LATER ? "later" : v & FLOW_F_FRAG ? "first" : "no";
	text_sep(&x->t);
	text_add(&x->t, "nw_frag=%s", s);
}

static void
put_network(struct flow_text *x)
{
	const struct flow_key *k = x->k, *m = x->m;
	bool arp = x->type == ETH_ARP || x->type == ETH_RARP;

	put_ipv4(x, arp ? "arp_spa" : "nw_src", k->nw_src, m->nw_src);
	put_ipv4(x, arp ? "arp_tpa" : "nw_dst", k->nw_dst, m->nw_dst);
	put_ipv6(x, "ipv6_src", k->ipv6_src, m->ipv6_src);
	put_ipv6(x, "ipv6_dst", k->ipv6_dst, m->ipv6_dst);
	put_num(x, "ipv6_label", host32(k->ipv6_label), host32(m->ipv6_label), 0xfffff, true);
	put_num(x, "nw_tos", k->nw_tos & 0xfc, m->nw_tos & 0xfc, 0xfc, false);
	put_num(x, "nw_ecn", k->nw_tos & 3, m->nw_tos & 3, 3, false);
	put_num(x, "nw_ttl", k->nw_ttl, m->nw_ttl, 0xff, false);
	put_frag(x);
}

/* What the union in block 1 means depends on the Ethernet type. */
static void
put_union(struct flow_text *x)
{
	static const char *const lse[] = { "mpls_lse", "mpls_lse2", "mpls_lse3" };
	const struct flow_key *k = x->k, *m = x->m;

	switch (x->type) {
	case ETH_ARP:
	case ETH_RARP:
		put_mac(x, "arp_sha", k->arp.sha, m->arp.sha);
		put_mac(x, "arp_tha", k->arp.tha, m->arp.tha);
		break;
	case ETH_MPLS:
	case ETH_MPLS_MC:
		for (unsigned i = 0; i < ARRAY_SIZE(lse); i++)
			put_num(x, lse[i], host32(k->mpls_lse[i]), host32(m->mpls_lse[i]), 0xffffffff, true);
		break;
	case ETH_PBB:
		put_num(x, "pbb_isid", host32(k->pbb_itag) & 0xffffff, host32(m->pbb_itag) & 0xffffff, 0xffffff, true);
		put_num(x, "pbb_uca", host32(k->pbb_itag) >> 27 & 1, host32(m->pbb_itag) >> 27 & 1, 1, false);
		break;
	default:
		put_ipv6(x, "nd_target", k->nd_target, m->nd_target);
	}
}

static void
put_transport(struct flow_text *x)
{
	static const struct flag_name tcp_flags[] = {
		{ 0x001, "fin" }, { 0x002, "syn" }, { 0x004, "rst" }, { 0x008, "psh" }, { 0x010, "ack" },
		{ 0x020, "urg" }, { 0x040, "ece" }, { 0x080, "cwr" }, { 0x100, "ns" },
		{ 0x200, "[200]" }, { 0x400, "[400]" }, { 0x800, "[800]" }, { 0, NULL },
	};
	bool icmp = (x->type == ETH_IP && x->proto == 1) || (x->type == ETH_IPV6 && x->proto == 58);
	const struct flow_key *k = x->k, *m = x->m;

	put_num(x, icmp ? "icmp_type" : "tp_src", host16(k->tp_src), host16(m->tp_src), 0xffff, false);
	put_num(x, icmp ? "icmp_code" : "tp_dst", host16(k->tp_dst), host16(m->tp_dst), 0xffff, false);
	put_flags(x, "tcp_flags", tcp_flags, host16(k->tcp_flags), host16(m->tcp_flags));
}

static void
put_tunnel(struct flow_text *x)
{
	const struct flow_key *k = x->k, *m = x->m;

	put_num(x, "tun_id", host64(k->tun_id), host64(m->tun_id), UINT64_MAX, true);
	put_num(x, "tun_peer", k->tun_peer, m->tun_peer, UINT32_MAX, false);
	put_num(x, "tun_tos", k->tun_tos, m->tun_tos, 0xff, false);
	put_num(x, "tun_ttl", k->tun_ttl, m->tun_ttl, 0xff, false);
	put_num(x, "tun_flags", k->tun_flags, m->tun_flags, 0xff, true);
	for (unsigned i = 0; i < sizeof k->tun_ext; i++) {
		char name[16];

		snprintf(name, sizeof name, "tun_ext%u", i);
		put_num(x, name, k->tun_ext[i], m->tun_ext[i], 0xff, true);
	}
}

static void
put_in_port(struct flow_text *x, const char *(*port_name)(void *, uint16_t), void *arg)
{
	const char *name = port_name ? port_name(arg, x->k->in_port) : NULL;

	if (x->m->in_port == 0xffff && name)
		text_add(&x->t, "in_port=%s", name);
	else
		put_num(x, "in_port", x->k->in_port, x->m->in_port, 0xffff, false);
}

int
flow_format(const struct flow_key *key, const struct flow_key *mask, const char *(*port_name)(void *, uint16_t),
	    void *arg, char *buf, size_t len)
{
	static const struct flag_name flags[] = {
		{ FLOW_F_IPV4, "ipv4" }, { FLOW_F_IPV6, "ipv6" }, { FLOW_F_BAD_L3, "bad_l3" }, { FLOW_F_TUNNEL, "tunnel" },
		{ FLOW_F_NO_LEARN, "no_learn" },
		{ 0, NULL },
	};
	struct flow_text x = {
		.t = { .buf = buf, .len = len }, .k = key, .m = mask,
		.type = mask->dl_type == 0xffff ? host16(key->dl_type) : 0,
		.proto = mask->nw_proto == 0xff ? key->nw_proto : 0x100,
	};
	/* A type that was said says these, too. */
	uint16_t known = x.type == ETH_IP || x.type == ETH_IPV6 ? FLOW_F_IPV4 | FLOW_F_IPV6 : 0;

	if (len)
		buf[0] = '\0';
	put_in_port(&x, port_name, arg);
	put_type(&x);
	put_flags(&x, "flags", flags, key->flags, mask->flags & (uint16_t)~known);
	put_tunnel(&x);
	put_vlan(&x, 0);
	put_vlan(&x, 1);
	put_mac(&x, "dl_src", key->dl_src, mask->dl_src);
	put_mac(&x, "dl_dst", key->dl_dst, mask->dl_dst);
	put_network(&x);
	put_union(&x);
	put_transport(&x);
	return (int)x.t.n;
}
