/* SPDX-License-Identifier: Apache-2.0 */
/* The live state of the switch as JSON: what `weftctl show` prints. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ports.h"
#include "ctl/refused.h"
#include "ctl/sw_priv.h"

static void
put_str(json_t *o, const char *key, const char *s)
{
	/* Reasons quote what others said: json_string() refuses what is not UTF-8. */
	json_t *v = json_string(s);

	json_object_set_new(o, key, v ? v : json_string("(not text)"));
}

static void
put_num(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static void
put_mac(json_t *o, const char *key, struct mac m)
{
	char buf[MAC_STR_LEN];

	if (!mac_is_zero(m))
		put_str(o, key, mac_format(m, buf));
}

static void
put_ip(json_t *o, const char *key, struct ipaddr a)
{
	char buf[IP_STR_LEN];

	if (!ip_is_none(&a))
		put_str(o, key, ip_format(a, buf));
}

static json_t *
stats_of(const struct sw *sw, uint16_t id)
{
	json_t *o = json_object(), *drops = json_object();
	struct dp_port_stats s;

	dp_port_stats(sw->dp, id, &s);
	put_num(o, "rx_packets", s.rx_packets);
	put_num(o, "rx_bytes", s.rx_bytes);
	put_num(o, "tx_packets", s.tx_packets);
	put_num(o, "tx_bytes", s.tx_bytes);
	for (unsigned i = 1; i < DP_N_DROPS; i++)
		if (s.drops[i])
			put_num(drops, dp_drop_info[i].name, s.drops[i]);
	json_object_set_new(o, "drops", drops);
	return o;
}

/* "access 10", "trunk", "native-untagged 5, trunks 10-20". */
static void
put_vlan(json_t *o, const struct ofp_port_conf *c)
{
	const struct opt_desc *mode = opt_find(ofp_port_opts, "vlan-mode"), *trunks = opt_find(ofp_port_opts, "trunks");
	static char list[CONF_TEXT_MAX], text[CONF_TEXT_MAX + 64];
	int n = snprintf(text, sizeof text, "%s", mode->names[c->vlan_mode]);

	if (c->tag)
		n += snprintf(text + n, sizeof text - (size_t)n, " %u", c->tag);
	if (opt_get(trunks, c, list, sizeof list))
		snprintf(text + n, sizeof text - (size_t)n, "%s%s", c->tag ? ", trunks " : " ", list);
	put_str(o, "vlan", text);
}

static json_t *
bfd_state(const struct underlay_bfd *b)
{
	json_t *o = json_object(), *bad = json_object();

	put_str(o, "state", b->state);
	put_str(o, "remote_state", b->remote_state);
	put_str(o, "diag", b->diag);
	put_str(o, "remote_diag", b->remote_diag);
	put_num(o, "tx_interval_ms", b->tx_ms);
	put_num(o, "detection_ms", b->detect_ms);
	put_num(o, "rx_packets", b->rx);
	put_num(o, "tx_packets", b->tx);
	put_num(o, "changes", b->changes);
	for (unsigned i = 1; i < BFD_N_BAD; i++)
		if (b->bad[i])
			put_num(bad, bfd_bad_names[i], b->bad[i]);
	json_object_set_new(o, "bad", bad);
	return o;
}

/* Of a remote that is reached by several equal ways. */
static json_t *
hops_state(const struct sw *sw, const struct underlay_remote *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_hops; i++) {
		const struct underlay_hop *h = &r->hop[i];
		json_t *o = json_object();

		put_ip(o, "next_hop", h->next_hop);
		put_mac(o, "next_hop_mac", h->mac);
		put_str(o, "via", h->via_port ? sw_port_name(sw, h->via_port) : h->via);
		put_str(o, "state", h->state_name);
		put_num(o, "weight", h->weight);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
remote_state(const struct sw *sw, const struct underlay_remote *r)
{
	json_t *o = json_object();

	put_ip(o, "remote", r->remote);
	put_str(o, "state", r->state_name);
	put_str(o, "reason", r->reason);
	put_ip(o, "local", r->local);
	put_ip(o, "next_hop", r->next_hop);
	put_mac(o, "next_hop_mac", r->next_hop_mac);
	put_str(o, "via", r->via_port ? sw_port_name(sw, r->via_port) : r->via);
	put_num(o, "dst", r->dst);
	if (r->n_hops)
		json_object_set_new(o, "next_hops", hops_state(sw, r));
	if (r->mac_changes)
		put_num(o, "mac_changes", r->mac_changes);
	if (r->mac_held)
		put_num(o, "mac_held", r->mac_held);
	if (r->learned)
		json_object_set_new(o, "learned", json_true());
	if (r->bfd.on)
		json_object_set_new(o, "bfd", bfd_state(&r->bfd));
	if (r->mtu)
		put_num(o, "mtu", r->mtu);
	if (r->max_frame)
		put_num(o, "max_frame", r->max_frame);
	return o;
}

struct remotes {
	const struct sw *sw;
	json_t *list;
};

static void
add_learned(void *arg, const struct underlay_remote *r)
{
	struct remotes *l = arg;

	json_array_append_new(l->list, remote_state(l->sw, r));
}

/* With remotes that are set per flow a tunnel is up while it listens. */
static void
put_flow_tunnel(json_t *o, json_t *t, const struct sw *sw, const struct sw_port *p, json_t *remotes)
{
	struct remotes l = { sw, remotes };
	const char *deaf = underlay_deaf(sw->ul, p->id);

	json_object_set_new(t, "flow", json_true());
	put_num(t, "learned", underlay_learned(sw->ul, p->id, add_learned, &l));
	json_object_set_new(o, "up", json_boolean(!*deaf));
	put_str(o, "reason", deaf);
}

/* A tunnel is up while one of its remotes can be reached; the reason is that of the first that cannot. */
static void
put_tunnel(json_t *o, const struct sw *sw, const struct sw_port *p, const struct conf_port *c)
{
	const struct tun_conf *tc = c->opts;
	struct underlay_remote r[OPT_LIST_MAX];
	unsigned n = underlay_remotes(sw->ul, p->id, r);
	json_t *t = json_object(), *remotes = json_array();
	const char *reason = "";
	bool up = false;

	if (tun_key_is_flow(tc))
		put_str(t, "key", "flow");
	else
		put_num(t, "key", tc->key);
	if (tc->vlans.n)
		put_num(t, "mapped_vlans", opt_map_size(&tc->vlans));
	put_str(t, "key_name", c->tun->key_name ? c->tun->key_name : "key");
	if (!tun_local_is_flow(tc))
		put_ip(t, "local", tc->local);
	put_num(t, "udp_port", tc->dst_port);
	for (unsigned i = 0; i < n; i++) {
		bool silent = r[i].bfd.on && !r[i].bfd.up;

		up |= !silent && (r[i].state == TUN_DST_READY || r[i].state == TUN_DST_RESOLVING);
		if (!*reason && silent && r[i].state == TUN_DST_READY)
			reason = "BFD: no remote answers";
		if (!*reason && r[i].state != TUN_DST_READY)
			reason = r[i].reason;
		json_array_append_new(remotes, remote_state(sw, &r[i]));
	}
	json_object_set_new(t, "remotes", remotes);
	json_object_set_new(o, "tunnel", t);
	json_object_set_new(o, "up", json_boolean(up));
	put_str(o, "reason", reason);
	if (tun_remote_is_flow(tc))
		put_flow_tunnel(o, t, sw, p, remotes);
}

static void
put_link(json_t *o, const struct port_link *l)
{
	json_object_set_new(o, "up", json_boolean(l->up));
	put_str(o, "reason", l->reason);
	put_str(o, "detail", l->detail);
	if (l->mtu)
		put_num(o, "mtu", l->mtu);
	put_mac(o, "mac", l->mac);
	if (l->resets)
		put_num(o, "resets", l->resets);
}

static json_t *
port_state(const struct sw *sw, const struct conf_port *c)
{
	const struct sw_port *p = sw_find_port(sw, c->name);
	json_t *o = json_object();

	put_str(o, "name", c->name);
	put_num(o, "id", p->id);
	put_num(o, "of_port", ofp_port_no(sw->ofp, p->id));
	put_str(o, "type", conf_port_type_name(c));
	put_link(o, &p->link);
	put_vlan(o, &c->ofp);
	json_object_set_new(o, "protected", json_boolean(c->ofp.protected_port));
	put_num(o, "macs", ofp_port_n_macs(sw->ofp, p->id));
	if (c->tun)
		put_tunnel(o, sw, p, c);
	json_object_set_new(o, "stats", stats_of(sw, p->id));
	return o;
}

static json_t *
mac_state(const struct sw *sw, uint16_t bridge)
{
	json_t *o = json_object();
	struct ofp_mac_stats s;

	ofp_mac_stats(sw->ofp, bridge, &s);
	put_num(o, "n", s.n);
	put_num(o, "static", s.n_static);
	put_num(o, "limit", s.limit);
	put_num(o, "learned", s.learned);
	put_num(o, "moved", s.moved);
	put_num(o, "aged", s.aged);
	put_num(o, "flushed", s.flushed);
	put_num(o, "refused", s.refused);
	return o;
}

static json_t *
bridge_state(const struct sw *sw, const struct conf_bridge *c)
{
	const struct sw_bridge *b = sw_find_bridge(sw, c->name);
	json_t *o = json_object(), *ports = json_array();

	put_str(o, "name", c->name);
	put_num(o, "id", b->id);
	put_mac(o, "hwaddr", ofp_bridge_hwaddr(sw->ofp, b->id));
	put_num(o, "mac_age", c->ofp.mac_age);
	json_object_set_new(o, "macs", mac_state(sw, b->id));
	json_object_set_new(o, "openflow", sw_of_state(sw, b, c));
	for (unsigned i = 0; i < c->n_ports; i++)
		json_array_append_new(ports, port_state(sw, &c->ports[i]));
	json_object_set_new(o, "ports", ports);
	return o;
}

static json_t *
implicit_state(const struct sw *sw, const struct sw_port *p)
{
	json_t *o = json_object();

	put_str(o, "name", p->name);
	put_num(o, "port", p->id);
	put_str(o, "type", p->type->name);
	put_link(o, &p->link);
	json_object_set_new(o, "stats", stats_of(sw, p->id));
	return o;
}

/* What the next hops of tunnels have cost. */
static json_t *
neighbours_state(const struct sw *sw)
{
	struct underlay_stats st;
	json_t *o = json_object();

	underlay_stats(sw->ul, &st);
	put_num(o, "known", st.neighbours);
	put_num(o, "asked", st.asked);
	put_num(o, "put_off", st.put_off);
	put_num(o, "mac_changes", st.changes);
	put_num(o, "mac_held", st.held);
	return o;
}

json_t *
sw_state(const struct sw *sw)
{
	json_t *state = json_object(), *bridges = json_array(), *under = json_array();

	for (unsigned i = 0; i < sw->conf->n_bridges; i++)
		json_array_append_new(bridges, bridge_state(sw, &sw->conf->bridges[i]));
	for (unsigned i = 1; i < DP_MAX_PORTS; i++)
		if (sw->port[i] && sw->port[i]->implicit)
			json_array_append_new(under, implicit_state(sw, sw->port[i]));
	put_num(state, "generation", sw->generation);
	json_object_set_new(state, "bridges", bridges);
	json_object_set_new(state, "underlay", under);
	json_object_set_new(state, "neighbours", neighbours_state(sw));
	return state;
}

static json_t *
refused_one(const struct sw *sw, const struct refused_row *w, uint64_t now)
{
	const struct dp_refusal *p = &w->what;
	const struct sw_port *port = p->port < DP_MAX_PORTS ? sw->port[p->port] : NULL;
	const struct tun_type *type = p->type ? p->type : port ? port->tun : NULL;
	json_t *o = json_object();

	put_str(o, "reason", dp_drop_info[p->why].name);
	if (type)
		put_str(o, "type", type->name);
	if (!w->many_remotes)
		put_ip(o, "remote", p->src);
	put_ip(o, "local", p->dst);
	if (p->keyed && !w->many_keys)
		put_num(o, "key", p->key);
	json_object_set_new(o, "many_remotes", json_boolean(w->many_remotes));
	json_object_set_new(o, "many_keys", json_boolean(w->many_keys));
	if (p->underlay)
		put_str(o, "underlay", sw_port_name(sw, p->underlay));
	if (p->port)
		put_str(o, "port", sw_port_name(sw, p->port));
	put_num(o, "packets", w->packets);
	put_num(o, "first_ms_ago", now - w->first_ms);
	put_num(o, "last_ms_ago", now - w->last_ms);
	return o;
}

json_t *
sw_refused(const struct sw *sw)
{
	uint64_t now = clock_ms();
	json_t *list = json_array();
	const struct refused_row *w;
	unsigned n;

	w = refused_rows(sw->refused, &n);
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, refused_one(sw, &w[i], now));
	return list;
}
