/* SPDX-License-Identifier: Apache-2.0 */
/* Sets fields of a frame, and mends the checksums that cover them by the difference (RFC 1624): what was wrong
 * before stays wrong, so that nobody trusts what was damaged on its way here. */
#include "datapath/edit_priv.h"

#include <rte_hash_crc.h>

#include "datapath/parse.h"

enum { IP_DCCP = 33, IP_UDPLITE = 136, ND_SLL = 1, ND_TLL = 2, ND_HLEN = 24 };

/* One field to write. */
struct put {
	const uint8_t *value, *mask;
	unsigned len;
};

static void
put(uint8_t *p, const struct put *x)
{
	for (unsigned i = 0; i < x->len; i++)
		p[i] = (uint8_t)((p[i] & ~x->mask[i]) | (x->value[i] & x->mask[i]));
}

/* The difference that a write made to the sum of the words it touched. */
struct diff {
	const uint8_t *from;
	unsigned len;
	uint16_t before;
};

/* 'hdr': where the checksum's words begin. */
static struct diff
diff_start(const uint8_t *hdr, const uint8_t *p, unsigned len)
{
	unsigned odd = (unsigned)(p - hdr) & 1;
	struct diff d = { .from = p - odd, .len = (len + odd + 1) & ~1u };

	d.before = csum_fold(csum_add(0, d.from, d.len));
	return d;
}

static void
csum_mend(uint8_t *csum, const struct diff *d)
{
	uint64_t sum = (uint16_t)~load_be16(csum);

	sum += (uint16_t)~d->before;
	store_be16(csum, (uint16_t)~csum_fold(csum_add(sum, d->from, d->len)));
}

/* The L4 checksum, of those that cover the addresses as well; NULL: none, or not in this packet. */
static uint8_t *
l4_csum(uint8_t *p, const struct edit_lay *l)
{
	if (!l->l4)
		return NULL;
	switch (l->proto) {
	case FLOW_IP_TCP:
		return p + l->l4 + 16;
	case FLOW_IP_UDP:
		/* None was made, which over IPv6 is for tunnels only (RFC 6935). */
		return load_be16(p + l->l4 + 6) ? p + l->l4 + 6 : NULL;
	case IP_UDPLITE:
	case IP_DCCP:
		return p + l->l4 + 6;
	case FLOW_IP_ICMP6:
		return l->ip == 6 ? p + l->l4 + 2 : NULL;
	default:
		return NULL;
	}
}

static void
l4_mend(uint8_t *p, const struct edit_lay *l, const struct diff *d)
{
	uint8_t *csum = l4_csum(p, l);

	if (!csum)
		return;
	csum_mend(csum, d);
	if ((l->proto == FLOW_IP_UDP || l->proto == IP_UDPLITE) && !load_be16(csum))
		store_be16(csum, 0xffff);
}

static uint32_t
crc32c(uint32_t crc, const uint8_t *p, uint32_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, sizeof v);
		crc = rte_hash_crc_8byte(v, crc);
	}
	for (; len; p++, len--)
		crc = rte_hash_crc_1byte(*p, crc);
	return crc;
}

uint32_t
edit_sctp_crc(const struct rte_mbuf *m, uint32_t l4, uint32_t end)
{
	uint32_t off = l4 + 12, left = end - off, crc;

	crc = crc32c(UINT32_MAX, rte_pktmbuf_mtod_offset(m, const uint8_t *, l4), 8);
	crc = crc32c(crc, (const uint8_t[4]){ 0 }, 4);
	for (; m && left; m = m->next) {
		uint32_t skip = MIN_OF(off, (uint32_t)m->data_len), len = MIN_OF(m->data_len - skip, left);

		crc = crc32c(crc, rte_pktmbuf_mtod_offset(m, const uint8_t *, skip), len);
		off -= skip;
		left -= len;
	}
	return ~crc;
}

/* --- Fields -------------------------------------------------------------------------------- */

static void
set_ipv4(uint8_t *p, const struct edit_lay *l, uint32_t off, const struct put *x, bool address)
{
	struct diff d = diff_start(p + l->l3, p + l->l3 + off, x->len);

	put(p + l->l3 + off, x);
	csum_mend(p + l->l3 + 10, &d);
	if (address)
		l4_mend(p, l, &d);
}

static void
set_ipv6_address(uint8_t *p, const struct edit_lay *l, bool dst, const struct put *x)
{
	uint8_t *at = p + l->l3 + (dst ? 24 : 8);
	struct diff d = diff_start(p + l->l3, at, x->len);

	put(at, x);
	/* The checksum is over the address at the end of the route (RFC 8200, 8.1). */
	if (!dst || !l->routed)
		l4_mend(p, l, &d);
}

static void
set_tos(uint8_t *p, const struct edit_lay *l, const struct put *x)
{
	uint8_t *ip = p + l->l3;
	uint8_t v[2], m[2];

	if (l->ip == 4) {
		set_ipv4(p, l, 1, x, false);
		return;
	}
	v[0] = x->value[0] >> 4;
	v[1] = (uint8_t)(x->value[0] << 4);
	m[0] = x->mask[0] >> 4;
	m[1] = (uint8_t)(x->mask[0] << 4);
	put(ip, &(struct put){ v, m, 2 });
}

static void
set_ttl(uint8_t *p, const struct edit_lay *l, const struct put *x)
{
	if (l->ip == 4)
		set_ipv4(p, l, 8, x, false);
	else
		put(p + l->l3 + 7, x);
}

static void
set_label(uint8_t *p, const struct edit_lay *l, const struct put *x)
{
	uint8_t m[4] = { 0, x->mask[1] & 0xf, x->mask[2], x->mask[3] };

	if (l->ip == 6)
		put(p + l->l3, &(struct put){ x->value, m, 4 });
}

/* False: the CRC over a fragment cannot be told. */
static bool
set_port(struct rte_mbuf *m, const struct edit_lay *l, uint32_t off, const struct put *x)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *at = p + l->l4 + off;
	struct diff d;

	if (l->proto == FLOW_IP_SCTP) {
		uint32_t wrong;

		if (l->frag)
			return false;
		wrong = load_be32(p + l->l4 + 8) ^ edit_sctp_crc(m, l->l4, l->end);
		put(at, x);
		store_be32(p + l->l4 + 8, wrong ^ edit_sctp_crc(m, l->l4, l->end));
		return true;
	}
	if (l->proto != FLOW_IP_TCP && l->proto != FLOW_IP_UDP)
		return true;
	d = diff_start(p + l->l4, at, x->len);
	put(at, x);
	l4_mend(p, l, &d);
	return true;
}

/* A field of ICMP or ICMPv6, whose checksums stand in the same place. */
static void
set_icmp(uint8_t *p, const struct edit_lay *l, uint32_t off, const struct put *x)
{
	struct diff d = diff_start(p + l->l4, p + l->l4 + off, x->len);

	put(p + l->l4 + off, x);
	csum_mend(p + l->l4 + 2, &d);
}

/* Offset in the ICMPv6 message of the link-layer address in the first option of that type; 0: there is none. */
static uint32_t
nd_option(const uint8_t *p, const struct edit_lay *l, uint32_t contig, uint8_t type)
{
	uint32_t end = MIN_OF(l->end, contig) - l->l4, off = ND_HLEN;

	while (off + 8 <= end) {
		const uint8_t *o = p + l->l4 + off;

		if (!o[1])
			return 0;
		if (o[0] == type)
			return off + 2;
		off += o[1] * 8u;
	}
	return 0;
}

static void
set_nd(struct rte_mbuf *m, const struct edit_lay *l, enum act_field f, const struct put *x)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t off;

	if ((p[l->l4] != 135 && p[l->l4] != 136) || p[l->l4 + 1] || MIN_OF(l->end, m->data_len) - l->l4 < ND_HLEN)
		return;
	off = f == ACT_F_ND_TARGET ? 8 : nd_option(p, l, m->data_len, f == ACT_F_ND_SLL ? ND_SLL : ND_TLL);
	if (off)
		set_icmp(p, l, off, x);
}

static void
set_arp(struct rte_mbuf *m, const struct edit_lay *l, uint32_t off, const struct put *x)
{
	static const uint8_t eth_ipv4[6] = { 0, 1, 0x08, 0x00, 6, 4 };
	uint8_t *p = pkt_peek(m, l->l3, 28);

	if ((l->type == be16(0x0806) || l->type == be16(0x8035)) && p && !memcmp(p, eth_ipv4, sizeof eth_ipv4))
		put(p + off, x);
}

static void
set_ip(uint8_t *p, const struct edit_lay *l, enum act_field f, const struct put *x)
{
	switch (f) {
	case ACT_F_IPV4_SRC:
	case ACT_F_IPV4_DST:
		if (l->ip == 4)
			set_ipv4(p, l, f == ACT_F_IPV4_SRC ? 12 : 16, x, true);
		break;
	case ACT_F_IPV6_SRC:
	case ACT_F_IPV6_DST:
		if (l->ip == 6)
			set_ipv6_address(p, l, f == ACT_F_IPV6_DST, x);
		break;
	case ACT_F_IPV6_LABEL:
		set_label(p, l, x);
		break;
	case ACT_F_IP_TOS:
		set_tos(p, l, x);
		break;
	default:
		set_ttl(p, l, x);
	}
}

static bool
set_l4(struct rte_mbuf *m, const struct edit_lay *l, enum act_field f, const struct put *x)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	bool icmp6 = l->proto == FLOW_IP_ICMP6, icmp = icmp6 || l->proto == FLOW_IP_ICMP;

	if (!l->l4 || !l->l4_ok)
		return true;
	if (f == ACT_F_TP_SRC || f == ACT_F_TP_DST)
		return set_port(m, l, f == ACT_F_TP_SRC ? 0 : 2, x);
	if (f == ACT_F_ICMP_TYPE || f == ACT_F_ICMP_CODE) {
		if (icmp)
			set_icmp(p, l, f == ACT_F_ICMP_TYPE ? 0 : 1, x);
	} else if (icmp6) {
		set_nd(m, l, f, x);
	}
	return true;
}

/* The shim or tag right behind the Ethernet type. */
static void
set_tag(struct rte_mbuf *m, const struct edit_lay *l, bool pbb, const struct put *x)
{
	bool mpls = l->type == be16(0x8847) || l->type == be16(0x8848);
	uint8_t *p = pkt_peek(m, l->l3, 4);

	if (p && (pbb ? l->type == be16(0x88e7) : mpls))
		put(p, x);
}

static bool
set_l2(struct rte_mbuf *m, struct edit_lay *l, enum act_field f, const struct put *x)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	switch (f) {
	case ACT_F_ETH_DST:
		put(p, x);
		return true;
	case ACT_F_ETH_SRC:
		put(p + 6, x);
		return true;
	case ACT_F_VLAN_TCI:
		if (l->n_tags)
			put(p + 14, x);
		return true;
	case ACT_F_ETH_TYPE:
		if (l->type_at)
			put(p + l->type_at, x);
		/* Something else follows now. */
		return edit_locate(m, l);
	default:
		return false;
	}
}

static bool
set_one(struct rte_mbuf *m, struct edit_lay *l, enum act_field f, const struct put *x)
{
	if (f <= ACT_F_VLAN_TCI)
		return set_l2(m, l, f, x);
	if (UNLIKELY(l->cut))
		return false;
	if (f <= ACT_F_PBB_ITAG)
		set_tag(m, l, f == ACT_F_PBB_ITAG, x);
	else if (f <= ACT_F_IP_TTL && l->ip)
		set_ip(rte_pktmbuf_mtod(m, uint8_t *), l, f, x);
	else if ((f >= ACT_F_TP_SRC && f <= ACT_F_ICMP_CODE) || f >= ACT_F_ND_TARGET)
		return set_l4(m, l, f, x);
	else if (f >= ACT_F_ARP_OP)
		set_arp(m, l, (const uint8_t[]){ 6, 14, 24, 8, 18 }[f - ACT_F_ARP_OP], x);
	return true;
}

bool
edit_set(struct rte_mbuf *m, const struct act *a, unsigned n)
{
	struct edit_lay l;

	if (!edit_locate(m, &l))
		return false;
	for (unsigned i = 0; i < n; i += 1 + a[i].arg) {
		enum act_field f = a[i].port;
		unsigned words;

		if (UNLIKELY(f >= ACT_N_FIELDS))
			continue;
		words = act_field_words(f);
		if (UNLIKELY(a[i].arg != 2 * words || a[i].arg >= n - i))
			return false;
		if (UNLIKELY(!set_one(m, &l, f,
				      &(struct put){ (const uint8_t *)&a[i + 1], (const uint8_t *)&a[i + 1 + words],
						     act_field_info[f].len })))
			return false;
	}
	return true;
}

bool
edit_remark(struct rte_mbuf *m, uint8_t by)
{
	static const uint8_t dscp = 0xfc;
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), tos, prec;
	struct edit_lay l;

	if (!edit_locate(m, &l) || l.cut)
		return false;
	if (!l.ip)
		return true;
	p += l.l3;
	tos = l.ip == 4 ? p[1] : (uint8_t)(p[0] << 4 | p[1] >> 4);
	prec = tos >> 3 & 3;
	/* AF11 to AF43: class 1 to 4, precedence 1 to 3, and a zero. */
	if (tos >> 5 < 1 || tos >> 5 > 4 || !prec || tos & 4)
		return true;
	tos = (uint8_t)((tos & 0xe7) | MIN_OF(prec + by, 3) << 3);
	set_tos(rte_pktmbuf_mtod(m, uint8_t *), &l, &(struct put){ &tos, &dscp, 1 });
	return true;
}
