/* SPDX-License-Identifier: Apache-2.0 */
/* The message layer and the methods, without a socket: one line in, lines out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/cmd.h"
#include "ctl/rpc_priv.h"
#include "tests/ctl/fake_agent.h"
#include "tests/ctl/rpc_fixture.h"

static void
expect_error(struct fixture *f, int code, const char *part)
{
	json_t *e = json_object_get(f->last, "error");
	const char *msg = json_string_value(json_object_get(e, "message"));

	assert_non_null(e);
	assert_int_equal(json_integer_value(json_object_get(e, "code")), code);
	if (!strstr(msg, part))
		fail_msg("'%s' is not in: %s", part, msg);
}

static void
build_switch(struct fixture *f)
{
	call(f, "bridge.add", "{\"bridge\":\"br0\"}");
	result_of(f);
	call(f, "port.add", "{\"bridge\":\"br0\",\"port\":\"vm1\",\"options\":{\"type\":\"vhost-user\",\"tag\":10}}");
	result_of(f);
	call(f, "port.add", "{\"bridge\":\"br0\",\"port\":\"vm2\",\"options\":{\"type\":\"vhost-user\"}}");
	result_of(f);
	call(f, "tunnel.add", "{\"bridge\":\"br0\",\"port\":\"vx0\",\"options\":{\"type\":\"vxlan\",\"vni\":\"5000\"}}");
	result_of(f);
}

/* --- The protocol --------------------------------------------------------------------------------------- */

static void
what_is_no_request_is_told_so(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{ "{", CTL_E_PARSE }, { "hello", CTL_E_PARSE }, { "{\"a\":1,\"a\":2}", CTL_E_PARSE },
		{ "\"\\ud800\"", CTL_E_PARSE }, { "[1,2", CTL_E_PARSE }, { "\xff\xfe", CTL_E_PARSE },
		{ "1e999", CTL_E_PARSE }, { "99999999999999999999", CTL_E_PARSE },
		{ "[]", CTL_E_REQUEST }, { "1", CTL_E_REQUEST }, { "null", CTL_E_REQUEST }, { "{}", CTL_E_REQUEST },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"show\"}", CTL_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", CTL_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"show\"}", CTL_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\",\"params\":7}", CTL_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\",\"params\":[1,2,3,4,5,6,7,8]}", CTL_E_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\",\"params\":{\"bridge\":[]}}", CTL_E_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\",\"params\":{\"bridge\":\"\"}}", CTL_E_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\"}", CTL_E_PARAMS },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		send_text(f, cases[i].line);
		assert_int_equal(f->n, i + 1);
		expect_error(f, cases[i].code, "");
	}
}

static void
deep_and_wide_messages_are_refused_unparsed(void **state)
{
	struct fixture *f = *state;
	size_t len = 1 << 20;
	char *line = xcalloc(1, len);

	memset(line, '[', len);
	rpc_handle(f->peer, line, len);
	expect_error(f, CTL_E_PARSE, "deep");
	for (size_t i = 0; i < len; i++)
		line[i] = i & 1 ? ',' : '1';
	line[0] = '[';
	rpc_handle(f->peer, line, len);
	expect_error(f, CTL_E_PARSE, "too many values");
	/* Brackets in a text nest nothing. */
	memset(line, '[', len);
	memcpy(line, "[\"\\\"", 4);
	memcpy(line + len - 2, "\"]", 2);
	rpc_handle(f->peer, line, len);
	assert_true(json_is_array(f->last));
	free(line);
}

static void
ids_come_back_as_they_were(void **state)
{
	struct fixture *f = *state;
	static const char *const ids[] = { "1", "-9007199254740993", "1.5", "\"a\\u00e9\"", "null", "\"\"" };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		char line[200];
		json_t *id = json_loads(ids[i], JSON_DECODE_ANY, NULL);

		snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"version\"}", ids[i]);
		send_text(f, line);
		assert_true(json_equal(json_object_get(f->last, "id"), id));
		assert_non_null(json_object_get(f->last, "result"));
		json_decref(id);
	}
}

static void
a_notification_is_carried_out_and_not_answered(void **state)
{
	struct fixture *f = *state;
	uint16_t id;

	send_text(f, "{\"jsonrpc\":\"2.0\",\"method\":\"bridge.add\",\"params\":{\"bridge\":\"br0\"}}");
	send_text(f, "{\"jsonrpc\":\"2.0\",\"method\":\"nonsense\"}");
	fake_sw_run(f->sw);
	assert_int_equal(f->n, 0);
	assert_int_equal(rpc_peer_pending(f->peer), 0);
	assert_true(sw_bridge_id(f->sw, "br0", &id));
}

static void
a_batch_is_answered_in_one_array_in_its_order(void **state)
{
	struct fixture *f = *state;

	send_text(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\",\"params\":[\"br0\"]},"
		     "{\"jsonrpc\":\"2.0\",\"method\":\"bridge.add\",\"params\":[\"br1\"]},"
		     "5,"
		     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"version\"}]");
	assert_int_equal(f->n, 0);
	fake_sw_run(f->sw);
	assert_int_equal(f->n, 1);
	assert_int_equal(json_array_size(f->last), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(f->last, 0), "id")), 1);
	assert_non_null(json_object_get(json_array_get(f->last, 1), "error"));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(f->last, 2), "id")), 2);
}

static void
a_batch_of_notifications_gets_no_answer(void **state)
{
	struct fixture *f = *state;

	send_text(f, "[{\"jsonrpc\":\"2.0\",\"method\":\"version\"},{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]");
	assert_int_equal(f->n, 0);
}

static void
a_batch_stops_when_its_answers_grow_too_long(void **state)
{
	struct fixture *f = *state;
	size_t id_len = 200000, at;
	char *line = xcalloc(1, 40 * 1000 + id_len + 100);
	json_t *first, *last;

	/* A long id comes back with each answer; many of them in one batch would multiply. */
	line[0] = '[';
	at = 1;
	for (unsigned i = 0; i < 999; i++)
		at += snprintf(line + at, 100, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"x\"},", i);
	line[at - 1] = ']';
	rpc_handle(f->peer, line, at);
	assert_int_equal(json_array_size(f->last), 999);
	/* Twenty-five of 200 kB each. */
	free(line);
	line = xcalloc(1, 26 * (id_len + 100));
	line[0] = '[';
	at = 1;
	for (unsigned i = 0; i < 25; i++) {
		at += snprintf(line + at, 100, "%s{\"jsonrpc\":\"2.0\",\"id\":\"", i ? "," : "");
		memset(line + at, 'a', id_len);
		at += id_len;
		at += snprintf(line + at, 100, "\",\"method\":\"version\"}");
	}
	line[at++] = ']';
	rpc_handle(f->peer, line, at);
	first = json_array_get(f->last, 0);
	last = json_array_get(f->last, 24);
	assert_non_null(json_object_get(first, "result"));
	assert_non_null(json_object_get(last, "error"));
	free(line);
}

static void
a_client_that_left_changes_nothing_for_its_request(void **state)
{
	struct fixture *f = *state;
	uint16_t id;

	send_text(f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.add\",\"params\":[\"br0\"]},"
		     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"flow.dump\"}]");
	rpc_peer_close(f->peer);
	f->peer = NULL;
	fake_sw_run(f->sw);
	assert_int_equal(f->n, 0);
	assert_true(sw_bridge_id(f->sw, "br0", &id));
}

static void
an_unknown_word_is_answered_with_the_nearest(void **state)
{
	struct fixture *f = *state;

	build_switch(f);
	call(f, "bridge.dal", "{}");
	expect_error(f, CTL_E_METHOD, "did you mean 'bridge.del'?");
	call(f, "show", "{\"brigde\":\"br0\"}");
	expect_error(f, CTL_E_PARAMS, "did you mean 'bridge'?");
	call(f, "show", "{\"bridge\":\"br1\"}");
	expect_error(f, CTL_E_REFUSED, "did you mean 'br0'?");
	call(f, "port.del", "{\"port\":\"vm3\"}");
	expect_error(f, CTL_E_REFUSED, "did you mean 'vm1'?");
	call(f, "stats", "{\"what\":\"drop\"}");
	expect_error(f, CTL_E_PARAMS, "did you mean 'drops'?");
}

/* --- Methods -------------------------------------------------------------------------------------------- */

static void
success_is_answered_when_it_is_effective(void **state)
{
	struct fixture *f = *state;

	send_text(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"bridge.add\",\"params\":{\"bridge\":\"br0\"}}");
	assert_int_equal(f->n, 0);
	assert_int_equal(rpc_peer_pending(f->peer), 1);
	fake_sw_run(f->sw);
	assert_int_equal(json_integer_value(json_object_get(result_of(f), "generation")), 2);
	assert_int_equal(rpc_peer_pending(f->peer), 0);
}

static void
a_refusal_names_the_place_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;
	json_t *data;

	build_switch(f);
	generation = sw_generation(f->sw);
	call(f, "port.set", "{\"port\":\"vm1\",\"options\":{\"tagg\":20}}");
	expect_error(f, CTL_E_REFUSED, "did you mean 'tag'?");
	data = json_object_get(json_object_get(f->last, "error"), "data");
	assert_string_equal(json_string_value(json_object_get(data, "path")), "bridges.br0.ports.vm1");
	assert_string_equal(json_string_value(json_object_get(data, "name")), "ENOENT");
	call(f, "port.add", "{\"bridge\":\"br0\",\"port\":\"vm1\",\"options\":{\"type\":\"vhost-user\"}}");
	expect_error(f, CTL_E_REFUSED, "exists already, in bridge br0");
	call(f, "bridge.add", "{\"bridge\":\"br0\"}");
	expect_error(f, CTL_E_REFUSED, "exists already");
	call(f, "tunnel.set", "{\"port\":\"vm1\",\"options\":{\"tag\":20}}");
	expect_error(f, CTL_E_REFUSED, "no tunnel");
	call(f, "tunnel.add", "{\"bridge\":\"br0\",\"port\":\"x\",\"options\":{\"type\":\"patch\"}}");
	expect_error(f, CTL_E_REFUSED, "no tunnel");
	call(f, "port.add", "{\"bridge\":\"br0\",\"port\":\"x\",\"options\":{}}");
	expect_error(f, CTL_E_REFUSED, "'type' is missing");
	call(f, "bridge.set", "{\"bridge\":\"br0\",\"options\":{\"ports\":null}}");
	expect_error(f, CTL_E_REFUSED, "no option");
	assert_int_equal(sw_generation(f->sw), generation);
}

static void
options_are_merged_and_null_takes_one_away(void **state)
{
	struct fixture *f = *state;
	json_t *doc, *port;

	build_switch(f);
	call(f, "port.set", "{\"port\":\"vm1\",\"options\":{\"tag\":null,\"protected\":true}}");
	result_of(f);
	call(f, "config.export", "{}");
	doc = json_object_get(result_of(f), "document");
	port = json_object_get(json_object_get(json_object_get(json_object_get(doc, "bridges"), "br0"), "ports"), "vm1");
	assert_null(json_object_get(port, "tag"));
	assert_true(json_is_true(json_object_get(port, "protected")));
	assert_string_equal(json_string_value(json_object_get(port, "type")), "vhost-user");
}

static void
vlan_set_leaves_nothing_of_the_old_mode(void **state)
{
	struct fixture *f = *state;
	char *text;

	build_switch(f);
	call(f, "vlan.set", "{\"port\":\"vm1\",\"mode\":\"trunk\",\"trunks\":\"10,20\"}");
	result_of(f);
	call(f, "port.list", "{}");
	text = json_dumps(json_object_get(json_array_get(json_object_get(result_of(f), "ports"), 0), "options"),
			  JSON_SORT_KEYS | JSON_COMPACT);
	assert_string_equal(text, "{\"trunks\":\"10,20\",\"type\":\"vhost-user\",\"vlan-mode\":\"trunk\"}");
	free(text);
	call(f, "vlan.set", "{\"port\":\"vm1\",\"mode\":\"acess\",\"tag\":10}");
	expect_error(f, CTL_E_PARAMS, "did you mean 'access'?");
	call(f, "vlan.set", "{\"port\":\"vm1\",\"mode\":\"access\",\"tag\":4095}");
	expect_error(f, CTL_E_PARAMS, "at most 4094");
}

static void
of_two_clients_editing_one_is_told(void **state)
{
	struct fixture *f = *state;

	build_switch(f);
	call(f, "port.set", "{\"port\":\"vm1\",\"options\":{\"tag\":1},\"generation\":5}");
	result_of(f);
	call(f, "port.set", "{\"port\":\"vm1\",\"options\":{\"tag\":2},\"generation\":5}");
	expect_error(f, CTL_E_REFUSED, "changed by someone else");
	call(f, "port.set", "{\"port\":\"vm1\",\"options\":{\"tag\":2},\"generation\":\"6\"}");
	result_of(f);
}

static void
a_whole_document_is_compared_and_applied(void **state)
{
	struct fixture *f = *state;

	call(f, "config.diff", "{\"document\":{\"version\":1,\"bridges\":{\"br9\":{\"ports\":{}}}}}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "changes")), 1);
	assert_int_equal(json_integer_value(json_object_get(result_of(f), "generation")), 1);
	call(f, "config.apply", "{\"document\":{\"version\":1,\"bridges\":{\"br9\":{\"ports\":{}}}},\"generation\":1}");
	result_of(f);
	call(f, "config.apply", "{\"document\":[]}");
	expect_error(f, CTL_E_PARAMS, "an object is needed");
	call(f, "config.apply", "{\"document\":{}}");
	expect_error(f, CTL_E_REFUSED, "version is missing");
	call(f, "config.diff", "{\"document\":{\"bridges\":7}}");
	expect_error(f, CTL_E_REFUSED, "bridges");
}

static void
lists_and_the_tree_agree(void **state)
{
	struct fixture *f = *state;

	build_switch(f);
	call(f, "show", "{\"bridge\":\"br0\"}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "bridges")), 1);
	assert_int_equal(json_array_size(json_object_get(result_of(f), "lcores")), 2);
	call(f, "bridge.list", "{}");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(result_of(f), "bridges"), 0),
			 "n_ports")), 3);
	call(f, "tunnel.list", "{}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "tunnels")), 1);
	call(f, "tunnel.refused", "{}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "refused")), 1);
	call(f, "vlan.show", "{}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "ports")), 3);
}

static void
the_mac_table_comes_in_pages(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0, pages = 0;
	char params[160] = "{\"bridge\":\"br0\",\"limit\":4}";
	json_t *cursor;

	build_switch(f);
	fake_sw_set_macs(f->sw, 10);
	snprintf(params, sizeof params, "{\"bridge\":\"br0\",\"limit\":4}");
	do {
		call(f, "mac.show", params);
		n += json_array_size(json_object_get(result_of(f), "macs"));
		cursor = json_object_get(result_of(f), "cursor");
		snprintf(params, sizeof params, "{\"bridge\":\"br0\",\"limit\":4,\"cursor\":%lld}",
			 (long long)json_integer_value(cursor));
		pages++;
	} while (json_is_integer(cursor));
	assert_int_equal(n, 10);
	assert_int_equal(pages, 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(result_of(f), "macs"), 0),
			    "remote")), "172.16.0.2");
	call(f, "mac.add", "{\"bridge\":\"br0\",\"mac\":\"5354\",\"port\":\"vm1\"}");
	expect_error(f, CTL_E_PARAMS, "an address such as");
	call(f, "mac.flush", "{\"bridge\":\"br0\"}");
	assert_int_equal(json_integer_value(json_object_get(result_of(f), "flushed")), 10);
	call(f, "mac.del", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\"}");
	expect_error(f, CTL_E_REFUSED, "no such");
}

static void
static_macs_are(struct fixture *f, const char *port, const char *want)
{
	json_t *p = json_object_get(json_object_get(json_object_get(json_object_get(sw_conf(f->sw), "bridges"), "br0"),
				    "ports"), port);
	char *text = json_dumps(json_object_get(p, "static-macs"), JSON_COMPACT);

	assert_string_equal(text, want);
	free(text);
}

static void
flows_for_a_client_that_is_gone_are_not_described(void **state)
{
	static const char dump[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.dump\"}";
	struct fixture *f = *state;
	struct rpc_peer *p;

	build_switch(f);
	fake_sw_set_flows(f->sw, 4);
	call(f, "flow.dump", "{}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "flows")), 4);
	assert_int_equal(fake_sw_states(f->sw), 1);
	/* So it is at the end of weftd, when half of the switch is gone already. */
	p = rpc_peer_create(f->sw, NULL, NULL);
	rpc_handle(p, dump, strlen(dump));
	rpc_peer_close(p);
	assert_int_equal(fake_sw_run(f->sw), 1);
	assert_int_equal(fake_sw_states(f->sw), 1);
}

static void
static_addresses_are_kept_in_the_document(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	build_switch(f);
	fake_sw_set_macs(f->sw, 2);
	call(f, "mac.add", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"port\":\"vm1\",\"vlan\":10}");
	result_of(f);
	call(f, "mac.add", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"port\":\"vm1\",\"vlan\":10}");
	result_of(f);
	call(f, "mac.add", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:AA\",\"port\":\"vm1\"}");
	result_of(f);
	static_macs_are(f, "vm1", "[\"10/52:54:00:00:00:01\",\"52:54:00:00:00:aa\"]");
	call(f, "mac.add", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"port\":\"vm2\",\"vlan\":10}");
	expect_error(f, CTL_E_REFUSED, "10/52:54:00:00:00:01 is a static address of port vm1");
	call(f, "bridge.add", "{\"bridge\":\"br1\"}");
	call(f, "mac.add", "{\"bridge\":\"br1\",\"mac\":\"52:54:00:00:00:02\",\"port\":\"vm2\"}");
	expect_error(f, CTL_E_REFUSED, "port 'vm2' is not in bridge br1");
	call(f, "mac.del", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"vlan\":10,\"generation\":1}");
	expect_error(f, CTL_E_REFUSED, "changed by someone else");
	call(f, "mac.del", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"vlan\":10}");
	result_of(f);
	static_macs_are(f, "vm1", "[\"52:54:00:00:00:aa\"]");
	/* A learned one is no matter of the document. */
	generation = sw_generation(f->sw);
	call(f, "mac.del", "{\"bridge\":\"br0\",\"mac\":\"52:54:00:00:00:01\",\"vlan\":10}");
	result_of(f);
	assert_int_equal(sw_generation(f->sw), generation);
}

static void
flows_come_in_pages_with_what_they_depend_on(void **state)
{
	struct fixture *f = *state;
	char params[100] = "{\"limit\":30}";
	unsigned n = 0, pages = 0;
	json_t *cursor, *flow;
	char *text;

	build_switch(f);
	fake_sw_set_flows(f->sw, 100);
	for (;; pages++) {
		call(f, "flow.dump", params);
		n += json_array_size(json_object_get(result_of(f), "flows"));
		cursor = json_object_get(result_of(f), "cursor");
		if (json_is_null(cursor))
			break;
		snprintf(params, sizeof params, "{\"limit\":30,\"cursor\":\"%s\"}", json_string_value(cursor));
	}
	assert_int_equal(n, 200);
	assert_int_equal(pages, 7);
	flow = json_array_get(json_object_get(result_of(f), "flows"), 0);
	text = json_dumps(json_object_get(flow, "depends"), JSON_COMPACT);
	assert_string_equal(text, "[\"bridge br0\",\"port vm1\",\"mac 10/00:00:00:00:00:07\",\"next hop to 172.16.0.2\",\"table 3\","
			    "\"a group\",\"all tables\"]");
	free(text);
	call(f, "flow.dump", "{\"port\":\"vm2\",\"limit\":1000}");
	assert_int_equal(json_array_size(json_object_get(result_of(f), "flows")), 50);
}

static void
a_made_up_cursor_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const cursors[] = { "x", "1", "0:", ":", "99:0", "0:-1", "0:0:0", "-1:0",
					       "99999999999999999:0" };
	char params[100];

	for (unsigned i = 0; i < ARRAY_SIZE(cursors); i++) {
		snprintf(params, sizeof params, "{\"cursor\":\"%s\"}", cursors[i]);
		call(f, "flow.dump", params);
		expect_error(f, CTL_E_REFUSED, "cursor");
	}
}

static void
counters_come_whole_or_in_part(void **state)
{
	struct fixture *f = *state;
	json_t *drops;

	build_switch(f);
	call(f, "stats", "{}");
	assert_int_equal(json_object_size(result_of(f)), 7);
	assert_int_equal(json_array_size(json_object_get(result_of(f), "ports")), 3);
	drops = json_object_get(result_of(f), "drops");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(drops, 0), "packets")), 9);
	call(f, "stats", "{\"what\":\"ports\",\"port\":\"vm2\"}");
	assert_int_equal(json_object_size(result_of(f)), 2);
	assert_int_equal(json_array_size(json_object_get(result_of(f), "ports")), 1);
}

static json_t *
controllers_of(struct fixture *f, const char *bridge)
{
	json_t *b = json_object_get(json_object_get(sw_conf(f->sw), "bridges"), bridge);

	return json_object_get(b, "controllers");
}

static void
controllers_are_part_of_the_document(void **state)
{
	struct fixture *f = *state;

	build_switch(f);
	call(f, "controller.set", "{\"bridge\":\"br0\",\"targets\":[\"tcp:1.2.3.4\",\"ssl:h:1\"],\"fail-mode\":\"secure\"}");
	result_of(f);
	assert_int_equal(json_array_size(controllers_of(f, "br0")), 2);
	call(f, "controller.del", "{\"bridge\":\"br0\",\"targets\":\"tcp:9.9.9.9\"}");
	expect_error(f, CTL_E_REFUSED, "bridge br0 has no controller 'tcp:9.9.9.9': see controller show");
	call(f, "controller.del", "{\"bridge\":\"br0\",\"targets\":\"tcp:1.2.3.4\"}");
	result_of(f);
	assert_string_equal(json_string_value(json_array_get(controllers_of(f, "br0"), 0)), "ssl:h:1");
	call(f, "controller.set", "{\"bridge\":\"br0\",\"targets\":\"tcp:1.2.3.4\"}");
	assert_int_equal(json_array_size(controllers_of(f, "br0")), 1);
	call(f, "controller.del", "{\"bridge\":\"br0\"}");
	assert_null(controllers_of(f, "br0"));
	call(f, "controller.set", "{\"bridge\":\"br0\",\"targets\":[]}");
	expect_error(f, CTL_E_PARAMS, "targets: is empty");
	call(f, "controller.set", "{\"bridge\":\"br0\",\"targets\":[7]}");
	expect_error(f, CTL_E_PARAMS, "a text is needed");
	call(f, "controller.set", "{\"bridge\":\"br\",\"targets\":[\"tcp:h\"]}");
	expect_error(f, CTL_E_REFUSED, "did you mean 'br0'?");
}

static void
connections_are_shown_with_role_version_and_error(void **state)
{
	struct fixture *f = *state;
	json_t *b, *up, *down;

	build_switch(f);
	call(f, "controller.show", "{}");
	b = json_array_get(json_object_get(result_of(f), "bridges"), 0);
	assert_string_equal(json_string_value(json_object_get(b, "bridge")), "br0");
	assert_string_equal(json_string_value(json_object_get(b, "datapath_id")), "00000000000000a1");
	up = json_array_get(json_object_get(b, "connections"), 0);
	down = json_array_get(json_object_get(b, "connections"), 1);
	assert_string_equal(json_string_value(json_object_get(up, "version")), "OpenFlow13");
	assert_string_equal(json_string_value(json_object_get(up, "role")), "master");
	assert_int_equal(json_integer_value(json_object_get(up, "packet_ins_dropped")), 2);
	assert_string_equal(json_string_value(json_object_get(down, "last_error")), "connection refused");
	assert_null(json_object_get(down, "connected_ms_ago"));
	assert_null(json_object_get(down, "role"));
	call(f, "controller.show", "{\"bridge\":\"br1\"}");
	expect_error(f, CTL_E_REFUSED, "did you mean 'br0'?");
}

static void
messages_are_told_until_the_client_hangs_up(void **state)
{
	struct fixture *f = *state;
	struct of_msg m = { .version = OF13, .xid = 0x42 };
	json_t *p;
	unsigned n;

	build_switch(f);
	call(f, "ofmsg.tail", "{\"bridge\":\"br0\"}");
	result_of(f);
	assert_int_equal(fake_agent->n_taps, 1);
	for (unsigned i = 0; i < 3; i++) {
		n = f->n;
		fake_agent_say(&m);
		assert_int_equal(f->n, n + 1);
		assert_string_equal(json_string_value(json_object_get(f->last, "method")), "ofmsg");
		p = json_object_get(f->last, "params");
		assert_string_equal(json_string_value(json_object_get(p, "text")), "OFPT_FAKE (xid=0x42)");
		assert_int_equal(json_integer_value(json_object_get(p, "lost")), 0);
	}
	/* It may ask for other things meanwhile. */
	call(f, "version", "{}");
	result_of(f);
	rpc_peer_close(f->peer);
	assert_int_equal(fake_agent->n_taps, 0);
	f->peer = rpc_peer_create(f->sw, on_reply, f);
}

static size_t
much_is_unread(const void *arg UNUSED)
{
	return 10 << 20;
}

static void
messages_that_nobody_reads_are_left_out_and_counted(void **state)
{
	struct fixture *f = *state;
	struct of_msg m = { .version = OF13 };
	unsigned n;

	build_switch(f);
	call(f, "ofmsg.tail", "{\"bridge\":\"br0\",\"count\":1}");
	n = f->n;
	f->peer->unread = much_is_unread;
	fake_agent_say(&m);
	fake_agent_say(&m);
	assert_int_equal(f->n, n);
	f->peer->unread = NULL;
	fake_agent_say(&m);
	assert_int_equal(f->n, n + 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(f->last, "params"), "lost")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(f->last, "params"), "last")));
	fake_agent_say(&m);
	assert_int_equal(f->n, n + 1);
}

static void
every_example_of_a_method_fits_its_table(void **state)
{
	const struct ctl_method *m;
	const char *which;

	(void)state;
	for (unsigned i = 0; (m = ctl_method_at(i)); i++) {
		json_t *params = json_loads(m->example, 0, NULL);
		struct err e = { 0 };

		assert_non_null(params);
		if (ctl_params_check(m->params, params, &which, &e))
			fail_msg("%s: %s", m->name, e.msg);
		assert_non_null(m->help);
		json_decref(params);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_no_request_is_told_so),
		TEST(deep_and_wide_messages_are_refused_unparsed),
		TEST(ids_come_back_as_they_were),
		TEST(a_notification_is_carried_out_and_not_answered),
		TEST(a_batch_is_answered_in_one_array_in_its_order),
		TEST(a_batch_of_notifications_gets_no_answer),
		TEST(a_batch_stops_when_its_answers_grow_too_long),
		TEST(a_client_that_left_changes_nothing_for_its_request),
		TEST(an_unknown_word_is_answered_with_the_nearest),
		TEST(success_is_answered_when_it_is_effective),
		TEST(a_refusal_names_the_place_and_changes_nothing),
		TEST(options_are_merged_and_null_takes_one_away),
		TEST(vlan_set_leaves_nothing_of_the_old_mode),
		TEST(of_two_clients_editing_one_is_told),
		TEST(a_whole_document_is_compared_and_applied),
		TEST(lists_and_the_tree_agree),
		TEST(the_mac_table_comes_in_pages),
		TEST(flows_for_a_client_that_is_gone_are_not_described),
		TEST(static_addresses_are_kept_in_the_document),
		TEST(flows_come_in_pages_with_what_they_depend_on),
		TEST(a_made_up_cursor_is_refused),
		TEST(counters_come_whole_or_in_part),
		TEST(controllers_are_part_of_the_document),
		TEST(connections_are_shown_with_role_version_and_error),
		TEST(messages_are_told_until_the_client_hangs_up),
		TEST(messages_that_nobody_reads_are_left_out_and_counted),
		TEST(every_example_of_a_method_fits_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
