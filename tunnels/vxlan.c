/* SPDX-License-Identifier: Apache-2.0 */
/* VXLAN, RFC 7348: eight bytes after UDP.
 *
 *	0         1            4          7
 *	+---------+------------+----------+----------+
 *	| RRRRIRRR| reserved   | VNI (24) | reserved |
 *	+---------+------------+----------+----------+
 *
 * Reserved bits are sent as zero (Linux and OVS drop anything else) and ignored on receipt (section 5). */
#include <errno.h>

#include "base/pkt.h"
#include "tunnels/tun.h"

enum {
	VXLAN_HLEN = 8,
	VXLAN_F_VNI = 0x08,
	VXLAN_VNI_MAX = 0xffffff,
	VXLAN_PORT = 4789,
};

enum vxlan_drop { VXLAN_KEEP, VXLAN_SHORT, VXLAN_NO_VNI };

static const char *const vxlan_drops[] = { "keep", "short", "no-vni", NULL };

static const struct opt_desc vxlan_opts[] = {
	{ "vni", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, VXLAN_VNI_MAX, tun_flow_names, NULL, true,
	  "virtual network identifier, the same on both ends", "5000" },
	TUN_COMMON_OPTS,
	{ "dst-port", OPT_U16, offsetof(struct tun_conf, dst_port), 1, 65535, NULL, "4789", false,
	  "UDP port of the tunnel, here and at the far end (old Linux devices use 8472)", "4789" },
	{ "csum", OPT_ENUM, offsetof(struct tun_conf, csum), 0, 0, tun_csum_names, "auto", false,
	  "outer UDP checksum on send: auto is off over IPv4 and on over IPv6", "on" },
	{ "zero-csum6-rx", OPT_BOOL, offsetof(struct tun_conf, zero_csum6_rx), 0, 0, NULL, "false", false,
	  "accept packets without UDP checksum over IPv6 (RFC 6935)", "true" },
	{ .name = NULL },
};

static int
vxlan_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	uint8_t *p = h->b + h->len;

	if (conf->key > VXLAN_VNI_MAX && !tun_key_is_flow(conf))
		return err_set(e, ERANGE, "vni %u: at most %u", conf->key, VXLAN_VNI_MAX);
	store_be32(p, be32((uint32_t)VXLAN_F_VNI << 24));
	store_be32(p + 4, be32(tun_key_is_flow(conf) ? 0 : conf->key << 8));
	h->len += VXLAN_HLEN;
	return 0;
}

static void
vxlan_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		store_be32(h->b + h->own_off + 4, be32((uint32_t)(s->key & VXLAN_VNI_MAX) << 8));
}

static inline uint8_t
vxlan_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	const uint8_t *p = pkt_peek(m, 0, VXLAN_HLEN);

	if (UNLIKELY(!p))
		return VXLAN_SHORT;
	if (UNLIKELY(!(p[0] & VXLAN_F_VNI)))
		return VXLAN_NO_VNI;
	meta->key = host32(load_be32(p + 4)) >> 8;
	pkt_pull(m, VXLAN_HLEN);
	return VXLAN_KEEP;
}

static void
vxlan_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = vxlan_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_vxlan = {
	.name = "vxlan",
	.ip_proto = 17,
	.udp_port = VXLAN_PORT,
	.hdr_max = VXLAN_HLEN,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY,
	.key_max = VXLAN_VNI_MAX,
	.key_name = "vni",
	.opts = vxlan_opts,
	.drops = vxlan_drops,
	.build = vxlan_build,
	.set = vxlan_set,
	.pop = vxlan_pop,
};
