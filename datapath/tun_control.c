/* SPDX-License-Identifier: Apache-2.0 */
/* What the far end of a tunnel says to us rather than to a guest: BFD packets, which go to the control plane.  Only as
 * many as sessions may ask for: whoever sends more pays for it himself. */
#include "datapath/dp_priv.h"
#include "datapath/tunnel_priv.h"

enum {
	BFD_PORT = 3784,
	BFD_MOST = 160,                 /* Bytes of a frame that anybody wants to see. */
	/* Of each thread in a millisecond: all together, and those that share a slot.  Together they may save some up: whoever
	 * has a thousand sessions sends to all of them when a timer of its own says so. */
	PER_MS = 32,
	SAVED = 1024,
	PER_SLOT_MS = 4,
};

bool
tun_is_bfd(const struct rte_mbuf *m)
{
	static const uint8_t dst[6] = { 0x00, 0x23, 0x20, 0x00, 0x00, 0x01 };
	const uint8_t *p = pkt_peek(m, 0, 14 + 20 + 8), *udp;
	uint32_t hlen;

	if (UNLIKELY(!p) || LIKELY(memcmp(p, dst, sizeof dst)))
		return false;
	hlen = (p[14] & 15) * 4u;
	if (load_be16(p + 12) != be16(0x0800) || p[14 + 9] != 17 || load_be16(p + 14 + 6) & be16(0x3fff) || hlen < 20)
		return false;
	udp = pkt_peek(m, 14 + hlen, 8);
	return udp && load_be16(udp + 2) == be16(BFD_PORT);
}

static bool
is_due(struct lcore *lc, uint32_t dst)
{
	struct tun_control *c = &lc->control;
	uint8_t *slot = &c->slot[dst % ARRAY_SIZE(c->slot)];

	if (c->ms != lc->ms) {
		c->left = (uint32_t)MIN_OF(c->left + (lc->ms - c->ms) * PER_MS, (uint64_t)SAVED);
		c->ms = lc->ms;
		memset(c->slot, 0, sizeof c->slot);
	}
	if (!c->left || *slot == PER_SLOT_MS)
		return false;
	c->left--;
	++*slot;
	return true;
}

void
tun_take_bfd(struct lcore *lc, uint16_t tun_port, uint32_t dst, struct rte_mbuf *m)
{
	if (LIKELY(is_due(lc, dst) && tell_tun_control(lc, tun_port, dst, BFD_MOST, m)))
		rte_pktmbuf_free(m);
	else
		exec_drop(lc, tun_port, DROP_TUN_CONTROL_RATE, &m, 1);
}
