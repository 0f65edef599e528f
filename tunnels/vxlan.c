/* SPDX-License-Identifier: Apache-2.0 */
/* VXLAN, RFC 7348: eight bytes after UDP.
 *
 *	0         1            4          7
 *	+---------+------------+----------+----------+
 *	| RRRRIRRR| reserved   | VNI (24) | reserved |
 *	+---------+------------+----------+----------+
 *
 * Reserved bits are sent as zero (Linux and OVS drop anything else) and ignored on receipt (section 5).
 *
 * Group policy (draft-smith-vxlan-group-policy) gives a meaning to some of them: with G, the first bit, bits 9 ("do not
 * learn") and 12 ("policy applied") of the first word hold, and its last two bytes are the id of a policy. */
#include <errno.h>

#include "base/pkt.h"
#include "tunnels/tun.h"

enum {
	VXLAN_HLEN = 8,
	VXLAN_F_VNI = 0x08,
	VXLAN_F_GBP = 0x80,
	GBP_DONT_LEARN = 0x40,          /* Of the second byte. */
	GBP_APPLIED = 0x08,
	EXT_ID = 0,                     /* In tun_meta.ext. */
	EXT_FLAGS = 2,
	VXLAN_VNI_MAX = 0xffffff,
	VXLAN_PORT = 4789,
};

enum vxlan_drop { VXLAN_KEEP, VXLAN_SHORT, VXLAN_NO_VNI };

static const char *const vxlan_drops[] = { "keep", "short", "no-vni", NULL };

static const struct tun_field vxlan_fields[] = {
	{ "tun_gbp_id", EXT_ID, 2 },
	{ "tun_gbp_flags", EXT_FLAGS, 1 },
	{ NULL, 0, 0 },
};

static const struct opt_desc vxlan_opts[] = {
	{ "vni", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, VXLAN_VNI_MAX, tun_flow_names, NULL, true,
	  "virtual network identifier, the same on both ends", "5000" },
	TUN_COMMON_OPTS,
	{ "gbp", OPT_BOOL, offsetof(struct tun_conf, gbp), 0, 0, NULL, "false", false,
	  "send group policy ids (draft-smith-vxlan-group-policy); a far end that does not know them drops such packets", "true" },
	{ "gbp-id", OPT_U16, offsetof(struct tun_conf, gbp_id), 0, 65535, NULL, "0", false,
	  "with gbp: the id sent, where no rule sets another", "42" },
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
	if (conf->gbp) {
		p[0] |= VXLAN_F_GBP;
		store_be16(p + 2, be16(conf->gbp_id));
	}
	store_be32(p + 4, be32(tun_key_is_flow(conf) ? 0 : conf->key << 8));
	h->len += VXLAN_HLEN;
	return 0;
}

static void
vxlan_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		store_be32(h->b + h->own_off + 4, be32((uint32_t)(s->key & VXLAN_VNI_MAX) << 8));
	/* A far end without the extension would drop all of it, so the port must have it. */
	if (s->bits & TUN_SET_EXT && h->b[h->own_off] & VXLAN_F_GBP) {
		if (s->ext_bytes >> EXT_FLAGS & 1)
			h->b[h->own_off + 1] = s->ext[EXT_FLAGS] & (GBP_DONT_LEARN | GBP_APPLIED);
		if (s->ext_bytes >> EXT_ID & 3)
			memcpy(h->b + h->own_off + 2, s->ext + EXT_ID, 2);
	}
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
	if (UNLIKELY(p[0] & VXLAN_F_GBP)) {
		memcpy(meta->ext + EXT_ID, p + 2, 2);
		meta->ext[EXT_FLAGS] = p[1] & (GBP_DONT_LEARN | GBP_APPLIED);
		meta->flags = p[1] & GBP_DONT_LEARN ? TUN_META_NO_LEARN : 0;
	}
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
	.fields = vxlan_fields,
	.drops = vxlan_drops,
	.build = vxlan_build,
	.set = vxlan_set,
	.pop = vxlan_pop,
};
