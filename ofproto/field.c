/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and comparing match fields by their description; see field.h. */
#include "ofproto/field.h"

/* --- Runs of bits in big-endian storage --------------------------------------------------------- */

/* Bits [low, low + n) of the big-endian number of 'size' bytes at 'p', right-aligned in 'len' bytes at 'out'. */
static void
bits_get(const uint8_t *p, unsigned size, unsigned low, unsigned n, uint8_t *out, unsigned len)
{
	memset(out, 0, len);
	if (!(low & 7) && !(n & 7)) {
		memcpy(out + len - n / 8, p + size - (low + n) / 8, n / 8);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned from = low + i;

		if (p[size - 1 - from / 8] >> (from & 7) & 1)
			out[len - 1 - i / 8] |= (uint8_t)(1u << (i & 7));
	}
}

/* Fields of up to 8 bytes of storage, as one number. */
static void
word_set(uint8_t *p, unsigned size, unsigned low, unsigned n, const uint8_t *value, const uint8_t *mask, unsigned len)
{
	uint64_t bits = n < 64 ? (1ull << n) - 1 : ~0ull, v = 0, m = 0, old = 0;

	for (unsigned i = 0; i < len; i++) {
		v = v << 8 | value[i];
		m = m << 8 | (mask ? mask[i] : 0xff);
	}
	for (unsigned i = 0; i < size; i++)
		old = old << 8 | p[i];
	m &= bits;
	old = (old & ~(m << low)) | (v & m) << low;
	for (unsigned i = size; i--; old >>= 8)
		p[i] = (uint8_t)old;
}

/* The reverse; 'mask' NULL: all of the bits. */
static void
bits_set(uint8_t *p, unsigned size, unsigned low, unsigned n, const uint8_t *value, const uint8_t *mask, unsigned len)
{
	if (!(low & 7) && !(n & 7)) {
		p += size - (low + n) / 8;
		value += len - n / 8;
		if (!mask) {
			memcpy(p, value, n / 8);
			return;
		}
		mask += len - n / 8;
		for (unsigned i = 0; i < n / 8; i++)
			p[i] = (uint8_t)((p[i] & ~mask[i]) | (value[i] & mask[i]));
		return;
	}
	if (size <= 8 && len <= 8) {
		word_set(p, size, low, n, value, mask, len);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned to = low + i, from = len - 1 - i / 8;
		uint8_t bit = (uint8_t)(1u << (to & 7));

		if (mask && !(mask[from] >> (i & 7) & 1))
			continue;
		if (value[from] >> (i & 7) & 1)
			p[size - 1 - to / 8] |= bit;
		else
			p[size - 1 - to / 8] &= (uint8_t)~bit;
	}
}

static const uint8_t ones[16] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static uint8_t *
storage(const struct of_field_info *i, struct oflow *f)
{
	return (uint8_t *)f + i->offset;
}

/* --- Fields ------------------------------------------------------------------------------------- */

void
of_field_get(enum of_field f, const struct oflow *flow, uint8_t value[OF_VALUE_MAX])
{
	const struct of_field_info *i = &of_field_info[f];

	bits_get((const uint8_t *)flow + i->offset, i->size, i->low, i->bits, value, of_field_bytes(f));
}

void
of_field_set(enum of_field f, struct oflow *flow, const uint8_t *value, const uint8_t *mask)
{
	const struct of_field_info *i = &of_field_info[f];

	bits_set(storage(i, flow), i->size, i->low, i->bits, value, mask, of_field_bytes(f));
}

void
of_field_examine(enum of_field f, struct oflow *mask)
{
	of_field_set(f, mask, ones, NULL);
}

void
of_field_match(enum of_field f, struct omatch *m, const uint8_t *value, const uint8_t *mask)
{
	unsigned n = of_field_bytes(f), md = of_field_md(f);
	uint8_t v[OF_VALUE_MAX];

	/* Whatever is matched of an option, it has to be there. */
	if (md < OF_TUN_MD_MAX) {
		m->flow.tun_md_present |= (uint8_t)(1u << md);
		m->mask.tun_md_present |= (uint8_t)(1u << md);
	}
	if (!mask) {
		of_field_set(f, &m->flow, value, NULL);
		of_field_set(f, &m->mask, ones, NULL);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		v[i] = value[i] & mask[i];
	of_field_set(f, &m->flow, v, NULL);
	of_field_set(f, &m->mask, mask, NULL);
}

/* --- Subfields ---------------------------------------------------------------------------------- */

void
of_sub_get(const struct of_sub *s, const struct oflow *flow, uint8_t value[16])
{
	const struct of_field_info *i = &of_field_info[s->field];

	bits_get((const uint8_t *)flow + i->offset, i->size, i->low + s->ofs, s->n_bits, value, 16);
}

void
of_sub_set(const struct of_sub *s, struct oflow *flow, const uint8_t value[16])
{
	const struct of_field_info *i = &of_field_info[s->field];

	bits_set(storage(i, flow), i->size, i->low + s->ofs, s->n_bits, value, NULL, 16);
}

void
of_sub_examine(const struct of_sub *s, struct oflow *mask)
{
	of_sub_set(s, mask, ones);
}

uint64_t
of_sub_get64(const struct of_sub *s, const struct oflow *flow)
{
	uint8_t v[16];
	uint64_t n = 0;

	of_sub_get(s, flow, v);
	for (unsigned i = 8; i < 16; i++)
		n = n << 8 | v[i];
	return n;
}

void
of_sub_set64(const struct of_sub *s, struct oflow *flow, uint64_t value)
{
	uint8_t v[16] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		v[15 - i] = (uint8_t)(value >> 8 * i);
	of_sub_set(s, flow, v);
}

/* --- Prerequisites ------------------------------------------------------------------------------ */

/* Whether 'flow' says so in every bit that it takes; with 'mask', whether those bits are all matched. */
static bool
says(enum of_need need, const struct oflow *f, const struct oflow *m)
{
	uint16_t type = m->dl_type == 0xffff ? host16(f->dl_type) : 0;
	bool ip4 = type == 0x0800, ip6 = type == 0x86dd;
	int proto = m->nw_proto == 0xff ? f->nw_proto : -1;
	int icmp = host16(m->tp_src) & 0xff ? host16(f->tp_src) & 0xff : -1;
	bool icmp6 = ip6 && proto == 58;

	switch (need) {
	case OF_NEED_NONE:
		return true;
	case OF_NEED_IN_PORT:
		return m->in_port == 0xffffffff;
	case OF_NEED_VLAN:
		return (m->vlan[0].tci & f->vlan[0].tci & be16(OFLOW_VLAN_PRESENT)) != 0;
	case OF_NEED_IP:
		return ip4 || ip6;
	case OF_NEED_IPV4:
		return ip4;
	case OF_NEED_IPV6:
		return ip6;
	case OF_NEED_ARP:
		return type == 0x0806 || type == 0x8035;
	case OF_NEED_MPLS:
		return type == 0x8847 || type == 0x8848;
	case OF_NEED_PBB:
		return type == 0x88e7;
	case OF_NEED_TCP:
		return (ip4 || ip6) && proto == 6;
	case OF_NEED_UDP:
		return (ip4 || ip6) && proto == 17;
	case OF_NEED_SCTP:
		return (ip4 || ip6) && proto == 132;
	case OF_NEED_ICMP:
		return ip4 && proto == 1;
	case OF_NEED_ICMP6:
		return icmp6;
	case OF_NEED_ND:
		return icmp6 && (icmp == 135 || icmp == 136);
	case OF_NEED_ND_SOL:
		return icmp6 && icmp == 135;
	case OF_NEED_ND_ADV:
		return icmp6 && icmp == 136;
	}
	return false;
}

bool
of_need_met(enum of_need need, const struct omatch *m)
{
	return says(need, &m->flow, &m->mask);
}

bool
of_need_has(enum of_need need, const struct oflow *f)
{
	static const struct oflow all = {
		.in_port = 0xffffffff, .dl_type = 0xffff, .vlan[0].tci = 0xffff, .nw_proto = 0xff, .tp_src = 0xffff,
	};

	return says(need, f, &all);
}

/* --- Look-ups ----------------------------------------------------------------------------------- */

enum of_field
of_field_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < OFF_N_NAMES; i++)
		if (strlen(of_field_name[i].name) == len && !memcmp(of_field_name[i].name, name, len))
			return of_field_name[i].field;
	return OFF_NONE;
}

const struct of_field_code *
of_field_by_code(uint16_t class, uint8_t code, uint32_t experimenter)
{
	unsigned row = 0, i;

	switch (class) {
	case 0x8000:
		break;
	case 0:
		row = 1;
		break;
	case 1:
		row = 2;
		break;
	case 0x8001:
		row = 3;
		break;
	default:
		for (i = 0; i < OFF_N_CODES; i++)
			if (of_field_code[i].class == class && of_field_code[i].code == code &&
			    of_field_code[i].experimenter == experimenter)
				return &of_field_code[i];
		return NULL;
	}
	i = of_field_code_index[row][code & 0x7f];
	return i < OFF_N_CODES ? &of_field_code[i] : NULL;
}

const struct of_field_code *
of_field_code_sized(const struct of_field_code *c, unsigned len)
{
	if (!(of_field_info[c->field].flags & OF_FIELD_VARIABLE))
		return len == c->len ? c : NULL;
	return len <= OF_FIELD_VAR_LEN ? &of_field_var_code[of_field_md(c->field)][len] : NULL;
}

/* --- Matches ------------------------------------------------------------------------------------ */

bool
omatch_equal(const struct omatch *a, const struct omatch *b)
{
	return !memcmp(a, b, sizeof *a);
}

bool
omatch_overlaps(const struct omatch *a, const struct omatch *b)
{
	for (unsigned i = 0; i < OFLOW_WORDS; i++)
		if ((oflow_word(&a->flow, i) ^ oflow_word(&b->flow, i)) & oflow_word(&a->mask, i) &
		    oflow_word(&b->mask, i))
			return false;
	return true;
}

bool
omatch_within(const struct omatch *a, const struct omatch *b)
{
	for (unsigned i = 0; i < OFLOW_WORDS; i++) {
		uint64_t m = oflow_word(&b->mask, i);

		if ((m & ~oflow_word(&a->mask, i)) || (oflow_word(&a->flow, i) ^ oflow_word(&b->flow, i)) & m)
			return false;
	}
	return true;
}

bool
omatch_is_any(const struct omatch *m)
{
	for (unsigned i = 0; i < OFLOW_WORDS; i++)
		if (oflow_word(&m->mask, i))
			return false;
	return true;
}
