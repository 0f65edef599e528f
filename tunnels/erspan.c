/* SPDX-License-Identifier: Apache-2.0 */
/* ERSPAN types II and III, draft-foschiano-erspan: mirrored frames over GRE with a sequence number.
 *
 *	II	GRE 10 00 88 BE seq | ver 1 (4) VLAN (12) | COS (3) En (2) T (1) session (10) | reserved (12) index (20)
 *	III	GRE 10 00 22 EB seq | ver 2 (4) VLAN (12) | COS (3) BSO (2) T (1) session (10) | timestamp (32)
 *		| SGT (16) | P (1) FT (5) hw id (6) D (1) gra (2) O (1) | platform sub-header (64), if O
 *	I	GRE 00 00 88 BE, then the frame: received as session 0
 *
 * What is sent says nothing of VLANs, whose tags stay in the frame (En 0, VLAN 0: as Linux and OVS do).  On receipt the
 * sub-header is skipped, which neither of those does.  A mirrored frame teaches nobody where a MAC address is. */
#include <errno.h>
#include <time.h>

#include "tunnels/gre_priv.h"

enum {
	ERSPAN_II = 0x88be,             /* GRE protocol types. */
	ERSPAN_III = 0x22eb,
	II_LEN = 8,
	III_LEN = 12,
	PLATFORM_LEN = 8,
	SESSION_MAX = 0x3ff,
	INDEX_MAX = 0xfffff,
	HWID_MAX = 0x3f,
	VERSION_II = 1,                 /* As they are on the wire. */
	VERSION_III = 2,
	III_PDU = 0x8000,               /* Of the last two bytes: "P", a frame with an Ethernet header; */
	III_FRAME_TYPE = 0x7c00,        /* 0: Ethernet; */
	III_HWID_SHIFT = 4,
	III_EGRESS = 0x0008,
	III_PLATFORM = 0x0001,
	TIME_OFF = 4,                   /* In type III's header; in units of 100 us, gra 0. */
};

enum erspan_drop { ERSPAN_BAD_VERSION = GRE_BAD_CSUM + 1, ERSPAN_PAYLOAD };

static const char *const erspan_drops[] = { "keep", "short", "flags", "version", "checksum", "erspan-version", "payload",
					    NULL };

static const uint8_t erspan_drop_kinds[] = {
	[GRE_BAD_CSUM] = TUN_DROP_CSUM,
	[ERSPAN_PAYLOAD] = TUN_DROP_PAYLOAD,
};

static const uint16_t erspan_protos[] = { ERSPAN_II, ERSPAN_III, 0 };
static const char *const version_names[] = { "II", "III", NULL };
static const char *const direction_names[] = { "ingress", "egress", NULL };

/* In tun_meta.ext. */
static const struct tun_field erspan_fields[] = {
	{ "erspan_ver", 0, 1 },
	{ "erspan_dir", 1, 1 },
	{ "erspan_hwid", 2, 1 },
	{ "erspan_idx", 4, 4 },
	{ NULL, 0, 0 },
};

static const struct opt_desc erspan_opts[] = {
	{ "session", OPT_U32_WORD, offsetof(struct tun_conf, key), 0, SESSION_MAX, tun_flow_names, NULL, true,
	  "mirror session, by which the collector tells them apart", "100" },
	TUN_COMMON_OPTS,
	{ "version", OPT_ENUM, offsetof(struct tun_conf, erspan_version), 0, 0, version_names, "II", false,
	  "type of what is sent; both are received", "III" },
	{ "index", OPT_U32, offsetof(struct tun_conf, erspan_index), 0, INDEX_MAX, NULL, "0", false,
	  "type II: where the frames are from, for the collector", "7" },
	{ "direction", OPT_ENUM, offsetof(struct tun_conf, erspan_egress), 0, 0, direction_names, "ingress", false,
	  "type III: which way the frames were going", "egress" },
	{ "hwid", OPT_U16, offsetof(struct tun_conf, erspan_hwid), 0, HWID_MAX, NULL, "0", false,
	  "type III: number of this switch, for the collector", "4" },
	{ .name = NULL },
};

static uint16_t
erspan_hdr_len(const struct tun_conf *c)
{
	return (uint16_t)(GRE_HLEN + GRE_WORD + (c->erspan_version ? III_LEN : II_LEN));
}

static int
erspan_build(const struct tun_conf *conf, struct tun_hdr *h, struct err *e)
{
	uint32_t session = tun_key_is_flow(conf) ? 0 : conf->key;
	uint8_t *p;

	if (session > SESSION_MAX)
		return err_set(e, ERANGE, "session %u: at most %u", session, SESSION_MAX);
	gre_build(h, GRE_SEQ, conf->erspan_version ? ERSPAN_III : ERSPAN_II, 0);
	p = h->b + h->len;
	if (!conf->erspan_version) {
		store_be32(p, be32((uint32_t)VERSION_II << 28 | session));
		store_be32(p + 4, be32(conf->erspan_index));
		h->len += II_LEN;
		return 0;
	}
	store_be32(p, be32((uint32_t)VERSION_III << 28 | session));
	store_be32(p + TIME_OFF, 0);
	store_be32(p + 8, be32((uint32_t)(III_PDU | conf->erspan_hwid << III_HWID_SHIFT |
					  (conf->erspan_egress ? III_EGRESS : 0))));
	h->len += III_LEN;
	return 0;
}

static void
erspan_set(struct tun_hdr *h, const struct tun_set *s)
{
	uint8_t *p = h->b + h->own_off + GRE_HLEN + GRE_WORD;

	if (s->bits & TUN_SET_KEY)
		store_be16(p + 2, (load_be16(p + 2) & be16(0xfc00)) | be16((uint16_t)(s->key & SESSION_MAX)));
}

static void
erspan_patch(struct tun_batch *b)
{
	uint32_t off = b->hdr->own_off + (uint32_t)(GRE_HLEN + GRE_WORD + TIME_OFF);
	struct timespec now;
	uint32_t stamp;

	gre_patch(b);
	if (load_be16(b->hdr->b + b->hdr->own_off + 2) != be16(ERSPAN_III))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	stamp = (uint32_t)(now.tv_sec * 10000 + now.tv_nsec / 100000);
	for (uint16_t i = 0; i < b->n; i++)
		if (!b->drop[i])
			store_be32(rte_pktmbuf_mtod_offset(b->pkt[i], uint8_t *, off), be32(stamp));
}

/* Length of its header behind GRE's; 0 with '*why'. */
static uint32_t
read_own(const struct rte_mbuf *m, const struct gre *g, struct tun_meta *meta, uint8_t *why)
{
	uint32_t len = g->proto == ERSPAN_II ? II_LEN : III_LEN;
	const uint8_t *p = pkt_peek(m, g->len, len);
	uint16_t last;

	*why = GRE_SHORT;
	if (UNLIKELY(!p))
		return 0;
	*why = ERSPAN_BAD_VERSION;
	if (UNLIKELY(p[0] >> 4 != (g->proto == ERSPAN_II ? VERSION_II : VERSION_III)))
		return 0;
	meta->key = host16(load_be16(p + 2)) & SESSION_MAX;
	meta->ext[0] = p[0] >> 4;
	if (g->proto == ERSPAN_II) {
		store_be32(meta->ext + 4, load_be32(p + 4) & be32(INDEX_MAX));
		return len;
	}
	last = host16(load_be16(p + 10));
	*why = ERSPAN_PAYLOAD;
	if (UNLIKELY(last & III_FRAME_TYPE))
		return 0;
	meta->ext[1] = !!(last & III_EGRESS);
	meta->ext[2] = last >> III_HWID_SHIFT & HWID_MAX;
	*why = GRE_SHORT;
	if (last & III_PLATFORM)
		len += PLATFORM_LEN;
	return pkt_peek(m, g->len, len) ? len : 0;
}

static inline uint8_t
erspan_pop_one(struct rte_mbuf *m, struct tun_meta *meta)
{
	struct gre g;
	uint32_t own = 0;
	uint8_t why = (uint8_t)gre_read(m, &g);

	if (UNLIKELY(why))
		return why;
	if (UNLIKELY(g.proto != ERSPAN_II && g.proto != ERSPAN_III))
		return ERSPAN_PAYLOAD;
	meta->key = 0;
	if (g.flags & GRE_SEQ || g.proto == ERSPAN_III) {
		own = read_own(m, &g, meta, &why);
		if (UNLIKELY(!own))
			return why;
	}
	meta->flags = TUN_META_NO_LEARN;
	pkt_pull(m, g.len + own);
	return GRE_OK;
}

static void
erspan_pop(struct tun_batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		b->drop[i] = erspan_pop_one(b->pkt[i], &b->meta[i]);
}

const struct tun_type tun_erspan = {
	.name = "erspan",
	.ip_proto = 47,
	.hdr_max = GRE_HLEN + GRE_WORD + III_LEN,
	.gre_protos = erspan_protos,
	.caps = TUN_CAP_L2 | TUN_CAP_KEY,
	.key_max = SESSION_MAX,
	.key_name = "session",
	.opts = erspan_opts,
	.fields = erspan_fields,
	.drops = erspan_drops,
	.drop_kinds = erspan_drop_kinds,
	.hdr_len = erspan_hdr_len,
	.build = erspan_build,
	.set = erspan_set,
	.patch = erspan_patch,
	.pop = erspan_pop,
};
