/* SPDX-License-Identifier: Apache-2.0 */
/* Software segmentation.  A kernel that sends over a veth believes that the device cuts its 64 KiB
 * frames; AF_PACKET hands them to us whole, with a virtio header that says how they are to be cut.
 *
 * What is cut is a TCP or UDP payload.  Its header is found by v.csum_start; the way there is walked
 * once, from the outside, noting each length and checksum that has to change with the payload: an IP
 * header, or IP and UDP and VXLAN around an Ethernet frame with an IP header.  Then each segment is a
 * copy of all headers, mended, and its share of the payload. */
#include "datapath/gso_priv.h"

#include <errno.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/byteorder.h"

enum {
	ETH_LEN = 14, MAC_LEN = 6, TAG_LEN = 4, UDP_LEN = 8, VXLAN_LEN = 8, IP6_LEN = 40,
	MAX_HDR = 256,
	TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, TYPE_8021Q = 0x8100, TYPE_8021AD = 0x88a8,
	PROTO_TCP = 6, PROTO_UDP = 17,
	TCP_CWR = 0x80, TCP_PSH = 0x08, TCP_FIN = 0x01,
	GSO_UDP_L4 = 5,                 /* VIRTIO_NET_HDR_GSO_UDP_L4, newer than our kernel headers. */
};

struct ip_at {
	uint16_t l3, l4;
	bool v6;
	uint8_t proto;
};

struct gso_plan {
	struct ip_at ip[2];             /* Outer to inner; the last holds what is cut. */
	unsigned n_ip;
	uint16_t hdr_len;               /* All headers. */
};

static uint16_t
get16(const uint8_t *p)
{
	return host16(load_be16(p));
}

static void
put16(uint8_t *p, uint32_t v)
{
	store_be16(p, be16((uint16_t)v));
}

/* Headers of one Ethernet frame at 'off'; false unless it is IP. */
static bool
walk_ip(const uint8_t *b, uint32_t len, uint32_t off, struct ip_at *ip)
{
	uint16_t type;

	if (off + ETH_LEN > len)
		return false;
	for (off += ETH_LEN; type = get16(b + off - 2), type == TYPE_8021Q || type == TYPE_8021AD; off += TAG_LEN)
		if (off + TAG_LEN > len)
			return false;
	ip->l3 = (uint16_t)off;
	ip->v6 = type == TYPE_IP6;
	if (type == TYPE_IP4 && off + 20 <= len && b[off] >> 4 == 4 && (b[off] & 15) >= 5) {
		ip->l4 = (uint16_t)(off + (b[off] & 15) * 4u);
		ip->proto = b[off + 9];
	} else if (type == TYPE_IP6 && off + IP6_LEN <= len) {
		ip->l4 = (uint16_t)(off + IP6_LEN);
		ip->proto = b[off + 6];
	} else {
		return false;
	}
	return ip->l4 < len;
}

static bool
make_plan(const struct gso_frame *f, struct gso_plan *plan)
{
	uint32_t off = 0, room = MIN_OF(f->len, (uint32_t)MAX_HDR);
	uint8_t want = (f->v.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == GSO_UDP_L4 ? PROTO_UDP : PROTO_TCP;
	const struct ip_at *ip;

	if (!(f->v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !f->v.gso_size)
		return false;
	for (plan->n_ip = 0;;) {
		if (plan->n_ip == ARRAY_SIZE(plan->ip) || !walk_ip(f->bytes, room, off, &plan->ip[plan->n_ip]))
			return false;
		ip = &plan->ip[plan->n_ip++];
		if (ip->l4 == f->v.csum_start)
			break;
		if (ip->proto != PROTO_UDP || ip->l4 + UDP_LEN + VXLAN_LEN > (int)room)
			return false;
		off = ip->l4 + UDP_LEN + VXLAN_LEN;
	}
	if (ip->proto != want || ip->l4 + (want == PROTO_UDP ? (uint32_t)UDP_LEN : 20) > room)
		return false;
	plan->hdr_len = (uint16_t)(ip->l4 + (want == PROTO_UDP ? UDP_LEN : (f->bytes[ip->l4 + 12] >> 4) * 4u));
	return plan->hdr_len <= room && plan->hdr_len < f->len && (want == PROTO_UDP || plan->hdr_len >= ip->l4 + 20u);
}

/* Of addresses, protocol and length, as if in memory order: to be added to sums of rte_raw_cksum(). */
static uint32_t
pseudo_sum(const uint8_t *h, const struct ip_at *ip, uint32_t l4_len)
{
	const uint8_t *addr = h + ip->l3 + (ip->v6 ? 8 : 12);

	return rte_raw_cksum(addr, ip->v6 ? 32 : 8) + be16(ip->proto) + be16((uint16_t)l4_len);
}

/* 'sum' folded, inverted; zero goes out as ones, which TCP takes for the same and UDP needs. */
static void
put_checksum(uint8_t *p, uint32_t sum)
{
	uint16_t c;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	c = (uint16_t)~sum;
	store_be16(p, c ? c : 0xffff);
}

static void
mend_ip(uint8_t *h, const struct ip_at *ip, uint32_t total, unsigned i)
{
	uint8_t *p = h + ip->l3;

	if (ip->v6) {
		put16(p + 4, total - ip->l3 - IP6_LEN);
		return;
	}
	put16(p + 2, total - ip->l3);
	put16(p + 4, get16(p + 4) + i);
	put16(p + 10, 0);
	store_be16(p + 10, (be16_t)~rte_raw_cksum(p, (size_t)(ip->l4 - ip->l3)));
}

/* Length and checksum of a UDP header; its checksum covers the rest of the headers and the payload. */
static void
mend_udp(uint8_t *h, const struct ip_at *ip, const struct gso_plan *plan, uint32_t total, uint32_t data_sum, bool none)
{
	uint8_t *p = h + ip->l4;

	put16(p + 4, total - ip->l4);
	put16(p + 6, 0);
	if (!none)
		put_checksum(p + 6, pseudo_sum(h, ip, total - ip->l4) +
			     rte_raw_cksum(p, (size_t)(plan->hdr_len - ip->l4)) + data_sum);
}

static void
mend_tcp(uint8_t *h, const struct ip_at *ip, const struct gso_plan *plan, uint32_t total, uint32_t data_sum,
	 uint32_t data_off, bool last)
{
	uint8_t *p = h + ip->l4;

	store_be32(p + 4, be32(host32(load_be32(p + 4)) + data_off));
	if (data_off)
		p[13] &= (uint8_t)~TCP_CWR;
	if (!last)
		p[13] &= (uint8_t)~(TCP_PSH | TCP_FIN);
	put16(p + 16, 0);
	put_checksum(p + 16, pseudo_sum(h, ip, total - ip->l4) +
		     rte_raw_cksum(p, (size_t)(plan->hdr_len - ip->l4)) + data_sum);
}

/* Headers of segment 'i' in 'h'.  From the inside out: an outer checksum covers the inner ones. */
static void
mend(uint8_t *h, const struct gso_plan *plan, const uint8_t *data, uint32_t off, uint32_t len, unsigned i, bool last)
{
	uint32_t total = plan->hdr_len + len, data_sum = rte_raw_cksum(data + off, len);
	const struct ip_at *ip = &plan->ip[plan->n_ip - 1];

	for (unsigned k = 0; k < plan->n_ip; k++)
		mend_ip(h, &plan->ip[k], total, i);
	if (ip->proto == PROTO_TCP)
		mend_tcp(h, ip, plan, total, data_sum, off, last);
	else
		mend_udp(h, ip, plan, total, data_sum, false);
	if (plan->n_ip > 1)
		mend_udp(h, &plan->ip[0], plan, total, data_sum, !get16(h + plan->ip[0].l4 + 6));
}

bool
gso_append(struct rte_mbuf *m, struct rte_mempool *pool, const uint8_t *p, uint32_t len)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(m);

	for (;;) {
		uint16_t part = (uint16_t)MIN_OF(len, (uint32_t)rte_pktmbuf_tailroom(last));

		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), p, part);
		last->data_len += part;
		m->pkt_len += part;
		p += part;
		len -= part;
		if (!len)
			return true;
		last->next = rte_pktmbuf_alloc(pool);
		if (!last->next)
			return false;
		last = last->next;
		m->nb_segs++;
	}
}

uint32_t
gso_start(struct rte_mbuf *m, const struct gso_frame *f)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	if (!f->tagged)
		return 0;
	memcpy(p, f->bytes, 2 * MAC_LEN);
	put16(p + 2 * MAC_LEN, f->tpid);
	put16(p + 2 * MAC_LEN + 2, f->tci);
	m->data_len = 2 * MAC_LEN + TAG_LEN;
	m->pkt_len = m->data_len;
	return 2 * MAC_LEN;
}

int
gso_split(const struct gso_frame *f, struct rte_mempool *pool, struct rte_mbuf *out[GSO_MAX_SEGS])
{
	struct gso_plan plan;
	uint8_t h[MAX_HDR];

	if (!make_plan(f, &plan))
		return -EINVAL;

	const uint8_t *data = f->bytes + plan.hdr_len;
	uint32_t left = f->len - plan.hdr_len, n = (left + f->v.gso_size - 1) / f->v.gso_size;

	if (n > GSO_MAX_SEGS)
		return -EINVAL;
	if (rte_pktmbuf_alloc_bulk(pool, out, n))
		return -ENOMEM;
	for (uint32_t i = 0, off = 0; i < n; i++) {
		uint32_t len = MIN_OF(left - off, (uint32_t)f->v.gso_size), done;

		memcpy(h, f->bytes, plan.hdr_len);
		mend(h, &plan, data, off, len, i, i + 1 == n);
		done = gso_start(out[i], f);
		if (!gso_append(out[i], pool, h + done, plan.hdr_len - done) || !gso_append(out[i], pool, data + off, len)) {
			rte_pktmbuf_free_bulk(out, n);
			return -ENOMEM;
		}
		off += len;
	}
	return (int)n;
}
