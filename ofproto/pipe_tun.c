/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels in OpenFlow's flows: what a packet's tunnel said becomes fields, and fields that actions have written become
 * what the flow asks of outer headers.
 *
 * What is peculiar to a type lies in the key's tun_ext, where the type's own table of fields says (tun_type.fields). */
#include "ofproto/pipe_priv.h"

/* Where a field lies in the ext area of a tunnel type; NULL: the type has none such. */
static const struct tun_field *
ext_field(const struct tun_type *type, enum of_field f)
{
	for (const struct tun_field *e = type ? type->fields : NULL; e && e->name; e++)
		if (!strcmp(e->name, of_field_info[f].name))
			return e;
	return NULL;
}

static const uint8_t ext_fields[] = { OFF_TUN_GBP_ID, OFF_TUN_GBP_FLAGS };

static const struct tun_type *
type_of(const struct ofp_view *v, uint16_t port)
{
	const struct view_port *p = port_find(v, port);

	return p && p->kind == OFP_PORT_TUNNEL ? p->tun.type : NULL;
}

/* Options that the bridge of the port knows; of one that is there twice the last one counts. */
static void
fill_options(struct oflow *f, const struct xl *x, const struct tlv_table *t)
{
	if (x->opts) {
		memcpy(f->tun_md, x->opts->tun_md, sizeof f->tun_md);
		f->tun_md_present = x->opts->tun_md_present;
	}
	if (!x->pkt || !x->pkt->opts_len)
		return;
	TLV_EACH (p, x->pkt->opts, x->pkt->opts_len) {
		const struct tlv_row *r = tlv_row_of(t, p);
		uint8_t value[TLV_DATA_MAX] = { 0 };

		if (!r)
			continue;
		memcpy(value + TLV_DATA_MAX - r->len, p + TLV_HLEN, r->len);
		memcpy(&f->tun_md[r - t->row], value, sizeof value);
		f->tun_md_present |= (uint8_t)(1u << (r - t->row));
	}
}

void
pipe_fill_tunnel(struct oflow *f, const struct xl *x, const struct flow_key *k)
{
	const struct ofp_view *v = x->view;
	const struct ofp_tun_path *path = k->tun_peer < v->n_paths ? &v->path[k->tun_peer] : NULL;
	const struct tun_type *type = type_of(v, k->in_port);

	f->tun_id = k->tun_id;
	f->tun_tos = k->tun_tos;
	f->tun_ttl = k->tun_ttl;
	f->tun_flags = be16(k->tun_flags);
	for (unsigned i = 0; i < ARRAY_SIZE(ext_fields); i++) {
		const struct tun_field *e = ext_field(type, ext_fields[i]);

		if (e)
			of_field_set(ext_fields[i], f, k->tun_ext + e->ext_off, NULL);
	}
	if (type && type->caps & TUN_CAP_OPTIONS)
		fill_options(f, x, &v->bridge[v->port[k->in_port].bridge].tlv);
	if (!k->tun_peer || !path)
		return;
	/* It came from the remote end. */
	if (ip_is_v4(&path->remote)) {
		f->tun_src = ip_v4(&path->remote);
		f->tun_dst = ip_is_v4(&path->local) ? ip_v4(&path->local) : 0;
	} else {
		memcpy(f->tun_ipv6_src, &path->remote, 16);
		memcpy(f->tun_ipv6_dst, &path->local, 16);
	}
}

void
pipe_mask_tunnel(struct pipe_tr *t, const struct oflow *wc, struct flow_key *m)
{
	const struct tun_type *type = type_of(t->x->view, t->key->in_port);

	if (!(t->key->flags & FLOW_F_TUNNEL) && !t->key->tun_peer)
		return;
	m->tun_id |= wc->tun_id;
	m->tun_tos |= wc->tun_tos;
	m->tun_ttl |= wc->tun_ttl;
	m->tun_flags |= (uint8_t)host16(wc->tun_flags);
	for (unsigned i = 0; i < ARRAY_SIZE(ext_fields); i++) {
		const struct tun_field *e = ext_field(type, ext_fields[i]);
		uint8_t bits[OF_VALUE_MAX];

		if (!e)
			continue;
		of_field_get(ext_fields[i], wc, bits);
		for (unsigned k = 0; k < e->len && e->ext_off + k < sizeof m->tun_ext; k++)
			m->tun_ext[e->ext_off + k] |= bits[k];
	}
	/* The digest is of all that rules may look at. */
	if (type && type->caps & TUN_CAP_OPTIONS && (wc->tun_md_present || any_bytes(wc->tun_md, sizeof wc->tun_md)))
		memset(m->tun_ext, 0xff, sizeof m->tun_ext);
	if (wc->tun_src | wc->tun_dst || any_bytes(wc->tun_ipv6_src, 16) || any_bytes(wc->tun_ipv6_dst, 16))
		pipe_look_at_peer(t);
}

void
pipe_tunnel_key(const struct ofp_view *v, const struct oflow *f, struct flow_key *k)
{
	enum { DONT_LEARN = 0x40 };     /* Of the flags of VXLAN's group policy. */
	const struct tun_type *type = type_of(v, k->in_port);

	k->flags |= FLOW_F_TUNNEL;
	if (f->tun_gbp_flags & DONT_LEARN)
		k->flags |= FLOW_F_NO_LEARN;
	k->tun_id = f->tun_id;
	k->tun_tos = f->tun_tos;
	k->tun_ttl = f->tun_ttl;
	k->tun_flags = (uint8_t)host16(f->tun_flags);
	for (unsigned i = 0; i < ARRAY_SIZE(ext_fields); i++) {
		const struct tun_field *e = ext_field(type, ext_fields[i]);
		uint8_t value[OF_VALUE_MAX];

		if (!e)
			continue;
		of_field_get(ext_fields[i], f, value);
		memcpy(k->tun_ext + e->ext_off, value, e->len);
	}
}

/* --- Out ---------------------------------------------------------------------------------------- */

/* Fields of the type that actions have written; bits that they left alone are zero. */
static void
set_ext(const struct pipe_pkt *pk, const struct tun_type *type, struct tun_set *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ext_fields); i++) {
		const struct tun_field *e = ext_field(type, ext_fields[i]);
		uint8_t value[OF_VALUE_MAX], own[OF_VALUE_MAX];

		if (!e)
			continue;
		of_field_get(ext_fields[i], &pk->flow, value);
		of_field_get(ext_fields[i], &pk->own, own);
		for (unsigned k = 0; k < e->len && e->ext_off + k < sizeof s->ext; k++) {
			if (!own[k])
				continue;
			s->bits |= TUN_SET_EXT;
			s->ext[e->ext_off + k] = value[k] & own[k];
			s->ext_bytes |= (uint16_t)(1u << (e->ext_off + k));
		}
	}
}

/* Options that actions have written; those that only came in stay behind. */
static void
set_options(const struct pipe_pkt *pk, const struct tlv_table *t, struct tun_set *s)
{
	for (unsigned i = 0; i < TLV_MAX; i++) {
		const struct tlv_row *r = &t->row[i];
		uint8_t value[TLV_DATA_MAX];

		/* There is room for all that a table may have. */
		if (!(pk->own.tun_md_present >> i & 1) || !r->len || s->opts_len + TLV_HLEN + r->len > TUN_OPTS_MAX)
			continue;
		memcpy(value, &pk->flow.tun_md[i], sizeof value);
		s->opts_len = (uint8_t)(s->opts_len + tlv_put(s->opts + s->opts_len, r, value + TLV_DATA_MAX - r->len));
		s->bits |= TUN_SET_OPTS;
	}
}

void
pipe_tunnel_set(struct pipe_tr *t, const struct view_port *to, struct tun_set *s)
{
	const struct pipe_pkt *pk = &t->pk;

	memset(s, 0, sizeof *s);
	if (to->tun.key) {
		t->wc.tun_id = UINT64_MAX;
		s->bits |= TUN_SET_KEY;
		s->key = host64(pk->flow.tun_id);
	}
	if (pk->own.tun_flags) {
		s->bits |= TUN_SET_FLAGS;
		s->flags = (uint8_t)host16(pk->flow.tun_flags);
	}
	if (pk->own.tun_tos) {
		s->bits |= TUN_SET_TOS;
		s->tos = pk->flow.tun_tos & pk->own.tun_tos;
	}
	if (pk->own.tun_ttl) {
		s->bits |= TUN_SET_TTL;
		s->ttl = pk->flow.tun_ttl & pk->own.tun_ttl;
	}
	if (to->kind != OFP_PORT_TUNNEL || !to->tun.type)
		return;
	set_ext(pk, to->tun.type, s);
	if (to->tun.type->caps & TUN_CAP_OPTIONS && pk->own.tun_md_present)
		set_options(pk, &t->x->view->bridge[to->bridge].tlv, s);
}
