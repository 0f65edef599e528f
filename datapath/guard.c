/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of a port: whether a frame may be its guest's, and rates.
 *
 * A frame is judged by its own bytes, parsed here to the full depth: the key that the cache works with may leave out
 * just the fields that matter, since it holds what forwarding depends on. */
#include "datapath/guard.h"

#include <stdlib.h>

#include "datapath/meter_priv.h"
#include "datapath/parse.h"

enum {
	ETH_P_IP4 = 0x0800, ETH_P_ARP4 = 0x0806, ETH_P_RARP4 = 0x8035, ETH_P_IP6 = 0x86dd,
	PROTO_UDP = 17, PROTO_ICMP6 = 58,
	DHCP_CLIENT = 68, DHCP_SERVER = 67,
	MLD_QUERY = 130, MLD_REPORT = 131, MLD_DONE = 132, ND_RS = 133, ND_RA = 134, ND_NS = 135, ND_NA = 136,
	ND_REDIRECT = 137, MLD2_REPORT = 143,
	ND_OPT_SLLA = 1, ND_OPT_TLLA = 2,
	IP6_LEN = 40, ND_NS_LEN = 24, ND_RS_LEN = 8,
	RATES = 2,
};

struct limit {
	uint64_t rate;                  /* 0: none. */
	struct meter_rates r;
};

struct guard {
	struct guard_conf conf;
	bool check, has_v6;
	struct limit rx[RATES], tx[RATES];      /* Bits, packets. */
};

/* --- Addresses ------------------------------------------------------------------------------ */

static bool
mac_allowed(const struct guard *g, struct mac m)
{
	for (unsigned i = 0; i < g->conf.macs.n; i++)
		if (mac_equal(g->conf.macs.mac[i], m))
			return true;
	return !g->conf.macs.n;
}

static bool
prefix_has(const struct opt_prefix *p, const struct ipaddr *ip)
{
	unsigned bytes = p->len / 8, bits = p->len % 8;

	return ip_is_v4(&p->ip) == ip_is_v4(ip) && !memcmp(p->ip.b, ip->b, bytes) &&
	       (!bits || !((p->ip.b[bytes] ^ ip->b[bytes]) >> (8 - bits)));
}

static bool
ip_allowed(const struct guard *g, const struct ipaddr *ip)
{
	for (unsigned i = 0; i < g->conf.ips.n; i++)
		if (prefix_has(&g->conf.ips.p[i], ip))
			return true;
	return !g->conf.ips.n;
}

/* fe80:: and the modified EUI-64 of the frame's address. */
static bool
is_own_link_local(const struct ipaddr *ip, struct mac m)
{
	const uint8_t own[16] = { 0xfe, 0x80, [8] = m.b[0] ^ 2, m.b[1], m.b[2], 0xff, 0xfe, m.b[3], m.b[4], m.b[5] };

	return !memcmp(ip->b, own, sizeof own);
}

static bool
ip6_allowed(const struct guard *g, const uint8_t *addr, struct mac src)
{
	struct ipaddr ip;

	memcpy(ip.b, addr, sizeof ip.b);
	/* The form in which we keep IPv4: no such packet is on a wire (RFC 4291, 2.5.5.2; RFC 4038). */
	if (g->conf.ips.n && ip_is_v4(&ip))
		return false;
	return ip_allowed(g, &ip) || (g->has_v6 && is_own_link_local(&ip, src));
}

/* --- ARP and neighbour discovery ------------------------------------------------------------ */

static enum dp_drop
check_arp(const struct guard *g, const struct flow_key *k)
{
	struct ipaddr spa = ip_from_v4(k->nw_src);

	if (!mac_allowed(g, k->arp.sha) || !mac_equal(k->arp.sha, k->dl_src))
		return DROP_SPOOF_ARP;
	/* A probe has no sender address (RFC 5227, 2.1.1). */
	return k->nw_src && !ip_allowed(g, &spa) ? DROP_SPOOF_ARP : DROP_NONE;
}

/* Link-layer addresses that the message claims: they must be the frame's own. */
static bool
nd_options_ok(const uint8_t *p, uint32_t len, struct mac src)
{
	while (len) {
		uint32_t n = len >= 2 ? p[1] * 8u : 0;

		if (!n || n > len)
			return false;
		if ((p[0] == ND_OPT_SLLA || p[0] == ND_OPT_TLLA) && memcmp(p + 2, &src, sizeof src) != 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* The ICMPv6 message, where it follows the IPv6 header at once, as neighbour discovery does. */
static const uint8_t *
icmp6(const struct guard_pkt *pkt, const struct flow_key *k, uint32_t *len)
{
	uint32_t off = 14 + (k->vlan[0].tpid ? 4 : 0) + (k->vlan[1].tpid ? 4 : 0);
	uint32_t total;

	if (host16(load_be16(pkt->p + off - 2)) < 0x600)
		off += 8;
	if (pkt->contig < off + IP6_LEN || pkt->p[off + 6] != PROTO_ICMP6)
		return NULL;
	total = host16(load_be16(pkt->p + off + 4));
	*len = total;
	off += IP6_LEN;
	return pkt->contig < off + total ? NULL : pkt->p + off;
}

static enum dp_drop
check_nd(const struct guard *g, const struct guard_pkt *pkt, const struct flow_key *k)
{
	unsigned type = host16(k->tp_src);
	uint32_t len, fixed = type == ND_RS ? ND_RS_LEN : ND_NS_LEN;
	const uint8_t *p;

	if (type < ND_RS || type > ND_REDIRECT)
		return DROP_NONE;
	if (type == ND_RA || type == ND_REDIRECT)
		return g->conf.ips.n ? DROP_SPOOF_ARP : DROP_NONE;
	/* Extension headers, fragments (RFC 6980) and messages too long to see are how one hides. */
	p = k->flags & FLOW_F_FRAG ? NULL : icmp6(pkt, k, &len);
	if (!p || len < fixed || !nd_options_ok(p + fixed, len - fixed, k->dl_src))
		return DROP_SPOOF_ARP;
	return type == ND_NA && !ip6_allowed(g, p + 8, k->dl_src) ? DROP_SPOOF_ARP : DROP_NONE;
}

/* --- IP ------------------------------------------------------------------------------------- */

static enum dp_drop
check_ip4(const struct guard *g, const struct flow_key *k)
{
	struct ipaddr src = ip_from_v4(k->nw_src);

	if (ip_allowed(g, &src))
		return DROP_NONE;
	if (!k->nw_src && k->nw_proto == PROTO_UDP && k->tp_src == be16(DHCP_CLIENT) && k->tp_dst == be16(DHCP_SERVER))
		return DROP_NONE;
	return DROP_SPOOF_IP;
}

/* What a host sends before it has an address. */
static bool
may_be_unspecified(const struct flow_key *k)
{
	unsigned type = host16(k->tp_src);

	return k->nw_proto == PROTO_ICMP6 && (type == ND_NS || type == ND_RS || type == MLD_REPORT ||
					      type == MLD_DONE || type == MLD2_REPORT);
}

static enum dp_drop
check_ip6(const struct guard *g, const struct guard_pkt *pkt, const struct flow_key *k)
{
	static const uint8_t none[16];
	bool first = !(k->flags & FLOW_F_LATER);

	if (!ip6_allowed(g, k->ipv6_src, k->dl_src) &&
	    !(g->has_v6 && !memcmp(k->ipv6_src, none, sizeof none) && may_be_unspecified(k)))
		return DROP_SPOOF_IP;
	return first && k->nw_proto == PROTO_ICMP6 ? check_nd(g, pkt, k) : DROP_NONE;
}

static enum dp_drop
check(const struct guard *g, const struct guard_pkt *pkt)
{
	struct flow_key k;

	if (!flow_parse(pkt->p, pkt->contig, pkt->len, 0, FLOW_DEPTH_L4, &k))
		return DROP_RX_MALFORMED;
	if (!mac_allowed(g, k.dl_src))
		return DROP_SPOOF_MAC;
	if (g->conf.ips.n && (k.flags & FLOW_F_BAD_L3 || flow_tpid(k.dl_type)))
		return DROP_SPOOF_IP;
	switch (host16(k.dl_type)) {
	case ETH_P_ARP4:
	case ETH_P_RARP4:
		return check_arp(g, &k);
	case ETH_P_IP4:
		return check_ip4(g, &k);
	case ETH_P_IP6:
		return check_ip6(g, pkt, &k);
	}
	return DROP_NONE;
}

/* --- Bursts --------------------------------------------------------------------------------- */

/* Which of 'in' are within both limits. */
static uint32_t
within(struct limit *l, uint64_t tsc, const uint32_t *len, uint32_t in)
{
	for (unsigned r = 0; r < RATES && in; r++) {
		uint32_t packed[GUARD_BATCH], at[GUARD_BATCH], over;
		unsigned n = 0;

		if (!l[r].rate)
			continue;
		for (uint32_t w = in; w; w &= w - 1, n++) {
			at[n] = (uint32_t)__builtin_ctz(w);
			packed[n] = len[at[n]];
		}
		for (over = meter_take(&l[r].r, &l[r].r.bucket[0], tsc, packed, n); over; over &= over - 1)
			in &= ~(1u << at[__builtin_ctz(over)]);
	}
	return in;
}

static uint32_t
all_of(unsigned n)
{
	return n < 32 ? (1u << n) - 1 : UINT32_MAX;
}

uint32_t
guard_rx(struct guard *g, uint64_t tsc, const struct guard_pkt *pkt, unsigned n, enum dp_drop why[])
{
	uint32_t len[GUARD_BATCH], pass = all_of(n), fit;

	for (unsigned i = 0; i < n; i++) {
		len[i] = pkt[i].len;
		why[i] = g->check ? check(g, &pkt[i]) : DROP_NONE;
		if (why[i])
			pass &= ~(1u << i);
	}
	fit = within(g->rx, tsc, len, pass);
	for (uint32_t over = pass & ~fit; over; over &= over - 1)
		why[__builtin_ctz(over)] = DROP_RX_RATE;
	return fit;
}

uint32_t
guard_tx(struct guard *g, uint64_t tsc, const uint32_t *len, unsigned n)
{
	return within(g->tx, tsc, len, all_of(n));
}

bool
guard_limits_tx(const struct guard *g)
{
	return g->tx[0].rate || g->tx[1].rate;
}

/* --- Control -------------------------------------------------------------------------------- */

static void
limit_init(struct limit *l, uint64_t rate, bool pps, const struct limit *old, uint64_t tsc_hz, uint64_t tsc)
{
	/* Meters count kilobits: rounded up, or a rate below that were none. */
	struct dp_meter_conf c = { .pktps = pps, .n_bands = 1, .band[0].rate = pps ? rate : (rate + 999) / 1000 };

	l->rate = rate;
	if (rate && old && old->rate == rate) {
		l->r = old->r;
		l->r.bucket[0].full = __atomic_load_n(&old->r.bucket[0].full, __ATOMIC_RELAXED);
	} else if (rate) {
		meter_rates_init(&l->r, &c, tsc_hz, tsc);
	}
}

bool
guard_is(const struct guard *g, const struct guard_conf *c)
{
	return !memcmp(&g->conf, c, sizeof *c);
}

struct guard *
guard_create(const struct guard_conf *c, const struct guard *old, uint64_t tsc_hz, uint64_t tsc)
{
	struct guard *g = xalloc_aligned(CACHE_LINE, sizeof *g);

	g->conf = *c;
	g->check = c->macs.n || c->ips.n;
	for (unsigned i = 0; i < c->ips.n; i++)
		g->has_v6 |= !ip_is_v4(&c->ips.p[i].ip);
	limit_init(&g->rx[0], c->rx_bps, false, old ? &old->rx[0] : NULL, tsc_hz, tsc);
	limit_init(&g->rx[1], c->rx_pps, true, old ? &old->rx[1] : NULL, tsc_hz, tsc);
	limit_init(&g->tx[0], c->tx_bps, false, old ? &old->tx[0] : NULL, tsc_hz, tsc);
	limit_init(&g->tx[1], c->tx_pps, true, old ? &old->tx[1] : NULL, tsc_hz, tsc);
	return g;
}
