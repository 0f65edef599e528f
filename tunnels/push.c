/* SPDX-License-Identifier: Apache-2.0 */
/* Outer headers on the way out: the template of a destination, built once, and what each packet
 * changes in it: lengths, checksums, TTL, DSCP and ECN (RFC 6040, section 4.1, normal mode), and the
 * source port that spreads flows over the underlay (RFC 7348, section 5). */
#include <errno.h>
#include <netinet/in.h>

#include <rte_mbuf.h>

#include "base/pkt.h"
#include "tunnels/inner_priv.h"
#include "tunnels/tun.h"

enum {
	IP4_DF = 0x4000,
	TTL_DEFAULT = 64,
	PORT_FIRST = 49152,     /* .. 65535: fourteen bits. */
};

const char *const tun_inherit_names[] = { "inherit", NULL };
const char *const tun_flow_names[] = { "flow", NULL };
const char *const tun_inner_vlan_names[] = { "auto", "keep", "drop", NULL };
const char *const tun_csum_names[] = { "auto", "on", "off", NULL };

/* --- Configuration to template ------------------------------------------------------------- */

bool
tun_conf_allows(const struct tun_conf *c, const struct ipaddr *remote)
{
	return !c->allow.n || opt_prefixes_have(&c->allow, remote);
}

/* What goes with remotes that are set per flow, and only with those. */
static int
check_flow(const struct tun_conf *c, struct err *e)
{
	if (c->bfd_admin_down && !c->bfd)
		return err_set(e, EINVAL, "bfd-admin-down: there is no BFD to hold down without bfd=true");
	if (tun_remote_is_flow(c) && c->bfd)
		return err_set(e, EINVAL, "bfd: remotes that are set per flow have none: list them in 'remote'");
	if (tun_remote_is_group(c) && c->remote.n > 1)
		return err_set(e, EINVAL, "remote: a multicast group stands alone; several go to remote=flow, in 'flood-list'");
	if (tun_remote_is_group(c) && c->flood.n)
		return err_set(e, EINVAL, "flood-list: the multicast group in 'remote' is what gets flooded frames");
	if (tun_remote_is_flow(c))
		return 0;
	if (tun_local_is_flow(c))
		return err_set(e, EINVAL, "local: 'flow' goes with remote=flow only");
	if (c->flood.n)
		return err_set(e, EINVAL, "flood-list: goes with remote=flow only: list the addresses in 'remote'");
	if (c->allow.n)
		return err_set(e, EINVAL, "allow: goes with remote=flow only");
	return 0;
}

/* Groups of protocols of the link, and of this host alone, are nobody's to flood to (RFC 5771, RFC 4291). */
static bool
is_usable_group(const struct ipaddr *a)
{
	return ip_is_multicast(a) && (ip_is_v4(a) ? host32(ip_v4(a)) >> 8 != 0xe00000 : a->b[1] != 0x00 && a->b[1] != 0x01);
}

static bool
is_listed(const struct opt_ips *l, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ip_equal(&l->ip[i], ip))
			return true;
	return false;
}

/* What goes with keys that VLANs say, and only with those. */
static int
check_vlans(const struct tun_type *t, const struct tun_conf *c, struct err *e)
{
	const struct opt_desc *key = opt_find(t->opts, t->key_name);
	uint32_t least = key ? key->min : 0;
	char text[IP_STR_LEN];

	if (!c->vlans.n && (c->flood_only.n || c->flood_heard))
		return err_set(e, EINVAL, "%s: goes with vlan-map only", c->flood_only.n ? "flood-only" : "flood-heard");
	if (c->vlans.n && !tun_key_is_flow(c))
		return err_set(e, EINVAL, "vlan-map: needs %s=flow, since the map says the %s", t->key_name, t->key_name);
	for (unsigned i = 0; i < c->vlans.n; i++) {
		uint32_t first = c->vlans.r[i].key, last = first + (c->vlans.r[i].n - 1u);

		if (first < least || last > t->key_max)
			return err_set(e, EINVAL, "vlan-map: %s %u is out of range: %u to %u", t->key_name,
				       first < least ? first : last, least, t->key_max);
	}
	for (unsigned i = 0; i < c->flood_only.n; i++)
		if (!is_listed(tun_listed(c), &c->flood_only.r[i].ip))
			return err_set(e, EINVAL, "flood-only: %s is not in '%s'", ip_format(c->flood_only.r[i].ip, text),
				       c->remote.word ? "flood-list" : "remote");
	if (c->flood_heard && (!tun_remote_is_flow(c) || tun_remote_is_group(c)))
		return err_set(e, EINVAL, "flood-heard: goes with remote=flow only: fixed remotes get floods as 'flood-only' says");
	return 0;
}

int
tun_conf_check(const struct tun_type *t, const struct tun_conf *c, struct err *e)
{
	const struct opt_ips *list = tun_listed(c);
	const char *what = c->remote.word ? "flood-list" : "remote";
	bool groups = tun_remote_is_flow(c) && !(t->caps & TUN_CAP_WHOLE);
	bool any_local = ip_is_none(&c->local) || tun_local_is_flow(c);
	char text[IP_STR_LEN];
	int rc = check_flow(c, e);

	if (!rc)
		rc = check_vlans(t, c, e);
	if (rc)
		return rc;
	if (c->key > t->key_max && !(tun_key_is_flow(c) && t->set))
		return err_set(e, EINVAL, "%s %u: at most %u", t->key_name, c->key, t->key_max);
	if (t->udp_port && !c->dst_port)
		return err_set(e, EINVAL, "dst-port: 0 is no UDP port");
	if (c->tos != TUN_TOS_INHERIT && (c->tos & 3))
		return err_set(e, EINVAL, "tos: %#x sets the two ECN bits; they belong to the network", c->tos);
	if (!c->remote.n && !tun_remote_is_flow(c))
		return err_set(e, EINVAL, "remote: no address given");
	if (!any_local && !ip_is_unicast(&c->local))
		return err_set(e, EINVAL, "local: %s is not a unicast address", ip_format(c->local, text));
	for (unsigned i = 0; i < list->n; i++) {
		const struct ipaddr *r = &list->ip[i];

		if (!ip_is_unicast(r) && !(groups && is_usable_group(r)))
			return err_set(e, EINVAL, "%s: %s is not a unicast address", what, ip_format(*r, text));
		if (!any_local && ip_is_v4(r) != ip_is_v4(&c->local))
			return err_set(e, EINVAL, "%s: %s and 'local' are not of the same family", what,
				       ip_format(*r, text));
		if (ip_equal(r, &c->local))
			return err_set(e, EINVAL, "%s: %s is 'local' as well", what, ip_format(*r, text));
	}
	return 0;
}

static void
build_ip4(const struct tun_type *t, const struct tun_conf *c, const struct tun_path *path, struct tun_hdr *h)
{
	uint8_t *p = h->b + h->l3_off;

	p[0] = 0x45;
	store_be16(p + 6, be16(c->df ? IP4_DF : 0));
	p[9] = t->ip_proto;
	memcpy(p + 12, path->local.b + 12, 4);
	memcpy(p + 16, path->remote.b + 12, 4);
	/* Without TTL while that is inherited: it is added per packet. */
	p[8] = h->ttl_inherit ? 0 : c->ttl;
	for (unsigned i = 0; i < IP4_HLEN; i += 2)
		h->ip4_sum += load_be16(p + i);
	p[1] = h->tos_inherit ? 0 : c->tos;
	h->len += IP4_HLEN;
}

static void
build_ip6(const struct tun_type *t, const struct tun_conf *c, const struct tun_path *path, struct tun_hdr *h)
{
	uint8_t *p = h->b + h->l3_off;

	store_be32(p, be32(6u << 28 | (h->tos_inherit ? 0 : c->tos << 20)));
	p[6] = t->ip_proto;
	p[7] = h->ttl_inherit ? 0 : c->ttl;
	memcpy(p + 8, path->local.b, 16);
	memcpy(p + 24, path->remote.b, 16);
	h->len += IP6_HLEN;
}

int
tun_hdr_build(const struct tun_type *t, const struct tun_conf *c, const struct tun_path *path,
	      struct tun_hdr *h, struct err *e)
{
	memset(h, 0, sizeof *h);
	if (ip_is_v4(&path->local) != ip_is_v4(&path->remote))
		return err_set(e, EINVAL, "local and remote address are not of the same family");
	h->v6 = !ip_is_v4(&path->remote);
	h->udp = t->ip_proto == IPPROTO_UDP;
	h->csum = h->udp && (c->csum == TUN_CSUM_ON || (c->csum == TUN_CSUM_AUTO && h->v6));
	h->sums = h->csum;
	h->mtu = path->mtu;
	h->tos_inherit = c->tos == TUN_TOS_INHERIT;
	h->ttl_inherit = c->ttl == TUN_TTL_INHERIT;

	memcpy(h->b, &path->dst_mac, 6);
	memcpy(h->b + 6, &path->src_mac, 6);
	store_be16(h->b + 12, be16(h->v6 ? 0x86dd : 0x0800));
	h->l3_off = h->len = ETH_HLEN;
	if (h->v6)
		build_ip6(t, c, path, h);
	else
		build_ip4(t, c, path, h);
	h->l4_off = h->len;
	if (h->udp) {
		store_be16(h->b + h->len + 2, be16(c->dst_port));
		h->len += UDP_HLEN;
	}
	h->own_off = h->len;
	return t->build(c, h, e);
}

void
tun_hdr_set(const struct tun_type *t, struct tun_hdr *h, const struct tun_set *s)
{
	uint8_t *l3 = h->b + h->l3_off, *ttl = l3 + (h->v6 ? 7 : 8);

	if (s->bits & TUN_SET_TOS) {
		h->tos_inherit = false;
		if (h->v6)
			store_be32(l3, be32(6u << 28 | (s->tos & ~3u) << 20));
		else
			l3[1] = s->tos & ~3u;
	}
	if (s->bits & TUN_SET_TTL && s->ttl) {
		/* The TTL is the first byte of its word, and 0 there while it is inherited. */
		h->ip4_sum += (uint32_t)s->ttl - *ttl;
		h->ttl_inherit = false;
		*ttl = s->ttl;
	}
	if (t->set)
		t->set(h, s);
}

uint16_t
tun_overhead(const struct tun_type *t, const struct tun_conf *c, bool v6)
{
	return (uint16_t)(ETH_HLEN + (v6 ? IP6_HLEN : IP4_HLEN) + (t->ip_proto == IPPROTO_UDP ? UDP_HLEN : 0) +
			  (t->hdr_len ? t->hdr_len(c) : t->hdr_max));
}

uint32_t
tun_max_frame(const struct tun_type *t, const struct tun_conf *c, bool v6, uint32_t mtu)
{
	if (t->caps & TUN_CAP_WHOLE)
		mtu = 65535;
	return mtu + ETH_HLEN - tun_overhead(t, c, v6);
}

/* --- Template to packet -------------------------------------------------------------------- */

/* What the packets of one batch have in common, taken out of the template once. */
struct push_ctx {
	const struct tun_hdr *h;
	uint8_t tos, tos_mask;          /* Outer TOS = tos | (inner & mask). */
	uint8_t ttl, ttl_mask;          /* Outer TTL = inner & mask, or 'ttl' when that is 0. */
	uint16_t id_step;               /* 0: IPv4 "don't fragment", the id means nothing (RFC 6864). */
	uint16_t id;
};

/* Ids need only differ among packets that may meet in a reassembly queue: one counter per thread. */
static __thread uint16_t next_id;

uint16_t
tun_ids_take(unsigned n)
{
	uint16_t id = next_id;

	next_id = (uint16_t)(next_id + n);
	return id;
}

static void
push_ctx_init(struct push_ctx *c, const struct tun_hdr *h)
{
	const uint8_t *l3 = h->b + h->l3_off;

	c->h = h;
	c->tos = h->v6 ? host16(load_be16(l3)) >> 4 & 0xff : l3[1];
	c->tos_mask = h->tos_inherit ? 0xff : 0x03;
	c->ttl = h->ttl_inherit ? TTL_DEFAULT : l3[h->v6 ? 7 : 8];
	c->ttl_mask = h->ttl_inherit ? 0xff : 0;
	c->id_step = !h->v6 && !(l3[6] & (IP4_DF >> 8));
	c->id = next_id;
	if (c->id_step)
		next_id += TUN_BATCH_MAX;
}

/* Two copies of a fixed size that meet or overlap, instead of one of a variable size.  Never writes
 * past 'len': the guest's frame starts there. */
static inline void
copy_template(uint8_t *dst, const uint8_t *src, uint16_t len)
{
	if (len <= 64) {
		memcpy(dst, src, 32);
		memcpy(dst + len - 32, src + len - 32, 32);
	} else {
		memcpy(dst, src, 64);
		memcpy(dst + len - 64, src + len - 64, 64);
	}
}

static inline void
patch_ip4(struct push_ctx *c, uint8_t *l3, uint32_t l3_len, uint8_t tos, uint8_t ttl)
{
	uint32_t sum = c->h->ip4_sum + ((uint32_t)tos << 8) + be16(l3_len);

	/* The sum runs over words as they lie in memory: TOS is the second byte of its word, TTL the first. */
	if (c->ttl_mask)
		sum += ttl;
	l3[1] = tos;
	store_be16(l3 + 2, be16(l3_len));
	if (c->id_step) {
		c->id += c->id_step;
		store_be16(l3 + 4, c->id);
		sum += c->id;
	}
	l3[8] = ttl;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(l3 + 10, ~sum);
}

static inline void
patch_ip6(uint8_t *l3, uint32_t l3_len, uint8_t tos, uint8_t ttl, uint32_t entropy)
{
	store_be32(l3, be32(6u << 28 | (uint32_t)tos << 20 | (entropy & 0xfffff)));
	store_be16(l3 + 4, be16(l3_len - IP6_HLEN));
	l3[7] = ttl;
}

/* The inner frame is not yet as it will be. */
static inline bool
is_undone(const struct rte_mbuf *m)
{
	return m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK);
}

static inline uint8_t
push_one(struct push_ctx *c, struct rte_mbuf *m)
{
	const struct tun_hdr *h = c->h;
	uint32_t l3_len = m->pkt_len + h->len - ETH_HLEN;
	struct inner in;

	if (UNLIKELY(l3_len - (h->v6 ? IP6_HLEN : 0) > 65535 && !is_undone(m)))
		return 1;
	inner_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &in);

	uint8_t *p = pkt_push(m, h->len);
	uint8_t tos = c->tos | (in.tos & c->tos_mask);
	uint8_t ttl = in.ttl & c->ttl_mask;

	if (UNLIKELY(!p))
		return 1;
	ttl = ttl ? ttl : c->ttl;
	copy_template(p, h->b, h->len);
	if (h->v6)
		patch_ip6(p + ETH_HLEN, l3_len, tos, ttl, in.entropy);
	else
		patch_ip4(c, p + ETH_HLEN, l3_len, tos, ttl);
	if (h->udp) {
		uint8_t *udp = p + h->l4_off;

		store_be16(udp, be16(PORT_FIRST + (in.entropy >> 18)));
		store_be16(udp + 4, be16(l3_len + ETH_HLEN - h->l4_off));
	} else if (h->sport) {
		store_be16(p + h->l4_off, be16(PORT_FIRST + (in.entropy >> 18)));
	} else if (h->flow_off) {
		p[h->flow_off] = in.entropy >> 24;
	}
	return 0;
}

/* The outer UDP checksum, over a datagram whose checksum field is zero. */
static void
fill_udp_csum(const struct tun_hdr *h, struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t *udp = p + h->l4_off;
	uint32_t len = m->pkt_len - h->l4_off;
	uint64_t sum = (uint64_t)be16(len) + be16(IPPROTO_UDP);
	uint16_t csum;

	if (UNLIKELY(is_undone(m))) {
		store_be16(udp + 6, 0xffff);
		return;
	}
	sum = csum_add(sum, p + h->l3_off + (h->v6 ? 8 : 12), h->v6 ? 32 : 8);
	csum = ~csum_fold(pkt_csum(m, h->l4_off, sum));
	store_be16(udp + 6, csum ? csum : 0xffff);
}

/* Takes off the tags in front of what the frame carries. */
static void
untag(struct rte_mbuf *m)
{
	uint8_t *p;

	while ((p = pkt_peek(m, 0, ETH_HLEN + 4)) && (load_be16(p + 12) == be16(0x8100) || load_be16(p + 12) == be16(0x88a8))) {
		memmove(p + 4, p, 12);
		pkt_pull(m, 4);
		if (LIKELY(!is_undone(m)))
			continue;
		if (m->outer_l3_len)
			m->outer_l2_len = (m->outer_l2_len - 4) & 0x7f;
		else
			m->l2_len = (m->l2_len - 4) & 0x7f;
	}
}

void
tun_push(const struct tun_type *t, struct tun_batch *b)
{
	const struct tun_hdr *h = b->hdr;
	struct push_ctx c;

	push_ctx_init(&c, h);
	if (t->caps & TUN_CAP_UNTAGGED)
		for (uint16_t i = 0; i < b->n; i++)
			untag(b->pkt[i]);
	/* The headroom is the one line of the packet that nobody has touched yet. */
	for (uint16_t i = 0; i < b->n; i++)
		__builtin_prefetch(rte_pktmbuf_mtod(b->pkt[i], uint8_t *) - h->len, 1);
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = push_one(&c, b->pkt[i]);
	if (t->patch)
		t->patch(b);
	if (h->csum)
		for (uint16_t i = 0; i < b->n; i++)
			if (!b->drop[i])
				fill_udp_csum(h, b->pkt[i]);
}

uint32_t
tun_entropy(const struct rte_mbuf *m)
{
	struct inner in;

	inner_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &in);
	return in.entropy;
}
