/* SPDX-License-Identifier: Apache-2.0 */
/* Options whose values are pairs: which VLAN is which identifier of a tunnel, which address gets which identifiers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/opt_priv.h"

enum { VLAN_MAX = 4094 };

/* --- VLANs and keys ----------------------------------------------------------------------------- */

int64_t
opt_map_key(const struct opt_map *m, uint16_t vid)
{
	for (unsigned i = 0; i < m->n; i++)
		if (vid >= m->r[i].vid && vid - m->r[i].vid < m->r[i].n)
			return (int64_t)m->r[i].key + (vid - m->r[i].vid);
	return -1;
}

int
opt_map_vid(const struct opt_map *m, uint64_t key)
{
	for (unsigned i = 0; i < m->n; i++)
		if (key >= m->r[i].key && key - m->r[i].key < m->r[i].n)
			return m->r[i].vid + (int)(key - m->r[i].key);
	return -1;
}

unsigned
opt_map_size(const struct opt_map *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->r[i].n;
	return n;
}

static int
parse_row(const struct opt_desc *d, const char *s, size_t len, struct opt_map_row *r, struct err *e)
{
	const char *end = s + len, *colon = memchr(s, ':', len), *dash = colon ? memchr(s, '-', (size_t)(colon - s)) : NULL;
	int shown = (int)MIN_OF(len, (size_t)60);
	uint64_t from, to, key;

	if (!colon || opt_number(s, dash ? dash : colon, &from) || (dash && opt_number(dash + 1, colon, &to)) ||
	    opt_number(colon + 1, end, &key))
		return err_set(e, EINVAL, "%s: '%.*s' is not VLAN:NUMBER or VLAN-VLAN:NUMBER, such as 10:5010 or 100-199:10100",
			       d->name, shown, s);
	if (!dash)
		to = from;
	if (to > VLAN_MAX || from > to)
		return err_set(e, ERANGE, "%s: '%.*s' is out of range: VLANs are 0 (no tag) to %u", d->name, shown, s, VLAN_MAX);
	/* The largest number stands for "set per flow". */
	if (key + (to - from) >= UINT32_MAX)
		return err_set(e, ERANGE, "%s: '%.*s': numbers are below %u", d->name, shown, s, UINT32_MAX);
	r->vid = (uint16_t)from;
	r->n = (uint16_t)(to - from + 1);
	r->key = (uint32_t)key;
	return 0;
}

/* Each VLAN has one key, and each key one VLAN. */
static int
check_row(const struct opt_desc *d, const struct opt_map *m, const struct opt_map_row *r, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct opt_map_row *o = &m->r[i];

		if (r->vid < o->vid + o->n && o->vid < r->vid + r->n)
			return err_set(e, EINVAL, "%s: VLAN %u is there twice", d->name, MAX_OF(r->vid, o->vid));
		if (r->key < o->key + o->n && o->key < r->key + r->n)
			return err_set(e, EINVAL, "%s: two VLANs have number %u", d->name, MAX_OF(r->key, o->key));
	}
	return 0;
}

int
opt_map_parse(const struct opt_desc *d, const char *s, struct opt_map *m, struct err *e)
{
	memset(m, 0, sizeof *m);
	for (;; s++) {
		size_t len = strcspn(s, ",");
		struct opt_map_row r;
		int rc = parse_row(d, s, len, &r, e);

		if (!rc)
			rc = check_row(d, m, &r, e);
		if (rc)
			return rc;
		if (m->n == OPT_MAP_MAX)
			return err_set(e, ERANGE, "%s: more than %u ranges", d->name, OPT_MAP_MAX);
		m->r[m->n++] = r;
		s += len;
		if (!*s)
			return 0;
	}
}

void
opt_map_format(const struct opt_map *m, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; i < m->n && i < OPT_MAP_MAX; i++) {
		const struct opt_map_row *r = &m->r[i];
		char one[48], to[16] = "";

		if (r->n > 1)
			snprintf(to, sizeof to, "-%u", r->vid + r->n - 1u);
		snprintf(one, sizeof one, "%s%u%s:%u", i ? "," : "", r->vid, to, r->key);
		opt_append(buf, len, &n, one);
	}
}

/* --- Addresses and keys ------------------------------------------------------------------------- */

bool
opt_ip_keys_allow(const struct opt_ip_keys *l, const struct ipaddr *ip, uint64_t key)
{
	bool listed = false;

	for (unsigned i = 0; i < l->n; i++) {
		if (!ip_equal(&l->r[i].ip, ip))
			continue;
		if (key >= l->r[i].first && key <= l->r[i].last)
			return true;
		listed = true;
	}
	return !listed;
}

static int
parse_ip_key(const struct opt_desc *d, const char *s, size_t len, struct opt_ip_key *r, struct err *e)
{
	const char *end = s + len, *at = memchr(s, '@', len), *dash = at ? memchr(at, '-', (size_t)(end - at)) : NULL;
	int shown = (int)MIN_OF(len, (size_t)60);
	uint64_t first, last;
	char ip[IP_STR_LEN];

	if (!at || (size_t)(at - s) >= sizeof ip || opt_number(at + 1, dash ? dash : end, &first) ||
	    (dash && opt_number(dash + 1, end, &last)))
		return err_set(e, EINVAL, "%s: '%.*s' is not ADDRESS@NUMBER or ADDRESS@NUMBER-NUMBER", d->name, shown, s);
	memcpy(ip, s, (size_t)(at - s));
	ip[at - s] = '\0';
	memset(r, 0, sizeof *r);
	if (ip_parse(ip, &r->ip))
		return err_set(e, EINVAL, "%s: '%s' is not an IPv4 or IPv6 address", d->name, ip);
	if (!dash)
		last = first;
	if (first > last || last >= UINT32_MAX)
		return err_set(e, ERANGE, "%s: '%.*s': no range of numbers below %u", d->name, shown, s, UINT32_MAX);
	r->first = (uint32_t)first;
	r->last = (uint32_t)last;
	return 0;
}

int
opt_ip_keys_parse(const struct opt_desc *d, const char *s, struct opt_ip_keys *l, struct err *e)
{
	memset(l, 0, sizeof *l);
	for (;; s++) {
		size_t len = strcspn(s, ",");
		struct opt_ip_key r;
		int rc = parse_ip_key(d, s, len, &r, e);

		if (rc)
			return rc;
		if (l->n == OPT_LIST_MAX)
			return err_set(e, ERANGE, "%s: more than %u of them", d->name, OPT_LIST_MAX);
		l->r[l->n++] = r;
		s += len;
		if (!*s)
			return 0;
	}
}

void
opt_ip_keys_format(const struct opt_ip_keys *l, char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && i < OPT_LIST_MAX; i++) {
		const struct opt_ip_key *r = &l->r[i];
		char one[IP_STR_LEN + 32], ip[IP_STR_LEN], to[16] = "";

		if (r->last > r->first)
			snprintf(to, sizeof to, "-%u", r->last);
		snprintf(one, sizeof one, "%s%s@%u%s", i ? "," : "", ip_format(r->ip, ip), r->first, to);
		opt_append(buf, len, &n, one);
	}
}
