/* SPDX-License-Identifier: Apache-2.0 */
/* "static-macs" of a port: the addresses that the operator put behind it, in the document's spelling
 * and as sorted rows.  They belong to their port, and go and move with it. */
#include "ctl/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VID_MAX = 4094 };

/* "10/52:54:00:00:00:01", or the address alone. */
static int
read_one(const char *text, struct conf_mac *m, struct err *e)
{
	const char *slash = strchr(text, '/'), *mac = slash ? slash + 1 : text;
	size_t n_digits = strspn(text, "0123456789");

	*m = (struct conf_mac){ 0 };
	if (slash) {
		if (!n_digits || n_digits > 4 || text + n_digits != slash || atoi(text) > VID_MAX)
			return err_set(e, EINVAL, "static-macs: '%.64s': the VLAN must be 0 to %d", text, VID_MAX);
		m->vid = (uint16_t)atoi(text);
	}
	if (mac_parse(mac, &m->mac))
		return err_set(e, EINVAL, "static-macs: '%.64s' is no address such as 52:54:00:00:00:01 or, in VLAN 10, "
			       "10/52:54:00:00:00:01", text);
	if (mac_is_multicast(m->mac) || mac_is_zero(m->mac))
		return err_set(e, EINVAL, "static-macs: %.64s is not the address of a station", text);
	return 0;
}

static int
by_vid_and_mac(const void *a, const void *b)
{
	const struct conf_mac *x = a, *y = b;
	uint64_t p = mac_u64(x->mac), q = mac_u64(y->mac);

	if (x->vid != y->vid)
		return x->vid < y->vid ? -1 : 1;
	return p < q ? -1 : p > q;
}

/* A list, or as an option of a command a text with commas. */
static json_t *
as_list(const json_t *v)
{
	json_t *list;
	char *text, *save = NULL;

	if (json_is_array(v))
		return json_incref((json_t *)v);
	if (!json_is_string(v))
		return NULL;
	list = json_array();
	text = xstrdup(json_string_value(v));
	for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save))
		json_array_append_new(list, json_string(s));
	free(text);
	return list;
}

static bool
carries(const struct conf_port *p, uint16_t vid)
{
	const struct tun_conf *t = p->tun ? p->opts : NULL;

	return t && t->vlans.n ? opt_map_key(&t->vlans, vid) >= 0 : ofp_port_carries(&p->ofp, vid);
}

static int
read_list(const json_t *list, struct conf_port *p, struct err *e)
{
	char text[CONF_MAC_LEN];
	const json_t *v;
	size_t i;
	int rc;

	p->macs = xcalloc(json_array_size(list), sizeof *p->macs);
	json_array_foreach(list, i, v) {
		if (!json_is_string(v))
			return err_set(e, EINVAL, "static-macs: an address is a text");
		rc = read_one(json_string_value(v), &p->macs[i], e);
		if (rc)
			return rc;
		p->n_macs++;
	}
	if (p->n_macs)
		qsort(p->macs, p->n_macs, sizeof *p->macs, by_vid_and_mac);
	for (i = 0; i < p->n_macs; i++) {
		if (i && !by_vid_and_mac(&p->macs[i - 1], &p->macs[i]))
			return err_set(e, EEXIST, "static-macs: %s is there twice", conf_mac_format(&p->macs[i], text));
		if (!carries(p, p->macs[i].vid))
			return err_set(e, EINVAL, "static-macs: %s: the port does not carry VLAN %u",
				       conf_mac_format(&p->macs[i], text), p->macs[i].vid);
	}
	return 0;
}

int
conf_macs_read(const json_t *v, struct conf_port *p, struct err *e)
{
	json_t *list;
	int rc;

	if (!v)
		return 0;
	list = as_list(v);
	if (!list)
		return err_set(e, EINVAL, "static-macs: a list of addresses is needed");
	rc = read_list(list, p, e);
	json_decref(list);
	return rc;
}

json_t *
conf_macs_doc(const struct conf_port *p)
{
	json_t *list = json_array();
	char text[CONF_MAC_LEN];

	for (unsigned i = 0; i < p->n_macs; i++)
		json_array_append_new(list, json_string(conf_mac_format(&p->macs[i], text)));
	return list;
}

bool
conf_port_has_mac(const struct conf_port *p, const struct conf_mac *m)
{
	return p->n_macs && bsearch(m, p->macs, p->n_macs, sizeof *m, by_vid_and_mac);
}

/* --- All of a bridge --------------------------------------------------------------------------- */

struct owned {
	struct conf_mac mac;            /* First: by_vid_and_mac() sorts these as well. */
	const struct conf_port *port;
};

static int
find_doubles(const struct conf_bridge *b, const struct owned *all, unsigned n, struct err *e)
{
	char text[CONF_MAC_LEN];

	for (unsigned i = 1; i < n; i++) {
		const struct owned *x = &all[i - 1], *y = &all[i];

		if (by_vid_and_mac(x, y))
			continue;
		return err_set(e, EEXIST, "bridges.%s.ports.%s: static-macs: %s is a static address of port %s",
			       b->name, y->port->name, conf_mac_format(&y->mac, text), x->port->name);
	}
	return 0;
}

int
conf_macs_check(const struct conf_bridge *b, struct err *e)
{
	struct owned *all;
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < b->n_ports; i++)
		n += b->ports[i].n_macs;
	if (!n)
		return 0;
	if (n > b->ofp.mac_limit)
		return err_set(e, ENOSPC, "bridges.%s: %u static addresses are more than its mac-limit, %u", b->name, n,
			       b->ofp.mac_limit);
	all = xcalloc(n, sizeof *all);
	n = 0;
	for (unsigned i = 0; i < b->n_ports; i++)
		for (unsigned j = 0; j < b->ports[i].n_macs; j++)
			all[n++] = (struct owned){ b->ports[i].macs[j], &b->ports[i] };
	qsort(all, n, sizeof *all, by_vid_and_mac);
	rc = find_doubles(b, all, n, e);
	free(all);
	return rc;
}
