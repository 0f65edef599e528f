/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that edit the configuration.  Each copies the document, edits the copy and hands it to
 * sw_apply(), which checks it whole: what is a valid option or value is not known here.  The answer
 * comes when no packet follows the old configuration any more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/sw.h"
#include "tunnels/tun.h"

/* --- The document -------------------------------------------------------------------------------- */

static json_t *
bridges_of(const json_t *doc)
{
	return json_object_get(doc, "bridges");
}

static json_t *
ports_of(const json_t *doc, const char *bridge)
{
	return json_object_get(json_object_get(bridges_of(doc), bridge), "ports");
}

/* The bridge that holds 'port', or NULL. */
static const char *
bridge_of(const json_t *doc, const char *port)
{
	const char *name;
	json_t *bridge;

	json_object_foreach(bridges_of(doc), name, bridge)
		if (json_object_get(json_object_get(bridge, "ports"), port))
			return name;
	return NULL;
}

static bool
is_tunnel(const json_t *port)
{
	const char *type = json_string_value(json_object_get(port, "type"));

	return type && tun_type_find(type);
}

/* Writes the options over those of 'obj'; null takes one away. */
static void
merge_options(json_t *obj, const json_t *options)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)options, key, v) {
		if (json_is_null(v))
			json_object_del(obj, key);
		else
			json_object_set_new(obj, key, json_deep_copy(v));
	}
}

/* --- Applying ------------------------------------------------------------------------------------- */

static void
on_applied(void *arg, int rc)
{
	struct ctl_req *r = arg;
	json_t *result;

	if (rc) {
		ctl_refuse_fmt(r, NULL, -rc, "the change was accepted but did not become effective: %s", strerror(-rc));
		return;
	}
	result = json_object();
	ctl_set_num(result, "generation", sw_generation(ctl_sw(r)));
	ctl_reply(r, result);
}

void
ctl_apply(struct ctl_req *r, json_t *doc, const char *path)
{
	struct err e = { 0 };
	int rc = sw_apply(ctl_sw(r), doc, ctl_num(r, "generation", 0), on_applied, r, &e);

	json_decref(doc);
	if (rc)
		ctl_refuse(r, path, &e);
}

json_t *
ctl_draft(struct ctl_req *r)
{
	json_t *doc = json_deep_copy(sw_conf(ctl_sw(r)));

	if (!bridges_of(doc))
		json_object_set_new(doc, "bridges", json_object());
	return doc;
}

static const char *
path_of(char buf[600], const char *bridge, const char *port)
{
	if (port)
		snprintf(buf, 600, "bridges.%s.ports.%s", bridge, port);
	else
		snprintf(buf, 600, "bridges.%s", bridge);
	return buf;
}

/* --- Bridges ---------------------------------------------------------------------------------------- */

static void
bridge_add(struct ctl_req *r)
{
	const char *name = ctl_str(r, "bridge");
	json_t *doc, *bridge;
	char path[600];

	if (json_object_get(bridges_of(sw_conf(ctl_sw(r))), name)) {
		ctl_refuse_fmt(r, path_of(path, name, NULL), EEXIST, "bridge '%s' exists already", name);
		return;
	}
	doc = ctl_draft(r);
	bridge = json_object();
	merge_options(bridge, ctl_param(r, "options"));
	json_object_set_new(bridge, "ports", json_object());
	json_object_set_new(bridges_of(doc), name, bridge);
	ctl_apply(r, doc, path_of(path, name, NULL));
}

static void
bridge_del(struct ctl_req *r)
{
	const char *name = ctl_str(r, "bridge");
	uint16_t id;
	json_t *doc;
	char path[600];

	if (!ctl_need_bridge(r, name, &id))
		return;
	doc = ctl_draft(r);
	json_object_del(bridges_of(doc), name);
	ctl_apply(r, doc, path_of(path, name, NULL));
}

static void
bridge_set(struct ctl_req *r)
{
	const char *name = ctl_str(r, "bridge");
	uint16_t id;
	json_t *doc;
	char path[600];

	if (!ctl_need_bridge(r, name, &id))
		return;
	if (json_object_get(ctl_param(r, "options"), "ports")) {
		ctl_refuse_fmt(r, path_of(path, name, NULL), EINVAL, "'ports' is no option: see port add and port del");
		return;
	}
	doc = ctl_draft(r);
	merge_options(json_object_get(bridges_of(doc), name), ctl_param(r, "options"));
	ctl_apply(r, doc, path_of(path, name, NULL));
}

/* --- Ports and tunnels ------------------------------------------------------------------------------- */

/* Tunnels are ports; their commands refuse other ports, and say which command to use. */
static bool
wrong_kind(struct ctl_req *r, const char *path, const json_t *port, bool tunnel)
{
	const char *type = json_string_value(json_object_get(port, "type"));

	char all[200] = "";

	if (!tunnel || !type || is_tunnel(port))
		return false;
	for (unsigned i = 0, used = 0; tun_types[i] && used < sizeof all; i++)
		used += (unsigned)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", tun_types[i]->name);
	ctl_refuse_fmt(r, path, EINVAL, "type '%.64s' is no tunnel, which are %s; for other ports use the port command", type, all);
	return true;
}

static void
add(struct ctl_req *r, bool tunnel)
{
	const char *bridge = ctl_str(r, "bridge"), *name = ctl_str(r, "port"), *other;
	const json_t *options = ctl_param(r, "options");
	json_t *doc, *port;
	char path[600];
	uint16_t id;

	if (!ctl_need_bridge(r, bridge, &id))
		return;
	path_of(path, bridge, name);
	other = bridge_of(sw_conf(ctl_sw(r)), name);
	if (other) {
		ctl_refuse_fmt(r, path, EEXIST, "port '%s' exists already, in bridge %s", name, other);
		return;
	}
	if (wrong_kind(r, path, options, tunnel))
		return;
	doc = ctl_draft(r);
	port = json_object();
	merge_options(port, options);
	if (!ports_of(doc, bridge))
		json_object_set_new(json_object_get(bridges_of(doc), bridge), "ports", json_object());
	json_object_set_new(ports_of(doc, bridge), name, port);
	ctl_apply(r, doc, path);
}

/* The draft with the port that the request names, NULL when it was refused. */
static json_t *
draft_of_port(struct ctl_req *r, bool tunnel, char path[600], json_t **ports)
{
	const char *name = ctl_str(r, "port"), *bridge;
	json_t *doc;
	uint16_t id;

	if (!ctl_need_port(r, name, &id))
		return NULL;
	doc = ctl_draft(r);
	bridge = bridge_of(doc, name);
	if (!bridge) {
		/* The switch has ports of its own, for underlays, that no document holds. */
		ctl_refuse_fmt(r, NULL, EPERM, "port '%s' is made by weftd itself and cannot be changed", name);
		json_decref(doc);
		return NULL;
	}
	*ports = ports_of(doc, bridge);
	path_of(path, bridge, name);
	if (!wrong_kind(r, path, json_object_get(*ports, name), tunnel))
		return doc;
	json_decref(doc);
	return NULL;
}

static void
del(struct ctl_req *r, bool tunnel)
{
	char path[600];
	json_t *ports, *doc = draft_of_port(r, tunnel, path, &ports);

	if (!doc)
		return;
	json_object_del(ports, ctl_str(r, "port"));
	ctl_apply(r, doc, path);
}

static void
set(struct ctl_req *r, bool tunnel)
{
	char path[600];
	json_t *ports, *doc = draft_of_port(r, tunnel, path, &ports);

	if (!doc)
		return;
	merge_options(json_object_get(ports, ctl_str(r, "port")), ctl_param(r, "options"));
	ctl_apply(r, doc, path);
}

static void
port_add(struct ctl_req *r)
{
	add(r, false);
}

static void
port_del(struct ctl_req *r)
{
	del(r, false);
}

static void
port_set(struct ctl_req *r)
{
	set(r, false);
}

static void
tunnel_add(struct ctl_req *r)
{
	add(r, true);
}

static void
tunnel_del(struct ctl_req *r)
{
	del(r, true);
}

static void
tunnel_set(struct ctl_req *r)
{
	set(r, true);
}

/* --- VLANs ------------------------------------------------------------------------------------------- */

/* Sets all three options together, so that no remainder of the old mode stays. */
static void
vlan_set(struct ctl_req *r)
{
	static const char *const keys[] = { "vlan-mode", "tag", "trunks" };
	const char *mode = ctl_str(r, "mode");
	char path[600];
	json_t *ports, *port, *doc = draft_of_port(r, false, path, &ports);

	if (!doc)
		return;
	port = json_object_get(ports, ctl_str(r, "port"));
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_del(port, keys[i]);
	if (strcmp(mode, "none"))
		json_object_set_new(port, "vlan-mode", json_string(mode));
	for (unsigned i = 1; i < ARRAY_SIZE(keys); i++)
		if (ctl_param(r, keys[i]))
			json_object_set(port, keys[i], (json_t *)ctl_param(r, keys[i]));
	ctl_apply(r, doc, path);
}

/* --- Whole documents --------------------------------------------------------------------------------- */

/* The diff and the generation it holds for. */
static json_t *
changes(struct ctl_req *r, struct err *e)
{
	json_t *rows = sw_diff(ctl_sw(r), ctl_param(r, "document"), e), *result;

	if (!rows)
		return NULL;
	result = json_object();
	json_object_set_new(result, "changes", rows);
	ctl_set_num(result, "generation", sw_generation(ctl_sw(r)));
	return result;
}

static void
config_diff(struct ctl_req *r)
{
	struct err e = { 0 };
	json_t *result = changes(r, &e);

	if (result)
		ctl_reply(r, result);
	else
		ctl_refuse(r, "document", &e);
}

/* A whole document replaces everything, so it has to say that it is one: "{}" from a script gone wrong does not
 * mean "remove all".  Documents in files are the operator's own, and an empty one is an empty switch. */
static void
config_apply(struct ctl_req *r)
{
	const json_t *doc = ctl_param(r, "document");

	if (json_is_object(doc) && !json_object_get(doc, "version")) {
		ctl_refuse_fmt(r, "document", EINVAL, "version is missing: a whole document starts { \"version\": 1, ... }");
		return;
	}
	ctl_apply(r, json_incref((json_t *)ctl_param(r, "document")), "document");
}

static void
config_export(struct ctl_req *r)
{
	json_t *result = json_object();

	json_object_set_new(result, "document", json_deep_copy(sw_conf(ctl_sw(r))));
	ctl_set_num(result, "generation", sw_generation(ctl_sw(r)));
	ctl_reply(r, result);
}

/* --- Tables ------------------------------------------------------------------------------------------ */

#define GENERATION CTL_GENERATION_PARAM
#define BRIDGE { .name = "bridge", .kind = CTL_STR, .required = true, .help = "name of a bridge" }
#define PORT { .name = "port", .kind = CTL_STR, .required = true, .help = "name of a port" }
#define OPTIONS(need) { .name = "options", .kind = CTL_OPTIONS, .required = need, .help = "options and their values" }
#define DOCUMENT { .name = "document", .kind = CTL_DOCUMENT, .required = true, .help = "a whole configuration" }

static const char *const vlan_modes[] = {
	"none", "trunk", "access", "native-tagged", "native-untagged", NULL
};

static const struct ctl_param bridge_add_params[] = { BRIDGE, OPTIONS(false), GENERATION, { 0 } };
static const struct ctl_param bridge_del_params[] = { BRIDGE, GENERATION, { 0 } };
static const struct ctl_param bridge_set_params[] = { BRIDGE, OPTIONS(true), GENERATION, { 0 } };
static const struct ctl_param add_params[] = { BRIDGE, PORT, OPTIONS(true), GENERATION, { 0 } };
static const struct ctl_param del_params[] = { PORT, GENERATION, { 0 } };
static const struct ctl_param set_params[] = { PORT, OPTIONS(true), GENERATION, { 0 } };
static const struct ctl_param vlan_params[] = {
	PORT,
	{ .name = "mode", .kind = CTL_STR, .required = true, .words = vlan_modes,
	  .help = "none, trunk, access, native-tagged or native-untagged" },
	{ .name = "tag", .kind = CTL_U32, .max = 4094, .help = "the port's own VLAN" },
	{ .name = "trunks", .kind = CTL_STR, .help = "the VLANs that pass tagged: 10,20-29" },
	GENERATION, { 0 }
};
static const struct ctl_param apply_params[] = { DOCUMENT, GENERATION, { 0 } };
static const struct ctl_param diff_params[] = { DOCUMENT, { 0 } };
static const struct ctl_param no_params[] = { { 0 } };

const struct ctl_method ctl_conf_methods[] = {
	{ "bridge.add", bridge_add_params, bridge_add, "adds a bridge", "{\"bridge\": \"br0\"}" },
	{ "bridge.del", bridge_del_params, bridge_del, "removes a bridge with all its ports", "{\"bridge\": \"br0\"}" },
	{ "bridge.set", bridge_set_params, bridge_set, "changes options of a bridge",
	  "{\"bridge\": \"br0\", \"options\": {\"mac-age\": 600}}" },
	{ "port.add", add_params, port_add, "adds a port to a bridge",
	  "{\"bridge\": \"br0\", \"port\": \"vm1\", \"options\": {\"type\": \"vhost-user\", \"tag\": 10}}" },
	{ "port.del", del_params, port_del, "removes a port", "{\"port\": \"vm1\"}" },
	{ "port.set", set_params, port_set, "changes options of a port; null takes one away",
	  "{\"port\": \"vm1\", \"options\": {\"tag\": 20, \"protected\": null}}" },
	{ "tunnel.add", add_params, tunnel_add, "adds a tunnel to a bridge",
	  "{\"bridge\": \"br0\", \"port\": \"vx0\", \"options\": "
	  "{\"type\": \"vxlan\", \"vni\": 5000, \"remote\": [\"172.16.0.2\"]}}" },
	{ "tunnel.del", del_params, tunnel_del, "removes a tunnel", "{\"port\": \"vx0\"}" },
	{ "tunnel.set", set_params, tunnel_set, "changes options of a tunnel",
	  "{\"port\": \"vx0\", \"options\": {\"remote\": [\"172.16.0.2\", \"172.16.0.3\"]}}" },
	{ "vlan.set", vlan_params, vlan_set, "sets how a port treats VLANs",
	  "{\"port\": \"vm1\", \"mode\": \"access\", \"tag\": 10}" },
	{ "config.apply", apply_params, config_apply, "makes the switch match a whole configuration",
	  "{\"document\": {\"version\": 1, \"bridges\": {}}}" },
	{ "config.diff", diff_params, config_diff, "says what config.apply would change",
	  "{\"document\": {\"version\": 1, \"bridges\": {}}}" },
	{ "config.export", no_params, config_export, "gives the present configuration", "{}" },
	{ 0 }
};
