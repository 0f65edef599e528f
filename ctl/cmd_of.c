/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on a bridge's OpenFlow controllers: who they are is part of the document; how they are is the agent's to
 * say. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/sw.h"
#include "ofproto/agent.h"

/* --- Configuration -------------------------------------------------------------------------------------- */

/* The draft and the bridge in it that the request names; NULL: refused. */
static json_t *
draft_of_bridge(struct ctl_req *r, json_t **bridge, char path[400])
{
	const char *name = ctl_str(r, "bridge");
	json_t *doc;
	uint16_t id;

	if (!ctl_need_bridge(r, name, &id))
		return NULL;
	doc = ctl_draft(r);
	*bridge = json_object_get(json_object_get(doc, "bridges"), name);
	snprintf(path, 400, "bridges.%s", name);
	return doc;
}

static void
controller_set(struct ctl_req *r)
{
	json_t *bridge, *doc, *list;
	char path[400];

	doc = draft_of_bridge(r, &bridge, path);
	if (!doc)
		return;
	list = json_array();
	for (size_t i = 0; ctl_text(r, "targets", i); i++)
		json_array_append_new(list, json_string(ctl_text(r, "targets", i)));
	json_object_set_new(bridge, "controllers", list);
	if (ctl_str(r, "fail-mode"))
		json_object_set_new(bridge, "fail-mode", json_string(ctl_str(r, "fail-mode")));
	ctl_apply(r, doc, path);
}

/* Index of a text in a list, -1: not there. */
static int
index_of(const json_t *list, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), text))
			return (int)i;
	return -1;
}

static void
controller_del(struct ctl_req *r)
{
	const char *target;
	json_t *bridge, *doc, *list;
	char path[400];

	doc = draft_of_bridge(r, &bridge, path);
	if (!doc)
		return;
	list = json_object_get(bridge, "controllers");
	for (size_t i = 0; (target = ctl_text(r, "targets", i)); i++) {
		int at = index_of(list, target);

		if (at < 0) {
			ctl_refuse_fmt(r, path, ENOENT, "bridge %s has no controller '%.200s'%s", ctl_str(r, "bridge"), target,
				       json_array_size(list) ? ": see controller show" : ", and no other");
			json_decref(doc);
			return;
		}
		json_array_remove(list, (size_t)at);
	}
	if (!json_array_size(list) || !ctl_param(r, "targets"))
		json_object_del(bridge, "controllers");
	ctl_apply(r, doc, path);
}

/* --- State ---------------------------------------------------------------------------------------------- */

static const char *
role_name(uint32_t role)
{
	static const char *const names[] = {
		[OFR_NOCHANGE] = "other", [OFR_EQUAL] = "equal", [OFR_MASTER] = "master", [OFR_SLAVE] = "slave",
	};

	return role < ARRAY_SIZE(names) ? names[role] : "other";
}

static void
add_conn(void *arg, const struct of_conn_info *c)
{
	json_t *row = json_object();

	ctl_set_num(row, "id", c->id);
	ctl_set_str(row, "target", c->target);
	ctl_set_str(row, "state", c->state);
	json_object_set_new(row, "connected", json_boolean(c->connected));
	json_object_set_new(row, "configured", json_boolean(c->configured));
	if (c->version >= OF10 && c->version <= OF15) {
		char text[20];

		snprintf(text, sizeof text, "OpenFlow1%d", c->version - OF10);
		ctl_set_str(row, "version", text);
	}
	if (c->connected)
		ctl_set_str(row, "role", role_name(c->role));
	if (c->last_error)
		ctl_set_str(row, "last_error", c->last_error);
	ctl_set_num(row, "since_ms", c->since_ms);
	if (c->connected_ms_ago >= 0)
		ctl_set_num(row, "connected_ms_ago", (uint64_t)c->connected_ms_ago);
	ctl_set_num(row, "received", c->rx);
	ctl_set_num(row, "sent", c->tx);
	ctl_set_num(row, "packet_ins", c->packet_ins);
	ctl_set_num(row, "packet_ins_dropped", c->packet_ins_dropped);
	ctl_set_num(row, "errors", c->errors);
	ctl_set_num(row, "queued_bytes", c->tx_queue_bytes);
	json_array_append_new(arg, row);
}

static json_t *
bridge_row(struct ctl_req *r, const char *name, const json_t *conf)
{
	struct of_agent *agent = sw_agent(ctl_sw(r));
	json_t *row = json_object(), *conns = json_array();
	const json_t *mode = json_object_get(conf, "fail-mode");
	struct of_agent_bridge_info info;
	uint16_t id = 0;
	char text[20];

	sw_bridge_id(ctl_sw(r), name, &id);
	ctl_set_str(row, "bridge", name);
	ctl_set_str(row, "fail_mode", json_is_string(mode) ? json_string_value(mode) : "standalone");
	if (of_agent_bridge_info(agent, id, &info)) {
		snprintf(text, sizeof text, "%016" PRIx64, info.datapath_id);
		ctl_set_str(row, "datapath_id", text);
		json_object_set_new(row, "failed_open", json_boolean(info.failed_open));
		ctl_set_num(row, "buffers", info.n_buffers_in_use);
	}
	of_agent_conns(agent, id, add_conn, conns);
	json_object_set_new(row, "connections", conns);
	return row;
}

static void
controller_show(struct ctl_req *r)
{
	const char *only = ctl_str(r, "bridge"), *name;
	json_t *result, *list, *conf;
	uint16_t id;

	if (only && !ctl_need_bridge(r, only, &id))
		return;
	result = json_object();
	list = json_array();
	json_object_foreach(json_object_get(sw_conf(ctl_sw(r)), "bridges"), name, conf)
		if (!only || !strcmp(only, name))
			json_array_append_new(list, bridge_row(r, name, conf));
	json_object_set_new(result, "bridges", list);
	ctl_reply(r, result);
}

/* --- Tables --------------------------------------------------------------------------------------------- */

#define BRIDGE { .name = "bridge", .kind = CTL_STR, .required = true, .help = "name of a bridge" }

static const char *const fail_modes[] = { "standalone", "secure", NULL };

static const struct ctl_param set_params[] = {
	BRIDGE,
	{ .name = "targets", .kind = CTL_TEXTS, .required = true, .max = OF_TARGET_MAX,
	  .help = "controllers: tcp:HOST[:PORT], ssl:HOST[:PORT], ptcp:[PORT][:ADDRESS], pssl:..." },
	{ .name = "fail-mode", .kind = CTL_STR, .words = fail_modes, .help = "what to do without one: standalone or secure" },
	CTL_GENERATION_PARAM, { 0 }
};
static const struct ctl_param del_params[] = {
	BRIDGE,
	{ .name = "targets", .kind = CTL_TEXTS, .max = OF_TARGET_MAX, .help = "controllers to remove (default: all)" },
	CTL_GENERATION_PARAM, { 0 }
};
static const struct ctl_param show_params[] = {
	{ .name = "bridge", .kind = CTL_STR, .help = "only this bridge" },
	{ 0 }
};

const struct ctl_method ctl_of_methods[] = {
	{ "controller.set", set_params, controller_set, "sets the OpenFlow controllers of a bridge",
	  "{\"bridge\": \"br0\", \"targets\": [\"tcp:127.0.0.1:6653\"]}" },
	{ "controller.del", del_params, controller_del, "removes OpenFlow controllers from a bridge", "{\"bridge\": \"br0\"}" },
	{ "controller.show", show_params, controller_show, "the OpenFlow connections of bridges and their state",
	  "{\"bridge\": \"br0\"}" },
	{ 0 }
};
