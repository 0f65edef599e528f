/* SPDX-License-Identifier: Apache-2.0 */
/* GRE that carries Ethernet frames: RFC 2784, with the key and sequence number of RFC 2890, protocol type 0x6558
 * ("gretap" of Linux, "gre" of OVS).  The header is drawn in gre_priv.h.
 *
 * Checksum and sequence number are accepted whether or not we send them; the order of packets is not enforced (RFC 2890
 * leaves that to the receiver).  A packet without a key is one with key 0, as OVS has it; Linux tells them apart, so what
 * is sent for key 0 can be chosen. */
#include <errno.h>

#include "tunnels/gre_priv.h"

enum { GRETAP_HLEN_MAX = GRE_HLEN + 3 * GRE_WORD };

static const char *const gre_drops[] = { "keep", "short", "flags", "version", "checksum", "payload", NULL };

enum gre_drop { GRE_PAYLOAD = GRE_BAD_CSUM + 1 };

static const uint8_t gre_drop_kinds[] = {
	[GRE_BAD_CSUM] = TUN_DROP_CSUM,
	[GRE_PAYLOAD] = TUN_DROP_PAYLOAD,
};

static const uint16_t gre_protos[] = { GRE_PROTO_ETH, 0 };

static const struct opt_desc gre_opts[] = {
	{ "key", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, UINT32_MAX - 1, tun_flow_names, "0", false,
	  "32 bits that tell tunnels between two hosts apart; 0 sends none and takes packets without one", "5000" },
	TUN_COMMON_OPTS,
	{ "csum", OPT_ENUM, offsetof(struct tun_conf, csum), 0, 0, tun_csum_names, "auto", false,
	  "GRE checksum on send: auto is off; what comes in with one is checked either way", "on" },
	{ "seq", OPT_BOOL, offsetof(struct tun_conf, seq), 0, 0, NULL, "false", false,
	  "send sequence numbers, which a far end with 'seq' needs (Linux); none are needed here", "true" },
	{ "zero-key", OPT_BOOL, offsetof(struct tun_conf, zero_key), 0, 0, NULL, "false", false,
	  "with key 0 send a key of 0, which Linux tells from none", "true" },
	{ .name = NULL },
};

static uint16_t
gre_flags(const struct tun_conf *c)
{
	return (c->csum == TUN_CSUM_ON ? GRE_CSUM : 0) | (c->key || c->zero_key ? GRE_KEY : 0) | (c->seq ? GRE_SEQ : 0);
}

static uint16_t
gre_hdr_len(const struct tun_conf *c)
{
	return gre_len(gre_flags(c));
}

static int
gretap_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	(void)e;
	gre_build(h, gre_flags(conf), GRE_PROTO_ETH, tun_key_is_flow(conf) ? 0 : conf->key);
	return 0;
}

static void
gre_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		gre_set_key(h, (uint32_t)s->key);
}

static inline uint8_t
gre_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	struct gre g;
	enum gre_error why = gre_read(m, &g);

	if (UNLIKELY(why))
		return (uint8_t)why;
	if (UNLIKELY(g.proto != GRE_PROTO_ETH))
		return GRE_PAYLOAD;
	meta->key = g.key;
	meta->flags = (g.flags & GRE_KEY ? TUN_META_KEY : 0) | (g.flags & GRE_CSUM ? TUN_META_CSUM : 0);
	pkt_pull(m, g.len);
	return GRE_OK;
}

static void
gre_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = gre_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_gre = {
	.name = "gre",
	.ip_proto = 47,
	.hdr_max = GRETAP_HLEN_MAX,
	.gre_protos = gre_protos,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY,
	.key_max = UINT32_MAX,
	.key_name = "key",
	.opts = gre_opts,
	.drops = gre_drops,
	.drop_kinds = gre_drop_kinds,
	.hdr_len = gre_hdr_len,
	.build = gretap_build,
	.set = gre_set,
	.patch = gre_patch,
	.pop = gre_pop,
};
