/* SPDX-License-Identifier: Apache-2.0 */
/* Static addresses of the document on their way into the MAC tables. */
#include "base/log.h"
#include "ctl/sw_priv.h"

/* A refusal is our bug: the document was checked. */
static void
must(int rc, const struct conf_port *c, const struct conf_mac *m, const struct err *e)
{
	char text[CONF_MAC_LEN];

	if (rc)
		log_err("port %s: static address %s: %s", c->name, conf_mac_format(m, text), e->msg);
}

void
sw_macs_del(struct sw *sw, const struct conf_port *was, const struct conf_port *c, const struct sw_port *p)
{
	struct err e = { 0 };

	for (unsigned i = 0; i < was->n_macs; i++) {
		const struct conf_mac *m = &was->macs[i];

		if (!conf_port_has_mac(c, m))
			must(ofp_mac_del(sw->ofp, p->bridge->id, m->vid, m->mac, &e), was, m, &e);
	}
}

void
sw_macs_add(struct sw *sw, const struct conf_port *was, const struct conf_port *c, const struct sw_port *p)
{
	struct err e = { 0 };

	for (unsigned i = 0; i < c->n_macs; i++) {
		const struct conf_mac *m = &c->macs[i];

		if (!was || !conf_port_has_mac(was, m))
			must(ofp_mac_add(sw->ofp, p->bridge->id, m->vid, m->mac, p->id, &e), c, m, &e);
	}
}
