/* SPDX-License-Identifier: Apache-2.0 */
/* NVGRE, RFC 7637: GRE with a key that is VSID and FlowID, and without checksum and sequence number.
 *
 *	0           2           4           7        8
 *	+-----------+-----------+-----------+--------+
 *	| 20 00     | 65 58     | VSID (24) | FlowID |
 *	+-----------+-----------+-----------+--------+
 *
 * Frames bear no 802.1Q tag: it is taken off on the way out, and a frame with one is dropped on the way in (section 3.2.1).
 * On the wire it is keyed GRE; which of the two a remote speaks is a matter of configuration. */
#include <errno.h>

#include "tunnels/gre_priv.h"

enum {
	NVGRE_HLEN = 8,
	NVGRE_VSID_MIN = 0x1000,        /* Below is reserved (section 3.3), */
	NVGRE_VSID_MAX = 0xfffffe,      /* and so is the last, for vendors. */
	NVGRE_FLOW_OFF = 7,
};

enum nvgre_drop { NVGRE_PAYLOAD = GRE_BAD_CSUM + 1, NVGRE_NO_VSID, NVGRE_RESERVED_VSID, NVGRE_TAGGED };

static const char *const nvgre_drops[] = { "keep", "short", "flags", "version", "checksum", "payload", "no-vsid",
					   "reserved-vsid", "tagged", NULL };

static const uint8_t nvgre_drop_kinds[] = {
	[NVGRE_PAYLOAD] = TUN_DROP_PAYLOAD,
	[NVGRE_NO_VSID] = TUN_DROP_HEADER,
	[NVGRE_RESERVED_VSID] = TUN_DROP_KEY,
	[NVGRE_TAGGED] = TUN_DROP_TAGGED,
};

static const uint16_t nvgre_protos[] = { GRE_PROTO_ETH, 0 };

static const struct opt_desc nvgre_opts[] = {
	{ "vsid", OPT_U32_WORD, offsetof(struct tun_conf, key), NVGRE_VSID_MIN, NVGRE_VSID_MAX, tun_flow_names, NULL, true,
	  "virtual subnet identifier, the same on both ends", "5000" },
	TUN_COMMON_OPTS,
	{ "flow-id", OPT_BOOL, offsetof(struct tun_conf, flow_id), 0, 0, NULL, "true", false,
	  "send a hash of the inner headers as FlowID, by which the underlay may spread flows; without it 0, which a far end "
	  "that is plain GRE needs (Linux gretap with the key VSID * 256)", "false" },
	{ .name = NULL },
};

static int
nvgre_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	bool flow = tun_key_is_flow(conf);

	if (!flow && (conf->key < NVGRE_VSID_MIN || conf->key > NVGRE_VSID_MAX))
		return err_set(e, ERANGE, "vsid %u: from %u to %u", conf->key, NVGRE_VSID_MIN, NVGRE_VSID_MAX);
	gre_build(h, GRE_KEY, GRE_PROTO_ETH, flow ? 0 : conf->key << 8);
	h->flow_off = conf->flow_id ? (uint16_t)(h->own_off + NVGRE_FLOW_OFF) : 0;
	return 0;
}

static void
nvgre_set(struct tun_hdr *h, const struct tun_set *s)
{
	if (s->bits & TUN_SET_KEY)
		gre_set_key(h, (uint32_t)s->key << 8);
}

static bool
has_tag(const struct rte_mbuf *m, uint32_t off)
{
	const uint8_t *p = pkt_peek(m, off, ETH_HLEN);

	return p && load_be16(p + 12) == be16(0x8100);
}

static inline uint8_t
nvgre_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	struct gre g;
	enum gre_error why = gre_read(m, &g);
	uint32_t vsid;

	if (UNLIKELY(why))
		return (uint8_t)why;
	if (UNLIKELY(g.proto != GRE_PROTO_ETH))
		return NVGRE_PAYLOAD;
	if (UNLIKELY(g.flags & (GRE_CSUM | GRE_SEQ)))
		return GRE_FLAGS;
	if (UNLIKELY(!(g.flags & GRE_KEY)))
		return NVGRE_NO_VSID;
	vsid = g.key >> 8;
	if (UNLIKELY(vsid < NVGRE_VSID_MIN || vsid > NVGRE_VSID_MAX))
		return NVGRE_RESERVED_VSID;
	if (UNLIKELY(has_tag(m, g.len)))
		return NVGRE_TAGGED;
	/* FlowID is entropy, and says nothing to us. */
	meta->key = vsid;
	meta->flags = TUN_META_KEY;
	pkt_pull(m, g.len);
	return GRE_OK;
}

static void
nvgre_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = nvgre_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_nvgre = {
	.name = "nvgre",
	.ip_proto = 47,
	.hdr_max = NVGRE_HLEN,
	.gre_protos = nvgre_protos,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY | TUN_CAP_UNTAGGED,
	.key_max = NVGRE_VSID_MAX,
	.key_name = "vsid",
	.opts = nvgre_opts,
	.drops = nvgre_drops,
	.drop_kinds = nvgre_drop_kinds,
	.build = nvgre_build,
	.set = nvgre_set,
	.pop = nvgre_pop,
};
