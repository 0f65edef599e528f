/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that tell the live state: the whole tree, or one kind of thing of it as a list. */
#include <rte_version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/cmd.h"
#include "ctl/sw.h"

/* What every answer about the daemon as a whole begins with. */
static void
set_daemon(json_t *obj, const struct ctl_req *r)
{
	const struct dp *dp = sw_dp(ctl_sw(r));
	json_t *lcores = json_array();

	ctl_set_str(obj, "version", WEFT_VERSION);
	ctl_set_num(obj, "uptime_s", (clock_ms() - ctl_start_ms(r)) / 1000);
	ctl_set_num(obj, "generation", sw_generation(ctl_sw(r)));
	for (unsigned i = 0; i < dp_n_lcores(dp); i++) {
		struct dp_lcore_stats st;
		json_t *l = json_object();

		dp_lcore_stats(dp, i, &st);
		ctl_set_num(l, "cpu", st.cpu);
		json_array_append_new(lcores, l);
	}
	json_object_set_new(obj, "lcores", lcores);
	ctl_set_str(obj, "isa", dp_isa_name(dp));
}

/* Keeps the named bridge of a state only. */
static void
keep_bridge(json_t *state, const char *bridge)
{
	json_t *all = json_object_get(state, "bridges"), *b;
	size_t i;

	for (i = json_array_size(all); i-- > 0;) {
		const char *name;

		b = json_array_get(all, i);
		name = json_string_value(json_object_get(b, "name"));
		if (!name || strcmp(name, bridge))
			json_array_remove(all, i);
	}
}

/* The state, of one bridge only when the request names one.  NULL: refused and answered. */
static json_t *
state_of(struct ctl_req *r)
{
	const char *bridge = ctl_str(r, "bridge");
	json_t *state;
	uint16_t id;

	if (bridge && !ctl_need_bridge(r, bridge, &id))
		return NULL;
	state = sw_state(ctl_sw(r));
	if (bridge)
		keep_bridge(state, bridge);
	return state;
}

static void
show(struct ctl_req *r)
{
	json_t *state = state_of(r), *result;

	if (!state)
		return;
	result = json_object();
	set_daemon(result, r);
	json_object_update(result, state);
	json_decref(state);
	ctl_reply(r, result);
}

static void
bridge_list(struct ctl_req *r)
{
	json_t *state = sw_state(ctl_sw(r)), *result = json_object(), *list = json_array(), *b;
	size_t i;

	json_array_foreach(json_object_get(state, "bridges"), i, b) {
		size_t n = json_array_size(json_object_get(b, "ports"));

		json_object_del(b, "ports");
		ctl_set_num(b, "n_ports", n);
		json_array_append(list, b);
	}
	json_decref(state);
	json_object_set_new(result, "bridges", list);
	ctl_reply(r, result);
}

/* The options of a port as the document has them. */
static json_t *
port_conf(struct ctl_req *r, const char *bridge, const char *port)
{
	json_t *b = json_object_get(json_object_get(sw_conf(ctl_sw(r)), "bridges"), bridge);

	return json_object_get(json_object_get(b, "ports"), port);
}

/* One array of ports, each with its bridge and options. */
static void
list_ports(struct ctl_req *r, const char *key, bool tunnels)
{
	json_t *state = state_of(r), *result, *list, *b, *p;
	size_t i, j;

	if (!state)
		return;
	result = json_object();
	list = json_array();
	json_array_foreach(json_object_get(state, "bridges"), i, b) {
		const char *bridge = json_string_value(json_object_get(b, "name"));

		json_array_foreach(json_object_get(b, "ports"), j, p) {
			const char *port = json_string_value(json_object_get(p, "name"));

			if (!bridge || !port || (tunnels && !json_object_get(p, "tunnel")))
				continue;
			json_object_set(p, "bridge", json_object_get(b, "name"));
			if (port_conf(r, bridge, port))
				json_object_set_new(p, "options", json_deep_copy(port_conf(r, bridge, port)));
			json_array_append(list, p);
		}
	}
	json_decref(state);
	json_object_set_new(result, key, list);
	ctl_reply(r, result);
}

static void
port_list(struct ctl_req *r)
{
	list_ports(r, "ports", false);
}

static void
tunnel_list(struct ctl_req *r)
{
	list_ports(r, "tunnels", true);
}

static void
tunnel_refused(struct ctl_req *r)
{
	json_t *result = json_object();

	json_object_set_new(result, "refused", sw_refused(ctl_sw(r)));
	ctl_reply(r, result);
}

static void
vlan_show(struct ctl_req *r)
{
	list_ports(r, "ports", false);
}

static void
version(struct ctl_req *r)
{
	json_t *result = json_object(), *isas = json_array();
	const char *const *isa;

	set_daemon(result, r);
	for (isa = dp_isa_names(); *isa; isa++)
		json_array_append_new(isas, json_string(*isa));
	json_object_set_new(result, "isas", isas);
	ctl_set_str(result, "dpdk", rte_version());
	ctl_set_num(result, "pid", getpid());
	ctl_reply(r, result);
}

static const struct ctl_param bridge_params[] = {
	{ .name = "bridge", .kind = CTL_STR, .help = "only this bridge" },
	{ 0 }
};
static const struct ctl_param no_params[] = { { 0 } };

const struct ctl_method ctl_show_methods[] = {
	{ "show", bridge_params, show, "the tree of bridges, ports and tunnels with their state", "{}" },
	{ "version", no_params, version, "what runs here", "{}" },
	{ "bridge.list", no_params, bridge_list, "all bridges", "{}" },
	{ "port.list", bridge_params, port_list, "all ports with state and options", "{\"bridge\": \"br0\"}" },
	{ "tunnel.list", bridge_params, tunnel_list, "all tunnels with state and options", "{}" },
	{ "tunnel.refused", no_params, tunnel_refused, "who sends tunnel packets that are dropped, newest first", "{}" },
	{ "vlan.show", bridge_params, vlan_show, "the VLAN settings of all ports", "{\"bridge\": \"br0\"}" },
	{ 0 }
};
