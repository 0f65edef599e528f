/* SPDX-License-Identifier: Apache-2.0 */
/* VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe: VXLAN that says what it carries, on a port of its own.
 *
 *	0   2       4   5   6   7   8          24              32         56         64
 *	+---+-------+---+---+---+---+----------+---------------+----------+----------+
 *	| R | ver   | I | P | B | O | reserved | next protocol | VNI (24) | reserved |
 *	+---+-------+---+---+---+---+----------+---------------+----------+----------+
 *
 * Without P it carries Ethernet, as VXLAN does.  B (the frame was replicated for broadcast) is ignored. */
#include <errno.h>

#include "base/pkt.h"
#include "tunnels/tun.h"

enum {
	GPE_HLEN = 8,
	GPE_PORT = 4790,
	GPE_VNI_MAX = 0xffffff,
	GPE_VERSION = 0x30,             /* Of the first byte. */
	GPE_F_VNI = 0x08,
	GPE_F_PROTO = 0x04,
	GPE_F_OAM = 0x01,
	GPE_ETHERNET = 3,
};

enum gpe_drop { GPE_KEEP, GPE_SHORT, GPE_BAD_VERSION, GPE_NO_VNI, GPE_CONTROL, GPE_PAYLOAD };

static const char *const gpe_drops[] = { "keep", "short", "version", "no-vni", "control", "payload", NULL };

static const uint8_t gpe_drop_kinds[] = {
	[GPE_CONTROL] = TUN_DROP_CONTROL,
	[GPE_PAYLOAD] = TUN_DROP_PAYLOAD,
};

static const struct opt_desc gpe_opts[] = {
	{ "vni", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, GPE_VNI_MAX, tun_flow_names, NULL, true,
	  "virtual network identifier, the same on both ends", "5000" },
	TUN_COMMON_OPTS,
	TUN_UDP_OPTS("4790"),
	{ .name = NULL },
};

static int
gpe_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	uint8_t *p = h->b + h->len;
	bool flow = tun_key_is_flow(conf);

	if (conf->key > GPE_VNI_MAX && !flow)
		return err_set(e, ERANGE, "vni %u: at most %u", conf->key, GPE_VNI_MAX);
	store_be32(p, be32((uint32_t)(GPE_F_VNI | GPE_F_PROTO) << 24 | GPE_ETHERNET));
	store_be32(p + 4, be32(flow ? 0 : conf->key << 8));
	h->len += GPE_HLEN;
	return 0;
}

static void
gpe_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		store_be32(h->b + h->own_off + 4, be32((uint32_t)(s->key & GPE_VNI_MAX) << 8));
}

static inline uint8_t
gpe_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	const uint8_t *p = pkt_peek(m, 0, GPE_HLEN);

	if (UNLIKELY(!p))
		return GPE_SHORT;
	if (UNLIKELY(p[0] & GPE_VERSION))
		return GPE_BAD_VERSION;
	if (UNLIKELY(!(p[0] & GPE_F_VNI)))
		return GPE_NO_VNI;
	if (UNLIKELY(p[0] & GPE_F_OAM))
		return GPE_CONTROL;
	if (UNLIKELY(p[0] & GPE_F_PROTO && p[3] != GPE_ETHERNET))
		return GPE_PAYLOAD;
	meta->key = host32(load_be32(p + 4)) >> 8;
	pkt_pull(m, GPE_HLEN);
	return GPE_KEEP;
}

static void
gpe_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = gpe_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_vxlan_gpe = {
	.name = "vxlan-gpe",
	.ip_proto = 17,
	.udp_port = GPE_PORT,
	.hdr_max = GPE_HLEN,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY,
	.key_max = GPE_VNI_MAX,
	.key_name = "vni",
	.opts = gpe_opts,
	.drops = gpe_drops,
	.drop_kinds = gpe_drop_kinds,
	.build = gpe_build,
	.set = gpe_set,
	.pop = gpe_pop,
};
