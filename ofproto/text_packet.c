/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in messages as text: what can be told from their first bytes, in the words of a match; see text.h. */
#include "ofproto/text_priv.h"

/* --- Frames ------------------------------------------------------------------------------------- */

/* The rest of a frame. */
struct frame {
	const uint8_t *p;
	size_t n;
};

/* Takes 'n' bytes off the front; NULL: they are not there. */
static const uint8_t *
take(struct frame *f, size_t n)
{
	const uint8_t *p = f->p;

	if (f->n < n)
		return NULL;
	f->p += n;
	f->n -= n;
	return p;
}

static void
transport(struct frame *f, struct oflow *k)
{
	const uint8_t *p = f->p;

	switch (k->nw_proto) {
	case 6:
		if (f->n >= 14)
			k->tcp_flags = load_be16(p + 12) & be16(0xfff);
		/* Fall through. */
	case 17:
	case 132:
		if (f->n >= 4) {
			k->tp_src = load_be16(p);
			k->tp_dst = load_be16(p + 2);
		}
		break;
	case 1:
	case 58:
		if (f->n >= 2) {
			k->tp_src = be16(p[0]);
			k->tp_dst = be16(p[1]);
		}
		break;
	default:
		break;
	}
}

static void
ipv4(struct frame *f, struct oflow *k)
{
	const uint8_t *p = take(f, 20);
	uint16_t frag;

	if (!p)
		return;
	frag = host16(load_be16(p + 6));
	k->nw_tos = p[1];
	k->nw_ttl = p[8];
	k->nw_proto = p[9];
	k->nw_src = load_be32(p + 12);
	k->nw_dst = load_be32(p + 16);
	if (frag & 0x3fff)
		k->nw_frag = frag & 0x1fff ? OFLOW_FRAG_ANY | OFLOW_FRAG_LATER : OFLOW_FRAG_ANY;
	if ((p[0] & 15) > 5 && !take(f, ((p[0] & 15u) - 5) * 4))
		return;
	if (!(frag & 0x1fff))
		transport(f, k);
}

static void
ipv6(struct frame *f, struct oflow *k)
{
	const uint8_t *p = take(f, 40);

	if (!p)
		return;
	k->ipv6_label = load_be32(p) & be32(0xfffff);
	k->nw_tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	k->nw_proto = p[6];
	k->nw_ttl = p[7];
	memcpy(k->ipv6_src, p + 8, 16);
	memcpy(k->ipv6_dst, p + 24, 16);
	transport(f, k);
}

static void
arp(struct frame *f, struct oflow *k)
{
	const uint8_t *p = take(f, 28);

	if (!p)
		return;
	k->arp_op = load_be16(p + 6);
	memcpy(&k->arp_sha, p + 8, 6);
	k->nw_src = load_be32(p + 14);
	memcpy(&k->arp_tha, p + 18, 6);
	k->nw_dst = load_be32(p + 24);
}

static bool
is_tag(const uint8_t *p)
{
	return load_be16(p) == be16(0x8100) || load_be16(p) == be16(0x88a8);
}

void
of_print_frame(struct of_text *t, const uint8_t *data, size_t len)
{
	struct oflow k = { .in_port = be32((uint32_t)OFPP_ANY) };
	struct frame f = { .p = data, .n = len };
	const uint8_t *p = take(&f, 12);

	if (!p || f.n < 2) {
		of_text_puts(t, "(too short)");
		return;
	}
	memcpy(&k.dl_dst, p, 6);
	memcpy(&k.dl_src, p + 6, 6);
	for (unsigned i = 0; f.n >= 6 && is_tag(f.p); i++) {
		p = take(&f, 4);
		if (i < 2) {
			k.vlan[i].tpid = load_be16(p);
			k.vlan[i].tci = load_be16(p + 2) | be16(OFLOW_VLAN_PRESENT);
		}
	}
	p = take(&f, 2);
	k.dl_type = load_be16(p);
	switch (host16(k.dl_type)) {
	case 0x0800:
		ipv4(&f, &k);
		break;
	case 0x86dd:
		ipv6(&f, &k);
		break;
	case 0x0806:
	case 0x8035:
		arp(&f, &k);
		break;
	case 0x8847:
	case 0x8848:
		if (f.n >= 4)
			k.mpls_lse[0] = load_be32(f.p);
		break;
	default:
		break;
	}
	of_print_key(t, &k, NULL);
}

/* --- Messages ----------------------------------------------------------------------------------- */

/* Pipeline fields that came along: those that say something. */
static void
put_meta(struct of_text *t, const struct oflow *meta, const struct of_names *names)
{
	static const uint8_t none[OF_VALUE_MAX];
	struct omatch m = { .flow = *meta };
	uint8_t value[OF_VALUE_MAX];

	if (m.flow.in_phy_port == m.flow.in_port)
		m.flow.in_phy_port = 0;
	for (unsigned f = 0; f < OFF_XREG0; f++) {
		of_field_get(f, &m.flow, value);
		if (memcmp(value, none, of_field_bytes(f)))
			of_field_examine(f, &m.mask);
	}
	of_print_match(t, &m, names);
}

void
tx_put_packet_in(struct of_text *t, const struct of_packet_in *p, uint8_t version, const struct of_names *names)
{
	/* The version's own says it since 1.3. */
	bool has_cookie = (p->format || version >= OF13) && p->cookie != UINT64_MAX;

	if (p->table_id)
		of_text_printf(t, " table_id=%u", p->table_id);
	if (has_cookie)
		of_text_printf(t, " cookie=0x%llx", (unsigned long long)p->cookie);
	of_text_printf(t, " total_len=%u ", p->total_len);
	put_meta(t, &p->meta, names);
	if (p->reason <= OFPR_PACKET_OUT)
		of_text_printf(t, " (via %s)", tx_reasons[p->reason]);
	else
		of_text_printf(t, " (via %u)", p->reason);
	of_text_printf(t, " data_len=%u", p->frame.len);
	if (p->buffer_id == (uint32_t)OF_NO_BUFFER)
		of_text_puts(t, " (unbuffered)");
	else
		of_text_printf(t, " buffer=0x%08x", p->buffer_id);
	of_text_puts(t, "\n");
	if (p->userdata.len) {
		of_text_puts(t, " userdata=");
		tx_put_bytes(t, p->userdata.data, p->userdata.len);
		of_text_puts(t, "\n");
	}
	if (p->continuation.len)
		of_text_printf(t, " continuation=%u bytes\n", p->continuation.len);
	if (p->frame.len)
		of_print_frame(t, p->frame.data, p->frame.len);
}

void
tx_put_packet_out(struct of_text *t, const struct of_packet_out *p, const struct of_names *names)
{
	struct oflow meta = p->meta;

	meta.in_port = be32(p->in_port);
	of_text_puts(t, " ");
	put_meta(t, &meta, names);
	of_text_puts(t, " actions=");
	of_print_acts(t, p->acts, names);
	if (p->buffer_id != (uint32_t)OF_NO_BUFFER) {
		of_text_printf(t, " buffer=0x%08x", p->buffer_id);
		return;
	}
	of_text_printf(t, " data_len=%u", p->frame.len);
	if (p->frame.len) {
		of_text_puts(t, "\n");
		of_print_frame(t, p->frame.data, p->frame.len);
	}
}
