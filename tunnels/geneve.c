/* SPDX-License-Identifier: Apache-2.0 */
/* Geneve, RFC 8926: eight bytes after UDP, and options.
 *
 *	0       2        8   9   10      16              32         56         64
 *	+-------+--------+---+---+-------+---------------+----------+----------+-------------------
 *	| ver   | optlen | O | C | rsvd  | protocol type | VNI (24) | reserved | options, 4 * optlen
 *	+-------+--------+---+---+-------+---------------+----------+----------+-------------------
 *	option: | class (16) | C type (8) | rsvd (3) length (5) | data, 4 * length |
 *
 * Option lengths must sum up to optlen.  Options that we do not know are skipped, unless they are critical (section 3.5);
 * we look at each ourselves, so the header's C bit tells nothing new.  Reserved bits are sent as 0 and ignored. */
#include <errno.h>

#include "base/pkt.h"
#include "tunnels/tlv.h"
#include "tunnels/tun.h"

enum {
	GENEVE_HLEN = 8,
	GENEVE_PORT = 6081,
	GENEVE_VNI_MAX = 0xffffff,
	GENEVE_VERSION = 0xc0,          /* Of the first byte; */
	GENEVE_OPT_LEN = 0x3f,
	GENEVE_OAM = 0x80,              /* of the second. */
	GENEVE_PROTO_ETH = 0x6558,
	GENEVE_CRITICAL = 0x40,
};

enum geneve_drop {
	GENEVE_KEEP, GENEVE_SHORT, GENEVE_BAD_VERSION, GENEVE_BAD_OPTIONS, GENEVE_PAYLOAD,
};

static const char *const geneve_drops[] = { "keep", "short", "version", "options", "payload", NULL };

static const uint8_t geneve_drop_kinds[] = {
	[GENEVE_PAYLOAD] = TUN_DROP_PAYLOAD,
};

static const struct opt_desc geneve_opts[] = {
	{ "vni", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, GENEVE_VNI_MAX, tun_flow_names, NULL, true,
	  "virtual network identifier, the same on both ends", "5000" },
	TUN_COMMON_OPTS,
	TUN_UDP_OPTS("6081"),
	{ .name = NULL },
};

static int
geneve_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	uint8_t *p = h->b + h->len;
	bool flow = tun_key_is_flow(conf);

	if (conf->key > GENEVE_VNI_MAX && !flow)
		return err_set(e, ERANGE, "vni %u: at most %u", conf->key, GENEVE_VNI_MAX);
	store_be32(p, be32(GENEVE_PROTO_ETH));
	store_be32(p + 4, be32(flow ? 0 : conf->key << 8));
	h->len += GENEVE_HLEN;
	return 0;
}

/* Nothing follows the header in a template. */
static void
set_options(struct tun_hdr *h, const struct tun_set *s)
{
	uint8_t *p = h->b + h->own_off;
	bool critical;

	if (s->opts_len > TUN_OPTS_MAX || h->len + s->opts_len > TUN_HDR_MAX || !tlv_check(s->opts, s->opts_len, &critical))
		return;
	memcpy(p + GENEVE_HLEN, s->opts, s->opts_len);
	h->len = (uint16_t)(h->len + s->opts_len);
	p[0] = s->opts_len / 4;
	if (critical)
		p[1] |= GENEVE_CRITICAL;
}

static void
geneve_set(struct tun_hdr *h, const struct tun_set *s)
{
	uint8_t *p = h->b + h->own_off;

	if (s->bits & TUN_SET_KEY)
		store_be32(p + 4, be32((uint32_t)(s->key & GENEVE_VNI_MAX) << 8));
	if (s->bits & TUN_SET_FLAGS)
		p[1] = (uint8_t)((p[1] & ~GENEVE_OAM) | (s->flags & TUN_F_OAM ? GENEVE_OAM : 0));
	if (s->opts_len)
		set_options(h, s);
}

static inline uint8_t
geneve_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	const uint8_t *p = pkt_peek(m, 0, GENEVE_HLEN);
	uint32_t opt_len;
	bool critical;

	if (UNLIKELY(!p))
		return GENEVE_SHORT;
	if (UNLIKELY(p[0] & GENEVE_VERSION))
		return GENEVE_BAD_VERSION;
	opt_len = (p[0] & GENEVE_OPT_LEN) * 4u;
	if (UNLIKELY(!pkt_peek(m, GENEVE_HLEN, opt_len)))
		return GENEVE_SHORT;
	if (UNLIKELY(!tlv_check(p + GENEVE_HLEN, opt_len, &critical)))
		return GENEVE_BAD_OPTIONS;
	if (UNLIKELY(load_be16(p + 2) != be16(GENEVE_PROTO_ETH)))
		return GENEVE_PAYLOAD;
	meta->key = host32(load_be32(p + 4)) >> 8;
	meta->opts_len = (uint8_t)opt_len;
	/* For the endpoint itself (section 3.4): nobody's but a rule's that asks for it. */
	if (UNLIKELY(p[1] & GENEVE_OAM))
		meta->flags |= TUN_META_OAM;
	/* Which ones are known, the bridge of the port says. */
	if (UNLIKELY(critical))
		meta->flags |= TUN_META_CRITICAL;
	pkt_pull(m, GENEVE_HLEN + opt_len);
	return GENEVE_KEEP;
}

static void
geneve_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = geneve_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_geneve = {
	.name = "geneve",
	.ip_proto = 17,
	.udp_port = GENEVE_PORT,
	.hdr_max = GENEVE_HLEN,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY | TUN_CAP_OPTIONS,
	.key_max = GENEVE_VNI_MAX,
	.key_name = "vni",
	.opts = geneve_opts,
	.drops = geneve_drops,
	.drop_kinds = geneve_drop_kinds,
	.build = geneve_build,
	.set = geneve_set,
	.pop = geneve_pop,
};
