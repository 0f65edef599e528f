/* SPDX-License-Identifier: Apache-2.0 */
/* Nicira's extensions that choose and remember: hashes of the packet, multipath, bundle, the stack. */
#include "ofproto/pipe_priv.h"

#include "base/hash.h"

/* --- Hashes ------------------------------------------------------------------------------------- */

/* The sum is the same both ways: who sends and who receives are folded into each other. */
static uint64_t
fold(uint64_t h, const void *a, const void *b, size_t len)
{
	uint8_t x[16];

	for (size_t i = 0; i < len; i++)
		x[i] = ((const uint8_t *)a)[i] ^ ((const uint8_t *)b)[i];
	return hash_bytes(x, len, h);
}

static uint64_t
add_ip(struct walk *w, uint64_t h, bool symmetric)
{
	struct oflow *f = &w->t->pk.flow, *wc = &w->t->wc;

	wc->dl_type = 0xffff;
	if (f->dl_type == be16(0x0800)) {
		wc->nw_src = wc->nw_dst = 0xffffffff;
		return symmetric ? fold(h, &f->nw_src, &f->nw_dst, 4) : hash_add(h, (uint64_t)f->nw_src << 32 | f->nw_dst);
	}
	if (f->dl_type == be16(0x86dd)) {
		memset(wc->ipv6_src, 0xff, 32);
		return symmetric ? fold(h, f->ipv6_src, f->ipv6_dst, 16) : hash_bytes(f->ipv6_src, 32, h);
	}
	return h;
}

/* Ports of TCP and SCTP, and of UDP if wanted. */
static uint64_t
add_ports(struct walk *w, uint64_t h, bool symmetric, bool udp)
{
	struct oflow *f = &w->t->pk.flow, *wc = &w->t->wc;

	if (f->dl_type != be16(0x0800) && f->dl_type != be16(0x86dd))
		return h;
	wc->nw_proto = 0xff;
	h = hash_add(h, f->nw_proto);
	if (f->nw_proto != 6 && f->nw_proto != 132 && !(udp && f->nw_proto == 17))
		return h;
	wc->tp_src = wc->tp_dst = 0xffff;
	return symmetric ? hash_add(h, f->tp_src ^ f->tp_dst) : hash_add(h, (uint32_t)f->tp_src << 16 | f->tp_dst);
}

static uint64_t
add_eth(struct walk *w, uint64_t h, bool symmetric)
{
	struct oflow *f = &w->t->pk.flow, *wc = &w->t->wc;

	memset(&wc->dl_dst, 0xff, 12);
	wc->dl_type = 0xffff;
	wc->vlan[0].tci |= be16(OFLOW_VLAN_PRESENT | VLAN_VID_MASK);
	h = hash_add(h, f->dl_type);
	h = hash_add(h, f->vlan[0].tci & be16(OFLOW_VLAN_PRESENT | VLAN_VID_MASK));
	return symmetric ? fold(h, &f->dl_src, &f->dl_dst, 6) : hash_bytes(&f->dl_dst, 12, h);
}

static uint64_t
add_one(struct walk *w, uint64_t h, const be32_t *v4, const uint8_t *v6)
{
	struct oflow *f = &w->t->pk.flow, *wc = &w->t->wc;
	bool ip4 = f->dl_type == be16(0x0800);
	const void *at = ip4 ? (const void *)v4 : v6;
	size_t len = ip4 ? 4 : 16;

	wc->dl_type = 0xffff;
	if (!ip4 && f->dl_type != be16(0x86dd))
		return h;
	memset((uint8_t *)wc + ((const uint8_t *)at - (const uint8_t *)f), 0xff, len);
	return hash_bytes(at, len, h);
}

uint32_t
pipe_hash(struct walk *w, unsigned fields, uint32_t basis)
{
	struct oflow *f = &w->t->pk.flow, *wc = &w->t->wc;
	uint64_t h = hash_mix(basis + 1);

	switch (fields) {
	case OF_HASH_ETH_SRC:
		memset(&wc->dl_src, 0xff, sizeof wc->dl_src);
		h = hash_bytes(&f->dl_src, sizeof f->dl_src, h);
		break;
	case OF_HASH_SYM_L4:
		h = add_ports(w, add_ip(w, add_eth(w, h, true), true), true, false);
		break;
	case OF_HASH_SYM_L3L4:
		h = add_ports(w, add_ip(w, h, true), true, false);
		break;
	case OF_HASH_SYM_L3L4_UDP:
		h = add_ports(w, add_ip(w, h, true), true, true);
		break;
	case OF_HASH_SYM_L3:
		h = add_ip(w, h, true);
		break;
	case OF_HASH_NW_SRC:
		h = add_one(w, h, &f->nw_src, f->ipv6_src);
		break;
	case OF_HASH_NW_DST:
		h = add_one(w, h, &f->nw_dst, f->ipv6_dst);
		break;
	default:
		h = add_ports(w, add_ip(w, add_eth(w, h, false), false), false, true);
	}
	return (uint32_t)(hash_mix(h) >> 16);
}

uint32_t
pipe_hash_fields(struct walk *w, const struct of_field_set *s, uint64_t basis)
{
	uint64_t h = hash_mix(basis + 1);
	uint8_t v[16];

	for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++) {
		for (uint64_t left = s->bits[i]; left; left &= left - 1) {
			unsigned f = i * 64 + (unsigned)__builtin_ctzll(left);

			if (!pipe_has(w, f))
				continue;
			pipe_read_sub(w, &(struct of_sub){ .field = (uint8_t)f, .n_bits = of_field_info[f].bits }, v);
			h = hash_bytes(v, sizeof v, hash_add(h, f));
		}
	}
	return (uint32_t)(hash_mix(h) >> 16);
}

/* --- Multipath ---------------------------------------------------------------------------------- */

enum { MP_MODULO, MP_THRESHOLD, MP_HRW, MP_ITER };

static uint32_t
highest_random_weight(uint32_t hash, uint32_t n)
{
	uint32_t best = 0;
	uint64_t best_score = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t score = hash_mix((uint64_t)hash << 32 | (i + 1));

		if (score >= best_score) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

/* Draws until a number is below the limit: adding links moves few packets. */
static uint32_t
iterate(uint32_t hash, uint32_t n, uint32_t range)
{
	uint64_t h = hash;

	for (unsigned i = 0; i < 64; i++) {
		uint32_t link;

		h = hash_mix(h + i + 1);
		link = (uint32_t)(h >> 16) % MAX_OF(range, n);
		if (link < n)
			return link;
	}
	return hash % n;
}

void
pipe_multipath(struct walk *w, const struct of_act_multipath *m)
{
	uint32_t hash = pipe_hash(w, m->fields, m->basis), n = m->max_link + 1u, link;
	uint8_t v[16] = { 0 };
	be32_t be;

	switch (m->algorithm) {
	case MP_MODULO:
		link = hash % n;
		break;
	case MP_THRESHOLD:
		link = (uint32_t)((uint64_t)hash * n >> 32);
		break;
	case MP_HRW:
		link = highest_random_weight(hash, n);
		break;
	default:
		link = iterate(hash, n, m->arg);
	}
	be = be32(link);
	memcpy(v + 12, &be, 4);
	pipe_write_sub(w, &m->dst, v);
}

/* --- Bundle ------------------------------------------------------------------------------------- */

static uint32_t
first_live(struct walk *w, const struct of_act_bundle *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (pipe_port_live(w, b->port[i]))
			return b->port[i];
	return (uint32_t)OFPP_ANY;
}

static uint32_t
best_live(struct walk *w, const struct of_act_bundle *b)
{
	uint32_t hash = pipe_hash(w, b->fields, b->basis), best = (uint32_t)OFPP_ANY;
	uint64_t best_score = 0;

	for (unsigned i = 0; i < b->n; i++) {
		uint64_t score = hash_mix((uint64_t)hash << 32 | (i + 1));

		if (score >= best_score && pipe_port_live(w, b->port[i])) {
			best = b->port[i];
			best_score = score;
		}
	}
	return best;
}

void
pipe_bundle(struct walk *w, const struct of_act_bundle *b)
{
	uint32_t port = b->algorithm ? best_live(w, b) : first_live(w, b);
	uint8_t v[16] = { 0 };
	be32_t be = be32(port);

	if (!b->dst.n_bits) {
		pipe_output(w, port, 0, 0);
		return;
	}
	memcpy(v + 12, &be, 4);
	pipe_write_sub(w, &b->dst, v);
}

/* --- Stack -------------------------------------------------------------------------------------- */

void
pipe_stack_push(struct walk *w, const struct of_sub *s)
{
	if (w->n_stack == PIPE_MAX_STACK) {
		w->x->too_much = true;
		return;
	}
	pipe_read_sub(w, s, w->stack[w->n_stack++]);
}

void
pipe_stack_pop(struct walk *w, const struct of_sub *s)
{
	/* Nothing on it: the field stays as it is. */
	if (w->n_stack)
		pipe_write_sub(w, s, w->stack[--w->n_stack]);
}
