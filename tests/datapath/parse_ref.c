/* SPDX-License-Identifier: Apache-2.0 */
/* See parse_ref.h. */
#include "parse_ref.h"

struct ref {
	const uint8_t *p;
	uint32_t end;                   /* Bytes that can be read and belong to the layer at hand. */
	uint32_t len;                   /* Where that layer ends in the packet. */
	bool cut;                       /* Something was read beyond 'end'. */
	struct flow_key *k;
};

static uint32_t
get(struct ref *r, uint32_t at, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (at + i >= r->end)
			r->cut = true;
		v = v << 8 | (at + i < r->end ? r->p[at + i] : 0);
	}
	return v;
}

static void
copy(struct ref *r, void *to, uint32_t at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)get(r, at + i, 1);
}

static bool
ref_l4(struct ref *r, uint32_t at)
{
	struct flow_key *k = r->k;
	bool v4 = k->flags & FLOW_F_IPV4;

	if (k->nw_proto == 6) {
		uint32_t doff = get(r, at + 12, 1) / 16 * 4;

		get(r, at, 20);
		if (r->cut || doff < 20 || at + doff > r->len)
			return false;
		k->tcp_flags = be16(get(r, at + 12, 2) & 0xfff);
	} else if (k->nw_proto == 17) {
		uint32_t ulen = get(r, at + 4, 2);

		get(r, at, 8);
		if (r->cut || ulen < 8 || (!(k->flags & FLOW_F_FRAG) && at + ulen > r->len))
			return false;
	} else if (k->nw_proto == 132) {
		get(r, at, 12);
	} else if (k->nw_proto == (v4 ? 1 : 58)) {
		uint32_t type = get(r, at, 1), code = get(r, at + 1, 1);
		bool nd = !v4 && (type == 135 || type == 136) && code == 0;

		get(r, at, nd ? 24 : 8);
		if (r->cut)
			return false;
		k->tp_src = be16((uint16_t)type);
		k->tp_dst = be16((uint16_t)code);
		if (nd)
			copy(r, k->nd_target, at + 8, 16);
		return true;
	} else {
		return true;
	}
	if (r->cut)
		return false;
	copy(r, &k->tp_src, at, 2);
	copy(r, &k->tp_dst, at + 2, 2);
	return true;
}

static bool
ref_ipv4(struct ref *r, uint32_t at)
{
	uint32_t ihl = get(r, at, 1) % 16 * 4, total = get(r, at + 2, 2), frag = get(r, at + 6, 2);
	struct flow_key *k = r->k;

	get(r, at, 20);
	if (!r->cut && ihl >= 20)
		get(r, at, ihl);
	if (r->cut || ihl < 20 || get(r, at, 1) / 16 != 4 || total < ihl || at + total > r->len)
		return false;
	r->len = at + total;
	r->end = MIN_OF(r->end, r->len);
	k->flags |= FLOW_F_IPV4;
	k->nw_tos = (uint8_t)get(r, at + 1, 1);
	k->nw_ttl = (uint8_t)get(r, at + 8, 1);
	k->nw_proto = (uint8_t)get(r, at + 9, 1);
	copy(r, &k->nw_src, at + 12, 4);
	copy(r, &k->nw_dst, at + 16, 4);
	if (frag % 0x4000)
		k->flags |= FLOW_F_FRAG;
	if (frag % 0x2000) {
		k->flags |= FLOW_F_LATER;
		return true;
	}
	return ref_l4(r, at + ihl);
}

static bool
ref_ipv6(struct ref *r, uint32_t at)
{
	uint32_t payload = get(r, at + 4, 2), next = get(r, at + 6, 1);
	struct flow_key *k = r->k;

	get(r, at, 40);
	if (r->cut || get(r, at, 1) / 16 != 6 || at + 40 + payload > r->len)
		return false;
	r->len = at + 40 + payload;
	r->end = MIN_OF(r->end, r->len);
	k->flags |= FLOW_F_IPV6;
	k->nw_tos = (uint8_t)(get(r, at, 2) / 16);
	k->ipv6_label = be32(get(r, at, 4) % 0x100000);
	k->nw_ttl = (uint8_t)get(r, at + 7, 1);
	copy(r, k->ipv6_src, at + 8, 16);
	copy(r, k->ipv6_dst, at + 24, 16);
	at += 40;
	for (unsigned n = 0;; n++) {
		uint32_t hlen, after;

		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		if (n == 8)
			return false;
		after = get(r, at, 1);
		hlen = next == 44 ? 8 : next == 51 ? get(r, at + 1, 1) * 4 + 8 : get(r, at + 1, 1) * 8 + 8;
		get(r, at, hlen);
		/* The flags of a fragment header count even if the chain breaks later. */
		if (r->cut)
			return false;
		if (next == 44) {
			uint32_t frag = get(r, at + 2, 2);

			if (frag / 8 || frag % 2)
				k->flags |= FLOW_F_FRAG;
			if (frag / 8) {
				k->flags |= FLOW_F_LATER;
				k->nw_proto = (uint8_t)after;
				return true;
			}
		}
		next = after;
		at += hlen;
	}
	k->nw_proto = (uint8_t)next;
	return ref_l4(r, at);
}

static bool
ref_arp(struct ref *r, uint32_t at)
{
	struct flow_key *k = r->k;

	get(r, at, 8);
	if (r->cut)
		return false;
	if (get(r, at, 4) != 0x00010800)
		return true;
	get(r, at, 28);
	if (r->cut || get(r, at + 4, 2) != 0x0604)
		return false;
	if (get(r, at + 6, 2) < 256)
		k->nw_proto = (uint8_t)get(r, at + 7, 1);
	copy(r, &k->arp.sha, at + 8, 6);
	copy(r, &k->nw_src, at + 14, 4);
	copy(r, &k->arp.tha, at + 18, 6);
	copy(r, &k->nw_dst, at + 24, 4);
	return true;
}

static bool
ref_mpls(struct ref *r, uint32_t at)
{
	for (unsigned i = 0; i < 3; i++, at += 4) {
		uint32_t lse = get(r, at, 4);

		if (r->cut)
			return false;
		r->k->mpls_lse[i] = be32(lse);
		if (lse >> 8 & 1)
			break;
	}
	return true;
}

static bool
ref_pbb(struct ref *r, uint32_t at)
{
	uint32_t itag = get(r, at, 4);

	if (!r->cut)
		r->k->mpls_lse[0] = be32(itag);
	return !r->cut;
}

bool
parse_ref(const uint8_t *p, uint32_t contig, uint32_t len, uint16_t in_port, struct flow_key *k)
{
	struct ref r = { .p = p, .end = contig, .len = len, .k = k };
	uint32_t at = 12, type = get(&r, 12, 2);
	bool ok = true;

	memset(k, 0, sizeof *k);
	k->in_port = in_port;
	copy(&r, &k->dl_dst, 0, 6);
	copy(&r, &k->dl_src, 6, 6);
	for (unsigned i = 0; i < 2; i++) {
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
		k->vlan[i].tpid = be16((uint16_t)type);
		k->vlan[i].tci = be16((uint16_t)get(&r, at + 2, 2));
		at += 4;
		type = get(&r, at, 2);
	}
	if (r.cut)
		return false;
	at += 2;
	if (type < 0x600) {
		uint32_t snap = get(&r, at + 6, 2);

		type = 0x5ff;
		if (!r.cut && get(&r, at, 3) == 0xaaaa03 && get(&r, at + 3, 3) == 0 && snap >= 0x600) {
			type = snap;
			at += 8;
		}
		r.cut = false;
	}
	k->dl_type = be16((uint16_t)type);
	if (type == 0x800)
		ok = ref_ipv4(&r, at);
	else if (type == 0x86dd)
		ok = ref_ipv6(&r, at);
	else if (type == 0x806 || type == 0x8035)
		ok = ref_arp(&r, at);
	else if (type == 0x8847 || type == 0x8848)
		ok = ref_mpls(&r, at);
	else if (type == 0x88e7)
		ok = ref_pbb(&r, at);
	if (!ok)
		k->flags |= FLOW_F_BAD_L3;
	return true;
}
