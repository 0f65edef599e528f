/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts an encapsulated packet that does not fit the underlay into fragments of its outer IP packet: IPv4 (RFC 791, section
 * 3.2), and IPv6 with a fragment header (RFC 8200, section 4.5).  For tunnels that are told to ('fragment'); the far end
 * puts them together. */
#include "datapath/dp_priv.h"

#include <netinet/in.h>
#include <rte_ether.h>

enum { IP4_HLEN = 20, IP6_HLEN = 40, FRAG_HLEN = 8, IP4_MF = 0x2000 };

/* Ids of IPv6 need only differ among packets that may meet; they are not secret, since the far end is one of ours. */
static __thread uint32_t next_id6;

static void
finish_ip4(uint8_t *ip, uint16_t id, uint32_t off, uint32_t len, bool more)
{
	store_be16(ip + 2, be16((uint16_t)(IP4_HLEN + len)));
	store_be16(ip + 4, be16(id));
	store_be16(ip + 6, be16((uint16_t)(off / 8 | (more ? IP4_MF : 0))));
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, IP4_HLEN)));
}

static void
finish_ip6(uint8_t *ip, uint32_t id, uint32_t off, uint32_t len, bool more)
{
	uint8_t *frag = ip + IP6_HLEN;

	frag[0] = ip[6];
	frag[1] = 0;
	store_be16(frag + 2, be16((uint16_t)(off | (more ? 1 : 0))));
	store_be32(frag + 4, be32(id));
	ip[6] = IPPROTO_FRAGMENT;
	store_be16(ip + 4, be16((uint16_t)(FRAG_HLEN + len)));
}

/* One fragment: headers, then 'len' bytes of the packet at 'from'. */
static struct rte_mbuf *
make_one(struct lcore *lc, const struct rte_mbuf *m, uint32_t hdr, uint32_t room, uint32_t from, uint32_t len)
{
	struct rte_mbuf *f = rte_pktmbuf_alloc(lc->pool);
	const void *src;
	uint8_t *p;

	if (UNLIKELY(!f))
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(room + len));
	if (UNLIKELY(!p)) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	memcpy(p, rte_pktmbuf_mtod(m, const uint8_t *), hdr);
	src = rte_pktmbuf_read(m, from, len, p + room);
	if (src && src != p + room)
		memcpy(p + room, src, len);
	return f;
}

unsigned
frag_split(struct lcore *lc, struct rte_mbuf *m, uint32_t mtu, bool v6, struct rte_mbuf **out, unsigned max)
{
	uint32_t hdr = RTE_ETHER_HDR_LEN + (v6 ? IP6_HLEN : IP4_HLEN), room = hdr + (v6 ? FRAG_HLEN : 0);
	uint32_t cap = MIN_OF(mtu + RTE_ETHER_HDR_LEN, (uint32_t)rte_pktmbuf_data_room_size(lc->pool) - RTE_PKTMBUF_HEADROOM);
	uint32_t total = m->pkt_len - hdr, step = cap > room + 8 ? (cap - room) & ~7u : 0, id;
	unsigned n = 0;

	if (UNLIKELY(m->data_len < hdr || !step || (total + step - 1) / step > max)) {
		rte_pktmbuf_free(m);
		return 0;
	}
	if (UNLIKELY(!next_id6))
		next_id6 = (uint32_t)rte_rdtsc();
	id = v6 ? next_id6++ : tun_ids_take(1);
	for (uint32_t off = 0; off < total; off += step) {
		uint32_t len = MIN_OF(step, total - off);
		struct rte_mbuf *f = make_one(lc, m, hdr, room, hdr + off, len);

		if (UNLIKELY(!f)) {
			rte_pktmbuf_free_bulk(out, n);
			rte_pktmbuf_free(m);
			return 0;
		}
		if (v6)
			finish_ip6(rte_pktmbuf_mtod(f, uint8_t *) + RTE_ETHER_HDR_LEN, id, off, len, off + len < total);
		else
			finish_ip4(rte_pktmbuf_mtod(f, uint8_t *) + RTE_ETHER_HDR_LEN, (uint16_t)id, off, len, off + len < total);
		out[n++] = f;
	}
	rte_pktmbuf_free(m);
	return n;
}
