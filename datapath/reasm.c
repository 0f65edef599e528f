/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments of outer packets until those are whole; see reasm.h. */
#include "datapath/reasm.h"

#include <netinet/in.h>
#include <stdlib.h>

#include <rte_ether.h>

#include "base/csum.h"
#include "base/pkt.h"

enum { ETH_HLEN = 14, IP4_HLEN = 20, IP6_HLEN = 40, FRAG_HLEN = 8, IP4_MF = 0x2000, N_LOST = REASM_BUFS };

struct piece {
	struct rte_mbuf *m;
	struct reasm_frag f;
};

struct packet {
	struct reasm_frag key;          /* Of the first piece that came. */
	uint64_t since_ms;              /* 0: free. */
	uint32_t total;                 /* 0: the last piece has not come. */
	uint32_t got;
	bool known;                     /* The first piece has come: */
	bool plain;                     /* it is nobody's. */
	uint8_t n;
	struct piece piece[REASM_PIECES];
};

struct gone {
	unsigned n;
	struct rte_mbuf *m[N_LOST];
};

struct reasm {
	unsigned n_bufs;                /* In pieces and all lists. */
	unsigned n_packets;
	struct packet packet[REASM_PACKETS];
	struct gone late, overlap, plain;
};

struct reasm *
reasm_create(void)
{
	return xcalloc(1, sizeof(struct reasm));
}

/* --- What a fragment says ---------------------------------------------------------------------- */

static bool
peek_ip4(const struct rte_mbuf *m, const uint8_t *p, struct reasm_frag *f)
{
	const uint8_t *ip = p + ETH_HLEN;
	uint32_t hlen = (ip[0] & 15) * 4u, total;
	uint16_t frag = host16(load_be16(ip + 6));

	if (LIKELY(!(frag & 0x3fff)))
		return false;
	total = host16(load_be16(ip + 2));
	if (ip[0] >> 4 != 4 || hlen < IP4_HLEN || total <= hlen || total + ETH_HLEN > m->data_len ||
	    csum_fold(csum_add(0, ip, hlen)) != 0xffff)
		return false;
	*f = (struct reasm_frag){ .src = ip_from_v4(load_be32(ip + 12)), .dst = ip_from_v4(load_be32(ip + 16)),
				  .id = host16(load_be16(ip + 4)), .proto = ip[9], .tos = ip[1], .more = frag & IP4_MF,
				  .hdr_len = (uint16_t)(ETH_HLEN + hlen), .len = (uint16_t)(total - hlen) };
	/* What ends beyond 64 KB cannot be whole. */
	if ((frag & 0x1fffu) * 8u + f->len > 65535 - hlen)
		return false;
	f->off = (uint16_t)((frag & 0x1fff) * 8);
	return true;
}

static bool
peek_ip6(const struct rte_mbuf *m, const uint8_t *p, struct reasm_frag *f)
{
	const uint8_t *ip = p + ETH_HLEN, *h = ip + IP6_HLEN;
	uint32_t payload;
	uint16_t frag;

	if (LIKELY(ip[6] != IPPROTO_FRAGMENT) || m->data_len < ETH_HLEN + IP6_HLEN + FRAG_HLEN || ip[0] >> 4 != 6)
		return false;
	frag = host16(load_be16(h + 2));
	payload = host16(load_be16(ip + 4));
	if (!(frag & 0xfff9) || payload <= FRAG_HLEN || payload + ETH_HLEN + IP6_HLEN > m->data_len)
		return false;
	*f = (struct reasm_frag){ .v6 = true, .id = host32(load_be32(h + 4)), .proto = h[0],
				  .tos = (uint8_t)(host16(load_be16(ip)) >> 4), .more = frag & 1, .off = frag & 0xfff8,
				  .hdr_len = ETH_HLEN + IP6_HLEN + FRAG_HLEN, .len = (uint16_t)(payload - FRAG_HLEN) };
	memcpy(f->src.b, ip + 8, 16);
	memcpy(f->dst.b, ip + 24, 16);
	return (uint32_t)f->off + f->len <= 65535;
}

bool
reasm_peek(const struct rte_mbuf *m, struct reasm_frag *f)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	be16_t type;

	if (UNLIKELY(m->data_len < ETH_HLEN + IP4_HLEN || m->nb_segs != 1))
		return false;
	type = load_be16(p + 12);
	if (type == be16(0x0800))
		return peek_ip4(m, p, f);
	return type == be16(0x86dd) && m->data_len >= ETH_HLEN + IP6_HLEN && peek_ip6(m, p, f);
}

/* --- Packets under way -------------------------------------------------------------------------- */

static struct packet *
find(struct reasm *r, const struct reasm_frag *f)
{
	for (unsigned i = 0; i < REASM_PACKETS; i++) {
		struct packet *p = &r->packet[i];

		if (p->since_ms && p->key.id == f->id && p->key.proto == f->proto && p->key.v6 == f->v6 &&
		    ip_equal(&p->key.src, &f->src) && ip_equal(&p->key.dst, &f->dst))
			return p;
	}
	return NULL;
}

/* The packet is over; its pieces go to a list. */
static void
give_up(struct reasm *r, struct packet *p, struct gone *to)
{
	for (unsigned i = 0; i < p->n; i++)
		to->m[to->n++] = p->piece[i].m;
	p->n = 0;
	if (p->since_ms)
		r->n_packets--;
	p->since_ms = 0;
}

/* A place for a packet of that source: its own oldest one where it has enough, else the oldest of all. */
static struct packet *
room(struct reasm *r, const struct reasm_frag *f)
{
	struct packet *oldest = NULL, *own = NULL, *is_free = NULL;
	unsigned n_own = 0;

	for (unsigned i = 0; i < REASM_PACKETS; i++) {
		struct packet *p = &r->packet[i];

		if (!p->since_ms) {
			is_free = p;
			continue;
		}
		if (!oldest || p->since_ms < oldest->since_ms)
			oldest = p;
		if (!ip_equal(&p->key.src, &f->src))
			continue;
		n_own++;
		if (!own || p->since_ms < own->since_ms)
			own = p;
	}
	if (n_own >= REASM_PER_SOURCE)
		is_free = own;
	if (!is_free)
		is_free = oldest;
	give_up(r, is_free, &r->late);
	return is_free;
}

/* Whether the piece fits those that are there.  'dup': it came before. */
static bool
fits(const struct packet *p, const struct reasm_frag *f, bool *dup)
{
	uint32_t end = (uint32_t)f->off + f->len;

	*dup = false;
	for (unsigned i = 0; i < p->n; i++) {
		const struct reasm_frag *o = &p->piece[i].f;

		if (o->off == f->off && o->len == f->len && o->more == f->more) {
			*dup = true;
			return true;
		}
		if (f->off < o->off + o->len && o->off < end)
			return false;
		if (!f->more && o->off + o->len > end)
			return false;
	}
	if (p->total && (end > p->total || !f->more))
		return false;
	/* An IPv4 header with options leaves less than 64 KB. */
	return p->n < REASM_PIECES;
}

static void
insert(struct packet *p, const struct reasm_frag *f, struct rte_mbuf *m)
{
	unsigned at = p->n++;

	for (; at && p->piece[at - 1].f.off > f->off; at--)
		p->piece[at] = p->piece[at - 1];
	p->piece[at] = (struct piece){ m, *f };
	p->got += f->len;
	if (!f->more)
		p->total = (uint32_t)f->off + f->len;
}

/* RFC 3168, section 5.3: congestion that any piece has met is the packet's. */
static uint8_t
tos_of(const struct packet *p)
{
	bool ce = false;

	for (unsigned i = 0; i < p->n; i++)
		ce |= (p->piece[i].f.tos & 3) == 3;
	return p->piece[0].f.tos | (ce && p->piece[0].f.tos & 3 ? 3 : 0);
}

static void
write_headers(struct rte_mbuf *m, const struct packet *p)
{
	const struct reasm_frag *f = &p->piece[0].f;
	uint8_t *eth = rte_pktmbuf_mtod(m, uint8_t *), *ip = eth + ETH_HLEN, tos = tos_of(p);

	if (!f->v6) {
		uint32_t hlen = f->hdr_len - ETH_HLEN;

		ip[1] = tos;
		store_be16(ip + 2, be16((uint16_t)(hlen + p->total)));
		store_be16(ip + 6, 0);
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (be16_t)~csum_fold(csum_add(0, ip, hlen)));
		return;
	}
	ip[6] = ip[IP6_HLEN];
	store_be16(ip, be16((uint16_t)((host16(load_be16(ip)) & 0xf00f) | tos << 4)));
	store_be16(ip + 4, be16((uint16_t)p->total));
	memmove(eth + FRAG_HLEN, eth, ETH_HLEN + IP6_HLEN);
	pkt_pull(m, FRAG_HLEN);
}

/* All pieces in one chain. */
static struct rte_mbuf *
join(struct reasm *r, struct packet *p)
{
	struct rte_mbuf *head = p->piece[0].m, *last = head;

	head->data_len = (uint16_t)(p->piece[0].f.hdr_len + p->piece[0].f.len);
	head->pkt_len = head->data_len;
	write_headers(head, p);
	for (unsigned i = 1; i < p->n; i++) {
		struct rte_mbuf *m = p->piece[i].m;

		m->data_off = (uint16_t)(m->data_off + p->piece[i].f.hdr_len);
		m->data_len = p->piece[i].f.len;
		m->pkt_len = m->data_len;
		head->pkt_len += m->data_len;
		head->nb_segs++;
		last->next = m;
		last = m;
	}
	/* What hardware said was about the pieces. */
	head->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);
	r->n_bufs -= p->n;
	p->n = 0;
	p->since_ms = 0;
	r->n_packets--;
	return head;
}

/* Nobody wants it: those to come go on at once, for as long as the packet might be under way. */
static void
make_plain(struct reasm *r, struct packet *p)
{
	for (unsigned i = 0; i < p->n; i++)
		r->plain.m[r->plain.n++] = p->piece[i].m;
	p->n = 0;
	p->plain = true;
}

enum reasm_verdict
reasm_add(struct reasm *r, uint64_t now_ms, const struct reasm_frag *f, bool ours, struct rte_mbuf **m)
{
	struct packet *p = find(r, f);
	bool dup;

	if (p && now_ms - p->since_ms > REASM_MS) {
		give_up(r, p, &r->late);
		p = NULL;
	}
	if (f->more && (f->len < REASM_MIN_PIECE || f->len % 8))
		return REASM_BAD;
	if (r->n_bufs >= REASM_BUFS)
		return REASM_BAD;
	if (!p) {
		p = room(r, f);
		*p = (struct packet){ .key = *f, .since_ms = now_ms ? now_ms : 1 };
		r->n_packets++;
	}
	if (!f->off) {
		p->known = true;
		if (!ours)
			make_plain(r, p);
	}
	if (p->plain)
		return REASM_PLAIN;
	if (!fits(p, f, &dup)) {
		give_up(r, p, &r->overlap);
		return REASM_BAD;
	}
	if (dup)
		return REASM_BAD;
	insert(p, f, *m);
	r->n_bufs++;
	if (!p->total || p->got != p->total)
		return REASM_HELD;
	*m = join(r, p);
	return REASM_WHOLE;
}

/* --- What comes back ---------------------------------------------------------------------------- */

static unsigned
take(struct reasm *r, struct gone *g, struct rte_mbuf **out, unsigned max)
{
	unsigned n = MIN_OF(g->n, max);

	g->n -= n;
	r->n_bufs -= n;
	memcpy(out, &g->m[g->n], n * sizeof *out);
	return n;
}

unsigned
reasm_plain(struct reasm *r, struct rte_mbuf **out, unsigned max)
{
	return take(r, &r->plain, out, max);
}

unsigned
reasm_lost(struct reasm *r, uint64_t now_ms, bool all, bool *overlap, struct rte_mbuf **out, unsigned max)
{
	for (unsigned i = 0; i < REASM_PACKETS; i++)
		if (r->packet[i].since_ms && (all || now_ms - r->packet[i].since_ms > REASM_MS))
			give_up(r, &r->packet[i], &r->late);
	*overlap = r->overlap.n > 0;
	return take(r, *overlap ? &r->overlap : &r->late, out, max);
}

bool
reasm_holds(const struct reasm *r)
{
	return r->n_packets || r->late.n || r->overlap.n || r->plain.n;
}

static void
free_all(struct gone *g)
{
	while (g->n)
		rte_pktmbuf_free(g->m[--g->n]);
}

void
reasm_destroy(struct reasm *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < REASM_PACKETS; i++)
		give_up(r, &r->packet[i], &r->late);
	free_all(&r->late);
	free_all(&r->overlap);
	free_all(&r->plain);
	free(r);
}
